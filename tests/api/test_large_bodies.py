"""What is sent at once is bounded, before anything reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from stack import Stack

CALENDAR = "/rest/v1/rpc/get_calendar"


def of(size: int) -> bytes:
    """A body of so many bytes that asks for a calendar."""
    frame = len(json.dumps({"slug": ""}))
    return json.dumps({"slug": "x" * (size - frame)}).encode()


def in_pieces(body: bytes) -> Iterator[bytes]:
    yield body


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (of(262_144), (404, "calendar_not_found")),
        (of(262_145), (413, "body_too_large")),
        (in_pieces(of(100)), (411, "length_required")),
    ],
    ids=["as much as one may", "more", "of no stated length"],
)
def test_a_visitor_s_body_is_bounded(
    gateway: httpx.Client, stack: Stack, body: bytes | Iterator[bytes], refusal: tuple[int, str]
) -> None:
    headers = {"apikey": stack.publishable_key, "Content-Type": "application/json"}
    answer = gateway.post(CALENDAR, content=body, headers=headers)
    assert (answer.status_code, answer.json()["message"]) == refusal
