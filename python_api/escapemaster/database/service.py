"""The door to the database: PostgREST, through the gateway, and nothing else.

This is the one module that knows `postgrest`. It calls functions, never tables: those of schema
`service` with the service's own secret key, and those of schema `public` with the token of the
person on whose behalf a request runs, so that row level security decides.

One call is one transaction. Errors are translated here, once:

* a rule's refusal (`PT4xx`, see PostgREST's page on errors) becomes `DomainError`;
* no answer, a lost connection, an overloaded or restarting database becomes `UnavailableError`:
  whether a call that changes something was done is then not known;
* everything else becomes `UnexpectedError`: the database and this code do not fit together.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Final, TypeVar, cast
from uuid import UUID

import httpx
from postgrest import APIError, AsyncPostgrestClient
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from escapemaster.errors import DomainError, UnavailableError, UnexpectedError

T = TypeVar("T")

#: A repeated call waits this long (seconds) before each further try.
RETRY_DELAYS: Final = (0.05, 0.2, 0.6)

#: SQLSTATE classes and codes that pass by themselves: connection (08), resources (53), operator
#: intervention (57), the system's own errors (58), serialization failure, deadlock, lock not
#: available, and a server that is read-only while another takes over.
#: https://www.postgresql.org/docs/17/errcodes-appendix.html
_PASSING_CLASSES: Final = ("08", "53", "57", "58")
_PASSING_CODES: Final = frozenset({"40001", "40P01", "55P03", "25006"})
#: PostgREST cannot reach, or is not yet connected to, its database.
_POSTGREST_DOWN: Final = frozenset({"PGRST000", "PGRST001", "PGRST002", "PGRST003"})
#: The connection ended while a call ran, so that nobody knows whether it was done. PostgREST 12
#: answers some of these with HTTP 400 and an empty code.
_OUTCOME_UNKNOWN: Final = frozenset({"", "PGRST001", "57P01", "57P02", "57P03"})
#: PostgREST refuses the token: invalid or expired, missing, or its claims do not hold.
_POSTGREST_TOKEN: Final = frozenset({"PGRST300", "PGRST301", "PGRST302", "PGRST303"})
#: The request's values have the wrong form for the function's parameters.
_BAD_VALUES: Final = frozenset(
    {"22P02", "22P05", "22007", "22008", "22003", "22021", "22023", "PGRST102"}
)
_RAISED: Final = re.compile(r"^PT([0-9]{3})$")


class Row(BaseModel):
    """What a function returns: immutable; fields added by a later migration are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class OpenCheckout(Row):
    """An open payment attempt. Amounts in minor units of `currency` (ISO 4217, upper case)."""

    attempt_id: UUID
    organization_id: UUID
    booking_id: UUID
    reference: str
    amount_cents: int
    currency: str
    locale: str
    description: str
    customer_email: str | None
    expires_at: datetime
    stripe_account: str | None = None
    application_fee_cents: int | None = None
    delayed_methods: bool = False
    checkout_url: str | None = None
    site_url: str | None = None


class CheckoutAttempt(Row):
    """Which provider session belongs to an attempt; no session id if none was ever recorded."""

    session_id: str | None = None
    status: str
    stripe_account: str | None = None


class RefundRequest(Row):
    """What is to be paid back to whom. `status` is `pending` while it still has to be done."""

    refund_request_id: UUID
    organization_id: UUID
    reference: str | None = None
    payment_intent: str | None = None
    stripe_account: str | None = None
    amount_cents: int
    currency: str
    status: str
    provider_refund_id: str | None = None


class Job(Row):
    """A claimed piece of work. `attempt` counts from 1; the lease token proves the claim."""

    id: int
    kind: str
    payload: dict[str, JsonValue]
    attempt: int
    lease_token: UUID
    organization_id: UUID | None = None
    #: Whether it moves money, for which workers keep slots.
    money: bool = False


class Recipient(Row):
    """Whom a mail goes to."""

    name: str
    email: str


class EmailOverride(Row):
    """An organization's own words for a mail; None: the product's."""

    subject: str | None = None
    body: str | None = None


class PreparedEmail(Row):
    """Everything a template needs, read in the moment of sending."""

    template: str
    locale: str
    to: Recipient
    data: dict[str, JsonValue]
    override: EmailOverride | None = None


class EmailWords(EmailOverride):
    """An organization's own words for a mail, which are to be tried."""

    template: str
    locale: str


class DeadJob(Row):
    """A job that was given up, and why."""

    id: int
    kind: str
    organization_id: UUID | None = None
    payload: dict[str, JsonValue]
    attempts: int
    last_error: str | None = None
    finished_at: datetime


class Retried(Row):
    """How many dead jobs were queued once more, and how many another job has replaced."""

    queued: int
    superseded: int


class QueueStatistics(Row):
    """How much work waits, runs and has been given up, and how long the oldest has waited."""

    queued: int = 0
    running: int = 0
    dead: int = 0
    oldest_queued_seconds: Annotated[float, BeforeValidator(lambda value: value or 0)] = 0


class Health(Row):
    """What the database says of itself: `ok`, its newest migration, and whether it is asked first.

    Attributes:
        requests_checked: Whether PostgREST asks `private.check_request` before each request.
    """

    database: str
    migration: str | None = None
    requests_checked: bool = False


class ApiKey(Row):
    """The API key that a secret belongs to. `expires_at`: the key's own end."""

    api_key_id: UUID
    organization_id: UUID
    expires_at: datetime


class Received(Row):
    """Whether an event had been received before."""

    duplicate: bool = False


#: The shapes of the answers. What a function of ours answers beside its work is not looked at.
_IGNORED: Final = TypeAdapter[object](object)
_OPEN_CHECKOUT: Final = TypeAdapter[OpenCheckout](OpenCheckout)
_RECEIVED: Final = TypeAdapter[Received](Received)
_CHECKOUT_ATTEMPT: Final = TypeAdapter[CheckoutAttempt](CheckoutAttempt)
_COUNT: Final = TypeAdapter[int](int)
_REFUND_REQUEST: Final = TypeAdapter[RefundRequest](RefundRequest)
_PREPARED_EMAIL: Final = TypeAdapter[PreparedEmail | None](PreparedEmail | None)
_EMAIL_WORDS: Final = TypeAdapter[EmailWords | None](EmailWords | None)
_JOBS: Final = TypeAdapter[list[Job]](list[Job])
_RETRIED: Final = TypeAdapter[Retried](Retried)
_DEAD_JOBS: Final = TypeAdapter[list[DeadJob]](list[DeadJob])
_BOOLEAN: Final = TypeAdapter[bool](bool)
_OPTIONAL_TEXT: Final = TypeAdapter[str | None](str | None)
_COUNTS: Final = TypeAdapter[dict[str, JsonValue] | None](dict[str, JsonValue] | None)
_QUEUE_STATISTICS: Final = TypeAdapter[QueueStatistics](QueueStatistics)
_API_KEY: Final = TypeAdapter[ApiKey](ApiKey)
_ROWS: Final = TypeAdapter[list[dict[str, JsonValue]]](list[dict[str, JsonValue]])
_HEALTH: Final = TypeAdapter[Health](Health)


@asynccontextmanager
async def connection_pool(
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """The connections to the gateway, shared by every caller of one process.

    Args:
        transport: Replaces the network, for tests.
    """
    async with httpx.AsyncClient(
        transport=transport,
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30),
        timeout=httpx.Timeout(10.0, connect=2.0, pool=5.0),
    ) as pool:
        yield pool


class _Functions:
    """Calls the functions of one schema with one set of credentials."""

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        schema: str,
        headers: Mapping[str, str],
        retry_delays: Sequence[float],
    ) -> None:
        self._client = AsyncPostgrestClient(
            f"{url.rstrip('/')}/rest/v1",
            schema=schema,
            headers={"Accept": "application/json", **headers},
            http_client=pool,
            retry_enabled=False,
        )
        self._retry_delays = retry_delays

    async def call(
        self, function: str, parameters: Mapping[str, object], *, repeat: bool
    ) -> JsonValue:
        """Call a function and return its JSON.

        Args:
            function: Its name in the schema.
            parameters: By name. UUIDs and instants are written as text.
            repeat: Whether doing it twice does no harm. A call that never left this machine is
                repeated in any case; one whose answer was lost only then.

        Raises:
            DomainError, UnavailableError, UnexpectedError: As the module says.
        """
        # The client's own type says `dict[str, str]`; it sends any JSON.
        body = cast(
            "dict[str, str]", {name: _json_value(value) for name, value in parameters.items()}
        )
        for delay in (*self._retry_delays, None):
            try:
                response = await self._client.rpc(function, body).execute()
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                failure: Exception = error
            except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                if not repeat:
                    raise UnavailableError("database", type(error).__name__) from error
                failure = error
            except httpx.HTTPError as error:
                raise UnavailableError("database", type(error).__name__) from error
            except APIError as error:
                if not (repeat and error.code in _OUTCOME_UNKNOWN):
                    raise _translated(function, error) from error
                failure = error
            else:
                return cast("JsonValue", response.data)
            if delay is None:
                raise UnavailableError("database", _reason(failure)) from failure
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load
        raise AssertionError("the loop returns or raises")  # pragma: no cover


class ServiceDatabase:
    """The functions of schema `service`, as the service itself.

    The secret key travels in `apikey` alone: the gateway maps it to the role `service_role`, here
    as on hosted Supabase.
    """

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        secret_key: str,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._functions = _Functions(
            pool,
            url=url,
            schema="service",
            headers={"apikey": secret_key},
            retry_delays=retry_delays,
        )

    # -- payments ------------------------------------------------------------------------------

    async def limit_checkouts(self, address: str) -> None:
        """Count a payment page that somebody at this address asks for.

        Raises:
            DomainError: 429 `rate_limited`.
        """
        await self._call("limit_checkouts", _IGNORED, {"address": address})

    async def open_checkout(self, reference: str, manage_token: str) -> OpenCheckout:
        """Open the booking's payment attempt, or return the one that is open.

        Extends the hold once, so that it outlasts the provider's session.

        Raises:
            DomainError: 404 `booking_not_found`; 409 `nothing_due`, `not_payable`.
        """
        return await self._call(
            "open_checkout",
            _OPEN_CHECKOUT,
            {"reference": reference, "manage_token": manage_token},
        )

    async def record_checkout(
        self, attempt_id: UUID, session_id: str, url: str, expires_at: datetime
    ) -> None:
        """Remember the provider's session of an attempt. Only then may its URL be shown."""
        await self._call(
            "record_checkout",
            _IGNORED,
            {
                "attempt_id": attempt_id,
                "session_id": session_id,
                "url": url,
                "expires_at": expires_at,
            },
        )

    async def fail_checkout(self, attempt_id: UUID, error: str) -> None:
        """Close an attempt for which the provider made no session, so that another may open."""
        await self._call("fail_checkout", _IGNORED, {"attempt_id": attempt_id, "error": error})

    async def receive_stripe_event(self, event: Mapping[str, object]) -> Received:
        """Put a verified event into the inbox, once, with the job that acts on it."""
        return await self._call("receive_stripe_event", _RECEIVED, {"event": event})

    async def apply_checkout_session(self, job: Job, session: Mapping[str, object]) -> None:
        """Apply the current state of the session that a claimed job is about.

        Any order and any number of calls do no harm.

        Raises:
            DomainError: 409 `lease_lost`, `lease_of_another`.
        """
        await self._call("apply_checkout_session", _IGNORED, {**_lease(job), "session": session})

    async def get_checkout_attempt(self, job: Job) -> CheckoutAttempt:
        """Which session belongs to the attempt that a claimed job closes."""
        return await self._call("get_checkout_attempt", _CHECKOUT_ATTEMPT, _lease(job))

    async def queue_stale_checkouts(self, older_than_seconds: int) -> int:
        """Queue asking about the open attempts of which nothing has been heard for this long.

        Returns:
            How many jobs were queued.
        """
        return await self._call(
            "queue_stale_checkouts", _COUNT, {"older_than_seconds": older_than_seconds}
        )

    async def get_refund_request(self, job: Job) -> RefundRequest:
        """What a claimed refund job has to pay back."""
        return await self._call("get_refund_request", _REFUND_REQUEST, _lease(job))

    async def apply_refund(self, job: Job, refund: Mapping[str, object]) -> None:
        """Apply the current state of a refund that a claimed job is about, or whose payment is.

        Any order and any number of calls do no harm.
        """
        await self._call("apply_refund", _IGNORED, {**_lease(job), "refund": refund})

    async def apply_dispute(self, job: Job, dispute: Mapping[str, object]) -> None:
        """Record the current state of the dispute that a claimed job is about.

        Any order and any number of calls do no harm.
        """
        await self._call("apply_dispute", _IGNORED, {**_lease(job), "dispute": dispute})

    # -- mail ----------------------------------------------------------------------------------

    async def prepare_email(self, job_id: int, lease_token: UUID) -> PreparedEmail | None:
        """Read what a mail has to say now, or None if it must not be sent any more."""
        return await self._call(
            "prepare_email",
            _PREPARED_EMAIL,
            {"job_id": job_id, "lease_token": lease_token},
        )

    async def record_email(
        self, job_id: int, lease_token: UUID, provider: str, provider_message_id: str
    ) -> None:
        """Remember who took a mail and under which id."""
        await self._call(
            "record_email",
            _IGNORED,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "provider": provider,
                "provider_message_id": provider_message_id,
            },
        )

    async def read_email_words(self, job_id: int, lease_token: UUID) -> EmailWords | None:
        """Read the own words that a job is to try, or None if they are gone."""
        return await self._call(
            "read_email_words", _EMAIL_WORDS, {"job_id": job_id, "lease_token": lease_token}
        )

    async def record_email_words(
        self,
        job_id: int,
        lease_token: UUID,
        words: EmailOverride,
        problem: Mapping[str, str | int] | None,
    ) -> None:
        """Tell an organization whether its own words can be used; `problem` says why not."""
        await self._call(
            "record_email_words",
            _IGNORED,
            {
                "job_id": job_id,
                "lease_token": lease_token,
                "subject": words.subject,
                "body": words.body,
                "problem": problem,
            },
        )

    async def record_email_event(self, event: Mapping[str, object]) -> Received:
        """Put what became of a mail (delivered, bounced, complained) into the inbox, once."""
        return await self._call("record_email_event", _RECEIVED, {"event": event})

    # -- organizations -------------------------------------------------------------------------

    async def exchange_api_key(self, secret: str, address: str) -> ApiKey:
        """Find the API key of a secret, and record the use.

        Args:
            secret: As it was shown when the key was made.
            address: The client's, for the rate limit.

        Raises:
            DomainError: 401 `api_key_invalid`; 429 `rate_limited`.
        """
        return await self._call(
            "exchange_api_key", _API_KEY, {"secret": secret, "address": address}
        )

    async def read_organization(
        self, job_id: int, lease_token: UUID, after: Mapping[str, JsonValue] | None
    ) -> list[dict[str, JsonValue]]:
        """Read a page of a tenant's rows, `{table, row}` each.

        Args:
            job_id: The export's job, which says whose.
            lease_token: Its lease.
            after: The last row of the page before; None for the first page.

        Returns:
            The rows; none after the last page.

        Raises:
            DomainError: 409 `lease_lost`.
        """
        return await self._call(
            "read_organization",
            _ROWS,
            {"job_id": job_id, "lease_token": lease_token, "after": after},
        )

    async def finish_export(
        self,
        organization_id: UUID,
        export_id: UUID,
        object_path: str | None,
        row_count: int | None,
    ) -> None:
        """Record the end of an export. Without a path, it failed."""
        await self._call(
            "finish_export",
            _IGNORED,
            {
                "organization_id": organization_id,
                "export_id": export_id,
                "object_path": object_path,
                "row_count": row_count,
            },
        )

    # -- queue ---------------------------------------------------------------------------------

    async def claim_jobs(
        self, worker: str, max_jobs: int, lease_seconds: int, *, kept_for_money: int = 0
    ) -> list[Job]:
        """Claim up to `max_jobs` due jobs for `lease_seconds`.

        Args:
            worker: A name for the logs.
            max_jobs: At most so many.
            lease_seconds: They are the worker's for so long.
            kept_for_money: So many of them may only be jobs that move money.
        """
        return await self._call(
            "claim_jobs",
            _JOBS,
            {
                "worker": worker,
                "max_jobs": max_jobs,
                "lease_seconds": lease_seconds,
                "kept_for_money": kept_for_money,
            },
            # A lost answer leaves jobs leased to nobody until the lease ends; asking again would
            # lease further ones.
            repeat=False,
        )

    async def complete_job(self, job_id: int, lease_token: UUID) -> bool:
        """Mark a job done. False if the lease has been lost."""
        return await self._call(
            "complete_job", _BOOLEAN, {"job_id": job_id, "lease_token": lease_token}
        )

    async def fail_job(
        self, job_id: int, lease_token: UUID, error: str, *, retry: bool
    ) -> str | None:
        """Hand a job back (`queued`) or give it up (`dead`). None if the lease has been lost."""
        return await self._call(
            "fail_job",
            _OPTIONAL_TEXT,
            {"job_id": job_id, "lease_token": lease_token, "error": error, "retry": retry},
        )

    async def extend_job(self, job_id: int, lease_token: UUID, lease_seconds: int) -> bool:
        """Keep a job for `lease_seconds` from now. False if the lease has been lost."""
        return await self._call(
            "extend_job",
            _BOOLEAN,
            {"job_id": job_id, "lease_token": lease_token, "lease_seconds": lease_seconds},
        )

    async def list_dead_jobs(self, max_jobs: int, before_id: int | None = None) -> list[DeadJob]:
        """The jobs that were given up, newest first; `before_id`: the last of the page before."""
        return await self._call(
            "list_dead_jobs", _DEAD_JOBS, {"max_jobs": max_jobs, "before_id": before_id}
        )

    async def retry_job(self, job_id: int) -> None:
        """Queue a job that was given up once more.

        Raises:
            DomainError: 404 `job_not_found`; 409 `job_superseded`.
        """
        # A lost answer and a second call would say that there is no such job.
        await self._call("retry_job", _IGNORED, {"job_id": job_id}, repeat=False)

    async def retry_dead_jobs(self, kind: str | None) -> Retried:
        """Queue all jobs that were given up once more, or all of a kind."""
        return await self._call("retry_dead_jobs", _RETRIED, {"kind": kind}, repeat=False)

    async def sweep(self) -> dict[str, JsonValue]:
        """Do what deadlines ask for (expire lapsed holds, …). Returns counts for the log."""
        return await self._call("sweep", _COUNTS, {}) or {}

    async def queue_statistics(self) -> QueueStatistics:
        """How the queue is doing."""
        return await self._call("queue_statistics", _QUEUE_STATISTICS, {})

    async def health(self) -> Health:
        """Whether the database answers, and which migration it is at."""
        return await self._call("health", _HEALTH, {})

    async def _call(
        self,
        function: str,
        shape: TypeAdapter[T],
        parameters: Mapping[str, object],
        *,
        repeat: bool = True,
    ) -> T:
        data = await self._functions.call(function, parameters, repeat=repeat)
        return _parsed(function, shape, data)


class PersonDatabase:
    """The functions of schema `public`, as one person and for one organization.

    The person's own token is passed on, so the database decides what the person may do.
    """

    def __init__(
        self,
        pool: httpx.AsyncClient,
        *,
        url: str,
        publishable_key: str,
        token: str,
        organization_id: UUID | None = None,
        request_id: str | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        headers = {"apikey": publishable_key, "Authorization": f"Bearer {token}"}
        if organization_id is not None:
            headers["x-organization-id"] = str(organization_id)
        if request_id is not None:
            headers["x-request-id"] = request_id
        self._functions = _Functions(
            pool, url=url, schema="public", headers=headers, retry_delays=retry_delays
        )

    async def has_permission(self, permission: str) -> bool:
        """Whether the person holds `permission` in the request's organization, at this moment.

        Raises:
            DomainError: 401 `token_invalid`; 403 `organization_suspended` for a permission that
                changes something.
        """
        held = await self._functions.call("has_permission", {"permission": permission}, repeat=True)
        return _parsed("has_permission", _BOOLEAN, held)

    async def call(self, function: str, parameters: Mapping[str, object]) -> JsonValue:
        """Call any other public function. Its answer is returned as it came.

        A call whose answer was lost is not repeated: pass an idempotency key and call again.
        """
        return await self._functions.call(function, parameters, repeat=False)


def _translated(function: str, error: APIError) -> DomainError | UnavailableError | UnexpectedError:
    code = str(error.code or "")
    raised = _RAISED.match(code)
    if raised and 400 <= int(raised[1]) <= 499:
        return DomainError(
            error.message or "refused", int(raised[1]), error.hint or "", _details(error.details)
        )
    if code in _POSTGREST_TOKEN or code == "401":
        return DomainError("token_invalid", 401, "Sign in again: the token is not valid.")
    if code == "42501":
        return DomainError("permission_denied", 403, "Ask an administrator for access.")
    if code in _BAD_VALUES:
        return DomainError("invalid_input", 422, "A value in the request has the wrong form.")
    if (
        code in _OUTCOME_UNKNOWN
        or code in _POSTGREST_DOWN
        or code in _PASSING_CODES
        or code[:2] in _PASSING_CLASSES
        or code in {"429", "502", "503", "504"}
        or (raised and raised[1] in {"502", "503", "504"})
    ):
        return UnavailableError("database", f"{function}: {code}")
    # The message stays out: it may quote what the caller sent.
    return UnexpectedError("database_error", f"{function}: {code}")


def _reason(failure: Exception) -> str:
    return (
        f"connection lost ({failure.code})"
        if isinstance(failure, APIError)
        else type(failure).__name__
    )


def _details(details: object) -> object | None:
    """PostgREST hands `detail` over as text; ours is JSON."""
    if not isinstance(details, str) or not details:
        return details or None
    try:
        parsed: object = json.loads(details)
    except ValueError:
        return details
    return parsed


def _parsed(function: str, shape: TypeAdapter[T], data: JsonValue) -> T:
    try:
        return shape.validate_python(data)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) or "value" for item in error.errors())
        # Without the cause: a validation error quotes its input, which may be personal.
        raise UnexpectedError("database_contract", f"{function}: unexpected {fields}") from None


def _lease(job: Job) -> dict[str, object]:
    """What proves to the database that this worker holds the job."""
    return {"job_id": job.id, "lease_token": job.lease_token}


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
