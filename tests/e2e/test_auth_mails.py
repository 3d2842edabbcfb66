"""Auth's own mails: whoever names an address fills nobody's mailbox, and learns nothing."""

from __future__ import annotations

import codecs
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from stack import Mailbox, Stack, Users, own_address

PASSWORD = "a long enough password"
#: Every request by which somebody without a session makes Auth write to an address.
ASKING: dict[str, dict[str, Any]] = {
    "signup": {"password": PASSWORD},
    "recover": {},
    "magiclink": {},
    "otp": {"create_user": False},
    "resend": {"type": "signup"},
}


@pytest.fixture
def gateway(stack: Stack) -> Iterator[httpx.Client]:
    """Plain HTTP from a network address of this test's: the mails of one are limited."""
    transport = httpx.HTTPTransport(local_address=own_address())
    with httpx.Client(base_url=stack.url, timeout=30, trust_env=False, transport=transport) as http:
        yield http


def post(stack: Stack, gateway: httpx.Client, path: str, **body: object) -> httpx.Response:
    return gateway.post(f"/auth/v1/{path}", headers={"apikey": stack.publishable_key}, json=body)


def known(stack: Stack, gateway: httpx.Client) -> str:
    """An address that has an account."""
    email = f"{uuid.uuid4()}@example.test"
    assert post(stack, gateway, "signup", email=email, password=PASSWORD).status_code == 200
    return email


def unknown() -> str:
    return f"{uuid.uuid4()}@example.test"


def test_twenty_requests_for_a_new_password_are_one_mail(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox
) -> None:
    victim, other = known(stack, gateway), known(stack, gateway)
    mailbox.wait_for(victim)
    answers = [
        post(stack, gateway, "recover", email=victim if turn % 2 else victim.upper())
        for turn in range(20)
    ]
    assert [answer.status_code for answer in answers] == [200] + 19 * [429]
    refused = answers[-1].json()
    assert refused["error_code"] == "over_email_send_rate_limit"
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].headers["access-control-allow-origin"] == "*"
    # Somebody else's mail is no worse for it, and proves that nothing is still on its way.
    assert post(stack, gateway, "recover", email=other).status_code == 200
    mailbox.wait_for(other, count=2)
    assert len(mailbox.of(victim)) == 2


def test_requests_at_once_are_one_mail(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox
) -> None:
    victim = known(stack, gateway)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(post, stack, gateway, "recover", email=victim) for _ in range(16)]
    assert sorted(answer.result().status_code for answer in asked) == [200] + 15 * [429]


@pytest.mark.parametrize("path", ["recover", "magiclink", "resend", "otp"])
def test_the_answers_do_not_say_whether_an_address_is_known(
    stack: Stack, gateway: httpx.Client, path: str
) -> None:
    def answers(email: str) -> list[tuple[int, Any]]:
        made = [post(stack, gateway, path, email=email, **ASKING[path]) for _ in range(3)]
        # The hint counts seconds.
        return [(a.status_code, {**a.json(), "msg": bool(a.json().get("msg"))}) for a in made]

    strangers = answers(unknown())
    assert [status for status, _ in strangers] == [200, 429, 429]
    # An account that has confirmed its address, and so is asked for nothing.
    assert answers(Users(stack, gateway).make().email) == strangers


@pytest.mark.parametrize("path", ASKING)
def test_every_way_to_make_auth_write_waits_between_two_mails_to_an_address(
    stack: Stack, gateway: httpx.Client, path: str
) -> None:
    email = unknown()
    post(stack, gateway, path, email=email, **ASKING[path])
    spelled = f"{path[:-1]}%{ord(path[-1]):x}"  # the same path, otherwise written
    for again in (path, spelled, f"{path}?redirect_to=http://127.0.0.1/"):
        answer = post(stack, gateway, again, email=email.upper(), **ASKING[path])
        assert answer.status_code == 429, answer.text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{name}+1@example.test", "{name}+2@example.test"),
        ("{name}@example.test", "{name}+tag+more@Example.test"),
        ("ana{name}@gmail.com", "a.n.a.{name}+x@googlemail.com"),
    ],
)
@pytest.mark.parametrize("path", ["signup", "otp"])
def test_a_mailbox_is_one_under_whatever_address_it_is_named(
    stack: Stack, gateway: httpx.Client, path: str, first: str, second: str
) -> None:
    # private.mailbox says the same.
    name = uuid.uuid4().hex
    body: dict[str, Any] = {"password": PASSWORD} if path == "signup" else {}
    answers = [
        post(stack, gateway, path, email=email, **body).status_code
        for email in (first.format(name=name), second.format(name=name), f"x{name}@example.test")
    ]
    assert answers == [200, 429, 200]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, b" \n\t"])
def test_what_stands_before_the_json_makes_no_other_request(
    stack: Stack, gateway: httpx.Client, mark: bytes
) -> None:
    body = json.dumps({"email": known(stack, gateway)}).encode()
    headers = {"apikey": stack.publishable_key, "Content-Type": "application/json"}
    answers = [
        gateway.post("/auth/v1/otp", headers=headers, content=mark * (turn != 1) + body)
        for turn in range(3)
    ]
    assert [answer.status_code for answer in answers] == [200, 429, 429]


def test_what_is_asked_without_an_address_is_auth_s_to_refuse(
    stack: Stack, gateway: httpx.Client
) -> None:
    for body in ("", "{}", "[]", "null", '{"email": 3}', "not json"):
        for _ in range(2):
            answer = gateway.post(
                "/auth/v1/recover", headers={"apikey": stack.publishable_key}, content=body
            )
            assert answer.status_code not in (200, 429), (body, answer.text)


_ODD: tuple[Any, ...] = ([], {}, 3, True)


@pytest.mark.parametrize("path", ["signup", "otp", "recover", "token?grant_type=password"])
def test_json_of_another_shape_is_refused_and_no_fault(
    stack: Stack, gateway: httpx.Client, path: str
) -> None:
    whole: dict[str, Any] = {"email": unknown(), "password": PASSWORD}
    odd: list[Any] = [None, [], "text", 3]
    for field in whole:
        odd += [{**whole, field: value} for value in _ODD]
    for body in odd:
        answer = gateway.post(
            f"/auth/v1/{path}",
            headers={"apikey": stack.publishable_key, "Content-Type": "application/json"},
            content=json.dumps(body),
        )
        assert answer.status_code == 400, (body, answer.status_code, answer.text)


def test_one_network_address_makes_auth_write_forty_times_an_hour_and_no_more(
    stack: Stack, gateway: httpx.Client
) -> None:
    told: list[int] = []
    # Enough for two hours, should one end meanwhile.
    while len(told) < 82 and 429 not in told:
        told.append(post(stack, gateway, "recover", email=unknown()).status_code)
    assert told[:40] == [200] * 40
    assert told[-1] == 429
    # The client cannot say who it is.
    refused = gateway.post(
        "/auth/v1/recover",
        headers={"apikey": stack.publishable_key, "X-Forwarded-For": "203.0.113.9"},
        json={"email": unknown()},
    )
    assert refused.status_code == 429


def test_the_hook_that_is_not_set_up_says_so(stack: Stack, gateway: httpx.Client) -> None:
    answer = gateway.post("/functions/v1/auth-email", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_set_up")
