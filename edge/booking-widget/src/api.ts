/** What the widget calls: public RPCs through the gateway, and the checkout of the service. */
import type {
  Booking,
  BookingCalendar,
  Checkout,
  ConfirmedBooking,
  Customer,
  Day,
  HeldBooking,
  Quote,
  RescheduleQuote,
  Terms,
  Time,
  WaitlistEntry,
  Waiver,
} from "../../_shared/booking.ts";
import { outcomeIsUnknown } from "../../_shared/outcome.ts";

/** A refusal with a stable code, or `network` / `unexpected` when there was none. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: string,
    readonly status: number,
    readonly details: Readonly<Record<string, unknown>> = {},
    /** Whether nobody knows if it was done: the same may be asked once more. */
    readonly lost = outcomeIsUnknown(status),
  ) {
    super(code);
  }
}

/** By its name, since each of the two scripts has a class of its own. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof Error && error.name === "ApiError";
}

/** The code and the details of a refusal; `unexpected` for whatever else was thrown. */
export function refusalOf(
  error: unknown,
): Pick<ApiError, "code" | "status" | "details" | "lost"> {
  return isRefusal(error) ? error : { code: "unexpected", status: 0, details: {}, lost: false };
}

/** What prices a booking beside the slot. What is not wanted is left out, not sent empty. */
export interface Options {
  readonly extras?: readonly { readonly extra_id: string; readonly quantity: number }[];
  readonly coupon_code?: string;
  readonly voucher_code?: string;
  readonly exclusive?: boolean;
}

export interface QuoteRequest extends Options {
  readonly slug: string;
  readonly room_id: string;
  readonly starts_at: string;
  readonly party_size: number;
}

export type Answer = string | number | boolean;

export interface Consent {
  readonly kind: "terms" | "marketing";
  readonly granted: boolean;
  /** The words that the visitor saw. */
  readonly wording: string;
}

export interface HoldRequest extends QuoteRequest {
  readonly customer: Customer;
  readonly expected_total_cents: number;
  /** What the visitor saw. */
  readonly expected_terms: Terms;
  readonly idempotency_key: string;
  readonly fields?: Readonly<Record<string, Answer>>;
  readonly customer_note?: string;
  readonly consents?: readonly Consent[];
}

export interface RescheduleRequest extends BookingKey {
  readonly starts_at: string;
  readonly room_id: string;
  readonly party_size: number;
}

export interface WaitlistRequest {
  readonly slug: string;
  /** Left out: any room. */
  readonly room_id?: string;
  readonly from_date: string;
  readonly to_date: string;
  readonly party_size: number;
  readonly customer: Customer;
  /** Left out: any time of those dates. */
  readonly starts_at?: string;
  readonly idempotency_key: string;
  readonly fields?: Readonly<Record<string, Answer>>;
  readonly consents?: readonly Consent[];
}

export interface SignRequest {
  readonly token: string;
  /** The version of the text that was read. */
  readonly version: number;
  readonly signer: {
    readonly full_name: string;
    /** Whether they are one of the players, not only a guardian. */
    readonly plays: boolean;
  };
  readonly minors: readonly { readonly full_name: string; readonly birth_year: number }[];
  /** The drawn signature as a `data:` address of a PNG. */
  readonly signature: string;
  readonly locale: string;
  readonly idempotency_key: string;
}

export interface AvailabilityRequest {
  readonly slug: string;
  readonly from_date: string;
  readonly to_date: string;
  /** Left out: every room that takes the party. */
  readonly room_id?: string;
  readonly party_size: number;
}

export interface BookingKey {
  readonly reference: string;
  readonly manage_token: string;
}

export interface Api {
  getCalendar(slug: string): Promise<BookingCalendar>;
  /** The days on which something is offered, to a month's dates. */
  getAvailabilityDays(request: AvailabilityRequest): Promise<readonly Day[]>;
  getAvailability(
    // Also what the party can only wait for: `seats_available` is less than it needs.
    request: AvailabilityRequest & { readonly include_taken?: boolean },
  ): Promise<readonly Time[]>;
  quote(request: QuoteRequest & { readonly locale: string }): Promise<Quote>;
  hold(request: HoldRequest): Promise<HeldBooking>;
  getBooking(key: BookingKey): Promise<Booking>;
  /** By the token of the link in the mail, which nothing else tells. */
  confirmBooking(
    key: { readonly reference: string; readonly confirmation_token: string },
  ): Promise<ConfirmedBooking>;
  cancelBooking(key: BookingKey): Promise<Booking>;
  /** `amount`: what is due, or all that is open at once. */
  checkout(key: BookingKey, returnUrl: string, amount?: "due" | "all"): Promise<Checkout>;
  quoteReschedule(request: RescheduleRequest): Promise<RescheduleQuote>;
  reschedule(
    request: RescheduleRequest & {
      readonly expected_total_cents: number;
      readonly expected_terms: Terms;
      readonly idempotency_key: string;
    },
  ): Promise<unknown>;
  /** Mails the links of whoever booked with the address; says nothing of whether anybody did. */
  emailMyBookings(request: { readonly slug: string; readonly email: string }): Promise<unknown>;
  joinWaitlist(request: WaitlistRequest): Promise<WaitlistEntry>;
  getWaitlistEntry(token: string): Promise<WaitlistEntry>;
  leaveWaitlist(token: string): Promise<unknown>;
  /** Take a place that the waitlist holds and nothing is due for. */
  acceptOffer(key: BookingKey): Promise<Booking>;
  /** When the server last answered, by its own clock; null before that. */
  serverTime?(): number | null;
  getWaiver(token: string, locale: string): Promise<Waiver>;
  signWaiver(request: SignRequest): Promise<unknown>;
  /** Any function of the database, and any route of the service: for what the second script asks. */
  rpc<T>(name: string, request: object): Promise<T>;
  serve<T>(route: string, request: object): Promise<T>;
}

export interface ApiOptions {
  readonly apiUrl: string;
  readonly serviceUrl: string;
  readonly publishableKey: string;
}

const TIMEOUT_MS = 20_000;
/** Half of what a time would weigh with what is the same for all of a room. */
const TIME_COLUMNS = "?select=room_id,starts_at,seats_available,price_cents,is_empty";

export function createApi(options: ApiOptions): Omit<Api, keyof ReturnType<typeof restOfApi>> {
  // The heard time and when it was heard, by a clock that nobody sets.
  let heard: { readonly server: number; readonly at: number } | null = null;
  // Reading again harms nobody, what has an idempotency key is done once however often it is asked
  // for, and the others answer as the first time.
  const rpc = <T>(name: string, body: object, columns = "") =>
    post<T>(`${options.apiUrl}/rest/v1/rpc/${name}${columns}`, body, 2, {
      apikey: options.publishableKey,
    }, (date) => heard = { server: date, at: performance.now() });
  const serve = <T>(route: string, request: object) =>
    post<T>(`${options.serviceUrl}/v1/${route}`, request, 1, {});
  return {
    rpc,
    serve,
    getCalendar: (slug) => rpc("get_calendar", { slug }),
    getAvailabilityDays: (request) => rpc("get_availability_days", request).then(list<Day>),
    getAvailability: (request) => rpc("get_availability", request, TIME_COLUMNS).then(list<Time>),
    quote: (request) => rpc("quote_booking", request),
    hold: (request) => rpc("hold_booking", request),
    getBooking: (key) => rpc("get_booking", key),
    cancelBooking: (key) => rpc("cancel_booking", key),
    checkout: (key, return_url, amount = "due") =>
      serve("checkout", { ...key, return_url, amount }),
    serverTime: () => heard && heard.server + performance.now() - heard.at,
  };
}

/** What only the second script asks for, which brings it along: see `createMore`. */
export function restOfApi({ rpc }: Pick<Api, "rpc">) {
  return {
    confirmBooking: (key) => rpc("confirm_booking", key),
    quoteReschedule: (request) => rpc("quote_reschedule", request),
    reschedule: (request) => rpc("reschedule_booking", request),
    emailMyBookings: (request) => rpc("email_my_bookings", request),
    joinWaitlist: (request) => rpc("join_waitlist", request),
    getWaitlistEntry: (token) => rpc("get_waitlist_entry", { token }),
    leaveWaitlist: (token) => rpc("leave_waitlist", { token }),
    acceptOffer: (key) => rpc("accept_waitlist_offer", key),
    getWaiver: (token, locale) => rpc("get_waiver", { token, locale }),
    signWaiver: (request) => rpc("sign_waiver", request),
  } satisfies Partial<Api>;
}

/** What lies between may answer in the database's place, and that is no empty list. */
function list<T>(answer: unknown): T[] {
  if (Array.isArray(answer)) return answer;
  throw new ApiError("unexpected", 0);
}

async function post<T>(
  url: string,
  body: object,
  attempts: number,
  headers: Record<string, string>,
  hear?: (date: number) => void,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await send<T>(url, body, headers, hear);
    } catch (error) {
      if (!refusalOf(error).lost || attempt >= attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}

async function send<T>(
  url: string,
  body: object,
  headers: Record<string, string>,
  hear?: (date: number) => void,
): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (hear && !Number.isNaN(date)) hear(date);
    text = await response.text();
  } catch {
    throw new ApiError("network", 0);
  }
  const answer = parse(text);
  const { ok, status } = response;
  // A function that answers nothing says so by its status: all others answer a list, or fields.
  if (status === 204 || (ok && answer && /^\s*(\[|\{\s*")/.test(text))) return answer as T;
  // Whether it was done, what cannot be read does not say.
  const error = toError(ok ? 0 : status, answer);
  if (error.code === "key_refused") {
    console.error("escape-booking: the API refuses the attribute publishable-key");
  }
  throw error;
}

/** PostgREST says a domain code in `message`, the service in `code`; anything else is unexpected. */
export function toError(status: number, answer: unknown): ApiError {
  const body = (answer ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const raised = typeof body.code === "string" && body.code.startsWith("PT");
  const code = raised ? body.message : body.code;
  const known = typeof code === "string" && /^[a-z][a-z_]*$/.test(code);
  // PostgREST's `details` is a string that holds an object; the service has none.
  const details = typeof body.details === "string" ? parse(body.details) : body.details;
  // No token is sent beside the key, so it is the key that is refused.
  const other = status === 401 ? "key_refused" : status === 429 ? "rate_limited" : "unexpected";
  return new ApiError(
    known ? code as string : other,
    status,
    typeof details === "object" && details !== null ? details as Record<string, unknown> : {},
    outcomeIsUnknown(status, answer),
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
