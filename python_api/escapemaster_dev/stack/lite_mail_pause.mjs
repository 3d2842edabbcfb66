// Loaded into the local Auth before its own code: `auth.email.max_frequency`, which it reads and does
// not hold. Hosted, Auth holds it for each account and kind of mail; here it is held for each mailbox
// and kind, known or not, so that the answer tells nobody which addresses have an account, and one
// mailbox is no more for its +tags. To a mailbox the hour's and the day's numbers are those by which the
// database counts what hosted Auth mails (private.count_auth_mail; a test compares them); from a network
// address they are this file's. Whether an address has an account is not told to who asks for a code without making one.
// And JSON of a shape that is 500 to it is refused.
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import * as requests from "./lite_requests.mjs";

const PAUSE_MS = Number(process.env.AUTH_MAIL_PAUSE_MS);
// A link works for an hour, so that one an hour leaves nobody outside whose mails a stranger used up.
const TO_A_MAILBOX = { hour: 6, day: 20, always: 1 };
// A venue's guests may share an address.
const FROM_A_NETWORK = { hour: 40, day: 120, always: 0 };

// What makes it write to the address in the request's body.
const ASKING = new Set(["signup", "otp", "magiclink", "recover", "resend", "invite", "user"]);

const hour = new requests.Window(requests.HOUR_MS);
const day = new requests.Window(requests.DAY_MS);

// How many milliseconds until there is room again; 0: there is.
const fullFor = (subject, limit) => {
  if (hour.of(subject) < limit.always) return 0;
  if (hour.of(subject) >= limit.hour) return hour.left();
  if (day.of(subject) < limit.day) return 0;
  return limit.always > 0 ? hour.left() : day.left();
};

const count = (subject) => {
  for (const window of [hour, day]) window.count(subject);
};

// Kind and mailbox, and until when it is not written to again. The oldest come first.
const paused = new Map();

// What the request asks for, or null where it asks for no mail.
const asked = (request) => {
  const kind = requests.routeOf(request);
  if (request.method === "GET") return kind === "reauthenticate" ? kind : null;
  return requests.writes(request) && ASKING.has(kind) ? kind : null;
};

const mailboxIn = (body) => {
  try {
    const { email } = requests.parsed(body);
    return typeof email === "string" ? requests.mailboxOf(email) : null;
  } catch {
    return null; // theirs to refuse
  }
};

// Whose session it is; whether the token is true is theirs to say.
const mailboxOfSession = ({ headers }) => {
  try {
    const [, claims] = headers.authorization.split(".");
    const { email } = JSON.parse(Buffer.from(claims, "base64url").toString());
    return typeof email === "string" ? requests.mailboxOf(email) : null;
  } catch {
    return null; // theirs to refuse
  }
};

// How many milliseconds the request has to wait; 0, and it is counted and goes on.
const waitOf = (kind, mailbox, network) => {
  const full = Math.max(fullFor(mailbox, TO_A_MAILBOX), fullFor(network, FROM_A_NETWORK));
  const left = full || pauseOf(kind, mailbox);
  if (left === 0) {
    count(mailbox);
    count(network);
    requests.wrongSinceMail.forget(mailbox);
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
  const message = `For security purposes, you can only request this after ${seconds} seconds.`;
  requests.refuse(response, 429, "over_email_send_rate_limit", message, { "Retry-After": seconds });
};

// What is text wherever it stands in a body.
const TEXTS = [
  ...["email", "phone", "password", "type", "token", "token_hash"],
  ...["refresh_token", "auth_code", "code_verifier"],
];

// Whether it is JSON that is no object, or holds something else in a text's place: 500 to their code, or
// another way to write a code.
const isOdd = (body) => {
  try {
    const read = requests.parsed(body);
    if (typeof read !== "object" || read === null || Array.isArray(read)) return true;
    return TEXTS.some((name) => read[name] != null && typeof read[name] !== "string");
  } catch {
    return false; // theirs to refuse
  }
};

const refuseShape = (response) =>
  requests.refuse(response, 400, "bad_json", "Could not parse request body as JSON");

// Whether it asks for a code for an account that is there already.
const makesNoAccount = (body) => {
  try {
    return requests.parsed(body).create_user === false;
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
  const writes = requests.writes(request);
  if (kind === null && !(writes && requests.pathOf(request)?.startsWith("/auth/v1/"))) {
    return listener(request, response);
  }
  const body = await requests.bodyOf(request);
  if (writes && isOdd(body)) return refuseShape(response);
  const mailbox = kind === null ? null : writes ? mailboxIn(body) : mailboxOfSession(request);
  const left = mailbox === null ? 0 : waitOf(kind, mailbox, requests.networkOf(request));
  if (left > 0) return refuse(response, left);
  if (mailbox !== null && makesNoAccount(body)) hideTheUnknown(response);
  return listener(request, response);
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, limited(listener));
syncBuiltinESMExports();
