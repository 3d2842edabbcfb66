"""Who books what: a plausible month, decided slot by slot.

Every decision is drawn from the venue, the room and the time on its clock alone, so that the
same day always gives the same demo, whenever on that day it is made.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from escapemaster_dev.seed.venues import Room, Venue

Fate = Literal["came", "no_show", "cancelled", "lapsed", "paid", "pending", "held"]

#: How bookings whose day has passed went, and what becomes of those to come; per cent.
PAST: dict[Fate, int] = {"came": 85, "no_show": 5, "cancelled": 6, "lapsed": 4}
COMING: dict[Fate, int] = {"paid": 80, "pending": 11, "cancelled": 6, "held": 3}


#: How many parties take an extra, and how many have the coupon.
_EXTRA = 0.2
_COUPON = 0.1


@dataclass(frozen=True, slots=True)
class Slot:
    """A time on offer in a room."""

    room: Room
    room_id: str
    starts_at: datetime
    local_date: date
    seats: int
    """How many are free."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One party's booking: who, when, and how it goes on.

    `takes_place_at` is the slot's start, or, for the past, the time to which it is moved back.
    """

    slot: Slot
    party: int
    guest: str
    locale: str
    phone: str
    fate: Fate
    method: str
    takes_place_at: datetime
    made_at: datetime
    """When a booking of the past was made."""
    extras: frozenset[int]
    """Which of the venue's extras the party takes, by their place."""
    has_coupon: bool
    answers: dict[str, str | bool]
    """To the calendar's questions."""

    @property
    def ends_at(self) -> datetime:
        """When the game is over."""
        return self.takes_place_at + timedelta(minutes=self.slot.room.duration_minutes)

    @property
    def email(self) -> str:
        """The guest's address: `lucia.moreno@example.com` for Lucía Moreno."""
        plain = unicodedata.normalize("NFKD", self.guest).encode("ascii", "ignore").decode()
        return f"{plain.lower().replace(' ', '.')}@example.com"


def visits(venue: Venue, slot: Slot, back: timedelta | None) -> Iterator[Visit]:
    """The parties that book a slot: few on a Tuesday afternoon, many on a Saturday night.

    With `back` the slot stands for one of the past, that much earlier on the venue's clock.
    """
    zone = ZoneInfo(venue.timezone)
    local = slot.starts_at.astimezone(zone).replace(tzinfo=None) - (back or timedelta())
    seed = f"{venue.slug} {slot.room.slug} {local:%Y-%m-%d %H:%M}"
    dice = random.Random(seed)  # noqa: S311 - a plan, not a secret
    for party in _parties(slot.room, local, dice):
        takes_place_at = local.replace(tzinfo=zone)
        fates = COMING if back is None else PAST
        yield Visit(
            slot=slot,
            party=party,
            guest=dice.choice(venue.guests),
            locale=dice.choice((venue.locale, venue.locale, *venue.locales)),
            phone=f"{venue.phone_prefix} {dice.randint(0, 999999):06}",
            fate=dice.choices(list(fates), list(fates.values()))[0],
            method=dice.choice(venue.desk_methods),
            takes_place_at=takes_place_at,
            made_at=takes_place_at
            - timedelta(days=dice.randint(1, 12), minutes=dice.randint(30, 600)),
            extras=frozenset(n for n in range(len(venue.extras)) if dice.random() < _EXTRA),
            has_coupon=dice.random() < _COUPON,
            answers=_answers(venue, dice),
        )


def full_house(venue: Venue, slot: Slot) -> Visit:
    """The party that takes all that a slot has left, and comes."""
    seed = f"{venue.slug} {slot.room.slug} {slot.starts_at} full"
    dice = random.Random(seed)  # noqa: S311 - a plan, not a secret
    smallest, largest = max(2, slot.room.party[0]), slot.room.party[1]
    return Visit(
        slot=slot,
        party=slot.seats if slot.room.mode == "shared" else dice.randint(smallest, largest),
        guest=dice.choice(venue.guests),
        locale=venue.locale,
        phone=f"{venue.phone_prefix} {dice.randint(0, 999999):06}",
        fate="paid",
        method=dice.choice(venue.desk_methods),
        takes_place_at=slot.starts_at,
        made_at=slot.starts_at,
        extras=frozenset(),
        has_coupon=False,
        answers=_answers(venue, dice),
    )


def _answers(venue: Venue, dice: random.Random) -> dict[str, str | bool]:
    drawn = {question.key: dice.choice(question.answers) for question in venue.questions}
    return {key: answer for key, answer in drawn.items() if answer}


def _parties(room: Room, local: datetime, dice: random.Random) -> Iterator[int]:
    wish = 0.05 + 0.13 * (local.isoweekday() >= 5) + 0.10 * (local.hour >= 18)
    smallest, largest = max(2, room.party[0]), room.party[1]
    if room.mode == "private":
        if dice.random() < wish:
            yield dice.randint(smallest, largest)
        return
    seats = largest
    while seats >= smallest and dice.random() < wish:
        party = dice.randint(smallest, min(4, seats))
        seats -= party
        yield party
        # Where some are, others come.
        wish = 0.4
