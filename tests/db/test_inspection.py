"""`db top` names the dearest statements, `db check` what does a database no good."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow
from typer.testing import CliRunner

from escapemaster_dev import cli
from escapemaster_dev.inspection.check import Finding, checks, findings
from escapemaster_dev.inspection.top import By, Connection, dearest
from escapemaster_dev.schema.server import Server
from escapemaster_dev.stack.errors import StackError

_FILL = "insert into private.sick select n, repeat('x', 100) from generate_series(1, 120000) as n"

_READ = (
    "do $$ begin for i in 1 .. 1001 loop perform from private.sick where n = -1; end loop; end $$"
)


@pytest.fixture
def owner(database: str) -> Iterator[Connection]:
    """As `postgres`, each statement for itself, so that statistics are told at once."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def admin(postgresql: psycopg.Connection[TupleRow], server: Server) -> Iterator[Connection]:
    """As the superuser."""
    dsn = server.admin_dsn.rpartition("/")[0] + f"/{postgresql.info.dbname}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        yield connection


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner(env={"COLUMNS": "100"}).invoke(cli.app, ["db", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_top_names_the_dearest_statement_with_its_role_and_not_its_values(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.execute("select count(*) from generate_series(1, 200000) as secret_word")
    for _ in range(50):
        owner.execute("select 'somebody@example.test' as often_asked")
    monkeypatch.setenv("DATABASE_URL", owner.info.dsn + f" password={owner.info.password}")

    [first, *_] = dearest(owner, By.MEAN, 3)
    assert "generate_series($1, $2) as secret_word" in first.text
    assert (first.role, first.calls) == ("postgres", 1)
    assert first.mean_ms == first.max_ms == first.total_ms > 0
    assert 0 < first.share <= 1

    code, said = run("top", "--by", "calls", "-n", "1", "--full")
    assert code == 0
    assert "in 50 calls of" in said
    assert "select $1 as often_asked" in said
    assert "somebody@example.test" not in said
    assert said.count("; postgres") == 1
    assert "Counted since 20" in said
    code, said = run("top", "--by", "beauty")
    assert (code, "one of: total, mean, calls, reads" in said) == (2, True)


def test_what_other_roles_run_is_shown_to_the_owner(owner: Connection, admin: Connection) -> None:
    admin.execute("set role authenticated")
    admin.execute("select 'x' as of_somebody_else")
    told = {one.text: one.role for one in dearest(owner, By.CALLS, 500)}
    assert told["select $1 as of_somebody_else"] == "authenticated"


def test_where_statements_are_not_counted_it_says_how_to_switch_that_on(
    owner: Connection, admin: Connection
) -> None:
    admin.execute("drop extension pg_stat_statements")
    with pytest.raises(StackError, match=r"is not there: `create extension pg_stat_statements"):
        dearest(owner, By.TOTAL, 1)


def found(owner: Connection, admin: Connection) -> dict[tuple[str, str], Finding]:
    admin.execute("select pg_stat_force_next_flush()")
    return {(finding.check, finding.about): finding for finding in findings(owner)}


#: What makes `private.sick` so, by check; which statement mends it.
ILLS: dict[str, tuple[str, list[str], str]] = {
    "dead rows": (
        "private.sick",
        ["update private.sick set n = n + 1"],
        "vacuum private.sick",
    ),
    "bloat": (
        "private.sick",
        ["delete from private.sick where n % 20 <> 0", "vacuum analyze private.sick"],
        "vacuum full private.sick",
    ),
    "unused index": (
        "private.sick_idx",
        ["create index sick_idx on private.sick (words, n)"],
        "drop index private.sick_idx",
    ),
    "no index": (
        "private.sick",
        [_READ],
        "select pg_stat_reset()",
    ),
    "never analyzed": ("private.sick", ["select pg_stat_reset()", _FILL], "analyze private.sick"),
    "invalid index": (
        "private.sick_key",
        ["create unique index concurrently sick_key on private.sick (words)"],
        "drop index private.sick_key",
    ),
}


@pytest.mark.parametrize("ill", ILLS)
def test_what_does_a_database_no_good_is_found_and_gone_when_it_is_mended(
    owner: Connection, admin: Connection, ill: str
) -> None:
    about, statements, mended = ILLS[ill]
    admin.execute("create table private.sick (n int, words text) with (autovacuum_enabled = off)")
    admin.execute("alter table private.sick owner to postgres")
    admin.execute(_FILL)
    # Else it would be counted once more, on top of what is seen by this:
    admin.execute("select pg_stat_force_next_flush()")
    admin.execute("analyze private.sick")
    assert {key for key in found(owner, admin) if key[1].startswith("private.sick")} == set()
    for statement in statements:
        try:
            admin.execute(statement)
        except psycopg.errors.UniqueViolation:
            continue
    finding = found(owner, admin)[ill, about]
    assert finding.says and finding.do
    admin.execute(mended)
    assert (ill, about) not in found(owner, admin)


def test_a_role_without_an_end_for_what_it_does_is_found(
    owner: Connection, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Roles are the cluster's, so the change is undone before anybody else can see it."""
    assert [key for key in found(owner, admin) if key[0] == "settings"] == []
    admin.autocommit = False
    admin.execute("alter role anon reset statement_timeout")
    [finding] = [each for each in findings(admin) if each.check == "settings"]
    assert (finding.about, "statement_timeout" in finding.says) == ("role anon", True)
    admin.rollback()


def test_the_command_ends_with_1_where_there_is_something_to_look_at(
    owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", owner.info.dsn + f" password={owner.info.password}")
    code, said = run("check")
    assert (code, f"Nothing to look at: {', '.join(checks())}." in said) == (0, True), said
    owner.execute("create table private.sick (words text)")
    owner.execute("insert into private.sick values ('x'), ('x')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute("create unique index concurrently sick_key on private.sick (words)")
    code, said = run("check")
    assert code == 1
    assert "invalid index: private.sick_key: " in said
    assert "reindex index concurrently private.sick_key" in said
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/postgres")
    with pytest.raises(StackError, match="the database cannot be reached"):
        run("check")
