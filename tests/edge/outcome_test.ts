import assert from "node:assert/strict";
import { outcomeIsUnknown } from "../../edge/_shared/outcome.ts";

Deno.test("no answer, a gateway's failure and PostgREST's empty code leave the outcome unknown", () => {
  const empty = { code: "", message: "", details: null, hint: null };
  assert.equal(outcomeIsUnknown(0), true);
  for (const status of [502, 503, 504]) assert.equal(outcomeIsUnknown(status, {}), true);
  assert.equal(outcomeIsUnknown(400, empty), true);
});

Deno.test("what PostgREST answers 500 for and passes by itself may be asked again", () => {
  for (const code of ["57014", "55P03", "40P01", "40001", "57P01", "53300", "58030"]) {
    assert.equal(outcomeIsUnknown(500, { code, message: "words of PostgreSQL" }), true, code);
  }
  for (const answer of [{ code: "XX000" }, { code: "P0002" }, { code: 57014 }, {}, null, "57014"]) {
    assert.equal(outcomeIsUnknown(500, answer), false);
  }
  assert.equal(outcomeIsUnknown(400, { code: "57014" }), false);
});

Deno.test("a refusal is an answer", () => {
  assert.equal(outcomeIsUnknown(400, { code: "22P02", message: "invalid input" }), false);
  assert.equal(outcomeIsUnknown(400, null), false);
  assert.equal(outcomeIsUnknown(409, { code: "PT409", message: "slot_taken" }), false);
  assert.equal(outcomeIsUnknown(429, { code: "PT429", message: "rate_limited" }), false);
});
