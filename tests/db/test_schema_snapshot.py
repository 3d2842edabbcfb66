"""The listing that "the same database" is measured with misses nothing that matters.

Each case changes one thing that pg-delta's Supabase profile hides, or that a careless listing
would; the listing has to change with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from escapemaster_dev.schema.project import SchemaError
from escapemaster_dev.schema.reference import Connection, corrections, reference_tables
from escapemaster_dev.schema.server import Server
from escapemaster_dev.schema.snapshot import difference, list_facts

_SETUP = """
create extension btree_gist with schema extensions;
create schema private;
create table public.rooms (
  id uuid primary key, name text not null default 'x', size int,
  twice int generated always as (size * 2) stored,
  during tstzrange, status text not null default 'on', open boolean default true
);
comment on table public.rooms is 'Games.';
comment on column public.rooms.name is 'What it is called.';
alter table public.rooms enable row level security;
create policy rooms_select on public.rooms for select to authenticated using (id is not null);
create index rooms_name_idx on public.rooms (name) where size > 1;
create function public.size(id uuid, floor int default 1) returns int language sql
set search_path = '' as 'select 1';
create function private.follow() returns trigger language plpgsql
set search_path = '' as 'begin return new; end';
create trigger rooms_follow before update on public.rooms
for each row execute function private.follow();
create view public.names with (security_invoker = true) as select name from public.rooms;
create sequence public.numbers;
create type public.offer as (room uuid, price int);
create table private.kinds (key text primary key, label text, created_at timestamptz default now());
comment on table private.kinds is 'reference data. Kinds.';
insert into private.kinds values ('a', 'A'), ('b', 'B');
create table private.keys (name text primary key, secret text default gen_random_uuid()::text);
comment on table private.keys is 'reference data by name: random in every deployment.';
insert into private.keys (name) values ('main');
create table private.uses (kind text primary key references private.kinds (key), note text);
comment on table private.uses is 'reference data.';
"""

_CHANGES = {
    "column type": "alter table public.rooms alter status type varchar(9)",
    "column default": "alter table public.rooms alter name set default 'y'",
    "column nullability": "alter table public.rooms alter name drop not null",
    "column storage": "alter table public.rooms alter name set storage external",
    "new column": "alter table public.rooms add note text",
    "generated column": "alter table public.rooms drop twice, add twice int",
    "identity": "alter table private.kinds add position int generated always as identity",
    "check": "alter table public.rooms add constraint big check (size > 0)",
    "unvalidated check": "alter table public.rooms add constraint big check (size > 0) not valid",
    "exclusion constraint": "alter table public.rooms add constraint alone"
    " exclude using gist (during with &&) where (status <> 'off')",
    "deferrable key": "alter table public.rooms add constraint one unique (name) deferrable",
    "foreign key action": "alter table private.uses drop constraint uses_kind_fkey,"
    " add constraint uses_kind_fkey foreign key (kind) references private.kinds on delete cascade",
    "index": "create index on public.rooms (size)",
    "index predicate": "drop index public.rooms_name_idx;"
    " create index rooms_name_idx on public.rooms (name)",
    "row level security": "alter table public.rooms disable row level security",
    "forced row level security": "alter table public.rooms force row level security",
    "storage parameter": "alter table public.rooms set (fillfactor = 90)",
    "policy expression": "alter policy rooms_select on public.rooms using (true)",
    "policy role": "alter policy rooms_select on public.rooms to anon",
    "policy kind": "drop policy rooms_select on public.rooms; create policy rooms_select"
    " on public.rooms as restrictive for select to authenticated using (id is not null)",
    "policy on storage.objects": "create policy pictures on storage.objects"
    " for select to authenticated using (false)",
    "comment of a policy": "comment on policy rooms_select on public.rooms is 'x'",
    "trigger": "drop trigger rooms_follow on public.rooms; create trigger rooms_follow"
    " after update on public.rooms for each row execute function private.follow()",
    "trigger that is off": "alter table public.rooms disable trigger rooms_follow",
    "trigger on auth.users": "create trigger follow after insert on auth.users"
    " for each row execute function private.follow()",
    "table privilege": "grant select on private.kinds to authenticated",
    "column privilege": "grant update (name) on public.rooms to authenticated",
    "grant option": "grant select on public.rooms to postgres with grant option;"
    " grant select on public.rooms to authenticated with grant option",
    "sequence privilege": "revoke usage on sequence public.numbers from anon",
    "function privilege": "revoke execute on function public.size(uuid, int) from public",
    "schema privilege": "grant usage on schema private to anon",
    "default privilege": "alter default privileges revoke execute on functions from public",
    "default privilege of a schema": "alter default privileges in schema public"
    " grant execute on functions to public",
    "function body": "create or replace function public.size(id uuid, floor int default 1)"
    " returns int language sql set search_path = '' as 'select 2'",
    "function argument default": "create or replace function public.size(id uuid,"
    " floor int default 2) returns int language sql set search_path = '' as 'select 1'",
    "function security": "alter function public.size(uuid, int) security definer",
    "function volatility": "alter function public.size(uuid, int) stable",
    "function search_path": "alter function public.size(uuid, int) reset search_path",
    "comment of a function": "comment on function public.size(uuid, int) is 'One.'",
    "comment of a table": "comment on table public.rooms is 'Rooms.'",
    "comment of a column": "comment on column public.rooms.name is null",
    "comment of a constraint": "comment on constraint rooms_pkey on public.rooms is 'x'",
    "comment of an index": "comment on index public.rooms_name_idx is 'x'",
    "comment of a schema": "comment on schema private is 'x'",
    "view": "create or replace view public.names with (security_invoker = true)"
    " as select upper(name) as name from public.rooms",
    "view option": "alter view public.names reset (security_invoker)",
    "sequence": "alter sequence public.numbers increment 2",
    "extension": "create extension citext with schema extensions",
    "order of a type's fields": "alter type public.offer drop attribute room,"
    " add attribute room uuid",
    "domain": "create domain public.size as int check (value > 0)",
    "enum": "create type public.colour as enum ('red')",
    "statistics": "create statistics public.linked on name, size from public.rooms",
    "table in another schema": "create schema extra; create table extra.things (id int)",
    "reference row": "update private.kinds set label = 'Z' where key = 'a'",
    "missing reference row": "delete from private.kinds where key = 'b'",
    "local part of a reference row": "insert into private.keys (name) values ('second')",
    "bucket": "insert into storage.buckets (id, name, public) values ('x', 'x', true)",
    "row of a table that should be empty": "insert into public.rooms (id)"
    " values ('00000000-0000-7000-8000-000000000000')",
}

_SAME = {
    "order of columns": "alter table public.rooms drop open, add open boolean default true",
    "timestamp of a reference row": "update private.kinds set created_at = 'yesterday'",
    "random part of a reference row": "update private.keys set secret = 'other'",
    "privileges that were built in already": "grant select on public.rooms to postgres",
}


@pytest.fixture(scope="module")
def prepared(server: Server) -> Iterator[str]:
    with server.scratch("snapshot") as dsn:
        with psycopg.connect(dsn) as connection:
            connection.execute(_SETUP)
        yield dsn


@pytest.fixture
def connection(prepared: str) -> Iterator[psycopg.Connection[TupleRow]]:
    with psycopg.connect(prepared) as connection:
        yield connection
        connection.rollback()


@pytest.mark.parametrize("change", _CHANGES.values(), ids=_CHANGES)
def test_it_shows(change: str, connection: Connection) -> None:
    before = list_facts(connection)
    connection.execute("set local search_path to default")
    connection.execute(change.encode())
    assert difference(before, list_facts(connection), ("before", "after")) != ""


@pytest.mark.parametrize("change", _SAME.values(), ids=_SAME)
def test_it_does_not_mind(change: str, connection: Connection) -> None:
    before = list_facts(connection)
    connection.execute("set local search_path to default")
    connection.execute(change.encode())
    assert difference(before, list_facts(connection), ("before", "after")) == ""


def test_a_long_fact_is_indented_below_its_object(connection: Connection) -> None:
    facts = list_facts(connection)
    start = facts.index("function private.follow(): definition")
    assert facts[start + 1] == "    CREATE OR REPLACE FUNCTION private.follow()"


def test_reference_tables_come_before_those_that_refer_to_them(connection: Connection) -> None:
    names = [str(table) for table in reference_tables(connection)]
    assert set(names) == {"private.keys", "private.kinds", "private.uses", "storage.buckets"}
    assert names.index("private.kinds") < names.index("private.uses")


def test_reference_rows_are_corrected_in_an_order_that_foreign_keys_allow(
    server: Server, connection: Connection
) -> None:
    connection.execute("insert into private.uses values ('b', 'y')")
    with server.scratch("desired") as dsn, psycopg.connect(dsn) as desired:
        desired.execute(_SETUP)
        desired.execute("delete from private.kinds where key = 'b'")
        desired.execute("insert into private.kinds values ('c', 'it''s'), ('d', null)")
        desired.execute("insert into private.uses values ('c', 'x')")

        for statement in corrections(connection, desired):
            connection.execute(statement.encode())

        assert list(corrections(connection, desired)) == []
    rows = connection.execute("select key, label from private.kinds order by key").fetchall()
    assert rows == [("a", "A"), ("c", "it's"), ("d", None)]
    assert connection.execute("select * from private.uses").fetchall() == [("c", "x")]


def test_a_row_that_only_sql_can_write_is_asked_for(server: Server, connection: Connection) -> None:
    with server.scratch("desired") as dsn, psycopg.connect(dsn) as desired:
        desired.execute(_SETUP)
        desired.execute("insert into private.keys (name) values ('second')")
        with pytest.raises(
            SchemaError, match=r"private\.keys: rows differ that only sql/ can write"
        ):
            list(corrections(connection, desired))


def test_a_reference_table_must_be_declared_soundly(connection: Connection) -> None:
    connection.execute("comment on table private.keys is 'reference data by nome: x'")
    with pytest.raises(SchemaError, match=r"unknown columns: .*nome"):
        reference_tables(connection)
    connection.execute("comment on table private.keys is 'reference data.'")
    connection.execute("alter table private.keys drop constraint keys_pkey")
    with pytest.raises(SchemaError, match=r"private\.keys: a reference table needs a primary key"):
        reference_tables(connection)
