"""Everybody at once: visitors and staff of one venue who do whatever comes to their mind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from client import Client, Connection, Refused
from db.booking_world import GUEST, Row, Shop, change, taking
from matrix.house import House

#: Days from today on which the crowd wants to come.
DAYS = (1, 2, 3)

#: What a request may be answered in a crowd. Anything else is a defect.
EXPECTED = {
    "ok",
    "404 assignment_not_found",
    "404 block_not_found",
    "409 booking_changed",
    "409 extra_sold_out",
    "409 game_master_busy",
    "409 not_cancellable",
    "409 not_payable",
    "409 not_reschedulable",
    "409 place_available",
    "409 session_not_open",
    "409 slot_taken",
    "409 too_early",
    "409 too_many_waitlist_entries",
    "409 total_changed",
    "409 transition_not_allowed",
    "422 amount_too_high",
    "422 coupon_max_uses",
    "422 nothing_to_change",
    # The desk sells more than the calendar does, and a customer moves within the calendar.
    "422 party_size_invalid",
    "422 voucher_empty",
    "503 booking_changed",
}


@dataclass(slots=True)
class Acknowledged:
    """What a client was told about one booking."""

    booking: Row
    paid_cents: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """What the crowd fights for: a few times in three rooms, a coupon with few uses, a voucher
    with little on it, an extra of which there is one a session, three game masters."""

    rooms: list[str]
    starts: list[datetime]
    extra: str
    coupon: str
    voucher: str
    game_masters: list[str]


@dataclass(slots=True)
class Person:
    """One of the crowd: a visitor and a member of the staff, on one connection."""

    shop: Shop
    visitor: Client
    chance: random.Random
    place: Place
    mine: list[Acknowledged] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    def use(self, connection: Connection) -> None:
        """From now on everything goes over this connection."""
        owner = replace(self.shop.venue.owner, connection=connection)
        venue = replace(self.shop.venue, owner=owner, house=House(connection))
        self.shop = replace(self.shop, venue=venue)
        self.visitor = replace(self.visitor, connection=connection)

    def act(self) -> None:
        """Do one thing, and count how it was answered.

        Raises:
            psycopg.OperationalError: the server is gone.
        """
        name, does = self.chance.choices(_ACTIONS, [weight for *_, weight in _WEIGHTED])[0]
        try:
            does(self)
            answer = "ok"
        except Refused as refusal:
            if isinstance(refusal.__cause__, psycopg.OperationalError):
                raise refusal.__cause__ from None
            answer = f"{refusal.status} {refusal.code}"
            if answer not in EXPECTED:
                answer += f" of {name}"
        self.answers[answer] += 1

    def some(self) -> Acknowledged | None:
        """One of the last bookings that this person made; the earlier ones are mostly over."""
        return self.chance.choice(self.mine[-3:]) if self.mine else None

    def key(self) -> str:
        return f"{self.chance.random()}"

    def guest(self) -> Row:
        return {**GUEST, "email": f"guest-{self.chance.randint(1, 6)}@example.test"}

    def hold(self) -> None:
        booking = self.shop.hold(
            self.chance.choice(self.place.rooms),
            self.chance.choice(self.place.starts),
            by=self.visitor,
            party_size=self.chance.randint(1, 3),
            customer=self.guest(),
            key=self.key(),
        )
        self.mine.append(Acknowledged(booking))

    def hold_with_all(self) -> None:
        """With an extra, the coupon or the voucher; what it costs is asked for first."""
        room, start = self.chance.choice(self.place.rooms), self.chance.choice(self.place.starts)
        size = self.chance.randint(1, 3)
        options: Row = {
            "extras": [taking(self.place.extra)] if self.chance.random() < 0.5 else [],
            "coupon_code": self.place.coupon if self.chance.random() < 0.5 else None,
            "voucher_code": self.place.voucher if self.chance.random() < 0.5 else None,
        }
        quoted = self.shop.quote(room, start, size, by=self.visitor, **options)
        booking = self.shop.hold(
            room,
            start,
            by=self.visitor,
            party_size=size,
            total=quoted["total_cents"],
            customer=self.guest(),
            key=self.key(),
            **options,
        )
        self.mine.append(Acknowledged(booking))

    def book_at_the_desk(self) -> None:
        booking = self.desk(
            "create_booking",
            room_id=self.chance.choice(self.place.rooms),
            starts_at=self.chance.choice(self.place.starts),
            party_size=self.chance.randint(1, 5),
            # Some leave no address.
            customer=self.guest() if self.chance.random() < 0.7 else {"full_name": "Walk In"},
            idempotency_key=self.key(),
        )
        self.mine.append(Acknowledged(booking))

    def reschedule(self) -> None:
        if known := self.some():
            changes = {
                "reference": known.booking["reference"],
                "manage_token": known.booking["manage_token"],
                **self.other_place(),
            }
            quoted = self.visitor.call("quote_reschedule", **changes)
            self.visitor.call(
                "reschedule_booking",
                **changes,
                expected_total_cents=quoted["total_cents"],
                idempotency_key=self.key(),
            )

    def change(self) -> None:
        if known := self.some():
            self.desk(
                "change_booking",
                booking_id=self.shop.id_of(known.booking),
                idempotency_key=self.key(),
                **self.other_place(),
            )

    def other_place(self) -> Row:
        wishes: Row = {
            "starts_at": self.chance.choice(self.place.starts),
            "room_id": self.chance.choice(self.place.rooms),
            "party_size": self.chance.randint(1, 3),
            "extras": Jsonb([taking(self.place.extra)] if self.chance.random() < 0.5 else []),
        }
        chosen = self.chance.sample(list(wishes), self.chance.randint(1, 3))
        return {wish: wishes[wish] for wish in chosen}

    def assign(self) -> None:
        sessions = self.shop.venue.owner.select(
            "select id from public.sessions where status = 'scheduled' and mode <> 'block'"
        )
        if sessions:
            self.desk(
                self.chance.choice(["assign_game_master", "unassign_game_master"]),
                session_id=self.chance.choice(sessions)["id"],
                user_id=self.chance.choice(self.place.game_masters),
            )

    def assign_all(self) -> None:
        day = self.chance.choice(self.place.starts).date()
        self.desk("auto_assign_game_masters", from_date=day, to_date=day)

    def wait(self) -> None:
        day = self.chance.choice(self.place.starts).date()
        self.visitor.call(
            "join_waitlist",
            slug=self.shop.slug,
            room_id=self.chance.choice([*self.place.rooms, None]),
            from_date=day,
            to_date=day,
            party_size=self.chance.randint(1, 3),
            customer=self.guest(),
            idempotency_key=self.key(),
        )

    def cancel(self) -> None:
        if known := self.some():
            self.visitor.call(
                "cancel_booking",
                reference=known.booking["reference"],
                manage_token=known.booking["manage_token"],
            )
            known.cancelled = True

    def pay(self) -> None:
        if known := self.some():
            cents = self.chance.choice([known.booking["total_cents"], 500])
            self.desk(
                "record_payment",
                booking_id=self.shop.id_of(known.booking),
                method="cash",
                amount_cents=cents,
                idempotency_key=f"{self.chance.random()}",
            )
            known.paid_cents += cents

    def confirm(self) -> None:
        if known := self.some():
            # A cancellation is taken back by it, perhaps without an answer.
            cancelled, known.cancelled = known.cancelled, False
            try:
                self.shop.move(known.booking, "confirmed", reason="paid, or not come after all")
            except Refused:
                known.cancelled = cancelled
                raise

    def check_in(self) -> None:
        if known := self.some():
            self.shop.move_now(known.booking, "checked_in")

    def lapse(self) -> None:
        if known := self.some():
            self.shop.lapse(known.booking)

    def sweep(self) -> None:
        self.shop.house.service.call("service.sweep")

    def block(self) -> None:
        start = self.chance.choice(self.place.starts)
        block = self.desk(
            "block_room",
            room_id=self.chance.choice(self.place.rooms),
            starts_at=start,
            ends_at=start + timedelta(hours=1),
        )
        self.desk("unblock_room", session_id=block["session_id"])

    def reclaim(self) -> None:
        if known := self.some():
            self.shop.house.owner_sql(
                "select private.settle_booking(%s, %s)",
                self.shop.id,
                self.shop.id_of(known.booking),
            )

    def look(self) -> None:
        if known := self.some():
            self.visitor.call(
                "get_booking",
                reference=known.booking["reference"],
                manage_token=known.booking["manage_token"],
            )

    def desk(self, function: str, **arguments: object) -> Any:
        """A call of the venue's owner."""
        return self.shop.venue.owner.call(function, organization_id=self.shop.id, **arguments)


_WEIGHTED: list[tuple[str, Callable[[Person], None], int]] = [
    ("hold", Person.hold, 10),
    ("hold_with_all", Person.hold_with_all, 4),
    ("book_at_the_desk", Person.book_at_the_desk, 2),
    ("cancel", Person.cancel, 6),
    ("reschedule", Person.reschedule, 4),
    ("change", Person.change, 2),
    ("pay", Person.pay, 4),
    ("confirm", Person.confirm, 1),
    ("check_in", Person.check_in, 1),
    ("lapse", Person.lapse, 2),
    ("sweep", Person.sweep, 1),
    ("block", Person.block, 1),
    ("reclaim", Person.reclaim, 2),
    ("look", Person.look, 1),
    ("assign", Person.assign, 3),
    ("assign_all", Person.assign_all, 1),
    ("wait", Person.wait, 2),
]
_ACTIONS = [(name, does) for name, does, _ in _WEIGHTED]


def crowd(shop: Shop, size: int) -> list[Person]:
    """So many people around one venue, whose rooms are all open at the same few times."""
    shop.set_calendar(waitlist_minutes=30)
    change(shop.venue.owner, "locations", {"check_in_hours": 48}, id=shop.location_id)
    rooms = [
        shop.add_room(mode=mode, minimum_party=1, maximum_party=4, capacity_limit=5)
        for mode in ("private", "private", "shared")
    ]
    game_masters = [shop.venue.hire(f"game_master_{n}_{shop.id}").id for n in range(3)]
    for room in rooms:
        shop.open_on(room, "10:00", "14:00", slot_interval_minutes=30)
        for person in game_masters:
            shop.insert("staff_skills", user_id=person, room_id=room)
    for person in game_masters:
        for day in DAYS:
            shop.insert(
                "staff_shifts",
                user_id=person,
                location_id=shop.location_id,
                date=shop.at(day).date(),
                from_time="09:00",
                to_time="20:00",
            )
    place = Place(
        rooms=rooms,
        starts=[shop.at(d, f"{10 + n // 2}:{n % 2 * 30:02}") for d in DAYS for n in range(6)],
        extra=shop.add_extra(stock_per_session=1),
        coupon=shop.add_coupon(maximum_uses=5)["code"],
        voucher=shop.add_voucher(12_000)["code"],
        game_masters=game_masters,
    )
    return [Person(shop, shop.visitor, random.Random(number), place) for number in range(size)]
