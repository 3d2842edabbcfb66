"""What an organization pays for the product."""

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
from escapemaster.payments import subscriptions

router = APIRouter(prefix="/v1/organizations/{organization_id}/subscription", tags=["Subscription"])

Reader = Annotated[Person, Depends(require_permission_in_path("billing:read"))]
Manager = Annotated[Person, Depends(require_permission_in_path("billing:manage"))]

_RETURN_URL = Field(
    max_length=2048,
    description="A page of an origin that the operator allows; left out, the product's own. Show "
    "what the subscription says, not that somebody came back.",
)


class Choice(Body):
    """A plan, by the month or by the year."""

    model_config = ConfigDict(json_schema_extra={"example": {"plan": "pro", "interval": "month"}})

    plan: Annotated[str, Field(min_length=1, max_length=50, description="Of `plans`.")]
    interval: Annotated[Literal["month", "year"], Field(description="How often it is paid.")]


class CheckoutChoice(Choice):
    """What to subscribe to, and where the browser goes afterwards."""

    return_url: Annotated[str | None, _RETURN_URL] = None


class PortalRequest(Body):
    """Where the browser goes afterwards."""

    return_url: Annotated[str | None, _RETURN_URL] = None


class Page(BaseModel):
    """A page of the payment provider."""

    url: Annotated[str, Field(description="Send the browser here.")]


class Use(BaseModel):
    """A limit of the plan, and what is used of it."""

    limit: Annotated[str, Field(description="Such as `rooms`.")]
    maximum: Annotated[int | None, Field(description="null: the plan does not limit it.")]
    used: Annotated[int, Field(description="More than `maximum` after a downgrade.")]


class Subscription(BaseModel):
    """What is paid, and what the platform has granted."""

    plan_key: Annotated[str | None, Field(description="What its price is of.")]
    status: Annotated[str | None, Field(description="Stripe's word; null: only granted.")]
    billing_interval: Annotated[str | None, Field(description="month or year.")]
    amount_cents: Annotated[int | None, Field(description="An interval, in minor units.")]
    currency: Annotated[str | None, Field(description="ISO 4217.")]
    due_cents: Annotated[int, Field(description="Open of the latest invoice.")]
    current_period_end: Annotated[datetime | None, Field(description="When it is renewed.")]
    trial_end: Annotated[datetime | None, Field(description="When its trial ends.")]
    cancel_at: Annotated[datetime | None, Field(description="When it ends for good.")]
    next_plan_key: Annotated[str | None, Field(description="The plan of the next period.")]
    overdue_since: Annotated[datetime | None, Field(description="When a payment failed.")]
    grace_until: Annotated[datetime | None, Field(description="Until when members write on.")]
    granted_plan_key: Annotated[str | None, Field(description="Given by the platform.")]
    granted_until: Annotated[datetime | None, Field(description="When that ends.")]


class Overview(BaseModel):
    """An organization's plan, its limits and use, and what is due."""

    plan_key: Annotated[str, Field(description="The plan in force.")]
    plan_name: Annotated[str, Field(description="In the organization's language.")]
    comes_from: Annotated[
        Literal["subscription", "grant", "default"], Field(description="Why it has that plan.")
    ]
    uses: Annotated[list[Use], Field(description="Each limit once.")]
    subscription: Annotated[Subscription | None, Field(description="null: nothing ever was.")]
    trial_available: Annotated[bool, Field(description="Whether a first one begins with a trial.")]
    writes_end_at: Annotated[datetime | None, Field(description="From then on members only read.")]
    sales_end_at: Annotated[
        datetime | None, Field(description="From then on the public books nothing new.")
    ]


_OVERVIEW = TypeAdapter(Overview)


async def _overview(person: Person, organization_id: UUID) -> Overview:
    found = await person.database.call(
        "get_subscription", {"organization_id": str(organization_id)}
    )
    return _OVERVIEW.validate_python(found)


@router.get(
    "",
    operation_id="get_subscription",
    summary="See plan, limits, use and what is due",
    response_description="As it is now",
    responses=responses(401, 403),
)
async def get_subscription(organization_id: UUID, person: Reader) -> Overview:
    """What the organization has of the product. Needs `billing:read`.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied` (403).
    """
    return await _overview(person, organization_id)


@router.post(
    "/checkout",
    status_code=201,
    operation_id="open_subscription_checkout",
    summary="Open the page on which the organization subscribes",
    response_description="The page is open",
    responses=responses(400, 401, 403, 404, 409, 502),
)
async def open_subscription_checkout(
    organization_id: UUID, choice: CheckoutChoice, services: ServicesOf, person: Manager
) -> Page:
    """Open the page, or return the one that is open for the same plan. Needs `billing:manage`.

    The first subscription of an organization begins with a trial, if the platform gives one. Asking
    again is safe: an organization has one open page, and one subscription.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `subscription_exists`, `checkout_closing` (409);
    `plan_not_offered`, `return_url_not_allowed`, `invalid_request` (422);
    `payment_provider_failed` (502).
    """
    url = await subscriptions.start_subscription(
        services.database,
        services.stripe,
        organization_id,
        get_pass=billing_pass_of(person, organization_id),
        plan=choice.plan,
        interval=choice.interval,
        return_url=choice.return_url,
        addresses=services.return_addresses,
    )
    return Page(url=url)


@router.post(
    "/portal",
    status_code=201,
    operation_id="open_billing_portal",
    summary="Open Stripe's billing portal",
    response_description="The page is open",
    responses=responses(400, 401, 403, 404, 409, 502),
)
async def open_billing_portal(
    organization_id: UUID, wanted: PortalRequest, services: ServicesOf, _: Manager
) -> Page:
    """Open the page with the platform's invoices, cards and what is open. Needs `billing:manage`.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `subscription_missing` (409);
    `return_url_not_allowed`, `invalid_request` (422); `payment_provider_failed` (502).
    """
    url = await subscriptions.open_portal(
        services.database,
        services.stripe,
        organization_id,
        return_url=wanted.return_url,
        addresses=services.return_addresses,
    )
    return Page(url=url)


@router.post(
    "/change",
    operation_id="change_subscription",
    summary="Go to another plan",
    response_description="It is changed, or will be",
    responses=responses(400, 401, 403, 404, 409, 502),
)
async def change_subscription(
    organization_id: UUID, choice: Choice, services: ServicesOf, person: Manager
) -> Overview:
    """Go to a bigger plan at once, to a smaller one when the period ends. Needs `billing:manage`.

    For a bigger one the difference is charged now, and nothing changes if the card is refused. The
    present plan takes back what was planned otherwise, as `resume` does.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `subscription_missing`, `subscription_overdue`,
    `payment_failed` (409); `plan_not_offered`, `invalid_request` (422);
    `payment_provider_failed` (502).
    """
    await subscriptions.change_plan(
        services.database,
        services.stripe,
        organization_id,
        get_pass=billing_pass_of(person, organization_id),
        plan=choice.plan,
        interval=choice.interval,
    )
    return await _overview(person, organization_id)


@router.post(
    "/cancel",
    operation_id="cancel_subscription",
    summary="End the subscription with its period",
    response_description="It ends with its period",
    responses=responses(401, 403, 404, 409, 502),
)
async def cancel_subscription(
    organization_id: UUID, services: ServicesOf, person: Manager
) -> Overview:
    """Renew it no more; until `cancel_at` everything stays. Needs `billing:manage`.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `subscription_missing` (409);
    `payment_provider_failed` (502).
    """
    await subscriptions.cancel(services.database, services.stripe, organization_id)
    return await _overview(person, organization_id)


@router.post(
    "/resume",
    operation_id="resume_subscription",
    summary="Take back that the subscription ends or changes",
    response_description="It goes on as it is",
    responses=responses(401, 403, 404, 409, 502),
)
async def resume_subscription(
    organization_id: UUID, services: ServicesOf, person: Manager
) -> Overview:
    """Go on as it is: neither ending nor going to a smaller plan. Needs `billing:manage`.

    Codes: `token_missing`, `token_invalid` (401); `permission_denied`, `organization_suspended`
    (403); `organization_not_found` (404); `subscription_missing` (409);
    `payment_provider_failed` (502).
    """
    await subscriptions.resume(services.database, services.stripe, organization_id)
    return await _overview(person, organization_id)
