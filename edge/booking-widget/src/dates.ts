/** Calendar arithmetic on plain `YYYY-MM-DD` dates and `YYYY-MM` months. No clock, no zone. */

const DAY_MS = 86_400_000;

function toUtc(date: string): number {
  return Date.parse(`${date}T00:00:00Z`);
}

function fromUtc(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10);
}

export function addDays(date: string, days: number): string {
  return fromUtc(toUtc(date) + days * DAY_MS);
}

export function monthOf(date: string): string {
  return date.slice(0, 7);
}

export function firstDay(month: string): string {
  return `${month}-01`;
}

export function lastDay(month: string): string {
  return addDays(firstDay(addMonths(month, 1)), -1);
}

export function addMonths(month: string, months: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const index = year * 12 + number - 1 + months;
  return `${String(Math.floor(index / 12)).padStart(4, "0")}-${
    String(index % 12 + 1).padStart(2, "0")
  }`;
}

/** The same day of another month, or its last day when it is shorter. */
export function inMonth(date: string, month: string): string {
  const last = lastDay(month);
  const same = `${month}${date.slice(7)}`;
  return same > last ? last : same;
}

/** ISO weekday: 1 is Monday, 7 is Sunday. */
export function weekday(date: string): number {
  return new Date(toUtc(date)).getUTCDay() || 7;
}

/** The weeks of a month, from `weekStart` (ISO weekday) on; null where another month's days are. */
export function weeks(month: string, weekStart: number): (string | null)[][] {
  const lead = (weekday(firstDay(month)) - weekStart + 7) % 7;
  const days: (string | null)[] = Array(lead).fill(null);
  for (let day = firstDay(month); monthOf(day) === month; day = addDays(day, 1)) days.push(day);
  while (days.length % 7 !== 0) days.push(null);
  const rows: (string | null)[][] = [];
  for (let index = 0; index < days.length; index += 7) rows.push(days.slice(index, index + 7));
  return rows;
}

/** The date on the wall of a zone at an instant. */
export function localDate(instant: number, timezone: string): string {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
  }).formatToParts(instant);
  const part = (type: string) => parts.find((entry) => entry.type === type)?.value ?? "";
  return `${part("year")}-${part("month")}-${part("day")}`;
}

/** The hour on the wall of a zone at an instant. */
export function localHour(instant: number, timezone: string): number {
  const hour = new Intl.DateTimeFormat("en-US", {
    timeZone: timezone,
    hour: "2-digit",
    hourCycle: "h23",
  }).format(instant);
  return Number(hour);
}

/** Where a key moves the focus in the month grid, or null when the key means something else. */
export function moveByKey(date: string, key: string, weekStart: number): string | null {
  const column = (weekday(date) - weekStart + 7) % 7;
  switch (key) {
    case "ArrowLeft":
      return addDays(date, -1);
    case "ArrowRight":
      return addDays(date, 1);
    case "ArrowUp":
      return addDays(date, -7);
    case "ArrowDown":
      return addDays(date, 7);
    case "Home":
      return addDays(date, -column);
    case "End":
      return addDays(date, 6 - column);
    case "PageUp":
      return inMonth(date, addMonths(monthOf(date), -1));
    case "PageDown":
      return inMonth(date, addMonths(monthOf(date), 1));
    default:
      return null;
  }
}
