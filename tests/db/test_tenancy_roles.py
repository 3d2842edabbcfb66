"""Custom roles: nobody grants what they do not hold."""

from __future__ import annotations

import pytest

from client import Client
from matrix.house import House, Venue, email_of
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def admin(venue: Venue) -> Client:
    return venue.hire("adam", "admin")


def test_a_custom_role_carries_exactly_what_it_was_given(venue: Venue, admin: Client) -> None:
    made = admin.call(
        "create_role",
        organization_id=venue.id,
        name=" Turno de noche ",
        permissions=["users:read", "bookings:read", "users:read"],
        description="Cierra el local",
    )

    assert made["name"] == "Turno de noche"
    assert made["key"] == "turno_de_noche"
    assert made["description"] == "Cierra el local"
    assert made["is_system"] is False
    assert made["permissions"] == ["bookings:read", "users:read"]
    person = venue.hire("ana", made["id"])
    assert person.call("has_permission", permission="bookings:read") is True
    assert person.call("has_permission", permission="rooms:read") is False


def test_a_role_whose_name_starts_with_a_digit_gets_a_usable_key(
    venue: Venue, admin: Client
) -> None:
    made = admin.call("create_role", organization_id=venue.id, name="24 h", permissions=[])
    assert made["key"] == "role_24_h"


@pytest.mark.parametrize("name", ["", "   ", None, "x" * 81])
def test_a_role_needs_a_name(venue: Venue, admin: Client, name: str | None) -> None:
    with refused(422, "name_invalid"):
        admin.call("create_role", organization_id=venue.id, name=name, permissions=[])


def test_a_role_s_description_has_an_end(venue: Venue, admin: Client) -> None:
    role = {"organization_id": venue.id, "name": "Night", "description": "x" * 501}
    with refused(422, "description_too_long"):
        admin.call("create_role", **role, permissions=[])
    with refused(422, "description_too_long"):
        admin.call("rename_role", **role, role_id=venue.make_role("Day", []))


@pytest.mark.parametrize("name", ["Night", "owner", "Game Master"])
def test_two_roles_of_one_name_are_refused(venue: Venue, admin: Client, name: str) -> None:
    venue.make_role("Night", [])
    with refused(409, "role_exists"):
        admin.call("create_role", organization_id=venue.id, name=name, permissions=[])


@pytest.mark.parametrize("wrong", ["no:such", "", None])
def test_a_role_is_made_of_permissions_of_the_catalogue(
    venue: Venue, admin: Client, wrong: str | None
) -> None:
    with refused(422, "permission_unknown"):
        admin.call(
            "create_role", organization_id=venue.id, name="x", permissions=["users:read", wrong]
        )


def test_escalation_by_a_new_role_is_refused(venue: Venue, admin: Client) -> None:
    with refused(403, "permission_not_held") as caught:
        admin.call(
            "create_role",
            organization_id=venue.id,
            name="More than me",
            permissions=["users:read", "organization:transfer", "organization:close"],
        )
    assert caught.value.details == {"permissions": ["organization:close", "organization:transfer"]}


def test_escalation_by_widening_the_own_role_is_refused(venue: Venue) -> None:
    role = venue.make_role("Head", ["roles:manage", "roles:read"])
    head = venue.hire("hans", role)

    with refused(403, "permission_not_held"):
        head.call(
            "set_role_permissions",
            organization_id=venue.id,
            role_id=role,
            permissions=["roles:manage", "roles:read", "payments:read"],
        )
    assert venue.permissions_of(head) == {"roles:manage", "roles:read"}


def test_escalation_by_widening_a_role_of_others_is_refused(venue: Venue) -> None:
    head = venue.hire("hans", venue.make_role("Head", ["roles:manage"]))
    crew = venue.make_role("Crew", [])

    with refused(403, "permission_not_held"):
        head.call(
            "set_role_permissions",
            organization_id=venue.id,
            role_id=crew,
            permissions=["bookings:read"],
        )


def test_a_role_that_holds_more_than_the_caller_cannot_be_touched(venue: Venue) -> None:
    head = venue.hire("hans", venue.make_role("Head", ["roles:manage"]))
    above = venue.make_role("Above", ["roles:manage", "payments:read"])

    with refused(403, "permission_not_held"):
        head.call("set_role_permissions", organization_id=venue.id, role_id=above, permissions=[])
    with refused(403, "permission_not_held"):
        head.call("delete_role", organization_id=venue.id, role_id=above)


def test_a_role_gets_exactly_the_new_permissions_and_its_holders_feel_it_at_once(
    venue: Venue, admin: Client
) -> None:
    role = venue.make_role("Night", ["users:read", "bookings:read"])
    person = venue.hire("ana", role)
    assert person.call("has_permission", permission="users:read") is True

    changed = admin.call(
        "set_role_permissions",
        organization_id=venue.id,
        role_id=role,
        permissions=["bookings:read", "rooms:read"],
    )

    assert changed["permissions"] == ["bookings:read", "rooms:read"]
    assert person.call("has_permission", permission="users:read") is False
    assert person.call("has_permission", permission="rooms:read") is True


@pytest.mark.parametrize("nothing", [[], None])
def test_a_role_may_be_left_with_nothing(
    venue: Venue, admin: Client, nothing: list[str] | None
) -> None:
    role = venue.make_role("Night", ["users:read"])
    changed = admin.call(
        "set_role_permissions", organization_id=venue.id, role_id=role, permissions=nothing
    )
    assert changed["permissions"] == []


def test_system_roles_stay_as_they_are(venue: Venue) -> None:
    for key in ("owner", "admin", "game_master"):
        with refused(409, "role_is_system"):
            venue.owner.call(
                "set_role_permissions",
                organization_id=venue.id,
                role_id=venue.role(key),
                permissions=["users:read"],
            )
        with refused(409, "role_is_system"):
            venue.owner.call("delete_role", organization_id=venue.id, role_id=venue.role(key))


def test_a_role_of_another_tenant_is_as_unknown_as_one_that_does_not_exist(
    house: House, venue: Venue, admin: Client
) -> None:
    foreign = house.open_venue("Foreign").make_role("Night", [])
    for role_id in (foreign, NOWHERE, None):
        with refused(404, "role_not_found"):
            admin.call(
                "set_role_permissions", organization_id=venue.id, role_id=role_id, permissions=[]
            )
        with refused(404, "role_not_found"):
            admin.call("delete_role", organization_id=venue.id, role_id=role_id)
    own = venue.make_role("Night", [])
    for role_id in (foreign, NOWHERE):
        with refused(404, "role_not_found"):
            admin.call(
                "delete_role", organization_id=venue.id, role_id=own, replacement_role_id=role_id
            )


def test_a_role_nobody_has_is_deleted(venue: Venue, admin: Client) -> None:
    role = venue.make_role("Night", ["users:read"])
    admin.call("delete_role", organization_id=venue.id, role_id=role)
    assert admin.select("select from public.roles where id = %s", role) == []


def test_a_role_in_use_is_deleted_only_with_a_replacement(venue: Venue, admin: Client) -> None:
    role, other = venue.make_role("Night", ["users:read"]), venue.make_role("Day", ["rooms:read"])
    person = venue.hire("ana", role)

    with refused(409, "role_in_use"):
        admin.call("delete_role", organization_id=venue.id, role_id=role)
    with refused(422, "replacement_invalid"):
        admin.call("delete_role", organization_id=venue.id, role_id=role, replacement_role_id=role)
    admin.call("delete_role", organization_id=venue.id, role_id=role, replacement_role_id=other)

    assert venue.role_of(person) == "day"
    assert person.call("has_permission", permission="rooms:read") is True


def test_a_role_that_is_offered_counts_as_used_and_the_offer_moves_along(
    house: House, venue: Venue, admin: Client
) -> None:
    role, other = venue.make_role("Night", []), venue.make_role("Day", [])
    _, token = venue.invite(email_of("ana"), role)

    with refused(409, "role_in_use"):
        admin.call("delete_role", organization_id=venue.id, role_id=role)
    admin.call("delete_role", organization_id=venue.id, role_id=role, replacement_role_id=other)

    ana = house.sign_up("ana")
    ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) == "day"


def test_an_invitation_to_another_role_is_no_hindrance_and_stays_as_it_is(
    house: House, venue: Venue, admin: Client
) -> None:
    role, other, heir = (venue.make_role(name, []) for name in ("Night", "Day", "Heir"))
    _, token = venue.invite(email_of("ana"), other)
    admin.call("delete_role", organization_id=venue.id, role_id=role)
    admin.call(
        "delete_role",
        organization_id=venue.id,
        role_id=venue.make_role("Noon", []),
        replacement_role_id=heir,
    )
    ana = house.sign_up("ana")
    ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) == "day"


def test_an_invitation_that_is_over_keeps_no_role_alive(venue: Venue, admin: Client) -> None:
    role = venue.make_role("Night", [])
    invitation_id, _ = venue.invite(email_of("ana"), role)
    admin.call("revoke_invitation", organization_id=venue.id, invitation_id=invitation_id)
    admin.call("delete_role", organization_id=venue.id, role_id=role)
    assert admin.select("select from public.roles where id = %s", role) == []


def test_escalation_by_deleting_the_own_role_in_favour_of_a_greater_one_is_refused(
    venue: Venue,
) -> None:
    small = venue.make_role("Small", ["roles:manage"])
    great = venue.make_role("Great", ["roles:manage", "payments:read"])
    head = venue.hire("hans", small)

    for replacement in (great, venue.role("owner"), venue.role("game_master")):
        with refused(403, "permission_not_held"):
            head.call(
                "delete_role",
                organization_id=venue.id,
                role_id=small,
                replacement_role_id=replacement,
            )
    assert venue.permissions_of(head) == {"roles:manage"}


def test_escalation_to_owner_by_a_role_that_holds_everything_is_refused(venue: Venue) -> None:
    everything = venue.make_role("Everything", venue.permissions_of(venue.owner))
    twin = venue.hire("twin", everything)
    other = venue.hire("ana")
    spare = venue.make_role("Spare", [])
    venue.hire("bea", spare)

    with refused(403, "permission_not_held"):
        twin.call(
            "set_member_role",
            organization_id=venue.id,
            user_id=other.id,
            role_id=venue.role("owner"),
        )
    with refused(403, "permission_not_held"):
        twin.call(
            "invite_member",
            organization_id=venue.id,
            email="x@example.test",
            role_id=venue.role("owner"),
        )
    with refused(403, "permission_not_held"):
        twin.call(
            "delete_role",
            organization_id=venue.id,
            role_id=spare,
            replacement_role_id=venue.role("owner"),
        )
    with refused(403, "permission_denied"):
        twin.call("transfer_ownership", organization_id=venue.id, user_id=other.id)
    for function in ("suspend_member", "remove_member"):
        with refused(403, "permission_not_held"):
            twin.call(function, organization_id=venue.id, user_id=venue.owner.id)
    assert venue.role_of(other) == "game_master"


@pytest.mark.parametrize("actor", ["manager", "receptionist", "game_master"])
def test_without_roles_manage_no_role_is_made_changed_or_deleted(venue: Venue, actor: str) -> None:
    role = venue.make_role("Night", [])
    person = venue.hire("ana", actor)

    with refused(403, "permission_denied") as caught:
        person.call("create_role", organization_id=venue.id, name="Mine", permissions=[])
    assert caught.value.details == {"permission": "roles:manage"}
    with refused(403, "permission_denied"):
        person.call("set_role_permissions", organization_id=venue.id, role_id=role, permissions=[])
    with refused(403, "permission_denied"):
        person.call("delete_role", organization_id=venue.id, role_id=role)


def test_an_api_key_with_roles_manage_has_nothing_to_pass_on(venue: Venue) -> None:
    role = venue.make_role("Night", ["users:read"])
    key, _ = venue.make_key(["roles:manage", "users:read"])

    with refused(403, "permission_not_held"):
        key.call("create_role", organization_id=venue.id, name="x", permissions=["users:read"])
    with refused(403, "permission_not_held"):
        key.call("set_role_permissions", organization_id=venue.id, role_id=role, permissions=[])


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.roles (organization_id, key, name) values (%s, 'x', 'x')",
        "update public.roles set name = 'x' where organization_id = %s",
        "delete from public.roles where organization_id = %s",
        "insert into public.role_permissions select %s, id, 'rooms:read' from public.roles",
        "delete from public.role_permissions where organization_id = %s",
        "update public.memberships set status = 'active' where organization_id = %s",
        (
            "insert into public.memberships (organization_id, user_id, role_id)"
            " select %s, user_id, role_id from public.memberships"
        ),
        "delete from public.memberships where organization_id = %s",
    ],
)
def test_not_even_an_owner_writes_roles_or_memberships_past_the_functions(
    venue: Venue, statement: str
) -> None:
    with refused(403, "42501"):
        venue.owner.change(statement, venue.id)
