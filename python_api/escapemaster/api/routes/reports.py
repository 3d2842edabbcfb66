"""A venue's own questions of its data."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from escapemaster.api.auth import Person, require_permission_in_path
from escapemaster.api.bodies import Body
from escapemaster.api.problems import responses
from escapemaster.api.services import Services, ServicesOf
from escapemaster.reports.questions import Answer, ask, file_of
from escapemaster.reports.statements import MAX_TEXT
from escapemaster.worker.tables import CONTENT_TYPES

router = APIRouter(prefix="/v1/organizations/{organization_id}/reports", tags=["Reports"])

Asker = Annotated[Person, Depends(require_permission_in_path("reports:query"))]

_SQL = Field(
    min_length=1,
    max_length=MAX_TEXT,
    description="One `select` over the published views, in PostgreSQL's words.",
)


class Question(Body):
    """What is asked."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"sql": "select room, count(*) as visits from bookings group by room"}
        }
    )

    sql: Annotated[str, _SQL]


class FileQuestion(Question):
    """What is asked, and as which file it is answered."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sql": "select room, count(*) as visits from bookings group by room",
                "format": "xlsx",
                "locale": "en",
            }
        }
    )

    format: Annotated[Literal["csv", "xlsx"], Field(description="Of the file.")]
    locale: Annotated[
        Literal["es", "en", "ca"], Field(description="Of `yes` and `no` and the sheet's name.")
    ] = "es"


class QuestionAnswer(BaseModel):
    """What a question is answered with."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "columns": ["room", "visits"],
                "rows": [{"room": "La cripta", "visits": 42}],
                "is_cut": False,
            }
        }
    )

    columns: Annotated[list[str], Field(description="The names of the columns, in their order.")]
    rows: Annotated[
        list[dict[str, JsonValue]],
        Field(description="A value a column each; amounts in minor units, instants in UTC."),
    ]
    is_cut: Annotated[
        bool, Field(description="Whether there were more than 10,000 rows or 5,000,000 bytes.")
    ]


@router.post(
    "/run",
    operation_id="run_report",
    summary="Ask an own question",
    response_description="The answer",
    responses=responses(400, 401, 403, 404, 409, 429),
)
async def run_report(
    organization_id: UUID, question: Question, services: ServicesOf, person: Asker
) -> QuestionAnswer:
    """Read the question, and run what is made of it with the caller's own token.

    What the caller may not read in the tables is not in the answer. Keep a question by name in
    `saved_reports`. What may be asked is in docs/views.md.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied` (403); `report_not_prepared`
    (404: it waited for more than a minute); `report_running` (409); `report_unreadable` (details
    `{problem}`), `report_not_allowed` (details `{part}`), `report_too_complex`, `report_too_slow`,
    `report_invalid`, `report_failed` (details `{problem}`), `report_refused` (details `{part}`),
    `invalid_request` (422); `rate_limited` (429).
    """
    answer = await _answer(organization_id, question, services, person)
    return QuestionAnswer(
        columns=list(answer.columns), rows=[dict(row) for row in answer.rows], is_cut=answer.is_cut
    )


@router.post(
    "/file",
    operation_id="run_report_to_file",
    summary="Ask an own question, and have its answer as a spreadsheet",
    response_class=Response,
    response_description="The file",
    responses={
        **responses(400, 401, 403, 404, 409, 429),
        200: {"content": {CONTENT_TYPES[form]: {} for form in ("csv", "xlsx")}},
    },
)
async def run_report_to_file(
    organization_id: UUID, question: FileQuestion, services: ServicesOf, person: Asker
) -> Response:
    """The same as a file, which is not kept. What a spreadsheet would run is escaped.

    Codes: those of `run_report`, and `report_too_long` (422): there is no file of a part.
    """
    answer = await _answer(organization_id, question, services, person)
    content = await asyncio.to_thread(file_of, answer, question.format, question.locale)
    return Response(
        content,
        media_type=CONTENT_TYPES[question.format],
        headers={
            "Content-Disposition": f'attachment; filename="report.{question.format}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


async def _answer(
    organization_id: UUID, question: Question, services: Services, person: Person
) -> Answer:
    return await ask(
        question.sql,
        service=services.database,
        person=person.database,
        organization_id=organization_id,
        caller=person.user_id,
    )
