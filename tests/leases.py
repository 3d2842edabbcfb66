"""A job that is running under a lease, for tests of what is done under one."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_LEASE = """
insert into private.jobs (kind, payload, organization_id, dedupe_key, status, lease_token, run_at)
values (%s, %s::jsonb, %s, %s, 'running', gen_random_uuid(), now() + interval '1 minute')
returning id as job_id, lease_token::text as lease_token
"""


@contextmanager
def leased(
    ask: Callable[..., list[dict[str, Any]]],
    kind: str,
    payload: Mapping[str, object],
    organization_id: str | None = None,
) -> Iterator[dict[str, Any]]:
    """What proves the lease of such a job; it is gone afterwards.

    Args:
        ask: Runs a statement with its values as the database's owner.
        kind: As in `private.jobs`.
        payload: What the job is about.
        organization_id: Whose it is.
    """
    [lease] = ask(_LEASE, kind, json.dumps(payload), organization_id, f"test {uuid.uuid4()}")
    try:
        yield lease
    finally:
        ask("delete from private.jobs where id = %s returning id", lease["job_id"])


def synced(object_type: str, object_id: str) -> dict[str, object]:
    """The payload of the job that reads an object of Stripe."""
    return {"object_type": object_type, "object_id": object_id, "account": None}
