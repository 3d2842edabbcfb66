"""Another venue's data, and one's own venue beyond one's role."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import psycopg

from siege.ground import Ground, address, hold_true, in_parallel, message
from venues import answer

_TABLES = (
    *("organizations", "memberships", "roles", "role_permissions", "invitations", "api_keys"),
    *("locations", "rooms", "schedules", "calendars", "sessions", "bookings", "booking_lines"),
    *("booking_history", "customers", "customer_consents", "payments", "refunds", "vouchers"),
    *("coupons", "waitlist_entries", "waiver_signatures", "shifts", "session_staff"),
    *("audit_log", "calendar_feeds", "organization_exports", "table_exports"),
)

#: Ways to write a wish for a count that is not counted.
_COUNTS = (
    "count=planned",
    "count=estimated",
    "Count=Planned",
    "return=minimal, count=planned",
    "count=planned,count=exact",
    "count = planned",
)


def a_rival_reads_no_row_of_ours(ground: Ground) -> None:
    """Whatever a rival names or filters, each table answers with nothing of ours."""
    answer(ground.hold(ground.visitor(), ground.times()[0], address("row")))
    owner = ground.south.owner
    rival = ground.as_user(ground.user())
    ours = ground.north.organization_id
    for table in _TABLES:
        column = "id" if table == "organizations" else "organization_id"
        for caller in (owner, rival):
            for headers in ({}, {"x-organization-id": ours}):
                seen = caller.request(
                    "GET", table, params={"select": "*", column: f"eq.{ours}"}, headers=headers
                )
                hold_true(
                    not seen.is_success or seen.json() == [],
                    f"{table} shows our rows: {seen.text[:200]}",
                )


def nobody_without_an_account_reads_a_table(ground: Ground) -> None:
    """A visitor has functions and no table at all."""
    visitor = ground.visitor()
    for table in _TABLES:
        seen = visitor.get(table, select="*", limit="1")
        hold_true(seen.status_code in {401, 404}, f"{table}: {seen.status_code} {seen.text[:120]}")


def nothing_answers_from_statistics(ground: Ground) -> None:
    """A planner's estimate, which knows no policy, is given to nobody."""
    ours = ground.north.organization_id
    rival = ground.as_user(ground.user())
    for table in ("bookings", "customers", "payments", "rooms"):
        for wish in _COUNTS:
            counted = rival.request(
                "GET",
                table,
                params={"select": "organization_id", "organization_id": f"eq.{ours}", "limit": "0"},
                headers={"Prefer": wish},
            )
            told = counted.headers.get("content-range", "*/*").rpartition("/")[2]
            hold_true(
                not counted.is_success or told in {"*", "0"},
                f"{wish!r} on {table} tells {told}",
            )
        planned = rival.request("GET", table, headers={"Accept": "application/vnd.pgrst.plan+json"})
        hold_true(not planned.is_success, f"the plan of {table} is shown: {planned.text[:120]}")


def nobody_raises_themselves(ground: Ground) -> None:
    """No member gives themselves, or anybody, more than they hold."""
    member, desk = ground.hire("receptionist")
    mine = {"organization_id": ground.north.organization_id}
    owner_role = ground.role("owner")
    for table, change, where in (
        ("memberships", {"role_id": owner_role}, {"user_id": f"eq.{member.id}"}),
        ("roles", {"key": "owner"}, {"is_system": "is.true"}),
        ("profiles", {"active_organization_id": ground.south.organization_id}, {}),
    ):
        changed = desk.update(table, change, **where)
        hold_true(
            not changed.is_success or changed.json() == [], f"{table} was written: {changed.text}"
        )
    for function, arguments in (
        ("set_member_role", {"user_id": member.id, "role_id": owner_role}),
        ("create_role", {"name": "Mine", "permissions": ["organization:transfer"]}),
        ("invite_member", {"email": address("friend"), "role_id": owner_role}),
        ("create_api_key", {"name": "Mine", "permissions": ["users:manage"]}),
        ("transfer_ownership", {"user_id": member.id}),
        ("close_organization", {"confirm_slug": "casa-norte"}),
    ):
        tried = desk.rpc(function, **mine, **arguments)
        hold_true(tried.status_code == 403, f"{function}: {tried.status_code} {tried.text[:160]}")


def whoever_is_suspended_or_removed_stays_out(ground: Ground) -> None:
    """Leaving and joining again does not lift a bar, and neither does an old code."""
    mine = {"organization_id": ground.north.organization_id}
    owner = ground.north.owner
    for bar in ("suspend_member", "remove_member"):
        member, inside = ground.hire("receptionist")
        code = answer(owner.rpc("get_join_code", **mine))["code"]
        barred = owner.rpc(bar, **mine, user_id=member.id)
        hold_true(barred.is_success, barred.text)
        outside = ground.as_user(member)
        outside.rpc("leave_organization", **mine)
        fresh = answer(owner.rpc("get_join_code", **mine))["code"]
        hold_true(fresh != code, f"the code is still the same after {bar}")
        for known in (code, fresh):
            outside.rpc("join_organization", code=known)
            seen = inside.get("rooms", select="id")
            hold_true(
                not seen.is_success or seen.json() == [], f"back in after {bar}: {seen.text[:120]}"
            )


def a_game_master_reads_no_customer(ground: Ground) -> None:
    """Who may not read customers finds no name, address or note of one anywhere."""
    secret = f"Zoraida {uuid4().hex[:8]}"
    held = answer(
        ground.visitor().rpc(
            "hold_booking",
            slug=ground.north.calendar,
            room_id=(slot := ground.times()[2])["room_id"],
            starts_at=slot["starts_at"],
            party_size=2,
            customer={"full_name": secret, "email": address("zoraida"), "phone": "600112233"},
            expected_total_cents=slot["price_cents"],
            customer_note=f"note of {secret}",
            idempotency_key=uuid4().hex,
        )
    )
    booking = answer(
        ground.north.owner.get("bookings", select="id", reference=f"eq.{held['reference']}")
    )[0]
    answer(
        ground.north.owner.rpc(
            "transition_booking",
            organization_id=ground.north.organization_id,
            booking_id=booking["id"],
            to_status="confirmed",
        )
    )
    _, game_master = ground.hire("game_master")
    with psycopg.connect(ground.stack.owner_dsn) as connection:
        tables = [
            table
            for (table,) in connection.execute(
                "select relname from pg_class where relnamespace = 'public'::regnamespace"
                " and relkind in ('r', 'p', 'v') and has_any_column_privilege("
                "'authenticated', oid, 'select')"
            )
        ]
    hold_true(len(tables) > 60, f"only {len(tables)} tables may be read")
    for table in tables:
        seen = game_master.get(table, select="*")
        hold_true(secret not in seen.text, f"{table} tells a game master the customer's name")
    for function, arguments in (
        ("get_board", {"date": slot["local_date"]}),
        ("get_waivers_to_sign", {"location_id": str(uuid4()), "date": slot["local_date"]}),
    ):
        seen = game_master.rpc(function, organization_id=ground.north.organization_id, **arguments)
        hold_true(secret not in seen.text, f"{function} tells a game master the customer's name")


def what_a_support_visit_opened_ends_with_it(ground: Ground) -> None:
    """Feeds and kiosks that a visitor of the platform made do not outlive the visit."""
    operator = ground.operator()
    mine = {"organization_id": ground.north.organization_id}
    entry = answer(
        operator.rpc(
            "platform_enter_organization",
            **mine,
            reason="To see what a siege leaves",
            minutes=30,
            role_key="manager",
        )
    )
    inside = replace(
        operator, headers={**operator.headers, "x-organization-id": mine["organization_id"]}
    )
    location = answer(ground.north.owner.get("locations", select="id"))[0]["id"]
    feed = inside.rpc("create_calendar_feed", **mine, name="Siege")
    kiosk = inside.rpc("create_waiver_kiosk", **mine, location_id=location, name="Siege")
    ended = ground.north.owner.rpc("end_support_entry", **mine, support_entry_id=entry["id"])
    hold_true(ended.is_success, ended.text)
    visitor = ground.visitor()
    for made, function in ((feed, "get_calendar_feed"), (kiosk, "get_waiver_kiosk")):
        if made.is_success:
            read = visitor.rpc(function, token=made.json()["token"])
            hold_true(
                read.status_code == 404, f"{function} answers after the visit: {read.text[:99]}"
            )


def owners_who_hand_over_to_each_other_never_meet_a_deadlock(ground: Ground) -> None:
    """Two owners hand the ownership to each other at once: one of them is told no, in words."""
    first, as_first = ground.hire("owner", ground.south)
    mine = {"organization_id": ground.south.organization_id}
    second, as_second = ground.hire("owner", ground.south)
    for _ in range(10):
        answers = in_parallel(
            lambda: as_first.rpc("transfer_ownership", **mine, user_id=second.id),
            lambda: as_second.rpc("transfer_ownership", **mine, user_id=first.id),
        )
        for told in answers:
            hold_true("deadlock" not in told.text, f"a deadlock: {told.text[:200]}")
        for user in (first, second):
            ground.south.owner.rpc(
                "set_member_role",
                **mine,
                user_id=user.id,
                role_id=ground.role("owner", ground.south),
            )


def a_leaked_service_key_reads_no_venue(ground: Ground) -> None:
    """The service's key opens no table, no export without its job, and confirms no booking."""
    thief = ground.service_key()
    for schema in ("public", "private", "service"):
        for table in ("bookings", "customers", "memberships", "jobs"):
            seen = thief.request("GET", table, headers={"Accept-Profile": schema})
            hold_true(not seen.is_success, f"{schema}.{table}: {seen.text[:120]}")
    for arguments in (
        {"organization_id": ground.north.organization_id},
        {"organization_id": ground.north.organization_id, "job_id": 1, "lease_token": str(uuid4())},
    ):
        read = thief.rpc("read_organization", **arguments)
        hold_true(
            not read.is_success or read.json() == [],
            f"a whole venue without a job: {read.text[:120]}",
        )


def storage_keeps_to_its_folders(ground: Ground) -> None:
    """Nobody writes into, lists or reads another venue's private files."""
    rival = ground.south.owner
    ours = ground.north.organization_id
    for bucket in ("documents", "room-images", "team-photos", "logos"):
        for path in (
            f"{ours}/x.pdf",
            f"{ground.south.organization_id}/../{ours}/x.pdf",
            f"{ours}/%2e%2e/x.pdf",
        ):
            put = rival.http.post(
                f"/storage/v1/object/{bucket}/{path}",
                headers={**rival.headers, "Content-Type": "image/png"},
                content=b"\x89PNG\r\n\x1a\n",
            )
            hold_true(not put.is_success, f"wrote {bucket}/{path}: {put.text[:120]}")
        listed = rival.http.post(
            f"/storage/v1/object/list/{bucket}", headers=dict(rival.headers), json={"prefix": ours}
        )
        hold_true(
            not listed.is_success or listed.json() == [], f"lists {bucket}: {listed.text[:120]}"
        )


def refusals_say_what_to_do(ground: Ground) -> None:
    """A refusal has a stable code and a hint, and names no constraint to strangers."""
    refused = ground.visitor().rpc("get_calendar", slug="no-such-calendar")
    body = refused.json()
    hold_true(message(refused) == "calendar_not_found" and bool(body["hint"]), f"it says {body}")
