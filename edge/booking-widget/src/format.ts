/** Dates, times and money as the visitor reads them. */
import { formatMoney } from "../../_shared/money.ts";
import type { Language } from "./language.ts";

const defaults: Record<Language, string> = { en: "en-GB", es: "es-ES", ca: "ca-ES" };

export interface Format {
  readonly tag: string;
  /** ISO weekday on which a week starts here. */
  readonly weekStart: number;
  money(cents: number, currency: string): string;
  /** Money without decimals when they are zero: for tight places. */
  shortMoney(cents: number, currency: string): string;
  time(instant: string, timezone: string): string;
  /** `Friday, 27 November`, of a plain date. */
  day(date: string): string;
  /** `Friday, 27 November 2026`, of an instant in a zone. */
  date(instant: string, timezone: string): string;
  month(month: string): string;
  weekdays(): { readonly short: string; readonly long: string }[];
  zone(timezone: string, instant: number): string;
  /** `GMT+1`: what the zone differs by at an instant. */
  offset(timezone: string, instant: number): string;
  /** `Friday`, of a plain date. */
  weekday(date: string): string;
  percent(basisPoints: number): string;
  duration(minutes: number): string;
  /** `Spanish, English`, of codes. */
  languages(codes: readonly string[]): string;
  /** `48 hours` or `7 days`, whichever reads better. */
  hours(hours: number): string;
}

/** How to write for this language, with the visitor's own regional habits when they match it. */
export function createFormat(language: Language, preferred: readonly string[]): Format {
  const tag = preferred.map(knownTag).find((known) => known?.startsWith(`${language}-`)) ??
    defaults[language];
  const plainDate = (date: string, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(tag, { ...options, timeZone: "UTC" })
      .format(Date.parse(`${date}T12:00:00Z`));
  return {
    tag,
    weekStart: weekStart(tag),
    money: (cents, currency) => formatMoney(tag, cents, currency),
    shortMoney: (cents, currency) => formatMoney(tag, cents, currency, true),
    time: (instant, timezone) =>
      new Intl.DateTimeFormat(tag, { timeStyle: "short", timeZone: knownZone(timezone) })
        .format(new Date(instant)),
    day: (date) => capital(plainDate(date, { weekday: "long", day: "numeric", month: "long" })),
    date: (instant, timezone) =>
      capital(
        new Intl.DateTimeFormat(tag, {
          weekday: "long",
          day: "numeric",
          month: "long",
          year: "numeric",
          timeZone: knownZone(timezone),
        }).format(new Date(instant)),
      ),
    month: (month) => capital(plainDate(`${month}-15`, { month: "long", year: "numeric" })),
    weekdays: () => {
      const start = weekStart(tag);
      // 2024-01-01 was a Monday.
      return Array.from({ length: 7 }, (_, index) => {
        const date = `2024-01-0${(start - 1 + index) % 7 + 1}`;
        return {
          short: plainDate(date, { weekday: "short" }).replace(".", ""),
          long: plainDate(date, { weekday: "long" }),
        };
      });
    },
    zone: (timezone, instant) => {
      const known = knownZone(timezone);
      const city = known.split("/").at(-1)?.replaceAll("_", " ") ?? known;
      const offset = offsetOf(tag, known, instant);
      return offset ? `${city} (${offset})` : city;
    },
    offset: (timezone, instant) => offsetOf(tag, knownZone(timezone), instant),
    weekday: (date) => plainDate(date, { weekday: "long" }),
    percent: (basisPoints) =>
      new Intl.NumberFormat(tag, { style: "percent", maximumFractionDigits: 2 })
        .format(basisPoints / 10_000),
    duration: (minutes) =>
      new Intl.NumberFormat(tag, { style: "unit", unit: "minute", unitDisplay: "short" })
        .format(minutes),
    languages: (codes) => {
      const names = new Intl.DisplayNames(tag, { type: "language" });
      return codes.map((code) => names.of(code)).join(", ");
    },
    hours: (hours) => {
      const days = hours >= 72 && hours % 24 === 0;
      return new Intl.NumberFormat(tag, {
        style: "unit",
        unit: days ? "day" : "hour",
        unitDisplay: "long",
      }).format(days ? hours / 24 : hours);
    },
  };
}

/** What a browser calls a language, as {@link Intl} takes it; null for what it does not take. */
function knownTag(candidate: unknown): string | null {
  try {
    const tag = String(candidate).split(/[@.]/)[0]!.replaceAll("_", "-");
    return Intl.getCanonicalLocales(tag)[0] ?? null;
  } catch {
    return null;
  }
}

/** The zone, or UTC where the browser does not know it: then that is what the page says. */
function knownZone(timezone: string): string {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone || "UTC" }) && (timezone || "UTC");
  } catch {
    return "UTC";
  }
}

/** The visitor's own zone; null where the browser does not know or does not tell. */
export function visitorZone(): string | null {
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
  return timeZone && (knownZone(timeZone) === timeZone) ? timeZone : null;
}

function offsetOf(tag: string, timeZone: string, instant: number): string {
  try {
    const format = new Intl.DateTimeFormat(tag, { timeZone, timeZoneName: "shortOffset" });
    return format.formatToParts(instant).find(({ type }) => type === "timeZoneName")?.value ?? "";
  } catch {
    // Not in every browser.
    return "";
  }
}

function weekStart(tag: string): number {
  // Not in every browser, and not yet in TypeScript's library.
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    getWeekInfo?(): { firstDay: number };
    weekInfo?: { firstDay: number };
  };
  return (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay ?? 1;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** `14:05`, for a countdown. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
