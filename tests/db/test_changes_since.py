"""Screens follow what changes: nothing is missed, however late it is committed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from client import Client, Refused
from db.booking_world import Row, change, insert_all, open_shop
from db.realtime import STAND_IN
from db.staffing_world import Crew, open_crew
from matrix.fixtures import Track
from matrix.house import House


@pytest.fixture
def crew(house: House) -> Crew:
    shop = open_shop(house, "Venue")
    return Crew(shop, shop.venue.owner)


def since(person: Client, crew: Crew, at: datetime | None = None, **values: Any) -> Row:
    answer: Row = person.call(
        "changes_since", organization_id=crew.shop.id, since=at and str(at), **values
    )
    return answer


def at(answer: Row) -> datetime:
    return datetime.fromisoformat(answer["until"])


def told(answer: Row) -> set[tuple[str, str, str]]:
    return {(c["table_name"], c["row_key"], c["action"]) for c in answer["changes"]}


def items(crew: Crew, count: int) -> list[str]:
    """Items of a checklist, each of which can be written without waiting for anybody."""
    item = {"room_id": crew.add_room(), "phase": "reset", "title": "Lock it"}
    made = insert_all(crew.by, "checklist_items", [item] * count)
    return [str(row["id"]) for row in made]


def write(person: Client, item: str) -> tuple[str, str, str]:
    """Change an item. Returns what is told of it."""
    assert change(person, "checklist_items", {"position": 1}, id=item) == 1
    return "checklist_items", item, "update"


class TestWhatIsTold:
    def test_without_a_beginning_it_says_only_from_when_to_go_on(self, crew: Crew) -> None:
        crew.add_room()
        answer = since(crew.by, crew)
        assert (answer["changes"], answer["is_whole"]) == ([], True)
        assert abs(datetime.now(UTC) - at(answer)) < timedelta(minutes=1)

    def test_a_booking_is_told_with_its_session_and_in_order(self, crew: Crew) -> None:
        room = crew.add_room()
        begun = at(since(crew.by, crew))
        booking = crew.book(room, crew.shop.at(2))
        key = crew.shop.id_of(booking)
        answer = since(crew.by, crew, begun)
        assert {
            ("sessions", booking["session_id"], "insert"),
            ("bookings", key, "insert"),
            ("bookings", key, "update"),
        } <= told(answer)
        instants = [change["occurred_at"] for change in answer["changes"]]
        assert instants == sorted(instants, key=datetime.fromisoformat)
        assert answer["changes"][0].keys() == {"table_name", "row_key", "action", "occurred_at"}

    def test_what_is_no_part_of_a_screen_is_not_told(self, crew: Crew) -> None:
        begun = at(since(crew.by, crew))
        crew.shop.insert("notice_rules", kinds=["booking_new"])
        assert since(crew.by, crew, begun)["changes"] == []

    def test_a_page_ends_where_the_next_begins(self, crew: Crew) -> None:
        room = crew.add_room()
        begun = at(since(crew.by, crew))
        for hour in (8, 10, 12, 14, 16):
            crew.book(room, crew.shop.at(2, f"{hour:02}:00"))
        whole = since(crew.by, crew, begun)
        assert whole["is_whole"]
        assert len(whole["changes"]) > 10
        pages: list[Row] = []
        answer: Row = {"is_whole": False, "until": begun.isoformat()}
        while not answer["is_whole"]:
            answer = since(crew.by, crew, at(answer), max_rows=1)
            assert len(answer["changes"]) <= 10, "ten at the least"
            pages += answer["changes"]
        assert pages == whole["changes"]

    @pytest.mark.parametrize(
        ("ago", "code", "status"),
        [
            (timedelta(days=1, minutes=1), "since_too_old", 410),
            (timedelta(minutes=-5), "since_invalid", 422),
            (None, "since_invalid", 422),
        ],
    )
    def test_a_beginning_that_leads_nowhere_is_refused(
        self, crew: Crew, ago: timedelta | None, code: str, status: int
    ) -> None:
        moment = "infinity" if ago is None else (datetime.now(UTC) - ago).isoformat()
        with pytest.raises(Refused) as caught:
            crew.by.call("changes_since", organization_id=crew.shop.id, since=moment)
        assert (caught.value.code, caught.value.status) == (code, status)


class TestWhoIsTold:
    def test_a_member_is_told_of_the_tables_that_they_may_read(self, crew: Crew) -> None:
        room = crew.add_room()
        master = crew.hire(room)
        begun = at(since(crew.by, crew))
        booking = crew.book(room, crew.shop.at(2))
        crew.by.call(
            "record_payment",
            organization_id=crew.shop.id,
            booking_id=crew.shop.id_of(booking),
            amount_cents=100,
            method="cash",
            idempotency_key="once",
        )
        for_owner = {table for table, _, _ in told(since(crew.by, crew, begun))}
        for_master = {table for table, _, _ in told(since(master, crew, begun))}
        assert {"sessions", "bookings", "customers", "payments"} <= for_owner
        assert {"sessions", "bookings"} <= for_master
        assert not for_master & {"customers", "booking_contacts", "payments"}

    def test_whoever_may_not_read_a_venue_s_bookings_is_told_nothing(self, crew: Crew) -> None:
        rival = open_shop(crew.house, "Rival")
        crew.book(crew.add_room(), crew.shop.at(2))
        for person in (rival.venue.owner, crew.shop.visitor):
            with pytest.raises(Refused) as caught:
                since(person, crew)
            assert caught.value.status in {401, 403}
        assert since(rival.venue.owner, Crew(rival, rival.venue.owner))["changes"] == []

    def test_the_tables_of_screens_show_all_rows_to_whoever_may_read_them(self, crew: Crew) -> None:
        """Else a row's key would be told to somebody who may not see that row."""
        more = crew.house.owner_sql(
            "select p.tablename, p.qual from pg_policies as p"
            " where p.schemaname = 'public' and p.cmd = 'SELECT'"
            " and p.tablename = any (private.live_tables())"
            " and p.qual !~ '^\\(organization_id = \\( SELECT private\\.organization_with\\("
            "''[a-z_:]+''::text\\) AS organization_with\\)\\)$'"
        )
        assert more == []
        known = crew.house.one(
            "select count(*) from unnest(private.live_tables()) as t (name)"
            " join private.log_readers as r on r.table_name = t.name"
        )
        assert known >= crew.house.one("select cardinality(private.live_tables())")


class TestLateCommits:
    def test_what_is_committed_late_is_told_then(self, track: Track) -> None:
        crew = open_crew(track.house, track.name("Venue"))
        first, second = items(crew, 2)
        reader, slow = track.alone(crew.by), track.alone(crew.by)
        begun = at(since(reader, crew))
        with slow.connection.transaction():
            late = write(slow, first)
            # Somebody who began later is done earlier, and is read meanwhile.
            early = write(crew.by, second)
            answer = since(reader, crew, begun)
            assert told(answer) == {early}
            for _ in range(3):
                answer = since(reader, crew, at(answer))
        assert late in told(since(reader, crew, at(answer)))

    def test_whoever_wrote_nothing_yet_holds_nobody_up(self, track: Track) -> None:
        crew = open_crew(track.house, track.name("Venue"))
        first, second = items(crew, 2)
        reader, idle = track.alone(crew.by), track.alone(crew.by)
        with idle.connection.transaction():
            idle.connection.execute("select 1")
            write(crew.by, first)
            answer = since(reader, crew)
            # It began before this answer, and writes after it.
            late = write(idle, second)
            again = since(reader, crew, at(answer))
            assert at(again) >= at(answer), "never backwards"
        assert told(since(reader, crew, at(again))) == {late}

    @pytest.mark.parametrize("seed", range(4))
    def test_a_reader_among_writers_of_any_length_misses_nothing(
        self, track: Track, seed: int
    ) -> None:
        chance = random.Random(seed)
        crew = open_crew(track.house, track.name("Venue"))
        reader = track.alone(crew.by)
        writers = [track.alone(crew.by) for _ in range(4)]
        unwritten = items(crew, 40)
        seen: set[tuple[str, str, str]] = set()
        written: dict[int, set[tuple[str, str, str]]] = {}
        committed: set[tuple[str, str, str]] = set()
        answer = since(reader, crew)
        for _ in range(120):
            who = chance.randrange(len(writers))
            connection = writers[who].connection
            step = chance.choice(["begin", "write", "write", "end", "read"])
            if step == "read":
                answer = since(reader, crew, at(answer), max_rows=chance.choice([10, 500]))
                seen |= told(answer)
            elif who not in written:
                connection.execute("begin")
                written[who] = set()
            elif step == "write" and unwritten:
                written[who].add(write(writers[who], unwritten.pop()))
            elif step == "end":
                keep = chance.random() < 0.8
                connection.execute("commit" if keep else "rollback")
                ended = written.pop(who)
                committed |= ended if keep else set()
        for who in written:
            writers[who].connection.execute("rollback")
        answer["is_whole"] = False
        while not answer["is_whole"]:
            answer = since(reader, crew, at(answer))
            seen |= told(answer)
        assert committed
        assert seen == committed

    def test_the_database_s_owner_sees_who_is_writing(self, track: Track) -> None:
        """Else the reader is told everything of the last five minutes again and again."""
        crew = open_crew(track.house, track.name("Venue"))
        reader = track.alone(crew.by)
        with psycopg.connect(track.dsn) as other:
            other.execute("create temporary table written (id int)")  # has written, and stays
            lag = datetime.now(UTC) - at(since(reader, crew))
            assert lag < timedelta(minutes=4)


class TestRealtime:
    def test_a_transaction_is_one_broadcast_to_the_organization_s_members(self, crew: Crew) -> None:
        house, owner, shop = crew.house, crew.by, crew.shop
        room = crew.add_room()
        assert house.one("select private.allow_realtime()") is False
        for statement in STAND_IN:
            house.owner_sql(statement)
        for _ in range(2):
            assert house.one("select private.allow_realtime()") is True
        house.one("select set_config('escapemaster.broadcast', '', true)")
        crew.book(room, shop.at(2))
        topic = f"changes:{shop.id}"
        [message] = house.owner_sql("select * from realtime.messages")
        assert (message["topic"], message["event"], message["private"]) == (topic, "change", True)
        assert message["payload"].keys() == {"at"}, "what it is is read, not sent"
        twin = open_shop(house, "Twin").venue.owner
        for person, hears in ((owner, True), (crew.hire(), True), (twin, False)):
            house.one("select set_config('realtime.topic', %s, true)", topic)
            heard = person.select("select * from realtime.messages where topic = %s", topic)
            assert bool(heard) is hears
        for wrong in ("", "changes:", f"{topic}:x", f"x{topic}"):
            house.one("select set_config('realtime.topic', %s, true)", wrong)
            assert owner.select("select * from realtime.messages") == []
