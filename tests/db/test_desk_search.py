"""Finding a booking at the desk: by whatever is said of it, and no further than one may read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from client import Client
from db.booking_world import Row, Shop, change, open_shop
from db.changes_world import book
from matrix.house import House
from matrix.promises import refused

PARTIES = {
    "zoe": {
        "full_name": "Zoë Núñez-Ferrer",
        "email": "z@example.test",
        "phone": "+34 612 345 678",
    },
    "marcel": {"full_name": "Marcel·lí O'Brien", "email": "marcel@example.test"},
    "mariana": {
        "full_name": "Mariana Strauß",
        "email": "m.s@gmail.test",
        "phone": "(93) 4120-099",
    },
    "ana": {"full_name": "Ana López", "email": "lopez@example.test"},
}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def parties(shop: Shop, room: str) -> dict[str, Row]:
    """A booking of each, a day apart, the first of them tomorrow."""
    return {
        name: book(shop, room, shop.at(days, "12:00"), customer=guest)
        for days, (name, guest) in enumerate(PARTIES.items(), start=1)
    }


def search(shop: Shop, query: str | None, by: Client | None = None, **values: object) -> Any:
    return (by or shop.venue.owner).call(
        "search_bookings", organization_id=shop.id, query=query, **values
    )


def stored(shop: Shop, booking: Row) -> Row:
    (row,) = shop.venue.owner.select("select * from public.bookings where id = %s", booking["id"])
    return row


def start_in_the_past(shop: Shop, booking: Row) -> None:
    shop.move_in_time(booking, timedelta(days=-9))


def names(shop: Shop, parties: dict[str, Row], query: str, by: Client | None = None) -> list[str]:
    """Whose bookings are found, in their order."""
    known = {booking["id"]: name for name, booking in parties.items()}
    return [known[found["id"]] for found in search(shop, query, by)["bookings"]]


def test_whatever_is_said_of_a_booking_finds_it(shop: Shop, parties: dict[str, Row]) -> None:
    reference = parties["zoe"]["reference"]
    mistaken = reference.lower().replace("0", "o").replace("1", "l")
    day = shop.at(4).date()
    for query, whose in {
        reference: ["zoe"],
        mistaken.replace("-", " "): ["zoe"],
        f"Ref.: {mistaken} (Venue)": ["zoe"],
        "ZOE nunez": ["zoe"],
        "ferrer": ["zoe"],
        "612 34 56 78": ["zoe"],
        "0034612345678": ["zoe"],
        "345678 zoë": ["zoe"],
        "marcelli OBRIEN": ["marcel"],
        "Marcel·lí O’Brien": ["marcel"],
        "strauss m.s@gmail": ["mariana"],
        "934120099": ["mariana"],
        # Who begins so comes before whose name holds it, however near the game is.
        "ana": ["ana", "mariana"],
        "example.test": ["zoe", "marcel", "ana"],
        f"{day}": ["ana"],
        f"{day:%d/%m/%Y}": ["ana"],
        f"lopez {day:%d.%m.%y}": ["ana"],
        f"lopez {shop.at(3).date()}": [],
        "ana zoe": [],
        "100% _": [],
        "an": ["ana"],
    }.items():
        assert names(shop, parties, query) == whose, query
    for query in (None, "", "a", "12", "+3"):
        with refused(422, "query_too_short"):
            search(shop, query)


def test_what_is_to_come_is_first_and_more_is_said(shop: Shop, parties: dict[str, Row]) -> None:
    start_in_the_past(shop, parties["marcel"])
    assert names(shop, parties, "example") == ["zoe", "ana", "marcel"]
    found = search(shop, "example", max_results=2)
    assert ([b["id"] for b in found["bookings"]], found["has_more"]) == (
        [parties["zoe"]["id"], parties["ana"]["id"]],
        True,
    )
    assert not search(shop, "example", max_results=3)["has_more"]
    for most in (0, 51, None):
        with refused(422, "max_results_invalid"):
            search(shop, "example", max_results=most)


def test_who_may_not_read_customers_learns_nothing_of_them(
    shop: Shop, parties: dict[str, Row]
) -> None:
    reader = shop.venue.hire("reader", shop.venue.make_role("Reader", ["bookings:read"]))
    day = shop.at(1).date()
    assert names(shop, parties, parties["zoe"]["reference"], reader) == ["zoe"]
    assert names(shop, parties, f"{day}", reader) == ["zoe"]
    for query in ("zoe", "612345678", "z@example.test", f"zoe {day}", f"nobody {day}"):
        assert search(shop, query, reader) == {"bookings": [], "has_more": False}
    (seen,) = search(shop, f"{day}", reader)["bookings"]
    assert (seen["contact_name"], seen["email"], seen["phone"]) == (None, None, None)
    (seen,) = search(shop, f"{day}")["bookings"]
    assert (seen["contact_name"], seen["email"], seen["phone"], seen["matched"]) == (
        "Zoë Núñez-Ferrer",
        "z@example.test",
        "+34 612 345 678",
        "date",
    )


def test_another_venue_and_an_erased_customer_are_not_found(
    shop: Shop, house: House, parties: dict[str, Row]
) -> None:
    foreign = open_shop(house, "Foreign")
    assert search(foreign, "lopez") == {"bookings": [], "has_more": False}
    assert search(foreign, parties["ana"]["reference"])["bookings"] == []
    with refused(403, "permission_denied"):
        search(shop, "lopez", foreign.venue.owner)

    # A name that staff correct is found at once, and what a booking came with as well.
    customer = stored(shop, parties["ana"])["customer_id"]
    change(shop.venue.owner, "customers", {"full_name": "Ana Lledó"}, id=customer)
    assert names(shop, parties, "lledo") == names(shop, parties, "ana lopez") == ["ana"]
    shop.venue.owner.call(
        "transition_booking",
        organization_id=shop.id,
        booking_id=parties["ana"]["id"],
        to_status="cancelled",
    )
    shop.venue.owner.call(
        "erase_customer", organization_id=shop.id, customer_id=customer, reason="Asked for it"
    )
    for query in ("lledo", "lopez", "lopez@example.test"):
        assert names(shop, parties, query) == []


def test_frequent_words_are_found_in_the_same_order_as_rare_ones(
    shop: Shop, parties: dict[str, Row]
) -> None:
    """In rounds, or all at once: which of the two is a matter of how many there are."""
    start_in_the_past(shop, parties["marcel"])
    start_in_the_past(shop, parties["mariana"])
    for words in (["ana"], ["example.test"], ["test"], ["345678"], ["test", "o"], ["nobody"]):
        (row,) = shop.house.owner_sql(
            "select private.found_at_once(q.o, q.w, '-infinity', 'infinity', null, now(), 200)"
            "  as at_once,"
            " private.found_at_once(q.o, q.w, '-infinity', 'infinity', null, now(), 1) as too_many,"
            " array(select f.id from (select distinct on (n.id) n.id, r.place, n.position"
            "   from (values (1, true, true), (2, true, false), (3, false, true),"
            "    (4, false, false)) as r (place, starts, to_come),"
            "   unnest(private.found_by_words(q.o, private.search_patterns(q.w, r.starts),"
            "    case when r.to_come then now() else '-infinity' end,"
            "    case when r.to_come then 'infinity' else now() end, null, r.to_come, 10))"
            "   with ordinality as n (id, position) order by n.id, r.place) as f"
            "  order by f.place, f.position) as in_rounds"
            " from (select %s::uuid as o, %s::text[] as w) as q",
            shop.id,
            words,
        )
        assert row["at_once"] == row["in_rounds"], words
        assert (row["too_many"] is None) == bool(row["at_once"]), words
