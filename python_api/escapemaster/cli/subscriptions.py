"""`subscriptions`: what organizations pay, for the platform's operator."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

if TYPE_CHECKING:
    from escapemaster.database.billing import AppliedBilling, BillingDatabase
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
    organization: Annotated[
        str | None, typer.Argument(help="Its id, or its slug.", show_default=False)
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Have the worker read all organizations anew, a job each."),
    ] = False,
    forget_customer: Annotated[
        bool,
        typer.Option(
            "--forget-customer",
            help="If Stripe does not know the customer, take it for deleted: the subscription ends,"
            " and the organization can subscribe anew. Be sure of the key.",
        ),
    ] = False,
) -> None:
    """Read an organization's subscription from Stripe now, and say what changed."""
    from escapemaster.cli.configuration import settings_or_exit
    from escapemaster.errors import EscapemasterError

    if every is (organization is not None) or (every and forget_customer):
        raise typer.BadParameter("Name one organization, or say --all and nothing else.")
    settings = settings_or_exit()
    try:
        if organization is None:
            queued = asyncio.run(read_all(settings))
            typer.echo(f"{queued} readings wait for the worker.")
            return
        applied = asyncio.run(read(settings, organization, forget=forget_customer))
    except EscapemasterError as error:
        typer.echo(f"{error.code}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(report(applied))


async def read(
    settings: Settings, organization: str, *, forget: bool = False
) -> AppliedBilling | None:
    """Read and apply; None: it is nobody at Stripe.

    Args:
        settings: The service's.
        organization: Its id or slug.
        forget: Take a customer that Stripe does not know for deleted there.
    """
    from escapemaster.clients import service_database, stripe_gateway
    from escapemaster.database import connection_pool
    from escapemaster.payments.subscriptions import forget_customer, sync_customer

    async with connection_pool() as pool, httpx.AsyncClient(timeout=20.0) as http:
        database = service_database(settings, pool)
        account = await database.get_billing_account(organization)
        # Who was said to be deleted and is not gets back what is paid.
        customer = account.customer_id or account.deleted_customer_id
        if customer is None:
            return None
        apply = forget_customer if forget else sync_customer
        return await apply(database, stripe_gateway(settings, http), customer)


async def read_all(settings: Settings) -> int:
    """Queue reading everybody. Returns how many readings were queued."""
    from escapemaster.clients import service_database
    from escapemaster.database import connection_pool

    async with connection_pool() as pool:
        return await queue_all(service_database(settings, pool))


async def queue_all(database: BillingDatabase) -> int:
    """Queue reading whoever was not read since this began: a worker may be at it already."""
    began = time.monotonic()
    queued = 0
    while page := await database.queue_stale_subscriptions(math.ceil(time.monotonic() - began)):
        queued += page
    return queued


def report(applied: AppliedBilling | None) -> str:
    """What a reading has changed, a line a field."""
    if applied is None:
        return "It has never subscribed: there is nothing to read."
    lines = [f"{c.field}: {c.before or 'none'} -> {c.after or 'none'}" for c in applied.changes]
    lines += [f"the price {price} is of no plan" for price in applied.unknown_prices]
    if applied.outcome != "applied":
        lines.append("something newer was read meanwhile")
    return "\n".join(lines or ["Nothing has changed."])
