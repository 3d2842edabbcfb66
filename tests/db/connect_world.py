"""Venues with accounts of their own: the service's code between Stripe's sandbox and the database.

Only HTTP is left out, as in test_subscription_life. Events are taken from the sandbox, each from
its account's own list, and handed to the inbox as a test likes: in any order, twice, or never.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx

from client import SERVICE, Client, Refused
from db.money_world import Booking, Database, Venue, make_venue
from escapemaster.database.accounts import AccountDatabase, AppliedStripeAccount
from escapemaster.database.billing import BillingDatabase
from escapemaster.database.functions import Functions
from escapemaster.database.payments import PaymentCalls
from escapemaster.database.queue import Job
from escapemaster.errors import DomainError, EscapemasterError, PaymentError
from escapemaster.payments import accounts
from escapemaster.payments.checkout import Checkout, ReturnAddresses, start_checkout
from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS, StripeGateway
from escapemaster.worker.handlers import Tools, expire_checkout, refund, sync_stripe_object
from escapemaster.worker.periodic import OVERLAP, EventReconciler
from escapemaster_dev.sandbox.stripe import connect
from escapemaster_dev.sandbox.stripe.app import create_app
from escapemaster_dev.sandbox.stripe.core import Sandbox
from escapemaster_dev.sandbox.stripe.settings import Settings

ADDRESSES = ReturnAddresses("https://play.example.test/", [])
KEY = {"Authorization": "Bearer sk_test_1"}
T = TypeVar("T")
Row = dict[str, Any]

_HANDLERS = {
    "stripe.sync": sync_stripe_object,
    "stripe.read_billing": sync_stripe_object,
    "stripe.refund": refund,
    "stripe.expire_checkout": expire_checkout,
}


class Direct(PaymentCalls, AccountDatabase, BillingDatabase):
    """The service's calls, on a connection instead of over HTTP."""

    def __init__(self, client: Client) -> None:
        async def call(function: str, shape: Any, parameters: Row, *, repeat: bool = True) -> Any:
            del repeat
            try:
                answer = client.call(f"service.{function}", **parameters)
            except Refused as refusal:
                raise DomainError(
                    refusal.code, refusal.status, refusal.hint, refusal.details
                ) from refusal
            return shape.validate_python(answer)

        self._functions = cast("Functions", SimpleNamespace(call=call))


@dataclass
class Shop:
    """A venue in this world."""

    world: World
    venue: Venue

    @property
    def id(self) -> UUID:
        return UUID(self.venue.organization_id)

    @property
    def account(self) -> str:
        """The account that it has chosen last."""
        return str(self.said()["account_id"])

    def said(self) -> Row:
        """What its owner is told."""
        answer: Row = self.venue.owner.call(
            "get_stripe_account", organization_id=self.venue.organization_id
        )
        return answer

    def billing_pass(self, *, reading: bool = False) -> str:
        """As the service gets it, under its owner's token."""
        answer: Row = self.venue.owner.call(
            "open_billing", organization_id=self.venue.organization_id, reading=reading
        )
        return str(answer["token"])

    async def get_pass(self) -> str:
        return self.billing_pass()

    def connect(self, code: str) -> AppliedStripeAccount:
        return self.world.run(
            accounts.connect_account(
                self.world.database, self.world.gateway, self.id, code, get_pass=self.get_pass
            )
        )

    def open(self, *, anew: bool = False) -> str:
        """The address of Stripe's page."""
        return self.world.run(
            accounts.open_account(
                self.world.database,
                self.world.gateway,
                self.id,
                get_pass=self.get_pass,
                anew=anew,
                return_url=None,
                addresses=ADDRESSES,
            )
        )

    def onboard(self, *, anew: bool = False) -> str:
        """Open an account and tell Stripe everything; its id."""
        answer = self.world.press(self.open(anew=anew), do="complete")
        assert answer.headers["location"].endswith("?stripe_account=returned")
        self.read()
        return self.account

    def read(self) -> None:
        """As the owner who looks at it does."""
        asked_by = self.billing_pass(reading=True)
        self.world.run(
            accounts.sync_account(self.world.database, self.world.gateway, self.account, asked_by)
        )

    def takes_deposits(self, percent: int = 50) -> None:
        self.venue.owner.change(
            "update public.rooms set deposit_kind = 'percent', deposit_value = %s", percent
        )

    def checkout(self, booking: Booking, *, whole: bool = False) -> Checkout:
        return self.world.run(
            start_checkout(
                self.world.database,
                self.world.gateway,
                reference=booking.reference,
                manage_token=booking.token,
                return_url=None,
                addresses=ADDRESSES,
                whole=whole,
            )
        )

    def pay(self, booking: Booking, *, whole: bool = False) -> Checkout:
        """Open the page and pay on it; nobody has heard of it yet."""
        page = self.checkout(booking, whole=whole)
        assert self.world.press(page.url).status_code == 303
        return page

    def payments(self, booking: Booking) -> list[Row]:
        return self.venue.database.all(
            "select amount_cents, stripe_account, platform_fee_cents, provider_payment_id"
            " from public.payments where booking_id = %s order by created_at, id",
            booking.id,
        )

    def take_cash(self, booking: Booking, cents: int) -> None:
        self.venue.owner.call(
            "record_payment",
            organization_id=self.venue.organization_id,
            booking_id=booking.id,
            method="cash",
            amount_cents=cents,
            idempotency_key=str(uuid.uuid4()),
        )

    def refund(self, booking: Booking, cents: int) -> None:
        self.venue.owner.call(
            "refund_booking",
            organization_id=self.venue.organization_id,
            booking_id=booking.id,
            amount_cents=cents,
            reason="Sorry",
            idempotency_key=str(uuid.uuid4()),
        )

    def pending(self) -> list[Row]:
        listed: list[Row] = self.venue.owner.call(
            "get_pending_refunds", organization_id=self.venue.organization_id
        )
        return listed

    def plan_fee(self, plan: str) -> None:
        """Put the venue on a plan, whose fee its payments carry from now on."""
        self.venue.database.run(
            "insert into public.subscriptions (organization_id, granted_plan_key, granted_until)"
            " values (%s, %s, now() + interval '1 y')"
            " on conflict (organization_id) do update"
            " set granted_plan_key = excluded.granted_plan_key",
            self.id,
            plan,
        )


@dataclass
class World:
    """Stripe, the database and the service between them."""

    money: Database
    app: Any
    sandbox: Sandbox
    gateway: StripeGateway
    database: Direct
    events: EventReconciler
    seen: set[str] = field(default_factory=set)

    def shop(self) -> Shop:
        return Shop(self, make_venue(self.money))

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return asyncio.run(awaited())

    def press(self, url: str, **form: str) -> httpx.Response:
        """A person presses a button of one of the sandbox's pages."""
        address = httpx.URL(url)
        return self.ask(
            "POST", address.raw_path.decode(), data=form or {"email": "ada@example.com"}
        )

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app, client=("127.0.0.1", 1)),
                base_url="https://stripe.test",
            ) as http:
                return await http.request(method, path, **more)

        return self.run(asked())

    def happens(self, account: str, what: str) -> None:
        path = f"/_sandbox/accounts/{account}"
        assert self.ask("POST", path, json={"happens": what}).status_code == 200

    # -- events ------------------------------------------------------------------------------------

    def accounts(self) -> list[str]:
        """'' is the platform's own."""
        rows = self.sandbox.store.newest_first(
            connect.KIND, "", fields={}, created={}, after=None, before=None, limit=-1
        )
        return ["", *(row["id"] for row in rows)]

    def objects(self, kind: str, account: str) -> list[Row]:
        return self.sandbox.store.newest_first(
            kind, account, fields={}, created={}, after=None, before=None, limit=-1
        )[::-1]

    def new_events(self) -> list[Row]:
        """What Stripe would send to the endpoint as README describes it."""
        news = [
            event
            for account in self.accounts()
            for event in self.objects("event", account)
            if event["id"] not in self.seen and event["type"] in RECONCILED_EVENTS
        ]
        self.seen |= {event["id"] for event in news}
        return news

    def receive(self, event: Row) -> None:
        self.money.client(SERVICE).call("service.receive_stripe_event", event=event)

    def work(self) -> None:
        """The worker does what is queued about Stripe's objects, until nothing is left of it."""
        tools = cast("Tools", SimpleNamespace(database=self.database, stripe=self.gateway))
        while jobs := self.money.all(
            "update private.jobs set status = 'running', lease_token = gen_random_uuid(),"
            " attempts = attempts + 1 where kind like 'stripe.%%' and status = 'queued'"
            " and run_at <= now() returning id, kind, payload, lease_token"
        ):
            for row in jobs:
                job = Job.model_validate({**row, "attempt": 1})
                outcome, problem = "done", None
                try:
                    self.run(_HANDLERS[job.kind](job, tools))
                except EscapemasterError as error:
                    # One that passes is tried again by whoever looks next.
                    outcome, problem = "dead", error.code
                self.money.run(
                    "update private.jobs set status = %s, lease_token = null,"
                    " finished_at = case when %s <> 'queued' then now() end, last_error = %s,"
                    " again = false where id = %s",
                    *(outcome, outcome, problem, row["id"]),
                )

    def hear(self) -> None:
        """Every event comes, once and in order."""
        for event in self.new_events():
            self.receive(event)
        self.work()

    def reconcile(self) -> None:
        """The worker's clock: pages that are open, every account's events, every account."""
        self.money.run(
            "delete from private.jobs where kind in ('stripe.sync', 'stripe.read_billing')"
            " and status = 'dead'"
        )
        service = self.money.client(SERVICE)
        service.call("service.queue_stale_checkouts", older_than_seconds=0)
        self.work()
        # Accounts of other worlds, or taken away, fail; they hide no other.
        with contextlib.suppress(PaymentError):
            self.run(self.events())
        self.work()
        service.call("service.queue_stale_stripe_accounts", older_than_seconds=-1)
        self.work()


@contextmanager
def open_world(money: Database) -> Iterator[World]:
    app = create_app(Settings(secret_key="sk_test_1", webhook_secret="whsec_1"))
    sandbox: Sandbox = app.state.sandbox
    gateway = StripeGateway(
        httpx.AsyncClient(transport=httpx.ASGITransport(app)),
        secret_key="sk_test_1",
        webhook_secret="whsec_1",
        connect_client_id=connect.CLIENT_ID,
        api_base="https://stripe.test",
        max_network_retries=0,
    )
    database = Direct(money.client(SERVICE))
    tools = cast("Tools", SimpleNamespace(database=database, stripe=gateway))
    # So that two looks overlap by seconds, and not by all that the tests did before.
    events = EventReconciler(tools, lambda: datetime.now(UTC) + OVERLAP - timedelta(seconds=2))
    try:
        yield World(money, app, sandbox, gateway, database, events)
    finally:
        sandbox.store.close()
