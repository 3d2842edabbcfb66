"""`subscriptions`: what organizations pay, for the platform's operator."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

if TYPE_CHECKING:
    from escapemaster.database.billing import AppliedBilling
    from escapemaster.settings import Settings

subscriptions = typer.Typer(help="What organizations pay the platform.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(subscriptions, name="subscriptions", rich_help_panel="The service")


@subscriptions.callback()
def about() -> None:
    """What organizations pay the platform."""


@subscriptions.command()
def sync(
    organization: Annotated[str, typer.Argument(help="Its id, or its slug.")],
) -> None:
    """Read an organization's subscription from Stripe now, and say what changed."""
    from escapemaster.errors import EscapemasterError
    from escapemaster.settings import get_settings

    try:
        applied = asyncio.run(read(get_settings(), organization))
    except EscapemasterError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(report(applied))


async def read(settings: Settings, organization: str) -> AppliedBilling | None:
    """Read and apply; None: it is nobody at Stripe."""
    from escapemaster.clients import service_database, stripe_gateway
    from escapemaster.database import connection_pool
    from escapemaster.payments.subscriptions import sync_customer

    async with connection_pool() as pool, httpx.AsyncClient(timeout=20.0) as http:
        database = service_database(settings, pool)
        account = await database.get_billing_account(organization)
        if account.customer_id is None:
            return None
        return await sync_customer(database, stripe_gateway(settings, http), account.customer_id)


def report(applied: AppliedBilling | None) -> str:
    """What a reading has changed, a line a field."""
    if applied is None:
        return "It has never subscribed: there is nothing to read."
    lines = [f"{c.field}: {c.before or 'none'} -> {c.after or 'none'}" for c in applied.changes]
    lines += [f"the price {price} is of no plan" for price in applied.unknown_prices]
    if applied.outcome != "applied":
        lines.append("something newer was read meanwhile")
    return "\n".join(lines or ["Nothing has changed."])
