"""Ids are unique in a tenant and no further: a twin with the same ids changes no answer, and
nothing that is done changes the twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from client import Client, Refused
from db.booking_world import Row
from db.staffing_world import Crew, open_crew
from matrix.house import House

#: Parents first.
_COPIED = (
    "roles",
    "role_permissions",
    "memberships",
    "locations",
    "rooms",
    "sessions",
    "customers",
    "bookings",
    "staff_skills",
    "staff_shifts",
    "session_staff",
    "calendar_feeds",
)


@dataclass(frozen=True, slots=True)
class Twins:
    """A venue with two games on a day, the first of which somebody runs.

    Attributes:
        master: Runs the first, and could run the second.
        other: The same, but is assigned to neither.
        helper: Neither skilled nor on shift.
    """

    crew: Crew
    room: str
    first: Row
    second: Row
    master: Client
    other: Client
    helper: Client
    feeds: dict[str, Row]

    def member(self, function: str) -> object:
        return self.crew.by.call(
            function, organization_id=self.crew.shop.id, user_id=self.master.id
        )

    def feed(self, name: str) -> object:
        return self.crew.shop.visitor.call("get_calendar_feed", token=self.feeds[name]["token"])

    def make_twin(self) -> str:
        """Another organization with the same ids, in which everybody does somebody else's work."""
        house = self.crew.house
        twin = house.one(
            "insert into public.organizations (name, slug) values ('Twin', 'twin')"
            " returning id::text"
        )
        house.connection.execute("set local session_replication_role = replica")
        for table in _COPIED:
            columns = house.one(
                "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute"
                " where attrelid = ('public.' || %s)::regclass and attnum > 0 and attgenerated = ''"
                " and not attisdropped and attname <> 'organization_id'",
                table,
            )
            house.connection.execute(
                f"insert into public.{table} (organization_id, {columns})"
                f" select %s, {columns} from public.{table} where organization_id = %s".encode(),
                [twin, self.crew.shop.id],
            )
        # And at another time.
        house.connection.execute(
            "update public.sessions set starts_at = starts_at + interval '7 minutes',"
            " ends_at = ends_at + interval '7 minutes',"
            " occupied_until = occupied_until + interval '7 minutes'"
            " where organization_id = %s",
            [twin],
        )
        # One after the other, so that at no moment two rows are the same person's: in which order
        # a statement comes by its rows is nobody's promise.
        for table in ("staff_skills", "staff_shifts", "session_staff", "calendar_feeds"):
            for was, becomes in ((self.master.id, self.helper.id), (self.other.id, self.master.id)):
                house.connection.execute(
                    f"update public.{table} set user_id = %s"
                    " where organization_id = %s and user_id = %s".encode(),
                    [becomes, twin, was],
                )
        house.connection.execute(
            "insert into public.session_staff"
            " select organization_id, id, %s, during, 'assigned' from public.sessions"
            " where organization_id = %s and mode <> 'block'",
            [self.master.id, twin],
        )
        house.connection.execute("set local session_replication_role = origin")
        return str(twin)

    def rows(self, organization: str) -> dict[str, Any]:
        """Everything of an organization that staffing writes."""
        return {
            table: self.crew.house.owner_sql(
                f"select * from public.{table} as t where organization_id = %s order by t::text",
                organization,
            )
            for table in ("session_staff", "calendar_feeds", "staff_shifts", "staff_skills")
        }


@pytest.fixture
def twins(house: House) -> Twins:
    crew = open_crew(house, "Venue", hold_minutes=120)
    room = crew.add_room()
    master, other, helper = crew.hire(room), crew.hire(room), crew.hire()
    for person in (master, other):
        crew.shift(person)
    first = crew.book(room, crew.shop.at(1, "12:00"))
    second = crew.book(room, crew.shop.at(1, "16:00"))
    # The first, and one in the evening that nobody touches.
    evening = crew.book(room, crew.shop.at(1, "18:00"))
    for session in (first, evening):
        crew.assign(session["session_id"], master)
    crew.by.call(
        "block_room",
        organization_id=crew.shop.id,
        room_id=room,
        starts_at=crew.shop.at(1, "20:00"),
        ends_at=crew.shop.at(1, "21:00"),
    )
    made: dict[str, Row] = {
        name: crew.by.call(
            "create_calendar_feed", organization_id=crew.shop.id, name=name, **values
        )
        for name, values in (
            ("venue", {}),
            ("room", {"room_id": room}),
            ("master", {"user_id": master.id}),
            ("helper", {"user_id": helper.id}),
        )
    }
    house.owner_sql("update public.session_staff set created_at = now() - interval '1 day'")
    return Twins(crew, room, first, second, master, other, helper, made)


_DEEDS: dict[str, Callable[[Twins], object]] = {
    "assign": lambda t: t.crew.assign(t.second["session_id"], t.master),
    "assign somebody who knows nothing": lambda t: t.crew.assign(t.second["session_id"], t.helper),
    "claim": lambda t: t.crew.claim(t.second["session_id"], t.master),
    "claim what one may not": lambda t: t.crew.claim(t.second["session_id"], t.helper),
    "claim what is taken": lambda t: t.crew.claim(t.first["session_id"], t.other),
    "release": lambda t: t.crew.release(t.first["session_id"], t.master),
    "release somebody else": lambda t: t.crew.release(t.first["session_id"], t.helper),
    "fill": lambda t: t.crew.fill(),
    "board": lambda t: t.crew.board(t.crew.shop.at(1).date()),
    "board of a location": lambda t: t.crew.board(
        t.crew.shop.at(1).date(), location_id=t.crew.shop.location_id
    ),
    "move": lambda t: t.crew.retime(t.first["session_id"], t.crew.shop.at(1, "08:00")),
    "cancel": lambda t: t.crew.shop.cancel(t.first)["status"],
    "suspend": lambda t: t.member("suspend_member"),
    "remove": lambda t: t.member("remove_member"),
    **{
        f"feed of the {name}": lambda t, name=name: t.feed(name)  # type: ignore[misc]
        for name in ("venue", "room", "master", "helper")
    },
    "revoke": lambda t: t.crew.by.call(
        "revoke_calendar_feed",
        organization_id=t.crew.shop.id,
        feed_id=t.feeds["master"]["id"],
    ),
    "revoke one's own": lambda t: t.master.call(
        "revoke_calendar_feed",
        organization_id=t.crew.shop.id,
        feed_id=t.feeds["master"]["id"],
    ),
    "revoke somebody else's": lambda t: t.master.call(
        "revoke_calendar_feed",
        organization_id=t.crew.shop.id,
        feed_id=t.feeds["helper"]["id"],
    ),
}


def timeless(answer: Any) -> Any:
    """An answer without the server's clock, which goes on."""
    if isinstance(answer, dict):
        return {key: timeless(value) for key, value in answer.items() if key != "server_time"}
    return [timeless(value) for value in answer] if isinstance(answer, list) else answer


def outcome(twins: Twins, deed: Callable[[Twins], object]) -> tuple[object, object]:
    """What it answers, or how it is refused, and what the venue looks like afterwards."""
    try:
        answer = timeless(deed(twins))
    except Refused as refusal:
        answer = (refusal.status, refusal.code, refusal.details)
    return answer, twins.rows(twins.crew.shop.id)


@pytest.mark.parametrize("name", _DEEDS)
def test_a_twin_changes_nothing_and_is_not_changed(twins: Twins, name: str) -> None:
    connection, deed = twins.crew.house.connection, _DEEDS[name]
    with connection.transaction(force_rollback=True):
        alone = outcome(twins, deed)
    twin = twins.make_twin()
    before = twins.rows(twin)
    assert outcome(twins, deed) == alone
    assert twins.rows(twin) == before
