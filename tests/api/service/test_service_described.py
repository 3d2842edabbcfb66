"""The service answers as its description says, whatever is sent to it."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from escapemaster.database.version import NEWEST_MIGRATION

from .fakes import FakePostgrest

CHECKS = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture
def description(app: FastAPI, postgrest: FakePostgrest) -> BaseSchema:
    """The service's OpenAPI, over a database that knows nobody."""
    health = {"database": "ok", "migration": NEWEST_MIGRATION, "requests_checked": True}
    postgrest.answer("health", health)
    postgrest.refuse("exchange_api_key", "PT401", "api_key_invalid", hint="Check it.")
    postgrest.answer("limit_checkouts", None)
    postgrest.refuse("open_checkout", "PT404", "booking_not_found", hint="Check it.")
    postgrest.refuse("open_share_checkout", "PT404", "share_not_found", hint="Ask for it.")
    postgrest.refuse(
        "open_voucher_checkout", "PT404", "voucher_order_not_found", hint="Order it first."
    )
    postgrest.refuse("answer_notice_link", "PT404", "link_invalid", hint="Open it once more.")
    postgrest.refuse("unsubscribe", "PT404", "link_invalid", hint="Open it once more.")
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_an_answer_is_one_that_is_described(description: BaseSchema) -> None:
    described = list(description.get_all_operations())
    assert described
    for operation in described:
        assert isinstance(operation, Ok)

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.ok().as_strategy())
        def is_described(case: Case[Any]) -> None:
            case.call_and_validate(checks=CHECKS)

        is_described()
