"""Opening, choosing and seeing organizations."""

from __future__ import annotations

import pytest

from client import Caller, Client
from matrix.house import House
from matrix.promises import refused

SYSTEM_ROLES = ["owner", "admin", "manager", "receptionist", "game_master"]


def test_who_opens_an_organization_owns_it_and_works_in_it_at_once(house: House) -> None:
    person = house.sign_up("ana")

    created = person.call("create_organization", name="  La Cárcel del Ñu ")

    assert created["name"] == "La Cárcel del Ñu"
    assert created["slug"] == "la-carcel-del-nu"
    assert (created["status"], created["timezone"]) == ("active", "Europe/Madrid")
    assert (created["currency"], created["locale"]) == ("EUR", "es")
    context = person.call("my_context")
    assert context["active_organization_id"] == created["id"]
    assert [o["role"]["key"] for o in context["organizations"]] == ["owner"]


def test_an_organization_is_born_with_the_system_roles_in_its_own_language(house: House) -> None:
    person = house.sign_up("ana")
    person.call("create_organization", name="Venue", locale="en")

    roles = person.select("select key, name, is_system from public.roles order by key")

    assert [r["key"] for r in roles] == sorted(SYSTEM_ROLES)
    assert roles[3]["name"] == "Owner"
    assert all(r["is_system"] for r in roles)


def test_the_owner_holds_every_permission_of_the_catalogue(house: House) -> None:
    venue = house.open_venue("Venue")

    everything = {r["key"] for r in venue.owner.select("select key from public.permissions")}

    assert venue.permissions_of(venue.owner) == everything


def test_a_permission_that_enters_or_leaves_a_template_reaches_every_organization(
    house: House,
) -> None:
    venue = house.open_venue("Venue")
    waiter = venue.hire("waiter", "receptionist")
    upsert = "select private.permission_upsert('tables:read', 'x', false, 'See', 'Ver', %s)"
    before = venue.permissions_of(waiter)

    house.owner_sql(upsert, ["receptionist"])
    assert "tables:read" in venue.permissions_of(waiter) & venue.permissions_of(venue.owner)
    house.owner_sql(upsert, [])
    assert venue.permissions_of(waiter) == before
    assert "tables:read" in venue.permissions_of(venue.owner)


def test_a_wished_address_that_is_taken_is_refused(house: House) -> None:
    house.open_venue("Venue")
    with refused(409, "slug_taken"):
        house.sign_up("ana").call("create_organization", name="Other", slug="venue")


def test_an_address_made_from_a_name_that_is_taken_gets_a_tail(house: House) -> None:
    house.open_venue("Venue")
    other = house.sign_up("ana").call("create_organization", name="Venue")
    assert other["slug"].startswith("venue-")


def test_a_name_without_a_letter_still_gets_an_address(house: House) -> None:
    assert house.sign_up("ana").call("create_organization", name="🔒 ★")["slug"] == "venue"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"name": "  "}, "name_invalid"),
        ({"name": None}, "name_invalid"),
        ({"name": "x" * 121}, "name_invalid"),
        ({"name": "x", "slug": "Not A Slug"}, "slug_invalid"),
        ({"name": "x", "slug": "-x"}, "slug_invalid"),
        ({"name": "x", "slug": "x" * 64}, "slug_invalid"),
        ({"name": "x", "timezone": "Europe/Nowhere"}, "timezone_invalid"),
        ({"name": "x", "timezone": "UTC+3"}, "timezone_invalid"),
        ({"name": "x", "timezone": None}, "timezone_invalid"),
        ({"name": "x", "currency": "eur"}, "currency_invalid"),
        ({"name": "x", "currency": None}, "currency_invalid"),
        ({"name": "x", "locale": "fr"}, "locale_invalid"),
        ({"name": "x", "locale": None}, "locale_invalid"),
    ],
)
def test_an_organization_is_opened_with_sensible_values_only(
    house: House, arguments: dict[str, object], code: str
) -> None:
    with refused(422, code):
        house.sign_up("ana").call("create_organization", **arguments)


def test_nobody_opens_organizations_by_the_hundred(house: House) -> None:
    person = house.sign_up("ana")
    for n in range(10):
        person.call("create_organization", name=f"Venue {n}")
    with refused(429, "rate_limited"):
        person.call("create_organization", name="One more")
    house.sign_up("bea").call("create_organization", name="Somebody else's")


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("my_context", {}),
        ("create_organization", {"name": "x"}),
        ("switch_organization", {"organization_id": "00000000-0000-4000-8000-000000000000"}),
    ],
)
def test_only_a_person_has_organizations(
    house: House, function: str, arguments: dict[str, object]
) -> None:
    key, _ = house.open_venue("Venue").make_key(["organization:read"])
    with refused(401, "42501"):
        house.nobody.call(function, **arguments)
    with refused(401, "not_authenticated"):
        Client(house.connection, Caller("authenticated")).call(function, **arguments)
    with refused(403, "user_required"):
        key.call(function, **arguments)


def test_a_new_user_has_a_profile_and_no_organization(house: House) -> None:
    context = house.sign_up("ana_maria").call("my_context")

    assert context["user"]["email"] == "ana_maria@example.test"
    assert context["user"]["full_name"] == "Ana Maria"
    assert context["user"]["locale"] == "es"
    assert context["active_organization_id"] is None
    assert context["organizations"] == []


def test_a_profile_follows_the_address_of_the_account(house: House) -> None:
    person = house.sign_up("ana")
    house.connection.execute(
        "update auth.users set email = 'New@Example.test' where id = %s", [person.id]
    )
    assert person.call("my_context")["user"]["email"] == "new@example.test"


def test_my_context_lists_my_organizations_with_role_and_permissions(house: House) -> None:
    bakery, cellar = house.open_venue("Bakery"), house.open_venue("Cellar")
    house.open_venue("Foreign")
    person = bakery.hire("ana", "manager")
    cellar.admit(person, "ana@example.test", "game_master")

    context = person.call("my_context")

    assert context["active_organization_id"] == cellar.id
    assert [o["name"] for o in context["organizations"]] == ["Bakery", "Cellar"]
    assert [o["role"]["key"] for o in context["organizations"]] == ["manager", "game_master"]
    for listed, venue in zip(context["organizations"], (bakery, cellar), strict=True):
        assert listed["id"] == venue.id
        assert set(listed["permissions"]) == venue.permissions_of(person)


def test_the_header_of_a_request_is_what_my_context_calls_active(house: House) -> None:
    bakery, cellar = house.open_venue("Bakery"), house.open_venue("Cellar")
    person = bakery.hire("ana")
    cellar.admit(person, "ana@example.test")

    assert person.at(bakery.id).call("my_context")["active_organization_id"] == bakery.id
    foreign = house.open_venue("Foreign")
    assert person.at(foreign.id).call("my_context")["active_organization_id"] is None


def test_a_person_switches_between_their_own_organizations(house: House) -> None:
    bakery, cellar = house.open_venue("Bakery"), house.open_venue("Cellar")
    person = bakery.hire("ana")
    cellar.admit(person, "ana@example.test")

    context = person.call("switch_organization", organization_id=bakery.id)

    assert context["active_organization_id"] == bakery.id
    assert person.select("select id::text from public.organizations") == [{"id": bakery.id}]


def test_nobody_switches_to_an_organization_that_is_not_theirs(house: House) -> None:
    venue = house.open_venue("Venue")
    foreign = house.open_venue("Foreign")
    suspended = house.open_venue("Suspended")
    closed = house.open_venue("Closed")
    person = venue.hire("ana")
    suspended.admit(person, "ana@example.test")
    closed.admit(person, "ana@example.test")
    suspended.owner.call("suspend_member", organization_id=suspended.id, user_id=person.id)
    closed.owner.call("close_organization", organization_id=closed.id, confirm_slug=closed.slug)
    unknown = "00000000-0000-4000-8000-000000000000"

    for organization_id in (foreign.id, suspended.id, closed.id, unknown, None):
        with refused(404, "organization_not_found"):
            person.call("switch_organization", organization_id=organization_id)


def test_has_permission_answers_for_the_request_s_organization(house: House) -> None:
    venue, foreign = house.open_venue("Venue"), house.open_venue("Foreign")
    manager = venue.hire("ana", "manager")

    assert manager.call("has_permission", permission="users:read") is True
    assert manager.call("has_permission", permission="users:manage") is False
    assert manager.call("has_permission", permission="no:such") is False
    assert manager.call("has_permission", permission=None) is False
    assert manager.at(foreign.id).call("has_permission", permission="users:read") is False
    assert house.sign_up("player").call("has_permission", permission="users:read") is False


def test_an_organization_is_changed_with_organization_update_only(house: House) -> None:
    venue = house.open_venue("Venue")
    admin, manager = venue.hire("adam", "admin"), venue.hire("mary", "manager")
    rename = "update public.organizations set name = 'Renamed' where id = %s"

    assert manager.change(rename, venue.id) == 0
    assert admin.change(rename, venue.id) == 1
    assert admin.call("my_context")["organizations"][0]["name"] == "Renamed"


@pytest.mark.parametrize(
    "assignment",
    ["status = 'closed'", "currency = 'USD'", "closed_at = now()", "created_at = now()", "id = id"],
)
def test_not_even_the_owner_writes_what_functions_decide(house: House, assignment: str) -> None:
    venue = house.open_venue("Venue")
    with refused(403, "42501"):
        venue.owner.change(f"update public.organizations set {assignment}")


def test_a_person_changes_only_their_own_profile_and_only_name_and_language(house: House) -> None:
    venue = house.open_venue("Venue")
    person = venue.hire("ana")

    assert person.change("update public.profiles set full_name = 'Ana', locale = 'ca'") == 1
    assert person.call("my_context")["user"]["full_name"] == "Ana"
    with refused(403, "42501"):
        person.change("update public.profiles set email = 'x@example.test'")
    with refused(403, "42501"):
        person.change("update public.profiles set active_organization_id = null")


def test_colleagues_see_each_other_and_nobody_else(house: House) -> None:
    venue, foreign = house.open_venue("Venue"), house.open_venue("Foreign")
    ana, bea = venue.hire("ana"), venue.hire("bea")
    foreign.admit(bea, "bea@example.test")
    seen = "select user_id::text from public.profiles"

    assert {r["user_id"] for r in ana.select(seen)} == {venue.owner.id, ana.id, bea.id}
    assert {r["user_id"] for r in bea.at(foreign.id).select(seen)} == {foreign.owner.id, bea.id}
    player = house.sign_up("player")
    assert [r["user_id"] for r in player.select(seen)] == [player.id]


def test_nobody_learns_in_which_other_organization_a_colleague_works(house: House) -> None:
    venue, foreign = house.open_venue("Venue"), house.open_venue("Foreign")
    ana, bea = venue.hire("ana"), venue.hire("bea")
    foreign.admit(bea, "bea@example.test")

    with refused(403, "42501"):
        ana.select("select active_organization_id from public.profiles")
    with refused(403, "42501"):
        ana.select(
            "select user_id from public.profiles where active_organization_id = %s", foreign.id
        )
    with refused(403, "42501"):
        ana.select("select user_id from public.profiles order by active_organization_id")
