"""E-mail addresses: what is taken can be written to, as far as the form of an address tells."""

from __future__ import annotations

from email.headerregistry import Address

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from client import Connection
from db.booking_world import Shop, open_shop
from matrix.house import House
from matrix.promises import refused

#: Addresses that were confirmed and could not receive, and their like.
UNREACHABLE = [
    "ana\u200b@example.com",
    "\u200bana@example.com",
    "ana@exam\u00adple.com",
    "ana@example.com,",
    "ana@example.com;",
    "ana@example.com)",
    "ana@example.com/",
    "ana@example.com.",
    "ana@example.com>",
    "mailto:ana@example.com",
    "a..b@example.com",
    ".ana@example.com",
    "ana.@example.com",
    "ana@exa_mple.com",
    "ana@-example.com",
    "ana@example-.com",
    "ana@example..com",
    "ana@.example.com",
    "ana@example",
    "ana@127.0.0.1",
    "ana@[127.0.0.1]",
    "ana@example.c",
    "ana@example.123",
    "ana b@example.com",
    '"ana b"@example.com',
    "ana(home)@example.com",
    "ana@bea@example.com",
    "ana@example.com\nbcc:bea@example.com",
    "a" * 65 + "@example.com",
    "ana@" + "b" * 64 + ".com",
    "ana@" + ".".join(["b" * 60] * 5) + ".com",
    "ana@ab--c.com",
    "ana@xn--a.com",
    "ana@xn--a.example",
    "ana@xn--.com",
    "ana@xn---01a.com",
    "ana@xn--abc-.com",
    "ana@xn--01b09a.com",
    "ana@xn--0000-90z.com",
    "ana@xn--0.com",
    "ana@xn--99999999999.com",
    "ana@example.xn--a",
    "ñandú@example.com",
    "ana@ñandú.example",
    "ana@\u212aelvin.com",
    "ana@printer.local",
    "ana@example.invalid",
    "ana@example.onion",
    "ana@1.168.192.in-addr.arpa",
    "ana@example.localhost",
    "ana@mail.internal",
    "ana@example.alt",
    "erased-1@erased.invalid",
    "@example.com",
    "ana@",
    "ana",
]

REACHABLE = [
    "ana@example.com",
    "ana.maria+sala1@example.com",
    "o'brien@example.ie",
    "a_b-c@sub.example.co.uk",
    "1234@example.com",
    "ana@xn--and-6ma2c.example",
    "ana@xn--80aa.xn--p1ai",
    "ana@xn--p1b6ci4b4b3a.xn--h2brj9c",
    "ana@xn--mgbh0fb.xn--kgbechtv",
    "ana@xn--fiqs8s.com",
    "ana@xn--mller-kva.de",
    "ana@xn--collegi-5za.cat",
    "a" * 64 + "@example.com",
    "ana@" + "b" * 63 + ".com",
    "x!#$%&'*+/=?^_`{|}~-@example.com",
    "ana@1.example.com",
    "ana@venue.test",
    "ana@venue.example",
    "ana@local.example.com",
    "ana@example.locals",
]

ATOMS = st.text(st.sampled_from("ab1.-_+'!#/= \"(),:;<>@[\\]\u200bñ"), min_size=0, max_size=12)
LABELS = st.text(st.sampled_from("ab1-_ñ"), min_size=0, max_size=6)
#: Endings that lead nowhere, and what is like them.
SPECIAL = ["alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test", "example"]
ENDINGS = LABELS | st.sampled_from(SPECIAL) | st.sampled_from(SPECIAL).map(lambda one: f"{one}s")


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue", minimum_notice_minutes=0)


def is_email(connection: Connection, email: str) -> bool:
    row = connection.execute("select private.is_email(%s)", [email]).fetchone()
    assert row is not None
    return bool(row[0])


def library_takes(email: str) -> bool:
    """Whether email-validator takes it, told what our transports take: ASCII, and domains that end
    in letters alone or in an encoding of other letters."""
    last = email.rpartition(".")[2]
    # Both reserved since its list was made, for names that are looked up elsewhere.
    if last in ("alt", "internal"):
        return False
    if not email.isascii() or not (last[1:].isalpha() or last.startswith("xn--")):
        return False
    try:
        validate_email(
            email,
            check_deliverability=False,
            allow_smtputf8=False,
            allow_quoted_local=False,
            allow_domain_literal=False,
            test_environment=True,
            strict=True,
        )
    except EmailNotValidError:
        return False
    return True


@pytest.mark.parametrize("email", UNREACHABLE)
def test_an_address_that_cannot_receive_books_nothing_and_the_field_is_named(
    shop: Shop, email: str
) -> None:
    room = shop.add_room()
    shop.open_on(room, "10:00", "22:00")
    customer = {"full_name": "Ana", "email": email}
    with refused(422, "customer_invalid") as caught:
        shop.hold(room, shop.at(1, "10:00"), customer=customer)
    assert caught.value.details == {"field": "email"}


@pytest.mark.parametrize("email", REACHABLE)
def test_an_address_that_can_receive_is_taken(house: House, email: str) -> None:
    assert is_email(house.connection, email)
    assert library_takes(email)


def test_the_rule_agrees_with_a_library_that_knows_the_standards(
    tenancy_connection: Connection,
) -> None:
    @example("ana", ["example"], "com")
    @example("a.b", ["a-b"], "com")
    @given(ATOMS | st.just("ana"), st.lists(LABELS | st.just("mail"), max_size=3), ENDINGS)
    def agrees(local: str, labels: list[str], ending: str) -> None:
        email = f"{local}@{'.'.join([*labels, ending])}"
        ours = is_email(tenancy_connection, email)
        assert ours == library_takes(email)
        if ours:
            assert Address("Ana", addr_spec=email).addr_spec == email

    agrees()


def test_what_is_taken_of_other_letters_is_taken_there(
    tenancy_connection: Connection,
) -> None:
    letters = st.sampled_from("abz019-ñéßçłабвяאבשابت中文字हिन्दीไทย가")
    encoded = st.text(letters, min_size=1, max_size=8).map(lambda text: text.encode("punycode"))

    @given(encoded.map(bytes.decode) | st.text(st.sampled_from("abcz0189-"), max_size=9))
    def is_taken(label: str) -> None:
        email = f"ana@xn--{label}.com"
        if is_email(tenancy_connection, email):
            assert library_takes(email)

    is_taken()


@given(st.text(st.characters(exclude_categories=["Cs"], min_codepoint=1), min_size=1, max_size=12))
def test_other_letters_are_read_as_they_were_encoded(
    tenancy_connection: Connection, text: str
) -> None:
    encoded = text.encode("punycode").decode("ascii")
    row = tenancy_connection.execute(
        "select private.punycode_decoded(%s)", ["".join(map(_lowered, encoded))]
    ).fetchone()
    assert row is not None
    assert row[0] == "".join(map(_lowered, text))


def _lowered(character: str) -> str:
    """In lower case, as domains are: letters of ASCII only."""
    return character.lower() if character.isascii() else character


@pytest.mark.parametrize("email", [*UNREACHABLE, *REACHABLE])
def test_the_library_says_the_same_of_known_cases(house: House, email: str) -> None:
    assert library_takes(email) == is_email(house.connection, email)
