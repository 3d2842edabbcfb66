"""Staff are told of bookings: whom a rule names, once, while they may know; in the app, by mail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from client import Client, Refused
from db.booking_world import Row, Shop, change, open_shop
from db.realtime import STAND_IN
from db.staffing_world import Crew, open_crew
from leases import leased
from matrix.fixtures import Track
from matrix.house import House, email_of


@pytest.fixture
def crew(house: House) -> Crew:
    shop = open_shop(house, "Venue")
    # As if the rules had been there for long: now() does not move in a test's transaction.
    house.owner_sql("update private.notice_clock set swept_until = now()")
    return Crew(shop, shop.venue.owner)


@pytest.fixture
def room(crew: Crew) -> str:
    return crew.add_room()


def sweep(shop: Shop) -> Row:
    swept = shop.house.service.call("service.sweep_notices")
    assert isinstance(swept, dict)
    return swept


def told(shop: Shop, person: Client) -> list[Row]:
    """What a person reads in the app, oldest first."""
    found = person.select(
        "select * from public.list_notifications(organization_id => %s, after => '-infinity')",
        shop.id,
    )
    return [dict(row) for row in found]


def mails(shop: Shop, template: str = "notice") -> list[Row]:
    """The mails to staff that are queued, with what each says now; None: it is not sent."""
    return [
        {**row, "says": says(shop, row)}
        for row in shop.house.owner_sql(
            "select id, payload from private.jobs where organization_id = %s"
            " and payload ->> 'template' = %s order by id",
            shop.id,
            template,
        )
    ]


def says(shop: Shop, job: Row) -> Any:
    template = job["payload"]["template"]
    return shop.house.one(
        f"select private.{template}_content(%s, %s)", shop.id, Jsonb(job["payload"])
    )


def rule(shop: Shop, *people: Client, **values: object) -> str:
    """The one rule, which tells these people."""
    shop.venue.owner.change("delete from public.notice_rules")
    made = shop.insert("notice_rules", **{"kinds": ["booking_new"], **values})
    for person in people:
        shop.insert("notice_rule_members", rule_id=made["id"], user_id=person.id)
    return str(made["id"])


def book(shop: Shop, room: str, days: int = 3, clock: str = "12:00") -> Row:
    """A visitor's booking, which the till confirms: nobody with an account did it."""
    held = shop.hold(room, shop.at(days, clock))
    booking_id = shop.id_of(held)
    shop.house.one("select private.act_as('system')::text")
    shop.house.owner_sql(
        "update public.bookings set status = 'confirmed', hold_expires_at = null where id = %s",
        booking_id,
    )
    shop.house.one("select set_config('escapemaster.actor', '', true)")
    return {**held, "id": booking_id}


def test_an_owner_is_told_of_a_booking_from_the_first_day_in_the_own_language(
    crew: Crew, room: str
) -> None:
    shop, owner = crew.shop, crew.shop.venue.owner
    shop.hold(room, shop.at(4))
    assert sweep(shop)["told"] == 0, "a hold is nobody's news"
    booking = book(shop, room)
    assert (sweep(shop)["told"], sweep(shop)["told"]) == (1, 0)
    when = shop.at(3).strftime("%d/%m/%Y 12:00")
    words = {
        "es": (f"Nueva reserva: {shop_room(shop, room)}", "2 jugadores"),
        "en": (f"New booking: {shop_room(shop, room)}", "2 players"),
        "ca": (f"Reserva nova: {shop_room(shop, room)}", "2 jugadors"),
    }
    for locale, (title, players) in words.items():
        change(owner, "profiles", {"locale": locale}, user_id=owner.id)
        [notice] = told(shop, owner)
        assert (notice["type"], notice["title"]) == ("booking_new", title)
        assert notice["body"] == f"{when} · {players} · {booking['reference']} · Ana García"
        assert notice["link"] == f"bookings/{booking['id']}"
    [mail] = mails(shop)
    assert mail["says"]["to"]["email"] == shop.house.one(
        "select email from public.profiles where user_id = %s", owner.id
    )
    assert mail["says"]["data"]["customer_name"] == "Ana García"


def shop_room(shop: Shop, room: str) -> str:
    return str(shop.house.one("select name from public.rooms where id = %s", room))


def test_nobody_is_told_of_what_they_did_themselves(crew: Crew, room: str) -> None:
    shop = crew.shop
    manager = crew.hire(role="manager")
    rule(shop, manager, to_owners=True, kinds=["booking_new", "booking_cancelled"])
    booking = book(shop, room)
    sweep(shop)
    manager.call(
        "transition_booking",
        organization_id=shop.id,
        booking_id=booking["id"],
        to_status="cancelled",
    )
    sweep(shop)
    assert [n["type"] for n in told(shop, manager)] == ["booking_new"]
    assert [n["type"] for n in told(shop, shop.venue.owner)] == ["booking_new", "booking_cancelled"]


def test_who_the_party_is_shows_to_whoever_may_see_customers(crew: Crew, room: str) -> None:
    shop = crew.shop
    master, manager = crew.hire(), crew.hire(role="manager")
    rule(shop, master, manager)
    book(shop, room)
    sweep(shop)
    assert "Ana García" in told(shop, manager)[0]["body"]
    assert "Ana" not in str(told(shop, master))
    names = {
        mail["payload"]["user_id"]: mail["says"]["data"]["customer_name"] for mail in mails(shop)
    }
    assert names == {master.id: None, manager.id: "Ana García"}
    hidden = next(m for m in mails(shop) if m["payload"]["user_id"] == master.id)
    assert "example.test" not in str(hidden["says"]["data"])
    # Read when it is shown, not when it was written.
    shop.venue.owner.call(
        "set_member_role",
        organization_id=shop.id,
        user_id=manager.id,
        role_id=shop.venue.role("game_master"),
    )
    assert "Ana" not in str(told(shop, manager))
    assert all(m["says"]["data"]["customer_name"] is None for m in mails(shop))


def test_that_mails_do_not_arrive_is_told_once_until_one_does(crew: Crew, room: str) -> None:
    shop, owner = crew.shop, crew.shop.venue.owner
    booking = book(shop, room)
    past = book(shop, room, clock="14:00")
    shop.move_in_time(past, -timedelta(days=4))
    sweep(shop)
    before = len(told(shop, owner))

    def bounce(one: Row, problem: str = "bounced") -> None:
        shop.house.owner_sql(
            "insert into public.booking_mail_problems (organization_id, booking_id, problem)"
            " values (%s, %s, %s)"
            " on conflict on constraint booking_mail_problems_pkey do update"
            " set problem = excluded.problem",
            *(shop.id, one["id"], problem),
        )

    bounce(past)
    assert sweep(shop)["told"] == 0, "after the visit nobody stands at a closed door"
    bounce(booking)
    bounce(booking, "complained")
    assert sweep(shop)["told"] == 1
    notice = told(shop, owner)[before]
    assert notice["type"] == "mail_problem"
    assert booking["reference"] in notice["title"]
    [mail] = [m for m in mails(shop) if m["payload"]["type"] == "mail_problem"]
    assert mail["says"]["data"]["happened"] == "mail_problem"
    # One that arrived: that is no news any more, and the next that does not is.
    shop.house.owner_sql(
        "delete from public.booking_mail_problems where organization_id = %s", shop.id
    )
    assert says(shop, mail) is None
    bounce(booking)
    assert sweep(shop)["told"] == 1


def test_about_money_is_told_who_may_see_payments(crew: Crew, room: str) -> None:
    shop = crew.shop
    master, manager = crew.hire(), crew.hire(role="manager")
    rule(shop, master, manager, kinds=["payment_disputed", "booking_paid_late"], to_owners=True)
    booking = book(shop, room)
    house = shop.house
    house.owner_sql(
        "insert into private.notice_events (organization_id, kind, booking_id, room_id, starts_at)"
        " select b.organization_id, 'payment_disputed', b.id, b.room_id, b.starts_at"
        " from public.bookings as b where b.id = %s",
        booking["id"],
    )
    assert sweep(shop)["told"] == 2
    assert told(shop, master) == []
    assert [n["type"] for n in told(shop, manager)] == ["payment_disputed"]
    # Owners have a mail about disputes of its own.
    assert [m["payload"]["user_id"] for m in mails(shop)] == [manager.id]
    shop.venue.owner.call(
        "set_member_role",
        organization_id=shop.id,
        user_id=manager.id,
        role_id=shop.venue.role("game_master"),
    )
    assert told(shop, manager) == []
    assert manager.select("select * from public.notifications") == []
    assert mails(shop)[0]["says"] is None


@pytest.mark.parametrize("end", ["suspend_member", "remove_member"])
def test_whoever_is_no_member_any_more_is_told_nothing(crew: Crew, room: str, end: str) -> None:
    shop = crew.shop
    manager = crew.hire(role="manager")
    rule(shop, manager)
    book(shop, room)
    sweep(shop)
    assert len(told(shop, manager)) == len(mails(shop)) == 1
    book(shop, room, 4)
    shop.venue.owner.call(end, organization_id=shop.id, user_id=manager.id)
    assert sweep(shop)["told"] == 0
    [mail] = mails(shop)
    assert mail["says"] is None
    for call in ("list_notifications", "unread_notifications", "mark_notifications_read"):
        with pytest.raises(Refused, match="permission_denied"):
            manager.call(call, organization_id=shop.id)
    assert manager.select("select * from public.notifications") == []


def test_another_venue_s_members_see_and_mark_nothing(crew: Crew, room: str) -> None:
    shop, twin = crew.shop, open_shop(crew.house, "Twin")
    book(shop, room)
    sweep(shop)
    assert told(shop, shop.venue.owner) and not told(twin, twin.venue.owner)
    assert twin.venue.owner.select("select * from public.notifications") == []
    [notice] = told(shop, shop.venue.owner)
    marked = twin.venue.owner.call(
        "mark_notifications_read", organization_id=twin.id, ids=[notice["id"]]
    )
    assert marked == {"marked": 0}
    # A colleague with every permission does not read one's own either.
    assert crew.hire(role="admin").select("select * from public.notifications") == []


def test_preferences_and_what_was_read(crew: Crew, room: str) -> None:
    shop, owner = crew.shop, crew.shop.venue.owner

    def prefer(kind: str, *, in_app: bool, mail: bool) -> None:
        for _ in range(2):
            owner.call(
                "set_notification_preference",
                organization_id=shop.id,
                type=kind,
                in_app=in_app,
                mail=mail,
            )

    prefer("booking_new", in_app=True, mail=False)
    prefer("booking_cancelled", in_app=False, mail=True)
    booking = [book(shop, room, days) for days in (3, 4, 5)][-1]
    sweep(shop)
    shop.move(booking, "cancelled", by=shop.venue.hire("desk", "receptionist"))
    sweep(shop)
    news = told(shop, owner)
    assert [n["type"] for n in news] == ["booking_new"] * 3
    # The first three were queued, and are not sent.
    assert [m["says"] is not None for m in mails(shop)] == [False, False, False, True]

    unread = owner.call("unread_notifications", organization_id=shop.id)
    assert unread["unread"] == 3
    assert datetime.fromisoformat(unread["newest_at"]) == news[-1]["created_at"]
    mark = {"organization_id": shop.id}
    assert owner.call("mark_notifications_read", **mark, ids=[news[1]["id"]]) == {"marked": 1}
    before = {**mark, "until": news[1]["created_at"]}
    assert owner.call("mark_notifications_read", **before) == {"marked": 1}
    assert owner.call("mark_notifications_read", **before) == {"marked": 0}
    left = owner.select("select * from public.list_notifications(%s, unread_only => true)", shop.id)
    assert [n["id"] for n in left] == [news[2]["id"]]
    assert owner.call("mark_notifications_read", **mark) == {"marked": 1}
    assert owner.call("unread_notifications", **mark) == {"unread": 0, "newest_at": None}
    for call in ({"type": "nonsense"}, {"type": None}):
        with pytest.raises(Refused, match="type_invalid"):
            owner.call("set_notification_preference", **mark, **call, in_app=True, mail=True)


class TestAddresses:
    def test_it_is_told_once_it_has_said_yes_and_never_who_comes(
        self, crew: Crew, room: str
    ) -> None:
        shop, owner = crew.shop, crew.shop.venue.owner
        rule_id = rule(shop)
        wish = {"organization_id": shop.id, "email": "Office@example.test", "locale": "ca"}
        added = owner.call("add_notice_address", **wish)
        assert (added["email"], added["confirmed_at"]) == ("office@example.test", None)
        assert owner.call("add_notice_address", **wish) == added
        shop.insert("notice_rule_addresses", rule_id=rule_id, address_id=added["id"])
        book(shop, room)
        sweep(shop)
        assert mails(shop) == []
        [asked] = mails(shop, "notice_address")
        assert asked["says"]["to"]["email"] == "office@example.test"
        assert asked["says"]["locale"] == "ca"

        start = asked["says"]["data"]["start_token"]
        assert answer_link(shop, start) == ("Venue", True) == answer_link(shop, start)
        assert says(shop, asked) is None
        book(shop, room, 4)
        sweep(shop)
        [mail] = mails(shop)
        assert mail["says"]["data"]["room_name"]
        assert "Ana" not in str(mail["says"]) and "ana@" not in str(mail["says"])

        stop = mail["says"]["data"]["stop_token"]
        assert answer_link(shop, stop) == ("Venue", False) == answer_link(shop, stop)
        assert says(shop, mail) is None
        book(shop, room, 5)
        sweep(shop)
        assert len(mails(shop)) == 1
        # The link that began it does not begin it again.
        assert answer_link(shop, start) == ("Venue", False)

    def test_a_link_is_of_its_address_and_counts_for_a_week(self, crew: Crew) -> None:
        shop = crew.shop
        for name in ("one", "two"):
            shop.venue.owner.call(
                "add_notice_address",
                organization_id=shop.id,
                email=f"{name}@example.test",
                locale="es",
            )
        one, two = (m["says"]["data"]["start_token"] for m in mails(shop, "notice_address"))
        mixed = ".".join([*one.split(".")[:3], two.split(".")[3]])
        for wrong in (mixed, one.replace("start", "stop"), one[:-1], "", "start.x.y.z"):
            with pytest.raises(Refused, match="link_invalid"):
                answer_link(shop, wrong)
        shop.house.owner_sql(
            "update public.notice_addresses set asked_at = now() - interval '8 days'"
        )
        old = shop.house.one(
            "select private.notice_link('start', a) from public.notice_addresses as a"
            " where a.email = 'one@example.test'"
        )
        with pytest.raises(Refused, match="link_invalid"):
            answer_link(shop, old)

    def test_a_former_member_s_address_gets_nothing(self, crew: Crew, room: str) -> None:
        shop, owner = crew.shop, crew.shop.venue.owner
        former = shop.venue.hire("former_mate", "manager")
        rule_id = rule(shop)
        mine = {"organization_id": shop.id, "email": email_of("former_mate"), "locale": "es"}
        address = owner.call("add_notice_address", **mine)
        shop.insert("notice_rule_addresses", rule_id=rule_id, address_id=address["id"])
        [asked] = mails(shop, "notice_address")
        answer_link(shop, asked["says"]["data"]["start_token"])
        book(shop, room)
        sweep(shop)
        [mail] = mails(shop)
        assert mail["says"] is not None
        owner.call("remove_member", organization_id=shop.id, user_id=former.id)
        assert says(shop, mail) is None
        with pytest.raises(Refused, match="member_barred"):
            owner.call("add_notice_address", **{**mine, "email": "former_mate+x@example.test"})


def answer_link(shop: Shop, token: str) -> tuple[str, bool]:
    answered = shop.house.service.call("service.answer_notice_link", token=token)
    return answered["organization_name"], answered["is_told"]


def test_last_minute_news_comes_at_once_and_the_rest_waits_for_the_digest(
    crew: Crew, room: str
) -> None:
    shop = crew.shop
    kinds = ["booking_new", "last_minute"]
    rule(shop, to_owners=True, kinds=kinds, last_minute_hours=24, digest_at="08:00")
    soon = shop.at(1, "00:00")
    shop.venue.hire("desk", "receptionist").call(
        "create_booking",
        organization_id=shop.id,
        room_id=room,
        starts_at=soon,
        party_size=2,
        customer={"full_name": "Eva"},
        idempotency_key="soon",
    )
    book(shop, room, 9)
    sweep(shop)
    urgent, later = told(shop, shop.venue.owner)
    assert (urgent["type"], later["type"]) == ("last_minute", "booking_new")
    assert urgent["title"].startswith("Última hora. Nueva reserva: ")
    [mail] = mails(shop)
    assert mail["payload"]["type"] == "last_minute"
    assert mails(shop, "notice_digest") == []

    at_eight = shop.at(1, "08:00")
    shop.house.one("select private.sweep_notices(%s)::text", at_eight)
    [digest] = mails(shop, "notice_digest")
    [item] = digest["says"]["data"]["items"]
    assert item["reference"] == later["body"].split(" · ")[2]
    shop.house.one("select private.sweep_notices(%s)::text", shop.at(2, "08:00"))
    assert len(mails(shop, "notice_digest")) == 1


def test_what_waits_for_a_digest_is_sent_when_there_is_none_any_more(crew: Crew, room: str) -> None:
    shop = crew.shop
    told_of = rule(shop, to_owners=True, kinds=["booking_new"], digest_at="08:00")
    book(shop, room, 9)
    sweep(shop)
    assert mails(shop, "notice_digest") == []
    change(shop.venue.owner, "notice_rules", {"digest_at": None}, id=told_of)
    [digest] = mails(shop, "notice_digest")
    assert len(digest["says"]["data"]["items"]) == 1
    book(shop, room, 10)
    sweep(shop)
    assert (len(mails(shop)), len(mails(shop, "notice_digest"))) == (1, 1)


def test_a_game_master_is_told_of_the_own_sessions_alone(crew: Crew) -> None:
    shop = crew.shop
    one, two = crew.add_room(), crew.add_room()
    mine, other = crew.hire(one), crew.hire(two)
    session, theirs = crew.session(one, 2, "10:00"), crew.session(two, 2, "12:00")
    crew.assign(session, mine)
    crew.assign(theirs, other)
    sweep(shop)
    assert [n["type"] for n in told(shop, mine)] == ["session_assigned"]
    shop.house.one("select private.sweep_notices(%s)::text", shop.at(1, "17:59"))
    assert mails(shop, "day_board") == []
    for clock in ("18:00", "18:01"):
        shop.house.one("select private.sweep_notices(%s)::text", shop.at(1, clock))
    boards = {m["payload"]["user_id"]: m["says"]["data"] for m in mails(shop, "day_board")}
    assert {who: [s["room_name"] for s in b["sessions"]] for who, b in boards.items()} == {
        mine.id: [shop_room(shop, one)],
        other.id: [shop_room(shop, two)],
    }
    assert "Ana" not in str(boards)
    assert [n["type"] for n in told(shop, mine)] == ["session_assigned", "day_board"]
    assert told(shop, mine)[1]["link"] == f"board/{shop.at(2):%Y-%m-%d}"

    forget_transaction(shop)
    crew.release(session, mine)
    sweep(shop)
    assert [n["type"] for n in told(shop, mine)][2:] == ["session_released"]
    board = next(m for m in mails(shop, "day_board") if m["payload"]["user_id"] == mine.id)
    assert board["says"] is None, "there is nothing to run any more"


def forget_transaction(shop: Shop) -> None:
    """As if what was noted until now had been in another transaction than the test's."""
    shop.house.owner_sql("update private.notice_events set written_by = '1'")


def test_a_session_that_moves_keeps_its_game_master_who_is_told_of_the_move(crew: Crew) -> None:
    shop = crew.shop
    room = crew.add_room()
    master = crew.hire(room)
    booked = crew.book(room, shop.at(2))
    crew.assign(booked["session_id"], master)
    sweep(shop)
    forget_transaction(shop)
    crew.retime(booked["session_id"], shop.at(2, "15:00"))
    assert crew.staff(booked["session_id"]) == {master.id}
    sweep(shop)
    assert [n["type"] for n in told(shop, master)] == ["session_assigned"]
    shop.venue.hire("desk", "receptionist").call(
        "change_booking",
        organization_id=shop.id,
        booking_id=shop.id_of(booked),
        party_size=3,
        idempotency_key="three",
    )
    sweep(shop)
    assert [n["type"] for n in told(shop, master)] == ["session_assigned", "session_changed"]


def test_a_venue_cannot_fill_a_mailbox(crew: Crew, room: str) -> None:
    shop = crew.shop
    shop.house.owner_sql(
        "update private.mail_allowances set per_recipient = 2, reserved_per_sender = 1"
        " where source = 'notice' and reserved_per_sender is not null"
    )
    for days in range(3, 8):
        book(shop, room, days)
    sweep(shop)
    fates = []
    for mail in mails(shop):
        shop.house.owner_sql("delete from private.jobs where id = %s", mail["id"])
        with leased(shop.house.owner_sql, "email.send", mail["payload"], shop.id) as lease:
            shop.house.service.call("service.prepare_email", **lease)
            fates.append(
                shop.house.one(
                    "select status from private.email_messages where job_id = %s", lease["job_id"]
                )
            )
    assert fates == ["prepared"] * 2 + ["limited"] * 3
    assert len(told(shop, shop.venue.owner)) == 5


def test_an_address_that_nobody_has_proven_gets_no_mail(crew: Crew, room: str) -> None:
    shop, owner = crew.shop, crew.shop.venue.owner
    shop.house.owner_sql("delete from private.proven_addresses where user_id = %s", owner.id)
    book(shop, room)
    sweep(shop)
    assert len(told(shop, owner)) == 1
    assert [m["says"] for m in mails(shop)] == [None]


def test_what_is_old_is_forgotten(crew: Crew, room: str) -> None:
    shop = crew.shop
    book(shop, room)
    sweep(shop)
    shop.house.owner_sql(
        "update public.notifications set created_at = now() - interval '91 days'"
        " where organization_id = %s",
        shop.id,
    )
    shop.house.owner_sql(
        "update private.notice_events set spread_at = now() - interval '91 days'"
        " where organization_id = %s",
        shop.id,
    )
    assert sweep(shop)["forgotten"] == 2
    assert told(shop, shop.venue.owner) == []


class TestRealtime:
    #: What Supabase has, as far as it is asked.

    def test_a_notification_is_broadcast_to_its_reader_alone(self, crew: Crew, room: str) -> None:
        shop, house, owner = crew.shop, crew.house, crew.shop.venue.owner
        assert house.one("select private.allow_broadcasts()") is False
        for statement in STAND_IN:
            house.owner_sql(statement)
        for _ in range(2):
            assert house.one("select private.allow_broadcasts()") is True
        book(shop, room)
        sweep(shop)
        [notice] = told(shop, owner)
        topic = f"notifications:{shop.id}:{owner.id}"
        [message] = house.owner_sql("select * from realtime.messages")
        assert (message["topic"], message["private"]) == (topic, True)
        assert message["payload"]["id"] == str(notice["id"])
        assert message["payload"].keys() == {"id", "created_at"}, "what it says is read, not sent"

        admin, twin = crew.hire(role="admin"), open_shop(house, "Twin").venue.owner
        for person, hears in ((owner, True), (admin, False), (twin, False)):
            house.one("select set_config('realtime.topic', %s, true)", topic)
            assert bool(person.select("select * from realtime.messages")) is hears
        for wrong in ("", f"notifications:{shop.id}", f"{topic}:x", f"x{topic}"):
            house.one("select set_config('realtime.topic', %s, true)", wrong)
            assert owner.select("select * from realtime.messages") == []
        with pytest.raises(Refused, match="row-level security"):
            owner.change("insert into realtime.messages (topic) values ('x')")

    def test_whoever_was_suspended_joins_no_topic(self, crew: Crew) -> None:
        shop, house = crew.shop, crew.house
        for statement in STAND_IN:
            house.owner_sql(statement)
        house.one("select private.allow_broadcasts()")
        manager = crew.hire(role="manager")
        topic = f"notifications:{shop.id}:{manager.id}"
        house.one("select realtime.send('{}', 'x', %s, true)::text", topic)
        house.one("select set_config('realtime.topic', %s, true)", topic)
        assert len(manager.select("select * from realtime.messages")) == 1
        shop.venue.owner.call("suspend_member", organization_id=shop.id, user_id=manager.id)
        assert manager.select("select * from realtime.messages") == []


class TestAtOnce:
    """Real connections, committed transactions."""

    def test_sweeps_at_once_tell_everybody_once_and_polling_misses_nothing(
        self, track: Track
    ) -> None:
        crew = open_crew(track.house, track.name("Venue"), hold_minutes=120)
        shop, owner = crew.shop, crew.shop.venue.owner
        rooms = [crew.add_room() for _ in range(4)]
        rule(shop, to_owners=True)
        sweepers = [track.alone(track.house.service) for _ in range(4)]
        desks = [track.alone(crew.hire(role="receptionist")) for _ in rooms]
        reader = track.alone(owner)
        seen: list[Row] = []
        booked = Event()

        def poll() -> None:
            """What a client that asks again and again reads."""
            since = seen[-1]["created_at"] if seen else "-infinity"
            seen.extend(
                reader.select(
                    "select * from public.list_notifications(%s, after => %s, max_rows => 3)",
                    shop.id,
                    since,
                )
            )

        def work(desk: Client, room: str) -> None:
            for hour in range(8, 14, 2):
                desk.call(
                    "create_booking",
                    organization_id=shop.id,
                    room_id=room,
                    starts_at=shop.at(3, f"{hour:02}:00"),
                    party_size=2,
                    customer={"full_name": "Ana"},
                    idempotency_key=f"{room} {hour}",
                )

        def sweep_until_booked(sweeper: Client) -> None:
            while not booked.is_set():
                sweeper.call("service.sweep_notices")

        def poll_until_booked() -> None:
            while not booked.is_set():
                poll()

        with ThreadPoolExecutor() as pool:
            loops = [pool.submit(sweep_until_booked, one) for one in sweepers]
            loops.append(pool.submit(poll_until_booked))
            try:
                for done in [
                    pool.submit(work, desk, room) for desk, room in zip(desks, rooms, strict=True)
                ]:
                    done.result()
            finally:
                booked.set()
            for loop in loops:
                loop.result()
        sweep(shop)
        for _ in range(5):
            poll()
        stamps = [notice["created_at"] for notice in seen]
        assert stamps == sorted(set(stamps))
        assert len(seen) == len({notice["booking_id"] for notice in seen}) == 12
        queued = [m["payload"]["event_id"] for m in mails(shop)]
        assert len(queued) == len(set(queued)) == 12

    def test_a_booking_that_is_committed_late_is_told_of(self, track: Track) -> None:
        crew = open_crew(track.house, track.name("Venue"), hold_minutes=120)
        shop = crew.shop
        room, other = crew.add_room(), crew.add_room()
        rule(shop, to_owners=True)
        slow = track.alone(crew.hire(role="receptionist"))
        desk = crew.hire(role="receptionist")

        def book_by(who: Client, where: str) -> None:
            who.call(
                "create_booking",
                organization_id=shop.id,
                room_id=where,
                starts_at=shop.at(3),
                party_size=2,
                customer={"full_name": "Ana"},
                idempotency_key=where,
            )

        with slow.connection.transaction():
            book_by(slow, room)
            book_by(desk, other)
            sweep(shop)
            [first] = told(shop, shop.venue.owner)
        sweep(shop)
        late = shop.venue.owner.select(
            "select * from public.list_notifications(%s, after => %s)", shop.id, first["created_at"]
        )
        assert len(late) == 1
