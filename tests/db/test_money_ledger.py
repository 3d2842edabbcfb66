"""The ledger: it follows whatever moves money, and says the same as the money's rows."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Refused
from db.invariants import broken_ledger
from db.money_world import PARTY, TOTAL, Booking, Database, Venue, make_venue, member, paid

DEPOSIT = TOTAL // 2
REDUCED = 1_000
#: With the digits that an amount has: two, none, three of which the last is 0.
CURRENCIES = ("EUR", "JPY", "KWD")
DISPUTED = (
    *("warning_needs_response", "needs_response", "under_review", "won", "lost", "prevented"),
    "warning_closed",
)


def agrees(venue: Venue) -> None:
    assert broken_ledger(venue.database.all, venue.organization_id) == {}


def balances(venue: Venue, **period: object) -> dict[str, int]:
    return {
        row["account"]: row["balance_cents"]
        for row in venue.owner.call(
            "ledger_balances", organization_id=venue.organization_id, **period
        )
        if row["balance_cents"]
    }


def selling(money: Database, currency: str) -> Venue:
    """A venue that takes a deposit, and sells something at another rate of tax."""
    venue = make_venue(money)
    money.run(
        "update public.organizations set currency = %s where id = %s",
        currency,
        venue.organization_id,
    )
    venue.owner.change("update public.rooms set deposit_kind = 'percent', deposit_value = 50")
    venue.owner.change(
        "insert into public.extras (names, price_per, price_cents, tax_rate_bp)"
        " values ('{\"en\": \"Cake\"}', 'booking', 1990, %s)",
        REDUCED,
    )
    return venue


@pytest.fixture(scope="module")
def venues(money: Database) -> dict[str, Venue]:
    return {currency: selling(money, currency) for currency in CURRENCIES}


@pytest.fixture
def venue(venues: dict[str, Venue]) -> Venue:
    return venues["EUR"]


class Life:
    """One booking after another, and all that can happen to its money."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.booking: Booking = venue.hold()
        self.sessions: list[Any] = []
        self.news: list[Any] = []
        self.clock = datetime(2030, 1, 1, tzinfo=UTC)

    def step(self, what: str, number: int) -> None:
        try:
            getattr(self, what)(number)
        except Refused as refusal:
            # What is refused changes nothing, which is looked at.
            if refusal.status >= 500:
                raise

    def pay(self, _: int) -> None:
        self.sessions.append(paid(self.venue.checkout(self.booking)))
        self.venue.apply(self.sessions[-1])

    def online(self) -> str:
        """What is due, paid online; the payment."""
        self.another(0)
        self.pay(0)
        return str(
            self.venue.database.one(
                "select id::text from public.payments where booking_id = %s", self.booking.id
            )
        )

    def hear_again(self, number: int) -> None:
        for session in self.sessions[: 1 + number % 2]:
            self.venue.apply(session)
        for refund in self.news:
            self.venue.apply_refund(refund)

    def take(self, number: int) -> None:
        way = ("cash", "card_terminal", "transfer", "bizum")[number % 4]
        self.venue.owner.call(
            "record_payment",
            organization_id=self.venue.organization_id,
            booking_id=self.booking.id,
            method=way,
            amount_cents=10 + number % 2_000 * 10,
            idempotency_key=str(uuid.uuid4()),
        )

    def correct(self, number: int) -> None:
        """One of those taken at the desk was written down wrongly."""
        taken = self.venue.database.all(
            "select id::text from public.payments where booking_id = %s and method <> 'stripe'"
            " order by id",
            self.booking.id,
        )
        if taken:
            self.venue.owner.call(
                "correct_payment",
                organization_id=self.venue.organization_id,
                payment_id=taken[number % len(taken)]["id"],
                reason="Another booking's",
            )

    def give_back(self, number: int) -> None:
        self.venue.owner.call(
            "refund_booking",
            organization_id=self.venue.organization_id,
            booking_id=self.booking.id,
            amount_cents=10 + number % 1_000 * 10,
            reason="Sorry",
            idempotency_key=str(uuid.uuid4()),
        )

    def hand_over(self, number: int) -> None:
        for waiting in self.venue.owner.call(
            "get_pending_refunds", organization_id=self.venue.organization_id
        ):
            if waiting["by_hand"]:
                self.venue.owner.call(
                    "record_refund",
                    organization_id=self.venue.organization_id,
                    refund_request_id=waiting["refund_request_id"],
                    idempotency_key=str(uuid.uuid4()),
                    method=("cash", "transfer")[number % 2],
                )

    def refund(self, number: int) -> None:
        """The provider says something of each refund, in whatever order."""
        for request in self.venue.refund_requests(self.booking):
            intent = self.venue.database.one(
                "select provider_payment_id from public.payments where id = %s",
                request["payment_id"],
            )
            if intent is not None:
                news = {
                    "id": f"re_{request['id'].hex}",
                    "status": ("succeeded", "failed", "pending")[number % 3],
                    "amount": request["amount_cents"],
                    "payment_intent": intent,
                    "refund_request_id": str(request["id"]),
                    "as_of": self.now(number),
                }
                self.venue.apply_refund(news)
                self.news.append(news)

    def dispute(self, number: int) -> None:
        for session in self.sessions:
            self.venue.apply_dispute(
                {
                    "id": f"du_{session['payment_intent']}",
                    "status": DISPUTED[number % len(DISPUTED)],
                    "reason": "fraudulent",
                    "amount": session["amount_total"] - number // len(DISPUTED) % 2 * 10,
                    "currency": session["currency"],
                    "payment_intent": session["payment_intent"],
                    "respond_by": None,
                    "as_of": self.now(number),
                }
            )

    def now(self, number: int) -> str:
        """News is not read in the order in which it was true."""
        return (self.clock + timedelta(hours=number % 5)).isoformat()

    def change(self, number: int) -> None:
        extra = self.venue.owner.select("select id::text from public.extras")[0]["id"]
        wanted: dict[str, Any] = {
            "reference": self.booking.reference,
            "manage_token": self.booking.token,
            "party_size": PARTY + number % 3,
            "extras": Jsonb([{"extra_id": extra, "quantity": 1}] if number % 2 else []),
        }
        cost = self.venue.public.call("quote_reschedule", **wanted)
        self.venue.public.call(
            "reschedule_booking",
            **wanted,
            expected_total_cents=cost["total_cents"],
            idempotency_key=str(uuid.uuid4()),
        )

    def cancel(self, _: int) -> None:
        self.venue.cancel(self.booking)

    def another(self, _: int) -> None:
        self.booking = self.venue.hold()
        self.sessions, self.news = [], []

    def with_voucher(self, number: int) -> None:
        voucher = self.venue.owner.call(
            "issue_voucher",
            organization_id=self.venue.organization_id,
            amount_cents=10 + number % 900 * 10,
            idempotency_key=str(uuid.uuid4()),
        )
        self.another(number)
        self.booking = self.venue.hold(voucher_code=voucher["code"])
        self.voucher = voucher["id"]

    def end_voucher(self, number: int) -> None:
        if number % 2:
            self.venue.owner.call(
                "cancel_voucher",
                organization_id=self.venue.organization_id,
                voucher_id=getattr(self, "voucher", None),
            )
        else:
            expire_all(self.venue)


def expire_all(venue: Venue) -> None:
    venue.database.run(
        "update public.vouchers set valid_until = current_date - 9"
        " where organization_id = %s and expired_at is null",
        venue.organization_id,
    )
    venue.service.call("service.sweep")


STEPS = st.tuples(
    st.sampled_from(
        [
            *(
                "pay",
                "pay",
                "hear_again",
                "take",
                "take",
                "correct",
                "give_back",
                "hand_over",
                "refund",
            ),
            *("refund", "dispute", "dispute", "change", "cancel", "another", "with_voucher"),
            "end_voucher",
        ]
    ),
    st.integers(0, 10_000),
)


@settings(
    max_examples=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(currency=st.sampled_from(CURRENCIES), steps=st.lists(STEPS, min_size=4, max_size=12))
def test_whatever_happens_to_money_the_ledger_says_what_its_rows_say(
    venues: dict[str, Venue], currency: str, steps: list[tuple[str, int]]
) -> None:
    life = Life(venues[currency])
    for what, number in steps:
        life.step(what, number)
    agrees(life.venue)
    before = balances(life.venue)
    life.step("hear_again", 1)
    assert balances(life.venue) == before, "what is heard again changes nothing"


def test_a_booking_s_life_account_by_account(money: Database) -> None:
    """What the property test knows by sums, said in amounts."""
    venue = selling(money, "EUR")
    life = Life(venue)
    assert balances(venue) == {}, "a hold writes nothing"
    life.pay(0)
    # 21 % is contained: 3000 × 21 / 121 is 520.66.
    sold = {"customers": -DEPOSIT, "charges": DEPOSIT, "sales": -2_479, "tax": -521}
    assert balances(venue) == {"stripe_balance": DEPOSIT, **sold}
    life.dispute(DISPUTED.index("needs_response"))
    assert balances(venue) == {"disputes": DEPOSIT, **sold}
    life.clock += timedelta(days=1)
    life.dispute(DISPUTED.index("lost"))
    assert balances(venue) == {"dispute_losses": DEPOSIT, **sold}
    life.clock += timedelta(days=1)
    life.dispute(DISPUTED.index("won"))
    assert balances(venue) == {"stripe_balance": DEPOSIT, **sold}
    agrees(venue)


def test_another_price_is_sold_with_the_tax_of_its_lines(money: Database) -> None:
    venue = selling(money, "EUR")
    life = Life(venue)
    life.pay(0)
    life.change(3 * 5)  # the same party, and a cake
    # Of 6000 at 21 % and 1990 at 10 % are 3000 paid: 1041 and 181 of tax in that proportion.
    assert venue.database.all(
        "select tax_rate_bp, sum(case credit when 'tax' then amount_cents else -amount_cents end)"
        " ::int as cents from public.ledger_entries"
        " where organization_id = %s and tax_rate_bp is not null group by 1 order by 1",
        venue.organization_id,
    ) == [{"tax_rate_bp": REDUCED, "cents": 68}, {"tax_rate_bp": 2_100, "cents": 391}]
    assert balances(venue) == {
        "stripe_balance": DEPOSIT,
        "customers": -DEPOSIT,
        "charges": DEPOSIT,
        "sales": -(DEPOSIT - 391 - 68),
        "tax": -(391 + 68),
    }
    agrees(venue)


def test_a_voucher_is_owed_until_it_is_spent_or_its_time_is_over(money: Database) -> None:
    venue = selling(money, "EUR")
    life = Life(venue)
    life.with_voucher(99)
    assert balances(venue)["vouchers_issued"] == 1_000
    assert "voucher_liability" not in balances(venue), "all of it was spent"
    venue.pay(life.booking)
    life.give_back(49)
    life.refund(0)
    expire_all(venue)
    venue.owner.call(
        "refund_booking",
        organization_id=venue.organization_id,
        booking_id=life.booking.id,
        amount_cents=DEPOSIT - 500,
        reason="Sorry",
        idempotency_key=str(uuid.uuid4()),
    )
    agrees(venue)
    assert balances(venue)["voucher_liability"] == -1_000, "a refund gave it a new last date"
    expire_all(venue)
    assert balances(venue)["vouchers_expired"] == -1_000
    assert "voucher_liability" not in balances(venue)
    life.end_voucher(1)
    assert not {"vouchers_expired", "vouchers_issued"} & set(balances(venue))
    agrees(venue)


def test_a_wrong_entry_is_taken_back_by_another_and_nobody_is_told_of_money(
    money: Database,
) -> None:
    venue = selling(money, "EUR")
    life = Life(venue)
    life.take(300)  # 3010 in cash
    agrees(venue)
    [wrong] = venue.database.all(
        "select id::text, method, amount_cents from public.payments where booking_id = %s",
        life.booking.id,
    )
    mails = len(venue.mails(life.booking))
    asked = {
        "organization_id": venue.organization_id,
        "payment_id": wrong["id"],
        "reason": "Typed twice",
    }
    corrected = venue.owner.call("correct_payment", **asked)
    assert {
        name: corrected[name]
        for name in ("method", "amount_cents", "paid_cents", "refunded_cents", "open_cents")
    } == {
        "method": "cash",
        "amount_cents": 3_010,
        "paid_cents": 0,
        "refunded_cents": 0,
        "open_cents": TOTAL,
    }
    assert venue.owner.call("correct_payment", **asked) == corrected, "again, the same answer"
    assert balances(venue) == {}, "as if it had never been"
    assert len(venue.mails(life.booking)) == mails
    assert (
        venue.database.one(
            "select private.booking_content(%s, %s) #>> '{data,refunds}'",
            venue.organization_id,
            life.booking.id,
        )
        == "[]"
    )
    for payment, code in ((life.online(), "payment_not_correctable"), (None, "payment_not_found")):
        with pytest.raises(Refused) as refusal:
            venue.owner.call("correct_payment", **{**asked, "payment_id": payment})
        assert refusal.value.code == code
    with pytest.raises(Refused) as refusal:
        member(venue, "receptionist").call("correct_payment", **asked)
    assert refusal.value.code == "permission_denied"


def test_a_period_opens_with_what_was_before(money: Database) -> None:
    venue = selling(money, "EUR")
    life = Life(venue)
    life.take(99)
    then = datetime.now(UTC)
    life.take(4)
    seen = {
        row["account"]: row
        for row in venue.owner.call(
            "ledger_balances", organization_id=venue.organization_id, from_at=then
        )
    }
    assert seen["bank"] == {
        "account": "bank",
        "currency": "EUR",
        "opening_cents": 1_000,
        "debit_cents": 0,
        "credit_cents": 0,
        "balance_cents": 1_000,
    }
    assert (seen["cash_drawer"]["opening_cents"], seen["cash_drawer"]["debit_cents"]) == (0, 50)
    assert balances(venue, to_at=then) == {
        "bank": 1_000,
        "customers": -1_000,
        "charges": 1_000,
        "sales": -826,
        "tax": -174,
    }
    assert balances(venue, to_at="-infinity") == {}


def test_nobody_writes_or_changes_it(venue: Venue) -> None:
    """Not its owner either; what the database refuses by itself is in the matrix."""
    Life(venue).take(0)
    [entry] = venue.database.all(
        "select * from public.ledger_entries where organization_id = %s limit 1",
        venue.organization_id,
    )
    for statement in (
        "update public.ledger_entries set amount_cents = 1 where id = %s",
        "delete from public.ledger_entries where id = %s",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            venue.database.run(statement, entry["id"])
    with pytest.raises(psycopg.errors.UniqueViolation):
        venue.database.run(
            "insert into public.ledger_entries (organization_id, source, source_id, step, debit,"
            " credit, amount_cents, currency, occurred_at)"
            " select organization_id, source, source_id, step, 'bank', 'customers', 1, currency,"
            " now() from public.ledger_entries where id = %s",
            entry["id"],
        )
    for role, seen in (("manager", True), ("receptionist", False)):
        found = member(venue, role).select("select * from public.ledger_entries limit 1")
        assert bool(found) is seen
