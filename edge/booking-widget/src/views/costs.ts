/** What is booked, and what it costs. */
import type { Booking, PriceLine } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { icon, nightOf, type View } from "./parts.ts";

export interface Ticket {
  readonly room: string;
  readonly startsAt: string;
  readonly endsAt: string;
  readonly timezone: string;
  readonly partySize: number;
}

export function ticket(view: View, what: Ticket): VNode {
  const { strings, format } = view;
  const night = nightOf(view, what.startsAt, what.timezone);
  return h(
    "div",
    { class: "ticket" },
    h("p", { class: "ticket-room" }, what.room),
    h(
      "p",
      { class: "fact", key: "day" },
      icon("calendar"),
      `${format.date(what.startsAt, what.timezone)}${night && ` (${night})`}`,
    ),
    h(
      "p",
      { class: "fact", key: "time" },
      icon("clock"),
      `${format.time(what.startsAt, what.timezone)} – ${format.time(what.endsAt, what.timezone)}`,
    ),
    h("p", { class: "fact", key: "party" }, icon("people"), strings.playerCount(what.partySize)),
  );
}

export function bookingTicket(view: View, booking: Booking): VNode {
  return ticket(view, {
    room: booking.room_name,
    startsAt: booking.starts_at,
    endsAt: booking.ends_at,
    timezone: booking.timezone,
    partySize: booking.party_size,
  });
}

export interface Costs {
  readonly lines: readonly PriceLine[];
  readonly currency: string;
  readonly total_cents: number;
}

export function costs({ strings, format }: View, { lines, currency, total_cents }: Costs): VNode {
  const tax = lines.reduce((sum, line) => sum + line.tax_cents, 0);
  const rates = new Set(
    lines.filter((line) => line.tax_cents !== 0).map((line) => line.tax_rate_bp),
  );
  const rate = rates.size === 1 ? format.percent([...rates][0] ?? 0) : "";
  return h(
    "dl",
    { class: "costs" },
    lines.map((line, index) =>
      row(
        line.quantity > 1
          ? `${line.description} · ${line.quantity}\u00a0×\u00a0${
            format.money(line.unit_cents, currency)
          }`
          : line.description,
        format.money(line.total_cents, currency),
        `line-${index}`,
      )
    ),
    h(
      "div",
      { class: "row total", key: "total" },
      h("dt", {}, strings.total),
      h("dd", {}, format.money(total_cents, currency)),
    ),
    tax > 0 && h(
      "div",
      { class: "row tax", key: "tax" },
      h("dt", { class: "sr" }, strings.total),
      h("dd", {}, strings.includesTax(format.money(tax, currency), rate)),
    ),
  );
}

export function row(name: string, value: Child, key = name): VNode {
  return h("div", { class: "row", key }, h("dt", {}, name), h("dd", {}, value));
}

/** How much of a total is paid now, and how much later, where that is not all the same. */
export function dues(
  { strings, format }: View,
  now: number,
  later: number,
  currency: string,
): Child {
  if (later <= 0) return null;
  return h(
    "dl",
    { class: "dues", key: "dues" },
    row(strings.dueNow, format.money(now, currency), "now"),
    row(strings.dueLater, format.money(later, currency), "later"),
  );
}
