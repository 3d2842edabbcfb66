"""The platform's operator: seen by the tenant, for a stated time, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from client import Client
from matrix.house import House, Venue, email_of
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"
REASON = "Ticket 4711: prices are wrong"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def operator(house: House) -> Client:
    person = house.sign_up("operator")
    house.admit_platform_admin(person)
    return person


def enter(operator: Client, venue: Venue, role: str = "manager", minutes: int = 60) -> Any:
    return operator.call(
        "platform_enter_organization",
        organization_id=venue.id,
        reason=REASON,
        minutes=minutes,
        role_key=role,
    )


def expire(house: House, venue: Venue, operator: Client) -> None:
    """Let the time of a visit be over."""
    for table, column in (("support_entries", "admin_user_id"), ("memberships", "user_id")):
        house.owner_sql(
            f"update public.{table} set expires_at = now()"
            f" where organization_id = %s and {column} = %s",
            venue.id,
            operator.id,
        )


PLATFORM: list[tuple[str, dict[str, object]]] = [
    ("platform_list_organizations", {}),
    ("platform_statistics", {}),
    ("platform_suspend_organization", {"reason": REASON}),
    ("platform_reactivate_organization", {"reason": REASON}),
    ("platform_enter_organization", {"reason": REASON}),
    ("platform_erase_organization", {"reason": REASON}),
]


@pytest.mark.parametrize(("function", "arguments"), PLATFORM)
def test_platform_functions_are_refused_to_everybody_else(
    house: House, venue: Venue, function: str, arguments: dict[str, object]
) -> None:
    if "reason" in arguments:
        arguments = {**arguments, "organization_id": venue.id}
    key, _ = venue.make_key(venue.permissions_of(venue.owner))

    for person in (venue.owner, venue.hire("ana", "admin"), house.sign_up("player")):
        with refused(403, "platform_admin_required"):
            person.call(function, **arguments)
    with refused(403, "user_required"):
        key.call(function, **arguments)
    with refused(401, "42501"):
        house.nobody.call(function, **arguments)
    with refused(403, "42501"):
        house.service.call(function, **arguments)


def test_no_function_makes_a_platform_administrator(house: House, venue: Venue) -> None:
    writers = house.owner_sql(
        "select p.oid::regprocedure::text from pg_proc as p"
        " where p.prosrc ~ '(insert into|update) private.platform_admins'"
    )
    assert writers == []
    with refused(403, "42501"):
        venue.owner.change("insert into private.platform_admins values (%s)", venue.owner.id)


def test_an_operator_lists_all_organizations_page_by_page(
    house: House, venue: Venue, operator: Client
) -> None:
    others = [house.open_venue(f"Other {n}") for n in range(3)]
    venue.hire("ana")
    wanted = sorted([venue.id, *(o.id for o in others)])
    page = "select * from public.platform_list_organizations(after_id => %s, max_rows => %s)"

    first = operator.select(page, None, 3)
    rest = operator.select(page, str(first[-1]["id"]), None)

    assert [str(r["id"]) for r in first + rest] == wanted
    (mine,) = [r for r in first + rest if str(r["id"]) == venue.id]
    assert (mine["members"], mine["bookings_30_days"], mine["status"]) == (2, 0, "active")
    for max_rows in (0, -1):
        assert len(operator.select(page, None, max_rows)) == 1


def test_an_operator_searches_by_name_address_and_status(
    house: House, venue: Venue, operator: Client
) -> None:
    other = house.open_venue("Bakery")
    house.owner_sql("update public.organizations set status = 'suspended' where id = %s", venue.id)
    search = "select id::text from public.platform_list_organizations(%s, %s)"

    assert operator.select(search, None, "BAKE") == [{"id": other.id}]
    assert operator.select(search, "suspended", None) == [{"id": venue.id}]
    assert operator.select(search, "active", "venue") == []


def test_a_visit_is_not_counted_as_a_member(house: House, venue: Venue, operator: Client) -> None:
    enter(operator, venue)
    assert operator.select("select members from public.platform_list_organizations()") == [
        {"members": 1}
    ]


def test_an_operator_sees_statistics(house: House, venue: Venue, operator: Client) -> None:
    closed = house.open_venue("Closed")
    closed.owner.call("close_organization", organization_id=closed.id, confirm_slug=closed.slug)
    enter(operator, venue)

    statistics = operator.call("platform_statistics")

    assert statistics["organizations"] == {"active": 1, "suspended": 0, "closed": 1}
    assert statistics["users"] == 3
    assert set(statistics["bookings_30_days"].values()) == {0}
    assert statistics["open_support_entries"] == 1
    expire(house, venue, operator)
    assert operator.call("platform_statistics")["open_support_entries"] == 0


def test_a_suspended_organization_keeps_its_reads_and_loses_its_writes(
    venue: Venue, operator: Client
) -> None:
    admin = venue.hire("adam", "admin")
    rename = "update public.organizations set name = 'x'"
    suspended = operator.call(
        "platform_suspend_organization", organization_id=venue.id, reason=REASON
    )

    assert suspended["status"] == "suspended"
    for person in (venue.owner, admin):
        assert len(person.select("select from public.memberships")) == 2
        assert person.call("my_context")["organizations"][0]["status"] == "suspended"
        assert person.call("has_permission", permission="users:read") is True
        with refused(403, "organization_suspended"):
            person.change(rename)
        with refused(403, "organization_suspended"):
            person.call("create_role", organization_id=venue.id, name="x", permissions=[])
        with refused(403, "organization_suspended"):
            person.call("has_permission", permission="users:manage")
    operator.call("platform_reactivate_organization", organization_id=venue.id, reason=REASON)
    assert admin.change(rename) == 1


@pytest.mark.parametrize(
    "function", ["platform_suspend_organization", "platform_reactivate_organization"]
)
def test_a_status_is_changed_with_a_reason_and_only_of_organizations_that_live(
    house: House, venue: Venue, operator: Client, function: str
) -> None:
    for reason in ("", "  ", "...", "\u0301", None):
        with refused(422, "reason_missing"):
            operator.call(function, organization_id=venue.id, reason=reason)
    venue.owner.call("close_organization", organization_id=venue.id, confirm_slug=venue.slug)
    for organization_id in (venue.id, NOWHERE, None):
        with refused(404, "organization_not_found"):
            operator.call(function, organization_id=organization_id, reason=REASON)


def test_what_an_operator_did_is_kept_with_the_reason(
    house: House, venue: Venue, operator: Client
) -> None:
    operator.call("platform_suspend_organization", organization_id=venue.id, reason=REASON)
    operator.call("platform_reactivate_organization", organization_id=venue.id, reason=REASON)
    enter(operator, venue)

    log = house.owner_sql("select * from private.platform_log order by id")

    assert [r["action"] for r in log] == ["status:suspended", "status:active", "enter"]
    assert {(str(r["admin_user_id"]), str(r["organization_id"]), r["reason"]) for r in log} == {
        (operator.id, venue.id, REASON)
    }


def test_a_support_entry_gives_the_role_for_the_stated_time_and_no_longer(
    house: House, venue: Venue, operator: Client
) -> None:
    inside = operator.at(venue.id)
    assert inside.select("select from public.memberships") == []

    entry = enter(operator, venue, "receptionist", minutes=30)

    assert house.one(
        "select expires_at = started_at + interval '30 minutes' from public.support_entries"
        " where id = %s",
        entry["id"],
    )
    assert inside.call("has_permission", permission="customers:read") is True
    assert inside.call("has_permission", permission="roles:read") is False
    assert inside.call("my_context")["active_organization_id"] == venue.id
    expire(house, venue, operator)
    assert inside.call("has_permission", permission="customers:read") is False
    assert inside.select("select from public.memberships") == []
    context = inside.call("my_context")
    assert (context["active_organization_id"], context["organizations"]) == (None, [])
    with refused(404, "organization_not_found"):
        operator.call("switch_organization", organization_id=venue.id)


def test_the_tenant_sees_the_visit_and_its_reason(
    house: House, venue: Venue, operator: Client
) -> None:
    entry = enter(operator, venue)

    (seen,) = venue.owner.select("select * from public.support_entries")

    assert str(seen["id"]) == entry["id"]
    assert (seen["reason"], seen["role_key"], seen["ended_at"]) == (REASON, "manager", None)
    assert str(seen["admin_user_id"]) == operator.id
    assert venue.hire("ana", "manager").select("select from public.support_entries") == []
    assert house.open_venue("Other").owner.select("select from public.support_entries") == []


def test_whatever_a_visitor_does_is_marked_as_support(venue: Venue, operator: Client) -> None:
    entry = enter(operator, venue, "admin")
    operator.at(venue.id).change("update public.organizations set name = 'Mended'")
    operator.call("end_support_entry", organization_id=venue.id, support_entry_id=entry["id"])
    operator.call("platform_suspend_organization", organization_id=venue.id, reason=REASON)

    log = venue.owner.select(
        "select actor_kind, table_name, action from public.audit_log"
        " where actor_id = %s order by id",
        operator.id,
    )

    assert {r["actor_kind"] for r in log} == {"support"}
    assert [(r["table_name"], r["action"]) for r in log] == [
        ("support_entries", "insert"),
        ("memberships", "insert"),
        ("organizations", "update"),
        ("support_entries", "update"),
        ("memberships", "delete"),
        ("organizations", "update"),
    ]


def test_both_sides_end_a_visit_at_once(house: House, venue: Venue, operator: Client) -> None:
    admin = venue.hire("adam", "admin")
    for by in (operator, admin, venue.owner):
        entry = enter(operator, venue)
        assert operator.at(venue.id).select("select from public.memberships") != []
        end = {"organization_id": venue.id, "support_entry_id": entry["id"]}

        by.call("end_support_entry", **end)

        assert operator.at(venue.id).select("select from public.memberships") == []
        assert house.one(
            "select ended_at = now() from public.support_entries where id = %s", entry["id"]
        )
        by.call("end_support_entry", **end)


def test_the_end_of_one_visit_is_not_another_s(house: House, venue: Venue) -> None:
    operators = [house.sign_up(f"operator_{n}") for n in range(2)]
    other = house.open_venue("Other")
    entries = []
    for operator in operators:
        house.admit_platform_admin(operator)
        entries.append(enter(operator, venue))
        enter(operator, other)

    venue.owner.call(
        "end_support_entry", organization_id=venue.id, support_entry_id=entries[0]["id"]
    )

    assert operators[0].at(venue.id).select("select from public.memberships") == []
    assert operators[1].at(venue.id).select("select from public.memberships") != []
    assert operators[0].at(other.id).select("select from public.memberships") != []
    open_ones = "select count(*) from public.support_entries where ended_at is null"
    assert house.one(open_ones) == 3


def test_ending_a_visit_that_ended_by_itself_leaves_the_member_who_was_hired_since(
    house: House, venue: Venue, operator: Client
) -> None:
    entry = enter(operator, venue)
    expire(house, venue, operator)
    venue.admit(operator, email_of("operator"), "receptionist")
    venue.owner.call("end_support_entry", organization_id=venue.id, support_entry_id=entry["id"])
    assert venue.role_of(operator) == "receptionist"


def test_when_a_visit_ended_is_not_forgotten_at_the_next_one(
    house: House, venue: Venue, operator: Client
) -> None:
    entry = enter(operator, venue)
    house.owner_sql("update public.support_entries set ended_at = now() - interval '1 hour'")
    enter(operator, venue)
    assert house.one(
        "select ended_at = now() - interval '1 hour' from public.support_entries where id = %s",
        entry["id"],
    )


def test_a_suspended_organization_can_show_its_visitors_out(venue: Venue, operator: Client) -> None:
    entry = enter(operator, venue)
    operator.call("platform_suspend_organization", organization_id=venue.id, reason=REASON)
    venue.owner.call("end_support_entry", organization_id=venue.id, support_entry_id=entry["id"])
    assert operator.at(venue.id).select("select from public.memberships") == []


def test_nobody_else_ends_a_visit_or_learns_of_it(
    house: House, venue: Venue, operator: Client
) -> None:
    entry = enter(operator, venue)
    foreign = house.open_venue("Foreign")
    key, _ = venue.make_key(["users:manage"])

    for person in (venue.hire("ana", "manager"), foreign.owner, house.sign_up("player")):
        for entry_id in (entry["id"], NOWHERE):
            with refused(404, "support_entry_not_found"):
                person.call(
                    "end_support_entry", organization_id=venue.id, support_entry_id=entry_id
                )
    with refused(404, "support_entry_not_found"):
        foreign.owner.call(
            "end_support_entry", organization_id=foreign.id, support_entry_id=entry["id"]
        )
    with refused(403, "user_required"):
        key.call("end_support_entry", organization_id=venue.id, support_entry_id=entry["id"])
    assert operator.at(venue.id).select("select from public.memberships") != []


def test_entering_again_ends_the_visit_before_and_changes_the_role(
    house: House, venue: Venue, operator: Client
) -> None:
    enter(operator, venue, "manager")
    enter(operator, venue, "game_master")

    assert house.one("select count(*) from public.support_entries where ended_at is null") == 1
    assert venue.role_of(operator) == "game_master"
    expire(house, venue, operator)
    enter(operator, venue, "admin")
    assert venue.role_of(operator) == "admin"
    assert operator.at(venue.id).call("has_permission", permission="audit:read") is True


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"reason": "too short"}, 422, "reason_missing"),
        ({"reason": None}, 422, "reason_missing"),
        ({"reason": "." * 10}, 422, "reason_missing"),
        ({"reason": "x" * 501}, 422, "reason_missing"),
        ({"minutes": 0}, 422, "duration_invalid"),
        ({"minutes": 481}, 422, "duration_invalid"),
        ({"minutes": None}, 422, "duration_invalid"),
        ({"role_key": "owner"}, 404, "role_not_found"),
        ({"role_key": "night"}, 404, "role_not_found"),
        ({"role_key": None}, 404, "role_not_found"),
        ({"organization_id": NOWHERE}, 404, "organization_not_found"),
        ({"organization_id": None}, 404, "organization_not_found"),
    ],
)
def test_a_visit_needs_a_reason_an_end_and_a_role_below_owner(
    venue: Venue, operator: Client, arguments: dict[str, object], status: int, code: str
) -> None:
    venue.make_role("Night", [])
    with refused(status, code):
        operator.call(
            "platform_enter_organization",
            **{"organization_id": venue.id, "reason": REASON, **arguments},
        )


def test_a_closed_organization_is_not_entered(venue: Venue, operator: Client) -> None:
    venue.owner.call("close_organization", organization_id=venue.id, confirm_slug=venue.slug)
    with refused(404, "organization_not_found"):
        enter(operator, venue)


def test_an_operator_who_works_here_keeps_the_role_they_have(
    venue: Venue, operator: Client
) -> None:
    venue.admit(operator, email_of("operator"), "game_master")
    with refused(409, "already_member"):
        enter(operator, venue, "admin")
    assert venue.role_of(operator) == "game_master"


def test_escalation_by_support_entry_leaves_nothing_behind(
    house: House, venue: Venue, operator: Client
) -> None:
    venue.owner.call("rotate_join_code", organization_id=venue.id)
    crew = venue.make_role("Crew", [])
    ana = venue.hire("ana", "game_master")
    enter(operator, venue, "admin")

    with refused(403, "permission_denied"):
        operator.call(
            "create_api_key", organization_id=venue.id, name="x", permissions=["rooms:read"]
        )
    with refused(403, "permission_denied"):
        venue.invite("me.too@example.test", venue.role("game_master"), by=operator)
    with refused(403, "permission_denied"):
        operator.call(
            "set_role_permissions",
            organization_id=venue.id,
            role_id=crew,
            permissions=["rooms:read"],
        )
    with refused(403, "permission_denied"):
        operator.call("set_member_role", organization_id=venue.id, user_id=ana.id, role_id=crew)
    for function in ("get_join_code", "rotate_join_code"):
        with refused(403, "permission_denied"):
            operator.call(function, organization_id=venue.id)


def test_a_visitor_invites_nobody_not_even_to_an_empty_role(venue: Venue, operator: Client) -> None:
    empty = venue.make_role("Empty", [])
    enter(operator, venue, "admin")
    with refused(403, "permission_denied"):
        venue.invite(email_of("friend"), empty, by=operator)


def test_a_visitor_ends_no_other_visit(house: House, venue: Venue, operator: Client) -> None:
    other = house.sign_up("other_operator")
    house.admit_platform_admin(other)
    theirs = enter(other, venue, "admin")
    enter(operator, venue, "admin")
    with refused(404, "support_entry_not_found"):
        operator.call("end_support_entry", organization_id=venue.id, support_entry_id=theirs["id"])


def test_a_visitor_is_no_member_to_be_managed_and_cannot_leave_or_stay(
    house: House, venue: Venue, operator: Client
) -> None:
    code = venue.owner.call("rotate_join_code", organization_id=venue.id)["code"]
    enter(operator, venue, "admin")

    with refused(404, "organization_not_found"):
        operator.call("leave_organization", organization_id=venue.id)
    with refused(409, "already_member"):
        operator.call("join_organization", code=code)
    _, token = venue.invite(email_of("operator"), venue.role("game_master"))
    with refused(409, "already_member"):
        operator.call("accept_invitation", token=token)
    with refused(404, "member_not_found"):
        venue.owner.call("remove_member", organization_id=venue.id, user_id=operator.id)
    assert venue.role_of(operator) == "admin"


def test_after_the_visit_an_operator_can_be_hired_like_anybody(
    house: House, venue: Venue, operator: Client
) -> None:
    other = house.open_venue("Other")
    code = other.owner.call("rotate_join_code", organization_id=other.id)["code"]
    for place in (venue, other):
        enter(operator, place, "admin")
        expire(house, place, operator)

    venue.admit(operator, email_of("operator"), "receptionist")
    operator.call("join_organization", code=code)

    assert venue.role_of(operator) == "receptionist"
    assert other.role_of(operator) == "game_master"
    assert house.one("select count(*) from public.memberships where expires_at is not null") == 0
    operator.call("leave_organization", organization_id=venue.id)
