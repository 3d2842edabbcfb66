"""A file's name says what its bucket holds, however it came there: who serves it may believe it."""

from __future__ import annotations

import mimetypes

import pytest

from client import Client
from db.booking_world import Shop, open_shop
from matrix.house import House
from matrix.promises import refused

#: What each bucket is for, and who writes it.
HELD = {
    "logos": ("logo.png", "Logo.JPG", "logo.v2.webp", "a.avif", "a.jpeg"),
    "room-images": ("rooms/a.png", "rooms/A.JPEG", "rooms/a.webp", "rooms/a.avif"),
    "documents": ("contract.pdf", "prices.csv", "notes.txt", "2026/scan.PNG"),
    "team-photos": ("2026/team.jpg", "team.webp"),
}
PAGES = (
    *("x.html", "x.svg", "x.js", "x.png.html", "x.htm", "x.xml"),
    *("x", ".png", "png", "x.png/", "x.png\n"),
)


@pytest.fixture
def shop(house: House) -> Shop:
    return open_shop(house, "Venue")


def put(client: Client, bucket: str, name: str) -> int:
    return client.change(
        "insert into storage.objects (bucket_id, name) values (%s, %s)", bucket, name
    )


@pytest.mark.parametrize("bucket", HELD)
def test_nothing_is_uploaded_or_copied_that_its_bucket_does_not_hold(
    shop: Shop, bucket: str
) -> None:
    """A copy is an insert, too."""
    for name in HELD[bucket]:
        assert put(shop.venue.owner, bucket, f"{shop.id}/{name}") == 1
    for name in PAGES:
        with refused(403, "42501"):
            put(shop.venue.owner, bucket, f"{shop.id}/rooms/{name}")


def test_a_game_master_s_photo_is_no_page(shop: Shop) -> None:
    gil = shop.venue.hire("gil", "game_master")
    assert put(gil, "team-photos", f"{shop.id}/t.jpg") == 1
    with refused(403, "42501"):
        put(gil, "team-photos", f"{shop.id}/t.html")


@pytest.mark.parametrize("bucket", HELD)
def test_nothing_is_renamed_or_moved_into_what_a_bucket_does_not_hold(
    shop: Shop, bucket: str
) -> None:
    name = f"{shop.id}/{HELD[bucket][0]}"
    put(shop.venue.owner, bucket, name)
    for page in PAGES:
        with refused(403, "42501"):
            shop.venue.owner.change(
                "update storage.objects set name = %s where name = %s", f"{shop.id}/{page}", name
            )
    assert shop.venue.owner.select("select name from storage.objects") == [{"name": name}]


def test_a_document_moves_into_a_public_bucket_only_as_a_picture(house: House, shop: Shop) -> None:
    for name in ("a.pdf", "b.png"):
        put(shop.venue.owner, "documents", f"{shop.id}/{name}")
    house.owner_sql(
        "insert into storage.objects (bucket_id, name) values ('exports', %s)",
        f"{shop.id}/all.jsonl",
    )
    move = "update storage.objects set bucket_id = 'logos' where name = %s"
    with refused(403, "42501"):
        shop.venue.owner.change(move, f"{shop.id}/a.pdf")
    with refused(403, "42501"):
        put(shop.venue.owner, "logos", f"{shop.id}/all.jsonl")
    # No policy lets anybody move an export.
    assert shop.venue.owner.change(move, f"{shop.id}/all.jsonl") == 0
    assert shop.venue.owner.change(move, f"{shop.id}/b.png") == 1


def test_what_is_there_under_another_name_can_be_put_right_or_deleted(
    house: House, shop: Shop
) -> None:
    for name in ("old", "older"):
        house.owner_sql(
            "insert into storage.objects (bucket_id, name) values ('logos', %s)",
            f"{shop.id}/{name}",
        )
    change = "update storage.objects set name = %s where name = %s"
    assert shop.venue.owner.change(change, f"{shop.id}/old.png", f"{shop.id}/old") == 1
    delete = "delete from storage.objects where name = %s"
    with house.connection.transaction(force_rollback=True):
        house.connection.execute("set local storage.allow_delete_query = 'true'")
        assert shop.venue.owner.change(delete, f"{shop.id}/older") <= 1


def test_every_bucket_is_held_to_the_endings_of_its_own_types(house: House) -> None:
    buckets = house.owner_sql("select id, allowed_mime_types as types from storage.buckets")
    assert buckets
    more = {".webp": "image/webp", ".avif": "image/avif", ".jsonl": "application/jsonl"}
    sheet = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    known = {**mimetypes.types_map, **more, ".ndjson": "application/x-ndjson", ".xlsx": sheet}
    for bucket in buckets:
        for ending, kind in known.items():
            (row,) = house.owner_sql(
                "select private.is_file_name(%s, %s) as held", bucket["id"], f"a/x{ending}"
            )
            if row["held"]:
                assert kind in bucket["types"], (bucket["id"], ending)
        for kind in bucket["types"]:
            ends = [ending for ending, of in known.items() if of == kind]
            held = house.owner_sql(
                "select e from unnest(%s::text[]) as e where private.is_file_name(%s, 'a/x' || e)",
                ends,
                bucket["id"],
            )
            assert held, (bucket["id"], kind)


def test_every_policy_that_lets_files_in_asks_for_their_names(house: House) -> None:
    rows = house.owner_sql(
        "select polname, pg_get_expr(polwithcheck, polrelid) as asked from pg_policy"
        " where polrelid = 'storage.objects'::regclass and polcmd in ('a', 'w', '*')"
    )
    assert len(rows) == 8
    for row in rows:
        assert "private.is_file_name(bucket_id, name)" in row["asked"], row["polname"]


def test_a_stored_path_of_a_picture_ends_as_one(shop: Shop) -> None:
    room = shop.add_room()
    owner = shop.venue.owner
    logo = "update public.organizations set logo_path = %s"
    image = "insert into public.room_images (room_id, path) values (%s, %s)"
    for name in ("x.svg", "x.html", "x"):
        with refused(400, "23514"):
            owner.change(logo, f"{shop.id}/{name}")
        with refused(400, "23514"):
            owner.change(image, room, f"{shop.id}/rooms/{name}")
    assert owner.change(logo, f"{shop.id}/x.PNG") == 1
    assert owner.change(logo, None) == 1
    assert owner.change(image, room, f"{shop.id}/rooms/x.avif") == 1
