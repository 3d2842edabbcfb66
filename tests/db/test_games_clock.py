"""The game's clock: who runs it, what it computes, what it does to the visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from client import Client
from db.booking_world import Row, change
from db.staffing_world import Crew, open_crew
from db.test_staffing_concurrency import race
from matrix.fixtures import Track
from matrix.house import House
from matrix.promises import refused

LENGTH = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Game:
    """A party that is checked in, its session and its game master."""

    crew: Crew
    master: Client
    booking: Row

    @property
    def session(self) -> str:
        return str(self.booking["session_id"])

    def do(self, function: str, by: Client | None = None, **values: object) -> Any:
        return (by or self.master).call(
            function, organization_id=self.crew.shop.id, session_id=self.session, **values
        )

    def clock(self, by: Client | None = None) -> Any:
        return self.do("get_game_clock", by)

    def finish(self, outcome: str = "escaped", by: Client | None = None, **values: object) -> Any:
        return self.do("finish_game", by, outcome=outcome, **values)

    def correct(self, by: Client | None = None, **values: object) -> Any:
        return (by or self.crew.by).call(
            "correct_game_result",
            organization_id=self.crew.shop.id,
            booking_id=self.crew.shop.id_of(self.booking),
            **values,
        )

    def pass_time(self, by: timedelta) -> None:
        """Let all that happened be longer ago."""
        self.crew.house.owner_sql(
            "update public.game_events set occurred_at = occurred_at - %s where session_id = %s",
            by,
            self.session,
        )

    def status(self) -> str:
        return str(self.crew.shop.look(self.booking)["status"])

    def results(self) -> list[Row]:
        return self.crew.by.select("select * from public.game_results")


def prepare(crew: Crew, days: int = 1, *, checked_in: bool = True) -> Game:
    room = crew.add_room()
    master = crew.hire(room)
    booking = crew.book(room, crew.shop.at(days, "12:00"))
    crew.shop.start_in(booking, -timedelta(minutes=5))
    crew.assign(booking["session_id"], master)
    if checked_in:
        crew.shop.move_now(booking, "checked_in")
    return Game(crew, master, booking)


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120)


@pytest.fixture
def game(crew: Crew) -> Game:
    return prepare(crew)


def test_a_game_master_runs_a_game_and_its_visit_is_completed(game: Game) -> None:
    assert game.clock()["state"] == "ready"
    started = game.do("start_game")
    assert (started["state"], started["started_by"]) == ("running", game.master.id)
    assert started["changed"] and not game.do("start_game")["changed"]
    assert game.status() == "in_progress"
    game.pass_time(timedelta(minutes=10))
    assert game.do("pause_game")["pauses"] == 1
    assert game.do("pause_game")["pauses"] == 1
    game.pass_time(timedelta(minutes=7))
    assert game.do("add_hint", idempotency_key="h", words="Look behind the clock")["hints"] == 1
    assert game.do("add_hint", idempotency_key="h", words="Look behind the clock")["hints"] == 1
    game.do("resume_game")
    game.pass_time(timedelta(minutes=20))
    ended = game.finish(team_name="  Los Perdidos ", notes="Loud", language="ca", level="hard")
    assert (ended["state"], ended["outcome"], ended["changed"]) == ("finished", "escaped", True)
    assert 1_800_000 <= ended["elapsed_ms"] < 1_830_000
    assert 420_000 <= ended["paused_ms"] < 450_000
    (result,) = game.results()
    assert 1_800 <= result["escape_seconds"] < 1_830
    told = ("outcome", "pauses", "hints", "team_name", "notes", "language", "level", "is_by_hand")
    assert [result[name] for name in told] == [
        *("escaped", 1, 1, "Los Perdidos", "Loud", "ca", "hard", False)
    ]
    assert game.status() == "completed"
    # Asked again, as after a lost answer; another outcome is another wish.
    again = game.finish()
    assert (again["results"], again["changed"]) == (ended["results"], False)
    for wish in (
        partial(game.finish, "failed"),
        partial(game.do, "start_game"),
        partial(game.do, "resume_game"),
        partial(game.do, "add_hint", idempotency_key="late"),
    ):
        with refused(409, "game_finished") as caught:
            wish()
        assert caught.value.details == {"state": "finished", "outcome": "escaped"}
    (board,) = [
        s["game"]
        for s in game.crew.board(game.crew.shop.today)["locations"][0]["rooms"][0]["sessions"]
    ]
    assert (board["outcome"], board["results"]) == ("escaped", ended["results"])


def test_who_runs_a_game(game: Game) -> None:
    crew = game.crew
    stranger = crew.hire()
    managing = crew.shop.venue.make_key(["games:manage"])[0]
    for by in (stranger, managing, crew.house.sign_up("player"), open_crew(crew.house, "Other").by):
        for function, values in (
            ("start_game", {}),
            ("pause_game", {}),
            ("resume_game", {}),
            ("add_hint", {"idempotency_key": "h"}),
            ("finish_game", {"outcome": "failed"}),
        ):
            with refused(403, "permission_denied"):
                game.do(function, by, **values)
    assert game.clock()["state"] == "ready"
    game.do("start_game", crew.shop.venue.make_key(["games:run"])[0])
    game.do("pause_game", crew.hire(role="receptionist"))
    # Who may no longer run games runs no game of their own either.
    crew.release(game.session, game.master)
    with refused(403, "permission_denied"):
        game.do("resume_game")
    for statement in (
        "update public.game_events set occurred_at = now()",
        "delete from public.game_events",
        "insert into public.game_events select * from public.game_events",
        "update public.game_results set escape_seconds = 1",
    ):
        with refused(403, "42501"):
            crew.by.change(statement)


def test_a_game_needs_a_party_and_its_time(crew: Crew) -> None:
    game = prepare(crew, checked_in=False)
    for function in ("pause_game", "resume_game"):
        with refused(409, "game_not_started"):
            game.do(function)
    with refused(409, "game_not_started"):
        game.finish("aborted")
    with refused(409, "party_not_checked_in"):
        game.do("start_game")
    crew.shop.move_now(game.booking, "checked_in")
    game.do("start_game")
    game.pass_time(LENGTH)
    with refused(409, "time_is_over"):
        game.finish()
    assert game.clock()["state"] == "running"
    assert game.clock()["remaining_ms"] == 0
    game.finish("failed")
    assert game.results()[0]["escape_seconds"] is None
    # What the clock does not say is said by hand, with a reason, by those who may.
    wish: Row = {"outcome": "escaped", "escape_seconds": 3600, "reason": "Out at the last second"}
    with refused(403, "permission_denied"):
        game.correct(crew.hire(role="receptionist"), **wish)
    with refused(422, "reason_missing"):
        game.correct(**{**wish, "reason": "..."})
    for seconds in (0, 3601, None):
        with refused(422, "escape_seconds_invalid") as caught:
            game.correct(**{**wish, "escape_seconds": seconds})
        assert caught.value.details == {"minimum": 1, "maximum": 3600}
    corrected = game.correct(crew.hire(role="manager"), **wish)
    assert (corrected["is_by_hand"], corrected["escape_seconds"]) == (True, 3600)
    assert corrected["correction_reason"] == "Out at the last second"
    assert game.clock()["outcome"] == "failed"


def test_the_clock_follows_what_the_desk_does_to_the_visit(game: Game) -> None:
    shop = game.crew.shop
    back = partial(game.crew.shop.move_now, game.booking, reason="Pressed by mistake")
    game.do("start_game")
    game.do("add_hint", idempotency_key="first")
    back("checked_in")
    assert (game.clock()["state"], game.clock()["hints"]) == ("ready", 0)
    game.do("start_game")
    game.pass_time(timedelta(minutes=3))
    game.finish("aborted")
    game.pass_time(timedelta(minutes=4))
    with refused(409, "game_not_over"):
        back("in_progress")
        game.correct(outcome="failed", reason="Not yet")
    assert game.results() == []
    clock = game.clock()
    assert (clock["state"], clock["outcome"]) == ("running", None)
    assert 420_000 <= clock["elapsed_ms"] < 450_000
    # Completed at the desk: the clock stops, and nobody has said how it ended.
    shop.move_now(game.booking, "completed")
    clock = game.clock()
    assert (clock["state"], clock["outcome"], clock["results"]) == ("finished", None, [])
    with refused(409, "game_finished"):
        game.finish("failed")
    game.correct(outcome="failed", reason="Nobody pressed the button")
    assert [r["outcome"] for r in game.results()] == ["failed"]


def test_strangers_who_share_a_game_have_a_result_each(crew: Crew) -> None:
    room = crew.add_room(mode="shared")
    starts = crew.shop.at(1)
    first, second = crew.book(room, starts), crew.book(room, starts)
    late = crew.book(room, starts)
    crew.shop.start_in(first, timedelta())
    game = Game(crew, crew.by, first)
    for booking in (first, second):
        crew.shop.move_now(booking, "checked_in")
    game.do("start_game")
    game.finish("failed")
    assert {str(r["booking_id"]) for r in game.results()} == {
        crew.shop.id_of(first),
        crew.shop.id_of(second),
    }
    assert crew.shop.look(late)["status"] == "confirmed"
    change(game.master, "game_results", {"team_name": "Two"}, booking_id=crew.shop.id_of(second))
    assert {r["team_name"] for r in game.results()} == {None, "Two"}


def test_a_game_master_writes_about_the_games_that_they_ran(game: Game) -> None:
    crew = game.crew
    game.do("start_game")
    game.finish("failed")
    booking_id = crew.shop.id_of(game.booking)
    for values in ({"team_name": "One"}, {"notes": "Loud"}, {"language": "ca"}, {"level": "hard"}):
        [(column, value)] = values.items()
        statement = f"update public.game_results set {column} = %s where booking_id = %s"
        assert crew.hire().change(statement, value, booking_id) == 0
        change(game.master, "game_results", values, booking_id=booking_id)
    change(crew.hire(role="receptionist"), "game_results", {"notes": ""}, booking_id=booking_id)
    [result] = game.results()
    assert (result["team_name"], result["notes"], result["level"]) == ("One", "", "hard")


def test_what_is_no_result_is_refused_and_changes_nothing(game: Game) -> None:
    game.do("start_game")
    for wrong, code in (
        ({"outcome": "won"}, "outcome_invalid"),
        ({"team_name": "x" * 61}, "team_name_invalid"),
        ({"notes": "x" * 2_001}, "note_too_long"),
        ({"language": "English"}, "language_invalid"),
        ({"level": "brutal"}, "level_invalid"),
    ):
        wish: dict[str, Any] = {"outcome": "failed", **wrong}
        with refused(422, code):
            game.finish(**wish)
    with refused(422, "note_too_long"):
        game.do("add_hint", words="x" * 501, idempotency_key="long")
    assert (game.clock()["state"], game.clock()["hints"]) == ("running", 0)
    game.finish("failed")
    for hints in (-1, 1_001):
        with refused(422, "hints_invalid"):
            game.correct(outcome="failed", hints=hints, reason="They say so")
    assert [result["hints"] for result in game.results()] == [0]


def _told(answers: list[Any], ask: Callable[[], Any]) -> None:
    answers.append(ask())


def test_of_two_game_masters_who_start_one_game_one_wins_and_both_see_the_same(
    track: Track,
) -> None:
    crew = open_crew(track.house, track.name("Venue"), hold_minutes=120)
    for function, values in (
        ("start_game", {}),
        ("pause_game", {}),
        ("resume_game", {}),
        ("finish_game", {"outcome": "failed"}),
    ):
        game = prepare(crew)
        people = [track.alone(crew.hire(role="receptionist")) for _ in range(4)]
        if function != "start_game":
            game.do("start_game", crew.by)
        if function == "resume_game":
            game.do("pause_game", crew.by)
        answers: list[Any] = []
        calls: list[Callable[[], Any]] = [
            partial(_told, answers, partial(game.do, function, by, **values)) for by in people
        ]
        assert race(calls) == {"ok": 4}
        assert sorted(a["changed"] for a in answers) == [False, False, False, True]
        assert len({(a["state"], a["started_at"], a["started_by"]) for a in answers}) == 1
        assert len({(a["pauses"], a["finished_at"]) for a in answers}) == 1


# ----------------------------------------------------------------------- the arithmetic

#: The night before a clock jumps, and the one before it goes back.
NIGHTS = (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 0, 30, tzinfo=UTC))
KINDS = ("started", "paused", "resumed", "hint", "finished", "reopened", "withdrawn")


@dataclass
class Stopwatch:
    """A game as a person with a stopwatch would write it down."""

    state: str = "ready"
    before_end: str = "ready"
    elapsed: timedelta = field(default_factory=timedelta)
    paused: timedelta = field(default_factory=timedelta)
    since_end: timedelta = field(default_factory=timedelta)
    pauses: int = 0
    hints: int = 0

    def run(self, time: timedelta) -> None:
        if self.state == "running":
            self.elapsed += time
        elif self.state == "paused":
            self.paused += time
        elif self.state == "finished":
            self.since_end += time

    def take(self, kind: str) -> bool:
        """Whether that can happen now; if so, it does."""
        legal = {
            "started": self.state == "ready",
            "paused": self.state == "running",
            "resumed": self.state == "paused",
            "hint": self.state in ("running", "paused"),
            "finished": self.state in ("running", "paused"),
            "reopened": self.state == "finished",
            "withdrawn": self.state != "ready",
        }[kind]
        if not legal:
            return False
        match kind:
            case "started" | "resumed":
                self.state = "running"
            case "paused":
                self.state, self.pauses = "paused", self.pauses + 1
            case "hint":
                self.hints += 1
            case "finished":
                self.before_end, self.state = self.state, "finished"
                self.since_end = timedelta()
            case "reopened":
                self.state = self.before_end
                self.run(self.since_end)
            case _:
                vars(self).update(vars(Stopwatch()))
        return True


def _milliseconds(time: timedelta) -> int:
    return time // timedelta(milliseconds=1)


_MOVES = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.one_of(
            st.integers(0, 3_000_000_000), st.sampled_from([0, 999, 1_000, 3_600_000_000])
        ).map(lambda us: timedelta(microseconds=us)),
    ),
    max_size=14,
)
_ALL_NIGHT = [(kind, timedelta(minutes=40)) for kind in KINDS[:5]]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(night=st.sampled_from(NIGHTS), moves=_MOVES)
@example(night=NIGHTS[0], moves=_ALL_NIGHT)
@example(night=NIGHTS[1], moves=[*_ALL_NIGHT, ("reopened", SECOND), ("hint", SECOND)])
def test_the_clock_is_what_a_stopwatch_shows(
    game: Game, night: datetime, moves: list[tuple[str, timedelta]]
) -> None:
    house, shop = game.crew.house, game.crew.shop
    house.owner_sql("set local timezone to 'Europe/Madrid'")
    house.owner_sql("delete from public.game_events where session_id = %s", game.session)
    watch, now = Stopwatch(), night
    for position, (kind, later) in enumerate(moves, 1):
        watch.run(later)
        now += later
        if watch.take(kind):
            house.owner_sql(
                "insert into public.game_events (organization_id, session_id, position, kind,"
                " occurred_at, actor_kind, duration_seconds)"
                " values (%s, %s, %s, %s, %s, 'user', %s)",
                shop.id,
                game.session,
                position,
                kind,
                now,
                3600 if kind == "started" else None,
            )
    later = timedelta(minutes=9, microseconds=700)
    watch.run(later)
    (clock,) = house.owner_sql(
        "select (private.game_clock(s, %s)).* from public.sessions as s where s.id = %s",
        now + later,
        game.session,
    )
    elapsed = _milliseconds(watch.elapsed)
    assert {
        name: clock[name] for name in ("state", "elapsed_ms", "paused_ms", "pauses", "hints")
    } == {
        "state": watch.state,
        "elapsed_ms": elapsed,
        "paused_ms": _milliseconds(watch.paused),
        "pauses": watch.pauses,
        "hints": watch.hints,
    }
    assert clock["remaining_ms"] == max(0, _milliseconds(LENGTH) - elapsed)


def test_a_party_that_is_erased_leaves_neither_name_nor_notes(game: Game) -> None:
    crew = game.crew
    game.do("start_game")
    game.finish("failed", team_name="The Ada Lovelaces", notes="Ada forgot her coat")
    game.correct(outcome="aborted", reason="Ada felt ill")
    crew.shop.move_in_time(game.booking, -timedelta(days=2))
    crew.by.call(
        "erase_customer",
        organization_id=crew.shop.id,
        customer_id=crew.house.one(
            "select customer_id from public.bookings where id = %s", crew.shop.id_of(game.booking)
        ),
        reason="Asked for it",
    )
    (result,) = game.results()
    assert (result["team_name"], result["notes"], result["correction_reason"]) == (None, "", "")
    assert result["outcome"] == "aborted"
    logged = crew.house.one(
        "select count(*) from public.audit_log_personal as p"
        " where p.organization_id = %s and (p.before::text || p.after::text) like '%%Ada f%%'",
        crew.shop.id,
    )
    assert logged == 0
