/** What each step looks like: from the state to a tree, nothing else. */
import { type Child, h, type VNode } from "./dom.ts";
import { choose, move } from "./views/choose.ts";
import { details } from "./views/details.ts";
import { booked, moveQuote } from "./views/manage.ts";
import { button, heading, icon, type View } from "./views/parts.ts";
import { confirming, elsewhere, pay } from "./views/pay.ts";
import { leave, waiting, waitlist } from "./views/waitlist.ts";
import { signed, waiver } from "./views/waiver.ts";

export function render(view: View): VNode[] {
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
  switch (view.state.step) {
    case "loading":
      return loading(view);
    case "failed":
      return failed(view);
    case "choose":
      return choose(view);
    case "details":
      return details(view);
    case "pay":
      return pay(view);
    case "confirming":
    case "slow":
      return confirming(view);
    case "booking":
      return booked(view);
    case "move":
      return move(view);
    case "moveQuote":
      return moveQuote(view);
    case "waitlist":
      return waitlist(view);
    case "waiting":
      return waiting(view);
    case "leave":
    case "left":
      return leave(view);
    case "waiver":
      return waiver(view);
    case "signed":
      return signed(view);
    case "elsewhere":
      return elsewhere(view);
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
    h(
      "div",
      { class: "actions" },
      button({ kind: "primary", label: strings.retry, press: () => void flow.retry() }),
      flow.entered && button({
        kind: "link",
        label: strings.bookAnother,
        press: () => void flow.bookAnother(),
      }),
    ),
  );
}
