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
    "add_notice_address",  # tests/db/test_notices.py
    "accept_waitlist_offer",  # tests/db/test_waitlist.py
    "announce_late",  # tests/db/test_games_late.py
    "assign_game_master",
    "cancel_booking",
    "cancel_order",  # tests/db/test_orders.py
    "cancel_voucher",
    "change_booking_comment",  # tests/db/test_desk_edits.py, as the next two
    "change_booking_details",
    "change_coupon",
    "close_organization",  # with it goes the permission; so with leave_, transfer_, set_role_…
    "claim_session_as_game_master",
    "confirm_booking",  # tests/db/test_mail_limits.py
    "disable_join_code",
    "email_my_bookings",  # tests/db/test_resending.py
    "correct_game_result",  # tests/db/test_games_clock.py
    "end_left_open",  # tests/db/test_tenancy_visits.py
    "end_support_entry",
    "finish_game",  # the same, as all of the clock
    "leave_organization",
    "leave_waitlist",
    "merge_bookings",  # tests/db/test_desk_merge.py
    "moderate_team_name",  # tests/db/test_games_leaderboard.py
    "pause_game",
    "publish_game_result",  # tests/db/test_games_leaderboard.py
    "mark_notifications_read",  # tests/db/test_notices.py
    "reactivate_member",
    "remove_waitlist_entry",
    "rename_role",  # tests/db/test_desk_edits.py
    "reset_sign_in",  # tests/db/test_proven_addresses.py
    "resume_game",
    "revoke_api_key",
    "revoke_calendar_feed",
    "revoke_invitation",
    "revoke_waiver_kiosk",
    "set_booking_people",  # tests/db/test_desk_party.py
    "set_booking_tags",  # tests/db/test_desk_tags.py
    "set_coupon_status",
    "set_incident_status",  # tests/db/test_games_rooms.py
    "set_member_role",
    "set_party",  # tests/db/test_desk_party.py
    "set_notification_preference",  # tests/db/test_notices.py
    "set_role_permissions",
    "start_game",
    "suspend_member",
    "switch_organization",
    "tick_checklist_item",  # tests/db/test_games_rooms.py
    "transfer_ownership",
    "transition_booking",
    "transition_order",  # tests/db/test_orders.py
    "unassign_game_master",
    "unblock_room",
    "withdraw_consent",
    "withdraw_refund",  # tests/db/test_money_promises.py
    "refund_voucher_order",  # tests/db/test_voucher_sales.py
    "withdraw_voucher_refund",  # tests/db/test_voucher_sales.py
    "take_over_payment_share",  # tests/db/test_payment_shares.py
    "set_voucher_sales",  # tests/db/test_voucher_sales.py
    "correct_payment",  # tests/db/test_money_ledger.py
    "open_cash_day",  # tests/db/test_money_cash.py
}
#: They take an idempotency key.
BY_KEY = {
    "add_booking_comment",
    "add_hint",
    "change_booking",
    "change_order",
    "create_booking",
    "create_order",
    "hold_booking",
    "hold_order",
    "issue_voucher",
    "join_waitlist",
    "move_bookings",
    "order_voucher",
    "record_payment",
    "record_refund",
    "refund_booking",
    "report_incident",
    "resend_booking_email",
    "resend_voucher_email",
    "reschedule_booking",
    "reschedule_order",
    "sign_waiver",
    "split_booking",
}
#: They read: their counters make them volatile, or that each statement sees what is new.
READS = {
    "changes_since",
    "get_availability",
    "get_availability_days",
    "get_booking",
    "get_booking_split",
    "get_calendar",
    "get_calendar_feed",
    "get_currencies",
    "get_game_result",
    "get_join_code",
    "get_leaderboard",
    "get_order",
    "get_payment_share",
    "get_party",
    "get_voucher_offer",
    "get_voucher_order",
    "get_waitlist_entry",
    "get_waiver",
    "get_waiver_kiosk",
    "my_booking_token",
    "preview_move_bookings",
    "quote_booking",
    "quote_order",
    "quote_order_change",
    "quote_reschedule",
    "validate_coupon",
}
#: The refusal of the second says that the first was carried out.
REFUSAL_SAYS_IT = {
    "accept_invitation": "409 invitation_used",
    "block_room": "409 slot_taken, with the block among the conflicts",
    "close_cash_day": "409 cash_day_closed",
    "create_coupon": "409 coupon_code_taken",
    "delete_booking_comment": "404 comment_not_found",
    "delete_role": "404 role_not_found",
    "erase_customer": "404 customer_not_found",
    "join_organization": "409 already_member",
    "lift_member_bar": "404 bar_not_found",
    "merge_customers": "404 customer_not_found",
    "platform_erase_organization": "404 organization_not_found",
    "platform_grant_plan": "grants it again",
    "remind_payment_share": "409 reminded_already",
    "platform_reactivate_organization": "sets the status again",
    "platform_suspend_organization": "sets the status again",
    "remove_member": "404 member_not_found",
}
#: A second one is a second one, which does no harm and can be taken back; lists show both.
MAKES_ANOTHER = {
    "auto_assign_game_masters",  # of what is still without
    "create_api_key",
    "create_calendar_feed",
    "create_organization",
    "create_role",
    "create_waiver_kiosk",
    "create_webhook_endpoint",
    "export_organization",
    "export_table",  # or the same, while it is made
    "invite_member",
    "platform_enter_organization",
    "publish_waiver",
    "replay_webhook_delivery",  # the same event, with its webhook-id
    "replay_webhook_period",
    "rotate_join_code",
    "rotate_webhook_secret",
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


class TestWhoLosesThePermissionByTheActItself:
    """Whose answer was lost asks again, and may not any more: they are answered all the same."""

    def test_and_closes_the_organization(self, house: House, shop: Shop) -> None:
        venue = shop.venue
        wish = {"organization_id": venue.id, "confirm_slug": venue.slug}
        admin = venue.hire("boss", "admin")
        closed = venue.owner.call("close_organization", **wish)
        assert venue.owner.call("close_organization", **wish) == closed
        assert closed["status"] == "closed"
        for other in (admin, house.sign_up("ana")):
            with refused(403, "permission_denied"):
                other.call("close_organization", **wish)
        with refused(403, "permission_denied"):
            venue.owner.call("close_organization", organization_id=venue.id, confirm_slug="x")

    def test_and_leaves(self, house: House, shop: Shop) -> None:
        member, stranger = shop.venue.hire("leaver", "manager"), house.sign_up("ana")
        for _ in range(2):
            member.call("leave_organization", organization_id=shop.id)
        with refused(404, "organization_not_found"):
            stranger.call("leave_organization", organization_id=shop.id)
        house.owner_sql(
            "update private.member_addresses set left_at = left_at - interval '31 d'"
            " where left_at is not null"
        )
        house.owner_sql("select private.sweep()")
        with refused(404, "organization_not_found"):
            member.call("leave_organization", organization_id=shop.id)

    def test_and_hands_the_ownership_on(self, house: House, shop: Shop) -> None:
        venue = shop.venue
        heir, other, admin = (venue.hire(name, "admin") for name in ("heir", "other", "boss"))
        wish = {"organization_id": venue.id, "user_id": heir.id}
        owner = venue.owner.call("transfer_ownership", **wish)
        assert owner["role"]["key"] == "owner"
        assert venue.owner.call("transfer_ownership", **wish) == owner
        # Not who never had it, nor another wish, nor once it is another's again.
        with refused(403, "permission_denied"):
            admin.call("transfer_ownership", **wish)
        with refused(403, "permission_denied"):
            venue.owner.call("transfer_ownership", **{**wish, "user_id": other.id})
        heir.call("transfer_ownership", organization_id=venue.id, user_id=other.id)
        with refused(403, "permission_denied"):
            venue.owner.call("transfer_ownership", **wish)
        # Handed back and on, it is handed on.
        other.call("transfer_ownership", organization_id=venue.id, user_id=venue.owner.id)
        assert venue.owner.call("transfer_ownership", **wish) == owner
        assert (
            house.one(
                "select count(*) from public.memberships as m join public.roles as r"
                " on r.organization_id = m.organization_id and r.id = m.role_id"
                " where m.organization_id = %s and r.key = 'owner' and r.is_system",
                venue.id,
            )
            == 1
        )

    def test_and_takes_the_right_to_it_from_their_own_role(self, shop: Shop) -> None:
        venue = shop.venue
        role = venue.make_role("Lead", ["roles:manage", "roles:read", "bookings:read"])
        member = venue.hire("lead", role)
        wish = {"organization_id": venue.id, "role_id": role, "permissions": ["bookings:read"]}
        less = member.call("set_role_permissions", **wish)
        assert member.call("set_role_permissions", **wish) == less
        for more in (["bookings:read", "roles:manage"], [], ["rooms:read"]):
            with refused(403, "permission_denied"):
                member.call("set_role_permissions", **{**wish, "permissions": more})
        with refused(403, "permission_denied"):
            venue.hire("boss", "manager").call("set_role_permissions", **wish)


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
