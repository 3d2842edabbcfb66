// Loaded into the local Auth and Storage before their own code: three things that they
// answer otherwise than hosted projects do, input that is 500 to them, and their way to the mailbox.
import { open } from "node:fs/promises";
import { createRequire } from "node:module";

// They send by SMTP only with credentials, and those only over TLS with a certificate that somebody
// signed. The mailbox is on this machine and has none of that.
const mailer = createRequire(import.meta.url)("nodemailer");
const { createTransport } = mailer;
mailer.createTransport = ({ host, port }) => createTransport({ host, port, ignoreTLS: true });

// Node 20 hands out files as streams of ArrayBuffers, which a Response refuses, so that downloads
// would have an empty body. Later versions stream bytes by default.
const handle = await open(new URL(import.meta.url));
const files = Object.getPrototypeOf(handle);
await handle.close();

const { readableWebStream } = files;
files.readableWebStream = function (options) {
  return readableWebStream.call(this, { type: "bytes", ...options });
};

// Instants go out as PostgreSQL prints them, with the offset +00, which is not RFC 3339; the Python
// client refuses a session that holds one.
const POSTGRES_INSTANT = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00$/;

// A signed URL goes out as `signedUrl` with its whole path; the clients read `signedURL` and put the
// address of Storage before it.
const withSignedURL = (answer) => ({
  ...answer,
  signedURL: answer.signedUrl.replace(/^.*\/storage\/v1/, ""),
});

const mend = (_key, item) => {
  if (typeof item === "string") return item.replace(POSTGRES_INSTANT, "$1T$2Z");
  if (typeof item?.signedUrl === "string" && !("signedURL" in item)) return withSignedURL(item);
  return item;
};

const { stringify } = JSON;
JSON.stringify = (value, replacer, space) => stringify(value, replacer ?? mend, space);

// JSON can escape what no text of PostgreSQL holds: NUL, and half of a surrogate pair. It can hold a
// number that is infinite here, and be nested deeper than whoever writes it again can follow. A body like
// that is refused like one that is no JSON, instead of being 500 further on.
const SUSPECT = /\\u(?:0000|d[89a-f])|\d{300}|e\+?\d{3}/i;
const DEPTH = 500;
const isText = (item) => typeof item !== "string" || (item.isWellFormed() && !item.includes("\0"));

const refuseOdd = (key, item) => {
  if (!isText(key) || !isText(item)) {
    throw new SyntaxError("JSON with NUL or half a surrogate pair");
  }
  if (item === Infinity || item === -Infinity) {
    throw new SyntaxError("JSON with an infinite number");
  }
  return item;
};

// The parser counts no depth, and what asks for each value would not survive it.
const refuseDeep = (text) => {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === "\\") at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "[" || character === "{") {
      if (++depth > DEPTH) throw new SyntaxError("JSON that is nested too deep");
    } else if (character === "]" || character === "}") depth--;
  }
};

const { parse } = JSON;
JSON.parse = (text, reviver) => {
  if (typeof text === "string" && text.length > DEPTH) refuseDeep(text);
  if (SUSPECT.test(text)) parse(text, refuseOdd);
  return parse(text, reviver);
};
