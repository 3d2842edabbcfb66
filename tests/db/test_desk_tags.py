"""Tags: an organization's own list, on its bookings, by which they are found."""

from __future__ import annotations

from itertools import product

import pytest

from client import Client
from db.booking_world import Row, Shop, change, insert, open_shop
from db.changes_world import book
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


def add_tag(shop: Shop, name: str, **values: object) -> str:
    return str(insert(shop.venue.owner, "tags", name=name, **values)["id"])


def tag(shop: Shop, booking: Row, *tags: str, by: Client | None = None) -> None:
    (by or shop.venue.owner).call(
        "set_booking_tags", organization_id=shop.id, booking_id=booking["id"], tag_ids=list(tags)
    )


def tags_of(shop: Shop, booking: Row, by: Client | None = None) -> list[str]:
    rows = (by or shop.venue.owner).select(
        "select t.name from public.booking_tags as bt"
        " join public.tags as t on t.organization_id = bt.organization_id and t.id = bt.tag_id"
        " where bt.booking_id = %s order by t.name",
        booking["id"],
    )
    return [row["name"] for row in rows]


def test_a_booking_has_exactly_the_tags_that_it_was_given(shop: Shop, room: str) -> None:
    booking = book(shop, room, shop.at(30, "11:30"))
    birthday, school = add_tag(shop, " Birthday ", color="#ff0000"), add_tag(shop, "School")
    desk, master = shop.venue.hire("desk", "receptionist"), shop.venue.hire("m", "game_master")
    for _ in range(2):
        tag(shop, booking, birthday, school, school, by=desk)
        assert tags_of(shop, booking, master) == ["Birthday", "School"]
    tag(shop, booking, school)
    assert tags_of(shop, booking) == ["School"]
    with refused(403, "permission_denied"):
        tag(shop, booking, by=master)
    unknown = booking["id"]
    with refused(422, "tag_not_found") as caught:
        tag(shop, booking, birthday, unknown)
    assert caught.value.details == {"tag_id": unknown}
    many = [add_tag(shop, f"Tag {n}") for n in range(21)]
    with refused(422, "too_many_tags"):
        tag(shop, booking, *many)
    assert tags_of(shop, booking) == ["School"]
    tag(shop, booking, *many[:20])
    tag(shop, booking)
    assert tags_of(shop, booking) == []


def test_a_tag_is_renamed_where_it_stands_and_a_deleted_one_is_nowhere(
    shop: Shop, room: str
) -> None:
    booking = book(shop, room, shop.at(30, "11:30"))
    owner = shop.venue.owner
    birthday = add_tag(shop, "Birthday")
    tag(shop, booking, birthday, add_tag(shop, "School"))
    change(owner, "tags", {"name": "Party"}, id=birthday)
    assert tags_of(shop, booking) == ["Party", "School"]
    # No two of one name, whatever the case.
    for taken in ("SCHOOL", "party"):
        with refused(409, "23505"):
            add_tag(shop, taken)
    owner.change("delete from public.tags where id = %s", birthday)
    assert tags_of(shop, booking) == ["School"]
    # The list is the managers'; whoever sets tags at the desk changes none.
    desk = shop.venue.hire("desk", "receptionist")
    with refused(403, "42501"):
        insert(desk, "tags", name="Mine")
    assert desk.change("delete from public.tags") == 0


def test_a_search_is_narrowed_to_a_tag_and_shows_all_of_them(shop: Shop, room: str) -> None:
    owner = shop.venue.owner
    school, vip = add_tag(shop, "School"), add_tag(shop, "VIP")
    bookings = [
        book(shop, room, shop.at(30, clock), customer={"full_name": f"Ana {who}"})
        for clock, who in (("10:00", "Ruiz"), ("12:00", "Ruiz"), ("14:00", "Sanz"))
    ]
    tag(shop, bookings[0], vip, school)
    tag(shop, bookings[2], school)

    def found(query: str, tag_id: str | None = None) -> list[tuple[str, list[str]]]:
        answer = owner.call("search_bookings", organization_id=shop.id, query=query, tag_id=tag_id)
        return [(one["reference"], one["tags"]) for one in answer["bookings"]]

    first, second, third = (booking["reference"] for booking in bookings)
    day = shop.at(30).date().isoformat()
    assert found("ruiz") == [(first, ["School", "VIP"]), (second, [])]
    # However it is found: by words, few or many of them, by day, by reference.
    for query, wanted in product(("ana", f"ana {day}", day), (school, vip)):
        expected = [(first, ["School", "VIP"])]
        assert found(query, wanted) == expected + (
            [(third, ["School"])] if wanted == school else []
        )
    assert found(first, vip) == [(first, ["School", "VIP"])]
    assert found(second, vip) == []
    by_words = shop.house.owner_sql(
        "select private.found_by_words(%s, array['%%ana%%'], '-infinity', 'infinity', null, true,"
        " 50, %s) as ids",
        shop.id,
        vip,
    )
    assert [str(found) for found in by_words[0]["ids"]] == [bookings[0]["id"]]
