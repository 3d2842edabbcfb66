"""Composite types that answers are made of: read from the catalogue, told to the client types.

PostgreSQL knows no field of a composite type that is never null, and no list of values of one.
Both stand in the field's comment: a field can be null if, and only if, the comment says `null`; the
known values end it, `one of: a, b` or, where a table's column has them, `one of bookings.status`.

A function whose answer PostgREST cannot carry as a row returns jsonb, and its comment names the
type: `Answers public.user_context.`, for a refusal that is kept (private.refusal), or `Answers
service.prepared_email or null.`, since a row that is null would come as one of nulls.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from escapemaster_dev.schema.known_values import KnownValues, known_values
from escapemaster_dev.schema.project import SchemaError
from escapemaster_dev.schema.reference import Connection

_NULL = re.compile(r"\bnull\b")
_VALUE = r"[\w-]+(?:\.[\w-]+)*"
_LISTED = re.compile(rf"\bone of: ({_VALUE}(?:, {_VALUE})*)\.?$")
_COLUMN = re.compile(r"\bone of (\w+)\.(\w+)\.?$")
_NAMED = re.compile(r"\bAnswers ((?:public|service)\.\w+)( or null)?\.")

_FIELDS = """
select
  n.nspname || '.' || t.typname,
  coalesce(obj_description(t.oid, 'pg_type'), obj_description(c.oid, 'pg_class'), ''),
  a.attname,
  format_type(a.atttypid, null),
  coalesce(col_description(c.oid, a.attnum), ''),
  (
    select m.nspname || '.' || e.typname
    from pg_catalog.pg_type as e
    join pg_catalog.pg_namespace as m on m.oid = e.typnamespace
    where e.typtype = 'c' and a.atttypid in (e.oid, e.typarray)
  )
from pg_catalog.pg_type as t
join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
join pg_catalog.pg_class as c on c.oid = t.typrelid and c.relkind = 'c'
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where n.nspname in ('public', 'service')
order by 1, a.attnum
"""
_ANSWERS = """
select
  n.nspname || '.' || p.proname,
  coalesce(obj_description(p.oid, 'pg_proc'), ''),
  p.proretset or coalesce(answer.typcategory = 'A', false),
  (
    select m.nspname || '.' || e.typname
    from pg_catalog.pg_type as e
    join pg_catalog.pg_namespace as m on m.oid = e.typnamespace
    join pg_catalog.pg_class as c on c.oid = e.typrelid and c.relkind = 'c'
    where answer.oid in (e.oid, e.typarray)
  )
from pg_catalog.pg_proc as p
join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
join pg_catalog.pg_type as answer on answer.oid = p.prorettype
where n.nspname in ('public', 'service')
"""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a composite type.

    Attributes:
        type: As PostgreSQL writes it.
        nullable: Whether its comment says that it can be null.
        values: The known values, when it takes no others.
        composite: The type, when it is a row or a list of rows.
    """

    name: str
    type: str
    comment: str
    nullable: bool
    values: tuple[str, ...]
    composite: str | None

    @property
    def is_list(self) -> bool:
        """Whether it is an array."""
        return self.type.endswith("[]")


@dataclass(frozen=True, slots=True)
class Composite:
    """A composite type of a schema that clients see, `public.member`."""

    name: str
    comment: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answers, when it is a composite type.

    Attributes:
        composite: The type.
        is_list: Whether there may be any number of them.
        named: Whether only the comment says so, since PostgREST could not carry it as a row.
        nullable: Whether it may be null.
    """

    composite: str
    is_list: bool
    named: bool
    nullable: bool


def without_answer(comment: str) -> str:
    """A function's comment without the sentence that names its answer's type."""
    return _NAMED.sub("", comment).replace("  ", " ").strip()


def composites(connection: Connection) -> dict[str, Composite]:
    """The composite types of the exposed schemas, by name.

    Raises:
        SchemaError: A comment names the values of a column that has no list of them.
    """
    values = known_values(connection)
    comments: dict[str, str] = {}
    fields: dict[str, list[Field]] = {}
    for name, about, field, kind, comment, nested in connection.execute(_FIELDS):
        comments[name] = about
        known = _values(comment, values, f"{name}.{field}")
        nullable = _NULL.search(comment) is not None
        fields.setdefault(name, []).append(Field(field, kind, comment, nullable, known, nested))
    return {name: Composite(name, comments[name], tuple(fields[name])) for name in fields}


def answers(connection: Connection) -> dict[str, Answer]:
    """What the functions of the exposed schemas answer, for those that answer composite types."""
    found = {}
    for function, comment, is_list, composite in connection.execute(_ANSWERS):
        if composite is not None:
            found[function] = Answer(composite, is_list, named=False, nullable=False)
        elif named := _NAMED.search(comment):
            found[function] = Answer(named[1], is_list, named=True, nullable=bool(named[2]))
    return found


def _values(comment: str, known: KnownValues, where: str) -> tuple[str, ...]:
    if listed := _LISTED.search(comment):
        return tuple(listed[1].split(", "))
    if column := _COLUMN.search(comment):
        if not (values := known.get((column[1], column[2]))):
            raise SchemaError(f"{where}: no list of values is known of {column[1]}.{column[2]}")
        return values
    return ()


# The client types ---------------------------------------------------------------------------------

_TYPESCRIPT_COMPOSITE = re.compile(r'"(\w+)": \{\n([^{}]*)\}')
_TYPESCRIPT_FIELD = re.compile(r'"(\w+)": (.+?) \| null(?=,"|\s*$)')
_PYTHON_CLASS = re.compile(r"^class (\w+)\(")
_PYTHON_FIELD = re.compile(r'^( {4}\w+: )Optional\[(.+)\]( = Field\(alias="(\w+)"\).*)$')


def in_typescript(content: str, types: Mapping[str, Composite], said: Mapping[str, Answer]) -> str:
    """What Supabase's generator wrote, before it is laid out, with what the comments say."""
    schemas = re.split(r'(?="(?:public|service)": \{\n\s+Tables:)', content)
    return "".join(_schema_in_typescript(part, types, said) for part in schemas)


def _schema_in_typescript(
    content: str, types: Mapping[str, Composite], said: Mapping[str, Answer]
) -> str:
    opened = re.match(r'"(public|service)": \{', content)
    if opened is None:
        return content
    schema = opened[1]
    for function, answer in said.items():
        if answer.named and function.startswith(f"{schema}."):
            content = _answering(content, function.removeprefix(f"{schema}."), answer)
    before, heading, after = content.partition("CompositeTypes: {\n")
    return before + heading + _TYPESCRIPT_COMPOSITE.sub(_composite(schema, types), after)


def _answering(content: str, function: str, answer: Answer) -> str:
    schema, name = answer.composite.split(".")
    typed = f'Database["{schema}"]["CompositeTypes"]["{name}"]'
    typed += " | null" if answer.nullable else ""
    pattern = rf'("{function}":\n\{{ Args: [^\n]*; Returns: )Json\b'
    changed, count = re.subn(pattern, lambda match: match[1] + typed, content)
    if count != 1:
        raise SchemaError(f"the generated types do not say what {function} returns")
    return changed


def _composite(schema: str, types: Mapping[str, Composite]) -> Callable[[re.Match[str]], str]:
    def written(match: re.Match[str]) -> str:
        composite = types.get(f"{schema}.{match[1]}")
        if composite is None:
            return match[0]
        fields = {field.name: field for field in composite.fields}

        def typed(found: re.Match[str]) -> str:
            field = fields[found[1]]
            union = " | ".join(f'"{value}"' for value in field.values)
            kind = found[2].replace("string", union) if union else found[2]
            return f'"{field.name}": {kind}{" | null" if field.nullable else ""}'

        return f'"{match[1]}": {{\n{_TYPESCRIPT_FIELD.sub(typed, match[2])}}}'

    return written


def in_python(content: str, types: Mapping[str, Composite]) -> str:
    """The generated Python, with what the comments of the fields say."""
    by_class = {_class(composite.name): composite for composite in types.values()}
    fields: Mapping[str, Field] = {}
    lines = []
    for line in content.splitlines():
        if opened := _PYTHON_CLASS.match(line):
            composite = by_class.get(opened[1])
            fields = {field.name: field for field in composite.fields} if composite else {}
        written = _PYTHON_FIELD.match(line)
        field = fields.get(written[4]) if written else None
        lines.append(_field_in_python(written, field) if written and field else line)
    return "\n".join(lines) + "\n"


def _field_in_python(written: re.Match[str], field: Field) -> str:
    kind = written[2]
    if field.values:
        union = ", ".join(f'"{value}"' for value in field.values)
        kind = re.sub(r"\bstr\b", f"Literal[{union}]", kind)
    return f"{written[1]}{f'Optional[{kind}]' if field.nullable else kind}{written[3]}"


def _class(name: str) -> str:
    return "".join(part.capitalize() for part in re.split(r"[._]", name))
