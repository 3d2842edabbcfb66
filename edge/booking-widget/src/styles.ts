/**
 * How the widget looks.
 *
 * It takes font and colour scheme from the page (`color-scheme`, so a page that is always light
 * stays light), and a page may set `--escape-*` to make it its own. Sizes follow the widget's box,
 * not the window: it fits a phone and a narrow column alike.
 */
export const styles = /* css */ `
:host {
  display: block;
  scroll-margin-top: 12px;
  container-type: inline-size;
  max-width: 62rem;
  font-family: var(--escape-font, inherit);
}
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
:host(:not([theme])) .widget[data-theme="light"] { color-scheme: light; }
:host(:not([theme])) .widget[data-theme="dark"] { color-scheme: dark; }
:host([hidden]) { display: none; }
.widget {
  /* What a page says of its own text stays outside: only its font and its colour scheme come in. */
  all: initial; display: block; font-family: inherit; color-scheme: inherit; -webkit-text-size-adjust: 100%;
  /* The page's colour, else the venue's, else our own. */
  --accent: var(--escape-accent, var(--brand, light-dark(#1b5e4b, #86d6ba)));
  /* Black or white, whichever has more contrast: the luminance at which both have the same is .179. */
  --on-accent: var(--escape-on-accent, color(from var(--accent) xyz-d65
    clamp(0, (.179 - y) * 9999, .95046) clamp(0, (.179 - y) * 9999, 1) clamp(0, (.179 - y) * 9999, 1.08906)));
  /* The accent as a colour of letters and lines: dark or light enough for 4.5 to 1 on every ground here. */
  --accent-ink: light-dark(oklch(from var(--accent) min(l, .47) min(c, .13) h), oklch(from var(--accent) max(l, .78) min(c, .11) h));
  --surface: var(--escape-surface, light-dark(#ffffff, #171c1b));
  --raised: var(--escape-raised, light-dark(#f6f7f5, #1f2624));
  --ink: var(--escape-ink, light-dark(#1c2421, #edf2ef));
  --muted: var(--escape-muted, light-dark(#58645f, #a6b2ad));
  --line: var(--escape-line, light-dark(#dfe4e0, #323c39));
  --edge: var(--escape-edge, light-dark(#84908a, #74827c));
  --warn: var(--escape-warn, light-dark(#8a5300, #f2c063));
  --danger: var(--escape-danger, light-dark(#a8261c, #ff9d92));
  --radius: var(--escape-radius, 12px);
  /* Tints keep the hue of their colour, whatever colour the page gives. */
  --soft: light-dark(oklch(from var(--accent) .943 min(c, .027) h), oklch(from var(--accent) .31 min(c, .042) h));
  --softer: light-dark(oklch(from var(--accent) .985 min(c, .01) h), oklch(from var(--accent) .25 min(c, .022) h));
  --strong: light-dark(oklch(from var(--accent) .89 min(c, .05) h), oklch(from var(--accent) .4 min(c, .055) h));
  --warn-soft: light-dark(oklch(from var(--warn) .955 .04 80), oklch(from var(--warn) .31 .045 80));
  --warn-strong: light-dark(oklch(from var(--warn) .9 .075 80), oklch(from var(--warn) .4 .06 80));
  --danger-soft: light-dark(oklch(from var(--danger) .962 .022 h), oklch(from var(--danger) .28 .045 h));
  color: var(--ink);
}
.widget, *, *::before, *::after { box-sizing: border-box; }
.widget {
  background: var(--surface);
  border: 1px solid var(--line);
  border-radius: calc(var(--radius) * 1.5);
  padding: 20px 16px 24px;
  font-size: 16px;
  line-height: 1.5;
  text-align: start;
  min-height: 320px;
  -webkit-font-smoothing: antialiased;
}
h2, h3, p, dl, dd, ul, ol, fieldset, legend { margin: 0; padding: 0; border: 0; }
ul, ol { list-style: none; }
/* A range of numbers stays one, whatever stands around it. */
.fact, output { unicode-bidi: isolate; }
button, input, select, textarea { font: inherit; color: inherit; letter-spacing: inherit; }
button { cursor: pointer; -webkit-tap-highlight-color: transparent; }
[aria-disabled="true"] { cursor: default; }
.sr {
  position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap; border: 0;
}
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
[tabindex="-1"]:not(button):focus-visible { outline: none; }
.icon {
  width: 1.15em; height: 1.15em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8;
  stroke-linecap: round; stroke-linejoin: round;
}
.body { display: grid; gap: 16px; }
.body > * { min-width: 0; }

/* head */
.head { display: grid; gap: 12px; }
.venue { color: var(--muted); font-size: .875rem; font-weight: 550; }
.title {
  font-size: 1.5rem; line-height: 1.2; font-weight: 680; letter-spacing: -.018em;
  text-wrap: balance;
}
.steps { display: flex; gap: 8px; font-size: .75rem; }
.step { min-width: 0; }
.step { flex: 1; display: grid; gap: 6px; color: var(--muted); align-content: start; }
.step::before { content: ""; height: 3px; border-radius: 3px; background: var(--line); }
.step[data-done]::before, .step[aria-current]::before { background: var(--accent-ink); }
.step[aria-current] { color: var(--ink); font-weight: 620; }
.step-mark { display: none; }
.step-name { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

.label { font-size: .875rem; font-weight: 620; }
.muted { color: var(--muted); }
.small { font-size: .8125rem; }
.lead { color: var(--muted); text-wrap: pretty; overflow-wrap: anywhere; }
.tag {
  font-size: .75rem; font-weight: 560; color: var(--muted); border: 1px solid var(--line);
  border-radius: 99px; padding: 0 8px;
}
.crumb { margin: -6px 0 -10px; }

/* notices */
.notice {
  display: flex; gap: 10px; align-items: flex-start; padding: 12px 14px;
  border-radius: var(--radius); background: var(--raised); scroll-margin: 20px;
}
.notice .icon { margin-top: .18em; }
.notice[data-tone="error"] { background: var(--danger-soft); color: var(--danger); }
.notice[data-tone="warn"] { background: var(--warn-soft); color: var(--warn); }
.notice p { color: var(--ink); }

/* buttons */
.primary, .plain, .danger {
  display: inline-flex; align-items: center; justify-content: center; gap: 8px; min-height: 48px;
  padding: 10px 20px; border-radius: var(--radius); border: 1px solid transparent;
  font-weight: 620; text-decoration: none; transition: background .15s, border-color .15s;
}
.primary > span, .plain > span, .danger > span, .link > span {
  display: inline-flex; align-items: center; gap: 8px;
}
.primary { background: var(--accent); color: var(--on-accent); width: 100%; }
.primary:hover { box-shadow: inset 0 0 0 2px color-mix(in oklab, var(--on-accent) 45%, transparent); }
.plain { background: transparent; border-color: var(--edge); }
.plain:hover { background: var(--raised); }
.danger { background: transparent; border-color: currentColor; color: var(--danger); }
.danger:hover { background: var(--danger-soft); }
.link {
  background: none; border: 0; padding: 10px 0; min-height: 44px; color: var(--accent-ink);
  font-weight: 560; justify-self: start; text-align: start; display: inline-flex; gap: 8px;
  align-items: center;
}
.link > span { gap: 4px; }
.link:hover { text-decoration: underline; text-underline-offset: 3px; }
.actions { display: flex; flex-wrap: wrap; gap: 10px; }
.actions > * { flex: 1 1 auto; }
.round {
  width: 44px; height: 44px; display: grid; place-items: center; border-radius: 50%;
  border: 1px solid var(--line); background: var(--surface); transition: background .15s;
}
.round:hover { background: var(--raised); }
.round[aria-disabled="true"] { opacity: .38; background: none; }
.spinner {
  width: 1.1em; height: 1.1em; border-radius: 50%; border: 2px solid currentColor;
  border-inline-end-color: transparent; animation: turn .8s linear infinite;
}
.spinner.large { width: 40px; height: 40px; color: var(--accent-ink); border-width: 3px; }
@keyframes turn { to { transform: rotate(1turn); } }

/* rooms */
.rooms { display: grid; gap: 4px; min-width: 0; }
.rooms legend { margin-bottom: 6px; }
.room-list { display: grid; gap: 10px; }
/* Beside each other on a phone, the next one in sight, so that its first screen shows days. */
.room-list:not([data-count="1"]) {
  grid-auto-flow: column; grid-auto-columns: min(86%, 19rem); overflow-x: auto; scroll-snap-type: x proximity;
  margin-inline: -16px; padding: 2px 16px; scroll-padding-inline: 16px; scrollbar-width: thin;
}
.room {
  scroll-snap-align: start;
  position: relative; display: flex; gap: 14px; align-items: center; padding: 10px;
  border: 1px solid var(--line); border-radius: var(--radius); cursor: pointer;
  transition: border-color .15s, background .15s;
}
.room:hover { border-color: var(--edge); }
.room[data-chosen] { border-color: var(--accent-ink); background: var(--softer); box-shadow: inset 0 0 0 1px var(--accent-ink); }
.room:has(:focus-visible) { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
.room-art {
  position: relative; width: 68px; height: 68px; flex: none; border-radius: calc(var(--radius) * .7);
  overflow: hidden; display: grid; place-items: center; color: oklch(.93 .035 var(--hue));
  background: radial-gradient(circle at 28% 22%, oklch(.52 .085 var(--hue)), oklch(.29 .055 calc(var(--hue) + 40)));
}
.room-art .icon { width: 28px; height: 28px; stroke-width: 1.5; }
.room-art img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; }
.room-art img[hidden] { display: none; }
.room-body { display: grid; gap: 2px; min-width: 0; }
.room-name { font-weight: 650; line-height: 1.3; overflow-wrap: anywhere; }
.room-facts { display: flex; flex-wrap: wrap; gap: 2px 12px; font-size: .8125rem; color: var(--muted); }
.way { white-space: pre-line; overflow-wrap: anywhere; }
.fact { display: inline-flex; gap: 5px; align-items: center; }
.room-price { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; font-size: .875rem; }
/* Of several words, which may need two lines. */
.room-price .tag { border: 0; padding: 0; }
.rooms > .room-text { display: none; }
.room-text { color: var(--muted); font-size: .9375rem; max-width: 62ch; text-wrap: pretty; }
.pips { display: inline-flex; gap: 3px; }
.pips i { width: 5px; height: 11px; border-radius: 2px; background: var(--line); }
.pips i[data-on] { background: currentColor; }

/* players */
.players { display: flex; gap: 6px 20px; align-items: center; justify-content: space-between; }
.players-text { display: grid; }
.stepper { display: inline-flex; align-items: center; gap: 4px; }
.party {
  min-width: 2.4em; text-align: center; font-weight: 680; font-size: 1.125rem;
  font-variant-numeric: tabular-nums;
}

/* month */
.when { display: grid; gap: 20px; border-top: 1px solid var(--line); padding-top: 16px; }
.month-head { display: flex; align-items: center; justify-content: space-between; margin-bottom: 8px; }
.month-name, .times-head { font-size: 1.0625rem; font-weight: 650; letter-spacing: -.008em; }
.month-turn { display: flex; gap: 6px; }
.grid { width: 100%; table-layout: fixed; border-collapse: separate; border-spacing: 3px; margin: 0 -3px; width: calc(100% + 6px); }
.grid th { font-size: .75rem; font-weight: 560; color: var(--muted); padding: 4px 0; }
.grid td { padding: 0; }
.day {
  position: relative; width: 100%; min-height: 44px; border: 0; display: grid; place-content: center; justify-items: center; padding: 0; border-radius: 10px;
  background: none; font-variant-numeric: tabular-nums; transition: background .12s;
}
.day[data-kind="free"] { background: var(--soft); font-weight: 640; }
.day[data-kind="few"] { background: var(--warn-soft); font-weight: 640; }
.day[data-kind="few"]::after {
  content: ""; position: absolute; inset: 5px 5px auto auto; width: 5px; height: 5px;
  border-radius: 50%; background: var(--warn);
}
.day[data-kind="free"]:hover { background: var(--strong); }
.day[data-kind="few"]:hover { background: var(--warn-strong); }
.day[data-kind="none"] { color: var(--muted); box-shadow: inset 0 0 0 1px var(--line); }
.day[aria-disabled] { opacity: .55; box-shadow: none; }
.day:focus-visible { z-index: 1; }
.day-number { display: block; line-height: 1.25; }
.day[data-kind="wait"] { color: var(--muted); background: var(--raised); animation: breathe 1.2s ease-in-out infinite alternate; }
@keyframes breathe { from { opacity: .9; } to { opacity: .45; } }
.day[aria-current="date"] .day-number { text-decoration: underline; text-decoration-thickness: 2px; text-underline-offset: 4px; }
.day[aria-pressed="true"], .day[aria-pressed="true"]:hover { background: var(--accent); color: var(--on-accent); }
.day[aria-pressed="true"]::after { background: var(--on-accent); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; margin-top: 10px; font-size: .8125rem; color: var(--muted); }
.legend li { display: inline-flex; align-items: center; gap: 7px; }
.legend li::before { content: ""; width: 14px; height: 14px; border-radius: 4px; background: var(--soft); box-shadow: inset 0 0 0 1px color-mix(in oklab, var(--accent-ink) 35%, transparent); }
.legend li[data-kind="few"]::before {
  background: radial-gradient(circle, var(--warn) 2.5px, transparent 3px) var(--warn-soft);
  box-shadow: inset 0 0 0 1px color-mix(in oklab, var(--warn) 35%, transparent);
}
.legend li[data-kind="none"]::before { background: none; box-shadow: inset 0 0 0 1px var(--line); }
.month-empty { display: grid; gap: 10px; margin-top: 12px; padding: 14px; border-radius: var(--radius); background: var(--raised); justify-items: start; }

/* times */
.times { scroll-margin: 16px; display: grid; gap: 12px; align-content: start; min-width: 0; }
.slots { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.2rem, 1fr)); gap: 8px; }
.slot {
  height: 100%;
  width: 100%; min-height: 60px; display: grid; place-content: center; justify-items: center;
  padding: 8px 6px; border: 1px solid var(--line); border-radius: var(--radius);
  background: var(--surface); transition: border-color .12s, background .12s;
}
.slot:hover { border-color: var(--accent-ink); background: var(--soft); }
.slot-time { font-weight: 660; font-size: 1.0625rem; font-variant-numeric: tabular-nums; line-height: 1.3; }
.slot-night { font-size: .75rem; color: var(--muted); line-height: 1.2; }
.slot[data-taken] { border-style: dashed; background: none; }
.slot[data-taken] .slot-time { color: var(--muted); font-weight: 560; text-decoration: line-through; }
.slot[data-taken]:not([aria-disabled]) .slot-seats { color: var(--accent-ink); font-weight: 560; }
.slot-price, .slot-seats { font-size: .8125rem; color: var(--muted); font-variant-numeric: tabular-nums; }
.wait-offer { display: grid; gap: 10px; padding: 14px; border-radius: var(--radius); background: var(--raised); }
.room-times { display: grid; gap: 10px; }
.room-times + .room-times { border-top: 1px solid var(--line); padding-top: 14px; }
.room-head { display: flex; gap: 12px; align-items: center; }
.room-head .room-art { width: 52px; height: 52px; }
h4 { margin: 0; font-size: inherit; }
.about summary { min-height: 44px; display: flex; align-items: center; gap: 8px; color: var(--accent-ink); font-weight: 560; cursor: pointer; font-size: .9375rem; }
.about summary::before { content: "+"; width: 14px; text-align: center; font-size: 1.25rem; line-height: 1; }
.about[open] summary::before { content: "–"; }
.about-pictures { display: none; }
.gallery { display: grid; gap: 8px; margin-bottom: 10px; }
.pictures { display: flex; gap: 8px; overflow-x: auto; scroll-snap-type: x mandatory; scrollbar-width: thin; border-radius: var(--radius); }
.pictures img { flex: none; width: 100%; max-width: 32rem; aspect-ratio: 8 / 5; object-fit: cover; scroll-snap-align: start; scroll-snap-stop: always; border-radius: var(--radius); background: var(--raised); }
.pictures img[hidden] { display: none; }
.turn { display: flex; gap: 8px; }
@media (prefers-reduced-motion: no-preference) { .pictures { scroll-behavior: smooth; } }
.zone { display: flex; gap: 6px; align-items: center; font-size: .8125rem; color: var(--muted); }
.lost { margin: -8px 0; }
.lost .link { font-size: .875rem; }

/* form and summary */
.columns { display: grid; gap: 24px; }
.columns[data-first="summary"] > .summary { order: -1; }
.form { display: grid; gap: 18px; align-content: start; min-width: 0; }
.field { display: grid; gap: 6px; }
.input {
  width: 100%; min-height: 48px; padding: 10px 14px; border: 1px solid var(--edge);
  border-radius: var(--radius); background: var(--surface); font-size: 16px; scroll-margin: 48px;
  transition: border-color .15s, box-shadow .15s;
}
.input:focus { border-color: var(--accent-ink); box-shadow: 0 0 0 3px color-mix(in oklab, var(--accent-ink) 24%, transparent); outline: none; }
.input[aria-invalid] { border-color: var(--danger); }
textarea.input { min-height: 76px; resize: vertical; line-height: 1.4; }
select.input { appearance: none; padding-inline-end: 40px; background-image: linear-gradient(45deg, transparent 50%, currentColor 50%), linear-gradient(-45deg, transparent 50%, currentColor 50%); background-size: 6px 6px; background-position: right 20px center, right 14px center; background-repeat: no-repeat; }
.input[type="date"] { min-width: 0; }
.tick { display: flex; gap: 12px; align-items: flex-start; min-height: 44px; padding: 10px 0; cursor: pointer; font-size: .9375rem; }
.tick input { width: 22px; height: 22px; margin: 0; flex: none; accent-color: var(--accent-ink); }
.tick + .hint { margin: -12px 0 0 34px; }
.consents { display: grid; gap: 4px; }
.terms summary { min-height: 44px; display: flex; align-items: center; gap: 8px; color: var(--accent-ink); font-weight: 560; cursor: pointer; font-size: .9375rem; }
.terms summary::before { content: "+"; width: 22px; text-align: center; font-size: 1.25rem; line-height: 1; }
.terms[open] summary::before { content: "–"; }
.terms-text { max-height: 16rem; overflow: auto; white-space: pre-line; overflow-wrap: anywhere; padding: 12px 14px; border: 1px solid var(--line); border-radius: var(--radius); background: var(--raised); font-size: .9375rem; }
.extras { display: grid; gap: 10px; min-width: 0; }
.extras legend { margin-bottom: 6px; }
.extra-list { border: 1px solid var(--line); border-radius: var(--radius); }
.extra { display: flex; gap: 12px; align-items: center; justify-content: space-between; padding: 10px 10px 10px 14px; }
.extra + .extra { border-top: 1px solid var(--line); }
.extra[data-on] { background: var(--softer); }
.extra-text { display: grid; min-width: 0; }
.extra-name { font-weight: 600; overflow-wrap: anywhere; }
.extra .stepper { flex: none; gap: 0; }
.extra .party { min-width: 1.9em; font-size: 1rem; }
.code { display: flex; gap: 8px; }
.code .input { flex: 1; min-width: 0; text-transform: uppercase; }
.chips { display: flex; flex-wrap: wrap; gap: 8px; }
.chip { display: inline-flex; gap: 8px; align-items: center; padding-inline-start: 12px; border-radius: 99px; background: var(--soft); font-size: .875rem; max-width: 100%; overflow-wrap: anywhere; }
.chip strong { text-transform: uppercase; }
.chip .round { border: 0; background: none; }
.policy { display: grid; gap: 2px; border-top: 1px solid var(--line); padding-top: 12px; }
.hint { font-size: .8125rem; color: var(--muted); }
.error { display: flex; gap: 6px; align-items: center; font-size: .875rem; color: var(--danger); font-weight: 560; }
.summary {
  display: grid; align-self: start; gap: 14px; align-content: start; padding: 16px; background: var(--raised);
  border-radius: var(--radius); min-width: 0;
}
.ticket { display: grid; gap: 5px; min-width: 0; }
.ticket-room { font-size: 1.0625rem; font-weight: 650; line-height: 1.3; overflow-wrap: anywhere; }
.ticket .fact { align-items: flex-start; }
.ticket .fact .icon { margin-top: .2em; color: var(--muted); }
.costs, .due, .facts { display: grid; gap: 7px; border-top: 1px solid var(--line); padding-top: 14px; }
.dues { display: grid; gap: 7px; }
.sum { display: flex; justify-content: space-between; gap: 16px; font-weight: 680; }
/* A line runs along the top while the price is on its way; the old one stays as readable as it was. */
.summary[aria-busy] { background: linear-gradient(var(--accent-ink) 0 0) 0 0 / 0 3px no-repeat var(--raised); animation: run 1.2s infinite; }
@keyframes run { to { background-size: 100% 3px; } }
.row { display: flex; justify-content: space-between; gap: 16px; font-size: .9375rem; }
.row dt { color: var(--muted); min-width: 0; overflow-wrap: anywhere; }
.row dd { font-variant-numeric: tabular-nums; text-align: end; overflow-wrap: anywhere; }
.costs .row dd { white-space: nowrap; }
.row.total { padding-top: 3px; }
.row.total dt, .row.total dd { color: var(--ink); font-weight: 680; font-size: 1.125rem; }
.row.tax { justify-content: flex-end; margin-top: -7px; }
.row.tax dd { font-size: .8125rem; color: var(--muted); }

/* centre, badges */
.center { display: grid; gap: 14px; justify-items: center; align-content: center; text-align: center; min-height: 300px; }
.center > * { max-width: 46ch; }
.center > .link { justify-self: center; }
.center .link { justify-content: center; }
.center .summary, .center .notice { text-align: start; }
.badge {
  width: 52px; height: 52px; flex: none; border-radius: 50%; display: grid; place-items: center;
  background: var(--raised); color: var(--muted);
}
.badge .icon { width: 26px; height: 26px; stroke-width: 2.2; }
.badge[data-tone="good"] { background: var(--accent); color: var(--on-accent); }
.badge[data-tone="error"] { background: var(--danger-soft); color: var(--danger); }

@container (width < 36rem) {
  /* Each as high as what it says, and that is little: the highest pushes the days down. */
  .room-list { align-items: start; }
  .room { gap: 12px; }
  .room .room-art { width: 56px; height: 56px; }
}
@container (min-width: 36rem) {
  .widget { padding: 28px; }
  .body { gap: 24px; }
  .rooms > .room-text { display: block; }
  .rooms > .about:not(:has(.gallery)), .rooms > .about .room-text, .rooms > .about .about-all { display: none; }
  .rooms > .about .about-pictures { display: inline; }
  .title { font-size: 1.75rem; }
  .widget .room-list { grid-auto-flow: row; grid-auto-columns: auto; overflow: visible; margin: 0; padding: 0; }
  .room-list[data-count="2"] { grid-template-columns: repeat(2, 1fr); }
  .room-list[data-count="3"] { grid-template-columns: repeat(auto-fill, minmax(15.5rem, 1fr)); }
  .actions > * { flex: 0 1 auto; }
  .actions .primary { width: auto; }
  .day[data-price]::before { content: attr(data-price); order: 1; margin-top: 4px; font-size: .6875rem; line-height: 1; font-weight: 500; color: var(--muted); }
  .day[data-price][aria-pressed="true"]::before { color: inherit; }
}
@container (min-width: 46rem) {
  .widget { padding: 36px; }
  .steps { font-size: .8125rem; }
  .head { grid-template-columns: 1fr minmax(21rem, 24rem); align-items: end; gap: 32px; }
  .when { grid-template-columns: minmax(0, 1.12fr) minmax(0, 1fr); gap: 40px; padding-top: 24px; }
  .times-head { min-height: 44px; display: flex; align-items: center; }
  .columns { grid-template-columns: minmax(0, 1fr) minmax(17rem, .8fr); gap: 40px; }
  .columns > .summary.summary { order: 0; position: sticky; top: 16px; }
  .sum { display: none; }
  .summary { padding: 22px; }
  .players { justify-content: flex-start; }
  .day { min-height: 50px; }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { transition: none !important; animation-duration: 2s !important; }
  .day[data-kind="wait"] { animation: none; }
  .summary[aria-busy] { animation: none; background-size: 100% 3px; }
}
@media (forced-colors: active) {
  .day[aria-pressed="true"], .room[data-chosen] { outline: 2px solid Highlight; }
  .day[data-kind="free"], .day[data-kind="few"] { border: 1px solid; }
}
`;

/**
 * The scheme for browsers that cannot choose by themselves: what is asked for, or else what the page
 * allows and the visitor prefers. Null where light-dark() does that.
 */
export function fallbackScheme(host: Element, theme: string | undefined): "light" | "dark" | null {
  if (CSS.supports("color", "light-dark(#000, #fff)")) return null;
  if (theme === "light" || theme === "dark") return theme;
  const allowed = getComputedStyle(host).colorScheme;
  const dark = /dark/.test(allowed) &&
    (!/light/.test(allowed) || matchMedia("(prefers-color-scheme: dark)").matches);
  return dark ? "dark" : "light";
}

/** Black or white, whichever can be read on `#rrggbb`: what the style sheet reckons where it can. */
export function lettersOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) =>
    (parseInt(color.slice(at, at + 2), 16) / 255) ** 2.2
  );
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}
