"""Whoever was suspended or removed stays out, whichever way in they try, until they are let in."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from client import Client
from db.test_tenancy_races import race, refusal
from matrix.fixtures import Track
from matrix.house import House, Venue, email_of
from matrix.promises import refused

REASON = "Ticket 4711: prices are wrong"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


def suspend_and_leave(house: House, venue: Venue, ana: Client) -> Client:
    venue.owner.call("suspend_member", organization_id=venue.id, user_id=ana.id)
    ana.call("leave_organization", organization_id=venue.id)
    return ana


def suspend_only(house: House, venue: Venue, ana: Client) -> Client:
    venue.owner.call("suspend_member", organization_id=venue.id, user_id=ana.id)
    return ana


def remove(house: House, venue: Venue, ana: Client) -> Client:
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    return ana


def suspend_and_delete_the_account(house: House, venue: Venue, ana: Client) -> Client:
    venue.owner.call("suspend_member", organization_id=venue.id, user_id=ana.id)
    house.connection.execute("delete from auth.users where id = %s", [ana.id])
    return house.sign_up("ana")


def remove_and_change_the_address(house: House, venue: Venue, ana: Client) -> Client:
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    house.connection.execute(
        "update auth.users set email = 'ana_again@example.test' where id = %s", [ana.id]
    )
    return ana


def remove_and_use_the_old_address_for_a_new_account(
    house: House, venue: Venue, ana: Client
) -> Client:
    remove_and_change_the_address(house, venue, ana)
    return house.sign_up("ana")


def by_join_code(house: House, venue: Venue, ana: Client) -> None:
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    ana.call("join_organization", code=code)


def by_an_invitation(house: House, venue: Venue, ana: Client) -> None:
    """To an address of which nobody knew that it is the same person's, who reads its mails."""
    house.connection.execute(
        "update auth.users set email = 'unknown@example.test' where id = %s", [ana.id]
    )
    house.owner_sql("select private.vouch_for_address(%s)", ana.id)
    _, token = venue.invite("unknown@example.test", venue.role("admin"))
    ana.call("accept_invitation", token=token)


def by_support_entry(house: House, venue: Venue, ana: Client) -> None:
    house.admit_platform_admin(ana)
    ana.call("platform_enter_organization", organization_id=venue.id, reason=REASON)


@pytest.mark.parametrize(
    "barred",
    [
        suspend_only,
        suspend_and_leave,
        remove,
        suspend_and_delete_the_account,
        remove_and_change_the_address,
        remove_and_use_the_old_address_for_a_new_account,
    ],
)
@pytest.mark.parametrize("enter", [by_join_code, by_an_invitation, by_support_entry])
def test_no_way_lets_in_whoever_is_barred(
    house: House,
    venue: Venue,
    barred: Callable[[House, Venue, Client], Client],
    enter: Callable[[House, Venue, Client], None],
) -> None:
    ana = barred(house, venue, venue.hire("ana", "admin"))
    if enter is by_an_invitation and barred in (
        suspend_and_delete_the_account,
        remove_and_use_the_old_address_for_a_new_account,
    ):
        # A new account with a new address is a new person, who was invited.
        enter(house, venue, ana)
        return
    with pytest.raises(Exception, match=r"member_barred|already_member"):
        enter(house, venue, ana)
    assert ana.at(venue.id).select("select from public.organizations") == []
    assert ana.call("my_context")["organizations"] == []


def change_address(house: House, who: Client, name: str, *, proven: bool = True) -> None:
    """The account's address becomes another one, as Auth changes it."""
    house.connection.execute(
        "update auth.users set email = %s where id = %s", [email_of(name), who.id]
    )
    if proven:
        house.owner_sql("select private.vouch_for_address(%s)", who.id)


def changed_before(house: House, venue: Venue, ana: Client, bar: Callable[..., Client]) -> None:
    change_address(house, ana, "ana_new")
    bar(house, venue, ana)


def changed_before_and_nobody_proved_it(
    house: House, venue: Venue, ana: Client, bar: Callable[..., Client]
) -> None:
    change_address(house, ana, "ana_new", proven=False)
    bar(house, venue, ana)


def changed_after(house: House, venue: Venue, ana: Client, bar: Callable[..., Client]) -> None:
    bar(house, venue, ana)
    change_address(house, ana, "ana_new")


def changed_after_and_proved_later(
    house: House, venue: Venue, ana: Client, bar: Callable[..., Client]
) -> None:
    bar(house, venue, ana)
    change_address(house, ana, "ana_new", proven=False)
    house.owner_sql(
        "select private.prove_address(%s, %s, 'mail', true)", ana.id, email_of("ana_new")
    )


def comes_back_as(house: House, ana: Client, name: str) -> Client:
    """Another account with one of the addresses, the first one being gone or not."""
    if house.one("select exists (select from auth.users where email = %s)", email_of(name)):
        house.connection.execute("delete from auth.users where id = %s", [ana.id])
    other = house.sign_up(name)
    house.owner_sql("select private.vouch_for_address(%s)", other.id)
    return other


@pytest.mark.parametrize("name", ["ana", "ana_new"])
@pytest.mark.parametrize("bar", [suspend_only, suspend_and_leave, remove])
@pytest.mark.parametrize(
    "change",
    [
        changed_before,
        changed_before_and_nobody_proved_it,
        changed_after,
        changed_after_and_proved_later,
    ],
)
class TestWhoeverChangesTheAddress:
    """A bar holds under every address that the account had as a member, or has proven since."""

    def test_is_not_invited_by_who_only_invites(
        self, house: House, venue: Venue, change: Callable[..., None], bar: object, name: str
    ) -> None:
        change(house, venue, venue.hire("ana", "receptionist"), bar)
        mary = venue.hire("mary", "manager")
        with pytest.raises(Exception, match=r"member_barred|already_member"):
            venue.invite(email_of(name), venue.role("game_master"), by=mary)

    def test_joins_under_no_other_account(
        self, house: House, venue: Venue, change: Callable[..., None], bar: object, name: str
    ) -> None:
        ana = venue.hire("ana", "receptionist")
        change(house, venue, ana, bar)
        other = comes_back_as(house, ana, name)
        with refused(403, "member_barred"):
            by_join_code(house, venue, other)
        # Nor behind an address that nobody knows, as long as it is not proven.
        change_address(house, other, "nobody_knows", proven=False)
        with refused(403, "member_barred"):
            by_join_code(house, venue, other)

    def test_accepts_no_invitation_from_before(
        self, house: House, venue: Venue, change: Callable[..., None], bar: object, name: str
    ) -> None:
        ana = venue.hire("ana", "receptionist")
        # Sent while the account had another address than either.
        change_address(house, ana, "ana_once")
        _, token = venue.invite(email_of(name), venue.role("game_master"))
        change_address(house, ana, "ana")
        change(house, venue, ana, bar)
        other = comes_back_as(house, ana, name)
        with pytest.raises(Exception, match=r"member_barred|invitation_not_found"):
            other.call("accept_invitation", token=token)
        assert venue.role_of(other) is None

    def test_is_let_in_by_an_invitation_of_whoever_may_remove(
        self, house: House, venue: Venue, change: Callable[..., None], bar: object, name: str
    ) -> None:
        ana = venue.hire("ana", "receptionist")
        change(house, venue, ana, bar)
        other = comes_back_as(house, ana, name)
        (barred,) = venue.owner.select("select id, email from public.member_bars")
        lift = {"organization_id": venue.id, "bar_id": barred["id"]}
        if venue.role_of(ana) is not None:
            # Somebody who only is suspended: without the bar, leaving would be a way in.
            with pytest.raises(Exception, match=r"member_barred|member_suspended"):
                venue.invite(email_of(name), venue.role("game_master"))
            with refused(409, "member_suspended"):
                venue.owner.call("lift_member_bar", **lift)
            return
        if email_of(name) != barred["email"]:
            # The owner need not know whose address it is.
            with refused(409, "member_barred"):
                venue.invite(email_of(name), venue.role("game_master"))
            venue.owner.call("lift_member_bar", **lift)
        _, token = venue.invite(email_of(name), venue.role("game_master"))
        other.call("accept_invitation", token=token)
        assert venue.role_of(other) == "game_master"


def test_whoever_is_barred_bars_no_stranger_by_naming_the_address(
    house: House, venue: Venue
) -> None:
    ana = remove(house, venue, venue.hire("ana"))
    change_address(house, ana, "stranger", proven=False)
    change_address(house, ana, "ana_again", proven=False)
    by_join_code(house, venue, house.sign_up("stranger"))


def test_addresses_of_whoever_left_in_peace_are_forgotten(house: House, venue: Venue) -> None:
    ana = venue.hire("ana")
    change_address(house, ana, "ana_new")
    known = "select count(*) from private.member_addresses where user_id = %s"
    assert house.one(known, ana.id) == 2
    ana.call("leave_organization", organization_id=venue.id)
    house.owner_sql("update private.member_addresses set left_at = left_at - interval '29 days'")
    house.owner_sql("select private.sweep()")
    assert house.one(known, ana.id) == 2
    house.owner_sql("update private.member_addresses set left_at = left_at - interval '2 days'")
    house.owner_sql("select private.sweep()")
    assert house.one(known, ana.id) == 0
    with refused(404, "member_not_found"):
        venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)


def test_whoever_comes_back_is_a_member_like_before(house: House, venue: Venue) -> None:
    ana = venue.hire("ana")
    ana.call("leave_organization", organization_id=venue.id)
    by_join_code(house, venue, ana)
    left = "select count(left_at) from private.member_addresses where user_id = %s"
    assert house.one(left, ana.id) == 0


def test_no_function_that_is_written_tomorrow_lets_them_in(house: House, venue: Venue) -> None:
    """The table itself asks, whoever writes to it."""
    ana = remove(house, venue, venue.hire("ana"))
    with pytest.raises(Exception, match="member_barred"):
        house.owner_sql(
            "insert into public.memberships (organization_id, user_id, role_id)"
            " values (%s, %s, %s)",
            venue.id,
            ana.id,
            venue.role("owner"),
        )
    bea = suspend_only(house, venue, venue.hire("bea"))
    with pytest.raises(Exception, match="member_barred"):
        house.owner_sql(
            "update public.memberships set status = 'active' where user_id = %s", bea.id
        )


@pytest.mark.parametrize("act", ["suspend_member", "remove_member"])
def test_the_code_on_the_wall_and_pending_invitations_go_with_the_person(
    house: House, venue: Venue, act: str
) -> None:
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    ana = venue.hire("ana")
    # Sent while she worked here under another address.
    house.connection.execute("update auth.users set email = 'x@y.test' where id = %s", [ana.id])
    _, token = venue.invite(email_of("ana"), venue.role("manager"))
    house.connection.execute(
        "update auth.users set email = %s where id = %s", [email_of("ana"), ana.id]
    )
    venue.owner.call(act, organization_id=venue.id, user_id=ana.id)
    with refused(404, "join_code_not_found"):
        house.sign_up("friend").call("join_organization", code=code)
    with refused(404, "invitation_not_found"):
        ana.call("accept_invitation", token=token)


def test_who_leaves_without_being_barred_may_come_back(house: House, venue: Venue) -> None:
    ana = venue.hire("ana")
    ana.call("leave_organization", organization_id=venue.id)
    by_join_code(house, venue, ana)
    assert venue.role_of(ana) == "game_master"


def test_a_bar_of_one_venue_is_none_of_another(house: House, venue: Venue) -> None:
    ana = remove(house, venue, venue.hire("ana"))
    house.open_venue("Other").admit(ana, email_of("ana"), "manager")
    assert ana.call("has_permission", permission="bookings:read") is True


def test_the_organization_sees_who_is_barred_and_by_whom(house: House, venue: Venue) -> None:
    adam = venue.hire("adam", "admin")
    ana, bea = venue.hire("ana"), venue.hire("bea")
    adam.call("suspend_member", organization_id=venue.id, user_id=ana.id)
    adam.call("remove_member", organization_id=venue.id, user_id=bea.id)
    seen = "select user_id::text, email, cause, barred_by::text from public.member_bars order by 2"
    assert adam.select(seen) == [
        {"user_id": ana.id, "email": email_of("ana"), "cause": "suspended", "barred_by": adam.id},
        {"user_id": bea.id, "email": email_of("bea"), "cause": "removed", "barred_by": adam.id},
    ]
    assert house.open_venue("Other").owner.select(seen) == []


def test_who_is_barred_is_seen_by_those_who_may_know_and_not_by_every_colleague(
    house: House, venue: Venue
) -> None:
    """Colleagues see each other's addresses; whoever was removed is no colleague any more."""
    venue.owner.call("remove_member", organization_id=venue.id, user_id=venue.hire("ana").id)
    seen = "select count(*)::int as n from public.member_bars"
    for role, count in {"admin": 1, "manager": 0, "receptionist": 0, "game_master": 0}.items():
        assert venue.hire(f"a_{role}", role).select(seen) == [{"n": count}], role
    reader = venue.hire("reader", venue.make_role("Reader", ["bars:read"]))
    assert reader.select(seen) == [{"n": 1}]


def spelled(house: House, address: str) -> Client:
    """Another account, which has proven this address."""
    bea = house.sign_up("bea")
    house.connection.execute("update auth.users set email = %s where id = %s", [address, bea.id])
    house.owner_sql("select private.vouch_for_address(%s)", bea.id)
    return bea


@pytest.mark.parametrize(
    ("barred", "other"),
    [
        ("ana@example.test", "ana+2@example.test"),
        ("ana@example.test", "Ana+x+y@example.test"),
        ("ana+work@example.test", "ana@example.test"),
        ("ana+1@example.test", "ana+2@example.test"),
        ("a.na@gmail.com", "ana+3@googlemail.com"),
    ],
)
def test_a_mailbox_is_barred_under_all_its_addresses(
    house: House, venue: Venue, barred: str, other: str
) -> None:
    ana = venue.hire("ana")
    house.connection.execute("update auth.users set email = %s where id = %s", [barred, ana.id])
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    bea = spelled(house, other)
    with refused(403, "member_barred"):
        by_join_code(house, venue, bea)
    # Inviting that address lifts no bar either: it is not the one that member_bars names.
    with refused(409, "member_barred"):
        venue.invite(other.lower(), venue.role("game_master"))
    venue.owner.call("lift_member_bar", organization_id=venue.id, bar_id=bar_of(venue))
    by_join_code(house, venue, bea)


@pytest.mark.parametrize("other", ["ana.b@example.test", "ana@example.test", "anab@other.test"])
def test_another_mailbox_is_not_barred(house: House, venue: Venue, other: str) -> None:
    zoe = venue.hire("zoe")
    house.connection.execute(
        "update auth.users set email = 'anab@example.test' where id = %s", [zoe.id]
    )
    venue.owner.call("remove_member", organization_id=venue.id, user_id=zoe.id)
    by_join_code(house, venue, spelled(house, other))


def test_a_pending_invitation_to_another_address_of_the_mailbox_goes_too(
    house: House, venue: Venue
) -> None:
    ana = venue.hire("ana")
    name, host = email_of("ana").split("@")
    venue.invite(f"{name}+2@{host}", venue.role("game_master"))
    venue.invite(f"{name}2@{host}", venue.role("game_master"))
    venue.owner.call("remove_member", organization_id=venue.id, user_id=ana.id)
    assert venue.owner.select(
        "select revoked_at is not null as revoked from public.invitations"
        " where email like %s and accepted_at is null order by email",
        f"{name}%2@{host}",
    ) == [{"revoked": True}, {"revoked": False}]


def bar_of(venue: Venue) -> UUID:
    (bar,) = venue.owner.select("select id from public.member_bars")
    found = bar["id"]
    assert isinstance(found, UUID)
    return found


def test_a_bar_is_lifted_on_purpose_and_then_the_person_is_invited_like_anybody(
    house: House, venue: Venue
) -> None:
    ana = suspend_and_leave(house, venue, venue.hire("ana", "manager"))
    lift = {"organization_id": venue.id, "bar_id": bar_of(venue)}
    # Inviting is not lifting: a manager invites, and does not let in whom the admin removed.
    mary = venue.hire("mary", "manager")
    with refused(409, "member_barred"):
        venue.invite(email_of("ana"), venue.role("game_master"), by=mary)
    for nobody in (mary, ana, house.nobody):
        with pytest.raises(Exception, match=r"permission_denied|permission denied"):
            nobody.call("lift_member_bar", **lift)
    venue.hire("adam", "admin").call("lift_member_bar", **lift)
    assert venue.role_of(ana) is None
    _, token = venue.invite(email_of("ana"), venue.role("game_master"), by=mary)
    ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) == "game_master"
    with refused(404, "bar_not_found"):
        venue.owner.call("lift_member_bar", **lift)


def test_an_invitation_of_whoever_may_remove_lifts_the_bar(house: House, venue: Venue) -> None:
    ana = suspend_and_leave(house, venue, venue.hire("ana", "manager"))
    with refused(403, "member_barred"):
        by_join_code(house, venue, ana)
    adam = venue.hire("adam", "admin")
    _, token = venue.invite(email_of("ana"), venue.role("receptionist"), by=adam)
    ana.call("accept_invitation", token=token)
    assert venue.role_of(ana) == "receptionist"


def test_an_invitation_lifts_the_bar_of_its_address_whoever_else_is_barred(venue: Venue) -> None:
    for name in ("ana", "bea"):
        venue.owner.call("remove_member", organization_id=venue.id, user_id=venue.hire(name).id)
    venue.invite(email_of("ana"), venue.role("game_master"))
    assert venue.owner.select("select email from public.member_bars") == [
        {"email": email_of("bea")}
    ]


def test_who_is_still_a_member_is_reactivated_and_barred_no_more(
    house: House, venue: Venue
) -> None:
    ana = suspend_only(house, venue, venue.hire("ana"))
    with refused(409, "member_suspended"):
        venue.owner.call("lift_member_bar", organization_id=venue.id, bar_id=bar_of(venue))
    venue.owner.call("reactivate_member", organization_id=venue.id, user_id=ana.id)
    assert venue.owner.select("select from public.member_bars") == []
    ana.call("leave_organization", organization_id=venue.id)
    by_join_code(house, venue, ana)


def test_a_removal_and_the_same_person_s_return_meet_and_the_removal_wins(track: Track) -> None:
    venue = track.house.open_venue(track.name("venue"), track.house.sign_up(track.name("owner")))
    ana = venue.hire(track.name("ana"))
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    owner, back = track.alone(venue.owner), track.alone(ana)

    outcome = race(
        track,
        owner,
        lambda: owner.call("remove_member", organization_id=venue.id, user_id=ana.id),
        back,
        lambda: back.call("join_organization", code=code),
    )

    assert refusal(outcome) == (403, "member_barred")
    assert venue.role_of(ana) is None


def test_a_removal_and_another_account_of_the_same_address_meet_and_the_removal_wins(
    track: Track,
) -> None:
    venue = track.house.open_venue(track.name("venue"), track.house.sign_up(track.name("owner")))
    name = track.name("ana")
    ana = venue.hire(name, "manager")
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    twin = track.house.sign_up(track.name("twin"))
    # As a change that Auth has not told the first account's profile of.
    track.house.owner_sql(
        "update public.profiles set email = %s where user_id = %s", email_of(name), twin.id
    )
    owner, back = track.alone(venue.owner), track.alone(twin)

    outcome = race(
        track,
        owner,
        lambda: owner.call("remove_member", organization_id=venue.id, user_id=ana.id),
        back,
        lambda: back.call("join_organization", code=code),
    )

    assert refusal(outcome) == (403, "member_barred")
