/** What each step looks like: from the state to a tree, nothing else. */
import { type Child, h, type VNode } from "../dom.ts";
import { choose } from "./choose.ts";
import { details } from "./details.ts";
import { button, heading, icon, linkAgain, type MoreView, type View } from "./parts.ts";

export function render(given: View): VNode[] {
  const { more } = given.flow;
  const view = more ? { ...given, strings: more.strings(given.strings, given.language) } : given;
  const { state, strings, format } = view;
  const { announcement } = state;
  return [
    h(
      "div",
      { class: "sr", role: "status", "aria-live": "polite" },
      announcement
        ? h("span", { key: `say-${announcement.id}` }, announcement.text(strings, format))
        : null,
    ),
    h("div", { class: "body", key: state.step, "data-step": state.step }, content(view)),
  ];
}

function content(view: View): Child {
  const { flow, state } = view;
  switch (state.step) {
    case "loading":
      return loading(view);
    case "failed":
      return failed(view);
    case "choose":
      return choose(view);
    case "details":
      return details(view);
    default:
      // Steps that only the second script leads to; its words are in the view by then.
      return flow.more?.views[state.step]?.(view as MoreView);
  }
}

// ---- loading, failing ----

function loading({ strings }: View): Child {
  return h(
    "div",
    { class: "center", "aria-busy": "true" },
    h("span", { class: "spinner large", "aria-hidden": "true" }),
    h("p", { class: "muted" }, strings.loading),
  );
}

function failed(view: View): Child {
  const { strings, flow, state, format } = view;
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": "error" }, icon("alert")),
    heading(state.notice?.text(strings, format) ?? ""),
    // What could not be shown may have been booked all the same.
    state.fresh && state.booking &&
      h("p", { class: "lead" }, strings.bookedUnseen(state.booking.reference)),
    h(
      "div",
      { class: "actions" },
      button({ kind: "primary", label: strings.retry, press: () => void flow.retry() }),
      flow.entered && button({
        kind: "link",
        label: strings.bookAnother,
        press: () => void flow.bookAnother(),
      }),
      // Whoever is offline may have a good link.
      flow.entered && !state.unreachable && linkAgain(view),
    ),
  );
}
