"""Several rooms in one order: all or nothing, one link, cancelled and moved together or apart."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop, open_shop, taking
from db.changes_world import alter, everything, key, promised, take
from db.changes_world import book as desk_book
from db.invariants import broken_promises
from db.orders_world import (
    book,
    cancel,
    change,
    hold,
    item,
    look,
    move,
    quote,
    reschedule,
    starts,
    statuses,
)
from db.test_booking_concurrency import guest, outcomes, race
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

HOUR = timedelta(hours=1)
#: A game and what is put in order after it.
ROUND = timedelta(minutes=90)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def rooms(shop: Shop) -> list[str]:
    made = [shop.add_room(name=name) for name in ("La Cripta", "El Faro", "La Mina")]
    for room in made:
        shop.open_on(room, "10:00", "22:00")
    return made


@pytest.fixture
def start(shop: Shop) -> datetime:
    return shop.at(3, "11:30")


@pytest.fixture
def at_once(rooms: list[str], start: datetime) -> list[Row]:
    """Three rooms at the same time."""
    return [item(room, start, 2 + n) for n, room in enumerate(rooms)]


def detail(refusal: Any) -> Any:
    return refusal.value.details


class TestQuoteAndHold:
    def test_one_quote_is_the_sum_of_the_bookings_and_a_hold_takes_all_of_them(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        quoted = quote(shop, at_once)
        assert [b["total_cents"] for b in quoted["bookings"]] == [
            2 * PRICE,
            3 * PRICE,
            4 * PRICE,
        ]
        assert quoted["total_cents"] == quoted["due_now_cents"] == 9 * PRICE
        assert quoted["tax_cents"] == sum(b["tax_cents"] for b in quoted["bookings"])
        assert quoted["currency"] == "EUR"

        held = hold(shop, at_once, total=quoted["total_cents"])
        assert statuses(held) == ["held"] * 3
        assert held["total_cents"] == held["due_now_cents"] == held["payable_cents"] == 9 * PRICE
        assert {b["hold_expires_at"] for b in held["bookings"]} == {held["hold_expires_at"]}
        assert len({b["reference"] for b in held["bookings"]}) == 3
        assert sorted(s["seats_taken"] for s in shop.sessions()) == [2, 3, 4]
        assert shop.house.one("select count(*) from public.customers") == 1

    def test_an_order_is_paid_in_one_and_not_split_between_payers(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        shop.venue.owner.change("update public.organizations set split_hold_hours = 2")
        held = hold(shop, at_once)
        with refused(409, "split_not_offered"):
            shop.visitor.call(
                "split_booking",
                reference=held["bookings"][0]["reference"],
                manage_token=held["order_token"],
                shares=Jsonb([{"name": "Ben"}]),
                idempotency_key=key(),
                method="equal",
            )

    def test_one_room_after_the_other_is_an_order_and_seats_of_one_shared_session_are(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        held = hold(shop, [item(rooms[0], start + ROUND), item(rooms[0], start)])
        assert starts(held) == [start, start + ROUND]

        shared = shop.add_room(mode="shared")
        shop.open_on(shared, "10:00", "22:00")
        both = hold(shop, [item(shared, start, 2), item(shared, start, 3)])
        assert statuses(both) == ["held", "held"]
        (session,) = [s for s in shop.sessions() if s["mode"] == "shared"]
        assert session["seats_taken"] == 5

    def test_extras_answers_and_terms_belong_to_each_booking(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        photo = shop.add_extra()
        wanted = [
            item(rooms[0], start, extras=[taking(photo)]),
            item(
                rooms[1],
                start,
                expected_terms=quote(shop, [item(rooms[1], start)])["bookings"][0]["terms"],
            ),
        ]
        held = hold(shop, wanted, total=4 * PRICE + 500, customer_note="Ana, 30 people")
        extras = {b["room_id"]: [x["quantity"] for x in b["extras"]] for b in held["bookings"]}
        assert extras == {rooms[0]: [1], rooms[1]: []}
        assert {b["customer_note"] for b in held["bookings"]} == {"Ana, 30 people"}

        with refused(409, "terms_changed") as refusal:
            hold(shop, [item(rooms[2], start, expected_terms={"tiers": []})])
        assert detail(refusal)["item"] == 1

    def test_the_same_key_is_the_same_order_and_shows_it_as_it_is(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        held = hold(shop, at_once, idempotency_key="once")
        cancel(shop, held, held["bookings"][0])
        again = hold(shop, at_once, idempotency_key="once")
        assert (again["reference"], again["order_token"]) == (
            held["reference"],
            held["order_token"],
        )
        assert sorted(statuses(again)) == ["cancelled", "held", "held"]
        with refused(422, "idempotency_key_reused"):
            hold(shop, at_once[:2], idempotency_key="once")

    def test_what_costs_nothing_is_confirmed_at_once_and_waits_with_what_does_not(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        shop.set_room(rooms[0], price_cents=0)
        shop.set_room(rooms[1], price_cents=0)
        free = hold(shop, [item(rooms[0], start), item(rooms[1], start)], total=0)
        assert statuses(free) == ["confirmed", "confirmed"]
        assert free["hold_expires_at"] is None

        mixed = hold(
            shop, [item(rooms[0], start + ROUND), item(rooms[2], start + ROUND)], total=2 * PRICE
        )
        assert statuses(mixed) == ["held", "held"]
        assert mixed["due_now_cents"] == 2 * PRICE

    def test_one_mail_asks_for_all_and_its_link_confirms_all(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        shop.set_calendar(confirm_by_email=True)
        for room in rooms:
            shop.set_room(room, price_cents=0)
        held = hold(shop, [item(room, start) for room in rooms], total=0)
        assert statuses(held) == ["held"] * 3
        (mail,) = shop.house.owner_sql(
            "select payload ->> 'booking_id' as booking_id from private.jobs"
            " where organization_id = %s and payload ->> 'template' = 'booking_to_confirm'",
            shop.id,
        )
        asked = next(b for b in held["bookings"] if shop.id_of(b) == mail["booking_id"])
        token = shop.house.one(
            "select private.derived_token('confirmation', %s)", mail["booking_id"]
        )
        shop.visitor.call("confirm_booking", reference=asked["reference"], confirmation_token=token)
        assert statuses(look(shop, held)) == ["confirmed"] * 3


class TestAllOrNothing:
    def test_a_refusal_names_the_booking_and_nothing_of_the_order_is_left(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        shop.hold(rooms[1], start)
        before = everything(shop)
        wanted = [item(rooms[0], start), item(rooms[2], start), item(rooms[1], start)]
        with refused(409, "slot_taken") as refusal:
            hold(shop, wanted)
        assert detail(refusal) == {"item": 3}
        with refused(409, "slot_taken") as refusal:
            book(shop, wanted)
        assert detail(refusal) == {"item": 3}
        assert everything(shop) == before
        assert shop.house.one("select count(*) from public.booking_orders") == 0

    def test_two_bookings_of_an_order_that_overlap_are_refused(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        with refused(409, "slot_taken") as refusal:
            hold(shop, [item(rooms[0], start), item(rooms[0], start)])
        assert detail(refusal) == {"item": 2}

    def test_the_last_of_an_extra_is_sold_once(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        sold_out = shop.add_extra(stock_per_session=0)
        wanted = [item(rooms[0], start, extras=[taking(sold_out)])]
        with refused(409, "extra_sold_out") as refusal:
            quote(shop, [item(rooms[1], start), *wanted])
        assert detail(refusal)["item"] == 2

    @pytest.mark.parametrize(
        ("more", "status", "code"),
        [
            ({"party_size": 7}, 422, "party_size_invalid"),
            ({"room_id": "00000000-0000-4000-8000-000000000000"}, 404, "room_not_found"),
            ({"starts_at": "2001-01-01T00:00:00Z"}, 422, "slot_in_past"),
            ({"exclusive": True}, 422, "exclusive_not_offered"),
            ({"extras": [{"extra_id": "x"}]}, 422, "extras_invalid"),
            ({"fields": {"unasked": 1}}, 422, "field_invalid"),
            ({"fields": []}, 422, "field_invalid"),
            ({"colour": "red"}, 422, "items_invalid"),
            ({"price_cents": 1}, 422, "items_invalid"),
            ({"party_size": "2"}, 422, "items_invalid"),
            ({"party_size": 2.5}, 422, "items_invalid"),
            ({"room_id": "attic"}, 422, "items_invalid"),
            ({"starts_at": "soon"}, 422, "items_invalid"),
            ({"exclusive": "yes"}, 422, "items_invalid"),
        ],
    )
    def test_what_is_wrong_with_one_of_them_is_said_of_that_one(
        self, shop: Shop, rooms: list[str], start: datetime, more: Row, status: int, code: str
    ) -> None:
        wanted = [item(rooms[0], start), {**item(rooms[1], start), **more}]
        with refused(status, code) as refusal:
            hold(shop, wanted)
        assert detail(refusal)["item"] == 2

    @pytest.mark.parametrize("items", [[], {}, None, "two", [1], [[]], [{}] * 11])
    def test_an_order_is_a_list_of_one_to_ten(self, shop: Shop, items: object) -> None:
        with refused(422, "items_invalid") as refusal:
            shop.visitor.call("quote_order", slug=shop.slug, items=Jsonb(items))
        assert detail(refusal)["maximum"] == 10
        with refused(422, "items_invalid"):
            shop.visitor.call(
                "hold_order",
                slug=shop.slug,
                items=Jsonb(items),
                customer=GUEST,
                expected_total_cents=0,
                idempotency_key=key(),
            )

    def test_the_sum_is_what_was_shown(self, shop: Shop, at_once: list[Row]) -> None:
        with refused(409, "total_changed") as refusal:
            hold(shop, at_once, total=1)
        assert detail(refusal) == {"total_cents": 9 * PRICE}

    def test_an_order_counts_as_so_many_holds_and_so_many_bookings_of_the_plan(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        shop.set_calendar(holds_per_address=2)
        visitor = shop.visitor.sending(**{"x-forwarded-for": "203.0.113.77"})
        with refused(429, "too_many_holds"):
            hold(shop, at_once, by=visitor)
        held = hold(shop, at_once[:2], by=visitor)
        assert statuses(held) == ["held", "held"]
        hits = shop.house.one(
            "select sum(hits) from private.rate_limits where action = 'hold_booking/target'"
        )
        assert hits == 2


class TestTheLink:
    def test_whoever_has_the_link_sees_the_order_and_each_of_its_bookings(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        held = hold(shop, at_once)
        seen = look(shop, held)
        assert seen["total_cents"] == seen["open_cents"] == 9 * PRICE
        assert (seen["cancellable"], seen["reschedulable"], seen["payment_open"]) == (
            True,
            True,
            False,
        )
        for booking in held["bookings"]:
            alone = shop.look({**booking, "manage_token": held["order_token"]})
            assert alone["reference"] == booking["reference"]

    def test_neither_the_token_of_a_booking_nor_that_of_another_order_opens_it(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        held = hold(shop, [item(rooms[0], start), item(rooms[1], start)])
        other = hold(shop, [item(rooms[2], start)])
        own = held["bookings"][0]
        for token in (
            own["manage_token"],
            other["order_token"],
            "",
            held["order_token"][::-1],
        ):
            with refused(404, "order_not_found"):
                look(shop, {**held, "order_token": token})
        with refused(404, "order_not_found"):
            look(shop, {**held, "reference": own["reference"]})
        with refused(404, "booking_not_found"):
            shop.look({**own, "manage_token": other["order_token"]})
        with refused(404, "booking_not_found"):
            shop.look({**held["bookings"][1], "manage_token": own["manage_token"]})


class TestCancelling:
    def test_all_together_each_by_its_own_terms(self, shop: Shop, rooms: list[str]) -> None:
        soon, later = shop.at(3, "11:30"), shop.at(30, "11:30")
        made = book(shop, [item(rooms[0], soon), item(rooms[1], later)])
        shop.house.owner_sql(
            "update public.bookings set terms = jsonb_set(terms, '{tiers}', %s::jsonb)"
            " where organization_id = %s and order_id = %s",
            Jsonb([{"hours_before": 240, "refund_percent": 100}]),
            shop.id,
            made["id"],
        )
        for booking in made["bookings"]:
            take(shop, booking, 2 * PRICE)
        seen = cancel(shop, made)
        assert statuses(seen) == ["cancelled", "cancelled"]
        assert [promised(shop, b) for b in made["bookings"]] == [[], [("cancelled", 2 * PRICE)]]
        assert (seen["total_cents"], seen["open_cents"]) == (0, 0)
        assert not seen["cancellable"]
        assert cancel(shop, made) == seen

    def test_apart_and_the_others_stay(self, shop: Shop, at_once: list[Row]) -> None:
        held = hold(shop, at_once)
        seen = cancel(shop, held, held["bookings"][1])
        assert statuses(seen) == ["held", "cancelled", "held"]
        shop.cancel(held["bookings"][2])
        assert statuses(look(shop, held)) == ["held", "cancelled", "cancelled"]

    def test_all_or_none_and_only_of_the_order(self, shop: Shop, at_once: list[Row]) -> None:
        made = book(shop, at_once)
        move(shop, made, "confirmed")
        shop.start_in(made["bookings"][1], timedelta(minutes=-5))
        with refused(409, "not_cancellable") as refusal:
            cancel(shop, made, made["bookings"][0], made["bookings"][1])
        assert detail(refusal) == {"reference": made["bookings"][1]["reference"]}
        assert statuses(look(shop, made)) == ["confirmed"] * 3
        with refused(404, "booking_not_found") as refusal:
            cancel(shop, made, {"reference": "0000-0000"})
        assert detail(refusal) == {"reference": "0000-0000"}
        # What is over is none of those that are still to come.
        assert sorted(statuses(cancel(shop, made))) == ["cancelled", "cancelled", "confirmed"]


class TestMoving:
    def test_all_by_the_same_shift_though_each_takes_the_place_of_the_other(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        wanted = [item(rooms[0], start), item(rooms[0], start + ROUND), item(rooms[1], start)]
        held = hold(shop, wanted)
        for to in (start + ROUND, start):
            quoted = shop.visitor.call(
                "quote_order_change",
                reference=held["reference"],
                order_token=held["order_token"],
                starts_at=to,
            )
            assert (quoted["total_cents"], quoted["difference_cents"]) == (6 * PRICE, 0)
            moved = reschedule(shop, held, to, quoted["total_cents"])
            assert starts(moved) == [to, to, to + ROUND]
        assert [s["seats_taken"] for s in shop.sessions() if s["status"] == "scheduled"] == [
            2,
            2,
            2,
        ]

    def test_all_or_none_and_the_refusal_names_the_booking(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        held = hold(shop, [item(rooms[0], start), item(rooms[1], start)])
        shop.hold(rooms[1], start + 2 * ROUND)
        with refused(409, "slot_taken") as refusal:
            reschedule(shop, held, start + 2 * ROUND, 4 * PRICE)
        in_the_way = next(b for b in held["bookings"] if b["room_id"] == rooms[1])
        assert detail(refusal) == {"reference": in_the_way["reference"]}
        assert starts(look(shop, held)) == [start, start]

    def test_what_a_move_refuses_changes_nothing(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        held = hold(shop, [item(rooms[0], start), item(rooms[1], start)])
        before = everything(shop)
        for to, total, status, code in (
            (None, 1, 422, "start_invalid"),
            (datetime.max.replace(tzinfo=start.tzinfo), 1, 422, "start_invalid"),
            (start, 4 * PRICE, 422, "nothing_to_change"),
            (start + ROUND, None, 422, "expected_total_missing"),
            (start + ROUND, 1, 409, "total_changed"),
            (start + HOUR / 4, 4 * PRICE, 422, "slot_not_offered"),
        ):
            with refused(status, code):
                reschedule(shop, held, to, total)
        with refused(409, "terms_changed"):
            reschedule(
                shop, held, start + ROUND, 4 * PRICE, expected_terms=Jsonb([{"tiers": 1}, None])
            )
        assert everything(shop) == before
        cancel(shop, held)
        with refused(409, "not_reschedulable"):
            reschedule(shop, held, start + ROUND, 4 * PRICE)

    def test_one_alone_and_then_the_rest_keeps_the_distance(
        self, shop: Shop, rooms: list[str], start: datetime
    ) -> None:
        made = book(shop, [item(rooms[0], start), item(rooms[1], start)])
        alter(shop, made["bookings"][1], starts_at=start + 2 * ROUND)
        moved = change(shop, made, start + ROUND, reason="The bus is late")
        assert starts(moved) == [start + ROUND, start + 3 * ROUND]
        with refused(404, "order_not_found"):
            change(shop, {"id": shop.id}, start)
        with refused(422, "reason_too_long"):
            change(shop, made, start, reason="x" * 501)


class TestTheDesk:
    def test_staff_order_several_rooms_which_are_paid_confirmed_and_run_together_or_apart(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        made = book(shop, at_once, pay_within_hours=2, staff_note="Company")
        assert statuses(made) == ["pending"] * 3
        assert len({b["hold_expires_at"] for b in made["bookings"]}) == 1
        assert (made["total_cents"], made["open_cents"]) == (9 * PRICE, 9 * PRICE)
        assert [b["manage_token"] for b in made["bookings"]] == [None] * 3

        take(shop, made["bookings"][0], made["bookings"][0]["total_cents"])
        assert sorted(statuses(look(shop, made))) == ["confirmed", "pending", "pending"]
        done = move(shop, made, "confirmed")
        assert statuses(done) == ["confirmed"] * 3
        only = [done["bookings"][1]["id"]]
        apart = move(
            shop, made, "cancelled", reason="One team is ill", refund="terms", booking_ids=only
        )
        assert sorted(statuses(apart)) == ["cancelled", "confirmed", "confirmed"]
        for booking in apart["bookings"]:
            shop.start_in(booking, HOUR)
        there = move(shop, made, "checked_in")
        assert sorted(statuses(there)) == ["cancelled", "checked_in", "checked_in"]

    def test_a_move_that_one_of_them_refuses_moves_none(
        self, shop: Shop, at_once: list[Row]
    ) -> None:
        made = book(shop, at_once)
        move(shop, made, "confirmed", booking_ids=[b["id"] for b in made["bookings"][:2]])
        for booking in made["bookings"]:
            shop.start_in(booking, HOUR)
        with refused(409, "transition_not_allowed") as refusal:
            move(shop, made, "checked_in")
        assert "reference" in detail(refusal)
        for ids in ([shop.id], [None], [made["bookings"][0]["id"], shop.id]):
            with refused(404, "booking_not_found"):
                move(shop, made, "cancelled", booking_ids=ids)
        with refused(404, "order_not_found"):
            move(shop, {"id": shop.id}, "cancelled")

    def test_a_price_of_its_own_for_one_of_them(self, shop: Shop, at_once: list[Row]) -> None:
        at_once[0]["price_cents"] = 1_000
        with refused(422, "override_reason_invalid"):
            book(shop, at_once)
        made = book(
            shop,
            at_once,
            override_reason="A hundred visits",
            expected_total_cents=1_000 + 7 * PRICE,
        )
        assert made["total_cents"] == 1_000 + 7 * PRICE

    def test_the_same_key_is_the_same_order(self, shop: Shop, at_once: list[Row]) -> None:
        again = key()
        made = book(shop, at_once, idempotency_key=again)
        assert book(shop, at_once, idempotency_key=again) == made

    @pytest.mark.parametrize(
        ("values", "status", "code"),
        [
            ({"source": "fax"}, 422, "source_invalid"),
            ({"staff_note": "x" * 5001}, 422, "note_too_long"),
            ({"pay_within_hours": 0}, 422, "pay_within_invalid"),
            ({"calendar_id": "00000000-0000-4000-8000-000000000000"}, 404, "calendar_not_found"),
            ({"customer": {}}, 422, "customer_invalid"),
            ({"expected_total_cents": 1}, 409, "total_changed"),
        ],
    )
    def test_what_is_wrong_with_all_of_it_is_refused(
        self, shop: Shop, at_once: list[Row], values: Row, status: int, code: str
    ) -> None:
        with refused(status, code):
            book(shop, at_once, **values)

    def test_another_venue_neither_sees_nor_touches_it(
        self, shop: Shop, at_once: list[Row], start: datetime
    ) -> None:
        made = book(shop, at_once)
        rival = open_shop(shop.house, "Rival")
        assert rival.venue.owner.select("select * from public.booking_orders") == []
        with refused(404, "order_not_found"):
            move(rival, made, "cancelled")
        with refused(404, "order_not_found"):
            change(rival, made, start)
        with refused(404, "room_not_found"):
            book(rival, at_once)


class TestAtTheSameMoment:
    """Real connections, committed transactions; right whoever comes first."""

    ROUNDS = 12

    @pytest.fixture
    def busy(self, track: Track) -> Shop:
        return open_shop(track.house, track.name("Orders"), hold_minutes=120)

    def test_orders_of_the_same_rooms_in_opposite_order_never_wait_for_each_other(
        self, busy: Shop, track: Track
    ) -> None:
        made = [busy.add_room(turnaround_minutes=0) for _ in range(3)]
        for room in made:
            busy.open_on(room, "09:00", "21:00")
        clients = [track.alone(busy.visitor) for _ in range(4)]
        for number in range(self.ROUNDS):
            start = busy.at(3 + number, "11:00")
            wanted = [item(room, start) for room in made]
            wanted += [item(made[0], start + HOUR)]

            def work(
                client: Client, who: int, wanted: list[Row] = wanted, start: datetime = start
            ) -> Row:
                if who == 3:  # One booking alone takes no room's lock.
                    return busy.hold(made[1], start, by=client, customer=guest(who))
                ordered = wanted if who % 2 else wanted[::-1]
                return hold(busy, ordered, by=client, customer=guest(who))

            results = race(clients, work)
            assert set(outcomes(results)) == {"ok", "409 slot_taken"}, outcomes(results)
            assert outcomes(results)["ok"] == 1
            live = [s for s in busy.sessions() if s["starts_at"] >= start]
            assert sum(s["status"] == "scheduled" for s in live) in (1, 4)

    def test_orders_without_a_room_in_common_are_both_made(self, busy: Shop, track: Track) -> None:
        made = [busy.add_room() for _ in range(4)]
        for room in made:
            busy.open_on(room, "09:00", "21:00")
        clients = [track.alone(busy.visitor) for _ in range(2)]
        for number in range(self.ROUNDS):
            start = busy.at(3 + number, "12:00")

            def work(client: Client, who: int, start: datetime = start) -> Row:
                return hold(busy, [item(room, start) for room in made[who::2]], by=client)

            results = race(clients, work)
            assert outcomes(results) == {"ok": 2}

    def test_an_order_that_ends_a_lapsed_hold_and_a_move_out_of_that_room_never_wait_for_each_other(
        self, busy: Shop, track: Track
    ) -> None:
        made = sorted(busy.add_room(turnaround_minutes=0) for _ in range(2))
        for room in made:
            busy.open_on(room, "09:00", "21:00")
        clients = [track.alone(busy.visitor), track.alone(busy.venue.owner)]
        for number in range(self.ROUNDS):
            start = busy.at(3 + number, "11:00")
            busy.lapse(busy.hold(made[1], start))
            staying = desk_book(busy, made[1], start + 2 * HOUR, customer=guest(200 + number))

            def work(
                client: Client, who: int, start: datetime = start, staying: Row = staying
            ) -> Row:
                if who:
                    return alter(busy, staying, by=client, room_id=made[0], starts_at=start)
                return hold(busy, [item(room, start) for room in made], by=client)

            results = race(clients, work)
            assert outcomes(results) == {"ok": 1, "409 slot_taken": 1}, outcomes(results)

    def test_an_order_that_is_moved_cancelled_and_changed_at_once_stays_whole(
        self, busy: Shop, track: Track
    ) -> None:
        made = [busy.add_room(turnaround_minutes=0) for _ in range(2)]
        for room in made:
            busy.open_on(room, "09:00", "21:00")
        clients = [track.alone(c) for c in (busy.visitor, busy.visitor, busy.venue.owner)]
        for number in range(self.ROUNDS):
            start = busy.at(3 + number, "11:00")
            order = book(busy, [item(room, start) for room in made], customer=guest(300 + number))

            def work(client: Client, who: int, order: Row = order, start: datetime = start) -> Row:
                mine: Row
                if who == 0:
                    mine = client.call(
                        "cancel_order",
                        reference=order["reference"],
                        order_token=order["order_token"],
                    )
                elif who == 1:
                    mine = client.call(
                        "cancel_booking",
                        reference=order["bookings"][1]["reference"],
                        manage_token=order["order_token"],
                    )
                else:
                    mine = change(busy, order, start + HOUR, by=client)
                return mine

            results = race(clients, work)
            assert set(outcomes(results)) <= {"ok", "409 not_reschedulable"}, outcomes(results)
            assert statuses(look(busy, order)) == ["cancelled", "cancelled"]
            assert not [
                s for s in busy.sessions() if s["starts_at"] >= start and s["status"] == "scheduled"
            ]
        assert broken_promises(track.house, busy.id) == {}
