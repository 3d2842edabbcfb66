"""How often the local Auth lets a code or a password be guessed, by what is loaded into it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import escapemaster_dev.stack

_STACK = Path(escapemaster_dev.stack.__file__).parent
MENDS = [_STACK / name for name in ("lite_mail_pause.mjs", "lite_attempts.mjs")]
#: Answers as Auth does: the right code is 222222, the right password "right", and a database that
#: is away is 503. Address and code are one text to it, as to Auth, and `/hash/<text>` is what it
#: finds an account by. Its clock stands still, and `/later?<minutes>` moves it.
SERVER = """
import http from "node:http";
let now = Date.UTC(2027, 4, 15, 0, 30);
Date.now = () => now;
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const server = http.createServer({}, async (request, response) => {
  const { pathname, search } = new URL(`http://localhost${request.url}`);
  if (pathname === "/later") now += 60000 * Number(search.slice(1));
  if (pathname === "/tomorrow") now += 86400000 - (now % 86400000) + 1800000;
  if (pathname.startsWith("/hash/")) {
    const text = new TextEncoder().encode(decodeURIComponent(pathname.slice(6)));
    return response.end(hex(await crypto.subtle.digest("SHA-256", text)));
  }
  let status = 200;
  try {
    const body = JSON.parse(request.rawBody);
    await new Promise((resume) => setImmediate(resume));
    const whole = `${body.email}${body.token}`;
    if (body.token && !whole.endsWith("222222")) status = 403;
    if (body.password && body.password !== "right") status = 400;
    if (body.email.startsWith("fault")) status = 503;
  } catch {}
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end("{}");
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""

PASSWORD = "token?grant_type=password"


@dataclass(frozen=True, slots=True)
class Guessing:
    """Auth's clients, who answer with statuses."""

    http: httpx.Client

    def post(self, path: str, network: str, **body: Any) -> httpx.Response:
        return self.http.post(f"/auth/v1/{path}", headers={"x-forwarded-for": network}, json=body)

    def code(self, email: str, token: str = "111111", network: str = "203.0.113.1") -> int:
        """Try a code."""
        answer = self.post("verify", network, type="magiclink", email=email, token=token)
        return answer.status_code

    def password(self, email: str, password: str = "x", network: str = "203.0.113.1") -> int:
        """Try a password."""
        return self.post(PASSWORD, network, email=email, password=password).status_code

    def mail(self, email: str) -> None:
        """Ask for a new code."""
        assert self.post("otp", "203.0.113.9", email=email, create_user=False).status_code == 200

    def later(self, minutes: int) -> None:
        """Let time pass."""
        self.http.get(f"/later?{minutes}")

    def hash(self, text: str) -> str:
        """What Auth finds an account by."""
        return self.http.get(f"/hash/{text}").text


@pytest.fixture(scope="module")
def auth() -> Iterator[Guessing]:
    imports = [f"--import={mend.as_uri()}" for mend in MENDS]
    environment = {
        "PATH": os.environ["PATH"],
        "AUTH_MAIL_PAUSE_MS": "0",
        "AUTH_CODE_LENGTH": "6",
        "AUTH_TOKEN_VERIFICATIONS": "60",
        "AUTH_SIGN_INS": "60",
        "AUTH_LINK_KEY": "a key",
    }
    command = ["node", *imports, "--input-type=module", f"--eval={SERVER}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
            yield Guessing(http)
        server.terminate()


@pytest.fixture
def guess(auth: Guessing) -> Guessing:
    """On another day than the test before, half an hour after midnight."""
    auth.http.get("/tomorrow")
    return auth


def _network(turn: int) -> str:
    return f"203.0.{turn // 250}.{turn % 250}"


def test_after_ten_wrong_ones_no_code_opens_anything_until_the_next_mail(guess: Guessing) -> None:
    # From anywhere, under any of its spellings.
    told = [guess.code(f"a.n.a+{n}@GMAIL.com", network=_network(n)) for n in range(12)]
    assert told == [403] * 10 + [429] * 2
    assert guess.code("ana@gmail.com", "222222", _network(99)) == 429
    assert guess.code("another@gmail.com", "222222") == 200
    guess.later(60)
    assert guess.code("ana@gmail.com", "222222") == 429
    guess.mail("ana@googlemail.com")
    assert guess.code("ana@gmail.com", "222222") == 200


def test_a_mailbox_has_fifty_wrong_codes_a_day_however_many_mails(guess: Guessing) -> None:
    told = []
    for hour in range(8):
        told += [guess.code("ana@example.test", network=_network(hour)) for _ in range(10)]
        guess.mail("ana@example.test")
        guess.later(60)
    assert told == [403] * 50 + [429] * 30
    assert guess.code("ana@example.test", "222222") == 429
    guess.http.get("/tomorrow")
    assert guess.code("ana@example.test", "222222") == 200


def test_an_address_that_ends_in_the_code_is_the_same_mailbox(guess: Guessing) -> None:
    whole = "ana@example.test111111"
    cuts = [whole[:cut] for cut in range(3, 23)]
    told = [guess.code(email, whole[len(email) :], _network(n)) for n, email in enumerate(cuts)]
    # The last of them leaves no code to try.
    assert told[:-1] == [403] * 10 + [429] * 9
    assert guess.code("ana@example.test", "222222") == 429


def test_guesses_at_once_are_no_more(guess: Guessing) -> None:
    with ThreadPoolExecutor(20) as pool:
        networks = [_network(n) for n in range(60)]
        told = list(
            pool.map(lambda network: guess.code("b@example.test", network=network), networks)
        )
    assert sorted(told) == [403] * 10 + [429] * 50


def test_right_ones_are_never_limited_however_many_at_once(guess: Guessing) -> None:
    with ThreadPoolExecutor(20) as pool:
        emails = [f"{n}@example.test" for n in range(150)]
        codes = list(pool.map(lambda email: guess.code(email, "222222"), emails))
        passwords = list(pool.map(lambda email: guess.password(email, "right"), emails))
    assert codes + passwords == [200] * 300


def test_a_network_address_has_sixty_wrong_ones_in_five_minutes(guess: Guessing) -> None:
    for wrong in (guess.code, guess.password):
        told = [wrong(f"{n}@example.test") for n in range(62)]
        assert len(set(told[:60])) == 1 and told[60:] == [429] * 2
        assert wrong("c@example.test", network="203.0.113.2") == told[0]
        guess.later(5)
        assert wrong("c@example.test") == told[0]
    refused = guess.post("verify", "203.0.113.1", email="d@example.test", token="1")
    assert refused.status_code == 403


def test_who_is_refused_is_told_when_to_come_again(guess: Guessing) -> None:
    for n in range(60):
        guess.password(f"{n}@example.test")
    refused = guess.post(PASSWORD, "203.0.113.1", email="e@example.test", password="right")
    assert refused.status_code == 429
    assert refused.json()["error_code"] == "over_request_rate_limit"
    assert refused.headers["retry-after"] == "300"
    assert refused.headers["access-control-allow-origin"] == "*"


def test_an_account_s_passwords_are_guessed_a_hundred_times_an_hour_and_its_owner_stays_inside(
    guess: Guessing,
) -> None:
    assert guess.password("f@example.test", "right", "198.51.100.1") == 200
    told = [guess.password("F@example.test", network=_network(n)) for n in range(101)]
    assert told == [400] * 100 + [429]
    assert guess.password("f@example.test", "right", "198.51.100.2") == 429
    # Where the account was signed in to before.
    assert guess.password("f@example.test", "right", "198.51.100.1") == 200
    # The code in a mail is another way in.
    assert guess.code("f@example.test", "222222", "198.51.100.2") == 200
    guess.later(60)
    assert guess.password("f@example.test", "right", "198.51.100.2") == 200


def test_a_fault_of_the_server_s_counts_as_no_guess(guess: Guessing) -> None:
    assert {guess.code("fault@example.test") for _ in range(70)} == {503}
    assert {guess.password("fault@example.test") for _ in range(120)} == {503}
    assert guess.code("g@example.test", "222222") == 200


@pytest.mark.parametrize(
    "path", ["verify", "%76erify", "verify?a=b", "%2e/verify", "x/%2E%2e/verify"]
)
def test_a_path_otherwise_written_is_the_same(guess: Guessing, path: str) -> None:
    for n in range(10):
        guess.code("h@example.test", network=_network(n))
    body = json.dumps({"type": "magiclink", "email": "h@example.test", "token": "222222"})
    # The client would tidy the path up.
    target = httpx.URL(str(guess.http.base_url), raw_path=f"/auth/v1/{path}".encode())
    assert guess.http.post(target, content=body).status_code == 429


def test_a_code_s_text_is_text(guess: Guessing) -> None:
    for odd in (222222, ["222222"], {"a": 1}, True):
        for name in ("token", "token_hash", "type", "email"):
            body = {"type": "magiclink", "email": "i@example.test", "token": "222222", name: odd}
            answer = guess.post("verify", "203.0.113.1", **body)
            assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_json"), body
    for name in ("refresh_token", "auth_code", "code_verifier", "password"):
        answer = guess.post("token?grant_type=refresh_token", "203.0.113.1", **{name: True})
        assert answer.status_code == 400, name


def test_a_link_is_no_hash_that_whoever_knows_the_address_could_make(guess: Guessing) -> None:
    text = "ana@example.test222222"
    assert guess.hash(text) == guess.hash(text) != hashlib.sha256(text.encode()).hexdigest()
    assert guess.hash(text) != guess.hash("ana@example.test222223")
    # The verifier of PKCE is hashed as the other side does.
    assert guess.hash("a-verifier") == hashlib.sha256(b"a-verifier").hexdigest()


def test_links_are_not_limited(guess: Guessing) -> None:
    for n in range(70):
        guess.code(f"{n}@example.test")
    link = {"type": "magiclink", "token_hash": "h", "email": "j@example.test"}
    assert guess.post("verify", "203.0.113.1", **link).status_code == 200
    assert guess.http.get("/auth/v1/verify?token=h&type=magiclink").status_code == 200
