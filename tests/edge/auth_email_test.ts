import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { emailsOf, type HookCall, languageOf } from "../../edge/auth-email/emails.ts";
import { handle, readHookEnvironment } from "../../edge/auth-email/handler.ts";
import { readSecrets, verifiedId } from "../../edge/_shared/webhook.ts";

const [OLD, NEW, STRANGE] = [1, 2, 3].map(() => randomBytes(32).toString("base64"));
const NOW = Date.UTC(2027, 4, 15, 12);
const SECRETS = readSecrets(`v1,whsec_${NEW}|v1,whsec_${OLD}`);
const PROJECT = "https://auth.example.test";

/** As Auth signs, with another library than the one that is tested. */
function signed(body: string, secret = NEW!, seconds = NOW / 1000, id = "call-1"): Headers {
  const hmac = createHmac("sha256", Buffer.from(secret, "base64"));
  const signature = hmac.update(`${id}.${seconds}.${body}`).digest("base64");
  return new Headers({
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": `v1a,bm90IG91cnM= v1,${signature}`,
  });
}

const call = (kind: string, data: object = {}, user: object = {}): HookCall => ({
  user: { email: "ana@example.test", user_metadata: { language: "ca" }, ...user },
  email_data: {
    email_action_type: kind,
    token: "123456",
    token_hash: "hash-1",
    token_new: "",
    token_hash_new: "",
    redirect_to: "https://play.example.test/?a=b&c",
    ...data,
  },
});

Deno.test("a request is Auth's if it is signed with one of the secrets, whole and of now", async () => {
  const body = '{"a": "ñ"}';
  const id = (headers: Headers, text = body, now = NOW) => verifiedId(headers, text, SECRETS, now);
  assert.equal(await id(signed(body)), "call-1");
  assert.equal(await id(signed(body, OLD)), "call-1");
  assert.equal(await id(signed(body), body, NOW + 299_000), "call-1");
  assert.equal(await id(signed(body, STRANGE)), null);
  assert.equal(await id(signed(body), '{"a": "n"}'), null);
  assert.equal(await id(signed(body), body, NOW + 301_000), null);
  assert.equal(await id(signed(body), body, NOW - 301_000), null);
  for (const name of ["webhook-id", "webhook-timestamp", "webhook-signature"]) {
    const headers = signed(body);
    headers.set(name, name === "webhook-timestamp" ? String(NOW / 1000 + 1) : "v1,AAAA");
    assert.equal(await id(headers), null, name);
    headers.delete(name);
    assert.equal(await id(headers), null, name);
  }
});

Deno.test("without a whole secret nothing starts", () => {
  for (const setting of [undefined, "", " | ", "v1,whsec_%%%", `v1,whsec_${btoa("short")}`]) {
    assert.throws(() => readSecrets(setting), /secret/);
  }
});

Deno.test("each kind is one mail with its link and its code, in the reader's language", () => {
  for (const kind of ["signup", "invite", "magiclink", "recovery"]) {
    assert.deepEqual(emailsOf(call(kind), PROJECT), [{
      kind,
      recipient: "ana@example.test",
      locale: "ca",
      code: "123456",
      link: `${PROJECT}/auth/v1/verify?token=hash-1&type=${kind}` +
        "&redirect_to=https%3A%2F%2Fplay.example.test%2F%3Fa%3Db%26c",
      new_email: null,
    }]);
  }
  const [again] = emailsOf(call("reauthentication"), PROJECT);
  assert.equal(again?.code, "123456");
  assert.equal(again?.link, null);
});

Deno.test("a changed address is confirmed by both, each by its own code and link", () => {
  const crossed = call(
    "email_change",
    { token: "111111", token_new: "222222", token_hash: "of-new", token_hash_new: "of-present" },
    { new_email: "neu@example.test" },
  );
  const told = emailsOf(crossed, PROJECT).map(({ recipient, code, link, new_email }) => [
    recipient,
    code,
    new URL(link ?? "").searchParams.get("token"),
    new_email,
  ]);
  assert.deepEqual(told, [
    ["ana@example.test", "111111", "of-present", "neu@example.test"],
    ["neu@example.test", "222222", "of-new", "neu@example.test"],
  ]);
  const alone = emailsOf(call("email_change", {}, { new_email: "neu@example.test" }), PROJECT);
  assert.deepEqual(alone.map(({ recipient, code }) => [recipient, code]), [
    ["neu@example.test", "123456"],
  ]);
});

Deno.test("a language is one of ours or none", () => {
  assert.equal(languageOf({ language: "EN-gb" }), "en");
  assert.equal(languageOf({ locale: "es" }), "es");
  for (const odd of [null, undefined, {}, { language: "de" }, { language: 3 }]) {
    assert.equal(languageOf(odd), null);
  }
});

interface Asked {
  url: string;
  headers: Headers;
  body: Record<string, unknown>;
}

/** The answer to a request while the queue answers with a status, what it was asked, and what was logged. */
async function answered(
  status: number,
  request: Request,
): Promise<{ answer: Response; asked: Asked[]; logged: string }> {
  const [fetch, error] = [globalThis.fetch, console.error];
  const asked: Asked[] = [];
  const logged: unknown[] = [];
  globalThis.fetch = (url, init) => {
    const body = JSON.parse(String(init?.body));
    asked.push({ url: String(url), headers: new Headers(init?.headers), body });
    return status === 0
      ? Promise.reject(new TypeError("no answer"))
      : Promise.resolve(new Response(status === 204 ? null : '{"code": "x"}', { status }));
  };
  console.error = (...words) => logged.push(...words);
  try {
    const environment = { supabaseUrl: PROJECT, secretKey: "sb_secret_x", secrets: SECRETS };
    const answer = await handle(request, environment, () => NOW);
    return { answer, asked, logged: logged.join(" ") };
  } finally {
    globalThis.fetch = fetch;
    console.error = error;
  }
}

function post(body: string, headers = signed(body)): Request {
  return new Request(`${PROJECT}/functions/v1/auth-email`, { method: "POST", headers, body });
}

Deno.test("a call is queued under its id, with the key of the service", async () => {
  const { answer, asked } = await answered(204, post(JSON.stringify(call("signup"))));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.deepEqual(await answer.json(), {});
  const [one] = asked;
  assert.equal(one?.url, `${PROJECT}/rest/v1/rpc/queue_auth_emails`);
  assert.equal(one?.headers.get("content-profile"), "service");
  assert.equal(one?.headers.get("apikey"), "sb_secret_x");
  assert.equal(one?.body.hook_id, "call-1");
});

Deno.test("what Auth did not sign, or is no call, reaches no queue", async () => {
  const body = JSON.stringify(call("signup"));
  for (
    const [request, status] of [
      [post(body, signed(body, STRANGE)), 401],
      [post(body, new Headers()), 401],
      [new Request(`${PROJECT}/functions/v1/auth-email`), 405],
      ...["not json", "null", "[]", "{}", '{"user": {}, "email_data": {}}'].map(
        (odd) => [post(odd), 422] as const,
      ),
    ] as const
  ) {
    const { answer, asked } = await answered(204, request);
    assert.equal(answer.status, status);
    assert.equal(asked.length, 0);
  }
});

Deno.test("what the database cannot take now Auth brings again, and nothing of it is logged", async () => {
  const body = JSON.stringify(call("recovery"));
  for (const [queue, status] of [[0, 503], [503, 503], [500, 503], [422, 422]] as const) {
    const { answer, logged } = await answered(queue, post(body));
    assert.equal(answer.status, status);
    assert.equal(answer.headers.has("retry-after"), status === 503);
    assert.match(logged, /^auth-email: the queue answered \d+$/);
    for (const secret of ["123456", "hash-1", "ana@", "sb_secret"]) {
      assert.ok(!logged.includes(secret));
    }
  }
});

Deno.test("a mailbox that was sent enough is told as Auth takes it from a hook: 429 in the body of a 200", async () => {
  const { answer, logged } = await answered(429, post(JSON.stringify(call("recovery"))));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "application/json");
  const { error } = await answer.json();
  assert.equal(error.http_code, 429);
  assert.ok(error.message);
  assert.equal(logged, "");
});

Deno.test("where it is not set up, whoever calls is told so, and nothing of a call is read", async () => {
  const { error } = console;
  const logged: unknown[] = [];
  console.error = (...words) => logged.push(...words);
  const whole: Record<string, string> = {
    SUPABASE_URL: PROJECT,
    SUPABASE_SECRET_KEY: "sb_secret_x",
    SEND_EMAIL_HOOK_SECRETS: `v1,whsec_${NEW}`,
  };
  try {
    assert.equal(readHookEnvironment((name) => whole[name])?.secrets.length, 1);
    for (const missing of Object.keys(whole)) {
      assert.equal(readHookEnvironment((name) => name === missing ? undefined : whole[name]), null);
    }
  } finally {
    console.error = error;
  }
  assert.equal(logged.length, 3);
  assert.ok(!logged.join(" ").includes("sb_secret"));
  const answer = await handle(post(JSON.stringify(call("signup"))), null);
  assert.equal(answer.status, 503);
  assert.equal((await answer.json()).code, "not_set_up");
});
