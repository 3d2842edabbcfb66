"""What a venue defines is bounded, and a list is never cut in silence."""

from __future__ import annotations

import threading
import tomllib
from datetime import time as clock
from datetime import timedelta
from itertools import product
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from client import Connection
from db.booking_world import Shop, open_shop
from escapemaster_dev.schema.project import PROJECT
from matrix.databases import Databases
from matrix.house import House
from matrix.promises import refused

#: Tables of which a tenant's members insert rows, without a bound of their own, and why.
UNBOUNDED = {
    "customers": "no visitor's question lists them",
    "customer_tags": "no visitor's question lists them",
    "email_template_overrides": "one a template and language, by its key",
    "extra_rooms": "one a room and extra, both bounded, by its key",
    "message_rule_rooms": "one a rule and room, both bounded, by its key",
    "notice_rule_addresses": "one a rule and address, both bounded, by its key",
    "notice_rule_rooms": "one a rule and room, both bounded, by its key",
    "price_tiers": "100 a room, by its key and check",
    "room_cancellation_tiers": "read one room at a time; 8,785 a room, by its key and check",
    "staff_shifts": "no visitor's question lists them",
    "staff_skills": "no visitor's question lists them",
}

#: Functions that return rows, and why PostgREST cuts none of their answers.
ROWS_BOUNDED_BY = {
    "public.booking_emails": "200",
    "public.end_left_open": "1000, by private.left_open",
    "public.get_availability": "private.most_slots()",
    "public.get_availability_days": "92",
    "public.get_changes": "max_rows, 1000 at most",
    "public.get_currencies": "the currencies that there are",
    "public.get_pending_refunds": "500",
    "public.get_revenue_report": "the currencies of the organization's money",
    "public.ledger_balances": "the accounts that there are, of each currency",
    "public.list_left_open": "1000",
    "public.list_payments": "max_rows, 200 at most",
    "public.list_webhook_deliveries": "100",
    "public.list_notifications": "max_rows, 100 at most",
    "public.my_bookings": "max_rows, 500 at most",
    "public.platform_list_organizations": "max_rows, 200 at most",
    "public.voucher_emails": "200",
    "public.remove_member": "1000, by private.left_open",
    "service.claim_jobs": "max_jobs, 100 at most",
    "service.list_dead_jobs": "max_jobs, 1000 at most",
    "service.measures": "five for each kind of job that there is",
    "service.read_organization": "max_rows, 10000 at most",
    "service.read_table_export": "max_rows, 5000 at most",
}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


class TestBounds:
    def test_every_table_that_a_tenant_fills_is_bounded(self, house: House) -> None:
        tables = house.owner_sql(
            "select c.relname as name, exists (select from pg_trigger as t"
            "   where t.tgrelid = c.oid and t.tgfoid = 'private.bound_rows'::regproc) as bounded"
            " from pg_class as c"
            " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
            " and has_any_column_privilege('authenticated', c.oid, 'insert')"
        )
        assert {t["name"] for t in tables if not t["bounded"]} == set(UNBOUNDED), (
            "bound it by private.bound_rows, or say in UNBOUNDED why not"
        )

    def test_a_day_of_a_room_has_at_most_24_windows(self, shop: Shop) -> None:
        room = shop.add_room()
        for hour in range(24):
            shop.open_on(room, f"{hour:02}:00", f"{hour:02}:50", 1)
        with refused(422, "too_many_rows") as caught:
            shop.open_on(room, "23:30", "23:50", 1)
        assert caught.value.details == {
            "table": "schedules",
            "maximum": 24,
            "per": ["organization_id", "room_id", "weekday"],
        }
        # Another day, another room and another venue have their own.
        shop.open_on(room, "23:30", "23:50", 2)
        shop.open_on(shop.add_room(), "23:30", "23:50", 1)
        with refused(422, "too_many_rows"):
            shop.venue.owner.change(
                "update public.schedules set weekday = 1 where room_id = %s and weekday = 2", room
            )

    def test_one_statement_cannot_bring_more(self, shop: Shop) -> None:
        room = shop.add_room()
        with refused(422, "too_many_rows"):
            shop.venue.owner.change(
                "insert into public.schedules (room_id, weekday, opens_at, closes_at)"
                " select %s, 1, time '10:00' + n * interval '1 second', '23:00'"
                " from generate_series(1, 2520) as n",
                room,
            )

    def test_a_date_has_at_most_24_windows(self, shop: Shop) -> None:
        room = shop.add_room()
        for hour in range(24):
            shop.insert(
                "schedule_exceptions",
                room_id=room,
                date=shop.today,
                opens_at=clock(hour),
                closes_at=clock(hour, 50),
            )
        with refused(422, "too_many_rows"):
            shop.insert(
                "schedule_exceptions",
                room_id=room,
                date=shop.today,
                opens_at=clock(1, 30),
                closes_at=clock(1, 50),
            )
        # What the location says has its own.
        shop.insert(
            "schedule_exceptions", location_id=shop.location_id, date=shop.today, is_closed=True
        )

    def test_a_calendar_sells_at_most_50_rooms_and_asks_at_most_40_things(self, shop: Shop) -> None:
        for _ in range(50):
            shop.add_room()
        with refused(422, "too_many_rows"):
            shop.add_room()
        field: dict[str, Any] = {"calendar_id": shop.calendar_id, "label": Jsonb({"es": "¿?"})}
        for number in range(40):
            shop.insert("calendar_fields", key=f"field_{number}", **field)
        with refused(422, "too_many_rows"):
            shop.insert("calendar_fields", key="one_more", **field)

    def test_rules_of_all_rooms_and_of_a_room_are_bounded_apart(self, shop: Shop) -> None:
        room = shop.add_room()
        rule = {"name": "Rule", "kind": "percent", "value": 1}
        for _ in range(100):
            shop.insert("price_rules", **rule)
            shop.insert("price_rules", room_id=room, **rule)
        for one_more in ({}, {"room_id": room}):
            with refused(422, "too_many_rows"):
                shop.insert("price_rules", **one_more, **rule)

    def test_a_bound_counts_what_its_writer_may_not_read(self, house: House, shop: Shop) -> None:
        room = shop.add_room()
        shop.venue.make_role("Planner", ["schedules:manage", "rooms:read"])
        role = house.one(
            "select id from public.roles where organization_id = %s and name = 'Planner'", shop.id
        )
        planner = shop.venue.hire("planner", str(role))
        for hour in range(24):
            shop.open_on(room, f"{hour:02}:00", f"{hour:02}:50", 1)
        with refused(422, "too_many_rows"):
            planner.change(
                "insert into public.schedules (room_id, weekday, opens_at, closes_at)"
                " values (%s, 1, '23:30', '23:50')",
                room,
            )

    def test_two_at_once_cannot_exceed_it_together(self, databases: Databases) -> None:
        insert = (
            "insert into public.calendars (organization_id, slug, name)"
            " select id, 'c-' || %s || '-' || n, 'Calendar' from public.organizations,"
            " generate_series(1, %s) as n"
        )
        with (
            databases.copy_of(databases.schema()) as dsn,
            psycopg.connect(dsn) as one,
            psycopg.connect(dsn) as other,
        ):
            owner = House(one).sign_up("ana")
            House(one).open_venue("Venue", owner)
            one.commit()
            one.execute(insert, ("one", 60))
            refusals: list[psycopg.Error] = []

            def try_it() -> None:
                try:
                    other.execute(insert, ("other", 60))
                except psycopg.Error as error:
                    refusals.append(error)

            thread = threading.Thread(target=try_it)
            thread.start()
            _wait_until_blocked(one, other)
            one.commit()
            thread.join()
            assert [each.diag.message_primary for each in refusals] == ["too_many_rows"]

    def test_blocks_to_come_are_bounded(self, house: House, shop: Shop) -> None:
        room = shop.add_room()
        house.owner_sql(
            "insert into public.sessions (organization_id, room_id, starts_at, ends_at,"
            " occupied_until, mode, capacity, seats_taken)"
            " select %s, %s, t, t + interval '1 minute', t + interval '1 minute', 'block', 0, 0"
            " from generate_series(now() + interval '1 day',"
            " now() + interval '1 day' + interval '9998 minutes', interval '2 minutes') as t",
            shop.id,
            room,
        )
        with refused(422, "too_many_blocks"):
            shop.venue.owner.call(
                "block_room",
                organization_id=shop.id,
                room_id=room,
                starts_at=shop.at(90),
                ends_at=shop.at(91),
            )


def _wait_until_blocked(looker: Connection, waiting: Connection) -> None:
    for _ in range(2000):
        (blocked,) = looker.execute(
            "select cardinality(pg_blocking_pids(%s)) > 0", (waiting.info.backend_pid,)
        ).fetchone() or (False,)
        if blocked:
            return
    pytest.fail("the other did not come to wait")


class TestLists:
    def test_62_days_of_6_rooms_with_a_start_each_quarter_of_an_hour_are_all_answered(
        self, shop: Shop
    ) -> None:
        for _ in range(6):
            shop.open_on(shop.add_room(), "10:00", "21:00", slot_interval_minutes=15)
        offered = shop.available(1, 62)
        assert len(offered) == 62 * 6 * 41 > 10_000
        assert offered[-1]["local_date"] == shop.today + timedelta(62)

    def test_what_cannot_be_answered_whole_is_refused_and_says_how_much_can(
        self, shop: Shop
    ) -> None:
        # Late in the evening, a notice of an hour would take tomorrow's first starts away.
        shop.set_calendar(minimum_notice_minutes=0)
        for _ in range(8):
            shop.open_on(shop.add_room(), "00:00", "00:00", slot_interval_minutes=5)
        a_day = 8 * 277
        with refused(422, "too_many_slots") as caught:
            shop.available(1, 10)
        assert caught.value.details == {"maximum": 20_000, "days": 9}
        assert len(shop.available(1, 9)) == 9 * a_day
        # One that would be refused after much work is refused before it.
        with refused(422, "too_many_slots") as caught:
            shop.available(1, 60)
        days = caught.value.details["days"]
        assert 1 <= days <= 9
        assert len(shop.available(1, days)) == days * a_day

    def test_what_a_question_costs_is_known_before_it_is_answered(self, shop: Shop) -> None:
        """Never less than what there is, and hardly more."""
        shop.set_calendar(maximum_advance_days=30, minimum_notice_minutes=0)
        widely, seldom, fixed = shop.add_room(), shop.add_room(), shop.add_room()
        shop.open_on(widely, "10:00", "02:00", slot_interval_minutes=5)
        shop.open_on(seldom, "18:00", "20:00", 6, 7)
        shop.open_on(fixed, "10:00", "22:00", start_times=[clock(10), clock(15), clock(20)])
        shop.insert(
            "schedule_exceptions",
            room_id=seldom,
            date=shop.today + timedelta(3),
            opens_at=clock(9),
            closes_at=clock(21),
        )
        for first, last in product((-3, 0, 2, 9), (9, 12, 40, 80)):
            counted = shop.house.one(
                "select private.count_starts(%s, %s::uuid[], %s, %s, 30, %s)",
                shop.id,
                [widely, seldom, fixed],
                shop.today + timedelta(first),
                shop.today + timedelta(last),
                shop.calendar_id,
            )
            # Today's past and the day beyond the advance are counted, and are not offered.
            offered = len(shop.available(first, last, include_taken=True))
            assert offered <= counted <= offered + 4 * 200, (first, last)

    def test_postgrest_cuts_no_answer_of_availability(self, house: House) -> None:
        config = tomllib.loads((PROJECT.root / "supabase" / "config.toml").read_text())
        assert house.one("select private.most_slots()") <= config["api"]["max_rows"]

    def test_every_function_that_returns_rows_is_bounded_below_the_cut(self, house: House) -> None:
        found = house.owner_sql(
            "select p.pronamespace::regnamespace || '.' || p.proname as name from pg_proc as p"
            " where p.proretset and p.pronamespace in"
            " ('public'::regnamespace, 'service'::regnamespace)"
        )
        assert {each["name"] for each in found} == set(ROWS_BOUNDED_BY)

    def test_of_many_mails_of_a_booking_the_newest_are_listed(
        self, house: House, shop: Shop
    ) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "21:00")
        booking = shop.id_of(shop.hold(room, shop.at(3, "11:30")))
        house.owner_sql(
            "insert into private.jobs (organization_id, kind, payload, dedupe_key)"
            " select %s, 'email.send', jsonb_build_object("
            "'template', 'booking_confirmed', 'booking_id', %s::text), 'many/' || n"
            " from generate_series(1, 201) as n",
            shop.id,
            booking,
        )
        newest = house.one(
            "select array_agg(private.mail_id('many/' || n)::text order by n desc)"
            " from generate_series(2, 201) as n"
        )
        listed = shop.venue.owner.select(
            "select id from public.booking_emails(%s, %s)", shop.id, booking
        )
        assert [str(mail["id"]) for mail in listed] == newest

    def test_of_very_many_things_left_open_the_rest_comes_when_some_are_revoked(
        self, house: House, shop: Shop
    ) -> None:
        house.owner_sql(
            "insert into public.calendar_feeds (organization_id, name)"
            " select %s, 'Feed ' || n from generate_series(1, 1001) as n",
            shop.id,
        )

        def listed() -> set[str]:
            rows = shop.venue.owner.select("select name from public.list_left_open(%s)", shop.id)
            return {row["name"] for row in rows}

        first = listed()
        assert len(first) == 1000
        house.owner_sql(
            "update public.calendar_feeds set revoked_at = now() where name = any (%s)",
            list(first),
        )
        assert len(listed()) == 1

    def test_a_page_of_an_export_is_never_longer_than_the_cut(self, house: House) -> None:
        body = house.one(
            "select prosrc from pg_proc where oid = 'private.read_organization'::regproc"
        )
        assert "least(greatest(read_organization.max_rows, 1), 10000)" in body


class TestTheClock:
    def test_a_calendar_tells_the_server_s_clock(self, house: House, shop: Shop) -> None:
        assert shop.visitor.call("get_calendar", slug=shop.slug)["now"] == house.one(
            "select to_jsonb(now())"
        )


def test_blocked_dates_are_read_once_however_many_there_are(house: House, shop: Shop) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "12:00")
    blocked = (2, 4, 5)
    for day in blocked:
        shop.insert(
            "calendar_blocked_dates",
            calendar_id=shop.calendar_id,
            from_date=shop.today + timedelta(day),
            to_date=shop.today + timedelta(day),
        )
    offered = {row["local_date"] - shop.today for row in shop.available(1, 6)}
    assert offered == {timedelta(day) for day in range(1, 7) if day not in blocked}
