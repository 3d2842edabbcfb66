"""A booking that moves: time, room, party, alone or not, its price and its money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from client import Client
from db.booking_world import PRICE, Row, Shop, open_shop
from db.changes_world import alter, book, copy_tenant, everything, promised, quote, reschedule, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def twin(house: House) -> Shop:
    """Another venue with the same things."""
    return open_shop(house, "Twin")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(capacity_limit=8)
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


@pytest.fixture
def held(shop: Shop, room: str) -> Row:
    return shop.hold(room, shop.at(3))


@pytest.fixture
def paid(shop: Shop, held: Row) -> Row:
    """A confirmed booking of which everything is paid, at the desk."""
    take(shop, held, TOTAL)
    return held


def row_of(shop: Shop, booking: Row) -> Row:
    (row,) = shop.venue.owner.select(
        "select * from public.bookings where id = %s", shop.id_of(booking)
    )
    return row


def mails(shop: Shop, booking: Row) -> list[str]:
    """What is to be written, in order, but for the reminder of the hold that it once was."""
    rows = shop.house.owner_sql(
        "select payload ->> 'template' as template from private.jobs where kind = 'email.send'"
        " and organization_id = %s and payload ->> 'booking_id' = %s"
        " and payload ->> 'template' <> 'booking_held' order by id",
        shop.id,
        shop.id_of(booking),
    )
    return [row["template"] for row in rows]


class TestACustomerMovesIt:
    def test_to_another_time(self, shop: Shop, room: str, paid: Row) -> None:
        target = shop.at(5, "15:00")
        assert quote(shop, paid, starts_at=target)["difference_cents"] == 0
        seen = reschedule(shop, paid, total=TOTAL, starts_at=target)

        assert datetime.fromisoformat(seen["starts_at"]) == target
        assert (seen["status"], seen["paid_cents"], seen["open_cents"]) == ("confirmed", TOTAL, 0)
        assert [(s["starts_at"], s["status"]) for s in shop.sessions()] == [
            (shop.at(3), "cancelled"),
            (target, "scheduled"),
        ]
        assert shop.hold(room, shop.at(3))
        with refused(409, "slot_taken"):
            shop.hold(room, target)

    def test_and_the_history_says_who_and_what(self, shop: Shop, paid: Row) -> None:
        seen = reschedule(shop, paid, total=3 * PRICE, starts_at=shop.at(5), party_size=3)
        entry = shop.history(paid)[-1]
        assert (entry["from_status"], entry["to_status"]) == ("confirmed", "confirmed")
        assert (entry["actor_kind"], entry["reason"]) == ("customer", "changed_by_customer")
        assert entry["actor_id"] == row_of(shop, paid)["customer_id"]
        assert set(entry["change"]) == {"starts_at", "party_size", "total_cents"}
        assert entry["change"]["party_size"] == [2, 3]
        assert entry["change"]["total_cents"] == [TOTAL, 3 * PRICE]
        old, new = (datetime.fromisoformat(at) for at in entry["change"]["starts_at"])
        assert (old, new) == (shop.at(3), shop.at(5))
        assert [h["status"] for h in seen["history"]] == ["held", "confirmed", "confirmed"]
        assert [h["change"] is not None for h in seen["history"]] == [False, False, True]

    def test_a_mail_tells_of_it_and_nothing_is_confirmed_twice(self, shop: Shop, paid: Row) -> None:
        reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5))
        assert mails(shop, paid) == ["booking_confirmed", "booking_rescheduled"]

    def test_of_a_hold_nobody_was_told_and_nobody_is(self, shop: Shop, held: Row) -> None:
        reschedule(shop, held, total=TOTAL, starts_at=shop.at(5))
        assert mails(shop, held) == []

    def test_to_a_time_that_overlaps_its_own(self, shop: Shop, paid: Row) -> None:
        seen = reschedule(shop, paid, total=TOTAL, starts_at=shop.at(3, "12:30"))
        assert datetime.fromisoformat(seen["starts_at"]) == shop.at(3, "12:30")

    def test_to_another_room(self, shop: Shop, paid: Row) -> None:
        other = shop.add_room(price_cents=4_000, price_per="session")
        shop.open_on(other, "12:00", "13:00")
        seen = reschedule(shop, paid, total=4_000, room_id=other)
        assert (seen["room_id"], seen["total_cents"]) == (other, 4_000)
        assert [line["unit_cents"] for line in seen["lines"]] == [4_000]
        assert promised(shop, paid) == [("changed", TOTAL - 4_000)]

    def test_a_hold_and_its_deadline(self, shop: Shop, held: Row) -> None:
        seen = reschedule(shop, held, total=TOTAL, starts_at=shop.at(5))
        assert (seen["status"], seen["hold_expires_at"]) == ("held", held["hold_expires_at"])

    def test_back_and_forth(self, shop: Shop, paid: Row) -> None:
        for day in (5, 3, 5):
            reschedule(shop, paid, total=TOTAL, starts_at=shop.at(day))
        assert row_of(shop, paid)["starts_at"] == shop.at(5)
        assert shop.venue.count("bookings") == 1

    def test_a_replay_changes_nothing_more(self, shop: Shop, paid: Row) -> None:
        first = reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5), idempotency_key="moving")
        before = everything(shop)
        again = reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5), idempotency_key="moving")
        assert again == first
        for starts, values in (
            (shop.at(6), {}),
            (shop.at(5), {"party_size": 3}),
            (shop.at(5), {"exclusive": False}),
        ):
            with refused(422, "idempotency_key_reused"):
                reschedule(
                    shop, paid, total=TOTAL, starts_at=starts, idempotency_key="moving", **values
                )
        assert everything(shop) == before

    def test_the_key_of_another_booking_is_refused(self, shop: Shop, room: str, paid: Row) -> None:
        other = shop.hold(room, shop.at(4))
        reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5), idempotency_key="one")
        with refused(422, "idempotency_key_reused"):
            reschedule(shop, other, total=TOTAL, starts_at=shop.at(5), idempotency_key="one")


class TestUntilWhenACustomerMayMoveIt:
    """While cancelling would be refunded in full: the room gives that up to 48 hours before."""

    @pytest.fixture
    def room(self, shop: Shop, room: str) -> str:
        for hours, percent in ((48, 100), (24, 50)):
            shop.insert(
                "room_cancellation_tiers", room_id=room, hours_before=hours, refund_percent=percent
            )
        return room

    def test_then_and_no_later(self, shop: Shop, paid: Row) -> None:
        assert shop.look(paid)["reschedulable"] is True
        now = shop.house.one("select now()")
        shop.move_in_time(paid, now + timedelta(hours=48) - shop.at(3))
        assert quote(shop, paid, starts_at=shop.at(5))
        shop.move_in_time(paid, timedelta(microseconds=-1))
        assert shop.look(paid)["reschedulable"] is False
        before = everything(shop)
        with refused(409, "not_reschedulable"):
            quote(shop, paid, starts_at=shop.at(5))
        with refused(409, "not_reschedulable"):
            reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5))
        assert everything(shop) == before
        assert alter(shop, paid, starts_at=shop.at(5))

    @pytest.mark.parametrize("how", ["checked_in", "no_show", "cancelled", "lapsed"])
    def test_not_what_has_begun_or_is_over(self, shop: Shop, held: Row, how: str) -> None:
        if how == "lapsed":
            shop.lapse(held)
        else:
            for status in {"cancelled": ["cancelled"]}.get(how, ["confirmed", how]):
                shop.move(held, status)
        assert shop.look(held)["reschedulable"] is False
        for ask in (quote, lambda *a, **v: reschedule(*a, total=TOTAL, **v)):
            with refused(409, "not_reschedulable"):
                ask(shop, held, starts_at=shop.at(5))

    def test_what_staff_booked_moves_within_the_calendar_that_sells_its_room(
        self, shop: Shop, room: str
    ) -> None:
        by_staff = book(shop, room, shop.at(4))
        assert shop.look(by_staff)["reschedulable"] is True
        with refused(422, "slot_not_offered"):
            quote(shop, by_staff, starts_at=shop.at(5, "03:17"))
        # The oldest of several; one that does not sell the room is not asked.
        other = shop.insert(
            "calendars", slug="other-calendar", name="Other", maximum_advance_days=4,
            fee_kind="booking", fee_value=500,
        )["id"]  # fmt: skip
        shop.house.owner_sql(
            "update public.calendars set created_at = created_at - interval '1 day' where id = %s",
            other,
        )
        reschedule(shop, by_staff, total=TOTAL, starts_at=shop.at(6))
        shop.insert("calendar_rooms", calendar_id=other, room_id=room)
        with refused(422, "too_far_ahead"):
            quote(shop, by_staff, starts_at=shop.at(7))
        # A calendar's fee is for what is booked there.
        assert quote(shop, by_staff, starts_at=shop.at(4))["total_cents"] == TOTAL

    def test_not_what_no_calendar_sells(self, shop: Shop, room: str, paid: Row) -> None:
        by_staff = book(shop, room, shop.at(4))
        shop.venue.owner.change("delete from public.calendar_rooms where room_id = %s", room)
        assert shop.look(by_staff)["reschedulable"] is False
        with refused(409, "not_reschedulable"):
            quote(shop, by_staff, starts_at=shop.at(5))
        shop.set_calendar(is_active=False)
        assert shop.look(paid)["reschedulable"] is False
        with refused(409, "not_reschedulable"):
            quote(shop, paid, starts_at=shop.at(5))

    def test_not_in_a_suspended_venue(self, shop: Shop, paid: Row) -> None:
        shop.house.owner_sql(
            "update public.organizations set status = 'suspended' where id = %s", shop.id
        )
        with refused(409, "not_reschedulable"):
            reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5))

    def test_a_twin_s_calendar_and_tiers_do_not_count(
        self, shop: Shop, twin: Shop, paid: Row
    ) -> None:
        # The twin has a calendar and a room with the same ids.
        shop.set_calendar(is_active=False)
        shop.house.owner_sql(
            "insert into public.calendars (organization_id, id, slug, name)"
            " values (%s, %s, 'same-id-calendar', 'Twin')",
            twin.id,
            shop.calendar_id,
        )
        with refused(409, "not_reschedulable"):
            quote(shop, paid, starts_at=shop.at(5))


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "code", "values"),
        [
            (422, "nothing_to_change", {}),
            (422, "nothing_to_change", {"party_size": 2, "exclusive": False}),
            (409, "total_changed", {"party_size": 3}),
            (422, "party_size_invalid", {"party_size": 7}),
            (422, "party_size_invalid", {"party_size": 1}),
            (422, "party_size_invalid", {"party_size": 0}),
            (422, "slot_in_past", {"starts_at": "2020-01-01T10:00Z"}),
            (422, "too_far_ahead", {"starts_at": "2200-01-01T10:00Z"}),
            (422, "exclusive_not_offered", {"exclusive": True}),
            (422, "expected_total_missing", {"total": None, "party_size": 3}),
            (422, "idempotency_key_invalid", {"idempotency_key": None}),
            (404, "room_not_found", {"room_id": str(uuid4())}),
            (404, "booking_not_found", {"manage_token": "guess"}),
            (404, "booking_not_found", {"reference": "0000-0000"}),
            (404, "booking_not_found", {"reference": None}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_cannot_be_changed_stays(
        self, shop: Shop, paid: Row, status: int, code: str, values: Row
    ) -> None:
        before = everything(shop)
        with refused(status, code):
            reschedule(shop, paid, **{"total": TOTAL, **values})
        assert everything(shop) == before

    def test_a_time_that_is_not_offered(self, shop: Shop, paid: Row) -> None:
        before = everything(shop)
        for clock in ("03:00", "12:10", "21:30"):
            with refused(422, "slot_not_offered"):
                reschedule(shop, paid, total=TOTAL, starts_at=shop.at(3, clock))
        assert everything(shop) == before

    def test_a_time_that_is_taken(self, shop: Shop, room: str, paid: Row) -> None:
        shop.hold(room, shop.at(5))
        before = everything(shop)
        for clock in ("11:00", "12:00", "13:00"):
            with refused(409, "slot_taken"):
                reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5, clock))
        assert everything(shop) == before

    def test_under_a_lapsed_hold_it_is_free(self, shop: Shop, room: str, paid: Row) -> None:
        shop.lapse(shop.hold(room, shop.at(5)))
        assert reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5))

    def test_rooms_that_the_calendar_does_not_sell(self, shop: Shop, twin: Shop, paid: Row) -> None:
        hidden = shop.add_room(is_published=False)
        for room in (hidden, twin.add_room()):
            with refused(404, "room_not_found"):
                reschedule(shop, paid, total=TOTAL, room_id=room)
        with refused(404, "room_not_found"):
            alter(shop, paid, room_id=twin.add_room())

    def test_the_new_total_is_told(self, shop: Shop, paid: Row) -> None:
        with refused(409, "total_changed") as caught:
            reschedule(shop, paid, total=TOTAL, party_size=3)
        assert caught.value.details == {"total_cents": 3 * PRICE}


class TestTheMoney:
    def test_a_dearer_booking_stays_confirmed_and_the_difference_is_open(
        self, shop: Shop, paid: Row
    ) -> None:
        quoted = quote(shop, paid, party_size=4)
        assert {
            name: quoted[name]
            for name in ("total_cents", "difference_cents", "refund_cents", "open_cents")
        } == {
            "total_cents": 4 * PRICE,
            "difference_cents": 2 * PRICE,
            "refund_cents": 0,
            "open_cents": 2 * PRICE,
        }
        seen = reschedule(shop, paid, total=4 * PRICE, party_size=4)
        assert (seen["status"], seen["open_cents"]) == ("confirmed", 2 * PRICE)
        assert (seen["due_now_cents"], seen["paid_cents"]) == (4 * PRICE, TOTAL)
        assert take(shop, paid, 2 * PRICE)["open_cents"] == 0
        assert promised(shop, paid) == []

    def test_a_cheaper_one_gives_back_the_difference_once(self, shop: Shop, held: Row) -> None:
        reschedule(shop, held, total=4 * PRICE, party_size=4)
        take(shop, held, 4 * PRICE)
        assert quote(shop, held, party_size=3)["refund_cents"] == PRICE
        seen = reschedule(shop, held, total=3 * PRICE, party_size=3)
        assert (seen["status"], seen["due_now_cents"]) == ("confirmed", 3 * PRICE)
        assert promised(shop, held) == [("changed", PRICE)]
        reschedule(shop, held, total=TOTAL, party_size=2)
        assert promised(shop, held) == [("changed", PRICE), ("changed", PRICE)]

    def test_a_balance_is_carried(self, shop: Shop, held: Row) -> None:
        """A part is paid; a change to what costs no more than that confirms."""
        take(shop, held, PRICE)
        cheap = shop.add_room(price_cents=PRICE, price_per="session")
        shop.open_on(cheap, "12:00", "13:00")
        seen = reschedule(shop, held, total=PRICE, room_id=cheap)
        assert (seen["status"], seen["open_cents"]) == ("confirmed", 0)
        assert promised(shop, held) == []

    def test_a_hold_that_became_too_cheap_gives_back(self, shop: Shop, held: Row) -> None:
        take(shop, held, PRICE + 100)
        cheap = shop.add_room(price_cents=PRICE, price_per="session")
        shop.open_on(cheap, "12:00", "13:00")
        seen = reschedule(shop, held, total=PRICE, room_id=cheap)
        assert seen["status"] == "confirmed"
        assert promised(shop, held) == [("changed", 100)]

    def test_what_was_paid_online_for_the_dearer_one_is_not_sent_back_by_a_later_report(
        self, shop: Shop, paid: Row
    ) -> None:
        """A deposit that is lower after the change leaves what was paid where it is."""
        shop.house.owner_sql(
            "update public.bookings set due_now_cents = 1000 where id = %s", shop.id_of(paid)
        )
        reschedule(shop, paid, total=TOTAL, starts_at=shop.at(5))
        assert row_of(shop, paid)["due_now_cents"] == TOTAL
        shop.house.owner_sql("select private.settle_booking(%s, %s)", shop.id, shop.id_of(paid))
        assert promised(shop, paid) == []

    def test_lines_are_those_of_the_new_quote(self, shop: Shop, paid: Row) -> None:
        seen = reschedule(shop, paid, total=3 * PRICE, party_size=3)
        assert [(line["quantity"], line["total_cents"]) for line in seen["lines"]] == [
            (3, 3 * PRICE)
        ]
        assert shop.venue.count("booking_lines") == 1


class TestSharedSessions:
    @pytest.fixture
    def room(self, shop: Shop) -> str:
        room = shop.add_room(
            mode="shared",
            minimum_party=1,
            maximum_party=6,
            capacity_limit=8,
            exclusive_price_cents=20_000,
        )
        shop.open_on(room, "10:00", "22:00", slot_interval_minutes=90)
        return room

    def seats(self, shop: Shop) -> list[tuple[int, int]]:
        return [
            (s["seats_taken"], s["capacity"]) for s in shop.sessions() if s["status"] == "scheduled"
        ]

    @pytest.fixture
    def held(self, shop: Shop, room: str) -> Row:
        return shop.hold(room, shop.at(3, "11:30"))

    def test_more_seats_while_there_are_some(self, shop: Shop, room: str, held: Row) -> None:
        shop.hold(room, shop.at(3, "11:30"), party_size=3)
        reschedule(shop, held, total=3 * PRICE, party_size=3)
        assert self.seats(shop) == [(6, 6)]
        with refused(409, "slot_taken"):
            reschedule(shop, held, total=4 * PRICE, party_size=4)
        reschedule(shop, held, total=PRICE, party_size=1)
        assert self.seats(shop) == [(4, 6)]

    def test_staff_go_up_to_the_limit_and_the_seats_leave_with_it(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        shop.hold(room, shop.at(3, "11:30"), party_size=4)
        alter(shop, held, party_size=4)
        assert self.seats(shop) == [(8, 8)]
        with refused(409, "slot_taken"):
            alter(shop, held, party_size=5)
        alter(shop, held, party_size=1)
        assert self.seats(shop) == [(5, 6)]

    def test_seats_of_lapsed_holds_are_free(self, shop: Shop, room: str, held: Row) -> None:
        lapsed = shop.hold(room, shop.at(3, "11:30"), party_size=4)
        shop.lapse(lapsed)
        reschedule(shop, held, total=6 * PRICE, party_size=6)
        assert self.seats(shop) == [(6, 6)]
        assert shop.look(lapsed)["status"] == "expired"

    def test_from_one_session_into_another(self, shop: Shop, room: str, held: Row) -> None:
        stays = shop.hold(room, shop.at(3, "11:30"), party_size=3)
        shop.hold(room, shop.at(3, "13:00"), party_size=4)
        reschedule(shop, held, total=TOTAL, starts_at=shop.at(3, "13:00"))
        assert self.seats(shop) == [(3, 6), (6, 6)]
        with refused(409, "slot_taken"):
            reschedule(shop, stays, total=3 * PRICE, starts_at=shop.at(3, "13:00"))

    def test_a_party_that_is_alone_gets_the_room_for_itself(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        take(shop, held, TOTAL)
        assert quote(shop, held, exclusive=True)["total_cents"] == 20_000
        seen = reschedule(shop, held, total=20_000, exclusive=True)
        assert (seen["exclusive"], seen["status"]) == (True, "confirmed")
        assert seen["open_cents"] == 20_000 - TOTAL
        assert self.seats(shop) == [(6, 6)]
        assert shop.history(held)[-1]["change"]["exclusive"] == [False, True]
        with refused(409, "slot_taken"):
            shop.hold(room, shop.at(3, "11:30"), party_size=1)
        with refused(409, "slot_taken"):
            book(shop, room, shop.at(3, "11:30"), party_size=1)

    def test_it_keeps_it_when_it_moves_and_may_give_it_up(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        reschedule(shop, held, total=20_000, exclusive=True)
        reschedule(shop, held, total=20_000, starts_at=shop.at(3, "13:00"))
        assert self.seats(shop) == [(6, 6)]
        # A larger party in a room that it has to itself is the same price here.
        alter(shop, held, party_size=8)
        assert self.seats(shop) == [(8, 8)]
        alter(shop, held, party_size=2)
        reschedule(shop, held, total=TOTAL, exclusive=False)
        assert self.seats(shop) == [(2, 6)]
        assert shop.hold(room, shop.at(3, "13:00"), party_size=4)

    def test_not_while_somebody_else_is_there(self, shop: Shop, room: str, held: Row) -> None:
        other = shop.hold(room, shop.at(3, "11:30"), party_size=1)
        before = everything(shop)
        with refused(409, "slot_taken"):
            reschedule(shop, held, total=20_000, exclusive=True)
        with refused(409, "slot_taken"):
            alter(shop, held, exclusive=True)
        assert everything(shop) == before
        shop.lapse(other)
        assert reschedule(shop, held, total=20_000, exclusive=True)["exclusive"] is True

    def test_in_a_private_room_everybody_is_alone_anyway(self, shop: Shop, held: Row) -> None:
        reschedule(shop, held, total=20_000, exclusive=True)
        private = shop.add_room()
        shop.open_on(private, "11:30", "12:30")
        seen = reschedule(shop, held, total=TOTAL, room_id=private)
        assert (seen["exclusive"], seen["total_cents"]) == (False, TOTAL)


class TestStaffChangeIt:
    def test_hours_notice_and_size_do_not_bind_them(self, shop: Shop, paid: Row) -> None:
        changed = alter(
            shop, paid, starts_at=shop.at(700, "03:17"), party_size=8, reason="By telephone"
        )
        assert (changed["status"], changed["party_size"]) == ("confirmed", 8)
        assert changed["open_cents"] == 6 * PRICE
        assert (changed["paid_cents"], changed["refunded_cents"]) == (TOTAL, 0)
        entry = shop.history(paid)[-1]
        assert (entry["actor_kind"], str(entry["actor_id"])) == ("user", shop.venue.owner.id)
        assert entry["reason"] == "By telephone"
        with refused(422, "party_size_invalid"):
            alter(shop, paid, party_size=9)

    def test_the_constraint_binds_them(self, shop: Shop, room: str, paid: Row) -> None:
        shop.hold(room, shop.at(5))
        before = everything(shop)
        with refused(409, "slot_taken"):
            alter(shop, paid, starts_at=shop.at(5, "12:17"))
        assert everything(shop) == before

    def test_a_party_that_came_with_one_more(self, shop: Shop, paid: Row) -> None:
        shop.start_in(paid, timedelta(hours=1))
        shop.move_now(paid, "checked_in")
        session = shop.sessions()[0]["id"]
        changed = alter(shop, paid, party_size=3)
        assert (changed["status"], changed["open_cents"]) == ("checked_in", PRICE)
        assert [(s["id"], s["seats_taken"]) for s in shop.sessions()] == [(session, 3)]

    @pytest.mark.parametrize("path", [["in_progress"], ["in_progress", "completed"]])
    def test_not_once_the_game_began(self, shop: Shop, paid: Row, path: list[str]) -> None:
        for status in ("checked_in", *path):
            shop.move(paid, status)
        with refused(409, "not_reschedulable"):
            alter(shop, paid, party_size=3)

    def test_not_a_lapsed_hold(self, shop: Shop, held: Row) -> None:
        shop.lapse(held)
        with refused(409, "not_reschedulable"):
            alter(shop, held, party_size=3)

    def test_a_price_that_was_agreed_holds_while_room_and_party_stay(
        self, shop: Shop, room: str
    ) -> None:
        booked = book(
            shop,
            room,
            shop.at(3),
            calendar_id=shop.calendar_id,
            price_cents=1_000,
            override_reason="A friend",
        )
        assert alter(shop, booked, starts_at=shop.at(4))["total_cents"] == 1_000
        assert quote(shop, booked, starts_at=shop.at(5))["total_cents"] == 1_000
        assert quote(shop, booked, party_size=3)["total_cents"] == 3 * PRICE
        changed = alter(shop, booked, party_size=3)
        assert changed["total_cents"] == 3 * PRICE
        assert shop.venue.count("price_overrides") == 0

    def test_a_price_alone_can_be_changed(self, shop: Shop, paid: Row) -> None:
        assert self.quote(shop, paid, price_cents=900, override_reason="Late")["refund_cents"] == (
            TOTAL - 900
        )
        changed = alter(shop, paid, price_cents=900, override_reason=" Late ")
        assert (changed["total_cents"], changed["status"]) == (900, "confirmed")
        (agreed,) = shop.venue.owner.select("select reason from public.price_overrides")
        assert agreed == {"reason": "Late"}
        assert promised(shop, paid) == [("changed", TOTAL - 900)]
        assert set(shop.history(paid)[-1]["change"]) == {"total_cents"}

    def test_a_pending_booking_keeps_no_seats_beyond_its_game(self, shop: Shop, room: str) -> None:
        booked = book(shop, room, shop.at(30))
        soon = shop.house.one("select now()") + timedelta(minutes=30)
        changed = alter(shop, booked, starts_at=soon)
        assert datetime.fromisoformat(changed["hold_expires_at"]) == soon + timedelta(hours=1)
        later = alter(shop, booked, starts_at=shop.at(30))
        assert later["hold_expires_at"] == changed["hold_expires_at"]

    @pytest.mark.parametrize(
        ("status", "code", "values"),
        [
            (422, "nothing_to_change", {}),
            (422, "party_size_invalid", {"party_size": 0}),
            (422, "start_invalid", {"starts_at": "infinity"}),
            (422, "slot_in_past", {"starts_at": "2020-01-01T10:00Z"}),
            (422, "too_far_ahead", {"starts_at": "2200-01-01T10:00Z"}),
            (422, "exclusive_not_offered", {"exclusive": True}),
            (422, "price_invalid", {"price_cents": -1, "override_reason": "x"}),
            (422, "override_reason_invalid", {"price_cents": 1}),
            (422, "override_reason_invalid", {"price_cents": 1, "override_reason": "\u0301"}),
            (409, "total_changed", {"party_size": 3, "expected_total_cents": TOTAL}),
            (422, "reason_too_long", {"party_size": 3, "reason": "x" * 501}),
            (422, "idempotency_key_invalid", {"idempotency_key": ""}),
            (404, "room_not_found", {"room_id": str(uuid4())}),
            (404, "booking_not_found", {"booking_id": str(uuid4())}),
            (404, "booking_not_found", {"booking_id": None}),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_what_cannot_be_changed_stays(
        self, shop: Shop, paid: Row, status: int, code: str, values: Row
    ) -> None:
        before = everything(shop)
        with refused(status, code):
            alter(shop, paid, **values)
        if code not in ("nothing_to_change", "total_changed", "reason_too_long") and (
            "idempotency_key" not in values
        ):
            with refused(status, code):
                self.quote(shop, paid, **values)
        assert everything(shop) == before

    def test_a_replay_changes_nothing_more(self, shop: Shop, paid: Row) -> None:
        first = alter(shop, paid, party_size=3, idempotency_key="desk")
        before = everything(shop)
        assert alter(shop, paid, party_size=3, idempotency_key="desk") == first
        for other in ({"party_size": 4}, {"party_size": 3, "reason": "x"}):
            with refused(422, "idempotency_key_reused"):
                alter(shop, paid, idempotency_key="desk", **other)
        assert everything(shop) == before

    def test_who_may(self, shop: Shop, twin: Shop, paid: Row) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        assert alter(shop, paid, by=anna, party_size=3)["party_size"] == 3
        assert self.quote(shop, paid, by=anna, party_size=4)["total_cents"] == 4 * PRICE
        for person in (shop.venue.hire("gil", "game_master"), twin.venue.owner):
            for ask in (alter, self.quote):
                with refused(403, "permission_denied"):
                    ask(shop, paid, by=person, party_size=4)
        with refused(401, "42501"):
            alter(shop, paid, by=shop.visitor, party_size=4)
        with refused(403, "permission_denied"):
            self.quote(shop, paid, by=anna, price_cents=1, override_reason="x")

    def test_a_twin_with_the_same_ids_is_left_alone(
        self, shop: Shop, twin: Shop, paid: Row
    ) -> None:
        """Another venue whose booking, session, room and lines have the very same ids."""
        copy_tenant(shop, twin, ("customers", "sessions", "bookings", "booking_lines"))
        before = everything(twin)
        alter(shop, paid, party_size=3)
        alter(shop, paid, starts_at=shop.at(5))
        reschedule(shop, paid, total=3 * PRICE, starts_at=shop.at(6))
        assert everything(twin) == before

    def quote(self, shop: Shop, booking: Row, by: Client | None = None, **values: object) -> Row:
        quoted: Row = (by or shop.venue.owner).call(
            "quote_change",
            **{"organization_id": shop.id, "booking_id": shop.id_of(booking), **values},
        )
        return quoted


class TestDaysOnWhichTheClocksChange:
    def test_a_booking_moves_over_the_gap_and_the_fold(self, house: House) -> None:
        shop = open_shop(house, "Venue", maximum_advance_days=730)
        room = shop.add_room(turnaround_minutes=0)
        shop.open_on(room, "00:00", "06:00")
        held = shop.hold(room, shop.at(3, "01:00"))
        gap, fold = next_transitions(shop)

        def local(day: datetime, clock: str) -> datetime:
            return datetime.fromisoformat(f"{day.date()}T{clock}").replace(tzinfo=shop.zone)

        # 02:00 does not exist on the one day; 01:00 is followed by 03:00.
        for clock, span in (("01:00", 1), ("03:00", 1)):
            seen = reschedule(shop, held, total=TOTAL, starts_at=local(gap, clock))
            starts, ends = (datetime.fromisoformat(seen[at]) for at in ("starts_at", "ends_at"))
            assert ends - starts == timedelta(hours=span)
        # 02:00 is there twice on the other; the second one is offered.
        twice = local(fold, "02:00")
        first, second = twice.replace(fold=0), twice.replace(fold=1)
        with refused(422, "slot_not_offered"):
            reschedule(shop, held, total=TOTAL, starts_at=first)
        seen = reschedule(shop, held, total=TOTAL, starts_at=second)
        assert datetime.fromisoformat(seen["starts_at"]) == second.astimezone(UTC)
        # Staff may have the first as well.
        assert alter(shop, held, starts_at=first)["status"] == "held"


def next_transitions(shop: Shop) -> tuple[datetime, datetime]:
    """The next days in Madrid with a gap and with a fold, at noon."""
    zone = ZoneInfo("Europe/Madrid")
    found: dict[int, datetime] = {}
    for days in range(2, 400):
        noon = shop.at(days)
        before = (noon - timedelta(days=1)).astimezone(zone)
        step = (noon.utcoffset() or timedelta()) - (before.utcoffset() or timedelta())
        if step:
            found.setdefault(1 if step > timedelta() else -1, noon)
    return found[1], found[-1]
