"""What a venue offers: who may change it, and what cannot be stored."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from client import Client
from db.booking_world import Row, Shop, change, insert, open_shop
from matrix.house import House
from matrix.promises import refused

OTHER_HOURS = {"is_closed": False, "opens_at": "10:00", "closes_at": "11:00"}
ROOM = {"slug": "new", "name": "New", "price_cents": 1_000}


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


@pytest.fixture
def room(shop: Shop) -> str:
    return shop.add_room()


@pytest.fixture
def stranger(house: House) -> Shop:
    other = open_shop(house, "Other")
    other.add_room()
    return other


def rows_of(shop: Shop, room: str) -> dict[str, Row]:
    """One good row for each table of the catalogue."""
    return {
        "locations": {"name": "Second", "timezone": "Europe/Madrid"},
        "rooms": {**ROOM, "location_id": shop.location_id},
        "room_cancellation_tiers": {"room_id": room, "hours_before": 48, "refund_percent": 50},
        "room_images": {"room_id": room, "path": f"{shop.id}/rooms/crypt.webp"},
        "schedules": {"room_id": room, "weekday": 1, "opens_at": "10:00", "closes_at": "20:00"},
        "schedule_exceptions": {"room_id": room, "date": "2027-01-06", "is_closed": True},
        "calendars": {"slug": f"{shop.slug}-2", "name": "Second"},
        "calendar_rooms": {"calendar_id": second_calendar(shop), "room_id": room},
        "calendar_blocked_dates": {
            "calendar_id": shop.calendar_id,
            "from_date": "2027-01-06",
            "to_date": "2027-01-08",
        },
        "calendar_fields": {
            "calendar_id": shop.calendar_id,
            "key": "team",
            "label": '{"es": "Equipo"}',
        },
        "start_groups": {"name": "Lobby", "minutes": 10},
    }


def second_calendar(shop: Shop) -> str:
    return str(shop.insert("calendars", slug=f"{shop.slug}-3", name="Third")["id"])


TABLES = (
    "locations",
    "rooms",
    "room_cancellation_tiers",
    "room_images",
    "schedules",
    "schedule_exceptions",
    "calendars",
    "calendar_rooms",
    "calendar_blocked_dates",
    "calendar_fields",
    "start_groups",
)

#: A change that a member with the permission may make.
CHANGES: dict[str, Row] = {
    "locations": {"city": "Girona"},
    "rooms": {"price_cents": 1},
    "room_cancellation_tiers": {"refund_percent": 10},
    "room_images": {"position": 2, "alt": '{"ca": "La cripta"}'},
    "schedules": {"closes_at": "21:00"},
    "schedule_exceptions": {"reason": "Holiday"},
    "calendars": {"hold_minutes": 20},
    "calendar_rooms": {"position": 3, "minimum_notice_minutes": 30, "maximum_advance_days": 9},
    "calendar_blocked_dates": {"reason": "Holiday"},
    "calendar_fields": {"required": True},
    "start_groups": {"minutes": 20},
}


class TestWhoMayChangeIt:
    @pytest.mark.parametrize("role", ["admin", "manager"])
    @pytest.mark.parametrize("table", TABLES)
    def test_those_who_run_the_venue(self, shop: Shop, room: str, table: str, role: str) -> None:
        person = shop.venue.hire("person", role)
        made = insert(person, table, **rows_of(shop, room)[table])
        assert str(made["organization_id"]) == shop.id
        key = {"room_id": made["room_id"]} if table == "calendar_rooms" else {"id": made["id"]}
        assert change(person, table, CHANGES[table], **key)
        column, value = next(iter(key.items()))
        assert person.change(f"delete from public.{table} where {column} = %s", value)

    @pytest.mark.parametrize("role", ["receptionist", "game_master"])
    @pytest.mark.parametrize("table", TABLES)
    def test_others_read(self, shop: Shop, room: str, table: str, role: str) -> None:
        row = rows_of(shop, room)[table]
        shop.insert(table, **row)
        person = shop.venue.hire("person", role)
        assert person.select(f"select * from public.{table}")
        with refused(403, "42501"):
            insert(person, table, **row)
        assert change(person, table, CHANGES[table], organization_id=shop.id) == 0
        assert person.change(f"delete from public.{table}") == 0

    @pytest.mark.parametrize("table", TABLES)
    def test_another_venue_sees_and_changes_nothing(
        self, shop: Shop, room: str, stranger: Shop, table: str
    ) -> None:
        row = rows_of(shop, room)[table]
        shop.insert(table, **row)
        count = shop.venue.count(table)
        for intruder in (stranger.venue.owner, stranger.venue.owner.at(shop.id)):
            seen = intruder.select(
                f"select count(*) as n from public.{table} where organization_id = %s", shop.id
            )
            assert seen == [{"n": 0}]
            assert change(intruder, table, CHANGES[table], organization_id=shop.id) == 0
            delete = f"delete from public.{table} where organization_id = %s"
            assert intruder.change(delete, shop.id) == 0
            with refused(403, "42501"):
                insert(intruder, table, organization_id=shop.id, **row)
        assert shop.venue.count(table) == count

    @pytest.mark.parametrize("table", TABLES)
    def test_nobody_moves_a_row_to_another_venue(
        self, shop: Shop, room: str, stranger: Shop, table: str
    ) -> None:
        shop.insert(table, **rows_of(shop, room)[table])
        with refused(403, "42501"):
            change(
                shop.venue.owner, table, {"organization_id": stranger.id}, organization_id=shop.id
            )

    @pytest.mark.parametrize("table", TABLES)
    def test_visitors_have_no_table(self, shop: Shop, table: str) -> None:
        with refused(401, "42501"):
            shop.visitor.select(f"select * from public.{table}")


class TestForeignRowsCannotBeReferredTo:
    @pytest.fixture
    def foreign(self, stranger: Shop) -> Row:
        (room,) = stranger.venue.owner.select("select id from public.rooms")
        return {
            "room_id": room["id"],
            "location_id": stranger.location_id,
            "calendar_id": stranger.calendar_id,
        }

    @pytest.mark.parametrize(
        ("table", "column"),
        [
            ("rooms", "location_id"),
            ("room_cancellation_tiers", "room_id"),
            ("room_images", "room_id"),
            ("schedules", "room_id"),
            ("schedule_exceptions", "room_id"),
            ("calendar_rooms", "room_id"),
            ("calendar_rooms", "calendar_id"),
            ("calendar_blocked_dates", "calendar_id"),
            ("calendar_fields", "calendar_id"),
        ],
    )
    def test_by(self, shop: Shop, room: str, foreign: Row, table: str, column: str) -> None:
        row = rows_of(shop, room)[table]
        answers = set()
        for value in (foreign[column], uuid4()):
            with refused(409, "23503") as caught:
                shop.insert(table, **{**row, column: value})
            answers.add(caught.value.message)
        # A row of somebody else's and one of nobody's answer alike.
        assert len(answers) == 1

    def test_by_an_exception_of_a_location(self, shop: Shop, foreign: Row) -> None:
        with refused(409, "23503"):
            shop.insert(
                "schedule_exceptions",
                location_id=foreign["location_id"],
                date="2027-01-06",
                is_closed=True,
            )


class TestWhatCannotBeStored:
    @pytest.mark.parametrize(
        ("table", "values", "constraint"),
        [
            ("locations", {"timezone": "CET"}, "locations_timezone_is_iana"),
            ("locations", {"timezone": "Europe/Atlantis"}, "locations_timezone_is_iana"),
            ("locations", {"country": "ESP"}, "locations_country_is_iso_3166"),
            ("locations", {"name": " "}, "locations_name_is_a_name"),
            ("rooms", {"slug": "No Slug"}, "rooms_slug_is_a_slug"),
            ("rooms", {"minimum_party": 0}, "rooms_party_is_1_to_100"),
            ("rooms", {"minimum_party": 7}, "rooms_party_is_1_to_100"),
            ("rooms", {"maximum_party": 101}, "rooms_party_is_1_to_100"),
            ("rooms", {"duration_minutes": 0}, "rooms_duration_is_5_minutes_to_a_day"),
            ("rooms", {"turnaround_minutes": -1}, "rooms_turnaround_is_at_most_a_day"),
            ("rooms", {"mode": "secret"}, "rooms_mode_is_known"),
            ("rooms", {"price_per": "hour"}, "rooms_price_per_is_known"),
            ("rooms", {"price_cents": -1}, "rooms_price_is_0_to_1_million"),
            ("rooms", {"tax_rate_bp": 10_001}, "rooms_tax_rate_is_a_share"),
            ("rooms", {"difficulty": 6}, "rooms_difficulty_is_1_to_5"),
            ("room_images", {"path": "other/rooms/a.png"}, "room_images_path_is_in_own_folder"),
            ("room_images", {"alt": '{"xx": "?"}'}, "room_images_alt_is_given_by_language"),
            (
                "room_cancellation_tiers",
                {"refund_percent": 101},
                "room_cancellation_tiers_percent_is_a_share",
            ),
            (
                "room_cancellation_tiers",
                {"hours_before": -1},
                "room_cancellation_tiers_hours_are_within_a_year",
            ),
            ("schedules", {"weekday": 0}, "schedules_weekday_is_iso"),
            ("schedules", {"weekday": 8}, "schedules_weekday_is_iso"),
            (
                "schedules",
                {"slot_interval_minutes": 4},
                "schedules_slot_interval_is_5_minutes_to_a_day",
            ),
            (
                "schedule_exceptions",
                {"is_closed": False},
                "schedule_exceptions_has_hours_unless_closed",
            ),
            (
                "schedule_exceptions",
                {"opens_at": "10:00", "closes_at": "11:00"},
                "schedule_exceptions_has_hours_unless_closed",
            ),
            (
                "schedule_exceptions",
                {"room_id": None},
                "schedule_exceptions_is_for_a_location_or_a_room",
            ),
            ("schedule_exceptions", {"date": "infinity"}, "schedule_exceptions_date_is_finite"),
            *(
                ("schedules", {"start_times": times}, "schedules_start_times_are_in_the_window")
                for times in (
                    [],
                    ["09:59"],
                    ["20:00"],
                    ["12:00", "12:00"],
                    ["12:00", None],
                    [["12:00"], ["13:00"]],
                    ["24:00"],
                )
            ),
            (
                "schedules",
                {"start_times": ["12:00"], "opens_at": "20:00", "closes_at": "04:00"},
                "schedules_start_times_are_in_the_window",
            ),
            (
                "schedules",
                {"start_times": ["12:00"], "slot_interval_minutes": 60},
                "schedules_start_times_replace_the_interval",
            ),
            (
                "schedule_exceptions",
                {"start_times": ["12:00"]},
                "schedule_exceptions_start_times_are_in_the_window",
            ),
            (
                "schedule_exceptions",
                {**OTHER_HOURS, "start_times": ["12:00"]},
                "schedule_exceptions_start_times_are_in_the_window",
            ),
            (
                "schedule_exceptions",
                {**OTHER_HOURS, "start_times": ["10:30"], "slot_interval_minutes": 60},
                "schedule_exceptions_start_times_replace_the_interval",
            ),
            (
                "calendar_rooms",
                {"minimum_notice_minutes": -1},
                "calendar_rooms_minimum_notice_is_at_most_90_days",
            ),
            (
                "calendar_rooms",
                {"maximum_advance_days": 731},
                "calendar_rooms_maximum_advance_is_1_day_to_2_years",
            ),
            *(
                (
                    "calendar_blocked_dates",
                    dates,
                    "calendar_blocked_dates_are_ordered_from_2000_to_2199",
                )
                for dates in (
                    {"to_date": "2027-01-05"},
                    {"from_date": "-infinity"},
                    {"to_date": "infinity"},
                )
            ),
            (
                "calendar_blocked_dates",
                {"reason": "x" * 501},
                "calendar_blocked_dates_reason_is_a_text",
            ),
            ("calendars", {"slug": "-"}, "calendars_slug_is_a_slug"),
            ("calendars", {"locales": ["fr"]}, "calendars_locales_are_supported"),
            ("calendars", {"locales": []}, "calendars_locales_are_supported"),
            ("calendars", {"hold_minutes": 1}, "calendars_hold_is_5_minutes_to_2_hours"),
            (
                "calendars",
                {"maximum_advance_days": 731},
                "calendars_maximum_advance_is_1_day_to_2_years",
            ),
            (
                "calendars",
                {"minimum_notice_minutes": -1},
                "calendars_minimum_notice_is_at_most_90_days",
            ),
        ],
    )
    def test_the_constraint_says_why(
        self, shop: Shop, room: str, table: str, values: dict[str, Any], constraint: str
    ) -> None:
        with refused(400, "23514") as caught:
            shop.insert(table, **{**rows_of(shop, room)[table], **values})
        assert constraint in caught.value.message

    @pytest.mark.parametrize(
        "url",
        [
            "https://casa.example",
            "https://casa.example/",
            "https://www.xn--laberinto-p7a.example:8443/es/reservas/~a;b=1",
            "https://casa.cat/reserves",
            "https://casa.xn--p1ai:8443/",
            "https://venue.test/",
            "http://localhost:3000/book",
            "http://127.0.0.1:54321/demo/",
            "https://casa.example:65535/.well-known/a..b/%C3%B1/",
            None,
        ],
    )
    def test_a_venue_s_page_is_an_address_that_a_link_can_lead_to(
        self, shop: Shop, url: str | None
    ) -> None:
        shop.set_calendar(site_url=url)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "casa.example",
            "//casa.example",
            "http://casa.example",
            "http://localhost.evil.example",
            "ftp://casa.example",
            "javascript:alert(1)",
            "https://",
            "https://casa",
            "https://Casa.example",
            "https://ñu.example",
            "https://-casa.example",
            "https://casa..example",
            "https://casa.example:port",
            "https://ana:secret@casa.example",
            "https://casa.example@evil.example",
            "https://casa.example\\@evil.example",
            "https://casa.example?lang=es",
            "https://xn--a.test/",
            "https://casa.example/#top",
            "https://casa.example/a b",
            'https://casa.example/"><b>',
            "https://casa.example/\n",
            "https://casa.example/\n.evil.example",
            "https://casa.example/" + "x" * 500,
            "https://casa.example//a",
            "https://casa.example/a//b",
            "https://casa.example/a//",
            "https://casa.example/../a",
            "https://casa.example/a/..",
            "https://casa.example/./a",
            "https://casa.example/a/%2E%2e/b",
            "https://casa.example/.%2e/b",
            "https://casa.example/%zz",
            "https://casa.example:65536/",
            "https://casa.example:0/",
            "http://localhost//a",
            "https://127.1/",
            "https://0x7f.1/",
            "https://10.0.0.1/",
            "https://10.0.0.0xa/",
            "https://casa.local/",
            "https://casa.localhost/",
            "https://casa.xn--a/",
            "https://casa.xn--99999999999/",
            "https://casa.example/%00",
            "https://casa.example/a%0D%0Ab",
            "https://casa.example/%7f",
            "https://casa.example/%2F%2Fevil.example",
            "https://casa.example/%5Cevil.example",
        ],
    )
    def test_and_nothing_else(self, shop: Shop, url: str) -> None:
        with refused(400, "23514") as caught:
            shop.set_calendar(site_url=url)
        assert "calendars_site_url_is_a_page" in caught.value.message

    def test_the_image_is_in_the_venues_own_folder(self, shop: Shop, room: str) -> None:
        shop.insert("room_images", room_id=room, path=f"{shop.id}/rooms/crypt.webp")

    @pytest.mark.parametrize(
        ("table", "same"),
        [
            ("rooms", {"slug": "new"}),
            ("schedules", {"weekday": 1, "opens_at": "10:00"}),
            ("schedule_exceptions", {"date": "2027-01-06"}),
            ("room_cancellation_tiers", {"hours_before": 48}),
            ("room_images", {}),
            ("calendar_blocked_dates", {"from_date": "2027-01-06", "to_date": "2027-01-08"}),
            ("calendar_fields", {"key": "team"}),
        ],
    )
    def test_the_same_twice(self, shop: Shop, room: str, table: str, same: Row) -> None:
        row = rows_of(shop, room)[table]
        assert same.items() <= row.items()
        shop.insert(table, **row)
        with refused(409, "23505"):
            shop.insert(table, **row)

    def test_a_public_address_belongs_to_one_calendar_of_the_platform(
        self, shop: Shop, stranger: Shop
    ) -> None:
        with refused(409, "23505"):
            stranger.insert("calendars", slug=shop.slug, name="Mine")

    def test_two_venues_may_name_their_rooms_alike(self, shop: Shop, stranger: Shop) -> None:
        for each in (shop, stranger):
            each.add_room(slug="the-crypt")


class TestDeleting:
    def test_a_room_that_was_never_booked_takes_its_hours_along(
        self, shop: Shop, room: str
    ) -> None:
        shop.open_on(room, "10:00", "11:00")
        assert shop.venue.owner.change("delete from public.rooms where id = %s", room) == 1
        assert shop.venue.count("schedules") == shop.venue.count("calendar_rooms") == 0

    def test_a_room_that_was_booked_stays(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "11:00")
        shop.hold(room, shop.at(3, "10:00"))
        with refused(409, "23503"):
            shop.venue.owner.change("delete from public.rooms where id = %s", room)

    def test_a_calendar_may_go_and_its_bookings_stay(self, shop: Shop, room: str) -> None:
        shop.open_on(room, "10:00", "11:00")
        shop.hold(room, shop.at(3, "10:00"))
        assert shop.venue.owner.change("delete from public.calendars") == 1
        (booking,) = shop.venue.owner.select("select calendar_id from public.bookings")
        assert booking["calendar_id"] is None


class TestRoomImages:
    """Storage asks with the caller's own rights: whoever may not write the row may not upload."""

    def upload(self, client: Client, name: str) -> int:
        return client.change(
            "insert into storage.objects (bucket_id, name) values ('room-images', %s)", name
        )

    def test_who_may_change_rooms_writes_to_the_venues_folder(self, shop: Shop) -> None:
        mia = shop.venue.hire("mia", "manager")
        name = f"{shop.id}/rooms/a.png"
        assert self.upload(mia, name) == 1
        for statement in (
            "update storage.objects set name = name where bucket_id = 'room-images'",
            "delete from storage.objects where bucket_id = 'room-images'",
        ):
            with shop.house.connection.transaction(force_rollback=True):
                assert mia.change(statement) <= 1

    @pytest.mark.parametrize("role", ["receptionist", "game_master"])
    def test_others_do_not(self, shop: Shop, role: str) -> None:
        with refused(403, "42501"):
            self.upload(shop.venue.hire("person", role), f"{shop.id}/rooms/a.png")

    @pytest.mark.parametrize("folder", ["{other}", "", "not-a-uuid", "{own}x"])
    def test_nobody_writes_elsewhere(self, shop: Shop, stranger: Shop, folder: str) -> None:
        path = folder.format(other=stranger.id, own=shop.id)
        with refused(403, "42501"):
            self.upload(shop.venue.owner, f"{path}/rooms/a.png")

    def test_images_of_others_are_neither_listed_nor_changed(
        self, shop: Shop, stranger: Shop
    ) -> None:
        self.upload(shop.venue.owner, f"{shop.id}/rooms/a.png")
        assert len(shop.venue.owner.select("select name from storage.objects")) == 1
        assert stranger.venue.owner.select("select name from storage.objects") == []
        stolen = f"{stranger.id}/rooms/a.png"
        assert stranger.venue.owner.change("update storage.objects set name = %s", stolen) == 0
        with refused(403, "42501"):
            shop.venue.owner.change("update storage.objects set name = %s", stolen)

    def test_the_bucket_is_public_and_limited(self, house: House) -> None:
        (bucket,) = house.owner_sql(
            "select public, file_size_limit, allowed_mime_types from storage.buckets"
            " where id = 'room-images'"
        )
        assert bucket["public"] is True
        assert bucket["file_size_limit"] == 5 * 1024 * 1024
        assert all(kind.startswith("image/") for kind in bucket["allowed_mime_types"])


class TestGetCalendar:
    def test_a_visitor_sees_the_published_part(self, shop: Shop) -> None:
        first = shop.add_room(name="B", difficulty=4, description="Dark")
        shop.add_room(is_published=False)
        seen = shop.visitor.call("get_calendar", slug=shop.slug)
        (room,) = seen.pop("rooms")
        assert datetime.fromisoformat(seen.pop("now")).tzinfo
        assert seen.pop("venue").keys() == {
            "descriptions",
            "business_type",
            "website",
            "contact_email",
            "phone",
            "logo_path",
        }
        (place,) = seen.pop("locations")
        assert (place["id"], place["timezone"]) == (room["location_id"], "Europe/Madrid")
        assert place.keys() == {
            "id",
            "name",
            "timezone",
            "address",
            "phone",
            "latitude",
            "longitude",
            "directions",
        }
        assert seen == {
            "slug": shop.slug,
            "name": "Venue",
            "organization": {"name": "Venue", "slug": shop.venue.slug},
            "timezone": "Europe/Madrid",
            "locale": "es",
            "locales": ["es", "en", "ca"],
            "currency": "EUR",
            "minimum_notice_minutes": 60,
            "maximum_advance_days": 365,
            "hold_minutes": 15,
            "has_coupons": False,
            "has_vouchers": False,
            "flow": "room_first",
            "theme": "auto",
            "accent_color": None,
            "terms": {},
            "fee": {"kind": "none", "value": 0},
            "waitlist": False,
            "shows_taken_times": False,
            "fields": [],
            "descriptions": {},
        }
        assert (room["id"], room["description"], room["difficulty"]) == (first, "Dark", 4)
        assert set(room) == {
            "id",
            "name",
            "slug",
            "description",
            "minimum_party",
            "maximum_party",
            "capacity",
            "duration_minutes",
            "minimum_notice_minutes",
            "maximum_advance_days",
            "mode",
            "price_per",
            "price_cents",
            "exclusive_price_cents",
            "deposit",
            "cancellation",
            "waiver_policy",
            "difficulty",
            "images",
            "extras",
            "location_name",
            "timezone",
            "names",
            "descriptions",
            "theme",
            "color",
            "video_url",
            "minimum_age",
            "minimum_age_accompanied",
            "fear",
            "physical_level",
            "languages",
            "is_accessible",
            "has_actors",
            "tags",
            "location_id",
        }

    def test_a_room_s_pictures_in_their_order(self, shop: Shop, room: str) -> None:
        other = shop.add_room()
        alt = {"es": "La cripta", "en": "The crypt"}
        for name, position in (("last", 2), ("first", 0), ("second", 1), ("third", 1)):
            path = f"{shop.id}/rooms/{name}.webp"
            words = Jsonb(alt if name == "first" else {})
            shop.insert("room_images", room_id=room, path=path, position=position, alt=words)
        shop.insert("room_images", room_id=other, path=f"{shop.id}/rooms/other.webp")

        rooms = {
            one["id"]: one for one in shop.visitor.call("get_calendar", slug=shop.slug)["rooms"]
        }
        assert [one["path"].rsplit("/", 1)[1] for one in rooms[room]["images"]] == [
            "first.webp",
            "second.webp",
            "third.webp",
            "last.webp",
        ]
        assert [one["alt"] for one in rooms[room]["images"]] == [alt, {}, {}, {}]
        assert [one["path"] for one in rooms[other]["images"]] == [f"{shop.id}/rooms/other.webp"]

    def test_a_deleted_picture_is_shown_no_more_and_its_file_stays(
        self, shop: Shop, room: str
    ) -> None:
        path = f"{shop.id}/rooms/crypt.webp"
        shop.venue.owner.change(
            "insert into storage.objects (bucket_id, name) values ('room-images', %s)", path
        )
        shop.insert("room_images", room_id=room, path=path)
        shop.venue.owner.change("delete from public.room_images where path = %s", path)
        assert shop.visitor.call("get_calendar", slug=shop.slug)["rooms"][0]["images"] == []
        assert shop.venue.owner.select("select name from storage.objects where name = %s", path)

    def test_how_it_looks_and_what_it_asks(self, shop: Shop, stranger: Shop) -> None:
        shop.set_calendar(
            flow="date_first",
            theme="dark",
            accent_color="#a1b2c3",
            terms='{"en": "Be kind."}',
            fee_kind="person",
            fee_value=150,
            waitlist_minutes=30,
        )
        choices = [{"value": "a", "label": {"en": "A"}}]
        for each in (shop, stranger):
            each.insert(
                "calendar_fields",
                calendar_id=each.calendar_id,
                key="map",
                kind="select",
                label='{"en": "Map"}',
                options=json.dumps(choices),
            )
        shop.insert(
            "calendar_fields",
            calendar_id=second_calendar(shop),
            key="other",
            label='{"en": "Elsewhere"}',
        )
        shop.insert(
            "calendar_fields",
            calendar_id=shop.calendar_id,
            position=-1,
            key="team",
            label='{"en": "Team"}',
            help='{"en": "Any name"}',
            required=True,
            pattern="[a-z]+",
        )
        seen = shop.visitor.call("get_calendar", slug=shop.slug)
        assert (seen["flow"], seen["theme"], seen["accent_color"]) == (
            "date_first",
            "dark",
            "#a1b2c3",
        )
        assert seen["terms"] == {"en": "Be kind."}
        assert seen["fee"] == {"kind": "person", "value": 150}
        assert seen["waitlist"] is True
        unsaid: dict[str, object] = {
            "placeholder": {},
            "minimum_length": None,
            "maximum_length": None,
            "room_id": None,
        }
        assert seen["fields"] == [
            {
                "key": "team",
                "label": {"en": "Team"},
                "help": {"en": "Any name"},
                "kind": "text",
                "required": True,
                "pattern": "[a-z]+",
                "options": [],
                **unsaid,
            },
            {
                "key": "map",
                "label": {"en": "Map"},
                "help": {},
                "kind": "select",
                "required": False,
                "pattern": None,
                "options": choices,
                **unsaid,
            },
        ]

    def test_the_terms_of_a_room(self, shop: Shop) -> None:
        room = shop.add_room(
            mode="shared",
            maximum_party=8,
            exclusive_price_cents=9_000,
            deposit_kind="percent",
            deposit_value=30,
            waiver_policy="required",
        )
        other = shop.add_room()
        for hours, percent in ((24, 50), (48, 100)):
            shop.insert(
                "room_cancellation_tiers", room_id=room, hours_before=hours, refund_percent=percent
            )
        change(
            shop.venue.owner,
            "calendar_rooms",
            {"minimum_notice_minutes": 5, "maximum_advance_days": 7},
            room_id=room,
        )
        rooms = shop.visitor.call("get_calendar", slug=shop.slug)["rooms"]
        seen = {each["id"]: each for each in rooms}
        assert seen[room]["capacity"] == 8
        assert seen[room]["exclusive_price_cents"] == 9_000
        assert seen[room]["deposit"] == {"kind": "percent", "value": 30}
        assert seen[room]["waiver_policy"] == "required"
        assert seen[room]["location_name"] == "Venue"
        assert seen[room]["cancellation"] == [
            {"hours_before": 48, "refund_percent": 100},
            {"hours_before": 24, "refund_percent": 50},
        ]
        assert seen[other]["cancellation"] == []
        limits = ("minimum_notice_minutes", "maximum_advance_days")
        assert [seen[room][limit] for limit in limits] == [5, 7]
        assert [seen[other][limit] for limit in limits] == [60, 365]

    def test_rooms_come_in_the_calendars_order(self, shop: Shop) -> None:
        rooms = [shop.add_room(name=name) for name in ("C", "A", "B")]
        change(shop.venue.owner, "calendar_rooms", {"position": 1}, room_id=rooms[1])
        seen = shop.visitor.call("get_calendar", slug=shop.slug)
        assert [room["name"] for room in seen["rooms"]] == ["B", "C", "A"]

    def test_the_language_is_one_that_the_calendar_speaks(self, shop: Shop) -> None:
        shop.set_calendar(locales=["ca", "en"])
        assert shop.visitor.call("get_calendar", slug=shop.slug)["locale"] == "ca"

    @pytest.mark.parametrize("slug", ["nowhere", "", None])
    def test_an_unknown_calendar(self, shop: Shop, slug: str | None) -> None:
        with refused(404, "calendar_not_found"):
            shop.visitor.call("get_calendar", slug=slug)
