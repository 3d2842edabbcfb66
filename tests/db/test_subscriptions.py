"""What Stripe says of a subscription, in the database: any order, number and loss of readings."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import SERVICE, Caller, Client, Refused
from db.money_world import Database, make_venue, member
from db.plans_world import Subscriber, make_subscriber, price, subscription
from matrix.promises import refused

STATUSES = (
    "trialing",
    "active",
    "past_due",
    "unpaid",
    "canceled",
    "incomplete",
    "incomplete_expired",
    "paused",
)


@pytest.fixture
def subscriber(money: Database) -> Subscriber:
    return make_subscriber(money)


def changed(applied: dict[str, object]) -> dict[str, object]:
    changes = applied["changes"]
    assert isinstance(changes, list)
    return {change["field"]: change["after"] for change in changes}


# -- status and plan -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUSES)
def test_the_status_follows_stripe_and_the_plan_follows_the_status(
    money: Database, subscriber: Subscriber, status: str
) -> None:
    subscriber.apply(subscription("starter", status))
    row = subscriber.row()
    assert row is not None
    assert (row["status"], row["plan_key"]) == (status, "starter")
    entitled = status in {"trialing", "active", "past_due", "unpaid"}
    # The default of the tests' world is the plan without limits.
    assert subscriber.plan() == ("starter" if entitled else "pro")
    assert subscriber.overview()["comes_from"] == ("subscription" if entitled else "default")


def test_what_is_read_is_written_down(subscriber: Subscriber) -> None:
    ends = datetime(2027, 5, 1, tzinfo=UTC)
    applied = subscriber.apply(
        subscription(
            "pro",
            "past_due",
            price=price("pro", "year"),
            current_period_end=ends.isoformat(),
            cancel_at=ends.isoformat(),
            next_price=price("starter"),
            due=79000,
        )
    )
    row = subscriber.row()
    assert row is not None
    assert {name: row[name] for name in ("billing_interval", "amount_cents", "currency")} == {
        "billing_interval": "year",
        "amount_cents": 79000,
        "currency": "EUR",
    }
    assert (row["current_period_end"], row["cancel_at"]) == (ends, ends)
    assert (row["next_plan_key"], row["due_cents"]) == ("starter", 79000)
    assert applied["outcome"] == "applied"
    assert changed(applied)["status"] == "past_due"


def test_the_same_again_changes_nothing(subscriber: Subscriber) -> None:
    live = subscription()
    subscriber.apply(live)
    assert subscriber.apply(live)["changes"] == []


def test_a_reading_of_the_future_keeps_out_no_later_one(subscriber: Subscriber) -> None:
    live = subscription()
    subscriber.apply(live, as_of=datetime.now(UTC) + timedelta(days=400))
    later = subscriber.apply({**live, "status": "canceled"}, as_of=datetime.now(UTC))
    assert later["outcome"] == "applied"


def test_an_older_reading_is_left_out(subscriber: Subscriber) -> None:
    live = subscription()
    now = datetime.now(UTC)
    subscriber.apply({**live, "status": "canceled"}, as_of=now)
    late = subscriber.apply(live, as_of=now - timedelta(seconds=1))
    assert (late["outcome"], late["changes"]) == ("older", [])
    row = subscriber.row()
    assert row is not None
    assert row["status"] == "canceled"


def test_a_price_that_lost_its_lookup_key_keeps_its_plan(subscriber: Subscriber) -> None:
    """The operator raises the price: a new one takes the key over."""
    old = price("starter", price_id=f"price_{uuid.uuid4().hex}")
    live = subscription(price=old)
    subscriber.apply(live)
    applied = subscriber.apply({**live, "price": {**old, "lookup_key": None}})
    assert subscriber.plan() == "starter"
    assert applied["unknown_prices"] == []


def test_a_price_of_no_plan_entitles_to_nothing_and_is_named(subscriber: Subscriber) -> None:
    stranger = price(None, price_id=f"price_{uuid.uuid4().hex}")
    applied = subscriber.apply(subscription(price=stranger))
    assert applied["unknown_prices"] == [stranger["id"]]
    assert subscriber.overview()["comes_from"] == "default"


def test_the_trial_is_used_once_and_for_all(subscriber: Subscriber) -> None:
    assert subscriber.overview()["trial_available"]
    opened = open_checkout(subscriber)
    assert opened["trial_days"] == 14
    now = datetime.now(UTC).isoformat()
    subscriber.apply(subscription(status="canceled", trial_start=now, trial_end=now))
    assert not subscriber.overview()["trial_available"]
    assert open_checkout(subscriber)["trial_days"] == 0
    subscriber.apply(deleted=True)
    assert open_checkout(subscriber)["trial_days"] == 0


# -- whose it is -----------------------------------------------------------------------------------


def test_a_customer_that_nobody_has_changes_nothing(
    money: Database, subscriber: Subscriber
) -> None:
    before = money.all("select * from public.subscriptions order by 1")
    stranger = Subscriber(subscriber.venue)
    applied = stranger.apply(subscription())
    assert (applied["organization_id"], applied["outcome"]) == (None, "unknown")
    assert money.all("select * from public.subscriptions order by 1") == before


def test_metadata_that_names_another_organization_moves_nothing(
    money: Database, subscriber: Subscriber
) -> None:
    other = make_subscriber(money)
    forged = subscription(metadata={"organization_id": other.id})
    subscriber.apply(forged, metadata={"organization_id": other.id}, organization_id=other.id)
    assert other.row() is None
    assert subscriber.row() is not None


def test_a_customer_is_one_organizations(money: Database, subscriber: Subscriber) -> None:
    other = make_venue(money)
    with pytest.raises(Refused):
        Subscriber(other, subscriber.customer).register()
    assert money.one(
        "select customer_id from private.stripe_customers where organization_id = %s",
        other.organization_id,
    ) in (None, "")


def test_the_first_customer_that_was_recorded_stays(subscriber: Subscriber) -> None:
    again = subscriber.venue.service.call(
        "service.record_stripe_customer",
        organization_id=subscriber.id,
        billing_pass=subscriber.billing_pass(),
        customer_id="cus_other",
    )
    assert again == subscriber.customer


def test_a_deleted_customer_ends_the_subscription_and_another_is_made(
    subscriber: Subscriber,
) -> None:
    subscriber.apply(subscription("starter"))
    applied = subscriber.apply(deleted=True)
    assert changed(applied)["status"] == "canceled"
    assert subscriber.overview()["comes_from"] == "default"
    first = f"customer-{subscriber.id}-1"
    opened = open_checkout(subscriber)
    assert opened["customer_id"] is None
    assert opened["customer_key"] != first
    # The old one may be read once more: it is nobody's now.
    assert subscriber.apply(subscription())["outcome"] == "unknown"


@pytest.mark.parametrize("live", ["active", "trialing", "past_due", "unpaid", "paused"])
def test_the_live_one_wins_and_another_live_one_is_named(subscriber: Subscriber, live: str) -> None:
    over = subscription("pro", "canceled", created="2035-01-01T00:00:00+00:00")
    running = subscription("starter", live)
    subscriber.apply(over, running)
    row = subscriber.row()
    assert row is not None
    assert (row["stripe_subscription_id"], row["other_subscription_ids"]) == (running["id"], [])
    second = subscription("pro", "active", created="2020-01-01T00:00:00+00:00")
    subscriber.apply(running, second, over)
    row = subscriber.row()
    assert row is not None
    assert (row["stripe_subscription_id"], row["plan_key"]) == (second["id"], "pro")
    assert row["other_subscription_ids"] == [running["id"]]


# -- overdue ---------------------------------------------------------------------------------------


@pytest.fixture
def overdue(subscriber: Subscriber) -> Subscriber:
    subscriber.live = subscription("pro")
    subscriber.apply(subscriber.live)
    subscriber.apply({**subscriber.live, "status": "past_due"})
    return subscriber


def rename(client: Client) -> int:
    return client.change("update public.rooms set name = 'Renamed'")


def test_a_failed_payment_leaves_a_time_of_grace(overdue: Subscriber) -> None:
    row = overdue.row()
    assert row is not None
    assert row["grace_until"] - row["overdue_since"] == timedelta(days=14)
    assert datetime.fromisoformat(overdue.overview()["writes_end_at"]) == row["grace_until"]
    assert rename(overdue.venue.owner) == 1


def test_grace_counts_from_the_first_failure(overdue: Subscriber) -> None:
    before = overdue.row()
    overdue.apply({**overdue.live, "status": "past_due", "due": 1})
    overdue.apply({**overdue.live, "status": "unpaid"})
    after = overdue.row()
    assert before is not None and after is not None
    assert after["grace_until"] == before["grace_until"]


def test_after_the_grace_reading_goes_on_and_no_permission_that_changes_something_does(
    money: Database, overdue: Subscriber
) -> None:
    overdue.let_grace_end()
    owner = overdue.venue.owner
    with refused(403, "subscription_overdue"):
        rename(owner)
    assert owner.select("select name from public.rooms")
    rest = {"billing:manage", "organization:close"}
    for row in money.all("select key, mutates from public.permissions"):
        if row["mutates"] and row["key"] not in rest:
            with refused(403, "subscription_overdue"):
                owner.call("has_permission", permission=row["key"])
        else:
            assert owner.call("has_permission", permission=row["key"]), row["key"]


def test_an_api_key_writes_no_more_either(overdue: Subscriber) -> None:
    key = overdue.venue.owner.call(
        "create_api_key",
        organization_id=overdue.id,
        name="Key",
        permissions=["rooms:read", "rooms:update"],
    )
    holder = Client(overdue.venue.owner.connection, Caller.api_key(key["id"], overdue.id))
    assert rename(holder) == 1
    overdue.let_grace_end()
    with refused(403, "subscription_overdue"):
        rename(holder)
    assert holder.select("select name from public.rooms")


def test_players_go_on_booking_and_managing_what_they_booked(overdue: Subscriber) -> None:
    booking = overdue.venue.hold()
    overdue.let_grace_end()
    overdue.venue.hold()
    assert overdue.venue.cancel(booking)


def test_the_public_sale_stops_last_by_a_setting(money: Database, overdue: Subscriber) -> None:
    booking = overdue.venue.hold()
    with money.owner.transaction(force_rollback=True):
        money.run("update private.billing_settings set sales_days = 7")
        overdue.let_grace_end()
        overdue.venue.hold()
        money.run("update public.organizations set sales_end_at = now() where id = %s", overdue.id)
        with refused(404, "calendar_not_found"):
            overdue.venue.public.call("get_calendar", slug=overdue.venue.slug)
        assert overdue.venue.see(booking)["status"] == "held"


def test_paying_opens_everything_again(overdue: Subscriber) -> None:
    overdue.let_grace_end()
    overdue.apply(overdue.live)
    row = overdue.row()
    assert row is not None
    assert (row["overdue_since"], row["grace_until"]) == (None, None)
    assert overdue.overview()["writes_end_at"] is None
    assert rename(overdue.venue.owner) == 1


def test_a_subscription_that_ended_leaves_the_free_plan_and_not_a_locked_venue(
    overdue: Subscriber,
) -> None:
    overdue.let_grace_end()
    overdue.apply({**overdue.live, "status": "canceled"})
    assert rename(overdue.venue.owner) == 1


def notices(overdue: Subscriber) -> list[dict[str, object]]:
    return overdue.database.all(
        "select payload, run_at from private.jobs where organization_id = %s"
        " and kind = 'email.send' order by run_at",
        overdue.id,
    )


def test_owners_are_told_at_once_three_days_before_and_when_writing_stops(
    overdue: Subscriber,
) -> None:
    row = overdue.row()
    assert row is not None
    told = notices(overdue)
    assert [notice["run_at"] for notice in told] == [
        row["overdue_since"],
        row["grace_until"] - timedelta(days=3),
        row["grace_until"],
    ]
    overdue.apply({**overdue.live, "status": "unpaid"})
    assert notices(overdue) == told


def content(overdue: Subscriber, payload: object) -> dict[str, object] | None:
    found: dict[str, object] | None = overdue.database.one(
        "select private.overdue_content(%s, %s)", overdue.id, Jsonb(payload)
    )
    return found


def test_a_notice_says_until_when_and_is_left_out_once_it_is_paid(overdue: Subscriber) -> None:
    payload = notices(overdue)[-1]["payload"]
    said = content(overdue, payload)
    row = overdue.row()
    assert said is not None and row is not None
    data = said["data"]
    assert isinstance(data, dict)
    assert datetime.fromisoformat(data["writes_end_at"]) == row["grace_until"]
    overdue.apply(overdue.live)
    assert content(overdue, payload) is None
    # Overdue once more: the former notices say nothing of it, their own do.
    overdue.apply({**overdue.live, "status": "past_due"})
    assert content(overdue, payload) is None
    assert len(notices(overdue)) == 6


def test_a_notice_is_for_an_owner_of_an_organization_that_is_open(overdue: Subscriber) -> None:
    payload = notices(overdue)[0]["payload"]
    assert isinstance(payload, dict)
    manager = member(overdue.venue, "manager")
    assert content(overdue, {**payload, "user_id": manager.id}) is None
    assert content(overdue, payload) is not None
    overdue.database.run(
        "update public.organizations set status = 'closed', closed_at = now() where id = %s",
        overdue.id,
    )
    assert content(overdue, payload) is None


# -- what the platform gives -----------------------------------------------------------------------


@pytest.fixture
def operator(money: Database) -> Client:
    admin = money.sign_up()
    money.run("insert into private.platform_admins (user_id) values (%s)", admin)
    return money.client(Caller.person(admin))


def grant(operator: Client, subscriber: Subscriber, **changes: object) -> dict[str, object]:
    wanted = {
        "plan_key": "starter",
        "until": datetime.now(UTC) + timedelta(days=30),
        "reason": "They tried it for us",
    } | changes
    given_: dict[str, object] = operator.call(
        "platform_grant_plan", organization_id=subscriber.id, **wanted
    )
    return given_


def test_the_platform_gives_a_plan_until_a_date_with_a_reason_in_its_log(
    money: Database, operator: Client, subscriber: Subscriber
) -> None:
    grant(operator, subscriber)
    assert (subscriber.plan(), subscriber.overview()["comes_from"]) == ("starter", "grant")
    [entry] = money.all(
        "select action, reason, admin_user_id::text from private.platform_log"
        " where organization_id = %s",
        subscriber.id,
    )
    assert entry["action"].startswith("plan:starter:")
    assert (entry["reason"], entry["admin_user_id"]) == ("They tried it for us", operator.id)
    grant(operator, subscriber, until=datetime.now(UTC) - timedelta(seconds=1))
    assert subscriber.overview()["comes_from"] == "default"


@pytest.mark.parametrize(
    ("changes", "code", "status"),
    [
        ({"reason": " "}, "reason_missing", 422),
        ({"reason": "\u0301."}, "reason_missing", 422),
        ({"plan_key": "gold"}, "plan_not_found", 404),
        ({"until": None}, "until_invalid", 422),
        ({"until": datetime(9999, 1, 1, tzinfo=UTC)}, "until_invalid", 422),
    ],
)
def test_a_grant_needs_a_plan_a_date_and_a_reason(
    operator: Client,
    subscriber: Subscriber,
    changes: dict[str, object],
    code: str,
    status: int,
) -> None:
    with refused(status, code):
        grant(operator, subscriber, **changes)


def test_the_better_of_what_is_paid_and_what_is_given_counts(
    operator: Client, subscriber: Subscriber
) -> None:
    subscriber.apply(subscription("starter"))
    grant(operator, subscriber, plan_key="pro")
    assert (subscriber.plan(), subscriber.overview()["comes_from"]) == ("pro", "grant")
    grant(operator, subscriber, plan_key="free")
    assert (subscriber.plan(), subscriber.overview()["comes_from"]) == ("starter", "subscription")


def test_a_grant_covers_what_is_overdue(operator: Client, overdue: Subscriber) -> None:
    overdue.let_grace_end()
    with refused(403, "subscription_overdue"):
        rename(overdue.venue.owner)
    grant(operator, overdue, plan_key="pro")
    assert rename(overdue.venue.owner) == 1


def test_an_owner_grants_nothing(subscriber: Subscriber) -> None:
    with refused(403, "platform_admin_required"):
        grant(subscriber.venue.owner, subscriber)


def test_a_closed_organization_is_granted_nothing(operator: Client, subscriber: Subscriber) -> None:
    subscriber.database.run(
        "update public.organizations set status = 'closed', closed_at = now() where id = %s",
        subscriber.id,
    )
    with refused(404, "organization_not_found"):
        grant(operator, subscriber)


def test_the_log_says_who_changed_it(
    money: Database, operator: Client, subscriber: Subscriber
) -> None:
    subscriber.apply(subscription("starter"))
    grant(operator, subscriber)
    entries = money.all(
        "select actor_kind, actor_id::text from public.audit_log"
        " where organization_id = %s and table_name = 'subscriptions' order by id",
        subscriber.id,
    )
    assert [(entry["actor_kind"], entry["actor_id"]) for entry in entries] == [
        ("system", None),
        ("support", operator.id),
    ]


def counted(operator: Client) -> dict[str, object]:
    numbers: dict[str, object] = operator.call("platform_statistics")["subscriptions"]
    return numbers


def test_the_platform_sees_plans_statuses_trials_and_money_a_month(
    money: Database, operator: Client
) -> None:
    with money.owner.transaction(force_rollback=True):
        money.run("delete from public.subscriptions")
        ends = (datetime.now(UTC) + timedelta(days=3)).isoformat()
        yearly, monthly, trying, over, late = (make_subscriber(money) for _ in range(5))
        yearly.apply(subscription(price=price("pro", "year")), subscription("starter"))
        monthly.apply(subscription("starter"))
        trying.apply(subscription("starter", "trialing", trial_end=ends))
        over.apply(subscription("starter", "canceled"))
        late.apply(subscription("starter", "past_due"))
        grant(operator, over)
        numbers = counted(operator)
        assert {k: v for k, v in numbers.items() if k != "plans"} == {
            "granted": 1,
            "trials_ending_7_days": 1,
            "overdue": 1,
            "doubled": 1,
        }
        plans = numbers["plans"]
        assert isinstance(plans, list)
        assert {(p["plan_key"], p["status"]): p["month_cents"] for p in plans} == {
            # A twelfth of 790.00, rounded once.
            ("pro", "active"): 6583,
            ("starter", "active"): 2900,
            ("starter", "past_due"): 2900,
            ("starter", "trialing"): 0,
            ("starter", "canceled"): 0,
        }
        money.run(
            "update public.organizations set status = 'closed', closed_at = now() where id = %s",
            late.id,
        )
        assert counted(operator)["overdue"] == 0


# -- who sees it -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "rows"), [("admin", 1), ("manager", 0), ("receptionist", 0)])
def test_owners_and_administrators_see_it(subscriber: Subscriber, role: str, rows: int) -> None:
    subscriber.apply(subscription())
    somebody = member(subscriber.venue, role)
    assert len(somebody.select("select * from public.subscriptions")) == rows


def test_nobody_writes_it(subscriber: Subscriber) -> None:
    subscriber.apply(subscription("starter"))
    with pytest.raises(Refused):
        subscriber.venue.owner.change("update public.subscriptions set plan_key = 'pro'")


# -- checkouts -------------------------------------------------------------------------------------


def open_checkout(
    subscriber: Subscriber,
    plan: str = "pro",
    interval: str = "month",
    *,
    billing_pass: str | None = None,
) -> dict[str, object]:
    opened: dict[str, object] = subscriber.venue.service.call(
        "service.open_subscription_checkout",
        organization_id=subscriber.id,
        billing_pass=billing_pass or subscriber.billing_pass(),
        plan_key=plan,
        billing_interval=interval,
    )
    return opened


def record(subscriber: Subscriber, opened: dict[str, object], session: str) -> str:
    recorded: str = subscriber.venue.service.call(
        "service.record_subscription_checkout",
        organization_id=subscriber.id,
        billing_pass=subscriber.billing_pass(),
        attempt_id=opened["attempt_id"],
        session_id=session,
        url=f"https://pay.example/{session}",
        expires_at=datetime.now(UTC) + timedelta(days=1),
    )
    return recorded


def test_asked_twice_the_same_page_is_answered(subscriber: Subscriber) -> None:
    opened = open_checkout(subscriber)
    assert opened["checkout_url"] is None
    assert open_checkout(subscriber)["attempt_id"] == opened["attempt_id"]
    assert record(subscriber, opened, "cs_1") == "https://pay.example/cs_1"
    assert record(subscriber, opened, "cs_2") == "https://pay.example/cs_1"
    again = open_checkout(subscriber)
    assert (again["checkout_url"], again["former_session_id"]) == ("https://pay.example/cs_1", None)


def test_something_else_closes_the_former_page(subscriber: Subscriber) -> None:
    former = open_checkout(subscriber)
    record(subscriber, former, "cs_1")
    opened = open_checkout(subscriber, "starter", "year")
    assert (opened["former_session_id"], opened["checkout_url"]) == ("cs_1", None)
    assert opened["lookup_key"] == "escapemaster_starter_year"
    with refused(409, "checkout_closing"):
        record(subscriber, former, "cs_3")


def test_giving_up_a_page_leaves_another_organizations_alone(
    money: Database, subscriber: Subscriber
) -> None:
    other = make_subscriber(money)
    kept = open_checkout(other)
    opened = open_checkout(subscriber)
    for attempt, found in ((kept, False), (opened, True)):
        given_up = subscriber.venue.service.call(
            "service.close_subscription_checkout",
            organization_id=subscriber.id,
            billing_pass=subscriber.billing_pass(),
            attempt_id=attempt["attempt_id"],
        )
        assert given_up is found
    assert open_checkout(other)["attempt_id"] == kept["attempt_id"]
    subscriber.apply(subscription())
    assert open_checkout(other)["attempt_id"] == kept["attempt_id"]


def test_a_page_that_could_not_be_made_is_given_up(subscriber: Subscriber) -> None:
    opened = open_checkout(subscriber)
    here = {
        "organization_id": subscriber.id,
        "billing_pass": subscriber.billing_pass(),
        "attempt_id": opened["attempt_id"],
    }
    assert subscriber.venue.service.call("service.close_subscription_checkout", **here) is True
    assert subscriber.venue.service.call("service.close_subscription_checkout", **here) is False
    assert open_checkout(subscriber)["attempt_id"] != opened["attempt_id"]


@pytest.mark.parametrize("status", STATUSES)
def test_who_has_a_subscription_opens_no_second_one(subscriber: Subscriber, status: str) -> None:
    subscriber.apply(subscription(status=status))
    if status in {"canceled", "incomplete", "incomplete_expired"}:
        assert open_checkout(subscriber)["checkout_url"] is None
    else:
        with refused(409, "subscription_exists"):
            open_checkout(subscriber)


@pytest.mark.parametrize(("plan", "interval"), [("free", "month"), ("gold", "month"), ("pro", "x")])
def test_only_what_is_offered_can_be_had(subscriber: Subscriber, plan: str, interval: str) -> None:
    with refused(422, "plan_not_offered"):
        open_checkout(subscriber, plan, interval)


def test_a_closed_organization_subscribes_to_nothing(subscriber: Subscriber) -> None:
    billing_pass = subscriber.billing_pass()
    subscriber.database.run(
        "update public.organizations set status = 'closed', closed_at = now() where id = %s",
        subscriber.id,
    )
    with refused(404, "organization_not_found"):
        open_checkout(subscriber, billing_pass=billing_pass)


@pytest.mark.parametrize(
    ("has", "wants", "kind"),
    [
        (("starter", "month"), ("pro", "month"), "upgrade"),
        (("starter", "month"), ("starter", "year"), "upgrade"),
        (("starter", "month"), ("starter", "month"), "stay"),
        (("pro", "month"), ("starter", "month"), "downgrade"),
        (("pro", "month"), ("starter", "year"), "downgrade"),
        (("pro", "year"), ("pro", "month"), "downgrade"),
        (("starter", "year"), ("pro", "month"), "downgrade"),
        ((None, "month"), ("starter", "month"), "upgrade"),
    ],
)
def test_up_at_once_and_down_at_the_periods_end(
    subscriber: Subscriber,
    has: tuple[str | None, str],
    wants: tuple[str, str],
    kind: str,
) -> None:
    live = subscription(price=price(*has, price_id=f"price_{uuid.uuid4().hex}"))
    subscriber.apply(live)
    change = plan_change(subscriber, *wants)
    assert change == {
        "subscription_id": live["id"],
        "lookup_key": f"escapemaster_{wants[0]}_{wants[1]}",
        "kind": kind,
    }


def plan_change(subscriber: Subscriber, plan: str, interval: str) -> dict[str, object]:
    change: dict[str, object] = subscriber.venue.service.call(
        "service.plan_subscription_change",
        organization_id=subscriber.id,
        billing_pass=subscriber.billing_pass(),
        plan_key=plan,
        billing_interval=interval,
    )
    return change


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("canceled", "subscription_missing"),
        ("past_due", "subscription_overdue"),
        ("paused", "subscription_overdue"),
    ],
)
def test_what_does_not_go_on_or_is_overdue_is_not_changed(
    subscriber: Subscriber, status: str, code: str
) -> None:
    subscriber.apply(subscription(status=status))
    with refused(409, code):
        plan_change(subscriber, "pro", "month")


def test_an_account_is_found_by_id_and_by_slug(subscriber: Subscriber) -> None:
    live = subscription()
    subscriber.apply(live)
    slug = subscriber.database.one(
        "select slug from public.organizations where id = %s", subscriber.id
    )
    for name in (subscriber.id, slug):
        account = subscriber.venue.service.call("service.get_billing_account", organization=name)
        assert account["customer_id"] == subscriber.customer
        assert account["subscription_id"] == live["id"]
    with refused(404, "organization_not_found"):
        subscriber.venue.service.call("service.get_billing_account", organization="nobody")


# -- what the service's key alone does not do ------------------------------------------------------

#: The functions that act for a person, each with what it takes beside organization and pass.
FOR_A_PERSON: dict[str, dict[str, object]] = {
    "open_subscription_checkout": {"plan_key": "pro", "billing_interval": "month"},
    "record_stripe_customer": {"customer_id": "cus_evil123"},
    "record_subscription_checkout": {
        "attempt_id": None,
        "session_id": "cs_evil",
        "url": "https://evil.example/pay",
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
    },
    "close_subscription_checkout": {"attempt_id": None},
    "plan_subscription_change": {"plan_key": "pro", "billing_interval": "month"},
    "open_stripe_account": {"anew": True},
    "record_stripe_account": {"id": str(uuid.uuid4()), "account_id": "acct_evil123"},
    "connect_stripe_account": {"account_id": "acct_evil123"},
}


def billing_rows(subscriber: Subscriber) -> list[dict[str, object]]:
    """All that is written about it."""
    rows: list[dict[str, object]] = subscriber.database.all(
        "select to_jsonb(x) as row from private.stripe_customers as x where organization_id = %s"
        " union all"
        " select to_jsonb(a) from private.subscription_checkouts as a where organization_id = %s"
        " union all"
        " select to_jsonb(p) from public.stripe_accounts as p where organization_id = %s",
        *[subscriber.id] * 3,
    )
    return rows


def pass_of(subscriber: Subscriber, windows_ago: int) -> str:
    return str(
        subscriber.database.one("select private.billing_pass(%s, %s)", subscriber.id, windows_ago)
    )


def test_without_a_pass_the_service_does_nothing_for_a_person(
    money: Database, subscriber: Subscriber
) -> None:
    """A leaked key leads no owner to a page of the thief's, and makes nobody another's customer."""
    one = Subscriber(make_venue(money))
    attempt = open_checkout(one)["attempt_id"]
    before = billing_rows(one)
    others = subscriber.billing_pass()
    for_reading = one.venue.owner.call("open_billing", organization_id=one.id, reading=True)[
        "token"
    ]
    for function, arguments in FOR_A_PERSON.items():
        more = {**arguments, **({"attempt_id": attempt} if "attempt_id" in arguments else {})}
        for shown in (None, "", "x", others, for_reading, pass_of(one, 2), pass_of(one, -1)):
            with refused(403, "billing_pass_invalid"):
                one.venue.service.call(
                    f"service.{function}", organization_id=one.id, billing_pass=shown, **more
                )
            assert billing_rows(one) == before, function


def test_a_pass_outlives_the_window_in_which_it_was_given(subscriber: Subscriber) -> None:
    for shown in (pass_of(subscriber, 0), pass_of(subscriber, 1)):
        assert open_checkout(subscriber, billing_pass=shown)["attempt_id"]


def test_a_pass_says_until_when_it_counts(subscriber: Subscriber) -> None:
    found = subscriber.venue.owner.call("open_billing", organization_id=subscriber.id)
    left = datetime.fromisoformat(found["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=20)


PAGE = "https://checkout.stripe.com/c/pay/cs_test_a1#fidkdWxOYHwnPyd1blpxYHZxWjA0SE%2FbYHdrYGFgKScl"


def test_only_a_page_to_pay_on_that_ends_within_a_day_is_recorded(subscriber: Subscriber) -> None:
    day = timedelta(hours=24)
    for url, lasts in (
        ("javascript:alert(1)", day),
        ("http://evil.example/pay", day),
        ("https://checkout.stripe.com@evil.example/pay", day),
        ("https://evil.example\\@checkout.stripe.com/", day),
        ("https://checkout.stripe.com/c/pay/a b", day),
        ("https://checkout.stripe.com/\n", day),
        ("http://127.0.0.1.evil.example/", day),
        ("//evil.example", day),
        ("https:///pay", day),
        ("", day),
        (None, day),
        (PAGE, timedelta(hours=26)),
        (PAGE, timedelta(days=3650)),
        (PAGE, None),
    ):
        opened = open_checkout(subscriber)
        before = billing_rows(subscriber)
        with refused(422, "checkout_page_invalid"):
            record_page(subscriber, opened, url, lasts)
        assert billing_rows(subscriber) == before, url
    for url in (PAGE, "https://pay.venue.example", "http://127.0.0.1:54390/c/pay/cs_1"):
        opened = open_checkout(subscriber)
        assert record_page(subscriber, opened, url, day) == url
        # The next one needs an attempt of its own.
        subscriber.apply(subscription())
        subscriber.apply(subscription(status="canceled"))


def record_page(
    subscriber: Subscriber, opened: dict[str, object], url: str | None, lasts: timedelta | None
) -> str:
    recorded: str = subscriber.venue.service.call(
        "service.record_subscription_checkout",
        organization_id=subscriber.id,
        billing_pass=subscriber.billing_pass(),
        attempt_id=opened["attempt_id"],
        session_id="cs_1",
        url=url,
        expires_at=None if lasts is None else datetime.now(UTC) + lasts,
    )
    return recorded


def test_who_is_said_to_be_deleted_is_read_on_and_gets_back_what_is_paid(
    money: Database, subscriber: Subscriber
) -> None:
    """The platform's log says it, once: a thief with the service's key can say it too."""
    live = subscription("pro")
    subscriber.apply(live)
    for _ in range(2):
        subscriber.apply(deleted=True)
    logged = money.all(
        "select action, reason from private.platform_log where organization_id = %s", subscriber.id
    )
    assert logged == [{"action": "billing:customer_deleted", "reason": subscriber.customer}]
    account = subscriber.venue.service.call(
        "service.get_billing_account", organization=subscriber.id
    )
    assert (account["customer_id"], account["deleted_customer_id"]) == (None, subscriber.customer)
    while queue_stale(money, 0):
        pass
    assert queued_for(subscriber) == 1
    subscriber.apply(live)
    assert subscriber.plan() == "pro"


# -- reconciliation --------------------------------------------------------------------------------


def queued_for(subscriber: Subscriber) -> int:
    return int(
        subscriber.database.one(
            "select count(*) from private.jobs where kind = 'stripe.read_billing'"
            " and dedupe_key = %s and status = 'queued'",
            f"stripe.read_billing:{subscriber.customer}",
        )
    )


def queue_stale(database: Database, older_than: int) -> int:
    service = database.client(SERVICE)
    queued: int = service.call("service.queue_stale_subscriptions", older_than_seconds=older_than)
    return queued


def test_what_was_not_read_for_a_day_is_read_and_what_was_is_not(
    money: Database, subscriber: Subscriber
) -> None:
    fresh = make_subscriber(money, "pro")
    stale = make_subscriber(money)
    stale.apply(subscription(), as_of=datetime.now(UTC) - timedelta(days=2))
    while queue_stale(money, 86400):
        pass
    assert [queued_for(s) for s in (fresh, stale, subscriber)] == [0, 1, 1]


def test_one_whose_reading_died_hides_no_other(money: Database) -> None:
    dead, alive = make_subscriber(money), make_subscriber(money)
    while queue_stale(money, 86400):
        pass
    money.run(
        "update private.jobs set status = 'dead', finished_at = now() where dedupe_key = %s",
        f"stripe.read_billing:{dead.customer}",
    )
    money.run(
        "delete from private.jobs where dedupe_key = %s",
        f"stripe.read_billing:{alive.customer}",
    )
    while queue_stale(money, 86400):
        pass
    assert [queued_for(dead), queued_for(alive)] == [0, 1]


def test_pages_go_on_until_there_is_nothing_left(money: Database) -> None:
    with money.owner.transaction(force_rollback=True):
        money.run(
            "insert into public.organizations (id, name, slug)"
            " select gen_random_uuid(), 'x', 'page-' || g from generate_series(1, 230) as g"
        )
        money.run(
            "insert into private.stripe_customers (organization_id, customer_id)"
            " select id, 'cus_' || slug from public.organizations where starts_with(slug, 'page-')"
        )
        pages = []
        while queued := queue_stale(money, 86400):
            pages.append(queued)
        assert pages[:2] == [100, 100]
        assert sum(pages) >= 230


# -- any order, any number, any loss ---------------------------------------------------------------

#: What Stripe may hold at some moment: the plan and status of up to two subscriptions.
_MOMENTS = st.lists(
    st.lists(st.tuples(st.sampled_from(["starter", "pro"]), st.sampled_from(STATUSES)), max_size=2),
    min_size=1,
    max_size=5,
)


@hypothesis_settings(max_examples=40)
@given(moments=_MOMENTS, data=st.data())
def test_however_readings_come_the_newest_one_is_what_stays(
    money: Database, moments: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    """Readings are repeated, lost and put in any order; the last one is not lost for good: the
    reconciler reads it."""
    one, other = make_subscriber(money), make_subscriber(money)
    start = datetime.now(UTC)
    readings = [
        (
            start + timedelta(seconds=at),
            [
                subscription(
                    plan,
                    status,
                    id=f"sub_{n}_{one.id}",
                    created=start.isoformat(),
                    current_period_start=start.isoformat(),
                    current_period_end=start.isoformat(),
                )
                for n, (plan, status) in enumerate(held)
            ],
        )
        for at, held in enumerate(moments)
    ]
    came = data.draw(st.lists(st.sampled_from(readings), max_size=8))
    for as_of, held in [*came, readings[-1]]:
        one.apply(*held, as_of=as_of)
    last = readings[-1][1]
    if not last and not one.row():
        return
    expected = Subscriber(make_venue(money)).register()
    expected.apply(*[{**s, "id": s["id"] + "x"} for s in last]) if last else None
    row = one.row()
    assert row is not None
    if last:
        fresh = expected.row()
        assert fresh is not None
        same = ("plan_key", "status", "amount_cents")
        assert {k: row[k] for k in same} == {k: fresh[k] for k in same}
        assert row["stripe_subscription_id"] + "x" == fresh["stripe_subscription_id"]
        assert (row["grace_until"] is None) == (fresh["grace_until"] is None)
    else:
        assert row["status"] == "canceled"
    stops = one.overview()["writes_end_at"]
    assert (stops is not None) == (row["status"] in ("past_due", "unpaid"))
    assert other.row() is None
