"""Bookings that staff make: beyond notice, hours and size, at another price, at the door."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop, ask, change, open_shop
from db.changes_world import alter, book, everything, key, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=60, maximum_advance_days=30)


@pytest.fixture
def twin(house: House) -> Shop:
    """Another venue with the same things."""
    return open_shop(house, "Twin")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(maximum_party=4, capacity_limit=6)
    shop.open_on(room, "10:00", "22:00")
    return room


def now(shop: Shop) -> datetime:
    moment: datetime = shop.house.one("select now()")
    return moment


class TestWhatStaffBook:
    def test_a_booking_waits_for_its_money_and_keeps_its_seats(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3, "11:30"))
        assert booked["status"] == "pending"
        assert (booked["total_cents"], booked["due_now_cents"]) == (TOTAL, TOTAL)
        with refused(409, "slot_taken"):
            shop.hold(room, shop.at(3, "11:30"))
        assert shop.look(booked)["customer"]["full_name"] == GUEST["full_name"]
        assert [line["kind"] for line in shop.look(booked)["lines"]] == ["base"]
        (entry,) = shop.history(booked)
        assert (entry["from_status"], entry["to_status"], entry["actor_kind"]) == (
            None,
            "pending",
            "user",
        )
        assert take(shop, booked, TOTAL)["status"] == "confirmed"

    def test_it_is_confirmed_when_nothing_is_due(self, shop: Shop) -> None:
        free = shop.add_room(price_cents=0)
        booked = book(shop, free, shop.at(3))
        assert (booked["status"], booked["hold_expires_at"]) == ("confirmed", None)

    def test_it_says_where_from_and_what_was_noted(self, shop: Shop, room: str) -> None:
        ask(shop, "occasion")
        # Staff need not ask everything.
        ask(shop, "allergies", required=True)
        silent = book(shop, room, shop.at(4), calendar_id=shop.calendar_id)
        assert shop.look(silent)["fields"] == {}
        with refused(422, "field_invalid"):
            book(shop, room, shop.at(3), calendar_id=shop.calendar_id, fields={"unasked": "x"})
        change(shop.venue.owner, "calendar_fields", {"required": False}, key="allergies")
        booked = book(
            shop,
            room,
            shop.at(3),
            calendar_id=shop.calendar_id,
            source="marketplace",
            fields={"occasion": " birthday "},
            customer_note="We come by bus",
            staff_note="VIP",
        )
        (row,) = shop.venue.owner.select(
            "select source, fields, customer_note, staff_note, calendar_id::text, locale"
            " from public.bookings as b join public.booking_contacts as c on c.booking_id = b.id"
            " where source = 'marketplace'"
        )
        assert row == {
            "source": "marketplace",
            "fields": {"occasion": "birthday"},
            "customer_note": "We come by bus",
            "staff_note": "VIP",
            "calendar_id": shop.calendar_id,
            "locale": "es",
        }
        assert "staff_note" not in shop.look(booked)

    def test_its_prices_are_named_in_the_guests_language(self, shop: Shop, room: str) -> None:
        shop.set_calendar(fee_kind="booking", fee_value=100)
        booked = book(
            shop,
            room,
            shop.at(3),
            calendar_id=shop.calendar_id,
            customer={**GUEST, "locale": "ca"},
        )
        assert shop.look(booked)["lines"][-1]["description"] == "Despeses de gestió"

    def test_what_is_left_out_is_empty(self, shop: Shop, room: str) -> None:
        book(
            shop, room, shop.at(3), exclusive=None, fields=None, customer_note=None, staff_note=None
        )
        (row,) = shop.venue.owner.select(
            "select exclusive, fields, customer_note, staff_note from public.bookings as b"
            " join public.booking_contacts as c on c.booking_id = b.id"
        )
        assert row == {"exclusive": False, "fields": {}, "customer_note": "", "staff_note": ""}

    @pytest.mark.parametrize(
        ("days", "clock"), [(3, "03:17"), (3, "21:30"), (200, "12:00"), (900, "12:00")]
    )
    def test_hours_and_advance_do_not_bind_staff(
        self, shop: Shop, room: str, days: int, clock: str
    ) -> None:
        booked = book(shop, room, shop.at(days, clock))
        starts, ends = (datetime.fromisoformat(booked[at]) for at in ("starts_at", "ends_at"))
        assert (starts, ends - starts) == (shop.at(days, clock), timedelta(minutes=60))
        (session,) = shop.sessions()
        assert session["occupied_until"] - ends == timedelta(minutes=30)

    def test_a_party_at_the_door_plays_now(self, shop: Shop, room: str) -> None:
        started = now(shop) - timedelta(minutes=10)
        booked = book(shop, room, started)
        # What is not paid by the end of the game is not waited for.
        assert datetime.fromisoformat(booked["hold_expires_at"]) == started + timedelta(hours=1)

    @pytest.mark.parametrize(
        ("hours", "kept"),
        [(None, 72), (1, 1), (24, 24), (720, 720)],
        ids=["usual", "1", "24", "720"],
    )
    def test_it_stays_unpaid_as_long_as_was_said(
        self, shop: Shop, room: str, hours: int | None, kept: int
    ) -> None:
        booked = book(shop, room, shop.at(60), pay_within_hours=hours)
        until = datetime.fromisoformat(booked["hold_expires_at"])
        assert until == now(shop) + timedelta(hours=kept)
        # A change gives no more time.
        changed = alter(shop, booked, starts_at=shop.at(61), party_size=3)
        assert datetime.fromisoformat(changed["hold_expires_at"]) == until

    def test_and_then_its_seats_are_free(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3, "11:30"), pay_within_hours=1)
        shop.lapse(booked)
        assert shop.hold(room, shop.at(3, "11:30"))
        assert [h["to_status"] for h in shop.history(booked)] == ["pending", "expired"]
        assert shop.history(booked)[-1]["reason"] == "payment_overdue"

    def test_but_never_past_the_game(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(2), pay_within_hours=720)
        assert booked["hold_expires_at"] == booked["ends_at"]

    def test_one_key_is_for_one_time_to_pay(self, shop: Shop, room: str) -> None:
        book(shop, room, shop.at(60), pay_within_hours=24, idempotency_key="pay")
        with refused(422, "idempotency_key_reused"):
            book(shop, room, shop.at(60), pay_within_hours=25, idempotency_key="pay")

    def test_an_unpublished_room_can_be_booked_by_staff(self, shop: Shop) -> None:
        hidden = shop.add_room(is_published=False)
        assert book(shop, hidden, shop.at(3))["room_id"] == hidden

    def test_the_constraint_binds_everybody(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(3, "11:30"))
        before = everything(shop)
        for clock in ("10:30", "11:30", "12:45"):
            with refused(409, "slot_taken"):
                book(shop, room, shop.at(3, clock))
        assert everything(shop) == before
        assert book(shop, room, shop.at(3, "13:00"))["status"] == "pending"

    def test_a_lapsed_hold_is_no_obstacle(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, shop.at(3, "11:30"))
        shop.lapse(held)
        book(shop, room, shop.at(3, "11:00"))
        assert shop.look(held)["status"] == "expired"

    def test_a_replay_answers_the_same(self, shop: Shop, room: str) -> None:
        again = {"starts_at": shop.at(3), "idempotency_key": "desk"}
        first = book(shop, room, **again)  # type: ignore[arg-type]
        assert book(shop, room, **again) == first  # type: ignore[arg-type]
        assert shop.venue.count("bookings") == 1
        for other in (
            {"party_size": 3},
            {"starts_at": shop.at(4)},
            {"staff_note": "x"},
            {"customer": {**GUEST, "email": "other@example.test"}},
            {"expected_total_cents": TOTAL},
            {"price_cents": 1, "override_reason": "x"},
        ):
            with refused(422, "idempotency_key_reused"):
                book(shop, room, **{**again, **other})  # type: ignore[arg-type]

    def test_a_key_of_another_venue_is_another_key(self, shop: Shop, twin: Shop, room: str) -> None:
        theirs = twin.add_room()
        first = book(shop, room, shop.at(3), idempotency_key="desk")
        second = book(twin, theirs, twin.at(3), idempotency_key="desk")
        assert first["reference"] != second["reference"]

    def test_a_total_that_is_no_longer_so_is_refused(self, shop: Shop, room: str) -> None:
        with refused(409, "total_changed") as caught:
            book(shop, room, shop.at(3), expected_total_cents=1)
        assert caught.value.details == {"total_cents": TOTAL}
        assert shop.venue.count("sessions") == 0
        assert book(shop, room, shop.at(3), expected_total_cents=TOTAL)

    def test_a_known_customer_is_the_same_customer_of_this_venue_only(
        self, shop: Shop, twin: Shop, room: str
    ) -> None:
        book(twin, twin.add_room(), twin.at(3))
        book(shop, room, shop.at(3))
        book(shop, room, shop.at(4))
        assert (shop.venue.count("customers"), twin.venue.count("customers")) == (1, 1)


def mails(shop: Shop) -> list[Row]:
    """What the worker would send now, or in some minutes: a mail about a change waits for more."""
    shop.house.owner_sql("update private.jobs set run_at = now() where status = 'queued'")
    prepared = [
        shop.house.service.call(
            "service.prepare_email", job_id=job["id"], lease_token=job["lease_token"]
        )
        for job in shop.house.service.select(
            "select * from service.claim_jobs(worker => 'w', max_jobs => 100, lease_seconds => 60)"
        )
        if job["kind"] == "email.send" and str(job["organization_id"]) == shop.id
    ]
    return [mail for mail in prepared if mail]


class TestWithoutAnAddress:
    @pytest.fixture(params=[{}, {"email": None}, {"email": ""}, {"email": "  "}], ids=repr)
    def booked(self, shop: Shop, room: str, request: pytest.FixtureRequest) -> Row:
        return book(
            shop, room, shop.at(3, "11:30"), customer={"full_name": "Walk In", **request.param}
        )

    def test_a_party_is_booked_and_pays_at_the_desk(self, shop: Shop, booked: Row) -> None:
        assert shop.look(booked)["customer"] == {"full_name": "Walk In", "email": None}
        assert take(shop, booked, TOTAL)["status"] == "confirmed"

    def test_nothing_is_mailed_until_staff_know_where_to(self, shop: Shop, booked: Row) -> None:
        take(shop, booked, TOTAL)
        assert mails(shop) == []
        change(shop.venue.owner, "customers", {"email": "Door@Example.test"}, full_name="Walk In")
        alter(shop, booked, starts_at=shop.at(4))
        (mail,) = mails(shop)
        assert mail["to"] == {"name": "Walk In", "email": "door@example.test"}
        # The link leads to the calendar that sells the room.
        assert mail["data"]["calendar_slug"] == shop.slug

    def test_its_link_is_good_for_paying_online(self, shop: Shop, booked: Row) -> None:
        opened = shop.house.service.call(
            "service.open_checkout",
            reference=booked["reference"],
            manage_token=booked["manage_token"],
        )
        assert (opened["customer_email"], opened["amount_cents"]) == (None, TOTAL)

    @pytest.mark.usefixtures("booked")
    def test_two_of_one_name_are_two(self, shop: Shop, room: str) -> None:
        book(shop, room, shop.at(4), customer={"full_name": "Walk In"})
        assert shop.venue.count("customers") == 2
        (twice,) = shop.venue.owner.select(
            "select count(distinct customer_id) as people from public.bookings"
        )
        assert twice["people"] == 2

    def test_they_are_merged_when_it_is_known_who_came(
        self, shop: Shop, room: str, booked: Row
    ) -> None:
        regular = book(shop, room, shop.at(4))
        (stranger, known) = shop.venue.owner.select(
            "select id, email from public.customers order by email nulls first"
        )
        merged = shop.venue.owner.call(
            "merge_customers",
            organization_id=shop.id,
            keep_id=stranger["id"],
            merge_id=known["id"],
        )
        assert (merged["id"], merged["email"]) == (str(stranger["id"]), GUEST["email"])
        assert shop.look(regular)["customer"]["email"] == GUEST["email"]
        assert shop.look(booked)["customer"]["email"] == GUEST["email"]


class TestHowMany:
    def test_up_to_the_limit_of_the_room(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3), party_size=6)
        assert (booked["party_size"], booked["total_cents"]) == (6, 6 * PRICE)
        assert book(shop, room, shop.at(4), party_size=1)["party_size"] == 1

    @pytest.mark.parametrize("size", [7, 0, -1, None])
    def test_no_further(self, shop: Shop, room: str, size: int | None) -> None:
        with refused(422, "party_size_invalid") as caught:
            book(shop, room, shop.at(3), party_size=size)
        assert caught.value.details == {"minimum": 1, "maximum": 6}

    def test_without_a_limit_the_room_s_own_size_counts(self, shop: Shop) -> None:
        room = shop.add_room(maximum_party=4)
        with refused(422, "party_size_invalid"):
            book(shop, room, shop.at(3), party_size=5)

    def test_seats_beyond_the_shared_session_s_up_to_the_limit_and_no_longer_than_needed(
        self, shop: Shop
    ) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=4, capacity_limit=6)
        shop.open_on(room, "12:00", "13:00")
        start = shop.at(3, "12:00")
        shop.hold(room, start, party_size=3)
        with refused(409, "slot_taken"):
            shop.hold(room, start, party_size=2)
        added = book(shop, room, start, party_size=3)
        assert [(s["capacity"], s["seats_taken"]) for s in shop.sessions()] == [(6, 6)]
        with refused(409, "slot_taken"):
            book(shop, room, start, party_size=1)
        shop.cancel(added)
        assert [(s["capacity"], s["seats_taken"]) for s in shop.sessions()] == [(4, 3)]

    def test_a_new_shared_session_sells_what_the_room_sells(self, shop: Shop) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=4, capacity_limit=6)
        shop.open_on(room, "12:00", "13:00")
        book(shop, room, shop.at(3, "12:00"), party_size=2)
        with refused(409, "slot_taken"):
            shop.hold(room, shop.at(3, "12:00"), party_size=3)
        assert shop.hold(room, shop.at(3, "12:00"), party_size=2)

    def test_a_party_alone_stays_alone(self, shop: Shop) -> None:
        room = shop.add_room(
            mode="shared", maximum_party=4, capacity_limit=6, exclusive_price_cents=9_000
        )
        shop.open_on(room, "12:00", "13:00")
        start = shop.at(3, "12:00")
        booked = book(shop, room, start, exclusive=True)
        assert booked["total_cents"] == 9_000
        assert [(s["capacity"], s["seats_taken"]) for s in shop.sessions()] == [(4, 4)]
        assert shop.look(booked)["exclusive"] is True
        with refused(409, "slot_taken"):
            shop.hold(room, start)
        with refused(409, "slot_taken"):
            book(shop, room, start, party_size=1)
        other = shop.at(4, "12:00")
        shop.hold(room, other)
        with refused(409, "slot_taken"):
            book(shop, room, other, exclusive=True)

    @pytest.mark.parametrize("values", [{}, {"mode": "shared"}])
    def test_alone_only_where_that_is_sold(self, shop: Shop, values: Row) -> None:
        room = shop.add_room(**values)
        with refused(422, "exclusive_not_offered"):
            book(shop, room, shop.at(3), exclusive=True)


class TestAnotherPrice:
    def test_staff_may_agree_on_a_price_with_a_reason(self, shop: Shop, room: str) -> None:
        mia = shop.venue.hire("mia", "manager")
        booked = book(
            shop, room, shop.at(3), by=mia, price_cents=1_000, override_reason=" A friend "
        )
        assert booked["total_cents"] == 1_000
        (row,) = mia.select("select price_cents, reason, set_by from public.price_overrides")
        assert row == {
            "price_cents": 1_000,
            "reason": "A friend",
            "set_by": {"kind": "user", "id": mia.id},
        }

    def test_nothing_is_a_price(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(3), price_cents=0, override_reason="Press")
        assert (booked["status"], booked["total_cents"]) == ("confirmed", 0)

    @pytest.mark.parametrize("reason", [None, "", "  ", "...", "\u0301", "x" * 501])
    def test_not_without_a_reason(self, shop: Shop, room: str, reason: str | None) -> None:
        with refused(422, "override_reason_invalid"):
            book(shop, room, shop.at(3), price_cents=1, override_reason=reason)

    @pytest.mark.parametrize("cents", [-1, 100_000_001])
    def test_within_reason(self, shop: Shop, room: str, cents: int) -> None:
        with refused(422, "price_invalid"):
            book(shop, room, shop.at(3), price_cents=cents, override_reason="x")

    def test_it_takes_a_permission_of_its_own(self, shop: Shop, room: str) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        with refused(403, "permission_denied") as caught:
            book(shop, room, shop.at(3), by=anna, price_cents=1, override_reason="x")
        assert caught.value.details == {"permission": "pricing:override"}
        # A reason alone sets nothing.
        booked = book(shop, room, shop.at(3), by=anna, override_reason="x")
        assert booked["total_cents"] == TOTAL
        with refused(403, "permission_denied"):
            alter(shop, booked, by=anna, price_cents=1, override_reason="x")


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "values"),
        [
            (422, "start_invalid", {"starts_at": None}),
            (422, "start_invalid", {"starts_at": "infinity"}),
            (422, "start_invalid", {"starts_at": "-infinity"}),
            (422, "slot_in_past", {"starts_at": "2020-01-01T10:00Z"}),
            (422, "too_far_ahead", {"starts_at": "2200-01-01T10:00Z"}),
            (422, "source_invalid", {"source": "widget"}),
            (422, "source_invalid", {"source": None}),
            (422, "note_too_long", {"customer_note": "x" * 2_001}),
            (422, "note_too_long", {"staff_note": "x" * 5_001}),
            (422, "pay_within_invalid", {"pay_within_hours": 0}),
            (422, "pay_within_invalid", {"pay_within_hours": -1}),
            (422, "pay_within_invalid", {"pay_within_hours": 721}),
            (422, "customer_invalid", {"customer": {"full_name": ""}}),
            (422, "customer_invalid", {"customer": {"full_name": "Ana", "email": "ana"}}),
            (422, "customer_invalid", {"customer": {"full_name": "Ana", "email": 7}}),
            (422, "idempotency_key_invalid", {"idempotency_key": ""}),
            (422, "idempotency_key_invalid", {"idempotency_key": None}),
            (404, "room_not_found", {"room_id": None}),
            (404, "room_not_found", {"room_id": str(uuid4())}),
            (404, "calendar_not_found", {"calendar_id": str(uuid4())}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_cannot_be_booked_leaves_nothing_behind(
        self, shop: Shop, room: str, status: int, code: str, values: Row
    ) -> None:
        before = everything(shop)
        with refused(status, code):
            book(shop, **{"room": room, "starts_at": shop.at(3), **renamed(values)})
        assert everything(shop) == before

    def test_a_game_that_is_over_is_past(self, shop: Shop, room: str) -> None:
        with refused(422, "slot_in_past"):
            book(shop, room, now(shop) - timedelta(minutes=60))
        assert book(shop, room, now(shop) - timedelta(minutes=59))

    def test_answers_are_an_object(self, shop: Shop, room: str) -> None:
        with refused(422, "field_invalid"):
            shop.venue.owner.select(
                "select public.create_booking(%s, %s, %s, 2, %s, 'k', fields => '[]')",
                shop.id,
                room,
                shop.at(3),
                '{"full_name": "Ana", "email": "ana@example.test"}',
            )

    def test_rooms_and_calendars_of_others_are_none(
        self, shop: Shop, twin: Shop, room: str
    ) -> None:
        with refused(404, "room_not_found"):
            book(shop, twin.add_room(), shop.at(3))
        with refused(404, "calendar_not_found"):
            book(shop, room, shop.at(3), calendar_id=twin.calendar_id)


class TestWhoMayBook:
    @pytest.mark.parametrize("role", ["admin", "manager", "receptionist"])
    def test_who_receives_customers(self, shop: Shop, room: str, role: str) -> None:
        person = shop.venue.hire(role, role)
        assert book(shop, room, shop.at(3), by=person)["status"] == "pending"

    def test_nobody_else(self, shop: Shop, twin: Shop, room: str) -> None:
        others: list[Client] = [
            shop.venue.hire("gil", "game_master"),
            twin.venue.owner,
            shop.house.sign_up("player"),
        ]
        for person in others:
            with refused(403, "permission_denied"):
                book(shop, room, shop.at(3), by=person)
        with refused(401, "42501"):
            book(shop, room, shop.at(3), by=shop.visitor)

    def test_nobody_in_a_suspended_venue(self, shop: Shop, room: str) -> None:
        shop.house.owner_sql(
            "update public.organizations set status = 'suspended' where id = %s", shop.id
        )
        with refused(403, "organization_suspended"):
            book(shop, room, shop.at(3), idempotency_key=key())


def renamed(values: Row) -> Row:
    """`book` calls the room by a shorter name."""
    return {("room" if name == "room_id" else name): value for name, value in values.items()}
