"""Posting an event to an address that somebody typed: the one module that imports httpcore.

What a name leads to is asked once, and the connection goes to an address that was looked at: a
second answer of the name's (DNS rebinding) is never asked for. The certificate is still checked
against the name. No redirect is followed and no proxy used; all of it takes ten seconds and reads
64 kB at most.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpcore

from escapemaster.webhooks.addresses import is_loopback, is_public

#: Seconds for all of it: asking for the name, connecting, sending, reading.
SECONDS: Final = 10.0
#: Bytes that are read of an answer, its headers included.
MOST_READ: Final = 64 * 1024

Outcome = Literal[
    "delivered", "refused", "redirected", "timed_out", "unreachable", "address_refused"
]
Resolver = Callable[[str, int], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of an attempt.

    Attributes:
        outcome: As in the log of deliveries.
        code: HTTP's, or None without an answer.
        milliseconds: How long it took.
    """

    outcome: Outcome
    code: int | None
    milliseconds: int


class _AddressRefusedError(Exception):
    """The name leads where nothing is posted to."""


class _EnoughError(httpcore.ReadError):
    """So much was read as is read at most."""


async def resolve(host: str, port: int) -> list[str]:
    """The addresses that a name leads to, in the order in which to try them.

    Raises:
        OSError: There are none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Poster:
    """Posts events."""

    def __init__(
        self,
        *,
        allow_loopback: bool = False,
        resolver: Resolver = resolve,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make one.

        Args:
            allow_loopback: Whether to post to this machine, for development.
            resolver: Asks for names.
            seconds: See `SECONDS`.
            tls: Whom to believe; by default whom httpcore believes.
        """
        self._allow_loopback = allow_loopback
        self._resolver = resolver
        self._seconds = seconds
        self._tls = tls

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Post once. Never raises for what the other side does."""
        began = time.monotonic()
        code: int | None = None

        def heard(status: int) -> None:
            nonlocal code
            code = status

        outcome: Outcome
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(url, headers, body, heard)
        except _AddressRefusedError:
            outcome = "address_refused"
        except TimeoutError:
            # Told by the code: what came with it is not needed.
            outcome = "timed_out" if code is None else _outcome(code)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            outcome = "unreachable" if code is None else _outcome(code)
        except (httpcore.UnsupportedProtocol, ValueError):
            outcome = "address_refused"
        else:
            outcome = "unreachable" if code is None else _outcome(code)
        return Posted(outcome, code, round((time.monotonic() - began) * 1000))

    async def _send(
        self, url: str, headers: Mapping[str, str], body: bytes, heard: Callable[[int], None]
    ) -> None:
        target = httpcore.URL(url)
        if target.scheme == b"http" and not self._allow_loopback:
            raise _AddressRefusedError
        backend = _CheckedNetwork(self._may_be_posted_to, self._resolver)
        # A connection each: one that is kept open belongs to an address that was looked at once.
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._tls, network_backend=backend, retries=0, http2=False
            ) as pool,
            pool.stream(
                "POST",
                target,
                headers=[("host", _host_header(target)), *headers.items()],
                content=body,
            ) as answer,
        ):
            heard(answer.status)
            async for _ in answer.aiter_stream():
                pass

    def _may_be_posted_to(self, address: str) -> bool:
        return is_public(address) or (self._allow_loopback and is_loopback(address))


def _outcome(code: int) -> Outcome:
    if 200 <= code < 300:
        return "delivered"
    return "redirected" if 300 <= code < 400 else "refused"


def _host_header(url: httpcore.URL) -> str:
    host = url.host.decode("ascii")
    usual = {b"https": 443, b"http": 80}.get(url.scheme)
    return host if url.port in (None, usual) else f"{host}:{url.port}"


class _CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to addresses that were looked at, and to nothing else."""

    def __init__(self, may_connect: Callable[[str], bool], resolver: Resolver) -> None:
        self._may_connect = may_connect
        self._resolver = resolver
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolver(host, port)
        # One that is not public among several is one too many: which of them is tried first, and
        # which next, is for the name's owner to say.
        if not addresses or not all(self._may_connect(address) for address in addresses):
            raise _AddressRefusedError
        failure: httpcore.ConnectError | None = None
        for address in addresses[:4]:
            try:
                stream = await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
            else:
                return _BoundedStream(stream)
        raise failure or httpcore.ConnectError


class _BoundedStream(httpcore.AsyncNetworkStream):
    """Reads so much and no more."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = MOST_READ

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> bytes:
        if self._left <= 0:
            raise _EnoughError
        read = await self._stream.read(min(max_bytes, self._left), timeout)
        self._left -= len(read)
        return read

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        # The name, not the address: httpcore passes on the host of the URL.
        return _BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
