"""Errors as clients see them: `application/problem+json` (RFC 9457), for every failure.

Our own members are `code` (stable, for programs), `request_id` (for support), `details` (data that
belongs to a refusal) and `errors` (which fields of a request are wrong). Nothing internal and
nothing that a client sent is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from escapemaster.errors import (
    DomainError,
    EscapemasterError,
    PaymentError,
    SignatureError,
    UnavailableError,
)
from escapemaster.logging import get_logger

MEDIA_TYPE: Final = "application/problem+json"

#: Seconds after which a client may try again when something was briefly away.
RETRY_AFTER: Final = 2

_log = get_logger("api")


class FieldError(BaseModel):
    """One value of a request that is wrong."""

    field: Annotated[str, Field(description="Where, such as `body.reference`.")]
    code: Annotated[str, Field(description="What is wrong, for programs.")]
    message: Annotated[str, Field(description="What is wrong, for people.")]


class Problem(BaseModel):
    """A failure, as RFC 9457 describes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:escapemaster:problem:booking_not_found",
                "title": "Not Found",
                "status": 404,
                "detail": "Check the reference and the token.",
                "code": "booking_not_found",
                "request_id": "0b5c7d5e8f7a4d0c9d2b1f6a3c4e5d6f",
            }
        }
    )

    type: Annotated[str, Field(description="A URN that names the kind of failure.")]
    title: Annotated[str, Field(description="The HTTP status in words.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What to do about it, in English.")]
    code: Annotated[str, Field(description="Stable, for programs to match on.")]
    request_id: Annotated[str, Field(description="Quote it when you ask for help.")]
    details: Annotated[
        Any, Field(description="Data that belongs to the failure, such as limits.")
    ] = None
    errors: Annotated[
        list[FieldError] | None, Field(description="Which values of the request are wrong.")
    ] = None


def problem_response(
    request_id: str,
    status: int,
    code: str,
    detail: str,
    *,
    details: object | None = None,
    errors: Sequence[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem document as a response."""
    problem = Problem(
        type=f"urn:escapemaster:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        details=details,
        errors=list(errors) if errors else None,
    )
    return JSONResponse(
        problem.model_dump(mode="json", exclude_none=True),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def problem_for(request_id: str, error: BaseException) -> JSONResponse:
    """The answer to an error, whichever it is."""
    match error:
        case DomainError():
            return problem_response(
                request_id,
                error.status,
                error.code,
                error.hint or HTTPStatus(error.status).description,
                details=error.details,
                headers=_headers_of(error),
            )
        case SignatureError():
            return problem_response(
                request_id, 400, error.code, "The signature does not belong to this body."
            )
        case PaymentError():
            return problem_response(
                request_id,
                502,
                "payment_provider_failed",
                "The payment provider did not accept the request. Try again in a moment.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        case UnavailableError():
            return problem_response(
                request_id,
                503,
                error.code,
                "A part of the service is not available right now. Try again in a moment.",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        case _:
            return problem_response(
                request_id,
                500,
                "internal_error",
                "Something went wrong on our side. Quote the request id when you ask for help.",
            )


def responses(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The failures of a route, for its OpenAPI description."""
    described: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem, "description": HTTPStatus(code).phrase}
        for code in sorted({*codes, 413, 422, 500, 503})
    }
    if HTTPStatus.TOO_MANY_REQUESTS in described:
        described[HTTPStatus.TOO_MANY_REQUESTS.value]["headers"] = {
            "Retry-After": {
                "description": "Seconds until the next try.",
                "schema": {"type": "integer"},
            }
        }
    return described


def install(app: FastAPI) -> None:
    """Answer every failure that is raised below the routes with a problem document."""

    @app.exception_handler(EscapemasterError)
    async def _ours(request: Request, error: EscapemasterError) -> JSONResponse:
        response = problem_for(request_id_of(request), error)
        if response.status_code >= 500:
            _log.error("request.failed", exc_info=error)
        return response

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        return problem_response(
            request_id_of(request),
            status,
            status.phrase.lower().replace(" ", "_").replace("-", "_"),
            status.description or status.phrase,
            headers=error.headers,
        )

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = error.errors()
        if any(item["type"] == "json_invalid" for item in found):
            return problem_response(
                request_id_of(request), 400, "invalid_json", "The body is not valid JSON."
            )
        return problem_response(
            request_id_of(request),
            422,
            "invalid_request",
            "Some values of the request are missing or wrong.",
            errors=[
                FieldError(
                    field=".".join(map(str, item["loc"])), code=item["type"], message=item["msg"]
                )
                for item in found
            ],
        )


def request_id_of(request: Request) -> str:
    """The id that the outermost layer gave to this request."""
    return str(request.state.request_id)


def _headers_of(error: DomainError) -> dict[str, str]:
    if error.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    if error.status == HTTPStatus.TOO_MANY_REQUESTS and isinstance(error.details, dict):
        seconds = error.details.get("retry_after_seconds", RETRY_AFTER)
        return {"Retry-After": str(seconds)}
    return {}
