"""Ask a deployed system through its own doors; needs nothing but Python.

    SERVICE_URL=… SUPABASE_URL=… SUPABASE_PUBLISHABLE_KEY=… python scripts/smoke.py --wait 900

Nothing is written: the questions are those of a stranger, and each must be answered or refused as
the product does it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

MIGRATIONS = Path(__file__).resolve().parent.parent / "supabase" / "migrations"

#: (method, address, headers, body) to (status, text).
Ask = Callable[[str, str, Mapping[str, str], Any], tuple[int, str]]


def newest_migration() -> str:
    """The version that the database must have."""
    return max(path.name.partition("_")[0] for path in MIGRATIONS.glob("*.sql"))


def ask(method: str, url: str, headers: Mapping[str, str], body: Any) -> tuple[int, str]:
    """Ask over HTTP; 0 and the reason if nobody answers."""
    data = None if body is None else json.dumps(body).encode()
    said = {"content-type": "application/json", **headers}
    request = urllib.request.Request(url, data=data, headers=said, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, type(error).__name__


def faults(service: str, supabase: str, key: str, migration: str, ask: Ask = ask) -> list[str]:
    """What is not as it must be.

    Args:
        service: The service's address.
        supabase: The project's.
        key: Its publishable key.
        migration: The version that the database must have.
        ask: Asks over HTTP.
    """
    found = []

    def expect(what: str, answer: tuple[int, str], status: int, *words: str) -> None:
        if answer[0] != status or not all(word in answer[1] for word in words):
            wanted = " and ".join((str(status), *words))
            found.append(f"{what}: expected {wanted}, got {answer[0]} {answer[1][:200]}")

    ready = ask("GET", f"{service}/health/ready", {}, None)
    expect("the service is ready", ready, 200)
    if ready[0] == 200:
        said = json.loads(ready[1])
        if said.get("migration") != migration:
            found.append(f"the database is at {said.get('migration')}, the code at {migration}")
        found += [
            f"{flag} is not true"
            for flag in ("requests_checked", "preferences_checked")
            if said.get(flag) is not True
        ]
    wrong = {"api_key": "esk_smoke-test-of-a-deployment"}
    answer = ask("POST", f"{service}/v1/token", {}, wrong)
    expect("a wrong API key", answer, 401, "api_key_invalid")
    expect("an unsigned event", ask("POST", f"{service}/webhooks/stripe", {}, {}), 400)
    headers = {"apikey": key}
    calendar = ask(
        "POST",
        f"{supabase}/rest/v1/rpc/get_calendar",
        headers,
        {"slug": "no-such-calendar-of-the-smoke-test"},
    )
    expect("an unknown calendar", calendar, 404, "calendar_not_found")
    bookings = ask("GET", f"{supabase}/rest/v1/bookings?select=id&limit=1", headers, None)
    if bookings[0] not in {401, 403}:
        found.append(f"a stranger reads bookings: {bookings[0]}")
    widget = ask("GET", f"{supabase}/functions/v1/booking-widget", {}, None)
    expect("the widget", widget, 200, "escape-booking")
    return found


def main() -> int:
    """Ask until all is well, or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wait", type=float, default=0, help="Seconds to go on asking.")
    end = time.monotonic() + parser.parse_args().wait
    names = ("SERVICE_URL", "SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY")
    if missing := [name for name in names if not os.environ.get(name)]:
        print(f"set {', '.join(missing)}", file=sys.stderr)
        return 1
    service, supabase, key = (os.environ[name].rstrip("/") for name in names)
    while (found := faults(service, supabase, key, newest_migration())) and time.monotonic() < end:
        time.sleep(10)
    for each in found:
        print(each, file=sys.stderr)
    if not found:
        print("all is well")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
