/** What `get_calendar_feed` says, written as a calendar. Pure. */
import type { Database } from "../_shared/database.types.ts";
import { type CalendarEvent, type EventStatus, renderCalendar } from "../_shared/ical.ts";

type Answers = Database["public"]["CompositeTypes"];

/** The answer of the RPC `get_calendar_feed(token)`. */
export type CalendarFeed = Readonly<Answers["calendar_feed"]>;
export type FeedSession = Readonly<Answers["feed_session"]>;

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
