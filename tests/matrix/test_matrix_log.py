"""Whatever changes something is in the log: every function is asked for its entry."""

from __future__ import annotations

import json

import psycopg
import pytest

from client import Connection
from matrix.actors import Actor, cast
from matrix.cells import FunctionCells
from matrix.expectations import FunctionExpectation, expectations
from matrix.world import NORTH, Facts

_EXPECTED = expectations()

#: Functions that may change something, and whose sample call leaves no entry: the reason.
_SILENT: dict[str, str] = {
    name: reason
    for reason, names in {
        "reads, and counts the request for its limit": (
            "public.get_availability public.get_availability_days public.get_booking"
            " public.get_calendar public.get_calendar_feed public.get_currencies"
            " public.get_game_result public.get_join_code public.get_leaderboard public.get_party"
            " public.get_booking_split public.get_payment_share"
            " public.get_voucher_offer public.get_voucher_order"
            " public.get_waitlist_entry public.get_waiver public.get_waiver_kiosk"
            " public.get_order public.quote_booking public.quote_order public.quote_order_change"
            " public.quote_reschedule public.validate_coupon"
        ),
        "reads, in statements of which each sees what was committed before it": (
            "public.changes_since"
        ),
        "does it, and takes it back": "public.preview_move_bookings",
        "the sample is refused: what it would write is a row of a tenant's table": (
            "public.accept_invitation public.accept_waitlist_offer public.merge_bookings"
            " public.claim_session_as_game_master public.withdraw_voucher_refund"
            " service.apply_checkout_session"
            " service.apply_dispute service.apply_refund service.finish_export"
            " service.begin_table_export service.read_table_export service.finish_table_export"
            " service.read_month"
        ),
        "a question that somebody asks: it is kept for a minute, and reads": (
            "service.prepare_report"
        ),
        "the sample asks for what is so already": (
            "public.open_cash_day"
            " public.platform_reactivate_organization public.reactivate_member"
            " public.set_role_permissions service.sweep"
        ),
        "the log of the organization that it makes": "public.create_organization",
        "the log goes with the organization; the platform's own says who and why": (
            "public.platform_erase_organization"
        ),
        "the caller's own choice, which colleagues are not shown": "public.switch_organization",
        "the queue and its mails: what caused the work has its entry": (
            "service.claim_jobs service.complete_job service.extend_job service.fail_job"
            " service.prepare_email service.record_email service.record_email_event"
            " service.prepare_webhook service.record_webhook public.replay_webhook_delivery"
            " public.replay_webhook_period service.queue_auth_emails service.queue_stale_checkouts"
            " service.queue_stale_subscriptions service.retry_job"
            " service.queue_stale_stripe_accounts"
        ),
        "a page of the provider: the payment has its entry": (
            "service.fail_checkout service.open_checkout service.record_checkout"
            " service.fail_voucher_checkout service.open_voucher_checkout"
            " service.record_voucher_checkout service.open_share_checkout"
        ),
        "a page of the provider, and who is there: the subscription has its entry": (
            "service.close_subscription_checkout service.open_subscription_checkout"
            " service.record_stripe_customer service.record_subscription_checkout"
        ),
        "the sample is of a customer that no organization is": "service.apply_billing",
        "the sample is of somebody who works here": "public.end_left_open",
        "the sample's pass, or lease, is nobody's": (
            "service.apply_stripe_account service.connect_stripe_account"
            " service.open_stripe_account service.record_stripe_account"
        ),
        "an inbox: what it is about is read anew": "service.receive_stripe_event",
        "the sample's token is not the mail's": (
            "public.confirm_booking service.answer_notice_link service.unsubscribe"
        ),
        "what one person was told, which the log has already": (
            "public.mark_notifications_read service.sweep_notices"
        ),
        "one export waits already, and is answered again": "public.export_organization",
        "queues a mail, which booking_emails shows, or voucher_emails": (
            "public.resend_booking_email public.resend_voucher_email"
        ),
        "queues a mail, and counts for the limits of who asks": "public.email_my_bookings",
        "reads, and counts for the limit of who asks": "public.my_booking_token",
        "the person's own account, which is no organization's": "public.reset_sign_in",
        "counts for a limit, and nothing else": "service.limit_checkouts",
        "what the service found of words, or tries again; who wrote them has an entry": (
            "service.record_email_words service.retry_dead_jobs service.record_sender_domain"
            " service.prove_sender_domain service.doubt_sender_domain"
        ),
        "the sample is of a payment that nobody knows": "service.apply_dispute",
        "that a key was used is a column of its own, to the minute": "service.exchange_api_key",
    }.items()
    for name in names.split()
}


@pytest.fixture(scope="module")
def actors(facts: Facts) -> dict[str, Actor]:
    return {actor.name: actor for actor in cast(facts, _EXPECTED)}


def caller_of(
    function: FunctionExpectation, facts: Facts, actors: dict[str, Actor]
) -> Actor | None:
    """Somebody whose sample call goes through, if there is anybody."""
    cells = FunctionCells(facts, _EXPECTED)
    for name in ("owner", "receptionist", "player", "operator", "service_role"):
        if cells.of(actors[name], function).code == "ok":
            return actors[name]
    return None


def entries(connection: Connection, facts: Facts, function: FunctionExpectation, by: Actor) -> int:
    """How many entries the sample call leaves in the organization's log."""
    here = facts[NORTH]["organization"]
    with connection.transaction(force_rollback=True):
        (last,) = connection.execute("select max(id) from public.audit_log").fetchone() or (0,)
        connection.execute(
            "set constraints all immediate;"
            # A session's start is taken before the session is there.
            " set constraints private.session_starts_session_fkey deferred"
        )
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
            " set_config('request.headers', %s, true)",
            [
                by.caller.role,
                json.dumps(dict(by.caller.claims)),
                json.dumps({"x-organization-id": here}),
            ],
        )
        connection.execute(f"select to_jsonb({function.call(facts[NORTH])})".encode())
        connection.execute("set local role none")
        row = connection.execute(
            "select count(*) from public.audit_log where organization_id = %s and id > %s",
            [here, last],
        ).fetchone()
    assert row is not None
    return int(row[0])


def changing(connection: Connection) -> list[str]:
    """The functions of the catalogue that are declared to change something."""
    return sorted(
        name
        for (name,) in connection.execute(
            "select n.nspname || '.' || p.proname from pg_proc as p"
            " join pg_namespace as n on n.oid = p.pronamespace"
            " where n.nspname in ('public', 'service') and p.provolatile = 'v'"
        )
    )


def test_every_function_that_changes_something_leaves_an_entry(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    silent = set()
    for name in changing(world):
        function = _EXPECTED.functions[name]
        caller = caller_of(function, facts, actors)
        if caller is None or entries(world, facts, function, caller) == 0:
            silent.add(name)
    assert sorted(silent) == sorted(_SILENT)


#: What was sent of rows that are in the log themselves.
_COPIES = ("private.webhook_events",)
#: What says nothing of anybody.
_EMPTY = "('null', '\"\"', '{}', '[]')"


def values(connection: Connection, query: str, parameter: str) -> set[str]:
    """What a query finds, as JSON: not what is empty, nor words that other rows share."""
    return {
        value
        for (value,) in connection.execute(
            f"select v::text from ({query}) as t (v) where v not in {_EMPTY}".encode(), [parameter]
        )
        if len(value) > 6 and "sample" not in value.lower()
    }


def log_of(connection: Connection, by: Actor) -> str:
    """Everything that somebody reads of the organization's log, as one text."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            [by.caller.role, json.dumps(dict(by.caller.claims))],
        )
        row = connection.execute(
            "select coalesce((select jsonb_agg(l) from public.audit_log as l), '[]')::text"
            " || coalesce((select jsonb_agg(p) from public.audit_log_personal as p), '[]')::text"
        ).fetchone()
    assert row is not None
    return str(row[0])


def test_who_may_not_read_customers_finds_nothing_of_theirs_anywhere_in_the_log(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    """Generated over the list of personal columns, with whatever the venue's customers gave."""
    here = facts[NORTH]["organization"]
    listed = world.execute(
        "select relation, split_part(relation, '.', 2), column_name from private.personal_columns"
        " where relation <> 'private.email_messages'"
    ).fetchall()
    given, logged = set(), set()
    for relation, table, column in listed:
        found = values(
            world,
            f"select to_jsonb(t) -> '{column}' from {relation} as t where organization_id = %s",
            here,
        )
        given |= found
        if relation not in _COPIES:
            logged |= found
        for image in ("before", "after"):
            said = f"select {image} -> '{column}' from public.audit_log where table_name = %s"
            assert values(world, said, table) == set(), (table, column)
    assert len(logged) >= 5

    masked, whole = log_of(world, actors["key:audit:read"]), log_of(world, actors["admin"])
    assert here in masked
    assert [value for value in given if value in masked] == []
    assert [value for value in logged if value not in whole] == []


def logged_tables(connection: Connection) -> set[str]:
    """The tables that write the log, from their triggers."""
    return {
        name
        for (name,) in connection.execute(
            "select distinct c.relname from pg_trigger as w"
            " join pg_class as c on c.oid = w.tgrelid"
            " where w.tgname in ('audit_delete', 'audit_join_code')"
        )
    }


def readers_of(table: str) -> frozenset[str]:
    """The permissions that whoever reads the table needs, by the reviewed page."""
    shown_by = {
        "refund_requests": _EXPECTED.functions["public.get_pending_refunds"].needs,
        "join_codes": frozenset({"users:read"}),
    }
    needs = shown_by[table] if table in shown_by else _EXPECTED.tables[table].needed("select")
    assert isinstance(needs, frozenset)
    return needs


def rows_about(connection: Connection, table: str, by: Actor) -> tuple[int, int]:
    """How many entries about a table somebody sees, and how many parts kept apart from them."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
            [by.caller.role, json.dumps(dict(by.caller.claims))],
        )
        row = connection.execute(
            "select (select count(*) from public.audit_log where table_name = %(table)s),"
            " (select count(*) from public.audit_log_personal where table_name = %(table)s)",
            {"table": table},
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def row_at(connection: Connection, table: str, by: Actor, here: str) -> str:
    """The code with which a table's past is refused, or "ok"."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(
                "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)",
                [by.caller.role, json.dumps(dict(by.caller.claims))],
            )
            connection.execute("select public.get_row_at(%s, %s, 'x', now())", [here, table])
    except psycopg.Error as error:
        return str(error.diag.message_primary)
    return "ok"


def write_an_entry(connection: Connection, table: str, here: str) -> None:
    """An entry about a table in which every personal column is filled."""
    connection.execute(
        "insert into public.audit_log (organization_id, actor_kind, action, table_name, row_key,"
        " after) select %(here)s, 'system', 'insert', %(table)s, 'x',"
        " coalesce(jsonb_object_agg(p.column_name, 'sample'), '{}') from private.personal_columns"
        " as p where split_part(p.relation, '.', 2) = %(table)s",
        {"here": here, "table": table},
    )


def test_what_a_member_may_not_read_in_a_table_they_do_not_read_in_the_log(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    """Generated over every table that is logged, and every permission that reading it takes."""
    here = facts[NORTH]["organization"]
    tried = 0
    for table in sorted(logged_tables(world)):
        with world.transaction(force_rollback=True):
            write_an_entry(world, table, here)
            entries_seen, parts_seen = rows_about(world, table, actors["owner"])
            assert entries_seen > 0, table
            assert row_at(world, table, actors["owner"], here) == "ok", table
            for permission in readers_of(table) - {"audit:read"}:
                without = actors[f"without:{permission}"]
                assert rows_about(world, table, without) == (0, 0), (table, permission)
                assert row_at(world, table, without, here) == "permission_denied", table
                tried += 1
            if parts_seen:
                without = actors["without:customers:read"]
                assert rows_about(world, table, without)[1] == 0, table
    assert tried > 45


def test_who_may_read_a_table_reads_its_entries_with_audit_read_alone(
    world: Connection, facts: Facts, actors: dict[str, Actor]
) -> None:
    here = facts[NORTH]["organization"]
    spare = actors["without:customers:export"]
    for table in sorted(logged_tables(world)):
        with world.transaction(force_rollback=True):
            write_an_entry(world, table, here)
            assert rows_about(world, table, spare) == rows_about(world, table, actors["owner"])
            assert rows_about(world, table, actors["without:audit:read"]) == (0, 0), table


def test_no_column_that_clients_may_not_read_is_in_an_image(world: Connection) -> None:
    hidden = world.execute(
        "select c.relname, a.attname from pg_trigger as w"
        " join pg_class as c on c.oid = w.tgrelid and c.relnamespace = 'public'::regnamespace"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where w.tgname = 'audit_delete'"
        " and not has_column_privilege('authenticated', c.oid, a.attnum, 'select')"
    ).fetchall()
    assert hidden == []
