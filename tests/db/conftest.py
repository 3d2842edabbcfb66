"""Fixtures that tests of the database share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from db.money_world import Database, money_database
from matrix.databases import Databases


@pytest.fixture(scope="session")
def money(databases: Databases) -> Iterator[Database]:
    """A database for the tests of queue, money and feeds, kept apart by venue."""
    with money_database(databases) as database:
        yield database
