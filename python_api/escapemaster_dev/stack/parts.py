"""What a stack consists of besides PostgreSQL: how each part is started, and when it is ready."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from escapemaster_dev.stack import health, tools
from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.environment import database_url
from escapemaster_dev.stack.gateway import HEALTH_PATH, Gateway
from escapemaster_dev.stack.gateway import NAME as GATEWAY
from escapemaster_dev.stack.lite import USER as AUTH_USER
from escapemaster_dev.stack.lite import Lite
from escapemaster_dev.stack.pooler import POSTGREST_SETTINGS, pooler_command, pooler_program
from escapemaster_dev.stack.processes import Command
from escapemaster_dev.stack.supabase_config import SupabaseConfig

POSTGRES = "PostgreSQL"
MAILBOX = "mailbox"
STRIPE = "Stripe sandbox"
POSTGREST = "PostgREST"
EDGE = "edge functions"
API = "API"
WORKER = "worker"

#: Connections of PostgREST to the database. On two cores 10 to 16 answer the most, and 40 a third
#: less at twice the latency; each needs 10 to 33 MiB of its own, the more functions it has called.
#: docs/operation.md says how to choose another.
_POOL = 16


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes:
        command: Starts it.
        ready: Whether it answers now.
    """

    command: Command
    ready: Callable[[], bool]

    @property
    def name(self) -> str:
        """As it is called in messages."""
        return self.command.name


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of one stack.

    Attributes:
        environment: The variables that `.local/stack.env` holds, over the machine's.
    """

    config: StackConfig
    credentials: Credentials
    supabase: SupabaseConfig
    environment: Mapping[str, str]

    def gateway(self) -> Part:
        """Caddy."""
        port = self.config.ports.gateway
        return Part(
            Command(
                name=GATEWAY,
                arguments=[
                    tools.caddy(),
                    "run",
                    "--adapter",
                    "caddyfile",
                    "--config",
                    Gateway(self.config).caddyfile,
                ],
                environment={
                    **self.environment,
                    "XDG_DATA_HOME": str(self.config.home / "gateway"),
                    # 0.33 ms of CPU a request instead of 0.55: Go's threads look for work in vain.
                    "GOMAXPROCS": "1",
                },
                cwd=self.config.home,
            ),
            lambda: health.answers(port, HEALTH_PATH, ok_only=True),
        )

    def mailbox(self) -> Part:
        """maildev; the mails are files, so that they are still there after a restart."""
        ports = self.config.ports
        return Part(
            Command(
                name=MAILBOX,
                arguments=[
                    "node",
                    tools.maildev(),
                    f"--smtp={ports.smtp}",
                    "--ip=127.0.0.1",
                    f"--web={ports.mailbox}",
                    "--web-ip=127.0.0.1",
                    f"--mail-directory={self.config.mail}",
                    "--max-emails=2000",
                ],
                environment=self.environment,
                cwd=self.config.home,
            ),
            lambda: health.answers(ports.mailbox) and health.listens(ports.smtp),
        )

    def stripe(self) -> Part:
        """The Stripe sandbox."""
        port = self.config.ports.stripe
        return Part(
            Command(
                name=STRIPE,
                arguments=[
                    *(sys.executable, "-m", "uvicorn"),
                    *("--factory", "escapemaster_dev.sandbox.stripe.app:create_app"),
                    *("--host=127.0.0.1", f"--port={port}", "--no-access-log"),
                    *("--no-proxy-headers", "--timeout-graceful-shutdown=5"),
                    "--timeout-keep-alive=120",
                ],
                environment={
                    **self.environment,
                    "STRIPE_SANDBOX_STATE": str(self.config.stripe),
                },
                cwd=self.config.root,
            ),
            lambda: health.answers(port),
        )

    def lite(self) -> Part:
        """Auth and Storage."""
        ports = self.config.ports
        instance = Lite(
            directory=self.config.home / "lite",
            port=ports.lite,
            database_url=database_url(self.config, AUTH_USER, self.credentials.auth_password),
            site_url=self.config.gateway_url,
            smtp_port=ports.smtp,
        )
        instance.directory.mkdir(exist_ok=True)
        return Part(
            instance.command(self.credentials, self.supabase, self.environment),
            lambda: health.answers(ports.lite, "/auth/v1/health"),
        )

    def pooler(self) -> Part | None:
        """PgBouncer between PostgREST and the database, where one is asked for."""
        program = pooler_program()
        if program is None:
            return None
        command = pooler_command(
            self.config,
            program,
            user="authenticator",
            password=self.credentials.authenticator_password,
            pool=_POOL,
            environment=self.environment,
        )
        return Part(command, lambda: health.listens(self.config.ports.pooler))

    def postgrest(self) -> Part:
        """PostgREST. Its pre-request function is a setting of the role `authenticator`."""
        ports = self.config.ports
        url = database_url(self.config, "authenticator", self.credentials.authenticator_password)
        settings = {
            "PGRST_DB_URI": url,
            "PGRST_DB_SCHEMAS": ",".join(self.supabase.schemas),
            "PGRST_DB_EXTRA_SEARCH_PATH": ",".join(self.supabase.extra_search_path),
            "PGRST_DB_MAX_ROWS": str(self.supabase.max_rows),
            "PGRST_DB_ANON_ROLE": "anon",
            "PGRST_DB_PRE_REQUEST": "private.check_request",
            "PGRST_DB_POOL": str(_POOL),
            "PGRST_DB_USE_LEGACY_GUCS": "false",
            "PGRST_DB_CHANNEL_ENABLED": "true",
            "PGRST_DB_PLAN_ENABLED": "false",
            "PGRST_JWT_SECRET": self.credentials.jwt_secret,
            "PGRST_JWT_AUD": "authenticated",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_SERVER_PORT": str(ports.postgrest),
            "PGRST_ADMIN_SERVER_PORT": str(ports.postgrest_admin),
            "PGRST_LOG_LEVEL": "error",
            "PGRST_OPENAPI_SERVER_PROXY_URI": f"{self.config.gateway_url}/rest/v1",
        }
        if pooler_program() is not None:
            by_pooler = url.replace(f":{ports.postgres}/", f":{ports.pooler}/")
            settings |= {"PGRST_DB_URI": by_pooler, **POSTGREST_SETTINGS}
        return Part(
            Command(
                name=POSTGREST,
                arguments=[tools.postgrest()],
                # One thread for Haskell's code: 0.39 ms of CPU a request instead of 0.53. Calls of
                # the database have threads of their own and run side by side all the same.
                environment={**self.environment, **settings, "GHCRTS": "-N1"},
                cwd=self.config.home,
            ),
            lambda: health.answers(ports.postgrest_admin, "/ready", ok_only=True),
        )

    def edge(self) -> Part:
        """All edge functions, in one Deno process that reaches this machine only."""
        port = self.config.ports.edge
        functions = [each for each in self.supabase.functions if each.entrypoint.exists()]
        edge = self.config.root / "edge"
        return Part(
            Command(
                name=EDGE,
                arguments=[
                    tools.deno(),
                    "run",
                    f"--config={edge / 'deno.json'}",
                    "--no-remote",
                    "--no-check",
                    "--allow-env",
                    "--allow-net=127.0.0.1,localhost",
                    f"--allow-read={edge},{self.config.root / 'node_modules'}",
                    Path(__file__).with_name("edge_router.ts"),
                    str(port),
                    *(f"{each.name}={each.entrypoint.as_uri()}" for each in functions),
                ],
                environment={
                    **self.environment,
                    "SUPABASE_ANON_KEY": self.credentials.publishable_key,
                },
                cwd=edge,
            ),
            lambda: health.answers(port, "/health", ok_only=True),
        )

    def api(self) -> Part:
        """The service."""
        port = self.config.ports.api
        return Part(
            Command(
                name=API,
                arguments=[sys.executable, "-m", "escapemaster", "serve", f"--port={port}"],
                environment=self.environment,
                cwd=self.config.root,
            ),
            lambda: health.answers(port, "/health/live", ok_only=True),
        )

    def worker(self) -> Part:
        """The worker."""
        port = self.config.ports.worker
        return Part(
            Command(
                name=WORKER,
                arguments=[sys.executable, "-m", "escapemaster", "worker"],
                environment={**self.environment, "WORKER_HEALTH_PORT": str(port)},
                cwd=self.config.root,
            ),
            lambda: health.answers(port, "/health/live"),
        )
