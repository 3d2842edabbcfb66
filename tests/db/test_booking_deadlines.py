"""No booking stays for ever in a state that is not final."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from db.booking_world import PRICE, Row, Shop, open_shop
from db.changes_world import book, copy_tenant, promised, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def pending(shop: Shop, room: str) -> Row:
    return book(shop, room, shop.at(30, "11:30"))


def sweep(shop: Shop) -> Row:
    swept: Row = shop.house.service.call("service.sweep")
    return swept


def status_of(shop: Shop, booking: Row) -> str:
    return str(
        shop.house.one("select status from public.bookings where id = %s", shop.id_of(booking))
    )


def end_ago(shop: Shop, booking: Row, ago: timedelta) -> None:
    """Let its game have ended so long ago."""
    ends = datetime.fromisoformat(shop.look(booking)["ends_at"])
    shop.move_in_time(booking, shop.house.one("select now()") - ago - ends)


class TestAsData:
    def test_every_state_with_a_way_on_has_a_deadline_and_no_other(self, house: House) -> None:
        # What comes back to life by money alone (expired, cancelled), or by an undo, is over.
        on = house.owner_sql(
            "select distinct from_status as status from private.booking_transitions"
            " where permission is not null and not undoes order by 1"
        )
        due = house.owner_sql("select status from private.booking_deadlines order by 1")
        assert on == due
        assert {row["status"] for row in on} == {
            "held",
            "pending",
            "confirmed",
            "checked_in",
            "in_progress",
        }

    def test_every_deadline_leads_to_an_end(self, house: House) -> None:
        ends = house.owner_sql(
            "select d.to_status from private.booking_deadlines as d where exists (select"
            " from private.booking_deadlines as e where e.status = d.to_status)"
        )
        assert ends == []

    def test_seats_are_kept_until_a_time_while_held_or_pending_and_only_then(
        self, shop: Shop, pending: Row
    ) -> None:
        for status in ("held", "pending"):
            with pytest.raises(Exception, match="bookings_hold_expires_until_confirmed"):
                shop.house.owner_sql(
                    "insert into public.bookings (organization_id, reference, session_id, room_id,"
                    " starts_at, customer_id, status, party_size, seats, currency, total_cents,"
                    " tax_cents, due_now_cents, locale)"
                    " select organization_id, 'AAAA-0000', session_id, room_id, starts_at,"
                    " customer_id, %s, 1, 1, 'EUR', 0, 0, 0, 'es' from public.bookings"
                    " where organization_id = %s",
                    status,
                    shop.id,
                )
        shop.move(pending, "confirmed")
        assert shop.look(pending)["hold_expires_at"] is None


class TestPending:
    def test_it_waits_for_three_days(self, shop: Shop, pending: Row) -> None:
        waits: datetime = datetime.fromisoformat(pending["hold_expires_at"])
        assert waits - shop.house.one("select now()") == timedelta(hours=72)

    def test_but_not_beyond_its_game(self, shop: Shop, room: str) -> None:
        soon = book(shop, room, shop.at(1, "11:30"))
        assert soon["hold_expires_at"] == soon["ends_at"]

    def test_a_hold_that_staff_make_pending_does_too(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, shop.at(30, "10:00"))
        moved = shop.move(held, "pending")
        waits = datetime.fromisoformat(moved["hold_expires_at"])
        assert waits - shop.house.one("select now()") == timedelta(hours=72)

    def test_and_one_that_takes_its_place_again(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, shop.at(30, "10:00"))
        shop.lapse(held)
        sweep(shop)
        shop.house.owner_sql("select private.reclaim_booking(%s, %s)", shop.id, shop.id_of(held))
        seen = shop.look(held)
        assert seen["status"] == "pending"
        waits = datetime.fromisoformat(seen["hold_expires_at"])
        assert waits - shop.house.one("select now()") == timedelta(hours=72)

    def test_past_its_deadline_it_is_in_nobody_s_way(
        self, shop: Shop, room: str, pending: Row
    ) -> None:
        start = shop.at(30, "11:30")
        assert "11:30" not in shop.times(room, 30)
        shop.lapse(pending)
        assert shop.look(pending)["status"] == "expired"
        assert "11:30" in shop.times(room, 30)
        assert shop.hold(room, start)
        entry = shop.history(pending)[-1]
        assert (entry["from_status"], entry["to_status"], entry["reason"]) == (
            "pending",
            "expired",
            "payment_overdue",
        )
        assert entry["actor_kind"] == "customer"

    def test_nor_in_the_way_of_seats(self, shop: Shop) -> None:
        shared = shop.add_room(mode="shared", minimum_party=1, maximum_party=4)
        shop.open_on(shared, "12:00", "13:00")
        start = shop.at(30, "12:00")
        shop.hold(shared, start, party_size=2)
        lapsed = book(shop, shared, start, party_size=2)
        shop.lapse(lapsed)
        assert [s["seats_available"] for s in shop.available(30, 30, room_id=shared)] == [2]
        shop.hold(shared, start, party_size=2)
        assert status_of(shop, lapsed) == "expired"

    def test_the_sweep_expires_it(self, shop: Shop, pending: Row) -> None:
        assert sweep(shop)["expired_holds"] == 0
        shop.lapse(pending)
        assert sweep(shop)["expired_holds"] == 1
        entry = shop.history(pending)[-1]
        assert (entry["to_status"], entry["reason"]) == ("expired", "payment_overdue")
        assert entry["actor_kind"] == "system"
        assert [s["status"] for s in shop.sessions()] == ["cancelled"]

    def test_what_it_had_paid_goes_back(self, shop: Shop, pending: Row) -> None:
        take(shop, pending, PRICE)
        shop.lapse(pending)
        sweep(shop)
        assert promised(shop, pending) == [("hold_expired", PRICE)]

    def test_its_customer_cannot_cancel_what_is_over(self, shop: Shop, pending: Row) -> None:
        assert shop.look(pending)["cancellable"] is True
        shop.lapse(pending)
        with refused(409, "not_cancellable"):
            shop.cancel(pending)

    def test_confirmed_in_time_it_stays(self, shop: Shop, pending: Row) -> None:
        shop.move(pending, "confirmed")
        sweep(shop)
        assert status_of(shop, pending) == "confirmed"


class TestVisitsWhoseEndNobodyWroteDown:
    @pytest.mark.parametrize(
        ("path", "hours"),
        [
            (["confirmed"], 24),
            (["confirmed", "checked_in"], 4),
            (["confirmed", "checked_in", "in_progress"], 4),
        ],
        ids=["confirmed", "checked_in", "in_progress"],
    )
    def test_are_completed_some_hours_after_the_game(
        self, shop: Shop, pending: Row, path: list[str], hours: int
    ) -> None:
        for status in path:
            shop.move(pending, status)
        end_ago(shop, pending, timedelta(hours=hours) - timedelta(microseconds=1))
        assert sweep(shop)["ended_visits"] == 0
        shop.move_in_time(pending, timedelta(microseconds=-1))
        assert sweep(shop)["ended_visits"] == 1
        assert status_of(shop, pending) == "completed"
        entry = shop.history(pending)[-1]
        assert (entry["actor_kind"], entry["reason"]) == ("system", "nobody_said_otherwise")
        assert [s["seats_taken"] for s in shop.sessions()] == [2]

    def test_it_takes_a_limited_number_at_a_time_oldest_first(self, shop: Shop, room: str) -> None:
        bookings = [book(shop, room, shop.at(day)) for day in (3, 4, 5)]
        for age, booking in enumerate(bookings, 2):
            shop.move(booking, "confirmed")
            end_ago(shop, booking, timedelta(days=age))
        assert shop.house.one("select private.end_past_visits(2)") == 2
        assert [status_of(shop, b) for b in bookings] == ["confirmed", "completed", "completed"]

    def test_what_is_over_stays_as_it_was(self, shop: Shop, pending: Row) -> None:
        shop.move(pending, "confirmed")
        shop.move(pending, "no_show")
        end_ago(shop, pending, timedelta(days=9))
        assert sweep(shop)["ended_visits"] == 0
        assert status_of(shop, pending) == "no_show"

    def test_a_venue_with_the_same_ids_is_left_alone(
        self, shop: Shop, pending: Row, house: House
    ) -> None:
        twin = open_shop(house, "Twin")
        shop.move(pending, "confirmed")
        copy_tenant(shop, twin, ("customers", "sessions", "bookings"))
        end_ago(shop, pending, timedelta(days=2))
        house.owner_sql(
            "update public.sessions set starts_at = now() + interval '1 day',"
            " ends_at = now() + interval '2 days', occupied_until = now() + interval '2 days'"
            " where organization_id = %s",
            twin.id,
        )
        assert sweep(shop)["ended_visits"] == 1
        left = house.one("select status from public.bookings where organization_id = %s", twin.id)
        assert left == "confirmed"


class TestOneThatCannotBeEnded:
    """It is warned of, and all others get their end."""

    @pytest.fixture
    def stuck(self, shop: Shop, room: str, house: House) -> Row:
        stuck = book(shop, room, shop.at(3))
        house.owner_sql(
            "create function public.break_one() returns trigger language plpgsql as"
            " $$ begin raise exception 'broken'; end $$"
        )
        house.owner_sql(
            "create trigger break_one before update of status on public.bookings for each row"
            f" when (old.id = '{shop.id_of(stuck)}') execute function public.break_one()"
        )
        return stuck

    def test_the_holds_beside_it_expire(self, shop: Shop, room: str, stuck: Row) -> None:
        others = [book(shop, room, shop.at(days)) for days in (4, 5)]
        for held in (stuck, *others):
            shop.lapse(held)
        assert sweep(shop)["expired_holds"] == 2
        assert [status_of(shop, held) for held in others] == ["expired", "expired"]
        assert status_of(shop, stuck) == "pending"

    def test_the_visits_beside_it_are_completed(self, shop: Shop, room: str, stuck: Row) -> None:
        other = book(shop, room, shop.at(4))
        shop.move(other, "confirmed")
        shop.house.owner_sql("alter table public.bookings disable trigger break_one;")
        shop.move(stuck, "confirmed")
        shop.house.owner_sql("alter table public.bookings enable trigger break_one")
        for booking in (stuck, other):
            shop.move_in_time(booking, timedelta(days=-7))
        assert sweep(shop)["ended_visits"] == 1
        assert (status_of(shop, stuck), status_of(shop, other)) == ("confirmed", "completed")


class TestNoShow:
    def move(self, shop: Shop, booking: Row) -> None:
        shop.move(booking, "confirmed")
        shop.move(booking, "no_show", reason="Nobody came")

    @pytest.mark.parametrize(
        ("percent", "paid", "back"),
        [
            (100, TOTAL, []),
            (0, TOTAL, [("no_show", TOTAL)]),
            (50, TOTAL, [("no_show", TOTAL // 2)]),
            (50, PRICE, []),
            (50, PRICE + 1, [("no_show", 1)]),
            (33, TOTAL, [("no_show", TOTAL - 1_650)]),
            (50, 0, []),
        ],
    )
    def test_the_venue_keeps_its_fee_and_gives_back_the_rest(
        self,
        shop: Shop,
        room: str,
        percent: int,
        paid: int,
        back: list[tuple[str, int]],
    ) -> None:
        shop.set_room(room, no_show_fee_percent=percent)
        pending = book(shop, room, shop.at(3))
        if paid:
            take(shop, pending, paid)
        if status_of(shop, pending) == "pending":
            shop.move(pending, "confirmed")
        shop.move(pending, "no_show", reason="Nobody came")
        assert promised(shop, pending) == back
        assert shop.history(pending)[-1]["reason"] == "Nobody came"

    def test_a_share_of_a_cent_is_rounded_half_up(self, shop: Shop, room: str) -> None:
        shop.set_room(room, no_show_fee_percent=50)
        booked = book(shop, room, shop.at(3), price_cents=1_001, override_reason="x")
        take(shop, booked, 1_001)
        shop.move(booked, "no_show")
        assert promised(shop, booked) == [("no_show", 500)]

    def test_nothing_goes_back_when_nothing_is_due(self, shop: Shop, pending: Row) -> None:
        self.move(shop, pending)
        assert promised(shop, pending) == []

    def test_the_fee_is_that_of_the_venue_s_own_room(
        self, shop: Shop, pending: Row, house: House
    ) -> None:
        twin = open_shop(house, "Twin")
        copy_tenant(shop, twin, ())
        house.owner_sql(
            "update public.rooms set no_show_fee_percent = 0 where organization_id = %s", twin.id
        )
        take(shop, pending, TOTAL)
        shop.move(pending, "no_show")
        assert promised(shop, pending) == []


class TestPgCron:
    def test_without_it_nothing_is_scheduled(self, house: House) -> None:
        assert house.one("select private.schedule_sweep()") is False

    def test_with_it_the_sweep_runs_every_minute(self, house: House) -> None:
        house.owner_sql("create schema cron")
        house.owner_sql("create table cron.job (name text unique, schedule text, command text)")
        house.owner_sql(
            "create function cron.schedule(name text, schedule text, command text) returns bigint"
            " language sql as $$ insert into cron.job values (name, schedule, command)"
            " on conflict (name) do nothing returning 1::bigint $$"
        )
        for _ in range(2):
            assert house.one("select private.schedule_sweep()") is True
        job, telling = house.owner_sql("select * from cron.job order by name")
        assert (job["name"], job["schedule"]) == ("escapemaster-sweep", "* * * * *")
        swept = house.one(f"select to_jsonb(run.swept) from ({job['command']}) as run (swept)")
        assert set(swept) >= {"expired_holds", "ended_visits"}
        assert (telling["name"], telling["schedule"]) == (
            "escapemaster-sweep-notices",
            "* * * * *",
        )
        told = house.one(f"select to_jsonb(run.told) from ({telling['command']}) as run (told)")
        assert set(told) >= {"told", "digests", "boards"}
