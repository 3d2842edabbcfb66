"""Where a siege takes place: a stack, two venues with their people, and callers of all kinds."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg

import stack as stack_of_the_run
from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.state import is_running
from matrix.databases import WITHOUT_PLAN_LIMITS
from stack import Mailbox, Rest, Stack, User, Users
from venues import Venue, answer, open_venue

Row = dict[str, Any]

#: Every caller may have an address of its own: all of this network is this machine.
_LOOPBACK = "127.0.0.{}"


class Broken(AssertionError):
    """A promise did not hold; the text says which and how."""


def hold_true(promise: bool, otherwise: str) -> None:
    """Go on if the promise holds.

    Raises:
        Broken: it does not; `otherwise` says what was seen.
    """
    if not promise:
        raise Broken(otherwise)


@dataclass(slots=True)
class Tally:
    """What was asked, and which answers no request may ever get."""

    requests: int = 0
    server_errors: list[str] = field(default_factory=list)

    def count(self, response: httpx.Response) -> None:
        """Note an answer; a hook of every client."""
        self.requests += 1
        # 503 says that a part is away, and what to do: a storm kills parts. 501 is an answer, too.
        if response.status_code >= 500 and response.status_code not in {501, 503}:
            response.read()
            path = response.request.url.path
            self.server_errors.append(
                f"{response.status_code} {response.request.method} {path}: {response.text[:200]}"
            )


@dataclass(slots=True)
class Ground:
    """A stack under siege.

    Attributes:
        north: The venue that is attacked.
        south: A venue of somebody else, who attacks.
        tally: Of all requests of this siege.
    """

    stack: Stack
    tally: Tally
    north: Venue
    south: Venue
    _resources: ExitStack
    _addresses: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(2, 250)))

    def http(self, *, base_url: str | None = None) -> httpx.Client:
        """A client with an address that no other has."""
        return self._resources.enter_context(
            _client(base_url or self.stack.url, self.tally, next(self._addresses))
        )

    def visitor(self) -> Rest:
        """PostgREST as somebody who has not signed in, from an address of their own."""
        return Rest(self.http(), {"apikey": self.stack.publishable_key})

    def user(self, email: str | None = None) -> User:
        """Somebody who has signed up and whose address is proven."""
        return Users(self.stack, self.http()).make(email)

    def as_user(self, user: User, organization_id: object = None) -> Rest:
        """PostgREST as that user, for that organization."""
        return self.bearer(user.access_token, organization_id)

    def bearer(self, token: str, organization_id: object = None) -> Rest:
        """PostgREST with any token."""
        headers = {"apikey": self.stack.publishable_key, "Authorization": f"Bearer {token}"}
        if organization_id is not None:
            headers["x-organization-id"] = str(organization_id)
        return Rest(self.http(), headers)

    def service_key(self) -> Rest:
        """PostgREST as whoever got hold of the service's secret key."""
        return Rest(self.http(), {"apikey": self.stack.secret_key}, schema="service")

    def api(self) -> httpx.Client:
        """The Python service."""
        return self.http(base_url=self.stack.api_url)

    def mailbox(self) -> Mailbox:
        """Where every mail of the stack lands."""
        return Mailbox(self.http(base_url=self.stack.mailbox_url))

    def hire(self, role: str, venue: Venue | None = None) -> tuple[User, Rest]:
        """A new member of a venue (the attacked one) in one of the system's roles."""
        venue = venue or self.north
        code = answer(venue.owner.rpc("rotate_join_code", organization_id=venue.organization_id))
        member = self.user()
        answer(self.as_user(member).rpc("join_organization", code=code["code"]))
        answer(
            venue.owner.rpc(
                "set_member_role",
                organization_id=venue.organization_id,
                user_id=member.id,
                role_id=self.role(role, venue),
            )
        )
        return member, self.as_user(member, venue.organization_id)

    def role(self, key: str, venue: Venue | None = None) -> str:
        """The id of a system role of a venue."""
        owner = (venue or self.north).owner
        found = answer(owner.get("roles", select="id", key=f"eq.{key}", is_system="is.true"))
        return str(found[0]["id"])

    def operator(self) -> Rest:
        """A platform administrator."""
        user = self.user()
        with psycopg.connect(self.stack.owner_dsn) as connection:
            connection.execute(
                "insert into private.platform_admins (user_id) values (%s)", [user.id]
            )
        return self.as_user(user)

    def times(self, venue: Venue | None = None, days: int = 7) -> list[Row]:
        """What a venue sells from the day after tomorrow on."""
        venue = venue or self.north
        first = datetime.now(UTC).date() + timedelta(days=2)
        found: list[Row] = answer(
            self.visitor().rpc(
                "get_availability",
                slug=venue.calendar,
                from_date=str(first),
                to_date=str(first + timedelta(days=days)),
            )
        )
        return found

    def hold(
        self,
        visitor: Rest,
        slot: Row,
        email: str,
        *,
        venue: Venue | None = None,
        **options: Any,
    ) -> httpx.Response:
        """A place of two for an address that anybody may type."""
        return visitor.rpc(
            "hold_booking",
            slug=(venue or self.north).calendar,
            room_id=slot["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": "Berta Besucher", "email": email, "locale": "en"},
            expected_total_cents=slot["price_cents"],
            idempotency_key=uuid4().hex,
            **options,
        )


def address(name: str) -> str:
    """An e-mail address that nobody else uses."""
    return f"{name}-{uuid4().hex[:10]}@example.test"


def message(response: httpx.Response) -> str:
    """The stable code of a refusal, empty when there is none."""
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("message") or body.get("code") or "") if isinstance(body, dict) else ""


@contextmanager
def ground(*, running: bool) -> Iterator[Ground]:
    """The stack that this checkout runs, or a throw-away one, with two new venues.

    Raises:
        SystemExit: no stack runs where one was asked for, or it is not this machine's.
    """
    with ExitStack() as resources:
        stack = _running_stack() if running else resources.enter_context(_throw_away_stack())
        if urlsplit(stack.url).hostname not in {"127.0.0.1", "localhost"}:
            raise SystemExit("a siege is only for a stack on this machine")
        tally = Tally()
        http = resources.enter_context(_client(stack.url, tally, 1))
        make = Users(stack, http).make

        def as_user(user: User, organization_id: object = None) -> Rest:
            headers = {
                "apikey": stack.publishable_key,
                "Authorization": f"Bearer {user.access_token}",
            }
            if organization_id is not None:
                headers["x-organization-id"] = str(organization_id)
            return Rest(http, headers)

        rooms: dict[str, Row] = {"la-cripta": {}, "la-torre": {}}
        north = open_venue(make, as_user, name="Casa Norte", rooms=rooms)
        south = open_venue(make, as_user, name="Casa Sur")
        # As a venue has it that says nothing; open_venue is for tests that share one address.
        for venue in (north, south):
            answer(
                venue.owner.update(
                    "calendars", {"holds_per_address": 5}, slug=f"eq.{venue.calendar}"
                )
            )
        yield Ground(stack, tally, north, south, resources)


def _running_stack() -> Stack:
    where = StackConfig.from_environment()
    if not is_running(where):
        raise SystemExit("no stack runs here: `make up` starts one")
    stack_of_the_run.join(where)
    return Stack.of(where)


@contextmanager
def _throw_away_stack() -> Iterator[Stack]:
    os.environ["ESCAPEMASTER_TEST_LEADER"] = str(os.getpid())
    ports = stack_of_the_run.reserve()
    try:
        # What was acknowledged outlives a kill, as in a stack that is used.
        stack_of_the_run.ensure_started(durable=True)
        stack_of_the_run.wait_for_status("ready")
        found = Stack.of(stack_of_the_run.config())
        with psycopg.connect(found.owner_dsn) as connection:
            connection.execute(WITHOUT_PLAN_LIMITS)
        yield found
    finally:
        stack_of_the_run.stop()
        if ports is not None:
            ports.close()


@contextmanager
def _client(base_url: str, tally: Tally, last_part: int) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(local_address=_LOOPBACK.format(last_part), retries=1)
    with httpx.Client(
        base_url=base_url,
        timeout=40,
        transport=transport,
        trust_env=False,
        event_hooks={"response": [tally.count]},
    ) as http:
        yield http


def in_parallel(*calls: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Make the calls at once, each from a thread of its own; the answers in the same order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(calls)) as pool:
        return [done.result() for done in [pool.submit(call) for call in calls]]
