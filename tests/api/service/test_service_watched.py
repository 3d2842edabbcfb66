"""Traces and the error tracker: what is told where one is configured, and what never is."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from escapemaster import telemetry
from escapemaster.database import Job
from escapemaster.error_tracker import error_tracker
from escapemaster.errors import (
    DomainError,
    EmailError,
    EscapemasterError,
    PaymentError,
    UnavailableError,
    UnexpectedError,
)
from escapemaster.logging import get_logger
from escapemaster.settings import Settings
from escapemaster.telemetry import TracedClient
from escapemaster.worker.loop import Worker

from .fakes import FakePostgrest, refusal
from .processes import running_service

_PERSON = "ana@example.test"


# -- Whole processes -------------------------------------------------------------------------------


@dataclass
class Received:
    """A request that a stand-in had."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class StandIn:
    """A collector, an error tracker and a database in one: it notes what it is told."""

    url: str = ""
    received: list[Received] = field(default_factory=list)

    def of(self, path: str) -> list[Received]:
        return [request for request in self.received if request.path.startswith(path)]

    def spans(self) -> list[Any]:
        told = [ExportTraceServiceRequest.FromString(r.body) for r in self.of("/v1/traces")]
        return [
            span
            for request in told
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> set[str]:
        told = [ExportMetricsServiceRequest.FromString(r.body) for r in self.of("/v1/metrics")]
        return {
            metric.name
            for request in told
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def faults(self) -> list[dict[str, Any]]:
        """The events in the envelopes: every third line of one is an item's content."""
        return [
            json.loads(line)
            for request in self.of("/api/7/envelope/")
            for line in request.body.splitlines()[2::2]
        ]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    noted = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {name.lower(): value for name, value in self.headers.items()}
            noted.received.append(Received(self.path, headers, body))
            # To the service it is a database whose answer it does not understand.
            answer = b"" if self.path.startswith("/v1/") else json.dumps({"odd": _PERSON}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        noted.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield noted
        server.shutdown()


def _serve_one_request(
    settings: Settings, stand_in: StandIn, log: Path, **environment: str
) -> httpx.Response:
    """Start the service, ask it once for a token, and end it in good order."""
    with running_service(settings, stand_in.url, log, **environment) as http:
        # The key is a secret that nothing may repeat.
        return http.post(
            f"/v1/token?email={_PERSON}",
            json={"api_key": f"emk_{'s' * 43}"},
            headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "x-request-id": "asked-1"},
        )


def test_a_service_that_is_told_of_both_tells_its_spans_and_its_faults(
    settings: Settings, stand_in: StandIn, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    answer = _serve_one_request(
        settings,
        stand_in,
        log,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"{stand_in.url}/",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20t0ken,x-team=venues",
        SENTRY_DSN=stand_in.url.replace("://", "://public@") + "/7",
    )
    assert answer.status_code == 500, answer.text
    told = {span.name: span for span in stand_in.spans()}
    request, call = told["POST /v1/token"], told["rpc exchange_api_key"]
    assert call.trace_id == request.trace_id
    assert call.parent_span_id == request.span_id
    # The caller's trace is named, and does not become ours.
    assert not request.parent_span_id
    assert request.links[0].trace_id == bytes.fromhex("a" * 32)
    first = stand_in.of("/v1/traces")[0]
    assert (first.headers["authorization"], first.headers["x-team"]) == ("Bearer t0ken", "venues")
    assert "http.server.request.duration" in stand_in.metrics()
    # Log, trace and fault name each other.
    line = next(
        line
        for line in map(json.loads, log.read_text().splitlines())
        if line["event"] == "request" and line["route"] == "/v1/token"
    )
    assert line["trace_id"] == request.trace_id.hex()
    (fault,) = stand_in.faults()
    assert fault["tags"]["request_id"] == line["request_id"] == "asked-1"
    assert fault["release"].startswith("escapemaster@")
    last = fault["exception"]["values"][-1]
    assert (last["type"], last["value"].split(":")[0]) == ("UnexpectedError", "database_contract")
    assert last["stacktrace"]["frames"]
    everything = b"".join(r.body for r in stand_in.of("/v1/") + stand_in.of("/api/"))
    for secret in (_PERSON, "emk_", settings.stripe_secret_key.get_secret_value()):
        assert secret.encode() not in everything


def test_a_service_that_is_told_of_neither_tells_nobody(
    settings: Settings, stand_in: StandIn, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    assert _serve_one_request(settings, stand_in, log).status_code == 500
    assert {request.path for request in stand_in.received} == {"/rest/v1/rpc/exchange_api_key"}


# -- Spans -----------------------------------------------------------------------------------------


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    return exporter


def _only(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (found,) = [span for span in spans.get_finished_spans() if span.name == name]
    return found


class _Queue:
    """One job, and what became of it."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.jobs = [
            Job.model_validate(
                {
                    "id": 7,
                    "kind": "email",
                    "payload": {"to": _PERSON},
                    "attempt": 2,
                    "lease_token": str(uuid4()),
                    "money": False,
                }
            )
        ]
        self.stop = stop

    async def claim_jobs(self, *_: object, **__: object) -> list[Job]:
        jobs, self.jobs = self.jobs, []
        return jobs

    async def complete_job(self, *_: object) -> bool:
        self.stop.set()
        return True

    async def fail_job(self, *_: object, **__: object) -> str:
        self.stop.set()
        return "queued"

    async def extend_job(self, *_: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("failure", "outcome", "ok"),
    [(None, "done", True), (EmailError("refused", _PERSON, retryable=True), "queued", False)],
)
async def test_a_job_is_a_trace_with_what_it_asked_of_others(
    spans: InMemorySpanExporter, failure: Exception | None, outcome: str, ok: bool
) -> None:
    stop = asyncio.Event()
    transport = httpx.MockTransport(lambda _: httpx.Response(200))

    async def handle(_: Job) -> None:
        async with TracedClient(transport=transport) as http:
            await http.post(f"https://api.resend.test/emails?to={_PERSON}", json={"to": _PERSON})
        if failure:
            raise failure

    await Worker(_Queue(stop), handle, name="one").run(stop)
    job, call = _only(spans, "job email"), _only(spans, "POST api.resend.test")
    assert job.attributes == {
        "job.kind": "email",
        "job.id": 7,
        "job.attempt": 2,
        "job.outcome": outcome,
    }
    assert job.status.is_ok is ok or job.status.is_unset is ok
    assert call.parent is not None
    assert job.context is not None
    assert call.parent.span_id == job.context.span_id
    assert all(_PERSON not in span.to_json() for span in spans.get_finished_spans())


async def test_a_request_that_is_refused_is_no_fault_and_one_that_crashes_is(
    spans: InMemorySpanExporter, client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("exchange_api_key", refusal("PT401", "api_key_invalid"))
    refused = await client.post("/v1/token", json={"api_key": f"emk_{'x' * 43}"})
    assert refused.status_code == 401, refused.text
    assert _only(spans, "POST /v1/token").status.is_unset
    spans.clear()
    postgrest.answer("exchange_api_key", httpx.Response(200, json={"odd": _PERSON}))
    assert (await client.post("/v1/token", json={"api_key": "emk_x"})).status_code in {422, 500}
    assert (await client.get("/nowhere-at-all")).status_code == 404
    # A path that nothing answers is no route of ours, and would be a name for every guess.
    assert _only(spans, "GET unmatched").attributes is not None


async def test_a_call_that_fails_says_how_and_not_with_which_words(
    spans: InMemorySpanExporter,
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(_PERSON, request=request)

    async with TracedClient(transport=httpx.MockTransport(fail)) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("https://stripe.test/v1/customers/search?query=x")
    call = _only(spans, "GET stripe.test")
    assert call.attributes is not None
    assert call.attributes["error.type"] == "ConnectError"
    assert not call.events
    assert _PERSON not in call.to_json()


# -- Which faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError(_PERSON), True),
        (UnexpectedError("database_contract", "unexpected id"), True),
        (PaymentError("parameter_unknown", "no such parameter", retryable=False), True),
        (PaymentError("api_error", "theirs", retryable=True), False),
        (UnavailableError("database", "down"), False),
        (DomainError("rate_limited", 429), False),
    ],
)
def test_a_fault_is_told_once_without_another_s_words(
    settings: Settings,
    stand_in: StandIn,
    log_lines: Any,
    error: Exception,
    told: bool,
) -> None:
    dsn = stand_in.url.replace("://", "://public@") + "/7"
    error.__cause__ = ValueError(_PERSON)
    with error_tracker(
        Settings.model_validate({**settings.model_dump(), "sentry_dsn": dsn}), "worker"
    ):
        get_logger("worker").error("job.failed", exc_info=error, job_id=7)
    assert [line["event"] for line in log_lines()] == ["job.failed"]
    faults = stand_in.faults()
    assert len(faults) == told
    for fault in faults:
        last = fault["exception"]["values"][-1]
        assert last["type"] == type(error).__name__
        assert last["value"] == (
            f"{error.code}: {error}" if isinstance(error, EscapemasterError) else ""
        )
        assert fault["tags"]["job_id"] == "7"
        assert _PERSON not in json.dumps(fault)
