"""Tries many statements as many callers, in one round trip, and undoes each of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from client import Caller, Connection

# Every caller's attempts have a subtransaction of their own, and every statement one within it;
# each ends in an exception either way: what was done is undone, and so is who asked; what the
# exception carried out is kept. Statements of kind read return one value; those of kind write are
# asked how many rows they touched; call is read, and may have set the answer's status itself.
_PROBE = """
create or replace function pg_temp.probe(tries jsonb)
returns jsonb
language plpgsql
as $$
declare
  outcomes jsonb := '[]';
  mine jsonb;
  try jsonb;
  kind text;
  statement text;
  answer jsonb;
  touched bigint;
  state text;
  message text;
  hint text;
  detail text;
begin
  for try in select value from pg_catalog.jsonb_array_elements(tries) loop
    mine := '[]';
    begin
      perform set_config('role', try ->> 'role', true),
        set_config('request.jwt.claims', try ->> 'claims', true),
        set_config('request.headers', try ->> 'headers', true),
        set_config('response.status', '', true);
      if (try ->> 'checked')::boolean then
        -- Read anew as this role: what it may call is asked when a statement is read.
        execute 'select private.check_request()';
      end if;
      for kind, statement in
        select value ->> 0, value ->> 1 from pg_catalog.jsonb_array_elements(try -> 'attempts')
      loop
        begin
          if kind = 'write' then
            execute statement;
            get diagnostics touched = row_count;
            answer := to_jsonb(touched);
          else
            answer := null;
            execute statement into answer;
            if current_setting('response.status', true) >= '400' then
              raise exception using errcode = 'ZZ001', message = answer ->> 'message';
            end if;
          end if;
          raise exception using errcode = 'ZZ000';
        exception when others then
          get stacked diagnostics state = returned_sqlstate, message = message_text,
            hint = pg_exception_hint, detail = pg_exception_detail;
          mine := mine || case
            when state = 'ZZ000' then jsonb_build_object('answer', answer)
            else jsonb_build_object(
              'state', state, 'message', message, 'hint', hint, 'detail', detail)
          end;
        end;
      end loop;
      raise exception using errcode = 'ZZ000';
    exception when others then
      get stacked diagnostics state = returned_sqlstate, message = message_text,
        hint = pg_exception_hint, detail = pg_exception_detail;
      -- Who is not let in hears the same of everything.
      if state <> 'ZZ000' then
        mine := jsonb_build_object(
          'state', state, 'message', message, 'hint', hint, 'detail', detail);
      end if;
    end;
    outcomes := outcomes || jsonb_build_array(mine);
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


@dataclass(frozen=True, slots=True)
class Try:
    """What one caller tries.

    Attributes:
        caller: Who tries.
        organization: What the header names, if anything.
        attempts: What is tried.
        checked: Whether the request is asked about first, as PostgREST does and Storage does not.
    """

    caller: Caller
    organization: str | None
    attempts: Sequence[Attempt]
    checked: bool = False


def attempt(
    connection: Connection,
    caller: Caller,
    organization: str | None,
    attempts: Sequence[Attempt],
    *,
    checked: bool = False,
) -> list[Outcome]:
    """Try everything as one caller: see Try."""
    (outcomes,) = attempt_all(connection, [Try(caller, organization, attempts, checked)])
    return outcomes


def attempt_all(connection: Connection, tries: Sequence[Try]) -> list[list[Outcome]]:
    """Try everything as every caller.

    Round trips, and what stands around a transaction, cost as much as most of what is tried.

    Args:
        connection: Has the prober.
        tries: Who tries what; nobody sees what another did.

    Returns:
        A list for each caller with an outcome for each attempt.
    """
    asked = [
        {
            "role": t.caller.role,
            "claims": json.dumps(dict(t.caller.claims)),
            "headers": json.dumps(
                {} if t.organization is None else {"x-organization-id": t.organization}
            ),
            "checked": t.checked,
            "attempts": [[a.kind, a.statement] for a in t.attempts],
        }
        for t in tries
    ]
    with connection.transaction(force_rollback=True):
        row = connection.execute("select pg_temp.probe(%s)", [Jsonb(asked)]).fetchone()
    assert row is not None
    return [
        [_outcome(entry) for entry in told]
        if isinstance(told, list)
        else [_outcome(told)] * len(t.attempts)
        for t, told in zip(tries, row[0], strict=True)
    ]


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
