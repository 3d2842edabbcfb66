"""What a calendar asks: which questions can be stored, and which answers are taken."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from client import ANON, Refused
from db.booking_world import Shop, change, open_shop
from matrix.house import House
from matrix.promises import refused

LABEL = json.dumps({"es": "¿?"})
CHOICES = [{"value": "s", "label": {"en": "S"}}, {"value": "m", "label": {"en": "M"}}]


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def ask(shop: Shop, kind: str = "text", key: str = "it", **values: object) -> None:
    shop.insert(
        "calendar_fields",
        **{"calendar_id": shop.calendar_id, "key": key, "kind": kind, "label": LABEL, **values},
    )


def answered(shop: Shop, answers: object, room_id: str | None = None) -> Any:
    """What is kept of the answers, as every function that books asks for it."""
    try:
        return shop.house.one(
            "select private.checked_fields(c, %s::jsonb, %s) from public.calendars as c"
            " where c.organization_id = %s and c.id = %s",
            None if answers is None else json.dumps(answers),
            room_id,
            shop.id,
            shop.calendar_id,
        )
    except psycopg.Error as error:
        raise Refused.from_database(error, ANON) from error


class TestQuestions:
    @pytest.mark.parametrize(
        "pattern",
        [
            "[A-Z]{2}[0-9]{4,}",
            "(?:a|b)+",
            r"\d{9}",
            "(x+)+y",
            "a{10}b{100}",
            "[0-9]{0,3}",
        ],
    )
    def test_patterns_that_are_taken(self, shop: Shop, pattern: str) -> None:
        ask(shop, pattern=pattern)

    @pytest.mark.parametrize(
        "pattern",
        [
            "",
            "x" * 201,
            "(",
            "a)(b",
            "[",
            "a{2,1}",
            r"(a)\1",
            "(?=a)b",
            "(?<!a)b",
            "(?i)a",
            "***=a",
            "((x{200}){200}){200}",
            "a{10}b{101}",
            "a{1000}",
            "a{0,1000}",
        ],
    )
    def test_patterns_that_are_not(self, shop: Shop, pattern: str) -> None:
        with refused(400, "23514") as caught:
            ask(shop, pattern=pattern)
        assert "calendar_fields_pattern_is_quick_to_match" in caught.value.message

    @pytest.mark.parametrize(
        "options",
        [
            {},
            [],
            "s",
            ["s"],
            [None],
            [{"value": "s"}],
            [{"label": {"en": "S"}}],
            [{"value": 1, "label": {"en": "S"}}],
            [{"value": "", "label": {"en": "S"}}],
            [{"value": "x" * 101, "label": {"en": "S"}}],
            [{"value": "s", "label": {}}],
            [{"value": "s", "label": "S"}],
            [{"value": "s", "label": {"fr": "S"}}],
            [{"value": "s", "label": {"en": "S"}, "price": 1}],
            [CHOICES[0], CHOICES[0]],
            [{"value": str(n), "label": {"en": "S"}} for n in range(101)],
        ],
    )
    def test_choices_that_are_none(self, shop: Shop, options: object) -> None:
        with refused(400, "23514") as caught:
            ask(shop, "select", options=json.dumps(options))
        assert "calendar_fields_options_are_choices" in caught.value.message

    @pytest.mark.parametrize(
        ("kind", "values", "constraint"),
        [
            ("colour", {}, "kind_is_known"),
            ("select", {}, "options_are_for_selects"),
            ("text", {"options": json.dumps(CHOICES)}, "options_are_for_selects"),
            ("number", {"pattern": "1"}, "pattern_is_for_texts"),
            ("text", {"label": "{}"}, "label_is_given_by_language"),
            ("text", {"label": '{"en": ""}'}, "label_is_given_by_language"),
            ("text", {"help": '{"fr": "x"}'}, "help_is_given_by_language"),
            ("text", {"key": "A"}, "key_is_a_name"),
            ("text", {"placeholder": '{"fr": "x"}'}, "placeholder_is_given_by_language"),
            (
                "text",
                {"placeholder": json.dumps({"en": "x" * 101})},
                "placeholder_is_given_by_language",
            ),
            ("date", {"placeholder": '{"en": "x"}'}, "placeholder_is_for_what_is_typed"),
            ("email", {"minimum_length": 1}, "lengths_are_for_texts"),
            (
                "select",
                {"options": json.dumps(CHOICES), "maximum_length": 9},
                "lengths_are_for_texts",
            ),
            ("text", {"minimum_length": 0}, "lengths_are_possible"),
            ("text", {"maximum_length": 0}, "lengths_are_possible"),
            ("text", {"minimum_length": 9, "maximum_length": 8}, "lengths_are_possible"),
            ("text", {"minimum_length": 1001}, "lengths_are_possible"),
            ("text", {"maximum_length": 1001}, "lengths_are_possible"),
            ("textarea", {"maximum_length": 2001}, "lengths_are_possible"),
            ("textarea", {"pattern": "x"}, "pattern_is_for_texts"),
            ("text", {"key": "a" * 41}, "key_is_a_name"),
        ],
    )
    def test_what_cannot_be_asked(
        self, shop: Shop, kind: str, values: dict[str, Any], constraint: str
    ) -> None:
        with refused(400, "23514") as caught:
            ask(shop, kind, **values)
        assert f"calendar_fields_{constraint}" in caught.value.message


class TestAnswers:
    @pytest.mark.parametrize(
        ("kind", "values", "given", "kept"),
        [
            ("text", {}, "  The Crypt \n", "The Crypt"),
            ("text", {"pattern": "[A-Z]+"}, " ABC ", "ABC"),
            ("text", {"pattern": "a|b"}, "b", "b"),
            ("text", {}, "x" * 1000, "x" * 1000),
            ("text", {}, "two\nlines", "two\nlines"),
            ("email", {}, " Ana@Example.TEST ", "ana@example.test"),
            ("number", {}, 4.5, 4.5),
            ("number", {}, 0, 0),
            ("select", {"options": json.dumps(CHOICES)}, "m", "m"),
            ("checkbox", {}, False, False),
            ("checkbox", {"required": True}, True, True),
            ("date", {}, "2028-02-29", "2028-02-29"),
            ("textarea", {}, " two\nlines ", "two\nlines"),
            ("textarea", {}, "x" * 2000, "x" * 2000),
            ("text", {"minimum_length": 2, "maximum_length": 3}, "ab", "ab"),
            ("text", {"minimum_length": 2, "maximum_length": 3}, " abc ", "abc"),
            ("phone", {}, " +34 600 00 00 00 ", "+34 600 00 00 00"),
            ("phone", {}, "+٣٤ ٦٠٠ ٠٠ ٠٠ ٠٠", "+34 600 00 00 00"),
        ],
    )
    def test_what_is_kept(
        self, shop: Shop, kind: str, values: dict[str, Any], given: object, kept: object
    ) -> None:
        ask(shop, kind, **values)
        assert answered(shop, {"it": given}) == {"it": kept}

    @pytest.mark.parametrize(
        ("kind", "values", "given", "rule"),
        [
            ("text", {}, 1, "type"),
            ("text", {}, ["x"], "type"),
            ("text", {}, {"x": 1}, "type"),
            ("text", {}, "x" * 1001, "length"),
            ("text", {"pattern": "a|b"}, "ab", "pattern"),
            ("text", {"pattern": "[a-z]+"}, "abc1", "pattern"),
            ("text", {"pattern": "[a-z]+"}, "abc\nabc", "pattern"),
            ("textarea", {}, "x" * 2001, "length"),
            ("textarea", {"maximum_length": 3}, "abcd", "length"),
            ("text", {"minimum_length": 2}, "a", "length"),
            ("text", {"minimum_length": 2}, " a ", "length"),
            ("text", {"maximum_length": 3}, "abcd", "length"),
            ("phone", {}, "call me", "phone"),
            ("phone", {}, "1" * 41, "phone"),
            ("phone", {}, "600\n000", "phone"),
            ("phone", {}, 600000000, "type"),
            ("email", {}, "ana", "email"),
            ("email", {}, True, "type"),
            ("number", {}, "4", "type"),
            ("number", {}, 1e13, "range"),
            ("number", {}, -1e13, "range"),
            ("select", {"options": json.dumps(CHOICES)}, "x", "option"),
            ("select", {"options": json.dumps(CHOICES)}, ["s"], "type"),
            ("checkbox", {}, "true", "type"),
            ("checkbox", {"required": True}, False, "required"),
            ("date", {}, "2027-02-29", "date"),
            ("date", {}, "29/02/2028", "date"),
            ("date", {}, "today", "date"),
            ("date", {}, 20280229, "type"),
            ("text", {"required": True}, "", "required"),
            ("text", {"required": True}, "  ", "required"),
            ("text", {"required": True}, None, "required"),
        ],
    )
    def test_what_is_refused(
        self, shop: Shop, kind: str, values: dict[str, Any], given: object, rule: str
    ) -> None:
        ask(shop, kind, **values)
        with refused(422, "field_invalid") as caught:
            answered(shop, {"it": given})
        assert caught.value.details == {"field": "it", "rule": rule}

    @pytest.mark.parametrize("answers", [{}, None, {"it": None}, {"it": " "}])
    def test_what_need_not_be_answered_is_left_out(self, shop: Shop, answers: object) -> None:
        ask(shop)
        assert answered(shop, answers) == {}

    @pytest.mark.parametrize("answers", [{}, None])
    def test_what_must_be_answered(self, shop: Shop, answers: object) -> None:
        ask(shop)
        ask(shop, key="must", required=True)
        with refused(422, "field_invalid") as caught:
            answered(shop, answers)
        assert caught.value.details == {"field": "must", "rule": "required"}

    def test_what_was_not_asked_is_refused(self, shop: Shop, house: House) -> None:
        ask(shop)
        other = open_shop(house, "Other")
        ask(other, key="theirs")
        second = shop.insert("calendars", slug=f"{shop.slug}-2", name="Second")
        ask(shop, key="elsewhere", calendar_id=second["id"])
        for key in ("theirs", "elsewhere", "x" * 200):
            with refused(422, "field_invalid") as caught:
                answered(shop, {"it": "ok", key: "x"})
            assert caught.value.details == {"field": key[:100], "rule": "unknown"}

    @pytest.mark.parametrize("answers", [[], "x", 1, True])
    def test_what_is_no_object(self, shop: Shop, answers: object) -> None:
        with refused(422, "field_invalid") as caught:
            answered(shop, answers)
        assert caught.value.details == {"field": None, "rule": "type"}

    def test_a_twin_calendar_of_another_venue_asks_for_itself(
        self, shop: Shop, house: House
    ) -> None:
        other = open_shop(house, "Other")
        house.owner_sql(
            "insert into public.calendars (organization_id, id, slug, name)"
            " values (%s, %s, 'twin', 'Twin')",
            other.id,
            shop.calendar_id,
        )
        ask(other, calendar_id=shop.calendar_id, key="theirs", required=True)
        assert answered(shop, {}) == {}
        with refused(422, "field_invalid"):
            answered(shop, {"theirs": "x"})

    def test_questions_come_in_their_order(self, shop: Shop) -> None:
        for position, key in enumerate(("c", "a", "b")):
            ask(shop, key=key, position=position, required=True)
        with refused(422, "field_invalid") as caught:
            answered(shop, {})
        assert caught.value.details["field"] == "c"
        assert change(shop.venue.owner, "calendar_fields", {"position": -1}, key="b") == 1
        with refused(422, "field_invalid") as caught:
            answered(shop, {})
        assert caught.value.details["field"] == "b"


class TestQuestionsOfARoom:
    @pytest.fixture
    def rooms(self, shop: Shop) -> list[str]:
        rooms = [shop.add_room(), shop.add_room()]
        for room in rooms:
            shop.open_on(room, "10:00", "22:00")
        ask(shop, key="team")
        ask(shop, key="diver", room_id=rooms[0], required=True)
        return rooms

    def test_only_whoever_books_it_is_asked(self, shop: Shop, rooms: list[str]) -> None:
        noon = shop.at(1, "10:00")
        with refused(422, "field_invalid") as caught:
            shop.hold(rooms[0], noon, fields={"team": "Owls"})
        assert caught.value.details == {"field": "diver", "rule": "required"}
        with refused(422, "field_invalid") as caught:
            shop.hold(rooms[1], noon, fields={"diver": "yes"})
        assert caught.value.details == {"field": "diver", "rule": "unknown"}
        assert shop.hold(rooms[0], noon, fields={"diver": "yes"})["fields"] == {"diver": "yes"}
        assert shop.hold(rooms[1], noon, fields={"team": "Owls"})["fields"] == {"team": "Owls"}

    def test_the_calendar_says_of_which_room_it_is(self, shop: Shop, rooms: list[str]) -> None:
        def asked() -> dict[str, object]:
            fields = shop.visitor.call("get_calendar", slug=shop.slug)["fields"]
            return {field["key"]: field["room_id"] for field in fields}

        assert asked() == {"team": None, "diver": rooms[0]}
        shop.set_room(rooms[0], is_published=False)
        assert asked() == {"team": None}

    def test_a_room_of_another_venue_is_none(self, shop: Shop, house: House) -> None:
        with refused(409, "23503"):
            ask(shop, room_id=open_shop(house, "Other").add_room())

    def test_the_confirmation_repeats_what_the_venue_chose(self, shop: Shop) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        told = {"in_confirmation": True}
        ask(shop, "select", "size", options=json.dumps(CHOICES), position=1, **told)
        ask(shop, "checkbox", "first", position=2, **told)
        ask(shop, "checkbox", "last", position=3, **told)
        ask(shop, "textarea", "wishes", position=4, **told)
        ask(shop, key="secret", position=5)
        fields = {"size": "m", "first": True, "last": False, "secret": "x"}
        held = shop.hold(room, shop.at(1, "10:00"), fields=fields)
        content: Any = shop.house.one(
            "select private.booking_content(%s, %s)", shop.id, shop.id_of(held)
        )
        assert content["data"]["answers"] == [
            {"question": "¿?", "answer": "M"},
            {"question": "¿?", "answer": "✓"},
        ]

    def test_no_mail_repeats_a_link_that_anybody_could_have_typed(self, shop: Shop) -> None:
        room = shop.add_room()
        shop.open_on(room, "10:00", "22:00")
        for position, key in enumerate(("one", "two", "bare", "three")):
            ask(shop, key=key, position=position, in_confirmation=True)
        fields = {
            "one": "see http://claim.example.com/now",
            "two": "www.claim.com",
            "bare": "evil.com",
            "three": "3.5 m",
        }
        held = shop.hold(room, shop.at(1, "10:00"), fields=fields)
        content: Any = shop.house.one(
            "select private.booking_content(%s, %s)", shop.id, shop.id_of(held)
        )
        assert [answer["answer"] for answer in content["data"]["answers"]] == ["3.5 m"]
        assert held["fields"] == fields
