"""Shares, their money and what may happen to it, in any order: to the cent.

A model of the provider beside the database. It alone knows which pages were paid, refunded and
disputed; what it knows reaches the database late, twice, or not at all, until the reconciler asks.
Then booking, ledger and provider must say the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Refused
from db.invariants import broken_ledger
from db.money_world import TOTAL, Booking, Database, make_venue, member, paid, session_of
from db.shares_world import Json, Shop, dashboard, dispute, refund

_LATE = "2030-02-01T00:00:00+00:00"

_EVENTS = [
    *["a share is paid"] * 3,
    *["a share is paid and its page is thought to have ended"] * 3,
    *["the organizer pays"] * 2,
    "the organizer pays and the page is thought to have ended",
    "open a share's page",
    "open the organizer's page",
    "a page is paid",
    "a page ends",
    "news come",
    "take over",
    "split anew",
    "the payers are late",
    "the hold lapses",
    "cancel",
    "cash",
    "staff refund",
    "refund on the dashboard",
    "dispute",
    "dispute is decided",
    "refunds run",
    "somebody else comes",
]


@dataclass
class Provider:
    """What is true of pages and payments, whoever was told."""

    pages: list[Json] = field(default_factory=list)
    #: By attempt: the share that it pays, or None for the organizer's.
    of_share: dict[str, str | None] = field(default_factory=dict)
    paid: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    #: By payment: what somebody refunded on the dashboard.
    by_hand: dict[str, int] = field(default_factory=dict)
    disputes: dict[str, str] = field(default_factory=dict)

    def page(self, opened: Json, share: str | None) -> None:
        if opened["attempt_id"] not in self.of_share:
            self.pages.append(opened)
            self.of_share[opened["attempt_id"]] = share

    def word(self, page: Json) -> Json:
        """What it says of a page when it is asked."""
        if page["attempt_id"] in self.paid:
            return paid(page)
        return session_of(page, "expired" if page["attempt_id"] in self.ended else "open")

    def payments(self) -> list[Json]:
        return [paid(page) for page in self.pages if page["attempt_id"] in self.paid]


class Story:
    """One booking, its payers, and whoever meddles."""

    def __init__(self, shop: Shop, desk: Any, *, deposit: bool) -> None:
        self.shop, self.desk = shop, desk
        self.provider = Provider()
        self.booking: Booking = shop.venue.hold()
        if deposit:
            shop.venue.database.run(
                "update public.bookings set due_now_cents = 2000 where id = %s", self.booking.id
            )
        split = shop.split(
            self.booking, {"name": "Ben"}, {"name": "Cleo"}, method="equal", whole=True
        )
        self.shares: list[Json] = split["shares"]
        self.cash = 0
        self.known: set[str] = set()

    def happens(self, event: str, pick: int) -> None:
        """Somebody does it, if it can be done; a refusal changes nothing."""
        with suppress(Refused):
            getattr(self, "_" + event.replace(" ", "_").replace("'", ""))(pick)

    def _a_share_is_paid(self, pick: int) -> None:
        self._open_a_shares_page(pick)
        self._newest_is_paid(told=True)

    def _a_share_is_paid_and_its_page_is_thought_to_have_ended(self, pick: int) -> None:
        self._open_a_shares_page(pick)
        self._newest_is_paid(told=False)

    def _the_organizer_pays(self, pick: int) -> None:
        self._open_the_organizers_page(pick)
        self._newest_is_paid(told=True)

    def _the_organizer_pays_and_the_page_is_thought_to_have_ended(self, pick: int) -> None:
        self._open_the_organizers_page(pick)
        self._newest_is_paid(told=False)

    def _newest_is_paid(self, *, told: bool) -> None:
        page = self.provider.pages[-1]
        self.provider.paid.add(page["attempt_id"])
        if told:
            self._news_come(len(self.provider.pages) - 1)
        else:
            self.shop.venue.apply(session_of(page, "expired"))

    def _open_a_shares_page(self, pick: int) -> None:
        share = self.shares[pick % len(self.shares)]
        self.provider.page(self.shop.checkout(share), share["share_id"])

    def _open_the_organizers_page(self, pick: int) -> None:
        del pick
        self.provider.page(self.shop.checkout_of_organizer(self.booking), None)

    def _a_page_is_paid(self, pick: int) -> None:
        """Also one that ended by our word, since that may have come too early."""
        if page := self._one(self.provider.pages, pick):
            self.provider.paid.add(page["attempt_id"])

    def _a_page_ends(self, pick: int) -> None:
        if page := self._one(self.provider.pages, pick):
            self.provider.ended.add(page["attempt_id"])
            self.shop.venue.apply(session_of(page, "expired"))

    def _news_come(self, pick: int) -> None:
        if page := self._one(self.provider.pages, pick):
            self.shop.venue.apply(self.provider.word(page))
            if page["attempt_id"] in self.provider.paid:
                self.known.add(page["attempt_id"])

    def _take_over(self, pick: int) -> None:
        self.shop.take_over(self.booking, self.shares[pick % len(self.shares)])

    def _split_anew(self, pick: int) -> None:
        shares = [{"name": "Dan", "amount_cents": 1000 + 100 * pick}][: pick % 3]
        split = self.shop.split(self.booking, *shares, whole=True)
        self.shares = split["shares"]

    def _the_payers_are_late(self, pick: int) -> None:
        del pick
        self.shop.make_late(self.booking)

    def _the_hold_lapses(self, pick: int) -> None:
        if self.shop.venue.status(self.booking) == "held":
            if pick % 2:
                self.shop.venue.let_lapse(self.booking)
            else:
                self.shop.venue.lapse(self.booking)

    def _cancel(self, pick: int) -> None:
        del pick
        self.shop.venue.cancel(self.booking)

    def _cash(self, pick: int) -> None:
        cents = 500 + 100 * pick
        self.desk.call(
            "record_payment",
            organization_id=self.shop.venue.organization_id,
            booking_id=self.booking.id,
            method="cash",
            amount_cents=cents,
            idempotency_key=str(uuid.uuid4()),
        )
        self.cash += cents

    def _staff_refund(self, pick: int) -> None:
        refund(self.shop, self.booking, 300 + 10 * pick)

    def _refund_on_the_dashboard(self, pick: int) -> None:
        """Of what nothing was promised, so that it can be made."""
        page = self._one([p for p in self.provider.pages if p["attempt_id"] in self.known], pick)
        if page and not self.shop.returned(paid(page)):
            intent = paid(page)["payment_intent"]
            if intent not in self.provider.disputes:
                cents = page["amount_cents"] if pick % 2 else 100
                self.provider.by_hand[intent] = cents
                self.shop.venue.apply_refund(dashboard(paid(page), cents))

    def _dispute(self, pick: int) -> None:
        page = self._one([p for p in self.provider.pages if p["attempt_id"] in self.known], pick)
        if page and not self.shop.returned(paid(page)):
            intent = paid(page)["payment_intent"]
            if self.provider.disputes.setdefault(intent, "needs_response") == "needs_response":
                self.shop.venue.apply_dispute(dispute(paid(page), "needs_response"))

    def _dispute_is_decided(self, pick: int) -> None:
        for session in self.provider.payments():
            if self.provider.disputes.get(session["payment_intent"]) == "needs_response":
                decided = "won" if pick % 2 else "lost"
                self.provider.disputes[session["payment_intent"]] = decided
                self.shop.venue.apply_dispute(dispute(session, decided, _LATE))

    def _refunds_run(self, pick: int) -> None:
        del pick
        self.shop.venue.run_refunds(self.booking)

    def _somebody_else_comes(self, pick: int) -> None:
        del pick
        if self.shop.venue.status(self.booking) in ("expired", "cancelled"):
            self.shop.venue.rival(self.booking)

    def reconcile(self) -> None:
        """Ask the provider about all that it knows, and carry out what was promised."""
        self._dispute_is_decided(0)
        for page in [*self.provider.pages, *reversed(self.provider.pages)]:
            # What nobody paid ends, however often it is asked about.
            self.provider.ended.add(page["attempt_id"])
            self.shop.venue.apply(self.provider.word(page))
        self.shop.venue.run_refunds(self.booking)

    @staticmethod
    def _one(pages: list[Json], pick: int) -> Json | None:
        return pages[pick % len(pages)] if pages else None


@pytest.fixture(scope="module")
def shop(money: Database) -> Iterator[Shop]:
    venue = make_venue(money)
    venue.owner.change("update public.organizations set split_hold_hours = 24")
    yield Shop(venue)
    assert broken_ledger(money.all, venue.organization_id) == {}


@pytest.fixture(scope="module")
def desk(shop: Shop) -> Any:
    return member(shop.venue, "manager")


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    deposit=st.booleans(),
    events=st.lists(st.tuples(st.sampled_from(_EVENTS), st.integers(0, 9)), max_size=16),
)
def test_whatever_happens_to_shares_ends_right(
    shop: Shop, desk: Any, deposit: bool, events: list[tuple[str, int]]
) -> None:
    story = Story(shop, desk, deposit=deposit)
    for event, pick in events:
        story.happens(event, pick)
    story.reconcile()
    provider, booking, venue = story.provider, story.booking, shop.venue

    # The ledger has what the provider was paid, once, and what came in cash.
    rows = venue.database.all(
        "select p.provider_payment_id as intent, p.method, p.amount_cents as came,"
        " private.payment_lost(p.organization_id, p.id) as lost,"
        " (select coalesce(sum(r.amount_cents), 0) from public.refunds as r"
        "  where r.organization_id = p.organization_id and r.payment_id = p.id) as back,"
        " coalesce((select array_agg(q.reason) from private.refund_requests as q"
        "  where q.organization_id = p.organization_id and q.payment_id = p.id"
        "  and q.status in ('pending', 'succeeded')), '{}') as reasons,"
        " private.payment_refundable(p) as kept"
        " from public.payments as p where p.booking_id = %s",
        booking.id,
    )
    online = {row["intent"]: row for row in rows if row["method"] == "stripe"}
    sessions = {session["payment_intent"]: session for session in provider.payments()}
    assert {i: row["came"] for i, row in online.items()} == {
        i: session["amount_total"] for i, session in sessions.items()
    }
    assert sum(row["came"] for row in rows if row["method"] == "cash") == story.cash

    # No payment gives back more than it brought, whichever way, and nothing is left half done.
    for row in rows:
        assert row["kept"] + row["lost"] <= row["came"]
        assert row["back"] + row["lost"] <= row["came"], row
    for intent, row in online.items():
        assert row["back"] + row["lost"] + row["kept"] == row["came"], row
        assert row["back"] >= provider.by_hand.get(intent, 0)

    # Payments come back whole, but for what the terms of the tale above say of a part.
    partly = {"staff", "provider"}
    for row in online.values():
        if not partly & set(row["reasons"]) and not row["lost"]:
            is_share = story.provider.of_share[str(uuid.UUID(row["intent"][3:]))] is not None
            assert not is_share or row["back"] in (0, row["came"]), row

    status = venue.status(booking)
    kept = sum(row["kept"] for row in rows)
    if status in ("cancelled", "expired"):
        assert kept == 0
    else:
        assert kept <= TOTAL
    if status == "held":
        due = venue.database.one(
            "select due_now_cents from public.bookings where id = %s", booking.id
        )
        assert (
            venue.database.one(
                "select private.booking_kept(%s, %s)", venue.organization_id, booking.id
            )
            < due
        )

    # A share is paid at most once, and what is paid and what is open of all fits the total.
    split = shop.of(booking)
    for share in split["shares"]:
        counted = [
            row
            for intent, row in online.items()
            if provider.of_share[str(uuid.UUID(intent[3:]))] == share["share_id"]
            and row["kept"] + row["lost"] > 0
        ]
        assert len(counted) <= 1
        if counted:
            assert share["status"] == "paid"
    open_cents = sum(s["amount_cents"] for s in split["shares"] if s["status"] == "open")
    assert open_cents + split["organizer_cents"] <= max(TOTAL - kept, 0) + sum(
        row["lost"] for row in rows
    )
    # Asked again, all is as it was.
    story.reconcile()
    assert shop.of(booking) == split
