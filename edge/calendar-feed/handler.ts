import type { Database } from "../_shared/database.types.ts";
import type { Environment } from "../_shared/environment.ts";
import { matchesEtag, pathBelow, problem } from "../_shared/http.ts";
import { outcomeIsUnknown } from "../_shared/outcome.ts";
import { type CalendarFeed, feedEtag, feedLanguage, renderFeed } from "./feed.ts";

const TIMEOUT_MS = 8_000;

/**
 * Answer one request for the calendar of a venue, of a room or of a game master; the token decides
 * which.
 *
 * `GET|HEAD /calendar-feed?token=…` or `/calendar-feed/<token>.ics`, with an optional
 * `lang=en|es|ca`. 200 with a strong ETag, 304 when the subscriber has it already, 404 for a token
 * that never was, was revoked, or belongs to somebody who no longer works there, 405 for other
 * methods, 503 when the database cannot answer.
 */
export async function handle(request: Request, environment: Environment): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return problem(405, "method_not_allowed", "Use GET or HEAD.", { Allow: "GET, HEAD" });
  }
  const url = new URL(request.url);
  const token = url.searchParams.get("token") ??
    pathBelow("calendar-feed", url).replace(/\.ics$/, "");
  const feed = await fetchFeed(token, environment);
  if (feed === "unknown") {
    return problem(404, "feed_not_found", "This calendar address is not valid any more.");
  }
  if (feed === "unavailable") {
    return problem(503, "unavailable", "The calendar cannot be read now. Try again soon.", {
      "Retry-After": "60",
    });
  }

  const language = feedLanguage(url.searchParams.get("lang"));
  const etag = feedEtag(feed, language);
  const headers = new Headers({
    ETag: etag,
    // A revoked address must stop working at once: subscribers may keep the text, but must ask.
    "Cache-Control": "private, no-cache",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
  });
  if (feed.updated_at) headers.set("Last-Modified", new Date(feed.updated_at).toUTCString());
  if (matchesEtag(request.headers.get("If-None-Match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  const body = new TextEncoder().encode(renderFeed(feed, language));
  headers.set("Content-Type", "text/calendar; charset=utf-8");
  headers.set("Content-Disposition", 'inline; filename="calendar.ics"');
  if (request.method === "HEAD") {
    headers.set("Content-Length", String(body.byteLength));
    return new Response(null, { headers });
  }
  return new Response(body, { headers });
}

/** Ask once more when nobody answered: reading twice harms nobody. */
async function fetchFeed(
  token: string,
  environment: Environment,
): Promise<CalendarFeed | "unknown" | "unavailable"> {
  // What cannot be a token never reaches the database.
  if (!/^[A-Za-z0-9_-]{16,200}$/.test(token)) return "unknown";
  const body: Database["public"]["Functions"]["get_calendar_feed"]["Args"] = { token };
  // POST keeps the token out of the access logs between here and the database.
  const request = {
    method: "POST",
    headers: { apikey: environment.publishableKey, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    // For both attempts together: whoever subscribed waits no longer than that.
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  for (let attempt = 1;; attempt++) {
    let status = 0;
    let answer: unknown;
    try {
      const response = await fetch(
        `${environment.supabaseUrl}/rest/v1/rpc/get_calendar_feed`,
        request,
      );
      status = response.status;
      answer = await response.json();
      if (response.ok) return answer as CalendarFeed;
    } catch (error) {
      answer = String(error);
    }
    // A missing function is a 404 as well, and no fault of the subscriber's.
    if ((answer as { message?: string } | null)?.message === "feed_not_found") return "unknown";
    if (attempt < 2 && outcomeIsUnknown(status, answer) && !request.signal.aborted) continue;
    console.error(JSON.stringify({ event: "feed_failed", status, answer }));
    return "unavailable";
  }
}
