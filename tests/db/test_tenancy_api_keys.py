"""API keys: one organization, a subset of permissions, revocable at once."""

from __future__ import annotations

from datetime import datetime

import pytest

from client import Caller, Client
from matrix.house import House, Venue
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def admin(venue: Venue) -> Client:
    return venue.hire("adam", "admin")


def exchange(house: House, secret: str | None, address: str = "203.0.113.1") -> dict[str, str]:
    answer: dict[str, str] = house.service.call(
        "service.exchange_api_key", secret=secret, address=address
    )
    return answer


def test_a_key_s_secret_is_shown_once_and_kept_as_a_hash(
    house: House, venue: Venue, admin: Client
) -> None:
    made = admin.call(
        "create_api_key", organization_id=venue.id, name=" Till ", permissions=["rooms:read"]
    )

    assert made["name"] == "Till"
    assert made["secret"].startswith("esk_")
    assert len(made["secret"]) >= 4 + 43  # 256 bits in base64url
    assert made["prefix"] == made["secret"][:12]
    kept = [
        admin.select("select * from public.api_keys"),
        admin.select("select before, after from public.audit_log"),
        house.owner_sql("select * from private.api_key_secrets"),
    ]
    assert made["secret"] not in str(kept)
    (row,) = kept[0]
    assert str(row["created_by"]) == admin.id


def test_a_key_is_exchanged_for_what_its_token_says(house: House, venue: Venue) -> None:
    key, secret = venue.make_key(["rooms:read"])

    answer = exchange(house, secret)

    assert answer["api_key_id"] == key.id
    assert answer["organization_id"] == venue.id
    (row,) = venue.owner.select("select expires_at, last_used_at from public.api_keys")
    assert datetime.fromisoformat(answer["expires_at"]) == row["expires_at"]
    assert row["last_used_at"] is not None


def test_the_last_use_is_written_once_a_minute(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"])
    for ago, kept in (("30 seconds", True), ("61 seconds", False)):
        house.owner_sql(
            f"update public.api_keys set last_used_at = now() - interval '{ago}' where prefix = %s",
            secret[:12],
        )
        exchange(house, secret)
        assert house.one("select last_used_at < now() from public.api_keys") is kept


def test_the_use_of_one_key_is_not_another_s(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"], name="Used")
    venue.make_key(["rooms:read"], name="Idle")
    exchange(house, secret)
    idle = "select last_used_at from public.api_keys where name = 'Idle'"
    assert venue.owner.select(idle) == [{"last_used_at": None}]


@pytest.mark.parametrize("state", ["unknown", "empty", "none", "revoked", "expired", "closed"])
def test_a_key_that_is_not_alive_is_exchanged_for_nothing(
    house: House, venue: Venue, state: str
) -> None:
    key, secret = venue.make_key(["rooms:read"])
    presented: str | None = secret
    match state:
        case "unknown":
            presented = secret[:-1] + ("a" if secret[-1] != "a" else "b")
        case "empty":
            presented = ""
        case "none":
            presented = None
        case "revoked":
            venue.owner.call("revoke_api_key", organization_id=venue.id, api_key_id=key.id)
        case "expired":
            house.owner_sql("update public.api_keys set expires_at = now()")
        case _:
            venue.owner.call(
                "close_organization", organization_id=venue.id, confirm_slug=venue.slug
            )
    with refused(401, "api_key_invalid") as caught:
        exchange(house, presented)
    assert caught.value.kept


def test_a_key_of_a_suspended_organization_still_reads(house: House, venue: Venue) -> None:
    key, secret = venue.make_key(["organization:read", "organization:update"])
    house.owner_sql("update public.organizations set status = 'suspended'")

    assert exchange(house, secret)["organization_id"] == venue.id
    assert len(key.select("select from public.organizations")) == 1
    with refused(403, "organization_suspended"):
        key.change("update public.organizations set name = 'x'")


def test_guessed_secrets_are_counted_by_address(house: House) -> None:
    for n in range(60):
        with refused(401, "api_key_invalid"):
            exchange(house, f"esk_{n:020}")
    with refused(429, "rate_limited"):
        exchange(house, "esk_another_guess")
    with refused(401, "api_key_invalid"):
        exchange(house, "esk_another_guess", address="203.0.113.2")


def test_one_key_is_exchanged_sixty_times_a_minute_from_wherever(
    house: House, venue: Venue
) -> None:
    _, secret = venue.make_key(["rooms:read"])
    for n in range(60):
        exchange(house, secret, address=f"203.0.113.{n}")
    with refused(429, "rate_limited"):
        exchange(house, secret, address="198.51.100.1")


def test_guesses_at_a_key_do_not_use_it_up(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"])
    for n in range(61):
        with refused(401, "api_key_invalid"):
            exchange(house, f"{secret[:12]}guess{n}", address=f"203.0.113.{n}")
    assert exchange(house, secret, address="198.51.100.1")["organization_id"] == venue.id


def test_only_the_service_exchanges_keys(house: House, venue: Venue) -> None:
    _, secret = venue.make_key(["rooms:read"])
    for caller in (venue.owner, house.nobody):
        with pytest.raises(Exception, match="permission denied for schema service"):
            caller.call("service.exchange_api_key", secret=secret, address="x")


def test_a_key_does_what_its_scope_says_and_nothing_else(venue: Venue) -> None:
    key, _ = venue.make_key(["users:read"])

    assert len(key.select("select from public.memberships")) == 1
    assert len(key.select("select user_id from public.profiles")) == 1
    for table in ("organizations", "roles", "rooms", "bookings", "api_keys", "audit_log"):
        assert key.select(f"select from public.{table}") == []
    assert key.call("has_permission", permission="users:read") is True
    assert key.call("has_permission", permission="rooms:read") is False
    with refused(403, "permission_denied"):
        key.call("remove_member", organization_id=venue.id, user_id=venue.owner.id)


def test_a_key_stays_in_its_organization_whatever_the_header_says(
    house: House, venue: Venue
) -> None:
    foreign = house.open_venue("Foreign")
    key, _ = venue.make_key(["users:read", "organization:read"])
    other, _ = foreign.make_key(["users:read"])

    assert key.at(foreign.id).select("select from public.memberships") == []
    assert len(key.at(venue.id).select("select from public.memberships")) == 1
    # A token whose claims name another organization than the key's is no key of either.
    forged = Client(house.connection, Caller.api_key(other.id, venue.id))
    assert forged.select("select from public.memberships") == []


def test_a_key_has_no_more_than_its_maker_held(venue: Venue, admin: Client) -> None:
    with refused(403, "permission_not_held") as caught:
        admin.call(
            "create_api_key",
            organization_id=venue.id,
            name="x",
            permissions=["rooms:read", "organization:close"],
        )
    assert caught.value.details == {"permissions": ["organization:close"]}


def test_a_key_makes_no_keys(venue: Venue) -> None:
    key, _ = venue.make_key(["api_keys:manage", "rooms:read"])
    with refused(403, "permission_not_held"):
        key.call("create_api_key", organization_id=venue.id, name="x", permissions=["rooms:read"])


def test_a_key_revokes_keys_when_its_scope_says_so(venue: Venue) -> None:
    key, _ = venue.make_key(["api_keys:manage"])
    other, _ = venue.make_key(["rooms:read"])
    key.call("revoke_api_key", organization_id=venue.id, api_key_id=other.id)
    assert other.call("has_permission", permission="rooms:read") is False


def test_a_revoked_key_is_refused_on_the_next_request_with_the_same_token(
    venue: Venue, admin: Client
) -> None:
    key, _ = venue.make_key(["users:read"])
    assert key.select("select from public.memberships") != []

    admin.call("revoke_api_key", organization_id=venue.id, api_key_id=key.id)

    assert key.select("select from public.memberships") == []
    assert key.call("has_permission", permission="users:read") is False


def test_a_key_ends_when_it_expires_whatever_its_token_says(house: House, venue: Venue) -> None:
    key, _ = venue.make_key(["users:read"])
    house.owner_sql("update public.api_keys set expires_at = now() where id = %s", key.id)
    assert key.select("select from public.memberships") == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"name": " "}, "name_invalid"),
        ({"name": None}, "name_invalid"),
        ({"name": "x" * 81}, "name_invalid"),
        ({"permissions": []}, "permissions_missing"),
        ({"permissions": None}, "permissions_missing"),
        ({"permissions": ["no:such"]}, "permission_unknown"),
        ({"permissions": ["rooms:read", None]}, "permission_unknown"),
        ({"expires_at": None}, "expiry_invalid"),
        ({"expires_at": "-infinity"}, "expiry_invalid"),
        ({"expires_at": "infinity"}, "expiry_invalid"),
        ({"expires_at": "2000-01-01"}, "expiry_invalid"),
        ({"expires_at": "2999-01-01"}, "expiry_invalid"),
    ],
)
def test_a_key_needs_a_name_a_scope_and_an_end(
    venue: Venue, admin: Client, arguments: dict[str, object], code: str
) -> None:
    wanted = {"name": "x", "permissions": ["rooms:read"], **arguments}
    with refused(422, code):
        admin.call("create_api_key", organization_id=venue.id, **wanted)


@pytest.mark.parametrize("role", ["manager", "receptionist", "game_master"])
def test_without_api_keys_manage_no_key_is_made_seen_or_revoked(venue: Venue, role: str) -> None:
    key, _ = venue.make_key(["rooms:read"])
    person = venue.hire("ana", role)

    with refused(403, "permission_denied"):
        person.call(
            "create_api_key", organization_id=venue.id, name="x", permissions=["rooms:read"]
        )
    with refused(403, "permission_denied"):
        person.call("revoke_api_key", organization_id=venue.id, api_key_id=key.id)
    assert person.select("select from public.api_keys") == []
    assert person.select("select from public.api_key_permissions") == []


def test_another_tenant_s_key_is_as_unknown_as_none(house: House, venue: Venue) -> None:
    foreign = house.open_venue("Foreign")
    theirs, _ = foreign.make_key(["rooms:read"])
    for key_id in (theirs.id, NOWHERE, None):
        with refused(404, "api_key_not_found"):
            venue.owner.call("revoke_api_key", organization_id=venue.id, api_key_id=key_id)
    with refused(403, "permission_denied"):
        venue.owner.call("revoke_api_key", organization_id=foreign.id, api_key_id=theirs.id)
    assert theirs.call("has_permission", permission="rooms:read") is True


def test_a_key_is_revoked_once(venue: Venue) -> None:
    key, _ = venue.make_key(["rooms:read"])
    revoke = {"organization_id": venue.id, "api_key_id": key.id}
    venue.owner.call("revoke_api_key", **revoke)
    when = "select revoked_at from public.api_keys where id = %s"
    first = venue.house.one(when, key.id)
    venue.house.owner_sql(
        "update public.api_keys set revoked_at = revoked_at - interval '1 hour' where id = %s",
        key.id,
    )
    venue.owner.call("revoke_api_key", **revoke)
    assert venue.house.one(when, key.id) < first


def test_a_key_exports_without_a_person(venue: Venue) -> None:
    key, _ = venue.make_key(["organization:export"])
    queued = key.call("export_organization", organization_id=venue.id)
    assert queued["requested_by"] is None
