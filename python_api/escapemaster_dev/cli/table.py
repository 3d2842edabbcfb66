"""What `up` and `status` print."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from escapemaster_dev.stack.config import StackConfig
from escapemaster_dev.stack.state import StackState


def print_summary(
    console: Console, config: StackConfig, variables: Mapping[str, str], headline: str
) -> None:
    """One table: addresses, keys, demo accounts, what to try next."""
    if headline:
        console.print(f"[bold green]{headline}[/bold green]\n")
    sections = [
        list(section)
        for section in (
            _addresses(variables),
            _keys(variables),
            _accounts(config),
            _next_steps(config, variables),
        )
    ]
    width = max(len(name) for section in sections for name, _ in section)
    for section in sections:
        for name, value in section:
            # Never folded or cut: an address is there to be copied.
            console.print(Text.assemble((f"{name:<{width}}", "bold"), "  ", value), soft_wrap=True)
        if section:
            console.print()


def print_parts(console: Console, config: StackConfig, state: StackState) -> None:
    """The processes of a running stack."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("part", style="bold")
    table.add_column("process", justify="right")
    table.add_column("log")
    for part in state.parts:
        table.add_row(part.name, str(part.pid) if part.runs else "none", part.log)
    console.print(f"The stack in {config.home} is [bold]{state.status}[/bold].\n", highlight=False)
    console.print(table)
    for part in state.parts:
        if part.last_end:
            what = (
                f"was started again (times: {part.restarts})"
                if part.runs
                else "is going to be started again"
            )
            console.print(f"{part.name} {part.last_end} and {what}.", soft_wrap=True)
    console.print()


def _addresses(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    url = variables["SUPABASE_URL"]
    yield "Demo page", f"{url}/demo/"
    yield "Reports", f"{url}/demo/reports/"
    yield "Supabase URL", url
    yield "  tables and functions", f"{url}/rest/v1"
    yield "  sign-in, files", f"{url}/auth/v1, {url}/storage/v1"
    yield "  edge functions", variables["EDGE_FUNCTIONS_URL"]
    yield "Service", f"{variables['API_URL']}/docs"
    yield "Mailbox", variables["MAILBOX_URL"]
    yield "Stripe sandbox", variables["STRIPE_SANDBOX_URL"]
    yield "Database", variables["DATABASE_URL"]


def _keys(variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "Publishable key", variables["SUPABASE_PUBLISHABLE_KEY"]
    yield "Secret key", variables["SUPABASE_SECRET_KEY"]


def _demo(config: StackConfig, part: str) -> list[dict[str, Any]]:
    """What the seed wrote of a part; nothing where no seed has been."""
    if not config.demo.exists():
        return []
    found: list[dict[str, Any]] = json.loads(config.demo.read_text()).get(part, [])
    return found


def _accounts(config: StackConfig) -> Iterator[tuple[str, str]]:
    for account in _demo(config, "accounts"):
        where = " · ".join(
            str(account[key]) for key in ("organization", "role") if account.get(key)
        )
        yield "Demo account", f"{account['email']}  {account['password']}  {where}"


def _next_steps(config: StackConfig, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield "Try", f"open {variables['SUPABASE_URL']}/demo/ and book a room; below it is what to try"
    yield "", f"then read the confirmation at {variables['MAILBOX_URL']}"
    for calendar in _demo(config, "calendars"):
        if "coupon" in calendar and "full_day" in calendar:
            full = f"full on {calendar['full_day']}, with a waitlist"
            yield "", f"{calendar['name']}: code {calendar['coupon']}; {full}"
    yield "All variables", f"source {shlex.quote(str(config.environment))}"
