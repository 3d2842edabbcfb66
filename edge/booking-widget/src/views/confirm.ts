/** After the payment: wait until the money has arrived, in a browser that knows the booking. */
import { localDate } from "../dates.ts";
import { type Child, h } from "../dom.ts";
import { bookingTicket } from "./costs.ts";
import { button, heading, icon, linkAgain, type MoreView, notice } from "./parts.ts";

export function confirming(view: MoreView): Child {
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
      press: () => void flow.paying.checkAgain(),
    }),
  );
}

/** Nothing is due: a click in the mail confirms it. */
export function mailed(view: MoreView): Child {
  const { state, strings, format, flow, visitorZone } = view;
  const { booking } = state;
  if (!booking) return null;
  const zone = visitorZone ?? booking.timezone;
  const until = booking.hold_expires_at ?? booking.starts_at;
  const day = localDate(Date.parse(until), zone);
  const today = day === localDate(flow.clock.now(), zone);
  const time = format.time(until, zone);
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon("clock")),
    heading(strings.mailedTitle),
    h(
      "p",
      { class: "lead" },
      strings.mailedText(
        booking.customer.email ?? "",
        today ? time : `${time}, ${format.day(day)}`,
      ),
    ),
    notice(view),
    bookingTicket(view, booking),
    h("p", { class: "muted small" }, strings.mailedHint),
    button({
      kind: "plain",
      busy: state.busy === "check",
      label: strings.checkAgain,
      press: () => void flow.more?.managing.lookForMail(),
    }),
    button({
      kind: "plain",
      busy: state.busy === "release",
      label: strings.release,
      press: () => void flow.paying.release(),
    }),
  );
}

export function elsewhere(view: MoreView): Child {
  const { strings, flow } = view;
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
    linkAgain(view),
  );
}
