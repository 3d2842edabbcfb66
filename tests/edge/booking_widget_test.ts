import assert from "node:assert/strict";
import type {
  BookingCalendar,
  CustomField,
  Slot,
  WaitlistEntry,
} from "../../edge/_shared/booking.ts";
import { handle } from "../../edge/booking-widget/handler.ts";
import { first, more } from "../../edge/booking-widget/dist/bundle.ts";
import { type Api, ApiError, toError } from "../../edge/booking-widget/src/api.ts";
import {
  refusedAnswer,
  textIn,
  toAnswers,
  validate,
  validateAnswer,
} from "../../edge/booking-widget/src/customer.ts";
import {
  addMonths,
  inMonth,
  lastDay,
  localDate,
  moveByKey,
  weeks,
} from "../../edge/booking-widget/src/dates.ts";
import { clock, createFormat } from "../../edge/booking-widget/src/format.ts";
import { createStore, type Store } from "../../edge/booking-widget/src/store.ts";
import { languages, pickLanguage } from "../../edge/booking-widget/src/language.ts";
import { createHash } from "node:crypto";
import {
  booking,
  calendar,
  changeQuote,
  confirmed,
  elements,
  nodes,
  question,
  quote,
  read,
  refuse,
  returned,
  richly,
  type Setting,
  setting,
  size,
  slot,
  soldOut,
  stringsFor,
  texts,
  tick,
  toDetails,
  toRichDetails,
  view,
  waitlistEntry,
  waiver,
} from "./booking_widget_world.ts";

const { integrity, text: script } = first;
const hash = first.file.replace(".js", "");
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
    more: {
      file: more.file,
      integrity: more.integrity,
      bytes: new TextEncoder().encode(more.text).byteLength,
    },
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

Deno.test("the first load is under 36 kB, compressed", async () => {
  const packed = get("", { "Accept-Encoding": "gzip" });
  assert.equal(packed.headers.get("Content-Encoding"), "gzip");
  assert.ok((await packed.arrayBuffer()).byteLength < 36_000);
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
  assert.equal(toError(429, { code: "PT429", message: "too_many_holds" }).code, "too_many_holds");
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

Deno.test("the first look shows the first month that has something free", async () => {
  const { flow, calls } = setting();
  await flow.start();
  assert.equal(flow.state.step, "choose");
  assert.equal(flow.state.month, "2026-12");
  assert.equal(flow.state.day, "2026-12-04");
  // A month, and where nothing is left of it the next; then the times of the first open day.
  assert.deepEqual(calls, [
    "getCalendar",
    "getAvailabilityDays",
    "getAvailabilityDays",
    "getAvailability",
  ]);
});

Deno.test("another room fits the party to it", async () => {
  const { flow } = setting();
  await flow.start();
  assert.equal(flow.state.partySize, 2);
  await flow.choosing.selectRoom("r2");
  assert.equal(flow.state.partySize, 5);
  await flow.choosing.setPartySize(9);
  assert.equal(flow.state.partySize, 5);
});

Deno.test("neither the buttons nor the keys leave what can be booked", async () => {
  const { flow } = setting();
  await flow.start();
  assert.equal(flow.choosing.canShow("2026-10"), false);
  assert.equal(flow.choosing.canShow("2027-01"), true);
  assert.equal(flow.choosing.canShow("2027-02"), false);
  await flow.choosing.moveFocus("2026-11-01");
  assert.equal(flow.state.focusDay, "2026-11-23");
  await flow.choosing.moveFocus("2027-05-01");
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
  const first = flow.choosing.showMonth("2027-01");
  const second = flow.choosing.selectRoom("r2");
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
  await flow.choosing.findNextFree();
  assert.equal(flow.state.day, "2027-01-20");

  const none = setting({ getAvailability: () => Promise.resolve([]) });
  await none.flow.start();
  await none.flow.choosing.findNextFree();
  assert.match(read(none.flow.state.notice?.text) ?? "", /nothing free until/);
});

Deno.test("wrong fields are named, focused and announced, and nothing is sent", async () => {
  const made = setting();
  await made.flow.start();
  await made.flow.choosing.chooseSlot(slot);
  await made.flow.details.submitDetails();
  const { state } = made.flow;
  assert.deepEqual(state.fieldErrors, { full_name: "requiredName", email: "requiredEmail" });
  assert.equal(state.focus?.target, "field-full_name");
  assert.equal(read(state.announcement?.text), "2 fields need another look.");
  assert.equal(made.holds.length, 0);
});

Deno.test("a hold sends the quoted total and the trimmed customer, once", async () => {
  const made = setting();
  await toDetails(made);
  await Promise.all([made.flow.details.submitDetails(), made.flow.details.submitDetails()]);
  assert.equal(made.holds.length, 1);
  assert.deepEqual(made.holds[0], {
    slug: "casa",
    room_id: "r1",
    starts_at: slot.starts_at,
    party_size: 2,
    customer: { full_name: "Maria Ferrer", email: "maria@example.test", locale: "es" },
    expected_total_cents: 8900,
    expected_terms: quote.terms,
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
  await made.flow.details.submitDetails();
  assert.equal(read(made.flow.state.notice?.text), stringsFor("en").errors.network);
  await made.flow.details.submitDetails();
  made.flow.details.type("full_name", "Maria F. Soler");
  fail = false;
  await made.flow.details.submitDetails();
  assert.deepEqual(made.holds.map((hold) => hold.idempotency_key), ["key-1", "key-1", "key-2"]);
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("a taken time leads back to fresh availability", async () => {
  const made = setting({ hold: refuse("slot_taken") });
  await toDetails(made);
  const asked = () => made.calls.filter((call) => call.startsWith("getAvailability")).length;
  const before = asked();
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "choose");
  assert.match(read(made.flow.state.notice?.text) ?? "", /faster/);
  assert.equal(made.flow.state.focus?.target, "notice");
  // The month and the day anew.
  assert.equal(asked(), before + 2);
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
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "details");
  assert.equal(made.flow.state.oldTotal, 8900);
  assert.equal(made.flow.state.quote?.total_cents, 9900);
  assert.equal(made.holds.length, 1);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
  assert.notEqual(made.holds[0]?.idempotency_key, made.holds[1]?.idempotency_key);
});

Deno.test("changed terms are shown before they are agreed to", async () => {
  const tiers = [{ hours_before: 48, refund_percent: 50 }];
  let terms = quote.terms;
  const made = setting({
    quote: () => Promise.resolve({ ...quote, terms }),
    hold: (request) =>
      request.expected_terms === terms
        ? Promise.resolve({ ...booking, manage_token: "secret" })
        : Promise.reject(new ApiError("terms_changed", 409, { terms })),
  });
  await toDetails(made);
  terms = { tiers, no_show_fee_percent: 0 };
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "details");
  assert.match(read(made.flow.state.notice?.text) ?? "", /cancelling has just changed/);
  assert.ok(texts(made.flow).some((text) => text.includes("48 hours")), String(texts(made.flow)));
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("a move whose terms changed is asked about again", async () => {
  let terms = changeQuote.terms;
  const made = await toMove({
    quoteReschedule: () => Promise.resolve({ ...changeQuote, terms }),
    reschedule: (request) =>
      request.expected_terms === terms
        ? Promise.resolve({})
        : Promise.reject(new ApiError("terms_changed", 409, { terms })),
  });
  await made.flow.choosing.chooseSlot(later);
  terms = { tiers: [{ hours_before: 48, refund_percent: 50 }], no_show_fee_percent: 0 };
  await made.flow.more!.moving.confirm();
  assert.match(read(made.flow.state.notice?.text) ?? "", /cancelling has just changed/);
  assert.deepEqual(made.flow.state.moveQuote?.terms, terms);
  await made.flow.more!.moving.confirm();
  assert.equal(made.flow.state.step, "booking");
});

Deno.test("a field that the database refuses is marked in the form", async () => {
  const made = setting({ hold: refuse("customer_invalid", { field: "email" }) });
  await toDetails(made);
  await made.flow.details.submitDetails();
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
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, true);
});

Deno.test("whoever left no address is promised no mail", async () => {
  for (const email of ["ada@example.test", null]) {
    const confirmed = {
      ...booking,
      status: "confirmed" as const,
      due_now_cents: 0,
      customer: { ...booking.customer, email },
    };
    const made = setting({
      hold: () => Promise.resolve({ ...confirmed, manage_token: "secret" }),
      getBooking: () => Promise.resolve(confirmed),
    });
    await toDetails(made);
    await made.flow.details.submitDetails();
    const promised = texts(made.flow).filter((text) => text.includes("sent the confirmation"));
    assert.deepEqual(promised, email ? [`We have sent the confirmation to ${email}.`] : []);
  }
});

Deno.test("a visitor whose clock is wrong still sees the whole hold", async () => {
  const made = setting({
    hold: () => {
      const end = new Date(made.clock + 3_600_000 + 15 * 60_000).toISOString();
      return Promise.resolve({ ...booking, hold_expires_at: end, manage_token: "secret" });
    },
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.remaining, 900);
});

Deno.test("the countdown speaks at five minutes and ends with the server's word", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.details.submitDetails();
  made.clock += 10 * 60_000;
  made.flow.paying.tick();
  assert.equal(read(made.flow.state.announcement?.text), "5 minutes left to pay.");
  const longer = new Date(made.clock + 33 * 60_000).toISOString();
  made.flow.world.api.getBooking = () => Promise.resolve({ ...booking, hold_expires_at: longer });
  made.clock += 5 * 60_000;
  made.flow.paying.tick();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(made.flow.state.remaining, 28 * 60);
});

Deno.test("paying leaves for the provider's page, and for nothing that is no web address", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.paying.pay();
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
  await bad.flow.details.submitDetails();
  await bad.flow.paying.pay();
  assert.deepEqual(bad.redirects, []);
  assert.match(read(bad.flow.state.notice?.text) ?? "", /still kept/);
});

Deno.test("giving a time up frees it at once", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.paying.release();
  assert.ok(made.calls.includes("cancelBooking"));
  assert.equal(made.flow.state.step, "choose");
  assert.equal(made.store.open("casa"), null);
});

Deno.test("a reload while a time is held comes back to the payment", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.details.submitDetails();
  const again = setting({}, {}, made.store);
  await again.flow.start();
  assert.equal(again.flow.state.step, "pay");
});

Deno.test("a hold that ended meanwhile does not stand in the way of a new booking", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.details.submitDetails();
  const again = setting(
    { getBooking: () => Promise.resolve({ ...booking, status: "expired" as const }) },
    {},
    made.store,
  );
  await again.flow.start();
  assert.equal(again.flow.state.step, "choose");
  assert.equal(made.store.open("casa"), null);
});

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

Deno.test("what is paid later is thanked for, and books nothing anew", async () => {
  const made = setting({
    getBooking: () =>
      Promise.resolve({ ...booking, status: "confirmed" as const, paid_cents: 8900 }),
  }, { ...returned, payment: "success" });
  made.store.save("ABCD-2345", { token: "secret", calendar: "casa", skew: 0, paid: 3000 });
  await made.flow.start();
  assert.equal(made.flow.state.fresh, false);
  assert.match(read(made.flow.state.notice?.text) ?? "", /received your payment/);
  assert.deepEqual(made.events, []);
});

Deno.test("waiting for a confirmation ends, politely, and can be repeated", async () => {
  const made = setting({}, { ...returned, payment: "success" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "slow");
  const looks = made.calls.length;
  assert.ok(looks < 40, `${looks} requests`);
  made.flow.world.api.getBooking = () =>
    Promise.resolve({ ...booking, status: "confirmed" as const });
  await made.flow.paying.checkAgain();
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
        cancellation: {
          refund_percent: percent,
          refund_cents: 89 * percent,
          disputed_cents: 0,
          lost_cents: 0,
        },
      }),
  }, returned);
  await made.flow.start();
  percent = 50;
  await made.flow.more!.managing.askCancel();
  assert.equal(made.flow.state.asking, "cancel");
  assert.equal(made.flow.state.booking?.cancellation.refund_cents, 4450);
  made.flow.more!.managing.keep();
  assert.equal(made.flow.state.asking, null);
  assert.ok(!made.calls.includes("cancelBooking"));
  await made.flow.more!.managing.askCancel();
  await made.flow.more!.managing.confirmCancel();
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
  await made.flow.more!.managing.askCancel();
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

// ---- what is booked beside the slot ----

Deno.test("answers are checked as their kind wants it", () => {
  const of = (kind: CustomField["kind"], value: string | boolean, more = {}) =>
    validateAnswer(question(kind, more), value);
  assert.equal(of("text", "", { required: true }), "requiredField");
  assert.equal(of("text", "", {}), null);
  assert.equal(of("text", "AB12", { pattern: "[A-Z]{2}[0-9]{2}" }), null);
  assert.equal(of("text", "xAB12", { pattern: "[A-Z]{2}[0-9]{2}" }), "invalidField");
  // An expression of another dialect is the database's to judge.
  assert.equal(of("text", "x", { pattern: "(?<" }), null);
  assert.equal(of("number", "3,5"), null);
  assert.equal(of("number", "three"), "invalidNumber");
  assert.equal(of("email", "a@b"), "invalidEmail");
  assert.equal(of("checkbox", false, { required: true }), "requiredTick");
  assert.equal(of("phone", "call me"), "invalidPhone");
  assert.equal(of("phone", "+34 600 00 00 00"), null);
  assert.equal(of("phone", "+٣٤ ६०० ００ 00 ๐๐"), null);
  assert.equal(of("textarea", "a", { minimum_length: 2 }), "invalidField");
  assert.equal(of("textarea", "🔒🔒", { maximum_length: 2 }), null);
  assert.equal(of("text", "abc", { maximum_length: 2 }), "invalidField");
  assert.equal(of("text", "", { minimum_length: 2 }), null);
  assert.equal(refusedAnswer(question("phone"), "phone"), "invalidPhone");
  assert.equal(validateAnswer(size, "xl"), "requiredChoice");
  assert.equal(refusedAnswer(size, "option"), "requiredChoice");
  assert.equal(refusedAnswer(question("number"), "kind"), "invalidNumber");
});

Deno.test("answers are sent as values of their kind, and empty ones not at all", () => {
  const questions = [question("number"), question("checkbox"), question("date"), question("text")];
  const typed = { number: " 3,5 ", checkbox: false, date: "2026-12-24", text: "  " };
  assert.deepEqual(toAnswers(questions, typed), { number: 3.5, date: "2026-12-24" });
  assert.deepEqual(toAnswers(questions, { checkbox: true }), { checkbox: true });
});

Deno.test("a venue's text is shown in another language rather than not at all", () => {
  assert.equal(textIn({ es: "hola", en: "hello" }, "en"), "hello");
  assert.equal(textIn({ es: "hola", en: "hello" }, "ca", "es"), "hola");
  assert.equal(textIn({ en: "hello" }, "ca", "es"), "hello");
  assert.equal(textIn(null, "ca"), "");
});

Deno.test("by the date, the times of all rooms are asked for, and the time names the room", async () => {
  const { flow, asked } = richly();
  await flow.start();
  assert.equal(flow.state.roomId, null);
  assert.deepEqual(flow.party, { minimum: 2, maximum: 8 });
  assert.ok(!("room_id" in (asked("getAvailability")[0] as object)));
  await flow.choosing.chooseSlot({ ...slot, room_id: "r2" });
  assert.equal(flow.room?.id, "r2");
  flow.choosing.backToChoose();
  assert.equal(flow.room, null);
});

Deno.test("a plain booking asks for nothing but its slot, in the visitor's language", async () => {
  const made = setting();
  await toDetails(made);
  assert.deepEqual(made.asked("quote"), [
    { slug: "casa", room_id: "r1", starts_at: slot.starts_at, party_size: 2, locale: "es" },
  ]);
});

Deno.test("all that was wished for is quoted and held, with the words that were agreed to", async () => {
  const made = richly();
  await toRichDetails(made);
  await Promise.all([made.flow.pricing.setExtra("x1", 1), made.flow.pricing.setExtra("x1", 2)]);
  await made.flow.pricing.setExtra("x1", 3);
  await made.flow.pricing.setExclusive(true);
  made.flow.pricing.typeCode(" summer ");
  await made.flow.pricing.applyCode();
  made.flow.details.answer("number", "4");
  made.flow.details.typeNote(" We come late. ");
  tick(made.flow, "marketing");
  await made.flow.details.submitDetails();
  const options = {
    extras: [{ extra_id: "x1", quantity: 2 }],
    coupon_code: "summer",
    exclusive: true,
  };
  const quoted = made.asked("quote").at(-1) as object;
  assert.deepEqual({ ...quoted, ...options }, quoted);
  const { extras, coupon_code, exclusive, fields, customer_note, consents } = made.holds[0]!;
  assert.deepEqual({ extras, coupon_code, exclusive }, options);
  assert.deepEqual(fields, { select: "m", number: 4 });
  assert.equal(customer_note, "We come late.");
  assert.deepEqual(consents, [
    {
      kind: "terms",
      granted: true,
      wording: "Llegad a tiempo.",
    },
    {
      kind: "marketing",
      granted: true,
      wording: "Casa puede enviarme novedades y ofertas por correo electrónico.",
    },
  ]);
  // Two steps in a row are one question: three quotes beside the first.
  assert.equal(made.calls.filter((call) => call === "quote").length, 4);
});

Deno.test("nothing is held before the terms are accepted and the questions answered", async () => {
  const made = richly();
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.deepEqual(made.flow.state.fieldErrors, {
    "field-select": "requiredChoice",
    terms: "requiredTerms",
  });
  assert.equal(made.flow.state.focus?.target, "field-select");
  assert.deepEqual(made.holds, []);
});

const withCalendar = (told: BookingCalendar) => setting({ getCalendar: async () => await told });
const shown = ({ flow }: Setting) => JSON.stringify(elements(flow));

Deno.test("what is asked for one room is asked of whoever books it", async () => {
  const asked = { ...question("text", { key: "diver", required: true }), room_id: "r2" };
  const fields = [question("textarea", { placeholder: { en: "Tell us" } }), asked];
  const made = withCalendar({ ...calendar, fields });
  await toDetails(made);
  made.flow.details.answer("diver", "yes");
  assert.ok(shown(made).includes("Tell us"));
  assert.ok(!shown(made).includes("field-diver"));
  await made.flow.details.submitDetails();
  assert.deepEqual(made.holds.map((hold) => hold.fields), [undefined]);

  const other = withCalendar({ ...calendar, fields: [{ ...asked, room_id: "r1" }] });
  await toDetails(other);
  await other.flow.details.submitDetails();
  assert.deepEqual(other.flow.state.fieldErrors, { "field-diver": "requiredField" });
});

Deno.test("a room says tersely for whom it is, in the visitor's language", async () => {
  const told = {
    ...calendar,
    rooms: [{
      ...calendar.rooms[0]!,
      name: "La cripta",
      names: { en: "The Crypt" },
      minimum_age: 16,
      minimum_age_accompanied: 12,
      fear: 4,
      languages: ["es", "en"],
      is_accessible: true,
    }],
    descriptions: { en: "Two games in a cellar." },
  };
  const made = withCalendar(told);
  await made.flow.start();
  for (
    const words of [
      "The Crypt",
      "Age 16+ (with an adult 12+)",
      "Fear 4/5",
      "ES · EN",
      "Spanish, English",
      "Wheelchair accessible",
      "Two games in a cellar.",
    ]
  ) assert.ok(shown(made).includes(words), words);
  const silent = setting();
  await silent.flow.start();
  for (const words of ["Age", "Fear", "Wheelchair"]) {
    assert.ok(!shown(silent).includes(words), words);
  }
});

Deno.test("how to get there is told with the details, how to get in with the booking", async () => {
  const place = {
    ...calendar.locations[0]!,
    address: "Carrer Major 1",
    phone: "972 000 000",
    directions: { en: "Five minutes from the station." },
  };
  const made = withCalendar({ ...calendar, locations: [place] });
  await toDetails(made);
  for (const words of ["Carrer Major 1", "972 000 000", "Five minutes from the station."]) {
    assert.ok(shown(made).includes(words), words);
  }
  const location = {
    name: "Casa",
    address: "",
    phone: "972 000 000",
    arrival_hints: "Ring at 2B.",
    directions: null,
    latitude: null,
    longitude: null,
    line: "Casa",
  };
  const come = (status: "confirmed" | "cancelled") =>
    setting({ getBooking: async () => await { ...confirmed, status, location } }, returned);
  const booked = come("confirmed");
  await booked.flow.start();
  assert.ok(shown(booked).includes("Ring at 2B."));
  assert.ok(shown(booked).includes("972 000 000"));
  // Whoever does not come need not know.
  const cancelled = come("cancelled");
  await cancelled.flow.start();
  assert.ok(!shown(cancelled).includes("Ring at 2B."));
});

Deno.test("an answer that the database refuses is marked in the form", async () => {
  const made = richly({ hold: refuse("field_invalid", { field: "number", rule: "pattern" }) });
  await toRichDetails(made);
  await made.flow.details.submitDetails();
  assert.deepEqual(made.flow.state.fieldErrors, { "field-number": "invalidField" });
  const terms = richly({ hold: refuse("terms_not_accepted") });
  await toRichDetails(terms);
  await terms.flow.details.submitDetails();
  assert.deepEqual(terms.flow.state.fieldErrors, { terms: "requiredTerms" });
});

Deno.test("a code that is no discount is tried as a gift voucher", async () => {
  const made = richly({
    quote: (request) =>
      request.coupon_code
        ? Promise.reject(new ApiError("coupon_not_found", 422))
        : Promise.resolve({ ...quote, voucher_cents: request.voucher_code ? 3000 : 0 }),
  });
  await toRichDetails(made);
  made.flow.pricing.typeCode("GIFT");
  await made.flow.pricing.applyCode();
  assert.equal(made.flow.state.codeProblem, null);
  assert.deepEqual(made.flow.state.wishes, {
    extras: {},
    exclusive: false,
    coupon: null,
    voucher: "GIFT",
  });
  assert.equal(made.flow.state.quote?.voucher_cents, 3000);
  await made.flow.pricing.removeCode("voucher");
  assert.equal(made.flow.state.quote?.voucher_cents, 0);
});

Deno.test("a refused code says why, and the price without it stays", async () => {
  const made = richly({
    quote: (request) =>
      request.coupon_code
        ? Promise.reject(new ApiError("coupon_expired", 422))
        : Promise.resolve(quote),
  });
  await toRichDetails(made);
  made.flow.pricing.typeCode("OLD");
  await made.flow.pricing.applyCode();
  assert.equal(made.flow.state.codeProblem, "coupon_expired");
  assert.equal(made.flow.state.quote?.total_cents, 8900);
  assert.ok(texts(made.flow).includes("This code has expired."));
  made.flow.pricing.typeCode("");
  await made.flow.pricing.applyCode();
  assert.equal(made.flow.state.codeProblem, "code_required");
});

Deno.test("a refused code leaves no price behind that what was just chosen has changed", async () => {
  const made = richly({
    quote: (request) =>
      request.coupon_code
        ? Promise.reject(new ApiError("coupon_expired", 422))
        : Promise.resolve({ ...quote, total_cents: request.extras ? 9900 : 8900 }),
  });
  await toRichDetails(made);
  const chosen = made.flow.pricing.setExtra("x1", 1);
  made.flow.pricing.typeCode("NONE");
  await Promise.all([made.flow.pricing.applyCode(), chosen]);
  assert.equal(made.flow.state.codeProblem, "coupon_expired");
  assert.equal(made.flow.state.pricing, false);
  assert.equal(made.flow.state.quote?.total_cents, 9900);
});

Deno.test("a coupon used up at the last moment is taken out, not the booking", async () => {
  const made = richly({
    hold: (request) =>
      request.coupon_code
        ? Promise.reject(new ApiError("coupon_max_uses", 422))
        : Promise.resolve({ ...booking, manage_token: "secret" }),
  });
  await toRichDetails(made);
  made.flow.pricing.typeCode("LAST");
  await made.flow.pricing.applyCode();
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "details");
  assert.equal(made.flow.state.wishes.coupon, null);
  assert.equal(made.flow.state.codeProblem, "coupon_max_uses");
  assert.ok(made.flow.state.quote);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("an extra that is sold out is reduced to what is left", async () => {
  let left = 9;
  const made = richly({
    hold: () => {
      left = 1;
      return Promise.reject(new ApiError("extra_sold_out", 409, { extra_id: "x1", left }));
    },
  });
  await toRichDetails(made);
  await made.flow.pricing.setExtra("x1", 2);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.wishes.extras.x1, 1);
  assert.match(read(made.flow.state.notice?.text) ?? "", /Only 1/);
});

Deno.test("what can be added may change meanwhile: it is dropped and said", async () => {
  const made = richly({
    quote: (request) =>
      request.exclusive
        ? Promise.reject(new ApiError("exclusive_not_offered", 422))
        : Promise.resolve(quote),
  });
  await toRichDetails(made);
  await made.flow.pricing.setExclusive(true);
  assert.equal(made.flow.state.wishes.exclusive, false);
  assert.ok(made.flow.state.quote);
  assert.match(read(made.flow.state.notice?.text) ?? "", /choose again/);
});

Deno.test("a shared session is offered alone only while nobody is in it", async () => {
  const made = richly();
  await made.flow.start();
  await made.flow.choosing.chooseSlot({ ...slot, seats_available: 8 });
  assert.equal(made.flow.pricing.canBeExclusive, true);
  await made.flow.pricing.setExclusive(true);
  made.flow.choosing.backToChoose();
  await made.flow.choosing.chooseSlot({ ...slot, seats_available: 5 });
  assert.equal(made.flow.pricing.canBeExclusive, false);
  assert.equal(made.flow.state.wishes.exclusive, false);
});

Deno.test("a voucher that pays all needs no payment page", async () => {
  const confirmed = { ...booking, status: "confirmed" as const, paid_cents: 8900 };
  const made = richly({
    quote: () => Promise.resolve({ ...quote, voucher_cents: 8900 }),
    hold: () => Promise.resolve({ ...confirmed, manage_token: "secret" }),
    getBooking: () => Promise.resolve(confirmed),
  });
  await toRichDetails(made);
  assert.ok(texts(made.flow).includes("Confirm booking"));
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "booking");
  assert.ok(!made.calls.includes("checkout"));
});

Deno.test("too many holds are explained where the visitor is", async () => {
  const made = richly({ hold: refuse("too_many_holds", { maximum: 5 }) });
  await toRichDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "details");
  assert.match(read(made.flow.state.notice?.text) ?? "", /several times already/);
});

Deno.test("going back from the payment gives the time back and keeps what was typed", async () => {
  const made = richly();
  await toRichDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
  await made.flow.paying.backToDetails();
  assert.ok(made.calls.includes("cancelBooking"));
  assert.equal(made.flow.state.step, "details");
  assert.match(read(made.flow.state.notice?.text) ?? "", /no longer keep this time/);
  assert.equal(made.flow.state.form.email, "maria@example.test");
  assert.equal(made.flow.state.answers.select, "m");
  assert.equal(made.store.open("casa"), null);
  await made.flow.details.submitDetails();
  assert.notEqual(made.holds[0]?.idempotency_key, made.holds[1]?.idempotency_key);
});

// ---- the waitlist ----

Deno.test("what is taken is never shown as free, and listed only where the venue shows it", async () => {
  const plain = setting(soldOut("2026-12-10"));
  await plain.flow.start();
  assert.ok(!("include_taken" in (plain.asked("getAvailability")[0] as object)));

  const { flow } = richly(soldOut("2026-12-02", "2026-12-04", "2026-12-10"));
  await flow.start();
  assert.equal(flow.state.day, "2026-12-04");
  assert.deepEqual(flow.state.slots, [slot]);
  assert.equal(flow.choosing.dayOf("2026-12-10")?.free, 0);
});

Deno.test("the waitlist is offered only for days on which something could become free", async () => {
  const { flow } = richly(soldOut("2026-12-10", "2027-01-15"));
  const offers = () => texts(flow).includes("Join the waitlist");
  await flow.start();
  assert.ok(flow.choosing.canSelect("2026-12-10"));
  // Closed, blocked, past or too far ahead: nothing is sold, so nothing is taken.
  for (const day of ["2026-12-09", "2026-12-11", "2026-11-01", "2027-03-01"]) {
    assert.equal(flow.choosing.canSelect(day), false, day);
    await flow.choosing.selectDay(day);
    assert.equal(flow.state.day, "2026-12-04");
  }
  assert.ok(!offers());
  await flow.choosing.selectDay("2026-12-10");
  assert.ok(offers());
  // A month without anything free, in which a day is sold out.
  await flow.choosing.showMonth("2027-01");
  assert.ok(offers());
  await flow.choosing.openWaitlist();
  assert.deepEqual(flow.state.waiting, {
    from: "2027-01-01",
    to: "2027-01-22",
    roomId: null,
    slot: null,
  });

  // A month in which the venue is closed.
  const closed = richly(soldOut());
  await closed.flow.start();
  await closed.flow.choosing.showMonth("2027-01");
  assert.deepEqual(closed.flow.state.slots, []);
  assert.ok(!texts(closed.flow).includes("Join the waitlist"));
});

Deno.test("a full day stays chosen while the page lies open, and only as long as it is full", async () => {
  let days = ["2026-12-10"];
  const made = richly({
    getAvailability: (request) => soldOut(...days).getAvailability!(request),
  });
  await made.flow.start();
  await made.flow.choosing.selectDay("2026-12-10");
  for (const [now, day] of [[days, "2026-12-10"], [[], "2026-12-04"]] as const) {
    days = [...now];
    made.clock += 61_000;
    await made.flow.wake();
    assert.equal(made.flow.state.day, day);
  }
});

Deno.test("a full day leads to the waitlist, where the calendar has one", async () => {
  const plain = setting();
  await plain.flow.start();
  assert.equal(plain.flow.choosing.canSelect("2026-12-10"), false);

  const made = richly(soldOut("2026-12-10"));
  await made.flow.start();
  await made.flow.choosing.selectDay("2026-12-10");
  assert.equal(made.flow.state.day, "2026-12-10");
  await made.flow.choosing.openWaitlist();
  assert.deepEqual(made.flow.state.waiting, {
    from: "2026-12-10",
    to: "2026-12-10",
    roomId: null,
    slot: null,
  });
  made.flow.more!.waitlist.change({ to: "2026-12-01" });
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.fieldErrors.dates, "invalidDates");
  assert.equal(made.flow.state.focus?.target, "field-dates");
  made.flow.more!.waitlist.change({ to: "2026-12-12", roomId: "r2" });
  made.flow.details.type("full_name", "Maria");
  made.flow.details.type("email", "maria@example.test");
  made.flow.details.answer("select", "m");
  tick(made.flow);
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.step, "waiting");
  const { consents, ...asked } = made.asked("joinWaitlist")[0] as Record<string, unknown>;
  assert.equal((consents as unknown[]).length, 1);
  assert.deepEqual(asked, {
    slug: "casa",
    room_id: "r2",
    from_date: "2026-12-10",
    to_date: "2026-12-12",
    // As many as the room takes.
    party_size: 5,
    customer: { full_name: "Maria", email: "maria@example.test", locale: "es" },
    fields: { select: "m" },
    idempotency_key: "key-1",
  });
});

Deno.test("nobody waits beside a free place", async () => {
  const made = richly({ joinWaitlist: refuse("place_available") });
  await toRichDetails(made);
  made.flow.choosing.backToChoose();
  await made.flow.choosing.openWaitlist();
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.step, "choose");
  assert.match(read(made.flow.state.notice?.text) ?? "", /free place already/);
});

const offered = { ...booking, due_now_cents: 0 };

Deno.test("a place that the waitlist offers for nothing is accepted, not paid", async () => {
  const made = setting({ getBooking: () => Promise.resolve(offered) }, returned);
  await made.flow.start();
  assert.equal(made.flow.state.step, "pay");
  assert.ok(texts(made.flow).includes("Confirm booking"));
  await made.flow.paying.pay();
  assert.deepEqual(made.asked("acceptOffer"), [{ reference: "ABCD-2345", manage_token: "secret" }]);
  assert.deepEqual(made.asked("checkout"), []);
  assert.equal(made.flow.state.fresh, true);
  assert.deepEqual(made.events, ["confirmed ABCD-2345"]);
});

Deno.test("an offer that is over says so", async () => {
  const made = setting({
    getBooking: () => Promise.resolve(offered),
    acceptOffer: refuse("waitlist_offer_over"),
  }, returned);
  await made.flow.start();
  await made.flow.paying.pay();
  assert.equal(made.flow.state.step, "pay");
  assert.match(read(made.flow.state.notice?.text) ?? "", /offer is over/);
});

Deno.test("days on which nothing is sold cannot be waited for, and that is said", async () => {
  const made = richly({ joinWaitlist: refuse("slot_not_offered") });
  await toRichDetails(made);
  (await made.flow.loadMore()).waitlist.open("2026-12-01", "2026-12-02");
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.step, "waitlist");
  assert.match(read(made.flow.state.notice?.text) ?? "", /Nothing is sold on these days/);
});

Deno.test("the link that leaves the waitlist asks before it does", async () => {
  const made = richly({}, { leave: "w" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "leave");
  assert.ok(!made.calls.includes("leaveWaitlist"));
  await made.flow.more!.waitlist.leave("w");
  assert.deepEqual(made.asked("leaveWaitlist"), ["w"]);
  assert.equal(made.flow.state.step, "left");
});

Deno.test("a reload after the waitlist was left says that it is done", async () => {
  for (const status of ["left", "declined", "lapsed", "removed", "expired"]) {
    const made = richly(
      { getWaitlistEntry: () => Promise.resolve({ ...waitlistEntry, status } as WaitlistEntry) },
      { leave: "w" },
    );
    await made.flow.start();
    assert.equal(made.flow.state.step, "left");
    assert.ok(texts(made.flow).includes("You are off the waitlist"));
    assert.ok(!made.calls.includes("leaveWaitlist"));
  }
});

Deno.test("a link to the waitlist that leads nowhere says so", async () => {
  const made = richly({ getWaitlistEntry: refuse("waitlist_entry_not_found") }, { leave: "w" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.match(read(made.flow.state.notice?.text) ?? "", /cannot find you on the waitlist/);
});

Deno.test("who leaves the waitlist sees what is waited for", async () => {
  const made = richly(
    {
      getWaitlistEntry: () =>
        Promise.resolve({
          ...waitlistEntry,
          room_id: "r1",
          room_name: "The crypt",
          starts_at: slot.starts_at,
          from_date: slot.local_date,
          to_date: slot.local_date,
          party_size: 3,
        }),
    },
    { leave: "w" },
  );
  await made.flow.start();
  await new Promise((resolve) => setTimeout(resolve));
  const shown = texts(made.flow).join(" ");
  assert.match(shown, /Friday,? 4 December/);
  assert.match(shown, /18:00/);
  assert.match(shown, /3 players/);
});

// ---- the link once more ----

const LOST = "Already booked? Get your link again";

/** Press the button with this label; false: there is none. */
function press(made: Setting, label: string): boolean {
  const found = elements(made.flow).find((node) =>
    node.tag === "button" && [...nodes([node])].includes(label)
  );
  (found?.props.onclick as ((event: unknown) => void) | undefined)?.({ preventDefault: () => {} });
  return found !== undefined;
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

async function toLost(api: Partial<Api> = {}): Promise<Setting> {
  const made = setting(api);
  await made.flow.start();
  assert.ok(press(made, LOST));
  await settled();
  assert.equal(made.flow.state.step, "lost");
  return made;
}

Deno.test("whoever lost the mail asks for the links with the address alone", async () => {
  const made = await toLost();
  assert.equal(made.flow.state.focus?.target, "heading");
  assert.equal(elements(made.flow).filter((node) => node.tag === "input").length, 1);
  made.flow.details.type("email", " maria@example.test ");
  assert.ok(press(made, "Send me the link"));
  assert.equal(made.flow.state.busy, "resend");
  await made.flow.more!.resending.send();
  await settled();
  assert.deepEqual(made.asked("emailMyBookings"), [{ slug: "casa", email: "maria@example.test" }]);
  assert.equal(made.flow.state.step, "resent");
  assert.equal(made.flow.state.focus?.target, "heading");
  assert.ok(
    texts(made.flow).includes(
      "If there are bookings under maria@example.test, the links are on their way.",
    ),
  );
  assert.ok(press(made, "Back to the calendar"));
  await settled();
  assert.equal(made.flow.state.step, "choose");
});

Deno.test("another address can be tried, and back leads to the calendar", async () => {
  const made = await toLost();
  made.flow.details.type("email", "mistaken@example.test");
  await made.flow.more!.resending.send();
  const deep = made.past.length;
  assert.ok(press(made, "Use another address"));
  assert.equal(made.flow.state.step, "lost");
  assert.equal(made.past.length, deep);
  await made.flow.trail.back();
  await settled();
  assert.equal(made.flow.state.step, "choose");
  assert.equal(made.past.length, deep - 1);
});

Deno.test("an address that is none is named at its field, by us or by the database", async () => {
  const made = await toLost({ emailMyBookings: refuse("email_invalid") });
  for (const [typed, problem] of [["", "requiredEmail"], ["maria@", "invalidEmail"]] as const) {
    made.flow.details.type("email", typed);
    await made.flow.more!.resending.send();
    assert.deepEqual(made.flow.state.fieldErrors, { email: problem });
    assert.equal(made.flow.state.focus?.target, "field-email");
    assert.equal(read(made.flow.state.announcement?.text), "One field needs another look.");
  }
  assert.deepEqual(made.asked("emailMyBookings"), []);
  made.flow.details.type("email", "maria@example.test");
  await made.flow.more!.resending.send();
  assert.equal(made.calls.at(-1), "emailMyBookings");
  assert.deepEqual(made.flow.state.fieldErrors, { email: "invalidEmail" });
  assert.equal(made.flow.state.notice, null);
});

Deno.test("links that cannot be sent now say when to ask again, where they were asked for", async () => {
  for (
    const [code, status, said] of [
      ["rate_limited", 429, /Try again in an hour/],
      ["mail_limit_reached", 429, /Try again tomorrow/],
      ["network", 0, /There is no connection/],
    ] as const
  ) {
    const made = await toLost({
      emailMyBookings: () => Promise.reject(new ApiError(code, status)),
    });
    made.flow.details.type("email", "maria@example.test");
    await made.flow.more!.resending.send();
    assert.equal(made.flow.state.step, "lost");
    assert.equal(made.flow.state.busy, null);
    assert.match(read(made.flow.state.notice?.text) ?? "", said);
    assert.equal(made.flow.state.focus?.target, "notice");
    assert.ok(elements(made.flow).some((node) => node.props.role === "alert"));
  }
});

Deno.test("a link that leads to no booking offers another, and back says so again", async () => {
  const dead = setting({ getBooking: refuse("booking_not_found") }, returned);
  const unknown = setting({}, { reference: "ABCD-2345" });
  for (const [made, step] of [[dead, "failed"], [unknown, "elsewhere"]] as const) {
    await made.flow.start();
    assert.equal(made.flow.state.step, step);
    assert.ok(press(made, LOST));
    await settled();
    assert.equal(made.flow.state.step, "lost");
    await made.flow.trail.back();
    await settled();
    assert.equal(made.flow.state.step, step);
  }
});

Deno.test("whoever is offline is not told to ask for another link", async () => {
  const made = setting({ getBooking: () => Promise.reject(new ApiError("network", 0)) }, returned);
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.ok(!press(made, LOST));
});

Deno.test("a booking that is moved is not asked for", async () => {
  const made = await toMove();
  assert.equal(made.flow.state.step, "move");
  assert.ok(!press(made, LOST));
});

// ---- moving a booking ----

const later: Slot = { ...slot, starts_at: "2026-12-05T17:00:00Z", local_date: "2026-12-05" };

async function toMove(api: Partial<Api> = {}): Promise<Setting> {
  const made = richly({
    getBooking: () => Promise.resolve(confirmed),
    getAvailability: () => Promise.resolve([slot, later]),
    ...api,
  }, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  return made;
}

Deno.test("a booking is moved to another time after its price was shown", async () => {
  const made = await toMove();
  assert.equal(made.flow.state.step, "move");
  assert.equal(made.flow.state.roomId, "r1");
  assert.equal(made.flow.state.month, "2026-12");
  await made.flow.choosing.chooseSlot(later);
  assert.equal(made.flow.state.step, "moveQuote");
  assert.ok(!made.calls.includes("reschedule"));
  assert.ok(texts(made.flow).includes("The new booking costs €10.00 more."));
  await made.flow.more!.moving.confirm();
  assert.deepEqual(made.asked("reschedule"), [{
    reference: "ABCD-2345",
    manage_token: "secret",
    starts_at: later.starts_at,
    room_id: "r1",
    party_size: 2,
    expected_total_cents: 9900,
    expected_terms: changeQuote.terms,
    idempotency_key: "key-1",
  }]);
  assert.equal(made.flow.state.step, "booking");
  // The mail about it waits for further changes.
  assert.match(read(made.flow.state.notice?.text) ?? "", /has been changed. .* comes by mail in a/);
  assert.deepEqual(made.events, ["rescheduled ABCD-2345"]);
});

Deno.test("the time can be kept while the party changes", async () => {
  const made = await toMove();
  await made.flow.choosing.setPartySize(4);
  await made.flow.more!.moving.keepTime();
  const [asked] = made.asked("quoteReschedule") as { starts_at: string; party_size: number }[];
  assert.equal(asked?.starts_at, slot.starts_at);
  assert.equal(asked?.party_size, 4);
});

Deno.test("a move that is not allowed any more is explained at the booking", async () => {
  const made = await toMove({ quoteReschedule: refuse("not_reschedulable") });
  await made.flow.choosing.chooseSlot(later);
  assert.equal(made.flow.state.step, "booking");
  assert.match(read(made.flow.state.notice?.text) ?? "", /can no longer be changed/);
});

Deno.test("a move that finds its time taken leads back to what is free", async () => {
  const made = await toMove({ reschedule: refuse("slot_taken") });
  await made.flow.choosing.chooseSlot(later);
  await made.flow.more!.moving.confirm();
  assert.equal(made.flow.state.step, "move");
  assert.match(read(made.flow.state.notice?.text) ?? "", /faster/);
});

Deno.test("a move whose price changed is asked about again, with another key", async () => {
  let total = 9900;
  const made = await toMove({
    quoteReschedule: () => Promise.resolve({ ...changeQuote, total_cents: total }),
    reschedule: (request) =>
      request.expected_total_cents === total
        ? Promise.resolve({})
        : Promise.reject(new ApiError("total_changed", 409)),
  });
  await made.flow.choosing.chooseSlot(later);
  total = 10900;
  await made.flow.more!.moving.confirm();
  assert.equal(made.flow.state.oldTotal, 9900);
  assert.ok(texts(made.flow).includes("The price has changed from €99.00 to €109.00."));
  await made.flow.more!.moving.confirm();
  assert.equal(made.flow.state.step, "booking");
  const keys = (made.asked("reschedule") as { idempotency_key: string }[])
    .map((request) => request.idempotency_key);
  assert.equal(new Set(keys).size, 2);
});

Deno.test("a move whose answer got lost is tried again with its own key", async () => {
  const made = await toMove({ reschedule: () => Promise.reject(new ApiError("network", 0)) });
  await made.flow.choosing.chooseSlot(later);
  await made.flow.more!.moving.confirm();
  await made.flow.more!.moving.confirm();
  const keys = (made.asked("reschedule") as { idempotency_key: string }[])
    .map((request) => request.idempotency_key);
  assert.deepEqual(keys, ["key-1", "key-1"]);
});

Deno.test("what is still open is shown, and paid where that can be done online", async () => {
  const open = { ...confirmed, total_cents: 10900, open_cents: 2000 };
  const made = richly({ getBooking: () => Promise.resolve(open) }, returned);
  await made.flow.start();
  assert.ok(texts(made.flow).includes("Pay €20.00"));
  await made.flow.paying.pay();
  assert.deepEqual(made.redirects, ["https://pay.test/1"]);
  // Back from the page, the money takes a moment: it is waited for.
  let looks = 0;
  const again = richly({
    getBooking: () => Promise.resolve(++looks < 3 ? open : { ...open, paid_cents: 10900 }),
  }, { ...returned, payment: "success" });
  again.store.save("ABCD-2345", { token: "secret", calendar: "casa", skew: 0, paid: 8900 });
  await again.flow.start();
  assert.equal(again.flow.state.booking?.paid_cents, 10900);

  const refused = richly({
    getBooking: () => Promise.resolve(open),
    checkout: refuse("nothing_due"),
  }, returned);
  await refused.flow.start();
  await refused.flow.paying.pay();
  assert.match(read(refused.flow.state.notice?.text) ?? "", /at the venue/);
});

Deno.test("who owes a deposit chooses between it and all, and the rest is what can be paid", async () => {
  const due = { ...booking, due_now_cents: 3000, payable_cents: 8900 };
  const amounts: unknown[] = [];
  const made = richly({
    getBooking: () => Promise.resolve(due),
    checkout: (_key, _back, amount) => {
      amounts.push(amount);
      return Promise.reject(new Error("not here"));
    },
  }, returned);
  await made.flow.start();
  assert.ok(texts(made.flow).includes("Pay €30.00"));
  assert.ok(texts(made.flow).includes("Pay all of it now: €89.00"));
  await made.flow.paying.pay();
  await made.flow.paying.pay("all");
  assert.deepEqual(amounts, ["due", "all"]);

  // Where only the deposit is taken online there is nothing to choose.
  const only = { ...due, payable_cents: 3000 };
  const plain = richly({ getBooking: () => Promise.resolve(only) }, returned);
  await plain.flow.start();
  assert.ok(!texts(plain.flow).some((text) => text.startsWith("Pay all")));

  const rest = { ...confirmed, total_cents: 8900, paid_cents: 3000, open_cents: 5900 };
  for (const [payable_cents, label] of [[5900, "Pay €59.00"], [0, null]] as const) {
    const opened = richly({
      getBooking: () => Promise.resolve({ ...rest, payable_cents }),
    }, returned);
    await opened.flow.start();
    const pays = texts(opened.flow).filter((text) => text.startsWith("Pay "));
    assert.deepEqual(pays, label === null ? [] : [label]);
  }
});

// ---- waivers ----

Deno.test("a waiver is signed for oneself and one's minors, drawn or typed", async () => {
  const made = richly({}, { waiver: "token" });
  await made.flow.start();
  assert.equal(made.flow.state.step, "waiver");
  const { waivers } = made.flow.more!;
  waivers.addMinor();
  await waivers.sign(() => "");
  assert.deepEqual(made.flow.state.fieldErrors, {
    waiver_name: "requiredName",
    "minor-0": "requiredField",
    "year-0": "invalidYear",
    agreed: "requiredTick",
    signature: "requiredSignature",
  });
  waivers.change({ name: " Maria ", agreed: waiver.text, manner: "type", outside: true });
  waivers.changeMinor(0, { name: "Ana", year: "2016" });
  assert.deepEqual(made.flow.state.fieldErrors, {});
  await waivers.sign((name) => `drawing of ${name}`);
  assert.deepEqual(made.asked("signWaiver"), [{
    token: "token",
    version: 3,
    signer: { full_name: "Maria", plays: false },
    minors: [{ full_name: "Ana", birth_year: 2016 }],
    signature: "drawing of Maria",
    locale: "en",
    idempotency_key: "key-1",
  }]);
  assert.equal(made.flow.state.step, "signed");
});

Deno.test("a reload keeps what was typed for a waiver, until it is signed or left", async () => {
  const opened = (store?: Store, text = waiver.text) =>
    setting({ getWaiver: () => Promise.resolve({ ...waiver, text }) }, { waiver: "t" }, store);
  const first = opened();
  await first.flow.start();
  const { waivers } = first.flow.more!;
  waivers.change({ name: "Maria", agreed: waiver.text, drawing: "data:,", outside: true });
  waivers.addMinor();
  waivers.changeMinor(0, { name: "Ana", year: "2016" });
  const again = opened(first.store);
  await again.flow.start();
  const { name, minors, outside, agreed, drawing } = again.flow.state.signing!;
  assert.deepEqual({ name, minors, outside, agreed, drawing }, {
    name: "Maria",
    minors: [{ name: "Ana", year: "2016" }],
    outside: true,
    agreed: waiver.text,
    drawing: "",
  });
  const others = opened(first.store, "Other words.");
  await others.flow.start();
  assert.equal(others.flow.state.signing?.name, "Maria");
  const box = elements(others.flow).find(({ props }) => props.name === "agreed");
  assert.equal(box?.props.checked, false);
  assert.ok(texts(others.flow).includes(stringsFor("en").termsOther));
  again.flow.more!.waivers.change({ manner: "type" });
  await again.flow.more!.waivers.sign(() => "data:,");
  assert.equal(again.flow.state.step, "signed");
  const next = opened(first.store);
  await next.flow.start();
  assert.deepEqual([next.flow.state.signing?.name, next.flow.state.signing?.minors], ["", []]);
});

Deno.test("a text that changed while it was read is shown again, unsigned", async () => {
  const made = richly({ signWaiver: refuse("waiver_outdated", { version: 4 }) }, { waiver: "t" });
  await made.flow.start();
  made.flow.more!.waivers.change({ name: "Maria", agreed: waiver.text, drawing: "data:," });
  await made.flow.more!.waivers.sign(() => "");
  assert.equal(made.flow.state.signing?.agreed, "");
  assert.match(read(made.flow.state.notice?.text) ?? "", /read it again/);
});

Deno.test("a waiver that is closed or unknown is said plainly", async () => {
  const closed = richly({ getWaiver: () => Promise.resolve({ ...waiver, open: false }) }, {
    waiver: "t",
  });
  await closed.flow.start();
  assert.equal(closed.flow.state.step, "failed");
  assert.match(read(closed.flow.state.notice?.text) ?? "", /no longer be signed/);
});

// ---- what the views say ----

Deno.test("a day tells those who hear it how many times are free and from what price", async () => {
  const dear = { ...slot, starts_at: "2026-12-04T19:00:00Z", price_cents: 9900 };
  const made = richly({ getAvailability: () => Promise.resolve([slot, dear]) });
  await made.flow.start();
  const labels = elements(made.flow).map((node) => node.props["aria-label"]);
  assert.ok(labels.includes("Friday 4 December, 2 free times, from €89"));
  assert.ok(labels.includes("Saturday 5 December, nothing free"));
  // One day of the grid is in the order of the tab key.
  const inOrder = elements(made.flow)
    .filter((node) => node.props.class === "day" && node.props.tabindex === 0);
  assert.equal(inOrder.length, 1);
});

Deno.test("every error is tied to the control that it is about", async () => {
  const made = richly();
  await made.flow.start();
  await made.flow.choosing.chooseSlot(slot);
  await made.flow.details.submitDetails();
  const all = elements(made.flow);
  const wrong = all.filter((node) => node.props["aria-invalid"] === "true");
  assert.equal(wrong.length, 4);
  for (const node of wrong) {
    const described = String(node.props["aria-describedby"]).split(" ");
    const ids = all.map((other) => other.props.id);
    assert.deepEqual(described.filter((id) => !ids.includes(id)), []);
    assert.ok(described.includes(`${node.props.id}-error`));
  }
});

Deno.test("a database that knows nothing of extras, codes or terms is booked all the same", async () => {
  const made = setting();
  await toDetails(made);
  const classes = elements(made.flow).map((node) => node.props.class);
  assert.ok(!classes.includes("extras"));
  assert.ok(!classes.includes("code"));
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("no language leaves a gap in any step", async () => {
  const moved = await toMove();
  await moved.flow.choosing.chooseSlot(later);
  const signing = richly({}, { waiver: "t" });
  await signing.flow.start();
  const details = richly();
  await toRichDetails(details);
  const asking = await toLost();
  const resent = await toLost();
  resent.flow.details.type("email", "maria@example.test");
  await resent.flow.more!.resending.send();
  for (const { flow } of [moved, signing, details, asking, resent]) {
    for (const language of languages) {
      const said = [...nodes(view(flow, language))].filter((node) => typeof node === "string");
      assert.deepEqual(said.filter((text) => /undefined|NaN|\[object/.test(text)), [], language);
    }
  }
});
