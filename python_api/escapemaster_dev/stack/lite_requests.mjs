// What is loaded into the local Auth and Storage, of one mind about a request: where it leads, whose
// mailbox it names, who sends it.

// The path as their server reads it, which goes up at `..` before it looks for a route; null: no address
// of theirs.
export const pathOf = (request) => {
  try {
    return decodeURI(new URL(`http://localhost${request.url}`).pathname);
  } catch {
    return null;
  }
};

// The last word of an address of Auth's, as `verify`.
export const routeOf = (request) =>
  /^\/auth\/v1\/([^/]+)$/.exec(pathOf(request) ?? "")?.[1] ?? null;

export const queryOf = (request) => new URL(`http://localhost${request.url}`).searchParams;

export const writes = ({ method }) => method === "POST" || method === "PUT";

// The body, kept where their server looks for one that has been read.
export const bodyOf = async (request) => {
  if (request.rawBody === undefined) {
    const parts = [];
    for await (const part of request) parts.push(part);
    request.rawBody = Buffer.concat(parts);
  }
  return request.rawBody;
};

// As their server reads it, which leaves a byte order mark out. Throws at what is theirs to refuse.
export const parsed = (body) => JSON.parse(new TextDecoder().decode(body));

// As private.mailbox of the database: in lower case, without a +tag, Gmail's without dots.
export const mailboxOf = (email) => {
  const [written, host = ""] = email.trim().toLowerCase().split("@");
  const name = written.replace(/(.)\+.*$/s, "$1");
  if (host !== "gmail.com" && host !== "googlemail.com") return `${name}@${host}`;
  return `${name.replaceAll(".", "")}@gmail.com`;
};

// As the gateway says, which lets no client say it.
export const networkOf = (request) =>
  `from ${
    request.headers["x-forwarded-for"]?.split(",")[0].trim() ?? request.socket.remoteAddress
  }`;

// What was counted since the last multiple of its length, in milliseconds; a restart forgives it.
export class Window {
  #length;
  #began = 0;
  #counts = new Map();

  constructor(length) {
    this.#length = length;
  }

  #current() {
    const start = Math.floor(Date.now() / this.#length) * this.#length;
    if (this.#began !== start) this.#counts.clear();
    this.#began = start;
    return this.#counts;
  }

  of(subject) {
    return this.#current().get(subject) ?? 0;
  }

  count(subject) {
    this.#current().set(subject, this.of(subject) + 1);
  }

  forget(subject) {
    this.#current().delete(subject);
  }

  // How many milliseconds until it begins anew.
  left() {
    this.#current();
    return this.#began + this.#length - Date.now();
  }
}

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

// Wrong codes since the mailbox was last written to.
export const wrongSinceMail = new Window(DAY_MS);

export const refuse = (response, status, code, message, headers = {}) => {
  response.writeHead(status, {
    "Access-Control-Allow-Origin": "*",
    "Content-Type": "application/json",
    "X-Sb-Error-Code": code,
    ...headers,
  });
  response.end(JSON.stringify({ code: status, error_code: code, msg: message }));
};
