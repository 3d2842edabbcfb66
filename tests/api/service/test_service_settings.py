"""What a process says of an environment that it cannot start with."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from escapemaster.cli import app
from escapemaster.settings import (
    SERVICE_NEEDS,
    WORKER_NEEDS,
    ConfigurationError,
    Settings,
    get_settings,
    read_settings,
)

REQUIRED = [name.upper() for name, field in Settings.model_fields.items() if field.is_required()]
WHOLE = {
    "SUPABASE_URL": "https://project.example.test/",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_1",
    "SUPABASE_SECRET_KEY": "sb_secret_1",
    "SUPABASE_JWKS_URL": "https://project.example.test/jwks.json",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
    "RESEND_API_KEY": "re_1",
    "EMAIL_FROM": "Venue <bookings@venue.example.test>",
    "PUBLIC_SITE_URL": "https://play.example.test",
}
#: What is no value of the variable. What a person typed by mistake may be a secret of another one.
MALFORMED = {
    "SUPABASE_URL": "hunter2-without-a-scheme",
    "SUPABASE_PUBLISHABLE_KEY": "sb_secret_hunter2",
    "SUPABASE_SECRET_KEY": "sb_publishable_hunter2",
    "SUPABASE_JWKS_URL": "ftp://hunter2",
    "API_TOKEN_PRIVATE_KEY": "-----hunter2-----",
    "TRUSTED_PROXY_COUNT": "hunter2",
    "STRIPE_SECRET_KEY": "pk_live_hunter2",
    "STRIPE_WEBHOOK_SECRET": "hunter2",
    "STRIPE_CONNECT_WEBHOOK_SECRET": "hunter2",
    "STRIPE_API_BASE": "hunter2",
    "RESEND_WEBHOOK_SECRET": "hunter2",
    "EMAIL_FROM": "hunter2",
    "MAILBOX_URL": "hunter2",
    "MAILBOX_SMTP_PORT": "65536",
    "PUBLIC_SITE_URL": "hunter2",
    "SERVICE_URL": "https://:443/hunter2",
    "ALLOWED_RETURN_ORIGINS": "https://venue.example.test,hunter2",
    "WEBHOOKS_ALLOW_LOOPBACK": "hunter2",
    "WORKER_CONCURRENCY": "0",
    "WORKER_MONEY_SLOTS": "-1",
    "WORKER_LEASE_SECONDS": "hunter2",
    "WORKER_POLL_SECONDS": "nan",
    "WORKER_HEALTH_PORT": "hunter2",
    "METRICS_TOKEN": "hunter2",
    "LOG_LEVEL": "hunter2",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "hunter2",
    "OTEL_EXPORTER_OTLP_HEADERS": "hunter2",
    "OTEL_TRACES_SAMPLER_ARG": "hunter2",
    "SENTRY_DSN": "https://errors.example.test/hunter2",
}


@pytest.fixture(autouse=True)
def _nothing_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(command: str, environment: dict[str, str]) -> Result:
    return CliRunner().invoke(app, [command], env=environment)


@pytest.mark.parametrize("command", ["serve", "worker", "jobs"])
def test_all_that_is_missing_is_said_at_once_with_its_purpose_and_an_example(command: str) -> None:
    done = run(command, {})
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    for name in REQUIRED:
        field = Settings.model_fields[name.lower()]
        assert f"\n{name} is missing\n    {field.description}\n" in done.stderr
        assert field.examples
        assert f"    example: {name}={field.examples[0]}\n" in done.stderr
    assert ("SUPABASE_JWKS_URL or SUPABASE_JWT_SECRET is" in done.stderr) == (command == "serve")
    assert ("RESEND_API_KEY or MAILBOX_URL is" in done.stderr) == (command == "worker")


def test_a_process_says_it_without_a_traceback() -> None:
    bare = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}}
    done = subprocess.run(
        [sys.executable, "-m", "escapemaster", "worker"],
        env={**bare, "STRIPE_SECRET_KEY": "hunter2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("escapemaster cannot start: 7 variables are missing or malformed")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr
    assert "pydantic" not in done.stderr


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_variable_is_named_and_its_value_is_told_nowhere(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in {**WHOLE, name: MALFORMED[name]}.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(SERVICE_NEEDS + WORKER_NEEDS)
    error = caught.value
    assert [problem.variable for problem in error.problems] == [name]
    assert error.problems[0].fault.startswith("is malformed: ")
    assert error.__context__ is None
    assert error.__cause__ is None
    assert error.__traceback__ is not None
    ours = error.__traceback__.tb_next  # the first frame is this test's
    told = "".join(
        traceback.TracebackException(type(error), error, ours, capture_locals=True).format()
    )
    assert "read_settings" in told
    assert MALFORMED[name] not in str(error) + repr(error)
    assert "hunter2" not in told


def test_every_variable_that_can_be_malformed_is_tried() -> None:
    free = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if field.annotation in (str, str | None, SecretStr | None)
    }
    assert Settings.model_fields.keys() == {name.lower() for name in MALFORMED.keys() | free}


def test_a_whole_environment_is_read_and_its_secrets_are_not_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in WHOLE.items():
        monkeypatch.setenv(variable, value)
    settings = read_settings(SERVICE_NEEDS + WORKER_NEEDS)
    assert settings.supabase_url == "https://project.example.test"
    for secret in ("sb_secret_1", "sk_test_1", "whsec_1", "re_1"):
        assert secret not in repr(settings) + str(settings) + settings.model_dump_json()


def test_a_key_of_resend_needs_a_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in WHOLE.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.delenv("EMAIL_FROM")
    with pytest.raises(ConfigurationError, match="EMAIL_FROM is missing"):
        read_settings(WORKER_NEEDS)


def test_every_variable_has_a_purpose_and_an_example_that_is_valid() -> None:
    told = {}
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.examples, name
        told[name] = field.examples[0]
    del told["api_token_private_key"]  # the words for where it comes from
    Settings.model_validate(told)
