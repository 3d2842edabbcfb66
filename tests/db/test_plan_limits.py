"""A plan's limits hold in the transaction that would exceed them, however many come at once."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from client import Client, Refused
from db.money_world import PARTY, Database, Venue, make_venue, paid
from db.plans_world import make_subscriber, put_on_plan, subscription
from matrix.promises import refused

FREE = {"rooms": 2, "locations": 1, "calendars": 2, "members": 5, "bookings_month": 100}


@pytest.fixture
def venue(money: Database) -> Venue:
    """A venue on the plan that costs nothing: it has a location, a room, a calendar, an owner."""
    made = make_venue(money)
    put_on_plan(money, made.organization_id, "free")
    return made


def add_room(owner: Client, venue: Venue) -> None:
    owner.change(
        "insert into public.rooms (location_id, slug, name, price_cents)"
        " select id, %s, 'Another', 100 from public.locations limit 1",
        f"room-{uuid.uuid4().hex[:12]}",
    )


def add_location(owner: Client, venue: Venue) -> None:
    owner.change(
        "insert into public.locations (name, timezone) values ('Another', 'Europe/Madrid')"
    )


def add_calendar(owner: Client, venue: Venue) -> None:
    owner.change(
        "insert into public.calendars (slug, name) values (%s, 'Another')",
        f"calendar-{uuid.uuid4().hex[:12]}",
    )


def join(owner: Client, venue: Venue) -> None:
    """Somebody joins by the venue's code."""
    code = owner.call("get_join_code", organization_id=venue.organization_id)["code"]
    person = venue.database.sign_up()
    Client(owner.connection, type(owner.caller).person(person)).call("join_organization", code=code)


ADDS = {"rooms": add_room, "locations": add_location, "calendars": add_calendar, "members": join}


def at_once(venue: Venue, add: Callable[[Client, Venue], None], callers: int) -> list[Any]:
    """The same by so many connections that begin together: what each was refused with, or None."""
    begin = threading.Barrier(callers)

    def one(client: Client) -> Any:
        begin.wait(30)
        try:
            add(client, venue)
        except Refused as refusal:
            return refusal
        return None

    with (
        venue.database.clients(*[venue.owner.caller] * callers) as clients,
        ThreadPoolExecutor(callers) as pool,
    ):
        return list(pool.map(one, clients))


@pytest.mark.parametrize("limit", ADDS)
def test_one_more_than_the_plan_allows_is_refused(venue: Venue, limit: str) -> None:
    if limit == "members":
        venue.owner.call("rotate_join_code", organization_id=venue.organization_id)
    for _ in range(FREE[limit] - 1):
        ADDS[limit](venue.owner, venue)
    with pytest.raises(Refused) as refusal:
        ADDS[limit](venue.owner, venue)
    assert (refusal.value.code, refusal.value.status) == ("plan_limit_reached", 409)
    assert refusal.value.details == {
        "limit": limit,
        "maximum": FREE[limit],
        "used": FREE[limit],
        "plan": "free",
    }


@pytest.mark.parametrize("limit", ADDS)
def test_twenty_at_once_never_pass_the_limit(venue: Venue, limit: str) -> None:
    if limit == "members":
        venue.owner.call("rotate_join_code", organization_id=venue.organization_id)
    refusals = at_once(venue, ADDS[limit], 20)
    assert refusals.count(None) == FREE[limit] - 1
    assert {r.code for r in refusals if r is not None} == {"plan_limit_reached"}


def test_many_rows_of_one_statement_are_counted_together(venue: Venue) -> None:
    with refused(409, "plan_limit_reached"):
        venue.owner.change(
            "insert into public.rooms (location_id, slug, name, price_cents)"
            " select l.id, 'r' || g, 'Another', 100"
            " from public.locations as l cross join generate_series(1, 2) as g"
        )
    assert venue.owner.select("select count(*) as n from public.rooms")[0]["n"] == 1


def test_another_organizations_rows_do_not_count(money: Database, venue: Venue) -> None:
    other = make_venue(money)
    for _ in range(5):
        add_room(other.owner, other)
    add_room(venue.owner, venue)


def test_without_a_subscription_the_platforms_plan_counts(money: Database) -> None:
    venue = make_venue(money)
    with money.owner.transaction(force_rollback=True):
        money.run("update private.billing_settings set default_plan = 'free'")
        add_room(venue.owner, venue)
        with refused(409, "plan_limit_reached"):
            add_room(venue.owner, venue)


def test_downgrading_below_what_is_used_deletes_nothing_and_blocks_adding(money: Database) -> None:
    subscriber = make_subscriber(money)
    live = subscription("pro")
    subscriber.apply(live)
    for _ in range(7):
        add_room(subscriber.venue.owner, subscriber.venue)
    subscriber.apply({**live, "price": {**live["price"], **_STARTER}})
    owner = subscriber.venue.owner
    assert subscriber.used("rooms") == (6, 8)
    with pytest.raises(Refused) as refusal:
        add_room(owner, subscriber.venue)
    assert refusal.value.details == {"limit": "rooms", "maximum": 6, "used": 8, "plan": "starter"}
    assert owner.change("update public.rooms set name = 'Kept'") == 8
    removed = owner.change("delete from public.rooms where id <> %s", subscriber.venue.room_id)
    assert removed == 7
    add_room(owner, subscriber.venue)


_STARTER = {"id": "price_starter_month", "lookup_key": "escapemaster_starter_month"}


# -- members ---------------------------------------------------------------------------------------


@pytest.fixture
def full(venue: Venue) -> Venue:
    """All five who may work there do."""
    venue.owner.call("rotate_join_code", organization_id=venue.organization_id)
    for _ in range(4):
        join(venue.owner, venue)
    return venue


def game_master(venue: Venue) -> str:
    return str(
        venue.database.one(
            "select m.user_id from public.memberships as m"
            " join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id"
            " where m.organization_id = %s and r.key = 'game_master' limit 1",
            venue.organization_id,
        )
    )


def test_a_suspended_member_leaves_the_place_to_somebody_and_waits_for_one(full: Venue) -> None:
    suspended = game_master(full)
    here = {"organization_id": full.organization_id}
    full.owner.call("suspend_member", **here, user_id=suspended)
    join(full.owner, full)
    with refused(409, "plan_limit_reached"):
        full.owner.call("reactivate_member", **here, user_id=suspended)


def test_changing_a_members_role_adds_nobody(full: Venue) -> None:
    put_on_plan(full.database, full.organization_id, "free")
    role = full.database.one(
        "select id from public.roles where organization_id = %s and key = 'manager'",
        full.organization_id,
    )
    full.owner.call(
        "set_member_role",
        organization_id=full.organization_id,
        user_id=game_master(full),
        role_id=role,
    )


def test_the_platforms_visitors_are_no_members(full: Venue) -> None:
    admin = full.database.sign_up()
    full.database.run("insert into private.platform_admins (user_id) values (%s)", admin)
    visitor = Client(full.owner.connection, type(full.owner.caller).person(admin))
    visitor.call(
        "platform_enter_organization",
        organization_id=full.organization_id,
        reason="To see the limits",
    )
    assert full.owner.call("get_subscription", organization_id=full.organization_id)


def test_an_invitation_stays_good_until_there_is_a_place(full: Venue) -> None:
    database = full.database
    person = database.sign_up()
    with database.owner.transaction():
        database.run("select private.vouch_for_address(%s)", person)
    role = database.one(
        "select id from public.roles where organization_id = %s and key = 'game_master'",
        full.organization_id,
    )
    invited = full.owner.call(
        "invite_member",
        organization_id=full.organization_id,
        email=f"{person}@example.com",
        role_id=role,
    )
    token = database.one("select private.derived_token('invitation', %s)", invited["id"])
    guest = Client(full.owner.connection, type(full.owner.caller).person(person))
    with refused(409, "plan_limit_reached"):
        guest.call("accept_invitation", token=token)
    full.owner.call(
        "remove_member", organization_id=full.organization_id, user_id=game_master(full)
    )
    assert guest.call("accept_invitation", token=token)["active_organization_id"]


# -- bookings a month ------------------------------------------------------------------------------


def allow(database: Database, bookings: int) -> None:
    database.run("update public.plans set max_bookings_month = %s where key = 'free'", bookings)


@pytest.fixture
def small(money: Database) -> Iterator[Venue]:
    """A venue whose plan allows three bookings a month."""
    venue = make_venue(money)
    put_on_plan(money, venue.organization_id, "free")
    allow(money, 3)
    yield venue
    allow(money, FREE["bookings_month"])


def test_visitors_hear_that_nothing_more_is_taken_and_nothing_of_the_plan(small: Venue) -> None:
    for _ in range(3):
        small.hold()
    with pytest.raises(Refused) as refusal:
        small.hold()
    assert (refusal.value.code, refusal.value.status) == ("plan_limit_reached", 409)
    assert refusal.value.details is None


def test_staff_hear_the_limit(small: Venue) -> None:
    for _ in range(3):
        small.hold()
    with pytest.raises(Refused) as refusal:
        small.owner.call(
            "create_booking",
            organization_id=small.organization_id,
            room_id=small.room_id,
            starts_at=small.slot(),
            party_size=PARTY,
            customer={"full_name": "Ada", "email": "ada@example.com"},
            idempotency_key=str(uuid.uuid4()),
        )
    assert refusal.value.details == {
        "limit": "bookings_month",
        "maximum": 3,
        "used": 3,
        "plan": "free",
    }


def test_what_expired_or_was_cancelled_counts_no_more(small: Venue) -> None:
    bookings = [small.hold() for _ in range(3)]
    small.cancel(bookings[0])
    small.hold()
    small.lapse(bookings[1])
    small.hold()
    with refused(409, "plan_limit_reached"):
        small.hold()


def test_the_month_begins_on_the_organizations_clock(money: Database, small: Venue) -> None:
    """One made before midnight of the month's first day there, and one after."""
    for _ in range(3):
        small.hold()
    first = "date_trunc('month', now() at time zone %s) at time zone %s"
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        money.run(
            "update public.organizations set timezone = %s where id = %s",
            zone,
            small.organization_id,
        )
        for shift, counted in ((timedelta(0), 3), (timedelta(seconds=-1), 2)):
            money.run(
                f"update public.bookings set created_at = {first} + %s where id ="
                " (select min(id::text)::uuid from public.bookings where organization_id = %s)",
                zone,
                zone,
                shift,
                small.organization_id,
            )
            assert money.one("select private.bookings_of_month(%s)", small.organization_id) == (
                counted
            )


def test_the_same_request_again_is_answered_and_takes_nothing(small: Venue) -> None:
    starts_at = small.slot()
    key = str(uuid.uuid4())
    for _ in range(2):
        small.public.call(
            "hold_booking",
            slug=small.slug,
            room_id=small.room_id,
            starts_at=starts_at,
            party_size=PARTY,
            customer={"full_name": "Ada", "email": "ada@example.com"},
            expected_total_cents=6000,
            idempotency_key=key,
        )
    small.hold()
    small.hold()
    with refused(409, "plan_limit_reached"):
        small.hold()


def test_twenty_bookings_at_once_never_pass_the_limit(small: Venue) -> None:
    starts = [small.slot() for _ in range(20)]

    def hold(client: Client, venue: Venue) -> None:
        client.call(
            "hold_booking",
            slug=venue.slug,
            room_id=venue.room_id,
            starts_at=starts.pop(),
            party_size=PARTY,
            customer={"full_name": "Ada", "email": f"{uuid.uuid4()}@example.com"},
            expected_total_cents=6000,
            idempotency_key=str(uuid.uuid4()),
        )

    refusals = at_once(small, hold, 20)
    assert refusals.count(None) == 3
    assert {r.code for r in refusals if r is not None} == {"plan_limit_reached"}


def test_money_that_comes_late_is_never_refused_by_a_plan(small: Venue) -> None:
    booking = small.hold()
    opened = small.checkout(booking)
    small.lapse(booking)
    for _ in range(3):
        small.hold()
    small.apply(paid(opened))
    assert small.status(booking) == "confirmed"
