"""Asks for what a booking has open and can be paid online."""

from __future__ import annotations

from escapemaster.email.booking import SAMPLE_BOOKING
from escapemaster.email.content import Mail
from escapemaster.email.visits import VisitData, coming_content


class DueVisitData(VisitData):
    """The same, of which something is to be paid."""

    payable_cents: int


MAIL = Mail(
    DueVisitData,
    coming_content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 0,
        "open_cents": 10000,
        "payable_cents": 4000,
        "expires_at": "2027-05-14T17:00:00Z",
    },
)
