"""The platform behaves as a hosted project where our promises rest on it."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest

from stack import Rest, Stack, User

API_ROLES = ("anon", "authenticated", "service_role")


def test_a_signed_in_user_is_known_to_the_database(
    stack: Stack, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    user = make_user()
    context = as_user(user).rpc("my_context")
    assert context.status_code == 200, context.text
    assert user.id in context.text


def test_a_session_is_refreshed(
    stack: Stack, gateway: httpx.Client, make_user: Callable[..., User]
) -> None:
    user = make_user()
    answer = gateway.post(
        "/auth/v1/token",
        params={"grant_type": "refresh_token"},
        headers={"apikey": stack.publishable_key},
        json={"refresh_token": user.refresh_token},
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["id"] == user.id


def test_a_forged_token_is_refused(stack: Stack, gateway: httpx.Client) -> None:
    answer = gateway.post(
        "/rest/v1/rpc/my_context",
        headers={
            "apikey": stack.publishable_key,
            "Authorization": "Bearer eyJhbGciOiJub25lIn0.e30.",
        },
        json={},
    )
    assert answer.status_code == 401


def test_the_schema_service_is_for_the_secret_key_only(anon: Rest, service: Rest) -> None:
    assert service.rpc("health").status_code == 200
    outside = Rest(anon.http, anon.headers, schema="service")
    assert outside.rpc("health").status_code in {401, 403, 404}


def test_storage_grants_nobody_our_tables(
    stack: Stack, gateway: httpx.Client, make_user: Callable[..., User]
) -> None:
    """The local Storage grants every schema that has row level security at its first request."""
    user = make_user()
    for token in (None, user.access_token):
        headers = {"apikey": stack.publishable_key}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        gateway.get("/storage/v1/bucket", headers=headers)
        gateway.post("/storage/v1/object/list/room-images", headers=headers, json={"prefix": ""})
    with psycopg.connect(stack.owner_dsn) as connection:
        found = connection.execute(
            """
            select c.oid::regclass::text
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            where n.nspname in ('public', 'private', 'service')
              and c.relkind in ('r', 'v', 'p')
              and has_table_privilege('anon', c.oid, 'select, insert, update, delete')
            """
        ).fetchall()
    assert found == []


def test_auth_logs_in_without_a_superusers_rights(stack: Stack) -> None:
    with psycopg.connect(stack.admin_dsn) as connection:
        rows = connection.execute(
            "select distinct usename from pg_stat_activity"
            " where client_addr is not null and datname = 'postgres' and pid <> pg_backend_pid()"
        ).fetchall()
        superusers = connection.execute("select rolname from pg_roles where rolsuper").fetchall()
    assert ("supabase_auth_admin",) in rows
    assert superusers == [("supabase_admin",)]


@pytest.mark.parametrize("claim", ["uid", "role", "email", "jwt"])
def test_the_claims_are_read_as_on_a_hosted_project(stack: Stack, claim: str) -> None:
    claims = (
        '{"sub": "0190a1b2-0000-7000-8000-000000000001", "role": "authenticated",'
        ' "email": "a@example.test"}'
    )
    expected = {
        "uid": "0190a1b2-0000-7000-8000-000000000001",
        "role": "authenticated",
        "email": "a@example.test",
    }
    with psycopg.connect(stack.owner_dsn) as connection:
        connection.execute("set local role authenticated")
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        row = connection.execute(f"select auth.{claim}()::text").fetchone()
        assert row is not None
        if claim == "jwt":
            assert '"sub"' in row[0]
        else:
            assert row[0] == expected[claim]
        connection.execute("select set_config('request.jwt.claims', '', true)")
        empty = connection.execute(f"select auth.{claim}()").fetchone()
        assert empty == (None,)


def test_a_migration_could_not_do_more_here_than_on_a_hosted_project(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        for forbidden in (
            "create role x superuser",
            "alter table auth.users add column x int",
            "create extension plpython3u",
            "alter system set work_mem = '1GB'",
        ):
            with pytest.raises(psycopg.Error):
                connection.execute(forbidden)
        connection.execute("create policy p on storage.objects for select to anon using (false)")
        connection.execute("create extension if not exists btree_gist with schema extensions")


def test_edge_functions_and_their_404(stack: Stack, gateway: httpx.Client) -> None:
    assert gateway.get("/functions/v1/nothing-here").status_code == 404
    assert gateway.get("/functions/v1/calendar-feed/not-a-token.ics").status_code == 404


def test_the_mailbox_shows_what_was_sent(stack: Stack) -> None:
    import smtplib
    from email.message import EmailMessage

    from stack import Mailbox, client

    mail = EmailMessage()
    mail["To"], mail["From"], mail["Subject"] = "one@example.test", "us@example.test", "Hello"
    mail.set_content("Hello")
    with smtplib.SMTP("127.0.0.1", stack.ports.smtp, timeout=90) as smtp:
        smtp.send_message(mail)
    with client(stack.mailbox_url) as http:
        found = Mailbox(http).wait_for("one@example.test")
    assert [each["subject"] for each in found] == ["Hello"]
