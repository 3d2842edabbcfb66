"""Mailed codes and passwords cannot be guessed, and guessing keeps nobody out of their account."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable

import httpx
import pytest

from stack import Mailbox, Stack, Users, client, in_one_hour, own_address

#: How a code is asked for, and as what it is tried.
KINDS = {"otp": "magiclink", "recover": "recovery"}


@pytest.fixture
def post(stack: Stack) -> Callable[..., httpx.Response]:
    """Auth, asked from a network address of its own each time: those are limited as well."""

    def post(path: str, /, network: str | None = None, **body: object) -> httpx.Response:
        transport = httpx.HTTPTransport(local_address=network or own_address())
        headers = {"apikey": stack.publishable_key}
        with httpx.Client(base_url=stack.url, trust_env=False, transport=transport) as http:
            return http.post(f"/auth/v1/{path}", headers=headers, json=body, timeout=60)

    return post


def code_in(mail: dict[str, object]) -> str:
    found = re.search(r"<strong>(\d{6})</strong>", str(mail["html"]))
    assert found is not None, mail
    return found[1]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_account_is_not_taken_over_by_guessing_the_mailed_code(
    stack: Stack, mailbox: Mailbox, post: Callable[..., httpx.Response], kind: str
) -> None:
    def guessed() -> None:
        with client(stack.url) as http:
            email = Users(stack, http).make(f"{uuid.uuid4()}@example.test").email
        assert post(kind, email=email, create_user=False).status_code == 200
        (mail,) = mailbox.wait_for(email)
        code, as_what = code_in(mail), {"type": KINDS[kind]}
        told = [
            post("verify", email=spelled, token=wrong(code), **as_what).status_code
            for spelled in (email, email.upper(), email.replace("@", "+tag@")) * 4
        ]
        assert told == [403] * 10 + [429] * 2
        refused = post("verify", email=email, token=code, **as_what)
        assert (refused.status_code, refused.json()["error_code"]) == (
            429,
            "over_request_rate_limit",
        )
        # The mail's link, and the code of a new mail, still open the account to its owner.
        link = re.search(r"verify\?token=([0-9a-f]+)", str(mail["html"]))
        assert link is not None
        opened = post("verify", token_hash=link[1], **as_what)
        assert opened.status_code == 200, opened.text
        (other,) = set(KINDS) - {kind}
        assert post(other, email=email, create_user=False).status_code == 200
        code = code_in(mailbox.wait_for(email, count=2)[1])
        opened = post("verify", email=email, token=code, type=KINDS[other])
        assert opened.status_code == 200, opened.text

    in_one_hour(guessed)


def test_a_link_cannot_be_made_from_address_and_code(
    stack: Stack, mailbox: Mailbox, post: Callable[..., httpx.Response]
) -> None:
    with client(stack.url) as http:
        email = Users(stack, http).make(f"{uuid.uuid4()}@example.test").email
    assert post("otp", email=email, create_user=False).status_code == 200
    code = code_in(mailbox.wait_for(email)[0])
    made = hashlib.sha256(f"{email}{code}".encode()).hexdigest()
    assert post("verify", token_hash=made, type="magiclink").status_code == 403
    assert post("verify", email=email, token=code, type="magiclink").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("token?grant_type=password", {"password": "a long enough password"}),
        ("verify", {"type": "magiclink", "token": "123456"}),
        ("x/%2e%2e/verify", {"type": "magiclink", "token": "123456"}),
    ],
)
def test_a_network_address_that_guesses_is_refused_whatever_the_account(
    stack: Stack, path: str, body: dict[str, str]
) -> None:
    # The rest of the tests, from another address, are no worse for it.
    transport = httpx.HTTPTransport(local_address=own_address())
    with httpx.Client(base_url=stack.url, trust_env=False, transport=transport) as http:
        target = httpx.URL(stack.url, raw_path=f"/auth/v1/{path}".encode())
        headers = {"apikey": stack.publishable_key}
        told: list[httpx.Response] = []
        # Enough for two times of five minutes, should one end meanwhile.
        while len(told) < 122 and (not told or told[-1].status_code != 429):
            attempt = {"email": f"{uuid.uuid4()}@example.test", **body}
            told.append(http.post(target, headers=headers, json=attempt))
        assert 429 not in {answer.status_code for answer in told[:60]}
        assert told[-1].status_code == 429
        assert told[-1].json()["error_code"] == "over_request_rate_limit"
        # The client cannot say who it is.
        headers["X-Forwarded-For"] = "203.0.113.9"
        body = {"email": f"{uuid.uuid4()}@example.test", **body}
        assert http.post(target, headers=headers, json=body).status_code == 429
