// Loaded into the local Auth before its own code: how often a mailed code or a password may be guessed,
// which it does not limit. Only wrong ones count. A code has six digits: to a mailbox, wrong ones since
// its last mail and on a day; then no code opens anything, also the right one, and the mail's link still
// does. From a network address, of all accounts, the numbers of supabase/config.toml (hosted, Auth counts
// right ones as well). Wrong passwords of an account count where nobody has signed in to it before, so
// that a stranger's guesses keep its owner out nowhere that they are known.
import { createHmac } from "node:crypto";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";
import * as requests from "./lite_requests.mjs";

const CODES_OF_A_MAIL = 10;
const CODES_A_DAY = 50;
const PASSWORDS_AN_HOUR = 100;
const CODES_OF_A_NETWORK = Number(process.env.AUTH_TOKEN_VERIFICATIONS);
const PASSWORDS_OF_A_NETWORK = Number(process.env.AUTH_SIGN_INS);
const NETWORK_MS = 5 * 60_000;
const CODE_LENGTH = Number(process.env.AUTH_CODE_LENGTH);

// A mailed link holds a hash, theirs of address and code: whoever knows the address would have the code
// guessed with links, of which nobody can say whose they are. With a key only the mail says it.
const KEY = process.env.AUTH_LINK_KEY;
// What else they hash is no address: keys, and the verifiers of PKCE.
const ADDRESS_AND_CODE = new RegExp(`^\\S+@\\S*\\d{${CODE_LENGTH}}$`);
const { subtle } = crypto;
const { digest } = subtle;
subtle.digest = (algorithm, data) => {
  const text = new TextDecoder().decode(data);
  if (algorithm !== "SHA-256" || !ADDRESS_AND_CODE.test(text)) {
    return digest.call(subtle, algorithm, data);
  }
  const keyed = createHmac("sha256", KEY).update(`mailed link ${text}`).digest();
  return Promise.resolve(new Uint8Array(keyed).buffer);
};

const day = new requests.Window(requests.DAY_MS);
const hour = new requests.Window(requests.HOUR_MS);
const codesOfNetworks = new requests.Window(NETWORK_MS);
const passwordsOfNetworks = new requests.Window(NETWORK_MS);

// Accounts with the network addresses from which somebody signed in; the oldest come first.
const known = new Set();
const KNOWN_AT_MOST = 100_000;

const remember = (pair) => {
  known.delete(pair);
  known.add(pair);
  if (known.size > KNOWN_AT_MOST) known.delete(known.values().next().value);
};

const filled = (value) => typeof value === "string" && value !== "";

// What is guessed by the request, as the limits that it comes under and what to do when it was right;
// null: nothing.
const guessOf = (request) => {
  const route = requests.routeOf(request);
  if (request.method !== "POST" || (route !== "verify" && route !== "token")) return null;
  let body;
  try {
    body = requests.parsed(request.rawBody);
  } catch {
    return null; // theirs to refuse
  }
  if (typeof body?.email !== "string") return null;
  const network = requests.networkOf(request);
  if (route === "verify") {
    if (filled(body.token_hash) || !filled(body.token)) return null;
    // They hash the two as one text, so that the end of an address may come with the code.
    const mailbox = requests.mailboxOf(`${body.email}${body.token}`.slice(0, -CODE_LENGTH));
    return {
      limits: [
        [requests.wrongSinceMail, mailbox, CODES_OF_A_MAIL],
        [day, mailbox, CODES_A_DAY],
        [codesOfNetworks, network, CODES_OF_A_NETWORK],
      ],
      right: () => {},
    };
  }
  if (requests.queryOf(request).get("grant_type") !== "password") return null;
  if (!filled(body.password)) return null;
  const mailbox = requests.mailboxOf(body.email);
  const pair = `${mailbox} ${network}`;
  const ofStrangers = [hour, mailbox, PASSWORDS_AN_HOUR];
  return {
    limits: [
      ...(known.has(pair) ? [] : [ofStrangers]),
      [passwordsOfNetworks, network, PASSWORDS_OF_A_NETWORK],
    ],
    right: () => remember(pair),
  };
};

// Those that are asked just now. Each may turn out to be wrong: where they would fill a limit, the next
// waits for what they come to.
const asked = new Map();
let waiting = [];

const keyOf = ([window, subject]) => {
  const kinds = [requests.wrongSinceMail, day, hour, codesOfNetworks, passwordsOfNetworks];
  return `${kinds.indexOf(window)} ${subject}`;
};

const note = (limits, change) => {
  for (const limit of limits) {
    const key = keyOf(limit);
    const now = (asked.get(key) ?? 0) + change;
    if (now > 0) asked.set(key, now);
    else asked.delete(key);
  }
};

// The limit that is full, or null; by then its place is taken.
const enter = async (limits) => {
  for (;;) {
    const full = limits.find(([window, subject, most]) => window.of(subject) >= most);
    if (full) return full;
    const isOpen = (limit) => {
      const [window, subject, most] = limit;
      return window.of(subject) + (asked.get(keyOf(limit)) ?? 0) < most;
    };
    if (limits.every(isOpen)) {
      note(limits, 1);
      return null;
    }
    await new Promise((resume) => waiting.push(resume));
  }
};

const leave = ({ limits, right }, status) => {
  note(limits, -1);
  // A fault of the server's says nothing of the guess.
  if (status < 400) right();
  else if (status < 500) { for (const [window, subject] of limits) window.count(subject); }
  const resumed = waiting;
  waiting = [];
  for (const resume of resumed) resume();
};

const refuse = (response, [window]) => {
  const seconds = Math.ceil(window.left() / 1000);
  const ofTheMail = window === requests.wrongSinceMail || window === day;
  requests.refuse(
    response,
    429,
    "over_request_rate_limit",
    ofTheMail
      ? "Too many wrong codes: open the link in the mail, or ask for a new mail."
      : `Too many wrong attempts: try again after ${seconds} seconds.`,
    // A new mail, not time, brings a new code.
    window === requests.wrongSinceMail ? {} : { "Retry-After": seconds },
  );
};

const limited = (listener) => async (request, response) => {
  const guess = guessOf(request);
  if (guess === null) return listener(request, response);
  const full = await enter(guess.limits);
  if (full !== null) return refuse(response, full);
  if (response.destroyed) return leave(guess, 500); // never asked
  // Whoever goes away without the answer has guessed wrong.
  response.once("close", () => leave(guess, response.headersSent ? response.statusCode : 400));
  return listener(request, response);
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, limited(listener));
syncBuiltinESMExports();
