/**
 * Names for what the public booking RPCs answer, as the database describes it, and for what the
 * checkout answers. Instants are ISO 8601, money is in cents; each field's comment is in
 * docs/functions.md.
 */
import type { Database } from "./database.types.ts";

type Answers = Database["public"]["CompositeTypes"];

/** An answer that nobody changes. `Own`: what the venue or the visitor wrote, which is JSON there. */
type Answer<Name extends keyof Answers, Own = unknown> = Readonly<
  Omit<Answers[Name], keyof Own> & Own
>;

/** A text by language: `{"es": "…", "en": "…"}`. */
export type Texts = Readonly<Record<string, string>>;

export type BookingStatus = Answers["booking"]["status"];
export type Mode = Answers["calendar_room"]["mode"];
export type CustomFieldKind = Answers["calendar_field"]["kind"];

/** What is given back when somebody cancels so many hours before; the most hours first. */
export type Tier = Answer<"cancellation_tier">;
/** What was agreed about cancelling; without tiers all goes back until the start. */
export type Terms = Answer<"cancellation_terms">;

export type Extra = Answer<"room_extra", { readonly name: Texts; readonly description: Texts }>;
export type RoomImage = Answer<"room_image", { readonly alt: Texts }>;
export type Room = Answer<"calendar_room", {
  readonly extras: readonly Extra[];
  readonly images: readonly RoomImage[];
  readonly names: Texts;
  readonly descriptions: Texts;
}>;

/** A question that the venue asks. */
export type CustomField = Answer<"calendar_field", {
  readonly label: Texts;
  readonly help: Texts;
  readonly placeholder: Texts;
  readonly options: readonly Answer<"field_choice", { readonly label: Texts }>[];
}>;

/** Where rooms stand, and how to get there. */
export type Place = Answer<"calendar_location", { readonly directions: Texts }>;

export type BookingCalendar = Answer<"calendar", {
  /** What a visitor must agree to; empty: nothing. */
  readonly terms: Texts;
  readonly descriptions: Texts;
  readonly venue: Answer<"venue_profile", { readonly descriptions: Texts }>;
  readonly locations: readonly Place[];
  readonly rooms: readonly Room[];
  readonly fields: readonly CustomField[];
}>;

export type Slot = Answer<"available_slot">;
/** What differs from time to time; the rest of a {@link Slot} the calendar tells. */
export type Time = Pick<
  Slot,
  "room_id" | "starts_at" | "seats_available" | "price_cents" | "is_empty"
>;
export type Day = Answer<"available_day">;
export type PriceLine = Answer<"price_line">;
export type Quote = Answer<"quote", { readonly lines: readonly PriceLine[] }>;

/** What moving a booking would cost: the new price, and the difference. */
export type RescheduleQuote = Answer<"change_quote", { readonly lines: readonly PriceLine[] }>;

/** A type, not an interface: it has to be a JSON value to the generated types. */
export type Customer = {
  readonly full_name: string;
  readonly email: string;
  readonly phone?: string;
  readonly locale?: string;
};

/** The answer of `hold_booking`. */
export type HeldBooking = Answer<"held_booking">;

/** What only reading a booking tells: what has just been held is shown without it. */
type Read =
  | "location"
  | "event"
  | "waiver"
  | "reschedulable"
  | "open_cents"
  | "terms"
  | "payment_open"
  | "merged_into"
  | "shared_cents"
  | "with_order";

/** A booking as the widget shows it. */
export type Booking = Answer<
  "booking",
  & { readonly lines: readonly PriceLine[]; readonly manage_token?: string | null }
  & {
    readonly [Field in Read]?: Answers["booking"][Field];
  }
>;

/** The answer of `confirm_booking`: whoever opened the mail's link manages the booking from now on. */
export type ConfirmedBooking = Booking & { readonly manage_token: string };

/** The state of a booking's waivers, with the token to sign them where there is something to sign. */
export type BookingWaiver = Answer<"booking_waiver">;

/** The answer of `get_waiver`: what is to be signed. */
export type Waiver = Answer<"waiver">;

/** The answer of `join_waitlist`. */
export type WaitlistEntry = Answer<"waitlist_entry">;

/** The answer of `get_voucher_offer`: the gift vouchers that a venue sells online. */
export type VoucherProduct = Answer<"voucher_product">;
export type VoucherOffer = Answer<"voucher_offer">;
/** The answer of `order_voucher`, and what `get_voucher_order` tells of it afterwards. */
export type PlacedVoucherOrder = Answer<"placed_voucher_order">;
export type VoucherOrder = Answer<"voucher_order">;

/** The answer of `get_payment_share`: a share of a booking, as its payer sees it. */
export type PaymentShare = Answer<"payment_share">;

/** The answer of the service's `POST /v1/checkout`, `/v1/share-checkout` and `/v1/voucher-checkout`. */
export interface Checkout {
  readonly checkout_url: string;
  readonly expires_at: string;
  readonly amount_cents: number;
  readonly currency: string;
}
