"""Random lives of bookings, rules and members, on days on which clocks change, against a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Client, Refused
from db.booking_world import Shop, change, open_shop
from db.coming_days import clock_change
from db.staffing_world import Crew
from matrix.house import House, email_of

#: Where and when a clock jumps or goes back; on Lord Howe by half an hour.
CHANGES = (
    ("Europe/Madrid", clock_change("Europe/Madrid", 3)),
    ("America/New_York", clock_change("America/New_York", 11)),
    ("Australia/Lord_Howe", clock_change("Australia/Lord_Howe", 10)),
    ("Australia/Lord_Howe", clock_change("Australia/Lord_Howe", 4)),
)
ROOMS = 2
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SWEEP = timedelta(minutes=110)
#: Who may be told; the desk does all that is done, and is told of nothing of it.
PEOPLE = ("owner", "mia", "gus")
BOOKING_KINDS = ("booking_new", "booking_changed", "booking_cancelled")


@dataclass
class Rule:
    kinds: tuple[str, ...]
    to_owners: bool
    rooms: tuple[int, ...] | None
    digest_at: time | None
    hours: int | None
    counts_from: datetime
    members: dict[str, datetime] = field(default_factory=dict)
    active: bool = True
    waiting: list[int] = field(default_factory=list)


@dataclass
class Booking:
    room: int
    starts_at: datetime
    stands: bool = True
    id: str = ""
    session: str = ""
    runs_since: datetime | None = None  # since when Gus runs its session


@dataclass(frozen=True)
class Event:
    kind: str
    booking: int
    room: int
    starts_at: datetime
    at: datetime
    session: str
    subject: str
    about: str | None = None


#: What a person is told in the app: who, as what, of which event (a date: of a board).
Told = tuple[str, str, int | date]


@dataclass
class Model:
    """What should be told, worked out one rule, event and person at a time."""

    zone: ZoneInfo
    rules: dict[str, Rule] = field(default_factory=dict)
    bookings: list[Booking] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    spread: int = 0
    members: set[str] = field(default_factory=lambda: set(PEOPLE))
    told: set[Told] = field(default_factory=set)
    mailed: set[Told] = field(default_factory=set)
    digests: list[tuple[str, str, tuple[int, ...]]] = field(default_factory=list)
    boards: set[tuple[str, date]] = field(default_factory=set)

    def sweep(self, since: datetime, until: datetime) -> None:
        for number in range(self.spread, len(self.events)):
            self.tell(number)
        self.spread = len(self.events)
        for instant, rule_id in self.instants(since, until):
            rule = self.rules[rule_id]
            if rule.kinds == ("day_board",):
                self.board(rule, instant)
            else:
                self.digest(rule_id, rule)

    def tell(self, number: int) -> None:
        event = self.events[number]
        best: dict[str, tuple[int, str]] = {}
        mailed: dict[str, tuple[int, str]] = {}

        def add(person: str, rank: int, type_: str, *, at_once: bool) -> None:
            if person in self.members:
                best[person] = min(best.get(person, (9, "")), (rank, type_))
                if at_once:
                    mailed[person] = min(mailed.get(person, (9, "")), (rank, type_))

        for rule in self.rules.values():
            if not self.covers(rule, event):
                continue
            if rule.kinds == ("own_sessions",):
                if event.about:
                    add(event.about, 2, event.kind, at_once=True)
                elif event.kind in BOOKING_KINDS and self.gus_ran(event):
                    add("gus", 2, "session_changed", at_once=True)
                continue
            soon = timedelta(0) < event.starts_at - event.at <= timedelta(hours=rule.hours or 0)
            type_ = "last_minute" if soon and event.kind in BOOKING_KINDS else event.kind
            if type_ not in rule.kinds and event.kind in rule.kinds:
                type_ = event.kind
            if type_ not in rule.kinds:
                continue
            at_once = rule.digest_at is None or type_ == "last_minute"
            for person in self.audience(rule, event):
                add(person, type_ != "last_minute", type_, at_once=at_once)
            if not at_once:
                rule.waiting.append(number)
        self.told |= {(person, type_, number) for person, (_, type_) in best.items()}
        self.mailed |= {(person, type_, number) for person, (_, type_) in mailed.items()}

    def gus_ran(self, event: Event) -> bool:
        booking = self.bookings[event.booking]
        since = booking.runs_since
        return since is not None and since <= event.at and booking.session == event.session

    def covers(self, rule: Rule, event: Event) -> bool:
        return (
            rule.active
            and rule.counts_from < event.at
            and (rule.rooms is None or event.room in rule.rooms)
        )

    def audience(self, rule: Rule, event: Event) -> set[str]:
        owners = {"owner"} if rule.to_owners else set()
        return owners | {who for who, since in rule.members.items() if since < event.at}

    def digest(self, rule_id: str, rule: Rule) -> None:
        taken = [n for n in rule.waiting if self.covers(rule, self.events[n])]
        rule.waiting = []
        for person in PEOPLE:
            its = tuple(n for n in taken if person in self.audience(rule, self.events[n]))
            if its and person in self.members:
                self.digests.append((rule_id, person, its))

    def board(self, rule: Rule, instant: datetime) -> None:
        day = instant.astimezone(self.zone).date() + DAY
        runs = any(
            b.stands
            and b.runs_since
            and b.starts_at.astimezone(self.zone).date() == day
            and (rule.rooms is None or b.room in rule.rooms)
            for b in self.bookings
        )
        if runs and rule.counts_from < instant and "gus" in self.members:
            self.boards.add(("gus", day))
            self.told.add(("gus", "day_board", day))

    def instants(self, since: datetime, until: datetime) -> list[tuple[datetime, str]]:
        found = []
        day = since.astimezone(self.zone).date() - DAY
        while day <= until.astimezone(self.zone).date() + DAY:
            for rule_id, rule in self.rules.items():
                if rule.active and rule.digest_at is not None:
                    at = self.instant(datetime.combine(day, rule.digest_at))
                    if since < at <= until:
                        found.append((at, rule_id))
            day += DAY
        return sorted(found)

    def instant(self, clock: datetime) -> datetime:
        """In a gap as if the clock had not jumped yet; in a fold the second time."""
        early, late = (clock.replace(tzinfo=self.zone, fold=n).astimezone(UTC) for n in (0, 1))
        skipped = early.astimezone(self.zone).replace(tzinfo=None) != clock
        return early if skipped else late

    def note(self, kind: str, booking: int, at: datetime, about: str | None = None) -> None:
        it = self.bookings[booking]
        subject = it.session if about else it.id
        self.events.append(
            Event(kind, booking, it.room, it.starts_at, at, it.session, subject, about)
        )

    def is_news(self, number: int) -> bool:
        event = self.events[number]
        booking = self.bookings[event.booking]
        if event.kind == "booking_new":
            return booking.stands
        if event.kind == "booking_changed":
            return not any(
                later.booking == event.booking
                and later.kind in ("booking_changed", "booking_cancelled")
                for later in self.events[number + 1 :]
            )
        if event.kind in ("session_assigned", "session_released"):
            runs = booking.runs_since is not None and booking.session == event.session
            return runs == (event.kind == "session_assigned")
        return True


@dataclass(frozen=True)
class Life:
    zone: str
    day: date
    steps: tuple[tuple[int, str, dict[str, Any]], ...]


#: Around the hours at which clocks change, and others.
CLOCKS = st.one_of(st.integers(3, 7), st.integers(0, 47)).map(
    lambda half: time(half // 2, 30 * (half % 2))
)
WHICH = st.fixed_dictionaries({"which": st.integers(0)})


@st.composite
def rule_values(draw: st.DrawFn) -> dict[str, Any]:
    rooms = draw(st.none() | st.sampled_from([(0,), (1,)]))
    own = draw(st.sampled_from([None, None, None, "own_sessions", "day_board"]))
    if own:
        hour = draw(CLOCKS) if own == "day_board" else None
        nobody = {"to_owners": False, "hours": None}
        return {"kinds": (own,), "rooms": rooms, "digest_at": hour, **nobody}
    kinds = draw(st.sets(st.sampled_from([*BOOKING_KINDS, "last_minute"]), min_size=1))
    return {
        "kinds": tuple(sorted(kinds)),
        "to_owners": draw(st.booleans()),
        "rooms": rooms,
        "digest_at": draw(st.none() | CLOCKS),
        "hours": draw(st.sampled_from([1, 24, 72])) if "last_minute" in kinds else None,
    }


STARTS = st.integers(-40, 140)  # half hours from the midnight of the day
BOOK = st.fixed_dictionaries({"room": st.integers(0, ROOMS - 1), "start": STARTS})
STEPS = st.one_of(
    st.tuples(st.just("rule"), st.fixed_dictionaries({"values": rule_values()})),
    st.tuples(st.just("book"), BOOK),
    st.tuples(st.just("move"), st.fixed_dictionaries({"which": st.integers(0), "start": STARTS})),
    st.tuples(
        st.sampled_from(["cancel", "assign", "release", "switch", "hour", "add", "suspend"]), WHICH
    ),
    st.tuples(st.sampled_from(["suspend", "remove", "back"]), WHICH),
    st.tuples(st.just("deliver"), st.just({})),
)


@st.composite
def lives(draw: st.DrawFn) -> Life:
    zone, day = draw(st.sampled_from(CHANGES))
    # Enough for something to be told: what is drawn alone often meets nobody.
    opening = [
        *(("rule", {"values": draw(rule_values())}) for _ in range(3)),
        ("add", {"which": 0}),
        *(("book", draw(BOOK)) for _ in range(2)),
        ("assign", {"which": 0}),
    ]
    steps = opening + draw(st.lists(STEPS, min_size=4, max_size=14))
    pauses = draw(st.lists(st.integers(0, 40), min_size=len(steps), max_size=len(steps)))
    return Life(
        zone,
        day,
        tuple((30 * p, name, more) for p, (name, more) in zip(pauses, steps, strict=True)),
    )


class World:
    """The same in the database, at times that have not come yet."""

    def __init__(self, house: House, life: Life) -> None:
        self.house = house
        self.shop: Shop = open_shop(house, "Casa", life.zone)
        self.crew = Crew(self.shop, self.shop.venue.owner)
        self.shop.venue.owner.change("delete from public.notice_rules")
        self.rooms = [self.crew.add_room() for _ in range(ROOMS)]
        self.midnight = datetime.combine(life.day, time(0), ZoneInfo(life.zone)).astimezone(UTC)
        self.now = self.midnight - 3 * DAY + MINUTE
        self.model = Model(ZoneInfo(life.zone))
        self.people: dict[str, Client] = {
            "owner": self.shop.venue.owner,
            "mia": self.shop.venue.hire("mia", "manager"),
            "gus": self.shop.venue.hire("gus", "game_master"),
        }
        self.crew.teach(self.people["gus"], *self.rooms)
        self.desk = self.shop.venue.hire("desk", "manager")
        self.steps = 0
        house.owner_sql(
            "update private.notice_clock set swept_until = %s, stamped_at = '2000-01-01'", self.now
        )

    def pass_time(self, minutes: int) -> None:
        before, self.now = self.now, self.now + minutes * MINUTE
        instants = self.house.owner_sql(
            "select i.instant, i.rule_id::text from private.notice_instants(%s, %s) as i"
            " where i.organization_id = %s",
            before,
            self.now,
            self.shop.id,
        )
        assert sorted((i["instant"].astimezone(UTC), i["rule_id"]) for i in instants) == (
            self.model.instants(before, self.now)
        )
        while before < self.now:
            at = min(before + SWEEP, self.now)
            self.house.one("select private.sweep_notices(%s)::text", at)
            self.model.sweep(before, at)
            before = at

    def mark(self) -> None:
        """What was just written was written at this world's time, in a transaction of its own."""
        self.steps += 1
        self.house.owner_sql(
            "update private.notice_events set written_by = %s::text::xid8"
            " where organization_id = %s and occurred_at < %s",
            self.steps,
            self.shop.id,
            self.midnight - 30 * DAY,
        )
        for table, column in (
            ("private.notice_events", "occurred_at"),
            ("public.session_staff", "created_at"),
            ("public.notice_rules", "counts_from"),
            ("public.notice_rule_rooms", "created_at"),
            ("public.notice_rule_members", "created_at"),
        ):
            self.house.owner_sql(
                f"update {table} set {column} = %s where organization_id = %s and {column} < %s",
                self.now,
                self.shop.id,
                self.midnight - 30 * DAY,
            )

    def numbers(self) -> dict[str, int]:
        """The events of the database in the model's order: of one transaction by subject."""
        rows = self.house.owner_sql(
            "select e.id::text, e.kind, e.booking_id::text, e.session_id::text, e.occurred_at"
            " from private.notice_events as e"
            " where e.organization_id = %s order by e.occurred_at, e.id",
            self.shop.id,
        )
        found: dict[str, int] = {}
        left = dict(enumerate(self.model.events))
        for row in rows:
            for number, event in left.items():
                subject = row["booking_id"] or row["session_id"]
                at = row["occurred_at"].astimezone(UTC)
                if (event.kind, event.subject, event.at) == (row["kind"], subject, at):
                    found[row["id"]] = number
                    del left[number]
                    break
            else:
                raise AssertionError(row)
        assert left == {}
        return found

    def told(self) -> set[Told]:
        numbers = self.numbers()
        names = {person.id: name for name, person in self.people.items()}
        return {
            (
                names[row["user_id"]],
                row["type"],
                numbers[row["event_id"]]
                if row["event_id"]
                else date.fromisoformat(row["data"]["date"]),
            )
            for row in self.house.owner_sql(
                "select user_id::text, type, event_id::text, data from public.notifications"
                " where organization_id = %s",
                self.shop.id,
            )
        }

    def check(self) -> None:
        """All that was told and queued, and what the mails say now."""
        model, numbers = self.model, self.numbers()
        assert self.told() == model.told
        names = {person.id: name for name, person in self.people.items()}
        mailed, digests, boards = set(), [], set()
        for job in self.house.owner_sql(
            "select payload from private.jobs where organization_id = %s"
            " and payload ? 'notice_rule_id' order by id",
            self.shop.id,
        ):
            cause = job["payload"]
            who, rule = names[cause["user_id"]], model.rules[cause["notice_rule_id"]]
            says = self.house.one(
                f"select private.{cause['template']}_content(%s, %s)", self.shop.id, Jsonb(cause)
            )
            right = who in model.members and rule.active
            if cause["template"] == "notice":
                number = numbers[cause["event_id"]]
                mailed.add((who, cause["type"], number))
                assert (says is not None) == (right and model.is_news(number)), cause
            elif cause["template"] == "notice_digest":
                its = tuple(numbers[event] for event in cause["events"])
                digests.append((cause["notice_rule_id"], who, its))
                assert (says is not None) == right
            else:
                boards.add((who, date.fromisoformat(cause["date"])))
        assert mailed == model.mailed
        assert sorted(digests) == sorted(model.digests)
        assert boards == model.boards

    # -- steps -------------------------------------------------------------------------------------

    def do_rule(self, values: dict[str, Any]) -> None:
        made = self.shop.insert(
            "notice_rules",
            kinds=list(values["kinds"]),
            to_owners=values["to_owners"],
            all_rooms=values["rooms"] is None,
            digest_at=values["digest_at"],
            last_minute_hours=values["hours"],
        )
        for room in values["rooms"] or ():
            self.shop.insert("notice_rule_rooms", rule_id=made["id"], room_id=self.rooms[room])
        self.model.rules[str(made["id"])] = Rule(**values, counts_from=self.now)

    def rule(self, which: int) -> tuple[str, Rule]:
        rule_id = list(self.model.rules)[which % len(self.model.rules)]
        return rule_id, self.model.rules[rule_id]

    def do_add(self, which: int) -> None:
        """One more member whom a rule tells."""
        rule_id, rule = self.rule(which)
        person = PEOPLE[which % len(PEOPLE)]
        if person in rule.members or person not in self.model.members:
            return
        self.shop.insert("notice_rule_members", rule_id=rule_id, user_id=self.people[person].id)
        rule.members[person] = self.now

    def do_switch(self, which: int) -> None:
        rule_id, rule = self.rule(which)
        rule.active = not rule.active
        change(self.shop.venue.owner, "notice_rules", {"is_active": rule.active}, id=rule_id)
        if rule.active:
            rule.counts_from = self.now

    def do_hour(self, which: int) -> None:
        """Another hour of a digest: what waits for the old one comes with the new one."""
        rule_id, rule = self.rule(which)
        if rule.digest_at is not None:
            rule.digest_at = time((rule.digest_at.hour + 5) % 24, rule.digest_at.minute)
            change(self.shop.venue.owner, "notice_rules", {"digest_at": rule.digest_at}, id=rule_id)

    def do_book(self, room: int, start: int) -> None:
        starts_at = self.midnight + start * 30 * MINUTE
        number = len(self.model.bookings)
        try:
            made = self.desk.call(
                "create_booking",
                organization_id=self.shop.id,
                room_id=self.rooms[room],
                starts_at=starts_at,
                party_size=2,
                customer={"full_name": "Ana"},
                idempotency_key=f"book {number} {self.now} {start}",
            )
        except Refused:
            return  # somebody is there
        made_id = str(made["id"])
        self.model.bookings.append(Booking(room, starts_at, id=made_id))
        self.follow(number)
        self.model.note("booking_new", number, self.now)

    def follow(self, number: int) -> None:
        booking = self.model.bookings[number]
        booking.session = self.house.one(
            "select session_id::text from public.bookings where id = %s", booking.id
        )

    def on_booking(self, which: int, function: str, **more: Any) -> int | None:
        """Which booking the desk did it to, if it could."""
        if not self.model.bookings:
            return None
        number = which % len(self.model.bookings)
        try:
            self.desk.call(
                function,
                organization_id=self.shop.id,
                booking_id=self.model.bookings[number].id,
                **more,
            )
        except Refused:
            return None
        return number

    def do_move(self, which: int, start: int) -> None:
        starts_at = self.midnight + start * 30 * MINUTE
        key = f"move {which} {self.now} {start}"
        number = self.on_booking(which, "change_booking", starts_at=starts_at, idempotency_key=key)
        if number is None:
            return
        # Another session, which nobody runs yet.
        self.lose(number)
        self.model.bookings[number].starts_at = starts_at
        self.follow(number)
        self.model.note("booking_changed", number, self.now)

    def do_cancel(self, which: int) -> None:
        number = self.on_booking(which, "transition_booking", to_status="cancelled")
        # Cancelled again, it is as wished, and no news.
        if number is not None and self.model.bookings[number].stands:
            self.lose(number)
            self.model.bookings[number].stands = False
            self.model.note("booking_cancelled", number, self.now)

    def do_assign(self, which: int) -> None:
        if not self.model.bookings:
            return
        number = which % len(self.model.bookings)
        booking = self.model.bookings[number]
        if booking.runs_since:
            return
        try:
            self.desk.call(
                "assign_game_master",
                organization_id=self.shop.id,
                session_id=self.model.bookings[number].session,
                user_id=self.people["gus"].id,
            )
        except Refused:
            return
        booking.runs_since = self.now
        self.model.note("session_assigned", number, self.now, "gus")

    def do_release(self, which: int) -> None:
        if self.model.bookings and self.model.bookings[which % len(self.model.bookings)].runs_since:
            number = which % len(self.model.bookings)
            self.desk.call(
                "unassign_game_master",
                organization_id=self.shop.id,
                session_id=self.model.bookings[number].session,
                user_id=self.people["gus"].id,
            )
            self.lose(number)

    def lose(self, number: int) -> None:
        if self.model.bookings[number].runs_since:
            self.model.bookings[number].runs_since = None
            self.model.note("session_released", number, self.now, "gus")

    def do_suspend(self, which: int) -> None:
        self.end(("mia", "gus")[which % 2], "suspend_member")

    def do_remove(self, which: int) -> None:
        name = ("mia", "gus")[which % 2]
        if self.end(name, "remove_member"):
            for rule in self.model.rules.values():
                rule.members.pop(name, None)
            self.model.told = {told for told in self.model.told if told[0] != name}

    def end(self, name: str, function: str) -> bool:
        if name not in self.model.members:
            return False
        self.shop.venue.owner.call(
            function, organization_id=self.shop.id, user_id=self.people[name].id
        )
        self.model.members.discard(name)
        if name == "gus":
            for number in range(len(self.model.bookings)):
                self.lose(number)
        return True

    def do_back(self, which: int) -> None:
        name = ("mia", "gus")[which % 2]
        if name in self.model.members:
            return
        person = self.people[name]
        mine = {"organization_id": self.shop.id, "user_id": person.id}
        try:
            self.shop.venue.owner.call("reactivate_member", **mine)
        except Refused:
            role = "manager" if name == "mia" else "game_master"
            self.shop.venue.admit(person, email_of(name), role)
        self.model.members.add(name)

    def do_deliver(self) -> None:
        self.check()


def _rule(*kinds: str, **more: Any) -> dict[str, Any]:
    plain = {"to_owners": True, "rooms": None, "digest_at": None, "hours": None}
    return {"values": {"kinds": kinds, **plain, **more}}


_GAP = time(2, 30)
_BOARD = _rule("day_board", to_owners=False, digest_at=time(18))
_OWN = _rule("own_sessions", to_owners=False)
_BOOK: dict[str, Any] = {"room": 0, "start": 40}
_FIRST = {"which": 0}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(life=lives())
# A digest at an hour that the clock skips, and one that waits over a change of its hour.
@example(
    Life(
        *CHANGES[0],
        (
            (0, "rule", _rule("booking_new", digest_at=_GAP)),
            (2900, "book", _BOOK),
            (5, "hour", _FIRST),
            (1440, "book", {"room": 1, "start": 90}),
        ),
    )
)
# Made before the rule, and while it was switched off: nobody is told.
@example(
    Life(
        *CHANGES[1],
        (
            (0, "book", _BOOK),
            (1, "rule", _rule("booking_new", "booking_cancelled")),
            (1, "switch", _FIRST),
            (1, "cancel", _FIRST),
            (0, "switch", _FIRST),
            (1, "book", {"room": 1, "start": 90}),
        ),
    )
)
# Moved away from its game master; the evening before each day.
@example(
    Life(
        *CHANGES[2],
        (
            (0, "rule", _BOARD),
            (0, "rule", _OWN),
            (1, "book", _BOOK),
            (1, "book", {"room": 1, "start": 60}),
            (1, "assign", {"which": 0}),
            (1, "assign", {"which": 1}),
            (60, "move", {"which": 0, "start": 44}),
            (60, "move", {"which": 0, "start": 61}),
            (60, "suspend", {"which": 1}),
            (0, "back", {"which": 1}),
            (60, "remove", {"which": 1}),
        ),
    )
)
def test_whoever_is_told_what_and_when_is_what_the_model_says(house: House, life: Life) -> None:
    with house.connection.transaction(force_rollback=True):
        world = World(house, life)
        for pause, name, more in life.steps:
            world.pass_time(pause)
            getattr(world, f"do_{name}")(**more)
            world.mark()
        world.pass_time(3 * 24 * 60)
        world.check()
