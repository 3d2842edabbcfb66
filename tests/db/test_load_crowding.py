"""What one person has running at once holds nobody else up."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import psycopg
import pytest

from matrix.databases import Databases

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")


def anybody() -> str:
    return secrets.token_hex(16)


class Requests:
    """Requests as PostgREST makes them, each on a connection of its own that was used before."""

    def __init__(self, dsn: str, login: str) -> None:
        self.dsn, self.login = dsn, login
        self.idle: list[Connection] = []
        self.all: list[Connection] = []

    def prepare(self, count: int) -> None:
        """Have so many connections: the first request on one takes its time."""
        for _ in range(count):
            connection: Connection = psycopg.connect(
                self.dsn, user=self.login, password=self.login, autocommit=True
            )
            self.all.append(connection)
            self.idle.append(connection)
            self(anybody()).execute("rollback")
            self.idle.append(connection)

    def __call__(
        self,
        person: str,
        *,
        network: str | None = None,
        method: str = "GET",
        path: str = "/bookings",
        role: str = "authenticated",
        **claims: str,
    ) -> Connection:
        """Begin one and leave it running."""
        if not self.idle:
            self.prepare(1)
        connection = self.idle.pop()
        connection.execute("begin read only" if method in ("GET", "HEAD") else "begin")
        settings = {
            "role": role,
            "statement_timeout": "8s",
            "request.method": method,
            "request.path": path,
            "request.headers": json.dumps({"x-forwarded-for": network} if network else {}),
            "request.jwt.claims": json.dumps({"sub": person, "role": role, **claims}),
        }
        set_each = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        values = [part for setting in settings.items() for part in setting]
        connection.execute(f"select {set_each}".encode(), values)
        try:
            connection.execute("select private.check_request()")
        except psycopg.Error:
            connection.execute("rollback")
            self.idle.append(connection)
            raise
        return connection

    def end(self) -> None:
        """End all that run."""
        for connection in self.all:
            connection.execute("rollback")
        self.idle = list(self.all)


@pytest.fixture(scope="module")
def crowd(databases: Databases) -> Iterator[Requests]:
    login = f"asker_{secrets.token_hex(8)}"
    with (
        databases.copy_of(databases.schema()) as admin_dsn,
        psycopg.connect(admin_dsn, autocommit=True) as admin,
    ):
        # As `authenticator`: a superuser's requests would be shown to no other role.
        admin.execute(
            f"create role {login} login noinherit password '{login}'"
            " in role anon, authenticated, service_role".encode()
        )
        admin.execute(f"grant {login} to postgres".encode())
        requests = Requests(admin_dsn, login)
        yield requests
        for connection in requests.all:
            connection.close()
        admin.execute(f"drop role {login}".encode())


@pytest.fixture
def ask(crowd: Requests) -> Iterator[Requests]:
    crowd.prepare(14 - len(crowd.all))
    yield crowd
    crowd.end()


def limit_of(request: Connection) -> str:
    (limit,) = request.execute("show statement_timeout").fetchone() or ("",)
    return str(limit)


def let_it_take_long(*requests: Connection) -> list[Connection]:
    """More than a second, by the clock of the database."""
    (last, *_) = requests[::-1]
    last.execute("select pg_sleep_until(now() + interval '1.05 seconds')")
    return list(requests)


def within_a_second(
    ask: Requests,
    work: Callable[[list[Connection]], T],
    slow: Callable[[], list[Connection]] = list,
) -> T:
    """What holds while no request of its own is slow: if it took too long, it is done anew.

    Args:
        ask: Whose requests all end before it is done anew.
        work: Gets the slow ones.
        slow: What begins the requests that are slow before it.
    """
    while True:
        before = slow()
        began = time.monotonic()
        try:
            return work(before)
        except (Exception, pytest.fail.Exception):
            if time.monotonic() - began < 1:
                raise
        ask.end()


def test_a_page_that_asks_for_twelve_things_at_once_is_answered_and_no_thirteenth(
    ask: Requests,
) -> None:
    network = "203.0.113.7"

    def at_once(_: list[Connection]) -> None:
        person = anybody()
        running = [ask(person, network=network) for _turn in range(12)]
        with pytest.raises(psycopg.Error, match="rate_limited") as refused:
            ask(person, network=network)
        assert refused.value.diag.message_detail is not None
        assert json.loads(refused.value.diag.message_detail)["headers"] == {"Retry-After": "1"}
        # Colleagues share the network, and a key of the venue's is nobody's.
        ask(anybody(), network=network)
        ask(person, network=network, api_key_id=anybody())
        # One that has ended, in whatever way, makes room.
        running[5].execute("rollback")
        ask(person, network=network)

    within_a_second(ask, at_once)


def test_the_fourth_at_once_and_later_ones_end_soon(ask: Requests) -> None:
    def at_once(_: list[Connection]) -> Connection:
        person = anybody()
        limits = [limit_of(ask(person, method=method)) for method in ("GET", "GET", "POST", "GET")]
        assert limits == ["8s", "8s", "8s", "2s"]
        assert limit_of(ask(person, method="PATCH")) == "4s"
        return ask(person, method="HEAD")

    sixth = within_a_second(ask, at_once)
    with pytest.raises(psycopg.errors.QueryCanceled):
        sixth.execute("select pg_sleep(6)")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_beside_two_slow_requests_a_person_has_one_more(ask: Requests, method: str) -> None:
    person = anybody()

    def beside(slow: list[Connection]) -> None:
        ask(person)
        with pytest.raises(psycopg.Error, match="rate_limited"):
            ask(person)
        ask(anybody())
        slow[0].execute("rollback")
        ask(person)
        ask(person)

    within_a_second(
        ask, beside, lambda: let_it_take_long(*[ask(person, method=method) for _ in range(2)])
    )


def test_many_accounts_of_one_network_are_bounded_together(ask: Requests) -> None:
    network = "203.0.113.8"

    def beside(_: list[Connection]) -> None:
        for _turn in range(4):
            ask(anybody(), network=network)
        with pytest.raises(psycopg.Error, match="rate_limited"):
            ask(anybody(), network=network)
        ask(anybody(), network="203.0.113.9")
        ask(anybody())

    within_a_second(
        ask, beside, lambda: let_it_take_long(*[ask(anybody(), network=network) for _ in range(8)])
    )


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize("path", ["/", "", "//"])
def test_nobody_is_given_the_description_of_everything(ask: Requests, role: str, path: str) -> None:
    with pytest.raises(psycopg.Error, match="description_refused"):
        ask(anybody(), role=role, path=path)
    ask(anybody(), role="service_role", path=path)
