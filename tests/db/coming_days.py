"""Days to come on which clocks change: what is written for a year fails once that has begun."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: How far ahead they are at least: a test's world may begin a month before its day.
_AHEAD = timedelta(days=60)


def coming_day(month: int, day: int) -> date:
    """The next day with this date."""
    return next(found for found in _days() if (found.month, found.day) == (month, day))


def clock_change(zone: str, month: int) -> date:
    """The next day of a month on which a zone's clock jumps or goes back."""
    return next(found for found in _days() if found.month == month and _changes(zone, found))


def _days() -> list[date]:
    first = datetime.now(UTC).date() + _AHEAD
    return [first + timedelta(days=number) for number in range(366)]


def _changes(zone: str, day: date) -> bool:
    before, noon = (
        datetime.combine(each, time(12), ZoneInfo(zone)).utcoffset()
        for each in (day - timedelta(days=1), day)
    )
    return before != noon
