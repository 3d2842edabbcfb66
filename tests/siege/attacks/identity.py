"""Being somebody else: addresses, tokens, invitations, keys."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from html import unescape
from typing import Any
from uuid import uuid4

from siege.ground import Ground, address, hold_true, message
from venues import answer


def a_strangers_account_with_my_address_sees_nothing(ground: Ground) -> None:
    """An account made with a customer's address, never confirmed, gets none of their bookings."""
    guest = address("guest")
    answer(ground.hold(ground.visitor(), ground.times()[0], guest))
    for spelling in (guest, guest.upper()):
        signed_up = ground.http().post(
            "/auth/v1/signup",
            headers={"apikey": ground.stack.publishable_key},
            json={"email": spelling, "password": "a long enough password"},
        )
        token = signed_up.json().get("access_token") if signed_up.is_success else None
        if token is None:
            continue
        found = ground.bearer(token).rpc("my_bookings")
        hold_true(
            not found.is_success or found.json() == [],
            f"my_bookings of an unproven account: {found.text[:200]}",
        )


def a_scanner_that_opens_my_mail_gives_a_stranger_nothing(ground: Ground) -> None:
    """A password from before the mail was opened gets none of the address's bookings."""
    guest = address("scanned")
    answer(ground.hold(ground.visitor(), ground.times()[0], guest))
    credentials = {"email": guest, "password": "a long enough password"}
    headers = {"apikey": ground.stack.publishable_key}
    http = ground.http()
    http.post("/auth/v1/signup", headers=headers, json=credentials)
    mails = ground.mailbox().wait_for(guest)
    link = re.findall(r'href="([^"]*/auth/v1/verify[^"]*)"', mails[0]["html"])[0]
    http.get(unescape(link))
    signed_in = http.post(
        "/auth/v1/token", params={"grant_type": "password"}, headers=headers, json=credentials
    )
    stranger = ground.bearer(answer(signed_in)["access_token"])
    for call in ("my_bookings", "reset_sign_in"):
        found = stranger.rpc(call)
        hold_true(message(found) == "email_not_proven", f"{call}: {found.text[:200]}")


def nobody_signs_in_with_an_address_that_is_not_confirmed(ground: Ground) -> None:
    """A password alone opens no session before the mail came back."""
    guest = address("unconfirmed")
    credentials = {"email": guest, "password": "a long enough password"}
    headers = {"apikey": ground.stack.publishable_key}
    http = ground.http()
    http.post("/auth/v1/signup", headers=headers, json=credentials)
    signed_in = http.post(
        "/auth/v1/token", params={"grant_type": "password"}, headers=headers, json=credentials
    )
    hold_true(
        "access_token" not in signed_in.text, f"signed in unconfirmed: {signed_in.text[:120]}"
    )


def an_invitation_is_for_its_address_only(ground: Ground) -> None:
    """A token in the wrong hands makes no member."""
    invited = address("invited")
    answer(
        ground.north.owner.rpc(
            "invite_member",
            organization_id=ground.north.organization_id,
            email=invited,
            role_id=ground.role("manager"),
        )
    )
    (mail,) = ground.mailbox().wait_for(invited)
    token = _token_in(mail)
    thief = ground.as_user(ground.user())
    taken = thief.rpc("accept_invitation", token=token)
    hold_true(
        not taken.is_success and message(taken) == "invitation_for_another_email",
        f"a stranger accepted: {taken.status_code} {taken.text[:200]}",
    )


def tokens_cannot_be_forged(ground: Ground) -> None:
    """No signature, another key, another algorithm, another role: no row."""
    member, _ = ground.hire("manager")
    genuine = json.loads(_decoded(member.access_token.split(".")[1]))
    forged: list[str] = [
        _jwt({"alg": "none"}, genuine, None),
        _jwt({"alg": "HS256"}, genuine, b"guess"),
        _jwt({"alg": "HS256"}, {**genuine, "role": "service_role"}, b""),
        _jwt({"alg": "HS512"}, {**genuine, "role": "postgres"}, b"postgres"),
        _jwt(
            {"alg": "HS256"},
            {**genuine, "exp": int(time.time()) - 3600},
            ground.stack.jwt_secret.encode(),
        ),
        _jwt(
            {"alg": "HS256"},
            {**genuine, "iss": "https://elsewhere.test/auth/v1"},
            b"another project's secret",
        ),
        _tampered(member.access_token),
    ]
    for token in forged:
        seen = ground.bearer(token, ground.north.organization_id).get("rooms", select="id")
        hold_true(
            seen.status_code in {400, 401, 403}, f"a forged token was let in: {seen.text[:200]}"
        )


def a_key_cannot_do_more_than_it_was_given(ground: Ground) -> None:
    """An API key reads what its permissions open, and ends when it is revoked."""
    mine = {"organization_id": ground.north.organization_id}
    key = answer(
        ground.north.owner.rpc("create_api_key", **mine, name="Siege", permissions=["rooms:read"])
    )
    exchanged = ground.api().post("/v1/token", json={"api_key": key["secret"]})
    token = answer(exchanged)["access_token"]
    as_key = ground.bearer(token)
    hold_true(len(answer(as_key.get("rooms", select="id"))) > 0, "the key reads no rooms")
    for table in ("bookings", "customers", "payments", "memberships"):
        hold_true(
            answer(as_key.get(table, select="*")) == [], f"the key reads {table} without permission"
        )
    for function, arguments in (
        ("invite_member", {"email": address("x"), "role_id": ground.role("owner")}),
        ("create_api_key", {"name": "Child", "permissions": ["bookings:read"]}),
        ("export_organization", {}),
        ("export_table", {"kind": "customers"}),
    ):
        refused = as_key.rpc(function, **mine, **arguments)
        hold_true(refused.status_code == 403, f"the key called {function}: {refused.text[:120]}")
    answer_of_revoking = ground.north.owner.rpc("revoke_api_key", **mine, api_key_id=key["id"])
    hold_true(answer_of_revoking.is_success, answer_of_revoking.text)
    hold_true(answer(as_key.get("rooms", select="id")) == [], "a revoked key still reads")


def a_wrong_key_is_not_guessed_for_ever(ground: Ground) -> None:
    """Whoever tries keys, join codes or tokens of bookings is stopped."""
    api = ground.api()
    answers = [
        api.post("/v1/token", json={"api_key": f"esk_{uuid4().hex}"}).status_code for _ in range(70)
    ]
    hold_true(answers[-1] == 429, f"70 wrong keys from one address: {sorted(set(answers))}")
    outsider = ground.as_user(ground.user())
    codes = [outsider.rpc("join_organization", code=f"{n:010d}").status_code for n in range(15)]
    hold_true(codes[-1] == 429, f"15 wrong join codes: {sorted(set(codes))}")


def a_mark_in_a_booking_is_not_a_way_in(ground: Ground) -> None:
    """A booking's link opens that booking and no other."""
    first, second = ground.times()[5:7]
    visitor = ground.visitor()
    mine = answer(ground.hold(visitor, first, address("mine")))
    other = answer(ground.hold(ground.visitor(), second, address("other")))
    for function in ("get_booking", "cancel_booking", "quote_reschedule"):
        crossed = visitor.rpc(
            function, reference=other["reference"], manage_token=mine["manage_token"]
        )
        hold_true(crossed.status_code == 404, f"{function} crossed: {crossed.text[:120]}")


def _token_in(mail: dict[str, Any]) -> str:
    """The token of an invitation's link."""
    import re

    found = re.search(
        r"(?:token|invitation)=([A-Za-z0-9_-]{20,})", mail.get("text") or mail["html"]
    )
    hold_true(found is not None, "the invitation's mail has no link")
    assert found is not None
    return found[1]


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _jwt(header: dict[str, str], claims: dict[str, Any], key: bytes | None) -> str:
    signed = ".".join(
        _encoded(json.dumps(part).encode()) for part in ({"typ": "JWT", **header}, claims)
    )
    if key is None:
        return f"{signed}."
    digest = hashlib.sha512 if header["alg"] == "HS512" else hashlib.sha256
    return f"{signed}.{_encoded(hmac.new(key, signed.encode(), digest).digest())}"


def _tampered(token: str) -> str:
    header, claims, signature = token.split(".")
    changed = {**json.loads(_decoded(claims)), "sub": str(uuid4())}
    return f"{header}.{_encoded(json.dumps(changed).encode())}.{signature}"
