/** How what the second script shows looks, and what older browsers need instead of the first's colours. */
export const moreStyles = /* css */ `
.countdown {
  display: grid; grid-template-columns: 1fr auto; align-items: baseline; gap: 8px 16px;
  padding: 14px 16px; border-radius: var(--radius); background: var(--soft);
}
.countdown-label { font-size: .875rem; font-weight: 560; }
.countdown-clock { font-size: 1.75rem; line-height: 1.1; font-weight: 680; letter-spacing: -.02em; font-variant-numeric: tabular-nums; }
.countdown-bar { grid-column: 1 / -1; height: 4px; border-radius: 4px; background: color-mix(in oklab, var(--accent-ink) 20%, transparent); overflow: hidden; }
.countdown-bar::after { content: ""; display: block; height: 100%; border-radius: 4px; background: var(--accent-ink); transform-origin: left; transform: scaleX(var(--left, 1)); transition: transform 1s linear; }
.countdown[data-low] { background: var(--warn-soft); color: var(--warn); }
.countdown[data-low] .countdown-bar { background: color-mix(in oklab, var(--warn) 20%, transparent); }
.countdown[data-low] .countdown-bar::after { background: var(--warn); }
.link-row { display: grid; gap: 10px; width: 100%; }
.link-row .input { text-overflow: ellipsis; color: var(--muted); font-size: .875rem; }
.link-out { display: grid; gap: 14px; }
.question .danger { background: var(--danger); border-color: transparent; color: var(--surface); }
.question .danger:hover { background: color-mix(in oklab, var(--danger) 86%, var(--ink)); }
.calendars { display: flex; flex-wrap: wrap; gap: 4px 20px; align-items: center; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 14px; }
.waiver-text { max-height: 24rem; overflow: auto; white-space: pre-line; overflow-wrap: anywhere; padding: 12px 14px; border: 1px solid var(--line); border-radius: var(--radius); background: var(--raised); font-size: .9375rem; }
.narrow { max-width: 32rem; }
.part { font-size: 1.0625rem; font-weight: 660; margin-top: 8px; }
.gifts { display: grid; gap: 8px; min-width: 0; }
.gifts legend { margin-bottom: 6px; }
.gift { display: flex; gap: 12px; align-items: center; min-height: 52px; padding: 10px 14px; border: 1px solid var(--edge); border-radius: var(--radius); cursor: pointer; }
.gift input { width: 20px; height: 20px; margin: 0; flex: none; accent-color: var(--accent-ink); }
.gift .extra-text { flex: 1; }
.gift strong { font-weight: 660; font-variant-numeric: tabular-nums; white-space: nowrap; }
.gift[data-chosen] { border-color: var(--accent-ink); background: var(--softer); box-shadow: inset 0 0 0 1px var(--accent-ink); }
.gift:has(:focus-visible) { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
.gift input:focus-visible { outline: none; }
.gift-code { display: grid; gap: 2px; justify-items: start; }
.words { margin: 0; padding-inline-start: 14px; border-inline-start: 3px solid var(--accent-ink); font-style: italic; white-space: pre-line; overflow-wrap: anywhere; unicode-bidi: plaintext; }
@media print { .actions, .booked-head { display: none; } .card { break-inside: avoid; } }
.signature, .minors { display: grid; gap: 10px; min-width: 0; }
.signature legend, .minors legend { margin-bottom: 6px; }
.compare { display: grid; gap: 14px; }
.compare .card { align-content: start; }
.compare [data-old] { background: var(--raised); }
.minor { display: grid; grid-template-columns: 1fr auto; gap: 10px 8px; align-items: start; }
.minor .field:first-child { grid-column: 1 / -1; }
.minor .round { margin-top: 29px; }
.choices { display: flex; gap: 8px; }
.choice { flex: 1; display: grid; place-items: center; min-height: 44px; border: 1px solid var(--edge); border-radius: var(--radius); cursor: pointer; }
.choice[data-chosen] { border-color: var(--accent-ink); background: var(--soft); font-weight: 620; box-shadow: inset 0 0 0 1px var(--accent-ink); }
.choice:has(:focus-visible) { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
.pad { width: 100%; aspect-ratio: 3; border: 1px solid var(--edge); border-radius: var(--radius); background: #fff; touch-action: none; cursor: crosshair; }
.typed { font: italic 1.75rem/1.4 "Segoe Script", "Snell Roundhand", "Brush Script MT", cursive; border-bottom: 1px solid var(--edge); overflow-wrap: anywhere; }
.booked { display: grid; gap: 20px; width: 100%; max-width: 42rem; margin-inline: auto; }
.facts dt { flex: none; }
.booked-head { display: flex; gap: 16px; align-items: center; }
.card { display: grid; gap: 16px; padding: 18px 16px; border: 1px solid var(--line); border-radius: var(--radius); }
.card-top { display: grid; gap: 16px; }
.reference { display: grid; gap: 2px; justify-items: start; align-content: start; }
.reference-code { font-size: 1.25rem; letter-spacing: .05em; font-variant-numeric: tabular-nums; font-weight: 680; }
.state { margin-top: 4px; padding: 2px 10px; border-radius: 99px; font-size: .8125rem; font-weight: 600; background: var(--raised); }
.state[data-tone="good"] { background: var(--soft); color: var(--accent-ink); }
.state[data-tone="error"] { background: var(--danger-soft); color: var(--danger); }
.question { display: grid; gap: 12px; padding: 18px 16px; border: 1px solid var(--danger); border-radius: var(--radius); background: var(--danger-soft); scroll-margin: 20px; }
.question-title { font-size: 1.0625rem; font-weight: 660; }
.question .plain { background: var(--surface); }
/*
 * Browsers without light-dark(): the same colours, tints without a hue. They load the second script
 * at once; which scheme holds is asked and marked by a script there (fallbackScheme), only there.
 */
.widget[data-scheme] {
  --accent: var(--escape-accent, var(--brand, #1b5e4b));
  --on-accent: var(--escape-on-accent, var(--on-brand, #fff));
  --accent-ink: var(--escape-accent-ink, var(--ink));
  --surface: var(--escape-surface, #fff);
  --raised: var(--escape-raised, #f6f7f5);
  --ink: var(--escape-ink, #1c2421);
  --muted: var(--escape-muted, #58645f);
  --line: var(--escape-line, #dfe4e0);
  --edge: var(--escape-edge, #84908a);
  --warn: var(--escape-warn, #8a5300);
  --danger: var(--escape-danger, #a8261c);
  --soft: rgba(96, 128, 112, .16);
  --softer: rgba(96, 128, 112, .08);
  --strong: rgba(96, 128, 112, .3);
  --warn-soft: rgba(200, 130, 0, .14);
  --warn-strong: rgba(200, 130, 0, .28);
  --danger-soft: rgba(200, 50, 40, .1);
}
.widget[data-scheme="dark"] {
  --accent: var(--escape-accent, var(--brand, #86d6ba));
  --on-accent: var(--escape-on-accent, var(--on-brand, #171c1b));
  --surface: var(--escape-surface, #171c1b);
  --raised: var(--escape-raised, #1f2624);
  --ink: var(--escape-ink, #edf2ef);
  --muted: var(--escape-muted, #a6b2ad);
  --line: var(--escape-line, #323c39);
  --edge: var(--escape-edge, #74827c);
  --warn: var(--escape-warn, #f2c063);
  --danger: var(--escape-danger, #ff9d92);
}
@media (forced-colors: active) { .countdown-bar::after { background: Highlight; } }
@container (min-width: 36rem) {
  .compare { grid-template-columns: 1fr 1fr; }
  .card { padding: 24px; }
  .card-top { grid-template-columns: 1fr auto; }
  .reference { justify-items: end; text-align: end; }
  .question { padding: 22px 24px; }
}
`;
