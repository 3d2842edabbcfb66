"""Numbers for Prometheus: what was asked, how long it took, and how much work waits."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from escapemaster.database import QueueStatistics

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """One process's numbers, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "escapemaster_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "escapemaster_http_request_duration_seconds",
            "Time from the request's first byte to the answer's last.",
            ["method", "route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self._database_up = Gauge(
            "escapemaster_database_up",
            "1 if the database answered when these numbers were asked for.",
            registry=self._registry,
        )
        self._jobs = Gauge(
            "escapemaster_jobs",
            "Jobs by state.",
            ["state"],
            registry=self._registry,
        )
        self._oldest = Gauge(
            "escapemaster_oldest_queued_job_seconds",
            "How long the oldest due job has waited.",
            registry=self._registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. `route` is the template, never the path: its values are unbounded."""
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def queue(self, statistics: QueueStatistics | None) -> None:
        """Take over the queue's state; None if the database did not answer."""
        self._database_up.set(0 if statistics is None else 1)
        if statistics is None:
            return
        self._jobs.labels("queued").set(statistics.queued)
        self._jobs.labels("running").set(statistics.running)
        self._jobs.labels("dead").set(statistics.dead)
        self._oldest.set(statistics.oldest_queued_seconds)

    def exposition(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)
