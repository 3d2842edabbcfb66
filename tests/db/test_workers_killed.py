"""A worker's process is killed at each step: every mail exactly once, every event, in order."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from standardwebhooks import Webhook

from db.money_world import Database, Venue, make_venue
from db.mortal_worker import PATIENCE
from db.test_webhooks import all_types

#: Of the mails about a hold that is left nothing is asked here.
WAITING = (
    "status in ('queued', 'running') and payload ->> 'template' is distinct from 'booking_held'"
)
STEPS = ("claimed", "rendered", "handed_over", "recorded", "marked")
#: What the other side does with what it gets, in turn; "lost": it takes it, and says nothing.
ANSWERS = ("429", "500", "lost")


@dataclass
class Outside:
    """Resend, which honours idempotency keys, and the venue's own program, on one server."""

    answers: list[str] = field(default_factory=list)
    #: The mails that were taken: their key, and what they were.
    mails: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: The events that were taken, as often as they came.
    events: list[dict[str, Any]] = field(default_factory=list)
    secret: str = ""

    def post(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        answer = self.answers.pop(0) if self.answers else "taken"
        if answer in ("429", "500"):
            name = "rate_limit_exceeded" if answer == "429" else "application_error"
            return int(answer), json.dumps(
                {"statusCode": int(answer), "name": name, "message": name}
            ).encode()
        if path == "/emails":
            mail = json.loads(body)
            key = headers["idempotency-key"]
            if self.mails.setdefault(key, mail) != mail:
                return 409, b'{"statusCode":409,"name":"invalid_idempotent_request","message":"x"}'
        else:
            self.events.append(Webhook(self.secret).verify(body, dict(headers)))
        if answer == "lost":
            time.sleep(PATIENCE + 0.2)  # more than a worker waits
        return 200, b'{"id":"em_1"}'


@contextmanager
def serving(post: Callable[[str, Any, bytes], tuple[int, bytes]]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code, answer = post(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with contextlib.suppress(OSError):  # nobody waits for it any more
                self.send_response(code)
                self.send_header("content-type", "application/json")
                if code == 429:
                    self.send_header("retry-after", "1")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Nursery:
    """Where workers are born, one after the other."""

    database: Database
    process: subprocess.Popen[str]

    def live(self, kind: str = "nothing", step: str = "nowhere") -> int:
        """The signal that ended a worker which could do all that there is."""
        # Leases of the dead end, and pauses are over.
        for statement in (
            f"update private.jobs set run_at = now() where {WAITING}",
            "update private.webhook_deliveries set next_attempt_at = now()",
            "update private.webhook_states set paused_until = null",
            "select private.queue_due_webhooks()",
        ):
            self.database.run(statement)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{kind} {step}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture
def outside() -> Iterator[tuple[Outside, str]]:
    made = Outside()
    with serving(made.post) as url:
        yield made, url


@pytest.fixture
def nursery(money: Database, outside: tuple[Outside, str]) -> Iterator[Nursery]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RESEND_API_URL": outside[1],
    }
    with subprocess.Popen(
        [sys.executable, "-m", "db.mortal_worker", money.admin_dsn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Nursery(money, process)
        process.kill()


@pytest.fixture
def venue(money: Database) -> Iterator[Venue]:
    money.run("delete from private.jobs")
    money.run("delete from private.auth_emails")
    # What other tests' endpoints wait for: a worker would die at it instead.
    money.run("delete from private.webhook_deliveries")
    money.run("update public.webhook_endpoints set is_active = false where is_active")
    money.run("update private.webhook_settings set allows_loopback = true")
    yield make_venue(money)
    money.run("update private.webhook_settings set allows_loopback = false")


def test_a_worker_that_is_killed_at_any_step_sends_each_mail_once_and_each_event_in_order(
    venue: Venue, outside: tuple[Outside, str], nursery: Nursery
) -> None:
    world, url = outside
    hook = venue.owner.call(
        "create_webhook_endpoint",
        organization_id=venue.organization_id,
        name="Accounts",
        url=f"{url}/hook",
        events=all_types(venue.database),
    )
    world.secret = hook["token"]
    told: Counter[tuple[str, str]] = Counter()
    lives = [(kind, step) for kind in ("email.send", "webhook.deliver") for step in STEPS]
    for number, (kind, step) in enumerate(lives):
        booking = venue.hold()
        venue.pay(booking)
        told["booking_confirmed", booking.reference] += 1
        world.answers = [ANSWERS[number % len(ANSWERS)]]
        assert nursery.live(kind, step) == SIGKILL
    # Cancelled while its mail waits: that one is never sent, the cancellation is.
    gone = venue.hold()
    venue.pay(gone)
    assert nursery.live("email.send", "rendered") == SIGKILL
    venue.cancel(gone)
    told["booking_cancelled", gone.reference] += 1

    for _ in range(20):
        assert nursery.live() == 0
        if not venue.database.one(f"select count(*) from private.jobs where {WAITING}"):
            break
    sent = Counter(
        (tag["value"], reference)
        for mail in world.mails.values()
        # What waited for other tests' venues is theirs.
        if (reference := next((r for _, r in told if r in mail["html"]), None))
        for tag in mail["tags"]
    )
    assert sent == told
    # Each event arrived, and those of a booking in their order; one whose answer was lost may come
    # again, under the same id.
    expected = venue.database.all(
        "select id::text, booking_id::text as booking from private.webhook_events"
        " where organization_id = %s order by occurred_at",
        venue.organization_id,
    )
    came = list(dict.fromkeys(event["id"] for event in world.events))
    assert sorted(came) == sorted(event["id"] for event in expected)
    booking_of = {event["id"]: event["booking"] for event in expected}
    for about in set(booking_of.values()):
        in_order = [event["id"] for event in expected if event["booking"] == about]
        assert [one for one in came if booking_of[one] == about] == in_order
    again = len(world.events) - len(came)
    # Killed before it was recorded, and answers that were lost.
    assert 1 <= again <= 1 + len(lives)
