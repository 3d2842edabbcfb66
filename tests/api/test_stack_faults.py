"""What the local Auth and Storage answer 500 and is no fault of theirs."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from escapemaster_dev.stack import lite
from stack import Stack, User

FAULTS = Path(lite.__file__).with_name("lite_faults.mjs")
#: A server that answers as theirs do: it writes an error down, then says 500.
SERVER = """
import http from "node:http";
const server = http.createServer({}, (request, response) => {
  const error = eval(decodeURIComponent(request.url.slice(1)));
  if (error) console.error("Storage error:", error);
  setTimeout(() => response.writeHead(500, { "content-type": "application/json" }).end("{}"));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"""


def _coded(code: str) -> str:
    return f"Object.assign(new Error('said'), {{ code: '{code}' }})"


@pytest.mark.parametrize(
    ("error", "status", "fault"),
    [
        *(
            (_coded(code), 503, "database")
            for code in ("CONNECTION_CLOSED", "ECONNREFUSED", "57P01", "57P03", "53300", "08006")
        ),
        (f"new Error('outer', {{ cause: {_coded('ECONNRESET')} }})", 503, "database"),
        (f"new AggregateError([{_coded('ECONNREFUSED')}])", 503, "database"),
        ("new Error('Connection terminated unexpectedly')", 503, "database"),
        ("(() => { try { JSON.parse('{') } catch (error) { return error } })()", 400, "body"),
        ("Object.assign(new Error('Malformed JSON'), { status: 400 })", 400, "body"),
        *((_coded(code), 400, "value") for code in ("22003", "2201W", "54000", "ENAMETOOLONG")),
        (_coded("23502"), 500, None),
        # A column that is not there, or a direction, is the client's only where it sorts a list.
        (_coded("42703"), 500, None),
        ("new Error('Invalid order by direction: up')", 500, None),
        ("new SyntaxError('Invalid regular expression')", 500, None),
        ("Object.assign(new Error('No such thing'), { status: 400 })", 500, None),
        ("new Error('a defect in JSON')", 500, None),
        ("null", 500, None),
    ],
)
def test_a_database_that_is_away_is_told_from_a_defect(
    node: int, error: str, status: int, fault: str | None
) -> None:
    answer = httpx.get(f"http://127.0.0.1:{node}/{_encoded(error)}", trust_env=False)
    assert (answer.status_code, answer.headers.get("x-fault")) == (status, fault)


@pytest.fixture(scope="module")
def node() -> Iterator[int]:
    with subprocess.Popen(
        ["node", f"--import={FAULTS.as_uri()}", "--input-type=module", "--eval", SERVER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def _encoded(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "object/list/documents"), ("POST", "object/sign/documents/x"), ("POST", "bucket")],
)
def test_a_body_that_is_no_json_is_refused_by_storage(
    stack: Stack, gateway: httpx.Client, method: str, path: str
) -> None:
    headers = {"apikey": stack.secret_key, "content-type": "application/json"}
    answer = gateway.request(method, f"/storage/v1/{path}", headers=headers, content=b"{")
    assert answer.status_code == 400, answer.text
    assert json.loads(answer.text)


@pytest.fixture(scope="module")
def users_headers(stack: Stack, make_user: Callable[[], User]) -> dict[str, str]:
    """Those of somebody who is signed in."""
    return {
        "apikey": stack.publishable_key,
        "Authorization": f"Bearer {make_user().access_token}",
        "content-type": "application/json",
    }


@pytest.fixture(scope="module")
def service_headers(stack: Stack) -> dict[str, str]:
    """Those of the secret key, whom no policy stops."""
    key = stack.secret_key
    return {"apikey": key, "Authorization": f"Bearer {key}", "content-type": "application/json"}


_DEEP = ("[" * 100_000 + "]" * 100_000, '{"a":' * 20_000 + "1" + "}" * 20_000)


@pytest.mark.parametrize("deep", _DEEP, ids=["lists", "objects"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("auth/v1/signup", '{"email": "deep@example.test", "password": "long enough", "data": %s}'),
        ("auth/v1/token?grant_type=refresh_token", '{"refresh_token": %s}'),
        ("auth/v1/otp", '{"email": "deep@example.test", "options": %s}'),
        ("storage/v1/object/list/documents", '{"prefix": %s}'),
        ("storage/v1/object/list/documents", '{"prefix": "", "sortBy": %s}'),
        ("storage/v1/object/move", '{"bucketId": %s, "sourceKey": "a", "destinationKey": "b"}'),
        ("storage/v1/object/copy", '{"bucketId": "a", "sourceKey": %s, "destinationKey": "b"}'),
        ("storage/v1/object/sign/documents/x.pdf", '{"expiresIn": %s}'),
        ("storage/v1/object/sign/documents", '{"expiresIn": 60, "paths": %s}'),
        ("storage/v1/bucket", '{"name": %s}'),
    ],
)
def test_json_nested_too_deep_is_refused_and_no_fault(
    stack: Stack, gateway: httpx.Client, path: str, body: str, deep: str
) -> None:
    headers = {"apikey": stack.publishable_key, "content-type": "application/json"}
    answer = gateway.post(f"/{path}", headers=headers, content=body % deep)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_001, "1e20", "1.5", "-1"])
@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_number_that_a_list_cannot_take_is_refused(
    gateway: httpx.Client, users_headers: dict[str, str], name: str, number: str
) -> None:
    body = f'{{"prefix": "", "{name}": {number}}}'
    answer = gateway.post("/storage/v1/object/list/documents", headers=users_headers, content=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5_001])
def test_a_signed_address_lasts_no_number_that_is_infinite(
    gateway: httpx.Client, service_headers: dict[str, str], number: str
) -> None:
    file = f"documents/{uuid.uuid4()}.pdf"
    headers = {**service_headers, "content-type": "application/pdf"}
    kept = gateway.post(f"/storage/v1/object/{file}", headers=headers, content=b"%PDF-")
    assert kept.status_code == 200, kept.text
    for seconds, status in ((number, 400), ("60", 200)):
        body = f'{{"expiresIn": {seconds}}}'
        answer = gateway.post(
            f"/storage/v1/object/sign/{file}", headers=service_headers, content=body
        )
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "sort_by",
    [
        {"column": "name;drop", "order": "asc"},
        {"column": "nothing", "order": "asc"},
        {"column": "name", "order": "up;down"},
        {"column": "name" * 1_000, "order": "asc"},
    ],
)
def test_an_order_that_there_is_not_is_refused(
    gateway: httpx.Client, users_headers: dict[str, str], sort_by: dict[str, str]
) -> None:
    body = {"prefix": "", "sortBy": sort_by}
    answer = gateway.post("/storage/v1/object/list/documents", headers=users_headers, json=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("name", ["n" * 300, "n" * 1_100, "/".join(["n" * 200] * 20)])
def test_a_name_longer_than_a_disk_takes_is_refused(
    gateway: httpx.Client, service_headers: dict[str, str], name: str
) -> None:
    headers = {**service_headers, "content-type": "application/pdf"}
    answer = gateway.post(
        f"/storage/v1/object/documents/{name}.pdf", headers=headers, content=b"%PDF-"
    )
    assert answer.status_code == 400, answer.text


def test_a_path_that_auth_does_not_know_is_no_page(
    gateway: httpx.Client, users_headers: dict[str, str]
) -> None:
    for path in ("admin/users", "admin", "nothing", ""):
        answer = gateway.get(f"/auth/v1/{path}", headers=users_headers)
        assert answer.status_code == 404, (path, answer.text)
        assert answer.json()["error_code"] == "not_found"
    assert gateway.get("/auth/v1/user", headers=users_headers).status_code == 200
