"""Ids are unique in a tenant and no further: what is done to one touches no other with its ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from client import Client
from matrix.house import House, Venue, email_of
from matrix.promises import refused

#: Parents first. Secrets stay with their own rows.
_COPIED = (
    "roles",
    "role_permissions",
    "memberships",
    "invitations",
    "api_keys",
    "api_key_permissions",
    "support_entries",
    "organization_exports",
)


@dataclass(frozen=True, slots=True)
class Twins:
    """A venue, and another one with the same ids in every table.

    Attributes:
        ids: What the venue's things are called.
    """

    venue: Venue
    other: str
    operator: Client
    ana: Client
    ids: dict[str, str]

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Everything of the other one."""
        return {
            table: self.venue.house.owner_sql(
                f"select * from public.{table} as t where organization_id = %s order by t",
                self.other,
            )
            for table in _COPIED
        }

    def call(self, function: str, by: Client | None = None, **arguments: object) -> Any:
        """A function upon the venue, as its owner unless somebody else is named."""
        return (by or self.venue.owner).call(function, organization_id=self.venue.id, **arguments)

    def finish_export(self) -> None:
        """The worker's last word on the venue's export."""
        with self.venue.exporting(self.ids["export"]) as lease:
            self.venue.house.service.call(
                "service.finish_export", **lease, object_path=f"{self.venue.id}/x", row_count=1
            )


@pytest.fixture
def twins(house: House) -> Twins:
    venue = house.open_venue("Venue")
    operator = house.sign_up("operator")
    house.admit_platform_admin(operator)
    crew, spare = venue.make_role("Crew", ["rooms:read"]), venue.make_role("Spare", ["rooms:read"])
    ana = venue.hire("ana", crew)
    invitation, token = venue.invite(email_of("guest"), crew, by=venue.hire("mary", "manager"))
    key, secret = venue.make_key(["rooms:read"])
    entry = operator.call(
        "platform_enter_organization", organization_id=venue.id, reason="To see both of them"
    )
    export = venue.owner.call("export_organization", organization_id=venue.id)
    other = house.one(
        "insert into public.organizations (name, slug) values ('Twin', 'twin') returning id::text"
    )
    house.connection.execute("set local session_replication_role = replica")
    for table in _COPIED:
        house.connection.execute(
            f"insert into public.{table} select (jsonb_populate_record(t,"
            f" jsonb_build_object('organization_id', %s::text))).* from public.{table} as t"
            f" where organization_id = %s".encode(),
            [other, venue.id],
        )
    house.connection.execute("set local session_replication_role = origin")
    ids = {
        "crew": crew,
        "spare": spare,
        "invitation": invitation,
        "token": token,
        "key": key.id,
        "secret": secret,
        "entry": entry["id"],
        "export": export["id"],
    }
    return Twins(venue, other, operator, ana, ids)


_ACTS: dict[str, Callable[[Twins], object]] = {
    "a role's permissions": lambda t: t.call(
        "set_role_permissions", role_id=t.ids["crew"], permissions=["users:read"]
    ),
    "a role's end": lambda t: t.call(
        "delete_role", role_id=t.ids["crew"], replacement_role_id=t.ids["spare"]
    ),
    "a member's role": lambda t: t.call(
        "set_member_role", user_id=t.ana.id, role_id=t.ids["spare"]
    ),
    "a suspension": lambda t: t.call("suspend_member", user_id=t.ana.id),
    "a removal": lambda t: t.call("remove_member", user_id=t.ana.id),
    "leaving": lambda t: t.call("leave_organization", by=t.ana),
    "a new owner": lambda t: t.call("transfer_ownership", user_id=t.ana.id),
    "an inviter's end": lambda t: t.call(
        "remove_member",
        user_id=t.venue.house.one(
            "select user_id::text from public.profiles where email = %s", email_of("mary")
        ),
    ),
    "an invitation taken back": lambda t: t.call(
        "revoke_invitation", invitation_id=t.ids["invitation"]
    ),
    "inviting again": lambda t: t.call(
        "invite_member", email=email_of("guest"), role_id=t.ids["crew"]
    ),
    "an acceptance": lambda t: t.venue.house.sign_up("guest").call(
        "accept_invitation", token=t.ids["token"]
    ),
    "a key's end": lambda t: t.call("revoke_api_key", api_key_id=t.ids["key"]),
    "a key's use": lambda t: t.venue.house.service.call(
        "service.exchange_api_key", secret=t.ids["secret"], address="x"
    ),
    "a visit's end": lambda t: t.call("end_support_entry", support_entry_id=t.ids["entry"]),
    "another visit": lambda t: t.call(
        "platform_enter_organization", by=t.operator, reason="To see one of them"
    ),
    "an export's end": Twins.finish_export,
}


@pytest.mark.parametrize("act", _ACTS)
def test_the_other_tenant_with_the_same_ids_is_not_touched_by(act: str, twins: Twins) -> None:
    before = twins.rows()
    assert all(before.values())
    _ACTS[act](twins)
    assert twins.rows() == before


def test_what_a_role_of_the_same_id_holds_elsewhere_does_not_matter(twins: Twins) -> None:
    house, venue = twins.venue.house, twins.venue
    house.owner_sql(
        "insert into public.role_permissions values (%s, %s, 'organization:close')",
        twins.other,
        twins.ids["crew"],
    )
    adam = venue.hire("adam", "admin")

    _, token = venue.invite(email_of("friend"), twins.ids["crew"], by=adam)
    house.sign_up("friend").call("accept_invitation", token=token)
    person = venue.hire("bea")
    adam.call(
        "set_member_role",
        organization_id=venue.id,
        user_id=person.id,
        role_id=twins.ids["crew"],
    )
    assert venue.permissions_of(person) == {"rooms:read"}


def test_owning_the_other_tenant_is_not_owning_this_one(twins: Twins) -> None:
    house, venue = twins.venue.house, twins.venue
    deputy = venue.hire("dora", venue.make_role("All", venue.permissions_of(venue.owner)))
    house.connection.execute("set local session_replication_role = replica")
    house.connection.execute(
        "insert into public.memberships (organization_id, user_id, role_id) values (%s, %s, %s)",
        [twins.other, deputy.id, venue.role("owner")],
    )
    house.connection.execute("set local session_replication_role = origin")
    with refused(403, "permission_not_held"):
        deputy.call(
            "set_member_role",
            organization_id=venue.id,
            user_id=twins.ana.id,
            role_id=venue.role("owner"),
        )
    with refused(403, "permission_denied"):
        deputy.call("transfer_ownership", organization_id=venue.id, user_id=twins.ana.id)


def test_belonging_to_the_other_tenant_is_not_belonging_to_this_one(twins: Twins) -> None:
    house, venue = twins.venue.house, twins.venue
    stranger = house.sign_up("stranger")
    house.owner_sql(
        "insert into public.memberships (organization_id, user_id, role_id) values (%s, %s, %s)",
        twins.other,
        stranger.id,
        venue.role("owner"),
    )
    may = "select private.may_invite(%s, %s, %s)"
    assert house.one(may, twins.other, stranger.id, twins.ids["crew"]) is True
    assert house.one(may, venue.id, stranger.id, twins.ids["crew"]) is False


def test_a_role_that_is_in_use_elsewhere_only_is_deleted(twins: Twins) -> None:
    twins.call("revoke_invitation", invitation_id=twins.ids["invitation"])
    twins.call("set_member_role", user_id=twins.ana.id, role_id=twins.ids["spare"])
    before = twins.rows()
    twins.call("delete_role", role_id=twins.ids["crew"])
    assert twins.rows() == before


def test_a_template_reaches_system_roles_and_not_others_with_their_ids(twins: Twins) -> None:
    house = twins.venue.house
    house.owner_sql(
        "update public.roles set is_system = false where organization_id = %s",
        twins.other,
    )
    before = twins.rows()["role_permissions"]
    upsert = "select private.permission_upsert('rooms:read', 'x', false, 'x', 'x', %s)"
    house.owner_sql(upsert, [])
    house.owner_sql(upsert, ["manager"])
    assert twins.rows()["role_permissions"] == before
