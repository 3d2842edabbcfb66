"""What the local Auth and Storage answer 500 and is no fault of theirs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from escapemaster_dev.stack import lite
from stack import Stack

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
        (_coded("23502"), 500, None),
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
