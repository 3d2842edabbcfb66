"""Signs the short-lived tokens that API keys are exchanged for.

PostgREST takes such a token like a person's. What it may do is not in it: the database looks the
key up at every request, so that a revoked key's tokens are worth nothing at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from escapemaster.api.auth import AUDIENCE
from escapemaster.database import ApiKey
from escapemaster.keys import read_private_key
from escapemaster.settings import Settings

#: How long a token is good for, unless its key ends earlier.
LIFETIME: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token, and the seconds for which it is good."""

    token: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Signs with one key of the project.

    Attributes:
        key: A shared secret, or a private key.
        algorithm: Which of the two.
        key_id: The `kid` of the header, by which the project finds its half of the key.
        issuer: What `iss` says; left out when None.
    """

    key: str | ec.EllipticCurvePrivateKey = field(repr=False)
    algorithm: Literal["HS256", "ES256"]
    key_id: str | None = None
    issuer: str | None = None

    def sign(self, key: ApiKey, now: datetime) -> SignedToken:
        """A token that stands for an API key.

        Args:
            key: Which one.
            now: The moment, with its zone.
        """
        issued = int(now.timestamp())
        expires = int(min(now + LIFETIME, key.expires_at).timestamp())
        claims: dict[str, Any] = {
            "aud": AUDIENCE,
            "role": "authenticated",
            "sub": str(key.api_key_id),
            "api_key_id": str(key.api_key_id),
            "organization_id": str(key.organization_id),
            "iat": issued,
            "nbf": issued,
            "exp": expires,
        }
        if self.issuer is not None:
            claims["iss"] = self.issuer
        token = jwt.encode(
            claims,
            self.key,
            self.algorithm,
            headers={"kid": self.key_id} if self.key_id else None,
        )
        return SignedToken(token, max(0, expires - issued))


def signer_of(settings: Settings) -> TokenSigner | None:
    """The signer that the configuration describes; None if it describes none.

    Raises:
        ValueError: The key is none that ES256 can be signed with.
    """
    issuer, key_id = settings.supabase_jwt_issuer, settings.api_token_key_id
    if settings.api_token_private_key is not None:
        key, own_id = read_private_key(settings.api_token_private_key.get_secret_value())
        return TokenSigner(key, "ES256", key_id or own_id, issuer)
    secret = settings.api_token_secret or settings.supabase_jwt_secret
    if secret is not None:
        return TokenSigner(secret.get_secret_value(), "HS256", key_id, issuer)
    return None
