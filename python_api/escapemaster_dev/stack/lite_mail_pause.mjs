// Loaded into the local Auth before its own code: `auth.email.max_frequency`, which it reads and does
// not hold. Hosted, Auth holds it for each account and kind of mail; here it is held for each mailbox
// and kind, known or not, so that the answer tells nobody which addresses have an account, and one
// mailbox is no more for its +tags. And JSON of a shape that is 500 to it is refused.
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

const PAUSE_MS = Number(process.env.AUTH_MAIL_PAUSE_MS);

// What makes it write to the address in the request's body.
const ASKING = new Set(["signup", "otp", "magiclink", "recover", "resend", "invite", "user"]);

// Kind and mailbox, and until when it is not written to again. The oldest come first.
const paused = new Map();

// What the request asks for, or null where it asks for no mail.
const asked = (request) => {
  if (request.method !== "POST" && request.method !== "PUT") return null;
  const [path] = request.url.split("?", 1);
  try {
    const kind = /\/auth\/v1\/([^/]+)$/.exec(decodeURI(path))?.[1];
    return ASKING.has(kind) ? kind : null;
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

const mailboxIn = (body) => {
  try {
    const { email } = JSON.parse(body);
    return typeof email === "string" ? mailboxOf(email) : null;
  } catch {
    return null; // theirs to refuse
  }
};

// How many milliseconds the mailbox has to wait; 0, and it is written to now.
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
    const read = JSON.parse(body);
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
  if (isOdd(request.rawBody)) return refuseShape(response);
  const mailbox = kind === null ? null : mailboxIn(request.rawBody);
  const left = mailbox === null ? 0 : pauseOf(kind, mailbox);
  return left > 0 ? refuse(response, left) : listener(request, response);
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, limited(listener));
syncBuiltinESMExports();
