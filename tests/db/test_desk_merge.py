"""Two bookings of one session made one, with their people and, to the cent, their money."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from random import Random
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db import orders_world as orders
from db.booking_world import GUEST, PRICE, Row, Shop, open_shop, taking
from db.changes_world import alter, book, promised, take
from db.invariants import broken_promises
from matrix.house import House
from matrix.promises import refused

_numbers = count(1)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    return open_room(shop)


def open_room(shop: Shop, **values: object) -> str:
    room = shop.add_room(
        mode="shared", minimum_party=1, maximum_party=12, waiver_policy="optional", **values
    )
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def start(shop: Shop) -> datetime:
    return shop.at(30, "11:30")


def merge(shop: Shop, keep: Row, other: Row, by: Client | None = None, **values: Any) -> Row:
    merged: Row = (by or shop.venue.owner).call(
        "merge_bookings",
        organization_id=shop.id,
        keep_id=keep["id"],
        merge_id=other["id"],
        **values,
    )
    return merged


def confirmed(shop: Shop, room: str, start: datetime, party_size: int, **values: Any) -> Row:
    booking = book(shop, room, start, party_size=party_size, **values)
    if booking["status"] == "pending":
        shop.move_now(booking, "confirmed")
    return booking


def pay_online(shop: Shop, booking: Row, cents: int) -> str:
    """Money that the provider reported; its name there."""
    intent = f"pi_merge_{next(_numbers)}"
    shop.house.owner_sql(
        "select private.receive_payment(row(b.organization_id, null, b.id, 'stripe', %s,"
        " b.currency, %s, %s, now(), null, null, null, 0)::public.payments)"
        " from public.bookings as b where b.organization_id = %s and b.id = %s",
        cents,
        intent,
        f"cs_{intent}",
        shop.id,
        booking["id"],
    )
    return intent


def row_of(shop: Shop, booking: Row) -> Row:
    (row,) = shop.house.owner_sql(
        "select * from public.bookings where organization_id = %s and id = %s",
        shop.id,
        booking["id"],
    )
    return row


def mails(shop: Shop, booking: Row) -> list[tuple[str, bool]]:
    """Mails about the booking's steps that were queued, and whether they would still be sent."""
    return [
        (row["template"], row["says"])
        for row in shop.house.owner_sql(
            "select payload ->> 'template' as template,"
            " private.announcement_content(organization_id, payload) is not null as says"
            " from private.jobs where kind = 'email.send' and payload ->> 'booking_id' = %s"
            " and payload ? 'history_id' order by id",
            booking["id"],
        )
    ]


def test_people_seats_and_money_are_added_up_and_each_refund_goes_the_way_it_came(
    shop: Shop, room: str, start: datetime
) -> None:
    extra = shop.add_extra()
    voucher = shop.add_voucher(1_000)
    kept = confirmed(shop, room, start, 2)
    other = confirmed(shop, room, start, 3, extras=[taking(extra)], voucher_code=voucher["code"])
    take(shop, kept, 1_200)
    intent = pay_online(shop, other, 3_000)
    desk = shop.venue.hire("desk", "receptionist")
    shop.venue.owner.call(
        "refund_booking",
        organization_id=shop.id,
        booking_id=kept["id"],
        amount_cents=200,
        reason="A late start",
        idempotency_key="before",
    )
    session = row_of(shop, kept)["session_id"]

    def balances() -> list[Row]:
        rows: list[Row] = shop.venue.owner.select(
            "select account, balance_cents from public.ledger_balances(%s)", shop.id
        )
        return [r for r in rows if r["account"] not in ("charges", "sales", "tax")]

    before = balances()

    answer = merge(shop, kept, other, desk)

    assert (answer["party_size"], answer["seats"], answer["status"]) == (5, 5, "confirmed")
    assert answer["total_cents"] == 5 * PRICE + 500
    # What staff gave back (200) is not asked for again.
    assert (answer["paid_cents"], answer["open_cents"]) == (5_200, 5 * PRICE + 500 - 5_200)
    assert [one["quantity"] for one in answer["extras"]] == [1]
    # It is the same session with the same seats, and no money has moved.
    taken = row_of(shop, kept)
    assert taken["session_id"] == session
    (stored,) = [s for s in shop.sessions() if s["id"] == session]
    assert (stored["seats_taken"], stored["status"]) == (5, "scheduled")
    assert balances() == before
    assert broken_promises(shop.house, shop.id) == {}
    # Sold is, of what is there now, the part that both were priced with.
    lines = shop.look(kept)["lines"]
    assert [(line["kind"], line["total_cents"]) for line in lines] == [
        ("base", 2 * PRICE),
        ("base", 3 * PRICE),
        ("extra", 500),
    ]

    # Asked again, it is so already.
    assert merge(shop, kept, other) == answer
    assert len(shop.history(kept)) == 3

    gone = row_of(shop, other)
    assert (gone["status"], gone["status_reason"], str(gone["merged_into_id"])) == (
        "cancelled",
        "merged",
        kept["id"],
    )
    last = shop.history(kept)[-1]
    assert (last["reason"], last["to_status"], str(last["actor_id"])) == (
        "merged",
        "confirmed",
        desk.id,
    )
    assert last["change"]["party_size"] == [2, 5]
    assert last["change"]["total_cents"] == [2 * PRICE, 5 * PRICE + 500]
    assert shop.history(other)[-1]["reason"] == "merged"
    # The customer hears of one change, and of no cancellation.
    assert mails(shop, kept) == [("booking_confirmed", True), ("booking_rescheduled", True)]
    assert mails(shop, other) == [("booking_confirmed", False)]

    # All goes back the way it came: to the card, on the voucher, over the counter.
    shop.move_now(kept, "cancelled")
    assert sorted(promised(shop, kept)) == [
        ("cancelled", 1_000),
        ("cancelled", 1_000),
        ("cancelled", 3_000),
        ("staff", 200),
    ]
    assert shop.voucher(voucher)["balance_cents"] == 1_000
    (back,) = shop.house.owner_sql(
        "select p.provider_payment_id from private.refund_requests as q"
        " join public.payments as p"
        " on p.organization_id = q.organization_id and p.id = q.payment_id"
        " where q.organization_id = %s and q.amount_cents = 3000",
        shop.id,
    )
    assert back["provider_payment_id"] == intent
    assert broken_promises(shop.house, shop.id) == {}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_was_paid_and_given_back_the_ledger_is_true_before_and_after(
    shop: Shop, start: datetime, seed: int
) -> None:
    chance = Random(seed)
    room = open_room(shop, price_cents=chance.choice([3_333, 2_500, 999]))
    extras = [shop.add_extra(tax_rate_bp=rate, price_cents=701) for rate in (400, 1000)]
    coupon = shop.add_coupon(f"CODE{seed}", value=7)
    bookings = [
        confirmed(
            shop,
            room,
            start,
            chance.randint(1, 4),
            extras=[taking(x) for x in extras if chance.random() < 0.7],
            **({"coupon_code": coupon["code"]} if chance.random() < 0.6 else {}),
        )
        for _ in range(3)
    ]
    for booking in bookings:
        for _ in range(chance.randint(0, 2)):
            left = shop.look(booking)["open_cents"]
            if left > 10:
                (take if chance.random() < 0.5 else pay_online)(
                    shop, booking, chance.randint(1, left)
                )
        paid = shop.house.one(
            "select private.booking_refundable(organization_id, id) from public.bookings"
            " where id = %s",
            booking["id"],
        )
        if paid and chance.random() < 0.5:
            shop.venue.owner.call(
                "refund_booking",
                organization_id=shop.id,
                booking_id=booking["id"],
                amount_cents=chance.randint(1, paid),
                reason="Because",
                idempotency_key=booking["id"],
            )
    assert broken_promises(shop.house, shop.id) == {}
    seen = [shop.look(booking) for booking in bookings]
    first, second, third = bookings
    merge(shop, second, third)
    merge(shop, first, second)
    assert broken_promises(shop.house, shop.id) == {}
    merged = shop.look(first)
    for field in ("party_size", "total_cents", "paid_cents", "refunded_cents"):
        assert merged[field] == sum(one[field] for one in seen), field
    assert {str(row_of(shop, b)["merged_into_id"]) for b in (second, third)} == {first["id"]}
    # What is changed afterwards is priced anew, and its money follows.
    alter(shop, first, party_size=merged["party_size"] + 1)
    assert broken_promises(shop.house, shop.id) == {}


def test_a_price_of_staff_s_and_a_coupon_stay_what_they_were(
    shop: Shop, room: str, start: datetime
) -> None:
    coupon = shop.add_coupon("ONCE", maximum_uses=1)
    per_person = shop.add_extra(price_per="person", maximum_quantity=2)
    kept = confirmed(
        shop,
        room,
        start,
        2,
        price_cents=1_000,
        override_reason="A friend",
        extras=[taking(per_person)],
    )
    other = confirmed(shop, room, start, 3, coupon_code="ONCE", extras=[taking(per_person, 2)])
    total = kept["total_cents"] + other["total_cents"]
    merge(shop, kept, other)
    seen = shop.look(kept)
    assert (seen["total_cents"], [x["quantity"] for x in seen["extras"]]) == (total, [2])
    # Its seats keep the price that they had together; its extras are counted for all.
    moved = alter(shop, kept, starts_at=shop.at(31, "11:30"))
    seats = 1_000 + 3 * PRICE
    assert moved["total_cents"] == round((seats + 2 * 5 * 500) * 0.9)
    with refused(422, "coupon_max_uses"):
        book(shop, room, start, coupon_code="ONCE")
    assert (
        shop.house.one(
            "select count(*) from public.coupon_redemptions as r join public.bookings as b"
            " on b.id = r.booking_id and b.takes_capacity where r.coupon_id = %s",
            coupon["id"],
        )
        == 1
    )


def test_not_what_cannot_be_one(shop: Shop, room: str, start: datetime) -> None:
    owner = shop.venue.owner
    kept = confirmed(shop, room, start, 2)

    def hindered(other: Row, why: str, keep: Row = kept, **values: Any) -> None:
        before = (row_of(shop, keep), row_of(shop, other))
        with refused(409, "not_mergeable") as caught:
            merge(shop, keep, other, **values)
        assert caught.value.details == {"why": why}
        assert (row_of(shop, keep), row_of(shop, other)) == before

    hindered(confirmed(shop, room, shop.at(31, "11:30"), 2), "session")
    pending = book(shop, room, start, party_size=1)
    hindered(pending, "status")
    held = shop.hold(room, start, party_size=1)
    hindered({"id": shop.id_of(held)}, "status")
    stranger = confirmed(
        shop, room, start, 1, customer={"full_name": "Eve", "email": "eve@example.test"}
    )
    hindered(stranger, "customer")

    ordered = orders.book(shop, [orders.item(room, start, 1), orders.item(room, start, 1)])
    for booking in ordered["bookings"]:
        if booking["status"] == "pending":
            shop.move(booking, "confirmed")
        hindered({"id": shop.id_of(booking)}, "order")

    split = confirmed(shop, room, start, 1)
    share = (
        "insert into public.payment_shares (organization_id, booking_id, position, payer_name,"
        " amount_cents, currency, locale, expires_at)"
        " values (%s, %s, 1, 'Ben', 100, 'EUR', 'es', now() + interval '1 hour')"
    )
    shop.house.owner_sql(share, shop.id, split["id"])
    hindered(split, "shares")

    paying = confirmed(shop, room, start, 1)
    shop.house.owner_sql(
        "insert into private.payment_attempts"
        " (organization_id, booking_id, amount_cents, currency, expires_at)"
        " values (%s, %s, 100, 'EUR', now() + interval '1 hour')",
        shop.id,
        paying["id"],
    )
    hindered(paying, "checkout")
    shop.house.owner_sql(
        "update private.payment_attempts set status = 'expired' where booking_id = %s", paying["id"]
    )

    pay_online(shop, paying, 500)
    shop.house.owner_sql(
        "insert into public.disputes (organization_id, booking_id, payment_id, provider_dispute_id,"
        " status, reason, amount_cents, currency, as_of)"
        " select organization_id, booking_id, id, 'dp_1', 'needs_response', 'fraudulent', 500,"
        " currency, now() from public.payments where booking_id = %s",
        paying["id"],
    )
    hindered(paying, "disputed")
    hindered(kept, "disputed", keep=paying)
    shop.house.owner_sql("update public.disputes set status = 'won', as_of = now()")

    shop.add_coupon("ONE")
    shop.add_coupon("TWO")
    alter(shop, kept, coupon_code="ONE")
    two = confirmed(shop, room, start, 1, coupon_code="TWO")
    hindered(two, "coupon")

    for values in ({"keep_id": kept["id"]}, {"keep_id": None}):
        with refused(422, "merge_invalid"):
            owner.call("merge_bookings", organization_id=shop.id, merge_id=kept["id"], **values)
    with refused(404, "booking_not_found"):
        merge(shop, kept, {"id": room})
    master = shop.venue.hire("master", "game_master")
    half = shop.venue.hire("half", shop.venue.make_role("Half", ["bookings:update"]))
    for person, missing in ((master, "bookings:update"), (half, "bookings:cancel")):
        with refused(403, "permission_denied") as caught:
            merge(shop, kept, paying, person)
        assert caught.value.details == {"permission": missing}

    # What hindered has passed: late money, and the dispute, are the kept one's from then on.
    merge(shop, kept, paying)
    for table in ("private.payment_attempts", "public.disputes"):
        rows = shop.house.owner_sql(f"select distinct booking_id from {table}")
        assert [str(row["booking_id"]) for row in rows] == [kept["id"]]
    # Said so, they may be of two customers, whose notes stay apart.
    owner.change(
        "update public.bookings set staff_note = 'Is afraid' where id = %s", stranger["id"]
    )
    merge(shop, kept, stranger, other_customer=True)
    assert row_of(shop, kept)["staff_note"] == ""
    with refused(409, "booking_merged") as caught:
        merge(shop, stranger, two)
    assert caught.value.details == {"booking_id": kept["id"], "reference": kept["reference"]}
    with refused(409, "booking_merged"):
        merge(shop, two, stranger)
    # A game that has begun is nobody's to change.
    one = confirmed(shop, room, start, 1)
    shop.move(one, "checked_in")
    shop.move_now(one, "in_progress")
    hindered(one, "running")
    assert broken_promises(shop.house, shop.id) == {}


def test_the_other_s_links_say_where_it_went_and_its_party_signs_and_comes_with_them(
    shop: Shop, room: str, start: datetime
) -> None:
    owner = shop.venue.owner
    owner.call("publish_waiver", organization_id=shop.id, texts=Jsonb({"en": "At your own risk."}))
    kept = confirmed(shop, room, start, 2)
    other = confirmed(shop, room, start, 2)
    token = shop.look(other)["waiver"]["token"]
    code = shop.house.one(
        "select private.check_in_code(b) from public.bookings as b where id = %s", other["id"]
    )

    def sign(name: str) -> None:
        shop.visitor.call(
            "sign_waiver",
            token=token,
            version=1,
            signer=Jsonb({"full_name": name}),
            signature="M0 0 L1 1",
            idempotency_key=f"merge-{name}",
        )

    sign("Bea")
    for booking, names in ((kept, ("Ana", "Bea")), (other, ("Bea", "Carl"))):
        owner.call(
            "set_booking_people",
            organization_id=shop.id,
            booking_id=booking["id"],
            people=Jsonb([{"full_name": name} for name in names]),
        )
    merge(shop, kept, other)
    seen = shop.look(other)
    assert (seen["status"], seen["merged_into"]) == ("cancelled", kept["reference"])
    assert shop.look(kept)["merged_into"] is None
    assert seen["paid_cents"] == seen["open_cents"] == 0
    assert not seen["cancellable"]
    sign("Carl")
    assert shop.look(kept)["waiver"]["signed"] == 2
    party = owner.call("get_booking_people", organization_id=shop.id, booking_id=kept["id"])
    assert [(p["full_name"], p["signed"]) for p in party["people"]] == [
        ("Ana", False),
        ("Bea", True),
        ("Bea", False),
        ("Carl", True),
    ]
    scanned = owner.call("booking_by_check_in_code", organization_id=shop.id, code=code)
    assert (scanned["booking_id"], scanned["party_size"]) == (kept["id"], 4)
    # It is not taken back, by whatever door, and its link cancels nothing of the kept one.
    with refused(409, "booking_merged") as caught:
        shop.move_now(other, "confirmed", reason="A mistake")
    assert caught.value.details == {"booking_id": kept["id"], "reference": kept["reference"]}
    shop.cancel(other)
    assert shop.look(kept)["status"] == "confirmed"
    # Nor is it counted as a cancellation.
    (customer,) = owner.select("select id from public.customers where email = %s", GUEST["email"])
    history = owner.call(
        "get_customer_history", organization_id=shop.id, customer_id=customer["id"]
    )
    assert (history["totals"]["bookings"], history["totals"]["cancelled"]) == (1, 0)


def test_who_only_says_so_cancels_as_ever(shop: Shop, room: str, start: datetime) -> None:
    booking = confirmed(shop, room, start, 2)
    shop.move_now(booking, "cancelled", reason="merged")
    assert mails(shop, booking)[-1] == ("booking_cancelled", True)
    assert shop.house.one(
        "select array_agg(kind order by occurred_at) from private.notice_events"
        " where booking_id = %s and kind = 'booking_cancelled'",
        booking["id"],
    ) == ["booking_cancelled"]


def test_two_that_wait_for_their_money_wait_together(
    shop: Shop, room: str, start: datetime
) -> None:
    kept, other = (book(shop, room, start, party_size=n) for n in (1, 2))
    shop.house.owner_sql(
        "update public.bookings set hold_expires_at = now() + interval '99 hours' where id = %s",
        other["id"],
    )
    answer = merge(shop, kept, other)
    assert (answer["status"], answer["due_now_cents"]) == ("pending", 3 * PRICE)
    assert row_of(shop, kept)["hold_expires_at"] > shop.at(4)
    take(shop, kept, 3 * PRICE)
    assert shop.look(kept)["status"] == "confirmed"
    assert broken_promises(shop.house, shop.id) == {}
