"""Rules of the house that the live catalogue can be asked about.

One lint is a question to the catalogue, whose answer lists the offenders, and the cases that
prove it: a statement that offends, what the lint must say of it, and a statement that mends it.
Allowed exceptions stand beside the rule, each with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Case:
    """A statement that breaks the rule, the offender that must be named, and the remedy."""

    offends: str
    finding: str
    mends: str


@dataclass(frozen=True, slots=True)
class Lint:
    """One rule.

    Attributes:
        name: What a finding is a breach of.
        query: Lists offenders, one text column.
        cases: Each must turn the lint red and green again.
        exceptions: Offenders that are right, with the reason.
    """

    name: str
    query: str
    cases: tuple[Case, ...]
    exceptions: dict[str, str] = field(default_factory=dict)

    def findings(self, connection: Connection) -> list[str]:
        """The offenders that are no exceptions."""
        rows = [str(row[0]) for row in connection.execute(_PRELUDE + self.query)]
        return sorted(set(rows) - set(self.exceptions))

    def needless_exceptions(self, connection: Connection) -> list[str]:
        """Exceptions that no longer offend and should be taken out."""
        rows = {str(row[0]) for row in connection.execute(_PRELUDE + self.query)}
        return sorted(set(self.exceptions) - rows)


# What every question is about. A tenant table is one whose every row belongs to a tenant; queues
# of the platform, which hold a tenant's rows among others, exist in schema private only.
_PRELUDE = """
with
our_functions as materialized (
  select p.*, n.nspname,
    format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes)) as name,
    coalesce(obj_description(p.oid, 'pg_proc'), '') as comment
  from pg_catalog.pg_proc as p
  join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
  where n.nspname in ('public', 'service', 'private')
    and not exists (
      select from pg_catalog.pg_depend as d
      where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
    )
),
our_relations as (
  select c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as name
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in ('public', 'service', 'private')
    and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
),
our_columns as (
  select c.oid as relation, c.nspname, c.relkind, c.name as table_name, a.*,
    c.name || '.' || quote_ident(a.attname) as name
  from our_relations as c
  join pg_catalog.pg_attribute as a
    on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind in ('r', 'p', 'v', 'm')
),
tenant_tables as (
  select c.*, a.attnum as tenant
  from our_relations as c
  join pg_catalog.pg_attribute as a
    on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
  where c.relkind in ('r', 'p') and a.attnotnull
),
our_privileges as (
  select c.nspname, c.name, c.relkind, null as part, a.*
  from our_relations as c
  cross join lateral aclexplode(
    coalesce(
      c.relacl, acldefault(case when c.relkind = 'S' then 's' else 'r' end::"char", c.relowner)
    )
  ) as a
  union all
  select c.nspname, c.name, c.relkind, t.attname::text, a.*
  from our_relations as c
  join pg_catalog.pg_attribute as t on t.attrelid = c.oid
  cross join lateral aclexplode(t.attacl) as a
),
our_grants as (
  select p.*, coalesce(r.rolname, 'public') as role
  from our_privileges as p
  left join pg_catalog.pg_roles as r on r.oid = p.grantee
),
our_executes as materialized (
  select f.oid, f.nspname, f.name, coalesce(r.rolname, 'public') as role
  from our_functions as f
  cross join lateral aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
  left join pg_catalog.pg_roles as r on r.oid = a.grantee
),
our_fields as (
  select n.nspname, format('%I.%I.%I', n.nspname, c.relname, a.attname) as name, a.atttypid,
    coalesce(col_description(c.oid, a.attnum), '') as comment
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind = 'c' and n.nspname in ('public', 'service')
),
our_policies as (
  select c.name as table_name, c.relname, p.polname, p.polcmd, p.polpermissive, p.polroles,
    c.name || '.' || quote_ident(p.polname) as name,
    pg_get_expr(p.polqual, p.polrelid) as using_,
    pg_get_expr(p.polwithcheck, p.polrelid) as with_check
  from pg_catalog.pg_policy as p
  join (
    select oid, relname, name from our_relations
    union all
    select 'storage.objects'::regclass, 'objects', 'storage.objects'
  ) as c on c.oid = p.polrelid
)
"""

# The policy shape of the blueprint, as PostgreSQL prints it back, with an empty search path.
_HELD = (
    r"\(organization_id = \( SELECT private\.organization_with\('[a-z_]+:[a-z_]+'::text\)"
    r" AS organization_with\)\)"
)
# Permissions that are asked for together are one such condition each.
_TENANT = rf"^({_HELD}|\({_HELD}( AND {_HELD})+\))$"
_STORAGE = (
    r"^\(\(bucket_id = '[a-z-]+'::text\) AND \(\(storage\.foldername\(name\)\)\[1\] ="
    r" \( SELECT private\.folder_with\('[a-z_]+:[a-z_]+'::text\) AS folder_with\)\)"
    # What follows can only narrow it.
    r"( AND \(\(storage\.foldername\(name\)\)\[2\] = '[a-z]+'::text\))?"
    r"( AND private\.is_file_name\(bucket_id, name\))?"
    r"( AND \(name = ANY \(\( SELECT private\.own_export_paths\(\) AS own_export_paths\)"
    r"::text\[\]\)\))?\)$"
)

_ITSELF = "(id = ( SELECT private.organization_with('organization:{}'::text) AS organization_with))"
_ONESELF = "(user_id = ( SELECT auth.uid() AS uid))"
_LOGGED = (
    " AND (table_name = ANY (( SELECT private.tables_to_read_in_log() AS tables_to_read_in_log)"
    "::text[])))"
)


def _holds(permission: str) -> str:
    """The condition of the tenant's rows, as PostgreSQL writes it."""
    asked = f"private.organization_with('{permission}'::text) AS organization_with"
    return f"(organization_id = ( SELECT {asked}))"


_OTHER_POLICIES = {
    f"public.audit_log.audit_log_select using: ({_holds('audit:read')}{_LOGGED}": (
        "whoever may not read a table reads none of its entries"
    ),
    "public.audit_log_personal.audit_log_personal_select using:"
    f" ({_holds('audit:read')} AND {_holds('customers:read')}{_LOGGED}": "the same",
    "public.organizations.organizations_select using: " + _ITSELF.format("read"): (
        "the tenant itself: its id is the organization's"
    ),
    "public.organizations.organizations_update using: " + _ITSELF.format("update"): "the same",
    "public.organizations.organizations_update with check: " + _ITSELF.format("update"): "the same",
    "public.permissions.permissions_select using: true": (
        "the product's catalogue, the same for everybody"
    ),
    "public.plans.plans_select using: true": ("what can be subscribed to, the same for everybody"),
    f"public.profiles.profiles_select using: ({_ONESELF}"
    " OR (user_id IN ( SELECT private.colleagues() AS colleagues)))": (
        "a user belongs to no single tenant: oneself, and who works in the request's organization"
    ),
    "public.notification_preferences.notification_preferences_select using:"
    f" ({_holds('bookings:read')} AND {_ONESELF})": "of the tenant's rows one's own",
    "public.table_exports.table_exports_select using:"
    f" ({_holds('reports:export')} AND {_ONESELF})": "the same",
    "public.notifications.notifications_select using:"
    f" ({_holds('bookings:read')} AND {_ONESELF} AND ((type <> ALL (ARRAY["
    "'booking_paid_late'::text, 'payment_disputed'::text]))"
    f" OR {_holds('payments:read')}))": "the same, and those about money for who may read it",
    f"public.profiles.profiles_update using: {_ONESELF}": "oneself",
    f"public.profiles.profiles_update with check: {_ONESELF}": "oneself",
}

#: Functions whose answer is a document, not a form of ours: the reason.
_DOCUMENTS = {
    "public.export_customer": "a bundle of rows of every table that there is",
    "public.get_row_at": "a row of any table, as it was",
    "service.read_organization": "rows of every table that there is",
    "service.read_table_export": "a column for what whoever asked may read, of each kind its own",
}
#: Typed answers whose comment tells the fields of an argument.
_TOLD_ARGUMENTS: dict[str, str] = {
    "public.create_booking": "the customer",
    "public.join_waitlist": "the customer",
    "public.quote_reschedule": "the extras",
    "public.sign_waiver": "signer and minors",
    "service.apply_billing": "what the customer has",
    "service.apply_checkout_session": "the session",
    "service.apply_dispute": "the dispute",
    "service.apply_refund": "the refund",
    "service.apply_stripe_account": "the account",
    "service.record_email_event": "the webhook",
}
_BY_LANGUAGE = "a text of the venue's by language"
_ANSWERS = "what the calendar's own questions were answered"
_DOCUMENT_FIELDS = {
    "public.room_image.alt": _BY_LANGUAGE,
    "public.room_extra.name": _BY_LANGUAGE,
    "public.room_extra.description": _BY_LANGUAGE,
    "public.field_choice.label": _BY_LANGUAGE,
    "public.calendar_field.label": _BY_LANGUAGE,
    "public.calendar_field.help": _BY_LANGUAGE,
    "public.calendar_field.placeholder": _BY_LANGUAGE,
    "public.calendar_room.names": _BY_LANGUAGE,
    "public.calendar_room.descriptions": _BY_LANGUAGE,
    "public.calendar_location.directions": _BY_LANGUAGE,
    "public.venue_profile.descriptions": _BY_LANGUAGE,
    "public.calendar.descriptions": _BY_LANGUAGE,
    "public.calendar.terms": _BY_LANGUAGE,
    "public.booking.fields": _ANSWERS,
    "public.held_booking.fields": _ANSWERS,
    "public.desk_booking.fields": _ANSWERS,
    "public.webhook_customer.answers": _ANSWERS,
    "public.webhook_data.change": "before and after of whatever changed: the fields differ in type",
    "public.booking_step.change": "what changed, by field: [before, after]",
    "service.job.payload": "the ids that each kind of job needs",
    "service.dead_job.payload": "the same",
    "service.prepared_email.data": "what each mail's template shows",
    "public.mail_preview.data": "the same",
}

_TABLE = """
create table public.lint_parents (
  organization_id uuid not null, id uuid not null, primary key (organization_id, id)
);
comment on table public.lint_parents is 'x';
"""


LINTS = (
    Lint(
        name="function without an empty search_path",
        query="""
        select name from our_functions
        where not coalesce(proconfig, '{}') @> array['search_path=""']
        """,
        cases=(
            Case(
                "create function private.lint() returns int language sql as 'select 1'",
                "private.lint()",
                "alter function private.lint() set search_path = ''",
            ),
            Case(
                """create function private.lint() returns int language sql
                set search_path = public as 'select 1'""",
                "private.lint()",
                "alter function private.lint() set search_path = ''",
            ),
        ),
    ),
    Lint(
        name="SECURITY DEFINER function in an exposed schema",
        query="select name from our_functions where prosecdef and nspname in ('public', 'service')",
        cases=(
            Case(
                """create function service.lint() returns int language sql security definer
                set search_path = '' as 'select 1'""",
                "service.lint()",
                "alter function service.lint() security invoker",
            ),
        ),
    ),
    Lint(
        name="definer function whose comment does not start with `definer: `",
        query="select name from our_functions where prosecdef and comment not like 'definer: _%'",
        cases=(
            Case(
                """create function private.lint() returns int language sql security definer
                set search_path = '' as 'select 1';
                comment on function private.lint() is 'Runs as its owner.'""",
                "private.lint()",
                "comment on function private.lint() is 'definer: reads nothing.'",
            ),
        ),
    ),
    Lint(
        name="invoker function whose comment claims to be a definer",
        query="select name from our_functions where not prosecdef and comment like 'definer:%'",
        cases=(
            Case(
                """create function private.lint() returns int language sql
                set search_path = '' as 'select 1';
                comment on function private.lint() is 'definer: no.'""",
                "private.lint()",
                "alter function private.lint() security definer",
            ),
        ),
    ),
    Lint(
        # PostgREST answers 500 for a statement that was given up (57014), or waited for a lock.
        name="function of clients that lets a time-out through",
        query="""
        select body.name
        from our_functions as body
        where body.nspname = 'private'
          and strpos(
            body.prosrc, 'when query_canceled or lock_not_available or deadlock_detected then'
          ) = 0
          -- Read out of the callers once: to look for each body in each of them takes seconds.
          and body.proname::text = any (array(
            select called.names[1]
            from our_executes as e
            join our_functions as f on f.oid = e.oid
            cross join lateral regexp_matches(f.prosrc, '[ (]private\\.(\\w+)\\(', 'g')
              as called (names)
            where e.nspname = 'public' and e.role in ('anon', 'authenticated', 'public')
          ))
        """,
        cases=(
            Case(
                """create function private.lint() returns void language plpgsql
                set search_path = '' as 'begin end';
                comment on function private.lint() is 'x';
                create function public.lint() returns void language sql
                set search_path = '' as 'select private.lint()';
                comment on function public.lint() is 'x';
                grant execute on function public.lint() to anon""",
                "private.lint()",
                """create or replace function private.lint() returns void language plpgsql
                set search_path = '' as $$
                begin
                exception
                  when query_canceled or lock_not_available or deadlock_detected then
                    perform private.fail_unavailable(sqlerrm);
                end $$""",
            ),
        ),
        exceptions={
            "private.organization_with(text, uuid)": "asked by every policy of every statement",
            "private.run_report(uuid, text)": "says that the question took too long",
        },
    ),
    Lint(
        # Checks and triggers call these row by row: a search_path keeps a SQL function from being
        # inlined, and it is planned at every call (170 µs where plpgsql takes 15).
        name="immutable helper that is planned at every call",
        query="""
        select f.name
        from our_functions as f
        join pg_catalog.pg_proc as p on p.oid = f.oid
        join pg_catalog.pg_language as l on l.oid = p.prolang
        where f.nspname = 'private' and p.provolatile = 'i' and l.lanname = 'sql'
        """,
        cases=(
            Case(
                """create function private.lint() returns int language sql immutable
                set search_path = '' as 'select 1'""",
                "private.lint()",
                """create or replace function private.lint() returns int language plpgsql immutable
                set search_path = '' as 'begin return 1; end'""",
            ),
        ),
    ),
    Lint(
        name="function that clients call without a comment",
        query="""
        select name from our_functions where nspname in ('public', 'service') and comment = ''
        """,
        cases=(
            Case(
                """create function public.lint() returns int language sql
                set search_path = '' as 'select 1'""",
                "public.lint()",
                "comment on function public.lint() is 'One.'",
            ),
        ),
    ),
    Lint(
        name="function that clients call whose answer has no type",
        query="""
        select nspname || '.' || proname from our_functions
        where nspname in ('public', 'service')
          and prorettype::regtype::text in ('json', 'jsonb', 'json[]', 'jsonb[]')
          and comment !~ ' Answers (public|service)\\.\\w+( or null)?\\.( |$)'
        """,
        cases=(
            Case(
                """create function public.lint() returns jsonb language sql
                set search_path = '' as $$ select '{}'::jsonb $$;
                comment on function public.lint() is 'Looks.'""",
                "public.lint",
                "comment on function public.lint() is 'Looks. Answers public.available_slot.'",
            ),
        ),
        exceptions=_DOCUMENTS,
    ),
    Lint(
        name="comment that tells the fields of a typed answer",
        query="""
        select nspname || '.' || proname from our_functions
        where nspname in ('public', 'service')
          and prorettype not in ('jsonb'::regtype, 'void'::regtype)
          and split_part(comment, ' Errors: ', 1) ~ '(Returns |: |, )\\[?\\{[a-z_]+[,}: ]'
        """,
        cases=(
            Case(
                """create function public.lint() returns setof public.available_slot language sql
                set search_path = '' as 'select null::public.available_slot';
                comment on function public.lint() is 'Looks: {room_id, starts_at}.'""",
                "public.lint",
                "comment on function public.lint() is 'Looks.'",
            ),
        ),
        exceptions=_TOLD_ARGUMENTS,
    ),
    Lint(
        name="function that clients call whose row has no type of its own",
        query="""
        select nspname || '.' || proname from our_functions
        where nspname in ('public', 'service') and prorettype = 'record'::regtype
        """,
        cases=(
            Case(
                """create function public.lint() returns table (a int, b int) language sql
                set search_path = '' as 'select 1, 2'""",
                "public.lint",
                """drop function public.lint();
                create function public.lint() returns setof public.available_slot language sql
                set search_path = '' as 'select null::public.available_slot'""",
            ),
        ),
    ),
    Lint(
        name="type of an answer without a comment",
        query="""
        select format('%I.%I', n.nspname, t.typname)
        from pg_catalog.pg_type as t
        join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
        join pg_catalog.pg_class as c on c.oid = t.typrelid and c.relkind = 'c'
        where n.nspname in ('public', 'service')
          and coalesce(obj_description(t.oid, 'pg_type'), '') = ''
        """,
        cases=(
            Case(
                """create type public.lint as (a int);
                comment on column public.lint.a is 'One.'""",
                "public.lint",
                "comment on type public.lint is 'One.'",
            ),
        ),
    ),
    Lint(
        name="field of an answer without a comment",
        query="select name from our_fields where comment = ''",
        cases=(
            Case(
                "create type public.lint as (a int); comment on type public.lint is 'One.'",
                "public.lint.a",
                "comment on column public.lint.a is 'One.'",
            ),
        ),
    ),
    Lint(
        name="field of an answer without a type",
        query="select name from our_fields where atttypid in ('json'::regtype, 'jsonb'::regtype)",
        cases=(
            Case(
                """create type public.lint as (a jsonb); comment on type public.lint is 'One.';
                comment on column public.lint.a is 'One.'""",
                "public.lint.a",
                "alter type public.lint alter attribute a type text",
            ),
        ),
        exceptions=_DOCUMENT_FIELDS,
    ),
    Lint(
        name="table or view without a comment",
        query="""
        select name from our_relations
        where relkind in ('r', 'p', 'v', 'm')
          and coalesce(obj_description(oid, 'pg_class'), '') = ''
        """,
        cases=(
            Case(
                "create table private.lint (id int primary key)",
                "private.lint",
                "comment on table private.lint is 'x'",
            ),
        ),
    ),
    Lint(
        # Not obvious from its name: what may stand in it (statuses, kinds, JSON, bytes, lists),
        # or which clock it is of (a date or a time without a zone).
        name="column that needs a comment",
        query="""
        select name from our_columns
        where relkind in ('r', 'p')
          and (
            atttypid in (
              'jsonb'::regtype, 'json'::regtype, 'bytea'::regtype,
              'date'::regtype, 'time'::regtype, 'timestamp'::regtype, 'tstzrange'::regtype
            )
            or attndims > 0
            or attname in ('status', 'kind', 'mode', 'source', 'scope', 'method')
          )
          and attname !~ '_hash$'
          and coalesce(col_description(relation, attnum), '') = ''
        """,
        cases=(
            Case(
                "create table private.lint (id int primary key, status text)",
                "private.lint.status",
                "comment on column private.lint.status is 'on or off'",
            ),
            Case(
                "create table private.lint (id int primary key, opens time)",
                "private.lint.opens",
                "comment on column private.lint.opens is 'Wall clock of the venue.'",
            ),
        ),
    ),
    Lint(
        name="exposed table without row level security",
        query="""
        select name from our_relations
        where nspname in ('public', 'service') and relkind in ('r', 'p') and not relrowsecurity
        """,
        cases=(
            Case(
                _TABLE,
                "public.lint_parents",
                "alter table public.lint_parents enable row level security",
            ),
        ),
    ),
    Lint(
        name="policy that is not for authenticated alone",
        query="""
        select name from our_policies
        where polroles <> array['authenticated'::regrole::oid]
        """,
        cases=(
            Case(
                _TABLE + "create policy lint_parents_select on public.lint_parents for select"
                " using (true)",
                "public.lint_parents.lint_parents_select",
                "alter policy lint_parents_select on public.lint_parents to authenticated",
            ),
            Case(
                "create policy lint on storage.objects for select to anon, authenticated"
                " using (false)",
                "storage.objects.lint",
                "alter policy lint on storage.objects to authenticated",
            ),
        ),
    ),
    Lint(
        name="policy for more than one action, or restrictive",
        query="select name from our_policies where polcmd = '*' or not polpermissive",
        cases=(
            Case(
                _TABLE + "create policy lint on public.lint_parents to authenticated using (true)",
                "public.lint_parents.lint",
                "drop policy lint on public.lint_parents",
            ),
        ),
    ),
    Lint(
        name="second policy for one table and action",
        query="""
        select format('%s %s', table_name, polcmd) from our_policies
        where table_name <> 'storage.objects'
        group by table_name, polcmd having count(*) > 1
        """,
        cases=(
            Case(
                _TABLE
                + """
                create policy a on public.lint_parents for select to authenticated using (true);
                create policy b on public.lint_parents for select to authenticated using (true)
                """,
                "public.lint_parents r",
                "drop policy b on public.lint_parents",
            ),
        ),
    ),
    Lint(
        name="policy whose name is not <table>_<action>",
        query="""
        select name from our_policies
        where table_name <> 'storage.objects'
          and polname <> relname || case polcmd
            when 'r' then '_select' when 'a' then '_insert'
            when 'w' then '_update' when 'd' then '_delete' else ''
          end
        """,
        cases=(
            Case(
                _TABLE + "create policy readers on public.lint_parents for select to authenticated"
                " using (true)",
                "public.lint_parents.readers",
                "alter policy readers on public.lint_parents rename to lint_parents_select",
            ),
        ),
    ),
    Lint(
        name="policy expression of another shape",
        query=f"""
        select format('%s %s: %s', name, clause, expression)
        from our_policies
        cross join lateral (values ('using', using_), ('with check', with_check))
          as c (clause, expression)
        where expression is not null
          and expression !~ case table_name
            when 'storage.objects' then $shape${_STORAGE}$shape$ else $shape${_TENANT}$shape$
          end
        union all
        -- An update without a check would let a row be moved out of sight or into another tenant.
        select format('%s update without its own check', name)
        from our_policies
        where polcmd = 'w' and with_check is null
        """,
        cases=(
            Case(
                _TABLE + "create policy lint on public.lint_parents for select to authenticated"
                " using (true)",
                "public.lint_parents.lint using: true",
                "alter policy lint on public.lint_parents using"
                " (organization_id = (select private.organization_with('rooms:read')))",
            ),
            Case(
                # Evaluated for every row instead of once.
                _TABLE + "create policy lint on public.lint_parents for select to authenticated"
                " using (organization_id = private.organization_with('rooms:read'))",
                "public.lint_parents.lint using:"
                " (organization_id = private.organization_with('rooms:read'::text))",
                "alter policy lint on public.lint_parents using"
                " (organization_id = (select private.organization_with('rooms:read')))",
            ),
            Case(
                _TABLE + "create policy lint on public.lint_parents for update to authenticated"
                " using (organization_id = (select private.organization_with('rooms:update')))",
                "public.lint_parents.lint update without its own check",
                "alter policy lint on public.lint_parents with check"
                " (organization_id = (select private.organization_with('rooms:update')))",
            ),
            Case(
                "create policy lint on storage.objects for select to authenticated"
                " using (bucket_id = 'lint')",
                "storage.objects.lint using: (bucket_id = 'lint'::text)",
                "alter policy lint on storage.objects using (bucket_id = 'lint' and"
                " (storage.foldername(name))[1]"
                " = (select private.folder_with('rooms:read')))",
            ),
        ),
        exceptions=_OTHER_POLICIES,
    ),
    Lint(
        name="exposed table with rows that belong to no tenant",
        query="""
        select name from our_relations
        where nspname = 'public' and relkind in ('r', 'p')
          and oid not in (select oid from tenant_tables)
        """,
        cases=(
            Case(
                "create table public.lint (id uuid primary key, organization_id uuid);"
                " comment on table public.lint is 'x'",
                "public.lint",
                "alter table public.lint alter organization_id set not null",
            ),
        ),
        exceptions={
            "public.organizations": "is the tenant",
            "public.permissions": "the product's catalogue, the same for everybody",
            "public.plans": "what can be subscribed to, the same for everybody",
            "public.profiles": "a user may work for several tenants",
        },
    ),
    Lint(
        name="tenant table whose primary key does not start with organization_id",
        query="""
        select t.name from tenant_tables as t
        where not exists (
          select from pg_catalog.pg_constraint as k
          where k.conrelid = t.oid and k.contype = 'p' and k.conkey[1] = t.tenant
        )
        """,
        cases=(
            Case(
                "create table private.lint (id uuid primary key, organization_id uuid not null)",
                "private.lint",
                "alter table private.lint drop constraint lint_pkey,"
                " add primary key (organization_id, id)",
            ),
        ),
    ),
    Lint(
        name="unique key of a tenant table that does not start with organization_id",
        query="""
        select format(
          '%s (%s)', i.indexrelid::regclass, string_agg(a.attname, ', ' order by k.position)
        )
        from tenant_tables as t
        join pg_catalog.pg_index as i on i.indrelid = t.oid and i.indisunique
        cross join unnest(i.indkey) with ordinality as k (number, position)
        left join pg_catalog.pg_attribute as a on a.attrelid = t.oid and a.attnum = k.number
        where i.indkey[0] <> t.tenant
        group by i.indexrelid
        -- A secret is all that its bearer brings: it is found by its hash, on the whole platform.
        having string_agg(a.attname, ', ') !~ '^[a-z_]*hash$'
        """,
        cases=(
            Case(
                _TABLE + "create unique index lint on public.lint_parents (id)",
                "public.lint (id)",
                "drop index public.lint",
            ),
            Case(
                _TABLE + "alter table public.lint_parents add constraint lint unique"
                " (id, organization_id)",
                "public.lint (id, organization_id)",
                "alter table public.lint_parents drop constraint lint",
            ),
        ),
        exceptions={
            "public.calendars_slug_key (slug)": "a public address, unique on the whole platform",
            "private.stripe_customers_customer_key (customer_id)": (
                "an event names a customer and no organization, and no two may share one"
            ),
            "public.subscriptions_stripe_subscription_key (stripe_subscription_id)": (
                "one subscription of Stripe's is one organization's"
            ),
            "public.sender_domains_proven_key (domain)": (
                "a domain is one organization's, once its DNS says so"
            ),
            "public.stripe_accounts_account_key (account_id)": (
                "an event names an account and no organization, and no two may share one"
            ),
        },
    ),
    Lint(
        name="foreign key between tenant tables that can cross tenants",
        query="""
        select format('%s.%s', t.name, k.conname)
        from pg_catalog.pg_constraint as k
        join tenant_tables as t on t.oid = k.conrelid
        join tenant_tables as r on r.oid = k.confrelid
        where k.contype = 'f' and (k.conkey[1] <> t.tenant or k.confkey[1] <> r.tenant)
        """,
        cases=(
            Case(
                _TABLE
                + """
                create unique index lint on public.lint_parents (id);
                create table private.lint_children (
                  organization_id uuid not null, id uuid not null,
                  parent_id uuid constraint loose references public.lint_parents (id),
                  primary key (organization_id, id)
                )
                """,
                "private.lint_children.loose",
                "alter table private.lint_children drop constraint loose,"
                " add foreign key (organization_id, parent_id) references public.lint_parents",
            ),
        ),
    ),
    Lint(
        name="foreign key that no index serves",
        query="""
        select format('%s.%s', c.name, k.conname)
        from pg_catalog.pg_constraint as k
        join our_relations as c on c.oid = k.conrelid
        where k.contype = 'f'
          and not exists (
            select from pg_catalog.pg_index as i
            where i.indrelid = c.oid
              -- A partial index serves if it leaves out only rows that refer to nothing.
              and (
                i.indpred is null
                or pg_get_expr(i.indpred, i.indrelid) in (
                  select format('(%I IS NOT NULL)', a.attname)
                  from pg_catalog.pg_attribute as a
                  where a.attrelid = c.oid and a.attnum = any(k.conkey)
                )
              )
              and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
          )
        """,
        cases=(
            Case(
                _TABLE
                + """
                create table private.lint_children (
                  organization_id uuid not null, id uuid not null, parent_id uuid not null,
                  primary key (organization_id, id),
                  constraint slow foreign key (organization_id, parent_id)
                  references public.lint_parents
                )
                """,
                "private.lint_children.slow",
                "create index on private.lint_children (organization_id, parent_id)",
            ),
        ),
    ),
    Lint(
        name="privilege of anon, service_role or everybody on a table",
        query="""
        select format('%s: %s to %s', coalesce(name || '.' || part, name), privilege_type, role)
        from our_grants
        where role in ('anon', 'service_role', 'authenticator', 'public')
        """,
        cases=(
            Case(
                _TABLE + "grant select on public.lint_parents to anon",
                "public.lint_parents: SELECT to anon",
                "revoke select on public.lint_parents from anon",
            ),
            Case(
                _TABLE + "grant update (id) on public.lint_parents to service_role",
                "public.lint_parents.id: UPDATE to service_role",
                "revoke update (id) on public.lint_parents from service_role",
            ),
            Case(
                "create sequence private.lint; grant usage on sequence private.lint to public",
                "private.lint: USAGE to public",
                "revoke usage on sequence private.lint from public",
            ),
        ),
    ),
    Lint(
        name="privilege of authenticated that is too wide",
        query="""
        select format('%s: %s', name, privilege_type)
        from our_grants
        where role = 'authenticated'
          and (
            nspname <> 'public'
            or is_grantable
            or privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            -- Inserts and updates name their columns.
            or privilege_type in ('INSERT', 'UPDATE') and part is null
          )
        """,
        cases=(
            Case(
                _TABLE + "grant update on public.lint_parents to authenticated",
                "public.lint_parents: UPDATE",
                "revoke update on public.lint_parents from authenticated;"
                " grant update (id) on public.lint_parents to authenticated",
            ),
            Case(
                "create table private.lint (id int primary key);"
                " grant select on private.lint to authenticated",
                "private.lint: SELECT",
                "revoke select on private.lint from authenticated",
            ),
            Case(
                _TABLE + "grant truncate on public.lint_parents to authenticated",
                "public.lint_parents: TRUNCATE",
                "revoke truncate on public.lint_parents from authenticated",
            ),
        ),
    ),
    Lint(
        name="client may change what decides the tenant",
        query="""
        select format('%s.%s', name, part)
        from our_grants
        where role = 'authenticated' and privilege_type = 'UPDATE'
          and part in ('id', 'organization_id')
        """,
        cases=(
            Case(
                _TABLE + "grant update (organization_id) on public.lint_parents to authenticated",
                "public.lint_parents.organization_id",
                "revoke update (organization_id) on public.lint_parents from authenticated",
            ),
        ),
    ),
    Lint(
        name="function that everybody may execute",
        query="select name from our_executes where role = 'public'",
        cases=(
            Case(
                """create function private.lint() returns int language sql
                set search_path = '' as 'select 1';
                grant execute on function private.lint() to public""",
                "private.lint()",
                "revoke execute on function private.lint() from public",
            ),
        ),
    ),
    Lint(
        name="default privilege that would open what is created next",
        query="""
        select format(
          '%s%s: %s on %s to %s', d.defaclrole::regrole,
          coalesce(' in ' || d.defaclnamespace::regnamespace, ''),
          a.privilege_type, d.defaclobjtype, coalesce(r.rolname, 'public')
        )
        from pg_catalog.pg_default_acl as d
        cross join lateral aclexplode(d.defaclacl) as a
        left join pg_catalog.pg_roles as r on r.oid = a.grantee
        where d.defaclrole = 'postgres'::regrole
          and a.grantee <> d.defaclrole
          and (
            d.defaclnamespace = 0
            or d.defaclnamespace::regnamespace::text in ('public', 'service', 'private')
          )
        union all
        select 'postgres: EXECUTE on f to public (built in)'
        where not exists (
          select from pg_catalog.pg_default_acl as d
          where d.defaclrole = 'postgres'::regrole and d.defaclnamespace = 0
            and d.defaclobjtype = 'f'
        )
        """,
        cases=(
            Case(
                "alter default privileges in schema public grant select on tables to anon",
                "postgres in public: SELECT on r to anon",
                "alter default privileges in schema public revoke select on tables from anon",
            ),
            Case(
                "alter default privileges grant execute on functions to public",
                "postgres: EXECUTE on f to public (built in)",
                "alter default privileges revoke execute on functions from public",
            ),
            Case(
                # What pg-delta would write for the revokes of 00_foundation.
                "alter default privileges in schema public grant execute on functions to public",
                "postgres in public: EXECUTE on f to public",
                "alter default privileges in schema public revoke execute on functions from public",
            ),
        ),
    ),
    Lint(
        # service.f() runs as its caller, so the caller needs the bodies that it names, and an
        # invoker among these passes the question on. PostgREST calls check_request as every role.
        name="function that service_role may execute without needing it",
        query="""
        , recursive_needs as (
          select oid, name from (
            with recursive needed as (
              select f.oid, f.name, f.prosrc, f.prosecdef, f.nspname
              from our_functions as f where f.nspname = 'service'
              union
              select b.oid, b.name, b.prosrc, b.prosecdef, b.nspname
              from needed as n
              join our_functions as b
                on b.nspname = 'private'
                and n.prosrc ~ ('\\mprivate\\.' || b.proname || '\\(')
              where not n.prosecdef
            )
            select oid, name from needed
          ) as n
        )
        select e.name from our_executes as e
        where e.role = 'service_role'
          and e.name <> 'private.check_request()'
          and e.oid not in (select oid from recursive_needs)
        """,
        cases=(
            Case(
                """create function public.lint() returns int language sql
                set search_path = '' as 'select 1';
                grant execute on function public.lint() to service_role""",
                "public.lint()",
                "revoke execute on function public.lint() from service_role",
            ),
            Case(
                """create function private.lint() returns int language sql
                set search_path = '' as 'select 1';
                grant execute on function private.lint() to service_role""",
                "private.lint()",
                """create function service.lint() returns int language sql
                set search_path = '' as 'select private.lint()'""",
            ),
        ),
    ),
    Lint(
        name="function of schema service that somebody but service_role may execute",
        query="""
        select format('%s: %s', name, role) from our_executes
        where nspname = 'service' and role not in ('service_role', 'postgres')
        """,
        cases=(
            Case(
                """create function service.lint() returns int language sql
                set search_path = '' as 'select 1';
                grant execute on function service.lint() to authenticated""",
                "service.lint(): authenticated",
                "revoke execute on function service.lint() from authenticated",
            ),
        ),
    ),
    Lint(
        name="view that reads with its owner's rights",
        query="""
        select name from our_relations
        where relkind = 'm' and nspname <> 'private'
          or relkind = 'v' and not coalesce(reloptions, '{}') && array[
            'security_invoker=true', 'security_invoker=on', 'security_invoker=1'
          ]
        """,
        cases=(
            Case(
                "create view public.lint as select 1 as one; comment on view public.lint is 'x'",
                "public.lint",
                "alter view public.lint set (security_invoker = true)",
            ),
        ),
    ),
    Lint(
        # Enum equality is not leakproof and so never reaches an index under RLS; a rule and a
        # serial hide what happens on write; an event trigger needs a superuser when hosted.
        name="enum, rule, serial or event trigger",
        query="""
        select t.oid::regtype::text
        from pg_catalog.pg_type as t
        join pg_catalog.pg_namespace as n on n.oid = t.typnamespace
        where t.typtype = 'e' and n.nspname in ('public', 'service', 'private')
        union all
        select c.name || '.' || r.rulename
        from pg_catalog.pg_rewrite as r
        join our_relations as c on c.oid = r.ev_class
        where r.rulename <> '_RETURN'
        union all
        select c.name
        from our_columns as c
        join pg_catalog.pg_attrdef as d on d.adrelid = c.relation and d.adnum = c.attnum
        where pg_get_expr(d.adbin, d.adrelid) like 'nextval(%'
        union all
        select evtname::text from pg_catalog.pg_event_trigger
        where evtfoid in (select oid from our_functions)
        """,
        cases=(
            Case(
                "create type private.lint as enum ('a')",
                "private.lint",
                "drop type private.lint",
            ),
            Case(
                "create table private.lint (id serial primary key)",
                "private.lint.id",
                """alter table private.lint alter id drop default;
                alter table private.lint alter id add generated always as identity""",
            ),
            Case(
                "create table private.lint (id int primary key);"
                " create rule quiet as on insert to private.lint do instead nothing",
                "private.lint.quiet",
                "drop rule quiet on private.lint",
            ),
        ),
    ),
    Lint(
        name="money that is not bigint minor units, or instants without a zone",
        query="""
        select name || ': ' || format_type(atttypid, atttypmod)
        from our_columns
        where attname ~ '_cents$' and atttypid <> 'bigint'::regtype
          or atttypid in (
            'money'::regtype, 'real'::regtype, 'double precision'::regtype, 'timestamp'::regtype
          )
          or attname ~ '_at$' and atttypid not in ('timestamptz'::regtype, 'time'::regtype)
        """,
        cases=(
            Case(
                "create table private.lint (id int primary key, price_cents int)",
                "private.lint.price_cents: integer",
                "alter table private.lint alter price_cents type bigint",
            ),
            Case(
                "create table private.lint (id int primary key, made_at timestamp)",
                "private.lint.made_at: timestamp without time zone",
                "alter table private.lint alter made_at type timestamptz",
            ),
        ),
    ),
    Lint(
        # A guard is a permission named in a policy or in a call of the functions that decide.
        name="guard whose permission is not in the catalogue",
        query="""
        select format('%s in %s', guard[2], place)
        from (
          select name as place, coalesce(using_, '') || coalesce(with_check, '') as code
          from our_policies
          union all
          select name, prosrc from our_functions
        ) as c
        cross join lateral regexp_matches(
          code,
          '(organization_with|folder_with|has_permission|require_permission|require_permission_over_members)\\s*\\([^'')]*''([a-z_]+:[a-z_]+)''',
          'g'
        ) as guard
        where not exists (select from public.permissions as p where p.key = guard[2])
        """,
        cases=(
            Case(
                _TABLE + "create policy lint on public.lint_parents for select to authenticated"
                " using (organization_id = (select private.organization_with('lint:read')))",
                "lint:read in public.lint_parents.lint",
                "select private.permission_upsert"
                "('lint:read', 'lint', false, 'x', 'x', array['admin'])",
            ),
        ),
    ),
    Lint(
        name="permission that guards nothing",
        query="""
        select p.key
        from public.permissions as p
        where not exists (
          select from our_policies as c
          where strpos(concat(c.using_, c.with_check), quote_literal(p.key)) > 0
          union all
          select from our_functions as f
          where strpos(f.prosrc, quote_literal(p.key)) > 0
        )
        -- Or a rule in a table asks for it, as private.booking_transitions does.
        and not exists (
          select from private.booking_transitions as t where t.permission = p.key
        )
        """,
        cases=(
            Case(
                "select private.permission_upsert"
                "('lint:read', 'lint', false, 'x', 'x', array['admin'])",
                "lint:read",
                """create function private.lint() returns void language sql
                set search_path = '' as $$
                select private.require_permission(null, 'lint:read')
                $$""",
            ),
        ),
    ),
)
