"""The register of SECURITY DEFINER functions in ARCHITECTURE.md, generated from their comments."""

from __future__ import annotations

import re

from escapemaster_dev.schema.project import PROJECT, Project, SchemaError
from escapemaster_dev.schema.reference import Connection

BEGIN = "<!-- definer-register:begin -->"
END = "<!-- definer-register:end -->"
PREFIX = "definer: "
_SENTENCE_END = re.compile(r"\. (?=[A-Z{])")


def definer_functions(connection: Connection) -> list[tuple[str, str]]:
    """Name with argument types, and reason, of each definer function outside the platform."""
    rows = connection.execute(
        """
        select
          format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)),
          coalesce(obj_description(p.oid, 'pg_proc'), '')
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where p.prosecdef
          and n.nspname in ('public', 'service', 'private', 'extensions')
          and not exists (
            select from pg_depend as d
            where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
          )
        order by 1
        """
    )
    return [(name, comment) for name, comment in rows]


def render_register(connection: Connection) -> str:
    """The register as a Markdown table."""
    lines = ["| function | why it runs as its owner |", "|---|---|"]
    for name, comment in definer_functions(connection):
        # The reason is the comment's first sentence; the rest says what the function does.
        reason = _SENTENCE_END.split(comment.removeprefix(PREFIX))[0].rstrip(".")
        reason = reason.replace("|", "\\|")
        lines.append(f"| `{name}` | {reason} |")
    return "\n".join(lines)


def read_register(project: Project = PROJECT) -> str | None:
    """The committed register, or None while ARCHITECTURE.md has none.

    Raises:
        SchemaError: only one of the two markers is there.
    """
    if not project.architecture.exists():
        return None
    content = project.architecture.read_text()
    if BEGIN not in content and END not in content:
        return None
    if content.count(BEGIN) != 1 or content.count(END) != 1:
        raise SchemaError(f"{project.architecture.name}: needs both {BEGIN} and {END}, once each")
    return content.split(BEGIN)[1].split(END)[0].strip()


def write_register(connection: Connection, project: Project = PROJECT) -> bool:
    """Bring the committed register up to date; False when there is nothing to do.

    Raises:
        SchemaError: ARCHITECTURE.md does not hold the markers.
    """
    committed = read_register(project)
    if committed is None:
        raise SchemaError(f"{project.architecture.name} does not hold {BEGIN} and {END}")
    current = render_register(connection)
    if committed == current:
        return False
    content = project.architecture.read_text()
    head, tail = content.split(BEGIN)[0], content.split(END)[1]
    project.architecture.write_text(f"{head}{BEGIN}\n{current}\n{END}{tail}")
    return True
