"""The queue: nothing is lost, nothing is done by two, and what cannot be done is put aside."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from client import SERVICE, Caller, Client, Refused
from db.money_world import Database
from stack import wait_until


@pytest.fixture
def worker(money: Database) -> Client:
    money.run("delete from private.jobs")
    return money.client(SERVICE)


def enqueue(money: Database, key: str = "k", kind: str = "stripe.sync") -> int:
    return int(money.one("select private.enqueue(%s, '{\"n\": 1}', %s)", kind, key))


def claim(worker: Client, max_jobs: int = 1, lease_seconds: int = 60) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = worker.call(
        "service.claim_jobs", worker="w", max_jobs=max_jobs, lease_seconds=lease_seconds
    )
    return jobs


def end_lease(money: Database) -> None:
    money.run("update private.jobs set run_at = now() - interval '1 s' where status = 'running'")


def fail(worker: Client, job: dict[str, Any], *, retry: bool = True) -> str | None:
    answer = worker.call(
        "service.fail_job",
        job_id=job["id"],
        lease_token=job["lease_token"],
        error="no answer",
        retry=retry,
    )
    return None if answer is None else str(answer)


def complete(worker: Client, job: dict[str, Any]) -> bool:
    return bool(
        worker.call("service.complete_job", job_id=job["id"], lease_token=job["lease_token"])
    )


def forget_what_is_gone(money: Database) -> None:
    """Vacuum the queue until no older snapshot (as of autovacuum's analyze) keeps a row of it."""

    def nothing_is_left() -> bool:
        money.run("vacuum private.jobs")
        dead = "select n_dead_tup from pg_stat_all_tables where relid = 'private.jobs'::regclass"
        return bool(money.one(dead) == 0)

    wait_until(nothing_is_left)


def rows_read_by_a_claim(money: Database) -> int:
    """Entries of the table and of its indexes that a claim of eight jobs reads."""
    read = (
        "select sum(pg_stat_get_xact_tuples_returned(oid)) from pg_class"
        " where oid = 'private.jobs'::regclass or oid in"
        " (select indexrelid from pg_index where indrelid = 'private.jobs'::regclass)"
    )
    with money.owner.transaction():
        before = money.one(read)
        money.run("select * from private.claim_jobs('w', 8, 60, 2)")
        return int(money.one(read) - before)


def state(money: Database, job_id: int) -> dict[str, Any]:
    return money.all("select * from private.jobs where id = %s", job_id)[0]


def test_a_claim_says_what_is_to_be_done(money: Database, worker: Client) -> None:
    job_id = enqueue(money)
    [job] = claim(worker)
    assert (job["id"], job["kind"], job["payload"], job["attempt"]) == (
        job_id,
        "stripe.sync",
        {"n": 1},
        1,
    )
    assert job["organization_id"] is None
    assert claim(worker) == []


def test_concurrent_claimers_never_share_a_job(money: Database, worker: Client) -> None:
    wanted = {enqueue(money, f"job {n}") for n in range(300)}

    def drain(client: Client) -> list[int]:
        mine: list[int] = []
        while jobs := claim(client, max_jobs=3):
            mine += [job["id"] for job in jobs]
        return mine

    with money.clients(*[SERVICE] * 8) as clients, ThreadPoolExecutor(len(clients)) as pool:
        taken = [job for mine in pool.map(drain, clients) for job in mine]
    assert len(taken) == len(set(taken))
    assert set(taken) == wanted


def test_the_oldest_due_job_comes_first_and_a_future_one_waits(
    money: Database, worker: Client
) -> None:
    later = money.one("select private.enqueue('a', '{}', 'later', null, now() + interval '1 hour')")
    second = enqueue(money, "second", "a")
    first = money.one("select private.enqueue('a', '{}', 'first', null, now() - interval '1 s')")
    assert [claim(worker)[0]["id"], claim(worker)[0]["id"]] == [first, second]
    assert claim(worker) == []
    money.run("update private.jobs set run_at = now() where id = %s", later)
    assert [job["id"] for job in claim(worker)] == [later]


def test_a_job_whose_worker_died_is_claimed_again(money: Database, worker: Client) -> None:
    job_id = enqueue(money)
    [lost] = claim(worker)
    end_lease(money)

    [again] = claim(worker)

    assert (again["id"], again["attempt"]) == (job_id, 2)
    assert again["lease_token"] != lost["lease_token"]


def test_a_lost_lease_can_do_nothing(money: Database, worker: Client) -> None:
    enqueue(money)
    [lost] = claim(worker)
    end_lease(money)
    [held] = claim(worker)

    assert complete(worker, lost) is False
    assert fail(worker, lost) is None
    assert (
        worker.call(
            "service.extend_job",
            job_id=lost["id"],
            lease_token=lost["lease_token"],
            lease_seconds=9,
        )
        is False
    )
    assert str(state(money, held["id"])["lease_token"]) == held["lease_token"]
    assert complete(worker, held) is True
    assert complete(worker, held) is False


def test_a_lease_that_ended_but_was_not_taken_over_still_completes(
    money: Database, worker: Client
) -> None:
    enqueue(money)
    [job] = claim(worker)
    end_lease(money)
    assert complete(worker, job) is True
    assert claim(worker) == []


def test_an_extended_lease_is_not_taken_over(money: Database, worker: Client) -> None:
    enqueue(money)
    [job] = claim(worker)
    end_lease(money)
    assert (
        worker.call(
            "service.extend_job", job_id=job["id"], lease_token=job["lease_token"], lease_seconds=60
        )
        is True
    )
    assert claim(worker) == []


def test_a_failed_job_waits_longer_each_time_and_never_more_than_an_hour(
    money: Database, worker: Client
) -> None:
    job_id = enqueue(money)
    waits = []
    for _ in range(14):
        [job] = claim(worker)
        assert fail(worker, job) == "queued"
        assert claim(worker) == []
        waits.append(
            money.one(
                "select extract(epoch from run_at - now())::float from private.jobs where id = %s",
                job_id,
            )
        )
        money.run("update private.jobs set run_at = now()")
    assert 2 <= waits[0] <= 5
    assert all(after > before * 0.99 for before, after in pairwise(waits[:8:2]))
    assert all(1_790 <= wait <= 3_600 for wait in waits[11:])
    assert state(money, job_id)["last_error"] == "no answer"


def test_jobs_that_failed_together_do_not_come_back_together(money: Database) -> None:
    waits = {
        row["wait"]
        for row in money.all("select private.job_backoff(9) as wait from generate_series(1, 20)")
    }
    assert len(waits) == 20


def test_a_job_dies_with_its_reason_when_trying_again_would_not_help(
    money: Database, worker: Client
) -> None:
    job_id = enqueue(money)
    [job] = claim(worker)
    assert fail(worker, job, retry=False) == "dead"
    dead = state(money, job_id)
    assert (dead["status"], dead["last_error"]) == ("dead", "no answer")
    assert dead["finished_at"] is not None
    assert claim(worker) == []


def test_a_job_dies_after_its_last_attempt(money: Database, worker: Client) -> None:
    job_id = enqueue(money)
    money.run("update private.jobs set attempts = max_attempts - 1")
    [job] = claim(worker)
    assert fail(worker, job) == "dead"
    assert state(money, job_id)["attempts"] == 25


def test_a_job_that_kills_its_workers_dies_in_the_end(money: Database, worker: Client) -> None:
    job_id = enqueue(money)
    money.run("update private.jobs set attempts = max_attempts - 1")
    assert len(claim(worker)) == 1
    end_lease(money)
    assert claim(worker) == []
    dead = state(money, job_id)
    assert (dead["status"], dead["lease_token"]) == ("dead", None)
    assert dead["last_error"] == "every attempt ended with its worker gone"


def test_one_unfinished_job_a_key(money: Database, worker: Client) -> None:
    first = enqueue(money)
    assert enqueue(money) == first
    assert enqueue(money, kind="stripe.refund") != first
    [job, other] = claim(worker, 2)
    assert complete(worker, job) and complete(worker, other)
    assert enqueue(money) != first


def test_a_job_asked_for_while_it_runs_runs_once_more(money: Database, worker: Client) -> None:
    first = enqueue(money)
    [job] = claim(worker)
    assert enqueue(money) == first
    assert claim(worker) == [], "one at a time"

    assert complete(worker, job) is True
    [again] = claim(worker)
    assert (again["id"], again["attempt"]) == (first, 1)
    assert complete(worker, again) is True
    assert claim(worker) == []


def test_a_job_asked_for_while_it_fails_for_good_is_tried_again(
    money: Database, worker: Client
) -> None:
    job_id = enqueue(money)
    [job] = claim(worker)
    enqueue(money)
    assert fail(worker, job, retry=False) == "queued"
    assert state(money, job_id)["attempts"] == 0


def test_a_waiting_job_is_not_claimed_before_the_new_cause_is_committed(
    money: Database, worker: Client
) -> None:
    job_id = enqueue(money)
    with psycopg.connect(money.dsn) as cause:
        cause.execute("select private.enqueue('stripe.sync', '{}', 'k')")
        assert claim(worker) == []
        cause.commit()
    assert [job["id"] for job in claim(worker)] == [job_id]


def test_a_mail_is_queued_once_for_ever(money: Database, worker: Client) -> None:
    first = enqueue(money, kind="email.send")
    [job] = claim(worker)
    assert complete(worker, job) is True
    assert enqueue(money, kind="email.send") == first
    assert claim(worker) == []


def test_a_cause_that_is_rolled_back_leaves_no_job(money: Database, worker: Client) -> None:
    with psycopg.connect(money.dsn) as cause:
        cause.execute("select private.enqueue('stripe.sync', '{}', 'k')")
        cause.rollback()
    assert claim(worker) == []


def test_statistics_count_what_waits_runs_and_died(money: Database, worker: Client) -> None:
    assert worker.call("service.queue_statistics") == {
        "queued": 0,
        "running": 0,
        "dead": 0,
        "oldest_queued_seconds": 0,
    }
    for n in range(4):
        enqueue(money, f"job {n}")
    [running, dead] = claim(worker, 2)
    fail(worker, dead, retry=False)
    money.run("update private.jobs set run_at = now() - interval '90 s' where status = 'queued'")
    statistics = worker.call("service.queue_statistics")
    assert running["attempt"] == 1
    assert (statistics["queued"], statistics["running"], statistics["dead"]) == (2, 1, 1)
    assert 90 <= statistics["oldest_queued_seconds"] < 120


def test_measures_tell_the_queue_by_kind_and_the_connections(
    money: Database, worker: Client
) -> None:
    def measured() -> dict[tuple[str, str | None], float]:
        rows = worker.call("service.measures")
        return {(row["name"], row["kind"]): row["value"] for row in rows}

    empty = measured()
    assert {name for name, _ in empty if name.startswith("job")} == set()
    assert empty["connections", "active"] >= 1
    assert empty["connections_max", None] == int(money.one("show max_connections"))
    for kind in ("stripe.sync", "stripe.refund"):
        for n in range(3):
            enqueue(money, f"job {n}", kind)
    [running, dead] = claim(worker, 2)
    fail(worker, dead, retry=False)
    money.run("update private.jobs set run_at = now() - interval '90 s' where status = 'queued'")
    enqueue(money, "later", "stripe.sync")
    money.run("update private.jobs set run_at = now() + interval '1 h' where dedupe_key = 'later'")
    now = measured()
    assert now["jobs_running", running["kind"]] == 1
    assert now["jobs_dead", dead["kind"]] == 1
    assert sum(v for (name, _), v in now.items() if name == "jobs_due") == 4
    assert sum(v for (name, _), v in now.items() if name == "jobs_queued") == 5
    for kind in ("stripe.sync", "stripe.refund"):
        assert 90 <= now["job_oldest_due_seconds", kind] < 120


# -- what was given up ------------------------------------------------------------------------


def bury(money: Database, worker: Client, key: str = "k", kind: str = "stripe.sync") -> int:
    """A job that was given up."""
    job_id = enqueue(money, key, kind)
    [job] = claim(worker)
    assert fail(worker, job, retry=False) == "dead"
    return job_id


def test_an_operator_sees_what_was_given_up_and_why(money: Database, worker: Client) -> None:
    older, newer = bury(money, worker, "a"), bury(money, worker, "b")
    enqueue(money, "c")
    listed = worker.call("service.list_dead_jobs")
    assert [job["id"] for job in listed] == [newer, older]
    finished_at = datetime.fromisoformat(listed[0]["finished_at"])
    assert {**listed[0], "finished_at": finished_at} == {
        "id": newer,
        "kind": "stripe.sync",
        "organization_id": None,
        "payload": {"n": 1},
        "attempts": 1,
        "last_error": "no answer",
        "finished_at": state(money, newer)["finished_at"],
    }
    pages = [
        worker.call("service.list_dead_jobs", max_jobs=1),
        worker.call("service.list_dead_jobs", max_jobs=5, before_id=newer),
        worker.call("service.list_dead_jobs", max_jobs=-1),
    ]
    assert [[job["id"] for job in page] for page in pages] == [[newer], [older], []]


def test_what_was_ignored_is_done_and_its_reason_can_be_read(
    money: Database, worker: Client
) -> None:
    dead = bury(money, worker, "dead")
    job_id = enqueue(money, "k")
    [job] = claim(worker)
    became = worker.call(
        "service.fail_job",
        job_id=job_id,
        lease_token=job["lease_token"],
        error="resource_missing: nobody@example.test",
        retry=False,
        ignored=True,
    )
    assert became == "done"
    [listed] = worker.call("service.list_dead_jobs", ignored=True)
    assert (listed["id"], listed["last_error"]) == (job_id, "ignored: resource_missing: [address]")
    assert [row["id"] for row in worker.call("service.list_dead_jobs")] == [dead]
    assert worker.call("service.list_dead_jobs", ignored=True, before_id=job_id) == []
    assert claim(worker) == []


@pytest.mark.parametrize("kind", ["stripe.sync", "email.send"])
def test_a_job_that_was_given_up_is_tried_again_when_asked(
    money: Database, worker: Client, kind: str
) -> None:
    job_id = bury(money, worker, kind=kind)
    assert worker.call("service.retry_job", job_id=job_id) == {
        "id": job_id,
        "kind": kind,
        "status": "queued",
    }
    [job] = claim(worker)
    # Not the first attempt: the one before may have reached the provider.
    assert (job["id"], job["attempt"]) == (job_id, 2)
    assert state(money, job_id)["max_attempts"] == 26
    assert complete(worker, job)


def test_all_that_was_given_up_is_tried_again_when_asked_or_all_of_a_kind(
    money: Database, worker: Client
) -> None:
    for key, kind in (("one", "a"), ("two", "a"), ("three", "b")):
        enqueue(money, key, kind)
        fail(worker, claim(worker)[0], retry=False)
    # Another one does the first's work already.
    enqueue(money, "one", "a")
    assert worker.call("service.retry_dead_jobs", kind="a") == {"queued": 1, "superseded": 1}
    assert worker.call("service.retry_dead_jobs") == {"queued": 1, "superseded": 1}
    assert {job["kind"] for job in claim(worker, max_jobs=8)} == {"a", "b"}
    assert worker.call("service.retry_dead_jobs", kind="c") == {"queued": 0, "superseded": 0}


def test_only_a_job_that_was_given_up_is_tried_again(money: Database, worker: Client) -> None:
    waiting = enqueue(money)
    for job_id in (waiting, waiting + 1):
        with pytest.raises(Refused) as refused:
            worker.call("service.retry_job", job_id=job_id)
        assert (refused.value.status, refused.value.code) == (404, "job_not_found")


def test_a_job_that_another_one_has_replaced_is_let_be(money: Database, worker: Client) -> None:
    job_id = bury(money, worker)
    other = enqueue(money)
    assert other != job_id
    with pytest.raises(Refused) as refused:
        worker.call("service.retry_job", job_id=job_id)
    assert (refused.value.status, refused.value.code) == (409, "job_superseded")
    assert state(money, job_id)["status"] == "dead"


def test_work_that_was_done_long_ago_is_forgotten_and_what_died_is_not(
    money: Database, worker: Client
) -> None:
    old, recent = enqueue(money, "old"), enqueue(money, "recent")
    for job in claim(worker, 2):
        complete(worker, job)
    dead, waiting = bury(money, worker, "dead"), enqueue(money, "waiting")
    money.run(
        "update private.jobs set finished_at = now() - interval '91 days' where id in (%s, %s)",
        old,
        dead,
    )
    money.run(
        "update private.jobs set finished_at = now() - interval '89 days' where id = %s", recent
    )
    assert worker.call("service.sweep")["forgotten_jobs"] == 1
    assert [job["id"] for job in money.all("select id from private.jobs order by id")] == [
        recent,
        dead,
        waiting,
    ]


def test_health_names_the_newest_migration(money: Database, worker: Client) -> None:
    money.run("create schema if not exists supabase_migrations")
    money.run(
        "create table if not exists supabase_migrations.schema_migrations"
        " (version text primary key)"
    )
    money.run("delete from supabase_migrations.schema_migrations")
    assert worker.call("service.health")["migration"] is None
    money.run("insert into supabase_migrations.schema_migrations (version) values ('1'), ('2')")
    # Nobody asked private.check_request before: there is no PostgREST here.
    assert worker.call("service.health") == {
        "database": "ok",
        "migration": "2",
        "requests_checked": False,
    }


def test_the_backlog_alone_decides_what_a_claim_reads(money: Database, worker: Client) -> None:
    money.run(
        "insert into private.jobs (kind, payload, dedupe_key, status, finished_at)"
        " select 'a', '{}', n::text, 'done', now() from generate_series(1, 20000) as n"
    )
    enqueue(money)
    forget_what_is_gone(money)
    money.run("analyze private.jobs")
    assert rows_read_by_a_claim(money) < 100


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_nobody_but_the_service_may_call_the_service_schema(money: Database, role: str) -> None:
    client = money.client(Caller(role, {"role": role, "sub": str(uuid.uuid4())}))
    with pytest.raises(Refused) as refused:
        client.call("service.queue_statistics")
    assert refused.value.code == "42501"
    assert not money.all(
        "select p.proname from pg_proc as p"
        " where p.pronamespace = 'service'::regnamespace"
        " and has_function_privilege(%s, p.oid, 'execute')",
        role,
    )


def test_the_service_may_touch_no_table(money: Database) -> None:
    assert not money.all(
        """
        select c.oid::regclass, privilege
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        cross join unnest(
          '{select,insert,update,delete,truncate,references,trigger}'::text[]
        ) as privilege
        where n.nspname in ('public', 'private', 'service')
          and c.relkind in ('r', 'p', 'v', 'm', 'f')
          and (
            has_table_privilege('service_role', c.oid, privilege)
            or (privilege in ('select', 'insert', 'update', 'references')
              and has_any_column_privilege('service_role', c.oid, privilege))
          )
        """
    )
    assert not money.all(
        "select c.oid::regclass from pg_class as c"
        " where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and case when c.relkind = 'S'"
        " then has_sequence_privilege('service_role', c.oid, 'usage') end"
    )
    service = money.client(SERVICE)
    for table in ("private.jobs", "public.payments", "public.bookings"):
        with pytest.raises(Refused) as refused:
            service.select(f"select * from {table}")
        assert refused.value.code == "42501"
