"""Asking for so much that everybody else waits."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from statistics import median

import httpx

from siege.ground import Ground, hold_true
from stack import Rest
from venues import answer

_THREADS = 24
_SECONDS = 15.0
#: A venue's hours of its rooms' hours of their rooms' hours.
_DEEP = "rooms(schedules(rooms(schedules(rooms(schedules(rooms(schedules(id))))))))"


def reading_deep_and_wide_holds_up_nobody(ground: Ground) -> None:
    """Another venue stays usable while a member reads all that can be read, from 24 threads."""
    reader = ground.south.owner
    widest = next(
        query
        for query in (_wide(columns) for columns in range(12, 0, -1))
        if reader.get("schedules", **query).status_code != 414  # too long to be asked at all
    )
    told = _while_pressed(ground, "schedules", widest, reader.headers)
    # What is ended by the time limit is 500 to PostgREST (docs/operation.md), and meant here.
    faults = ground.tally.server_errors
    faults[:] = [fault for fault in faults if '"57014"' not in fault]
    hold_true(told[429] > 0, f"nothing was refused: {told}")
    # A page of theirs goes on being answered, as soon as they let it.
    answer(reader.get("rooms", select="id"))


def _wide(columns: int) -> dict[str, str]:
    return {"select": "id," + ",".join(f"c{number}:{_DEEP}" for number in range(columns))}


def asking_for_the_description_holds_up_nobody(ground: Ground) -> None:
    """The description of everything is given to no visitor and no member, and costs nothing."""
    told = _while_pressed(ground, "", {}, ground.visitor().headers)
    hold_true(set(told) == {403}, f"answered: {told}")


def _while_pressed(
    ground: Ground, path: str, query: dict[str, str], headers: Mapping[str, str]
) -> Counter[int]:
    """Ask from many threads; what they were told. Meanwhile another venue's calendar is looked at.

    Raises:
        Broken: it takes long.
    """
    over = threading.Event()
    told: Counter[int] = Counter()

    def press(client: httpx.Client) -> None:
        while not over.is_set():
            response = client.get(f"/rest/v1/{path}", params=query, headers=headers)
            told[response.status_code] += 1
            if response.status_code in {403, 429}:
                over.wait(0.25)  # a client that is told to wait, and hardly does

    visitor = ground.visitor()
    calm = median(_look(visitor, ground) for _ in range(5))
    threads = [threading.Thread(target=press, args=[ground.http()]) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    took = []
    try:
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            took.append(_look(visitor, ground))
            over.wait(0.05)  # as often as a visitor may
    finally:
        over.set()
        for thread in threads:
            thread.join()
    # Three slow requests beside it on two cores; it was 8 s when nothing was refused.
    later = took[len(took) // 4 :]
    hold_true(
        median(later) < max(8 * calm, 1.0),
        f"get_calendar took {median(later):.2f} s, {calm:.2f} s when it was calm; told {told}",
    )
    return told


def _look(visitor: Rest, ground: Ground) -> float:
    response = visitor.rpc("get_calendar", slug=ground.north.calendar)
    answer(response)
    return response.elapsed.total_seconds()
