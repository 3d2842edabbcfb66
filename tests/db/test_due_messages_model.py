"""Random lives of bookings and rules, on days on which clocks change, against a plain model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from client import Refused
from db.booking_world import Shop, change, open_shop
from db.coming_days import clock_change
from matrix.house import House

#: Where and when a clock jumps or goes back; on Lord Howe by half an hour.
CHANGES = (
    ("Europe/Madrid", clock_change("Europe/Madrid", 3)),
    ("Europe/Madrid", clock_change("Europe/Madrid", 10)),
    ("America/New_York", clock_change("America/New_York", 3)),
    ("America/New_York", clock_change("America/New_York", 11)),
    ("Australia/Lord_Howe", clock_change("Australia/Lord_Howe", 4)),
    ("Australia/Lord_Howe", clock_change("Australia/Lord_Howe", 10)),
)
REVIEWS = "https://reviews.example.test/casa"
LENGTH = timedelta(hours=1)
ROOMS = 3
MINUTE = timedelta(minutes=1)
#: Shorter than any jump of a clock, so that it matters when a message is due.
SWEEP = timedelta(minutes=25)

#: A message: its kind, the booking, the rule, the start.
Message = tuple[str, str, str, datetime]


@dataclass
class Rule:
    kind: str
    minutes: int | None
    days: int | None
    at_time: time | None
    rooms: tuple[int, ...] | None
    locales: tuple[str, ...] | None
    counts_from: datetime
    active: bool = True


@dataclass
class Booking:
    room: int
    starts_at: datetime
    locale: str
    status: str
    paid: bool
    stands_since: datetime


@dataclass
class Model:
    """What should be sent, worked out one rule and booking at a time."""

    zone: ZoneInfo
    rules: dict[str, Rule] = field(default_factory=dict)
    bookings: dict[str, Booking] = field(default_factory=dict)
    queued: dict[Message, None] = field(default_factory=dict)
    sent: set[Message] = field(default_factory=set)

    def pass_time(self, after: datetime, until: datetime) -> None:
        """Queue what is due after the one instant, until the other."""
        for rule_id, rule in self.rules.items():
            for booking_id, booking in self.bookings.items():
                due = self.due(rule, booking)
                if (
                    after < due <= until
                    and due > rule.counts_from
                    and due >= booking.stands_since
                    and (rule.kind in ("thanks", "review_request") or due < booking.starts_at)
                    and self.is_right(rule, booking)
                ):
                    self.queued[rule.kind, booking_id, rule_id, booking.starts_at] = None

    def deliver(self) -> None:
        """Send what is queued and still right; what is not is never sent."""
        for message in self.queued:
            _, booking_id, rule_id, starts_at = message
            rule, booking = self.rules.get(rule_id), self.bookings[booking_id]
            if message not in self.tried:
                self.tried.add(message)
                if rule and booking.starts_at == starts_at and self.is_right(rule, booking):
                    self.sent.add(message)

    tried: set[Message] = field(default_factory=set)

    def is_right(self, rule: Rule, booking: Booking) -> bool:
        if not rule.active:
            return False
        if rule.rooms is not None and booking.room not in rule.rooms:
            return False
        if rule.locales is not None and booking.locale not in rule.locales:
            return False
        if rule.kind == "payment_request":
            return booking.status in ("pending", "confirmed") and not booking.paid
        return booking.status == "confirmed"

    def due(self, rule: Rule, booking: Booking) -> datetime:
        before = rule.kind in ("reminder", "payment_request")
        anchor = booking.starts_at if before else booking.starts_at + LENGTH
        sign = -1 if before else 1
        if rule.minutes is not None:
            return anchor + sign * rule.minutes * MINUTE
        assert rule.days is not None and rule.at_time is not None
        day = anchor.astimezone(self.zone).date() + sign * timedelta(rule.days)
        return self.instant(datetime.combine(day, rule.at_time))

    def instant(self, clock: datetime) -> datetime:
        """In a gap as if the clock had not jumped yet; in a fold the second time."""
        early, late = (clock.replace(tzinfo=self.zone, fold=n).astimezone(UTC) for n in (0, 1))
        skipped = early.astimezone(self.zone).replace(tzinfo=None) != clock
        return early if skipped else late


@dataclass(frozen=True)
class Life:
    zone: str
    day: date
    steps: tuple[tuple[int, str, dict[str, Any]], ...]


@st.composite
def timings(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    if draw(st.booleans()):
        return {"minutes": 30 * draw(st.integers(0, 100)), "days": None, "at_time": None}
    least = 0 if kind in ("reminder", "payment_request") else 1
    # Around the hours at which clocks change, and others.
    minute = 30 * draw(st.one_of(st.integers(2, 7), st.integers(0, 47)))
    return {
        "minutes": None,
        "days": draw(st.integers(least, 2)),
        "at_time": time(minute // 60, minute % 60),
    }


@st.composite
def rule_values(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["reminder", "thanks", "payment_request", "review_request"]))
    return {
        "kind": kind,
        **draw(timings(kind)),
        "rooms": draw(st.none() | st.sampled_from([(0,), (1, 2)])),
        "locales": draw(st.none() | st.sampled_from([("es",), ("en", "ca")])),
    }


STARTS = st.integers(-48, 144)  # half hours from the midnight of the day
STEPS = st.one_of(
    st.tuples(st.just("rule"), st.fixed_dictionaries({"values": rule_values()})),
    st.tuples(
        st.just("book"),
        st.fixed_dictionaries(
            {
                "room": st.integers(0, ROOMS - 1),
                "start": STARTS,
                "locale": st.sampled_from(["es", "en", "ca"]),
                "confirmed": st.booleans(),
            }
        ),
    ),
    st.tuples(st.just("move"), st.fixed_dictionaries({"which": st.integers(0), "start": STARTS})),
    st.tuples(
        st.sampled_from(["cancel", "confirm", "pay", "switch", "delete"]),
        st.fixed_dictionaries({"which": st.integers(0)}),
    ),
    st.tuples(
        st.just("change"),
        st.fixed_dictionaries({"which": st.integers(0), "timing": timings("thanks")}),
    ),
    st.tuples(st.just("deliver"), st.just({})),
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    zone, day = draw(st.sampled_from(CHANGES))
    # Enough for something to be due: what is drawn alone often meets nothing.
    opening = [
        *(("rule", {"values": {**draw(rule_values()), "rooms": None}}) for _ in range(3)),
        *(
            ("book", {"room": n, "start": draw(STARTS), "locale": "es", "confirmed": True})
            for n in range(2)
        ),
    ]
    steps = opening + draw(st.lists(STEPS, min_size=4, max_size=14))
    # What happens does so a minute after a message may have been due, or later.
    halves = draw(st.lists(st.integers(0, 28), min_size=len(steps), max_size=len(steps)))
    pauses = [30 * n for n in halves]
    return Life(
        zone, day, tuple((p, name, more) for p, (name, more) in zip(pauses, steps, strict=True))
    )


class World:
    """The same in the database, at times that have not come yet."""

    def __init__(self, house: House, life: Life) -> None:
        self.house = house
        self.shop: Shop = open_shop(house, "Casa", life.zone)
        self.shop.venue.owner.change("delete from public.message_rules")
        self.rooms = [self.shop.add_room() for _ in range(ROOMS)]
        self.midnight = datetime.combine(life.day, time(0), ZoneInfo(life.zone)).astimezone(UTC)
        self.now = self.midnight - timedelta(days=3) + MINUTE
        self.model = Model(ZoneInfo(life.zone))
        self.sent: set[Message] = set()
        self.tried: set[int] = set()
        house.owner_sql("delete from private.message_clock")
        self.sweep()

    def sweep(self) -> None:
        self.house.one("select private.queue_due_messages(%s)", self.now)

    def pass_time(self, minutes: int) -> None:
        """Sweeps that come now and then, the last one at the end; each queues what it should."""
        before, self.now = self.now, self.now + minutes * MINUTE
        swept = self.house.owner_sql(
            "select least(t, last) as at, private.queue_due_messages(least(t, last)) as queued"
            " from (values (%s::timestamptz, %s::timestamptz)) as s (first, last)"
            " cross join generate_series(first, last + %s, %s) as t order by t",
            before + SWEEP,
            self.now,
            SWEEP - MINUTE,
            SWEEP,
        )
        for sweep in swept:
            known = len(self.model.queued)
            self.model.pass_time(before, sweep["at"])
            assert sweep["queued"] == len(self.model.queued) - known, sweep["at"]
            before = sweep["at"]
        assert before == self.now

    def start(self, half_hours: int) -> datetime:
        return self.midnight + half_hours * timedelta(minutes=30)

    def mark(self) -> None:
        """What was just written was written at this world's time."""
        for table, column in (
            ("public.booking_history", "occurred_at"),
            ("public.message_rules", "counts_from"),
            ("public.message_rule_rooms", "created_at"),
        ):
            self.house.owner_sql(
                f"update {table} set {column} = %s where organization_id = %s and {column} < %s",
                self.now,
                self.shop.id,
                self.midnight - timedelta(days=30),
            )

    def deliver(self) -> None:
        for job in self.house.owner_sql(
            "select id, payload, private.visit_content(organization_id, payload) as said"
            " from private.jobs where organization_id = %s and payload ? 'rule_id' order by id",
            self.shop.id,
        ):
            if job["id"] not in self.tried:
                self.tried.add(job["id"])
                cause = job["payload"]
                start = datetime.fromisoformat(cause["starts_at"]).astimezone(UTC)
                if job["said"] is not None:
                    self.sent.add((cause["template"], cause["booking_id"], cause["rule_id"], start))
        self.model.deliver()

    # -- steps -------------------------------------------------------------------------------------

    def do_rule(self, values: dict[str, Any]) -> None:
        rooms, locales = values["rooms"], values["locales"]
        made = self.shop.insert(
            "message_rules",
            kind=values["kind"],
            minutes=values["minutes"],
            days=values["days"],
            at_time=values["at_time"],
            all_rooms=rooms is None,
            locales=locales and list(locales),
            review_url=REVIEWS if values["kind"] == "review_request" else None,
        )
        for room in rooms or ():
            self.shop.insert("message_rule_rooms", rule_id=made["id"], room_id=self.rooms[room])
        self.model.rules[str(made["id"])] = Rule(**values, counts_from=self.now)

    def do_change(self, which: int, timing: dict[str, Any]) -> None:
        if not self.model.rules:
            return
        rule_id = list(self.model.rules)[which % len(self.model.rules)]
        rule = self.model.rules[rule_id]
        change(self.shop.venue.owner, "message_rules", timing, id=rule_id)
        was = (rule.minutes, rule.days, rule.at_time)
        rule.minutes, rule.days, rule.at_time = (timing[k] for k in ("minutes", "days", "at_time"))
        if was != (rule.minutes, rule.days, rule.at_time):
            rule.counts_from = self.now

    def do_switch(self, which: int) -> None:
        if not self.model.rules:
            return
        rule_id = list(self.model.rules)[which % len(self.model.rules)]
        rule = self.model.rules[rule_id]
        rule.active = not rule.active
        change(self.shop.venue.owner, "message_rules", {"is_active": rule.active}, id=rule_id)
        if rule.active:
            rule.counts_from = self.now

    def do_delete(self, which: int) -> None:
        if not self.model.rules:
            return
        rule_id = list(self.model.rules)[which % len(self.model.rules)]
        del self.model.rules[rule_id]
        self.shop.venue.owner.change("delete from public.message_rules where id = %s", rule_id)

    def do_book(self, room: int, start: int, locale: str, confirmed: bool) -> None:
        starts_at = self.start(start)
        number = len(self.model.bookings)
        try:
            made = self.shop.venue.owner.call(
                "create_booking",
                organization_id=self.shop.id,
                room_id=self.rooms[room],
                starts_at=starts_at,
                party_size=2,
                customer={
                    "full_name": "Ana",
                    "email": f"ana{number}@example.test",
                    "locale": locale,
                },
                idempotency_key=f"book {number} {self.now} {start}",
            )
        except Refused:
            return  # somebody is there
        self.model.bookings[str(made["id"])] = Booking(
            room, starts_at, locale, "pending", paid=False, stands_since=self.now
        )
        if confirmed:
            self.do_confirm(number)

    def do_move(self, which: int, start: int) -> None:
        self.call(which, "change_booking", starts_at=self.start(start), key=True)

    def do_cancel(self, which: int) -> None:
        self.call(which, "transition_booking", to_status="cancelled")

    def do_confirm(self, which: int) -> None:
        self.call(which, "transition_booking", to_status="confirmed")

    def do_pay(self, which: int) -> None:
        self.call(which, "record_payment", method="cash", amount_cents=5000, key=True)

    def call(self, which: int, function: str, *, key: bool = False, **more: Any) -> None:
        if not self.model.bookings:
            return
        booking_id = list(self.model.bookings)[which % len(self.model.bookings)]
        booking = self.model.bookings[booking_id]
        if key:
            more["idempotency_key"] = f"{function} {booking_id} {self.now} {more}"
        try:
            self.shop.venue.owner.call(
                function, organization_id=self.shop.id, booking_id=booking_id, **more
            )
        except Refused:
            return
        status = booking.status
        if function == "record_payment":
            booking.paid = True
            booking.status = "confirmed" if status == "pending" else status
        elif function == "transition_booking":
            booking.status = more["to_status"]
        elif booking.starts_at != more["starts_at"]:
            booking.starts_at = more["starts_at"]
            booking.stands_since = self.now
        if status == "pending" and booking.status == "confirmed":
            booking.stands_since = self.now


def _rule(**timing: Any) -> dict[str, Any]:
    plain = {"minutes": None, "days": None, "at_time": None, "rooms": None, "locales": None}
    return {"values": {"kind": "reminder", **plain, **timing}}


#: What is rarely drawn: due a minute before somebody books, or the rule is made.
_REMINDER = _rule(minutes=3 * 24 * 60 - 840)
_AT_MIDNIGHT = {"room": 0, "start": 0, "locale": "es", "confirmed": True}
#: And due at a time that a clock skips or shows twice.
_IN_THE_GAP = _rule(days=0, at_time=time(2, 30))
_IN_THE_MORNING = {**_AT_MIDNIGHT, "start": 20}


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(life=lives())
@example(life=Life(*CHANGES[0], ((0, "rule", _REMINDER), (840, "book", _AT_MIDNIGHT))))
@example(life=Life(*CHANGES[0], ((0, "book", _AT_MIDNIGHT), (840, "rule", _REMINDER))))
@example(life=Life(*CHANGES[0], ((0, "rule", _IN_THE_GAP), (0, "book", _IN_THE_MORNING))))
@example(life=Life(*CHANGES[1], ((0, "rule", _IN_THE_GAP), (0, "book", _IN_THE_MORNING))))
def test_what_is_sent_when_is_what_the_model_says(house: House, life: Life) -> None:
    with house.connection.transaction(force_rollback=True):
        world = World(house, life)
        for pause, name, more in life.steps:
            world.pass_time(pause)
            if name == "deliver":
                world.deliver()
            else:
                getattr(world, f"do_{name}")(**more)
                world.mark()
        # Until everything is over, as each day's end would have it.
        world.pass_time(5 * 24 * 60)
        world.deliver()
        assert world.sent == world.model.sent
        queued = house.one(
            "select count(*) from private.jobs where organization_id = %s and payload ? 'rule_id'",
            world.shop.id,
        )
        assert queued == len(world.model.queued)
