"""Before the start nothing has happened, and what was said by mistake can be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from client import Client
from db.booking_world import PRICE, Row, Shop, change, open_shop
from db.changes_world import book, copy_tenant, promised, take
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


@pytest.fixture
def confirmed(shop: Shop, room: str) -> Row:
    booking = book(shop, room, shop.at(30, "11:30"))
    shop.move(booking, "confirmed")
    return booking


def set_location(shop: Shop, **values: object) -> None:
    change(shop.venue.owner, "locations", values, id=shop.location_id)


def status_of(shop: Shop, booking: Row) -> str:
    return str(
        shop.house.one("select status from public.bookings where id = %s", shop.id_of(booking))
    )


def since(shop: Shop, booking: Row, ago: timedelta) -> None:
    """Let it have come into its status so long ago."""
    shop.house.owner_sql(
        "update public.booking_history as h set occurred_at = now() - %s from public.bookings as b"
        " where b.id = %s and h.booking_id = b.id and h.to_status = b.status",
        ago,
        shop.id_of(booking),
    )


class TestWindows:
    @pytest.mark.parametrize("days", [13, 1])
    def test_before_the_start_nothing_has_happened(
        self, shop: Shop, confirmed: Row, days: int
    ) -> None:
        desk = shop.venue.hire("desk", "receptionist")
        shop.start_in(confirmed, timedelta(days=days))
        for status in ("no_show", "checked_in"):
            with refused(409, "too_early"):
                shop.move_now(confirmed, status, by=desk)
        assert status_of(shop, confirmed) == "confirmed"
        assert promised(shop, confirmed) == []

    def test_a_party_is_checked_in_from_some_hours_before_on(
        self, shop: Shop, confirmed: Row
    ) -> None:
        shop.start_in(confirmed, timedelta(hours=4) + MOMENT)
        opens = shop.starts_at(confirmed) - timedelta(hours=4)
        with refused(409, "too_early") as caught:
            shop.move_now(confirmed, "checked_in")
        assert datetime.fromisoformat(caught.value.details["opens_at"]) == opens
        shop.move_in_time(confirmed, -MOMENT)
        for status in ("checked_in", "in_progress", "completed"):
            assert shop.move_now(confirmed, status)["status"] == status

    def test_nobody_has_stayed_away_until_some_minutes_after_the_start(
        self, shop: Shop, confirmed: Row
    ) -> None:
        shop.start_in(confirmed, timedelta(minutes=-15) + MOMENT)
        opens = shop.starts_at(confirmed) + timedelta(minutes=15)
        with refused(409, "too_early") as caught:
            shop.move_now(confirmed, "no_show")
        assert datetime.fromisoformat(caught.value.details["opens_at"]) == opens
        shop.move_in_time(confirmed, -MOMENT)
        assert shop.move_now(confirmed, "no_show")["status"] == "no_show"

    def test_a_venue_has_windows_of_its_own(self, shop: Shop, confirmed: Row) -> None:
        set_location(shop, check_in_hours=0, no_show_minutes=0)
        shop.start_in(confirmed, MOMENT)
        for status in ("checked_in", "no_show"):
            with refused(409, "too_early"):
                shop.move_now(confirmed, status)
        set_location(shop, check_in_hours=48)
        shop.start_in(confirmed, timedelta(hours=48))
        assert shop.move_now(confirmed, "checked_in")["status"] == "checked_in"

    def test_and_not_those_of_another_with_the_same_ids(
        self, shop: Shop, confirmed: Row, house: House
    ) -> None:
        twin = open_shop(house, "Twin")
        copy_tenant(shop, twin, ())
        house.owner_sql(
            "update public.locations set check_in_hours = 48 where organization_id = %s", twin.id
        )
        shop.start_in(confirmed, timedelta(hours=40))
        with refused(409, "too_early"):
            shop.move_now(confirmed, "checked_in")

    def test_a_game_that_was_put_off_has_not_been_played(self, shop: Shop, confirmed: Row) -> None:
        shop.start_in(confirmed, timedelta(hours=1))
        shop.move_now(confirmed, "checked_in")
        shop.start_in(confirmed, timedelta(days=7))
        with refused(409, "too_early"):
            shop.move_now(confirmed, "in_progress")

    def test_not_even_the_database_owner_is_early(self, shop: Shop, confirmed: Row) -> None:
        with pytest.raises(Exception, match="too_early"):
            shop.house.owner_sql(
                "update public.bookings set status = 'no_show' where id = %s",
                shop.id_of(confirmed),
            )

    @pytest.mark.parametrize(
        ("column", "worst"),
        [("check_in_hours", 49), ("no_show_minutes", 1441), ("undo_hours", 169)],
    )
    def test_windows_are_bounded(self, shop: Shop, column: str, worst: int) -> None:
        for value in (-1, worst):
            with refused(400, "23514"):
                set_location(shop, **{column: value})


class TestUndo:
    @pytest.mark.parametrize(
        ("path", "back"),
        [
            (["checked_in"], "confirmed"),
            (["no_show"], "confirmed"),
            (["checked_in", "in_progress"], "checked_in"),
            (["checked_in", "in_progress", "completed"], "in_progress"),
        ],
        ids=lambda value: value if isinstance(value, str) else value[-1],
    )
    def test_what_was_said_by_mistake_is_taken_back(
        self, shop: Shop, confirmed: Row, path: list[str], back: str
    ) -> None:
        desk = shop.venue.hire("desk", "receptionist")
        for status in path:
            shop.move(confirmed, status)
        for silence in (None, "", "  ", "\u200b", ".", "\u0301"):
            with refused(422, "reason_missing"):
                shop.move_now(confirmed, back, by=desk, reason=silence)
        undone = shop.move_now(confirmed, back, by=desk, reason="The other party")
        assert undone["status"] == back
        assert undone["undo"] == {"withdrawn_cents": 0, "refunded_cents": 0}
        entry = shop.history(confirmed)[-1]
        assert (entry["from_status"], entry["to_status"]) == (path[-1], back)
        assert (entry["reason"], str(entry["actor_id"])) == ("The other party", desk.id)
        # And said again of the right one.
        assert shop.move_now(confirmed, path[-1])["status"] == path[-1]

    def test_step_by_step_back_to_the_beginning(self, shop: Shop, confirmed: Row) -> None:
        path = ["confirmed", "checked_in", "in_progress", "completed"]
        for status in path[1:]:
            shop.move(confirmed, status)
        for status in reversed(path[:-1]):
            assert shop.move_now(confirmed, status, reason="Again")["status"] == status

    def test_only_for_some_hours(self, shop: Shop, confirmed: Row) -> None:
        shop.move(confirmed, "checked_in")
        since(shop, confirmed, timedelta(hours=24))
        with refused(409, "undo_too_late") as caught:
            shop.move_now(confirmed, "confirmed", reason="Sorry")
        until = datetime.fromisoformat(caught.value.details["until"])
        assert until == shop.house.one("select now()")
        since(shop, confirmed, timedelta(hours=24) - MOMENT)
        assert shop.move_now(confirmed, "confirmed", reason="Sorry")["status"] == "confirmed"

    def test_or_as_long_as_the_venue_says(self, shop: Shop, confirmed: Row) -> None:
        set_location(shop, undo_hours=0)
        shop.move(confirmed, "checked_in")
        since(shop, confirmed, timedelta(0))
        with refused(409, "undo_too_late"):
            shop.move_now(confirmed, "confirmed", reason="Sorry")

    @pytest.mark.parametrize("other", ["confirmed", "checked_in"])
    def test_only_to_where_it_came_from(self, shop: Shop, confirmed: Row, other: str) -> None:
        for status in ("checked_in", "in_progress", "completed"):
            shop.move(confirmed, status)
        with refused(409, "transition_not_allowed"):
            shop.move_now(confirmed, other, reason="Two at once")

    def test_under_a_permission_of_its_own(self, shop: Shop, confirmed: Row) -> None:
        role = shop.venue.make_role("Door", ["bookings:read", "bookings:check_in"])
        door = shop.venue.hire("door", role)
        master = shop.venue.hire("master", "game_master")
        shop.move(confirmed, "checked_in", by=door)
        for person in (door, master):
            with refused(403, "permission_denied") as caught:
                shop.move_now(confirmed, "confirmed", by=person, reason="Sorry")
            assert caught.value.details == {"permission": "bookings:undo"}

    def test_what_the_sweep_completed_goes_back_and_is_left_alone_for_an_hour(
        self, shop: Shop, confirmed: Row
    ) -> None:
        shop.start_in(confirmed, timedelta(hours=-26))
        shop.house.service.call("service.sweep")
        assert status_of(shop, confirmed) == "completed"
        shop.move_now(confirmed, "confirmed", reason="Nobody came")
        shop.house.service.call("service.sweep")
        assert status_of(shop, confirmed) == "confirmed"
        since(shop, confirmed, timedelta(hours=1))
        shop.house.service.call("service.sweep")
        assert status_of(shop, confirmed) == "completed"

    def test_no_mail_tells_of_it(self, shop: Shop, confirmed: Row) -> None:
        def mails() -> list[Row]:
            return shop.house.owner_sql("select id from private.jobs where kind = 'email.send'")

        before = mails()
        shop.move(confirmed, "no_show")
        shop.move_now(confirmed, "confirmed", reason="They were late")
        assert mails() == before


class TestUndoneNoShow:
    """Half of what was paid goes back when nobody comes."""

    @pytest.fixture
    def room(self, shop: Shop, room: str) -> str:
        # Before the booking, which keeps the terms that it was made with.
        shop.set_room(room, no_show_fee_percent=50)
        return room

    @pytest.fixture
    def paid(self, shop: Shop, confirmed: Row) -> Row:
        take(shop, confirmed, TOTAL)
        return confirmed

    def refunds(self, shop: Shop, booking: Row) -> list[tuple[str, int]]:
        rows = shop.house.owner_sql(
            "select status, amount_cents from private.refund_requests where booking_id = %s"
            " order by created_at, id",
            shop.id_of(booking),
        )
        return [(row["status"], row["amount_cents"]) for row in rows]

    def undo(self, shop: Shop, booking: Row, by: Client | None = None) -> Row:
        undone: Row = shop.move_now(booking, "confirmed", by=by, reason="They were late")["undo"]
        return undone

    def test_its_refund_is_withdrawn(self, shop: Shop, paid: Row) -> None:
        shop.move(paid, "no_show")
        assert self.refunds(shop, paid) == [("pending", PRICE)]
        assert self.undo(shop, paid) == {"withdrawn_cents": PRICE, "refunded_cents": 0}
        assert self.refunds(shop, paid) == [("withdrawn", PRICE)]
        assert shop.venue.owner.call("get_pending_refunds", organization_id=shop.id) == []
        assert shop.look(paid)["open_cents"] == 0

    def test_and_promised_anew_when_nobody_came_after_all(self, shop: Shop, paid: Row) -> None:
        shop.move(paid, "no_show")
        self.undo(shop, paid)
        shop.move(paid, "no_show")
        assert self.refunds(shop, paid) == [("withdrawn", PRICE), ("pending", PRICE)]

    def test_what_was_handed_back_stays_so_and_is_open_again(self, shop: Shop, paid: Row) -> None:
        shop.move(paid, "no_show")
        (pending,) = shop.venue.owner.call("get_pending_refunds", organization_id=shop.id)
        shop.venue.owner.call(
            "record_refund",
            organization_id=shop.id,
            refund_request_id=pending["refund_request_id"],
            idempotency_key="handed-back",
        )
        assert self.undo(shop, paid) == {"withdrawn_cents": 0, "refunded_cents": PRICE}
        seen = shop.look(paid)
        assert (seen["refunded_cents"], seen["open_cents"]) == (PRICE, PRICE)

    @pytest.mark.parametrize("state", ["queued", "running", "tried", "dead"])
    def test_what_the_provider_was_asked_for_is_not(
        self, shop: Shop, paid: Row, state: str
    ) -> None:
        # A card's payment, as the webhook records it. No table is altered while triggers wait.
        shop.house.owner_sql("set constraints all immediate")
        shop.house.owner_sql("alter table public.payments disable trigger user")
        shop.house.owner_sql(
            "update public.payments set method = 'stripe', provider_payment_id = 'pi_1'"
            " where booking_id = %s",
            shop.id_of(paid),
        )
        shop.house.owner_sql("alter table public.payments enable trigger user")
        shop.move(paid, "no_show")
        if state in ("running", "tried", "dead"):
            (job,) = [
                job
                for job in shop.house.service.select(
                    "select * from service.claim_jobs('worker', 100, 60)"
                )
                if job["kind"] == "stripe.refund"
            ]
            if state != "running":
                shop.house.service.call(
                    "service.fail_job",
                    job_id=job["id"],
                    lease_token=job["lease_token"],
                    error="timeout",
                    retry=state == "tried",
                )
        gone = state != "queued"
        assert self.undo(shop, paid) == {
            "withdrawn_cents": 0 if gone else PRICE,
            "refunded_cents": PRICE if gone else 0,
        }
        assert self.refunds(shop, paid) == [("pending" if gone else "withdrawn", PRICE)]
        left = shop.house.one(
            "select count(*) from private.jobs where kind = 'stripe.refund' and status = 'queued'"
        )
        assert left == (1 if state == "tried" else 0)

    def test_a_refund_that_staff_promised_is_theirs(self, shop: Shop, paid: Row) -> None:
        shop.venue.owner.call(
            "refund_booking",
            organization_id=shop.id,
            booking_id=shop.id_of(paid),
            amount_cents=100,
            reason="A broken lock",
            idempotency_key="broken",
        )
        shop.move(paid, "no_show")
        assert self.undo(shop, paid) == {"withdrawn_cents": PRICE - 100, "refunded_cents": 0}
        assert self.refunds(shop, paid) == [("pending", 100), ("withdrawn", PRICE - 100)]

    def test_nor_is_anything_of_another_venue_touched(
        self, shop: Shop, paid: Row, house: House
    ) -> None:
        shop.move(paid, "no_show")
        twin = open_shop(house, "Twin")
        copy_tenant(shop, twin, ("customers", "sessions", "bookings", "payments"))
        house.owner_sql(
            "insert into private.refund_requests"
            " select (jsonb_populate_record(q, jsonb_build_object('organization_id', %s::uuid))).*"
            " from private.refund_requests as q where organization_id = %s",
            twin.id,
            shop.id,
        )
        self.undo(shop, paid)
        assert (
            house.one(
                "select status from private.refund_requests where organization_id = %s", twin.id
            )
            == "pending"
        )
