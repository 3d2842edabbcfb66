"""Reads a question and writes a statement of its own: one select of the published views.

What somebody typed never reaches the database. It is parsed into a tree; every node of the tree
must be of a kind that is listed here; names are resolved against the views; and what runs is
written from the tree, with every name in quotes. The database looks at that once more, word by
word (`private.refuse_report_statement`), and runs it with the person's own token.

The parser is sqlglot (https://sqlglot.com).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp
from sqlglot.dialects import Postgres
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.qualify import qualify

from escapemaster.errors import DomainError
from escapemaster.reports.views import VIEWS

#: Characters that somebody may type, and that the statement may have, where every name is written
#: out; tokens; how deep brackets may be; nodes of the tree.
MAX_TEXT: Final = 10_000
MAX_STATEMENT: Final = 40_000
MAX_DEPTH: Final = 25
MAX_NODES: Final = 3_000
#: Views and subqueries that are joined, wherever they stand: what is named twice counts twice.
MAX_RELATIONS: Final = 12
#: Selects, of unions too.
MAX_SELECTS: Final = 30
#: Columns of the answer.
MAX_COLUMNS: Final = 60
#: Texts that are joined with `||`, in all of it, and in one select: a text grows ninefold at most.
MAX_JOINED_TEXTS: Final = 8
#: Nodes of the tree where each column stands for what it is made of, as the database plans it.
MAX_PLANNED: Final = 3_000
#: Bytes of a name: the database cuts a longer one, and two may become one.
MAX_NAME: Final = 63

_SHAPE: Final = (
    *(exp.Select, exp.Subquery, exp.Union, exp.Intersect, exp.Except, exp.With, exp.CTE),
    *(exp.From, exp.Join, exp.Table, exp.TableAlias, exp.Alias, exp.Identifier, exp.Column),
    *(exp.Star, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset),
    *(exp.Distinct, exp.Paren, exp.Tuple, exp.Window, exp.WindowSpec, exp.Filter),
    *(exp.WithinGroup, exp.Var, exp.Literal, exp.Boolean, exp.Null, exp.Interval),
)
_CONDITIONS: Final = (
    *(exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is),
    *(exp.In, exp.Between, exp.Like, exp.ILike, exp.Exists, exp.NullSafeEQ, exp.NullSafeNEQ),
    *(exp.Case, exp.If),
)
_VALUES: Final = (
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DPipe, exp.Cast, exp.DataType),
    *(exp.AtTimeZone, exp.CurrentDate, exp.CurrentTimestamp, exp.Extract, exp.DateTrunc),
    *(
        exp.TimestampTrunc,
        exp.DataTypeParam,
        exp.TimeToStr,
        exp.ToChar,
        exp.Coalesce,
        exp.Nullif,
        exp.Greatest,
        exp.Least,
        exp.Abs,
    ),
    *(exp.Round, exp.Floor, exp.Ceil, exp.Lower, exp.Upper, exp.Length, exp.Left, exp.Right),
    *(exp.Trim, exp.SplitPart),
)
_ROWS: Final = (
    *(exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Stddev, exp.PercentileCont),
    *(exp.PercentileDisc, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Lag, exp.Lead),
)
#: Every kind of node that a question may have. One that is not here is refused.
ALLOWED: Final = frozenset({*_SHAPE, *_CONDITIONS, *_VALUES, *_ROWS})
#: Where rows of values may stand: on both sides.
_COMPARISONS: Final = (
    *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ),
)
#: What a value may be cast to.
TYPES: Final = frozenset(
    {
        *(exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPTZ),
        *(exp.DataType.Type.TEXT, exp.DataType.Type.INT, exp.DataType.Type.BIGINT),
        *(exp.DataType.Type.DECIMAL, exp.DataType.Type.DOUBLE, exp.DataType.Type.BOOLEAN),
        exp.DataType.Type.INTERVAL,
    }
)
#: Units and bounds, which are words without quotes.
_WORDS: Final = frozenset(
    {
        *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOW", "ISODOW", "DOY", "HOUR", "MINUTE"),
        *("EPOCH", "ISOYEAR", "ROWS", "RANGE", "CURRENT ROW", "UNBOUNDED"),
    }
)
#: What of a node may be said, beside its parts, where saying more would be something else.
_REFUSED_PARTS: Final[Mapping[type[exp.Expr], tuple[str, ...]]] = {
    exp.Select: ("into", "locks", "hint", "kind", "laterals", "pivots", "qualify", "sample"),
    exp.Table: ("db", "catalog", "joins", "pivots", "sample", "ordinality", "when", "only"),
    exp.Subquery: ("pivots", "sample", "joins"),
    exp.Union: ("by_name", "locks"),
    exp.With: ("recursive", "search"),
    exp.CTE: ("materialized", "scalar"),
    exp.Group: ("cube", "rollup", "grouping_sets", "totals", "all"),
    exp.Join: ("method", "global", "hint", "pivots"),
    exp.Cast: ("format", "action", "default"),
    exp.Trim: ("position", "collation"),
    exp.Ordered: ("with_fill",),
    exp.Window: ("first",),
    exp.WindowSpec: ("exclude",),
    exp.Limit: ("expressions", "limit_options"),
    exp.Round: ("truncate",),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What is run.

    Attributes:
        text: One select, written by us.
        columns: Of its answer, in their order.
    """

    text: str
    columns: tuple[str, ...]


def bounded(text: str) -> Statement:
    """The statement of a question.

    Args:
        text: As somebody typed it.

    Raises:
        DomainError: 422 `report_unreadable` (details `{problem}`), `report_not_allowed` (details
            `{part}`), `report_refused` (details `{part}`: allowed, but not there or not so much),
            `report_too_complex`.
    """
    try:
        return _bounded(text)
    except RecursionError:
        raise _too_complex("Nest less.") from None


def _bounded(text: str) -> Statement:
    tree = _read(text)
    _refuse_kinds(tree)
    _refuse_names(tree)
    try:
        tree = qualify(
            tree,
            dialect="postgres",
            schema={view: dict.fromkeys(columns, "unknown") for view, columns in VIEWS.items()},
            # `a + a as b, b + b as c` would double with each.
            expand_alias_refs=False,
            identify=True,
        )
    except OptimizeError as error:
        raise _unreadable(str(error).split(" Line: ")[0]) from None
    # Names that stood for nothing may have become something else.
    _refuse_kinds(tree)
    _refuse_growth(tree)
    _refuse_nothing(tree)
    _refuse_joins(tree)
    columns = tuple(tree.named_selects)
    if len(set(columns)) != len(columns):
        raise _unreadable("Two columns have one name: give each its own with `as`.")
    if len(columns) > MAX_COLUMNS:
        raise _too_complex(f"Ask for at most {MAX_COLUMNS} columns.")
    for table in tree.find_all(exp.Table):
        if table.name in VIEWS:
            table.set("db", exp.to_identifier("reports", quoted=True))
    written = tree.sql(dialect="postgres", comments=False)
    if len(written) > MAX_STATEMENT:
        raise _too_complex("Ask for fewer things at once.")
    return Statement(written, columns)


def _read(text: str) -> exp.Query:
    """The one select that a text is."""
    if len(text) > MAX_TEXT:
        raise _too_complex(f"Write at most {MAX_TEXT} characters.")
    if any(ord(letter) < 32 and letter not in "\t\r\n" for letter in text):
        raise _unreadable("There is a character that cannot be seen.")
    try:
        dialect = Postgres()
        tokens = dialect.tokenize(text)
        _refuse_depth([token.text for token in tokens])
        trees = [
            tree
            for tree in dialect.parser().parse(tokens, text)
            if tree is not None and not isinstance(tree, exp.Semicolon)
        ]
    except (ParseError, TokenError) as error:
        raise _unreadable(_first(error)) from None
    except ValueError:
        # sqlglot's own, of a number or date that is none.
        raise _unreadable("A value has the wrong form.") from None
    if len(trees) != 1:
        raise _not_allowed(f"{len(trees)} statements", "Ask one question, which is one select.")
    (tree,) = trees
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise _not_allowed(tree.key, "Ask with a select: nothing else is run.")
    return tree


def _refuse_depth(tokens: list[str]) -> None:
    depth = 0
    for part in tokens:
        depth += (part == "(") - (part == ")")
        if depth > MAX_DEPTH:
            raise _too_complex("Nest less.")


def _refuse_kinds(tree: exp.Expr) -> None:
    for place, node in enumerate(tree.walk()):
        if place > MAX_NODES:
            raise _too_complex("Ask for fewer things at once.")
        if type(node) not in ALLOWED:
            raise _not_allowed(_called(node), _HINTS.get(type(node), _HINT))
        for part in _REFUSED_PARTS.get(type(node), ()):
            if node.args.get(part):
                raise _not_allowed(part.replace("_", " "), _HINT)
        if isinstance(node, exp.DataType) and (
            node.this not in TYPES or node.args.get("nested") or node.args.get("values")
        ):
            raise _not_allowed(node.sql("postgres"), "Cast to a type that is listed.")
        if isinstance(node, exp.Var) and node.name.upper() not in _WORDS:
            raise _not_allowed(node.name, _HINT)
        if isinstance(node, exp.Identifier) and '"' in node.name:
            raise _not_allowed("a quote in a name", "Give it a name without quotes.")
        if isinstance(node, exp.Identifier) and _bytes(node.name) > MAX_NAME:
            raise _refused(node.name, f"Give it a name of at most {MAX_NAME} bytes.")
        if isinstance(node, exp.TableAlias) and node.args.get("columns"):
            raise _not_allowed("names of columns beside an alias", "Name columns with `as`.")


def _refuse_growth(tree: exp.Expr) -> None:
    """Nothing makes a value of values, which would double with each, nor a text without end."""
    for row in tree.find_all(exp.Tuple):
        if not _is_compared(row):
            raise _refused("a row of values", "Compare rows of values, or ask for each by itself.")
    for star in tree.find_all(exp.Star):
        # As a value, `b.*` is a row.
        is_named = isinstance(star.parent, exp.Column)
        parent = star.parent.parent if is_named and star.parent else star.parent
        is_counted = isinstance(parent, exp.Count) and not is_named
        if not (is_counted or isinstance(parent, exp.Select)):
            raise _refused("*", "Select it, or `count(*)`: it is no value.")
    joined = list(tree.find_all(exp.DPipe))
    if len(joined) > MAX_JOINED_TEXTS:
        raise _refused("||", f"Join texts at most {MAX_JOINED_TEXTS} times.")
    selects = {id(select): select for node in joined if (select := node.find_ancestor(exp.Select))}
    # Parts of the outermost union do not read each other.
    if len(selects) > 1 and any(s.find_ancestor(exp.Select, exp.CTE) for s in selects.values()):
        raise _refused("||", "Join texts in one select, not what another has joined.")
    planned = _Planned(tree)
    if sum(planned.size(column) for column in tree.find_all(exp.Column)) > MAX_PLANNED:
        raise _too_complex("Name what a subquery computes less often.")


class _Planned:
    """What columns are made of: the database puts that in their place, again and again."""

    def __init__(self, tree: exp.Expr) -> None:
        self._made = {cte.alias: cte.this for cte in tree.find_all(exp.CTE)}
        self._known: dict[tuple[int, str], int] = {}

    def size(self, column: exp.Column) -> int:
        """How many nodes a column stands for; one, if it is a view's."""
        select = column.find_ancestor(exp.Select)
        while select is not None:
            found: exp.Expr | None = select.args.get("from_")
            for part in ([found] if found else []) + (select.args.get("joins") or []):
                relation = part.this
                while isinstance(relation, exp.Subquery) and not relation.alias:
                    relation = relation.this
                if relation.alias_or_name == column.table:
                    return self._of(relation, column.name)
            select = select.find_ancestor(exp.Select)
        return 1

    def _of(self, relation: exp.Expr, name: str) -> int:
        body: exp.Expr | None = relation
        while isinstance(body, exp.Subquery):
            body = body.this
        if isinstance(body, exp.Table):
            body = self._made.get(body.name)
        if not isinstance(body, exp.Query) or name not in body.named_selects:
            return 1
        key = (id(body), name)
        if key not in self._known:
            # All that the text can be, should it name itself.
            self._known[key] = MAX_PLANNED
            place = body.named_selects.index(name)
            self._known[key] = min(MAX_PLANNED, sum(map(self._nodes, _nth(body, place))))
        return self._known[key]

    def _nodes(self, made: exp.Expr) -> int:
        return sum(
            self.size(node) if isinstance(node, exp.Column) else 1
            for node in made.walk()
            if not isinstance(node, exp.Identifier | exp.Alias | exp.TableAlias)
        )


def _nth(query: exp.Expr, place: int) -> Iterator[exp.Expr]:
    """What the columns of a place are made of, in each select of a union."""
    if isinstance(query, exp.SetOperation | exp.Subquery):
        yield from _nth(query.this, place)
        if isinstance(query, exp.SetOperation):
            yield from _nth(query.expression, place)
    elif isinstance(query, exp.Select) and place < len(query.selects):
        yield query.selects[place]


def _is_compared(row: exp.Tuple) -> bool:
    """Whether a row of values stands where it is compared, and so never becomes a value."""
    parent = row.parent
    if isinstance(parent, exp.Distinct):
        # `distinct on (a, b)` is a list; `distinct (a, b)` is a row.
        return row.arg_key == "on"
    if isinstance(parent, exp.In):
        return isinstance(parent.this, exp.Tuple)
    return isinstance(parent, _COMPARISONS) and all(
        isinstance(side, exp.Tuple) for side in (parent.this, parent.expression)
    )


def _refuse_nothing(tree: exp.Expr) -> None:
    """Every select asks for something, of a relation.

    That relation is a view, or is made of selects for which the same holds. So an answer has no
    more rows than there are data for: one cannot be piled up from values that stand in the text.
    """
    for select in tree.find_all(exp.Select):
        if not select.expressions:
            raise _refused("a select of nothing", "Name the columns that you ask for.")
        if select.args.get("from_") is None:
            raise _refused(
                "a select without from", f"Ask each select about one of {', '.join(VIEWS)}."
            )


def _bytes(name: str) -> int:
    return len(name.encode(errors="surrogatepass"))


def _refuse_names(tree: exp.Expr) -> None:
    """Every relation is a view, or one that the question itself made; no more than some."""
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    taken = sorted(own & VIEWS.keys())
    if taken:
        raise _not_allowed(taken[0], "Give what stands in `with` a name that no view has.")
    if len(list(tree.find_all(exp.Select))) > MAX_SELECTS:
        raise _too_complex(f"Ask with at most {MAX_SELECTS} selects.")
    named = [table.name for table in tree.find_all(exp.Table)]
    for name in named:
        if name not in VIEWS and name not in own:
            raise _not_allowed(name[:80], f"Ask about {', '.join(VIEWS)}.")
    inside = {
        cte.alias: [table.name for table in cte.find_all(exp.Table)]
        for cte in tree.find_all(exp.CTE)
    }
    if sum(_weights(named, inside)) + len(list(tree.find_all(exp.Subquery))) > MAX_RELATIONS:
        raise _too_complex(f"Join at most {MAX_RELATIONS} views and subqueries.")


def _weights(names: list[str], inside: dict[str, list[str]]) -> Iterator[int]:
    """How many views each name stands for, what it stands for again and again, too."""
    for name in names:
        # One that names itself never ends: the parser takes it for a view that there is not.
        yield 1
        if name in inside:
            rest = {other: of for other, of in inside.items() if other != name}
            yield from _weights(inside[name], rest)


def _refuse_joins(tree: exp.Expr) -> None:
    """What is joined says by which equal columns: else every row would meet every other."""
    for join in tree.find_all(exp.Join):
        name = join.alias_or_name
        condition = join.args.get("on")
        parts = [] if condition is None else list(condition.flatten(unnest=True))
        if isinstance(condition, exp.Or):
            parts = []
        elif isinstance(condition, exp.EQ):
            parts = [condition]
        if not any(isinstance(part, exp.EQ) and _links(part, name) for part in parts):
            raise _not_allowed(
                "a join without `on`", "Join by equal columns, such as `on b.room_id = r.id`."
            )


def _links(part: exp.EQ, name: str) -> bool:
    """Whether a condition compares a column of a relation with one of another."""
    sides = (part.left, part.right)
    if not all(isinstance(side, exp.Column) for side in sides):
        return False
    of = [side.table for side in sides if isinstance(side, exp.Column)]
    return name in of and of[0] != of[1]


_HINT: Final = "Ask with what docs/views.md lists: nothing else is run."
_HINTS: Final[Mapping[type[exp.Expr], str]] = {
    exp.Parameter: "Write the value itself.",
    exp.Placeholder: "Write the value itself.",
    exp.Lock: "Ask without `for`: nothing is changed.",
}


def _called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"{node.name[:80]}()"
    return node.sql_name().lower() + "()" if isinstance(node, exp.Func) else node.key


def _first(error: ParseError | TokenError) -> str:
    found = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
    if found.get("description"):
        return f"{found['description']} (line {found['line']}, column {found['col']})"
    return "It is no select that can be read."


def _unreadable(problem: str) -> DomainError:
    return DomainError(
        "report_unreadable", 422, f"Mend it: {problem}"[:300], {"problem": problem[:300]}
    )


def _not_allowed(part: str, hint: str) -> DomainError:
    return DomainError("report_not_allowed", 422, hint, {"part": part[:100]})


def _refused(part: str, hint: str) -> DomainError:
    return DomainError("report_refused", 422, hint, {"part": part[:100]})


def _too_complex(hint: str) -> DomainError:
    return DomainError("report_too_complex", 422, hint)
