"""Numbers of one worker for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class WorkerMetrics:
    """Jobs done, failed and given up, and how long they took."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._jobs = Counter(
            "escapemaster_jobs_processed",
            "Attempts by kind and outcome: done, queued (again), dead, lost (the lease).",
            ["kind", "outcome"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "escapemaster_job_duration_seconds",
            "Time that an attempt took.",
            ["kind"],
            registry=self._registry,
        )
        self._running = Gauge(
            "escapemaster_jobs_running", "Jobs in work right now.", registry=self._registry
        )

        self._missed = Counter(
            "escapemaster_events_missed",
            "Events of Stripe that no webhook had brought, found by looking.",
            registry=self._registry,
        )

    def missed(self, count: int) -> None:
        """Count events that a look has found."""
        self._missed.inc(count)

    def running(self, count: int) -> None:
        """How many jobs this worker has in hand."""
        self._running.set(count)

    def processed(self, kind: str, outcome: str, seconds: float) -> None:
        """Count an attempt."""
        self._jobs.labels(kind, outcome).inc()
        self._durations.labels(kind).observe(seconds)

    def exposition(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)
