/** What is agreed about cancelling, wherever it is agreed to or counts. */
import type { Terms } from "../../../_shared/booking.ts";
import { type Child, h } from "../dom.ts";
import type { MoreView } from "./parts.ts";

/** All that terms say, a sentence each. */
function sentences({ strings, format }: MoreView, terms: Terms): string[] {
  const { tiers, no_show_fee_percent: fee } = terms;
  // Without tiers all goes back until the start.
  const steps = tiers.length > 0 ? tiers : [{ hours_before: 0, refund_percent: 100 }];
  const percent = (whole: number) => format.percent(whole * 100);
  return [
    ...[...steps].sort((one, other) => other.hours_before - one.hours_before).map((tier) =>
      strings.policyTier(
        tier.hours_before === 0 ? "" : format.hours(tier.hours_before),
        tier.refund_percent >= 100 ? "" : percent(tier.refund_percent),
      )
    ),
    ...(fee > 0 ? [strings.noShow(percent(fee))] : []),
  ];
}

/** Whether other terms say something else. */
export const saysElse = (view: MoreView, one: Terms, other: Terms): boolean =>
  sentences(view, one).join() !== sentences(view, other).join();

/** `old`: the terms that were shown before, if these took their place before the visitor's eyes. */
export function agreed(
  view: MoreView,
  terms: Terms | undefined,
  old: Terms | null = null,
): Child {
  if (!terms) return null;
  const now = sentences(view, terms);
  const before = old ? sentences(view, old) : now;
  return h(
    "ul",
    { class: "policy muted small", key: "policy", "aria-label": view.strings.policy },
    before.filter((line) => !now.includes(line)).map((line) =>
      h("li", { key: `old-${line}` }, h("del", {}, line))
    ),
    now.map((line) => h("li", { key: line }, before.includes(line) ? line : h("ins", {}, line))),
  );
}
