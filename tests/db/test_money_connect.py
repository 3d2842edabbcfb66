"""Players pay into the venue's own account, and an account's events touch its own venue only."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from client import Refused
from db.connect_world import ADDRESSES, KEY, Shop, World, open_world
from db.invariants import broken_ledger
from db.money_world import TOTAL, Booking, Database, member
from escapemaster.errors import DomainError, PaymentError
from escapemaster.payments import accounts
from escapemaster_dev.sandbox.stripe import connect
from matrix.promises import refused

DEPOSIT = TOTAL // 2
#: Disputes that are decided still.
OPEN = ("needs_response", "under_review")
#: Of the plan `starter`: 1 %.
FEE = DEPOSIT // 100


@pytest.fixture(scope="module")
def world(money: Database) -> Iterator[World]:
    with open_world(money) as found:
        yield found


@pytest.fixture
def alone(money: Database) -> Iterator[None]:
    """An installation for many: nobody pays into the platform's account."""
    money.run("update private.billing_settings set platform_account = false")
    yield
    money.run("update private.billing_settings set platform_account = true")


@pytest.fixture
def shop(world: World) -> Shop:
    """A venue that can be paid, with a deposit."""
    made = world.shop()
    made.takes_deposits()
    made.plan_fee("starter")
    made.onboard()
    return made


def charges(world: World, account: str) -> list[dict[str, Any]]:
    return world.objects("charge", account)


# -- the account -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("alone")
def test_an_account_is_opened_completed_restricted_and_taken_away(world: World) -> None:
    shop = world.shop()
    assert (shop.said()["payments"], shop.said()["missing"]) == ("unavailable", "account")
    url = shop.open()
    assert shop.open() != url, "each page can be opened once"
    assert (shop.said()["missing"], shop.said()["charges_enabled"]) == ("details", False)
    world.press(url, do="later")
    world.press(shop.open(), do="complete")
    world.hear()
    said = shop.said()
    assert (said["payments"], said["missing"]) == ("own_account", None)
    assert said["charges_enabled"]
    assert said["payouts_enabled"]
    world.happens(shop.account, "warned")
    world.hear()
    said = shop.said()
    assert (said["payments"], said["requirements"]) == ("own_account", ["company.tax_id"])
    assert said["requirements_due_at"] is not None
    world.happens(shop.account, "restricted")
    world.hear()
    said = shop.said()
    assert (said["payments"], said["missing"]) == ("unavailable", "requirements")
    assert said["disabled_reason"] == "requirements.past_due"
    world.happens(shop.account, "completed")
    world.happens(shop.account, "deauthorized")
    # The last event first: what counts is how it is now.
    for event in reversed(world.new_events()):
        world.receive(event)
    world.work()
    assert (shop.said()["payments"], shop.said()["missing"]) == ("unavailable", "authorization")
    world.happens(shop.account, "reauthorized")
    world.new_events()  # lost
    world.reconcile()
    assert shop.said()["payments"] == "own_account"


def test_an_older_reading_changes_nothing(world: World, shop: Shop) -> None:
    older = {
        "id": shop.account,
        "deauthorized": True,
        "as_of": "2020-01-01T00:00:00Z",
    }
    applied = shop.venue.service.call(
        "service.apply_stripe_account", account=older, billing_pass=shop.billing_pass(reading=True)
    )
    assert applied["outcome"] == "older"
    assert shop.said()["payments"] == "own_account"


@pytest.mark.usefixtures("alone")
def test_who_cannot_be_paid_online_is_paid_at_the_venue_or_not_booked(world: World) -> None:
    shop = world.shop()
    shop.takes_deposits()
    booking = shop.venue.hold()
    seen = shop.venue.see(booking)
    assert (seen["status"], seen["due_now_cents"], seen["payable_cents"]) == ("confirmed", 0, 0)
    with pytest.raises(DomainError, match="pay there") as refused:
        shop.checkout(booking)
    assert refused.value.code == "online_payment_unavailable"
    shop.venue.owner.change("update public.organizations set pay_at_venue = false")
    with pytest.raises(Refused) as unsold:
        shop.venue.hold()
    assert (unsold.value.code, unsold.value.status) == ("online_payment_unavailable", 409)
    shop.onboard()
    held = shop.venue.see(shop.venue.hold())
    assert (held["status"], held["due_now_cents"]) == ("held", DEPOSIT)


def test_an_account_that_is_there_is_connected_by_whoever_began(world: World) -> None:
    shop, rival = world.shop(), world.shop()
    state = accounts.ConnectState("secret")
    user = uuid.uuid4()
    page = accounts.connection_page(
        world.gateway, state.issue(shop.id, user), ADDRESSES.choose(None)
    )
    answer = world.press(page, do="agree")
    back = parse_qs(urlsplit(answer.headers["location"]).query)
    state.check(back["state"][0], shop.id, user)
    for organization, person in ((rival.id, user), (shop.id, uuid.uuid4())):
        with pytest.raises(DomainError, match="Begin"):
            state.check(back["state"][0], organization, person)
    later = accounts.ConnectState("secret", now=lambda: 4e9)
    with pytest.raises(DomainError, match="Begin"):
        later.check(back["state"][0], shop.id, user)

    code = back["code"][0]
    applied = shop.connect(code)
    assert applied.may_charge
    assert shop.said()["payments"] == "own_account"
    with pytest.raises(DomainError, match="Begin"):  # a code counts once
        rival.connect(code)
    again = connect.authorize(world.sandbox, shop.account)
    with pytest.raises(DomainError) as taken:
        rival.connect(again)
    assert taken.value.code == "stripe_account_taken"
    assert rival.said()["missing"] == "account"


def test_what_is_said_of_an_account_comes_with_a_pass_or_under_the_lease_of_its_reading(
    world: World, shop: Shop
) -> None:
    rival = world.shop()
    rival.onboard()
    lost = {"id": shop.account, "deauthorized": True, "as_of": "2035-01-01T00:00:00Z"}

    def say(**proof: Any) -> None:
        shop.venue.service.call("service.apply_stripe_account", account=lost, **proof)

    for shown in ("", "x", rival.billing_pass(), rival.billing_pass(reading=True)):
        with refused(403, "billing_pass_invalid"):
            say(billing_pass=shown)
    with refused(409, "lease_lost"):
        say()
    with refused(409, "lease_lost"):
        say(job_id=0, lease_token=str(uuid.uuid4()))
    others = {"object_type": "account", "object_id": rival.account}
    for kind, what in (
        ("stripe.sync", others),
        ("stripe.sync", {"object_type": "refund", "object_id": shop.account}),
        ("email.send", {"object_type": "account", "object_id": shop.account}),
    ):
        with shop.venue.does(kind, **what) as lease, refused(409, "lease_of_another"):
            say(**lease)
    assert shop.said()["payments"] == "own_account"
    with shop.venue.syncs("account", shop.account) as lease:
        say(**lease)
    assert shop.said()["missing"] == "authorization"


def test_who_only_reads_what_is_paid_gets_a_pass_that_only_lets_a_reading_be_applied(
    world: World, shop: Shop
) -> None:
    reader = member(shop.venue, "admin")
    mine = {"organization_id": shop.venue.organization_id}
    with refused(403, "permission_denied"):
        reader.call("open_billing", **mine)
    lesser = reader.call("open_billing", **mine, reading=True)["token"]
    with refused(403, "billing_pass_invalid"):
        shop.venue.service.call(
            "service.open_stripe_account", **mine, billing_pass=lesser, anew=False
        )
    world.happens(shop.account, "restricted")
    world.run(accounts.sync_account(world.database, world.gateway, shop.account, lesser))
    assert shop.said()["missing"] == "requirements"
    with refused(403, "permission_denied"):
        member(shop.venue, "receptionist").call("open_billing", **mine, reading=True)


# -- the money -------------------------------------------------------------------------------------


def test_deposit_rest_and_partial_refund_go_through_the_venues_account(
    world: World, shop: Shop
) -> None:
    booking = shop.venue.hold()
    seen = shop.venue.see(booking)
    assert (seen["due_now_cents"], seen["payable_cents"]) == (DEPOSIT, TOTAL)
    assert shop.pay(booking).amount_cents == DEPOSIT
    world.hear()
    seen = shop.venue.see(booking)
    assert (seen["status"], seen["paid_cents"]) == ("confirmed", DEPOSIT)
    assert (seen["payable_cents"], seen["open_cents"]) == (DEPOSIT, DEPOSIT)
    assert shop.pay(booking).amount_cents == DEPOSIT
    world.hear()
    seen = shop.venue.see(booking)
    assert (seen["paid_cents"], seen["refunded_cents"], seen["payable_cents"]) == (TOTAL, 0, 0)
    mine = {"stripe_account": shop.account, "platform_fee_cents": FEE, "amount_cents": DEPOSIT}
    assert [{k: v for k, v in p.items() if k in mine} for p in shop.payments(booking)] == [mine] * 2
    assert not shop.venue.refund_requests(booking)

    shop.refund(booking, DEPOSIT // 2)
    world.work()
    assert shop.venue.balance(booking) == (TOTAL, DEPOSIT // 2)
    assert shop.venue.see(booking)["payable_cents"] == 0, "what was given back is not asked for"
    assert sum(c["amount_refunded"] for c in charges(world, shop.account)) == DEPOSIT // 2
    fees = [
        world.sandbox.store.need(c["application_fee"]).body for c in charges(world, shop.account)
    ]
    assert sorted((f["amount"], f["amount_refunded"]) for f in fees) == [(FEE, 0), (FEE, FEE // 2)]
    assert not charges(world, "")


def test_all_at_once_confirms_and_is_kept(world: World, shop: Shop) -> None:
    booking = shop.venue.hold()
    assert shop.pay(booking, whole=True).amount_cents == TOTAL
    world.hear()
    assert shop.venue.see(booking)["status"] == "confirmed"
    assert shop.venue.balance(booking) == (TOTAL, 0)
    assert not shop.venue.refund_requests(booking)


def test_another_choice_closes_the_page_of_the_first(world: World, shop: Shop) -> None:
    booking = shop.venue.hold()
    first = shop.checkout(booking)
    with pytest.raises(DomainError) as closing:
        shop.checkout(booking, whole=True)
    assert closing.value.code == "checkout_closing"
    world.work()
    assert world.press(first.url).status_code == 410
    assert shop.pay(booking, whole=True).amount_cents == TOTAL
    world.hear()
    assert shop.venue.balance(booking) == (TOTAL, 0)


def test_the_rest_is_paid_online_until_the_venues_limit(world: World, shop: Shop) -> None:
    booking = shop.venue.hold()
    shop.pay(booking)
    world.hear()
    shop.venue.owner.change("update public.organizations set rest_online_minutes = null")
    assert shop.venue.see(booking)["payable_cents"] == 0
    assert shop.venue.see(booking)["rest_payable_until"] is None
    minutes = 100 * 24 * 60
    shop.venue.owner.change("update public.organizations set rest_online_minutes = %s", minutes)
    with pytest.raises(DomainError) as late:
        shop.checkout(booking)
    assert late.value.code == "nothing_due"
    shop.venue.owner.change("update public.organizations set rest_online_minutes = 0")
    assert shop.checkout(booking).amount_cents == DEPOSIT


def test_cash_at_the_desk_closes_the_page_and_what_was_paid_twice_goes_back(
    world: World, shop: Shop
) -> None:
    booking = shop.venue.hold()
    shop.pay(booking)
    world.hear()
    page = shop.checkout(booking)
    assert world.press(page.url).status_code == 303  # paid, and nobody knows yet
    shop.take_cash(booking, DEPOSIT)
    world.work()
    world.hear()
    assert shop.venue.balance(booking) == (TOTAL + DEPOSIT, DEPOSIT)
    # The other way round nobody can pay on it any more.
    other = shop.venue.hold()
    shop.pay(other)
    world.hear()
    page = shop.checkout(other)
    shop.take_cash(other, DEPOSIT)
    world.work()
    assert world.press(page.url).status_code == 410
    assert shop.venue.balance(other) == (TOTAL, 0)


def test_money_goes_back_from_the_account_that_was_paid(world: World, shop: Shop) -> None:
    booking = shop.venue.hold()
    open_page = shop.venue.hold()
    shop.pay(booking)
    page = shop.checkout(open_page)
    world.hear()
    former = shop.account
    latest = shop.onboard(anew=True)
    assert latest != former
    assert world.press(page.url).status_code == 303  # the page goes on, and its account is paid
    third = shop.venue.hold()
    shop.pay(third)
    world.hear()
    assert [shop.payments(b)[0]["stripe_account"] for b in (booking, open_page, third)] == [
        former,
        former,
        latest,
    ]
    shop.venue.cancel(booking)
    world.work()
    assert shop.venue.balance(booking) == (DEPOSIT, DEPOSIT)
    assert sum(c["amount_refunded"] for c in charges(world, former)) == DEPOSIT
    assert sum(c["amount_refunded"] for c in charges(world, latest)) == 0
    # A dispute and a refund by hand of the former account are heard of, too.
    intent = shop.payments(open_page)[0]["provider_payment_id"]
    world.ask(
        "POST",
        f"/_sandbox/payments/{intent}/dispute",
        json={"status": "warning_needs_response"},
    )
    answer = world.ask(
        "POST",
        "/v1/refunds",
        data={"payment_intent": intent, "amount": 100},
        headers=KEY | {"Stripe-Account": former},
    )
    assert answer.status_code == 200
    world.new_events()  # lost
    world.reconcile()
    assert shop.venue.balance(open_page) == (DEPOSIT, 100)
    assert (
        world.money.one("select count(*) from public.disputes where booking_id = %s", open_page.id)
        == 1
    )


def test_the_former_account_stays_in_use_until_the_new_one_may_charge(
    world: World, shop: Shop
) -> None:
    former = shop.account
    shop.open(anew=True)
    booking = shop.venue.hold()
    shop.pay(booking)
    world.hear()
    assert shop.payments(booking)[0]["stripe_account"] == former


def test_a_refund_of_an_account_that_is_gone_is_seen_and_can_be_repeated(
    world: World, shop: Shop
) -> None:
    booking = shop.venue.hold()
    shop.pay(booking)
    world.hear()
    world.happens(shop.account, "deauthorized")
    world.hear()
    shop.venue.cancel(booking)
    world.work()
    [waiting] = shop.pending()
    assert (waiting["status"], waiting["problem"]) == ("pending", "account_invalid")
    assert shop.venue.balance(booking) == (DEPOSIT, 0)
    world.happens(shop.account, "reauthorized")
    world.hear()
    assert shop.venue.balance(booking) == (DEPOSIT, DEPOSIT)
    assert shop.pending() == []


def test_a_page_of_an_account_that_is_gone_stops_nobody(world: World, shop: Shop) -> None:
    booking = shop.venue.hold()
    shop.pay(booking)
    world.hear()
    shop.checkout(booking)
    former = shop.account
    world.happens(former, "deauthorized")
    world.hear()
    shop.onboard()
    world.money.run(
        "update private.payment_attempts set expires_at = now() where booking_id = %s"
        " and status = 'open'",
        booking.id,
    )
    shop.pay(booking)
    world.hear()
    assert [p["stripe_account"] for p in shop.payments(booking)] == [former, shop.account]


# -- other people's accounts -----------------------------------------------------------------------


def forge(world: World, account: str, attempt: str, cents: int = TOTAL) -> dict[str, Any]:
    """The owner of an account lets somebody pay there, in the name of another's attempt."""
    answer = world.ask(
        "POST",
        "/v1/checkout/sessions",
        data={
            "mode": "payment",
            "client_reference_id": attempt,
            "success_url": "https://forger.example/",
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": str(cents),
            "line_items[0][price_data][product_data][name]": "x",
            "metadata[attempt_id]": attempt,
        },
        headers=KEY | ({"Stripe-Account": account} if account else {}),
    )
    assert answer.status_code == 200, answer.text
    session: dict[str, Any] = answer.json()
    assert world.press(session["url"]).status_code == 303
    return world.sandbox.store.need(session["id"]).body


def test_an_event_of_another_account_moves_nothing(world: World, shop: Shop) -> None:
    rival = world.shop()
    rival.onboard()
    booking = shop.venue.hold()
    shop.checkout(booking)
    attempt = str(
        world.money.one(
            "select id::text from private.payment_attempts where booking_id = %s", booking.id
        )
    )
    for account in (rival.account, ""):
        forge(world, account, attempt)
    forged = world.new_events()
    assert forged
    for event in forged:
        world.receive(event)
        # As if it had happened in the other's account.
        world.receive({**event, "id": f"evt_{uuid.uuid4().hex}", "account": shop.account})
        world.receive(
            {k: v for k, v in event.items() if k != "account"} | {"id": f"evt_{uuid.uuid4().hex}"}
        )
    world.work()
    world.reconcile()
    assert shop.venue.see(booking)["status"] == "held"
    assert shop.payments(booking) == []

    # Nor does a refund, or a dispute, of a payment in another account.
    shop.pay(booking)
    world.hear()
    intent = shop.payments(booking)[0]["provider_payment_id"]
    for kind, body, call in (
        ("refund", {"id": "re_x", "status": "succeeded", "amount": 100}, "apply_refund"),
        (
            "dispute",
            {"id": "du_x", "status": "lost", "amount": 100, "currency": "eur"},
            "apply_dispute",
        ),
    ):
        world.receive(
            {
                "id": f"evt_{uuid.uuid4().hex}",
                "type": f"{kind}.created",
                "account": rival.account,
                "data": {"object": {"object": kind, "id": body["id"]}},
            }
        )
        [job] = world.money.all(
            "update private.jobs set status = 'running', lease_token = gen_random_uuid(),"
            " attempts = 9 where payload ->> 'object_id' = %s returning id, lease_token",
            body["id"],
        )
        answer = shop.venue.service.call(
            f"service.{call}",
            job_id=job["id"],
            lease_token=job["lease_token"],
            **{kind: {**body, "payment_intent": intent, "as_of": "2026-11-01T00:00:00Z"}},
        )
        assert answer["status"] == "unknown"
        world.money.run("delete from private.jobs where id = %s", job["id"])
    assert shop.venue.balance(booking) == (DEPOSIT, 0)
    assert not world.money.one(
        "select count(*) from public.disputes where booking_id = %s", booking.id
    )


def test_an_account_speaks_for_itself_only(world: World, shop: Shop) -> None:
    rival = world.shop()
    rival.onboard()
    for event in (
        {"account": rival.account, "data": {"object": {"object": "account", "id": shop.account}}},
        {"data": {"object": {"object": "account", "id": shop.account}}},
    ):
        world.receive({"id": f"evt_{uuid.uuid4().hex}", "type": "account.updated", **event})
    assert not world.money.all(
        "select from private.jobs where payload ->> 'object_id' = %s and status = 'queued'",
        shop.account,
    )


# -- the fee ---------------------------------------------------------------------------------------

_CENTS = st.integers(0, 200_000)


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    points=st.integers(0, 10_000),
    fixed=_CENTS,
    player=st.integers(0, 5_000),
    bounds=st.tuples(st.none() | _CENTS, st.none() | _CENTS),
    amount=st.integers(1, 1_000_000),
    more=_CENTS,
    party=st.integers(1, 40),
    currency=st.sampled_from([("EUR", 1), ("JPY", 1), ("KWD", 10)]),
)
def test_the_fee_is_what_the_plan_says_rounded_once(
    money: Database,
    points: int,
    fixed: int,
    player: int,
    bounds: tuple[int | None, int | None],
    amount: int,
    more: int,
    party: int,
    currency: tuple[str, int],
) -> None:
    least, most = bounds
    assume(least is None or most is None or least <= most)
    code, step = currency
    fee = money.one(
        "select private.platform_fee(jsonb_populate_record(null::public.plans, %s::jsonb),"
        " %s, %s, %s, %s)",
        json.dumps(
            {
                "fee_basis_points": points,
                "fee_fixed_cents": fixed,
                "fee_player_cents": player,
                "fee_minimum_cents": least,
                "fee_maximum_cents": most,
            }
        ),
        *(code, amount, amount + more, party),
    )
    wanted = (
        Fraction(amount * points, 10_000) + fixed + Fraction(player * party * amount, amount + more)
    )
    if least is not None:
        wanted = max(wanted, Fraction(least))
    if most is not None:
        wanted = min(wanted, Fraction(most))
    # PostgreSQL divides to at least 16 digits, which decides no half of a cent here.
    rounded = int(wanted / step + Fraction(1, 2)) * step
    assert fee == min(rounded, amount)


# -- any order, any number, any loss ---------------------------------------------------------------

_STEPS = st.lists(
    st.tuples(
        # Mostly at one venue, so that things meet: how far from it.
        st.sampled_from([0, 0, 0, 0, 1, 2]),
        st.sampled_from(
            [
                "book",
                "pay",
                "pay",
                "pay all",
                "open",
                "pay on an old page",
                "cash",
                "cash meanwhile",
                "cancel",
                "refund",
                "by hand",
                "dispute",
                "inquiry",
                "under_review",
                "won",
                "lost",
                "forge",
                "switch",
                "lapse",
            ]
        ),
    ),
    min_size=3,
    max_size=8,
)


class Life:
    """What happens to some bookings of three venues: two with accounts, one without."""

    def __init__(self, world: World, shops: list[Shop]) -> None:
        self.world = world
        self.shops = shops
        self.bookings: list[list[Booking]] = [[shop.venue.hold()] for shop in shops]
        self.pages: list[list[str]] = [[] for _ in shops]

    def step(self, place: int, what: str) -> None:
        shop, booking = self.shops[place], self.bookings[place][-1]
        try:
            match what:
                case "book":
                    self.bookings[place].append(shop.venue.hold())
                case "pay" | "pay all" | "open":
                    page = shop.checkout(booking, whole=what == "pay all")
                    self.pages[place].append(page.url)
                    if what != "open":
                        self.world.press(page.url)
                case "pay on an old page":
                    for url in self.pages[place]:
                        self.world.press(url)
                case "cash":
                    shop.take_cash(booking, 1_000)
                case "cash meanwhile":
                    page = shop.checkout(booking)
                    shop.take_cash(booking, shop.venue.see(booking)["open_cents"])
                    self.world.press(page.url)
                case "cancel":
                    shop.venue.cancel(booking)
                case "refund":
                    shop.refund(booking, 500)
                case "lapse":
                    if shop.venue.status(booking) == "held":
                        shop.venue.lapse(booking)
                case "switch":
                    if place:
                        shop.onboard(anew=True)
                case "forge":
                    self._forge(place)
                case "dispute" | "inquiry":
                    self._dispute(shop, booking, what)
                case "under_review" | "won" | "lost":
                    self._decide(shop, booking, what)
                case _:
                    self._by_hand(shop, booking)
        except (Refused, DomainError, PaymentError):
            pass  # what is refused changes nothing, which is looked at

    def _by_hand(self, shop: Shop, booking: Booking) -> None:
        """Somebody refunds on Stripe's dashboard."""
        for payment in shop.payments(booking):
            if payment["provider_payment_id"]:
                account = payment["stripe_account"]
                self.world.ask(
                    "POST",
                    "/v1/refunds",
                    data={"payment_intent": payment["provider_payment_id"], "amount": 300},
                    headers=KEY | ({"Stripe-Account": account} if account else {}),
                )

    def _dispute(self, shop: Shop, booking: Booking, what: str) -> None:
        """The bank takes back what was paid last, or only asks."""
        for payment in shop.payments(booking)[-1:]:
            if intent := payment["provider_payment_id"]:
                status = "needs_response" if what == "dispute" else "warning_needs_response"
                path = f"/_sandbox/payments/{intent}/dispute"
                assert self.world.ask("POST", path, json={"status": status}).status_code == 200

    def _decide(self, shop: Shop, booking: Booking, status: str) -> None:
        intents = {payment["provider_payment_id"] for payment in shop.payments(booking)}
        for account in self.world.accounts():
            for dispute in self.world.objects("dispute", account):
                if dispute["payment_intent"] in intents and dispute["status"] in OPEN:
                    path = f"/_sandbox/disputes/{dispute['id']}"
                    assert self.world.ask("POST", path, json={"status": status}).status_code == 200

    def _disputed(self, booking: Booking) -> int:
        """What banks withhold of a booking, or gave back."""
        return int(
            self.world.money.one(
                "select coalesce(sum(amount_cents), 0) from public.disputes"
                " where booking_id = %s and status in ('needs_response', 'under_review', 'lost')",
                booking.id,
            )
        )

    def _forge(self, place: int) -> None:
        attempt = self.world.money.one(
            "select id::text from private.payment_attempts where booking_id = %s limit 1",
            self.bookings[place][-1].id,
        )
        if attempt is not None:
            rival = self.shops[(place + 1) % len(self.shops)]
            forge(self.world, rival.account if rival is not self.shops[0] else "", attempt, 700)

    def agrees(self) -> None:
        """Each charge is in the ledger if it is of the attempt's own account, to the cent."""
        attempts = {
            row["id"]: row
            for row in self.world.money.all(
                "select id::text, booking_id::text, stripe_account, platform_fee_cents"
                " from private.payment_attempts where booking_id = any(%s::uuid[])",
                [booking.id for mine in self.bookings for booking in mine],
            )
        }
        expected: dict[str, tuple[str, int, int, str | None, int]] = {}
        for account in self.world.accounts():
            for session in self.world.objects("checkout.session", account):
                attempt = attempts.get(session["client_reference_id"])
                if session["payment_status"] != "paid" or attempt is None:
                    continue
                if attempt["stripe_account"] != (account or None):
                    continue
                intent = self.world.sandbox.store.need(session["payment_intent"]).body
                charge = self.world.sandbox.store.need(intent["latest_charge"]).body
                expected[intent["id"]] = (
                    attempt["booking_id"],
                    charge["amount"],
                    charge["amount_refunded"],
                    account or None,
                    charge["application_fee_amount"] or 0,
                )
        found = {
            row["intent"]: (
                row["booking_id"],
                row["amount_cents"],
                int(row["refunded"]),
                row["stripe_account"],
                row["platform_fee_cents"],
            )
            for row in self.world.money.all(
                "select p.provider_payment_id as intent, p.booking_id::text, p.amount_cents,"
                " p.stripe_account, p.platform_fee_cents,"
                " coalesce((select sum(r.amount_cents) from public.refunds as r"
                " where r.organization_id = p.organization_id and r.payment_id = p.id), 0)"
                " as refunded from public.payments as p"
                " where p.method = 'stripe' and p.booking_id = any(%s::uuid[])",
                [booking.id for mine in self.bookings for booking in mine],
            )
        }
        assert found == expected
        for shop in self.shops:
            assert broken_ledger(self.world.money.all, shop.venue.organization_id) == {}
            # Nothing is left to be paid back but what a bank withholds, or goes back by hand.
            assert [
                one for one in shop.pending() if not one["by_hand"] and not one["disputed"]
            ] == []
        for shop, mine in zip(self.shops, self.bookings, strict=True):
            for booking in mine:
                paid, refunded = shop.venue.balance(booking)
                paid -= self._disputed(booking)
                assert paid - refunded <= TOTAL
                if shop.venue.status(booking) == "expired":
                    cash = [p for p in shop.payments(booking) if not p["provider_payment_id"]]
                    # Only what was paid at the desk waits to be handed over.
                    assert paid - refunded <= sum(p["amount_cents"] for p in cash)


@hypothesis_settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS, data=st.data())
def test_whatever_happens_to_the_events_of_three_accounts_ledger_and_stripe_agree(
    three: list[Shop], steps: list[tuple[int, str]], data: st.DataObject
) -> None:
    world = three[0].world
    life = Life(world, three)
    venue = data.draw(st.integers(0, 2))
    world.new_events()
    waiting: list[dict[str, Any]] = []
    for place, what in steps:
        life.step((venue + place) % 3, what)
        waiting += world.new_events()
        # Some come now, in any order, some twice; the others later, or never.
        come = data.draw(st.lists(st.sampled_from(waiting), max_size=3)) if waiting else []
        for event in come:
            world.receive(event)
        if data.draw(st.booleans()):
            world.work()
    world.work()
    world.reconcile()
    life.agrees()


@pytest.fixture(scope="module")
def three(money: Database) -> Iterator[list[Shop]]:
    with open_world(money) as world:
        shops = [world.shop(), world.shop(), world.shop()]
        for shop in shops:
            shop.takes_deposits()
            shop.plan_fee("starter")
        for shop in shops[1:]:
            shop.onboard()
        yield shops
