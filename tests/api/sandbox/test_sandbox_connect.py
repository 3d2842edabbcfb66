"""Connected accounts in the sandbox: opened, kept apart, charged for, taken away."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from .conftest import Bench

CONTROLLER: Any = {
    "controller": {
        "fees": {"payer": "account"},
        "losses": {"payments": "stripe"},
        "requirement_collection": "stripe",
        "stripe_dashboard": {"type": "full"},
    }
}


def test_an_account_charges_once_its_owner_has_told_everything(bench: Bench) -> None:
    account = bench.client.v1.accounts.create(CONTROLLER)
    assert account.requirements is not None
    assert (account.charges_enabled, bool(account.requirements.currently_due)) == (False, True)
    named: stripe.RequestOptions = {"stripe_account": account.id}
    with pytest.raises(stripe.InvalidRequestError, match="cannot currently make live charges"):
        bench.open(options=named)
    link = bench.client.v1.account_links.create(
        {
            "account": account.id,
            "type": "account_onboarding",
            "return_url": "https://venue.example/back",
            "refresh_url": "https://venue.example/again",
        }
    )
    assert bench.http.post(link.url, data={"do": "complete"}).headers["location"].endswith("/back")
    # The page can be used once.
    assert bench.http.get(link.url).headers["location"].endswith("/again")
    assert bench.client.v1.accounts.retrieve(account.id).charges_enabled
    bench.paid(options=named)
    bench.receiver.wait(
        lambda events: any(
            e["type"] == "checkout.session.completed" and e["account"] == account.id for e in events
        )
    )


def test_the_platforms_fee_is_its_own_and_goes_back_in_proportion(bench: Bench) -> None:
    venue: stripe.RequestOptions = {"stripe_account": "acct_1Venue"}
    session = bench.paid(payment_intent_data={"application_fee_amount": 90}, options=venue)
    bench.client.v1.refunds.create(
        {
            "payment_intent": str(session.payment_intent),
            "amount": 3000,
            "refund_application_fee": True,
        },
        venue,
    )
    intent = bench.client.v1.payment_intents.retrieve(
        str(session.payment_intent), {"expand": ["latest_charge"]}, venue
    )
    assert isinstance(intent.latest_charge, stripe.Charge)
    fee = bench.client.v1.application_fees.retrieve(str(intent.latest_charge.application_fee))
    assert (fee.amount, fee.amount_refunded, fee.account) == (90, 30, "acct_1Venue")
    plain = bench.paid(options=venue)
    with pytest.raises(stripe.InvalidRequestError, match="no application fee"):
        bench.client.v1.refunds.create(
            {"payment_intent": str(plain.payment_intent), "refund_application_fee": True}, venue
        )


def test_an_account_that_was_taken_away_or_never_was_is_refused(bench: Bench) -> None:
    bench.http.post("/_sandbox/accounts/acct_1Venue", json={"happens": "deauthorized"})
    for account in ("acct_1Venue", "acct_1Nobody"):
        with pytest.raises(stripe.PermissionError):
            bench.open(options={"stripe_account": account})
        with pytest.raises(stripe.PermissionError):
            bench.client.v1.accounts.retrieve(account)
    [gone] = bench.receiver.wait(bool)
    assert (gone["type"], gone["account"]) == ("account.application.deauthorized", "acct_1Venue")
    bench.open(options={"stripe_account": "acct_1Other"})
