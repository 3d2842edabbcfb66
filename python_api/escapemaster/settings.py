"""What the service and its worker read from the environment.

Names are the lower-case names of the variables. The local stack writes them all to
`.local/stack.env`; a deployment sets them where it runs. An empty variable counts as absent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """The configuration of one process.

    Attributes:
        supabase_url: The gateway, without a path.
        supabase_publishable_key: The public key (`sb_publishable_…`).
        supabase_secret_key: The service's own key (`sb_secret_…`): role `service_role`.
        supabase_jwt_secret: Verifies HS256 tokens of users, where the project signs so.
        supabase_jwks_url: Verifies asymmetric tokens; wins over the secret.
        supabase_jwt_issuer: The `iss` that a user's token must have; not checked when absent.
        api_token_secret: Signs the tokens that API keys are exchanged for (HS256); the project must
            know it. Else `supabase_jwt_secret`.
        api_token_private_key: Signs them instead (ES256): a P-256 key as PEM or JWK, imported into
            the project as a standby key. For projects whose own signing key cannot be had.
        api_token_key_id: The `kid` under which the project knows the signing key; a JWK names its
            own.
        trusted_proxy_count: How many proxies of ours each request passes, every one of which adds
            whom it heard to `x-forwarded-for`. 0: the address is the connection's.
        stripe_secret_key: `sk_test_…`, `sk_live_…`, or the local sandbox's.
        stripe_webhook_secret: Signs what Stripe delivers (`whsec_…`).
        stripe_api_base: Another address than Stripe's own: the local sandbox.
        resend_api_key: When absent, mail goes to the local mailbox.
        resend_webhook_secret: Signs what Resend delivers (`whsec_…`).
        email_from: Sender of every mail, `Name <address>`.
        mailbox_url: The web page of the local mailbox.
        mailbox_smtp_host: Where mail is delivered when there is no Resend key.
        mailbox_smtp_port: Its port.
        public_site_url: Where a visitor returns to from the provider's payment page.
        service_url: Where the internet reaches this service. Mails that are not about their
            reader's own booking (requests for reviews) carry a link to it that ends them; without
            it they wait.
        allowed_return_origins: The only origins that a `return_url` may name.
        worker_concurrency: Jobs that one worker runs at once.
        worker_money_slots: How many of them may only be jobs that move money.
        worker_lease_seconds: A claimed job belongs to its worker for so long.
        worker_poll_seconds: Pause between two looks at an empty queue.
        worker_health_port: Where the worker answers health checks; none when absent.
        log_level: `debug`, `info`, `warning` or `error`.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    supabase_url: str
    supabase_publishable_key: str
    supabase_secret_key: SecretStr
    supabase_jwt_secret: SecretStr | None = None
    supabase_jwks_url: str | None = None
    supabase_jwt_issuer: str | None = None

    api_token_secret: SecretStr | None = None
    api_token_private_key: SecretStr | None = None
    api_token_key_id: str | None = None
    trusted_proxy_count: Annotated[int, Field(ge=0)] = 0

    stripe_secret_key: SecretStr
    stripe_webhook_secret: SecretStr
    stripe_api_base: str | None = None

    resend_api_key: SecretStr | None = None
    resend_webhook_secret: SecretStr | None = None
    email_from: str = "Escapemaster <bookings@escapemaster.test>"
    mailbox_url: str | None = None
    mailbox_smtp_host: str = "127.0.0.1"
    mailbox_smtp_port: int = 54325

    public_site_url: str
    service_url: str | None = None
    allowed_return_origins: Annotated[list[str], NoDecode] = []

    worker_concurrency: int = 8
    worker_money_slots: int = 2
    worker_lease_seconds: int = 20
    worker_poll_seconds: float = 0.5
    worker_health_port: int | None = None
    log_level: str = "info"

    @field_validator("supabase_url", "stripe_api_base", "mailbox_url", "service_url")
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @field_validator("allowed_return_origins", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip().rstrip("/") for part in value.split(",") if part.strip()]


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        pydantic.ValidationError: a variable is missing or malformed; the text names it.
    """
    return Settings()
