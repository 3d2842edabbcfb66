"""What the demo is made of, without a stack."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from escapemaster_dev.seed.pictures import SCENES, read_picture
from escapemaster_dev.seed.plan import COMING, PAST, Slot, visits
from escapemaster_dev.seed.settings import SeedSettings
from escapemaster_dev.seed.venues import CASA_LABERINTO, VENUES

LOCAL = {
    "SUPABASE_URL": "http://127.0.0.1:54321",
    "SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
    "DATABASE_URL": "postgresql://postgres:secret@127.0.0.1:54322/postgres",
    "PUBLIC_SITE_URL": "http://127.0.0.1:54321/demo/",
}


@pytest.mark.parametrize("scene", sorted(SCENES))
def test_a_picture_is_a_small_png_of_the_size_that_rooms_show(scene: str) -> None:
    picture = read_picture(scene)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (1280, 800)
    assert len(picture) < 100_000


def test_every_room_on_sale_has_a_picture() -> None:
    for venue in VENUES:
        for room in venue.rooms:
            assert bool(room.pictures) == room.is_published
            for picture in room.pictures:
                assert picture.scene in SCENES
                assert set(picture.alt) == {"es", "en", "ca"}


def test_some_rooms_have_several_pictures_in_either_flow() -> None:
    for venue in VENUES:
        assert any(len(room.pictures) > 1 for room in venue.rooms)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"SUPABASE_URL": "https://project.supabase.co"},
        {"DATABASE_URL": "postgresql://postgres:secret@db.project.supabase.co/postgres"},
    ],
)
def test_a_hosted_project_is_never_given_a_public_password(elsewhere: dict[str, str]) -> None:
    SeedSettings.from_environment(LOCAL, Path("demo.json"))

    with pytest.raises(ValueError, match="this machine"):
        SeedSettings.from_environment(LOCAL | elsewhere, Path("demo.json"))


@pytest.mark.parametrize("back", [None, timedelta(days=28)])
def test_the_same_day_always_gives_the_same_plan(back: timedelta | None) -> None:
    saturday = datetime(2030, 3, 30, 17, 30, tzinfo=UTC)
    slots = [
        Slot(room, f"room {room.slug}", saturday + timedelta(hours=hours), saturday.date(), 8)
        for room in CASA_LABERINTO.rooms
        for hours in range(300)
    ]

    planned = [one for slot in slots for one in visits(CASA_LABERINTO, slot, back)]

    assert planned == [one for slot in slots for one in visits(CASA_LABERINTO, slot, back)]
    assert {one.fate for one in planned} == set(COMING if back is None else PAST)
    for one in planned:
        smallest, largest = one.slot.room.party
        assert max(2, smallest) <= one.party <= largest
        assert one.email.isascii()
        assert one.made_at < one.takes_place_at


def test_the_past_keeps_the_hour_on_the_wall_when_the_clocks_change() -> None:
    room = CASA_LABERINTO.rooms[2]
    # 31 March 2030 begins summer time in Madrid: 20:00 is 18:00 UTC after it, 19:00 before.
    evenings = [
        Slot(room, "room", datetime(2030, 4, day, 18, 0, tzinfo=UTC), date(2030, 4, day), 8)
        for day in range(1, 28)
    ]

    moved = [
        one.takes_place_at
        for slot in evenings
        for one in visits(CASA_LABERINTO, slot, timedelta(days=28))
    ]

    assert moved
    assert {moment.hour for moment in moved} == {20}
    assert {moment.astimezone(UTC).hour for moment in moved} == {19}
