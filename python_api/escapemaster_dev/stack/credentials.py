"""The secrets of a stack: generated once, kept in its state directory, never committed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import jwt

#: Ten years, as the keys of a hosted project.
_KEY_LIFETIME_SECONDS = 10 * 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everything that must not be guessable in a stack.

    Attributes:
        jwt_secret: Signs the users' tokens (HS256).
        publishable_key: What clients send as `apikey`; public.
        secret_key: The service's `apikey`: role `service_role`.
        created_at: Unix time; the keys' tokens are issued at it, so that they stay the same.
    """

    jwt_secret: str
    publishable_key: str
    secret_key: str
    superuser_password: str
    owner_password: str
    auth_password: str
    authenticator_password: str
    stripe_secret_key: str
    stripe_webhook_secret: str
    resend_webhook_secret: str
    created_at: int

    @classmethod
    def generate(cls) -> Credentials:
        """A new set."""
        return cls(
            jwt_secret=secrets.token_urlsafe(48),
            publishable_key=f"sb_publishable_{secrets.token_urlsafe(24)}",
            secret_key=f"sb_secret_{secrets.token_urlsafe(24)}",
            superuser_password=secrets.token_urlsafe(24),
            owner_password=secrets.token_urlsafe(24),
            auth_password=secrets.token_urlsafe(24),
            authenticator_password=secrets.token_urlsafe(24),
            stripe_secret_key=f"sk_test_{secrets.token_hex(24)}",
            stripe_webhook_secret=f"whsec_{secrets.token_hex(24)}",
            resend_webhook_secret="whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
            created_at=int(time.time()),
        )

    @classmethod
    def load_or_generate(cls, path: Path) -> Credentials:
        """Those of the file, or new ones written to it with mode 0600."""
        names = {field.name for field in fields(cls)}
        if path.exists():
            stored = json.loads(path.read_text())
            if set(stored) == names:
                return cls(**stored)
        made = cls.generate()
        write_private(path, json.dumps(asdict(made), indent=2) + "\n")
        return made

    @property
    def anon_jwt(self) -> str:
        """What the gateway puts in for the publishable key."""
        return self._role_token("anon")

    @property
    def service_role_jwt(self) -> str:
        """What the gateway puts in for the secret key."""
        return self._role_token("service_role")

    @property
    def metrics_token(self) -> str:
        """What reads the service's numbers."""
        return hmac.new(self.jwt_secret.encode(), b"metrics", hashlib.sha256).hexdigest()

    def _role_token(self, role: str) -> str:
        claims = {
            "iss": "supabase",
            "role": role,
            "aud": "authenticated",
            "iat": self.created_at,
            "exp": self.created_at + _KEY_LIFETIME_SECONDS,
        }
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


def write_private(path: Path, content: str) -> None:
    """Write a file that only its owner may read; it never exists with a wider mode."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    draft.replace(path)
