"""Fixtures that tests of the database share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Literal

import psycopg
import pytest

from client import Connection
from db.booking_world import open_shop
from db.money_world import OWNER_DATABASE, Database, given_database, money_database
from matrix.databases import Databases
from matrix.fixtures import DATABASE, RACE_DATABASE, connected
from matrix.house import House

#: The venue that is ready for tests that ask for one of these fixtures, and what makes it.
READY = "Venue"
_MAKERS: dict[str, Callable[[House, str], object]] = {
    "shop": open_shop,
    "crew": open_shop,
    "venue": House.open_venue,
}


def _as_long_as_its_database(
    fixture_name: str, config: pytest.Config
) -> Literal["module", "session"]:
    """The mutation tool makes the database anew between tests."""
    return "module" if OWNER_DATABASE in os.environ else "session"


@pytest.fixture(scope=_as_long_as_its_database)
def money(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database for the tests of queue, money and feeds, kept apart by venue."""
    if OWNER_DATABASE in os.environ:
        with given_database(os.environ[OWNER_DATABASE], os.environ[RACE_DATABASE]) as database:
            yield database
        return
    with money_database(request.getfixturevalue("databases")) as database:
        yield database


@pytest.fixture(scope="session")
def ready_connection(
    databases: Databases,
) -> Iterator[Callable[[Callable[[House, str], object]], Connection]]:
    """The superuser's connection to a database in which a maker has made the ready venue."""
    with ExitStack() as stack:

        @cache
        def connection(make: Callable[[House, str], object]) -> Connection:
            def fill(name: str) -> None:
                with psycopg.connect(databases.admin_dsn(name), autocommit=True) as first:
                    make(House(first), READY)

            template = databases.template(f"ready_{make.__name__}", databases.schema(), fill)
            return stack.enter_context(connected(stack.enter_context(databases.copy_of(template))))

        yield connection


@pytest.fixture
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house whose changes are rolled back: empty, or with the usual venue for who asks for it."""
    makers = [make for name, make in _MAKERS.items() if name in request.fixturenames]
    if not makers or DATABASE in os.environ:
        connection, ready = request.getfixturevalue("tenancy_connection"), None
    else:
        connection, ready = request.getfixturevalue("ready_connection")(makers[0]), READY
    with connection.transaction(force_rollback=True):
        yield House(connection, ready)
