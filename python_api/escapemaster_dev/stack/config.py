"""Where a stack keeps its state and which ports it uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from escapemaster_dev.stack.errors import StackError

#: The checkout: `sql/`, `supabase/`, `edge/` and `node_modules/` are here.
ROOT = Path(__file__).resolve().parents[3]

DEFAULT_PORT = 54321


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of a stack, as offsets from one base; the first ones are Supabase's defaults."""

    base: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        if not 1024 <= self.base <= 65000:
            raise StackError(
                f"ESCAPEMASTER_PORT={self.base} cannot be used: take one from 1024 to 65000"
            )

    @property
    def gateway(self) -> int:
        """The one port that a client needs."""
        return self.base

    @property
    def postgres(self) -> int:
        """PostgreSQL."""
        return self.base + 1

    @property
    def mailbox(self) -> int:
        """The mailbox's web page."""
        return self.base + 3

    @property
    def smtp(self) -> int:
        """Where the mailbox takes mail by SMTP."""
        return self.base + 4

    @property
    def api(self) -> int:
        """The Python service."""
        return self.base + 6

    @property
    def stripe(self) -> int:
        """The Stripe sandbox."""
        return self.base + 7

    @property
    def postgrest(self) -> int:
        """PostgREST, behind the gateway."""
        return self.base + 10

    @property
    def lite(self) -> int:
        """Auth and Storage, behind the gateway."""
        return self.base + 11

    @property
    def edge(self) -> int:
        """The edge functions, behind the gateway."""
        return self.base + 12

    @property
    def postgrest_admin(self) -> int:
        """PostgREST's own health page."""
        return self.base + 13

    @property
    def worker(self) -> int:
        """The worker's health page."""
        return self.base + 14

    @property
    def pooler(self) -> int:
        """PgBouncer, where one is asked for."""
        return self.base + 15

    def by_part(self) -> dict[str, int]:
        """Every port with the part that listens on it, as the part is called in messages."""
        return {
            "gateway": self.gateway,
            "PostgreSQL": self.postgres,
            "mailbox page": self.mailbox,
            "mailbox SMTP": self.smtp,
            "API": self.api,
            "Stripe sandbox": self.stripe,
            "PostgREST": self.postgrest,
            "Auth and Storage": self.lite,
            "edge functions": self.edge,
            "PostgREST health": self.postgrest_admin,
            "worker health": self.worker,
            "pooler": self.pooler,
        }


@dataclass(frozen=True, slots=True)
class StackConfig:
    """One stack.

    Attributes:
        home: Its state directory (`.local`).
        ports: Its ports.
        durable: Whether PostgreSQL waits for the disk. Only a throw-away stack does not.
        root: The checkout.
    """

    home: Path
    ports: Ports
    durable: bool = True
    root: Path = ROOT

    @classmethod
    def from_environment(cls) -> StackConfig:
        """The stack that `ESCAPEMASTER_HOME` and `ESCAPEMASTER_PORT` name, else the default one."""
        home = os.environ.get("ESCAPEMASTER_HOME") or str(ROOT / ".local")
        port = os.environ.get("ESCAPEMASTER_PORT") or str(DEFAULT_PORT)
        if not port.isdigit():
            raise StackError(f"ESCAPEMASTER_PORT={port} is not a port number")
        return cls(home=Path(home).expanduser().resolve(), ports=Ports(int(port)))

    @property
    def logs(self) -> Path:
        """One log file a part."""
        return self.home / "log"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.home / "stack.lock"

    @property
    def state(self) -> Path:
        """What `status` reads: the parts with their process ids."""
        return self.home / "stack.json"

    @property
    def secrets(self) -> Path:
        """Generated once; readable by the owner only."""
        return self.home / "secrets.json"

    @property
    def environment(self) -> Path:
        """What a client needs, as `NAME=value` lines; readable by the owner only."""
        return self.home / "stack.env"

    @property
    def demo(self) -> Path:
        """The demo accounts, written by the seed."""
        return self.home / "demo.json"

    @property
    def mail(self) -> Path:
        """The mailbox's mails."""
        return self.home / "mail"

    @property
    def stripe(self) -> Path:
        """The Stripe sandbox's state."""
        return self.home / "stripe"

    @property
    def gateway_url(self) -> str:
        """Where clients go."""
        return f"http://127.0.0.1:{self.ports.gateway}"

    def prepare(self) -> None:
        """Make the state directory, which is nobody else's business.

        When this is root, PostgreSQL runs as another user, who has to pass through it: others may
        then do that, but cannot list it, and what is in it is shut.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for directory in (self.logs, self.mail, self.stripe):
            directory.mkdir(mode=0o700, exist_ok=True)
