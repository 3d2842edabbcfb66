/** Moving a booking: the grid at what is booked now, and what the change would cost. */
import { type Child, h } from "../dom.ts";
import { players, rooms, when } from "./choose.ts";
import { bookingTicket, costs, row, ticket } from "./costs.ts";
import { back, button, header, icon, type MoreView, nameOf, notice } from "./parts.ts";
import { agreed, saysElse } from "./terms.ts";

export function move(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const now = [
    booking.room_name,
    format.date(booking.starts_at, booking.timezone),
    format.time(booking.starts_at, booking.timezone),
    strings.playerCount(booking.party_size),
  ].join(" · ");
  return [
    back(view, () => void flow.trail.back()),
    header(view, null, strings.moveTitle),
    h("p", { class: "lead", key: "now" }, strings.moveNow(now)),
    notice(view),
    rooms(view),
    players(view),
    state.roomId === booking.room_id && state.partySize !== booking.party_size && h(
      "div",
      { class: "actions", key: "keep" },
      button({
        kind: "plain",
        label: [icon("clock"), strings.keepTime],
        press: () => void flow.more?.moving.keepTime(),
      }),
    ),
    when(view),
  ];
}

/** What a change would cost, before it is made. */
export function moveQuote(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { booking, slot, moveQuote, oldTotal } = state;
  if (!booking || !slot) return null;
  const money = (cents: number) => format.money(cents, booking.currency);
  const difference = moveQuote?.difference_cents ?? 0;
  const refund = moveQuote?.refund_cents ?? 0;
  const disputed = moveQuote?.disputed_cents ?? 0;
  const open = moveQuote?.open_cents ?? 0;
  const others = booking.terms && moveQuote?.terms &&
    saysElse(view, booking.terms, moveQuote.terms);
  return [
    back(view, () => void flow.trail.back()),
    header(view, null, strings.moveQuoteTitle),
    notice(view),
    moveQuote && oldTotal !== null && h(
      "div",
      {
        class: "notice",
        key: "changed",
        role: "alert",
        "data-tone": "warn",
        "data-focus": "notice",
        tabindex: -1,
      },
      icon("info"),
      h("p", {}, strings.totalChanged(money(oldTotal), money(moveQuote.total_cents))),
    ),
    h(
      "div",
      { class: "compare" },
      h(
        "section",
        { class: "card", "data-old": true, "aria-labelledby": "move-from" },
        h("h3", { class: "label", id: "move-from" }, strings.moveFrom),
        bookingTicket(view, booking),
        h("dl", { class: "costs" }, row(strings.total, money(booking.total_cents))),
      ),
      h(
        "section",
        { class: "card", "aria-labelledby": "move-to" },
        h("h3", { class: "label", id: "move-to" }, strings.moveNew),
        ticket(view, {
          room: nameOf(view, flow.roomOf(slot.room_id)) || booking.room_name,
          startsAt: slot.starts_at,
          endsAt: slot.ends_at,
          timezone: slot.timezone,
          partySize: state.partySize,
        }),
        moveQuote
          ? costs(view, moveQuote)
          : h("p", { class: "muted", "aria-busy": "true" }, strings.loading),
      ),
    ),
    moveQuote && [
      h(
        "p",
        { class: "lead", key: "difference" },
        h(
          "strong",
          {},
          difference > 0
            ? strings.moveOwed(money(difference))
            : difference < 0
            ? strings.moveLess(money(-difference))
            : strings.moveSame,
        ),
      ),
      h(
        "p",
        { key: "money" },
        [
          refund > 0 && strings.moveBack(money(refund)),
          disputed > 0 && strings.moveDisputed(money(disputed)),
          open > 0 && strings.moveOpen(money(open)),
        ].filter(Boolean).join(" "),
      ),
      others && h(
        "div",
        { class: "notice", key: "terms", role: "note", "data-tone": "warn" },
        icon("info"),
        h("p", {}, strings.moveTerms),
      ),
      // The terms that the booking has are given up for these.
      agreed(view, moveQuote.terms, booking.terms ?? state.oldTerms),
      h(
        "div",
        { class: "actions", key: "actions" },
        button({
          kind: "primary",
          busy: state.busy === "move",
          label: state.busy === "move"
            ? strings.joining
            : difference > 0
            ? strings.moveYesOwed(money(difference))
            : strings.moveYes,
          press: () => void flow.more?.moving.confirm(),
        }),
        button({ kind: "plain", label: strings.cancelNo, press: () => flow.more?.moving.leave() }),
      ),
    ],
  ];
}
