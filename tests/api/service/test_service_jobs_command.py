"""`escapemaster jobs`: what was given up, and once more."""

from __future__ import annotations

import httpx
import pytest
from typer.main import get_group
from typer.testing import CliRunner, Result

from escapemaster import database
from escapemaster.cli import app
from escapemaster.settings import Settings, get_settings
from escapemaster_dev.cli import app as local_app

from .fakes import FakePostgrest

JOB = {
    "id": 12,
    "kind": "email.send",
    "organization_id": None,
    "payload": {"template": "booking_confirmed"},
    "attempts": 25,
    "last_error": "HTTP 401 [missing_api_key]",
    "finished_at": "2026-02-14T18:30:00Z",
}

QUEUE = {"queued": 7, "running": 2, "dead": 1, "oldest_queued_seconds": 93}


@pytest.fixture(autouse=True)
def _over_fakes(
    monkeypatch: pytest.MonkeyPatch, postgrest: FakePostgrest, settings: Settings
) -> None:
    pool = database.connection_pool

    def connection_pool() -> object:
        return pool(postgrest.transport)

    monkeypatch.setattr("escapemaster.database.connection_pool", connection_pool)
    monkeypatch.setattr("escapemaster.cli.jobs._settings", lambda: settings)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["jobs", *arguments], env={"COLUMNS": "200"})


def test_it_lists_what_was_given_up_and_why(postgrest: FakePostgrest) -> None:
    postgrest.answer("list_dead_jobs", [JOB])
    postgrest.answer("queue_statistics", QUEUE)
    shown = run("--limit", "5", "--before", "20")
    assert shown.exit_code == 0
    assert shown.output.startswith(
        "7 waiting (the oldest due one for 93 s), 2 running, 1 given up\n"
    )
    for said in ("12", "email.send", "2026-02-14 18:30", "HTTP 401 [missing_api_key]"):
        assert said in shown.output
    assert postgrest.called("list_dead_jobs") == [{"max_jobs": 5, "before_id": 20}]


def test_it_lists_what_was_ignored_and_why(postgrest: FakePostgrest) -> None:
    job = {**JOB, "kind": "stripe.sync", "last_error": "ignored: resource_missing: HTTP 404"}
    postgrest.answer("list_dead_jobs", [job])
    postgrest.answer("queue_statistics", QUEUE)
    shown = run("--ignored").output
    assert "ignored: resource_missing" in shown
    assert "stripe.sync" in shown
    [asked] = postgrest.called("list_dead_jobs")
    assert asked["ignored"] is True


def test_it_says_so_when_nothing_was(postgrest: FakePostgrest) -> None:
    postgrest.answer("list_dead_jobs", [])
    postgrest.answer("queue_statistics", QUEUE)
    assert "No job was given up." in run().output


def test_it_queues_jobs_once_more(postgrest: FakePostgrest) -> None:
    postgrest.answer("retry_job", {"id": 12, "kind": "email.send", "status": "queued"})
    done = run("retry", "12", "13")
    assert (done.exit_code, done.stdout) == (0, "12: queued\n13: queued\n")
    assert postgrest.called("retry_job") == [{"job_id": 12}, {"job_id": 13}]
    assert not postgrest.called("list_dead_jobs")


def test_a_job_that_cannot_be_retried_does_not_stop_the_next(postgrest: FakePostgrest) -> None:
    postgrest.answer(
        "retry_job",
        httpx.Response(
            404,
            json={"code": "PT404", "message": "job_not_found", "hint": "Choose.", "details": ""},
        ),
        {"id": 13, "kind": "email.send", "status": "queued"},
    )
    done = run("retry", "12", "13")
    assert (done.exit_code, done.stdout) == (1, "13: queued\n")
    assert "12: job_not_found. Choose." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "kind"), [(("--all",), None), (("--kind", "email.send"), "email.send")]
)
def test_it_queues_all_or_all_of_a_kind_once_more(
    postgrest: FakePostgrest, arguments: tuple[str, ...], kind: str | None
) -> None:
    postgrest.answer("retry_dead_jobs", {"queued": 7, "superseded": 1})
    done = run("retry", *arguments)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "7 queued",
        "1 left alone: another job does the same already",
    ]
    assert postgrest.called("retry_dead_jobs") == [{"kind": kind}]


@pytest.mark.parametrize("arguments", [(), ("12", "--all"), ("--all", "--kind", "email.send")])
def test_it_asks_which_jobs_are_meant(postgrest: FakePostgrest, arguments: tuple[str, ...]) -> None:
    done = run("retry", *arguments)
    assert done.exit_code == 2
    assert not postgrest.calls


def test_the_environment_says_whose_jobs(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.undo()
    get_settings.cache_clear()
    for name, value in {
        "SUPABASE_URL": "http://theirs.test",
        "SUPABASE_PUBLISHABLE_KEY": "theirs",
        "SUPABASE_SECRET_KEY": "theirs",
        "STRIPE_SECRET_KEY": "sk_test_x",
        "STRIPE_WEBHOOK_SECRET": "whsec_x",
        "PUBLIC_SITE_URL": "http://site.test",
    }.items():
        monkeypatch.setenv(name, value)
    assert get_settings().supabase_url == "http://theirs.test"
    get_settings.cache_clear()


def test_what_a_deployment_runs_the_local_command_knows_too() -> None:
    deployed, local = (set(get_group(one).commands) for one in (app, local_app))
    assert deployed - local == set()
