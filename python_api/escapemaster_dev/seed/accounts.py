"""Gives the demo's venues their own accounts in the sandbox of Stripe, ready to be paid."""

from __future__ import annotations

import time
from json import dumps

import httpx

from escapemaster_dev.seed.clients import Connection, as_owner
from escapemaster_dev.seed.settings import SeedSettings

_PATIENCE_SECONDS = 60
_CONTROLLER = {
    "controller[fees][payer]": "account",
    "controller[losses][payments]": "stripe",
    "controller[requirement_collection]": "stripe",
    "controller[stripe_dashboard][type]": "full",
}


def onboard(connection: Connection, settings: SeedSettings, organization_id: str) -> None:
    """Open and complete a new venue's account.

    With real test keys nobody can tell Stripe about a venue that does not exist: its players pay
    into the account of the keys, as in an installation for one business.
    """
    as_owner(connection)
    if settings.stripe_url is None:
        connection.execute(
            "update private.billing_settings set platform_account = true where not platform_account"
        )
        return
    (order,) = connection.execute(
        "select o.id, o.organization_name as name from private.open_stripe_account("
        "%s::uuid, private.billing_pass(%s, 0), false) as o",
        (organization_id, organization_id),
    ).fetchall()
    with httpx.Client(
        base_url=settings.stripe_url,
        headers={"Authorization": f"Bearer {settings.stripe_key}"},
        timeout=20,
        trust_env=False,
    ) as http:
        _wait_for(http)
        account = _sent(
            http, "/v1/accounts", data={**_CONTROLLER, "business_profile[name]": order["name"]}
        )["id"]
        _sent(http, f"/_sandbox/accounts/{account}", json={"happens": "completed"})
    read = {
        "id": account,
        "charges_enabled": True,
        "payouts_enabled": True,
        "details_submitted": True,
        "requirements": [],
    }
    connection.execute(
        "select private.record_stripe_account(%s::uuid, private.billing_pass(%s, 0), %s, %s)",
        (organization_id, organization_id, order["id"], account),
    )
    connection.execute(
        "select private.apply_stripe_account(%s::jsonb || jsonb_build_object('as_of', now()),"
        " null, null, private.billing_pass(%s, 0))",
        (dumps(read), organization_id),
    )


def _wait_for(http: httpx.Client) -> None:
    """The sandbox starts at the same time as the seed."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            http.get("/_sandbox/health").raise_for_status()
        except httpx.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _sent(
    http: httpx.Client,
    path: str,
    *,
    data: dict[str, str] | None = None,
    json: dict[str, str] | None = None,
) -> dict[str, str]:
    answer = http.post(path, data=data, json=json)
    answer.raise_for_status()
    found: dict[str, str] = answer.json()
    return found
