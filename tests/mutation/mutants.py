"""Mutants, made from the live catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from client import Connection

#: Folders of sql/ whose functions lose every check in turn. Those of the other folders lose what
#: asks for permissions; and with --all whatever keeps people out (tenants, tokens), all refusals
#: and all locks, but not the conditions of business, such as which sessions are in the way: see
#: __init__.py.
OWN_DOMAINS = ("00_foundation", "10_tenancy", "15_storage", "90_audit")

#: A policy that asks for a membership only, and one that asks for nothing about the tenant, are
#: made with this helper. It is created with each mutant, in the mutant's own transaction.
HELPERS = """
create or replace function private.any_organization(permission text)
returns uuid language plpgsql stable security definer set search_path = ''
as $$
declare
  wanted uuid := private.request_organization();
begin
  if exists (
    select from public.memberships as m where m.organization_id = wanted and m.user_id = auth.uid()
    union all
    select from public.api_keys as k where k.organization_id = wanted and k.id = auth.uid()
  ) then
    return wanted;
  end if;
  return null;
end
$$;
grant execute on function private.any_organization(text) to authenticated;
"""

_ASKS_WHO = re.compile(r"^without perform private\.require_\w+\(|^any \w+ for ")
_REFUSAL = re.compile(
    r"^[ \t]*(?:(?:perform|return) private\."
    r"(?:require_\w+|limit_rate|fail|refuse|act_as|lock_\w+)|raise exception)\b",
    re.MULTILINE,
)
_CALLER = re.compile(r"(:= )private\.(require_user|require_platform_admin)\(\)")
_ADDRESS = re.compile(r"\bprivate\.(?:(?:require|caller)_proven_email\(\)|proven_email\((\w+)\))")
_ASSIGNED = re.compile(
    r"^([ \t]*)(\w+) := private\.require_role_within_reach\(([\w.]+), ([\w.]+)\);", re.MULTILINE
)
_CONJUNCT = re.compile(r"^[ \t]*and [^\n]*$", re.MULTILINE)
_TENANT = re.compile(r"^([ \t]*)where ([^\n]*(?:organization_id = |_hash = )[^\n]*)$", re.MULTILINE)
_KEEPS_OUT = re.compile(
    r"organization_id|token|_hash|auth\.uid|revoked|closed|erased|_email|user_id"
)
_LOCK = re.compile(r"\bfor (?:no key )?update(?: of \w+)?\b(?=;|\n)")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule, loosened.

    Attributes:
        name: Stable from run to run, as long as the rule is there.
        kind: policy, grant, trigger, key, data or function.
        about: The table, with its schema, or the function's plain name.
        statement: What loosens it.
        through: The function that a test must run through to notice; "": any test may.
        needs_race: Whether only requests that meet can notice.
        words: What a test that is about it says: an error's code, a column.
        deep: Whether it is looked at only when all are asked for.
    """

    name: str
    kind: str
    about: str
    statement: str
    through: str = ""
    needs_race: bool = False
    words: tuple[str, ...] = ()
    deep: bool = False


def all_mutants(connection: Connection, sql_folder: Path) -> list[Mutant]:
    """Every mutant of a database made by `sql_folder`."""
    folders = _folders(sql_folder)
    # What takes longest comes first, so that all workers are busy to the end.
    found = [*functions(connection, folders), *triggers(connection, folders)]
    makers = (policies, security, grants, keys, data)
    found += [mutant for maker in makers for mutant in maker(connection)]
    return _numbered(found)


def policies(connection: Connection) -> Iterator[Mutant]:
    """Each expression of each policy: no permission, no tenant, no bucket, nothing at all."""
    rows = connection.execute(
        "select schemaname, tablename, policyname, qual, with_check from pg_policies"
        " where schemaname in ('public', 'storage') order by 1, 2, 3"
    )
    for schema, table, policy, qual, check in rows.fetchall():
        relation = f"{schema}.{table}"

        def mutant(
            what: str, change: str, relation: str = relation, policy: str = policy
        ) -> Mutant:
            return Mutant(
                f"policy {policy}: {what}",
                "policy",
                relation,
                f"alter policy {policy} on {relation} {change}",
            )

        for clause, text in (("using", qual), ("with check", check)):
            if text is None or text == "true":
                continue
            yield mutant(f"{clause} true", f"{clause} (true)")
            asked = re.findall(r"(private\.(?:organization|folder)_with\('([^']+)'::text\))", text)
            for call, permission in asked:
                cast = "::text" if "folder_with" in call else ""
                anyone = text.replace(call, _MEMBER + cast)
                name = "the permission" if len(asked) == 1 else permission
                yield mutant(f"{clause} without {name}", f"{clause} ({anyone})")
            everywhere = _without_tenant(text)
            if everywhere != text:
                yield mutant(f"{clause} without the tenant", f"{clause} ({everywhere})")
            anywhere = re.sub(r"\(bucket_id = '[^']+'::text\)", "true", text)
            if anywhere != text:
                yield mutant(f"{clause} without the bucket", f"{clause} ({anywhere})")
            unnamed = text.replace("private.is_file_name(bucket_id, name)", "true")
            if unnamed != text:
                yield mutant(f"{clause} without the file's ending", f"{clause} ({unnamed})")
        yield mutant("for everybody", "to public")


def security(connection: Connection) -> Iterator[Mutant]:
    """Row level security off; views and functions with their owner's rights."""
    for relation, kind in connection.execute(
        "select oid::regclass, relkind from pg_class"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') order by 1"
    ).fetchall():
        name = f"public.{relation}"
        if kind == "v":
            statement = f"alter view {name} reset (security_invoker)"
            yield Mutant(f"view {relation}: its owner's rights", "policy", name, statement)
        else:
            statement = f"alter table {name} disable row level security"
            yield Mutant(f"table {relation}: no row level security", "policy", name, statement)
    for signature, plain in connection.execute(
        "select oid::regprocedure, proname from pg_proc"
        " where pronamespace in ('public'::regnamespace, 'service'::regnamespace) order by 1"
    ).fetchall():
        statement = f"alter function {_qualified(signature)} security definer"
        yield Mutant(f"function {signature}: its owner's rights", "grant", plain, statement)


def grants(connection: Connection) -> Iterator[Mutant]:
    """Each table and function to those who must not have it, and whole tables for columns."""
    for (table,) in connection.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p', 'v') order by 1"
    ).fetchall():
        for role in ("anon", "service_role"):
            for verb in ("select", "insert", "update", "delete"):
                yield _grant(verb, f"public.{table}", role)
        for verb in ("select", "insert", "update", "delete", "truncate", "references"):
            row = connection.execute(
                "select has_table_privilege('authenticated', %s, %s)", [f"public.{table}", verb]
            ).fetchone()
            if row is not None and not row[0]:
                yield _grant(verb, f"public.{table}", "authenticated")
    for (table,) in connection.execute(
        "select relname from pg_class where relnamespace = 'private'::regnamespace"
        " and relkind = 'r' order by 1"
    ).fetchall():
        for role in ("anon", "authenticated", "service_role"):
            yield _grant("select", f"private.{table}", role)
    for signature, plain, schema, role in connection.execute(
        """
        select p.oid::regprocedure, p.proname, n.nspname, r.role
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        cross join (values ('anon'), ('authenticated'), ('service_role')) as r (role)
        where n.nspname in ('public', 'service', 'private')
          and p.prorettype <> 'trigger'::regtype
          and not has_function_privilege(r.role, p.oid, 'execute')
          and (n.nspname <> 'private' or p.prosecdef)
        order by 1, 4
        """
    ).fetchall():
        statement = f"grant execute on function {_qualified(signature)} to {role}"
        if schema == "service":
            statement += f"; grant usage on schema service to {role}"
        yield Mutant(f"grant execute on {signature} to {role}", "grant", plain, statement)


def triggers(connection: Connection, folders: Mapping[str, str]) -> Iterator[Mutant]:
    """Each trigger switched off, but those that only write down when a row was changed."""
    for trigger, table, function in connection.execute(
        "select g.tgname, c.relname, p.proname from pg_trigger as g"
        " join pg_class as c on c.oid = g.tgrelid join pg_proc as p on p.oid = g.tgfoid"
        " where c.relnamespace = 'public'::regnamespace and not g.tgisinternal"
        " and p.proname <> 'touch_updated_at' order by 2, 1"
    ).fetchall():
        if function not in folders:
            continue
        statement = f"alter table public.{table} disable trigger {trigger}"
        deep = function != "refuse_change" and not folders[function].startswith(OWN_DOMAINS)
        yield Mutant(
            f"trigger {trigger} of {table}: off",
            "trigger",
            f"public.{table}",
            statement,
            function,
            deep=deep,
        )


def keys(connection: Connection) -> Iterator[Mutant]:
    """Each foreign key between tenants' rows gone, and each check that names the tenant."""
    for constraint, table in connection.execute(
        """
        select c.conname, t.relname
        from pg_constraint as c
        join pg_class as t on t.oid = c.conrelid
        where t.relnamespace = 'public'::regnamespace
          and (
            c.contype = 'f' and cardinality(c.conkey) > 1
            and exists (
              select from pg_attribute as a
              where a.attrelid = t.oid and a.attnum = any (c.conkey)
                and a.attname <> 'organization_id'
                and (
                  has_column_privilege('authenticated', t.oid, a.attnum, 'insert')
                  or has_column_privilege('authenticated', t.oid, a.attnum, 'update')
                )
            )
            or c.contype = 'c' and pg_get_constraintdef(c.oid) ~ 'organization_id'
          )
        order by 2, 1
        """
    ).fetchall():
        yield Mutant(
            f"key {constraint}: gone",
            "key",
            f"public.{table}",
            f"alter table public.{table} drop constraint {constraint} cascade",
        )


def data(connection: Connection) -> Iterator[Mutant]:
    """Each permission given to the least role, or held while it should rest."""
    for permission, mutates, rests_in_visits, least in connection.execute(
        "select p.key, p.mutates, p.rests_in_visits,"
        " exists (select from private.role_template_permissions as t"
        " where t.permission_key = p.key and t.role_key = 'game_master')"
        " from public.permissions as p order by 1"
    ).fetchall():
        if not least:
            yield Mutant(
                f"permission {permission}: for game masters",
                "data",
                "public.permissions",
                "insert into private.role_template_permissions values"
                f" ('game_master', '{permission}')",
            )
        if mutates:
            yield Mutant(
                f"permission {permission}: never rests",
                "data",
                "public.permissions",
                f"update public.permissions set mutates = false where key = '{permission}'",
            )
        if rests_in_visits:
            yield Mutant(
                f"permission {permission}: held in visits",
                "data",
                "public.permissions",
                f"update public.permissions set rests_in_visits = false where key = '{permission}'",
            )


def functions(connection: Connection, folders: Mapping[str, str]) -> Iterator[Mutant]:
    """Each check in the body of each function."""
    for name, definition, body in connection.execute(
        "select p.proname, pg_get_functiondef(p.oid), p.prosrc from pg_proc as p"
        " where p.pronamespace in"
        " ('public'::regnamespace, 'service'::regnamespace, 'private'::regnamespace)"
        " and p.prolang <> (select oid from pg_language where lanname = 'c') order by 1"
    ).fetchall():
        every_check = folders.get(name, "").startswith(OWN_DOMAINS)
        for what, changed in _changes(body, every_check=every_check):
            if changed != body:
                yield Mutant(
                    f"function {name}: {what}",
                    "function",
                    name,
                    definition.replace(body, changed),
                    name,
                    what.startswith("without for "),
                    _words(what),
                    not every_check and not _ASKS_WHO.search(what),
                )


def _changes(body: str, *, every_check: bool) -> Iterator[tuple[str, str]]:
    """What is changed, and the changed body."""

    def cut(start: int, end: int, instead: str) -> str:
        return body[:start] + instead + body[end:]

    for match in _REFUSAL.finditer(body):
        end = _end_of_statement(body, match.start())
        text = body[match.start() : end].strip()
        yield f"without {_short(text)}", cut(match.start(), end, " null;")
    for match in _CALLER.finditer(body):
        changed = cut(match.start(), match.end(), f"{match.group(1)}auth.uid()")
        yield f"any caller for {match.group(2)}", changed
    for match in _ADDRESS.finditer(body):
        unproven = (
            f"(select lower(u.email) from auth.users as u where u.id = {match[1] or 'auth.uid()'})"
        )
        yield f"any address for {match.group()}", cut(*match.span(), unproven)
    for match in _ASSIGNED.finditer(body):
        indent, variable, organization, role = match.groups()
        plain = (
            f"{indent}select r.* into {variable} from public.roles as r"
            f" where r.organization_id = {organization} and r.id = {role};"
        )
        yield "any role for require_role_within_reach", cut(*match.span(), plain)
    for match in _CONJUNCT.finditer(body):
        text = match.group().strip()
        if text.count("(") != text.count(")"):
            continue
        if not every_check and not _KEEPS_OUT.search(text):
            continue
        # The end of a statement stays where it is.
        rest = ";" if text.endswith(";") else ""
        rest = " then" if text.endswith(" then") else rest
        yield f"without {_short(text)}", cut(*match.span(), rest)
    for match in _TENANT.finditer(body):
        text = match.group(2)
        if text.count("(") == text.count(")"):
            rest = ";" if text.endswith(";") else ""
            changed = cut(*match.span(), f"{match.group(1)}where true{rest}")
            yield f"without where {_short(text)}", changed
    for match in _LOCK.finditer(body):
        yield f"without {match.group()}", cut(*match.span(), "")


def _words(what: str) -> tuple[str, ...]:
    """What a test would say that is about a check."""
    if "limit_rate(" in what:
        return ("rate_limit",)
    if "act_as(" in what:
        return ("actor", "acted")
    if "_hash = " in what:
        return ("token",)
    if "organization_id = " in what:
        return ("twin", "foreign", "another_venue")
    if found := re.findall(r"'(\w+:\w+)'", what):
        return tuple(found)
    return tuple(re.findall(r"(?:fail|refuse)\(\s*'(\w+)'", what))


def _end_of_statement(body: str, start: int) -> int:
    """Where the statement that starts here ends, its semicolon included."""
    depth, quoted = 0, False
    for position in range(start, len(body)):
        character = body[position]
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == ";" and depth == 0:
            return position + 1
    return len(body)


_MEMBER = "private.any_organization('')"


def _without_tenant(text: str) -> str:
    """The same policy for rows of every tenant, as long as the permission is held somewhere."""
    asked = r"\( SELECT (private\.organization_with\('[^']+'::text\)) AS organization_with\)"
    folder = r"\( SELECT (private\.folder_with\('[^']+'::text\)) AS folder_with\)"
    text = re.sub(
        r"\(\(storage\.foldername\(name\)\)\[1\] = " + folder + r"\)",
        r"((select \1) is not null)",
        text,
    )
    return re.sub(
        r"\((?:organization_id|id) = " + asked + r"\)", r"((select \1) is not null)", text
    )


def _grant(verb: str, relation: str, role: str) -> Mutant:
    return Mutant(
        f"grant {verb} on {relation} to {role}",
        "grant",
        relation,
        f"grant {verb} on {relation} to {role}",
    )


def _qualified(signature: str) -> str:
    """regprocedure leaves out a schema that is in the search path."""
    return signature if "." in signature.split("(", maxsplit=1)[0] else f"public.{signature}"


def _short(text: str) -> str:
    flat = " ".join(text.rstrip(";").split())
    return flat if len(flat) <= 90 else flat[:87] + "..."


def _folders(sql_folder: Path) -> dict[str, str]:
    """Of each function, the folder of sql/ that defines it."""
    found = {}
    for path in sorted(sql_folder.rglob("*.sql")):
        for name in re.findall(r"^create function \w+\.(\w+)", path.read_text(), re.MULTILINE):
            found[name] = path.parent.name
    return found


def _numbered(found: Iterable[Mutant]) -> list[Mutant]:
    """Names made unique: the second of a kind says so."""
    seen: dict[str, int] = {}
    named = []
    for mutant in found:
        count = seen[mutant.name] = seen.get(mutant.name, 0) + 1
        name = mutant.name if count == 1 else f"{mutant.name} ({count})"
        named.append(replace(mutant, name=name))
    return named
