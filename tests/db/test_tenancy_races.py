"""What happens when two requests meet. Real connections, real waiting, no luck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from matrix.client import Client, Refused
from matrix.fixtures import Racer, Track
from matrix.house import Venue, email_of


def begin(client: Client) -> None:
    """Hold the client's next request open: it is made, but not committed."""
    client.connection.execute("begin")


def commit(client: Client) -> None:
    """Commit what `begin` held open."""
    client.connection.execute("commit")


def race(
    track: Track, first: Client, one: Callable[[], Any], second: Client, two: Callable[[], Any]
) -> object:
    """Let two meet while the first one is not committed yet; what became of the second."""
    begin(first)
    one()
    racer: Racer[Any] = track.start(second, two)
    track.wait_until_blocked(racer)
    commit(first)
    return racer.outcome()


def refusal(outcome: object) -> tuple[int, str]:
    assert isinstance(outcome, Refused), outcome
    return outcome.status, outcome.code


@pytest.fixture
def venue(track: Track) -> Venue:
    owner = track.house.sign_up(track.name("owner"))
    return track.house.open_venue(track.name("venue"), owner)


def test_racing_acceptances_of_one_invitation_give_one_membership(
    track: Track, venue: Venue
) -> None:
    name = track.name("ana")
    _, token = venue.invite(email_of(name), venue.role("manager"))
    ana = track.house.sign_up(name)
    one, two = track.alone(ana), track.alone(ana)

    outcome = race(
        track,
        one,
        lambda: one.call("accept_invitation", token=token),
        two,
        lambda: two.call("accept_invitation", token=token),
    )

    assert refusal(outcome) == (409, "invitation_used")
    assert (
        track.house.one("select count(*) from public.memberships where user_id = %s", ana.id) == 1
    )


def test_two_invitations_accepted_at_once_give_one_membership(track: Track, venue: Venue) -> None:
    name = track.name("ana")
    ana = track.house.sign_up(name)
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    _, token = venue.invite(email_of(name), venue.role("manager"))
    one, two = track.alone(ana), track.alone(ana)

    outcome = race(
        track,
        one,
        lambda: one.call("accept_invitation", token=token),
        two,
        lambda: two.call("join_organization", code=code),
    )

    assert refusal(outcome) == (409, "already_member")
    assert venue.role_of(ana) == "manager"


def test_an_acceptance_that_meets_a_revocation_loses(track: Track, venue: Venue) -> None:
    name = track.name("ana")
    invitation_id, token = venue.invite(email_of(name), venue.role("manager"))
    ana = track.alone(track.house.sign_up(name))
    owner = track.alone(venue.owner)

    outcome = race(
        track,
        owner,
        lambda: owner.call(
            "revoke_invitation", organization_id=venue.id, invitation_id=invitation_id
        ),
        ana,
        lambda: ana.call("accept_invitation", token=token),
    )

    assert refusal(outcome) == (404, "invitation_not_found")


def test_two_owners_who_demote_each_other_leave_an_owner(track: Track, venue: Venue) -> None:
    second = venue.hire(track.name("olga"), "owner")
    one, two = track.alone(venue.owner), track.alone(second)
    admin = venue.role("admin")

    outcome = race(
        track,
        one,
        lambda: one.call(
            "set_member_role", organization_id=venue.id, user_id=second.id, role_id=admin
        ),
        two,
        lambda: two.call(
            "set_member_role", organization_id=venue.id, user_id=venue.owner.id, role_id=admin
        ),
    )

    assert refusal(outcome) == (403, "permission_not_held")
    assert venue.role_of(venue.owner) == "owner"
    assert venue.role_of(second) == "admin"


def test_two_owners_who_suspend_each_other_leave_an_owner(track: Track, venue: Venue) -> None:
    second = venue.hire(track.name("olga"), "owner")
    one, two = track.alone(venue.owner), track.alone(second)

    outcome = race(
        track,
        one,
        lambda: one.call("suspend_member", organization_id=venue.id, user_id=second.id),
        two,
        lambda: two.call("suspend_member", organization_id=venue.id, user_id=venue.owner.id),
    )

    assert refusal(outcome) == (403, "permission_not_held")


def test_two_owners_who_leave_at_once_leave_one_behind(track: Track, venue: Venue) -> None:
    second = venue.hire(track.name("olga"), "owner")
    one, two = track.alone(venue.owner), track.alone(second)

    outcome = race(
        track,
        one,
        lambda: one.call("leave_organization", organization_id=venue.id),
        two,
        lambda: two.call("leave_organization", organization_id=venue.id),
    )

    assert refusal(outcome) == (409, "last_owner")
    assert venue.role_of(second) == "owner"


def test_a_role_that_grows_while_it_is_offered_is_weighed_as_it_has_become(
    track: Track, venue: Venue
) -> None:
    role = venue.make_role("Crew", [])
    manager = track.alone(venue.hire(track.name("mary"), "manager"))
    owner = track.alone(venue.owner)

    outcome = race(
        track,
        owner,
        lambda: owner.call(
            "set_role_permissions",
            organization_id=venue.id,
            role_id=role,
            permissions=["organization:close"],
        ),
        manager,
        lambda: venue.invite(email_of(track.name("x")), role, by=manager),
    )

    assert refusal(outcome) == (403, "permission_not_held")


def test_a_member_raised_out_of_reach_is_not_removed_by_who_came_late(
    track: Track, venue: Venue
) -> None:
    admin = track.alone(venue.hire(track.name("adam"), "admin"))
    ana = venue.hire(track.name("ana"))
    owner = track.alone(venue.owner)

    outcome = race(
        track,
        owner,
        lambda: owner.call(
            "set_member_role",
            organization_id=venue.id,
            user_id=ana.id,
            role_id=venue.role("owner"),
        ),
        admin,
        lambda: admin.call("remove_member", organization_id=venue.id, user_id=ana.id),
    )

    assert refusal(outcome) == (403, "permission_not_held")
    assert venue.role_of(ana) == "owner"


def test_two_invitations_of_one_address_at_once_leave_one_link(track: Track, venue: Venue) -> None:
    admin = venue.hire(track.name("adam"), "admin")
    one, two = track.alone(venue.owner), track.alone(admin)
    email = email_of(track.name("ana"))
    # In two roles: what they wait for is the address, not the role.
    first, second = venue.make_role("One", []), venue.make_role("Two", [])

    outcome = race(
        track,
        one,
        lambda: one.call("invite_member", organization_id=venue.id, email=email, role_id=first),
        two,
        lambda: two.call("invite_member", organization_id=venue.id, email=email, role_id=second),
    )

    pending = venue.owner.select(
        "select from public.invitations where accepted_at is null and revoked_at is null"
    )
    assert len(pending) == 1
    assert isinstance(outcome, dict) or refusal(outcome) == (409, "invitation_exists")


def test_the_same_idempotency_key_at_once_does_the_work_once(track: Track) -> None:
    begin_request = "select private.idempotent_begin(%s, 'key', '{}')"
    scope = track.name("scope")
    with psycopg.connect(track.dsn, autocommit=True) as one:
        two = track.alone(track.house.nobody)
        one.execute("begin")
        assert one.execute(begin_request, [scope]).fetchone() == (None,)
        racer = track.start(two, lambda: two.connection.execute(begin_request, [scope]).fetchone())
        track.wait_until_blocked(racer)
        one.execute("select private.idempotent_end(%s, 'key', '{\"done\": true}')", [scope])
        one.execute("commit")
        assert racer.outcome() == ({"done": True},)


def test_a_key_whose_first_request_failed_may_be_used_again(track: Track) -> None:
    begin_request = "select private.idempotent_begin(%s, 'key', '{}')"
    scope = track.name("scope")
    with psycopg.connect(track.dsn, autocommit=True) as one:
        two = track.alone(track.house.nobody)
        one.execute("begin")
        one.execute(begin_request, [scope])
        racer = track.start(two, lambda: two.connection.execute(begin_request, [scope]).fetchone())
        track.wait_until_blocked(racer)
        one.execute("rollback")
        assert racer.outcome() == (None,)


def test_requests_at_once_are_all_counted(track: Track) -> None:
    track.house.owner_sql(
        "insert into private.rate_limit_rules values (%s, 'address', 2, 86400, 'x')",
        action := track.name("knock"),
    )
    knock = "select private.limit_rate(%s, 'address', 'a')"
    track.house.owner_sql(knock, action)
    with psycopg.connect(track.dsn, autocommit=True) as one:
        two = track.alone(track.house.nobody)
        one.execute("begin")
        one.execute(knock, [action])
        racer = track.start(two, lambda: two.connection.execute(knock, [action]).fetchone())
        track.wait_until_blocked(racer)
        one.execute("commit")
        outcome = racer.outcome()
    assert isinstance(outcome, psycopg.Error)
    assert "rate_limited" in str(outcome)


def test_two_venues_of_one_name_opened_at_once_get_two_addresses(track: Track) -> None:
    name = track.name("twins")
    one = track.alone(track.house.sign_up(track.name("one")))
    two = track.alone(track.house.sign_up(track.name("two")))

    outcome = race(
        track,
        one,
        lambda: one.call("create_organization", name=name),
        two,
        lambda: two.call("create_organization", name=name),
    )

    assert isinstance(outcome, dict)
    assert outcome["slug"].startswith(name.replace("_", "-") + "-")
