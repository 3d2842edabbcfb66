"""Who asks, and may they?

A person's token is verified here, so that a forged one never gets further; what the person may do
is asked of the database, under that same token, at that moment. Nothing is decided from claims.

The algorithm is fixed by configuration, never taken from the token: HS256 with the project's
secret, or asymmetric keys from the project's JWKS (https://supabase.com/docs/guides/auth/jwts).
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol
from uuid import UUID

import httpx
import jwt
from fastapi import Depends, FastAPI, Header, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from escapemaster.api.problems import request_id_of
from escapemaster.database import PersonDatabase
from escapemaster.errors import DomainError, UnavailableError
from escapemaster.logging import get_logger

#: The routes that need no permission, each for a reason. A route that is not here declares one
#: with `require_permission`; a test goes through all of them.
PUBLIC_ROUTES: Final = {
    "GET /docs": "describes the service",
    "GET /health/live": "asked by the supervisor",
    "GET /health/ready": "asked by the load balancer",
    "GET /metrics": "asked by Prometheus, which has a token of its own and is no person",
    "GET /openapi.json": "describes the service",
    "GET /v1/notices": "a page with a button; changes nothing",
    "GET /v1/unsubscribe": "a page with a button; changes nothing",
    "POST /v1/checkout": "players have no account; the booking's secret token decides",
    "POST /v1/notices": "an address has no account; the link's token decides",
    "POST /v1/token": "the API key decides",
    "POST /v1/unsubscribe": "mail programs have no account; the link's token decides",
    "POST /v1/share-checkout": "payers have no account; the share's secret token decides",
    "POST /v1/voucher-checkout": "buyers have no account; the order's secret token decides",
    "POST /webhooks/resend": "signed by Resend",
    "POST /webhooks/stripe": "signed by Stripe",
}

AUDIENCE: Final = "authenticated"
#: Seconds by which clocks may differ.
LEEWAY: Final = 10
ASYMMETRIC: Final = ("ES256", "RS256", "EdDSA")
#: Seconds for which fetched keys are used without asking again.
JWKS_LIFETIME: Final = 600.0
#: Seconds between two fetches that unknown key ids cause, so that nobody can make us hammer it.
JWKS_PAUSE: Final = 15.0

_log = get_logger("auth")


class KeySource(Protocol):
    """Finds the key that a token's header names."""

    algorithms: tuple[str, ...]

    async def key(self, token: str) -> str | jwt.PyJWK:
        """The key to verify `token` with, or `jwt.InvalidTokenError`."""
        ...


class SharedSecret:
    """The one key of a project that signs with HS256."""

    algorithms: tuple[str, ...] = ("HS256",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def key(self, token: str) -> str | jwt.PyJWK:  # noqa: ARG002 - any token has the one
        """See `KeySource.key`."""
        return self._secret


class Jwks:
    """The public keys of a project, fetched, kept, and fetched again when they rotate."""

    algorithms: tuple[str, ...] = ASYMMETRIC

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = url
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._fetching = asyncio.Lock()

    async def key(self, token: str) -> str | jwt.PyJWK:
        """See `KeySource.key`."""
        kid = jwt.get_unverified_header(token).get("kid")
        if not isinstance(kid, str):
            raise jwt.InvalidTokenError("no key id")
        if self._age() > JWKS_LIFETIME or (kid not in self._keys and self._age() > JWKS_PAUSE):
            await self._fetch()
        if kid not in self._keys:
            raise jwt.InvalidTokenError("unknown key id")
        return self._keys[kid]

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    async def _fetch(self) -> None:
        before = self._fetched
        async with self._fetching:
            if self._fetched != before:
                return  # somebody else has just done it
            try:
                response = await self._http.get(self._url)
                response.raise_for_status()
                found = jwt.PyJWKSet.from_dict(response.json()).keys
            except (httpx.HTTPError, ValueError, AttributeError, jwt.PyJWTError) as error:
                if not self._keys:
                    raise UnavailableError("jwks", type(error).__name__) from error
                # Old keys are better than none; the next unknown key asks again.
                _log.warning("jwks.fetch_failed", exc_info=error)
            else:
                # A symmetric key in a public document would be no secret.
                self._keys = {
                    key.key_id: key
                    for key in found
                    if key.key_id and key.algorithm_name in self.algorithms
                }
            self._fetched = self._clock()


class TokenVerifier:
    """Tells whose token it is."""

    def __init__(self, keys: KeySource, *, issuer: str | None = None) -> None:
        """Make a verifier.

        Args:
            keys: Where the key comes from; it also fixes the algorithms.
            issuer: What `iss` must say; not looked at when None.
        """
        self._keys = keys
        self._issuer = issuer

    async def verify(self, token: str) -> UUID:
        """The user whose token this is.

        Raises:
            DomainError: 401 `token_invalid`, with no word on why.
            UnavailableError: The keys could not be fetched.
        """
        try:
            key = await self._keys.key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=list(self._keys.algorithms),
                audience=AUDIENCE,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "sub", "aud"]},
            )
            # A key of the project is also a token of the project: it names no person.
            if claims.get("role") != "authenticated":
                raise jwt.InvalidTokenError("not a person's")
            return UUID(claims["sub"])
        except (jwt.PyJWTError, ValueError) as error:
            _log.info("token.refused", reason=type(error).__name__)
            raise DomainError(
                "token_invalid", 401, "Sign in again: the token is not valid."
            ) from None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who holds the permission that a route asked for.

    Attributes:
        database: Public functions under this person's own token.
    """

    user_id: UUID
    organization_id: UUID | None
    database: PersonDatabase


class Gatekeeper(Protocol):
    """What checking a request needs; the application's state has it."""

    @property
    def tokens(self) -> TokenVerifier:
        """Verifies tokens."""
        ...

    @property
    def metrics_token(self) -> SecretStr | None:
        """What reads the numbers; None: nothing does."""
        ...

    def person_database(
        self, token: str, organization_id: UUID | None, request_id: str
    ) -> PersonDatabase:
        """The database as a person sees it."""
        ...


_bearer = HTTPBearer(
    auto_error=False, bearerFormat="JWT", description="The access token of Supabase Auth."
)


_metrics_token = HTTPBearer(
    auto_error=False,
    scheme_name="MetricsToken",
    description="The service's METRICS_TOKEN, for Prometheus.",
)


class PermissionGuard:
    """What guards a route: the caller holds `permission` in some organization."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    async def check(
        self,
        request: Request,
        credentials: HTTPAuthorizationCredentials | None,
        organization_id: UUID | None,
    ) -> Person:
        """Say who it is.

        Args:
            request: The request.
            credentials: Its bearer token, if there is one.
            organization_id: The organization; None: the caller's active one.

        Raises:
            DomainError: 401 `token_missing` or `token_invalid`; 403 `permission_denied`.
        """
        if credentials is None:
            raise DomainError("token_missing", 401, "Send the access token as a bearer token.")
        gatekeeper: Gatekeeper = request.app.state.services
        token = credentials.credentials
        user_id = await gatekeeper.tokens.verify(token)
        database = gatekeeper.person_database(token, organization_id, request_id_of(request))
        if not await database.has_permission(self.permission):
            raise DomainError(
                "permission_denied", 403, f"This needs the permission {self.permission}."
            )
        return Person(user_id, organization_id, database)


def require_metrics_token(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_metrics_token)],
) -> None:
    """A dependency: the caller is the operator's Prometheus.

    Without `METRICS_TOKEN` it is nobody: the service stands on a public host, and what a proxy
    passes on looks as near as what asks from the same machine.

    Raises:
        DomainError: 401 `metrics_token_invalid`, with or without a token set.
    """
    gatekeeper: Gatekeeper = request.app.state.services
    wanted = gatekeeper.metrics_token
    given = "" if credentials is None else credentials.credentials
    if wanted is None or not hmac.compare_digest(
        given.encode(), wanted.get_secret_value().encode()
    ):
        raise DomainError(
            "metrics_token_invalid", 401, "Send the service's METRICS_TOKEN as a bearer token."
        )


class RequirePermission(PermissionGuard):
    """A dependency: the caller holds `permission` in the request's organization."""

    async def __call__(
        self,
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        x_organization_id: Annotated[
            UUID | None,
            Header(description="For which organization; else the one that is active."),
        ] = None,
    ) -> Person:
        """Check, and say who it is.

        Raises:
            DomainError: 401 `token_missing` or `token_invalid`; 403 `permission_denied`.
        """
        return await self.check(request, credentials, x_organization_id)


class RequirePermissionInPath(PermissionGuard):
    """The same in the organization that the path names, whatever the header says."""

    async def __call__(
        self,
        request: Request,
        organization_id: UUID,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Person:
        """Check, and say who it is.

        Raises:
            DomainError: 401 `token_missing` or `token_invalid`; 403 `permission_denied`.
        """
        return await self.check(request, credentials, organization_id)


def require_permission_in_path(permission: str) -> RequirePermissionInPath:
    """Guard a route whose path names the organization: `/v1/organizations/{organization_id}/…`."""
    return RequirePermissionInPath(permission)


def require_permission(permission: str) -> RequirePermission:
    """Guard a route: `person: Annotated[Person, Depends(require_permission("payments:refund"))]`.

    Args:
        permission: `resource:action`, as in the catalogue.
    """
    return RequirePermission(permission)


def route_permissions(app: FastAPI) -> dict[str, str | None]:
    """Which permission each `METHOD /path` asks for; None if it asks for none."""
    found: dict[str, str | None] = {}
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)
        permission = _permission(dependant) if isinstance(dependant, Dependant) else None
        for method in sorted((route.methods or {"ANY"}) - {"HEAD"}):
            found[f"{method} {route.path}"] = permission
    return found


def _permission(dependant: Dependant) -> str | None:
    if isinstance(dependant.call, RequirePermission | RequirePermissionInPath):
        return dependant.call.permission
    return next((found for part in dependant.dependencies if (found := _permission(part))), None)
