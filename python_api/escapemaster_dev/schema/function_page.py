"""docs/functions.md: every function that clients call, what it takes, returns and refuses.

Written from a live database: signatures from the catalogue, the rest from the comments, whose last
sentence lists the errors. `escapemaster pages` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from escapemaster_dev.schema import permission_table
from escapemaster_dev.schema.composites import (
    Answer,
    Composite,
    Field,
    answers,
    composites,
    without_answer,
)
from escapemaster_dev.schema.project import PROJECT, Project
from escapemaster_dev.schema.reference import Connection

_ERRORS = " Errors: "
_NEXT_STATUS = re.compile(r"; (?=\d{3} )")
_CODE = re.compile(r"(?<![\"\w])[a-z]+(?:_[a-z]+)+(?![\"\w])")
_ASIDE = re.compile(r"\((?:[^()]|\([^()]*\))*\)|\{[^{}]*\}")
_RAISED = re.compile(r"private\.fail\(\s*'([a-z_]+)',\s*(\d{3})")
_NAMED = re.compile(r"`([a-z_]+)`")
_WIDTH = 80

_INTRODUCTION = (
    "Written by `escapemaster pages` from the database itself; a test fails when it lags behind."
    " Call one with `supabase.rpc(name, {…})`, or `POST /rest/v1/rpc/name`. A default after `=`"
    " may be left out. Money is in minor units with tax included, instants are in UTC. What is"
    " answered is an object of a type below, or a list of them."
)
_ABOUT_TYPES = (
    "What the functions answer, each type once. A field is null only where its line says so; a list"
    " without members is empty."
)
_ABOUT_ERRORS = (
    'A refusal is `{"code": "PT409", "message": "slot_taken", "hint": …, "details": …}` with the'
    " status as HTTP status, and changed nothing. `details` is text, as PostgREST sends it: the"
    " JSON of an object, to be parsed (`JSON.parse(error.details)`), where details are listed, else"
    " empty. (The service's `details` is the object itself.) "
)
_COMMON_ERRORS = (
    "Beside what is listed, any request may be refused with 401 `token_invalid` (a token of another"
    " project) and `session_ended` (one from before the account proved its address), 400"
    " `count_not_exact` (an estimated count), 403 `description_refused` (the description of"
    " everything) and 406 `plan_refused` (a plan), 414 `query_too_long` (columns and conditions"
    " without end: a statement of more than 6,000 characters of a visitor, 20,000 of who asks for"
    " rows of a tenant), 405 `post_required` (a GET of what visitors may call, which is counted),"
    " 411 `length_required` and 413 `body_too_large` (more than 256 kB, or 1 MB"
    " of who is signed in), and of who is"
    " signed in with 429 `rate_limited` (too much of theirs runs at once); whatever asks for a"
    " permission with 400 `organization_header_invalid` (an `x-organization-id` that is none),"
    " 401 `not_authenticated`, 403 `permission_denied`, and while the organization is suspended,"
    " if the permission changes something, 403 `organization_suspended`, while what it pays the"
    " platform is overdue beyond its grace likewise 403 `subscription_overdue`; and every"
    " function of `public` with 503 `unavailable` (it took too long: ask again in a moment, with"
    " the same idempotency key)."
)
_ABOUT_TABLES = (
    "Who may write which table is in [permissions.md](permissions.md). A row that breaks a rule of"
    " its own is refused by a constraint, whose name in `message` states the rule: 400 `23514` for"
    " a value that cannot be, 409 `23505` for what there is already, 409 `23503` for what is still"
    " referred to. What takes more than one row to see, triggers refuse:"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A function as the page shows it.

    Attributes:
        name: With its schema.
        arguments: One a line, as PostgreSQL writes them.
        returns: The type.
        columns: Those of a row that has no type of its own.
        answer: What it answers, if that is a type on the page.
        text: What the comment says before the errors.
        errors: One a status, beginning with it.
        needs: The permissions that it asks for, and what else of the caller.
        roles: Who may execute it.
    """

    name: str
    arguments: tuple[str, ...]
    returns: str
    columns: tuple[str, ...]
    answer: Answer | None
    text: str
    errors: tuple[str, ...]
    needs: str
    roles: tuple[str, ...]


def entries(connection: Connection) -> list[Entry]:
    """All functions of the exposed schemas, by name."""
    said = answers(connection)
    guards = {function.name: function for function in permission_table.functions(connection)}
    rows = connection.execute(
        """
        select
          n.nspname || '.' || p.proname,
          array(
            select concat_ws(
              ' ', a.name, format_type(a.type, null), '= ' || regexp_replace(
                pg_get_function_arg_default(p.oid, a.position::int), '::[a-z ]+(\\[\\])?$', ''
              )
            )
            from unnest(p.proargnames[:p.pronargs], p.proargtypes::oid [])
              with ordinality as a (name, type, position)
            order by a.position
          ),
          pg_get_function_result(p.oid),
          array(
            select a.attname || ' ' || format_type(a.atttypid, null)
            from pg_catalog.pg_type as t
            join pg_catalog.pg_class as c on c.oid = t.typrelid and c.relkind <> 'c'
            join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
            where t.oid = p.prorettype
            order by a.attnum
          ),
          coalesce(obj_description(p.oid, 'pg_proc'), '')
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('public', 'service')
        order by 1
        """
    )
    found = []
    for name, arguments, returns, columns, comment in rows:
        text, _, errors = comment.partition(_ERRORS)
        function = guards[name]
        needs = [f"`{guard}`" for guard in function.guards]
        found.append(
            Entry(
                name,
                tuple(arguments),
                _returned(said[name]) if name in said else returns,
                tuple(columns),
                said.get(name),
                without_answer(text),
                tuple(_NEXT_STATUS.split(errors.removesuffix("."))) if errors else (),
                "; ".join(filter(None, [", ".join(needs), function.caller])),
                function.roles,
            )
        )
    return found


def _returned(answer: Answer) -> str:
    """The type in words of a signature: one, a list of them, or perhaps none."""
    name = _title(answer.composite)
    return f"{name}[]" if answer.is_list else f"{name} or null" if answer.nullable else name


def statuses_of(entry: Entry) -> dict[str, str]:
    """The status with which an entry lists each code."""
    return {
        code: error[:3] for error in entry.errors for code in _CODE.findall(_ASIDE.sub("", error))
    }


def codes_of(entry: Entry) -> set[str]:
    """The stable codes that an entry lists, without what stands in their details."""
    return set(statuses_of(entry))


def listed_codes(connection: Connection) -> dict[str, frozenset[str]]:
    """What the page says that each function may refuse with, by its name with the schema.

    That is what its entry lists, what those list to which it refers ("as in quote_booking"), and
    what may become of any request.
    """
    everything = {_title(entry.name): entry for entry in entries(connection)}
    common = frozenset(_NAMED.findall(_COMMON_ERRORS))
    return {
        entry.name: common | _listed_at(everything, title) for title, entry in everything.items()
    }


def _listed_at(everything: Mapping[str, Entry], title: str) -> set[str]:
    codes = codes_of(everything[title])
    for other in codes & everything.keys() - {title}:
        codes = codes | _listed_at(everything, other)
    return codes - everything.keys()


def refusals(connection: Connection) -> dict[str, list[str]]:
    """What the triggers of a public table raise themselves, `409 shift_overlaps`, by table."""
    rows = connection.execute(
        """
        select distinct c.relname, p.prosrc
        from pg_catalog.pg_trigger as t
        join pg_catalog.pg_class as c on c.oid = t.tgrelid
        join pg_catalog.pg_proc as p on p.oid = t.tgfoid
        where c.relnamespace = 'public'::regnamespace and not t.tgisinternal
        """
    )
    found: dict[str, set[str]] = {}
    for table, body in rows:
        for code, status in _RAISED.findall(body):
            found.setdefault(table, set()).add(f"{status} {code}")
    return {table: sorted(errors) for table, errors in sorted(found.items())}


def render(connection: Connection) -> str:
    """The whole page."""
    everything = entries(connection)
    sections = {
        "Without an account": [e for e in everything if "anon" in e.roles],
        "Signed in": [
            e for e in everything if e.roles == ("authenticated",) and "platform" not in e.name
        ],
        "The platform's administrators": [
            e for e in everything if e.roles == ("authenticated",) and "platform" in e.name
        ],
        "The service": [e for e in everything if e.roles == ("service_role",)],
    }
    parts = ["# Functions", _INTRODUCTION, _ABOUT_ERRORS + _COMMON_ERRORS]
    for title, members in sections.items():
        parts += [f"## {title}", " · ".join(_link(entry) for entry in members)]
        parts += [part for entry in members for part in _entry(entry)]
    written = [
        f"- `{table}`: {', '.join(map(_marked, errors))}"
        for table, errors in refusals(connection).items()
    ]
    types = composites(connection)
    parts += ["## Types", _ABOUT_TYPES, " · ".join(_type_link(name) for name in sorted(types))]
    parts += [part for name in sorted(types) for part in _type(types[name])]
    parts += ["## Writing tables", _ABOUT_TABLES, "\n".join(written)]
    return "\n\n".join(parts) + "\n"


def path_of(project: Project = PROJECT) -> Path:
    """Where the page is kept."""
    return project.root / "docs" / "functions.md"


def _link(entry: Entry) -> str:
    return _to(_title(entry.name), _title(entry.name))


def _entry(entry: Entry) -> Iterator[str]:
    title = _title(entry.name)
    yield f"### {title}"
    yield f"```sql\n{_signature(title, entry)}\n```"
    yield _escaped(entry.text)
    if entry.answer is not None:
        yield f"Answers {_type_link(entry.answer.composite)}."
    if entry.needs:
        yield f"Needs: {entry.needs}."
    if entry.errors:
        yield "\n".join(f"- {_marked(error)}" for error in entry.errors)


def _type(composite: Composite) -> Iterator[str]:
    yield f"### type {_title(composite.name)}"
    yield _escaped(composite.comment)
    lines = ["| field | type | meaning |", "|---|---|---|"]
    lines += [_field(field) for field in composite.fields]
    yield "\n".join(lines)


def _field(field: Field) -> str:
    kind = field.type.replace("timestamp with time zone", "timestamptz")
    if field.composite is not None:
        kind = _type_link(field.composite) + ("[]" if field.is_list else "")
    kind += ", or null" if field.nullable else ""
    return f"| `{field.name}` | {kind} | {permission_table.escaped(field.comment)} |"


def _type_link(name: str) -> str:
    return _to(_title(name), f"type-{_title(name)}")


def _to(text: str, heading: str) -> str:
    return f"[{text}](#{heading.replace('.', '')})"


def _title(name: str) -> str:
    return name.removeprefix("public.")


def _signature(title: str, entry: Entry) -> str:
    return f"{title}{_listed(entry.arguments)} → {entry.returns}" + (
        f" {_listed(entry.columns)}" if entry.columns else ""
    )


def _listed(names: Sequence[str]) -> str:
    line = f"({', '.join(names)})"
    return line if len(line) <= _WIDTH else "(\n  " + ",\n  ".join(names) + "\n)"


def _marked(error: str) -> str:
    """Codes as code; what stands in brackets tells of their details."""
    kept = list(_ASIDE.finditer(error))
    starts = [0, *(aside.end() for aside in kept)]
    ends = [*(aside.start() for aside in kept), len(error)]
    plain = [_CODE.sub(r"`\g<0>`", error[a:b]) for a, b in zip(starts, ends, strict=True)]
    asides = [aside.group() for aside in kept] + [""]
    return "".join(text for pair in zip(plain, asides, strict=True) for text in pair)


def _escaped(text: str) -> str:
    """Braces and brackets are read as written; what Markdown would take for a tag is not."""
    return text.replace("<", "&lt;")
