"""Private keys as people have them in variables."""

from __future__ import annotations

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key


def read_private_key(text: str) -> tuple[ec.EllipticCurvePrivateKey, str | None]:
    """Read a P-256 key as PEM, or as the JWK that `supabase gen signing-key` writes.

    Returns:
        The key, and the `kid` that a JWK may name.

    Raises:
        ValueError: It is none; the text does not quote it.
    """
    key_id: str | None = None
    try:
        if text.lstrip().startswith("{"):
            jwk = jwt.PyJWK.from_json(text)
            key, key_id = jwk.key, jwk.key_id
        else:
            # Not every place for variables keeps line breaks.
            key = load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
            return key, key_id
    except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
        pass  # its words could quote the key
    raise ValueError("API_TOKEN_PRIVATE_KEY is no P-256 private key")
