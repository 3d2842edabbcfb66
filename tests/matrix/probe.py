"""Tries many statements as one caller, in one round trip, and undoes each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from client import Caller, Connection

# Every statement has a subtransaction of its own, which ends in an exception either way: what
# the statement did is undone, what the exception carried out is kept. Statements of kind read
# return one value; those of kind write are asked how many rows they touched; call is read, and
# may have set the answer's status itself.
_PROBE = """
create or replace function pg_temp.probe(statements text[], kinds text[])
returns jsonb
language plpgsql
as $$
declare
  outcomes jsonb := '[]';
  answer jsonb;
  touched bigint;
  state text;
  message text;
  hint text;
  detail text;
begin
  for n in 1 .. coalesce(cardinality(statements), 0) loop
    begin
      if kinds[n] = 'write' then
        execute statements[n];
        get diagnostics touched = row_count;
        answer := to_jsonb(touched);
      else
        answer := null;
        execute statements[n] into answer;
        if current_setting('response.status', true) >= '400' then
          raise exception using errcode = 'ZZ001', message = answer ->> 'message';
        end if;
      end if;
      raise exception using errcode = 'ZZ000';
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text,
        hint = pg_exception_hint, detail = pg_exception_detail;
      outcomes := outcomes || case
        when state = 'ZZ000' then jsonb_build_object('answer', answer)
        else jsonb_build_object('state', state, 'message', message, 'hint', hint, 'detail', detail)
      end;
    end;
  end loop;
  return outcomes;
end
$$
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One statement: read, write or call."""

    kind: str
    statement: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt.

    Attributes:
        code: "ok", the product's code, or PostgreSQL's sqlstate.
        answer: What a read returned, or how many rows a write touched.
        message: All that the refusal said.
    """

    code: str
    answer: Any = None
    message: str = ""


def install(connection: Connection) -> None:
    """Make the prober, for this session."""
    connection.execute(_PROBE.encode())


def attempt(
    connection: Connection,
    caller: Caller,
    organization: str | None,
    attempts: Sequence[Attempt],
    *,
    checked: bool = False,
) -> list[Outcome]:
    """Try everything as one caller, who names the organization in the header.

    Args:
        connection: Has the prober.
        caller: Who tries.
        organization: What the header names, if anything.
        attempts: What is tried.
        checked: Whether the request is asked about first, as PostgREST does and Storage does not.
    """
    headers = {} if organization is None else {"x-organization-id": organization}
    with connection.transaction(force_rollback=True):
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true),"
            " set_config('request.headers', %s, true), set_config('response.status', '', true)",
            [caller.role, json.dumps(dict(caller.claims)), json.dumps(headers)],
        )
        if checked:
            check = [Attempt("write", "select private.check_request()")]
            (allowed,) = _probe(connection, check)
            if allowed.code != "ok":
                return [allowed] * len(attempts)
            # What it notes is undone with it in the prober.
            connection.execute("select private.check_request()")
        return _probe(connection, attempts)


def _probe(connection: Connection, attempts: Sequence[Attempt]) -> list[Outcome]:
    row = connection.execute(
        "select pg_temp.probe(%s, %s)",
        [[a.statement for a in attempts], [a.kind for a in attempts]],
    ).fetchone()
    assert row is not None
    return [_outcome(entry) for entry in row[0]]


def _outcome(entry: dict[str, Any]) -> Outcome:
    if "state" not in entry:
        return Outcome("ok", entry["answer"])
    state, message = entry["state"], entry["message"]
    said = f"{state} {message} {entry['hint'] or ''} {entry['detail'] or ''}".strip()
    if state.startswith("PT") or state == "ZZ001":
        return Outcome(message, message=said)
    if state == "PGRST":
        return Outcome(json.loads(message)["message"], message=said)
    return Outcome(state, message=said)
