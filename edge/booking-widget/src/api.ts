/** The widget's two doors: public RPCs through the gateway, and the checkout of the service. */
import type {
  Booking,
  BookingCalendar,
  Checkout,
  Customer,
  HeldBooking,
  Quote,
  Slot,
} from "../../_shared/booking.ts";
import type { Database } from "../../_shared/database.types.ts";

/** A refusal with a stable code, or `network` / `unexpected` when there was none. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly code: string,
    readonly status: number,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(code);
  }
}

export interface HoldRequest {
  readonly slug: string;
  readonly room_id: string;
  readonly starts_at: string;
  readonly party_size: number;
  readonly customer: Customer;
  readonly expected_total_cents: number;
  readonly idempotency_key: string;
}

export interface AvailabilityRequest {
  readonly slug: string;
  readonly from_date: string;
  readonly to_date: string;
  readonly room_id: string;
  readonly party_size: number;
}

export interface BookingKey {
  readonly reference: string;
  readonly manage_token: string;
}

export interface Api {
  getCalendar(slug: string): Promise<BookingCalendar>;
  getAvailability(request: AvailabilityRequest): Promise<Slot[]>;
  quote(slug: string, roomId: string, startsAt: string, partySize: number): Promise<Quote>;
  hold(request: HoldRequest): Promise<HeldBooking>;
  getBooking(key: BookingKey): Promise<Booking>;
  cancelBooking(key: BookingKey): Promise<Booking>;
  checkout(key: BookingKey, returnUrl: string): Promise<Checkout>;
}

export interface ApiOptions {
  readonly apiUrl: string;
  readonly serviceUrl: string;
  readonly publishableKey: string;
}

type Functions = Database["public"]["Functions"];

/** The JSON that each function answers, which the schema knows as `Json` only. */
interface Answers {
  readonly get_calendar: BookingCalendar;
  readonly get_availability: Slot[];
  readonly quote_booking: Quote;
  readonly hold_booking: HeldBooking;
  readonly get_booking: Booking;
  readonly cancel_booking: Booking;
}

const TIMEOUT_MS = 20_000;

export function createApi(options: ApiOptions): Api {
  const rpc = <Name extends keyof Answers>(
    name: Name,
    body: Functions[Name]["Args"],
    attempts = 1,
  ) =>
    post<Answers[Name]>(`${options.apiUrl}/rest/v1/rpc/${name}`, body, attempts, {
      apikey: options.publishableKey,
    });
  // Reading again harms nobody; a hold repeats safely by its idempotency key, when the person asks.
  const read = 2;
  return {
    getCalendar: (slug) => rpc("get_calendar", { slug }, read),
    getAvailability: (request) => rpc("get_availability", request, read),
    quote: (slug, room_id, starts_at, party_size) =>
      rpc("quote_booking", { slug, room_id, starts_at, party_size }, read),
    hold: (request) => rpc("hold_booking", request),
    getBooking: (key) => rpc("get_booking", key, read),
    cancelBooking: (key) => rpc("cancel_booking", key),
    checkout: (key, return_url) =>
      post<Checkout>(`${options.serviceUrl}/v1/checkout`, { ...key, return_url }, 1, {}),
  };
}

async function post<T>(
  url: string,
  body: object,
  attempts: number,
  headers: Record<string, string>,
): Promise<T> {
  for (let attempt = 1;; attempt++) {
    try {
      return await send<T>(url, body, headers);
    } catch (error) {
      const transient = error instanceof ApiError && (error.status === 0 || error.status >= 502);
      if (!transient || attempt >= attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}

async function send<T>(url: string, body: object, headers: Record<string, string>): Promise<T> {
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
    text = await response.text();
  } catch {
    throw new ApiError("network", 0);
  }
  const answer = parse(text);
  if (response.ok && answer !== undefined) return answer as T;
  throw toError(response.status, answer);
}

/** PostgREST says a domain code in `message`, the service in `code`; anything else is unexpected. */
export function toError(status: number, answer: unknown): ApiError {
  if (status === 429) return new ApiError("rate_limited", status);
  const body = (answer ?? {}) as { code?: unknown; message?: unknown; details?: unknown };
  const raised = typeof body.code === "string" && body.code.startsWith("PT");
  const code = raised ? body.message : body.code;
  const known = typeof code === "string" && /^[a-z][a-z_]*$/.test(code);
  const details = typeof body.details === "string" ? parse(body.details) : body.details;
  return new ApiError(
    known ? code as string : "unexpected",
    status,
    typeof details === "object" && details !== null ? details as Record<string, unknown> : {},
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
