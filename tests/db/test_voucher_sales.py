"""Gift vouchers sold online: the service's code between Stripe's sandbox and the database."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from client import ANON, Caller, Client, Refused
from db.connect_world import ADDRESSES, KEY, Direct, Shop, World, open_world
from db.invariants import broken_ledger
from db.money_world import TOTAL, Booking, Database, member
from escapemaster.errors import DomainError, PaymentError
from escapemaster.payments.checkout import Checkout
from escapemaster.payments.voucher_checkout import start_voucher_checkout
from stack import in_one_hour, own_address

VALUE = 10_000
#: Of the plan `starter`: 1 %.
FEE = VALUE // 100
Row = dict[str, Any]


@pytest.fixture(scope="module")
def world(money: Database) -> Iterator[World]:
    with open_world(money) as found:
        yield found


@pytest.fixture
def shop(world: World) -> Shop:
    """A venue with an account of its own that sells vouchers."""
    return selling(world)


def selling(world: World) -> Shop:
    made = world.shop()
    made.plan_fee("starter")
    made.onboard()
    sells(made)
    return made


def sells(shop: Shop, *, is_sold: bool = True, **changes: Any) -> None:
    shop.venue.owner.call(
        "set_voucher_sales",
        organization_id=shop.id,
        is_sold=is_sold,
        **{"minimum_cents": 1000, "maximum_cents": 50000, **changes},
    )


@dataclass
class Order:
    """A voucher that somebody buys."""

    shop: Shop
    id: str
    token: str

    @property
    def row(self) -> Row:
        found = self.shop.venue.database.all(
            "select o.*, v.code, v.status as voucher_status, v.balance_cents, v.valid_until"
            " from public.voucher_orders as o left join public.vouchers as v"
            " on v.organization_id = o.organization_id and v.id = o.voucher_id where o.id = %s",
            self.id,
        )
        return found[0]

    def seen(self) -> Row:
        """As its buyer sees it."""
        answer: Row = self.shop.venue.public.call(
            "get_voucher_order", order_id=self.id, order_token=self.token
        )
        return answer

    def checkout(self, database: Direct | None = None) -> Checkout:
        return self.shop.world.run(
            start_voucher_checkout(
                database or self.shop.world.database,
                self.shop.world.gateway,
                order_id=UUID(self.id),
                order_token=self.token,
                return_url=None,
                addresses=ADDRESSES,
            )
        )

    def pay(self) -> None:
        """On its page; nobody has heard of it yet."""
        assert self.shop.world.press(self.checkout().url).status_code == 303

    def mails(self) -> list[Row]:
        return self.shop.venue.database.all(
            "select payload ->> 'template' as template, run_at from private.jobs"
            " where kind = 'email.send' and (payload ->> 'voucher_order_id' = %s"
            " or payload ->> 'voucher_id' = %s) order by 1",
            self.id,
            str(self.row["voucher_id"]),
        )

    def refund(self, client: Client | None = None) -> Row:
        answer: Row = (client or self.shop.venue.owner).call(
            "refund_voucher_order", organization_id=self.shop.id, order_id=self.id
        )
        return answer

    def at_stripe(self, what: str) -> list[Row]:
        """Its refunds or disputes there."""
        row = self.row
        return [
            found
            for found in self.shop.world.objects(what, row["stripe_account"] or "")
            if found["payment_intent"] == row["provider_payment_id"]
        ]

    def by_hand(self, cents: int) -> None:
        """Somebody refunds on Stripe's dashboard."""
        row = self.row
        self.shop.world.ask(
            "POST",
            "/v1/refunds",
            data={"payment_intent": row["provider_payment_id"], "amount": cents},
            headers={**KEY, "Stripe-Account": row["stripe_account"]},
        )

    def dispute(self) -> None:
        path = f"/_sandbox/payments/{self.row['provider_payment_id']}/dispute"
        assert self.shop.world.ask("POST", path).status_code == 200

    def decide(self, status: str) -> None:
        for dispute in self.at_stripe("dispute"):
            path = f"/_sandbox/disputes/{dispute['id']}"
            assert self.shop.world.ask("POST", path, json={"status": status}).status_code == 200

    def send_back(self) -> None:
        """The buyer's bank does, days after the refund went out."""
        for refund in self.at_stripe("refund"):
            self.shop.world.ask("POST", f"/_sandbox/refunds/{refund['id']}/return")


def order(shop: Shop, *, client: Client | None = None, **changes: Any) -> Order:
    placed = (client or shop.venue.public).call(
        "order_voucher",
        **{
            "slug": shop.venue.slug,
            "idempotency_key": str(uuid.uuid4()),
            "buyer_name": "Joan Serra",
            "buyer_email": f"{uuid.uuid4()}@example.com",
            "amount_cents": VALUE,
            "recipient_name": "Marta",
            "recipient_email": f"{uuid.uuid4()}@example.com",
            "message": "Happy birthday!",
            **changes,
        },
    )
    return Order(shop, placed["order_id"], placed["order_token"])


def bought(shop: Shop, **changes: Any) -> Order:
    made = order(shop, **changes)
    made.pay()
    shop.world.hear()
    assert made.row["status"] == "paid"
    return made


def balances(shop: Shop) -> dict[str, int]:
    return {
        row["account"]: row["balance_cents"]
        for row in shop.venue.owner.call("ledger_balances", organization_id=shop.id)
        if row["balance_cents"]
    }


def agrees(shop: Shop) -> None:
    assert broken_ledger(shop.venue.database.all, shop.venue.organization_id) == {}


# -- bought ----------------------------------------------------------------------------------------


def test_a_voucher_exists_once_it_is_paid_and_each_mail_of_it_is_asked_for_once(
    world: World, shop: Shop
) -> None:
    zone = ZoneInfo("Europe/Madrid")
    day = datetime.now(zone).date() + timedelta(days=9)
    gift = order(shop, deliver_on=day)
    assert (gift.seen()["status"], gift.seen()["code"], gift.mails()) == ("open", None, [])
    page = gift.checkout()
    assert page.amount_cents == VALUE
    assert gift.checkout().url == page.url, "one order, one page"
    assert (gift.row["voucher_id"], gift.mails()) == (None, [])

    assert world.press(page.url).status_code == 303
    events = world.new_events()
    for event in [*events, *reversed(events), *events]:
        world.receive(event)
        world.work()
    row, seen = gift.row, gift.seen()
    assert (row["status"], row["balance_cents"], row["voucher_status"]) == ("paid", VALUE, "active")
    assert (seen["status"], seen["code"]) == ("paid", row["code"])
    assert (row["stripe_account"], row["platform_fee_cents"]) == (shop.account, FEE)
    (charge,) = world.objects("charge", shop.account)
    assert charge["application_fee_amount"] == FEE
    mails = {mail["template"]: mail["run_at"] for mail in gift.mails()}
    assert list(mails) == ["voucher_bought", "voucher_issued"]
    assert mails["voucher_issued"] == datetime(day.year, day.month, day.day, 9, tzinfo=zone)
    assert mails["voucher_bought"] <= datetime.now(UTC)
    assert balances(shop) == {
        "stripe_balance": VALUE - FEE,
        "platform_fees": FEE,
        "voucher_liability": -VALUE,
    }
    booking = shop.venue.hold(voucher_code=row["code"])
    assert shop.venue.status(booking) == "confirmed"
    assert balances(shop)["voucher_liability"] == TOTAL - VALUE
    agrees(shop)


def test_an_order_for_which_no_page_could_be_made_ends(shop: Shop) -> None:
    gift, service = order(shop), shop.venue.service
    opened = service.call("service.open_voucher_checkout", order_id=gift.id, order_token=gift.token)
    attempt = {"attempt_id": opened["attempt_id"], "attempt_token": opened["attempt_token"]}
    with pytest.raises(Refused, match="attempt_not_found"):
        service.call("service.fail_voucher_checkout", **{**attempt, "attempt_token": gift.token})
    assert gift.seen()["status"] == "open"
    for _ in range(2):
        assert service.call("service.fail_voucher_checkout", **attempt)["status"] == "failed"
    assert gift.seen()["status"] == "over"
    with pytest.raises(Refused, match="not_payable"):
        service.call("service.open_voucher_checkout", order_id=gift.id, order_token=gift.token)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("minimum_cents", {"minimum_cents": 0}),
        ("minimum_cents", {"minimum_cents": None}),
        ("maximum_cents", {"maximum_cents": 999}),
        ("maximum_cents", {"maximum_cents": None}),
        ("validity_months", {"validity_months": 121}),
        ("refund_days", {"refund_days": -1}),
    ],
)
def test_what_cannot_be_sold_is_not_switched_on(
    shop: Shop, field: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(Refused, match="voucher_sales_invalid") as refused:
        sells(shop, **wrong)
    assert refused.value.details == {"field": field}


def test_a_product_of_the_venue_costs_and_is_worth_what_it_says(shop: Shop) -> None:
    shop.venue.owner.change(
        "insert into public.voucher_products (names, amount_cents)"
        ' values (\'{"en": "Escape for 4", "es": "Escape para 4"}\', 9000)'
    )
    offer = shop.venue.public.call("get_voucher_offer", slug=shop.venue.slug, locale="en")
    (product,) = offer["products"]
    assert (product["name"], product["amount_cents"]) == ("Escape for 4", 9000)
    with pytest.raises(Refused) as wrong:
        order(shop, product_id=product["id"], amount_cents=1000)
    assert wrong.value.code == "voucher_order_invalid"
    gift = bought(shop, product_id=product["id"], amount_cents=None, locale="es")
    assert (gift.seen()["product"], gift.row["balance_cents"]) == ("Escape para 4", 9000)


def test_what_a_venue_does_not_offer_is_not_ordered(shop: Shop) -> None:
    venue = shop.venue
    today = venue.database.one("select (now() at time zone 'Europe/Madrid')::date")
    wrong: dict[str, Row] = {
        "amount_cents": {"amount_cents": 999},
        "buyer_name": {"buyer_name": "Win at evil.com"},
        "buyer_email": {"buyer_email": "nobody"},
        "recipient_name": {"recipient_name": "https://evil.example"},
        "recipient_email": {"recipient_email": "a b"},
        "message": {"message": "Look: evil.com/win"},
        "deliver_on": {"deliver_on": today - timedelta(days=1)},
        "locale": {"locale": "xx"},
    }
    for field_name, changes in wrong.items():
        with pytest.raises(Refused) as refused:
            order(shop, **changes)
        assert (refused.value.code, refused.value.details["field"]) == (
            "voucher_order_invalid",
            field_name,
        )
    with pytest.raises(Refused) as nobody:
        order(shop, deliver_on=today, recipient_email=None)
    assert nobody.value.details["field"] == "deliver_on"
    with pytest.raises(Refused) as unknown:
        order(shop, product_id=uuid.uuid4())
    assert unknown.value.code == "voucher_product_not_found"
    waiting = order(shop)
    sells(shop, is_sold=False)
    with pytest.raises(Refused) as unsold:
        order(shop)
    assert (unsold.value.code, unsold.value.status) == ("vouchers_not_sold", 409)
    with pytest.raises(DomainError, match="sells no vouchers"):
        waiting.checkout()


def test_the_same_request_is_one_order_and_only_its_token_opens_it(shop: Shop) -> None:
    same: Row = {"idempotency_key": "once", "buyer_email": "j@example.com", "recipient_email": None}
    first, again = order(shop, **same), order(shop, **same)
    assert (first.id, first.token) == (again.id, again.token)
    with pytest.raises(Refused) as other:
        order(shop, **{**same, "amount_cents": 2000})
    assert other.value.code == "idempotency_key_reused"
    thief = Order(shop, first.id, order(shop).token)
    with pytest.raises(Refused) as hidden:
        thief.seen()
    assert hidden.value.code == "voucher_order_not_found"
    with pytest.raises(DomainError, match="Order the voucher first"):
        thief.checkout()


class _Death(Exception):
    """The end of a process."""


class _Killed(Direct):
    """The service, killed after Stripe made the page."""

    async def record_voucher_checkout(self, *_: Any, **__: Any) -> None:
        raise _Death


def test_killed_between_page_and_record_the_next_call_gets_the_same_page(
    world: World, shop: Shop
) -> None:
    gift = order(shop)
    with pytest.raises(_Death):
        gift.checkout(_Killed(shop.venue.service))
    (made,) = world.objects("checkout.session", shop.account)
    assert gift.row["session_id"] is None
    assert gift.checkout().url == made["url"]
    assert gift.row["session_id"] == made["id"]
    late = order(shop)
    with pytest.raises(_Death):
        late.checkout(_Killed(shop.venue.service))
    shop.venue.database.run(
        "update public.voucher_orders set opened_at = now() - interval '46 seconds' where id = %s",
        late.id,
    )
    with pytest.raises(DomainError, match="Order the voucher anew"):
        late.checkout()


def test_money_counts_whatever_was_reported_before_it_and_the_reconciler_finds_it(
    world: World, shop: Shop
) -> None:
    gift = order(shop)
    gift.pay()
    world.new_events()  # lost
    shop.venue.database.run(
        "update public.voucher_orders set expires_at = now() - interval '1 day' where id = %s",
        gift.id,
    )
    assert gift.seen()["status"] == "over"
    world.reconcile()
    assert gift.seen()["status"] == "paid"
    agrees(shop)

    over = order(shop)
    url = over.checkout().url
    session = over.row["session_id"]
    assert world.ask("POST", f"/_sandbox/sessions/{session}/expire-now").status_code == 200
    world.hear()
    assert (over.row["status"], over.seen()["status"]) == ("expired", "over")
    assert world.press(url).status_code != 303


def test_a_payment_into_another_account_buys_nothing(world: World, shop: Shop) -> None:
    gift = order(shop)
    gift.checkout()
    rival = selling(world)
    answer = world.ask(
        "POST",
        "/v1/checkout/sessions",
        data={
            "mode": "payment",
            "client_reference_id": gift.id,
            "success_url": "https://x.test/",
            "line_items[0][quantity]": 1,
            "line_items[0][price_data][currency]": "eur",
            "line_items[0][price_data][unit_amount]": VALUE,
            "line_items[0][price_data][product_data][name]": "x",
        },
        headers={**KEY, "Stripe-Account": rival.account},
    )
    assert answer.status_code == 200
    world.press(answer.json()["url"])
    world.hear()
    assert gift.row["status"] == "open"
    agrees(shop)
    agrees(rival)


# -- gone back -------------------------------------------------------------------------------------


def test_staff_give_an_unspent_voucher_back_within_the_agreed_days(
    world: World, shop: Shop
) -> None:
    gift = bought(shop)
    code = gift.row["code"]
    desk = member(shop.venue, "receptionist")
    with pytest.raises(Refused) as forbidden:
        gift.refund(desk)
    assert forbidden.value.code == "permission_denied"
    promised = gift.refund()
    assert (promised["status"], promised["amount_cents"]) == ("pending", VALUE)
    with pytest.raises(Refused) as empty:
        shop.venue.hold(voucher_code=code)
    assert empty.value.code == "voucher_empty"
    assert (gift.seen()["status"], gift.seen()["code"]) == ("withdrawn", None)
    assert gift.refund()["id"] == promised["id"]
    world.work()
    assert [refund["amount"] for refund in gift.at_stripe("refund")] == [VALUE]
    assert balances(shop) == {}
    # Days later the bank sends it back, and the voucher is worth something again.
    world.new_events()
    gift.send_back()
    world.hear()
    assert gift.row["balance_cents"] == VALUE
    assert gift.refund()["id"] != promised["id"]
    world.work()
    assert balances(shop) == {}
    agrees(shop)


def test_what_was_spent_or_is_too_old_is_not_given_back(shop: Shop) -> None:
    gift = bought(shop)
    booking = shop.venue.hold(voucher_code=gift.row["code"])
    with pytest.raises(Refused) as used:
        gift.refund()
    assert used.value.code == "voucher_used"
    shop.venue.cancel(booking)
    assert gift.row["balance_cents"] == VALUE
    shop.venue.database.run(
        "update public.voucher_orders set paid_at = now() - interval '15 days' where id = %s",
        gift.id,
    )
    with pytest.raises(Refused) as late:
        gift.refund()
    assert (late.value.code, late.value.details) == ("refund_too_late", {"refund_days": 14})
    with pytest.raises(Refused) as unpaid:
        order(shop).refund()
    assert unpaid.value.code == "voucher_not_paid"


def test_a_refund_that_the_provider_gave_up_is_tried_anew_or_withdrawn(
    world: World, shop: Shop
) -> None:
    gift = bought(shop)
    gift.refund()
    withdraw = {"organization_id": shop.id, "order_id": gift.id}
    with pytest.raises(Refused) as working:
        shop.venue.owner.call("withdraw_voucher_refund", **withdraw)
    assert working.value.code == "refund_not_pending"
    given_up = (
        "update private.jobs set status = 'dead', finished_at = now()"
        " where kind = 'stripe.refund' and status = 'queued'"
    )
    shop.venue.database.run(given_up)
    taken_back = shop.venue.owner.call("withdraw_voucher_refund", **withdraw)
    assert taken_back["status"] == "withdrawn"
    assert shop.venue.owner.call("withdraw_voucher_refund", **withdraw) == taken_back
    assert (gift.row["balance_cents"], gift.seen()["status"]) == (VALUE, "paid")
    gift.refund()
    shop.venue.database.run(given_up)
    again = gift.refund()
    world.work()
    assert [refund["amount"] for refund in gift.at_stripe("refund")] == [VALUE]
    assert gift.refund() == {**again, "status": "succeeded"} | {
        name: gift.refund()[name] for name in ("provider_refund_id", "as_of", "updated_at")
    }
    agrees(shop)


def test_what_is_refunded_on_the_dashboard_is_off_the_voucher_and_never_twice(
    world: World, shop: Shop
) -> None:
    gift = bought(shop)
    gift.by_hand(2_500)
    # Its event is late: staff promise all of it, and the provider has only the rest.
    assert gift.refund()["amount_cents"] == VALUE
    world.work()
    assert sorted(refund["amount"] for refund in gift.at_stripe("refund")) == [2_500, 7_500]
    world.hear()
    assert gift.row["balance_cents"] == 0
    assert balances(shop) == {}
    agrees(shop)


def test_a_dispute_blocks_the_voucher_until_it_is_won_and_takes_it_when_it_is_lost(
    world: World, shop: Shop
) -> None:
    gift = bought(shop)
    booking = shop.venue.hold(voucher_code=gift.row["code"])
    gift.dispute()
    world.hear()
    assert gift.row["voucher_status"] == "blocked"
    with pytest.raises(Refused) as blocked:
        shop.venue.hold(voucher_code=gift.row["code"])
    assert blocked.value.code == "voucher_not_active"
    with pytest.raises(Refused) as held:
        gift.refund()
    assert held.value.code == "voucher_not_active"
    told = shop.venue.database.all(
        "select from private.jobs where payload ->> 'voucher_dispute_id' is not null"
        " and organization_id = %s",
        shop.id,
    )
    assert len(told) == 1, "the owner"
    gift.decide("under_review")
    gift.decide("won")
    for event in reversed(world.new_events()):
        world.receive(event)
    world.work()
    assert (gift.row["voucher_status"], gift.row["balance_cents"]) == ("active", VALUE - TOTAL)
    gift.decide("lost")
    world.hear()
    assert (gift.row["voucher_status"], gift.row["balance_cents"]) == ("active", 0)
    # What was spent before is the venue's loss, until it comes back to the voucher.
    assert balances(shop)["dispute_losses"] == TOTAL
    shop.venue.cancel(booking)
    assert gift.row["balance_cents"] == 0
    assert "dispute_losses" not in balances(shop)
    agrees(shop)


@pytest.mark.parametrize("heard_before", [True, False])
@pytest.mark.parametrize("end", ["won", "lost"])
def test_a_refund_that_meets_a_dispute_waits_and_goes_back_once(
    world: World, shop: Shop, end: str, *, heard_before: bool
) -> None:
    """Heard before the job asks, or only after Stripe has refused it."""
    gift = bought(shop)
    assert gift.refund()["status"] == "pending"
    gift.dispute()
    if heard_before:
        for event in world.new_events():
            world.receive(event)
        # The job that reads the dispute goes first.
        world.money.run(
            "update private.jobs set run_at = now() + '1 d' where kind = 'stripe.refund'"
        )
        world.work()
        world.money.run("update private.jobs set run_at = now() where kind = 'stripe.refund'")
    world.work()
    world.hear()
    assert gift.at_stripe("refund") == []
    assert gift.refund()["status"] == "pending"
    world.work()
    assert gift.at_stripe("refund") == [], "asked for again, it waits all the same"
    gift.decide(end)
    world.hear()
    assert [refund["amount"] for refund in gift.at_stripe("refund")] == (
        [VALUE] if end == "won" else []
    )
    assert gift.row["balance_cents"] == 0
    agrees(shop)


def test_a_dispute_that_overtakes_its_payment_comes_back(world: World, shop: Shop) -> None:
    gift = order(shop)
    gift.pay()
    (charge,) = world.objects("charge", shop.account)
    path = f"/_sandbox/payments/{charge['payment_intent']}/dispute"
    assert world.ask("POST", path).status_code == 200
    events = world.new_events()
    paid, disputed = (
        [event for event in events if event["type"].startswith(kind)]
        for kind in ("checkout", "charge.dispute")
    )
    world.seen -= {event["id"] for event in paid}
    for event in disputed:
        world.receive(event)
    world.work()
    retry(world)
    assert gift.row["status"] == "open"
    world.hear()
    retry(world)
    assert gift.row["voucher_status"] == "blocked"
    agrees(shop)


def retry(world: World) -> None:
    """What a worker does with a job that came too early."""
    world.money.run(
        "update private.jobs set status = 'queued', run_at = now(), finished_at = null"
        " where kind = 'stripe.sync' and status = 'dead' and last_error = 'payment_unknown'"
    )
    world.work()


# -- at once ---------------------------------------------------------------------------------------


def test_20_who_spend_it_while_it_is_given_back_never_get_more_than_it_held(shop: Shop) -> None:
    gift = bought(shop, amount_cents=TOTAL * 2)
    code, database = gift.row["code"], shop.venue.database
    slots = [shop.venue.slot() for _ in range(20)]
    owner = shop.venue.owner.caller
    codes: set[str] = set()

    def spend(client: Client, place: int) -> bool:
        try:
            if place == 20:
                gift.refund(client)
            else:
                held = client.call(
                    "hold_booking",
                    slug=shop.venue.slug,
                    room_id=shop.venue.room_id,
                    starts_at=slots[place],
                    party_size=2,
                    customer={"full_name": "Ada", "email": f"{uuid.uuid4()}@example.com"},
                    expected_total_cents=TOTAL,
                    idempotency_key=str(uuid.uuid4()),
                    voucher_code=code,
                )
                return bool(held["status"] == "confirmed")
        except Refused as refused:
            codes.add(refused.code)
            return False
        return True

    callers: list[Caller] = [ANON] * 20 + [owner]
    with database.clients(*callers) as clients, ThreadPoolExecutor(21) as pool:
        done = list(pool.map(spend, clients, range(21)))
    assert codes <= {"voucher_empty", "voucher_used", "unavailable"}
    given_back = done.pop()
    assert sum(done) == (0 if given_back else 2)
    assert gift.row["balance_cents"] == 0
    agrees(shop)


def test_20_who_hear_of_its_payment_at_once_make_one_voucher(world: World, shop: Shop) -> None:
    gift = order(shop)
    gift.pay()
    row = gift.row
    database = shop.venue.database
    session = world.run(world.gateway.retrieve_checkout_session(row["session_id"], shop.account))
    jobs = database.all(
        "insert into private.jobs (kind, payload, dedupe_key, status, lease_token, attempts)"
        " select 'stripe.sync', jsonb_build_object('object_type', 'checkout.session', 'object_id',"
        " %s::text, 'account', %s::text), 'test:' || gen_random_uuid(), 'running',"
        " gen_random_uuid(), 1 from generate_series(1, 20) returning id, lease_token",
        row["session_id"],
        shop.account,
    )

    def hear(client: Client, job: Row) -> Any:
        return client.call(
            "service.apply_checkout_session",
            job_id=job["id"],
            lease_token=job["lease_token"],
            session=session.as_json(),
        )

    service = shop.venue.service.caller
    with database.clients(*[service] * 20) as clients, ThreadPoolExecutor(20) as pool:
        assert {answer["status"] for answer in pool.map(hear, clients, jobs)} == {"paid"}
    database.run("delete from private.jobs where dedupe_key like 'test:%%'")
    assert (
        database.one("select count(*) from public.vouchers where organization_id = %s", shop.id)
        == 1
    )
    assert [mail["template"] for mail in gift.mails()] == ["voucher_bought", "voucher_issued"]
    agrees(shop)


# -- who may, and for how long ---------------------------------------------------------------------


def test_one_address_orders_20_an_hour_and_unpaid_orders_are_forgotten(shop: Shop) -> None:
    def ordered() -> list[Any]:
        stranger = shop.venue.public.sending(x_forwarded_for=own_address())
        made = [order(shop, client=stranger) for _ in range(20)]
        with pytest.raises(Refused) as limited:
            order(shop, client=stranger)
        assert (limited.value.code, limited.value.status) == ("rate_limited", 429)
        return made

    orders = in_one_hour(ordered)
    kept = bought(shop)
    shop.venue.database.run(
        "update public.voucher_orders set created_at = now() - interval '31 days'"
        " where organization_id = %s",
        shop.id,
    )
    shop.venue.service.call("service.sweep")
    left = shop.venue.database.all(
        "select id::text from public.voucher_orders where organization_id = %s", shop.id
    )
    assert [row["id"] for row in left] == [kept.id]
    with pytest.raises(Refused):
        orders[0].seen()


def test_an_erased_buyer_is_in_no_order(shop: Shop) -> None:
    booking = shop.venue.hold(email="buyer@example.com")
    gift = bought(shop, buyer_email="Buyer@example.com", recipient_email="friend@example.com")
    gone = order(shop, buyer_email="buyer@example.com")
    shop.venue.database.run("delete from public.voucher_orders where id = %s", gone.id)
    customer = shop.venue.database.one(
        "select customer_id from public.bookings where id = %s", booking.id
    )
    mine = {"organization_id": shop.id, "customer_id": customer}
    exported = shop.venue.owner.call("export_customer", **mine)["tables"]
    assert [row["buyer_email"] for row in exported["voucher_orders"]] == ["buyer@example.com"]
    shop.venue.cancel(booking)
    shop.venue.owner.call("erase_customer", **mine, reason="asked")
    row = gift.row
    assert (row["buyer_name"], row["buyer_email"]) == ("Erased", None)
    assert (row["recipient_email"], row["message"], row["balance_cents"]) == (None, "", VALUE)
    images = shop.venue.database.one(
        "select string_agg(coalesce(before::text, '') || coalesce(after::text, ''), '')"
        " from public.audit_log_personal where organization_id = %s",
        shop.id,
    )
    assert "buyer@example.com" not in images


# -- in any order ----------------------------------------------------------------------------------

_STEPS = st.lists(
    st.sampled_from(
        [
            *("order", "open", "open and die", "pay", "pay", "close the page", "spend", "spend"),
            *("cancel the booking", "give back", "by hand", "dispute", "under_review", "won"),
            *("lost", "bank sends back", "cancel"),
        ]
    ),
    min_size=4,
    max_size=14,
)


@dataclass
class Life:
    """What happens to the vouchers that one venue sells."""

    shop: Shop
    orders: list[Order] = field(default_factory=list)
    bookings: list[Booking] = field(default_factory=list)

    def step(self, what: str) -> None:
        # What is refused changes nothing, which is looked at.
        with contextlib.suppress(Refused, DomainError, PaymentError, _Death):
            self._step(what)

    def _step(self, what: str) -> None:
        shop, gift = self.shop, self.orders[-1]
        known = gift.row["provider_payment_id"] is not None
        match what:
            case "order":
                self.orders.append(order(shop))
            case "open":
                gift.checkout()
            case "open and die":
                gift.checkout(_Killed(shop.venue.service))
            case "pay":
                shop.world.press(gift.checkout().url)
            case "close the page":
                shop.world.ask("POST", f"/_sandbox/sessions/{gift.row['session_id']}/expire-now")
            case "give back":
                gift.refund()
            case "cancel the booking":
                if self.bookings:
                    shop.venue.cancel(self.bookings.pop())
            case _ if not known:
                pass
            case "spend":
                self.bookings.append(shop.venue.hold(voucher_code=gift.row["code"]))
            case "by hand":
                gift.by_hand(1_300)
            case "dispute":
                if not gift.at_stripe("dispute"):
                    gift.dispute()
            case "bank sends back":
                gift.send_back()
            case "cancel":
                shop.venue.owner.call(
                    "cancel_voucher",
                    organization_id=shop.id,
                    voucher_id=gift.row["voucher_id"],
                )
            case _:
                gift.decide(what)

    def agrees(self) -> None:
        """Stripe, voucher and ledger say the same to the cent; each mail was asked for once."""
        world, shop = self.shop.world, self.shop
        charges = {
            charge["metadata"]["attempt_id"]: charge
            for charge in world.objects("charge", shop.account)
        }
        for gift in self.orders:
            row = gift.row
            charge = charges.get(gift.id)
            assert (charge is not None) == (row["status"] == "paid")
            if charge is None:
                assert gift.mails() == []
                continue
            assert charge["amount"] == row["amount_cents"] == VALUE
            assert [m["template"] for m in gift.mails()] == ["voucher_bought", "voucher_issued"]
            refunded = sum(
                refund["amount"]
                for refund in gift.at_stripe("refund")
                if refund["status"] == "succeeded"
            )
            assert refunded == charge["amount_refunded"] <= VALUE
            assert refunded == shop.venue.database.one(
                "select coalesce(sum(amount_cents), 0) from public.voucher_refunds"
                " where order_id = %s and status = 'succeeded'",
                gift.id,
            )
            disputes = gift.at_stripe("dispute")
            assert [found["status"] for found in disputes] == [
                found["status"]
                for found in shop.venue.database.all(
                    "select status from public.voucher_disputes where order_id = %s", gift.id
                )
            ]
            lost = sum(found["amount"] for found in disputes if found["status"] == "lost")
            spent = shop.venue.database.one(
                "select coalesce(-sum(amount_cents), 0) from public.voucher_entries"
                " where voucher_id = %s and kind in ('redeemed', 'returned')",
                row["voucher_id"],
            )
            assert 0 <= spent <= VALUE
            if row["voucher_status"] != "cancelled":
                gone = min(refunded + lost, VALUE)
                assert row["balance_cents"] == max(0, VALUE - gone - spent)
                opened = any(d["status"] in ("needs_response", "under_review") for d in disputes)
                assert row["voucher_status"] == ("blocked" if opened else "active")
        agrees(shop)


@hypothesis_settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(steps=_STEPS, data=st.data())
def test_whatever_happens_to_its_events_voucher_ledger_and_stripe_agree(
    life_world: Shop, steps: list[str], data: st.DataObject
) -> None:
    shop, world = life_world, life_world.world
    life = Life(shop)
    life.orders.append(order(shop))
    world.new_events()
    waiting: list[Row] = []
    for what in steps:
        life.step(what)
        waiting += world.new_events()
        # Some come now, in any order, some twice; the others later, or never.
        come = data.draw(st.lists(st.sampled_from(waiting), max_size=4)) if waiting else []
        for event in come:
            world.receive(event)
        if data.draw(st.booleans()):
            world.work()
    world.work()
    world.reconcile()
    retry(world)
    life.agrees()


@pytest.fixture(scope="module")
def life_world(money: Database) -> Iterator[Shop]:
    with open_world(money) as world:
        yield selling(world)
