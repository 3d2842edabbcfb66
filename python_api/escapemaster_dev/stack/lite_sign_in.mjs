// Loaded into the local Auth before its own code: how a session was opened, which hosted Auth writes
// into its tokens (`amr`), also into those that it refreshes, and this one does not. And a HEAD of a
// mailed link is refused, as hosted, instead of using the link up.
import { AsyncLocalStorage } from "node:async_hooks";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

// Session, method and time, a line each: a restart forgets nobody. In the instance's own directory.
const RECORD = "sign-ins";

const entries = new Map();
if (existsSync(RECORD)) {
  for (const line of readFileSync(RECORD, "utf8").split("\n")) {
    const [session, method, timestamp] = line.split(" ");
    if (timestamp) entries.set(session, { method, timestamp: Number(timestamp) });
  }
}

// Hosted, `otp` is every mailed link or code; this one uses PKCE for providers only.
const GRANTS = { password: "password", pkce: "oauth" };
const METHODS = { verify: "otp", signup: "password", callback: "oauth" };

const routeOf = (request) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  try {
    const [, name] = /^\/auth\/v1\/([^/]+)$/.exec(decodeURI(pathname)) ?? [];
    return { name, method: METHODS[name] ?? GRANTS[searchParams.get("grant_type")] };
  } catch {
    return {}; // no address of theirs
  }
};

const request = new AsyncLocalStorage();

const isOfSession = (value) =>
  typeof value?.session_id === "string" && typeof value.sub === "string" &&
  typeof value.iat === "number" && typeof value.exp === "number" && !("amr" in value);

const { stringify } = JSON;
JSON.stringify = (value, ...rest) => {
  if (!isOfSession(value)) return stringify(value, ...rest);
  const { session_id: session, iat } = value;
  const method = request.getStore();
  if (!entries.has(session) && method) {
    entries.set(session, { method, timestamp: iat });
    appendFileSync(RECORD, `${session} ${method} ${iat}\n`, { mode: 0o600 });
  }
  const entry = entries.get(session);
  // One that nothing is known of says nothing, which counts as not by mail.
  return stringify(entry ? { ...value, aal: "aal1", amr: [entry] } : value, ...rest);
};

const noting = (listener) => (incoming, response) => {
  const { name, method } = routeOf(incoming);
  if (incoming.method === "HEAD" && name === "verify") {
    response.writeHead(405, { Allow: "GET, POST" });
    return response.end();
  }
  return request.run(method, () => listener(incoming, response));
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, noting(listener));
syncBuiltinESMExports();
