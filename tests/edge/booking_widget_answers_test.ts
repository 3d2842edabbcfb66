/**
 * Whatever comes in place of an answer (a proxy's page, half of it, nothing) is said to have failed,
 * with a way to go on: nobody waits for what will not come.
 */
import assert from "node:assert/strict";
import { type Api, ApiError } from "../../edge/booking-widget/src/api.ts";
import { reach, type Refusing, vouchers } from "./booking_widget_reach.ts";
import {
  booking,
  elements,
  nodes,
  quote,
  read,
  rich,
  richly,
  type Setting,
  setting,
  stringsFor,
  texts,
  toRichDetails,
  wholeApi,
} from "./booking_widget_world.ts";

const english = stringsFor("en");

/** What may come in place of an answer. */
const unreadable: Record<string, () => Response> = {
  null: () => new Response("null"),
  "a page": () => new Response("<html><body>Log in to the hotel</body></html>"),
  "an empty object": () => new Response("{}"),
  "half of it": () => new Response('{"reference": "ABCD-2345", "lin'),
  nothing: () => new Response(""),
  "a bad gateway": () => new Response("<html>502</html>", { status: 502 }),
};

/** The network answers with this, and nobody waits before asking again. */
async function answering<T>(answer: () => Response, act: () => Promise<T>): Promise<T> {
  const { fetch, setTimeout } = globalThis;
  globalThis.fetch = () => Promise.resolve(answer());
  globalThis.setTimeout = ((then: () => void) => setTimeout(then)) as typeof setTimeout;
  try {
    return await act();
  } finally {
    Object.assign(globalThis, { fetch, setTimeout });
  }
}

const network = () =>
  wholeApi({ apiUrl: "http://api", serviceUrl: "http://service", publishableKey: "k" });

/** Nothing goes on waiting, what failed is said, and it can be asked for again. */
function saidToHaveFailed({ flow }: Setting, where: string): void {
  const shown = elements(flow);
  const { notice, step, busy, pricing } = flow.state;
  assert.equal(busy, null, `${where}: busy on ${step}`);
  assert.equal(pricing, false, `${where}: still pricing`);
  assert.ok(
    !shown.some(({ props }) => props["aria-busy"] === "true"),
    `${where}: waits on ${step}`,
  );
  assert.ok(!texts(flow).includes(english.loading), `${where}: loading on ${step}`);
  assert.ok(read(notice?.text), `${where}: nothing is said on ${step}`);
  assert.ok(shown.some(({ tag }) => tag === "button"), `${where}: no way to go on from ${step}`);
}

// A booking that was made is shown as far as it is known, whether or not it can be read just now.
const visits = Object.entries(reach).filter(([, come]) => come) as [
  keyof Api,
  (visit: Refusing) => Promise<Setting>,
][];

for (const [method, come] of visits) {
  Deno.test(`what comes in place of an answer of ${method} is said to have failed`, async () => {
    for (const [what, answer] of Object.entries(unreadable)) {
      // What mails the links answers nothing, and says so by its status.
      const made = await come((api, entry) =>
        richly({
          getCalendar: () => Promise.resolve(rich),
          ...api,
          [method]: (...given: unknown[]) =>
            answering(answer, () => {
              const ask = network()[method] as (...given: unknown[]) => Promise<unknown>;
              return ask(...given);
            }),
        }, entry)
      );
      saidToHaveFailed(made, `${method}: ${what}`);
    }
  });
}

for (const [name, come] of Object.entries(vouchers)) {
  Deno.test(`what comes in place of an answer of ${name} is said to have failed`, async () => {
    for (const [what, answer] of Object.entries(unreadable)) {
      const plain = setting().flow.world.api;
      const made = await come({
        rpc: <T>(asked: string, request: object) =>
          asked === name
            ? answering(answer, () => network().rpc<T>(asked, request))
            : plain.rpc<T>(asked, request),
      });
      saidToHaveFailed(made, `${name}: ${what}`);
    }
  });
}

Deno.test("what comes in place of a payment page's address is said to have failed", async () => {
  for (const [what, answer] of Object.entries(unreadable)) {
    const made = richly({
      hold: () => Promise.resolve({ ...booking, manage_token: "secret" }),
      checkout: (...given) => answering(answer, () => network().checkout(...given)),
    });
    await toRichDetails(made);
    await made.flow.details.submitDetails();
    await made.flow.paying.pay();
    saidToHaveFailed(made, `checkout: ${what}`);
  }
});

Deno.test("whether a hold was made, no unreadable answer says: it is asked for once more by its key", async () => {
  for (const [what, answer] of Object.entries(unreadable)) {
    const keys: unknown[] = [];
    await answering(answer, async () => {
      const { fetch } = globalThis;
      globalThis.fetch = (url, init) => {
        keys.push(JSON.parse(String(init?.body)).idempotency_key);
        return fetch(url, init);
      };
      await assert.rejects(
        network().hold({ idempotency_key: "one" } as never),
        (error: unknown) => error instanceof ApiError && error.lost,
        what,
      );
    });
    assert.deepEqual(keys, ["one", "one"], what);
  }
});

Deno.test("a price that could not be had is asked for again where it would stand", async () => {
  let broken = true;
  const made = richly({
    quote: () =>
      broken
        ? answering(unreadable.null!, () => network().quote({} as never))
        : Promise.resolve(quote),
  });
  await toRichDetails(made);
  const again = () =>
    elements(made.flow).find((node) =>
      node.tag === "button" && [...nodes([node])].includes(english.retry)
    );
  assert.ok(again(), "there is a way to ask again");
  await made.flow.details.submitDetails();
  assert.deepEqual(made.holds, [], "nothing is held at a price that nobody saw");
  broken = false;
  (again()!.props.onclick as (event: object) => void)({ preventDefault: () => {} });
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(made.flow.state.quote?.total_cents, quote.total_cents);
  assert.equal(again(), undefined);
  await made.flow.details.submitDetails();
  assert.equal(made.holds.length, 1);
});
