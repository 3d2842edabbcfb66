"""The waiting list: who waits gets the first place that becomes free, once, for a stated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count

import pytest
from psycopg.types.json import Jsonb

from client import Client, Refused
from db.booking_world import GUEST, PRICE, Row, Shop, ask, open_shop
from db.money_world import Database, make_venue
from db.money_world import Venue as MoneyVenue
from matrix.fixtures import Track

MINUTES = 60

_keys = count(1)


@pytest.fixture
def shop(track: Track) -> Shop:
    """A venue whose calendar has a waiting list. What frees a place is committed."""
    return open_shop(track.house, track.name("Venue"), hold_minutes=120, waitlist_minutes=MINUTES)


@pytest.fixture
def room(shop: Shop) -> str:
    """One session a day, at ten."""
    made = shop.add_room()
    shop.open_on(made, "10:00", "11:00")
    return made


def guest(name: str) -> Row:
    return {"full_name": name.title(), "email": f"{name}@example.test", "locale": "en"}


def join(
    shop: Shop,
    name: str = "eva",
    *,
    by: Client | None = None,
    day: int = 3,
    last: int | None = None,
    party_size: int | None = 2,
    key: str | None = None,
    customer: Mapping[str, object] | None = None,
    **values: object,
) -> Row:
    dates = (
        {}
        if {"from_date", "to_date"} <= values.keys()
        else {
            "from_date": shop.today + timedelta(day),
            "to_date": shop.today + timedelta(day if last is None else last),
        }
    )
    entry: Row = (by or shop.visitor).call(
        "join_waitlist",
        **{
            "slug": shop.slug,
            **dates,
            "party_size": party_size,
            "customer": dict(guest(name) if customer is None else customer),
            "idempotency_key": f"join-{next(_keys)}" if key is None else key,
            **values,
        },
    )
    return entry


def see(shop: Shop, entry: Row) -> Row:
    seen: Row = shop.visitor.call("get_waitlist_entry", token=entry["waitlist_token"])
    return seen


def status(shop: Shop, entry: Row) -> str:
    return str(see(shop, entry)["status"])


def leave(shop: Shop, entry: Row) -> Row:
    left: Row = shop.visitor.call("leave_waitlist", token=entry["waitlist_token"])
    return left


def offer(shop: Shop, entry: Row) -> Row:
    """The place that is held for the entry."""
    seen = see(shop, entry)
    assert seen["status"] == "offered", seen
    found: Row = seen["offer"]
    return found


def accept(shop: Shop, place: Row) -> Row:
    booked: Row = shop.visitor.call(
        "accept_waitlist_offer",
        reference=place["reference"],
        manage_token=place["manage_token"],
    )
    return booked


def sweep(shop: Shop) -> Row:
    done: Row = shop.house.service.call("service.sweep")
    return done


def mails(shop: Shop) -> list[Row]:
    return shop.house.owner_sql(
        "select * from private.jobs where organization_id = %s and kind = 'email.send'"
        " and payload ->> 'template' = 'waitlist_offer' order by id",
        shop.id,
    )


def mailed(shop: Shop) -> None:
    """Let the worker have sent what there is to send."""
    shop.house.owner_sql(
        "update private.jobs set status = 'done', finished_at = now()"
        " where id in (select id from private.jobs where organization_id = %s"
        " and status = 'queued' for update skip locked)",
        shop.id,
    )


def id_of(shop: Shop, entry: Row) -> str:
    return str(
        shop.house.one(
            "select s.entry_id from private.waitlist_secrets as s"
            " where s.token_hash = private.token_hash(%s)",
            entry["waitlist_token"],
        )
    )


def overlook(shop: Shop) -> None:
    """Let the sweep have looked long ago, first for those who joined first; and just now for what
    other tests have left: it looks at twenty entries, and after ten minutes at theirs again."""
    shop.house.owner_sql(
        "with locked as materialized (select organization_id, id, created_at"
        " from public.waitlist_entries where status = 'waiting'"
        " and (organization_id = %s or looked_at < now() - interval '9 minutes')"
        " for update skip locked),"
        " o as (select *, row_number() over (order by created_at, id) as turn from locked)"
        " update public.waitlist_entries as e set looked_at = case when e.organization_id = %s"
        " then now() - interval '11 minutes' + o.turn * interval '1 microsecond' else now() end"
        " from o where (e.organization_id, e.id) = (o.organization_id, o.id)",
        shop.id,
        shop.id,
    )


def taken(shop: Shop, room: str, day: int = 3, **values: object) -> Row:
    """Somebody else has the place."""
    return shop.hold(room, shop.at(day, "10:00"), **values)  # type: ignore[arg-type]


def refused(status: int, code: str, work: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as raised:
        work()
    assert (raised.value.status, raised.value.code) == (status, code)
    return raised.value


def block_room(shop: Shop, room: str, starts_at: datetime, ends_at: datetime) -> Row:
    block: Row = shop.venue.owner.call(
        "block_room", organization_id=shop.id, room_id=room, starts_at=starts_at, ends_at=ends_at
    )
    return block


def unblock(shop: Shop, block: Row) -> None:
    shop.venue.owner.call("unblock_room", organization_id=shop.id, session_id=block["session_id"])


def full_on(shop: Shop, room: str, day: int) -> str:
    """The room, with its session of that day taken."""
    taken(shop, room, day, customer=guest(f"day-{day}"))
    return room


@contextmanager
def broken_for(shop: Shop, name: str) -> Iterator[None]:
    """Let no booking be stored in that name."""
    constraint = f"broken_{next(_keys)}"
    shop.house.owner_sql(
        f"alter table public.booking_contacts add constraint {constraint}"
        f" check (contact_name <> '{name}') not valid"
    )
    yield
    shop.house.owner_sql(f"alter table public.booking_contacts drop constraint {constraint}")


class TestJoining:
    def test_the_entry_says_what_it_waits_for(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        entry = join(shop, room_id=room)
        token, entry["waitlist_token"] = entry["waitlist_token"], None
        assert entry == shop.visitor.call("get_waitlist_entry", token=token)
        assert entry == {
            "status": "waiting",
            "calendar_slug": shop.slug,
            "organization": {
                "name": shop.house.one(
                    "select name from public.organizations where id = %s", shop.id
                ),
                "slug": shop.house.one(
                    "select slug from public.organizations where id = %s", shop.id
                ),
            },
            "room_id": room,
            "room_name": shop.house.one("select name from public.rooms where id = %s", room),
            "from_date": str(shop.today + timedelta(3)),
            "to_date": str(shop.today + timedelta(3)),
            "starts_at": None,
            "party_size": 2,
            "offer": None,
            "waitlist_token": None,
        }

    def test_the_staff_see_who_waits(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        ask(shop, "allergies")
        join(shop, "eva", fields={"allergies": "nuts"})
        [seen] = shop.venue.owner.select("select * from public.waitlist_entries")
        assert (seen["contact_name"], seen["locale"], seen["room_id"]) == ("Eva", "en", None)
        assert seen["fields"] == {"allergies": "nuts"}
        # The end of the last day on the venue's clock.
        assert seen["waits_until"] == shop.at(4, "00:00")

    def test_a_calendar_without_a_list_has_none(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        shop.set_calendar(waitlist_minutes=None)
        refused(422, "waitlist_not_offered", lambda: join(shop))

    def test_where_a_place_is_free_nobody_waits(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        refusal = refused(409, "place_available", lambda: join(shop, last=5))
        assert refusal.details["room_id"] == room
        assert datetime.fromisoformat(refusal.details["starts_at"]) == shop.at(4, "10:00")

    def test_only_what_the_calendar_sells_can_be_waited_for(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        other = shop.add_room(is_published=False)
        refused(404, "calendar_not_found", lambda: join(shop, slug="nowhere"))
        refused(404, "room_not_found", lambda: join(shop, room_id=other))
        refused(404, "room_not_found", lambda: join(shop, room_id=shop.calendar_id))
        refused(422, "slot_not_offered", lambda: join(shop, day=-1))
        refused(422, "slot_not_offered", lambda: join(shop, day=500))
        refused(422, "slot_not_offered", lambda: join(shop, party_size=7))
        details = refused(
            422, "party_size_invalid", lambda: join(shop, party_size=7, room_id=room)
        ).details
        assert details == {"minimum": 2, "maximum": 6}

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"from_date": None}, "date_range_invalid"),
            ({"to_date": None}, "date_range_invalid"),
            ({"from_date": "-infinity"}, "date_range_invalid"),
            ({"to_date": "infinity"}, "date_range_invalid"),
            ({"last": 2}, "date_range_invalid"),
            ({"last": 95}, "date_range_too_long"),
            ({"party_size": None}, "party_size_invalid"),
            ({"party_size": 0}, "party_size_invalid"),
            ({"customer": {"full_name": "Eva", "email": "no"}}, "customer_invalid"),
            ({"fields": Jsonb([1])}, "field_invalid"),
            ({"fields": {"a": "x" * 20_000}}, "field_invalid"),
            ({"consents": Jsonb({})}, "consents_invalid"),
            ({"consents": None}, "consents_invalid"),
            ({"consents": Jsonb(["x" * 50_000])}, "consents_invalid"),
            ({"key": ""}, "idempotency_key_invalid"),
        ],
    )
    def test_a_request_that_makes_no_sense_changes_nothing(
        self, shop: Shop, room: str, values: dict[str, object], code: str
    ) -> None:
        taken(shop, room)
        refused(422, code, lambda: join(shop, **values))  # type: ignore[arg-type]
        assert shop.venue.count("waitlist_entries") == 0
        assert shop.venue.count("customers") == 1

    def test_92_days_are_not_too_long(self, shop: Shop, room: str) -> None:
        refused(409, "place_available", lambda: join(shop, last=94, room_id=room))

    def test_the_venue_s_terms_are_agreed_to_before_a_place_is_held(
        self, shop: Shop, room: str
    ) -> None:
        taken(shop, room)
        shop.set_calendar(terms=Jsonb({"en": "No shouting."}))
        granted = {"kind": "terms", "granted": True, "wording": "No shouting."}
        for given in ([], [{**granted, "granted": False}], [{**granted, "kind": "marketing"}]):
            refused(422, "terms_not_accepted", partial(join, shop, consents=Jsonb(given)))
        join(shop, consents=Jsonb([granted]))
        [seen] = shop.venue.owner.select("select consents from public.waitlist_entries")
        assert seen["consents"] == [granted]

    def test_the_same_key_and_request_is_one_entry(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        first = join(shop, key="once")
        assert join(shop, key="once") == first
        refused(422, "idempotency_key_reused", lambda: join(shop, key="once", party_size=3))
        refused(422, "idempotency_key_reused", lambda: join(shop, key="once", room_id=room))
        assert shop.venue.count("waitlist_entries") == 1

    def test_one_person_has_three_live_entries_at_most(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        entries = [join(shop, "eva") for _ in range(3)]
        details = refused(409, "too_many_waitlist_entries", lambda: join(shop, "eva")).details
        assert details == {"maximum": 3}
        join(shop, "dan")
        leave(shop, entries[0])
        join(shop, "eva")

    def test_entries_at_another_venue_do_not_count(
        self, shop: Shop, room: str, track: Track
    ) -> None:
        taken(shop, room)
        other = open_shop(track.house, track.name("Twin"), waitlist_minutes=5)
        elsewhere = other.add_room()
        other.open_on(elsewhere, "10:00", "11:00")
        taken(other, elsewhere)
        for _ in range(3):
            join(other, "eva")
        join(shop, "eva")

    def test_entries_whose_dates_are_over_do_not_count(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        for _ in range(3):
            join(shop, "eva")
        shop.house.owner_sql(
            "update public.waitlist_entries set waits_until = now() where organization_id = %s",
            shop.id,
        )
        join(shop, "eva")

    def test_an_address_and_a_calendar_are_limited(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        by = shop.visitor.sending(cf_connecting_ip="192.0.2.7")
        for number in range(10):
            join(shop, f"guest-{number}", by=by)
        refused(429, "rate_limited", lambda: join(shop, "one-more", by=by))
        counted = shop.house.one(
            "select hits from private.rate_limits where action = 'join_waitlist/target'"
            " and subject = encode(private.token_hash(%s), 'hex')",
            shop.calendar_id,
        )
        assert counted == 10


class TestAnOffer:
    def test_a_cancellation_hands_its_place_on(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        ask(shop, "allergies")
        entry = join(shop, "eva", fields={"allergies": "nuts"})
        replace(shop.visitor, finishes=True).call(
            "cancel_booking", reference=booking["reference"], manage_token=booking["manage_token"]
        )
        place = offer(shop, entry)
        assert (place["status"], place["room_id"], place["party_size"]) == ("held", room, 2)
        assert datetime.fromisoformat(place["starts_at"]) == shop.at(3, "10:00")
        assert (place["total_cents"], place["due_now_cents"]) == (2 * PRICE, 2 * PRICE)
        left = datetime.fromisoformat(place["hold_expires_at"]) - shop.house.one("select now()")
        assert timedelta(minutes=MINUTES - 1) < left <= timedelta(minutes=MINUTES)
        seen = shop.look(place)
        assert seen["customer"] == {"full_name": "Eva", "email": "eva@example.test"}
        assert [line["kind"] for line in seen["lines"]] == ["base"]
        [job] = mails(shop)
        assert job["payload"]["booking_id"] == shop.id_of(place)
        assert [h["actor_kind"] for h in shop.history(place)] == ["system"]
        [row] = shop.venue.owner.select(
            "select fields, locale from public.bookings as b"
            " join public.booking_contacts as c on c.booking_id = b.id where status = 'held'"
        )
        assert row == {"fields": {"allergies": "nuts"}, "locale": "en"}

    def test_it_is_priced_in_the_language_of_who_waits(self, shop: Shop, room: str) -> None:
        shop.set_calendar(fee_kind="booking", fee_value=100)
        booking = taken(shop, room, total=2 * PRICE + 100)
        entry = join(shop, customer={**guest("eva"), "locale": "ca"})
        shop.cancel(booking)
        lines = shop.look(offer(shop, entry))["lines"]
        assert lines[-1]["description"] == "Despeses de gestió"

    def test_no_visitor_finds_it_free_in_between(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        join(shop)
        shop.cancel(booking)
        assert shop.times(room, 3) == []
        refused(409, "slot_taken", lambda: taken(shop, room))

    def test_paying_takes_the_place(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.cancel(booking)
        place = offer(shop, entry)
        refusal = refused(409, "payment_due", lambda: accept(shop, place))
        assert refusal.details == {"due_now_cents": 2 * PRICE}
        shop.venue.owner.call(
            "record_payment",
            organization_id=shop.id,
            booking_id=shop.id_of(place),
            method="cash",
            amount_cents=2 * PRICE,
            idempotency_key="cash",
        )
        assert see(shop, entry)["offer"]["status"] == "confirmed"
        assert status(shop, entry) == "booked"
        # Once taken it is a booking like any other, whatever becomes of it.
        shop.cancel(place)
        assert status(shop, entry) == "booked"
        assert len(mails(shop)) == 1

    def test_a_place_for_which_nothing_is_due_waits_to_be_accepted(
        self, shop: Shop, room: str
    ) -> None:
        shop.set_room(room, price_cents=0)
        booking = taken(shop, room, total=0)
        entry = join(shop)
        shop.cancel(booking)
        place = offer(shop, entry)
        assert place["due_now_cents"] == 0
        assert accept(shop, place)["status"] == "confirmed"
        assert accept(shop, place)["status"] == "confirmed"
        assert status(shop, entry) == "booked"
        offered, accepted = shop.history(place)
        customer = shop.house.one(
            "select customer_id from public.bookings where id = %s", shop.id_of(place)
        )
        assert (offered["actor_kind"], offered["actor_id"]) == ("system", None)
        assert (accepted["actor_kind"], accepted["actor_id"]) == ("customer", customer)

    def test_only_an_offer_that_stands_is_accepted(self, shop: Shop, room: str) -> None:
        shop.set_room(room, price_cents=0)
        booking = taken(shop, room, total=0)
        refused(404, "waitlist_offer_not_found", lambda: accept(shop, booking))
        refused(
            404, "booking_not_found", lambda: accept(shop, {**booking, "manage_token": "wrong"})
        )
        entry = join(shop)
        shop.cancel(booking)
        place = offer(shop, entry)
        shop.lapse(place)
        refused(409, "waitlist_offer_over", lambda: accept(shop, place))
        mailed(shop)
        sweep(shop)
        refused(409, "waitlist_offer_over", lambda: accept(shop, place))

    def test_an_offer_that_lapses_goes_to_the_next_and_its_entry_is_done(
        self, shop: Shop, room: str
    ) -> None:
        booking = taken(shop, room)
        first, second, third = (join(shop, name) for name in ("eva", "dan", "kim"))
        shop.cancel(booking)
        for entry, following in ((first, second), (second, third)):
            assert status(shop, following) == "waiting"
            mailed(shop)
            shop.lapse(offer(shop, entry))
            sweep(shop)
            assert (status(shop, entry), status(shop, following)) == ("lapsed", "offered")
            assert see(shop, entry)["offer"] is None
        assert len(mails(shop)) == 3

    def test_an_offer_that_nobody_could_hear_of_does_not_count(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        shop.cancel(booking)
        before = offer(shop, first)
        shop.lapse(before)
        sweep(shop)
        assert offer(shop, first)["reference"] != before["reference"]
        assert status(shop, second) == "waiting"

    def test_an_offer_that_is_given_back_goes_to_the_next(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        shop.cancel(booking)
        shop.cancel(offer(shop, first))
        assert (status(shop, first), status(shop, second)) == ("declined", "offered")

    def test_money_that_comes_late_and_finds_the_place_free_books_it_all_the_same(
        self, shop: Shop, room: str
    ) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.cancel(booking)
        place = offer(shop, entry)
        mailed(shop)
        shop.lapse(place)
        sweep(shop)
        assert status(shop, entry) == "lapsed"
        shop.pay(place, 2 * PRICE)
        shop.house.owner_sql("select private.settle_booking(%s, %s)", shop.id, shop.id_of(place))
        assert status(shop, entry) == "booked"

    def test_the_time_to_answer_ends_with_the_start(self, track: Track) -> None:
        shop = open_shop(
            track.house, track.name("Late"), "UTC", minimum_notice_minutes=0, waitlist_minutes=2880
        )
        room = shop.add_room()
        shop.open_on(room, "10:00", "11:00")
        booking = taken(shop, room, 1)
        entry = join(shop, day=1)
        shop.cancel(booking)
        place = offer(shop, entry)
        assert place["hold_expires_at"] <= place["starts_at"]

    def test_a_place_that_is_about_to_begin_is_offered_to_nobody(self, shop: Shop) -> None:
        shop.set_calendar(minimum_notice_minutes=0)
        room = shop.add_room(duration_minutes=5, turnaround_minutes=0, minimum_party=1)
        shop.open_on(room, "00:00", "00:00")
        soon = shop.house.one(
            "select min(starts_at) from private.slots(%s, array[%s::uuid], current_date - 1,"
            " current_date + 2, null, 0, 9)",
            shop.id,
            room,
        )
        end = shop.at(2, "00:00")
        block = block_room(shop, room, soon, end)
        entry = join(shop, day=0, last=1, room_id=room)
        unblock(shop, block)
        left = datetime.fromisoformat(offer(shop, entry)["starts_at"]) - shop.house.one(
            "select now()"
        )
        assert timedelta(minutes=4) < left <= timedelta(minutes=10)


class TestWhoGetsIt:
    def test_the_first_that_joined(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entries = [join(shop, name) for name in ("eva", "dan", "kim")]
        shop.cancel(booking)
        assert [status(shop, e) for e in entries] == ["offered", "waiting", "waiting"]

    @pytest.mark.parametrize(
        "unfit",
        ["another room", "other dates", "too many", "too few", "over", "another calendar"],
    )
    def test_the_first_whom_it_suits(self, shop: Shop, room: str, unfit: str) -> None:
        booking = taken(shop, room)
        other = shop.add_room()
        shop.open_on(other, "10:00", "11:00")
        for day in (3, 4):
            taken(shop, other, day)
        taken(shop, room, 4)
        first = join(
            shop,
            "eva",
            day=4 if unfit == "other dates" else 3,
            room_id=other if unfit == "another room" else room,
            party_size=6 if unfit == "too many" else 2,
        )
        if unfit == "too many":
            shop.set_room(room, maximum_party=4)
        elif unfit == "too few":
            shop.set_room(room, minimum_party=3)
        elif unfit == "over":
            shop.house.owner_sql(
                "update public.waitlist_entries set waits_until = now() where id = %s",
                id_of(shop, first),
            )
        elif unfit == "another calendar":
            made = shop.insert("calendars", slug=f"{shop.slug}-b", name="B", waitlist_minutes=5)
            shop.house.owner_sql(
                "update public.waitlist_entries set calendar_id = %s where id = %s",
                made["id"],
                id_of(shop, first),
            )
        second = join(shop, "dan", party_size=3)
        shop.cancel(booking)
        assert (status(shop, first), status(shop, second)) == ("waiting", "offered")
        assert offer(shop, second)["room_id"] == room

    def test_any_room_of_the_calendar_for_who_named_none(self, shop: Shop, room: str) -> None:
        other = shop.add_room()
        shop.open_on(other, "10:00", "11:00")
        taken(shop, room)
        booking = taken(shop, other)
        entry = join(shop)
        shop.cancel(booking)
        assert offer(shop, entry)["room_id"] == other

    def test_one_place_at_a_time_for_one_person(self, shop: Shop, room: str) -> None:
        bookings = [taken(shop, room, day) for day in (3, 4)]
        one, two = join(shop, "eva"), join(shop, "eva", day=4)
        dan = join(shop, "dan", day=4)
        for booking in bookings:
            shop.cancel(booking)
        assert [status(shop, e) for e in (one, two, dan)] == ["offered", "waiting", "offered"]

    def test_another_venue_s_entries_are_another_venue_s(
        self, shop: Shop, room: str, track: Track
    ) -> None:
        twin = open_shop(track.house, track.name("Twin"), waitlist_minutes=5)
        elsewhere = twin.add_room()
        twin.open_on(elsewhere, "10:00", "11:00")
        taken(twin, elsewhere)
        theirs = join(twin, "eva")
        booking = taken(shop, room)
        ours = join(shop, "eva")
        shop.cancel(booking)
        assert (status(twin, theirs), status(shop, ours)) == ("waiting", "offered")

    @pytest.mark.parametrize("values", [{"waitlist_minutes": None}, {"is_active": False}])
    def test_a_calendar_that_sells_no_more_offers_nothing(
        self, shop: Shop, room: str, values: dict[str, object]
    ) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.set_calendar(**values)
        shop.cancel(booking)
        assert status(shop, entry) == "waiting"
        assert mails(shop) == []

    def test_a_venue_that_rests_offers_nothing(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.house.owner_sql(
            "update public.organizations set status = 'suspended' where id = %s", shop.id
        )
        shop.cancel(booking)
        assert status(shop, entry) == "waiting"

    def test_a_room_that_is_no_longer_sold_is_not_offered(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.set_room(room, is_published=False)
        shop.cancel(booking)
        assert status(shop, entry) == "waiting"

    def test_what_goes_wrong_with_the_list_does_not_undo_the_cancellation(
        self, shop: Shop, room: str
    ) -> None:
        booking = taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        with broken_for(shop, "Eva"):
            assert shop.cancel(booking)["status"] == "cancelled"
            assert (status(shop, first), status(shop, second)) == ("waiting", "offered")


class TestWhatFreesAPlace:
    def test_a_hold_that_lapsed(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.lapse(booking)
        assert status(shop, entry) == "waiting"
        sweep(shop)
        assert offer(shop, entry)["status"] == "held"

    def test_a_visitor_who_comes_before_the_sweep_is_quicker(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.lapse(booking)
        taken(shop, room)
        sweep(shop)
        assert status(shop, entry) == "waiting"

    def test_a_block_that_is_lifted_goes_to_as_many_as_it_has_room_for(
        self, shop: Shop, room: str
    ) -> None:
        block = block_room(shop, room, shop.at(3, "00:00"), shop.at(5, "00:00"))
        entries = [join(shop, name, last=4) for name in ("eva", "dan", "kim")]
        unblock(shop, block)
        assert [status(shop, e) for e in entries] == ["offered", "offered", "waiting"]
        starts = [datetime.fromisoformat(offer(shop, e)["starts_at"]) for e in entries[:2]]
        assert starts == [shop.at(3, "10:00"), shop.at(4, "10:00")]

    def test_a_booking_that_moves_away(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        shop.move_in_time(booking, timedelta(days=7))
        assert offer(shop, entry)["room_id"] == room

    def test_a_booking_that_moves_by_half_an_hour_leaves_no_place(self, shop: Shop) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "12:00", slot_interval_minutes=30)
        booking = taken(shop, room)
        entry = join(shop)
        shop.move_in_time(booking, timedelta(minutes=30))
        assert status(shop, entry) == "waiting"

    def test_seats_of_a_shared_session(self, shop: Shop) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=6)
        shop.open_on(room, "10:00", "11:00")
        stays, goes = (taken(shop, room, party_size=3, customer=guest(n)) for n in ("a", "b"))
        entries = [
            join(shop, name, party_size=size)
            for name, size in (("eva", 4), ("dan", 2), ("kim", 2), ("lee", 1))
        ]
        shop.cancel(goes)
        assert [status(shop, e) for e in entries] == ["waiting", "offered", "waiting", "offered"]
        shop.cancel(stays)
        # Three seats are free now: still not four, but two.
        assert [status(shop, e) for e in entries] == ["waiting", "offered", "offered", "offered"]

    def test_seats_that_lapsed_beside_a_cancelled_one_are_left_to_the_sweep(
        self, shop: Shop
    ) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=6)
        shop.open_on(room, "10:00", "11:00")
        _, lapses, goes = (
            taken(shop, room, party_size=2, customer=guest(name)) for name in ("a", "b", "c")
        )
        entry = join(shop, party_size=4)
        shop.lapse(lapses)
        shop.cancel(goes)
        assert status(shop, entry) == "waiting"
        sweep(shop)
        assert offer(shop, entry)["party_size"] == 4
        [session] = shop.sessions()
        assert session["seats_taken"] == 6

    def test_the_last_party_of_a_shared_session_leaves_a_new_one(self, shop: Shop) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=6)
        shop.open_on(room, "10:00", "11:00")
        booking = taken(shop, room, party_size=6)
        entries = [join(shop, name, party_size=3) for name in ("eva", "dan", "kim")]
        shop.cancel(booking)
        assert [status(shop, e) for e in entries] == ["offered", "offered", "waiting"]
        assert [s["seats_taken"] for s in shop.sessions() if s["status"] == "scheduled"] == [6]

    def test_what_a_transaction_takes_again_was_not_freed(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        # In one request, as a function of the product's might.
        shop.visitor.select(
            "select public.cancel_booking(reference => %s, manage_token => %s),"
            " public.hold_booking(slug => %s, room_id => %s, starts_at => %s, party_size => 2,"
            " customer => %s, expected_total_cents => %s, idempotency_key => 'again')",
            booking["reference"],
            booking["manage_token"],
            shop.slug,
            room,
            shop.at(3, "10:00"),
            Jsonb(guest("dan")),
            2 * PRICE,
        )
        assert status(shop, entry) == "waiting"

    def test_hours_that_are_added_are_found_by_the_sweep(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        entries = [join(shop, name, last=3) for name in ("eva", "dan")]
        shop.open_on(room, "18:00", "19:00")
        sweep(shop)
        assert [status(shop, e) for e in entries] == ["waiting", "waiting"]
        overlook(shop)
        swept = sweep(shop)
        assert swept["waitlist_offers"] == 1
        assert [status(shop, e) for e in entries] == ["offered", "waiting"]
        assert datetime.fromisoformat(offer(shop, entries[0])["starts_at"]) == shop.at(3, "18:00")
        assert sweep(shop)["waitlist_offers"] == 0

    def test_the_sweep_goes_on_to_the_next_where_there_is_nothing(
        self, shop: Shop, room: str
    ) -> None:
        other = shop.add_room()
        shop.open_on(other, "10:00", "11:00")
        taken(shop, room), taken(shop, other)
        entries = [
            join(shop, name, room_id=r)
            for name, r in (("eva", room), ("dan", other), ("kim", other))
        ]
        shop.open_on(other, "18:00", "19:00")
        overlook(shop)
        with broken_for(shop, "Nobody"):
            sweep(shop)
        assert [status(shop, e) for e in entries] == ["waiting", "offered", "waiting"]
        swept = shop.house.owner_sql(
            "select contact_name from public.waitlist_entries"
            " where organization_id = %s and looked_at > now() - interval '1 minute'"
            " order by created_at, id",
            shop.id,
        )
        assert [row["contact_name"] for row in swept] == ["Eva", "Dan", "Kim"]

    def test_an_entry_that_cannot_be_served_does_not_stop_the_sweep(
        self, shop: Shop, room: str
    ) -> None:
        taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        shop.open_on(room, "18:00", "19:00")
        overlook(shop)
        with broken_for(shop, "Eva"):
            swept = sweep(shop)
        assert swept["waitlist_offers"] == 1
        assert (status(shop, first), status(shop, second)) == ("waiting", "offered")

    def test_those_who_have_an_offer_do_not_keep_others_from_being_looked_for(
        self, shop: Shop, room: str
    ) -> None:
        """A sweep looks at 20 entries, and at none whose person can be offered nothing now."""
        people = [f"w{n}" for n in range(20)]
        full = full_on(shop, room, 4)
        taken(shop, room)
        for name in people:
            join(shop, name)
            join(shop, name, day=4, room_id=full)
        for _ in range(2):
            shop.open_on(
                shop.add_room(), "08:00", "23:00", (shop.today + timedelta(3)).isoweekday()
            )
        while len(mails(shop)) < len(people):
            overlook(shop)
            assert sweep(shop)["waitlist_offers"] > 0
        overlook(shop)
        last = join(shop, "eva", day=4, room_id=full)
        shop.open_on(full, "18:00", "19:00", (shop.today + timedelta(4)).isoweekday())
        shop.house.owner_sql(
            "update public.waitlist_entries set looked_at = now() - interval '10.5 minutes'"
            " where id = %s",
            id_of(shop, last),
        )
        sweep(shop)
        assert status(shop, last) == "offered"

    def test_one_sweep_offers_every_place_that_it_finds_to_those_who_joined_first(
        self, shop: Shop, room: str
    ) -> None:
        taken(shop, room)
        entries = [join(shop, f"w{n}", last=3) for n in range(6)]
        shop.open_on(room, "14:00", "22:00", slot_interval_minutes=90)
        shop.hold(room, shop.at(3, "17:00"), customer=guest("visitor"))
        overlook(shop)
        assert sweep(shop)["waitlist_offers"] == 4
        assert [status(shop, e) for e in entries] == ["offered"] * 4 + ["waiting"] * 2
        starts = [offer(shop, e)["starts_at"] for e in entries[:4]]
        assert [datetime.fromisoformat(s) for s in starts] == [
            shop.at(3, clock) for clock in ("14:00", "15:30", "18:30", "20:00")
        ]
        assert len(mails(shop)) == 4
        overlook(shop)
        assert sweep(shop)["waitlist_offers"] == 0

    def test_who_was_looked_for_last_is_not_the_last_to_be_offered_a_place(
        self, shop: Shop, room: str
    ) -> None:
        """The place is found for whoever is due, and is the first one's all the same."""
        taken(shop, room)
        first = join(shop, "eva")
        unfit = join(shop, "ida", day=4, customer=guest("ida"), room_id=full_on(shop, room, 4))
        second = join(shop, "dan")
        overlook(shop)
        shop.house.owner_sql(
            "update public.waitlist_entries set looked_at = now() where id = %s", id_of(shop, first)
        )
        shop.open_on(room, "18:00", "19:00", (shop.today + timedelta(3)).isoweekday())
        assert sweep(shop)["waitlist_offers"] == 1
        assert [status(shop, e) for e in (first, unfit, second)] == [
            "offered", "waiting", "waiting",
        ]  # fmt: skip

    def test_one_person_gets_one_of_the_places_that_a_sweep_finds(
        self, shop: Shop, room: str
    ) -> None:
        taken(shop, room)
        entries = [join(shop, name) for name in ("eva", "eva", "dan")]
        shop.open_on(room, "14:00", "20:00", slot_interval_minutes=90)
        overlook(shop)
        assert sweep(shop)["waitlist_offers"] == 2
        assert [status(shop, e) for e in entries] == ["offered", "waiting", "offered"]

    def test_a_sweep_offers_as_many_seats_as_there_are(self, shop: Shop) -> None:
        room = shop.add_room(mode="shared", minimum_party=1, maximum_party=5)
        shop.open_on(room, "10:00", "11:00")
        shop.hold(room, shop.at(3, "10:00"), party_size=5)
        entries = [
            join(shop, f"w{n}", party_size=size, room_id=room)
            for n, size in enumerate((2, 4, 3, 1))
        ]
        shop.open_on(room, "18:00", "19:00", (shop.today + timedelta(3)).isoweekday())
        overlook(shop)
        assert sweep(shop)["waitlist_offers"] == 2
        assert [status(shop, e) for e in entries] == ["offered", "waiting", "offered", "waiting"]

    def test_a_sweep_makes_no_more_than_twenty_offers(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        for n in range(22):
            join(shop, f"w{n}")
        for _ in range(2):
            more = shop.add_room(turnaround_minutes=0)
            shop.open_on(more, "10:00", "23:00", slot_interval_minutes=60)
        overlook(shop)
        shop.house.owner_sql(
            "update public.waitlist_entries set looked_at = now() where organization_id <> %s",
            shop.id,
        )
        assert sweep(shop)["waitlist_offers"] == 20
        assert sweep(shop)["waitlist_offers"] == 2

    def test_an_entry_whose_dates_are_over_is_ended(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        over, live = join(shop, "eva"), join(shop, "dan")
        shop.house.owner_sql(
            "update public.waitlist_entries set waits_until = now() where id = %s",
            id_of(shop, over),
        )
        assert sweep(shop)["expired_waitlist_entries"] == 1
        assert (status(shop, over), status(shop, live)) == ("expired", "waiting")

    def test_it_is_the_owner_who_hands_on_whoever_freed_the_place(self, money: Database) -> None:
        """As through PostgREST: the transaction ends in the visitor's role."""
        venue: MoneyVenue = make_venue(money)
        venue.owner.change("update public.calendars set waitlist_minutes = 30")
        day = venue.slot().date()
        *_, booking = [
            venue.hold(slot["starts_at"])
            for slot in venue.public.select(
                "select starts_at from public.get_availability(%s, %s, %s)", venue.slug, day, day
            )
        ]
        entry = venue.public.call(
            "join_waitlist",
            slug=venue.slug,
            from_date=day,
            to_date=day,
            party_size=2,
            customer=dict(GUEST),
            idempotency_key="x",
        )
        venue.cancel(booking)
        seen = venue.public.call("get_waitlist_entry", token=entry["waitlist_token"])
        assert seen["status"] == "offered"
        [job] = [
            j for j in venue.jobs("email.send") if j["payload"]["template"] == "waitlist_offer"
        ]
        assert job["payload"]["organization_id"] == venue.organization_id


class TestLeaving:
    def test_who_left_is_offered_nothing(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        entry = join(shop)
        assert leave(shop, entry)["status"] == "left"
        assert leave(shop, entry)["status"] == "left"
        shop.cancel(booking)
        assert status(shop, entry) == "left"
        assert shop.times(room, 3) == ["10:00"]

    def test_who_leaves_gives_back_what_was_offered(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        shop.cancel(booking)
        place = offer(shop, first)
        assert leave(shop, first)["status"] == "left"
        assert shop.look(place)["status"] == "cancelled"
        left = shop.history(place)[-1]
        customer = shop.house.one(
            "select customer_id from public.bookings where id = %s", shop.id_of(place)
        )
        assert (left["actor_kind"], left["actor_id"]) == ("customer", customer)
        assert offer(shop, second)["status"] == "held"

    def test_what_was_booked_is_not_left(self, shop: Shop, room: str) -> None:
        shop.set_room(room, price_cents=0)
        booking = taken(shop, room, total=0)
        entry = join(shop)
        shop.cancel(booking)
        place = offer(shop, entry)
        accept(shop, place)
        assert leave(shop, entry)["status"] == "booked"
        assert shop.look(place)["status"] == "confirmed"

    def test_a_wrong_token_opens_nothing(self, shop: Shop) -> None:
        for function in ("get_waitlist_entry", "leave_waitlist"):
            refused(
                404, "waitlist_entry_not_found", partial(shop.visitor.call, function, token="x")
            )

    def test_reading_and_leaving_are_counted(self, shop: Shop, room: str) -> None:
        taken(shop, room)
        entry = join(shop)
        visitor = shop.visitor.sending(cf_connecting_ip="192.0.2.9")
        visitor.call("get_waitlist_entry", token=entry["waitlist_token"])
        visitor.call("leave_waitlist", token=entry["waitlist_token"])
        counted = shop.house.one(
            "select sum(hits) from private.rate_limits where action = 'manage_booking/address'"
            " and subject = encode(private.token_hash('192.0.2.9'), 'hex')"
        )
        assert counted == 2

    def test_the_staff_take_an_entry_off(self, shop: Shop, room: str) -> None:
        booking = taken(shop, room)
        first, second = join(shop, "eva"), join(shop, "dan")
        shop.cancel(booking)
        place = offer(shop, first)
        for entry in (first, second):
            removed = shop.venue.owner.call(
                "remove_waitlist_entry", organization_id=shop.id, entry_id=id_of(shop, entry)
            )
            assert removed["status"] == "removed"
        assert shop.look(place)["status"] == "cancelled"
        assert [status(shop, e) for e in (first, second)] == ["removed", "removed"]

    def test_another_venue_s_entry_is_not_there(self, shop: Shop, room: str, track: Track) -> None:
        taken(shop, room)
        entry = join(shop)
        twin = open_shop(track.house, track.name("Twin"))
        refused(
            404,
            "waitlist_entry_not_found",
            lambda: twin.venue.owner.call(
                "remove_waitlist_entry", organization_id=twin.id, entry_id=id_of(shop, entry)
            ),
        )
        assert status(shop, entry) == "waiting"


class TestOneTime:
    """A sold-out Saturday at nine can be waited for while other times of that day are free."""

    @pytest.fixture
    def evening(self, shop: Shop) -> str:
        made = shop.add_room(turnaround_minutes=0)
        shop.open_on(made, "19:00", "22:00")
        return made

    def test_it_is_waited_for_beside_free_times(self, shop: Shop, evening: str) -> None:
        at = shop.at(3, "20:00")
        shop.hold(evening, at)
        refused(409, "place_available", lambda: join(shop, room_id=evening))
        entry = join(shop, room_id=evening, starts_at=at)
        assert datetime.fromisoformat(entry["starts_at"]) == at

    def test_no_other_time_is_offered(self, shop: Shop, evening: str) -> None:
        early, late = shop.at(3, "19:00"), shop.at(3, "20:00")
        other, mine = shop.hold(evening, early), shop.hold(evening, late)
        entry = join(shop, room_id=evening, starts_at=late)
        shop.cancel(other)
        sweep(shop)
        overlook(shop)
        sweep(shop)
        assert status(shop, entry) == "waiting"
        shop.cancel(mine)
        place = offer(shop, entry)
        assert datetime.fromisoformat(place["starts_at"]) == late

    def test_a_free_one_is_booked_and_not_waited_for(self, shop: Shop, evening: str) -> None:
        at = shop.at(3, "20:00")
        raised = refused(409, "place_available", lambda: join(shop, room_id=evening, starts_at=at))
        assert datetime.fromisoformat(raised.details["starts_at"]) == at

    @pytest.mark.parametrize("clock", ["20:17", "10:00"])
    def test_a_time_that_is_not_sold_cannot_be_waited_for(
        self, shop: Shop, evening: str, clock: str
    ) -> None:
        at = shop.at(3, clock)
        refused(422, "slot_not_offered", lambda: join(shop, room_id=evening, starts_at=at))

    def test_a_time_of_another_day_is_none_of_those_dates(self, shop: Shop, evening: str) -> None:
        at = shop.at(4, "20:00")
        shop.hold(evening, at)
        refused(422, "slot_not_offered", lambda: join(shop, room_id=evening, starts_at=at))

    def test_the_wait_ends_when_it_begins(self, shop: Shop, evening: str) -> None:
        at = shop.at(3, "20:00")
        shop.hold(evening, at)
        join(shop, room_id=evening, starts_at=at)
        [seen] = shop.venue.owner.select("select * from public.waitlist_entries")
        assert seen["waits_until"] == seen["starts_at"] == at
