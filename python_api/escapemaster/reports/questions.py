"""Asks a question, and writes its answer into a file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from json import JSONDecodeError
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from pydantic import BaseModel, JsonValue, TypeAdapter

from escapemaster.database import PersonDatabase, ServiceDatabase
from escapemaster.errors import DomainError
from escapemaster.reports.statements import bounded
from escapemaster.worker.sheets import Amount, Cell, open_sheet
from escapemaster.worker.tables import words


class _Answer(BaseModel):
    """What `run_report` answers."""

    rows: list[dict[str, JsonValue]]
    is_cut: bool


_ANSWER: Final = TypeAdapter[_Answer](_Answer)
#: As `run_report` bounds numbers: a double holds what is less.
_TOO_LARGE: Final = 10**308


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question is answered with.

    Attributes:
        columns: In their order.
        rows: A value a column each.
        is_cut: Whether there were more than an answer may have.
    """

    columns: tuple[str, ...]
    rows: Sequence[Mapping[str, JsonValue]]
    is_cut: bool


async def ask(
    text: str,
    *,
    service: ServiceDatabase,
    person: PersonDatabase,
    organization_id: UUID,
    caller: UUID,
) -> Answer:
    """Answer a question with the token of whoever asks.

    Args:
        text: As somebody typed it.
        service: Keeps what is made of it.
        person: Runs that.
        organization_id: Whose data it is about.
        caller: The subject of the person's token.

    Raises:
        DomainError: As `bounded`, `prepare_report` and `run_report` say; 422 `report_failed` for
            a number that neither JSON nor a sheet can say.
    """
    # Beside the loop: a long text takes tenths of a second.
    statement = await asyncio.to_thread(bounded, text)
    prepared = await service.prepare_report(organization_id, caller, statement.text)
    try:
        answered = await person.call(
            "run_report", {"organization_id": str(organization_id), "statement_id": str(prepared)}
        )
    except JSONDecodeError:
        raise
    except ValueError:
        # Python's own, which has a bound for the digits of a number.
        raise _too_many_digits() from None
    found = _ANSWER.validate_python(answered)
    if not all(_fits(value) for row in found.rows for value in row.values()):
        raise _too_many_digits()
    return Answer(statement.columns, found.rows, found.is_cut)


def file_of(answer: Answer, form: str, locale: str) -> bytes:
    """An answer as a file, in which nothing runs.

    Args:
        answer: All of it.
        form: `csv` or `xlsx`.
        locale: Of what is not the question's own words.

    Raises:
        DomainError: 422 `report_too_long`: a file that was cut would look like all of it.
    """
    if answer.is_cut:
        raise DomainError("report_too_long", 422, "Ask for fewer rows: a file holds all or none.")
    yes_no = (words()["yes_no"]["yes"][locale], words()["yes_no"]["no"][locale])
    with TemporaryDirectory() as folder:
        path = Path(folder, f"report.{form}")
        name = words()["sheets"]["report"][locale]
        with open_sheet(path, form, name, answer.columns, yes_no) as sheet:
            sheet.write(
                [_cell(row.get(column)) for column in answer.columns] for row in answer.rows
            )
        return path.read_bytes()


def _fits(value: JsonValue) -> bool:
    match value:
        case bool():
            return True
        case int() | float():
            return abs(value) < _TOO_LARGE
        case _:
            return True


def _too_many_digits() -> DomainError:
    return DomainError(
        "report_failed",
        422,
        "A value does not fit: ask for numbers of fewer digits.",
        {"problem": "a number has more than 308 digits"},
    )


def _cell(value: JsonValue) -> Cell:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            exact = Decimal(repr(value))
            # Without an exponent, which the look of a cell would have digits for.
            return Amount(exact if int(exact.as_tuple().exponent) <= 0 else Decimal(int(exact)))
        case _:
            return str(value)
