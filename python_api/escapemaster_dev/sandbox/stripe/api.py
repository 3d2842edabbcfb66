"""Stripe's API, as far as the service calls it: https://docs.stripe.com/api.

Every route is a function from a `Call` to an object. `endpoint` does what they share: the key,
the account, the parameters, idempotency, expansion, errors and the request id.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from escapemaster_dev.sandbox.stripe import billing, connect, objects, payments, sessions
from escapemaster_dev.sandbox.stripe.core import Cause, Sandbox
from escapemaster_dev.sandbox.stripe.errors import StripeError, no_such
from escapemaster_dev.sandbox.stripe.params import Params, decode
from escapemaster_dev.sandbox.stripe.store import Answer, Entry, StripeObject

logger = logging.getLogger(__name__)

_KEY_LIFE = 24 * 60 * 60
_LONGEST_KEY = 255
_LARGEST_BODY = 1_000_000
# Fields that hold an id and may be expanded into the object.
_EXPANDABLE = frozenset(
    {"payment_intent", "latest_charge", "charge", "latest_invoice", "schedule", "customer"}
)

_SUBSCRIPTION_STATUSES = (
    "active",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    sandbox: Sandbox
    account: str
    params: Params
    cause: Cause
    base_url: str
    object_id: str = ""

    def entry(self, kind: str, param: str) -> Entry:
        """The stored object that the path names; 404 when it is not this account's."""
        found = self.sandbox.store.get(kind, self.object_id, self.account)
        if found is None:
            raise no_such(kind, self.object_id, param)
        return found


Handler = Callable[[Call], StripeObject]
Endpoint = Callable[[Request], Awaitable[Response]]


def routes() -> list[Route]:
    """The endpoints, and Stripe's 404 for every other path under /v1."""
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/v1/checkout/sessions", create_session),
        ("GET", "/v1/checkout/sessions", list_sessions),
        ("GET", "/v1/checkout/sessions/{id}", retrieve("checkout.session", "session")),
        ("GET", "/v1/checkout/sessions/{id}/line_items", list_line_items),
        ("POST", "/v1/checkout/sessions/{id}/expire", expire_session),
        ("GET", "/v1/payment_intents/{id}", retrieve("payment_intent", "intent")),
        ("GET", "/v1/charges/{id}", retrieve("charge", "id")),
        ("POST", "/v1/refunds", create_refund),
        ("GET", "/v1/refunds", list_refunds),
        ("GET", "/v1/refunds/{id}", retrieve("refund", "id")),
        ("GET", "/v1/disputes/{id}", retrieve("dispute", "dispute")),
        ("POST", "/v1/accounts", create_account),
        ("GET", "/v1/accounts/{id}", read_account),
        ("POST", "/v1/account_links", create_account_link),
        ("POST", "/oauth/token", exchange_code),
        ("GET", "/v1/application_fees/{id}", retrieve("application_fee", "id")),
        ("POST", "/v1/customers", create_customer),
        ("GET", "/v1/customers/{id}", retrieve("customer", "id")),
        ("DELETE", "/v1/customers/{id}", delete_customer),
        ("POST", "/v1/prices", create_price),
        ("GET", "/v1/prices", list_prices),
        ("GET", "/v1/prices/{id}", retrieve("price", "price")),
        ("POST", "/v1/subscriptions", create_subscription),
        ("GET", "/v1/subscriptions", list_subscriptions),
        ("GET", "/v1/subscriptions/{id}", retrieve("subscription", "id")),
        ("POST", "/v1/subscriptions/{id}", update_subscription),
        ("DELETE", "/v1/subscriptions/{id}", cancel_subscription),
        ("POST", "/v1/subscription_schedules", create_schedule),
        ("GET", "/v1/subscription_schedules/{id}", retrieve("subscription_schedule", "schedule")),
        ("POST", "/v1/subscription_schedules/{id}", update_schedule),
        ("POST", "/v1/subscription_schedules/{id}/release", release_schedule),
        ("GET", "/v1/invoices/{id}", retrieve("invoice", "invoice")),
        ("POST", "/v1/billing_portal/sessions", create_portal),
        ("GET", "/v1/events", list_events),
        ("GET", "/v1/events/{id}", retrieve("event", "id")),
        ("GET", "/v1/balance", read_balance),
    ]
    known = [Route(path, endpoint(run), methods=[method]) for method, path, run in table]
    return [
        *known,
        Route("/{path:path}", endpoint(unrecognized), methods=["DELETE", "GET", "POST"]),
    ]


def create_session(call: Call) -> StripeObject:
    """POST /v1/checkout/sessions."""
    base = call.sandbox.settings.public_url or call.base_url
    return sessions.create(call.sandbox, call.account, call.params, base)


def expire_session(call: Call) -> StripeObject:
    """POST /v1/checkout/sessions/{id}/expire."""
    call.params.finish()
    return sessions.expire(call.sandbox, call.entry(sessions.KIND, "session"), call.cause)


def list_sessions(call: Call) -> StripeObject:
    """GET /v1/checkout/sessions, by status, intent or customer's address."""
    customer = call.params.child("customer_details")
    return page(
        call,
        sessions.KIND,
        "/v1/checkout/sessions",
        {
            "status": call.params.text("status", choices=("open", "complete", "expired")),
            "payment_intent": call.params.text("payment_intent"),
            "customer_details.email": customer.required("email") if customer else None,
        },
    )


def list_line_items(call: Call) -> StripeObject:
    """GET /v1/checkout/sessions/{id}/line_items."""
    call.params.integer("limit", minimum=1, maximum=100)
    call.params.finish()
    return line_items(call.entry(sessions.KIND, "session"))


def create_refund(call: Call) -> StripeObject:
    """POST /v1/refunds."""
    return payments.create_refund(call.sandbox, call.account, call.params, call.cause)


def list_refunds(call: Call) -> StripeObject:
    """GET /v1/refunds, by intent or charge."""
    return page(
        call,
        "refund",
        "/v1/refunds",
        {name: call.params.text(name) for name in ("payment_intent", "charge")},
    )


def list_events(call: Call) -> StripeObject:
    """GET /v1/events, by type, or by whether they were delivered."""
    kind, kinds = call.params.text("type"), call.params.texts("types")
    delivered = call.params.flag("delivery_success")
    waiting: list[str | int] = [] if delivered is None else [0 if delivered else 1]
    return page(
        call,
        "event",
        "/v1/events",
        {"type": [kind] if kind else kinds, "pending_webhooks": waiting},
    )


def create_account(call: Call) -> StripeObject:
    """POST /v1/accounts."""
    return connect.create(call.sandbox, call.params, call.cause)


def read_account(call: Call) -> StripeObject:
    """GET /v1/accounts/{id}."""
    call.params.finish()
    return connect.read(call.sandbox, call.object_id)


def create_account_link(call: Call) -> StripeObject:
    """POST /v1/account_links."""
    base = call.sandbox.settings.public_url or call.base_url
    return connect.create_link(call.sandbox, call.params, base)


def exchange_code(call: Call) -> StripeObject:
    """POST /oauth/token."""
    return connect.exchange(call.sandbox, call.params)


def create_customer(call: Call) -> StripeObject:
    """POST /v1/customers."""
    return billing.create_customer(call.sandbox, call.account, call.params, call.cause)


def delete_customer(call: Call) -> StripeObject:
    """DELETE /v1/customers/{id}."""
    call.params.finish()
    return billing.delete_customer(call.sandbox, call.entry(billing.CUSTOMER, "id"), call.cause)


def create_price(call: Call) -> StripeObject:
    """POST /v1/prices."""
    return billing.create_price(call.sandbox, call.account, call.params)


def list_prices(call: Call) -> StripeObject:
    """GET /v1/prices, by lookup key."""
    billing.ensure_catalogue(call.sandbox, call.account)
    active = call.params.flag("active")
    return page(
        call,
        billing.PRICE,
        "/v1/prices",
        {
            "lookup_key": call.params.texts("lookup_keys"),
            "active": [] if active is None else [int(active)],
        },
    )


def create_subscription(call: Call) -> StripeObject:
    """POST /v1/subscriptions."""
    return billing.create_subscription(call.sandbox, call.account, call.params, call.cause)


def list_subscriptions(call: Call) -> StripeObject:
    """GET /v1/subscriptions, of a customer; without a status, those that are not canceled."""
    status = call.params.text("status", choices=(*_SUBSCRIPTION_STATUSES, "all"))
    statuses = {"all": [], None: [s for s in _SUBSCRIPTION_STATUSES if s != "canceled"]}
    return page(
        call,
        billing.SUBSCRIPTION,
        "/v1/subscriptions",
        {
            "customer": call.params.text("customer"),
            "status": statuses.get(status, [status] if status else []),
        },
    )


def update_subscription(call: Call) -> StripeObject:
    """POST /v1/subscriptions/{id}."""
    entry = call.entry(billing.SUBSCRIPTION, "id")
    return billing.update_subscription(call.sandbox, entry, call.params, call.cause)


def cancel_subscription(call: Call) -> StripeObject:
    """DELETE /v1/subscriptions/{id}."""
    call.params.finish()
    entry = call.entry(billing.SUBSCRIPTION, "id")
    return billing.cancel_subscription(call.sandbox, entry, call.cause)


def create_schedule(call: Call) -> StripeObject:
    """POST /v1/subscription_schedules."""
    return billing.create_schedule(call.sandbox, call.account, call.params)


def update_schedule(call: Call) -> StripeObject:
    """POST /v1/subscription_schedules/{id}."""
    entry = call.entry(billing.SCHEDULE, "schedule")
    return billing.update_schedule(call.sandbox, entry, call.params, call.cause)


def release_schedule(call: Call) -> StripeObject:
    """POST /v1/subscription_schedules/{id}/release."""
    call.params.finish()
    entry = call.entry(billing.SCHEDULE, "schedule")
    return billing.release_schedule(call.sandbox, entry, call.cause)


def create_portal(call: Call) -> StripeObject:
    """POST /v1/billing_portal/sessions."""
    base = call.sandbox.settings.public_url or call.base_url
    return billing.create_portal(call.sandbox, call.account, call.params, lambda: base)


def read_balance(call: Call) -> StripeObject:
    """GET /v1/balance."""
    call.params.finish()
    return payments.balance(call.sandbox, call.account)


def retrieve(kind: str, param: str) -> Handler:
    """The handler that returns one object by its id."""

    def run(call: Call) -> StripeObject:
        call.params.finish()
        return call.entry(kind, param).body

    return run


def unrecognized(call: Call) -> StripeObject:
    """Any other address."""
    raise StripeError(
        f"Unrecognized request URL ({call.object_id}). Please see https://stripe.com/docs.",
        status=404,
    )


def page(
    call: Call,
    kind: str,
    url: str,
    fields: Mapping[str, str | Sequence[str | int] | None],
) -> StripeObject:
    """A list with Stripe's pagination: https://docs.stripe.com/api/pagination."""
    params = call.params
    limit = params.integer("limit", minimum=1, maximum=100) or 10
    after, before = params.text("starting_after"), params.text("ending_before")
    if after and before:
        raise StripeError("Received both starting_after and ending_before parameters.")
    created: dict[str, int] = {}
    if (window := params.child("created")) is not None:
        bounds = {name: window.integer(name) for name in ("gt", "gte", "lt", "lte")}
        created = {name: bound for name, bound in bounds.items() if bound is not None}
    params.finish()
    for cursor, param in ((after, "starting_after"), (before, "ending_before")):
        if cursor and call.sandbox.store.get(kind, cursor, call.account) is None:
            raise no_such(kind, cursor, param)
    wanted = {
        name: [value] if isinstance(value, str) else value
        for name, value in fields.items()
        if value
    }
    found = call.sandbox.store.newest_first(
        kind,
        call.account,
        fields=wanted,
        created=created,
        after=after,
        before=before,
        limit=limit + 1,
    )
    has_more = len(found) > limit
    if has_more:
        found = found[1:] if before else found[:limit]
    return {"object": "list", "data": found, "has_more": has_more, "url": url}


def line_items(entry: Entry) -> StripeObject:
    """What a session sells, as a list object."""
    return {
        "object": "list",
        "data": [line["item"] for line in entry.extra["line_items"]],
        "has_more": False,
        "url": f"/v1/checkout/sessions/{entry.body['id']}/line_items",
    }


def endpoint(handler: Handler) -> Endpoint:
    """Wrap a handler into a route."""

    async def run(request: Request) -> Response:
        sandbox: Sandbox = request.app.state.sandbox
        request_id = objects.new_id("req_", 14)
        headers = {"Request-Id": request_id, "Stripe-Version": objects.API_VERSION}
        try:
            body = await request.body()
            answer, extra = _answer(handler, sandbox, request, body, request_id)
            return _response(answer.status, answer.body, headers | extra)
        except StripeError as error:
            return _response(error.status, _text(error.body()), headers)
        except Exception:
            logger.exception("unexpected error in %s", request.url.path)
            broken = StripeError("The sandbox failed; its log says why.", kind="api_error")
            return _response(500, _text(broken.body()), headers)

    return run


def _answer(
    handler: Handler, sandbox: Sandbox, request: Request, body: bytes, request_id: str
) -> tuple[Answer, dict[str, str]]:
    """Run the handler, or repeat what its idempotency key was answered before."""
    _authenticate(sandbox, request.headers.get("authorization"))
    account = _account(sandbox, request.headers.get("stripe-account"))
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    pairs = _pairs(request, body)
    asked = _text([request.method, request.url.path, sorted(pairs)])
    store = sandbox.store
    sessions.expire_due(sandbox)
    billing.renew_due(sandbox)
    if key is not None:
        store.forget_answers(sandbox.now() - _KEY_LIFE)
        if known := _known_answer(sandbox, account, key, asked):
            return known, {
                "Idempotency-Key": key,
                "Idempotent-Replayed": "true",
                "Original-Request": known.request_id,
            }
    params = Params(decode(pairs))
    expand = params.texts("expand")
    call = Call(
        sandbox,
        account,
        params,
        Cause(request_id, key),
        str(request.base_url),
        request.path_params.get("id", f"{request.method}: {request.url.path}"),
    )
    try:
        with store.transaction():
            found = handler(call)
            for path in expand:
                found = _expanded(call, found, path.split("."), path)
            answer = Answer(asked, 200, _text(found), request_id)
            if key is not None:
                store.keep_answer(account, key, answer, sandbox.now())
    except StripeError as error:
        if not error.executed:
            raise
        answer = Answer(asked, error.status, _text(error.body()), request_id)
        if key is not None:
            store.keep_answer(account, key, answer, sandbox.now())
    return answer, {"Idempotency-Key": key} if key is not None else {}


def _known_answer(sandbox: Sandbox, account: str, key: str, asked: str) -> Answer | None:
    """https://docs.stripe.com/api/idempotent_requests."""
    if not 0 < len(key) <= _LONGEST_KEY:
        raise StripeError(
            f"Idempotency keys must have 1 to {_LONGEST_KEY} characters.",
            kind="idempotency_error",
        )
    known = sandbox.store.answer(account, key)
    if known is not None and known.request != asked:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were"
            f" first used with. Try using a key other than '{key}' if you meant to execute a"
            " different request.",
            kind="idempotency_error",
        )
    return known


def _authenticate(sandbox: Sandbox, header: str | None) -> None:
    scheme, _, key = (header or "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise StripeError(
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    expected = sandbox.settings.secret_key
    if key == expected or (expected is None and key.startswith("sk_test_")):
        return
    raise StripeError(f"Invalid API Key provided: {key[:8]}****{key[-4:]}", status=401)


def _account(sandbox: Sandbox, header: str | None) -> str:
    if header is None:
        return ""
    connect.need(sandbox, header)
    return header


def _pairs(request: Request, body: bytes) -> list[tuple[str, str]]:
    if len(body) > _LARGEST_BODY:
        raise StripeError("The request is too large.", status=413)
    try:
        form = body.decode("utf-8") if request.method == "POST" else ""
        return [
            pair
            for text in (request.url.query, form)
            for pair in parse_qsl(text, keep_blank_values=True, errors="strict")
        ]
    except UnicodeDecodeError:
        raise StripeError("Invalid request: the body is not UTF-8.") from None


def _expanded(call: Call, found: StripeObject, path: list[str], whole: str) -> StripeObject:
    """A copy with the id at `path` replaced by its object.

    https://docs.stripe.com/api/expanding_objects
    """
    name, rest = path[0], path[1:]
    if found["object"] == "list" and name == "data" and rest:
        return {
            **found,
            "data": [_expanded(call, one, rest, whole) for one in found["data"]],
        }
    if found["object"] == sessions.KIND and name == "line_items" and not rest:
        return {**found, "line_items": line_items(call.sandbox.store.need(found["id"]))}
    if name not in _EXPANDABLE or name not in found:
        raise StripeError(f"This property cannot be expanded ({whole}).", param="expand")
    value = found[name]
    if isinstance(value, str):
        value = call.sandbox.store.need(value).body
    if value is not None and rest:
        value = _expanded(call, value, rest, whole)
    return {**found, name: value}


def _text(value: object) -> str:
    return json.dumps(value, indent=2)


def _response(status: int, body: str, headers: dict[str, str]) -> Response:
    more = {"WWW-Authenticate": 'Bearer realm="Stripe"'} if status == 401 else {}
    return Response(body, status, headers | more, "application/json")
