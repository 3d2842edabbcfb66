"""What a booking takes of extras, coupons and vouchers, and when they are free again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop, ask, change, insert, open_shop, taking
from matrix.house import House
from matrix.promises import refused

OTHER = {**GUEST, "email": "other@example.test"}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(name="La Cripta")
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def unpaid_room(shop: Shop) -> str:
    """Where everything is paid at the venue."""
    room = shop.add_room(name="La Celda", deposit_kind="none")
    shop.open_on(room, "10:00", "22:00")
    return room


def at(shop: Shop, address: str) -> Client:
    """A visitor, at that network address."""
    return shop.house.nobody.sending(x_forwarded_for=address)


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


Snapshot = Callable[[], list[int]]


@pytest.fixture
def rows(shop: Shop) -> Snapshot:
    """How many rows the venue has in each table that a booking writes."""
    tables = (
        "sessions", "bookings", "customers", "booking_lines", "booking_extras",
        "coupon_redemptions", "payments", "voucher_entries", "booking_history",
    )  # fmt: skip

    def count() -> list[int]:
        keys = shop.house.one("select count(*) from private.idempotency_keys")
        return [*(shop.venue.count(table) for table in tables), keys]

    return count


@pytest.fixture
def unchanged(rows: Snapshot) -> Iterator[Callable[[], None]]:
    """Call it when everything is arranged: from then on nothing may change."""
    noted: list[list[int]] = []
    yield lambda: noted.append(rows())
    assert noted
    assert rows() == noted[0]


class TestTheBooking:
    def test_it_keeps_and_shows_what_it_was_made_with(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        photo = shop.add_extra(maximum_quantity=3)
        shop.add_coupon()
        ask(shop, "allergies")
        options: Row = {
            "extras": [taking(photo, 2)],
            "coupon_code": "ve rano",
            "fields": {"allergies": "none"},
            "customer_note": "It is a birthday",
        }
        quote = shop.quote(
            room, start, extras=options["extras"], coupon_code=options["coupon_code"]
        )
        held = shop.hold(room, start, total=quote["total_cents"], **options)
        seen = shop.look(held)
        for answer in (held, seen):
            assert answer["extras"] == [{"extra_id": photo, "name": "Foto", "quantity": 2}]
            assert answer["fields"] == {"allergies": "none"}
            assert answer["customer_note"] == "It is a birthday"
            assert (answer["seats"], answer["exclusive"]) == (2, False)
        assert [o["total_cents"] for o in seen["lines"]] == [5_000, 1_000, -600]
        (use,) = shop.venue.owner.select("select * from public.coupon_redemptions")
        assert str(use["booking_id"]) == shop.id_of(held)
        assert use["discount_cents"] == 600

    def test_the_same_key_with_other_options_is_another_request(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        photo = shop.add_extra(price_cents=0)
        shop.add_coupon(kind="fixed", value=1, minimum_cents=0)
        voucher = shop.add_voucher(1)["code"]
        held = shop.hold(room, start, key="k", extras=[taking(photo)])
        assert shop.hold(room, start, key="k", extras=[taking(photo)]) == held
        others: list[Row] = [
            {},
            {"coupon_code": "VERANO"},
            {"voucher_code": voucher},
            {"exclusive": True},
            {"fields": {"a": "b"}},
            {"customer_note": "x"},
            {"consents": [{"kind": "terms", "granted": True, "wording": "x"}]},
        ]
        for options in others:
            same: Row = {"extras": [taking(photo)]} if options else {}
            with refused(422, "idempotency_key_reused"):
                shop.hold(room, start, key="k", **(same | options))

    def test_a_replay_is_answered_though_the_coupon_is_gone(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.add_coupon(maximum_uses=1)
        first = shop.hold(room, start, total=4_500, key="k", coupon_code="VERANO")
        assert shop.hold(room, start, total=4_500, key="k", coupon_code="VERANO") == first

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"fields": Jsonb([])}, "field_invalid"),
            ({"fields": Jsonb("x")}, "field_invalid"),
            ({"customer_note": "x" * 2001}, "customer_note_too_long"),
            ({"consents": Jsonb({})}, "consents_invalid"),
            ({"consents": None}, "consents_invalid"),
            ({"coupon_code": "NONE"}, "coupon_not_found"),
            ({"voucher_code": "NONE"}, "voucher_not_found"),
            ({"exclusive": True}, "exclusive_not_offered"),
            ({"extras": Jsonb({})}, "extras_invalid"),
        ],
    )
    def test_a_refused_option_changes_nothing(
        self, shop: Shop, room: str, start: datetime, unchanged: Callable[[], None],
        options: Row, code: str,
    ) -> None:  # fmt: skip
        unchanged()
        with refused(422, code):
            shop.hold(room, start, **options)

    def test_a_total_without_the_discount_is_not_taken_for_it(
        self, shop: Shop, room: str, start: datetime, unchanged: Callable[[], None]
    ) -> None:
        shop.add_coupon()
        unchanged()
        with refused(409, "total_changed") as caught:
            shop.hold(room, start, total=5_000, coupon_code="VERANO")
        assert caught.value.details == {"total_cents": 4_500}


class TestTerms:
    @pytest.fixture(autouse=True)
    def _terms(self, shop: Shop) -> None:
        shop.set_calendar(terms=Jsonb({"es": "Sin fuego."}))

    @pytest.mark.parametrize(
        "consents",
        [
            [],
            [{"kind": "marketing", "granted": True, "wording": "x"}],
            [{"kind": "terms", "granted": False, "wording": "x"}],
            [{"kind": "terms", "granted": "true", "wording": "x"}],
            ["terms"],
        ],
    )
    def test_they_must_be_accepted(
        self, shop: Shop, room: str, start: datetime, unchanged: Callable[[], None],
        consents: list[object],
    ) -> None:  # fmt: skip
        unchanged()
        with refused(422, "terms_not_accepted"):
            shop.hold(room, start, consents=consents)

    def test_accepted_they_let_one_in(self, shop: Shop, room: str, start: datetime) -> None:
        consents = [{"kind": "terms", "granted": True, "wording": "Sin fuego."}]
        assert shop.hold(room, start, consents=consents)["status"] == "held"


class TestLiveHolds:
    def hold(self, shop: Shop, room: str, turn: int, address: str = "203.0.113.7") -> Row:
        visitor = shop.visitor.sending(x_forwarded_for=address)
        guest = {"full_name": "Ana", "email": f"ana-{turn}@example.test"}
        return shop.hold(room, shop.at(3 + turn, "11:30"), by=visitor, customer=guest)

    def test_one_address_holds_five_at_a_time_in_a_calendar(self, shop: Shop, room: str) -> None:
        held = [self.hold(shop, room, turn) for turn in range(5)]
        before = shop.sessions()
        with refused(429, "too_many_holds") as caught:
            self.hold(shop, room, 5)
        assert caught.value.details == {"maximum": 5}
        assert shop.sessions() == before
        # Others are not concerned, nor is who comes from nowhere.
        self.hold(shop, room, 6, "203.0.113.8")
        shop.hold(room, shop.at(10, "11:30"))
        # One that is cancelled, paid or over makes room for another.
        shop.cancel(held[0])
        self.hold(shop, room, 11)
        shop.lapse(held[1])
        self.hold(shop, room, 12)
        shop.move(held[2], "confirmed")
        self.hold(shop, room, 13)
        with refused(429, "too_many_holds"):
            self.hold(shop, room, 14)

    def test_a_calendar_may_allow_more_or_fewer(self, shop: Shop, room: str) -> None:
        shop.set_calendar(holds_per_address=1)
        self.hold(shop, room, 0)
        with refused(429, "too_many_holds") as caught:
            self.hold(shop, room, 1)
        assert caught.value.details == {"maximum": 1}
        shop.set_calendar(holds_per_address=2)
        self.hold(shop, room, 1)

    def test_another_calendar_counts_for_itself(self, shop: Shop, room: str) -> None:
        for turn in range(5):
            self.hold(shop, room, turn)
        second = shop.insert("calendars", slug=f"{shop.slug}-2", name="Second")
        shop.insert("calendar_rooms", calendar_id=second["id"], room_id=room)
        other = Shop(shop.venue, shop.location_id, str(second["id"]), second["slug"], shop.zone)
        assert self.hold(other, room, 7)["status"] == "held"

    def test_the_address_is_stored_nowhere_and_its_hash_only_while_it_holds(
        self, shop: Shop, room: str
    ) -> None:
        held = self.hold(shop, room, 0)
        places = shop.house.owner_sql(
            "select table_schema || '.' || table_name as name"
            " from information_schema.tables where table_type = 'BASE TABLE'"
            " and table_schema in ('public', 'private')"
        )
        for place in places:
            found = shop.house.one(
                f"select count(*) from {place['name']} as t where strpos(t::text, %s) > 0",
                "203.0.113.7",
            )
            assert found == 0, place["name"]
        noted = "select count(*) from private.hold_addresses where organization_id = %s"
        assert shop.house.one(noted, shop.id) == 1
        shop.cancel(held)
        assert shop.house.one(noted, shop.id) == 0

    def test_what_is_confirmed_at_once_without_payment_counts_too(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_room(room, deposit_kind="none")
        for turn in range(5):
            assert self.hold(shop, room, turn)["status"] == "confirmed"
        with refused(429, "too_many_holds"):
            self.hold(shop, room, 5)


class TestExclusive:
    def test_a_party_takes_all_seats(self, shop: Shop, shared: str, start: datetime) -> None:
        held = shop.book(shared, start, 3, exclusive=True)
        assert (held["seats"], held["exclusive"], held["party_size"]) == (8, True, 3)
        assert held["total_cents"] == 12_000
        (session,) = shop.sessions()
        assert (session["capacity"], session["seats_taken"]) == (8, 8)
        with refused(409, "slot_taken"):
            shop.hold(shared, start, party_size=1)
        shop.cancel(held)
        assert shop.hold(shared, start, party_size=1)["seats"] == 1

    def test_only_while_nobody_is_there(self, shop: Shop, shared: str, start: datetime) -> None:
        first = shop.hold(shared, start, party_size=1)
        with refused(409, "slot_taken"):
            shop.book(shared, start, 3, exclusive=True)
        (session,) = shop.sessions()
        assert session["seats_taken"] == 1
        shop.lapse(first)
        assert shop.book(shared, start, 3, exclusive=True)["seats"] == 8


class TestStock:
    def test_the_stock_of_a_session_is_sold_once(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(price_per="person", stock_per_session=5, price_cents=0)
        first = shop.hold(shared, start, party_size=2, extras=[taking(mask)])
        with refused(409, "extra_sold_out") as caught:
            shop.hold(shared, start, party_size=4, extras=[taking(mask)])
        assert caught.value.details == {"extra_id": mask, "left": 3}
        shop.hold(shared, start, party_size=3, extras=[taking(mask)])
        with refused(409, "extra_sold_out") as caught:
            shop.quote(shared, start, 1, extras=[taking(mask)])
        assert caught.value.details == {"extra_id": mask, "left": 0}
        # Another session has its own, and who goes frees what he had.
        shop.hold(shared, shop.at(3, "13:00"), party_size=5, extras=[taking(mask)])
        shop.cancel(first)
        shop.hold(shared, start, party_size=2, extras=[taking(mask)])

    def test_a_lapsed_hold_has_none(self, shop: Shop, shared: str, start: datetime) -> None:
        mask = shop.add_extra(stock_per_session=1)
        shop.lapse(shop.book(shared, start, extras=[taking(mask)]))
        assert len(shop.book(shared, start, extras=[taking(mask)])["extras"]) == 1

    def test_nor_has_one_that_was_never_paid(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1)
        unpaid = shop.book(shared, start, extras=[taking(mask)])
        shop.move(unpaid, "pending")
        with refused(409, "extra_sold_out"):
            shop.quote(shared, start, 2, extras=[taking(mask)])
        shop.lapse(unpaid)
        assert len(shop.book(shared, start, extras=[taking(mask)])["extras"]) == 1

    def test_more_than_there_ever_are(
        self, shop: Shop, room: str, start: datetime, unchanged: Callable[[], None]
    ) -> None:
        mask = shop.add_extra(stock_per_session=0, price_cents=0)
        unchanged()
        with refused(409, "extra_sold_out"):
            shop.hold(room, start, extras=[taking(mask)])

    def test_what_was_booked_is_not_deleted(self, shop: Shop, room: str, start: datetime) -> None:
        photo = shop.add_extra()
        shop.book(room, start, extras=[taking(photo)])
        with refused(409, "23503"):
            shop.venue.owner.change("delete from public.extras where id = %s", photo)


class TestCouponUses:
    def use(self, shop: Shop, room: str, turn: int, **values: Any) -> Row:
        return shop.hold(
            room, shop.at(3 + turn, "11:30"), total=4_500, coupon_code="VERANO", **values
        )

    def test_a_use_is_free_again_when_its_booking_ends(self, shop: Shop, room: str) -> None:
        shop.add_coupon(maximum_uses=1)
        self.use(shop, room, 1)
        with refused(422, "coupon_max_uses"):
            self.use(shop, room, 2)
        shop.cancel(self.use_of(shop))
        lapsed = self.use(shop, room, 3)
        shop.lapse(lapsed)
        third = self.use(shop, room, 4)
        # The hold whose time was over is over for good: its use is somebody else's.
        assert [h["to_status"] for h in shop.history(lapsed)] == ["held", "expired"]
        shop.move(third, "confirmed")
        with refused(422, "coupon_max_uses"):
            self.use(shop, room, 5)

    def use_of(self, shop: Shop) -> Row:
        (row,) = shop.house.owner_sql(
            "select b.reference, private.derived_token('booking', b.id::text) as manage_token"
            " from public.coupon_redemptions as r join public.bookings as b"
            " on b.organization_id = r.organization_id and b.id = r.booking_id"
            " where r.organization_id = %s",
            shop.id,
        )
        return row

    def test_one_person_may_use_it_so_often(
        self, shop: Shop, room: str, unchanged: Callable[[], None]
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        self.use(shop, room, 1)
        self.use(shop, room, 2, customer=OTHER)
        unchanged()
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, room, 3, customer={**GUEST, "email": "ANA@example.test"})

    def test_a_stranger_who_types_an_address_uses_up_nothing_of_its_owner_s(
        self, shop: Shop, unpaid_room: str
    ) -> None:
        shop.add_coupon(maximum_uses=3, maximum_uses_per_customer=1)
        where = unpaid_room
        typed = self.use(shop, where, 1, by=at(shop, "192.0.2.1"))
        assert typed["status"] == "confirmed"
        # Nor twice from the same place, whoever the stranger is.
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, where, 2, by=at(shop, "192.0.2.1"))
        self.use(shop, where, 2, by=at(shop, "192.0.2.2"))
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, where, 3, by=at(shop, "192.0.2.2"))
        # All that stand are uses of the coupon, whosever they are.
        self.use(shop, where, 3, by=at(shop, "192.0.2.3"), customer=OTHER)
        with refused(422, "coupon_max_uses"):
            self.use(shop, where, 4, by=at(shop, "192.0.2.4"))

    @pytest.mark.parametrize("status", ["held", "pending"])
    def test_one_address_pays_from_several_networks_at_once_no_more_discounted_bookings(
        self, shop: Shop, room: str, status: str
    ) -> None:
        """What waits for its payment counts wherever it came from, and by itself not for long."""
        shop.add_coupon(maximum_uses_per_customer=1)
        first = self.use(shop, room, 1, by=at(shop, "192.0.2.1"))
        if status == "pending":
            shop.move(first, "pending")
        for network in ("192.0.2.2", "192.0.2.3"):
            with refused(422, "coupon_max_uses_per_customer"):
                self.use(shop, room, 2, by=at(shop, network))
        shop.lapse(first)
        second = self.use(shop, room, 2, by=at(shop, "192.0.2.2"))
        shop.pay(second, 2 * PRICE * 9 // 10)
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, room, 3, by=at(shop, "192.0.2.3"))

    def test_who_has_proven_the_address_is_not_told_of_a_stranger_s_booking(
        self, shop: Shop, unpaid_room: str
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        self.use(shop, unpaid_room, 1, by=at(shop, "192.0.2.1"))
        mine = shop.house.sign_up("ana").sending(x_forwarded_for="192.0.2.2")
        self.use(shop, unpaid_room, 2, by=mine)
        # What she has booked signed in is hers, wherever she asks next.
        for by in (mine.sending(x_forwarded_for="192.0.2.3"), at(shop, "192.0.2.4")):
            with refused(422, "coupon_max_uses_per_customer"):
                self.use(shop, unpaid_room, 3, by=by)

    @pytest.mark.parametrize("how", ["paid", "came", "clicked", "by staff"])
    def test_what_turned_out_to_be_the_person_s_is_a_use_wherever_it_came_from(
        self, shop: Shop, unpaid_room: str, how: str
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        if how == "by staff":
            shop.venue.owner.call(
                "create_booking", organization_id=shop.id, room_id=unpaid_room,
                starts_at=shop.at(1), party_size=2, customer=GUEST, coupon_code="VERANO",
                idempotency_key="telephone",
            )  # fmt: skip
        else:
            held = self.use(shop, unpaid_room, 1, by=at(shop, "192.0.2.1"))
            booking = shop.id_of(held)
            if how == "paid":
                shop.pay(held, 100)
            elif how == "came":
                shop.house.owner_sql(
                    "insert into private.vouched_bookings (organization_id, booking_id)"
                    " values (%s, %s)", shop.id, booking,
                )  # fmt: skip
            else:
                shop.house.owner_sql(
                    "insert into private.booking_confirmations"
                    " (organization_id, booking_id, token_hash, confirmed_at)"
                    " values (%s, %s, sha256('x'), now())", shop.id, booking,
                )  # fmt: skip
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, unpaid_room, 2, by=at(shop, "192.0.2.2"))

    def test_a_booking_forgets_from_where_its_coupon_came_when_it_is_paid_or_over(
        self, shop: Shop, unpaid_room: str, room: str
    ) -> None:
        shop.add_coupon()
        noted = "select count(*) from private.coupon_addresses"
        cancelled = self.use(shop, unpaid_room, 1, by=at(shop, "192.0.2.1"))
        paid = self.use(shop, room, 1, by=at(shop, "192.0.2.1"), customer=OTHER)
        kept = self.use(shop, unpaid_room, 2, by=at(shop, "192.0.2.1"))
        assert kept["status"] == "confirmed"
        assert shop.house.one(noted) == 3
        shop.house.nobody.call(
            "cancel_booking",
            reference=cancelled["reference"],
            manage_token=cancelled["manage_token"],
        )
        assert shop.house.one(noted) == 2
        shop.pay(paid, 100)
        shop.move(paid, "confirmed")
        assert shop.house.one(noted) == 1
        # One that staff confirm unpaid keeps it, whatever others have paid.
        unpaid = self.use(shop, room, 3, by=at(shop, "192.0.2.5"), customer=OTHER)
        shop.move(unpaid, "confirmed")
        assert shop.house.one(noted) == 2

    @pytest.mark.parametrize(("status", "counts"), [("no_show", False), ("checked_in", True)])
    def test_a_stranger_who_never_came_has_used_up_nothing_of_the_address_s_owner(
        self, shop: Shop, unpaid_room: str, status: str, counts: bool
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        typed = self.use(shop, unpaid_room, 1, by=at(shop, "192.0.2.1"))
        shop.move(typed, status)
        if not counts:
            self.use(shop, unpaid_room, 2, by=at(shop, "192.0.2.2"))
            return
        with refused(422, "coupon_max_uses_per_customer"):
            self.use(shop, unpaid_room, 2, by=at(shop, "192.0.2.2"))

    def test_what_others_did_makes_no_stranger_s_booking_the_address_s_owner_s(
        self, shop: Shop, unpaid_room: str
    ) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        theirs = self.use(
            shop, unpaid_room, 1, by=at(shop, "192.0.2.9"),
            customer={**GUEST, "email": "third@example.test"},
        )  # fmt: skip
        shop.pay(theirs, 100)
        vouched = "select count(*) from private.vouched_bookings where booking_id = %s"
        assert shop.house.one(vouched, shop.id_of(theirs)) == 1
        shop.house.owner_sql(
            "insert into private.booking_confirmations"
            " (organization_id, booking_id, token_hash, confirmed_at)"
            " values (%s, %s, sha256('x'), now())",
            shop.id,
            shop.id_of(theirs),
        )
        self.use(shop, unpaid_room, 2, by=at(shop, "192.0.2.1"))
        self.use(shop, unpaid_room, 3, by=at(shop, "192.0.2.2"))

    def test_staff_use_it_for_somebody_new(self, shop: Shop, room: str) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        self.use(shop, room, 1)
        booked = shop.venue.owner.call(
            "create_booking",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(2),
            party_size=2,
            customer=OTHER,
            coupon_code="VERANO",
            idempotency_key="telephone",
        )
        assert booked["total_cents"] == 2 * PRICE * 9 // 10

    def test_a_lapsed_hold_of_the_same_person_is_no_use(self, shop: Shop, room: str) -> None:
        shop.add_coupon(maximum_uses_per_customer=1)
        shop.lapse(self.use(shop, room, 1))
        self.use(shop, room, 2)

    def test_one_that_was_never_paid_is_no_use(self, shop: Shop, room: str) -> None:
        shop.add_coupon(maximum_uses=1)
        unpaid = self.use(shop, room, 1)
        shop.move(unpaid, "pending")
        with refused(422, "coupon_max_uses"):
            self.use(shop, room, 2)
        shop.lapse(unpaid)
        self.use(shop, room, 2)
        entry = shop.history(unpaid)[-1]
        assert (entry["to_status"], entry["reason"]) == ("expired", "payment_overdue")

    def test_a_lapsed_hold_with_money_on_it_counts_until_it_is_swept(
        self, shop: Shop, room: str
    ) -> None:
        shop.add_coupon(maximum_uses=1)
        lapsed = self.use(shop, room, 1)
        shop.pay(lapsed, 100)
        shop.lapse(lapsed)
        with refused(422, "coupon_max_uses"):
            self.use(shop, room, 2)
        shop.house.service.call("service.sweep")
        self.use(shop, room, 2)


class TestVoucher:
    def test_one_that_covers_what_is_due_confirms_at_once(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher(6_000)
        held = shop.book(room, start, voucher_code=made["code"])
        assert (held["status"], held["hold_expires_at"]) == ("confirmed", None)
        assert [h["to_status"] for h in shop.history(held)] == ["held", "confirmed"]
        assert shop.look(held)["paid_cents"] == 5_000
        assert shop.voucher(made)["balance_cents"] == 1_000
        entries = shop.venue.owner.select(
            "select e.kind, e.amount_cents, p.method, p.amount_cents as paid"
            " from public.voucher_entries as e left join public.payments as p"
            " on p.organization_id = e.organization_id and p.id = e.payment_id order by e.id"
        )
        assert [tuple(e.values()) for e in entries] == [
            ("issued", 6_000, None, None), ("redeemed", -5_000, "voucher", 5_000),
        ]  # fmt: skip

    def test_it_may_cover_the_deposit_and_more(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_room(room, deposit_kind="percent", deposit_value=30)
        made = shop.add_voucher(2_000)
        held = shop.book(room, start, voucher_code=made["code"])
        assert (held["status"], held["due_now_cents"]) == ("confirmed", 1_500)
        assert shop.look(held)["paid_cents"] == 2_000

    def test_one_that_does_not_leaves_the_rest_to_pay(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher(2_000)
        held = shop.book(room, start, voucher_code=made["code"])
        assert held["status"] == "held"
        assert shop.voucher(made)["balance_cents"] == 0
        shop.venue.owner.call(
            "record_payment", organization_id=shop.id, booking_id=shop.id_of(held),
            method="cash", amount_cents=3_000, idempotency_key="rest",
        )  # fmt: skip
        assert shop.look(held)["status"] == "confirmed"

    def test_where_nothing_costs_nothing_is_taken(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.set_room(room, price_cents=0)
        made = shop.add_voucher(2_000)
        assert shop.book(room, start, voucher_code=made["code"])["status"] == "confirmed"
        assert shop.voucher(made)["balance_cents"] == 2_000

    def test_cancelling_gives_back_what_the_terms_say(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=1, refund_percent=40)
        made = shop.add_voucher(5_000)
        held = shop.book(room, start, voucher_code=made["code"])
        shop.cancel(held)
        assert shop.voucher(made)["balance_cents"] == 2_000
        seen = shop.look(held)
        assert (seen["paid_cents"], seen["refunded_cents"]) == (5_000, 2_000)
        (refund,) = shop.venue.owner.select("select * from public.refunds")
        assert (refund["method"], refund["amount_cents"]) == ("voucher", 2_000)
        requests = shop.house.owner_sql(
            "select status from private.refund_requests where organization_id = %s", shop.id
        )
        assert requests == [{"status": "succeeded"}]

    def test_a_lapsed_hold_gives_back_all_of_it(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=1, refund_percent=0)
        made = shop.add_voucher(2_000)
        held = shop.book(room, start, voucher_code=made["code"])
        shop.lapse(held)
        shop.house.service.call("service.sweep")
        assert shop.look(held)["status"] == "expired"
        assert shop.voucher(made)["balance_cents"] == 2_000

    def test_what_a_cancelled_voucher_paid_is_given_back_by_hand(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher(6_000)
        held = shop.book(room, start, voucher_code=made["code"])
        owner = shop.venue.owner
        owner.call("cancel_voucher", organization_id=shop.id, voucher_id=made["id"])
        shop.cancel(held)
        assert shop.voucher(made)["balance_cents"] == 0
        (waits,) = owner.call("get_pending_refunds", organization_id=shop.id)
        assert (waits["method"], waits["by_hand"], waits["amount_cents"]) == (
            "voucher",
            True,
            5_000,
        )
        handed_over = {
            "organization_id": shop.id,
            "refund_request_id": waits["refund_request_id"],
            "idempotency_key": "by hand",
        }
        with refused(422, "method_invalid"):
            owner.call("record_refund", **handed_over)
        done = owner.call("record_refund", **handed_over, method="transfer")
        assert (done["method"], done["refunded_cents"]) == ("transfer", 5_000)
        assert owner.call("get_pending_refunds", organization_id=shop.id) == []
        assert shop.voucher(made)["balance_cents"] == 0

    def end_voucher(self, shop: Shop, made: Row, days: int) -> date:
        """Let its last date be so many days from today at the venue."""
        last: date = shop.house.one(
            "update public.vouchers as v"
            " set valid_until = (now() at time zone l.timezone)::date + %s"
            " from public.locations as l where l.id = %s and v.id = %s returning valid_until",
            days,
            shop.location_id,
            made["id"],
        )
        return last

    def test_an_expired_voucher_lives_on_with_what_comes_back_to_it(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher(6_000)
        held = shop.book(room, start, voucher_code=made["code"])
        yesterday = self.end_voucher(shop, made, -1)
        shop.cancel(held)
        back = shop.voucher(made)
        assert (back["balance_cents"], back["valid_until"]) == (
            6_000,
            yesterday + timedelta(days=91),
        )
        assert shop.quote(room, start, voucher_code=made["code"])["voucher_cents"] == 5_000

    @pytest.mark.parametrize("days", [0, 1])
    def test_a_voucher_that_has_not_expired_keeps_its_end(
        self, shop: Shop, room: str, start: datetime, days: int
    ) -> None:
        made = shop.add_voucher(6_000)
        held = shop.book(room, start, voucher_code=made["code"])
        last = self.end_voucher(shop, made, days)
        shop.cancel(held)
        assert shop.voucher(made)["valid_until"] == last

    def test_a_voucher_without_an_end_gets_none(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        made = shop.add_voucher(6_000)
        shop.cancel(shop.book(room, start, voucher_code=made["code"]))
        assert shop.voucher(made)["valid_until"] is None

    def test_where_two_venues_have_two_dates_the_later_one_counts(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        """Expired is what is so at each of them, and the 90 days are full ones at each."""
        insert(shop.venue.owner, "locations", name="West", timezone="Pacific/Pago_Pago")
        insert(shop.venue.owner, "locations", name="East", timezone="Pacific/Kiritimati")
        west, east = (
            shop.house.one(f"select (now() at time zone '{zone}')::date")
            for zone in ("Pacific/Pago_Pago", "Pacific/Kiritimati")
        )
        made = shop.add_voucher(6_000)
        for last, kept in (
            (west, west),
            (west - timedelta(days=1), east + timedelta(days=90)),
        ):
            held = shop.book(room, start, voucher_code=made["code"])
            shop.house.owner_sql(
                "update public.vouchers set valid_until = %s where id = %s", last, made["id"]
            )
            shop.cancel(held)
            assert shop.voucher(made)["valid_until"] == kept

    def test_of_mixed_money_the_provider_s_goes_back_first_and_cash_last(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        shop.insert("room_cancellation_tiers", room_id=room, hours_before=1, refund_percent=50)
        made = shop.add_voucher(2_000)
        held = shop.book(room, start, voucher_code=made["code"])
        shop.pay(held, 3_000)
        shop.move(held, "confirmed")
        shop.cancel(held)
        assert shop.voucher(made)["balance_cents"] == 2_000
        waiting = shop.house.owner_sql(
            "select q.amount_cents from private.refund_requests as q where q.organization_id = %s"
            " and q.status = 'pending'",
            shop.id,
        )
        assert waiting == [{"amount_cents": 500}]

    def test_a_balance_below_zero_cannot_be_stored(self, shop: Shop) -> None:
        made = shop.add_voucher(100)
        with pytest.raises(Exception, match="vouchers_balance_is_never_negative"):
            shop.house.owner_sql(
                "insert into public.voucher_entries (organization_id, voucher_id, kind,"
                " amount_cents) values (%s, %s, 'cancelled', -101)",
                shop.id,
                made["id"],
            )
        assert shop.voucher(made)["balance_cents"] == 100

    def test_entries_are_never_changed(self, shop: Shop) -> None:
        shop.add_voucher()
        for statement in (
            "update public.voucher_entries set amount_cents = 1",
            "delete from public.voucher_entries",
            "truncate public.voucher_entries",
        ):
            with pytest.raises(Exception, match="append-only"):
                shop.house.owner_sql(statement)


class TestComingBack:
    """A booking that lapsed and whose money comes late takes its place again, with all it had."""

    def settle(self, shop: Shop, booking: Row, cents: int) -> str:
        shop.house.owner_sql(
            "select private.receive_payment(row(organization_id, null, id, 'cash', %s, currency,"
            " null, null, now(), null, null, null, 0)::public.payments)"
            " from public.bookings where organization_id = %s and reference = %s",
            cents,
            shop.id,
            booking["reference"],
        )
        return str(shop.look(booking)["status"])

    def lapse(self, shop: Shop, booking: Row) -> None:
        shop.lapse(booking)
        shop.house.service.call("service.sweep")

    def test_it_is_confirmed_when_all_of_it_is_still_free(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1, price_cents=0)
        shop.add_coupon(maximum_uses=1)
        held = shop.book(shared, start, extras=[taking(mask)], coupon_code="VERANO")
        self.lapse(shop, held)
        assert self.settle(shop, held, 4_500) == "confirmed"

    def test_it_is_paid_back_when_somebody_has_the_extra(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1, price_cents=0)
        held = shop.book(shared, start, extras=[taking(mask)])
        self.lapse(shop, held)
        shop.book(shared, start, extras=[taking(mask)])
        assert self.settle(shop, held, 5_000) == "expired"
        assert [s["seats_taken"] for s in shop.sessions() if s["status"] == "scheduled"] == [2]
        assert refund_reasons(shop, held) == ["paid_late"]

    def test_it_is_paid_back_when_somebody_has_the_coupons_last_use(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        shop.add_coupon(maximum_uses=1)
        held = shop.book(shared, start, coupon_code="VERANO")
        self.lapse(shop, held)
        shop.book(shared, shop.at(4, "11:30"), coupon_code="VERANO")
        assert self.settle(shop, held, 4_500) == "expired"
        assert [s["status"] for s in shop.sessions()] == ["cancelled", "scheduled"]
        assert refund_reasons(shop, held) == ["paid_late"]


class TestPricedAgain:
    """The seam by which a booking is changed: its options, priced again and taken again."""

    def booking(self, shop: Shop, room: str, start: datetime, **options: Any) -> str:
        return shop.id_of(shop.book(room, start, **options))

    def options(self, shop: Shop, booking_id: str) -> Row:
        found: Row = shop.house.one(
            "select jsonb_strip_nulls(to_jsonb(private.booking_options(b)))"
            " from public.bookings as b"
            " where b.organization_id = %s and b.id = %s",
            shop.id,
            booking_id,
        )
        return found

    def quote(self, shop: Shop, room: str, start: datetime, party: int, options: Row) -> Row:
        found: Row = shop.house.one(
            "select to_jsonb(private.quote(%s, private.offered_slot(c, r, %s, %s),"
            " jsonb_populate_record(null::private.booking_request, %s)))"
            " from public.calendars as c, public.rooms as r where c.id = %s and r.id = %s",
            shop.id,
            start,
            party,
            Jsonb(options),
            shop.calendar_id,
            room,
        )
        return found

    def retake(self, shop: Shop, booking_id: str, quote: Row, options: Row) -> None:
        shop.house.owner_sql(
            "with b as (select private.locked_booking(%s, %s) as b) select from b,"
            " private.drop_options(b.b, %s)",
            shop.id,
            booking_id,
            options.get("coupon_code"),
        )
        shop.house.owner_sql(
            "update public.bookings set total_cents = %s, tax_cents = %s, due_now_cents = %s"
            " where organization_id = %s and id = %s",
            quote["total_cents"],
            quote["tax_cents"],
            quote["due_now_cents"],
            shop.id,
            booking_id,
        )
        shop.house.owner_sql(
            "with b as (select private.locked_booking(%s, %s) as b) select from b,"
            " private.take_options(b.b, jsonb_populate_record(null::public.quote, %s),"
            " jsonb_populate_record(null::private.booking_request, %s))",
            shop.id,
            booking_id,
            Jsonb(quote),
            Jsonb(options),
        )

    def test_its_options_are_those_that_it_was_made_with(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        photo, mask = shop.add_extra(), shop.add_extra(maximum_quantity=3, position=1)
        shop.add_coupon()
        voucher = shop.add_voucher(1_000)
        booking = self.booking(
            shop, shared, start, exclusive=True, coupon_code="verano",
            voucher_code=voucher["code"], extras=[taking(mask, 3), taking(photo)],
        )  # fmt: skip
        options = self.options(shop, booking)
        who = "select id::text from public.customers where organization_id = %s"
        assert options.pop("customer_id") == shop.house.one(who, shop.id)
        assert options == {
            "booking_id": booking,
            "calendar_id": shop.calendar_id,
            "locale": "es",
            "exclusive": True,
            "extras": [taking(photo), taking(mask, 3)],
            "coupon_code": "VERANO",
            "voucher_code": voucher["code"],
        }

    def test_a_plain_booking_has_hardly_any(self, shop: Shop, room: str, start: datetime) -> None:
        options = self.options(shop, self.booking(shop, room, start))
        assert set(options) == {"booking_id", "calendar_id", "customer_id", "locale", "exclusive"}

    def test_its_own_uses_do_not_stand_in_its_way(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1)
        coupon = shop.add_coupon(maximum_uses=1, maximum_uses_per_customer=1)
        voucher = shop.add_voucher(1_000)
        booking = self.booking(
            shop, shared, start, extras=[taking(mask)], coupon_code="VERANO",
            voucher_code=voucher["code"],
        )  # fmt: skip
        # Nobody would get any of it now.
        change(shop.venue.owner, "extras", {"is_active": False}, id=mask)
        shop.venue.owner.call(
            "set_coupon_status", organization_id=shop.id, coupon_id=coupon["id"], status="inactive"
        )
        shop.venue.owner.call("cancel_voucher", organization_id=shop.id, voucher_id=voucher["id"])

        options = self.options(shop, booking)
        quote = self.quote(shop, shared, start, 4, options)
        assert [o["total_cents"] for o in quote["lines"]] == [4 * PRICE, 500, -1_050]
        assert quote["voucher_cents"] == 1_000
        self.retake(shop, booking, quote, options)
        self.retake(shop, booking, quote, options)

        lines = shop.house.owner_sql(
            "select total_cents from public.booking_lines where booking_id = %s order by position",
            booking,
        )
        assert [o["total_cents"] for o in lines] == [4 * PRICE, 500, -1_050]
        assert self.options(shop, booking) == options
        for table, count in (("booking_extras", 1), ("coupon_redemptions", 1), ("payments", 1)):
            assert shop.venue.count(table) == count, table

    def test_somebody_elses_are_still_in_the_way(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1)
        shop.add_coupon(maximum_uses=1)
        self.booking(shop, shared, start, extras=[taking(mask)], coupon_code="VERANO")
        other = self.booking(shop, shared, start, customer=OTHER)
        options = self.options(shop, other)
        with refused_inside("extra_sold_out"):
            self.quote(shop, shared, start, 2, {**options, "extras": [taking(mask)]})
        with refused_inside("coupon_max_uses"):
            self.quote(shop, shared, start, 2, {**options, "coupon_code": "VERANO"})

    def test_under_the_lock_it_is_looked_at_again(
        self, shop: Shop, shared: str, start: datetime
    ) -> None:
        mask = shop.add_extra(stock_per_session=1)
        shop.add_coupon(maximum_uses=1)
        other = self.booking(shop, shared, start, customer=OTHER)
        with_mask = {**self.options(shop, other), "extras": [taking(mask)]}
        with_coupon = {**self.options(shop, other), "coupon_code": "VERANO"}
        quotes = [self.quote(shop, shared, start, 2, o) for o in (with_mask, with_coupon)]
        self.booking(shop, shared, start, extras=[taking(mask)], coupon_code="VERANO")
        with refused_inside("extra_sold_out"):
            self.retake(shop, other, quotes[0], with_mask)
        with refused_inside("coupon_max_uses"):
            self.retake(shop, other, quotes[1], with_coupon)

    def test_an_extra_that_was_deleted_meanwhile_is_not_stored(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        booking = self.booking(shop, room, start)
        photo = shop.add_extra()
        options = {**self.options(shop, booking), "extras": [taking(photo)]}
        quote = self.quote(shop, room, start, 2, options)
        shop.venue.owner.change("delete from public.extras where id = %s", photo)
        with refused_inside("extra_not_found"):
            self.retake(shop, booking, quote, options)

    def test_the_voucher_pays_what_the_change_costs_more(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        voucher = shop.add_voucher(20_000)
        booking = self.booking(shop, room, start, voucher_code=voucher["code"])
        options = self.options(shop, booking)
        quote = self.quote(shop, room, start, 5, options)
        assert quote["voucher_cents"] == quote["total_cents"] == 5 * PRICE
        self.retake(shop, booking, quote, options)
        assert shop.voucher(voucher)["balance_cents"] == 20_000 - 5 * PRICE

    def test_a_price_that_staff_set_stays_with_its_reason(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        booking = self.booking(shop, room, start)
        options = {
            **self.options(shop, booking), "price_cents": 1_234, "override_reason": "A friend",
        }  # fmt: skip
        quote = self.quote(shop, room, start, 3, options)
        (line,) = quote["lines"]
        assert (line["quantity"], line["unit_cents"]) == (1, 1_234)
        self.retake(shop, booking, quote, options)
        assert self.options(shop, booking) == options
        (kept,) = shop.venue.owner.select("select * from public.price_overrides")
        assert (kept["price_cents"], kept["reason"]) == (1_234, "A friend")

    @pytest.mark.parametrize("price", [-1, 100_000_001])
    def test_a_price_that_is_none(self, shop: Shop, room: str, start: datetime, price: int) -> None:
        with refused_inside("price_invalid"):
            self.quote(shop, room, start, 2, {"price_cents": price})

    def test_an_extra_stays_behind_when_the_other_room_has_it_not(
        self, shop: Shop, room: str, start: datetime
    ) -> None:
        mask = shop.add_extra(all_rooms=False)
        shop.insert("extra_rooms", extra_id=mask, room_id=room)
        booking = self.booking(shop, room, start, extras=[taking(mask)])
        other = shop.add_room()
        shop.open_on(other, "10:00", "22:00")
        with refused_inside("extra_not_found"):
            self.quote(shop, other, start, 2, self.options(shop, booking))


class TestStaff:
    def test_a_voucher_with_an_address_is_mailed_once(self, shop: Shop) -> None:
        said: Row = {
            "recipient_email": " Bea@Example.test ", "recipient_name": "Bea", "message": "¡Hola!",
            "valid_until": "2090-01-01", "idempotency_key": "gift", "locale": "ca",
        }  # fmt: skip
        made = shop.add_voucher(5_000, **said)
        assert shop.add_voucher(5_000, **said) == made
        assert made["recipient_email"] == "bea@example.test"
        assert (made["balance_cents"], made["currency"], made["locale"]) == (5_000, "EUR", "ca")
        (job,) = shop.house.owner_sql(
            "select payload from private.jobs where organization_id = %s and kind = 'email.send'",
            shop.id,
        )
        assert job["payload"] == {
            "template": "voucher_issued", "organization_id": shop.id, "voucher_id": made["id"],
        }  # fmt: skip
        with refused(422, "idempotency_key_reused"):
            shop.add_voucher(5_001, **said)
        assert shop.add_voucher(1)["locale"] == "es"
        assert shop.venue.count("vouchers") == 2

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"amount_cents": 0}, "amount_cents"),
            ({"amount_cents": None}, "amount_cents"),
            ({"amount_cents": 100_000_001}, "amount_cents"),
            ({"valid_until": "2020-01-01"}, "valid_until"),
            ({"valid_until": "infinity"}, "valid_until"),
            ({"recipient_name": None}, "recipient_name"),
            ({"recipient_name": "x" * 201}, "recipient_name"),
            ({"recipient_name": "a\nBcc: b"}, "recipient_name"),
            ({"recipient_email": "bea"}, "recipient_email"),
            ({"message": "x" * 1001}, "message"),
            ({"message": None}, "message"),
            ({"locale": "fr"}, "locale"),
        ],
    )
    def test_a_voucher_that_makes_no_sense(self, shop: Shop, values: Row, field: str) -> None:
        with refused(422, "voucher_invalid") as caught:
            shop.add_voucher(**values)
        assert caught.value.details == {"field": field}
        assert shop.venue.count("vouchers") == 0

    def test_a_cancelled_voucher_is_worth_nothing(self, shop: Shop, house: House) -> None:
        made = shop.add_voucher(500)
        mine: Row = {"organization_id": shop.id, "voucher_id": made["id"]}
        gone = shop.venue.owner.call("cancel_voucher", **mine)
        assert (gone["status"], gone["balance_cents"]) == ("cancelled", 0)
        assert shop.venue.owner.call("cancel_voucher", **mine) == gone
        other = open_shop(house, "Other")
        theirs = other.add_voucher()
        with refused(404, "voucher_not_found"):
            shop.venue.owner.call(
                "cancel_voucher", organization_id=shop.id, voucher_id=theirs["id"]
            )
        assert other.voucher(theirs)["balance_cents"] == 10_000

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"code": "ab"}, "code"),
            ({"code": "ñ!"}, "code"),
            ({"code": "A" * 33}, "code"),
            ({"code": None}, "code"),
            ({"kind": "half"}, "kind"),
            ({"kind": None}, "kind"),
            ({"value": 0}, "value"),
            ({"value": 101}, "value"),
            ({"kind": "fixed", "value": 100_000_001}, "value"),
            ({"value": None}, "value"),
            ({"description": None}, "description"),
            ({"description": "x" * 301}, "description"),
            ({"minimum_cents": -1}, "minimum_cents"),
            ({"minimum_cents": None}, "minimum_cents"),
            ({"valid_from": "-infinity"}, "valid_from"),
            ({"valid_until": "infinity"}, "valid_until"),
            ({"valid_from": "2030-01-02", "valid_until": "2030-01-01"}, "valid_until"),
            ({"maximum_uses": 0}, "maximum_uses"),
            ({"maximum_uses_per_customer": 0}, "maximum_uses_per_customer"),
        ],
    )
    def test_a_coupon_that_makes_no_sense(self, shop: Shop, values: Row, field: str) -> None:
        with refused(422, "coupon_invalid") as caught:
            shop.add_coupon(**({"code": "VERANO"} | values))
        assert caught.value.details == {"field": field}
        assert shop.venue.count("coupons") == 0

    def test_a_coupon_for_rooms(self, shop: Shop, room: str, house: House) -> None:
        made = shop.add_coupon(" ve-rano 10 ", room_ids=[room, room])
        assert (made["code"], made["all_rooms"], made["status"]) == ("VERANO10", False, "active")
        assert shop.venue.count("coupon_rooms") == 1
        foreign = open_shop(house, "Other").add_room()
        with refused(404, "room_not_found"):
            shop.add_coupon("OTHER", room_ids=[room, foreign])
        for none in ([], [None]):
            with refused(422, "coupon_invalid"):
                shop.venue.owner.select(
                    "select public.create_coupon(%s, 'OTHER', 'fixed', 1, room_ids => %s::uuid[])",
                    shop.id,
                    none,
                )
        with refused(409, "coupon_code_taken"):
            shop.add_coupon("Verano-10")
        assert shop.venue.count("coupons") == 1

    def test_a_coupon_s_status(self, shop: Shop, house: House) -> None:
        made = shop.add_coupon()
        theirs = open_shop(house, "Other").add_coupon()

        def switch(coupon: Row, status: str | None) -> Row:
            answer: Row = shop.venue.owner.call(
                "set_coupon_status", organization_id=shop.id, coupon_id=coupon["id"], status=status
            )
            return answer

        assert switch(made, "inactive")["status"] == "inactive"
        for status in ("held", None):
            with refused(422, "status_invalid"):
                switch(made, status)
        with refused(404, "coupon_not_found"):
            switch(theirs, "inactive")

    @pytest.mark.parametrize(
        ("table", "values", "constraint"),
        [
            ("price_tiers", {"minimum_party": 0}, "price_tiers_minimum_is_1_to_100"),
            ("price_tiers", {"price_cents": -1}, "price_tiers_price_is_0_to_1_million"),
            ("price_rules", {"weekdays": []}, "price_rules_weekdays_are_iso"),
            ("price_rules", {"weekdays": [8]}, "price_rules_weekdays_are_iso"),
            ("price_rules", {"kind": "half"}, "price_rules_kind_is_known"),
            ("price_rules", {"value": -101}, "price_rules_value_fits_its_kind"),
            ("price_rules", {"from_time": "24:00"}, "price_rules_times_are_of_a_day"),
            ("price_rules", {"priority": -1}, "price_rules_priority_is_0_to_1000"),
            (
                "price_rules",
                {"from_date": "2030-01-02", "until_date": "2030-01-01"},
                "price_rules_dates_are_finite_and_ordered",
            ),
            ("extras", {"names": Jsonb({})}, "extras_names_are_names_by_language"),
            ("extras", {"names": Jsonb({"fr": "x"})}, "extras_names_are_names_by_language"),
            ("extras", {"stock_per_session": -1}, "extras_stock_is_not_negative"),
            ("extras", {"maximum_quantity": 0}, "extras_maximum_quantity_is_1_to_100"),
        ],
    )
    def test_a_price_list_that_makes_no_sense(
        self, shop: Shop, room: str, table: str, values: Row, constraint: str
    ) -> None:
        sound: dict[str, Row] = {
            "price_tiers": {"room_id": room, "minimum_party": 2, "price_cents": 1},
            "price_rules": {"name": "x", "kind": "percent", "value": 10},
            "extras": {"names": Jsonb({"en": "x"}), "price_cents": 1},
        }
        with refused(400, "23514") as caught:
            shop.insert(table, **{**sound[table], **values})
        assert constraint in caught.value.message


def refund_reasons(shop: Shop, booking: Row) -> list[str]:
    return [
        row["reason"]
        for row in shop.house.owner_sql(
            "select reason from private.refund_requests where booking_id = %s", shop.id_of(booking)
        )
    ]


class refused_inside:  # noqa: N801 - reads as the promise `refused` does
    """The same as `refused`, for what other functions call, as the database raises it."""

    def __init__(self, code: str) -> None:
        self._raises = pytest.raises(Exception, match=code)

    def __enter__(self) -> object:
        return self._raises.__enter__()

    def __exit__(self, *error: object) -> bool:
        return bool(self._raises.__exit__(*error))  # type: ignore[arg-type]


def test_whoever_takes_the_place_of_a_lapsed_hold_returns_its_voucher_money(
    shop: Shop, room: str, start: datetime
) -> None:
    made = shop.add_voucher(2_000)
    held = shop.book(room, start, voucher_code=made["code"])
    shop.lapse(held)
    again = shop.book(room, start, customer=OTHER)
    assert again["status"] == "held"
    assert shop.voucher(made)["balance_cents"] == 2_000
    assert shop.look(held)["refunded_cents"] == 2_000
