"""Refunds by staff: promised with a reason, and written down when handed over."""

from __future__ import annotations

from uuid import uuid4

import pytest

from client import Client
from db.booking_world import PRICE, Row, Shop, open_shop
from db.changes_world import alter, book, copy_tenant, everything, key, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def twin(house: House) -> Shop:
    """Another venue with the same things."""
    return open_shop(house, "Twin")


@pytest.fixture
def paid(shop: Shop) -> Row:
    room = shop.add_room()
    booked = book(shop, room, shop.at(3))
    take(shop, booked, PRICE)
    take(shop, booked, PRICE, "bizum")
    return booked


def refund(shop: Shop, booking: Row, cents: int | None, **values: object) -> Row:
    by = values.pop("by", shop.venue.owner)
    assert isinstance(by, Client)
    given: Row = by.call(
        "refund_booking",
        **{
            "organization_id": shop.id,
            "booking_id": booking["id"],
            "amount_cents": cents,
            "reason": "It was too cold",
            "idempotency_key": key(),
            **values,
        },
    )
    return given


def record(shop: Shop, request: object, **values: object) -> Row:
    by = values.pop("by", shop.venue.owner)
    assert isinstance(by, Client)
    recorded: Row = by.call(
        "record_refund",
        **{
            "organization_id": shop.id,
            "refund_request_id": request,
            "idempotency_key": key(),
            **values,
        },
    )
    return recorded


def pending(shop: Shop, by: Client | None = None) -> list[Row]:
    listed: list[Row] = (by or shop.venue.owner).call(
        "get_pending_refunds", organization_id=shop.id
    )
    return listed


class TestPromising:
    def test_newest_payment_first_and_no_more_than_is_there(self, shop: Shop, paid: Row) -> None:
        given = refund(shop, paid, PRICE + 100)
        assert (given["amount_cents"], given["refundable_cents"]) == (PRICE + 100, PRICE - 100)
        assert {(r["method"], r["amount_cents"], r["status"]) for r in given["refunds"]} == {
            ("bizum", PRICE, "pending"),
            ("cash", 100, "pending"),
        }
        with refused(422, "amount_too_high") as caught:
            refund(shop, paid, PRICE)
        assert caught.value.details == {"refundable_cents": PRICE - 100}
        later = refund(shop, paid, PRICE - 100)
        assert [r["amount_cents"] for r in later["refunds"]] == [PRICE - 100]

    def test_it_is_not_asked_for_again_online(self, shop: Shop, paid: Row) -> None:
        refund(shop, paid, 100)
        assert shop.look(paid)["due_now_cents"] == TOTAL - 100
        with refused(409, "nothing_due"):
            shop.house.service.call(
                "service.open_checkout",
                reference=paid["reference"],
                manage_token=paid["manage_token"],
            )

    def test_a_booking_that_waits_still_owes_what_it_owed(self, shop: Shop) -> None:
        booked = book(shop, shop.add_room(), shop.at(3))
        take(shop, booked, PRICE)
        refund(shop, booked, PRICE)
        assert shop.look(booked)["due_now_cents"] == TOTAL

    def test_a_cancelled_booking_can_be_refunded_beyond_its_terms(self, shop: Shop) -> None:
        room = shop.add_room()
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=0, refund_percent=50)
        paid = book(shop, room, shop.at(3))
        take(shop, paid, TOTAL)
        shop.cancel(paid)
        assert refund(shop, paid, PRICE)["refundable_cents"] == 0

    @pytest.mark.parametrize(
        ("code", "cents", "values"),
        [
            ("amount_invalid", 0, {}),
            ("amount_invalid", -1, {}),
            ("amount_invalid", None, {}),
            ("amount_too_high", TOTAL + 1, {}),
            ("reason_invalid", 1, {"reason": " "}),
            ("reason_invalid", 1, {"reason": None}),
            ("reason_invalid", 1, {"reason": "x" * 501}),
            ("idempotency_key_invalid", 1, {"idempotency_key": None}),
        ],
    )
    def test_what_is_refused_promises_nothing(
        self, shop: Shop, paid: Row, code: str, cents: int | None, values: Row
    ) -> None:
        before = everything(shop)
        with refused(422, code):
            refund(shop, paid, cents, **values)
        assert everything(shop) == before

    def test_a_replay_promises_nothing_more(self, shop: Shop, paid: Row) -> None:
        first = refund(shop, paid, 100, idempotency_key="one")
        before = everything(shop)
        assert refund(shop, paid, 100, idempotency_key="one") == first
        for cents, values in ((101, {}), (100, {"reason": "x"})):
            with refused(422, "idempotency_key_reused"):
                refund(shop, paid, cents, idempotency_key="one", **values)
        assert everything(shop) == before

    def test_another_venue_s_booking_is_not_found(self, twin: Shop, paid: Row) -> None:
        for booking in (paid["id"], uuid4(), None):
            with refused(404, "booking_not_found"):
                refund(twin, {"id": booking}, 1)


class TestHandingOver:
    def test_what_was_given_back_is_in_the_ledger_once(self, shop: Shop, paid: Row) -> None:
        refund(shop, paid, 100)
        (waits,) = pending(shop)
        assert {k: v for k, v in waits.items() if k not in ("requested_at", "contact_name")} == {
            "refund_request_id": waits["refund_request_id"],
            "booking_id": paid["id"],
            "reference": paid["reference"],
            "method": "bizum",
            "by_hand": True,
            "status": "pending",
            "stuck": False,
            "problem": None,
            "amount_cents": 100,
            "currency": "EUR",
            "reason": "staff",
            "note": "It was too cold",
            "disputed": False,
        }
        done = record(shop, waits["refund_request_id"])
        assert (done["method"], done["amount_cents"], done["refunded_cents"]) == ("bizum", 100, 100)
        assert done["paid_cents"] == TOTAL
        assert pending(shop) == []
        (entry,) = shop.venue.owner.select("select * from public.refunds")
        assert (entry["kind"], entry["method"], entry["amount_cents"]) == ("refund", "bizum", 100)
        assert entry["recorded_by"] == {"kind": "user", "id": shop.venue.owner.id}
        with refused(409, "refund_not_pending"):
            record(shop, waits["refund_request_id"])
        assert shop.look(paid)["refunded_cents"] == 100

    def test_what_cancelling_and_changing_promised_waits_too(self, shop: Shop, paid: Row) -> None:
        alter(shop, paid, party_size=1)
        shop.cancel(paid)
        assert {(p["reason"], p["method"], p["amount_cents"]) for p in pending(shop)} == {
            ("changed", "bizum", PRICE),
            ("cancelled", "cash", PRICE),
        }
        for waits in pending(shop):
            record(shop, waits["refund_request_id"])
        assert shop.look(paid)["refunded_cents"] == TOTAL

    def test_money_from_a_provider_is_not_handed_over(self, shop: Shop, paid: Row) -> None:
        shop.house.owner_sql(
            "insert into public.payments (organization_id, booking_id, method, amount_cents,"
            " currency, provider_payment_id) values (%s, %s, 'stripe', 500, 'EUR', 'pi_staff')",
            shop.id,
            paid["id"],
        )
        refund(shop, paid, 500)
        (waits,) = pending(shop)
        assert (waits["method"], waits["by_hand"]) == ("stripe", False)
        before = everything(shop)
        with refused(409, "refund_not_pending"):
            record(shop, waits["refund_request_id"])
        assert everything(shop) == before

    def test_a_replay_writes_nothing_more(self, shop: Shop, paid: Row) -> None:
        given = refund(shop, paid, PRICE + 1)["refunds"]
        first, second = (r["refund_request_id"] for r in given)
        done = record(shop, first, idempotency_key="one")
        assert record(shop, first, idempotency_key="one") == done
        with refused(422, "idempotency_key_reused"):
            record(shop, second, idempotency_key="one")
        assert shop.venue.count("refunds") == 1

    def test_a_venue_with_the_same_ids_is_left_alone(
        self, shop: Shop, twin: Shop, paid: Row
    ) -> None:
        request = refund(shop, paid, 100)["refunds"][0]["refund_request_id"]
        copy_tenant(shop, twin, ("customers", "sessions", "bookings", "payments"))
        shop.house.owner_sql(
            "insert into private.refund_requests (organization_id, id, booking_id, payment_id,"
            " amount_cents, currency, reason) select %s, id, booking_id, payment_id, 70, currency,"
            " 'staff' from private.refund_requests where organization_id = %s",
            twin.id,
            shop.id,
        )
        assert record(shop, request)["amount_cents"] == 100
        assert [p["amount_cents"] for p in pending(twin)] == [70]
        assert record(twin, request)["amount_cents"] == 70
        assert (shop.venue.count("refunds"), twin.venue.count("refunds")) == (1, 1)

    def test_another_venue_s_promise_is_not_found(self, shop: Shop, twin: Shop, paid: Row) -> None:
        request = refund(shop, paid, 100)["refunds"][0]["refund_request_id"]
        for wanted in (request, uuid4(), None):
            with refused(404, "refund_request_not_found"):
                record(twin, wanted)


class TestWhoMay:
    def test_managers_refund_and_receptionists_see(self, shop: Shop, paid: Row) -> None:
        mia = shop.venue.hire("mia", "manager")
        request = refund(shop, paid, 100, by=mia)["refunds"][0]["refund_request_id"]
        anna = shop.venue.hire("anna", "receptionist")
        assert [p["refund_request_id"] for p in pending(shop, anna)] == [request]
        for person in (anna, shop.venue.hire("gil", "game_master")):
            with refused(403, "permission_denied"):
                refund(shop, paid, 100, by=person)
            with refused(403, "permission_denied"):
                record(shop, request, by=person)
        with refused(403, "permission_denied"):
            pending(shop, shop.venue.hire("gus", "game_master"))
        assert record(shop, request, by=mia)["refunded_cents"] == 100

    def test_strangers_and_visitors_do_not(self, shop: Shop, twin: Shop, paid: Row) -> None:
        with refused(403, "permission_denied"):
            refund(shop, paid, 1, by=twin.venue.owner)
        with refused(403, "permission_denied"):
            pending(shop, twin.venue.owner)
        with refused(401, "42501"):
            pending(shop, shop.visitor)
