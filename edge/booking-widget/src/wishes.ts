/** From the form to what is sent: options that price a booking, and consents with their words. */
import type { BookingCalendar, Room, Slot } from "../../_shared/booking.ts";
import type { Consent, Options } from "./api.ts";
import { textIn } from "./customer.ts";
import type { State, Wishes } from "./state.ts";
import type { Language } from "./language.ts";
import type { Strings } from "./strings.ts";

/** Only what is wanted, so that a plain booking asks for nothing but its slot. */
export function toOptions(wishes: Wishes): Options {
  const extras = Object.entries(wishes.extras)
    .filter(([, quantity]) => quantity > 0)
    .map(([extra_id, quantity]) => ({ extra_id, quantity }));
  return {
    ...(extras.length > 0 ? { extras } : {}),
    ...(wishes.coupon ? { coupon_code: wishes.coupon } : {}),
    ...(wishes.voucher ? { voucher_code: wishes.voucher } : {}),
    ...(wishes.exclusive ? { exclusive: true } : {}),
  };
}

/** Wishes that another room or time can still grant. */
export function fitWishes(wishes: Wishes, room: Room | null, slot: Slot): Wishes {
  const known = new Map(room?.extras?.map((extra) => [extra.id, extra.maximum_quantity]));
  return {
    ...wishes,
    exclusive: wishes.exclusive && room !== null && exclusiveOffered(room, slot),
    extras: Object.fromEntries(
      Object.entries(wishes.extras)
        .filter(([id]) => known.has(id))
        .map(([id, quantity]) => [id, Math.min(quantity, known.get(id) ?? 0)]),
    ),
  };
}

/** A shared session can be had alone while nobody else is in it. */
export function exclusiveOffered(room: Room, slot: Slot): boolean {
  const price = room.exclusive_price_cents;
  return room.mode === "shared" && price !== undefined && price !== null &&
    (room.capacity === undefined || slot.seats_available >= room.capacity);
}

export function termsText(calendar: BookingCalendar | null, language: Language): string {
  return textIn(calendar?.terms, language, calendar?.locale);
}

/**
 * A tick counts for the words beside which it was set, and for no others: not for those of another
 * language, nor for those of a calendar that was read anew. Without words there is nothing to agree to.
 */
export const agreesTo = (ticked: string, words: string): boolean => !!words && ticked === words;

/** What was agreed to, in the words that stood there. */
export function toConsents(state: State, language: Language, strings: Strings): Consent[] {
  const { calendar } = state;
  const venue = calendar?.organization.name ?? "";
  const terms = termsText(calendar, language);
  const consents: Consent[] = [];
  const add = (kind: Consent["kind"], wording: string) =>
    agreesTo(state[kind], wording) && consents.push({ kind, granted: true, wording });
  add("terms", terms);
  add("marketing", strings.marketingLabel(venue));
  return consents;
}
