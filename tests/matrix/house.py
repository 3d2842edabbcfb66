"""Arranging people and venues, with the product's own functions."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from client import ANON, SERVICE, Caller, Client, Connection, Ending, Id, in_one
from leases import leased


@dataclass(frozen=True, slots=True)
class House:
    """One database, seen from behind the counter.

    Attributes:
        connection: The superuser's. Only sign-ups, which belong to Supabase Auth, are made with
            its rights; everything else runs as the product's owner or as a caller.
        ready: The name of a venue that stands in the database before the test begins, if one does.
    """

    connection: Connection
    ready: str | None = None

    @property
    def nobody(self) -> Client:
        """A visitor without an account."""
        return Client(self.connection, ANON)

    @property
    def service(self) -> Client:
        """The Python service with its secret key."""
        return Client(self.connection, SERVICE)

    def sign_up(self, name: str, *, confirmed: bool = True, proven: bool = True) -> Client:
        """A new user with the address <name>@example.test.

        Args:
            name: Of the person.
            confirmed: Whether Auth calls the address confirmed, as without confirmations it does
                at once.
            proven: Whether a message to the address came back, too.
        """
        user_id = uuid4()
        full_name = name.replace("_", " ").title()
        self.connection.execute(
            "insert into auth.users (id, email, email_confirmed_at, raw_user_meta_data)"
            " values (%s, %s, case when %s then now() end, %s)",
            [user_id, email_of(name), confirmed, Jsonb({"full_name": full_name})],
        )
        if confirmed and proven:
            self.owner_sql("select private.vouch_for_address(%s)", user_id)
        return Client(self.connection, Caller.person(user_id))

    def owner_sql(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a statement as the owner of the product's objects."""
        ending = Ending("set local role none")
        with (
            in_one(self.connection, "set local role postgres", ending),
            self.connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *parameters: object) -> Any:
        """The single value that a statement of the owner returns."""
        (row,) = self.owner_sql(statement, *parameters)
        (value,) = row.values()
        return value

    def open_venue(self, name: str, owner: Client | None = None) -> Venue:
        """A new organization with its owner, who is signed up if not given.

        The one that is ready, where it has this name: making one costs more than most tests.
        """
        if name == self.ready:
            return self._ready_venue()
        owner = owner or self.sign_up(f"owner_of_{name}".lower().replace(" ", "_"))
        created = owner.call("create_organization", name=name)
        return Venue(self, str(created["id"]), created["slug"], owner)

    def _ready_venue(self) -> Venue:
        (row,) = self.owner_sql(
            "select o.id::text, o.slug, m.user_id from public.organizations as o"
            " join public.memberships as m on m.organization_id = o.id where o.name = %s",
            self.ready,
        )
        owner = Client(self.connection, Caller.person(row["user_id"]))
        return Venue(self, row["id"], row["slug"], owner)

    def admit_platform_admin(self, person: Client) -> None:
        """Make somebody an operator of the platform, as only the owner of the database can."""
        self.owner_sql("insert into private.platform_admins (user_id) values (%s)", person.id)

    def invitation_token(self, invitation_id: Id) -> str:
        """What the mail of an invitation carries."""
        return str(self.one("select private.derived_token('invitation', %s)", str(invitation_id)))


@dataclass(frozen=True, slots=True)
class Venue:
    """One organization.

    Attributes:
        owner: Its first owner, whose client names no organization: it is the active one.
    """

    house: House
    id: str
    slug: str
    owner: Client

    def exporting(self, export_id: object) -> AbstractContextManager[dict[str, Any]]:
        """The lease of the job that makes an export of this venue."""
        payload = {"organization_id": self.id, "export_id": str(export_id)}
        return leased(self.house.owner_sql, "organization.export", payload, self.id)

    def role(self, key: str) -> str:
        """The id of the role with this key."""
        return str(
            self.house.one(
                "select id from public.roles where organization_id = %s and key = %s", self.id, key
            )
        )

    def make_role(self, name: str, permissions: Iterable[str]) -> str:
        """A custom role, made by the owner."""
        made = self.owner.call(
            "create_role", organization_id=self.id, name=name, permissions=list(permissions)
        )
        return str(made["id"])

    def invite(self, email: str, role_id: str, by: Client | None = None) -> tuple[str, str]:
        """An invitation's id and token."""
        invited = (by or self.owner).call(
            "invite_member", organization_id=self.id, email=email, role_id=role_id
        )
        return str(invited["id"]), self.house.invitation_token(invited["id"])

    def hire(self, name: str, role: str = "game_master") -> Client:
        """A new user who has accepted an invitation to a role, named by its key or id."""
        person = self.house.sign_up(name)
        self.admit(person, email_of(name), role)
        return person

    def admit(self, person: Client, email: str, role: str = "game_master") -> None:
        """Let an existing user accept an invitation to a role, named by its key or id."""
        role_id = role if "-" in role else self.role(role)
        _, token = self.invite(email, role_id)
        person.call("accept_invitation", token=token)

    def make_key(self, permissions: Iterable[str], name: str = "Key") -> tuple[Client, str]:
        """A client that holds a token of a new API key, and the key's secret."""
        made = self.owner.call(
            "create_api_key", organization_id=self.id, name=name, permissions=list(permissions)
        )
        caller = Caller.api_key(made["id"], self.id)
        return Client(self.house.connection, caller), str(made["secret"])

    def permissions_of(self, person: Client) -> set[str]:
        """What a person's role holds here, whatever the membership's state."""
        rows = self.house.owner_sql(
            "select rp.permission_key from public.memberships as m"
            " join public.role_permissions as rp using (organization_id, role_id)"
            " where m.organization_id = %s and m.user_id = %s",
            self.id,
            person.id,
        )
        return {row["permission_key"] for row in rows}

    def role_of(self, person: Client) -> str | None:
        """The key of a person's role here, or None without a membership."""
        rows = self.house.owner_sql(
            "select r.key from public.memberships as m"
            " join public.roles as r on r.organization_id = m.organization_id and r.id = m.role_id"
            " where m.organization_id = %s and m.user_id = %s",
            self.id,
            person.id,
        )
        return rows[0]["key"] if rows else None

    def count(self, table: str) -> int:
        """How many rows of a table of public are this venue's."""
        statement = sql.SQL("select count(*) from {} where organization_id = %s").format(
            sql.Identifier("public", table)
        )
        row = self.house.connection.execute(statement, [self.id]).fetchone()
        assert row is not None
        return int(row[0])


def email_of(name: str) -> str:
    """The address that `sign_up` gives."""
    return f"{name}@example.test"
