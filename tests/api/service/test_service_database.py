"""The client of the database: what travels, what is tried again, how refusals are named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from escapemaster.database import PersonDatabase, ServiceDatabase, connection_pool
from escapemaster.errors import DomainError, UnavailableError, UnexpectedError

from .fakes import FakePostgrest, refusal

ID = UUID("018f0000-0000-7000-8000-000000000001")


@pytest.fixture
async def pool(postgrest: FakePostgrest) -> AsyncIterator[httpx.AsyncClient]:
    async with connection_pool(postgrest.transport) as pool:
        yield pool


@pytest.fixture
def database(pool: httpx.AsyncClient) -> ServiceDatabase:
    return ServiceDatabase(
        pool, url="http://gateway.test/", secret_key="sb_secret_test", retry_delays=(0, 0)
    )


async def test_the_service_shows_its_secret_key_and_no_token(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", {"database": "ok", "migration": None})
    await database.health()
    call = postgrest.calls[0]
    assert call.schema == "service"
    assert call.headers["apikey"] == "sb_secret_test"
    assert "authorization" not in call.headers


async def test_a_persons_request_travels_with_the_persons_token(
    pool: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=True)
    postgrest.answer("my_context", {"user": None})
    person = PersonDatabase(
        pool,
        url="http://gateway.test",
        publishable_key="sb_publishable_test",
        token="a.b.c",
        organization_id=ID,
        request_id="r-1",
    )
    assert await person.has_permission("rooms:read") is True
    assert await person.call("my_context", {}) == {"user": None}
    call = postgrest.calls[0]
    assert call.schema == "public"
    assert call.arguments == {"permission": "rooms:read"}
    assert call.headers["apikey"] == "sb_publishable_test"
    assert call.headers["authorization"] == "Bearer a.b.c"
    assert call.headers["x-organization-id"] == str(ID)
    assert call.headers["x-request-id"] == "r-1"


async def test_no_organization_header_is_sent_when_none_was_chosen(
    pool: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.returns(has_permission=False)
    person = PersonDatabase(pool, url="http://gateway.test", publishable_key="k", token="a.b.c")
    assert await person.has_permission("rooms:read") is False
    assert "x-organization-id" not in postgrest.calls[0].headers


async def test_ids_and_instants_are_written_as_text(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("record_checkout", {"status": "open"})
    await database.record_checkout(
        ID, "token", "cs_1", "https://x.test", datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert postgrest.called("record_checkout") == [
        {
            "attempt_id": str(ID),
            "attempt_token": "token",
            "session_id": "cs_1",
            "url": "https://x.test",
            "expires_at": "2026-01-02T00:00:00+00:00",
        }
    ]


async def test_a_rule_s_refusal_keeps_its_code_status_hint_and_data(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.refuse(
        "open_checkout", "PT409", "nothing_due", hint="Nothing.", details='{"total_cents": 5}'
    )
    with pytest.raises(DomainError) as refused:
        await database.open_checkout("R", "t")
    assert refused.value.code == "nothing_due"
    assert refused.value.status == 409
    assert refused.value.hint == "Nothing."
    assert refused.value.details == {"total_cents": 5}
    assert refused.value.retryable is False


async def test_details_that_are_no_json_are_kept_as_text(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("open_checkout", "PT429", "rate_limited", details="wait a little")
    with pytest.raises(DomainError) as refused:
        await database.open_checkout("R", "t")
    assert refused.value.details == "wait a little"
    assert refused.value.retryable is True


@pytest.mark.parametrize(
    ("code", "status", "named"),
    [
        ("PGRST301", 401, "token_invalid"),
        ("PGRST303", 401, "token_invalid"),
        ("42501", 403, "permission_denied"),
        ("22P02", 422, "invalid_input"),
        ("22008", 422, "invalid_input"),
    ],
)
async def test_postgrest_s_own_refusals_have_names_of_ours(
    database: ServiceDatabase, postgrest: FakePostgrest, code: str, status: int, named: str
) -> None:
    postgrest.refuse("open_checkout", code, "internal words")
    with pytest.raises(DomainError) as refused:
        await database.open_checkout("R", "t")
    assert (refused.value.status, refused.value.code) == (status, named)
    assert "internal" not in str(refused.value)


@pytest.mark.parametrize(
    "code",
    [
        "PGRST000", "PGRST001", "PGRST002", "PGRST003",
        "40001", "40P01", "55P03", "25006", "08006", "53300", "57014", "57P01", "58030",
        "PT502", "PT503", "PT504",
    ],
)  # fmt: skip
async def test_what_passes_by_itself_is_unavailable(
    database: ServiceDatabase, postgrest: FakePostgrest, code: str
) -> None:
    postgrest.refuse("health", code, "secret words")
    with pytest.raises(UnavailableError) as failed:
        await database.health()
    assert failed.value.retryable
    assert failed.value.code == "database_unavailable"
    assert "secret" not in str(failed.value)


async def test_a_gateway_that_has_lost_its_upstream_is_unavailable(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", httpx.Response(502, text="<html>bad gateway</html>"))
    with pytest.raises(UnavailableError):
        await database.health()


async def test_a_call_whose_connection_died_has_an_unknown_outcome_and_is_not_the_caller_s_fault(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    nothing = {"code": "", "message": "", "details": None, "hint": None}
    postgrest.answer("open_checkout", httpx.Response(400, json=nothing))
    with pytest.raises(UnavailableError):
        await database.open_checkout("R", "t")


async def test_an_unknown_failure_names_the_function_and_no_data(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("health", "23505", 'duplicate key "secret@example.test"')
    with pytest.raises(UnexpectedError) as failed:
        await database.health()
    assert "health: 23505" in str(failed.value)
    assert "secret" not in str(failed.value)


async def test_an_answer_of_another_shape_is_our_fault_and_is_not_quoted(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("open_checkout", {"reference": "R", "customer_email": 7})
    with pytest.raises(UnexpectedError) as failed:
        await database.open_checkout("R", "t")
    assert failed.value.code == "database_contract"
    assert "attempt_id" in str(failed.value)
    assert failed.value.__cause__ is None


@pytest.mark.parametrize(
    "lost", [httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x")]
)
async def test_a_request_that_never_left_is_sent_again_whatever_it_does(
    database: ServiceDatabase, postgrest: FakePostgrest, lost: Exception
) -> None:
    postgrest.answer("claim_jobs", lost, lost, [])
    assert await database.claim_jobs("w", 1, 10) == []
    assert len(postgrest.calls) == 3


async def test_a_lost_answer_is_asked_for_again_when_that_does_no_harm(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer(
        "complete_job",
        httpx.ReadError("x"),
        httpx.RemoteProtocolError("x"),
        httpx.Response(200, json=True),
    )
    assert await database.complete_job(1, ID) is True
    assert len(postgrest.calls) == 3


async def test_a_lost_claim_is_not_repeated(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("claim_jobs", httpx.ReadError("x"), [])
    with pytest.raises(UnavailableError):
        await database.claim_jobs("w", 1, 10)
    assert len(postgrest.calls) == 1


async def test_trying_again_ends(database: ServiceDatabase, postgrest: FakePostgrest) -> None:
    postgrest.answer("health", httpx.ConnectError("x"))
    with pytest.raises(UnavailableError):
        await database.health()
    assert len(postgrest.calls) == 3


async def test_a_slow_answer_is_not_asked_for_twice(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", httpx.ReadTimeout("x"))
    with pytest.raises(UnavailableError):
        await database.health()
    assert len(postgrest.calls) == 1


async def test_every_function_takes_its_arguments_and_gives_its_shape(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    job = {
        "id": 7,
        "kind": "email.send",
        "payload": {"a": 1},
        "attempt": 1,
        "lease_token": str(ID),
        "organization_id": None,
    }
    answers = {
        "claim_jobs": [job],
        "fail_job": "dead",
        "extend_job": False,
        "complete_job": True,
        "queue_statistics": {
            "queued": 3, "running": 1, "dead": 0, "oldest_queued_seconds": None
        },
        "receive_stripe_event": {"duplicate": True},
        "record_email_event": {"duplicate": False},
        "record_email": {"recorded": True},
        "apply_checkout_session": {"status": "paid"},
        "apply_refund": {"status": "succeeded"},
        "fail_checkout": {"status": "failed"},
        "get_checkout_attempt": {"session_id": None, "status": "open", "stripe_account": None},
        "queue_stale_checkouts": 2,
        "apply_dispute": {"status": "unknown"},
        "get_refund_request": {
            "refund_request_id": str(ID),
            "organization_id": str(ID),
            "reference": "AB12",
            "amount_cents": 5,
            "currency": "EUR",
            "status": "pending",
        },
        "prepare_email": None,
        "sweep": None,
    }  # fmt: skip
    for function, answer in answers.items():
        postgrest.answer(function, answer)

    [leased] = await database.claim_jobs("w", 2, 30)
    assert leased.payload == {"a": 1}
    assert await database.fail_job(7, ID, "why", retry=False) == "dead"
    assert await database.extend_job(7, ID, 30) is False
    assert await database.complete_job(7, ID) is True
    statistics = await database.queue_statistics()
    assert (statistics.queued, statistics.oldest_queued_seconds) == (3, 0)
    assert (await database.receive_stripe_event({"id": "evt"})).duplicate
    assert not (await database.record_email_event({"id": "msg"})).duplicate
    await database.record_email(7, ID, "resend", "m1")
    await database.apply_checkout_session(leased, {"id": "cs_1"})
    await database.apply_refund(leased, {"id": "re_1"})
    await database.apply_dispute(leased, {"id": "du_1"})
    await database.fail_checkout(ID, "token", "why")
    assert (await database.get_checkout_attempt(leased)).session_id is None
    assert await database.queue_stale_checkouts(60) == 2
    assert (await database.get_refund_request(leased)).amount_cents == 5
    for function in (
        "apply_checkout_session", "apply_refund", "apply_dispute",
        "get_checkout_attempt", "get_refund_request",
    ):  # fmt: skip
        [call] = postgrest.called(function)
        assert (call["job_id"], call["lease_token"]) == (7, str(ID)), function
    assert await database.prepare_email(7, ID) is None
    assert await database.sweep() == {}
    assert postgrest.called("fail_job") == [
        {"job_id": 7, "lease_token": str(ID), "error": "why", "retry": False}
    ]


async def test_a_refusal_without_words_still_has_a_code(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer("health", refusal("PT404"))
    with pytest.raises(DomainError) as refused:
        await database.health()
    assert (refused.value.code, refused.value.hint) == ("refused", "")


async def test_a_connection_that_died_during_a_call_is_asked_again_when_that_does_no_harm(
    database: ServiceDatabase, postgrest: FakePostgrest
) -> None:
    postgrest.answer(
        "complete_job",
        refusal(""),
        refusal("PGRST001", "Database client error."),
        httpx.Response(200, json=True),
    )
    assert await database.complete_job(1, ID) is True
    assert len(postgrest.calls) == 3


@pytest.mark.parametrize("code", ["", "PGRST001", "57P01"])
async def test_a_connection_that_died_during_a_call_leaves_its_outcome_unknown(
    database: ServiceDatabase, postgrest: FakePostgrest, code: str
) -> None:
    """PostgREST 12 answers 400 with an empty code: neither the caller's fault nor ours."""
    postgrest.refuse("claim_jobs", code)
    with pytest.raises(UnavailableError) as failed:
        await database.claim_jobs("w", 1, 10)
    assert failed.value.code == "database_unavailable"
    assert len(postgrest.calls) == 1
    postgrest.refuse("health", code)
    with pytest.raises(UnavailableError):
        await database.health()
    assert len(postgrest.calls) == 4
