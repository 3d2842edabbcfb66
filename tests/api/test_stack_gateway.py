"""The gateway alone, in front of a server that shows what reaches it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import jwt
import pytest

from escapemaster_dev.stack.config import ROOT, Ports, StackConfig
from escapemaster_dev.stack.credentials import Credentials
from escapemaster_dev.stack.gateway import MALFORMED, NO_JSON, ODD_VALUE, UNAVAILABLE, Gateway
from escapemaster_dev.stack.parts import Parts
from escapemaster_dev.stack.ports import is_free
from escapemaster_dev.stack.processes import Child, stop_all
from escapemaster_dev.stack.supabase_config import read_supabase_config


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        seen = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"method": self.command, "path": self.path, "headers": seen}).encode()
        # As PostgREST writes it, which names the database's host.
        fault = parse_qs(urlsplit(self.path).query).get("fault")
        self.send_response(503 if self.path == "/rpc/down" or fault else 200)
        if fault:
            self.send_header("X-Fault", fault[0])
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Access-Control-Allow-Origin", "https://from-upstream.test")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_OPTIONS = do_POST = answer  # noqa: N815 - their parent's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parent's name
        pass


class _Impatient(_Echo):
    """Closes a connection when a second request has come on it, as a busy Node may."""

    served = False

    def answer(self) -> None:
        if self.served:
            self.close_connection = True
            return
        self.served = True
        super().answer()

    do_GET = do_OPTIONS = do_POST = answer  # noqa: N815 - their parent's names


@dataclass(frozen=True)
class RunningGateway:
    """A gateway in front of stand-ins, and what a test needs of it."""

    http: httpx.Client
    credentials: Credentials
    servers: list[ThreadingHTTPServer]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    base = next(
        base
        for base in range(28000, 29900, 20)
        if all(is_free(port) for port in Ports(base).by_part().values())
    )
    config = StackConfig(home=tmp_path_factory.mktemp("gateway"), ports=Ports(base))
    config.prepare()
    credentials = Credentials.load_or_generate(config.secrets)
    configuration = Gateway(config)
    configuration.write(credentials)
    configuration.write_demo_config(credentials)
    parts = Parts(config, credentials, read_supabase_config(ROOT), os.environ)
    servers = [
        ThreadingHTTPServer(("127.0.0.1", port), handler)
        for port, handler in (
            (config.ports.postgrest, _Echo),
            (config.ports.lite, _Impatient),
            (config.ports.edge, _Impatient),
        )
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    part = parts.gateway()
    child = Child(part.command, config.logs / "gateway.log")
    try:
        deadline = time.monotonic() + 20
        while not part.ready():
            assert child.exit_code() is None, child.log_tail()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with httpx.Client(base_url=config.gateway_url, trust_env=False) as http:
            yield RunningGateway(http, credentials, servers)
    finally:
        stop_all([child])
        for server in servers:
            server.shutdown()
            server.server_close()


def _role(gateway: RunningGateway, answer: httpx.Response) -> str:
    scheme, token = answer.json()["headers"]["authorization"].split()
    assert scheme == "Bearer"
    claims = jwt.decode(
        token, gateway.credentials.jwt_secret, algorithms=["HS256"], audience="authenticated"
    )
    return str(claims["role"])


@pytest.mark.parametrize("path", ["/rest/v1/rooms", "/rest/v1/", "/rest/v1/rpc/f?a=1"])
def test_no_key_is_401(gateway: RunningGateway, path: str) -> None:
    answer = gateway.http.get(path)
    assert answer.status_code == 401
    assert answer.json()["message"] == "No API key found in request"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_an_unknown_key_is_401_even_with_a_users_token(gateway: RunningGateway) -> None:
    for headers in ({"apikey": "sb_publishable_no"}, {"apikey": ""}):
        answer = gateway.http.get(
            "/rest/v1/rooms", headers={**headers, "Authorization": "Bearer x"}
        )
        assert answer.status_code == 401
        assert answer.json()["message"] == "Invalid API key"


def test_a_key_becomes_its_roles_token(gateway: RunningGateway) -> None:
    for key, role in (
        (gateway.credentials.publishable_key, "anon"),
        (gateway.credentials.secret_key, "service_role"),
    ):
        for headers in ({}, {"Authorization": f"Bearer {key}"}, {"Authorization": f"bearer {key}"}):
            answer = gateway.http.get("/rest/v1/rooms", headers={"apikey": key, **headers})
            assert _role(gateway, answer) == role
        asked = gateway.http.get("/rest/v1/rooms", params={"select": "*", "apikey": key})
        assert _role(gateway, asked) == role
        # The key goes no further: in logs of PostgREST it would be a secret.
        assert key not in asked.text
        assert asked.json()["path"].startswith("/rooms?select=")


def test_a_key_is_matched_whole(gateway: RunningGateway) -> None:
    key = gateway.credentials.secret_key
    for wrong in (key + "x", key[:-1], "x" + key, key.upper()):
        assert gateway.http.get("/rest/v1/rooms", headers={"apikey": wrong}).status_code == 401
        assert gateway.http.get("/rest/v1/rooms", params={"apikey": wrong}).status_code == 401


def test_a_header_wins_over_the_query(gateway: RunningGateway) -> None:
    answer = gateway.http.get(
        "/rest/v1/rooms",
        params={"apikey": gateway.credentials.secret_key},
        headers={"apikey": gateway.credentials.publishable_key},
    )
    assert _role(gateway, answer) == "anon"


def test_a_users_own_token_passes_untouched(gateway: RunningGateway) -> None:
    answer = gateway.http.get(
        "/rest/v1/rooms",
        headers={
            "apikey": gateway.credentials.publishable_key,
            "Authorization": "Bearer eyJ.user.x",
        },
    )
    assert answer.json()["headers"]["authorization"] == "Bearer eyJ.user.x"


def test_a_preflight_needs_no_key(gateway: RunningGateway) -> None:
    answer = gateway.http.options(
        "/rest/v1/rpc/hold_booking",
        headers={
            "Origin": "https://venue.test",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "apikey,content-type,x-organization-id",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    allowed = answer.headers["access-control-allow-headers"]
    assert allowed == "apikey,content-type,x-organization-id"


def test_one_origin_header_is_sent_not_two(gateway: RunningGateway) -> None:
    answer = gateway.http.get("/rest/v1/x", headers={"apikey": gateway.credentials.publishable_key})
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]


def test_every_request_has_an_id_that_is_passed_on_and_given_back(gateway: RunningGateway) -> None:
    key = {"apikey": gateway.credentials.publishable_key}
    first, second = (gateway.http.get("/rest/v1/x", headers=key) for _ in range(2))
    assert first.headers["x-request-id"] == first.json()["headers"]["x-request-id"]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    given = gateway.http.get("/rest/v1/x", headers={**key, "x-request-id": "from-the-client-1"})
    assert given.headers["x-request-id"] == "from-the-client-1"


@pytest.mark.parametrize("bad", ["short", "x" * 200, "with space in it", "<script>alert(1)"])
def test_an_unfit_request_id_is_replaced(gateway: RunningGateway, bad: str) -> None:
    key = {"apikey": gateway.credentials.publishable_key}
    answer = gateway.http.get("/rest/v1/x", headers={**key, "x-request-id": bad})
    assert answer.headers["x-request-id"] != bad


def test_the_clients_address_cannot_be_forged(gateway: RunningGateway) -> None:
    answer = gateway.http.get(
        "/rest/v1/x",
        headers={"apikey": gateway.credentials.publishable_key, "X-Forwarded-For": "203.0.113.7"},
    )
    assert answer.json()["headers"]["x-forwarded-for"] == "127.0.0.1"


def test_several_prefer_headers_arrive_as_one_list(gateway: RunningGateway) -> None:
    """PostgREST reads all of them and shows the database, which refuses some wishes, the last."""
    key = ("apikey", gateway.credentials.publishable_key)
    wishes = [("Prefer", "count=planned"), ("prefer", "return=minimal")]
    seen = gateway.http.get("/rest/v1/x", headers=[key, *wishes]).json()["headers"]
    assert seen["prefer"].replace(" ", "") == "count=planned,return=minimal"
    assert "prefer" not in gateway.http.get("/rest/v1/x", headers=[key]).json()["headers"]


@pytest.mark.parametrize(
    "query",
    [
        "slug=café",
        "slug=%C3%A9t%C3%A9&a=%E2%82%AC",
        "%F0%9D%95%8F=eq.1",
        "select=a%20b%2Cc,*,d(e)&or=(a.eq.1,b.gt.%22x%22)",
        "a=%7F%01%0A&b=+%2B&c=%EE%80%80%ED%9F%BF%F4%8F%BF%BF",
    ],
)
def test_an_address_in_any_language_passes(gateway: RunningGateway, query: str) -> None:
    key = {"apikey": gateway.credentials.publishable_key}
    seen = gateway.http.get(f"/rest/v1/rooms?{query}", headers=key).json()["path"]
    assert sorted(parse_qsl(urlsplit(seen).query)) == sorted(parse_qsl(query))


@pytest.mark.parametrize(
    "odd", ["%00", "a%00b", "%ff", "%C3%28", "%C0%80", "%ED%A0%80", "%F4%90%80%80", "%zz"]
)
@pytest.mark.parametrize(
    "place", ["rest/v1/rooms?a=", "storage/v1/object/", "auth/v1/verify?", "x"]
)
def test_an_address_that_is_no_text_goes_no_further(
    gateway: RunningGateway, place: str, odd: str
) -> None:
    key = {"apikey": gateway.credentials.publishable_key}
    answer = gateway.http.get(f"/{place}{odd}", headers=key)
    assert answer.status_code == 400
    if "?" in place:
        assert answer.json() == MALFORMED


def test_a_header_s_bytes_that_are_no_text_arrive_as_question_marks(
    gateway: RunningGateway,
) -> None:
    """PostgREST shows every header to the database, which takes text."""
    headers = [
        (b"apikey", gateway.credentials.publishable_key.encode()),
        (b"X-Anything", b"\xe9t\xe9"),
        (b"Cookie", "a=été".encode() + b"\xff"),
    ]
    seen = gateway.http.get("/rest/v1/x", headers=headers).json()["headers"]
    assert seen["x-anything"] == "?t?"
    # The echo reads bytes one by one.
    assert seen["cookie"].encode("latin-1").decode() == "a=été?"


def test_paths_reach_their_parts_as_on_a_hosted_project(gateway: RunningGateway) -> None:
    key = {"apikey": gateway.credentials.publishable_key}
    for asked, seen in {
        "/rest/v1/rpc/f": "/rpc/f",
        "/auth/v1/token": "/auth/v1/token",
        "/storage/v1/object/public/a.png": "/storage/v1/object/public/a.png",
        "/functions/v1/calendar-feed/x.ics": "/calendar-feed/x.ics",
    }.items():
        assert gateway.http.get(asked, headers=key).json()["path"] == seen


@pytest.mark.parametrize(
    "path",
    [
        "public/logos/x/a.html",
        "sign/team-photos/x/t.html?token=x",
        "authenticated/documents/x/a.svg",
    ],
)
def test_a_file_is_no_page_of_this_origin(gateway: RunningGateway, path: str) -> None:
    """Whatever it says that it is: it runs nothing, and reads nothing of whoever opens it."""
    answer = gateway.http.get(f"/storage/v1/object/{path}")
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("content-security-policy") == ["sandbox; default-src 'none'"]


@pytest.mark.parametrize("path", ["/auth/v1/token", "/storage/v1/object/x", "/functions/v1/f"])
def test_a_part_that_closes_an_idle_connection_loses_no_request(
    gateway: RunningGateway, path: str
) -> None:
    answers = [gateway.http.post(path, json={"n": n}) for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


def test_the_demo_page_knows_where_everything_is(gateway: RunningGateway) -> None:
    found = gateway.http.get("/demo/config.json").json()
    assert found["supabase_url"] == str(gateway.http.base_url).rstrip("/")
    assert found["publishable_key"] == gateway.credentials.publishable_key
    assert gateway.credentials.secret_key not in json.dumps(found)
    assert gateway.http.get("/").headers["location"] == "/demo/"


def test_nothing_of_the_state_directory_is_served(gateway: RunningGateway) -> None:
    for path in (
        "/demo/../Caddyfile",
        "/demo/%2e%2e/Caddyfile",
        "/demo/..%2f..%2fsecrets.json",
        "/Caddyfile",
        "/secrets.json",
    ):
        assert gateway.http.get(path).status_code in {400, 404}


def test_an_unknown_path_is_404(gateway: RunningGateway) -> None:
    assert gateway.http.get("/rest/v2/x").status_code == 404


def _assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["retry-after"] == "1"
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert answer.json() == UNAVAILABLE


def test_a_503_names_nothing_of_the_machinery_to_visitors_and_all_to_the_service(
    gateway: RunningGateway,
) -> None:
    publishable = {"apikey": gateway.credentials.publishable_key}
    _assert_unavailable(gateway.http.post("/rest/v1/rpc/down", headers=publishable))
    signed_in = {**publishable, "Authorization": "Bearer a.b.c"}
    _assert_unavailable(gateway.http.post("/rest/v1/rpc/down", headers=signed_in))
    secret = {"apikey": gateway.credentials.secret_key}
    answer = gateway.http.post("/rest/v1/rpc/down", headers=secret)
    assert (answer.status_code, answer.json()["path"]) == (503, "/rpc/down")


@pytest.mark.parametrize(
    "path", ["/auth/v1/token", "/storage/v1/object/list/documents", "/storage/v1/object/sign/a/b"]
)
def test_auth_and_storage_say_what_is_away_and_what_is_odd_as_the_gateway_does(
    gateway: RunningGateway, path: str
) -> None:
    _assert_unavailable(gateway.http.get(path, params={"fault": "database"}))
    answer = gateway.http.get(path, params={"fault": "body"})
    assert (answer.status_code, answer.json()) == (400, NO_JSON)
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    answer = gateway.http.get(path, params={"fault": "value"})
    assert (answer.status_code, answer.json()) == (400, ODD_VALUE)


def test_a_part_that_does_not_answer_is_503_in_the_same_form(gateway: RunningGateway) -> None:
    """The last test of this file: Auth's place is empty from here on."""
    gateway.servers[1].shutdown()
    gateway.servers[1].server_close()
    _assert_unavailable(gateway.http.get("/auth/v1/health"))
