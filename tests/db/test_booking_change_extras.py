"""A booking that is made takes more, less or nothing beside its seats, or another coupon."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import PRICE, Row, Shop, change, open_shop, taking
from db.changes_world import alter, book, everything, promised, quote, reschedule, take
from db.test_booking_concurrency import assert_consistent, guest, outcomes, race
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE
PHOTO = 500


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(mode="shared", minimum_party=1, capacity_limit=8)
    shop.open_on(room, "10:30", "22:00", slot_interval_minutes=90)
    return room


@pytest.fixture
def photo(shop: Shop) -> str:
    """An extra of which a session has four, and a booking at most three."""
    return shop.add_extra(maximum_quantity=3, stock_per_session=4)


@pytest.fixture
def cake(shop: Shop) -> str:
    return shop.add_extra(
        names=Jsonb({"es": "Pastel", "en": "Cake"}),
        price_cents=300,
        price_per="person",
        position=1,
    )


@pytest.fixture
def paid(shop: Shop, room: str, photo: str) -> Row:
    """Two seats and one photo, confirmed and paid at the desk."""
    booking = shop.book(room, shop.at(3), extras=[taking(photo)])
    take(shop, booking, TOTAL + PHOTO)
    return booking


def extras_of(booking: Row) -> list[tuple[str, int]]:
    return [(extra["name"], extra["quantity"]) for extra in booking["extras"]]


def kinds(booking: Row) -> list[tuple[str, int, int]]:
    return [(line["kind"], line["quantity"], line["total_cents"]) for line in booking["lines"]]


class TestACustomer:
    def test_takes_more_and_pays_the_difference_later(
        self, shop: Shop, paid: Row, photo: str, cake: str
    ) -> None:
        wanted = [taking(cake), taking(photo, 3)]
        quoted = quote(shop, paid, extras=wanted)
        assert extras_of(quoted) == [("Foto", 3), ("Pastel", 1)]
        assert (quoted["difference_cents"], quoted["open_cents"]) == (1_600, 1_600)
        seen = reschedule(shop, paid, total=quoted["total_cents"], extras=wanted)
        assert extras_of(seen) == [("Foto", 3), ("Pastel", 1)]
        assert sorted(kinds(seen)) == [("base", 2, TOTAL), ("extra", 2, 600), ("extra", 3, 1_500)]
        assert (seen["status"], seen["open_cents"]) == ("confirmed", 1_600)

    def test_takes_none_and_gets_the_money_back(self, shop: Shop, paid: Row) -> None:
        assert quote(shop, paid, extras=[])["refund_cents"] == PHOTO
        seen = reschedule(shop, paid, total=TOTAL, extras=[])
        assert (seen["extras"], kinds(seen)) == ([], [("base", 2, TOTAL)])
        assert promised(shop, paid) == [("changed", PHOTO)]

    def test_keeps_what_is_not_named(self, shop: Shop, paid: Row) -> None:
        for extras in (None, Jsonb(None)):
            seen = quote(shop, paid, party_size=3, extras=extras)
            assert extras_of(seen) == [("Foto", 1)]
        seen = reschedule(shop, paid, total=3 * PRICE + PHOTO, party_size=3)
        assert extras_of(seen) == [("Foto", 1)]
        assert set(shop.history(paid)[-1]["change"]) == {"party_size", "total_cents"}

    def test_changes_them_with_everything_else_at_once(
        self, shop: Shop, paid: Row, cake: str
    ) -> None:
        total = 3 * PRICE + 3 * 300
        seen = reschedule(
            shop, paid, total=total, starts_at=shop.at(5), party_size=3, extras=[taking(cake)]
        )
        assert (seen["party_size"], extras_of(seen)) == (3, [("Pastel", 1)])
        assert sorted(kinds(seen)) == [("base", 3, 3 * PRICE), ("extra", 3, 900)]

    def test_the_history_says_what_there_was(self, shop: Shop, paid: Row, photo: str) -> None:
        seen = reschedule(shop, paid, total=TOTAL + 2 * PHOTO, extras=[taking(photo, 2)])
        change = shop.history(paid)[-1]["change"]
        assert change == {
            "extras": [
                [{"extra_id": photo, "name": "Foto", "quantity": 1}],
                [{"extra_id": photo, "name": "Foto", "quantity": 2}],
            ],
            "total_cents": [TOTAL + PHOTO, TOTAL + 2 * PHOTO],
        }
        assert seen["history"][-1]["change"] == change

    def test_the_mail_says_what_there_was_and_is(self, shop: Shop, paid: Row, cake: str) -> None:
        reschedule(shop, paid, total=TOTAL + 600, extras=[taking(cake)])
        content = shop.house.one(
            "select private.announcement_content("
            "  organization_id, jsonb_build_object('history_id', id)) -> 'data'"
            " from public.booking_history"
            " where organization_id = %s and change is not null",
            shop.id,
        )
        assert extras_of(content) == [("Pastel", 1)]
        assert extras_of(content["previous"]) == [("Foto", 1)]

    def test_the_same_again_is_nothing(self, shop: Shop, paid: Row, photo: str, cake: str) -> None:
        for same in ([taking(photo)], [taking(photo.upper()), taking(cake, 0)]):
            with refused(422, "nothing_to_change"):
                reschedule(shop, paid, total=TOTAL + PHOTO, extras=same)

    def test_a_swap_at_the_same_price_is_a_change(self, shop: Shop, paid: Row) -> None:
        mask = shop.add_extra(names=Jsonb({"es": "Máscara"}))
        seen = reschedule(shop, paid, total=TOTAL + PHOTO, extras=[taking(mask)])
        assert extras_of(seen) == [("Máscara", 1)]
        assert set(shop.history(paid)[-1]["change"]) == {"extras"}

    def test_one_key_is_for_one_list(self, shop: Shop, paid: Row, photo: str) -> None:
        ask = partial(reschedule, shop, paid, total=TOTAL + 2 * PHOTO, idempotency_key="extras")
        first = ask(extras=[taking(photo, 2)])
        assert ask(extras=[taking(photo, 2)]) == first
        with refused(422, "idempotency_key_reused"):
            ask(extras=[taking(photo, 3)])

    def test_the_coupon_counts_what_is_left(self, shop: Shop, room: str, photo: str) -> None:
        shop.add_coupon(minimum_cents=TOTAL + PHOTO)
        booking = shop.book(room, shop.at(4), extras=[taking(photo)], coupon_code="VERANO")
        assert quote(shop, booking, extras=[taking(photo, 3)])["total_cents"] == 5_850
        before = everything(shop)
        with refused(422, "coupon_min_amount"):
            reschedule(shop, booking, total=TOTAL, extras=[])
        assert everything(shop) == before


class TestWhatIsOffered:
    @pytest.mark.parametrize(
        ("status", "code", "wanted"),
        [
            (409, "extra_sold_out", lambda photo: [taking(photo, 3)]),
            (422, "extra_quantity_invalid", lambda photo: [taking(photo, 4)]),
            (422, "extra_not_found", lambda _: [taking(str(uuid4()))]),
            (422, "extras_invalid", lambda photo: [taking(photo), taking(photo)]),
            (422, "extras_invalid", lambda _: Jsonb({})),
            (422, "extras_invalid", lambda _: ["photo"]),
        ],
    )
    def test_what_cannot_be_had_changes_nothing(
        self,
        shop: Shop,
        room: str,
        paid: Row,
        photo: str,
        status: int,
        code: str,
        wanted: Callable[[str], object],
    ) -> None:
        shop.book(room, shop.at(3), party_size=1, extras=[taking(photo, 2)], customer=guest(1))
        before = everything(shop)
        extras = wanted(photo)
        asks: list[Callable[[], Row]] = [
            lambda: quote(shop, paid, extras=extras),
            lambda: reschedule(shop, paid, total=TOTAL + PHOTO, extras=extras),
            lambda: alter(shop, paid, extras=extras),
        ]
        for ask in asks:
            with refused(status, code):
                ask()
        assert everything(shop) == before

    def test_what_one_gives_back_another_takes(
        self, shop: Shop, room: str, paid: Row, photo: str
    ) -> None:
        reschedule(shop, paid, total=TOTAL + 3 * PHOTO, extras=[taking(photo, 3)])
        other = shop.hold(room, shop.at(3), party_size=1, customer=guest(1))
        with refused(409, "extra_sold_out") as caught:
            reschedule(shop, other, total=PRICE + 2 * PHOTO, extras=[taking(photo, 2)])
        assert caught.value.details == {"extra_id": photo, "left": 1}
        alter(shop, paid, extras=[])
        seen = reschedule(shop, other, total=PRICE + 2 * PHOTO, extras=[taking(photo, 2)])
        assert extras_of(seen) == [("Foto", 2)]

    def test_what_is_offered_no_longer_is_kept_or_made_less_but_not_more(
        self, shop: Shop, paid: Row, photo: str
    ) -> None:
        reschedule(shop, paid, total=TOTAL + 3 * PHOTO, extras=[taking(photo, 3)])
        change(shop.venue.owner, "extras", {"maximum_quantity": 1}, id=photo)
        assert quote(shop, paid, party_size=3)["total_cents"] == 3 * PRICE + 3 * PHOTO
        assert extras_of(quote(shop, paid, extras=[taking(photo, 2)])) == [("Foto", 2)]
        with refused(422, "extra_quantity_invalid"):
            quote(shop, paid, extras=[taking(photo, 4)])
        change(shop.venue.owner, "extras", {"is_active": False, "maximum_quantity": 9}, id=photo)
        assert extras_of(quote(shop, paid, extras=[taking(photo, 3)])) == [("Foto", 3)]
        with refused(422, "extra_not_found"):
            quote(shop, paid, extras=[taking(photo, 4)])
        # Once given back it is not had again.
        alter(shop, paid, extras=[])
        with refused(422, "extra_not_found"):
            quote(shop, paid, extras=[taking(photo)])
        with refused(422, "extra_not_found"):
            quote(shop, paid, extras=[taking(photo, 0)])

    def test_a_room_without_them_can_be_had_without_them(
        self, shop: Shop, room: str, paid: Row, photo: str
    ) -> None:
        change(shop.venue.owner, "extras", {"all_rooms": False}, id=photo)
        shop.insert("extra_rooms", extra_id=photo, room_id=room)
        other = shop.add_room()
        shop.open_on(other, "12:00", "13:00")
        with refused(422, "extra_not_found"):
            quote(shop, paid, room_id=other, starts_at=shop.at(4))
        seen = reschedule(shop, paid, total=TOTAL, room_id=other, starts_at=shop.at(4), extras=[])
        assert (seen["room_id"], seen["extras"]) == (other, [])

    def test_another_venues_are_none(self, shop: Shop, paid: Row, house: House) -> None:
        foreign = open_shop(house, "Twin").add_extra()
        with refused(422, "extra_not_found"):
            quote(shop, paid, extras=[taking(foreign)])


class TestStaff:
    def priced(self, shop: Shop, booking: Row, **values: object) -> Row:
        quoted: Row = shop.venue.owner.call(
            "quote_change",
            organization_id=shop.id,
            booking_id=shop.id_of(booking),
            **{k: Jsonb(v) if isinstance(v, list) else v for k, v in values.items()},
        )
        return quoted

    def test_give_and_take_extras(self, shop: Shop, paid: Row, photo: str, cake: str) -> None:
        wanted = [taking(photo, 2), taking(cake)]
        assert self.priced(shop, paid, extras=wanted)["open_cents"] == PHOTO + 600
        changed = alter(shop, paid, extras=wanted, reason="They asked")
        assert extras_of(changed) == [("Foto", 2), ("Pastel", 1)]
        assert changed["open_cents"] == PHOTO + 600
        assert shop.history(paid)[-1]["reason"] == "They asked"

    def test_an_agreed_price_of_the_seats_stays(self, shop: Shop, room: str, photo: str) -> None:
        booked = book(shop, room, shop.at(3), price_cents=1_000, override_reason="A friend")
        assert alter(shop, booked, extras=[taking(photo)])["total_cents"] == 1_000 + PHOTO
        assert shop.venue.count("price_overrides") == 1

    def test_give_a_coupon_and_take_it_away(self, shop: Shop, paid: Row) -> None:
        shop.add_coupon(maximum_uses=1)
        assert self.priced(shop, paid, coupon_code=" verano ")["total_cents"] == 4_950
        assert alter(shop, paid, coupon_code=" verano ")["total_cents"] == 4_950
        assert shop.history(paid)[-1]["change"] == {
            "coupon_code": [None, "VERANO"],
            "total_cents": [5_500, 4_950],
        }
        with refused(422, "nothing_to_change"):
            alter(shop, paid, coupon_code="Verano")
        # It is kept when something else changes, as its one use.
        assert alter(shop, paid, party_size=3)["total_cents"] == 7_200
        assert alter(shop, paid, party_size=2, coupon_code="")["total_cents"] == 5_500
        assert shop.history(paid)[-1]["change"]["coupon_code"] == ["VERANO", None]
        assert shop.venue.count("coupon_redemptions") == 0
        with refused(422, "nothing_to_change"):
            alter(shop, paid, coupon_code=" ")

    def test_swap_one_coupon_for_another(self, shop: Shop, room: str) -> None:
        for code, value in (("DIEZ", 10), ("VEINTE", 20)):
            shop.add_coupon(code, value=value)
        booking = shop.book(room, shop.at(3), coupon_code="DIEZ")
        assert alter(shop, booking, coupon_code="VEINTE")["total_cents"] == 4_000
        assert shop.history(booking)[-1]["change"]["coupon_code"] == ["DIEZ", "VEINTE"]
        used = shop.venue.owner.select(
            "select c.code, r.discount_cents from public.coupon_redemptions as r"
            " join public.coupons as c on c.organization_id = r.organization_id"
            " and c.id = r.coupon_id"
        )
        assert used == [{"code": "VEINTE", "discount_cents": 1_000}]

    def test_the_coupon_of_a_booking_stays_when_its_customer_turns_out_to_have_used_it_before(
        self, shop: Shop, room: str
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        bookings = [
            shop.book(room, shop.at(3 + n), coupon_code="VERANO", customer=guest(n)) for n in (0, 1)
        ]
        keep, merge = (
            row["id"]
            for row in shop.venue.owner.select("select id from public.customers order by id")
        )
        shop.venue.owner.call(
            "merge_customers", organization_id=shop.id, keep_id=keep, merge_id=merge
        )
        changed = alter(shop, bookings[0], party_size=3)
        assert changed["total_cents"] == 3 * PRICE * 9 // 10
        seen = reschedule(shop, bookings[1], total=3 * PRICE * 9 // 10, party_size=3)
        assert seen["total_cents"] == 3 * PRICE * 9 // 10

    def test_not_one_that_is_used_up_or_unknown(
        self, shop: Shop, room: str, paid: Row, house: House
    ) -> None:
        shop.add_coupon(maximum_uses=1)
        shop.book(room, shop.at(4), coupon_code="VERANO", customer=guest(1))
        open_shop(house, "Twin").add_coupon("AJENO")
        before = everything(shop)
        for code, refusal in (("VERANO", "coupon_max_uses"), ("AJENO", "coupon_not_found")):
            with refused(422, refusal):
                alter(shop, paid, coupon_code=code)
        assert everything(shop) == before

    def test_one_key_is_for_one_wish(self, shop: Shop, paid: Row, photo: str) -> None:
        shop.add_coupon()
        wishes: list[tuple[Row, Row]] = [
            ({"extras": [taking(photo, 2)]}, {"extras": [taking(photo, 3)]}),
            ({"coupon_code": "VERANO"}, {"coupon_code": ""}),
        ]
        for number, (wish, other) in enumerate(wishes):
            ask = partial(alter, shop, paid, idempotency_key=f"wish-{number}")
            first = ask(**wish)
            assert ask(**wish) == first
            with refused(422, "idempotency_key_reused"):
                ask(**other)


def test_the_last_of_an_extra_is_had_once_however_many_ask(track: Track) -> None:
    shop = open_shop(track.house, track.name("Venue"), hold_minutes=120)
    room = shop.add_room(mode="shared", minimum_party=1, maximum_party=8)
    shop.open_on(room, "10:00", "11:00")
    mask = shop.add_extra(stock_per_session=1)
    bookings = [
        shop.hold(room, shop.at(3, "10:00"), party_size=1, customer=guest(n)) for n in range(6)
    ]
    visitors: list[Client] = [track.alone(shop.visitor) for _ in bookings]

    def work(client: Client, who: int) -> Row:
        return reschedule(
            shop, bookings[who], total=PRICE + PHOTO, by=client, extras=[taking(mask)]
        )

    assert outcomes(race(visitors, work)) == {"ok": 1, "409 extra_sold_out": 5}
    assert_consistent(shop)
