"""The sandbox's memory: one SQLite connection, used from one event loop.

Requests run to their end without awaiting, so transactions never interleave; a killed process
loses nothing that it acknowledged (write-ahead log).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Stripe's objects are open JSON documents; their fields are typed where they are used.
StripeObject = dict[str, Any]

_SCHEMA = """
create table if not exists objects (
  seq integer primary key autoincrement,
  id text not null unique,
  kind text not null,
  account text not null,
  created integer not null,
  body text not null,
  extra text not null
);
create index if not exists objects_by_kind on objects (kind, account, seq);
create index if not exists sessions_open on objects (json_extract(body, '$.expires_at'))
  where kind = 'checkout.session' and json_extract(body, '$.status') = 'open';

create table if not exists idempotency (
  account text not null,
  key text not null,
  request text not null,
  status integer not null,
  body text not null,
  request_id text not null,
  created integer not null,
  primary key (account, key)
);

create table if not exists deliveries (
  id integer primary key autoincrement,
  event_id text not null,
  is_copy integer not null default 0,
  status text not null default 'pending',
  attempts integer not null default 0,
  due_at real not null,
  last_status integer,
  last_error text
);
create index if not exists deliveries_due on deliveries (due_at) where status = 'pending';
create index if not exists deliveries_by_event on deliveries (event_id);

create table if not exists switches (name text primary key, value text not null);
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored object, whose it is ('' for the platform's own), and what it does not show."""

    body: StripeObject
    account: str
    extra: StripeObject


@dataclass(frozen=True, slots=True)
class Answer:
    """The response kept for an idempotency key, and the request that it answered."""

    request: str
    status: int
    body: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook to send, or sent; `status` is pending, delivered or abandoned."""

    id: int
    event_id: str
    is_copy: bool
    status: str
    attempts: int
    due_at: float
    last_status: int | None
    last_error: str | None


class Store:
    """Objects, answers kept for idempotency keys, and deliveries."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """End the connection."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction inside another is part of it."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    # objects

    def add(self, entry: Entry) -> None:
        """Store a new object."""
        body = entry.body
        self._db.execute(
            "insert into objects (id, kind, account, created, body, extra)"
            " values (?, ?, ?, ?, ?, ?)",
            (
                body["id"],
                body["object"],
                entry.account,
                body["created"],
                json.dumps(body),
                json.dumps(entry.extra),
            ),
        )

    def replace(self, body: StripeObject) -> None:
        """Store an object's new state."""
        self._db.execute("update objects set body = ? where id = ?", (json.dumps(body), body["id"]))

    def find(self, kind: str, object_id: str) -> Entry | None:
        """The object of any account: for links that carry nothing but its id."""
        row = self._db.execute(
            "select body, account, extra from objects where id = ? and kind = ?",
            (object_id, kind),
        ).fetchone()
        return Entry(json.loads(row[0]), row[1], json.loads(row[2])) if row else None

    def need(self, object_id: str) -> Entry:
        """An object that another one names; LookupError says that the state is broken."""
        row = self._db.execute(
            "select body, account, extra from objects where id = ?", (object_id,)
        ).fetchone()
        if row is None:
            raise LookupError(f"{object_id} is not in the sandbox's state")
        return Entry(json.loads(row[0]), row[1], json.loads(row[2]))

    def get(self, kind: str, object_id: str, account: str) -> Entry | None:
        """The object, if it belongs to this account."""
        entry = self.find(kind, object_id)
        return entry if entry is not None and entry.account == account else None

    def newest_first(
        self,
        kind: str,
        account: str,
        *,
        fields: Mapping[str, Sequence[str | int]],
        created: Mapping[str, int],
        after: str | None,
        before: str | None,
        limit: int,
    ) -> list[StripeObject]:
        """Objects of an account, newest first.

        `fields` names JSON paths and the values they may have, `created` compares times (gt,
        gte, lt, lte), `after` and `before` are ids: what follows the one in the list, or what
        comes ahead of the other (then the nearest ones are taken).
        """
        where = ["kind = ?", "account = ?"]
        values: list[str | int] = [kind, account]
        for path, allowed in fields.items():
            where.append(f"json_extract(body, ?) in ({', '.join('?' * len(allowed))})")
            values += [f"$.{path}", *allowed]
        for name, moment in created.items():
            where.append(f"created {_COMPARISONS[name]} ?")
            values.append(moment)
        if after is not None:
            where.append("seq < (select seq from objects where id = ?)")
            values.append(after)
        if before is not None:
            where.append("seq > (select seq from objects where id = ?)")
            values.append(before)
        order = "asc" if before is not None else "desc"
        rows = self._db.execute(
            # Made of constants; what comes from outside is bound.
            f"select body from objects where {' and '.join(where)}"  # noqa: S608
            f" order by seq {order} limit ?",
            (*values, limit),
        ).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return found[::-1] if before is not None else found

    def sessions_over(self, now: float) -> list[Entry]:
        """Open checkout sessions whose time is up."""
        rows = self._db.execute(
            "select body, account, extra from objects where kind = 'checkout.session'"
            " and json_extract(body, '$.status') = 'open'"
            " and json_extract(body, '$.expires_at') <= ? order by seq",
            (now,),
        ).fetchall()
        return [Entry(json.loads(row[0]), row[1], json.loads(row[2])) for row in rows]

    def renewable(self, statuses: Sequence[str]) -> list[Entry]:
        """Subscriptions with one of these statuses."""
        rows = self._db.execute(
            "select body, account, extra from objects where kind = 'subscription'"
            " and json_extract(body, '$.status') in (select value from json_each(?))"
            " order by seq",
            (json.dumps(list(statuses)),),
        ).fetchall()
        return [Entry(json.loads(row[0]), row[1], json.loads(row[2])) for row in rows]

    # answers kept for idempotency keys

    def answer(self, account: str, key: str) -> Answer | None:
        """What a key was answered, if it was used."""
        row = self._db.execute(
            "select request, status, body, request_id from idempotency"
            " where account = ? and key = ?",
            (account, key),
        ).fetchone()
        return Answer(*row) if row else None

    def keep_answer(self, account: str, key: str, answer: Answer, now: int) -> None:
        """Remember an answer under its key."""
        self._db.execute(
            "insert into idempotency values (?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                key,
                answer.request,
                answer.status,
                answer.body,
                answer.request_id,
                now,
            ),
        )

    def forget_answers(self, before: int) -> None:
        """Free the keys that were used before a moment."""
        self._db.execute("delete from idempotency where created < ?", (before,))

    # webhooks

    def add_delivery(self, event_id: str, due_at: float, *, is_copy: bool = False) -> None:
        """Queue an event for sending."""
        self._db.execute(
            "insert into deliveries (event_id, due_at, is_copy) values (?, ?, ?)",
            (event_id, due_at, is_copy),
        )

    def due_deliveries(self, now: float) -> list[Delivery]:
        """What is to be sent now, oldest first."""
        return self._deliveries("status = 'pending' and due_at <= ?", (now,))

    def next_due(self) -> float | None:
        """When the next pending delivery is to be sent, or should have been."""
        (moment,) = self._db.execute(
            "select min(due_at) from deliveries where status = 'pending'"
        ).fetchone()
        return None if moment is None else float(moment)

    def deliveries(self, event_id: str | None) -> list[Delivery]:
        """All deliveries, or those of one event, oldest first."""
        if event_id is None:
            return self._deliveries("true", ())
        return self._deliveries("event_id = ?", (event_id,))

    def waiting(self) -> int:
        """How many deliveries are pending."""
        (count,) = self._db.execute(
            "select count(*) from deliveries where status = 'pending'"
        ).fetchone()
        return int(count)

    def mark_delivery(
        self,
        delivery_id: int,
        *,
        status: str,
        due_at: float,
        last_status: int | None,
        last_error: str | None,
    ) -> None:
        """Record one attempt."""
        self._db.execute(
            "update deliveries set status = ?, due_at = ?, last_status = ?, last_error = ?,"
            " attempts = attempts + 1 where id = ?",
            (status, due_at, last_status, last_error, delivery_id),
        )

    def make_due(self, now: float) -> None:
        """Every pending delivery may be sent at once."""
        self._db.execute("update deliveries set due_at = ? where status = 'pending'", (now,))

    def switch(self, name: str) -> str | None:
        """A setting that outlives the process."""
        row = self._db.execute("select value from switches where name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_switch(self, name: str, value: str) -> None:
        """Change such a setting."""
        self._db.execute("insert or replace into switches values (?, ?)", (name, value))

    def _deliveries(self, where: str, values: tuple[str | float, ...]) -> list[Delivery]:
        rows = self._db.execute(
            "select id, event_id, is_copy, status, attempts, due_at, last_status, last_error"  # noqa: S608
            f" from deliveries where {where} order by id",
            values,
        ).fetchall()
        return [Delivery(row[0], row[1], bool(row[2]), *row[3:]) for row in rows]


_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
