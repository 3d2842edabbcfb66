"""Access for other programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from escapemaster.api.addresses import client_address
from escapemaster.api.bodies import Body
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf
from escapemaster.errors import DomainError
from escapemaster.logging import get_logger

router = APIRouter(prefix="/v1", tags=["Access"])

_log = get_logger("tokens")


class TokenRequest(Body):
    """The key to exchange."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"api_key": "esk_2mV8x0qJr4wN"}},
    )

    api_key: Annotated[
        SecretStr,
        Field(min_length=1, max_length=256, description="As it was shown when it was made."),
    ]


class TokenResponse(BaseModel):
    """A token that stands for the key."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "access_token": "eyJhbGciOiJFUzI1NiJ9.eyJyb2xlIjoi4oCmIn0.c2ln",
                "token_type": "bearer",
                "expires_in": 900,
                "organization_id": "019a0000-0000-7000-8000-000000000001",
            }
        }
    )

    access_token: Annotated[
        str, Field(description="Send it to `/rest/v1` as `Authorization: Bearer …`.")
    ]
    token_type: Annotated[Literal["bearer"], Field(description="How it is sent.")]
    expires_in: Annotated[int, Field(description="Seconds until it ends; then exchange again.")]
    organization_id: Annotated[UUID, Field(description="The organization that the key is of.")]


@router.post(
    "/token",
    operation_id="exchange_api_key",
    summary="Exchange an API key for a token",
    response_description="The key is good",
    responses={
        **responses(400, 401, 429),
        200: {
            "headers": {
                "Cache-Control": {
                    "description": "`no-store`: the answer is a secret.",
                    "schema": {"type": "string"},
                }
            }
        },
    },
)
async def exchange_api_key(
    wanted: TokenRequest, request: Request, response: Response, services: ServicesOf
) -> TokenResponse:
    """Exchange an API key for a token that PostgREST takes like a person's.

    The token is good for 15 minutes, or until the key ends if that is sooner. It may do what the
    key may do at the moment of each request: when the key is revoked, its tokens end with it.

    Codes: `api_key_invalid` (401); `rate_limited` (429, with `Retry-After`);
    `token_signing_not_configured` (503).
    """
    if services.signer is None:
        raise DomainError(
            "token_signing_not_configured",
            503,
            "The operator has to set API_TOKEN_PRIVATE_KEY or API_TOKEN_SECRET.",
        )
    key = await services.database.exchange_api_key(
        wanted.api_key.get_secret_value(),
        client_address(request, services.settings.trusted_proxy_count),
    )
    signed = services.signer.sign(key, datetime.now(UTC))
    # https://www.rfc-editor.org/rfc/rfc6749#section-5.1
    response.headers["Cache-Control"] = "no-store"
    _log.info(
        "token.issued",
        api_key_id=str(key.api_key_id),
        organization_id=str(key.organization_id),
    )
    return TokenResponse(
        access_token=signed.token,
        token_type="bearer",  # noqa: S106 - no password
        expires_in=signed.expires_in,
        organization_id=key.organization_id,
    )
