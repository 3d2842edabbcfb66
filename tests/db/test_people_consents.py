"""What customers agreed to: kept with time and wording, and taken back."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from db.booking_world import GUEST, Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def booking(shop: Shop) -> Row:
    room = shop.add_room()
    shop.open_on(room, "12:00", "22:00")
    return shop.hold(room, shop.at(1))


def record(shop: Shop, booking: Row, consents: Any, locale: str = "es") -> None:
    shop.house.owner_sql(
        "select private.record_consents(b.organization_id, b.customer_id, b.id, %s, %s, true)"
        " from public.bookings as b where b.id = %s",
        Jsonb(consents),
        locale,
        shop.id_of(booking),
    )


def latest(shop: Shop) -> Row:
    found: Row = shop.house.one(
        "select to_jsonb(private.latest_consents(organization_id, id)) from public.customers"
        " where organization_id = %s",
        shop.id,
    )
    return spoken_of(found)


def withdraw(shop: Shop, booking: Row, kind: str | None = "marketing") -> Row:
    left: Row = shop.visitor.call(
        "withdraw_consent",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        kind=kind,
    )
    return spoken_of(left)


def spoken_of(consents: Row) -> Row:
    """Without the kinds of which nothing was ever said."""
    assert consents.keys() == {"terms", "privacy", "marketing"}
    return {kind: consent for kind, consent in consents.items() if consent is not None}


NEWS = {"kind": "marketing", "granted": True, "wording": "Send me news"}
TERMS = {"kind": "terms", "granted": True, "wording": "The terms"}


def test_a_consent_is_kept_with_wording_language_time_and_booking(shop: Shop, booking: Row) -> None:
    record(shop, booking, [NEWS, TERMS], "en")
    rows = shop.venue.owner.select(
        "select kind, granted, wording, locale, booking_id::text, occurred_at is not null as timed"
        " from public.customer_consents order by kind"
    )
    common = {"locale": "en", "booking_id": shop.id_of(booking), "timed": True}
    assert rows == [{**NEWS, **common}, {**TERMS, **common}]


def test_the_latest_of_a_kind_counts_and_none_is_lost(shop: Shop, booking: Row) -> None:
    record(shop, booking, [NEWS])
    record(shop, booking, [{"kind": "marketing", "granted": False}])
    assert latest(shop)["marketing"]["granted"] is False
    record(shop, booking, [{**NEWS, "wording": "Other news"}])
    assert latest(shop)["marketing"]["wording"] == "Other news"
    assert shop.venue.count("customer_consents") == 3


def test_nothing_said_is_nothing_kept(shop: Shop, booking: Row) -> None:
    record(shop, booking, [])
    shop.house.owner_sql(
        "select private.record_consents(organization_id, customer_id, id, null, 'es', true)"
        " from public.bookings"
    )
    assert latest(shop) == {}


@pytest.mark.parametrize(
    ("consents", "field"),
    [
        ({"kind": "terms"}, "consents"),
        (["terms"], "consents"),
        ("terms", "consents"),
        ([{"granted": True, "wording": "x"}], "kind"),
        ([{**NEWS, "kind": "cookies"}], "kind"),
        ([NEWS, NEWS], "kind"),
        ([{"kind": "terms", "wording": "x"}], "granted"),
        ([{**NEWS, "granted": "true"}], "granted"),
        ([{"kind": "terms", "granted": True}], "wording"),
        ([{**NEWS, "wording": " "}], "wording"),
        ([{**NEWS, "wording": 7}], "wording"),
        ([{**NEWS, "wording": "x" * 20_001}], "wording"),
    ],
)
def test_what_is_no_consent_is_refused(shop: Shop, booking: Row, consents: Any, field: str) -> None:
    with pytest.raises(Exception, match="consents_invalid") as caught:
        record(shop, booking, consents)
    assert f'"field": "{field}"' in str(caught.value)
    assert shop.venue.count("customer_consents") == 0


class TestWithdrawing:
    def test_a_customer_takes_a_consent_back_with_the_booking_s_link(
        self, shop: Shop, booking: Row
    ) -> None:
        record(shop, booking, [NEWS, TERMS, {**NEWS, "kind": "privacy"}])

        left = withdraw(shop, booking)

        assert {kind: c["granted"] for kind, c in left.items()} == {
            "marketing": False,
            "terms": True,
            "privacy": True,
        }
        assert withdraw(shop, booking, "privacy")["privacy"]["granted"] is False
        (entry, _) = shop.venue.owner.select(
            "select actor_kind, actor_id::text, after ->> 'booking_id' as booking"
            " from public.audit_log where table_name = 'customer_consents'"
            " and after ->> 'granted' = 'false' order by id"
        )
        assert entry["actor_kind"] == "customer"
        assert entry["booking"] == shop.id_of(booking)

    def test_taking_back_twice_or_what_was_never_given_writes_nothing(
        self, shop: Shop, booking: Row
    ) -> None:
        assert withdraw(shop, booking) == {}
        record(shop, booking, [NEWS])
        assert withdraw(shop, booking) == withdraw(shop, booking)
        assert shop.venue.count("customer_consents") == 2

    @pytest.mark.parametrize("kind", ["terms", "x", "", None])
    def test_only_what_can_be_taken_back_is(
        self, shop: Shop, booking: Row, kind: str | None
    ) -> None:
        record(shop, booking, [TERMS])
        with refused(422, "consent_kind_invalid"):
            withdraw(shop, booking, kind)
        assert latest(shop)["terms"]["granted"] is True

    def test_it_takes_the_link(self, shop: Shop, booking: Row) -> None:
        record(shop, booking, [NEWS])
        with refused(404, "booking_not_found"):
            withdraw(shop, {**booking, "manage_token": "x"})
        assert latest(shop)["marketing"]["granted"] is True


def test_nobody_writes_or_changes_a_consent_otherwise(shop: Shop, booking: Row) -> None:
    record(shop, booking, [NEWS])
    for statement in (
        "update public.customer_consents set granted = false",
        "delete from public.customer_consents",
        "truncate public.customer_consents",
    ):
        with refused(403, "42501"):
            shop.venue.owner.change(statement)
        with pytest.raises(Exception, match="append-only"):
            shop.house.owner_sql(statement)
    shop.house.owner_sql("select set_config('escapemaster.merging', %s, true)", shop.id)
    with pytest.raises(Exception, match="append-only"):
        shop.house.owner_sql("update public.customer_consents set granted = false")
    shop.house.owner_sql("select set_config('escapemaster.merging', '', true)")
    assert latest(shop)["marketing"]["granted"] is True


def test_consents_are_read_by_who_may_see_customers_of_the_own_tenant(
    shop: Shop, booking: Row, house: House
) -> None:
    record(shop, booking, [NEWS])
    read = "select from public.customer_consents"
    foreign = house.open_venue("Foreign")
    assert len(shop.venue.hire("desk", "receptionist").select(read)) == 1
    for person in (
        shop.venue.hire("gm", "game_master"),
        foreign.owner,
        foreign.owner.at(shop.id),
        house.sign_up("player").at(shop.id),
    ):
        assert person.select(read) == []


def test_a_consent_is_one_venue_s(shop: Shop, booking: Row, house: House) -> None:
    """The same customer id in another tenant is another person."""
    record(shop, booking, [NEWS])
    foreign = open_shop(house, "Foreign")
    customer = shop.house.one(
        "select id from public.customers where organization_id = %s and email = %s",
        shop.id,
        GUEST["email"],
    )
    house.owner_sql(
        "insert into public.customers (organization_id, id, email, full_name, locale)"
        " values (%s, %s, 'twin@example.test', 'Twin', 'es')",
        foreign.id,
        customer,
    )
    assert house.one("select private.latest_consents(%s, %s) is null", foreign.id, customer)
