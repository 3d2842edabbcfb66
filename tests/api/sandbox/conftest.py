"""A sandbox on a free port, a receiver of its webhooks, and the official SDK pointed at it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import connect
from escapemaster_dev.sandbox.stripe.app import create_app
from escapemaster_dev.sandbox.stripe.settings import Settings

SECRET_KEY = "sk_test_sandbox"
WEBHOOK_SECRET = "whsec_sandbox"
PATIENCE = 90.0


@contextlib.contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an application on a free port until the block ends; the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


class Clock:
    """Real time, which a test can turn forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def forward(self, *, minutes: float) -> None:
        self._ahead += minutes * 60


@dataclass
class Receiver:
    """Keeps every webhook that came; answers with `statuses` first, then 200."""

    statuses: list[int] = field(default_factory=list)
    requests: list[tuple[bytes, str, int]] = field(default_factory=list)
    _came: threading.Condition = field(default_factory=threading.Condition)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/webhooks/stripe", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        with self._came:
            status = self.statuses.pop(0) if self.statuses else 200
            self.requests.append((body, request.headers["stripe-signature"], status))
            self._came.notify_all()
        return Response(status_code=status)

    def wait(self, until: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """The accepted events, once the condition holds for them."""
        with self._came:
            assert self._came.wait_for(lambda: until(self.accepted), PATIENCE), self.types
            return self.accepted

    @property
    def accepted(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body, _, status in self.requests if status == 200]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.accepted]


@dataclass
class Bench:
    """One running sandbox, with what a test needs around it."""

    url: str
    clock: Clock
    receiver: Receiver
    client: stripe.StripeClient
    http: httpx.Client

    def open(self, **params: Any) -> stripe.checkout.Session:
        """A session for one booking of 90.00 EUR; parameters replace the usual ones."""
        options = params.pop("options", {})
        return self.client.v1.checkout.sessions.create(self.checkout(**params), options)

    def checkout(self, **params: Any) -> Any:
        """The parameters of such a session; untyped, for the SDK's types want literal ones."""
        return {
            "mode": "payment",
            "success_url": "https://venue.example/thanks?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://venue.example/back",
            "client_reference_id": "attempt-1",
            "customer_email": "ana@example.com",
            "expires_at": int(self.clock()) + 31 * 60,
            "locale": "es",
            "line_items": [line("El taller del relojero", 9000)],
            "metadata": {"reference": "ABCD-2345"},
            "payment_intent_data": {"metadata": {"attempt": "attempt-1"}},
        } | params

    def pay(self, session_id: str, **form: str) -> httpx.Response:
        return self.http.post(f"/c/pay/{session_id}", data=form)

    def paid(self, **params: Any) -> stripe.checkout.Session:
        """A session that a visitor has paid."""
        session = self.open(**params)
        assert self.pay(session.id).status_code == 303
        return self.client.v1.checkout.sessions.retrieve(
            session.id, options=params.get("options", {})
        )

    def deliver(self, mode: bool | str, **more: int) -> dict[str, Any]:
        answer = self.http.post("/_sandbox/webhooks", json={"deliver": mode, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def line(name: str, cents: int, currency: str = "eur", quantity: int = 1) -> dict[str, Any]:
    return {
        "quantity": quantity,
        "price_data": {
            "currency": currency,
            "unit_amount": cents,
            "product_data": {"name": name, "description": "Sábado, 18:30 · 4 personas"},
        },
    }


@contextlib.contextmanager
def running(
    receiver: Receiver, hook: str | None, state: Path | None, clock: Clock | None = None
) -> Iterator[Bench]:
    clock = clock or Clock()
    settings = Settings(
        secret_key=SECRET_KEY,
        webhook_secret=WEBHOOK_SECRET,
        webhook_url=hook,
        state=str(state / "stripe.sqlite3") if state else ":memory:",
    )
    app = create_app(settings, clock)
    for account in ("acct_1Venue", "acct_1Other"):
        if app.state.sandbox.store.find(connect.KIND, account) is None:
            connect.make(app.state.sandbox, account_id=account, works=True)
    with serving(app) as url, httpx.Client(base_url=url) as http:
        client = stripe.StripeClient(SECRET_KEY, base_addresses={"api": url}, max_network_retries=0)
        yield Bench(url, clock, receiver, client, http)


@pytest.fixture(scope="module")
def receiver_site() -> Iterator[tuple[Receiver, str]]:
    receiver = Receiver()
    with serving(receiver.app()) as url:
        yield receiver, f"{url}/webhooks/stripe"


@pytest.fixture
def receiver(receiver_site: tuple[Receiver, str]) -> Receiver:
    found = receiver_site[0]
    found.statuses.clear()
    found.requests.clear()
    return found


@pytest.fixture
def hook(receiver_site: tuple[Receiver, str]) -> str:
    return receiver_site[1]


@pytest.fixture(scope="module")
def untouched(receiver_site: tuple[Receiver, str]) -> Iterator[Bench]:
    """One sandbox for all tests of a module that leave it as it was."""
    with running(*receiver_site, None) as found:
        yield found


@pytest.fixture
def bench(receiver: Receiver, hook: str) -> Iterator[Bench]:
    with running(receiver, hook, None) as found:
        yield found
