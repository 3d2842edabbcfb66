"""The revenue report against a slow model of it, and against the ledger, to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Refused
from db.money_world import PARTY, TOTAL, Booking, Database, Venue, member
from db.test_money_ledger import CURRENCIES, STEPS, Life, selling

MADRID = ZoneInfo("Europe/Madrid")
SUMS = ("received", "refunded", "net", "sales", "tax", "expected", "outstanding")
#: Where the ledger has the money of each method.
ACCOUNTS = {
    "stripe": "stripe_balance",
    "cash": "cash_drawer",
    "card_terminal": "card_terminal",
    "transfer": "bank",
    "bizum": "bank",
    "voucher": "voucher_liability",
}
#: Money is moved to some hours around this midnight, behind which the clock jumps.
_SCATTER = """
  set local session_replication_role = replica;
  create function pg_temp.moment(id text) returns timestamptz language sql
  return '{night}'::timestamptz + make_interval(
    mins => (('x' || substr(md5(id), 1, 6))::bit(24)::int % (4 * 24 * 60)) - 2 * 24 * 60
  );
  update public.payments set occurred_at = pg_temp.moment(id::text)
  where organization_id = '{organization}';
  update public.refunds set occurred_at = pg_temp.moment(id::text)
  where organization_id = '{organization}';
  update public.ledger_entries
  set occurred_at = pg_temp.moment(
    source_id::text || case source when 'booking' then step::text else '' end
  )
  where organization_id = '{organization}';
  drop function pg_temp.moment;
"""


def next_jump(today: date) -> date:
    """The next date on which Madrid's clock jumps."""
    while True:
        today += timedelta(1)
        offsets = {
            datetime.combine(day, time(), tzinfo=MADRID).utcoffset()
            for day in (today, today + timedelta(1))
        }
        if len(offsets) == 2:
            return today


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=MADRID)


def report(venue: Venue, **asked: object) -> list[dict[str, Any]]:
    rows = venue.owner.call("get_revenue_report", organization_id=venue.organization_id, **asked)
    assert isinstance(rows, list)
    for shown in (*rows, *(point for row in rows for point in row["series"])):
        for name in [name for name in shown if name.endswith("_date")]:
            shown[name] = date.fromisoformat(shown[name])
    return rows


def plain(sums: dict[str, int]) -> dict[str, int]:
    return {name: sums[f"{name}_cents"] for name in SUMS}


def model(venue: Venue, first: date, last: date) -> dict[str, Any]:
    """The same figures, row by row."""
    sums: Counter[str] = Counter(dict.fromkeys(SUMS, 0))
    methods: dict[str, Counter[str]] = {}

    def falls(moment: datetime) -> bool:
        return first <= moment.astimezone(MADRID).date() <= last

    def rows(table: str) -> Iterator[dict[str, Any]]:
        yield from venue.database.all(
            f"select * from {table} where organization_id = %s", venue.organization_id
        )

    for payment in rows("public.payments"):
        if falls(payment["occurred_at"]):
            sums["received"] += payment["amount_cents"]
            methods.setdefault(payment["method"], Counter())["received"] += payment["amount_cents"]
    for refund in rows("public.refunds"):
        if falls(refund["occurred_at"]):
            name, sign = ("received", -1) if refund["kind"] == "correction" else ("refunded", 1)
            sums[name] += sign * refund["amount_cents"]
            methods.setdefault(refund["method"], Counter())[name] += sign * refund["amount_cents"]
    for booking in venue.database.all(
        "select b.starts_at, b.status, private.booking_open(b) as open,"
        " private.booking_kept(b.organization_id, b.id) as kept"
        " from public.bookings as b where b.organization_id = %s",
        venue.organization_id,
    ):
        if falls(booking["starts_at"]):
            outstanding = 0 if booking["status"] == "held" else booking["open"]
            sums["outstanding"] += outstanding
            sums["expected"] += outstanding + booking["kept"]
    taxes: Counter[int] = Counter()
    for entry in rows("public.ledger_entries"):
        if entry["source"] == "booking" and falls(entry["occurred_at"]):
            account = entry["credit"] if entry["debit"] == "charges" else entry["debit"]
            cents = entry["amount_cents"] * (1 if entry["credit"] == account else -1)
            sums[account] += cents
            if account == "tax":
                taxes[entry["tax_rate_bp"]] += cents
    sums["net"] = sums["received"] - sums["refunded"]
    return {"sums": dict(sums), "methods": methods, "taxes": dict(taxes)}


def ledger(venue: Venue, first: date, last: date) -> Counter[str]:
    """What the ledger says of the same days, by its own function."""
    return Counter(
        {
            row["account"]: row["balance_cents"] - row["opening_cents"]
            for row in venue.owner.call(
                "ledger_balances",
                organization_id=venue.organization_id,
                from_at=midnight(first),
                to_at=midnight(last + timedelta(1)),
            )
        }
    )


def total_of(parts: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(part["sums"][f"{name}_cents"] for part in parts) for name in SUMS}


@pytest.fixture(scope="module")
def venues(money: Database) -> dict[str, Venue]:
    return {currency: selling(money, currency) for currency in CURRENCIES}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    currency=st.sampled_from(CURRENCIES),
    steps=st.lists(STEPS, min_size=4, max_size=12),
    around=st.tuples(st.integers(-3, 2), st.integers(0, 3)),
    granularity=st.sampled_from([None, "day", "week", "month", "quarter"]),
)
def test_every_figure_of_money_agrees_with_the_model_and_the_ledger(
    venues: dict[str, Venue],
    currency: str,
    steps: list[tuple[str, int]],
    around: tuple[int, int],
    granularity: str | None,
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
    near = night + timedelta(around[0])
    for first, last in (
        (near, near + timedelta(around[1])),  # the money
        (today, today + timedelta(80)),  # the visits
        (today, night + timedelta(3)),  # both
    ):
        [found] = report(venue, from_date=first, to_date=last, granularity=granularity)
        expected = model(venue, first, last)
        assert (found["currency"], found["from_date"], found["to_date"]) == (currency, first, last)
        assert plain(found["total"]) == expected["sums"]
        assert {
            m["method"]: (m["received_cents"], m["refunded_cents"], m["net_cents"])
            for m in found["methods"]
        } == {
            name: (c["received"], c["refunded"], c["received"] - c["refunded"])
            for name, c in expected["methods"].items()
        }
        assert {t["tax_rate_bp"]: t["tax_cents"] for t in found["taxes"]} == expected["taxes"]

        booked = ledger(venue, first, last)
        total = plain(found["total"])
        assert total["net"] == -booked["customers"]
        assert total["sales"] == -booked["sales"]
        assert total["tax"] == -booked["tax"]
        for account in ("cash_drawer", "card_terminal", "bank"):
            assert booked[account] == sum(
                m["net_cents"] for m in found["methods"] if ACCOUNTS[m["method"]] == account
            )
        vouchers = found["vouchers"]
        assert vouchers["issued_cents"] == booked["vouchers_issued"]
        assert vouchers["expired_cents"] == -booked["vouchers_expired"]

        for parts in ("rooms", "locations", "channels", "series"):
            assert total_of(found[parts]) == total, parts
        days = [(point["from_date"], point["to_date"]) for point in found["series"]]
        assert days[0][0] == first and days[-1][1] == last
        assert all(b[0] == a[1] + timedelta(1) for a, b in pairwise(days))
        for point in found["series"][:6]:
            assert (
                plain(point["sums"]) == model(venue, point["from_date"], point["to_date"])["sums"]
            )

        length = (last - first).days + 1
        before = (first - timedelta(length), first - timedelta(1))
        assert (found["previous_from_date"], found["previous_to_date"]) == before
        assert plain(found["previous"]) == model(venue, *before)["sums"]
        assert plain(found["change"]) == {
            name: total[name] - plain(found["previous"])[name] for name in SUMS
        }


def test_a_payment_that_was_corrected_brought_nothing(money: Database) -> None:
    venue = selling(money, "EUR")
    life = Life(venue)
    life.take(300)  # 3010 in cash
    life.correct(0)
    life.take(301)  # 3020 by card
    [found] = report(venue, period="today")
    assert plain(found["total"]) | {"expected": 0, "outstanding": 0} == {
        "received": 3_020,
        "refunded": 0,
        "net": 3_020,
        "sales": 2_496,
        "tax": 524,
        "expected": 0,
        "outstanding": 0,
    }
    assert [(m["method"], m["net_cents"]) for m in found["methods"]] == [
        ("card_terminal", 3_020),
        ("cash", 0),
    ]


def test_money_in_another_currency_is_a_report_of_its_own(money: Database) -> None:
    venue = selling(money, "EUR")
    Life(venue).take(4)
    money.run(
        "update public.organizations set currency = 'USD' where id = %s", venue.organization_id
    )
    found = {row["currency"]: plain(row["total"])["received"] for row in report(venue)}
    assert found == {"EUR": 50, "USD": 0}


def test_a_code_of_a_coupon_is_shown_to_whoever_may_read_coupons(money: Database) -> None:
    venue = selling(money, "EUR")
    money.run(
        "insert into public.coupons (organization_id, code, kind, value)"
        " values (%s, 'TEN', 'percent', 10)",
        venue.organization_id,
    )
    held = venue.public.call(
        "hold_booking",
        slug=venue.slug,
        room_id=venue.room_id,
        starts_at=venue.slot(),
        party_size=PARTY,
        customer={"full_name": "Ada Byron", "email": "ada@example.com"},
        expected_total_cents=TOTAL - 600,
        coupon_code="TEN",
        idempotency_key="coupon",
    )
    booking = Booking(
        "", held["reference"], held["manage_token"], datetime.fromisoformat(held["starts_at"])
    )
    venue.pay(booking)
    manager = member(venue, "manager")
    asked = {
        "organization_id": venue.organization_id,
        "from_date": booking.starts_at.astimezone(MADRID).date(),
        "to_date": booking.starts_at.astimezone(MADRID).date(),
    }
    [found] = manager.call("get_revenue_report", **asked)
    [used] = found["coupons"]
    assert (used["code"], used["bookings"], used["discount_cents"]) == ("TEN", 1, 600)
    money.run(
        "delete from public.role_permissions where organization_id = %s"
        " and permission_key = 'coupons:read'",
        venue.organization_id,
    )
    [found] = manager.call("get_revenue_report", **asked)
    assert [(u["code"], u["bookings"]) for u in found["coupons"]] == [(None, 1)]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"period": "decade"}, "period_invalid"),
        (
            {"period": "month", "from_date": date(2027, 1, 1), "to_date": date(2027, 1, 2)},
            "period_invalid",
        ),
        ({"from_date": date(2027, 1, 2), "to_date": date(2027, 1, 1)}, "date_range_invalid"),
        ({"from_date": date(2027, 1, 2)}, "date_range_invalid"),
        ({"from_date": "-infinity", "to_date": "infinity"}, "date_range_invalid"),
        ({"from_date": date(1999, 12, 31), "to_date": date(2000, 1, 1)}, "date_range_invalid"),
        ({"from_date": date(2027, 1, 1), "to_date": date(2028, 1, 2)}, "date_range_too_long"),
        ({"granularity": "year"}, "granularity_invalid"),
        ({"location_id": "00000000-0000-0000-0000-000000000001"}, "location_not_found"),
        ({"room_id": "00000000-0000-0000-0000-000000000001"}, "room_not_found"),
    ],
)
def test_what_is_asked_wrongly_is_said_clearly(
    venues: dict[str, Venue], asked: dict[str, object], code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        report(venues["EUR"], **asked)
    assert refusal.value.code == code
