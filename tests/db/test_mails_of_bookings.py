"""Mails about money, lapsing holds, changed directions, missing signatures; codes; Auth's mails."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from client import Refused
from db.money_world import TOTAL, Booking, Database, Venue, make_venue, member
from matrix.promises import refused
from stack import in_one_hour


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    return make_venue(money)


def due(venue: Venue, template: str | None = None) -> list[dict[str, Any]]:
    """The mails that wait, claimed, whenever they are due; of one kind, or all."""
    # Not by service.claim_jobs, which lets one organization have a few at a time.
    mails = venue.database.all(
        "update private.jobs set status = 'running', lease_token = gen_random_uuid(), attempts = 1,"
        " run_at = now() + interval '1 min' where status = 'queued' and kind = 'email.send'"
        " and payload ->> 'template' <> 'booking_held' returning *"
    )
    found = [job for job in mails if template in (None, job["payload"]["template"])]
    return sorted(found, key=lambda job: int(job["id"]))


def prepare(venue: Venue, job: dict[str, Any]) -> Any:
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    return venue.service.call("service.prepare_email", **lease)


def send(venue: Venue, job: dict[str, Any]) -> str:
    """Prepare a mail and hand it over; the provider's id."""
    assert prepare(venue, job) is not None
    message_id = str(uuid.uuid4())
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    venue.service.call(
        "service.record_email", **lease, provider="resend", provider_message_id=message_id
    )
    venue.service.call("service.complete_job", **lease)
    return message_id


def said(venue: Venue, template: str | None = None) -> list[Any]:
    """What the mails that wait say; those that say nothing are left out."""
    return [mail for job in due(venue, template) if (mail := prepare(venue, job))]


def confirmed(venue: Venue) -> Booking:
    booking = venue.hold()
    venue.pay(booking)
    for job in due(venue):
        if job["payload"]["template"] == "booking_confirmed":
            send(venue, job)
    return booking


def pay_at_desk(venue: Venue, booking: Booking, cents: int, key: str = "pay") -> None:
    venue.owner.call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        method="cash",
        amount_cents=cents,
        idempotency_key=key,
    )


def refund(venue: Venue, booking: Booking, cents: int, key: str = "refund") -> None:
    venue.owner.call(
        "refund_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        amount_cents=cents,
        reason="The lights went out.",
        idempotency_key=key,
    )


def log(venue: Venue, booking: Booking, *, by: Any = None) -> list[dict[str, Any]]:
    return (by or venue.owner).select(
        "select * from public.booking_emails(%s, %s)", venue.organization_id, booking.id
    )


def test_a_payment_is_told_unless_the_confirmation_tells_it(venue: Venue) -> None:
    booking = venue.hold()
    venue.transition(booking, "pending")
    pay_at_desk(venue, booking, 1_000)
    [mail] = said(venue, "payment_received")
    assert mail["data"]["received_cents"] == 1_000
    assert (mail["data"]["paid_cents"], mail["data"]["open_cents"]) == (1_000, TOTAL - 1_000)
    pay_at_desk(venue, booking, TOTAL - 1_000, "rest")
    assert venue.status(booking) == "confirmed"
    assert [job["payload"]["template"] for job in due(venue)] == ["booking_confirmed"]


def test_a_payment_says_nothing_once_the_booking_was_confirmed_after_it(venue: Venue) -> None:
    booking = venue.hold()
    venue.transition(booking, "pending")
    pay_at_desk(venue, booking, 1_000)
    venue.transition(booking, "confirmed")
    assert said(venue, "payment_received") == []


def test_money_that_goes_back_is_told_on_its_way_and_when_it_has_gone(venue: Venue) -> None:
    booking = confirmed(venue)
    refund(venue, booking, 1_500)
    [promised] = due(venue)
    mail = prepare(venue, promised)
    assert (mail["template"], mail["data"]["refund_cents"]) == ("refund_promised", 1_500)
    assert [way["method"] for way in mail["data"]["refunds"]] == ["stripe"]
    assert venue.run_refunds(booking) == 1
    # Gone before the promise could be told: then that alone is told.
    assert prepare(venue, promised) is None
    [gone] = due(venue)
    mail = prepare(venue, gone)
    assert (mail["template"], mail["data"]["refund_cents"]) == ("booking_refunded", 1_500)
    send(venue, gone)
    refund(venue, booking, 700, "second")
    venue.run_refunds(booking)
    assert [m["data"]["refund_cents"] for m in said(venue, "booking_refunded")] == [700]


def test_refunds_made_one_after_the_other_are_one_mail(venue: Venue) -> None:
    booking = confirmed(venue)
    refund(venue, booking, 500)
    refund(venue, booking, 400, "second")
    assert venue.run_refunds(booking) == 2
    [mail] = said(venue, "booking_refunded")
    assert mail["data"]["refund_cents"] == 900


def paid_by_voucher(venue: Venue, key: str = "voucher", **options: Any) -> tuple[Booking, Any]:
    voucher = venue.owner.call(
        "issue_voucher",
        organization_id=venue.organization_id,
        amount_cents=TOTAL,
        idempotency_key=key,
    )
    return venue.hold(voucher_code=voucher["code"], **options), voucher


def hand_over(venue: Venue, booking: Booking, method: str) -> None:
    """Write down each refund that waits for a person as given back."""
    waiting = venue.owner.call("get_pending_refunds", organization_id=venue.organization_id)
    for waits in waiting:
        if waits["booking_id"] == booking.id and waits["by_hand"]:
            venue.owner.call(
                "record_refund",
                organization_id=venue.organization_id,
                refund_request_id=waits["refund_request_id"],
                method=method,
                idempotency_key=waits["refund_request_id"],
            )


def ways(mail: Any) -> list[tuple[str, int, bool, bool]]:
    return [
        (
            way["method"],
            way["amount_cents"],
            way.get("by_hand", False),
            way.get("given", False),
        )
        for way in mail["data"]["refunds"]
    ]


@pytest.mark.parametrize("method", ["cash", "transfer", "bizum", "card_terminal"])
def test_what_was_handed_over_before_the_mail_leaves_is_told_so(venue: Venue, method: str) -> None:
    booking, voucher = paid_by_voucher(venue)
    cancelled = {"organization_id": venue.organization_id, "voucher_id": voucher["id"]}
    venue.owner.call("cancel_voucher", **cancelled)
    due(venue)
    venue.cancel(booking)
    hand_over(venue, booking, method)
    told = {mail["template"]: ways(mail) for mail in said(venue)}
    assert told == {
        "booking_cancelled": [(method, TOTAL, False, True)],
        "booking_refunded": [(method, TOTAL, False, True)],
    }


def test_what_is_handed_over_after_the_cancellations_mail_is_told_by_another(
    venue: Venue,
) -> None:
    booking, voucher = paid_by_voucher(venue)
    cancelled = {"organization_id": venue.organization_id, "voucher_id": voucher["id"]}
    venue.owner.call("cancel_voucher", **cancelled)
    due(venue)
    venue.cancel(booking)
    [mail] = said(venue)
    assert (mail["template"], ways(mail)) == (
        "booking_cancelled",
        [("voucher", TOTAL, True, False)],
    )
    hand_over(venue, booking, "cash")
    [mail] = said(venue)
    assert (mail["template"], ways(mail)) == (
        "booking_refunded",
        [("cash", TOTAL, False, True)],
    )


def test_each_way_of_a_refund_is_told_as_it_goes(venue: Venue) -> None:
    booking = venue.hold()
    venue.transition(booking, "pending")
    pay_at_desk(venue, booking, 1_000)
    venue.pay(booking)
    due(venue)
    venue.cancel(booking)
    # By another way than it was paid.
    hand_over(venue, booking, "bizum")
    cancelled, refunded = said(venue)
    assert (cancelled["template"], ways(cancelled)) == (
        "booking_cancelled",
        [("bizum", 1_000, False, True), ("stripe", TOTAL - 1_000, False, False)],
    )
    assert (refunded["template"], ways(refunded)) == (
        "booking_refunded",
        [("bizum", 1_000, False, True)],
    )


def test_a_promise_on_a_dead_voucher_says_that_the_venue_gives_it_back(venue: Venue) -> None:
    booking, voucher = paid_by_voucher(venue)
    alive, _ = paid_by_voucher(venue, "second")
    cancelled = {"organization_id": venue.organization_id, "voucher_id": voucher["id"]}
    venue.owner.call("cancel_voucher", **cancelled)
    due(venue)
    refund(venue, booking, 1_500)
    refund(venue, alive, 1_500, "alive")
    promised = due(venue)
    assert [ways(prepare(venue, job)) for job in promised] == [
        [("voucher", 1_500, True, False)],
        [("voucher", 1_500, False, False)],
    ]
    hand_over(venue, booking, "cash")
    # Given back meanwhile: another mail tells it, and this one would be wrong.
    assert prepare(venue, promised[0]) is None
    [mail] = said(venue)
    assert (mail["template"], ways(mail)) == (
        "booking_refunded",
        [("cash", 1_500, False, True)],
    )


def test_a_cancellation_tells_itself_what_is_on_its_way(venue: Venue) -> None:
    booking = confirmed(venue)
    venue.cancel(booking)
    assert [mail["template"] for mail in said(venue)] == ["booking_cancelled"]
    venue.run_refunds(booking)
    assert [mail["template"] for mail in said(venue)] == ["booking_refunded"]


def test_mails_about_money_count_for_the_mailbox_where_nobody_paid_online(venue: Venue) -> None:
    """A desk that writes down cents fills nobody's mailbox."""
    booking = venue.hold()
    venue.transition(booking, "pending")
    for turn in range(14):
        pay_at_desk(venue, booking, 1, f"cent {turn}")
    assert len(said(venue, "payment_received")) == 12
    assert [mail["status"] for mail in log(venue, booking)].count("limited") == 2


def set_notice(venue: Venue, minutes: int | None) -> None:
    venue.owner.change(
        "update public.calendars set lapse_notice_minutes = %s where slug = %s", minutes, venue.slug
    )


def expires_in(venue: Venue, booking: Booking, minutes: float) -> None:
    venue.database.run(
        "update public.bookings set hold_expires_at = now() + make_interval(secs => %s)"
        " where id = %s",
        minutes * 60,
        booking.id,
    )


def test_a_place_about_to_be_lost_is_told_once_where_the_calendar_asks_for_it(venue: Venue) -> None:
    booking = venue.hold()
    expires_in(venue, booking, 4)
    venue.service.call("service.sweep")
    assert due(venue, "hold_lapsing") == []
    set_notice(venue, 5)
    expires_in(venue, booking, 6)
    venue.service.call("service.sweep")
    assert due(venue, "hold_lapsing") == []
    expires_in(venue, booking, 4)
    for _ in range(2):
        venue.service.call("service.sweep")
    [job] = due(venue, "hold_lapsing")
    assert prepare(venue, job)["data"]["due_now_cents"] == TOTAL
    expires_in(venue, booking, 30)
    assert prepare(venue, job) is None
    expires_in(venue, booking, 4)
    venue.service.call("service.sweep")
    assert due(venue, "hold_lapsing") == []  # that job is still the one
    venue.pay(booking)
    assert prepare(venue, job) is None


def test_a_place_that_was_let_go_or_has_lapsed_is_not_told_of(venue: Venue) -> None:
    set_notice(venue, 5)
    gone, lapsed = venue.hold(), venue.hold()
    for booking in (gone, lapsed):
        expires_in(venue, booking, 3)
    venue.service.call("service.sweep")
    jobs = due(venue, "hold_lapsing")
    assert len(jobs) == 2
    venue.cancel(gone)
    venue.let_lapse(lapsed)
    assert [prepare(venue, job) for job in jobs] == [None, None]


def change_place(venue: Venue, column: str, value: object, *, ago: timedelta) -> None:
    venue.owner.change(f"update public.locations set {column} = %s", value)
    venue.database.run(
        "update public.locations set details_changed_at = now() - %s where organization_id = %s",
        ago,
        venue.organization_id,
    )


def test_changed_directions_are_told_to_whoever_was_told_the_old_ones(venue: Venue) -> None:
    told = confirmed(venue)
    venue.database.run(
        "update public.booking_history set occurred_at = occurred_at - interval '1 h'"
        " where booking_id = %s",
        told.id,
    )
    change_place(venue, "phone", "+34 600 000 001", ago=timedelta(minutes=20))
    assert venue.service.call("service.sweep")["changed_details"] == 0  # nobody asked for it
    venue.owner.change("update public.locations set tells_changes = true")
    change_place(venue, "phone", "+34 600 000 002", ago=timedelta(minutes=10))
    assert venue.service.call("service.sweep")["changed_details"] == 0  # may still be corrected
    change_place(venue, "phone", "+34 600 000 003", ago=timedelta(minutes=20))
    confirmed(venue)  # has been told so
    assert [venue.service.call("service.sweep")["changed_details"] for _ in range(2)] == [1, 0]
    [job] = due(venue, "details_changed")
    mail = prepare(venue, job)
    assert mail["data"]["reference"] == told.reference
    assert mail["data"]["phone"] == "+34 600 000 003"
    change_place(venue, "address", "Calle Menor 2", ago=timedelta(0))
    assert prepare(venue, job) is None


def test_what_is_no_direction_changes_nothing(venue: Venue) -> None:
    venue.owner.change("update public.locations set no_show_minutes = 20, phone = phone")
    assert venue.database.one(
        "select details_changed_at is null from public.locations where organization_id = %s",
        venue.organization_id,
    )


def test_those_who_have_not_signed_are_asked_by_staff_and_nobody_else(venue: Venue) -> None:
    booking = confirmed(venue)
    again = {"organization_id": venue.organization_id, "booking_id": booking.id, "kind": "waiver"}
    with refused(409, "nothing_to_send"):
        venue.owner.call("resend_booking_email", **again, idempotency_key="none to sign")
    venue.owner.change("update public.rooms set waiver_policy = 'optional'")
    # Nobody can sign what is not written yet.
    with refused(409, "nothing_to_send"):
        venue.owner.call("resend_booking_email", **again, idempotency_key="no text to sign")
    venue.owner.call("publish_waiver", organization_id=venue.organization_id, texts={"es": "Firmo"})
    sent = venue.owner.call("resend_booking_email", **again, idempotency_key="ask")
    assert sent["template"] == "waiver_request"
    [job] = due(venue, "waiver_request")
    mail = prepare(venue, job)
    assert (mail["data"]["unsigned_waivers"], bool(mail["data"]["waiver_token"])) == (2, True)
    venue.cancel(booking)
    assert prepare(venue, job) is None


def test_a_mail_that_is_switched_off_goes_out_only_when_staff_send_it(venue: Venue) -> None:
    venue.owner.change(
        "insert into public.email_template_overrides (organization_id, template, locale,"
        " is_sent)"
        " values (%s, 'booking_confirmed', 'es', false)",
        venue.organization_id,
    )
    booking = venue.hold()
    venue.pay(booking)
    [job] = due(venue, "booking_confirmed")
    assert prepare(venue, job) is None
    venue.service.call("service.complete_job", job_id=job["id"], lease_token=job["lease_token"])
    assert log(venue, booking)[0]["status"] == "not_needed"
    venue.owner.call(
        "resend_booking_email",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        idempotency_key="again",
    )
    assert len(said(venue, "booking_confirmed")) == 1
    with pytest.raises(Refused) as one:
        venue.owner.change(
            "insert into public.email_template_overrides (organization_id, template, locale,"
            " is_sent)"
            " values (%s, 'booking_to_confirm', 'es', false)",
            venue.organization_id,
        )
    assert "some_are_always_sent" in str(one.value)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_the_log_of_a_booking_says_when_its_mail_was_delivered_and_opened(
    venue: Venue, order: tuple[int, ...]
) -> None:
    booking = venue.hold()
    venue.pay(booking)
    [job] = due(venue, "booking_confirmed")
    prepared = prepare(venue, job)
    message_id = send(venue, job)
    at = [datetime(2027, 5, 15, 12, minute, tzinfo=UTC) for minute in range(3)]
    events = [("email.delivered", at[0]), ("email.opened", at[1]), ("email.clicked", at[2])]
    for turn in order:
        kind, moment = events[turn]
        venue.service.call(
            "service.record_email_event",
            event={
                "id": f"msg_{uuid.uuid4()}",
                "type": kind,
                "created_at": moment.isoformat(),
                "data": {"email_id": message_id, "to": ["ada@example.com"]},
            },
        )
    [mail] = [mail for mail in log(venue, booking) if mail["template"] == "booking_confirmed"]
    assert (mail["status"], mail["delivered_at"], mail["opened_at"]) == ("delivered", at[0], at[1])
    assert (mail["locale"], mail["recipient"]) == ("es", prepared["to"]["email"])


def test_a_code_shows_staff_the_booking_and_nobody_anything_else(venue: Venue) -> None:
    booking = confirmed(venue)
    code = venue.database.one(
        "select private.check_in_code(b) from public.bookings as b where id = %s", booking.id
    )

    def scan(by: Any, scanned: str, organization_id: str = venue.organization_id) -> Any:
        return by.call("booking_by_check_in_code", organization_id=organization_id, code=scanned)

    for scanned in (code, f"https://casa.example/?calendar=x#check_in={code}"):
        seen = scan(venue.owner, scanned)
        assert (seen["booking_id"], seen["status"]) == (booking.id, "confirmed")
        assert (seen["party_size"], seen["open_cents"]) == (2, 0)
        assert seen["contact_name"] == "Ada Byron"
    assert scan(member(venue, "game_master"), code)["contact_name"] is None
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    other = make_venue(venue.database)
    for scanned in (wrong, booking.id, booking.reference, code.split(".")[0], "", f"{code}x"):
        with refused(404, "booking_not_found"):
            scan(venue.owner, scanned)
    with refused(404, "booking_not_found"):
        scan(other.owner, code, other.organization_id)
    with refused(403, "permission_denied"):
        scan(other.owner, code)
    with pytest.raises((Refused, psycopg.Error)):
        scan(venue.public, code)


def queue_auth(venue: Venue, hook_id: str, *emails: dict[str, Any]) -> None:
    whole = {
        "kind": "signup",
        "recipient": "Ana@Example.test",
        "locale": "ca",
        "code": "123456",
        "link": "https://auth.example.test/auth/v1/verify?token=h",
        "new_email": None,
    }
    venue.service.call(
        "service.queue_auth_emails",
        hook_id=hook_id,
        emails=psycopg.types.json.Jsonb([{**whole, **email} for email in emails]),
    )


def test_a_mail_of_auth_leads_to_auth_and_nowhere_else(venue: Venue) -> None:
    """Whoever has the service's key sends nobody a link of their own in our name."""
    own = "https://auth.example.test/auth/v1"
    venue.database.run("insert into private.token_issuers values (%s)", own)
    try:
        for link in (
            "https://evil.example/auth/v1/verify?token=h",
            f"{own}.evil.example/verify?token=h",
            f"{own}/authorize?provider=x&redirect_to=https://evil.example",
            "https://auth.example.test@evil.example/auth/v1/verify?token=h",
        ):
            with refused(422, "auth_emails_invalid"):
                queue_auth(venue, str(uuid.uuid4()), {"link": link})
        for new_email in ("https://evil.example", "Call 555 0100"):
            with refused(422, "auth_emails_invalid"):
                queue_auth(venue, str(uuid.uuid4()), {"new_email": new_email})
        queue_auth(venue, str(uuid.uuid4()), {"link": f"{own}/verify?token=h"}, {"link": None})
    finally:
        venue.database.run("delete from private.token_issuers")


def test_a_mail_of_auth_is_queued_once_and_its_code_goes_when_it_has_left(venue: Venue) -> None:
    hook = str(uuid.uuid4())
    for _ in range(2):
        queue_auth(venue, hook, {"kind": "email_change"}, {"recipient": "neu@example.test"})
    jobs = due(venue, "auth")
    assert [set(job["payload"]) for job in jobs] == [{"template", "auth_email_id", "account"}] * 2
    first, second = jobs
    mail = prepare(venue, first)
    assert (mail["template"], mail["locale"]) == ("auth", "ca")
    assert mail["to"] == {"name": "", "email": "ana@example.test"}
    assert mail["data"]["code"] == "123456"
    kept = "select count(*) from private.auth_emails where hook_id = %s"
    assert venue.database.one(kept, hook) == 2
    send(venue, first)
    assert venue.database.one(kept, hook) == 1
    queue_auth(venue, hook, {"kind": "email_change"}, {"recipient": "neu@example.test"})
    assert (
        venue.database.one(
            "select count(*) from private.jobs where payload ->> 'template' = 'auth'"
        )
        == 2
    )
    venue.database.run("update private.auth_emails set created_at = now() - interval '61 minutes'")
    assert prepare(venue, second) is None
    venue.service.call("service.sweep")
    assert venue.database.one(kept, hook) == 0


def test_auth_writes_to_a_mailbox_twenty_times_a_day_and_once_an_hour_always(venue: Venue) -> None:
    in_one_hour(lambda: _mails_to_a_mailbox_are_counted(venue))


def _mails_to_a_mailbox_are_counted(venue: Venue) -> None:
    name = uuid.uuid4().hex

    def sent_in_an_hour() -> int:
        sent = 0
        for turn, kind in enumerate(("recovery", "magiclink", "signup", "invite") * 2):
            mail = {"kind": kind, "recipient": f"{name}+{turn}@example.test"}
            with suppress(Refused):
                queue_auth(venue, str(uuid.uuid4()), mail)
                sent += 1
        with refused(429, "rate_limited"):
            queue_auth(venue, str(uuid.uuid4()), {"recipient": f"{name}@example.test"})
        # An hour goes by: another is counted from nothing.
        venue.database.run("delete from private.rate_limits where action = 'auth_mail/target'")
        return sent

    assert [sent_in_an_hour() for _ in range(6)] == [6, 6, 6, 2, 1, 1]
    queue_auth(venue, str(uuid.uuid4()), {"recipient": f"other{name}@example.test"})
    # What is refused leaves nothing behind: the former link goes on working.
    assert (
        venue.database.one(
            "select count(*) from private.auth_emails where recipient like %s", f"%{name}%"
        )
        == 6 + 6 + 6 + 2 + 1 + 1 + 1
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Sign up"},
        {"kind": None},
        {"recipient": "no address"},
        {"recipient": None},
        {"code": "1\n2"},
        {"code": "1" * 21},
        {"link": "javascript:alert(1)"},
        {"link": "https://a.test/ b"},
    ],
)
def test_what_auth_does_not_send_is_refused(venue: Venue, wrong: dict[str, Any]) -> None:
    with refused(422, "auth_emails_invalid"):
        queue_auth(venue, "hook", wrong)


def test_a_mail_of_auth_in_no_language_of_ours_is_in_the_first(venue: Venue) -> None:
    queue_auth(venue, str(uuid.uuid4()), {"locale": "de", "link": None})
    [mail] = said(venue, "auth")
    assert (mail["locale"], mail["data"]["link"]) == ("es", None)


def test_a_mail_that_the_provider_asks_to_wait_with_has_not_been_tried(venue: Venue) -> None:
    venue.pay(venue.hold())
    [job] = due(venue, "booking_confirmed")
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    failed = {**lease, "error": "daily_quota_exceeded", "retry": True}
    answer = venue.service.call("service.fail_job", **failed, retry_after_seconds=1800)
    assert answer == "queued"
    [row] = venue.database.all(
        "select attempts, extract(epoch from run_at - now())::int as wait from private.jobs"
        " where id = %s",
        job["id"],
    )
    assert row == {"attempts": 0, "wait": 1800}


def reprice(venue: Venue, booking: Booking, cents: int) -> None:
    venue.owner.call(
        "change_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        idempotency_key=str(uuid.uuid4()),
        price_cents=cents,
        override_reason="Another price",
    )


def told_of_change(venue: Venue) -> dict[str, Any]:
    """Send what is said of changes, and say what it was."""
    [(job, mail)] = [
        (job, mail) for job in due(venue, "booking_rescheduled") if (mail := prepare(venue, job))
    ]
    send(venue, job)
    data: dict[str, Any] = mail["data"]
    return data


def test_a_change_tells_the_refunds_that_no_mail_told_before(venue: Venue) -> None:
    booking = confirmed(venue)
    refund(venue, booking, 1_000)
    [promised] = due(venue, "refund_promised")
    send(venue, promised)
    reprice(venue, booking, TOTAL + 900)
    dearer = told_of_change(venue)
    assert (dearer["refund_cents"], dearer["refunds"], dearer["open_cents"]) == (0, [], 900)

    reprice(venue, booking, TOTAL - 2_000)
    cheaper = told_of_change(venue)
    assert (cheaper["refund_cents"], cheaper["open_cents"]) == (1_000, 0)
    assert [way["amount_cents"] for way in cheaper["refunds"]] == [1_000]

    reprice(venue, booking, TOTAL)
    assert told_of_change(venue)["refund_cents"] == 0, "it was told"

    # Of changes that no mail told yet, one mail tells all.
    reprice(venue, booking, TOTAL - 3_000)
    reprice(venue, booking, TOTAL - 3_500)
    assert told_of_change(venue)["refund_cents"] == 1_500
