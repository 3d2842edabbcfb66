"""Invitations: by e-mail, once, for seven days, and never more than the sender holds."""

from __future__ import annotations

from hashlib import sha256

import pytest

from client import Client
from matrix.house import House, Venue, email_of
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def manager(venue: Venue) -> Client:
    return venue.hire("mary", "manager")


def test_an_invitation_becomes_a_membership_in_the_offered_role(
    house: House, venue: Venue, manager: Client
) -> None:
    invited = manager.call(
        "invite_member",
        organization_id=venue.id,
        email="  Ana@Example.test ",
        role_id=venue.role("receptionist"),
    )
    assert invited["email"] == email_of("ana")
    assert invited["role_id"] == venue.role("receptionist")
    ana = house.sign_up("ana")

    context = ana.call("accept_invitation", token=house.invitation_token(invited["id"]))

    assert context["active_organization_id"] == venue.id
    assert venue.role_of(ana) == "receptionist"
    (row,) = manager.select("select * from public.invitations where id = %s", invited["id"])
    assert str(row["accepted_by"]) == ana.id
    assert row["accepted_at"] is not None


def test_the_token_is_in_the_mail_only(house: House, venue: Venue) -> None:
    invitation_id, token = venue.invite(email_of("ana"), venue.role("game_master"))

    answers = str(venue.owner.select("select * from public.invitations"))
    log = str(venue.owner.select("select before, after from public.audit_log"))
    job = house.one(
        "select payload from private.jobs where dedupe_key like %s", f"%{invitation_id}"
    )

    assert token not in answers + log + str(job)
    assert job == {
        "template": "invitation",
        "organization_id": venue.id,
        "invitation_id": invitation_id,
    }
    kept = house.one("select token_hash from private.invitation_secrets")
    assert kept == sha256(token.encode()).digest()


def test_an_invitation_lasts_seven_days(house: House, venue: Venue) -> None:
    invitation_id, token = venue.invite(email_of("ana"), venue.role("game_master"))
    assert house.one(
        "select expires_at = now() + interval '7 days' from public.invitations where id = %s",
        invitation_id,
    )
    house.owner_sql("update public.invitations set expires_at = now() where id = %s", invitation_id)

    with refused(410, "invitation_expired"):
        house.sign_up("ana").call("accept_invitation", token=token)


def test_an_invitation_is_used_once(house: House, venue: Venue) -> None:
    _, token = venue.invite(email_of("ana"), venue.role("game_master"))
    ana = house.sign_up("ana")
    ana.call("accept_invitation", token=token)

    with refused(409, "invitation_used"):
        ana.call("accept_invitation", token=token)
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    with refused(409, "invitation_used"):
        ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) is None


def test_an_invitation_is_for_the_owner_of_the_address_only(house: House, venue: Venue) -> None:
    _, token = venue.invite(email_of("ana"), venue.role("admin"))
    thief = house.sign_up("thief")
    squatter = house.sign_up("ana", proven=False)

    for person, code in (
        (thief, "invitation_for_another_email"),
        (squatter, "email_not_proven"),
    ):
        with refused(403, code):
            person.call("accept_invitation", token=token)
        assert venue.role_of(person) is None
    house.owner_sql("select private.vouch_for_address(%s)", squatter.id)
    squatter.call("accept_invitation", token=token)
    assert venue.role_of(squatter) == "admin"


def test_inviting_again_kills_the_old_link(house: House, venue: Venue, manager: Client) -> None:
    _, old = venue.invite(email_of("ana"), venue.role("receptionist"))
    _, new = venue.invite("ANA@example.test", venue.role("game_master"), by=manager)
    ana = house.sign_up("ana")

    with refused(404, "invitation_not_found"):
        ana.call("accept_invitation", token=old)
    ana.call("accept_invitation", token=new)
    assert venue.role_of(ana) == "game_master"


def test_another_tenant_s_invitation_of_the_same_address_lives_on(
    house: House, venue: Venue
) -> None:
    other = house.open_venue("Other")
    _, theirs = other.invite(email_of("ana"), other.role("manager"))
    _, mine = venue.invite(email_of("ana"), venue.role("manager"))
    _, newer = venue.invite(email_of("ana"), venue.role("manager"))
    ana = house.sign_up("ana")
    with refused(404, "invitation_not_found"):
        ana.call("accept_invitation", token=mine)
    ana.call("accept_invitation", token=newer)
    ana.call("accept_invitation", token=theirs)
    assert (venue.role_of(ana), other.role_of(ana)) == ("manager", "manager")


def test_whoever_was_removed_can_be_invited_again(house: House, venue: Venue) -> None:
    ana = venue.hire("ana", "manager")
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    venue.admit(ana, email_of("ana"), "receptionist")
    assert venue.role_of(ana) == "receptionist"


def test_whether_somebody_may_still_invite_is_weighed_as_things_are_now(
    house: House, venue: Venue
) -> None:
    may = "select private.may_invite(%s, %s, %s)"
    crew = venue.role("game_master")
    adam, suspended = venue.hire("adam", "admin"), venue.hire("sam", "admin")
    venue.owner.call("suspend_member", organization_id=venue.id, user_id=suspended.id)
    deputy = venue.hire("dora", venue.make_role("All", venue.permissions_of(venue.owner)))
    foreign = house.open_venue("Foreign")

    assert house.one(may, venue.id, adam.id, crew) is True
    assert house.one(may, venue.id, adam.id, venue.role("owner")) is False
    assert house.one(may, venue.id, suspended.id, crew) is False
    assert house.one(may, venue.id, deputy.id, venue.role("owner")) is False
    assert house.one(may, venue.id, deputy.id, crew) is True
    assert house.one(may, venue.id, venue.owner.id, venue.role("owner")) is True
    assert house.one(may, venue.id, foreign.owner.id, crew) is False
    assert house.one(may, venue.id, None, crew) is False
    assert house.one(may, venue.id, adam.id, foreign.role("game_master")) is False


def test_a_revoked_invitation_is_worth_nothing(house: House, venue: Venue, manager: Client) -> None:
    invitation_id, token = venue.invite(email_of("ana"), venue.role("game_master"))
    revoke = {"organization_id": venue.id, "invitation_id": invitation_id}

    manager.call("revoke_invitation", **revoke)

    with refused(404, "invitation_not_found"):
        house.sign_up("ana").call("accept_invitation", token=token)
    manager.call("revoke_invitation", **revoke)
    with refused(404, "invitation_not_found"):
        house.sign_up("bea").call("accept_invitation", token=token)


@pytest.mark.parametrize("token", ["", "x", None, "x" * 10_000])
def test_a_guessed_token_opens_nothing(house: House, token: str | None) -> None:
    with refused(404, "invitation_not_found"):
        house.sign_up("ana").call("accept_invitation", token=token)


def test_guesses_at_tokens_are_counted_although_they_are_refused(house: House) -> None:
    person = house.sign_up("ana")
    for _ in range(20):
        with refused(404, "invitation_not_found") as caught:
            person.call("accept_invitation", token="guess")
        assert caught.value.kept
    with refused(429, "rate_limited") as limited:
        person.call("accept_invitation", token="guess")
    assert int(limited.value.headers["Retry-After"]) in range(1, 3601)
    assert limited.value.details == {
        "retry_after_seconds": int(limited.value.headers["Retry-After"])
    }
    with refused(404, "invitation_not_found"):
        house.sign_up("bea").call("accept_invitation", token="guess")


def test_an_organization_invites_no_more_than_a_hundred_people_a_day(
    house: House, venue: Venue
) -> None:
    role = venue.role("game_master")
    for n in range(100):
        venue.invite(f"n{n}@example.test", role)
    with refused(429, "rate_limited"):
        venue.invite("one.more@example.test", role)
    other = house.open_venue("Other")
    other.invite("one.more@example.test", other.role("game_master"))


@pytest.mark.parametrize(
    "email", ["", None, "no-at-sign", "a@b", "a b@example.test", "x" * 250 + "@example.test"]
)
def test_an_invitation_needs_an_address(venue: Venue, email: str | None) -> None:
    with refused(422, "email_invalid"):
        venue.owner.call(
            "invite_member", organization_id=venue.id, email=email, role_id=venue.role("admin")
        )


def test_whoever_works_here_is_not_invited(house: House, venue: Venue) -> None:
    venue.hire("ana")
    with refused(409, "already_member"):
        venue.invite(email_of("ana"), venue.role("manager"))
    other = house.open_venue("Other")
    other.invite(email_of("ana"), other.role("manager"))


def test_whoever_has_joined_meanwhile_keeps_the_role_they_have(house: House, venue: Venue) -> None:
    _, token = venue.invite(email_of("ana"), venue.role("manager"))
    ana = house.sign_up("ana")
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    ana.call("join_organization", code=code)

    with refused(409, "already_member"):
        ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) == "game_master"


def test_escalation_by_inviting_a_second_account_is_refused(venue: Venue, manager: Client) -> None:
    for role in ("owner", "admin"):
        with refused(403, "permission_not_held"):
            venue.invite("me.too@example.test", venue.role(role), by=manager)
    with refused(403, "permission_not_held"):
        venue.invite("x@example.test", venue.make_role("Keys", ["api_keys:read"]), by=manager)


def test_only_users_invite_invites_and_revokes(venue: Venue) -> None:
    invitation_id, _ = venue.invite(email_of("ana"), venue.role("game_master"))
    for role in ("receptionist", "game_master"):
        person = venue.hire(f"by_{role}", role)
        with refused(403, "permission_denied"):
            venue.invite("x@example.test", venue.role("game_master"), by=person)
        with refused(403, "permission_denied"):
            person.call("revoke_invitation", organization_id=venue.id, invitation_id=invitation_id)


def test_another_tenant_s_roles_and_invitations_are_as_unknown_as_none(
    house: House, venue: Venue
) -> None:
    foreign = house.open_venue("Foreign")
    theirs, _ = foreign.invite(email_of("ana"), foreign.role("game_master"))

    for role_id in (foreign.role("game_master"), NOWHERE):
        with refused(404, "role_not_found"):
            venue.invite("x@example.test", role_id)
    for invitation_id in (theirs, NOWHERE):
        with refused(404, "invitation_not_found"):
            venue.owner.call(
                "revoke_invitation", organization_id=venue.id, invitation_id=invitation_id
            )
    for organization_id in (foreign.id, NOWHERE):
        with refused(403, "permission_denied"):
            venue.owner.call(
                "invite_member",
                organization_id=organization_id,
                email="x@example.test",
                role_id=venue.role("game_master"),
            )


def test_an_api_key_invites_nobody_not_even_to_an_empty_role(venue: Venue) -> None:
    empty = venue.make_role("Empty", [])
    key, _ = venue.make_key(["users:invite"])
    for role_id in (empty, venue.role("game_master")):
        with refused(403, "user_required"):
            venue.invite("x@example.test", role_id, by=key)
    with refused(403, "user_required"):
        key.call("accept_invitation", token="x")


def test_an_invitation_dies_when_its_sender_s_role_loses_what_it_offers(
    house: House, venue: Venue
) -> None:
    role = venue.make_role("Chief", ["users:invite", "rooms:read"])
    offered = venue.make_role("Crew", ["rooms:read"])
    chief = venue.hire("hans", role)
    _, one = venue.invite(email_of("ana"), offered, by=chief)
    _, two = venue.invite(email_of("bea"), offered, by=chief)
    ana, bea = house.sign_up("ana"), house.sign_up("bea")
    narrow = {"organization_id": venue.id, "role_id": role}

    venue.owner.call("set_role_permissions", **narrow, permissions=["users:invite"])
    with refused(404, "invitation_not_found"):
        ana.call("accept_invitation", token=one)
    venue.owner.call("set_role_permissions", **narrow, permissions=["rooms:read"])
    with refused(404, "invitation_not_found"):
        bea.call("accept_invitation", token=two)
    venue.owner.call("set_role_permissions", **narrow, permissions=["users:invite", "rooms:read"])
    ana.call("accept_invitation", token=one)
    assert venue.role_of(ana) == "crew"


def test_an_invitation_to_a_role_that_has_grown_beyond_its_sender_is_worth_nothing(
    house: House, venue: Venue, manager: Client
) -> None:
    role = venue.make_role("Crew", ["rooms:read"])
    _, token = venue.invite(email_of("ana"), role, by=manager)
    venue.owner.call(
        "set_role_permissions", organization_id=venue.id, role_id=role, permissions=["audit:read"]
    )
    with refused(404, "invitation_not_found"):
        house.sign_up("ana").call("accept_invitation", token=token)


def test_an_invitation_of_somebody_who_deleted_the_account_is_worth_nothing(
    house: House, venue: Venue, manager: Client
) -> None:
    _, token = venue.invite(email_of("ana"), venue.role("game_master"), by=manager)
    house.connection.execute("delete from auth.users where id = %s", [manager.id])
    with refused(404, "invitation_not_found"):
        house.sign_up("ana").call("accept_invitation", token=token)


def test_nobody_joins_a_suspended_or_closed_organization(house: House, venue: Venue) -> None:
    _, token = venue.invite(email_of("ana"), venue.role("game_master"))
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    ana = house.sign_up("ana")

    house.owner_sql("update public.organizations set status = 'suspended' where id = %s", venue.id)
    with refused(403, "organization_suspended"):
        ana.call("accept_invitation", token=token)
    with refused(404, "join_code_not_found"):
        ana.call("join_organization", code=code)
    house.owner_sql(
        "update public.organizations set status = 'closed', closed_at = now() where id = %s",
        venue.id,
    )
    with refused(404, "invitation_not_found"):
        ana.call("accept_invitation", token=token)
    with refused(404, "join_code_not_found"):
        ana.call("join_organization", code=code)
    assert venue.role_of(ana) is None


def test_only_a_signed_in_person_accepts(house: House) -> None:
    with refused(401, "42501"):
        house.nobody.call("accept_invitation", token="x")
    with refused(403, "42501"):
        house.service.call("accept_invitation", token="x")
