"""A booking in its customer's hands: looking at it, cancelling it, what the clock does to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from db.booking_world import GUEST, PRICE, Row, Shop, open_shop
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    open_around_the_clock(shop, room)
    return room


@pytest.fixture
def held(shop: Shop, room: str) -> Row:
    return shop.hold(room, shop.at(3))


def open_around_the_clock(shop: Shop, room: str) -> None:
    """A start every five minutes, whatever the time is now. A game ends before its window closes,
    so windows from midnight to midnight alone would offer none in the last hour of a day."""
    for edge in ("00:00", "12:00"):
        shop.open_on(room, edge, edge, slot_interval_minutes=5)


def starting_in(shop: Shop, **delay: int) -> datetime:
    """The first start on the grid of five minutes that is at least so far ahead."""
    earliest: datetime = shop.house.one("select now()") + timedelta(**delay)
    return datetime.fromtimestamp(-(-earliest.timestamp() // 300) * 300, tz=shop.zone)


class TestLooking:
    def test_the_token_shows_the_booking_and_nothing_of_the_venues_books(
        self, shop: Shop, held: Row
    ) -> None:
        seen = shop.look(held)
        assert {k: seen[k] for k in held if k != "manage_token"} == {
            k: v for k, v in held.items() if k != "manage_token"
        }
        rest = {k: v for k, v in seen.items() if k not in held}
        assert rest.pop("lines")
        (entry,) = rest.pop("history")
        assert entry["status"] == "held"
        assert datetime.fromisoformat(entry["occurred_at"]).tzinfo
        event = rest.pop("event")
        assert datetime.fromisoformat(event.pop("updated_at")).tzinfo
        assert event == {"uid": shop.id_of(held), "sequence": 0}
        assert rest == {
            "paid_cents": 0,
            "refunded_cents": 0,
            "open_cents": TOTAL,
            "shared_cents": 0,
            "with_order": False,
            "terms": {"tiers": [], "no_show_fee_percent": 100},
            "customer": {"full_name": GUEST["full_name"], "email": GUEST["email"]},
            "organization": {"name": "Venue", "slug": shop.venue.slug},
            "location": {
                "name": "Venue",
                "address": "",
                "phone": None,
                "arrival_hints": None,
                "directions": None,
                "latitude": None,
                "longitude": None,
                "line": "Venue",
            },
            "waiver": {"policy": "none", "signed": 0, "needed": 0, "missing": 0, "token": None},
            "cancellable": True,
            "reschedulable": True,
            "cancellation": {
                "refund_percent": 100,
                "refund_cents": 0,
                "disputed_cents": 0,
                "lost_cents": 0,
            },
            "payment_open": False,
            "merged_into": None,
        }

    def test_what_was_paid_is_shown(self, shop: Shop, held: Row) -> None:
        shop.pay(held, TOTAL)
        seen = shop.look(held)
        assert seen["paid_cents"] == TOTAL
        assert seen["cancellation"] == {
            "refund_percent": 100,
            "refund_cents": TOTAL,
            "disputed_cents": 0,
            "lost_cents": 0,
        }

    @pytest.mark.parametrize(
        "typed",
        [
            str.lower,
            lambda r: r.replace("-", ""),
            lambda r: f" {r[:2]} {r[2:]} ",
            lambda r: r.replace("0", "O").replace("1", "l"),
            lambda r: r.replace("-", "\u2011").replace("1", "i"),
            lambda r: "".join(chr(ord(c) + 0xFEE0) for c in r),
            lambda r: f"\u200b{r}\n",
            lambda r: f"Ref: {r}",
            lambda r: f"Ref.: {r}.",
            lambda r: f"Ref.: {r} (Casa)",
            lambda r: f"Reference number: {r}\nThanks",
            lambda r: f"Code {r.replace('-', ' ')} for four",
            lambda r: f"booking {r.replace('-', '').lower()}, Casa Once",
        ],
        ids=[
            "lower case",
            "without the hyphen",
            "with spaces",
            "with letters for digits",
            "with another hyphen",
            "in full width",
            "with what came along",
            "with what stands before it",
            "with full stops",
            "with the venue behind it",
            "with a greeting",
            "in two words among others",
            "in one word among others",
        ],
    )
    def test_a_reference_may_be_typed_carelessly(
        self, shop: Shop, held: Row, typed: Callable[[str], str]
    ) -> None:
        seen = shop.look({**held, "reference": typed(held["reference"])})
        assert seen["reference"] == held["reference"]

    @pytest.mark.parametrize(
        "typed",
        [" {}", "{}\n", "\u00a0{}\u200b", "<{}>", "\r\n{}\t",
         "token={}", "#token={}", "{}%20", "%20{}", "{}&x=1", "token%3D{}%26x=1",
         "Token: {}", "%3Ftoken%3D{}",
         "https://venue.example/book?reference=ABCD-2345#token={}", "?token={}&lang=en#top"],
    )  # fmt: skip
    def test_so_may_a_token(self, shop: Shop, held: Row, typed: str) -> None:
        token = held["manage_token"]
        seen = shop.look({**held, "manage_token": typed.format(token)})
        assert seen["reference"] == held["reference"]
        wrapped = f"{token[:20]}\n {token[20:]}"
        assert shop.look({**held, "manage_token": wrapped})["reference"] == held["reference"]

    @pytest.mark.parametrize(
        "change",
        ["update public.rooms set is_published = false where organization_id = %s",
         "delete from public.calendar_rooms where organization_id = %s",
         "update public.calendars set is_active = false where organization_id = %s"],
        ids=["unpublished", "off the calendar", "closed calendar"],
    )  # fmt: skip
    def test_what_is_shown_as_reschedulable_is_what_may_be_rescheduled(
        self, shop: Shop, room: str, held: Row, change: str
    ) -> None:
        other = shop.add_room()
        open_around_the_clock(shop, other)
        mine = {"reference": held["reference"], "manage_token": held["manage_token"]}
        later = {**mine, "starts_at": shop.at(4)}
        assert shop.look(held)["reschedulable"] is True
        shop.visitor.call("quote_reschedule", **later)
        if "is_published" in change:
            change += f" and id = '{room}'"
        elif "calendar_rooms" in change:
            change += f" and room_id = '{room}'"
        shop.house.owner_sql(change, shop.id)
        assert shop.look(held)["reschedulable"] is False
        for wish in (later, {**later, "room_id": other}, {**mine, "party_size": 3}):
            with refused(409, "not_reschedulable"):
                shop.visitor.call("quote_reschedule", **wish)
            with refused(409, "not_reschedulable"):
                shop.visitor.call(
                    "reschedule_booking", **wish, expected_total_cents=TOTAL, idempotency_key="k"
                )

    def test_a_wrong_reference_and_a_wrong_token_answer_alike(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        other = shop.hold(room, shop.at(4))
        answers = []
        for reference, token in (
            ("0000-0000", held["manage_token"]),
            (other["reference"], held["manage_token"]),
            (held["reference"], other["manage_token"]),
            (held["reference"], "guess"),
            (held["reference"], ""),
            (held["reference"], None),
            (None, held["manage_token"]),
            ("", ""),
            (held["reference"], "x" * 100_000),
        ):
            with refused(404, "booking_not_found") as caught:
                shop.look({"reference": reference, "manage_token": token})
            answers.append((caught.value.hint, caught.value.details))
        assert len(set(answers)) == 1

    def test_a_token_opens_no_booking_of_another_venue_with_the_same_reference(
        self, shop: Shop, held: Row, house: House
    ) -> None:
        other = open_shop(house, "Other", minimum_notice_minutes=0)
        theirs = other.add_room()
        other.open_on(theirs, "12:00", "13:00")
        booking = other.hold(theirs, other.at(3))
        house.owner_sql(
            "update public.bookings set reference = %s where organization_id = %s",
            held["reference"],
            other.id,
        )
        same = {"reference": held["reference"], "manage_token": booking["manage_token"]}
        assert shop.look(same)["organization"]["name"] == "Other"
        assert shop.look(held)["organization"]["name"] == "Venue"


class TestCancelling:
    def test_a_cancelled_booking_frees_its_time_and_says_so(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        seen = shop.cancel(held)
        assert (seen["status"], seen["hold_expires_at"]) == ("cancelled", None)
        assert seen["cancellable"] is False
        assert seen["cancellation"] == {
            "refund_percent": 0,
            "refund_cents": 0,
            "disputed_cents": 0,
            "lost_cents": 0,
        }
        assert [h["status"] for h in seen["history"]] == ["held", "cancelled"]
        (_, entry) = shop.history(held)
        assert (entry["actor_kind"], entry["reason"]) == ("customer", "cancelled_by_customer")
        assert shop.hold(room, shop.at(3))["status"] == "held"

    def test_a_booking_is_cancelled_once(self, shop: Shop, held: Row) -> None:
        first = shop.cancel(held)
        assert shop.cancel(held) == first
        assert len(shop.history(held)) == 2

    def test_a_lapsed_hold_cannot_be_cancelled(self, shop: Shop, held: Row) -> None:
        shop.lapse(held)
        with refused(409, "not_cancellable"):
            shop.cancel(held)

    @pytest.mark.parametrize(
        "path",
        [
            ["confirmed", "checked_in"],
            ["confirmed", "checked_in", "in_progress"],
            ["confirmed", "checked_in", "in_progress", "completed"],
            ["confirmed", "no_show"],
        ],
        ids=lambda path: path[-1],
    )
    def test_a_visit_that_began_cannot_be_cancelled_by_the_customer(
        self, shop: Shop, held: Row, path: list[str]
    ) -> None:
        for status in path:
            shop.move(held, status)
        with refused(409, "not_cancellable"):
            shop.cancel(held)

    def test_a_booking_whose_time_has_come_cannot_be_cancelled(self, shop: Shop, held: Row) -> None:
        shop.move(held, "confirmed")
        shop.move_in_time(held, timedelta(days=-3, hours=-13))
        seen = shop.look(held)
        assert seen["cancellable"] is False
        with refused(409, "not_cancellable"):
            shop.cancel(held)

    @pytest.mark.parametrize("token", ["", "guess", None])
    def test_a_wrong_token_cancels_nothing(self, shop: Shop, held: Row, token: str | None) -> None:
        with refused(404, "booking_not_found"):
            shop.cancel({**held, "manage_token": token})
        assert shop.look(held)["status"] == "held"


class TestRefund:
    """Tiers: 168 hours before the start 100 %, 48 hours 50 %, 24 hours 20 %, later nothing.

    The venue's clock is never put forward or back, so that no hour is missing whenever it is now.
    """

    @pytest.fixture
    def shop(self, house: House) -> Shop:
        return open_shop(house, "Venue", "Atlantic/Reykjavik", minimum_notice_minutes=0)

    @pytest.fixture
    def room(self, shop: Shop, room: str) -> str:
        for hours, percent in ((48, 50), (168, 100), (24, 20)):
            shop.insert(
                "room_cancellation_tiers", room_id=room, hours_before=hours, refund_percent=percent
            )
        return room

    @pytest.mark.parametrize(
        ("hours", "percent"),
        [(169, 100), (168, 100), (167, 50), (48, 50), (47, 20), (24, 20), (23, 0), (1, 0)],
    )
    def test_the_tier_that_is_still_met_counts(
        self, shop: Shop, room: str, hours: int, percent: int
    ) -> None:
        held = shop.hold(room, starting_in(shop, hours=hours))
        shop.pay(held, TOTAL)
        shop.move(held, "confirmed")
        refund = TOTAL * percent // 100
        terms = {
            "refund_percent": percent,
            "refund_cents": refund,
            "disputed_cents": 0,
            "lost_cents": 0,
        }
        assert shop.look(held)["cancellation"] == terms

        shop.cancel(held)
        assert requested(shop, held) == ([refund] if refund else [])

    def test_without_tiers_everything_goes_back_until_the_start(self, shop: Shop) -> None:
        room = shop.add_room()
        open_around_the_clock(shop, room)
        held = shop.hold(room, starting_in(shop, minutes=5))
        shop.pay(held, TOTAL)
        shop.cancel(held)
        assert requested(shop, held) == [TOTAL]

    def test_what_was_not_paid_is_not_refunded(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, starting_in(shop, hours=200))
        shop.cancel(held)
        assert requested(shop, held) == []

    def test_a_share_of_a_cent_is_rounded_half_up(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, starting_in(shop, hours=50))
        shop.pay(held, 1_001)
        shop.cancel(held)
        assert requested(shop, held) == [501]


class TestExtendingAHold:
    def extend(self, shop: Shop, held: Row, minutes: int) -> bool:
        extended: bool = shop.house.one(
            "select private.extend_hold(%s, %s, now() + make_interval(mins => %s))",
            shop.id,
            shop.id_of(held),
            minutes,
        )
        return extended

    def left(self, shop: Shop, held: Row) -> timedelta:
        expires = datetime.fromisoformat(shop.look(held)["hold_expires_at"])
        left: timedelta = expires - shop.house.one("select now()")
        return left

    def test_once(self, shop: Shop, held: Row) -> None:
        assert self.extend(shop, held, 33)
        assert self.left(shop, held) == timedelta(minutes=33)
        assert not self.extend(shop, held, 40)
        assert self.left(shop, held) == timedelta(minutes=33)

    def test_a_hold_that_lasts_long_enough_is_left_alone(self, shop: Shop, held: Row) -> None:
        assert self.extend(shop, held, 10)
        assert self.left(shop, held) == timedelta(minutes=15)
        assert self.extend(shop, held, 33)

    def test_not_after_it_has_lapsed(self, shop: Shop, held: Row) -> None:
        shop.lapse(held)
        assert not self.extend(shop, held, 33)

    def test_not_when_it_is_no_hold_any_more(self, shop: Shop, held: Row) -> None:
        shop.move(held, "confirmed")
        assert not self.extend(shop, held, 33)


class TestTheSweep:
    def test_it_expires_lapsed_holds_and_nothing_else(
        self, shop: Shop, room: str, house: House
    ) -> None:
        lapsed, live, confirmed = (shop.hold(room, shop.at(days)) for days in (3, 4, 5))
        shop.lapse(lapsed)
        shop.move(confirmed, "confirmed")

        swept = house.service.call("service.sweep")
        assert swept["expired_holds"] == 1
        assert [shop.look(b)["status"] for b in (lapsed, live, confirmed)] == [
            "expired",
            "held",
            "confirmed",
        ]
        entry = shop.history(lapsed)[-1]
        assert (entry["actor_kind"], entry["reason"]) == ("system", "hold_lapsed")
        assert house.service.call("service.sweep")["expired_holds"] == 0

    def test_it_takes_a_limited_number_at_a_time_oldest_first(self, shop: Shop, room: str) -> None:
        bookings = [shop.hold(room, shop.at(days)) for days in (3, 4, 5)]
        for age, booking in enumerate(bookings):
            shop.lapse(booking)
            shop.house.owner_sql(
                "update public.bookings set hold_expires_at = now() - make_interval(mins => %s)"
                " where id = %s",
                age,
                shop.id_of(booking),
            )
        assert shop.house.one("select private.expire_lapsed_holds(2)") == 2
        expired = [[h["to_status"] for h in shop.history(b)][-1] for b in bookings]
        assert expired == ["held", "expired", "expired"]

    def test_it_forgets_idempotency_keys_after_a_day(
        self, shop: Shop, room: str, house: House
    ) -> None:
        shop.hold(room, shop.at(3), key="old")
        shop.hold(room, shop.at(4), key="new")
        house.owner_sql(
            "update private.idempotency_keys set created_at = now() - interval '25 hours'"
            " where key = 'old' and scope like %s",
            f"{shop.id}%",
        )
        assert house.service.call("service.sweep")["forgotten_idempotency_keys"] >= 1
        left = house.owner_sql(
            "select key from private.idempotency_keys where scope like %s", f"{shop.id}%"
        )
        assert [row["key"] for row in left] == ["new"]

    def test_it_forgets_rate_limit_windows_after_a_day(self, house: House) -> None:
        house.owner_sql(
            "insert into private.rate_limits (action, subject, window_start)"
            " values ('x', 'old', now() - interval '25 hours'), ('x', 'new', now())"
        )
        assert house.service.call("service.sweep")["forgotten_rate_limits"] >= 1
        left = house.owner_sql("select subject from private.rate_limits where action = 'x'")
        assert [row["subject"] for row in left] == ["new"]


class TestReclaiming:
    def reclaim(self, shop: Shop, booking: Row) -> bool:
        reclaimed: bool = shop.house.one(
            "select private.reclaim_booking(%s, %s)", shop.id, shop.id_of(booking)
        )
        return reclaimed

    def expire(self, shop: Shop, booking: Row) -> None:
        shop.lapse(booking)
        shop.house.service.call("service.sweep")

    @pytest.mark.parametrize("how", ["expire", "cancel"])
    def test_a_free_place_is_taken_again(self, shop: Shop, held: Row, how: str) -> None:
        if how == "expire":
            self.expire(shop, held)
        else:
            shop.cancel(held)
        assert self.reclaim(shop, held)
        assert shop.look(held)["status"] == "pending"
        assert [s["status"] for s in shop.sessions()] == ["cancelled", "scheduled"]
        with refused(409, "slot_taken"):
            shop.hold(str(held["room_id"]), shop.at(3))

    def test_a_place_that_somebody_else_took_is_not(self, shop: Shop, room: str, held: Row) -> None:
        self.expire(shop, held)
        shop.hold(room, shop.at(3))
        assert not self.reclaim(shop, held)
        assert shop.look(held)["status"] == "expired"

    def test_a_place_under_somebody_elses_lapsed_hold_is(
        self, shop: Shop, room: str, held: Row
    ) -> None:
        self.expire(shop, held)
        shop.lapse(shop.hold(room, shop.at(3)))
        assert self.reclaim(shop, held)

    def test_a_booking_that_has_its_place_keeps_it(self, shop: Shop, held: Row) -> None:
        assert self.reclaim(shop, held)
        assert shop.look(held)["status"] == "held"
        assert len(shop.sessions()) == 1

    def test_nothing_is_taken_after_the_start(self, shop: Shop, held: Row) -> None:
        self.expire(shop, held)
        shop.move_in_time(held, timedelta(days=-4))
        assert not self.reclaim(shop, held)

    def test_seats_of_a_shared_session_are_taken_again_while_there_are_some(
        self, shop: Shop
    ) -> None:
        room = shop.add_room(mode="shared", minimum_party=1)
        shop.open_on(room, "12:00", "13:00")
        stays = shop.hold(room, shop.at(3), party_size=3)
        leaves = shop.hold(room, shop.at(3), party_size=3)
        self.expire(shop, leaves)
        assert self.reclaim(shop, leaves)
        assert [s["seats_taken"] for s in shop.sessions()] == [6]

        shop.cancel(stays)
        self.expire(shop, shop.hold(room, shop.at(3), party_size=2))
        shop.hold(room, shop.at(3), party_size=3)
        assert not self.reclaim(shop, stays)


def requested(shop: Shop, booking: Row) -> list[int]:
    """What was promised back, entry by entry."""
    rows = shop.house.owner_sql(
        "select amount_cents from private.refund_requests"
        " where organization_id = %s and booking_id = %s order by created_at",
        shop.id,
        shop.id_of(booking),
    )
    return [row["amount_cents"] for row in rows]
