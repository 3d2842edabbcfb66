"""Using the house to write to people who asked for nothing, and making others wait."""

from __future__ import annotations

import time
from uuid import uuid4

import httpx

from siege.ground import Ground, address, hold_true, in_parallel, message
from venues import answer

#: More mails than this to one address in a minute, from whatever cause, are a nuisance.
_BEARABLE = 12


def vouchers_are_no_mail_cannon(ground: Ground) -> None:
    """Thirty vouchers in a row for one address do not become thirty mails."""
    victim = address("victim")
    mine = {"organization_id": ground.south.organization_id}
    codes = [
        ground.south.owner.rpc(
            "issue_voucher",
            **mine,
            amount_cents=100,
            recipient_email=victim,
            message="Buy at evil.test",
            idempotency_key=uuid4().hex,
        )
        for _ in range(30)
    ]
    hold_true(
        any(told.status_code in {422, 429} for told in codes), "thirty were taken without a word"
    )
    _settle()
    received = len(ground.mailbox().of(victim))
    hold_true(received <= _BEARABLE, f"{received} mails to one address")


def a_free_room_is_no_mail_cannon(ground: Ground) -> None:
    """A free room booked for a stranger's address fills neither calendar nor mailbox."""
    victim = address("free")
    room = ground.south.rooms["la-cripta"]
    answer(ground.south.owner.update("rooms", {"price_cents": 0}, id=f"eq.{room}"))
    try:
        taken = [
            ground.hold(ground.visitor(), slot, victim, venue=ground.south)
            for slot in ground.times(ground.south)[:18]
        ]
    finally:
        answer(ground.south.owner.update("rooms", {"price_cents": 6000}, id=f"eq.{room}"))
    booked = sum(told.is_success for told in taken)
    hold_true(booked < 18, "eighteen places for one unpaid address")
    _settle()
    received = len(ground.mailbox().of(victim))
    hold_true(received <= _BEARABLE, f"{received} mails to one address")


def unpaid_holds_of_one_person_are_few(ground: Ground) -> None:
    """Twenty holds for one e-mail from twenty addresses are refused before they fill the day."""
    victim = address("holder")
    answers = [ground.hold(ground.visitor(), slot, victim) for slot in ground.times()[60:80]]
    hold_true(
        any(
            told.status_code in {409, 422, 429} and message(told) != "slot_taken"
            for told in answers
        ),
        "twenty unpaid places for one e-mail",
    )


def one_export_at_a_time(ground: Ground) -> None:
    """A venue cannot queue sixty exports."""
    owner = ground.south.owner

    def ask() -> httpx.Response:
        return owner.rpc("export_organization", organization_id=ground.south.organization_id)

    for _ in range(6):
        in_parallel(*[ask] * 10)
        # However fast the worker makes them: one waits, or is being made.
        pending = answer(owner.get("organization_exports", select="id", status="eq.queued"))
        hold_true(len(pending) <= 1, f"{len(pending)} exports wait at once")


def words_of_a_venue_cannot_stop_its_mails(ground: Ground) -> None:
    """Whatever a venue writes into a template, the customer hears, and the service stands."""
    mine = {"organization_id": ground.north.organization_id}
    owner = ground.north.owner
    for words in (
        "{{ " + "9" * 4891 + " }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ room.name }}",
        "{% for n in range(10**9) %}x{% endfor %}",
        "{% for",
    ):
        owner.delete("email_template_overrides", template="eq.voucher_issued")
        written = {"template": "voucher_issued", "locale": "es", "body": words}
        owner.insert("email_template_overrides", {**mine, **written})
        reader = address("reader")
        answer(
            owner.rpc(
                "issue_voucher",
                **mine,
                amount_cents=100,
                recipient_email=reader,
                locale="es",
                idempotency_key=uuid4().hex,
            )
        )
        (mail,) = ground.mailbox().wait_for(reader, seconds=30)
        hold_true("__mro__" not in str(mail) and "<class" not in str(mail), f"rendered: {mail}")


def a_venue_that_writes_to_thousands_delays_nobody(ground: Ground) -> None:
    """While a venue's mails are queued by the hundred, another's goes out within seconds."""
    mine = {"organization_id": ground.south.organization_id}
    for _ in range(300):
        ground.south.owner.rpc(
            "issue_voucher",
            **mine,
            amount_cents=100,
            recipient_email=address("bulk"),
            idempotency_key=uuid4().hex,
        )
    friend = address("friend")
    started = time.monotonic()
    answer(
        ground.north.owner.rpc(
            "issue_voucher",
            organization_id=ground.north.organization_id,
            amount_cents=100,
            recipient_email=friend,
            idempotency_key=uuid4().hex,
        )
    )
    ground.mailbox().wait_for(friend, seconds=90)
    waited = time.monotonic() - started
    hold_true(waited < 15, f"another venue's mail took {waited:.0f} s")


def _settle() -> None:
    """Let the worker take what is queued; a mail leaves within two seconds when all is well."""
    time.sleep(4)
