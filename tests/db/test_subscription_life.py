"""A subscription's life: the service's own code between the sandbox of Stripe and the database.

Only HTTP is left out: the gateway's client talks to the sandbox's application, and the calls of the
database run as the service's role on a connection. Events are taken from the sandbox and handed to
the inbox as a test likes: in any order, twice, or not at all.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from client import SERVICE, Client, Refused
from db.money_world import Database, Venue, make_venue
from db.plans_world import billing_pass
from escapemaster.cli.subscriptions import queue_all, read, report
from escapemaster.cli.subscriptions import subscriptions as commands
from escapemaster.database.billing import BillingDatabase
from escapemaster.database.functions import Functions
from escapemaster.database.queue import Job
from escapemaster.errors import DomainError, PaymentError
from escapemaster.payments import subscriptions
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS, StripeGateway
from escapemaster.settings import Settings as ServiceSettings
from escapemaster.worker.handlers import Tools, sync_stripe_object
from escapemaster_dev.sandbox.stripe import billing
from escapemaster_dev.sandbox.stripe.app import create_app
from escapemaster_dev.sandbox.stripe.core import Sandbox
from escapemaster_dev.sandbox.stripe.settings import Settings

DAY = 86400
ADDRESSES = ReturnAddresses("https://play.example.test/", [])
T = TypeVar("T")


class Direct(BillingDatabase):
    """The service's calls, on a connection instead of over HTTP."""

    def __init__(self, client: Client) -> None:
        async def call(
            function: str, shape: Any, parameters: dict[str, Any], *, repeat: bool = True
        ) -> Any:
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
class World:
    """One venue, Stripe, and the service between them."""

    venue: Venue
    sandbox: Sandbox
    gateway: StripeGateway
    database: Direct
    seen: set[str] = field(default_factory=set)

    @property
    def id(self) -> UUID:
        return UUID(self.venue.organization_id)

    def run(self, work: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await work

        return asyncio.run(awaited())

    def service(self, what: Callable[..., Awaitable[T]], **more: Any) -> T:
        return self.run(what(self.database, self.gateway, self.id, **more))

    def checkout(self, plan: str = "pro", interval: str = "month") -> str:
        """The address of the page."""
        return self.service(
            subscriptions.start_subscription,
            get_pass=self.get_pass,
            plan=plan,
            interval=interval,
            return_url=None,
            addresses=ADDRESSES,
        )

    def change(self, plan: str, interval: str = "month") -> str:
        return self.service(
            subscriptions.change_plan, get_pass=self.get_pass, plan=plan, interval=interval
        )

    async def get_pass(self) -> str:
        return billing_pass(self.venue)

    @property
    def customer(self) -> str:
        return str(
            self.venue.database.one(
                "select customer_id from private.stripe_customers where organization_id = %s",
                self.id,
            )
        )

    def press(self, url: str, **form: str) -> httpx.Response:
        """A person presses a button of the sandbox's page."""
        return self.ask("POST", httpx.URL(url).path, data=form)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(_APP[0], client=("127.0.0.1", 1)),
                base_url="http://stripe.test",
            ) as http:
                return await http.request(method, path, **more)

        return self.run(asked())

    def subscribe(self, plan: str = "pro", interval: str = "month") -> None:
        assert self.press(self.checkout(plan, interval)).status_code == 303

    def advance(self, days: float) -> None:
        path = f"/_sandbox/customers/{self.customer}/advance"
        assert self.ask("POST", path, json={"seconds": int(days * DAY)}).status_code == 200

    def card(self, *, works: bool) -> None:
        path = f"/_sandbox/customers/{self.customer}/card"
        assert self.ask("POST", path, json={"works": works}).status_code == 200

    # -- events ------------------------------------------------------------------------------------

    def new_events(self) -> list[dict[str, Any]]:
        """What Stripe would send to the endpoint as README describes it."""
        found = self.sandbox.store.newest_first(
            "event", "", fields={}, created={}, after=None, before=None, limit=-1
        )
        news = [
            event
            for event in reversed(found)
            if event["id"] not in self.seen and event["type"] in RECONCILED_EVENTS
        ]
        self.seen |= {event["id"] for event in news}
        return news

    def receive(self, event: dict[str, Any]) -> None:
        self.venue.service.call("service.receive_stripe_event", event=event)

    def work(self) -> None:
        """The worker does what is queued about Stripe's objects."""
        while jobs := self.venue.database.all(
            "update private.jobs set status = 'running', lease_token = gen_random_uuid()"
            " where kind in ('stripe.sync', 'stripe.read_billing') and status = 'queued'"
            " returning id, kind, payload, lease_token"
        ):
            for row in jobs:
                job = Job.model_validate({**row, "attempt": 1})
                tools = cast("Tools", SimpleNamespace(database=self.database, stripe=self.gateway))
                outcome = "done"
                try:
                    self.run(sync_stripe_object(job, tools))
                except PaymentError:
                    outcome = "dead"
                self.venue.database.run(
                    "update private.jobs set status = %s, lease_token = null, finished_at = now()"
                    " where id = %s",
                    outcome,
                    row["id"],
                )

    def hear(self) -> None:
        """Every event comes, once and in order."""
        for event in self.new_events():
            self.receive(event)
        self.work()

    def reconcile(self) -> None:
        """A day later, whatever events came or not."""
        self.venue.database.run(
            "update private.stripe_customers set as_of = as_of - interval '2 d'"
        )
        while self.venue.service.call("service.queue_stale_subscriptions", older_than_seconds=DAY):
            self.work()

    # -- what is so --------------------------------------------------------------------------------

    def row(self) -> dict[str, Any]:
        rows = self.venue.database.all(
            "select * from public.subscriptions where organization_id = %s", self.id
        )
        return rows[0] if rows else {}

    def status(self) -> str:
        return str(self.row().get("status"))

    def at_stripe(self) -> list[dict[str, Any]]:
        return billing.subscriptions_of(self.sandbox, self.customer, "")

    def writes(self) -> bool:
        try:
            self.venue.owner.change("update public.rooms set name = 'Renamed'")
        except Refused as refusal:
            if refusal.code != "subscription_overdue":
                raise
            return False
        return True

    def agrees(self) -> None:
        """Database and sandbox say the same of everything that one of them knows."""
        row, held = self.row(), self.at_stripe()
        if not held:
            assert not row or row["status"] == "canceled"
            return
        [mine] = [s for s in held if s["id"] == row["stripe_subscription_id"]]
        item = mine["items"]["data"][0]
        live = {s["id"] for s in held if s["status"] not in billing.OVER}
        assert not live or mine["id"] in live
        assert set(row["other_subscription_ids"]) == live - {mine["id"]}
        assert row["status"] == mine["status"]
        assert row["plan_key"] == (item["price"]["lookup_key"] or "_").split("_")[1]
        assert row["amount_cents"] == item["price"]["unit_amount"]
        assert row["current_period_end"].timestamp() == item["current_period_end"]
        assert (row["cancel_at"] is not None) == (mine["cancel_at"] is not None)
        assert (row["next_plan_key"] is not None) == (mine["schedule"] is not None)
        assert (row["overdue_since"] is not None) == (mine["status"] in ("past_due", "unpaid"))


#: The sandbox's application of the world that is there.
_APP: list[Any] = []


@contextmanager
def open_world(money: Database) -> Iterator[World]:
    app = create_app(
        Settings(secret_key="sk_test_1", webhook_secret="whsec_1", public_url="https://stripe.test")
    )
    _APP[:] = [app]
    venue = make_venue(money)
    sandbox: Sandbox = app.state.sandbox
    try:
        yield World(venue, sandbox, _gateway(app), Direct(money.client(SERVICE)))
    finally:
        sandbox.store.close()


def _gateway(app: Any) -> StripeGateway:
    return StripeGateway(
        httpx.AsyncClient(transport=httpx.ASGITransport(app)),
        secret_key="sk_test_1",
        webhook_secret="whsec_1",
        api_base="http://stripe.test",
        max_network_retries=0,
    )


@pytest.fixture
def world(money: Database) -> Iterator[World]:
    with open_world(money) as found:
        yield found


def test_the_life_of_a_subscription(world: World) -> None:
    """trial, active, card failure, past due, writes stop, paid, downgrade, cancel, resume, end."""
    world.subscribe("pro")
    world.hear()
    assert (world.status(), world.row()["plan_key"]) == ("trialing", "pro")
    world.advance(15)
    world.hear()
    assert world.status() == "active"
    world.card(works=False)
    world.advance(31)
    world.hear()
    assert (world.status(), world.row()["due_cents"]) == ("past_due", 7900)
    assert world.writes()
    world.venue.database.run(
        "update public.subscriptions set overdue_since = overdue_since - interval '15 d',"
        " grace_until = grace_until - interval '15 d' where organization_id = %s",
        world.id,
    )
    world.reconcile()
    assert not world.writes()
    assert world.venue.owner.select("select name from public.rooms")
    world.card(works=True)
    world.hear()
    assert (world.status(), world.row()["due_cents"]) == ("active", 0)
    assert world.writes()
    assert world.change("starter") == "downgrade"
    assert (world.row()["plan_key"], world.row()["next_plan_key"]) == ("pro", "starter")
    world.service(subscriptions.cancel)
    assert world.row()["cancel_at"] is not None
    assert world.row()["next_plan_key"] is None
    world.service(subscriptions.resume)
    assert world.row()["cancel_at"] is None
    assert world.change("starter") == "downgrade"
    world.advance(31)
    world.hear()
    assert (world.row()["plan_key"], world.row()["next_plan_key"]) == ("starter", None)
    world.agrees()
    world.service(subscriptions.cancel)
    world.advance(31)
    world.hear()
    assert world.status() == "canceled"
    world.agrees()


def test_a_card_that_stays_refused_ends_it(world: World) -> None:
    world.subscribe()
    world.advance(15)
    world.card(works=False)
    world.advance(31)
    world.hear()
    assert world.status() == "past_due"
    world.advance(22)
    world.hear()
    assert world.status() == "canceled"
    world.agrees()


def test_an_upgrade_is_at_once_and_charges_the_difference(world: World) -> None:
    world.subscribe("starter")
    world.advance(15)
    world.hear()
    assert world.change("pro") == "upgrade"
    assert world.row()["plan_key"] == "pro"
    invoice = world.sandbox.store.need(world.at_stripe()[0]["latest_invoice"]).body
    assert 0 < invoice["amount_paid"] < 7900
    assert world.change("pro") == "stay"
    assert world.sandbox.store.need(world.at_stripe()[0]["latest_invoice"]).body == invoice


def test_an_upgrade_whose_card_is_refused_changes_nothing(world: World) -> None:
    world.subscribe("starter")
    world.advance(15)
    world.hear()
    world.card(works=False)
    with pytest.raises(DomainError) as refusal:
        world.change("pro")
    assert (refusal.value.code, refusal.value.status) == ("payment_failed", 409)
    assert (world.status(), world.row()["plan_key"]) == ("active", "starter")
    world.reconcile()
    world.agrees()


def test_two_clicks_are_one_page_and_another_choice_closes_it(world: World) -> None:
    first = world.checkout("pro")
    assert world.checkout("pro") == first
    second = world.checkout("starter", "year")
    assert second != first
    assert world.press(first).status_code == 410
    assert world.press(second).status_code == 303
    world.hear()
    assert (world.row()["plan_key"], world.row()["billing_interval"]) == ("starter", "year")
    with pytest.raises(DomainError) as refusal:
        world.checkout()
    assert refusal.value.code == "subscription_exists"
    assert len(world.at_stripe()) == 1


def test_who_paid_before_choosing_something_else_has_a_subscription(world: World) -> None:
    """The event of the first page has not come yet."""
    world.subscribe("pro")
    with pytest.raises(DomainError) as refusal:
        world.checkout("starter")
    assert refusal.value.code == "subscription_exists"
    assert world.row()["plan_key"] == "pro"
    assert len(world.at_stripe()) == 1


def test_the_trial_is_given_once(world: World) -> None:
    world.subscribe("pro")
    world.hear()
    world.service(subscriptions.cancel)
    world.advance(15)
    world.hear()
    assert world.status() == "canceled"
    world.subscribe("pro")
    world.hear()
    assert world.status() == "active"


def test_a_deleted_customer_is_followed_by_another(world: World) -> None:
    world.subscribe("pro")
    world.hear()
    former = world.customer
    path = f"/v1/customers/{former}"
    assert world.ask("DELETE", path, headers=_KEY).status_code == 200
    world.hear()
    assert world.status() == "canceled"
    world.subscribe("starter")
    world.hear()
    assert (world.row()["plan_key"], world.customer == former) == ("starter", False)


_KEY = {"Authorization": "Bearer sk_test_1"}


def test_one_made_on_the_dashboard_counts_by_its_customer_and_not_by_metadata(
    money: Database, world: World
) -> None:
    world.checkout()  # so that it has a customer
    other = make_venue(money)
    prices = world.ask("GET", "/v1/prices", headers=_KEY).json()["data"]
    pro = next(p["id"] for p in prices if p["lookup_key"] == "escapemaster_pro_month")

    def on_the_dashboard(customer: str, organization: object) -> None:
        made = world.ask(
            "POST",
            "/v1/subscriptions",
            headers=_KEY,
            data={
                "customer": customer,
                "items[0][price]": pro,
                "metadata[organization_id]": str(organization),
            },
        )
        assert made.status_code == 200, made.text

    stranger = world.ask("POST", "/v1/customers", headers=_KEY, data={"name": "Stranger"}).json()
    on_the_dashboard(stranger["id"], world.id)
    world.hear()
    assert world.row() == {}
    on_the_dashboard(world.customer, other.organization_id)
    world.hear()
    assert (world.status(), world.row()["plan_key"]) == ("active", "pro")
    assert not money.all(
        "select from public.subscriptions where organization_id = %s", other.organization_id
    )
    on_the_dashboard(world.customer, world.id)
    world.hear()
    assert len(world.row()["other_subscription_ids"]) == 1
    world.agrees()


def test_an_event_of_a_connected_account_moves_nothing(world: World) -> None:
    world.subscribe()
    for event in world.new_events():
        world.receive({**event, "account": "acct_1Venue"})
    world.work()
    assert world.row() == {}


def test_a_lost_event_is_found_by_the_reconciler(world: World) -> None:
    world.subscribe()
    world.hear()
    world.card(works=False)
    world.advance(15)
    assert world.new_events()  # and nobody hears of them
    assert world.status() == "trialing"
    world.reconcile()
    assert world.status() == "past_due"
    world.agrees()


def test_one_customer_that_stripe_does_not_know_hides_no_other(
    money: Database, world: World
) -> None:
    """And is not taken for deleted: a wrong key would end everybody's subscription."""
    lost = make_venue(money)
    money.client(SERVICE).call(
        "service.record_stripe_customer",
        organization_id=lost.organization_id,
        billing_pass=billing_pass(lost),
        customer_id=f"cus_{uuid.uuid4().hex}",
    )
    world.subscribe()
    world.reconcile()
    assert world.status() == "trialing"
    assert money.one(
        "select deleted_at is null from private.stripe_customers where organization_id = %s",
        lost.organization_id,
    )


def test_the_operators_command_says_what_changed(world: World) -> None:
    world.subscribe("starter")
    applied = world.run(subscriptions.sync_customer(world.database, world.gateway, world.customer))
    said = report(applied).split("\n")
    assert "plan_key: none -> starter" in said
    assert "status: none -> trialing" in said
    again = world.run(subscriptions.sync_customer(world.database, world.gateway, world.customer))
    assert report(again) == "Nothing has changed."


def test_only_an_operator_who_says_so_takes_a_customer_off_that_stripe_does_not_know(
    world: World,
) -> None:
    world.subscribe("pro")
    world.hear()
    known = world.customer
    world.advance(15)
    world.card(works=False)
    world.advance(31)
    world.hear()
    assert world.status() == "past_due"
    lost = f"cus_{uuid.uuid4().hex}"
    rename = "update private.stripe_customers set customer_id = %s where organization_id = %s"
    world.venue.database.run(rename, lost, world.id)
    with pytest.raises(PaymentError) as error:
        world.run(subscriptions.sync_customer(world.database, world.gateway, lost))
    assert (error.value.code, world.status()) == ("resource_missing", "past_due")
    world.run(subscriptions.forget_customer(world.database, world.gateway, lost))
    row = world.row()
    assert (row["status"], row["overdue_since"], row["grace_until"]) == ("canceled", None, None)
    assert world.venue.database.one(
        "select writes_end_at is null from public.organizations where id = %s", world.id
    )
    world.subscribe("starter")
    world.hear()
    assert world.customer not in (lost, known)
    assert (world.status(), world.row()["plan_key"]) == ("active", "starter")
    # One that Stripe knows is read, and not forgotten.
    world.run(subscriptions.forget_customer(world.database, world.gateway, world.customer))
    assert world.status() == "active"


def test_the_operators_command_puts_right_that_a_customer_was_said_to_be_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escapemaster.clients.service_database", lambda *_: world.database)
    monkeypatch.setattr("escapemaster.clients.stripe_gateway", lambda *_: world.gateway)
    world.subscribe("pro")
    world.hear()
    forged = {"customer": world.customer, "deleted": True, "as_of": "now", "subscriptions": []}
    world.venue.service.call("service.apply_billing", billing=forged)
    assert world.status() == "canceled"
    for forget in (False, True):
        world.run(read(cast("ServiceSettings", None), str(world.id), forget=forget))
        assert world.status() == "trialing"
    world.agrees()


@pytest.mark.parametrize("words", [[], ["a-venue", "--all"], ["--all", "--forget-customer"]])
def test_the_operators_command_takes_one_organization_or_all(words: list[str]) -> None:
    assert CliRunner().invoke(commands, ["sync", *words]).exit_code == 2


def test_reading_everybody_ends_although_a_worker_reads_meanwhile(world: World) -> None:
    world.subscribe("pro")
    world.hear()

    async def queue_and_work(older_than_seconds: int) -> int:
        queued = int(
            world.venue.service.call(
                "service.queue_stale_subscriptions", older_than_seconds=older_than_seconds
            )
        )
        await asyncio.to_thread(world.work)
        return queued

    busy = cast("BillingDatabase", SimpleNamespace(queue_stale_subscriptions=queue_and_work))
    assert world.run(queue_all(busy)) >= 1


def test_the_portal_cancels_resumes_and_changes(world: World) -> None:
    world.subscribe("starter")
    world.hear()
    url = world.service(subscriptions.open_portal, return_url=None, addresses=ADDRESSES)
    assert "Status: <strong" in world.ask("GET", httpx.URL(url).path).text
    mine = world.at_stripe()[0]["id"]
    world.press(url, do="cancel", subscription=mine)
    world.hear()
    assert world.row()["cancel_at"] is not None
    world.press(url, do="resume", subscription=mine)
    world.hear()
    assert world.row()["cancel_at"] is None
    prices = world.ask("GET", "/v1/prices", headers=_KEY).json()["data"]
    pro = next(p["id"] for p in prices if p["lookup_key"] == "escapemaster_pro_month")
    world.press(url, do="change", subscription=mine, price=pro)
    world.hear()
    assert world.row()["plan_key"] == "pro"
    world.agrees()


def test_before_the_first_checkout_there_is_no_portal(world: World) -> None:
    with pytest.raises(DomainError) as refusal:
        world.service(subscriptions.open_portal, return_url=None, addresses=ADDRESSES)
    assert (refusal.value.code, refusal.value.status) == ("subscription_missing", 409)
    for what in (subscriptions.cancel, subscriptions.resume):
        with pytest.raises(DomainError, match="Subscribe first"):
            world.service(what)


# -- any order, any number, any loss ---------------------------------------------------------------

_STEPS = st.lists(
    st.sampled_from(
        [
            "day",
            "fortnight",
            "month",
            "card fails",
            "card works",
            "cancel",
            "resume",
            "starter",
            "pro",
            "year",
        ]
    ),
    min_size=1,
    max_size=7,
)


def step(world: World, what: str) -> None:
    match what:
        case "day":
            world.advance(1)
        case "fortnight":
            world.advance(15)
        case "month":
            world.advance(32)
        case "card fails" | "card works":
            world.card(works=what == "card works")
        case _:
            try:
                if what in ("starter", "pro"):
                    world.change(what)
                elif what == "year":
                    world.change("starter", "year")
                else:
                    world.service(getattr(subscriptions, what))
            except (DomainError, PaymentError):
                pass  # what Stripe or the database refuses changes nothing, which is looked at


@hypothesis_settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS, data=st.data())
def test_whatever_happens_to_its_events_database_and_stripe_agree_in_the_end(
    money: Database, steps: list[str], data: st.DataObject
) -> None:
    with open_world(money) as world:
        _lives(world, steps, data)


def _lives(world: World, steps: list[str], data: st.DataObject) -> None:
    world.subscribe(data.draw(st.sampled_from(["starter", "pro"])))
    waiting: list[dict[str, Any]] = []
    for what in steps:
        step(world, what)
        waiting += world.new_events()
        # Some come now, in any order, some twice; the others later, or never.
        come = data.draw(st.lists(st.sampled_from(waiting), max_size=4)) if waiting else []
        for event in come:
            world.receive(event)
        world.work()
    world.reconcile()
    world.agrees()
