"""Amounts as they can be charged: digits, steps and least amounts come from one table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from db.booking_world import PRICE, Row, Shop, change, open_shop
from db.changes_world import alter, book, quote, take
from escapemaster.currencies import CURRENCIES
from escapemaster.email.formatting import money
from escapemaster_dev.schema.project import PROJECT
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def selling_in(house: House, currency: str) -> Shop:
    """A venue that sells in another currency, which is fixed before any money came."""
    shop = open_shop(house, f"Venue {currency}")
    house.owner_sql(
        "update public.organizations set currency = %s where id = %s", currency, shop.id
    )
    return shop


def add_room(shop: Shop, **values: object) -> str:
    room = shop.add_room(**values)
    shop.open_on(room, "12:00", "22:00")
    return room


def in_typescript(*words: str) -> Any:
    """What the widget's money.ts says."""
    module = json.dumps((PROJECT.root / "edge/_shared/money.ts").as_uri())
    program = (
        f"import {{ digitsOf }} from {module};"
        " const asked = JSON.parse(Deno.args[0]);"
        " console.log(JSON.stringify(asked.map((code) => digitsOf(code))));"
    )
    found = subprocess.run(
        [
            Path(sys.executable).parent / "deno",
            "run",
            "--quiet",
            "--no-remote",
            "-",
            json.dumps(words),
        ],
        input=program,
        capture_output=True,
        text=True,
        check=True,
        env={"DENO_DIR": str(PROJECT.root / ".local/deno"), "DENO_NO_UPDATE_CHECK": "1"},
    )
    return json.loads(found.stdout)


class TestOneTable:
    def test_mails_and_sandbox_count_as_the_database_does(self, house: House) -> None:
        rows = house.owner_sql("select * from private.currencies order by code")
        assert {
            row["code"]: (row["digits"], row["least_cents"], row["step"], row["provider_factor"])
            for row in rows
        } == {
            code: (known.digits, known.least, known.step, known.factor)
            for code, known in CURRENCIES.items()
        }

    def test_the_widget_counts_as_the_database_does(self, house: House) -> None:
        rows = house.owner_sql("select code, digits from private.currencies order by code")
        assert in_typescript(*(row["code"] for row in rows)) == [row["digits"] for row in rows]

    def test_anybody_may_read_it(self, house: House) -> None:
        listed = {
            row["code"]: row for row in house.nobody.select("select * from public.get_currencies()")
        }
        assert listed["EUR"] == {"code": "EUR", "digits": 2, "step": 1, "least_cents": 50}
        assert (listed["KWD"]["digits"], listed["KWD"]["step"]) == (3, 10)
        assert listed["IQD"]["least_cents"] is None

    @pytest.mark.parametrize("currency", ["XXX", "ZZZ", "XTS", "eur", "", None])
    def test_what_is_no_currency_is_refused(self, house: House, currency: str | None) -> None:
        with refused(422, "currency_invalid"):
            house.sign_up("olga").call("create_organization", name="Venue", currency=currency)

    def test_a_mail_shows_what_is_charged(self) -> None:
        assert money(600_000, "RSD", "es") == "6.000,00\xa0RSD"
        assert money(5_120, "KWD", "en").endswith("5.120")
        assert money(500, "JPY", "en").endswith("500")


class TestSteps:
    """The last of three digits cannot be charged."""

    @pytest.fixture
    def shop(self, house: House) -> Shop:
        return selling_in(house, "KWD")

    def test_prices_that_nobody_can_pay_are_refused(self, shop: Shop) -> None:
        room = add_room(shop, price_cents=5_120)
        with refused(422, "amount_uneven") as caught:
            shop.insert("price_tiers", room_id=room, minimum_party=4, price_cents=5_125)
        assert caught.value.details == {"field": "price_cents", "step": 10}
        with refused(422, "amount_uneven"):
            shop.insert("price_rules", name="x", kind="amount", value=-5)
        with refused(422, "amount_uneven"):
            shop.set_room(room, price_cents=5_125)
        with refused(422, "amount_uneven"):
            shop.set_room(room, deposit_kind="fixed", deposit_value=5)
        with refused(422, "amount_uneven"):
            shop.set_calendar(fee_kind="booking", fee_value=55)
        with refused(422, "amount_uneven"):
            shop.add_extra(price_cents=505)
        with refused(422, "coupon_invalid"):
            shop.add_coupon("FIX", kind="fixed", value=15)
        with refused(422, "voucher_invalid"):
            shop.add_voucher(5_125)
        with refused(422, "price_invalid"):
            book(shop, room, shop.at(3), price_cents=5_125, override_reason="x")

    def test_shares_are_no_amounts(self, shop: Shop) -> None:
        add_room(shop, price_cents=5_120, deposit_kind="percent", deposit_value=33)
        shop.insert("price_rules", name="x", kind="percent", value=5)
        shop.set_calendar(fee_kind="percent", fee_value=3)
        shop.add_coupon("PER", kind="percent", value=7)

    def test_what_is_calculated_can_be_paid(self, shop: Shop) -> None:
        room = add_room(
            shop,
            price_cents=5_120,
            deposit_kind="percent",
            deposit_value=33,
            no_show_fee_percent=50,
        )
        shop.insert("price_rules", name="x", kind="percent", value=7)
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=0, refund_percent=33)
        shop.set_calendar(fee_kind="percent", fee_value=3)
        shop.add_coupon("PER", kind="percent", value=7)
        asked = shop.quote(room, shop.at(3), coupon_code="PER")
        held = shop.book(room, shop.at(3), coupon_code="PER")
        amounts = [asked["total_cents"], asked["due_now_cents"]]
        with refused(422, "amount_invalid"):
            take(shop, held, asked["due_now_cents"] + 5)
        take(shop, held, asked["due_now_cents"])
        amounts.append(shop.look(held)["cancellation"]["refund_cents"])
        shop.move(held, "no_show")
        amounts.append(shop.look(held)["open_cents"])
        assert all(amount > 0 and amount % 10 == 0 for amount in amounts), amounts
        with refused(422, "amount_invalid"):
            shop.venue.owner.call(
                "refund_booking",
                organization_id=shop.id,
                booking_id=shop.id_of(held),
                amount_cents=15,
                reason="x",
                idempotency_key="uneven",
            )


class TestLeastAmount:
    """What the provider does not charge is known before a hold is made."""

    def hold_and_ask(self, shop: Shop, room: str, **options: Any) -> tuple[Row, Row]:
        asked = shop.quote(room, shop.at(3), **options)
        return asked, shop.book(room, shop.at(3), **options)

    @pytest.mark.parametrize("left", [1, 20, 49])
    def test_a_coupon_that_leaves_less_confirms_and_the_rest_is_due_at_the_venue(
        self, shop: Shop, left: int
    ) -> None:
        room = add_room(shop)
        shop.add_coupon("NEARLY", kind="fixed", value=TOTAL - left)
        asked, held = self.hold_and_ask(shop, room, coupon_code="NEARLY")
        assert (asked["total_cents"], asked["due_now_cents"]) == (left, 0)
        assert held["status"] == "confirmed"
        assert shop.look(held)["open_cents"] == left
        assert take(shop, held, left)["open_cents"] == 0

    def test_the_least_amount_itself_is_asked_for(self, shop: Shop) -> None:
        room = add_room(shop)
        shop.add_coupon("LEAST", kind="fixed", value=TOTAL - 50)
        asked, held = self.hold_and_ask(shop, room, coupon_code="LEAST")
        assert (asked["due_now_cents"], held["status"]) == (50, "held")

    def test_a_full_coupon_with_a_small_fee(self, shop: Shop) -> None:
        room = add_room(shop)
        shop.set_calendar(fee_kind="booking", fee_value=30)
        shop.add_coupon("ALL", kind="percent", value=100)
        asked, held = self.hold_and_ask(shop, room, coupon_code="ALL")
        assert (asked["total_cents"], held["status"]) == (30, "confirmed")

    def test_a_small_deposit(self, shop: Shop) -> None:
        room = add_room(shop, price_cents=1_000, deposit_kind="percent", deposit_value=1)
        asked, held = self.hold_and_ask(shop, room)
        assert (asked["total_cents"], asked["due_now_cents"]) == (2_000, 0)
        assert held["status"] == "confirmed"

    def test_a_small_deposit_is_rounded_up_where_the_venue_wants_it(self, shop: Shop) -> None:
        change(shop.venue.owner, "organizations", {"small_amounts": "round_up"}, id=shop.id)
        room = add_room(shop, price_cents=1_000, deposit_kind="percent", deposit_value=1)
        asked, held = self.hold_and_ask(shop, room)
        assert (asked["due_now_cents"], held["status"]) == (50, "held")

    def test_nobody_is_asked_for_more_than_the_total(self, shop: Shop) -> None:
        change(shop.venue.owner, "organizations", {"small_amounts": "round_up"}, id=shop.id)
        room = add_room(shop)
        shop.add_coupon("NEARLY", kind="fixed", value=TOTAL - 20)
        asked, held = self.hold_and_ask(shop, room, coupon_code="NEARLY")
        assert (asked["due_now_cents"], held["status"]) == (0, "confirmed")

    def test_a_voucher_that_leaves_less(self, shop: Shop) -> None:
        room = add_room(shop)
        code = shop.add_voucher(TOTAL - 20)["code"]
        asked, held = self.hold_and_ask(shop, room, voucher_code=code)
        assert (asked["due_now_cents"], asked["voucher_cents"]) == (TOTAL - 20, TOTAL - 20)
        assert held["status"] == "confirmed"
        assert shop.look(held)["open_cents"] == 20

    def test_cash_that_leaves_less(self, shop: Shop) -> None:
        held = shop.hold(add_room(shop), shop.at(3))
        taken = take(shop, held, TOTAL - 20)
        assert (taken["status"], taken["open_cents"]) == ("confirmed", 20)

    def test_a_change_that_leaves_less(self, shop: Shop) -> None:
        booked = book(shop, add_room(shop), shop.at(3))
        take(shop, booked, TOTAL)
        owed = alter(shop, booked, price_cents=TOTAL + 20, override_reason="x")
        assert (owed["due_now_cents"], owed["open_cents"]) == (TOTAL, 20)
        with refused(409, "nothing_due"):
            shop.house.service.call(
                "service.open_checkout",
                reference=booked["reference"],
                manage_token=booked["manage_token"],
            )
        assert quote(shop, booked)["due_now_cents"] == TOTAL

    def test_where_nothing_is_charged_online_all_is_due_at_the_venue(self, house: House) -> None:
        shop = selling_in(house, "IQD")
        asked, held = self.hold_and_ask(shop, add_room(shop))
        assert (asked["total_cents"], asked["due_now_cents"]) == (TOTAL, 0)
        assert held["status"] == "confirmed"
