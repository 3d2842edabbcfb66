"""Members: roles, suspension, removal, and the last owner."""

from __future__ import annotations

import pytest

from client import Client, Refused
from matrix.house import House, Venue, email_of
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"
ACTS = ("set_member_role", "suspend_member", "reactivate_member", "remove_member")


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def admin(venue: Venue) -> Client:
    return venue.hire("adam", "admin")


def act(by: Client, function: str, venue: Venue, user_id: str | None) -> object:
    """One of ACTS upon a member; a new role is the least one."""
    extra = {"role_id": venue.role("game_master")} if function == "set_member_role" else {}
    return by.call(function, organization_id=venue.id, user_id=user_id, **extra)


def test_a_member_s_new_role_acts_on_the_next_request(venue: Venue, admin: Client) -> None:
    person = venue.hire("ana", "receptionist")
    assert person.call("has_permission", permission="customers:read") is True

    changed = admin.call(
        "set_member_role",
        organization_id=venue.id,
        user_id=person.id,
        role_id=venue.role("game_master"),
    )

    assert changed["role"]["key"] == "game_master"
    assert changed["email"] == email_of("ana")
    assert person.call("has_permission", permission="customers:read") is False


@pytest.mark.parametrize("function", ACTS)
def test_nobody_acts_upon_the_own_membership(venue: Venue, admin: Client, function: str) -> None:
    for person in (admin, venue.owner):
        with refused(409, "own_membership"):
            act(person, function, venue, person.id)


@pytest.mark.parametrize("function", ACTS)
def test_a_member_who_holds_more_is_out_of_reach(
    venue: Venue, admin: Client, function: str
) -> None:
    deputy = venue.hire("dora", venue.make_role("Deputy", ["users:manage"]))
    clerk = venue.hire("ana", "receptionist")

    with refused(403, "permission_not_held"):
        act(deputy, function, venue, clerk.id)
    with refused(403, "permission_not_held"):
        act(admin, function, venue, venue.owner.id)


def test_escalation_by_raising_an_accomplice_is_refused(venue: Venue, admin: Client) -> None:
    person = venue.hire("ana")
    above = venue.make_role("Above", ["organization:close"])
    for role_id in (venue.role("owner"), above):
        with refused(403, "permission_not_held"):
            admin.call(
                "set_member_role", organization_id=venue.id, user_id=person.id, role_id=role_id
            )


@pytest.mark.parametrize("function", ACTS)
def test_only_users_manage_acts_upon_members(venue: Venue, function: str) -> None:
    target = venue.hire("ana")
    for role in ("manager", "receptionist", "game_master"):
        person = venue.hire(f"by_{role}", role)
        with refused(403, "permission_denied"):
            act(person, function, venue, target.id)


@pytest.mark.parametrize("function", ACTS)
def test_a_stranger_s_membership_is_as_unknown_as_one_that_does_not_exist(
    house: House, venue: Venue, admin: Client, function: str
) -> None:
    foreign = house.open_venue("Foreign")
    for user_id in (foreign.owner.id, NOWHERE, None):
        with refused(404, "member_not_found"):
            act(admin, function, venue, user_id)


@pytest.mark.parametrize("function", ACTS)
def test_another_tenant_s_members_are_out_of_reach(
    house: House, venue: Venue, function: str
) -> None:
    foreign = house.open_venue("Foreign")
    victim = foreign.hire("victim")
    with refused(403, "permission_denied"):
        act(venue.owner, function, foreign, victim.id)


def test_a_role_of_another_tenant_cannot_be_given(
    house: House, venue: Venue, admin: Client
) -> None:
    foreign = house.open_venue("Foreign").make_role("Theirs", [])
    person = venue.hire("ana")
    for role_id in (foreign, NOWHERE, None):
        with refused(404, "role_not_found"):
            admin.call(
                "set_member_role", organization_id=venue.id, user_id=person.id, role_id=role_id
            )


def test_a_suspended_member_loses_everything_at_once(venue: Venue, admin: Client) -> None:
    person = venue.hire("ana", "admin")
    assert person.select("select from public.memberships") != []

    suspended = admin.call("suspend_member", organization_id=venue.id, user_id=person.id)

    assert suspended["status"] == "suspended"
    for table in ("organizations", "memberships", "roles", "audit_log", "rooms", "bookings"):
        assert person.select(f"select from public.{table}") == []
        assert person.at(venue.id).select(f"select from public.{table}") == []
    context = person.call("my_context")
    assert (context["active_organization_id"], context["organizations"]) == (None, [])
    with refused(403, "permission_denied"):
        person.call("create_role", organization_id=venue.id, name="x", permissions=[])
    with refused(404, "organization_not_found"):
        person.call("switch_organization", organization_id=venue.id)


def test_a_suspended_member_does_not_come_back_by_themselves(
    house: House, venue: Venue, admin: Client
) -> None:
    person = venue.hire("ana")
    admin.call("suspend_member", organization_id=venue.id, user_id=person.id)
    code = admin.call("get_join_code", organization_id=venue.id)
    assert code == {"enabled": False, "code": None}
    code = admin.call("rotate_join_code", organization_id=venue.id)["code"]

    with refused(409, "already_member"):
        person.call("join_organization", code=code)
    assert person.select("select from public.organizations") == []


def test_a_reactivated_member_has_the_old_role_back(venue: Venue, admin: Client) -> None:
    person = venue.hire("ana", "receptionist")
    admin.call("suspend_member", organization_id=venue.id, user_id=person.id)

    back = admin.call("reactivate_member", organization_id=venue.id, user_id=person.id)

    assert (back["status"], back["role"]["key"]) == ("active", "receptionist")
    assert person.call("has_permission", permission="customers:read") is True


def test_a_removed_member_is_a_stranger_from_the_next_request_on(
    venue: Venue, admin: Client
) -> None:
    person = venue.hire("ana", "admin")

    admin.call("remove_member", organization_id=venue.id, user_id=person.id)

    assert person.at(venue.id).select("select from public.organizations") == []
    assert person.call("my_context")["organizations"] == []
    with refused(403, "permission_denied"):
        person.call("get_join_code", organization_id=venue.id)
    # A repeated wish is fulfilled.
    admin.call("remove_member", organization_id=venue.id, user_id=person.id)


def test_who_leaves_a_moment_before_is_removed_all_the_same(venue: Venue, admin: Client) -> None:
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    person = venue.hire("ana")
    person.call("leave_organization", organization_id=venue.id)

    admin.call("remove_member", organization_id=venue.id, user_id=person.id)

    for known in (code, venue.owner.call("get_join_code", organization_id=venue.id)["code"]):
        with pytest.raises(Refused) as caught:
            person.call("join_organization", code=known)
        assert caught.value.code in {"join_code_not_found", "member_barred"}
    with refused(404, "member_not_found"):
        admin.call("remove_member", organization_id=venue.id, user_id=NOWHERE)


def test_a_removed_member_s_stored_choice_is_forgotten(house: House, venue: Venue) -> None:
    person = venue.hire("ana")
    venue.owner.call("remove_member", organization_id=venue.id, user_id=person.id)
    assert house.one(
        "select active_organization_id is null from public.profiles where user_id = %s", person.id
    )


def test_a_removed_member_cannot_use_the_join_code_on_the_wall(venue: Venue) -> None:
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    person = venue.hire("ana")
    venue.owner.call("remove_member", organization_id=venue.id, user_id=person.id)

    with refused(404, "join_code_not_found"):
        person.call("join_organization", code=code)
    assert venue.owner.call("get_join_code", organization_id=venue.id)["enabled"] is True


@pytest.mark.parametrize("act_name", ["remove_member", "suspend_member", "set_member_role"])
def test_invitations_of_somebody_who_was_removed_suspended_or_demoted_are_taken_back(
    house: House, venue: Venue, act_name: str
) -> None:
    manager = venue.hire("mary", "manager")
    _, token = venue.invite(email_of("friend"), venue.role("game_master"), by=manager)
    _, other = venue.invite(email_of("other"), venue.role("game_master"))

    act(venue.owner, act_name, venue, manager.id)

    with refused(404, "invitation_not_found"):
        house.sign_up("friend").call("accept_invitation", token=token)
    house.sign_up("other").call("accept_invitation", token=other)
    assert venue.owner.select(
        "select email from public.invitations where revoked_at is not null"
    ) == [{"email": email_of("friend")}]


def test_a_change_of_nothing_but_the_role_s_name_takes_no_invitation_back(venue: Venue) -> None:
    manager = venue.hire("mary", "manager")
    venue.invite(email_of("friend"), venue.role("game_master"), by=manager)
    venue.owner.call(
        "set_member_role",
        organization_id=venue.id,
        user_id=manager.id,
        role_id=venue.role("manager"),
    )
    venue.owner.call("reactivate_member", organization_id=venue.id, user_id=manager.id)
    pending = "select email from public.invitations where coalesce(accepted_at, revoked_at) is null"
    assert venue.owner.select(pending) == [{"email": email_of("friend")}]


def test_a_member_leaves(venue: Venue) -> None:
    person = venue.hire("ana")
    person.call("leave_organization", organization_id=venue.id)
    assert venue.role_of(person) is None
    # Asked again, it has left.
    person.call("leave_organization", organization_id=venue.id)
    assert venue.role_of(person) is None


def test_leaving_a_stranger_s_organization_is_leaving_none(house: House, venue: Venue) -> None:
    foreign = house.open_venue("Foreign")
    for organization_id in (foreign.id, NOWHERE, None):
        with refused(404, "organization_not_found"):
            venue.owner.call("leave_organization", organization_id=organization_id)


def test_the_last_owner_cannot_leave(venue: Venue) -> None:
    venue.hire("adam", "admin")
    with refused(409, "last_owner"):
        venue.owner.call("leave_organization", organization_id=venue.id)
    assert venue.role_of(venue.owner) == "owner"


def test_one_of_two_owners_may_go_and_the_other_one_may_not(venue: Venue) -> None:
    second = venue.hire("olga", "owner")
    venue.owner.call("leave_organization", organization_id=venue.id)
    with refused(409, "last_owner"):
        second.call("leave_organization", organization_id=venue.id)


def test_a_suspended_owner_does_not_count(venue: Venue) -> None:
    second = venue.hire("olga", "owner")
    second.call("suspend_member", organization_id=venue.id, user_id=venue.owner.id)
    with refused(409, "last_owner"):
        second.call("leave_organization", organization_id=venue.id)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.memberships where organization_id = %s",
        "update public.memberships set status = 'suspended' where organization_id = %s",
        "update public.memberships set expires_at = now() where organization_id = %s",
        (
            "delete from public.profiles as p using public.memberships as m"
            " where m.user_id = p.user_id and m.organization_id = %s"
        ),
    ],
)
def test_no_statement_at_all_takes_the_last_owner(
    house: House, venue: Venue, statement: str
) -> None:
    with pytest.raises(Exception, match="last_owner"):
        house.owner_sql(statement, venue.id)


def test_the_ownership_is_handed_on(venue: Venue, admin: Client) -> None:
    handed = venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=admin.id)

    assert handed["role"]["key"] == "owner"
    assert venue.role_of(admin) == "owner"
    assert venue.role_of(venue.owner) == "admin"
    again = venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=admin.id)
    assert again == handed
    # What is no longer theirs they hand to nobody else.
    other = venue.hire("mary", "manager")
    with refused(403, "permission_denied"):
        venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=other.id)


def test_escalation_by_transfer_needs_the_current_owner(venue: Venue, admin: Client) -> None:
    manager = venue.hire("mary", "manager")
    for person in (admin, manager):
        with refused(403, "permission_denied"):
            person.call("transfer_ownership", organization_id=venue.id, user_id=venue.owner.id)


def test_the_ownership_goes_to_an_active_member_other_than_oneself(
    house: House, venue: Venue
) -> None:
    sleeper = venue.hire("ana")
    venue.owner.call("suspend_member", organization_id=venue.id, user_id=sleeper.id)
    foreign = house.open_venue("Foreign")

    with refused(409, "member_suspended"):
        venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=sleeper.id)
    with refused(409, "own_membership"):
        venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=venue.owner.id)
    for user_id in (foreign.owner.id, NOWHERE, None):
        with refused(404, "member_not_found"):
            venue.owner.call("transfer_ownership", organization_id=venue.id, user_id=user_id)
    assert venue.role_of(venue.owner) == "owner"


def test_an_api_key_hands_no_ownership_on_and_leaves_nothing(venue: Venue) -> None:
    key, _ = venue.make_key(["organization:transfer", "users:manage"])
    person = venue.hire("ana")
    with refused(403, "user_required"):
        key.call("transfer_ownership", organization_id=venue.id, user_id=person.id)
    with refused(403, "user_required"):
        key.call("leave_organization", organization_id=venue.id)
    with refused(403, "permission_not_held"):
        act(key, "set_member_role", venue, person.id)
