"""A closed venue: who has a booking's link still sees it and gets the money back, and nothing else
happens by it. All functions that take a link agree."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from db.booking_world import GUEST, PRICE, Row, Shop, open_shop
from matrix.house import House, email_of
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0, waitlist_minutes=60)


@pytest.fixture
def booking(shop: Shop) -> Row:
    """Confirmed and paid, by somebody who agreed to news."""
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    news = {"kind": "marketing", "granted": True, "wording": "News"}
    booked = shop.hold(
        room, shop.at(3), customer={**GUEST, "email": email_of("player")}, consents=[news]
    )
    shop.venue.owner.call(
        "record_payment",
        organization_id=shop.id,
        booking_id=shop.id_of(booked),
        method="cash",
        amount_cents=TOTAL,
        idempotency_key="pay",
    )
    return booked


def close(shop: Shop) -> None:
    shop.venue.owner.call(
        "close_organization", organization_id=shop.id, confirm_slug=shop.venue.slug
    )


def by_link(shop: Shop, booking: Row, function: str, **values: Any) -> Row:
    answer: Row = shop.visitor.call(
        function,
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        **values,
    )
    return answer


def test_a_paid_booking_of_a_closed_venue_is_seen_and_cancelled_with_its_refund(
    shop: Shop, booking: Row
) -> None:
    close(shop)
    seen = by_link(shop, booking, "get_booking")
    assert (seen["status"], seen["cancellable"], seen["reschedulable"]) == (
        "confirmed",
        True,
        False,
    )
    assert seen["waiver"]["token"] is None

    gone = by_link(shop, booking, "cancel_booking")
    assert gone["status"] == "cancelled"
    promised = shop.house.one(
        "select sum(amount_cents)::int from private.refund_requests where booking_id = %s",
        shop.id_of(booking),
    )
    assert promised == TOTAL


def test_a_consent_given_to_a_closed_venue_can_be_withdrawn(shop: Shop, booking: Row) -> None:
    close(shop)
    left = by_link(shop, booking, "withdraw_consent", kind="marketing")
    assert left["marketing"]["granted"] is False


def test_an_account_still_lists_and_opens_its_bookings(shop: Shop, booking: Row) -> None:
    close(shop)
    player = shop.house.sign_up("player")
    (mine,) = player.call("my_bookings")
    link = player.call("my_booking_token", booking_id=mine["id"])
    assert by_link(shop, link, "get_booking")["reference"] == booking["reference"]


@pytest.mark.parametrize(
    ("function", "code", "values"),
    [
        ("quote_reschedule", "not_reschedulable", {"party_size": 3}),
        (
            "reschedule_booking",
            "not_reschedulable",
            {"party_size": 3, "expected_total_cents": 3 * PRICE, "idempotency_key": "move"},
        ),
    ],
)
def test_nothing_is_moved_at_a_closed_venue(
    shop: Shop, booking: Row, function: str, code: str, values: Row
) -> None:
    by_link(shop, booking, "quote_reschedule", party_size=3)
    close(shop)
    with refused(409, code):
        by_link(shop, booking, function, **values)


def test_nothing_is_paid_to_a_closed_venue(shop: Shop, booking: Row) -> None:
    held = shop.hold(booking["room_id"], shop.at(4))
    close(shop)
    with refused(409, "not_payable"):
        shop.house.service.call(
            "service.open_checkout",
            reference=held["reference"],
            manage_token=held["manage_token"],
        )


def test_the_waiting_list_of_a_closed_venue_is_left_and_offers_nothing(
    shop: Shop, booking: Row
) -> None:
    room = shop.add_room(deposit_kind="none")
    shop.open_on(room, "12:00", "13:00")
    taken = shop.hold(room, shop.at(2))
    waiting = [
        shop.visitor.call(
            "join_waitlist",
            slug=shop.slug,
            from_date=shop.at(2).date(),
            to_date=shop.at(2).date(),
            party_size=2,
            room_id=room,
            customer=Jsonb({**GUEST, "email": f"{name}@example.test"}),
            idempotency_key=name,
        )
        for name in ("first", "second")
    ]
    shop.cancel(taken)
    finish = "set constraints all immediate; set constraints public.hand_on_freed_place deferred"
    shop.house.connection.execute(finish)
    first, second = (
        shop.visitor.call("get_waitlist_entry", token=entry["waitlist_token"]) for entry in waiting
    )
    assert (first["status"], second["status"]) == ("offered", "waiting")

    close(shop)
    with refused(409, "waitlist_offer_over"):
        by_link(shop, first["offer"], "accept_waitlist_offer")
    shop.visitor.call("leave_waitlist", token=waiting[0]["waitlist_token"])
    shop.house.connection.execute(finish)
    left = [
        shop.visitor.call("get_waitlist_entry", token=entry["waitlist_token"])["status"]
        for entry in waiting
    ]
    assert left == ["left", "waiting"]


def test_a_closed_venue_s_waiver_and_calendar_are_gone(shop: Shop, booking: Row) -> None:
    close(shop)
    with refused(404, "calendar_not_found"):
        shop.visitor.call("get_calendar", slug=shop.slug)
    token = shop.house.one("select private.derived_token('waiver', %s)", shop.id_of(booking))
    with refused(404, "waiver_not_found"):
        shop.visitor.call("get_waiver", token=token, locale="es")
