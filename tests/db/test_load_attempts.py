"""What is asked is counted, whatever becomes of it."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from secrets import randbits
from uuid import uuid4

import psycopg
import pytest

from client import Client, Refused
from db.booking_world import Shop, open_shop
from matrix.databases import Databases
from matrix.house import House
from matrix.promises import refused
from stack import PATIENCE

LIMIT = 5

#: Until 2065, so that no test runs into the end of a window.
RULE = (
    f"update private.rate_limit_rules set max_hits = {LIMIT}, window_seconds = 1500000000"
    " where action = 'attempt'"
)
#: No rollback takes a count back, so the tests before have left theirs.
FORGET = (
    "select count(setval(c.oid::regclass, 1)) from pg_class as c"
    " where c.relnamespace = 'private'::regnamespace and c.relname like 'attempts\\_%'"
)


def somewhere() -> str:
    """An address from which nobody has asked yet."""
    return str(ipaddress.IPv6Address((0x20010DB8 << 96) + (randbits(32) << 64) + randbits(64)))


@pytest.fixture
def limited(house: House) -> House:
    house.owner_sql(FORGET.replace("%", "%%"))
    house.owner_sql(RULE)
    return house


@pytest.fixture
def shop(limited: House) -> Shop:
    return open_shop(limited, "Venue")


class TestRefusedQuestions:
    @pytest.mark.parametrize(
        ("function", "arguments", "refusal"),
        [
            ("get_calendar", {"slug": "no-such"}, (404, "calendar_not_found")),
            ("get_booking", {"reference": "x", "manage_token": "x"}, (404, "booking_not_found")),
            ("cancel_booking", {"reference": "x", "manage_token": "x"}, (404, "booking_not_found")),
            ("leave_waitlist", {"token": "x"}, (404, "waitlist_entry_not_found")),
            ("get_waiver", {"token": "x"}, (404, "waiver_not_found")),
            ("get_waiver_kiosk", {"token": "x"}, (404, "kiosk_not_found")),
            ("get_calendar_feed", {"token": "x"}, (404, "feed_not_found")),
        ],
    )
    def test_a_refused_question_stays_counted(
        self,
        limited: House,
        function: str,
        arguments: dict[str, str],
        refusal: tuple[int, str],
    ) -> None:
        visitor = limited.nobody.sending(x_forwarded_for=somewhere())
        for _ in range(LIMIT):
            with refused(*refusal):
                visitor.call(function, **arguments)
        with refused(429, "rate_limited") as caught:
            visitor.call(function, **arguments)
        assert 1 <= int(caught.value.headers["Retry-After"]) <= 1_500_000_000

    def test_a_refused_quote_and_a_refused_hold_stay_counted(
        self, house: House, shop: Shop
    ) -> None:
        visitor = house.nobody.sending(x_forwarded_for=somewhere())
        asked = {"slug": shop.slug, "room_id": uuid4(), "starts_at": shop.at(1), "party_size": 2}
        held = {"customer": {}, "expected_total_cents": 0, "idempotency_key": "k"}
        for _ in range(LIMIT):
            with refused(404, "room_not_found"):
                visitor.call("quote_booking", **asked)
        with refused(429, "rate_limited"):
            visitor.call("quote_booking", **asked)
        with refused(429, "rate_limited"):
            visitor.call("hold_booking", **asked, **held)

    def test_being_signed_in_changes_nothing(self, limited: House) -> None:
        player = limited.sign_up("player").sending(x_forwarded_for=somewhere())
        for _ in range(LIMIT):
            with refused(404, "calendar_not_found"):
                player.call("get_calendar", slug="no-such")
        with refused(429, "rate_limited"):
            player.call("get_calendar", slug="no-such")

    def test_who_guesses_a_feed_takes_nothing_from_its_subscribers(
        self, limited: House, shop: Shop
    ) -> None:
        """All of them come by the address of the edge function."""
        create = {"organization_id": shop.id, "name": "Reception"}
        token = shop.venue.owner.call("create_calendar_feed", **create)["token"]
        everybody = limited.nobody.sending(x_forwarded_for=somewhere())
        for _ in range(LIMIT):
            with refused(404, "feed_not_found"):
                everybody.call("get_calendar_feed", token="x")
        with refused(429, "rate_limited"):
            everybody.call("get_calendar_feed", token="x")
        assert everybody.call("get_calendar_feed", token=token)["name"] == "Reception"

    def test_a_large_body_counts_by_its_size_before_it_is_read(self, limited: House) -> None:
        check = "select private.check_request()"
        visitor = limited.nobody.sending(x_forwarded_for=somewhere(), content_length="80001")
        visitor.select(check)
        with refused(429, "rate_limited"):
            visitor.select(check)
        for few in ("4000", "0"):
            visitor.sending(content_length=few).select(check)
        member = limited.sign_up("ana")
        for _ in range(LIMIT + 1):
            member.sending(x_forwarded_for=somewhere(), content_length="900000").select(check)

    @pytest.mark.parametrize(
        ("headers", "refusal"),
        [
            ({"content_length": "262145"}, (413, "body_too_large")),
            ({"content_length": "9" * 40}, (413, "body_too_large")),
            ({"content_length": "-5000"}, (413, "body_too_large")),
            ({"transfer_encoding": "Chunked"}, (411, "length_required")),
        ],
    )
    def test_what_is_too_large_is_refused_before_it_is_read(
        self, house: House, headers: dict[str, str], refusal: tuple[int, str]
    ) -> None:
        with refused(*refusal):
            house.nobody.sending(**headers).select("select private.check_request()")

    def test_who_is_signed_in_may_send_more(self, house: House) -> None:
        member = house.sign_up("ana")
        member.sending(content_length="1048576").select("select private.check_request()")
        with refused(413, "body_too_large") as caught:
            member.sending(content_length="1048577").select("select private.check_request()")
        assert caught.value.details == {"maximum_bytes": 1_048_576}
        house.service.sending(content_length="20000000").select("select private.check_request()")

    def test_the_service_asks_for_many_from_its_one_address(self, limited: House) -> None:
        service = limited.service.sending(x_forwarded_for=somewhere())
        for _ in range(2 * LIMIT):
            with refused(404, "booking_not_found"):
                service.select("select service.open_checkout('x', 'x')")


def test_dear_questions_count_several_times(house: House, shop: Shop) -> None:
    room = shop.add_room()
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=5)
    visitor = house.nobody.sending(x_forwarded_for=somewhere())
    ask = (
        "select count(*) from public.get_availability("
        "slug => %s, from_date => %s, to_date => %s, party_size => 2)"
    )
    month = (shop.slug, shop.today, shop.today + timedelta(60))  # 16,897 starts
    visitor.select(ask, *month)
    with refused(429, "rate_limited"):
        visitor.select(ask, *month)


class TestAddresses:
    def test_a_network_of_one_customer_is_one_address(self, limited: House) -> None:
        network = ipaddress.IPv6Network((somewhere(), 64), strict=False)
        for number in range(LIMIT):
            with refused(404, "calendar_not_found"):
                limited.nobody.sending(x_forwarded_for=str(network[number + 1])).call(
                    "get_calendar", slug="no-such"
                )
        with refused(429, "rate_limited"):
            limited.nobody.sending(x_forwarded_for=str(network[99])).call(
                "get_calendar", slug="no-such"
            )

    @pytest.mark.parametrize(
        ("address", "counted_as"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("unknown", "unknown"),
        ],
    )
    def test_what_an_address_stands_for(self, house: House, address: str, counted_as: str) -> None:
        assert house.one("select private.address_block(%s)", address) == counted_as

    def test_unpaid_holds_of_one_customers_network_are_counted_together(
        self, house: House, shop: Shop
    ) -> None:
        shop.set_calendar(holds_per_address=2)
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        network = ipaddress.IPv6Network((somewhere(), 64), strict=False)
        for number, clock in enumerate(("10:00", "11:30")):
            by = house.nobody.sending(x_forwarded_for=str(network[number + 1]))
            shop.hold(room, shop.at(1, clock), by=by)
        with refused(429, "too_many_holds"):
            by = house.nobody.sending(x_forwarded_for=str(network[9]))
            shop.hold(room, shop.at(1, "13:00"), by=by)

    def test_a_key_finds_out_no_coupon_s_code_by_trying(self, limited: House, shop: Shop) -> None:
        """Who may read the codes types as many as need be."""
        tries = 3
        limited.owner_sql(RULE.replace(f"max_hits = {LIMIT}", f"max_hits = {50 * tries}"))
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        booking = shop.hold(room, shop.at(1, "10:00"))
        key, _ = shop.venue.make_key(["bookings:read", "bookings:update"])

        def guess(by: Client, status: int, code: str) -> None:
            with refused(status, code):
                by.call(
                    "quote_change",
                    organization_id=shop.id,
                    booking_id=shop.id_of(booking),
                    coupon_code="GUESS",
                )

        key, owner = (by.sending(x_forwarded_for=somewhere()) for by in (key, shop.venue.owner))
        for _ in range(tries):
            guess(key, 422, "coupon_not_found")
        guess(key, 429, "rate_limited")
        for _ in range(tries + 1):
            guess(owner, 422, "coupon_not_found")


@pytest.fixture
def counting(databases: Databases) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A database of one's own, where transactions are committed, as its owner."""
    with (
        databases.copy_of(databases.schema()) as admin_dsn,
        psycopg.connect(admin_dsn, autocommit=True) as connection,
    ):
        connection.execute("set role postgres")
        connection.execute(RULE.encode())
        yield connection


def attempt(
    connection: psycopg.Connection[tuple[object, ...]], address: str, then: str = ""
) -> None:
    """One question from an address, and what becomes of it."""
    with connection.transaction():
        connection.execute(
            "select set_config('request.headers', %s, true)",
            (json.dumps({"x-forwarded-for": address}),),
        )
        connection.execute("select private.count_attempt()")
        if then:
            connection.execute(then.encode())


def attempt_often(
    connection: psycopg.Connection[tuple[object, ...]], address: str, times: int
) -> None:
    for _ in range(times):
        attempt(connection, address)


class TestTheSketch:
    def test_a_time_out_does_not_forget_the_count(
        self, counting: psycopg.Connection[tuple[object, ...]]
    ) -> None:
        address = somewhere()
        for _ in range(LIMIT):
            with pytest.raises(psycopg.errors.QueryCanceled):
                attempt(counting, address, "set local statement_timeout = 1; select pg_sleep(9)")
        with pytest.raises(psycopg.Error, match="rate_limited"):
            attempt(counting, address)

    def test_the_count_ends_with_its_window(
        self, counting: psycopg.Connection[tuple[object, ...]]
    ) -> None:
        address = somewhere()
        counting.execute(
            "update private.rate_limit_rules set window_seconds = 1 where action = 'attempt'"
        )
        with pytest.raises(psycopg.Error, match="rate_limited"):
            attempt_often(counting, address, 100 * LIMIT)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.Error):
                attempt(counting, address)
                break
        else:
            pytest.fail("the next window did not forgive")

    def test_counting_waits_for_nobody(
        self, counting: psycopg.Connection[tuple[object, ...]]
    ) -> None:
        """A question that runs long holds no lock on its address's count."""
        address = somewhere()
        with (
            psycopg.connect(counting.info.dsn, password=counting.info.password) as slow,
            counting.transaction(),
        ):
            slow.execute("set role postgres")
            slow.execute(
                "select set_config('request.headers', %s, true)",
                (json.dumps({"x-forwarded-for": address}),),
            )
            slow.execute("select private.count_attempt()")
            counting.execute("set local lock_timeout = '200ms'")
            attempt(counting, address)

    def test_one_who_asks_too_much_stops_hardly_anybody_else(
        self, counting: psycopg.Connection[tuple[object, ...]]
    ) -> None:
        """One in 4,096 is expected, so that four of 200 are chance once in a million runs."""
        greedy = somewhere()
        stopped = 0
        counting.execute(
            "update private.rate_limit_rules set max_hits = 1000 where action = 'attempt'"
        )
        with pytest.raises(psycopg.Error, match="rate_limited"):
            attempt_often(counting, greedy, 1001)
        for _ in range(200):
            try:
                attempt(counting, somewhere())
            except psycopg.Error:
                stopped += 1
        assert stopped < 4


def test_every_function_that_a_visitor_may_call_counts_first(house: House) -> None:
    """Whatever is called with nothing is refused, and counted before it is."""
    house.owner_sql(
        "alter table private.rate_limit_rules drop constraint rate_limit_rules_max_hits_is_positive"
    )
    house.owner_sql("update private.rate_limit_rules set max_hits = 0 where action = 'attempt'")
    functions = house.owner_sql(
        "select p.proname, p.pronargs from pg_proc as p"
        " where p.pronamespace = 'public'::regnamespace"
        " and has_function_privilege('anon', p.oid, 'execute')"
    )
    assert len(functions) >= 15
    uncounted = []
    for function in functions:
        nothing = ", ".join(["null"] * function["pronargs"])
        visitor = house.nobody.sending(x_forwarded_for=somewhere())
        try:
            visitor.select(f"select public.{function['proname']}({nothing})")
        except Refused as refusal:
            if refusal.code == "rate_limited":
                continue
        uncounted.append(function["proname"])
    assert uncounted == []
