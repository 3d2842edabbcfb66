"""A tenant's export and the erasure of its files, against the real database and Storage."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from escapemaster.database import ServiceDatabase, connection_pool
from escapemaster.settings import Settings
from escapemaster.storage import Storage
from stack import Rest, Stack, User, wait_until

AsUser = Callable[..., Rest]
MakeUser = Callable[..., User]


@dataclass(frozen=True)
class Tenant:
    """An owner and an organization with some rows and files."""

    stack: Stack
    user: User
    organization_id: str
    slug: str
    rest: Rest

    def storage(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Storage, as the owner."""
        return self.rest.http.request(
            method, f"/storage/v1/{path}", headers=dict(self.rest.headers), **options
        )

    def sign(self, path: str) -> httpx.Response:
        """Ask for a signed URL of a file in the exports."""
        return self.storage("POST", f"object/sign/exports/{path}", json={"expiresIn": 60})

    def fetch(self, path: str) -> list[dict[str, Any]]:
        """The lines of an export, as the owner reads them."""
        signed = self.sign(path)
        assert signed.status_code == 200, signed.text
        with httpx.Client(trust_env=False) as browser:
            answer = browser.get(signed_address(self.stack, signed.json()))
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def export(self) -> dict[str, Any]:
        """Ask for an export and wait for its end."""
        asked = self.rest.rpc("export_organization", organization_id=self.organization_id)
        assert asked.status_code == 200, asked.text

        def ended() -> dict[str, Any] | None:
            [row] = self.rest.get("organization_exports", id=f"eq.{asked.json()['id']}").json()
            return None if row["status"] == "queued" else dict(row)

        return wait_until(ended)


def signed_address(stack: Stack, answer: dict[str, str]) -> str:
    """Hosted projects answer with a path below Storage's, the local Storage with all of it."""
    if "signedURL" in answer:
        return f"{stack.url}/storage/v1{answer['signedURL']}"
    return f"{stack.url}{answer['signedUrl']}"


@pytest.fixture
def open_tenant(stack: Stack, make_user: MakeUser, as_user: AsUser) -> Callable[[], Tenant]:
    def open_one() -> Tenant:
        user = make_user()
        rest = as_user(user)
        slug = f"files-{uuid4().hex[:10]}"
        created = rest.rpc("create_organization", name=f"Name of {slug}", slug=slug)
        assert created.status_code == 200, created.text
        for number in range(3):
            place = {"name": f"{slug} {number}", "timezone": "Europe/Madrid"}
            assert rest.insert("locations", place).status_code == 201
        return Tenant(stack, user, created.json()["id"], slug, rest)

    return open_one


@pytest.fixture
async def storage(stack_settings: Settings) -> AsyncIterator[Storage]:
    """Our client of Storage."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Storage(
            http,
            url=stack_settings.supabase_url,
            secret_key=stack_settings.supabase_secret_key.get_secret_value(),
        )


@pytest.fixture
async def database(stack_settings: Settings) -> AsyncIterator[ServiceDatabase]:
    """Our client of the database."""
    async with connection_pool() as pool:
        yield ServiceDatabase(
            pool,
            url=stack_settings.supabase_url,
            secret_key=stack_settings.supabase_secret_key.get_secret_value(),
        )


def counted(stack: Stack, organization_id: str) -> dict[str, int]:
    """How many rows a tenant has in each of its tables, as the owner of the database sees it."""
    with psycopg.connect(stack.owner_dsn) as connection:
        tables = [name for (name,) in connection.execute("select private.tenant_tables()")]
        counts = {
            table: connection.execute(
                f'select count(*) from public."{table}" where organization_id = %s',
                [organization_id],
            ).fetchone()
            for table in tables
        }
    return {table: row[0] for table, row in counts.items() if row and row[0]} | {"organizations": 1}


def test_an_owner_fetches_an_export_of_this_tenant_s_rows_and_no_others(
    open_tenant: Callable[[], Tenant], stack: Stack
) -> None:
    mine, theirs = open_tenant(), open_tenant()
    before = counted(stack, mine.organization_id)
    export = mine.export()
    assert export["status"] == "finished", export
    assert export["object_path"] == f"{mine.organization_id}/{export['id']}.jsonl"
    lines = mine.fetch(export["object_path"])
    assert len(lines) == export["row_count"]
    found: dict[str, int] = {}
    for line in lines:
        assert set(line) == {"table", "row"}
        owner = "id" if line["table"] == "organizations" else "organization_id"
        assert line["row"][owner] == mine.organization_id
        found[line["table"]] = found.get(line["table"], 0) + 1
    assert theirs.slug not in json.dumps(lines)
    # Asking for it left rows itself: the export's own, and what the log says of it.
    assert {**found, "audit_log": 0} == {**before, "organization_exports": 1, "audit_log": 0}
    assert found["audit_log"] >= before["audit_log"]


def test_nobody_else_gets_at_an_export(open_tenant: Callable[[], Tenant], anon: Rest) -> None:
    mine, theirs = open_tenant(), open_tenant()
    path = mine.export()["object_path"]
    assert not theirs.sign(path).is_success
    for address in (f"authenticated/exports/{path}", f"exports/{path}", f"public/exports/{path}"):
        assert not theirs.storage("GET", f"object/{address}").is_success
        refused = anon.http.get(f"/storage/v1/object/{address}", headers=dict(anon.headers))
        assert not refused.is_success
    # Nor does its owner put anything in its place.
    written = mine.storage("PUT", f"object/exports/{path}", content=b"{}")
    assert not written.is_success
    assert len(mine.fetch(path)) > 1


async def test_pages_hold_every_row_once_and_end_with_an_empty_one(
    open_tenant: Callable[[], Tenant],
    stack: Stack,
    database: ServiceDatabase,
    service: Rest,
) -> None:
    tenant = open_tenant()
    with psycopg.connect(stack.owner_dsn) as connection:
        lease = connection.execute(
            "insert into private.jobs"
            " (organization_id, kind, payload, dedupe_key, status, run_at, lease_token, leased_by)"
            " values (%s, 'organization.export', '{}', %s, 'running', now() + interval '1 hour',"
            " gen_random_uuid(), 'test') returning id, lease_token",
            [tenant.organization_id, str(uuid4())],
        ).fetchone()
    assert lease is not None
    after: dict[str, Any] | None = None
    rows: list[dict[str, Any]] = []
    while True:
        page = service.rpc(
            "read_organization",
            job_id=lease[0],
            lease_token=str(lease[1]),
            after=after,
            max_rows=2,
        ).json()
        assert len(page) <= 2
        if not page:
            break
        rows += page
        after = page[-1]
    assert rows == await database.read_organization(lease[0], lease[1], None)
    assert len({json.dumps(row, sort_keys=True) for row in rows}) == len(rows)
    found = {row["table"] for row in rows}
    assert found == set(counted(stack, tenant.organization_id))
    # A table whose key has more than one part is among them.
    assert "role_permissions" in found


async def test_an_export_that_was_uploaded_before_is_uploaded_again(
    open_tenant: Callable[[], Tenant], storage: Storage, tmp_path: Any
) -> None:
    tenant = open_tenant()
    path = f"{tenant.organization_id}/{uuid4()}.jsonl"
    for content in (b'{"a":1}\n', b'{"b":2}\n' * 100_000):
        (tmp_path / "file").write_bytes(content)
        await storage.upload("exports", path, tmp_path / "file", "application/x-ndjson")
    assert tenant.fetch(path) == [{"b": 2}] * 100_000


async def test_an_erased_tenant_s_files_are_deleted_and_nobody_else_s(
    open_tenant: Callable[[], Tenant],
    make_user: MakeUser,
    as_user: AsUser,
    stack: Stack,
    storage: Storage,
) -> None:
    gone, stays = open_tenant(), open_tenant()
    for tenant in (gone, stays):
        for path in ("a.txt", "2026/b.txt", "2026/01/c.txt"):
            stored = tenant.rest.http.post(
                f"/storage/v1/object/documents/{tenant.organization_id}/{path}",
                headers={**tenant.rest.headers, "Content-Type": "text/plain"},
                content=b"hello",
            )
            assert stored.status_code == 200, stored.text
        assert tenant.export()["status"] == "finished"
    operator = make_user()
    closed = gone.rest.rpc(
        "close_organization", organization_id=gone.organization_id, confirm_slug=gone.slug
    )
    assert closed.status_code == 200, closed.text
    with psycopg.connect(stack.owner_dsn) as connection:
        connection.execute(
            "insert into private.platform_admins (user_id) values (%s)", [operator.id]
        )
        connection.execute(
            "update public.organizations set closed_at = now() - interval '91 days' where id = %s",
            [gone.organization_id],
        )
    erased = as_user(operator).rpc(
        "platform_erase_organization", organization_id=gone.organization_id, reason="Time is over"
    )
    assert erased.is_success, erased.text

    def files(tenant: Tenant) -> list[tuple[str, str]]:
        with psycopg.connect(stack.admin_dsn) as connection:
            return connection.execute(
                "select bucket_id, name from storage.objects where starts_with(name, %s)",
                [tenant.organization_id],
            ).fetchall()

    wait_until(lambda: files(gone) == [])
    assert len(files(stays)) == 4
    assert await storage.erase("documents", gone.organization_id) == 0
    with psycopg.connect(stack.owner_dsn) as connection:
        job = connection.execute(
            "select organization_id, payload ->> 'organization_id' from private.jobs"
            " where kind = 'storage.erase' and dedupe_key = %s",
            [f"storage.erase:{gone.organization_id}"],
        ).fetchone()
    assert job == (None, gone.organization_id)
