"""Permissions and guards belong together, and the page that lists them is up to date."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from client import Connection
from escapemaster_dev.schema.permission_table import (
    AND,
    EVERYBODY,
    OWN,
    functions,
    guards_of,
    path_of,
    policies,
    render,
)
from escapemaster_dev.stack.config import ROOT
from matrix.expectations import NOBODY, expectations
from matrix.house import House

_EXPECTED = expectations()
_IN_PYTHON = re.compile(r"require_permission(?:_in_path)?\(\s*[\"']([a-z_]+:[a-z_]+)[\"']\s*\)")


@pytest.fixture
def owner(house: House) -> Iterator[Connection]:
    """The catalogue, as the owner of our objects sees it."""
    with house.connection.transaction():
        house.connection.execute("set local role postgres")
        yield house.connection


def guards(connection: Connection) -> set[str]:
    """Every permission that something asks for: policies, functions, reference data, routes."""
    found = {key for policy in policies(connection) for w in policy.opens for key in w.split(AND)}
    for (body,) in connection.execute(
        "select prosrc from pg_proc where pronamespace in"
        " ('public'::regnamespace, 'private'::regnamespace, 'service'::regnamespace)"
    ):
        found |= set(guards_of(body))
    for (permission,) in connection.execute(
        "select distinct permission from private.booking_transitions where permission is not null"
    ):
        found.add(permission)
    for path in (ROOT / "python_api" / "escapemaster").rglob("*.py"):
        # A docstring's example shows how, and guards nothing.
        found |= {p for p in _IN_PYTHON.findall(path.read_text()) if "/api/auth" not in str(path)}
    return found - {EVERYBODY, OWN}


def catalogue(connection: Connection) -> set[str]:
    return {key for (key,) in connection.execute("select key from public.permissions")}


def test_every_permission_guards_something(owner: Connection) -> None:
    assert catalogue(owner) - guards(owner) == set()


def test_every_guard_s_permission_is_in_the_catalogue(owner: Connection) -> None:
    assert guards(owner) - catalogue(owner) == set()


def test_every_default_organization_asks_for_a_permission_of_the_catalogue(
    owner: Connection,
) -> None:
    asked = {
        permission
        for (default,) in owner.execute("select pg_get_expr(adbin, adrelid) from pg_attrdef")
        for permission in re.findall(r"organization_with\('([^']+)'", default)
    }
    assert asked - catalogue(owner) == set()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("perform private.require_permission(f.organization_id, 'a:b');", ["a:b"]),
        ("if not private.has_permission(f.organization_id,\n  'a:b') then", ["a:b"]),
        ("x = (select private.organization_with('a:b'))", ["a:b"]),
        ("x = (select private.folder_with('a:b'))", ["a:b"]),
        ("or 'a:b' in (select private.held_permissions(e.organization_id))", ["a:b"]),
        ("perform private.require_permission(coalesce(a, b), 'a:b');", ["a:b"]),
        ("perform private.require_permission_over_members(f.organization_id, 'a:b');", ["a:b"]),
        ("perform private.require_permission(f.organization_id, needed);", []),
        ("perform private.enqueue('email:send')", []),
    ],
)
def test_guards_are_found_in_every_way_they_are_written(body: str, found: list[str]) -> None:
    assert guards_of(body) == found


def test_an_idle_permission_and_an_unknown_guard_are_noticed(house: House) -> None:
    house.owner_sql("select private.permission_upsert('idle:one', 'x', false, 'x', 'x', '{}')")
    house.owner_sql(
        "create function private.f() returns void language plpgsql as"
        " $$ begin perform private.require_permission(null, 'unknown:one'); end $$"
    )
    with house.connection.transaction():
        house.connection.execute("set local role postgres")
        asked, known = guards(house.connection), catalogue(house.connection)
    assert known - asked == {"idle:one"}
    assert asked - known == {"unknown:one"}


def test_policies_are_read_as_the_matrix_expects_them(owner: Connection) -> None:
    """Two readings of one rule: sqlglot's of the policy, and the reviewed page's."""
    read = {(p.table, p.verb.lower()): p.opens for p in policies(owner)}
    words = {"everyone": EVERYBODY, "own": OWN}
    expected = {}
    for prefix, entries in (("public", _EXPECTED.tables), ("storage", _EXPECTED.buckets)):
        for name, table in entries.items():
            for verb, permission in table.verbs.items():
                if permission == NOBODY:
                    continue
                opens = {words.get(permission, permission)}
                if table.mine is not None:
                    parts = (permission, OWN, table.also)
                    opens = {AND.join(part for part in parts if part is not None)}
                # Of others' games, which the policy cannot tell: a trigger leaves them as they are.
                if (name, verb) == ("game_results", "update"):
                    opens = {only.removesuffix(f"{AND}games:run") for only in opens}
                if verb == "select" and table.own is not None:
                    opens.add(OWN)
                expected[f"{prefix}.{name}", verb] = tuple(sorted(opens))
    assert read == expected


def test_every_policy_has_the_one_shape(owner: Connection) -> None:
    """Also where a column's grant alone would keep a row in its tenant."""
    asked = (
        r"\( SELECT private\.organization_with\('[a-z_]+:[a-z_]+'::text\) AS organization_with\)"
    )
    one = rf"\((organization_id|id) = {asked}\)"
    # Permissions that are asked for together are one condition each.
    row = re.compile(rf"{one}|\({one}( AND {one})+\)")
    file = re.compile(
        r"\(\(bucket_id = '[a-z-]+'::text\) AND"
        r" \(\(storage\.foldername\(name\)\)\[1\] ="
        r" \( SELECT private\.folder_with\('[a-z_]+:[a-z_]+'::text\) AS folder_with\)\)"
        r"( AND private\.is_file_name\(bucket_id, name\))?"
        r"( AND \(name = ANY \(\( SELECT private\.own_export_paths\(\) AS own_export_paths\)"
        r"::text\[\]\)\))?\)"
    )
    # An entry of the log is seen by whoever may read the table that it is about.
    readable = (
        r"\(table_name = ANY \(\( SELECT private\.tables_to_read_in_log\(\)"
        r" AS tables_to_read_in_log\)::text\[\]\)\)"
    )
    entry = re.compile(rf"\({one}( AND {one})* AND {readable}\)")
    own = r"\(user_id = \( SELECT auth\.uid\(\) AS uid\)\)"
    colleagues = r"\(user_id IN \( SELECT private\.colleagues\(\) AS colleagues\)\)"
    exceptions = {
        "audit_log_select": entry,
        "audit_log_personal_select": entry,
        "notification_preferences_select": re.compile(rf"\({one} AND {own}\)"),
        "table_exports_select": re.compile(rf"\({one} AND {own}\)"),
        # Those about money are for whoever may read it, too.
        "notifications_select": re.compile(
            rf"\({one} AND {own} AND \(\(type <> ALL \(ARRAY\[[a-z_':, ]+\]\)\) OR {one}\)\)"
        ),
        "permissions_select": re.compile("true"),
        "plans_select": re.compile("true"),
        "profiles_select": re.compile(rf"\({own} OR {colleagues}\)"),
        "profiles_update": re.compile(own),
    }
    for schema, name, *texts in owner.execute(
        "select schemaname, policyname, qual, with_check from pg_policies"
        " where schemaname in ('public', 'storage')"
    ):
        shape = exceptions.get(name, row if schema == "public" else file)
        for text in filter(None, texts):
            assert shape.fullmatch(text), (name, text)


def test_functions_are_read_as_the_matrix_expects_them(owner: Connection) -> None:
    for function in functions(owner):
        expected = _EXPECTED.functions[function.name]
        guards = set(function.guards) - expected.shows
        if isinstance(expected.needs, str):
            assert guards == set(), function.name
        else:
            # What depends on the row, as a booking's transition does, is in the row.
            assert guards <= expected.needs, function.name
            assert guards, function.name


def test_the_page_of_permissions_is_up_to_date(owner: Connection) -> None:
    assert path_of().read_text() == render(owner), "run `make types`"


def test_every_rate_limit_is_asked_for_and_every_one_asked_for_is_set(owner: Connection) -> None:
    asked = set()
    for (body,) in owner.execute(
        "select prosrc from pg_proc where pronamespace = 'private'::regnamespace"
    ):
        asked |= set(
            re.findall(
                r"private\.(?:limit_rate|rate_limit_rule)\(\s*'([a-z_]+)',\s*'([a-z]+)'", body
            )
        )
    ruled = set(owner.execute("select action, scope from private.rate_limit_rules").fetchall())
    assert asked - ruled == set()
    assert ruled - asked == set()


def test_a_policy_that_asks_for_nothing_is_not_read_as_one_that_does(house: House) -> None:
    house.owner_sql(
        "create policy rooms_open on public.rooms for select to authenticated"
        " using (name is not null)"
    )
    with house.connection.transaction(), pytest.raises(Exception, match="asks for no permission"):
        policies(house.connection)
