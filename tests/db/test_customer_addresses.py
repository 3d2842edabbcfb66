"""Whoever has a customer's address has the bookings, so another address is no small change."""

from __future__ import annotations

import pytest

from client import Client
from db.booking_world import GUEST, Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused

CHANGE = "update public.customers set email = %s where id = %s"
MINE = "thief@example.test"
#: What moves and cancels a booking at the desk; the address does both.
RIGHTS = ("bookings:cancel", "bookings:update")


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


def customer_of(shop: Shop, booking: Row) -> str:
    (row,) = shop.venue.owner.select(
        "select customer_id from public.bookings where id = %s", shop.id_of(booking)
    )
    return str(row["customer_id"])


def key(shop: Shop, *more: str) -> Client:
    client, _ = shop.venue.make_key(["customers:read", "customers:update", *more])
    return client


def address_of(shop: Shop, customer: str) -> str | None:
    (row,) = shop.venue.owner.select("select email from public.customers where id = %s", customer)
    email: str | None = row["email"]
    return email


def add_customer(shop: Shop, email: str | None) -> str:
    return str(shop.insert("customers", full_name="Eva", email=email, locale="en")["id"])


@pytest.mark.parametrize("status", ["held", "pending", "confirmed"])
@pytest.mark.parametrize("held", [(), RIGHTS[:1], RIGHTS[1:]])
def test_the_right_to_change_customers_takes_no_booking(
    shop: Shop, room: str, status: str, held: tuple[str, ...]
) -> None:
    booking = shop.book(room, shop.at(2, "12:00"))
    if status != "held":
        shop.move(booking, status)
    customer, thief = customer_of(shop, booking), key(shop, *held)
    missing = next(right for right in RIGHTS if right not in held)
    for address in (MINE, None):
        with refused(403, "permission_denied") as caught:
            thief.change(CHANGE, address, customer)
        assert caught.value.details == {"permission": missing}
    assert address_of(shop, customer) == GUEST["email"]
    # All else of the customer is theirs to change, and the address as it is.
    assert thief.change("update public.customers set full_name = 'Eva', email = email") == 1
    assert key(shop, *RIGHTS).change(CHANGE, MINE, customer) == 1


def test_nor_by_giving_one_where_there_was_none(shop: Shop, room: str) -> None:
    booking = shop.venue.owner.call(
        "create_booking", organization_id=shop.id, room_id=room, starts_at=shop.at(2, "12:00"),
        party_size=2, customer={"full_name": "Ana"}, idempotency_key="nobody",
    )  # fmt: skip
    with refused(403, "permission_denied"):
        key(shop).change(CHANGE, MINE, customer_of(shop, booking))


def test_nor_by_a_merge_into_whoever_has_another_address(shop: Shop, room: str) -> None:
    booking = shop.book(room, shop.at(2, "12:00"))
    shop.move(booking, "confirmed")
    theirs, mine = customer_of(shop, booking), add_customer(shop, MINE)
    nobody = shop.venue.owner.call(
        "create_booking", organization_id=shop.id, room_id=room, starts_at=shop.at(2, "14:00"),
        party_size=2, customer={"full_name": "Ana"}, idempotency_key="nobody",
    )  # fmt: skip
    merge = {"organization_id": shop.id}
    for keep, other in ((mine, theirs), (customer_of(shop, nobody), mine)):
        with refused(403, "permission_denied") as caught:
            key(shop).call("merge_customers", **merge, keep_id=keep, merge_id=other)
        assert caught.value.details == {"permission": "bookings:cancel"}
    assert (address_of(shop, theirs), address_of(shop, mine)) == (GUEST["email"], MINE)
    # Whose bookings keep their address, that is nobody's loss.
    key(shop).call("merge_customers", **merge, keep_id=theirs, merge_id=mine)
    assert address_of(shop, theirs) == GUEST["email"]


def test_a_customer_without_bookings_to_come_is_corrected_by_whoever_changes_customers(
    shop: Shop, room: str
) -> None:
    booking = shop.book(room, shop.at(2, "12:00"))
    customer = customer_of(shop, booking)
    shop.move(booking, "cancelled")
    assert key(shop).change(CHANGE, MINE, customer) == 1
    assert (
        key(shop).change(CHANGE, "eva2@example.test", add_customer(shop, "eva@example.test")) == 1
    )


@pytest.mark.parametrize("role", ["admin", "manager", "receptionist"])
def test_the_system_s_roles_correct_an_address_as_before(shop: Shop, room: str, role: str) -> None:
    booking = shop.book(room, shop.at(2, "12:00"))
    shop.move(booking, "confirmed")
    person = shop.venue.hire("person", role)
    assert person.change(CHANGE, "right@example.test", customer_of(shop, booking)) == 1
    person.call(
        "resend_booking_email",
        organization_id=shop.id,
        booking_id=shop.id_of(booking),
        idempotency_key="again",
    )
