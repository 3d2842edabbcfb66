"""Who runs the coming games: skills, shifts, and assignments by the product's own hand."""

from __future__ import annotations

from datetime import date, timedelta

from escapemaster_dev.seed.bookings import DAYS_AHEAD
from escapemaster_dev.seed.catalogue import OpenVenue


def staff(opened: OpenVenue, today: date) -> int:
    """Plan the coming days as the manager would; how many sessions have a game master then.

    Some have none, as in life: nobody who knows the room is there, or all of them are busy.
    """
    manager = opened.staff["manager"]
    venue = opened.venue
    (location,) = manager.rows("select id::text as id from public.locations")
    manager.insert(
        "staff_skills",
        [
            {"user_id": opened.user_ids[runner.role], "room_id": opened.rooms[room]}
            for runner in venue.runners
            for room in runner.rooms
        ],
    )
    closed = {today + timedelta(days=closure.in_days) for closure in venue.closures}
    days = [today + timedelta(days=n) for n in range(DAYS_AHEAD + 1)]
    manager.insert(
        "staff_shifts",
        [
            {
                "user_id": opened.user_ids[runner.role],
                "location_id": location["id"],
                "date": day,
                "from_time": window.opens,
                "to_time": window.closes,
            }
            for day in days
            if day not in closed
            for runner in venue.runners
            if day.isoweekday() in runner.weekdays
            for window in venue.windows
            if day.isoweekday() in window.weekdays
        ],
    )
    plan = manager.call(
        "auto_assign_game_masters",
        organization_id=opened.organization_id,
        from_date=days[0],
        to_date=days[-1],
    )
    return len(plan["assigned"])
