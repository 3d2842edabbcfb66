"""The service as a whole: errors, request ids, health, numbers, description, logs."""

from __future__ import annotations

import json
import logging
import re
from html import unescape
from typing import Annotated, Any

import httpx
import pytest
import structlog
from fastapi import FastAPI, Query
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from escapemaster.api.app import create_app
from escapemaster.api.services import Transports
from escapemaster.database.version import NEWEST_MIGRATION
from escapemaster.errors import DomainError, PaymentError, UnavailableError, UnexpectedError
from escapemaster.logging import REDACTED, configure_logging, describe_exception, get_logger
from escapemaster.settings import Settings, get_settings

from .fakes import METRICS, METRICS_TOKEN, FakePostgrest, refusal


@pytest.fixture
def failing_routes(app: FastAPI) -> None:
    """Routes that fail in every way there is."""
    errors = {
        "domain": DomainError("slot_taken", 409, "Take another.", {"free": 0}),
        "token": DomainError("token_invalid", 401),
        "rate": DomainError("rate_limited", 429, "Wait.", {"retry_after_seconds": 7}),
        "rate-plain": DomainError("rate_limited", 429, "Wait."),
        "unavailable": UnavailableError("database", "secret words"),
        "unexpected": UnexpectedError("database_error", "secret words"),
        "payment": PaymentError("card_declined", "secret words", retryable=False),
        "crash": RuntimeError("secret words"),
    }

    async def fail(kind: str) -> None:
        raise errors[kind]

    async def broken_stream() -> StreamingResponse:
        async def chunks() -> Any:
            yield b"a"
            raise RuntimeError("secret words")

        return StreamingResponse(chunks())

    async def needs(number: Annotated[int, Query(le=3)]) -> int:
        return number

    app.get("/fail/{kind}")(fail)
    app.get("/broken-stream")(broken_stream)
    app.get("/needs")(needs)


@pytest.mark.usefixtures("failing_routes")
@pytest.mark.parametrize(
    ("path", "status", "code", "headers"),
    [
        ("/fail/domain", 409, "slot_taken", {}),
        ("/fail/token", 401, "token_invalid", {"www-authenticate": "Bearer"}),
        ("/fail/rate", 429, "rate_limited", {"retry-after": "7"}),
        ("/fail/rate-plain", 429, "rate_limited", {}),
        ("/fail/unavailable", 503, "database_unavailable", {"retry-after": "2"}),
        ("/fail/unexpected", 500, "internal_error", {}),
        ("/fail/payment", 502, "payment_provider_failed", {"retry-after": "2"}),
        ("/fail/crash", 500, "internal_error", {}),
        ("/nowhere", 404, "not_found", {}),
        ("/webhooks/stripe", 405, "method_not_allowed", {"allow": "POST"}),
        ("/needs?number=9", 422, "invalid_request", {}),
    ],
)
async def test_every_failure_is_a_problem_document_that_says_nothing_internal(
    client: httpx.AsyncClient, path: str, status: int, code: str, headers: dict[str, str]
) -> None:
    response = await client.get(path, headers={"x-request-id": "mine-1"})
    problem = response.json()
    assert response.status_code == problem["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["type"] == f"urn:escapemaster:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"] == "mine-1"
    assert "secret" not in response.text
    for name, value in headers.items():
        assert response.headers[name] == value


@pytest.mark.usefixtures("failing_routes")
async def test_a_refusal_carries_its_data(client: httpx.AsyncClient) -> None:
    assert (await client.get("/fail/domain")).json()["details"] == {"free": 0}


@pytest.mark.usefixtures("failing_routes")
async def test_wrong_values_are_named_and_not_repeated(client: httpx.AsyncClient) -> None:
    response = await client.get("/needs?number=987654321")
    assert response.json()["errors"] == [
        {
            "field": "query.number",
            "code": "less_than_equal",
            "message": "Input should be less than or equal to 3",
        }
    ]
    assert "987654321" not in response.text


async def test_a_body_that_is_no_json_is_told_so(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/checkout", content="{", headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_json")


@pytest.mark.usefixtures("failing_routes")
async def test_an_answer_that_breaks_off_is_broken_off(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await client.get("/broken-stream")


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "a\u00e9", "a;b"])
async def test_a_request_id_that_could_harm_a_log_is_replaced(
    client: httpx.AsyncClient, given: str
) -> None:
    response = await client.get("/health/live", headers=[(b"x-request-id", given.encode())])
    assert response.headers["x-request-id"] != given
    assert len(response.headers["x-request-id"]) == 32


async def test_the_service_lives_without_its_database(client: httpx.AsyncClient) -> None:
    response = await client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


async def test_the_service_is_ready_when_the_database_answers(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    health = {"database": "ok", "migration": NEWEST_MIGRATION, "requests_checked": True}
    postgrest.answer("health", health, refusal("PT400", "count_not_exact"))
    response = await client.get("/health/ready")
    told = {"status": "ok", **health, "preferences_checked": True}
    assert (response.status_code, response.json()) == (200, told)
    assert [call.headers.get_list("prefer") for call in postgrest.calls][1:] == [
        ["count=planned", "handling=lenient"]
    ]


async def test_the_service_tells_when_the_database_is_shown_one_preference_of_several(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", {"database": "ok", "requests_checked": True})
    told = (await client.get("/health/ready")).json()
    assert (told["requests_checked"], told["preferences_checked"]) == (True, False)
    for lost in (httpx.ReadTimeout("x"), httpx.Response(500)):
        postgrest.answer("health", {"database": "ok"}, lost)
        assert (await client.get("/health/ready")).status_code == 503


async def test_the_service_is_not_ready_when_the_database_does_not_answer(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", httpx.ReadTimeout("x"))
    assert (await client.get("/health/ready")).status_code == 503


@pytest.mark.parametrize(
    ("migration", "status"), [("20260101000000", 503), ("99990101000000", 200)]
)
async def test_the_service_is_not_ready_for_a_database_that_is_behind_its_code(
    client: httpx.AsyncClient, postgrest: FakePostgrest, migration: str, status: int
) -> None:
    health = {"database": "ok", "migration": migration, "requests_checked": True}
    postgrest.answer("health", health, refusal("PT400", "count_not_exact"))
    response = await client.get("/health/ready")
    assert response.status_code == status
    if status == 503:
        assert response.json()["code"] == "schema_unavailable"
        assert response.headers["retry-after"]


async def test_numbers_tell_requests_by_route_and_the_queue(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer(
        "queue_statistics",
        {"queued": 3, "running": 1, "dead": 2, "oldest_queued_seconds": 4.5},
    )
    by_kind = [("jobs_due", "email.send", 3), ("connections", "idle", 8)]
    measures = [
        *({"name": name, "kind": kind, "value": value} for name, kind, value in by_kind),
        {"name": "connections_max", "kind": None, "value": 200},
        {"name": "of_a_newer_database", "kind": None, "value": 1},
    ]
    postgrest.answer("measures", measures, [])
    await client.get("/health/live")
    await client.get("/nowhere/1")
    await client.get("/nowhere/2")
    await client.request("BREW", "/health/live")
    response = await client.get("/metrics", headers=METRICS)
    assert response.headers["content-type"].startswith("text/plain")
    lines = response.text.splitlines()
    requests = "escapemaster_http_requests_total"
    assert f'{requests}{{method="GET",route="/health/live",status="200"}} 1.0' in lines
    assert f'{requests}{{method="GET",route="unmatched",status="404"}} 2.0' in lines
    assert any(line.startswith(f'{requests}{{method="OTHER"') for line in lines)
    assert "/nowhere" not in response.text
    assert 'escapemaster_jobs{state="queued"} 3.0' in lines
    assert 'escapemaster_jobs{state="dead"} 2.0' in lines
    assert "escapemaster_oldest_queued_job_seconds 4.5" in lines
    assert "escapemaster_database_up 1.0" in lines
    due = 'escapemaster_queue_jobs_due{kind="email.send"} 3.0'
    assert due in lines
    assert 'escapemaster_database_connections{state="idle"} 8.0' in lines
    assert "escapemaster_database_connections_max 200.0" in lines
    assert "of_a_newer_database" not in response.text
    assert due not in (await client.get("/metrics", headers=METRICS)).text, (
        "what there is no more stays told"
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        *(
            {"authorization": said}
            for said in (
                "",
                "Bearer",
                "Bearer ",
                "Bearer wrong",
                f"Bearer {METRICS_TOKEN}x",
                f"Bearer {METRICS_TOKEN[:-1]}",
                f"Basic {METRICS_TOKEN}",
            )
        ),
    ],
)
async def test_numbers_of_the_platform_are_for_whoever_has_their_token(
    client: httpx.AsyncClient, postgrest: FakePostgrest, given: dict[str, str]
) -> None:
    response = await client.get("/metrics", headers=given)
    assert (response.status_code, response.json()["code"]) == (401, "metrics_token_invalid")
    assert response.headers["www-authenticate"] == "Bearer"
    assert "escapemaster_" not in response.text
    assert postgrest.called("queue_statistics") == [], "a stranger has the database asked"


async def test_without_a_token_set_nobody_reads_the_numbers(
    settings: Settings, postgrest: FakePostgrest
) -> None:
    closed = create_app(
        settings.model_copy(update={"metrics_token": None}),
        transports=Transports(
            database=postgrest.transport,
            stripe=None,
            jwks=httpx.MockTransport(lambda _: httpx.Response(503)),
        ),
    )
    async with (
        closed.router.lifespan_context(closed),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(closed), base_url="http://127.0.0.1"
        ) as client,
    ):
        for headers in (
            {},
            METRICS,
            {"authorization": "Bearer "},
            {"authorization": "Bearer None"},
        ):
            assert (await client.get("/metrics", headers=headers)).status_code == 401


async def test_numbers_are_given_also_without_the_database(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("queue_statistics", httpx.ReadTimeout("x"))
    response = await client.get("/metrics", headers=METRICS)
    assert response.status_code == 200
    assert "escapemaster_database_up 0.0" in response.text.splitlines()


async def test_each_request_leaves_one_line_with_its_id(client: httpx.AsyncClient) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await client.get("/health/live?token=secret", headers={"x-request-id": "mine-2"})
    [line] = [line for line in lines if line["event"] == "request"]
    assert line["request_id"] == "mine-2"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/health/live", 200)
    assert "secret" not in str(line)


async def test_the_description_is_complete(app: FastAPI, client: httpx.AsyncClient) -> None:
    description = (await client.get("/openapi.json")).json()
    assert description == app.openapi()
    tags = {tag["name"] for tag in description["tags"]}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["operationId"], where
            assert set(operation["tags"]) <= tags, where
            for status, response in operation["responses"].items():
                assert response["description"], where
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"], where
    schemas = description["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    for name in ("CheckoutRequest", "CheckoutResponse", "Problem", "TokenRequest", "TokenResponse"):
        assert schemas[name]["example"], name
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), f"{name}.{field}"


async def test_the_description_of_the_exchange_says_all_that_may_come(app: FastAPI) -> None:
    exchange = app.openapi()["paths"]["/v1/token"]["post"]
    assert set(exchange["responses"]) >= {"200", "400", "401", "413", "422", "429", "500", "503"}
    good = exchange["responses"]["200"]
    assert good["content"]["application/json"]["schema"]["$ref"].endswith("/TokenResponse")
    assert "Cache-Control" in good["headers"]
    assert "Retry-After" in exchange["responses"]["429"]["headers"]
    assert "security" not in exchange


async def test_the_description_has_a_page_that_loads_nothing_from_anywhere(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert not re.search(r"<(script|link|img|iframe)\b|\bsrc=|@import|url\(", page.text)
    assert re.findall(r'href="([^"]*)"', page.text) == ["openapi.json"]
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            assert f"<code>{method.upper()} {path}</code>" in page.text
            assert operation["summary"] in unescape(page.text)


async def test_a_client_that_goes_away_while_it_speaks_is_no_failure_of_ours(
    app: FastAPI,
) -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    scope = {"type": "http", "method": "POST", "path": "/webhooks/stripe", "headers": []}
    async with app.router.lifespan_context(app):
        with capture_logs() as lines:
            await app({**scope, "query_string": b"", "app": app}, receive, send)
    assert [line["event"] for line in lines] == ["request.abandoned", "request"]
    assert {line["log_level"] for line in lines} == {"info"}


async def test_other_protocols_than_http_pass_through(app: FastAPI) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/nowhere", "headers": [], "query_string": b""}
    await app({**scope, "app": app, "subprotocols": []}, receive, send)
    assert sent[0]["type"] == "websocket.close"


def test_personal_data_that_slips_into_a_log_line_is_blanked(log_lines: Any) -> None:
    get_logger("test").info(
        "hello",
        customer_email="a@example.test",
        token="t",
        nested={"Authorization": "Bearer x", "status": 200},
        booking_id="b",
    )
    [line] = log_lines()
    assert line["customer_email"] == line["token"] == REDACTED
    assert line["nested"] == {"Authorization": REDACTED, "status": 200}
    assert (line["booking_id"], line["event"], line["level"]) == ("b", "hello", "info")
    assert line["component"] == "test"
    assert line["at"].endswith("Z")


def test_an_exception_is_logged_by_type_and_place_without_its_words(log_lines: Any) -> None:
    try:
        int("secret@example.test")
    except ValueError:
        get_logger("test").exception("failed")
        logging.getLogger("a.library").exception("it failed")
    first, second = log_lines()
    for line in (first, second):
        assert line["error"]["type"] == "ValueError"
        assert "test_service_surface.py" in line["error"]["at"][-1]
        assert "secret" not in json.dumps(line)


def test_the_standard_library_writes_the_same_lines(log_lines: Any) -> None:
    logging.getLogger("uvicorn.error").info("started %s", "now")
    logging.getLogger("uvicorn.access").info("GET /?token=secret")
    logging.getLogger("httpx").info("GET http://x/?token=secret")
    get_logger("test").debug("too detailed")
    [line] = log_lines()
    assert (line["event"], line["level"]) == ("started now", "info")


def test_our_own_errors_are_logged_with_their_words() -> None:
    error = UnavailableError("database", "ReadTimeout")
    error.__cause__ = KeyError("secret")
    described = describe_exception(error)
    assert described["code"] == "database_unavailable"
    assert described["message"] == "database: ReadTimeout"
    assert described["cause"] == "KeyError"


def test_the_factory_reads_the_environment_and_sets_up_logging(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, log_lines: Any
) -> None:
    for name, value in settings.model_dump(exclude_none=True).items():
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        monkeypatch.setenv(name.upper(), ",".join(text) if isinstance(text, list) else str(text))
    get_settings.cache_clear()
    try:
        assert create_app().title == "Escapemaster"
    finally:
        get_settings.cache_clear()


async def test_a_service_that_cannot_verify_tokens_does_not_start(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"supabase_jwt_secret": None}))
    with pytest.raises(ValueError, match="SUPABASE_JWT_SECRET"):
        async with app.router.lifespan_context(app):
            pass


def test_colours_are_for_people(capsys: pytest.CaptureFixture[str], log_lines: Any) -> None:
    configure_logging("warning", colours=True)
    get_logger("test").warning("for people", token="x")
    written = capsys.readouterr().out
    assert "for people" in written
    assert not written.startswith("{")
