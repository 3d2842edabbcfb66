"""A venue's webhooks, from the booking to a receiver on this machine, by the real worker."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import psycopg
from standardwebhooks import Webhook

from escapemaster_dev.stack.config import ROOT
from stack import Rest, Stack, User, wait_until
from venues import answer, open_venue

_VERIFY = """
import { Webhook } from "standardwebhooks";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const { secret, body, headers } = JSON.parse(text);
console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
"""


@dataclass
class Receiver:
    """A program of the venue's, which answers with these codes and then with the last of them."""

    codes: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], str]] = field(default_factory=list)
    url: str = ""

    def next_code(self) -> int:
        """What it answers now."""
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]


@contextmanager
def listening(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            sent = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.append((sent, body))
            self.send_response(receiver.next_code())
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_booking_reaches_the_venues_own_program_whatever_its_neighbours_do(
    stack: Stack, service: Rest, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    venue = open_venue(make_user, as_user)
    here = {"organization_id": venue.organization_id}
    with ExitStack() as running:
        inside = running.enter_context(listening(Receiver([200])))
        recovering = running.enter_context(listening(Receiver([500, 200])))
        redirecting = running.enter_context(listening(Receiver([302], {"Location": inside.url})))
        with listening(Receiver([200])) as gone:
            pass
        made = {
            name: answer(
                venue.owner.rpc(
                    "create_webhook_endpoint",
                    **here,
                    name=name,
                    url=receiver.url,
                    events=["booking.held", "booking.pending", "booking.confirmed"],
                    includes_personal_data=True,
                )
            )
            for name, receiver in (
                ("dead", gone),
                ("redirecting", redirecting),
                ("recovering", recovering),
            )
        }

        def log(name: str) -> list[dict[str, Any]]:
            found = venue.owner.rpc("list_webhook_deliveries", **here, endpoint_id=made[name]["id"])
            listed: list[dict[str, Any]] = answer(found)
            return list(reversed(listed))

        tomorrow = datetime.now(UTC).replace(hour=13, minute=0, second=0, microsecond=0)
        booking = answer(
            venue.owner.rpc(
                "create_booking",
                **here,
                room_id=venue.rooms["la-cripta"],
                starts_at=(tomorrow + timedelta(days=2)).isoformat(),
                party_size=2,
                customer={"full_name": "Pau Peña", "email": "pau@example.test", "locale": "ca"},
                idempotency_key=uuid4().hex,
            )
        )
        answer(
            venue.owner.rpc(
                "transition_booking", **here, booking_id=booking["id"], to_status="confirmed"
            )
        )
        wait_until(lambda: [log(name)[0]["attempts"] for name in made] == [1, 1, 1])

        # The first was answered with 500; until it has arrived the second waits.
        assert [d["last_answer_code"] for d in log("recovering")] == [500, None]
        with psycopg.connect(stack.owner_dsn) as owner:
            owner.execute(
                "update private.webhook_deliveries set next_attempt_at = now()"
                " where organization_id = %s",
                (venue.organization_id,),
            )
        answer(service.rpc("sweep"))
        wait_until(lambda: [d["status"] for d in log("recovering")] == ["delivered"] * 2)

        headers, body = recovering.got[0]
        event = json.loads(body)
        assert [json.loads(text)["type"] for _, text in recovering.got] == [
            event["type"],
            event["type"],
            "booking.confirmed",
        ]
        assert recovering.got[1][0]["webhook-id"] == headers["webhook-id"] == event["id"]
        assert event["data"]["customer"]["full_name"] == "Pau Peña"
        secret = made["recovering"]["token"]
        assert Webhook(secret).verify(body, headers) == event
        verified = subprocess.run(
            ["node", "--input-type=module", "--eval", _VERIFY],
            cwd=ROOT,
            input=json.dumps({"secret": secret, "body": body, "headers": headers}),
            capture_output=True,
            text=True,
            check=True,
        )
        assert json.loads(verified.stdout) == event

        assert {log(name)[0]["last_outcome"] for name in ("dead", "redirecting")} == {
            "unreachable",
            "redirected",
        }
        assert len(redirecting.got) >= 1
        assert inside.got == []
