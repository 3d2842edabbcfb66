"""How often one address may ask, and one calendar be asked."""

from __future__ import annotations

from uuid import uuid4

import pytest

from client import Client
from db.booking_world import GUEST, PRICE, Shop, open_shop
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(name="La Cripta")
    shop.open_on(room, "10:00", "22:00")
    return room


def allow(house: House, action: str, scope: str, hits: int) -> None:
    house.owner_sql(
        "update private.rate_limit_rules set max_hits = %s where action = %s and scope = %s",
        hits,
        action,
        scope,
    )


def hold(visitor: Client, shop: Shop, room: str, clock: str) -> object:
    return visitor.call(
        "hold_booking",
        slug=shop.slug,
        room_id=room,
        starts_at=shop.at(3, clock),
        party_size=2,
        customer=GUEST,
        expected_total_cents=2 * PRICE,
        idempotency_key=uuid4().hex,
    )


def test_one_address_cannot_hold_a_venue_s_whole_day(house: House, shop: Shop, room: str) -> None:
    allow(house, "hold_booking", "address", 2)
    greedy = house.nobody.sending(x_forwarded_for="203.0.113.7")
    hold(greedy, shop, room, "10:00")
    hold(greedy, shop, room, "11:30")
    with refused(429, "rate_limited") as caught:
        hold(greedy, shop, room, "13:00")
    assert 1 <= int(caught.value.headers["Retry-After"]) <= 60
    # Nothing was kept of it: the time is free for the next address.
    hold(house.nobody.sending(x_forwarded_for="203.0.113.8"), shop, room, "13:00")


def test_many_addresses_cannot_empty_a_calendar_at_once(
    house: House, shop: Shop, room: str
) -> None:
    allow(house, "hold_booking", "target", 1)
    hold(house.nobody.sending(x_forwarded_for="203.0.113.7"), shop, room, "10:00")
    with refused(429, "rate_limited"):
        hold(house.nobody.sending(x_forwarded_for="203.0.113.8"), shop, room, "11:30")


def test_reading_is_limited_by_address(house: House, shop: Shop, room: str) -> None:
    booking = shop.hold(room, shop.at(3, "10:00"))
    allow(house, "public_read", "address", 1)
    allow(house, "manage_booking", "address", 1)
    day = shop.at(3).date()
    reads: dict[str, dict[str, object]] = {
        "get_calendar": {"slug": shop.slug},
        "get_availability": {"slug": shop.slug, "from_date": day, "to_date": day},
        "get_availability_days": {"slug": shop.slug, "from_date": day, "to_date": day},
        "quote_booking": {
            "slug": shop.slug,
            "room_id": room,
            "starts_at": shop.at(3, "11:30"),
            "party_size": 2,
        },
        "get_booking": {
            "reference": booking["reference"],
            "manage_token": booking["manage_token"],
        },
    }
    for number, (function, arguments) in enumerate(reads.items()):
        visitor = house.nobody.sending(x_forwarded_for=f"203.0.113.{number}")
        call = ", ".join(f"{name} => %s" for name in arguments)
        ask = f"select count(*) from public.{function}({call})"
        visitor.select(ask, *arguments.values())
        with refused(429, "rate_limited"):
            visitor.select(ask, *arguments.values())
