"""`make attack`, `make storm`, and both in brief: `make siege`."""

from __future__ import annotations

import argparse
import sys
import time

import httpx
from rich.console import Console
from rich.markup import escape

from siege import storm
from siege.attacks import Attack, all_attacks
from siege.ground import Broken, Ground, ground

#: How long a storm lasts that follows attacks: one part is killed in it.
_BRIEF_SECONDS = 15


def main() -> int:
    """Run what was asked for; 1 when a promise broke."""
    parser = argparse.ArgumentParser(prog="siege", description=__doc__)
    parser.add_argument("kind", choices=["attack", "storm", "brief"])
    parser.add_argument(
        "--running",
        action="store_true",
        help="against the stack that `make up` runs here, instead of a throw-away one;"
        " it leaves venues, people and mails behind",
    )
    parser.add_argument("--only", default="", metavar="WORD", help="attacks whose name holds it")
    parser.add_argument("--seconds", type=int, default=60, help="how long the storm lasts")
    parser.add_argument("--calm", action="store_true", help="a storm that kills no part")
    wanted = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    with console.status("a stack, two venues"), ground(running=wanted.running) as where:
        console.print(f"stack: {where.stack.url}")
        attacks = [one for one in all_attacks() if wanted.only in one.name]
        kills = not (wanted.calm or wanted.running)
        if wanted.kind == "storm":
            return storm.run(where, console, seconds=wanted.seconds, kills=kills)
        if wanted.kind == "attack":
            return attack(where, attacks, console)
        broken = attack(where, [one for one in attacks if one.brief], console)
        return storm.run(where, console, seconds=_BRIEF_SECONDS, kills=kills) or broken


def attack(where: Ground, attacks: list[Attack], console: Console) -> int:
    """Try each attack; print what held and what broke."""
    broken = 0
    subject = ""
    for one in attacks:
        if one.subject != subject:
            subject = one.subject
            console.print(f"[bold]{subject}[/bold]")
        requests, faults = where.tally.requests, len(where.tally.server_errors)
        started = time.monotonic()
        found = _try(one, where) or "; ".join(where.tally.server_errors[faults:][:1])
        tried = where.tally.requests - requests
        spent = f"{tried} requests, {time.monotonic() - started:.0f} s"
        if found:
            broken += 1
            console.print(f"  [red]broke[/red]  {escape(one.promise)} ({spent})")
            console.print(f"         {one.name}: {escape(found)}")
        else:
            console.print(f"  [green]held[/green]   {escape(one.promise)} ({spent})")
    console.print(
        f"attack: {len(attacks) - broken} held, {broken} broke, {where.tally.requests} requests"
    )
    return 1 if broken or not attacks else 0


def _try(one: Attack, where: Ground) -> str | None:
    """What the attack got, or None."""
    try:
        one.run(where)
    except (Broken, AssertionError) as broken:
        return str(broken)
    except httpx.HTTPError as error:
        return f"no answer: {error!r}"
    return None


if __name__ == "__main__":
    sys.exit(main())
