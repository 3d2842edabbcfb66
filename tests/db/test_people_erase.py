"""The person goes: out of every table and out of the log. What was paid and signed stays."""

from __future__ import annotations

from datetime import timedelta
from itertools import count, pairwise

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import PRICE, Row, Shop, change, insert, open_shop
from db.people_world import share_ids
from matrix.house import House
from matrix.promises import refused

TOTAL = 2 * PRICE
#: Every trace that is looked for afterwards; none of them occurs by chance.
NAME, EMAIL, PHONE = "Zoraida Quiñones", "zoraida@quinones.test", "699 123 987"
OTHER_NAME, OTHER_EMAIL = "Zora Q.", "zora@elsewhere.test"
KID, NOTE, TAG, DRAWING = "Kimberley", "Allergic to zucchini", "zucchini", "M77 77L78 78"
TRACES = (
    *("zoraida", "Zoraida", "quinones", "Quiñones", PHONE, "Zora Q", "zora@"),
    *(KID, "ucchini", DRAWING),
)
_keys = count(1)
ME = {"full_name": NAME, "email": EMAIL, "phone": PHONE}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


@pytest.fixture
def room(shop: Shop) -> str:
    return open_room(shop)


def open_room(shop: Shop) -> str:
    room = shop.add_room(waiver_policy="optional", capacity_limit=20)
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    if shop.venue.count("waiver_texts") == 0:
        shop.venue.owner.call("publish_waiver", organization_id=shop.id, texts={"es": "Firmo"})
    return room


def customer_of(shop: Shop, email: str = EMAIL) -> str:
    (row,) = shop.venue.owner.select("select id from public.customers where email = %s", email)
    return str(row["id"])


def erase(shop: Shop, customer: str, by: Client | None = None, reason: str | None = "Asked") -> Row:
    erased: Row = (by or shop.venue.owner).call(
        "erase_customer", organization_id=shop.id, customer_id=customer, reason=reason
    )
    return erased


def export(shop: Shop, customer: str, by: Client | None = None) -> Row:
    exported: Row = (by or shop.venue.owner).call(
        "export_customer", organization_id=shop.id, customer_id=customer
    )
    return exported


def sign(shop: Shop, booking: Row, name: str, email: str | None = None) -> str:
    token = shop.look(booking)["waiver"]["token"]
    signed = shop.visitor.call(
        "sign_waiver",
        token=token,
        version=1,
        signer={"full_name": name, "email": email},
        minors=Jsonb([{"full_name": f"{KID} {name}", "birth_year": shop.today.year - 8}]),
        signature=DRAWING,
        idempotency_key=f"sign-{next(_keys)}",
    )
    return str(signed["signature_id"])


def live_a_life(shop: Shop, room: str) -> Row:
    """Everything that one person can leave in a venue; the one booking that is over."""
    visit = shop.hold(room, shop.at(1, "00:00"), customer=ME)
    shop.pay(visit, TOTAL)
    shop.move(visit, "confirmed", reason=f"{NAME} called")
    booking_id, owner = shop.id_of(visit), shop.venue.owner
    shop.house.owner_sql(
        "update public.booking_contacts set fields = %s, customer_note = %s where booking_id = %s",
        Jsonb({"team": NAME, "age": 7}),
        f"I am {NAME}",
        booking_id,
    )
    change(owner, "bookings", {"staff_note": NOTE}, id=booking_id)
    _, gone = (
        owner.call(
            "add_booking_comment",
            organization_id=shop.id,
            booking_id=booking_id,
            body=body,
            idempotency_key=key,
        )
        for key, body in (("kept", NOTE), ("gone", f"{NAME}, and gone"))
    )
    owner.call("delete_booking_comment", organization_id=shop.id, comment_id=gone["id"])
    sign(shop, visit, "Zora Q.", OTHER_EMAIL)
    sign(shop, visit, NAME, EMAIL)
    owner.call(
        "set_booking_people",
        organization_id=shop.id,
        booking_id=booking_id,
        people=Jsonb([{"full_name": NAME, "email": EMAIL, "phone": PHONE}, {"full_name": KID}]),
    )
    customer = customer_of(shop)
    change(owner, "customers", {"staff_note": NOTE, "phone": PHONE}, id=customer)
    insert(owner, "customer_tags", customer_id=customer, tag=TAG)
    insert(owner, "customer_tags", customer_id=customer, tag=f"{TAG}-gone")
    owner.change("delete from public.customer_tags where tag = %s", f"{TAG}-gone")
    shop.house.owner_sql(
        "select private.record_consents(%s, %s, %s, %s, 'es', true)",
        shop.id,
        customer,
        booking_id,
        Jsonb([{"kind": "marketing", "granted": True, "wording": "News"}]),
    )
    # Somebody typed the address wrong at first.
    change(owner, "customers", {"email": OTHER_EMAIL}, id=customer)
    change(owner, "customers", {"email": EMAIL}, id=customer)
    send_mails(shop)
    shop.move_in_time(visit, timedelta(days=-7))
    return visit


def send_mails(shop: Shop) -> None:
    """As the worker: every mail is prepared, and one is refused with its address quoted."""
    for job in shop.house.service.select(
        "select * from service.claim_jobs(worker => 'w', max_jobs => 100, lease_seconds => 60)"
    ):
        lease = {"job_id": job["id"], "lease_token": job["lease_token"]}
        mail = shop.house.service.call("service.prepare_email", **lease)
        error = f"550 {mail['to']['name']} ({mail['to']['email']}): nobody" if mail else "gone"
        shop.house.service.call("service.fail_job", **lease, error=error, retry=False)


def claim_mails(shop: Shop) -> list[Row]:
    """The leases of all mails that are due."""
    return [
        {"job_id": job["id"], "lease_token": job["lease_token"]}
        for job in shop.house.service.select(
            "select * from service.claim_jobs(worker => 'w', max_jobs => 100, lease_seconds => 60)"
        )
    ]


def traces(house: House, *words: str) -> dict[str, list[str]]:
    """Where in the whole database, public and private, one of the words is still written."""
    found: dict[str, list[str]] = {}
    for table in house.owner_sql(
        "select c.oid::regclass::text as name from pg_class as c"
        " where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
        " and c.relkind = 'r' order by 1"
    ):
        rows = house.owner_sql(f"select t::text as row from {table['name']} as t")
        hits = [r["row"] for r in rows if any(word.lower() in r["row"].lower() for word in words)]
        if hits:
            found[table["name"]] = hits
    return found


class TestErasing:
    def test_no_trace_of_the_person_is_left_in_the_whole_database(
        self, shop: Shop, room: str, house: House
    ) -> None:
        live_a_life(shop, room)
        before = traces(house, *TRACES)
        assert {
            "customers",
            "customer_tags",
            "bookings",
            "booking_reasons",
            "booking_comments",
            "booking_people",
            "waiver_signatures",
            "private.waiver_drawings",
            "private.email_messages",
            "private.jobs",
            "audit_log_personal",
        } <= set(before)

        erase(shop, customer_of(shop))

        assert traces(house, *TRACES) == {}

    def test_what_the_log_holds_after_the_erasure_is_clean_too(self, shop: Shop, room: str) -> None:
        """The erasure is logged as any change is, without what it took away."""
        live_a_life(shop, room)
        customer = customer_of(shop)
        adam = shop.venue.hire("adam", "admin")
        erase(shop, customer, adam, "Request no. 7")
        log = shop.venue.owner.select(
            "select table_name from public.audit_log where actor_id = %s", adam.id
        )
        assert {"customers", "bookings", "customer_erasures"} <= {e["table_name"] for e in log}
        (kept,) = shop.venue.owner.select("select * from public.customer_erasures")
        assert (str(kept["customer_id"]), kept["reason"]) == (customer, "Request no. 7")
        assert kept["erased_by"] == {"kind": "user", "id": adam.id}

    def test_whoever_left_no_address_is_erased_as_well(
        self, shop: Shop, room: str, house: House
    ) -> None:
        visit = shop.venue.owner.call(
            "create_booking",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(1, "00:00"),
            party_size=2,
            customer=Jsonb({"full_name": NAME, "phone": PHONE}),
            idempotency_key="walk-in",
        )
        shop.move(visit, "confirmed")
        sign(shop, visit, NAME)
        others = shop.hold(room, shop.at(2, "00:00"))
        shop.move(others, "confirmed")
        sign(shop, others, "Somebody Else")
        shop.move_in_time(visit, timedelta(days=-7))
        (customer,) = shop.venue.owner.select("select id from public.customers where email is null")
        assert export(shop, str(customer["id"]))["addresses"] == []
        erase(shop, str(customer["id"]))
        assert traces(house, "zoraida", "Zoraida", "Quiñones", PHONE) == {}
        assert "waiver_signatures" in traces(house, "Somebody Else")

    def test_money_and_that_somebody_signed_stay(self, shop: Shop, room: str) -> None:
        visit = live_a_life(shop, room)
        ledger = shop.house.owner_sql("select * from public.payments")
        customer = customer_of(shop)

        erased = erase(shop, customer)

        assert shop.house.owner_sql("select * from public.payments") == ledger
        assert {k: erased[k] for k in ("id", "full_name", "phone", "staff_note", "tags")} == {
            "id": customer,
            "full_name": "Erased",
            "phone": None,
            "staff_note": "",
            "tags": [],
        }
        assert erased["email"] == f"erased-{customer}@erased.invalid"
        assert erased["erased_at"] is not None
        (booking,) = shop.venue.owner.select("select * from public.bookings")
        assert (booking["reference"], booking["total_cents"]) == (visit["reference"], TOTAL)
        (contact,) = shop.venue.owner.select("select * from public.booking_contacts")
        assert (contact["contact_name"], contact["fields"]) == ("Erased", {})
        signatures = shop.venue.owner.select("select * from public.waiver_signatures")
        assert [(s["version"], s["people"], s["full_name"]) for s in signatures] == [
            (1, 2, "Erased")
        ] * 2
        assert all(s["signed_at"] and s["minors"] == [] for s in signatures)
        shown = shop.venue.owner.call(
            "get_waiver_signature", organization_id=shop.id, signature_id=signatures[0]["id"]
        )
        assert shown["drawing"] is None
        (consent,) = shop.venue.owner.select("select * from public.customer_consents")
        assert (consent["kind"], consent["wording"]) == ("marketing", "News")

    def test_the_log_still_shows_every_row_as_it_is_now(self, shop: Shop, room: str) -> None:
        live_a_life(shop, room)
        erase(shop, customer_of(shop))
        now = shop.house.one("select clock_timestamp()")
        for table in ("customers", "bookings", "waiver_signatures", "booking_history"):
            for row in shop.house.owner_sql(
                f"select id::text, to_jsonb(t) as image from public.{table} as t"
                " where organization_id = %s",
                shop.id,
            ):
                then = shop.venue.owner.call(
                    "get_row_at",
                    organization_id=shop.id,
                    table_name=table,
                    row_key=row["id"],
                    at=now,
                )
                assert then is not None
                expected = row["image"]
                for unlogged in ("updated_at",):
                    then.pop(unlogged, None), expected.pop(unlogged, None)
                assert then == expected, table

    def test_signatures_under_other_people_s_bookings_go_by_the_address(
        self, shop: Shop, room: str, house: House
    ) -> None:
        live_a_life(shop, room)
        friend = shop.hold(room, shop.at(2), customer={"full_name": "Ben", "email": "b@x.test"})
        shop.move(friend, "confirmed")
        sign(shop, friend, NAME, EMAIL)
        sign(shop, friend, "Ben", "b@x.test")
        erase(shop, customer_of(shop))
        left = traces(house, *TRACES)
        assert all("Ben" in row for rows in left.values() for row in rows if KID in row)
        assert not any(NAME in row for rows in left.values() for row in rows)
        names = shop.venue.owner.select(
            "select full_name from public.waiver_signatures where booking_id = %s"
            " order by signed_at",
            shop.id_of(friend),
        )
        assert [n["full_name"] for n in names] == ["Erased", "Ben"]

    def test_what_was_merged_into_the_person_goes_too(
        self, shop: Shop, room: str, house: House
    ) -> None:
        other = {"full_name": OTHER_NAME, "email": OTHER_EMAIL, "phone": PHONE}
        booking = shop.hold(room, shop.at(2), customer=other)
        shop.cancel(booking)
        insert(
            shop.venue.owner, "customer_tags", customer_id=customer_of(shop, OTHER_EMAIL), tag=TAG
        )
        third = {"full_name": f"{NAME} 3", "email": "third@quinones.test"}
        shop.cancel(shop.hold(room, shop.at(3), customer=third))
        shop.cancel(shop.hold(room, shop.at(4), customer=ME))
        chain = [customer_of(shop, e) for e in ("third@quinones.test", OTHER_EMAIL, EMAIL)]
        for merged, keep in pairwise(chain):
            shop.venue.owner.call(
                "merge_customers", organization_id=shop.id, keep_id=keep, merge_id=merged
            )
        assert len(export(shop, chain[-1])["addresses"]) == 3

        erase(shop, chain[-1])

        assert traces(house, *TRACES) == {}

    def test_who_was_merged_into_somebody_else_is_somebody_else(
        self, shop: Shop, room: str
    ) -> None:
        for name in ("ann", "bea", "cleo", "dora"):
            person = {"full_name": name.title(), "email": f"{name}@x.test"}
            shop.cancel(shop.hold(room, shop.at(2), customer=person))
        for keep, merge in (("ann", "bea"), ("cleo", "dora")):
            shop.venue.owner.call(
                "merge_customers",
                organization_id=shop.id,
                keep_id=customer_of(shop, f"{keep}@x.test"),
                merge_id=customer_of(shop, f"{merge}@x.test"),
            )
        addresses = export(shop, customer_of(shop, "ann@x.test"))["addresses"]
        assert sorted(addresses) == ["ann@x.test", "bea@x.test"]

    def test_an_earlier_address_that_is_somebody_else_s_now_is_left_to_them(
        self, shop: Shop, room: str
    ) -> None:
        live_a_life(shop, room)
        friend = {"full_name": "Ben", "email": OTHER_EMAIL}
        booking = shop.hold(room, shop.at(2), customer=friend)
        shop.move(booking, "confirmed")
        sign(shop, booking, "Ben", OTHER_EMAIL)
        send_mails(shop)

        erase(shop, customer_of(shop))

        assert shop.look(booking)["customer"] == friend
        rows = shop.house.owner_sql(
            "select recipient from private.email_messages where booking_id = %s",
            shop.id_of(booking),
        )
        assert [r["recipient"] for r in rows] == [OTHER_EMAIL]
        names = shop.venue.owner.select(
            "select full_name from public.waiver_signatures where email = %s", OTHER_EMAIL
        )
        assert [n["full_name"] for n in names] == ["Ben"]
        (image,) = shop.venue.owner.select(
            "select p.after ->> 'email' as email from public.audit_log as l"
            " join public.audit_log_personal as p using (organization_id, id)"
            " where l.table_name = 'customers' and l.action = 'insert'"
            " and p.after ->> 'full_name' = 'Ben'"
        )
        assert image["email"] == OTHER_EMAIL

    def test_erased_is_for_good_and_the_address_makes_a_new_customer(
        self, shop: Shop, room: str
    ) -> None:
        live_a_life(shop, room)
        old = customer_of(shop)
        erase(shop, old)
        with refused(409, "customer_erased"):
            erase(shop, old)
        with refused(409, "customer_erased"):
            change(shop.venue.owner, "customers", {"full_name": "Zoraida"}, id=old)
        with refused(409, "customer_erased"):
            insert(shop.venue.owner, "customer_tags", customer_id=old, tag="x")
        shop.hold(room, shop.at(2), customer=ME)
        new = customer_of(shop)
        assert new != old
        for pair in ((old, new), (new, old)):
            with refused(409, "customer_erased"):
                shop.venue.owner.call(
                    "merge_customers", organization_id=shop.id, keep_id=pair[0], merge_id=pair[1]
                )

    @pytest.mark.parametrize("status", ["held", "confirmed", "checked_in", "in_progress"])
    def test_nobody_goes_who_is_still_to_come(self, shop: Shop, room: str, status: str) -> None:
        booking = shop.hold(room, shop.at(1), customer=ME)
        shop.start_in(booking, timedelta(hours=1))
        path = ["confirmed", "checked_in", "in_progress"]
        for step in path[: path.index(status) + 1] if status != "held" else ():
            shop.move_now(booking, step)
        customer = customer_of(shop)
        with refused(409, "customer_has_bookings"):
            erase(shop, customer)
        assert shop.look(booking)["customer"]["email"] == EMAIL
        # The game is over, though nobody said so; a hold has lapsed.
        if status == "held":
            shop.lapse(booking)
        else:
            shop.move_in_time(booking, timedelta(days=-3))
        erase(shop, customer)

    def test_a_cancelled_booking_stands_in_nobody_s_way_and_no_mail_goes_out_for_it(
        self, shop: Shop, room: str
    ) -> None:
        booking = shop.hold(room, shop.at(1), customer=ME)
        shop.move(booking, "confirmed")
        shop.cancel(booking)
        erase(shop, customer_of(shop))
        send_mails(shop)
        assert shop.house.owner_sql("select * from private.email_messages") == []

    def test_a_refusal_that_comes_after_the_erasure_names_nobody(
        self, shop: Shop, room: str, house: House
    ) -> None:
        visit = shop.hold(room, shop.at(1), customer=ME)
        shop.move(visit, "confirmed")
        house.owner_sql("update private.jobs set run_at = now()")
        jobs = claim_mails(shop)
        for job in jobs:
            house.service.call("service.prepare_email", **job)
        shop.cancel(visit)
        erase(shop, customer_of(shop))
        for job in jobs:
            error = f'550 5.1.1 <{EMAIL}>: "{EMAIL}" is unknown'
            house.service.call("service.fail_job", **job, error=error, retry=False)
        assert jobs and traces(house, *TRACES) == {}
        reasons = house.owner_sql("select last_error from private.jobs where status = 'dead'")
        assert {row["last_error"] for row in reasons} == {
            '550 5.1.1 <[address]>: "[address]" is unknown'
        }

    def test_a_stored_answer_forgets_the_person_and_is_still_an_answer(
        self, shop: Shop, room: str, house: House
    ) -> None:
        booking = live_a_life(shop, room)
        ben = shop.hold(room, shop.at(9), customer={"full_name": "Ben", "email": "ben@x.test"})
        for key, answer in (
            ("by-id", {"booking_id": shop.id_of(booking), "customer": ME}),
            ("by-reference", {"reference": booking["reference"], "contact_name": NAME}),
            ("by-customer", {"id": customer_of(shop), "full_name": NAME, "email": EMAIL}),
            ("other", {"reference": ben["reference"], "email": "ben@x.test"}),
            ("list", []),
            ("none", None),
        ):
            house.owner_sql(
                "insert into private.idempotency_keys (scope, key, request_hash, response)"
                " values (%s, %s, '', %s)",
                f"{shop.id}:f",
                key,
                None if answer is None else Jsonb(answer),
            )
        erase(shop, customer_of(shop))
        stored = {
            row["key"]: row["response"]
            for row in house.owner_sql(
                "select key, response from private.idempotency_keys where scope = %s",
                f"{shop.id}:f",
            )
        }
        assert traces(house, *TRACES) == {}
        assert stored["by-reference"] == {"reference": booking["reference"]}
        assert stored["other"] == {"reference": ben["reference"], "email": "ben@x.test"}
        assert (stored["list"], stored["none"]) == ([], None)

    def test_a_twin_in_another_tenant_keeps_everything(
        self, shop: Shop, room: str, house: House
    ) -> None:
        """Same person, same ids, another venue: what one tenant erases is its own."""
        foreign = open_shop(house, "Foreign", minimum_notice_minutes=0)
        theirs = open_room(foreign)
        live_a_life(shop, room)
        visit = live_a_life(foreign, theirs)
        share_ids(shop, foreign, "customers", "bookings", "waiver_signatures", "customer_tags")
        before = traces(house, foreign.id)

        erase(shop, customer_of(shop))

        after = traces(house, foreign.id)
        assert after == before
        assert foreign.look(visit)["customer"] == {"full_name": NAME, "email": EMAIL}

    def test_it_takes_the_permission_in_that_tenant(self, shop: Shop, room: str) -> None:
        live_a_life(shop, room)
        customer = customer_of(shop)
        foreign = shop.house.open_venue("Foreign")
        for person in (
            shop.venue.hire("mary", "manager"),
            shop.venue.hire("desk", "receptionist"),
            foreign.owner,
            shop.house.sign_up("player"),
        ):
            with refused(403, "permission_denied"):
                erase(shop, customer, person)
        with refused(404, "customer_not_found"):
            foreign.owner.call(
                "erase_customer", organization_id=foreign.id, customer_id=customer, reason="x"
            )
        for reason in ("", " ", "\u200b", "...", None, "x" * 501):
            with refused(422, "reason_missing"):
                erase(shop, customer, reason=reason)
        assert customer_of(shop) == customer


class TestTwins:
    """Another tenant's customer and booking with the same ids, who is somebody else."""

    @pytest.fixture
    def foreign(self, shop: Shop, room: str, house: House) -> Shop:
        foreign = open_shop(house, "Foreign", minimum_notice_minutes=0)
        theirs = open_room(foreign)
        shop.cancel(shop.hold(room, shop.at(1), customer=ME))
        ben = {"full_name": "Ben", "email": "b@x.test"}
        foreign.move(foreign.hold(theirs, foreign.at(1), customer=ben), "confirmed")
        share_ids(shop, foreign, "customers", "bookings")
        return foreign

    def test_whose_coming_booking_keeps_nobody_here(self, shop: Shop, foreign: Shop) -> None:
        erase(shop, customer_of(shop))
        assert customer_of(foreign, "b@x.test")

    def test_whose_erasure_is_not_ours(self, shop: Shop, foreign: Shop) -> None:
        foreign.house.owner_sql(
            "update public.bookings set status = 'cancelled' where organization_id = %s", foreign.id
        )
        erase(foreign, customer_of(foreign, "b@x.test"))
        erase(shop, customer_of(shop))

    def test_whose_deleted_rows_are_not_ours(self, shop: Shop, room: str, foreign: Shop) -> None:
        """A row that was the twin's there has the id of another customer's here."""
        erased = customer_of(shop)
        zoe = {"email": "zoe@x.test", "full_name": "Zoe", "locale": "es"}
        booking = shop.hold(room, shop.at(4), customer=zoe)
        shop.move(booking, "confirmed")
        signature = sign(shop, booking, "Zoe")
        shop.house.owner_sql(
            "insert into public.audit_log"
            " (organization_id, actor_kind, action, table_name, row_key, before)"
            " values (%s, 'system', 'delete', 'waiver_signatures', %s, %s)",
            foreign.id,
            signature,
            Jsonb({"id": signature, "customer_id": erased}),
        )
        erase(shop, erased)
        logged = shop.house.one(
            "select p.after ->> 'full_name' from public.audit_log as l"
            " join public.audit_log_personal as p using (organization_id, id)"
            " where l.organization_id = %s and l.table_name = 'waiver_signatures'"
            " and l.row_key = %s",
            shop.id,
            signature,
        )
        assert logged == "Zoe"

    def test_whose_history_and_export_are_their_own(self, shop: Shop, foreign: Shop) -> None:
        customer = customer_of(shop)
        for place, email in ((shop, EMAIL), (foreign, "b@x.test")):
            exported = export(place, customer)
            assert exported["addresses"] == [email]
            assert [c["email"] for c in exported["tables"]["customers"]] == [email]
            seen = place.venue.owner.call(
                "get_customer_history", organization_id=place.id, customer_id=customer
            )
            assert seen["customer"]["email"] == email

    def test_whose_address_was_once_ours(self, shop: Shop, foreign: Shop) -> None:
        """It is nobody else's here, so it is this customer's."""
        customer = customer_of(shop)
        change(shop.venue.owner, "customers", {"email": OTHER_EMAIL}, id=customer)
        change(shop.venue.owner, "customers", {"email": EMAIL}, id=customer)
        insert(foreign.venue.owner, "customers", email=OTHER_EMAIL, full_name="Cleo", locale="es")
        assert sorted(export(shop, customer)["addresses"]) == [OTHER_EMAIL, EMAIL]


class TestExporting:
    def test_a_customer_gets_all_that_the_venue_knows(self, shop: Shop, room: str) -> None:
        visit = live_a_life(shop, room)
        exported = export(shop, customer_of(shop), shop.venue.hire("mary", "manager"))
        tables: dict[str, list[Row]] = exported["tables"]
        assert exported["addresses"] == sorted([EMAIL, OTHER_EMAIL])
        assert {name: len(rows) for name, rows in tables.items() if rows} | {
            "booking_history": 0
        } == {
            "customers": 1,
            "customer_tags": 1,
            "customer_consents": 1,
            "bookings": 1,
            "booking_contacts": 1,
            "booking_lines": 1,
            "booking_mail_problems": 1,
            "booking_history": 0,
            "booking_reasons": 1,
            "booking_comments": 1,
            "booking_people": 2,
            "payments": 1,
            "waiver_signatures": 2,
            "email_messages": 1,
        }
        assert tables["bookings"][0]["reference"] == visit["reference"]
        assert tables["customers"][0]["staff_note"] == NOTE
        assert {s["drawing"] for s in tables["waiver_signatures"]} == {DRAWING}

    def test_others_in_the_party_keep_their_names_to_themselves(
        self, shop: Shop, room: str
    ) -> None:
        visit = live_a_life(shop, room)
        shop.move_in_time(visit, timedelta(days=8))
        shop.hold(room, shop.at(9), customer={"full_name": "Ben", "email": "ben@x.test"})
        sign(shop, visit, "Ben", "ben@x.test")
        sign(shop, visit, NAME.upper())
        text = str(export(shop, customer_of(shop))["tables"]["waiver_signatures"])
        assert "Ben" not in text
        assert "ben@" not in text
        assert NAME.upper() in text

    def test_an_export_is_one_person_s_in_one_tenant(
        self, shop: Shop, room: str, house: House
    ) -> None:
        foreign = open_shop(house, "Foreign", minimum_notice_minutes=0)
        theirs = open_room(foreign)
        live_a_life(shop, room)
        live_a_life(foreign, theirs)
        share_ids(shop, foreign, "customers", "bookings", "waiver_signatures", "customer_tags")
        shop.hold(room, shop.at(3), customer={"full_name": "Ben", "email": "ben@x.test"})
        customer = customer_of(shop)

        exported = export(shop, customer)

        assert len(exported["tables"]["bookings"]) == len(exported["tables"]["customers"]) == 1
        assert len(exported["tables"]["waiver_signatures"]) == 2
        for person in (
            shop.venue.hire("desk", "receptionist"),
            foreign.venue.owner,
            house.sign_up("player"),
        ):
            with refused(403, "permission_denied"):
                export(shop, customer, person)
        with refused(404, "customer_not_found"):
            export(shop, "00000000-0000-4000-8000-000000000000")


def test_of_every_column_that_could_name_a_customer_it_is_decided_what_becomes_of_it(
    house: House,
) -> None:
    """A new text or JSON column beside a customer or a booking is personal, or it is written here
    why it is not."""
    impersonal = {
        # Words of the product, not of a person.
        *("bookings.currency", "bookings.locale", "bookings.reference", "bookings.source"),
        *("bookings.status", "bookings.status_reason", "booking_history.reason"),
        *("booking_lines.description", "booking_lines.kind"),
        *("booking_history.from_status", "booking_history.to_status", "booking_history.actor_kind"),
        *("booking_history.change", "booking_history.refund", "bookings.cancel_refund"),
        *("game_results.outcome", "game_results.name_status", "game_results.language"),
        *("game_results.level", "late_arrivals.outcome", "booking_mail_problems.problem"),
        *("bookings.terms", "disputes.currency", "disputes.status", "disputes.reason"),
        *("disputes.provider_dispute_id", "waitlist_entries.locale", "waitlist_entries.status"),
        *("customers.locale", "customer_consents.kind", "customer_consents.locale"),
        *("waiver_signatures.locale", "email_messages.locale", "email_messages.template"),
        *("email_messages.status", "email_messages.provider", "email_messages.provider_message_id"),
        # Staff and players with an account are not the venue's customers.
        *("invitations.email", "member_bars.email", "profiles.email", "profiles.full_name"),
        *("member_addresses.email", "member_bars.other_emails", "proven_addresses.email"),
        "profiles.phone",
        # Of whoever signs in, and gone within the hour.
        *("auth_emails.new_email", "auth_emails.recipient"),
        *("notifications.type", "notifications.data"),
        *("notice_events.kind", "notice_events.problem"),
        # By which the venue is reached.
        *("locations.phone", "organizations.contact_email", "organizations.phone"),
        "notice_addresses.email",
        # The platform's, so that no tenant makes it write to an address that refused its mails.
        "email_suppressions.email",
        # What happened, without the person, who is in webhook_events.personal.
        *("webhook_events.event", "webhook_events.type"),
        # What the customer read, which is the venue's text.
        "customer_consents.wording",
        # Staff are asked not to name anybody there, and say it after the person is gone.
        *("customer_erasures.reason", "customer_erasures.erased_by", "price_overrides.set_by"),
        "booking_comments.written_by",
        # The ledger stays: amounts, ids of the provider, and which member of staff wrote it down.
        *("ledger_entries.source", "ledger_entries.debit", "ledger_entries.credit"),
        "ledger_entries.currency",
        *("payments.currency", "payments.method", "payments.provider_payment_id"),
        *("payments.provider_session_id", "payments.recorded_by", "payments.stripe_account"),
        *("refunds.currency", "refunds.kind", "refunds.method", "refunds.provider_refund_id"),
        *("refunds.recorded_by", "refund_requests.currency", "refund_requests.reason"),
        *("payment_shares.currency", "payment_shares.locale", "payment_shares.status"),
        "payment_shares.ended_reason",
        *("refund_requests.provider_refund_id", "refund_requests.requested_by"),
        *("refund_requests.status", "payment_attempts.currency", "payment_attempts.error"),
        *("payment_attempts.session_id", "payment_attempts.status", "payment_attempts.url"),
        *("payment_attempts.stripe_account", "stripe_customers.customer_id"),
    }
    open_questions = house.owner_sql(
        """
        select c.relname || '.' || a.attname as name
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
          and c.relkind = 'r'
          and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
          and (
            c.relname = 'customers'
            or a.attname ~ '(email|recipient|full_name|phone|contact)'
            or exists (
              select from pg_attribute as k
              where k.attrelid = c.oid and k.attname in ('customer_id', 'booking_id')
            )
          )
          and not exists (
            select from private.personal_columns as p
            where to_regclass(p.relation) = c.oid and p.column_name = a.attname
          )
        order by 1
        """
    )
    assert {row["name"] for row in open_questions} == impersonal


def test_every_personal_column_exists_and_what_replaces_it_fits(house: House) -> None:
    columns = house.owner_sql(
        "select p.relation, p.column_name, a.attname from private.personal_columns as p"
        " left join pg_attribute as a on a.attrelid = to_regclass(p.relation)"
        " and a.attname = p.column_name and not a.attisdropped"
    )
    assert [c for c in columns if c["attname"] is None] == []
