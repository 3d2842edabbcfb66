"""Before a game can start: the room's checklist, and what is broken in it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from client import Client
from db.booking_world import Row, insert
from db.staffing_world import Crew, open_crew
from db.test_games_clock import Game, prepare
from matrix.house import House
from matrix.promises import refused

_keys = count(1)


@pytest.fixture
def crew(house: House) -> Crew:
    return open_crew(house, "Venue", hold_minutes=120, minimum_notice_minutes=0)


@pytest.fixture
def game(crew: Crew) -> Game:
    return prepare(crew)


def room_of(game: Game) -> str:
    return str(
        game.crew.house.one("select room_id from public.sessions where id = %s", game.session)
    )


def ask_for(game: Game, phase: str, title: str, **values: object) -> str:
    item = insert(
        game.crew.by,
        "checklist_items",
        room_id=room_of(game),
        phase=phase,
        title=title,
        **values,
    )
    return str(item["id"])


def another_game(game: Game, later: timedelta) -> Game:
    """One of the same room, whose party is there."""
    crew = game.crew
    booking = crew.book(room_of(game), crew.shop.at(3, "15:00"))
    crew.shop.move_in_time(
        booking, crew.shop.starts_at(game.booking) + later - crew.shop.starts_at(booking)
    )
    crew.assign(booking["session_id"], game.master)
    crew.house.owner_sql(
        "update public.bookings set status = 'checked_in', hold_expires_at = null where id = %s",
        crew.shop.id_of(booking),
    )
    return Game(crew, game.master, booking)


def open_items(game: Game) -> list[str]:
    with refused(409, "checklist_open") as caught:
        game.do("start_game")
    return [item["title"] for item in caught.value.details["items"]]


class TestChecklist:
    def test_a_required_item_that_is_open_stops_the_start(self, game: Game) -> None:
        lights = ask_for(game, "opening", "Lights")
        lock = ask_for(game, "before_game", "Lock the chest")
        ask_for(game, "before_game", "Warm the room", is_required=False)
        ask_for(game, "reset", "Empty the chest")
        assert open_items(game) == ["Lights", "Lock the chest"]
        ticked = game.do("tick_checklist_item", item_id=lights)["entries"][0]
        assert (ticked["ticked_by"], ticked["stops_start"]) == (game.master.id, False)
        assert open_items(game) == ["Lock the chest"]
        # The first who said so stays; what was said by mistake is taken back.
        again = game.do("tick_checklist_item", game.crew.by, item_id=lights)["entries"][0]
        assert again == ticked
        game.do("tick_checklist_item", item_id=lights, done=False)
        assert open_items(game) == ["Lights", "Lock the chest"]
        for item in (lights, lock):
            game.do("tick_checklist_item", item_id=item)
        assert game.do("start_game")["state"] == "running"

    def test_a_reason_overrides_it_and_is_kept(self, game: Game) -> None:
        ask_for(game, "before_game", "Lock the chest")
        for nothing in ("", "...", None):
            with refused(409, "checklist_open"):
                game.do("start_game", override_reason=nothing)
        game.do("start_game", override_reason="The chest is being mended")
        (event,) = game.crew.by.select("select note from public.game_events")
        assert event == {"note": "The chest is being mended"}

    def test_the_room_is_reset_before_the_next_game_and_opened_once_a_day(self, game: Game) -> None:
        game.crew.shop.move_in_time(game.booking, timedelta(hours=-24))
        lights, chest = ask_for(game, "opening", "Lights"), ask_for(game, "reset", "Chest")
        game.crew.house.owner_sql(
            "update public.checklist_items set created_at = created_at - interval '1 year'"
        )
        game.do("tick_checklist_item", item_id=lights)
        game.do("start_game")
        game.finish("failed")
        same_day = another_game(game, timedelta(minutes=100))
        day = game.crew.shop.zone
        first, second = (game.crew.shop.starts_at(g.booking) for g in (game, same_day))
        expected = ["Chest"]
        if first.astimezone(day).date() != second.astimezone(day).date():
            expected = ["Chest", "Lights"]
        assert open_items(same_day) == expected
        game.do("tick_checklist_item", item_id=chest)
        assert "Chest" not in [
            e["title"] for e in same_day.do("get_checklist")["entries"] if e["stops_start"]
        ]
        next_day = another_game(game, timedelta(hours=26))
        with_lights = [
            e["title"] for e in next_day.do("get_checklist")["entries"] if e["stops_start"]
        ]
        assert with_lights == ["Lights"]

    def test_who_ticks_what(self, game: Game) -> None:
        item, crew = ask_for(game, "reset", "Chest"), game.crew
        elsewhere = prepare(crew, 2)
        with refused(404, "checklist_item_not_found"):
            elsewhere.do("tick_checklist_item", item_id=item)
        # Who cleans the room need not run its game.
        crew.hire().call(
            "tick_checklist_item",
            organization_id=crew.shop.id,
            session_id=game.session,
            item_id=item,
        )
        with refused(403, "permission_denied"):
            game.do("tick_checklist_item", open_crew(crew.house, "Other").by, item_id=item)
        with refused(403, "42501"):
            crew.by.change("update public.checklist_ticks set ticked_at = now()")


class TestIncidents:
    def report(self, game: Game, by: Client | None = None, **values: object) -> Any:
        return (by or game.crew.by).call(
            "report_incident",
            **{
                "organization_id": game.crew.shop.id,
                "room_id": room_of(game),
                "description": "The chest does not open",
                "idempotency_key": f"incident-{next(_keys)}",
                **values,
            },
        )

    def settle(self, game: Game, incident: Row, by: Client | None = None, **values: object) -> Any:
        return (by or game.crew.by).call(
            "set_incident_status",
            organization_id=game.crew.shop.id,
            incident_id=incident["incident_id"],
            **values,
        )

    def test_what_is_wrong_is_said_and_an_incident_is_one_s_own(self, game: Game) -> None:
        for said in ("", "  ", "x" * 2_001):
            with refused(422, "description_invalid"):
                self.report(game, description=said)
        reported = self.report(game)
        other = open_crew(game.crew.house, "Other")
        with refused(404, "incident_not_found"):
            other.by.call(
                "set_incident_status",
                organization_id=other.shop.id,
                incident_id=reported["incident_id"],
                status="solved",
            )

    def test_an_incident_takes_the_room_off_sale_until_it_is_solved(self, game: Game) -> None:
        shop, room = game.crew.shop, room_of(game)
        booked = game.crew.book(room, shop.at(1, "18:00"))
        assert "12:00" in shop.times(room)
        reported = self.report(
            game, session_id=game.session, block_until=shop.at(2, "00:00"), idempotency_key="one"
        )
        assert reported["booked_sessions"][-1] == booked["session_id"]
        again = self.report(
            game, session_id=game.session, block_until=shop.at(2, "00:00"), idempotency_key="one"
        )
        assert again == reported
        assert shop.times(room) == []
        assert "00:00" in shop.times(room, 2)
        with refused(409, "slot_taken"):
            shop.venue.owner.call(
                "create_booking",
                organization_id=shop.id,
                room_id=room,
                starts_at=shop.at(1, "12:00"),
                party_size=2,
                customer={"full_name": "Ana"},
                idempotency_key="walk-in",
            )
        assert shop.look(booked)["status"] == "confirmed"
        # A shorter block takes the place of the longer one.
        repaired = self.settle(game, reported, status="in_repair", block_until=shop.at(1, "17:00"))
        assert repaired["block_id"] != reported["block_id"]
        assert "19:30" in shop.times(room)
        assert "12:00" not in shop.times(room)
        solved = self.settle(game, reported, status="solved", resolution="A new spring")
        assert (solved["status"], solved["block_id"]) == ("solved", None)
        assert self.settle(game, reported, status="solved") == solved
        assert "12:00" in shop.times(room)
        (row,) = game.crew.by.select("select * from public.room_incidents")
        assert (row["resolution"], row["solved_at"] is None) == ("A new spring", False)
        assert self.settle(game, reported, status="open")["status"] == "open"

    def test_who_reports_may_not_close_a_room_that_they_may_not_block(self, game: Game) -> None:
        shop, until = game.crew.shop, game.crew.shop.at(2)
        with refused(403, "permission_denied") as caught:
            self.report(game, game.master, block_until=until)
        assert caught.value.details == {"permission": "schedules:manage"}
        assert shop.venue.count("room_incidents") == 0
        reported = self.report(game, game.master, item_id=ask_for(game, "reset", "Chest"))
        self.settle(game, reported, status="in_repair", block_until=until)
        with refused(403, "permission_denied"):
            self.settle(game, reported, game.master, status="solved")
        with refused(422, "block_range_invalid"):
            self.settle(game, reported, status="in_repair", block_until=shop.at(-1))
        for by in (open_crew(game.crew.house, "Other").by, game.crew.house.sign_up("player")):
            with refused(403, "permission_denied"):
                self.report(game, by)
            with refused(403, "permission_denied"):
                self.settle(game, reported, by, status="solved")
