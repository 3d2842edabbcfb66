"""The errors that cross a boundary of this package: a small named family.

Whatever a vendor raises is translated once, where the vendor is called, into one of these. Nothing
above that line needs to know PostgREST, Stripe or Resend to decide what to answer or whether to
try again.
"""

from __future__ import annotations


class EscapemasterError(Exception):
    """Base of the family.

    Attributes:
        code: Stable, machine-readable, snake_case. Clients and operators may match on it.
        retryable: Whether the same call may succeed later without anybody changing anything.
    """

    retryable = False

    def __init__(self, code: str, message: str | None = None) -> None:
        super().__init__(message or code)
        self.code = code


class DomainError(EscapemasterError):
    """A rule of the product refused a request: the caller can act on it.

    Attributes:
        status: The HTTP status that the rule asks for (4xx).
        hint: One English sentence that says what to do, or an empty string.
        details: Data that belongs to the refusal (such as the new total), or None.
    """

    def __init__(
        self, code: str, status: int, hint: str = "", details: object | None = None
    ) -> None:
        super().__init__(code, hint or code)
        self.status = status
        self.retryable = status == 429
        self.hint = hint
        self.details = details


class UnavailableError(EscapemasterError):
    """Something that this service needs did not answer, or is too busy to answer now.

    Attributes:
        dependency: Which one: `database`, `stripe`, `mailbox`, …
    """

    retryable = True

    def __init__(self, dependency: str, reason: str) -> None:
        super().__init__(f"{dependency}_unavailable", f"{dependency}: {reason}")
        self.dependency = dependency


class UnexpectedError(EscapemasterError):
    """A dependency answered with something that this version of the code does not understand.

    It is a fault of ours (a missing migration, a changed contract), never of the caller, so its
    text goes to the log and not to the client. Work that met it waits for the mended version.
    """

    retryable = True


class PaymentError(EscapemasterError):
    """Stripe refused or failed.

    Attributes:
        retryable: True for what passes by itself (network, rate limit, Stripe's own failure).
        request_id: Stripe's id of the failed request, for their support.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool, request_id: str | None = None
    ) -> None:
        super().__init__(code, message)
        self.retryable = retryable
        self.request_id = request_id


class IgnoredError(EscapemasterError):
    """What a job is about is not there, nor will it be: nothing is to be done."""


class EmailError(EscapemasterError):
    """A mail could not be handed over.

    Attributes:
        retryable: False when the same mail will never be accepted (a malformed address).
        retry_after: Seconds after which the provider takes mails again, where it took none now and
            said so.
    """

    def __init__(
        self, code: str, message: str, *, retryable: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(code, message)
        self.retryable = retryable
        self.retry_after = retry_after


class SignatureError(EscapemasterError):
    """A webhook's signature does not belong to its body, or is too old."""

    def __init__(self, reason: str) -> None:
        super().__init__("signature_invalid", reason)
