"""Resend: the one module that imports its SDK.

Every mail carries an idempotency key, which Resend remembers for 24 hours
(https://resend.com/docs/dashboard/emails/idempotency-keys).
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import httpx
import resend
from pydantic import BaseModel, BeforeValidator, ValidationError

from escapemaster.email.domain_proofs import standing_proofs
from escapemaster.email.message import Attachment, Message, SenderState, from_header
from escapemaster.errors import EmailError, SignatureError

#: Refusals that no repetition will change: the mail itself is wrong, or found dangerous.
#: https://resend.com/docs/api-reference/errors
_PERMANENT: Final = frozenset({400, 422, 451})
#: Refusals with such a status that the operator mends: EMAIL_FROM.
_OPERATORS: Final = frozenset({"invalid_from_address"})
#: What Resend says of a domain (https://resend.com/docs/dashboard/domains/introduction).
_DOMAIN_STATUS: Final[Mapping[str, Literal["pending", "verified", "failed"]]] = {
    "verified": "verified",
    "failed": "failed",
}
#: Those in which it does not look by itself.
_UNCHECKED: Final = frozenset({"not_started", "failed", "temporary_failure"})
#: The code of an `EmailError`: the venue's own sender was refused, the platform's may be tried.
SENDER_REFUSED: Final = "sender_refused"
#: Refusals of a venue's own sender: its domain is not verified any more, or gone.
_SENDERS: Final = frozenset({"invalid_from_address", "domain_not_verified"})
#: Seconds after which mails are tried again once a quota is used up, where Resend names none: some
#: of a day's is free before 24 hours are over.
_QUOTAS: Final = {"daily_quota_exceeded": 1800.0, "monthly_quota_exceeded": 6 * 3600.0}
#: Seconds that a mail waits for its turn within its attempt; for longer it goes back to the queue.
_PATIENCE: Final = 20.0


class Pace:
    """When Resend takes the next mail, by what it says of its limits.

    Rates are of a whole team and a second or so (https://resend.com/docs/api-reference/rate-limit),
    so all mails of this process wait together; a worker beside it is told for itself.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._opens_at = 0.0
        self._reason = "rate_limit_exceeded"

    @property
    def wait(self) -> float:
        """Seconds until the next mail may be handed over."""
        return max(0.0, self._opens_at - self._clock())

    async def turn(self) -> None:
        """Wait until the next mail may be handed over.

        Raises:
            EmailError: That is too long; `retry_after` says how long.
        """
        while (wait := self.wait) > 0:
            if wait > _PATIENCE:
                raise EmailError(self._reason, "HTTP 429", retryable=True, retry_after=wait)
            await self._sleep(wait)

    def told(self, status: int, headers: Mapping[str, str]) -> None:
        """Take in what an answer says of the rate."""
        if status == 429:
            self._close(_seconds(headers, "retry-after") or 1.0, "rate_limit_exceeded")
        elif _seconds(headers, "ratelimit-remaining") == 0:
            self._close(_seconds(headers, "ratelimit-reset") or 1.0, "rate_limit_exceeded")

    def used_up(self, quota: str, headers: Mapping[str, str]) -> float:
        """Take in that a quota is used up; for how many seconds nothing is asked."""
        wait = max(_seconds(headers, "retry-after") or 0.0, _QUOTAS[quota])
        self._close(wait, quota)
        return wait

    def _close(self, seconds: float, reason: str) -> None:
        opens_at = self._clock() + seconds
        if opens_at >= self._opens_at:
            self._opens_at, self._reason = opens_at, reason


def _seconds(headers: Mapping[str, str], name: str) -> float | None:
    value = {key.lower(): value for key, value in headers.items()}.get(name, "")
    return float(value) if value.isdecimal() else None


class ResendTransport:
    """Sends mails through Resend.

    The SDK keeps its key and its HTTP client in module variables, so a process can have one
    transport only.
    """

    name = "resend"

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        api_key: str,
        email_from: str,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        resend.api_key = api_key
        resend.default_async_http_client = _HttpxClient(http, self._pace)
        self._email_from = email_from

    async def send(self, message: Message, key: str) -> str:
        """See `Transport.send`."""
        parameters: resend.Emails.SendParams = {
            "from": from_header(message.sender, message.sender_address or self._email_from),
            "to": [message.to_address],
            "subject": message.subject,
            "html": message.html,
            "text": message.text,
            "headers": {"Content-Language": message.language, **message.list_headers()},
            "tags": [{"name": "template", "value": message.template}],
        }
        if message.reply_to:
            parameters["reply_to"] = message.reply_to
        if message.attachments:
            # https://resend.com/docs/api-reference/emails/send-email: base64, and the media type
            # with its parameters.
            parameters["attachments"] = [_attached(file) for file in message.attachments]
        # Twice: a mail that met the rate's end has waited for its turn, with others that had.
        for last in (False, True):
            await self._pace.turn()
            try:
                return await self._handed_over(parameters, key)
            except EmailError as error:
                if error.code in _SENDERS and message.sender_address is not None:
                    raise EmailError(SENDER_REFUSED, str(error), retryable=True) from error
                if last or error.code != "rate_limit_exceeded":
                    raise
        raise AssertionError("unreachable")

    async def _handed_over(self, parameters: resend.Emails.SendParams, key: str) -> str:
        try:
            sent = await resend.Emails.send_async(parameters, {"idempotency_key": key})
        except resend.exceptions.ResendError as error:
            if error.error_type == "invalid_idempotent_request":
                # A mail with this key has been sent within the last day, with what the booking
                # said then. It is the same mail: sending it again would be a second one.
                return f"idempotency-key:{key}"
            raise _translated(error, self._pace) from error
        return sent["id"]


class ResendSenders:
    """The sender domains of our account at Resend; the SDK is set up by `ResendTransport`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def proofs(self, domain: str, own: str) -> list[str]:  # noqa: ARG002 - all are read
        """See `Senders.proofs`."""
        return await standing_proofs(domain, self._http)

    async def state(
        self, domain: str, provider_id: str | None, claimed_at: datetime
    ) -> SenderState:
        """See `Senders.state`."""
        try:
            if provider_id is None:
                provider_id = await self._made(domain, claimed_at)
            if provider_id is None:
                return SenderState(None, "failed")
            found = await resend.Domains.get_async(provider_id)
            if found["status"] in _UNCHECKED:
                # Resend looks at the records when it is asked to.
                await resend.Domains.verify_async(provider_id)
        except resend.exceptions.ResendError as error:
            if str(error.code) == "404":
                return SenderState(provider_id, "failed")
            raise _domain_error(error) from error
        return SenderState(
            provider_id,
            _DOMAIN_STATUS.get(found["status"], "pending"),
            tuple(
                {
                    "type": record["type"],
                    "name": record["name"],
                    "value": record["value"],
                    "priority": record.get("priority"),
                    "status": record["status"],
                }
                for record in found["records"] or ()
            ),
        )

    async def remove(self, provider_id: str) -> None:
        """See `Senders.remove`."""
        try:
            await resend.Domains.remove_async(provider_id)
        except resend.exceptions.ResendError as error:
            if str(error.code) != "404":
                raise _domain_error(error) from error

    async def _made(self, domain: str, claimed_at: datetime) -> str | None:
        """The domain's id, made for this claim; None: it is somebody else's, or ours."""
        page: resend.Domains.ListParams = {"limit": 100}
        while True:
            # An attempt before this one may have made it.
            listed = await resend.Domains.list_async(page)
            for known in listed["data"]:
                if known["name"] == domain:
                    since = datetime.fromisoformat(known["created_at"])
                    return known["id"] if since >= claimed_at else None
            if not listed.get("has_more") or not listed["data"]:
                break
            page = {"limit": 100, "after": listed["data"][-1]["id"]}
        try:
            made = await resend.Domains.create_async({"name": domain})
        except resend.exceptions.ResendError as error:
            # Another account of Resend's has it.
            if error.error_type == "validation_error":
                return None
            raise
        return made["id"]


def _domain_error(error: resend.exceptions.ResendError) -> EmailError:
    """All of them pass: a key that may not manage domains is the operator's to mend."""
    return EmailError(error.error_type or "resend_failed", f"HTTP {error.code}", retryable=True)


class ResendEvent(BaseModel):
    """What became of a mail (https://resend.com/docs/dashboard/webhooks/event-types)."""

    id: str
    type: str
    created_at: datetime
    email_id: str | None = None
    recipients: list[str] = []
    bounce_type: str | None = None

    def as_json(self) -> dict[str, object]:
        """The shape that `service.record_email_event` takes: Resend's own, thinned out."""
        data: dict[str, object] = {"email_id": self.email_id, "to": self.recipients}
        if self.bounce_type is not None:
            data["bounce"] = {"type": self.bounce_type}
        return {
            "id": self.id,
            "type": self.type,
            "created_at": self.created_at.isoformat(),
            "data": data,
        }


def verify_webhook(body: bytes, headers: Mapping[str, str], secret: str) -> ResendEvent:
    """Check a delivery of Resend's (signed by Svix) and read what it says.

    Args:
        body: The raw body, byte for byte.
        headers: The request's, with `svix-id`, `svix-timestamp` and `svix-signature`.
        secret: `whsec_…` of the endpoint. Without one, nothing is accepted.

    Raises:
        SignatureError: Not signed with our secret, too old or too new, or not an event.
    """
    try:
        resend.Webhooks.verify(
            {
                "payload": body.decode("utf-8"),
                "headers": {
                    "id": headers.get("svix-id", ""),
                    "timestamp": headers.get("svix-timestamp", ""),
                    "signature": headers.get("svix-signature", ""),
                },
                "webhook_secret": secret,
            }
        )
        payload = _Payload.model_validate_json(body)
    except ValidationError:
        raise SignatureError("the body is not a Resend event") from None
    except ValueError:
        raise SignatureError("signature does not match") from None
    return ResendEvent(
        id=headers["svix-id"],
        type=payload.type,
        created_at=payload.created_at,
        email_id=payload.data.email_id,
        recipients=payload.data.to,
        bounce_type=payload.data.bounce.type if payload.data.bounce else None,
    )


class _Bounce(BaseModel):
    type: str | None = None


class _Data(BaseModel):
    email_id: str | None = None
    # Events about contacts and domains have none; some versions sent a single address.
    to: Annotated[
        list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value or [])
    ] = []
    bounce: _Bounce | None = None


class _Payload(BaseModel):
    type: str
    created_at: datetime
    data: _Data


class _HttpxClient(resend.AsyncHTTPClient):
    """The SDK's own extension point, over connections that the caller made and will close."""

    def __init__(self, http: httpx.AsyncClient, pace: Pace) -> None:
        self._http = http
        self._pace = pace

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        response = await self._http.request(
            method, url, headers=headers, json=json, files=files, data=data
        )
        self._pace.told(response.status_code, response.headers)
        return response.content, response.status_code, response.headers


def _attached(file: Attachment) -> resend.Attachment:
    attached: resend.Attachment = {
        "filename": file.filename,
        "content": base64.b64encode(file.content).decode("ascii"),
        "content_type": _media_type(file),
    }
    if file.content_id:
        # https://resend.com/docs/dashboard/emails/embed-inline-images
        attached["content_id"] = file.content_id
    return attached


def _media_type(file: Attachment) -> str:
    if file.method is None:
        return file.content_type
    return f"{file.content_type}; charset=utf-8; method={file.method}"


def _translated(error: resend.exceptions.ResendError, pace: Pace) -> EmailError:
    """Name a failure. Resend's text is left out: it may quote an address."""
    code = error.error_type or "resend_failed"
    status = int(error.code) if str(error.code).isdigit() else 500
    # Anything else passes: a key that the operator mends, a quota, a request still in flight. A key
    # that is none is told as a validation error, and by its text alone.
    if code in _QUOTAS:
        # Mails that come meanwhile are not even offered.
        wait = pace.used_up(code, error.headers)
        return EmailError(code, f"HTTP {status}", retryable=True, retry_after=wait)
    if status == 429:
        return EmailError(code, "HTTP 429", retryable=True, retry_after=pace.wait)
    if "domain is not verified" in str(error).lower():
        code = "domain_not_verified"
    mended = code in _OPERATORS or "api key" in str(error).lower()
    return EmailError(code, f"HTTP {status}", retryable=mended or status not in _PERMANENT)
