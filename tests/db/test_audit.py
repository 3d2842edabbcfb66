"""The audit log: every change, by whom, in the same transaction, for good."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import SERVICE, Caller, Client, Refused
from db.booking_world import PRICE, open_shop
from db.changes_world import alter
from matrix.house import House, Venue
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


def entries(venue: Venue, table: str, action: str | None = None) -> list[dict[str, Any]]:
    """The tenant's log of a table, oldest first, as its owner reads it."""
    return venue.owner.select(
        "select * from public.audit_log"
        " where table_name = %s and action = coalesce(%s, action) order by id",
        table,
        action,
    )


def add_location(by: Client, name: str = "Sótano") -> str:
    """A location made past no function, as clients do it."""
    (row,) = by.select(
        "insert into public.locations (name, timezone) values (%s, 'Europe/Madrid')"
        " returning id::text",
        name,
    )
    return str(row["id"])


def add_customer(by: Client) -> str:
    """A customer of whom everything is known but a note."""
    (row,) = by.select(
        "insert into public.customers (email, full_name, phone, locale)"
        " values ('zoraida@example.test', 'Zoraida', '+34600111222', 'es') returning id::text"
    )
    return str(row["id"])


def test_an_insert_is_logged_with_actor_row_and_request(venue: Venue) -> None:
    ana = venue.hire("ana", "manager")

    location = add_location(ana.sending(x_request_id="req-1"))

    (entry,) = entries(venue, "locations")
    assert (entry["action"], entry["row_key"]) == ("insert", location)
    assert (entry["actor_kind"], str(entry["actor_id"])) == ("user", ana.id)
    assert entry["request_id"] == "req-1"
    assert entry["before"] is None
    assert entry["after"]["name"] == "Sótano"
    assert set(entry["after"]) >= {"id", "organization_id", "timezone", "created_at"}


def test_an_update_is_logged_with_the_changed_columns_only(venue: Venue) -> None:
    location = add_location(venue.owner)

    venue.owner.change("update public.locations set name = 'Torre', city = city")

    (entry,) = entries(venue, "locations", "update")
    assert entry["row_key"] == location
    assert entry["before"] == {"name": "Sótano"}
    assert entry["after"] == {"name": "Torre"}


def test_an_update_that_changes_nothing_is_not_logged(venue: Venue) -> None:
    add_location(venue.owner)
    venue.owner.change("update public.locations set name = name")
    assert entries(venue, "locations", "update") == []


def test_a_value_that_becomes_null_is_logged(venue: Venue) -> None:
    add_location(venue.owner)
    venue.owner.change("update public.locations set country = 'ES'")
    venue.owner.change("update public.locations set country = null")
    log = [(e["before"], e["after"]) for e in entries(venue, "locations", "update")]
    assert log == [
        ({"country": None}, {"country": "ES"}),
        ({"country": "ES"}, {"country": None}),
    ]


def test_a_delete_is_logged_with_the_whole_row(venue: Venue) -> None:
    location = add_location(venue.owner)

    venue.owner.change("delete from public.locations")

    (entry,) = entries(venue, "locations", "delete")
    assert (entry["row_key"], entry["after"]) == (location, None)
    assert entry["before"]["name"] == "Sótano"


def test_one_statement_logs_every_row_that_it_touched(venue: Venue) -> None:
    names = ["A", "B", "C"]
    for name in names:
        add_location(venue.owner, name)
    venue.owner.change("update public.locations set city = lower(name)")
    venue.owner.change("delete from public.locations where name <> 'A'")
    assert [e["after"]["city"] for e in entries(venue, "locations", "update")] == ["a", "b", "c"]
    assert {e["before"]["name"] for e in entries(venue, "locations", "delete")} == {"B", "C"}


def test_a_refused_change_leaves_no_trace(venue: Venue) -> None:
    with refused(400, "23514"):
        venue.owner.change(
            "insert into public.locations (name, timezone) values ('x', 'Europe/Nowhere')"
        )
    assert entries(venue, "locations") == []


def test_the_log_tells_users_keys_service_customers_and_system_apart(
    house: House, venue: Venue
) -> None:
    key, _ = venue.make_key(["rooms:create", "rooms:read"])
    queued = venue.owner.call("export_organization", organization_id=venue.id)
    add_location(key)
    with venue.exporting(queued["id"]) as lease:
        house.service.call("service.finish_export", **lease, object_path=None, row_count=None)
    house.owner_sql("update public.locations set city = 'x'")
    house.owner_sql("select private.act_as('customer', %s)", NOWHERE)
    house.owner_sql("update public.locations set city = 'y'")

    kinds = [
        (e["actor_kind"], None if e["actor_id"] is None else str(e["actor_id"]))
        for table in ("organization_exports", "locations")
        for e in entries(venue, table)
    ]
    assert kinds == [
        ("user", venue.owner.id),
        ("system", None),
        ("api_key", key.id),
        ("system", None),
        ("customer", NOWHERE),
    ]


def test_what_the_service_changes_is_logged_as_the_service_s(house: House, venue: Venue) -> None:
    add_location(venue.owner)
    # As inside a definer function that the service calls: the owner's rights, its claims.
    inside = Client(house.connection, Caller("postgres", SERVICE.claims))
    inside.change("update public.locations set city = 'z'")
    (entry,) = entries(venue, "locations", "update")
    assert (entry["actor_kind"], entry["actor_id"]) == ("service", None)


def test_a_member_is_no_visitor_because_somebody_else_is(house: House, venue: Venue) -> None:
    operator = house.sign_up("operator")
    house.admit_platform_admin(operator)
    foreign = house.open_venue("Foreign")
    for place in (venue, foreign):
        operator.call(
            "platform_enter_organization", organization_id=place.id, reason="A look at both"
        )
    home = house.open_venue("Own", operator)

    add_location(venue.owner)
    add_location(operator.at(home.id))
    add_location(operator.at(venue.id))

    assert [e["actor_kind"] for e in entries(venue, "locations")] == ["user", "support"]
    assert [e["actor_kind"] for e in entries(home, "locations")] == ["user"]


def test_a_permission_that_a_role_keeps_is_not_logged_as_a_change(venue: Venue) -> None:
    role = venue.make_role("Night", ["users:read", "rooms:read"])
    made = len(entries(venue, "role_permissions"))
    venue.owner.call(
        "set_role_permissions",
        organization_id=venue.id,
        role_id=role,
        permissions=["users:read", "bookings:read"],
    )
    log = [(e["action"], e["row_key"]) for e in entries(venue, "role_permissions")[made:]]
    assert log == [("delete", f"{role}/rooms:read"), ("insert", f"{role}/bookings:read")]


def test_every_tenant_table_is_logged(house: House) -> None:
    missing = house.owner_sql(
        """
        select t.name, w.trigger
        from (select private.tenant_tables() union select 'organizations') as t (name)
        cross join unnest(array['audit_insert', 'audit_update', 'audit_delete']) as w (trigger)
        where t.name not in ('audit_log', 'audit_log_personal')
          -- What one person was told of entries that are there, and whether they read it.
          and t.name <> 'notifications'
          -- Written by triggers alone, from rows that are logged, and never changed.
          and t.name <> 'ledger_entries'
          -- Their rows say what was inserted, and when.
          and not (w.trigger = 'audit_insert' and t.name in ('booking_history', 'booking_lines'))
          and not exists (
            select from pg_trigger as g
            where g.tgrelid = ('public.' || quote_ident(t.name))::regclass
              and g.tgname = w.trigger
              and g.tgenabled = 'O'
          )
        """
    )
    assert missing == []


def test_rows_with_several_key_columns_are_named_by_all_of_them(venue: Venue) -> None:
    role = venue.make_role("Night", ["users:read"])
    keys = [e["row_key"] for e in entries(venue, "role_permissions") if role in e["row_key"]]
    assert keys == [f"{role}/users:read"]
    assert entries(venue, "organizations")[0]["row_key"] == venue.id


def test_no_secret_is_in_the_log(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"])
    _, token = venue.invite("ana@example.test", venue.role("manager"))
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    log = json.dumps(
        house.owner_sql(
            "select before, after from public.audit_log"
            " union all select before, after from public.audit_log_personal"
        )
    )
    for text in (secret, token, code):
        assert text not in log


def test_a_last_use_is_not_a_change_worth_a_line(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"])
    house.service.call("service.exchange_api_key", secret=secret, address="x")
    assert entries(venue, "api_keys", "update") == []


@pytest.mark.parametrize(
    "statement",
    [
        "update public.audit_log set action = 'insert'",
        "delete from public.audit_log",
        "truncate public.audit_log",
        "update public.audit_log_personal set after = null",
        "delete from public.audit_log_personal",
        "truncate public.audit_log_personal",
    ],
)
def test_the_log_is_append_only_for_everyone(house: House, venue: Venue, statement: str) -> None:
    add_customer(venue.owner)
    tables = ("audit_log", "audit_log_personal")
    before = [venue.count(table) for table in tables]
    for client in (venue.owner, house.service, house.nobody):
        with pytest.raises(Exception, match="42501"):
            client.change(statement)
    with pytest.raises(Exception, match="append-only"):
        house.owner_sql(statement)
    with pytest.raises(Exception, match="append-only"), house.connection.transaction():
        house.connection.execute(statement.encode())
    assert [venue.count(table) for table in tables] == before


@pytest.mark.parametrize(
    "change",
    [
        "audit_log set action = 'delete'",
        "audit_log set after = after",
        "audit_log_personal set id = id + 1000",
        "audit_log_personal set before = '{\"x\": 1}'",
        "audit_log_personal set after = after || '{\"x\": 1}'",
        "audit_log_personal set after = after - 'phone'",
    ],
)
def test_while_a_person_is_erased_values_in_images_change_and_nothing_else(
    house: House, venue: Venue, change: str
) -> None:
    foreign = house.open_venue("Foreign")
    for place in (venue, foreign):
        add_customer(place.owner)
    house.owner_sql("select set_config('escapemaster.erasing_customer', %s, true)", venue.id)
    house.owner_sql(
        "update public.audit_log_personal set after = after || '{\"phone\": null}'"
        " where organization_id = %s",
        venue.id,
    )
    with pytest.raises(Exception, match="append-only"):
        house.owner_sql(f"update public.{change} where organization_id = %s", venue.id)
    with pytest.raises(Exception, match="append-only"):
        house.owner_sql(
            "update public.audit_log_personal set after = after where organization_id = %s",
            foreign.id,
        )


def test_nobody_writes_lines_of_their_own(venue: Venue) -> None:
    with refused(403, "42501"):
        venue.owner.change(
            "insert into public.audit_log"
            " (organization_id, actor_kind, action, table_name, row_key)"
            " values (%s, 'system', 'insert', 'x', 'x')",
            venue.id,
        )


def test_the_log_is_read_with_audit_read_and_by_the_own_tenant_only(
    house: House, venue: Venue
) -> None:
    foreign = house.open_venue("Foreign")
    for role in ("manager", "receptionist", "game_master"):
        assert venue.hire(f"by_{role}", role).select("select from public.audit_log") == []
    seen = venue.hire("adam", "admin").select("select organization_id::text from public.audit_log")
    assert {row["organization_id"] for row in seen} == {venue.id}
    for person in (foreign.owner, foreign.owner.at(venue.id), house.sign_up("player")):
        assert {
            str(row["organization_id"])
            for row in person.select("select organization_id from public.audit_log")
        } <= {foreign.id}


def row_at(venue: Venue, table: str, key: str, at: datetime) -> Any:
    return venue.owner.call(
        "get_row_at", organization_id=venue.id, table_name=table, row_key=key, at=at
    )


def test_a_row_is_shown_as_it_was_at_any_time(house: House, venue: Venue) -> None:
    def now() -> datetime:
        instant: datetime = house.one("select clock_timestamp()")
        return instant

    before = now()
    location = add_location(venue.owner, "First")
    first = now()
    venue.owner.change("update public.locations set name = 'Second', country = 'ES'")
    venue.owner.change("update public.locations set country = null")
    second = now()
    venue.owner.change("delete from public.locations")
    gone = now()

    assert row_at(venue, "locations", location, before) is None
    assert row_at(venue, "locations", location, first)["name"] == "First"
    then = row_at(venue, "locations", location, second)
    assert (then["name"], then["country"], then["timezone"]) == ("Second", None, "Europe/Madrid")
    assert row_at(venue, "locations", location, gone) is None


def test_a_row_that_is_its_own_log_is_shown_as_it_was_without_an_entry_of_its_insert(
    house: House,
) -> None:
    def now() -> datetime:
        instant: datetime = house.one("select clock_timestamp()")
        return instant

    shop = open_shop(house, "Own log")
    room = shop.add_room()
    shop.open_on(room, "10:00", "12:00")
    before = now()
    booking = shop.hold(room, shop.at(1, "10:00"))
    held = now()
    venue = shop.venue
    [line] = venue.owner.select("select * from public.booking_lines")
    [first, *_] = venue.owner.select("select * from public.booking_history order by occurred_at")
    written = venue.owner.select(
        "select distinct table_name from public.audit_log where occurred_at > %s", before
    )
    assert {"bookings", "sessions"} <= {row["table_name"] for row in written}
    assert entries(venue, "booking_lines") == entries(venue, "booking_history") == []

    alter(shop, booking, party_size=3)
    changed = now()
    [gone] = entries(venue, "booking_lines")
    assert (gone["action"], gone["row_key"]) == ("delete", str(line["id"]))
    for table, row in (("booking_lines", line), ("booking_history", first)):
        key = str(row["id"])
        assert row_at(venue, table, key, before) is None
        assert row_at(venue, table, key, held)["booking_id"] == str(row["booking_id"])
    assert row_at(venue, "booking_lines", str(line["id"]), held)["total_cents"] == 2 * PRICE
    assert row_at(venue, "booking_lines", str(line["id"]), changed) is None
    assert row_at(venue, "booking_history", str(first["id"]), changed)["to_status"] == "held"
    house.owner_sql(
        "update public.booking_history set to_status = 'pending' where id = %s", first["id"]
    )
    then = row_at(venue, "booking_history", str(first["id"]), changed)
    assert then["to_status"] == "held"
    assert row_at(venue, "booking_history", str(first["id"]), now())["to_status"] == "pending"
    assert row_at(venue, "booking_lines", "no id", changed) is None
    personal = "select count(*) from private.personal_columns where relation = any (%s)"
    own = [f"public.{name}" for name in house.one("select private.own_logs()")]
    assert house.one(personal, own) == 0


@pytest.mark.parametrize("table", ["no_such_table", "pg_class", "audit_log", "Locations", "", None])
def test_a_table_that_the_log_does_not_know_is_no_row_that_never_was(
    house: House, venue: Venue, table: str | None
) -> None:
    arguments = {"table_name": table, "row_key": "x", "at": house.one("select now()")}
    with refused(404, "table_not_found"):
        venue.owner.call("get_row_at", organization_id=venue.id, **arguments)
    with refused(403, "permission_denied"):
        venue.hire("mary", "manager").call("get_row_at", organization_id=venue.id, **arguments)


def test_a_row_s_past_is_its_own(house: House, venue: Venue) -> None:
    one, two = add_location(venue.owner, "One"), add_location(venue.owner, "Two")
    # Something else with the same id: ids are unique in a table and no further.
    venue.owner.change("insert into public.calendars (slug, name) values ('c', 'Calendar')")
    house.connection.execute("set local session_replication_role = replica")
    house.connection.execute(
        "update public.audit_log set row_key = %s where table_name = 'calendars'", [one]
    )
    house.connection.execute("set local session_replication_role = origin")
    now = house.one("select clock_timestamp()")

    assert row_at(venue, "locations", one, now)["name"] == "One"
    assert row_at(venue, "locations", two, now)["name"] == "Two"
    assert row_at(venue, "calendars", one, now)["name"] == "Calendar"


def test_a_row_s_past_is_read_with_audit_read_only(house: House, venue: Venue) -> None:
    location = add_location(venue.owner)
    foreign = house.open_venue("Foreign")
    now = house.one("select clock_timestamp()")
    for person in (venue.hire("mary", "manager"), foreign.owner, foreign.owner.at(venue.id)):
        with refused(403, "permission_denied"):
            person.call(
                "get_row_at",
                organization_id=venue.id,
                table_name="locations",
                row_key=location,
                at=now,
            )
    assert (
        foreign.owner.call(
            "get_row_at",
            organization_id=foreign.id,
            table_name="locations",
            row_key=location,
            at=now,
        )
        is None
    )


def test_a_join_code_s_changes_are_logged_and_its_hash_is_not(venue: Venue) -> None:
    here = {"organization_id": venue.id}
    for function in ("rotate_join_code", "rotate_join_code", "disable_join_code"):
        venue.owner.call(function, **here)
    venue.owner.call("get_join_code", **here)
    entries = venue.owner.select(
        "select actor_kind, action, before, after from public.audit_log"
        " where table_name = 'join_codes' order by id"
    )
    assert [(e["actor_kind"], e["action"], e["after"]) for e in entries] == [
        ("user", "insert", {"version": 1, "is_enabled": True}),
        ("user", "update", {"version": 2, "is_enabled": True}),
        ("user", "update", {"version": 2, "is_enabled": False}),
    ]


def with_permissions(venue: Venue, *permissions: str) -> Client:
    """Somebody who holds these permissions and no others."""
    return venue.hire("reader", venue.make_role("Reader", permissions))


def images(by: Client, table: str) -> list[tuple[Any, Any]]:
    """A table's images before and after, oldest first, with what a reader may lay over them."""
    return [
        (row["before"], row["after"])
        for row in by.select(
            "select l.before || coalesce(p.before, '{}') as before,"
            " l.after || coalesce(p.after, '{}') as after"
            " from public.audit_log as l"
            " left join public.audit_log_personal as p using (organization_id, id)"
            " where l.table_name = %s order by l.id",
            table,
        )
    ]


def add_voucher(venue: Venue) -> str:
    """A voucher for somebody, with nothing written to them; its id."""
    issued = venue.owner.call(
        "issue_voucher",
        organization_id=venue.id,
        amount_cents=5_000,
        recipient_name="Zoraida",
        recipient_email="zoraida@example.test",
        idempotency_key="one",
    )
    return str(issued["id"])


def test_what_a_customer_gave_is_null_in_the_log_without_customers_read(venue: Venue) -> None:
    voucher = add_voucher(venue)
    reader = with_permissions(venue, "audit:read", "vouchers:read")

    made = images(reader, "vouchers")[0]

    assert (made[1]["id"], made[1]["message"]) == (voucher, "")
    assert [made[1][column] for column in ("recipient_email", "recipient_name")] == [None] * 2
    assert reader.select("select * from public.audit_log_personal") == []


def test_who_may_not_read_a_table_sees_that_it_was_changed_and_by_whom(
    house: House, venue: Venue
) -> None:
    add_customer(venue.owner)
    add_voucher(venue)
    foreign = house.open_venue("Foreign")
    reader = with_permissions(venue, "audit:read")
    assert images(reader, "customers") == images(reader, "vouchers") == []

    changes = "select * from public.get_changes(%s, %s, %s)"
    whole = reader.select(changes, venue.id, None, 1000)

    logged = {
        (row["id"], row["table_name"], row["actor_id"])
        for row in venue.owner.select("select id, table_name, actor_id from public.audit_log")
    }
    assert {(row["id"], row["table_name"], row["actor_id"]) for row in whole} == logged
    assert {"customers", "vouchers"} <= {row["table_name"] for row in whole}
    assert set(whole[0]) == {
        "id", "occurred_at", "actor_kind", "actor_id", "action", "table_name",
    }  # fmt: skip
    assert reader.select(changes, venue.id, whole[0]["id"], 2) == whole[1:3]
    for person in (venue.hire("mary", "manager"), foreign.owner, foreign.owner.at(venue.id)):
        with refused(403, "permission_denied"):
            person.select(changes, venue.id, None, 1)


def test_with_both_permissions_the_log_shows_whole_rows(venue: Venue) -> None:
    add_customer(venue.owner)
    venue.owner.change("update public.customers set phone = null, full_name = 'Zoe'")

    made, renamed = images(with_permissions(venue, "audit:read", "customers:read"), "customers")

    assert (made[1]["full_name"], made[1]["phone"]) == ("Zoraida", "+34600111222")
    assert made[1]["email"] == "zoraida@example.test"
    assert renamed == (
        {"full_name": "Zoraida", "phone": "+34600111222"},
        {"full_name": "Zoe", "phone": None},
    )


def test_whoever_reads_customers_reads_no_earlier_values_of_theirs_without_audit_read(
    house: House, venue: Venue
) -> None:
    add_customer(venue.owner)
    foreign = house.open_venue("Foreign")
    for person in (
        with_permissions(venue, "customers:read"),
        venue.hire("mary", "manager"),
        foreign.owner,
        foreign.owner.at(venue.id),
        house.nobody,
    ):
        with suppress(Refused):
            assert person.select("select * from public.audit_log_personal") == []
    assert venue.count("audit_log_personal") == 1


def test_an_entry_without_a_customer_s_words_has_no_second_row(venue: Venue) -> None:
    add_location(venue.owner)
    add_customer(venue.owner)
    venue.owner.change("update public.customers set locale = 'en'")
    assert len(entries(venue, "customers")) == 2
    assert venue.count("audit_log_personal") == 1


def test_a_row_s_past_shows_what_a_customer_gave_with_customers_read_only(
    house: House, venue: Venue
) -> None:
    voucher = add_voucher(venue)
    asked = {
        "organization_id": venue.id,
        "table_name": "vouchers",
        "row_key": voucher,
        "at": house.one("select clock_timestamp()"),
    }
    whole = venue.owner.call("get_row_at", **asked)
    assert whole["recipient_name"] == "Zoraida"
    assert whole["recipient_email"] == "zoraida@example.test"

    masked = with_permissions(venue, "audit:read", "vouchers:read").call("get_row_at", **asked)
    assert masked == whole | {"recipient_email": None, "recipient_name": None}


def test_each_personal_column_is_kept_apart_whoever_writes_the_entry(
    house: House, venue: Venue
) -> None:
    """Generated over the list: a column that is added to it cannot be forgotten here."""
    listed = [
        (str(row["name"]), str(row["column_name"]))
        for row in house.owner_sql(
            "select split_part(relation, '.', 2) as name, column_name from private.personal_columns"
            " where split_part(relation, '.', 2) in (select table_name from private.log_readers)"
        )
    ]
    assert len(listed) > 20
    for name, column in listed:
        for value in ("Zoraida", {"game": "Zoraida"}, ["Zoraida"], 7, False):
            image = Jsonb({column: value, "kept": 1})
            house.owner_sql(
                "insert into public.audit_log (organization_id, actor_kind, action, table_name,"
                " row_key, before, after) values (%s, 'system', 'update', %s, 'x', %s, %s)",
                venue.id,
                name,
                image,
                image,
            )
            masked = {column: None, "kept": 1}
            assert (entries(venue, name)[-1]["before"], entries(venue, name)[-1]["after"]) == (
                masked,
                masked,
            ), (name, column)
            whole = {column: value, "kept": 1}
            assert images(venue.owner, name)[-1] == (whole, whole), (name, column)
    reading = [f"{what}:read" for what in ("audit", "bookings", "payments", "vouchers", "waivers")]
    log = str(with_permissions(venue, *reading).select("select * from public.audit_log"))
    assert "kept" in log and "Zoraida" not in log
