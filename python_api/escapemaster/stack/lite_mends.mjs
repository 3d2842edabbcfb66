// Loaded into the local Auth and Storage before their own code: three things that they
// answer otherwise than hosted projects do.
import { open } from "node:fs/promises";

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
