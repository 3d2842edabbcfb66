"""Everybody at once, over HTTP, while parts of the stack are killed.

Visitors look, hold, pay and cancel; a crowd wants one time; the staff read and write through the
Python `supabase` client; another venue writes to thousands of addresses. Meanwhile the worker, the
service, PostgREST and the database are killed with SIGKILL, one at a time. Afterwards the books
are read: nothing acknowledged is lost, nothing is sold twice, every payment is in the ledger, every
confirmed booking has one mail.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import psycopg
from postgrest.exceptions import APIError
from rich.console import Console
from rich.progress import Progress
from supabase import AsyncClient, acreate_client
from supabase.lib.client_options import AsyncClientOptions

import stack as stack_of_the_run
from db.invariants import broken_promises
from escapemaster_dev.stack.state import read_state
from matrix.house import House
from siege.ground import Ground, Row, address, message
from stack import User, wait_until
from venues import answer

_VISITORS = 10
_RACERS = 6
_DESKS = 2
_KILL_EVERY_SECONDS = 12.0
_KILLED = ("worker", "PostgREST", "API", "PostgreSQL")

#: What a visitor or the staff may be told in a crowd. Anything else is a defect.
_EXPECTED = {
    "slot_taken",
    "rate_limited",
    "total_changed",
    "not_payable",
    "not_cancellable",
    "too_many_holds",
    "slot_in_past",
    "notice_too_short",
    "mail_limit_reached",
}


@dataclass(slots=True)
class Booked:
    """What a visitor was told about a booking of theirs."""

    reference: str
    manage_token: str
    email: str
    paid: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class Record:
    """What everybody was told."""

    answers: Counter[str] = field(default_factory=Counter)
    odd: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    milliseconds: list[float] = field(default_factory=list)
    booked: list[Booked] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    def note(self, response: httpx.Response, started: float) -> None:
        """Sort an answer."""
        self.milliseconds.append((time.monotonic() - started) * 1000)
        code = message(response)
        if response.is_success:
            self.answers["ok"] += 1
        elif response.status_code == 503 or (response.status_code == 400 and not code):
            self.unknown += 1
        elif code in _EXPECTED:
            self.answers[code] += 1
        else:
            self.odd[f"{response.status_code} {code or response.text[:80]}"] += 1


class Unknown(Exception):
    """The outcome of a request is not known: repeat it with the same key."""


@dataclass(slots=True)
class Storm:
    """One storm.

    Attributes:
        until: When people stop beginning something new, on the monotonic clock.
    """

    ground: Ground
    record: Record
    until: float
    slots: list[Row]
    hot: Row

    @property
    def blowing(self) -> bool:
        """Whether to go on."""
        return time.monotonic() < self.until

    async def visitor(self, number: int) -> None:
        """Somebody who books, and then pays, cancels or forgets."""
        chance = random.Random(number)
        async with self._client(number + 2) as http:
            while self.blowing:
                slot = chance.choice(self.slots)
                await self._hold(http, slot, chance)

    async def racer(self, number: int) -> None:
        """One of the crowd that wants the same time."""
        async with self._client(number + 60) as http:
            while self.blowing:
                await self._hold(http, self.hot, random.Random(number), then="cancel")

    async def desk(self, user: User) -> None:
        """Staff who page through bookings and write notes, with the client that they would use."""
        stack = self.ground.stack
        client = await _signed_in(stack.url, stack.publishable_key, user)
        while self.blowing:
            started = time.monotonic()
            try:
                found = await (
                    client.table("bookings")
                    .select("id,reference,status,starts_at,rooms(name)")
                    .order("starts_at")
                    .limit(50)
                    .execute()
                )
                if found.data:
                    row = random.choice(found.data)
                    assert isinstance(row, dict)
                    await (
                        client.table("bookings")
                        .update({"staff_note": f"seen {uuid4().hex[:6]}"})
                        .eq("id", str(row["id"]))
                        .execute()
                    )
                self.record.answers["ok"] += 2
            except APIError as error:
                self._note_error(error)
            except httpx.HTTPError:
                self.record.unknown += 1
            self.record.milliseconds.append((time.monotonic() - started) * 500)
            await asyncio.sleep(0.05)

    async def flood(self) -> None:
        """Another venue, which writes to everybody."""
        ground = self.ground
        async with self._client(90) as http:
            while self.blowing:
                with suppress(Unknown):
                    await self._call(
                        http,
                        "/rest/v1/rpc/issue_voucher",
                        {
                            "organization_id": ground.south.organization_id,
                            "amount_cents": 100,
                            "recipient_email": address("bulk"),
                            "idempotency_key": uuid4().hex,
                        },
                        headers=dict(ground.south.owner.headers),
                    )
                await asyncio.sleep(0.02)

    async def killer(self) -> None:
        """Ends a part, each in its turn; the stack has to bring it back."""
        while True:
            await asyncio.sleep(_KILL_EVERY_SECONDS)
            if not self.blowing:
                return
            name = _KILLED[self.record.kills.total() % len(_KILLED)]
            state = read_state(stack_of_the_run.config())
            for part in state.parts if state else ():
                if part.name == name:
                    with suppress(ProcessLookupError):
                        os.kill(part.pid, signal.SIGKILL)
                        self.record.kills[name] += 1

    async def _hold(
        self, http: httpx.AsyncClient, slot: Row, chance: random.Random, then: str | None = None
    ) -> None:
        email = address("storm")
        wish = {
            "slug": self.ground.north.calendar,
            "room_id": slot["room_id"],
            "starts_at": slot["starts_at"],
            "party_size": 2,
            "customer": {"full_name": "Storm Petrel", "email": email, "locale": "en"},
            "expected_total_cents": slot["price_cents"],
            "idempotency_key": uuid4().hex,
        }
        try:
            held = await self._call(http, "/rest/v1/rpc/hold_booking", wish)
            if held is None:
                return
            booked = Booked(held["reference"], held["manage_token"], email)
            self.record.booked.append(booked)
            secret = {"reference": booked.reference, "manage_token": booked.manage_token}
            match then or chance.choice(("pay", "pay", "cancel", "forget")):
                case "pay":
                    await self._pay(http, booked, secret)
                case "cancel":
                    told = await self._call(http, "/rest/v1/rpc/cancel_booking", secret)
                    booked.cancelled = told is not None
        except Unknown:
            return

    async def _pay(self, http: httpx.AsyncClient, booked: Booked, secret: Row) -> None:
        opened = await self._call(http, f"{self.ground.stack.api_url}/v1/checkout", secret)
        if opened is None:
            return
        with suppress(httpx.HTTPError):
            page = await http.post(opened["checkout_url"], follow_redirects=False)
            booked.paid = page.status_code == 303

    async def _call(
        self, http: httpx.AsyncClient, url: str, body: Row, headers: dict[str, str] | None = None
    ) -> Row | None:
        """Ask until the outcome is known, with the same key; None when it was refused.

        Raises:
            Unknown: it stayed unknown.
        """
        for attempt in range(12):
            started = time.monotonic()
            try:
                told = await http.post(url, json=body, headers=headers)
            except httpx.HTTPError:
                self.record.unknown += 1
            else:
                self.ground.tally.requests += 1
                self.record.note(told, started)
                if told.is_success:
                    made: Row = told.json()
                    return made
                if told.status_code != 503 and (told.status_code != 400 or message(told)):
                    return None
            await asyncio.sleep(0.25 * (attempt + 1))
        raise Unknown

    def _note_error(self, error: APIError) -> None:
        if not error.code or str(error.code).startswith(("PGRST00", "08", "57P", "PT503")):
            self.record.unknown += 1
        elif error.message in _EXPECTED:
            self.record.answers[str(error.message)] += 1
        else:
            self.record.odd[f"{error.code} {error.message}"] += 1

    def _client(self, last_part: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.ground.stack.url,
            headers={"apikey": self.ground.stack.publishable_key},
            timeout=30,
            trust_env=False,
            transport=httpx.AsyncHTTPTransport(local_address=f"127.0.0.{last_part}"),
        )


def run(ground: Ground, console: Console, *, seconds: int, kills: bool) -> int:
    """Let it blow, then read the books; 1 when a promise broke."""
    desks = [ground.hire("manager")[0] for _ in range(_DESKS)]
    # Each of the few visitors here stands for many.
    answer(
        ground.north.owner.update(
            "calendars", {"holds_per_address": 100}, slug=f"eq.{ground.north.calendar}"
        )
    )
    times = ground.times(days=20)
    record = Record()
    storm = Storm(ground, record, time.monotonic() + seconds, times[1:], times[0])
    started = time.monotonic()
    asyncio.run(_blow(storm, desks, console, seconds, kills=kills))
    lasted = time.monotonic() - started
    broken = _read_the_books(storm, console)
    spread = statistics.quantiles(record.milliseconds, n=100) if record.milliseconds else [0.0] * 99
    console.print(
        f"answers: {dict(record.answers)}, unknown and repeated: {record.unknown},"
        f" killed: {dict(record.kills)}"
    )
    console.print(
        f"storm: {len(broken)} promises broke, {len(record.milliseconds)} requests in"
        f" {lasted:.0f} s, {len(record.milliseconds) / lasted:.0f}/s, median {spread[49]:.0f} ms,"
        f" 99 % within {spread[98]:.0f} ms, {len(record.booked)} bookings"
    )
    return 1 if broken else 0


async def _blow(
    storm: Storm, desks: list[User], console: Console, seconds: int, *, kills: bool
) -> None:
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("storm", total=seconds)

        async def tick() -> None:
            while storm.blowing:
                progress.update(bar, completed=seconds - (storm.until - time.monotonic()))
                await asyncio.sleep(0.5)

        await asyncio.gather(
            tick(),
            storm.flood(),
            *(storm.visitor(number) for number in range(_VISITORS)),
            *(storm.racer(number) for number in range(_RACERS)),
            *(storm.desk(user) for user in desks),
            *([storm.killer()] if kills else []),
        )


def _read_the_books(storm: Storm, console: Console) -> list[str]:
    """What broke, once the queue has done what it could."""
    ground, record = storm.ground, storm.record
    venue = ground.north.organization_id
    broken = [f"an answer that nobody foresaw: {text} ({n}×)" for text, n in record.odd.items()]
    broken += ground.tally.server_errors
    with console.status("the worker catches up"), _patient(ground.stack.admin_dsn) as connection:
        house = House(connection)
        paid = {one.reference for one in record.booked if one.paid}

        def unsettled() -> set[str]:
            rows = house.owner_sql(
                "select b.reference from public.bookings as b where b.organization_id = %s"
                " and not exists (select from public.payments as p"
                " where p.organization_id = b.organization_id and p.booking_id = b.id)",
                venue,
            )
            return paid & {str(row["reference"]) for row in rows}

        with suppress(AssertionError):
            wait_until(lambda: not unsettled(), seconds=90)
        if missing := unsettled():
            broken.append(f"paid at the provider, not in the ledger: {sorted(missing)[:5]}")
        rows = house.owner_sql(
            "select reference, status from public.bookings where organization_id = %s", venue
        )
        known = {str(row["reference"]): str(row["status"]) for row in rows}
        for one in record.booked:
            if one.reference not in known:
                broken.append(f"acknowledged and lost: {one.reference}")
            elif one.cancelled and known[one.reference] not in {"cancelled", "expired"}:
                broken.append(f"cancelled, and {known[one.reference]}: {one.reference}")
        broken += [
            f"{promise}: {found[:2]}" for promise, found in broken_promises(house, venue).items()
        ]
        broken += _mails_amiss(ground, record, known)
    for line in broken:
        console.print(f"  [red]broke[/red]  {line}", markup=True)
    return broken


def _mails_amiss(ground: Ground, record: Record, known: dict[str, str]) -> list[str]:
    """Confirmed bookings without their one mail."""
    confirmed = [one for one in record.booked if known.get(one.reference) == "confirmed"]

    def counts() -> dict[str, int]:
        found = ground.mailbox().http.get("/api/email").raise_for_status().json()
        mails = found["emails"] if isinstance(found, dict) else found
        received = Counter(to["address"].lower() for mail in mails for to in mail["to"])
        return {one.email: received[one.email] for one in confirmed}

    with suppress(AssertionError):
        wait_until(lambda: all(counts().values()), seconds=90)
    return [f"{n} mails for a confirmed booking: {to}" for to, n in counts().items() if n != 1]


async def _signed_in(url: str, key: str, user: User) -> AsyncClient:
    client = await acreate_client(
        url, key, options=AsyncClientOptions(auto_refresh_token=False, persist_session=False)
    )
    await client.auth.sign_in_with_password({"email": user.email, "password": user.password})
    return client


def _patient(dsn: str) -> psycopg.Connection[psycopg.rows.TupleRow]:
    """A connection to a server that may be coming back just now."""

    def connect() -> psycopg.Connection[psycopg.rows.TupleRow] | None:
        with suppress(psycopg.OperationalError):
            return psycopg.connect(dsn, autocommit=True)
        return None

    return wait_until(connect, seconds=60)
