"""Which organization a request acts for, and what its caller may do there."""

from __future__ import annotations

import pytest

from client import Client
from matrix.house import House, Venue
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"
MINE = "select organization_id::text from public.memberships group by 1"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def foreign(house: House) -> Venue:
    return house.open_venue("Foreign")


def seen(client: Client) -> list[str]:
    """The organizations whose memberships the caller sees in this request."""
    return [row["organization_id"] for row in client.select(MINE)]


def test_two_tabs_work_in_two_organizations(venue: Venue, foreign: Venue) -> None:
    person = venue.hire("ana", "admin")
    foreign.admit(person, "ana@example.test", "manager")
    one, two = person.at(venue.id), person.at(foreign.id)

    assert seen(one) == [venue.id]
    assert seen(two) == [foreign.id]
    assert one.call("has_permission", permission="users:manage") is True
    assert two.call("has_permission", permission="users:manage") is False
    one.change("update public.organizations set name = 'One'")
    assert two.change("update public.organizations set name = 'Two'") == 0
    assert one.select("select name from public.organizations") == [{"name": "One"}]
    assert two.select("select name from public.organizations") == [{"name": "Foreign"}]


def test_the_header_wins_over_the_stored_choice_and_does_not_change_it(
    venue: Venue, foreign: Venue
) -> None:
    person = venue.hire("ana")
    foreign.admit(person, "ana@example.test")

    assert seen(person) == [foreign.id]
    assert seen(person.at(venue.id)) == [venue.id]
    assert seen(person.at(venue.id.upper())) == [venue.id]
    assert seen(person) == [foreign.id]


@pytest.mark.parametrize("place", ["foreign", "nowhere"])
def test_naming_an_organization_gives_no_access_to_it(
    venue: Venue, foreign: Venue, place: str
) -> None:
    outsider = venue.owner.at(foreign.id if place == "foreign" else NOWHERE)
    for table in ("organizations", "memberships", "roles", "role_permissions", "audit_log"):
        assert outsider.select(f"select from public.{table}") == []
    assert outsider.change("update public.organizations set name = 'x'") == 0
    assert outsider.call("has_permission", permission="users:read") is False


def test_without_a_choice_nothing_is_visible(house: House, venue: Venue) -> None:
    person = venue.hire("ana")
    house.owner_sql("update public.profiles set active_organization_id = null")
    assert seen(person) == []
    assert seen(person.at(venue.id)) == [venue.id]


def test_a_stored_choice_gives_no_access_either(house: House, venue: Venue, foreign: Venue) -> None:
    house.owner_sql(
        "update public.profiles set active_organization_id = %s where user_id = %s",
        foreign.id,
        venue.owner.id,
    )
    assert seen(venue.owner) == []
    assert venue.owner.call("my_context")["active_organization_id"] is None


@pytest.mark.parametrize(
    "header", ["x", "", NOWHERE + "0", NOWHERE[:-1], "{" + NOWHERE + "}", NOWHERE.replace("-", "")]
)
def test_a_header_that_names_no_organization_is_refused(venue: Venue, header: str) -> None:
    with refused(400, "organization_header_invalid"):
        venue.owner.at(header).select("select from public.memberships")


def test_a_player_sees_nothing_of_any_venue(house: House, venue: Venue) -> None:
    player = house.sign_up("player")
    for client in (player, player.at(venue.id)):
        for table in ("organizations", "memberships", "roles", "audit_log"):
            assert client.select(f"select from public.{table}") == []


@pytest.mark.parametrize(
    "take_away",
    ["suspend", "remove", "demote", "narrow", "close", "switch off"],
)
def test_a_revocation_acts_on_the_next_statement_with_the_same_claims(
    house: House, venue: Venue, take_away: str
) -> None:
    role = venue.make_role("Crew", ["users:read"])
    person = venue.hire("ana", role)
    assert seen(person) == [venue.id]
    member = {"organization_id": venue.id, "user_id": person.id}
    match take_away:
        case "suspend":
            venue.owner.call("suspend_member", **member)
        case "remove":
            venue.owner.call("remove_member", **member)
        case "demote":
            venue.owner.call("set_member_role", **member, role_id=venue.make_role("Less", []))
        case "narrow":
            venue.owner.call(
                "set_role_permissions", organization_id=venue.id, role_id=role, permissions=[]
            )
        case "close":
            venue.owner.call(
                "close_organization", organization_id=venue.id, confirm_slug=venue.slug
            )
        case _:
            house.owner_sql("delete from public.permissions where key = 'users:read'")
    assert seen(person) == []
    assert person.call("has_permission", permission="users:read") is False


def test_claims_beside_the_caller_s_id_grant_nothing(house: House, venue: Venue) -> None:
    player = house.sign_up("player")
    boasting = {
        **player.caller.claims,
        "organization_id": venue.id,
        "permissions": "users:read",
        "app_metadata": "owner",
    }
    caller = type(player.caller)("authenticated", boasting)
    assert seen(Client(house.connection, caller, venue.id)) == []


def test_a_permission_that_the_caller_does_not_hold_is_named_in_the_refusal(venue: Venue) -> None:
    with refused(403, "permission_denied") as caught:
        venue.hire("ana").call("get_join_code", organization_id=venue.id)
    assert caught.value.details == {"permission": "users:manage"}


def test_an_organization_that_does_not_exist_answers_as_one_that_is_not_mine(
    venue: Venue, foreign: Venue
) -> None:
    answers = set()
    for organization_id in (foreign.id, NOWHERE, None):
        with refused(403, "permission_denied") as caught:
            venue.owner.call("get_join_code", organization_id=organization_id)
        answers.add((str(caught.value), caught.value.hint))
    assert len(answers) == 1


def test_clients_reach_no_table_of_the_private_schema(house: House, venue: Venue) -> None:
    tables = house.owner_sql(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables"
        " where schemaname in ('private', 'auth')"
    )
    assert len(tables) > 20
    for client in (venue.owner, house.nobody, house.service):
        for table in tables:
            with refused(401 if client.caller.role == "anon" else 403, "42501"):
                client.select(f"select from {table['name']}")


def test_clients_call_no_helper_that_decides_for_others(house: House, venue: Venue) -> None:
    for call in (
        "private.has_permission(%s, 'users:read')",
        "private.request_organization()",
        "private.held_permissions(%s)",
        "private.act_as('system')",
        "private.derived_token('booking', %s)",
        "private.random_token()",
        "private.limit_rate('public_read', 'address', 'x')",
        "private.idempotent_begin('x', 'x', '{}')",
        "private.require_permission(%s, 'users:read')",
        "private.permission_upsert('a:b', 'x', true, 'x', 'x', array['owner'])",
        "private.erase_rows(%s)",
        "private.rotate_join_code(%s)",
    ):
        parameters = [venue.id] * call.count("%s")
        with refused(403, "42501"):
            venue.owner.select(f"select {call}", *parameters)
        with refused(401, "42501"):
            house.nobody.select(f"select {call}", *parameters)
