"""Closing, exporting and erasing an organization."""

from __future__ import annotations

import json

import pytest

from client import Client
from leases import leased
from matrix.house import House, Venue
from matrix.promises import refused

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def venue(house: House) -> Venue:
    return house.open_venue("Venue")


@pytest.fixture
def operator(house: House) -> Client:
    person = house.sign_up("operator")
    house.admit_platform_admin(person)
    return person


def close(venue: Venue) -> dict[str, str]:
    closed: dict[str, str] = venue.owner.call(
        "close_organization", organization_id=venue.id, confirm_slug=venue.slug
    )
    return closed


def test_a_closed_organization_shows_nothing_to_its_members(venue: Venue) -> None:
    key, _ = venue.make_key(["users:read"])
    ana = venue.hire("ana", "admin")

    closed = close(venue)

    assert closed["status"] == "closed"
    for caller in (venue.owner, ana, key, venue.owner.at(venue.id)):
        for table in ("organizations", "memberships", "roles", "audit_log", "rooms", "invitations"):
            assert caller.select(f"select from public.{table}") == []
        assert caller.call("has_permission", permission="users:read") is False
    for person in (venue.owner, ana):
        context = person.call("my_context")
        assert (context["active_organization_id"], context["organizations"]) == (None, [])
        with refused(403, "permission_denied"):
            person.call("create_role", organization_id=venue.id, name="x", permissions=[])


def test_closing_says_until_when_the_data_is_kept(house: House, venue: Venue) -> None:
    closed = close(venue)
    assert house.one("select %s::timestamptz = now() + interval '90 days'", closed["erased_after"])


@pytest.mark.parametrize("slug", ["", None, "other"])
def test_closing_wants_the_slug_repeated(venue: Venue, slug: str | None) -> None:
    with refused(422, "confirmation_wrong"):
        venue.owner.call("close_organization", organization_id=venue.id, confirm_slug=slug)


def test_only_the_owner_closes(house: House, venue: Venue) -> None:
    foreign = house.open_venue("Foreign")
    for person in (venue.hire("adam", "admin"), venue.hire("mary", "manager"), foreign.owner):
        with refused(403, "permission_denied"):
            person.call("close_organization", organization_id=venue.id, confirm_slug=venue.slug)


def test_a_closed_organization_is_closed_once(venue: Venue) -> None:
    closed = close(venue)
    assert close(venue) == closed


def test_an_export_is_queued_and_finished_by_the_worker(house: House, venue: Venue) -> None:
    queued = venue.owner.call("export_organization", organization_id=venue.id)
    assert (queued["status"], queued["requested_by"]) == ("queued", venue.owner.id)
    job = house.owner_sql(
        "select kind, payload from private.jobs where organization_id = %s", venue.id
    )
    assert job == [
        {
            "kind": "organization.export",
            "payload": {"organization_id": venue.id, "export_id": queued["id"]},
        }
    ]
    path = f"{venue.id}/{queued['id']}.jsonl"

    with venue.exporting(queued["id"]) as lease:
        house.service.call("service.finish_export", **lease, object_path=path, row_count=7)
        house.service.call("service.finish_export", **lease, object_path=None, row_count=None)

    (row,) = venue.owner.select("select * from public.organization_exports")
    assert (row["status"], row["object_path"], row["row_count"]) == ("finished", path, 7)
    assert row["finished_at"] is not None


def test_the_end_of_one_export_is_not_another_s(house: House, venue: Venue) -> None:
    first = venue.owner.call("export_organization", organization_id=venue.id)

    def finish() -> None:
        with venue.exporting(first["id"]) as lease:
            path = f"{venue.id}/x"
            house.service.call("service.finish_export", **lease, object_path=path, row_count=1)

    finish()
    second = venue.owner.call("export_organization", organization_id=venue.id)
    finish()
    waiting = "select id::text from public.organization_exports where status = 'queued'"
    assert venue.owner.select(waiting) == [{"id": second["id"]}]


def test_an_export_that_failed_says_so(house: House, venue: Venue) -> None:
    queued = venue.owner.call("export_organization", organization_id=venue.id)
    with venue.exporting(queued["id"]) as lease:
        house.service.call("service.finish_export", **lease, object_path=None, row_count=None)
    assert venue.owner.select("select status, object_path from public.organization_exports") == [
        {"status": "failed", "object_path": None}
    ]


def test_finishing_another_tenant_s_export_changes_nothing(house: House, venue: Venue) -> None:
    foreign = house.open_venue("Foreign")
    queued = foreign.owner.call("export_organization", organization_id=foreign.id)
    with venue.exporting(queued["id"]) as lease:
        path = f"{venue.id}/x"
        house.service.call("service.finish_export", **lease, object_path=path, row_count=1)
    assert foreign.owner.select("select status from public.organization_exports") == [
        {"status": "queued"}
    ]


def test_an_export_is_finished_under_its_own_job_s_lease_only(house: House, venue: Venue) -> None:
    foreign = house.open_venue("Foreign")
    queued = venue.owner.call("export_organization", organization_id=venue.id)
    own_path = f"{venue.id}/x"
    forged = {"job_id": 0, "lease_token": "00000000-0000-4000-8000-000000000000"}
    with refused(409, "lease_lost"):
        house.service.call("service.finish_export", **forged, object_path=own_path, row_count=1)
    with venue.exporting(queued["id"]) as lease:
        over = dict(lease)
        with refused(409, "lease_of_another"):
            house.service.call(
                "service.finish_export", **lease, object_path=f"{foreign.id}/x", row_count=1
            )
    for path in (own_path, None):
        with refused(409, "lease_lost"):
            house.service.call("service.finish_export", **over, object_path=path, row_count=1)
    payload = {"organization_id": venue.id, "export_id": queued["id"]}
    with leased(house.owner_sql, "storage.erase", payload, venue.id) as lease:
        for path in (own_path, None):
            with refused(409, "lease_of_another"):
                house.service.call("service.finish_export", **lease, object_path=path, row_count=1)
    assert venue.owner.select("select status from public.organization_exports") == [
        {"status": "queued"}
    ]


def test_only_organization_export_exports_and_sees_exports(house: House, venue: Venue) -> None:
    venue.owner.call("export_organization", organization_id=venue.id)
    foreign = house.open_venue("Foreign")
    for person in (venue.hire("adam", "admin"), foreign.owner):
        with refused(403, "permission_denied"):
            person.call("export_organization", organization_id=venue.id)
        assert person.at(venue.id).select("select from public.organization_exports") == []


def test_an_export_holds_every_row_of_the_tenant_and_none_of_another(
    house: House, venue: Venue
) -> None:
    venue.hire("ana")
    venue.make_key(["rooms:read"])
    foreign = house.open_venue("Foreign")
    foreign.hire("bea")

    venue.owner.call("export_organization", organization_id=venue.id)
    (lease,) = house.owner_sql(
        "update private.jobs set status = 'running', lease_token = gen_random_uuid(),"
        " leased_by = 'test' where kind = 'organization.export'"
        " returning id as job_id, lease_token"
    )
    read = "select * from service.read_organization(%s, %s)"
    lines = house.service.select(read, lease["job_id"], lease["lease_token"])
    rows = [line["read_organization"] for line in lines]

    counted: dict[str, int] = {}
    for row in rows:
        assert foreign.id not in json.dumps(row)
        counted[row["table"]] = counted.get(row["table"], 0) + 1
    for table in house.owner_sql("select t as name from private.tenant_tables() as t"):
        assert counted.get(table["name"], 0) == venue.count(table["name"]), table["name"]
    assert counted["organizations"] == 1
    assert counted["memberships"] == 2
    # Neither without the lease, nor under that of other work, nor when it is over.
    with refused(409, "lease_lost"):
        house.service.select(read, lease["job_id"], NOWHERE)
    for over in ("kind = 'email.send'", "status = 'done', lease_token = null, finished_at = now()"):
        house.owner_sql(f"update private.jobs set {over} where id = %s", lease["job_id"])
        with refused(409, "lease_lost"):
            house.service.select(read, lease["job_id"], lease["lease_token"])


def test_only_the_service_reads_a_whole_tenant_or_finishes_exports(
    house: House, venue: Venue
) -> None:
    for caller in (venue.owner, house.nobody):
        with pytest.raises(Exception, match="permission denied for schema service"):
            caller.select("select from service.read_organization(1, %s)", NOWHERE)
        with pytest.raises(Exception, match="permission denied for function read_organization"):
            caller.select("select from private.read_organization(1, %s)", NOWHERE)


def test_an_organization_is_erased_ninety_days_after_closing_and_not_before(
    house: House, venue: Venue, operator: Client
) -> None:
    erase = {"organization_id": venue.id, "reason": "Time is over"}
    with refused(409, "organization_not_erasable"):
        operator.call("platform_erase_organization", **erase)
    close(venue)
    age = "update public.organizations set closed_at = now() - interval '90 days' - %s::interval"
    house.owner_sql(age, "0 seconds")
    with refused(409, "organization_not_erasable"):
        operator.call("platform_erase_organization", **erase)
    house.owner_sql(age, "1 second")
    for reason in ("", " ", "...", "\u0301", None):
        with refused(422, "reason_missing"):
            operator.call("platform_erase_organization", organization_id=venue.id, reason=reason)

    operator.call("platform_erase_organization", **erase)

    assert house.owner_sql("select from public.organizations where id = %s", venue.id) == []
    (log,) = house.owner_sql("select * from private.platform_log")
    assert (log["action"], str(log["organization_id"])) == ("erase", venue.id)
    for organization_id in (venue.id, NOWHERE, None):
        with refused(409, "organization_not_erasable"):
            operator.call(
                "platform_erase_organization", organization_id=organization_id, reason="x"
            )


def test_people_outlive_the_organization_that_they_worked_in(
    house: House, venue: Venue, operator: Client
) -> None:
    ana = venue.hire("ana")
    close(venue)
    house.owner_sql("update public.organizations set closed_at = now() - interval '91 days'")
    operator.call("platform_erase_organization", organization_id=venue.id, reason="Time is over")
    assert ana.call("my_context")["organizations"] == []
