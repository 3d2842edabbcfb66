"""A venue whose payments are split, for the tests of shares."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from psycopg.types.json import Jsonb

from db.money_world import Booking, Venue, paid

Json = Any


@dataclass
class Shop:
    """A venue whose payments may be split."""

    venue: Venue = field(repr=False)

    def split(self, booking: Booking, *shares: Json, **options: object) -> Json:
        return self.venue.public.call(
            "split_booking",
            reference=booking.reference,
            manage_token=booking.token,
            shares=Jsonb(list(shares)),
            **{"idempotency_key": str(uuid.uuid4()), **options},
        )

    def of(self, booking: Booking) -> Json:
        return self.venue.public.call(
            "get_booking_split", reference=booking.reference, manage_token=booking.token
        )

    def thirds(self, booking: Booking | None = None) -> tuple[Booking, list[Json]]:
        """A booking whose organizer and two others pay a third each."""
        booking = booking or self.venue.hold()
        split = self.split(booking, {"name": "Ben"}, {"name": "Cleo"}, method="equal")
        return booking, split["shares"]

    def see(self, share: Json) -> Json:
        return self.venue.public.call(
            "get_payment_share", share_id=share["share_id"], share_token=share["share_token"]
        )

    def checkout(self, share: Json, service: Any = None) -> Json:
        """A payer presses "pay"."""
        service = service or self.venue.service
        opened = service.call(
            "service.open_share_checkout",
            share_id=share["share_id"],
            share_token=share["share_token"],
        )
        return record(service, opened)

    def pay(self, share: Json) -> Json:
        session = paid(self.checkout(share))
        self.venue.apply(session)
        return session

    def take_over(self, booking: Booking, share: Json) -> Json:
        return self.venue.public.call(
            "take_over_payment_share",
            reference=booking.reference,
            manage_token=booking.token,
            share_id=share["share_id"],
        )

    def remind(self, booking: Booking, share: Json) -> Json:
        return self.venue.public.call(
            "remind_payment_share",
            reference=booking.reference,
            manage_token=booking.token,
            share_id=share["share_id"],
        )

    def checkout_of_organizer(self, booking: Booking) -> Json:
        opened = self.venue.service.call(
            "service.open_checkout",
            reference=booking.reference,
            manage_token=booking.token,
            whole=True,
        )
        return record(self.venue.service, opened)

    def organizer_pays(self, booking: Booking) -> Json:
        session = paid(self.checkout_of_organizer(booking))
        self.venue.apply(session)
        return session

    def returned(self, session: Json) -> int:
        """What of a payment is promised back, or went."""
        return int(
            self.venue.database.one(
                "select coalesce(sum(q.amount_cents), 0) from private.refund_requests as q"
                " join public.payments as p"
                " on p.organization_id = q.organization_id and p.id = q.payment_id"
                " where p.provider_payment_id = %s and q.status in ('pending', 'succeeded')",
                session["payment_intent"],
            )
        )

    def make_late(self, booking: Booking) -> None:
        """Let the payers' time run out, and the sweep come by."""
        self.venue.database.run(
            "update public.payment_shares set expires_at = now() - interval '1 s'"
            " where booking_id = %s",
            booking.id,
        )
        self.venue.service.call("service.sweep")


def record(service: Any, opened: Json) -> Json:
    """Record the provider's page of an attempt, if it has none."""
    if opened["session_id"] is None:
        opened["session_id"] = f"cs_{uuid.UUID(opened['attempt_id']).hex}"
        service.call(
            "service.record_checkout",
            attempt_id=opened["attempt_id"],
            attempt_token=opened["attempt_token"],
            session_id=opened["session_id"],
            url=f"https://pay.example/{opened['session_id']}",
            expires_at=opened["expires_at"],
        )
    return opened


def refund(shop: Shop, booking: Booking, cents: int) -> Json:
    return shop.venue.owner.call(
        "refund_booking",
        organization_id=shop.venue.organization_id,
        booking_id=booking.id,
        amount_cents=cents,
        reason="The lights failed",
        idempotency_key=str(uuid.uuid4()),
    )


def dashboard(session: Json, cents: int, status: str = "succeeded") -> Json:
    """A refund that somebody made on the provider's dashboard."""
    return {
        "id": f"re_{session['payment_intent']}_{cents}",
        "status": status,
        "amount": cents,
        "payment_intent": session["payment_intent"],
        "refund_request_id": None,
        "as_of": "2030-01-01T00:00:00+00:00",
    }


def dispute(session: Json, status: str, as_of: str = "2030-01-01T00:00:00+00:00") -> Json:
    return {
        "id": f"du_{session['payment_intent']}",
        "status": status,
        "reason": "fraudulent",
        "amount": session["amount_total"],
        "currency": "EUR",
        "payment_intent": session["payment_intent"],
        "respond_by": "2030-01-08T00:00:00+00:00",
        "as_of": as_of,
    }
