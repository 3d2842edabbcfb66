/** A visit as an event for the visitor's own calendar: a file, and links that fill in a form. */
import type { Booking } from "../../_shared/booking.ts";
import { renderCalendar, utcStamp } from "../../_shared/ical.ts";

/** Where the visit takes place, as the event in the mails says it: the database writes both. */
const locationOf = ({ location }: Booking) => location?.line ?? "";

/** Where the visit takes place, in words beside the venue's name. */
export function placeOf({ location, organization }: Booking): string {
  // A venue with one place mostly calls it by its own name.
  const name = location?.address && location.name === organization.name ? "" : location?.name;
  return [name, location?.address].filter(Boolean).join(", ");
}

const titleOf = ({ room_name, organization }: Booking) => `${room_name} · ${organization.name}`;

/** The same event as in the mails: one identity, and a number that rises with every change. */
export function eventFile(booking: Booking): string {
  const { event } = booking;
  return renderCalendar({
    name: booking.organization.name,
    timezone: booking.timezone,
    events: [{
      uid: event?.uid ?? `${booking.reference}@escapemaster`,
      startsAt: booking.starts_at,
      endsAt: booking.ends_at,
      updatedAt: event?.updated_at ?? booking.history.at(-1)?.occurred_at ?? booking.starts_at,
      sequence: event?.sequence ?? booking.history.length,
      status: "CONFIRMED",
      summary: titleOf(booking),
      description: booking.reference,
      location: locationOf(booking),
    }],
  });
}

export function googleLink(booking: Booking): string {
  const query = new URLSearchParams({
    action: "TEMPLATE",
    text: titleOf(booking),
    dates: `${utcStamp(booking.starts_at)}/${utcStamp(booking.ends_at)}`,
    details: booking.reference,
    location: locationOf(booking),
  });
  return `https://calendar.google.com/calendar/render?${query}`;
}

export function outlookLink(booking: Booking): string {
  const query = new URLSearchParams({
    path: "/calendar/action/compose",
    rru: "addevent",
    subject: titleOf(booking),
    startdt: booking.starts_at,
    enddt: booking.ends_at,
    body: booking.reference,
    location: locationOf(booking),
  });
  return `https://outlook.live.com/calendar/0/deeplink/compose?${query}`;
}

export function download(booking: Booking): void {
  const url = URL.createObjectURL(new Blob([eventFile(booking)], { type: "text/calendar" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${booking.reference}.ics`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
