"""Every mail exactly once, wherever its worker is killed and whatever the provider answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import httpx
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from db.money_world import Booking, Database, Venue, make_venue
from escapemaster.database import Job, PreparedEmail, ServiceDatabase
from escapemaster.email.content import Site
from escapemaster.email.resend_transport import Pace, ResendTransport
from escapemaster.errors import EmailError
from escapemaster.worker.handlers import Tools, send_email

#: Where a worker is killed; None: it lives.
Killed = Literal["claimed", "rendered", "handed over", "recorded", "marked"]
#: What the provider does with a mail; "lost": takes it, and its answer never comes.
Answer = Literal["taken", "429", "quota", "500", "away", "lost", "500 and taken"]
STEPS: tuple[Killed | None, ...] = (
    None, "claimed", "rendered", "handed over", "recorded", "marked",
)  # fmt: skip
ANSWERS: tuple[Answer, ...] = ("taken", "429", "quota", "500", "away", "lost", "500 and taken")
#: What may still be said of a booking that is cancelled.
AFTER_CANCELLING = {"booking_cancelled", "booking_refunded", "refund_promised"}


class Kill(BaseException):
    """The end of a worker: nothing after it runs."""


@dataclass
class Resend:
    """A stand-in that remembers idempotency keys as Resend does."""

    answers: list[Answer] = field(default_factory=list)
    taken: dict[str, tuple[str, str]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    #: Bookings that are cancelled, by their reference.
    over: set[str] = field(default_factory=set)
    #: What it was given of those afterwards, and should not have been.
    late: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.answers.pop(0) if self.answers else "taken"
        match answer:
            case "429":
                return self._refused(429, "rate_limit_exceeded", {"retry-after": "1"})
            case "quota":
                return self._refused(429, "daily_quota_exceeded")
            case "500":
                return self._refused(500, "internal_server_error")
            case "away":
                raise httpx.ConnectError("away")
        key = request.headers["idempotency-key"]
        if key in self.taken and self.bodies[key] != request.content:
            return self._refused(409, "invalid_idempotent_request")
        if key not in self.taken:
            self._take(key, request)
        if answer == "lost":
            raise httpx.ReadTimeout("lost")
        if answer == "500 and taken":
            return self._refused(500, "application_error")
        return httpx.Response(200, json={"id": f"em_{key}"})

    def _take(self, key: str, request: httpx.Request) -> None:
        mail = json.loads(request.content)
        [tag] = mail["tags"]
        if tag["value"] not in AFTER_CANCELLING:
            self.late += [tag["value"] for reference in self.over if reference in mail["html"]]
        self.taken[key] = (tag["value"], mail["to"][0])
        self.bodies[key] = request.content

    def _refused(
        self, status: int, name: str, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        body = {"statusCode": status, "name": name, "message": name}
        return httpx.Response(status, json=body, headers=headers)


@dataclass
class Direct:
    """The calls of a worker that sends mails, to the database itself; killed where it is told."""

    venue: Venue
    killed: Killed | None = None

    async def prepare_email(self, job_id: int, lease_token: uuid.UUID) -> PreparedEmail | None:
        self._die_at("claimed")
        prepared = self._call("prepare_email", job_id=job_id, lease_token=lease_token)
        if prepared is None:
            return None
        self._die_at("rendered")
        return PreparedEmail.model_validate(prepared)

    async def record_email(
        self, job_id: int, lease_token: uuid.UUID, provider: str, provider_message_id: str
    ) -> None:
        self._die_at("handed over")
        self._call(
            "record_email",
            job_id=job_id,
            lease_token=lease_token,
            provider=provider,
            provider_message_id=provider_message_id,
        )
        self._die_at("recorded")

    async def record_email_words(self, *_: Any) -> None:
        raise AssertionError("nobody has own words here")

    def complete(self, job: Job) -> None:
        self._call("complete_job", job_id=job.id, lease_token=job.lease_token)
        self._die_at("marked")

    def fail(self, job: Job, error: EmailError) -> None:
        assert error.retryable, error
        self._call(
            "fail_job", job_id=job.id, lease_token=job.lease_token, error=error.code, retry=True
        )

    def _call(self, function: str, **arguments: object) -> Any:
        return self.venue.service.call(f"service.{function}", **arguments)

    def _die_at(self, step: Killed) -> None:
        if self.killed == step:
            raise Kill


def attempts(venue: Venue, resend: Resend, killed: Killed | None) -> int:
    """One worker's life: it claims what is due, and is killed at a step, or works through it."""
    # A lease that nobody holds any more ends, and pauses are over.
    venue.database.run(
        "update private.jobs set run_at = now() where status in ('queued', 'running')"
        " and payload ->> 'template' is distinct from 'booking_held'"
    )
    claimed = venue.service.call("service.claim_jobs", worker="w", max_jobs=8, lease_seconds=60)
    jobs = [Job.model_validate(job) for job in claimed if job["kind"] == "email.send"]
    direct = Direct(venue, killed)

    async def work() -> None:
        clock = [0.0]

        async def sleep(seconds: float) -> None:
            clock[0] += seconds

        async with httpx.AsyncClient(transport=httpx.MockTransport(resend)) as http:
            mail = ResendTransport(
                http,
                api_key="re_1",
                email_from="E <b@example.test>",
                pace=Pace(lambda: clock[0], sleep),
            )
            database = cast("ServiceDatabase", direct)
            tools = Tools(
                database=database,
                stripe=cast("Any", None),
                mail=mail,
                storage=cast("Any", None),
                site=Site("https://play.example.test/"),
            )
            for job in jobs:
                try:
                    await send_email(job, tools)
                except EmailError as error:
                    direct.fail(job, error)
                else:
                    direct.complete(job)

    with contextlib.suppress(Kill):
        asyncio.run(work())
    return len(jobs)


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    # Codes whose jobs an earlier test took away.
    money.run("delete from private.auth_emails")
    venue = make_venue(money)
    venue.owner.change("update public.calendars set lapse_notice_minutes = 5")
    return venue


def cause(venue: Venue) -> tuple[Booking, Counter[str]]:
    """Something of every kind that is to be told; the booking that is yet to be cancelled."""
    kept, other = venue.hold(), venue.hold()
    venue.pay(kept)
    venue.owner.call(
        "refund_booking",
        organization_id=venue.organization_id,
        booking_id=kept.id,
        amount_cents=500,
        reason="Dark",
        idempotency_key=str(uuid.uuid4()),
    )
    venue.transition(other, "pending")
    venue.owner.call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=other.id,
        method="cash",
        amount_cents=100,
        idempotency_key=str(uuid.uuid4()),
    )
    venue.database.run(
        "update public.bookings set hold_expires_at = now() + interval '4 min' where id = %s",
        other.id,
    )
    venue.service.call("service.sweep")
    venue.service.call(
        "service.queue_auth_emails",
        hook_id=str(uuid.uuid4()),
        emails=Jsonb(
            [{"kind": "recovery", "recipient": f"{uuid.uuid4()}@example.test", "code": "123456"}]
        ),
    )
    told = [
        "booking_confirmed", "refund_promised", "payment_received", "hold_lapsing", "auth",
    ]  # fmt: skip
    return kept, Counter(told)


lives = st.lists(
    st.tuples(st.sampled_from(STEPS), st.lists(st.sampled_from(ANSWERS), max_size=4)), max_size=6
)


@settings(
    # A shorter example is not worth minutes.
    phases=[Phase.explicit, Phase.generate],
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(lives=lives, cancelled_after=st.integers(0, 7))
# Killed once at each step, and each answer once; then everybody lives.
@example(lives=[(step, []) for step in STEPS[1:]], cancelled_after=7)
@example(lives=[(None, [answer] * 3) for answer in ANSWERS], cancelled_after=7)
@example(lives=[("handed over", ["lost"]), ("recorded", ["quota"])], cancelled_after=1)
def test_every_mail_is_sent_once_and_none_after_its_booking_was_cancelled(
    venue: Venue, lives: list[tuple[Killed | None, list[Answer]]], cancelled_after: int
) -> None:
    resend = Resend()
    kept, told = cause(venue)
    for turn, (killed, answers) in enumerate([*lives, *[(None, [])] * 3]):
        if turn == cancelled_after:
            venue.cancel(kept)
            resend.over.add(kept.reference)
        resend.answers = list(answers)
        attempts(venue, resend, killed)
    for _ in range(30):
        if not attempts(venue, resend, None):
            break
    assert resend.late == []
    sent = Counter(template for template, _ in resend.taken.values())
    if kept.reference in resend.over:
        # The cancellation is told; what was waiting then is not.
        assert sent.pop("booking_cancelled") == 1
        assert all(sent[template] <= times for template, times in told.items())
        told -= Counter(["booking_confirmed", "refund_promised"])
        sent -= Counter(
            template for template in ("booking_confirmed", "refund_promised") if sent[template]
        )
    assert sent == told
    left = venue.database.all(
        "select status, payload from private.jobs where kind = 'email.send'"
        " and status <> 'done' and payload ->> 'template' <> 'booking_held'"
    )
    assert left == []
    assert venue.database.one("select count(*) from private.auth_emails") == 0
