"""Nothing that the live catalogue holds is missing from the page of expectations, and nothing is
on the page that the catalogue no longer holds."""

from __future__ import annotations

import pytest

from client import Connection
from matrix.expectations import NOBODY, expectations

_EXPECTED = expectations()
_WHERE = "say it in tests/matrix/expectations.toml"
_CLIENTS = ("anon", "authenticated", "service_role")


def column(connection: Connection, query: str, *parameters: object) -> list[str]:
    """The first column of a query's rows."""
    return [str(row[0]) for row in connection.execute(query.encode(), parameters)]


def test_every_table_and_view_has_its_expectation(world: Connection) -> None:
    live = column(
        world,
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm', 'f')",
    )
    assert sorted(_EXPECTED.tables) == sorted(live), _WHERE


def test_every_function_has_its_expectation(world: Connection) -> None:
    live = column(
        world,
        "select n.nspname || '.' || p.proname from pg_proc as p"
        " join pg_namespace as n on n.oid = p.pronamespace"
        " where n.nspname in ('public', 'service')",
    )
    # Two functions of one name would be one expectation: PostgREST could not tell them apart
    # by their arguments' names alone either.
    assert sorted(_EXPECTED.functions) == sorted(live), _WHERE


def test_every_bucket_has_its_expectation(world: Connection) -> None:
    live = column(world, "select id from storage.buckets")
    assert sorted(_EXPECTED.buckets) == sorted(live), _WHERE


def test_every_policy_of_files_is_about_one_bucket(world: Connection) -> None:
    policies = world.execute(
        "select policyname, coalesce(qual, '') || coalesce(with_check, '')"
        " from pg_policies where schemaname = 'storage'"
    ).fetchall()
    for name, text in policies:
        about = [bucket for bucket in _EXPECTED.buckets if f"bucket_id = '{bucket}'" in text]
        assert len(about) == 1, name


def test_every_permission_and_who_holds_it_is_as_expected(world: Connection) -> None:
    live = {
        key: (set(roles), mutates, rests_in_visits)
        for key, mutates, rests_in_visits, roles in world.execute(
            "select p.key, p.mutates, p.rests_in_visits, array_agg(t.role_key)"
            " from public.permissions as p"
            " left join private.role_template_permissions as t on t.permission_key = p.key"
            " group by p.key"
        )
    }
    assert live == {
        key: (set(p.roles), p.changes, p.rests_in_visits)
        for key, p in _EXPECTED.permissions.items()
    }, _WHERE


@pytest.mark.parametrize("role", _CLIENTS)
def test_clients_execute_the_declared_functions_and_no_others(world: Connection, role: str) -> None:
    live = column(
        world,
        "select n.nspname || '.' || p.proname from pg_proc as p"
        " join pg_namespace as n on n.oid = p.pronamespace"
        " where n.nspname in ('public', 'service')"
        " and has_function_privilege(%s, p.oid, 'execute')",
        role,
    )
    assert sorted(live) == sorted(
        name for name, function in _EXPECTED.functions.items() if role in function.roles
    )


def test_functions_are_executed_by_roles_and_never_by_everybody(world: Connection) -> None:
    assert (
        column(
            world,
            "select p.oid::regprocedure from pg_proc as p"
            " cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a"
            " where p.pronamespace in"
            " ('public'::regnamespace, 'service'::regnamespace, 'private'::regnamespace)"
            " and a.grantee = 0",
        )
        == []
    )


@pytest.mark.parametrize("role", ["authenticated", "anon", "service_role", "public"])
def test_the_grants_upon_a_table_are_the_declared_ones(world: Connection, role: str) -> None:
    live: dict[str, dict[str, set[str]]] = {}
    for table, privilege, name in world.execute(
        """
        with granted as (
          select c.oid, a.privilege_type, null::int2 as attnum
          from pg_class as c
          cross join aclexplode(c.relacl) as a
          where a.grantee = %(role)s
          union all
          select t.attrelid, a.privilege_type, t.attnum
          from pg_attribute as t
          cross join aclexplode(t.attacl) as a
          where a.grantee = %(role)s
        )
        select c.relname, g.privilege_type, coalesce(t.attname, '*')
        from granted as g
        join pg_class as c on c.oid = g.oid
        left join pg_attribute as t on t.attrelid = g.oid and t.attnum = g.attnum
        where c.relnamespace = 'public'::regnamespace
          and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        """,
        {"role": 0 if role == "public" else _oid(world, role)},
    ):
        live.setdefault(table, {}).setdefault(privilege, set()).add(name)

    expected: dict[str, dict[str, set[str]]] = {}
    for table in _EXPECTED.tables.values() if role == "authenticated" else ():
        grants = expected.setdefault(table.name, {})
        if table.verbs["select"] != NOBODY:
            # By name: rights upon the table would open PostgreSQL's own columns too.
            grants["SELECT"] = set(_columns(world, table.name)) - set(table.hidden)
        if table.writes:
            grants["INSERT"] = set(table.writes)
        if table.changes:
            grants["UPDATE"] = set(table.changes)
        if table.verbs["delete"] != NOBODY:
            grants["DELETE"] = {"*"}
    assert live == expected


def test_clients_have_no_right_upon_any_table_or_sequence_elsewhere(world: Connection) -> None:
    assert (
        column(
            world,
            """
            select c.oid::regclass || ': ' || a.grantee::regrole || ' ' || a.privilege_type
            from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            cross join aclexplode(c.relacl) as a
            where n.nspname in ('private', 'service')
              and (a.grantee = 0 or a.grantee::regrole::text = any (%s))
            """,
            list(_CLIENTS),
        )
        == []
    )


def test_tables_have_row_level_security_and_views_are_the_caller_s(world: Connection) -> None:
    assert (
        column(
            world,
            "select relname from pg_class where relnamespace = 'public'::regnamespace"
            " and (relkind in ('r', 'p') and not relrowsecurity"
            " or relkind = 'v' and not coalesce(reloptions @> '{security_invoker=true}', false)"
            " or relkind in ('m', 'f'))",
        )
        == []
    )


def test_policies_are_for_signed_in_callers_and_one_an_action(world: Connection) -> None:
    assert (
        column(
            world,
            "select policyname from pg_policies where schemaname in ('public', 'storage')"
            " and (roles <> '{authenticated}' or permissive <> 'PERMISSIVE' or cmd = 'ALL')",
        )
        == []
    )
    assert (
        column(
            world,
            "select tablename from pg_policies where schemaname = 'public'"
            " group by tablename, cmd having count(*) > 1",
        )
        == []
    )


def test_exposed_functions_run_with_their_caller_s_rights(world: Connection) -> None:
    assert (
        column(
            world,
            "select oid::regprocedure from pg_proc where prosecdef and pronamespace in"
            " ('public'::regnamespace, 'service'::regnamespace)",
        )
        == []
    )


@pytest.mark.parametrize("role", _CLIENTS)
def test_of_the_private_functions_clients_execute_only_what_their_calls_lead_to(
    world: Connection, role: str
) -> None:
    """A wrapper of public or service, a policy, default, check or index that the role runs into."""
    led_to = column(
        world,
        """
        with bodies as (
          select p.prosrc as body
          from pg_proc as p
          join pg_namespace as n on n.oid = p.pronamespace
          where n.nspname in ('public', 'service')
            and has_function_privilege(%(role)s, p.oid, 'execute')
          union all
          select concat(qual, with_check) from pg_policies where %(role)s = any (roles)
          union all
          select pg_get_constraintdef(oid)
          from pg_constraint
          where contype = 'c' and connamespace = 'public'::regnamespace
            and %(role)s = 'authenticated'
          union all
          select pg_get_expr(adbin, adrelid) from pg_attrdef where %(role)s = 'authenticated'
          union all
          select pg_get_indexdef(indexrelid) from pg_index
          where indexprs is not null and %(role)s = 'authenticated'
        )
        select distinct p.oid::regprocedure
        from pg_proc as p
        where p.pronamespace = 'private'::regnamespace
          and has_function_privilege(%(role)s, p.oid, 'execute')
          and not exists (
            select from bodies as b where b.body ~ ('private\\.' || p.proname || '\\y')
          )
        """.replace("%(role)s", f"'{role}'").replace("%", "%%"),
    )
    # Raising and refusing give nothing away, and wrappers may do it themselves. PostgREST calls
    # check_request before every request, as its role.
    harmless = ("private.fail(", "private.keep_out_of_log(", "private.check_request(")
    # What checks of texts, the trigger before them and indexes call in turn: arithmetic on a text.
    of_texts = tuple(
        f"private.{name}("
        for name in (
            *("clean_text", "clean_note", "clean_json"),
            *("without_invisible", "is_visible", "says_something"),
            *("holds_link", "is_domain_ending"),
            *("is_encoded_label", "punycode_decoded", "typed_email"),
            *("ascii_digits", "typed_phone"),
            "search_text",
        )
    )
    assert [f for f in led_to if not f.startswith((*harmless, *of_texts))] == []


def _oid(connection: Connection, role: str) -> int:
    row = connection.execute("select oid from pg_roles where rolname = %s", [role]).fetchone()
    assert row is not None
    return int(row[0])


def _columns(connection: Connection, table: str) -> list[str]:
    return column(
        connection,
        "select attname from pg_attribute where attrelid = ('public.' || quote_ident(%s))::regclass"
        " and attnum > 0 and not attisdropped",
        table,
    )
