"""What the service reads of the database is what the database says that it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import NoneType
from typing import get_args

import psycopg
import pytest
from pydantic import BaseModel

from escapemaster import database
from escapemaster_dev.schema.composites import Composite, composites


def _rows(row: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in row.__subclasses__():
        yield each
        yield from _rows(each)


#: Every row that the service reads, by the type whose name it has: `DeadJob`, `service.dead_job`.
_ROWS = {
    "service." + re.sub(r"(?<!^)(?=[A-Z])", "_", row.__name__).lower(): row
    for row in _rows(database.Job.__mro__[1])
}


@pytest.fixture(scope="module")
def types(sources_dsn: str) -> dict[str, Composite]:
    with psycopg.connect(sources_dsn) as connection:
        return composites(connection)


def test_there_are_rows() -> None:
    assert {"service.job", "service.prepared_email", "service.recipient"} <= _ROWS.keys()


@pytest.mark.parametrize("name", _ROWS)
def test_a_row_reads_fields_that_there_are_and_expects_null_where_it_can_come(
    name: str, types: dict[str, Composite]
) -> None:
    assert name in types, "no function answers it: name the row as the type"
    nullable = {field.name: field.nullable for field in types[name].fields}
    expected = {
        field: NoneType in get_args(info.annotation)
        for field, info in _ROWS[name].model_fields.items()
    }
    assert expected == {field: nullable.get(field) for field in expected}
