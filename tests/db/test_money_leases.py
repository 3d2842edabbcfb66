"""Money moves only under the lease of the job that is about it, whoever has the service's key."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import pytest

from client import Refused
from db.money_world import Booking, Database, Venue, make_venue, paid, refund_of

Lease = dict[str, Any]
#: The token of no job.
FORGED = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def ledger(venue: Venue) -> list[Any]:
    """Everything that says something about the venue's money, as it is stored."""
    return [
        venue.database.all(
            f"select to_jsonb(t)::text as row from {table} as t where organization_id = %s"
            " order by 1",
            venue.organization_id,
        )
        for table in (
            "public.bookings",
            "public.payments",
            "public.refunds",
            "public.disputes",
            "private.payment_attempts",
            "private.refund_requests",
        )
    ]


def refused(venue: Venue, function: str, lease: Lease, code: str, **what: object) -> None:
    before = ledger(venue)
    with pytest.raises(Refused) as refusal:
        venue.service.call(f"service.{function}", **lease, **what)
    assert (refusal.value.status, refusal.value.code) == (409, code)
    assert ledger(venue) == before


def queued(venue: Venue, object_type: str, object_id: str) -> Lease:
    """The job of an event of the provider, which nobody has claimed."""
    venue.service.call(
        "service.receive_stripe_event",
        event={
            "id": f"evt_{uuid.uuid4().hex}",
            "type": "something.happened",
            "data": {"object": {"object": object_type, "id": object_id}},
        },
    )
    return {
        "job_id": venue.database.one(
            "select max(id) from private.jobs where payload ->> 'object_id' = %s", object_id
        ),
        "lease_token": FORGED,
    }


def dispute_of(session: Any) -> dict[str, Any]:
    return {
        "id": f"du_{uuid.uuid4().hex}",
        "status": "needs_response",
        "reason": "fraudulent",
        "amount": 1,
        "currency": "eur",
        "payment_intent": session["payment_intent"],
        "as_of": "2030-01-01T00:00:00+00:00",
    }


def cancelled(venue: Venue) -> tuple[Booking, Any]:
    booking = venue.hold()
    venue.pay(booking)
    venue.cancel(booking)
    [job] = venue.jobs("stripe.refund", booking)
    return booking, venue.refund_request(job["payload"]["refund_request_id"])


def test_a_session_that_no_leased_job_brings_changes_nothing(venue: Venue) -> None:
    session = paid(venue.checkout(venue.hold()))
    waits = queued(venue, "checkout.session", session["id"])
    for lease in (waits, {**waits, "job_id": 0}, {**waits, "lease_token": None}):
        refused(venue, "apply_checkout_session", lease, "lease_lost", session=session)
    with venue.syncs("checkout.session", session["id"]) as lease:
        over = dict(lease)
    refused(venue, "apply_checkout_session", over, "lease_lost", session=session)


def test_a_refund_that_no_leased_job_brings_changes_nothing(venue: Venue) -> None:
    booking, request = cancelled(venue)
    [job] = venue.jobs("stripe.refund", booking)
    refund = refund_of(request)
    for lease in (
        {"job_id": job["id"], "lease_token": FORGED},
        {"job_id": job["id"], "lease_token": None},
        queued(venue, "refund", refund["id"]),
    ):
        refused(venue, "apply_refund", lease, "lease_lost", refund=refund)


def test_a_dispute_that_no_leased_job_brings_changes_nothing(venue: Venue) -> None:
    dispute = dispute_of(venue.pay(venue.hold()))
    refused(
        venue,
        "apply_dispute",
        queued(venue, "dispute", dispute["id"]),
        "lease_lost",
        dispute=dispute,
    )


def test_what_a_job_has_to_do_is_read_under_its_lease(venue: Venue) -> None:
    booking, _ = cancelled(venue)
    [job] = venue.jobs("stripe.refund", booking)
    forged = {"job_id": job["id"], "lease_token": FORGED}
    for function in ("get_refund_request", "get_checkout_attempt"):
        refused(venue, function, forged, "lease_lost")
        with venue.does("email.send", **job["payload"]) as lease:
            refused(venue, function, lease, "lease_of_another")


def test_another_venue_s_job_reads_no_refund(venue: Venue) -> None:
    booking, request = cancelled(venue)
    other = make_venue(venue.database)
    with pytest.raises(Refused) as refusal:
        other.refund_request(request["refund_request_id"])
    assert refusal.value.code == "refund_request_not_found"
    with pytest.raises(Refused) as refusal:
        other.attempt(
            venue.database.one(
                "select id from private.payment_attempts where booking_id = %s", booking.id
            )
        )
    assert refusal.value.code == "attempt_not_found"


class TestAnAttemptBelongsToItsOpener:
    """Ids of attempts are in jobs that can be claimed; who opened one has its token too."""

    REPORTS: ClassVar[dict[str, dict[str, str]]] = {
        "fail_checkout": {"error": "x"},
        "record_checkout": {
            "session_id": "cs_forged",
            "url": "https://evil.example/pay",
            "expires_at": "2030-01-01",
        },
    }

    def opened(self, venue: Venue) -> Any:
        booking = venue.hold()
        return venue.service.call(
            "service.open_checkout", reference=booking.reference, manage_token=booking.token
        )

    @pytest.mark.parametrize("function", REPORTS)
    def test_and_nobody_reports_on_it_without_its_token(self, venue: Venue, function: str) -> None:
        attempt, other = self.opened(venue), self.opened(venue)
        before = ledger(venue)
        for token in (None, "", "x", attempt["attempt_id"], other["attempt_token"]):
            with pytest.raises(Refused) as refusal:
                venue.service.call(
                    f"service.{function}",
                    attempt_id=attempt["attempt_id"],
                    attempt_token=token,
                    **self.REPORTS[function],
                )
            assert (refusal.value.status, refusal.value.code) == (404, "attempt_not_found")
        assert ledger(venue) == before

    def test_and_two_who_open_it_at_once_may_both_report(self, venue: Venue) -> None:
        booking = venue.hold()
        one, two = (
            venue.service.call(
                "service.open_checkout", reference=booking.reference, manage_token=booking.token
            )
            for _ in range(2)
        )
        assert one["attempt_token"] == two["attempt_token"]

    def test_and_the_token_is_shown_as_long_as_there_is_no_page(self, venue: Venue) -> None:
        booking = venue.hold()
        venue.checkout(booking)
        assert venue.checkout(booking)["attempt_token"] is None


class TestTheLeaseOfAnother:
    """A thief who gets hold of one job has that job, and not the money of all venues."""

    @pytest.fixture
    def session(self, venue: Venue) -> Any:
        return paid(venue.checkout(venue.hold()))

    @pytest.mark.parametrize(
        "job",
        [
            lambda v, _: v.syncs("checkout.session", "cs_other"),
            lambda v, s: v.syncs("refund", s["id"]),
            lambda v, s: v.does("email.send", object_type="checkout.session", object_id=s["id"]),
            lambda v, s: v.does("stripe.refund", attempt_id=s["client_reference_id"]),
            lambda v, _: v.does("stripe.expire_checkout", attempt_id=str(uuid.uuid4())),
            lambda v, s: v.does(
                "stripe.sync",
                object_type="checkout.session",
                object_id=s["id"],
                attempt_id=str(uuid.uuid4()),
            ),
        ],
        ids=["session", "object", "mail", "refund", "attempt", "attempt of the page"],
    )
    def test_pays_no_booking(
        self,
        venue: Venue,
        session: Any,
        job: Callable[[Venue, Any], AbstractContextManager[Lease]],
    ) -> None:
        with job(venue, session) as lease:
            refused(venue, "apply_checkout_session", lease, "lease_of_another", session=session)

    def test_pays_with_no_other_page_than_the_one_it_closes(
        self, venue: Venue, session: Any
    ) -> None:
        forged = {**session, "id": "cs_forged"}
        payload = {"attempt_id": session["client_reference_id"]}
        with venue.does("stripe.expire_checkout", **payload) as lease:
            refused(venue, "apply_checkout_session", lease, "lease_of_another", session=forged)
            venue.service.call("service.apply_checkout_session", **lease, session=session)

    def test_brings_no_refund_of_another_payment(self, venue: Venue) -> None:
        _, request = cancelled(venue)
        _, other = cancelled(venue)
        payload = {"refund_request_id": request["refund_request_id"]}
        with venue.does("stripe.refund", **payload) as lease:
            refused(venue, "apply_refund", lease, "lease_of_another", refund=refund_of(other))
            venue.service.call("service.apply_refund", **lease, refund=refund_of(request))
        with venue.syncs("refund", refund_of(request)["id"]) as lease:
            refused(venue, "apply_refund", lease, "lease_of_another", refund=refund_of(other))

    def test_brings_no_dispute(self, venue: Venue) -> None:
        dispute = dispute_of(venue.pay(venue.hold()))
        for object_type, object_id in (("dispute", "du_other"), ("refund", dispute["id"])):
            with venue.syncs(object_type, object_id) as lease:
                refused(venue, "apply_dispute", lease, "lease_of_another", dispute=dispute)
