"""A reminder of a visit, from the venue's rule to the mailbox, by the real sweep and worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from stack import Mailbox, Rest, Stack, User, wait_until
from venues import Venue, answer, open_venue

ZONE = ZoneInfo("Europe/Madrid")
#: How far ahead a rule's instant lies: of what was due before a rule was made it writes to nobody.
SOON = timedelta(seconds=3)


@dataclass(frozen=True)
class Reminding:
    """A venue whose one rule reminds, and what is due by it."""

    venue: Venue
    service: Rest
    mailbox: Mailbox
    stack: Stack

    def book(self, slot: dict[str, Any], email: str, locale: str) -> dict[str, Any]:
        """A confirmed booking by the desk, of which nothing is paid."""
        here = {"organization_id": self.venue.organization_id}
        made: dict[str, Any] = answer(
            self.venue.owner.rpc(
                "create_booking",
                **here,
                room_id=slot["room_id"],
                starts_at=slot["starts_at"],
                party_size=2,
                customer={"full_name": "Pau Player", "email": email, "locale": locale},
                idempotency_key=uuid4().hex,
            )
        )
        self.set_status(made, "confirmed")
        return made

    def set_status(self, booking: dict[str, Any], to_status: str) -> None:
        """Confirm or cancel a booking."""
        answer(
            self.venue.owner.rpc(
                "transition_booking",
                organization_id=self.venue.organization_id,
                booking_id=booking["id"],
                to_status=to_status,
            )
        )

    def make_due(self, slot: dict[str, Any]) -> None:
        """Have the rule remind of visits on that day, in a moment; wait until that is swept."""
        due = datetime.now(ZONE)
        while due <= datetime.now(ZONE):  # once, unless the machine had other things to do
            due = datetime.now(ZONE).replace(microsecond=0) + SOON
            rule = {
                "days": (start_of(slot).date() - due.date()).days,
                "at_time": f"{due:%H:%M:%S}",
            }
            if not answer(self.venue.owner.update("message_rules", rule, kind="eq.reminder")):
                answer(self.venue.owner.insert("message_rules", {"kind": "reminder", **rule}))
        wait_until(lambda: self._swept_until() > due)

    def _swept_until(self) -> datetime:
        # What the worker calls every few seconds.
        answer(self.service.rpc("sweep"))
        with psycopg.connect(self.stack.owner_dsn) as owner:
            row = owner.execute("select swept_until from private.message_clock").fetchone()
        assert row is not None
        return datetime.fromisoformat(str(row[0]))

    def reminders(self, email: str, count: int) -> list[dict[str, Any]]:
        """The reminders to an address, once all mails to it are out: so many."""

        def out() -> bool:
            with psycopg.connect(self.stack.owner_dsn) as owner:
                row = owner.execute(
                    "select count(*) from private.jobs where organization_id = %s"
                    " and payload ->> 'template' = 'reminder' and status not in ('done', 'dead')",
                    (self.venue.organization_id,),
                ).fetchone()
            return row == (0,)

        wait_until(out)
        if count:
            wait_until(lambda: len(self._reminders(email)) >= count)
        return self._reminders(email)

    def _reminders(self, email: str) -> list[dict[str, Any]]:
        return [
            mail
            for mail in self.mailbox.of(email)
            if mail["subject"].startswith(("Reminder:", "Recordatori:", "Recordatorio:"))
        ]


def start_of(slot: dict[str, Any]) -> datetime:
    """The start on the venue's clock."""
    return datetime.fromisoformat(slot["starts_at"]).astimezone(ZONE)


@pytest.fixture
def reminding(
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    service: Rest,
    mailbox: Mailbox,
    stack: Stack,
) -> Reminding:
    venue = open_venue(make_user, as_user)
    answer(venue.owner.update("locations", {"address": "Carrer Major 1"}, name=f"eq.{venue.name}"))
    answer(venue.owner.delete("message_rules", kind="not.is.null"))
    return Reminding(venue, service, mailbox, stack)


@pytest.fixture
def slots(reminding: Reminding, anon: Rest) -> list[dict[str, Any]]:
    """The free times of two days that are some days ahead."""
    first = (datetime.now(UTC) + timedelta(days=5)).date()
    found: list[dict[str, Any]] = answer(
        anon.rpc(
            "get_availability",
            slug=reminding.venue.calendar,
            from_date=str(first),
            to_date=str(first + timedelta(days=1)),
        )
    )
    return found


def address() -> str:
    return f"player-{uuid4().hex[:12]}@example.test"


def test_a_visit_is_reminded_of_once_for_each_start_and_never_when_cancelled(
    reminding: Reminding, slots: list[dict[str, Any]]
) -> None:
    comes, cancels = address(), address()
    booking = reminding.book(slots[0], comes, "ca")
    reminding.set_status(reminding.book(slots[1], cancels, "en"), "cancelled")

    reminding.make_due(slots[0])
    [mail] = reminding.reminders(comes, 1)
    start = start_of(slots[0])
    early = start - timedelta(minutes=10)
    assert mail["subject"].startswith("Recordatori: La cripta, ")
    assert f"Us esperem a les {early.hour}:{early:%M}" in mail["text"]
    assert booking["reference"] in mail["text"]
    assert "Carrer Major 1" in mail["text"]
    assert "https://www.google.com/maps/search/" in mail["text"]
    assert "60,00\N{NO-BREAK SPACE}€" in mail["text"]
    assert reminding.reminders(cancels, 0) == []

    # The same visit is not written about again, even where the rule's instant comes again.
    reminding.make_due(slots[0])
    assert len(reminding.reminders(comes, 1)) == 1

    later = next(slot for slot in slots if slot["local_date"] > slots[0]["local_date"])
    answer(
        reminding.venue.owner.rpc(
            "change_booking",
            organization_id=reminding.venue.organization_id,
            booking_id=booking["id"],
            idempotency_key=uuid4().hex,
            starts_at=later["starts_at"],
        )
    )
    reminding.make_due(later)
    old, new = reminding.reminders(comes, 2)
    assert old["id"] == mail["id"]
    day = f"{start_of(later).day} de"
    assert day in new["subject"] or f"{start_of(later).day} d'" in new["subject"]
    assert new["subject"] != old["subject"]
