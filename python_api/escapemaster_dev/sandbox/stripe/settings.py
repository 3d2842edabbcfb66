"""What the sandbox reads from its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

IN_MEMORY = ":memory:"
STATE_FILE = "stripe.sqlite3"


@dataclass(frozen=True, slots=True)
class Settings:
    """Addresses, secrets and the place of the state; the meaning is in the package's page."""

    secret_key: str | None = None
    webhook_secret: str = ""
    webhook_url: str | None = None
    public_url: str | None = None
    state: str = IN_MEMORY

    def __post_init__(self) -> None:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("STRIPE_WEBHOOK_SECRET is needed to sign the webhooks that are sent")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the variables; an empty one counts as absent."""
        given = {name: value for name, value in environment.items() if value}
        api_url = given.get("API_URL")
        hook = f"{api_url.rstrip('/')}/webhooks/stripe" if api_url else None
        return cls(
            secret_key=given.get("STRIPE_SECRET_KEY"),
            webhook_secret=given.get("STRIPE_WEBHOOK_SECRET", ""),
            webhook_url=given.get("STRIPE_WEBHOOK_URL", hook),
            public_url=given.get("STRIPE_SANDBOX_URL"),
            state=state_file(given.get("STRIPE_SANDBOX_STATE")),
        )


def state_file(place: str | None) -> str:
    """The SQLite file for a configured place, which may be a directory; its parent is made."""
    if not place or place == IN_MEMORY:
        return IN_MEMORY
    path = Path(place)
    if path.is_dir() or not path.suffix:
        path = path / STATE_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)
