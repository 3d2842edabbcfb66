"""Requests as PostgREST makes them, over a connection to the database: one transaction each.

A request sets the role, the claims and the headers, runs one statement and commits as its caller.
Inside a transaction of the test's it runs in a savepoint and puts everything back, so that a
refused request leaves the transaction as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb

from answers import asking
from plugins.answer_promises import kept, url_of
from plugins.listed_refusals import is_code, listed

Connection = psycopg.Connection[TupleRow]
Id = UUID | str

#: What a request may set; every request starts with all of them empty, as in PostgREST.
_SETTINGS = ("request.jwt.claims", "request.headers", "response.status", "escapemaster.actor")

#: What waits for the end of a transaction is done, and what begins by waiting waits again.
_END_OF_TRANSACTION = (
    "set constraints all immediate; set constraints public.hand_on_freed_place,"
    " public.tell_booking_webhook, public.tell_payment_webhook, public.tell_refund_webhook,"
    " public.tell_new_dispute_webhook, public.tell_dispute_webhook, public.tell_erasure_webhook,"
    " private.session_starts_session_fkey deferred"
)

_READ_STATUS = "select current_setting('response.status', true)"


def _setting(role: str, values: Sequence[str]) -> str:
    """What sets a request's role and settings, in the order of _SETTINGS.

    Statements of their own: one that calls set_config for each has to be planned.
    """
    quoted = (value.replace("'", "''") for value in values)
    settings = (f"set local \"{n}\" = '{v}'" for n, v in zip(_SETTINGS, quoted, strict=True))
    return "; ".join([f"set local role {role}", *settings])


#: What a commit does to what was set for a transaction.
_FORGET = _setting("none", [""] * len(_SETTINGS))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from: a database role and the verified claims of a token."""

    role: str
    claims: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def person(cls, user_id: Id, *, session_id: Id | None = None) -> Caller:
        """A signed-in user, in a session of Auth's if one is named."""
        claims = {"sub": str(user_id), "role": "authenticated"}
        if session_id is not None:
            claims["session_id"] = str(session_id)
        return cls("authenticated", claims)

    @classmethod
    def api_key(cls, key_id: Id, organization_id: Id) -> Caller:
        """The holder of a token that was exchanged for an API key."""
        return cls(
            "authenticated",
            {
                "sub": str(key_id),
                "role": "authenticated",
                "api_key_id": str(key_id),
                "organization_id": str(organization_id),
            },
        )


ANON = Caller("anon", {"role": "anon"})
SERVICE = Caller("service_role", {"role": "service_role"})


class Refused(Exception):
    """A refused request, as a client would see it.

    Attributes:
        code: The stable code of the product, or PostgreSQL's sqlstate.
        status: The HTTP status.
        details: What the error says beside its code.
        kept: Whether the transaction was committed all the same.
    """

    def __init__(
        self,
        code: str,
        status: int,
        *,
        message: str = "",
        hint: str = "",
        details: Any = None,
        kept: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code} {message} {details or ''}".strip())
        self.code = code
        self.status = status
        self.message = message
        self.hint = hint
        self.details = details
        self.kept = kept
        self.headers = dict(headers or {})

    @property
    def is_of_the_product(self) -> bool:
        """Whether the code is one of the product's, not PostgreSQL's."""
        return is_code(self.code)

    @classmethod
    def from_database(cls, error: psycopg.Error, caller: Caller) -> Refused:
        """Translate as PostgREST does (docs.postgrest.org, "Errors")."""
        state = error.sqlstate or "XX000"
        message = error.diag.message_primary or ""
        detail = error.diag.message_detail or ""
        hint = error.diag.message_hint or ""
        if state.startswith("PT"):
            return cls(
                message,
                int(state[2:]),
                message=message,
                hint=hint,
                details=json.loads(detail) if detail else None,
            )
        if state == "PGRST":
            body, answer = json.loads(message), json.loads(detail)
            return cls(
                body["message"],
                answer["status"],
                message=body["message"],
                hint=body["hint"],
                details=json.loads(body["details"]),
                headers=answer["headers"],
            )
        denied = 401 if caller.role == "anon" else 403
        status = {"42501": denied, "23503": 409, "23505": 409, "P0001": 400}.get(
            state, {"22": 400, "23": 400, "42": 404, "54": 413}.get(state[:2], 500)
        )
        return cls(state, status, message=message, hint=hint, details=detail)


@dataclass(slots=True)
class Ending:
    """A transaction's last statement, and the first value that it returned."""

    statement: str
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """One caller's client.

    Attributes:
        organization: What it sends in x-organization-id, if anything.
        headers: Further headers.
        finishes: Whether deferred triggers run at the end of each request also inside a
            transaction of the test's; a commit runs them anyway.
    """

    connection: Connection
    caller: Caller
    organization: Id | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    finishes: bool = False

    @property
    def id(self) -> str:
        """The caller's own id."""
        return self.caller.claims["sub"]

    def at(self, organization_id: Id | None) -> Client:
        """The same caller, naming an organization in every request: another browser tab."""
        return replace(self, organization=organization_id)

    def sending(self, **headers: str) -> Client:
        """The same caller, sending further headers; an underscore stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})

    def call(self, function: str, **arguments: object) -> Any:
        """Call a function of public, or of another schema if the name says so.

        Raises:
            Refused: with an exception of the database, or with an answer whose status the
                function set itself.
        """
        try:
            answer = self._answer(function, arguments)
        except Refused as refusal:
            if refusal.is_of_the_product:
                listed(self._url, function, refusal.code)
            raise
        kept(self._url, function, answer)
        return answer

    def _url(self) -> str:
        return url_of(self.connection)

    def _answer(self, function: str, arguments: Mapping[str, object]) -> Any:
        values = [Jsonb(v) if isinstance(v, dict) else v for v in arguments.values()]
        with self._request(_READ_STATUS) as ending:
            statement = asking(self.connection, function, arguments)
            row = self.connection.execute(statement, values).fetchone()
            answer: Any = None if row is None else row[0]
        if ending.status and int(ending.status) >= 400:
            raise Refused(
                answer["message"],
                int(ending.status),
                message=answer["message"],
                hint=answer["hint"],
                kept=True,
            )
        return answer

    def select(self, statement: str, *parameters: object) -> list[dict[str, Any]]:
        """Run a query and return its rows.

        Raises:
            Refused: the database raised.
        """
        with self._request(), self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement.encode(), parameters).fetchall()

    def change(self, statement: str, *parameters: object) -> int:
        """Run an insert, update or delete and return how many rows it touched.

        Raises:
            Refused: the database raised.
        """
        with self._request():
            return self.connection.execute(statement.encode(), parameters).rowcount

    @contextmanager
    def _request(self, last: str | None = None) -> Iterator[Ending]:
        headers = {**self.headers}
        if self.organization is not None:
            headers["x-organization-id"] = str(self.organization)
        values = (json.dumps(dict(self.caller.claims)), json.dumps(headers), "", "")
        inside = self.connection.info.transaction_status is not TransactionStatus.IDLE
        # A commit does what is left to it as the caller, and ends what was set.
        ending = Ending("; ".join(filter(None, [last, _FORGET if inside else None])))
        try:
            with in_one(self.connection, _setting(self.caller.role, values), ending):
                yield ending
                if inside and self.finishes:
                    self.connection.execute(_END_OF_TRANSACTION, prepare=False)
        except psycopg.Error as error:
            raise Refused.from_database(error, self.caller) from error


@contextmanager
def in_one(connection: Connection, first: str, ending: Ending) -> Iterator[None]:
    """A transaction, or a savepoint within the test's, that begins and ends in one round trip each.

    A test makes some hundred requests, each of a statement or two: with a round trip for each of
    what stands around them, half of what a request cost was spent there.

    Args:
        connection: In autocommit, or in a transaction.
        first: What is done first; statements without parameters.
        ending: What is done last.
    """
    inside = connection.info.transaction_status is not TransactionStatus.IDLE
    begin, end, back = (
        ("savepoint request", "release request", "rollback to request; release request")
        if inside
        else ("begin", "commit", "rollback")
    )
    try:
        connection.execute(f"{begin}; {first}".encode(), prepare=False)
        yield
        last = connection.execute(
            "; ".join(filter(None, [ending.statement, end])).encode(), prepare=False
        )
        if last.description:
            ending.status = (last.fetchone() or (None,))[0]
    except BaseException:
        # Not where the connection is gone, or the transaction with a commit that failed.
        if connection.info.transaction_status in (
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        ):
            connection.execute(back.encode(), prepare=False)
        raise
