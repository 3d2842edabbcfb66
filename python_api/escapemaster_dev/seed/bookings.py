"""Two months of bookings and two weeks to come: what came, what is coming, what fell through.

Everything is booked through the public RPCs. They book only times to come, so the past is
booked weeks ahead, on the same weekdays, two weeks at a time, and then moved back by the
database's owner: sessions (bookings follow by their foreign key), the dates of bookings, history
and customers, and the payments taken then, which nobody may record with a date in the past. What
happened on the day (check-in, start, end, no-show) is told by the staff's own RPC afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb

from escapemaster_dev.seed.catalogue import OpenVenue
from escapemaster_dev.seed.clients import Client, Connection, as_owner
from escapemaster_dev.seed.plan import Fate, Slot, Visit, full_house, visits
from escapemaster_dev.seed.venues import SPARE_GUEST, RoleKey

BACK = timedelta(days=28)
#: Two months, so that one can be compared with the one before.
WEEKS_BACK = 8
#: By then a venue may say of a party that it did not come (locations.no_show_minutes).
SURELY_LATE = timedelta(minutes=15)
DAYS_AHEAD = 15


@dataclass(frozen=True, slots=True)
class Booked:
    """A visit that was booked, with what the visitor and the staff know it by."""

    visit: Visit
    booking_id: str
    total_cents: int
    reference: str
    manage_token: str


@dataclass(frozen=True, slots=True)
class Filled:
    """How many bookings were made, those whose game is over, and those that are sure to come."""

    bookings: int
    played: Sequence[Booked]
    coming: Sequence[Booked]


def fill(connection: Connection, opened: OpenVenue, now: datetime) -> Filled:
    """Book a venue's past and what is to come."""
    desk = _Desk(connection, opened)
    today = now.astimezone(ZoneInfo(opened.venue.timezone)).date()
    past, played = [], []
    for weeks in range(0, WEEKS_BACK, 2):
        lately, ended = _two_weeks(connection, opened, desk, now, weeks)
        past += lately
        played += ended
    # Only now: the sweep completes visits of which nobody has said how they went.
    as_owner(connection).execute("select service.sweep()")
    _take_money_then(connection, opened, _of(past, "came", "no_show"))
    _backdate(connection, opened, past)

    full_day = desk.fullest_day(today + timedelta(days=4))
    coming = desk.book(
        _made_before(now, visit)
        for slot in desk.offered(today, today + timedelta(days=DAYS_AHEAD))
        if slot.local_date != full_day
        for visit in visits(opened.venue, slot, None)
    )
    desk.move_to("pending", "receptionist", _of(coming, "pending"))
    desk.cancel(_of(coming, "cancelled"))
    sold_out = desk.sell_out(full_day, now)
    paid = [*_of(coming, "paid"), *sold_out]
    desk.move_to("confirmed", "receptionist", paid)
    _take_money_then(connection, opened, paid)
    _backdate(connection, opened, [*paid, *_of(coming, "cancelled")])
    desk.block_a_slot(full_day + timedelta(days=1))
    return Filled(len(past) + len(coming) + len(sold_out), played, paid)


def _made_before(now: datetime, visit: Visit) -> Visit:
    """One to come, booked some hours or days ago."""
    hours = 1 + 5 * max(0, (visit.takes_place_at - now).days)
    return replace(visit, made_at=min(visit.made_at, now - timedelta(hours=hours)))


def _two_weeks(
    connection: Connection, opened: OpenVenue, desk: _Desk, now: datetime, weeks: int
) -> tuple[list[Booked], list[Booked]]:
    """Book two weeks of the past that ended so many weeks ago; all of them, and those played."""
    last = now.astimezone(ZoneInfo(opened.venue.timezone)).date() - timedelta(weeks=weeks)
    first = last - timedelta(days=13)
    # To the next of such days that are all to come.
    back = BACK * (1 + weeks // 4)
    booked = desk.book(
        visit
        for slot in desk.offered(first + back, last + back)
        for visit in visits(opened.venue, slot, back)
        if visit.takes_place_at < now - SURELY_LATE
    )
    desk.move_to("confirmed", "receptionist", _of(booked, "came", "no_show"))
    desk.cancel(_of(booked, "cancelled"))
    # Before the next two weeks are booked at the same times.
    _move_back(connection, opened, booked)
    came = _of(booked, "came")
    desk.move_to("no_show", "game_master", _of(booked, "no_show"))
    desk.move_to("checked_in", "game_master", came)
    desk.move_to("in_progress", "game_master", came)
    played = [one for one in came if one.visit.ends_at <= now]
    desk.move_to("completed", "game_master", played)
    return booked, played


class _Desk:
    """What visitors and staff do through the API."""

    def __init__(self, connection: Connection, opened: OpenVenue) -> None:
        self._opened = opened
        self._visitor = Client(connection, None)
        self._rooms = {
            opened.rooms[room.slug]: room for room in opened.venue.rooms if room.is_published
        }

    def offered(self, first: date, last: date) -> list[Slot]:
        """What the calendar offers on local days, as every visitor sees it."""
        rows = self._visitor.rows(
            "select a.room_id::text as room_id, a.starts_at, a.local_date, a.seats_available"
            " from public.get_availability(%(slug)s, %(first)s, %(last)s) as a",
            {"slug": self._opened.venue.slug, "first": first, "last": last},
        )
        return [
            Slot(
                self._rooms[row["room_id"]],
                row["room_id"],
                row["starts_at"],
                row["local_date"],
                row["seats_available"],
            )
            for row in rows
        ]

    def fullest_day(self, first: date) -> date:
        """The first day from that one on when every room is open."""
        open_rooms: dict[date, set[str]] = {}
        for slot in self.offered(first, first + timedelta(days=10)):
            open_rooms.setdefault(slot.local_date, set()).add(slot.room_id)
        return min(day for day, rooms in open_rooms.items() if len(rooms) == len(self._rooms))

    def sell_out(self, day: date, now: datetime) -> list[Booked]:
        """Take all places of a day. One of the bookings is a private game for two."""
        house = [
            _made_before(now, full_house(self._opened.venue, slot))
            for slot in self.offered(day, day)
        ]
        spare = max(
            (one for one in house if one.slot.room.mode == "private"),
            key=lambda one: (
                one.slot.room.slug != self._opened.venue.waiver_room,
                one.takes_place_at,
            ),
        )
        return self.book(
            replace(one, party=2, guest=SPARE_GUEST) if one is spare else one for one in house
        )

    def book(self, wanted: Iterable[Visit]) -> list[Booked]:
        """Ask for the prices, then take the places."""
        planned = list(wanted)
        asked = [
            {
                "slug": self._opened.venue.slug,
                "room_id": visit.slot.room_id,
                "starts_at": visit.slot.starts_at,
                "party_size": visit.party,
                "extras": Jsonb(
                    [
                        {"extra_id": self._opened.extras[place], "quantity": 1}
                        for place in sorted(visit.extras)
                    ]
                ),
                "coupon_code": self._opened.venue.coupon.code if visit.has_coupon else None,
            }
            for visit in planned
        ]
        quotes = self._visitor.call_each("quote_booking", asked)
        held = self._visitor.call_each(
            "hold_booking",
            [
                {
                    **question,
                    "customer": {
                        "full_name": visit.guest,
                        "email": visit.email,
                        "phone": visit.phone,
                        "locale": visit.locale,
                    },
                    "fields": visit.answers,
                    "consents": Jsonb(
                        [
                            {
                                "kind": "terms",
                                "granted": True,
                                "wording": self._opened.venue.terms[visit.locale],
                            }
                        ]
                    ),
                    "expected_total_cents": quote["total_cents"],
                    "idempotency_key": f"demo {visit.takes_place_at} {visit.slot.room.slug} {turn}",
                }
                for turn, (visit, question, quote) in enumerate(
                    zip(planned, asked, quotes, strict=True)
                )
            ],
        )
        # A visitor knows a booking by its reference, the staff's functions want its id.
        ids = {
            row["reference"]: row["id"]
            for row in self._staff("receptionist").rows(
                "select reference, id::text as id from public.bookings"
            )
        }
        return [
            Booked(
                visit,
                ids[answer["reference"]],
                answer["total_cents"],
                answer["reference"],
                answer["manage_token"],
            )
            for visit, answer in zip(planned, held, strict=True)
        ]

    def move_to(self, status: str, role: RoleKey, booked: Sequence[Booked]) -> None:
        self._staff(role).call_each(
            "transition_booking", [self._ours(one) | {"to_status": status} for one in booked]
        )

    def cancel(self, booked: Sequence[Booked]) -> None:
        self._visitor.call_each(
            "cancel_booking",
            [{"reference": one.reference, "manage_token": one.manage_token} for one in booked],
        )

    def block_a_slot(self, day: date) -> None:
        """The first free time from a day on goes to maintenance."""
        slot = self.offered(day, day + timedelta(days=6))[0]
        self._staff("manager").call(
            "block_room",
            organization_id=self._opened.organization_id,
            room_id=slot.room_id,
            starts_at=slot.starts_at,
            ends_at=slot.starts_at + timedelta(minutes=slot.room.duration_minutes),
            reason="Revisión de la sala" if self._opened.venue.locale == "es" else "Maintenance",
        )

    def _staff(self, role: RoleKey) -> Client:
        return self._opened.staff[role]

    def _ours(self, one: Booked) -> dict[str, Any]:
        return {
            "organization_id": self._opened.organization_id,
            "booking_id": one.booking_id,
        }


def _of(booked: Sequence[Booked], *fates: Fate) -> list[Booked]:
    return [one for one in booked if one.visit.fate in fates]


def _move_back(connection: Connection, opened: OpenVenue, booked: Sequence[Booked]) -> None:
    """Weeks back on the venue's clock; what nobody paid for lapses with the next sweep."""
    values = {
        "organization": opened.organization_id,
        "bookings": [one.booking_id for one in booked],
        "starts": [one.visit.takes_place_at for one in booked],
    }
    owner = as_owner(connection)
    owner.execute(
        """
        with moved as (
          select distinct b.session_id, v.starts_at
          from unnest(%(bookings)s::uuid [], %(starts)s::timestamptz [])
            as v (booking_id, starts_at)
          join public.bookings as b
            on b.organization_id = %(organization)s and b.id = v.booking_id
        )
        update public.sessions as s
        set starts_at = moved.starts_at,
          ends_at = moved.starts_at + (s.ends_at - s.starts_at),
          occupied_until = moved.starts_at + (s.occupied_until - s.starts_at)
        from moved
        where s.organization_id = %(organization)s and s.id = moved.session_id
        """,
        values,
    )
    owner.execute(
        """
        update public.bookings as b
        set hold_expires_at = b.starts_at
        where b.organization_id = %(organization)s
          and b.id = any (%(bookings)s::uuid []) and b.status = 'held'
        """,
        values,
    )


def _take_money_then(connection: Connection, opened: OpenVenue, booked: Sequence[Booked]) -> None:
    """What the desk took on earlier days. No client may date a payment back, or change one."""
    clerk = json.dumps({"kind": "user", "id": opened.user_ids["receptionist"]})
    as_owner(connection).cursor().executemany(
        "insert into public.payments (organization_id, booking_id, method, amount_cents, currency,"
        " occurred_at, recorded_by) values (%s, %s, %s, %s, %s, %s, %s)",
        [
            (
                opened.organization_id,
                one.booking_id,
                one.visit.method,
                one.total_cents,
                opened.venue.currency,
                one.visit.made_at + timedelta(minutes=4),
                clerk,
            )
            for one in booked
        ],
    )


def _backdate(connection: Connection, opened: OpenVenue, booked: Sequence[Booked]) -> None:
    """Give bookings, history and customers the dates that they would have had."""
    moments = [
        (one.booking_id, status, moment)
        for one in booked
        for status, moment in _moments(one.visit).items()
    ]
    values = {
        "organization": opened.organization_id,
        "bookings": [booking_id for booking_id, _, _ in moments],
        "statuses": [status for _, status, _ in moments],
        "moments": [moment for _, _, moment in moments],
    }
    owner = as_owner(connection)
    owner.execute(
        """
        update public.booking_history as h
        set occurred_at = v.moment
        from unnest(%(bookings)s::uuid [], %(statuses)s::text [], %(moments)s::timestamptz [])
          as v (booking_id, status, moment)
        where h.organization_id = %(organization)s
          and h.booking_id = v.booking_id and h.to_status = v.status
        """,
        values,
    )
    owner.execute(
        """
        update public.bookings as b
        set created_at = h.occurred_at
        from public.booking_history as h
        where b.organization_id = %(organization)s and b.id = any (%(bookings)s::uuid [])
          and h.organization_id = b.organization_id and h.booking_id = b.id and h.to_status = 'held'
        """,
        values,
    )
    owner.execute(
        """
        update public.customers as c
        set created_at = b.first_at
        from (
          select customer_id, min(created_at) as first_at
          from public.bookings
          where organization_id = %(organization)s
          group by customer_id
        ) as b
        where c.organization_id = %(organization)s and c.id = b.customer_id
        """,
        values,
    )


def _moments(visit: Visit) -> dict[str, datetime]:
    """When a visit would have reached each status."""
    start = visit.takes_place_at
    return {
        "held": visit.made_at,
        "confirmed": visit.made_at + timedelta(minutes=4),
        "cancelled": visit.made_at + timedelta(minutes=11),
        "expired": visit.made_at + timedelta(minutes=15),
        "checked_in": start - timedelta(minutes=7),
        "no_show": start + timedelta(minutes=20),
        "in_progress": start + timedelta(minutes=2),
        "completed": visit.ends_at,
    }
