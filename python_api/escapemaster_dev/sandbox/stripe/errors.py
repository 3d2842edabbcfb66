"""Errors in Stripe's shape: https://docs.stripe.com/api/errors."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """A refusal that the client sees as ``{"error": {type, code, param, message}}``.

    ``executed`` says that the endpoint had begun its work: such an answer is kept for the
    request's idempotency key, a refused parameter is not.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind
        self.code = code
        self.param = param
        self.executed = executed

    def body(self) -> dict[str, Any]:
        """What the client is sent."""
        error = {
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "type": self.kind,
        }
        return {"error": {name: value for name, value in error.items() if value is not None}}


def missing(param: str) -> StripeError:
    """400 for a parameter that must be there."""
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown_parameter(param: str) -> StripeError:
    """400 for a parameter that nobody reads."""
    return StripeError(
        f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


def no_such(kind: str, object_id: str, param: str) -> StripeError:
    """404 for an object that is not there, or belongs to another account: no difference."""
    return StripeError(
        f"No such {kind.replace('.', ' ')}: '{object_id}'",
        status=404,
        code="resource_missing",
        param=param,
    )
