"""A mail that is prepared in the moment in which its recipient is erased: nothing of them stays."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from client import SERVICE, Client
from db.money_world import Database, Venue, make_venue
from db.test_mail_limits import cancel_by_desk, confirmed_by_desk, joined
from stack import wait_until

Lease = dict[str, Any]


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs; delete from private.rate_limits")
    return make_venue(money)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def of_a_booking(venue: Venue, email: str) -> None:
    cancel_by_desk(venue, confirmed_by_desk(venue, email))


def of_somebody_who_waits(venue: Venue, email: str) -> None:
    joined(venue, customer={"full_name": "Eva", "email": email})


def of_a_voucher(venue: Venue, email: str) -> None:
    cancel_by_desk(venue, confirmed_by_desk(venue, email))
    venue.database.run("delete from private.jobs")
    venue.owner.call(
        "issue_voucher",
        organization_id=venue.organization_id,
        amount_cents=1_000,
        recipient_name="Eva",
        recipient_email=email,
        idempotency_key=str(uuid.uuid4()),
    )


def of_an_invitation(venue: Venue, email: str) -> None:
    cancel_by_desk(venue, confirmed_by_desk(venue, email))
    venue.database.run("delete from private.jobs")
    role = venue.database.one(
        "select id from public.roles where organization_id = %s and key = 'game_master'",
        venue.organization_id,
    )
    venue.owner.call(
        "invite_member", organization_id=venue.organization_id, role_id=role, email=email
    )


CAUSES = [of_a_booking, of_somebody_who_waits, of_a_voucher, of_an_invitation]


def leases(venue: Venue) -> list[Lease]:
    jobs = venue.service.call("service.claim_jobs", worker="w", max_jobs=9, lease_seconds=60)
    return [{"job_id": job["id"], "lease_token": job["lease_token"]} for job in jobs]


def prepare(client: Client, mails: list[Lease]) -> list[Any]:
    return [client.call("service.prepare_email", **lease) for lease in mails]


def erase(client: Client, venue: Venue, customer_id: str) -> None:
    client.call(
        "erase_customer",
        organization_id=venue.organization_id,
        customer_id=customer_id,
        reason="Asked",
    )


def blocked(venue: Venue, client: Client) -> Callable[[], bool]:
    backend = client.connection.info.backend_pid
    return lambda: bool(venue.database.one("select cardinality(pg_blocking_pids(%s)) > 0", backend))


def waits(venue: Venue, client: Client, work: Future[Any]) -> None:
    """Return once the work waits for the other one, or has gone ahead without."""
    wait_until(lambda: work.done() or blocked(venue, client)())


def traces(venue: Venue, email: str) -> dict[str, int]:
    """How many rows of mails and of their jobs still name the address."""
    return {
        table: found
        for table in ("private.email_messages", "private.jobs")
        if (
            found := venue.database.one(
                f"select count(*) from {table} as t where t::text like %s", f"%{email}%"
            )
        )
    }


def arranged(venue: Venue, cause: Any) -> tuple[str, str, list[Lease]]:
    email = f"{uuid.uuid4()}@example.com"
    cause(venue, email)
    customer_id = venue.database.one(
        "select id::text from public.customers where organization_id = %s and email = %s",
        venue.organization_id,
        email,
    )
    mails = leases(venue)
    assert mails
    return email, customer_id, mails


@pytest.mark.parametrize("cause", CAUSES)
def test_a_mail_that_is_just_being_prepared_is_forgotten_by_the_erasure(
    venue: Venue, cause: Any, pool: ThreadPoolExecutor
) -> None:
    email, customer_id, mails = arranged(venue, cause)
    with venue.database.clients(SERVICE, venue.owner.caller) as (worker, owner):
        with worker.connection.transaction():
            assert any(mail is not None for mail in prepare(worker, mails))
            erasing = pool.submit(erase, owner, venue, customer_id)
            waits(venue, owner, erasing)
        erasing.result()
    assert traces(venue, email) == {}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_mail_that_is_prepared_during_the_erasure_reads_what_that_has_left(
    venue: Venue, cause: Any, pool: ThreadPoolExecutor
) -> None:
    email, customer_id, mails = arranged(venue, cause)
    with venue.database.clients(venue.owner.caller, SERVICE) as (owner, worker):
        with owner.connection.transaction():
            erase(owner, venue, customer_id)
            preparing = pool.submit(prepare, worker, mails)
            waits(venue, worker, preparing)
        answers = preparing.result()
    # Who is invited to work there is no customer in it: that mail is another matter.
    if cause is not of_an_invitation:
        assert answers == [None] * len(mails)
        assert traces(venue, email) == {}


def test_mails_of_one_venue_do_not_wait_for_each_other(venue: Venue) -> None:
    _, _, mails = arranged(venue, of_a_booking)
    with (
        venue.database.clients(SERVICE, SERVICE) as (one, other),
        one.connection.transaction(),
    ):
        other.connection.execute("set lock_timeout = '2s'")
        prepare(one, mails[:1])
        assert len(prepare(other, mails[1:])) == len(mails) - 1
