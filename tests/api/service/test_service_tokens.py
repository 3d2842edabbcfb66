"""API keys are exchanged for tokens that say no more than who it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm
from pydantic import ValidationError
from starlette.requests import Request
from structlog.testing import capture_logs

from escapemaster.api.addresses import client_address
from escapemaster.api.app import create_app
from escapemaster.api.auth import SharedSecret, TokenVerifier
from escapemaster.api.services import Transports
from escapemaster.api.tokens import LIFETIME, signer_of
from escapemaster.database import ApiKey
from escapemaster.settings import Settings

from .conftest import JWT_SECRET
from .fakes import FakePostgrest

KEY = "018f0000-0000-7000-8000-00000000000c"
ORGANIZATION = "018f0000-0000-7000-8000-00000000000b"
SECRET = "esk_a-secret-of-a-key"
NOW = datetime(2026, 2, 14, 18, 30, 0, 900_000, tzinfo=UTC)

Change = Callable[..., Settings]


@pytest.fixture
def change(settings: Settings) -> Change:
    """The settings, with some changed, as if they had been read so."""

    def changed(**changes: Any) -> Settings:
        return Settings.model_validate({**settings.model_dump(), **changes})

    return changed


def found(expires_at: datetime) -> dict[str, str]:
    return {
        "api_key_id": KEY,
        "organization_id": ORGANIZATION,
        "expires_at": expires_at.isoformat(),
    }


def api_key(expires_at: datetime) -> ApiKey:
    return ApiKey.model_validate(found(expires_at))


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def test_a_key_is_exchanged_for_a_token(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.answer("exchange_api_key", found(datetime.now(UTC) + timedelta(days=30)))
    with capture_logs() as lines:
        answer = await client.post(
            "/v1/token", json={"api_key": SECRET}, headers={"x-request-id": "mine-4"}
        )
    assert answer.status_code == 200
    assert [call.headers["x-request-id"] for call in postgrest.calls] == ["mine-4"]
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    token = body.pop("access_token")
    assert body == {"token_type": "bearer", "expires_in": 900, "organization_id": ORGANIZATION}
    claims = jwt.decode(token, JWT_SECRET, algorithms=["HS256"], audience="authenticated")
    times = {name: claims.pop(name) for name in ("iat", "nbf", "exp")}
    assert claims == {
        "aud": "authenticated",
        "role": "authenticated",
        "sub": KEY,
        "api_key_id": KEY,
        "organization_id": ORGANIZATION,
    }
    assert times["nbf"] == times["iat"] == times["exp"] - 900
    assert await TokenVerifier(SharedSecret(JWT_SECRET)).verify(token) == UUID(KEY)
    [call] = postgrest.calls
    assert (call.schema, call.arguments["secret"]) == ("service", SECRET)
    assert SECRET not in str(lines)
    assert token not in str(lines)


async def test_a_refusal_of_the_database_is_passed_on(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    # As `private.refusal` answers: an error's body and status, without an exception.
    body = {"code": "PT401", "message": "api_key_invalid", "hint": "Send a key.", "details": ""}
    postgrest.answer("exchange_api_key", httpx.Response(401, json=body))
    answer = await client.post("/v1/token", json={"api_key": SECRET})
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "details" not in answer.json()
    assert SECRET not in answer.text


async def test_too_many_tries_are_told_how_long_to_wait(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse(
        "exchange_api_key", "PT429", "rate_limited", details='{"retry_after_seconds": 42}'
    )
    answer = await client.post("/v1/token", json={"api_key": SECRET})
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert answer.headers["retry-after"] == "42"


@pytest.mark.parametrize(
    "body", [{}, {"api_key": ""}, {"api_key": "x" * 257}, {"api_key": SECRET, "more": 1}]
)
async def test_a_body_of_another_form_is_refused_and_not_repeated(
    client: httpx.AsyncClient, postgrest: FakePostgrest, body: dict[str, Any]
) -> None:
    answer = await client.post("/v1/token", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert SECRET not in answer.text
    assert postgrest.calls == []


async def test_a_service_that_cannot_sign_says_so_before_it_looks_at_the_key(
    change: Change, postgrest: FakePostgrest
) -> None:
    settings = change(
        supabase_jwt_secret=None,
        supabase_jwks_url="http://gateway.test/auth/v1/.well-known/jwks.json",
    )
    app = create_app(settings, transports=Transports(database=postgrest.transport))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        answer = await client.post("/v1/token", json={"api_key": SECRET})
    assert (answer.status_code, answer.json()["code"]) == (503, "token_signing_not_configured")
    assert postgrest.calls == []


# -- signing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "seconds"),
    [
        (timedelta(days=1), 900),
        (LIFETIME, 900),
        (timedelta(minutes=5), 300),
        (timedelta(seconds=-1), 0),
    ],
)
def test_a_token_never_outlives_its_key(settings: Settings, left: timedelta, seconds: int) -> None:
    signer = signer_of(settings)
    assert signer is not None
    signed = signer.sign(api_key(NOW + left), NOW)
    claims = jwt.decode(signed.token, options={"verify_signature": False})
    assert signed.expires_in == seconds
    assert claims["exp"] <= (NOW + left).timestamp()


def test_a_secret_of_its_own_and_an_issuer_are_used_when_there_are_any(change: Change) -> None:
    signer = signer_of(
        change(
            api_token_secret="another secret of at least thirty-two bytes",
            api_token_key_id="mine",
            supabase_jwt_issuer="http://gateway.test/auth/v1",
        )
    )
    assert signer is not None
    token = signer.sign(api_key(NOW + LIFETIME), NOW).token
    jwt.decode(
        token,
        "another secret of at least thirty-two bytes",
        algorithms=["HS256"],
        audience="authenticated",
        issuer="http://gateway.test/auth/v1",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert jwt.get_unverified_header(token)["kid"] == "mine"
    assert "another secret" not in repr(signer)


@pytest.mark.parametrize("form", ["pem", "pem in one line", "jwk"])
def test_a_private_key_wins_and_signs_with_es256(change: Change, form: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    written = {
        "pem": pem(key),
        "pem in one line": pem(key).replace("\n", "\\n"),
        "jwk": json.dumps({**ECAlgorithm.to_jwk(key, as_dict=True), "kid": "standby"}),
    }[form]
    key_id = None if form == "jwk" else "standby"
    signer = signer_of(change(api_token_private_key=written, api_token_key_id=key_id))
    assert signer is not None
    token = signer.sign(api_key(NOW + LIFETIME), NOW).token
    assert jwt.get_unverified_header(token) == {"alg": "ES256", "typ": "JWT", "kid": "standby"}
    jwt.decode(
        token,
        key.public_key(),
        algorithms=["ES256"],
        audience="authenticated",
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )


@pytest.mark.parametrize(
    "written",
    [
        "nonsense",
        "{}",
        '{"kty": "EC"}',
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65537, 2048)),
        ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key()),
    ],
    ids=["nonsense", "empty", "half", "another curve", "rsa", "public"],
)
def test_a_key_that_cannot_sign_stops_the_start(change: Change, written: str) -> None:
    with pytest.raises(ValueError, match="API_TOKEN_PRIVATE_KEY is no P-256 private key") as failed:
        signer_of(change(api_token_private_key=written))
    assert failed.value.__context__ is None


# -- addresses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        ([], 0, "10.0.0.1"),
        (["6.6.6.6"], 0, "10.0.0.1"),
        (["6.6.6.6, 203.0.113.7"], 1, "203.0.113.7"),
        (["6.6.6.6", "203.0.113.7, 10.0.0.9"], 2, "203.0.113.7"),
        (["6.6.6.6, 203.0.113.7, "], 1, "10.0.0.1"),
        (["203.0.113.7"], 2, "10.0.0.1"),
        ([], 1, "10.0.0.1"),
        (["x" * 100], 1, "x" * 64),
    ],
)
def test_only_what_our_own_proxies_heard_counts(
    forwarded: list[str], proxies: int, address: str
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    request = Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 1)})
    assert client_address(request, proxies) == address


def test_a_connection_without_an_address_has_a_name() -> None:
    assert client_address(Request({"type": "http", "headers": []}), 0) == "unknown"


async def test_the_address_reaches_the_database(change: Change, postgrest: FakePostgrest) -> None:
    postgrest.answer("exchange_api_key", found(NOW))
    app = create_app(
        change(trusted_proxy_count=1), transports=Transports(database=postgrest.transport)
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test") as client,
    ):
        await client.post(
            "/v1/token",
            json={"api_key": SECRET},
            headers={"x-forwarded-for": "6.6.6.6, 203.0.113.7"},
        )
    assert postgrest.called("exchange_api_key") == [{"secret": SECRET, "address": "203.0.113.7"}]


def test_fewer_proxies_than_none_are_refused(change: Change) -> None:
    with pytest.raises(ValidationError):
        change(trusted_proxy_count=-1)
