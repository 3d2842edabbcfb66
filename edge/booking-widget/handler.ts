import { acceptsGzip, gzip, matchesEtag, pathBelow, problem } from "../_shared/http.ts";
import { hash, integrity, script } from "./dist/bundle.ts";

/** Any page may embed the widget, and read its headers. */
const open = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Expose-Headers": "ETag, X-Integrity, Content-Location",
  "Cross-Origin-Resource-Policy": "cross-origin",
  "X-Content-Type-Options": "nosniff",
};
/** A page that names no version gets a new one within minutes of its deployment. */
const SHORT = "public, max-age=300, stale-while-revalidate=86400";
/** A page that names the version by its hash never asks again. */
const LONG = "public, max-age=31536000, immutable";

const file = `${hash}.js`;
const plain = new TextEncoder().encode(script);
// Packed once and well, instead of quickly at every request.
const packed = gzip(plain);
const manifest = JSON.stringify({ version: hash, file, integrity, bytes: plain.byteLength });

/**
 * Serve the booking widget.
 *
 * `/booking-widget` is the newest script, `/booking-widget/<hash>.js` the same for ever, and
 * `/booking-widget/manifest.json` names the two and the value for a page's `integrity` attribute.
 * Another hash is 404: a function carries one version, so a page that pins one pins it again when
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
      return answerScript(request, {
        "Cache-Control": SHORT,
        "Content-Location": `/functions/v1/booking-widget/${file}`,
      });
    case file:
      return answerScript(request, { "Cache-Control": LONG });
    case "manifest.json":
      return answer(request, new TextEncoder().encode(manifest), `"${hash}"`, {
        "Cache-Control": SHORT,
        "Content-Type": "application/json",
      });
    default:
      return problem(404, "version_not_found", "Read manifest.json for the present version.", open);
  }
}

function answerScript(request: Request, more: Record<string, string>): Response {
  const headers = {
    "Content-Type": "text/javascript; charset=utf-8",
    "X-Integrity": integrity,
    Vary: "Accept-Encoding",
    ...more,
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
