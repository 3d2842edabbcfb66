/** Step 3: pay before the hold ends, and wait until the money has arrived. */
import type { Booking } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { clock } from "../format.ts";
import { dueNow, stillOpen } from "../state.ts";
import { bookingTicket, costs, dues, row } from "./costs.ts";
import { back, button, header, linkRow, type MoreView, notice } from "./parts.ts";
import { agreed } from "./terms.ts";

const waits = ({ status }: Booking) => status === "held" || status === "pending";

/** What the payment page would ask for, in minor units; null: it is opened, and says how much. */
export function asked(booking: Booking): number | null {
  const { open_cents, payable_cents, shared_cents = 0 } = booking;
  const due = dueNow(booking);
  if (!waits(booking)) {
    return open_cents === undefined ? 0 : Math.min(stillOpen(booking), payable_cents);
  }
  const cents = Math.max(0, Math.min(due - shared_cents, payable_cents));
  // The page is its order's, or there is none, and the service says why.
  const unknown = booking.with_order || (cents === 0 && shared_cents === 0);
  return due > 0 && unknown ? null : cents;
}

/** Nothing is left to pay here of what has to be paid, as long as others are to. */
export const othersPay = (booking: Booking) =>
  asked(booking) === 0 && (booking.shared_cents ?? 0) > 0 &&
  (waits(booking) ? dueNow(booking) : stillOpen(booking)) > 0;

export function pay(view: MoreView): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  // The server's word, and not the countdown's.
  const ended = booking.status !== "held";
  const due = dueNow(booking);
  const now = asked(booking);
  const others = othersPay(booking);
  const kept = booking.paid_cents - booking.refunded_cents;
  const later = booking.total_cents - kept - due;
  const all = booking.payable_cents;
  const money = (cents: number) => format.money(cents, booking.currency);
  return [
    // Without the details there is nothing to go back to; leaving a place is asked for by its name.
    !ended && state.slot && back(view, () => void flow.trail.back(), state.busy === "release"),
    header(view, 3, ended ? strings.holdEnded : strings.heldTitle),
    notice(view),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        { class: "form" },
        ended
          ? [
            h("p", { class: "lead", key: "ended" }, strings.holdEndedText),
            button({
              kind: "primary",
              label: strings.chooseAgain,
              press: () => void flow.bookAnother(),
            }),
          ]
          : [
            h("p", { class: "lead", key: "held" }, due > 0 ? strings.heldText : strings.offerText),
            countdown(view),
            now !== null && dues(view, now, later, booking.currency),
            others
              ? h("p", { key: "others" }, strings.othersPay)
              : state.checkoutUrl
              ? checkoutLink(view, state.checkoutUrl)
              : button({
                kind: "primary",
                busy: state.busy === "pay" || state.busy === "hold",
                label: state.busy === "pay"
                  ? strings.opening
                  : now === null
                  ? strings.openPayment
                  : now > 0
                  ? strings.pay(money(now))
                  : strings.reserveFree,
                press: () => void flow.paying.pay(),
              }),
            // Where the venue lets the rest be paid online, it can be paid with the deposit.
            now !== null && due > 0 && all > now && !state.checkoutUrl && button({
              kind: "plain",
              busy: state.busy === "pay",
              label: strings.payAll(money(all)),
              press: () => void flow.paying.pay("all"),
            }),
            due > 0 && !others && h("p", { class: "muted small", key: "hint" }, strings.payHint),
            button({
              kind: "link",
              busy: state.busy === "release",
              label: strings.release,
              press: () => void flow.paying.release(),
            }),
          ],
      ),
      h(
        "aside",
        { class: "summary", "aria-label": strings.summary },
        bookingTicket(view, booking),
        costs(view, booking),
        (kept > 0 || later > 0) && h(
          "dl",
          { class: "due" },
          kept > 0 && row(strings.paid, money(kept), "paid"),
          now !== null && row(strings.dueNow, money(now), "now"),
          later > 0 && row(strings.dueLater, money(later), "later"),
        ),
        agreed(view, booking.terms),
      ),
    ),
  ];
}

/** A link that the visitor presses may open what a script may not. */
function checkoutLink(view: MoreView, url: string): Child {
  const { strings } = view;
  return h(
    "div",
    { class: "link-out", key: "out" },
    h(
      "a",
      { class: "primary", href: url, target: "_blank", rel: "noopener" },
      h("span", {}, strings.openPayment),
    ),
    linkRow(view, url, strings.openPayment),
  );
}

function countdown({ state, strings, flow }: MoreView): VNode {
  const whole = Math.max((flow.state.calendar?.hold_minutes ?? 15) * 60, state.remaining);
  return h(
    "div",
    {
      class: "countdown",
      role: "timer",
      "aria-live": "off",
      "data-low": state.remaining <= 60,
      "--left": (state.remaining / whole).toFixed(4),
    },
    h("span", { class: "countdown-label" }, strings.timeLeft),
    h("span", { class: "countdown-clock" }, clock(state.remaining)),
    h("span", { class: "countdown-bar", "aria-hidden": "true" }),
  );
}
