"""Names in addresses: what is found by the slug of a calendar, and what by an organization's."""

from __future__ import annotations

import re

import pytest

from client import Refused
from db.money_world import Database, Venue, make_venue


@pytest.fixture
def venue(money: Database) -> Venue:
    return make_venue(money)


@pytest.fixture
def other(venue: Venue) -> Venue:
    return make_venue(venue.database)


def slug_of(venue: Venue) -> str:
    found = venue.database.one(
        "select slug from public.organizations where id = %s", venue.organization_id
    )
    return str(found)


def rename(venue: Venue, slug: str) -> None:
    venue.owner.change("update public.calendars set slug = %s", slug)


def test_a_calendar_that_is_called_as_another_organization_leads_to_its_own(
    venue: Venue, other: Venue
) -> None:
    theirs = slug_of(venue)
    rename(other, theirs)
    seen = venue.public.call("get_calendar", slug=theirs)
    assert seen["organization"]["slug"] == slug_of(other) != theirs
    # Nothing of the organization's is found by its name, nor lost: its calendar has its own.
    assert venue.public.call("get_calendar", slug=venue.slug)["organization"]["slug"] == theirs
    account = venue.service.call("service.get_billing_account", organization=theirs)
    assert account["organization_id"] == venue.organization_id
    # Nor does closing take the one for the other.
    with pytest.raises(Refused):
        venue.owner.call(
            "close_organization", organization_id=venue.organization_id, confirm_slug=venue.slug
        )


def test_an_organization_that_is_called_as_another_calendar_does_not_open_it(
    venue: Venue, other: Venue
) -> None:
    other.owner.change("update public.organizations set slug = %s", venue.slug)
    seen = other.public.call("get_calendar", slug=venue.slug)
    assert seen["organization"]["slug"] == slug_of(venue)
    account = venue.service.call("service.get_billing_account", organization=venue.slug)
    assert account["organization_id"] == other.organization_id


def test_an_organization_whose_slug_is_another_s_id_is_not_taken_for_it(
    venue: Venue, other: Venue
) -> None:
    for taker, taken in ((venue, other), (other, venue)):
        taker.owner.change("update public.organizations set slug = %s", taken.organization_id)
    for asked in (venue, other):
        account = venue.service.call(
            "service.get_billing_account", organization=asked.organization_id
        )
        assert account["organization_id"] == asked.organization_id


def test_only_these_functions_find_something_by_a_slug(money: Database) -> None:
    found = {
        (row["name"], table)
        for row in money.all(
            "select oid::regproc::text as name, prosrc from pg_proc"
            " where pronamespace in"
            " ('public'::regnamespace, 'private'::regnamespace, 'service'::regnamespace)"
        )
        for table, alias in re.findall(
            r"\bpublic\.(organizations|calendars) as (\w+)", row["prosrc"]
        )
        if re.search(rf"\b{alias}\.slug = ", row["prosrc"])
    }
    assert found == {
        ("private.public_calendar", "calendars"),
        ("private.close_organization", "organizations"),
        ("private.get_billing_account", "organizations"),
    }
