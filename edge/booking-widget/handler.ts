import { acceptsGzip, gzip, matchesEtag, pathBelow, problem } from "../_shared/http.ts";
import { first, more } from "./dist/bundle.ts";

/** Any page may embed the widget, and read its headers. */
const open = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "ETag, X-Integrity, Content-Location",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "X-Content-Type-Options": "nosniff",
};
/**
 * A page that names no version gets a new one within minutes of its deployment, and never an older
 * one: what it would load next is not there any more.
 */
const SHORT = "public, max-age=300";
/** A page that names the version by its hash never asks again. */
const LONG = "public, max-age=31536000, immutable";

/** A script as it is sent. */
function served({ file, integrity, text }: typeof first) {
  const plain = new TextEncoder().encode(text);
  // Packed once and well, instead of quickly at every request.
  return { file, integrity, plain, packed: gzip(plain), hash: file.replace(".js", "") };
}
type Served = ReturnType<typeof served>;

const scripts = { first: served(first), more: served(more) };
const described = ({ file, integrity, plain }: Served) => ({
  file,
  integrity,
  bytes: plain.byteLength,
});
const manifest = JSON.stringify({
  version: scripts.first.hash,
  ...described(scripts.first),
  more: described(scripts.more),
});

/**
 * Serve the booking widget.
 *
 * `/booking-widget` is the newest script, `/booking-widget/<hash>.js` the same for ever, and
 * `/booking-widget/manifest.json` names the two and the value for a page's `integrity` attribute. A
 * second script, which the first loads when it is needed, has a hash of its own. Another hash is 404: a function carries one version, so a page that pins one pins it again when
 * the widget is deployed.
 */
export function handle(request: Request): Response {
  if (request.method === "OPTIONS") {
    return new Response(null, {
      status: 204,
      headers: {
        ...open,
        "Access-Control-Allow-Methods": "GET, HEAD",
        "Access-Control-Allow-Headers": "*",
        "Access-Control-Max-Age": "86400",
      },
    });
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    const allow = { ...open, Allow: "GET, HEAD, OPTIONS" };
    return problem(405, "method_not_allowed", "Use GET or HEAD.", allow);
  }
  switch (pathBelow("booking-widget", new URL(request.url))) {
    case "":
      return answerScript(request, scripts.first, {
        "Cache-Control": SHORT,
        "Content-Location": `/functions/v1/booking-widget/${first.file}`,
      });
    case first.file:
      return answerScript(request, scripts.first, { "Cache-Control": LONG });
    case more.file:
      return answerScript(request, scripts.more, { "Cache-Control": LONG });
    case "manifest.json":
      return answer(request, new TextEncoder().encode(manifest), `"${scripts.first.hash}"`, {
        "Cache-Control": SHORT,
        "Content-Type": "application/json",
      });
    default:
      return problem(404, "version_not_found", "Read manifest.json for the present version.", open);
  }
}

function answerScript(
  request: Request,
  { hash, integrity, plain, packed }: Served,
  caching: Record<string, string>,
): Response {
  const headers = {
    "Content-Type": "text/javascript; charset=utf-8",
    "X-Integrity": integrity,
    Vary: "Accept-Encoding",
    ...caching,
  };
  return acceptsGzip(request.headers.get("Accept-Encoding"))
    ? answer(request, packed, `"${hash}-gzip"`, { ...headers, "Content-Encoding": "gzip" })
    : answer(request, plain, `"${hash}"`, headers);
}

function answer(
  request: Request,
  body: Uint8Array<ArrayBuffer>,
  etag: string,
  more: Record<string, string>,
): Response {
  const headers = { ...open, ...more, ETag: etag };
  if (matchesEtag(request.headers.get("If-None-Match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(request.method === "HEAD" ? null : body, {
    headers: { ...headers, "Content-Length": String(body.byteLength) },
  });
}
