"""Every event that is asked for is also looked at."""

from __future__ import annotations

import inspect
import uuid

import pytest

from db.money_world import Database, make_venue
from escapemaster.payments.stripe_gateway import RECONCILED_EVENTS
from escapemaster.worker.handlers import apply_stripe_object

#: Of "charge.dispute.created" the object is the dispute; a Checkout Session keeps both its words.
_OBJECTS = {
    "charge.dispute": "dispute",
    "customer.subscription": "subscription",
    "account.application": "account",
}


@pytest.mark.parametrize("event_type", RECONCILED_EVENTS)
def test_an_event_that_is_asked_for_is_queued_and_handled(money: Database, event_type: str) -> None:
    subject = event_type.rpartition(".")[0]
    object_type = _OBJECTS.get(subject, subject)
    object_id = f"object_{uuid.uuid4().hex}"
    make_venue(money).service.call(
        "service.receive_stripe_event",
        event={
            "id": f"evt_{uuid.uuid4().hex}",
            "type": event_type,
            # An account speaks for itself only.
            **({"account": object_id} if object_type == "account" else {}),
            "data": {"object": {"object": object_type, "id": object_id}},
        },
    )
    queued = money.all(
        "select payload ->> 'object_type' as kind from private.jobs"
        " where kind = 'stripe.sync' and payload ->> 'object_id' = %s",
        object_id,
    )
    assert queued == [{"kind": object_type}], "name it in private.receive_stripe_event"
    assert f'"{object_type}"' in inspect.getsource(apply_stripe_object), "and handle it"
