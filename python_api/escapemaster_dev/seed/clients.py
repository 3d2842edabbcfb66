"""The seed's two ways in: the gateway's Auth and Storage, and the product's RPCs and tables.

RPCs and tables are called on a database connection as PostgREST would call them: with the
client's role and claims, so that privileges, policies and triggers decide. That leaves a whole
venue to one transaction: it is there or it is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg import sql
from psycopg.rows import DictRow

from escapemaster_dev.seed.settings import SeedSettings
from escapemaster_dev.seed.venues import PASSWORD, Person

Connection = psycopg.Connection[DictRow]

_BUCKET = "room-images"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who signed up."""

    person: Person
    user_id: str
    token: str


def register(
    connection: Connection, *, email: str, password: str, full_name: str = "", locale: str = "es"
) -> str:
    """Make an account whose address counts as proven, unless it is there; its id.

    What `auth.admin.createUser` does on a hosted project, and the operator's word
    (`private.vouch_for_address`): no mail goes out. The connection is the owner's.
    """
    (found,) = connection.execute(
        """
        with made as (
          insert into auth.users (
            id, email, encrypted_password, email_confirmed_at, raw_user_meta_data
          )
          select
            gen_random_uuid(), lower(%(email)s),
            -- The least work that bcrypt knows: these are passwords that everybody may read.
            extensions.crypt(%(password)s, extensions.gen_salt('bf', 4)), now(),
            jsonb_build_object('full_name', %(full_name)s::text, 'locale', %(locale)s::text)
          where not exists (select from auth.users where email = lower(%(email)s))
          returning id, email
        ), identity as (
          insert into auth.identities (id, provider, provider_id, user_id, identity_data)
          select
            gen_random_uuid(), 'email', made.id, made.id,
            jsonb_build_object('sub', made.id, 'email', made.email, 'email_verified', true)
          from made
        )
        select id::text from made
        union all
        select id::text from auth.users where email = lower(%(email)s)
        """,
        {"email": email, "password": password, "full_name": full_name, "locale": locale},
    ).fetchall()
    connection.execute("select private.vouch_for_address(%s)", (found["id"],))
    return str(found["id"])


class Gateway:
    """Auth and Storage, over HTTP."""

    def __init__(self, settings: SeedSettings) -> None:
        self._http = httpx.Client(
            base_url=settings.supabase_url,
            headers={"apikey": settings.publishable_key},
            timeout=20,
            trust_env=False,
        )

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def sign_in(self, person: Person) -> Account:
        """Sign in to an account that `register` has made.

        Raises httpx.HTTPStatusError when that does not work.
        """
        answer = self._http.post(
            "/auth/v1/token",
            params={"grant_type": "password"},
            json={"email": person.email, "password": PASSWORD},
        )
        answer.raise_for_status()
        found = answer.json()
        return Account(person, found["user"]["id"], found["access_token"])

    def upload(self, account: Account, path: str, picture: bytes) -> None:
        """Put a room's picture where its path says, as a member of staff."""
        self._http.post(
            f"/storage/v1/object/{_BUCKET}/{path}",
            content=picture,
            headers={
                "Authorization": f"Bearer {account.token}",
                "Content-Type": "image/png",
                "Cache-Control": "max-age=3600",
                "x-upsert": "true",
            },
        ).raise_for_status()


class Client:
    """One client of the API: a signed-in person in an organization, or a visitor."""

    def __init__(
        self, connection: Connection, user_id: str | None, organization_id: str | None = None
    ) -> None:
        self._connection = connection
        self._role = "authenticated" if user_id else "anon"
        self._claims = {"role": self._role} | ({"sub": user_id} if user_id else {})
        self._headers = {"x-organization-id": organization_id} if organization_id else {}

    def call(self, function: str, **arguments: object) -> Any:
        """Call a function of the schema public by its arguments' names; its JSON answer."""
        (answer,) = self.call_each(function, [arguments])
        return answer

    def call_each(self, function: str, calls: Sequence[Mapping[str, object]]) -> list[Any]:
        """One call after the other, with the same arguments' names; their JSON answers."""
        if not calls:
            return []
        query = sql.SQL("select to_jsonb(public.{}({})) as answer").format(
            sql.Identifier(function),
            sql.SQL(", ").join(
                sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name))
                for name in calls[0]
            ),
        )
        self._act()
        cursor = self._connection.cursor()
        cursor.executemany(query, [_adapted(call) for call in calls], returning=True)
        return [row["answer"] for result in cursor.results() for row in result.fetchall()]

    def rows(
        self, query: LiteralString, values: Mapping[str, object] | None = None
    ) -> list[DictRow]:
        """Read as this client."""
        self._act()
        return self._connection.execute(query, values).fetchall()

    def insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> list[str]:
        """Insert rows of the same columns into a table of the schema public; their ids."""
        row = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(rows[0])))
        query = sql.SQL(
            "insert into public.{0} ({1}) values {2} returning to_jsonb({0}) ->> 'id' as id"
        )
        self._act()
        found = self._connection.execute(
            query.format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, rows[0])),
                sql.SQL(", ").join([row] * len(rows)),
            ),
            [value for row in rows for value in _adapted(row).values()],
        )
        return [row["id"] for row in found.fetchall()]

    def _act(self) -> None:
        _become(self._connection, self._role, json.dumps(self._claims), json.dumps(self._headers))


def as_owner(connection: Connection) -> Connection:
    """The connection with the rights of the database's owner again, and nobody's claims."""
    return _become(connection, "postgres", "", "")


def _become(connection: Connection, role: str, claims: str, headers: str) -> Connection:
    connection.execute(
        """
        select
          set_config('role', %s, true),
          set_config('request.jwt.claims', %s, true),
          set_config('request.headers', %s, true),
          set_config('escapemaster.actor', '', true)
        """,
        (role, claims, headers),
    )
    return connection


def _adapted(values: Mapping[str, object]) -> dict[str, object]:
    """Objects as JSON; everything else as psycopg knows it."""
    return {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
