"""The link that ends requests: one click for a mail program, two for a person, none for a robot."""

from __future__ import annotations

import httpx
import pytest

from .fakes import FakePostgrest

TOKEN = "o.b.t"


async def test_one_click_of_a_mail_program_ends_requests(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    """As RFC 8058, 3.1 has it: a POST with that body, and no cookies."""
    postgrest.returns(unsubscribe={"organization_name": "<b>Enigma"})
    answer = await client.post(
        "/v1/unsubscribe",
        params={"token": TOKEN, "lang": "es"},
        data={"List-Unsubscribe": "One-Click"},
    )
    assert answer.status_code == 200
    assert postgrest.called("unsubscribe") == [{"token": TOKEN}]
    assert "&lt;b&gt;Enigma no te escribirá" in answer.text
    assert '<html lang="es">' in answer.text


async def test_a_page_that_is_only_looked_at_ends_nothing(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    answer = await client.get("/v1/unsubscribe", params={"token": '"><script>', "lang": "en"})
    assert answer.status_code == 200
    assert postgrest.calls == []
    assert "<script" not in answer.text
    assert '<form method="post" action="?token=%22%3E%3Cscript%3E&amp;lang=en">' in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_a_link_that_is_none_is_told_so(
    client: httpx.AsyncClient, postgrest: FakePostgrest
) -> None:
    postgrest.refuse("unsubscribe", "PT404", "link_invalid", hint="Open the link.")
    answer = await client.post("/v1/unsubscribe", params={"token": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid")


@pytest.mark.parametrize("query", [{}, {"token": "x" * 201}, {"token": "x", "lang": "xx"}])
async def test_what_is_no_link_of_ours_reaches_nobody(
    client: httpx.AsyncClient, postgrest: FakePostgrest, query: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        answer = await client.request(method, "/v1/unsubscribe", params=query)
        assert answer.status_code == 422
    assert postgrest.calls == []
