"""The calendar feed, through the gateway, as a calendar program subscribes to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from icalendar import Calendar

from stack import Rest, User
from venues import Venue, answer, open_venue

FEED = "/functions/v1/calendar-feed"


@pytest.fixture(scope="module")
def venue(make_user: Callable[..., User], as_user: Callable[..., Rest]) -> Venue:
    # A name with everything that iCalendar has to escape or to fold.
    name = "Sótano; \\ número 7, «l'última habitació» 🔑 de la calle de los Herreros Viejos"
    return open_venue(make_user, as_user, name=name, rooms={"la-cripta": {"name": name}})


@pytest.fixture(scope="module")
def token(venue: Venue) -> str:
    return new_feed(venue)["token"]


@pytest.fixture(scope="module")
def held(venue: Venue, anon: Rest) -> dict[str, Any]:
    return hold(venue, anon)


def new_feed(
    venue: Venue, name: str = "Agenda, de «la casa»", by: Rest | None = None, **values: str
) -> dict[str, str]:
    feed: dict[str, str] = answer(
        (by or venue.owner).rpc(
            "create_calendar_feed", organization_id=venue.organization_id, name=name, **values
        )
    )
    return feed


def hold(venue: Venue, anon: Rest) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    room = venue.rooms["la-cripta"]
    slots = answer(
        anon.rpc(
            "get_availability",
            slug=venue.calendar,
            from_date=str(today + timedelta(days=1)),
            to_date=str(today + timedelta(days=10)),
            room_id=room,
            party_size=4,
        )
    )
    booking: dict[str, Any] = answer(
        anon.rpc(
            "hold_booking",
            slug=venue.calendar,
            room_id=room,
            starts_at=slots[0]["starts_at"],
            party_size=4,
            customer={"full_name": "Remedios Varo", "email": "remedios@example.test"},
            expected_total_cents=slots[0]["price_cents"],
            idempotency_key=uuid4().hex,
        )
    )
    return booking


def fetch(http: httpx.Client, token: str, **headers: str) -> httpx.Response:
    return http.get(
        FEED, params={"token": token}, headers={"Accept-Encoding": "identity", **headers}
    )


def events(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    return list(Calendar.from_ical(response.content).walk("VEVENT"))


def event_of(response: httpx.Response, booking: dict[str, Any]) -> Any:
    found = [event for event in events(response) if booking["reference"] in event["SUMMARY"]]
    assert len(found) == 1
    return found[0]


def test_a_calendar_program_reads_the_sessions(
    gateway: httpx.Client, venue: Venue, token: str, held: dict[str, Any]
) -> None:
    response = fetch(gateway, token)
    assert response.headers["content-type"] == "text/calendar; charset=utf-8"
    calendar: Any = Calendar.from_ical(response.content)
    # Not a property of the standard, so the parser leaves it as it was written.
    assert calendar["X-WR-CALNAME"] == r"Agenda\, de «la casa»"
    assert calendar["X-WR-TIMEZONE"] == "Europe/Madrid"
    assert calendar.refresh_interval == timedelta(minutes=15)

    event = event_of(response, held)
    assert venue.name in event["SUMMARY"]
    assert event["DTSTART"].dt == datetime.fromisoformat(held["starts_at"])
    assert event["DTEND"].dt == datetime.fromisoformat(held["ends_at"])
    assert event["STATUS"] == "TENTATIVE"
    assert event["LOCATION"] == venue.name
    assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt
    assert "@" in event["UID"]


def test_the_text_keeps_to_the_format(
    gateway: httpx.Client, token: str, held: dict[str, Any]
) -> None:
    content = fetch(gateway, token).content
    assert held["reference"].encode() in content
    assert content.endswith(b"END:VCALENDAR\r\n")
    for line in content.removesuffix(b"\r\n").split(b"\r\n"):
        assert len(line) <= 75
        assert b"\r" not in line
        assert b"\n" not in line
        line.decode()


def test_both_addresses_give_the_same(gateway: httpx.Client, token: str) -> None:
    by_path = gateway.get(f"{FEED}/{token}.ics", headers={"Accept-Encoding": "identity"})
    assert by_path.content == fetch(gateway, token).content


def test_nobody_is_named(gateway: httpx.Client, token: str, held: dict[str, Any]) -> None:
    text = fetch(gateway, token).text
    assert held["reference"] in text
    for personal in ("Remedios", "Varo", "example.test"):
        assert personal not in text


def test_what_has_not_changed_is_304(
    gateway: httpx.Client, token: str, held: dict[str, Any]
) -> None:
    first = fetch(gateway, token)
    etag = first.headers["etag"]
    assert etag.startswith('"'), "a strong tag"
    assert "private" in first.headers["cache-control"]
    for condition in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = fetch(gateway, token, **{"If-None-Match": condition})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == etag
    assert fetch(gateway, token, **{"If-None-Match": '"other"'}).status_code == 200


def test_a_change_is_seen_and_keeps_the_uid(
    gateway: httpx.Client, venue: Venue, anon: Rest
) -> None:
    token = new_feed(venue)["token"]
    booking = hold(venue, anon)
    bookings = answer(venue.owner.get("bookings", select="id,reference"))
    booking_id = next(one["id"] for one in bookings if one["reference"] == booking["reference"])
    before = fetch(gateway, token)

    def move(to_status: str) -> httpx.Response:
        answer(
            venue.owner.rpc(
                "transition_booking",
                organization_id=venue.organization_id,
                booking_id=booking_id,
                to_status=to_status,
            )
        )
        after = fetch(gateway, token, **{"If-None-Match": before.headers["etag"]})
        assert after.headers["etag"] != before.headers["etag"]
        return after

    held, confirmed = event_of(before, booking), event_of(move("confirmed"), booking)
    assert confirmed["UID"] == held["UID"]
    assert confirmed["STATUS"] == "CONFIRMED"
    assert confirmed["SEQUENCE"] >= held["SEQUENCE"]

    cancelled = event_of(move("cancelled"), booking)
    assert cancelled["UID"] == held["UID"]
    assert cancelled["STATUS"] == "CANCELLED"


def test_head_answers_without_a_body(gateway: httpx.Client, token: str) -> None:
    head = gateway.head(FEED, params={"token": token}, headers={"Accept-Encoding": "identity"})
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["etag"] == fetch(gateway, token).headers["etag"]


def test_labels_come_in_the_language_asked_for(
    gateway: httpx.Client, token: str, held: dict[str, Any]
) -> None:
    spanish = gateway.get(FEED, params={"token": token, "lang": "es"})
    assert event_of(spanish, held)["SUMMARY"].startswith("Sin pagar: ")
    assert spanish.headers["etag"] != fetch(gateway, token).headers["etag"]


@pytest.mark.parametrize(
    "wrong", ["", "short", "A" * 32, "A" * 5000, "../../rest/v1/bookings", "' or 1=1 --"]
)
def test_a_wrong_token_is_404(gateway: httpx.Client, wrong: str) -> None:
    response = fetch(gateway, wrong)
    assert response.status_code == 404
    assert response.json()["code"] == "feed_not_found"


def test_a_revoked_token_is_404_from_the_next_request_on(
    gateway: httpx.Client, venue: Venue
) -> None:
    feed = new_feed(venue)
    etag = fetch(gateway, feed["token"]).headers["etag"]
    answer(
        venue.owner.rpc(
            "revoke_calendar_feed", organization_id=venue.organization_id, feed_id=feed["id"]
        )
    )
    assert fetch(gateway, feed["token"], **{"If-None-Match": etag}).status_code == 404


def test_a_feed_shows_its_own_venue_only(
    gateway: httpx.Client,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    held: dict[str, Any],
) -> None:
    other = open_venue(make_user, as_user, name="Otra casa")
    assert held["reference"] not in fetch(gateway, new_feed(other)["token"]).text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_405(gateway: httpx.Client, token: str, method: str) -> None:
    response = gateway.request(method, FEED, params={"token": token})
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


def test_a_game_master_subscribes_to_what_is_theirs_until_they_leave(
    gateway: httpx.Client,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    anon: Rest,
) -> None:
    venue = open_venue(make_user, as_user, name="Casa con equipo")
    here = {"organization_id": venue.organization_id}
    person = make_user()
    master = as_user(person, venue.organization_id)
    answer(
        as_user(person).rpc(
            "join_organization", code=answer(venue.owner.rpc("rotate_join_code", **here))["code"]
        )
    )
    booking, other = hold(venue, anon), hold(venue, anon)
    sessions = {
        one["reference"]: one["session_id"]
        for one in answer(venue.owner.get("bookings", select="reference,session_id"))
    }
    token = new_feed(venue, "Mis partidas", master, user_id=person.id)["token"]
    empty = fetch(gateway, token)
    assert events(empty) == []

    assign = {**here, "session_id": sessions[booking["reference"]], "user_id": person.id}
    answer(venue.owner.rpc("assign_game_master", **assign))
    filled = fetch(gateway, token, **{"If-None-Match": empty.headers["etag"]})
    event = event_of(filled, booking)
    assert event["DTSTART"].dt == datetime.fromisoformat(booking["starts_at"])
    assert other["reference"] not in filled.text
    assert len(events(fetch(gateway, new_feed(venue)["token"]))) == 2

    answer(venue.owner.rpc("unassign_game_master", **assign))
    assert fetch(gateway, token).headers["etag"] == empty.headers["etag"]
    assert venue.owner.rpc("remove_member", **here, user_id=person.id).is_success
    assert fetch(gateway, token).status_code == 404


def test_a_room_s_feed_shows_that_room(
    gateway: httpx.Client,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    anon: Rest,
) -> None:
    venue = open_venue(
        make_user, as_user, name="Dos salas", rooms={"la-cripta": {}, "la-torre": {}}
    )
    booking = hold(venue, anon)
    for room, shown in (("la-cripta", 1), ("la-torre", 0)):
        feed = fetch(gateway, new_feed(venue, room_id=venue.rooms[room])["token"])
        assert len(events(feed)) == shown
        assert (booking["reference"] in feed.text) == bool(shown)
