"""What the service's key opens: each function of `service` is bound, or said not to be."""

from __future__ import annotations

import re
from typing import Any

import pytest

from client import Refused
from db.money_world import Database, Venue, make_venue
from escapemaster_dev.stack.config import ROOT

#: Of one job, whose lease the caller holds: what it is about, and nothing else.
LEASE = {
    "apply_checkout_session": "lease_lost",
    "apply_dispute": "lease_lost",
    "apply_refund": "lease_lost",
    "apply_stripe_account": "lease_lost",  # or a pass: tests/db/test_money_connect.py
    "begin_table_export": "lease_lost",
    "complete_job": False,
    "doubt_sender_domain": None,
    "extend_job": False,
    "fail_job": None,
    "finish_export": "lease_lost",
    "finish_table_export": "lease_lost",
    "get_checkout_attempt": "lease_lost",
    "get_refund_request": "lease_lost",
    "prepare_email": None,
    "prepare_webhook": "lease_lost",
    "read_email_words": None,
    "read_month": "lease_lost",
    "prove_sender_domain": False,
    "read_organization": "lease_lost",
    "read_sender_domain": None,
    "read_table_export": "lease_lost",
    "record_email": {"recorded": False},
    "record_email_words": None,
    "record_sender_domain": True,  # as if it had been: another reads it
    "record_webhook": "lease_lost",
}
#: Of one organization, for which a person with `billing:manage` asks just now.
PASS = {
    "close_subscription_checkout",
    "connect_stripe_account",
    "open_stripe_account",
    "open_subscription_checkout",
    "plan_subscription_change",
    "record_stripe_account",
    "record_stripe_customer",
    "record_subscription_checkout",
}
#: Of whoever has the secret that a customer, a member or a program was given.
SECRET = {
    "answer_notice_link": "link_invalid",
    "exchange_api_key": "api_key_invalid",
    "fail_checkout": "attempt_not_found",
    "fail_voucher_checkout": "attempt_not_found",
    "open_checkout": "booking_not_found",
    "open_share_checkout": "share_not_found",
    "open_voucher_checkout": "voucher_order_not_found",
    "record_checkout": "attempt_not_found",
    "record_voucher_checkout": "attempt_not_found",
    "unsubscribe": "link_invalid",
}
#: By nothing but the key: what a thief does with it stands in docs/security.md, by this name.
NOTHING = {
    "apply_billing",
    "claim_jobs",
    "get_billing_account",
    "health",
    "limit_checkouts",
    "prepare_report",
    "list_dead_jobs",
    "measures",
    "list_stripe_accounts",
    "queue_auth_emails",
    "queue_stale_checkouts",
    "queue_stale_stripe_accounts",
    "queue_stale_subscriptions",
    "queue_statistics",
    "receive_stripe_event",
    "record_email_event",
    "retry_dead_jobs",
    "retry_job",
    "sweep",
    "sweep_notices",
}


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


def named(function: str, venue: Venue, **given: Any) -> Any:
    """Call it with these arguments, and null for the others."""
    names = venue.database.one(
        "select p.proargnames[1:p.pronargs] from pg_proc as p where p.oid = %s::regproc",
        f"service.{function}",
    )
    return venue.service.call(f"service.{function}", **(dict.fromkeys(names) | given))


def test_every_function_of_the_service_is_bound_by_something_or_said_not_to_be(
    money: Database,
) -> None:
    """A new one has to be put where it belongs; one that nothing binds is a way in for a thief."""
    functions = {
        row["proname"]
        for row in money.all(
            "select proname from pg_proc where pronamespace = 'service'::regnamespace"
            " and has_function_privilege('service_role', oid, 'execute')"
        )
    }
    assert functions == set(LEASE) | PASS | set(SECRET) | NOTHING
    page = (ROOT / "docs" / "security.md").read_text()
    about = page.split("## What a leaked secret key can do")[1].split("\n## ")[0]
    assert {name for name in NOTHING if f"`{name}`" not in about} == set()
    beyond = money.all(
        "select p.oid::regprocedure::text as name from pg_proc as p"
        " where p.pronamespace = 'public'::regnamespace"
        " and has_function_privilege('service_role', p.oid, 'execute')"
        " or p.pronamespace = 'private'::regnamespace"
        " and has_function_privilege('service_role', p.oid, 'execute')"
        " and p.proname <> 'check_request' and p.proname <> all (%s)",
        sorted(functions),
    )
    assert beyond == []


def test_of_a_running_job_nothing_is_known_and_done_without_its_lease(venue: Venue) -> None:
    """Ids of jobs are counted up, so a thief knows them all."""
    everything = "select to_jsonb(j) as row from private.jobs as j where id = %s"
    with venue.does("email.send", template="auth") as lease:
        before = venue.database.all(everything, lease["job_id"])
        for token in (None, "00000000-0000-4000-8000-000000000000"):
            given = {"job_id": lease["job_id"], "lease_token": token}
            for function, outcome in LEASE.items():
                try:
                    answered = named(function, venue, **given)
                except Refused as refusal:
                    answered = refusal.code
                assert answered in (outcome, []) if outcome is None else answered == outcome, (
                    function,
                    answered,
                )
        assert venue.database.all(everything, lease["job_id"]) == before


def test_without_its_secret_or_its_pass_none_of_the_others_does_anything(venue: Venue) -> None:
    for function in PASS:
        for shown in (None, "x"):
            with pytest.raises(Refused) as refusal:
                named(function, venue, organization_id=venue.organization_id, billing_pass=shown)
            assert refusal.value.code == "billing_pass_invalid", function
    for function, code in SECRET.items():
        try:
            answered = named(function, venue)
        except Refused as refused:
            answered = refused.code
        assert re.search(code, str(answered)), (function, answered)
