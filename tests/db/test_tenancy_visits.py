"""What a visit of the platform's support opens ends with it; what a member made is shown."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from client import Client, Refused
from db.booking_world import Shop, open_shop
from db.test_tenancy_platform import enter, expire
from matrix.expectations import expectations
from matrix.house import House, Venue
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def venue(shop: Shop) -> Venue:
    return shop.venue


@pytest.fixture
def operator(house: House) -> Client:
    person = house.sign_up("operator")
    house.admit_platform_admin(person)
    return person


def give_links(shop: Shop, by: Client) -> dict[str, Any]:
    """A feed and a kiosk, with the functions that read them."""
    feed = by.call("create_calendar_feed", organization_id=shop.id, name="Feed")
    kiosk = by.call(
        "create_waiver_kiosk", organization_id=shop.id, location_id=shop.location_id, name="Kiosk"
    )
    return {"get_calendar_feed": feed["token"], "get_waiver_kiosk": kiosk["token"]}


def answering(house: House, links: dict[str, Any]) -> set[str]:
    found = set()
    for function, token in links.items():
        with suppress(Refused):
            house.nobody.call(function, token=token)
            found.add(function)
    return found


BOTH = {"get_calendar_feed", "get_waiver_kiosk"}


def test_all_that_the_page_says_ends_with_a_visit_is_tried_here() -> None:
    ending = {name for name, fate in expectations().visits.items() if fate == "ends"}
    assert ending == {"public.create_calendar_feed", "public.create_waiver_kiosk"}


@pytest.mark.parametrize("end", ["time", "operator", "tenant", "another visit"])
def test_feeds_and_kiosks_of_a_visit_end_with_it(
    house: House, shop: Shop, operator: Client, end: str
) -> None:
    venue = shop.venue
    entry = enter(operator, venue, role="admin")
    links = give_links(shop, operator.at(venue.id))
    assert answering(house, links) == BOTH
    if end == "time":
        expire(house, venue, operator)
    elif end != "another visit":
        by = operator if end == "operator" else venue.owner
        by.call("end_support_entry", organization_id=venue.id, support_entry_id=entry["id"])
    # Coming again opens none of them.
    enter(operator, venue, role="admin")
    assert answering(house, links) == set()


def test_a_member_s_feeds_and_kiosks_outlive_every_visit(
    house: House, shop: Shop, operator: Client
) -> None:
    links = give_links(shop, shop.venue.owner)
    enter(operator, shop.venue, role="admin")
    expire(house, shop.venue, operator)
    assert answering(house, links) == BOTH


def test_an_operator_who_is_hired_after_a_visit_makes_what_stays(
    house: House, shop: Shop, operator: Client
) -> None:
    venue = shop.venue
    enter(operator, venue, role="admin")
    expire(house, venue, operator)
    venue.admit(operator, "operator@example.test", "admin")
    assert answering(house, give_links(shop, operator.at(venue.id))) == BOTH


@pytest.mark.parametrize("role", ["admin", "manager", "receptionist", "game_master"])
def test_a_visitor_makes_no_way_in_and_no_money(
    house: House, shop: Shop, operator: Client, role: str
) -> None:
    """Nor ends any: none of it would end with the visit."""
    venue = shop.venue
    empty, ana = venue.make_role("Empty", []), venue.hire("ana")
    venue.owner.call("rotate_join_code", organization_id=venue.id)
    venue.owner.call("remove_member", organization_id=venue.id, user_id=venue.hire("bea").id)
    (bar,) = venue.owner.select("select id from public.member_bars")
    enter(operator, venue, role=role)
    visitor, here = operator.at(venue.id), {"organization_id": venue.id}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("create_api_key", {"name": "K", "permissions": ["rooms:read"]}),
        ("invite_member", {"email": "x@example.test", "role_id": empty}),
        ("create_role", {"name": "R", "permissions": []}),
        ("set_role_permissions", {"role_id": empty, "permissions": []}),
        ("set_member_role", {"user_id": ana.id, "role_id": empty}),
        ("suspend_member", {"user_id": ana.id}),
        ("remove_member", {"user_id": ana.id}),
        ("lift_member_bar", {"bar_id": bar["id"]}),
        ("get_join_code", {}),
        ("rotate_join_code", {}),
        ("disable_join_code", {}),
        ("issue_voucher", {"amount_cents": 100, "idempotency_key": "visit"}),
        ("create_coupon", {"code": "FREE", "kind": "percent", "value": 100}),
        ("export_organization", {}),
        ("export_table", {"kind": "bookings"}),
        ("run_report", {"statement_id": empty}),
    ]
    for function, arguments in calls:
        with refused(403, "permission_denied"):
            visitor.call(function, **here, **arguments)
    # Not even as a booking's price.
    with refused(403, "permission_denied"):
        visitor.call(
            "create_booking", **here, room_id=shop.add_room(), starts_at=shop.at(2), party_size=2,
            customer={"full_name": "A friend"}, price_cents=0, override_reason="A gift",
            idempotency_key="visit",
        )  # fmt: skip
    assert (venue.count("vouchers"), venue.count("coupons"), venue.count("member_bars")) == (
        0,
        0,
        1,
    )


def test_a_visitor_takes_and_returns_no_money(shop: Shop, operator: Client) -> None:
    booking = shop.venue.owner.call(
        "create_booking", organization_id=shop.id, room_id=shop.add_room(), starts_at=shop.at(2),
        party_size=2, customer={"full_name": "A friend"}, idempotency_key="booking",
    )  # fmt: skip
    enter(operator, shop.venue, role="admin")
    money = {"organization_id": shop.id, "booking_id": booking["id"], "idempotency_key": "visit"}
    with refused(403, "permission_denied"):
        operator.at(shop.id).call("record_payment", **money, method="cash", amount_cents=2_000)
    with refused(403, "permission_denied"):
        operator.at(shop.id).call("refund_booking", **money, amount_cents=1, reason="A gift")


def test_a_visitor_gives_no_later_mail_another_link_or_other_words(
    shop: Shop, operator: Client
) -> None:
    """The links of mails carry what opens the booking, and every guest of later trusts them."""
    owner, evil = shop.venue.owner, "https://evil.example.test/book"
    shop.add_room()
    rule = "insert into public.message_rules (kind, minutes, review_url) values"
    owner.change(f"{rule} ('review_request', 60, 'https://reviews.example.test')")
    words = "insert into public.email_template_overrides (template, locale, body) values"
    owner.change(f"{words} ('booking_confirmed', 'es', 'Hola')")
    owner.change("update public.calendars set site_url = 'https://venue.example.test'")
    enter(operator, shop.venue, role="admin")
    visitor = operator.at(shop.id)
    for statement in (
        f"update public.calendars set site_url = '{evil}'",
        "update public.calendars set site_url = null",
        "update public.calendars set slug = 'another-slug'",
        f"insert into public.calendars (slug, name, site_url) values ('evil', 'Evil', '{evil}')",
        f"update public.message_rules set review_url = '{evil}' where kind = 'review_request'",
        f"{rule} ('review_request', 90, '{evil}')",
        "update public.organizations set contact_email = 'evil@example.test'",
        f"update public.organizations set website = '{evil}'",
        "update public.locations set phone = '+34600000000'",
        """update public.locations set directions = '{"es": "evil.example.test"}' """,
        """update public.locations set arrival_hints = '{"es": "evil.example.test"}' """,
        """insert into public.locations (name, timezone, directions)
        values ('Evil', 'Europe/Madrid', '{"es": "evil.example.test"}')""",
        "update public.organizations set phone = '+34600000000'",
        "update public.organizations set slug = 'another-venue'",
        "update public.organizations set legal_name = 'Evil SL'",
        "update public.organizations set tax_id = 'B12345678'",
        "update public.locations set address = 'Evil street 1'",
        "update public.locations set city = 'Vic'",
        "update public.locations set postal_code = '08500'",
        "update public.locations set province = 'Osona'",
        "update public.locations set country = 'AD'",
        "update public.locations set latitude = 41.9, longitude = 2.2",
        "update public.locations set tells_changes = true",
        *(
            f"insert into public.locations (name, timezone, {column})"
            f" values ('Evil', 'Europe/Madrid', {value})"
            for column, value in (
                ("phone", "'+34600000000'"),
                ("address", "'Evil street 1'"),
                ("city", "'Vic'"),
                ("postal_code", "'08500'"),
                ("province", "'Osona'"),
                ("country", "'AD'"),
                ("latitude, longitude", "41.9, 2.2"),
                ("tells_changes", "true"),
            )
        ),
        """update public.calendars set terms = '{"es": "No refunds"}' """,
        f"update public.rooms set video_url = '{evil}'",
    ):
        with refused(403, "refused_in_a_visit"):
            visitor.change(statement)
    with refused(403, "refused_in_a_visit"):
        visitor.call("publish_waiver", organization_id=shop.id, texts={"es": "Firmo"})
    # Nothing else needs templates:manage, so it rests.
    with refused(403, "42501"):
        visitor.change(f"{words} ('booking_held', 'es', 'Pay at {evil}')")
    for statement in (
        f"update public.email_template_overrides set body = 'Pay at {evil}'",
        "delete from public.email_template_overrides",
    ):
        assert visitor.change(statement) == 0
    # What support is for goes on.
    assert visitor.change("update public.calendars set name = 'New', site_url = site_url") == 1
    visitor.change("insert into public.calendars (slug, name) values ('second', 'B')")
    assert visitor.change("update public.locations set name = 'New', address = address") == 1
    visitor.change("insert into public.locations (name, timezone) values ('B', 'Europe/Madrid')")
    assert visitor.change("update public.rooms set video_url = video_url, color = '#112233'") == 1
    assert visitor.change("update public.message_rules set minutes = 61 where minutes = 60") == 1
    # The venue's own people change all of it, before and after.
    assert owner.change("update public.calendars set site_url = null, slug = slug || '-b'") == 2
    assert owner.change("update public.email_template_overrides set body = 'Bon dia'") == 1


def test_no_address_of_a_file_is_signed_that_overwrites_it_or_outlives_a_visit(
    shop: Shop, operator: Client
) -> None:
    """Storage tells its policies what it does, and asks them no more once an address is signed."""
    enter(operator, shop.venue, role="admin")

    def folder(client: Client, permission: str, operation: str) -> str | None:
        [row] = client.select(
            "select set_config('storage.operation', %s, true) as operation,"
            " private.folder_with(%s) as folder",
            f"storage.object.{operation}",
            permission,
        )
        found: str | None = row["folder"]
        return found

    visitor = operator.at(shop.id)
    for client in (shop.venue.owner, visitor):
        for operation in ("upload", "upload_update", "move"):
            assert folder(client, "documents:manage", operation) == shop.id
        assert folder(client, "documents:manage", "sign_upload_url") is None
        assert folder(client, "documents:read", "get_authenticated") == shop.id
    for operation in ("sign", "sign_many"):
        assert folder(shop.venue.owner, "documents:read", operation) == shop.id
        assert folder(visitor, "documents:read", operation) is None


def test_a_visitor_reads_no_code_that_is_worth_money(shop: Shop, operator: Client) -> None:
    """A code that was read in a visit pays after it; the bookings that it paid are there to see."""
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    coupon, voucher = shop.add_coupon("ONLYFRIENDS"), shop.add_voucher(500)
    options = {"coupon_code": coupon["code"], "voucher_code": voucher["code"]}
    booking = shop.book(room, shop.at(2, "10:00"), **options)
    enter(operator, shop.venue, role="admin")
    visitor = operator.at(shop.id)
    for table in ("coupons", "coupon_redemptions", "vouchers", "voucher_entries"):
        assert shop.venue.count(table)
        assert visitor.select(f"select * from public.{table}") == []
    seen = visitor.select("select reference from public.bookings")
    assert seen == [{"reference": booking["reference"]}]
    for table in ("bookings", "booking_lines", "payments", "audit_log"):
        rows = visitor.select(f"select to_jsonb(t)::text as row from public.{table} as t")
        assert rows
        assert not [row for row in rows if voucher["code"] in row["row"]]


def test_a_visit_of_one_venue_takes_nothing_from_whoever_works_in_another(
    house: House, shop: Shop, operator: Client
) -> None:
    """An address of a customer is the venue's own people's to change, wherever else they visit."""
    home = open_shop(house, "Home")
    home.venue.admit(operator, "operator@example.test", "admin")
    customers = "insert into public.customers (full_name, locale) values ('Bea', 'en')"
    change = "update public.customers set email = 'bea@example.test'"
    for place in (home, shop):
        place.venue.owner.change(customers)
    enter(operator, shop.venue, role="admin")
    operator.at(home.id).change(change)
    with refused(403, "refused_in_a_visit"):
        operator.at(shop.id).change(change)
    expire(house, shop.venue, operator)
    shop.venue.admit(operator, "operator@example.test", "admin")
    operator.at(shop.id).change(change)


def test_a_personal_feed_ends_with_the_membership_however_it_ends(
    house: House, venue: Venue
) -> None:
    """By removal, by leaving, by suspension, and when its time is over."""
    for how in ("remove", "leave", "suspend", "expire"):
        gil = venue.hire(f"gil_{how}")
        token = gil.call(
            "create_calendar_feed", organization_id=venue.id, name="Mine", user_id=gil.id
        )["token"]
        house.nobody.call("get_calendar_feed", token=token)
        if how == "leave":
            gil.call("leave_organization", organization_id=venue.id)
        elif how == "expire":
            house.owner_sql(
                "update public.memberships set expires_at = now() where user_id = %s", gil.id
            )
        else:
            venue.owner.call(f"{how}_member", organization_id=venue.id, user_id=gil.id)
        with refused(404, "feed_not_found"):
            house.nobody.call("get_calendar_feed", token=token)


def test_whoever_removes_a_member_is_shown_what_that_person_made(house: House, shop: Shop) -> None:
    venue = shop.venue
    adam = venue.hire("adam", "admin")
    give_links(shop, adam)
    give_links(shop, venue.owner)
    key = adam.call(
        "create_api_key", organization_id=venue.id, name="Till", permissions=["rooms:read"]
    )
    gone = adam.call(
        "create_api_key", organization_id=venue.id, name="Old", permissions=["rooms:read"]
    )
    adam.call("revoke_api_key", organization_id=venue.id, api_key_id=gone["id"])
    everything = [("api_key", "Till"), ("calendar_feed", "Feed"), ("waiver_kiosk", "Kiosk")]

    def listed(user_id: str | None) -> list[tuple[str, str]]:
        rows = venue.owner.select("select * from public.list_left_open(%s, %s)", venue.id, user_id)
        assert {str(row["made_by"]) for row in rows} <= {adam.id}
        return [(row["kind"], row["name"]) for row in rows]

    # Whoever works here left nothing.
    assert (listed(None), listed(adam.id)) == ([], everything)
    shown = venue.owner.select("select * from public.remove_member(%s, %s)", venue.id, adam.id)
    assert [(row["kind"], row["name"]) for row in shown] == everything
    assert (listed(None), listed(adam.id)) == (everything, everything)
    venue.owner.call("revoke_api_key", organization_id=venue.id, api_key_id=key["id"])
    assert listed(None) == everything[1:]
    with refused(403, "permission_denied"):
        venue.hire("mary", "manager").call("list_left_open", organization_id=venue.id)


def test_whoever_suspends_a_member_is_shown_what_that_person_made_and_ends_it_in_one_call(
    house: House, shop: Shop
) -> None:
    """Secrets that the person knows would go on opening the venue."""
    venue = shop.venue
    adam = venue.hire("adam", "admin")
    who = {"organization_id": venue.id, "user_id": adam.id}
    for maker in (adam, venue.owner):
        give_links(shop, maker)
        maker.call(
            "create_api_key", organization_id=venue.id, name="Till", permissions=["rooms:read"]
        )
        maker.call(
            "create_webhook_endpoint",
            organization_id=venue.id,
            name="Books",
            url="https://hooks.example.com/x",
            events=["booking.confirmed"],
        )
    everything = ["api_key", "calendar_feed", "waiver_kiosk", "webhook_endpoint"]

    def still_open(user_id: str) -> list[str]:
        rows = venue.owner.select("select * from public.list_left_open(%s, %s)", venue.id, user_id)
        return [row["kind"] for row in rows]

    with refused(409, "member_active"):
        venue.owner.call("end_left_open", **who)
    suspended = venue.owner.call("suspend_member", **who)
    assert suspended["status"] == "suspended"
    assert [item["kind"] for item in suspended["left_open"]] == everything
    with refused(403, "permission_denied"):
        adam.call("end_left_open", **who)
    # Who may suspend and no more ends nothing, and is told what is still open.
    lead = venue.hire("lead", venue.make_role("Lead", ["users:manage", "users:read"]))
    assert [item["kind"] for item in lead.call("end_left_open", **who)] == everything
    assert venue.owner.call("end_left_open", **who) == []
    assert venue.owner.call("end_left_open", **who) == []
    assert still_open(adam.id) == []
    assert still_open(venue.owner.id) == everything
    rows = house.owner_sql(
        "select is_active, disabled_reason from public.webhook_endpoints where created_by = %s",
        adam.id,
    )
    assert [tuple(row.values()) for row in rows] == [(False, "by_hand")]
    with refused(409, "member_active"):
        venue.owner.call("end_left_open", organization_id=venue.id, user_id=None)
