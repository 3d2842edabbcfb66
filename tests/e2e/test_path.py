"""The main job, by the ways that clients take: supabase-js, a browser, a mailbox."""

from __future__ import annotations

import base64
import json
import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Page

from escapemaster_dev.stack.config import ROOT
from stack import Mailbox, Rest, Stack, User, wait_until
from venues import answer, open_venue

Step = Callable[..., dict[str, Any]]


def small_png() -> str:
    """A red pixel, base64: the smallest picture that every reader takes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    picture += chunk(b"IDAT", zlib.compress(b"\x00\xff\x00\x00")) + chunk(b"IEND", b"")
    return base64.b64encode(picture).decode()


@pytest.fixture(scope="session")
def js(stack: Stack) -> Step:
    """`js("step", argument=…)`: one step of `clients/supabase-js.mjs`."""

    def run(step: str, **arguments: object) -> dict[str, Any]:
        finished = subprocess.run(
            ["node", str(Path(__file__).parent / "clients" / "supabase-js.mjs"), step],
            input=json.dumps(arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={
                **os.environ,
                "SUPABASE_URL": stack.url,
                "SUPABASE_PUBLISHABLE_KEY": stack.publishable_key,
            },
        )
        assert finished.returncode == 0, finished.stderr
        answer: dict[str, Any] = json.loads(finished.stdout)
        return answer

    return run


@pytest.fixture(scope="session")
def address() -> Callable[[str], str]:
    """`address("owner")`: an e-mail address that nobody else uses."""
    return lambda name: f"{name}-{uuid4().hex[:12]}@example.test"


def signed_up_by_mail(js: Step, mailbox: Mailbox, email: str, password: str) -> dict[str, Any]:
    """A new account whose session comes of the code in the mail."""
    assert js("signUp", email=email, password=password) == {"session": None}
    return js("confirmAndRefresh", email=email, code=mailbox.code_for(email))


def test_a_player_books_and_pays_and_only_the_venue_sees_it(
    js: Step,
    page: Page,
    api: httpx.Client,
    gateway: httpx.Client,
    mailbox: Mailbox,
    anon: Rest,
    make_user: Callable[..., User],
    address: Callable[[str], str],
) -> None:
    owner, rival, player = address("owner"), address("rival"), address("player")
    password = f"correct-{uuid4().hex}"

    signed_up = signed_up_by_mail(js, mailbox, owner, password)
    assert signed_up["rotated"]
    assert signed_up["fullName"] == "Olga Owner"
    assert signed_up["organizations"] == []

    slug = f"vault-{uuid4().hex[:8]}"
    venue = js(
        "openVenue",
        email=owner,
        password=password,
        name="Vault",
        slug=slug,
        imageBase64=small_png(),
    )
    picture = gateway.get(venue["imageUrl"])
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"

    customer = {"full_name": "Pau Player", "email": player, "locale": "ca"}
    booked = js("book", slug=slug, customer=customer, idempotencyKey=uuid4().hex)
    hold = booked["hold"]
    assert booked["quote"]["total_cents"] == hold["total_cents"] == 4 * 2500
    assert hold["status"] == "held"

    opened = api.post(
        "/v1/checkout",
        json={"reference": hold["reference"], "manage_token": hold["manage_token"]},
    )
    assert opened.status_code == 201, opened.text
    page.goto(opened.json()["checkout_url"])
    page.get_by_role("button", name="Paga").click()
    page.wait_for_url(f"**reference={hold['reference']}*")

    def confirmed() -> dict[str, Any] | None:
        booking: dict[str, Any] = anon.rpc(
            "get_booking", reference=hold["reference"], manage_token=hold["manage_token"]
        ).json()
        return booking if booking["status"] == "confirmed" else None

    assert wait_until(confirmed)["paid_cents"] == 10000
    [mail] = mailbox.wait_for(player)
    assert hold["reference"] in mail["html"]
    assert "The Vault" in mail["html"]

    seen = js("read", email=owner, password=password)
    [booking] = seen["rows"]
    assert booking["rooms"] == {"name": "The Vault"}
    assert booking["customers"] == {"full_name": "Pau Player", "email": player}
    assert booking["payments"] == [{"amount_cents": 10000, "method": "stripe"}]
    assert seen["count"] == 1

    signed_up_by_mail(js, mailbox, rival, password)
    js(
        "openVenue",
        email=rival,
        password=password,
        name="Rival",
        slug=f"rival-{uuid4().hex[:8]}",
        imageBase64=small_png(),
    )
    for header in (None, venue["organizationId"]):
        theirs = js("read", email=rival, password=password, organizationId=header)
        assert theirs["rows"] == []
        assert theirs["count"] == 0
    refused = js(
        "checkIn",
        email=rival,
        password=password,
        organizationId=venue["organizationId"],
        bookingId=booking["id"],
    )
    assert refused["status"] == 403
    assert refused["error"]["message"] == "permission_denied"
    intruder = js(
        "uploadInto",
        email=rival,
        password=password,
        path=f"{venue['organizationId']}/rooms/graffiti.png",
        imageBase64=small_png(),
    )
    assert intruder["error"] is not None

    visitor = make_user(email=player, password=password)
    assert js("read", email=visitor.email, password=password)["rows"] == []
    nobody = js("readAsNobody")
    assert nobody["status"] == 401
    assert nobody["error"]["code"] == "42501"

    arrival = {
        "email": owner,
        "password": password,
        "organizationId": venue["organizationId"],
        "bookingId": booking["id"],
    }
    early = js("checkIn", **arrival)
    assert (early["status"], early["error"]["message"]) == (409, "too_early")
    today = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    done = js("checkIn", **arrival, movedTo=today)
    assert done["booking"]["status"] == "checked_in"


def test_a_manager_reads_the_day_and_subscribes_to_what_one_person_runs(
    js: Step, anon: Rest, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    venue = open_venue(make_user, as_user)
    here = {"organization_id": venue.organization_id}
    manager, master = make_user(), make_user()
    code = answer(venue.owner.rpc("rotate_join_code", **here))["code"]
    for one in (manager, master):
        answer(as_user(one).rpc("join_organization", code=code))
    [role] = answer(venue.owner.get("roles", key="eq.manager", select="id"))
    answer(venue.owner.rpc("set_member_role", **here, user_id=manager.id, role_id=role["id"]))
    first = str((datetime.now(UTC) + timedelta(days=2)).date())
    slot, other = answer(
        anon.rpc("get_availability", slug=venue.calendar, from_date=first, to_date=first)
    )[:2]
    for starts_at in (slot["starts_at"], other["starts_at"]):
        answer(
            venue.owner.rpc(
                "create_booking",
                **here,
                room_id=slot["room_id"],
                starts_at=starts_at,
                party_size=2,
                customer={"full_name": "Pau Player", "email": "pau@example.test"},
                idempotency_key=uuid4().hex,
            )
        )
    sessions = answer(venue.owner.get("sessions", select="id", order="starts_at"))
    answer(
        venue.owner.rpc(
            "assign_game_master", **here, session_id=sessions[0]["id"], user_id=master.id
        )
    )

    seen = js(
        "readBoard",
        email=manager.email,
        password=manager.password,
        organizationId=venue.organization_id,
        date=slot["local_date"],
        userId=master.id,
    )

    [room] = seen["board"]["locations"][0]["rooms"]
    assert [one["bookings"][0]["contact_name"] for one in room["sessions"]] == ["Pau Player"] * 2
    assert [len(one["staff"]) for one in room["sessions"]] == [1, 0]
    assert seen["board"]["unassigned"] == 1
    assert seen["feed"]["type"].startswith("text/calendar")
    assert seen["feed"]["text"].count("BEGIN:VEVENT") == 1
    start = datetime.fromisoformat(slot["starts_at"]).astimezone(UTC)
    assert f"DTSTART:{start:%Y%m%dT%H%M%SZ}" in seen["feed"]["text"]


def test_a_private_document_is_read_through_a_signed_url_only(
    js: Step, make_user: Callable[..., User], as_user: Callable[..., Rest]
) -> None:
    owner, rival = make_user(), make_user()
    opened = as_user(owner).rpc("create_organization", name="Archive").json()
    as_user(rival).rpc("create_organization", name="Rival")
    path = f"{opened['id']}/contract.txt"

    kept = js("keepDocument", email=owner.email, password=owner.password, path=path, text="Ours")
    assert kept["text"] == "Ours"
    assert kept["unsigned"] >= 400
    assert kept["tampered"] >= 400

    for header in (None, opened["id"]):
        reached = js(
            "reachForDocument",
            email=rival.email,
            password=rival.password,
            organizationId=header,
            path=path,
        )
        assert reached["signed"]
        assert reached["read"]
        assert reached["listed"] == 0
