"""Accounts and addresses with the real local Auth: sign-up, mail, link, session."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg

from stack import Mailbox, Rest, Stack

PASSWORD = "a long enough password"


def _post(stack: Stack, gateway: httpx.Client, path: str, **body: object) -> httpx.Response:
    return gateway.post(f"/auth/v1/{path}", headers={"apikey": stack.publishable_key}, json=body)


def _link(mail: dict[str, object]) -> str:
    link = re.search(r'href="([^"]*/auth/v1/verify[^"]*)"', str(mail["html"]))
    assert link is not None, mail["html"]
    return link[1].replace("&amp;", "&")


def _open_link(gateway: httpx.Client, mail: dict[str, object]) -> str:
    """Follow the link of one of Auth's mails; the access token that it opens a session with."""
    answer = gateway.get(_link(mail))
    assert answer.status_code == 303, answer.text
    token = re.search(r"access_token=([^&]+)", answer.headers["location"])
    assert token is not None, answer.headers["location"]
    return token[1]


def _rest(anon: Rest, token: str) -> Rest:
    return Rest(anon.http, {**anon.headers, "Authorization": f"Bearer {token}"})


def test_a_sign_up_is_confirmed_by_the_link_in_the_mailbox(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox, anon: Rest
) -> None:
    email = "signing-up@example.test"
    signed_up = _post(stack, gateway, "signup", email=email, password=PASSWORD)
    assert signed_up.status_code == 200, signed_up.text
    assert "access_token" not in signed_up.json()
    refused = _post(stack, gateway, "token?grant_type=password", email=email, password=PASSWORD)
    assert refused.status_code == 400

    (mail,) = mailbox.wait_for(email)
    assert mail["subject"] == "Confirma tu correo · Confirm your e-mail"
    person = _rest(anon, _open_link(gateway, mail))
    answer = person.rpc("my_bookings")
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_stranger_s_session_and_password_end_when_the_owner_s_link_comes_back(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox, anon: Rest
) -> None:
    email = "squatted@example.test"
    _post(stack, gateway, "signup", email=email, password=PASSWORD)
    # A project without confirmations: the stranger's account is good at once.
    with psycopg.connect(stack.owner_dsn) as connection:
        connection.execute(
            "update auth.users set email_confirmed_at = now() where email = %s", [email]
        )
    signed_in = _post(stack, gateway, "token?grant_type=password", email=email, password=PASSWORD)
    stranger = signed_in.json()
    assert _rest(anon, stranger["access_token"]).rpc("my_context").status_code == 200
    refused = _rest(anon, stranger["access_token"]).rpc("my_bookings")
    assert (refused.status_code, refused.json()["message"]) == (403, "email_not_proven")

    _post(stack, gateway, "recover", email=email)
    mails = mailbox.wait_for(email, count=2)
    owner = _rest(anon, _open_link(gateway, mails[-1]))

    assert owner.rpc("my_bookings").status_code == 200
    ended = _rest(anon, stranger["access_token"]).rpc("my_context")
    assert (ended.status_code, ended.json()["message"]) == (401, "session_ended")
    again = _post(
        stack, gateway, "token?grant_type=refresh_token", refresh_token=stranger["refresh_token"]
    )
    assert again.status_code == 400, again.text
    back = _post(stack, gateway, "token?grant_type=password", email=email, password=PASSWORD)
    assert back.status_code == 400, back.text

    # The owner chooses a password and comes in by it.
    chosen = gateway.put(
        "/auth/v1/user", headers=dict(owner.headers), json={"password": "the owner's own password"}
    )
    assert chosen.status_code == 200, chosen.text
    mine = _post(
        stack,
        gateway,
        "token?grant_type=password",
        email=email,
        password="the owner's own password",
    )
    assert mine.status_code == 200, mine.text


def _sign_in(stack: Stack, gateway: httpx.Client, email: str, password: str) -> dict[str, Any]:
    answer = _post(stack, gateway, "token?grant_type=password", email=email, password=password)
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    return session


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def test_a_stranger_whose_sign_up_s_mail_a_scanner_opens_reads_and_keeps_nothing(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox, anon: Rest
) -> None:
    email = "scanned@example.test"
    _post(stack, gateway, "signup", email=email, password=PASSWORD)
    (mail,) = mailbox.wait_for(email)
    assert gateway.head(_link(mail)).status_code == 405
    unused = _post(stack, gateway, "token?grant_type=password", email=email, password=PASSWORD)
    assert unused.status_code == 400, unused.text
    gateway.get(_link(mail))

    session = _sign_in(stack, gateway, email, PASSWORD)
    renewed = _post(
        stack, gateway, "token?grant_type=refresh_token", refresh_token=session["refresh_token"]
    )
    for token in (session["access_token"], renewed.json()["access_token"]):
        session_of_stranger = _rest(anon, token)
        assert session_of_stranger.rpc("my_context").status_code == 200
        for name, arguments in (
            ("my_bookings", {}),
            ("my_booking_token", {"booking_id": "00000000-0000-7000-8000-000000000000"}),
            ("reset_sign_in", {}),
        ):
            assert _refusal(session_of_stranger.rpc(name, **arguments)) == (403, "email_not_proven")

    # The owner recovers the password, and nothing of the stranger's is left.
    _post(stack, gateway, "recover", email=email)
    owner = _rest(anon, _open_link(gateway, mailbox.wait_for(email, count=2)[-1]))
    assert owner.rpc("my_bookings").status_code == 200
    stranger = _rest(anon, renewed.json()["access_token"])
    assert _refusal(stranger.rpc("my_context")) == (401, "session_ended")
    back = _post(stack, gateway, "token?grant_type=password", email=email, password=PASSWORD)
    assert back.status_code == 400, back.text


def test_an_honest_sign_up_settles_its_sign_in_and_keeps_its_password(
    stack: Stack, gateway: httpx.Client, mailbox: Mailbox, anon: Rest
) -> None:
    email = "honest@example.test"
    _post(stack, gateway, "signup", email=email, password=PASSWORD)
    opened = gateway.get(_link(mailbox.wait_for(email)[0]))
    fragment = parse_qs(urlsplit(opened.headers["location"]).fragment)
    person = _rest(anon, fragment["access_token"][0])
    assert person.rpc("my_bookings").status_code == 200
    # A mailed session stays one when it is refreshed.
    renewed = _post(
        stack,
        gateway,
        "token?grant_type=refresh_token",
        refresh_token=fragment["refresh_token"][0],
    )
    person = _rest(anon, renewed.json()["access_token"])
    elsewhere = _rest(anon, _sign_in(stack, gateway, email, PASSWORD)["access_token"])

    assert person.rpc("reset_sign_in").status_code == 204
    assert _refusal(elsewhere.rpc("my_context")) == (401, "session_ended")
    chosen = gateway.put("/auth/v1/user", headers=dict(person.headers), json={"password": PASSWORD})
    assert chosen.status_code == 200, chosen.text
    mine = _rest(anon, _sign_in(stack, gateway, email, PASSWORD)["access_token"])
    assert mine.rpc("my_bookings").status_code == 200
