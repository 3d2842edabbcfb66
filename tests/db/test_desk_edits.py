"""What was written down wrong is corrected: a booking's contact, comments, coupons, roles."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import PRICE, Row, Shop, ask, open_shop
from db.changes_world import book, key
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


@pytest.fixture
def booking(shop: Shop, room: str) -> Row:
    return book(
        shop,
        room,
        shop.at(30, "11:30"),
        customer={"full_name": "Ana Garcia", "email": "ana@example.test", "phone": "600 1"},
        calendar_id=shop.calendar_id,
    )


def correct(shop: Shop, booking: Row, by: Client | None = None, **values: Any) -> Row:
    corrected: Row = (by or shop.venue.owner).call(
        "change_booking_details",
        organization_id=shop.id,
        booking_id=booking["id"],
        **{k: Jsonb(v) if isinstance(v, dict) else v for k, v in values.items()},
    )
    return corrected


def contact(shop: Shop, booking: Row) -> Row:
    (row,) = shop.venue.owner.select(
        "select k.contact_name, k.contact_phone, k.customer_note, k.fields, b.locale"
        " from public.bookings as b join public.booking_contacts as k"
        " on k.organization_id = b.organization_id and k.booking_id = b.id where b.id = %s",
        booking["id"],
    )
    return row


class TestDetails:
    def test_what_is_named_is_corrected_and_the_rest_stays(self, shop: Shop, booking: Row) -> None:
        ask(shop, "team", kind="text", required=True)
        desk = shop.venue.hire("desk", "receptionist")
        jobs = "select count(*) from private.jobs"
        before = shop.house.one(jobs)
        answer = correct(
            shop, booking, desk, contact_name=" Anna Garcia ", locale="ca", fields={"team": "Foxes"}
        )
        assert (answer["fields"], answer["status"]) == ({"team": "Foxes"}, "pending")
        first = contact(shop, booking)
        assert first == {
            "contact_name": "Anna Garcia",
            "contact_phone": "600 1",
            "customer_note": "",
            "fields": {"team": "Foxes"},
            "locale": "ca",
        }
        for _ in range(2):
            correct(shop, booking, contact_phone="", customer_note="Two cakes")
            assert contact(shop, booking) == {
                **first,
                "contact_phone": None,
                "customer_note": "Two cakes",
            }
        assert shop.house.one(jobs) == before, "nobody is written to"

    def test_not_what_nobody_could_have_booked_with(self, shop: Shop, booking: Row) -> None:
        ask(shop, "team", kind="text", required=True)
        before = contact(shop, booking)
        for values, code, details in (
            ({"contact_name": " "}, "customer_invalid", {"field": "full_name"}),
            ({"contact_phone": "none"}, "customer_invalid", {"field": "phone"}),
            ({"locale": "xx"}, "customer_invalid", {"field": "locale"}),
            ({"fields": {}}, "field_invalid", {"field": "team", "rule": "required"}),
            ({"customer_note": "x" * 2001}, "customer_note_too_long", None),
        ):
            with refused(422, code) as caught:
                correct(shop, booking, **values)
            assert details is None or caught.value.details == details
        master = shop.venue.hire("master", "game_master")
        blind = shop.venue.hire("blind", shop.venue.make_role("Blind", ["bookings:update"]))
        for person, missing in ((master, "bookings:update"), (blind, "customers:read")):
            with refused(403, "permission_denied") as caught:
                correct(shop, booking, person, contact_name="Eve")
            assert caught.value.details == {"permission": missing}
        assert contact(shop, booking) == before

    def test_who_was_erased_is_not_written_down_again(self, shop: Shop, booking: Row) -> None:
        owner = shop.venue.owner
        shop.move_now(booking, "cancelled")
        (row,) = owner.select("select customer_id from public.bookings")
        owner.call(
            "erase_customer",
            organization_id=shop.id,
            customer_id=row["customer_id"],
            reason="Asked for it",
        )
        with refused(409, "customer_erased"):
            correct(shop, booking, contact_name="Ana Garcia")
        with refused(409, "customer_erased"):
            comment(shop, booking, "It was Ana Garcia")


def comment(shop: Shop, booking: Row, body: str, by: Client | None = None, **values: Any) -> Row:
    written: Row = (by or shop.venue.owner).call(
        "add_booking_comment",
        organization_id=shop.id,
        booking_id=booking["id"],
        body=body,
        **{"idempotency_key": key(), **values},
    )
    return written


class TestComments:
    def test_each_has_its_author_who_alone_changes_and_deletes_it(
        self, shop: Shop, booking: Row
    ) -> None:
        desk = shop.venue.hire("desk", "receptionist")
        by_key, _ = shop.venue.make_key(["bookings:update"])
        first = comment(shop, booking, " Called twice ", desk, idempotency_key="same")
        assert comment(shop, booking, " Called twice ", desk, idempotency_key="same") == first
        assert (first["body"], first["author_kind"], first["author_id"], first["edited_at"]) == (
            "Called twice",
            "user",
            desk.id,
            None,
        )
        other = comment(shop, booking, "From the other system", by_key)
        assert other["author_kind"] == "api_key"

        def change(by: Client, which: Row, body: str) -> Row:
            changed: Row = by.call(
                "change_booking_comment",
                organization_id=shop.id,
                comment_id=which["id"],
                body=body,
            )
            return changed

        def delete(by: Client, which: Row) -> None:
            by.call("delete_booking_comment", organization_id=shop.id, comment_id=which["id"])

        for by, which in ((shop.venue.owner, first), (desk, other), (by_key, first)):
            with refused(403, "comment_of_another"):
                change(by, which, "Never called")
            with refused(403, "comment_of_another"):
                delete(by, which)
        assert change(desk, first, "Called twice")["edited_at"] is None
        changed = change(desk, first, "Called three times")
        assert changed["edited_at"] is not None
        assert change(desk, first, "Called three times") == changed
        for body in ("", ".", "x" * 2001):
            with refused(422, "comment_invalid"):
                change(desk, first, body)
        delete(desk, first)
        with refused(404, "comment_not_found"):
            delete(desk, first)
        seen = desk.select("select body from public.booking_comments")
        assert [row["body"] for row in seen] == ["From the other system"]
        # Who runs the games reads the day without what is said of its customers.
        master = shop.venue.hire("master", "game_master")
        assert master.select("select id from public.booking_comments") == []


class TestCoupons:
    def test_a_coupon_is_renamed_and_counts_on(self, shop: Shop, room: str) -> None:
        owner = shop.venue.owner
        terms: Row = {"kind": "percent", "value": 50, "maximum_uses": 2}
        coupon = owner.call("create_coupon", organization_id=shop.id, code="SPRING", **terms)
        owner.call("create_coupon", organization_id=shop.id, code="TAKEN", **terms)
        used = book(shop, room, shop.at(30, "11:30"), coupon_code="SPRING")
        assert used["total_cents"] == PRICE

        def change(code: str, by: Client = owner, **values: Any) -> Row:
            changed: Row = by.call(
                "change_coupon",
                organization_id=shop.id,
                coupon_id=coupon["id"],
                code=code,
                **{**terms, **values},
            )
            return changed

        changed = change("sum-mer", value=20, maximum_uses=1, room_ids=[room])
        assert {k: changed[k] for k in ("id", "code", "value", "maximum_uses", "all_rooms")} == {
            "id": coupon["id"],
            "code": "SUMMER",
            "value": 20,
            "maximum_uses": 1,
            "all_rooms": False,
        }
        assert change("SUMMER", value=20, maximum_uses=1, room_ids=[room])["code"] == "SUMMER"
        # What was quoted stays, and its use is the one that there is.
        assert shop.look(used)["total_cents"] == PRICE
        with refused(422, "coupon_max_uses"):
            book(shop, room, shop.at(31, "11:30"), coupon_code="SUMMER")
        with refused(422, "coupon_not_found"):
            book(shop, room, shop.at(31, "11:30"), coupon_code="SPRING")
        assert change("SUMMER", maximum_uses=None)["all_rooms"]
        again = book(shop, room, shop.at(31, "11:30"), coupon_code="SUMMER")
        assert again["total_cents"] == PRICE
        with refused(409, "coupon_code_taken"):
            change("TAKEN")
        with refused(422, "coupon_invalid") as caught:
            change("SUMMER", value=101)
        assert caught.value.details == {"field": "value"}
        desk = shop.venue.hire("desk", "receptionist")
        with refused(403, "permission_denied"):
            change("SUMMER", desk)


class TestRoles:
    def test_a_role_is_renamed_and_whoever_has_it_keeps_it(self, shop: Shop) -> None:
        owner, admin = shop.venue.owner, shop.venue.hire("admin", "admin")
        role = shop.venue.make_role("Door", ["bookings:read"])
        shop.venue.make_role("Bar", ["bookings:read"])
        door = shop.venue.hire("door", role)

        def rename(name: str, role_id: str = role, by: Client = owner, **values: Any) -> Row:
            renamed: Row = by.call(
                "rename_role", organization_id=shop.id, role_id=role_id, name=name, **values
            )
            return renamed

        renamed = rename(" Entrance ", by=admin, description="At the entrance")
        assert rename("Entrance", by=admin, description="At the entrance") == renamed
        assert {k: renamed[k] for k in ("key", "name", "description", "permissions")} == {
            "key": "door",
            "name": "Entrance",
            "description": "At the entrance",
            "permissions": ["bookings:read"],
        }
        assert rename("Entrance")["description"] == "At the entrance"
        assert shop.venue.role_of(door) == "door"
        with refused(409, "role_exists"):
            rename("BAR")
        with refused(409, "role_is_system"):
            rename("Boss", shop.venue.role("manager"))
        with refused(422, "name_invalid"):
            rename("https://example.test")
        # Nobody renames what is above them.
        above = shop.venue.make_role("Above", ["organization:close"])
        with refused(403, "permission_not_held"):
            rename("Below", above, admin)
