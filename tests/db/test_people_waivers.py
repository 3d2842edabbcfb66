"""Waivers: published in versions, signed by everybody in a party, asked for before the game."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import PRICE, Row, Shop, insert, open_shop
from db.people_world import share_ids
from matrix.house import House, Venue
from matrix.promises import refused

TEXTS = {"es": "Juego bajo mi responsabilidad.", "en": "I play at my own risk."}
DRAWING = "M10 10L20 20 C1,2 3,4 5,6Z"
PNG = "data:image/png;base64,iVBORw0KGgo="

_keys = count(1)


@dataclass(frozen=True, slots=True)
class Desk:
    """A shop whose one room asks for waivers."""

    shop: Shop
    room: str

    @property
    def venue(self) -> Venue:
        return self.shop.venue

    def publish(self, by: Client | None = None, **values: object) -> Row:
        published: Row = (by or self.venue.owner).call(
            "publish_waiver", organization_id=self.shop.id, **{"texts": TEXTS, **values}
        )
        return published

    def book(
        self,
        clock: str = "12:00",
        party_size: int = 2,
        status: str = "confirmed",
        day: int = 1,
    ) -> Row:
        booking = self.shop.hold(
            self.room, self.shop.at(day, clock), party_size=party_size, total=PRICE * party_size
        )
        if status != "held":
            self.shop.move(booking, "confirmed")
        if status in ("checked_in", "in_progress", "completed"):
            self.shop.move(booking, "checked_in")
        return booking

    def waiver(self, booking: Row) -> Row:
        waiver: Row = self.shop.look(booking)["waiver"]
        return waiver

    def read(self, booking: Row, locale: str | None = None) -> Row:
        shown: Row = self.shop.visitor.call(
            "get_waiver", token=self.waiver(booking)["token"], locale=locale
        )
        return shown

    def sign(
        self,
        booking: Row | str,
        version: int | None = 1,
        *,
        by: Client | None = None,
        signer: object = None,
        minors: object = (),
        signature: str | None = DRAWING,
        key: str | None = None,
        **values: object,
    ) -> Row:
        token = booking if isinstance(booking, str) else self.waiver(booking)["token"]
        signed: Row = (by or self.shop.visitor).call(
            "sign_waiver",
            token=token,
            version=version,
            signer=Jsonb({"full_name": "Ana"} if signer is None else signer),
            minors=Jsonb(list(minors) if isinstance(minors, tuple) else minors),
            signature=signature,
            idempotency_key=f"sign-{next(_keys)}" if key is None else key,
            **values,
        )
        return signed


def open_desk(house: House, name: str, policy: str = "required") -> Desk:
    shop = open_shop(house, name, minimum_notice_minutes=0)
    room = shop.add_room(waiver_policy=policy)
    shop.open_on(room, "00:00", "00:00", slot_interval_minutes=30)
    return Desk(shop, room)


@pytest.fixture
def desk(house: House) -> Desk:
    desk = open_desk(house, "Venue")
    desk.publish()
    return desk


@pytest.fixture
def booking(desk: Desk) -> Row:
    return desk.book()


@pytest.fixture
def foreign(house: House) -> Desk:
    foreign = open_desk(house, "Foreign")
    foreign.publish()
    return foreign


class TestPublishing:
    def test_versions_are_counted_through_in_the_venue(self, desk: Desk, foreign: Desk) -> None:
        second = desk.publish(room_id=desk.room)
        third = desk.publish(desk.venue.hire("mary", "manager"))
        assert (second["version"], second["room_id"]) == (2, desk.room)
        assert (third["version"], third["room_id"]) == (3, None)
        assert foreign.publish()["version"] == 2

    def test_a_room_s_own_text_goes_before_the_venue_s_newest(
        self, desk: Desk, booking: Row
    ) -> None:
        desk.publish(texts={"es": "De la sala"}, room_id=desk.room)
        desk.publish(texts={"es": "Del local"})
        assert desk.read(booking)["text"] == "De la sala"
        other = desk.shop.add_room(waiver_policy="optional")
        desk.shop.open_on(other, "12:00", "14:00")
        elsewhere = Desk(desk.shop, other).book()
        assert desk.read(elsewhere)["text"] == "Del local"

    @pytest.mark.parametrize(
        "texts", [{}, {"de": "x"}, {"es": ""}, {"es": 1}, {"es": "x" * 50001}, []]
    )
    def test_a_text_is_in_a_language_and_says_something(self, desk: Desk, texts: object) -> None:
        with refused(422, "texts_invalid"):
            desk.publish(texts=Jsonb(texts))

    def test_it_takes_waivers_manage_and_an_own_room(self, desk: Desk, foreign: Desk) -> None:
        for person in (desk.venue.hire("desk", "receptionist"), foreign.venue.owner):
            with refused(403, "permission_denied"):
                desk.publish(person)
        for room in (foreign.room, str(uuid4())):
            with refused(404, "room_not_found"):
                desk.publish(room_id=room)
        with refused(422, "texts_invalid"):
            desk.publish(texts=None)

    def test_what_is_published_never_changes(self, desk: Desk, booking: Row) -> None:
        desk.sign(booking)
        with pytest.raises(Exception, match="never changes"):
            desk.shop.house.owner_sql("update public.waiver_texts set version = 7")
        with pytest.raises(Exception, match="waiver_signatures_waiver_text_fkey"):
            desk.shop.house.owner_sql("delete from public.waiver_texts")
        for verb in (
            "update public.waiver_texts set version = 7",
            "delete from public.waiver_texts",
        ):
            with refused(403, "42501"):
                desk.venue.owner.change(verb)

    def test_a_room_that_was_never_booked_takes_its_texts_along(self, desk: Desk) -> None:
        spare = desk.shop.add_room()
        desk.publish(room_id=spare)
        desk.venue.owner.change("delete from public.rooms where id = %s", spare)
        assert desk.venue.count("waiver_texts") == 1


class TestReading:
    def test_the_link_shows_the_text_and_nobody_s_name(self, desk: Desk, booking: Row) -> None:
        shown = desk.read(booking)
        assert datetime.fromisoformat(shown.pop("starts_at")) == desk.shop.at(1)
        assert shown == {
            "organization": {"name": "Venue", "slug": "venue"},
            "room_name": booking["room_name"],
            "timezone": "Europe/Madrid",
            "policy": "required",
            "signed": 0,
            "needed": 2,
            "open": True,
            "version": 1,
            "locale": "es",
            "locales": ["en", "es"],
            "text": TEXTS["es"],
        }

    @pytest.mark.parametrize(
        ("wished", "shown"),
        [("en", "en"), ("es", "es"), ("ca", "en"), ("xx", "en"), (None, "es")],
    )
    def test_in_the_wished_language_or_another_that_there_is(
        self, desk: Desk, booking: Row, wished: str | None, shown: str
    ) -> None:
        assert desk.read(booking, wished)["locale"] == shown
        assert desk.read(booking, wished)["text"] == TEXTS[shown]

    def test_the_link_cannot_do_more_than_sign(self, desk: Desk, booking: Row) -> None:
        token = desk.waiver(booking)["token"]
        assert token != booking["manage_token"]
        for function in ("get_booking", "cancel_booking"):
            with refused(404, "booking_not_found"):
                desk.shop.visitor.call(function, reference=booking["reference"], manage_token=token)
        with refused(404, "waiver_not_found"):
            desk.shop.visitor.call("get_waiver", token=booking["manage_token"])

    def test_where_nothing_is_signed_there_is_no_link(self, house: House, desk: Desk) -> None:
        booking = desk.book()
        token = desk.waiver(booking)["token"]
        desk.shop.set_room(desk.room, waiver_policy="none")
        assert desk.waiver(booking) == {
            "policy": "none",
            "signed": 0,
            "needed": 0,
            "missing": 0,
            "token": None,
        }
        unpublished = open_desk(house, "Silent")
        silent = unpublished.book()
        made = house.one(
            "select private.derived_token('waiver', %s)", unpublished.shop.id_of(silent)
        )
        for wrong in (token, made, "x", None):
            with refused(404, "waiver_not_found"):
                desk.shop.visitor.call("get_waiver", token=wrong)
            with refused(404, "waiver_not_found"):
                desk.sign(str(wrong))

    @pytest.mark.parametrize(("policy", "needed"), [("optional", 0), ("required", 2)])
    def test_without_a_published_text_nobody_is_offered_to_sign(
        self, house: House, policy: str, needed: int
    ) -> None:
        """Where signing is required the text is missed all the same: no game starts without it."""
        silent = open_desk(house, f"Silent {policy}", policy)
        booking = silent.book()
        assert silent.waiver(booking) == {
            "policy": policy,
            "signed": 0,
            "needed": needed,
            "missing": needed,
            "token": None,
        }
        silent.publish()
        seen = silent.waiver(booking)
        assert seen["missing"] == seen["needed"] == 2
        silent.shop.visitor.call("get_waiver", token=seen["token"])

    def test_a_closed_venue_s_links_are_dead(self, desk: Desk, booking: Row) -> None:
        token = desk.waiver(booking)["token"]
        desk.venue.owner.call(
            "close_organization", organization_id=desk.shop.id, confirm_slug=desk.venue.slug
        )
        with refused(404, "waiver_not_found"):
            desk.shop.visitor.call("get_waiver", token=token)

    def test_links_are_asked_for_so_often_and_no_more(self, desk: Desk, booking: Row) -> None:
        desk.shop.house.owner_sql(
            "update private.rate_limit_rules set max_hits = 1 where action = 'manage_booking'"
        )
        token = desk.waiver(booking)["token"]
        guesser = desk.shop.visitor.sending(x_forwarded_for="203.0.113.7")
        guesser.call("get_waiver", token=token)
        with refused(429, "rate_limited"):
            desk.sign(token, by=guesser)
        with refused(429, "rate_limited"):
            guesser.call("get_waiver", token=token)


class TestSigning:
    def test_everybody_signs_by_the_same_link_until_nobody_is_missing(
        self, desk: Desk, booking: Row
    ) -> None:
        first = desk.sign(booking, signer={"full_name": " Ana ", "email": "Ana@Example.test"})
        assert (first["signed"], first["needed"], first["version"]) == (1, 2, 1)
        assert desk.waiver(booking) | {"token": ""} == {
            "policy": "required",
            "signed": 1,
            "needed": 2,
            "missing": 1,
            "token": "",
        }
        desk.sign(booking, signer={"full_name": "Bea"}, locale="en", signature=PNG)
        assert desk.waiver(booking)["missing"] == 0
        rows = desk.venue.owner.select(
            "select full_name, email, plays, minors, people, version, locale"
            " from public.waiver_signatures order by signed_at"
        )
        common = {"plays": True, "minors": [], "people": 1, "version": 1}
        assert rows == [
            {"full_name": "Ana", "email": "ana@example.test", "locale": "es", **common},
            {"full_name": "Bea", "email": None, "locale": "en", **common},
        ]

    def test_a_guardian_signs_for_minors_and_need_not_play(self, desk: Desk, booking: Row) -> None:
        year = desk.shop.today.year
        minors = (
            {"full_name": " Kim ", "birth_year": year - 9},
            {"full_name": "Lu", "birth_year": year},
        )
        assert (
            desk.sign(booking, signer={"full_name": "Ana", "plays": False}, minors=minors)["signed"]
            == 2
        )
        (row,) = desk.venue.owner.select("select * from public.waiver_signatures")
        assert row["minors"] == [
            {"full_name": "Kim", "birth_year": year - 9},
            {"full_name": "Lu", "birth_year": year},
        ]
        assert (row["plays"], row["people"]) == (False, 2)

    @pytest.mark.parametrize(
        ("signer", "field"),
        [
            ({}, "full_name"),
            ("Ana", "full_name"),
            ({"full_name": 1}, "full_name"),
            ({"full_name": " "}, "full_name"),
            ({"full_name": "x" * 201}, "full_name"),
            ({"full_name": "a\nb"}, "full_name"),
            ({"full_name": "Ana", "email": "x"}, "email"),
            ({"full_name": "Ana", "email": 1}, "email"),
            ({"full_name": "Ana", "email": "a\nb@example.test"}, "email"),
            ({"full_name": "Ana", "plays": "yes"}, "plays"),
        ],
    )
    def test_a_signer_has_a_name(
        self, desk: Desk, booking: Row, signer: object, field: str
    ) -> None:
        with refused(422, "signer_invalid") as caught:
            desk.sign(booking, signer=signer)
        assert caught.value.details == {"field": field}
        assert desk.venue.count("waiver_signatures") == 0

    def test_minors_have_names_and_are_under_age(self, desk: Desk, booking: Row) -> None:
        year = desk.shop.today.year
        good = {"full_name": "Kim", "birth_year": year - 9}
        wrongs: tuple[object, ...] = (
            {},
            ["Kim"],
            [{**good, "full_name": ""}],
            [{**good, "full_name": 1}],
            [{**good, "full_name": "x" * 201}],
            [{**good, "full_name": "a\nb"}],
            [{"full_name": "Kim"}],
            [{**good, "birth_year": str(year)}],
            [{**good, "birth_year": year - 19}],
            [{**good, "birth_year": year + 1}],
            [{**good, "birth_year": 2015.5}],
        )
        for wrong in wrongs:
            with refused(422, "minors_invalid"):
                desk.sign(booking, minors=wrong)
        for wrong, position, field in (
            ([good, {**good, "full_name": "evil.com"}, {}], 1, "full_name"),
            ([{**good, "full_name": "\u3164"}], 0, "full_name"),
            ([good, {**good, "birth_year": year - 19}], 1, "birth_year"),
        ):
            with refused(422, "minors_invalid") as caught:
                desk.sign(booking, minors=wrong)
            assert caught.value.details == {"position": position, "field": field}
        with refused(422, "minors_invalid"):
            desk.sign(booking, signer={"full_name": "Ana", "plays": False})
        assert desk.venue.count("waiver_signatures") == 0

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "x",
            "M0 0<script>",
            "M" + "0" * 51200,
            "data:image/svg+xml;base64,AAAA",
            "data:image/png;base64,<>",
        ],
    )
    def test_a_signature_is_a_small_drawing(
        self, desk: Desk, booking: Row, signature: str | None
    ) -> None:
        with refused(422, "signature_invalid"):
            desk.sign(booking, signature=signature)

    def test_only_the_present_wording_is_signed_and_what_was_signed_counts_on(
        self, desk: Desk, booking: Row
    ) -> None:
        desk.sign(booking, 1)
        desk.publish(texts={"es": "Otro"})
        for version in (1, 3, None):
            with refused(409, "waiver_outdated") as caught:
                desk.sign(booking, version)
            assert caught.value.details == {"version": 2}
        assert desk.sign(booking, 2)["signed"] == 2

    def test_no_more_sign_than_the_room_takes(self, desk: Desk, booking: Row) -> None:
        desk.shop.set_room(desk.room, minimum_party=1, maximum_party=2, capacity_limit=3)
        for _ in range(3):
            desk.sign(booking)
        with refused(409, "waiver_full") as caught:
            desk.sign(booking)
        assert caught.value.details == {"signed": 3, "maximum": 3}
        desk.shop.set_room(desk.room, capacity_limit=None)
        with refused(409, "waiver_full"):
            desk.sign(booking)

    def test_a_party_that_was_let_in_above_the_limit_signs_all_the_same(self, desk: Desk) -> None:
        booking = desk.book(party_size=4)
        desk.shop.set_room(desk.room, minimum_party=1, maximum_party=2)
        for _ in range(4):
            desk.sign(booking)
        with refused(409, "waiver_full"):
            desk.sign(booking)

    @pytest.mark.parametrize("status", ["held", "cancelled", "no_show"])
    def test_who_is_not_coming_does_not_sign(self, desk: Desk, status: str) -> None:
        booking = desk.book(status="held" if status == "held" else "confirmed")
        if status != "held":
            desk.shop.move(booking, status)
        assert desk.read(booking)["open"] is False
        with refused(409, "waiver_closed"):
            desk.sign(booking)

    def test_the_same_request_signs_once(self, desk: Desk, booking: Row) -> None:
        first = desk.sign(booking, key="k")
        assert desk.sign(booking, key="k") == first
        assert desk.venue.count("waiver_signatures") == 1
        with refused(422, "idempotency_key_reused"):
            desk.sign(booking, key="k", signer={"full_name": "Bea"})
        with refused(422, "idempotency_key_invalid"):
            desk.sign(booking, key="")
        other = desk.book("14:00")
        assert desk.sign(other, key="k")["signature_id"] != first["signature_id"]

    def test_the_address_is_kept_as_a_keyed_hash(self, desk: Desk, booking: Row) -> None:
        desk.sign(booking, by=desk.shop.visitor.sending(x_forwarded_for="203.0.113.7"))
        desk.sign(booking)
        hashes = [
            row["address_hash"]
            for row in desk.shop.house.owner_sql("select address_hash from private.waiver_drawings")
        ]
        expected = desk.shop.house.one("select private.derived_token('address', '203.0.113.7')")
        assert sorted(hashes, key=str) == sorted([expected, None], key=str)

    def test_staff_see_what_was_signed_with_the_drawing(
        self, desk: Desk, foreign: Desk, booking: Row
    ) -> None:
        signed = desk.sign(booking, locale="en")
        desk.publish(texts={"es": "Otro"})

        def show(person: Client, organization: str = desk.shop.id) -> Row:
            shown: Row = person.call(
                "get_waiver_signature",
                organization_id=organization,
                signature_id=signed["signature_id"],
            )
            return shown

        seen = show(desk.venue.hire("gm", "game_master"))
        assert (seen["full_name"], seen["drawing"], seen["text"]) == ("Ana", DRAWING, TEXTS["en"])
        with refused(403, "permission_denied"):
            show(foreign.venue.owner)
        with refused(404, "signature_not_found"):
            show(foreign.venue.owner, foreign.shop.id)
        read = "select from public.waiver_signatures"
        assert foreign.venue.owner.at(desk.shop.id).select(read) == []
        assert desk.shop.house.sign_up("player").at(desk.shop.id).select(read) == []
        # The log copies rows, and drawings are in none of them.
        assert DRAWING not in str(desk.venue.owner.select("select * from public.audit_log"))


class TestTheStart:
    def test_a_game_starts_when_everybody_has_signed(self, desk: Desk) -> None:
        booking = desk.book(status="checked_in")
        desk.sign(booking)
        with refused(409, "waiver_missing") as caught:
            desk.shop.move(booking, "in_progress")
        assert caught.value.details == {"signed": 1, "needed": 2, "missing": 1}
        desk.sign(booking)
        assert desk.shop.move(booking, "in_progress")["status"] == "in_progress"

    @pytest.mark.parametrize("policy", ["optional", "none"])
    def test_where_it_is_not_required_it_starts_anyway(self, desk: Desk, policy: str) -> None:
        desk.shop.set_room(desk.room, waiver_policy=policy)
        booking = desk.book(status="checked_in")
        assert desk.shop.move(booking, "in_progress")["status"] == "in_progress"

    def test_other_moves_need_no_signature(self, desk: Desk) -> None:
        booking = desk.book(status="checked_in")
        assert desk.shop.move(booking, "cancelled")["status"] == "cancelled"

    def test_a_move_that_is_not_allowed_is_told_first(self, desk: Desk, booking: Row) -> None:
        with pytest.raises(Exception, match="transition_not_allowed"):
            desk.shop.house.owner_sql(
                "update public.bookings set status = 'in_progress' where id = %s",
                desk.shop.id_of(booking),
            )

    def test_another_party_s_signatures_do_not_count(self, desk: Desk, foreign: Desk) -> None:
        booking, other = desk.book(status="checked_in"), desk.book("14:00")
        theirs = foreign.book()
        for _ in range(2):
            desk.sign(other)
            foreign.sign(theirs)
        with refused(409, "waiver_missing"):
            desk.shop.move(booking, "in_progress")


class TestAtTheVenue:
    def kiosk(self, desk: Desk, **values: object) -> Row:
        opened: Row = desk.venue.owner.call(
            "create_waiver_kiosk",
            **{
                "organization_id": desk.shop.id,
                "location_id": desk.shop.location_id,
                "name": " Lobby ",
                **values,
            },
        )
        return opened

    def soon(self, desk: Desk, **delay: int) -> Row:
        # On a day that none is moved to: late in the evening, in five hours is tomorrow.
        booking = desk.book(f"{2 * next(_keys) % 22:02}:00", day=2)
        start = datetime.fromisoformat(booking["starts_at"])
        now: datetime = desk.shop.house.one("select now()")
        desk.shop.move_in_time(booking, now + timedelta(**delay) - start)
        return booking

    def offered(self, desk: Desk, kiosk: Row) -> list[Any]:
        parties: list[Any] = desk.shop.visitor.call("get_waiver_kiosk", token=kiosk["token"])[
            "parties"
        ]
        return parties

    def test_a_kiosk_offers_the_next_parties_of_its_location(
        self, desk: Desk, foreign: Desk
    ) -> None:
        kiosk = self.kiosk(desk)
        late, next_one = self.soon(desk, minutes=-90), self.soon(desk, minutes=30)
        self.soon(desk, hours=-3)
        self.soon(desk, hours=5)
        cancelled = self.soon(desk, hours=3)
        desk.shop.move(cancelled, "cancelled")
        self.soon(foreign, minutes=30)
        elsewhere = insert(desk.venue.owner, "locations", name="B", timezone="Europe/Madrid")

        shown = desk.shop.visitor.call("get_waiver_kiosk", token=kiosk["token"])

        assert (shown["organization"], shown["location_name"], shown["timezone"]) == (
            {"name": "Venue", "slug": "venue"},
            "Venue",
            "Europe/Madrid",
        )
        assert [p["reference"] for p in shown["parties"]] == [
            late["reference"],
            next_one["reference"],
        ]
        party = shown["parties"][1]
        assert set(party) == {
            "reference",
            "room_name",
            "starts_at",
            "signed",
            "needed",
            "missing",
            "token",
        }
        assert desk.sign(party["token"])["signed"] == 1
        assert self.offered(desk, kiosk)[1]["missing"] == 1
        assert self.offered(desk, self.kiosk(desk, location_id=elsewhere["id"])) == []
        desk.shop.set_room(desk.room, waiver_policy="none")
        assert self.offered(desk, kiosk) == []

    def test_a_kiosk_is_closed_for_good(self, desk: Desk, foreign: Desk) -> None:
        kiosk, kept = self.kiosk(desk), self.kiosk(desk)
        close = {"organization_id": desk.shop.id, "kiosk_id": kiosk["id"]}
        closed = desk.venue.owner.call("revoke_waiver_kiosk", **close)
        assert desk.venue.owner.call("revoke_waiver_kiosk", **close) == closed
        assert self.offered(desk, kept) == []
        for token in (kiosk["token"], "x", None):
            with refused(404, "kiosk_not_found"):
                desk.shop.visitor.call("get_waiver_kiosk", token=token)
        with refused(404, "kiosk_not_found"):
            foreign.venue.owner.call(
                "revoke_waiver_kiosk", organization_id=foreign.shop.id, kiosk_id=kept["id"]
            )

    def test_a_closed_venue_s_kiosks_are_dead(self, desk: Desk) -> None:
        kiosk = self.kiosk(desk)
        desk.venue.owner.call(
            "close_organization", organization_id=desk.shop.id, confirm_slug=desk.venue.slug
        )
        with refused(404, "kiosk_not_found"):
            self.offered(desk, kiosk)

    def test_what_makes_no_kiosk_is_said(self, desk: Desk, foreign: Desk) -> None:
        for name in ("", " ", "x" * 121, None):
            with refused(422, "name_invalid"):
                self.kiosk(desk, name=name)
        for location in (foreign.shop.location_id, str(uuid4())):
            with refused(404, "location_not_found"):
                self.kiosk(desk, location_id=location)
        for person in (desk.venue.hire("desk", "receptionist"), foreign.venue.owner):
            for function, arguments in (
                ("create_waiver_kiosk", {"location_id": desk.shop.location_id, "name": "x"}),
                ("revoke_waiver_kiosk", {"kiosk_id": str(uuid4())}),
            ):
                with refused(403, "permission_denied"):
                    person.call(function, organization_id=desk.shop.id, **arguments)

    def test_a_kiosk_s_token_is_kept_as_a_hash(self, desk: Desk) -> None:
        token = self.kiosk(desk)["token"]
        stored = desk.shop.house.one(
            "select encode(token_hash, 'hex') from private.waiver_kiosk_secrets"
        )
        assert token not in stored
        assert token not in str(desk.venue.owner.select("select * from public.waiver_kiosks"))

    def test_staff_have_the_links_of_a_day(self, desk: Desk, foreign: Desk) -> None:
        first, second = desk.book("00:00"), desk.book("22:30")
        desk.shop.hold(desk.room, desk.shop.at(2, "00:00"))
        foreign.book()
        game_master = desk.venue.hire("gm", "game_master")

        def listed(**values: object) -> list[Any]:
            parties: list[Any] = game_master.call(
                "get_waivers_to_sign",
                **{
                    "organization_id": desk.shop.id,
                    "location_id": desk.shop.location_id,
                    "date": desk.shop.today + timedelta(1),
                    **values,
                },
            )
            return parties

        assert [p["reference"] for p in listed()] == [first["reference"], second["reference"]]
        assert desk.sign(listed()[0]["token"], by=game_master)["signed"] == 1
        (entry,) = desk.venue.owner.select(
            "select actor_id::text from public.audit_log where table_name = 'waiver_signatures'"
        )
        assert entry["actor_id"] == game_master.id
        assert listed(date=None) == []
        desk.shop.move_in_time(first, timedelta(days=-1))
        assert [p["reference"] for p in listed(date=None)] == [first["reference"]]
        with refused(404, "location_not_found"):
            listed(location_id=foreign.shop.location_id)
        with refused(403, "permission_denied"):
            listed(organization_id=foreign.shop.id)


class TestTwins:
    """Another tenant whose room, booking, text and signature have the same ids."""

    def test_what_is_signed_or_published_there_counts_there(
        self, desk: Desk, foreign: Desk
    ) -> None:
        booking, theirs = desk.book(), foreign.book()
        mine = desk.sign(booking, signer={"full_name": "Ana"})
        foreign.sign(theirs, signer={"full_name": "Ben"})
        share_ids(
            desk.shop,
            foreign.shop,
            *("locations", "rooms", "bookings", "waiver_texts", "waiver_signatures"),
        )
        foreign.publish(texts={"es": "Suyo"}, room_id=desk.room)

        assert desk.read(booking)["version"] == 1
        assert desk.waiver(booking)["signed"] == 1
        assert desk.sign(booking)["signed"] == 2
        shown = desk.venue.owner.call(
            "get_waiver_signature",
            organization_id=desk.shop.id,
            signature_id=mine["signature_id"],
        )
        assert shown["full_name"] == "Ana"
        (party,) = desk.venue.owner.call(
            "get_waivers_to_sign",
            organization_id=desk.shop.id,
            location_id=desk.shop.location_id,
            date=desk.shop.today + timedelta(1),
        )
        assert (party["reference"], party["signed"]) == (booking["reference"], 2)

    def test_a_kiosk_is_closed_there(self, desk: Desk, foreign: Desk) -> None:
        kiosks = [
            place.venue.owner.call(
                "create_waiver_kiosk",
                organization_id=place.shop.id,
                location_id=place.shop.location_id,
                name=place.venue.slug,
            )
            for place in (desk, foreign)
        ]
        share_ids(desk.shop, foreign.shop, "locations", "waiver_kiosks")
        foreign.venue.owner.call(
            "revoke_waiver_kiosk", organization_id=foreign.shop.id, kiosk_id=kiosks[0]["id"]
        )
        shown = desk.shop.visitor.call("get_waiver_kiosk", token=kiosks[0]["token"])
        assert shown["location_name"] == "Venue"
