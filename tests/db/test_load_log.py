"""What PostgreSQL writes down: failures, and not what was answered with a refusal."""

from __future__ import annotations

from uuid import uuid4

import pytest

import stack as stack_of_the_run
from client import Refused
from matrix.house import House
from matrix.promises import refused


def lines_with(word: str) -> list[str]:
    log = stack_of_the_run.config().logs / "postgresql.log"
    return [line for line in log.read_text(errors="replace").splitlines() if word in line]


def test_a_refusal_leaves_nothing_in_the_log(house: House) -> None:
    word = uuid4().hex
    with refused(404, "calendar_not_found"):
        house.nobody.select(f"select public.get_calendar('{word}')")
    person = house.sign_up("ana")
    with refused(404, "organization_not_found"):
        person.select(f"select public.switch_organization('{uuid4()}') as \"{word}\"")
    assert lines_with(word) == []


def test_a_limit_that_is_reached_leaves_nothing_in_the_log(house: House) -> None:
    word = uuid4().hex
    house.owner_sql(
        "alter table private.rate_limit_rules drop constraint rate_limit_rules_max_hits_is_positive"
    )
    house.owner_sql("update private.rate_limit_rules set max_hits = 0 where scope = 'address'")
    with refused(429, "rate_limited"):
        house.nobody.sending(x_forwarded_for="203.0.113.99").select(
            f"select public.get_calendar('{word}')"
        )
    assert lines_with(word) == []


def test_what_cannot_be_read_is_not_written_down(house: House) -> None:
    """PostgreSQL's own refusal holds the whole value, and the statement."""

    for size in ("400", "5000"):
        word = uuid4().hex
        visitor = house.nobody.sending(content_length=size)
        with pytest.raises(Refused, match="22P02"):
            visitor.select(f"select private.check_request(), concat('{word}', 'no id')::uuid")
        assert lines_with(word) == []


def test_what_a_client_may_not_read_leaves_nothing_in_the_log(house: House) -> None:
    word = uuid4().hex
    house.nobody.select("select private.check_request()")
    with pytest.raises(Refused, match="42501"):
        house.nobody.select(f'select count(*) as "{word}" from public.bookings')
    assert lines_with(word) == []


def test_a_failure_behind_a_guard_is_written_down(house: House) -> None:
    """What was let in may be unreadable; what is asked by then was read."""
    word = uuid4().hex
    with pytest.raises(Refused, match="22P02"):
        house.sign_up("ana").select(
            "select private.check_request(), private.organization_with('rooms:read'),"
            f" concat('{word}', 'no id')::uuid"
        )
    assert lines_with(word)


def test_a_failure_is_written_down_also_after_a_refusal(house: House) -> None:
    word = uuid4().hex
    with refused(404, "calendar_not_found"):
        house.nobody.select("select public.get_calendar('no-such')")
    with pytest.raises(Refused, match="22012"):
        house.nobody.select(f'select 1 / 0 as "{word}"')
    assert lines_with(word)


def test_why_a_request_was_given_up_is_written_down_once(house: House) -> None:
    word = uuid4().hex
    with pytest.raises(Exception, match="unavailable"):
        house.owner_sql(f"select private.fail_unavailable('cause {word}')")
    (line,) = [line for line in lines_with(word) if "STATEMENT" not in line]
    assert f"a request was given up: cause {word}" in line


def test_a_refusal_that_was_caught_silences_no_failure_after_it(house: House) -> None:
    """A refused coupon is answered, and what the request does afterwards is heard of."""
    word = uuid4().hex
    with pytest.raises(Exception, match="division by zero"):
        house.owner_sql(
            "do $$ begin"
            " begin perform private.fail('x', 422, 'y'); exception when sqlstate 'PT422' then end;"
            f" perform 1 / 0; perform '{word}'; end $$"
        )
    assert lines_with(word)


def test_where_it_may_not_be_set_a_refusal_is_the_same(house: House) -> None:
    house.connection.execute("revoke set on parameter log_min_messages from postgres")
    with refused(404, "calendar_not_found"):
        house.nobody.call("get_calendar", slug="no-such")
