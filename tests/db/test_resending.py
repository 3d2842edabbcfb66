"""A mail once more: for staff who are asked for it, and for customers who lost theirs."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import SERVICE, Client, Refused
from db.booking_world import Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    return room


def book(shop: Shop, room: str, days: int = 5, email: str | None = "ana@example.test") -> Row:
    made = shop.venue.owner.call(
        "create_booking",
        organization_id=shop.id,
        room_id=room,
        starts_at=shop.at(days),
        party_size=2,
        customer={"full_name": "Ana García", **({"email": email} if email else {})},
        idempotency_key=f"{room}:{days}",
    )
    return dict(made)


def set_status(shop: Shop, booking: Row, to_status: str) -> None:
    shop.venue.owner.call(
        "transition_booking",
        organization_id=shop.id,
        booking_id=booking["id"],
        to_status=to_status,
    )


def resend(shop: Shop, booking: Row, key: str = "again", **more: object) -> Any:
    return shop.venue.owner.call(
        "resend_booking_email",
        organization_id=shop.id,
        booking_id=booking["id"],
        idempotency_key=key,
        **more,
    )


def jobs(shop: Shop, template: str) -> list[Row]:
    return shop.house.owner_sql(
        "select * from private.jobs where organization_id = %s and kind = 'email.send'"
        " and payload ->> 'template' = %s order by id",
        shop.id,
        template,
    )


def said(shop: Shop, job: Row) -> Any:
    """What a mail says when it is prepared; None: it is not sent."""
    function = shop.house.one(
        "select content_function from private.email_templates where name = %s",
        job["payload"]["template"],
    )
    return shop.house.one(f"select private.{function}(%s, %s)", shop.id, Jsonb(job["payload"]))


class TestADeskBooking:
    def test_one_that_is_to_be_paid_is_told_how_unless_it_was_confirmed_meanwhile(
        self, shop: Shop, room: str
    ) -> None:
        booking = book(shop, room)
        [job] = jobs(shop, "booking_pending")
        assert (job["run_at"] - job["created_at"]).total_seconds() == 120
        mail = said(shop, job)
        assert mail["to"] == {"name": "Ana García", "email": "ana@example.test"}
        assert mail["data"]["due_now_cents"] == booking["due_now_cents"] > 0
        assert mail["data"]["manage_url_token"] == booking["manage_token"]
        set_status(shop, booking, "confirmed")
        assert said(shop, job) is None
        assert len(jobs(shop, "booking_confirmed")) == 1

    def test_one_that_costs_nothing_now_is_confirmed_and_told_so_alone(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_room(room, price_cents=0)
        assert book(shop, room)["status"] == "confirmed"
        assert len(jobs(shop, "booking_confirmed")) == 1
        assert jobs(shop, "booking_pending") == []

    def test_one_without_an_address_is_told_nothing(self, shop: Shop, room: str) -> None:
        book(shop, room, email=None)
        assert jobs(shop, "booking_pending") == []


class TestSendingAgain:
    def test_what_is_sent_is_how_the_booking_stands(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        assert resend(shop, booking, "a")["template"] == "booking_pending"
        set_status(shop, booking, "confirmed")
        assert resend(shop, booking, "b")["template"] == "booking_confirmed"
        set_status(shop, booking, "cancelled")
        assert resend(shop, booking, "c")["template"] == "booking_cancelled"

    def test_its_event_is_the_present_version_of_the_one_in_the_calendar(
        self, shop: Shop, room: str
    ) -> None:
        booking = book(shop, room)
        set_status(shop, booking, "confirmed")
        shop.venue.owner.call(
            "change_booking",
            organization_id=shop.id,
            booking_id=booking["id"],
            starts_at=shop.at(6),
            idempotency_key="later",
        )
        resent = resend(shop, booking)
        [first, again] = jobs(shop, "booking_confirmed")
        known = shop.house.one("select private.mail_id(%s)::text", again["dedupe_key"])
        assert known == resent["id"]
        [moved] = jobs(shop, "booking_rescheduled")
        told, present = said(shop, moved)["data"], said(shop, again)["data"]
        for field in ("event_id", "event_version", "starts_at"):
            assert present[field] == told[field]
        assert said(shop, first)["data"]["event_version"] < present["event_version"]
        assert present["previous"] is None

    def test_one_that_is_overtaken_is_not_sent(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        set_status(shop, booking, "confirmed")
        resend(shop, booking)
        [_, again] = jobs(shop, "booking_confirmed")
        assert said(shop, again) is not None
        set_status(shop, booking, "cancelled")
        assert said(shop, again) is None

    def test_a_payment_link_is_sent_while_something_can_be_paid(
        self, shop: Shop, room: str
    ) -> None:
        booking = book(shop, room)
        assert resend(shop, booking, kind="payment")["template"] == "payment_request"
        [job] = jobs(shop, "payment_request")
        assert said(shop, job)["data"]["payable_cents"] == booking["total_cents"]
        shop.venue.owner.call(
            "record_payment",
            organization_id=shop.id,
            booking_id=booking["id"],
            method="cash",
            amount_cents=booking["total_cents"],
            idempotency_key="paid",
        )
        assert said(shop, job) is None
        with refused(409, "nothing_to_send"):
            resend(shop, booking, "more", kind="payment")

    def test_a_link_that_staff_copy_pays_and_does_nothing_else(self, shop: Shop, room: str) -> None:
        """Who may take money, and whoever has the link later, read nobody's name by it."""
        booking = book(shop, room)
        cashier = shop.venue.hire("till", shop.venue.make_role("Till", ["payments:create"]))
        given = cashier.call("get_payment_link", organization_id=shop.id, booking_id=booking["id"])
        opens = {"reference": given["reference"], "manage_token": given["pay_token"]}
        own = {"reference": booking["reference"], "manage_token": booking["manage_token"]}
        mine = shop.visitor.call("get_booking", **own)
        seen = shop.visitor.call("get_booking", **opens)
        assert seen["payable_cents"] == given["payable_cents"] == mine["payable_cents"] > 0
        assert (seen["room_name"], seen["starts_at"]) == (mine["room_name"], mine["starts_at"])
        assert seen["customer"] == {"full_name": "", "email": None}
        assert not seen["cancellable"] and not seen["reschedulable"]
        for word in (mine["customer"]["full_name"], mine["customer"]["email"]):
            assert word and word not in str(seen)
        for function, more in (
            ("cancel_booking", {}),
            ("withdraw_consent", {"kind": "marketing"}),
            ("quote_reschedule", {"party_size": 3}),
            ("announce_late", {"minutes": 5}),
            ("get_game_result", {}),
        ):
            with refused(404, "booking_not_found"):
                shop.visitor.call(function, **opens, **more)
        other = book(shop, room, 6)
        for wrong in (
            {**opens, "reference": other["reference"]},
            {**opens, "manage_token": opens["manage_token"][:-1] + "_"},
            {**opens, "manage_token": "A" * 86},
        ):
            with refused(404, "booking_not_found"):
                shop.visitor.call("get_booking", **wrong)
        service = Client(shop.house.connection, SERVICE)
        opened = service.call("service.open_checkout", **opens)
        assert (opened["reference"], opened["customer_email"]) == (booking["reference"], None)
        # The same page: it does not come to show more.
        assert service.call("service.open_checkout", **own)["customer_email"] is None

    def test_asked_again_with_its_key_it_is_one_mail(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        first = resend(shop, booking)
        assert resend(shop, booking) == first
        assert len(jobs(shop, "booking_pending")) == 2  # its own, and this
        assert resend(shop, booking, "another") != first
        with refused(422, "idempotency_key_reused"):
            resend(shop, booking, kind="payment")

    def test_the_booking_s_mails_show_it(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        resent = resend(shop, booking)
        [newest, _] = shop.venue.owner.select(
            "select * from public.booking_emails(%s, %s)", shop.id, booking["id"]
        )
        assert (str(newest["id"]), newest["status"]) == (resent["id"], "waiting")

    def test_what_cannot_be_sent_is_refused(self, shop: Shop, room: str) -> None:
        silent = book(shop, room, email=None)
        with refused(409, "address_missing"):
            resend(shop, silent)
        held = shop.hold(room, shop.at(3, "11:30"))
        held["id"] = shop.id_of(held)
        with refused(409, "nothing_to_send"):
            resend(shop, held)
        with refused(422, "email_kind_invalid"):
            resend(shop, silent, kind="newsletter")

    def test_it_counts_for_the_desk_s_limit(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)  # the first
        for number in range(19):
            resend(shop, booking, f"key {number}")
        with refused(429, "mail_limit_reached"):
            resend(shop, booking, "one more")
        assert len(jobs(shop, "booking_pending")) == 20

    def test_a_game_master_may_not(self, shop: Shop, room: str) -> None:
        booking = book(shop, room)
        with refused(403, "permission_denied"):
            shop.venue.hire("gus").call(
                "resend_booking_email",
                organization_id=shop.id,
                booking_id=booking["id"],
                idempotency_key="mine",
            )


class TestPreviews:
    def test_a_preview_says_what_a_mail_would_without_sending_it_or_showing_a_secret(
        self, shop: Shop, room: str
    ) -> None:
        booking = book(shop, room)
        queued = len(jobs(shop, "booking_pending"))
        about = {"organization_id": shop.id, "booking_id": booking["id"]}
        seen = shop.venue.owner.call("preview_booking_email", **about)
        assert seen["to_name"] == "Ana García"
        assert seen["data"]["reference"] == booking["reference"]
        assert seen["data"]["payable_cents"] == booking["total_cents"]
        assert len(jobs(shop, "booking_pending")) == queued
        for secret in (booking["manage_token"], "ana@example.test"):
            assert secret not in str(seen)
        assert seen["data"]["manage_url_token"] == "preview"
        assert "check_in_code" not in seen["data"]
        with refused(403, "permission_denied"):
            shop.venue.hire("gus").call("preview_booking_email", **about)


class TestLostMails:
    def ask(self, shop: Shop, email: str = "ana@example.test", **headers: str) -> Any:
        visitor = shop.visitor.sending(**headers) if headers else shop.visitor
        return visitor.call("email_my_bookings", slug=shop.slug, email=email)

    def test_whoever_booked_gets_the_links_of_what_is_to_come(self, shop: Shop, room: str) -> None:
        first, second, gone = book(shop, room, 5), book(shop, room, 6), book(shop, room, 7)
        set_status(shop, first, "confirmed")
        set_status(shop, gone, "cancelled")
        assert self.ask(shop, " ANA@example.test ") in (None, "")
        [job] = jobs(shop, "my_bookings")
        assert "ana" not in str(job).lower()
        mail = said(shop, job)
        assert mail["to"]["email"] == "ana@example.test"
        assert [(b["reference"], b["manage_url_token"]) for b in mail["data"]["bookings"]] == [
            (made["reference"], made["manage_token"]) for made in (first, second)
        ]

    def test_nobody_learns_whether_an_address_is_known(self, shop: Shop, room: str) -> None:
        book(shop, room)
        known, unknown = self.ask(shop), self.ask(shop, "nobody@example.test")
        assert known == unknown
        mails = [said(shop, job) for job in jobs(shop, "my_bookings")]
        assert [mail is None for mail in mails] == [False, True]

    def test_of_another_venue_and_of_what_is_over_nothing_is_told(
        self, shop: Shop, room: str, house: House
    ) -> None:
        other = open_shop(house, "Other")
        elsewhere = other.add_room()
        other.open_on(elsewhere, "10:00", "22:00")
        book(other, elsewhere)
        over = book(shop, room)
        set_status(shop, over, "confirmed")
        shop.move_in_time(over, -shop.starts_at(over).__sub__(shop.at(-5)))
        self.ask(shop)
        [job] = jobs(shop, "my_bookings")
        assert said(shop, job) is None

    def test_a_booking_whose_link_confirms_it_is_not_among_them(
        self, shop: Shop, room: str
    ) -> None:
        """Else whoever booked could take the place by asking for the links."""
        shop.set_room(room, price_cents=0)
        shop.set_calendar(confirm_by_email=True)
        shop.hold(
            room,
            shop.at(3, "11:30"),
            customer={"full_name": "Ana", "email": "ana@example.test"},
            total=0,
        )
        self.ask(shop)
        [job] = jobs(shop, "my_bookings")
        assert said(shop, job) is None

    def test_asked_again_within_the_hour_it_is_one_mail(self, shop: Shop, room: str) -> None:
        book(shop, room)
        self.ask(shop)
        self.ask(shop)
        assert len(jobs(shop, "my_bookings")) == 1

    @pytest.mark.parametrize("email", ["ana@example.test", "nobody@example.test"])
    def test_it_is_limited_and_the_limit_tells_nothing(
        self, shop: Shop, room: str, email: str
    ) -> None:
        book(shop, room)
        for _ in range(4):
            self.ask(shop, email, x_forwarded_for="203.0.113.9")
        with refused(429, "mail_limit_reached"):
            self.ask(shop, email, x_forwarded_for="203.0.113.9")

    def test_who_asks_for_many_addresses_is_stopped(self, shop: Shop) -> None:
        for number in range(10):
            self.ask(shop, f"p{number}@example.test", x_forwarded_for="203.0.113.9")
        with refused(429, "rate_limited"):
            self.ask(shop, "p@example.test", x_forwarded_for="203.0.113.9")

    @pytest.mark.parametrize("email", ["", "x", None])
    def test_what_is_no_address_is_refused(self, shop: Shop, email: Any) -> None:
        with pytest.raises(Refused, match="email_invalid"):
            self.ask(shop, email)
