// The page of reports of the local stack: what the report functions answer, drawn. It signs in as
// anybody would, sees what that person may see, and computes no figure itself.

import { bars, columns, element, figures, heatMap, shares } from "./plots.js";
import { fill, texts } from "./texts.js";

const main = document.getElementById("main");
const tags = { en: "en-GB", es: "es-ES", ca: "ca-ES" };
/** Occupancy is answered for so many days. */
const OCCUPANCY_DAYS = 92;
const POLL_MS = 1000;

const wanted = [new URL(location.href).searchParams.get("lang"), ...navigator.languages];
let language = wanted.map((tag) => tag?.slice(0, 2)).find((tag) => tag in texts) ?? "en";
let config = {};
/** Who is signed in, and where. */
let person = null;
let chosen = { period: "month", room: "" };
/** What was answered last, to be written in another language. */
let answers = null;
/** What was asked for as a file, newest first, and what is chosen to be. */
let exported = [];
let file = { kind: "bookings", format: "xlsx" };

/** Ask the gateway of this stack; what it refuses is raised with its code. */
async function ask(path, { body, method = body ? "POST" : "GET", headers = {} } = {}) {
  const answer = await fetch(new URL(`/${path}`, location.href), {
    method,
    headers: {
      apikey: config.publishable_key,
      ...(body && { "content-type": "application/json" }),
      ...(person && { authorization: `Bearer ${person.token}` }),
      ...headers,
    },
    body: body && JSON.stringify(body),
  });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Error(said.message ?? said.msg ?? said.error_description ?? answer.status);
}

const call = async (name, body) => (await ask(`rest/v1/rpc/${name}`, { body })).json();

// ------------------------------------------------------------------- words and numbers

const text = () => texts[language];
const number = (value, options = {}) =>
  new Intl.NumberFormat(tags[language], options).format(value);
const share = (points) =>
  points === null ? "–" : number(points / 10_000, { style: "percent", maximumFractionDigits: 1 });
const day = (date, options = { day: "numeric", month: "short" }) =>
  new Intl.DateTimeFormat(tags[language], { ...options, timeZone: "UTC" })
    .format(new Date(`${date}T12:00:00Z`));
const fullDay = (date) => day(date, { day: "numeric", month: "long", year: "numeric" });

/** An amount of minor units, with the digits that its currency has here. */
function money(cents, currency, options = {}) {
  const digits = config.digits[currency];
  return number(cents / 10 ** digits, {
    style: "currency",
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    ...options,
  });
}

const roundMoney = (currency) => (units) =>
  number(units, { style: "currency", currency, maximumFractionDigits: 0 });

function clock(seconds) {
  if (seconds === null) return "–";
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const weekday = (iso) => day(`2024-01-0${iso}`, { weekday: "short" });

// ----------------------------------------------------------------------------- the parts

function card(name, title, ...children) {
  return element(
    "section",
    { class: `card ${name}`, "aria-labelledby": `${name}-title` },
    element("h2", { id: `${name}-title` }, title),
    ...children,
  );
}

function tile(title, value, before, change) {
  const words = text();
  const sign = Math.sign(change.by);
  const compared = sign === 0
    ? words.same
    : `${sign > 0 ? "▲" : "▼"} ${fill(sign > 0 ? words.more : words.less, { value: change.text })}`;
  return element(
    "div",
    { class: "tile" },
    element("dt", {}, title),
    element(
      "dd",
      {},
      element("strong", {}, value),
      element("span", { class: "change" }, compared),
      element("span", { class: "before" }, fill(words.before, { value: before })),
    ),
  );
}

function tiles({ revenue, bookings, occupancy, games }) {
  const words = text();
  const amount = (cents) => money(cents, revenue.currency);
  const points = (now, before) => ({
    by: (now ?? 0) - (before ?? 0),
    text: fill(words.points, {
      value: number(Math.abs((now ?? 0) - (before ?? 0)) / 100, { maximumFractionDigits: 1 }),
    }),
  });
  const cents = (name) => ({
    by: revenue.change[name],
    text: amount(Math.abs(revenue.change[name])),
  });
  const booked = bookings.total.bookings - bookings.previous.bookings;
  return element(
    "dl",
    { class: "tiles" },
    tile(
      words.net,
      amount(revenue.total.net_cents),
      amount(revenue.previous.net_cents),
      cents("net_cents"),
    ),
    tile(
      words.expected,
      amount(revenue.total.expected_cents),
      amount(revenue.previous.expected_cents),
      cents("expected_cents"),
    ),
    tile(words.bookings, number(bookings.total.bookings), number(bookings.previous.bookings), {
      by: booked,
      text: number(Math.abs(booked)),
    }),
    occupancy && tile(
      words.occupancy,
      share(occupancy.total.occupancy_bp),
      share(occupancy.previous.occupancy_bp),
      points(occupancy.total.occupancy_bp, occupancy.previous.occupancy_bp),
    ),
    tile(
      words.escapeRate,
      share(games.total.escaped_bp),
      share(games.previous.escaped_bp),
      points(games.total.escaped_bp, games.previous.escaped_bp),
    ),
  );
}

function revenueCard({ revenue }) {
  const words = text();
  const title = words.revenueBy[revenue.granularity];
  const units = (cents) => cents / 10 ** config.digits[revenue.currency];
  const name = (date) =>
    revenue.granularity === "month" ? day(date, { month: "short" }) : day(date);
  const points = revenue.series.map(({ from_date, sums }) => ({
    name: name(from_date),
    title: `${fullDay(from_date)}: ${money(sums.net_cents, revenue.currency)}`,
    value: units(sums.net_cents),
  }));
  return card(
    "revenue",
    title,
    columns(title, points, roundMoney(revenue.currency)),
    figures(
      words.asTable,
      [words.from, words.net],
      revenue.series.map((
        { from_date, sums },
      ) => [fullDay(from_date), money(sums.net_cents, revenue.currency)]),
    ),
  );
}

/** Bars with their figures; a word where there are none. */
function barCard(name, title, rows, note) {
  const words = text();
  if (rows.length === 0) return card(name, title, element("p", {}, words.nothing));
  return card(
    name,
    title,
    note ? element("p", { class: "note" }, note) : null,
    bars(title, rows),
    figures(words.asTable, [words.what, words.value], rows.map((row) => [row.name, row.text])),
  );
}

function methodCard({ revenue }) {
  const words = text();
  const rows = revenue.methods.map(({ method, net_cents }) => ({
    name: words.methods[method],
    text: money(net_cents, revenue.currency),
    value: net_cents,
  }));
  return barCard("methods", words.byMethod, rows.toSorted((a, b) => b.value - a.value));
}

function roomCard({ revenue }) {
  const words = text();
  const rows = revenue.rooms.map(({ name, sums, previous }) => ({
    name,
    text: money(sums.net_cents, revenue.currency),
    value: sums.net_cents,
    before: previous.net_cents,
  }));
  return barCard(
    "rooms",
    words.byRoom,
    rows.toSorted((a, b) => b.value - a.value),
    words.beforeMark,
  );
}

function statusCard({ bookings }) {
  const words = text();
  const rows = bookings.statuses.map(({ status, bookings: count }) => ({
    name: words.status[status],
    text: number(count),
    value: count,
  }));
  return barCard("statuses", words.statuses, rows.toSorted((a, b) => b.value - a.value));
}

function leadCard({ bookings }) {
  const words = text();
  const points = bookings.lead_times.map(({ from_days: from, to_days: to, bookings: count }) => {
    const name = to === null ? `${from}+` : to === from ? `${from}` : `${from}–${to}`;
    return { name, title: `${name}: ${number(count)}`, value: count };
  });
  return card(
    "leads",
    words.leadTimes,
    columns(words.leadTimes, points, number, true),
    figures(
      words.asTable,
      [words.what, words.bookings],
      points.map(({ name, value }) => [name, number(value)]),
    ),
  );
}

function heatCards({ occupancy }) {
  const words = text();
  if (!occupancy) return [card("heat", words.heat, element("p", {}, words.tooLong))];
  const hours = [...new Set(occupancy.hours.map(({ hour }) => hour))].toSorted((a, b) => a - b);
  const lostOf = (sums) => sums.waitlisted + sums.lapsed_holds;
  const most = Math.max(1, ...occupancy.hours.map(({ sums }) => lostOf(sums)));
  const fullest = Math.max(1, ...occupancy.hours.map(({ sums }) => sums.occupancy_bp ?? 0));
  const rows = (cell) =>
    hours.map((hour) => ({
      name: `${hour}:00`,
      cells: [1, 2, 3, 4, 5, 6, 7].map((iso) => {
        const found = occupancy.hours.find((one) => one.hour === hour && one.weekday === iso);
        return found ? cell(found.sums) : null;
      }),
    }));
  const days = [1, 2, 3, 4, 5, 6, 7].map(weekday);
  const sold = rows(({ occupancy_bp: points }) =>
    points === null ? null : {
      depth: points / fullest,
      text: number(points / 100, { maximumFractionDigits: 0 }),
    }
  );
  const lost = rows((sums) => ({ depth: lostOf(sums) / most, text: number(lostOf(sums)) }));
  const { waitlisted, lapsed_holds } = occupancy.total;
  return [
    card(
      "heat",
      `${words.heat} (%)`,
      heatMap(words.heat, words.hour, days, sold, "sold"),
    ),
    card(
      "lost",
      words.lost,
      element(
        "p",
        { class: "note" },
        fill(words.lostIntro, { waiting: number(waitlisted), lapsed: number(lapsed_holds) }),
      ),
      heatMap(words.lost, words.hour, days, lost, "lost"),
    ),
  ];
}

function gamesCard({ games }) {
  const words = text();
  const kinds = [["escaped", words.escaped], ["failed", words.notEscaped], [
    "aborted",
    words.aborted,
  ]];
  const row = (name, sums) => ({
    name,
    text: share(sums.escaped_bp),
    parts: kinds.map(([kind, title]) => ({
      kind,
      value: sums[kind],
      title: `${title}: ${number(sums[kind])}`,
    })),
  });
  const rows = games.rooms.filter(({ sums }) => sums.results > 0);
  if (rows.length === 0) return card("games", words.games, element("p", {}, words.nothing));
  return card(
    "games",
    words.games,
    element(
      "p",
      { class: "note" },
      fill(words.gamesIntro, {
        results: number(games.total.results),
        median: clock(games.total.median_escape_seconds),
      }),
    ),
    element(
      "p",
      { class: "legend" },
      ...kinds.map(([kind, title]) => element("span", { class: kind }, title)),
    ),
    shares(words.games, rows.map(({ name, sums }) => row(name, sums))),
    figures(
      words.asTable,
      [words.room, ...kinds.map(([, title]) => title), words.escapeRate],
      rows.map(({ name, sums }) => [
        name,
        ...kinds.map(([kind]) => number(sums[kind])),
        share(sums.escaped_bp),
      ]),
    ),
  );
}

// ------------------------------------------------------------------------------- exports

function exportCard() {
  const words = text();
  const form = element(
    "form",
    { class: "controls" },
    select("kind", words.kind, Object.entries(words.kinds), file.kind),
    select("format", words.format, [["xlsx", "XLSX"], ["csv", "CSV"]], file.format),
    element("button", { class: "action" }, words.make),
  );
  const said = element("p", { role: "status", class: "note", id: "file-said" });
  const list = element("ul", { class: "files" });
  form.addEventListener("change", () => file = Object.fromEntries(new FormData(form)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      const { revenue } = answers;
      const made = await call("export_table", {
        organization_id: person.organization.id,
        ...file,
        locale: language,
        from_date: revenue.from_date,
        to_date: revenue.to_date,
        room_id: chosen.room || null,
      });
      exported = [made, ...exported.filter(({ id }) => id !== made.id)];
      showFiles(list);
      await follow(made, list);
    } catch (error) {
      tellOfFile(error);
    }
  });
  showFiles(list);
  return card("exports", words.exports, element("p", {}, words.exportsIntro), form, said, list);
}

/** Say what went wrong with a file. */
function tellOfFile(error) {
  document.getElementById("file-said").textContent = fill(text().failed, { why: error.message });
}

/** Look at a file until it is ready. */
async function follow(made, list) {
  let row = made;
  while (row.status === "queued") {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    [row] = await (await ask(`rest/v1/table_exports?id=eq.${made.id}`)).json();
    exported = exported.map((one) => one.id === row.id ? row : one);
    showFiles(list.isConnected ? list : document.querySelector(".files"));
  }
}

function showFiles(list) {
  const words = text();
  list?.replaceChildren(...exported.map((row) => {
    const name = `${words.kinds[row.kind]}, ${row.format.toUpperCase()}`;
    const state = fill(words.state[row.status], {
      progress: number(row.progress),
      rows: number(row.row_count ?? 0),
    });
    const part = row.status === "finished"
      ? element("button", { type: "button", class: "action" }, fill(words.download, { name }))
      : element("span", {}, name);
    if (row.status === "finished") {
      part.addEventListener("click", () => download(row).catch(tellOfFile));
    }
    return element("li", {}, part, element("span", { class: "note" }, state));
  }));
}

async function download(row) {
  const signing = `storage/v1/object/sign/table-exports/${row.object_path}`;
  const signed = await (await ask(signing, { body: { expiresIn: 60 } })).json();
  // Hosted projects answer with a path below Storage's, the local Storage with all of it.
  const path = signed.signedURL ? `storage/v1${signed.signedURL}` : signed.signedUrl.slice(1);
  const address = URL.createObjectURL(await (await ask(path)).blob());
  const link = element("a", { href: address, download: `${row.kind}.${row.format}` });
  link.click();
  // Not before the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

// ------------------------------------------------------------------------------ the page

function field(name, label, attributes) {
  return element(
    "label",
    {},
    element("span", {}, label),
    element("input", { name, required: true, ...attributes }),
  );
}

function select(name, label, options, value) {
  return element(
    "label",
    {},
    element("span", {}, label),
    element(
      "select",
      { name },
      ...options.map(([key, words]) =>
        element("option", { value: key, selected: key === value }, words)
      ),
    ),
  );
}

function signInForm() {
  const words = text();
  const said = element("p", { role: "status" });
  const form = element(
    "form",
    { class: "sign-in" },
    field("email", words.email, {
      type: "email",
      autocomplete: "username",
      value: "owner@casa-laberinto.test",
    }),
    field("password", words.password, { type: "password", autocomplete: "current-password" }),
    element("button", { class: "action" }, words.signIn),
    said,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      const body = Object.fromEntries(new FormData(form));
      const opened = await (await ask("auth/v1/token?grant_type=password", { body })).json();
      person = { token: opened.access_token };
      const { active_organization_id: here, organizations } = await call("my_context", {});
      const rooms = await (await ask("rest/v1/rooms?select=id,name&order=name")).json();
      person = { ...person, organization: organizations.find(({ id }) => id === here), rooms };
      await load();
    } catch (error) {
      person = null;
      said.textContent = fill(text().failed, { why: error.message });
    }
  });
  return [
    element("section", { class: "intro" }, element("h1", {}, words.title)),
    element("p", {}, words.signInIntro),
    form,
  ];
}

/** What the functions answer of the days and the room that are chosen. */
async function load() {
  const asked = {
    organization_id: person.organization.id,
    period: chosen.period,
    ...(chosen.room && { room_id: chosen.room }),
  };
  const [revenues, bookings, games] = await Promise.all([
    call("get_revenue_report", asked),
    call("get_bookings_report", asked),
    call("get_games_report", asked),
  ]);
  // In the currency of the organization; another one would be a row of its own.
  const revenue = revenues.find(({ currency }) => currency === person.organization.currency) ??
    revenues[0];
  const length = (Date.parse(revenue.to_date) - Date.parse(revenue.from_date)) / 86_400_000 + 1;
  const occupancy = length > OCCUPANCY_DAYS ? null : await call("get_occupancy_report", asked);
  answers = { revenue, bookings, games, occupancy };
  write();
}

function dashboard() {
  const words = text();
  const { revenue } = answers;
  const controls = element(
    "form",
    { class: "controls" },
    select("period", words.period, Object.entries(words.periods), chosen.period),
    select(
      "room",
      words.room,
      [["", words.allRooms], ...person.rooms.map(({ id, name }) => [id, name])],
      chosen.room,
    ),
  );
  controls.addEventListener("change", async ({ target }) => {
    chosen = Object.fromEntries(new FormData(controls));
    main.setAttribute("aria-busy", "true");
    await load();
    main.querySelector(`[name="${target.name}"]`).focus();
  });
  const days = fill(words.days, {
    from: fullDay(revenue.from_date),
    to: fullDay(revenue.to_date),
    before: fullDay(revenue.previous_from_date),
    until: fullDay(revenue.previous_to_date),
  });
  return [
    element(
      "section",
      { class: "intro" },
      element("h1", {}, `${words.title} · ${person.organization.name}`),
      element("p", { role: "status" }, days),
    ),
    controls,
    tiles(answers),
    element(
      "div",
      { class: "cards" },
      revenueCard(answers),
      methodCard(answers),
      roomCard(answers),
      ...heatCards(answers),
      statusCard(answers),
      leadCard(answers),
      gamesCard(answers),
      exportCard(),
    ),
  ];
}

/** The page as it is, in the language that is chosen. */
function write() {
  const words = text();
  document.documentElement.lang = language;
  document.title = `Escapemaster · ${words.title}`;
  for (const one of document.querySelectorAll("[data-text]")) {
    one.textContent = words[one.dataset.text];
  }
  document.getElementById("languages").setAttribute("aria-label", words.languages);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  main.removeAttribute("aria-busy");
  main.replaceChildren(...(answers ? dashboard() : signInForm()));
}

document.getElementById("languages").addEventListener("click", ({ target }) => {
  const wish = target.closest("[data-language]")?.dataset.language;
  if (!wish) return;
  language = wish;
  write();
});

config = await (await fetch("../config.json")).json();
const mailbox = document.getElementById("mailbox");
mailbox.href = config.mailbox_url;
mailbox.hidden = !config.mailbox_url;
const currencies = await call("get_currencies", {});
config.digits = Object.fromEntries(currencies.map(({ code, digits }) => [code, digits]));
write();
