"""What the text of functions offers and no data takes: refusals that stay below, each with why.

A line that keeps nothing back any more fails `test_functions_page.py`.
"""

from __future__ import annotations

from matrix.reached_refusals import Exclusion

#: Rules of a status, which triggers of bookings hold: where the caller does not choose the status.
_STATUSES = (
    Exclusion(
        callee="private.refuse_unlisted_transition",
        only=("private.transition",),
        reason="All others write one status, and only over those from which a listed move leads"
        " there.",
    ),
    Exclusion(
        callee="private.transition",
        codes=("transition_not_allowed", "reason_missing", "undo_too_late"),
        only=("private.transition_booking",),
        reason="Others ask for one move, listed and not an undoing, after they looked at the"
        " booking's status under its lock.",
    ),
    Exclusion(
        callee="private.transition",
        codes=("too_early",),
        only=("private.transition_booking", "private.start_game"),
        reason="Others ask for moves that open at no hour, or end what has begun.",
    ),
    Exclusion(
        callee="private.refuse_without_waiver",
        only=("private.transition",),
        reason="It is for in_progress, and only the desk and the clock start a game.",
    ),
    Exclusion(
        callee="private.transition",
        codes=("waiver_missing",),
        only=("private.transition_booking", "private.start_game"),
        reason="It is for in_progress, and only the desk and the clock start a game.",
    ),
    Exclusion(
        callee="private.retake_options",
        only=("private.reclaim_booking", "private.undo_cancellation"),
        reason="Only expired and cancelled bookings have no seats, and only these two move them"
        " on: the transitions that are left lead from one status with seats to another.",
    ),
)

#: Rows that are there because the caller has them, or a row that refers to them.
_ROWS = (
    Exclusion(
        callee="private.unblock_room",
        callers=("private.lift_incident_block",),
        codes=("block_not_found",),
        reason="It has seen that the block stands; who lifts it meanwhile leaves sessions that are"
        " cancelled, which is what was wished.",
    ),
    Exclusion(
        callee="private.bound_rows",
        callers=("private.seed_message_rules",),
        codes=("too_many_rows",),
        reason="It makes a new organization's first three rules, of which forty are allowed.",
    ),
    Exclusion(
        callee="private.bound_rows",
        callers=("private.seed_notice_rules",),
        codes=("too_many_rows",),
        reason="It makes a new organization's first three rules, of which twenty are allowed.",
    ),
    Exclusion(
        callee="private.changes_between",
        callers=("private.merge_bookings",),
        codes=("extras_invalid",),
        reason="It compares two bookings as they are stored, and reads no client's list of extras.",
    ),
    Exclusion(
        callee="private.locked_booking",
        callers=("private.own_comment",),
        codes=("booking_not_found",),
        reason="It has read the comment, which hangs on a booking, and bookings are never deleted.",
    ),
    Exclusion(
        callee="private.locked_booking",
        callers=("private.unsubscribe",),
        codes=("booking_not_found",),
        reason="The token is found by the booking's row, and bookings are never deleted.",
    ),
    Exclusion(
        callee="private.record_consents",
        callers=("private.unsubscribe",),
        codes=("consents_invalid",),
        reason="It writes one kind, which is known.",
    ),
    Exclusion(
        callee="private.locked_booking",
        callers=(
            "private.transition",
            "private.request_refund",
            "private.settle_booking",
            "private.receive_payment",
            "private.receive_share_payment",
            "private.open_share_checkout",
            "private.end_waiting",
            "private.correct_payment",
            "private.locked_refund_request",
            "private.lock_payments_of_intent",
            "private.locked_payment",
            "private.sign_waiver",
        ),
        codes=("booking_not_found",),
        reason="They come with a booking that was read, or with a row that refers to it, and no"
        " booking is deleted while its organization is there.",
    ),
    Exclusion(
        callee="private.apply_change",
        callers=("private.change_booking",),
        codes=("terms_changed",),
        reason="Staff say with new_terms which count, and send none that they showed.",
    ),
    Exclusion(
        callee="private.locked_for_change",
        callers=("private.lock_attempt", "private.reclaim_booking"),
        codes=("booking_not_found",),
        reason="A payment attempt refers to its booking; reclaim_booking is given a locked one.",
    ),
    Exclusion(
        callee="private.locked_for_change",
        callers=("private.reclaim_booking",),
        codes=("booking_changed",),
        reason="settle_booking, its one caller, has the booking's lock: nobody moves it meanwhile.",
    ),
    Exclusion(
        callee="private.require_grantable",
        callers=("private.require_role_within_reach",),
        codes=("permission_unknown",),
        reason="What a role holds refers to the catalogue of permissions.",
    ),
    Exclusion(
        callee="private.require_role_within_reach",
        callers=("private.require_member_within_reach", "private.set_join_code"),
        codes=("role_not_found",),
        reason="A membership refers to its role; the join code's role is one of the system's, which"
        " cannot be deleted.",
    ),
)

#: What happens to people's rows.
_PEOPLE = (
    Exclusion(
        callee="private.normalise_customer",
        callers=("private.customer_with_email",),
        codes=("customer_erased",),
        reason="It refuses updates, and this only inserts: an erased customer's address is free.",
    ),
    Exclusion(
        callee="private.normalise_customer",
        callers=("private.hear_customer",),
        codes=("customer_erased",),
        reason="Erasing gives a customer and its bookings' contacts one name and no phone, and what"
        " is the same is not written.",
    ),
    Exclusion(
        callee="private.normalise_customer",
        callers=("private.keep_newest_phone",),
        codes=("customer_erased",),
        reason="It writes no row of a customer who is erased.",
    ),
    Exclusion(
        callee="private.follow_customer_email",
        callers=("private.erase_customer",),
        reason="The trigger is not for a customer that is erased.",
    ),
    Exclusion(
        callee="private.keep_in_a_visit",
        callers=("private.erase_customer",),
        reason="The trigger is not for a customer that is erased.",
    ),
    Exclusion(
        callee="private.keep_in_a_visit",
        callers=("private.seed_message_rules",),
        reason="The trigger is for rules with a review_url, and the first ones have none.",
    ),
    Exclusion(
        callee="private.record_consents",
        callers=("private.withdraw_consent",),
        codes=("consents_invalid",),
        reason="It writes the consent itself, of a kind that it checked, and none that is granted.",
    ),
    Exclusion(
        callee="private.keep_an_owner",
        only=(
            "private.leave_organization",
            "private.remove_member",
            "private.set_member_role",
            "private.set_member_status",
        ),
        reason="Others touch no owner's membership (a visit that ended or that begins, a role of"
        " the organization's own), or make another owner first (transfer_ownership).",
    ),
    Exclusion(
        callee="private.set_member_status",
        callers=("public.reactivate_member",),
        codes=("last_owner",),
        reason="It makes a membership active, so it takes no owner away.",
    ),
    Exclusion(
        callee="private.set_member_status",
        callers=("private.suspend_member",),
        codes=("member_barred",),
        reason="The trigger is only for a membership that becomes active.",
    ),
    Exclusion(
        callee="private.refuse_barred_member",
        callers=("private.create_organization",),
        reason="Nobody is barred yet where an organization begins.",
    ),
    Exclusion(
        callee="private.set_join_code",
        callers=("public.disable_join_code",),
        codes=("permission_not_held",),
        reason="Turning the code off grants no role, so none is asked for.",
    ),
)

#: Refused of a coupon that a booking does not have yet.
_OF_ANOTHER_COUPON = (
    "coupon_not_found",
    "coupon_not_active",
    "coupon_not_valid_yet",
    "coupon_expired",
    "coupon_max_*",
)

#: What a price is made from.
_PRICES = (
    Exclusion(
        callee="private.receive_payment",
        callers=("private.pay_with_voucher", "private.record_payment"),
        codes=("currency_mismatch",),
        reason="They pay in the currency of the booking itself.",
    ),
    Exclusion(
        callee="private.tried_quote",
        callers=("private.hold_booking",),
        codes=("price_invalid",),
        reason="Visitors have no way to set a price.",
    ),
    Exclusion(
        callee="private.offered_quote",
        callers=("private.quote_booking",),
        codes=("price_invalid",),
        reason="Visitors have no way to set a price.",
    ),
    Exclusion(
        callee="private.offered_quote",
        callers=("private.quote_booking",),
        codes=("coupon_max_uses_per_customer",),
        reason="Who asks for a price is no customer yet.",
    ),
    Exclusion(
        callee="private.quote",
        callers=("private.validate_coupon",),
        codes=(
            "price_invalid",
            "exclusive_not_offered",
            "extra*",
            "voucher_*",
            "coupon_max_uses_per_customer",
        ),
        reason="It asks with a coupon alone, and for nobody.",
    ),
    Exclusion(
        callee="private.refuse_used_coupon",
        callers=("private.validate_coupon",),
        codes=("coupon_max_uses_per_customer",),
        reason="It asks for nobody.",
    ),
    Exclusion(
        callee="private.quote",
        callers=("private.plan_change",),
        codes=("voucher_*",),
        reason="A change redeems no voucher again: private.changed_request leaves it out.",
    ),
    Exclusion(
        callee="private.take_options",
        callers=("private.apply_change",),
        codes=("voucher_*",),
        reason="A change redeems no voucher again: private.changed_request leaves it out.",
    ),
    Exclusion(
        callee="private.quoted_change",
        callers=("private.quote_change",),
        codes=("notice_too_short", "slot_not_offered"),
        reason="Staff choose any time: private.staff_slot.",
    ),
    Exclusion(
        callee="private.apply_change",
        callers=("private.change_booking",),
        codes=("notice_too_short", "slot_not_offered"),
        reason="Staff choose any time: private.staff_slot.",
    ),
    Exclusion(
        callee="private.quoted_change",
        callers=("private.quote_reschedule",),
        codes=("price_invalid", "start_invalid"),
        reason="Customers set no price, and a kept one was valid; a kept start is there.",
    ),
    Exclusion(
        callee="private.apply_change",
        callers=("private.reschedule_booking",),
        codes=("price_invalid", "start_invalid"),
        reason="Customers set no price, and a kept one was valid; a kept start is there.",
    ),
    Exclusion(
        callee="private.quoted_change",
        callers=("private.quote_reschedule",),
        codes=_OF_ANOTHER_COUPON,
        reason="Customers take no other coupon, and one that a booking has it keeps.",
    ),
    Exclusion(
        callee="private.apply_change",
        callers=("private.reschedule_booking",),
        codes=_OF_ANOTHER_COUPON,
        reason="Customers take no other coupon, and one that a booking has it keeps.",
    ),
    Exclusion(
        callee="private.offered_quote",
        callers=("private.quoted_order",),
        codes=("price_invalid", "coupon_*", "voucher_*"),
        reason="Visitors have no way to set a price, and an order takes no codes.",
    ),
    Exclusion(
        callee="private.quote",
        callers=("private.hold_order",),
        codes=("price_invalid", "coupon_*", "voucher_*"),
        reason="Visitors have no way to set a price, and an order takes no codes.",
    ),
    Exclusion(
        callee="private.quote",
        callers=("private.create_order",),
        codes=("coupon_*", "voucher_*"),
        reason="An order takes no codes.",
    ),
    Exclusion(
        callee="private.make_booking",
        callers=("private.make_order",),
        codes=("coupon_*", "voucher_*"),
        reason="An order takes no codes.",
    ),
    Exclusion(
        callee="private.quoted_change",
        callers=("private.quoted_order_change",),
        codes=("price_invalid", *_OF_ANOTHER_COUPON),
        reason="A move of an order sets no price and takes no coupon; what a booking has it keeps.",
    ),
    Exclusion(
        callee="private.apply_change",
        callers=("private.move_order",),
        codes=("price_invalid", *_OF_ANOTHER_COUPON),
        reason="A move of an order sets no price and takes no coupon; what a booking has it keeps.",
    ),
    Exclusion(
        callee="private.transition_booking",
        callers=("private.transition_order",),
        codes=("booking_merged",),
        reason="Bookings of an order are not merged.",
    ),
    Exclusion(
        callee="private.move_order",
        callers=("private.change_order",),
        codes=("notice_too_short", "slot_not_offered", "terms_changed"),
        reason="Staff choose any time, and agree to no terms.",
    ),
    Exclusion(
        callee="private.booking_to_pay",
        callers=("private.open_checkout",),
        codes=("rate_limited",),
        reason="private.count_attempt does not count the service.",
    ),
)

#: Reports of a month, which the worker reads for a member: of whole months, after a look at whoever
#: asked. What is too much to be computed at once is left out.
_MONTHS = tuple(
    Exclusion(
        callee=f"private.{report}",
        callers=(f"private.{caller}",),
        codes=codes,
        reason="The dates are a whole month's, and whoever asked has just been looked at.",
    )
    for codes in (
        ("period_invalid", "date_range_*", "granularity_invalid", "permission_denied"),
        ("organization_suspended", "subscription_overdue", "too_many_slots"),
    )
    for report, caller in (
        ("get_revenue_report", "month_figures"),
        ("get_bookings_report", "month_figures"),
        ("get_games_report", "month_figures"),
        ("get_occupancy_report", "month_occupancy"),
    )
)

#: The limits of a plan: where nobody is added.
_PLANS = (
    Exclusion(
        callee="private.keep_members_to_plan",
        callers=("private.create_organization",),
        reason="Whoever opens an organization is its first member, and every plan has one.",
    ),
    Exclusion(
        callee="private.keep_members_to_plan",
        callers=("private.platform_enter_organization",),
        reason="A visitor of the platform is no member.",
    ),
    Exclusion(
        callee="private.set_member_status",
        callers=("private.suspend_member",),
        codes=("plan_limit_reached",),
        reason="A suspended member counts no more.",
    ),
)

EXCLUSIONS = _MONTHS + _PLANS + _STATUSES + _ROWS + _PEOPLE + _PRICES
