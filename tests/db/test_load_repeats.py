"""A wish that was fulfilled and whose answer was lost: asked again, it is answered."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from client import Client
from db.booking_world import GUEST, Row, Shop, open_shop
from matrix.house import House, Venue
from matrix.promises import refused

#: Asked again, they say the same and do nothing: those below, each with its test.
SAME_ANSWER = {
    "accept_waitlist_offer",  # tests/db/test_waitlist.py
    "assign_game_master",
    "cancel_booking",
    "cancel_voucher",
    "claim_session_as_game_master",
    "confirm_booking",  # tests/db/test_mail_limits.py
    "disable_join_code",
    "email_my_bookings",  # tests/db/test_resending.py
    "end_support_entry",
    "leave_waitlist",
    "reactivate_member",
    "remove_waitlist_entry",
    "revoke_api_key",
    "revoke_calendar_feed",
    "revoke_invitation",
    "revoke_waiver_kiosk",
    "set_coupon_status",
    "set_member_role",
    "set_role_permissions",
    "suspend_member",
    "switch_organization",
    "transition_booking",
    "unassign_game_master",
    "unblock_room",
    "withdraw_consent",
    "withdraw_refund",  # tests/db/test_money_promises.py
}
#: They take an idempotency key.
BY_KEY = {
    "change_booking",
    "create_booking",
    "hold_booking",
    "issue_voucher",
    "join_waitlist",
    "record_payment",
    "record_refund",
    "refund_booking",
    "resend_booking_email",
    "reschedule_booking",
    "sign_waiver",
}
#: They read: only their counters make them volatile.
READS = {
    "get_availability",
    "get_booking",
    "get_calendar",
    "get_calendar_feed",
    "get_currencies",
    "get_join_code",
    "get_waitlist_entry",
    "get_waiver",
    "get_waiver_kiosk",
    "my_booking_token",
    "quote_booking",
    "quote_reschedule",
    "validate_coupon",
}
#: The refusal of the second says that the first was carried out.
REFUSAL_SAYS_IT = {
    "accept_invitation": "409 invitation_used",
    "block_room": "409 slot_taken, with the block among the conflicts",
    "close_organization": "403 permission_denied: nobody is a member of what is closed",
    "create_coupon": "409 coupon_code_taken",
    "delete_role": "404 role_not_found",
    "erase_customer": "404 customer_not_found",
    "join_organization": "409 already_member",
    "leave_organization": "404 organization_not_found",
    "lift_member_bar": "404 bar_not_found",
    "merge_customers": "404 customer_not_found",
    "platform_erase_organization": "404 organization_not_found",
    "platform_grant_plan": "grants it again",
    "platform_reactivate_organization": "sets the status again",
    "platform_suspend_organization": "sets the status again",
    "remove_member": "404 member_not_found",
    "transfer_ownership": "403 permission_denied: the ownership is another's",
}
#: A second one is a second one, which does no harm and can be taken back; lists show both.
MAKES_ANOTHER = {
    "auto_assign_game_masters",  # of what is still without
    "create_api_key",
    "create_calendar_feed",
    "create_organization",
    "create_role",
    "create_waiver_kiosk",
    "export_organization",
    "invite_member",
    "platform_enter_organization",
    "publish_waiver",
    "rotate_join_code",
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


def test_every_function_that_changes_something_is_said_to_be_repeatable_or_why_not(
    house: House,
) -> None:
    """A new function has to be put where it belongs."""
    functions = {
        row["proname"]
        for row in house.owner_sql(
            "select p.proname from pg_proc as p"
            " where p.pronamespace = 'public'::regnamespace and p.provolatile = 'v'"
            " and p.prorettype <> 'trigger'::regtype"
        )
    }
    known = SAME_ANSWER | BY_KEY | READS | set(REFUSAL_SAYS_IT) | MAKES_ANOTHER
    assert functions - known == set(), "say in one of the lists above what asking again does"
    with_key = {
        row["proname"]
        for row in house.owner_sql(
            "select p.proname from pg_proc as p where p.pronamespace = 'public'::regnamespace"
            " and 'idempotency_key' = any (p.proargnames)"
        )
    }
    assert with_key == BY_KEY


def test_a_booking_that_was_cancelled_is_answered_as_cancelled(shop: Shop, held: Row) -> None:
    shop.move(held, "confirmed")
    shop.pay(held, 5_000)
    first = shop.cancel(held)
    assert first["status"] == "cancelled"
    assert shop.cancel(held) == first
    assert shop.house.one("select count(*) from private.refund_requests") == 1


@pytest.mark.parametrize(
    "path",
    [
        ["confirmed"],
        ["confirmed", "checked_in"],
        ["confirmed", "checked_in", "in_progress"],
        ["confirmed", "checked_in", "in_progress", "completed"],
        ["confirmed", "no_show"],
        ["cancelled"],
    ],
    ids=lambda path: path[-1],
)
def test_a_move_that_was_made_is_answered_and_made_once(
    shop: Shop, held: Row, path: list[str]
) -> None:
    first: Row = {}
    for status in path:
        first = shop.move(held, status)
    known = len(shop.history(held))
    assert shop.move(held, path[-1]) == first
    assert len(shop.history(held)) == known


def test_who_may_not_make_a_move_is_not_answered_as_if_they_had(shop: Shop, held: Row) -> None:
    shop.move(held, "cancelled")
    reader = shop.venue.hire("reader", shop.venue.make_role("Reader", ["bookings:read"]))
    with refused(403, "permission_denied"):
        shop.move(held, "cancelled", by=reader)


def test_an_expired_hold_cannot_be_moved_to_expired(shop: Shop, held: Row) -> None:
    """Only the system makes that move, so nobody can have wished it."""
    shop.lapse(held)
    shop.house.owner_sql("select private.sweep()")
    with refused(409, "transition_not_allowed"):
        shop.move(held, "expired")


class TestStaffs:
    """Called twice with the same arguments, the same answer."""

    def twice(self, client: Client, function: str, **arguments: Any) -> Any:
        first = client.call(function, **arguments)
        assert client.call(function, **arguments) == first
        return first

    def test_a_lifted_block(self, shop: Shop, room: str) -> None:
        block = shop.venue.owner.call(
            "block_room",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(5, "10:00"),
            ends_at=shop.at(5, "12:00"),
            repeats="daily",
            until=shop.at(9).date(),
        )
        lifted = self.twice(
            shop.venue.owner,
            "unblock_room",
            organization_id=shop.id,
            block_id=block["block_id"],
            from_date=shop.at(7).date(),
        )
        assert lifted["sessions"] == 3

    def test_a_released_game_master(self, shop: Shop, held: Row) -> None:
        shop.move(held, "confirmed")
        (session,) = shop.sessions()
        master = shop.venue.hire("master")
        seat = {"organization_id": shop.id, "session_id": session["id"], "user_id": master.id}
        self.twice(shop.venue.owner, "assign_game_master", **seat)
        self.twice(shop.venue.owner, "unassign_game_master", **seat)

    def test_what_one_took_and_gave_back_oneself(self, shop: Shop, room: str, held: Row) -> None:
        shop.move(held, "confirmed")
        (session,) = shop.sessions()
        master = shop.venue.hire("master")
        mine = {"organization_id": shop.id, "session_id": session["id"]}
        shop.venue.owner.change(
            "insert into public.staff_skills (user_id, room_id) values (%s, %s)", master.id, room
        )
        self.twice(master, "claim_session_as_game_master", **mine)
        self.twice(master, "unassign_game_master", **mine, user_id=master.id)

    def test_a_revoked_invitation_and_key(self, shop: Shop) -> None:
        venue = shop.venue
        invitation, _ = venue.invite("ana@example.test", venue.role("manager"))
        self.twice(
            venue.owner, "revoke_invitation", organization_id=venue.id, invitation_id=invitation
        )
        key, _ = venue.make_key(["rooms:read"])
        self.twice(venue.owner, "revoke_api_key", organization_id=venue.id, api_key_id=key.id)

    def test_an_accepted_invitation_cannot_be_taken_back(self, house: House, shop: Shop) -> None:
        venue: Venue = shop.venue
        invitation, token = venue.invite("ana@example.test", venue.role("manager"))
        house.sign_up("ana").call("accept_invitation", token=token)
        with refused(404, "invitation_not_found"):
            venue.owner.call(
                "revoke_invitation", organization_id=venue.id, invitation_id=invitation
            )

    def test_a_cancelled_voucher(self, shop: Shop) -> None:
        made = shop.add_voucher()
        gone = self.twice(
            shop.venue.owner, "cancel_voucher", organization_id=shop.id, voucher_id=made["id"]
        )
        assert (gone["status"], shop.voucher(made)["entries"]) == ("cancelled", 0)

    def test_a_revoked_feed_and_kiosk_and_a_coupon_set_aside(self, shop: Shop) -> None:
        owner = shop.venue.owner
        feed = owner.call("create_calendar_feed", organization_id=shop.id, name="Feed")
        self.twice(owner, "revoke_calendar_feed", organization_id=shop.id, feed_id=feed["id"])
        kiosk = owner.call(
            "create_waiver_kiosk",
            organization_id=shop.id,
            location_id=shop.location_id,
            name="Desk",
        )
        self.twice(owner, "revoke_waiver_kiosk", organization_id=shop.id, kiosk_id=kiosk["id"])
        coupon = shop.add_coupon()
        self.twice(
            owner,
            "set_coupon_status",
            organization_id=shop.id,
            coupon_id=coupon["id"],
            status="inactive",
        )

    def test_a_member_s_role_and_status(self, shop: Shop) -> None:
        owner, member = shop.venue.owner, shop.venue.hire("ana")
        who = {"organization_id": shop.id, "user_id": member.id}
        self.twice(owner, "set_member_role", **who, role_id=shop.venue.role("manager"))
        self.twice(owner, "suspend_member", **who)
        self.twice(owner, "reactivate_member", **who)
        self.twice(owner, "disable_join_code", organization_id=shop.id)


def test_a_waiting_list_that_was_left_is_left(shop: Shop, room: str) -> None:
    shop.set_calendar(waitlist_minutes=60)
    shop.venue.owner.call(
        "block_room",
        organization_id=shop.id,
        room_id=room,
        starts_at=shop.at(3, "00:00"),
        ends_at=shop.at(4, "00:00"),
    )
    wish = {
        "slug": shop.slug,
        "from_date": shop.at(3).date(),
        "to_date": shop.at(3).date(),
        "party_size": 2,
        "customer": GUEST,
        "idempotency_key": uuid4().hex,
    }
    entry = shop.visitor.call("join_waitlist", **wish)
    assert shop.visitor.call("join_waitlist", **wish) == entry
    token = entry["waitlist_token"]
    first = shop.visitor.call("leave_waitlist", token=token)
    assert shop.visitor.call("leave_waitlist", token=token) == first
