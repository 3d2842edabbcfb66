"""An organization's own account at Stripe, into which its players pay."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from escapemaster.api.auth import Person, require_permission_in_path
from escapemaster.api.billing_pass import billing_pass_of
from escapemaster.api.bodies import Body
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.errors import PaymentError
from escapemaster.logging import get_logger
from escapemaster.payments import accounts

router = APIRouter(
    prefix="/v1/organizations/{organization_id}/stripe-account", tags=["Stripe account"]
)

Reader = Annotated[Person, Depends(require_permission_in_path("billing:read"))]
Manager = Annotated[Person, Depends(require_permission_in_path("billing:manage"))]

_log = get_logger("accounts")


class AccountRequest(Body):
    """Which account, and where the browser goes afterwards."""

    model_config = ConfigDict(json_schema_extra={"example": {"account": "own"}})

    account: Annotated[
        Literal["own", "another", "existing"],
        Field(
            description="`own`: the organization's account, opened if it has none, or what Stripe "
            "still wants of it; `another`: a further one beside one that may charge, which takes "
            "its place as soon as it may; `existing`: one that the organization has at Stripe "
            "already."
        ),
    ] = "own"
    return_url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="A page of an origin that the operator allows; left out, the product's "
            "own. Stripe sends the browser there with `?stripe_account=returned`, or `=refresh` "
            "when its page was opened too late: ask for another then. For `existing`, with "
            "`?code=…&state=…`, and Stripe must know the address.",
        ),
    ] = None


class Connection(Body):
    """What Stripe has sent back with whoever agreed."""

    model_config = ConfigDict(json_schema_extra={"example": {"code": "ac_…", "state": "…"}})

    code: Annotated[str, Field(min_length=1, max_length=500, description="As it came.")]
    state: Annotated[str, Field(min_length=1, max_length=500, description="As it came.")]


class Page(BaseModel):
    """A page of the payment provider."""

    url: Annotated[str, Field(description="Send the browser here, at once.")]


class StripeAccount(BaseModel):
    """Whether players can pay online, and what is missing."""

    payments: Annotated[
        Literal["own_account", "platform_account", "unavailable"],
        Field(description="Where players' money goes; `unavailable`: they cannot pay online."),
    ]
    missing: Annotated[
        Literal["account", "details", "requirements", "review", "authorization"] | None,
        Field(description="What keeps its own account from being paid; null: nothing."),
    ]
    account_id: Annotated[str | None, Field(description="Stripe's; null: none was made.")]
    charges_enabled: Annotated[bool, Field(description="Whether Stripe lets it charge.")]
    payouts_enabled: Annotated[bool, Field(description="Whether Stripe pays out.")]
    details_submitted: Annotated[bool, Field(description="Whether Stripe's questions are done.")]
    requirements: Annotated[list[str], Field(description="What Stripe still wants, in its words.")]
    requirements_due_at: Annotated[datetime | None, Field(description="Until when.")]
    disabled_reason: Annotated[str | None, Field(description="Why it may not charge.")]
    deauthorized_at: Annotated[
        datetime | None, Field(description="When the platform lost its access to it.")
    ]
    as_of: Annotated[datetime | None, Field(description="When Stripe was last asked.")]


_ACCOUNT = TypeAdapter(StripeAccount)


async def _account(person: Person, organization_id: UUID) -> StripeAccount:
    found = await person.database.call(
        "get_stripe_account", {"organization_id": str(organization_id)}
    )
    return _ACCOUNT.validate_python(found)


@router.get(
    "",
    operation_id="get_stripe_account",
    summary="See whether players can pay online, and what is missing",
    response_description="As Stripe says now",
    responses=responses(401, 403),
)
async def get_stripe_account(
    organization_id: UUID, services: ServicesOf, person: Reader
) -> StripeAccount:
    """What the organization's account may do, asked of Stripe now. Needs `billing:read`.

    If Stripe does not answer, `as_of` says how old it is.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied` (403).
    """
    known = await _account(person, organization_id)
    if known.account_id is None:
        return known
    try:
        asked_by = await billing_pass_of(person, organization_id, reading=True)()
        await accounts.sync_account(services.database, services.stripe, known.account_id, asked_by)
    except PaymentError as error:
        _log.warning("account.not_read", code=error.code)
        return known
    return await _account(person, organization_id)


@router.post(
    "",
    status_code=201,
    operation_id="open_stripe_account",
    summary="Open the page on which the organization's account is opened or completed",
    response_description="The page is open",
    responses=responses(400, 401, 403, 404, 409, 502),
)
async def open_stripe_account(
    organization_id: UUID, wanted: AccountRequest, services: ServicesOf, person: Manager
) -> Page:
    """Open Stripe's page. Needs `billing:manage`. Asking again is safe.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `connect_not_offered` (409);
    `return_url_not_allowed`, `invalid_request` (422); `payment_provider_failed` (502).
    """
    if wanted.account == "existing":
        url = accounts.connection_page(
            services.stripe,
            services.connect_state.issue(organization_id, person.user_id),
            services.return_addresses.choose(wanted.return_url),
        )
    else:
        url = await accounts.open_account(
            services.database,
            services.stripe,
            organization_id,
            get_pass=billing_pass_of(person, organization_id),
            anew=wanted.account == "another",
            return_url=wanted.return_url,
            addresses=services.return_addresses,
        )
    return Page(url=url)


@router.post(
    "/connect",
    operation_id="connect_stripe_account",
    summary="Use an account that the organization has at Stripe already",
    response_description="It is connected",
    responses=responses(400, 401, 403, 404, 409, 502),
)
async def connect_stripe_account(
    organization_id: UUID, sent: Connection, services: ServicesOf, person: Manager
) -> StripeAccount:
    """Finish what `existing` has begun. Needs `billing:manage`, of the same person.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `connection_expired`, `stripe_account_taken` (409);
    `invalid_request` (422); `payment_provider_failed` (502).
    """
    services.connect_state.check(sent.state, organization_id, person.user_id)
    await accounts.connect_account(
        services.database,
        services.stripe,
        organization_id,
        sent.code,
        get_pass=billing_pass_of(person, organization_id),
    )
    return await _account(person, organization_id)
