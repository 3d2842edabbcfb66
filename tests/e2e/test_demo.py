"""The demo: made through the product's own functions, once, and as if the venues had been open."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from escapemaster_dev.seed import demo
from escapemaster_dev.seed.settings import SeedSettings
from escapemaster_dev.seed.venues import PASSWORD, VENUES, Person, Venue
from stack import Mailbox, Rest, Stack

PEOPLE = [(venue, person) for venue in VENUES for person in venue.staff]


@pytest.fixture(scope="module")
def report(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seed the run's stack; what was written about it."""
    path = tmp_path_factory.mktemp("demo") / "demo.json"
    demo.main(SeedSettings.from_environment(stack.variables, path), tell=lambda _: None)
    return path


@pytest.fixture(scope="module")
def bookings(stack: Stack, report: Path) -> list[dict[str, Any]]:
    """All bookings of the demo, as the owner of the database sees them."""
    with psycopg.connect(stack.owner_dsn, row_factory=dict_row) as connection:
        return connection.execute(
            """
            select b.*, o.slug, s.ends_at, balance.paid_cents,
              (
                select array_agg(h.to_status order by h.occurred_at)
                from public.booking_history as h
                where h.organization_id = b.organization_id and h.booking_id = b.id
              ) as story
            from public.bookings as b
            join public.organizations as o on o.id = b.organization_id
            join public.sessions as s
              on s.organization_id = b.organization_id and s.id = b.session_id
            cross join private.booking_balance(b.organization_id, b.id) as balance
            where o.slug = any (%s)
            """,
            ([venue.slug for venue in VENUES],),
        ).fetchall()


def sign_in(stack: Stack, gateway: httpx.Client, person: Person) -> Rest:
    answer = gateway.post(
        "/auth/v1/token?grant_type=password",
        headers={"apikey": stack.publishable_key},
        json={"email": person.email, "password": PASSWORD},
    )
    assert answer.status_code == 200, answer.text
    token = answer.json()["access_token"]
    return Rest(gateway, {"apikey": stack.publishable_key, "Authorization": f"Bearer {token}"})


@pytest.mark.parametrize(("venue", "person"), PEOPLE, ids=[person.email for _, person in PEOPLE])
def test_everybody_signs_in_to_their_own_venue_and_sees_no_other(
    stack: Stack, gateway: httpx.Client, report: Path, venue: Venue, person: Person
) -> None:
    rest = sign_in(stack, gateway, person)

    context = rest.rpc("my_context").json()
    rooms = rest.get("rooms", select="slug").json()
    bookings = rest.get("bookings", select="*,rooms(name),customers(full_name)", limit="5").json()

    assert context["user"]["full_name"] == person.full_name
    assert [one["slug"] for one in context["organizations"]] == [venue.slug]
    assert context["organizations"][0]["role"]["key"] == person.role
    assert {room["slug"] for room in rooms} == {room.slug for room in venue.rooms}
    assert len(bookings) == 5
    assert {one["organization_id"] for one in bookings} == {context["organizations"][0]["id"]}


@pytest.mark.parametrize("venue", VENUES, ids=[venue.slug for venue in VENUES])
def test_the_calendar_shows_its_rooms_and_sells_them(
    anon: Rest, gateway: httpx.Client, report: Path, venue: Venue
) -> None:
    calendar = anon.rpc("get_calendar", slug=venue.slug).json()
    first = datetime.now(UTC).date()
    free = anon.rpc(
        "get_availability",
        slug=venue.slug,
        from_date=str(first),
        to_date=str(first + timedelta(days=14)),
    ).json()

    assert (calendar["currency"], calendar["timezone"]) == (venue.currency, venue.timezone)
    on_sale = [room for room in venue.rooms if room.is_published]
    assert [room["slug"] for room in calendar["rooms"]] == [room.slug for room in on_sale]
    assert {slot["room_id"] for slot in free} == {room["id"] for room in calendar["rooms"]}
    for room in calendar["rooms"]:
        (mine,) = [one for one in on_sale if one.slug == room["slug"]]
        assert [image["alt"] for image in room["images"]] == [one.alt for one in mine.pictures]
        for image in room["images"]:
            picture = gateway.get(f"/storage/v1/object/public/room-images/{image['path']}")
            assert picture.headers["content-type"] == "image/png"
            assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("venue", VENUES, ids=[venue.slug for venue in VENUES])
def test_a_day_is_full_but_for_a_booking_that_may_be_cancelled(
    anon: Rest, report: Path, venue: Venue
) -> None:
    written = json.loads(report.read_text("utf-8"))["calendars"]
    mine = next(one for one in written if one["slug"] == venue.slug)
    assert mine["coupon"] == venue.coupon.code

    full = {"slug": venue.slug, "from_date": mine["full_day"], "to_date": mine["full_day"]}
    free = anon.rpc("get_availability", **full, party_size=1).json()
    reference, token = re.search(r"reference=(.*)#token=(.*)", mine["spare_url"]).groups()  # type: ignore[union-attr]
    spare = anon.rpc("get_booking", reference=reference, manage_token=token).json()

    assert free == []
    assert (spare["status"], spare["party_size"], spare["cancellable"]) == ("confirmed", 2, True)
    assert spare["starts_at"].startswith(mine["full_day"])
    calendar = anon.rpc("get_calendar", slug=venue.slug).json()
    assert calendar["waitlist"]
    waived = [room["name"] for room in calendar["rooms"] if room["waiver_policy"] == "required"]
    assert waived == [mine["waiver_room"]]


def test_what_is_over_has_ended_and_what_is_to_come_has_not_begun(
    bookings: list[dict[str, Any]],
) -> None:
    now = datetime.now(UTC)
    over = [one for one in bookings if one["ends_at"] < now - timedelta(minutes=5)]
    to_come = [one for one in bookings if one["starts_at"] > now + timedelta(minutes=5)]

    assert {one["status"] for one in over} <= {"completed", "no_show", "cancelled", "expired"}
    assert {one["status"] for one in to_come} <= {"confirmed", "pending", "cancelled", "held"}
    for venue in VENUES:
        statuses = Counter(one["status"] for one in bookings if one["slug"] == venue.slug)
        assert statuses["completed"] > 20
        assert statuses["confirmed"] > 20
        days = {one["starts_at"].date() for one in bookings if one["slug"] == venue.slug}
        assert max(days) - min(days) > timedelta(days=20)


def test_every_booking_has_a_story_that_could_be_true(bookings: list[dict[str, Any]]) -> None:
    stories = {tuple(one["story"]) for one in bookings}

    assert stories <= {
        ("held",),
        ("held", "confirmed"),
        ("held", "pending"),
        ("held", "cancelled"),
        ("held", "expired"),
        ("held", "confirmed", "no_show"),
        ("held", "confirmed", "checked_in", "in_progress"),
        ("held", "confirmed", "checked_in", "in_progress", "completed"),
    }
    for one in bookings:
        owed = one["total_cents"] if "confirmed" in one["story"] else 0
        assert one["paid_cents"] == owed, one["reference"]
        assert one["created_at"] < one["starts_at"]


def test_nobody_is_written_to_about_bookings_that_nobody_made_but_one_reminder_a_venue(
    stack: Stack, bookings: list[dict[str, Any]], mailbox: Mailbox
) -> None:
    coming = {str(one["id"]): one for one in bookings if one["status"] == "confirmed"}
    with psycopg.connect(stack.owner_dsn) as connection:
        organizations = list({one["organization_id"] for one in bookings})
        mails = connection.execute(
            "select j.organization_id, j.payload ->> 'template', j.payload ->> 'booking_id',"
            " (select c.email from public.customers as c where c.id = b.customer_id)"
            " from private.jobs as j"
            " left join public.bookings as b on b.id = (j.payload ->> 'booking_id')::uuid"
            " where j.organization_id = any (%s) and j.kind = 'email.send'",
            (organizations,),
        ).fetchall()
        news = connection.execute(
            "select kind from private.notice_events where organization_id = any (%s)",
            (organizations,),
        ).fetchall()

    assert news == []
    assert [template for _, template, *_ in mails] == ["reminder"] * len(VENUES)
    assert len({organization for organization, *_ in mails}) == len(VENUES)
    for _, _, booking, email in mails:
        [mail] = mailbox.wait_for(email)
        assert coming[booking]["reference"] in mail["text"]
        assert coming[booking]["starts_at"] > datetime.now(UTC)


def test_a_second_seed_changes_nothing(
    stack: Stack, report: Path, bookings: list[dict[str, Any]]
) -> None:
    organizations = list({one["organization_id"] for one in bookings})
    written = report.read_text("utf-8")
    said: list[str] = []

    def changes() -> Any:
        with psycopg.connect(stack.owner_dsn) as connection:
            return connection.execute(
                "select count(*) from public.audit_log where organization_id = any (%s)",
                (organizations,),
            ).fetchone()

    before = changes()
    demo.main(SeedSettings.from_environment(stack.variables, report), tell=said.append)

    assert changes() == before
    assert report.read_text("utf-8") == written
    assert said == [f"{venue.name}: there already" for venue in VENUES]
