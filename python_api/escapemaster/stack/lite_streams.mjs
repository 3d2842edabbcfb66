// Node 20 hands out files as streams of ArrayBuffers, which a Response refuses, so that the local
// Storage would answer downloads with an empty body. Later versions stream bytes by default.
import { open } from "node:fs/promises";

const handle = await open(new URL(import.meta.url));
const files = Object.getPrototypeOf(handle);
await handle.close();

const { readableWebStream } = files;
files.readableWebStream = function (options) {
  return readableWebStream.call(this, { type: "bytes", ...options });
};
