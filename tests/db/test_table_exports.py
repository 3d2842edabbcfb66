"""Exports of tables: what is in them, for whom, until when; their sums are the reports'."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import Row, Shop, open_shop
from db.exports_world import Exports, csv_rows, xlsx_rows
from db.money_world import Database, Venue
from db.test_money_ledger import CURRENCIES, STEPS, Life, selling
from db.test_reports_money import _SCATTER, MADRID, midnight, next_jump, report
from escapemaster.worker.tables import COLUMNS, shown, words
from matrix.house import House
from matrix.promises import refused

KINDS = {
    "bookings": "bookings:read",
    "payments": "payments:read",
    "customers": "customers:read",
    "waivers": "waivers:read",
    "results": "games:read",
}
#: Of what a spreadsheet runs, what a name may begin with.
FORMULA = "@SUM cmd"
EVIL = {"full_name": FORMULA, "email": "eva@example.test", "phone": "+34600111222"}
DRAWING = "M10 10L20 20 C1,2 3,4 5,6Z"


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def exports(shop: Shop) -> Exports:
    return Exports(shop.house.owner_sql, shop.house.service, shop.id)


def open_room(shop: Shop, name: str = "El faro") -> str:
    """One that starts games at any half hour."""
    room = shop.add_room(name=name, waiver_policy="optional")
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    return room


@pytest.fixture
def played(shop: Shop) -> Row:
    """A game that was played, paid and signed for by somebody with a dangerous name."""
    room = open_room(shop)
    shop.venue.owner.call(
        "publish_waiver", organization_id=shop.id, texts=Jsonb({"es": "Sí", "en": "Yes"})
    )
    booking = shop.hold(room, shop.at(1, "19:30"), customer=EVIL)
    shop.move(booking, "confirmed")
    shop.pay(booking, 1_234)
    shop.visitor.call(
        "sign_waiver",
        token=shop.look(booking)["waiver"]["token"],
        version=1,
        signer=Jsonb({"full_name": FORMULA}),
        minors=Jsonb([]),
        signature=DRAWING,
        idempotency_key="sign",
    )
    shop.move(booking, "checked_in")
    shop.move(booking, "completed")
    shop.venue.owner.call(
        "correct_game_result",
        organization_id=shop.id,
        booking_id=shop.id_of(booking),
        outcome="escaped",
        escape_seconds=3_130,
        reason="The clock stood still",
    )
    return booking


def officer(shop: Shop, name: str, *permissions: str) -> Client:
    """A member who may have files, and this."""
    role = shop.venue.make_role(name.title(), ["reports:export", *permissions])
    return shop.venue.hire(name, role)


def mail(exports: Exports, export: Row) -> Any:
    """What the mail about a file says now."""
    payload = {
        "template": "table_export_ready",
        "organization_id": exports.organization_id,
        "export_id": str(export["id"]),
    }
    content = "select private.table_export_content(%s, %s::jsonb) as content"
    (row,) = exports.ask(content, exports.organization_id, Jsonb(payload))
    return row["content"]


def put(exports: Exports, export: Row) -> None:
    exports.ask(
        "insert into storage.objects (bucket_id, name) values ('table-exports', %s) returning id",
        export["object_path"],
    )


def files(client: Client) -> list[str]:
    """Files of exports that somebody may fetch."""
    rows = client.select("select name from storage.objects where bucket_id = 'table-exports'")
    return [row["name"] for row in rows]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("locale", ["es", "en", "ca"])
def test_every_kind_is_written_in_both_forms_with_headings_in_the_asked_language(
    shop: Shop, exports: Exports, played: Row, kind: str, locale: str
) -> None:
    owner = shop.venue.owner
    everything = shown(kind, ["bookings:read", "customers:read", "payments:read", "rooms:read"])
    headings = [words()["columns"][column.key][locale] for column in everything]
    assert len(set(headings)) == len(headings)
    with exports.made(owner, kind, format="csv", locale=locale) as (row, path, _):
        assert (row["status"], row["progress"], row["row_count"]) == ("finished", 100, 1)
        assert row["expires_at"] - row["finished_at"] == timedelta(hours=72)
        (found,) = csv_rows(path)
        assert list(found) == headings
        assert FORMULA not in found.values()
        assert any(value == f"'{FORMULA}" for value in found.values()) or kind == "results"
    with exports.made(owner, kind, format="xlsx", locale=locale) as (_, path, _pages):
        first, second = xlsx_rows(path)
        assert [text for _, text in first] == headings
        assert {type_ for type_, _ in (*first, *second)} <= {"inlineStr", "n", ""}
        if kind != "results":
            assert ("inlineStr", FORMULA) in second
    told = mail(exports, row)
    assert (told["data"]["rows_of"], told["data"]["row_count"]) == (kind, 1)


def test_cells_say_what_happened_on_the_venue_s_clock_in_units_of_money(
    shop: Shop, exports: Exports, played: Row
) -> None:
    owner = shop.venue.owner
    start = f"{shop.starts_at(played).astimezone(shop.zone):%Y-%m-%d %H:%M:%S}"
    (booking,) = exports.table(owner, "bookings")
    assert {
        "Reference": played["reference"],
        "Status": "Completed",
        "Starts": start,
        "Time zone": "Europe/Madrid",
        "Room": "El faro",
        "Players": "2",
        "Channel": "Widget",
        "Total": "50.00",
        "Paid": "12.34",
        "Refunded": "0.00",
        "Outstanding": "37.66",
        "Phone": "'+34600111222",
    }.items() <= booking.items()
    (payment,) = exports.table(owner, "payments")
    assert (payment["Entry"], payment["Amount"], payment["Method"]) == ("Payment", "12.34", "Cash")
    (result,) = exports.table(owner, "results")
    assert (result["Outcome"], result["Escape time"]) == ("Escaped", "0:52:10")
    with exports.made(owner, "results", format="xlsx", locale="en") as (_, path, _pages):
        headings, cells = xlsx_rows(path)
        place = [text for _, text in headings].index("Escape time")
        assert cells[place][0] == "n"
        assert round(float(cells[place][1]) * 86_400) == 3_130
    with exports.made(owner, "payments", format="xlsx", locale="en") as (_, path, _pages):
        headings, cells = xlsx_rows(path)
        assert cells[[text for _, text in headings].index("Amount")] == ("n", "12.34")


@pytest.mark.parametrize("kind", list(KINDS))
def test_columns_of_tables_that_somebody_may_not_read_are_not_in_their_file(
    shop: Shop, exports: Exports, played: Row, kind: str
) -> None:
    clerk = officer(shop, "clerk", KINDS[kind])
    with exports.made(clerk, kind, format="csv", locale="en") as (row, path, pages):
        assert row["permissions"] == ["reports:export", KINDS[kind]]
        (found,) = csv_rows(path)
        (read,) = pages.seen[0]
    may = {column.key for column in COLUMNS[kind] if column.permission is None}
    # Not only left out of the file: the worker does not get it.
    assert set(read) == {"id", *may}
    assert list(found) == [words()["columns"][c.key]["en"] for c in shown(kind, row["permissions"])]
    name = [value for value in found.values() if FORMULA in value]
    assert bool(name) == (kind in ("customers", "waivers"))


@pytest.mark.parametrize("kind", list(KINDS))
def test_who_may_not_read_a_table_or_have_files_has_none_of_it(
    shop: Shop, exports: Exports, kind: str
) -> None:
    others = [permission for permission in KINDS.values() if permission != KINDS[kind]]
    no_table = officer(shop, "clerk", *others)
    no_files = shop.venue.hire("reader", shop.venue.make_role("Reader", list(KINDS.values())))
    for person in (no_table, no_files):
        with refused(403, "permission_denied"):
            exports.export(person, kind)


def test_a_permission_that_is_taken_away_stops_the_making_the_mail_and_the_fetching(
    shop: Shop, exports: Exports, played: Row
) -> None:
    clerk = officer(shop, "clerk", "bookings:read", "customers:read")
    role = shop.venue.role_of(clerk)

    def hold(*permissions: str) -> None:
        shop.venue.owner.call(
            "set_role_permissions",
            organization_id=shop.id,
            role_id=shop.house.one(
                "select role_id from public.memberships where user_id = %s", clerk.id
            ),
            permissions=["reports:export", *permissions],
        )

    assert role is not None
    with exports.made(clerk, "bookings") as (row, _, _pages):
        put(exports, row)
    assert files(clerk) == [row["object_path"]]
    assert mail(exports, row) is not None
    hold("bookings:read")
    assert files(clerk) == []
    assert mail(exports, row) is None
    hold("bookings:read", "customers:read")
    assert files(clerk) == [row["object_path"]]

    begun = exports.export(clerk, "bookings")
    with exports.leased(begun) as lease:
        assert exports.service.call("service.begin_table_export", **lease)["kind"] == "bookings"
        hold("bookings:read")
        with refused(403, "export_not_allowed"):
            exports.service.select(
                "select service.read_table_export(%s, %s)", lease["job_id"], lease["lease_token"]
            )
        # An attempt after that one ends it.
        assert exports.service.call("service.begin_table_export", **lease) is None
    states = "select status from public.table_exports order by id"
    assert clerk.select(states) == [{"status": "finished"}, {"status": "failed"}]
    shop.venue.owner.call("remove_member", organization_id=shop.id, user_id=clerk.id)
    assert files(clerk) == []


def test_nobody_else_sees_an_export_or_its_file(
    house: House, shop: Shop, exports: Exports, played: Row
) -> None:
    manager, admin = shop.venue.hire("mary", "manager"), shop.venue.hire("adam", "admin")
    with exports.made(manager, "customers") as (row, _, _pages):
        put(exports, row)
    foreign = house.open_venue("Foreign").owner
    for person in (admin, shop.venue.owner, foreign):
        assert person.select("select from public.table_exports") == []
        assert files(person) == []
    assert files(manager) == [row["object_path"]]
    key, _ = shop.venue.make_key(["reports:export", "customers:read"])
    assert files(key) == []
    with refused(403, "user_required"):
        exports.export(key, "customers")


def test_one_export_of_a_kind_is_made_for_a_person_at_a_time(
    shop: Shop, exports: Exports, played: Row
) -> None:
    mary, adam = shop.venue.hire("mary", "manager"), shop.venue.hire("adam", "admin")
    first = exports.export(mary, "bookings", format="xlsx")
    assert exports.export(mary, "bookings", format="xlsx") == first
    with refused(409, "export_pending") as refusal:
        exports.export(mary, "bookings", format="csv")
    assert refusal.value.details == {"export_id": first["id"]}
    assert exports.export(mary, "payments")["id"] != first["id"]
    assert exports.export(adam, "bookings")["id"] != first["id"]
    jobs = "select payload ->> 'export_id' as id from private.jobs where kind = 'table.export'"
    assert len(exports.ask(jobs)) == 3
    # One whose job was given up without a word does not stand in the way.
    exports.ask(
        "update private.jobs set status = 'dead', finished_at = now()"
        " where kind = 'table.export' returning id"
    )
    assert exports.export(mary, "bookings", format="csv")["id"] != first["id"]


def test_files_end_after_three_days_and_a_failed_one_leaves_none(
    shop: Shop, exports: Exports, played: Row
) -> None:
    owner = shop.venue.owner
    with exports.made(owner, "bookings") as (row, _, _pages):
        put(exports, row)
    failed = exports.export(owner, "bookings")
    with exports.leased(failed) as lease:
        exports.service.call("service.finish_table_export", **lease, row_count=None)
        exports.service.call("service.finish_table_export", **lease, row_count=5)
    erased = (
        "select payload ->> 'object_path' as path from private.jobs where kind = 'export.erase'"
    )
    assert exports.ask(erased) == [{"path": f"{shop.id}/{failed['id']}.csv"}]
    exports.service.call("service.sweep")
    assert len(owner.select("select from public.table_exports")) == 2
    exports.ask(
        "update public.table_exports set expires_at = now() where id = %s returning id", row["id"]
    )
    assert files(owner) == []
    assert mail(exports, row) is None
    exports.service.call("service.sweep")
    assert owner.select("select status from public.table_exports") == [{"status": "failed"}]
    assert {"path": row["object_path"]} in exports.ask(erased)


def test_nobody_keeps_more_than_a_hundred_files(shop: Shop, exports: Exports) -> None:
    owner = shop.venue.owner
    exports.ask(
        "insert into public.table_exports (organization_id, user_id, kind, format, locale,"
        " permissions, status, row_count, object_path, finished_at, expires_at)"
        " select %s, %s, 'bookings', 'csv', 'es', '{}', 'finished', 0, n, now(), 'infinity'"
        " from generate_series(1, 100) as n returning id",
        shop.id,
        owner.id,
    )
    with refused(422, "too_many_rows"):
        exports.export(owner, "bookings")
    assert exports.export(shop.venue.hire("mary", "manager"), "bookings")["status"] == "queued"


def test_pages_of_any_size_hold_every_row_once(shop: Shop, exports: Exports) -> None:
    room = open_room(shop)
    for day in range(1, 8):
        booking = shop.hold(
            room,
            shop.at(day),
            customer={"full_name": f"Guest {day}", "email": f"guest{day}@example.test"},
        )
        shop.move(booking, "confirmed")
        shop.pay(booking, 100 * day)
        shop.pay(booking, 1)
    for kind in ("bookings", "payments", "customers"):
        found = []
        for size in (1, 3, 7, 1000):
            with exports.made(shop.venue.owner, kind, size=size) as (row, path, pages):
                assert all(len(page) <= size for page in pages.seen)
                found.append(csv_rows(path))
                assert row["row_count"] == row["row_total"] == len(found[-1])
        assert found[0] == found[1] == found[2] == found[3]
        assert len(found[0]) == {"bookings": 7, "payments": 14, "customers": 7}[kind]


def test_dates_rooms_and_locations_leave_everything_else_out(shop: Shop, exports: Exports) -> None:
    owner = shop.venue.owner
    room, other = open_room(shop, "A"), open_room(shop, "B")
    # An hour before and after midnight on the venue's clock; in UTC on the same date.
    late = shop.hold(room, shop.at(3, "22:30"))
    early = shop.hold(other, shop.at(4, "00:30"))
    for booking in (late, early):
        shop.move(booking, "confirmed")

    def references(**asked: object) -> set[str]:
        return {row["Reference"] for row in exports.table(owner, "bookings", **asked)}

    third, fourth = (shop.today + timedelta(days) for days in (3, 4))
    assert references(from_date=third, to_date=third) == {late["reference"]}
    assert references(from_date=fourth, to_date=fourth) == {early["reference"]}
    assert references(to_date=third) == {late["reference"]}
    assert references(from_date=third) == {late["reference"], early["reference"]}
    assert references(room_id=other) == {early["reference"]}
    assert references(location_id=shop.location_id) == {late["reference"], early["reference"]}
    elsewhere = shop.insert("locations", name="Elsewhere", timezone="Europe/Madrid")["id"]
    assert references(location_id=elsewhere) == set()
    assert len(exports.table(owner, "customers", room_id=room)) == 1
    assert exports.table(owner, "customers", location_id=elsewhere) == []
    with refused(404, "room_not_found"):
        exports.export(owner, "bookings", location_id=elsewhere, room_id=room)


@pytest.mark.parametrize("kind", ["payments", "customers", "waivers", "results"])
def test_a_day_begins_at_midnight_on_the_clock_of_the_location(
    shop: Shop, exports: Exports, played: Row, kind: str
) -> None:
    """Half an hour after it the day before has not ended in UTC."""
    day = shop.today - timedelta(days=20)
    moment = datetime.combine(day, time(0, 30), tzinfo=shop.zone)
    before = exports.ask("select %s::timestamptz - %s as by", moment, shop.starts_at(played))
    shop.move_in_time(played, before[0]["by"])
    # What is never changed of itself.
    shop.house.connection.execute("set local session_replication_role = replica")
    for table, column in (
        ("payments", "occurred_at"),
        ("customers", "created_at"),
        ("waiver_signatures", "signed_at"),
    ):
        exports.ask(
            f"update public.{table} set {column} = %s where organization_id = %s"
            " returning organization_id",
            moment,
            shop.id,
        )
    shop.house.connection.execute("set local session_replication_role = origin")
    found = {
        days: len(
            exports.table(
                shop.venue.owner,
                kind,
                from_date=day + timedelta(days),
                to_date=day + timedelta(days),
            )
        )
        for days in (-1, 0, 1)
    }
    assert found == {-1: 0, 0: 1, 1: 0}


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"kind": "secrets"}, "kind_invalid"),
        ({"format": "pdf"}, "format_invalid"),
        ({"format": None}, "format_invalid"),
        ({"locale": "fr"}, "locale_invalid"),
        ({"from_date": "2027-01-02", "to_date": "2027-01-01"}, "date_range_invalid"),
        ({"from_date": "-infinity"}, "date_range_invalid"),
        ({"to_date": "infinity"}, "date_range_invalid"),
        ({"location_id": "00000000-0000-0000-0000-000000000001"}, "location_not_found"),
    ],
)
def test_what_is_asked_wrongly_is_said_clearly(
    shop: Shop, asked: dict[str, object], code: str
) -> None:
    wished = {"organization_id": shop.id, "kind": "bookings", **asked}
    with refused(404 if code.endswith("found") else 422, code):
        shop.venue.owner.call("export_table", **wished)


def test_every_code_has_a_word_in_every_language(house: House) -> None:
    checks = {
        "status": "bookings_status_is_known",
        "source": "bookings_source_is_known",
        "method": "payments_method_is_known",
        "outcome": "game_results_outcome_is_known",
        "level": "game_results_level_is_known",
    }
    for group, constraint in checks.items():
        (row,) = house.owner_sql(
            "select array(select m[1] from regexp_matches(pg_get_constraintdef(oid),"
            " '''([a-z_]+)''::text', 'g') as m) as codes from pg_constraint where conname = %s",
            constraint,
        )
        assert set(row["codes"]) == set(words()[group]), group
    assert all(
        set(languages) == {"es", "en", "ca"}
        for group in words().values()
        for languages in group.values()
    )
    assert {column.key for kind in COLUMNS.values() for column in kind} == set(words()["columns"])


@pytest.fixture(scope="module")
def venues(money: Database) -> dict[str, Venue]:
    return {currency: selling(money, currency) for currency in CURRENCIES}


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    currency=st.sampled_from(CURRENCIES),
    steps=st.lists(STEPS, min_size=4, max_size=12),
    around=st.tuples(st.integers(-3, 2), st.integers(0, 3)),
)
def test_sums_of_exported_amounts_are_those_of_the_reports_to_the_cent(
    venues: dict[str, Venue],
    currency: str,
    steps: list[tuple[str, int]],
    around: tuple[int, int],
) -> None:
    venue = venues[currency]
    life = Life(venue)
    for what, number in steps:
        life.step(what, number)
    today = datetime.now(MADRID).date()
    night = next_jump(today)
    with venue.database.admin.transaction():
        venue.database.admin.execute(
            _SCATTER.format(night=midnight(night), organization=venue.organization_id).encode()
        )
    exports = Exports(venue.database.all, venue.service, venue.organization_id)
    digits = {"JPY": 0, "KWD": 3}.get(currency, 2)
    near = night + timedelta(around[0])
    for first, last in ((near, near + timedelta(around[1])), (today, today + timedelta(80))):
        [expected] = report(venue, from_date=first, to_date=last)
        received: Counter[str] = Counter()
        methods: Counter[str] = Counter()
        for row in exports.table(venue.owner, "payments", from_date=first, to_date=last):
            assert row["Currency"] == currency
            assert -int(Decimal(row["Amount"]).as_tuple().exponent) == digits
            cents = int(Decimal(row["Amount"]).scaleb(digits))
            is_refund = row["Entry"] in ("Refund", "Refund sent back")
            received["refunded" if is_refund else "received"] += cents
            methods[row["Method"]] += cents
        total = expected["total"]
        assert received["received"] == total["received_cents"]
        assert -received["refunded"] == total["refunded_cents"]
        assert received.total() == total["net_cents"]
        assert {name: cents for name, cents in methods.items() if cents} == {
            words()["method"][m["method"]]["en"]: m["net_cents"]
            for m in expected["methods"]
            if m["net_cents"]
        }
        bookings = exports.table(venue.owner, "bookings", from_date=first, to_date=last)
        owed = sum(Decimal(row["Outstanding"]).scaleb(digits) for row in bookings)
        assert owed == total["outstanding_cents"]
