"""Customers in the staff's hands: kept, tagged, merged, looked back on; and in their own."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import GUEST, PRICE, Row, Shop, change, insert, open_shop
from matrix.house import House, email_of
from matrix.promises import refused

TOTAL = 2 * PRICE
NOT_ASKED = {"terms": None, "privacy": None, "marketing": None}
BEA = {"full_name": "Bea Ruiz", "email": "bea@example.test", "phone": "600 111 222"}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def foreign(house: House) -> Shop:
    return open_shop(house, "Foreign", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    return open_room(shop)


def open_room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


def customer_of(shop: Shop, email: str) -> str:
    """The id of the customer with this address, as staff find it."""
    (row,) = shop.venue.owner.select("select id from public.customers where email = %s", email)
    return str(row["id"])


def consent(shop: Shop, customer: str, kind: str = "marketing", *, granted: bool = True) -> None:
    shop.house.owner_sql(
        "select private.record_consents(%s, %s, null, %s, 'es', true)",
        shop.id,
        customer,
        Jsonb([{"kind": kind, "granted": granted, "wording": f"About {kind}"}]),
    )


def merge(shop: Shop, keep: str, other: str, by: Client | None = None) -> Row:
    merged: Row = (by or shop.venue.owner).call(
        "merge_customers", organization_id=shop.id, keep_id=keep, merge_id=other
    )
    return merged


def history(shop: Shop, customer: str, by: Client | None = None) -> Row:
    seen: Row = (by or shop.venue.owner).call(
        "get_customer_history", organization_id=shop.id, customer_id=customer
    )
    return seen


class TestStaff:
    def test_reception_adds_and_changes_a_customer_and_one_spelling_is_kept(
        self, shop: Shop
    ) -> None:
        desk = shop.venue.hire("desk", "receptionist")
        made = insert(
            desk, "customers", email=" Ana@Example.TEST ", full_name=" Ana ", phone=" ", locale="ca"
        )
        assert (made["email"], made["full_name"], made["phone"]) == (
            "ana@example.test",
            "Ana",
            None,
        )
        assert (
            change(
                desk,
                "customers",
                {"email": "ANA@other.test", "staff_note": "VIP"},
                organization_id=shop.id,
            )
            == 1
        )
        (row,) = desk.select("select email, staff_note from public.customers")
        assert row == {"email": "ana@other.test", "staff_note": "VIP"}

    def test_an_address_is_one_customer_of_a_venue_and_another_one_elsewhere(
        self, shop: Shop, foreign: Shop
    ) -> None:
        insert(shop.venue.owner, "customers", email="a@example.test", full_name="A", locale="es")
        with refused(409, "23505"):
            insert(
                shop.venue.owner, "customers", email="A@example.test", full_name="B", locale="es"
            )
        insert(foreign.venue.owner, "customers", email="a@example.test", full_name="A", locale="es")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"email": "x"},
            {"email": "a@erased.invalid"},
            {"full_name": " "},
            {"locale": "de"},
            {"staff_note": "x" * 5001},
            {"phone": "1" * 41},
        ],
    )
    def test_nonsense_is_refused_and_changes_nothing(self, shop: Shop, wrong: Row) -> None:
        good = {"email": "a@example.test", "full_name": "A", "locale": "es"}
        insert(shop.venue.owner, "customers", **good)
        with refused(400, "23514"):
            change(shop.venue.owner, "customers", wrong, organization_id=shop.id)
        with refused(400, "23514"):
            insert(shop.venue.owner, "customers", **{**good, "email": "b@example.test", **wrong})
        assert shop.venue.count("customers") == 1

    def test_game_masters_players_and_other_tenants_change_no_customer(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1))
        outsiders = (
            shop.venue.hire("gm", "game_master"),
            shop.house.sign_up("player").at(shop.id),
            foreign.venue.owner,
            foreign.venue.owner.at(shop.id),
        )
        for person in outsiders:
            assert change(person, "customers", {"staff_note": "x"}, organization_id=shop.id) == 0
            with refused(403, "42501"):
                insert(
                    person,
                    "customers",
                    organization_id=shop.id,
                    email="x@example.test",
                    full_name="X",
                    locale="es",
                )
        for column in ("erased_at", "id", "organization_id", "created_at"):
            with refused(403, "42501"):
                shop.venue.owner.change(f"update public.customers set {column} = null")

    def test_nobody_books_with_the_address_of_an_erased_customer(
        self, shop: Shop, room: str
    ) -> None:
        with refused(422, "customer_invalid") as caught:
            shop.hold(room, shop.at(1), customer={**GUEST, "email": "Erased-1@Erased.invalid"})
        assert caught.value.details == {"field": "email"}


class TestTags:
    def test_staff_find_customers_by_a_tag_of_their_own_venue(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1))
        theirs = open_room(foreign)
        foreign.hold(theirs, foreign.at(1))
        for place in (shop, foreign):
            insert(
                place.venue.owner,
                "customer_tags",
                customer_id=customer_of(place, GUEST["email"]),
                tag="vip",
            )
        found = shop.venue.owner.select(
            "select c.email from public.customers as c join public.customer_tags as t"
            " on t.organization_id = c.organization_id and t.customer_id = c.id where t.tag = 'vip'"
        )
        assert found == [{"email": GUEST["email"]}]
        assert shop.venue.owner.change("delete from public.customer_tags") == 1
        assert foreign.venue.count("customer_tags") == 1

    def test_the_customers_with_a_tag_are_found_by_an_index_under_row_level_security(
        self, shop: Shop
    ) -> None:
        shop.house.connection.execute("set local enable_seqscan = off")
        plan = str(
            shop.venue.owner.select(
                "explain (costs off) select customer_id from public.customer_tags where tag = 'vip'"
            )
        )
        assert "customer_tags_tag_idx" in plan
        assert "(tag = 'vip'::text)" in plan.partition("Index Cond")[2]

    @pytest.mark.parametrize("tag", ["", " ", "x" * 41, "a\nb"])
    def test_a_tag_is_a_short_word(self, shop: Shop, room: str, tag: str) -> None:
        shop.hold(room, shop.at(1))
        with refused(400, "23514"):
            insert(
                shop.venue.owner,
                "customer_tags",
                customer_id=customer_of(shop, GUEST["email"]),
                tag=tag,
            )

    def test_a_customer_has_a_tag_once(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1))
        customer = customer_of(shop, GUEST["email"])
        insert(shop.venue.owner, "customer_tags", customer_id=customer, tag="vip")
        with refused(409, "23505"):
            insert(shop.venue.owner, "customer_tags", customer_id=customer, tag="vip")


class TestMerging:
    def test_all_that_was_the_other_s_moves_and_the_ledger_stays_as_it_was(
        self, shop: Shop, room: str
    ) -> None:
        ana = shop.hold(room, shop.at(1, "10:00"))
        bea = shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        shop.pay(bea, TOTAL)
        keep, other = customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"])
        owner = shop.venue.owner
        for customer, tag in ((keep, "vip"), (other, "vip"), (other, "loud")):
            insert(owner, "customer_tags", customer_id=customer, tag=tag)
        change(owner, "customers", {"staff_note": "First"}, id=keep)
        change(owner, "customers", {"staff_note": "Second"}, id=other)
        consent(shop, other)
        ledger = shop.house.owner_sql("select * from public.payments")

        merged = merge(shop, keep, other)

        assert (merged["id"], merged["email"], merged["full_name"]) == (
            keep,
            GUEST["email"],
            GUEST["full_name"],
        )
        assert (merged["phone"], merged["staff_note"]) == (BEA["phone"], "First\nSecond")
        assert merged["tags"] == ["loud", "vip"]
        assert shop.venue.count("customers") == 1
        seen = history(shop, keep)
        assert {b["reference"] for b in seen["bookings"]} == {ana["reference"], bea["reference"]}
        assert seen["totals"]["paid_cents"] == TOTAL
        assert seen["consents"]["marketing"]["granted"] is True
        assert shop.house.owner_sql("select * from public.payments") == ledger
        # Its own link shows the same booking, under the address that is written to now.
        assert shop.look(bea)["customer"] == {
            "full_name": BEA["full_name"],
            "email": GUEST["email"],
        }

    def test_the_log_tells_who_was_merged_into_whom_and_by_whom(
        self, shop: Shop, room: str
    ) -> None:
        shop.hold(room, shop.at(1, "10:00"))
        bea = shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        keep, other = customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"])
        desk = shop.venue.hire("desk", "receptionist")

        merge(shop, keep, other, desk)

        log = shop.venue.owner.select(
            "select * from public.audit_log where actor_id = %s order by id", desk.id
        )
        (gone,) = [e for e in log if e["action"] == "delete"]
        assert (gone["table_name"], gone["row_key"]) == ("customers", other)
        (person,) = shop.venue.owner.select(
            "select before from public.audit_log_personal where id = %s", gone["id"]
        )
        assert person["before"]["email"] == BEA["email"]
        (moved,) = [e for e in log if e["table_name"] == "bookings"]
        assert (moved["row_key"], moved["before"], moved["after"]) == (
            shop.id_of(bea),
            {"customer_id": other},
            {"customer_id": keep},
        )

    def test_the_other_s_address_is_free_again(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1, "10:00"))
        shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        keep, other = customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"])
        merge(shop, keep, other)
        shop.hold(room, shop.at(1, "13:00"), customer=BEA)
        assert customer_of(shop, BEA["email"]) not in (keep, other)

    def test_what_both_have_and_one_may_have_once_is_had_once(self, shop: Shop, room: str) -> None:
        """Decided for every key that a customer is part of; a new one is to be decided here too.

        Tags are joined. Who was erased is not merged, so there are never two erasures to join.
        """
        keys = shop.house.owner_sql(
            "select distinct k.indexrelid::regclass::text as name"
            " from pg_constraint as f"
            " join pg_attribute as a on a.attrelid = f.conrelid and a.attnum = any (f.conkey)"
            " join pg_index as k on k.indrelid = f.conrelid and k.indisunique"
            "  and a.attnum = any (k.indkey)"
            " where f.confrelid = 'public.customers'::regclass and f.contype = 'f'"
            "  and a.attname <> 'organization_id'"
            " union select x.conname from pg_constraint as x"
            " join pg_constraint as f on f.conrelid = x.conrelid and f.contype = 'f'"
            "  and f.confrelid = 'public.customers'::regclass"
            " where x.contype = 'x' and x.conkey && f.conkey[2:]"
            " order by 1"
        )
        assert [row["name"] for row in keys] == [
            "customer_erasures_customer_key",
            "customer_tags_tag_key",
        ]
        shop.hold(room, shop.at(1, "10:00"))
        shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        keep, other = customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"])
        for customer in (keep, other):
            for tag in ("vip", f"own {customer[-4:]}"):
                insert(shop.venue.owner, "customer_tags", customer_id=customer, tag=tag)
            consent(shop, customer)
        assert set(merge(shop, keep, other)["tags"]) == {
            "vip",
            f"own {keep[-4:]}",
            f"own {other[-4:]}",
        }
        assert shop.venue.count("customer_consents") == 2

    def test_both_keep_their_places_in_the_waiting_list(self, shop: Shop, room: str) -> None:
        """Though one person would be offered one place at a time, and have three entries."""
        shop.set_calendar(waitlist_minutes=60)
        shop.hold(room, shop.at(1, "10:00"))
        shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        for person in (GUEST, BEA):
            for number in range(3):
                shop.house.owner_sql(
                    "insert into public.waitlist_entries (organization_id, calendar_id, from_date,"
                    " to_date, waits_until, party_size, customer_id, contact_name, locale, status,"
                    " booking_id, offered_at)"
                    " select b.organization_id, b.calendar_id, current_date, current_date,"
                    " now() + interval '1 day', 2, b.customer_id, 'A', 'es',"
                    " case when %(offered)s then 'offered' else 'waiting' end,"
                    " case when %(offered)s then b.id end,"
                    " case when %(offered)s then now() end"
                    " from public.bookings as b"
                    " join public.booking_contacts as c on c.booking_id = b.id"
                    " where b.organization_id = %(shop)s and c.contact_name = %(name)s".replace(
                        "%(offered)s", "true" if number == 0 else "false"
                    )
                    .replace("%(shop)s", "%s")
                    .replace("%(name)s", "%s"),
                    shop.id,
                    person["full_name"],
                )
        keep = customer_of(shop, GUEST["email"])
        merge(shop, keep, customer_of(shop, BEA["email"]))
        entries = shop.house.owner_sql(
            "select customer_id::text, status from public.waitlist_entries"
            " where organization_id = %s",
            shop.id,
        )
        assert {row["customer_id"] for row in entries} == {keep}
        assert sorted(row["status"] for row in entries) == ["offered"] * 2 + ["waiting"] * 4

    def test_notes_that_are_too_long_together_are_cut(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1, "10:00"))
        shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        change(shop.venue.owner, "customers", {"staff_note": "x" * 5000}, organization_id=shop.id)
        merged = merge(shop, customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"]))
        assert merged["staff_note"] == "x" * 5000

    def test_nothing_of_another_tenant_moves_even_with_the_same_ids(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        theirs = open_room(foreign)
        for place, its_room in ((shop, room), (foreign, theirs)):
            place.hold(its_room, place.at(1, "10:00"))
            place.hold(its_room, place.at(1, "11:30"), customer=BEA)
        twin = {
            GUEST["email"]: customer_of(shop, GUEST["email"]),
            BEA["email"]: customer_of(shop, BEA["email"]),
        }
        with_ids_of(foreign, twin)
        for place in (shop, foreign):
            for customer in twin.values():
                consent(place, customer)
                insert(place.venue.owner, "customer_tags", customer_id=customer, tag=customer[-8:])

        merge(shop, twin[GUEST["email"]], twin[BEA["email"]])

        assert shop.venue.count("customers") == 1
        assert foreign.venue.count("customers") == 2
        for table in ("bookings", "customer_consents", "customer_tags"):
            owners = foreign.house.owner_sql(
                f"select customer_id::text as id from public.{table} where organization_id = %s",
                foreign.id,
            )
            assert {row["id"] for row in owners} == set(twin.values()), table

    @pytest.mark.parametrize("who", ["game_master", "player", "foreigner"])
    def test_who_may_not_change_customers_merges_none(
        self, shop: Shop, foreign: Shop, room: str, who: str
    ) -> None:
        shop.hold(room, shop.at(1, "10:00"))
        shop.hold(room, shop.at(1, "11:30"), customer=BEA)
        person = {
            "game_master": lambda: shop.venue.hire("gm", "game_master"),
            "player": lambda: shop.house.sign_up("player"),
            "foreigner": lambda: foreign.venue.owner,
        }[who]()
        with refused(403, "permission_denied"):
            merge(shop, customer_of(shop, GUEST["email"]), customer_of(shop, BEA["email"]), person)
        assert shop.venue.count("customers") == 2

    def test_what_cannot_be_merged_is_said(self, shop: Shop, foreign: Shop, room: str) -> None:
        shop.hold(room, shop.at(1, "10:00"))
        theirs = open_room(foreign)
        foreign.hold(theirs, foreign.at(1), customer=BEA)
        mine, other = customer_of(shop, GUEST["email"]), customer_of(foreign, BEA["email"])
        with refused(422, "merge_invalid"):
            merge(shop, mine, mine)
        with refused(422, "merge_invalid"):
            shop.venue.owner.call(
                "merge_customers", organization_id=shop.id, keep_id=mine, merge_id=None
            )
        for unknown in (other, str(uuid4())):
            for pair in ((mine, unknown), (unknown, mine)):
                with refused(404, "customer_not_found"):
                    merge(shop, *pair)
        assert foreign.venue.count("customers") == 1


class TestHistory:
    def test_visits_no_shows_and_money_are_told_newest_first(self, shop: Shop, room: str) -> None:
        clocks = ("10:00", "11:30", "13:00", "14:30", "16:00")
        came, stayed_away, cancelled, coming, lapsed = (
            shop.hold(room, shop.at(1, clock)) for clock in clocks
        )
        for booking in (came, stayed_away, cancelled, coming):
            shop.pay(booking, TOTAL)
            shop.move(booking, "confirmed")
        for status in ("checked_in", "in_progress", "completed"):
            shop.move(came, status)
        shop.move(stayed_away, "no_show")
        shop.move(cancelled, "cancelled")
        shop.lapse(lapsed)
        shop.move_in_time(came, timedelta(days=-30))
        customer = customer_of(shop, GUEST["email"])
        consent(shop, customer)
        consent(shop, customer, granted=False)
        insert(shop.venue.owner, "customer_tags", customer_id=customer, tag="vip")

        seen = history(shop, customer)

        assert seen["customer"]["email"] == GUEST["email"]
        assert seen["customer"]["tags"] == ["vip"]
        assert "organization_id" not in seen["customer"]
        totals = seen["totals"]
        assert totals.pop("last_visit_at")
        assert totals == {
            "bookings": 4,
            "visits": 1,
            "no_shows": 1,
            "cancelled": 1,
            "upcoming": 1,
            "currency": "EUR",
            "paid_cents": 4 * TOTAL,
            "refunded_cents": 0,
        }
        assert [(b["reference"], b["status"]) for b in seen["bookings"]] == [
            (lapsed["reference"], "expired"),
            (coming["reference"], "confirmed"),
            (cancelled["reference"], "cancelled"),
            (stayed_away["reference"], "no_show"),
            (came["reference"], "completed"),
        ]
        assert seen["consents"]["marketing"]["granted"] is False

    def test_a_customer_without_bookings_has_an_empty_history(self, shop: Shop) -> None:
        made = insert(
            shop.venue.owner, "customers", email="a@example.test", full_name="A", locale="es"
        )
        seen = history(shop, str(made["id"]))
        assert (seen["bookings"], seen["consents"]) == ([], NOT_ASKED)
        assert seen["totals"]["bookings"] == seen["totals"]["paid_cents"] == 0

    def test_money_is_shown_to_who_may_see_payments(self, shop: Shop, room: str) -> None:
        shop.pay(shop.hold(room, shop.at(1)), TOTAL)
        role = shop.venue.make_role("Host", ["customers:read", "bookings:read"])
        seen = history(shop, customer_of(shop, GUEST["email"]), shop.venue.hire("host", role))
        assert seen["totals"]["paid_cents"] is seen["totals"]["refunded_cents"] is None
        assert seen["bookings"][0]["paid_cents"] is seen["bookings"][0]["refunded_cents"] is None
        assert seen["bookings"][0]["total_cents"] == TOTAL

    def test_a_history_is_the_own_tenant_s_also_with_the_same_ids(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        mine = shop.hold(room, shop.at(1))
        theirs = open_room(foreign)
        foreign.hold(theirs, foreign.at(2))
        customer = customer_of(shop, GUEST["email"])
        with_ids_of(foreign, {GUEST["email"]: customer})
        consent(foreign, customer)
        insert(foreign.venue.owner, "customer_tags", customer_id=customer, tag="theirs")

        seen = history(shop, customer)

        assert [b["reference"] for b in seen["bookings"]] == [mine["reference"]]
        assert (seen["consents"], seen["customer"]["tags"]) == (NOT_ASKED, [])
        with refused(403, "permission_denied"):
            history(shop, customer, foreign.venue.owner)
        with refused(404, "customer_not_found"):
            history(shop, str(uuid4()))


class TestOnesOwn:
    def test_a_player_sees_the_own_bookings_of_every_venue_and_manages_them(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        me = {**GUEST, "email": email_of("player")}
        theirs = open_room(foreign)
        here = shop.hold(room, shop.at(1), customer=me)
        there = foreign.hold(theirs, foreign.at(2), customer=me)
        shop.hold(room, shop.at(2))
        player = shop.house.sign_up("player")

        mine = player.call("my_bookings")

        assert [(b["reference"], b["organization"]["name"]) for b in mine] == [
            (there["reference"], "Foreign"),
            (here["reference"], "Venue"),
        ]
        link = player.call("my_booking_token", booking_id=mine[1]["id"])
        assert shop.look(link)["reference"] == here["reference"]
        assert len(player.call("my_bookings", max_rows=1)) == 1
        assert player.select("select from public.bookings") == []

    def test_an_address_that_no_mail_has_proven_shows_nothing(self, shop: Shop, room: str) -> None:
        shop.hold(room, shop.at(1), customer={**GUEST, "email": email_of("player")})
        with refused(403, "email_not_proven"):
            shop.house.sign_up("player", proven=False).call("my_bookings")
        assert shop.house.sign_up("other").call("my_bookings") == []

    def test_what_lapsed_is_left_out_and_a_closed_venue_s_bookings_are_not(
        self, shop: Shop, foreign: Shop, room: str
    ) -> None:
        me = {**GUEST, "email": email_of("player")}
        booking = shop.hold(room, shop.at(1), customer=me)
        theirs = open_room(foreign)
        lapsed = foreign.hold(theirs, foreign.at(1), customer=me)
        foreign.lapse(lapsed)
        foreign.house.owner_sql("select private.expire_lapsed_holds(10)")
        shop.venue.owner.call(
            "close_organization", organization_id=shop.id, confirm_slug=shop.venue.slug
        )
        mine = shop.house.sign_up("player").call("my_bookings")
        assert [b["reference"] for b in mine] == [booking["reference"]]

    def test_it_takes_a_person(self, shop: Shop) -> None:
        with refused(401, "42501"):
            shop.visitor.call("my_bookings")
        key, _ = shop.venue.make_key(["bookings:read"])
        with refused(403, "user_required"):
            key.call("my_bookings")


def with_ids_of(foreign: Shop, ids: dict[str, str]) -> None:
    """Let a tenant's customers have those ids: they are unique in a tenant and no further."""
    for email, wanted in ids.items():
        foreign.house.owner_sql(
            "insert into public.customers (organization_id, id, email, full_name, locale)"
            " select organization_id, %s, 'twin-' || email, full_name, locale"
            " from public.customers where organization_id = %s and email = %s",
            wanted,
            foreign.id,
            email,
        )
        foreign.house.owner_sql(
            "update public.bookings as b set customer_id = %s from public.customers as c"
            " where b.organization_id = %s and c.organization_id = b.organization_id"
            " and c.id = b.customer_id and c.email = %s",
            wanted,
            foreign.id,
            email,
        )
        foreign.house.owner_sql(
            "delete from public.customers where organization_id = %s and email = %s",
            foreign.id,
            email,
        )
