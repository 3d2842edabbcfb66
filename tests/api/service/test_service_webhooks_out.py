"""Posting to an address that somebody typed: signed, bounded, and nowhere that is not public."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from standardwebhooks import Webhook, WebhookVerificationError

from escapemaster.webhooks.addresses import is_public
from escapemaster.webhooks.posting import MOST_READ, Poster
from escapemaster_dev.stack.config import ROOT

NEW, OLD, OTHER = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in range(3))
BODY = json.dumps({"type": "booking.held", "name": "Peña 🎭"}, ensure_ascii=False)

_PRIVATE = """
0.0.0.0 10.1.2.3 100.64.0.1 100.100.100.200 127.0.0.1 127.1.2.3 168.63.129.16 169.254.169.254
172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.1
203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
:: ::1 ::ffff:10.0.0.1 ::ffff:93.184.216.34 ::127.0.0.1 64:ff9b::a00:1 64:ff9b:1::1 100::1 2001::1
2001:20::1 2001:db8::1 2002:a00:1::1 2002:7f00:1::1 3fff::1 fc00::1 fd00:ec2::254 fe80::1
fe80::1%eth0 fec0::1 ff02::1 5f00::1 not-an-address
"""
_PUBLIC = """
93.184.216.34 1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 2606:2800:220:1::1 2a00::1
"""
PRIVATE, PUBLIC = _PRIVATE.split(), _PUBLIC.split()

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def headers(*secrets: str) -> dict[str, str]:
    at = datetime.now(UTC)
    signatures = [Webhook(secret).sign("msg-1", at, BODY) for secret in secrets or (NEW,)]
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


@dataclass
class Receiver:
    """A server on this machine."""

    port: int
    heard: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def receiver(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    made = Receiver(0)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            made.heard.append(head + await reader.readexactly(length))
            await answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def saying(*parts: bytes, pause: float = 0.0) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


async def post(answer: Answer, *, seconds: float = 10.0) -> tuple[str, int | None, Receiver]:
    async with receiver(answer) as made:
        poster = Poster(allow_loopback=True, seconds=seconds)
        url = f"http://127.0.0.1:{made.port}/hook?key=1"
        posted = await poster.post(url, headers(), BODY.encode())
        return posted.outcome, posted.code, made


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


# Where to ---------------------------------------------------------------------------------------


def test_no_address_is_public_that_is_of_a_machine_a_network_or_a_cloud() -> None:
    assert [address for address in PRIVATE if is_public(address)] == []
    assert [address for address in PUBLIC if not is_public(address)] == []


async def test_a_name_that_leads_to_a_private_address_is_not_connected_to() -> None:
    async with receiver(saying(OK)) as made:
        for found in (
            *([address] for address in PRIVATE),
            # Among public ones, first or last; and none at all.
            ["93.184.216.34", "127.0.0.1"],
            ["127.0.0.1", "93.184.216.34"],
            [],
        ):

            async def leads_there(_host: str, _port: int, found: list[str] = found) -> list[str]:
                return found

            poster = Poster(resolver=leads_there)
            posted = await poster.post(f"https://hooks.example:{made.port}/", headers(), b"x")
            assert (posted.outcome, posted.code) == ("address_refused", None), found
        assert made.heard == []


async def test_names_and_literals_of_this_machine_are_refused_by_the_real_resolver() -> None:
    async with receiver(saying(OK)) as made:
        for host in ("localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "[::1]"):
            for scheme in ("https", "http"):
                url = f"{scheme}://{host}:{made.port}/"
                posted = await Poster().post(url, headers(), b"x")
                assert posted.outcome == "address_refused", url
        assert made.heard == []


async def test_a_name_is_asked_for_once_and_the_connection_goes_where_it_led_then(
    tmp_path: Path,
) -> None:
    server, client = _certified(tmp_path, "hooks.example")
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async with receiver(saying(OK), server) as made:
        poster = Poster(allow_loopback=True, resolver=rebinding, tls=client)
        url = f"https://hooks.example:{made.port}/hook"
        posted = await poster.post(url, headers(), BODY.encode())
    # The name is what the certificate and the other side's own routing go by.
    assert posted.outcome == "delivered"
    assert asked == ["hooks.example"]
    assert f"host: hooks.example:{made.port}".encode() in made.heard[0].lower()


async def test_a_certificate_of_another_name_is_not_posted_to(tmp_path: Path) -> None:
    server, client = _certified(tmp_path, "elsewhere.example")

    async def here(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    async with receiver(saying(OK), server) as made:
        poster = Poster(allow_loopback=True, resolver=here, tls=client)
        posted = await poster.post(f"https://hooks.example:{made.port}/", headers(), b"x")
        assert (posted.outcome, made.heard) == ("unreachable", [])


def _certified(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of that name shows, and a client that believes it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    client = ssl.create_default_context(cafile=str(path))
    return server, client


# How long and how much --------------------------------------------------------------------------


async def test_an_answer_counts_by_its_code() -> None:
    for code, outcome in (
        (200, "delivered"),
        (204, "delivered"),
        (400, "refused"),
        (410, "refused"),
        (429, "refused"),
        (500, "refused"),
    ):
        answer = f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n".encode()
        assert (await post(saying(answer)))[:2] == (outcome, code)


async def test_a_redirect_is_not_followed() -> None:
    async with receiver(saying(OK)) as inside:
        location = f"Location: http://127.0.0.1:{inside.port}/".encode()
        for code in (301, 302, 303, 307, 308):
            head = f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n".encode()
            outcome, answered, _ = await post(saying(head + location + b"\r\n\r\n"))
            assert (outcome, answered) == ("redirected", code)
        assert inside.heard == []


async def test_who_does_not_answer_in_time_is_left() -> None:
    began = asyncio.get_running_loop().time()
    slow = saying(b"", OK, pause=30.0)
    assert (await post(slow, seconds=0.3))[:2] == ("timed_out", None)
    # A byte now and then is no answer either.
    dripping = saying(*(bytes([byte]) for byte in OK), pause=0.2)
    assert (await post(dripping, seconds=0.5))[:2] == ("timed_out", None)
    # Nor does a name that takes its time count for more.

    async def thinking(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    posted = await Poster(resolver=thinking, seconds=0.2).post("https://a.example/", {}, b"")
    assert posted.outcome == "timed_out"
    # Less than any of them would have taken.
    assert asyncio.get_running_loop().time() - began < 25


async def test_who_answers_and_then_goes_on_for_ever_has_answered() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"
    assert (await post(saying(endless, b"", pause=30.0), seconds=1.5))[:2] == ("delivered", 200)


async def test_of_ten_megabytes_little_is_read() -> None:
    taken = 0

    async def huge(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n")
        for _chunk in range(2560):
            writer.write(b"x" * 4096)
            await writer.drain()
            taken += 4096

    assert (await post(huge))[:2] == ("delivered", 200)
    # What the machine's own buffers hold beside what was read.
    assert taken < 8 * 1024 * 1024

    async def headers_without_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"x-more: y\r\n" * (MOST_READ // 8))

    assert (await post(headers_without_end))[:2] == ("unreachable", None)


async def test_who_is_dead_or_speaks_no_http_is_unreachable() -> None:
    async with receiver(saying(OK)) as made:
        pass
    posted = await Poster(allow_loopback=True).post(f"http://127.0.0.1:{made.port}/", {}, b"")
    assert (posted.outcome, posted.code) == ("unreachable", None)
    for nonsense in (b"", b"SSH-2.0-x\r\n", b"HTTP/9.9 yes\r\n\r\n", b"\x00" * 100):
        assert (await post(saying(nonsense)))[:2] == ("unreachable", None)


# By whom ----------------------------------------------------------------------------------------

_VERIFY = """
import { Webhook } from "standardwebhooks";
let text = "";
for await (const chunk of process.stdin) text += chunk;
const { body, headers, secrets } = JSON.parse(text);
console.log(JSON.stringify(secrets.map((secret) => {
  try { return new Webhook(secret).verify(body, headers); } catch (error) { return error.message; }
})));
"""


def in_javascript(body: str, sent: dict[str, str], *secrets: str) -> list[object]:
    """What the library in JavaScript says, a secret each: the payload, or what is wrong."""
    said = subprocess.run(
        ["node", "--input-type=module", "--eval", _VERIFY],
        cwd=ROOT,
        input=json.dumps({"body": body, "headers": sent, "secrets": secrets}),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[object] = json.loads(said.stdout)
    return found


async def test_what_is_received_verifies_in_python_and_javascript_by_either_secret() -> None:
    async with receiver(saying(OK)) as made:
        url = f"http://127.0.0.1:{made.port}/hook?key=1"
        await Poster(allow_loopback=True).post(url, headers(NEW, OLD), BODY.encode())
    head, _, received = made.heard[0].partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /hook?key=1 HTTP/1.1"
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = received.decode()
    for secret in (NEW, OLD):
        assert Webhook(secret).verify(body, sent) == json.loads(BODY)
    for changed, secret in ((body, OTHER), (body + " ", NEW)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(changed, sent)
    wrong = "No matching signature found"
    assert in_javascript(body, sent, NEW, OLD, OTHER) == [
        json.loads(BODY),
        json.loads(BODY),
        wrong,
    ]
    assert in_javascript(body + " ", sent, NEW) == [wrong]
