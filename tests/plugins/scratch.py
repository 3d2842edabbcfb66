"""Scratch databases for tests of the schema itself."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from escapemaster_dev.schema.project import PROJECT
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.sources import apply_files


@pytest.fixture(scope="session")
def sources_dsn(server: Server) -> Iterator[str]:
    """A database made by `sql/`, which nobody changes for good."""
    with server.scratch("sources") as dsn:
        apply_files(dsn, PROJECT.source_files())
        yield dsn


@pytest.fixture
def catalogue(sources_dsn: str) -> Iterator[psycopg.Connection[TupleRow]]:
    """A connection to it as the owner, whose transaction is rolled back."""
    with psycopg.connect(sources_dsn) as connection:
        # Whatever is not in the search path is shown with its schema.
        connection.execute("set local search_path = ''")
        yield connection
        connection.rollback()
