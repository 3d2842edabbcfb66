"""Resend: the one module that imports its SDK.

Every mail carries an idempotency key, which Resend remembers for 24 hours
(https://resend.com/docs/dashboard/emails/idempotency-keys).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import httpx
import resend
from pydantic import BaseModel, BeforeValidator, ValidationError

from escapemaster.email.message import Attachment, Message, from_header
from escapemaster.errors import EmailError, SignatureError

#: Refusals that no repetition will change: the mail itself is wrong, or found dangerous.
#: https://resend.com/docs/api-reference/errors
_PERMANENT: Final = frozenset({400, 422, 451})
#: Refusals with such a status that the operator mends: EMAIL_FROM.
_OPERATORS: Final = frozenset({"invalid_from_address"})


class ResendTransport:
    """Sends mails through Resend.

    The SDK keeps its key and its HTTP client in module variables, so a process can have one
    transport only.
    """

    name = "resend"

    def __init__(self, http: httpx.AsyncClient, *, api_key: str, email_from: str) -> None:
        resend.api_key = api_key
        resend.default_async_http_client = _HttpxClient(http)
        self._email_from = email_from

    async def send(self, message: Message, key: str) -> str:
        """See `Transport.send`."""
        parameters: resend.Emails.SendParams = {
            "from": from_header(message.sender, self._email_from),
            "to": [message.to_address],
            "subject": message.subject,
            "html": message.html,
            "text": message.text,
            "headers": {"Content-Language": message.language, **message.list_headers()},
            "tags": [{"name": "template", "value": message.template}],
        }
        if message.attachments:
            # https://resend.com/docs/api-reference/emails/send-email: base64, and the media type
            # with its parameters.
            parameters["attachments"] = [
                {
                    "filename": file.filename,
                    "content": base64.b64encode(file.content).decode("ascii"),
                    "content_type": _media_type(file),
                }
                for file in message.attachments
            ]
        try:
            sent = await resend.Emails.send_async(parameters, {"idempotency_key": key})
        except resend.exceptions.ResendError as error:
            if error.error_type == "invalid_idempotent_request":
                # A mail with this key has been sent within the last day, with what the booking
                # said then. It is the same mail: sending it again would be a second one.
                return f"idempotency-key:{key}"
            raise _translated(error) from error
        return sent["id"]


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

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

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
        return response.content, response.status_code, response.headers


def _media_type(file: Attachment) -> str:
    if file.method is None:
        return file.content_type
    return f"{file.content_type}; charset=utf-8; method={file.method}"


def _translated(error: resend.exceptions.ResendError) -> EmailError:
    """Name a failure. Resend's text is left out: it may quote an address."""
    code = error.error_type or "resend_failed"
    status = int(error.code) if str(error.code).isdigit() else 500
    # Anything else passes: a key that the operator mends, a quota, a request still in flight. A key
    # that is none is told as a validation error, and by its text alone.
    mended = code in _OPERATORS or "api key" in str(error).lower()
    return EmailError(code, f"HTTP {status}", retryable=mended or status not in _PERMANENT)
