"""Gift vouchers' mails: sent once more by staff, and held by a dispute; terms agreed to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import SERVICE, Refused
from db.connect_world import Shop, World, open_world
from db.money_world import Database, member
from db.test_voucher_sales import Order, bought, order, selling

Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(money: Database) -> Iterator[World]:
    with open_world(money) as found:
        yield found


@pytest.fixture
def shop(world: World) -> Shop:
    return selling(world)


def soon() -> object:
    """A date of delivery that is still to come."""
    return datetime.now(UTC).date() + timedelta(days=20)


def claim(gift: Order, template: str = "voucher_issued") -> list[Row]:
    """Its mails that wait, whenever they are due, in the hands of a worker."""
    return gift.shop.venue.database.all(
        "update private.jobs set status = 'running', lease_token = gen_random_uuid(), attempts = 1,"
        " run_at = now() + interval '1 min'"
        " where status = 'queued' and kind = 'email.send' and payload ->> 'template' = %s"
        " and coalesce(payload ->> 'voucher_id', payload ->> 'voucher_order_id') in (%s, %s)"
        " returning *",
        template,
        str(gift.row["voucher_id"]),
        gift.id,
    )


def finish(gift: Order, job: Row) -> Row | None:
    """The worker prepares it, and hands it over if there is something to say; what it says."""
    service = gift.shop.venue.database.client(SERVICE)
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    mail: Row | None = service.call("service.prepare_email", **lease)
    if mail is not None:
        service.call(
            "service.record_email",
            **lease,
            provider="resend",
            provider_message_id=str(uuid.uuid4()),
        )
    service.call("service.complete_job", **lease)
    return mail


def send(gift: Order, template: str = "voucher_issued") -> list[str]:
    """Where its mails that wait go."""
    mails = [finish(gift, job) for job in claim(gift, template)]
    return [mail["to"]["email"] for mail in mails if mail is not None]


def seen(gift: Order, template: str = "voucher_issued") -> list[str]:
    """What staff see of its mails, oldest first."""
    rows = gift.shop.venue.owner.call(
        "voucher_emails", organization_id=gift.shop.id, voucher_id=gift.row["voucher_id"]
    )
    return [row["status"] for row in reversed(rows) if row["template"] == template]


def resend(gift: Order, client: Any = None, **more: Any) -> Row:
    answer: Row = (client or gift.shop.venue.owner).call(
        "resend_voucher_email",
        **{
            "organization_id": gift.shop.id,
            "voucher_id": gift.row["voucher_id"],
            "idempotency_key": str(uuid.uuid4()),
            **more,
        },
    )
    return answer


def disputed(gift: Order, status: str | None = None) -> None:
    if status is None:
        gift.dispute()
    else:
        gift.decide(status)
    gift.shop.world.hear()


def told(gift: Order) -> list[bool]:
    """Whether each mail to an owner about the dispute says that the delivery is held."""
    return [
        job["content"]["data"]["delivery_held"]
        for job in gift.shop.venue.database.all(
            "select private.dispute_content(organization_id, payload) as content"
            " from private.jobs where payload ->> 'voucher_dispute_id' is not null"
            " and organization_id = %s",
            gift.shop.id,
        )
    ]


# -- a delivery and a dispute ----------------------------------------------------------------------


def test_a_delivery_that_comes_due_in_a_dispute_is_held_told_and_sent_once_it_is_won(
    shop: Shop,
) -> None:
    gift = bought(shop, deliver_on=soon())
    assert seen(gift) == ["waiting"]
    disputed(gift)
    assert told(gift) == [True]
    assert seen(gift) == ["held"]
    assert send(gift) == []
    assert seen(gift) == ["held"]
    with pytest.raises(Refused) as refused:
        resend(gift)
    assert refused.value.code == "nothing_to_send"
    disputed(gift, "won")
    assert seen(gift) == ["not_needed", "waiting"]
    (job,) = [mail for mail in gift.mails() if mail["run_at"] > datetime.now(UTC)][-1:]
    assert job["run_at"].date() == soon(), "on its date, since that is still to come"
    assert send(gift) == [gift.row["recipient_email"]]
    assert seen(gift) == ["not_needed", "sent"]


def test_a_delivery_whose_dispute_is_lost_is_void(shop: Shop) -> None:
    gift = bought(shop, deliver_on=soon())
    disputed(gift)
    send(gift)
    disputed(gift, "lost")
    assert seen(gift) == ["void"]
    assert send(gift) == []


def test_a_delivery_that_still_waits_when_the_dispute_is_won_is_the_same_mail(shop: Shop) -> None:
    gift = bought(shop, deliver_on=soon())
    disputed(gift)
    disputed(gift, "won")
    assert seen(gift) == ["waiting"]
    assert send(gift) == [gift.row["recipient_email"]]


def test_what_was_delivered_before_the_dispute_is_not_delivered_again(shop: Shop) -> None:
    gift = bought(shop)
    assert send(gift) == [gift.row["recipient_email"]]
    disputed(gift)
    assert told(gift) == [False]
    disputed(gift, "won")
    assert seen(gift) == ["sent"]


@pytest.mark.parametrize("first", ["the one of before", "the one that was released"])
def test_a_worker_that_has_the_delivery_in_its_hands_and_a_release_send_one_mail(
    shop: Shop, first: str
) -> None:
    gift = bought(shop)
    (before,) = claim(gift)
    disputed(gift)
    disputed(gift, "won")
    (released,) = claim(gift)
    jobs = [before, released] if first == "the one of before" else [released, before]
    sent = [finish(gift, job) for job in jobs]
    assert sent[0] is not None
    assert sent[1] is None


def test_a_voucher_that_was_given_back_has_nothing_to_deliver(shop: Shop) -> None:
    gift = bought(shop, deliver_on=soon())
    gift.refund()
    assert seen(gift) == ["void"]
    assert send(gift) == []


# -- once more -------------------------------------------------------------------------------------


def test_staff_send_it_once_more_to_recipient_and_buyer_and_once_a_key(shop: Shop) -> None:
    gift = bought(shop)
    send(gift)
    send(gift, "voucher_bought")
    key = str(uuid.uuid4())
    assert resend(gift, idempotency_key=key) == resend(gift, idempotency_key=key)
    assert resend(gift, kind="buyer")["template"] == "voucher_bought"
    assert send(gift) == [gift.row["recipient_email"]]
    assert send(gift, "voucher_bought") == [gift.row["buyer_email"]]
    assert (seen(gift), seen(gift, "voucher_bought")) == (["sent", "sent"], ["sent", "sent"])


def test_a_corrected_address_is_kept(shop: Shop) -> None:
    gift = bought(shop)
    send(gift)
    send(gift, "voucher_bought")
    resend(gift, email=" Marta@Example.COM ")
    resend(gift, kind="buyer", email="joan@example.com")
    assert send(gift) == ["marta@example.com"]
    assert send(gift, "voucher_bought") == ["joan@example.com"]
    row = gift.row
    assert (row["recipient_email"], row["buyer_email"]) == ("marta@example.com", "joan@example.com")


def test_what_is_to_be_delivered_on_a_date_is_corrected_and_not_sent_before(shop: Shop) -> None:
    gift = bought(shop, deliver_on=soon())
    with pytest.raises(Refused) as refused:
        resend(gift)
    assert refused.value.code == "nothing_to_send"
    resend(gift, email="marta@example.com")
    assert seen(gift) == ["waiting"]
    assert send(gift) == ["marta@example.com"]


def test_what_cannot_be_sent_is_refused_and_changes_nothing(shop: Shop) -> None:
    gift = bought(shop, recipient_email=None)
    owner = shop.venue.owner
    issued = owner.call(
        "issue_voucher",
        organization_id=shop.id,
        amount_cents=5000,
        idempotency_key=str(uuid.uuid4()),
    )
    for code, more in (
        ("address_missing", {}),
        ("email_invalid", {"email": "nobody"}),
        ("email_kind_invalid", {"kind": "friend"}),
        ("voucher_not_found", {"voucher_id": str(uuid.uuid4())}),
        (
            "nothing_to_send",
            {"voucher_id": issued["id"], "kind": "buyer", "email": "a@example.com"},
        ),
    ):
        with pytest.raises(Refused) as refused:
            resend(gift, **more)
        assert refused.value.code == code
    gift.refund()
    with pytest.raises(Refused) as refused:
        resend(gift, email="marta@example.com")
    assert refused.value.code == "nothing_to_send"
    assert gift.row["recipient_email"] is None


def test_who_may_send_mails_needs_more_to_correct_an_address(shop: Shop) -> None:
    gift = bought(shop)
    desk = member(shop.venue, "receptionist")
    assert resend(gift, desk)["template"] == "voucher_issued"
    with pytest.raises(Refused) as refused:
        resend(gift, desk, email="mine@example.com")
    assert refused.value.code == "permission_denied"
    assert gift.row["recipient_email"] != "mine@example.com"


def test_one_address_is_sent_so_many_a_day(shop: Shop) -> None:
    gift = bought(shop)

    def refusal() -> str | None:
        try:
            resend(gift)
        except Refused as refused:
            return refused.code
        return None

    answers = [refusal() for _ in range(100)]
    assert answers[0] is None
    assert answers[-1] == "mail_limit_reached"


# -- what was agreed to ----------------------------------------------------------------------------


def test_a_calendars_terms_are_agreed_to_word_for_word_and_kept(shop: Shop) -> None:
    shop.venue.database.run(
        "update public.calendars set terms = %s where organization_id = %s",
        Jsonb({"es": "Sin cambio por dinero.", "en": "No cash."}),
        shop.id,
    )
    for words in (None, "", "No cash", "I agree"):
        with pytest.raises(Refused) as refused:
            order(shop, accepted_terms=words)
        assert refused.value.code == "terms_not_accepted"
    gift = bought(shop, accepted_terms="No cash.")
    assert gift.row["accepted_terms"] == "No cash."
    mails = [finish(gift, job) for job in (*claim(gift), *claim(gift, "voucher_bought"))]
    assert [mail["data"]["terms"] for mail in mails if mail] == ["No cash."] * 2
    # What the venue changes afterwards counts for later orders.
    shop.venue.database.run(
        "update public.calendars set terms = '{}' where organization_id = %s", shop.id
    )
    assert gift.row["accepted_terms"] == "No cash."
    assert order(shop, accepted_terms="anything").row["accepted_terms"] == ""
