"""Mails: one a cause, none that tells what is no longer so, none to whom it harms."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from client import Refused
from db.money_world import (
    TOTAL,
    Booking,
    Database,
    Venue,
    make_venue,
    paid,
)


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    return make_venue(money)


def claim_mails(venue: Venue) -> list[dict[str, Any]]:
    # The mail about a change waits for further changes. What reminds of a hold comes later.
    venue.database.run(
        "update private.jobs set run_at = now()"
        " where status = 'queued' and payload ->> 'template' is distinct from 'booking_held'"
    )
    jobs = venue.service.call("service.claim_jobs", worker="w", max_jobs=100, lease_seconds=60)
    return [job for job in jobs if job["kind"] == "email.send"]


def prepare(venue: Venue, job: dict[str, Any]) -> Any:
    return venue.service.call(
        "service.prepare_email", job_id=job["id"], lease_token=job["lease_token"]
    )


def record(venue: Venue, job: dict[str, Any], message_id: str) -> Any:
    return venue.service.call(
        "service.record_email",
        job_id=job["id"],
        lease_token=job["lease_token"],
        provider="resend",
        provider_message_id=message_id,
    )


def confirmed(venue: Venue, email: str | None = None) -> Booking:
    booking = venue.hold(email=email)
    venue.pay(booking)
    return booking


def message(venue: Venue, job: dict[str, Any]) -> dict[str, Any]:
    return venue.database.all("select * from private.email_messages where job_id = %s", job["id"])[
        0
    ]


def send(venue: Venue) -> tuple[dict[str, Any], str]:
    """A confirmation that the provider took."""
    confirmed(venue)
    [job] = claim_mails(venue)
    prepare(venue, job)
    message_id = str(uuid.uuid4())
    # Who has the service's key and no lease of it keeps no mail from leaving.
    assert record(venue, {**job, "lease_token": uuid.uuid4()}, "x") == {"recorded": False}
    assert record(venue, {**job, "lease_token": None}, "x") == {"recorded": False}
    assert record(venue, job, message_id) == {"recorded": True}
    venue.service.call("service.complete_job", job_id=job["id"], lease_token=job["lease_token"])
    return job, message_id


def test_the_confirmation_is_queued_in_the_confirming_transaction(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    assert venue.mails() == []
    with psycopg.connect(venue.database.dsn) as other:
        other.execute(
            "select private.transition(%s, %s, 'confirmed')", (venue.organization_id, booking.id)
        )
        other.rollback()
    assert venue.mails() == []
    venue.apply(paid(opened))
    [job] = venue.mails()
    assert job["payload"]["template"] == "booking_confirmed"


def test_the_mail_says_what_is_so_now(venue: Venue) -> None:
    booking = confirmed(venue, "ada@example.com")
    [job] = claim_mails(venue)
    mail = prepare(venue, job)
    assert mail["data"].pop("starts_at").startswith(f"{booking.starts_at:%Y-%m-%d}")
    assert datetime.fromisoformat(mail["data"].pop("ends_at")) > booking.starts_at
    assert datetime.fromisoformat(mail["data"].pop("event_at")) < booking.starts_at
    assert mail == {
        "template": "booking_confirmed",
        "locale": "es",
        "to": {"name": "Ada Byron", "email": "ada@example.com"},
        "sender_address": None,
        "override": None,
        "data": {
            "organization_name": "Casa Laberinto",
            "contact_email": None,
            "website": None,
            "logo_path": None,
            "room_name": "The attic",
            "location_name": "Centro",
            "address": "Calle Mayor 1, Madrid",
            "phone": None,
            "arrival_hints": None,
            "directions": None,
            "latitude": None,
            "longitude": None,
            "place": "Centro, Calle Mayor 1, Madrid",
            "answers": [],
            "timezone": "Europe/Madrid",
            "party_size": 2,
            "extras": [],
            "reference": booking.reference,
            "manage_url_token": booking.token,
            "calendar_slug": venue.slug,
            "site_url": None,
            "accent_color": None,
            "currency": "EUR",
            "total_cents": TOTAL,
            "paid_cents": TOTAL,
            "open_cents": 0,
            "payable_cents": 0,
            "refund_cents": 0,
            "refunds": [],
            "split": False,
            "lost_cents": 0,
            "terms": {"tiers": [], "no_show_fee_percent": 100},
            "cancel_refund": None,
            "waiver_token": None,
            "check_in_code": venue.database.one(
                "select private.check_in_code(b) from public.bookings as b where id = %s",
                booking.id,
            ),
            "event_id": booking.id,
            "event_version": 0,
            "cancelled_by_customer": False,
            "previous": None,
        },
    }


def test_a_mail_wears_the_colour_of_its_calendar_and_leads_to_its_page(venue: Venue) -> None:
    venue.database.run(
        "update public.calendars set accent_color = '#a1b2c3',"
        " site_url = 'https://casa.example/' where slug = %s",
        venue.slug,
    )
    confirmed(venue)
    venue.owner.call(
        "issue_voucher",
        organization_id=venue.organization_id,
        amount_cents=8_000,
        recipient_email="eva@example.com",
        idempotency_key="one",
    )
    mails = [prepare(venue, job) for job in claim_mails(venue)]
    assert {mail["template"]: mail["data"]["accent_color"] for mail in mails} == {
        "booking_confirmed": "#a1b2c3",
        "voucher_issued": "#a1b2c3",
    }
    assert {mail["data"]["site_url"] for mail in mails} == {"https://casa.example/"}


def test_the_cancellation_names_the_promised_refund(venue: Venue) -> None:
    booking = confirmed(venue)
    venue.cancel(booking)
    mails = [mail for job in claim_mails(venue) if (mail := prepare(venue, job))]
    assert [mail["template"] for mail in mails] == ["booking_cancelled"]
    assert mails[0]["data"]["refund_cents"] == TOTAL
    assert mails[0]["data"]["refunds"] == [
        {
            "method": "stripe",
            "by_hand": False,
            "amount_cents": TOTAL,
            "valid_until": None,
            "given": False,
            "disputed": False,
        }
    ]


def test_a_hold_that_was_let_go_writes_nothing(venue: Venue) -> None:
    venue.cancel(venue.hold())
    venue.lapse(venue.hold())
    venue.database.run(
        "update private.jobs set run_at = now() where payload ->> 'template' = 'booking_held'"
    )
    assert [prepare(venue, job) for job in claim_mails(venue)] == [None, None]


@pytest.mark.parametrize("to_status", ["cancelled", "no_show"])
def test_a_confirmation_overtaken_by_events_is_not_sent(venue: Venue, to_status: str) -> None:
    booking = confirmed(venue)
    [job] = claim_mails(venue)
    if to_status == "no_show":
        venue.start_in(booking, timedelta(minutes=-20))
    venue.transition(booking, to_status)
    assert prepare(venue, job) is None


def test_a_party_that_has_come_still_gets_its_confirmation(venue: Venue) -> None:
    booking = confirmed(venue)
    [job] = claim_mails(venue)
    venue.start_in(booking, timedelta(hours=1))
    venue.transition(booking, "checked_in")
    assert prepare(venue, job) is not None


def test_a_mail_that_was_recorded_is_not_sent_again(venue: Venue) -> None:
    job, message_id = send(venue)
    assert prepare(venue, job) is None
    assert record(venue, job, "another") == {"recorded": False}
    sent = message(venue, job)
    assert (sent["status"], sent["provider_message_id"]) == ("sent", message_id)


def test_a_worker_killed_before_it_recorded_sends_the_same_again(venue: Venue) -> None:
    confirmed(venue)
    [job] = claim_mails(venue)
    first = prepare(venue, job)
    venue.database.run(
        "update private.jobs set run_at = now() - interval '1 s' where id = %s", job["id"]
    )
    [again] = claim_mails(venue)
    second = prepare(venue, again)
    assert again["id"] == job["id"], "so the provider is shown the same key"
    assert second == first
    assert prepare(venue, job) is None, "the first one has lost its lease"
    assert record(venue, job, "m1") == {"recorded": True}, "but what it did is true"
    assert prepare(venue, again) is None


def test_only_a_mail_job_is_prepared(venue: Venue) -> None:
    venue.database.run("select private.enqueue('stripe.sync', '{}', 'x')")
    [job] = venue.service.call("service.claim_jobs", worker="w", max_jobs=9, lease_seconds=60)
    assert prepare(venue, job) is None


def test_a_mail_that_nobody_knows_is_an_error(venue: Venue) -> None:
    venue.database.run("select private.enqueue('email.send', '{\"template\": \"poem\"}', 'x')")
    [job] = claim_mails(venue)
    with pytest.raises(Refused) as refused:
        prepare(venue, job)
    assert (refused.value.status, refused.value.code) == (422, "template_unknown")


def test_an_invitation_is_written_until_it_is_revoked(venue: Venue) -> None:
    [role] = venue.owner.select("select id from public.roles where key = 'manager'")
    invited = venue.owner.call(
        "invite_member",
        organization_id=venue.organization_id,
        email="new@example.com",
        role_id=role["id"],
    )
    [job] = claim_mails(venue)
    mail = prepare(venue, job)
    assert (mail["template"], mail["to"]["email"]) == ("invitation", "new@example.com")
    assert mail["data"]["organization_name"] == "Casa Laberinto"
    user = venue.database.sign_up()
    venue.database.run(
        "update public.profiles set email = 'new@example.com' where user_id = %s", user
    )
    assert len(mail["data"]["invitation_token"]) >= 40
    venue.owner.call(
        "revoke_invitation", organization_id=venue.organization_id, invitation_id=invited["id"]
    )
    assert prepare(venue, job) is None


def test_each_invitation_has_its_own_mail_whatever_else_is_invited(venue: Venue) -> None:
    [role] = venue.owner.select("select id from public.roles where key = 'manager'")
    for name in ("ada", "bob", "eva"):
        venue.owner.call(
            "invite_member",
            organization_id=venue.organization_id,
            email=f"{name}@example.com",
            role_id=role["id"],
        )
    mails = [prepare(venue, job) for job in claim_mails(venue)]
    assert sorted(mail["to"]["email"] for mail in mails) == [
        "ada@example.com",
        "bob@example.com",
        "eva@example.com",
    ]
    assert len({mail["data"]["invitation_token"] for mail in mails}) == 3


def test_a_voucher_is_written_to_whom_it_is_for_until_it_is_cancelled(venue: Venue) -> None:
    issue = {
        "organization_id": venue.organization_id,
        "amount_cents": 8_000,
        "recipient_name": "Eva",
        "message": "Many happy returns",
        "locale": "en",
    }
    issued = venue.owner.call(
        "issue_voucher", **issue, recipient_email="eva@example.com", idempotency_key="one"
    )
    venue.owner.call("issue_voucher", **issue, idempotency_key="to be handed over")
    [job] = claim_mails(venue)
    mail = prepare(venue, job)
    assert (mail["template"], mail["locale"]) == ("voucher_issued", "en")
    assert mail["to"] == {"name": "Eva", "email": "eva@example.com"}
    assert mail["data"] == {
        "organization_name": "Casa Laberinto",
        "contact_email": None,
        "website": None,
        "logo_path": None,
        "code": issued["code"],
        "currency": "EUR",
        "initial_cents": 8_000,
        "valid_until": issued["valid_until"],
        "recipient_name": "Eva",
        "buyer_name": None,
        "product": None,
        "terms": None,
        "message": "Many happy returns",
        "calendar_slug": venue.slug,
        "site_url": None,
        "accent_color": None,
    }
    venue.owner.call(
        "cancel_voucher", organization_id=venue.organization_id, voucher_id=issued["id"]
    )
    assert prepare(venue, job) is None


# -- changes, late money, places that are held ------------------------------------------------


def changed(venue: Venue, booking: Booking, **change: object) -> None:
    """The row that a change of a booking writes."""
    venue.database.run(
        "insert into public.booking_history"
        " (organization_id, booking_id, from_status, to_status, change, actor_kind)"
        " select b.organization_id, b.id, b.status, b.status, %s, 'system'"
        " from public.bookings as b where b.id = %s",
        Jsonb(change),
        booking.id,
    )


def templates(venue: Venue) -> list[str]:
    return [job["payload"]["template"] for job in venue.mails()]


def test_a_change_is_told_as_a_change(venue: Venue) -> None:
    booking = confirmed(venue)
    changed(venue, booking, starts_at=["2026-02-13T17:00:00Z", "2026-02-14T17:00:00Z"])
    assert templates(venue) == ["booking_confirmed", "booking_rescheduled"]
    confirmation, change = (prepare(venue, job) for job in claim_mails(venue))
    # The confirmation says what is so now; both are versions of one event.
    assert confirmation["template"] == "booking_confirmed"
    assert confirmation["data"]["previous"] is None
    assert change["data"]["previous"] == {
        "starts_at": "2026-02-13T17:00:00Z",
        "party_size": None,
        "extras": None,
        "total_cents": None,
        "room_name": None,
    }
    assert confirmation["data"]["event_id"] == change["data"]["event_id"] == booking.id
    assert (confirmation["data"]["event_version"], change["data"]["event_version"]) == (0, 1)


def test_a_change_names_the_room_and_the_party_that_it_replaced(venue: Venue) -> None:
    twin = make_venue(venue.database)
    venue.database.run("update public.rooms set name = 'Not ours' where id = %s", twin.room_id)
    booking = confirmed(venue)
    changed(venue, booking, room_id=[venue.room_id, twin.room_id], party_size=[4, 2])
    jobs = claim_mails(venue)
    mails = [prepare(venue, job) for job in jobs]
    assert mails[-1]["data"]["previous"] == {
        "starts_at": None,
        "party_size": 4,
        "extras": None,
        "room_name": "The attic",
        "total_cents": None,
    }
    record(venue, jobs[-1], str(uuid.uuid4()))
    changed(venue, booking, room_id=[twin.room_id, venue.room_id])
    [job] = claim_mails(venue)
    assert prepare(venue, job)["data"]["previous"]["room_name"] is None


def test_a_later_change_overtakes_an_earlier_one(venue: Venue) -> None:
    booking = confirmed(venue)
    changed(venue, booking, party_size=[3, 2])
    changed(venue, booking, party_size=[2, 4])
    mails = [prepare(venue, job) for job in claim_mails(venue)]
    assert [mail and mail["template"] for mail in mails] == [
        "booking_confirmed",
        None,
        "booking_rescheduled",
    ]
    assert mails[2]["data"]["event_version"] == 2


def test_a_cancellation_overtakes_a_change(venue: Venue) -> None:
    booking = confirmed(venue)
    changed(venue, booking, party_size=[3, 2])
    venue.cancel(booking)
    mails = [prepare(venue, job) for job in claim_mails(venue)]
    assert [mail and mail["template"] for mail in mails] == [None, None, "booking_cancelled"]
    assert mails[2]["data"]["event_version"] == 2


def test_a_change_of_a_hold_is_told_to_nobody(venue: Venue) -> None:
    changed(venue, venue.hold(), party_size=[3, 2])
    assert templates(venue) == []


def test_money_that_came_too_late_is_told_to_its_payer(venue: Venue) -> None:
    booking = venue.hold(email="late@example.com")
    opened = venue.checkout(booking)
    venue.lapse(booking)
    assert venue.rival(booking) is not None
    venue.apply(paid(opened))
    [job] = claim_mails(venue)
    mail = prepare(venue, job)
    assert (mail["template"], mail["to"]["email"]) == ("booking_paid_late", "late@example.com")
    assert mail["data"]["refund_cents"] == TOTAL
    assert "event_id" not in mail["data"]
    venue.apply(paid(opened))
    assert templates(venue) == ["booking_paid_late"]


def test_late_money_that_does_not_go_back_after_all_is_told_to_nobody(venue: Venue) -> None:
    booking = confirmed(venue)
    venue.cancel(booking)
    opened = {
        **venue.checkout(venue.hold()),
        "attempt_id": str(
            venue.database.one(
                "select id from private.payment_attempts where booking_id = %s", booking.id
            )
        ),
        "session_id": "cs_second",
    }
    venue.apply(paid(opened, payment_intent="pi_second"))
    *_, job = claim_mails(venue)
    assert prepare(venue, job)["template"] == "booking_paid_late"
    # Only what came late: the cancellation has its own mail.
    assert prepare(venue, job)["data"]["refund_cents"] == TOTAL
    venue.database.run(
        "update private.refund_requests set status = 'failed' where booking_id = %s"
        " and reason = 'paid_late'",
        booking.id,
    )
    assert prepare(venue, job) is None


def test_late_money_whose_booking_found_a_place_is_told_to_nobody(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.lapse(booking)
    rival = venue.rival(booking)
    assert rival is not None
    venue.apply(paid(opened))
    venue.cancel(rival)
    job = next(j for j in claim_mails(venue) if j["payload"]["template"] == "booking_paid_late")
    assert venue.database.one(
        "select private.reclaim_booking(%s, %s)", venue.organization_id, booking.id
    )
    assert prepare(venue, job) is None


def offered(venue: Venue) -> tuple[dict[str, Any], dict[str, Any]]:
    """Somebody who waits, and the job of the mail that offers a place."""
    venue.owner.change("update public.calendars set waitlist_minutes = 30")
    day = venue.slot().date()
    *_, booking = [
        venue.hold(slot["starts_at"])
        for slot in venue.public.select(
            "select starts_at from public.get_availability(%s, %s, %s)", venue.slug, day, day
        )
    ]
    entry = venue.public.call(
        "join_waitlist",
        slug=venue.slug,
        from_date=day,
        to_date=day,
        party_size=2,
        customer={"full_name": "Eva", "email": "eva@example.com", "locale": "ca"},
        idempotency_key=str(uuid.uuid4()),
    )
    venue.cancel(booking)
    [job] = [j for j in claim_mails(venue) if j["payload"]["template"] == "waitlist_offer"]
    return entry, job


def test_an_offer_says_which_place_and_until_when(venue: Venue) -> None:
    entry, job = offered(venue)
    mail = prepare(venue, job)
    place = venue.public.call("get_waitlist_entry", token=entry["waitlist_token"])["offer"]
    assert (mail["template"], mail["locale"]) == ("waitlist_offer", "ca")
    assert mail["to"] == {"name": "Eva", "email": "eva@example.com"}
    said = mail["data"]
    assert (said["reference"], said["manage_url_token"]) == (
        place["reference"],
        place["manage_token"],
    )
    assert (said["expires_at"], said["due_now_cents"]) == (place["hold_expires_at"], TOTAL)
    assert said["waitlist_token"] == entry["waitlist_token"]


@pytest.mark.parametrize("what", ["left", "lapsed", "taken"])
def test_an_offer_that_is_over_is_not_mailed(venue: Venue, what: str) -> None:
    entry, job = offered(venue)
    place = venue.public.call("get_waitlist_entry", token=entry["waitlist_token"])["offer"]
    booking_id = job["payload"]["booking_id"]
    if what == "left":
        venue.public.call("leave_waitlist", token=entry["waitlist_token"])
    elif what == "lapsed":
        venue.database.run(
            "update public.bookings set hold_expires_at = now() - interval '1 s' where id = %s",
            booking_id,
        )
    else:
        venue.owner.call(
            "record_payment",
            organization_id=venue.organization_id,
            booking_id=booking_id,
            method="cash",
            amount_cents=place["due_now_cents"],
            idempotency_key="cash",
        )
    assert prepare(venue, job) is None


# -- an organization's own words --------------------------------------------------------------


def reword(venue: Venue, template: str, locale: str, **words: str) -> None:
    venue.owner.change(
        "insert into public.email_template_overrides (template, locale, subject, body)"
        " values (%s, %s, %s, %s)",
        template,
        locale,
        words.get("subject"),
        words.get("body"),
    )


def test_a_mail_comes_with_the_organization_s_own_words_for_it(venue: Venue) -> None:
    reword(venue, "booking_cancelled", "es", subject="Another mail")
    reword(venue, "booking_confirmed", "en", subject="Another language")
    reword(make_venue(venue.database), "booking_confirmed", "es", subject="Another venue")
    confirmed(venue)
    [job] = claim_mails(venue)
    assert prepare(venue, job)["override"] is None
    reword(venue, "booking_confirmed", "es", body="Hola")
    assert prepare(venue, job)["override"] == {"subject": None, "body": "Hola"}


def words_of(venue: Venue) -> dict[str, Any]:
    [row] = venue.owner.select("select * from public.email_template_overrides")
    return row


def test_stored_words_are_tried_and_what_is_wrong_is_told_to_those_who_wrote_them(
    venue: Venue,
) -> None:
    problem = {"field": "body", "line": 1, "problem": "There is no room."}
    reword(venue, "booking_confirmed", "es", body="{{ room.name }}")
    assert words_of(venue)["checked_at"] is None

    def check(problem: Any) -> None:
        [job] = venue.service.call("service.claim_jobs", worker="w", max_jobs=1, lease_seconds=60)
        assert job["kind"] == "email.check"
        lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
        words = venue.service.call("service.read_email_words", **lease)
        venue.service.call(
            "service.record_email_words",
            **lease,
            subject=words["subject"],
            body=words["body"],
            problem=problem,
        )
        venue.service.call("service.complete_job", **lease)

    check(problem)
    assert words_of(venue)["checked_at"] is not None
    assert words_of(venue)["problem"] == problem
    confirmed(venue)
    [job] = claim_mails(venue)
    assert prepare(venue, job)["override"] is None
    # Mended, they are tried anew.
    venue.owner.change("update public.email_template_overrides set body = '{{ room_name }}'")
    assert (words_of(venue)["problem"], words_of(venue)["checked_at"]) == (None, None)
    check(None)
    assert words_of(venue)["problem"] is None
    assert prepare(venue, job)["override"] == {"subject": None, "body": "{{ room_name }}"}


def test_what_a_mail_meets_in_its_words_is_told_unless_they_were_changed_since(
    venue: Venue,
) -> None:
    problem = {"field": "subject", "line": 1, "problem": "It cannot be compared."}
    reword(venue, "booking_confirmed", "es", subject="One")
    confirmed(venue)
    [job] = claim_mails(venue)
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    assert prepare(venue, job)["override"]["subject"] == "One"
    venue.owner.change("update public.email_template_overrides set subject = 'Two'")
    told = {"body": None, "problem": problem}
    venue.service.call("service.record_email_words", **lease, subject="One", **told)
    assert words_of(venue)["problem"] is None
    venue.service.call("service.record_email_words", **lease, subject="Two", **told)
    assert words_of(venue)["problem"] == problem


def test_only_the_service_says_whether_words_can_be_used(venue: Venue) -> None:
    reword(venue, "booking_confirmed", "es", body="Hola")
    with pytest.raises(Refused) as refused:
        venue.owner.change("update public.email_template_overrides set problem = null")
    assert refused.value.code == "42501"


@pytest.mark.parametrize("is_dead", [False, True])
def test_a_mail_says_whether_money_is_on_its_voucher_again(venue: Venue, is_dead: bool) -> None:
    voucher = venue.owner.call(
        "issue_voucher",
        organization_id=venue.organization_id,
        amount_cents=TOTAL,
        idempotency_key="one",
    )
    booking = venue.hold(voucher_code=voucher["code"])
    if is_dead:
        cancelled = {"organization_id": venue.organization_id, "voucher_id": voucher["id"]}
        venue.owner.call("cancel_voucher", **cancelled)
    venue.cancel(booking)
    mail = [mail for job in claim_mails(venue) if (mail := prepare(venue, job))][-1]
    assert mail["template"] == "booking_cancelled"
    assert mail["data"]["refunds"] == [
        {
            "method": "voucher",
            "by_hand": is_dead,
            "amount_cents": TOTAL,
            "valid_until": voucher["valid_until"],
            "given": False,
            "disputed": False,
        }
    ]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        (("poem", "es", "x", None), "template_fkey"),
        (("invitation", "de", "x", None), "locale_is_supported"),
        (("invitation", "es", None, None), "says_something"),
        (("invitation", "es", " ", None), "subject_is_a_line_of_1_to_200"),
        (("invitation", "es", "a\nb", None), "subject_is_a_line_of_1_to_200"),
        (("invitation", "es", "x" * 201, None), "subject_is_a_line_of_1_to_200"),
        (("invitation", "es", None, "x" * 5001), "body_is_a_text_of_1_to_5000"),
        (("invitation", "es", None, " "), "body_is_a_text_of_1_to_5000"),
    ],
)
def test_own_words_are_for_a_mail_that_exists_and_not_endless(
    venue: Venue, values: tuple[str | None, ...], constraint: str
) -> None:
    with pytest.raises(Refused, match=f"email_template_overrides_{constraint}"):
        venue.owner.change(
            "insert into public.email_template_overrides (template, locale, subject, body)"
            " values (%s, %s, %s, %s)",
            *values,
        )


# -- what becomes of a mail -------------------------------------------------------------------


def event(kind: str, message_id: str, to: str = "x@example.com", **data: Any) -> dict[str, Any]:
    minute = {"delivered": 1, "bounced": 2, "complained": 3, "opened": 4}[kind]
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": f"email.{kind}",
        "created_at": f"2030-01-01T00:0{minute}:00Z",
        "data": {"email_id": message_id, "to": [to], **data},
    }


def report(venue: Venue, sent: dict[str, Any]) -> Any:
    return venue.service.call("service.record_email_event", event=sent)


def test_reports_in_any_order_leave_the_newest(venue: Venue) -> None:
    for order in permutations(["delivered", "complained", "opened"]):
        job, message_id = send(venue)
        venue.database.run("delete from private.email_suppressions")
        for kind in order:
            report(venue, event(kind, message_id))
        assert message(venue, job)["status"] == "complained"


def test_a_report_may_overtake_the_record_of_its_mail(venue: Venue) -> None:
    confirmed(venue)
    [job] = claim_mails(venue)
    prepare(venue, job)
    report(venue, event("delivered", "m-early"))
    record(venue, job, "m-early")
    assert message(venue, job)["status"] == "delivered"


def test_a_report_is_taken_once(venue: Venue) -> None:
    _, message_id = send(venue)
    sent = event("delivered", message_id)
    assert report(venue, sent) == {"duplicate": False}
    assert report(venue, sent) == {"duplicate": True}


@pytest.mark.parametrize(
    ("kind", "data", "suppressed"),
    [
        ("bounced", {"bounce": {"type": "Permanent"}}, True),
        ("bounced", {}, True),
        ("bounced", {"bounce": {"type": "Transient"}}, False),
        ("complained", {}, True),
        ("delivered", {}, False),
    ],
)
def test_an_address_that_bounces_for_good_or_complains_is_left_in_peace(
    venue: Venue, kind: str, data: dict[str, Any], suppressed: bool
) -> None:
    email = f"{uuid.uuid4()}@example.com"
    report(venue, event(kind, "m", to=email.upper(), **data))
    confirmed(venue, email)
    [job] = claim_mails(venue)
    assert (prepare(venue, job) is None) is suppressed
    assert message(venue, job)["status"] == ("suppressed" if suppressed else "prepared")
    if suppressed:
        *_, mail = venue.owner.select(
            "select * from public.booking_emails(%s, %s) where status = 'suppressed'",
            venue.organization_id,
            job["payload"]["booking_id"],
        )
        why = {"bounced": "came back before", "complained": "reported as spam before"}
        assert why[kind] in mail["reason"]


def test_a_report_without_a_mail_or_an_address_is_kept(venue: Venue) -> None:
    assert report(
        venue, {"id": f"msg_{uuid.uuid4()}", "type": "email.complained", "data": {"to": None}}
    ) == {"duplicate": False}


@pytest.mark.parametrize("changes", [{"id": ""}, {"type": None}])
def test_what_is_no_report_is_refused(venue: Venue, changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        report(venue, {**event("delivered", "m"), **changes})
    assert (refused.value.status, refused.value.code) == (422, "event_invalid")
