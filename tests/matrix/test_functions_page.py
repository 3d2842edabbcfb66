"""The page of functions is up to date, and what it says of errors is what the database raises."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest

from client import Connection
from escapemaster_dev.schema.function_page import (
    Entry,
    codes_of,
    entries,
    listed_codes,
    path_of,
    render,
    statuses_of,
)
from matrix.house import House
from matrix.reached_refusals import Catalogue, Exclusion, Trigger, assignments_in
from matrix.unreached_refusals import EXCLUSIONS
from plugins.answer_promises import url_of
from plugins.listed_refusals import listed

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


@pytest.fixture(scope="module")
def catalogue(tenancy_connection: Connection) -> Catalogue:
    """Which refusals the functions can reach."""
    return Catalogue.read(tenancy_connection, EXCLUSIONS)


def test_a_function_lists_only_what_it_can_refuse_with(
    owner: Connection, catalogue: Catalogue
) -> None:
    everything = entries(owner)
    referred_to = {entry.name.removeprefix("public.") for entry in everything}
    never = {
        entry.name: beyond
        for entry in everything
        if (beyond := codes_of(entry) - referred_to - catalogue.codes[entry.name])
    }
    assert never == {}


def test_a_function_lists_all_that_it_can_refuse_with(
    owner: Connection, catalogue: Catalogue
) -> None:
    unlisted = [
        f"{name}: {code}, by {' < '.join(catalogue.ways[name][code])}"
        for name, codes in listed_codes(owner).items()
        for code in catalogue.codes[name] - codes
    ]
    assert unlisted == []


def test_a_code_is_listed_with_its_status(owner: Connection, catalogue: Catalogue) -> None:
    wrong = [
        f"{entry.name}: {status} {code}"
        for entry in entries(owner)
        for code, status in statuses_of(entry).items()
        if (raised := catalogue.statuses.get(code)) and status not in raised
    ]
    assert wrong == []


def test_every_function_of_clients_is_given_up_as_unavailable(
    owner: Connection, catalogue: Catalogue
) -> None:
    reached = {e.name for e in entries(owner) if "unavailable" in catalogue.codes[e.name]}
    of_clients = {entry.name for entry in entries(owner) if entry.name.startswith("public.")}
    assert len(of_clients) > 100
    # Every policy asks what it asks.
    assert of_clients - reached == {"public.has_permission"}


def test_a_client_notices_a_refusal_that_is_not_listed(owner: Connection) -> None:
    dsn = partial(url_of, owner)
    listed(dsn, "get_calendar", "calendar_not_found")
    listed(dsn, "get_calendar", "token_invalid")  # of any request
    listed(dsn, "create_booking", "coupon_expired")  # as in quote_booking
    listed(dsn, "private.quote", "price_invalid")  # no function of the page
    with pytest.raises(AssertionError, match="get_calendar refused with slot_taken"):
        listed(dsn, "get_calendar", "slot_taken")


def test_every_exclusion_keeps_something_back(catalogue: Catalogue) -> None:
    assert catalogue.unknown_names() == set()
    assert catalogue.needless() == []


RAISES = "begin perform private.fail('taken', 409, 'x'); end"


def reached(body: str, *triggers: Trigger, exclusions: tuple[Exclusion, ...] = ()) -> set[str]:
    """What a function with this body can refuse with; `private.refuse_taken` raises 409 taken."""
    bodies = {"public.f": body, "private.refuse_taken": RAISES}
    return set(Catalogue(bodies, triggers, exclusions).codes["public.f"])


def test_what_a_body_and_its_helpers_raise_is_reached() -> None:
    body = "return private.refusal(case when x then 'early' else 'late' end, 422, 'y, z');"
    assert reached(body) == {"early", "late"}
    assert reached("perform private.refuse_taken(); -- private.fail('no', 409, 'x')") == {"taken"}


@pytest.mark.parametrize(
    ("handler", "left"),
    [
        ("when others then null;", set[str]()),
        ("when sqlstate 'PT409' then null;", set[str]()),
        ("when sqlstate 'PT422' then null;", {"taken"}),
        ("when others then\nraise;", {"taken"}),
        ("when unique_violation then null;", {"taken"}),
    ],
)
def test_what_a_handler_ends_is_not_reached(handler: str, left: set[str]) -> None:
    body = f"begin\nbegin\nperform private.refuse_taken();\nexception\n{handler}\nend;\nend"
    assert reached(body) == left


def test_what_triggers_raise_is_reached_by_whoever_fires_them() -> None:
    trigger = Trigger("public.t", 16, frozenset({"status"}), "private.refuse_taken")
    assert reached("update public.t as t set status = 'x';", trigger) == {"taken"}
    assert reached("update public.t as t set (note, status) = (select 1, 2);", trigger) == {"taken"}
    assert reached("update public.t as t set note = 'x' where t.status = 'y';", trigger) == set()
    assert reached("delete from public.t where status = 'y';", trigger) == set()
    upsert = "insert into public.t (status) values (1) on conflict do update set status = 2;"
    assert reached(upsert, trigger) == {"taken"}


def test_the_assignments_of_an_update_end_at_its_own_where() -> None:
    text = " as t set a = (select b from c where d = 1), e = 2 where f = 3"
    assert assignments_in(text) == " as t set a = (select b from c where d = 1), e = 2 "


def test_an_exclusion_is_for_its_callers_and_its_codes() -> None:
    def kept(**fields: tuple[str, ...]) -> set[str]:
        exclusion = Exclusion("private.refuse_taken", "", **fields)
        return reached("perform private.refuse_taken();", exclusions=(exclusion,))

    assert kept() == set()
    assert kept(callers=("public.f",), codes=("ta*",)) == set()
    assert kept(callers=("public.g",)) == {"taken"}
    assert kept(only=("public.f",)) == {"taken"}
    assert kept(codes=("late",)) == {"taken"}


def test_every_function_says_what_it_does_and_who_may_call_it(owner: Connection) -> None:
    silent = [entry.name for entry in entries(owner) if not entry.text.endswith(".")]
    assert silent == []


def test_details_and_asides_of_an_error_are_no_codes() -> None:
    errors = ('409 slot_taken (details {"at_once"}), at_door', "429 rate_limited")
    entry = Entry("public.f", (), "jsonb", (), None, "", errors, "", ())
    assert codes_of(entry) == {"slot_taken", "at_door", "rate_limited"}
