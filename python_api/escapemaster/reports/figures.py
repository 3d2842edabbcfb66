"""The figures of a month, as the reports of `sql/87_reports` say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(_Part):
    """Sums of some days, in minor units."""

    received_cents: int
    refunded_cents: int
    net_cents: int
    outstanding_cents: int


class MethodMoney(_Part):
    """What came in and went back by one method."""

    method: str
    received_cents: int
    refunded_cents: int
    net_cents: int


class RoomMoney(_Part):
    """The revenue of a room."""

    room_id: str
    name: str
    sums: Money


class DayMoney(_Part):
    """The revenue of a day."""

    from_date: date
    sums: Money


class Revenue(_Part):
    """The revenue of a month in one currency."""

    currency: str
    total: Money
    methods: tuple[MethodMoney, ...]
    rooms: tuple[RoomMoney, ...]
    series: tuple[DayMoney, ...]


class BookingSums(_Part):
    """Bookings by the day of their visit."""

    bookings: int
    players: int
    cancelled_bp: int | None
    no_show_bp: int | None
    lead_minutes: int | None
    new_customers: int


class Bookings(_Part):
    """The bookings of a month."""

    total: BookingSums


class GameSums(_Part):
    """Games, by the day of their session."""

    results: int
    escaped_bp: int | None
    median_escape_seconds: int | None
    games: int
    staff_minutes_per_game: int | None


class RoomGames(_Part):
    """The games of a room."""

    name: str
    sums: GameSums


class Games(_Part):
    """The games of a month."""

    total: GameSums
    rooms: tuple[RoomGames, ...]


class OccupancySums(_Part):
    """What was sold of what was offered."""

    occupancy_bp: int | None
    waitlisted: int
    lapsed_holds: int


class HourOccupancy(_Part):
    """The occupancy of an hour of a weekday, 1 being Monday."""

    weekday: int
    hour: int
    sums: OccupancySums


class Occupancy(_Part):
    """The occupancy of a month."""

    total: OccupancySums
    hours: tuple[HourOccupancy, ...]


#: A list, or null where nothing was.
Revenues = Annotated[Sequence[Revenue], BeforeValidator(lambda value: value or [])]


class MonthFigures(_Part):
    """The figures of a month and of the month before it.

    Attributes:
        revenue: A currency each.
        occupancy: None: there is too much of it to be computed at once.
    """

    organization_name: str
    first_date: date
    revenue: Revenues
    bookings: Bookings
    games: Games
    occupancy: Occupancy | None
    revenue_before: Revenues
    bookings_before: Bookings
    games_before: Games
    occupancy_before: Occupancy | None
