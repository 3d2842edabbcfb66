"""What the seed needs to know of the stack that it fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_LOCAL = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True, slots=True)
class SeedSettings:
    """Addresses of a local stack, and the file that tells a person what was made.

    `database_url` is the owner's (role postgres): see `escapemaster_dev.seed.demo` for what no
    client could do. Raises ValueError for an address on another machine: the demo accounts'
    password is known to everybody.
    """

    supabase_url: str
    publishable_key: str
    database_url: str
    site_url: str
    report: Path
    #: The sandbox of Stripe; None: real test keys are used.
    stripe_url: str | None = None
    stripe_key: str = ""

    def __post_init__(self) -> None:
        for url in (self.supabase_url, self.database_url):
            if urlsplit(url).hostname not in _LOCAL:
                raise ValueError("the demo is for a stack on this machine: its password is public")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], report: Path) -> SeedSettings:
        """From the variables of `.local/stack.env`."""
        return cls(
            supabase_url=environment["SUPABASE_URL"].rstrip("/"),
            publishable_key=environment["SUPABASE_PUBLISHABLE_KEY"],
            database_url=environment["DATABASE_URL"],
            site_url=environment["PUBLIC_SITE_URL"],
            report=report,
            stripe_url=environment.get("STRIPE_API_BASE") or None,
            stripe_key=environment.get("STRIPE_SECRET_KEY", ""),
        )
