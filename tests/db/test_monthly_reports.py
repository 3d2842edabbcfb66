"""The report of a month: its figures, for whom it is made, when, and that it is made once."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import Row, Shop, open_shop
from db.exports_world import Exports
from escapemaster.reports.figures import MonthFigures
from escapemaster.reports.month import write_month
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def exports(shop: Shop) -> Exports:
    return Exports(shop.house.owner_sql, shop.house.service, shop.id)


def first_of(shop: Shop, months: int = 0) -> date:
    """The first day of a month on the venue's clock: this one, or so many after it."""
    month = shop.today.year * 12 + shop.today.month - 1 + months
    return date(month // 12, month % 12 + 1, 1)


def receive(shop: Shop, by: Client, **planned: object) -> Row:
    """Have somebody get the report of each month."""
    columns = {"organization_id": shop.id, "user_id": by.id, **planned}
    (row,) = shop.venue.owner.select(
        f"insert into public.monthly_report_recipients ({', '.join(columns)})"
        f" values ({', '.join(['%s'] * len(columns))}) returning *",
        *columns.values(),
    )
    return row


def make_due(shop: Shop) -> None:
    shop.house.owner_sql(
        "update public.monthly_report_recipients set next_at = now() where organization_id = %s",
        shop.id,
    )


def queued(shop: Shop) -> list[Row]:
    """What a look at the clock has left."""
    shop.house.service.call("service.sweep")
    return shop.house.owner_sql(
        "select e.*, (select count(*) from private.jobs as j where j.dedupe_key ="
        " 'table.export:' || e.id) as jobs from public.table_exports as e"
        " where organization_id = %s order by id",
        shop.id,
    )


def read(exports: Exports, export: Row) -> Any:
    """What the worker reads."""
    with exports.leased(export) as lease:
        begun = exports.service.call("service.begin_table_export", **lease)
        assert (begun["kind"], begun["format"]) == ("month", "pdf")
        return exports.service.call("service.read_month", **lease)


def reports(shop: Shop, first: date, last: date) -> list[Any]:
    owner = shop.venue.owner
    dates = {"organization_id": shop.id, "from_date": first, "to_date": last}
    return [
        [dict(row) for row in owner.call("get_revenue_report", **dates, granularity="day")],
        *(owner.call(f"get_{name}_report", **dates) for name in ("bookings", "games", "occupancy")),
    ]


def visit(shop: Shop, day: datetime, cents: int) -> None:
    room = shop.add_room(name=f"El faro {cents}")
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    booking = shop.hold(room, day)
    shop.move(booking, "confirmed")
    shop.pay(booking, cents)


def test_a_month_says_what_the_reports_say_of_it_and_of_the_month_before(
    shop: Shop, exports: Exports, tmp_path: Path
) -> None:
    visit(shop, shop.at(1, "19:30"), 1_234)
    first = first_of(shop)
    export = exports.export(shop.venue.owner, "month", format="pdf", from_date=first)
    last = first_of(shop, 1) - timedelta(days=1)
    assert (export["from_date"], export["to_date"]) == (first.isoformat(), last.isoformat())
    figures = read(exports, export)
    said = [figures[name] for name in ("revenue", "bookings", "games", "occupancy")]
    before = [figures[f"{name}_before"] for name in ("revenue", "bookings", "games", "occupancy")]
    as_json = [json.loads(json.dumps(found, default=str)) for found in (said, before)]
    asked = [
        json.loads(json.dumps(found, default=str))
        for found in (
            reports(shop, first, last),
            reports(shop, first_of(shop, -1), first - timedelta(days=1)),
        )
    ]
    assert as_json == asked
    assert said[0][0]["total"]["net_cents"] == 1_234
    model = MonthFigures.model_validate(figures)
    assert model.organization_name == shop.house.one(
        "select name from public.organizations where id = %s", shop.id
    )
    for language in ("es", "en", "ca"):
        path = tmp_path / f"{language}.pdf"
        assert write_month(model, language, path) >= 1
        assert path.read_bytes().startswith(b"%PDF-")


def test_who_asked_is_asked_about_again_with_every_step(shop: Shop, exports: Exports) -> None:
    manager = shop.venue.hire("manager", "manager")
    export = exports.export(manager, "month", format="pdf", from_date=first_of(shop))
    with exports.leased(export) as lease:
        assert exports.service.call("service.begin_table_export", **lease) is not None
        shop.venue.owner.call(
            "set_member_role",
            organization_id=shop.id,
            user_id=manager.id,
            role_id=shop.venue.role("receptionist"),
        )
        with refused(403, "export_not_allowed"):
            exports.service.call("service.read_month", **lease)
        assert exports.service.call("service.begin_table_export", **lease) is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"format": "csv"}, "format_invalid"),
        ({"format": None}, "format_invalid"),
        ({"from_date": None}, "date_range_invalid"),
        ({"from_date": "2027-03-02"}, "date_range_invalid"),
        ({"to_date": "2027-03-30"}, "date_range_invalid"),
        ({"from_date": "infinity"}, "date_range_invalid"),
        ({"from_date": "1999-03-01"}, "date_range_invalid"),
    ],
)
def test_a_month_is_asked_for_by_its_first_day(
    shop: Shop, asked: dict[str, object], code: str
) -> None:
    wished = {
        "organization_id": shop.id, "kind": "month", "format": "pdf", "from_date": "2027-03-01"
    }  # fmt: skip
    with refused(422, code):
        shop.venue.owner.call("export_table", **{**wished, **asked})


def test_nobody_gets_a_report_who_was_not_chosen(shop: Shop) -> None:
    assert queued(shop) == []


def test_a_recipient_gets_the_last_month_once_in_their_own_language(shop: Shop) -> None:
    manager = shop.venue.hire("manager", "manager")
    shop.house.owner_sql("update public.profiles set locale = 'ca' where user_id = %s", manager.id)
    receive(shop, manager)
    assert queued(shop) == []
    make_due(shop)
    (export,) = queued(shop)
    assert (export["kind"], export["format"], export["locale"]) == ("month", "pdf", "ca")
    assert str(export["user_id"]) == manager.id
    assert export["from_date"] == first_of(shop, -1)
    assert export["to_date"] == first_of(shop) - timedelta(days=1)
    assert export["jobs"] == 1
    # However often the clock is looked at, and after the file is gone.
    assert len(queued(shop)) == 1
    shop.house.owner_sql("delete from public.table_exports where organization_id = %s", shop.id)
    assert queued(shop) == []
    (plan,) = shop.venue.owner.select("select next_at from public.monthly_report_recipients")
    due = plan["next_at"].astimezone(ZoneInfo("Europe/Madrid"))
    assert (due.day, due.hour, due.minute) == (1, 8, 0)
    assert plan["next_at"] > datetime.now(UTC)


def test_a_recipient_who_may_not_read_reports_any_more_gets_none(shop: Shop) -> None:
    clerk = shop.venue.hire("clerk", "receptionist")
    receive(shop, clerk)
    make_due(shop)
    assert queued(shop) == []
    (plan,) = shop.venue.owner.select("select next_at from public.monthly_report_recipients")
    assert plan["next_at"] > datetime.now(UTC)
    shop.venue.owner.call("remove_member", organization_id=shop.id, user_id=clerk.id)
    assert shop.venue.owner.select("select from public.monthly_report_recipients") == []


def test_who_keeps_too_many_files_keeps_nobody_else_from_theirs(shop: Shop) -> None:
    full, other = shop.venue.hire("full", "manager"), shop.venue.hire("other", "manager")
    shop.house.owner_sql(
        "insert into public.table_exports (organization_id, user_id, kind, format, locale,"
        " permissions, status, finished_at, expires_at) select %s, %s, 'bookings', 'csv', 'es',"
        " '{}', 'failed', now(), now() + interval '1 day' from generate_series(1, 100)",
        shop.id,
        full.id,
    )
    for person in (full, other):
        receive(shop, person)
    make_due(shop)
    made = [str(row["user_id"]) for row in queued(shop) if row["kind"] == "month"]
    assert made == [other.id]


def test_one_that_is_under_way_stands_for_the_one_that_is_due(shop: Shop, exports: Exports) -> None:
    owner = shop.venue.owner
    asked = exports.export(owner, "month", format="pdf", from_date=first_of(shop, -1))
    receive(shop, owner)
    make_due(shop)
    assert [str(row["id"]) for row in queued(shop)] == [asked["id"]]


def test_the_mail_says_which_month(shop: Shop, exports: Exports) -> None:
    export = exports.export(shop.venue.owner, "month", format="pdf", from_date=first_of(shop))
    with exports.leased(export) as lease:
        exports.service.call("service.finish_table_export", **lease, row_count=2)
    payload = {"template": "table_export_ready", "export_id": str(export["id"])}
    (row,) = exports.ask(
        "select private.table_export_content(%s, %s::jsonb) as content", shop.id, Jsonb(payload)
    )
    data = row["content"]["data"]
    assert (data["rows_of"], data["format"]) == ("month", "pdf")
    assert data["first_date"] == first_of(shop).isoformat()


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(["Europe/Madrid", "Pacific/Auckland", "America/New_York", "UTC"]),
    day=st.integers(1, 28),
    hour=st.integers(0, 23),
    after=st.integers(0, 4 * 366 * 24 * 60),
)
def test_the_next_report_is_due_at_the_hour_of_the_day_on_the_venues_clock(
    catalogue: Any, zone: str, day: int, hour: int, after: int
) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=after)
    (due,) = catalogue.execute(
        "select private.next_monthly_report(%s, %s, %s, %s)", [zone, day, hour, moment]
    ).fetchone()
    clock = ZoneInfo(zone)
    local = due.astimezone(clock)
    assert due > moment
    # The hour that a clock skips is the next one.
    assert (local.day, local.hour) in {(day, hour), (day, hour + 1)}
    if (local.day, local.hour) != (day, hour):
        wished = datetime(local.year, local.month, day, hour, tzinfo=clock)
        assert wished.astimezone(UTC).astimezone(clock).replace(tzinfo=None) != wished.replace(
            tzinfo=None
        )
    assert due - moment <= timedelta(days=32)
