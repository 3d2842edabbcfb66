"""A migration is rendered from what changed in `sql/`, and leads there whatever changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest

from escapemaster_dev.schema.migration import DESTRUCTIVE, check, is_untouched, render_migration
from escapemaster_dev.schema.project import Project, SchemaError
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.supabase_cli import run_supabase

_FOUNDATION = """\
-- Schemas and privileges.

create extension if not exists btree_gist with schema extensions;
create schema private;
alter default privileges revoke execute on functions from public;
alter default privileges in schema public
revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public
revoke all on functions from anon, authenticated, service_role;
"""

_USERS = """\
-- What follows a sign-up.

create function private.follow() returns trigger language plpgsql
set search_path = '' as $$ begin return new; end $$;

-- Replaced, since the owner of our objects may not drop a trigger of the platform's table.
create or replace trigger follow after insert on auth.users
for each row execute function private.follow();
"""

_ROOMS = """\
-- Rooms, which are games.

create table public.rooms (
  id uuid not null default gen_random_uuid(),
  name text not null,
  size int not null default 2,
  note text,
  constraint rooms_pkey primary key (id)
);

comment on table public.rooms is 'Games.';

-- for: the page of rooms
create index rooms_name_idx on public.rooms (name);

grant select on public.rooms to authenticated;
grant update (name, note) on public.rooms to authenticated;

alter table public.rooms enable row level security;

create policy rooms_select on public.rooms
for select to authenticated
using (size > 0);

create policy pictures_select on storage.objects
for select to authenticated
using (bucket_id = 'pictures');

insert into storage.buckets (id, name, public) values ('pictures', 'pictures', false)
on conflict (id) do update set public = excluded.public;

create function private.count_rooms() returns bigint language sql
set search_path = '' as $$ select count(*) from public.rooms $$;

comment on function private.count_rooms() is 'How many.';

create view public.small_rooms with (security_invoker = true)
as select id, name from public.rooms where size < 4;

create type public.offer as (
  room uuid,
  price int
);

comment on type public.offer is 'A room and its price.';
comment on column public.offer.room is 'The room.';
comment on column public.offer.price is 'In minor units.';

create table private.kinds (
  key text not null,
  label text not null,
  constraint kinds_pkey primary key (key)
);

comment on table private.kinds is 'reference data. Kinds of rooms.';

insert into private.kinds (key, label) values ('horror', 'Horror'), ('story', 'Story')
on conflict (key) do update set label = excluded.label;

create table private.keys (
  name text not null,
  secret uuid not null default gen_random_uuid(),
  constraint keys_pkey primary key (name)
);

comment on table private.keys is 'reference data by name: random in every deployment.';

insert into private.keys (name) values ('main') on conflict (name) do nothing;
"""

# One edit a line of the list, all in one migration: old text, new text.
_EDITS = [
    ("  size int not null default 2,\n", "  size bigint not null default 3,\n  mode text,\n"),
    ("  note text,\n", "  twice bigint generated always as (size * 2) stored,\n"),
    (
        "  constraint rooms_pkey primary key (id)\n",
        """  during tstzrange,
  constraint rooms_pkey primary key (id),
  constraint rooms_size check (size < 100),
  constraint rooms_alone exclude using gist
  (id extensions.gist_uuid_ops with =, during with &&) where (mode <> 'off')
""",
    ),
    ("is 'Games.'", "is 'Games, and how large.'"),
    ("on public.rooms (name);", "on public.rooms (name, size);"),
    (
        "grant update (name, note) on",
        "grant update (name) on public.rooms to authenticated;\ngrant insert (mode) on",
    ),
    ("using (size > 0)", "using (size > 1)"),
    ("using (bucket_id = 'pictures')", "using (bucket_id = 'pictures' and name <> '')"),
    ("'pictures', false)", "'pictures', true)"),
    ("select count(*) from public.rooms", "select count(mode) from public.rooms"),
    ("comment on function private.count_rooms() is 'How many.';\n", ""),
    ("as select id, name from", "as select id, name, mode from"),
    ("  price int\n", "  price int,\n  currency text\n"),
    (
        "is 'In minor units.';",
        "is 'In cents.';\ncomment on column public.offer.currency is 'ISO 4217.';",
    ),
    ("  label text not null,\n", "  label text not null,\n  position int not null default 0,\n"),
    (
        """insert into private.kinds (key, label) values ('horror', 'Horror'), ('story', 'Story')
on conflict (key) do update set label = excluded.label;""",
        """-- In the order of the menu.
insert into private.kinds (key, label, position) values ('horror', 'Fear', 1)
on conflict (key) do update set label = excluded.label, position = excluded.position;""",
    ),
    ("(name) values ('main')", "(name) values ('main'), ('second')"),
]


@pytest.fixture(scope="module")
def initial(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Project:
    """A project with its first migration; the tests change copies of it."""
    project = Project(tmp_path_factory.mktemp("initial"))
    (project.sql / "00_foundation").mkdir(parents=True)
    (project.sql / "10_rooms").mkdir()
    (project.sql / "00_foundation" / "010_schemas.sql").write_text(_FOUNDATION)
    (project.sql / "00_foundation" / "020_users.sql").write_text(_USERS)
    (project.sql / "10_rooms" / "010_rooms.sql").write_text(_ROOMS)
    _render(project, server, "initial")
    return project


@pytest.fixture
def project(initial: Project, tmp_path: Path) -> Project:
    shutil.copytree(initial.root, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)


def _rooms(project: Project) -> Path:
    return project.sql / "10_rooms" / "010_rooms.sql"


def _render(project: Project, server: Server, name: str) -> str:
    path = render_migration(name, project=project, server=server)
    assert path is not None
    assert re.fullmatch(rf"\d{{14}}_{name}\.sql", path.name)
    content = path.read_text()
    assert is_untouched(content)
    assert re.search(r"\A(?:--.*\n)+\nset lock_timeout = '5s';\n", content)
    return content


def test_the_first_migration_reads_like_its_sources(project: Project, server: Server) -> None:
    [path] = project.migration_files()
    parts = re.split(r"-- =+\n-- (sql/.*)\n-- =+\n", path.read_text())[1:]
    assert dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True)) == {
        "sql/00_foundation/010_schemas.sql": _FOUNDATION.strip(),
        "sql/00_foundation/020_users.sql": _USERS.strip(),
        "sql/10_rooms/010_rooms.sql": _ROOMS.strip(),
    }
    assert render_migration("again", project=project, server=server) is None


def test_every_kind_of_change_leads_to_what_sql_describes(project: Project, server: Server) -> None:
    content = _rooms(project).read_text()
    for old, new in _EDITS:
        assert content.count(old) == 1, old
        content = content.replace(old, new)
    _rooms(project).write_text(content)

    users = project.sql / "00_foundation" / "020_users.sql"
    users.write_text(_USERS.replace("after insert on", "after insert or update on"))

    difference = check(project=project, server=server)
    assert "-table public.rooms: column note text" in difference
    assert "+table public.rooms: column mode text" in difference

    migration = _render(project, server, "change_rooms")
    assert check(project=project, server=server) == ""

    # Changes are pg-delta's, what is new is copied with its comments, nothing is repeated.
    assert "create table" not in migration
    assert migration.count("comment on table public.rooms") == 1
    assert "-- In the order of the menu.\ninsert into private.kinds" in migration
    assert f"{DESTRUCTIVE}\nalter table" in migration
    assert "delete from private.kinds\nwhere (key) in (\n  ('story')\n);" in migration

    # On a database with rows, through the way that deployments take.
    first, second = project.migration_files()
    with server.scratch("deployed") as dsn:
        second.rename(project.root / second.name)
        run_supabase("db", "push", f"--remote={dsn}", "--yes", workdir=project.root)
        with psycopg.connect(dsn) as connection:
            connection.execute("insert into public.rooms (name, size) values ('x', 5)")
            [(secret,)] = connection.execute("select secret from private.keys")
        shutil.move(project.root / second.name, second)
        run_supabase("db", "push", f"--remote={dsn}", "--yes", workdir=project.root)
        with psycopg.connect(dsn) as connection:
            assert connection.execute("select size, twice from public.rooms").fetchall() == [
                (5, 10)
            ]
            assert connection.execute(
                "select secret from private.keys where name = 'main'"
            ).fetchall() == [(secret,)]
    assert first.name < second.name


def test_a_new_field_of_a_type_goes_last(project: Project, server: Server) -> None:
    # A migration appends it, and rows are made of the fields in their order.
    rooms = _rooms(project)
    content = rooms.read_text()
    rooms.write_text(content.replace("  price int\n", "  currency text,\n  price int\n"))
    with pytest.raises(SchemaError, match="goes last") as refused:
        render_migration("middle", project=project, server=server)
    assert "field 2 currency text" in str(refused.value)
    assert len(project.migration_files()) == 1


def test_going_back_to_an_earlier_text_is_a_change_like_any_other(
    project: Project, server: Server
) -> None:
    changed = _ROOMS.replace("'Games.'", "'Rooms.'").replace("'Horror'", "'Fear'")
    _rooms(project).write_text(
        changed.replace("grant select on public.rooms to authenticated;", "")
    )
    _render(project, server, "change")
    _rooms(project).write_text(_ROOMS)

    migration = _render(project, server, "change_back")

    assert "is 'Games.'" in migration.replace("IS", "is")
    assert "grant select" in migration
    assert "('horror', 'Horror')" in migration
    assert check(project=project, server=server) == ""


def test_an_object_that_leaves_sql_leaves_the_database(project: Project, server: Server) -> None:
    (project.sql / "10_rooms" / "010_rooms.sql").unlink()

    migration = _render(project, server, "remove_rooms")

    assert f"{DESTRUCTIVE}\ndrop table" in migration
    assert "delete from storage.buckets" in migration
    assert check(project=project, server=server) == ""


def test_nothing_is_written_when_no_statement_leads_there(project: Project, server: Server) -> None:
    # pg-delta is not asked for default privileges, and sql/ holds no statement that undoes one.
    foundation = project.sql / "00_foundation" / "010_schemas.sql"
    foundation.write_text(
        _FOUNDATION.replace(
            "revoke execute on functions from public", "revoke usage on types from public"
        )
    )

    with pytest.raises(SchemaError, match="would not lead to what sql/ describes"):
        render_migration("lost", project=project, server=server)
    assert len(project.migration_files()) == 1


@pytest.mark.parametrize("name", ["", "Add rooms", "add-rooms", "../x"])
def test_a_name_says_what_the_migration_does(project: Project, name: str) -> None:
    with pytest.raises(SchemaError, match="is no name for a migration"):
        render_migration(name, project=project)


def test_an_error_in_sql_names_file_and_line(project: Project, server: Server) -> None:
    _rooms(project).write_text("-- Rooms.\n\ncreate schema a;\n\n-- Why.\nselect a.b();\n")
    with pytest.raises(SchemaError, match=r"010_rooms\.sql:6: function a\.b\(\) does not exist"):
        check(project=project, server=server)
