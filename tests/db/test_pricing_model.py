"""Prices against an independent, slow and obvious model of them: the same cents, line by line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from db.booking_world import Row, Shop, change, insert_all, open_shop
from db.coming_days import clock_change, coming_day
from matrix.house import House

ZONES = (
    "Europe/Madrid",
    "Europe/London",
    "America/New_York",
    "Australia/Sydney",
    "Asia/Kathmandu",
    "UTC",
)

#: Dates on which one of these zones changes its clock, and an ordinary one.
DATES = (
    clock_change("America/New_York", 3),
    clock_change("Europe/Madrid", 3),
    clock_change("Australia/Lord_Howe", 4),
    coming_day(6, 16),
    clock_change("Australia/Lord_Howe", 10),
    clock_change("Europe/Madrid", 10),
    clock_change("America/New_York", 11),
)


@dataclass(frozen=True)
class Rule:
    own: bool
    priority: int
    weekdays: frozenset[int]
    from_time: time
    until_time: time
    from_date: date | None
    until_date: date | None
    kind: str
    value: int
    active: bool


@dataclass(frozen=True)
class Extra:
    per: str
    price: int
    rate: int
    quantity: int


@dataclass(frozen=True)
class Shelf:
    """Everything that decides a price."""

    zone: str
    party: int
    price_per: str
    price: int
    rate: int
    exclusive: int | None
    wants_exclusive: bool
    override: int | None
    tiers: dict[int, int]
    rules: list[Rule]
    extras: list[Extra]
    coupon: tuple[str, int] | None
    fee: tuple[str, int, int]
    deposit: tuple[str, int]
    voucher: int | None
    day: date
    clock: time = field(default=time(12))


def rounded(amount: Fraction) -> int:
    """To whole cents, half of one away from zero."""
    whole = int(abs(amount) * 2 + 1) // 2
    return whole if amount >= 0 else -whole


def applies(rule: Rule, wall: datetime) -> bool:
    """Whether a start on the venue's clock is one that the rule is for.

    Each evening on which the rule's window may have begun is looked at.
    """
    if not rule.active:
        return False
    for begun in (wall.date(), wall.date() - timedelta(1)):
        opens = datetime.combine(begun, rule.from_time)
        closes = datetime.combine(begun, rule.until_time)
        if closes <= opens:
            closes += timedelta(1)
        if (
            opens <= wall < closes
            and begun.isoweekday() in rule.weekdays
            and (rule.from_date is None or rule.from_date <= begun)
            and (rule.until_date is None or begun <= rule.until_date)
        ):
            return True
    return False


def seats(shelf: Shelf, wall: datetime, ids: list[str]) -> tuple[int, int]:
    """How many of what, at what price: the room's, its tier's, changed by one rule."""
    price = shelf.price
    for minimum in sorted(shelf.tiers):
        if shelf.party >= minimum:
            price = shelf.tiers[minimum]
    found = [(r, i) for r, i in zip(shelf.rules, ids, strict=True) if applies(r, wall)]
    if found:
        rule, _ = max(found, key=lambda one: (one[0].priority, one[0].own, one[1]))
        if rule.kind == "price":
            price = rule.value
        elif rule.kind == "percent":
            price = rounded(price * Fraction(100 + rule.value, 100))
        else:
            price = max(0, price + rule.value)
    return (shelf.party if shelf.price_per == "person" else 1), price


def tax_in(total: int, rate: int) -> int:
    return rounded(Fraction(total * rate, 10_000 + rate))


def line(kind: str, quantity: int, unit: int, rate: int) -> Row:
    total = quantity * unit
    return {
        "kind": kind,
        "quantity": quantity,
        "unit_cents": unit,
        "total_cents": total,
        "tax_rate_bp": rate,
        "tax_cents": tax_in(total, rate),
    }


def discounts(lines: list[Row], discount: int) -> list[Row]:
    """One line a tax rate: what a running share takes, and as much of the tax."""
    whole = sum(one["total_cents"] for one in lines)
    sold: dict[int, tuple[int, int]] = {}
    for one in lines:
        if one["total_cents"]:
            total, tax = sold.get(one["tax_rate_bp"], (0, 0))
            sold[one["tax_rate_bp"]] = (total + one["total_cents"], tax + one["tax_cents"])
    found, running = [], 0
    for rate, (total, tax) in sold.items():
        before = rounded(Fraction(discount * running, whole))
        running += total
        cents = rounded(Fraction(discount * running, whole)) - before
        if cents:
            found.append(
                {
                    "kind": "discount",
                    "quantity": 1,
                    "unit_cents": -cents,
                    "total_cents": -cents,
                    "tax_rate_bp": rate,
                    "tax_cents": -rounded(Fraction(tax * cents, total)),
                }
            )
    return found


def model(shelf: Shelf, wall: datetime, rule_ids: list[str]) -> Row:
    """The quote, from the words of the documentation."""
    if shelf.override is not None:
        quantity, unit = 1, shelf.override
    elif shelf.wants_exclusive:
        assert shelf.exclusive is not None
        quantity, unit = 1, shelf.exclusive
    else:
        quantity, unit = seats(shelf, wall, rule_ids)
    lines = [line("base", quantity, unit, shelf.rate)]
    for extra in shelf.extras:
        if extra.quantity:
            units = extra.quantity * (shelf.party if extra.per == "person" else 1)
            lines.append(line("extra", units, extra.price, extra.rate))
    if shelf.coupon:
        kind, value = shelf.coupon
        gross = sum(one["total_cents"] for one in lines)
        percent = rounded(Fraction(gross * value, 100))
        lines += discounts(lines, percent if kind == "percent" else min(value, gross))
    kind, value, rate = shelf.fee
    sold = sum(one["total_cents"] for one in lines)
    if kind == "percent":
        if fee := rounded(Fraction(sold * value, 100)):
            lines.append(line("fee", 1, fee, rate))
    elif kind != "none":
        lines.append(line("fee", shelf.party if kind == "person" else 1, value, rate))
    total = sum(one["total_cents"] for one in lines)
    kind, value = shelf.deposit
    due = {
        "full": total,
        "none": 0,
        "percent": rounded(Fraction(total * value, 100)),
        "fixed": min(total, value),
        "person": min(total, value * shelf.party),
    }[kind]
    voucher = min(total, shelf.voucher or 0)
    # What the provider charges no less than, in euros: a smaller rest is due at the venue.
    if 0 < due - voucher < 50:
        due = voucher
    return {
        "lines": lines,
        "total_cents": total,
        "tax_cents": sum(one["tax_cents"] for one in lines),
        "due_now_cents": due,
        "voucher_cents": voucher,
    }


cents = st.integers(0, 20_000) | st.sampled_from([0, 1, 2, 3, 99, 100_000_000])
rates = st.sampled_from([0, 400, 1000, 2000, 2100, 10_000])
clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))


@st.composite
def rules(draw: st.DrawFn, centre: date) -> Rule:
    kind = draw(st.sampled_from(["price", "percent", "amount"]))
    bounds = {"price": (0, 20_000), "percent": (-100, 1000), "amount": (-20_000, 20_000)}
    days = st.integers(-2, 2).map(lambda n: centre + timedelta(n))
    first, last = draw(st.none() | days), draw(st.none() | days)
    if first and last and last < first:
        first, last = last, first
    return Rule(
        own=draw(st.booleans()),
        priority=draw(st.integers(0, 2)),
        weekdays=draw(
            st.just(frozenset(range(1, 8))) | st.frozensets(st.integers(1, 7), min_size=1)
        ),
        from_time=draw(st.just(time(0)) | clocks),
        until_time=draw(st.just(time(0)) | clocks),
        from_date=first,
        until_date=last,
        kind=kind,
        value=draw(st.integers(*bounds[kind])),
        active=draw(st.sampled_from([True, True, True, False])),
    )


@st.composite
def shelves(draw: st.DrawFn) -> Shelf:
    centre = draw(st.sampled_from(DATES))
    exclusive = draw(st.none() | cents)
    deposit = draw(st.sampled_from(["full", "none", "percent", "fixed", "person"]))
    fee = draw(st.sampled_from(["none", "booking", "person", "percent"]))
    value = {"full": st.just(0), "none": st.just(0), "percent": st.integers(1, 100)}
    extras = st.builds(
        Extra, st.sampled_from(["booking", "person"]), cents, rates, st.integers(0, 3)
    )
    percent = st.tuples(st.just("percent"), st.integers(1, 100))
    fixed = st.tuples(st.just("fixed"), st.integers(1, 30_000))
    return Shelf(
        zone=draw(st.sampled_from(ZONES)),
        party=draw(st.integers(1, 8)),
        price_per=draw(st.sampled_from(["person", "session"])),
        price=draw(cents),
        rate=draw(rates),
        exclusive=exclusive,
        wants_exclusive=exclusive is not None and draw(st.booleans()),
        override=draw(st.none() | st.none() | cents),
        tiers=draw(st.dictionaries(st.integers(1, 8), cents, max_size=3)),
        rules=draw(st.lists(rules(centre), max_size=5)),
        extras=draw(st.lists(extras, max_size=4)),
        coupon=draw(st.none() | percent | fixed),
        fee=(fee, draw(value.get(fee, st.integers(1, 500))), draw(rates)),
        deposit=(deposit, draw(value.get(deposit, st.integers(1, 30_000)))),
        voucher=draw(st.none() | st.integers(1, 50_000)),
        day=centre + timedelta(draw(st.integers(-1, 1))),
        clock=draw(clocks),
    )


def entered(shop: Shop, table: str, rows: list[Row]) -> list[str]:
    """The ids of rows that the owner enters in one request."""
    return [str(row["id"]) for row in insert_all(shop.venue.owner, table, rows)] if rows else []


def arrange(shop: Shop, shelf: Shelf) -> tuple[str, list[str], Row]:
    """The same shelf as a venue would enter it: room, ids of rules, options of the quote."""
    shop.venue.owner.change(
        "update public.locations set timezone = %s where id = %s", shelf.zone, shop.location_id
    )
    fee, fee_value, fee_rate = shelf.fee
    shop.set_calendar(fee_kind=fee, fee_value=fee_value, fee_tax_rate_bp=fee_rate)
    room = shop.add_room(
        mode="shared",
        minimum_party=1,
        maximum_party=8,
        price_per=shelf.price_per,
        price_cents=shelf.price,
        tax_rate_bp=shelf.rate,
        exclusive_price_cents=shelf.exclusive,
        deposit_kind=shelf.deposit[0],
        deposit_value=shelf.deposit[1],
    )
    entered(
        shop,
        "price_tiers",
        [
            {"room_id": room, "minimum_party": minimum, "price_cents": price}
            for minimum, price in shelf.tiers.items()
        ],
    )
    ids = entered(
        shop,
        "price_rules",
        [
            {
                "room_id": room if rule.own else None,
                "name": "Rule",
                "priority": rule.priority,
                "weekdays": sorted(rule.weekdays),
                "from_time": rule.from_time,
                "until_time": rule.until_time,
                "from_date": rule.from_date,
                "until_date": rule.until_date,
                "kind": rule.kind,
                "value": rule.value,
                "is_active": rule.active,
            }
            for rule in shelf.rules
        ],
    )
    extra_ids = entered(
        shop,
        "extras",
        [
            {
                "names": Jsonb({"en": "Photo"}),
                "price_per": extra.per,
                "price_cents": extra.price,
                "tax_rate_bp": extra.rate,
                "maximum_quantity": 3,
            }
            for extra in shelf.extras
        ],
    )
    extras = [
        {"extra_id": extra_id, "quantity": extra.quantity}
        for extra_id, extra in zip(extra_ids, shelf.extras, strict=True)
    ]
    options: Row = {"calendar_id": shop.calendar_id, "extras": extras}
    if shelf.wants_exclusive:
        options["exclusive"] = True
    if shelf.override is not None:
        options["price_cents"] = shelf.override
    if shelf.coupon:
        kind, value = shelf.coupon
        options["coupon_code"] = shop.add_coupon(kind=kind, value=value)["code"]
    if shelf.voucher:
        options["voucher_code"] = shop.add_voucher(shelf.voucher)["code"]
    return room, ids, options


@pytest.fixture
def shop(house: House) -> Shop:
    """Opened once for all examples, each of which puts back what it changes."""
    return open_shop(house, "Model")


def slot_of(room: str, shelf: Shelf, starts_at: datetime) -> tuple[object, ...]:
    """The slot as private.slots would give it."""
    zone = ZoneInfo(shelf.zone)
    wall = starts_at.astimezone(zone).replace(tzinfo=None)
    ends_at = starts_at + timedelta(hours=1)
    return (room, starts_at, ends_at, ends_at, wall, shelf.zone, "shared", 8, 8, shelf.party)


_SLOT = "row(%s,%s,%s,%s,%s,%s,%s,%s,%s,%s)::private.slot"


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shelf=shelves())
def test_the_database_asks_for_the_same_cents_as_the_model(
    house: House, shop: Shop, shelf: Shelf
) -> None:
    # A clock that a gap leaves out is read as the instant after it; the price is the wall's.
    starts_at = datetime.combine(shelf.day, shelf.clock, tzinfo=ZoneInfo(shelf.zone)).astimezone(
        UTC
    )
    wall = starts_at.astimezone(ZoneInfo(shelf.zone)).replace(tzinfo=None)
    with house.connection.transaction(force_rollback=True):
        room, ids, options = arrange(shop, shelf)
        slot = slot_of(room, shelf, starts_at)
        quote: Row = house.one(
            f"select to_jsonb(private.quote(%s, {_SLOT},"
            " jsonb_populate_record(null::private.booking_request, %s)))",
            shop.id,
            *slot,
            Jsonb(options),
        )
        # Availability prices many at once: each as if it were alone.
        other = slot_of(room, shelf, starts_at + timedelta(hours=3))
        both = house.owner_sql(
            f"select * from private.base_prices(%s, array[{_SLOT}, {_SLOT}, {_SLOT}])",
            shop.id,
            *slot,
            *other,
            *slot,
        )

    expected = model(shelf, wall, ids)
    event(f"{len(expected['lines'])} lines")
    for one in quote["lines"]:
        one.pop("description")
        one.pop("extra_id")
    assert {key: quote[key] for key in expected} == expected
    later = other[4]
    assert isinstance(later, datetime)
    assert [tuple(row.values()) for row in both] == [
        seats(shelf, at, ids) for at in (wall, later, wall)
    ]

    assert 0 <= quote["tax_cents"] <= quote["total_cents"]
    assert 0 <= quote["due_now_cents"] <= quote["total_cents"]
    assert 0 <= quote["voucher_cents"] <= quote["total_cents"]
    for one in quote["lines"]:
        assert one["total_cents"] == one["quantity"] * one["unit_cents"]
        assert abs(one["tax_cents"]) <= abs(one["total_cents"])
    without_fee = [one for one in quote["lines"] if one["kind"] != "fee"]
    for rate in {one["tax_rate_bp"] for one in without_fee}:
        assert sum(o["total_cents"] for o in without_fee if o["tax_rate_bp"] == rate) >= 0
        assert sum(o["tax_cents"] for o in without_fee if o["tax_rate_bp"] == rate) >= 0


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(shelf=shelves())
def test_what_is_shown_quoted_and_booked_is_the_same(
    house: House, shop: Shop, shelf: Shelf
) -> None:
    """Through the public functions, with the day and clock left to what the room offers."""
    with house.connection.transaction(force_rollback=True):
        room, _, options = arrange(shop, shelf)
        shop.open_on(room, "00:00", "00:00", slot_interval_minutes=225)
        anyday = {"from_date": None, "until_date": None}
        change(shop.venue.owner, "price_rules", anyday, organization_id=shop.id)
        del options["calendar_id"]
        options.pop("price_cents", None)
        offered = shop.available(3, 3, room_id=room, party_size=shelf.party)
        shown = {row["starts_at"]: row["price_cents"] for row in offered}
        start = offered[len(shelf.rules) % len(offered)]["starts_at"]
        alone = shop.quote(room, start, shelf.party)
        quote = shop.quote(room, start, shelf.party, **options)
        held = shop.hold(room, start, party_size=shelf.party, total=quote["total_cents"], **options)
        booked = shop.look(held)

    assert alone["lines"][0]["total_cents"] == shown[start]
    for one in quote["lines"] + booked["lines"]:
        del one["extra_id"]
    assert booked["lines"] == quote["lines"]
    for key in ("total_cents", "due_now_cents"):
        assert booked[key] == quote[key] == held[key]
    assert booked["paid_cents"] == quote["voucher_cents"]
    confirmed = quote["due_now_cents"] <= quote["voucher_cents"]
    assert held["status"] == booked["status"] == ("confirmed" if confirmed else "held")
