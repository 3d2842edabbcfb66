"""A shop with people who run its games, for the tests of shifts, assignments and the board."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import count
from typing import Any

from client import Client
from db.booking_world import Row, Shop, insert, open_shop
from matrix.house import House

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Crew:
    """Who runs the games of a shop.

    Attributes:
        shop: Rooms of an hour, with half an hour of turnaround.
        by: Who plans; the owner unless a test says otherwise.
    """

    shop: Shop
    by: Client

    @property
    def house(self) -> House:
        return self.shop.house

    def at(self, connection_of: Client) -> Crew:
        """The same, seen from another connection."""
        venue = self.shop.venue
        owner = replace(venue.owner, connection=connection_of.connection)
        house = House(connection_of.connection)
        return Crew(replace(self.shop, venue=replace(venue, owner=owner, house=house)), owner)

    def add_room(self, **values: object) -> str:
        """A room that is open round the clock, every half hour."""
        room = self.shop.add_room(**values)
        self.shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
        return room

    def hire(self, *rooms: str, role: str = "game_master") -> Client:
        """A member who may run these rooms."""
        person = self.shop.venue.hire(f"{role[:20]}_{next(_numbers)}_{self.shop.id}", role)
        self.teach(person, *rooms)
        return person

    def teach(self, person: Client, *rooms: str) -> None:
        for room in rooms:
            insert(self.by, "staff_skills", user_id=person.id, room_id=room)

    def shift(
        self,
        person: Client,
        days: int = 1,
        from_time: str = "00:00",
        to_time: str = "00:00",
        **values: object,
    ) -> Row:
        """A shift so many days from today; the whole day unless something else is said."""
        return insert(
            self.by,
            "staff_shifts",
            **{
                "user_id": person.id,
                "location_id": self.shop.location_id,
                "date": self.shop.at(days).date(),
                "from_time": from_time,
                "to_time": to_time,
                **values,
            },
        )

    def book(self, room: str, starts_at: datetime, *, confirmed: bool = True) -> Row:
        """A booking with its `session_id`."""
        booking = self.shop.hold(room, starts_at, party_size=2)
        if confirmed:
            self.shop.move(booking, "confirmed")
        session_id = self.house.one(
            "select session_id from public.bookings where id = %s", self.shop.id_of(booking)
        )
        return {**booking, "session_id": str(session_id)}

    def session(self, room: str, days: int = 1, clock: str = "12:00") -> str:
        """The id of a booked session."""
        return str(self.book(room, self.shop.at(days, clock))["session_id"])

    def assign(self, session: str, person: Client, by: Client | None = None) -> Row:
        assigned: Row = (by or self.by).call(
            "assign_game_master",
            organization_id=self.shop.id,
            session_id=session,
            user_id=person.id,
        )
        return assigned

    def claim(self, session: str, person: Client) -> Row:
        claimed: Row = person.call(
            "claim_session_as_game_master", organization_id=self.shop.id, session_id=session
        )
        return claimed

    def release(self, session: str, person: Client, by: Client | None = None) -> Row:
        released: Row = (by or self.by).call(
            "unassign_game_master",
            organization_id=self.shop.id,
            session_id=session,
            user_id=person.id,
        )
        return released

    def fill(self, first: int = 1, last: int = 1, by: Client | None = None) -> Any:
        """Assign automatically, from and to so many days from today."""
        return (by or self.by).call(
            "auto_assign_game_masters",
            organization_id=self.shop.id,
            from_date=self.shop.at(first).date(),
            to_date=self.shop.at(last).date(),
        )

    def board(self, day: date | None, by: Client | None = None, **values: object) -> Any:
        return (by or self.by).call("get_board", organization_id=self.shop.id, date=day, **values)

    def staff(self, session: str) -> set[str]:
        """The ids of who runs a session."""
        rows = self.by.select(
            "select user_id::text from public.session_staff where session_id = %s", session
        )
        return {row["user_id"] for row in rows}

    def in_charge(self) -> dict[str, str]:
        """Who runs which session, where it is one person."""
        rows = self.by.select("select session_id::text, user_id::text from public.session_staff")
        return {row["session_id"]: row["user_id"] for row in rows}

    def retime(self, session: str, starts_at: datetime) -> None:
        """Move a session, as a change of its booking may."""
        self.house.owner_sql(
            "update public.sessions set starts_at = %s,"
            " ends_at = %s + (ends_at - starts_at),"
            " occupied_until = %s + (occupied_until - starts_at)"
            " where organization_id = %s and id = %s",
            starts_at,
            starts_at,
            starts_at,
            self.shop.id,
            session,
        )

    def assert_sound(self) -> None:
        """What must hold at every moment between two transactions."""
        assert (
            self.house.owner_sql(
                "select a.session_id, b.session_id from public.session_staff as a"
                " join public.session_staff as b on b.organization_id = a.organization_id"
                " and b.user_id = a.user_id and b.session_id > a.session_id"
                " and b.during && a.during"
                " where a.organization_id = %s",
                self.shop.id,
            )
            == []
        ), "somebody is in two places"
        assert (
            self.house.owner_sql(
                "select x.session_id from public.session_staff as x"
                " join public.sessions as s on s.organization_id = x.organization_id"
                " and s.id = x.session_id"
                " where x.organization_id = %s"
                " and (s.status = 'cancelled' or s.mode = 'block' or s.during <> x.during)",
                self.shop.id,
            )
            == []
        ), "an assignment lost its session"
        assert (
            self.house.owner_sql(
                "select x.user_id from public.session_staff as x"
                " where x.organization_id = %s and lower(x.during) > now() and not exists ("
                " select from public.memberships as m where m.organization_id = x.organization_id"
                " and m.user_id = x.user_id and m.status = 'active')",
                self.shop.id,
            )
            == []
        ), "somebody works without being a member"


def open_crew(house: House, name: str, zone: str = "Europe/Madrid", **calendar: object) -> Crew:
    """A shop whose owner plans."""
    shop = open_shop(house, name, zone, **calendar)
    return Crew(shop, shop.venue.owner)
