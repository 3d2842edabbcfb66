/** Paying a share of somebody's booking in the widget: what is asked for, and what became of it. */
import assert from "node:assert/strict";
import type { PaymentShare } from "../../edge/_shared/booking.ts";
import { type Api, ApiError } from "../../edge/booking-widget/src/api.ts";
import type { Store } from "../../edge/booking-widget/src/store.ts";
import type { Entry } from "../../edge/booking-widget/src/world.ts";
import { elements, type Setting, setting, stringsFor, texts } from "./booking_widget_world.ts";

const english = stringsFor("en");
const ID = "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11";
const REFERENCE = `share-${ID}`;
const share: PaymentShare = {
  share_id: ID,
  status: "open",
  amount_cents: 2500,
  currency: "EUR",
  returned_cents: 0,
  expires_at: "2026-11-24T10:00:00Z",
  organizer: "Marta",
  room: "The attic",
  venue: "Casa Laberinto",
  starts_at: "2026-11-28T17:00:00Z",
  timezone: "Europe/Madrid",
  locale: "en",
  calendar: "casa",
  site_url: null,
  paying: false,
};

/** The database's and the service's answers, and what they were asked. */
class Split {
  shares: (PaymentShare | ApiError)[] = [share];
  checkouts: (ApiError | string)[] = [];
  readonly asked: object[] = [];
  readonly opened: object[] = [];

  readonly api: Partial<Api> = {
    rpc: <T>(name: string, request: object): Promise<T> => {
      assert.equal(name, "get_payment_share");
      this.asked.push(request);
      const next = this.shares.length > 1 ? this.shares.shift() : this.shares[0];
      return next instanceof ApiError ? Promise.reject(next) : Promise.resolve(next as T);
    },
    serve: <T>(route: string, request: object): Promise<T> => {
      assert.equal(route, "share-checkout");
      this.opened.push(request);
      const answer = this.checkouts.shift() ?? "https://pay.test/1";
      return answer instanceof ApiError
        ? Promise.reject(answer)
        : Promise.resolve({ checkout_url: answer } as T);
    },
  };

  async visit(entry: Partial<Entry> = {}, kept?: Store): Promise<Setting> {
    const made = setting(this.api, { reference: REFERENCE, token: "secret", ...entry }, kept);
    await made.flow.start();
    return made;
  }
}

const heading = (made: Setting) =>
  elements(made.flow).find(({ props }) => props["data-focus"] === "heading")?.children[0];

Deno.test("a share's link shows what, when and how much, and leads to its page", async () => {
  const split = new Split();
  const made = await split.visit();
  assert.equal(heading(made), english.shareTitle);
  const said = texts(made.flow).join(" ");
  for (const part of ["Marta", "The attic", "Casa Laberinto", "25.00"]) {
    assert.ok(said.includes(part), part);
  }
  await made.flow.more!.shares.pay();
  assert.deepEqual(split.opened, [
    { share_id: ID, share_token: "secret", return_url: made.flow.world.returnUrl() },
  ]);
  assert.deepEqual(made.redirects, ["https://pay.test/1"]);
});

Deno.test("who comes back waits until the money has arrived, whatever the address says", async () => {
  const split = new Split();
  const kept = (await split.visit()).store;
  split.shares = [share, share, { ...share, status: "paid" }];
  const made = await split.visit({ token: null, payment: "success" }, kept);
  assert.equal(heading(made), english.sharePaidTitle);
  assert.equal(made.flow.state.step, "share");
});

Deno.test("money that is slow can be looked for again", async () => {
  const split = new Split();
  const made = await split.visit({ payment: "success" });
  assert.equal(heading(made), english.slowTitle);
  split.shares = [{ ...share, status: "paid" }];
  await made.flow.more!.shares.look();
  assert.equal(heading(made), english.sharePaidTitle);
});

Deno.test("another browser is sent to the link, and asks for nothing", async () => {
  const split = new Split();
  const made = await split.visit({ token: null, payment: "success" });
  assert.equal(heading(made), english.elsewhereTitle);
  assert.deepEqual(split.asked, []);
});

for (
  const [status, title] of [
    ["paid", english.sharePaidTitle],
    ["late", english.shareLateTitle],
    ["over", english.shareOverTitle],
    ["returned", english.shareReturnedTitle],
  ] as const
) {
  Deno.test(`a share that is ${status} is not paid again`, async () => {
    const split = new Split();
    split.shares = [{ ...share, status, returned_cents: status === "returned" ? 2500 : 0 }];
    const made = await split.visit();
    assert.equal(heading(made), title);
    const pay = english.pay("€25.00");
    assert.ok(!texts(made.flow).includes(pay));
  });
}

Deno.test("a refused page says why, and what ended meanwhile is shown", async () => {
  const split = new Split();
  const made = await split.visit();
  split.checkouts = [new ApiError("checkout_closing", 409)];
  await made.flow.more!.shares.pay();
  assert.ok(made.flow.state.notice);
  split.checkouts = [new ApiError("not_payable", 409)];
  split.shares = [{ ...share, status: "late" }];
  await made.flow.more!.shares.pay();
  assert.equal(heading(made), english.shareLateTitle);
});

Deno.test("a wrong link fails, and says so", async () => {
  const split = new Split();
  split.shares = [new ApiError("share_not_found", 404)];
  const made = await split.visit();
  assert.equal(made.flow.state.step, "failed");
  assert.ok(texts(made.flow).some((text) => text.includes("share")));
});
