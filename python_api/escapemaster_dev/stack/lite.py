"""Auth and Storage: `@supabase/lite`, on our PostgreSQL, without its own REST interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomli_w

from escapemaster_dev.stack import tools
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.processes import Command
from escapemaster_dev.stack.supabase_config import SupabaseConfig

NAME = "Auth and Storage"
USER = "supabase_auth_admin"

#: Loaded before their own code.
_MENDS = [
    Path(__file__).with_name(name)
    for name in (
        "lite_mends.mjs",
        "lite_mail_pause.mjs",
        "lite_attempts.mjs",
        "lite_sign_in.mjs",
        "lite_faults.mjs",
    )
]

#: What the local program understands of `[auth]` besides the tables below.
_AUTH_KEYS = (
    "additional_redirect_urls",
    "jwt_expiry",
    "enable_refresh_token_rotation",
    "refresh_token_reuse_interval",
    "enable_signup",
    "minimum_password_length",
)
_EMAIL_KEYS = (
    "double_confirm_changes",
    "enable_confirmations",
    "max_frequency",
    "otp_length",
    "otp_expiry",
)
#: The kinds of mail whose words it takes from us.
_TEMPLATES = ("confirmation", "recovery", "magic_link", "invite", "email_change")


@dataclass(frozen=True, slots=True)
class Lite:
    """One instance.

    Attributes:
        directory: Holds its configuration and the uploaded files.
        database_url: As `supabase_auth_admin`.
        site_url: What its mails link to.
        smtp_port: Where its mails go, on this machine.
    """

    directory: Path
    port: int
    database_url: str
    site_url: str
    smtp_port: int

    @property
    def health_url(self) -> str:
        """Answers as soon as it serves (401 without a key, which is an answer)."""
        return f"http://127.0.0.1:{self.port}/auth/v1/health"

    def command(
        self, credentials: Credentials, config: SupabaseConfig, environment: Mapping[str, str]
    ) -> Command:
        """Write the configuration; return what starts it."""
        self._write_configuration(credentials, config)
        return Command(
            name=NAME,
            arguments=[
                "node",
                *(f"--import={mend.as_uri()}" for mend in _MENDS),
                tools.lite(),
                "--no-telemetry",
                "start",
                "--no-admin",
            ],
            environment={
                **environment,
                "EXPERIMENTAL_STORAGE": "1",
                "LITE_NON_INTERACTIVE": "1",
                "AUTH_MAIL_PAUSE_MS": str(config.mail_pause_ms),
                "AUTH_CODE_LENGTH": str(config.auth["email"]["otp_length"]),
                "AUTH_TOKEN_VERIFICATIONS": str(config.auth["rate_limit"]["token_verifications"]),
                "AUTH_SIGN_INS": str(config.auth["rate_limit"]["sign_in_sign_ups"]),
                "AUTH_LINK_KEY": credentials.jwt_secret,
            },
            cwd=self.directory,
        )

    def _write_configuration(self, credentials: Credentials, config: SupabaseConfig) -> None:
        auth = config.auth
        email = auth.get("email", {})
        document = {
            "project_id": "escapemaster",
            "api": {"port": self.port, "schemas": ["public"]},
            "db": {"driver": "postgres", "url": self.database_url},
            "storage": {"enabled": True, "file_size_limit": config.file_size_limit},
            "auth": {
                "enabled": True,
                "site_url": self.site_url,
                "jwt_secret": credentials.jwt_secret,
                "publishable_key": credentials.publishable_key,
                "secret_key": credentials.secret_key,
                **{key: auth[key] for key in _AUTH_KEYS if key in auth},
                "email": {
                    "enable_signup": email.get("enabled", True),
                    **{key: email[key] for key in _EMAIL_KEYS if key in email},
                    # The mailbox asks for no credentials, but without them it would not start;
                    # lite_mends.mjs leaves them out.
                    "smtp": {
                        "enabled": True,
                        "host": "127.0.0.1",
                        "port": self.smtp_port,
                        "user": "none",
                        "pass": "none",
                        "admin_email": "auth@escapemaster.test",
                        "sender_name": "Escapemaster",
                    },
                    "template": {
                        kind: template
                        for kind, template in config.email_templates.items()
                        if kind in _TEMPLATES
                    },
                },
            },
        }
        target = self.directory / "supabase" / "config.toml"
        target.parent.mkdir(parents=True, exist_ok=True)
        # Beside the secrets it holds, the directory holds uploaded files: nobody else's business.
        self.directory.chmod(0o700)
        target.write_text(tomli_w.dumps(document))
