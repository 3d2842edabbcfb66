"""The page a person pays on: plain HTML and forms, nothing from another server.

The script only makes the countdown tick. There is no Content-Security-Policy `form-action`:
browsers apply it to redirects too, and paying redirects to the merchant's site.
"""

from __future__ import annotations

import functools
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import sessions
from escapemaster_dev.sandbox.stripe.core import Sandbox
from escapemaster_dev.sandbox.stripe.money import readable
from escapemaster_dev.sandbox.stripe.payments import Payer
from escapemaster_dev.sandbox.stripe.store import Entry
from escapemaster_dev.sandbox.stripe.wording import wording_for

Action = Callable[[Request, Sandbox, Entry], Awaitable[Response]]

_GONE = 410

#: Where in a session's metadata the service says the booking's own language.
_BOOKING_LOCALE = "booking_locale"


def routes() -> list[Route]:
    """The page and its buttons."""
    return [
        Route("/c/pay/{id}", on_session(show), methods=["GET"]),
        Route("/c/pay/{id}", on_session(pay), methods=["POST"]),
        Route("/c/pay/{id}/debit", on_session(debit), methods=["POST"]),
        Route("/c/pay/{id}/bank-pays", on_session(bank_pays), methods=["POST"]),
        Route("/c/pay/{id}/bank-refuses", on_session(bank_refuses), methods=["POST"]),
        Route("/c/pay/{id}/decline", on_session(decline), methods=["POST"]),
        Route("/c/pay/{id}/cancel", on_session(cancel), methods=["POST"]),
    ]


def on_session(action: Action) -> Callable[[Request], Awaitable[Response]]:
    """Find the session, or say that there is none."""

    async def run(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        sessions.expire_due(sandbox)
        entry = sandbox.store.find(sessions.KIND, request.path_params["id"])
        if entry is None:
            words = wording_for(None, request.headers.get("accept-language", ""))
            return render(404, state="unknown", words=words)
        return await action(request, sandbox, entry)

    return run


async def show(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """The page."""
    return session_page(request, sandbox, entry, declined="declined" in request.query_params)


async def pay(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Pay and go to the merchant's success page; a second press goes there too."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    sessions.pay(sandbox, entry, Payer(email=form.get("email", [None])[0]))
    if entry.body["status"] != "complete":
        return session_page(request, sandbox, entry, status=_GONE)
    return RedirectResponse(success_url(entry), 303)


async def debit(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Pay by a method that takes days, and go to the merchant's success page."""
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    sessions.debit(sandbox, entry, Payer(email=form.get("email", [None])[0]))
    if entry.body["status"] != "complete":
        return session_page(request, sandbox, entry, status=_GONE)
    return RedirectResponse(success_url(entry), 303)


async def bank_pays(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Days later: the money of a direct debit arrives."""
    sessions.answer_debit(sandbox, entry, paid=True)
    return RedirectResponse(own_path(request), 303)


async def bank_refuses(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Days later: the money of a direct debit does not arrive."""
    sessions.answer_debit(sandbox, entry, paid=False)
    return RedirectResponse(own_path(request), 303)


async def decline(request: Request, sandbox: Sandbox, entry: Entry) -> Response:
    """Let the card be refused, and say so."""
    sessions.decline(sandbox, entry)
    return RedirectResponse(f"{own_path(request)}?declined", 303)


async def cancel(request: Request, _: Sandbox, entry: Entry) -> Response:
    """Back to the merchant; the session stays open, as Stripe's does."""
    return RedirectResponse(entry.body["cancel_url"] or own_path(request), 303)


def own_path(request: Request) -> str:
    """The page's own address, without its query."""
    return f"/c/pay/{request.path_params['id']}"


def success_url(entry: Entry) -> str:
    """Where the merchant wants a payer to go."""
    url: str = entry.body["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", entry.body["id"])


def session_page(
    request: Request,
    sandbox: Sandbox,
    entry: Entry,
    *,
    declined: bool = False,
    status: int = 200,
) -> Response:
    """The page of a session in whatever state it is."""
    session = entry.body
    # Stripe's page has no Catalan, and its `locale` takes none: the merchant says it beside that.
    locale = session["metadata"].get(_BOOKING_LOCALE) or session["locale"]
    words = wording_for(locale, request.headers.get("accept-language", ""))
    left = max(0, session["expires_at"] - sandbox.now())

    def money(amount: int) -> str:
        return readable(amount, session["currency"], words.language)

    return render(
        status,
        state=_state(sandbox, entry),
        words=words,
        debit=sessions.DEBIT in session["payment_method_types"] and bool(session["amount_total"]),
        merchant=(session["branding_settings"] or {}).get("display_name"),
        lines=[
            {
                "name": line["item"]["description"],
                "detail": line["detail"],
                "quantity": line["item"]["quantity"],
                "amount": money(line["item"]["amount_total"]),
            }
            for line in entry.extra["line_items"]
        ],
        total=money(session["amount_total"]),
        note=((session["custom_text"] or {}).get("submit") or {}).get("message"),
        email=session["customer_email"],
        declined=declined,
        path=own_path(request),
        expires_at=session["expires_at"],
        expires_text=datetime.fromtimestamp(session["expires_at"], UTC).strftime("%H:%M"),
        minutes_left=-(-left // 60),
        cancel_url=session["cancel_url"],
        success_url=success_url(entry),
    )


def _state(sandbox: Sandbox, entry: Entry) -> str:
    """What the page shows: a direct debit is on its way, or was refused and cannot be paid here."""
    session = entry.body
    if session["status"] != "complete" or session["payment_status"] != "unpaid":
        status: str = session["status"]
        return status
    intent = sandbox.store.need(session["payment_intent"]).body
    return "waiting" if intent["status"] == "processing" else "expired"


@functools.cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("escapemaster_dev.sandbox.stripe", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(status: int, *, template: str = "page.html", **values: object) -> Response:
    """Fill the template, with headers that let nothing in from elsewhere."""
    nonce = secrets.token_urlsafe(16)
    html = _templates().get_template(template).render(nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}';"
        " img-src data:; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(html, status, headers)
