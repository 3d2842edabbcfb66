"""Many connections want the last of something at once: coupons, vouchers, extras, holds."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from client import Client, Refused
from db.booking_world import Row, Shop, open_shop, taking
from db.test_booking_concurrency import assert_consistent, guest, outcomes, race
from matrix.fixtures import Track

CLIENTS = 12


@pytest.fixture
def shop(track: Track) -> Shop:
    return open_shop(track.house, track.name("Venue"), hold_minutes=120)


@pytest.fixture
def visitors(track: Track) -> list[Client]:
    """Visitors with a connection each."""
    return [track.alone(track.house.nobody) for _ in range(CLIENTS)]


@pytest.fixture
def rooms(shop: Shop) -> list[str]:
    """One for each, so that nobody waits for somebody else's place."""
    made = [shop.add_room(price_per="session", price_cents=1_000) for _ in range(CLIENTS)]
    for room in made:
        shop.open_on(room, "10:00", "22:00")
    return made


@pytest.fixture
def starts(shop: Shop) -> list[datetime]:
    """Ten o'clock, by days from today."""
    return [shop.at(day, "10:00") for day in range(13)]


def standing_uses(shop: Shop) -> int:
    uses: int = shop.house.one(
        "select count(*) from public.coupon_redemptions as r join public.bookings as b"
        " on b.organization_id = r.organization_id and b.id = r.booking_id"
        " where r.organization_id = %s and b.takes_capacity",
        shop.id,
    )
    return uses


class TestCoupon:
    def test_it_is_used_as_often_as_it_may_be_and_no_more(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        for turn in range(5):
            code = f"TURN{turn}"
            shop.add_coupon(code, maximum_uses=4)
            start = starts[3 + turn]

            def work(client: Client, who: int, code: str = code, start: datetime = start) -> Row:
                return shop.hold(
                    rooms[who], start, by=client, total=900, coupon_code=code, customer=guest(who)
                )

            results = race(visitors, work)
            assert outcomes(results) == {"ok": 4, "422 coupon_max_uses": CLIENTS - 4}
        assert standing_uses(shop) == 20
        assert_consistent(shop)

    def test_one_person_uses_it_once(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        start = starts[3]
        results = race(
            visitors,
            lambda client, who: shop.hold(
                rooms[who], start, by=client, total=900, coupon_code="VERANO",
                customer=guest(who % 3),
            ),
        )  # fmt: skip
        assert outcomes(results) == {
            "ok": 3, "422 coupon_max_uses_per_customer": CLIENTS - 3,
        }  # fmt: skip
        assert_consistent(shop)

    def test_one_person_of_many_networks_uses_it_once(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        networks = [v.sending(x_forwarded_for=f"192.0.2.{n}") for n, v in enumerate(visitors, 1)]
        results = race(
            networks,
            lambda client, who: shop.hold(
                rooms[who], starts[3], by=client, total=900, coupon_code="VERANO",
                customer=guest(0),
            ),
        )  # fmt: skip
        assert outcomes(results) == {
            "ok": 1, "422 coupon_max_uses_per_customer": CLIENTS - 1,
        }  # fmt: skip
        assert_consistent(shop)

    def test_uses_of_lapsed_holds_are_given_out_once_each(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        shop.add_coupon(maximum_uses=3)
        for who in range(3):
            lapsed = shop.hold(
                rooms[who], starts[4], total=900, coupon_code="VERANO",
                customer=guest(who),
            )  # fmt: skip
            shop.lapse(lapsed)
        start = starts[3]
        results = race(
            visitors,
            lambda client, who: shop.hold(
                rooms[who], start, by=client, total=900, coupon_code="VERANO", customer=guest(who)
            ),
        )
        assert outcomes(results) == {"ok": 3, "422 coupon_max_uses": CLIENTS - 3}
        assert standing_uses(shop) == 3
        assert_consistent(shop)

    def test_uses_come_and_go_while_others_pay_and_sweep(
        self,
        shop: Shop,
        visitors: list[Client],
        starts: list[datetime],
        rooms: list[str],
        track: Track,
    ) -> None:
        shop.add_coupon(maximum_uses=2)
        sweeper = track.alone(shop.house.service)

        def work(client: Client, who: int) -> Counter[str]:
            seen: Counter[str] = Counter()
            for turn in range(8):
                if who == 0:
                    sweeper.call("service.sweep")
                    continue
                try:
                    held = shop.hold(
                        rooms[who], starts[3 + turn], by=client, total=900,
                        coupon_code="VERANO", customer=guest(who),
                    )  # fmt: skip
                except Refused as refusal:
                    seen[refusal.code] += 1
                    continue
                seen["ok"] += 1
                token = {k: held[k] for k in ("reference", "manage_token")}
                client.call("cancel_booking", **token)
            return seen

        results = race(visitors, work)
        assert not [r for r in results if isinstance(r, Refused)]
        seen: Counter[str] = sum((r for r in results if isinstance(r, Counter)), Counter())
        assert set(seen) <= {"ok", "coupon_max_uses"}
        assert standing_uses(shop) == 0
        assert_consistent(shop)


class TestVoucher:
    def test_many_drain_it_to_the_last_cent_and_not_below(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        made = shop.add_voucher(4_500)
        results = race(
            visitors,
            lambda client, who: shop.hold(
                rooms[who], starts[3], by=client, total=1_000,
                voucher_code=made["code"], customer=guest(who),
            ),
        )  # fmt: skip
        assert outcomes(results) == {"ok": 5, "422 voucher_empty": CLIENTS - 5}
        statuses = Counter(r["status"] for r in results if not isinstance(r, Refused))
        assert statuses == {"confirmed": 4, "held": 1}
        assert shop.voucher(made)["balance_cents"] == 0
        assert_consistent(shop)

    def test_it_is_drained_and_filled_again_at_once(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        made = shop.add_voucher(3_000)
        first = [
            shop.hold(
                rooms[who], starts[3], total=1_000, voucher_code=made["code"],
                customer=guest(who),
            )
            for who in range(3)
        ]  # fmt: skip

        def work(client: Client, who: int) -> Row:
            if who < 3:
                token = {k: first[who][k] for k in ("reference", "manage_token")}
                cancelled: Row = client.call("cancel_booking", **token)
                return cancelled
            return shop.hold(
                rooms[who], starts[4], by=client, total=1_000,
                voucher_code=made["code"], customer=guest(who),
            )  # fmt: skip

        results = race(visitors, work)
        refused = [r.code for r in results if isinstance(r, Refused)]
        assert set(refused) <= {"voucher_empty"}
        paid = sum(1_000 for r in results[3:] if not isinstance(r, Refused))
        assert shop.voucher(made)["balance_cents"] == 3_000 - paid
        assert_consistent(shop)

    def test_cancelled_while_many_pay_it_pays_or_is_cancelled_but_not_both(
        self,
        shop: Shop,
        visitors: list[Client],
        starts: list[datetime],
        rooms: list[str],
        track: Track,
    ) -> None:
        made = shop.add_voucher(4_500)
        owner = track.alone(shop.venue.owner)

        def work(client: Client, who: int) -> Row:
            if who == CLIENTS // 2:
                cancelled: Row = owner.call(
                    "cancel_voucher", organization_id=shop.id, voucher_id=made["id"]
                )
                return cancelled
            return shop.hold(
                rooms[who], starts[3], by=client, total=1_000,
                voucher_code=made["code"], customer=guest(who),
            )  # fmt: skip

        results = race(visitors, work)
        codes = {r.code for r in results if isinstance(r, Refused)}
        assert codes <= {"voucher_not_active", "voucher_empty"}
        assert shop.voucher(made)["balance_cents"] == 0
        assert shop.voucher(made)["status"] == "cancelled"

    def test_the_same_gift_sent_many_times_is_one_voucher(self, shop: Shop, track: Track) -> None:
        owners = [track.alone(shop.venue.owner) for _ in range(8)]
        made = race(
            owners,
            lambda client, _: client.call(
                "issue_voucher", organization_id=shop.id, amount_cents=100, idempotency_key="gift"
            ),
        )
        assert {r["id"] for r in made if not isinstance(r, Refused)} == {made[0]["id"]}  # type: ignore[index]
        assert shop.venue.count("vouchers") == shop.venue.count("voucher_entries") == 1


class TestExtras:
    def test_the_stock_of_a_session_is_sold_once(
        self, shop: Shop, visitors: list[Client], starts: list[datetime]
    ) -> None:
        room = shop.add_room(
            mode="shared", minimum_party=1, maximum_party=30, price_per="session", price_cents=0
        )
        shop.open_on(room, "10:00", "22:00")
        mask = shop.add_extra(price_per="person", price_cents=0, stock_per_session=9)
        for day in range(3, 8):
            start = starts[day]

            def work(client: Client, who: int, start: datetime = start) -> Row:
                return shop.hold(
                    room, start, by=client, party_size=2, total=0, extras=[taking(mask)],
                    customer=guest(who),
                )  # fmt: skip

            results = race(visitors, work)
            assert outcomes(results) == {"ok": 4, "409 extra_sold_out": CLIENTS - 4}
            left = {r.details["left"] for r in results if isinstance(r, Refused)}
            assert 1 in left
        most = shop.house.one(
            "select max(taken) from (select sum(be.units) as taken from public.booking_extras as be"
            " join public.bookings as b on b.organization_id = be.organization_id"
            " and b.id = be.booking_id where b.organization_id = %s and b.takes_capacity"
            " group by b.session_id) as s",
            shop.id,
        )
        assert most == 8
        assert_consistent(shop)


class TestHolds:
    def test_one_address_gets_five_however_fast_it_asks(
        self, shop: Shop, visitors: list[Client], starts: list[datetime], rooms: list[str]
    ) -> None:
        results = race(
            visitors,
            lambda client, who: shop.hold(
                rooms[who], starts[3], total=1_000, customer=guest(who),
                by=client.sending(x_forwarded_for="203.0.113.7"),
            ),
        )  # fmt: skip
        assert outcomes(results) == {"ok": 5, "429 too_many_holds": CLIENTS - 5}

    def test_a_session_is_sold_whole_or_by_seats(
        self, shop: Shop, visitors: list[Client], starts: list[datetime]
    ) -> None:
        room = shop.add_room(
            mode="shared", minimum_party=1, maximum_party=12, exclusive_price_cents=5_000,
            price_cents=100,
        )  # fmt: skip
        shop.open_on(room, "10:00", "22:00")
        for day in range(3, 13):
            start = starts[day]

            def work(client: Client, who: int, start: datetime = start) -> Row:
                alone = who % 4 == 0
                return shop.hold(
                    room, start, by=client, party_size=1, total=5_000 if alone else 100,
                    exclusive=alone, customer=guest(who),
                )  # fmt: skip

            results = race(visitors, work)
            won = [r for r in results if not isinstance(r, Refused)]
            assert {r.code for r in results if isinstance(r, Refused)} == {"slot_taken"}
            assert len(won) in (1, 9)
            assert [r["exclusive"] for r in won].count(True) == (1 if len(won) == 1 else 0)
        assert_consistent(shop)
