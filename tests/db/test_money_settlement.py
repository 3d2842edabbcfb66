"""Settlement: whatever is reported, in whatever order, the booking and its money agree."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import ANON, SERVICE, Client, Refused
from db.money_world import (
    TOTAL,
    Booking,
    Database,
    Venue,
    make_venue,
    member,
    paid,
    session_of,
)

_MODERATE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def venue(money: Database) -> Venue:
    return make_venue(money)


@pytest.fixture(scope="module")
def desk(venue: Venue) -> Client:
    return member(venue, "receptionist")


def record(desk: Client, venue: Venue, booking: Booking, **changes: Any) -> Any:
    return desk.call(
        "record_payment",
        **{
            "organization_id": venue.organization_id,
            "booking_id": booking.id,
            "method": "cash",
            "amount_cents": TOTAL,
            "idempotency_key": str(uuid.uuid4()),
            **changes,
        },
    )


def second_attempt(venue: Venue, booking: Booking) -> tuple[Any, Any]:
    """Two attempts whose sessions can both be paid: the answer about the first came too late."""
    first = venue.service.call(
        "service.open_checkout", reference=booking.reference, manage_token=booking.token
    )
    venue.service.call(
        "service.fail_checkout",
        attempt_id=first["attempt_id"],
        attempt_token=first["attempt_token"],
        error="timeout",
    )
    return first, venue.checkout(booking)


def test_what_the_provider_reports_is_nobody_s_deed(venue: Venue) -> None:
    booking = venue.hold()
    session = venue.pay(booking)
    venue.cancel(booking)
    [request] = venue.refund_requests(booking)
    venue.run_refunds(booking)
    assert request["amount_cents"] == session["amount_total"]
    assert venue.acted(booking, "payments") == [("system", None)]
    assert venue.acted(booking, "refunds") == [("system", None)]


def end_state(venue: Venue, booking: Booking, opened: Any) -> dict[str, Any]:
    attempt = venue.attempt(opened["attempt_id"])
    return {
        "booking": venue.status(booking),
        "attempt": attempt["status"],
        "balance": venue.balance(booking),
        "payments": venue.database.one(
            "select count(*) from public.payments where booking_id = %s", booking.id
        ),
        "refund_requests": [r["amount_cents"] for r in venue.refund_requests(booking)],
        "mails": [job["payload"]["template"] for job in venue.mails(booking)],
        "closings": len(venue.jobs("stripe.expire_checkout", booking)),
    }


def test_a_paid_session_confirms_the_booking(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    assert venue.apply(paid(opened)) == {
        "attempt_id": opened["attempt_id"],
        "status": "paid",
        "booking_id": booking.id,
        "booking_status": "confirmed",
    }
    assert venue.balance(booking) == (TOTAL, 0)


def test_what_is_said_of_unpaid_money_is_said_of_its_own_booking(venue: Venue) -> None:
    settled, held = venue.hold(), venue.hold()
    openings = [venue.checkout(booking) for booking in (settled, held)]
    venue.pay(settled)
    answers = [venue.apply(session_of(opened, "expired")) for opened in openings]
    assert [answer["booking_status"] for answer in answers] == ["confirmed", "held"]


def test_a_complete_session_that_is_not_paid_yet_confirms_nothing(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    answer = venue.apply(session_of(opened, "complete", "unpaid"))
    assert (answer["status"], answer["booking_status"]) == ("open", "held")


def test_too_little_money_confirms_nothing(venue: Venue) -> None:
    booking = venue.hold()
    venue.apply(paid(venue.checkout(booking), amount_total=TOTAL - 1))
    assert venue.status(booking) == "held"


def test_a_session_of_somebody_else_is_left_alone(venue: Venue) -> None:
    opened = {"attempt_id": str(uuid.uuid4()), "amount_cents": 1, "currency": "EUR"}
    opened["expires_at"] = "2030-01-01T00:00:00+00:00"
    for session in (
        paid(opened),
        paid(opened, client_reference_id=None),
        paid(opened, client_reference_id="order 7"),
    ):
        assert venue.apply(session) == {
            "attempt_id": None,
            "status": "unknown",
            "booking_id": None,
            "booking_status": None,
        }


def test_money_in_another_currency_is_refused(venue: Venue) -> None:
    opened = venue.checkout(venue.hold())
    with pytest.raises(Refused) as refused:
        venue.apply(paid(opened, currency="usd"))
    assert (refused.value.status, refused.value.code) == (422, "currency_mismatch")


# What the provider says of one session as time goes by.
_START = datetime(2030, 1, 1, tzinfo=UTC)
_PAID = [("open", "unpaid"), ("open", "unpaid"), ("complete", "unpaid"), ("complete", "paid")]
_UNPAID = [("open", "unpaid"), ("expired", "unpaid")]


@_MODERATE
@given(data=st.data())
@pytest.mark.parametrize("story", [_PAID, _UNPAID], ids=["paid", "expired"])
def test_any_order_and_number_of_reports_end_the_same(
    venue: Venue, story: list[tuple[str, str]], data: st.DataObject
) -> None:
    reports = [(*report, _START + timedelta(minutes=n)) for n, report in enumerate(story)]
    # The last report must come through once; of the others any, any number of times.
    extra = data.draw(st.lists(st.sampled_from(reports), max_size=5))
    deliveries = data.draw(st.permutations([reports[-1], *extra]))

    orderly, disorderly = venue.hold(), venue.hold()
    opened = venue.checkout(orderly)
    for report in reports:
        venue.apply(session_of(opened, *report))
    expected = end_state(venue, orderly, opened)

    opened = venue.checkout(disorderly)
    for report in deliveries:
        venue.apply(session_of(opened, *report))
    assert end_state(venue, disorderly, opened) == expected


def test_a_report_delivered_by_many_at_once_counts_once(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    with (
        venue.database.clients(*[SERVICE] * 6) as clients,
        ThreadPoolExecutor(len(clients)) as pool,
        venue.syncs("checkout.session", opened["session_id"]) as lease,
    ):
        list(
            pool.map(
                lambda client: client.call(
                    "service.apply_checkout_session", **lease, session=paid(opened)
                ),
                clients,
            )
        )
    state = end_state(venue, booking, opened)
    assert (state["booking"], state["balance"], state["payments"]) == ("confirmed", (TOTAL, 0), 1)
    assert state["mails"] == ["booking_confirmed"]


def test_a_service_killed_in_the_middle_loses_nothing(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    with (
        venue.syncs("checkout.session", opened["session_id"]) as lease,
        psycopg.connect(venue.database.dsn) as victim,
    ):
        victim.execute("set local role service_role")
        victim.execute(
            "select service.apply_checkout_session(%(job_id)s, %(lease_token)s, %(session)s)",
            {**lease, "session": Jsonb(paid(opened))},
        )
        venue.database.run("select pg_terminate_backend(%s)", victim.info.backend_pid)
        victim.close()
    assert venue.status(booking) == "held"
    assert venue.balance(booking) == (0, 0)

    venue.apply(paid(opened))
    assert end_state(venue, booking, opened)["mails"] == ["booking_confirmed"]
    assert venue.balance(booking) == (TOTAL, 0)


def test_money_in_the_last_second_confirms_a_hold_that_nobody_reaped(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.let_lapse(booking)
    venue.apply(paid(opened))
    assert venue.status(booking) == "confirmed"


def test_late_money_takes_a_free_place_again(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.lapse(booking)
    assert venue.status(booking) == "expired"

    venue.apply(paid(opened))

    assert venue.status(booking) == "confirmed"
    assert venue.refund_requests(booking) == []
    assert venue.rival(booking) is None
    assert end_state(venue, booking, opened)["mails"] == ["booking_confirmed"]


def test_late_money_for_a_place_that_is_gone_goes_back(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.lapse(booking)
    rival = venue.hold(booking.starts_at)

    venue.apply(paid(opened))

    assert (venue.status(booking), venue.status(rival)) == ("expired", "held")
    [request] = venue.refund_requests(booking)
    assert (request["amount_cents"], request["reason"]) == (TOTAL, "paid_late")
    assert venue.run_refunds(booking) == 1
    assert venue.balance(booking) == (TOTAL, TOTAL)
    # On its way, and when it had gone.
    told = [mail["payload"]["template"] for mail in venue.mails(booking)]
    assert told == ["booking_paid_late", "booking_refunded"]


@pytest.mark.parametrize("reaped", [False, True], ids=["lapsed", "expired"])
def test_late_money_and_a_rival_never_get_the_same_place(venue: Venue, reaped: bool) -> None:
    for _ in range(12):
        booking = venue.hold()
        opened = venue.checkout(booking)
        venue.let_lapse(booking)
        if reaped:
            venue.service.call("service.sweep")
        with (
            venue.database.clients(SERVICE, ANON) as (service, visitor),
            ThreadPoolExecutor(2) as pool,
            venue.syncs("checkout.session", opened["session_id"]) as lease,
        ):
            settled = pool.submit(
                service.call, "service.apply_checkout_session", **lease, session=paid(opened)
            )
            rival = pool.submit(replace(venue, public=visitor).rival, booking)
            settled.result()
            taken = rival.result() is not None
        assert venue.status(booking) == ("expired" if taken else "confirmed")
        venue.run_refunds(booking)
        assert venue.balance(booking) == (TOTAL, TOTAL if taken else 0)


def test_late_money_for_a_game_that_has_begun_goes_back(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.lapse(booking)
    venue.database.run(
        "update public.sessions set starts_at = now() - interval '2 h',"
        " ends_at = now() - interval '1 h', occupied_until = now() - interval '1 h'"
        " where id = (select session_id from public.bookings where id = %s)",
        booking.id,
    )
    venue.apply(paid(opened))
    assert venue.status(booking) == "expired"
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [TOTAL]


def test_money_for_a_cancelled_booking_goes_back(venue: Venue) -> None:
    booking = venue.hold()
    opened = venue.checkout(booking)
    venue.cancel(booking)
    venue.apply(paid(opened))
    venue.apply(paid(opened))
    assert venue.status(booking) == "cancelled"
    assert [r["reason"] for r in venue.refund_requests(booking)] == ["paid_late"]
    venue.run_refunds(booking)
    assert venue.balance(booking) == (TOTAL, TOTAL)


def test_a_late_second_payment_of_a_cancelled_booking_leaves_its_fee_alone(venue: Venue) -> None:
    venue.owner.change(
        "insert into public.room_cancellation_tiers (room_id, hours_before, refund_percent)"
        " values (%s, 0, 40)",
        venue.room_id,
    )
    booking = venue.hold()
    first, second = second_attempt(venue, booking)
    venue.apply(paid(second))
    venue.cancel(booking)
    venue.apply(paid(first))
    venue.owner.change("delete from public.room_cancellation_tiers")
    venue.run_refunds(booking)
    assert venue.balance(booking) == (2 * TOTAL, TOTAL + TOTAL * 40 // 100)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_second_payment_of_the_same_booking_goes_back(venue: Venue, swapped: bool) -> None:
    booking = venue.hold()
    attempts = second_attempt(venue, booking)
    for opened in reversed(attempts) if swapped else attempts:
        venue.apply(paid(opened))
    [request] = venue.refund_requests(booking)
    assert (request["amount_cents"], request["reason"]) == (TOTAL, "overpaid")
    venue.run_refunds(booking)
    assert venue.balance(booking) == (2 * TOTAL, TOTAL)
    assert venue.status(booking) == "confirmed"


def test_two_payments_at_once_are_one_too_many(venue: Venue) -> None:
    for _ in range(5):
        booking = venue.hold()
        attempts = second_attempt(venue, booking)
        with (
            venue.database.clients(SERVICE, SERVICE) as clients,
            ThreadPoolExecutor(len(clients)) as pool,
        ):
            list(
                pool.map(
                    lambda pair: replace(venue, service=pair[0]).apply(paid(pair[1])),
                    zip(clients, attempts, strict=True),
                )
            )
        assert venue.status(booking) == "confirmed"
        assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [TOTAL]


def test_a_second_deposit_goes_back_though_the_total_is_not_reached(venue: Venue) -> None:
    booking = venue.hold()
    venue.database.run("update public.bookings set due_now_cents = 1000 where id = %s", booking.id)
    first, second = second_attempt(venue, booking)
    venue.apply(paid(first))
    assert venue.status(booking) == "confirmed"
    assert venue.refund_requests(booking) == []
    venue.apply(paid(second))
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [1000]


def test_what_comes_too_much_goes_back(venue: Venue) -> None:
    booking = venue.hold()
    venue.apply(paid(venue.checkout(booking), amount_total=TOTAL + 500))
    assert venue.status(booking) == "confirmed"
    assert [r["amount_cents"] for r in venue.refund_requests(booking)] == [500]


def test_a_hold_paid_in_part_gives_it_back_when_it_lapses(venue: Venue) -> None:
    booking = venue.hold()
    venue.apply(paid(venue.checkout(booking), amount_total=1000))
    venue.lapse(booking)
    [request] = venue.refund_requests(booking)
    assert (request["amount_cents"], request["reason"]) == (1000, "hold_expired")


def test_settling_again_changes_nothing(venue: Venue) -> None:
    booking = venue.hold()
    first, second = second_attempt(venue, booking)
    venue.apply(paid(first))
    venue.apply(paid(second))
    before = end_state(venue, booking, second)
    for _ in range(3):
        venue.database.run(
            "select private.settle_booking(%s, %s)", venue.organization_id, booking.id
        )
    assert end_state(venue, booking, second) == before


_EVENTS = ["pay first", "pay second", "lapse", "cancel", "rival comes", "rival goes", "refunds run"]


@_MODERATE
@given(events=st.lists(st.sampled_from(_EVENTS), max_size=9))
def test_whatever_happens_the_venue_holds_what_the_booking_is_worth(
    venue: Venue, events: list[str]
) -> None:
    booking = venue.hold()
    first, second = second_attempt(venue, booking)
    rival: Booking | None = None
    for event in events:
        if event == "pay first":
            venue.apply(paid(first))
        elif event == "pay second":
            venue.apply(paid(second))
        elif event == "lapse" and venue.status(booking) == "held":
            venue.lapse(booking)
        elif event == "cancel" and venue.see(booking)["cancellable"]:
            venue.cancel(booking)
        elif event == "rival comes" and rival is None:
            rival = venue.rival(booking)
        elif event == "rival goes" and rival is not None:
            venue.cancel(rival)
            rival = None
        elif event == "refunds run":
            venue.run_refunds(booking)
    venue.run_refunds(booking)

    status = venue.status(booking)
    received, refunded = venue.balance(booking)
    assert received == TOTAL * len({e for e in events if e.startswith("pay")})
    assert received - refunded == (TOTAL if status == "confirmed" else 0)
    if rival is not None:
        assert status in ("expired", "cancelled")
    confirmations = venue.database.one(
        "select count(*) from public.booking_history"
        " where booking_id = %s and to_status = 'confirmed'",
        booking.id,
    )
    mails = [job["payload"]["template"] for job in venue.mails(booking)]
    assert mails.count("booking_confirmed") == confirmations


# -- at the desk ------------------------------------------------------------------------------


def test_cash_at_the_desk_confirms_a_booking(venue: Venue, desk: Client) -> None:
    booking = venue.hold()
    part = record(desk, venue, booking, amount_cents=1000)
    assert (part["status"], part["paid_cents"], part["open_cents"]) == ("held", 1000, TOTAL - 1000)
    rest = record(desk, venue, booking, amount_cents=TOTAL - 1000, method="bizum")
    assert rest == {
        "payment_id": rest["payment_id"],
        "booking_id": booking.id,
        "status": "confirmed",
        "method": "bizum",
        "amount_cents": TOTAL - 1000,
        "currency": "EUR",
        "paid_cents": TOTAL,
        "refunded_cents": 0,
        "open_cents": 0,
    }
    row = desk.select(
        "select method, recorded_by from public.payments where id = %s", rest["payment_id"]
    )
    assert row == [{"method": "bizum", "recorded_by": {"kind": "user", "id": desk.id}}]


def test_the_same_key_pays_once(venue: Venue, desk: Client) -> None:
    booking = venue.hold()
    key = str(uuid.uuid4())
    first = record(desk, venue, booking, amount_cents=1000, idempotency_key=key)
    assert record(desk, venue, booking, amount_cents=1000, idempotency_key=key) == first
    assert venue.balance(booking) == (1000, 0)
    with pytest.raises(Refused) as refused:
        record(desk, venue, booking, amount_cents=1001, idempotency_key=key)
    assert (refused.value.status, refused.value.code) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"method": "stripe"}, 422, "method_invalid"),
        ({"method": "voucher"}, 422, "method_invalid"),
        ({"method": None}, 422, "method_invalid"),
        ({"amount_cents": 0}, 422, "amount_invalid"),
        ({"amount_cents": -5}, 422, "amount_invalid"),
        ({"amount_cents": None}, 422, "amount_invalid"),
        ({"amount_cents": TOTAL + 1}, 422, "amount_too_high"),
        ({"booking_id": str(uuid.uuid4())}, 404, "booking_not_found"),
        ({"idempotency_key": ""}, 422, "idempotency_key_invalid"),
        ({"organization_id": str(uuid.uuid4())}, 403, "permission_denied"),
    ],
)
def test_a_wrong_payment_is_refused_and_changes_nothing(
    venue: Venue, desk: Client, changes: dict[str, Any], status: int, code: str
) -> None:
    booking = venue.hold()
    with pytest.raises(Refused) as refused:
        record(desk, venue, booking, **changes)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert venue.balance(booking) == (0, 0)


def test_a_booking_that_is_over_takes_no_cash(venue: Venue, desk: Client) -> None:
    booking = venue.hold()
    venue.cancel(booking)
    with pytest.raises(Refused) as refused:
        record(desk, venue, booking)
    assert (refused.value.status, refused.value.code) == (409, "not_payable")


def test_a_game_master_takes_no_money_and_sees_none(venue: Venue, desk: Client) -> None:
    booking = venue.hold()
    game_master = member(venue, "game_master")
    with pytest.raises(Refused) as refused:
        record(game_master, venue, booking)
    assert (refused.value.status, refused.value.code) == (403, "permission_denied")
    record(desk, venue, booking)
    assert game_master.select("select * from public.payments") == []
    assert game_master.select("select * from public.refunds") == []


def test_nobody_else_sees_the_money(venue: Venue, desk: Client) -> None:
    booking = venue.hold()
    venue.pay(booking)
    venue.cancel(booking)
    venue.run_refunds(booking)
    mine = "select amount_cents from public.{} where booking_id = %s"
    assert desk.select(mine.format("payments"), booking.id) == [{"amount_cents": TOTAL}]
    assert desk.select(mine.format("refunds"), booking.id) == [{"amount_cents": TOTAL}]
    stranger = make_venue(venue.database).owner.at(venue.organization_id)
    for table in ("payments", "refunds"):
        assert stranger.select(mine.format(table), booking.id) == []
        with pytest.raises(Refused):
            venue.public.select(f"select * from public.{table}")


@pytest.mark.parametrize("table", ["payments", "refunds"])
def test_the_ledger_refuses_change_even_from_its_owner(venue: Venue, table: str) -> None:
    booking = venue.hold()
    venue.pay(booking)
    venue.cancel(booking)
    venue.run_refunds(booking)
    for statement in (
        f"update public.{table} set amount_cents = 1 where booking_id = '{booking.id}'",
        f"delete from public.{table} where booking_id = '{booking.id}'",
        f"truncate public.{table} cascade",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            venue.database.run(statement)
    assert venue.balance(booking) == (TOTAL, TOTAL)


def test_only_the_erasure_of_its_own_organization_empties_the_ledger(venue: Venue) -> None:
    booking = venue.hold()
    venue.pay(booking)
    erase = "delete from public.payments where booking_id = %s"
    with psycopg.connect(venue.database.dsn) as owner:
        owner.execute("select set_config('escapemaster.erasing', %s, true)", (str(uuid.uuid4()),))
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(erase, (booking.id,))
        owner.rollback()
        owner.execute(
            "select set_config('escapemaster.erasing', %s, true)", (venue.organization_id,)
        )
        assert owner.execute(erase, (booking.id,)).rowcount == 1
        owner.rollback()
    assert venue.balance(booking) == (TOTAL, 0)


def test_staff_cannot_write_the_ledger_directly(venue: Venue, desk: Client) -> None:
    for statement in (
        "insert into public.payments (amount_cents) values (1)",
        "update public.payments set amount_cents = 1",
        "delete from public.refunds",
    ):
        with pytest.raises(Refused) as refused:
            desk.change(statement)
        assert refused.value.code == "42501"
