"""Scratch databases for tests of the schema itself."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.rows import TupleRow

from matrix.databases import Databases


@pytest.fixture(scope="session")
def sources_dsn(databases: Databases) -> Iterator[str]:
    """A database made by `sql/`, which nobody changes for good: `sql/` is applied once a run."""
    with databases.copy_of(databases.sources()) as dsn:
        yield databases.server.dsn(urlsplit(dsn).path.removeprefix("/"))


@pytest.fixture
def catalogue(sources_dsn: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection to it as the owner, whose transaction is rolled back."""
    with psycopg.connect(sources_dsn) as connection:
        # Whatever is not in the search path is shown with its schema.
        connection.execute("set local search_path = ''")
        yield connection
        connection.rollback()
