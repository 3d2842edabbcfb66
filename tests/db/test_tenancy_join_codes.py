"""The join code: the least role, rotatable, and no way around the rules."""

from __future__ import annotations

import pytest

from client import Client
from matrix.house import House, Venue
from matrix.promises import refused

FUNCTIONS = ("get_join_code", "rotate_join_code", "disable_join_code")


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def code(venue: Venue) -> str:
    return str(venue.owner.call("rotate_join_code", organization_id=venue.id)["code"])


def test_there_is_no_code_until_somebody_wants_one(venue: Venue) -> None:
    nothing = {"enabled": False, "code": None}
    assert venue.owner.call("get_join_code", organization_id=venue.id) == nothing
    assert venue.owner.call("disable_join_code", organization_id=venue.id) == nothing


def test_a_join_code_gives_the_least_role(house: House, venue: Venue, code: str) -> None:
    person = house.sign_up("ana")

    context = person.call("join_organization", code=f" {code.lower()} ")

    assert context["active_organization_id"] == venue.id
    assert context["organizations"][0]["role"]["key"] == "game_master"


def test_a_code_has_fifty_random_bits_without_letters_that_look_like_digits(
    house: House, code: str
) -> None:
    assert len(code) == 10
    assert set(code) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    other = house.open_venue("Other")
    theirs = other.owner.call("rotate_join_code", organization_id=other.id)["code"]
    assert theirs != code


def test_a_code_is_kept_as_a_hash_only(house: House, venue: Venue, code: str) -> None:
    assert venue.owner.call("get_join_code", organization_id=venue.id) == {
        "enabled": True,
        "code": code,
    }
    assert code not in str(house.owner_sql("select * from private.join_codes"))


def test_a_rotated_code_stops_at_once(house: House, venue: Venue, code: str) -> None:
    new = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    person = house.sign_up("ana")

    assert new != code
    with refused(404, "join_code_not_found"):
        person.call("join_organization", code=code)
    person.call("join_organization", code=new)
    assert venue.role_of(person) == "game_master"


def test_a_disabled_code_stops_at_once_and_comes_back_as_another_one(
    house: House, venue: Venue, code: str
) -> None:
    off = venue.owner.call("disable_join_code", organization_id=venue.id)
    assert off == {"enabled": False, "code": None}
    with refused(404, "join_code_not_found"):
        house.sign_up("ana").call("join_organization", code=code)
    assert venue.owner.call("rotate_join_code", organization_id=venue.id)["code"] != code


def test_another_tenant_s_code_is_neither_rotated_nor_turned_off(
    house: House, venue: Venue, code: str
) -> None:
    other = house.open_venue("Other")
    for function in ("rotate_join_code", "rotate_join_code", "disable_join_code"):
        other.owner.call(function, organization_id=other.id)
    assert venue.owner.call("get_join_code", organization_id=venue.id)["code"] == code


def test_who_works_here_keeps_their_role(house: House, venue: Venue, code: str) -> None:
    person = venue.hire("ana", "manager")
    with refused(409, "already_member"):
        person.call("join_organization", code=code)
    assert venue.role_of(person) == "manager"


@pytest.mark.parametrize("guess", ["", None, "AAAAAAAAAA", "' or true --"])
def test_a_wrong_code_opens_nothing(house: House, code: str, guess: str | None) -> None:
    with refused(404, "join_code_not_found"):
        house.sign_up("ana").call("join_organization", code=guess)


def test_wrong_codes_are_counted_by_user_although_they_are_refused(
    house: House, venue: Venue, code: str
) -> None:
    person = house.sign_up("ana")
    for _ in range(10):
        with refused(404, "join_code_not_found") as caught:
            person.call("join_organization", code="WRONG")
        assert caught.value.kept
    with refused(429, "rate_limited"):
        person.call("join_organization", code=code)
    assert venue.role_of(person) is None


def test_wrong_codes_are_counted_by_address_whoever_signs_up_for_it(
    house: House, venue: Venue, code: str
) -> None:
    for n in range(20):
        guesser = house.sign_up(f"sybil_{n}").sending(x_forwarded_for="203.0.113.7, 10.0.0.1")
        with refused(404, "join_code_not_found"):
            guesser.call("join_organization", code="WRONG")
    late = house.sign_up("late")
    with refused(429, "rate_limited"):
        late.sending(x_forwarded_for="203.0.113.7").call("join_organization", code=code)
    late.sending(x_forwarded_for="203.0.113.8").call("join_organization", code=code)
    assert venue.role_of(late) == "game_master"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_only_users_manage_deals_with_the_code(venue: Venue, code: str, function: str) -> None:
    for role in ("manager", "receptionist", "game_master"):
        with refused(403, "permission_denied"):
            venue.hire(f"by_{role}", role).call(function, organization_id=venue.id)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_another_tenant_s_code_stays_theirs(
    house: House, venue: Venue, code: str, function: str
) -> None:
    with refused(403, "permission_denied"):
        house.open_venue("Foreign").owner.call(function, organization_id=venue.id)


@pytest.mark.parametrize("function", ["get_join_code", "rotate_join_code"])
def test_escalation_by_join_code_needs_all_that_the_code_gives(
    venue: Venue, code: str, function: str
) -> None:
    deputy = venue.hire("dora", venue.make_role("Deputy", ["users:manage"]))
    key, _ = venue.make_key(["users:manage", "bookings:read"])

    for caller in (deputy, key):
        with refused(403, "permission_not_held"):
            caller.call(function, organization_id=venue.id)


def test_who_cannot_see_the_code_can_still_turn_it_off(venue: Venue, code: str) -> None:
    deputy: Client = venue.hire("dora", venue.make_role("Deputy", ["users:manage"]))
    off = deputy.call("disable_join_code", organization_id=venue.id)
    assert off == {"enabled": False, "code": None}


def test_only_a_signed_in_person_joins(house: House, venue: Venue, code: str) -> None:
    key, _ = venue.make_key(["users:read"])
    with refused(401, "42501"):
        house.nobody.call("join_organization", code=code)
    with refused(403, "user_required"):
        key.call("join_organization", code=code)
