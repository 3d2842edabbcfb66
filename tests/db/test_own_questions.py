"""Own questions: what run_report answers, for whom, and what neither look lets through."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from client import Client
from db.booking_world import Row, Shop, open_shop
from escapemaster.errors import DomainError
from escapemaster.reports.statements import bounded
from escapemaster.reports.views import VIEWS
from escapemaster_dev.schema import view_page
from escapemaster_dev.schema.project import PROJECT
from matrix.house import House
from matrix.promises import refused

#: What may be asked, each with what it is answered with when there is nothing: how many rows.
GOOD = {
    "select * from bookings": 0,
    "table bookings": 0,
    "select room, count(*) as n, sum(total_cents) / 100.0 total from bookings group by 1"
    " having count(*) > 1 order by n desc nulls last limit 5": 0,
    "select b.room, r.duration_minutes from bookings b join rooms r on r.id = b.room_id"
    " where b.visit_date >= date '2026-01-01' and b.status in ('confirmed', 'completed')": 0,
    "with x as (select date_trunc('month', visit_at) as m, count(*) filter (where status ="
    " 'no_show') as n from bookings group by 1) select m::date, n, lag(n) over (order by m"
    " rows between unbounded preceding and current row) from x": 0,
    "select extract(isodow from visit_at) d, coalesce(room, '-'), case when total_cents > 0"
    " then 'a' else 'b' end c from bookings where not exists (select 1 from rooms where"
    " rooms.id = bookings.room_id) and room ilike 'a%' and room is distinct from 'x' and"
    " starts_at between now() - interval '1 month' and current_date": 0,
    "select percentile_cont(0.5) within group (order by total_cents) from bookings;": 1,
    "select a.room from bookings a join sessions using (room_id)": 0,
    "(select room from bookings) union (select name from rooms) order by 1": 0,
    "select to_char(visit_at, 'YYYY-MM') as \"Mes, año\", round(avg(total_cents), 2),"
    " count(distinct room) from bookings group by 1 -- each month": 0,
    "select row_number() over (partition by room order by visit_at desc) as r, nullif(1, 0),"
    " abs(-1), lower(room) || upper('x'), length(room), left(room, 3), trim(room),"
    " split_part(room, ' ', 1), greatest(1, 2), least(1, 2), floor(1.5), ceil(1.2), mod(5, 3),"
    " right(room, 2) from bookings": 0,
    "select visit_at at time zone 'UTC', stddev(total_cents) from bookings group by 1": 0,
    "select (select count(*) from rooms) as rooms, count(*) from bookings": 1,
    "select p.method, sum(amount_cents) from payments p left join bookings b on"
    " p.booking_id = b.id and b.status <> 'held' group by method": 0,
    "select x::text, y::int, z::numeric(10, 2), 'it''s \"so\" \\ ; -- /* $$' as t from"
    " (select 1 x, 2 y, 3 z from locations) q": 1,
    "select room from bookings where (room, room_id) in (select name, id from rooms)"
    " and (room, status) <> ('a', 'b') and (status, source) in (('held', 'api'), ('x', 'y'))": 0,
    "with a as (select name as n from locations), b as (select n from a union all select n from a)"
    " select b.* from b": 2,
    "select name" + " || name" * 8 + " as t from locations": 1,
    "select name || ' (place)' as t from locations union all select name || ' (room)' from rooms"
    " order by t": 1,
    f'select name as "{"é" * 31}x", timezone as "region" from locations': 1,
    "select distinct on (room) room, id from bookings order by room, id": 0,
    "select percentile_disc(0.5) within group (order by party_size), min(room), max(room),"
    " rank() over (order by room), dense_rank() over (order by room), lead(room) over"
    " (order by room) from bookings group by room": 0,
}

#: What is refused, and with what.
ATTACKS = {
    # writes and other statements
    "delete from bookings": "report_not_allowed",
    "update bookings set status = 'x'": "report_not_allowed",
    "insert into bookings (id) values (null)": "report_not_allowed",
    "with x as (delete from bookings returning id) select * from x": "report_not_allowed",
    "drop table bookings": "report_not_allowed",
    "create table x (y int)": "report_not_allowed",
    "truncate bookings": "report_not_allowed",
    "select * into mine from bookings": "report_not_allowed",
    "select * from bookings for update": "report_not_allowed",
    "copy bookings to '/tmp/x'": "report_not_allowed",
    "copy (select 1) to program 'id'": "report_not_allowed",
    "explain analyze select * from bookings": "report_not_allowed",
    "do $$ begin perform 1; end $$": "report_not_allowed",
    "call something()": "report_not_allowed",
    "set role postgres": "report_not_allowed",
    "set local request.jwt.claims = '{}'": "report_not_allowed",
    "reset role": "report_not_allowed",
    "begin": "report_not_allowed",
    "listen x": "report_not_allowed",
    "values (1)": "report_not_allowed",
    "prepare x as select 1": "report_not_allowed",
    # more than one, and nothing
    "select 1; select 2": "report_not_allowed",
    "select 1; drop table bookings": "report_not_allowed",
    "": "report_not_allowed",
    "-- nothing": "report_not_allowed",
    "select 1) as answer; delete from bookings; select (1": "report_unreadable",
    "select 1 /* open": "report_unreadable",
    # functions
    "select pg_sleep(10)": "report_not_allowed",
    "select pg_read_file('/etc/passwd')": "report_not_allowed",
    "select set_config('request.jwt.claims', '{}', true)": "report_not_allowed",
    "select current_setting('request.jwt.claims')": "report_not_allowed",
    "select * from dblink('', 'select 1') as t (x int)": "report_not_allowed",
    "select lo_import('/etc/passwd')": "report_not_allowed",
    "select lo_get(1)": "report_not_allowed",
    "select pg_catalog.set_config('role', 'postgres', true)": "report_not_allowed",
    "select \"set_config\"('role', 'postgres', true)": "report_not_allowed",
    "select query_to_xml('select 1', true, true, '')": "report_not_allowed",
    "select pg_advisory_lock(1)": "report_not_allowed",
    "select pg_notify('x', 'y')": "report_not_allowed",
    "select nextval('private.attempts_1_1')": "report_not_allowed",
    "select private.organization_with('bookings:read')": "report_not_allowed",
    "select public.my_context()": "report_not_allowed",
    "select version()": "report_not_allowed",
    "select current_user": "report_not_allowed",
    "select session_user": "report_not_allowed",
    "select current_database()": "report_not_allowed",
    "select regexp_replace(room, '(a+)+$', '') from bookings": "report_not_allowed",
    "select * from bookings where room ~ '(a+)+$'": "report_not_allowed",
    "select * from bookings where room similar to '(a+)+'": "report_not_allowed",
    "select repeat('x', 1000000000)": "report_not_allowed",
    "select lpad('x', 1000000000)": "report_not_allowed",
    "select string_agg(room, '') from bookings": "report_not_allowed",
    "select array_agg(id) from bookings": "report_not_allowed",
    "select json_agg(b) from bookings b": "report_not_allowed",
    "select replace(room, 'a', 'aaaa') from bookings": "report_not_allowed",
    "select power(9, 99999)": "report_not_allowed",
    "select random()": "report_not_allowed",
    "select ('{\"a\": 1}'::jsonb) ->> 'a'": "report_not_allowed",
    "select 'public.bookings'::regclass": "report_not_allowed",
    "select array[1, 2]": "report_not_allowed",
    # other relations
    "select * from pg_class": "report_not_allowed",
    "select * from pg_catalog.pg_authid": "report_not_allowed",
    "select * from information_schema.tables": "report_not_allowed",
    "select * from auth.users": "report_not_allowed",
    "select * from public.bookings": "report_not_allowed",
    "select * from reports.bookings": "report_not_allowed",
    "select * from private.jobs": "report_not_allowed",
    "select * from profiles": "report_not_allowed",
    "with bookings as (select 1 as id) select * from bookings": "report_not_allowed",
    "with pg_class as (select 1 as x) select * from rooms where exists (select 1 from pg_authid)": (
        "report_not_allowed"
    ),
    # system columns, whole rows, what is not there
    "select ctid from bookings": "report_unreadable",
    "select xmin, tableoid from bookings": "report_unreadable",
    "select b from bookings b": "report_not_allowed",
    "select organization_id from bookings": "report_unreadable",
    "select id, id from bookings": "report_unreadable",
    # bombs
    "select 1 from bookings, sessions": "report_not_allowed",
    "select 1 from bookings cross join sessions": "report_not_allowed",
    "select 1 from bookings a join bookings b on true": "report_not_allowed",
    "select 1 from bookings a join bookings b on 1 = 1": "report_not_allowed",
    "select 1 from bookings a join bookings b on a.id = a.id": "report_not_allowed",
    "select 1 from bookings a join bookings b on a.id = b.id or true": "report_not_allowed",
    "select 1 from bookings a natural join rooms b": "report_not_allowed",
    "select 1 from bookings a, lateral (select 1) as b": "report_not_allowed",
    "select * from generate_series(1, 1000000000)": "report_not_allowed",
    "select generate_series(1, 1000000000)": "report_not_allowed",
    "select * from unnest(array[1])": "report_not_allowed",
    "select * from (values (1), (2)) as v (x)": "report_not_allowed",
    "with recursive r as (select 1 as n union all select n + 1 from r) select * from r": (
        "report_not_allowed"
    ),
    "with r as (select 1 as n union all select n + 1 from r) select * from r": "report_unreadable",
    "select count(*) from bookings group by cube (id, room, status)": "report_not_allowed",
    "select * from bookings tablesample system (1)": "report_not_allowed",
    "select " + "(" * 400 + "1" + ")" * 400: "report_too_complex",
    "select " + "not " * 3_000 + "true": "report_too_complex",
    "select " + "- " * 3_000 + "1": "report_too_complex",
    "select 1" + " + 1" * 2_400: "report_too_complex",
    "select 1" + " union all select 1" * 500: "report_too_complex",
    "select '" + "x" * 10_000 + "'": "report_too_complex",
    "with a as (select id from bookings), "
    "b as (select x.id from a x join a y on x.id = y.id), "
    "c as (select x.id from b x join b y on x.id = y.id), "
    "d as (select x.id from c x join c y on x.id = y.id) "
    "select count(*) from d x join d y on x.id = y.id": "report_too_complex",
    # rows as values, and texts of texts, which double with each
    "with a as (select name as t from locations), b as (select (t, t, t) as t from a), "
    "c as (select (t, t, t) as t from b) select t from c": "report_refused",
    "select (name, name) as t from locations": "report_refused",
    "select ((name, name)) is null as t from locations": "report_refused",
    "select count((name, name)) as t from locations": "report_refused",
    "select coalesce((name, name), (name, name)) as t from locations": "report_refused",
    "select 1 from locations where ((name, name), 1) = ((name, name), 1)": "report_refused",
    "select max(name) from locations group by (name, name)": "report_refused",
    "select name from locations order by (name, name)": "report_refused",
    "select coalesce(l.*, l.*) as t from locations l": "report_refused",
    "with a as (select name from locations), b as (select nullif(a.*, null) as t,"
    " greatest(a.*, a.*) as u from a) select * from b": "report_refused",
    "select l.* is null as t from locations l": "report_refused",
    "select count(l.*) as t from locations l": "report_refused",
    "select distinct (name, name) as t from locations": "report_refused",
    "select distinct on ((name, name), name) name from locations": "report_refused",
    "select count(distinct (name, name)) as t from locations": "report_refused",
    "select row(name, name) as t from locations": "report_not_allowed",
    "select concat(name, name) as t from locations": "report_not_allowed",
    "select name" + " || name" * 9 + " as t from locations": "report_refused",
    "with a as (select name || name || name || name as t from locations), "
    "b as (select t || t || t || t as t from a) select t || t || t || t as t from b": (
        "report_refused"
    ),
    "select t || t as t from (select name || name as t from locations) q": "report_refused",
    "select (select q.t || 'x' from rooms) as t from (select name || 'x' as t from locations) q": (
        "report_refused"
    ),
    "select t" + " + t" * 20 + " as t from (select t" + " + t" * 20 + " as t from (select"
    " total_cents" + " + total_cents" * 20 + " as t from bookings) q) q": "report_too_complex",
    "select "
    + ", ".join(f"t as t{i}" for i in range(60))
    + " from (select t"
    + " * t" * 60
    + " as t from (select cast('1e131071' as decimal) as t from locations) q) q": (
        "report_too_complex"
    ),
    "with q as (select total_cents"
    + " + total_cents" * 60
    + " as t from bookings) select q.t"
    + " + q.t" * 60
    + " as t from (q)": "report_too_complex",
    # tables of values, from who has no data
    "select 1 as one": "report_refused",
    "select name from locations union all select 'x'": "report_refused",
    "with x as (select 1 as k union all select 1) select count(*) from x": "report_refused",
    "with x as (select 1 as k union all select k from x) select k from x": "report_unreadable",
    "select (select 1) as one from locations": "report_refused",
    "select name from locations where exists (select 1)": "report_refused",
    "select name from locations where 1 in (select 1)": "report_refused",
    "select l.name from locations l join (select 'x' as n) q on q.n = l.name": "report_refused",
    # nothing, and names that would be cut
    "select from locations": "report_refused",
    "select count(*) from (select from locations) q": "report_refused",
    f'select name as "{"x" * 64}" from locations': "report_refused",
    f'select name as "{"é" * 32}" from locations': "report_refused",
    f"select name as {'x' * 63}a, timezone as {'x' * 63}b from locations": "report_refused",
    f"with {'x' * 64} as (select name from locations) select * from {'x' * 64}": "report_refused",
    # parameters, quoting, letters
    "select $1": "report_not_allowed",
    "select * from bookings where id = :id": "report_not_allowed",
    "select * from bookings where id = ?": "report_not_allowed",
    "select $$x$$": "report_not_allowed",
    "select U&'\\0061'": "report_not_allowed",
    'select 1 as "a""b"': "report_not_allowed",
    "select \x00": "report_unreadable",
    "select pg_sleep\u00a0(1)": "report_not_allowed",
    "select \uff50\uff47_sleep(1)": "report_not_allowed",
    "select e'\\'; drop table x; --'": "report_not_allowed",
}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def prepared(shop: Shop, by: Client, statement: str) -> str:
    """The id under which the service keeps a statement for somebody."""
    made: str = shop.house.service.call(
        "service.prepare_report", organization_id=shop.id, caller=by.id, statement=statement
    )
    return made


def put(shop: Shop, by: Client, statement: str) -> str:
    """The id of one that came past the service and past the first look of the database."""
    (row,) = shop.house.owner_sql(
        "insert into private.report_statements (organization_id, caller, statement)"
        " values (%s, %s, %s) returning id",
        shop.id,
        by.id,
        statement,
    )
    return str(row["id"])


def run(shop: Shop, by: Client, statement_id: str) -> Any:
    return by.call("run_report", organization_id=shop.id, statement_id=statement_id)


def ask(shop: Shop, by: Client, text: str) -> list[Row]:
    """What a question is answered with, asked as the service asks it."""
    rows: list[Row] = run(shop, by, prepared(shop, by, bounded(text).text))["rows"]
    return rows


@pytest.mark.parametrize("text", GOOD)
def test_a_question_that_may_be_asked_is_answered(shop: Shop, text: str) -> None:
    assert len(ask(shop, shop.venue.owner, text)) == GOOD[text]


@pytest.mark.parametrize("text", ATTACKS)
def test_what_is_no_select_of_the_views_is_refused_before_it_is_sent(text: str) -> None:
    with pytest.raises(DomainError) as caught:
        bounded(text)
    assert (caught.value.code, caught.value.status) == (ATTACKS[text], 422)
    assert caught.value.hint
    if ATTACKS[text] in ("report_refused", "report_not_allowed"):
        assert isinstance(caught.value.details, dict) and caught.value.details["part"]


#: What the database itself does not let past, if the service were to hand it over as it is.
RAW = [
    "select 1; drop table public.bookings",
    "delete from public.bookings",
    "insert into public.rooms default values",
    "select 1 into x",
    "select * from reports.bookings for update",
    "copy reports.bookings to '/tmp/x'",
    "explain select 1",
    "set role postgres",
    "table reports.bookings",
    "values (1)",
    "select pg_sleep(10)",
    "select pg_read_file('/etc/passwd')",
    "select set_config('request.jwt.claims', '{}', true)",
    "select \"set_config\"('request.jwt.claims', '{}', true)",
    "select \"pg_catalog\".\"set_config\"('role', 'postgres', true)",
    "select \"set_config\" ('a', 'b', true)",
    "select current_setting('request.jwt.claims')",
    "select lo_get(1)",
    "select generate_series(1, 10)",
    'select "generate_series"(1, 10)',
    "with recursive r as (select 1) select * from r",
    "select string_agg('x', '')",
    "select repeat('x', 10)",
    "select row_to_json(b) from reports.bookings as b",
    "select current_user",
    "select session_user",
    'select * from "pg_authid"',
    'select * from "pg_catalog"."pg_class"',
    'select * from "information_schema"."tables"',
    'select * from "public"."bookings"',
    'select * from "auth"."users"',
    'select * from "private"."jobs"',
    'select * from reports."bookings"',
    "select 1 -- x",
    "select 1 /* x */",
    "select $1",
    "select $$x$$",
    "select e'x'",
    "select U&'x'",
    "select x'1f'",
    "select 'open",
    'select 1 as "open',
    "select 1 \\ 2",
    "select '{}'::json",
    "select 'bookings'::regclass",
    "select 'bookings'::\"regclass\"",
    "select 'bookings' :: \"RegClass\"",
    "select '{}'::\"json\"",
    "select cast('bookings' as \"regclass\")",
    "select cast('{bookings}' as \"_regclass\")",
    "select cast(coalesce('{}', (select '1')) as \"xml\")",
    'select cast(\'{}\' as "json") as "x"',
    "select \"regclass\" 'bookings'",
    "select array[1]",
    "select \uff50g_sleep(1)",
    "select 1 @ 2",
    "1",
    "",
]


@pytest.mark.parametrize("statement", RAW)
def test_the_database_lets_nothing_past_that_the_service_would_not_write(
    shop: Shop, statement: str
) -> None:
    by = shop.venue.owner
    if statement:
        with refused(422, "report_refused"):
            prepared(shop, by, statement)
        with refused(422, "report_refused"):
            run(shop, by, put(shop, by, statement))
    else:
        with pytest.raises(psycopg.errors.CheckViolation), shop.house.connection.transaction():
            put(shop, by, statement)


@pytest.fixture
def unguarded(shop: Shop) -> Shop:
    """A venue whose database has lost its second look."""
    shop.house.owner_sql(
        "create or replace function private.refuse_report_statement(statement text) returns void"
        " language plpgsql stable set search_path = '' as 'begin end'"
    )
    return shop


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.customer_tags returning id",
        "insert into public.customer_tags (customer_id, tag) values (null, 'x') returning id",
        "select * from public.bookings for update",
        "select 1 into x",
        "select 1) as answer limit 1; delete from public.customer_tags; select (1",
        "with gone as (delete from public.customer_tags returning id) select * from gone",
        "explain select 1",
        "copy public.bookings to stdout",
        "set role postgres",
        "create table x ()",
    ],
)
def test_what_runs_can_change_nothing_even_when_nobody_looks(
    unguarded: Shop, statement: str
) -> None:
    by = unguarded.venue.owner
    with refused(422, "report_invalid"):
        run(unguarded, by, put(unguarded, by, statement))


def test_an_answer_is_cut_at_ten_thousand_rows_and_five_million_bytes(unguarded: Shop) -> None:
    by = unguarded.venue.owner
    for statement, rows, is_cut in (
        ("select g from generate_series(1, 10000) as g", 10_000, False),
        ("select g from generate_series(1, 10001) as g", 10_000, True),
        ("select repeat('x', 1000000) from generate_series(1, 9)", 4, True),
    ):
        answer = run(unguarded, by, put(unguarded, by, statement))
        assert (len(answer["rows"]), answer["is_cut"]) == (rows, is_cut)


def test_a_question_that_takes_too_long_says_so(unguarded: Shop) -> None:
    by = unguarded.venue.owner
    statement = put(unguarded, by, "select pg_sleep(600)")
    unguarded.house.owner_sql("set local statement_timeout = '2s'")
    with refused(422, "report_too_slow"):
        run(unguarded, by, statement)


@pytest.mark.parametrize("of", ["organization", "person"])
def test_one_question_of_a_venue_and_of_a_person_is_answered_at_a_time(shop: Shop, of: str) -> None:
    by = shop.venue.owner
    statement = prepared(shop, by, bounded("select * from rooms").text)
    info = shop.house.connection.info
    with psycopg.connect(info.dsn, password=info.password) as other:
        other.execute(
            "select pg_advisory_xact_lock(hashtextextended('run_report/' || %s::text, 0))",
            [shop.id if of == "organization" else f"by/{by.id}"],
        )
        with refused(409, "report_running"):
            run(shop, by, statement)
        if of == "person":
            colleague = shop.venue.hire("colleague", "manager")
            theirs = prepared(shop, colleague, bounded("select * from rooms").text)
            assert run(shop, colleague, theirs)["is_cut"] is False
    assert run(shop, by, statement)["is_cut"] is False


def test_a_type_in_quotes_is_told_from_the_name_of_a_column(shop: Shop) -> None:
    by = shop.venue.owner
    statement = (
        'SELECT (SELECT CAST(COUNT(*) AS INT) AS "json") AS "region", CAST(\'1\' AS INT) AS "name"'
    )
    assert run(shop, by, prepared(shop, by, statement))["rows"] == [{"region": 1, "name": 1}]


#: Where there may be one.
TWO_ROWS = (
    "select (select name from locations union all select timezone from locations) from locations"
)


def test_a_question_that_the_database_cannot_answer_says_why(shop: Shop) -> None:
    for text, code in (
        ("select 1 / 0 from locations", "report_failed"),
        ("select 'x'::int from locations", "report_failed"),
        (TWO_ROWS, "report_failed"),
        ("select cast('1e5000' as decimal) as n from locations", "report_failed"),
        ("select -cast('1e131071' as decimal) as n from locations", "report_failed"),
        ("select cast('1e400' as decimal) + 0.5 as n from locations", "report_failed"),
        ("select cast('1e131072' as decimal) as n from locations", "report_failed"),
        ("select room + 1 from bookings", "report_invalid"),
        ("select room, count(*) from bookings", "report_invalid"),
    ):
        with refused(422, code) as caught:
            ask(shop, shop.venue.owner, text)
        assert caught.value.details["problem"]


def test_a_number_that_fits_and_a_text_of_many_digits_are_answered(shop: Shop) -> None:
    text = (
        "select cast('1e307' as decimal) as n, cast('1e5000' as decimal)::text as t from locations"
    )
    (row,) = ask(shop, shop.venue.owner, text)
    assert (int(row["n"]), row["t"]) == (10**307, "1" + "0" * 5_000)


@pytest.mark.parametrize(
    "state", ["21000", "22012", "53100", "53200", "53400", "54000", "54001", "54011"]
)
def test_what_is_more_than_the_database_can_hold_is_no_fault_of_the_service(
    unguarded: Shop, state: str
) -> None:
    unguarded.house.owner_sql(
        "create function public.fails_so() returns int language plpgsql stable set search_path = ''"
        f" as $$ begin raise exception using errcode = '{state}', message = 'so'; end $$"
    )
    unguarded.house.owner_sql("grant execute on function public.fails_so to authenticated")
    by = unguarded.venue.owner
    with refused(422, "report_failed") as caught:
        run(unguarded, by, put(unguarded, by, "select public.fails_so()"))
    assert caught.value.details == {"problem": "so"}


def visited(shop: Shop) -> Row:
    """A booking of somebody with a name, paid."""
    room = shop.add_room(name="El faro")
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    booking = shop.hold(room, shop.at(1, "19:30"))
    shop.move(booking, "confirmed")
    shop.pay(booking, 1_234)
    return booking


def test_a_question_shows_what_its_asker_may_read_and_no_more(shop: Shop) -> None:
    booking = visited(shop)
    text = "select reference, room, visit_at, customer, email from bookings"
    (row,) = ask(shop, shop.venue.owner, text)
    assert row["reference"] == booking["reference"]
    assert None not in row.values()
    clerk = shop.venue.hire(
        "clerk", shop.venue.make_role("Clerk", ["reports:query", "bookings:read"])
    )
    (masked,) = ask(shop, clerk, text)
    assert masked == {**dict.fromkeys(row), "reference": booking["reference"]}
    assert ask(shop, clerk, "select * from customers") == []
    assert ask(shop, clerk, "select * from payments") == []
    assert ask(shop, shop.venue.owner, "select amount_cents from payments") == [
        {"amount_cents": 1234}
    ]
    poor = shop.venue.hire("poor", shop.venue.make_role("Poor", ["reports:query"]))
    for view in VIEWS:
        assert ask(shop, poor, f"select * from {view}") == []


def test_a_question_never_reaches_another_venue(shop: Shop, house: House) -> None:
    visited(shop)
    other = open_shop(house, "Other")
    for view in VIEWS:
        own = ask(other, other.venue.owner, f"select * from {view}")
        assert len(own) == (view == "locations"), view
    # Of the venue that is active, whatever the statement was prepared for.
    statement = bounded("select * from bookings").text
    made = prepared(other, shop.venue.owner, statement)
    with refused(403, "permission_denied"):
        run(other, shop.venue.owner, made)
    with refused(404, "report_not_prepared"):
        run(shop, shop.venue.owner, made)


def test_somebody_of_two_venues_asks_about_the_one_that_the_request_is_for(
    shop: Shop, house: House
) -> None:
    visited(shop)
    other = open_shop(house, "Other")
    by = shop.venue.owner
    other.venue.admit(
        by, shop.house.one("select email from public.profiles where user_id = %s", by.id), "manager"
    )
    text = "select name from locations"
    for venue in (shop, other):
        (found,) = ask(venue, by.at(venue.id), text)
        assert found == ask(venue, venue.venue.owner.at(venue.id), text)[0]
    assert ask(shop, by.at(shop.id), "select id from bookings")
    assert ask(other, by.at(other.id), "select id from bookings") == []
    made = prepared(other, by, bounded(text).text)
    with refused(409, "organization_not_active"):
        run(other, by.at(shop.id), made)


def test_a_statement_is_for_who_asked_for_it_and_for_a_minute(shop: Shop) -> None:
    by = shop.venue.owner
    manager = shop.venue.hire("manager", "manager")
    made = prepared(shop, by, bounded("select 1 as one from locations").text)
    with refused(404, "report_not_prepared"):
        run(shop, manager, made)
    assert run(shop, by, made)["rows"] == [{"one": 1}]
    shop.house.owner_sql(
        "update private.report_statements set created_at = now() - interval '1 minute'"
    )
    with refused(404, "report_not_prepared"):
        run(shop, by, made)
    prepared(shop, by, bounded("select 1 as one from locations").text)
    shop.house.owner_sql(
        "update private.report_statements set created_at = now() - interval '2 minutes'"
    )
    prepared(shop, by, bounded("select 1 as one from locations").text)
    (left,) = shop.house.owner_sql("select count(*) from private.report_statements")
    assert left["count"] == 1


def test_who_lost_the_permission_is_answered_nothing(shop: Shop) -> None:
    clerk = shop.venue.hire("clerk", "receptionist")
    made = prepared(shop, clerk, bounded("select * from bookings").text)
    with refused(403, "permission_denied"):
        run(shop, clerk, made)


def test_thirty_questions_a_minute_are_answered(shop: Shop) -> None:
    by = shop.venue.owner
    statement = bounded("select 1 as one from locations").text
    for _ in range(30):
        prepared(shop, by, statement)
    with refused(429, "rate_limited"):
        prepared(shop, by, statement)


def test_the_views_are_what_the_service_knows_and_their_reader_s(house: House) -> None:
    rows = house.owner_sql(
        "select c.relname as view, a.attname as name, col_description(c.oid, a.attnum) as comment,"
        " c.reloptions @> '{security_invoker=true}' as is_reader_s, obj_description(c.oid) as about"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'reports'::regnamespace order by c.relname, a.attnum"
    )
    live: dict[str, list[str]] = {}
    for row in rows:
        live.setdefault(row["view"], []).append(row["name"])
        assert row["comment"] and row["about"] and row["is_reader_s"], row
    assert live == {view: list(columns) for view, columns in VIEWS.items()}


def test_the_page_of_the_views_is_up_to_date(house: House) -> None:
    with house.connection.transaction():
        house.connection.execute("set local role postgres")
        page = view_page.render(house.connection)
    assert view_page.path_of(PROJECT).read_text() == page, "run `make types`"


def test_nobody_but_members_reads_the_views(house: House) -> None:
    grants = house.owner_sql(
        "select c.relname as view, a.grantee::regrole::text as role, a.privilege_type as verb"
        " from pg_class as c cross join aclexplode(c.relacl) as a"
        " where c.relnamespace = 'reports'::regnamespace and a.grantee <> c.relowner"
    )
    assert {(g["view"], g["role"], g["verb"]) for g in grants} == {
        (view, "authenticated", "SELECT") for view in VIEWS
    }
