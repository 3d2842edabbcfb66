"""The tests' switches, /_sandbox: described on the package's page, open on this machine only."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import billing, connect, payments, sessions
from escapemaster_dev.sandbox.stripe.core import BY_ITSELF, Sandbox
from escapemaster_dev.sandbox.stripe.courier import Courier, Mode

Endpoint = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """The endpoints that the package's page lists."""
    return [
        Route("/_sandbox/health", health, methods=["GET"]),
        Route("/_sandbox/webhooks", loopback(set_webhooks), methods=["POST"]),
        Route("/_sandbox/deliveries", loopback(list_deliveries), methods=["GET"]),
        Route("/_sandbox/sessions/{id}/expire-now", loopback(expire_now), methods=["POST"]),
        Route("/_sandbox/customers/{id}/advance", loopback(advance), methods=["POST"]),
        Route("/_sandbox/customers/{id}/card", loopback(set_card), methods=["POST"]),
        Route("/_sandbox/after-dunning", loopback(after_dunning), methods=["POST"]),
        Route("/_sandbox/accounts/{id}", loopback(change_account), methods=["POST"]),
        Route("/_sandbox/payments/{id}/dispute", loopback(dispute), methods=["POST"]),
        Route("/_sandbox/disputes/{id}", loopback(decide), methods=["POST"]),
        Route("/_sandbox/refunds/{id}/return", loopback(send_back), methods=["POST"]),
    ]


def loopback(endpoint: Endpoint) -> Endpoint:
    """404 for every caller from another machine."""

    async def run(request: Request) -> Response:
        host = request.client.host if request.client else ""
        try:
            allowed = ipaddress.ip_address(host).is_loopback
        except ValueError:
            allowed = False
        return await endpoint(request) if allowed else _refusal(404, "not found")

    return run


async def health(_: Request) -> Response:
    """Whether the sandbox answers."""
    return JSONResponse({"status": "ok"})


async def set_webhooks(request: Request) -> Response:
    """How events are delivered from now on."""
    courier: Courier = request.app.state.courier
    sandbox: Sandbox = request.app.state.sandbox
    try:
        asked = json.loads(await request.body())
        deliver, seed = asked["deliver"], asked.get("seed")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _refusal(422, 'send {"deliver": true|false|"duplicate"|"shuffle", "seed": 7}')
    name = json.dumps(deliver) if isinstance(deliver, bool) else deliver
    for mode in get_args(Mode):
        if mode == name and (seed is None or isinstance(seed, int)):
            courier.set_mode(mode, seed)
            return JSONResponse({"deliver": deliver, "waiting": sandbox.store.waiting()})
    return _refusal(422, 'deliver is true, false, "duplicate" or "shuffle"; seed a number')


async def list_deliveries(request: Request) -> Response:
    """What was sent, or is to be."""
    sandbox: Sandbox = request.app.state.sandbox
    courier: Courier = request.app.state.courier
    data = []
    for delivery in sandbox.store.deliveries(request.query_params.get("event")):
        entry = sandbox.store.need(delivery.event_id)
        data.append(
            {
                "event": delivery.event_id,
                "type": entry.body["type"],
                "object": entry.body["data"]["object"]["id"],
                "account": entry.account or None,
                "status": delivery.status,
                "attempts": delivery.attempts,
                "last_status": delivery.last_status,
                "last_error": delivery.last_error,
                "is_copy": delivery.is_copy,
            }
        )
    return JSONResponse({"deliver": courier.mode, "data": data})


async def expire_now(request: Request) -> Response:
    """End a session as if its time were up."""
    sandbox: Sandbox = request.app.state.sandbox
    entry = sandbox.store.find(sessions.KIND, request.path_params["id"])
    if entry is None:
        return _refusal(404, "no such session")
    if entry.body["status"] == "complete":
        return _refusal(409, "the session is complete")
    if entry.body["status"] == "open":
        entry.body["expires_at"] = sandbox.now()
        sessions.expire(sandbox, entry, BY_ITSELF)
    return JSONResponse(entry.body)


async def advance(request: Request) -> Response:
    """Move a customer's clock ahead, and let happen what falls due."""
    sandbox: Sandbox = request.app.state.sandbox
    entry = sandbox.store.find(billing.CUSTOMER, request.path_params["id"])
    if entry is None:
        return _refusal(404, "no such customer")
    try:
        seconds = json.loads(await request.body())["seconds"]
    except (ValueError, KeyError, TypeError):
        seconds = None
    if not isinstance(seconds, int) or seconds < 0:
        return _refusal(422, 'send {"seconds": 86400}')
    billing.advance(sandbox, entry, seconds)
    return JSONResponse({"now": billing.customer_now(sandbox, entry.body["id"])})


async def set_card(request: Request) -> Response:
    """Give a customer a card that works, which pays what is open, or one that fails."""
    sandbox: Sandbox = request.app.state.sandbox
    entry = sandbox.store.find(billing.CUSTOMER, request.path_params["id"])
    if entry is None:
        return _refusal(404, "no such customer")
    try:
        works = json.loads(await request.body())["works"]
    except (ValueError, KeyError, TypeError):
        works = None
    if not isinstance(works, bool):
        return _refusal(422, 'send {"works": true}')
    billing.set_card(sandbox, entry, works=works)
    return JSONResponse({"works": works})


async def after_dunning(request: Request) -> Response:
    """What becomes of a subscription when every retry has failed: canceled or unpaid."""
    sandbox: Sandbox = request.app.state.sandbox
    try:
        becomes = json.loads(await request.body())["becomes"]
    except (ValueError, KeyError, TypeError):
        becomes = None
    if becomes not in ("canceled", "unpaid"):
        return _refusal(422, 'send {"becomes": "canceled"} or "unpaid"')
    sandbox.store.set_switch("after_dunning", becomes)
    return JSONResponse({"becomes": becomes})


async def change_account(request: Request) -> Response:
    """Let something happen to a connected account."""
    sandbox: Sandbox = request.app.state.sandbox
    entry = sandbox.store.find(connect.KIND, request.path_params["id"])
    if entry is None:
        return _refusal(404, "no such account")
    try:
        happens = json.loads(await request.body())["happens"]
    except (ValueError, KeyError, TypeError):
        happens = None
    account = entry.body["id"]
    if happens == "completed":
        connect.complete(sandbox, account)
    elif happens == "restricted":
        connect.restrict(sandbox, account, ["external_account"])
    elif happens == "warned":
        connect.restrict(sandbox, account, ["company.tax_id"], days=14)
    elif happens == "deauthorized":
        connect.deauthorize(sandbox, account)
    elif happens == "reauthorized":
        connect.reauthorize(sandbox, account)
    else:
        return _refusal(
            422,
            'send {"happens": "completed"}, "restricted", "warned", "deauthorized" or'
            ' "reauthorized"',
        )
    return JSONResponse({"happens": happens})


async def dispute(request: Request) -> Response:
    """Let the customer's bank take a payment back, or inquire about it."""
    sandbox: Sandbox = request.app.state.sandbox
    intent = sandbox.store.find("payment_intent", request.path_params["id"])
    if intent is None or intent.body["latest_charge"] is None:
        return _refusal(404, "no such payment")
    status = await _status(request) or "needs_response"
    if status not in ("needs_response", "warning_needs_response"):
        return _refusal(422, 'send nothing, or {"status": "warning_needs_response"}')
    return JSONResponse(payments.dispute_charge(sandbox, intent.account, intent.body["id"], status))


async def decide(request: Request) -> Response:
    """Let the bank decide a dispute."""
    sandbox: Sandbox = request.app.state.sandbox
    found = sandbox.store.find("dispute", request.path_params["id"])
    if found is None:
        return _refusal(404, "no such dispute")
    status = await _status(request)
    if status not in payments.DECISIONS:
        return _refusal(422, f'send {{"status": …}}, one of {", ".join(payments.DECISIONS)}')
    return JSONResponse(payments.decide_dispute(sandbox, found.account, found.body, status))


async def _status(request: Request) -> str | None:
    try:
        return str(json.loads(await request.body())["status"])
    except (ValueError, KeyError, TypeError):
        return None


async def send_back(request: Request) -> Response:
    """Let the customer's bank send a refund back."""
    sandbox: Sandbox = request.app.state.sandbox
    found = sandbox.store.find("refund", request.path_params["id"])
    if found is None or found.body["status"] != "succeeded":
        return _refusal(404, "no such refund that went out")
    return JSONResponse(payments.return_refund(sandbox, found.account, found.body))


def _refusal(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
