"""Each rule for migrations has an example that it catches, and one that it lets pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from escapemaster_dev.deploy.__main__ import squawk
from escapemaster_dev.deploy.migrations import Accepted, check_files

FIRST = {"20260101000000_baseline_engine.sql": "create table public.rooms (id int);"}
NAME = "20260201000000_next.sql"
TIMEOUT = "set lock_timeout = '5s';\n"


def found(sql: str, accepted: Accepted | None = None, **earlier: str) -> list[tuple[str, str]]:
    files = {**FIRST, **{f"{name[1:]}.sql": text for name, text in earlier.items()}, NAME: sql}
    return [(each.rule, each.what) for each in check_files(files, accepted or Accepted())]


BAD = {
    "create view public.v as select 1": ("lock-timeout", "lock_timeout"),
    "set lock_timeout = 0; select 1": ("lock-timeout", "lock_timeout"),
    "select 1; set lock_timeout = '5s'": ("lock-timeout", "lock_timeout"),
    "alter table public.rooms alter column id type bigint": ("rewrite", "public.rooms.id"),
    "alter table rooms add column token uuid default gen_random_uuid()": (
        "rewrite",
        "public.rooms.token",
    ),
    "alter table public.rooms add column n int generated always as identity": (
        "rewrite",
        "public.rooms.n",
    ),
    "alter table public.rooms add column n int generated always as (id + 1) stored": (
        "rewrite",
        "public.rooms.n",
    ),
    "alter table public.rooms add column n bigserial": ("rewrite", "public.rooms.n"),
    "alter table public.rooms alter column name set not null": ("not-null", "public.rooms.name"),
    "alter table public.rooms add column name text not null": ("not-null", "public.rooms.name"),
    "alter table public.rooms add constraint c check (id > 0)": ("scan", "public.rooms.c"),
    "alter table public.rooms add column x int constraint c check (x > 0)": (
        "scan",
        "public.rooms.c",
    ),
    "alter table public.rooms add constraint f foreign key (x) references public.other (id)": (
        "scan",
        "public.rooms.f",
    ),
    "alter table public.rooms add constraint c check (id > 0) not valid, validate constraint c": (
        "scan",
        "public.rooms.c",
    ),
    "alter table public.rooms add constraint u unique (id)": ("index", "public.rooms.u"),
    "create index rooms_name on public.rooms (name)": ("index", "rooms_name"),
    "create index concurrently rooms_name on public.rooms (name); select 1": (
        "index",
        "rooms_name",
    ),
    "alter table public.rooms drop column name": ("dropped", "public.rooms.name"),
    "drop table if exists public.rooms": ("dropped", "public.rooms"),
    "drop view public.board": ("dropped", "public.board"),
    "drop function public.hold(uuid, int)": ("dropped", "public.hold"),
    "drop type public.answer": ("dropped", "public.answer"),
    "alter type public.answer drop attribute note": ("dropped", "public.answer.note"),
    "drop schema service": ("dropped", "service"),
    (
        "drop function public.hold(uuid, int); create function public.hold(id uuid) returns int"
        " language sql as 'select 1'"
    ): ("dropped", "public.hold"),
    "alter table public.rooms rename column name to title": ("renamed", "public.rooms.name"),
    "alter table public.rooms rename to places": ("renamed", "public.rooms"),
    "alter function public.hold(uuid) rename to keep": ("renamed", "public.hold"),
}

GOOD = [
    "alter table public.rooms add column note text",
    "alter table public.rooms add column at timestamptz not null default now()",
    "alter table public.rooms add column n int not null default 0",
    "alter table public.rooms add constraint c check (id > 0) not valid",
    "alter table public.rooms validate constraint c",
    "create index concurrently rooms_name on public.rooms (name)",
    (
        "create table public.new (id int primary key); create index new_id on public.new (id);"
        " alter table public.new add constraint c check (id > 0), alter column id set not null"
    ),
    "create or replace function public.hold(id uuid) returns int language sql as 'select 1'",
    "drop function private.body(uuid)",
    (
        "drop function public.hold(uuid); create function public.hold(id uuid, n int default 0)"
        " returns int language sql as 'select 1'"
    ),
    "alter type public.answer add attribute note text",
    "drop policy rooms_select on public.rooms; drop index public.rooms_name",
    "alter table public.rooms rename constraint a to b; alter index public.a rename to b",
    "alter table public.rooms enable row level security; grant select on public.rooms to anon",
]


@pytest.mark.parametrize("sql", BAD)
def test_what_hurts_a_running_system_is_caught(sql: str) -> None:
    rule, what = BAD[sql]
    assert found(sql if rule == "lock-timeout" else TIMEOUT + sql) == [(rule, what)]


@pytest.mark.parametrize("sql", GOOD)
def test_what_hurts_nobody_passes(sql: str) -> None:
    assert found(TIMEOUT + sql) == []


def test_not_null_comes_after_a_check_of_an_earlier_migration() -> None:
    check = "alter table public.rooms add constraint c check (id is not null and name is not null)"
    not_null = TIMEOUT + "alter table public.rooms alter column name set not null"
    earlier = TIMEOUT + check + " not valid"
    assert found(not_null, _20260102000000_check=earlier) == []
    assert found(f"{TIMEOUT}{check} not valid; {not_null}") == [("not-null", "public.rooms.name")]


def test_a_baseline_comes_first_and_nothing_of_it_is_judged() -> None:
    assert found("select 1", _20250101000000_early=TIMEOUT + "select 1")[0][0] == "order"
    assert check_files(FIRST, Accepted()) == []


def test_what_is_accepted_passes_and_must_be_needed(tmp_path: Path) -> None:
    drop = TIMEOUT + "alter table public.rooms drop column name"
    entry = '[[breach]]\nfile = "{}"\nrule = "dropped"\nwhat = "public.rooms.name"\nreason = "{}"\n'
    listed = tmp_path / "accepted.toml"
    listed.write_text(entry.format(NAME, "no release reads it"))
    accepted = Accepted.read(listed)
    assert found(drop, accepted) == []
    assert found(TIMEOUT + "select 1", accepted) == [("dropped", "public.rooms.name")]
    listed.write_text(entry.format(NAME, ""))
    with pytest.raises(ValueError, match="no reason"):
        Accepted.read(listed)


def test_a_small_table_may_be_locked_for_a_moment() -> None:
    small = Accepted(small=frozenset({"public.rooms"}))
    sql = TIMEOUT + "create index rooms_name on public.rooms (name)"
    assert found(sql, small) == []
    assert found(sql.replace("rooms (", "bookings ("), small) == [("index", "rooms_name")]


def test_squawk_is_asked_too(tmp_path: Path) -> None:
    bad = tmp_path / "bad.sql"
    bad.write_text("truncate public.rooms cascade;")
    good = tmp_path / "good.sql"
    good.write_text(TIMEOUT + "alter table public.rooms add column note text;")
    assert "truncate" in squawk([str(bad)]).lower()
    assert squawk([str(good)]) == ""
    assert squawk([]) == ""
