"""The service and its worker against the real database, Auth, mailbox and Stripe sandbox."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
import stripe as stripe_sdk
from fastapi import Depends

from escapemaster.api.app import create_app
from escapemaster.api.auth import Person, require_permission
from escapemaster.database import ServiceDatabase, connection_pool
from escapemaster.errors import PaymentError
from escapemaster.payments.model import CheckoutOrder, CheckoutSession, RefundOrder
from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS, StripeGateway
from escapemaster.settings import Settings
from stack import Mailbox, Rest, Stack, User, wait_until

AsUser = Callable[..., Rest]


@dataclass
class Venue:
    """A venue with one room that opens all day, and players who book there."""

    owner: User
    organization_id: str
    slug: str
    room_id: str
    anon: Rest
    api: httpx.Client
    stripe: httpx.Client
    taken: int = 0

    def hold(self, locale: str = "es") -> dict[str, Any]:
        """A player holds the next free slot."""
        first = (datetime.now(UTC) + timedelta(days=2)).date()
        slots = self.anon.rpc(
            "get_availability",
            slug=self.slug,
            from_date=str(first),
            to_date=str(first + timedelta(days=6)),
            party_size=4,
        ).json()
        held = self.anon.rpc(
            "hold_booking",
            slug=self.slug,
            room_id=self.room_id,
            starts_at=slots[0]["starts_at"],
            party_size=4,
            customer={
                "full_name": "Pau Player",
                "email": f"player-{uuid4().hex}@example.test",
                "locale": locale,
            },
            expected_total_cents=slots[0]["price_cents"],
            idempotency_key=uuid4().hex,
        )
        assert held.status_code == 200, held.text
        return dict(held.json())

    def checkout(self, hold: dict[str, Any], **more: Any) -> httpx.Response:
        """The player asks for the page to pay on."""
        keys = {name: hold[name] for name in ("reference", "manage_token")}
        return self.api.post("/v1/checkout", json={**keys, **more})

    def pay(self, hold: dict[str, Any]) -> str:
        """The player pays. Returns where the browser is sent."""
        opened = self.checkout(hold)
        assert opened.status_code == 201, opened.text
        paid = self.stripe.post(urlsplit(opened.json()["checkout_url"]).path)
        assert paid.status_code == 303, paid.text
        return paid.headers["location"]

    def booking(self, hold: dict[str, Any]) -> dict[str, Any]:
        """The booking as its player sees it."""
        answer = self.anon.rpc(
            "get_booking", reference=hold["reference"], manage_token=hold["manage_token"]
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def reaches(self, hold: dict[str, Any], status: str) -> dict[str, Any]:
        """Wait until the booking has a status."""

        def reached() -> dict[str, Any] | None:
            booking = self.booking(hold)
            return booking if booking["status"] == status else None

        return wait_until(reached)

    def player(self, hold: dict[str, Any]) -> str:
        """The player's address."""
        return str(self.booking(hold)["customer"]["email"])


@pytest.fixture(scope="module")
def venue(
    stack: Stack,
    anon: Rest,
    api: httpx.Client,
    make_user: Callable[..., User],
    as_user: AsUser,
) -> Iterator[Venue]:
    owner = make_user()
    rest = as_user(owner)

    def made(answer: httpx.Response) -> dict[str, Any]:
        assert answer.is_success, answer.text
        body = answer.json()
        return dict(body[0] if isinstance(body, list) else body)

    slug = f"service-{uuid4().hex[:10]}"
    organization = made(rest.rpc("create_organization", name="Enigma", slug=slug))
    location = made(
        rest.insert("locations", {"name": "Enigma Centre", "timezone": "Europe/Madrid"})
    )
    room = made(
        rest.insert(
            "rooms",
            {
                "location_id": location["id"],
                "slug": "attic",
                "name": "The Attic",
                "price_cents": 2500,
                "difficulty": 3,
                "is_published": True,
            },
        )
    )
    made(
        rest.insert(
            "schedules",
            [
                {
                    "room_id": room["id"],
                    "weekday": weekday,
                    "opens_at": "00:00",
                    "closes_at": "00:00",
                }
                for weekday in range(1, 8)
            ],
        )
    )
    calendar = made(
        rest.insert("calendars", {"slug": slug, "name": "Book", "holds_per_address": 1000})
    )
    made(rest.insert("calendar_rooms", {"calendar_id": calendar["id"], "room_id": room["id"]}))
    with httpx.Client(base_url=stack.stripe_url, trust_env=False) as stripe:
        yield Venue(owner, organization["id"], slug, room["id"], anon, api, stripe)


@pytest.fixture
async def sandbox(stack_settings: Settings) -> AsyncIterator[StripeGateway]:
    """Our gateway, talking to the sandbox."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield StripeGateway(
            http,
            secret_key=stack_settings.stripe_secret_key.get_secret_value(),
            webhook_secret=stack_settings.stripe_webhook_secret.get_secret_value(),
            api_base=stack_settings.stripe_api_base,
        )


def some_order(**changes: Any) -> CheckoutOrder:
    values: dict[str, Any] = {
        "attempt_id": uuid4(),
        "organization_id": uuid4(),
        "reference": "ABCD-2345",
        "amount_cents": 7500,
        "currency": "EUR",
        "description": "The Attic",
        "customer_email": "p@example.test",
        "locale": "en",
        "expires_at": datetime.now(UTC) + timedelta(minutes=31),
        "success_url": "http://localhost/success",
        "cancel_url": "http://localhost/cancelled",
        **changes,
    }
    return CheckoutOrder(**values)


async def paid(gateway: StripeGateway, session: CheckoutSession) -> CheckoutSession:
    assert session.url is not None
    async with httpx.AsyncClient(trust_env=False) as browser:
        await browser.post(session.url)
    return await gateway.retrieve_checkout_session(session.id)


async def test_one_attempt_has_one_session_however_often_it_is_asked_for(
    sandbox: StripeGateway,
) -> None:
    order = some_order()
    first, again = await asyncio.gather(
        sandbox.create_checkout_session(order), sandbox.create_checkout_session(order)
    )
    assert first.id == again.id
    with pytest.raises(PaymentError) as conflict:
        await sandbox.create_checkout_session(
            some_order(attempt_id=order.attempt_id, success_url="http://localhost/else")
        )
    assert conflict.value.code == "idempotency_conflict"


async def test_a_session_s_states_are_read_as_the_database_takes_them(
    sandbox: StripeGateway,
) -> None:
    order = some_order()
    opened = await sandbox.create_checkout_session(order)
    assert (opened.status, opened.payment_status, opened.currency) == ("open", "unpaid", "EUR")
    complete = await paid(sandbox, opened)
    assert (complete.status, complete.payment_status) == ("complete", "paid")
    assert complete.client_reference_id == str(order.attempt_id)
    assert complete.amount_total == 7500
    assert complete.payment_intent is not None
    assert complete.as_of > opened.as_of
    assert (await sandbox.expire_checkout_session(opened.id)).status == "complete"
    closed = await sandbox.create_checkout_session(some_order())
    assert (await sandbox.expire_checkout_session(closed.id)).status == "expired"


async def test_a_refund_is_made_once_and_found_again(sandbox: StripeGateway) -> None:
    complete = await paid(sandbox, await sandbox.create_checkout_session(some_order()))
    assert complete.payment_intent is not None
    order = RefundOrder(
        refund_request_id=uuid4(),
        organization_id=uuid4(),
        payment_intent=complete.payment_intent,
        amount_cents=2500,
        currency="EUR",
    )
    assert await sandbox.list_refunds(order.payment_intent) == []
    made, again = await sandbox.create_refund(order), await sandbox.create_refund(order)
    [found] = await sandbox.list_refunds(order.payment_intent)
    assert made.id == again.id == found.id
    assert found.refund_request_id == str(order.refund_request_id)
    assert (await sandbox.retrieve_refund(made.id)).amount == 2500


async def test_what_happened_can_be_listed(sandbox: StripeGateway) -> None:
    since = datetime.now(UTC) - timedelta(seconds=5)
    complete = await paid(sandbox, await sandbox.create_checkout_session(some_order()))
    events = [event async for event in sandbox.list_recent_events(since)]
    assert complete.id in {event.object_id for event in events}
    assert {event.type for event in events} <= set(RECONCILED_EVENTS)


def test_a_booking_is_paid_confirmed_and_told_in_the_player_s_language(
    venue: Venue, mailbox: Mailbox, stack: Stack
) -> None:
    hold = venue.hold("ca")
    back = venue.pay(hold)
    assert back.startswith(stack.variables["PUBLIC_SITE_URL"])
    assert parse_qs(urlsplit(back).query) == {
        "reference": [hold["reference"]],
        "payment": ["success"],
    }
    confirmed = venue.reaches(hold, "confirmed")
    assert (confirmed["paid_cents"], confirmed["refunded_cents"]) == (10000, 0)
    [mail] = mailbox.wait_for(venue.player(hold))
    assert mail["subject"].startswith("Reserva confirmada: The Attic")
    assert mail["from"][0]["name"] == "Enigma"
    assert "hora de Madrid" in mail["text"]
    assert "100,00" in mail["text"]
    [link] = [word for word in mail["text"].split() if "token=" in word]
    manage = parse_qs(urlsplit(link).fragment)
    assert manage["token"] == [hold["manage_token"]]


def test_somebody_who_is_invited_gets_a_link_to_accept(
    venue: Venue, mailbox: Mailbox, as_user: AsUser, make_user: Callable[..., User]
) -> None:
    address = f"invited-{uuid4().hex}@example.test"
    rest = as_user(venue.owner)
    [role] = rest.get("roles", select="id", key="eq.receptionist").json()
    invited = rest.rpc(
        "invite_member",
        organization_id=venue.organization_id,
        email=address,
        role_id=role["id"],
    )
    assert invited.status_code == 200, invited.text
    [mail] = mailbox.wait_for(address)
    [link] = [word for word in mail["text"].split() if "invitation=" in word]
    [token] = parse_qs(urlsplit(link).fragment)["invitation"]
    accepted = as_user(make_user(address)).rpc("accept_invitation", token=token)
    assert accepted.status_code == 200, accepted.text


def test_asking_twice_gives_the_same_page_and_asking_after_paying_none(venue: Venue) -> None:
    hold = venue.hold()
    first, again = venue.checkout(hold), venue.checkout(hold)
    assert first.json() == again.json()
    assert venue.checkout(hold, return_url="https://evil.test").status_code == 422
    venue.pay(hold)
    venue.reaches(hold, "confirmed")
    refused = venue.checkout(hold)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_due")


def test_many_who_ask_at_once_get_one_page(venue: Venue) -> None:
    hold = venue.hold()

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=venue.api.base_url, trust_env=False) as client:
            keys = {name: hold[name] for name in ("reference", "manage_token")}
            return await asyncio.gather(
                *(client.post("/v1/checkout", json=keys, timeout=30) for _ in range(8))
            )

    answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["checkout_url"] for answer in answers}) == 1


def test_a_wrong_token_and_an_unknown_reference_look_the_same(venue: Venue) -> None:
    hold = venue.hold()
    wrong_token = venue.checkout({**hold, "manage_token": "wrong"})
    unknown = venue.checkout({**hold, "reference": "ZZZZ-9999"})
    for answer in (wrong_token, unknown):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
    same = {"request_id": ""}
    assert {**wrong_token.json(), **same} == {**unknown.json(), **same}


def test_a_cancelled_booking_is_refunded_and_told_so(venue: Venue, mailbox: Mailbox) -> None:
    hold = venue.hold("en")
    venue.pay(hold)
    venue.reaches(hold, "confirmed")
    player = venue.player(hold)
    mailbox.wait_for(player)
    cancelled = venue.anon.rpc(
        "cancel_booking", reference=hold["reference"], manage_token=hold["manage_token"]
    )
    assert cancelled.status_code == 200, cancelled.text
    wait_until(lambda: venue.booking(hold)["refunded_cents"] == 10000)
    _, mail = mailbox.wait_for(player, count=2)
    assert mail["subject"].startswith("Booking cancelled: The Attic")
    assert "We are refunding €100.00" in mail["text"]


def test_a_hold_that_is_given_up_closes_its_page(venue: Venue, stack: Stack) -> None:
    hold = venue.hold()
    page = urlsplit(venue.checkout(hold).json()["checkout_url"]).path
    venue.anon.rpc("cancel_booking", reference=hold["reference"], manage_token=hold["manage_token"])
    session = f"/v1/checkout/sessions/{page.rpartition('/')[2]}"
    key = {"Authorization": f"Bearer {stack.variables['STRIPE_SECRET_KEY']}"}
    wait_until(lambda: venue.stripe.get(session, headers=key).json()["status"] == "expired")
    assert venue.stripe.post(page).status_code == 410
    assert venue.booking(hold)["paid_cents"] == 0


def test_money_that_arrives_for_a_cancelled_booking_goes_back(venue: Venue) -> None:
    hold = venue.hold()
    page = urlsplit(venue.checkout(hold).json()["checkout_url"]).path
    # The player pays in one window and cancels in another.
    venue.stripe.post(page)
    venue.anon.rpc("cancel_booking", reference=hold["reference"], manage_token=hold["manage_token"])
    wait_until(lambda: venue.booking(hold)["refunded_cents"] == 10000)
    assert venue.booking(hold)["status"] == "cancelled"


def test_an_event_delivered_twice_is_received_once(
    venue: Venue, stack: Stack, api: httpx.Client
) -> None:
    event = {
        "object": "event",
        "id": f"evt_{uuid4().hex}",
        "type": "payout.paid",
        "created": 1771093000,
        "data": {"object": {"object": "payout", "id": "po_1"}},
    }
    body = json.dumps(event)
    secret = stack.variables["STRIPE_WEBHOOK_SECRET"]
    headers = {
        "Stripe-Signature": str(stripe_sdk.WebhookSignature.generate_signature_header(body, secret))
    }
    answers = [api.post("/webhooks/stripe", content=body, headers=headers).json() for _ in range(2)]
    assert [answer["duplicate"] for answer in answers] == [False, True]
    forged = api.post("/webhooks/stripe", content=body, headers={"Stripe-Signature": "t=1,v1=00"})
    assert (forged.status_code, forged.json()["code"]) == (400, "signature_invalid")


def test_the_service_says_that_it_is_ready_and_how_it_does(stack: Stack, api: httpx.Client) -> None:
    ready = api.get("/health/ready").json()
    assert ready["status"] == ready["database"] == "ok"
    assert ready["migration"]
    assert ready["requests_checked"] and ready["preferences_checked"]
    assert api.get("/metrics").status_code == 401
    token = {"Authorization": f"Bearer {stack.variables['METRICS_TOKEN']}"}
    assert "escapemaster_database_up 1.0" in api.get("/metrics", headers=token).text
    worker = f"http://127.0.0.1:{stack.ports.worker}"
    assert httpx.get(f"{worker}/health/ready", trust_env=False).status_code == 200


async def test_a_permission_is_asked_of_the_database_under_the_person_s_own_token(
    venue: Venue, stack_settings: Settings, make_user: Callable[..., User]
) -> None:
    app = create_app(stack_settings)

    @app.get("/v1/who")
    async def who(
        person: Annotated[Person, Depends(require_permission("bookings:read"))],
    ) -> dict[str, Any]:
        context = await person.database.call("my_context", {})
        assert isinstance(context, dict)
        return {"user": str(person.user_id), "active": context["active_organization_id"]}

    stranger = make_user()

    async def ask(user: User, organization_id: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {user.access_token}"}
        if organization_id is not None:
            headers["x-organization-id"] = organization_id
        return await client.get("/v1/who", headers=headers)

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        mine = await ask(venue.owner)
        assert mine.status_code == 200, mine.text
        assert mine.json() == {"user": venue.owner.id, "active": venue.organization_id}
        assert (await ask(venue.owner, venue.organization_id)).status_code == 200
        for refused in (
            await ask(venue.owner, str(uuid4())),
            await ask(stranger),
            await ask(stranger, venue.organization_id),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")


async def test_a_lease_that_was_lost_is_told_and_breaks_nothing(stack_settings: Settings) -> None:
    async with connection_pool() as pool:
        database = ServiceDatabase(
            pool,
            url=stack_settings.supabase_url,
            secret_key=stack_settings.supabase_secret_key.get_secret_value(),
        )
        nobody = UUID(int=0)
        assert await database.complete_job(1, nobody) is False
        assert await database.extend_job(1, nobody, 5) is False
        assert await database.fail_job(1, nobody, "why", retry=True) is None
        assert await database.prepare_email(1, nobody) is None
        assert (await database.health()).database == "ok"
        await database.sweep()


def test_workers_that_are_killed_at_any_moment_lose_no_booking_and_double_no_mail(
    venue: Venue, mailbox: Mailbox, stack: Stack, tmp_path: Path
) -> None:
    """Beside the stack's own worker, others come and are killed while bookings are paid."""
    random = Random(20260214)
    environment = {
        **os.environ,
        **stack.variables,
        "WORKER_LEASE_SECONDS": "1",
        "WORKER_POLL_SECONDS": "0.02",
        "WORKER_HEALTH_PORT": "",
    }

    def start(log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "escapemaster", "worker"],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    holds = [venue.hold() for _ in range(8)]
    with ExitStack() as running:
        logs = [tmp_path / f"{number}.log" for number in range(2)]
        workers = [start(log) for log in logs]
        for worker in workers:
            running.callback(worker.wait)
            running.callback(worker.kill)
        wait_until(lambda: all("worker.started" in log.read_text() for log in logs))
        for hold in holds:
            venue.pay(hold)
            if random.random() < 0.3 and workers:
                workers.pop().send_signal(signal.SIGKILL)
        for hold in holds:
            venue.reaches(hold, "confirmed")
        for worker in workers:
            worker.send_signal(signal.SIGKILL)
        for hold in holds:
            mailbox.wait_for(venue.player(hold))
    # Everything that was left behind has been taken over and done.
    wait_until(lambda: "escapemaster_jobs_running 0.0" in worker_numbers(stack))
    assert [len(mailbox.of(venue.player(hold))) for hold in holds] == [1] * len(holds)


def worker_numbers(stack: Stack) -> str:
    return httpx.get(f"http://127.0.0.1:{stack.ports.worker}/metrics", trust_env=False).text
