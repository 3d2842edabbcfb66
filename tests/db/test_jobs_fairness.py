"""The queue: nobody's work holds up another's."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from client import SERVICE, Client
from db.money_world import Database, Venue, make_venue
from db.test_jobs_queue import forget_what_is_gone, rows_read_by_a_claim


@pytest.fixture
def worker(money: Database) -> Client:
    money.run("delete from private.jobs")
    return money.client(SERVICE)


@pytest.fixture
def venues(money: Database, worker: Client) -> list[Venue]:
    found = [make_venue(money) for _ in range(3)]
    money.run("delete from private.jobs")
    return found


def queue(money: Database, venue: Venue | None, jobs: int, kind: str = "email.send") -> None:
    money.run(
        "insert into private.jobs (kind, payload, dedupe_key, organization_id, run_at)"
        " select %s, '{}', gen_random_uuid()::text, %s, now() - interval '1 hour'"
        " from generate_series(1, %s)",
        kind,
        venue and venue.organization_id,
        jobs,
    )


def claim(worker: Client, max_jobs: int = 8, kept_for_money: int = 0) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = worker.call(
        "service.claim_jobs",
        worker="w",
        max_jobs=max_jobs,
        lease_seconds=60,
        kept_for_money=kept_for_money,
    )
    return jobs


def done(worker: Client, job: dict[str, Any]) -> None:
    worker.call("service.complete_job", job_id=job["id"], lease_token=job["lease_token"])


def limit(money: Database, kind: str) -> int:
    return int(money.one("select share_limit from private.job_kinds where kind = %s", kind))


def test_ten_thousand_mails_of_one_venue_do_not_hold_up_another_s(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    loud, quiet, other = venues
    queue(money, loud, 10_000)
    queue(money, quiet, 1)
    queue(money, other, 2)
    taken = Counter(str(job["organization_id"]) for job in claim(worker, max_jobs=5))
    assert taken[quiet.organization_id] == 1
    assert taken[other.organization_id] == 2
    assert taken[loud.organization_id] == 2


def test_mails_that_hang_leave_slots_for_everybody_else(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    loud, quiet, _ = venues
    queue(money, loud, 60)
    hanging = claim(worker)
    assert len(hanging) == limit(money, "email.send") < 8
    assert claim(worker) == []
    queue(money, quiet, 1)
    [job] = claim(worker)
    assert str(job["organization_id"]) == quiet.organization_id
    # One that ends makes room for the next one, and for no more.
    done(worker, hanging[0])
    assert [str(job["organization_id"]) for job in claim(worker)] == [loud.organization_id]


def test_a_worker_that_died_uses_nobody_s_share(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    queue(money, venues[0], 20)
    lost = {job["id"] for job in claim(worker)}
    money.run("update private.jobs set run_at = now() - interval '1 s' where status = 'running'")
    assert len(claim(worker)) == len(lost) == limit(money, "email.send")


def test_money_comes_before_mail_and_mail_before_files(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    queue(money, venues[0], 1, "organization.export")
    queue(money, venues[0], 1, "email.send")
    queue(money, venues[0], 1, "a.kind.of.tomorrow")
    queue(money, venues[0], 1, "stripe.refund")
    money.run("update private.jobs set run_at = now() - id * interval '1 min'")
    claimed = [claim(worker, max_jobs=1)[0] for _ in range(4)]
    assert (claimed[0]["kind"], claimed[0]["money"]) == ("stripe.refund", True)
    assert {job["kind"] for job in claimed[1:3]} == {"email.send", "a.kind.of.tomorrow"}
    assert (claimed[3]["kind"], claimed[3]["money"]) == ("organization.export", False)


def test_slots_that_are_kept_for_money_go_to_nothing_else(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    for venue in venues:
        queue(money, venue, 10)
    assert len(claim(worker, max_jobs=8, kept_for_money=2)) == 6
    assert claim(worker, max_jobs=2, kept_for_money=2) == []
    queue(money, None, 5, "stripe.sync")
    assert [job["kind"] for job in claim(worker, max_jobs=2, kept_for_money=2)] == [
        "stripe.sync",
        "stripe.sync",
    ]


def test_news_of_one_account_does_not_hold_up_another_s(money: Database, worker: Client) -> None:
    for account, jobs in (("acct_loud", 50), ("acct_quiet", 1)):
        money.run(
            "insert into private.jobs (kind, payload, dedupe_key)"
            " select 'stripe.sync', jsonb_build_object('account', %s::text),"
            " gen_random_uuid()::text from generate_series(1, %s)",
            account,
            jobs,
        )
    taken = Counter(job["payload"]["account"] for job in claim(worker))
    assert taken["acct_quiet"] == 1
    assert taken["acct_loud"] == limit(money, "stripe.sync")


@pytest.mark.parametrize("kind", ["organization.export", "table.export"])
def test_exports_of_many_venues_leave_most_slots_free(
    money: Database, worker: Client, venues: list[Venue], kind: str
) -> None:
    for venue in venues:
        queue(money, venue, 3, kind)
    claimed = claim(worker)
    assert len({str(job["organization_id"]) for job in claimed}) == len(claimed) == 2
    assert claim(worker) == []


def test_every_job_is_claimed_in_the_end(
    money: Database, worker: Client, venues: list[Venue]
) -> None:
    for venue in venues:
        queue(money, venue, 30)
        queue(money, venue, 5, "stripe.refund")
    queue(money, None, 5, "storage.erase")
    taken = 0
    while jobs := claim(worker, max_jobs=7, kept_for_money=2):
        for job in jobs:
            done(worker, job)
        taken += len(jobs)
    assert taken == 110


@pytest.mark.parametrize("analyzed", [True, False])
def test_a_claim_reads_a_few_rows_of_each_share_however_many_wait(
    money: Database, worker: Client, venues: list[Venue], analyzed: bool
) -> None:
    forget_what_is_gone(money)  # of the test before
    queue(money, venues[0], 10_000)
    queue(money, venues[1], 10)
    if analyzed:
        money.run("analyze private.jobs")
    assert rows_read_by_a_claim(money) < 200


def test_one_mail_is_not_behind_all_those_of_more_venues_than_there_are_slots(
    money: Database, worker: Client
) -> None:
    """By age alone, the slots would be those of the first venues until these have nothing left."""
    money.run(
        "insert into private.jobs (kind, payload, dedupe_key, run_at)"
        " select 'email.send', jsonb_build_object('account', 'venue ' || mod(n, 30)),"
        " gen_random_uuid()::text, now() - interval '1 hour' from generate_series(1, 600) as n"
    )
    money.run(
        "insert into private.jobs (kind, payload, dedupe_key)"
        " values ('email.send', '{\"account\": \"late\"}', 'late')"
    )
    claimed: list[str] = []
    # Its chance is a third each time: that it is not among 400 of 600 is one in ten million.
    while "late" not in claimed and len(claimed) < 400:
        for job in claim(worker, max_jobs=10):
            claimed.append(job["payload"]["account"])
            done(worker, job)
    assert "late" in claimed
