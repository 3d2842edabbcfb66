/** Buying a gift voucher in the widget: one order however often it is asked for, and what became of it. */
import assert from "node:assert/strict";
import type { VoucherOffer, VoucherOrder } from "../../edge/_shared/booking.ts";
import { type Api, ApiError } from "../../edge/booking-widget/src/api.ts";
import { typedAmount } from "../../edge/booking-widget/src/buying.ts";
import type { Store } from "../../edge/booking-widget/src/store.ts";
import type { Mark } from "../../edge/booking-widget/src/trail.ts";
import type { Entry, World } from "../../edge/booking-widget/src/world.ts";
import {
  calendar,
  confirmed,
  elements,
  isTicked,
  read,
  returned,
  rich,
  type Setting,
  setting,
  stringsFor,
  texts,
  tick,
  voucherOffer,
  voucherOrder,
} from "./booking_widget_world.ts";

const english = stringsFor("en");
const ID = voucherOrder.order_id;
const paid: VoucherOrder = {
  ...voucherOrder,
  status: "paid",
  code: "GIFT-2026",
  valid_until: "2027-11-23",
};

interface Request {
  readonly idempotency_key: string;
  readonly [name: string]: unknown;
}

/** The database's and the service's answers, and what they were asked. */
class Sale {
  offer: VoucherOffer | ApiError = voucherOffer;
  orders: (VoucherOrder | ApiError)[] = [voucherOrder];
  placed: (ApiError | null)[] = [];
  checkouts: (ApiError | string)[] = [];
  readonly asked: Request[] = [];
  readonly opened: object[] = [];

  #answer<T>(answer: T | ApiError): Promise<T> {
    return answer instanceof ApiError ? Promise.reject(answer) : Promise.resolve(answer);
  }

  readonly api: Partial<Api> = {
    rpc: <T>(name: string, request: object): Promise<T> => {
      if (name === "get_voucher_offer") return this.#answer(this.offer as T);
      if (name === "get_voucher_order") {
        const next = this.orders.length > 1 ? this.orders.shift() : this.orders[0];
        return this.#answer(next as T);
      }
      this.asked.push(request as Request);
      const refused = this.placed.shift();
      return this.#answer(refused ?? { order_id: ID, order_token: "secret" } as T);
    },
    serve: <T>(route: string, request: object): Promise<T> => {
      assert.equal(route, "voucher-checkout");
      this.opened.push(request);
      const answer = this.checkouts.shift() ?? "https://pay.test/1";
      return this.#answer(
        answer instanceof ApiError ? answer : { checkout_url: answer } as T,
      );
    },
  };

  visit(
    entry: Partial<Entry> = {},
    kept?: Store,
    world: Partial<World> = {},
    past?: (Mark | null)[],
    more: Partial<Api> = {},
  ): Setting {
    const shop = { preset: { vouchers: true }, ...world };
    return setting({ ...this.api, ...more }, entry, kept, shop, past);
  }
}

async function filled(sale: Sale, made = sale.visit()): Promise<Setting> {
  await made.flow.start();
  made.flow.details.type("full_name", " Joan Serra ");
  made.flow.details.type("email", "joan@example.test");
  return made;
}

const settle = () => new Promise((resolve) => setTimeout(resolve));
const heading = (made: Setting) =>
  elements(made.flow).find(({ props }) => props["data-focus"] === "heading")?.children[0];

Deno.test("amounts are read as people type them, in the currency's own digits", () => {
  assert.equal(typedAmount(" 50 ", "EUR"), 5000);
  assert.equal(typedAmount("50,5", "EUR"), 5050);
  assert.equal(typedAmount("50.05", "EUR"), 5005);
  assert.equal(typedAmount("5000", "JPY"), 5000);
  assert.equal(typedAmount("5.25", "KWD"), 5250);
  for (const text of ["", "-5", "1.234", "5,001", "1e3", "50 €", "."]) {
    assert.equal(typedAmount(text, "EUR"), null, text);
  }
  assert.equal(typedAmount("50.5", "JPY"), null);
});

Deno.test("a voucher is ordered with what was chosen and typed, and paid on its page", async () => {
  const sale = new Sale();
  const made = await filled(sale);
  assert.equal(heading(made), english.giftTitle);
  const { vouchers } = made.flow.more!;
  vouchers.change({
    product: "",
    amount: "55,50",
    recipient: "Marta",
    mailed: true,
    address: "marta@example.test",
    message: " Happy birthday! ",
    day: "2026-12-24",
  });
  await vouchers.buy();
  const [{ idempotency_key, ...request }] = sale.asked as [Request];
  assert.equal(idempotency_key, "key-1");
  assert.deepEqual(request, {
    slug: "casa",
    buyer_name: "Joan Serra",
    buyer_email: "joan@example.test",
    amount_cents: 5550,
    product_id: null,
    recipient_name: "Marta",
    recipient_email: "marta@example.test",
    message: "Happy birthday!",
    deliver_on: "2026-12-24",
    locale: "es",
    accepted_terms: null,
  });
  assert.deepEqual(sale.opened, [
    { order_id: ID, order_token: "secret", return_url: "https://venue.test/book" },
  ]);
  assert.deepEqual(made.redirects, ["https://pay.test/1"]);
});

Deno.test("who keeps it to themselves sends no address and no day", async () => {
  const sale = new Sale();
  const made = await filled(sale);
  const { vouchers } = made.flow.more!;
  vouchers.change({ mailed: true, address: "marta@example.test", day: "2026-12-24" });
  vouchers.change({ mailed: false });
  await vouchers.buy();
  const [request] = sale.asked;
  assert.deepEqual([request!.recipient_email, request!.deliver_on], [null, null]);
  assert.deepEqual([request!.product_id, request!.amount_cents], ["p1", 8000]);
});

Deno.test("what is missing or wrong is marked before anything is sent", async () => {
  const sale = new Sale();
  const made = sale.visit({}, undefined, {}, undefined, {
    getCalendar: () => Promise.resolve(rich),
  });
  await made.flow.start();
  const { vouchers } = made.flow.more!;
  vouchers.change({ product: "", amount: "9.99", mailed: true, address: "x", day: "2026-11-22" });
  await vouchers.buy();
  assert.deepEqual(made.flow.state.fieldErrors, {
    amount: "invalidAmount",
    address: "invalidEmail",
    day: "invalidDelivery",
    full_name: "requiredName",
    email: "requiredEmail",
    terms: "requiredTerms",
  });
  assert.equal(made.flow.state.focus?.target, "field-amount");
  // Being mended, what is right now is said no longer.
  vouchers.change({ amount: "10", day: "2026-11-23" });
  assert.deepEqual(
    Object.keys(made.flow.state.fieldErrors).sort(),
    ["address", "email", "full_name", "terms"],
  );
  assert.deepEqual(sale.asked, []);
});

Deno.test("terms are agreed to word for word, and others are shown and asked for anew", async () => {
  const sale = new Sale();
  sale.placed = [new ApiError("terms_not_accepted", 422)];
  let terms = rich.terms;
  const made = await filled(
    sale,
    sale.visit({}, undefined, {}, undefined, {
      getCalendar: () => Promise.resolve({ ...rich, terms }),
    }),
  );
  tick(made.flow);
  terms = { es: "Nuevas." };
  await made.flow.more!.vouchers.buy();
  assert.equal(sale.asked[0]!.accepted_terms, rich.terms.es);
  assert.equal(isTicked(made.flow), false);
  assert.deepEqual(made.flow.state.fieldErrors, { terms: "requiredTerms" });
  tick(made.flow);
  await made.flow.more!.vouchers.buy();
  assert.equal(sale.asked[1]!.accepted_terms, "Nuevas.");
});

Deno.test("an order whose answer got lost is the same order, after a reload, too", async () => {
  const sale = new Sale();
  sale.placed = [new ApiError("network", 0)];
  const made = await filled(sale);
  await made.flow.more!.vouchers.buy();
  assert.equal(read(made.flow.state.notice?.text), english.errors.network);
  assert.equal(made.flow.state.step, "vouchers");

  const again = sale.visit({}, made.store, { newKey: () => "another" }, made.past);
  await again.flow.start();
  await again.flow.more!.vouchers.buy();
  assert.deepEqual(sale.asked.map(({ idempotency_key }) => idempotency_key), ["key-1", "key-1"]);

  // Another gift is another order.
  await again.flow.paying.comeBack();
  await again.flow.more!.vouchers.open();
  again.flow.more!.vouchers.change({ message: "For you" });
  await again.flow.more!.vouchers.buy();
  assert.equal(sale.asked.at(-1)!.idempotency_key, "another");
});

Deno.test("back from the payment's page the order is there to be paid or changed", async () => {
  const sale = new Sale();
  const made = await filled(sale);
  made.flow.more!.vouchers.change({ recipient: "Marta" });
  await made.flow.more!.vouchers.buy();
  assert.equal(heading(made), english.giftUnpaidTitle);

  // By the browser's "back", which loads the page as it was left.
  const back = sale.visit({}, made.store, {}, made.past);
  await back.flow.start();
  assert.equal(heading(back), english.giftUnpaidTitle);
  await back.flow.more!.vouchers.pay();
  assert.equal(sale.opened.length, 2);

  // By the provider's own way back.
  const cancelled = sale.visit({ reference: ID, payment: "cancelled" }, made.store, { preset: {} });
  await cancelled.flow.start();
  assert.equal(heading(cancelled), english.giftUnpaidTitle);
  await cancelled.flow.more!.vouchers.lead("vouchers");
  assert.equal(cancelled.flow.more!.vouchers.gift.recipient, "Marta");
  await cancelled.flow.more!.vouchers.buy();
  assert.deepEqual(sale.asked.map(({ idempotency_key }) => idempotency_key), ["key-1", "key-1"]);
});

Deno.test("an order whose time to pay is over is ordered anew", async () => {
  const sale = new Sale();
  const made = await filled(sale);
  await made.flow.more!.vouchers.buy();
  await made.flow.paying.comeBack();
  await made.flow.more!.vouchers.open();
  sale.orders = [{ ...voucherOrder, status: "over" }, voucherOrder];
  await made.flow.more!.vouchers.buy();
  const keys = sale.asked.map(({ idempotency_key }) => idempotency_key);
  assert.deepEqual(keys, ["key-1", "key-1", "key-2"]);
  assert.equal(sale.opened.length, 2);
});

Deno.test("who has paid and comes back sees the code, and the page is told once", async () => {
  const sale = new Sale();
  const made = await filled(sale);
  await made.flow.more!.vouchers.buy();
  sale.orders = [voucherOrder, new ApiError("network", 0), paid];
  const back = sale.visit({ reference: ID, payment: "success" }, made.store, { preset: {} });
  await back.flow.start();
  assert.equal(heading(back), english.giftBought);
  assert.ok(texts(back.flow).includes("GIFT-2026"));
  assert.deepEqual(back.events, [`bought ${ID}`]);
  assert.deepEqual(back.told("bought").map(({ value, currency }) => [value, currency]), [
    [80, "EUR"],
  ]);

  const reload = sale.visit({ reference: ID }, made.store, { preset: {} });
  await reload.flow.start();
  assert.equal(heading(reload), english.giftBought);
  assert.deepEqual(reload.events, []);
  // The next one begins at an empty form, and is another order.
  await reload.flow.more!.vouchers.another();
  assert.equal(heading(reload), english.giftTitle);
  assert.equal(reload.flow.more!.vouchers.gift.recipient, "");
});

Deno.test("money that takes long is said to be on its way, and not to be missing", async () => {
  const sale = new Sale();
  for (const status of ["open", "over"] as const) {
    sale.orders = [{ ...voucherOrder, status }];
    const made = sale.visit({ reference: ID, token: "secret", payment: "success" });
    await made.flow.start();
    assert.equal(heading(made), english.slowTitle);
    await made.flow.more!.vouchers.look();
    assert.equal(heading(made), english.slowTitle);
    sale.orders = [paid];
    await made.flow.more!.vouchers.look();
    assert.equal(heading(made), english.giftBought);
  }
});

Deno.test("an order that is over or withdrawn says so; one that is nobody's here says where it goes", async () => {
  for (
    const [status, title] of [["over", "giftOverTitle"], [
      "withdrawn",
      "giftWithdrawnTitle",
    ]] as const
  ) {
    const sale = new Sale();
    sale.orders = [{ ...voucherOrder, status }];
    const made = sale.visit({ reference: ID, token: "secret" }, undefined, { preset: {} });
    await made.flow.start();
    assert.equal(heading(made), english[title]);
  }
  const sale = new Sale();
  const stranger = sale.visit({ reference: ID, payment: "success" }, undefined, { preset: {} });
  await stranger.flow.start();
  assert.equal(heading(stranger), english.elsewhereTitle);
  assert.ok(texts(stranger.flow).includes(english.giftElsewhere));
});

Deno.test("paid in another tab it is shown where it was ordered, without a press", async () => {
  const sale = new Sale();
  sale.orders = [voucherOrder, voucherOrder, paid];
  const made = await filled(sale, sale.visit({}, undefined, { redirect: () => "tab" }));
  await made.flow.more!.vouchers.buy();
  assert.equal(heading(made), english.giftBought);
  assert.deepEqual(made.events, [`bought ${ID}`]);
});

Deno.test("where the page cannot be left the link is given", async () => {
  const sale = new Sale();
  const made = await filled(sale, sale.visit({}, undefined, { redirect: () => "barred" }));
  const waiting = made.flow.more!.vouchers.buy();
  await settle();
  assert.ok(elements(made.flow).some(({ props }) => props.href === "https://pay.test/1"));
  await waiting;
});

Deno.test("a page that cannot be opened charges nothing and says so", async () => {
  const cases: [string, string][] = [
    ["online_payment_unavailable", english.errors.online_payment_unavailable!],
    ["payment_provider_failed", english.errors.voucher_unpaid!],
    ["return_url_not_allowed", english.errors.voucher_unpaid!],
    ["network", english.errors.network!],
  ];
  for (const [code, said] of cases) {
    const sale = new Sale();
    sale.checkouts = [new ApiError(code, code === "network" ? 0 : 409)];
    const made = await filled(sale);
    await made.flow.more!.vouchers.buy();
    assert.equal(read(made.flow.state.notice?.text), said, code);
    assert.equal(heading(made), english.giftUnpaidTitle);
    await made.flow.more!.vouchers.pay();
    assert.deepEqual(made.redirects, ["https://pay.test/1"]);
  }
});

Deno.test("paid already, asking for the page again leads to the code", async () => {
  const sale = new Sale();
  sale.checkouts = [new ApiError("nothing_due", 409)];
  sale.orders = [voucherOrder, paid];
  const made = await filled(sale);
  await made.flow.more!.vouchers.buy();
  assert.equal(heading(made), english.giftBought);
});

Deno.test("a product that costs something else by now is shown before it is ordered", async () => {
  const sale = new Sale();
  sale.placed = [new ApiError("voucher_order_invalid", 422, { field: "amount_cents" })];
  const made = await filled(sale);
  sale.offer = {
    ...voucherOffer,
    products: [{ ...voucherOffer.products[0]!, amount_cents: 9000 }],
  };
  await made.flow.more!.vouchers.buy();
  assert.equal(read(made.flow.state.notice?.text), english.errors.voucher_price_changed);
  assert.ok(texts(made.flow).includes("€90.00"));
  await made.flow.more!.vouchers.buy();
  assert.equal(sale.asked.at(-1)!.amount_cents, 9000);
});

Deno.test("where none are sold it is said, and a game can be booked", async () => {
  const sale = new Sale();
  sale.offer = new ApiError("vouchers_not_sold", 409);
  const made = sale.visit();
  await made.flow.start();
  assert.ok(texts(made.flow).includes(english.errors.vouchers_not_sold!));
  await made.flow.bookAnother();
  assert.equal(made.flow.state.step, "choose");
});

Deno.test("what was sold of a venue is its products, or amounts, or both", async () => {
  const inputs = async (offer: VoucherOffer) => {
    const sale = new Sale();
    sale.offer = offer;
    const made = sale.visit();
    await made.flow.start();
    const names = elements(made.flow).filter(({ tag }) => tag === "input")
      .map(({ props }) => props.name);
    return [names.filter((name) => name === "product").length, names.includes("amount")];
  };
  const alone = { minimum_cents: null, maximum_cents: null };
  assert.deepEqual(await inputs(voucherOffer), [2, false]);
  assert.deepEqual(await inputs({ ...voucherOffer, ...alone }), [1, false]);
  assert.deepEqual(await inputs({ ...voucherOffer, products: [] }), [0, true]);
});

Deno.test("a booking's link opens the booking also where vouchers are sold, and a reload stays at it", async () => {
  const sale = new Sale();
  const made = sale.visit(returned, undefined, {}, undefined, {
    getBooking: () => Promise.resolve(confirmed),
  });
  await made.flow.start();
  assert.equal(made.flow.state.step, "booking");

  // Whoever has gone on to the calendar stays there.
  const shopper = sale.visit();
  await shopper.flow.start();
  await shopper.flow.bookAnother();
  const reload = sale.visit({}, shopper.store, {}, shopper.past);
  await reload.flow.start();
  assert.equal(reload.flow.state.step, "choose");
  assert.equal(reload.flow.state.calendar?.slug, calendar.slug);
});
