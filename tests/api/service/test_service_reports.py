"""The service's endpoints about own questions: what it prepares, for whom, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from db.exports_world import csv_rows, xlsx_rows

from .fakes import FakePostgrest, refusal
from .test_service_auth import USER, token

HERE = "10000000-0000-4000-8000-000000000001"
STATEMENT = "30000000-0000-4000-8000-000000000003"
ROUTE = f"/v1/organizations/{HERE}/reports"
QUESTION = {
    "sql": 'select room, count(*) as visits, avg(total_cents) as "=mean" from bookings group by 1'
}
ROWS: list[dict[str, Any]] = [
    {"room": "=1+1", "visits": 3, "=mean": 12.5},
    {"room": None, "visits": 1, "=mean": 1e21},
]


@pytest.fixture
def allowed(postgrest: FakePostgrest) -> FakePostgrest:
    postgrest.answer("has_permission", True)
    postgrest.answer("prepare_report", STATEMENT)
    postgrest.answer("run_report", {"rows": ROWS, "is_cut": False})
    return postgrest


def bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {token()}"}


async def test_a_question_is_prepared_by_the_service_and_run_by_its_asker(
    client: httpx.AsyncClient, allowed: FakePostgrest
) -> None:
    answer = await client.post(f"{ROUTE}/run", json=QUESTION, headers=bearer())
    assert answer.status_code == 200
    assert answer.json() == {"columns": ["room", "visits", "=mean"], "rows": ROWS, "is_cut": False}
    (prepared,) = (call for call in allowed.calls if call.function == "prepare_report")
    assert (prepared.schema, prepared.headers["apikey"]) == ("service", "sb_secret_test")
    assert prepared.arguments["organization_id"] == HERE
    assert prepared.arguments["caller"] == USER
    assert '"reports"."bookings"' in prepared.arguments["statement"]
    (run,) = (call for call in allowed.calls if call.function == "run_report")
    assert run.schema == "public"
    assert run.headers["authorization"] == bearer()["Authorization"]
    assert run.headers["x-organization-id"] == HERE
    assert run.arguments == {"organization_id": HERE, "statement_id": STATEMENT}
    assert [call.arguments for call in allowed.calls if call.function == "has_permission"] == [
        {"permission": "reports:query"}
    ]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("select pg_sleep(1)", "report_not_allowed"),
        ("selec", "report_not_allowed"),
        ("select x from bookings", "report_unreadable"),
        ("select (room, room) as r from bookings", "report_refused"),
        ("select 1 as one", "report_refused"),
        ("select " + "(" * 40 + "1" + ")" * 40, "report_too_complex"),
        ("", "invalid_request"),
        ("x" * 10_001, "invalid_request"),
    ],
)
async def test_what_may_not_be_asked_is_refused_before_the_database_hears_of_it(
    client: httpx.AsyncClient, allowed: FakePostgrest, sql: str, code: str
) -> None:
    answer = await client.post(f"{ROUTE}/run", json={"sql": sql}, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert allowed.called("prepare_report") == allowed.called("run_report") == []


async def test_a_refusal_of_the_database_is_passed_on(
    client: httpx.AsyncClient, allowed: FakePostgrest
) -> None:
    allowed.answer("run_report", refusal("PT409", "report_running"))
    answer = await client.post(f"{ROUTE}/run", json=QUESTION, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (409, "report_running")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_an_answer_is_a_file_in_which_nothing_runs(
    client: httpx.AsyncClient, allowed: FakePostgrest, tmp_path: Path, form: str
) -> None:
    asked = {**QUESTION, "format": form, "locale": "en"}
    answer = await client.post(f"{ROUTE}/file", json=asked, headers=bearer())
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="report.{form}"'
    path = tmp_path / "file"
    path.write_bytes(answer.content)
    if form == "csv":
        assert csv_rows(path) == [
            {"room": "'=1+1", "visits": "3", "'=mean": "12.5"},
            {"room": "", "visits": "1", "'=mean": "1000000000000000000000"},
        ]
    else:
        headings, first, _ = xlsx_rows(path)
        assert headings == [("inlineStr", "room"), ("inlineStr", "visits"), ("inlineStr", "=mean")]
        assert first == [("inlineStr", "=1+1"), ("n", "3"), ("n", "12.5")]


@pytest.mark.parametrize("number", ["1" + "0" * 5_000, "1" + "0" * 400, "-1e400", "1" * 309])
@pytest.mark.parametrize("form", [None, "csv", "xlsx"])
async def test_a_number_that_no_sheet_can_say_is_refused(
    client: httpx.AsyncClient, allowed: FakePostgrest, form: str | None, number: str
) -> None:
    content = f'{{"rows": [{{"room": {number}, "visits": 1}}], "is_cut": false}}'
    headers = {"content-type": "application/json"}
    allowed.answer("run_report", httpx.Response(200, content=content, headers=headers))
    asked = QUESTION if form is None else {**QUESTION, "format": form}
    route = f"{ROUTE}/{'run' if form is None else 'file'}"
    answer = await client.post(route, json=asked, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "report_failed")


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_the_largest_number_that_is_answered_is_a_cell(
    client: httpx.AsyncClient, allowed: FakePostgrest, form: str
) -> None:
    rows = [{"room": 10**308 - 1, "visits": -1e307, "=mean": 1e-300}]
    allowed.answer("run_report", {"rows": rows, "is_cut": False})
    assert (await client.post(f"{ROUTE}/run", json=QUESTION, headers=bearer())).json()["rows"] == (
        rows
    )
    answer = await client.post(f"{ROUTE}/file", json={**QUESTION, "format": form}, headers=bearer())
    assert answer.status_code == 200


async def test_no_file_holds_a_part_of_an_answer(
    client: httpx.AsyncClient, allowed: FakePostgrest
) -> None:
    allowed.answer("run_report", {"rows": ROWS, "is_cut": True})
    assert (await client.post(f"{ROUTE}/run", json=QUESTION, headers=bearer())).json()["is_cut"]
    asked = {**QUESTION, "format": "csv"}
    answer = await client.post(f"{ROUTE}/file", json=asked, headers=bearer())
    assert (answer.status_code, answer.json()["code"]) == (422, "report_too_long")
