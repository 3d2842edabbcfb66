/** What a booking's page in the widget asks for is what the payment page will ask for. */
import assert from "node:assert/strict";
import type { Booking } from "../../edge/_shared/booking.ts";
import type { Api } from "../../edge/booking-widget/src/api.ts";
import { booking, type Setting, setting, stringsFor, texts } from "./booking_widget_world.ts";

const english = stringsFor("en");
const split = { ...booking, total_cents: 7920, due_now_cents: 7920, open_cents: 7920 };

async function opened(shown: Booking): Promise<Setting> {
  const api: Partial<Api> = { getBooking: () => Promise.resolve(shown) };
  const made = setting(api, { reference: shown.reference, token: "secret" });
  await made.flow.start();
  return made;
}

/** The amounts and pages that are offered. */
const offers = (made: Setting) =>
  texts(made.flow).filter((text) => text.startsWith("Pay ") || text === english.openPayment);

for (const status of ["held", "confirmed"] as const) {
  Deno.test(`of a ${status} booking the organizer is asked what others are not to pay`, async () => {
    const made = await opened({ ...split, status, payable_cents: 2640, shared_cents: 5280 });
    assert.deepEqual(offers(made), ["Pay €26.40"]);
    assert.ok(!texts(made.flow).includes(english.othersPay));
  });

  Deno.test(`of a ${status} booking that others are to pay nothing is asked, and it says so`, async () => {
    const made = await opened({ ...split, status, payable_cents: 0, shared_cents: 7920 });
    assert.deepEqual(offers(made), []);
    assert.ok(texts(made.flow).includes(english.othersPay));
    assert.ok(!texts(made.flow).includes(english.reserveFree));
    assert.ok(!texts(made.flow).includes(english.payHint));
  });
}

Deno.test("a deposit and all of it are both less what others are to pay", async () => {
  const made = await opened({
    ...split,
    due_now_cents: 3000,
    payable_cents: 6920,
    shared_cents: 1000,
  });
  assert.deepEqual(offers(made), ["Pay €20.00", "Pay all of it now: €69.20"]);

  const covered = await opened({
    ...split,
    due_now_cents: 3000,
    payable_cents: 4920,
    shared_cents: 3000,
  });
  assert.deepEqual(offers(covered), ["Pay all of it now: €49.20"]);
  assert.ok(texts(covered.flow).includes(english.othersPay));

  const part = await opened({
    ...split,
    due_now_cents: 3960,
    payable_cents: 2640,
    shared_cents: 1320,
  });
  assert.deepEqual(offers(part), ["Pay €26.40"]);
  assert.equal(texts(part.flow).filter((text) => text === "€26.40").length, 2, "to pay now");
});

Deno.test("a page that is a whole order's is opened without an amount", async () => {
  const made = await opened({ ...split, payable_cents: 7920, with_order: true });
  assert.deepEqual(offers(made), [english.openPayment]);
  const free = await opened({ ...split, due_now_cents: 0, payable_cents: 0, with_order: true });
  assert.deepEqual(offers(free), []);
});

Deno.test("where nothing can be paid for another reason the service says which", async () => {
  const made = await opened({ ...split, payable_cents: 0, shared_cents: 0 });
  assert.deepEqual(offers(made), [english.openPayment]);
  assert.ok(!texts(made.flow).includes(english.othersPay));
});
