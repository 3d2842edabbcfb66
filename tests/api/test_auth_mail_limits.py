"""How much mail the local Auth may be made to send, by what is loaded into it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

import escapemaster_dev.stack

LIMITS = Path(escapemaster_dev.stack.__file__).with_name("lite_mail_pause.mjs")
#: Answers as Auth does: 422 to an address without an account that asks for a code only. Its clock
#: stands still, and `/later?<hours>` moves it.
SERVER = """
import http from "node:http";
let now = Date.UTC(2027, 4, 15, 0, 30);
Date.now = () => now;
const server = http.createServer({}, (request, response) => {
  if (request.url.startsWith("/later?")) now += 3600000 * Number(request.url.slice(7));
  if (request.url === "/tomorrow") now += 86400000 - (now % 86400000) + 1800000;
  const unknown = String(request.rawBody ?? "").includes("unknown");
  response.setHeader("X-Sb-Error-Code", "otp_disabled");
  response.writeHead(unknown ? 422 : 200, { "Content-Type": "application/json" });
  response.end(unknown ? '{"error_code":"otp_disabled"}' : "{}");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


@dataclass(frozen=True, slots=True)
class Asking:
    """Auth's clients."""

    http: httpx.Client

    def __call__(self, path: str, network: str = "203.0.113.1", **body: Any) -> httpx.Response:
        """A request of Auth's, from a network address."""
        headers = {"x-forwarded-for": network}
        return self.http.post(f"/auth/v1/{path}", headers=headers, json=body)

    def later(self, hours: int) -> None:
        """Let time pass."""
        self.http.get(f"/later?{hours}")


@pytest.fixture(scope="module")
def auth() -> Iterator[Asking]:
    command = ["node", f"--import={LIMITS.as_uri()}", "--input-type=module", f"--eval={SERVER}"]
    environment = {"PATH": os.environ["PATH"], "AUTH_MAIL_PAUSE_MS": "0"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with httpx.Client(base_url=url, trust_env=False) as http:
            yield Asking(http)
        server.terminate()


@pytest.fixture
def ask(auth: Asking) -> Asking:
    """On another day than the test before, half an hour after midnight."""
    auth.http.get("/tomorrow")
    return auth


def _statuses(answers: Iterable[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_mailbox_has_six_mails_an_hour_twenty_a_day_and_one_an_hour_always(ask: Asking) -> None:
    kinds = ("recover", "otp", "magiclink", "signup", "user", "invite", "resend")

    def told(turn: int) -> int:
        # From anywhere, under any of its spellings, whatever for.
        kind, network = kinds[turn % len(kinds)], f"203.0.113.{turn}"
        answer: httpx.Response = ask(kind, network, email=f"a.n.a+{turn}@GMAIL.com")
        if answer.status_code == 429:
            assert answer.json()["error_code"] == "over_email_send_rate_limit"
            assert answer.headers["retry-after"] == "1800"
        return answer.status_code

    sent = []
    for _ in range(23):
        sent.append([told(turn) for turn in range(8)].count(200))
        ask.later(1)
    assert sent == [6, 6, 6, 2] + 19 * [1]
    assert ask("recover", email="someone@example.test").status_code == 200
    ask.later(1)
    assert [told(turn) for turn in range(7)].count(200) == 6


def test_a_mailbox_s_numbers_are_the_database_s(catalogue: psycopg.Connection[Any]) -> None:
    rules = dict(
        catalogue.execute(
            "select action, max_hits from private.rate_limit_rules where action like 'auth_mail%'"
        ).fetchall()
    )
    assert f"hour: {rules['auth_mail']}, day: {rules['auth_mail_day']}" in LIMITS.read_text()


def test_one_s_own_code_counts_as_well(ask: Asking) -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"email": "ana@example.test"}).encode())
    headers = {"Authorization": f"Bearer x.{claims.decode().rstrip('=')}.y"}
    answers = [ask.http.get("/auth/v1/reauthenticate", headers=headers) for _ in range(7)]
    assert _statuses(answers) == [200] * 6 + [429]
    assert ask.http.get("/auth/v1/user", headers=headers).status_code == 200
    for odd in ("", "Bearer", "Bearer x.y.z", "Bearer x.e30.z"):
        odd_headers = {"Authorization": odd}
        assert ask.http.get("/auth/v1/reauthenticate", headers=odd_headers).status_code == 200


@pytest.mark.parametrize("path", ["%72ecover", "%2E/recover", "x/%2e%2E/recover"])
def test_a_path_otherwise_written_is_the_same(ask: Asking, path: str) -> None:
    # The client would tidy the path up.
    target = httpx.URL(str(ask.http.base_url), raw_path=f"/auth/v1/{path}".encode())
    body = {"email": "ana@example.test"}
    answers = [ask.http.post(target, json=body) for _ in range(7)]
    assert _statuses(answers) == [200] * 6 + [429]


def test_a_network_address_has_forty_mails_an_hour_and_a_hundred_and_twenty_a_day(
    ask: Asking,
) -> None:
    sent = []
    for hour in range(4):
        told = _statuses(ask("signup", email=f"{hour}-{n}@example.test") for n in range(41))
        sent.append(told.count(200))
        ask.later(1)
    assert sent == [40, 40, 40, 0]
    assert ask("signup", "203.0.113.2", email="other@example.test").status_code == 200


def test_who_asks_for_a_code_only_is_told_the_same_with_and_without_an_account(ask: Asking) -> None:
    answers = [
        ask("otp", f"203.0.113.{n}", email=email, create_user=False)
        for n, email in enumerate(("known@example.test", "unknown@example.test"))
    ]
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "{}")] * 2
    assert "x-sb-error-code" not in answers[1].headers
    refused = ask("otp", email="unknown@example.test")
    assert (refused.status_code, refused.json()) == (422, {"error_code": "otp_disabled"})
