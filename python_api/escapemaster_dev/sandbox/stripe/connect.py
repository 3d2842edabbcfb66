"""Connected accounts: opened, onboarded and taken away: https://docs.stripe.com/connect."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import objects
from escapemaster_dev.sandbox.stripe.core import BY_ITSELF, Cause, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError, missing
from escapemaster_dev.sandbox.stripe.page import render
from escapemaster_dev.sandbox.stripe.params import Params
from escapemaster_dev.sandbox.stripe.store import Entry, StripeObject

KIND = "account"
LINK = "account_link"
#: What Stripe hands to whoever has agreed, as an object so that it is remembered.
CODE = "oauth_code"
CLIENT_ID = "ca_sandbox"
LINK_SECONDS = 5 * 60
_WANTED = ("business_profile.url", "external_account", "tos_acceptance.date")


def create(sandbox: Sandbox, params: Params, cause: Cause) -> StripeObject:
    """POST /v1/accounts, with the controller of an account whose owner has Stripe's dashboard."""
    controller = params.child("controller")
    if controller is None:
        raise missing("controller")
    chosen = {
        "fees": _one(controller, "fees", "payer", ("account", "application")),
        "losses": _one(controller, "losses", "payments", ("application", "stripe")),
        "requirement_collection": controller.text(
            "requirement_collection", choices=("application", "stripe")
        ),
        "stripe_dashboard": _one(
            controller, "stripe_dashboard", "type", ("express", "full", "none")
        ),
        "is_controller": True,
        "type": "application",
    }
    profile = params.child("business_profile")
    name = profile.text("name") if profile else None
    email = params.email("email")
    metadata = params.metadata()
    params.finish()
    account = make(sandbox, name=name, email=email, controller=chosen, metadata=metadata)
    sandbox.announce("account.updated", account, account["id"], cause=cause)
    return account


def make(
    sandbox: Sandbox,
    *,
    account_id: str | None = None,
    name: str | None = None,
    email: str | None = None,
    controller: StripeObject | None = None,
    metadata: dict[str, str] | None = None,
    works: bool = False,
) -> StripeObject:
    """A new account, of which Stripe wants to know everything, or (`works`) knows it."""
    account = objects.fixture(
        "account",
        id=account_id or objects.new_id("acct_1", 15),
        country="ES",
        created=sandbox.now(),
        default_currency="eur",
        email=email,
        metadata=metadata or {},
    )
    account["business_profile"]["name"] = name
    account["controller"] = controller or {"type": "account"}
    _want(account, () if works else _WANTED)
    if works:
        _enable(account)
    sandbox.store.add(Entry(account, "", {}))
    return account


def read(sandbox: Sandbox, account_id: str) -> StripeObject:
    """GET /v1/accounts/{id}. Raises StripeError: 403 for one that the platform cannot use."""
    need(sandbox, account_id)
    return sandbox.store.need(account_id).body


def need(sandbox: Sandbox, account_id: str) -> None:
    """Refuse an account that is not there, or whose owner has taken the access away."""
    if sandbox.store.find(KIND, account_id) is None or sandbox.store.switch(_lost(account_id)):
        raise StripeError(
            f"The provided key does not have access to account '{account_id}' (or that account"
            " does not exist). Application access may have been revoked.",
            status=403,
            code="account_invalid",
        )


def create_link(sandbox: Sandbox, params: Params, page_base: str) -> StripeObject:
    """POST /v1/account_links: a page that is opened once, and soon."""
    account = params.required("account")
    params.required("type", choices=("account_onboarding",))
    urls = {name: params.url(name) for name in ("return_url", "refresh_url")}
    for name, url in urls.items():
        if url is None:
            raise missing(name)
    params.finish()
    need(sandbox, account)
    link_id = objects.new_id("al_")
    now = sandbox.now()
    link = objects.fixture(
        LINK,
        created=now,
        expires_at=now + LINK_SECONDS,
        url=f"{page_base.rstrip('/')}/c/setup/{link_id}",
    )
    kept = {**link, "id": link_id}
    sandbox.store.add(Entry(kept, "", {"account": account, **urls}))
    return link


def exchange(sandbox: Sandbox, params: Params) -> StripeObject:
    """POST /oauth/token: whose the code is; once."""
    params.required("grant_type", choices=("authorization_code",))
    code = params.required("code")
    params.finish()
    found = sandbox.store.find(CODE, code)
    if found is None or found.body["used"]:
        raise StripeError(
            "This authorization code has already been used, or does not exist.",
            code="invalid_grant",
            executed=True,
        )
    sandbox.store.replace({**found.body, "used": True})
    sandbox.store.set_switch(_lost(found.body["account"]), "")
    return {
        "object": "oauth_token",
        "livemode": False,
        "scope": "read_write",
        "stripe_user_id": found.body["account"],
        "token_type": "bearer",
    }


# -- what happens to accounts ----------------------------------------------------------------------


def complete(sandbox: Sandbox, account_id: str) -> StripeObject:
    """Its owner has told everything: it may charge and is paid out."""
    account = sandbox.store.need(account_id).body
    _enable(account)
    _changed(sandbox, account)
    return account


def restrict(
    sandbox: Sandbox, account_id: str, wanted: Sequence[str], *, days: int = 0
) -> StripeObject:
    """Stripe wants more: at once (it may not charge until then), or within days."""
    account = sandbox.store.need(account_id).body
    if days:
        account["requirements"] |= {
            "currently_due": list(wanted),
            "current_deadline": sandbox.now() + days * 24 * 60 * 60,
        }
    else:
        _want(account, wanted)
        account |= {"charges_enabled": False, "payouts_enabled": False}
    _changed(sandbox, account)
    return account


def deauthorize(sandbox: Sandbox, account_id: str) -> None:
    """Its owner takes the platform's access away; the event names the application only."""
    application = {"id": CLIENT_ID, "object": "application", "name": "Escapemaster"}
    with sandbox.store.transaction():
        sandbox.store.set_switch(_lost(account_id), "yes")
        sandbox.announce("account.application.deauthorized", application, account_id)


def reauthorize(sandbox: Sandbox, account_id: str) -> None:
    """Its owner has agreed again."""
    account = sandbox.store.need(account_id).body
    with sandbox.store.transaction():
        sandbox.store.set_switch(_lost(account_id), "")
        sandbox.announce("account.updated", account, account_id)


# -- pages -----------------------------------------------------------------------------------------


def routes() -> list[Route]:
    """The pages for the owners of accounts."""
    return [
        Route("/c/setup/{id}", show_setup, methods=["GET"]),
        Route("/c/setup/{id}", act_on_setup, methods=["POST"]),
        Route("/oauth/authorize", show_consent, methods=["GET"]),
        Route("/oauth/authorize", give_consent, methods=["POST"]),
    ]


async def show_setup(request: Request) -> Response:
    """The questions, which one button answers."""
    sandbox: Sandbox = request.app.state.sandbox
    link = sandbox.store.find(LINK, request.path_params["id"])
    if link is None:
        return render(404, template="connect.html", title="No such page", account=None, buttons=[])
    if sandbox.now() >= link.body["expires_at"]:
        return RedirectResponse(link.extra["refresh_url"], 303)
    return render(
        200,
        template="connect.html",
        title="Tell Stripe about your business",
        account=sandbox.store.need(link.extra["account"]).body,
        buttons=[("complete", "Tell everything"), ("later", "Leave it for later")],
    )


async def act_on_setup(request: Request) -> Response:
    """Tell everything, or leave it for later; then back. A second press goes back, too."""
    sandbox: Sandbox = request.app.state.sandbox
    link = sandbox.store.find(LINK, request.path_params["id"])
    if link is None:
        return await show_setup(request)
    if sandbox.now() >= link.body["expires_at"]:
        return RedirectResponse(link.extra["refresh_url"], 303)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    if form.get("do") == ["complete"]:
        complete(sandbox, link.extra["account"])
    sandbox.store.replace({**link.body, "expires_at": sandbox.now()})
    return RedirectResponse(link.extra["return_url"], 303)


async def show_consent(_: Request) -> Response:
    """May the platform use an account that is there?"""
    return render(
        200,
        template="connect.html",
        title="Let Escapemaster use your account?",
        account=None,
        buttons=[("agree", "Agree, with an account that works"), ("refuse", "No")],
    )


async def give_consent(request: Request) -> Response:
    """Back with a code, or without."""
    sandbox: Sandbox = request.app.state.sandbox
    asked = dict(request.query_params)
    back = asked.get("redirect_uri", "")
    if asked.get("client_id") != CLIENT_ID or not back.startswith(("http://", "https://")):
        return render(400, template="connect.html", title="Wrong request", account=None, buttons=[])
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    answer = {"state": asked.get("state", "")}
    if form.get("do") == ["agree"]:
        # Which of their accounts it is; tests say, so that they can agree to one twice.
        account_id = form.get("account", [""])[0]
        if not account_id:
            account_id = make(sandbox, name="A business with an account", works=True)["id"]
        answer |= {"code": authorize(sandbox, account_id), "scope": "read_write"}
    else:
        answer |= {"error": "access_denied"}
    parts = urlsplit(back)
    query = urlencode([*parse_qsl(parts.query), *answer.items()])
    return RedirectResponse(urlunsplit(parts._replace(query=query)), 303)


def authorize(sandbox: Sandbox, account_id: str) -> str:
    """A code that says that the account's owner has agreed."""
    code = {
        "id": objects.new_id("ac_"),
        "object": CODE,
        "created": sandbox.now(),
        "account": account_id,
        "used": False,
    }
    sandbox.store.add(Entry(code, "", {}))
    return str(code["id"])


def _enable(account: StripeObject) -> None:
    account |= {"charges_enabled": True, "details_submitted": True, "payouts_enabled": True}
    account["requirements"] |= {
        "currently_due": [],
        "past_due": [],
        "current_deadline": None,
        "disabled_reason": None,
    }


def _want(account: StripeObject, wanted: Sequence[str]) -> None:
    account["requirements"] |= {
        "currently_due": list(wanted),
        "eventually_due": list(wanted),
        "past_due": [],
        "disabled_reason": "requirements.past_due",
    }


def _changed(sandbox: Sandbox, account: StripeObject) -> None:
    with sandbox.store.transaction():
        sandbox.store.replace(account)
        sandbox.announce("account.updated", account, account["id"], cause=BY_ITSELF)


def _one(params: Params, name: str, key: str, choices: tuple[str, ...]) -> StripeObject | None:
    child = params.child(name)
    return None if child is None else {key: child.text(key, choices=choices)}


def _lost(account_id: str) -> str:
    return f"deauthorized:{account_id}"
