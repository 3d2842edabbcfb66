"""The page of functions is up to date, and what it says of errors is what the database raises."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from client import Connection
from escapemaster_dev.schema.function_page import Entry, codes_of, entries, path_of, render
from matrix.house import House

_RAISED = re.compile(r"private\.fail\(\s*'([a-z_]+)'")


@pytest.fixture
def owner(house: House) -> Iterator[Connection]:
    """The catalogue, as the owner of our objects sees it."""
    with house.connection.transaction():
        house.connection.execute("set local role postgres")
        yield house.connection


def bodies(connection: Connection) -> str:
    rows = connection.execute(
        "select prosrc from pg_proc where pronamespace in"
        " ('public'::regnamespace, 'private'::regnamespace, 'service'::regnamespace)"
    )
    return "\n".join(body for (body,) in rows)


def test_the_page_is_up_to_date(owner: Connection) -> None:
    assert path_of().read_text() == render(owner), "run `make types`"


def test_every_error_that_is_listed_is_raised_somewhere(owner: Connection) -> None:
    everything, sources = entries(owner), bodies(owner)
    # "as in quote_booking" refers to another entry.
    listed = {code for entry in everything for code in codes_of(entry)} - {
        entry.name.removeprefix("public.") for entry in everything
    }
    assert listed >= {"slot_taken", "coupon_expired", "permission_denied"}
    assert {code for code in listed if f"'{code}'" not in sources} == set()


def test_every_error_that_is_raised_is_on_the_page(owner: Connection) -> None:
    raised = set(_RAISED.findall(bodies(owner)))
    assert len(raised) > 100
    page = set(re.findall(r"`([a-z_]+)`", render(owner)))
    assert raised - page == set()


def test_every_function_says_what_it_does_and_who_may_call_it(owner: Connection) -> None:
    silent = [entry.name for entry in entries(owner) if not entry.text.endswith(".")]
    assert silent == []


def test_details_and_asides_of_an_error_are_no_codes() -> None:
    errors = ('409 slot_taken (details {"at_once"}), at_door', "429 rate_limited")
    entry = Entry("public.f", (), "jsonb", (), None, "", errors, "", ())
    assert codes_of(entry) == {"slot_taken", "at_door", "rate_limited"}
