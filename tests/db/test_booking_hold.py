"""Holding a place: what it answers, what it refuses, what it leaves behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused

REFERENCE = re.compile(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(name="La Cripta")
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def start(shop: Shop) -> datetime:
    return shop.at(3, "11:30")


class TestTheAnswer:
    def test_a_hold_says_all_that_a_visitor_needs(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        held = shop.hold(room, start, party_size=4)

        assert REFERENCE.fullmatch(held.pop("reference"))
        assert len(held.pop("manage_token")) >= 32
        expires = datetime.fromisoformat(held.pop("hold_expires_at"))
        assert expires - shop.house.one("select now()") == timedelta(minutes=15)
        assert datetime.fromisoformat(held.pop("starts_at")) == start
        assert datetime.fromisoformat(held.pop("ends_at")) == start + timedelta(hours=1)
        assert datetime.fromisoformat(held.pop("rest_payable_until")) == start
        assert held == {
            "status": "held",
            "timezone": "Europe/Madrid",
            "room_id": room,
            "room_name": "La Cripta",
            "party_size": 4,
            "seats": 4,
            "exclusive": False,
            "extras": [],
            "fields": {},
            "customer_note": "",
            "currency": "EUR",
            "confirm_by_email": False,
            "payable_cents": 4 * PRICE,
            "total_cents": 4 * PRICE,
            "due_now_cents": 4 * PRICE,
        }

    def test_the_calendar_decides_how_long_a_hold_lasts(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_calendar(hold_minutes=45)
        expires = datetime.fromisoformat(shop.hold(room, start)["hold_expires_at"])
        assert expires - shop.house.one("select now()") == timedelta(minutes=45)

    def test_what_costs_nothing_is_confirmed_at_once(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_room(room, price_cents=0)
        held = shop.hold(room, start, total=0)
        assert (held["status"], held["hold_expires_at"]) == ("confirmed", None)
        assert [h["to_status"] for h in shop.history(held)] == ["held", "confirmed"]

    def test_a_signed_in_player_may_book_as_anybody_may(
        self, shop: Shop, room: str, start: datetime, house: House
    ) -> None:
        player = house.sign_up("player")
        held = shop.hold(room, start, by=player)
        assert held["status"] == "held"
        assert player.select("select * from public.bookings") == []


class TestWhatIsStored:
    def test_the_booking_keeps_its_session_customer_lines_and_history(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        held = shop.hold(
            room, start, party_size=3, customer={**GUEST, "phone": " +34 600 ", "locale": "ca"}
        )

        (session,) = shop.sessions()
        assert session["starts_at"] == start
        assert session["occupied_until"] == start + timedelta(minutes=90)
        assert (session["mode"], session["status"]) == ("private", "scheduled")
        assert (session["capacity"], session["seats_taken"]) == (6, 3)

        (booking,) = shop.house.owner_sql(
            "select b.*, c.email, c.full_name, c.phone from public.bookings as b"
            " join public.customers as c"
            " on c.organization_id = b.organization_id and c.id = b.customer_id"
            " where b.organization_id = %s",
            shop.id,
        )
        assert booking["session_id"] == session["id"]
        assert booking["starts_at"] == start
        assert (booking["locale"], booking["source"]) == ("ca", "widget")
        assert (booking["email"], booking["phone"]) == ("ana@example.test", "+34 600")

        (line,) = shop.look(held)["lines"]
        assert line == {
            "kind": "base",
            "description": "La Cripta",
            "quantity": 3,
            "unit_cents": PRICE,
            "total_cents": 3 * PRICE,
            "tax_rate_bp": 2100,
            "tax_cents": 1302,
            "extra_id": None,
        }
        (entry,) = shop.history(held)
        assert (entry["from_status"], entry["to_status"]) == (None, "held")
        assert (entry["actor_kind"], entry["actor_id"]) == ("customer", booking["customer_id"])

    @pytest.mark.parametrize(
        ("price", "rate", "tax"),
        [(1_000, 2100, 174), (1_000, 0, 0), (1, 2100, 0), (1_000, 10000, 500), (999, 1000, 91)],
    )
    def test_the_tax_is_contained_in_the_price(
        self, shop: Shop, room: str, start: datetime, price: int, rate: int, tax: int
    ) -> None:
        shop.set_room(room, price_cents=price, tax_rate_bp=rate, price_per="session")
        held = shop.hold(room, start, total=price)
        (line,) = shop.look(held)["lines"]
        assert (line["quantity"], line["total_cents"], line["tax_cents"]) == (1, price, tax)

    def test_the_manage_token_is_stored_nowhere(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        token = shop.hold(room, start)["manage_token"]
        places = shop.house.owner_sql(
            "select table_schema || '.' || table_name as name"
            " from information_schema.tables where table_type = 'BASE TABLE'"
            " and table_schema in ('public', 'private')"
        )
        for place in places:
            found = shop.house.one(
                f"select count(*) from {place['name']} as t where strpos(t::text, %s) > 0", token
            )
            assert found == 0, place["name"]

    def test_the_same_address_is_the_same_customer(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(3, "10:00"))
        shop.hold(room, shop.at(3, "11:30"), customer={**GUEST, "email": " ANA@Example.test "})
        assert shop.venue.count("customers") == 1

    def test_a_stranger_who_types_my_address_neither_renames_me_nor_learns_my_name(
        self, shop: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(3, "10:00"))
        theirs = shop.hold(room, shop.at(3, "11:30"), customer={**GUEST, "full_name": "Eve"})
        assert shop.look(theirs)["customer"] == {"full_name": "Eve", "email": GUEST["email"]}
        assert _name(shop) == "Ana García"

    def test_a_paid_booking_brings_the_name_up_to_date(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(3, "10:00"))
        newer = shop.hold(room, shop.at(3, "11:30"), customer={**GUEST, "full_name": "Ana G."})
        shop.pay(newer, 2 * PRICE)
        shop.move(newer, "confirmed")
        assert _name(shop) == "Ana G."

    def test_the_mail_is_written_in_the_calendars_language_unless_another_is_asked_for(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_calendar(locales=["en", "es"])
        held = shop.hold(room, shop.at(3, "10:00"))
        locale = shop.house.one(
            "select locale from public.bookings where id = %s", shop.id_of(held)
        )
        assert locale == "en"


class TestQuote:
    def test_a_quote_is_what_a_hold_will_cost(self, shop: Shop, room: str, start: datetime) -> None:
        quote = quote_of(shop, room, start, 5)
        held = shop.hold(room, start, party_size=5, total=quote["total_cents"])
        booked = shop.look(held)
        assert quote["lines"] == booked["lines"]
        for key in ("room_id", "starts_at", "ends_at", "party_size", "currency"):
            assert quote[key] == booked[key]
        assert quote["due_now_cents"] == quote["total_cents"] == 5 * PRICE
        assert quote["tax_cents"] == sum(line["tax_cents"] for line in quote["lines"])

    def test_a_price_per_session_does_not_depend_on_the_party(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_room(room, price_per="session", price_cents=9_000)
        assert [quote_of(shop, room, start, n)["total_cents"] for n in (2, 6)] == [9_000, 9_000]

    def test_a_taken_time_still_has_a_price(self, shop: Shop, room: str, start: datetime) -> None:
        shop.hold(room, start)
        assert quote_of(shop, room, start, 2)["total_cents"] == 2 * PRICE

    def test_a_quote_refuses_what_a_hold_refuses(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        for minutes, party, code in ((0, 7, "party_size_invalid"), (5, 2, "slot_not_offered")):
            with refused(422, code):
                quote_of(shop, room, start + timedelta(minutes=minutes), party)
        with refused(404, "room_not_found"):
            quote_of(shop, str(uuid4()), start, 2)


class TestRefusals:
    @pytest.fixture(autouse=True)
    def _changes_nothing(self, shop: Shop) -> Iterator[None]:
        """A refused hold leaves no row behind, not even its idempotency key."""
        yield
        for table in ("sessions", "bookings", "customers"):
            assert shop.venue.count(table) == 0, table
        keys = shop.house.one(
            "select count(*) from private.idempotency_keys where scope like %s", f"{shop.id}%"
        )
        assert keys == 0

    def test_an_unknown_calendar(self, shop: Shop, room: str, start: datetime) -> None:
        with refused(404, "calendar_not_found"):
            shop.visitor.call(
                "hold_booking",
                slug="nowhere",
                room_id=room,
                starts_at=start,
                party_size=2,
                customer=GUEST,
                expected_total_cents=2 * PRICE,
                idempotency_key="k",
            )

    def test_a_room_that_is_not_sold_here(self, shop: Shop, start: datetime, house: House) -> None:
        unpublished = shop.add_room(is_published=False)
        foreign = open_shop(house, "Other").add_room()
        for each in (unpublished, foreign, str(uuid4()), None):
            with refused(404, "room_not_found"):
                shop.hold(each, start)  # type: ignore[arg-type]

    @pytest.mark.parametrize("party", [1, 7, 0, -3, None, 2_000_000_000])
    def test_a_party_that_the_room_does_not_take(
        self, shop: Shop, room: str, start: datetime, party: int | None
    ) -> None:
        with refused(422, "party_size_invalid") as caught:
            shop.hold(room, start, party_size=party, total=0)
        assert caught.value.details == {"minimum": 2, "maximum": 6}

    @pytest.mark.parametrize("back", [timedelta(0), timedelta(hours=1), timedelta(days=4000)])
    def test_the_past(self, shop: Shop, room: str, back: timedelta) -> None:
        with refused(422, "slot_in_past"):
            shop.hold(room, shop.house.one("select now()") - back)

    def test_too_short_notice(self, shop: Shop, room: str) -> None:
        with refused(422, "notice_too_short") as caught:
            shop.hold(room, shop.house.one("select now()") + timedelta(minutes=59))
        assert caught.value.details == {"minimum_notice_minutes": 60}

    @pytest.mark.parametrize("days", [366, 100_000])
    def test_too_far_ahead(self, shop: Shop, room: str, days: int) -> None:
        with refused(422, "too_far_ahead") as caught:
            shop.hold(room, shop.at(days, "11:30"))
        assert caught.value.details == {"maximum_advance_days": 365}

    @pytest.mark.parametrize(
        ("instant", "code"), [("infinity", "too_far_ahead"), ("-infinity", "slot_in_past")]
    )
    def test_the_ends_of_time(self, shop: Shop, room: str, instant: str, code: str) -> None:
        with refused(422, code):
            shop.hold(room, instant)  # type: ignore[arg-type]

    @pytest.mark.parametrize("clock", ["11:31", "09:00", "21:30", "23:00"])
    def test_a_time_that_is_not_offered(self, shop: Shop, room: str, clock: str) -> None:
        with refused(422, "slot_not_offered"):
            shop.hold(room, shop.at(3, clock))

    def test_no_time_at_all(self, shop: Shop, room: str) -> None:
        with refused(422, "slot_not_offered"):
            shop.hold(room, None)

    @pytest.mark.parametrize("total", [0, 2 * PRICE - 1, -1])
    def test_a_total_that_no_longer_holds(
        self, shop: Shop, room: str, start: datetime, total: int
    ) -> None:
        with refused(409, "total_changed") as caught:
            shop.hold(room, start, total=total)
        assert caught.value.details == {"total_cents": 2 * PRICE}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"full_name": ""}, "full_name"),
            ({"full_name": "   "}, "full_name"),
            ({"full_name": "x" * 201}, "full_name"),
            ({"full_name": "a\nBcc: b"}, "full_name"),
            ({"full_name": None}, "full_name"),
            ({"full_name": 5}, "full_name"),
            ({"email": None}, "email"),
            ({"email": "ana"}, "email"),
            ({"email": "ana@localhost"}, "email"),
            ({"email": "a b@example.test"}, "email"),
            ({"email": "a@b.test\nx"}, "email"),
            ({"email": f"{'x' * 250}@b.test"}, "email"),
            ({"email": ["a@b.test"]}, "email"),
            ({"phone": "1" * 41}, "phone"),
            ({"phone": {"number": 1}}, "phone"),
            ({"locale": "fr"}, "locale"),
            ({"locale": 1}, "locale"),
        ],
    )
    def test_a_customer_who_cannot_be_reached(
        self, shop: Shop, room: str, start: datetime, change: Row, field: str
    ) -> None:
        with refused(422, "customer_invalid") as caught:
            shop.hold(room, start, customer={**GUEST, **change})
        assert caught.value.details == {"field": field}

    @pytest.mark.parametrize("customer", [None, [], "Ana", {}])
    def test_a_customer_of_another_shape(
        self, shop: Shop, room: str, start: datetime, customer: object
    ) -> None:
        with refused(422, "customer_invalid"):
            shop.visitor.select(
                "select public.hold_booking(%s, %s, %s, 2, %s::jsonb, %s, 'k')",
                shop.slug,
                room,
                start,
                json.dumps(customer),
                2 * PRICE,
            )

    @pytest.mark.parametrize("key", ["", "k" * 256])
    def test_an_idempotency_key_that_is_none(
        self, shop: Shop, room: str, start: datetime, key: str
    ) -> None:
        with refused(422, "idempotency_key_invalid"):
            shop.hold(room, start, key=key)

    @pytest.mark.parametrize("status", ["suspended", "closed"])
    def test_a_venue_that_may_not_sell(
        self, shop: Shop, room: str, start: datetime, status: str
    ) -> None:
        shop.house.owner_sql(
            "update public.organizations set status = %s,"
            " closed_at = case %s when 'closed' then now() end where id = %s",
            status,
            status,
            shop.id,
        )
        with refused(404, "calendar_not_found"):
            shop.hold(room, start)


class TestTaken:
    def test_a_held_time_is_taken(self, shop: Shop, room: str, start: datetime) -> None:
        shop.hold(room, start)
        with refused(409, "slot_taken"):
            shop.hold(room, start)
        assert shop.venue.count("bookings") == 1

    def test_a_time_that_overlaps_is_taken(self, shop: Shop, start: datetime) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
        shop.hold(room, start)
        for minutes in (-60, -30, 30, 60):
            with refused(409, "slot_taken"):
                shop.hold(room, start + timedelta(minutes=minutes))
        shop.hold(room, start + timedelta(minutes=90))

    def test_a_lapsed_hold_is_claimable_at_once_and_reaped_by_the_claim(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        first = shop.hold(room, start)
        shop.lapse(first)
        second = shop.hold(room, start)
        assert second["status"] == "held"
        assert shop.look(first)["status"] == "expired"
        assert [h["to_status"] for h in shop.history(first)] == ["held", "expired"]
        assert [s["status"] for s in shop.sessions()] == ["cancelled", "scheduled"]

    def test_one_claim_reaps_every_lapsed_hold_in_its_way(self, shop: Shop, room: str) -> None:
        for clock in ("10:00", "11:30"):
            shop.lapse(shop.hold(room, shop.at(3, clock)))
        shop.set_room(room, duration_minutes=150)
        assert shop.hold(room, shop.at(3, "10:00"))["status"] == "held"

    def test_a_lapsed_hold_is_over_for_its_customer_though_nobody_reaped_it(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        held = shop.hold(room, start)
        shop.lapse(held)
        seen = shop.look(held)
        assert (seen["status"], seen["cancellable"]) == ("expired", False)

    def test_even_the_database_owner_cannot_book_a_time_twice(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.hold(room, start)
        with pytest.raises(Exception, match="sessions_do_not_overlap"):
            shop.house.owner_sql(
                "insert into public.sessions (organization_id, room_id, starts_at, ends_at,"
                " occupied_until, mode, capacity, seats_taken)"
                " select organization_id, room_id, ends_at, ends_at + interval '1 hour',"
                " ends_at + interval '1 hour', 'private', 1, 1 from public.sessions"
                " where organization_id = %s",
                shop.id,
            )


class TestShared:
    @pytest.fixture
    def room(self, shop: Shop) -> str:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=6)
        shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
        return room

    def test_parties_join_one_session_until_its_seats_are_gone(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.hold(room, start, party_size=4)
        shop.hold(room, start, party_size=2)
        with refused(409, "slot_taken"):
            shop.hold(room, start, party_size=1)
        (session,) = shop.sessions()
        assert (session["mode"], session["seats_taken"]) == ("shared", 6)

    def test_a_party_that_leaves_frees_its_seats_and_the_last_one_the_time(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        first = shop.hold(room, start, party_size=4)
        second = shop.hold(room, start, party_size=2)
        shop.cancel(first)
        assert [s["seats_taken"] for s in shop.sessions()] == [2]
        shop.cancel(second)
        assert [(s["seats_taken"], s["status"]) for s in shop.sessions()] == [(0, "cancelled")]
        shop.hold(room, start + timedelta(minutes=30), party_size=6)

    def test_lapsed_seats_are_reaped_by_who_needs_them(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        stays = shop.hold(room, start, party_size=3)
        lapses = shop.hold(room, start, party_size=3)
        shop.lapse(lapses)
        shop.hold(room, start, party_size=3)
        assert [s["seats_taken"] for s in shop.sessions()] == [6]
        assert [h["to_status"] for h in shop.history(lapses)] == ["held", "expired"]
        assert shop.look(stays)["status"] == "held"

    def test_a_session_of_lapsed_holds_alone_gives_way_to_another_start(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.lapse(shop.hold(room, start, party_size=3))
        shop.hold(room, start + timedelta(minutes=30), party_size=3)
        assert [s["status"] for s in shop.sessions()] == ["cancelled", "scheduled"]


class TestIdempotency:
    def test_the_same_key_and_request_give_the_same_answer_and_one_booking(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        first = shop.hold(room, start, key="k")
        assert shop.hold(room, start, key="k") == first
        assert shop.venue.count("bookings") == 1

    def test_the_answer_is_the_same_booking_and_tells_what_became_of_it(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        first = shop.hold(room, start, key="k")
        shop.cancel(first)
        shop.set_calendar(maximum_advance_days=1)
        # Another state is all that is different: a hold that is over must not look fresh.
        over = {"status": "cancelled", "hold_expires_at": None, "payable_cents": 0}
        assert shop.hold(room, start, key="k") == {**first, **over}
        assert shop.venue.count("bookings") == 1

    @pytest.mark.parametrize(
        "change",
        [{"party_size": 3}, {"customer": {**GUEST, "full_name": "Eve"}}, {"total": 2 * PRICE + 1}],
    )
    def test_another_request_under_the_key_is_refused(
        self, shop: Shop, room: str, start: datetime, change: Row
    ) -> None:
        shop.hold(room, start, key="k")
        with refused(422, "idempotency_key_reused"):
            shop.hold(room, start, key="k", **change)

    def test_a_refused_request_may_be_tried_again_with_its_key(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        with refused(409, "total_changed"):
            shop.hold(room, start, key="k", total=1)
        assert shop.hold(room, start, key="k")["status"] == "held"

    def test_two_venues_keys_never_meet(self, shop: Shop, room: str, house: House) -> None:
        other = open_shop(house, "Other")
        theirs = other.add_room()
        other.open_on(theirs, "10:00", "22:00")
        ours = shop.hold(room, shop.at(3, "11:30"), key="k")
        assert other.hold(theirs, shop.at(3, "11:30"), key="k")["reference"] != ours["reference"]


class TestNobodyElse:
    def test_visitors_have_no_table(self, shop: Shop, room: str, start: datetime) -> None:
        shop.hold(room, start)
        for table in ("sessions", "customers", "bookings", "booking_lines", "booking_history"):
            with refused(401, "42501"):
                shop.visitor.select(f"select * from public.{table}")

    @pytest.mark.parametrize(
        "function",
        ["slots", "quote", "claim_session", "make_booking", "transition", "cancel", "sweep"],
    )
    def test_clients_cannot_call_what_the_public_functions_call(
        self, house: House, function: str
    ) -> None:
        granted = house.owner_sql(
            "select grantee from information_schema.routine_privileges"
            " where routine_schema = 'private' and routine_name = %s"
            " and grantee in ('anon', 'authenticated', 'PUBLIC')",
            function,
        )
        assert granted == []


def quote_of(shop: Shop, room: str, start: datetime, party: int, by: Client | None = None) -> Row:
    quote: Row = (by or shop.visitor).call(
        "quote_booking", slug=shop.slug, room_id=room, starts_at=start, party_size=party
    )
    return quote


def _name(shop: Shop) -> str:
    name = shop.house.one(
        "select full_name from public.customers where organization_id = %s", shop.id
    )
    assert isinstance(name, str)
    return name
