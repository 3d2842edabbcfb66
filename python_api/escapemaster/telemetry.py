"""Traces and numbers for OpenTelemetry where a collector is configured; else nothing is recorded.

Spans are made where work enters and leaves a process: a request, a job, a call over HTTP. Nothing
of a person is in them: no body, no query, no path but a route's and a database function's, and of
an exception its type, never its message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from escapemaster import __version__
from escapemaster.settings import Settings

_FUNCTIONS: Final = "/rest/v1/rpc/"
#: Seconds that a process which ends waits for the collector.
_LAST_WORDS: Final = 5.0
_PROPAGATOR: Final = TraceContextTextMapPropagator()

#: Records nothing outside of `telemetry`.
_tracer = trace.get_tracer("escapemaster")
_durations = metrics.get_meter("escapemaster").create_histogram(
    "escapemaster.job.duration",
    unit="s",
    description="Time that one attempt of a job took.",
    explicit_bucket_boundaries_advisory=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)


@contextmanager
def telemetry(settings: Settings, process: str) -> Iterator[None]:
    """Send traces and numbers to the collector that the settings name, if they name one.

    What is not sent yet at the end is sent then. The numbers are the durations of requests
    (FastAPI's own) and of jobs; those of the queue are asked for at `/metrics`.

    Args:
        settings: Where to, with which headers, and which share of traces.
        process: `service` or `worker`: whose they are.
    """
    if settings.otel_exporter_otlp_endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
    from opentelemetry.util.re import parse_env_headers

    given = settings.otel_exporter_otlp_headers
    headers = parse_env_headers(given.get_secret_value(), liberal=True) if given else {}
    base = settings.otel_exporter_otlp_endpoint
    resource = Resource.create(
        {"service.name": f"escapemaster-{process}", "service.version": __version__}
    )
    tracers = TracerProvider(
        sampler=ParentBasedTraceIdRatio(settings.otel_traces_sampler_arg),
        resource=resource,
        shutdown_on_exit=False,
    )
    tracers.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=headers))
    )
    trace.set_tracer_provider(tracers)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(endpoint=f"{base}/v1/metrics", headers=headers)
    )
    meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
    metrics.set_meter_provider(meters)
    try:
        yield
    finally:
        # Not at the interpreter's exit: a server that was told to stop ends by that signal.
        tracers.shutdown()
        meters.shutdown(timeout_millis=_LAST_WORDS * 1000)


@contextmanager
def request_span(headers: Mapping[str, str], method: str) -> Iterator[Span]:
    """The span of a request: a trace of its own, linked to the one that `traceparent` names.

    Not under it: callers are anybody, and would decide what is sampled.

    Args:
        headers: The request's, by names in small letters.
        method: Its method, of the known ones.
    """
    named = trace.get_current_span(
        _PROPAGATOR.extract({"traceparent": headers.get("traceparent", "")})
    ).get_span_context()
    with _tracer.start_as_current_span(
        method,
        kind=SpanKind.SERVER,
        links=[Link(named)] if named.is_valid else [],
        attributes={"http.request.method": method},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def answered(span: Span, method: str, route: str, status: int) -> None:
    """Say of a request's span what became of it.

    Args:
        span: What `request_span` gave.
        method: As there.
        route: The path as it is declared, without values.
        status: The answer's; 0 if there was none.
    """
    span.update_name(f"{method} {route}")
    span.set_attributes({"http.route": route, "http.response.status_code": status})
    if status >= 500 or status == 0:
        span.set_status(StatusCode.ERROR)


@contextmanager
def job_span(kind: str, attributes: Mapping[str, str | int]) -> Iterator[Span]:
    """The span of one attempt of a job; each is a trace of its own.

    Args:
        kind: The job's.
        attributes: What else is known of it.
    """
    with _tracer.start_as_current_span(
        f"job {kind}",
        kind=SpanKind.CONSUMER,
        attributes={"job.kind": kind, **attributes},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


def ended(span: Span, kind: str, outcome: str, seconds: float) -> None:
    """Say of a job's span what became of the attempt, as `WorkerMetrics` counts it."""
    _durations.record(seconds, {"job.kind": kind, "job.outcome": outcome})
    span.set_attribute("job.outcome", outcome)
    if outcome != "done":
        span.set_status(StatusCode.ERROR)


class TracedClient(httpx.AsyncClient):
    """An HTTP client each of whose requests is a span."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See `httpx.AsyncClient.send`."""
        path = request.url.path
        function = path.removeprefix(_FUNCTIONS) if path.startswith(_FUNCTIONS) else None
        with _tracer.start_as_current_span(
            f"rpc {function}" if function else f"{request.method} {request.url.host}",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": request.method,
                "server.address": request.url.host,
                **({"db.operation.name": function} if function else {}),
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                response = await super().send(request, **options)
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise
            span.set_attribute("http.response.status_code", response.status_code)
            if response.status_code >= 400:
                span.set_status(StatusCode.ERROR)
            return response


def trace_id() -> str | None:
    """The trace in which this code runs, as 32 hexadecimal digits; None where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
