/** What the widget promises to whoever books with an odd browser, a bad network or a framed page. */
import assert from "node:assert/strict";
import type { Booking, Slot } from "../../edge/_shared/booking.ts";
import { first, more } from "../../edge/booking-widget/dist/bundle.ts";
import { handle } from "../../edge/booking-widget/handler.ts";
import { type Api, ApiError, createApi, toError } from "../../edge/booking-widget/src/api.ts";
import { eventFile, googleLink, outlookLink } from "../../edge/booking-widget/src/event.ts";
import { createFormat, visitorZone } from "../../edge/booking-widget/src/format.ts";
import { toUnits } from "../../edge/_shared/money.ts";
import { pickLanguage } from "../../edge/booking-widget/src/language.ts";
import { readPreset, returnAddress } from "../../edge/booking-widget/src/page.ts";
import { lettersOn } from "../../edge/booking-widget/src/styles.ts";
import { createStore } from "../../edge/booking-widget/src/store.ts";
import type { Mark } from "../../edge/booking-widget/src/trail.ts";
import {
  booking,
  calendar,
  changeQuote,
  confirmed,
  daysOf,
  elements,
  isTicked,
  nodes,
  now,
  quote,
  read,
  refuse,
  returned,
  rich,
  richly,
  type Setting,
  setting,
  slot,
  soldOut,
  stringsFor,
  texts,
  tick,
  toDetails,
  waitlistEntry,
  waiver,
  wholeApi,
} from "./booking_widget_world.ts";

const lost = () => Promise.reject(new ApiError("network", 0));

/** What is told of the days, one answer after the other, the last for ever; their times as told. */
function answering(...answers: (() => Promise<Slot[]>)[]): Partial<Api> {
  let asked = 0;
  const told = (index: number) => answers[Math.min(index, answers.length - 1)]!();
  return {
    getAvailabilityDays: async ({ party_size }) => daysOf(await told(asked++), party_size),
    getAvailability: () => told(asked - 1),
  };
}

// ---- two scripts ----

Deno.test("what paying, managing, the waitlist and waivers need comes as a second script", () => {
  for (
    const words of [
      "It is yours for now",
      "Cancel this booking?",
      "Put me on the waitlist",
      "Give the address that you booked with",
      "Year of birth",
    ]
  ) {
    assert.ok(!first.text.includes(words), words);
    assert.ok(more.text.includes(words), words);
  }
  assert.ok(!more.text.includes("Book your game"));
  const answer = handle(new Request(`http://edge/booking-widget/${more.file}`));
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("Cache-Control") ?? "", /immutable/);
  assert.equal(answer.headers.get("X-Integrity"), more.integrity);
});

Deno.test("the first script names the second by its bytes, and is never older than it", () => {
  assert.ok(first.text.includes(more.file));
  assert.ok(first.text.includes(more.integrity));
  const cached = handle(new Request("http://edge/booking-widget")).headers.get("Cache-Control");
  assert.doesNotMatch(cached ?? "", /stale/);
});

Deno.test("the second script leads to nobody but two calendars, when they are pressed", () => {
  const addresses = more.text.match(/https?:\/\/[\w.-]+/g) ?? [];
  const foreign = new Set(addresses.filter((address) => address !== "http://www.w3.org"));
  assert.deepEqual([...foreign].sort(), [
    "https://calendar.google.com",
    "https://outlook.live.com",
  ]);
});

/** A world whose second script comes once it is let through. */
async function withoutMore(api: Partial<Api>, entry = {}) {
  const gate = { open: false };
  const { createMore } = await import("../../edge/booking-widget/src/more.ts");
  const loadMore = () => gate.open ? Promise.resolve(createMore) : lost();
  return { gate, ...setting(api, entry, undefined, { loadMore }) };
}

Deno.test("a booking stays booked when the second script does not come, and is found again", async () => {
  const made = await withoutMore({ getBooking: () => Promise.resolve(confirmed) }, {
    ...returned,
    payment: "success",
  });
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.ok(texts(made.flow).includes("Your booking ABCD-2345 is confirmed all the same."));
  assert.deepEqual(made.events, ["confirmed ABCD-2345"]);
  made.gate.open = true;
  await made.flow.retry();
  assert.equal(made.flow.state.step, "booking");
});

Deno.test("no time is held that the second script is not there to show", async () => {
  let holds = 0;
  const made = await withoutMore({
    hold: () => {
      holds++;
      return Promise.resolve({ ...booking, manage_token: "secret" });
    },
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.deepEqual([made.flow.state.step, holds, made.flow.state.busy], ["details", 0, null]);
  assert.equal(
    read(made.flow.state.notice?.text),
    "There is no connection. Check it and try again.",
  );
  assert.equal(made.flow.state.form.full_name, " Maria Ferrer ");
  made.gate.open = true;
  await made.flow.details.submitDetails();
  assert.deepEqual([made.flow.state.step, holds], ["pay", 1]);
});

Deno.test("the second script is on its way while the details are typed", async () => {
  let loads = 0;
  const made = setting({}, {}, undefined, {
    loadMore: () => {
      loads++;
      return Promise.reject(new ApiError("network", 0));
    },
  });
  await made.flow.start();
  assert.equal(loads, 0);
  await made.flow.choosing.chooseSlot(slot);
  assert.equal(loads, 1);
});

// ---- any value a browser hands us ----

Deno.test("odd names of languages are understood or passed over", () => {
  assert.equal(pickLanguage(["en-US@posix"]), "en");
  assert.equal(pickLanguage(["es_ES.UTF-8"]), "es");
  assert.equal(pickLanguage(["CA_es"]), "ca");
  for (const odd of ["", "-", "C", "C.UTF-8", "posix", "*", " ", "👾", null, undefined, 7, {}]) {
    assert.equal(pickLanguage([odd, "ca"]), "ca", String(odd));
  }
  const odd = [
    "en-US@posix",
    "en-US.UTF-8",
    "en-",
    "en_US",
    "",
    "x",
    "en-u-ca-nope",
    "🐉",
    "en-GB-oed",
  ];
  for (const tag of odd) {
    const format = createFormat("en", [tag]);
    assert.match(format.day("2026-12-04"), /4/, tag);
    assert.match(format.money(8900, "EUR"), /89/, tag);
    assert.ok(format.weekStart >= 1, tag);
  }
  assert.equal(createFormat("en", ["en_US"]).tag, "en-US");
});

Deno.test("a zone that is not known is UTC and said to be, and the visitor's is not compared", async () => {
  const format = createFormat("en", []);
  for (const zone of ["Etc/Unknown", "", "Mars/Olympus", "Europe/MADRID "]) {
    assert.ok(format.time("2026-12-04T17:00:00Z", zone), zone);
    assert.ok(format.zone(zone, now), zone);
  }
  assert.equal(format.zone("Etc/Unknown", now), "UTC (GMT)");
  const original = Intl.DateTimeFormat.prototype.resolvedOptions;
  try {
    for (const timeZone of ["Etc/Unknown", "", undefined]) {
      Intl.DateTimeFormat.prototype.resolvedOptions = () =>
        ({ timeZone }) as Intl.ResolvedDateTimeFormatOptions;
      assert.equal(visitorZone(), null);
    }
  } finally {
    Intl.DateTimeFormat.prototype.resolvedOptions = original;
  }
  const { flow } = setting();
  await flow.start();
  assert.ok(!texts(flow).some((text) => text.includes("own time zone")));
});

Deno.test("what the page's attributes ask for is taken as far as it makes sense", () => {
  const preset = (given: Record<string, string>, address = "https://venue.test/?vouchersfor=4") =>
    readPreset((name) => given[name] ?? "", address);
  assert.deepEqual(preset({}), {});
  assert.deepEqual(preset({ view: "rooms" }), {});
  assert.deepEqual(preset({ view: "vouchers" }), { vouchers: true });
  assert.deepEqual(preset({}, "https://venue.test/?lang=en&vouchers#top"), { vouchers: true });
  assert.deepEqual(preset({ date: "2026-02-30x", party: "many" }), {});
  assert.deepEqual(preset({ date: "2026-13-01", party: "-2" }), {});
  assert.deepEqual(preset({ room: "r2", date: "2026-12-10", party: "6", name: "Eva" }), {
    room: "r2",
    date: "2026-12-10",
    party: 6,
    full_name: "Eva",
  });
});

Deno.test("a page begins at a room, a day, a party, a code and a person", async () => {
  const preset = {
    room: "r2",
    date: "2026-12-10",
    party: 6,
    coupon: "SUMMER",
    full_name: "Eva",
    email: "eva@example.test",
  };
  const there = { ...slot, room_id: "r2", local_date: "2026-12-10" };
  const made = setting(
    {
      getCalendar: () => Promise.resolve({ ...rich, flow: "room_first" }),
      getAvailability: () => Promise.resolve([there]),
    },
    {},
    undefined,
    { preset },
  );
  await made.flow.start();
  const { roomId, day, month, partySize, form } = made.flow.state;
  assert.deepEqual([roomId, day, month, partySize], ["r2", "2026-12-10", "2026-12", 6]);
  assert.deepEqual(form, { full_name: "Eva", email: "eva@example.test", phone: "" });
  await made.flow.choosing.chooseSlot(there);
  assert.equal((made.asked("quote")[0] as { coupon_code: string }).coupon_code, "SUMMER");

  // What the calendar does not have changes nothing.
  const odd = setting({}, {}, undefined, {
    preset: { room: "gone", date: "1999-01-01", party: 99 },
  });
  await odd.flow.start();
  assert.equal(odd.flow.state.step, "choose");
  assert.deepEqual([odd.flow.state.roomId, odd.flow.state.partySize], ["r1", 8]);
});

Deno.test("letters on the venue's colour can be read where the style sheet cannot reckon", () => {
  for (
    const [color, letters] of [
      ["#000000", "#fff"],
      ["#ffffff", "#000"],
      ["#f5d90a", "#000"],
      ["#b3452b", "#fff"],
      ["#1b2a8f", "#fff"],
      ["#00ff77", "#000"],
    ]
  ) assert.equal(lettersOn(color!), letters, color);
});

// ---- the address and the frame ----

Deno.test("a payment comes back to an address that is short enough, and keeps what names the page", () => {
  const long = `https://venue.test/book?calendar=casa&utm=${"x".repeat(1500)}&gclid=${
    "y".repeat(900)
  }#top`;
  const short = returnAddress(long);
  assert.ok(short.length <= 2000);
  assert.match(short, /^https:\/\/venue\.test\/book\?calendar=casa&utm=x+$/);
  assert.equal(returnAddress("https://venue.test/a?b=c#d"), "https://venue.test/a?b=c#d");
  assert.equal(returnAddress(`https://venue.test/${"p".repeat(3000)}`), "https://venue.test/");
  assert.equal(
    returnAddress("https://venue.test/?reference=ABCD&payment=cancelled#token=secret"),
    "https://venue.test/",
  );
});

Deno.test("in a frame the payment opens in a tab, and this page waits for it", async () => {
  let present: Booking = booking;
  const made = setting(
    { getBooking: () => Promise.resolve(present) },
    {},
    undefined,
    { redirect: () => "tab" },
  );
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.paying.pay();
  assert.equal(made.flow.state.step, "pay");
  assert.equal(made.flow.state.busy, null);
  assert.ok(texts(made.flow).some((text) => text.includes("open in another tab")));
  present = confirmed;
  await made.flow.wake();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, true);
});

Deno.test("where a frame forbids to leave, it says so and gives the link", async () => {
  for (const way of ["barred", "top"] as const) {
    const made = setting({}, {}, undefined, { redirect: () => way });
    await toDetails(made);
    await made.flow.details.submitDetails();
    await made.flow.paying.pay();
    assert.ok(texts(made.flow).some((text) => text.includes("does not let us")), way);
    const links = elements(made.flow).filter((node) => node.tag === "a");
    assert.deepEqual(links.map((node) => [node.props.href, node.props.target]), [
      ["https://pay.test/1", "_blank"],
    ]);
  }
});

Deno.test("a form is sent where the frame allows no forms", async () => {
  const made = setting();
  await toDetails(made);
  const send = elements(made.flow).find((node) => node.props.type === "submit");
  let prevented = false;
  const press = send?.props.onclick as (event: Partial<Event>) => void;
  press({ preventDefault: () => prevented = true });
  assert.ok(prevented);
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(made.holds.length, 1);
});

// ---- lost answers and lapsed holds ----

Deno.test("an answer of nobody's is an unknown outcome, and asked for again with the same key", async () => {
  assert.equal(toError(400, { code: "", message: "" }).lost, true);
  assert.equal(toError(400, { code: "22P02", message: "invalid" }).lost, false);
  assert.equal(toError(503, { code: "PT503", message: "unavailable" }).lost, true);
  assert.equal(toError(500, {}).lost, false);
  const sent: { name: string; key: unknown }[] = [];
  const original = globalThis.fetch;
  let fails = 1;
  globalThis.fetch = ((url: string, init: RequestInit) => {
    const { idempotency_key } = JSON.parse(String(init.body));
    sent.push({ name: url.split("/").at(-1)!, key: idempotency_key });
    const answer = fails-- > 0
      ? new Response('{"code":"","message":""}', { status: 400 })
      : new Response('{"done":true}', { headers: { Date: "Mon, 23 Nov 2026 10:00:00 GMT" } });
    return Promise.resolve(answer);
  }) as typeof fetch;
  try {
    const api = wholeApi({ apiUrl: "http://api", serviceUrl: "", publishableKey: "k" });
    assert.equal(api.serverTime?.(), null);
    const keyed = { idempotency_key: "one" } as never;
    for (const ask of [api.hold, api.reschedule, api.joinWaitlist, api.signWaiver]) {
      fails = 1;
      await ask(keyed);
    }
    assert.equal(sent.length, 8);
    assert.ok(sent.every(({ key }) => key === "one"));
    // What has no key answers as the first time; only a payment page would be another one.
    fails = 1;
    await api.cancelBooking({ reference: "r", manage_token: "t" });
    await api.confirmBooking({ reference: "r", confirmation_token: "t" });
    assert.equal(sent.length, 11);
    fails = 1;
    await assert.rejects(
      api.checkout({ reference: "r", manage_token: "t" }, "https://venue.test/"),
    );
    assert.equal(sent.length, 12);
    assert.ok(Math.abs((api.serverTime?.() ?? 0) - Date.parse("2026-11-23T10:00:00Z")) < 5000);
  } finally {
    globalThis.fetch = original;
  }
});

Deno.test("a hold that lapsed before its answer came is another attempt", async () => {
  const fresh = { ...booking, reference: "NEW1-2345", manage_token: "new" };
  const old = { ...booking, status: "expired" as const, manage_token: "old" };
  let answers = 0;
  const made = setting({
    hold: () => answers++ === 0 ? lost() : Promise.resolve(answers === 2 ? old : fresh),
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "details");
  await made.flow.details.submitDetails();
  assert.deepEqual(made.holds.map((hold) => hold.idempotency_key), ["key-1", "key-1", "key-2"]);
  assert.equal(made.flow.state.booking?.reference, "NEW1-2345");
  assert.equal(made.flow.state.step, "pay");
});

Deno.test("an answer that tells of an end in the past is not shown as fresh either", async () => {
  const stale = {
    ...booking,
    hold_expires_at: new Date(now - 1000).toISOString(),
    manage_token: "old",
  };
  let answers = 0;
  const made = setting({
    serverTime: () => made.clock,
    hold: () =>
      answers++ === 0
        ? lost()
        : Promise.resolve(answers === 2 ? stale : { ...booking, manage_token: "new" }),
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.details.submitDetails();
  assert.equal(made.holds.length, 3);
  assert.ok(made.flow.state.remaining > 800);
});

// ---- a bad network ----

Deno.test("what could not be loaded is not called full, and is tried again", async () => {
  const made = setting(answering(lost, lost, () => Promise.resolve([slot])));
  const shown: boolean[] = [];
  made.flow.onChange(() => {
    if (!made.flow.state.unreachable) return;
    shown.push(true);
    const said = texts(made.flow);
    assert.ok(said.includes("The free times could not be loaded."));
    assert.ok(said.includes("Try again"));
    assert.ok(!said.some((text) => /Nothing free|next free day/.test(text)));
  });
  await made.flow.start();
  assert.ok(shown.length > 0);
  assert.equal(made.flow.state.unreachable, false);
  assert.equal(made.flow.state.notice, null);
  assert.deepEqual(made.flow.state.slots, [slot]);
});

const odd = {
  "too many questions": () =>
    new Response('{"code":"PT429","message":"rate_limited"}', { status: 429 }),
  "a gateway's page": () => new Response("<html>Bad gateway</html>"),
  "null": () => new Response("null"),
  "nothing": () => new Response(""),
  "no content": () => new Response(null, { status: 204 }),
  "a cut answer": () => new Response('[{"local_date":"2026-12-'),
  "an object": () => new Response("{}"),
  "a refusal": () => new Response('{"code":"PT404","message":"room_not_found"}', { status: 404 }),
};
for (const [what, answer] of Object.entries(odd)) {
  for (const asked of ["getAvailabilityDays", "getAvailability"] as const) {
    Deno.test(`${what} for an answer to ${asked} is a failure, not a full month`, async () => {
      const original = globalThis.fetch;
      globalThis.fetch = (() => Promise.resolve(answer())) as typeof fetch;
      try {
        const api = createApi({ apiUrl: "http://api", serviceUrl: "", publishableKey: "k" });
        const made = setting({ [asked]: api[asked] });
        await made.flow.start();
        assert.equal(made.flow.state.unreachable, true);
        const said = texts(made.flow);
        assert.ok(said.includes("The free times could not be loaded."));
        assert.ok(said.includes("Try again"));
        assert.ok(!said.some((text) => /Nothing free|next free day/.test(text)));
        // It is not remembered: the next look may succeed.
        globalThis.fetch = (() =>
          Promise.resolve(
            Response.json(asked === "getAvailability" ? [slot] : daysOf([slot], 2)),
          )) as typeof fetch;
        await made.flow.choosing.loadMonth();
        assert.deepEqual([made.flow.state.unreachable, made.flow.state.notice], [false, null]);
      } finally {
        globalThis.fetch = original;
      }
    });
  }
}

Deno.test("it gives up after a while, and goes on when the network is back", async () => {
  let reached = false;
  const soon = { ...slot, local_date: "2026-11-28" };
  const made = setting({
    getAvailability: () => reached ? Promise.resolve([soon]) : lost(),
  });
  await made.flow.start();
  assert.equal(made.flow.state.unreachable, true);
  assert.equal(made.asked("getAvailabilityDays").length, 3);
  reached = true;
  await made.flow.wake();
  assert.equal(made.flow.state.unreachable, false);
  assert.equal(made.flow.state.notice, null);
  assert.equal(made.flow.state.day, soon.local_date);
});

Deno.test("a month asks for its days and the times of one; a day's times when it is chosen", async () => {
  const other = { ...slot, starts_at: "2026-12-05T17:00:00Z", local_date: "2026-12-05" };
  const made = setting({
    getAvailability: ({ from_date }) =>
      Promise.resolve([slot, other].filter((time) => time.local_date === from_date)),
    getAvailabilityDays: ({ party_size, to_date }) =>
      Promise.resolve(daysOf(to_date > "2026-12" ? [slot, other] : [], party_size)),
  });
  await made.flow.start();
  const spans = () =>
    made.asked("getAvailability").map((one) =>
      [(one as { from_date: string }).from_date, (one as { to_date: string }).to_date].join(" ")
    );
  assert.deepEqual(spans(), ["2026-12-04 2026-12-04"]);
  await made.flow.choosing.selectDay("2026-12-05");
  assert.deepEqual(made.flow.state.slots, [other]);
  await made.flow.choosing.selectDay("2026-12-04");
  assert.deepEqual(made.flow.state.slots, [slot]);
  // What has been heard is remembered for a while.
  assert.deepEqual(spans(), ["2026-12-04 2026-12-04", "2026-12-05 2026-12-05"]);
  const months = made.asked("getAvailabilityDays").length;
  made.clock += 61_000;
  await made.flow.choosing.selectDay("2026-12-05");
  assert.equal(spans().length, 3);
  assert.equal(made.asked("getAvailabilityDays").length, months);
});

Deno.test("a late answer about another day is not shown under the chosen one", async () => {
  const other = { ...slot, starts_at: "2026-12-05T17:00:00Z", local_date: "2026-12-05" };
  let answer: ((times: Slot[]) => void) | null = null;
  const made = setting({
    getAvailabilityDays: ({ party_size, to_date }) =>
      Promise.resolve(daysOf([slot, other].filter((one) => one.local_date <= to_date), party_size)),
    getAvailability: ({ from_date }) =>
      from_date === other.local_date
        ? new Promise((resolve) => answer = resolve)
        : Promise.resolve([slot]),
  });
  await made.flow.start();
  const late = made.flow.choosing.selectDay(other.local_date);
  while (!answer) await Promise.resolve();
  assert.equal(made.flow.state.slots, null);
  await made.flow.choosing.selectDay(slot.local_date);
  (answer as (times: Slot[]) => void)([other]);
  await late;
  assert.equal(made.flow.state.day, slot.local_date);
  assert.deepEqual(made.flow.state.slots, [slot]);
});

Deno.test("what is the same for all times of a room comes from the calendar, not from each time", async () => {
  const { local_date: _1, local_time: _2, timezone: _3, currency: _4, ends_at: _5, ...time } = slot;
  const made = setting({
    getAvailabilityDays: ({ party_size }) => Promise.resolve(daysOf([slot], party_size)),
    getAvailability: () => Promise.resolve([time, { ...time, room_id: "unheard-of" }]),
  });
  await made.flow.start();
  assert.deepEqual(made.flow.state.slots, [
    { ...slot, local_time: "", ends_at: "2026-12-04T18:00:00.000Z" },
  ]);
});

Deno.test("a page that was opened offline starts when the network is back", async () => {
  let reached = false;
  const made = setting({ getCalendar: () => reached ? Promise.resolve(calendar) : lost() });
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.match(read(made.flow.state.notice?.text) ?? "", /no connection/);
  reached = true;
  await made.flow.wake();
  assert.equal(made.flow.state.step, "choose");
  // What is gone for good is not asked for again and again.
  const gone = setting({ getCalendar: refuse("calendar_not_found") });
  await gone.flow.start();
  await gone.flow.wake();
  assert.equal(gone.asked("getCalendar").length, 1);
});

Deno.test("being looked at again while offline leaves what is shown", async () => {
  const free = () => Promise.resolve([slot]);
  const made = setting(answering(free, lost, lost, lost, free));
  await made.flow.start();
  made.clock += 61_000;
  await made.flow.wake();
  assert.deepEqual(made.flow.state.slots, [slot]);
  assert.equal(made.flow.state.unreachable, false);
  assert.notEqual(made.flow.state.notice, null);
  await made.flow.wake();
  assert.equal(made.flow.state.notice, null);
});

// ---- the history ----

Deno.test("each step is an entry of the history, and back goes one step back", async () => {
  const made = setting();
  await toDetails(made);
  assert.deepEqual(made.past.map((mark) => mark?.step), ["choose", "details"]);
  await made.flow.details.submitDetails();
  assert.deepEqual(made.past.map((mark) => mark?.step), ["choose", "details", "pay"]);
  await made.flow.trail.back();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(made.flow.state.step, "details");
  assert.equal(made.flow.state.form.email, "maria@example.test");
  assert.ok(made.calls.includes("cancelBooking"));
  await made.flow.trail.back();
  assert.equal(made.flow.state.step, "choose");
  assert.deepEqual(made.past.map((mark) => mark?.step), ["choose"]);
});

Deno.test("a link to a place on the page leaves the visitor where they are", async () => {
  const made = setting();
  await toDetails(made);
  made.past.push(null);
  await made.flow.trail.follow();
  assert.equal(made.flow.state.step, "details");
  assert.deepEqual(made.past.map((mark) => mark?.step), ["choose", "details", "details"]);
  made.past.pop();
  await made.flow.trail.follow();
  assert.equal(made.flow.state.step, "details");
  await made.flow.trail.back();
  assert.equal(made.flow.state.step, "choose");
});

Deno.test("forward leads to the details of the same time again", async () => {
  const made = setting();
  await toDetails(made);
  const mark = made.past.at(-1)!;
  await made.flow.trail.back();
  assert.equal(made.flow.state.step, "choose");
  made.past.push(mark);
  await made.flow.trail.follow();
  assert.equal(made.flow.state.step, "details");
  assert.equal(made.flow.state.slot?.starts_at, slot.starts_at);
  assert.equal(made.past.length, 2);
});

Deno.test("a reload stays on the details and keeps what was typed", async () => {
  const made = setting();
  await toDetails(made);
  made.flow.details.type("phone", "600 000 000");
  made.flow.details.typeNote("We come late.");
  const again = setting({}, {}, made.store, {}, made.past);
  await again.flow.start();
  assert.equal(again.flow.state.step, "details");
  assert.equal(again.flow.state.slot?.starts_at, slot.starts_at);
  assert.deepEqual(again.flow.state.form, made.flow.state.form);
  assert.equal(again.flow.state.note, "We come late.");
  assert.equal(again.past.length, 2);
});

/** A tab in which the page is loaded anew, with what was chosen before it. */
async function reloaded(api: Partial<Api>): Promise<[Setting, Setting]> {
  const priced: Partial<Api> = {
    getCalendar: () => Promise.resolve(rich),
    quote: ({ extras = [], coupon_code, exclusive, party_size }) =>
      Promise.resolve({
        ...quote,
        party_size,
        total_cents: exclusive ? 15000 : 8900 + 1200 * extras.length - (coupon_code ? 500 : 0),
      }),
  };
  const made = setting(priced);
  await toDetails(made);
  await made.flow.pricing.setExtra("x1", 1);
  made.flow.pricing.typeCode("SUMMER");
  await made.flow.pricing.applyCode();
  const again = setting({ ...priced, ...api }, {}, made.store, {}, made.past);
  await again.flow.start();
  return [made, again];
}

Deno.test("a reload keeps extras and codes, and with them the price", async () => {
  const [made, again] = await reloaded({});
  assert.equal(again.flow.state.step, "details");
  assert.deepEqual(again.flow.state.wishes, made.flow.state.wishes);
  assert.equal(again.flow.state.quote?.total_cents, 9600);
  assert.equal(again.flow.state.oldTotal, null);
  await again.flow.pricing.setExclusive(true);
  const third = setting(
    { getCalendar: () => Promise.resolve(rich) },
    {},
    made.store,
    { preset: { coupon: "OTHER" } },
    made.past,
  );
  await third.flow.start();
  assert.deepEqual(third.flow.state.wishes, again.flow.state.wishes);
});

Deno.test("a price that is another after a reload is said to be", async () => {
  const dearer = { quote: () => Promise.resolve({ ...quote, total_cents: 9900 }) };
  const [, again] = await reloaded(dearer);
  assert.equal(again.flow.state.oldTotal, 9600);
  assert.equal(again.flow.state.focus?.target, "notice");
  const shown = texts(again.flow).join(" ");
  assert.match(shown, /96/);
  assert.match(shown, /99/);
});

Deno.test("a code that ended meanwhile is named after a reload, with the price without it", async () => {
  const ended: Partial<Api> = {
    quote: ({ coupon_code }) =>
      coupon_code
        ? Promise.reject(new ApiError("coupon_expired", 409))
        : Promise.resolve({ ...quote, total_cents: 10100 }),
  };
  const [, again] = await reloaded(ended);
  const { codeProblem, oldTotal, wishes } = again.flow.state;
  assert.deepEqual([codeProblem, oldTotal, wishes.coupon], ["coupon_expired", 9600, null]);
  assert.deepEqual(wishes.extras, { x1: 1 });
});

Deno.test("a new visit in the same tab begins without what was chosen", async () => {
  const [made] = await reloaded({});
  const anew = setting({ getCalendar: () => Promise.resolve(rich) }, {}, made.store);
  await anew.flow.start();
  assert.deepEqual(anew.flow.state.wishes.extras, {});
  assert.equal(anew.flow.state.form.full_name, made.flow.state.form.full_name);
});

Deno.test("a reload stays on the waitlist's form, with what it says", async () => {
  const lists = { getCalendar: () => Promise.resolve({ ...rich, waitlist: true }) };
  const made = setting(lists);
  await made.flow.start();
  (await made.flow.loadMore()).waitlist.open("2026-12-01", "2026-12-02");
  made.flow.more!.waitlist.change({ to: "2026-12-05", roomId: rich.rooms[0]!.id });
  await made.flow.choosing.setPartySize(3);
  made.flow.details.type("full_name", "Maria");
  const again = setting(lists, {}, made.store, {}, made.past);
  await again.flow.start();
  const { step, waiting, partySize, form } = again.flow.state;
  assert.deepEqual([step, partySize, form.full_name], ["waitlist", 3, "Maria"]);
  assert.deepEqual(waiting, made.flow.state.waiting);
  assert.equal(again.past.length, 2);
  again.flow.choosing.backToChoose();
  assert.equal(again.flow.state.month, "2026-12");
  const closed = setting(
    { getCalendar: () => Promise.resolve({ ...rich, waitlist: false }) },
    {},
    made.store,
    {},
    [...made.past],
  );
  await closed.flow.start();
  assert.equal(closed.flow.state.step, "choose");
});

Deno.test("the event says the place as the one in the mails does, whatever the venue's name", () => {
  const location = {
    name: "Casa",
    address: "Calle Mayor 1, Madrid",
    phone: null,
    arrival_hints: null,
    directions: null,
    latitude: null,
    longitude: null,
    line: "Casa, Calle Mayor 1, Madrid",
  };
  const at = { ...confirmed, location, organization: { name: "Casa", slug: "casa" } };
  assert.match(eventFile(at), /^LOCATION:Casa\\, Calle Mayor 1\\, Madrid\r$/m);
  for (const link of [googleLink(at), outlookLink(at)]) {
    assert.equal(new URL(link).searchParams.get("location"), "Casa, Calle Mayor 1, Madrid");
  }
});

Deno.test("a reload on the price of a move asks for it again", async () => {
  const answers: Partial<Api> = {
    getBooking: () => Promise.resolve({ ...confirmed, reschedulable: true }),
  };
  const made = setting(answers, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  await made.flow.choosing.setPartySize(3);
  await made.flow.choosing.chooseSlot(slot);
  const steps = () => made.past.map((mark) => mark?.step);
  assert.deepEqual(steps(), ["booking", "move", "moveQuote"]);
  const again = setting(answers, returned, made.store, {}, made.past);
  await again.flow.start();
  assert.equal(again.flow.state.step, "moveQuote");
  assert.deepEqual(again.asked("quoteReschedule"), made.asked("quoteReschedule"));
  assert.equal(again.flow.state.moveQuote?.total_cents, made.flow.state.moveQuote?.total_cents);
  assert.deepEqual(steps(), ["booking", "move", "moveQuote"]);
  const over = setting(
    { ...answers, quoteReschedule: refuse("not_reschedulable") },
    returned,
    made.store,
    {},
    made.past,
  );
  await over.flow.start();
  assert.equal(over.flow.state.step, "booking");
  assert.equal(steps().at(-1), "booking");
});

Deno.test("an entry whose hold is over is about choosing from then on", async () => {
  const over: Mark = { calendar: "casa", step: "pay", depth: 2, slot };
  const made = setting({}, {}, undefined, {}, [null, over]);
  await made.flow.start();
  assert.equal(made.flow.state.step, "choose");
  assert.deepEqual(made.past.map((mark) => mark?.step), [undefined, "choose"]);
});

Deno.test("marks of another calendar on the page are nobody's here", async () => {
  const foreign: Mark = { calendar: "other", step: "details", depth: 1, slot };
  const made = setting({}, {}, undefined, {}, [foreign]);
  await made.flow.start();
  assert.equal(made.flow.state.step, "choose");
});

// ---- found again ----

Deno.test("a hold is found again in another tab of the same browser, until it is over", async () => {
  const browser = new Map<string, string>();
  const area = (map: Map<string, string>) => () => ({
    getItem: (name: string) => map.get(name) ?? null,
    setItem: (name: string, value: string) => void map.set(name, value),
    removeItem: (name: string) => void map.delete(name),
  });
  const tab = () => createStore(area(new Map()), area(browser));
  const made = setting({}, {}, tab());
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");

  const other = setting({}, {}, tab());
  await other.flow.start();
  assert.equal(other.flow.state.step, "pay");
  assert.deepEqual(other.asked("getBooking"), [{ reference: "ABCD-2345", manage_token: "secret" }]);

  // Paid meanwhile, in a tab that was closed: it is shown once.
  const paid = setting({ getBooking: () => Promise.resolve(confirmed) }, {}, tab());
  await paid.flow.start();
  assert.equal(paid.flow.state.step, "booking");
  assert.equal(browser.size, 0);
  const next = setting({}, {}, tab());
  await next.flow.start();
  assert.equal(next.flow.state.step, "choose");
});

// ---- a click in the mail ----

const mailed: Booking = {
  ...booking,
  due_now_cents: 0,
  hold_expires_at: new Date(now + 60 * 60_000).toISOString(),
  confirm_by_email: true,
};
const free = (api: Partial<Api> = {}): Partial<Api> => ({
  quote: () => Promise.resolve({ ...quote, due_now_cents: 0 }),
  hold: () => Promise.resolve({ ...mailed, manage_token: "secret" }),
  getBooking: () => Promise.resolve(mailed),
  ...api,
});

Deno.test("a booking that the mail confirms says where the mail went, and until when", async () => {
  const made = setting(free());
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "mailed");
  assert.ok(
    texts(made.flow).includes(
      "Open the link in the mail we sent to maria@example.test before 12:00. " +
        "That confirms your booking.",
    ),
  );
  assert.deepEqual(made.events, ["held ABCD-2345"]);
  // A reload, or another tab of the browser, shows the same.
  const again = setting(free(), {}, made.store);
  await again.flow.start();
  assert.equal(again.flow.state.step, "mailed");
});

Deno.test("a hold that cannot be read just now is not made twice", async () => {
  const made = setting(free({ getBooking: lost }));
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "mailed");
  assert.equal(made.holds.length, 1);
});

Deno.test("the page notices that the link was opened elsewhere, and says when it was not", async () => {
  let answer = mailed;
  const made = setting(free({ getBooking: () => Promise.resolve(answer) }));
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.more!.managing.lookForMail();
  assert.equal(read(made.flow.state.notice?.text), "The link has not been opened yet.");
  answer = { ...mailed, status: "confirmed", confirm_by_email: false };
  await made.flow.wake();
  assert.equal(made.flow.state.step, "booking");
  assert.ok(texts(made.flow).includes("You are booked"));
});

Deno.test("a link that nobody opens in time ends as such, without a word of payments", async () => {
  let answer = mailed;
  const made = setting(free({ getBooking: () => Promise.resolve(answer) }));
  await toDetails(made);
  await made.flow.details.submitDetails();
  answer = { ...mailed, status: "expired", confirm_by_email: false };
  made.clock += 61 * 60_000;
  made.flow.paying.tick();
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(texts(made.flow).includes("The time we were keeping for you has run out."));
});

const linked = { reference: "ABCD-2345", confirm: "mail" };
const opened = (ago: number): Partial<Api> => ({
  confirmBooking: () =>
    Promise.resolve({
      ...confirmed,
      paid_cents: 0,
      history: [
        {
          status: "confirmed" as const,
          occurred_at: new Date(now - ago).toISOString(),
          change: null,
        },
      ],
      manage_token: "managed",
    }),
});

Deno.test("the link in the mail confirms, and goes on with the manage token", async () => {
  const made = setting(opened(1000), linked);
  await made.flow.start();
  assert.deepEqual(made.asked("confirmBooking"), [
    { reference: "ABCD-2345", confirmation_token: "mail" },
  ]);
  assert.deepEqual(made.events, ["confirmed ABCD-2345"]);
  assert.equal(made.flow.state.fresh, true);
  assert.deepEqual(made.flow.key("ABCD-2345").manage_token, "managed");
  assert.equal(made.store.load("ABCD-2345")?.token, "managed");
});

Deno.test("the same link opened again shows the booking, and counts it no second time", async () => {
  const made = setting(opened(3_600_000), linked);
  await made.flow.start();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, false);
  assert.deepEqual(made.events, []);
});

Deno.test("a link that is opened too late leads to what is free, and says so", async () => {
  const made = setting({ confirmBooking: refuse("confirmation_too_late") }, linked);
  await made.flow.start();
  assert.equal(made.flow.state.step, "choose");
  assert.match(read(made.flow.state.notice?.text) ?? "", /opened too late/);
});

Deno.test("a link that is opened without a network is tried again, and not given up", async () => {
  let fails = 1;
  const made = setting({
    confirmBooking: () => fails-- > 0 ? lost() : opened(0).confirmBooking!(linked as never),
  }, linked);
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  await made.flow.wake();
  assert.equal(made.flow.state.step, "booking");
});

Deno.test("what few visitors are refused for is said in words of the second script", async () => {
  for (
    const code of ["too_many_unpaid_bookings", "mail_limit_reached", "too_many_holds"]
  ) {
    const made = setting(free({ hold: refuse(code) }));
    await toDetails(made);
    await made.flow.details.submitDetails();
    const said = read(made.flow.state.notice?.text);
    assert.equal(said, stringsFor("en").errors[code]);
    assert.notEqual(said, stringsFor("en").errors.unexpected);
    assert.ok(texts(made.flow).includes(said!));
  }
});

Deno.test("a payment page that is refused says whether asking again helps", async () => {
  const payment_unavailable = stringsFor("en").errors.payment_unavailable;
  for (
    const code of [
      "amount_too_small",
      "checkout_closing",
      "checkout_in_progress",
      "payment_provider_failed",
      "database_unavailable",
    ]
  ) {
    const made = setting({ checkout: refuse(code) });
    await toDetails(made);
    await made.flow.details.submitDetails();
    await made.flow.paying.pay();
    const expected = stringsFor("en").errors[code] ?? payment_unavailable;
    assert.equal(read(made.flow.state.notice?.text), expected, code);
  }
});

Deno.test("money that arrives while the page looks is waited for, not offered as a free place", async () => {
  let looks = 0;
  const made = setting({
    getBooking: () => Promise.resolve(++looks === 1 ? { ...booking, paid_cents: 8900 } : confirmed),
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.paying.checkAgain();
  assert.equal(made.flow.state.step, "booking");
  assert.equal(made.flow.state.fresh, true);
});

// ---- more than one answer holds ----

Deno.test("what is too much for one answer is asked for in as many days as the database says", async () => {
  const spans: string[] = [];
  const made = setting({
    getAvailabilityDays: ({ from_date, to_date, party_size }) => {
      const days = (Date.parse(to_date) - Date.parse(from_date)) / 86_400_000 + 1;
      if (days > 10) {
        return Promise.reject(new ApiError("too_many_slots", 422, { maximum: 20_000, days: 10 }));
      }
      spans.push(`${from_date} ${to_date}`);
      const inside = from_date <= slot.local_date && slot.local_date <= to_date;
      return Promise.resolve(inside ? daysOf([slot], party_size) : []);
    },
  });
  await made.flow.start();
  assert.deepEqual(spans, [
    "2026-11-23 2026-11-30",
    "2026-12-01 2026-12-10",
    "2026-12-11 2026-12-20",
    "2026-12-21 2026-12-30",
    "2026-12-31 2026-12-31",
  ]);
  assert.deepEqual(made.flow.state.slots, [slot]);
});

Deno.test("a day that is too much by itself is an error, not a question without end", async () => {
  const made = setting({
    getAvailabilityDays: () =>
      Promise.reject(new ApiError("too_many_slots", 422, { maximum: 20_000, days: 0 })),
  });
  await made.flow.start();
  assert.ok(made.flow.state.notice);
  assert.equal(made.calls.filter((call) => call === "getAvailabilityDays").length, 1);
});

// ---- what was agreed, and what is still to pay ----

const agreedTerms = {
  tiers: [{ hours_before: 48, refund_percent: 100 }],
  no_show_fee_percent: 50,
};

Deno.test("a booking shows the terms that were agreed, not its room's by now", async () => {
  const stricter = calendar.rooms.map((room) => ({
    ...room,
    cancellation: [{ hours_before: 240, refund_percent: 10 }],
  }));
  const made = setting({
    getCalendar: () => Promise.resolve({ ...calendar, rooms: stricter }),
    getBooking: () => Promise.resolve({ ...confirmed, terms: agreedTerms }),
  }, returned);
  await made.flow.start();
  assert.ok(texts(made.flow).includes("Cancel up to 48 hours before: all of it back"));
  assert.ok(texts(made.flow).includes("If you do not come: 50% of the price"));
  assert.ok(!texts(made.flow).some((text) => /10 days/.test(String(text))));
});

Deno.test("a cheaper time that gives nothing back says what changes and what is still to pay", async () => {
  const made = setting({
    getBooking: () => Promise.resolve({ ...confirmed, paid_cents: 2000, open_cents: 6900 }),
    quoteReschedule: (request) =>
      Promise.resolve({
        ...changeQuote,
        ...request,
        total_cents: 7900,
        difference_cents: -1000,
        refund_cents: 0,
        open_cents: 5900,
        terms: agreedTerms,
      }),
  }, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  await made.flow.choosing.chooseSlot(slot);
  const said = texts(made.flow);
  assert.ok(said.includes("The new booking costs €10.00 less."));
  assert.ok(said.includes("Still to pay: €59.00."));
  assert.ok(said.includes("Cancel up to 48 hours before: all of it back"));
  assert.ok(!said.some((text) => /0\.00 back/.test(String(text))));
});

Deno.test("nobody is told that it is too late for money that was never kept", async () => {
  const back = { ...confirmed, refunded_cents: 8900 };
  const made = setting({
    getBooking: () =>
      Promise.resolve({
        ...back,
        cancellation: { refund_percent: 100, refund_cents: 0, disputed_cents: 0, lost_cents: 0 },
      }),
  }, returned);
  await made.flow.start();
  await made.flow.more!.managing.askCancel();
  assert.ok(texts(made.flow).includes("There is nothing to give back."));
});

Deno.test("a move that nobody answered keeps its key, whatever a gateway says", async () => {
  const made = setting({
    getBooking: () => Promise.resolve(confirmed),
    reschedule: () => Promise.reject(new ApiError("unavailable", 503)),
  }, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  await made.flow.choosing.chooseSlot(slot);
  await made.flow.more!.moving.confirm();
  await made.flow.more!.moving.confirm();
  const keys = (made.asked("reschedule") as { idempotency_key: string }[])
    .map((request) => request.idempotency_key);
  assert.deepEqual(keys, ["key-1", "key-1"]);
});

// ---- clocks and nights ----

Deno.test("the server's clock says what today is, also to a visitor whose clock is a day off", async () => {
  for (const days of [-1, 1]) {
    const made = setting({ serverTime: () => now });
    made.clock = now + days * 86_400_000;
    await made.flow.start();
    assert.equal(made.flow.range.first, "2026-11-23", String(days));
    const asked = made.asked("getAvailabilityDays")[0] as { from_date: string };
    assert.equal(asked.from_date, "2026-11-23");
  }
  const told = setting({
    getCalendar: () => Promise.resolve({ ...calendar, now: new Date(now).toISOString() }),
  });
  told.clock = now + 86_400_000;
  await told.flow.start();
  assert.equal(told.flow.range.first, "2026-11-23");
});

Deno.test("a game after midnight is said to be of the night before", async () => {
  const late = {
    ...slot,
    starts_at: "2026-12-04T23:30:00Z",
    local_date: "2026-12-05",
    local_time: "00:30",
  };
  const made = setting({ getAvailability: () => Promise.resolve([late]) });
  await made.flow.start();
  assert.ok(texts(made.flow).includes("Friday night"));
  await made.flow.choosing.chooseSlot(late);
  assert.ok(texts(made.flow).some((text) => /5 December 2026 \(Friday night\)/.test(text)));
});

Deno.test("weeks that are over are folded away", async () => {
  const made = setting();
  await made.flow.start();
  await made.flow.choosing.showMonth("2026-11");
  const days = elements(made.flow)
    .map((node) => String(node.props["data-focus"] ?? ""))
    .filter((name) => name.startsWith("day-"));
  assert.equal(days[0], "day-2026-11-23");
  assert.equal(days.at(-1), "day-2026-11-30");
});

// ---- what is sold out ----

const full = {
  ...slot,
  starts_at: "2026-12-04T20:00:00Z",
  local_time: "21:00",
  seats_available: 0,
};
const showing = { ...rich, flow: "room_first" as const, shows_taken_times: true };

Deno.test("sold-out times are shown where the venue wants it, and can be waited for", async () => {
  const taken: Partial<Api> = {
    getAvailability: ({ include_taken }) => Promise.resolve(include_taken ? [slot, full] : [slot]),
  };
  const plain = setting(taken);
  await plain.flow.start();
  assert.ok(!texts(plain.flow).includes("Sold out"));

  const made = setting({ ...taken, getCalendar: () => Promise.resolve(showing) });
  await made.flow.start();
  const sold = elements(made.flow).filter((node) => node.props["data-taken"] === true);
  assert.equal(sold.length, 1);
  assert.ok(texts(made.flow).includes("Sold out"));
  await made.flow.choosing.openWaitlist(full);
  assert.equal(made.flow.state.step, "waitlist");
  made.flow.details.type("full_name", "Maria");
  made.flow.details.type("email", "maria@example.test");
  made.flow.details.answer("select", "m");
  tick(made.flow);
  await made.flow.more!.waitlist.join();
  const asked = made.asked("joinWaitlist")[0] as Record<string, unknown>;
  assert.deepEqual(
    [asked.room_id, asked.from_date, asked.to_date, asked.starts_at],
    ["r1", "2026-12-04", "2026-12-04", full.starts_at],
  );
});

Deno.test("without a waitlist a sold-out time is shown and leads nowhere", async () => {
  const made = setting({
    getCalendar: () => Promise.resolve({ ...showing, waitlist: false }),
    getAvailability: () => Promise.resolve([slot, full]),
  });
  await made.flow.start();
  const sold = elements(made.flow).find((node) => node.props["data-taken"] === true);
  assert.equal(sold?.props["aria-disabled"], "true");
  assert.equal(sold?.props.onclick, null);
});

Deno.test("who has just joined the waitlist for one time reads which", async () => {
  const made = richly();
  await toDetails(made);
  made.flow.details.answer("select", "m");
  tick(made.flow);
  (await made.flow.loadMore()).waitlist.open(slot.local_date, slot.local_date, slot);
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.step, "waiting");
  const shown = texts(made.flow).join(" ");
  assert.match(shown, /18:00/);
  assert.match(shown, /r1/);
});

Deno.test("a tick that was set stays over a reload, for the words that it was set beside", async () => {
  // A tab's storage, for both.
  const store = createStore(() => {
    throw new Error("none");
  });
  const opened = (terms = rich.terms) =>
    setting({ getCalendar: () => Promise.resolve({ ...rich, terms }) }, {}, store, {}, past);
  const past: (Mark | null)[] = [null];
  const first = opened();
  await toDetails(first);
  tick(first.flow);
  tick(first.flow, "marketing");
  const again = opened();
  await again.flow.start();
  assert.deepEqual([isTicked(again.flow), isTicked(again.flow, "marketing")], [true, true]);
  const others = opened({ en: "Other terms.", es: "Otros." });
  await others.flow.start();
  assert.deepEqual([isTicked(others.flow), isTicked(others.flow, "marketing")], [false, true]);
});

Deno.test("a reload after the waitlist was joined says what one waits for, and lets one leave", async () => {
  const lists: Partial<Api> = {
    getCalendar: () => Promise.resolve({ ...rich, waitlist: true }),
    joinWaitlist: () => Promise.resolve({ ...waitlistEntry, waitlist_token: "w" }),
  };
  const made = setting(lists);
  await toDetails(made);
  made.flow.details.answer("select", "m");
  tick(made.flow);
  (await made.flow.loadMore()).waitlist.open(slot.local_date, slot.local_date, slot);
  await made.flow.more!.waitlist.join();
  const open = async () => {
    const again = setting(lists, {}, made.store, {}, made.past);
    await again.flow.start();
    return again;
  };
  const again = await open();
  assert.equal(again.flow.state.step, "waiting");
  assert.deepEqual(texts(again.flow), texts(made.flow));
  again.flow.more!.waitlist.askToLeave();
  const leaves = await open();
  assert.equal(leaves.flow.state.step, "leave");
  await leaves.flow.more!.waitlist.leave(leaves.flow.state.waiting?.token ?? "");
  assert.deepEqual(leaves.asked("leaveWaitlist"), ["w"]);
  assert.equal((await open()).flow.state.step, "left");
});

Deno.test("whoever has just joined the waitlist can leave it at once", async () => {
  const made = richly({
    joinWaitlist: () => Promise.resolve({ ...waitlistEntry, waitlist_token: "w" }),
  });
  await toDetails(made);
  made.flow.details.answer("select", "m");
  tick(made.flow);
  (await made.flow.loadMore()).waitlist.open("2026-12-01", "2026-12-02");
  await made.flow.more!.waitlist.join();
  assert.ok(texts(made.flow).includes("Leave the waitlist"));
  made.flow.more!.waitlist.askToLeave();
  const yes = elements(made.flow).find((node) => node.props.class === "primary");
  (yes?.props.onclick as () => void)();
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(made.asked("leaveWaitlist"), ["w"]);
});

// ---- what a page learns, and what a visitor takes along ----

Deno.test("a page learns of each step what it is worth, and nothing of the person", async () => {
  const made = setting({ getBooking: () => Promise.resolve(confirmed) });
  await toDetails(made);
  await made.flow.details.submitDetails();
  await made.flow.paying.checkAgain();
  assert.deepEqual(made.told("step").map(({ step, value, currency }) => [step, value, currency]), [
    ["choose", undefined, undefined],
    ["details", 89, "EUR"],
    ["pay", 89, "EUR"],
    ["booking", 89, "EUR"],
  ]);
  const told = JSON.stringify(["step", "held", "confirmed"].map(made.told));
  assert.doesNotMatch(told, /Maria|maria|example|secret/);
  assert.deepEqual(made.told("held")[0], {
    step: "details",
    reference: "ABCD-2345",
    value: 89,
    currency: "EUR",
  });
  assert.equal(toUnits(8900, "JPY"), 8900);
  assert.equal(toUnits(8900, "RSD"), 89);
});

Deno.test("a deposit and what is left are said beside the button", async () => {
  const made = setting({ quote: () => Promise.resolve({ ...quote, due_now_cents: 2000 }) });
  await toDetails(made);
  const form = elements(made.flow).find((node) => node.tag === "form");
  const dues = form?.children.find((node) =>
    typeof node !== "string" && node.props.class === "dues"
  );
  assert.ok(JSON.stringify(dues).includes("€20.00"));
  assert.ok(JSON.stringify(dues).includes("€69.00"));
});

const placed: Booking = {
  ...confirmed,
  location: {
    name: "Sala Nord",
    address: "Carrer Major 1, 08001 Barcelona",
    phone: "972 000 000",
    arrival_hints: "Ring at 2B.",
    directions: "Five minutes from the station.",
    latitude: null,
    longitude: null,
    line: "Sala Nord, Carrer Major 1, 08001 Barcelona",
  },
  event: { uid: "0190-uid", sequence: 2, updated_at: "2026-11-23T10:00:00Z" },
};

Deno.test("a visit is one event: as the mails name and number it, with its place", () => {
  const file = eventFile(placed).replaceAll("\r\n ", "");
  assert.match(file, /^UID:0190-uid\r$/m);
  assert.match(file, /^SEQUENCE:2\r$/m);
  assert.match(file, /^LOCATION:Sala Nord\\, Carrer Major 1\\, 08001 Barcelona\r$/m);
  assert.match(file, /^DTSTAMP:20261123T100000Z\r$/m);
});

Deno.test("the links into calendars carry the visit and no secret", () => {
  const google = new URL(googleLink(placed));
  assert.equal(google.searchParams.get("dates"), "20261204T170000Z/20261204T180000Z");
  assert.equal(google.searchParams.get("location"), "Sala Nord, Carrer Major 1, 08001 Barcelona");
  const outlook = new URL(outlookLink(placed));
  assert.equal(outlook.searchParams.get("startdt"), placed.starts_at);
  for (const link of [google.href, outlook.href]) assert.doesNotMatch(link, /secret|token|maria/i);
});

Deno.test("the booked page says where to come", async () => {
  const made = setting({ getBooking: () => Promise.resolve(placed) }, returned);
  await made.flow.start();
  assert.ok(texts(made.flow).includes("Sala Nord, Carrer Major 1, 08001 Barcelona"));
});

Deno.test("a waiver's link is there to be copied and shared, at the booking and once signed", async () => {
  const shared: string[] = [];
  const waiver = {
    policy: "required" as const,
    signed: 0,
    needed: 2,
    missing: 2,
    token: "w",
  };
  const made = setting(
    { getBooking: () => Promise.resolve({ ...confirmed, waiver }) },
    returned,
    undefined,
    {
      share: (url) => Promise.resolve(void shared.push(url)),
      copy: () => Promise.reject(new Error("not allowed here")),
    },
  );
  await made.flow.start();
  const link = "https://venue.test/book?waiver=sign#token=w";
  const fields = () => elements(made.flow).filter((node) => node.props.value === link);
  assert.equal(fields().length, 1);
  await made.flow.copy(link);
  // Where copying is not allowed, the link is marked.
  assert.equal(made.flow.state.copied, null);
  assert.equal(made.flow.state.focus?.target, "link");
  await made.flow.world.share?.(link);
  assert.deepEqual(shared, [link]);
  await made.flow.more!.waivers.open("w");
  made.flow.more!.waivers.change({
    agreed: made.flow.state.signing!.waiver.text,
    manner: "type",
    name: "Eva",
  });
  await made.flow.more!.waivers.sign((name) => name);
  assert.equal(made.flow.state.step, "signed");
  assert.equal(fields().length, 1);
});

Deno.test("a room is described where the day comes first, too", async () => {
  const described = rich.rooms.map((room) => ({ ...room, description: `All about ${room.id}.` }));
  const made = setting({ getCalendar: () => Promise.resolve({ ...rich, rooms: described }) });
  await made.flow.start();
  assert.ok(texts(made.flow).includes("All about r1."));
  assert.ok(texts(made.flow).includes("About this room"));
});

// ---- pictures ----

const pictured = rich.rooms.map((room, index) => ({
  ...room,
  description: `All about ${room.id}.`,
  images: index === 0
    ? [{ path: "o/rooms/a.png", alt: { es: "La puerta", en: "The door" } }, {
      path: "o/rooms/b.png",
      alt: {},
    }]
    : [{ path: "o/rooms/c.png", alt: {} }],
}));

for (const flow of ["room_first", "date_first"] as const) {
  Deno.test(`a room's pictures are shown in their order, with words for them: ${flow}`, async () => {
    const made = setting({
      getCalendar: () => Promise.resolve({ ...rich, flow, rooms: pictured }),
    });
    await made.flow.start();
    const [gallery] = elements(made.flow).filter((node) => node.props.class === "gallery");
    assert.ok(gallery);
    const inside = [...nodes([gallery])].filter((node) => typeof node !== "string");
    const pictures = inside.filter((node) => node.tag === "img");
    assert.deepEqual(
      pictures.map(({ props: { src, alt, loading } }) => [src, alt, loading]),
      [
        ["https://files.test/o/rooms/a.png", "The door", "lazy"],
        ["https://files.test/o/rooms/b.png", "r1, picture 2 of 2", "lazy"],
      ],
    );
    const row = inside.find((node) => node.props.class === "pictures");
    assert.deepEqual([row?.props.tabindex, row?.props["aria-label"]], [0, "Pictures of r1"]);
    assert.deepEqual(
      inside.filter((node) => node.tag === "button").map((node) => node.props["aria-label"]),
      ["Previous picture", "Next picture"],
    );
    const cover = elements(made.flow).find((node) => node.props.class === "room-art");
    const [, image] = cover!.children;
    assert.ok(typeof image === "object" && image.props.src === "https://files.test/o/rooms/a.png");
  });
}

Deno.test("a single picture is not turned over, and no picture leaves no gap", async () => {
  const single = pictured.map((room, index) => ({
    ...room,
    images: index ? [] : [pictured[1]!.images[0]!],
  }));
  const made = setting({
    getCalendar: () => Promise.resolve({ ...rich, flow: "room_first" as const, rooms: single }),
  });
  await made.flow.start();
  const classes = () => elements(made.flow).map((node) => node.props.class);
  assert.ok(classes().includes("gallery") && !classes().includes("turn"));
  await made.flow.choosing.selectRoom("r2");
  assert.ok(!classes().includes("gallery"));
});

// ---- a page that was opened in the middle ----

Deno.test("a reload while a time is held leads back to the details and to the calendar's day", async () => {
  const made = setting();
  await toDetails(made);
  await made.flow.choosing.setPartySize(5);
  await made.flow.details.submitDetails();
  const again = setting({}, {}, made.store, {}, made.past);
  await again.flow.start();
  assert.equal(again.flow.state.step, "pay");
  await again.flow.trail.back();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(again.flow.state.step, "details");
  assert.equal((again.asked("quote")[0] as { party_size: number }).party_size, 5);
  assert.deepEqual(again.flow.questions, calendar.fields);
  await again.flow.trail.back();
  await new Promise((resolve) => setTimeout(resolve));
  const { step, month, day } = again.flow.state;
  assert.deepEqual([step, month, day], ["choose", "2026-12", "2026-12-04"]);
  assert.ok(texts(again.flow).includes("December 2026"));
});

Deno.test("going back gives nothing back that was paid meanwhile", async () => {
  let present: Booking = booking;
  const made = setting({ getBooking: () => Promise.resolve(present) });
  await toDetails(made);
  await made.flow.details.submitDetails();
  present = confirmed;
  await made.flow.trail.back();
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(!made.calls.includes("cancelBooking"));
  assert.equal(made.flow.state.step, "booking");
});

Deno.test("a full day that was looked at stays over the waitlist, with and without a reload", async () => {
  const lists = { ...soldOut("2026-12-02"), getCalendar: () => Promise.resolve(rich) };
  const made = setting(lists);
  await made.flow.start();
  await made.flow.choosing.selectDay("2026-12-02");
  await made.flow.choosing.openWaitlist();
  const again = setting(lists, {}, made.store, {}, [...made.past]);
  await again.flow.start();
  for (const { flow } of [made, again]) {
    assert.equal(flow.state.step, "waitlist");
    await flow.trail.back();
    await new Promise((resolve) => setTimeout(resolve));
    assert.deepEqual([flow.state.step, flow.state.day], ["choose", "2026-12-02"]);
  }
});

Deno.test("a page can name a day that is sold out, where one can wait for it", async () => {
  for (const [waitlist, day] of [[true, "2026-12-02"], [false, "2026-12-04"]] as const) {
    const made = setting(
      { ...soldOut("2026-12-02"), getCalendar: () => Promise.resolve({ ...rich, waitlist }) },
      {},
      undefined,
      { preset: { date: "2026-12-02" } },
    );
    await made.flow.start();
    assert.equal(made.flow.state.day, day);
  }
});

Deno.test("a reload stays on a waiver that was opened at the booking", async () => {
  const waiver = { policy: "required" as const, signed: 0, needed: 2, missing: 2, token: "w" };
  const answers = { getBooking: () => Promise.resolve({ ...confirmed, waiver }) };
  const made = setting(answers, returned);
  await made.flow.start();
  await made.flow.more!.waivers.open("w");
  const again = setting(answers, returned, made.store, {}, made.past);
  await again.flow.start();
  assert.equal(again.flow.state.step, "waiver");
  assert.deepEqual(again.past.map((mark) => mark?.step), ["booking", "waiver"]);
  await again.flow.trail.back();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(again.flow.state.step, "booking");
});

Deno.test("a refused name is marked on the waiver, the signer's and each minor's", async () => {
  for (
    const [code, details, marked] of [
      ["signer_invalid", { field: "full_name" }, { waiver_name: "invalidName" }],
      ["minors_invalid", { position: 1, field: "full_name" }, { "minor-1": "invalidName" }],
      ["minors_invalid", { position: 0, field: "birth_year" }, { "year-0": "invalidYear" }],
      ["signature_invalid", {}, { signature: "invalidSignature" }],
    ] as const
  ) {
    const made = setting({ signWaiver: refuse(code, details) }, { waiver: "w" });
    await made.flow.start();
    const { waivers } = made.flow.more!;
    for (const index of [0, 1]) {
      waivers.addMinor();
      waivers.changeMinor(index, { name: "evil.com", year: "2015" });
    }
    waivers.change({ name: "Ana", agreed: waiver.text, drawing: "data:," });
    await waivers.sign((name) => name);
    assert.deepEqual(made.flow.state.fieldErrors, marked);
    assert.equal(made.flow.state.focus?.target, `field-${Object.keys(marked)[0]}`);
    assert.equal(made.flow.state.notice, null);
  }
});

Deno.test("a payment that was begun is looked for by itself, for a while", async () => {
  let present: Booking = {
    ...booking,
    hold_expires_at: new Date(now + 10 * 3_600_000).toISOString(),
  };
  const made = setting({ getBooking: () => Promise.resolve(present) }, {}, undefined, {
    redirect: () => "tab",
  });
  await toDetails(made);
  await made.flow.details.submitDetails();
  const looks = () => made.calls.filter((call) => call === "getBooking").length;
  const pass = async (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      made.clock += 1_000;
      made.flow.paying.tick();
      await new Promise((resolve) => queueMicrotask(() => resolve(null)));
    }
  };
  await pass(60);
  assert.equal(looks(), 0);
  // A frame that is loaded anew comes back to the time that it holds.
  await made.flow.paying.pay();
  const again = setting({ getBooking: () => Promise.resolve(present) }, {}, made.store);
  await again.flow.start();
  assert.equal(again.flow.state.step, "pay");
  await pass(60);
  assert.ok(looks() >= 8 && looks() <= 16, `${looks()}`);
  await pass(3_600);
  const all = looks();
  assert.ok(all <= 61, `${all}`);
  await pass(600);
  assert.equal(looks(), all);
  present = confirmed;
  again.flow.paying.tick();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(again.flow.state.step, "booking");
  assert.deepEqual(again.events, ["confirmed ABCD-2345"]);
});

Deno.test("what was said of one step is not said on the next", async () => {
  const made = richly();
  await made.flow.start();
  (await made.flow.loadMore()).waitlist.open("2026-12-01", "2026-12-02");
  await made.flow.more!.waitlist.join();
  assert.match(read(made.flow.state.announcement?.text) ?? "", /another look/);
  made.flow.details.type("full_name", "Maria");
  made.flow.details.type("email", "maria@example.test");
  made.flow.details.answer("select", "m");
  tick(made.flow);
  await made.flow.more!.waitlist.join();
  assert.equal(made.flow.state.step, "waiting");
  assert.equal(made.flow.state.announcement, null);
});

Deno.test("a key that the API refuses is named as a missing one is", async () => {
  for (const body of [{ message: "Invalid API key" }, { code: "PGRST301", message: "x" }, null]) {
    assert.equal(toError(401, body).code, "key_refused");
  }
  const made = setting({ getCalendar: () => Promise.reject(toError(401, {})) });
  await made.flow.start();
  assert.equal(made.flow.state.step, "failed");
  assert.match(texts(made.flow).join(" "), /not set up: publishable-key is wrong/);
});
