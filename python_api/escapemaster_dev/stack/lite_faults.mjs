// Loaded into the local Auth and Storage before their own code: what they answer 500 and is no fault of
// theirs. A database that is away is 503, as the gateway says of every part that is away; a body that is no
// JSON, and a value that the database or the disk cannot take, are 400, as hosted. They write an error down
// before they answer it with 500.
import { AsyncLocalStorage } from "node:async_hooks";
import http from "node:http";
import { syncBuiltinESMExports } from "node:module";

// https://www.postgresql.org/docs/17/errcodes-appendix.html: connection, resources, operator
// intervention; and the codes of the system and the driver for a connection that there is not.
const AWAY =
  /^(08|53|57P)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND|CONNECTION_\w+|CONNECT_TIMEOUT)$/;
const LOST =
  /^(Connection terminated|Client has encountered a connection error|timeout exceeded when)/;

const isAway = (error) => {
  for (let cause = error; cause && typeof cause === "object"; cause = cause.cause) {
    if (AWAY.test(String(cause.code ?? "")) || LOST.test(String(cause.message ?? ""))) return true;
    if (cause.errors?.some?.(isAway)) return true;
  }
  return false;
};

const requests = new AsyncLocalStorage();

const { error: write } = console;
console.error = (...words) => {
  const request = requests.getStore();
  if (request && /^(Auth|Storage) error:$/.test(String(words[0]))) request.error = words[1];
  return write.apply(console, words);
};

// https://www.postgresql.org/docs/17/errcodes-appendix.html: a value out of its type's range or none of
// it, and a name longer than an index takes; the disk's for that; and a list in an order that there is not.
const ODD_VALUE = /^(22\w{3}|54000|ENAMETOOLONG)$/;
const isOddOrder = ({ code, message }) =>
  code === "42703" || /^Invalid order by direction/.test(String(message));

const isOfAValue = (error, url) => {
  for (let cause = error; cause && typeof cause === "object"; cause = cause.cause) {
    if (ODD_VALUE.test(String(cause.code ?? ""))) return true;
    if (url.startsWith("/storage/v1/object/list/") && isOddOrder(cause)) return true;
  }
  return false;
};

const faultOf = (error, url) => {
  if (isAway(error)) return "database";
  // The parser's own, or that of what reads the body for them, which says its status.
  const isOfTheBody = error instanceof SyntaxError || error.status === 400;
  if (isOfTheBody && /JSON/.test(error.message)) return "body";
  return isOfAValue(error, url) ? "value" : null;
};

const STATUS = { database: 503, body: 400, value: 400 };

const noting = (listener) => (incoming, response) => {
  const request = { error: null };
  const { writeHead } = response;
  response.writeHead = (status, ...rest) => {
    const fault = status === 500 && request.error ? faultOf(request.error, incoming.url) : null;
    // The gateway puts its own words in the place of theirs, which speak of an error of the server.
    if (fault !== null) response.setHeader("X-Fault", fault);
    return writeHead.call(response, STATUS[fault] ?? status, ...rest);
  };
  return requests.run(request, () => listener(incoming, response));
};

const { createServer } = http;
http.createServer = (options, listener) => createServer(options, noting(listener));
syncBuiltinESMExports();
