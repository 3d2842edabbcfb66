"""The real Python `supabase` client through the gateway: what a venue's own scripts would use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import httpx
import pytest
from postgrest.exceptions import APIError
from supabase import Client, create_client
from supabase.lib.client_options import SyncClientOptions

from stack import Mailbox, Stack

# The client hands itself a parameter that it deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The 'timeout' parameter:DeprecationWarning")

Connect = Callable[..., Client]
Json = dict[str, Any]


@pytest.fixture
def connect(stack: Stack) -> Iterator[Connect]:
    """`connect(organization_id=None)`: a client that nobody is signed in to."""
    with ExitStack() as connections:

        def make(organization_id: str | None = None) -> Client:
            headers = {"x-organization-id": organization_id} if organization_id else {}
            options = SyncClientOptions(
                auto_refresh_token=False,
                persist_session=False,
                headers=headers,
                httpx_client=connections.enter_context(httpx.Client()),
            )
            return create_client(stack.url, stack.publishable_key, options=options)

        yield make


def open_venue(client: Client, name: str) -> Json:
    """An organization with one room on sale every day from 10:00 to 22:00."""
    slug = f"{name}-{uuid4().hex[:8]}"
    organization = cast(
        "Json", client.rpc("create_organization", {"name": name, "locale": "en"}).execute().data
    )

    def insert(table: str, **row: object) -> Json:
        return cast("Json", client.table(table).insert(row).execute().data[0])

    location = insert("locations", name="Centre", timezone="Europe/London")
    room = insert(
        "rooms",
        location_id=location["id"],
        slug="attic",
        name="The Attic",
        price_cents=3000,
        price_per="session",
        is_published=True,
    )
    for weekday in range(1, 8):
        insert(
            "schedules", room_id=room["id"], weekday=weekday, opens_at="10:00", closes_at="22:00"
        )
    calendar = insert("calendars", slug=slug, name=name, minimum_notice_minutes=0)
    insert("calendar_rooms", calendar_id=calendar["id"], room_id=room["id"])
    return {"organization_id": organization["id"], "room_id": room["id"], "slug": slug}


def sign_up(client: Client, mailbox: Mailbox) -> str:
    """A new user, signed in by the code in the mail; returns the address."""
    email = f"py-{uuid4().hex[:12]}@example.test"
    client.auth.sign_up({"email": email, "password": "correct-horse-battery"})
    client.auth.verify_otp({"email": email, "token": mailbox.code_for(email), "type": "signup"})
    return email


def test_a_script_signs_in_refreshes_and_runs_its_venue(connect: Connect, mailbox: Mailbox) -> None:
    owner = connect()
    email = sign_up(owner, mailbox)
    before = owner.auth.get_session()
    assert before is not None
    refreshed = owner.auth.refresh_session()
    assert refreshed.session is not None
    assert refreshed.session.refresh_token != before.refresh_token

    venue = open_venue(owner, "attic")
    nobody = connect()
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    slots = cast(
        "list[Json]",
        nobody.rpc(
            "get_availability",
            {"slug": venue["slug"], "from_date": tomorrow, "to_date": tomorrow, "party_size": 3},
        )
        .execute()
        .data,
    )
    held = cast(
        "Json",
        nobody.rpc(
            "hold_booking",
            {
                "slug": venue["slug"],
                "room_id": venue["room_id"],
                "starts_at": slots[0]["starts_at"],
                "party_size": 3,
                "customer": {"full_name": "Penny", "email": "penny@example.test"},
                "expected_total_cents": 3000,
                "idempotency_key": uuid4().hex,
            },
        )
        .execute()
        .data,
    )
    rows = cast(
        "list[Json]",
        owner.table("bookings").select("*,rooms(name),customers(full_name)").execute().data,
    )
    assert [(row["reference"], row["rooms"]["name"]) for row in rows] == [
        (held["reference"], "The Attic")
    ]

    again = connect()
    again.auth.sign_in_with_password({"email": email, "password": "correct-horse-battery"})
    context = cast("Json", again.rpc("my_context").execute().data)
    assert context["active_organization_id"] == venue["organization_id"]


def test_another_venue_a_player_and_nobody_see_nothing_of_it(
    connect: Connect, mailbox: Mailbox
) -> None:
    owner = connect()
    sign_up(owner, mailbox)
    venue = open_venue(owner, "cellar")

    rival = connect(venue["organization_id"])
    sign_up(rival, mailbox)
    assert rival.table("rooms").select("*").execute().data == []
    assert (
        rival.table("rooms").update({"name": "Mine"}).eq("id", venue["room_id"]).execute().data
        == []
    )
    with pytest.raises(APIError) as refused:
        rival.table("rooms").insert(
            {
                "organization_id": venue["organization_id"],
                "location_id": str(uuid4()),
                "slug": "theirs",
                "name": "Theirs",
                "price_cents": 1,
            }
        ).execute()
    assert refused.value.code == "42501"

    with pytest.raises(APIError) as nothing:
        connect().table("rooms").select("*").execute()
    assert nothing.value.code == "42501"
    assert owner.table("rooms").select("name").execute().data == [{"name": "The Attic"}]
