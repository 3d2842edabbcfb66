/** The link of a booking once more: to which address, and that it is on its way. */
import { type Child, h } from "../dom.ts";
import { back, button, header, heading, icon, type MoreView, notice } from "./parts.ts";
import { emailField } from "./person.ts";

export function lost(view: MoreView): Child {
  const { state, strings, flow } = view;
  const sending = state.busy === "resend";
  return [
    back(view, () => void flow.trail.back()),
    header(view, null, strings.lostTitle),
    h("p", { class: "lead", key: "lead" }, strings.lostLead),
    notice(view),
    h(
      "form",
      {
        class: "form narrow",
        novalidate: true,
        onsubmit: (event: Event) => event.preventDefault(),
      },
      emailField(view),
      button({
        kind: "primary",
        submit: true,
        press: () => void flow.more?.resending.send(),
        busy: sending,
        label: sending ? strings.lostSending : strings.lostSend,
      }),
    ),
  ];
}

/** Says the same for every address. */
export function resent({ state, strings, flow }: MoreView): Child {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": "good" }, icon("check")),
    heading(strings.mailedTitle),
    h("p", { class: "lead" }, strings.resentText(state.form.email.trim())),
    h("p", { class: "muted small" }, strings.resentHint),
    h(
      "div",
      { class: "actions" },
      button({
        kind: "plain",
        label: strings.backToTimes,
        press: () => void flow.bookAnother(),
      }),
      button({
        kind: "link",
        label: strings.otherAddress,
        press: () => flow.more?.resending.open(),
      }),
    ),
  );
}
