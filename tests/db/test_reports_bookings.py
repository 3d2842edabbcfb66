"""Reports of bookings, games and occupancy against slow models of them."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from statistics import mean, median
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Refused
from db.booking_world import Row, Shop, open_shop
from db.test_availability_model import SEATS, Session, World, arrange, occupy, starts_of, worlds
from matrix.house import House

#: A zone a location: what is one day in one is another in the other.
ZONES = ("Europe/Madrid", "Pacific/Auckland")
#: The night on which Madrid's clock jumps.
NIGHT = date(2027, 3, 28)
STATUSES = (
    *("held", "pending", "confirmed", "checked_in", "in_progress", "completed"),
    *("no_show", "expired", "cancelled", "cancelled"),
)
STANDS = {"pending", "confirmed", "checked_in", "in_progress", "completed", "no_show"}
CAME = {"checked_in", "in_progress", "completed"}
SOURCES = ("widget", "direct", "marketplace", "api")
LEADS = ((0, 0), (1, 1), (2, 3), (4, 7), (8, 14), (15, 30), (31, 60), (61, None))
_numbers = count(1)


@dataclass(frozen=True)
class Visit:
    """A booking, with what became of its game."""

    room: int
    hours: int
    status: str
    has_lapsed: bool
    party: int
    customer: int
    source: str
    lead_minutes: int
    outcome: str | None
    seconds: int
    hints: int
    staff: int

    @property
    def starts_at(self) -> datetime:
        midnight = datetime.combine(NIGHT, time(), tzinfo=ZoneInfo("Europe/Madrid"))
        return midnight.astimezone(UTC) + timedelta(hours=self.hours)

    @property
    def now_is(self) -> str:
        return "expired" if self.has_lapsed and self.status in ("held", "pending") else self.status

    def date(self) -> date:
        return self.starts_at.astimezone(ZoneInfo(ZONES[self.room % 2])).date()


visits = st.builds(
    Visit,
    room=st.integers(0, 3),
    # Games of an hour and a half do not overlap.
    hours=st.integers(-40, 40).map(lambda n: 2 * n),
    status=st.sampled_from(STATUSES),
    has_lapsed=st.booleans(),
    party=st.integers(1, SEATS),
    customer=st.integers(0, 5),
    source=st.sampled_from(SOURCES),
    lead_minutes=st.integers(-60, 100_000),
    outcome=st.sampled_from([None, "escaped", "escaped", "failed", "aborted"]),
    seconds=st.integers(1, 3_600),
    hints=st.integers(0, 9),
    staff=st.integers(0, 2),
)


@pytest.fixture
def shop(house: House) -> Shop:
    """Opened once for all examples, each of which puts back what it changes."""
    return open_shop(house, "Reports")


def as_it_was(shop: Shop, statement: str, *values: object) -> list[Row]:
    """Written as it would stand by now, without what its history would have asked for."""
    shop.house.connection.execute("set local session_replication_role = replica")
    try:
        return shop.house.owner_sql(statement, *values)
    finally:
        shop.house.connection.execute("set local session_replication_role = origin")


def write_booking(shop: Shop, session: Any, customer: Any, **values: Any) -> Any:
    """A booking of a session, as rows."""
    [row] = as_it_was(
        shop,
        "insert into public.bookings (organization_id, reference, session_id, room_id, starts_at,"
        " customer_id, status, party_size, seats, currency, total_cents, tax_cents, due_now_cents,"
        " locale, source, created_at, hold_expires_at)"
        " select s.organization_id, %s, s.id, s.room_id, s.starts_at, %s, %s, %s, %s, 'EUR', 0, 0,"
        " 0, 'es', %s, s.starts_at - make_interval(mins => %s), %s"
        " from public.sessions as s where s.organization_id = %s and s.id = %s returning id",
        f"0000-{next(_numbers):04d}",
        customer,
        values["status"],
        values["party"],
        values["party"],
        values.get("source", "widget"),
        values.get("lead_minutes", 0),
        values.get("hold_expires_at"),
        shop.id,
        session,
    )
    return row["id"]


def write_customer(shop: Shop) -> Any:
    [row] = as_it_was(
        shop,
        "insert into public.customers (organization_id, email, full_name, locale)"
        " values (%s, %s, 'Ada', 'es') returning id",
        shop.id,
        f"{uuid.uuid4()}@example.com",
    )
    return row["id"]


def write(shop: Shop, rooms: list[str], found: list[Visit]) -> None:
    now = shop.house.one("select now()")
    customers = [write_customer(shop) for _ in range(6)]
    people = [uuid.uuid4(), uuid.uuid4()]
    for visit in found:
        [session] = as_it_was(
            shop,
            "insert into public.sessions (organization_id, room_id, starts_at, ends_at,"
            " occupied_until, mode, capacity, seats_taken, status)"
            " select %s, %s, t.at, t.at + '60 min', t.at + '90 min', 'private', 6,"
            " case when %s then 1 else 0 end, case when %s then 'scheduled' else 'cancelled' end"
            " from (select %s::timestamptz as at) as t returning id",
            shop.id,
            rooms[visit.room],
            visit.status not in ("expired", "cancelled"),
            visit.status not in ("expired", "cancelled"),
            visit.starts_at,
        )
        open_ended = visit.status in ("held", "pending")
        booking = write_booking(
            shop,
            session["id"],
            customers[visit.customer],
            status=visit.status,
            party=visit.party,
            source=visit.source,
            lead_minutes=visit.lead_minutes,
            hold_expires_at=now + timedelta(hours=0 if visit.has_lapsed else 1)
            if open_ended
            else None,
        )
        if visit.outcome and visit.status == "completed":
            as_it_was(
                shop,
                "insert into public.game_results (organization_id, booking_id, session_id,"
                " room_id, played_at, duration_seconds, outcome, escape_seconds, hints)"
                " values (%s, %s, %s, %s, %s, 3600, %s, %s, %s)",
                shop.id,
                booking,
                session["id"],
                rooms[visit.room],
                visit.starts_at,
                visit.outcome,
                visit.seconds if visit.outcome == "escaped" else None,
                visit.hints,
            )
        for person in people[: visit.staff]:
            as_it_was(
                shop,
                "insert into public.session_staff (organization_id, session_id, user_id, during,"
                " source) select organization_id, id, %s, during, 'assigned'"
                " from public.sessions where id = %s",
                person,
                session["id"],
            )


def share(part: int, whole: int) -> int | None:
    """In basis points, half away from zero."""
    return (part * 20_000 + whole) // (2 * whole) if whole else None


def half_up(value: float) -> int:
    return int(value + 0.5)


def booking_sums(found: list[Visit], everything: list[Visit]) -> Row:
    stand = [v for v in found if v.now_is in STANDS]
    cancelled = sum(v.now_is == "cancelled" for v in found)
    no_shows = sum(v.now_is == "no_show" for v in found)
    customers = {v.customer for v in stand}
    first = {
        customer: min(
            v.starts_at for v in everything if v.now_is in STANDS and v.customer == customer
        )
        for customer in customers
    }
    new = sum(any(v.customer == c and v.starts_at == first[c] for v in stand) for c in customers)
    return {
        "bookings": len(stand),
        "players": sum(v.party for v in stand),
        "cancelled": cancelled,
        "no_shows": no_shows,
        "cancelled_bp": share(cancelled, cancelled + len(stand)),
        "no_show_bp": share(no_shows, len(stand)),
        "lead_minutes": half_up(median(max(v.lead_minutes, 0) for v in stand)) if stand else None,
        "customers": len(customers),
        "new_customers": new,
        "returning_customers": len(customers) - new,
    }


def game_sums(found: list[Visit]) -> Row:
    results = [v for v in found if v.status == "completed" and v.outcome]
    ways = Counter(v.outcome for v in results)
    seconds = [v.seconds for v in results if v.outcome == "escaped"]
    games = [v for v in found if v.status in CAME]
    staff = sum(90 * v.staff for v in games)
    return {
        "results": len(results),
        "escaped": ways["escaped"],
        "failed": ways["failed"],
        "aborted": ways["aborted"],
        "escaped_bp": share(ways["escaped"], ways["escaped"] + ways["failed"]),
        "average_escape_seconds": half_up(mean(seconds)) if seconds else None,
        "median_escape_seconds": half_up(median(seconds)) if seconds else None,
        "hints": sum(v.hints for v in results),
        "games": len(games),
        "staff_minutes": staff,
        "staff_minutes_per_game": half_up(staff / len(games)) if games else None,
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    found=st.lists(visits, max_size=14, unique_by=lambda v: v.hours),
    first=st.integers(-3, 2),
    days=st.integers(1, 4),
    wanted=st.sampled_from(["all", "location", "room"]),
)
def test_bookings_and_games_are_counted_as_by_the_model(
    house: House, shop: Shop, found: list[Visit], first: int, days: int, wanted: str
) -> None:
    from_date = NIGHT + timedelta(first)
    to_date = from_date + timedelta(days - 1)
    with house.connection.transaction(force_rollback=True):
        away = shop.insert("locations", name="Away", timezone=ZONES[1])["id"]
        away = str(away)
        places = (shop.location_id, away)
        rooms = [shop.add_room(location_id=places[n % 2]) for n in range(4)]
        write(shop, rooms, found)
        asked = {
            "organization_id": shop.id,
            "from_date": from_date,
            "to_date": to_date,
            **{
                "all": {},
                "location": {"location_id": away},
                "room": {"room_id": rooms[2]},
            }[wanted],
        }
        bookings = shop.venue.owner.call("get_bookings_report", **asked)
        games = shop.venue.owner.call("get_games_report", **asked)

    numbers = {"all": {0, 1, 2, 3}, "location": {1, 3}, "room": {2}}[wanted]

    def on(start: date, end: date, rooms_of: set[int] = numbers) -> list[Visit]:
        return [v for v in found if v.room in rooms_of and start <= v.date() <= end]

    now, before = on(from_date, to_date), on(from_date - timedelta(days), from_date - timedelta(1))
    assert bookings["total"] == booking_sums(now, found)
    assert bookings["previous"] == booking_sums(before, found)
    assert {s["status"]: s["bookings"] for s in bookings["statuses"]} == Counter(
        v.now_is for v in now
    )
    stand = [v for v in now if v.now_is in STANDS]
    assert {p["party_size"]: p["bookings"] for p in bookings["party_sizes"]} == Counter(
        v.party for v in stand
    )
    assert [(x["from_days"], x["to_days"], x["bookings"]) for x in bookings["lead_times"]] == [
        (
            least,
            most,
            sum(
                least <= max(v.lead_minutes, 0) // 1440 <= (10**9 if most is None else most)
                for v in stand
            ),
        )
        for least, most in LEADS
    ]
    for row in bookings["channels"]:
        assert row["sums"] == booking_sums([v for v in now if v.source == row["channel"]], found)
    assert games["total"] == game_sums(now)
    assert games["previous"] == game_sums(before)
    for report, sums in ((bookings, lambda some: booking_sums(some, found)), (games, game_sums)):
        of_rooms = {row["room_id"]: row for row in report["rooms"]}
        assert set(of_rooms) == {rooms[n] for n in numbers} or wanted == "all"
        for n in numbers:
            assert of_rooms[rooms[n]]["sums"] == sums([v for v in now if v.room == n])
            assert of_rooms[rooms[n]]["previous"] == sums([v for v in before if v.room == n])
        for row in report["locations"]:
            place = places.index(row["location_id"])
            assert row["sums"] == sums([v for v in now if v.room % 2 == place])


def most_games(starts: list[datetime], length: timedelta) -> int:
    """The most that can be played one after the other, by trying each start in or out."""
    best = [0] * (len(starts) + 1)
    for n in range(len(starts) - 1, -1, -1):
        after = next((m for m in range(n, len(starts)) if starts[m] >= starts[n] + length), None)
        best[n] = max(best[n + 1], 1 + (best[after] if after is not None else 0))
    return best[0]


def is_blocked(session: Session) -> bool:
    return session.seats == 0


def occupancy(
    world: World, sessions: dict[int, list[Session]]
) -> tuple[Counter[str], Counter[Any]]:
    """Sums of a world's days, and games that were sold by weekday and hour."""
    sums: Counter[str] = Counter()
    hours: Counter[Any] = Counter()
    for number, room in enumerate(world.rooms):
        length = timedelta(minutes=room.duration + room.turnaround)
        starts = [
            start
            for start in starts_of(world, number)
            if not any(
                s.starts < start + length and start < s.occupied
                for s in sessions[number]
                if is_blocked(s)
            )
        ]
        games = most_games(starts, length)
        sums["offered_games"] += games
        sums["offered_minutes"] += games * room.duration
        for session in sessions[number]:
            local = session.starts.astimezone(world.clock)
            if is_blocked(session) or not world.first <= local.date() <= world.last:
                continue
            inside = session.starts in starts
            sums["sold_games" if inside else "outside_games"] += 1
            part = session.seats * 1_000_000 // SEATS if session.shared else 1_000_000
            sums["sold" if inside else "outside"] += room.duration * part
            if inside:
                hours[local.isoweekday(), local.hour] += 1
    return sums, hours


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(world=worlds())
def test_occupancy_is_what_was_sold_of_the_most_that_the_hours_offer(
    house: House, shop: Shop, world: World
) -> None:
    with house.connection.transaction(force_rollback=True):
        before = {row["id"] for row in shop.house.owner_sql("select id from public.rooms")}
        ids = arrange(shop, world)
        sessions = occupy(shop, world, ids)
        customer = write_customer(shop)
        for session in shop.sessions():
            if session["mode"] != "block":
                write_booking(
                    shop,
                    session["id"],
                    customer,
                    status="confirmed",
                    party=session["seats_taken"],
                )
        found = shop.venue.owner.call(
            "get_occupancy_report",
            organization_id=shop.id,
            location_id=shop.location_id,
            from_date=world.first,
            to_date=world.last,
        )
    assert len(found["rooms"]) == len(ids) + len(before & {r["room_id"] for r in found["rooms"]})
    length = world.days + 1
    earlier = replace(world, first=world.first - timedelta(length))
    for name, some in (("total", world), ("previous", earlier)):
        sums, hours = occupancy(some, sessions)
        shown = found[name]
        for figure in ("offered_games", "offered_minutes", "sold_games", "outside_games"):
            assert shown[figure] == sums[figure], figure
        assert abs(shown["sold_minutes"] - sums["sold"] / 1_000_000) <= 0.51
        assert abs(shown["outside_minutes"] - sums["outside"] / 1_000_000) <= 0.51
        if sums["offered_minutes"]:
            share_sold = sums["sold"] / 100 / sums["offered_minutes"]
            assert abs(shown["occupancy_bp"] - share_sold) <= 0.51
            assert shown["occupancy_bp"] <= 10_000
        else:
            assert shown["occupancy_bp"] is None
    sums, hours = occupancy(world, sessions)
    cells = {(c["weekday"], c["hour"]): c["sums"] for c in found["hours"]}
    assert {cell: s["sold_games"] for cell, s in cells.items() if s["sold_games"]} == hours
    for parts in (list(cells.values()), [room["sums"] for room in found["rooms"]]):
        assert sum(part["offered_games"] for part in parts) == sums["offered_games"]
        assert sum(part["outside_games"] for part in parts) == sums["outside_games"]


def test_lost_demand_stands_where_it_was_wanted(house: House, shop: Shop) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    day = shop.today + timedelta(8)
    lapsed = shop.hold(room, shop.at(8, "13:00"))
    again = shop.hold(room, shop.at(8, "16:00"))
    for held in (lapsed, again):
        shop.lapse(held)
    # The same customer has the place after all.
    shop.book(room, shop.at(8, "16:00"))
    as_it_was(
        shop,
        "update public.bookings set status = 'confirmed', hold_expires_at = null"
        " where organization_id = %s and hold_expires_at > now() returning id",
        shop.id,
    )
    for wanted, status in ((shop.at(8, "18:00"), "lapsed"), (None, "waiting"), (None, "booked")):
        as_it_was(
            shop,
            "insert into public.waitlist_entries (organization_id, calendar_id, room_id, from_date,"
            " to_date, starts_at, waits_until, party_size, customer_id, contact_name, locale,"
            " status, booking_id, offered_at)"
            " values (%s, %s, %s, %s, %s, %s, now(), 2, gen_random_uuid(), 'Ada', 'es', %s,"
            " case when %s then gen_random_uuid() end, case when %s then now() end)",
            shop.id,
            shop.calendar_id,
            room if wanted else None,
            day,
            day + timedelta(2),
            wanted,
            status,
            status == "booked",
            status == "booked",
        )
    found = shop.venue.owner.call(
        "get_occupancy_report", organization_id=shop.id, from_date=day, to_date=day, room_id=room
    )
    assert found["total"] == {
        "offered_games": 8,
        "sold_games": 1,
        "offered_minutes": 480,
        "sold_minutes": 60,
        "occupancy_bp": 1_250,
        "outside_games": 0,
        "outside_minutes": 0,
        "waitlisted": 2,
        "lapsed_holds": 1,
    }
    assert [room["sums"]["waitlisted"] for room in found["rooms"]] == [1], "who waits for any"
    lost = {c["hour"]: (c["sums"]["waitlisted"], c["sums"]["lapsed_holds"]) for c in found["hours"]}
    assert {hour: cell for hour, cell in lost.items() if any(cell)} == {13: (0, 1), 18: (1, 0)}


def test_more_starts_than_can_be_expanded_are_refused(house: House, shop: Shop) -> None:
    for _ in range(2):
        shop.open_on(shop.add_room(), "00:00", "00:00", slot_interval_minutes=5)
    asked = {"organization_id": shop.id, "from_date": date(2027, 1, 1)}
    with pytest.raises(Refused) as refusal:
        shop.venue.owner.call("get_occupancy_report", **asked, to_date=date(2027, 4, 2))
    assert refusal.value.code == "too_many_slots"
    with pytest.raises(Refused) as refusal:
        shop.venue.owner.call("get_occupancy_report", **asked, to_date=date(2027, 4, 3))
    assert refusal.value.code == "date_range_too_long"
    assert shop.venue.owner.call("get_occupancy_report", **asked, to_date=date(2027, 1, 31))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("period", ["today", "week", "month", "quarter", "year"])
def test_a_period_has_the_venue_s_today_in_it(
    house: House, shop: Shop, zone: str, period: str
) -> None:
    house.owner_sql(
        "update public.locations set timezone = %s where id = %s", zone, shop.location_id
    )
    now = house.one("select now()")
    assert isinstance(now, datetime)
    today = now.astimezone(ZoneInfo(zone)).date()
    found = shop.venue.owner.call(
        "get_bookings_report", organization_id=shop.id, period=period, location_id=shop.location_id
    )

    def first_of(day: date) -> date:
        return {
            "today": day,
            "week": day - timedelta(day.weekday()),
            "month": day.replace(day=1),
            "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
            "year": day.replace(month=1, day=1),
        }[period]

    first = first_of(today)
    after = next(
        first + timedelta(n) for n in range(1, 400) if first_of(first + timedelta(n)) != first
    )
    assert [found[name] for name in ("from_date", "to_date")] == [
        first.isoformat(),
        (after - timedelta(1)).isoformat(),
    ]
    assert found["previous_from_date"] == first_of(first - timedelta(1)).isoformat()
    assert found["previous_to_date"] == (first - timedelta(1)).isoformat()
