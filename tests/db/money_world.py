"""A venue, its customers and a worker, for the tests of queue, money and feeds.

Everything is arranged through what clients use: one call is one transaction in the caller's role.
Only time is moved behind the database's back.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import dict_row

from client import ANON, SERVICE, Caller, Client, Connection, Refused
from db.copied_rows import Original
from leases import leased, synced
from matrix.databases import Databases
from pool import Pool

Json = Any
PRICE = 3_000

#: The owner's URL of a database that is there already. The mutation tool sets it.
OWNER_DATABASE = "ESCAPEMASTER_RACE_OWNER_DATABASE"
PARTY = 2
TOTAL = PRICE * PARTY


@dataclass
class Database:
    """A database made from `sql/`, for those who arrange and those who act.

    Attributes:
        original: The first venue, its organization's slug and its rows, of which others are copies.
    """

    dsn: str
    admin_dsn: str
    owner: Connection
    admin: Connection
    pool: Pool
    original: tuple[Venue, str, Original] | None = field(default=None, repr=False)

    def one(self, query: str, *values: object) -> Json:
        """The first value of the first row, as the owner."""
        row = self.owner.execute(query.encode(), values).fetchone()
        return row[0] if row else None

    def all(self, query: str, *values: object) -> list[dict[str, Any]]:
        with self.owner.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), values).fetchall()

    def run(self, query: str, *values: object) -> int:
        return self.owner.execute(query.encode(), values).rowcount

    def client(self, caller: Caller) -> Client:
        """A caller's client, on the owner's connection."""
        return Client(self.owner, caller)

    @contextmanager
    def clients(self, *callers: Caller) -> Iterator[list[Client]]:
        """Clients that can be used at the same time: each has a connection of its own."""
        with ExitStack() as open_until_here:
            yield [
                Client(open_until_here.enter_context(self.pool.connection()), caller)
                for caller in callers
            ]

    def sign_up(self) -> str:
        """A new user's id."""
        user = str(uuid.uuid4())
        self.admin.execute(
            "insert into auth.users (id, email, email_confirmed_at) values (%s, %s, now())",
            (user, f"{user}@example.com"),
        )
        return user


@contextmanager
def money_database(databases: Databases) -> Iterator[Database]:
    """A database of one's own with the product in it."""
    with databases.copy_of(databases.schema()) as admin_dsn:
        path = urlsplit(admin_dsn).path
        dsn = databases.server.dsn(path.removeprefix("/"))
        with given_database(dsn, admin_dsn) as database:
            yield database


@contextmanager
def given_database(dsn: str, admin_dsn: str) -> Iterator[Database]:
    """A database that is there already, by the URLs of owner and superuser."""
    pool = Pool(dsn)
    with (
        closing(pool),
        psycopg.connect(dsn, autocommit=True) as owner,
        psycopg.connect(admin_dsn, autocommit=True) as admin,
    ):
        yield Database(dsn, admin_dsn, owner, admin, pool)


@dataclass
class Booking:
    """A booking from the customer's side."""

    id: str
    reference: str
    token: str
    starts_at: datetime


@dataclass
class Venue:
    """An organization with one room that can be booked at every hour."""

    database: Database
    organization_id: str
    room_id: str
    slug: str
    owner: Client
    public: Client
    service: Client
    next_slot: int = 0

    def slot(self) -> datetime:
        """A start that no other booking of this venue has."""
        self.next_slot += 1
        return self._slots[self.next_slot]

    @property
    def _slots(self) -> list[datetime]:
        if not hasattr(self, "_cached"):
            self._cached = [
                row["starts_at"]
                for row in self.public.select(
                    "select starts_at"
                    " from public.get_availability(%s, current_date + 2, current_date + 80)",
                    self.slug,
                )
            ]
        return self._cached

    def hold(
        self, starts_at: datetime | None = None, email: str | None = None, **options: object
    ) -> Booking:
        """Hold a place; options: what `hold_booking` takes beside the slot and the customer."""
        starts_at = starts_at or self.slot()
        held = self.public.call(
            "hold_booking",
            slug=self.slug,
            room_id=self.room_id,
            starts_at=starts_at,
            party_size=PARTY,
            customer={"full_name": "Ada Byron", "email": email or f"{uuid.uuid4()}@example.com"},
            expected_total_cents=TOTAL,
            idempotency_key=str(uuid.uuid4()),
            **options,
        )
        booking_id = self.database.one(
            "select id::text from public.bookings where organization_id = %s and reference = %s",
            self.organization_id,
            held["reference"],
        )
        return Booking(booking_id, held["reference"], held["manage_token"], starts_at)

    def see(self, booking: Booking) -> Json:
        return self.public.call(
            "get_booking", reference=booking.reference, manage_token=booking.token
        )

    def status(self, booking: Booking) -> str:
        return str(
            self.database.one("select status from public.bookings where id = %s", booking.id)
        )

    def cancel(self, booking: Booking) -> Json:
        return self.public.call(
            "cancel_booking", reference=booking.reference, manage_token=booking.token
        )

    def start_in(self, booking: Booking, ahead: timedelta) -> None:
        """Let its game start so long from now."""
        self.database.run(
            "update public.sessions as s set starts_at = s.starts_at + m.by,"
            " ends_at = s.ends_at + m.by, occupied_until = s.occupied_until + m.by"
            " from public.bookings as b, (select now() + %s - starts_at as by"
            " from public.bookings where id = %s) as m"
            " where b.organization_id = s.organization_id and b.session_id = s.id and b.id = %s",
            ahead,
            booking.id,
            booking.id,
        )

    def transition(self, booking: Booking, to_status: str) -> Json:
        return self.owner.call(
            "transition_booking",
            organization_id=self.organization_id,
            booking_id=booking.id,
            to_status=to_status,
        )

    def let_lapse(self, booking: Booking) -> None:
        """Let the time of a hold run out, unnoticed."""
        self.database.run(
            "update public.bookings set hold_expires_at = now() - interval '1 s' where id = %s",
            booking.id,
        )

    def lapse(self, booking: Booking) -> None:
        """Let the time of a hold run out, and the sweep come by."""
        self.let_lapse(booking)
        self.service.call("service.sweep")

    def rival(self, booking: Booking) -> Booking | None:
        """Somebody else wants the same time; None if it is taken."""
        try:
            return self.hold(booking.starts_at)
        except Refused as refused:
            if refused.code == "slot_taken":
                return None
            raise

    def checkout(self, booking: Booking) -> Json:
        """Press "pay": the service opens the attempt and records the provider's session."""
        opened = self.service.call(
            "service.open_checkout", reference=booking.reference, manage_token=booking.token
        )
        if opened["checkout_url"] is None:
            session_id = f"cs_{uuid.uuid4().hex}"
            self.service.call(
                "service.record_checkout",
                attempt_id=opened["attempt_id"],
                attempt_token=opened["attempt_token"],
                session_id=session_id,
                url=f"https://pay.example/{session_id}",
                expires_at=opened["expires_at"],
            )
            opened["session_id"] = session_id
        return opened

    def apply(self, session: Json) -> Json:
        with self.syncs("checkout.session", session["id"]) as lease:
            return self.service.call("service.apply_checkout_session", **lease, session=session)

    def apply_refund(self, refund: Json) -> Json:
        with self.syncs("refund", refund["id"]) as lease:
            return self.service.call("service.apply_refund", **lease, refund=refund)

    def apply_dispute(self, dispute: Json) -> Json:
        with self.syncs("dispute", dispute["id"]) as lease:
            return self.service.call("service.apply_dispute", **lease, dispute=dispute)

    def syncs(self, object_type: str, object_id: str) -> AbstractContextManager[dict[str, Any]]:
        """The lease of a job that reads an object of the provider."""
        return leased(self.database.all, "stripe.sync", synced(object_type, object_id))

    def does(self, kind: str, **payload: object) -> AbstractContextManager[dict[str, Any]]:
        """The lease of a job of this venue."""
        return leased(self.database.all, kind, payload, self.organization_id)

    def refund_request(self, refund_request_id: object) -> Json:
        """What a refund's job is told to pay back."""
        with self.does("stripe.refund", refund_request_id=str(refund_request_id)) as lease:
            return self.service.call("service.get_refund_request", **lease)

    def attempt(self, attempt_id: object) -> Json:
        """What the job that closes an attempt's page is told."""
        with self.does("stripe.expire_checkout", attempt_id=str(attempt_id)) as lease:
            return self.service.call("service.get_checkout_attempt", **lease)

    def pay(self, booking: Booking) -> Json:
        """Check out and pay; what the provider then says of the session."""
        session = paid(self.checkout(booking))
        self.apply(session)
        return session

    def jobs(self, kind: str, booking: Booking | None = None) -> list[dict[str, Any]]:
        return [
            job
            for job in self.database.all(
                "select * from private.jobs where organization_id = %s and kind = %s order by id",
                self.organization_id,
                kind,
            )
            if booking is None or self._concerns(job["payload"], booking)
        ]

    def mails(self, booking: Booking | None = None) -> list[dict[str, Any]]:
        """The jobs of mails, without the reminder that each hold queues in case it is left."""
        jobs = self.jobs("email.send", booking)
        return [job for job in jobs if job["payload"]["template"] != "booking_held"]

    def _concerns(self, payload: Json, booking: Booking) -> bool:
        if "booking_id" in payload:
            return bool(payload["booking_id"] == booking.id)
        if "attempt_id" in payload:
            table, key = "private.payment_attempts", payload["attempt_id"]
        else:
            table, key = "private.refund_requests", payload["refund_request_id"]
        return bool(
            self.database.one(f"select booking_id::text from {table} where id = %s", key)
            == booking.id
        )

    def refund_requests(self, booking: Booking) -> list[dict[str, Any]]:
        return self.database.all(
            "select * from private.refund_requests where booking_id = %s order by created_at, id",
            booking.id,
        )

    def run_refunds(self, booking: Booking) -> int:
        """Do what the refund jobs ask for; how many refunds the provider made."""
        done = 0
        for job in self.jobs("stripe.refund", booking):
            request = self.refund_request(job["payload"]["refund_request_id"])
            if request["status"] == "pending":
                self.apply_refund(refund_of(request))
                done += 1
        return done

    def acted(self, booking: Booking, table: str) -> list[tuple[str, str | None]]:
        """Who wrote the booking's rows of a table, in order of time: kind and id."""
        return [
            (row["actor_kind"], row["actor_id"])
            for row in self.database.all(
                "select actor_kind, actor_id::text from public.audit_log"
                " where organization_id = %s and table_name = %s"
                " and after ->> 'booking_id' = %s order by id",
                self.organization_id,
                table,
                booking.id,
            )
        ]

    def balance(self, booking: Booking) -> tuple[int, int]:
        """Paid and refunded, as the customer sees them."""
        seen = self.see(booking)
        return seen["paid_cents"], seen["refunded_cents"]


def make_venue(database: Database) -> Venue:
    """A new organization, so that tests do not meet each other.

    The database's first is made, and read before anything is changed about it; others are copies.
    Where a defect was planted, which has to show in what is made, none is.
    """
    if database.original is None:
        venue = new_venue(database)
        if OWNER_DATABASE not in os.environ:
            slug = database.one(
                "select slug from public.organizations where id = %s", venue.organization_id
            )
            ids = [venue.organization_id, venue.owner.id]
            read = Original.read(database.admin, ids, [venue.slug, slug])
            database.original = (replace(venue), slug, read)
        return venue
    venue, slug, original = database.original
    names = {venue.slug: _calendar_slug(), slug: f"{slug}-{uuid.uuid4().hex[:12]}"}
    own = original.copy(database.admin, names)
    return replace(
        venue,
        organization_id=own[venue.organization_id],
        room_id=own[venue.room_id],
        slug=own[venue.slug],
        owner=database.client(Caller.person(own[venue.owner.id])),
        next_slot=0,
    )


def _calendar_slug() -> str:
    return f"venue-{uuid.uuid4().hex[:12]}"


def new_venue(database: Database) -> Venue:
    """One that is made, whatever there is to copy."""
    user = database.sign_up()
    owner = database.client(Caller.person(user))
    organization = owner.call("create_organization", name="Casa Laberinto", locale="en")
    location = owner.select(
        "insert into public.locations (name, timezone, address, city)"
        " values ('Centro', 'Europe/Madrid', 'Calle Mayor 1', 'Madrid') returning id"
    )[0]["id"]
    room = owner.select(
        "insert into public.rooms (location_id, slug, name, minimum_party, maximum_party,"
        " duration_minutes, turnaround_minutes, price_per, price_cents, is_published)"
        " values (%s, 'attic', 'The attic', 2, 6, 60, 0, 'person', %s, true) returning id",
        location,
        PRICE,
    )[0]["id"]
    owner.change(
        "insert into public.schedules (room_id, weekday, opens_at, closes_at)"
        " select %s, weekday, '00:00', '00:00' from generate_series(1, 7) as weekday",
        room,
    )
    slug = _calendar_slug()
    calendar = owner.select(
        "insert into public.calendars (slug, name, minimum_notice_minutes, hold_minutes)"
        " values (%s, 'Book', 0, 15) returning id",
        slug,
    )[0]["id"]
    owner.change(
        "insert into public.calendar_rooms (calendar_id, room_id) values (%s, %s)", calendar, room
    )
    return Venue(
        database=database,
        organization_id=organization["id"],
        room_id=str(room),
        slug=slug,
        owner=owner,
        public=database.client(ANON),
        service=database.client(SERVICE),
    )


def member(venue: Venue, role: str) -> Client:
    """Somebody who works at the venue."""
    user = venue.database.sign_up()
    venue.database.run(
        "insert into public.memberships (organization_id, user_id, role_id)"
        " select organization_id, %s, id from public.roles where organization_id = %s and key = %s",
        user,
        venue.organization_id,
        role,
    )
    return venue.database.client(Caller.person(user)).at(venue.organization_id)


def session_of(
    opened: Json,
    status: str = "open",
    payment_status: str = "unpaid",
    as_of: datetime | None = None,
    **changes: object,
) -> Json:
    """The provider's word on the session of an attempt."""
    key = uuid.UUID(opened["attempt_id"]).hex
    return {
        "id": opened.get("session_id") or f"cs_{key}",
        "status": status,
        "payment_status": payment_status,
        "payment_intent": f"pi_{key}" if payment_status == "paid" else None,
        "amount_total": opened["amount_cents"],
        "currency": opened["currency"].lower(),
        "client_reference_id": opened["attempt_id"],
        "as_of": (
            as_of or datetime.fromisoformat(opened["expires_at"]) - timedelta(minutes=20)
        ).isoformat(),
        **changes,
    }


def paid(opened: Json, **changes: object) -> Json:
    return session_of(opened, "complete", "paid", **changes)  # type: ignore[arg-type]


def refund_of(request: Json, status: str = "succeeded", **changes: object) -> Json:
    """The provider's word on a refund that a request asked for."""
    return {
        "id": f"re_{uuid.UUID(request['refund_request_id']).hex}",
        "status": status,
        "amount": request["amount_cents"],
        "payment_intent": request["payment_intent"],
        "refund_request_id": request["refund_request_id"],
        "as_of": "2030-01-01T00:00:00+00:00",
        **changes,
    }
