/**
 * What the public booking RPCs and the checkout answer. Instants are ISO 8601, money is in cents.
 *
 * A key with a question mark may be missing: a database that is older than this file leaves it out,
 * and whoever reads it then does without.
 */

/** A text by language: `{"es": "…", "en": "…"}`. */
export type Texts = Readonly<Record<string, string>>;

export type Mode = "private" | "shared";
export type BookingStatus =
  | "held"
  | "pending"
  | "confirmed"
  | "checked_in"
  | "in_progress"
  | "completed"
  | "expired"
  | "cancelled"
  | "no_show";

export interface Room {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly description: string | null;
  readonly minimum_party: number;
  readonly maximum_party: number;
  readonly duration_minutes: number;
  readonly mode: Mode;
  readonly price_per: "person" | "session";
  readonly price_cents: number;
  /** 1 (easy) to 5 (hard). */
  readonly difficulty: number | null;
  /** In their order; the first is the cover. */
  readonly images?: readonly RoomImage[];
  /** IANA zone of the room's location. */
  readonly timezone: string;
  readonly location_name?: string;
  /** Seats of a session. */
  readonly capacity?: number;
  /** Shared rooms: what a party pays to be alone; null when that is not offered. */
  readonly exclusive_price_cents?: number | null;
  readonly deposit?: { readonly kind: string; readonly value: number };
  readonly waiver_policy?: string;
  /** What a booking of the room agrees to by now. */
  readonly cancellation?: readonly Tier[];
  readonly extras?: readonly Extra[];
}

export interface RoomImage {
  /** In the public bucket `room-images`. */
  readonly path: string;
  readonly alt: Texts;
}

/** What is given back when somebody cancels so many hours before; the most hours first. */
export interface Tier {
  readonly hours_before: number;
  readonly refund_percent: number;
}

/** What was agreed about cancelling; without tiers all goes back until the start. */
export interface Terms {
  readonly tiers: readonly Tier[];
  readonly no_show_fee_percent: number;
}

export interface Extra {
  readonly id: string;
  readonly name: Texts;
  readonly description: Texts;
  readonly price_cents: number;
  readonly per: "booking" | "person";
  readonly maximum_quantity: number;
}

export type CustomFieldKind = "text" | "email" | "number" | "select" | "checkbox" | "date";

/** A question that the venue asks. */
export interface CustomField {
  readonly key: string;
  readonly label: Texts;
  readonly help?: Texts | null;
  readonly kind: CustomFieldKind;
  readonly required: boolean;
  /** A regular expression that the whole answer must match. */
  readonly pattern?: string | null;
  readonly options?: readonly { readonly value: string; readonly label: Texts }[] | null;
}

export interface BookingCalendar {
  readonly slug: string;
  readonly name: string;
  readonly organization: { readonly name: string; readonly slug: string };
  readonly timezone: string;
  readonly locale: string;
  readonly locales: readonly string[];
  readonly currency: string;
  readonly minimum_notice_minutes: number;
  readonly maximum_advance_days: number;
  readonly hold_minutes: number;
  readonly rooms: readonly Room[];
  readonly flow?: "room_first" | "date_first";
  readonly theme?: "auto" | "light" | "dark";
  /** `#rrggbb`; null: the widget's own. */
  readonly accent_color?: string | null;
  /** What a visitor must agree to; empty: nothing. */
  readonly terms?: Texts;
  readonly fields?: readonly CustomField[];
  readonly fee?: { readonly kind: string; readonly value: number };
  readonly has_coupons?: boolean;
  readonly has_vouchers?: boolean;
  readonly waitlist?: boolean;
  /** Whether visitors see the times that are sold out. */
  readonly shows_taken_times?: boolean;
  /** The server's clock when it answered. */
  readonly now?: string;
}

export interface Slot {
  readonly room_id: string;
  readonly starts_at: string;
  readonly ends_at: string;
  /** `YYYY-MM-DD` and `HH:MM` on the venue's wall clock. */
  readonly local_date: string;
  readonly local_time: string;
  readonly timezone: string;
  readonly seats_available: number;
  /** For the party size asked for. */
  readonly price_cents: number;
  readonly currency: string;
}

export interface PriceLine {
  readonly kind: string;
  readonly description: string;
  readonly quantity: number;
  readonly unit_cents: number;
  readonly total_cents: number;
  /** Basis points: 2100 is 21 %. Included in the total. */
  readonly tax_rate_bp: number;
  readonly tax_cents: number;
  readonly extra_id?: string | null;
}

export interface Quote {
  readonly room_id: string;
  readonly starts_at: string;
  readonly ends_at: string;
  readonly party_size: number;
  readonly currency: string;
  readonly lines: readonly PriceLine[];
  readonly total_cents: number;
  readonly tax_cents: number;
  /** What confirms the booking, however it is paid: the deposit, or all of it. */
  readonly due_now_cents: number;
  /** What the voucher would pay of the total. */
  readonly voucher_cents?: number;
}

/** What moving a booking would cost: the quote of the new time, and the difference. */
export interface RescheduleQuote extends Quote {
  readonly room_name?: string;
  /** Owed when positive, given back when negative. */
  readonly difference_cents?: number;
  /** What is given back at once. */
  readonly refund_cents?: number;
  /** What is still to be paid of the new total. */
  readonly open_cents?: number;
  /** What counts for the booking once it has been moved. */
  readonly terms?: Terms;
}

/** A type, not an interface: it has to be a JSON value to the generated types. */
export type Customer = {
  readonly full_name: string;
  readonly email: string;
  readonly phone?: string;
  readonly locale?: string;
};

interface BookingFields {
  readonly reference: string;
  readonly status: BookingStatus;
  readonly hold_expires_at: string | null;
  readonly starts_at: string;
  readonly ends_at: string;
  readonly timezone: string;
  readonly room_id: string;
  readonly room_name: string;
  readonly party_size: number;
  readonly currency: string;
  readonly total_cents: number;
  readonly due_now_cents: number;
  /** It is held until the link in its mail is opened. */
  readonly confirm_by_email?: boolean;
}

/** The answer of `hold_booking`: the only time that the manage token is told. */
export interface HeldBooking extends BookingFields {
  readonly manage_token: string;
}

/** The answer of `get_booking` and `cancel_booking`. */
export interface Booking extends BookingFields {
  readonly paid_cents: number;
  readonly refunded_cents: number;
  readonly customer: { readonly full_name: string; readonly email: string | null };
  readonly organization: { readonly name: string };
  /** Where to come. */
  readonly location?: { readonly name: string; readonly address: string };
  /** The visit as an event: the same identity in every file and mail, numbered anew when it changes. */
  readonly event?: {
    readonly uid: string;
    readonly sequence: number;
    readonly updated_at: string;
  };
  readonly lines: readonly PriceLine[];
  readonly cancellable: boolean;
  /** What cancelling now would give back. */
  readonly cancellation: { readonly refund_percent: number; readonly refund_cents: number };
  /** Whether the customer may still move it; unknown before one asks when it is missing. */
  readonly reschedulable?: boolean;
  /** What is still owed of the total. */
  readonly open_cents?: number;
  /** As agreed when it was booked, or moved by its customer. */
  readonly terms?: Terms;
  readonly exclusive?: boolean;
  readonly waiver?: BookingWaiver | null;
  readonly history: readonly { readonly status: BookingStatus; readonly at: string }[];
}

/** The answer of `confirm_booking`: whoever opened the mail's link manages the booking from now on. */
export interface ConfirmedBooking extends Booking {
  readonly manage_token: string;
}

/** The state of a booking's waivers, with the token to sign them where there is something to sign. */
export interface BookingWaiver {
  readonly policy: string;
  readonly signed: number;
  readonly needed: number;
  readonly missing: number;
  readonly token?: string | null;
}

/** The answer of `get_waiver`: what is to be signed. */
export interface Waiver {
  readonly text: string;
  readonly version: number;
  readonly locale: string;
  readonly room_name: string;
  readonly starts_at: string;
  readonly timezone: string;
  readonly organization: { readonly name: string };
  /** People for whom somebody has signed, and for whom somebody has to. */
  readonly signed: number;
  readonly needed: number;
  /** Whether it can be signed now. */
  readonly open: boolean;
}

/** The answer of `join_waitlist`. */
export interface WaitlistEntry {
  readonly status: string;
  /** The secret by which one leaves the list. */
  readonly waitlist_token?: string;
}

/** The answer of the service's `POST /v1/checkout`. */
export interface Checkout {
  readonly checkout_url: string;
  readonly expires_at: string;
  readonly amount_cents: number;
  readonly currency: string;
}
