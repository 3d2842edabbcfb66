"""A game as its game master runs it, with supabase-js and the generated types."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from escapemaster_dev.stack import tools
from escapemaster_dev.stack.config import ROOT
from stack import Rest, Stack, User
from venues import Venue, answer, open_venue

_PROGRAM = Path(__file__).parent / "clients" / "games.ts"


def play(stack: Stack, cache: Path, arguments: dict[str, Any]) -> dict[str, Any]:
    """Compile and run the program; what it saw."""
    finished = subprocess.run(
        [
            *(str(tools.deno()), "run", "--check", "--quiet", "--no-remote", "--cached-only"),
            *("--node-modules-dir=manual", "--allow-net", "--allow-env", "--allow-read"),
            *("--config", str(ROOT / "edge" / "deno.json"), str(_PROGRAM)),
        ],
        input=json.dumps(arguments),
        cwd=ROOT,
        env={
            **os.environ,
            "DENO_DIR": str(cache),
            "NO_COLOR": "1",
            "SUPABASE_URL": stack.url,
            "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert finished.returncode == 0, finished.stderr
    seen: dict[str, Any] = json.loads(finished.stdout)
    return seen


def party_in(venue: Venue, master: User) -> tuple[dict[str, Any], str]:
    """A booking of this hour, checked in and given to its game master; its session."""
    (room,) = venue.rooms.values()
    here = {"organization_id": venue.organization_id}
    booking = answer(
        venue.owner.rpc(
            "create_booking",
            **here,
            room_id=room,
            starts_at=(datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
            party_size=4,
            customer={"full_name": "Pau Player"},
            idempotency_key=uuid4().hex,
        )
    )
    for status in ("confirmed", "checked_in"):
        answer(
            venue.owner.rpc(
                "transition_booking", **here, booking_id=booking["id"], to_status=status
            )
        )
    (row,) = answer(venue.owner.get("bookings", select="session_id", id=f"eq.{booking['id']}"))
    answer(
        venue.owner.rpc(
            "assign_game_master", **here, session_id=row["session_id"], user_id=master.id
        )
    )
    return booking, row["session_id"]


def test_a_game_master_runs_a_game_and_the_party_decides_who_sees_it(
    stack: Stack,
    make_user: Callable[..., User],
    as_user: Callable[..., Rest],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    venue, master = open_venue(make_user, as_user), make_user()
    code = answer(venue.owner.rpc("rotate_join_code", organization_id=venue.organization_id))[
        "code"
    ]
    answer(as_user(master).rpc("join_organization", code=code))
    booking, session = party_in(venue, master)
    (item,) = answer(
        venue.owner.insert(
            "checklist_items",
            {
                "room_id": next(iter(venue.rooms.values())),
                "phase": "before_game",
                "title": "Lock the chest",
            },
        )
    )
    seen = play(
        stack,
        tmp_path_factory.mktemp("deno"),
        {
            "email": master.email,
            "password": master.password,
            "organization_id": venue.organization_id,
            "session_id": session,
            "reference": booking["reference"],
            "manage_token": booking["manage_token"],
            "calendar": venue.calendar,
            "item_id": item["id"],
        },
    )
    assert seen == {
        "refused": "checklist_open",
        "open": [],
        "states": ["running", "paused", "finished"],
        "hints": 1,
        "left": True,
        "escaped_in": seen["escaped_in"],
        "results": [
            {
                "team_name": "Los Candados",
                "outcome": "escaped",
                "hints": 1,
                "bookings": {"reference": booking["reference"], "status": "completed"},
            }
        ],
        "agreed": True,
        # The name waits for somebody to approve it.
        "ranks": [[1, None, 10000]],
        "withdrawn": 0,
    }
    assert 1 <= seen["escaped_in"] < 60
