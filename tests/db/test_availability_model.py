"""The expansion of opening hours against an independent, slow and obvious model of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.booking_world import Shop, open_shop
from matrix.house import House

ZONES = (
    "Europe/Madrid",
    "Europe/London",
    "America/New_York",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "UTC",
)

#: Dates on which one of these zones changes its clock, and ordinary ones.
DATES = (
    date(2027, 3, 14),
    date(2027, 3, 28),
    date(2027, 4, 4),
    date(2027, 6, 16),
    date(2027, 10, 3),
    date(2027, 10, 31),
    date(2027, 11, 7),
)


@dataclass(frozen=True)
class Window:
    opens: time
    closes: time
    interval: int | None


@dataclass(frozen=True)
class OtherHours:
    """What holds on a date, for the room or for its location; closed without a window."""

    for_room: bool
    day: date
    window: Window | None


@dataclass(frozen=True)
class World:
    zone: str
    weekly: dict[int, list[Window]]
    exceptions: list[OtherHours]
    duration: int
    turnaround: int
    first: date
    days: int

    @property
    def last(self) -> date:
        return self.first + timedelta(self.days)


def instants(zone: ZoneInfo, wall: datetime) -> list[datetime]:
    """When the clock shows that: never (gap), once, or twice (fold)."""
    readings = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(
        instant for instant in readings if instant.astimezone(zone).replace(tzinfo=None) == wall
    )


def closing(zone: ZoneInfo, wall: datetime) -> datetime:
    """A closing time in a gap is read with the offset before it."""
    found = instants(zone, wall)
    return found[-1] if found else wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def windows_of(world: World, day: date) -> list[Window]:
    """Closed wins over other hours, the room's over its location's, any over weekly ones."""
    said = [e for e in world.exceptions if e.day == day]
    if any(e.window is None for e in said):
        return []
    own = [e.window for e in said if e.window and e.for_room]
    location = [e.window for e in said if e.window and not e.for_room]
    return own or location or world.weekly.get(day.isoweekday(), [])


def model(world: World) -> set[datetime]:
    """Every start, found by stepping through every window of every day."""
    zone = ZoneInfo(world.zone)
    starts = set()
    for offset in range(-1, world.days + 1):
        day = world.first + timedelta(offset)
        for window in windows_of(world, day):
            wall = datetime.combine(day, window.opens)
            closes = datetime.combine(day, window.closes)
            if closes <= wall:
                closes += timedelta(1)
            while wall < closes:
                found = instants(zone, wall)
                if (
                    found
                    and world.first <= wall.date() <= world.last
                    and found[-1] + timedelta(minutes=world.duration) <= closing(zone, closes)
                ):
                    starts.add(found[-1])
                wall += timedelta(minutes=window.interval or world.duration + world.turnaround)
    return starts


times = st.builds(time, hour=st.integers(0, 23), minute=st.sampled_from([0, 15, 30, 45]))
windows = st.builds(Window, times, times, st.sampled_from([None, 20, 30, 60, 90]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    centre = draw(st.sampled_from(DATES))
    dates = st.integers(-2, 2).map(lambda n: centre + timedelta(n))
    return World(
        zone=draw(st.sampled_from(ZONES)),
        weekly=draw(
            st.dictionaries(
                st.integers(1, 7), st.lists(windows, max_size=3, unique_by=lambda w: w.opens)
            )
        ),
        exceptions=draw(
            st.lists(
                st.builds(OtherHours, st.booleans(), dates, st.none() | windows),
                max_size=4,
                unique_by=lambda e: (e.for_room, e.day, e.window and e.window.opens),
            )
        ),
        duration=draw(st.sampled_from([30, 60, 75])),
        turnaround=draw(st.sampled_from([0, 15, 30])),
        first=draw(dates),
        days=draw(st.integers(0, 3)),
    )


def arrange(shop: Shop, world: World) -> str:
    """The same world, as a venue would enter it."""
    shop.venue.owner.change(
        "update public.locations set timezone = %s where id = %s", world.zone, shop.location_id
    )
    room = shop.add_room(duration_minutes=world.duration, turnaround_minutes=world.turnaround)
    for weekday, day_windows in world.weekly.items():
        for window in day_windows:
            shop.insert("schedules", room_id=room, weekday=weekday, **hours(window))
    for said in world.exceptions:
        scope = {"room_id": room} if said.for_room else {"location_id": shop.location_id}
        what = hours(said.window) if said.window else {"is_closed": True}
        shop.insert("schedule_exceptions", date=said.day, **scope, **what)
    return room


def hours(window: Window) -> dict[str, object]:
    return {
        "opens_at": window.opens,
        "closes_at": window.closes,
        "slot_interval_minutes": window.interval,
    }


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_the_database_offers_the_same_slots_as_the_model(house: House, world: World) -> None:
    with house.connection.transaction(force_rollback=True):
        shop = open_shop(house, "Model")
        rows = shop.slots(arrange(shop, world), world.first, world.last)

    offered = [row["starts_at"].astimezone(UTC) for row in rows]
    assert offered == sorted(set(offered))
    assert set(offered) == model(world)
