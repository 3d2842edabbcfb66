import assert from "node:assert/strict";
import { escapeText, foldLine, renderCalendar, utcStamp } from "../../edge/_shared/ical.ts";

const octets = (text: string) => new TextEncoder().encode(text).length;

Deno.test("a folded line never exceeds 75 octets and unfolds to itself", () => {
  for (
    const line of ["SUMMARY:" + "é🔑a".repeat(80), "X".repeat(75), "X".repeat(76), "🔑".repeat(40)]
  ) {
    const folded = foldLine(line);
    for (const part of folded.split("\r\n")) assert.ok(octets(part) <= 75, part);
    assert.equal(folded.replaceAll("\r\n ", ""), line);
  }
});

Deno.test("a line of exactly 75 octets is not folded", () => {
  assert.equal(foldLine("X".repeat(75)), "X".repeat(75));
});

Deno.test("text cannot end its own line or start another property", () => {
  assert.equal(escapeText("a\\b;c,d"), "a\\\\b\\;c\\,d");
  assert.equal(escapeText("a\r\nEND:VEVENT\rb\nc"), "a\\nEND:VEVENT\\nb\\nc");
  assert.equal(escapeText("a\u0000b\tc"), "a b c");
});

Deno.test("instants are written in UTC whatever zone they come in", () => {
  assert.equal(utcStamp("2026-03-29T03:30:00+02:00"), "20260329T013000Z");
  assert.equal(utcStamp("2026-03-29T01:30:00.123456+00:00"), "20260329T013000Z");
});

Deno.test("every line ends with CRLF and the calendar is closed", () => {
  const text = renderCalendar({
    name: "Casa, Laberinto",
    timezone: "Europe/Madrid",
    refreshMinutes: 15,
    events: [{
      uid: "1@x",
      startsAt: "2026-01-01T10:00:00Z",
      endsAt: "2026-01-01T11:00:00Z",
      updatedAt: "2025-12-01T00:00:00Z",
      sequence: 2,
      status: "CONFIRMED",
      summary: "La cripta",
    }],
  });
  assert.ok(text.endsWith("END:VCALENDAR\r\n"));
  assert.equal(text.replaceAll("\r\n", "").match(/[\r\n]/), null);
  for (
    const line of [
      "X-WR-CALNAME:Casa\\, Laberinto",
      "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
      "X-PUBLISHED-TTL:PT15M",
      "DTSTART:20260101T100000Z",
      "SEQUENCE:2",
      "LAST-MODIFIED:20251201T000000Z",
      "STATUS:CONFIRMED",
    ]
  ) assert.ok(text.includes(`\r\n${line}\r\n`), line);
});
