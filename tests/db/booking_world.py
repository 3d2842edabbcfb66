"""A venue with rooms and a calendar, for the tests of catalogue, availability and booking.

Staff act through the tables and functions that they have, visitors through the public ones. Only
time is moved behind the database's back: a transaction's now() does not move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql
from psycopg.types.json import Jsonb

from client import Client
from matrix.house import House, Venue

Row = dict[str, Any]

PRICE = 2_500
#: Reasons that say nothing: punctuation, marks without their letter, a filler with a full stop.
WORDLESS = [".", "...", "\u0301", "\u0308\u0344", "\u0488", "\u20e3", "\u3164."]

GUEST = {"full_name": "Ana García", "email": "ana@example.test"}

#: What a party can only have done when its time has come.
ON_THE_DAY = ("checked_in", "in_progress", "completed", "no_show")
#: Further than any calendar of these tests sells ahead, so that nothing meets in the past.
A_YEAR = timedelta(days=365)

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Shop:
    """A venue that sells rooms on one public calendar.

    Attributes:
        venue: The organization; its owner arranges everything.
        slug: The calendar's public address.
        zone: The clock of its location.
    """

    venue: Venue
    location_id: str
    calendar_id: str
    slug: str
    zone: ZoneInfo

    @property
    def house(self) -> House:
        return self.venue.house

    @property
    def id(self) -> str:
        return self.venue.id

    @property
    def visitor(self) -> Client:
        return self.house.nobody

    @property
    def today(self) -> date:
        """The venue's date at the transaction's now()."""
        now = self.house.one("select now()")
        assert isinstance(now, datetime)
        return now.astimezone(self.zone).date()

    def at(self, days: int, clock: str = "12:00") -> datetime:
        """That wall-clock time, so many days from today."""
        return datetime.combine(
            self.today + timedelta(days), time.fromisoformat(clock), tzinfo=self.zone
        )

    def insert(self, table: str, **values: object) -> Row:
        """One row, inserted by the owner as a client would."""
        return insert(self.venue.owner, table, **values)

    def add_room(self, **values: object) -> str:
        """A published room on the calendar, 60 minutes and 30 of turnaround, for 2 to 6."""
        number = next(_numbers)
        room = self.insert(
            "rooms",
            **{
                "location_id": self.location_id,
                "slug": f"room-{number}",
                "name": f"Room {number}",
                "price_cents": PRICE,
                "is_published": True,
                **values,
            },
        )
        self.insert("calendar_rooms", calendar_id=self.calendar_id, room_id=room["id"])
        return str(room["id"])

    def open_on(
        self, room_id: str, opens: str, closes: str, *weekdays: int, **values: object
    ) -> None:
        """Weekly windows; on every day if none is named."""
        window = {"room_id": room_id, "opens_at": opens, "closes_at": closes, **values}
        insert_all(
            self.venue.owner,
            "schedules",
            [{"weekday": weekday, **window} for weekday in weekdays or range(1, 8)],
        )

    def set_calendar(self, **values: object) -> None:
        change(self.venue.owner, "calendars", values, id=self.calendar_id)

    def set_room(self, room_id: str, **values: object) -> None:
        change(self.venue.owner, "rooms", values, id=room_id)

    def slots(self, room_id: str, first: date, last: date | None = None) -> list[Row]:
        """All that the room offers, at whatever distance from now, taken or not."""
        return self.house.owner_sql(
            "select * from private.slots(%s, %s::uuid[], %s, %s, null, null, null)",
            self.id,
            [room_id],
            first,
            last or first,
        )

    def starts(self, room_id: str, day: date) -> list[str]:
        """The wall-clock starts of a date."""
        return [row["local_start"].strftime("%H:%M") for row in self.slots(room_id, day)]

    def available(self, first: int = 1, last: int = 1, **values: object) -> list[Row]:
        """What a visitor is offered, from and to so many days from today."""
        return self.visitor.select(
            "select * from public.get_availability("
            "slug => %s, from_date => %s, to_date => %s, room_id => %s, party_size => %s,"
            " include_taken => %s)",
            self.slug,
            self.today + timedelta(first),
            self.today + timedelta(last),
            values.get("room_id"),
            values.get("party_size"),
            values.get("include_taken", False),
        )

    def times(self, room_id: str, day: int = 1, **values: object) -> list[str]:
        """The wall-clock times that a visitor is offered on one day."""
        return [row["local_time"] for row in self.available(day, day, room_id=room_id, **values)]

    def hold(
        self,
        room_id: str,
        starts_at: datetime | None,
        *,
        by: Client | None = None,
        party_size: int | None = 2,
        total: int | None = None,
        customer: Mapping[str, object] | None = None,
        key: str | None = None,
        **options: Any,
    ) -> Row:
        """A hold by a visitor; the total is the party's price unless something else is said.

        Options are further parameters of hold_booking: extras, coupon_code, and so on.
        """
        booked: Row = (by or self.visitor).call(
            "hold_booking",
            slug=self.slug,
            room_id=room_id,
            starts_at=starts_at,
            party_size=party_size,
            customer=dict(GUEST if customer is None else customer),
            expected_total_cents=PRICE * (party_size or 0) if total is None else total,
            idempotency_key=f"key-{next(_numbers)}" if key is None else key,
            **in_json(options),
        )
        return booked

    def quote(
        self,
        room_id: str,
        starts_at: datetime,
        party_size: int = 2,
        *,
        by: Client | None = None,
        **options: Any,
    ) -> Row:
        """What a visitor is told that it costs."""
        quoted: Row = (by or self.visitor).call(
            "quote_booking",
            slug=self.slug,
            room_id=room_id,
            starts_at=starts_at,
            party_size=party_size,
            **in_json(options),
        )
        return quoted

    def book(self, room_id: str, starts_at: datetime, party_size: int = 2, **options: Any) -> Row:
        """A hold at the price that was quoted."""
        priced: dict[str, Any] = {
            name: value
            for name, value in options.items()
            if name in ("extras", "coupon_code", "voucher_code", "exclusive")
        }
        total = self.quote(room_id, starts_at, party_size, **priced)["total_cents"]
        return self.hold(room_id, starts_at, party_size=party_size, total=total, **options)

    def add_extra(self, **values: object) -> str:
        """An extra at 5.00 a booking, in every room."""
        extra = self.insert(
            "extras",
            **{"names": Jsonb({"es": "Foto", "en": "Photo"}), "price_cents": 500, **values},
        )
        return str(extra["id"])

    def add_coupon(self, code: str = "VERANO", **values: object) -> Row:
        """A coupon of 10 % without limits."""
        made: Row = self.venue.owner.call(
            "create_coupon",
            **{"organization_id": self.id, "code": code, "kind": "percent", "value": 10, **values},
        )
        return made

    def add_voucher(self, cents: int = 10_000, **values: object) -> Row:
        """A voucher that anybody may pay with."""
        made: Row = self.venue.owner.call(
            "issue_voucher",
            **{
                "organization_id": self.id,
                "amount_cents": cents,
                "idempotency_key": f"voucher-{next(_numbers)}",
                **values,
            },
        )
        return made

    def voucher(self, made: Row) -> Row:
        """The voucher as it is now; its balance must be the sum of its entries."""
        (row,) = self.house.owner_sql(
            "select v.*, (select sum(e.amount_cents) from public.voucher_entries as e"
            " where e.organization_id = v.organization_id and e.voucher_id = v.id) as entries"
            " from public.vouchers as v where v.organization_id = %s and v.id = %s",
            self.id,
            made["id"],
        )
        assert row["balance_cents"] == row["entries"]
        return row

    def look(self, booking: Row) -> Row:
        """The booking as its customer sees it."""
        seen: Row = self.visitor.call(
            "get_booking",
            reference=booking["reference"],
            manage_token=booking["manage_token"],
        )
        return seen

    def cancel(self, booking: Row) -> Row:
        """Cancelled by its customer."""
        seen: Row = self.visitor.call(
            "cancel_booking",
            reference=booking["reference"],
            manage_token=booking["manage_token"],
        )
        return seen

    def id_of(self, booking: Row) -> str:
        return str(
            self.house.one(
                "select id from public.bookings where organization_id = %s and reference = %s",
                self.id,
                booking["reference"],
            )
        )

    def move(
        self, booking: Row, to_status: str | None, by: Client | None = None, **values: object
    ) -> Row:
        """A transition by staff; what can only be so on the day or after it, once that is past."""
        if to_status in ON_THE_DAY and self.starts_at(booking) > self.house.one("select now()"):
            self.move_in_time(booking, -A_YEAR)
        return self.move_now(booking, to_status, by, **values)

    def move_now(
        self, booking: Row, to_status: str | None, by: Client | None = None, **values: object
    ) -> Row:
        """A transition by staff, whenever its game is."""
        moved: Row = (by or self.venue.owner).call(
            "transition_booking",
            organization_id=self.id,
            booking_id=self.id_of(booking),
            to_status=to_status,
            **values,
        )
        return moved

    def starts_at(self, booking: Row) -> datetime:
        starts = self.house.one(
            "select starts_at from public.bookings where id = %s", self.id_of(booking)
        )
        assert isinstance(starts, datetime)
        return starts

    def start_in(self, booking: Row, ahead: timedelta) -> None:
        """Let its game start so long from now."""
        now = self.house.one("select now()")
        self.move_in_time(booking, now + ahead - self.starts_at(booking))

    def lapse(self, booking: Row) -> None:
        """Let the time of a hold be over."""
        self.house.owner_sql(
            "update public.bookings set hold_expires_at = now()"
            " where organization_id = %s and reference = %s and hold_expires_at is not null",
            self.id,
            booking["reference"],
        )

    def pay(self, booking: Row, cents: int) -> None:
        """Money that arrived, as an entry of the ledger."""
        self.house.owner_sql(
            "insert into public.payments"
            " (organization_id, booking_id, method, amount_cents, currency)"
            " select organization_id, id, 'cash', %s, currency from public.bookings"
            " where organization_id = %s and reference = %s",
            cents,
            self.id,
            booking["reference"],
        )

    def move_in_time(self, booking: Row, by: timedelta) -> None:
        """Let its session have been at another time."""
        self.house.owner_sql(
            "update public.sessions as s set starts_at = s.starts_at + m.by,"
            " ends_at = s.ends_at + m.by, occupied_until = s.occupied_until + m.by"
            " from public.bookings as b, (select %s::interval as by) as m"
            " where b.organization_id = s.organization_id and b.session_id = s.id and b.id = %s",
            by,
            self.id_of(booking),
        )

    def history(self, booking: Row) -> list[Row]:
        """Every status that it took, in order of time, with the words in which staff said why."""
        return self.house.owner_sql(
            "select h.*, coalesce(r.reason, h.reason) as reason from public.booking_history as h"
            " left join public.booking_reasons as r"
            " on r.organization_id = h.organization_id and r.history_id = h.id"
            " where h.organization_id = %s and h.booking_id = %s order by h.occurred_at",
            self.id,
            self.id_of(booking),
        )

    def sessions(self) -> list[Row]:
        """Every session, in order of time."""
        return self.house.owner_sql(
            "select * from public.sessions where organization_id = %s"
            " order by starts_at, created_at",
            self.id,
        )


def open_shop(house: House, name: str, zone: str = "Europe/Madrid", **calendar: object) -> Shop:
    """A venue with one location and a calendar that sells up to a year ahead.

    Where such a shop is ready it is taken, and changed into what is asked for.
    """
    venue = house.open_venue(name)
    if name == house.ready and (shop := _ready_shop(venue)):
        if shop.zone.key != zone:
            change(venue.owner, "locations", {"timezone": zone}, id=shop.location_id)
        if calendar:
            shop.set_calendar(**calendar)
        return replace(shop, zone=ZoneInfo(zone))
    location = insert(venue.owner, "locations", name=name, timezone=zone)
    made = insert(
        venue.owner,
        "calendars",
        **{"slug": f"{venue.slug}-calendar", "name": name, "maximum_advance_days": 365, **calendar},
    )
    return Shop(venue, str(location["id"]), str(made["id"]), made["slug"], ZoneInfo(zone))


def _ready_shop(venue: Venue) -> Shop | None:
    """The shop that a ready venue has, unless it is a bare one."""
    rows = venue.house.owner_sql(
        "select l.id::text as location_id, c.id::text as calendar_id, c.slug, l.timezone"
        " from public.locations as l join public.calendars as c using (organization_id)"
        " where organization_id = %s",
        venue.id,
    )
    for row in rows:
        zone = ZoneInfo(row["timezone"])
        return Shop(venue, row["location_id"], row["calendar_id"], row["slug"], zone)
    return None


def taking(extra_id: str, quantity: int = 1) -> Row:
    """One of the extras that a party asks for."""
    return {"extra_id": extra_id, "quantity": quantity}


def in_json(options: Mapping[str, object]) -> dict[str, object]:
    """Lists as JSON, which is what the functions take; objects are sent as JSON in any case."""
    return {k: Jsonb(v) if isinstance(v, list) else v for k, v in options.items()}


def ask(shop: Shop, key: str, **values: object) -> None:
    """Let the calendar ask a question of its own."""
    label = Jsonb({"en": key.title()})
    shop.insert("calendar_fields", calendar_id=shop.calendar_id, key=key, label=label, **values)


def insert(client: Client, table: str, **values: object) -> Row:
    """One row, as PostgREST inserts it."""
    (row,) = insert_all(client, table, [values])
    return row


def insert_all(client: Client, table: str, rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Rows that name the same columns, in one request."""
    values = sql.SQL("({})").format(sql.SQL(", ").join(sql.Placeholder() for _ in rows[0]))
    statement = sql.SQL("insert into public.{} ({}) values {} returning *").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, rows[0])),
        sql.SQL(", ").join(values for _ in rows),
    )
    return client.select(statement.as_string(), *(row[c] for row in rows for c in rows[0]))


def change(client: Client, table: str, values: Mapping[str, object], **where: object) -> int:
    """Update the rows that match; how many there were."""
    statement = sql.SQL("update public.{} set {} where {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(c)) for c in values),
        sql.SQL(" and ").join(sql.SQL("{} = %s").format(sql.Identifier(c)) for c in where),
    )
    return client.change(statement.as_string(), *values.values(), *where.values())
