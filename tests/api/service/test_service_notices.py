"""The links that begin and end notices: two clicks for a person, one for a mail program to end."""

from __future__ import annotations

import httpx
import pytest

from escapemaster.email.content import Site
from escapemaster.email.formatting import LOCALES
from escapemaster.email.mails import sample
from escapemaster.email.rendering import render

from .fakes import FakePostgrest

SITE = Site("https://play.example.test/", service_url="https://api.example.test")


@pytest.mark.parametrize(
    ("token", "is_told", "question", "done"),
    [
        ("start.o.a.t", True, "Tell this address of bookings?", "will tell this address"),
        ("stop.o.a.t", False, "Tell this address no more?", "does not tell this address"),
    ],
)
async def test_a_link_asks_first_and_then_does_it(
    client: httpx.AsyncClient,
    postgrest: FakePostgrest,
    token: str,
    is_told: bool,
    question: str,
    done: str,
) -> None:
    postgrest.returns(answer_notice_link={"organization_name": "<b>Enigma", "is_told": is_told})
    asked = await client.get("/v1/notices", params={"token": token})
    assert question in asked.text and postgrest.calls == []
    answer = await client.post("/v1/notices", params={"token": token})
    assert postgrest.called("answer_notice_link") == [{"token": token}]
    assert f"&lt;b&gt;Enigma {done}" in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_a_link_that_is_none_is_told_so(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("answer_notice_link", "PT404", "link_invalid", hint="Open the link.")
    answer = await client.post("/v1/notices", params={"token": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid")


@pytest.mark.parametrize("template", ["notice", "notice_digest"])
def test_only_an_address_that_was_typed_ends_it_by_the_mail(template: str) -> None:
    """A member chooses in the app; a mail program ends the others on one click (RFC 8058)."""
    for locale in LOCALES:
        prepared = sample(template, locale)
        member = render(prepared, SITE)
        assert member.list_headers() == {} and "/v1/notices" not in member.text
        typed = prepared.model_copy(update={"data": {**prepared.data, "stop_token": "stop.o.a.t"}})
        link = f"https://api.example.test/v1/notices?token=stop.o.a.t&lang={locale}"
        assert render(typed, SITE).list_headers()["List-Unsubscribe"] == f"<{link}>"
        assert link in render(typed, SITE).text
        # Without the service's address it waits: nobody gets what they could not end.
        assert render(typed, Site(SITE.public_url)).unsubscribe_url == ""


def test_nobody_is_asked_for_a_yes_that_cannot_be_said() -> None:
    asked = render(sample("notice_address", "en"), SITE)
    assert "https://api.example.test/v1/notices?token=sample&lang=en" in asked.text
    assert asked.list_headers() == {}
    assert render(sample("notice_address", "en"), Site(SITE.public_url)).unsubscribe_url == ""


@pytest.mark.parametrize("happened", ["booking_new", "booking_cancelled", "session_released"])
def test_last_minute_news_says_so_and_what_happened(happened: str) -> None:
    prepared = sample("notice", "en")
    data = {**prepared.data, "type": "last_minute", "happened": happened}
    plain = {**prepared.data, "type": happened, "happened": happened}
    urgent, calm = (
        render(prepared.model_copy(update={"data": each}), SITE).subject for each in (data, plain)
    )
    assert urgent == f"Last minute. {calm}"
