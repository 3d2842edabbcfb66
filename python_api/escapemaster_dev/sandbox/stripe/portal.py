"""The billing portal: a page on which a person cancels, resumes, changes the plan and pays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import billing
from escapemaster_dev.sandbox.stripe.core import BY_ITSELF, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError
from escapemaster_dev.sandbox.stripe.money import readable
from escapemaster_dev.sandbox.stripe.page import render
from escapemaster_dev.sandbox.stripe.params import Params
from escapemaster_dev.sandbox.stripe.store import Entry, StripeObject


def routes() -> list[Route]:
    """The page and its one form."""
    return [
        Route("/p/session/{id}", _found(show), methods=["GET"]),
        Route("/p/session/{id}", _found(act), methods=["POST"]),
    ]


Action = Callable[[Request, Sandbox, Entry], Awaitable[Response]]


def _found(action: Action) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        billing.renew_due(sandbox)
        entry = sandbox.store.find(billing.PORTAL, request.path_params["id"])
        if entry is None:
            return render(404, template="portal.html", session=None)
        return await action(request, sandbox, entry)

    return run


async def show(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """What the customer has, and what can be done with it."""
    return _page(sandbox, entry, request.query_params.get("problem"))


async def act(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Do what a button says: cancel, resume, change, card-works, card-fails."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    what = form.get("do", [""])[0]
    customer = sandbox.store.need(entry.body["customer"])
    try:
        if what in ("card-works", "card-fails"):
            billing.set_card(sandbox, customer, works=what == "card-works")
        else:
            _change(sandbox, entry, what, form)
    except StripeError as error:
        return _page(sandbox, entry, error.message, status=error.status)
    return RedirectResponse(f"/p/session/{entry.body['id']}", 303)


def _change(sandbox: Sandbox, entry: Entry, what: str, form: dict[str, list[str]]) -> None:
    chosen = sandbox.store.get(
        billing.SUBSCRIPTION, form.get("subscription", [""])[0], entry.account
    )
    if chosen is None or chosen.body["customer"] != entry.body["customer"]:
        raise StripeError("No such subscription.", status=404)
    with sandbox.store.transaction():
        if chosen.body["schedule"]:
            schedule = sandbox.store.need(chosen.body["schedule"])
            billing.release(sandbox, schedule, chosen.body)
        if what in ("cancel", "resume"):
            params = Params({"cancel_at_period_end": "true" if what == "cancel" else "false"})
        elif what == "change":
            item = chosen.body["items"]["data"][0]["id"]
            price = form.get("price", [""])[0]
            params = Params(
                {
                    "items": {"0": {"id": item, "price": price}},
                    "proration_behavior": "always_invoice",
                    "payment_behavior": "error_if_incomplete",
                }
            )
        else:
            raise StripeError("Unknown action.")
        billing.update_subscription(sandbox, chosen, params, BY_ITSELF)


def _page(sandbox: Sandbox, entry: Entry, problem: str | None, status: int = 200) -> Response:
    session = entry.body
    billing.ensure_catalogue(sandbox, entry.account)
    prices = sandbox.store.newest_first(
        billing.PRICE,
        entry.account,
        fields={},
        created={},
        after=None,
        before=None,
        limit=-1,
    )
    return render(
        status,
        template="portal.html",
        session=session,
        problem=problem,
        card_works=billing.card_works(sandbox, session["customer"]),
        prices=[{"id": p["id"], "text": _price(p)} for p in prices if p["lookup_key"]],
        subscriptions=[
            _shown(s)
            for s in billing.subscriptions_of(sandbox, session["customer"], entry.account)
            if s["status"] not in billing.OVER
        ],
    )


def _shown(subscription: StripeObject) -> dict[str, object]:
    item = subscription["items"]["data"][0]
    ends = datetime.fromtimestamp(item["current_period_end"], UTC)
    return {
        "id": subscription["id"],
        "status": subscription["status"],
        "text": _price(item["price"]),
        "ends": f"{ends:%Y-%m-%d}",
        "cancels": subscription["cancel_at_period_end"],
        "scheduled": subscription["schedule"] is not None,
    }


def _price(price: StripeObject) -> str:
    amount = readable(price["unit_amount"], price["currency"], "en")
    return f"{price['nickname']}: {amount} a {price['recurring']['interval']}"
