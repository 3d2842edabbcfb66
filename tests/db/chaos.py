"""Everybody at once: visitors and staff of one venue who do whatever comes to their mind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg

from db.booking_world import GUEST, Row, Shop
from matrix.client import Client, Connection, Refused
from matrix.house import House

#: What a request may be answered in a crowd. Anything else is a defect.
EXPECTED = {
    "ok",
    "404 block_not_found",
    "409 not_cancellable",
    "409 not_payable",
    "409 slot_taken",
    "409 transition_not_allowed",
    "422 amount_too_high",
}


@dataclass(slots=True)
class Acknowledged:
    """What a client was told about one booking."""

    booking: Row
    paid_cents: int = 0
    cancelled: bool = False


@dataclass(slots=True)
class Person:
    """One of the crowd: a visitor and a member of the staff, on one connection."""

    shop: Shop
    visitor: Client
    chance: random.Random
    rooms: list[str]
    starts: list[datetime]
    end: datetime
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
        """One of the bookings that this person made."""
        return self.chance.choice(self.mine) if self.mine else None

    def hold(self) -> None:
        booking = self.shop.hold(
            self.chance.choice(self.rooms),
            self.chance.choice(self.starts),
            by=self.visitor,
            party_size=self.chance.randint(1, 3),
            customer={**GUEST, "email": f"guest-{self.chance.randint(1, 6)}@example.test"},
            key=f"{self.chance.random()}",
        )
        self.mine.append(Acknowledged(booking))

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
            self.shop.move(known.booking, "confirmed")

    def check_in(self) -> None:
        if known := self.some():
            self.shop.move(known.booking, "checked_in")

    def lapse(self) -> None:
        if known := self.some():
            self.shop.lapse(known.booking)

    def sweep(self) -> None:
        self.shop.house.service.call("service.sweep")

    def block(self) -> None:
        block = self.desk(
            "block_room",
            room_id=self.chance.choice(self.rooms),
            starts_at=self.chance.choice(self.starts),
            ends_at=self.end,
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
    ("cancel", Person.cancel, 4),
    ("pay", Person.pay, 4),
    ("confirm", Person.confirm, 1),
    ("check_in", Person.check_in, 1),
    ("lapse", Person.lapse, 4),
    ("sweep", Person.sweep, 1),
    ("block", Person.block, 1),
    ("reclaim", Person.reclaim, 2),
    ("look", Person.look, 1),
]
_ACTIONS = [(name, does) for name, does, _ in _WEIGHTED]


def crowd(shop: Shop, size: int) -> list[Person]:
    """So many people around one venue, whose rooms are all open at the same few times."""
    rooms = [
        shop.add_room(mode=mode, minimum_party=1, maximum_party=4)
        for mode in ("private", "private", "shared")
    ]
    for room in rooms:
        shop.open_on(room, "10:00", "14:00", slot_interval_minutes=30)
    starts = [shop.at(3, f"{10 + n // 2}:{n % 2 * 30:02}") for n in range(6)]
    end = shop.at(3, "14:00")
    return [
        Person(shop, shop.visitor, random.Random(number), rooms, starts, end)
        for number in range(size)
    ]
