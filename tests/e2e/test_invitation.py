"""Somebody who is invited opens the mail's link in a browser and is a member."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page, Request, expect

from stack import Mailbox, Rest, Stack, User
from venues import Venue, answer, open_venue


@pytest.fixture
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    return open_venue(make_user, as_user)


def invite(venue: Venue, mailbox: Mailbox) -> tuple[str, str]:
    """Invite somebody new: the address, and the link of the mail to it."""
    here = {"organization_id": venue.organization_id}
    address = f"invited-{uuid4().hex[:12]}@example.test"
    [role] = answer(venue.owner.get("roles", key="eq.receptionist", select="id"))
    answer(venue.owner.rpc("invite_member", **here, email=address, role_id=role["id"]))
    [mail] = mailbox.wait_for(address)
    [link] = [word for word in mail["text"].split() if "invitation=" in word]
    return address, link


PASSWORD = f"correct-{uuid4().hex}"


def sign_up(page: Page, address: str, link: str) -> None:
    """Follow an invitation's link and make an account on its page."""
    page.goto(link)
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make an account and accept").click()
    expect(page.get_by_text(f"We sent a code to {address}.")).to_be_visible(timeout=90_000)


def confirmation_of(mailbox: Mailbox, address: str) -> str:
    """The mail that proves the address, as HTML."""
    return str(mailbox.wait_for(address, count=2)[1]["html"])


def signs_in(stack: Stack, gateway: httpx.Client, address: str) -> bool:
    """Whether the password that was chosen opens the account."""
    answered = gateway.post(
        "/auth/v1/token?grant_type=password",
        headers={"apikey": stack.publishable_key},
        json={"email": address, "password": PASSWORD},
    )
    return answered.is_success


def members_of(venue: Venue) -> set[str]:
    members = answer(venue.owner.get("memberships", select="profiles(email)"))
    return {member["profiles"]["email"] for member in members}


def test_the_link_of_an_invitation_leads_to_a_page_that_accepts_it(
    page: Page, mailbox: Mailbox, venue: Venue, stack: Stack, gateway: httpx.Client
) -> None:
    address, link = invite(venue, mailbox)
    secret = link.partition("invitation=")[2]
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - wants a function

    sign_up(page, address, link)
    assert secret not in page.url
    code = re.search(r"<strong>(\d{6})</strong>", confirmation_of(mailbox, address))
    assert code is not None
    wrong = f"{(int(code[1]) + 1) % 1_000_000:06}"
    said = page.get_by_role("status")
    for typed, heard in ((wrong, "That did not work"), (code[1], "You are now a member of")):
        page.get_by_label("Code").fill(typed)
        page.get_by_role("button", name="Confirm and accept").click()
        expect(said).to_contain_text(heard, timeout=90_000)
        assert (address in members_of(venue)) == (typed == code[1])

    assert signs_in(stack, gateway, address)
    # The server of the page and its logs never hear of the secret.
    assert all(secret not in request.url for request in asked)
    assert page.evaluate("Object.values(localStorage)") == []


def test_the_link_of_the_confirmation_leads_back_to_the_invitation(
    page: Page, mailbox: Mailbox, venue: Venue, stack: Stack, gateway: httpx.Client
) -> None:
    address, link = invite(venue, mailbox)
    sign_up(page, address, link)
    back = re.search(r'href="([^"]*/auth/v1/verify[^"]*)"', confirmation_of(mailbox, address))
    assert back is not None

    # As from a mail programme: in another tab of the same browser.
    with page.expect_popup() as opened:
        page.evaluate("link => void open(link)", unescape(back[1]))
    tab = opened.value
    accept = tab.get_by_role("button", name="Accept the invitation")
    expect(accept).to_be_visible(timeout=90_000)
    assert "access_token" not in tab.url
    assert address not in members_of(venue)
    tab.get_by_label("Password").fill(PASSWORD)
    accept.click()
    expect(tab.get_by_role("status")).to_contain_text("You are now a member of", timeout=90_000)

    assert address in members_of(venue)
    assert tab.evaluate("Object.values(localStorage)") == []
    assert signs_in(stack, gateway, address)
