"""Whom the leaderboard shows, under which name, and how rooms compare."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import Row, change, insert
from db.staffing_world import Crew, open_crew
from db.test_games_clock import Game, prepare
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120)


@pytest.fixture
def game(crew: Crew) -> Game:
    """One that is over: its party escaped."""
    game = prepare(crew)
    game.do("start_game")
    game.pass_time(timedelta(minutes=40))
    game.finish(team_name="Los Perdidos")
    return game


@pytest.fixture
def rooms(crew: Crew) -> tuple[Crew, list[str], str]:
    """Two rooms, and somebody who played in them."""
    customer = insert(crew.by, "customers", full_name="Ana", email="ana@example.test", locale="es")
    return crew, [crew.add_room(), crew.add_room()], str(customer["id"])


def link(booking: Row) -> Row:
    return {name: booking[name] for name in ("reference", "manage_token")}


def publish(game: Game, is_public: bool | None = True, **values: object) -> Any:
    return game.crew.shop.visitor.call(
        "publish_game_result", **link(game.booking), is_public=is_public, **values
    )


def moderate(game: Game, name: str, status: str, by: Client | None = None) -> Any:
    return (by or game.crew.by).call(
        "moderate_team_name",
        organization_id=game.crew.shop.id,
        booking_id=game.crew.shop.id_of(game.booking),
        team_name=name,
        name_status=status,
    )


def board(crew: Crew, **values: object) -> list[Row]:
    shown: Row = crew.shop.visitor.call("get_leaderboard", slug=crew.shop.slug, **values)
    entries: list[Row] = shown["entries"]
    return entries


def test_the_link_of_one_who_was_erased_publishes_nothing(game: Game) -> None:
    crew = game.crew
    publish(game, True, team_name="Los Perdidos")
    crew.shop.house.owner_sql(
        "update public.sessions set ends_at = now(), occupied_until = now()"
        " where organization_id = %s",
        crew.shop.id,
    )
    [customer] = crew.by.select(
        "select customer_id from public.bookings where reference = %s", game.booking["reference"]
    )
    crew.by.call(
        "erase_customer",
        organization_id=crew.shop.id,
        customer_id=customer["customer_id"],
        reason="asked for",
    )
    for wish in ({"team_name": "Zoe Erased"}, {}):
        with refused(409, "customer_erased"):
            publish(game, True, **wish)
    [result] = crew.by.select("select team_name from public.game_results")
    assert result["team_name"] is None


def test_it_shows_who_agreed_and_only_names_that_were_approved(game: Game) -> None:
    crew = game.crew
    assert board(crew) == []
    agreed = publish(game)
    assert (agreed["is_public"], agreed["name_status"]) == (True, "pending")
    (entry,) = board(crew)
    assert (entry["rank"], entry["team_name"], entry["percentile_bp"]) == (1, None, 10_000)
    assert 2_400 <= entry["escape_seconds"] < 2_430
    with refused(403, "permission_denied"):
        moderate(game, "Los Perdidos", "approved", game.master)
    moderate(game, "Los Perdidos", "approved", crew.hire(role="receptionist"))
    assert board(crew)[0]["team_name"] == "Los Perdidos"
    # Another name is looked at anew, whoever writes it; an old look approves no new name.
    assert publish(game, team_name=" Los Peores ")["name_status"] == "pending"
    assert board(crew)[0]["team_name"] is None
    with refused(409, "team_name_changed"):
        moderate(game, "Los Perdidos", "approved")
    moderate(game, "Los Peores", "approved")
    change(
        game.master,
        "game_results",
        {"team_name": "Rude"},
        booking_id=crew.shop.id_of(game.booking),
    )
    assert board(crew)[0]["team_name"] is None
    moderate(game, "Rude", "rejected")
    assert board(crew)[0]["team_name"] is None
    # Withdrawn by the link, at once; and nobody of the staff agrees for the party.
    assert not publish(game, is_public=False)["is_public"]
    assert board(crew) == []
    with refused(403, "42501"):
        crew.by.change("update public.game_results set is_public = true")
    # A mail program would make a link of that.
    with refused(422, "team_name_invalid"):
        publish(game, team_name="www.spam.example")


def test_the_link_shows_a_result_and_only_its_own(crew: Crew, game: Game) -> None:
    visitor = crew.shop.visitor
    seen = visitor.call("get_game_result", **link(game.booking))
    assert (seen["outcome"], seen["team_name"]) == ("escaped", "Los Perdidos")
    assert (seen["duration_seconds"], seen["percentile_bp"]) == (3600, 10_000)
    other = prepare(crew, 2)
    for function, values in (("get_game_result", {}), ("publish_game_result", {"is_public": True})):
        with refused(404, "booking_not_found"):
            visitor.call(
                function,
                reference=game.booking["reference"],
                manage_token=other.booking["manage_token"],
                **values,
            )
        with refused(409, "game_not_over"):
            visitor.call(function, **link(other.booking), **values)


def test_what_is_not_sold_is_not_shown(game: Game) -> None:
    crew, room = game.crew, game.results()[0]["room_id"]
    publish(game)
    assert len(board(crew, room_id=room)) == 1
    with refused(404, "room_not_found"):
        board(crew, room_id=crew.shop.location_id)
    crew.shop.set_room(room, is_published=False)
    assert board(crew) == []
    crew.shop.set_room(room, is_published=True)
    crew.shop.set_calendar(is_active=False)
    with refused(404, "calendar_not_found"):
        board(crew)


def test_who_is_erased_stands_there_no_more(game: Game) -> None:
    crew = game.crew
    publish(game)
    crew.shop.move_in_time(game.booking, -timedelta(days=2))
    crew.by.call(
        "erase_customer",
        organization_id=crew.shop.id,
        customer_id=crew.house.one(
            "select customer_id from public.bookings where id = %s", crew.shop.id_of(game.booking)
        ),
        reason="Asked for it",
    )
    assert board(crew) == []
    assert game.results()[0]["escape_seconds"] is not None


#: A game: its room, its time (None: not escaped), whether it was aborted, whether it is public.
_GAMES = st.lists(
    st.tuples(st.integers(0, 1), st.none() | st.integers(1, 6), st.booleans(), st.booleans()),
    min_size=1,
    max_size=10,
)


def _shares(games: list[tuple[int, int | None, bool, bool]]) -> list[tuple[int, int, int]]:
    """(room, time, share of the room's others that were slower) of those who are shown."""
    shown = []
    for n, (room, time, _, public) in enumerate(games):
        if time is None or not public:
            continue
        others = [
            t
            for m, (r, t, aborted, _) in enumerate(games)
            if m != n and r == room and (t is not None or not aborted)
        ]
        halves = sum(2 if t is None or t > time else 1 if t == time else 0 for t in others)
        share = 10_000 * halves // (2 * len(others)) if others else 10_000
        shown.append((room, time, share))
    return shown


_PLAYED = """
with game as (
  select
    private.uuid_v7() as session_id, private.uuid_v7() as booking_id,
    now() - g.n * interval '1 day' as at,
    'AAAA-' || lpad(g.n::text, 4, '0') as reference, g.*
  from jsonb_to_recordset(%s) as g (n int, room uuid, outcome text, time int, public boolean)
),
session as (
  insert into public.sessions (
    organization_id, id, room_id, starts_at, ends_at, occupied_until, mode, capacity, seats_taken
  )
  select
    %s, session_id, room, at, at + interval '1 hour', at + interval '1 hour', 'private', 6, 2
  from game
),
booking as (
  insert into public.bookings (
    organization_id, id, reference, session_id, room_id, starts_at, customer_id, status, party_size,
    seats, currency, total_cents, tax_cents, due_now_cents, locale
  )
  select
    %s, booking_id, reference, session_id, room, at, %s, 'completed', 2, 2, 'EUR', 0, 0, 0, 'es'
  from game
)
insert into public.game_results (
  organization_id, booking_id, session_id, room_id, played_at, duration_seconds, outcome,
  escape_seconds, is_public, consented_at
)
select
  %s, booking_id, session_id, room, at, 3600, outcome, time, public,
  case when public then now() end
from game
"""


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(games=_GAMES)
def test_percentiles_are_those_of_a_plain_model(
    rooms: tuple[Crew, list[str], str], games: list[tuple[int, int | None, bool, bool]]
) -> None:
    crew, ids, customer = rooms
    for table in ("bookings", "sessions"):
        crew.house.owner_sql(f"delete from public.{table} where organization_id = %s", crew.shop.id)
    played = [
        {
            "n": n,
            "room": ids[room],
            "outcome": "escaped" if time else "aborted" if aborted else "failed",
            "time": time,
            "public": public,
        }
        for n, (room, time, aborted, public) in enumerate(games, 1)
    ]
    shop = crew.shop.id
    crew.house.owner_sql(_PLAYED, Jsonb(played), shop, shop, customer, shop)
    shown = [
        (ids.index(entry["room_id"]), entry["escape_seconds"], entry["percentile_bp"])
        for entry in board(crew)
    ]
    expected = _shares(games)
    assert sorted(shown) == sorted(expected)
    assert [entry["rank"] for entry in board(crew)] == sorted(
        1 + sum(other[2] > one[2] for other in expected) for one in expected
    )
    for room in (0, 1):
        times = [entry["escape_seconds"] for entry in board(crew, room_id=ids[room])]
        assert times == sorted(time for of, time, _ in expected if of == room)
