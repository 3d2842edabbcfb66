"""A month at a glance: per day how many times are free or taken, and what the free ones cost."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from db.booking_world import PRICE, Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused

ASK = (
    "select * from public.get_availability_days("
    "slug => %s, from_date => %s, to_date => %s, room_id => %s, party_size => %s)"
)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def days(
    shop: Shop,
    first: int = 1,
    last: int = 14,
    room_id: str | None = None,
    party_size: int | None = None,
) -> list[Row]:
    """What the month shows, from and to so many days from today."""
    span = (shop.today + timedelta(first), shop.today + timedelta(last))
    return shop.visitor.select(ASK, shop.slug, *span, room_id, party_size)


def counted(times: list[Row], needed: int) -> list[Row]:
    """The same said from the times of get_availability, taken ones too."""
    by_day: dict[date, list[Row]] = {}
    for time in times:
        by_day.setdefault(time["local_date"], []).append(time)
    answer = []
    for day, offered in sorted(by_day.items()):
        prices = [t["price_cents"] for t in offered if t["seats_available"] >= needed]
        answer.append(
            {
                "local_date": day,
                "free": len(prices),
                "taken": len(offered) - len(prices),
                "price_cents": min(prices, default=None),
                "highest_price_cents": max(prices, default=None),
            }
        )
    return answer


def test_each_day_says_of_its_times_what_get_availability_lists(shop: Shop) -> None:
    private, shared = shop.add_room(), shop.add_room(mode="shared", maximum_party=8)
    sydney = shop.insert("locations", name="Sydney", timezone="Australia/Sydney")
    far = shop.add_room(location_id=sydney["id"], price_per="session", price_cents=9_000)
    tomorrow = (shop.today + timedelta(1)).isoweekday()
    shop.open_on(private, "10:00", "14:00", tomorrow)
    # Past midnight: the last start is of the next date.
    shop.open_on(shared, "22:00", "02:00", slot_interval_minutes=60)
    shop.open_on(far, "10:00", "11:00", tomorrow % 7 + 1)
    shop.insert(
        "price_rules",
        name="Early",
        weekdays=[tomorrow],
        from_time="10:00",
        until_time="11:00",
        kind="percent",
        value=-10,
    )
    shop.hold(private, shop.at(8, "11:30"))
    shop.hold(shared, shop.at(8, "23:00"), party_size=7)
    shop.lapse(shop.hold(shared, shop.at(9, "23:00"), party_size=7))
    seen = []
    for room in (None, private, shared, far):
        for party in (2, 5):
            found = days(shop, room_id=room, party_size=party)
            times = shop.available(1, 14, room_id=room, party_size=party, include_taken=True)
            assert found == counted(times, party), (room, party)
            seen += found
    assert {row["taken"] for row in seen} >= {0, 1}
    [early, later] = days(shop, room_id=private)
    assert early["price_cents"] == later["price_cents"] == 2 * PRICE * 9 // 10
    assert early["highest_price_cents"] == 2 * PRICE


def test_a_day_that_is_taken_is_told_without_a_price_and_a_closed_one_not_at_all(
    shop: Shop,
) -> None:
    room = shop.add_room()
    tomorrow = shop.today + timedelta(1)
    shop.open_on(room, "10:00", "11:00", tomorrow.isoweekday())
    shop.hold(room, shop.at(1, "10:00"))
    [full, open_] = days(shop)
    assert full == {
        "local_date": tomorrow,
        "free": 0,
        "taken": 1,
        "price_cents": None,
        "highest_price_cents": None,
    }
    assert (open_["local_date"], open_["free"]) == (tomorrow + timedelta(7), 1)


def test_what_is_too_much_for_a_list_of_times_is_not_for_days(shop: Shop) -> None:
    room = shop.add_room()
    shop.set_calendar(maximum_advance_days=120)
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=5)
    with refused(422, "too_many_slots"):
        shop.available(0, 91)
    assert len(days(shop, 0, 91)) == 92
    second = shop.add_room()
    shop.open_on(second, "00:00", "00:00", slot_interval_minutes=5)
    with refused(422, "too_many_slots") as caught:
        days(shop, 0, 91)
    assert len(days(shop, 0, caught.value.details["days"] - 1)) == caught.value.details["days"]


def test_it_refuses_what_get_availability_refuses(shop: Shop, house: House) -> None:
    room = shop.add_room()
    stranger = open_shop(house, "Other").add_room()
    with refused(404, "calendar_not_found"):
        shop.visitor.select(ASK, "no-such", shop.today, shop.today, None, None)
    with refused(404, "room_not_found"):
        days(shop, room_id=stranger)
    with refused(422, "date_range_invalid"):
        days(shop, 2, 1)
    with refused(422, "date_range_too_long"):
        days(shop, 0, 92)
    with refused(422, "party_size_invalid"):
        days(shop, party_size=0)
    with refused(422, "party_size_invalid"):
        days(shop, room_id=room, party_size=7)
    assert days(shop) == []
