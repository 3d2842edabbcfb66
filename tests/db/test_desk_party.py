"""Who comes with a booking: a list that desk and customer keep, and that the waivers mark."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import Row, Shop, open_shop
from db.changes_world import book
from matrix.house import House
from matrix.promises import refused

_keys = count(1)
DRAWING = "M0 0 L10 10"


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(waiver_policy="optional")
    shop.open_on(room, "10:00", "22:00")
    shop.venue.owner.call(
        "publish_waiver", organization_id=shop.id, texts=Jsonb({"en": "At your own risk."})
    )
    return room


@pytest.fixture
def booking(shop: Shop, room: str) -> Row:
    booking = book(
        shop,
        room,
        shop.at(30, "11:30"),
        party_size=4,
        customer={"full_name": "Ana Garcia", "email": "ana@example.test"},
        calendar_id=shop.calendar_id,
    )
    shop.move_now(booking, "confirmed")
    return booking


def desk_sets(
    shop: Shop, booking: Row, *people: Any, by: Client | None = None, **values: Any
) -> Row:
    party: Row = (by or shop.venue.owner).call(
        "set_booking_people",
        organization_id=shop.id,
        booking_id=booking["id"],
        people=Jsonb(list(people)),
        **values,
    )
    return party


def customer_sets(shop: Shop, booking: Row, *people: Any, **values: Any) -> Row:
    party: Row = shop.visitor.call(
        "set_party",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        people=Jsonb(list(people)),
        **values,
    )
    return party


def customer_reads(shop: Shop, booking: Row) -> Row:
    party: Row = shop.visitor.call(
        "get_party", reference=booking["reference"], manage_token=booking["manage_token"]
    )
    return party


def sign(shop: Shop, booking: Row, name: str, email: str | None = None, *minors: str) -> None:
    shop.visitor.call(
        "sign_waiver",
        token=shop.look(booking)["waiver"]["token"],
        version=1,
        signer=Jsonb({"full_name": name, "email": email}),
        minors=Jsonb([{"full_name": m, "birth_year": shop.today.year - 9} for m in minors]),
        signature=DRAWING,
        idempotency_key=f"party-{next(_keys)}",
    )


def signed(party: Row) -> dict[str, bool]:
    return {person["full_name"]: person["signed"] for person in party["people"]}


def test_customer_and_desk_keep_one_list_and_only_the_desk_marks_who_has_paid(
    shop: Shop, booking: Row
) -> None:
    assert customer_reads(shop, booking)["people"] == []
    desk = shop.venue.hire("desk", "receptionist")
    jobs = "select count(*) from private.jobs"
    before = shop.house.one(jobs)
    named = ({"full_name": " Ana Garcia ", "email": "ANA@example.test"}, {"full_name": "Bea"})
    first = customer_sets(shop, booking, *named, {"full_name": "Carl", "paid": True})
    assert (first["maximum"], first["open"]) == (4, True)
    assert [(p["full_name"], p["email"], p["paid"]) for p in first["people"]] == [
        ("Ana Garcia", "ana@example.test", False),
        ("Bea", None, False),
        ("Carl", None, False),
    ]
    # Sent again, it is the same list, with the same people.
    assert customer_sets(shop, booking, *named, {"full_name": "Carl"}) == first
    ana, bea, _ = first["people"]

    marked = desk_sets(
        shop, booking, {"id": bea["id"], "full_name": "Beatriz", "paid": True}, ana, by=desk
    )
    assert [(p["id"], p["full_name"], p["paid"]) for p in marked["people"]] == [
        (bea["id"], "Beatriz", True),
        (ana["id"], "Ana Garcia", False),
    ]
    assert customer_reads(shop, booking) == marked
    read = desk.call("get_booking_people", organization_id=shop.id, booking_id=booking["id"])
    assert read == marked
    # Nothing of the money has moved by a mark, and nobody is written to.
    assert shop.look(booking)["paid_cents"] == 0
    assert shop.house.one(jobs) == before
    with refused(409, "person_has_paid") as caught:
        customer_sets(shop, booking, ana)
    assert caught.value.details == {"id": bea["id"]}
    # The customer's next list keeps the mark, and the desk takes it back.
    kept = customer_sets(shop, booking, {"id": bea["id"], "full_name": "Bea"})
    assert [(p["full_name"], p["paid"]) for p in kept["people"]] == [("Bea", True)]
    assert desk_sets(shop, booking, {**kept["people"][0], "paid": False})["people"][0] == {
        **kept["people"][0],
        "paid": False,
    }


def test_a_list_that_another_has_changed_is_not_overwritten(shop: Shop, booking: Row) -> None:
    seen = customer_sets(shop, booking, {"full_name": "Ana"})
    newer = desk_sets(shop, booking, *seen["people"], {"full_name": "Bea"})
    with refused(409, "party_changed"):
        customer_sets(shop, booking, {"full_name": "Carl"}, expected_version=seen["version"])
    # Nor is somebody named who is not in it any more.
    desk_sets(shop, booking, newer["people"][1], expected_version=newer["version"])
    with refused(409, "party_changed"):
        customer_sets(shop, booking, seen["people"][0])
    assert list(signed(customer_reads(shop, booking))) == ["Bea"]


def test_no_more_than_the_party_and_nothing_that_is_no_person(shop: Shop, booking: Row) -> None:
    four = [{"full_name": name} for name in ("Ana", "Bea", "Carl", "Dana")]
    before = customer_sets(shop, booking, *four)
    for by in (desk_sets, customer_sets):
        with refused(422, "party_too_large") as caught:
            by(shop, booking, *four, {"full_name": "Eve"})
        assert caught.value.details == {"maximum": 4}
        for wrong, field in (
            ({"full_name": " "}, "full_name"),
            ("Ana", "full_name"),
            ({"full_name": "x" * 201}, "full_name"),
            ({"full_name": "see https://example.test"}, "full_name"),
            ({"full_name": "Ana", "email": "nobody"}, "email"),
            ({"full_name": "Ana", "phone": "none"}, "phone"),
            ({"full_name": "Ana", "id": "1"}, "id"),
        ):
            with refused(422, "people_invalid") as caught:
                by(shop, booking, four[0], wrong)
            assert caught.value.details == {"position": 1, "field": field}
    twice = before["people"][0]
    with refused(422, "people_invalid"):
        customer_sets(shop, booking, twice, twice)
    # As a stranger may not call themselves, since the desk reads it.
    with refused(422, "people_invalid"):
        customer_sets(shop, booking, {"full_name": "=Venue.com"})
    assert customer_reads(shop, booking) == before


def test_who_has_signed_is_found_out_one_signature_for_one_person(shop: Shop, booking: Row) -> None:
    sign(shop, booking, "ana garcía", None, "Tim")
    party = customer_sets(
        shop,
        booking,
        {"full_name": "Ana Garcia", "email": "ana@example.test"},
        {"full_name": "Ana García"},
        {"full_name": "Bea", "email": "bea@example.test"},
        {"full_name": "tim", "signed": True},
    )
    assert [p["signed"] for p in party["people"]] == [True, False, False, True]
    # By the address, whatever the name; and a name that is in the list twice needs two.
    sign(shop, booking, "Beatriz Q.", "bea@example.test")
    sign(shop, booking, "Ana Garcia", "other@example.test")
    party = customer_reads(shop, booking)
    assert [p["signed"] for p in party["people"]] == [True, True, True, True]
    # Whoever takes another's place in the list does not have their signature.
    corrected = customer_sets(
        shop, booking, {**party["people"][2], "full_name": "Eve", "email": "eve@example.test"}
    )
    assert signed(corrected) == {"Eve": False}
    linked = shop.venue.owner.select(
        "select p.full_name, s.full_name as signer from public.booking_people as p"
        " left join public.waiver_signatures as s on s.id = p.signature_id"
    )
    assert linked == [{"full_name": "Eve", "signer": None}]


def test_the_customer_writes_it_while_the_booking_lives_and_the_desk_always(
    shop: Shop, room: str, booking: Row
) -> None:
    held = shop.hold(room, shop.at(31, "11:30"))
    with refused(409, "party_closed"):
        customer_sets(shop, held, {"full_name": "Ana"})
    with refused(404, "booking_not_found"):
        customer_sets(shop, {**booking, "manage_token": held["manage_token"]}, {"full_name": "Eve"})
    shop.cancel(booking)
    with refused(409, "party_closed"):
        customer_sets(shop, booking, {"full_name": "Ana"})
    assert not customer_reads(shop, booking)["open"]
    assert signed(desk_sets(shop, booking, {"full_name": "Ana"})) == {"Ana": False}


def test_who_may_not_read_customers_neither_reads_nor_writes_it(shop: Shop, booking: Row) -> None:
    desk_sets(shop, booking, {"full_name": "Ana"})
    master = shop.venue.hire("master", "game_master")
    blind = shop.venue.hire("blind", shop.venue.make_role("Blind", ["bookings:update"]))
    for person, missing in ((master, "bookings:update"), (blind, "customers:read")):
        with refused(403, "permission_denied") as caught:
            desk_sets(shop, booking, {"full_name": "Eve"}, by=person)
        assert caught.value.details == {"permission": missing}
        assert person.select("select id from public.booking_people") == []
    with refused(403, "permission_denied"):
        master.call("get_booking_people", organization_id=shop.id, booking_id=booking["id"])
    for query in (
        "update public.booking_people set has_paid = true",
        "delete from public.booking_people",
    ):
        with refused(403, "42501"):
            shop.venue.owner.change(query)


def test_erased_with_the_customer_and_by_ones_own_address_and_told_to_the_customer_alone(
    shop: Shop, room: str, booking: Row
) -> None:
    owner = shop.venue.owner
    people = (
        {"full_name": "Ana Garcia", "phone": "600 1234"},
        {"full_name": "Bea", "email": "bea@example.test"},
    )
    desk_sets(shop, booking, *people)
    friend = book(
        shop, room, shop.at(32, "11:30"), customer={"full_name": "Bea", "email": "bea@example.test"}
    )
    desk_sets(shop, friend, {"full_name": "Dana"})

    def of(booking: Row) -> str:
        (row,) = owner.select(
            "select customer_id from public.bookings where id = %s", booking["id"]
        )
        return str(row["customer_id"])

    told = owner.call("export_customer", organization_id=shop.id, customer_id=of(booking))
    rows = told["tables"]["booking_people"]
    assert {row["position"]: row.get("full_name") for row in rows} == {1: "Ana Garcia", 2: None}
    assert "bea@example.test" not in str(rows)

    shop.move_now(friend, "cancelled")
    owner.call("erase_customer", organization_id=shop.id, customer_id=of(friend), reason="Asked")
    seen = owner.select(
        "select full_name, email, phone from public.booking_people order by booking_id, position"
    )
    assert sorted(str(row["full_name"]) for row in seen) == ["Ana Garcia", "Erased", "Erased"]
    assert all(row["email"] is None for row in seen)
    with refused(409, "customer_erased"):
        desk_sets(shop, friend, {"full_name": "Dana"})
    log = shop.house.one("select jsonb_agg(p)::text from public.audit_log_personal as p")
    assert "Dana" not in log
    assert "bea@example.test" not in log
