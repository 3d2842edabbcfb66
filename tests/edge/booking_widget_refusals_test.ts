/**
 * Whatever the functions that the widget calls refuse a visitor with is said in words of its own, or
 * marked at a field. The codes are read from docs/functions.md, which the database writes.
 */
import assert from "node:assert/strict";
import { type Api, ApiError } from "../../edge/booking-widget/src/api.ts";
import { reach, vouchers } from "./booking_widget_reach.ts";
import { quote, read, rich, richly, setting, stringsFor, texts } from "./booking_widget_world.ts";

const page = await Deno.readTextFile(new URL("../../docs/functions.md", import.meta.url));
const [calls, buying] = await Promise.all(
  ["api", "buying"].map((name) =>
    Deno.readTextFile(new URL(`../../edge/booking-widget/src/${name}.ts`, import.meta.url))
  ),
) as [string, string];

/** The refusals of a function as its page lists them, with their statuses. */
function listed(name: string): (readonly [code: string, status: number])[] {
  const section = page.split(`\n### ${name}\n`)[1]?.split("\n### ")[0];
  assert.ok(section, name);
  const found = [...section.matchAll(/^- (\d{3}) (.*)$/gm)].flatMap(([, status, said]) =>
    // What stands in parentheses, or after the code of another function, explains.
    [...said!.replace(/\([^)]*\)/g, "").matchAll(/`([a-z_]+)`/g)]
      .map(([, code]) => [code!, Number(status)] as const)
  );
  const inherited = found.some(([code]) => code === "quote_booking") ? listed("quote_booking") : [];
  return [...found.filter(([code]) => code !== "quote_booking"), ...inherited];
}

/** What a refusal tells of the field that it is about. */
const details: Record<string, readonly object[]> = {
  customer_invalid: [{ field: "full_name" }, { field: "email" }, { field: "phone" }],
  field_invalid: [{ field: "select", rule: "options" }, { field: "number", rule: "number" }],
  signer_invalid: [{ field: "full_name" }],
  minors_invalid: [{ position: 0, field: "full_name" }, { position: 0, field: "birth_year" }],
  extra_sold_out: [{ extra_id: "x1", left: 0 }],
  total_changed: [{ total_cents: 9900 }],
  terms_changed: [{ terms: { tiers: [], no_show_fee_percent: 0 } }],
  voucher_order_invalid: [
    "amount_cents",
    "buyer_name",
    "buyer_email",
    "recipient_name",
    "recipient_email",
    "message",
    "deliver_on",
  ].map((field) => ({ field })),
};

/** What cannot come to pass, by the function and the code (or the code alone), with the reason. */
const unreached: Record<string, string> = {
  idempotency_key_invalid: "the widget makes its keys",
  consents_invalid: "it sends kinds and words as they are asked for",
  customer_note_too_long: "the field takes no more than the database does",
  expected_total_missing: "it sends the quoted total",
  payment_due: "it accepts only what nothing is due for",
  "get_availability_days date_range_invalid": "it asks for months within the calendar's range",
  "get_availability_days date_range_too_long": "it asks for a month",
  "get_availability_days party_size_invalid": "it asks for what the room takes",
  "get_availability date_range_invalid": "it asks for one day",
  "get_availability date_range_too_long": "it asks for one day",
  "get_availability party_size_invalid": "it asks for what the room takes",
};

const methods = [...calls.matchAll(/(\w+): \([^)]*\) => rpc\("(\w+)"/g)]
  .map(([, method, name]) => [method as keyof Api, name!] as const);

Deno.test("each function that is called is reached by this test", () => {
  const reached = Object.entries(reach).filter(([, come]) => come).map(([method]) => method);
  assert.deepEqual(methods.map(([method]) => method).sort(), reached.sort());
  assert.equal(methods.length, 17);
});

for (const [method, name] of methods) {
  Deno.test(`whatever ${name} refuses is said, or marked where it can be mended`, async () => {
    const codes = listed(name);
    assert.ok(codes.length > 0, name);
    const unexpected = stringsFor("en").errors.unexpected;
    for (const [code, status] of codes) {
      if (unreached[code] ?? unreached[`${name} ${code}`]) continue;
      for (const told of details[code] ?? [{}]) {
        let refusals = 0;
        const refusing = () => {
          // What is asked for without the code, or the extra, has a price.
          if (refusals++ > 0 && method === "quote") return Promise.resolve(quote);
          return Promise.reject(new ApiError(code, status, { ...told }));
        };
        const made = await reach[method]!((api, entry) =>
          richly({
            getCalendar: () => Promise.resolve(rich),
            ...api,
            [method]: refusing,
          }, entry)
        );
        assert.ok(refusals > 0, `${name} ${code} was not asked`);
        const { notice, fieldErrors, codeProblem, oldTotal, step } = made.flow.state;
        const where = `${name} ${code} ${JSON.stringify(told)}`;
        const said = read(notice?.text);
        assert.notEqual(said, unexpected, where);
        if (codeProblem) {
          const key = codeProblem.replace(/^(coupon|voucher)_/, "code_");
          assert.ok(stringsFor("en").errors[key], where);
        }
        assert.ok(
          said || codeProblem || oldTotal !== null || Object.keys(fieldErrors).length > 0,
          `${where}: nothing is said on ${step}`,
        );
      }
    }
  });
}

Deno.test("each function that is asked for gift vouchers is reached by this test", () => {
  const asked = [...buying.matchAll(/\.rpc<\w+>\(\s*"(\w+)"/g)].map(([, name]) => name!);
  assert.deepEqual([...new Set(asked)].sort(), Object.keys(vouchers).sort());
});

for (const [name, come] of Object.entries(vouchers)) {
  Deno.test(`whatever ${name} refuses is said, or marked where it can be mended`, async () => {
    const codes = listed(name);
    assert.ok(codes.length > 0, name);
    for (const [code, status] of codes) {
      if (unreached[code]) continue;
      for (const told of details[code] ?? [{}]) {
        const plain = setting().flow.world.api;
        const made = await come({
          rpc: <T>(asked: string, request: object) =>
            asked === name
              ? Promise.reject(new ApiError(code, status, { ...told }))
              : plain.rpc<T>(asked, request),
        });
        const { notice, fieldErrors } = made.flow.state;
        const where = `${name} ${code} ${JSON.stringify(told)}`;
        const strings = stringsFor("en");
        assert.notEqual(read(notice?.text), strings.errors.unexpected, where);
        const said = texts(made.flow);
        const closed = code === "vouchers_not_sold" && said.includes(strings.errors[code]!);
        assert.ok(notice || closed || Object.keys(fieldErrors).length > 0, where);
      }
    }
  });
}
