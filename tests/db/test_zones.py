"""What is booked keeps its time on the clock, whatever becomes of zones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from db.booking_world import Row, Shop, change, open_shop
from db.changes_world import copy_tenant
from matrix.house import House
from matrix.promises import refused

HOUR = "11:30"


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


def to_zone(shop: Shop, zone: str) -> None:
    change(shop.venue.owner, "locations", {"timezone": zone}, id=shop.location_id)


def to_location_in(shop: Shop, room: str, zone: str) -> None:
    there = shop.insert("locations", name="There", timezone=zone)
    shop.set_room(room, location_id=there["id"])


@pytest.fixture(params=["the location's zone", "the room's location"])
def give_zone(request: pytest.FixtureRequest, shop: Shop, room: str) -> Callable[[str], None]:
    """Both ways by which a room comes to be read by another clock."""
    if request.param == "the location's zone":
        return lambda zone: to_zone(shop, zone)
    return lambda zone: to_location_in(shop, room, zone)


Give = Callable[[str], None]


def block(shop: Shop, room: str, days: int) -> Row:
    blocked: Row = shop.venue.owner.call(
        "block_room",
        organization_id=shop.id,
        room_id=room,
        starts_at=shop.at(days, "15:00"),
        ends_at=shop.at(days, "17:00"),
        reason="Paint",
    )
    return blocked


def test_a_booking_keeps_its_hour(shop: Shop, room: str, give_zone: Give) -> None:
    booking = shop.hold(room, shop.at(3, HOUR))
    with refused(409, "zone_in_use") as caught:
        give_zone("Europe/London")
    details = caught.value.details
    assert (details["bookings"], details["blocks"]) == (1, 0)
    assert details["first"] == details["last"] == shop.look(booking)["starts_at"]
    assert shop.look(booking)["timezone"] == "Europe/Madrid"


def test_so_does_a_block(shop: Shop, room: str, give_zone: Give) -> None:
    block(shop, room, 3)
    with refused(409, "zone_in_use") as caught:
        give_zone("Atlantic/Canary")
    assert (caught.value.details["bookings"], caught.value.details["blocks"]) == (0, 1)


def test_a_zone_typed_wrong_is_mended_while_nothing_is_booked(
    shop: Shop, room: str, give_zone: Give
) -> None:
    before = shop.times(room)
    give_zone("America/Santiago")
    assert shop.times(room) == before


@pytest.mark.parametrize("how", ["cancelled", "lapsed", "lifted", "over"])
def test_or_nothing_any_more(shop: Shop, room: str, give_zone: Give, how: str) -> None:
    if how == "lifted":
        blocked = block(shop, room, 3)
        shop.venue.owner.call("unblock_room", organization_id=shop.id, block_id=blocked["block_id"])
    else:
        booking = shop.hold(room, shop.at(3, HOUR))
        if how == "cancelled":
            shop.cancel(booking)
        elif how == "lapsed":
            shop.lapse(booking)
            shop.house.service.call("service.sweep")
        else:
            shop.move(booking, "confirmed")
            shop.start_in(booking, timedelta(hours=-2))
    give_zone("America/Santiago")


def test_a_zone_by_which_the_clock_shows_the_same_is_no_change(
    shop: Shop, room: str, give_zone: Give
) -> None:
    booking = shop.hold(room, shop.at(3, HOUR))
    give_zone("Europe/Paris")
    seen = shop.look(booking)
    assert (seen["timezone"], seen["starts_at"]) == ("Europe/Paris", booking["starts_at"])


@pytest.mark.parametrize("zone", ["Mars/Olympus", "europe/london", "Asia/Calcutta", "UTC+1", ""])
def test_what_is_no_zone_is_refused_for_that(shop: Shop, room: str, zone: str) -> None:
    shop.hold(room, shop.at(3, HOUR))
    with refused(400, "23514") as caught:
        to_zone(shop, zone)
    assert "locations_timezone_is_iana" in caught.value.message


def test_what_runs_at_this_moment_counts(shop: Shop, room: str, give_zone: Give) -> None:
    booking = shop.hold(room, shop.at(3, HOUR))
    shop.start_in(booking, timedelta(minutes=-30))
    with refused(409, "zone_in_use"):
        give_zone("Europe/London")


def test_another_room_s_bookings_do_not(shop: Shop, room: str) -> None:
    other = shop.add_room()
    shop.open_on(other, "10:00", "22:00")
    shop.hold(other, shop.at(3, HOUR))
    to_location_in(shop, room, "Europe/London")


def test_nor_those_of_another_venue_with_the_same_ids(
    shop: Shop, room: str, give_zone: Give, house: House
) -> None:
    booking = shop.hold(room, shop.at(3, HOUR))
    twin = open_shop(house, "Twin")
    copy_tenant(shop, twin, ("customers", "sessions", "bookings"))
    shop.cancel(booking)
    give_zone("Europe/London")


def test_who_may_not_see_bookings_is_refused_all_the_same(shop: Shop, room: str) -> None:
    shop.hold(room, shop.at(3, HOUR))
    builder = shop.venue.hire(
        "builder", shop.venue.make_role("Builder", ["rooms:read", "rooms:update"])
    )
    with refused(409, "zone_in_use"):
        change(builder, "locations", {"timezone": "Europe/London"}, id=shop.location_id)


def test_a_name_or_an_address_changes_at_any_time(shop: Shop, room: str) -> None:
    shop.hold(room, shop.at(3, HOUR))
    owner = shop.venue.owner
    changed = {"name": "The attic", "timezone": "Europe/Madrid", "city": "Madrid"}
    assert change(owner, "locations", changed, id=shop.location_id) == 1
    shop.set_room(room, location_id=shop.location_id)


def test_opening_hours_and_shifts_go_with_the_clock(shop: Shop, room: str) -> None:
    person = shop.venue.hire("person", "game_master")
    shop.insert(
        "staff_shifts",
        user_id=person.id,
        location_id=shop.location_id,
        date=shop.today + timedelta(3),
        from_time="10:00",
        to_time="18:00",
    )
    before = shop.starts(room, shop.today + timedelta(3))
    to_zone(shop, "America/Santiago")
    assert shop.starts(room, shop.today + timedelta(3)) == before
    shift = shop.house.one(
        "select (starts_at at time zone 'America/Santiago')::time::text from public.staff_shifts"
        " where organization_id = %s",
        shop.id,
    )
    assert shift == "10:00:00"
