"""What a venue says of itself: what can be stored, and what of it customers see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from db.booking_world import GUEST, Row, Shop, change, open_shop
from matrix.house import House
from matrix.promises import refused

#: What a room says of itself beside what it costs.
TOLD = {
    "names": {"en": "The Crypt", "ca": "La cripta"},
    "descriptions": {"en": "Below the church."},
    "theme": "horror",
    "color": "#7a1f2b",
    "video_url": "https://video.example/watch?v=Xy_9&t=3",
    "minimum_age": 16,
    "minimum_age_accompanied": 12,
    "fear": 4,
    "physical_level": 0,
    "languages": ["es", "en"],
    "is_accessible": True,
    "has_actors": True,
    "tags": ["Miedo", "Premiada"],
}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room(name="La Cripta")
    shop.open_on(room, "10:00", "22:00")
    return room


def calendar_of(shop: Shop) -> Row:
    shown: Row = shop.visitor.call("get_calendar", slug=shop.slug)
    return shown


def stored(shop: Shop, table: str, row: str) -> Row:
    (found,) = shop.house.owner_sql(f"select * from public.{table} where id = %s", row)
    return found


def refuses(shop: Shop, table: str, row: str, values: Row, constraint: str) -> None:
    """The update is refused by that constraint, and the row stays as it was."""
    before = stored(shop, table, row)
    with refused(400, "23514") as caught:
        change(shop.venue.owner, table, as_json(values), id=row)
    assert f"{table}_{constraint}" in caught.value.message
    assert stored(shop, table, row) == before


def mail_about(shop: Shop, booking: Row) -> Row:
    """What any mail about the booking could say."""
    content: Any = shop.house.one(
        "select private.booking_content(%s, %s)", shop.id, shop.id_of(booking)
    )
    data: Row = content["data"]
    return data


def as_json(values: Row) -> Row:
    return {k: Jsonb(v) if isinstance(v, dict) else v for k, v in values.items()}


class TestRooms:
    def test_customers_see_what_a_room_says_of_itself(self, shop: Shop, room: str) -> None:
        shop.set_room(room, **as_json(TOLD))
        (shown,) = calendar_of(shop)["rooms"]
        assert {name: shown[name] for name in TOLD} == TOLD

    @pytest.mark.usefixtures("room")
    def test_what_is_not_said_is_shown_as_such(self, shop: Shop) -> None:
        (shown,) = calendar_of(shop)["rooms"]
        assert {shown[name] for name in ("theme", "color", "video_url", "minimum_age", "fear")} == {
            None
        }
        assert (shown["names"], shown["languages"], shown["tags"]) == ({}, [], [])
        assert (shown["is_accessible"], shown["has_actors"]) == (False, False)

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"names": {"fr": "La Crypte"}}, "names_are_given_by_language"),
            ({"names": {"en": " - "}}, "names_are_given_by_language"),
            ({"names": {"en": "see evil.example/x"}}, "names_are_given_by_language"),
            ({"names": {"en": "x" * 121}}, "names_are_given_by_language"),
            ({"descriptions": {"en": "x" * 5001}}, "descriptions_are_given_by_language"),
            ({"descriptions": {"en": ""}}, "descriptions_are_given_by_language"),
            ({"theme": "Horror"}, "theme_is_known"),
            ({"color": "red"}, "color_is_hexadecimal"),
            ({"color": "#ABCDEF"}, "color_is_hexadecimal"),
            ({"video_url": "http://video.example/x"}, "video_url_is_a_link"),
            ({"video_url": "http://localhost/x"}, "video_url_is_a_link"),
            ({"video_url": "https://localhost/x"}, "video_url_is_a_link"),
            ({"video_url": "https://127.0.0.1:8443/x?y"}, "video_url_is_a_link"),
            ({"video_url": "https://video.example/x?a=<b>"}, "video_url_is_a_link"),
            ({"video_url": "https://video.example/x?a=%zz"}, "video_url_is_a_link"),
            ({"video_url": "https://a@video.example/?x"}, "video_url_is_a_link"),
            ({"video_url": "https://video.example/x#t"}, "video_url_is_a_link"),
            ({"video_url": "https://video.example/?" + "x" * 500}, "video_url_is_a_link"),
            ({"minimum_age": -1}, "minimum_age_is_0_to_99"),
            ({"minimum_age": 100}, "minimum_age_is_0_to_99"),
            (
                {"minimum_age_accompanied": 8},
                "minimum_age_accompanied_is_at_most_the_age_alone",
            ),
            (
                {"minimum_age": 8, "minimum_age_accompanied": 9},
                "minimum_age_accompanied_is_at_most_the_age_alone",
            ),
            (
                {"minimum_age": 8, "minimum_age_accompanied": -1},
                "minimum_age_accompanied_is_at_most_the_age_alone",
            ),
            ({"fear": 6}, "fear_is_0_to_5"),
            ({"fear": -1}, "fear_is_0_to_5"),
            ({"physical_level": 6}, "physical_level_is_0_to_5"),
            ({"languages": ["ES"]}, "languages_are_codes"),
            ({"languages": ["spa"]}, "languages_are_codes"),
            ({"languages": ["es", "es"]}, "languages_are_codes"),
            ({"languages": ["es", None]}, "languages_are_codes"),
            ({"languages": [["es"], ["en"]]}, "languages_are_codes"),
            ({"languages": [f"{a}{b}" for a in "abc" for b in "abcdefg"]}, "languages_are_codes"),
            ({"tags": ["Miedo", "miedo"]}, "tags_are_names"),
            ({"tags": [""]}, "tags_are_names"),
            ({"tags": ["x" * 41]}, "tags_are_names"),
            ({"tags": ["Miedo", None]}, "tags_are_names"),
            ({"tags": [f"tag {n}" for n in range(21)]}, "tags_are_names"),
            ({"is_archived": True}, "archived_are_not_published"),
        ],
    )
    def test_what_is_none_of_it_is_refused(
        self, shop: Shop, room: str, values: Row, constraint: str
    ) -> None:
        refuses(shop, "rooms", room, values, constraint)

    def test_words_are_cleaned_before_they_are_judged(self, shop: Shop, room: str) -> None:
        shop.set_room(
            room, names=Jsonb({"en": " The\u00a0Crypt "}), tags=[" Miedo\u200b", "Premiada"]
        )
        (shown,) = calendar_of(shop)["rooms"]
        assert (shown["names"], shown["tags"]) == ({"en": "The Crypt"}, ["Miedo", "Premiada"])

    def test_a_customer_reads_its_name_in_their_language(self, shop: Shop, room: str) -> None:
        shop.set_room(room, names=Jsonb({"en": "The Crypt"}))
        quoted = shop.quote(room, shop.at(1, "10:00"), locale="en")
        assert quoted["lines"][0]["description"] == "The Crypt"
        held = shop.hold(room, shop.at(1, "10:00"), customer={**GUEST, "locale": "en"})
        assert held["room_name"] == shop.look(held)["room_name"] == "The Crypt"
        assert mail_about(shop, held)["room_name"] == "The Crypt"
        held = shop.hold(room, shop.at(1, "11:30"), customer={**GUEST, "locale": "ca"})
        assert held["room_name"] == "La Cripta"


#: Of a location.
PLACE = {
    "address": "Carrer Major 1",
    "postal_code": "17001",
    "city": "Girona",
    "province": "Girona",
    "phone": "+34 972 00 00 00",
    "latitude": 41.983333,
    "longitude": 2.816667,
    "arrival_hints": {"es": "Llamad al 2.º B.\nSed puntuales.", "en": "Ring at 2B."},
    "directions": {"es": "A cinco minutos de la estación."},
}


class TestLocations:
    def set(self, shop: Shop, **values: object) -> None:
        assert change(shop.venue.owner, "locations", as_json(values), id=shop.location_id) == 1

    def test_anybody_sees_how_to_get_there(self, shop: Shop, room: str) -> None:
        self.set(shop, **PLACE)
        shown = calendar_of(shop)
        assert shown["locations"] == [
            {
                "id": shop.location_id,
                "name": "Venue",
                "timezone": "Europe/Madrid",
                "address": "Carrer Major 1, 17001 Girona",
                **{k: PLACE[k] for k in ("phone", "latitude", "longitude", "directions")},
            }
        ]
        assert [(one["id"], one["location_id"]) for one in shown["rooms"]] == [
            (room, shop.location_id)
        ]

    def test_how_to_get_in_is_told_to_whoever_has_booked(self, shop: Shop, room: str) -> None:
        self.set(shop, **PLACE)
        held = shop.hold(room, shop.at(1, "10:00"), customer={**GUEST, "locale": "en"})
        told = {
            "phone": PLACE["phone"],
            "arrival_hints": "Ring at 2B.",
            "directions": "A cinco minutos de la estación.",
            "latitude": PLACE["latitude"],
            "longitude": PLACE["longitude"],
        }
        assert told.items() <= shop.look(held)["location"].items()
        mail = mail_about(shop, held)
        assert told.items() <= mail.items()
        # One event says one place, whether it came by the mail or by the link.
        seen = shop.look(held)["location"]
        assert seen["line"] == mail["place"] == f"{seen['name']}, Carrer Major 1, 17001 Girona"
        assert "2B" not in str(calendar_of(shop))

    def test_without_a_phone_of_its_own_it_is_reached_by_the_organization_s(
        self, shop: Shop, room: str
    ) -> None:
        held = shop.hold(room, shop.at(1, "10:00"))
        assert shop.look(held)["location"]["phone"] is None
        change(shop.venue.owner, "organizations", {"phone": "900 000 000"}, id=shop.id)
        assert shop.look(held)["location"]["phone"] == "900 000 000"
        assert [place["phone"] for place in calendar_of(shop)["locations"]] == ["900 000 000"]

    def test_a_place_without_a_room_on_sale_is_not_shown(self, shop: Shop, room: str) -> None:
        shop.insert("locations", name="Elsewhere", timezone="Europe/Madrid")
        assert [place["name"] for place in calendar_of(shop)["locations"]] == ["Venue"]
        shop.set_room(room, is_published=False)
        assert calendar_of(shop)["locations"] == []

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"phone": ""}, "phone_can_be_called"),
            ({"phone": "call me"}, "phone_can_be_called"),
            ({"phone": "1" * 41}, "phone_can_be_called"),
            ({"phone": "600 000\n000"}, "phone_can_be_called"),
            ({"phone": "<b>600</b>"}, "phone_can_be_called"),
            ({"phone": "600 evil.com"}, "phone_can_be_called"),
            ({"phone": "https://evil.test/600"}, "phone_can_be_called"),
            ({"province": "x" * 121}, "province_is_a_line"),
            ({"latitude": 90.000001, "longitude": 0}, "latitude_is_in_degrees"),
            ({"latitude": -90.000001, "longitude": 0}, "latitude_is_in_degrees"),
            ({"latitude": "NaN", "longitude": 0}, "latitude_is_in_degrees"),
            ({"latitude": 0, "longitude": 180.000001}, "longitude_is_in_degrees"),
            ({"latitude": 0, "longitude": -180.000001}, "longitude_is_in_degrees"),
            ({"latitude": 0}, "are_on_the_map_or_not"),
            ({"longitude": 0}, "are_on_the_map_or_not"),
            ({"arrival_hints": {"en": "x" * 1001}}, "arrival_hints_are_given_by_language"),
            ({"arrival_hints": {"fr": "x"}}, "arrival_hints_are_given_by_language"),
            ({"directions": {"en": "x" * 2001}}, "directions_are_given_by_language"),
            ({"directions": {"en": ["x"]}}, "directions_are_given_by_language"),
        ],
    )
    def test_what_is_none_of_it_is_refused(self, shop: Shop, values: Row, constraint: str) -> None:
        refuses(shop, "locations", shop.location_id, values, constraint)


class TestOrganizations:
    @pytest.fixture
    def told(self, shop: Shop) -> Row:
        return {
            "logo_path": f"{shop.id}/logo.webp",
            "website": "https://casa.example/es",
            "contact_email": "hola@casa.example",
            "phone": "+34 910 000 000",
            "descriptions": {"es": "Salas de escape en un sótano."},
            "business_type": "escape_room",
        }

    def test_visitors_see_whom_they_book_with(self, shop: Shop, told: Row) -> None:
        paperwork = {"legal_name": "Casa Laberinto, S.L.", "tax_id": "B-12345678"}
        admin = shop.venue.hire("admin", "admin")
        assert change(admin, "organizations", as_json({**told, **paperwork}), id=shop.id) == 1
        shown = calendar_of(shop)
        assert shown["venue"] == told
        assert "B-12345678" not in str(shown)

    @pytest.mark.parametrize("role", ["manager", "receptionist", "game_master"])
    def test_who_runs_the_rooms_does_not_change_it(self, shop: Shop, told: Row, role: str) -> None:
        person = shop.venue.hire("person", role)
        assert change(person, "organizations", as_json(told), id=shop.id) == 0
        assert calendar_of(shop)["venue"]["phone"] is None

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"legal_name": " "}, "legal_name_is_a_name"),
            ({"legal_name": "x" * 201}, "legal_name_is_a_name"),
            ({"tax_id": "b12345678"}, "tax_id_is_one"),
            ({"tax_id": "B1"}, "tax_id_is_one"),
            ({"tax_id": "B" * 31}, "tax_id_is_one"),
            ({"tax_id": "B-1234567-"}, "tax_id_is_one"),
            ({"logo_path": "logo.png"}, "logo_path_is_in_own_folder"),
            ({"logo_path": "https://casa.example/logo.png"}, "logo_path_is_in_own_folder"),
            ({"website": "casa.example"}, "website_is_a_page"),
            ({"website": "http://casa.example"}, "website_is_a_page"),
            ({"website": "javascript:alert(1)"}, "website_is_a_page"),
            ({"contact_email": "hola@casa"}, "contact_email_is_an_address"),
            ({"contact_email": "Hola@casa.example"}, "contact_email_is_an_address"),
            ({"phone": "none"}, "phone_can_be_called"),
            ({"descriptions": {"es": "x" * 2001}}, "descriptions_are_given_by_language"),
            ({"business_type": "bank"}, "business_type_is_known"),
        ],
    )
    def test_what_is_none_of_it_is_refused(self, shop: Shop, values: Row, constraint: str) -> None:
        refuses(shop, "organizations", shop.id, values, constraint)

    def test_the_logo_is_in_its_own_folder_without_steps_out_of_it(self, shop: Shop) -> None:
        for path in (f"{shop.id}/../x.png", f"{shop.id}//x.png", f"{shop.location_id}/logo.png"):
            values: Row = {"logo_path": path}
            refuses(shop, "organizations", shop.id, values, "logo_path_is_in_own_folder")


class TestArchivedRooms:
    @pytest.fixture
    def booked(self, shop: Shop, room: str) -> Row:
        """A booking made before its room was archived."""
        held = shop.hold(room, shop.at(1, "10:00"))
        shop.pay(held, held["total_cents"])
        shop.move(held, "confirmed")
        shop.set_room(room, is_archived=True, is_published=False)
        return held

    @pytest.fixture
    def other(self, shop: Shop) -> str:
        other = shop.add_room()
        shop.open_on(other, "10:00", "22:00")
        return other

    @pytest.mark.usefixtures("booked")
    def test_customers_find_it_nowhere(self, shop: Shop, room: str, other: str) -> None:
        assert [shown["id"] for shown in calendar_of(shop)["rooms"]] == [other]
        assert {str(slot["room_id"]) for slot in shop.available()} == {other}
        noon = shop.at(1, "13:00")
        for ask in (
            lambda: shop.available(room_id=room),
            lambda: shop.quote(room, noon),
            lambda: shop.hold(room, noon),
            lambda: shop.visitor.call(
                "join_waitlist",
                slug=shop.slug,
                room_id=room,
                from_date=shop.today + timedelta(1),
                to_date=shop.today + timedelta(1),
                party_size=2,
                customer=GUEST,
                idempotency_key="archived-room",
            ),
        ):
            change(shop.venue.owner, "calendars", {"waitlist_minutes": 30}, id=shop.calendar_id)
            with refused(404, "room_not_found"):
                ask()

    @pytest.mark.usefixtures("booked")
    def test_staff_book_nothing_in_it(self, shop: Shop, room: str) -> None:
        count = shop.venue.count("bookings")
        with refused(404, "room_not_found"):
            self.book(shop, room)
        assert shop.venue.count("bookings") == count

    def test_nor_move_anything_there(self, shop: Shop, room: str, other: str, booked: Row) -> None:
        elsewhere = shop.hold(other, shop.at(1, "10:00"))
        with refused(404, "room_not_found"):
            self.change(shop, elsewhere, room_id=room)
        with refused(404, "room_not_found"):
            self.change(shop, booked, starts_at=shop.at(1, "13:00"))

    def test_its_bookings_stay_and_are_run(self, shop: Shop, room: str, booked: Row) -> None:
        assert shop.look(booked)["status"] == "confirmed"
        assert self.change(shop, booked, party_size=3)["party_size"] == 3
        board = shop.venue.owner.call(
            "get_board", organization_id=shop.id, date=shop.today + timedelta(1)
        )
        assert [len(shown["sessions"]) for shown in self.shown_on(board, room)] == [1]
        shop.move(booked, "checked_in")
        shop.move(booked, "in_progress")

    @pytest.mark.usefixtures("booked")
    def test_the_board_leaves_it_out_where_nothing_is_booked(
        self, shop: Shop, room: str, other: str
    ) -> None:
        board = shop.venue.owner.call(
            "get_board", organization_id=shop.id, date=shop.today + timedelta(2)
        )
        assert self.shown_on(board, room) == []
        assert len(self.shown_on(board, other)) == 1

    @pytest.mark.usefixtures("booked")
    def test_it_can_come_back(self, shop: Shop, room: str) -> None:
        shop.set_room(room, is_archived=False)
        assert self.book(shop, room)["room_id"] == room
        assert calendar_of(shop)["rooms"] == []
        shop.set_room(room, is_published=True)
        assert [shown["id"] for shown in calendar_of(shop)["rooms"]] == [room]

    @staticmethod
    def shown_on(board: Row, room: str) -> list[Row]:
        return [
            shown for place in board["locations"] for shown in place["rooms"] if shown["id"] == room
        ]

    @staticmethod
    def book(shop: Shop, room: str) -> Row:
        made: Row = shop.venue.owner.call(
            "create_booking",
            organization_id=shop.id,
            room_id=room,
            starts_at=shop.at(2, "13:00"),
            party_size=2,
            customer=GUEST,
            idempotency_key="at-the-desk",
        )
        return made

    @staticmethod
    def change(shop: Shop, booking: Row, **values: Any) -> Row:
        changed: Row = shop.venue.owner.call(
            "change_booking",
            organization_id=shop.id,
            booking_id=shop.id_of(booking),
            idempotency_key=f"change-{sorted(values)}",
            **values,
        )
        return changed


class TestProfiles:
    def test_a_person_says_how_to_reach_them_and_how_screens_look(self, shop: Shop) -> None:
        person = shop.venue.hire("person", "game_master")
        told = {
            "phone": "600 000 000",
            "preferences": {
                "theme": "dark",
                "view": "week",
                "week_starts_on": 7,
                "hour_format": "12",
                "sounds": False,
            },
        }
        assert change(person, "profiles", as_json(told), user_id=person.id) == 1
        (seen,) = shop.venue.owner.select(
            "select phone, preferences from public.profiles where user_id = %s",
            person.id,
        )
        assert seen == told

    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"phone": "ask"}, "phone_can_be_called"),
            ({"preferences": Jsonb([])}, "preferences_are_known"),
            ({"preferences": {"colour": "red"}}, "preferences_are_known"),
            ({"preferences": {"theme": "blue"}}, "preferences_are_known"),
            ({"preferences": {"theme": None}}, "preferences_are_known"),
            ({"preferences": {"view": "year"}}, "preferences_are_known"),
            ({"preferences": {"week_starts_on": 2}}, "preferences_are_known"),
            ({"preferences": {"week_starts_on": "1"}}, "preferences_are_known"),
            ({"preferences": {"hour_format": 24}}, "preferences_are_known"),
            ({"preferences": {"sounds": "yes"}}, "preferences_are_known"),
        ],
    )
    def test_what_is_none_of_it_is_refused(self, shop: Shop, values: Row, constraint: str) -> None:
        person = shop.venue.hire("person", "game_master")
        with refused(400, "23514") as caught:
            change(person, "profiles", as_json(values), user_id=person.id)
        assert f"profiles_{constraint}" in caught.value.message


class TestDependents:
    """What deleting or archiving would touch is answered before."""

    @staticmethod
    def of(shop: Shop, kind: str, row: object) -> Row:
        answer: Row = shop.venue.owner.call(
            f"get_{kind}_dependents", organization_id=shop.id, **{f"{kind}_id": row}
        )
        return answer

    @staticmethod
    def rows(answer: Row) -> dict[str, tuple[int, str]]:
        return {d["table_name"]: (d["rows"], d["on_delete"]) for d in answer["dependents"]}

    def test_a_room_that_was_never_booked_can_go(self, shop: Shop, room: str) -> None:
        answer = self.of(shop, "room", room)
        assert answer["can_be_deleted"] is True
        assert (answer["bookings_to_come"], answer["first_starts_at"]) == (0, None)
        assert self.rows(answer) == {"calendar_rooms": (1, "deleted"), "schedules": (7, "deleted")}
        assert shop.venue.owner.change("delete from public.rooms where id = %s", room) == 1

    def test_one_that_was_booked_cannot(self, shop: Shop, room: str) -> None:
        extra = shop.add_extra()
        first = shop.book(room, shop.at(1, "10:00"), extras=[{"extra_id": extra, "quantity": 1}])
        last = shop.hold(room, shop.at(3, "10:00"))
        lapsed = shop.hold(room, shop.at(5, "10:00"))
        shop.lapse(lapsed)
        shop.cancel(shop.hold(room, shop.at(6, "10:00")))
        for kind, row in (
            ("room", room),
            ("location", shop.location_id),
            ("calendar", shop.calendar_id),
        ):
            answer = self.of(shop, kind, row)
            assert answer["bookings_to_come"] == 2, kind
            assert answer["first_starts_at"] == shop.starts_at(first).isoformat()
            assert answer["last_starts_at"] == shop.starts_at(last).isoformat()
            table = f"{kind}s"
            delete = f"delete from public.{table} where id = %s"
            if answer["can_be_deleted"]:
                assert shop.venue.owner.change(delete, row) == 1
            else:
                with refused(409, "23503"):
                    shop.venue.owner.change(delete, row)
        answer = self.of(shop, "extra", extra)
        assert answer["bookings_to_come"] == 1
        assert self.rows(answer)["booking_extras"][0] == 1

    def test_what_is_not_there_is_not_found(self, shop: Shop, house: House) -> None:
        other = open_shop(house, "Other")
        for kind, row in (
            ("room", other.add_room()),
            ("location", other.location_id),
            ("calendar", other.calendar_id),
            ("extra", other.add_extra()),
        ):
            with refused(404, f"{kind}_not_found"):
                self.of(shop, kind, row)
