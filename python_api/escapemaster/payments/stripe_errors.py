"""Stripe's errors, turned into ours in one place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import stripe

from escapemaster.errors import PaymentError

#: The statuses of refusals that no repetition will change: the request, or the card, is wrong. All
#: others pass, or are the operator's to mend, as a wrong key (401) or one that may not do this
#: (403): the work must still be there afterwards. https://docs.stripe.com/api/errors
_FINAL: Final = frozenset({400, 402, 404})
#: What stays although its status says otherwise: the venue has taken the platform's access away,
#: and only the venue gives it back. It must be seen at once.
_LOST: Final = frozenset({"account_invalid"})
#: What passes although its status says otherwise. https://docs.stripe.com/error-codes
_PASSING: Final = frozenset(
    {"balance_insufficient", "idempotency_key_in_use", "lock_timeout", "rate_limit"}
)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Stripe's text is left out, because it may quote what was sent; its code and the parameter's
    name say as much (https://docs.stripe.com/error-codes).
    """
    try:
        yield
    except stripe.IdempotencyError as error:
        raise _payment_error("idempotency_conflict", error, retryable=False) from error
    except stripe.APIConnectionError as error:
        raise _payment_error("stripe_unreachable", error, retryable=True) from error
    except stripe.StripeError as error:
        final = _code(error) in _LOST or (
            error.http_status in _FINAL and error.code not in _PASSING
        )
        raise _payment_error(_code(error), error, retryable=not final) from error


def _code(error: stripe.StripeError) -> str:
    words = re.sub(r"(?<=[A-Za-z])(?=[A-Z][a-z])", "_", type(error).__name__).lower()
    # The SDK hands the code of a 403 over in the body only.
    body = error.error
    return error.code or (body.code if body is not None else None) or words


def _payment_error(code: str, error: stripe.StripeError, *, retryable: bool) -> PaymentError:
    parameter = getattr(error, "param", None)
    return PaymentError(
        code,
        f"HTTP {error.http_status or 'none'}{f' on {parameter}' if parameter else ''}",
        retryable=retryable,
        request_id=error.request_id,
    )
