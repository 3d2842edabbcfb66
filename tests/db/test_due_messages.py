"""Messages around a visit: each once, when it is due, while it is right."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from client import Refused
from db.booking_world import Row, Shop, change, open_shop
from db.money_world import Booking, Database, make_venue
from db.money_world import Venue as MoneyVenue
from escapemaster.database import Job
from escapemaster.worker.handlers import email_key
from matrix.house import House

HOUR = timedelta(hours=1)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


def now(shop: Shop) -> datetime:
    moment = shop.house.one("select now()")
    assert isinstance(moment, datetime)
    return moment


def book(shop: Shop, room: str, days: int = 5, confirmed: bool = True, **customer: Any) -> Row:
    """A booking by staff at noon, made long before anything about it is due."""
    made = shop.venue.owner.call(
        "create_booking",
        organization_id=shop.id,
        room_id=room,
        starts_at=shop.at(days),
        party_size=2,
        customer={"full_name": "Ana García", "email": "ana@example.test", **customer},
        idempotency_key=f"{room}:{days}:{customer}",
    )
    if confirmed:
        shop.venue.owner.call(
            "transition_booking",
            organization_id=shop.id,
            booking_id=made["id"],
            to_status="confirmed",
        )
    return dict(made)


def sweep(shop: Shop, until: datetime, since: timedelta = timedelta(minutes=30)) -> list[Row]:
    """What a sweep at that time queues, after one that was so much earlier."""
    shop.house.owner_sql("delete from private.message_clock")
    shop.house.owner_sql(
        "insert into private.message_clock (swept_until) values (%s)", until - since
    )
    before = {row["id"] for row in mails(shop)}
    shop.house.one("select private.queue_due_messages(%s)", until)
    return [row for row in mails(shop) if row["id"] not in before]


def mails(shop: Shop) -> list[Row]:
    return shop.house.owner_sql(
        "select j.id, j.payload ->> 'template' as template, j.payload ->> 'booking_id' as booking,"
        " j.payload from private.jobs as j where j.organization_id = %s"
        " and j.payload ? 'rule_id' order by j.id",
        shop.id,
    )


def said(shop: Shop, job: Row) -> Any:
    """What the mail says when it is prepared; None: it is not sent."""
    return shop.house.one(
        "select private.visit_content(%s, %s)", shop.id, psycopg.types.json.Jsonb(job["payload"])
    )


def templates(found: list[Row]) -> list[str]:
    return [row["template"] for row in found]


def only(shop: Shop, kind: str, **values: object) -> str:
    """That rule alone, as it has been for ever."""
    shop.venue.owner.change("delete from public.message_rules")
    rule = shop.insert("message_rules", kind=kind, **values)
    return str(rule["id"])


def set_status(shop: Shop, booking: Row, to_status: str, **more: object) -> None:
    shop.venue.owner.call(
        "transition_booking",
        organization_id=shop.id,
        booking_id=booking["id"],
        to_status=to_status,
        **more,
    )


def made_before(shop: Shop) -> None:
    """As if all bookings had been made long ago."""
    shop.house.owner_sql(
        "update public.booking_history set occurred_at = occurred_at - interval '9 days'"
    )


def counting_before(shop: Shop) -> None:
    """As if the rules had been as they are for long."""
    for statement in (
        "alter table public.message_rules disable trigger user",
        "update public.message_rules set counts_from = counts_from - interval '9 days'",
        "alter table public.message_rules enable trigger user",
    ):
        shop.house.owner_sql(statement)


class TestWhenItIsDue:
    def test_the_first_rules_remind_the_day_before_and_thank_two_hours_after(
        self, shop: Shop, room: str
    ) -> None:
        book(shop, room)
        assert sweep(shop, shop.at(4, "17:59")) == []
        assert templates(sweep(shop, shop.at(4, "18:00"))) == ["reminder"]
        assert sweep(shop, shop.at(5, "14:59")) == []
        assert templates(sweep(shop, shop.at(5, "15:00"))) == ["thanks"]

    def test_who_has_something_to_pay_is_asked_72_hours_before(self, shop: Shop, room: str) -> None:
        book(shop, room)  # confirmed, and not paid
        assert sweep(shop, shop.at(2, "11:59")) == []
        assert templates(sweep(shop, shop.at(2, "12:00"))) == ["payment_request"]

    def test_who_has_paid_is_not_asked(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        shop.venue.owner.call(
            "record_payment",
            organization_id=shop.id,
            booking_id=booking["id"],
            method="cash",
            amount_cents=booking["total_cents"],
            idempotency_key="paid",
        )
        assert sweep(shop, shop.at(2, "12:10")) == []

    def test_minutes_are_counted_exactly(self, shop: Shop, room: str) -> None:
        only(shop, "reminder", minutes=45)
        book(shop, room)
        assert sweep(shop, shop.at(5, "11:14")) == []
        assert templates(sweep(shop, shop.at(5, "11:15"))) == ["reminder"]

    def test_a_reminder_at_a_time_of_the_day_that_is_too_late_is_none(
        self, shop: Shop, room: str
    ) -> None:
        only(shop, "reminder", days=0, at_time="12:00")
        book(shop, room)
        assert sweep(shop, shop.at(5, "12:10")) == []

    def test_an_hour_is_written_at_once_and_a_day_hour_by_hour(self, shop: Shop, room: str) -> None:
        only(shop, "reminder", days=1, at_time="18:00")
        book(shop, room)
        until = shop.at(4, "20:30")
        assert sweep(shop, until, since=timedelta(hours=4)) == []
        count = 0
        for _ in range(2):
            count += shop.house.one("select private.queue_due_messages(%s)", until)
        assert count == 1

    def test_what_is_more_than_a_day_late_is_left_out(self, shop: Shop, room: str) -> None:
        only(shop, "thanks", minutes=0)
        book(shop, room)
        until = shop.at(6, "13:05")  # the visit ended at 13:00 the day before
        shop.house.owner_sql("delete from private.message_clock")
        shop.house.owner_sql(
            "insert into private.message_clock values (true, %s)", until - timedelta(days=9)
        )
        for _ in range(30):
            shop.house.one("select private.queue_due_messages(%s)", until)
        assert mails(shop) == []

    def test_the_first_sweep_of_all_writes_nothing_and_starts_the_clock(
        self, shop: Shop, room: str
    ) -> None:
        book(shop, room)
        shop.house.owner_sql("delete from private.message_clock")
        assert shop.house.one("select private.queue_due_messages(%s)", shop.at(4, "18:00")) == 0
        assert shop.house.one("select swept_until from private.message_clock") == shop.at(
            4, "18:00"
        )

    @pytest.mark.parametrize(
        ("zone", "visit", "at_time", "utc"),
        [
            # 02:30 is skipped: half past three, an hour later.
            ("Europe/Madrid", "2027-03-28 12:00", "02:30", "2027-03-28 01:30"),
            # 02:30 comes twice: the second time.
            ("Europe/Madrid", "2027-10-31 12:00", "02:30", "2027-10-31 01:30"),
            ("America/New_York", "2027-03-14 12:00", "02:30", "2027-03-14 07:30"),
            ("America/New_York", "2027-11-07 12:00", "01:30", "2027-11-07 06:30"),
            # Half an hour only.
            ("Australia/Lord_Howe", "2027-10-03 12:00", "02:15", "2027-10-02 15:45"),
            ("Australia/Lord_Howe", "2027-04-04 12:00", "01:45", "2027-04-03 15:15"),
        ],
    )
    def test_a_clock_that_skips_or_repeats_the_hour(
        self, house: House, zone: str, visit: str, at_time: str, utc: str
    ) -> None:
        due = house.one(
            "select private.message_due_at(r, %s::timestamp at time zone %s, null, %s)"
            " at time zone 'UTC' from public.message_rules as r where false"
            " union all select private.message_due_at(jsonb_populate_record("
            " null::public.message_rules, jsonb_build_object('kind', 'reminder', 'counted_from',"
            " 'start', 'days', 0, 'at_time', %s::text)), %s::timestamp at time zone %s, null, %s)"
            " at time zone 'UTC'",
            visit,
            zone,
            zone,
            at_time,
            visit,
            zone,
            zone,
        )
        assert due == datetime.fromisoformat(utc)


class TestOnce:
    def test_a_message_is_queued_once_however_often_it_is_looked_for(
        self, shop: Shop, room: str
    ) -> None:
        book(shop, room)
        assert len(sweep(shop, shop.at(4, "18:00"))) == 1
        assert sweep(shop, shop.at(4, "18:00")) == []
        assert sweep(shop, shop.at(4, "18:20")) == []

    def test_a_booking_that_moves_is_reminded_of_its_new_start(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        [first] = sweep(shop, shop.at(4, "18:00"))
        shop.venue.owner.call(
            "change_booking",
            organization_id=shop.id,
            booking_id=booking["id"],
            starts_at=shop.at(8),
            idempotency_key="later",
        )
        assert said(shop, first) is None
        assert sweep(shop, shop.at(4, "18:10")) == []
        [second] = sweep(shop, shop.at(7, "18:00"))
        assert said(shop, second)["data"]["starts_at"].startswith(
            shop.house.one(
                "select to_char(%s::timestamptz at time zone 'UTC', 'YYYY-MM-DD')", shop.at(8)
            )
        )

    def test_a_booking_that_moves_back_is_not_reminded_twice(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        assert len(sweep(shop, shop.at(4, "18:00"))) == 1
        for number, days in enumerate((8, 5)):
            shop.venue.owner.call(
                "change_booking",
                organization_id=shop.id,
                booking_id=booking["id"],
                starts_at=shop.at(days),
                idempotency_key=f"moved {number}",
            )
        assert sweep(shop, shop.at(4, "18:10")) == []

    def test_two_rules_of_a_kind_are_two_messages(self, shop: Shop, room: str) -> None:
        shop.insert("message_rules", kind="reminder", days=1, at_time="18:00")
        book(shop, room)
        assert templates(sweep(shop, shop.at(4, "18:00"))) == ["reminder", "reminder"]


class TestTheRightState:
    def test_a_cancelled_booking_gets_nothing(self, shop: Shop, room: str) -> None:
        set_status(shop, book(shop, room), "cancelled")
        for until in (shop.at(2), shop.at(4, "18:00"), shop.at(5, "15:00")):
            assert sweep(shop, until) == []

    def test_one_that_is_cancelled_while_its_reminder_waits_gets_none(
        self, shop: Shop, room: str
    ) -> None:
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(4, "18:00"))
        assert said(shop, job) is not None
        set_status(shop, booking, "cancelled")
        assert said(shop, job) is None

    def test_an_unconfirmed_booking_is_asked_to_pay_and_not_reminded(
        self, shop: Shop, room: str
    ) -> None:
        only(shop, "payment_request", minutes=60)
        shop.insert("message_rules", kind="reminder", minutes=60)
        book(shop, room, 2, confirmed=False)
        assert templates(sweep(shop, shop.at(2, "11:00"))) == ["payment_request"]

    def test_who_has_paid_meanwhile_is_not_asked(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(2, "12:00"))
        asked = said(shop, job)["data"]["payable_cents"]
        assert asked == booking["total_cents"]
        shop.venue.owner.call(
            "record_payment",
            organization_id=shop.id,
            booking_id=booking["id"],
            method="cash",
            amount_cents=asked,
            idempotency_key="paid",
        )
        assert said(shop, job) is None

    def test_a_party_that_did_not_come_is_not_thanked(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(5, "15:00"))
        shop.start_in(booking, -timedelta(hours=3))
        job["payload"]["starts_at"] = shop.house.one(
            "select to_jsonb(starts_at) from public.bookings where id = %s", booking["id"]
        )
        assert said(shop, job) is not None
        set_status(shop, booking, "no_show", reason="Nobody")
        assert said(shop, job) is None

    def test_thanks_tell_the_party_its_own_result_and_nothing_of_one_that_was_broken_off(
        self, shop: Shop, room: str
    ) -> None:
        rule = only(shop, "thanks", minutes=60)
        booking = book(shop, room)
        shop.start_in(booking, -2 * HOUR)
        for status in ("checked_in", "in_progress", "completed"):
            set_status(shop, booking, status)
        payload = {
            "template": "thanks",
            "rule_id": rule,
            "booking_id": booking["id"],
            "starts_at": shop.starts_at(booking).isoformat(),
        }

        def told(**result: object) -> object:
            if result:
                shop.venue.owner.call(
                    "correct_game_result",
                    organization_id=shop.id,
                    booking_id=booking["id"],
                    reason="By hand",
                    **result,
                )
            return said(shop, {"payload": payload})["data"]["result"]

        assert told() is None
        # Whether or not it agreed that others see it: the mail is its own.
        escaped = {"outcome": "escaped", "escape_seconds": 1800, "hints": 2}
        assert told(**escaped) == escaped
        assert told(outcome="failed") == {"outcome": "failed", "escape_seconds": None, "hints": 2}
        assert told(outcome="aborted") is None

    def test_a_reminder_is_not_sent_after_the_start(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(4, "18:00"))
        shop.start_in(booking, -timedelta(minutes=1))
        job["payload"]["starts_at"] = shop.house.one(
            "select to_jsonb(starts_at) from public.bookings where id = %s", booking["id"]
        )
        assert said(shop, job) is None

    def test_a_booking_without_an_address_gets_nothing(self, shop: Shop, room: str) -> None:
        made = shop.venue.owner.call(
            "create_booking",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(5),
            party_size=2,
            customer={"full_name": "Nobody"},
            idempotency_key="nobody",
        )
        set_status(shop, made, "confirmed")
        assert sweep(shop, shop.at(4, "18:00")) == []

    def test_a_suspended_venue_sends_nothing(self, shop: Shop, room: str) -> None:
        book(shop, room)
        [job] = sweep(shop, shop.at(4, "18:00"))
        shop.house.owner_sql(
            "update public.organizations set status = 'suspended' where id = %s", shop.id
        )
        assert said(shop, job) is None

    def test_a_review_is_not_asked_of_who_does_not_want_to_be_written_to(
        self, shop: Shop, room: str
    ) -> None:
        only(shop, "review_request", minutes=0, review_url="https://g.page/r/x/review")
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(5, "13:00"))
        assert said(shop, job)["data"]["review_url"] == "https://g.page/r/x/review"
        shop.visitor.call(
            "withdraw_consent",
            reference=booking["reference"],
            manage_token=booking["manage_token"],
            kind="marketing",
        )
        # Nothing was agreed to, so nothing was taken back.
        assert said(shop, job) is not None
        shop.house.owner_sql(
            "insert into public.customer_consents (organization_id, customer_id, kind, granted,"
            " locale) select organization_id, customer_id, 'marketing', false, 'es'"
            " from public.bookings where id = %s",
            booking["id"],
        )
        assert said(shop, job) is None


class TestRules:
    def test_a_rule_that_is_off_or_gone_sends_nothing_not_even_what_is_queued(
        self, shop: Shop, room: str
    ) -> None:
        rule = only(shop, "reminder", minutes=60)
        book(shop, room)
        [job] = sweep(shop, shop.at(5, "11:00"))
        change(shop.venue.owner, "message_rules", {"is_active": False}, id=rule)
        assert said(shop, job) is None
        change(shop.venue.owner, "message_rules", {"is_active": True}, id=rule)
        assert said(shop, job) is not None
        shop.venue.owner.change("delete from public.message_rules")
        assert said(shop, job) is None
        assert sweep(shop, shop.at(5, "11:01")) == []

    def test_a_rule_for_some_rooms_or_languages_leaves_the_others_out(
        self, shop: Shop, room: str
    ) -> None:
        rule = only(shop, "reminder", minutes=60, all_rooms=False, locales=["ca"])
        other = shop.add_room()
        shop.insert("message_rule_rooms", rule_id=rule, room_id=room)
        catalan: dict[str, Any] = {"email": "b@example.test", "locale": "ca"}
        for place, customer in ((other, catalan), (room, {"locale": "es"})):
            book(shop, place, 5, **customer)
        assert sweep(shop, shop.at(5, "11:00")) == []
        meant = book(shop, room, 6, **catalan)
        assert [job["booking"] for job in sweep(shop, shop.at(6, "11:00"))] == [meant["id"]]

    def test_a_rule_does_not_write_to_the_past(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        rule = only(shop, "reminder", minutes=60)
        shop.start_in(booking, timedelta(minutes=59))
        made_before(shop)
        assert sweep(shop, now(shop)) == []
        change(shop.venue.owner, "message_rules", {"minutes": 58}, id=rule)
        assert len(sweep(shop, now(shop) + timedelta(minutes=1))) == 1

    def test_a_room_that_a_rule_is_given_is_not_written_to_about_the_past(
        self, shop: Shop, room: str
    ) -> None:
        rule = only(shop, "reminder", minutes=60, all_rooms=False)
        counting_before(shop)
        booking = book(shop, room)
        made_before(shop)
        shop.start_in(booking, timedelta(minutes=59))
        shop.insert("message_rule_rooms", rule_id=rule, room_id=room)
        assert sweep(shop, now(shop)) == []
        shop.house.owner_sql(
            "update public.message_rule_rooms set created_at = now() - interval '1 day'"
        )
        assert len(sweep(shop, now(shop))) == 1

    def test_who_books_after_the_instant_is_not_reminded(self, shop: Shop, room: str) -> None:
        only(shop, "reminder", minutes=60)
        counting_before(shop)
        booking = book(shop, room)
        shop.start_in(booking, timedelta(minutes=59))
        assert sweep(shop, now(shop)) == []
        made_before(shop)
        assert len(sweep(shop, now(shop))) == 1


class TestUnsubscribing:
    def token(self, shop: Shop, booking: Row) -> str:
        return str(
            shop.house.one(
                "select private.unsubscribe_token(b) from public.bookings as b where b.id = %s",
                booking["id"],
            )
        )

    def test_the_link_in_a_request_ends_requests_once_and_says_the_same_again(
        self, shop: Shop, room: str
    ) -> None:
        only(shop, "review_request", minutes=0, review_url="https://g.page/r/x/review")
        booking = book(shop, room)
        [job] = sweep(shop, shop.at(5, "13:00"))
        token = said(shop, job)["data"]["unsubscribe_token"]
        assert token == self.token(shop, booking)
        for _ in range(2):
            answer = shop.house.service.call("service.unsubscribe", token=token)
            assert answer == {"organization_name": "Venue"}
        assert shop.venue.count("customer_consents") == 1
        assert said(shop, job) is None

    def test_the_link_is_in_no_other_mail_and_another_booking_s_is_another(
        self, shop: Shop, room: str
    ) -> None:
        first, second = book(shop, room), book(shop, room, 6)
        assert self.token(shop, first) != self.token(shop, second)
        [job] = sweep(shop, shop.at(4, "18:00"))
        assert said(shop, job)["data"]["unsubscribe_token"] is None
        for wrong in (
            "",
            "x",
            self.token(shop, first)[:-1],
            self.token(shop, first) + "x",
            self.token(shop, first).replace(first["id"], second["id"]),
            self.token(shop, first).replace(shop.id, str(room)),
            "'.".join(self.token(shop, first).split(".")),
        ):
            with pytest.raises(Refused, match="link_invalid"):
                shop.house.service.call("service.unsubscribe", token=wrong)
        assert shop.venue.count("customer_consents") == 0


class TestRaces:
    """On connections of their own, with real time."""

    @pytest.fixture
    def due(self, money: Database) -> tuple[MoneyVenue, Booking]:
        """A confirmed booking whose reminder is due now, and was not looked for yet."""
        money.run("delete from private.jobs")
        money.run("delete from public.message_rules")
        venue = make_venue(money)
        money.run("delete from public.message_rules")
        booking = venue.hold()
        venue.pay(booking)
        money.run("delete from private.jobs")
        money.run(
            "insert into public.message_rules (organization_id, kind, minutes)"
            " values (%s, 'reminder', 60)",
            venue.organization_id,
        )
        money.run("update public.message_rules set counts_from = now() - interval '1 day'")
        money.run("update public.booking_history set occurred_at = now() - interval '1 day'")
        venue.start_in(booking, timedelta(minutes=59))
        money.run("delete from private.message_clock")
        money.run(
            "insert into private.message_clock (swept_until) values (now() - interval '10 minutes')"
        )
        return venue, booking

    def test_two_sweeps_at_once_queue_one_message_and_neither_waits(
        self, due: tuple[MoneyVenue, Booking]
    ) -> None:
        venue, _ = due
        with (
            psycopg.connect(venue.database.dsn) as first,
            psycopg.connect(venue.database.dsn) as second,
        ):
            second.execute("set statement_timeout = '5s'")
            query = "select private.queue_due_messages(now())"
            assert first.execute(query).fetchone() == (1,)
            assert second.execute(query).fetchone() == (0,)
            second.commit()
            first.commit()
            assert second.execute(query).fetchone() == (0,)
        assert len(venue.mails()) == 1

    def test_a_sweep_that_dies_leaves_its_messages_to_the_next(
        self, due: tuple[MoneyVenue, Booking]
    ) -> None:
        venue, _ = due
        with psycopg.connect(venue.database.dsn) as dying:
            dying.execute("select private.queue_due_messages(now())")
            dying.rollback()
        assert venue.mails() == []
        assert venue.service.call("service.sweep")["due_messages"] == 1
        assert venue.service.call("service.sweep")["due_messages"] == 0
        assert len(venue.mails()) == 1

    def test_a_worker_that_dies_after_handing_over_presents_the_same_key_again(
        self, due: tuple[MoneyVenue, Booking]
    ) -> None:
        venue, booking = due
        venue.service.call("service.sweep")
        [first] = self.claim(venue)
        prepared = self.prepare(venue, first)
        assert prepared["template"] == "reminder"
        # Killed before it could say so: the lease ends, and another worker takes over.
        venue.database.run("update private.jobs set run_at = now() where status = 'running'")
        [second] = self.claim(venue)
        assert self.prepare(venue, first) is None
        assert self.prepare(venue, second) == prepared
        assert email_key(job_of(first)) == email_key(job_of(second))
        for job in (second, first):
            venue.service.call(
                "service.record_email",
                job_id=job["id"],
                lease_token=job["lease_token"],
                provider="resend",
                provider_message_id="m",
            )
        assert self.prepare(venue, second) is None
        assert venue.service.call("service.sweep")["due_messages"] == 0
        [sent] = venue.database.all(
            "select status from private.email_messages where booking_id = %s", booking.id
        )
        assert sent["status"] == "sent"

    def test_one_that_is_cancelled_between_claim_and_sending_gets_only_its_cancellation(
        self, due: tuple[MoneyVenue, Booking]
    ) -> None:
        venue, booking = due
        venue.service.call("service.sweep")
        [job] = self.claim(venue)
        with psycopg.connect(venue.database.dsn) as other:
            other.execute(
                "select private.transition(%s, %s, 'cancelled')",
                (venue.organization_id, booking.id),
            )
            other.commit()
        assert self.prepare(venue, job) is None

    def claim(self, venue: MoneyVenue) -> list[Row]:
        jobs = venue.service.call("service.claim_jobs", worker="w", max_jobs=100, lease_seconds=60)
        return [dict(job) for job in jobs if job["kind"] == "email.send"]

    def prepare(self, venue: MoneyVenue, job: Row) -> Any:
        return venue.service.call(
            "service.prepare_email", job_id=job["id"], lease_token=job["lease_token"]
        )


def job_of(claimed: Row) -> Job:
    return Job.model_validate(claimed)
