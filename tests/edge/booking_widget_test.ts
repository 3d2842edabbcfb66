import assert from "node:assert/strict";
import type { Booking, BookingCalendar, Quote, Slot, Waiver } from "../../edge/_shared/booking.ts";
import { handle } from "../../edge/booking-widget/handler.ts";
import { hash, integrity, script } from "../../edge/booking-widget/dist/bundle.ts";
import {
  type Api,
  ApiError,
  type HoldRequest,
  toError,
} from "../../edge/booking-widget/src/api.ts";
import { validate } from "../../edge/booking-widget/src/customer.ts";
import {
  addMonths,
  inMonth,
  lastDay,
  localDate,
  moveByKey,
  weeks,
} from "../../edge/booking-widget/src/dates.ts";
import { Flow } from "../../edge/booking-widget/src/flow.ts";
import { clock, createFormat } from "../../edge/booking-widget/src/format.ts";
import type { Text } from "../../edge/booking-widget/src/state.ts";
import type { Entry } from "../../edge/booking-widget/src/world.ts";
import { createStore, type Store } from "../../edge/booking-widget/src/store.ts";
import { languages, pickLanguage, stringsFor } from "../../edge/booking-widget/src/strings.ts";
import { createHash } from "node:crypto";

// ---- the function that serves it ----

const get = (path: string, headers: Record<string, string> = {}) =>
  handle(new Request(`http://edge/functions/v1/booking-widget${path}`, { headers }));

Deno.test("the script is served briefly under its name and for ever under its hash", async () => {
  const newest = get("");
  assert.equal(newest.status, 200);
  assert.match(newest.headers.get("Cache-Control") ?? "", /max-age=300\b/);
  assert.equal(await newest.text(), script);
  const pinned = get(`/${hash}.js`);
  assert.match(pinned.headers.get("Cache-Control") ?? "", /immutable/);
  assert.equal(pinned.headers.get("Content-Type"), "text/javascript; charset=utf-8");
  assert.equal(pinned.headers.get("Access-Control-Allow-Origin"), "*");
  assert.equal(await pinned.text(), script);
  assert.equal(get("/0000000000000000.js").status, 404);
});

Deno.test("the integrity value is that of the bytes that are served", async () => {
  const bytes = new Uint8Array(await get("").arrayBuffer());
  const digest = createHash("sha384").update(bytes).digest("base64");
  assert.equal(`sha384-${digest}`, integrity);
  assert.equal(get("").headers.get("X-Integrity"), integrity);
  assert.deepEqual(await get("/manifest.json").json(), {
    version: hash,
    file: `${hash}.js`,
    integrity,
    bytes: bytes.byteLength,
  });
});

Deno.test("each form of the script has its own entity tag and gives 304", () => {
  for (const encoding of ["gzip, br", "identity"]) {
    const headers = { "Accept-Encoding": encoding };
    const etag = get("", headers).headers.get("ETag") ?? "";
    assert.equal(get("", { ...headers, "If-None-Match": etag }).status, 304);
  }
  assert.notEqual(
    get("", { "Accept-Encoding": "gzip" }).headers.get("ETag"),
    get("", { "Accept-Encoding": "gzip;q=0" }).headers.get("ETag"),
  );
});

Deno.test("compressed it is under 40 kB", async () => {
  const packed = get("", { "Accept-Encoding": "gzip" });
  assert.equal(packed.headers.get("Content-Encoding"), "gzip");
  assert.ok((await packed.arrayBuffer()).byteLength < 40_000);
});

Deno.test("only reading is allowed, from any page", () => {
  const send = (method: string) => handle(new Request("http://edge/booking-widget", { method }));
  assert.equal(send("POST").status, 405);
  assert.equal(send("OPTIONS").status, 204);
  assert.equal(send("OPTIONS").headers.get("Access-Control-Allow-Origin"), "*");
  assert.equal(send("HEAD").body, null);
});

Deno.test("the script names no address of anybody else", () => {
  const addresses = script.match(/https?:\/\/[\w.-]+/g) ?? [];
  assert.deepEqual(addresses.filter((address) => address !== "http://www.w3.org"), []);
});

// ---- dates, words, prices ----

Deno.test("a month is laid out in whole weeks from any first weekday", () => {
  for (const month of ["2026-02", "2026-11", "2024-02", "2027-01"]) {
    for (const start of [1, 6, 7]) {
      const days = weeks(month, start).flat();
      assert.equal(days.length % 7, 0);
      const dates = days.filter((day) => day !== null);
      assert.equal(dates[0], `${month}-01`);
      assert.equal(dates.at(-1), lastDay(month));
      assert.equal(days.indexOf(dates[0]!) < 7, true);
    }
  }
});

Deno.test("months are added across years, and a day is kept or clamped", () => {
  assert.equal(addMonths("2026-11", 3), "2027-02");
  assert.equal(addMonths("2026-01", -1), "2025-12");
  assert.equal(inMonth("2026-01-31", "2026-02"), "2026-02-28");
  assert.equal(inMonth("2026-01-31", "2028-02"), "2028-02-29");
});

Deno.test("the keys of a date grid move as people know them", () => {
  const move = (key: string) => moveByKey("2026-11-18", key, 1); // a Wednesday
  assert.equal(move("ArrowLeft"), "2026-11-17");
  assert.equal(move("ArrowDown"), "2026-11-25");
  assert.equal(move("Home"), "2026-11-16");
  assert.equal(move("End"), "2026-11-22");
  assert.equal(move("PageUp"), "2026-10-18");
  assert.equal(moveByKey("2026-11-18", "Home", 7), "2026-11-15");
  assert.equal(move("Tab"), null);
});

Deno.test("today is the venue's, not the visitor's", () => {
  const instant = Date.parse("2026-03-01T01:30:00Z");
  assert.equal(localDate(instant, "America/New_York"), "2026-02-28");
  assert.equal(localDate(instant, "Pacific/Kiritimati"), "2026-03-01");
});

Deno.test("cents are the currency's own minor unit", () => {
  const format = createFormat("en", []);
  assert.equal(format.money(8900, "EUR"), "€89.00");
  assert.equal(format.shortMoney(8900, "EUR"), "€89");
  assert.equal(format.shortMoney(1950, "EUR"), "€19.50");
  assert.equal(format.money(8900, "JPY"), "JP¥8,900");
});

Deno.test("the visitor's regional habits are kept when they fit the language", () => {
  assert.equal(createFormat("en", ["es-ES", "en-US"]).tag, "en-US");
  assert.equal(createFormat("ca", ["es-ES", "en-US"]).tag, "ca-ES");
  const instant = "2026-01-10T22:00:00Z";
  assert.equal(createFormat("es", []).time(instant, "Europe/Madrid"), "23:00");
});

Deno.test("every language says everything", () => {
  const english = stringsFor("en");
  for (const language of languages) {
    const strings = stringsFor(language);
    assert.deepEqual(Object.keys(strings), Object.keys(english), language);
    assert.deepEqual(Object.keys(strings.errors), Object.keys(english.errors), language);
    assert.deepEqual(Object.keys(strings.statuses), Object.keys(english.statuses), language);
    if (language === "en") continue;
    const same = Object.keys(english.errors)
      .filter((code) => strings.errors[code] === english.errors[code]);
    assert.deepEqual(same, [], `${language} has untranslated errors`);
  }
});

Deno.test("a language is picked by its base, and unknown ones are passed over", () => {
  assert.equal(pickLanguage([null, "fr", "ca-ES"]), "ca");
  assert.equal(pickLanguage(["es-MX"]), "es");
  assert.equal(pickLanguage([undefined, "de"]), "en");
});

Deno.test("a countdown never shows less than nothing", () => {
  assert.equal(clock(899.2), "15:00");
  assert.equal(clock(61), "1:01");
  assert.equal(clock(-3), "0:00");
});

Deno.test("fields are checked before anything is sent", () => {
  const form = { full_name: " ", email: "maria@", phone: "call me" };
  assert.deepEqual(validate(form), {
    full_name: "requiredName",
    email: "invalidEmail",
    phone: "invalidPhone",
  });
  assert.deepEqual(validate({ full_name: "Òscar", email: "o@x.cat", phone: "" }), {});
});

Deno.test("an error's code is read from the database's and the service's form", () => {
  const raised = { code: "PT409", message: "total_changed", details: '{"total_cents":9900}' };
  assert.equal(toError(409, raised).code, "total_changed");
  assert.deepEqual(toError(409, raised).details, { total_cents: 9900 });
  assert.equal(toError(409, { code: "not_payable", detail: "…" }).code, "not_payable");
  assert.equal(toError(500, { code: "XX000", message: "internal <b>" }).code, "unexpected");
  assert.equal(toError(502, undefined).code, "unexpected");
  assert.equal(toError(429, undefined).code, "rate_limited");
});

Deno.test("the store works in memory where the page may not store", () => {
  const store = createStore(() => {
    throw new Error("denied");
  });
  store.save("ABCD-2345", { token: "t", calendar: "c", skew: 0 });
  store.setOpen("c", "ABCD-2345");
  assert.equal(store.load("ABCD-2345")?.token, "t");
  assert.equal(store.open("c"), "ABCD-2345");
  store.setOpen("c", null);
  assert.equal(store.open("c"), null);
  assert.equal(store.load("other"), null);
});

// ---- the visitor's way ----

const now = Date.parse("2026-11-23T10:00:00Z");
const calendar: BookingCalendar = {
  slug: "casa",
  name: "Casa",
  organization: { name: "Casa", slug: "casa" },
  timezone: "Europe/Madrid",
  locale: "es",
  locales: ["es", "en"],
  currency: "EUR",
  minimum_notice_minutes: 60,
  maximum_advance_days: 60,
  hold_minutes: 15,
  rooms: ["r1", "r2"].map((id, index) => ({
    id,
    name: id,
    slug: id,
    description: "",
    minimum_party: 2 + index * 3,
    maximum_party: 8,
    duration_minutes: 60,
    mode: "private",
    price_per: "session",
    price_cents: 8900,
    difficulty: 3,
    image_path: null,
    timezone: "Europe/Madrid",
  })),
};
const slot: Slot = {
  room_id: "r1",
  starts_at: "2026-12-04T17:00:00Z",
  ends_at: "2026-12-04T18:00:00Z",
  local_date: "2026-12-04",
  local_time: "18:00",
  timezone: "Europe/Madrid",
  seats_available: 8,
  price_cents: 8900,
  currency: "EUR",
};
const quote: Quote = {
  room_id: "r1",
  starts_at: slot.starts_at,
  ends_at: slot.ends_at,
  party_size: 2,
  currency: "EUR",
  lines: [],
  total_cents: 8900,
  tax_cents: 1545,
  due_now_cents: 8900,
};
const booking: Booking = {
  reference: "ABCD-2345",
  status: "held",
  hold_expires_at: new Date(now + 15 * 60_000).toISOString(),
  starts_at: slot.starts_at,
  ends_at: slot.ends_at,
  timezone: "Europe/Madrid",
  room_id: "r1",
  room_name: "r1",
  party_size: 2,
  currency: "EUR",
  total_cents: 8900,
  due_now_cents: 8900,
  paid_cents: 0,
  refunded_cents: 0,
  customer: { full_name: "Maria", email: "maria@example.test" },
  organization: { name: "Casa" },
  lines: [],
  cancellable: true,
  cancellation: { refund_percent: 50, refund_cents: 4450 },
  history: [],
};

const waiver: Waiver = {
  text: "You may get locked in.",
  version: 3,
  locale: "en",
  room_name: "r1",
  starts_at: slot.starts_at,
  timezone: "Europe/Madrid",
  organization: { name: "Casa" },
  signed: 0,
  needed: 2,
  open: true,
};

interface Setting {
  readonly flow: Flow;
  readonly calls: string[];
  readonly holds: HoldRequest[];
  /** What each door was asked, by its name. */
  readonly asked: (name: string) => unknown[];
  readonly events: string[];
  readonly redirects: string[];
  readonly store: Store;
  clock: number;
}

/** A flow in a world that answers as told. */
function setting(api: Partial<Api> = {}, entry: Partial<Entry> = {}, kept?: Store): Setting {
  const calls: string[] = [];
  const holds: HoldRequest[] = [];
  const asked: { name: string; given: unknown }[] = [];
  const store = kept ?? createStore(() => {
    throw new Error("no storage in tests");
  });
  const defaults: Api = {
    getCalendar: () => Promise.resolve(calendar),
    getAvailability: ({ from_date, to_date }) =>
      Promise.resolve(from_date <= slot.local_date && slot.local_date <= to_date ? [slot] : []),
    quote: ({ party_size }) => Promise.resolve({ ...quote, party_size }),
    hold: () => Promise.resolve({ ...booking, manage_token: "secret" }),
    getBooking: () => Promise.resolve(booking),
    cancelBooking: () => Promise.resolve({ ...booking, status: "cancelled" as const }),
    checkout: () =>
      Promise.resolve({
        checkout_url: "https://pay.test/1",
        expires_at: "",
        amount_cents: 8900,
        currency: "EUR",
      }),
    quoteReschedule: (request) =>
      Promise.resolve({ ...quote, ...request, total_cents: 9900, difference_cents: 1000 }),
    reschedule: () => Promise.resolve({}),
    joinWaitlist: () => Promise.resolve({ status: "waiting" }),
    leaveWaitlist: () => Promise.resolve({ status: "left" }),
    getWaiver: () => Promise.resolve(waiver),
    signWaiver: () => Promise.resolve({ signed: 1, needed: 2 }),
  };
  const answers = { ...defaults, ...api };
  const traced = Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [name, (...given: unknown[]) => {
      calls.push(name);
      asked.push({ name, given: given[0] });
      if (name === "hold") holds.push(given[0] as HoldRequest);
      return (answer as (...given: unknown[]) => unknown)(...given);
    }]),
  ) as unknown as Api;
  let key = 0;
  const redirects: string[] = [];
  const events: string[] = [];
  const made: Setting = {
    flow: undefined as unknown as Flow,
    calls,
    holds,
    asked: (name) => asked.filter((call) => call.name === name).map((call) => call.given),
    events,
    redirects,
    store,
    clock: now,
  };
  const flow = new Flow({
    api: traced,
    store,
    slug: "casa",
    entry: { reference: null, token: null, payment: null, ...entry },
    locale: () => "es",
    now: () => made.clock,
    wait: (milliseconds) => {
      made.clock += milliseconds;
      return Promise.resolve();
    },
    newKey: () => `key-${++key}`,
    redirect: (url) => void redirects.push(url),
    returnUrl: () => "https://venue.test/book",
    clearAddress: () => {},
    emit: (event, reference) => void events.push(`${event} ${reference}`),
  });
  return Object.assign(made, { flow });
}

const refuse = (code: string, details = {}) => () =>
  Promise.reject(new ApiError(code, 409, details));
const read = (text: Text | undefined) => text?.(stringsFor("en"), createFormat("en", ["en-GB"]));

async function toDetails(made: Setting): Promise<void> {
  await made.flow.start();
  await made.flow.chooseSlot(slot);
  made.flow.type("full_name", " Maria Ferrer ");
  made.flow.type("email", "maria@example.test");
}

Deno.test("the first look shows the first month that has something free", async () => {
  const { flow, calls } = setting();
  await flow.start();
  assert.equal(flow.state.step, "choose");
  assert.equal(flow.state.month, "2026-12");
  assert.equal(flow.state.day, "2026-12-04");
  assert.deepEqual(calls, ["getCalendar", "getAvailability"]);
});

Deno.test("another room fits the party to it", async () => {
  const { flow } = setting();
  await flow.start();
  assert.equal(flow.state.partySize, 2);
  await flow.selectRoom("r2");
  assert.equal(flow.state.partySize, 5);
  await flow.setPartySize(9);
  assert.equal(flow.state.partySize, 5);
});

Deno.test("neither the buttons nor the keys leave what can be booked", async () => {
  const { flow } = setting();
  await flow.start();
  assert.equal(flow.canShow("2026-10"), false);
  assert.equal(flow.canShow("2027-01"), true);
  assert.equal(flow.canShow("2027-02"), false);
  await flow.moveFocus("2026-11-01");
  assert.equal(flow.state.focusDay, "2026-11-23");
  await flow.moveFocus("2027-05-01");
  assert.equal(flow.state.focusDay, "2027-01-22");
});

Deno.test("a late answer to an earlier question is not shown", async () => {
  const waiting: ((slots: Slot[]) => void)[] = [];
  let held = false;
  const { flow } = setting({
    getAvailability: () =>
      held ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve([slot]),
  });
  await flow.start();
  held = true;
  const first = flow.showMonth("2027-01");
  const second = flow.selectRoom("r2");
  waiting[1]!([]);
  await second;
  waiting[0]!([{ ...slot, local_date: "2027-01-04" }]);
  await first;
  assert.deepEqual(flow.state.slots, []);
});

Deno.test("the next free day is searched over months, and its absence is said", async () => {
  const far = { ...slot, local_date: "2027-01-20" };
  const { flow } = setting({
    getAvailability: ({ to_date }) => Promise.resolve(to_date >= "2027-01-20" ? [far] : []),
  });
  await flow.start();
  assert.deepEqual(flow.state.slots, []);
  await flow.findNextFree();
  assert.equal(flow.state.day, "2027-01-20");

  const none = setting({ getAvailability: () => Promise.resolve([]) });
  await none.flow.start();
  await none.flow.findNextFree();
  assert.match(read(none.flow.state.notice?.text) ?? "", /nothing free until/);
});

Deno.test("wrong fields are named, focused and announced, and nothing is sent", async () => {
  const made = setting();
  await made.flow.start();
  await made.flow.chooseSlot(slot);
  await made.flow.submitDetails();
  const { state } = made.flow;
  assert.deepEqual(state.fieldErrors, { full_name: "requiredName", email: "requiredEmail" });
  assert.equal(state.focus?.target, "field-full_name");
  assert.equal(read(state.announcement?.text), "2 fields need another look.");
  assert.equal(made.holds.length, 0);
});

Deno.test("a hold sends the quoted total and the trimmed customer, once", async () => {
  const made = setting();
  await toDetails(made);
  await Promise.all([made.flow.submitDetails(), made.flow.submitDetails()]);
  assert.equal(made.holds.length, 1);
  assert.deepEqual(made.holds[0], {
    slug: "casa",
    room_id: "r1",
    starts_at: slot.starts_at,
    party_size: 2,
    customer: { full_name: "Maria Ferrer", email: "maria@example.test", locale: "es" },
    expected_total_cents: 8900,
    idempotency_key: "key-1",
  });
  assert.equal(made.flow.state.step, "pay");
  assert.equal(made.flow.state.remaining, 900);
  assert.deepEqual(made.events, ["held ABCD-2345"]);
  assert.equal(made.store.load("ABCD-2345")?.token, "secret");
});

Deno.test("trying again after a lost answer keeps the key; a changed request takes a new one", async () => {
  let fail = true;
  const made = setting({
    hold: () =>
      fail
        ? Promise.reject(new ApiError("network", 0))
        : Promise.resolve({ ...booking, manage_token: "secret" }),
  });
  await toDetails(made);
  await made.flow.submitDetails();
  assert.equal(read(made.flow.state.notice?.text), stringsFor("en").errors.network);
  await made.flow.submitDetails();
  made.flow.type("full_name", "Maria F. Soler");
  fail = false;
  await made.flow.submitDetails();
  assert.deepEqual(made.holds.map((hold) => hold.idempotency_key), ["key-1", "key-1", "key-2"]);
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("a taken time leads back to fresh availability", async () => {
  const made = setting({ hold: refuse("slot_taken") });
  await toDetails(made);
  const before = made.calls.filter((call) => call === "getAvailability").length;
  await made.flow.submitDetails();
  assert.equal(made.flow.state.step, "choose");
  assert.match(read(made.flow.state.notice?.text) ?? "", /faster/);
  assert.equal(made.flow.state.focus?.target, "notice");
  const after = made.calls.filter((call) => call === "getAvailability").length;
  assert.equal(after, before + 1);
});

Deno.test("a changed total is shown and asked about before it is accepted", async () => {
  let total = 8900;
  const made = setting({
    quote: () => Promise.resolve({ ...quote, total_cents: total, due_now_cents: total }),
    hold: (request) =>
      request.expected_total_cents === 9900
        ? Promise.resolve({ ...booking, total_cents: 9900, manage_token: "secret" })
        : Promise.reject(new ApiError("total_changed", 409, { total_cents: 9900 })),
  });
  await toDetails(made);
  total = 9900;
  await made.flow.submitDetails();
  assert.equal(made.flow.state.step, "details");
  assert.equal(made.flow.state.oldTotal, 8900);
  assert.equal(made.flow.state.quote?.total_cents, 9900);
  assert.equal(made.holds.length, 1);
  await made.flow.submitDetails();
  assert.equal(made.flow.state.step, "pay");
  assert.notEqual(made.holds[0]?.idempotency_key, made.holds[1]?.idempotency_key);
});

Deno.test("a field that the database refuses is marked in the form", async () => {
  const made = setting({ hold: refuse("customer_invalid", { field: "email" }) });
  await toDetails(made);
  await made.flow.submitDetails();
  assert.deepEqual(made.flow.state.fieldErrors, { email: "invalidEmail" });
  assert.equal(made.flow.state.focus?.target, "field-email");
});

Deno.test("a booking with nothing to pay is confirmed without the payment step", async () => {
  const confirmed = { ...booking, status: "confirmed" as const, due_now_cents: 0 };
  const made = setting({
    hold: () => Promise.resolve({ ...confirmed, manage_token: "secret" }),
    getBooking: () => Promise.resolve(confirmed),
  });
  await toDetails(made);
  await made.flow.submitDetails();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, true);
});

Deno.test("a visitor whose clock is wrong still sees the whole hold", async () => {
  const made = setting({
    hold: () => {
      const end = new Date(made.clock + 3_600_000 + 15 * 60_000).toISOString();
      return Promise.resolve({ ...booking, hold_expires_at: end, manage_token: "secret" });
    },
  });
  await toDetails(made);
  await made.flow.submitDetails();
  assert.equal(made.flow.state.remaining, 900);
});

Deno.test("the countdown speaks at five minutes and ends with the server's word", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.submitDetails();
  made.clock += 10 * 60_000;
  made.flow.tick();
  assert.equal(read(made.flow.state.announcement?.text), "5 minutes left to pay.");
  const longer = new Date(made.clock + 33 * 60_000).toISOString();
  made.flow.world.api.getBooking = () => Promise.resolve({ ...booking, hold_expires_at: longer });
  made.clock += 5 * 60_000;
  made.flow.tick();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(made.flow.state.remaining, 28 * 60);
});

Deno.test("paying leaves for the provider's page, and for nothing that is no web address", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.submitDetails();
  await made.flow.pay();
  assert.deepEqual(made.redirects, ["https://pay.test/1"]);

  const bad = setting({
    checkout: () =>
      Promise.resolve({
        checkout_url: "javascript:alert(1)",
        expires_at: "",
        amount_cents: 1,
        currency: "EUR",
      }),
  });
  await toDetails(bad);
  await bad.flow.submitDetails();
  await bad.flow.pay();
  assert.deepEqual(bad.redirects, []);
  assert.match(read(bad.flow.state.notice?.text) ?? "", /still kept/);
});

Deno.test("giving a time up frees it at once", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.submitDetails();
  await made.flow.release();
  assert.ok(made.calls.includes("cancelBooking"));
  assert.equal(made.flow.state.step, "choose");
  assert.equal(made.store.open("casa"), null);
});

Deno.test("a reload while a time is held comes back to the payment", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.submitDetails();
  const again = setting({}, {}, made.store);
  await again.flow.start();
  assert.equal(again.flow.state.step, "pay");
});

Deno.test("a hold that ended meanwhile does not stand in the way of a new booking", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.submitDetails();
  const again = setting(
    { getBooking: () => Promise.resolve({ ...booking, status: "expired" as const }) },
    {},
    made.store,
  );
  await again.flow.start();
  assert.equal(again.flow.state.step, "choose");
  assert.equal(made.store.open("casa"), null);
});

const returned = { reference: "ABCD-2345", token: "secret" };

Deno.test("coming back from the payment waits until the booking itself is confirmed", async () => {
  let looks = 0;
  const made = setting({
    getBooking: () =>
      Promise.resolve({ ...booking, status: ++looks < 4 ? "held" as const : "confirmed" as const }),
  }, { ...returned, payment: "success" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, true);
  assert.equal(looks, 4);
  assert.deepEqual(made.events, ["confirmed ABCD-2345"]);
});

Deno.test("waiting for a confirmation ends, politely, and can be repeated", async () => {
  const made = setting({}, { ...returned, payment: "success" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "slow");
  const looks = made.calls.length;
  assert.ok(looks < 40, `${looks} requests`);
  made.flow.world.api.getBooking = () =>
    Promise.resolve({ ...booking, status: "confirmed" as const });
  await made.flow.checkAgain();
  assert.equal(made.flow.state.step, "booking");
});

Deno.test("a payment that was given up keeps the time and says so", async () => {
  const made = setting({}, { ...returned, payment: "cancelled" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "pay");
  assert.match(read(made.flow.state.notice?.text) ?? "", /still kept/);
});

Deno.test("a return into a browser that has no token asks for the link", async () => {
  const made = setting({}, { reference: "ABCD-2345", payment: "success" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "elsewhere");
  assert.deepEqual(made.calls, []);
});

Deno.test("a wrong token says that the booking is not found, and lets one book", async () => {
  const made = setting({ getBooking: refuse("booking_not_found") }, returned);
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.equal(made.flow.entered, true);
  await made.flow.bookAnother();
  assert.equal(made.flow.state.step, "choose");
  assert.equal(made.flow.state.focus?.target, "heading");
  assert.equal(made.flow.entered, false);
});

Deno.test("cancelling shows the refund as it is now, and asks before it acts", async () => {
  let percent = 100;
  const confirmed = { ...booking, status: "confirmed" as const, paid_cents: 8900 };
  const made = setting({
    getBooking: () =>
      Promise.resolve({
        ...confirmed,
        cancellation: { refund_percent: percent, refund_cents: 89 * percent },
      }),
  }, returned);
  await made.flow.start();
  percent = 50;
  await made.flow.askCancel();
  assert.equal(made.flow.state.asking, "cancel");
  assert.equal(made.flow.state.booking?.cancellation.refund_cents, 4450);
  made.flow.keep();
  assert.equal(made.flow.state.asking, null);
  assert.ok(!made.calls.includes("cancelBooking"));
  await made.flow.askCancel();
  await made.flow.confirmCancel();
  assert.equal(made.flow.state.booking?.status, "cancelled");
  assert.equal(made.flow.state.promisedCents, 4450);
  assert.deepEqual(made.events, ["cancelled ABCD-2345"]);
});

Deno.test("a booking that cannot be cancelled any more says so", async () => {
  const confirmed = { ...booking, status: "confirmed" as const };
  let cancellable = true;
  const made = setting({
    getBooking: () => Promise.resolve({ ...confirmed, cancellable }),
  }, returned);
  await made.flow.start();
  cancellable = false;
  await made.flow.askCancel();
  assert.equal(made.flow.state.asking, null);
  assert.match(read(made.flow.state.notice?.text) ?? "", /cannot be cancelled/);
});

Deno.test("a calendar that is gone, or has no rooms, is said plainly", async () => {
  for (
    const getCalendar of [
      refuse("calendar_not_found"),
      () => Promise.resolve({ ...calendar, rooms: [] }),
    ]
  ) {
    const made = setting({ getCalendar });
    await made.flow.start();
    assert.equal(made.flow.state.step, "failed");
    assert.match(read(made.flow.state.notice?.text) ?? "", /not available/);
  }
});
