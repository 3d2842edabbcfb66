"""Fixtures that tests of the database share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Literal

import pytest

from db.money_world import OWNER_DATABASE, Database, given_database, money_database
from matrix.fixtures import RACE_DATABASE


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
