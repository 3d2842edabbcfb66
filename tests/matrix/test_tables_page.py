"""The page of tables is up to date, and the generated types know what a column may hold."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from client import Connection
from escapemaster.email.mails import MAILS
from escapemaster_dev.schema.known_values import in_python, in_typescript, known_values
from escapemaster_dev.schema.table_page import path_of, render, tables
from matrix.house import House


@pytest.fixture
def owner(house: House) -> Iterator[Connection]:
    """The catalogue, as the owner of our objects sees it."""
    with house.connection.transaction():
        house.connection.execute("set local role postgres")
        yield house.connection


def test_the_page_is_up_to_date(owner: Connection) -> None:
    assert path_of().read_text() == render(owner), "run `make types`"


def test_every_table_that_members_read_says_what_it_is(owner: Connection) -> None:
    found = tables(owner)
    assert {"bookings", "rooms", "payments"} <= {table.name for table in found}
    assert [table.name for table in found if not table.comment.endswith(".")] == []


def test_weekdays_are_numbered_as_the_page_says(owner: Connection) -> None:
    rows = owner.execute(
        "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint"
        " where contype = 'c' and pg_get_constraintdef(oid) like '%weekday%'"
    ).fetchall()
    assert rows
    for table, definition in rows:
        assert "1" in definition and "7" in definition and "0" not in definition, (
            table,
            definition,
        )


def test_a_status_is_one_of_its_values_in_both_languages(owner: Connection) -> None:
    values = known_values(owner)
    assert set(values["bookings", "status"]) == {
        *("held", "pending", "confirmed", "checked_in", "in_progress", "completed"),
        *("expired", "cancelled", "no_show"),
    }
    assert all(known for known in values.values())


def test_a_name_of_reference_data_is_one_of_its_rows_unless_they_are_many(
    owner: Connection,
) -> None:
    values = known_values(owner)
    assert set(values["email_template_overrides", "template"]) == set(MAILS)
    assert ("organizations", "currency") not in values


def test_only_the_column_with_the_values_is_changed() -> None:
    values = {("rooms", "mode"): ("private", "shared")}
    typescript = (
        '  "public": {\n      "rooms": {\n          "mode"?: string | null;\n'
        '          "name": string;\n      "tiers": {\n          "mode": string;\n'
        '  "service": {\n      "rooms": {\n          "mode": string;\n'
    )
    assert in_typescript(typescript, values) == typescript.replace(
        '"mode"?: string | null', '"mode"?: "private" | "shared" | null'
    )
    python = (
        'class PublicRooms(BaseModel):\n    mode: Optional[str] = Field(alias="mode")\n'
        '    name: str = Field(alias="name")\n'
        'class PublicRoomsTiers(BaseModel):\n    mode: str = Field(alias="mode")\n'
    )
    assert in_python(python, values) == python.replace(
        "Optional[str]", 'Optional[Literal["private", "shared"]]'
    )
