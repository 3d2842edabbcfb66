// Loaded into the local Auth before its own code: `auth.email.max_frequency`, which it reads and does
// not hold. Hosted, Auth holds it for each account and kind of mail; here it is held for each mailbox
// and kind, known or not, so that the answer tells nobody which addresses have an account, and one
// mailbox is no more for its +tags. To a mailbox the hour's and the day's numbers are those by which the
// database counts what hosted Auth mails (private.count_auth_mail; a test compares them); from a network
// address they are this file's. Whether an address has an account is not told to who asks for a code without making one.
// And JSON of a shape that is 500 to it is refused.
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

const PAUSE_MS = Number(process.env.AUTH_MAIL_PAUSE_MS);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
// A link works for an hour, so that one an hour leaves nobody outside whose mails a stranger used up.
const TO_A_MAILBOX = { hour: 6, day: 20, always: 1 };
// A venue's guests may share an address.
const FROM_A_NETWORK = { hour: 40, day: 120, always: 0 };

// What makes it write to the address in the request's body.
const ASKING = new Set(["signup", "otp", "magiclink", "recover", "resend", "invite", "user"]);

// What was counted in this hour and on this day; a restart forgives it.
const counts = { hour: new Map(), day: new Map() };
const began = { hour: 0, day: 0 };

const startOf = (length) => Math.floor(Date.now() / length) * length;

const forgetFormer = () => {
  for (const [window, length] of [["hour", HOUR_MS], ["day", DAY_MS]]) {
    if (began[window] !== startOf(length)) {
      began[window] = startOf(length);
      counts[window].clear();
    }
  }
};

// How many milliseconds until there is room again; 0: there is.
const fullFor = (subject, limit) => {
  const hour = counts.hour.get(subject) ?? 0;
  if (hour < limit.always) return 0;
  const nextHour = began.hour + HOUR_MS - Date.now();
  if (hour >= limit.hour) return nextHour;
  if ((counts.day.get(subject) ?? 0) < limit.day) return 0;
  return limit.always > 0 ? nextHour : began.day + DAY_MS - Date.now();
};

const count = (subject) => {
  for (const window of [counts.hour, counts.day]) {
    window.set(subject, (window.get(subject) ?? 0) + 1);
  }
};

// Kind and mailbox, and until when it is not written to again. The oldest come first.
const paused = new Map();

// What the request asks for, or null where it asks for no mail.
const asked = (request) => {
  const [path] = request.url.split("?", 1);
  try {
    const kind = /\/auth\/v1\/([^/]+)$/.exec(decodeURI(path))?.[1];
    if (request.method === "GET") return kind === "reauthenticate" ? kind : null;
    const writes = request.method === "POST" || request.method === "PUT";
    return writes && ASKING.has(kind) ? kind : null;
  } catch {
    return null; // no address of theirs
  }
};

// As private.mailbox of the database: in lower case, without a +tag, Gmail's without dots.
const mailboxOf = (email) => {
  const [written, host = ""] = email.trim().toLowerCase().split("@");
  const name = written.replace(/(.)\+.*$/s, "$1");
  if (host !== "gmail.com" && host !== "googlemail.com") return `${name}@${host}`;
  return `${name.replaceAll(".", "")}@gmail.com`;
};

// As their server reads it, which leaves a byte order mark out.
const parsed = (body) => JSON.parse(new TextDecoder().decode(body));

const mailboxIn = (body) => {
  try {
    const { email } = parsed(body);
    return typeof email === "string" ? mailboxOf(email) : null;
  } catch {
    return null; // theirs to refuse
  }
};

// Whose session it is; whether the token is true is theirs to say.
const mailboxOfSession = ({ headers }) => {
  try {
    const [, claims] = headers.authorization.split(".");
    const { email } = JSON.parse(Buffer.from(claims, "base64url").toString());
    return typeof email === "string" ? mailboxOf(email) : null;
  } catch {
    return null; // theirs to refuse
  }
};

// How many milliseconds the request has to wait; 0, and it is counted and goes on.
const waitOf = (kind, mailbox, network) => {
  forgetFormer();
  const full = Math.max(fullFor(mailbox, TO_A_MAILBOX), fullFor(network, FROM_A_NETWORK));
  const left = full || pauseOf(kind, mailbox);
  if (left === 0) {
    count(mailbox);
    count(network);
  }
  return left;
};

// How many milliseconds since the last mail of the kind are still to go; 0, and they begin anew.
const pauseOf = (kind, mailbox) => {
  const now = performance.now();
  for (const [key, until] of paused) {
    if (until > now) break;
    paused.delete(key);
  }
  const key = `${kind} ${mailbox}`;
  const left = (paused.get(key) ?? now) - now;
  if (left <= 0) paused.set(key, now + PAUSE_MS);
  return Math.max(left, 0);
};

const refuse = (response, left) => {
  const seconds = Math.ceil(left / 1000);
  response.writeHead(429, {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "application/json",
    "Retry-After": seconds,
    "X-Sb-Error-Code": "over_email_send_rate_limit",
  });
  response.end(JSON.stringify({
    code: 429,
    error_code: "over_email_send_rate_limit",
    msg: `For security purposes, you can only request this after ${seconds} seconds.`,
  }));
};

// Whether it is JSON that is no object, or whose address or password is no text: 500 to their code.
const isOdd = (body) => {
  try {
    const read = parsed(body);
    if (typeof read !== "object" || read === null || Array.isArray(read)) return true;
    const texts = [read.email, read.phone, read.password];
    return texts.some((value) => value != null && typeof value !== "string");
  } catch {
    return false; // theirs to refuse
  }
};

const refuseShape = (response) => {
  response.writeHead(400, {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "application/json",
    "X-Sb-Error-Code": "bad_json",
  });
  response.end(JSON.stringify({
    code: 400,
    error_code: "bad_json",
    msg: "Could not parse request body as JSON",
  }));
};

// As the gateway says, which lets no client say it.
const networkOf = (request) =>
  `from ${
    request.headers["x-forwarded-for"]?.split(",")[0].trim() ?? request.socket.remoteAddress
  }`;

// Whether it asks for a code for an account that is there already.
const makesNoAccount = (body) => {
  try {
    return parsed(body).create_user === false;
  } catch {
    return false; // theirs to refuse
  }
};

// Their refusal of an address without an account is the answer to one with an account.
const hideTheUnknown = (response) => {
  const { writeHead, write, end } = response;
  let hidden = false;
  response.writeHead = function (status, ...rest) {
    if (status !== 422) return writeHead.call(this, status, ...rest);
    hidden = true;
    for (const name of this.getHeaderNames()) this.removeHeader(name);
    return writeHead.call(this, 200, {
      "Access-Control-Allow-Origin": "*",
      "Content-Type": "application/json",
    });
  };
  response.write = function (...parts) {
    return hidden || write.apply(this, parts);
  };
  response.end = function (...parts) {
    return hidden ? end.call(this, "{}") : end.apply(this, parts);
  };
};

const limited = (listener) => async (request, response) => {
  const kind = asked(request);
  const writes = request.method === "POST" || request.method === "PUT";
  if (kind === null && !(writes && request.url.startsWith("/auth/v1/"))) {
    return listener(request, response);
  }
  const parts = [];
  for await (const part of request) parts.push(part);
  // Where their server looks for a body that has been read.
  request.rawBody = Buffer.concat(parts);
  if (writes && isOdd(request.rawBody)) return refuseShape(response);
  const mailbox = kind === null
    ? null
    : writes
    ? mailboxIn(request.rawBody)
    : mailboxOfSession(request);
  const left = mailbox === null ? 0 : waitOf(kind, mailbox, networkOf(request));
  if (left > 0) return refuse(response, left);
  if (mailbox !== null && makesNoAccount(request.rawBody)) hideTheUnknown(response);
  return listener(request, response);
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, limited(listener));
syncBuiltinESMExports();
