"""Numbers for Prometheus: what was asked, how long it took, and how much work waits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from escapemaster.database import Measure, QueueStatistics

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
        self._by_kind = {
            "jobs_queued": self._gauge("queue_jobs_queued", "Jobs that wait, by kind.", "kind"),
            "jobs_due": self._gauge("queue_jobs_due", "Jobs whose time has come, by kind.", "kind"),
            "jobs_running": self._gauge("queue_jobs_running", "Jobs under a lease.", "kind"),
            "jobs_dead": self._gauge("queue_jobs_dead", "Jobs given up, by kind.", "kind"),
            "job_oldest_due_seconds": self._gauge(
                "queue_oldest_due_seconds", "How long the oldest due job has waited.", "kind"
            ),
            "connections": self._gauge(
                "database_connections", "Connections of clients to the database.", "state"
            ),
        }
        self._alone = {
            "webhook_deliveries_pending": self._gauge(
                "webhook_deliveries_pending", "Events that venues' own programs have not had yet."
            ),
            "subscriptions_unread_seconds": self._gauge(
                "subscriptions_unread_seconds",
                "How long ago the subscriptions were read at Stripe that were read least lately.",
            ),
            "accounts_unread_seconds": self._gauge(
                "accounts_unread_seconds",
                "How long ago the account of a venue was read at Stripe that was read longest ago.",
            ),
            "connections_max": self._gauge(
                "database_connections_max", "Connections that the database allows."
            ),
        }
        self._webhooks = Counter(
            "escapemaster_webhooks_received",
            "Events that providers delivered, by type; a duplicate had been received before.",
            ["provider", "type", "duplicate"],
            registry=self._registry,
        )
        self._webhook_lag = Histogram(
            "escapemaster_webhook_lag_seconds",
            "Time from an event at the provider to its first delivery here.",
            ["provider"],
            buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400),
            registry=self._registry,
        )

    def _gauge(self, name: str, said: str, *labels: str) -> Gauge:
        return Gauge(f"escapemaster_{name}", said, labels, registry=self._registry)

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

    def measured(self, measures: Sequence[Measure]) -> None:
        """Take over what the database counted; a kind that is not among it has nothing."""
        for gauge in self._by_kind.values():
            gauge.clear()
        for measure in measures:
            if measure.kind is not None and measure.name in self._by_kind:
                self._by_kind[measure.name].labels(measure.kind).set(measure.value)
            elif measure.name in self._alone:
                self._alone[measure.name].set(measure.value)

    def received(self, provider: str, kind: str, happened_at: datetime, *, duplicate: bool) -> None:
        """Count an event that a provider delivered, whose signature makes its type one of few."""
        self._webhooks.labels(provider, kind, str(duplicate).lower()).inc()
        if not duplicate:
            lag = (datetime.now(UTC) - happened_at).total_seconds()
            self._webhook_lag.labels(provider).observe(max(lag, 0))

    def exposition(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self._registry)
