"""Somebody who is invited opens the mail's link in a browser and is a member."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from playwright.sync_api import Page, Request, expect

from stack import Mailbox, Rest, User
from venues import answer, open_venue


def test_the_link_of_an_invitation_leads_to_a_page_that_accepts_it(
    page: Page,
    mailbox: Mailbox,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
) -> None:
    venue = open_venue(make_user, as_user)
    here = {"organization_id": venue.organization_id}
    address = f"invited-{uuid4().hex[:12]}@example.test"
    [role] = answer(venue.owner.get("roles", key="eq.receptionist", select="id"))
    answer(venue.owner.rpc("invite_member", **here, email=address, role_id=role["id"]))
    [mail] = mailbox.wait_for(address)
    [link] = [word for word in mail["text"].split() if "invitation=" in word]
    secret = link.partition("invitation=")[2]

    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - wants a function
    page.goto(link)
    page.get_by_label("E-mail").fill(address)
    page.get_by_label("Password").fill(f"correct-{uuid4().hex}")
    assert secret not in page.url
    page.get_by_role("button", name="Make an account and accept").click()
    expect(page.get_by_role("status")).to_contain_text("You are now a member of", timeout=20_000)

    members = answer(venue.owner.get("memberships", select="profiles(email)"))
    assert address in {member["profiles"]["email"] for member in members}
    # The server of the page and its logs never hear of the secret.
    assert all(secret not in request.url for request in asked)
