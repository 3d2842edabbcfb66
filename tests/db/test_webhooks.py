"""Webhooks out: every change is an event, in order, once for each endpoint that asked for it."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema_rs
import psycopg
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from client import SERVICE, Client, Refused
from db.money_world import TOTAL, Booking, Database, Venue, make_venue, member
from escapemaster_dev.schema import webhook_schema
from escapemaster_dev.schema.composites import composites
from escapemaster_dev.schema.project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://hooks.example/escape?key=1"
PRIVATE_URLS = (
    "http://hooks.example/",
    "https://localhost/",
    "http://localhost:8080/",
    "http://127.0.0.1:8080/hook",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://10.0.0.1/",
    "https://192.168.1.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.64.0.1/",
    "https://93.184.216.34/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fd00:ec2::254]/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://db/",
    "https://host.docker.internal/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://user:secret@hooks.example/",
    "https://hooks.example@127.0.0.1/",
    "https://hooks.example/#a",
    "https://hooks.example:99999/",
    "https://hooks.example\\@localhost/",
    "https://hooks.example/ x",
    "https://hooks.example/\r\nx: y",
    "ftp://hooks.example/",
    "",
)


def all_types(database: Database) -> list[str]:
    """The types of events that the payload's own type lists."""
    event = composites(database.owner)["public.webhook_event"]
    [listed] = [field.values for field in event.fields if field.name == "type"]
    return list(listed)


@dataclass
class Hook:
    """An endpoint of a venue, and the worker that posts to it."""

    venue: Venue
    id: str
    secret: str

    def deliveries(self, status: str | None = None) -> list[dict[str, Any]]:
        """As the owner sees the log, the oldest first."""
        here = {"organization_id": self.venue.organization_id, "endpoint_id": self.id}
        found = self.venue.owner.call("list_webhook_deliveries", **here, status=status)
        return list(reversed(found))

    def types(self, booking: Booking | None = None) -> list[str]:
        return [
            d["event_type"]
            for d in self.deliveries()
            if booking is None or d["booking_id"] == booking.id
        ]

    def of(self, event_type: str, booking: Booking | None = None) -> dict[str, Any]:
        [found] = [
            d
            for d in self.deliveries()
            if d["event_type"] == event_type and booking in (None, _Any(d["booking_id"]))
        ]
        return found

    def event(self, event_type: str) -> Any:
        return self.look(self.of(event_type)["id"])["event"]

    def look(self, delivery_id: str) -> Any:
        return self.venue.owner.call(
            "get_webhook_delivery",
            organization_id=self.venue.organization_id,
            delivery_id=delivery_id,
        )

    @contextmanager
    def job(self, delivery: dict[str, Any]) -> Iterator[_Worker]:
        """A worker that has claimed the delivery's job."""
        with self.venue.does("webhook.deliver", delivery_id=delivery["id"]) as lease:
            yield _Worker(self.venue.service, lease)

    def post(self, delivery: dict[str, Any], code: int | None = 200) -> Any:
        """Post what the delivery's job finds; what was prepared, or None."""
        with self.job(delivery) as worker:
            prepared = worker.prepare()
            if prepared is not None:
                worker.record(prepared, code)
            return prepared

    def later(self, by: timedelta) -> None:
        """Let time pass for all deliveries, and for the endpoint."""
        organization = self.venue.organization_id
        self.venue.database.run(
            "update private.webhook_deliveries set queued_at = queued_at - %s,"
            " next_attempt_at = next_attempt_at - %s where organization_id = %s",
            by,
            by,
            organization,
        )
        self.venue.database.run(
            "update private.webhook_states set paused_until = paused_until - %s,"
            " last_success_at = last_success_at - %s where organization_id = %s",
            by,
            by,
            organization,
        )

    def row(self) -> dict[str, Any]:
        [row] = self.venue.owner.select(
            "select * from public.webhook_endpoints where id = %s", self.id
        )
        return row


@dataclass(frozen=True)
class _Any:
    id: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Booking) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)


@dataclass
class _Worker:
    service: Client
    lease: dict[str, Any]

    def prepare(self) -> Any:
        return self.service.call("service.prepare_webhook", **self.lease)

    def record(self, prepared: Any, code: int | None) -> Any:
        outcome = "unreachable" if code is None else "delivered" if 200 <= code < 300 else "refused"
        return self.service.call(
            "service.record_webhook",
            **self.lease,
            delivery_id=prepared["delivery_id"],
            attempt=prepared["attempt"],
            outcome=outcome,
            answer_code=code,
            duration_ms=12,
        )


def make_hook(
    venue: Venue,
    *,
    personal: bool = False,
    events: list[str] | None = None,
    by: Client | None = None,
) -> Hook:
    made = (by or venue.owner).call(
        "create_webhook_endpoint",
        organization_id=venue.organization_id,
        name="Accounts",
        url=URL,
        events=events or all_types(venue.database),
        includes_personal_data=personal,
    )
    return Hook(venue, made["id"], made["token"])


@pytest.fixture
def venue(money: Database) -> Venue:
    money.run("delete from private.jobs")
    return make_venue(money)


@pytest.fixture
def hook(venue: Venue) -> Hook:
    return make_hook(venue)


def change(hook: Hook, **values: object) -> int:
    setting = ", ".join(f"{name} = %s" for name in values)
    return hook.venue.owner.change(
        f"update public.webhook_endpoints set {setting} where id = %s", *values.values(), hook.id
    )


def cancelled_by_venue(venue: Venue) -> Booking:
    booking = venue.hold()
    venue.pay(booking)
    venue.transition(booking, "cancelled")
    assert venue.run_refunds(booking) == 1
    return booking


# What is an event -------------------------------------------------------------------------------


def test_the_types_that_are_documented_are_those_that_an_endpoint_can_ask_for(hook: Hook) -> None:
    types = all_types(hook.venue.database)
    source = hook.venue.database.one(
        "select prosrc from pg_proc where proname = 'are_webhook_types'"
    )
    known = {part for part in source.split("'") if "." in part}
    assert set(types) == known
    comment = hook.venue.database.one(
        "select col_description('public.webhook_endpoints'::regclass, attnum) from pg_attribute"
        " where attrelid = 'public.webhook_endpoints'::regclass and attname = 'events'"
    )
    assert all(f" {kind}" in comment for kind in types)


def test_every_step_of_a_bookings_life_is_an_event_in_its_order(hook: Hook) -> None:
    venue = hook.venue
    played = venue.hold()
    venue.pay(played)
    venue.start_in(played, timedelta(minutes=10))
    venue.transition(played, "checked_in")
    venue.owner.call(
        "transition_booking",
        organization_id=venue.organization_id,
        booking_id=played.id,
        to_status="confirmed",
        reason="The wrong party",
    )
    for status in ("checked_in", "in_progress", "completed"):
        venue.transition(played, status)
    assert hook.types(played) == [
        "booking.held",
        "payment.received",
        "booking.confirmed",
        "booking.checked_in",
        "booking.undone",
        "booking.checked_in",
        "booking.started",
        "booking.completed",
    ]
    times = [d["occurred_at"] for d in hook.deliveries() if d["booking_id"] == played.id]
    assert times == sorted(set(times))
    returned = cancelled_by_venue(venue)
    assert hook.types(returned) == [
        "booking.held",
        "payment.received",
        "booking.confirmed",
        "booking.cancelled",
        "refund.paid",
    ]
    lapsed = venue.hold()
    venue.lapse(lapsed)
    assert hook.types(lapsed) == ["booking.held", "booking.expired"]
    absent = venue.hold()
    venue.pay(absent)
    venue.start_in(absent, timedelta(minutes=-120))
    venue.transition(absent, "no_show")
    assert hook.types(absent)[-1] == "booking.no_show"


def test_a_change_a_dispute_and_a_refund_that_came_back_are_events(hook: Hook) -> None:
    venue = hook.venue
    booking = venue.hold()
    session = venue.pay(booking)
    venue.owner.call(
        "change_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        starts_at=venue.slot(),
        idempotency_key=uuid.uuid4().hex,
    )
    moved = hook.event("booking.changed")
    assert set(moved["data"]["change"]) == {"starts_at"}
    before, after = (datetime.fromisoformat(at) for at in moved["data"]["change"]["starts_at"])
    assert before == booking.starts_at
    assert after == datetime.fromisoformat(moved["data"]["booking"]["starts_at"])
    dispute = {
        "id": f"du_{uuid.uuid4().hex}",
        "status": "needs_response",
        "reason": "fraudulent",
        "amount": TOTAL,
        "currency": "eur",
        "payment_intent": session["payment_intent"],
        "as_of": "2027-01-01T00:00:00Z",
    }
    venue.apply_dispute(dispute)
    # Reported again, nothing new; and then it is over.
    venue.apply_dispute(dispute)
    venue.apply_dispute({**dispute, "status": "lost", "as_of": "2027-01-02T00:00:00Z"})
    assert hook.types(booking)[-2:] == ["dispute.opened", "dispute.changed"]
    assert hook.event("dispute.changed")["data"]["dispute"]["status"] == "lost"


def correct(venue: Venue, booking: Booking, **result: object) -> None:
    venue.owner.call(
        "correct_game_result",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        reason="The clock was not started",
        **result,
    )


def test_a_result_is_an_event_when_it_is_written_changed_and_taken_back(venue: Venue) -> None:
    plain, personal = make_hook(venue), make_hook(venue, personal=True)
    booking = venue.hold()
    venue.pay(booking)
    venue.start_in(booking, timedelta(minutes=-50))
    for status in ("checked_in", "in_progress", "completed"):
        venue.transition(booking, status)
    correct(venue, booking, outcome="failed", hints=3)
    written = plain.event("result.recorded")["data"]
    assert (written["result"]["outcome"], written["result"]["hints"]) == ("failed", 3)
    assert written["result"]["is_by_hand"] is True
    assert written["result"]["is_public"] is False
    assert written["booking"]["status"] == "completed"
    # Entered once more as it was: no news. The party's name is told with the person.
    correct(venue, booking, outcome="failed", hints=3)
    venue.public.call(
        "publish_game_result",
        reference=booking.reference,
        manage_token=booking.token,
        is_public=True,
        team_name="Los Perdidos",
    )
    agreed = personal.event("result.changed")["data"]
    assert agreed["result"]["is_public"] is True
    assert agreed["customer"]["team_name"] == "Los Perdidos"
    assert "Perdidos" not in json.dumps(plain.event("result.changed"))
    venue.owner.call(
        "transition_booking",
        organization_id=venue.organization_id,
        booking_id=booking.id,
        to_status="in_progress",
        reason="They are still in there",
    )
    gone = plain.event("result.withdrawn")["data"]
    assert gone["result"] == agreed["result"]
    assert plain.types(booking)[-4:] == [
        "result.recorded",
        "result.changed",
        "result.withdrawn",
        "booking.undone",
    ]


def test_what_is_posted_is_as_the_published_schema_says(venue: Venue) -> None:
    """docs/webhooks.schema.json, which `escapemaster pages` writes."""
    published = webhook_schema.path_of(PROJECT).read_text()
    assert webhook_schema.render(venue.database.owner) == published
    assert set(all_types(venue.database)) <= set(
        (PROJECT.root / "docs/webhooks.md").read_text().split("`")
    )
    valid = jsonschema_rs.Draft202012Validator(json.loads(published), validate_formats=True)
    hook = make_hook(venue, personal=True)
    booking = cancelled_by_venue(venue)
    customer = hook.event("booking.held")["data"]["customer"]["id"]
    bodies = [json.loads(hook.post(delivery)["body"]) for delivery in hook.deliveries()]
    here = {"organization_id": venue.organization_id}
    venue.owner.call("erase_customer", **here, customer_id=customer, reason="Asked for")
    bodies.append(json.loads(hook.post(hook.of("customer.erased"))["body"]))
    assert len(bodies) == len(hook.types(booking)) + 1
    for body in bodies:
        assert [error.message for error in valid.iter_errors(body)] == [], body["type"]
        # It would notice: of each body no field may be missing, nor be another kind of thing.
        assert not valid.is_valid({**body, "timestamp": "yesterday"})
        assert not valid.is_valid({**body, "data": {**body["data"], "booking": {}}})


def test_nothing_is_told_of_what_is_rolled_back(hook: Hook) -> None:
    venue = hook.venue
    booking = venue.hold()
    with psycopg.connect(venue.database.dsn) as other:
        other.execute(
            "select private.transition(%s, %s, 'confirmed')", (venue.organization_id, booking.id)
        )
        other.rollback()
    assert hook.types() == ["booking.held"]


# What an event says -----------------------------------------------------------------------------


def test_the_event_says_what_a_consumer_needs_as_it_was_when_it_happened(hook: Hook) -> None:
    venue = hook.venue
    booking = venue.hold(email="ada@example.com")
    venue.pay(booking)
    venue.owner.change("update public.rooms set name = 'Another name'")
    held = hook.event("booking.held")
    assert (held["type"], held["version"], held["organization"]["name"]) == (
        "booking.held",
        1,
        "Casa Laberinto",
    )
    told = held["data"]["booking"]
    assert (told["id"], told["reference"], told["status"]) == (
        booking.id,
        booking.reference,
        "held",
    )
    assert told["room"] == {"id": venue.room_id, "slug": "attic", "name": "The attic"}
    assert told["location"]["address"] == "Calle Mayor 1, Madrid"
    assert told["calendar"]["slug"] == venue.slug
    assert (told["total_cents"], told["paid_cents"], told["open_cents"]) == (TOTAL, 0, TOTAL)
    assert sum(line["total_cents"] for line in told["lines"]) == TOTAL
    assert told["timezone"] == "Europe/Madrid"
    local = datetime.fromisoformat(told["starts_at_local"])
    assert local == booking.starts_at == datetime.fromisoformat(told["starts_at"])
    assert local.utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    # Without personal data: nobody is named, anywhere.
    assert held["data"]["customer"] is None
    with hook.job(hook.of("booking.held")) as worker:
        body = worker.prepare()["body"]
    assert json.loads(body) == held
    assert "Ada" not in body
    assert "ada@example.com" not in body
    paid = hook.event("payment.received")["data"]
    assert (paid["payment"]["amount_cents"], paid["booking"]["paid_cents"]) == (TOTAL, TOTAL)


def test_the_person_is_told_to_endpoints_that_get_personal_data_only(venue: Venue) -> None:
    plain, personal = make_hook(venue), make_hook(venue, personal=True)
    venue.hold(email="ada@example.com")
    assert personal.event("booking.held")["data"]["customer"] == {
        "id": plain.event("booking.held")["data"]["booking"]["customer_id"],
        "full_name": "Ada Byron",
        "email": "ada@example.com",
        "phone": None,
        "note": "",
        "answers": {},
        "team_name": None,
    }
    assert plain.event("booking.held")["data"]["customer"] is None
    assert "Ada" in personal.post(personal.of("booking.held"))["body"]
    assert "Ada" not in plain.post(plain.of("booking.held"))["body"]
    # The log shows the person to whoever may see customers.
    keeper = member(venue, "admin")
    without_customers(venue, "admin")
    seen = keeper.call(
        "get_webhook_delivery",
        organization_id=venue.organization_id,
        delivery_id=personal.of("booking.held")["id"],
    )
    assert seen["event"]["data"]["customer"] is None


def without_customers(venue: Venue, role: str) -> None:
    """Take customers:read from a role."""
    venue.database.run(
        "delete from public.role_permissions as p using public.roles as r"
        " where r.organization_id = p.organization_id and r.id = p.role_id"
        " and p.organization_id = %s and r.key = %s and p.permission_key = 'customers:read'",
        venue.organization_id,
        role,
    )


def test_who_may_not_see_customers_sends_them_nowhere(venue: Venue) -> None:
    keeper = member(venue, "admin")
    without_customers(venue, "admin")
    with pytest.raises(Refused, match="permission_denied"):
        make_hook(venue, personal=True, by=keeper)
    plain, personal = make_hook(venue, by=keeper), make_hook(venue, personal=True)

    def changed(hook: Hook, setting: str, *values: object) -> int:
        return keeper.change(
            f"update public.webhook_endpoints set {setting} where id = %s", *values, hook.id
        )

    for hook, setting in (
        (plain, "includes_personal_data = true"),
        (personal, "url = 'https://elsewhere.example/'"),
        (personal, "events = '{booking.held}'"),
    ):
        with pytest.raises(Refused, match="permission_denied"):
            changed(hook, setting)
    # Off is always allowed, and nothing else: whoever switches it on again need not look where to.
    assert changed(personal, "is_active = false") == 1
    assert changed(plain, "is_active = false") == 1
    for hook, setting in (
        (personal, "url = 'https://elsewhere.example/'"),
        (personal, "events = '{booking.held}'"),
        (personal, "is_active = true"),
        (plain, "includes_personal_data = true"),
    ):
        with pytest.raises(Refused, match="permission_denied"):
            changed(hook, setting)
    assert changed(plain, "url = 'https://elsewhere.example/'") == 1


def test_an_erased_customer_is_gone_from_what_is_kept_and_its_consumers_are_told(
    venue: Venue,
) -> None:
    hook = make_hook(venue, personal=True)
    booking = venue.hold(email="ada@example.com")
    venue.cancel(booking)
    told = hook.event("booking.held")["data"]["customer"]
    assert told["full_name"] == "Ada Byron"
    customer = told["id"]
    venue.owner.call(
        "erase_customer",
        organization_id=venue.organization_id,
        customer_id=customer,
        reason="Asked for",
    )
    kept = venue.database.one(
        "select string_agg(to_jsonb(e)::text, '') from private.webhook_events as e"
        " where organization_id = %s",
        venue.organization_id,
    )
    assert "Ada" not in kept
    assert "ada@example.com" not in kept
    assert hook.post(hook.of("booking.held"))["body"].count("Ada") == 0
    erased = hook.event("customer.erased")["data"]
    assert erased["booking"] is None
    assert erased["erasure"] == {
        "customer_id": customer,
        "merged_customer_ids": [],
        "booking_ids": [booking.id],
    }


# Delivering -------------------------------------------------------------------------------------


def test_a_bookings_events_arrive_in_order_and_hold_up_no_other_booking(hook: Hook) -> None:
    venue = hook.venue
    booking, other = venue.hold(), venue.hold()
    venue.pay(booking)
    first, second, third = (d for d in hook.deliveries() if d["booking_id"] == booking.id)
    # Whichever job comes first, it posts what happened first.
    assert hook.post(third, 500)["event_id"] == first["event_id"]
    # Until that has arrived nothing later about the booking goes out, and others do.
    assert hook.post(second) is None
    assert hook.post(hook.of("booking.held", other))["body"].count(other.id) > 0
    hook.later(timedelta(seconds=6))
    posted = [hook.post(second)["event_id"] for _ in range(3)]
    assert posted == [first["event_id"], second["event_id"], third["event_id"]]
    assert [d["status"] for d in hook.deliveries()] == ["delivered"] * 4
    attempts = hook.look(first["id"])["attempts"]
    assert [(a["number"], a["outcome"], a["answer_code"]) for a in attempts] == [
        (1, "refused", 500),
        (2, "delivered", 200),
    ]


def test_of_two_jobs_at_once_one_posts(hook: Hook) -> None:
    venue = hook.venue
    venue.pay(venue.hold())
    deliveries = hook.deliveries()
    with (
        hook.job(deliveries[0]) as one,
        hook.job(deliveries[1]) as two,
        venue.database.clients(SERVICE, SERVICE) as (first, second),
        ThreadPoolExecutor() as pool,
    ):
        workers = [_Worker(first, one.lease), _Worker(second, two.lease)]
        for _ in range(len(deliveries)):
            prepared = list(pool.map(_Worker.prepare, workers))
            [(worker, found)] = [
                (w, p) for w, p in zip(workers, prepared, strict=True) if p is not None
            ]
            worker.record(found, 200)
        assert [worker.prepare() for worker in workers] == [None, None]


def test_a_report_that_is_repeated_changes_nothing(hook: Hook) -> None:
    hook.venue.hold()
    [delivery] = hook.deliveries()
    with hook.job(delivery) as worker:
        prepared = worker.prepare()
        worker.record(prepared, 500)
        assert worker.record(prepared, 500)["status"] == "pending"
    assert hook.of("booking.held")["attempts"] == 1


def test_the_lease_of_one_delivery_opens_no_other(hook: Hook) -> None:
    venue = hook.venue
    venue.hold()
    venue.hold()
    stranger = make_hook(make_venue(venue.database))
    stranger.venue.hold()
    one, two = hook.deliveries()
    [foreign] = stranger.deliveries()
    with hook.job(one) as worker:
        prepared = worker.prepare()
        for other in (two, foreign):
            with pytest.raises(Refused, match="lease_of_another"):
                worker.record({**prepared, "delivery_id": other["id"]}, 200)
    with (
        venue.does("email.send", delivery_id=one["id"]) as lease,
        pytest.raises(Refused, match="lease_of_another"),
    ):
        _Worker(venue.service, lease).prepare()


def test_what_fails_is_tried_for_three_days_and_then_the_endpoint_is_off_and_owners_know(
    hook: Hook,
) -> None:
    venue = hook.venue
    admin = member(venue, "admin")
    member(venue, "manager")
    venue.hold()
    waited = timedelta()
    pauses: list[timedelta] = []
    while hook.of("booking.held")["status"] == "pending":
        [delivery] = hook.deliveries()
        assert hook.post(delivery, None) is not None
        [delivery] = hook.deliveries()
        if delivery["next_attempt_at"] is not None:
            pause = _instant(delivery["next_attempt_at"]) - _instant(delivery["last_attempt_at"])
            pauses.append(pause)
            waited += pause
            hook.later(pause)
            venue.database.run(
                "update private.webhook_states set paused_until = null where endpoint_id = %s",
                hook.id,
            )
    assert pauses == sorted(pauses)
    assert timedelta(days=2, hours=20) < waited < timedelta(days=3)
    assert len(pauses) >= 9
    row = hook.row()
    assert (row["is_active"], row["disabled_reason"]) == (False, "failing")
    mails = [j["payload"] for j in venue.mails() if j["payload"]["template"] == "webhook_disabled"]
    assert {m["user_id"] for m in mails} == {venue.owner.id, admin.id}
    with venue.does("email.send", **mails[0]) as lease:
        mail = venue.service.call("service.prepare_email", **lease)
    assert (mail["template"], mail["data"]["endpoint_name"]) == ("webhook_disabled", "Accounts")
    assert (mail["data"]["host"], mail["data"]["gone"]) == (urlsplit(URL).netloc, False)
    # Nothing is kept for it while it is off; switched on, it is told of what happens from then on.
    venue.hold()
    assert len(hook.deliveries()) == 1
    assert change(hook, is_active=True) == 1
    assert hook.row()["disabled_reason"] is None
    venue.hold()
    assert hook.post(hook.deliveries()[-1]) is not None


def _instant(at: object) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromisoformat(str(at))


def test_one_event_that_is_always_refused_ends_alone(hook: Hook) -> None:
    venue = hook.venue
    venue.hold()
    [poison] = hook.deliveries()
    hook.post(poison, 500)
    hook.later(timedelta(days=3))
    venue.hold()
    assert hook.post(hook.deliveries()[-1]) is not None
    hook.post(poison, 500)
    assert [d["status"] for d in hook.deliveries()] == ["failed", "delivered"]
    assert hook.row()["is_active"]


def test_an_endpoint_that_is_gone_is_off_at_once(hook: Hook) -> None:
    hook.venue.hold()
    hook.post(hook.deliveries()[0], 410)
    assert hook.row()["disabled_reason"] == "gone"


def test_a_dead_endpoint_is_asked_only_now_and_then(hook: Hook) -> None:
    venue = hook.venue
    for _ in range(5):
        venue.hold()
    posted = [hook.post(delivery, None) is not None for delivery in hook.deliveries()]
    assert posted == [True, True, True, False, False]

    def swept() -> int:
        venue.database.run("delete from private.jobs")
        venue.service.call("service.sweep")
        return len(venue.jobs("webhook.deliver"))

    assert swept() == 0
    hook.later(timedelta(seconds=31))
    # The three that were tried are due again, and the two that never were.
    assert swept() == 5
    assert hook.post(hook.deliveries()[4], 204) is not None
    assert hook.post(hook.deliveries()[3], 204) is not None


def test_a_venues_webhooks_take_few_of_the_slots(hook: Hook) -> None:
    venue = hook.venue
    venue.database.run("delete from private.jobs")
    for _ in range(4):
        venue.hold()
    claimed = venue.service.call("service.claim_jobs", worker="w", max_jobs=50, lease_seconds=60)
    assert [job["kind"] for job in claimed].count("webhook.deliver") == 2
    assert all(set(j["payload"]) == {"delivery_id"} for j in venue.jobs("webhook.deliver"))


# Secrets ----------------------------------------------------------------------------------------


def signs(prepared: dict[str, Any], secret: str) -> bool:
    """Whether a receiver that has the secret takes the event."""
    sent = {
        "webhook-id": prepared["event_id"],
        "webhook-timestamp": prepared["webhook_timestamp"],
        "webhook-signature": prepared["webhook_signature"],
    }
    try:
        return bool(Webhook(secret).verify(prepared["body"], sent) == json.loads(prepared["body"]))
    except WebhookVerificationError:
        return False


def test_the_worker_is_shown_signatures_and_no_secret(hook: Hook) -> None:
    """Whoever claims a delivery with a leaked key signs no event of their own with it."""
    hook.venue.hold()
    with hook.job(hook.deliveries()[0]) as worker:
        prepared = worker.prepare()
    assert hook.secret.removeprefix("whsec_") not in json.dumps(prepared)
    assert signs(prepared, hook.secret)
    for changed in (
        {"body": prepared["body"].replace("{", "{ ", 1)},
        {"event_id": prepared["delivery_id"]},
        {"webhook_timestamp": str(int(prepared["webhook_timestamp"]) + 1)},
    ):
        assert not signs({**prepared, **changed}, hook.secret)


def test_two_secrets_sign_while_one_is_rotated_and_no_client_reads_them(hook: Hook) -> None:
    venue = hook.venue
    venue.hold()
    known = [hook.secret]
    here = {"organization_id": venue.organization_id, "endpoint_id": hook.id}

    def secrets() -> list[str]:
        with hook.job(hook.deliveries()[0]) as worker:
            prepared = worker.prepare()
        found = [
            secret
            for signature in prepared["webhook_signature"].split(" ")
            for secret in known
            if signs({**prepared, "webhook_signature": signature}, secret)
        ]
        assert len(found) == prepared["webhook_signature"].count("v1,")
        return found

    assert secrets() == [hook.secret]
    second = venue.owner.call("rotate_webhook_secret", **here)["token"]
    known.append(second)
    assert secrets() == [second, hook.secret]
    third = venue.owner.call("rotate_webhook_secret", **here, overlap_hours=1)["token"]
    known.append(third)
    assert secrets() == [third, second]
    venue.database.run(
        "update private.webhook_secrets set expires_at = expires_at - interval '1 h'"
    )
    assert secrets() == [third]
    fourth = venue.owner.call("rotate_webhook_secret", **here, overlap_hours=0)["token"]
    known.append(fourth)
    assert secrets() == [fourth]
    assert len({hook.secret, second, third, fourth}) == 4
    logged = venue.owner.select(
        "select from public.audit_log where table_name = 'webhook_endpoints' and action = 'update'"
    )
    assert len(logged) == 3
    with pytest.raises(Refused, match="overlap_invalid"):
        venue.owner.call("rotate_webhook_secret", **here, overlap_hours=169)
    for client in (venue.owner, venue.service):
        with pytest.raises(Refused, match="42501"):
            client.select("select * from private.webhook_secrets")
    assert hook.secret not in json.dumps(hook.row(), default=str)


# Replay -----------------------------------------------------------------------------------------


def test_one_delivery_or_a_period_is_posted_again_in_order_with_the_same_id(hook: Hook) -> None:
    venue = hook.venue
    here = {"organization_id": venue.organization_id}
    booking = venue.hold()
    venue.pay(booking)
    sent = [hook.post(delivery)["event_id"] for delivery in hook.deliveries()]
    assert [hook.post(delivery) for delivery in hook.deliveries()] == [None] * 3
    [first, *_] = hook.deliveries()
    assert venue.owner.call("replay_webhook_delivery", **here, delivery_id=first["id"]) == {
        "queued": 1,
        "remaining": 0,
    }
    again = hook.post(first)
    assert (again["event_id"], again["attempt"]) == (sent[0], 2)
    period = {"endpoint_id": hook.id, "from_time": first["occurred_at"]}
    assert (
        venue.owner.call("replay_webhook_period", **here, **period, only_failed=True)["queued"] == 0
    )
    assert venue.owner.call("replay_webhook_period", **here, **period)["queued"] == 3
    assert [hook.post(delivery)["event_id"] for delivery in hook.deliveries()] == sent
    later = {**period, "until_time": first["occurred_at"]}
    assert venue.owner.call("replay_webhook_period", **here, **later)["queued"] == 0
    change(hook, is_active=False)
    with pytest.raises(Refused, match="webhook_endpoint_disabled"):
        venue.owner.call("replay_webhook_delivery", **here, delivery_id=first["id"])


# Whose it is ------------------------------------------------------------------------------------


def test_a_venue_is_told_of_itself_alone_and_sees_its_own_log(hook: Hook) -> None:
    venue = hook.venue
    stranger = make_venue(venue.database)
    other = make_hook(stranger)
    venue.hold()
    [delivery] = hook.deliveries()
    assert other.deliveries() == []
    theirs = {"organization_id": stranger.organization_id}
    for function, arguments, code in (
        ("list_webhook_deliveries", {"endpoint_id": hook.id}, "webhook_endpoint_not_found"),
        ("get_webhook_delivery", {"delivery_id": delivery["id"]}, "webhook_delivery_not_found"),
        ("replay_webhook_delivery", {"delivery_id": delivery["id"]}, "webhook_delivery_not_found"),
        (
            "replay_webhook_period",
            {"endpoint_id": hook.id, "from_time": "2020-01-01"},
            "webhook_endpoint_not_found",
        ),
        ("rotate_webhook_secret", {"endpoint_id": hook.id}, "webhook_endpoint_not_found"),
    ):
        with pytest.raises(Refused, match=code):
            stranger.owner.call(function, **theirs, **arguments)
        with pytest.raises(Refused, match="permission_denied"):
            member(venue, "manager").call(
                function, organization_id=venue.organization_id, **arguments
            )


# What may be an endpoint ------------------------------------------------------------------------


def test_an_address_that_is_not_public_is_refused_at_saving(hook: Hook) -> None:
    here = {"organization_id": hook.venue.organization_id, "name": "x", "events": ["booking.held"]}
    for url in PRIVATE_URLS:
        with pytest.raises(Refused, match="webhook_url_refused"):
            hook.venue.owner.call("create_webhook_endpoint", **here, url=url)
        with pytest.raises(Refused):
            change(hook, url=url)
    assert hook.row()["url"] == URL


def test_an_endpoint_has_a_name_and_asks_for_events_that_there_are(venue: Venue) -> None:
    right = {"organization_id": venue.organization_id, "url": URL, "name": "x"}
    for wrong, code in (
        ({"name": " ", "events": ["booking.held"]}, "name_invalid"),
        ({"name": "x" * 81, "events": ["booking.held"]}, "name_invalid"),
        ({"events": []}, "webhook_events_invalid"),
        ({"events": ["booking.held", "no.such"]}, "webhook_events_invalid"),
    ):
        with pytest.raises(Refused, match=code):
            venue.owner.call("create_webhook_endpoint", **{**right, **wrong})


def test_a_stack_for_development_allows_its_own_machine(venue: Venue) -> None:
    assert venue.database.one("select allows_loopback from private.webhook_settings") is False
    with psycopg.connect(venue.database.dsn) as other:
        other.execute("update private.webhook_settings set allows_loopback = true")
        made = other.execute(
            "insert into public.webhook_endpoints (organization_id, name, url, events)"
            " values (%s, 'x', 'http://127.0.0.1:8080/hook', '{booking.held}') returning id",
            (venue.organization_id,),
        ).fetchone()
        assert made is not None
        for url in ("http://10.0.0.1/", "http://hooks.example/", "http://169.254.169.254/"):
            with pytest.raises(psycopg.errors.CheckViolation), other.transaction():
                other.execute(
                    "update public.webhook_endpoints set url = %s where id = %s", (url, made[0])
                )
        other.rollback()


def test_an_organization_has_ten_endpoints_at_most(hook: Hook) -> None:
    for _ in range(9):
        make_hook(hook.venue)
    with pytest.raises(Refused, match="too_many_rows"):
        make_hook(hook.venue)


def test_the_log_is_kept_for_as_long_as_the_platform_says(hook: Hook) -> None:
    venue = hook.venue
    venue.hold()
    venue.hold()
    kept = venue.database.one("select log_days from private.webhook_settings")
    venue.database.run(
        "update private.webhook_events set created_at = now() - make_interval(days => %s)"
        " - interval '9 s' where id = %s",
        kept,
        hook.deliveries()[0]["event_id"],
    )
    venue.service.call("service.sweep")
    assert len(hook.deliveries()) == 1
