"""What the service and its worker read from the environment.

Each variable says here what it is for and what it looks like; `.env.example` and the table of
DEPLOY.md are made from that. The local stack writes them all to `.local/stack.env`; a deployment
sets them where it runs. An empty variable counts as absent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: Marks what only a stack on one's own machine sets: no host is asked for it.
LOCAL: Final = "local"

#: Of these one at least must be set, for the service and for its worker.
SERVICE_NEEDS: Final = (("supabase_jwks_url", "supabase_jwt_secret"),)
WORKER_NEEDS: Final = (("resend_api_key", "mailbox_url"),)


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it must be an address that begins with https:// (or http://)")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("it must be a number of seconds")
    return value


Address = Annotated[str, AfterValidator(_address)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """The configuration of one process. Each field's description says what it is for."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    supabase_url: Annotated[
        Address,
        Field(
            description="The Supabase project's address, without a path.",
            examples=["https://abcdefghijkl.supabase.co"],
        ),
    ]
    supabase_publishable_key: Annotated[
        str,
        Field(
            description="The project's public key, which web apps have too.",
            examples=["sb_publishable_..."],
        ),
    ]
    supabase_secret_key: Annotated[
        SecretStr,
        Field(
            description="The service's own key of the project: role `service_role`.",
            examples=["sb_secret_..."],
        ),
    ]
    supabase_jwks_url: Annotated[
        Address | None,
        Field(
            description="Where the keys are that verify people's tokens; wins over"
            " `SUPABASE_JWT_SECRET`, and the service needs one of both.",
            examples=["https://abcdefghijkl.supabase.co/auth/v1/.well-known/jwks.json"],
        ),
    ] = None
    supabase_jwt_secret: Annotated[
        SecretStr | None,
        Field(
            description="Verifies people's tokens (HS256) of a project that signs with a shared"
            " secret.",
            examples=["the JWT secret of the project's settings"],
        ),
    ] = None
    supabase_jwt_issuer: Annotated[
        str | None,
        Field(
            description="The `iss` that a person's token must have; not checked when absent.",
            examples=["https://abcdefghijkl.supabase.co/auth/v1"],
        ),
    ] = None

    api_token_private_key: Annotated[
        SecretStr | None,
        Field(
            description="Signs the tokens that API keys are exchanged for (ES256): a P-256 key as"
            " JWK or PEM, imported into the project as a standby key.",
            examples=['the JSON that "npx supabase gen signing-key" prints, in one line'],
        ),
    ] = None
    api_token_key_id: Annotated[
        str | None,
        Field(
            description="The `kid` under which the project knows that key; a JWK names its own.",
            examples=["a1b2c3d4-0000-4000-8000-000000000000"],
        ),
    ] = None
    api_token_secret: Annotated[
        SecretStr | None,
        Field(
            description="Signs those tokens instead (HS256); the project must know it. Else"
            " `SUPABASE_JWT_SECRET`.",
            examples=["a secret of at least 32 bytes"],
        ),
    ] = None
    trusted_proxy_count: Annotated[
        int,
        Field(
            ge=0,
            description="How many proxies of yours each request passes, every one of which adds"
            " whom it heard to `x-forwarded-for`. 0: the address is the connection's. Too few"
            " limits several clients as one; too many lets a client write its own address.",
            examples=["1"],
        ),
    ] = 0

    stripe_secret_key: Annotated[
        SecretStr, Field(description="Stripe's secret key.", examples=["sk_live_..."])
    ]
    stripe_webhook_secret: Annotated[
        SecretStr,
        Field(
            description="Signs what Stripe delivers to `/webhooks/stripe`.",
            examples=["whsec_..."],
        ),
    ]
    stripe_connect_webhook_secret: Annotated[
        SecretStr | None,
        Field(
            description="Signs what Stripe delivers there of connected accounts, whose endpoint has"
            " a secret of its own; else `STRIPE_WEBHOOK_SECRET`.",
            examples=["whsec_..."],
        ),
    ] = None
    stripe_connect_client_id: Annotated[
        str | None,
        Field(
            description="The platform's client id for OAuth (Connect's settings), by which a venue"
            " connects an account that it has already; without it venues open new ones.",
            examples=["ca_..."],
        ),
    ] = None
    stripe_api_base: Annotated[
        Address | None,
        Field(
            description="Another address than Stripe's own: the local sandbox.",
            examples=["http://127.0.0.1:54326"],
            json_schema_extra={LOCAL: True},
        ),
    ] = None

    resend_api_key: Annotated[
        SecretStr | None,
        Field(
            description="Resend's key, with which mails are sent. The worker needs it, or a"
            " local mailbox (`MAILBOX_URL`).",
            examples=["re_..."],
        ),
    ] = None
    resend_webhook_secret: Annotated[
        SecretStr | None,
        Field(
            description="Signs what Resend delivers to `/webhooks/resend`.",
            examples=["whsec_..."],
        ),
    ] = None
    email_from: Annotated[
        str,
        Field(
            description="Sender of every mail; needed beside `RESEND_API_KEY`, where its domain is"
            " verified.",
            examples=["Escapemaster <bookings@example.com>"],
        ),
    ] = "Escapemaster <bookings@escapemaster.test>"
    mailbox_url: Annotated[
        Address | None,
        Field(
            description="The web page of the local mailbox.",
            examples=["http://127.0.0.1:54324"],
            json_schema_extra={LOCAL: True},
        ),
    ] = None
    mailbox_smtp_host: Annotated[
        str,
        Field(
            description="Where mail is delivered when there is no Resend key.",
            examples=["127.0.0.1"],
            json_schema_extra={LOCAL: True},
        ),
    ] = "127.0.0.1"
    mailbox_smtp_port: Annotated[
        Port,
        Field(description="Its port.", examples=["54325"], json_schema_extra={LOCAL: True}),
    ] = 54325

    public_site_url: Annotated[
        Address,
        Field(
            description="The platform's page with the widget: mails lead there, and payments come"
            " back to it, where a calendar has no `site_url` of its own.",
            examples=["https://play.example.com"],
        ),
    ]
    service_url: Annotated[
        Address | None,
        Field(
            description="Where the internet reaches the service. Mails that ask for a review carry"
            " a link to it that ends them; without it they wait.",
            examples=["https://api.example.com"],
        ),
    ] = None
    allowed_return_origins: Annotated[
        list[str],
        NoDecode,
        Field(
            description="Further origins that a `return_url` may name, with commas between.",
            examples=["https://venue.example,https://www.venue.example"],
        ),
    ] = []

    webhooks_allow_loopback: Annotated[
        bool,
        Field(
            description="Whether a venue's webhook may lead to the worker's own machine, over http"
            " as well: for development. `private.webhook_settings` must allow it, too.",
            examples=["true"],
            json_schema_extra={LOCAL: True},
        ),
    ] = False

    worker_concurrency: Annotated[
        Count, Field(description="Jobs that one worker runs at once.", examples=["8"])
    ] = 8
    worker_money_slots: Annotated[
        int,
        Field(
            ge=0,
            description="How many of them may only be jobs that move money.",
            examples=["2"],
        ),
    ] = 2
    worker_lease_seconds: Annotated[
        Count,
        Field(description="A claimed job belongs to its worker for so long.", examples=["20"]),
    ] = 20
    worker_poll_seconds: Annotated[
        float,
        AfterValidator(_finite),
        Field(ge=0, description="Pause between two looks at an empty queue.", examples=["0.5"]),
    ] = 0.5
    worker_health_port: Annotated[
        Port | None,
        Field(
            description="Where the worker answers `/health/live`, `/health/ready` and `/metrics`,"
            " on 127.0.0.1; nowhere when absent.",
            examples=["8001"],
        ),
    ] = None
    metrics_token: Annotated[
        SecretStr | None,
        Field(
            description="What Prometheus sends as a bearer token to read the service's `/metrics`,"
            " 32 characters or more; nobody reads them when absent.",
            examples=['the 64 characters that "openssl rand -hex 32" prints'],
        ),
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Field(description="The least severe lines that are written.", examples=["info"]),
    ] = "info"
    otel_exporter_otlp_endpoint: Annotated[
        Address | None,
        Field(
            description="Where traces go, an OpenTelemetry collector's address (OTLP over HTTP);"
            " none are recorded when absent.",
            examples=["https://otlp.example.com"],
        ),
    ] = None
    otel_exporter_otlp_headers: Annotated[
        SecretStr | None,
        Field(
            description="What it asks for with them, as OpenTelemetry writes it.",
            examples=["authorization=Bearer%20..."],
        ),
    ] = None
    otel_traces_sampler_arg: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The share of requests and jobs that is traced.",
            examples=["0.1"],
        ),
    ] = 1.0
    sentry_dsn: Annotated[
        SecretStr | None,
        Field(
            description="Where faults of ours are told, an error tracker that speaks Sentry's"
            " protocol; nowhere when absent.",
            examples=["https://key@errors.example.com/1"],
        ),
    ] = None

    @field_validator(
        "supabase_url",
        "stripe_api_base",
        "mailbox_url",
        "service_url",
        "otel_exporter_otlp_endpoint",
    )
    @classmethod
    def _without_trailing_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @field_validator("allowed_return_origins", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip().rstrip("/") for part in value.split(",") if part.strip()]

    @field_validator("allowed_return_origins")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        return [_address(origin) for origin in value]

    @field_validator("supabase_publishable_key")
    @classmethod
    def _no_secret(cls, value: str) -> str:
        # It is handed to browsers.
        if value.startswith("sb_secret_"):
            raise ValueError("it is a secret key; take the publishable one")
        return value

    @field_validator("supabase_secret_key")
    @classmethod
    def _no_public_key(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("sb_publishable_"):
            raise ValueError("it is a publishable key; take the secret one")
        return value

    @field_validator("stripe_secret_key")
    @classmethod
    def _of_stripe(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("sk_", "rk_")):
            raise ValueError("it must begin with sk_ (or rk_, a restricted key)")
        return value

    @field_validator(
        "stripe_webhook_secret", "stripe_connect_webhook_secret", "resend_webhook_secret"
    )
    @classmethod
    def _signing_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith("whsec_"):
            raise ValueError("it must begin with whsec_")
        return value

    @field_validator("otel_exporter_otlp_headers")
    @classmethod
    def _pairs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            for pair in value.get_secret_value().split(","):
                name, equals, _ = pair.partition("=")
                if not (name.strip() and equals):
                    raise ValueError("it must be pairs, with commas between: name=value")
        return value

    @field_validator("sentry_dsn")
    @classmethod
    def _with_a_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parts = urlsplit(value.get_secret_value())
            if not (parts.scheme in {"http", "https"} and parts.username and parts.path[1:]):
                raise ValueError("it must be a DSN: https://key@host/project")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _not_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("it must have 32 characters or more")
        return value

    @field_validator("api_token_private_key")
    @classmethod
    def _that_signs(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            from escapemaster.keys import read_private_key

            read_private_key(value.get_secret_value())
        return value

    @field_validator("email_from")
    @classmethod
    def _sender(cls, value: str) -> str:
        from email.utils import parseaddr

        local, at, domain = parseaddr(value)[1].partition("@")
        if not (local and at and domain):
            raise ValueError("it must be an address, or a name and an address: Name <me@host>")
        return value


@dataclass(frozen=True, slots=True)
class Problem:
    """A variable that keeps a process from starting.

    Attributes:
        variable: Its name, or the names of those of which one is needed.
        fault: What is wrong with it, without its value.
        purpose: What it is for.
        example: A line for the environment.
    """

    variable: str
    fault: str
    purpose: str
    example: str


class ConfigurationError(Exception):
    """The environment lacks something, or says what cannot be meant.

    Attributes:
        problems: All of them, in the order of the settings. No value is quoted.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        first = "one variable is" if count == 1 else f"{count} variables are"
        lines = [f"cannot start: {first} missing or malformed"]
        for problem in self.problems:
            lines += [
                "",
                f"{problem.variable} {problem.fault}",
                f"    {problem.purpose}",
                f"    example: {problem.example}",
            ]
        super().__init__("\n".join(lines))


def read_settings(needs: Sequence[tuple[str, ...]] = ()) -> Settings:
    """Read the environment.

    Args:
        needs: Fields of which one at least must be set: `SERVICE_NEEDS`, `WORKER_NEEDS`.

    Raises:
        ConfigurationError: variables are missing or malformed; it has all of them.
    """
    faults: dict[str, str] = {}
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        for found in error.errors(include_url=False, include_context=False, include_input=False):
            name = str(found["loc"][0])
            said = found["msg"].removeprefix("Value error, ")
            missing = found["type"] == "missing"
            faults.setdefault(name, "is missing" if missing else f"is malformed: {said}")
    problems = [_problem(name, fault) for name, fault in faults.items()]
    problems += [_choice(names) for names in needs if not _any_given(settings, faults, names)]
    if settings and settings.resend_api_key and "email_from" not in settings.model_fields_set:
        # The default is a mailbox's, and Resend would refuse every mail.
        problems.append(_problem("email_from", "is missing, and RESEND_API_KEY is set"))
    if settings is None or problems:
        # Outside of the except clause: nothing that saw a value hangs on to the error.
        raise ConfigurationError(problems)
    return settings


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigurationError: variables are missing or malformed; it has all of them.
    """
    return read_settings()


class _Given(BaseSettings):
    """Which of the variables of a choice are set, when the settings could not be read."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    supabase_jwks_url: SecretStr | None = None
    supabase_jwt_secret: SecretStr | None = None
    resend_api_key: SecretStr | None = None
    mailbox_url: SecretStr | None = None


def _any_given(settings: Settings | None, faults: dict[str, str], names: tuple[str, ...]) -> bool:
    read: BaseSettings = settings or _Given()
    return any(name in faults or getattr(read, name) is not None for name in names)


def _problem(name: str, fault: str) -> Problem:
    field = Settings.model_fields[name]
    example = (field.examples or [""])[0]
    variable = name.upper()
    return Problem(variable, fault, field.description or "", f"{variable}={example}")


def _choice(names: tuple[str, ...]) -> Problem:
    first = _problem(names[0], "")
    return Problem(
        " or ".join(name.upper() for name in names),
        "is missing: one of both is needed",
        first.purpose,
        first.example,
    )
