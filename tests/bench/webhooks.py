"""How fast webhooks leave, and how fairly: `.venv/bin/python -m bench.webhooks`.

As `bench.mails`, with an endpoint a venue that answers in 5 ms, and an event for each booking.
All webhooks together have three jobs running at once (`private.job_kinds`), so that endpoints that
hang hold up no mail: that bounds the rate here.
"""

from __future__ import annotations

import argparse
from typing import Any

import psycopg

from bench.mails import measure

EVENTS = 2_000


def queue(connection: psycopg.Connection[Any], events: int) -> None:
    """An endpoint a venue, and an event for so many bookings, due at once."""
    connection.execute(
        "with endpoint as (insert into public.webhook_endpoints"
        " (organization_id, name, url, events)"
        " select id, 'Accounts', 'https://hooks.example/', array['booking.confirmed']"
        " from public.organizations returning organization_id, id),"
        " secret as (insert into private.webhook_secrets (organization_id, endpoint_id, secret)"
        " select organization_id, id, private.new_webhook_secret() from endpoint)"
        " insert into private.webhook_states (organization_id, endpoint_id)"
        " select organization_id, id from endpoint"
    )
    connection.execute(
        "select private.emit_webhook(b.organization_id, 'booking.confirmed', b.id, row("
        "private.webhook_booking(b.organization_id, b.id, null),"
        " null, null, null, null, null, null, null)::public.webhook_data)"
        " from (select * from public.bookings order by id limit %s) as b",
        [events],
    )
    connection.execute("analyze private.jobs, private.webhook_deliveries")


def main() -> None:
    """Post them, and print the figures."""
    options = argparse.ArgumentParser(prog="bench.webhooks", description=__doc__)
    options.add_argument("--events", type=int, default=EVENTS)
    measure(
        "events",
        options.parse_args().events,
        queue,
        "select organization_id, extract(epoch from last_attempt_at - %s)::float"
        " from private.webhook_deliveries where status = 'delivered'",
    )


if __name__ == "__main__":
    main()
