"""A venue as its owner would set it up through the gateway, for tests that need one to book at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from stack import Rest, User


@dataclass(frozen=True, slots=True)
class Venue:
    """An organization with one calendar.

    Attributes:
        owner: PostgREST as the owner, for this organization.
        calendar: The calendar's public slug.
        rooms: Ids of the rooms by slug.
    """

    organization_id: str
    name: str
    owner: Rest
    calendar: str
    rooms: dict[str, str] = field(default_factory=dict)


def open_venue(
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    *,
    name: str = "Casa Prueba",
    timezone: str = "Europe/Madrid",
    rooms: dict[str, dict[str, Any]] | None = None,
) -> Venue:
    """Open a venue that sells every hour from 10 to 22, every day.

    Args:
        rooms: By slug, what differs from a private room for 2 to 6 at 60.00 a session.
    """
    user = make_user()
    organization = answer(
        as_user(user).rpc("create_organization", name=name, timezone=timezone, currency="EUR")
    )
    owner = as_user(user, organization["id"])
    location = _insert(owner, "locations", {"name": name, "timezone": timezone})
    slug = f"prueba-{uuid4().hex[:10]}"
    calendar = _insert(
        owner,
        "calendars",
        # All tests come from one address.
        {"slug": slug, "name": name, "minimum_notice_minutes": 0, "holds_per_address": 1000},
    )
    venue = Venue(organization["id"], name, owner, slug)
    for position, (room, changes) in enumerate((rooms or {"la-cripta": {}}).items()):
        made = _insert(
            owner,
            "rooms",
            {
                "location_id": location["id"],
                "slug": room,
                "name": room.replace("-", " ").capitalize(),
                "price_per": "session",
                "price_cents": 6000,
                "turnaround_minutes": 0,
                "difficulty": 3,
                "is_published": True,
                **changes,
            },
        )
        venue.rooms[room] = made["id"]
        answer(
            owner.insert(
                "schedules",
                [
                    {
                        "room_id": made["id"],
                        "weekday": weekday,
                        "opens_at": "10:00",
                        "closes_at": "22:00",
                    }
                    for weekday in range(1, 8)
                ],
            )
        )
        _insert(
            owner,
            "calendar_rooms",
            {"calendar_id": calendar["id"], "room_id": made["id"], "position": position},
        )
    return venue


def answer(response: httpx.Response) -> Any:
    """What a request that must succeed has answered."""
    assert response.is_success, f"{response.status_code}: {response.text}"
    return response.json()


def _insert(owner: Rest, table: str, row: dict[str, Any]) -> Any:
    return answer(owner.insert(table, row))[0]
