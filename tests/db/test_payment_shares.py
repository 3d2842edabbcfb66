"""Split payment: whoever pays, and whenever, no share is paid twice and all get back theirs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import SERVICE, Refused
from db.invariants import broken_ledger
from db.money_world import TOTAL, Booking, Database, make_venue, member, paid, session_of
from db.shares_world import Json, Shop, dashboard, dispute, refund

NAMES = ("Ben", "Cleo", "Dan", "Eve")


def amounts(split: Json) -> list[int]:
    return [share["amount_cents"] for share in split["shares"] if share["status"] == "open"]


def states(split: Json) -> list[tuple[str, str | None]]:
    return [(share["status"], share["ended_reason"]) for share in split["shares"]]


@pytest.fixture(scope="module")
def shop(money: Database) -> Iterator[Shop]:
    venue = make_venue(money)
    venue.owner.change("update public.organizations set split_hold_hours = 24")
    yield Shop(venue)
    assert broken_ledger(money.all, venue.organization_id) == {}


class TestSplitting:
    def test_equal_parts_make_the_amount_to_the_cent(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        people = [{"name": name} for name in NAMES]
        split = shop.split(booking, *people[:2], method="equal")
        assert (amounts(split), split["organizer_cents"]) == ([2000, 2000], 2000)
        shop.venue.database.run(
            "update public.bookings set due_now_cents = 1001 where id = %s", booking.id
        )
        split = shop.split(booking, *people[:3], method="equal", organizer_pays=False)
        assert (amounts(split), split["organizer_cents"]) == ([334, 334, 333], TOTAL - 1001)
        split = shop.split(booking, *people[:3], method="equal")
        assert amounts(split) == [250, 250, 250]
        split = shop.split(booking, *people, method="equal", organizer_pays=False, whole=True)
        assert (amounts(split), split["organizer_cents"]) == ([1500] * 4, 0)

    def test_each_pays_what_each_takes(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        split = shop.split(
            booking, {"name": "Ben", "players": 1}, {"name": "Cleo", "players": 1}, method="taken"
        )
        assert (amounts(split), split["organizer_cents"]) == ([3000, 3000], 0)
        split = shop.split(booking, {"name": "Ben", "players": 1}, method="taken")
        assert (amounts(split), split["organizer_cents"]) == ([3000], 3000)

    def test_shares_change_until_they_are_paid(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        shop.pay(ben)
        split = shop.split(
            booking,
            {"id": cleo["share_id"], "name": "Cleo B.", "amount_cents": 1000},
            {"name": "Dan", "amount_cents": 1500},
        )
        assert {s["name"]: (s["status"], s["amount_cents"]) for s in split["shares"]} == {
            "Ben": ("paid", 2000),
            "Cleo B.": ("open", 1000),
            "Dan": ("open", 1500),
        }
        assert split["organizer_cents"] == 1500
        with pytest.raises(Refused) as refused:
            shop.split(booking, {"id": ben["share_id"], "name": "Ben", "amount_cents": 900})
        assert (refused.value.status, refused.value.code) == (409, "share_not_open")
        split = shop.split(booking)
        assert (amounts(split), split["organizer_cents"]) == ([], 4000)
        assert shop.see(cleo)["status"] == "over"

    def test_another_address_gets_another_link(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        one = {"name": "Ben", "email": "ben@example.com", "amount_cents": 2000}
        [ben] = shop.split(booking, one)["shares"]
        split = shop.split(booking, {**one, "id": ben["share_id"], "email": "b@example.com"})
        assert states(split) == [("ended", "changed"), ("open", None)]
        assert shop.see(ben)["status"] == "over"

    def test_a_page_for_another_amount_is_closed_before_shares_change(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        page = shop.checkout(ben)
        before = shop.of(booking)
        with pytest.raises(Refused) as refused:
            shop.split(booking, {"name": "Dan", "amount_cents": 3000})
        assert (refused.value.status, refused.value.code) == (409, "checkout_closing")
        assert shop.of(booking) == before
        shop.venue.apply(session_of(page, "expired"))
        split = shop.split(booking, {"name": "Dan", "amount_cents": 3000})
        assert (amounts(split), split["organizer_cents"]) == ([3000], 3000)

    def test_the_same_key_splits_once(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        key = str(uuid.uuid4())
        one = {"name": "Ben", "amount_cents": 2000}
        first = shop.split(booking, one, idempotency_key=key)
        assert shop.split(booking, one, idempotency_key=key) == first
        with pytest.raises(Refused) as refused:
            shop.split(booking, {**one, "amount_cents": 2100}, idempotency_key=key)
        assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")

    @pytest.mark.parametrize(
        ("shares", "options", "status", "code"),
        [
            ({"name": "Ben"}, {}, 422, "shares_invalid"),
            ([1], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": 2000}] * 21, {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": TOTAL}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": 0}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": -5}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": 10.5}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "amount_cents": "9"}], {}, 422, "shares_invalid"),
            ([{"name": "www.evil.example", "amount_cents": 900}], {}, 422, "shares_invalid"),
            ([{"name": 7, "amount_cents": 900}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "email": "x", "amount_cents": 900}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "id": "x", "amount_cents": 900}], {}, 422, "shares_invalid"),
            ([{"name": "Ben", "players": 1.5}], {"method": "taken"}, 422, "shares_invalid"),
            ([{"name": "Ben", "extras": 1}], {"method": "taken"}, 422, "shares_invalid"),
            ([{"name": "Ben", "extras": [{}]}], {"method": "taken"}, 422, "shares_invalid"),
            ([{"name": "Ben", "players": 3}], {"method": "taken"}, 422, "shares_too_high"),
            ([{"name": "Ben", "amount_cents": TOTAL + 1}], {}, 422, "shares_too_high"),
            ([{"name": "Ben", "amount_cents": 10}], {}, 422, "share_too_small"),
            ([{"name": "Ben", "amount_cents": TOTAL - 10}], {}, 422, "share_too_small"),
            ([{"name": "Ben"}], {"method": "dice"}, 422, "split_method_invalid"),
            ([], {"idempotency_key": ""}, 422, "idempotency_key_invalid"),
            (
                [{"name": "Ben", "id": str(uuid.uuid4()), "amount_cents": 900}],
                {},
                409,
                "share_not_open",
            ),
        ],
    )
    def test_a_wrong_split_is_refused_and_changes_nothing(
        self, shop: Shop, shares: Json, options: dict[str, Any], status: int, code: str
    ) -> None:
        booking = shop.venue.hold()
        held = shop.venue.see(booking)
        with pytest.raises(Refused) as refused:
            shop.venue.public.call(
                "split_booking",
                reference=booking.reference,
                manage_token=booking.token,
                shares=Jsonb(shares),
                **{"idempotency_key": str(uuid.uuid4()), **options},
            )
        assert (refused.value.status, refused.value.code) == (status, code)
        assert shop.of(booking)["shares"] == []
        assert shop.venue.see(booking) == held

    def test_a_venue_that_says_nothing_splits_nothing(self, money: Database) -> None:
        shop = Shop(make_venue(money))
        with pytest.raises(Refused) as refused:
            shop.thirds()
        assert (refused.value.status, refused.value.code) == (409, "split_not_offered")

    def test_what_is_over_or_paid_is_not_split(self, shop: Shop) -> None:
        for end, code in (
            (shop.venue.lapse, "not_payable"),
            (shop.venue.let_lapse, "not_payable"),
            (shop.venue.cancel, "not_payable"),
            (shop.venue.pay, "nothing_due"),
        ):
            booking = shop.venue.hold()
            end(booking)
            with pytest.raises(Refused) as refused:
                shop.thirds(booking)
            assert (refused.value.status, refused.value.code) == (409, code)


class TestPaying:
    def test_it_is_confirmed_when_what_is_due_is_covered(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        shop.pay(ben)
        shop.organizer_pays(booking)
        assert shop.venue.status(booking) == "held"
        shop.pay(cleo)
        assert shop.venue.status(booking) == "confirmed"
        assert shop.venue.balance(booking) == (TOTAL, 0)
        assert shop.see(ben)["status"] == "paid"

    def test_a_deposit_confirms_and_the_rest_is_paid_by_its_shares(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        shop.venue.database.run(
            "update public.bookings set due_now_cents = 2000 where id = %s", booking.id
        )
        split = shop.split(booking, {"name": "Ben"}, {"name": "Cleo"}, method="equal", whole=True)
        first = shop.checkout(split["shares"][0])
        second = shop.checkout(split["shares"][1])
        shop.venue.apply(paid(first))
        assert shop.venue.status(booking) == "confirmed"
        shop.venue.apply(paid(second))
        shop.organizer_pays(booking)
        assert shop.venue.balance(booking) == (TOTAL, 0)
        assert shop.venue.refund_requests(booking) == []

    def test_the_organizer_never_pays_what_a_share_covers(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        seen = shop.venue.see(booking)
        assert (seen["payable_cents"], seen["shared_cents"], seen["with_order"]) == (
            2000,
            4000,
            False,
        )
        page = shop.checkout(ben)
        assert shop.of(booking)["organizer_cents"] == 2000
        shop.organizer_pays(booking)
        with pytest.raises(Refused) as refused:
            shop.organizer_pays(booking)
        assert (refused.value.status, refused.value.code) == (409, "nothing_due")
        split = shop.take_over(booking, ben)
        # The payer may be pressing "pay" at this moment.
        assert split["organizer_cents"] == 0
        with pytest.raises(Refused) as refused:
            shop.organizer_pays(booking)
        assert (refused.value.status, refused.value.code) == (409, "checkout_closing")
        assert len(shop.venue.jobs("stripe.expire_checkout", booking)) == 1
        shop.venue.apply(session_of(page, "expired"))
        assert shop.of(booking)["organizer_cents"] == 2000
        shop.organizer_pays(booking)
        shop.pay(cleo)
        assert shop.venue.status(booking) == "confirmed"

    def test_one_page_a_share_however_many_ask(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        del booking
        with (
            shop.venue.database.clients(*[SERVICE] * 20) as clients,
            ThreadPoolExecutor(len(clients)) as pool,
        ):
            opened = list(
                pool.map(
                    lambda service: service.call(
                        "service.open_share_checkout",
                        share_id=ben["share_id"],
                        share_token=ben["share_token"],
                    ),
                    clients,
                )
            )
        assert len({one["attempt_id"] for one in opened}) == 1

    def test_twenty_payments_of_one_share_at_once_are_one(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        pages = []
        for _ in range(20):
            pages.append(shop.checkout(ben))
            # The provider's word about it comes too late: it was paid all the same.
            shop.venue.apply(session_of(pages[-1], "expired"))
        with (
            shop.venue.database.clients(*[SERVICE] * 20) as clients,
            ThreadPoolExecutor(len(clients)) as pool,
        ):
            list(
                pool.map(
                    lambda pair: replace(shop.venue, service=pair[0]).apply(paid(pair[1])),
                    zip(clients, pages, strict=True),
                )
            )
        back = [shop.returned(paid(page)) for page in pages]
        assert sorted(back) == [0, *[2000] * 19]
        assert shop.of(booking)["organizer_cents"] == 2000
        assert shop.see(ben)["status"] == "paid"
        assert shop.see(ben)["returned_cents"] == 19 * 2000

    def test_payers_and_organizer_at_once_pay_the_total_once(self, shop: Shop) -> None:
        for _ in range(3):
            booking, (ben, cleo) = shop.thirds()
            own = shop.checkout_of_organizer(booking)
            pages = [shop.checkout(ben), shop.checkout(cleo), own]
            with (
                shop.venue.database.clients(*[SERVICE] * 6) as clients,
                ThreadPoolExecutor(len(clients)) as pool,
            ):
                list(
                    pool.map(
                        lambda pair: replace(shop.venue, service=pair[0]).apply(paid(pair[1])),
                        zip(clients, pages * 2, strict=True),
                    )
                )
            assert shop.venue.status(booking) == "confirmed"
            assert shop.venue.balance(booking) == (TOTAL, 0)
            assert shop.venue.refund_requests(booking) == []

    def test_cash_at_the_desk_ends_the_last_shares_that_it_covers(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        page = shop.checkout(cleo)
        member(shop.venue, "receptionist").call(
            "record_payment",
            organization_id=shop.venue.organization_id,
            booking_id=booking.id,
            method="cash",
            amount_cents=3000,
            idempotency_key=str(uuid.uuid4()),
        )
        assert states(shop.of(booking)) == [("open", None), ("ended", "covered")]
        shop.venue.apply(paid(page))
        # 1000 is left beside Ben's: a share counts whole or not at all.
        assert shop.returned(paid(page)) == 2000
        assert shop.see(cleo)["status"] == "returned"
        shop.pay(ben)
        assert shop.venue.balance(booking) == (7000, 0)
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (7000, 2000)

    def test_a_wrong_link_pays_and_shows_nothing(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        for share_id, token in (
            (ben["share_id"], cleo["share_token"]),
            (str(uuid.uuid4()), ben["share_token"]),
            (ben["share_id"], booking.token),
            (ben["share_id"], ""),
            (None, None),
        ):
            for client, call in (
                (shop.venue.public, "get_payment_share"),
                (shop.venue.service, "service.open_share_checkout"),
            ):
                with pytest.raises(Refused) as refused:
                    client.call(call, share_id=share_id, share_token=token)
                assert (refused.value.status, refused.value.code) == (404, "share_not_found")
        for name in ("get_booking", "cancel_booking", "get_booking_split"):
            with pytest.raises(Refused) as refused:
                shop.venue.public.call(
                    name, reference=booking.reference, manage_token=ben["share_token"]
                )
            assert refused.value.code == "booking_not_found"

    def test_a_payer_sees_what_when_and_how_much_and_nothing_else(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        del booking
        seen = shop.see(ben)
        assert seen == {
            "share_id": ben["share_id"],
            "status": "open",
            "amount_cents": 2000,
            "currency": "EUR",
            "returned_cents": 0,
            "expires_at": seen["expires_at"],
            "organizer": "Ada",
            "room": "The attic",
            "venue": "Casa Laberinto",
            "starts_at": seen["starts_at"],
            "timezone": "Europe/Madrid",
            "locale": "es",
            "calendar": shop.venue.slug,
            "site_url": None,
            "paying": False,
        }


class TestLateness:
    def test_the_hold_lives_as_long_as_the_venue_says(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        left = shop.venue.database.one(
            "select hold_expires_at - now() from public.bookings where id = %s", booking.id
        )
        assert timedelta(hours=24, minutes=59) < left <= timedelta(hours=25)
        # The last hour is the organizer's.
        until = "select hold_expires_at - %s from public.bookings where id = %s"
        assert shop.venue.database.one(until, ben["expires_at"], booking.id) == timedelta(hours=1)
        before = shop.of(booking)["hold_expires_at"]
        shop.split(booking, {"name": "Dan", "amount_cents": 1000})
        assert shop.of(booking)["hold_expires_at"] == before

    def test_it_never_outlives_the_start(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        shop.venue.start_in(booking, timedelta(hours=3))
        shop.thirds(booking)
        split = shop.of(booking)
        starts_at = shop.venue.see(booking)["starts_at"]
        assert split["hold_expires_at"] == starts_at
        soon = shop.venue.hold()
        shop.venue.start_in(soon, timedelta(minutes=65))
        with pytest.raises(Refused) as refused:
            shop.thirds(soon)
        assert (refused.value.status, refused.value.code) == (409, "not_payable")

    def test_a_late_share_is_the_organizer_s_who_is_told(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        shop.pay(ben)
        shop.make_late(booking)
        split = shop.of(booking)
        assert states(split) == [("paid", None), ("ended", "late")]
        assert (split["status"], split["organizer_cents"]) == ("held", 4000)
        assert shop.see(cleo)["status"] == "late"
        assert news(shop, booking) == ["paid", "late"]
        with pytest.raises(Refused) as refused:
            shop.checkout(cleo)
        assert (refused.value.status, refused.value.code) == (409, "not_payable")
        shop.organizer_pays(booking)
        assert shop.venue.status(booking) == "confirmed"

    def test_or_ends_the_hold_and_all_who_paid_have_it_back(self, money: Database) -> None:
        shop = Shop(make_venue(money))
        shop.venue.owner.change(
            "update public.organizations set split_hold_hours = 2, late_shares = 'release'"
        )
        booking, (ben, cleo) = shop.thirds()
        assert ben["expires_at"] == shop.of(booking)["hold_expires_at"]
        sessions = [shop.pay(ben), shop.organizer_pays(booking)]
        shop.venue.lapse(booking)
        assert shop.venue.status(booking) == "expired"
        assert [shop.returned(session) for session in sessions] == [2000, 2000]
        assert (shop.see(ben)["status"], shop.see(cleo)["status"]) == ("returned", "over")
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (4000, 4000)

    def test_late_money_counts_while_nobody_else_pays_that_part(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        page = shop.checkout(ben)
        shop.make_late(booking)
        shop.venue.apply(session_of(page, "expired"))
        own = shop.checkout_of_organizer(booking)
        assert own["amount_cents"] == TOTAL
        shop.venue.apply(paid(page))
        assert shop.see(ben)["status"] == "paid"
        # The page that asked for all of it is closed; paid all the same, the rest goes back.
        assert shop.of(booking)["organizer_cents"] == 4000
        shop.venue.apply(paid(own))
        assert (shop.returned(paid(page)), shop.returned(paid(own))) == (0, 2000)
        assert shop.venue.status(booking) == "confirmed"
        assert shop.see(cleo)["status"] == "late"

    def test_else_it_goes_back_whole(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        page = shop.checkout(ben)
        shop.take_over(booking, ben)
        shop.venue.apply(session_of(page, "expired"))
        shop.organizer_pays(booking)
        shop.venue.apply(paid(page))
        assert shop.returned(paid(page)) == 2000
        shop.pay(cleo)
        assert shop.venue.status(booking) == "confirmed"
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (TOTAL + 2000, 2000)

    @pytest.mark.parametrize("taken", [False, True])
    def test_late_money_of_a_hold_that_lapsed_takes_the_place_again_or_goes_back(
        self, shop: Shop, taken: bool
    ) -> None:
        booking = shop.venue.hold()
        shop.venue.database.run(
            "update public.bookings set due_now_cents = 2000 where id = %s", booking.id
        )
        split = shop.split(booking, {"name": "Ben"}, {"name": "Cleo"}, method="equal", whole=True)
        page = shop.checkout(split["shares"][0])
        shop.venue.lapse(booking)
        if taken:
            assert shop.venue.rival(booking)
        shop.venue.apply(paid(page))
        assert shop.venue.status(booking) == ("expired" if taken else "confirmed")
        assert shop.returned(paid(page)) == (2000 if taken else 0)
        assert shop.see(split["shares"][0])["status"] == ("returned" if taken else "paid")

    def test_what_the_organizer_pays_too_much_is_not_taken_from_a_payer(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        own = shop.checkout_of_organizer(booking)
        shop.venue.apply(session_of(own, "expired"))
        split = shop.split(booking, {"name": "Ben", "amount_cents": 2500})
        session = shop.pay(split["shares"][0])
        # Paid after all, and before: its news come late.
        shop.venue.apply(paid(own))
        assert (shop.returned(session), shop.returned(paid(own))) == (0, 2500)
        assert shop.venue.status(booking) == "confirmed"

    def test_of_a_cancelled_booking_it_goes_back(self, shop: Shop) -> None:
        booking, (ben, cleo) = shop.thirds()
        session = shop.pay(ben)
        page = shop.checkout(cleo)
        shop.venue.cancel(booking)
        assert shop.returned(session) == 2000
        shop.venue.apply(paid(page))
        assert shop.returned(paid(page)) == 2000
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (4000, 4000)
        assert (shop.see(ben)["status"], shop.see(cleo)["status"]) == ("returned", "returned")


class TestMoneyBack:
    def confirmed(self, shop: Shop) -> tuple[Booking, list[Json], list[Json]]:
        booking, shares = shop.thirds()
        sessions = [*map(shop.pay, shares), shop.organizer_pays(booking)]
        assert shop.venue.status(booking) == "confirmed"
        return booking, shares, sessions

    def test_a_cancellation_returns_to_each_what_each_paid(self, shop: Shop) -> None:
        booking, shares, sessions = self.confirmed(shop)
        shop.venue.cancel(booking)
        assert [shop.returned(session) for session in sessions] == [2000] * 3
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (TOTAL, TOTAL)
        assert [shop.see(share)["status"] for share in shares] == ["returned"] * 2

    def test_a_place_that_not_all_paid_is_given_up_for_nothing(self, shop: Shop) -> None:
        """Whatever the terms say: nothing was bought yet."""
        booking, (ben, _) = shop.thirds()
        session = shop.pay(ben)
        terms(shop, booking, 0)
        assert shop.venue.see(booking)["cancellation"]["refund_cents"] == 2000
        shop.venue.cancel(booking)
        assert shop.returned(session) == 2000

    @pytest.mark.parametrize(("percent", "back"), [(50, [1000] * 3), (33, [660] * 3)])
    def test_the_terms_take_from_each_in_proportion(
        self, shop: Shop, percent: int, back: list[int]
    ) -> None:
        booking, _, sessions = self.confirmed(shop)
        terms(shop, booking, percent)
        shop.venue.cancel(booking)
        assert [shop.returned(session) for session in sessions] == back

    def test_what_staff_give_back_is_apportioned_to_the_cent(self, shop: Shop) -> None:
        booking, _, sessions = self.confirmed(shop)
        refund(shop, booking, 1000)
        back = [shop.returned(session) for session in sessions]
        assert (sum(back), sorted(back)) == (1000, [333, 333, 334])
        refund(shop, booking, TOTAL - 1000)
        assert [shop.returned(session) for session in sessions] == [2000] * 3

    def test_twenty_refunds_at_once_give_back_no_more_than_there_is(self, shop: Shop) -> None:
        booking, _, sessions = self.confirmed(shop)

        def ask(client: Any) -> bool:
            try:
                refund(Shop(replace(shop.venue, owner=client)), booking, 700)
            except Refused as refused:
                return refused.code != "amount_too_high"
            return True

        with (
            shop.venue.database.clients(*[shop.venue.owner.caller] * 20) as clients,
            ThreadPoolExecutor(len(clients)) as pool,
        ):
            done = list(
                pool.map(ask, [client.at(shop.venue.organization_id) for client in clients])
            )
        assert sum(done) == TOTAL // 700
        back = [shop.returned(session) for session in sessions]
        assert sum(back) == 700 * sum(done)
        assert max(back) <= 2000

    def test_a_refund_on_the_dashboard_is_of_its_own_payer(self, shop: Shop) -> None:
        booking, (ben, cleo), sessions = self.confirmed(shop)
        shop.venue.apply_refund(dashboard(sessions[0], 2000))
        assert (shop.see(ben)["status"], shop.see(cleo)["status"]) == ("returned", "paid")
        # What went back of a share is open, and the organizer's.
        assert shop.of(booking)["organizer_cents"] == 2000
        shop.venue.cancel(booking)
        assert [shop.returned(session) for session in sessions] == [2000] * 3

    @pytest.mark.parametrize("decided", ["won", "lost"])
    def test_a_dispute_of_one_share_touches_no_other_payer(self, shop: Shop, decided: str) -> None:
        booking, _, sessions = self.confirmed(shop)
        shop.venue.apply_dispute(dispute(sessions[0], "needs_response"))
        shown = shop.venue.see(booking)["cancellation"]
        assert (shown["refund_cents"], shown["disputed_cents"]) == (TOTAL, 2000)
        shop.venue.cancel(booking)
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (TOTAL, 4000)
        shop.venue.apply_dispute(dispute(sessions[0], decided, "2030-02-01T00:00:00+00:00"))
        shop.venue.run_refunds(booking)
        assert shop.venue.balance(booking) == (TOTAL, TOTAL if decided == "won" else 4000)
        assert [shop.returned(session) for session in sessions[1:]] == [2000] * 2

    def test_half_by_the_terms_waits_only_for_the_disputed_half(self, shop: Shop) -> None:
        booking, _, sessions = self.confirmed(shop)
        terms(shop, booking, 50)
        shop.venue.apply_dispute(dispute(sessions[0], "needs_response"))
        shown = shop.venue.see(booking)["cancellation"]
        assert (shown["refund_cents"], shown["disputed_cents"]) == (3000, 1000)
        shop.venue.cancel(booking)
        assert [shop.returned(session) for session in sessions] == [1000] * 3


class TestReminders:
    def test_a_payer_is_mailed_the_link_and_reminded_a_few_times(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        email = f"{uuid.uuid4()}@example.com"
        [ben] = shop.split(booking, {"name": "Ben", "email": email, "amount_cents": 2000})["shares"]
        for sent in range(1, 5):
            assert len(share_mails(shop, booking)) == sent
            with pytest.raises(Refused) as refused:
                shop.remind(booking, ben)
            assert (refused.value.status, refused.value.code) == (409, "reminded_already")
            shop.venue.database.run(
                "update public.payment_shares set created_at = now() - interval '61 minutes',"
                " reminded_at = now() - interval '61 minutes' where id = %s",
                ben["share_id"],
            )
            if sent < 4:
                assert shop.remind(booking, ben)["shares"][0]["reminders"] == sent
        said = content(shop, share_mails(shop, booking)[0])
        assert said["to"] == {"name": "Ben", "email": email}
        assert said["data"] == {
            "organization_name": "Casa Laberinto",
            "contact_email": None,
            "website": None,
            "logo_path": None,
            "accent_color": said["data"]["accent_color"],
            "organizer": "Ada",
            "room_name": "The attic",
            "starts_at": said["data"]["starts_at"],
            "timezone": "Europe/Madrid",
            "currency": "EUR",
            "amount_cents": 2000,
            "expires_at": said["data"]["expires_at"],
            "share_id": ben["share_id"],
            "share_token": ben["share_token"],
            "calendar_slug": shop.venue.slug,
            "site_url": None,
            "reminder": False,
        }
        shop.pay(ben)
        assert [content(shop, job) for job in share_mails(shop, booking)] == [None] * 4
        with pytest.raises(Refused) as refused:
            shop.remind(booking, ben)
        assert (refused.value.status, refused.value.code) == (409, "share_not_open")

    def test_another_amount_is_mailed_and_the_former_mail_is_not_sent(self, shop: Shop) -> None:
        booking = shop.venue.hold()
        one = {"name": "Ben", "email": f"{uuid.uuid4()}@example.com", "amount_cents": 2000}
        [ben] = shop.split(booking, one)["shares"]
        shop.split(booking, {**one, "id": ben["share_id"], "name": "Benjamin"})
        assert len(share_mails(shop, booking)) == 1
        shop.split(booking, {**one, "id": ben["share_id"], "amount_cents": 2500})
        first, second = share_mails(shop, booking)
        assert content(shop, first) is None
        assert content(shop, second)["data"]["amount_cents"] == 2500

    def test_nobody_is_mailed_without_an_address(self, shop: Shop) -> None:
        booking, (ben, _) = shop.thirds()
        assert share_mails(shop, booking) == []
        with pytest.raises(Refused) as refused:
            shop.remind(booking, ben)
        assert (refused.value.status, refused.value.code) == (409, "address_missing")

    def test_a_stranger_s_mailbox_is_sent_only_so_much(self, shop: Shop) -> None:
        email = f"{uuid.uuid4()}@example.com"
        public = replace(
            shop.venue.public, headers={"x-forwarded-for": f"203.0.113.{uuid.uuid4().int % 250}"}
        )
        other = Shop(replace(shop.venue, public=public))
        booking = shop.venue.hold()
        many = [{"name": "Ben", "email": email, "amount_cents": 500 + n} for n in range(5)]
        with pytest.raises(Refused) as refused:
            other.split(booking, *many)
        assert (refused.value.status, refused.value.code) == (429, "mail_limit_reached")
        assert shop.of(booking)["shares"] == []
        other.split(booking, *many[:4])
        assert len(share_mails(shop, booking)) == 4


def news(shop: Shop, booking: Booking) -> list[str]:
    """What the organizer is told of shares, of what is still so."""
    return [
        job["payload"]["news"]
        for job in share_mails(shop, booking, "payment_share_news")
        if content(shop, job)
    ]


def share_mails(
    shop: Shop, booking: Booking, template: str = "share_to_pay"
) -> list[dict[str, Any]]:
    return shop.venue.database.all(
        "select * from private.jobs where kind = 'email.send' and payload ->> 'booking_id' = %s"
        " and payload ->> 'template' = %s order by id",
        booking.id,
        template,
    )


def content(shop: Shop, job: Json) -> Json:
    template = job["payload"]["template"]
    return shop.venue.database.one(
        f"select private.{template}_content(%s, %s)",
        shop.venue.organization_id,
        Jsonb(job["payload"]),
    )


def terms(shop: Shop, booking: Booking, percent: int) -> None:
    """Let it be agreed that so much goes back until the start."""
    shop.venue.database.run(
        "update public.bookings set terms = jsonb_set(terms, '{tiers}', %s) where id = %s",
        Jsonb([{"hours_before": 0, "refund_percent": percent}]),
        booking.id,
    )
