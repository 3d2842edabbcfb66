/** What is said of a time that is held: whether money comes, how long it is kept, and on which terms. */
import assert from "node:assert/strict";
import type { Booking, Terms, Tier } from "../../edge/_shared/booking.ts";
import { ApiError } from "../../edge/booking-widget/src/api.ts";
import { createStore } from "../../edge/booking-widget/src/store.ts";
import {
  booking,
  changeQuote,
  confirmed,
  elements,
  isTicked,
  now,
  quote,
  read,
  refuse,
  returned,
  rich,
  type Setting,
  setting,
  slot,
  stringsFor,
  texts,
  tick,
  toDetails,
  toRichDetails,
} from "./booking_widget_world.ts";

const expired: Booking = { ...booking, status: "expired", hold_expires_at: null };
const paying: Booking = { ...expired, payment_open: true };
const ranOut = "The time we were keeping for you has run out.";

async function toPay(made: Setting): Promise<Setting> {
  await toDetails(made);
  await made.flow.details.submitDetails();
  assert.equal(made.flow.state.step, "pay");
  return made;
}

const sees = (made: Setting, seen: Booking) => {
  made.flow.world.api.getBooking = () => {
    made.calls.push("getBooking");
    return Promise.resolve(seen);
  };
};
const settle = () => new Promise((resolve) => setTimeout(resolve));
const looks = (made: Setting) => made.calls.filter((name) => name === "getBooking").length;

function endsUnpaid(made: Setting): void {
  assert.equal(made.flow.state.step, "pay");
  const said = texts(made.flow);
  assert.ok(said.includes(ranOut), said.join("|"));
  assert.ok(!said.some((text) => /on its way|Confirming|came after/.test(text)), said.join("|"));
  assert.equal(made.store.open("casa"), null);
}

// ---- money that nobody paid ----

Deno.test("nobody is told of a payment when no page for it was opened", async () => {
  const made = await toPay(setting({ checkout: refuse("not_payable") }));
  sees(made, expired);
  await made.flow.paying.pay();
  endsUnpaid(made);
  assert.equal(looks(made), 1);
  assert.equal(made.flow.state.notice, null);
});

Deno.test("nobody is told of a payment when the hold lapses behind the open step", async () => {
  const begun = await toPay(setting({ checkout: refuse("online_payment_unavailable") }));
  await begun.flow.paying.pay();
  sees(begun, expired);
  begun.clock += 10_000;
  begun.flow.paying.tick();
  await settle();
  endsUnpaid(begun);

  const back = await toPay(setting());
  sees(back, expired);
  await back.flow.paying.release();
  endsUnpaid(back);

  const woken = await toPay(setting());
  sees(woken, expired);
  await woken.flow.wake();
  endsUnpaid(woken);
});

Deno.test("a page that is still open may have been paid: that is waited for, until it is known", async () => {
  const made = await toPay(setting());
  const answers = [paying, paying, expired];
  made.flow.world.api.getBooking = () => Promise.resolve(answers.shift() ?? expired);
  await made.flow.wake();
  assert.deepEqual(answers, []);
  endsUnpaid(made);

  const paid = await toPay(setting());
  const late = [paying, paying];
  paid.flow.world.api.getBooking = () => Promise.resolve(late.shift() ?? confirmed);
  await paid.flow.wake();
  assert.equal(paid.flow.state.step, "booking");
});

Deno.test("who comes back from the provider's page is told of the money that came late", async () => {
  const made = setting({ getBooking: () => Promise.resolve(expired) }, {
    ...returned,
    payment: "success",
  });
  await made.flow.start();
  assert.equal(made.flow.state.step, "slow");
  assert.ok(texts(made.flow).some((text) => text.includes("came after the time ran out")));
});

// ---- the clock ----

Deno.test("a visitor's clock that is set while a time is held moves nothing", async () => {
  for (const hours of [-1, 2]) {
    let wall = now;
    const made = setting({}, {}, undefined, { wallClock: () => wall });
    await toPay(made);
    made.flow.paying.tick();
    wall += hours * 3_600_000;
    made.clock += 1000;
    made.flow.paying.tick();
    assert.equal(made.flow.state.remaining, 899, String(hours));
    assert.ok(texts(made.flow).includes("14:59"));
  }
});

Deno.test("as long as the server says held, it is held, whatever the countdown says", async () => {
  const made = await toPay(setting());
  sees(made, { ...booking });
  made.clock += 16 * 60_000;
  for (let look = 1; look <= 3; look++) {
    made.flow.paying.tick();
    await settle();
    assert.equal(looks(made), look);
    assert.equal(made.flow.state.remaining, 0);
    assert.equal(made.store.open("casa"), booking.reference);
    const said = texts(made.flow);
    assert.ok(said.includes("0:00") && !said.includes(ranOut), said.join("|"));
    made.clock += 4_000;
  }
  sees(made, expired);
  made.flow.paying.tick();
  await settle();
  endsUnpaid(made);
});

Deno.test("a held time that seems over is found again all the same", async () => {
  const store = createStore(() => {
    throw new Error("no storage in tests");
  });
  store.save(booking.reference, { token: "secret", calendar: "casa", skew: 0 });
  store.setOpen("casa", booking.reference);
  // Nothing has told the time yet.
  const made = setting({ getCalendar: () => new Promise(() => {}) }, {}, store);
  made.clock += 16 * 60_000;
  await made.flow.start();
  assert.equal(made.flow.state.step, "pay");
  assert.equal(store.open("casa"), booking.reference);
});

Deno.test("after a sleep, in which nothing counted, the server is asked what the time is", async () => {
  let server = now;
  let wall = now;
  const made = setting({ serverTime: () => server }, {}, undefined, { wallClock: () => wall });
  await toPay(made);
  made.flow.paying.tick();
  sees(made, booking);
  server += 10 * 60_000;
  wall += 10 * 60_000;
  made.flow.paying.tick();
  await settle();
  made.flow.paying.tick();
  await settle();
  assert.equal(looks(made), 1);
  assert.equal(made.flow.state.remaining, 300);
});

// ---- terms ----

const tier: Tier = { hours_before: 48, refund_percent: 50 };
const agreed: Terms = { tiers: [tier], no_show_fee_percent: 0 };
/** Each field with another value; a field that is missing here is an error of its type. */
const tiers: { readonly [Field in keyof Tier]: Tier } = {
  hours_before: { ...tier, hours_before: 24 },
  refund_percent: { ...tier, refund_percent: 80 },
};
const others: { readonly [Field in keyof Terms]: readonly Terms[] } = {
  tiers: [
    { ...agreed, tiers: [] },
    { ...agreed, tiers: [{ hours_before: 72, refund_percent: 100 }, tier] },
    ...Object.values(tiers).map((one) => ({ ...agreed, tiers: [one] })),
  ],
  no_show_fee_percent: [{ ...agreed, no_show_fee_percent: 100 }],
};

/** What a visitor reads, with these terms, in each step where they agree to them or look them up. */
async function shown(terms: Terms): Promise<Record<string, string>> {
  const seen = { ...booking, terms };
  const made = setting({
    quote: () => Promise.resolve({ ...quote, terms }),
    quoteReschedule: () => Promise.resolve({ ...changeQuote, terms }),
    getBooking: () => Promise.resolve(seen),
  });
  const said: Record<string, string> = {};
  const note = () => said[made.flow.state.step] = texts(made.flow).join("|");
  await toDetails(made);
  note();
  await made.flow.details.submitDetails();
  note();
  await made.flow.wake();
  said.paidLater = texts(made.flow).join("|");
  await made.flow.enterBooking({ ...seen, ...confirmed, terms, cancellable: false }, true);
  note();
  await made.flow.enterBooking({ ...seen, ...confirmed, terms, reschedulable: true }, true);
  await made.flow.more!.moving.start();
  await made.flow.more!.moving.quote(slot);
  note();
  return said;
}

Deno.test("every field of the terms is shown wherever they are agreed to", async () => {
  const usual = await shown(agreed);
  assert.deepEqual(Object.keys(usual), ["details", "pay", "paidLater", "booking", "moveQuote"]);
  for (const other of Object.values(others).flat()) {
    for (const [step, said] of Object.entries(await shown(other))) {
      assert.notEqual(said, usual[step], `${step}: ${JSON.stringify(other)}`);
    }
  }
  const { details } = await shown({ ...agreed, no_show_fee_percent: 100 });
  assert.match(details!, /If you do not come: 100\s?% of the price/);
  assert.match(
    (await shown({ ...agreed, tiers: [] })).details!,
    /before the start: all of it back/,
  );
});

const marked = (made: Setting, tag: string) =>
  elements(made.flow).filter((node) => node.tag === tag).map((node) => node.children.join(""));

Deno.test("terms that change before one's eyes are marked, the old ones beside the new", async () => {
  const dearer: Terms = { tiers: [{ ...tier, hours_before: 24 }], no_show_fee_percent: 100 };
  let terms = agreed;
  const made = setting({
    quote: () => Promise.resolve({ ...quote, terms }),
    quoteReschedule: () => Promise.resolve({ ...changeQuote, terms }),
    hold: refuse("terms_changed"),
    reschedule: refuse("terms_changed"),
  });
  const expected = {
    ins: ["Cancel up to 24 hours before: 50% back", "If you do not come: 100% of the price"],
    del: ["Cancel up to 48 hours before: 50% back"],
  };
  const tells = () => {
    assert.match(read(made.flow.state.notice?.text) ?? "", /has just changed/);
    const said = { ins: marked(made, "ins"), del: marked(made, "del") };
    assert.deepEqual(said, expected);
  };
  await toDetails(made);
  assert.deepEqual(marked(made, "ins"), []);
  terms = dearer;
  await made.flow.details.submitDetails();
  tells();

  terms = agreed;
  await made.flow.enterBooking({ ...confirmed, reschedulable: true }, false);
  await made.flow.more!.moving.start();
  await made.flow.more!.moving.quote(slot);
  assert.deepEqual(marked(made, "ins"), []);
  terms = dearer;
  await made.flow.more!.moving.confirm();
  tells();
});

Deno.test("terms that change with the price are marked, too, and not for another time", async () => {
  let terms = agreed;
  const made = setting({
    quote: () => Promise.resolve({ ...quote, terms }),
    hold: () => Promise.reject(new ApiError("total_changed", 409)),
  });
  await toDetails(made);
  terms = { ...agreed, no_show_fee_percent: 100 };
  await made.flow.details.submitDetails();
  assert.deepEqual(marked(made, "ins"), ["If you do not come: 100% of the price"]);
  made.flow.choosing.backToChoose();
  await made.flow.choosing.chooseSlot(slot);
  assert.deepEqual(marked(made, "ins"), []);
});

const worse: Terms = { ...agreed, no_show_fee_percent: 100 };
const fee = "If you do not come: 100% of the price";

Deno.test("terms that change before a reload are said, marked and agreed to anew", async () => {
  let terms = agreed;
  const api = {
    getCalendar: () => Promise.resolve(rich),
    quote: () => Promise.resolve({ ...quote, terms }),
  };
  const first = setting(api);
  await toRichDetails(first);
  const open = () => setting(api, {}, first.store, {}, first.past);
  const same = open();
  await same.flow.start();
  assert.deepEqual([isTicked(same.flow), same.flow.state.notice], [true, null]);
  terms = worse;
  const again = open();
  await again.flow.start();
  assert.equal(again.flow.state.step, "details");
  assert.match(read(again.flow.state.notice?.text) ?? "", /cancelling has just changed/);
  assert.deepEqual(marked(again, "ins"), [fee]);
  await again.flow.details.submitDetails();
  assert.equal(again.holds.length, 0, "what was ticked was something else");
  // It is not taken for agreed by loading it once more.
  const third = open();
  await third.flow.start();
  assert.equal(isTicked(third.flow), false);
  tick(third.flow);
  await third.flow.details.submitDetails();
  assert.deepEqual(third.holds[0]?.expected_terms, worse);
});

Deno.test("terms that change while extras and codes are chosen are marked, too", async () => {
  let terms = agreed;
  const made = setting({
    getCalendar: () => Promise.resolve(rich),
    quote: () => Promise.resolve({ ...quote, terms }),
  });
  await toRichDetails(made);
  await made.flow.pricing.setExtra("x1", 1);
  assert.deepEqual([marked(made, "ins"), isTicked(made.flow)], [[], true]);
  terms = worse;
  await made.flow.pricing.setExtra("x1", 2);
  assert.deepEqual([marked(made, "ins"), isTicked(made.flow)], [[fee], false]);
  terms = agreed;
  made.flow.pricing.typeCode("SUMMER");
  await made.flow.pricing.applyCode();
  assert.deepEqual(marked(made, "del"), [fee]);
});

Deno.test("a move marks what it takes of the booking's own terms, with or without a reload", async () => {
  let terms = agreed;
  let total = changeQuote.total_cents;
  const api = {
    getBooking: () => Promise.resolve({ ...confirmed, terms: agreed, reschedulable: true }),
    quoteReschedule: () => Promise.resolve({ ...changeQuote, terms, total_cents: total }),
  };
  const warned = (made: Setting) =>
    texts(made.flow).some((text) => text.startsWith("Changing it, you accept other conditions"));
  const made = setting(api, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  await made.flow.choosing.chooseSlot(slot);
  assert.deepEqual([warned(made), marked(made, "ins")], [false, []]);
  terms = worse;
  const open = () => setting(api, returned, made.store, {}, made.past);
  const again = open();
  await again.flow.start();
  assert.equal(again.flow.state.step, "moveQuote");
  assert.deepEqual([warned(again), marked(again, "ins")], [true, [fee]]);
  again.flow.more!.moving.leave();
  await again.flow.more!.moving.start();
  await again.flow.choosing.chooseSlot(slot);
  assert.deepEqual([warned(again), marked(again, "ins")], [true, [fee]]);
  // So is a price that was another before the reload.
  total += 500;
  const third = open();
  await third.flow.start();
  assert.equal(third.flow.state.oldTotal, changeQuote.total_cents);
});

Deno.test("what a bank has still to decide is not promised to whoever cancels", async () => {
  const cancellation = {
    refund_percent: 100,
    refund_cents: 8900,
    disputed_cents: 5000,
    lost_cents: 0,
  };
  const made = setting({
    getBooking: () => Promise.resolve({ ...confirmed, cancellation }),
    cancelBooking: () => Promise.resolve({ ...confirmed, cancellation, status: "cancelled" }),
  }, returned);
  await made.flow.start();
  await made.flow.more!.managing.askCancel();
  assert.ok(texts(made.flow).some((text) => /€50.00 is disputed at your bank/.test(text)));
  await made.flow.more!.managing.confirmCancel();
  assert.ok(texts(made.flow).some((text) => text.startsWith("You get €39.00 back.")));
});

Deno.test("what a bank has still to decide is not promised to whoever moves, before and after", async () => {
  const disputed = /€5.00 of what you paid is disputed at your bank/;
  const made = setting({
    getBooking: () => Promise.resolve({ ...confirmed, reschedulable: true }),
    quoteReschedule: () =>
      Promise.resolve({
        ...changeQuote,
        total_cents: 8000,
        difference_cents: -900,
        refund_cents: 400,
        open_cents: 0,
        disputed_cents: 500,
      }),
  }, returned);
  await made.flow.start();
  await made.flow.more!.moving.start();
  await made.flow.choosing.chooseSlot(slot);
  const asked = texts(made.flow).find((text) => disputed.test(text));
  assert.match(asked ?? "", /^You get €4.00 back\./);
  await made.flow.more!.moving.confirm();
  assert.equal(made.flow.state.step, "booking");
  assert.match(read(made.flow.state.notice?.text) ?? "", /has been changed/);
  assert.match(read(made.flow.state.notice?.text) ?? "", disputed);
});

Deno.test("what a bank has given back already is said before a booking is cancelled", async () => {
  for (const refund_cents of [0, 3900]) {
    const cancellation = { refund_percent: 100, refund_cents, disputed_cents: 0, lost_cents: 5000 };
    const made = setting({
      getBooking: () => Promise.resolve({ ...confirmed, cancellation }),
    }, returned);
    await made.flow.start();
    await made.flow.more!.managing.askCancel();
    const said = texts(made.flow);
    assert.equal(
      said.filter((text) => text.toString().startsWith("Your bank has given €50.00")).length,
      1,
    );
    assert.ok(!said.includes(stringsFor("en").cancelNothing));
    assert.equal(said.some((text) => /€39.00/.test(text)), refund_cents > 0);
  }
});
