"""Paying for a booking, a share of one, or a gift voucher."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from escapemaster.api.addresses import client_address
from escapemaster.api.bodies import Body
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.payments.checkout import Checkout, start_checkout
from escapemaster.payments.share_checkout import start_share_checkout
from escapemaster.payments.voucher_checkout import start_voucher_checkout

router = APIRouter(prefix="/v1", tags=["Payments"])


class CheckoutRequest(Body):
    """Which booking is to be paid, and where the browser goes afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "reference": "ABCD-2345",
                "manage_token": "lZ1gq0H3bXyUO6m3n0rS8Q",
                "return_url": "https://venue.example/book",
            }
        },
    )

    reference: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="The booking's reference, as it was typed; words around it do no harm.",
        ),
    ]
    manage_token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            description="The booking's secret token, or the link that holds it.",
        ),
    ]
    return_url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="A page of the origin of the calendar's `site_url`, or of one that the "
            "operator allows; left out, that page itself, or the product's own. The provider sends "
            "the browser there with `?reference=…&payment=success` or `payment=cancelled` added. "
            "Show what the booking says, not what this address says.",
        ),
    ] = None

    amount: Annotated[
        Literal["due", "all"],
        Field(
            description="`due`: what confirms the booking, and of a confirmed one all that is "
            "open. `all`: everything at once, where the venue lets the rest be paid online; "
            "`payable_cents` of the booking says how much that is."
        ),
    ] = "due"


class ShareCheckoutRequest(Body):
    """Which share of a booking is to be paid, and where the browser goes afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "share_id": "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11",
                "share_token": "lZ1gq0H3bXyUO6m3n0rS8Q",
                "return_url": "https://venue.example/book",
            }
        },
    )

    share_id: Annotated[UUID, Field(description="As the share's link names it.")]
    share_token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            description="The share's secret token, or the link that holds it.",
        ),
    ]
    return_url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="As for `POST /v1/checkout`; `reference` is `share-` and the share's id.",
        ),
    ] = None


class VoucherCheckoutRequest(Body):
    """Which ordered gift voucher is to be paid, and where the browser goes afterwards."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "order_id": "01a9b1c4-7d2e-7c31-9a34-2f2d7f0a8f11",
                "order_token": "lZ1gq0H3bXyUO6m3n0rS8Q",
                "return_url": "https://venue.example/gift",
            }
        },
    )

    order_id: Annotated[UUID, Field(description="As `order_voucher` answers it.")]
    order_token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2000,
            description="The order's secret token, or the link that holds it.",
        ),
    ]
    return_url: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="As for `POST /v1/checkout`; `reference` is the order's id.",
        ),
    ] = None


class CheckoutResponse(BaseModel):
    """The page on which the booking, the share or the voucher is paid."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "checkout_url": "https://checkout.stripe.com/c/pay/cs_test_a1b2c3",
                "expires_at": "2026-02-14T18:31:00Z",
                "amount_cents": 7500,
                "currency": "EUR",
            }
        }
    )

    checkout_url: Annotated[str, Field(description="Send the browser here.")]
    expires_at: Annotated[datetime, Field(description="Until when the page can be paid on.")]
    amount_cents: Annotated[int, Field(description="What is paid there, in minor units.")]
    currency: Annotated[str, Field(description="ISO 4217.")]


@router.post(
    "/checkout",
    status_code=201,
    operation_id="open_checkout",
    summary="Open the payment page of a booking",
    response_description="The page is open",
    responses=responses(400, 404, 409, 429, 502),
)
async def open_checkout(
    order: CheckoutRequest, request: Request, services: ServicesOf
) -> CheckoutResponse:
    """Open the page on which a booking is paid, or return the one that is already open.

    The hold is extended once, so that the place cannot be lost while the page is open. Asking
    again is safe: a booking never has two open pages. Of a confirmed booking what is open is paid,
    as long as the venue takes it online.

    Codes: `booking_not_found` (404); `nothing_due`, `not_payable`, `online_payment_unavailable`,
    `checkout_in_progress`, `checkout_closing`, `amount_too_small` (409);
    `return_url_not_allowed`, `invalid_request` (422); `rate_limited` (429, with `Retry-After`);
    `payment_provider_failed` (502).
    """
    await services.database.limit_checkouts(
        client_address(request, services.settings.trusted_proxy_count)
    )
    checkout = await start_checkout(
        services.database,
        services.stripe,
        reference=order.reference,
        manage_token=order.manage_token,
        return_url=order.return_url,
        addresses=services.return_addresses,
        whole=order.amount == "all",
    )
    return _response(checkout)


@router.post(
    "/share-checkout",
    status_code=201,
    operation_id="open_share_checkout",
    summary="Open the payment page of a share of a booking",
    response_description="The page is open",
    responses=responses(400, 404, 409, 429, 502),
)
async def open_share_checkout(
    order: ShareCheckoutRequest, request: Request, services: ServicesOf
) -> CheckoutResponse:
    """Open the page on which a payer's share of a booking is paid, or return the one that is open.

    Asking again is safe: a share never has two open pages. The page ends before the share does.

    Codes: `share_not_found` (404); `nothing_due`, `not_payable`, `online_payment_unavailable`,
    `checkout_in_progress`, `checkout_closing`, `amount_too_small` (409);
    `return_url_not_allowed`, `invalid_request` (422); `rate_limited` (429, with `Retry-After`);
    `payment_provider_failed` (502).
    """
    await services.database.limit_checkouts(
        client_address(request, services.settings.trusted_proxy_count)
    )
    return _response(
        await start_share_checkout(
            services.database,
            services.stripe,
            share_id=order.share_id,
            share_token=order.share_token,
            return_url=order.return_url,
            addresses=services.return_addresses,
        )
    )


@router.post(
    "/voucher-checkout",
    status_code=201,
    operation_id="open_voucher_checkout",
    summary="Open the payment page of a gift voucher",
    response_description="The page is open",
    responses=responses(400, 404, 409, 429, 502),
)
async def open_voucher_checkout(
    order: VoucherCheckoutRequest, request: Request, services: ServicesOf
) -> CheckoutResponse:
    """Open the page on which an ordered gift voucher is paid, or return the one that is open.

    Asking again is safe: an order never has two pages. When the time to pay is over, order anew.

    Codes: `voucher_order_not_found` (404); `nothing_due`, `not_payable`,
    `online_payment_unavailable`, `checkout_in_progress`, `checkout_closing`, `amount_too_small`
    (409); `return_url_not_allowed`, `invalid_request` (422); `rate_limited` (429, with
    `Retry-After`); `payment_provider_failed` (502).
    """
    await services.database.limit_checkouts(
        client_address(request, services.settings.trusted_proxy_count)
    )
    return _response(
        await start_voucher_checkout(
            services.database,
            services.stripe,
            order_id=order.order_id,
            order_token=order.order_token,
            return_url=order.return_url,
            addresses=services.return_addresses,
        )
    )


def _response(checkout: Checkout) -> CheckoutResponse:
    return CheckoutResponse(
        checkout_url=checkout.url,
        expires_at=checkout.expires_at,
        amount_cents=checkout.amount_cents,
        currency=checkout.currency,
    )
