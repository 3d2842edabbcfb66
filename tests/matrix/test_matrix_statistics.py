"""What would be answered from statistics, which know the rows of all tenants and no policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from client import Connection
from escapemaster_dev.schema.server import Server
from matrix.actors import Actor, cast, is_named
from matrix.expectations import expectations
from matrix.postgrest import PostgrestClient, serving
from matrix.world import NORTH, SOUTH, Facts

_EXPECTED = expectations()

#: As PostgREST reads it today, and as another version may.
_ESTIMATES = (
    ("Prefer", "count=planned"),
    ("prefer", "count=estimated"),
    ("PREFER", "return=minimal,count=planned"),
    ("Prefer", "return=representation , count=estimated, tx=rollback"),
    ("Prefer", "COUNT=Planned"),
    ("Prefer", "count = planned"),
    ("Prefer", 'count="estimated"'),
    ("Prefer", "count=planned;x=1"),
    ("Prefer", "count=exact,count=planned"),
    ("Prefer", "handling=lenient, count=planned"),
)
_PLANS = (
    ("Accept", "application/vnd.pgrst.plan"),
    ("accept", "application/vnd.pgrst.plan+json; options=analyze|verbose"),
    ("Accept", 'application/VND.PGRST.PLAN+text; for="application/json"'),
    ("Accept", "application/json, application/vnd.pgrst.plan;q=0.1"),
)


@pytest.fixture(scope="module")
def postgrest(world_dsn: str) -> Iterator[PostgrestClient]:
    with serving(world_dsn) as client:
        yield client


@pytest.fixture(scope="module")
def actors(facts: Facts) -> list[Actor]:
    return [actor for actor in cast(facts, _EXPECTED) if is_named(actor)]


def ask(
    postgrest: PostgrestClient,
    actor: Actor,
    headers: Sequence[tuple[str, str]],
    path: str,
    *,
    method: str = "GET",
    organization: str = "",
) -> tuple[int, str, str | None]:
    """Status, stable code and what is said of a number of rows."""
    sent = list(headers)
    if method == "HEAD":
        # PostgREST sends a refusal's body after a HEAD, which the next answer would begin with.
        sent.append(("Connection", "close"))
    answer = postgrest.send(actor.caller, organization or None, method, path, sent)
    refused = answer.status_code >= 400 and answer.text
    code = answer.json().get("message", "") if refused else ""
    return answer.status_code, code, answer.headers.get("Content-Range")


@pytest.mark.parametrize("name", _EXPECTED.tables)
def test_nobody_counts_rows_by_the_planner_s_estimate_in(
    name: str, postgrest: PostgrestClient, facts: Facts, actors: list[Actor]
) -> None:
    foreign = facts[SOUTH]["organization"]
    column = "organization_id" if "organization_id" in _EXPECTED.tables[name].tenant else "*"
    path = f"/{name}?select={column}"
    if column != "*":
        path += f"&organization_id=eq.{foreign}"
    complaints = []
    for actor in actors:
        for header in _ESTIMATES:
            heard = ask(postgrest, actor, [header], path, organization=facts[NORTH]["organization"])
            if heard != (400, "count_not_exact", None):
                complaints.append((actor.name, header, heard))
    assert complaints == []


@pytest.mark.parametrize("header", _PLANS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PATCH", "DELETE"])
def test_nobody_is_shown_a_plan(
    header: tuple[str, str], method: str, postgrest: PostgrestClient, actors: list[Actor]
) -> None:
    for actor in actors:
        status, code, counted = ask(
            postgrest, actor, [header], "/bookings?select=id", method=method
        )
        assert status in (400, 406, 415), (actor.name, status)
        # What PostgREST itself would show one for, we refuse.
        assert (status == 406) == (code == "plan_refused") or method == "HEAD", (actor.name, code)
        assert counted is None


@pytest.mark.parametrize("header", _ESTIMATES)
@pytest.mark.parametrize("method", ["HEAD", "POST", "PATCH", "DELETE"])
def test_it_is_refused_whatever_the_request_does(
    header: tuple[str, str], method: str, postgrest: PostgrestClient, actors: list[Actor]
) -> None:
    status, _, counted = ask(postgrest, actors[0], [header], "/bookings?select=id", method=method)
    assert (status, counted) == (400, None)


def test_a_function_s_rows_are_not_estimated_either(
    postgrest: PostgrestClient, actors: list[Actor]
) -> None:
    path = "/rpc/list_left_open?organization_id=00000000-0000-4000-8000-000000000000"
    for header in _ESTIMATES:
        assert ask(postgrest, actors[0], [header], path)[:2] == (400, "count_not_exact")


@pytest.mark.parametrize("path", ["/rpc/get_currencies", "/bookings"])
def test_no_column_is_repeated_in_an_answer_without_end(
    path: str, postgrest: PostgrestClient, actors: list[Actor]
) -> None:
    """Each repetition is one more of it in every row: 190 MB for a day's times."""
    column = "code" if "rpc" in path else "id"
    answered = []
    # One of each kind: a person of a tenant, a key, whoever else there is.
    for actor in {actor.kind: actor for actor in reversed(actors)}.values():
        few = ",".join(f"a{number}:{column}" for number in range(60))
        if ask(postgrest, actor, [], f"{path}?select={few}")[0] == 200:
            answered.append(actor.name)
            many = ",".join(f"a{number}:{column}" for number in range(1000))
            heard = ask(postgrest, actor, [], f"{path}?select={many}")
            assert heard[:2] == (414, "query_too_long"), actor.name
    assert "owner" in answered


def test_exact_counts_are_counts_of_what_one_sees(
    postgrest: PostgrestClient, world: Connection, facts: Facts, actors: list[Actor]
) -> None:
    by_name = {actor.name: actor for actor in actors}
    here = facts[NORTH]["organization"]
    (mine,) = world.execute(
        "select count(*) from public.bookings where organization_id = %s", [here]
    ).fetchone() or (None,)
    for name, seen in (("owner", mine), ("stranger", 0), ("former", 0), ("barred", 0)):
        heard = ask(
            postgrest,
            by_name[name],
            [("Prefer", "count=exact"), ("Range", "0-999")],
            "/bookings?select=id",
            organization=here,
        )
        assert (heard[2] or "").split("/")[1] == str(seen), (name, heard)


def test_the_migration_itself_lets_postgrest_ask_first(world: Connection, server: Server) -> None:
    """Whoever deploys the schema need not know of it: PostgREST logs in as this role."""
    (settings,) = world.execute(
        "select rolconfig from pg_roles where rolname = 'authenticator'"
    ).fetchone() or ([],)
    assert "pgrst.db_pre_request=private.check_request" in settings
    assert "pgrst.db_plan_enabled=false" in settings
    assert "idle_in_transaction_session_timeout=60s" in settings


def test_the_owner_who_may_not_set_it_is_warned_and_migrates_all_the_same(
    world: Connection,
) -> None:
    heard: list[str] = []
    world.add_notice_handler(lambda notice: heard.append(notice.message_primary or ""))
    with world.transaction(force_rollback=True):
        world.execute("alter role authenticator reset all")
        world.execute("revoke set on parameter pgrst.db_pre_request from postgres")
        world.execute("set local role postgres")
        world.execute("select private.ask_before_requests()")
    assert [text for text in heard if "does not ask private.check_request" in text] != []


def test_the_service_learns_whether_it_is_asked(world: Connection) -> None:
    with world.transaction(force_rollback=True):
        unasked = world.execute("select (service.health()).requests_checked").fetchone()
        world.execute("select private.check_request()")
        asked = world.execute("select (service.health()).requests_checked").fetchone()
    assert (unasked, asked) == ((False,), (True,))
