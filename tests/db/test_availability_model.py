"""The expansion of opening hours against an independent, slow and obvious model of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.booking_world import Row, Shop, change, insert_all, open_shop
from db.coming_days import clock_change, coming_day
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
    clock_change("America/New_York", 3),
    clock_change("Europe/Madrid", 3),
    clock_change("Australia/Lord_Howe", 4),
    coming_day(6, 16),
    clock_change("Australia/Lord_Howe", 10),
    clock_change("Europe/Madrid", 10),
    clock_change("America/New_York", 11),
)

SEATS = 6
STEPS = {"none": timedelta(0), "daily": timedelta(1), "weekly": timedelta(7)}


@dataclass(frozen=True)
class Window:
    """Starts by an interval, or the named ones, so many minutes after opening."""

    opens: time
    closes: time
    interval: int | None
    fixed: tuple[int, ...] = ()

    @property
    def minutes(self) -> int:
        """How long it is open on the clock."""
        opens, closes = (datetime.combine(date.min, t) for t in (self.opens, self.closes))
        return int((closes - opens).total_seconds()) // 60 % 1440 or 1440

    @property
    def starts(self) -> tuple[int, ...]:
        """The fixed starts that lie in the window, in minutes after opening."""
        return tuple(sorted({minute % self.minutes for minute in self.fixed}))


@dataclass(frozen=True)
class OtherHours:
    """What holds on a date, for a room or for the location; closed without a window."""

    room: int | None
    day: date
    window: Window | None


@dataclass(frozen=True)
class Block:
    """A room's, or with None the location's."""

    room: int | None
    starts: datetime
    minutes: int
    repeats: str
    until: date


@dataclass(frozen=True)
class Taken:
    """A session at one of the room's starts, or a little beside it."""

    room: int
    which: int
    beside: int
    seats: int


@dataclass(frozen=True)
class Room:
    shared: bool
    weekly: dict[int, list[Window]]
    duration: int
    turnaround: int
    #: Its own limits in the calendar; days of advance are counted from the first wanted date.
    notice: int | None
    advance: int | None


@dataclass(frozen=True)
class Group:
    """Rooms that do not start within so many minutes of each other."""

    rooms: frozenset[int]
    minutes: int


@dataclass(frozen=True)
class World:
    zone: str
    rooms: list[Room]
    exceptions: list[OtherHours]
    blocks: list[Block]
    taken: list[Taken]
    groups: list[Group]
    blocked_dates: list[tuple[date, int]]
    #: The calendar's limits, both counted from the first wanted date.
    notice: int | None
    advance: int | None
    party: int | None
    first: date
    days: int

    @property
    def last(self) -> date:
        return self.first + timedelta(self.days)

    @property
    def clock(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


@dataclass(frozen=True)
class Session:
    starts: datetime
    ends: datetime
    occupied: datetime
    shared: bool
    seats: int


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


def reached(zone: ZoneInfo, wall: datetime) -> datetime:
    """When the clock comes to show that, minute by minute; in a fold the second time."""
    if found := instants(zone, wall):
        return found[-1]
    minute = wall.replace(tzinfo=zone, fold=0).astimezone(UTC) - timedelta(hours=3)
    while minute.astimezone(zone).replace(tzinfo=None) < wall:
        minute += timedelta(minutes=1)
    return minute


def windows_of(world: World, room: int, day: date) -> list[Window]:
    """Closed wins over other hours, the room's over its location's, any over weekly ones."""
    said = [e for e in world.exceptions if e.day == day and e.room in (room, None)]
    if any(e.window is None for e in said):
        return []
    own = [e.window for e in said if e.window and e.room is not None]
    location = [e.window for e in said if e.window and e.room is None]
    return own or location or world.rooms[room].weekly.get(day.isoweekday(), [])


def walls(window: Window, room: Room, day: date) -> Iterator[datetime]:
    """What the clock shows at the starts of a window."""
    opens = datetime.combine(day, window.opens)
    if window.starts:
        yield from (opens + timedelta(minutes=minute) for minute in window.starts)
        return
    minute = 0
    while minute < window.minutes:
        yield opens + timedelta(minutes=minute)
        minute += window.interval or room.duration + room.turnaround


def starts_of(world: World, number: int) -> list[datetime]:
    """Every start on the wanted dates, found by stepping through every window of every day."""
    room, zone = world.rooms[number], world.clock
    starts = set()
    for offset in range(-1, world.days + 1):
        day = world.first + timedelta(offset)
        for window in windows_of(world, number, day):
            closes = datetime.combine(day, window.opens) + timedelta(minutes=window.minutes)
            for wall in walls(window, room, day):
                found = instants(zone, wall)
                if (
                    found
                    and world.first <= wall.date() <= world.last
                    and found[-1] + timedelta(minutes=room.duration) <= closing(zone, closes)
                ):
                    starts.add(found[-1])
    return sorted(starts)


def times_of(block: Block, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The first is what was asked for, the others have its place on the clock."""
    ends = block.starts + timedelta(minutes=block.minutes)
    yield block.starts, ends
    wall_starts, wall_ends = (t.astimezone(zone).replace(tzinfo=None) for t in (block.starts, ends))
    step = STEPS[block.repeats]
    while step and (wall_starts + step).date() <= block.until:
        wall_starts, wall_ends = wall_starts + step, wall_ends + step
        starts, stops = reached(zone, wall_starts), reached(zone, wall_ends)
        if starts < stops:
            yield starts, stops


def is_free(sessions: list[Session], starts: datetime, ends: datetime) -> bool:
    return all(ends <= s.starts or s.occupied <= starts for s in sessions)


def is_apart(
    world: World, sessions: dict[int, list[Session]], number: int, start: datetime
) -> bool:
    """Whether no other room that shares the room's starts has one too close to it."""
    return all(
        abs(s.starts - start) >= timedelta(minutes=group.minutes)
        for group in world.groups
        if number in group.rooms
        for other in group.rooms - {number}
        for s in sessions[other]
        if s.seats
    )


def sells(world: World, room: Room, start: datetime, now: datetime) -> bool:
    """Whether the calendar sells a start of the room now."""
    local = start.astimezone(world.clock).date()
    if any(first <= local <= first + timedelta(n) for first, n in world.blocked_dates):
        return False
    notice = notice_of(world, now) if room.notice is None else room.notice
    advance = room.advance if room.advance is not None else world.advance
    if notice is not None and start < now + timedelta(minutes=notice):
        return False
    return advance is None or local <= world.first + timedelta(advance)


def notice_of(world: World, now: datetime) -> int | None:
    """The calendar's notice, in minutes from now."""
    if world.notice is None:
        return None
    first = datetime.combine(world.first, time(), tzinfo=UTC)
    return int((first - now).total_seconds()) // 60 + world.notice


Slots = dict[tuple[int, datetime], tuple[datetime, datetime, int]]


def model(world: World, sessions: dict[int, list[Session]], now: datetime) -> Slots:
    """Every slot: when it ends, until when it takes the room, and the seats that are left."""
    slots: Slots = {}
    for number, room in enumerate(world.rooms):
        if world.party is not None and not 2 <= world.party <= SEATS:
            continue
        for start in starts_of(world, number):
            if not sells(world, room, start, now):
                continue
            ends = start + timedelta(minutes=room.duration)
            occupied = ends + timedelta(minutes=room.turnaround)
            joined = [s for s in sessions[number] if room.shared and s.shared and s.starts == start]
            if joined:
                (same,) = joined
                slots[number, start] = (same.ends, same.occupied, SEATS - same.seats)
            else:
                free = is_free(sessions[number], start, occupied)
                free = free and is_apart(world, sessions, number, start)
                slots[number, start] = (ends, occupied, SEATS if free else 0)
    return slots


times = st.builds(time, hour=st.integers(0, 23), minute=st.sampled_from([0, 15, 30, 45]))
windows = st.builds(
    Window,
    times,
    times,
    st.sampled_from([None, 20, 30, 60, 90]),
    st.just(())
    | st.lists(st.integers(0, 288).map(lambda n: n * 5), min_size=1, max_size=5).map(tuple),
)
weekly = st.dictionaries(
    st.integers(1, 7), st.lists(windows, max_size=3, unique_by=lambda w: w.opens)
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    centre = draw(st.sampled_from(DATES))
    dates = st.integers(-2, 2).map(lambda n: centre + timedelta(n))
    zone = draw(st.sampled_from(ZONES))
    hours = draw(weekly)
    rooms = draw(
        st.lists(
            st.builds(
                Room,
                shared=st.booleans(),
                # Rooms that open alike, and one that does not.
                weekly=st.just(hours) | weekly,
                duration=st.sampled_from([30, 60, 75]),
                turnaround=st.sampled_from([0, 15, 30]),
                notice=st.sampled_from([None, None, 0]),
                advance=st.sampled_from([None, None, 0, 1]),
            ),
            min_size=1,
            max_size=3,
        )
    )
    scopes = st.none() | st.integers(0, len(rooms) - 1)
    instant = st.builds(
        lambda day, clock: datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(UTC),
        dates.map(lambda day: day - timedelta(1)),
        times,
    )
    return World(
        zone=zone,
        rooms=rooms,
        exceptions=draw(
            st.lists(
                st.builds(OtherHours, scopes, dates, st.none() | windows),
                max_size=4,
                unique_by=lambda e: (e.room, e.day, e.window and e.window.opens),
            )
        ),
        blocks=draw(
            st.lists(
                st.builds(
                    Block,
                    scopes,
                    instant,
                    st.sampled_from([15, 60, 240, 1440]),
                    st.sampled_from(["none", "daily", "daily", "weekly"]),
                    st.integers(3, 8).map(lambda n: centre + timedelta(n)),
                ),
                max_size=2,
            )
        ),
        taken=draw(
            st.lists(
                st.builds(
                    Taken,
                    st.integers(0, len(rooms) - 1),
                    st.integers(0, 30),
                    st.sampled_from([0, 0, 0, -20, 15]),
                    st.integers(1, SEATS),
                ),
                max_size=6,
            )
        ),
        groups=draw(
            st.lists(
                st.builds(
                    Group,
                    st.frozensets(st.integers(0, len(rooms) - 1), min_size=1),
                    st.sampled_from([5, 20, 45, 240]),
                ),
                max_size=2,
            )
        ),
        blocked_dates=draw(st.lists(st.tuples(dates, st.integers(0, 1)), max_size=1)),
        notice=draw(st.sampled_from([None, None, -3000, 200, 1000])),
        advance=draw(st.sampled_from([None, None, 0, 2])),
        party=draw(st.sampled_from([None, 2, 6, 7])),
        first=draw(dates),
        days=draw(st.integers(0, 3)),
    )


def hours(window: Window) -> Row:
    """A window in the columns of those tables that hold one."""
    opens = datetime.combine(date(2000, 1, 1), window.opens)
    fixed = [(opens + timedelta(minutes=minute)).time() for minute in window.starts]
    return {
        "opens_at": window.opens,
        "closes_at": window.closes,
        "slot_interval_minutes": None if fixed else window.interval,
        "start_times": fixed or None,
    }


def limits(world: World, room: Room, today: date) -> dict[str, int]:
    """A room's own limits in the calendar, in its columns."""
    own: dict[str, int] = {}
    if room.notice is not None:
        own["minimum_notice_minutes"] = room.notice
    if room.advance is not None:
        own["maximum_advance_days"] = (world.first - today).days + room.advance
    return own


def arrange(shop: Shop, world: World) -> list[str]:
    """The same world, as a venue would enter it; the ids of its rooms."""
    shop.venue.owner.change(
        "update public.locations set timezone = %s where id = %s", world.zone, shop.location_id
    )
    ids = [
        shop.add_room(
            mode="shared" if room.shared else "private",
            maximum_party=SEATS,
            duration_minutes=room.duration,
            turnaround_minutes=room.turnaround,
        )
        for room in world.rooms
    ]
    schedules = [
        {"room_id": room_id, "weekday": weekday, **hours(window)}
        for room_id, room in zip(ids, world.rooms, strict=True)
        for weekday, day_windows in room.weekly.items()
        for window in day_windows
    ]
    if schedules:
        insert_all(shop.venue.owner, "schedules", schedules)
    for said in world.exceptions:
        place = (
            {"location_id": shop.location_id} if said.room is None else {"room_id": ids[said.room]}
        )
        if said.window:
            shop.insert("schedule_exceptions", date=said.day, **hours(said.window), **place)
        else:
            shop.insert("schedule_exceptions", date=said.day, is_closed=True, **place)
    for name, group in enumerate(world.groups):
        made = shop.insert("start_groups", name=f"Group {name}", minutes=group.minutes)
        for number in group.rooms:
            shop.insert("start_group_rooms", group_id=made["id"], room_id=ids[number])
    for first, more in world.blocked_dates:
        shop.insert(
            "calendar_blocked_dates",
            calendar_id=shop.calendar_id,
            from_date=first,
            to_date=first + timedelta(more),
        )
    return ids


def occupy(shop: Shop, world: World, ids: list[str]) -> dict[int, list[Session]]:
    """Block and book what does not overlap; what there is afterwards."""
    sessions: dict[int, list[Session]] = {number: [] for number in range(len(ids))}
    for block in world.blocks:
        times = list(times_of(block, world.clock))
        numbers = range(len(ids)) if block.room is None else [block.room]
        # A day with an hour less may be too short for what is asked.
        if any(before[1] > after[0] for before, after in pairwise(times)):
            continue
        if not all(is_free(sessions[n], *occurrence) for n in numbers for occurrence in times):
            continue
        shop.venue.owner.call(
            "block_room",
            organization_id=shop.id,
            room_id=None if block.room is None else ids[block.room],
            scope="room" if block.room is not None else "location",
            location_id=shop.location_id if block.room is None else None,
            starts_at=block.starts,
            ends_at=block.starts + timedelta(minutes=block.minutes),
            repeats=block.repeats,
            until=None if block.repeats == "none" else block.until,
        )
        for number in numbers:
            sessions[number] += [Session(s, e, e, False, 0) for s, e in times]
    for taken in world.taken:
        room, starts = world.rooms[taken.room], starts_of(world, taken.room)
        if not starts:
            continue
        start = starts[taken.which % len(starts)] + timedelta(minutes=taken.beside)
        ends = start + timedelta(minutes=room.duration)
        occupied = ends + timedelta(minutes=room.turnaround)
        if is_free(sessions[taken.room], start, occupied) and is_apart(
            world, sessions, taken.room, start
        ):
            sessions[taken.room].append(Session(start, ends, occupied, room.shared, taken.seats))
            # As booked once, whatever notice and hours were then.
            shop.house.owner_sql(
                "insert into public.sessions (organization_id, room_id, starts_at, ends_at,"
                " occupied_until, mode, capacity, seats_taken)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                shop.id,
                ids[taken.room],
                start,
                ends,
                occupied,
                "shared" if room.shared else "private",
                SEATS,
                taken.seats,
            )
    return sessions


def offered(shop: Shop, world: World, ids: list[str], now: datetime, today: date) -> list[Row]:
    for number, room in enumerate(world.rooms):
        if own := limits(world, room, today):
            change(shop.venue.owner, "calendar_rooms", own, room_id=ids[number])
    return shop.house.owner_sql(
        "select * from private.slots(%s, %s::uuid[], %s, %s, %s, %s, %s, %s)",
        shop.id,
        ids,
        world.first,
        world.last,
        world.party,
        notice_of(world, now),
        None if world.advance is None else (world.first - today).days + world.advance,
        shop.calendar_id,
    )


@pytest.fixture
def shop(house: House) -> Shop:
    """Opened once for all examples, each of which puts back what it changes."""
    return open_shop(house, "Model")


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_the_database_offers_the_same_slots_as_the_model(
    house: House, shop: Shop, world: World
) -> None:
    with house.connection.transaction(force_rollback=True):
        now = house.one("select now()").astimezone(UTC)
        today = now.astimezone(world.clock).date()
        ids = arrange(shop, world)
        sessions = occupy(shop, world, ids)
        rows = offered(shop, world, ids, now, today)

    found = {
        (ids.index(str(row["room_id"])), row["starts_at"].astimezone(UTC)): (
            row["ends_at"].astimezone(UTC),
            row["occupied_until"].astimezone(UTC),
            row["seats_available"],
        )
        for row in rows
    }
    assert len(found) == len(rows)
    order = [(row["starts_at"], row["room_id"]) for row in rows]
    assert order == sorted(order)
    assert found == model(world, sessions, now)


DISAGREEMENTS = """
with given as materialized (
  select
    %s::uuid as shop, %s::uuid[] as rooms, %s::date as first, %s::date as last, %s::int as party,
    %s::uuid as calendar
),
offered as materialized (
  select s.*
  from given as g
  cross join lateral private.slots(
    g.shop, g.rooms, g.first, g.last, g.party, null, null, g.calendar
  ) as s
),
asked as (
  select
    r as room, l.timezone, near.starts_at, coalesce(g.party, r.minimum_party) as party_size,
    g.calendar
  from given as g
  join public.rooms as r on r.organization_id = g.shop and r.id = any (g.rooms)
  join public.locations as l on l.organization_id = r.organization_id and l.id = r.location_id
  cross join lateral (
    -- Each start of any room, and what is around it: between windows, across midnight, in a fold.
    select distinct o.starts_at + make_interval(mins => minutes) as starts_at
    from offered as o
    cross join unnest(array[-1440, -60, -30, -5, 0, 5, 30, 60, 1440]) as minutes
  ) as near
  where (near.starts_at at time zone l.timezone)::date between g.first and g.last
    and coalesce(g.party, r.minimum_party) between r.minimum_party and r.maximum_party
)
select *
from (
  select
    asked.starts_at,
    case when o.room_id is not null then to_jsonb(o) end as expanded,
    case when one.room_id is not null then to_jsonb(one) end as one
  from asked
  cross join lateral private.slot_at(
    asked.room, asked.timezone, asked.starts_at, asked.party_size, asked.calendar
  ) as one
  left join offered as o on o.room_id = (asked.room).id and o.starts_at = asked.starts_at
) as answer
where answer.expanded is distinct from answer.one
"""


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_one_start_is_offered_when_the_expansion_of_its_day_has_it(
    house: House, shop: Shop, world: World
) -> None:
    with house.connection.transaction(force_rollback=True):
        ids = arrange(shop, world)
        occupy(shop, world, ids)
        differ = house.owner_sql(
            DISAGREEMENTS,
            shop.id,
            ids,
            world.first,
            world.last,
            world.party,
            shop.calendar_id,
        )
    assert differ == []
