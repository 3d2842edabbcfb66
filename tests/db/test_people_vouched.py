"""What a booking says of a person counts once somebody vouches for it, and not before.

Anybody can type somebody's address. Until then nothing is written into that person's card, and a
booking's link shows what was said with that booking and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from db.booking_world import GUEST, PRICE, Row, Shop, open_shop
from matrix.house import House, email_of

STRANGER = {**GUEST, "full_name": "Somebody Else", "phone": "+34 666 666 666"}
OWNER = {**GUEST, "full_name": "Ana García", "phone": "+34 600 000 001"}

NEWS = {"kind": "marketing", "granted": True, "wording": "Send me news"}
NO_NEWS = {**NEWS, "granted": False}
TERMS = {"kind": "terms", "granted": True, "wording": "The terms"}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    """Paid in advance."""
    return _room(shop)


@pytest.fixture
def free_room(shop: Shop) -> str:
    """Nothing is due before the visit: a booking is confirmed at once."""
    return _room(shop, deposit_kind="none")


def _room(shop: Shop, **values: object) -> str:
    made = shop.add_room(**values)
    shop.open_on(made, "10:00", "22:00", slot_interval_minutes=30)
    return made


def card(shop: Shop, email: str = str(GUEST["email"])) -> tuple[str, str | None]:
    """Name and phone of a customer."""
    (row,) = shop.house.owner_sql(
        "select full_name, phone from public.customers where organization_id = %s and email = %s",
        shop.id,
        email,
    )
    return row["full_name"], row["phone"]


def agreed(shop: Shop, email: str = str(GUEST["email"])) -> dict[str, bool]:
    """What a customer agrees to."""
    found: dict[str, Any] = shop.house.one(
        "select to_jsonb(private.latest_consents(organization_id, id)) from public.customers"
        " where organization_id = %s and email = %s",
        shop.id,
        email,
    )
    return {kind: each["granted"] for kind, each in found.items() if each}


def withdraw(shop: Shop, booking: Row, kind: str = "marketing") -> dict[str, bool]:
    """Take a consent back by a booking's link; what is shown."""
    left = shop.visitor.call(
        "withdraw_consent",
        reference=booking["reference"],
        manage_token=booking["manage_token"],
        kind=kind,
    )
    return {kind: each["granted"] for kind, each in left.items() if each}


def pay(shop: Shop, booking: Row, cents: int = 2 * PRICE) -> None:
    """At the desk."""
    shop.venue.owner.call(
        "record_payment",
        organization_id=shop.id,
        booking_id=shop.id_of(booking),
        method="cash",
        amount_cents=cents,
        idempotency_key=f"pay-{booking['reference']}-{cents}",
    )


@pytest.fixture
def known(shop: Shop, room: str) -> Row:
    """A customer who has paid for a booking, and wants no news."""
    booking = shop.hold(room, shop.at(1), customer=OWNER, consents=[NO_NEWS, TERMS])
    pay(shop, booking)
    assert card(shop) == ("Ana García", "+34 600 000 001")
    assert agreed(shop) == {"marketing": False, "terms": True}
    return booking


def test_an_unpaid_hold_writes_nothing_into_somebody_s_card(
    shop: Shop, room: str, known: Row
) -> None:
    shop.hold(room, shop.at(2), customer=STRANGER, consents=[NEWS])
    assert card(shop) == ("Ana García", "+34 600 000 001")
    assert agreed(shop) == {"marketing": False, "terms": True}


def test_a_booking_that_is_confirmed_without_payment_writes_nothing_either(
    shop: Shop, free_room: str, known: Row
) -> None:
    booking = shop.hold(free_room, shop.at(2), customer=STRANGER, consents=[NEWS])
    assert booking["status"] == "confirmed"
    assert card(shop) == ("Ana García", "+34 600 000 001")
    assert agreed(shop) == {"marketing": False, "terms": True}


@pytest.mark.parametrize("kind", ["marketing", "privacy"])
@pytest.mark.parametrize("which", ["room", "free_room"])
def test_a_stranger_s_link_shows_and_takes_back_nothing_that_was_said_elsewhere(
    shop: Shop, which: str, kind: str, room: str, request: pytest.FixtureRequest
) -> None:
    said = [NEWS, {**NEWS, "kind": "privacy"}, TERMS]
    pay(shop, shop.hold(room, shop.at(1), customer=OWNER, consents=said))
    theirs = shop.hold(request.getfixturevalue(which), shop.at(2), customer=STRANGER)
    assert withdraw(shop, theirs, kind) == {}
    assert agreed(shop) == {"marketing": True, "privacy": True, "terms": True}


def test_a_hold_s_own_consent_is_taken_back_by_its_link_and_then_never_counts(
    shop: Shop, room: str, known: Row
) -> None:
    theirs = shop.hold(room, shop.at(2), customer=OWNER, consents=[NEWS])
    assert withdraw(shop, theirs) == {"marketing": False}
    pay(shop, theirs)
    assert agreed(shop)["marketing"] is False


def test_a_link_shows_its_own_booking_s_consents_and_takes_back_the_customer_s(
    shop: Shop, room: str
) -> None:
    first = shop.hold(room, shop.at(1), customer=OWNER, consents=[NEWS, TERMS])
    pay(shop, first)
    second = shop.hold(room, shop.at(2), customer=OWNER)
    pay(shop, second)
    assert withdraw(shop, second) == {"marketing": False}
    assert agreed(shop) == {"marketing": False, "terms": True}


# Who vouches.


def _paid_online_or_at_the_desk(shop: Shop, booking: Row) -> None:
    pay(shop, booking)


def _the_party_came(shop: Shop, booking: Row) -> None:
    starts_at = datetime.fromisoformat(booking["starts_at"])
    shop.move_in_time(booking, datetime.now(starts_at.tzinfo) - starts_at)
    shop.move(booking, "checked_in")


@pytest.mark.parametrize("vouch", [_paid_online_or_at_the_desk, _the_party_came])
def test_payment_and_presence_vouch(
    shop: Shop, free_room: str, known: Row, vouch: Callable[[Shop, Row], None]
) -> None:
    newer = {**OWNER, "full_name": "Ana G.", "phone": "+34 600 000 002"}
    booking = shop.hold(free_room, shop.at(2), customer=newer, consents=[NEWS])
    assert agreed(shop)["marketing"] is False
    vouch(shop, booking)
    assert card(shop) == ("Ana G.", "+34 600 000 002")
    assert agreed(shop) == {"marketing": True, "terms": True}


def test_an_account_vouches_for_the_address_that_it_has_proven(
    shop: Shop, free_room: str, house: House
) -> None:
    me = {**OWNER, "email": email_of("ana")}
    shop.hold(free_room, shop.at(1), customer={**me, "full_name": "First"})
    shop.hold(free_room, shop.at(2), customer=me, by=house.sign_up("eve"), consents=[NEWS])
    unproven = house.sign_up("ana", proven=False)
    shop.hold(free_room, shop.at(3), customer=me, by=unproven, consents=[NEWS])
    assert (card(shop, me["email"])[0], agreed(shop, me["email"])) == ("First", {})

    house.owner_sql("select private.vouch_for_address(%s)", unproven.id)
    shop.hold(free_room, shop.at(4), customer=me, by=unproven, consents=[NEWS])
    assert card(shop, me["email"]) == ("Ana García", "+34 600 000 001")
    assert agreed(shop, me["email"]) == {"marketing": True}


def test_the_venue_vouches_for_what_it_books(shop: Shop, free_room: str, known: Row) -> None:
    shop.venue.owner.call(
        "create_booking",
        organization_id=shop.id,
        room_id=free_room,
        starts_at=shop.at(2),
        party_size=2,
        customer={**OWNER, "full_name": "Ana G.", "phone": "+34 600 000 003"},
        idempotency_key="by-staff",
    )
    assert card(shop) == ("Ana G.", "+34 600 000 003")


def test_nobody_vouches_by_letting_a_visit_end_by_itself(
    shop: Shop, free_room: str, known: Row
) -> None:
    booking = shop.hold(free_room, shop.at(2), customer=STRANGER, consents=[NEWS])
    shop.house.owner_sql(
        "select private.transition(organization_id, id, 'completed') from public.bookings"
        " where id = %s",
        shop.id_of(booking),
    )
    assert card(shop) == ("Ana García", "+34 600 000 001")
    assert agreed(shop)["marketing"] is False


# Whose word is kept.


def test_a_new_phone_is_with_its_booking_at_once_and_on_the_card_when_it_counts(
    shop: Shop, room: str, known: Row
) -> None:
    booking = shop.hold(room, shop.at(2), customer={**OWNER, "phone": "+34 600 000 002"})
    (row,) = shop.venue.owner.select(
        "select contact_phone from public.booking_contacts where booking_id = %s",
        shop.id_of(booking),
    )
    assert row["contact_phone"] == "+34 600 000 002"
    assert card(shop)[1] == "+34 600 000 001"
    pay(shop, booking)
    assert card(shop)[1] == "+34 600 000 002"


def test_a_booking_without_a_phone_keeps_the_known_one(shop: Shop, room: str, known: Row) -> None:
    pay(shop, shop.hold(room, shop.at(2), customer={**OWNER, "phone": None}))
    assert card(shop)[1] == "+34 600 000 001"


def test_before_anybody_vouches_the_phone_that_was_given_last_is_kept(
    shop: Shop, room: str
) -> None:
    numbers = ["+34 600 000 001", "+34 600 000 002", None]
    for day, phone in enumerate(numbers, 1):
        shop.hold(room, shop.at(day), customer={**OWNER, "phone": phone})
    assert card(shop)[1] == "+34 600 000 002"
    # What staff correct stays, and so does what somebody has vouched for.
    shop.venue.owner.change(
        "update public.customers set phone = '+34 600 000 009' where email = %s", GUEST["email"]
    )
    shop.hold(room, shop.at(4), customer={**OWNER, "phone": "+34 600 000 003"})
    assert card(shop)[1] == "+34 600 000 009"
    pay(shop, shop.hold(room, shop.at(5), customer=OWNER))
    shop.hold(room, shop.at(6), customer=STRANGER)
    assert card(shop)[1] == OWNER["phone"]


def test_a_newer_booking_that_gives_no_phone_takes_none_away(shop: Shop, room: str) -> None:
    older = shop.hold(room, shop.at(2), customer={**OWNER, "phone": "+34 600 000 002"})
    _age(shop, older)
    first = shop.hold(room, shop.at(3), customer={**OWNER, "full_name": "Ana G.", "phone": None})
    pay(shop, first)
    shop.venue.owner.change(
        "update public.customers set phone = null where email = %s", OWNER["email"]
    )
    pay(shop, older)
    assert card(shop) == ("Ana G.", "+34 600 000 002")


def test_the_newest_booking_s_word_stays_whatever_is_paid_last(shop: Shop, room: str) -> None:
    older = shop.hold(room, shop.at(2), customer={**OWNER, "phone": "+34 600 000 001"})
    _age(shop, older)
    newer = shop.hold(room, shop.at(3), customer={**OWNER, "phone": "+34 600 000 002"})
    pay(shop, newer)
    pay(shop, older)
    assert card(shop)[1] == "+34 600 000 002"


def test_what_staff_correct_stays_when_the_party_comes(shop: Shop, room: str) -> None:
    booking = shop.hold(room, shop.at(2), customer=OWNER)
    pay(shop, booking)
    shop.venue.owner.change(
        "update public.customers set phone = '+34 600 000 009' where email = %s", GUEST["email"]
    )
    _the_party_came(shop, booking)
    assert card(shop)[1] == "+34 600 000 009"


def test_a_stranger_s_first_hold_is_corrected_by_the_owner_s_booking(shop: Shop, room: str) -> None:
    shop.hold(room, shop.at(1), customer=STRANGER)
    pay(shop, shop.hold(room, shop.at(2), customer=OWNER))
    assert card(shop) == ("Ana García", "+34 600 000 001")


def test_what_the_waiting_list_is_told_counts_with_the_booking_that_comes_of_it(
    shop: Shop, known: Row
) -> None:
    shop.set_calendar(waitlist_minutes=60)
    lone = shop.add_room(deposit_kind="none")
    shop.open_on(lone, "12:00", "13:00")
    taken = shop.hold(lone, shop.at(2))
    entry = shop.visitor.call(
        "join_waitlist",
        slug=shop.slug,
        from_date=shop.at(2).date(),
        to_date=shop.at(2).date(),
        party_size=2,
        room_id=lone,
        customer=STRANGER,
        consents=Jsonb([NEWS]),
        idempotency_key="wait",
    )
    assert card(shop) == ("Ana García", "+34 600 000 001")
    assert agreed(shop)["marketing"] is False

    shop.cancel(taken)
    _finish(shop)
    offer = shop.visitor.call("get_waitlist_entry", token=entry["waitlist_token"])["offer"]
    assert withdraw(shop, offer) == {"marketing": False}
    shop.visitor.call(
        "accept_waitlist_offer", reference=offer["reference"], manage_token=offer["manage_token"]
    )
    assert card(shop) == ("Ana García", "+34 600 000 001")
    phone = shop.house.one(
        "select contact_phone from public.booking_contacts where booking_id = %s", shop.id_of(offer)
    )
    assert phone == STRANGER["phone"]


def _age(shop: Shop, booking: Row) -> None:
    shop.house.owner_sql(
        "update public.bookings set created_at = created_at - interval '1 day' where id = %s",
        shop.id_of(booking),
    )


def _finish(shop: Shop) -> None:
    """What waits for the end of a transaction."""
    shop.house.connection.execute(
        "set constraints all immediate; set constraints public.hand_on_freed_place deferred"
    )
