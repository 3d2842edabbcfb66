"""Paying less, being paid more, and taking what somebody else paid for."""

from __future__ import annotations

import json
from uuid import uuid4

from siege.ground import Ground, address, hold_true, in_parallel, message
from stack import Rest
from venues import answer


def one_slot_is_sold_once(ground: Ground) -> None:
    """Forty visitors want one time at once, and one of them gets it."""
    slot = ground.times()[10]
    visitors = [ground.visitor() for _ in range(40)]
    answers = in_parallel(
        *(
            lambda visitor=visitor, n=n: ground.hold(visitor, slot, address(f"racer{n}"))
            for n, visitor in enumerate(visitors)
        )
    )
    won = [told for told in answers if told.is_success]
    hold_true(len(won) == 1, f"{len(won)} visitors hold one place")
    others = {f"{told.status_code} {message(told)}" for told in answers if not told.is_success}
    hold_true(others <= {"409 slot_taken", "429 rate_limited"}, f"the others were told {others}")


def the_price_is_the_venues(ground: Ground) -> None:
    """A total that a visitor makes up books nothing."""
    slot = ground.times()[12]
    for made_up in (0, 1, slot["price_cents"] - 1, -slot["price_cents"], 2**53):
        held = ground.hold(ground.visitor(), {**slot, "price_cents": made_up}, address("cheap"))
        hold_true(
            held.status_code in {409, 422} and message(held) != "slot_taken",
            f"a total of {made_up}: {held.status_code} {held.text[:120]}",
        )


def a_voucher_is_spent_once(ground: Ground) -> None:
    """Twenty bookings pay with one voucher at once, and it never gives more than it has."""
    mine = {"organization_id": ground.north.organization_id}
    voucher = answer(
        ground.north.owner.rpc(
            "issue_voucher", **mine, amount_cents=6000, idempotency_key=uuid4().hex
        )
    )
    slots = ground.times()[20:40]
    visitors = [ground.visitor() for _ in slots]
    answers = in_parallel(
        *(
            lambda visitor=visitor, slot=slot, n=n: ground.hold(
                visitor, slot, address(f"spender{n}"), voucher_code=voucher["code"]
            )
            for n, (visitor, slot) in enumerate(zip(visitors, slots, strict=True))
        )
    )
    confirmed = [
        told for told in answers if told.is_success and told.json()["status"] == "confirmed"
    ]
    hold_true(len(confirmed) <= 1, f"one voucher of one game paid for {len(confirmed)}")


def a_webhook_needs_its_signature(ground: Ground) -> None:
    """Events that Stripe or Resend did not sign change nothing and are refused."""
    api = ground.api()
    event = json.dumps(
        {
            "id": "evt_siege",
            "type": "checkout.session.completed",
            "data": {"object": {"id": "cs_siege", "payment_status": "paid"}},
        }
    )
    for headers in (
        {},
        {"Stripe-Signature": ""},
        {"Stripe-Signature": "t=1,v1=00"},
        {"Stripe-Signature": f"t=99999999999,v1={'0' * 64}"},
    ):
        told = api.post("/webhooks/stripe", content=event, headers=headers)
        hold_true(
            told.status_code == 400, f"Stripe {headers}: {told.status_code} {told.text[:120]}"
        )
    told = api.post(
        "/webhooks/resend",
        content=event,
        headers={"svix-id": "msg_1", "svix-timestamp": "1", "svix-signature": "v1,AAAA"},
    )
    hold_true(told.status_code == 400, f"Resend: {told.status_code} {told.text[:120]}")


def a_leaked_service_key_pays_no_booking(ground: Ground) -> None:
    """News of money counts under no invented lease, and under no other job's that can be claimed.

    A thief who also has a booking's token can have a job made about a session of his own, and claim
    it before a worker does: docs/security.md says so, and no attack can tell it from a worker.
    """
    slot = ground.times()[14]
    held = answer(ground.hold(ground.visitor(), slot, address("thief")))
    thief = ground.service_key()
    attempt = answer(
        thief.rpc("open_checkout", reference=held["reference"], manage_token=held["manage_token"])
    )
    forged = {
        "id": "cs_test_forged",
        "object": "checkout.session",
        "status": "complete",
        "payment_status": "paid",
        "amount_total": held["due_now_cents"],
        "currency": "eur",
        "payment_intent": "pi_forged",
        "client_reference_id": attempt["attempt_id"],
        "metadata": {"attempt_id": attempt["attempt_id"]},
        "created": 1,
    }
    forged_refund = {
        "id": "re_forged",
        "status": "failed",
        "amount": 1,
        "payment_intent": "pi_forged",
        "as_of": "2030-01-01T00:00:00Z",
    }
    claimed = [
        job
        for job in answer(thief.rpc("claim_jobs", worker="siege", max_jobs=100, lease_seconds=1))
        if job["payload"].get("object_id") != forged["id"]
    ]
    leases = [{"job_id": job["id"], "lease_token": job["lease_token"]} for job in claimed]
    nobody = "00000000-0000-4000-8000-000000000000"
    leases += [{"job_id": number, "lease_token": nobody} for number in range(50)]
    leases += [{"job_id": 1, "lease_token": None}, {}]
    for lease in leases:
        for function, news in (
            ("apply_checkout_session", {"session": forged}),
            ("apply_refund", {"refund": forged_refund}),
            ("apply_dispute", {"dispute": {**forged_refund, "id": "du_forged"}}),
            ("get_refund_request", {}),
        ):
            told = thief.rpc(function, **lease, **news)
            hold_true(
                told.status_code in {404, 409}
                or (function == "get_refund_request" and lease in leases[: len(claimed)]),
                f"{function} under {lease}: {told.status_code} {told.text[:120]}",
            )
    for job in claimed:
        lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
        thief.rpc("fail_job", **lease, error="siege", retry=True)
    recorded = {
        "attempt_id": attempt["attempt_id"],
        "attempt_token": attempt["attempt_token"],
        "session_id": "cs_first",
        "expires_at": attempt["expires_at"],
    }
    unopened = {**recorded, "attempt_token": "x", "url": "https://evil.test/pay"}
    told = thief.rpc("record_checkout", **unopened)
    hold_true(told.status_code == 404, f"record_checkout: {told.status_code} {told.text[:120]}")
    answer(thief.rpc("record_checkout", **recorded, url="https://pay.test/first"))
    thief.rpc("record_checkout", **recorded, url="https://evil.test/pay")
    again = answer(
        thief.rpc("open_checkout", reference=held["reference"], manage_token=held["manage_token"])
    )
    hold_true(
        again["checkout_url"] == "https://pay.test/first",
        "the page on which people pay was exchanged",
    )
    seen = answer(
        ground.visitor().rpc(
            "get_booking", reference=held["reference"], manage_token=held["manage_token"]
        )
    )
    hold_true(seen["paid_cents"] == 0, "a forged session was taken for money")


def a_leaked_service_key_subscribes_for_nobody(ground: Ground) -> None:
    """With the service's key alone nobody is led to a page, made another's customer, or read.

    What a thief can say of a customer that is known, docs/security.md says.
    """
    thief = ground.service_key()
    mine = {"organization_id": ground.north.organization_id}
    owner = ground.north.owner
    checkout = f"/v1/organizations/{ground.north.organization_id}/subscription/checkout"
    signed_in = {"Authorization": owner.headers["Authorization"]}

    def page() -> str:
        told = ground.api().post(
            checkout, json={"plan": "pro", "interval": "month"}, headers=signed_in
        )
        return str(answer(told)["url"])

    opened = page()
    account = answer(thief.rpc("get_billing_account", organization=ground.north.organization_id))
    rivals = ground.south.owner.rpc("open_billing", organization_id=ground.south.organization_id)
    refused = ground.south.owner.rpc("open_billing", **mine)
    hold_true(refused.status_code == 403, f"a rival's pass: {refused.text[:120]}")
    as_service = Rest(thief.http, thief.headers).rpc("open_billing", **mine)
    hold_true(not as_service.is_success, f"a pass for the key: {as_service.text[:120]}")
    choice = {"plan_key": "pro", "billing_interval": "month"}
    attempt = {"attempt_id": str(uuid4())}
    forged = {
        "session_id": "cs_evil",
        "url": "https://evil.test/pay",
        "expires_at": "2026-01-01T00:00:00Z",
    }
    for billing_pass in (None, "", "x", answer(rivals)["token"]):
        for function, more in (
            ("open_subscription_checkout", choice),
            ("plan_subscription_change", choice),
            ("record_stripe_customer", {"customer_id": "cus_evil123"}),
            ("record_subscription_checkout", attempt | forged),
            ("close_subscription_checkout", attempt),
            ("open_stripe_account", {"anew": True}),
            ("record_stripe_account", {"id": str(uuid4()), "account_id": "acct_evil123"}),
            ("connect_stripe_account", {"account_id": "acct_evil123"}),
        ):
            told = thief.rpc(function, **mine, billing_pass=billing_pass, **more)
            hold_true(
                (told.status_code, message(told)) == (403, "billing_pass_invalid"),
                f"{function}: {told.status_code} {told.text[:120]}",
            )
    after = answer(thief.rpc("get_billing_account", organization=ground.north.organization_id))
    hold_true(after == account, f"who it is at Stripe was changed: {after}")
    hold_true(page() == opened, "the page on which the owner pays was exchanged")


def the_way_back_leads_to_the_venue(ground: Ground) -> None:
    """Nobody is led from the provider's page to a site that the attacker chose."""
    held = answer(ground.hold(ground.visitor(), ground.times()[16], address("phished")))
    for url in (
        "https://evil.test/",
        "//evil.test",
        "javascript:alert(1)",
        f"{ground.stack.url}@evil.test/",
        f"{ground.stack.url}.evil.test/",
    ):
        opened = ground.api().post(
            "/v1/checkout",
            json={
                "reference": held["reference"],
                "manage_token": held["manage_token"],
                "return_url": url,
            },
        )
        hold_true(opened.status_code in {400, 422}, f"{url}: {opened.status_code}")


def a_key_of_idempotency_is_its_own_requests(ground: Ground) -> None:
    """The same key with another wish is refused, and never shows another's booking."""
    first, second = ground.times()[17:19]
    key = uuid4().hex
    visitor = ground.visitor()
    asked = {
        "slug": ground.north.calendar,
        "party_size": 2,
        "idempotency_key": key,
        "expected_total_cents": first["price_cents"],
    }
    mine = visitor.rpc(
        "hold_booking",
        **asked,
        room_id=first["room_id"],
        starts_at=first["starts_at"],
        customer={"full_name": "Ana", "email": address("ana")},
    )
    answer(mine)
    other = ground.visitor().rpc(
        "hold_booking",
        **asked,
        room_id=second["room_id"],
        starts_at=second["starts_at"],
        customer={"full_name": "Eva", "email": address("eva")},
    )
    hold_true(
        message(other) == "idempotency_key_reused" and "manage_token" not in other.text,
        f"the same key: {other.status_code} {other.text[:160]}",
    )


def a_game_that_is_to_come_cannot_be_a_no_show(ground: Ground) -> None:
    """Nobody at the desk keeps the money of a game that has not begun."""
    slot = ground.times()[-1]
    held = answer(ground.hold(ground.visitor(), slot, address("early")))
    desk = ground.hire("receptionist")[1]
    mine = {"organization_id": ground.north.organization_id}
    booking = answer(desk.get("bookings", select="id", reference=f"eq.{held['reference']}"))[0]
    ground.north.owner.rpc(
        "transition_booking", **mine, booking_id=booking["id"], to_status="confirmed"
    )
    for status in ("no_show", "in_progress", "completed"):
        tried = desk.rpc("transition_booking", **mine, booking_id=booking["id"], to_status=status)
        hold_true(not tried.is_success, f"{status} days before the game")
