"""Mail: nobody uses us to fill a stranger's mailbox, and nobody's real mails are locked out."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client import Caller, Client, Refused
from db.money_world import TOTAL, Booking, Database, Venue, make_venue, member


@pytest.fixture
def venue(money: Database) -> Venue:
    """One whose room is paid at the venue: a booking costs its visitor nothing."""
    money.run("delete from private.jobs; delete from private.rate_limits")
    return free(make_venue(money))


def free(venue: Venue) -> Venue:
    venue.owner.change("update public.rooms set deposit_kind = 'none' where id = %s", venue.room_id)
    return venue


def calendar(venue: Venue, **values: object) -> None:
    for name, value in values.items():
        venue.owner.change(
            f"update public.calendars set {name} = %s where slug = %s", value, venue.slug
        )


def address() -> str:
    """A visitor's network address that nobody else has."""
    return f"2001:db8:{uuid.uuid4().hex[:4]}:{uuid.uuid4().hex[:4]}::1"


def visitor(venue: Venue, at: str | None = None) -> Client:
    return venue.public.sending(x_forwarded_for=at or address())


def hold(venue: Venue, email: str, at: str | None = None) -> dict[str, Any]:
    held = visitor(venue, at).call(
        "hold_booking",
        slug=venue.slug,
        room_id=venue.room_id,
        starts_at=venue.slot(),
        party_size=2,
        customer={"full_name": "Ada Byron", "email": email},
        expected_total_cents=TOTAL,
        idempotency_key=str(uuid.uuid4()),
    )
    return dict(held)


def cancel(venue: Venue, held: dict[str, Any]) -> None:
    visitor(venue).call(
        "cancel_booking", reference=held["reference"], manage_token=held["manage_token"]
    )


def booking_id(venue: Venue, held: dict[str, Any]) -> str:
    return str(
        venue.database.one(
            "select id from public.bookings where organization_id = %s and reference = %s",
            venue.organization_id,
            held["reference"],
        )
    )


def voucher(venue: Venue, email: str | None, owner: Client | None = None) -> Any:
    return (owner or venue.owner).call(
        "issue_voucher",
        organization_id=venue.organization_id,
        amount_cents=1_000,
        recipient_email=email,
        idempotency_key=str(uuid.uuid4()),
    )


def by_desk(venue: Venue, email: str | None) -> Any:
    customer = {"full_name": "Ada Byron", **({"email": email} if email else {})}
    return venue.owner.call(
        "create_booking",
        organization_id=venue.organization_id,
        room_id=venue.room_id,
        starts_at=venue.slot(),
        party_size=2,
        customer=customer,
        idempotency_key=str(uuid.uuid4()),
    )


def fill(venue: Venue, day: date) -> None:
    """Book every time of a day."""
    for start in venue.public.select(
        "select starts_at from public.get_availability(%s, %s, %s) where seats_available > 0",
        venue.slug,
        day,
        day,
    ):
        venue.hold(start["starts_at"])


def allow(money: Database, source: str, **numbers: int) -> None:
    for name, number in numbers.items():
        money.run(
            f"update private.mail_allowances set {name} = %s where source = %s"
            f" and (recipients_are_shared or '{name}' not like 'reserved%%')",
            number,
            source,
        )


@pytest.fixture(autouse=True)
def _allowances_as_they_were(money: Database) -> Any:
    rows = money.all("select * from private.mail_allowances")
    yield
    for row in rows:
        money.run(
            "update private.mail_allowances set per_recipient = %s, per_network = %s,"
            " per_organization = %s, reserved_per_sender = %s, reserved_per_network = %s"
            " where source = %s and organization_age = %s",
            row["per_recipient"],
            row["per_network"],
            row["per_organization"],
            row["reserved_per_sender"],
            row["reserved_per_network"],
            row["source"],
            row["organization_age"],
        )


def age(venue: Venue, days: int) -> None:
    venue.database.run(
        "update public.organizations set created_at = now() - %s * interval '1 day' where id = %s",
        days,
        venue.organization_id,
    )


# -- bookings that cost nothing ----------------------------------------------------------------


def test_one_e_mail_cannot_fill_a_calendar_from_many_network_addresses(venue: Venue) -> None:
    calendar(venue, holds_per_address=2)
    victim = f"{uuid.uuid4()}@example.com"
    for _ in range(6):
        assert hold(venue, victim)["status"] == "confirmed"
    with pytest.raises(Refused) as refused:
        hold(venue, victim)
    assert (refused.value.status, refused.value.code) == (429, "too_many_unpaid_bookings")
    assert refused.value.details == {"maximum": 6}


def test_one_network_address_cannot_fill_a_calendar_of_free_rooms(venue: Venue) -> None:
    at = address()
    for _ in range(5):
        hold(venue, f"{uuid.uuid4()}@example.com", at)
    with pytest.raises(Refused, match="too_many_holds"):
        hold(venue, f"{uuid.uuid4()}@example.com", at)


def test_who_cancels_or_pays_may_book_again(venue: Venue) -> None:
    calendar(venue, holds_per_address=1)
    email, at = f"{uuid.uuid4()}@example.com", address()
    first = hold(venue, email, at)
    cancel(venue, first)
    second = hold(venue, email, at)
    with pytest.raises(Refused, match="too_many_holds"):
        hold(venue, email, at)
    venue.owner.call(
        "record_payment",
        organization_id=venue.organization_id,
        booking_id=booking_id(venue, second),
        method="cash",
        amount_cents=TOTAL,
        idempotency_key=str(uuid.uuid4()),
    )
    hold(venue, email, at)


def test_what_staff_book_counts_for_nobody(venue: Venue) -> None:
    calendar(venue, holds_per_address=1)
    email = f"{uuid.uuid4()}@example.com"
    by_desk(venue, email)
    by_desk(venue, email)
    hold(venue, email)


def test_an_unpaid_hold_of_one_e_mail_counts_wherever_it_comes_from(money: Database) -> None:
    venue = make_venue(money)
    calendar(venue, holds_per_address=1)
    email = f"{uuid.uuid4()}@example.com"
    hold(venue, email)
    hold(venue, email)
    second = hold(venue, email)
    with pytest.raises(Refused, match="too_many_unpaid_bookings"):
        hold(venue, email)
    venue.let_lapse(Booking(booking_id(venue, second), "", "", venue.slot()))
    hold(venue, email)


# -- an address that somebody else typed -------------------------------------------------------


def owner_of(venue: Venue, email: str, *, proven: bool = True) -> Client:
    """Somebody who signed up with the address, in a network of their own."""
    database = venue.database
    user = database.sign_up()
    database.admin.execute("update auth.users set email = %s where id = %s", (email, user))
    account = database.client(Caller.person(user)).sending(x_forwarded_for=address())
    if proven:
        prove(venue, account)
    return account


def prove(venue: Venue, account: Client) -> None:
    """A mail to the account's address came back."""
    venue.database.run("select private.vouch_for_address(%s)", account.id)


def book(venue: Venue, email: str, client: Client) -> dict[str, Any]:
    held = client.call(
        "hold_booking",
        slug=venue.slug,
        room_id=venue.room_id,
        starts_at=venue.slot(),
        party_size=2,
        customer={"full_name": "Ada Byron", "email": email},
        expected_total_cents=TOTAL,
        idempotency_key=str(uuid.uuid4()),
    )
    return dict(held)


class TestAStrangerWhoTypesSomebodysAddress:
    @pytest.fixture
    def victim(self) -> str:
        return f"{uuid.uuid4()}@example.com"

    def test_keeps_nobody_from_holding_in_a_network_of_their_own(
        self, venue: Venue, victim: str
    ) -> None:
        calendar(venue, holds_per_address=2)
        stranger = address()
        for _ in range(2):
            hold(venue, victim, stranger)
        with pytest.raises(Refused, match="too_many_holds"):
            hold(venue, victim, stranger)
        assert hold(venue, victim)["status"] == "confirmed"

    def test_keeps_nobody_from_holding_who_has_proven_it(self, venue: Venue, victim: str) -> None:
        calendar(venue, holds_per_address=1)
        for _ in range(3):
            hold(venue, victim)
        account = owner_of(venue, victim, proven=False)
        with pytest.raises(Refused, match="too_many_unpaid_bookings"):
            book(venue, victim, account)
        other = owner_of(venue, f"{uuid.uuid4()}@example.com")
        with pytest.raises(Refused, match="too_many_unpaid_bookings"):
            book(venue, victim, other)
        prove(venue, account)
        assert book(venue, victim, account)["status"] == "confirmed"
        # Bounded for its owner too, whatever network they come from.
        account = account.sending(x_forwarded_for=address())
        with pytest.raises(Refused) as refused:
            book(venue, victim, account)
        assert (refused.value.code, refused.value.details) == (
            "too_many_unpaid_bookings",
            {"maximum": 4},
        )

    def test_uses_up_no_mails_of_another_network(self, venue: Venue, victim: str) -> None:
        allow(venue.database, "visitor", per_network=2)
        stranger = address()
        for _ in range(2):
            cancel(venue, hold(venue, victim, stranger))
        with pytest.raises(Refused) as refused:
            hold(venue, victim, stranger)
        assert refused.value.details == {"limit": "visitor/network", "maximum": 2}
        hold(venue, victim)
        # Nor is the stranger's network kept from writing to others.
        hold(venue, f"{uuid.uuid4()}@example.com", stranger)

    def test_uses_up_no_mails_of_whoever_has_proven_it(self, venue: Venue, victim: str) -> None:
        allow(venue.database, "visitor", per_recipient=3)
        for _ in range(3):
            cancel(venue, hold(venue, victim))
        account = owner_of(venue, victim, proven=False)
        for client in (visitor(venue), account):
            with pytest.raises(Refused) as refused:
                book(venue, victim, client)
            assert refused.value.details == {"limit": "visitor/recipient", "maximum": 3}
        prove(venue, account)
        assert book(venue, victim, account)["status"] == "confirmed"

    def test_uses_up_no_places_in_a_waiting_list_of_whoever_has_proven_it(
        self, venue: Venue, victim: str
    ) -> None:
        calendar(venue, waitlist_minutes=60)
        day = venue.slot().date()
        fill(venue, day)

        def join(client: Client) -> None:
            client.call(
                "join_waitlist",
                slug=venue.slug,
                room_id=venue.room_id,
                from_date=day,
                to_date=day,
                party_size=2,
                customer={"full_name": "Ada", "email": victim},
                idempotency_key=str(uuid.uuid4()),
            )

        for _ in range(3):
            join(visitor(venue))
        with pytest.raises(Refused, match="too_many_waitlist_entries"):
            join(visitor(venue))
        proven = owner_of(venue, victim)
        for _ in range(3):
            join(proven)
        with pytest.raises(Refused, match="too_many_waitlist_entries"):
            join(proven)


# -- mails to whomever somebody names ----------------------------------------------------------


def test_booking_and_cancelling_in_turn_fills_nobody_s_mailbox(venue: Venue) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "visitor", per_recipient=3)
    for _ in range(3):
        cancel(venue, hold(venue, victim))
    with pytest.raises(Refused) as refused:
        hold(free(make_venue(venue.database)), victim.upper())
    assert (refused.value.status, refused.value.code) == (429, "mail_limit_reached")
    assert refused.value.details == {"limit": "visitor/recipient", "maximum": 3}


def test_a_stranger_who_uses_up_what_visitors_may_send_keeps_no_real_mail_out(
    venue: Venue,
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "visitor", per_recipient=1)
    hold(venue, victim)
    with pytest.raises(Refused, match="mail_limit_reached"):
        hold(venue, victim)
    # The venue itself still writes to them, and so does a booking that is paid.
    by_desk(venue, victim)
    voucher(venue, victim)
    paying = make_venue(venue.database)
    held = hold(paying, victim)
    paying.pay(
        Booking(booking_id(paying, held), held["reference"], held["manage_token"], venue.slot())
    )
    assert [job["payload"]["template"] for job in paying.jobs("email.send")] == [
        "booking_held",  # would remind them of the hold; not sent, since it was paid
        "booking_confirmed",
    ]


def test_a_young_organization_sends_few_vouchers_and_invitations_to_one_address(
    venue: Venue,
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    for _ in range(4):
        voucher(venue, victim)
    role = venue.database.one(
        "select id from public.roles where organization_id = %s and key = 'game_master'",
        venue.organization_id,
    )
    invite = {"organization_id": venue.organization_id, "role_id": role}
    venue.owner.call("invite_member", email=victim, **invite)
    with pytest.raises(Refused, match="mail_limit_reached"):
        venue.owner.call("invite_member", email=victim, **invite)
    # Nor do several of them together: what another one has for itself is one mail.
    twin = make_venue(venue.database)
    voucher(twin, victim)
    with pytest.raises(Refused, match="mail_limit_reached"):
        voucher(twin, victim)
    # Without a mail there is no limit.
    voucher(venue, None)
    assert len(venue.jobs("email.send")) == 5


@pytest.fixture
def young(money: Database) -> list[Venue]:
    """Fresh venues of different people."""
    money.run("delete from private.jobs; delete from private.rate_limits")
    return [make_venue(money) for _ in range(5)]


def invite(venue: Venue, email: str, by: Client | None = None) -> Any:
    role = venue.database.one(
        "select id from public.roles where organization_id = %s and key = 'game_master'",
        venue.organization_id,
    )
    return (by or venue.owner).call(
        "invite_member", organization_id=venue.organization_id, email=email, role_id=role
    )


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(sends=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), max_size=30))
def test_no_stranger_uses_up_a_venue_s_way_of_inviting_and_no_cannon_fills_a_mailbox(
    young: list[Venue], sends: list[tuple[int, int]]
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    young[0].database.run("delete from private.rate_limits")
    *strangers, venue = young
    networks = [address(), address()]
    sent = 0
    for who, where in sends:
        with suppress(Refused):
            voucher(
                strangers[who],
                victim,
                strangers[who].owner.sending(x_forwarded_for=networks[where]),
            )
            sent += 1
    assert sent <= min(5 + 3 * len(networks), 5 + len(strangers))
    assert sent >= min(len(sends), 5)
    invite(venue, victim, venue.owner.sending(x_forwarded_for=address()))


def test_many_accounts_behind_one_address_are_no_more_than_a_few(young: list[Venue]) -> None:
    allow(young[0].database, "organization", per_recipient=1, reserved_per_network=2)
    victim, at = f"{uuid.uuid4()}@example.com", address()
    for venue in young[:3]:
        invite(venue, victim, venue.owner.sending(x_forwarded_for=at))
    with pytest.raises(Refused) as refused:
        invite(young[3], victim, young[3].owner.sending(x_forwarded_for=at))
    assert refused.value.details == {"limit": "organization/recipient", "maximum": 1}
    # The refusal counted nothing: from elsewhere it is the first one.
    invite(young[3], victim, young[3].owner.sending(x_forwarded_for=address()))


def test_who_had_a_part_of_what_is_shared_has_no_reserve_beside_it(young: list[Venue]) -> None:
    allow(young[0].database, "organization", per_recipient=1)
    victim = f"{uuid.uuid4()}@example.com"
    voucher(young[0], victim)
    with pytest.raises(Refused, match="mail_limit_reached"):
        voucher(young[0], victim)
    # Nor in another organization, nor for another spelling of the mailbox.
    with pytest.raises(Refused, match="mail_limit_reached"):
        voucher(young[0], victim.replace("@", "+2@"))
    voucher(young[1], victim)
    other = young[1].owner.call("create_organization", name="Another", locale="en")["id"]
    with pytest.raises(Refused, match="mail_limit_reached"):
        young[1].owner.call(
            "issue_voucher",
            organization_id=other,
            amount_cents=1_000,
            recipient_email=victim,
            idempotency_key="other",
        )
    # Somebody else is another matter.
    voucher(young[1], f"{uuid.uuid4()}@example.com")


def test_all_keys_of_an_organization_are_one_sender(young: list[Venue]) -> None:
    allow(young[0].database, "organization", per_recipient=1)
    victim = f"{uuid.uuid4()}@example.com"
    voucher(young[0], victim)
    venue = young[1]
    keys = []
    for name in ("One", "Two"):
        made = venue.owner.call(
            "create_api_key",
            organization_id=venue.organization_id,
            name=name,
            permissions=["vouchers:manage"],
        )
        caller = Caller.api_key(made["id"], venue.organization_id)
        keys.append(Client(venue.owner.connection, caller))
    voucher(venue, victim, keys[0])
    with pytest.raises(Refused, match="mail_limit_reached"):
        voucher(venue, victim, keys[1])


def test_the_desk_of_a_young_venue_books_for_whomever_others_wrote_to(young: list[Venue]) -> None:
    allow(young[0].database, "desk", per_recipient=1)
    victim = f"{uuid.uuid4()}@example.com"
    by_desk(young[0], victim)
    by_desk(young[1], victim)
    with pytest.raises(Refused, match="mail_limit_reached"):
        by_desk(young[1], victim)


def test_who_opens_ten_organizations_has_the_allowance_of_one(venue: Venue) -> None:
    allow(venue.database, "organization", per_organization=2)
    twin = venue.owner.call("create_organization", name="Another", locale="en")["id"]
    for organization in (venue.organization_id, twin):
        venue.owner.call(
            "issue_voucher",
            organization_id=organization,
            amount_cents=1_000,
            recipient_email=f"{uuid.uuid4()}@example.com",
            idempotency_key="one",
        )
    with pytest.raises(Refused) as refused:
        voucher(venue, f"{uuid.uuid4()}@example.com")
    assert refused.value.details == {"limit": "organization/user", "maximum": 2}


def test_an_old_organization_is_not_limited_by_what_young_ones_send(venue: Venue) -> None:
    recipient = f"{uuid.uuid4()}@example.com"
    for _ in range(5):
        voucher(venue, recipient)
    old = make_venue(venue.database)
    age(old, 15)
    for _ in range(20):
        voucher(old, recipient)
    with pytest.raises(Refused) as refused:
        voucher(old, recipient)
    assert refused.value.details == {"limit": "organization/recipient", "maximum": 20}


def test_what_the_desk_books_is_limited_and_can_always_be_booked_without_an_address(
    venue: Venue,
) -> None:
    allow(venue.database, "desk", per_organization=2)
    for _ in range(2):
        by_desk(venue, f"{uuid.uuid4()}@example.com")
    with pytest.raises(Refused, match="mail_limit_reached"):
        by_desk(venue, f"{uuid.uuid4()}@example.com")
    by_desk(venue, None)


def test_a_place_in_a_waiting_list_counts_as_the_mail_that_it_will_cause(venue: Venue) -> None:
    calendar(venue, waitlist_minutes=60)
    allow(venue.database, "visitor", per_recipient=1)
    day = venue.slot().date()
    victim = f"{uuid.uuid4()}@example.com"

    def join() -> Any:
        return visitor(venue).call(
            "join_waitlist",
            slug=venue.slug,
            room_id=venue.room_id,
            from_date=day,
            to_date=day,
            party_size=2,
            customer={"full_name": "Ada", "email": victim},
            idempotency_key=str(uuid.uuid4()),
        )

    fill(venue, day)
    join()
    with pytest.raises(Refused, match="mail_limit_reached"):
        join()


# -- several changes are one mail --------------------------------------------------------------


def moved(venue: Venue, held: dict[str, Any]) -> None:
    visitor(venue).call(
        "reschedule_booking",
        reference=held["reference"],
        manage_token=held["manage_token"],
        starts_at=venue.slot(),
        expected_total_cents=TOTAL,
        idempotency_key=str(uuid.uuid4()),
    )


def send_what_is_due(venue: Venue, *, later: bool = True) -> list[dict[str, Any]]:
    """What the worker sends; `later`: when the pauses are over."""
    if later:
        venue.database.run("update private.jobs set run_at = now() where status = 'queued'")
    sent = []
    while jobs := venue.service.call(
        "service.claim_jobs", worker="w", max_jobs=20, lease_seconds=60
    ):
        for job in jobs:
            lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
            mail = venue.service.call("service.prepare_email", **lease)
            if mail is not None:
                sent.append(mail)
                venue.service.call(
                    "service.record_email",
                    **lease,
                    provider="resend",
                    provider_message_id=str(uuid.uuid4()),
                )
            venue.service.call("service.complete_job", **lease)
    return sent


def test_eight_changes_within_minutes_are_one_mail_that_tells_them_all(venue: Venue) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    assert [mail["template"] for mail in send_what_is_due(venue)] == ["booking_confirmed"]
    for _ in range(8):
        moved(venue, held)
    assert send_what_is_due(venue, later=False) == []
    [mail] = send_what_is_due(venue)
    now = visitor(venue).call(
        "get_booking", reference=held["reference"], manage_token=held["manage_token"]
    )
    assert mail["template"] == "booking_rescheduled"
    assert mail["data"]["starts_at"] == now["starts_at"]
    assert mail["data"]["previous"]["starts_at"] == held["starts_at"]
    assert mail["data"]["event_version"] == 8


def test_what_was_changed_and_changed_back_is_told_to_nobody(venue: Venue) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    send_what_is_due(venue)
    moved(venue, held)
    visitor(venue).call(
        "reschedule_booking",
        reference=held["reference"],
        manage_token=held["manage_token"],
        starts_at=held["starts_at"],
        expected_total_cents=TOTAL,
        idempotency_key=str(uuid.uuid4()),
    )
    assert send_what_is_due(venue) == []


def test_the_more_often_a_booking_is_moved_the_longer_its_mails_wait(venue: Venue) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    send_what_is_due(venue)
    waits = []
    for _ in range(9):
        moved(venue, held)
        waits.append(
            venue.database.one(
                "select extract(epoch from run_at - now())::int / 60 from private.jobs"
                " where status = 'queued' and organization_id = %s",
                venue.organization_id,
            )
        )
        assert len(send_what_is_due(venue)) == 1
    assert [round(wait) for wait in waits[:4]] == pytest.approx([2, 4, 8, 16], abs=1)
    assert waits[-1] <= 240


def test_a_cancellation_is_told_at_once(venue: Venue) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    send_what_is_due(venue)
    moved(venue, held)
    cancel(venue, held)
    assert [mail["template"] for mail in send_what_is_due(venue, later=False)] == [
        "booking_cancelled"
    ]
    assert send_what_is_due(venue) == []


# -- a click in the mail -----------------------------------------------------------------------


def confirmation_token(venue: Venue) -> str:
    [mail] = send_what_is_due(venue)
    assert mail["template"] == "booking_to_confirm"
    return str(mail["data"]["confirmation_token"])


def confirm(venue: Venue, held: dict[str, Any], token: str) -> Any:
    return visitor(venue).call(
        "confirm_booking", reference=held["reference"], confirmation_token=token
    )


def test_a_free_booking_is_confirmed_by_the_link_in_its_mail(venue: Venue) -> None:
    calendar(venue, confirm_by_email=True)
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    assert (held["status"], held["confirm_by_email"]) == ("held", True)
    token = confirmation_token(venue)
    confirmed = confirm(venue, held, token)
    assert (confirmed["status"], confirmed["confirm_by_email"]) == ("confirmed", False)
    assert confirmed["manage_token"] == held["manage_token"]
    # The link opened twice says the same.
    assert confirm(venue, held, token) == confirmed
    assert [mail["template"] for mail in send_what_is_due(venue)] == ["booking_confirmed"]


def test_who_holds_a_place_cannot_confirm_it_without_the_mail(venue: Venue) -> None:
    calendar(venue, confirm_by_email=True)
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    for token in (held["manage_token"], "", "x"):
        with pytest.raises(Refused, match="booking_not_found"):
            confirm(venue, held, token)
    with pytest.raises(Refused, match="not_reschedulable"):
        moved(venue, held)
    with pytest.raises(Refused):
        venue.service.call(
            "service.open_checkout",
            reference=held["reference"],
            manage_token=held["manage_token"],
        )
    assert (
        venue.see(Booking("", held["reference"], held["manage_token"], venue.slot()))["status"]
        == "held"
    )


def test_a_place_that_nobody_confirms_is_given_back_and_no_mail_follows(venue: Venue) -> None:
    calendar(venue, confirm_by_email=True)
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    token = confirmation_token(venue)
    wanted = Booking(booking_id(venue, held), held["reference"], held["manage_token"], venue.slot())
    left = venue.database.one(
        "select hold_expires_at - now() > interval '59 minutes' from public.bookings where id = %s",
        wanted.id,
    )
    assert left
    venue.lapse(wanted)
    with pytest.raises(Refused) as refused:
        confirm(venue, held, token)
    assert (refused.value.status, refused.value.code) == (409, "confirmation_too_late")
    assert send_what_is_due(venue) == []


def test_a_request_to_confirm_is_not_sent_when_it_came_to_nothing(venue: Venue) -> None:
    calendar(venue, confirm_by_email=True)
    cancel(venue, hold(venue, f"{uuid.uuid4()}@example.com"))
    assert send_what_is_due(venue) == []


def test_a_booking_that_is_paid_needs_no_click(money: Database) -> None:
    venue = make_venue(money)
    calendar(venue, confirm_by_email=True)
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    assert held["confirm_by_email"] is False
    wanted = Booking(booking_id(venue, held), held["reference"], held["manage_token"], venue.slot())
    venue.pay(wanted)
    assert venue.status(wanted) == "confirmed"


# -- what became of a booking's mails ----------------------------------------------------------


def mails_of(venue: Venue, held: dict[str, Any], reader: Client | None = None) -> Any:
    return (reader or venue.owner).call(
        "booking_emails",
        organization_id=venue.organization_id,
        booking_id=booking_id(venue, held),
    )


def test_a_dead_mail_shows_on_its_booking(venue: Venue) -> None:
    email = f"{uuid.uuid4()}@example.com"
    held = hold(venue, email)
    [waiting] = mails_of(venue, held)
    assert (waiting["status"], waiting["template"]) == ("waiting", "booking_confirmed")
    [job] = venue.service.call("service.claim_jobs", worker="w", max_jobs=1, lease_seconds=60)
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    venue.service.call("service.prepare_email", **lease)
    venue.service.call("service.fail_job", **lease, error="address_refused: SMTP 550", retry=False)
    [dead] = mails_of(venue, held)
    assert (dead["status"], dead["recipient"]) == ("dead", email)
    assert dead["reason"] == "address_refused: SMTP 550"


def test_a_booking_s_mails_say_what_the_provider_reported(venue: Venue) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    send_what_is_due(venue)
    assert [mail["status"] for mail in mails_of(venue, held)] == ["sent"]
    venue.database.run("update private.email_messages set status = 'bounced'")
    cancel(venue, held)
    assert [(mail["template"], mail["status"]) for mail in mails_of(venue, held)] == [
        ("booking_cancelled", "waiting"),
        ("booking_confirmed", "bounced"),
    ]


def test_who_is_not_reached_is_shown_in_the_list_and_on_the_board_until_a_later_mail_is_sent(
    venue: Venue,
) -> None:
    wrong, right = (f"{uuid.uuid4()}@example.com" for _ in range(2))
    held = hold(venue, wrong)
    here = {"organization_id": venue.organization_id, "booking_id": booking_id(venue, held)}

    def problem() -> str | None:
        """As the list of bookings has it; the board says the same."""
        [row] = venue.owner.select(
            "select b.starts_at, p.problem from public.bookings as b"
            " left join public.booking_mail_problems as p"
            " on p.organization_id = b.organization_id and p.booking_id = b.id where b.id = %s",
            here["booking_id"],
        )
        board = venue.owner.call(
            "get_board", organization_id=venue.organization_id, date=row["starts_at"].date()
        )
        shown = {
            booking["id"]: booking["mail_problem"]
            for room in board["locations"][0]["rooms"]
            for session in room["sessions"]
            for booking in session["bookings"]
        }
        assert shown == {here["booking_id"]: row["problem"]}
        found = venue.owner.call(
            "search_bookings", organization_id=venue.organization_id, query=held["reference"]
        )
        assert [seen["mail_problem"] for seen in found["bookings"]] == [row["problem"]]
        # Whatever is shown has its reason beside the mail.
        newest = venue.owner.select("select * from public.booking_emails(%s, %s)", *here.values())
        told = [mail["reason"] for mail in newest if mail["status"] == row["problem"]]
        assert all(told) and bool(told) == (row["problem"] is not None)
        return str(row["problem"]) if row["problem"] else None

    def report(kind: str, minute: int) -> None:
        """Resend tells what became of the first mail, which is the oldest."""
        message = venue.database.one(
            "select provider_message_id from private.email_messages where booking_id = %s"
            " and sent_at is not null order by job_id limit 1",
            here["booking_id"],
        )
        event = {
            "id": str(uuid.uuid4()),
            "type": f"email.{kind}",
            "created_at": f"2030-01-01T00:{minute:02}:00Z",
            "data": {"email_id": message, "to": [wrong], "bounce": {"type": "Permanent"}},
        }
        venue.service.call("service.record_email_event", event=event)

    send_what_is_due(venue)
    assert problem() is None
    report("bounced", 1)
    assert problem() == "bounced"
    # Sent again to the same address nothing goes out, and it says so.
    resend = {**here, "kind": "booking"}
    venue.owner.call("resend_booking_email", **resend, idempotency_key="same address")
    assert problem() == "bounced"
    send_what_is_due(venue)
    assert problem() == "suppressed"
    venue.owner.change("update public.customers set email = %s where email = %s", right, wrong)
    assert problem() == "suppressed"
    venue.owner.call("resend_booking_email", **resend, idempotency_key="corrected")
    assert [mail["to"]["email"] for mail in send_what_is_due(venue)] == [right]
    assert problem() is None
    # What is heard late of the mail to the old address says nothing of this one.
    report("bounced", 2)
    assert problem() is None
    # The mailbox refuses it for good.
    venue.owner.call("resend_booking_email", **resend, idempotency_key="once more")
    [job] = venue.service.call("service.claim_jobs", worker="w", max_jobs=1, lease_seconds=60)
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    venue.service.call("service.prepare_email", **lease)
    venue.service.call("service.fail_job", **lease, error="address_refused: SMTP 550", retry=False)
    assert problem() == "dead"


def test_a_booking_s_mails_are_for_its_staff_and_addresses_for_those_who_see_customers(
    venue: Venue,
) -> None:
    held = hold(venue, f"{uuid.uuid4()}@example.com")
    send_what_is_due(venue)
    reception, game_master = member(venue, "receptionist"), member(venue, "game_master")
    assert mails_of(venue, held, reception)[0]["recipient"]
    assert mails_of(venue, held, game_master)[0]["recipient"] is None
    stranger = make_venue(venue.database)
    with pytest.raises(Refused, match="permission_denied"):
        mails_of(venue, held, stranger.owner)
    with pytest.raises(Refused, match="booking_not_found"):
        stranger.owner.call(
            "booking_emails",
            organization_id=stranger.organization_id,
            booking_id=booking_id(venue, held),
        )


# -- one tenant's work -------------------------------------------------------------------------


def test_sixty_exports_asked_for_at_once_are_one(venue: Venue) -> None:
    asked = {
        venue.owner.call("export_organization", organization_id=venue.organization_id)["id"]
        for _ in range(60)
    }
    assert len(asked) == len(venue.jobs("organization.export")) == 1
    [job] = venue.service.call("service.claim_jobs", worker="w", max_jobs=1, lease_seconds=60)
    again = venue.owner.call("export_organization", organization_id=venue.organization_id)
    assert {again["id"]} == asked
    # One that died without a word keeps nobody from asking again.
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    venue.service.call("service.fail_job", **lease, error="x", retry=False)
    new = venue.owner.call("export_organization", organization_id=venue.organization_id)
    assert {new["id"]} != asked
    assert venue.owner.select("select status from public.organization_exports order by id") == [
        {"status": "failed"},
        {"status": "queued"},
    ]


# -- a hold that is to be paid -----------------------------------------------------------------


@pytest.fixture
def paying(money: Database) -> Venue:
    """One whose bookings are paid at once."""
    money.run("delete from private.jobs; delete from private.rate_limits")
    return make_venue(money)


def as_booking(venue: Venue, held: dict[str, Any]) -> Booking:
    return Booking(
        booking_id(venue, held), held["reference"], held["manage_token"], held["starts_at"]
    )


def test_who_leaves_a_hold_unpaid_is_mailed_its_link_once(paying: Venue) -> None:
    held = hold(paying, f"{uuid.uuid4()}@example.com")
    assert send_what_is_due(paying, later=False) == []
    [mail] = send_what_is_due(paying)
    assert (mail["template"], mail["to"]["name"]) == ("booking_held", "Ada Byron")
    said = mail["data"]
    assert (said["reference"], said["manage_url_token"]) == (
        held["reference"],
        held["manage_token"],
    )
    assert (said["expires_at"], said["due_now_cents"]) == (held["hold_expires_at"], TOTAL)
    assert send_what_is_due(paying) == []


@pytest.mark.parametrize(("minutes", "wait"), [(5, 2), (15, 5), (120, 40)])
def test_it_is_mailed_after_a_third_of_the_hold_and_not_within_two_minutes(
    paying: Venue, minutes: int, wait: int
) -> None:
    calendar(paying, hold_minutes=minutes)
    hold(paying, f"{uuid.uuid4()}@example.com")
    [job] = paying.jobs("email.send")
    assert (job["run_at"] - job["created_at"]).total_seconds() == wait * 60


@pytest.mark.parametrize("what", ["paid", "cancelled", "lapsed"])
def test_a_hold_that_was_paid_or_is_over_is_not_reminded_of(paying: Venue, what: str) -> None:
    booking = as_booking(paying, hold(paying, f"{uuid.uuid4()}@example.com"))
    {"paid": paying.pay, "cancelled": paying.cancel, "lapsed": paying.let_lapse}[what](booking)
    sent = [mail["template"] for mail in send_what_is_due(paying)]
    assert sent == (["booking_confirmed"] if what == "paid" else [])


def test_a_booking_with_nothing_to_pay_is_not_reminded_of(venue: Venue) -> None:
    hold(venue, f"{uuid.uuid4()}@example.com")
    calendar(venue, confirm_by_email=True)
    hold(venue, f"{uuid.uuid4()}@example.com")
    assert sorted(mail["template"] for mail in send_what_is_due(venue)) == [
        "booking_confirmed",
        "booking_to_confirm",
    ]


def test_reminders_count_when_they_are_sent_and_are_left_out_beyond_the_allowance(
    paying: Venue,
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(paying.database, "visitor", per_recipient=1)
    paying.pay(as_booking(paying, hold(paying, victim)))
    hold(paying, victim)
    hold(paying, victim)
    # The paid one was not counted; of the two others the allowance has room for one.
    assert sorted(mail["template"] for mail in send_what_is_due(paying)) == [
        "booking_confirmed",
        "booking_held",
    ]
    # Without the mail the place can still be held.
    assert hold(paying, victim)["status"] == "held"
    assert send_what_is_due(paying) == []
    with pytest.raises(Refused, match="mail_limit_reached"):
        hold(free(make_venue(paying.database)), victim)


def test_a_reminder_that_is_tried_again_counts_once(paying: Venue) -> None:
    allow(paying.database, "visitor", per_recipient=1)
    hold(paying, f"{uuid.uuid4()}@example.com")
    paying.database.run("update private.jobs set run_at = now() where status = 'queued'")
    [job] = paying.service.call("service.claim_jobs", worker="w", max_jobs=9, lease_seconds=60)
    lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
    first, again = (paying.service.call("service.prepare_email", **lease) for _ in range(2))
    assert first == again is not None


# -- the waiting list --------------------------------------------------------------------------


def joined(venue: Venue, **values: object) -> dict[str, Any]:
    calendar(venue, waitlist_minutes=60)
    day = venue.slot().date()
    fill(venue, day)
    venue.database.run("delete from private.jobs")
    entry = visitor(venue).call(
        "join_waitlist",
        **{
            "slug": venue.slug,
            "from_date": day,
            "to_date": day,
            "party_size": 2,
            "customer": {"full_name": "Eva", "email": "eva@example.com", "locale": "ca"},
            "idempotency_key": str(uuid.uuid4()),
            **values,
        },
    )
    return dict(entry)


def test_joining_a_waiting_list_is_confirmed_by_one_mail_with_the_link_to_leave(
    venue: Venue,
) -> None:
    entry = joined(venue)
    [mail] = send_what_is_due(venue, later=False)
    assert (mail["template"], mail["locale"]) == ("waitlist_joined", "ca")
    assert mail["to"] == {"name": "Eva", "email": "eva@example.com"}
    said = mail["data"]
    assert said["waitlist_token"] == entry["waitlist_token"]
    assert (said["from_date"], said["to_date"]) == (entry["from_date"], entry["to_date"])
    assert (said["room_name"], said["starts_at"]) == (None, None)
    assert (said["timezone"], said["offer_minutes"]) == ("Europe/Madrid", 60)
    left = visitor(venue).call("leave_waitlist", token=said["waitlist_token"])
    assert left["status"] == "left"
    assert send_what_is_due(venue) == []


def test_who_waits_for_one_room_is_told_which(venue: Venue) -> None:
    entry = joined(venue, room_id=venue.room_id)
    [mail] = send_what_is_due(venue)
    assert mail["data"]["room_name"] == entry["room_name"] is not None


def test_who_has_left_a_waiting_list_meanwhile_gets_no_mail(venue: Venue) -> None:
    entry = joined(venue)
    visitor(venue).call("leave_waitlist", token=entry["waitlist_token"])
    assert send_what_is_due(venue) == []


# -- one mailbox, however its address is written -----------------------------------------------


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("Ana@Example.com", "ana@example.com"),
        (" ana+1@example.com ", "ana@example.com"),
        ("ana+a+b@example.com", "ana@example.com"),
        ("+ana@example.com", "+ana@example.com"),  # nothing is before the tag
        ("a.n.a@example.com", "a.n.a@example.com"),
        ("A.n.a+x@gmail.com", "ana@gmail.com"),
        ("a.na@googlemail.com", "ana@gmail.com"),
        ("a.na@gmail.com.example", "a.na@gmail.com.example"),
        (None, None),
    ],
)
def test_the_mailbox_of_an_address(money: Database, written: str | None, mailbox: str) -> None:
    assert money.one("select private.mailbox(%s)", written) == mailbox


@pytest.mark.parametrize(
    "spelling",
    ["{0}+{1}@example.com", "{0}+{1}@gmail.com", "{0[0]}.{0[1]}{2}{3}@gmail.com"],
)
def test_tags_and_dots_make_no_more_mails_to_a_mailbox(venue: Venue, spelling: str) -> None:
    allow(venue.database, "visitor", per_recipient=2)
    victim = uuid.uuid4().hex
    dots = [victim[2:], f"{victim[2:5]}.{victim[5:]}", f"{victim[2:9]}.{victim[9:]}"]

    def spelled(turn: int) -> str:
        return spelling.format(victim, turn, dots[turn], "")

    hold(venue, spelled(0))
    hold(free(make_venue(venue.database)), spelled(1))
    with pytest.raises(Refused) as refused:
        hold(venue, spelled(2))
    assert refused.value.details == {"limit": "visitor/recipient", "maximum": 2}


def test_tags_fill_no_calendar(venue: Venue) -> None:
    calendar(venue, holds_per_address=1)
    victim = uuid.uuid4().hex
    # A mailbox may have three times as many as a network address.
    for tag in range(3):
        hold(venue, f"{victim}+{tag}@example.com")
    with pytest.raises(Refused, match="too_many_unpaid_bookings"):
        hold(venue, f"{victim}+3@example.com")


def test_who_books_under_two_tags_is_two_customers(venue: Venue) -> None:
    name = uuid.uuid4().hex
    hold(venue, f"{name}+1@example.com")
    hold(venue, f"{name}+2@example.com")
    assert sorted(
        row["email"] for row in venue.owner.select("select email from public.customers")
    ) == [f"{name}+1@example.com", f"{name}+2@example.com"]


# -- an address that comes later ---------------------------------------------------------------


def desk_customer(venue: Venue, booking: dict[str, Any]) -> str:
    return str(
        venue.database.one("select customer_id from public.bookings where id = %s", booking["id"])
    )


def staff_call(venue: Venue, function: str, booking: dict[str, Any], **more: object) -> Any:
    return venue.owner.call(
        function, organization_id=venue.organization_id, booking_id=booking["id"], **more
    )


def confirmed_by_desk(venue: Venue, email: str | None = None) -> dict[str, Any]:
    booking = by_desk(venue, email)
    if booking["status"] != "confirmed":
        staff_call(venue, "transition_booking", booking, to_status="confirmed")
    return dict(booking)


def cancel_by_desk(venue: Venue, booking: dict[str, Any]) -> None:
    staff_call(venue, "transition_booking", booking, to_status="cancelled")


def address_by_patch(venue: Venue, customers: list[str], email: str) -> None:
    """One customer after the other has the address."""
    [customer, *others] = customers
    venue.owner.change("update public.customers set email = %s where id = %s", email, customer)
    for other in others:
        merge(venue, customer, other)


def merge(venue: Venue, keep: str, other: str) -> None:
    venue.owner.call(
        "merge_customers", organization_id=venue.organization_id, keep_id=keep, merge_id=other
    )


def address_by_merge(venue: Venue, customers: list[str], email: str) -> None:
    """Somebody who has the address, and never booked, takes all the others over."""
    kept = venue.owner.select(
        "insert into public.customers (email, full_name, locale) values (%s, 'Ada', 'en')"
        " returning id",
        email,
    )[0]["id"]
    for customer in customers:
        merge(venue, str(kept), customer)


def address_taken_over(venue: Venue, customers: list[str], email: str) -> None:
    """Somebody without an address takes over the one of whoever is merged into them."""
    kept, *others = customers
    for other in others:
        merge(venue, kept, other)
    owner = venue.owner.select(
        "insert into public.customers (email, full_name, locale) values (%s, 'Ada', 'en')"
        " returning id",
        email,
    )[0]["id"]
    merge(venue, kept, str(owner))


WAYS = [address_by_patch, address_by_merge, address_taken_over]


def sent_to(venue: Venue, email: str) -> list[str]:
    return [mail["template"] for mail in send_what_is_due(venue) if mail["to"]["email"] == email]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["cancelled", "moved"])
def test_whatever_way_an_address_comes_its_mailbox_is_not_filled(
    venue: Venue, way: Any, what: str
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=3)
    bookings = [confirmed_by_desk(venue) for _ in range(5)]
    assert send_what_is_due(venue) == []
    with suppress(Refused):  # the function asks for it, too
        way(venue, [desk_customer(venue, booking) for booking in bookings], victim)
    for booking in bookings:
        if what == "cancelled":
            cancel_by_desk(venue, booking)
        else:
            staff_call(
                venue,
                "change_booking",
                booking,
                starts_at=venue.slot(),
                idempotency_key=str(uuid.uuid4()),
            )
    assert len(sent_to(venue, victim)) <= 3


def test_what_was_not_sent_is_told_to_the_staff(venue: Venue) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=2)
    bookings = [confirmed_by_desk(venue) for _ in range(3)]
    send_what_is_due(venue)
    customer = desk_customer(venue, bookings[0])
    for booking in bookings[1:]:
        merge(venue, customer, desk_customer(venue, booking))
    venue.owner.change("update public.customers set email = %s where id = %s", victim, customer)
    for booking in bookings:
        cancel_by_desk(venue, booking)
    assert sent_to(venue, victim) == ["booking_cancelled"] * 2
    fates = [
        next(
            mail
            for mail in venue.owner.call(
                "booking_emails",
                organization_id=venue.organization_id,
                booking_id=booking["id"],
            )
            if mail["template"] == "booking_cancelled"
        )
        for booking in bookings
    ]
    assert [fate["status"] for fate in fates] == ["sent", "sent", "limited"]
    assert fates[2]["recipient"] == victim
    assert "mails" in fates[2]["reason"] and fates[0]["reason"] is None


def test_an_address_that_comes_later_is_asked_for_like_one_that_is_typed(venue: Venue) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    booking = confirmed_by_desk(venue)
    allow(venue.database, "desk", per_organization=1)
    by_desk(venue, f"{uuid.uuid4()}@example.com")
    change = "update public.customers set email = %s where id = %s"
    with pytest.raises(Refused) as refused:
        venue.owner.change(change, victim, desk_customer(venue, booking))
    assert (refused.value.status, refused.value.code) == (429, "mail_limit_reached")
    # To take an address away, and to correct a name, is nobody's mail.
    venue.owner.change(
        "update public.customers set email = null, full_name = 'Eva' where id = %s",
        desk_customer(venue, booking),
    )


def test_the_addresses_of_customers_who_never_booked_are_kept_without_asking(
    venue: Venue,
) -> None:
    allow(venue.database, "desk", per_organization=1)
    for _ in range(3):
        [customer] = venue.owner.select(
            "insert into public.customers (email, full_name, locale) values (%s, 'Ada', 'en')"
            " returning id",
            f"{uuid.uuid4()}@example.com",
        )
        venue.owner.change(
            "update public.customers set email = %s where id = %s",
            f"{uuid.uuid4()}@example.com",
            customer["id"],
        )


def test_ten_young_venues_of_one_person_are_no_ten_allowances(venue: Venue) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=2)
    by_desk(venue, victim)
    twin = make_venue(venue.database)
    by_desk(twin, victim)
    with pytest.raises(Refused, match="mail_limit_reached"):
        by_desk(twin, victim)
    old = make_venue(venue.database)
    age(old, 15)
    by_desk(old, victim)


def test_payments_that_staff_write_down_send_no_more_mails(venue: Venue) -> None:
    """Each hold is paid in cash, on paper, and cancelled: nobody pays anything."""
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=3)
    paying = make_venue(venue.database)
    for _ in range(4):
        held = hold(paying, victim)
        paying.owner.call(
            "record_payment",
            organization_id=paying.organization_id,
            booking_id=booking_id(paying, held),
            method="cash",
            amount_cents=TOTAL,
            idempotency_key=str(uuid.uuid4()),
        )
        cancel_by_desk(paying, {"id": booking_id(paying, held)})
    assert len([t for t in sent_to(paying, victim) if t != "booking_held"]) <= 3


def test_an_online_payment_and_a_click_in_the_mail_keep_their_mails_whatever_others_do(
    venue: Venue,
) -> None:
    customer = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=1)
    allow(venue.database, "visitor", per_recipient=2)
    calendar(venue, confirm_by_email=True)
    clicked = hold(venue, customer)
    confirm(venue, clicked, confirmation_token(venue))
    paying = make_venue(venue.database)
    held = hold(paying, customer)
    paid = as_booking(paying, held)
    paying.pay(paid)
    # Somebody uses up what the desk may send there.
    cancel_by_desk(paying, confirmed_by_desk(paying, customer))
    send_what_is_due(paying)
    for of, booking in ((venue, booking_id(venue, clicked)), (paying, paid.id)):
        cancel_by_desk(of, {"id": booking})
        assert sent_to(of, customer) == ["booking_cancelled"]


def test_an_online_payment_vouches_for_no_address_that_came_after_it(money: Database) -> None:
    paying = make_venue(money)
    victim = f"{uuid.uuid4()}@example.com"
    allow(money, "desk", per_recipient=1)
    bookings = [as_booking(paying, hold(paying, f"{uuid.uuid4()}@example.com")) for _ in range(3)]
    for booking in bookings:
        paying.pay(booking)
    send_what_is_due(paying)
    customers = [desk_customer(paying, {"id": booking.id}) for booking in bookings]
    address_by_patch(paying, customers[:1], victim)
    for other in customers[1:]:
        with pytest.raises(Refused, match="mail_limit_reached"):
            merge(paying, customers[0], other)
    allow(money, "desk", per_recipient=9)
    for other in customers[1:]:
        merge(paying, customers[0], other)
    allow(money, "desk", per_recipient=1)
    for booking in bookings:
        cancel_by_desk(paying, {"id": booking.id})
    assert sent_to(paying, victim) == ["booking_cancelled"]


def test_what_a_stranger_does_with_free_bookings_costs_the_venue_no_mail(venue: Venue) -> None:
    customer = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "visitor", per_recipient=2)
    by_staff = confirmed_by_desk(venue, customer)
    for _ in range(2):
        cancel(venue, hold(venue, customer))
    send_what_is_due(venue)
    cancel_by_desk(venue, by_staff)
    assert sent_to(venue, customer) == ["booking_cancelled"]


def test_a_mail_is_counted_once_however_often_it_is_tried(venue: Venue) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    allow(venue.database, "desk", per_recipient=2)
    bookings = [confirmed_by_desk(venue, victim) for _ in range(2)]
    venue.database.run("update private.mail_allowances set per_recipient = 1")
    jobs = venue.service.call("service.claim_jobs", worker="w", max_jobs=9, lease_seconds=60)
    told = [
        [
            venue.service.call(
                "service.prepare_email", job_id=job["id"], lease_token=job["lease_token"]
            )
            is not None
            for _ in range(3)
        ]
        for job in jobs
    ]
    assert len(bookings) == len(jobs)
    # The first is sent as often as it must be tried; what was held back once stays so.
    assert told == [[True] * 3, [False] * 3]


def test_what_follows_a_place_in_a_waiting_list_is_counted_where_its_address_came_later(
    venue: Venue,
) -> None:
    victim = f"{uuid.uuid4()}@example.com"
    entries = [
        joined(venue, customer={"full_name": name, "email": f"{uuid.uuid4()}@example.com"})
        for name in ("Eva", "Ina")
    ]
    assert [entry["status"] for entry in entries] == ["waiting", "waiting"]
    first, second = (
        str(row["customer_id"])
        for row in venue.owner.select("select customer_id from public.waitlist_entries order by id")
    )
    venue.owner.change("update public.customers set email = %s where id = %s", victim, first)
    merge(venue, first, second)
    venue.database.run("update private.mail_allowances set per_recipient = 1")
    for row in venue.owner.select("select id from public.waitlist_entries"):
        venue.database.one(
            "select private.enqueue('email.send', jsonb_build_object('template',"
            " 'waitlist_joined', 'organization_id', %s::text, 'entry_id', %s::text), %s, %s)",
            str(venue.organization_id),
            str(row["id"]),
            f"again:{row['id']}",
            venue.organization_id,
        )
    assert sent_to(venue, victim) == ["waitlist_joined"]
