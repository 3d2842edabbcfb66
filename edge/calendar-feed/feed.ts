/** What `get_calendar_feed` says, written as a calendar. Pure. */
import { type CalendarEvent, type EventStatus, renderCalendar } from "../_shared/ical.ts";

/** The answer of the RPC `get_calendar_feed(token)`. */
export interface CalendarFeed {
  readonly name: string;
  /** IANA zone of the venue, or of the one room that the feed is of. */
  readonly timezone: string;
  readonly updated_at: string | null;
  /** Changes whenever anything below it does. */
  readonly version: string;
  readonly sessions: readonly FeedSession[];
}

export interface FeedSession {
  readonly uid: string;
  readonly starts_at: string;
  readonly ends_at: string;
  readonly room_name: string;
  /** Name and address of the place, in one line. */
  readonly location: string;
  readonly status: "held" | "confirmed" | "cancelled" | "block";
  /** Of all its bookings together; null for a block. */
  readonly party_size: number | null;
  /** Several, with commas, when a shared session has several. */
  readonly booking_reference: string | null;
  readonly updated_at: string;
  readonly sequence: number;
}

export type FeedLanguage = keyof typeof labels;

const labels = {
  en: {
    players: "Players",
    booking: "Booking",
    cancelled: "Cancelled",
    held: "Not paid yet",
    block: "Blocked",
  },
  es: {
    players: "Jugadores",
    booking: "Reserva",
    cancelled: "Cancelada",
    held: "Sin pagar",
    block: "Bloqueada",
  },
  ca: {
    players: "Jugadors",
    booking: "Reserva",
    cancelled: "Cancel·lada",
    held: "Sense pagar",
    block: "Bloquejada",
  },
} as const;

const statuses: Record<FeedSession["status"], EventStatus> = {
  held: "TENTATIVE",
  confirmed: "CONFIRMED",
  cancelled: "CANCELLED",
  block: "CONFIRMED",
};

/** Raise this when the rendering changes, so that subscribers fetch again. */
const RENDERING = 2;
const REFRESH_MINUTES = 15;

/** The language asked for, English otherwise. */
export function feedLanguage(value: string | null): FeedLanguage {
  return value !== null && Object.hasOwn(labels, value) ? value as FeedLanguage : "en";
}

/** A strong entity tag: equal exactly when the bytes of {@link renderFeed} are equal. */
export function feedEtag(feed: CalendarFeed, language: FeedLanguage): string {
  return `"${RENDERING}-${language}-${feed.version.replace(/[^\x21\x23-\x7e]/g, "")}"`;
}

/** The feed as iCalendar text. It names no person: a reference and a party size, no more. */
export function renderFeed(feed: CalendarFeed, language: FeedLanguage): string {
  return renderCalendar({
    name: feed.name,
    timezone: feed.timezone,
    refreshMinutes: REFRESH_MINUTES,
    events: feed.sessions.map((session) => toEvent(session, language)),
  });
}

function toEvent(session: FeedSession, language: FeedLanguage): CalendarEvent {
  const label = labels[language];
  const summary = [
    session.status === "confirmed" ? "" : `${label[session.status]}:`,
    session.room_name,
    session.party_size ? `(${session.party_size})` : "",
    session.booking_reference ?? "",
  ];
  const description = [
    session.booking_reference ? `${label.booking}: ${session.booking_reference}` : "",
    session.party_size ? `${label.players}: ${session.party_size}` : "",
  ];
  return {
    uid: session.uid.includes("@") ? session.uid : `${session.uid}@escapemaster`,
    startsAt: session.starts_at,
    endsAt: session.ends_at,
    updatedAt: session.updated_at,
    sequence: session.sequence,
    status: statuses[session.status],
    summary: summary.filter(Boolean).join(" "),
    location: session.location,
    description: description.filter(Boolean).join("\n"),
  };
}
