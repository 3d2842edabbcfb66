/** What the widget knows at a moment. The views read it; only the flow writes it. */
import type {
  Booking,
  BookingCalendar,
  Day,
  Quote,
  RescheduleQuote,
  Slot,
  Terms,
  Waiver,
} from "../../_shared/booking.ts";
import { type Answers, type CustomerForm, emptyForm, type FieldErrors } from "./customer.ts";
import type { Format } from "./format.ts";
import type { Strings } from "./strings.ts";
import type { MoreStrings } from "./strings_more.ts";

export type Step =
  | "loading"
  | "failed"
  | "choose"
  | "waitlist"
  | "waiting"
  | "leave"
  | "left"
  | "details"
  | "pay"
  | "confirming"
  | "slow"
  | "mailed"
  | "booking"
  | "move"
  | "moveQuote"
  | "waiver"
  | "signed"
  | "elsewhere"
  | "lost"
  | "resent"
  | "vouchers"
  | "voucher"
  | "share";

/** A text that is written when it is shown, in the language of that moment. */
export type Text = (strings: Strings, format: Format) => string;

/** A text in the words of the second script, which is there before it is shown. */
export const moreText = (text: (strings: MoreStrings) => string) => text as unknown as Text;

export interface Notice {
  readonly tone: "error" | "info";
  readonly text: Text;
}

/** What the visitor wants beside the slot, as it stands in the form. */
export interface Wishes {
  /** Quantities by the extra's id; what is missing is zero. */
  readonly extras: Readonly<Record<string, number>>;
  readonly exclusive: boolean;
  readonly coupon: string | null;
  readonly voucher: string | null;
}

/** Where and when somebody would wait for a free place. */
export interface Waiting {
  readonly from: string;
  readonly to: string;
  /** Null: any room. */
  readonly roomId: string | null;
  /** The one time that one waits for; null: any on those days. */
  readonly slot: Slot | null;
  /** Its start and the room's name, where the database told them. */
  readonly startsAt?: string | null;
  readonly roomName?: string | null;
  /** The secret by which one leaves the list, once one is on it. */
  readonly token?: string;
}

export interface Minor {
  readonly name: string;
  readonly year: string;
}

/** A waiver on its way to be signed. */
export interface Signing {
  readonly token: string;
  readonly waiver: Waiver;
  readonly name: string;
  readonly minors: readonly Minor[];
  /** A guardian may sign for minors and stay outside. */
  readonly outside: boolean;
  readonly manner: "draw" | "type";
  /** The drawing as a `data:` address; empty while nothing was drawn. */
  readonly drawing: string;
  /** The text beside which the tick was set, as `terms` of {@link State}. */
  readonly agreed: string;
}

export interface State {
  readonly step: Step;
  readonly calendar: BookingCalendar | null;
  /** The room whose times are shown; null: those of all rooms. */
  readonly roomId: string | null;
  readonly partySize: number;
  readonly month: string;
  /** The day that the keyboard is on in the grid, and the day whose times are shown. */
  readonly focusDay: string;
  readonly day: string | null;
  /** The days of the shown month on which something is offered; null while they are not known. */
  readonly days: readonly Day[] | null;
  /** The times of the chosen day, sold-out ones too where the venue shows them; null: not known. */
  readonly slots: readonly Slot[] | null;
  /** What is shown could not be loaded: nobody knows what is free. */
  readonly unreachable: boolean;
  readonly slot: Slot | null;
  readonly quote: Quote | null;
  /** The quote is not of the present wishes: another is on its way. */
  readonly pricing: boolean;
  readonly wishes: Wishes;
  /** What is typed where codes are entered, and the code of what is wrong with it. */
  readonly code: string;
  readonly codeProblem: string | null;
  readonly form: CustomerForm;
  readonly answers: Answers;
  readonly note: string;
  /** The words beside which each tick was set, as long as it is: `agreesTo` says what it counts for. */
  readonly terms: string;
  readonly marketing: string;
  readonly fieldErrors: FieldErrors;
  /** The price moved between the quote and the hold: the visitor must agree. */
  readonly oldTotal: number | null;
  /** The terms that were shown before the present ones took their place before the visitor's eyes. */
  readonly oldTerms: Terms | null;
  readonly waiting: Waiting | null;
  readonly booking: Booking | null;
  /** The booking was confirmed before the visitor's eyes, not opened later by its link. */
  readonly fresh: boolean;
  /** What the visitor was promised back when they cancelled before our eyes. */
  readonly promisedCents: number;
  readonly moveQuote: RescheduleQuote | null;
  readonly signing: Signing | null;
  /** The provider's page, where it could not be opened in this window. */
  readonly checkoutUrl: string | null;
  /** The link that was copied last. */
  readonly copied: string | null;
  /** Seconds that the hold has left; zero when it ended. */
  readonly remaining: number;
  readonly asking: "cancel" | null;
  readonly busy: Busy | null;
  readonly notice: Notice | null;
  /** Said to screen readers; `id` makes the same words audible twice. */
  readonly announcement: { readonly id: number; readonly text: Text } | null;
  /** The element to focus after the next rendering, by its `data-focus`. */
  readonly focus: { readonly id: number; readonly target: string } | null;
}

/** How the codes begin by which the database refuses a code. */
export const codeRefusal = /^(coupon|voucher)_/;

export type Busy =
  | "search"
  | "code"
  | "hold"
  | "pay"
  | "cancel"
  | "release"
  | "check"
  | "join"
  | "move"
  | "waiver"
  | "sign"
  | "resend";

export const noWishes: Wishes = { extras: {}, exclusive: false, coupon: null, voucher: null };

export const initial: State = {
  step: "loading",
  calendar: null,
  roomId: null,
  partySize: 2,
  month: "",
  focusDay: "",
  day: null,
  days: null,
  slots: null,
  unreachable: false,
  slot: null,
  quote: null,
  pricing: false,
  wishes: noWishes,
  code: "",
  codeProblem: null,
  form: emptyForm,
  answers: {},
  note: "",
  terms: "",
  marketing: "",
  fieldErrors: {},
  oldTotal: null,
  oldTerms: null,
  waiting: null,
  booking: null,
  fresh: false,
  promisedCents: 0,
  moveQuote: null,
  signing: null,
  checkoutUrl: null,
  copied: null,
  remaining: 0,
  asking: null,
  busy: null,
  notice: null,
  announcement: null,
  focus: null,
};

/** What is left to pay now for a quote: what confirms the booking, less what the voucher pays. */
export function payableNow(quote: Quote): number {
  return Math.max(0, quote.due_now_cents - (quote.voucher_cents ?? 0));
}

/** What is left to pay of a booking so that it is confirmed. */
export function dueNow(booking: Booking): number {
  const kept = booking.paid_cents - booking.refunded_cents;
  return Math.max(0, booking.due_now_cents - kept);
}

/** What is still owed of a booking that takes place. */
export function stillOpen(booking: Booking): number {
  if (!["held", "pending", "confirmed", "checked_in", "in_progress"].includes(booking.status)) {
    return 0;
  }
  const kept = booking.paid_cents - booking.refunded_cents;
  return booking.open_cents ?? Math.max(0, booking.total_cents - kept);
}
