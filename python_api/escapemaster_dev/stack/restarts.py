"""When a part that died is started again, and when that is given up."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Seconds before each start; there are no further ones.
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
#: Who has run for so long (seconds) is well again.
WELL_AFTER = 600.0


@dataclass(slots=True)
class Restarts:
    """The starts of one part, on a monotonic clock.

    Attributes:
        total: How often it was started again.
        due: When it will be, while it lies still.
        last_end: How it last ended, in words.
    """

    total: int = 0
    due: float | None = None
    last_end: str = ""
    _in_a_row: int = field(default=0, repr=False)

    def died(self, now: float, ran: float, how: str) -> bool:
        """Note an end after `ran` seconds. False when it is not worth another start."""
        if ran >= WELL_AFTER:
            self._in_a_row = 0
        self.last_end = how
        if self._in_a_row >= len(PAUSES):
            return False
        self.due = now + PAUSES[self._in_a_row]
        self._in_a_row += 1
        return True

    def started(self) -> None:
        """Note that it runs again."""
        self.due = None
        self.total += 1
