"""Refunds that meet what the provider did, and promises that nobody can keep."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Refused
from db.money_world import (
    TOTAL,
    Booking,
    Database,
    Venue,
    make_venue,
    member,
    paid,
    refund_of,
    session_of,
)

BY_HAND = 2_500


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    return make_venue(money)


def cancelled(venue: Venue) -> tuple[Booking, Any]:
    """A paid booking that was cancelled, and the request that its refund job carries out."""
    booking = venue.hold()
    venue.pay(booking)
    venue.cancel(booking)
    return booking, request_of(venue, booking)


def request_of(venue: Venue, booking: Booking) -> Any:
    (job,) = venue.jobs("stripe.refund", booking)
    return venue.refund_request(job["payload"]["refund_request_id"])


def by_hand(request: Any, cents: int = BY_HAND) -> Any:
    """A refund that somebody made on the provider's dashboard."""
    return refund_of(
        request, id=f"re_hand_{uuid.uuid4().hex}", amount=cents, refund_request_id=None
    )


def give_up(venue: Venue, request: Any, error: str = "charge_disputed: HTTP 400") -> None:
    """Let its job die."""
    venue.database.run(
        "update private.jobs set status = 'dead', finished_at = now(), last_error = %s"
        " where kind = 'stripe.refund' and payload ->> 'refund_request_id' = %s",
        error,
        request["refund_request_id"],
    )


def pending(venue: Venue, booking: Booking) -> list[dict[str, Any]]:
    listed = venue.owner.call("get_pending_refunds", organization_id=venue.organization_id)
    return [one for one in listed if one["booking_id"] == booking.id]


def settle(venue: Venue, request: Any, **values: object) -> Any:
    return venue.owner.call(
        "record_refund",
        organization_id=venue.organization_id,
        refund_request_id=request["refund_request_id"],
        idempotency_key=str(uuid.uuid4()),
        **values,
    )


def withdraw(venue: Venue, request: Any, reason: str | None = "They gave it to charity") -> Any:
    return venue.owner.call(
        "withdraw_refund",
        organization_id=venue.organization_id,
        refund_request_id=request["refund_request_id"],
        reason=reason,
    )


class TestDashboard:
    def test_what_was_refunded_there_is_taken_in_and_the_rest_paid_here(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        assert request["amount_cents"] == TOTAL
        venue.apply_refund(by_hand(request))
        rest = request_of(venue, booking)
        assert (rest["status"], rest["amount_cents"]) == ("pending", TOTAL - BY_HAND)
        venue.apply_refund(refund_of(rest))
        assert venue.balance(booking) == (TOTAL, TOTAL)
        assert pending(venue, booking) == []

    def test_nothing_is_left_to_do_after_all_of_it_was_refunded_there(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        venue.apply_refund(by_hand(request, TOTAL))
        assert request_of(venue, booking)["status"] == "withdrawn"
        assert venue.run_refunds(booking) == 0
        assert venue.balance(booking) == (TOTAL, TOTAL)
        assert pending(venue, booking) == []

    def test_a_part_there_and_a_part_here_that_fit_are_both_paid(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.pay(booking)
        venue.owner.call(
            "refund_booking",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            amount_cents=1_000,
            reason="x",
            idempotency_key=str(uuid.uuid4()),
        )
        request = request_of(venue, booking)
        venue.apply_refund(by_hand(request))
        assert request_of(venue, booking)["amount_cents"] == 1_000

    def test_one_there_that_failed_takes_nothing_away(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        venue.apply_refund({**by_hand(request), "status": "failed"})
        assert request_of(venue, booking)["amount_cents"] == TOTAL

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    def test_in_any_order_of_news_all_of_the_money_and_no_more_goes_back(
        self, venue: Venue, order: tuple[int, ...]
    ) -> None:
        booking, request = cancelled(venue)
        there = by_hand(request)
        news = [there, {**there, "status": "pending"}, there]
        for place in order:
            venue.apply_refund(news[place])
        venue.run_refunds(booking)
        assert venue.balance(booking) == (TOTAL, TOTAL)


class TestStuck:
    def test_staff_see_it_with_the_provider_s_word(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        (waits,) = pending(venue, booking)
        assert (waits["stuck"], waits["problem"], waits["by_hand"]) == (False, None, False)
        give_up(venue, request)
        (waits,) = pending(venue, booking)
        assert (waits["stuck"], waits["problem"]) == (True, "charge_disputed")

    def test_it_can_be_settled_by_another_way(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        with pytest.raises(Refused, match="refund_not_pending"):
            settle(venue, request, method="transfer")
        give_up(venue, request)
        with pytest.raises(Refused, match="method_invalid"):
            settle(venue, request)
        assert settle(venue, request, method="transfer")["method"] == "transfer"
        assert venue.balance(booking) == (TOTAL, TOTAL)
        assert pending(venue, booking) == []
        assert request_of(venue, booking)["status"] == "succeeded"

    def test_one_that_the_provider_made_all_the_same_is_in_the_ledger_too(
        self, venue: Venue
    ) -> None:
        booking, request = cancelled(venue)
        give_up(venue, request)
        settle(venue, request, method="cash")
        venue.apply_refund(refund_of(request))
        assert venue.balance(booking) == (TOTAL, 2 * TOTAL)

    def test_it_can_be_withdrawn_and_promised_anew(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        give_up(venue, request)
        ended = withdraw(venue, request)
        assert (ended["status"], ended["refundable_cents"]) == ("withdrawn", TOTAL)
        assert withdraw(venue, request, "again") == ended
        assert pending(venue, booking) == []
        assert venue.see(booking)["open_cents"] == 0
        venue.owner.call(
            "refund_booking",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            amount_cents=TOTAL,
            reason="The dispute is over",
            idempotency_key=str(uuid.uuid4()),
        )
        assert [one["stuck"] for one in pending(venue, booking)] == [False]

    def test_a_withdrawn_one_that_the_provider_made_counts(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        give_up(venue, request)
        withdraw(venue, request)
        venue.apply_refund(refund_of(request))
        assert venue.balance(booking) == (TOTAL, TOTAL)

    def test_what_is_on_its_way_cannot_be_withdrawn(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        with pytest.raises(Refused, match="refund_not_pending"):
            withdraw(venue, request)
        venue.apply_refund(refund_of(request, "pending"))
        give_up(venue, request)
        assert [one["stuck"] for one in pending(venue, booking)] == [False]
        with pytest.raises(Refused, match="refund_not_pending"):
            withdraw(venue, request)

    def test_one_that_the_bank_sent_back_is_shown_until_somebody_saw_it(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        for status in ("succeeded", "failed"):
            venue.apply_refund(refund_of(request, status))
        (shown,) = pending(venue, booking)
        assert (shown["status"], shown["stuck"]) == ("failed", False)
        assert withdraw(venue, request)["status"] == "failed"
        assert pending(venue, booking) == []
        # It stays the tombstone that it is.
        venue.apply_refund(refund_of(request))
        assert venue.balance(booking) == (TOTAL, 0)

    @pytest.mark.parametrize("reason", [None, "", " ", "x" * 501])
    def test_a_reason_is_given(self, venue: Venue, reason: str | None) -> None:
        _, request = cancelled(venue)
        with pytest.raises(Refused, match="reason_invalid"):
            withdraw(venue, request, reason)

    def test_only_who_refunds_may(self, venue: Venue) -> None:
        booking, request = cancelled(venue)
        give_up(venue, request)
        for role in ("receptionist", "game_master"):
            with pytest.raises(Refused, match="permission_denied"):
                member(venue, role).call(
                    "withdraw_refund",
                    organization_id=venue.organization_id,
                    refund_request_id=request["refund_request_id"],
                    reason="x",
                )
        assert pending(venue, booking)

    def test_another_venue_s_is_not_found(self, venue: Venue) -> None:
        _, request = cancelled(venue)
        give_up(venue, request)
        other = make_venue(venue.database)
        for wanted in (request["refund_request_id"], str(uuid.uuid4()), None):
            with pytest.raises(Refused, match="refund_request_not_found"):
                withdraw(other, {"refund_request_id": wanted})


class TestDelayed:
    """A session that is complete and not paid: the bank takes days."""

    def debited(self, venue: Venue, status: str = "processing") -> tuple[Booking, Any]:
        booking = venue.hold()
        opened = venue.checkout(booking)
        venue.apply(
            session_of(opened, "complete", payment_intent="pi_x", payment_intent_status=status)
        )
        return booking, opened

    def left(self, venue: Venue, booking: Booking) -> timedelta:
        until = datetime.fromisoformat(venue.see(booking)["hold_expires_at"])
        left: timedelta = until - venue.database.one("select now()")
        return left

    def test_its_place_is_kept_while_the_provider_says_that_it_is_under_way(
        self, venue: Venue
    ) -> None:
        booking, opened = self.debited(venue)
        assert self.left(venue, booking) > timedelta(minutes=59)
        # The hold would have lapsed by now; each look keeps it.
        venue.database.run(
            "update public.bookings set hold_expires_at = now() + interval '1 min' where id = %s",
            booking.id,
        )
        venue.apply(session_of(opened, "complete", payment_intent_status="processing"))
        assert self.left(venue, booking) > timedelta(minutes=59)
        assert venue.rival(booking) is None
        venue.apply(paid(opened))
        assert venue.status(booking) == "confirmed"

    @pytest.mark.parametrize("status", ["requires_payment_method", "canceled"])
    def test_one_that_the_bank_refused_can_be_tried_again(self, venue: Venue, status: str) -> None:
        booking, opened = self.debited(venue)
        venue.apply(session_of(opened, "complete", payment_intent_status=status))
        again = venue.checkout(booking)
        assert again["attempt_id"] != opened["attempt_id"]
        venue.apply(paid(again))
        assert venue.status(booking) == "confirmed"

    def test_a_lapsed_hold_is_not_taken_again_by_it(self, venue: Venue) -> None:
        booking = venue.hold()
        opened = venue.checkout(booking)
        venue.let_lapse(booking)
        venue.apply(session_of(opened, "complete", payment_intent_status="processing"))
        assert venue.see(booking)["status"] == "expired"
        assert venue.rival(booking) is not None

    def test_a_place_is_never_kept_past_the_start(self, venue: Venue) -> None:
        booking = venue.hold()
        opened = venue.checkout(booking)
        venue.database.run(
            "update public.sessions set starts_at = now() + interval '40 min',"
            " ends_at = now() + interval '100 min', occupied_until = now() + interval '100 min'"
            " where id = (select session_id from public.bookings where id = %s)",
            booking.id,
        )
        venue.apply(session_of(opened, "complete", payment_intent_status="processing"))
        assert self.left(venue, booking) < timedelta(minutes=41)

    def test_the_venue_decides_whether_such_methods_are_offered(self, venue: Venue) -> None:
        def offered() -> bool:
            booking = venue.hold()
            opened = venue.service.call(
                "service.open_checkout", reference=booking.reference, manage_token=booking.token
            )
            return bool(opened["delayed_methods"])

        assert not offered()
        venue.owner.change("update public.organizations set delayed_methods = true")
        assert offered()
        venue.owner.change("update public.organizations set delayed_methods = false")


class TestDisputes:
    def dispute(self, session: Any, **changes: object) -> Any:
        return {
            "id": f"du_{session['payment_intent']}",
            "status": "needs_response",
            "reason": "fraudulent",
            "amount": TOTAL,
            "currency": "EUR",
            "payment_intent": session["payment_intent"],
            "respond_by": "2030-01-08T00:00:00+00:00",
            "as_of": "2030-01-01T00:00:00+00:00",
            **changes,
        }

    def shown(self, venue: Venue, session: Any) -> list[tuple[str, str]]:
        return [
            (row["status"], row["reason"])
            for row in venue.owner.select(
                "select * from public.disputes where provider_dispute_id = %s",
                f"du_{session['payment_intent']}",
            )
        ]

    def test_it_is_recorded_once_with_its_newest_state(self, venue: Venue) -> None:
        booking = venue.hold()
        session = venue.pay(booking)
        newer = self.dispute(session, status="lost", as_of="2030-02-01T00:00:00+00:00")
        for news in (self.dispute(session), newer, self.dispute(session), newer):
            venue.apply_dispute(news)
        assert self.shown(venue, session) == [("lost", "fraudulent")]
        assert venue.balance(booking) == (TOTAL, 0)

    def test_of_a_payment_that_is_not_ours_nothing_is_kept(self, venue: Venue) -> None:
        """Told soon, it may have overtaken its payment: it is asked for again, eight times."""
        session = {"payment_intent": "pi_elsewhere"}
        dispute = self.dispute(session)
        with pytest.raises(Refused) as refused:
            venue.apply_dispute(dispute)
        assert (refused.value.status, refused.value.code) == (503, "payment_unknown")
        with venue.syncs("dispute", dispute["id"]) as lease:
            venue.database.run(
                "update private.jobs set attempts = 9 where id = %s", lease["job_id"]
            )
            answer = venue.service.call("service.apply_dispute", **lease, dispute=dispute)
        assert answer == {
            "dispute_id": None,
            "organization_id": None,
            "booking_id": None,
            "status": "unknown",
        }
        assert self.shown(venue, session) == []

    def test_an_event_about_one_makes_somebody_look(self, venue: Venue) -> None:
        event = {
            "id": f"evt_{uuid.uuid4().hex}",
            "type": "charge.dispute.created",
            "created": 1_771_093_000,
            "data": {"object": {"object": "dispute", "id": "du_look"}},
        }
        venue.service.call("service.receive_stripe_event", event=event)
        assert venue.database.one(
            "select payload ->> 'object_type' from private.jobs"
            " where kind = 'stripe.sync' and payload ->> 'object_id' = 'du_look'"
        ) == ("dispute")

    def test_the_owner_is_told_once_of_a_new_one(self, venue: Venue) -> None:
        session = venue.pay(venue.hold())
        for news in (self.dispute(session), self.dispute(session, status="under_review")):
            venue.apply_dispute(news)
        told = [
            job
            for job in venue.jobs("email.send")
            if job["payload"]["template"] == "dispute_opened"
            and job["payload"]["dispute_id"]
            == venue.database.one(
                "select id::text from public.disputes where provider_dispute_id = %s",
                f"du_{session['payment_intent']}",
            )
        ]
        assert [job["payload"]["user_id"] for job in told] == [venue.owner.id]
        said = venue.database.one(
            "select private.dispute_content(%s, %s)",
            venue.organization_id,
            Jsonb(told[0]["payload"]),
        )
        assert said["to"]["email"]
        assert (said["data"]["amount_cents"], said["data"]["reason"]) == (TOTAL, "fraudulent")

    def test_who_sees_payments_sees_it(self, venue: Venue) -> None:
        session = venue.pay(venue.hold())
        venue.apply_dispute(self.dispute(session))
        count = "select count(*) from public.disputes where provider_dispute_id = %s"
        wanted = f"du_{session['payment_intent']}"
        for role, seen in (("receptionist", 1), ("game_master", 0)):
            assert member(venue, role).select(count, wanted)[0]["count"] == seen

    # -- refunds of what is disputed ---------------------------------------------------------------

    def mail(self, venue: Venue, booking: Booking, template: str) -> Any:
        """What the one such mail is about."""
        [found] = [
            job["payload"]
            for job in venue.jobs("email.send")
            if job["payload"].get("booking_id") == booking.id
            and job["payload"]["template"] == template
        ]
        return found

    def told(self, venue: Venue, booking: Booking) -> dict[str, Any]:
        """What the mail about the cancellation says by now."""
        mail = self.mail(venue, booking, "booking_cancelled")
        content = venue.database.one(
            "select private.announcement_content(%s, %s)", venue.organization_id, Jsonb(mail)
        )
        return dict(content["data"])

    def queued(self, venue: Venue, booking: Booking) -> int:
        return len([j for j in venue.jobs("stripe.refund", booking) if j["status"] == "queued"])

    def test_a_refund_of_it_waits_and_nobody_promises_it(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.apply_dispute(self.dispute(venue.pay(booking)))
        given = {
            "refund_percent": 100,
            "refund_cents": TOTAL,
            "disputed_cents": TOTAL,
            "lost_cents": 0,
        }
        assert venue.see(booking)["cancellation"] == given
        venue.cancel(booking)
        assert self.queued(venue, booking) == 0
        [waits] = pending(venue, booking)
        assert (waits["disputed"], waits["stuck"], waits["by_hand"]) == (True, False, False)
        with pytest.raises(Refused, match="refund_not_pending"):
            settle(venue, waits, method="cash")
        said = self.told(venue, booking)
        assert said["refund_cents"] == 0
        assert [(way["disputed"], way["amount_cents"]) for way in said["refunds"]] == [
            (True, TOTAL)
        ]
        # Staff can end it, and promise it anew.
        assert withdraw(venue, waits)["refundable_cents"] == TOTAL
        again = self.give_back(venue, booking)
        assert [one["disputed"] for one in again["refunds"]] == [True]

    def test_a_cheaper_time_promises_nothing_of_it(self, money: Database) -> None:
        venue = make_venue(money)
        venue.owner.change("update public.rooms set deposit_kind = 'percent', deposit_value = 50")
        booking = venue.hold()
        venue.apply_dispute(self.dispute(venue.pay(booking), amount=TOTAL // 2))
        venue.owner.call(
            "record_payment",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            method="cash",
            amount_cents=TOTAL // 2,
            idempotency_key=str(uuid.uuid4()),
        )
        # What was paid in cash goes back before what the bank withholds.
        cheaper = TOTAL // 2 - 500
        staff = venue.owner.call(
            "quote_change",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            price_cents=cheaper,
            override_reason="A quiet day",
        )
        assert (staff["refund_cents"], staff["disputed_cents"]) == (TOTAL // 2, 500)
        venue.owner.change("update public.rooms set price_cents = %s", cheaper // 2)
        key = {"reference": booking.reference, "manage_token": booking.token}
        quoted = venue.public.call("quote_reschedule", **key, starts_at=venue.slot())
        assert (quoted["refund_cents"], quoted["disputed_cents"]) == (TOTAL // 2, 500)
        venue.public.call(
            "reschedule_booking",
            **key,
            starts_at=quoted["starts_at"],
            expected_total_cents=quoted["total_cents"],
            idempotency_key=str(uuid.uuid4()),
        )
        assert {
            (one["method"], one["amount_cents"], one["disputed"]) for one in pending(venue, booking)
        } == {
            ("cash", quoted["refund_cents"], False),
            ("stripe", quoted["disputed_cents"], True),
        }

    def test_what_the_bank_gave_back_is_said_before_a_cancellation(self, venue: Venue) -> None:
        booking = venue.hold()
        session = venue.pay(booking)
        venue.apply_dispute(self.dispute(session))
        venue.apply_dispute(self.dispute(session, status="lost"))
        cancellation = venue.see(booking)["cancellation"]
        assert (cancellation["refund_cents"], cancellation["lost_cents"]) == (0, TOTAL)

    def give_back(self, venue: Venue, booking: Booking, cents: int = TOTAL) -> Any:
        return venue.owner.call(
            "refund_booking",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            amount_cents=cents,
            reason="x",
            idempotency_key=str(uuid.uuid4()),
        )

    def test_staff_s_promise_of_it_is_mailed_only_once_it_goes_back(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.apply_dispute(self.dispute(venue.pay(booking)))
        self.give_back(venue, booking)
        mail = self.mail(venue, booking, "refund_promised")
        content = "select private.refund_promised_content(%s, %s)"
        assert venue.database.one(content, venue.organization_id, Jsonb(mail)) is None

    def test_an_inquiry_keeps_no_refund_back(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.apply_dispute(self.dispute(venue.pay(booking), status="warning_needs_response"))
        venue.cancel(booking)
        assert venue.run_refunds(booking) == 1
        assert venue.balance(booking) == (TOTAL, TOTAL)

    @pytest.mark.parametrize("end", ["won", "lost"])
    @pytest.mark.parametrize("order", list(permutations(["opened", "end", "cancelled", "refused"])))
    def test_whichever_way_it_ends_the_money_goes_back_once_in_any_order_of_news(
        self, venue: Venue, order: tuple[str, ...], end: str
    ) -> None:
        """Refused: a job that asked before the dispute was heard of was given up."""
        booking = venue.hold()
        session = venue.pay(booking)
        ended = self.dispute(session, status=end, as_of="2030-02-01T00:00:00+00:00")
        for what in order:
            match what:
                case "opened":
                    venue.apply_dispute(self.dispute(session))
                case "end":
                    venue.apply_dispute(ended)
                case "cancelled":
                    venue.cancel(booking)
                case _:
                    venue.database.run(
                        "update private.jobs set status = 'dead', finished_at = now(),"
                        " last_error = 'charge_disputed: HTTP 400' where kind = 'stripe.refund'"
                        " and status = 'queued' and organization_id = %s",
                        venue.organization_id,
                    )
        # Every event is looked at in the end.
        venue.apply_dispute(ended)
        if end == "won":
            assert self.queued(venue, booking) == 1
            venue.run_refunds(booking)
            assert venue.balance(booking) == (TOTAL, TOTAL)
        else:
            assert [
                r["status"] for r in venue.refund_requests(booking) if r["status"] == "pending"
            ] == []
            assert venue.run_refunds(booking) == 0
            assert venue.balance(booking) == (TOTAL, 0)
            with pytest.raises(Refused, match="amount_too_high") as refused:
                self.give_back(venue, booking, 1)
            assert refused.value.details == {"refundable_cents": 0}
            assert self.told(venue, booking)["lost_cents"] == TOTAL
        assert pending(venue, booking) == []

    def test_of_a_part_that_was_lost_only_the_rest_goes_back(self, venue: Venue) -> None:
        booking = venue.hold()
        session = venue.pay(booking)
        venue.apply_dispute(self.dispute(session, amount=BY_HAND))
        venue.cancel(booking)
        lost = self.dispute(
            session, amount=BY_HAND, status="lost", as_of="2030-02-01T00:00:00+00:00"
        )
        venue.apply_dispute(lost)
        venue.run_refunds(booking)
        assert venue.balance(booking) == (TOTAL, TOTAL - BY_HAND)

    def test_a_cancellation_that_is_taken_back_takes_what_waits_with_it(self, venue: Venue) -> None:
        booking = venue.hold()
        session = venue.pay(booking)
        venue.apply_dispute(self.dispute(session))
        venue.cancel(booking)
        venue.owner.call(
            "transition_booking",
            organization_id=venue.organization_id,
            booking_id=booking.id,
            to_status="confirmed",
            reason="They come after all",
        )
        assert pending(venue, booking) == []
        venue.apply_dispute(self.dispute(session, status="won", as_of="2030-02-01T00:00:00+00:00"))
        assert self.queued(venue, booking) == 0

    def test_the_job_is_told_and_asks_under_another_key(self, venue: Venue) -> None:
        booking = venue.hold()
        session = venue.pay(booking)
        venue.cancel(booking)
        seen = request_of(venue, booking)
        assert (seen["disputed"], seen["disputes"]) == (False, 0)
        venue.apply_dispute(self.dispute(session))
        seen = request_of(venue, booking)
        assert (seen["disputed"], seen["disputes"]) == (True, 1)
