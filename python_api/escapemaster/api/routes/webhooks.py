"""What providers tell us.

A delivery is verified over its raw body, put into the database's inbox, and answered. Everything
else happens later, in the worker. Any other answer than 200 makes the provider try again.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field

from escapemaster.api.metrics import Metrics
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.email.resend_transport import verify_webhook as verify_resend
from escapemaster.logging import get_logger

router = APIRouter(prefix="/webhooks", tags=["Webhooks"])

_log = get_logger("webhooks")

_JSON_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "The event, signed byte for byte.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


class Receipt(BaseModel):
    """The event is safe with us."""

    received: Annotated[bool, Field(description="Always true.")] = True
    duplicate: Annotated[bool, Field(description="Whether it had been received before.")]


@router.post(
    "/stripe",
    operation_id="receive_stripe_event",
    summary="Receive an event of Stripe",
    responses=responses(400),
    openapi_extra=_JSON_BODY,
)
async def receive_stripe_event(
    request: Request,
    services: ServicesOf,
    stripe_signature: Annotated[
        str | None, Header(description="`t=…,v1=…` as Stripe computes it.")
    ] = None,
) -> Receipt:
    """Take an event of Stripe, however often and in whatever order it comes.

    The object that it is about is read anew from Stripe before anything changes.

    Codes: `signature_invalid` (400).
    """
    event = services.stripe.verify_webhook(await request.body(), stripe_signature)
    if event is None:
        return Receipt(duplicate=False)
    received = await services.database.receive_stripe_event(event.as_json())
    numbers: Metrics = request.app.state.metrics
    happened_at = datetime.fromtimestamp(event.created, UTC)
    numbers.received("stripe", event.type, happened_at, duplicate=received.duplicate)
    _log.info("stripe.event", event_id=event.id, type=event.type, duplicate=received.duplicate)
    return Receipt(duplicate=received.duplicate)


@router.post(
    "/resend",
    operation_id="receive_resend_event",
    summary="Receive an event of Resend",
    responses=responses(400),
    openapi_extra=_JSON_BODY,
)
async def receive_resend_event(
    request: Request,
    services: ServicesOf,
    svix_id: Annotated[str, Header(description="The event's id.")] = "",
    svix_timestamp: Annotated[str, Header(description="When it was signed.")] = "",
    svix_signature: Annotated[str, Header(description="`v1,…` as Svix computes it.")] = "",
) -> Receipt:
    """Take what became of a mail: delivered, bounced, complained.

    Codes: `signature_invalid` (400), also while no secret is configured.
    """
    secret = services.settings.resend_webhook_secret
    event = verify_resend(
        await request.body(),
        {
            "svix-id": svix_id,
            "svix-timestamp": svix_timestamp,
            "svix-signature": svix_signature,
        },
        secret.get_secret_value() if secret else "",
    )
    received = await services.database.record_email_event(event.as_json())
    numbers: Metrics = request.app.state.metrics
    numbers.received("resend", event.type, event.created_at, duplicate=received.duplicate)
    _log.info("resend.event", event_id=event.id, type=event.type, duplicate=received.duplicate)
    return Receipt(duplicate=received.duplicate)
