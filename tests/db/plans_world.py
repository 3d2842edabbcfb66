"""Organizations that subscribe, as Stripe's readings of them come in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from db.money_world import Database, Venue, make_venue

Json = dict[str, Any]

#: Prices as the plans name them.
PRICES = {
    ("starter", "month"): 2900,
    ("starter", "year"): 29000,
    ("pro", "month"): 7900,
    ("pro", "year"): 79000,
}


def price(plan: str | None, interval: str = "month", price_id: str | None = None) -> Json:
    """A price of Stripe's; no plan: one that none of ours has."""
    return {
        "id": price_id or f"price_{plan}_{interval}",
        "lookup_key": None if plan is None else f"escapemaster_{plan}_{interval}",
        "interval": interval,
        "amount": PRICES.get((plan or "", interval), 1234),
        "currency": "EUR",
    }


def subscription(plan: str | None = "pro", status: str = "active", **changes: Any) -> Json:
    """A subscription as `service.apply_billing` takes it."""
    now = datetime.now(UTC)
    return {
        "id": f"sub_{uuid.uuid4().hex}",
        "status": status,
        "created": now.isoformat(),
        "price": price(plan),
        "next_price": None,
        "current_period_start": now.isoformat(),
        "current_period_end": (now + timedelta(days=30)).isoformat(),
        "trial_start": None,
        "trial_end": None,
        "cancel_at": None,
        "due": 0,
        **changes,
    }


def billing_pass(venue: Venue) -> str:
    """An owner's."""
    found: Json = venue.owner.call("open_billing", organization_id=venue.organization_id)
    return str(found["token"])


@dataclass
class Subscriber:
    """A venue and who it is at Stripe. live: the subscription that its tests go on with."""

    venue: Venue
    customer: str = field(default_factory=lambda: f"cus_{uuid.uuid4().hex}")
    reads: int = 0
    live: Json = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.venue.organization_id

    @property
    def database(self) -> Database:
        return self.venue.database

    def billing_pass(self) -> str:
        """What the service gets as the owner, to act for them."""
        return billing_pass(self.venue)

    def register(self) -> Subscriber:
        """Have its customer written down, as the service does before a checkout."""
        recorded = self.venue.service.call(
            "service.record_stripe_customer",
            organization_id=self.id,
            billing_pass=self.billing_pass(),
            customer_id=self.customer,
        )
        assert recorded == self.customer
        return self

    def apply(self, *subscriptions: Json, as_of: datetime | None = None, **changes: Any) -> Json:
        """Apply what was read at Stripe, now or at another time."""
        self.reads += 1
        moment = as_of or datetime.now(UTC) + timedelta(milliseconds=self.reads)
        billing = {
            "customer": self.customer,
            "deleted": False,
            "as_of": moment.isoformat(),
            "subscriptions": list(subscriptions),
            **changes,
        }
        applied: Json = self.venue.service.call("service.apply_billing", billing=billing)
        return applied

    def row(self) -> Json | None:
        """Its subscription, as the owner reads it."""
        rows = self.venue.owner.select("select * from public.subscriptions")
        return rows[0] if rows else None

    def overview(self) -> Json:
        found: Json = self.venue.owner.call("get_subscription", organization_id=self.id)
        return found

    def plan(self) -> str:
        return str(self.overview()["plan_key"])

    def used(self, limit: str) -> tuple[int | None, int]:
        """The maximum and what is used of it."""
        [use] = [use for use in self.overview()["uses"] if use["limit"] == limit]
        return use["maximum"], use["used"]

    def let_grace_end(self) -> None:
        """Let the time of grace be over since a moment ago."""
        self.database.run(
            "update public.subscriptions set overdue_since = overdue_since - (grace_until - now()),"
            " grace_until = now() - interval '1 s' where organization_id = %s",
            self.id,
        )
        self.database.run("select private.settle_overdue(%s)", self.id)


def make_subscriber(database: Database, plan: str | None = None) -> Subscriber:
    """A new venue; on a plan, as if it had paid it for a while."""
    found = Subscriber(make_venue(database)).register()
    if plan is not None:
        found.apply(subscription(plan))
    return found


def put_on_plan(database: Database, organization_id: str, plan: str) -> None:
    """Let the platform have given a plan, however small: behind the database's back."""
    database.run(
        "insert into public.subscriptions (organization_id, granted_plan_key, granted_until)"
        " values (%s, %s, now() + interval '1 day') on conflict (organization_id)"
        " do update set granted_plan_key = excluded.granted_plan_key,"
        " granted_until = excluded.granted_until",
        organization_id,
        plan,
    )
