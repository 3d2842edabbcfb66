"""Connections that tests use one after the other.

A new session has to read the catalogue, compile what it calls and plan it: some 60 ms of processor
time before it does what a session that is at home does in 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import TransactionStatus

from client import Connection

#: What outlives a transaction, but for plans: those are what a session is kept for.
_AS_NEW = "reset role; reset all; select pg_advisory_unlock_all(); unlisten *; discard temp"


@dataclass(slots=True)
class Pool:
    """Sessions of one database, in autocommit, each used by one test at a time.

    Attributes:
        dsn: Of the database.
        keeps: How many idle ones are kept at most; with none it stays at that.
    """

    dsn: str
    keeps: int = 6
    _idle: list[Connection] = field(default_factory=list)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One that nobody else uses; what a test changed about it does not meet the next."""
        connection = self._take()
        try:
            yield connection
        finally:
            self._give_back(connection)

    @contextmanager
    def keeping(self, number: int) -> Iterator[None]:
        """More are kept for as long as the block runs: a server takes no more than some hundred."""
        before = self.keeps
        self.keeps = max(number, before) if before else 0
        try:
            yield
        finally:
            self.keeps = before
            self._shrink(before)

    def close(self) -> None:
        """End those that are idle."""
        self._shrink(0)

    def _shrink(self, number: int) -> None:
        while len(self._idle) > number:
            self._idle.pop().close()

    def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if _made_as_new(connection):
                return connection
        return psycopg.connect(self.dsn, autocommit=True)

    def _give_back(self, connection: Connection) -> None:
        # At once: its locks and temporary tables are in nobody's way until it is taken again.
        if len(self._idle) < self.keeps and _made_as_new(connection):
            self._idle.append(connection)
        else:
            connection.close()


def _made_as_new(connection: Connection) -> bool:
    """Whether the session still lives, outside of any transaction, and is now as a new one is."""
    idle = connection.info.transaction_status is TransactionStatus.IDLE
    if idle and connection.autocommit:
        try:
            connection.execute(_AS_NEW, prepare=False)
        except psycopg.Error:
            pass
        else:
            return True
    connection.close()
    return False
