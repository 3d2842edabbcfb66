/** Step 3: pay before the hold ends, and wait until the money has arrived. */
import { type Child, h, type VNode } from "../dom.ts";
import { clock } from "../format.ts";
import { dueNow } from "../state.ts";
import {
  back,
  bookingTicket,
  button,
  costs,
  header,
  heading,
  icon,
  notice,
  row,
  type View,
} from "./parts.ts";

export function pay(view: View): Child {
  const { state, strings, format, flow } = view;
  const { booking } = state;
  if (!booking) return null;
  const ended = state.remaining === 0;
  const now = dueNow(booking);
  const kept = booking.paid_cents - booking.refunded_cents;
  const later = booking.total_cents - kept - now;
  const money = (cents: number) => format.money(cents, booking.currency);
  return [
    // Without the details there is nothing to go back to; leaving a place is asked for by its name.
    !ended && state.slot && back(view, () => void flow.backToDetails(), state.busy === "release"),
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
            h("p", { class: "lead", key: "held" }, now > 0 ? strings.heldText : strings.offerText),
            countdown(view),
            button({
              kind: "primary",
              busy: state.busy === "pay" || state.busy === "hold",
              label: state.busy === "pay"
                ? strings.opening
                : now > 0
                ? strings.pay(money(now))
                : strings.reserveFree,
              press: () => void flow.pay(),
            }),
            now > 0 && h("p", { class: "muted small", key: "hint" }, strings.payHint),
            button({
              kind: "link",
              busy: state.busy === "release",
              label: strings.release,
              press: () => void flow.release(),
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
          row(strings.dueNow, money(now), "now"),
          later > 0 && row(strings.dueLater, money(later), "later"),
        ),
      ),
    ),
  ];
}

function countdown({ state, strings, flow }: View): VNode {
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

export function confirming(view: View): Child {
  const { state, strings, flow } = view;
  const slow = state.step === "slow";
  const late = state.booking?.status === "expired";
  return h(
    "div",
    { class: "center" },
    slow
      ? h("span", { class: "badge" }, icon("clock"))
      : h("span", { class: "spinner large", "aria-hidden": "true" }),
    heading(slow ? strings.slowTitle : strings.confirmingTitle),
    h(
      "p",
      { class: "lead" },
      slow ? late ? strings.lateText : strings.slowText : strings.confirmingText,
    ),
    notice(view),
    slow && button({
      kind: "plain",
      busy: state.busy === "check",
      label: strings.checkAgain,
      press: () => void flow.checkAgain(),
    }),
  );
}

export function elsewhere({ strings, flow }: View): Child {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon("info")),
    heading(strings.elsewhereTitle),
    h("p", { class: "lead" }, strings.elsewhereText),
    button({
      kind: "plain",
      label: strings.bookAnother,
      press: () => void flow.bookAnother(),
    }),
  );
}
