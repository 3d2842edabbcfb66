/** After the payment: wait until the money has arrived, in a browser that knows the booking. */
import { type Child, h } from "../dom.ts";
import { button, heading, icon, type MoreView, notice } from "./parts.ts";

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

export function elsewhere({ strings, flow }: MoreView): Child {
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
