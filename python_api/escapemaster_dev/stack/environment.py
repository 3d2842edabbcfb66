"""The variables of a stack: `.local/stack.env` and the environment of its processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.credentials import Credentials, write_private

_HEADER = "# Written by `escapemaster up`: what a client of the local stack needs. Not for git.\n"


def stack_environment(config: StackConfig, credentials: Credentials) -> dict[str, str]:
    """Every variable that the service, its worker and a client may read."""
    ports = config.ports
    gateway = config.gateway_url
    api = f"http://127.0.0.1:{ports.api}"
    stripe = f"http://127.0.0.1:{ports.stripe}"
    return {
        "SUPABASE_URL": gateway,
        "SUPABASE_PUBLISHABLE_KEY": credentials.publishable_key,
        "SUPABASE_SECRET_KEY": credentials.secret_key,
        "SUPABASE_JWT_SECRET": credentials.jwt_secret,
        "DATABASE_URL": database_url(config, "postgres", credentials.owner_password),
        "API_URL": api,
        "SERVICE_URL": api,
        "MAILBOX_URL": f"http://127.0.0.1:{ports.mailbox}",
        "MAILBOX_SMTP_HOST": "127.0.0.1",
        "MAILBOX_SMTP_PORT": str(ports.smtp),
        "STRIPE_SANDBOX_URL": stripe,
        "STRIPE_API_BASE": stripe,
        "STRIPE_SECRET_KEY": credentials.stripe_secret_key,
        "STRIPE_WEBHOOK_SECRET": credentials.stripe_webhook_secret,
        "RESEND_API_KEY": "",
        "RESEND_WEBHOOK_SECRET": credentials.resend_webhook_secret,
        "EMAIL_FROM": "Escapemaster <bookings@escapemaster.test>",
        "PUBLIC_SITE_URL": f"{gateway}/demo/",
        "WEBHOOKS_ALLOW_LOOPBACK": "true",
        "ALLOWED_RETURN_ORIGINS": f"{gateway},http://localhost:{ports.gateway}",
        "METRICS_TOKEN": credentials.metrics_token,
        "EDGE_FUNCTIONS_URL": f"{gateway}/functions/v1",
    }


def with_own_accounts(variables: Mapping[str, str], outside: Mapping[str, str]) -> dict[str, str]:
    """Let a person's own Stripe and Resend keys win over the sandbox and the mailbox.

    An environment with a STRIPE_API_BASE comes from a stack's own file, not from a person: its
    keys belong to a sandbox and must not be sent to Stripe.
    """
    merged = dict(variables)
    for name in ("RESEND_API_KEY", "RESEND_WEBHOOK_SECRET", "EMAIL_FROM"):
        merged[name] = outside.get(name) or merged[name]
    key, secret = outside.get("STRIPE_SECRET_KEY"), outside.get("STRIPE_WEBHOOK_SECRET")
    if key and secret and not outside.get("STRIPE_API_BASE"):
        merged.update(STRIPE_SECRET_KEY=key, STRIPE_WEBHOOK_SECRET=secret, STRIPE_API_BASE="")
    return merged


def database_url(config: StackConfig, user: str, password: str, database: str = "postgres") -> str:
    """A libpq URL to the stack's server."""
    return f"postgresql://{user}:{password}@127.0.0.1:{config.ports.postgres}/{database}"


def write_environment(path: Path, variables: Mapping[str, str]) -> None:
    """Write `NAME=value` lines that a shell and dotenv readers understand alike."""
    lines = "".join(f'{name}="{value}"\n' for name, value in variables.items())
    write_private(path, _HEADER + lines)


def read_environment(path: Path) -> dict[str, str]:
    """Read what `write_environment` wrote."""
    pairs = (
        line.split("=", 1)
        for line in path.read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )
    return {name: value.strip('"') for name, value in pairs}


def process_environment_in(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """What a part is started with: ours over the machine's, and no word to anybody outside."""
    environment = {**os.environ, **variables}
    # Compiled modules are kept, whatever the caller's shell says: a start is a second faster.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.update(
        PYTHONUNBUFFERED="1",
        TZ="UTC",
        DO_NOT_TRACK="1",
        LITE_TELEMETRY="0",
        SUPABASE_TELEMETRY_DISABLED="1",
        DENO_NO_UPDATE_CHECK="1",
        DENO_NO_PROMPT="1",
        DENO_DIR=str(home / "deno"),
    )
    return environment
