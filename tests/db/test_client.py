"""The tests' client does at the end of a request what PostgREST does."""

from __future__ import annotations

import psycopg

from client import Caller, Client

_DEFERRED = """
create table pg_temp.notes (written_by text, claims text);
grant all on pg_temp.notes to public;
create function pg_temp.sign() returns trigger language plpgsql as $$
begin
  update pg_temp.notes
  set written_by = current_user, claims = current_setting('request.jwt.claims');
  return null;
end
$$;
create constraint trigger sign after insert on pg_temp.notes
deferrable initially deferred for each row execute function pg_temp.sign()
"""
_NOTE = "insert into pg_temp.notes default values"
_SIGNED = "select written_by, claims::jsonb ->> 'sub' from pg_temp.notes"
_ADA = "00000000-0000-4000-8000-000000000001"


def test_what_is_left_to_the_commit_is_done_as_the_caller(race_dsn: str) -> None:
    with psycopg.connect(race_dsn, autocommit=True) as connection:
        connection.execute(_DEFERRED)
        ada = Client(connection, Caller.person(_ADA))
        assert ada.change(_NOTE) == 1
        assert connection.execute(_SIGNED).fetchall() == [("authenticated", _ADA)]
        assert connection.execute("select current_user <> 'authenticated'").fetchone() == (True,)


def test_inside_a_transaction_a_request_leaves_neither_role_nor_claims(race_dsn: str) -> None:
    with psycopg.connect(race_dsn, autocommit=True) as connection, connection.transaction():
        before = connection.execute("select current_user").fetchone()
        ada = Client(connection, Caller.person(_ADA))
        asked = "select current_user, current_setting('request.jwt.claims')::jsonb ->> 'sub' as sub"
        assert ada.select(asked) == [{"current_user": "authenticated", "sub": _ADA}]
        assert connection.execute("select current_user").fetchone() == before
        claims = connection.execute("select current_setting('request.jwt.claims', true)")
        assert claims.fetchone() == ("",)
