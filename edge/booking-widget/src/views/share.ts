/** A share of somebody's booking: what, when and how much, and what became of it. */
import type { PaymentShare } from "../../../_shared/booking.ts";
import { type Child, h, type VNode } from "../dom.ts";
import { row } from "./costs.ts";
import { button, header, heading, icon, linkRow, type MoreView, notice } from "./parts.ts";

export function share(view: MoreView): Child {
  const { strings, flow, state } = view;
  const { share, waits, known } = flow.more!.shares;
  if (!known || !share) {
    return message(view, "check", strings.elsewhereTitle, strings.shareElsewhere);
  }
  if (waits === "shortly") {
    return h(
      "div",
      { class: "center", "aria-busy": "true" },
      h("span", { class: "spinner large", "aria-hidden": "true" }),
      heading(strings.confirmingTitle),
      h("p", { class: "lead" }, strings.confirmingText),
    );
  }
  if (waits === "long") {
    return message(
      view,
      "clock",
      strings.slowTitle,
      strings.shareSlow,
      button({
        kind: "plain",
        busy: state.busy === "check",
        label: strings.checkAgain,
        press: () => void flow.more?.shares.look(),
      }),
    );
  }
  const { organizer } = share;
  switch (share.status) {
    case "open":
      return unpaid(view, share);
    case "paid":
      return ended(
        view,
        share,
        "check",
        strings.sharePaidTitle,
        strings.sharePaid(organizer),
        "good",
      );
    case "returned":
      return ended(view, share, "info", strings.shareReturnedTitle, strings.shareReturned);
    case "late":
      return ended(view, share, "clock", strings.shareLateTitle, strings.shareLate(organizer));
    default:
      return ended(view, share, "info", strings.shareOverTitle, strings.shareOver(organizer));
  }
}

type Badge = "check" | "clock" | "info";

function message(
  view: MoreView,
  badge: Badge,
  title: string,
  text: string,
  action: Child = null,
): VNode {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge" }, icon(badge)),
    heading(title),
    h("p", { class: "lead" }, text),
    notice(view),
    h("div", { class: "actions" }, action),
  );
}

function ended(
  view: MoreView,
  share: PaymentShare,
  badge: Badge,
  title: string,
  text: string,
  tone?: string,
): VNode {
  return h(
    "div",
    { class: "center" },
    h("span", { class: "badge", "data-tone": tone }, icon(badge)),
    heading(title),
    h("p", { class: "lead" }, text),
    notice(view),
    facts(view, share),
  );
}

/** It waits to be paid. */
function unpaid(view: MoreView, share: PaymentShare): Child {
  const { strings, state, format, flow } = view;
  return [
    header(view, null, strings.shareTitle),
    h("p", { class: "lead", key: "lead" }, strings.shareLead(share.organizer)),
    notice(view),
    h(
      "div",
      { class: "form narrow" },
      facts(view, share),
      state.checkoutUrl
        ? h(
          "div",
          { class: "link-out", key: "out" },
          h(
            "a",
            { class: "primary", href: state.checkoutUrl, target: "_blank", rel: "noopener" },
            h("span", {}, strings.openPayment),
          ),
          linkRow(view, state.checkoutUrl, strings.openPayment),
        )
        : button({
          kind: "primary",
          busy: state.busy === "pay",
          label: state.busy === "pay"
            ? strings.opening
            : strings.pay(format.money(share.amount_cents, share.currency)),
          press: () => void flow.more?.shares.pay(),
        }),
      h("p", { class: "muted small", key: "hint" }, strings.payHint),
    ),
  ];
}

function facts({ strings, format }: MoreView, share: PaymentShare): VNode {
  const { timezone } = share;
  const at = (instant: string) =>
    `${format.date(instant, timezone)}, ${format.time(instant, timezone)}`;
  return h(
    "dl",
    { class: "facts" },
    row(strings.shareRoom, `${share.room} · ${share.venue}`, "room"),
    row(strings.shareWhen, at(share.starts_at), "when"),
    row(strings.shareAmount, format.money(share.amount_cents, share.currency), "amount"),
    share.status === "open" && row(strings.shareUntil, at(share.expires_at), "until"),
    share.returned_cents > 0 &&
      row(strings.shareBack, format.money(share.returned_cents, share.currency), "back"),
  );
}
