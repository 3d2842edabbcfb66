"""Bookings in the staff's hands: the life of a booking, who may move it, and blocked rooms."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from client import Client
from db.booking_world import GUEST, Row, Shop, change, open_shop
from db.changes_world import book
from matrix.expectations import expectations
from matrix.house import House
from matrix.promises import refused

#: Every move that a member can make, and the permission for it.
MOVES = {
    ("held", "pending"): "bookings:update",
    ("held", "confirmed"): "bookings:update",
    ("held", "cancelled"): "bookings:cancel",
    ("pending", "confirmed"): "bookings:update",
    ("pending", "cancelled"): "bookings:cancel",
    ("confirmed", "checked_in"): "bookings:check_in",
    ("confirmed", "no_show"): "bookings:check_in",
    ("confirmed", "cancelled"): "bookings:cancel",
    ("checked_in", "in_progress"): "bookings:check_in",
    ("checked_in", "cancelled"): "bookings:cancel",
    ("checked_in", "completed"): "bookings:check_in",
    ("in_progress", "completed"): "bookings:check_in",
}

#: Every move that takes another back; the first of each status is the one that brought it there.
UNDOS = {
    ("checked_in", "confirmed"),
    ("in_progress", "checked_in"),
    ("completed", "in_progress"),
    ("no_show", "confirmed"),
    ("completed", "checked_in"),
    ("completed", "confirmed"),
    ("cancelled", "confirmed"),
}

#: How a held booking gets into each status.
PATHS = {
    "held": [],
    "pending": ["pending"],
    "confirmed": ["confirmed"],
    "checked_in": ["confirmed", "checked_in"],
    "in_progress": ["confirmed", "checked_in", "in_progress"],
    "completed": ["confirmed", "checked_in", "in_progress", "completed"],
    "no_show": ["confirmed", "no_show"],
    "expired": ["expired"],
    "cancelled": ["cancelled"],
}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def held(shop: Shop, room: str) -> Row:
    return shop.hold(room, shop.at(3, "11:30"))


def bring_to(shop: Shop, booking: Row, status: str) -> None:
    for step in PATHS[status]:
        if step == "expired":
            shop.lapse(booking)
            shop.house.service.call("service.sweep")
        else:
            shop.move(booking, step)


def status_of(shop: Shop, booking: Row) -> str:
    status = shop.house.one("select status from public.bookings where id = %s", shop.id_of(booking))
    assert isinstance(status, str)
    return status


class TestTheLifeOfABooking:
    @pytest.mark.parametrize("source", PATHS)
    def test_only_listed_moves_can_be_made(self, shop: Shop, held: Row, source: str) -> None:
        bring_to(shop, held, source)
        before = len(shop.history(held))

        for target in (*PATHS, "HELD", "unknown", "", None):
            back = PATHS[source][-2:-1] == [target]
            if (
                (source, target) in MOVES
                or (back and (source, target) in UNDOS)
                or source == target in {to for _, to in MOVES}
            ):
                continue
            with refused(409, "transition_not_allowed") as caught:
                shop.move(held, target)
            assert caught.value.details == {
                "from": source,
                "to": target,
                "allowed": sorted(to for from_, to in MOVES if from_ == source),
            }
        assert status_of(shop, held) == source
        assert len(shop.history(held)) == before

    @pytest.mark.parametrize("move", MOVES, ids="-".join)
    def test_listed_moves_can(self, shop: Shop, held: Row, move: tuple[str, str]) -> None:
        source, target = move
        bring_to(shop, held, source)
        moved = shop.move(held, target)
        assert (moved["id"], moved["status"]) == (shop.id_of(held), target)

    def test_the_table_of_moves_is_the_one_that_was_agreed(self, house: House) -> None:
        rows = house.owner_sql(
            "select from_status, to_status, permission, by_customer, opens, undoes"
            " from private.booking_transitions"
        )
        assert {
            (row["from_status"], row["to_status"]): row["permission"]
            for row in rows
            if row["permission"]
        } == MOVES | dict.fromkeys(UNDOS, "bookings:undo")
        assert {(row["from_status"], row["to_status"]) for row in rows if row["undoes"]} == UNDOS
        assert {
            (row["from_status"], row["to_status"]): row["opens"] for row in rows if row["opens"]
        } == {
            ("confirmed", "checked_in"): "check_in",
            ("checked_in", "in_progress"): "check_in",
            ("checked_in", "completed"): "check_in",
            ("in_progress", "completed"): "check_in",
            ("confirmed", "no_show"): "no_show",
        }
        assert {(r["from_status"], r["to_status"]) for r in rows if not r["permission"]} == {
            ("held", "expired"),
            ("pending", "expired"),
            ("expired", "pending"),
            ("confirmed", "completed"),
            ("cancelled", "pending"),
        }
        assert {r["from_status"] for r in rows if r["by_customer"]} == {
            "held",
            "pending",
            "confirmed",
        }
        assert {r["to_status"] for r in rows if r["by_customer"]} == {"cancelled"}

    def test_not_even_the_database_owner_moves_a_booking_off_the_list(
        self, shop: Shop, held: Row
    ) -> None:
        with pytest.raises(Exception, match="transition_not_allowed"):
            shop.house.owner_sql(
                "update public.bookings set status = 'completed', hold_expires_at = null"
                " where id = %s",
                shop.id_of(held),
            )

    def test_every_move_is_recorded_with_who_and_why(self, shop: Shop, held: Row) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        shop.move(held, "confirmed", by=anna, reason="Pays at the desk")
        entry = shop.history(held)[-1]
        assert (entry["from_status"], entry["to_status"]) == ("held", "confirmed")
        assert (entry["actor_kind"], str(entry["actor_id"])) == ("user", anna.id)
        assert entry["reason"] == "Pays at the desk"
        (seen,) = anna.select("select status_reason, hold_expires_at from public.bookings")
        assert seen == {"status_reason": "written", "hold_expires_at": None}

    @pytest.mark.parametrize("status", [s for s in PATHS if s not in ("expired", "cancelled")])
    def test_seats_are_taken_until_the_booking_is_expired_or_cancelled(
        self, shop: Shop, room: str, held: Row, status: str
    ) -> None:
        # It is the evening itself: the game began some minutes ago, or should have.
        shop.start_in(held, timedelta(minutes=-20))
        bring_to(shop, held, status)
        with refused(409, "slot_taken"):
            book(shop, room, shop.starts_at(held))

    def test_a_reason_has_a_limit(self, shop: Shop, held: Row) -> None:
        with refused(422, "reason_too_long"):
            shop.move(held, "confirmed", reason="x" * 501)

    def test_a_session_that_moves_takes_its_bookings_along(self, shop: Shop, held: Row) -> None:
        shop.move_in_time(held, timedelta(days=1))
        booked = shop.house.one(
            "select starts_at from public.bookings where id = %s", shop.id_of(held)
        )
        assert booked == shop.at(4, "11:30")


class TestWhoMayMoveIt:
    @pytest.mark.parametrize("move", MOVES, ids="-".join)
    def test_each_move_needs_its_permission(
        self, shop: Shop, held: Row, move: tuple[str, str]
    ) -> None:
        source, target = move
        bring_to(shop, held, source)
        reading = shop.venue.hire("reader", shop.venue.make_role("Reader", ["bookings:read"]))
        others = sorted({"bookings:read", *MOVES.values()} - {MOVES[move]})
        lacking = shop.venue.hire("lacking", shop.venue.make_role("Lacking", others))
        for person in (reading, lacking):
            with refused(403, "permission_denied") as caught:
                shop.move(held, target, by=person)
            assert caught.value.details == {"permission": MOVES[move]}
        assert status_of(shop, held) == source

        allowed = shop.venue.make_role("Allowed", ["bookings:read", MOVES[move]])
        shop.move(held, target, by=shop.venue.hire("allowed", allowed))
        assert status_of(shop, held) == target

    @pytest.mark.parametrize(
        ("role", "moves"),
        [
            ("admin", {"confirmed", "checked_in", "cancelled"}),
            ("manager", {"confirmed", "checked_in", "cancelled"}),
            ("receptionist", {"confirmed", "checked_in", "cancelled"}),
            ("game_master", {"checked_in"}),
        ],
    )
    def test_roles(self, shop: Shop, room: str, role: str, moves: set[str]) -> None:
        person = shop.venue.hire("person", role)
        for day, (source, target) in enumerate(
            [("held", "confirmed"), ("confirmed", "checked_in"), ("held", "cancelled")], 3
        ):
            booking = shop.hold(room, shop.at(day, "11:30"))
            bring_to(shop, booking, source)
            if target in moves:
                shop.move(booking, target, by=person)
            else:
                with refused(403, "permission_denied"):
                    shop.move(booking, target, by=person)

    def test_without_reading_nothing_is_learned_of_a_booking(self, shop: Shop, held: Row) -> None:
        blind = shop.venue.hire("blind", shop.venue.make_role("Blind", ["bookings:cancel"]))
        for booking_id in (shop.id_of(held), uuid4()):
            with refused(403, "permission_denied"):
                _move(blind, shop.id, booking_id, "cancelled")

    def test_a_stranger_learns_nothing(self, shop: Shop, held: Row, house: House) -> None:
        other = open_shop(house, "Other")
        for organization in (shop.id, uuid4(), None):
            with refused(403, "permission_denied"):
                _move(other.venue.owner, organization, shop.id_of(held), "cancelled")
        for booking_id in (shop.id_of(held), uuid4(), None):
            with refused(404, "booking_not_found"):
                _move(other.venue.owner, other.id, booking_id, "cancelled")
        assert status_of(shop, held) == "held"

    def test_visitors_and_players_may_not_do_it(self, shop: Shop, held: Row, house: House) -> None:
        with refused(401, "42501"):
            _move(shop.visitor, shop.id, shop.id_of(held), "cancelled")
        with refused(403, "permission_denied"):
            _move(house.sign_up("player"), shop.id, shop.id_of(held), "cancelled")

    def test_a_suspended_venue_reads_and_does_not_write(self, shop: Shop, held: Row) -> None:
        shop.house.owner_sql(
            "update public.organizations set status = 'suspended' where id = %s", shop.id
        )
        assert len(shop.venue.owner.select("select * from public.bookings")) == 1
        with refused(403, "organization_suspended"):
            shop.move(held, "confirmed")


@pytest.mark.usefixtures("held")
class TestReading:
    def test_staff_read_bookings_with_room_customer_lines_and_history(self, shop: Shop) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        for table in ("sessions", "bookings", "customers", "booking_lines", "booking_history"):
            assert len(anna.select(f"select * from public.{table}")) == 1, table

    def test_game_masters_see_that_a_party_comes_and_nothing_that_it_said_of_itself(
        self, shop: Shop, held: Row
    ) -> None:
        change(shop.venue.owner, "bookings", {"staff_note": "Knows the room"}, id=shop.id_of(held))
        shop.house.owner_sql(
            "update public.booking_contacts set customer_note = 'I am Ana', fields = '{\"a\": 1}'"
        )
        gil = shop.venue.hire("gil", "game_master")
        (booking,) = gil.select("select * from public.bookings")
        # What staff write for each other is there.
        assert booking["staff_note"] == "Knows the room"
        for table in ("customers", "booking_contacts"):
            assert gil.select(f"select * from public.{table}") == [], table
        shop.move(held, "confirmed")
        moved = shop.move(held, "checked_in", by=gil)
        assert (moved["fields"], moved["customer_note"]) == (None, None)
        shown = " ".join(
            str(value)
            for value in (booking, moved, *gil.select("select * from public.booking_history"))
        )
        for said in (GUEST["full_name"], "I am Ana"):
            assert said not in shown

    def test_game_masters_read_no_words_of_staff_but_those_that_are_for_them(
        self, shop: Shop, held: Row
    ) -> None:
        """However it is read: tables, answers, and the log for whoever also reads that."""
        owner, booking = shop.venue.owner, shop.id_of(held)
        here = {"organization_id": shop.id, "booking_id": booking}
        change(owner, "bookings", {"staff_note": "For Gil: knows the room"}, id=booking)
        shop.move(held, "confirmed", reason="Zoraida phoned")
        owner.call(
            "change_booking",
            **here,
            price_cents=100,
            override_reason="Zoraida's cousin",
            reason="Zoraida asked for it",
            idempotency_key="one",
        )
        shop.pay(held, 100)
        owner.call(
            "refund_booking",
            **here,
            amount_cents=50,
            reason="Zoraida is ill",
            idempotency_key="two",
        )
        shop.move(held, "cancelled", reason="Zoraida is ill", refund="none")
        game_master = expectations().held_by("game_master")
        auditor = shop.venue.make_role("Auditor", {*game_master, "audit:read", "payments:read"})
        for reader in (shop.venue.hire("gil", "game_master"), shop.venue.hire("aud", auditor)):
            read: list[object] = [
                reader.select(f"select * from public.{name}")
                for name, table in expectations().tables.items()
                if not table.hidden
            ]
            read += [
                reader.call("get_board", organization_id=shop.id, date=shop.starts_at(held).date())
            ]
            read += [
                reader.call("get_pending_refunds", organization_id=shop.id)
                if reader.call("has_permission", permission="payments:read")
                else None
            ]
            assert "Zoraida" not in str(read)
            assert "For Gil: knows the room" in str(read)
            lines = reader.select("select to_status, reason from public.booking_history")
            assert {"to_status": "cancelled", "reason": "written"} in lines

    def test_who_may_read_customers_reads_why(self, shop: Shop, held: Row) -> None:
        shop.move(held, "confirmed", reason="Zoraida phoned")
        anna = shop.venue.hire("anna", "receptionist")
        (said,) = anna.select(
            "select r.reason, h.reason as shown from public.booking_reasons as r"
            " join public.booking_history as h on h.id = r.history_id"
            " and h.organization_id = r.organization_id"
        )
        assert said == {"reason": "Zoraida phoned", "shown": "written"}

    def test_who_may_read_customers_reads_what_the_party_said(self, shop: Shop, held: Row) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        (contact,) = anna.select("select * from public.booking_contacts")
        assert contact["contact_name"] == GUEST["full_name"]
        moved = anna.call(
            "transition_booking",
            organization_id=shop.id,
            booking_id=shop.id_of(held),
            to_status="confirmed",
        )
        assert (moved["fields"], moved["customer_note"]) == ({}, "")

    def test_other_venues_see_nothing(self, shop: Shop, house: House) -> None:
        stranger = open_shop(house, "Other").venue.owner
        for client in (stranger, stranger.at(shop.id)):
            for table in ("sessions", "bookings", "customers", "booking_lines", "booking_history"):
                assert client.select(f"select * from public.{table}") == [], table

    def test_a_note_is_all_that_staff_write_into_a_booking(self, shop: Shop, held: Row) -> None:
        anna = shop.venue.hire("anna", "receptionist")
        assert change(anna, "bookings", {"staff_note": "Birthday"}, id=shop.id_of(held)) == 1
        for column, value in (
            ("status", "confirmed"),
            ("total_cents", 0),
            ("starts_at", shop.at(9)),
        ):
            with refused(403, "42501"):
                change(anna, "bookings", {column: value}, id=shop.id_of(held))
        gil = shop.venue.hire("gil", "game_master")
        assert change(gil, "bookings", {"staff_note": "x"}, id=shop.id_of(held)) == 0

    @pytest.mark.parametrize(
        "table", ["sessions", "customers", "bookings", "booking_lines", "booking_history"]
    )
    def test_nothing_is_inserted_or_deleted_beside_the_functions(
        self, shop: Shop, table: str
    ) -> None:
        with refused(403, "42501"):
            shop.venue.owner.change(f"insert into public.{table} (id) values (gen_random_uuid())")
        with refused(403, "42501"):
            shop.venue.owner.change(f"delete from public.{table}")


class TestBlocks:
    def block(self, shop: Shop, room: object, by: Client | None = None, **values: object) -> Row:
        blocked: Row = (by or shop.venue.owner).call(
            "block_room",
            **{
                "organization_id": shop.id,
                "room_id": room,
                "starts_at": shop.at(3, "11:00"),
                "ends_at": shop.at(3, "13:00"),
                **values,
            },
        )
        return blocked

    def unblock(self, shop: Shop, session: object, by: Client | None = None) -> Row:
        freed: Row = (by or shop.venue.owner).call(
            "unblock_room", organization_id=shop.id, session_id=session
        )
        return freed

    def test_a_block_sells_nothing_until_it_is_lifted(self, shop: Shop, room: str) -> None:
        blocked = self.block(shop, room, reason="New props")
        assert (blocked["room_id"], blocked["reason"]) == (room, "New props")
        (session,) = shop.sessions()
        assert (session["mode"], session["capacity"], session["reason"]) == (
            "block",
            0,
            "New props",
        )
        with refused(409, "slot_taken"):
            shop.hold(room, shop.at(3, "11:30"))

        assert self.unblock(shop, blocked["session_id"])["status"] == "cancelled"
        assert shop.hold(room, shop.at(3, "11:30"))["status"] == "held"

    def test_a_block_has_no_turnaround(self, shop: Shop, room: str) -> None:
        self.block(shop, room)
        assert shop.hold(room, shop.at(3, "13:00"))["status"] == "held"

    def test_what_is_booked_is_not_blocked_over(self, shop: Shop, room: str, held: Row) -> None:
        with refused(409, "slot_taken"):
            self.block(shop, room)
        shop.lapse(held)
        self.block(shop, room)
        assert status_of(shop, held) == "expired"

    def test_a_shared_rooms_session_is_not_blocked_over(self, shop: Shop) -> None:
        room = shop.add_room(mode="shared")
        shop.open_on(room, "11:00", "12:00")
        shop.hold(room, shop.at(3, "11:00"))
        with refused(409, "slot_taken"):
            self.block(shop, room)

    @pytest.mark.parametrize(
        ("starts", "ends"),
        [("12:00", "12:00"), ("12:00", "11:00"), ("12:00", None), (None, "12:00")],
    )
    def test_a_range_that_is_none(
        self, shop: Shop, room: str, starts: str | None, ends: str | None
    ) -> None:
        with refused(422, "block_range_invalid"):
            self.block(
                shop,
                room,
                starts_at=starts and shop.at(3, starts),
                ends_at=ends and shop.at(3, ends),
            )

    @pytest.mark.parametrize(
        ("starts", "ends"), [("-infinity", "infinity"), ("2027-01-01", "2029-01-01")]
    )
    def test_a_range_without_measure(self, shop: Shop, room: str, starts: str, ends: str) -> None:
        with refused(422, "block_range_invalid"):
            self.block(shop, room, starts_at=starts, ends_at=ends)

    def test_a_reason_has_a_limit(self, shop: Shop, room: str) -> None:
        with refused(422, "reason_too_long"):
            self.block(shop, room, reason="x" * 501)

    def test_a_room_that_is_not_ours(self, shop: Shop, house: House) -> None:
        foreign = open_shop(house, "Other").add_room()
        for room in (foreign, uuid4(), None):
            with refused(404, "room_not_found"):
                self.block(shop, room)

    def test_what_is_no_standing_block_is_not_lifted(
        self, shop: Shop, room: str, held: Row, house: House
    ) -> None:
        other = open_shop(house, "Other")
        foreign = self.block(other, other.add_room())
        lifted = self.block(shop, room, starts_at=shop.at(4), ends_at=shop.at(5))
        self.unblock(shop, lifted["session_id"])
        (booked, *_) = shop.sessions()
        for session in (booked["id"], foreign["session_id"], uuid4(), None):
            with refused(404, "block_not_found"):
                self.unblock(shop, session)
        assert self.unblock(shop, lifted["session_id"])["status"] == "cancelled"
        assert status_of(shop, held) == "held"

    def test_it_takes_who_manages_schedules(self, shop: Shop, room: str) -> None:
        blocked = self.block(shop, room, by=shop.venue.hire("mia", "manager"))
        for role in ("receptionist", "game_master"):
            person = shop.venue.hire(role, role)
            with refused(403, "permission_denied"):
                self.block(shop, room, by=person)
            with refused(403, "permission_denied"):
                self.unblock(shop, blocked["session_id"], by=person)


def _move(client: Client, organization: object, booking: object, status: str) -> Row:
    moved: Row = client.call(
        "transition_booking", organization_id=organization, booking_id=booking, to_status=status
    )
    return moved
