"""What the routes work with: built once when the application starts, closed when it stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import httpx
from fastapi import Depends, Request
from pydantic import SecretStr

from escapemaster import clients
from escapemaster.api.auth import Jwks, KeySource, SharedSecret, TokenVerifier
from escapemaster.api.tokens import TokenSigner, signer_of
from escapemaster.database import PersonDatabase, ServiceDatabase, connection_pool
from escapemaster.payments.accounts import ConnectState
from escapemaster.payments.checkout import ReturnAddresses
from escapemaster.payments.stripe_gateway import StripeGateway
from escapemaster.settings import Settings
from escapemaster.telemetry import TracedClient


@dataclass(frozen=True, slots=True)
class Transports:
    """Replacements for the network, for tests; None is the real one."""

    database: httpx.AsyncBaseTransport | None = None
    stripe: httpx.AsyncBaseTransport | None = None
    jwks: httpx.AsyncBaseTransport | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """The clients of one running application."""

    settings: Settings
    pool: httpx.AsyncClient
    database: ServiceDatabase
    stripe: StripeGateway
    tokens: TokenVerifier
    signer: TokenSigner | None
    return_addresses: ReturnAddresses
    connect_state: ConnectState

    @property
    def metrics_token(self) -> SecretStr | None:
        """What reads the numbers; None: nothing does."""
        return self.settings.metrics_token

    def person_database(
        self, token: str, organization_id: UUID | None, request_id: str
    ) -> PersonDatabase:
        """The database as the person with this token sees it."""
        return PersonDatabase(
            self.pool,
            url=self.settings.supabase_url,
            publishable_key=self.settings.supabase_publishable_key,
            token=token,
            organization_id=organization_id,
            request_id=request_id,
        )


@asynccontextmanager
async def open_services(
    settings: Settings, transports: Transports | None = None
) -> AsyncIterator[Services]:
    """Build the clients, and close their connections at the end."""
    transports = transports or Transports()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(connection_pool(transports.database))
        stripe_http = await stack.enter_async_context(
            TracedClient(transport=transports.stripe, timeout=httpx.Timeout(4.5, connect=2.0))
        )
        jwks_http = await stack.enter_async_context(
            TracedClient(transport=transports.jwks, timeout=5.0)
        )
        yield Services(
            settings=settings,
            pool=pool,
            database=clients.service_database(settings, pool),
            stripe=clients.stripe_gateway(settings, stripe_http),
            tokens=TokenVerifier(
                _key_source(settings, jwks_http), issuer=settings.supabase_jwt_issuer
            ),
            signer=signer_of(settings),
            return_addresses=ReturnAddresses(
                settings.public_site_url, settings.allowed_return_origins
            ),
            connect_state=ConnectState(settings.stripe_secret_key.get_secret_value()),
        )


def services_of(request: Request) -> Services:
    """The services of the application that answers this request."""
    services: Services = request.app.state.services
    return services


#: A route's parameter of this type is filled with the application's services.
ServicesOf = Annotated[Services, Depends(services_of)]


def _key_source(settings: Settings, http: httpx.AsyncClient) -> KeySource:
    if settings.supabase_jwks_url:
        return Jwks(http, settings.supabase_jwks_url)
    if settings.supabase_jwt_secret:
        return SharedSecret(settings.supabase_jwt_secret.get_secret_value())
    raise ValueError("set SUPABASE_JWKS_URL or SUPABASE_JWT_SECRET")
