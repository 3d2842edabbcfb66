import assert from "node:assert/strict";
import {
  type CalendarFeed,
  feedEtag,
  feedLanguage,
  renderFeed,
} from "../../edge/calendar-feed/feed.ts";
import { handle } from "../../edge/calendar-feed/handler.ts";
import { readEnvironment } from "../../edge/_shared/environment.ts";
import { matchesEtag, pathBelow } from "../../edge/_shared/http.ts";

const token = "t".repeat(32);
const feed: CalendarFeed = {
  name: "Casa Laberinto",
  timezone: "Europe/Madrid",
  updated_at: "2026-01-02T03:04:05Z",
  version: "abc123",
  sessions: [{
    uid: "0190",
    starts_at: "2026-01-10T17:00:00Z",
    ends_at: "2026-01-10T18:00:00Z",
    room_name: "La cripta",
    location: "Casa Laberinto, Calle del Minotauro 12, Madrid",
    status: "confirmed",
    party_size: 4,
    booking_reference: "ABCD-2345",
    updated_at: "2026-01-02T03:04:05Z",
    sequence: 1,
  }],
};

/** Run the handler against a database that gives this answer. */
async function respond(request: Request, answer: unknown, status = 200): Promise<Response> {
  const real = globalThis.fetch;
  globalThis.fetch = () => Promise.resolve(Response.json(answer, { status }));
  try {
    return await handle(request, { supabaseUrl: "http://database", publishableKey: "sb_x" });
  } finally {
    globalThis.fetch = real;
  }
}

const get = (path: string, init: RequestInit = {}) => new Request(`http://edge${path}`, init);

Deno.test("both addresses of a feed answer, with and without the gateway's prefix", async () => {
  for (
    const path of [
      `/calendar-feed?token=${token}`,
      `/calendar-feed/${token}.ics`,
      `/functions/v1/calendar-feed/${token}.ics`,
    ]
  ) {
    const response = await respond(get(path), feed);
    assert.equal(response.status, 200, path);
    assert.equal(response.headers.get("Content-Type"), "text/calendar; charset=utf-8");
    assert.match(await response.text(), /SUMMARY:La cripta \(4\) ABCD-2345/);
  }
});

Deno.test("a subscriber that has the version gets 304 without a body", async () => {
  const headers = { "If-None-Match": `W/"other", ${feedEtag(feed, "en")}` };
  const response = await respond(get(`/calendar-feed?token=${token}`, { headers }), feed);
  assert.equal(response.status, 304);
  assert.equal(await response.text(), "");
  assert.match(response.headers.get("Cache-Control") ?? "", /private/);
});

Deno.test("HEAD tells the length of what GET would send", async () => {
  const whole = await respond(get(`/calendar-feed?token=${token}`), feed);
  const head = await respond(get(`/calendar-feed?token=${token}`, { method: "HEAD" }), feed);
  assert.equal(await head.text(), "");
  const length = (await whole.arrayBuffer()).byteLength;
  assert.equal(head.headers.get("Content-Length"), String(length));
});

Deno.test("an unknown token is 404, a failing database 503, another method 405", async () => {
  const path = `/calendar-feed?token=${token}`;
  assert.equal((await respond(get(path), { message: "feed_not_found" }, 404)).status, 404);
  assert.equal((await respond(get(path), { code: "PGRST202", message: "no" }, 404)).status, 503);
  assert.equal((await respond(get(path), { message: "boom" }, 500)).status, 503);
  const post = await respond(get(path, { method: "POST" }), feed);
  assert.equal(post.status, 405);
  assert.equal(post.headers.get("Allow"), "GET, HEAD");
});

Deno.test("a feed that nobody answered is asked for once more, and a refused one is not", async () => {
  const real = globalThis.fetch;
  const environment = { supabaseUrl: "http://database", publishableKey: "sb_x" };
  let asked = 0;
  const ask = async (first: () => Promise<Response>) => {
    asked = 0;
    globalThis.fetch = () => ++asked === 1 ? first() : Promise.resolve(Response.json(feed));
    return (await handle(get(`/calendar-feed?token=${token}`), environment)).status;
  };
  try {
    const empty = { code: "", message: "" };
    assert.equal(await ask(() => Promise.resolve(Response.json(empty, { status: 400 }))), 200);
    assert.equal(await ask(() => Promise.resolve(new Response("<p>", { status: 502 }))), 200);
    assert.equal(await ask(() => Promise.reject(new TypeError("reset"))), 200);
    const gone = { message: "feed_not_found" };
    assert.equal(await ask(() => Promise.resolve(Response.json(gone, { status: 404 }))), 404);
    assert.equal(asked, 1);
  } finally {
    globalThis.fetch = real;
  }
});

Deno.test("what cannot be a token is 404 without asking the database", async () => {
  for (const bad of ["", "short", "x'; drop table", "t".repeat(500)]) {
    const url = `/calendar-feed?token=${encodeURIComponent(bad)}`;
    assert.equal((await respond(get(url), feed)).status, 404, bad);
  }
});

Deno.test("the entity tag follows content and language", () => {
  assert.notEqual(feedEtag(feed, "en"), feedEtag(feed, "es"));
  assert.notEqual(feedEtag(feed, "en"), feedEtag({ ...feed, version: "other" }, "en"));
  assert.equal(renderFeed(feed, "en"), renderFeed(structuredClone(feed), "en"));
});

Deno.test("a cancelled session is kept and marked, so that subscribers drop it", () => {
  const cancelled = { ...feed, sessions: [{ ...feed.sessions[0]!, status: "cancelled" as const }] };
  const text = renderFeed(cancelled, "es");
  assert.match(text, /STATUS:CANCELLED/);
  assert.match(text, /SUMMARY:Cancelada: La cripta/);
});

Deno.test("an event says where it is, and nothing where nothing is known", () => {
  assert.match(
    renderFeed(feed, "en"),
    /\r\nLOCATION:Casa Laberinto\\, Calle del Minotauro 12\\, Madrid\r\n/,
  );
  const nowhere = { ...feed, sessions: [{ ...feed.sessions[0]!, location: "" }] };
  assert.doesNotMatch(renderFeed(nowhere, "en"), /LOCATION/);
});

Deno.test("a language that does not exist falls back to English", () => {
  assert.equal(feedLanguage("constructor"), "en");
  assert.equal(feedLanguage(null), "en");
  assert.equal(feedLanguage("ca"), "ca");
});

Deno.test("If-None-Match compares weakly and knows lists and *", () => {
  assert.ok(matchesEtag('W/"a"', '"a"'));
  assert.ok(matchesEtag('"b", "a"', '"a"'));
  assert.ok(matchesEtag("*", '"a"'));
  assert.ok(!matchesEtag('"b"', '"a"'));
  assert.ok(!matchesEtag(null, '"a"'));
});

Deno.test("a path is read below the function's name", () => {
  assert.equal(pathBelow("f", new URL("http://x/functions/v1/f/a/b.js")), "a/b.js");
  assert.equal(pathBelow("f", new URL("http://x/f/")), "");
});

Deno.test("the publishable key is found under hosted, local and legacy names", () => {
  const key = (values: Record<string, string>) =>
    readEnvironment((name) => ({ SUPABASE_URL: "http://x/", ...values })[name]);
  assert.equal(key({ SUPABASE_PUBLISHABLE_KEYS: '{"default":"a"}' }).publishableKey, "a");
  assert.equal(key({ SUPABASE_PUBLISHABLE_KEYS: '{"web":"b"}' }).publishableKey, "b");
  assert.equal(key({ SUPABASE_PUBLISHABLE_KEY: "c" }).publishableKey, "c");
  assert.equal(key({ SUPABASE_ANON_KEY: "d" }).supabaseUrl, "http://x");
  assert.throws(() => key({}));
});
