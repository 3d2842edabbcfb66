"""No bytes break an endpoint: what no client library would send is answered with a refusal, too."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from itertools import product
from uuid import uuid4

import httpx
import pytest

from stack import Stack

#: No UTF-8, or characters that text cannot hold. The last ones are right.
ODD = (
    *(b"\xff", b"a\xc3", b"\xe9t\xe9", b"\xed\xa0\x80", b"\xc0\x80", b"\xf5\x80\x80\x80"),
    *(b"\xc2\x80", b"\x01", b"\x7f", b"a\x00b", b'"\\'),
    *(b"", b"caf\xc3\xa9", b"\xf0\x9d\x95\x8f", b"\xef\xbf\xbd"),
)
HEADERS = (
    *(b"X-Anything", b"Cookie", b"Authorization", b"apikey", b"Prefer", b"x-organization-id"),
    *(b"User-Agent", b"X-Request-Id", b"X-Forwarded-For", b"Accept", b"Accept-Profile", b"Range"),
)
ENDPOINTS = (
    (b"POST", b"/rest/v1/rpc/get_currencies"),
    (b"GET", b"/auth/v1/settings"),
    (b"GET", b"/storage/v1/bucket"),
    (b"GET", b"/functions/v1/calendar-feed/x.ics"),
)
#: Where an address can hold them.
PLACES = (
    *(b"/rest/v1/%s", b"/rest/v1/rpc/%s", b"/rest/v1/rpc/get_calendar?slug=%s"),
    *(b"/rest/v1/rpc/get_currencies?%s" + rest for rest in (b"=eq.1", b"")),
    *(b"/rest/v1/rpc/get_currencies?" + rest for rest in (b"select=%s", b"code=eq.%s", b"or=(%s)")),
    *(b"/auth/v1/%s", b"/auth/v1/verify?token=%s&type=signup"),
    *(b"/storage/v1/%s", b"/storage/v1/object/public/room-images/%s"),
    *(b"/storage/v1/object/public/%s/x", b"/storage/v1/object/sign/documents/x?token=%s"),
    *(b"/functions/v1/%s", b"/functions/v1/calendar-feed/%s.ics"),
)
ENCODED = (
    *(b"%00", b"a%00b", b"%ff", b"%C3%28", b"%ED%A0%80", b"%c0%80", b"%F5%80%80%80", b"%E2%82"),
    *(b"\xff", b"%", b"%zz", b"%0d%0a", b"%2e%2e%2f", b"%EF%BF%BD", b"caf\xc3\xa9", b"caf%C3%A9"),
)


@dataclass(frozen=True, slots=True)
class Wire:
    """The gateway, byte by byte."""

    stack: Stack

    def status(self, target: bytes, *headers: tuple[bytes, bytes], method: bytes = b"GET") -> int:
        """What a request is answered with."""
        given = {name.lower() for name, _ in headers}
        key = (b"apikey", self.stack.publishable_key.encode())
        sent = [*headers, *([] if b"apikey" in given else [key])]
        lines = [
            method + b" " + target + b" HTTP/1.1",
            b"Host: 127.0.0.1",
            b"Connection: close",
            b"Content-Length: 0",
            *(name + b": " + value for name, value in sent),
        ]
        with socket.create_connection(
            ("127.0.0.1", self.stack.ports.gateway), timeout=90
        ) as connection:
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n")
            return int(connection.makefile("rb").readline().split()[1])


@pytest.fixture(scope="module")
def wire(stack: Stack) -> Wire:
    return Wire(stack)


def _written(name: bytes, value: bytes) -> bytes:
    """A header's value whose beginning is right."""
    return {b"Authorization": b"Bearer ", b"Cookie": b"a="}.get(name, b"") + value


def test_no_byte_of_a_header_is_a_fault(wire: Wire) -> None:
    faults = [
        (target, name, value)
        for (method, target), name, value in product(ENDPOINTS, HEADERS, ODD)
        if wire.status(target, (name, _written(name, value)), method=method) >= 500
    ]
    assert faults == []


def test_no_byte_of_an_address_is_a_fault(wire: Wire) -> None:
    asked = [place.replace(b"%s", odd) for place, odd in product(PLACES, ENCODED)]
    assert [target for target in asked if wire.status(target) >= 500] == []


@pytest.mark.parametrize("part", ["rest", "auth", "storage", "functions"])
def test_an_address_that_is_no_text_is_refused_by_every_part(wire: Wire, part: str) -> None:
    for odd in ENCODED[:8]:
        assert wire.status(f"/{part}/v1/x?a=".encode() + odd) == 400, odd


#: As JSON escapes them: NUL and halves of a pair, which the database holds in no text. Then text.
@pytest.mark.parametrize(
    ("escape", "is_text"),
    [
        *((r"\u0000", False), (r"\ud800", False), (r"\udc00", False), (r"\uDC00\ud800", False)),
        *((r"\ud835\udd4f", True), (r"\u00e9", True), (r"\\u0000", True)),
    ],
)
@pytest.mark.parametrize("field", ["email", "full_name", "key"])
def test_no_escape_in_a_sign_up_is_a_fault(
    stack: Stack, escape: str, is_text: bool, field: str
) -> None:
    email, name = f"{uuid4()}@example.test", "Ana"
    email, name, key = (
        f"a{escape}{email}" if field == "email" else email,
        f"Ana{escape}" if field == "full_name" else name,
        f"x{escape}" if field == "key" else "x",
    )
    body = (
        f'{{"email": "{email}", "password": "correct horse battery", '
        f'"data": {{"full_name": "{name}", "{key}": 1}}}}'
    )
    answer = httpx.post(
        f"{stack.url}/auth/v1/signup",
        content=body.encode(),
        headers={"apikey": stack.publishable_key, "Content-Type": "application/json"},
        timeout=90,
    )
    if is_text and field != "email":
        assert answer.status_code == 200, answer.text
    else:
        assert answer.status_code < 500, answer.text
    if not is_text:
        assert answer.status_code == 400, answer.text
