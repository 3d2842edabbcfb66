/** What the public booking RPCs and the checkout answer. Instants are ISO 8601, money is in cents. */

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
  readonly image_path: string | null;
  /** IANA zone of the room's location. */
  readonly timezone: string;
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
  readonly due_now_cents: number;
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
}

/** The answer of `hold_booking`: the only time that the manage token is told. */
export interface HeldBooking extends BookingFields {
  readonly manage_token: string;
}

/** The answer of `get_booking` and `cancel_booking`. */
export interface Booking extends BookingFields {
  readonly paid_cents: number;
  readonly refunded_cents: number;
  readonly customer: { readonly full_name: string; readonly email: string };
  readonly organization: { readonly name: string };
  readonly lines: readonly PriceLine[];
  readonly cancellable: boolean;
  /** What cancelling now would give back. */
  readonly cancellation: { readonly refund_percent: number; readonly refund_cents: number };
  readonly history: readonly { readonly status: BookingStatus; readonly at: string }[];
}

/** The answer of the service's `POST /v1/checkout`. */
export interface Checkout {
  readonly checkout_url: string;
  readonly expires_at: string;
  readonly amount_cents: number;
  readonly currency: string;
}
