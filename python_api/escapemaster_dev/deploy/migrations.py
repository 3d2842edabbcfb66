"""Rules for a migration that is applied while the code of the last release is running.

The statements are parsed by PostgreSQL's own parser (pglast), which knows all of them; sqlglot
falls back to unparsed commands for several, such as `alter function … rename`.

A rule that must be broken (a column that no release reads any more) is accepted in
`supabase/accepted.toml`, by file, rule and object, with the reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pglast import ast, parse_sql
from pglast.enums import AlterTableType, ConstrType, ObjectType
from pglast.visitors import Visitor

#: A node, or nodes, of the parser's tree, whose types call optional what the grammar demands.
Node = Any

BASELINE: Final = "_baseline_"

#: What the last release calls; bodies in `private` are replaced with whoever calls them.
_EXPOSED: Final = frozenset({"public", "service"})

#: Functions whose value is the same for a whole statement: as a default they rewrite nothing.
_STABLE: Final = frozenset(
    {"now", "transaction_timestamp", "statement_timestamp", "organization_with"}
)
_SERIAL: Final = frozenset({"serial", "bigserial", "smallserial", "serial4", "serial8"})

_DROPPED: Final = {
    ObjectType.OBJECT_TABLE: "table",
    ObjectType.OBJECT_VIEW: "view",
    ObjectType.OBJECT_MATVIEW: "view",
    ObjectType.OBJECT_FUNCTION: "function",
    ObjectType.OBJECT_PROCEDURE: "function",
    ObjectType.OBJECT_TYPE: "type",
    ObjectType.OBJECT_SCHEMA: "schema",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A statement that hurts a running system.

    Attributes:
        file: The migration.
        rule: `lock-timeout`, `rewrite`, `not-null`, `scan`, `dropped`, `renamed`, `index`, `order`.
        what: The table, `table.column`, function or index.
        why: What it does, and what to do instead.
    """

    file: str
    rule: str
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.rule}: {self.what}: {self.why}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is allowed, and the tables so small that a lock on them is over at once.

    Attributes:
        breaches: (file, rule, what) of what may be broken.
        small: Tables, with their schema.
    """

    breaches: frozenset[tuple[str, str, str]] = frozenset()
    small: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path) -> Accepted:
        """Read the list. Each entry must give its reason."""
        said = tomllib.loads(path.read_text())
        breaches = said.get("breach", [])
        small = said.get("small", {})
        if not all(each.get("reason") for each in breaches) or not all(small.values()):
            raise ValueError(f"{path.name}: an entry has no reason")
        return cls(
            frozenset((each["file"], each["rule"], each["what"]) for each in breaches),
            frozenset(small),
        )


def check(directory: Path, accepted: Accepted) -> list[Breach]:
    """The breaches of all migrations after the baseline that nobody accepted."""
    files = {path.name: path.read_text() for path in sorted(directory.glob("*.sql"))}
    return check_files(files, accepted)


def check_files(files: dict[str, str], accepted: Accepted) -> list[Breach]:
    """The same, of files by name."""
    found: list[Breach] = []
    checked: set[tuple[str, str]] = set()
    after = False
    for name in sorted(files):
        if BASELINE in name:
            if after:
                found.append(Breach(name, "order", name, "a baseline comes first"))
            continue
        after = True
        reader = _Reader(name, accepted.small, frozenset(checked))
        found += reader.read(files[name])
        checked |= reader.not_null_checks
    used = {(each.file, each.rule, each.what) for each in found}
    stale = [
        Breach(file, rule, what, "accepted.toml accepts what nothing does")
        for file, rule, what in sorted(accepted.breaches - used)
    ]
    return [
        each for each in found if (each.file, each.rule, each.what) not in accepted.breaches
    ] + stale


@dataclass
class _Reader:
    """One migration, statement by statement."""

    file: str
    small: frozenset[str]
    #: (table, column) that an earlier migration checked to be not null.
    checked: frozenset[tuple[str, str]]
    created: set[str] = field(default_factory=set)
    functions: dict[str, list[list[str]]] = field(default_factory=dict)
    not_null_checks: set[tuple[str, str]] = field(default_factory=set)

    def read(self, sql: str) -> list[Breach]:
        parsed: list[Node] = [raw.stmt for raw in parse_sql(sql)]
        for statement in parsed:
            if isinstance(statement, ast.CreateFunctionStmt):
                arguments = [
                    _type(each.argType)
                    for each in statement.parameters or ()
                    if each.mode.value not in {"o", "t"}
                ]
                self.functions.setdefault(_dotted(statement.funcname), []).append(arguments)
        return [*self._timeout(parsed), *self._statements(parsed)]

    def _breach(self, rule: str, what: str, why: str) -> Breach:
        return Breach(self.file, rule, what, why)

    def _timeout(self, parsed: Sequence[Node]) -> Iterator[Breach]:
        for statement in parsed:
            if not isinstance(statement, ast.VariableSetStmt):
                break
            if statement.name == "lock_timeout" and _value(statement) not in {"", "0"}:
                return
        if parsed:
            yield self._breach(
                "lock-timeout",
                "lock_timeout",
                "a lock that is waited for keeps everybody else waiting behind it;"
                " begin with: set lock_timeout = '5s';",
            )

    def _statements(self, parsed: Sequence[Node]) -> Iterator[Breach]:
        others = [each for each in parsed if not isinstance(each, ast.VariableSetStmt)]
        for statement in others:
            match statement:
                case ast.CreateStmt():
                    self.created.add(_relation(statement.relation))
                case ast.AlterTableStmt():
                    yield from self._alter(statement)
                case ast.IndexStmt():
                    yield from self._index(statement, len(others))
                case ast.DropStmt():
                    yield from self._drop(statement)
                case ast.RenameStmt():
                    yield from self._rename(statement)
                case _:
                    pass

    def _alter(self, statement: Node) -> Iterator[Breach]:
        if statement.objtype not in {ObjectType.OBJECT_TABLE, ObjectType.OBJECT_TYPE}:
            return
        table = _relation(statement.relation)
        if table in self.created:
            return
        added: set[str] = set()
        for command in statement.cmds:
            where = f"{table}.{command.name}"
            match command.subtype:
                case AlterTableType.AT_DropColumn:
                    yield self._breach("dropped", where, _DROP)
                case AlterTableType.AT_AlterColumnType if (
                    statement.objtype == ObjectType.OBJECT_TABLE
                ):
                    yield self._breach(
                        "rewrite",
                        where,
                        "another type rewrites the table under a lock; add a column, fill it in"
                        " steps, and let a later release read it",
                    )
                case AlterTableType.AT_AddColumn if statement.objtype == ObjectType.OBJECT_TABLE:
                    yield from self._add_column(table, command.def_)
                case AlterTableType.AT_SetNotNull if (table, command.name) not in self.checked:
                    yield self._breach(
                        "not-null",
                        where,
                        "it reads the whole table under a lock; first a migration with a check"
                        " (… is not null) not valid, then one that validates it, then this",
                    )
                case AlterTableType.AT_AddConstraint:
                    yield from self._constraint(table, command.def_, added)
                case AlterTableType.AT_ValidateConstraint if command.name in added:
                    yield self._breach("scan", where, _SCAN)
                case _:
                    pass

    def _add_column(self, table: str, column: Node) -> Iterator[Breach]:
        where = f"{table}.{column.colname}"
        constraints = {each.contype: each for each in column.constraints or ()}
        default = constraints.get(ConstrType.CONSTR_DEFAULT)
        kind = column.typeName.names[-1].sval
        if (
            (default is not None and _volatile(default.raw_expr))
            or {ConstrType.CONSTR_IDENTITY, ConstrType.CONSTR_GENERATED} & constraints.keys()
            or kind in _SERIAL
        ):
            yield self._breach(
                "rewrite",
                where,
                "a value of its own for each row rewrites the table under a lock; add the column"
                " without it, then set the default, then fill it in steps",
            )
        elif ConstrType.CONSTR_NOTNULL in constraints and default is None:
            yield self._breach(
                "not-null",
                where,
                "it fails where there are rows, and for the inserts of the last release;"
                " give it a default",
            )
        for each in constraints.values():
            yield from self._constraint(table, each, set())

    def _constraint(self, table: str, constraint: Node, added: set[str]) -> Iterator[Breach]:
        where = f"{table}.{constraint.conname}" if constraint.conname else table
        match constraint.contype:
            case ConstrType.CONSTR_CHECK | ConstrType.CONSTR_FOREIGN:
                if constraint.skip_validation:
                    added.add(constraint.conname)
                    if constraint.contype == ConstrType.CONSTR_CHECK:
                        self.not_null_checks |= {
                            (table, column) for column in _not_null(constraint.raw_expr)
                        }
                elif table not in self.small:
                    yield self._breach("scan", where, _SCAN)
            case ConstrType.CONSTR_UNIQUE | ConstrType.CONSTR_PRIMARY | ConstrType.CONSTR_EXCLUSION:
                if not constraint.indexname and table not in self.small:
                    yield self._breach(
                        "index",
                        where,
                        "it builds an index under a lock; create it concurrently in a migration"
                        " of its own, then add the constraint using it",
                    )
            case _:
                pass

    def _index(self, statement: Node, statements: int) -> Iterator[Breach]:
        table = _relation(statement.relation)
        if statement.concurrent:
            if statements > 1:
                yield self._breach(
                    "index",
                    statement.idxname,
                    "concurrently runs in no transaction: it needs a migration of its own",
                )
        elif table not in self.created | self.small:
            yield self._breach(
                "index",
                statement.idxname,
                f"nobody writes to {table} while it is built; create it concurrently, in a"
                " migration of its own",
            )

    def _drop(self, statement: Node) -> Iterator[Breach]:
        kind = _DROPPED.get(statement.removeType)
        if kind is None:
            return
        for dropped in statement.objects:
            if kind == "function":
                name = _dotted(dropped.objname)
                if name.partition(".")[0] not in _EXPOSED or self._made_again(name, dropped):
                    continue
            elif kind == "type":
                name = _dotted(dropped.names)
            elif kind == "schema":
                name = str(dropped.sval)
            else:
                name = _dotted(dropped)
            if name not in self.created:
                yield self._breach("dropped", name, _DROP)

    def _made_again(self, name: str, dropped: Node) -> bool:
        """Whether the same file makes a function that the same calls reach."""
        before = [_type(each) for each in dropped.objargs or ()]
        return any(after[: len(before)] == before for after in self.functions.get(name, []))

    def _rename(self, statement: Node) -> Iterator[Breach]:
        relation = statement.relation
        if relation is not None:
            table = _relation(relation)
            if table in self.created or statement.renameType in {
                ObjectType.OBJECT_INDEX,
                ObjectType.OBJECT_TABCONSTRAINT,
                ObjectType.OBJECT_TRIGGER,
                ObjectType.OBJECT_POLICY,
            }:
                return
            what = f"{table}.{statement.subname}" if statement.subname else table
        else:
            thing: Any = statement.object
            what = (
                _dotted(thing.objname)
                if type(thing) is ast.ObjectWithArgs
                else _dotted(thing)
                if isinstance(thing, tuple)
                else str(statement.subname)
            )
        yield self._breach(
            "renamed",
            what,
            "the last release still uses the old name; add the new one beside it",
        )


_DROP: Final = (
    "the last release still uses it; release code that does not, then drop it and accept it in"
    " supabase/accepted.toml"
)
_SCAN: Final = (
    "it reads the whole table under a lock; add it not valid, and validate it in a later migration"
)


class _Volatile(Visitor):
    """Looks for a function that may answer differently for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def visit_FuncCall(self, _: object, node: Node) -> None:  # noqa: N802 - pglast's name
        if node.funcname[-1].sval not in _STABLE:
            self.found = True


def _volatile(expression: Node) -> bool:
    visitor = _Volatile()
    visitor(expression)
    return visitor.found


def _not_null(expression: Node) -> Iterator[str]:
    """The columns that a check wants to be not null."""
    kind = type(expression).__name__
    if kind == "NullTest" and expression.nulltesttype.name == "IS_NOT_NULL":
        if type(expression.arg).__name__ == "ColumnRef":
            yield _dotted(expression.arg.fields[-1:])
    elif kind == "BoolExpr" and expression.boolop.name == "AND_EXPR":
        for each in expression.args:
            yield from _not_null(each)


def _relation(relation: Node) -> str:
    return f"{relation.schemaname or 'public'}.{relation.relname}"


def _dotted(names: Node) -> str:
    return ".".join(each.sval for each in names)


def _type(name: Node) -> str:
    # The parser writes int as pg_catalog.int4.
    return _dotted(name.names[-1:]) + "[]" * len(name.arrayBounds or ())


def _value(statement: Node) -> str:
    if not statement.args:
        return ""
    value = statement.args[0].val
    return str(getattr(value, "sval", None) or getattr(value, "ival", ""))
