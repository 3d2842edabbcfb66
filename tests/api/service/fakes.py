"""Fakes of what the service talks to, below its own clients: HTTP in, HTTP out."""

from __future__ import annotations

import email
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

#: What reads the service's numbers.
METRICS_TOKEN = "of-prometheus-with-32-characters-"
METRICS = {"authorization": f"Bearer {METRICS_TOKEN}"}
#: What a fake answers: a response, something to raise, or a function of the call.
Answer = Any


@dataclass
class RpcCall:
    """One call of a database function."""

    function: str
    schema: str
    arguments: dict[str, Any]
    headers: httpx.Headers


@dataclass
class FakePostgrest:
    """Answers database functions as PostgREST does, and remembers what was called."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    calls: list[RpcCall] = field(default_factory=list)

    def answer(self, function: str, *answers: Answer) -> None:
        """Answer `function` with these, one after the other; the last one from then on."""
        self.answers[function] = list(answers)

    def returns(self, **answers: Answer) -> None:
        """Answer each function named with the one value given."""
        for function, answer in answers.items():
            self.answer(function, answer)

    def refuse(
        self,
        function: str,
        code: str,
        message: str = "",
        *,
        hint: str | None = None,
        details: str | None = None,
    ) -> None:
        """Let `function` fail with a PostgREST error body."""
        self.answer(function, refusal(code, message, hint=hint, details=details))

    def called(self, function: str) -> list[dict[str, Any]]:
        """The arguments of each call of `function`."""
        return [call.arguments for call in self.calls if call.function == function]

    @property
    def transport(self) -> httpx.MockTransport:
        """Put it in the place of the network."""
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        path = urlsplit(str(request.url)).path
        assert path.startswith("/rest/v1/rpc/"), path
        call = RpcCall(
            function=path.rpartition("/")[2],
            schema=request.headers["content-profile"],
            arguments=json.loads(request.content or b"{}"),
            headers=request.headers,
        )
        self.calls.append(call)
        queue = self.answers.get(call.function)
        if not queue:
            return refusal("PGRST202", f"no function {call.function}")
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(call.arguments)
        return answer if isinstance(answer, httpx.Response) else _json(answer)


def _json(value: Any) -> httpx.Response:
    # Not `json=`, which takes None for "no body".
    return httpx.Response(
        200, content=json.dumps(value), headers={"content-type": "application/json"}
    )


def refusal(
    code: str, message: str = "", *, hint: str | None = None, details: str | None = None
) -> httpx.Response:
    """An error as PostgREST writes it."""
    status = int(code[2:]) if code.startswith("PT") else 400
    return httpx.Response(
        status, json={"code": code, "message": message, "hint": hint, "details": details}
    )


@dataclass
class StripeCall:
    """One request to Stripe."""

    method: str
    path: str
    form: dict[str, str]
    query: dict[str, str]
    headers: httpx.Headers


@dataclass
class FakeStripe:
    """Answers by method and path, and remembers what was asked."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    calls: list[StripeCall] = field(default_factory=list)

    def answer(self, what: str, *answers: Answer) -> None:
        """Answer `METHOD /path` with these, one after the other; the last one from then on."""
        self.answers[what] = list(answers)

    def called(self, what: str) -> list[StripeCall]:
        """The requests for `METHOD /path`."""
        return [call for call in self.calls if f"{call.method} {call.path}" == what]

    @property
    def transport(self) -> httpx.MockTransport:
        """Put it in the place of the network."""
        return httpx.MockTransport(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        parts = urlsplit(str(request.url))
        call = StripeCall(
            method=request.method,
            path=parts.path,
            form=dict(parse_qsl(request.content.decode())),
            query=dict(parse_qsl(parts.query)),
            headers=request.headers,
        )
        self.calls.append(call)
        queue = self.answers.get(f"{call.method} {call.path}")
        if not queue:
            return stripe_error(404, "invalid_request_error", code="resource_missing")
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            answer = answer(call)
        return answer if isinstance(answer, httpx.Response) else _json(answer)


def form(request: httpx.Request, content: bytes) -> dict[str, Message]:
    """The parts of a multipart form, by their names."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    _, *parts = email.message_from_bytes(head + content).walk()
    return {str(part.get_param("name", header="content-disposition")): part for part in parts}


def described_bucket(name: str) -> dict[str, object]:
    """A bucket as Storage describes one."""
    made = "2026-01-01T00:00:00Z"
    return {
        "id": name,
        "name": name,
        "owner": "",
        "public": False,
        "created_at": made,
        "updated_at": made,
        "file_size_limit": None,
        "allowed_mime_types": None,
    }


@dataclass
class FakeStorage:
    """Keeps files by bucket and path, and answers as Storage does."""

    files: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"exports": {}})
    requests: list[httpx.Request] = field(default_factory=list)
    #: Answers instead of working, one a request.
    broken: list[httpx.Response | Exception] = field(default_factory=list)
    #: Lists whole paths, as the local Storage does, instead of one folder.
    flat: bool = False
    deletes: bool = True
    #: The parts of each upload's form, by name.
    uploaded: list[dict[str, Message]] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        """Put it in the place of the network."""
        return httpx.MockTransport(self._handle)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        self.requests.append(request)
        if self.broken:
            answer = self.broken.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        path = urlsplit(str(request.url)).path.removeprefix("/storage/v1/")
        what = f"{request.method} {path}"
        if what == "GET bucket":
            return httpx.Response(200, json=[described_bucket(name) for name in self.files])
        if what.startswith("POST object/list/"):
            return self._list(self.files[path.removeprefix("object/list/")], json.loads(content))
        if request.method == "DELETE":
            kept = self.files[path.removeprefix("object/")]
            for name in json.loads(content)["prefixes"] if self.deletes else []:
                kept.pop(name, None)
            return httpx.Response(200, json=[])
        bucket, _, name = path.removeprefix("object/").partition("/")
        assert what == f"POST object/{bucket}/{name}", what
        parts = form(request, content)
        stored = parts["file"].get_payload(decode=True)
        assert isinstance(stored, bytes)
        self.files[bucket][name] = stored
        self.uploaded.append(parts)
        return httpx.Response(200, json={"Key": f"{bucket}/{name}", "Id": "1"})

    def _list(self, files: dict[str, bytes], wanted: dict[str, Any]) -> httpx.Response:
        prefix = wanted["prefix"]
        below = [name for name in files if name.startswith(prefix)]
        entries: dict[str, str | None] = {}
        for name in below:
            first, slash, _ = name.removeprefix(prefix).partition("/")
            if self.flat:
                entries[name] = f"id of {name}"
            else:
                entries[first] = None if slash else f"id of {name}"
        listed = [{"name": name, "id": number} for name, number in sorted(entries.items())]
        first_line = wanted["offset"]
        return httpx.Response(200, json=listed[first_line : first_line + wanted["limit"]])


def stripe_error(
    status: int, kind: str, *, code: str | None = None, param: str | None = None
) -> httpx.Response:
    """An error as Stripe writes it."""
    error = {"type": kind, "message": "secret@example.test is not liked", "code": code}
    return httpx.Response(
        status,
        json={"error": {**error, "param": param}},
        headers={"request-id": "req_123", "stripe-should-retry": "false"},
    )


def stripe_session(**changes: Any) -> dict[str, Any]:
    """A Checkout Session as Stripe describes one, as far as it is looked at."""
    return {
        "object": "checkout.session",
        "id": "cs_1",
        "status": "open",
        "payment_status": "unpaid",
        "url": "https://pay.example.test/cs_1",
        "payment_intent": None,
        "amount_total": 7500,
        "currency": "eur",
        "client_reference_id": "018f0000-0000-7000-8000-000000000001",
        "expires_at": 1771093860,
        **changes,
    }


def stripe_refund(**changes: Any) -> dict[str, Any]:
    """A refund as Stripe describes one, as far as it is looked at."""
    return {
        "object": "refund",
        "id": "re_1",
        "status": "succeeded",
        "amount": 5000,
        "currency": "eur",
        "payment_intent": "pi_1",
        "metadata": {"refund_request_id": "018f0000-0000-7000-8000-00000000000a"},
        **changes,
    }


def stripe_event(**changes: Any) -> dict[str, Any]:
    """An event as Stripe sends one."""
    return {
        "object": "event",
        "id": "evt_1",
        "type": "checkout.session.completed",
        "created": 1771093000,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": stripe_session(customer_email="secret@example.test")},
        **changes,
    }


def in_turn(*values: Any) -> Callable[[Any], Any]:
    """A function that gives one value a call, and the last one from then on."""
    remaining: Iterator[Any] = iter(values)
    last = [values[-1]]

    def give(_: Any) -> Any:
        last[0] = next(remaining, last[0])
        return last[0]

    return give
