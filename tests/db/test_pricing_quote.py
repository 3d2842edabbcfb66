"""What a price is made of, in the words of the venue that set it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from client import Refused
from db.booking_world import PRICE, Row, Shop, change, open_shop, taking
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(name="La Cripta")
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    return room


@pytest.fixture
def shared(shop: Shop) -> str:
    room = shop.add_room(
        mode="shared", minimum_party=1, maximum_party=8, exclusive_price_cents=12_000
    )
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def start(shop: Shop) -> datetime:
    return shop.at(3, "11:30")


def weekday(moment: datetime) -> int:
    return moment.isoweekday()


def unit(shop: Shop, room: str, start: datetime, party: int = 2) -> int:
    quoted: int = shop.quote(room, start, party)["lines"][0]["unit_cents"]
    return quoted


class TestTiers:
    def test_the_tier_with_the_most_people_that_the_party_reaches_counts(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        for minimum, price in ((3, 2_300), (5, 2_000)):
            shop.insert("price_tiers", room_id=room, minimum_party=minimum, price_cents=price)
        assert [unit(shop, room, start, n) for n in range(2, 7)] == [PRICE, 2300, 2300, 2000, 2000]

    def test_another_rooms_tier_changes_nothing(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.insert("price_tiers", room_id=shop.add_room(), minimum_party=1, price_cents=1)
        assert unit(shop, room, start) == PRICE

    def test_a_price_a_session_has_tiers_too(self, shop: Shop, room: str, start: datetime) -> None:
        shop.set_room(room, price_per="session", price_cents=6_000)
        shop.insert("price_tiers", room_id=room, minimum_party=5, price_cents=9_000)
        totals = [shop.quote(room, start, n)["total_cents"] for n in (4, 5)]
        assert totals == [6_000, 9_000]


class TestRules:
    def rule(self, shop: Shop, **values: object) -> None:
        shop.insert("price_rules", **{"name": "Rule", "kind": "price", "value": 1_000, **values})

    @pytest.mark.parametrize(
        ("kind", "value", "price"),
        [
            ("price", 1_999, 1_999),
            ("percent", 15, 2_875),
            ("percent", -100, 0),
            ("percent", 33, 3_325),
            ("amount", 250, 2_750),
            ("amount", -250, 2_250),
            ("amount", -9_000, 0),
        ],
    )
    def test_a_rule_changes_the_price(
        self, shop: Shop, room: str, start: datetime, kind: str, value: int, price: int
    ) -> None:
        self.rule(shop, kind=kind, value=value)
        assert unit(shop, room, start) == price

    def test_half_a_cent_is_rounded_up(self, shop: Shop, room: str, start: datetime) -> None:
        shop.set_room(room, price_cents=50)
        self.rule(shop, kind="percent", value=1)
        assert unit(shop, room, start) == 51

    def test_a_rule_changes_what_the_tier_says(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.insert("price_tiers", room_id=room, minimum_party=4, price_cents=2_000)
        self.rule(shop, kind="percent", value=10)
        assert [unit(shop, room, start, n) for n in (2, 4)] == [2_750, 2_200]

    def test_it_holds_on_its_weekdays_in_its_hours_and_on_its_dates(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        day = start.date()
        other = [d for d in range(1, 8) if d != weekday(start)]
        for said, holds in (
            ({"weekdays": [weekday(start)]}, True),
            ({"weekdays": other}, False),
            ({"from_time": "11:30", "until_time": "11:31"}, True),
            ({"from_time": "11:00", "until_time": "11:30"}, False),
            ({"from_time": "11:31"}, False),
            ({"from_time": "11:30"}, True),
            ({"until_time": "11:31"}, True),
            ({"until_time": "11:30"}, False),
            ({"from_date": day, "until_date": day}, True),
            ({"from_date": day + timedelta(1)}, False),
            ({"until_date": day - timedelta(1)}, False),
            ({"is_active": False}, False),
        ):
            with shop.house.connection.transaction(force_rollback=True):
                self.rule(shop, **said)
                assert (unit(shop, room, start) == 1_000) is holds, said

    def test_a_night_belongs_to_the_day_on_which_it_began(self, shop: Shop, room: str) -> None:
        evening = shop.at(4, "23:00")
        self.rule(
            shop, weekdays=[weekday(evening)], from_time="22:00", until_time="02:00",
            from_date=evening.date(), until_date=evening.date(),
        )  # fmt: skip
        # The small hours of its own date are those of the night before.
        for day, clock, price in (
            (4, "01:30", PRICE),
            (4, "21:30", PRICE),
            (4, "22:00", 1_000),
            (5, "01:30", 1_000),
            (5, "02:00", PRICE),
            (5, "22:00", PRICE),
        ):
            assert unit(shop, room, shop.at(day, clock)) == price, (day, clock)

    def test_the_highest_priority_decides_alone(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        self.rule(shop, kind="percent", value=50, priority=1)
        self.rule(shop, kind="price", value=2_000, priority=2)
        self.rule(shop, kind="amount", value=-1, priority=1, room_id=room)
        assert unit(shop, room, start) == 2_000

    def test_a_tie_is_decided_by_the_rooms_own_rule_and_then_by_the_newer(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        for number, where in ((1, room), (2, room), (3, None)):
            shop.house.owner_sql(
                "insert into public.price_rules (organization_id, id, room_id, name, kind, value)"
                " values (%s, %s, %s, 'Rule', 'price', %s)",
                shop.id,
                f"00000000-0000-7000-8000-00000000000{number}",
                where,
                number,
            )
        assert unit(shop, room, start) == 2

    def test_another_rooms_rule_changes_nothing(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        self.rule(shop, room_id=shop.add_room())
        assert unit(shop, room, start) == PRICE

    def test_the_clock_is_the_venues(self, house: House) -> None:
        far = open_shop(house, "Far", "Asia/Kathmandu")
        room = far.add_room()
        far.open_on(room, "10:00", "22:00")
        self.rule(far, from_time="11:30", until_time="11:31")
        assert unit(far, room, far.at(3, "11:30")) == 1_000
        assert unit(far, room, far.at(3, "13:00")) == PRICE

    def test_availability_shows_the_price_of_each_time(self, shop: Shop, room: str) -> None:
        self.rule(shop, from_time="18:00", kind="percent", value=20)
        shown = {r["local_time"]: r["price_cents"] for r in shop.available(room_id=room)}
        assert (shown["17:30"], shown["18:00"]) == (2 * PRICE, 6_000)


class TestExtras:
    def test_one_for_the_booking_and_one_for_each_person(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        photo = shop.add_extra(maximum_quantity=2, tax_rate_bp=1000)
        drink = shop.add_extra(names=Jsonb({"en": "Drink"}), price_per="person", price_cents=300)
        quote = shop.quote(room, start, 3, extras=[taking(photo, 2), taking(drink)])
        lines = [
            (o["kind"], o["description"], o["quantity"], o["total_cents"], o["tax_cents"])
            for o in quote["lines"]
        ]
        assert lines == [
            ("base", "La Cripta", 3, 7_500, 1_302),
            ("extra", "Foto", 2, 1_000, 91),
            ("extra", "Drink", 3, 900, 156),
        ]
        assert [o.get("extra_id") for o in quote["lines"]] == [None, photo, drink]
        assert (quote["total_cents"], quote["tax_cents"]) == (9_400, 1_549)

    def test_none_of_an_extra_is_no_line(self, shop: Shop, room: str, start: datetime) -> None:
        quote = shop.quote(room, start, extras=[taking(shop.add_extra(), 0)])
        assert len(quote["lines"]) == 1

    @pytest.mark.parametrize(
        "extras",
        [
            {}, "photo", [1], [None], [[]], [{}], [{"extra_id": str(uuid4())}],
            [{"extra_id": "x", "quantity": 1}], [{"extra_id": 1, "quantity": 1}],
            [{"extra_id": str(uuid4()), "quantity": -1}],
            [{"extra_id": str(uuid4()), "quantity": 1.5}],
            [{"extra_id": str(uuid4()), "quantity": "1"}],
            [{"extra_id": str(uuid4()), "quantity": 10**12}],
        ],
    )  # fmt: skip
    def test_a_list_of_another_shape(
        self, shop: Shop, room: str, start: datetime, extras: object
    ) -> None:
        with refused(422, "extras_invalid"):
            shop.visitor.select(
                "select public.quote_booking(%s, %s, %s, 2, extras => %s::jsonb)",
                shop.slug, room, start, json.dumps(extras),
            )  # fmt: skip

    def test_the_same_extra_twice(self, shop: Shop, room: str, start: datetime) -> None:
        photo = shop.add_extra()
        with refused(422, "extras_invalid"):
            shop.quote(room, start, extras=[taking(photo), taking(photo)])

    def test_no_list_at_all_is_no_extra(self, shop: Shop, room: str, start: datetime) -> None:
        assert shop.quote(room, start, extras=None)["total_cents"] == 2 * PRICE
        held = shop.hold(room, start, extras=None, exclusive=None, customer_note=None)
        assert (held["extras"], held["exclusive"], held["customer_note"]) == ([], False, "")

    def test_only_what_the_room_offers(
        self, shop: Shop, room: str, start: datetime, house: House
    ) -> None:
        elsewhere = shop.add_extra(all_rooms=False)
        shop.insert("extra_rooms", extra_id=elsewhere, room_id=shop.add_room())
        switched_off = shop.add_extra(is_active=False)
        foreign = open_shop(house, "Other").add_extra()
        for extra in (elsewhere, switched_off, foreign, str(uuid4())):
            with refused(422, "extra_not_found") as caught:
                shop.quote(room, start, extras=[taking(extra)])
            assert caught.value.details == {"extra_id": extra}
        shop.insert("extra_rooms", extra_id=elsewhere, room_id=room)
        assert len(shop.quote(room, start, extras=[taking(elsewhere)])["lines"]) == 2

    def test_no_more_than_a_booking_may_have(self, shop: Shop, room: str, start: datetime) -> None:
        photo = shop.add_extra(maximum_quantity=2)
        with refused(422, "extra_quantity_invalid") as caught:
            shop.quote(room, start, extras=[taking(photo, 3)])
        assert caught.value.details == {"extra_id": photo, "maximum": 2}

    def test_the_calendar_lists_what_each_room_offers(self, shop: Shop, room: str) -> None:
        own = shop.add_extra(all_rooms=False, position=2, maximum_quantity=4)
        every = shop.add_extra(descriptions=Jsonb({"es": "Una foto"}), price_per="person")
        shop.add_extra(is_active=False)
        shop.insert("extra_rooms", extra_id=own, room_id=room)
        other = shop.add_room()
        rooms = {
            r["id"]: r["extras"] for r in shop.visitor.call("get_calendar", slug=shop.slug)["rooms"]
        }
        assert [x["id"] for x in rooms[room]] == [every, own]
        assert rooms[other] == [
            {
                "id": every,
                "name": {"es": "Foto", "en": "Photo"},
                "description": {"es": "Una foto"},
                "price_cents": 500,
                "per": "person",
                "maximum_quantity": 1,
            }
        ]


class TestExclusive:
    def test_it_replaces_the_price_of_the_seats(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        shop.insert("price_rules", name="x", kind="percent", value=50)
        (line,) = shop.quote(shared, start, 3, exclusive=True)["lines"]
        assert (line["quantity"], line["unit_cents"]) == (1, 12_000)

    def test_rooms_that_do_not_offer_it(self, shop: Shop, room: str, start: datetime) -> None:
        plain = shop.add_room(mode="shared")
        shop.open_on(plain, "10:00", "22:00")
        for each in (room, plain):
            with refused(422, "exclusive_not_offered"):
                shop.quote(each, start, exclusive=True)
            with refused(422, "exclusive_not_offered"):
                shop.hold(each, start, exclusive=True)
        assert shop.sessions() == []


class TestFee:
    @pytest.mark.parametrize(
        ("kind", "value", "quantity", "unit_cents"),
        [("booking", 150, 1, 150), ("person", 50, 3, 50), ("percent", 3, 1, 225)],
    )
    def test_the_calendar_adds_its_fee(
        self, shop: Shop, room: str, start: datetime, kind: str, value: int,
        quantity: int, unit_cents: int,
    ) -> None:  # fmt: skip
        shop.set_calendar(fee_kind=kind, fee_value=value, fee_tax_rate_bp=1000)
        fee = shop.quote(room, start, 3)["lines"][-1]
        assert (fee["kind"], fee["description"]) == ("fee", "Gastos de gestión")
        assert (fee["quantity"], fee["unit_cents"], fee["tax_rate_bp"]) == (
            quantity, unit_cents, 1000,
        )  # fmt: skip

    def test_a_share_is_of_what_is_left_after_discounts(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_calendar(fee_kind="percent", fee_value=10)
        shop.add_coupon(value=50)
        shop.add_coupon("ALL", value=100)
        quote = shop.quote(room, start, coupon_code="verano")
        assert [o["total_cents"] for o in quote["lines"]] == [5_000, -2_500, 250]
        free = shop.quote(room, start, coupon_code="all")
        assert [o["total_cents"] for o in free["lines"]] == [5_000, -5_000]
        assert (free["total_cents"], free["tax_cents"]) == (0, 0)

    @pytest.mark.parametrize(
        ("locale", "text"), [("ca", "Despeses de gestió"), ("en", "Booking fee")]
    )
    def test_it_is_named_in_the_guests_language(
        self, shop: Shop, room: str, start: datetime, locale: str, text: str
    ) -> None:
        shop.set_calendar(fee_kind="booking", fee_value=100)
        held = shop.hold(
            room, start, total=2 * PRICE + 100,
            customer={"full_name": "A", "email": "a@b.test", "locale": locale},
        )  # fmt: skip
        assert shop.look(held)["lines"][-1]["description"] == text
        # It is what was shown before.
        assert shop.quote(room, start, locale=locale)["lines"] == shop.look(held)["lines"]

    def test_a_quote_speaks_the_calendars_first_language_unless_another_is_asked_for(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_calendar(fee_kind="booking", fee_value=100, locales=["ca", "es"])
        photo = taking(shop.add_extra(names=Jsonb({"ca": "Retrat", "en": "Photo"})))

        def named(**options: Any) -> list[str]:
            lines = shop.quote(room, start, extras=[photo], **options)["lines"]
            return [line["description"] for line in lines[1:]]

        assert named() == named(locale=None) == ["Retrat", "Despeses de gestió"]
        assert named(locale="en") == ["Photo", "Booking fee"]
        # What is not said in a language is said in another.
        assert named(locale="es") == ["Photo", "Gastos de gestión"]


class TestDeposit:
    @pytest.mark.parametrize(
        ("kind", "value", "due"),
        [
            ("full", 0, 7_500), ("none", 0, 0), ("percent", 33, 2_475), ("fixed", 2_000, 2_000),
            ("fixed", 9_000, 7_500), ("person", 500, 1_500), ("person", 5_000, 7_500),
        ],
    )  # fmt: skip
    def test_what_confirms_a_booking(
        self, shop: Shop, room: str, start: datetime, kind: str, value: int, due: int
    ) -> None:
        shop.set_room(room, deposit_kind=kind, deposit_value=value)
        assert shop.quote(room, start, 3)["due_now_cents"] == due
        held = shop.hold(room, start, party_size=3)
        assert held["due_now_cents"] == due
        assert held["status"] == ("held" if due else "confirmed")


class TestDiscount:
    def test_it_is_shared_out_over_the_tax_rates_to_the_cent(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_room(room, price_per="session", price_cents=1_000, tax_rate_bp=2100)
        book = shop.add_extra(price_cents=500, tax_rate_bp=400)
        food = shop.add_extra(price_cents=500, tax_rate_bp=1000)
        shop.add_coupon(kind="fixed", value=333)
        quote = shop.quote(room, start, extras=[taking(book), taking(food)], coupon_code="Vera-no")
        off = [o for o in quote["lines"] if o["kind"] == "discount"]
        assert [(o["description"], o["total_cents"], o["tax_rate_bp"]) for o in off] == [
            ("VERANO", -167, 2100), ("VERANO", -83, 400), ("VERANO", -83, 1000),
        ]  # fmt: skip
        assert [o["tax_cents"] for o in off] == [-29, -3, -7]
        assert quote["total_cents"] == 2_000 - 333

    def test_no_more_than_there_is(self, shop: Shop, room: str, start: datetime) -> None:
        shop.add_coupon(kind="fixed", value=999_999)
        quote = shop.quote(room, start, coupon_code="VERANO")
        assert (quote["total_cents"], quote["tax_cents"], quote["due_now_cents"]) == (0, 0, 0)

    def test_of_nothing_it_is_no_line(self, shop: Shop, room: str, start: datetime) -> None:
        shop.set_room(room, price_cents=0)
        shop.add_coupon()
        assert len(shop.quote(room, start, coupon_code="VERANO")["lines"]) == 1


class TestCoupon:
    @pytest.fixture(autouse=True)
    def _twin(self, house: House) -> None:
        """Another venue's coupon of the same code, which would give everything away."""
        open_shop(house, "Twin").add_coupon(value=100)

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"valid_until": "2020-01-01"}, "coupon_expired"),
            ({"valid_from": "2090-01-01"}, "coupon_not_valid_yet"),
            ({"minimum_cents": 2 * PRICE + 1}, "coupon_min_amount"),
        ],
    )
    def test_each_refusal_has_its_code_everywhere(
        self, shop: Shop, room: str, start: datetime, values: Row, code: str
    ) -> None:
        shop.add_coupon(**values)
        for refusal in refusals(shop, room, start, "VERANO"):
            assert refusal == code
        nothing_happened(shop)

    def test_at_its_minimum_amount_it_is_good(self, shop: Shop, room: str, start: datetime) -> None:
        shop.add_coupon(minimum_cents=2 * PRICE)
        assert shop.quote(room, start, coupon_code="verano")["total_cents"] == 4_500

    def test_one_that_nobody_made(self, shop: Shop, room: str, start: datetime) -> None:
        for code in ("VERANO", "x", "ñ", "'"):
            assert set(refusals(shop, room, start, code)) == {"coupon_not_found"}
        with refused(422, "coupon_not_found"):
            shop.visitor.call("validate_coupon", slug=shop.slug, code=None)
        nothing_happened(shop)

    def test_one_that_was_switched_off(self, shop: Shop, room: str, start: datetime) -> None:
        coupon = shop.add_coupon()
        switch(shop, coupon, "inactive")
        assert set(refusals(shop, room, start, "verano")) == {"coupon_not_active"}
        switch(shop, coupon, "active")
        assert shop.quote(room, start, coupon_code="verano")["total_cents"] == 4_500

    def test_one_for_other_rooms(self, shop: Shop, room: str, start: datetime) -> None:
        other = shop.add_room()
        shop.add_coupon(room_ids=[other])
        assert set(refusals(shop, room, start, "verano")) == {"coupon_not_for_room"}
        seen = shop.visitor.call("validate_coupon", slug=shop.slug, code="verano", room_id=other)
        assert seen["value"] == 10
        assert shop.visitor.call("validate_coupon", slug=shop.slug, code="verano")["value"] == 10

    def test_one_that_is_used_up(self, shop: Shop, room: str, start: datetime) -> None:
        shop.add_coupon(maximum_uses=1)
        shop.book(room, shop.at(3, "15:00"), coupon_code="VERANO")
        assert set(refusals(shop, room, start, "VERANO")) == {"coupon_max_uses"}

    def test_validate_says_what_it_gives(self, shop: Shop, room: str, start: datetime) -> None:
        shop.add_coupon(valid_until="2090-01-01", minimum_cents=100)
        ask: Row = {"slug": shop.slug, "code": " ve-ra no "}
        alone = shop.visitor.call("validate_coupon", **ask)
        assert alone.pop("valid_until") == "2090-01-01"
        assert alone == {
            "code": "VERANO",
            "kind": "percent",
            "value": 10,
            "minimum_cents": 100,
            "total_cents": None,
            "discount_cents": None,
        }
        seats = shop.visitor.call(
            "validate_coupon", **ask, room_id=room, starts_at=start, party_size=2
        )
        assert (seats["total_cents"], seats["discount_cents"]) == (4_500, 500)

    def test_validate_refuses_what_a_quote_refuses(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.add_coupon()
        ask: Row = {"slug": shop.slug, "code": "VERANO"}
        with refused(404, "room_not_found"):
            shop.visitor.call("validate_coupon", **ask, room_id=str(uuid4()))
        with refused(422, "slot_not_offered"):
            shop.visitor.call(
                "validate_coupon", **ask, room_id=room,
                starts_at=start + timedelta(minutes=1), party_size=2,
            )  # fmt: skip
        with refused(404, "calendar_not_found"):
            shop.visitor.call("validate_coupon", slug="nowhere", code="VERANO")

    def test_guesses_are_counted_wherever_they_are_made(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.add_coupon()
        shop.house.owner_sql(
            "update private.rate_limit_rules set max_hits = 3 where action = 'try_code'"
        )
        guesser = shop.visitor.sending(x_forwarded_for="203.0.113.7")
        with refused(422, "coupon_not_found") as caught:
            guesser.call("validate_coupon", slug=shop.slug, code="GUESS")
        assert caught.value.kept
        with refused(422, "coupon_not_found") as caught:
            shop.quote(room, start, by=guesser, coupon_code="GUESS")
        assert caught.value.kept
        with refused(422, "voucher_not_found") as caught:
            shop.hold(room, start, by=guesser, voucher_code="GUESS", key="again")
        assert caught.value.kept
        with refused(429, "rate_limited"):
            shop.quote(room, start, by=guesser, coupon_code="VERANO")
        with refused(429, "rate_limited"):
            guesser.call("validate_coupon", slug=shop.slug, code="VERANO")
        # What was refused used no key, and others may still ask.
        nothing_happened(shop)
        assert shop.hold(room, start, key="again")["status"] == "held"

    def test_a_calendar_says_whether_there_are_any(self, shop: Shop) -> None:
        def has() -> bool:
            return bool(shop.visitor.call("get_calendar", slug=shop.slug)["has_coupons"])

        assert not has()
        shop.add_coupon("OLD", valid_until="2020-01-01")
        assert not has()
        coupon = shop.add_coupon(valid_until="2090-01-01")
        assert has()
        switch(shop, coupon, "inactive")
        assert not has()


class TestVoucher:
    def test_it_pays_what_it_can(self, shop: Shop, room: str, start: datetime) -> None:
        for cents, pays in ((1_000, 1_000), (99_999, 5_000)):
            code = shop.add_voucher(cents)["code"]
            for typed in (code, code.lower().replace("-", " ")):
                quote = shop.quote(room, start, voucher_code=typed)
                assert (quote["total_cents"], quote["voucher_cents"]) == (5_000, pays)

    def test_letters_that_look_like_digits_are_read_as_these(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher()
        shop.house.owner_sql(
            "update public.vouchers set code = 'A010-B0C0-1111' where id = %s", made["id"]
        )
        assert shop.quote(room, start, voucher_code="aoio bOcO lLiI")["voucher_cents"] == 5_000

    def test_each_refusal_has_its_code(
        self, shop: Shop, room: str, start: datetime, house: House
    ) -> None:
        expired = shop.add_voucher(valid_until="2090-01-01")
        shop.house.owner_sql(
            "update public.vouchers set valid_until = '2020-01-01' where id = %s", expired["id"]
        )
        cancelled = shop.add_voucher()
        cancel(shop, cancelled)
        empty = shop.add_voucher(1)
        shop.book(room, shop.at(3, "15:00"), voucher_code=empty["code"])
        foreign = open_shop(house, "Other").add_voucher()
        for code, refusal in (
            (expired["code"], "voucher_expired"),
            (cancelled["code"], "voucher_not_active"),
            (empty["code"], "voucher_empty"),
            (foreign["code"], "voucher_not_found"),
            ("nothing", "voucher_not_found"),
        ):
            with refused(422, refusal):
                shop.quote(room, start, voucher_code=code)
            with refused(422, refusal):
                shop.hold(room, start, voucher_code=code)
        assert shop.venue.count("bookings") == 1

    def test_a_calendar_says_whether_there_are_any(self, shop: Shop) -> None:
        def has() -> bool:
            return bool(shop.visitor.call("get_calendar", slug=shop.slug)["has_vouchers"])

        assert not has()
        made = shop.add_voucher()
        assert has()
        cancel(shop, made)
        assert not has()


def refusals(shop: Shop, room: str, start: datetime, code: str) -> Iterator[str]:
    """How each public function refuses a coupon."""
    functions = (
        lambda: shop.quote(room, start, coupon_code=code),
        lambda: shop.hold(room, start, coupon_code=code),
        lambda: shop.visitor.call(
            "validate_coupon", slug=shop.slug, code=code, room_id=room,
            starts_at=start, party_size=2,
        ),
    )  # fmt: skip
    for function in functions:
        with pytest.raises(Refused) as caught:
            function()
        assert caught.value.status == 422
        assert caught.value.hint
        yield caught.value.code


def nothing_happened(shop: Shop) -> None:
    for table in ("sessions", "bookings", "customers", "coupon_redemptions"):
        assert shop.venue.count(table) == 0, table
    keys = shop.house.one(
        "select count(*) from private.idempotency_keys where scope = %s", f"{shop.id}:hold_booking"
    )
    assert keys == 0


def switch(shop: Shop, coupon: Row, status: str) -> None:
    shop.venue.owner.call(
        "set_coupon_status", organization_id=shop.id, coupon_id=coupon["id"], status=status
    )


def cancel(shop: Shop, voucher: Row) -> None:
    shop.venue.owner.call("cancel_voucher", organization_id=shop.id, voucher_id=voucher["id"])


def test_an_inactive_rule_of_another_venue_is_not_ours(shop: Shop, room: str, house: House) -> None:
    other = open_shop(house, "Other")
    other.insert("price_rules", name="x", kind="price", value=1)
    assert unit(shop, room, shop.at(3, "11:30")) == PRICE
    change(other.venue.owner, "price_rules", {"value": 2}, organization_id=other.id)
    assert unit(shop, room, shop.at(3, "11:30")) == PRICE


class TestDates:
    """A date is a day of the venue's, the last one included."""

    ZONES = ("Europe/Madrid", "Pacific/Kiritimati", "Pacific/Pago_Pago")

    @pytest.fixture(params=ZONES)
    def there(self, house: House, request: pytest.FixtureRequest) -> Shop:
        return open_shop(house, "There", zone=request.param)

    @pytest.fixture
    def game(self, there: Shop) -> str:
        room = there.add_room()
        there.open_on(room, "10:00", "22:00")
        return room

    def is_taken(self, shop: Shop, room: str, start: datetime, code: str) -> None:
        shop.quote(room, start, coupon_code=code)
        shop.visitor.call(
            "validate_coupon",
            slug=shop.slug,
            code=code,
            room_id=room,
            starts_at=start,
            party_size=2,
        )

    def test_a_coupon_is_good_until_the_end_of_its_last_day(self, there: Shop, game: str) -> None:
        start = there.at(3, "11:30")
        for days, code in ((0, "today"), (1, "tomorrow")):
            there.add_coupon(code, valid_until=there.today + timedelta(days))
            self.is_taken(there, game, start, code)
        there.add_coupon("past", valid_until=there.today - timedelta(1))
        assert set(refusals(there, game, start, "past")) == {"coupon_expired"}

    def test_and_from_the_beginning_of_its_first(self, there: Shop, game: str) -> None:
        start = there.at(3, "11:30")
        there.add_coupon("today", valid_from=there.today, valid_until=there.today)
        self.is_taken(there, game, start, "today")
        there.add_coupon("later", valid_from=there.today + timedelta(1))
        assert set(refusals(there, game, start, "later")) == {"coupon_not_valid_yet"}

    def test_a_calendar_has_coupons_and_vouchers_until_then(self, there: Shop) -> None:
        def has() -> tuple[bool, bool]:
            seen = there.visitor.call("get_calendar", slug=there.slug)
            return seen["has_coupons"], seen["has_vouchers"]

        there.add_coupon("past", valid_until=there.today - timedelta(1))
        assert has() == (False, False)
        there.add_coupon("today", valid_until=there.today)
        there.add_voucher(valid_until=there.today)
        assert has() == (True, True)

    def test_a_voucher_pays_until_the_end_of_its_last_day(self, there: Shop, game: str) -> None:
        with refused(422, "voucher_invalid"):
            there.add_voucher(valid_until=there.today - timedelta(1))
        voucher = there.add_voucher(valid_until=there.today)
        booked = there.book(game, there.at(3, "11:30"), voucher_code=voucher["code"])
        assert booked["status"] == "confirmed"
        there.house.owner_sql(
            "update public.vouchers set valid_until = valid_until - 1 where id = %s", voucher["id"]
        )
        with refused(422, "voucher_expired"):
            there.quote(game, there.at(4, "11:30"), voucher_code=voucher["code"])

    def test_where_two_venues_have_two_dates_each_has_its_own(self, house: House) -> None:
        shop = open_shop(house, "Far", zone="Pacific/Kiritimati")
        east = shop.add_room()
        behind = shop.insert("locations", name="West", timezone="Pacific/Pago_Pago")
        west = shop.add_room(location_id=behind["id"])
        for room in (east, west):
            shop.open_on(room, "10:00", "22:00")
        # 25 hours apart: the west is always a day behind.
        yesterday = shop.today - timedelta(1)
        shop.add_coupon("eve", valid_until=yesterday)
        voucher = shop.add_voucher(valid_until=yesterday)
        start = shop.at(3, "11:30")
        in_the_west = start.replace(tzinfo=ZoneInfo("Pacific/Pago_Pago"))
        self.is_taken(shop, west, in_the_west, "eve")
        assert set(refusals(shop, east, start, "eve")) == {"coupon_expired"}
        assert shop.visitor.call("validate_coupon", slug=shop.slug, code="eve")["value"] == 10
        # A voucher is the house's: it pays while its day lasts anywhere.
        assert shop.quote(east, start, voucher_code=voucher["code"])["voucher_cents"] > 0
