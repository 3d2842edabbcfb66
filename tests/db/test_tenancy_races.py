"""What happens when two requests meet. Real connections, real waiting, no luck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from client import Client, Refused
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

    assert refusal(outcome) == (403, "permission_denied")


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


class TestLockOrder:
    """Those who change memberships take the organization first, so that nobody waits for what
    somebody holds who waits for them. A third connection holds the row at which the two would
    have met, each with something of the other's in hand."""

    def meet(
        self,
        track: Track,
        held: str,
        one: tuple[Client, Callable[[], Any]],
        two: tuple[Client, Callable[[], Any]],
    ) -> list[object]:
        """What becomes of both when a row that both want is let go."""
        holder = track.alone(track.house.service)
        for client, _ in (one, two):
            client.connection.execute("set statement_timeout = '15s'")
        holder.connection.execute("begin")
        holder.connection.execute("set local role postgres")
        assert holder.connection.execute(held.encode()).rowcount == 1
        racers: list[Racer[Any]] = []
        for client, work in (one, two):
            racers.append(track.start(client, work))
            track.wait_until_blocked(racers[-1])
        holder.connection.execute("commit")
        outcomes: list[object] = [racer.outcome() for racer in racers]
        for outcome in outcomes:
            # A refusal is one of ours, with its code: no deadlock and no time-out.
            assert not isinstance(outcome, psycopg.Error), outcome
            assert not (isinstance(outcome, Refused) and outcome.status >= 500), outcome
        return outcomes

    def role_row(self, venue: Venue, key: str) -> str:
        return f"select from public.roles where id = '{venue.role(key)}' for update"

    def test_two_owners_hand_their_ownership_to_each_other(
        self, track: Track, venue: Venue
    ) -> None:
        second = venue.hire(track.name("olga"), "owner")
        one, two = track.alone(venue.owner), track.alone(second)
        outcomes = self.meet(
            track,
            self.role_row(venue, "owner"),
            (
                one,
                lambda: one.call("transfer_ownership", organization_id=venue.id, user_id=second.id),
            ),
            (
                two,
                lambda: two.call(
                    "transfer_ownership", organization_id=venue.id, user_id=venue.owner.id
                ),
            ),
        )
        assert [isinstance(outcome, Refused) for outcome in outcomes] == [False, False]
        # The second one came after the first, and handed back what it had been handed.
        assert (venue.role_of(venue.owner), venue.role_of(second)) == ("owner", "admin")

    def test_an_ownership_is_handed_on_while_everybody_s_shifts_are_planned(
        self, track: Track, venue: Venue
    ) -> None:
        """Planning takes all members in the order of their ids; so does handing on, both of two."""
        second = venue.hire(track.name("olga"), "owner")
        first, last = sorted([(venue.owner.id, venue.owner), (second.id, second)])
        giver = track.alone(first[1])
        planner = track.alone(track.house.service)
        planner.connection.execute("begin")
        planner.connection.execute("set local role postgres")
        lock = "select from public.memberships where user_id = %s for no key update"
        # The first hands on to the last, whom planning has yet to take.
        planner.connection.execute(lock, [first[0]])
        racer: Racer[Any] = track.start(
            giver,
            lambda: giver.call("transfer_ownership", organization_id=venue.id, user_id=last[0]),
        )
        track.wait_until_blocked(racer)
        planner.connection.execute("set local lock_timeout = '5s'")
        planner.connection.execute(lock, [last[0]])
        planner.connection.execute("commit")
        assert not isinstance(racer.outcome(), Exception)

    def test_an_address_is_invited_again_while_it_accepts(self, track: Track, venue: Venue) -> None:
        name = track.name("ana")
        _, token = venue.invite(email_of(name), venue.role("manager"))
        ana, owner = track.alone(track.house.sign_up(name)), track.alone(venue.owner)
        outcomes = self.meet(
            track,
            "select from public.invitations where email = '" + email_of(name) + "' for update",
            (
                owner,
                lambda: owner.call(
                    "invite_member",
                    organization_id=venue.id,
                    email=email_of(name),
                    role_id=venue.role("manager"),
                ),
            ),
            (ana, lambda: ana.call("accept_invitation", token=token)),
        )
        assert not isinstance(outcomes[0], Exception)
        assert refusal(outcomes[1]) == (404, "invitation_not_found")

    def test_whoever_invited_is_removed_while_the_invitation_is_accepted(
        self, track: Track, venue: Venue
    ) -> None:
        mary = venue.hire(track.name("mary"), "manager")
        name = track.name("ana")
        _, token = venue.invite(email_of(name), venue.role("game_master"), by=mary)
        ana, owner = track.alone(track.house.sign_up(name)), track.alone(venue.owner)
        outcomes = self.meet(
            track,
            "select from public.invitations where email = '" + email_of(name) + "' for update",
            (
                ana,
                lambda: ana.call("accept_invitation", token=token),
            ),
            (
                owner,
                lambda: owner.call("remove_member", organization_id=venue.id, user_id=mary.id),
            ),
        )
        assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, False]
        assert venue.role_of(mary) is None

    def test_a_role_goes_while_its_holder_gets_another(self, track: Track, venue: Venue) -> None:
        custom = venue.make_role("Custom", [])
        person = venue.hire(track.name("ana"), custom)
        one, two = track.alone(venue.owner), track.alone(venue.owner)
        outcomes = self.meet(
            track,
            self.role_row(venue, "custom"),
            (
                one,
                lambda: one.call(
                    "set_member_role",
                    organization_id=venue.id,
                    user_id=person.id,
                    role_id=venue.role("game_master"),
                ),
            ),
            (
                two,
                lambda: two.call(
                    "delete_role",
                    organization_id=venue.id,
                    role_id=custom,
                    replacement_role_id=venue.role("manager"),
                ),
            ),
        )
        assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, False]
        assert venue.role_of(person) == "game_master"

    def test_two_accounts_that_share_two_organizations_are_deleted_at_once(
        self, track: Track, venue: Venue
    ) -> None:
        other = track.house.open_venue(
            track.name("other"), track.house.sign_up(track.name("owner_of_other"))
        )
        people = []
        for name, venues in (("ana", (venue, other)), ("bea", (other, venue))):
            person = track.house.sign_up(track.name(name))
            for each in venues:
                each.admit(person, email_of(track.name(name)))
            people.append(person)
        ones = [track.alone(track.house.service) for _ in people]

        def delete(client: Client, user_id: str) -> Callable[[], Any]:
            return lambda: client.connection.execute(
                "delete from auth.users where id = %s", [user_id]
            )

        self.meet(
            track,
            f"select from public.organizations where id = '{min(venue.id, other.id)}'"
            " for no key update",
            (ones[0], delete(ones[0], people[0].id)),
            (ones[1], delete(ones[1], people[1].id)),
        )
        assert [venue.role_of(p) for p in people] == [None, None]
