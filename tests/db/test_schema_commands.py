"""The commands that keep migrations, types and register in step with `sql/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from escapemaster_dev.schema import cli, migration, register, types
from escapemaster_dev.schema.project import PROJECT, Project, SchemaError
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.supabase_cli import run_supabase


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli.app, arguments)
    return result.exit_code, result.output


def _answering(value: object) -> Callable[..., object]:
    return lambda *_, **__: value


def test_a_new_migration_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = PROJECT.root / "README.md"
    monkeypatch.setattr(migration, "render_migration", _answering(written))
    assert _run("migration", "add_rooms") == (
        0,
        "Wrote README.md. Read it before you commit it.\n",
    )


def test_a_migration_that_destroys_data_comes_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "supabase" / "1_x.sql"
    path.parent.mkdir()
    path.write_text(f"{migration.DESTRUCTIVE}\ndrop table rooms;\n")
    monkeypatch.setattr(cli, "PROJECT", Project(tmp_path))
    monkeypatch.setattr(migration, "render_migration", _answering(path))
    assert "It destroys data" in _run("migration", "drop_rooms")[1]


def test_no_difference_is_no_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "render_migration", _answering(None))
    code, output = _run("migration", "add_rooms")
    assert code == 0
    assert "nothing to write" in output


@pytest.mark.parametrize(
    ("found", "code", "says"), [("", 0, "the same database"), ("-table x", 1, "-table x")]
)
def test_check_fails_with_the_difference(
    monkeypatch: pytest.MonkeyPatch, found: str, code: int, says: str
) -> None:
    monkeypatch.setattr(migration, "check", _answering(found))
    exit_code, output = _run("check")
    assert exit_code == code
    assert says in output


def test_types_names_what_it_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(types, "write_types", lambda: [PROJECT.python_types])
    assert _run("types") == (0, "Wrote python_api/escapemaster/database_types.py.\n")


def test_an_error_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise SchemaError("sql/x.sql:1: no")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit, match="1"):
        cli.main()
    assert capsys.readouterr().err == "sql/x.sql:1: no\n"


def test_a_command_of_supabase_that_fails_says_why() -> None:
    with pytest.raises(SchemaError, match="supabase db nonsense failed"):
        run_supabase("db", "nonsense")


_PAGE = f"# Map\n\n{register.BEGIN}\nold\n{register.END}\n\nThe end.\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_register_is_written_between_its_markers(
    monkeypatch: pytest.MonkeyPatch, project: Project, server: Server
) -> None:
    @contextmanager
    def given() -> Iterator[Server]:
        yield server

    (project.sql / "00_foundation").mkdir(parents=True)
    (project.sql / "00_foundation" / "010_x.sql").write_text(
        "create schema private;\n"
        "create function private.f(a int, b text) returns int language sql security definer\n"
        "set search_path = '' as 'select 1';\n"
        "comment on function private.f(int, text) is "
        "'definer: reads a|b, e.g. keys. Never granted.';\n"
    )
    project.architecture.write_text(_PAGE)
    monkeypatch.setattr(cli, "PROJECT", project)
    monkeypatch.setattr(cli, "scratch_server", given)

    assert _run("register") == (0, "Wrote the register.\n")
    assert project.architecture.read_text() == (
        f"# Map\n\n{register.BEGIN}\n"
        "| function | why it runs as its owner |\n|---|---|\n"
        "| `private.f(integer, text)` | reads a\\|b, e.g. keys |\n"
        f"{register.END}\n\nThe end.\n"
    )
    assert _run("register") == (0, "The register is up to date.\n")


@pytest.mark.parametrize("content", [None, "# Map\n"])
def test_a_page_without_markers_has_no_register(
    project: Project, sources_dsn: str, content: str | None
) -> None:
    if content is not None:
        project.architecture.write_text(content)
    assert register.read_register(project) is None
    with (
        psycopg.connect(sources_dsn) as connection,
        pytest.raises(SchemaError, match="does not hold"),
    ):
        register.write_register(connection, project)


def test_half_a_pair_of_markers_is_an_error(project: Project) -> None:
    project.architecture.write_text(f"# Map\n{register.BEGIN}\n")
    with pytest.raises(SchemaError, match="needs both"):
        register.read_register(project)
