"""A month on paper: its figures beside those of the month before, with plots.

It computes no figure but differences. fpdf2 draws it, which the vouchers' paper has already: bars,
a heat map and tables need no more, and it is the same file whenever its figures are the same.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from math import floor, log10
from pathlib import Path
from typing import Final

from babel.dates import format_skeleton, get_day_names
from babel.numbers import format_decimal, format_percent
from fpdf import FPDF

from escapemaster.currencies import CURRENCIES
from escapemaster.email.formatting import LOCALES, money, month_in_words
from escapemaster.email.voucher_paper import add_fonts, known_letters
from escapemaster.reports.figures import MonthFigures, Occupancy, Revenue

#: Millimetres of an A4 sheet.
_MARGIN: Final = 16.0
_WIDTH: Final = 178.0
_BOTTOM: Final = 277.0
_GAP: Final = 4.0
#: A file that is made again is the same, whenever that is.
_ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
#: Rooms that a plot or table names; the others are summed up.
_MOST_ROOMS: Final = 10
#: The first column of a table, which has names.
_FIRST: Final = 58.0
_BODY: Final = "noto"

Colour = tuple[int, int, int]
_INK: Final = (24, 24, 27)
_GREY: Final = (82, 82, 91)
_PALE: Final = (228, 228, 231)
_GROUND: Final = (246, 246, 248)
_BAR: Final = (37, 99, 168)
_BAR_BEFORE: Final = (176, 190, 208)
_LOSS: Final = (178, 58, 46)


@dataclass(frozen=True, slots=True)
class _Words:
    """What is said, in one language."""

    language: str

    def __call__(self, key: str, **values: object) -> str:
        return _sentences()[key][self.language].format(**values)

    def number(self, value: int) -> str:
        return str(format_decimal(value, locale=LOCALES[self.language]))

    def share(self, basis_points: int | None) -> str:
        """A share such as `41,5 %`."""
        if basis_points is None:
            return "–"
        return str(
            format_percent(
                basis_points / 10_000, format="#,##0.#\u00a0%", locale=LOCALES[self.language]
            )
        )

    def day(self, day: date) -> str:
        return str(format_skeleton("MMMd", day, locale=LOCALES[self.language]))

    def month(self, first: date) -> str:
        return month_in_words(first, self.language)


@cache
def _sentences() -> Mapping[str, Mapping[str, str]]:
    source = files("escapemaster.reports").joinpath("month.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def write_month(figures: MonthFigures, language: str, path: Path) -> int:
    """Write the report of a month as a PDF.

    Args:
        figures: What it says.
        language: es, en or ca.
        path: Where.

    Returns:
        How many pages it has.
    """
    page = _Page(_Words(language))
    page.begin(figures)
    page.cards(figures)
    for revenue in _moving(figures.revenue):
        before = next((r for r in figures.revenue_before if r.currency == revenue.currency), None)
        page.days(revenue)
        page.rooms(revenue, before)
        page.methods(revenue)
    page.hours(figures)
    page.games(figures)
    page.notes()
    return page.write(path)


def _moving(revenue: Sequence[Revenue]) -> Sequence[Revenue]:
    """Currencies in which something came in or went back; the venue's own is the first."""
    found = [r for r in revenue if r.total.received_cents or r.total.refunded_cents]
    return found or revenue[:1]


class _Page:
    """The sheet that is being written, from above."""

    def __init__(self, words: _Words) -> None:
        self._words = words
        self._pdf = FPDF(unit="mm", format="A4")
        self._pdf.set_creation_date(_ALWAYS)
        self._pdf.set_lang(words.language)
        self._pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self._pdf.set_auto_page_break(False)
        add_fonts(self._pdf)
        self._pdf.add_page()

    def begin(self, figures: MonthFigures) -> None:
        """Whose report it is, and of which month."""
        pdf, words = self._pdf, self._words
        title = words("title", month=words.month(figures.first_date))
        pdf.set_title(title)
        pdf.set_xy(_MARGIN, 14)
        self._text(figures.organization_name, size=11, colour=_GREY, width=_WIDTH)
        pdf.set_xy(_MARGIN, 20)
        self._text(title, size=22, bold=True, width=_WIDTH)
        before = words.month(figures.first_date - timedelta(days=1))
        pdf.set_xy(_MARGIN, 31)
        self._text(words("compared", month=before), size=10, colour=_GREY, width=_WIDTH)
        pdf.y = 40

    def cards(self, figures: MonthFigures) -> None:
        """The figures that are looked at first, each with what has changed."""
        words = self._words
        now, then = figures.bookings.total, figures.bookings_before.total
        games, games_then = figures.games.total, figures.games_before.total
        cards: list[tuple[str, str, str]] = []
        for revenue in _moving(figures.revenue):
            totals = [r.total for r in figures.revenue_before if r.currency == revenue.currency]
            before = totals[0].net_cents if totals else None
            cards.append(self._amount("net", revenue.total.net_cents, before, revenue))
        first = _moving(figures.revenue)[:1]
        cards += [
            self._count("bookings", now.bookings, then.bookings),
            self._count("players", now.players, then.players),
            self._share(
                "occupancy",
                _share_of(figures.occupancy),
                _share_of(figures.occupancy_before),
            ),
            self._count("new_customers", now.new_customers, then.new_customers),
            self._share("cancelled", now.cancelled_bp, then.cancelled_bp),
            self._share("no_show", now.no_show_bp, then.no_show_bp),
            self._share("escaped", games.escaped_bp, games_then.escaped_bp),
            *(
                (
                    words("outstanding"),
                    money(r.total.outstanding_cents, r.currency, words.language),
                    "",
                )
                for r in first
            ),
            (words("lead"), self._days(now.lead_minutes), self._was(self._days(then.lead_minutes))),
            (
                words("escape_time"),
                _clock(games.median_escape_seconds),
                self._was(_clock(games_then.median_escape_seconds)),
            ),
            (
                words("staff"),
                self._minutes(games.staff_minutes_per_game),
                self._was(self._minutes(games_then.staff_minutes_per_game)),
            ),
        ]
        across = 4
        width = (_WIDTH - _GAP * (across - 1)) / across
        top = self._pdf.y
        for place, (name, value, change) in enumerate(cards):
            left = _MARGIN + (place % across) * (width + _GAP)
            self._card(left, top + (place // across) * 25, width, name, value, change)
        self._pdf.y = top + ((len(cards) - 1) // across + 1) * 25 + 2

    def days(self, revenue: Revenue) -> None:
        """A bar a day; below the line where more went back than came in."""
        words, values = self._words, [day.sums.net_cents for day in revenue.series]
        with self._section(f"{words('by_day')} ({revenue.currency})", 62) as top:
            if not any(values):
                self._nothing(top)
                return
            marks = _marks(min(0, *values), max(0, *values))
            bottom = top + 50
            left = _MARGIN + 24
            width = _WIDTH - 24

            def level(cents: float) -> float:
                return bottom - (cents - marks[0]) / (marks[-1] - marks[0]) * (bottom - top)

            for mark in marks:
                self._rule(left, level(mark), width)
                self._label(_MARGIN, level(mark) - 2, 22, _axis(mark, revenue.currency, words), "R")
            side = width / len(values)
            for place, (day, cents) in enumerate(zip(revenue.series, values, strict=True)):
                if cents:
                    high, low = sorted((level(cents), level(0)))
                    self._fill(_LOSS if cents < 0 else _BAR)
                    bar = left + (place + 0.15) * side
                    self._pdf.rect(bar, high, side * 0.7, low - high, "F")
                if day.from_date.day % 5 == 0 or day.from_date.day == 1:
                    label = str(
                        format_skeleton("MMMd", day.from_date, locale=LOCALES[words.language])
                    )
                    self._label(left + (place + 0.5) * side - 10, bottom + 1.5, 20, label, "C")

    def rooms(self, revenue: Revenue, before: Revenue | None) -> None:
        """Two bars a room: this month and the month before."""
        words = self._words
        then = {room.room_id: room.sums.net_cents for room in before.rooms} if before else {}
        rooms = [(r.name, r.sums.net_cents, then.get(r.room_id, 0)) for r in revenue.rooms]
        rooms = [r for r in rooms if r[1] or r[2]]
        rooms.sort(key=lambda r: (-r[1], r[0]))
        if len(rooms) > _MOST_ROOMS:
            rest = rooms[_MOST_ROOMS - 1 :]
            name = words("others", count=len(rest))
            rooms = rooms[: _MOST_ROOMS - 1]
            rooms.append((name, sum(r[1] for r in rest), sum(r[2] for r in rest)))
        title = f"{words('by_room')} ({revenue.currency})"
        with self._section(title, 8 + 9 * max(1, len(rooms))) as top:
            if not rooms:
                self._nothing(top)
                return
            self._legend(top - 7)
            named, amounts = 44.0, 30.0
            left, width = _MARGIN + named, _WIDTH - named - amounts
            low = min(0, *(value for _, *pair in rooms for value in pair))
            high = max(1, *(value for _, *pair in rooms for value in pair))

            def place(cents: int) -> float:
                return left + (cents - low) / (high - low) * width

            for row, (name, cents, previous) in enumerate(rooms):
                y = top + row * 9
                self._name(_MARGIN, y, named - 3, name, row + 1)
                for value, colour, at, tall in (
                    (cents, _LOSS if cents < 0 else _BAR, y + 0.6, 4.4),
                    (previous, _BAR_BEFORE, y + 5.2, 2.0),
                ):
                    begin, end = sorted((place(0), place(value)))
                    self._fill(colour)
                    self._pdf.rect(begin, at, end - begin, tall, "F")
                amount = money(cents, revenue.currency, words.language)
                self._label(left + width, y + 1, amounts, amount, "R", size=9, colour=_INK)

    def methods(self, revenue: Revenue) -> None:
        """What came in and went back, by how."""
        words = self._words

        def amount(cents: int) -> str:
            return money(cents, revenue.currency, words.language)

        rows = [
            (
                words(f"method_{m.method}"),
                amount(m.received_cents),
                amount(m.refunded_cents),
                amount(m.net_cents),
            )
            for m in revenue.methods
        ]
        headings = (words("method"), words("received"), words("refunded"), words("net_short"))
        self._table(f"{words('by_method')} ({revenue.currency})", headings, rows)

    def hours(self, figures: MonthFigures) -> None:
        """Occupancy, a cell an hour of a weekday: the darker the fuller, its percent in it."""
        words, occupancy = self._words, figures.occupancy
        shares = {
            (cell.weekday, cell.hour): cell.sums.occupancy_bp
            for cell in (occupancy.hours if occupancy else ())
            if cell.sums.occupancy_bp is not None
        }
        with self._section(words("by_hour"), 66) as top:
            if not shares or occupancy is None:
                self._nothing(top)
                return
            total = occupancy.total
            first, last = min(hour for _, hour in shares), max(hour for _, hour in shares)
            names = get_day_names("abbreviated", locale=LOCALES[words.language])
            left = _MARGIN + 16
            side = min((_WIDTH - 16) / (last - first + 1), 18.0)
            for hour in range(first, last + 1):
                self._label(left + (hour - first) * side, top, side, f"{hour}", "C")
            for weekday in range(1, 8):
                y = top + 5 + (weekday - 1) * 7
                self._label(_MARGIN, y + 1.4, 15, str(names[weekday - 1]), "L", size=9, colour=_INK)
                for hour in range(first, last + 1):
                    share = shares.get((weekday, hour))
                    x = left + (hour - first) * side
                    if share is None:
                        self._fill(_GROUND)
                        self._pdf.rect(x + 0.3, y + 0.3, side - 0.6, 6.4, "F")
                        continue
                    weight = min(share, 10_000) / 10_000
                    self._fill(_mixed(_BAR, weight))
                    self._pdf.rect(x + 0.3, y + 0.3, side - 0.6, 6.4, "F")
                    colour = (255, 255, 255) if weight > 0.55 else _INK
                    self._label(x, y + 1.6, side, f"{round(share / 100)}", "C", colour=colour)
            lost = words("lost", waiting=total.waitlisted, holds=total.lapsed_holds)
            self._label(_MARGIN, top + 56, _WIDTH, lost, "L", size=9)

    def games(self, figures: MonthFigures) -> None:
        """How games ended, a row a room."""
        words = self._words
        rows = [
            (
                room.name,
                words.number(room.sums.results),
                words.share(room.sums.escaped_bp),
                _clock(room.sums.median_escape_seconds),
            )
            for room in figures.games.rooms
            if room.sums.results
        ]
        headings = (words("room"), words("games"), words("escaped"), words("escape_time"))
        self._table(words("games_by_room"), headings, rows)

    def notes(self) -> None:
        """How the figures are counted."""
        self._room_for(22)
        pdf = self._pdf
        pdf.set_xy(_MARGIN, pdf.y + 2)
        pdf.set_font(_BODY, "", 8)
        pdf.set_text_color(*_GREY)
        pdf.multi_cell(_WIDTH, 4, self._words("notes"), align="L")

    def write(self, path: Path) -> int:
        """Number the pages and write them. Returns how many there are."""
        pdf = self._pdf
        pages = len(pdf.pages)
        for number in range(1, pages + 1):
            pdf.page = number
            # What a sheet was left with is not what it is gone back to with.
            pdf.set_font(_BODY, "B", 20)
            words = self._words("page", page=number, pages=pages)
            self._label(_MARGIN, 285, _WIDTH, words, "R")
        pdf.output(str(path))
        return pages

    # What they are made of.

    def _amount(
        self, name: str, cents: int, before: int | None, revenue: Revenue
    ) -> tuple[str, str, str]:
        value = money(cents, revenue.currency, self._words.language)
        return self._words(name), value, self._change(cents, before)

    def _count(self, name: str, value: int, before: int) -> tuple[str, str, str]:
        return self._words(name), self._words.number(value), self._change(value, before)

    def _share(self, name: str, value: int | None, before: int | None) -> tuple[str, str, str]:
        words = self._words
        change = ""
        if value is not None and before is not None:
            points = (value - before) / 100
            written = format_decimal(abs(points), format="#,##0.#", locale=LOCALES[words.language])
            change = f"{_sign(points)} {words('points', value=written)}"
            if points == 0:
                change = words("as_before")
        return words(name), words.share(value), change

    def _change(self, value: int, before: int | None) -> str:
        """Percent where there is something to compare with, and it did not change its sign."""
        if before is None or before <= 0 or value < 0:
            return ""
        if value == before:
            return self._words("as_before")
        percent = format_percent(
            abs(value - before) / before,
            format="#,##0\u00a0%",
            locale=LOCALES[self._words.language],
        )
        return f"{_sign(value - before)} {percent}"

    def _was(self, value: str) -> str:
        return "" if value == "–" else f"({value})"

    def _days(self, minutes: int | None) -> str:
        if minutes is None:
            return "–"
        days = format_decimal(
            minutes / 1440, format="#,##0.#", locale=LOCALES[self._words.language]
        )
        return self._words("days", value=days)

    def _minutes(self, value: int | None) -> str:
        return "–" if value is None else self._words("minutes", value=self._words.number(value))

    def _card(
        self, left: float, top: float, width: float, name: str, value: str, change: str
    ) -> None:
        self._fill(_GROUND)
        self._pdf.rect(left, top, width, 22, "F")
        self._label(left + 3, top + 2.5, width - 6, name, "L")
        self._label(left + 3, top + 8, width - 6, value, "L", size=14, bold=True, colour=_INK)
        self._label(left + 3, top + 16, width - 6, change, "L")

    @contextmanager
    def _section(self, title: str, height: float) -> Iterator[float]:
        """A part of so many millimetres with its title, on a new sheet where it does not fit."""
        self._room_for(height + 12)
        pdf = self._pdf
        top = pdf.y + 3
        pdf.set_xy(_MARGIN, top)
        self._text(title, size=12, bold=True, width=_WIDTH - 60)
        yield top + 9
        pdf.set_xy(_MARGIN, top + 9 + height)

    def _room_for(self, height: float) -> None:
        if self._pdf.y + height > _BOTTOM:
            self._pdf.add_page()
            self._pdf.y = _MARGIN

    def _table(self, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A heading, then rows, which go on on a further sheet."""
        with self._section(title, 8 if rows else 10) as top:
            if not rows:
                self._nothing(top)
                return
            self._row(top, headings, colour=_GREY)
            self._rule(_MARGIN, top + 6, _WIDTH)
        for number, row in enumerate(rows, start=1):
            self._room_for(8)
            self._name(_MARGIN, self._pdf.y, _FIRST - 3, row[0], number)
            self._row(self._pdf.y + 0.6, ("", *row[1:]), colour=_INK)
            self._pdf.y += 7.5
        self._pdf.y += 3

    def _row(self, top: float, cells: Sequence[str], colour: Colour) -> None:
        width = (_WIDTH - _FIRST) / (len(cells) - 1)
        self._label(_MARGIN, top + 1, _FIRST - 3, cells[0], "L", size=9, colour=colour)
        for place, cell in enumerate(cells[1:]):
            left = _MARGIN + _FIRST + place * width
            self._label(left, top + 1, width - 2, cell, "R", size=9, colour=colour)

    def _name(self, left: float, top: float, width: float, name: str, number: int) -> None:
        """A room's name, in two lines where it is long; its number where there are no letters."""
        pdf = self._pdf
        shown = known_letters(pdf, name) or f"{self._words('room')} {number}"
        pdf.set_font(_BODY, "", 9)
        if pdf.get_string_width(shown) <= width:
            self._label(left, top + 1.4, width, shown, "L", size=9, colour=_INK)
            return
        pdf.set_font(_BODY, "", 7)
        first, second = shown, ""
        while pdf.get_string_width(first) > width:
            # Between words where there is one, which there need not be.
            head, space, tail = first.rpartition(" ")
            head, tail = (head, tail) if space else (first[:-1], first[-1])
            second = f"{tail}{' ' if space and second else ''}{second}"
            first = head
        self._label(left, top + 0.4, width, first, "L", size=7, colour=_INK)
        self._label(left, top + 3.8, width, second, "L", size=7, colour=_INK)

    def _legend(self, top: float) -> None:
        left = _MARGIN + _WIDTH - 74
        for name, colour, at in (("this_month", _BAR, 0), ("before", _BAR_BEFORE, 32)):
            self._fill(colour)
            self._pdf.rect(left + at, top + 0.6, 3, 3, "F")
            self._label(left + at + 4.5, top, 38, self._words(name), "L")

    def _nothing(self, top: float) -> None:
        self._label(_MARGIN, top, _WIDTH, self._words("nothing"), "L", size=9)

    def _fill(self, colour: Colour) -> None:
        self._pdf.set_fill_color(*colour)

    def _rule(self, left: float, top: float, width: float) -> None:
        self._pdf.set_draw_color(*_PALE)
        self._pdf.set_line_width(0.2)
        self._pdf.line(left, top, left + width, top)

    def _text(
        self, text: str, *, size: float, width: float, bold: bool = False, colour: Colour = _INK
    ) -> None:
        self._label(self._pdf.x, self._pdf.y, width, text, "L", size=size, bold=bold, colour=colour)

    def _label(
        self,
        left: float,
        top: float,
        width: float,
        text: str,
        side: str,
        *,
        size: float = 8,
        bold: bool = False,
        colour: Colour = _GREY,
    ) -> None:
        """A line in a box: smaller where it is too long, and at last cut with an ellipsis."""
        pdf = self._pdf
        y = pdf.y
        shown = known_letters(pdf, text)
        pdf.set_text_color(*colour)
        pdf.set_font(_BODY, "B" if bold else "", size)
        while pdf.get_string_width(shown) > width and size > 7:
            size -= 0.5
            pdf.set_font_size(size)
        while shown and pdf.get_string_width(shown) > width:
            shown = shown.rstrip("…")[:-1].rstrip() + "…" if len(shown) > 1 else ""
        pdf.set_xy(left, top)
        pdf.c_margin = 0
        pdf.cell(width, size * 0.45, shown, align=side)
        pdf.y = y


def _share_of(occupancy: Occupancy | None) -> int | None:
    return None if occupancy is None else occupancy.total.occupancy_bp


def _sign(value: float) -> str:
    return "+" if value > 0 else "-"


def _clock(seconds: int | None) -> str:
    """A duration such as `52:10`."""
    return "–" if seconds is None else f"{seconds // 60}:{seconds % 60:02}"


def _mixed(colour: Colour, weight: float) -> Colour:
    """A colour on white, of that weight, and never quite white."""
    weight = 0.08 + 0.92 * weight
    red, green, blue = (round(255 - (255 - part) * weight) for part in colour)
    return red, green, blue


def _marks(low: int, high: int) -> list[int]:
    """Round marks of an axis from one value to another, both inside: four or so."""
    span = max(high - low, 1)
    step = 10 ** floor(log10(span / 4)) if span >= 4 else 1
    step = next(s for s in (step, 2 * step, 5 * step, 10 * step) if span / s <= 5)
    step = max(int(step), 1)
    return [n * step for n in range(low // step, -(-high // step) + 1)]


def _axis(cents: int, currency: str, words: _Words) -> str:
    """An amount at an axis, without digits that are all noughts."""
    digits = CURRENCIES[currency].digits
    value = cents / 10**digits
    pattern = "#,##0.###" if value == round(value) else "#,##0.00"
    return f"{format_decimal(value, format=pattern, locale=LOCALES[words.language])}"
