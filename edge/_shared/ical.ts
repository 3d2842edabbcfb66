/** iCalendar text (RFC 5545) from plain values. No input or output: the same in and out, always. */

export type EventStatus = "CONFIRMED" | "TENTATIVE" | "CANCELLED";

export interface CalendarEvent {
  /** Globally unique and the same at every rendering. */
  readonly uid: string;
  /** Instants in ISO 8601; written in UTC, so that no VTIMEZONE is needed. */
  readonly startsAt: string;
  readonly endsAt: string;
  readonly updatedAt: string;
  /** Counts the changes of the event. */
  readonly sequence: number;
  readonly status: EventStatus;
  readonly summary: string;
  readonly description?: string;
  /** Where it takes place, in words. */
  readonly location?: string;
}

export interface Calendar {
  readonly name: string;
  /** IANA zone that a client may show the calendar in. */
  readonly timezone: string;
  /** How often a subscriber should look again; left out of a single downloaded event. */
  readonly refreshMinutes?: number;
  readonly events: readonly CalendarEvent[];
}

/** Render a calendar: CRLF line ends, lines folded at 75 octets. */
export function renderCalendar(calendar: Calendar): string {
  const refresh = calendar.refreshMinutes === undefined ? [] : [
    `REFRESH-INTERVAL;VALUE=DURATION:PT${calendar.refreshMinutes}M`,
    `X-PUBLISHED-TTL:PT${calendar.refreshMinutes}M`,
  ];
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Escapemaster//Calendar//EN",
    "CALSCALE:GREGORIAN",
    `NAME:${escapeText(calendar.name)}`,
    `X-WR-CALNAME:${escapeText(calendar.name)}`,
    `X-WR-TIMEZONE:${escapeText(calendar.timezone)}`,
    ...refresh,
    ...calendar.events.flatMap(renderEvent),
    "END:VCALENDAR",
  ];
  return lines.map((line) => foldLine(line) + "\r\n").join("");
}

function renderEvent(event: CalendarEvent): string[] {
  const updated = utcStamp(event.updatedAt);
  return [
    "BEGIN:VEVENT",
    `UID:${escapeText(event.uid)}`,
    // Without METHOD, DTSTAMP means the last revision (§3.8.7.2): it must not be "now", or the
    // same content would differ at each request.
    `DTSTAMP:${updated}`,
    `LAST-MODIFIED:${updated}`,
    `SEQUENCE:${event.sequence}`,
    `DTSTART:${utcStamp(event.startsAt)}`,
    `DTEND:${utcStamp(event.endsAt)}`,
    `STATUS:${event.status}`,
    `TRANSP:${event.status === "CANCELLED" ? "TRANSPARENT" : "OPAQUE"}`,
    `SUMMARY:${escapeText(event.summary)}`,
    ...(event.location ? [`LOCATION:${escapeText(event.location)}`] : []),
    ...(event.description ? [`DESCRIPTION:${escapeText(event.description)}`] : []),
    "END:VEVENT",
  ];
}

/** Escape a TEXT value (§3.3.11). Control characters have no place in one and are dropped. */
export function escapeText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    // deno-lint-ignore no-control-regex
    .replace(/[\x00-\x09\x0b-\x1f\x7f]/g, " ")
    .replace(/[\\;,]/g, "\\$&")
    .replace(/\n/g, "\\n");
}

/** Fold a content line at 75 octets (§3.1), never inside a character. */
export function foldLine(line: string): string {
  const limit = 75;
  let folded = "";
  let octets = 0;
  for (const character of line) {
    const width = octetsOf(character);
    if (octets + width > limit) {
      folded += "\r\n ";
      octets = 1;
    }
    folded += character;
    octets += width;
  }
  return folded;
}

function octetsOf(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/** `20250131T183000Z`: an instant in UTC (§3.3.5, form 2). */
export function utcStamp(instant: string): string {
  return new Date(instant).toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "");
}
