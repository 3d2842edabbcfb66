"""Another tenant's rows cannot be referred to, and no refusal tells whether they exist."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest

from client import Connection
from matrix.actors import Actor, cast
from matrix.expectations import NOBODY, TableExpectation, expectations, literal, with_facts
from matrix.probe import Attempt, Outcome, attempt
from matrix.world import NORTH, SOUTH, TENANTS, Facts, added, kept

_EXPECTED = expectations()
_WRITABLE = [name for name, table in _EXPECTED.tables.items() if table.writes or table.changes]
_CALLED_BY_MEMBERS = [
    name
    for name, function in _EXPECTED.functions.items()
    if "authenticated" in function.roles and not isinstance(function.needs, str)
]

#: Naming somebody who has nothing to do with it is no mistake: it is so already, whoever that is.
_SO_ALREADY = {
    ("public.end_left_open", "user_id"),
    ("public.unassign_game_master", "user_id"),
}


@pytest.fixture(scope="module")
def owner(facts: Facts) -> Actor:
    """Who may do everything, in the own organization."""
    return cast(facts, _EXPECTED)[0]


def tried(
    connection: Connection, actor: Actor, facts: Facts, kind: str, statement: str, named: str
) -> tuple[str, str]:
    """What a client hears, with the id that it named itself blotted out."""
    organization = facts[actor.tenant]["organization"]
    (outcome,) = attempt(connection, actor.caller, organization, [Attempt(kind, statement)])
    return _heard(outcome, named)


def _heard(outcome: Outcome, named: str) -> tuple[str, str]:
    answer = outcome.message or str(outcome.answer)
    return outcome.code, answer.replace(named, "<id>")


@pytest.mark.parametrize("name", _CALLED_BY_MEMBERS)
def test_another_tenant_s_ids_are_as_unknown_as_those_of_nothing_to(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    function = _EXPECTED.functions[name]
    mine, theirs = facts[NORTH], facts[SOUTH]
    for argument, value in function.arguments.items():
        # An id is a fact of a tenant that stands alone in the expression.
        fact = value.removeprefix(":")
        if not value.startswith(":") or fact not in theirs or len(theirs[fact]) != 36:
            continue
        foreign = function.call(mine, **{argument: literal(theirs[fact])})
        nothing = str(uuid4())
        missing = function.call(mine, **{argument: literal(nothing)})

        heard = tried(world, owner, facts, "call", f"select to_jsonb({foreign})", theirs[fact])

        assert heard == tried(world, owner, facts, "call", f"select to_jsonb({missing})", nothing)
        assert (heard[0] == "ok") == ((name, argument) in _SO_ALREADY), argument


@pytest.mark.parametrize("name", _WRITABLE)
def test_rows_cannot_refer_to_another_tenant_s(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    table = _EXPECTED.tables[name]
    references = _references(world, name)
    for column, parent, key in references:
        sample = table.sample
        if column not in sample:
            # A row that refers to one thing or to another.
            others = {other for other, _, _ in references}
            sample = {c: v for c, v in sample.items() if c not in others}
        theirs = _any_key(world, parent, key, facts[SOUTH])
        nothing = str(uuid4())
        heard = []
        for named in (theirs, nothing):
            value = literal(named)
            statements = []
            if column in table.writes:
                values = {**sample, column: value}
                row = ", ".join(with_facts(v, added(facts[NORTH])) for v in values.values())
                statements.append(
                    f"insert into {table.relation} ({', '.join(values)}) values ({row})"
                )
            if column in table.changes:
                statements.append(f"update {table.relation} set {column} = {value}")
            heard.append([tried(world, owner, facts, "write", s, named) for s in statements])
        assert heard[0] == heard[1], column
        assert {code for code, _ in heard[0]} <= {"23503"}, heard[0]


@pytest.mark.parametrize("name", _WRITABLE)
def test_what_clients_write_refers_by_a_key_that_holds_the_tenant(
    name: str, world: Connection
) -> None:
    """Without the key nothing would be refused above, for want of anything to try."""
    table = _EXPECTED.tables[name]
    written = {c for c in (*table.writes, *table.changes) if c.endswith("_id")}
    # A tax_id is the tax office's.
    assert written - {"organization_id", "tax_id"} == {
        column for column, _, _ in _references(world, name)
    } & (set(table.writes) | set(table.changes))


def _ending(bucket: TableExpectation) -> str:
    """As the names of the bucket's files end."""
    return "." + bucket.sample["name"].rpartition(".")[2].strip("'")


@pytest.mark.parametrize("name", [n for n, b in _EXPECTED.buckets.items() if b.writes])
def test_files_stay_in_their_bucket_and_below_their_organization(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    bucket = _EXPECTED.buckets[name]
    if bucket.verbs["update"] == NOBODY:
        return
    mine, theirs = facts[NORTH]["organization"], facts[SOUTH]["organization"]
    file = f"name = {with_facts(bucket.sample['name'], kept(facts[NORTH]))}"
    ending = _ending(bucket)
    moves = [
        *(f"bucket_id = {literal(other)}" for other in _EXPECTED.buckets if other != name),
        *(
            f"name = {literal(f'{folder}/rooms/x{ending}')}"
            for folder in (theirs, str(uuid4()), "x")
        ),
        f"name = 'x{ending}'",
        f"name = {literal(f'{mine}/rooms/y')}",
        f"name = {literal(f'{mine}/rooms/y{ending}.html')}",
    ]
    for move in moves:
        statement = f"update storage.objects set {move} where {file}"
        # Another bucket of the same permission is as good as this one to row level security.
        may = {"42501"} if "bucket_id" not in move else {"42501", "ok"}
        assert tried(world, owner, facts, "write", statement, "")[0] in may, move
    rename = f"update storage.objects set name = {literal(f'{mine}/rooms/y{ending}')} where {file}"
    assert tried(world, owner, facts, "write", rename, "")[0] == "ok"


def test_a_file_moves_to_another_bucket_only_with_that_bucket_s_permission(
    world: Connection, facts: Facts
) -> None:
    by_name = {actor.name: actor for actor in cast(facts, _EXPECTED)}
    for name, bucket in _EXPECTED.buckets.items():
        if bucket.verbs["update"] == NOBODY:
            continue
        for other, target in _EXPECTED.buckets.items():
            if other == name:
                continue
            needed = target.verbs["update"]
            actor = by_name["owner" if needed == NOBODY else f"without:{needed}"]
            statement = (
                f"update storage.objects set bucket_id = {literal(other)},"
                f" name = {literal(facts[NORTH]['organization'] + '/rooms/z' + _ending(target))}"
                f" where bucket_id = {literal(name)}"
                f" and name = {with_facts(bucket.sample['name'], kept(facts[NORTH]))}"
            )
            assert tried(world, actor, facts, "write", statement, "")[0] == "42501", (name, other)


def test_a_room_s_picture_is_in_the_own_folder(
    world: Connection, facts: Facts, owner: Actor
) -> None:
    for tenant, code in ((NORTH, "ok"), (SOUTH, "23514")):
        path = literal(f"{facts[tenant]['organization']}/rooms/x.png")
        statement = f"update public.room_images set path = {path}"
        assert tried(world, owner, facts, "write", statement, "")[0] == code


@pytest.mark.parametrize("name", _WRITABLE)
def test_rows_cannot_be_put_into_or_moved_to_another_tenant(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    table = _EXPECTED.tables[name]
    if "organization_id" in table.writes:
        heard = set()
        for tenant in (facts[SOUTH]["organization"], str(uuid4())):
            values = {**table.sample, "organization_id": literal(tenant)}
            row = ", ".join(with_facts(v, added(facts[NORTH])) for v in values.values())
            statement = f"insert into {table.relation} ({', '.join(values)}) values ({row})"
            heard.add(tried(world, owner, facts, "write", statement, tenant))
        assert len(heard) == 1
        assert next(iter(heard))[0] == "42501"
    column = "organization_id" if "organization_id" in table.tenant else "id"
    if name != "profiles":
        statement = (
            f"update {table.relation} set {column} = {literal(facts[SOUTH]['organization'])}"
        )
        assert tried(world, owner, facts, "write", statement, "")[0] == "42501"


@pytest.mark.parametrize("name", _WRITABLE)
def test_a_name_that_another_tenant_uses_is_free(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    """Unique keys start with the tenant. What is unique everywhere is a public address, or a domain
    of the internet's, which has one owner."""
    rows = world.execute(
        """
        select array_agg(a.attname order by k.n)
        from pg_index as i
        cross join unnest(i.indkey::int2[]) with ordinality as k (attnum, n)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = ('public.' || quote_ident(%s))::regclass
          and i.indisunique and not i.indisprimary
        group by i.indexrelid
        """,
        [name],
    )
    public_addresses = {
        "organizations": ["slug"],
        "calendars": ["slug"],
        "sender_domains": ["domain"],
    }
    for (columns,) in rows:
        assert columns[0] == "organization_id" or columns == public_addresses[name], columns


@pytest.mark.parametrize("name", [n for n, table in _EXPECTED.tables.items() if table.hidden])
def test_hidden_columns_are_neither_shown_nor_filtered_nor_ordered_by(
    name: str, world: Connection, facts: Facts, owner: Actor
) -> None:
    table = _EXPECTED.tables[name]
    for column in table.hidden:
        for clause in (
            f"select to_jsonb(max({column}::text)) from {table.relation}",
            f"select to_jsonb(count(*)) from {table.relation} where {column} is null",
            f"select to_jsonb(1) from {table.relation} order by {column} limit 1",
            f"select to_jsonb(count(*)) from {table.relation} group by {column}",
        ):
            assert tried(world, owner, facts, "read", clause, "")[0] == "42501", clause


def test_every_table_of_a_tenant_has_rows_of_every_venue(world: Connection, facts: Facts) -> None:
    """What the matrix says of a table without rows would be worth nothing."""
    for table in _EXPECTED.tables.values():
        for tenant in TENANTS:
            rows = with_facts(table.tenant, facts[tenant])
            found = world.execute(f"select from {table.relation} where {rows} limit 1".encode())
            assert found.rowcount == 1, f"{table.name} of {tenant}"


def test_nothing_is_written_without_a_sample(world: Connection) -> None:
    for table in _EXPECTED.tables.values():
        may_insert = table.verbs["insert"] != NOBODY
        assert may_insert == bool(table.writes), table.name
        assert may_insert == bool(table.sample), table.name
        may_update = table.verbs["update"] != NOBODY
        assert may_update == bool(table.changes) == bool(table.change), table.name


def _references(connection: Connection, table: str) -> list[tuple[str, str, str]]:
    """Columns that refer to a tenant's rows: the column, the table and the column there."""
    return [
        (str(column), str(parent), str(key))
        for column, parent, key in connection.execute(
            """
            select a.attname, c.confrelid::regclass, pa.attname
            from pg_constraint as c
            cross join unnest(c.conkey, c.confkey) as k (child, parent)
            join pg_attribute as a on a.attrelid = c.conrelid and a.attnum = k.child
            join pg_attribute as pa on pa.attrelid = c.confrelid and pa.attnum = k.parent
            where c.contype = 'f'
              and c.conrelid = ('public.' || quote_ident(%s))::regclass
              and cardinality(c.conkey) > 1
              and a.attname <> 'organization_id'
            """,
            [table],
        )
    ]


def _any_key(connection: Connection, parent: str, key: str, facts: Mapping[str, str]) -> str:
    row = connection.execute(
        f"select {key} from {parent} where organization_id = %s limit 1".encode(),
        [facts["organization"]],
    ).fetchone()
    assert row is not None
    return str(row[0])
