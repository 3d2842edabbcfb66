"""Warns once that a place which is still to be paid is about to be lost."""

from __future__ import annotations

from escapemaster.email.booking import SAMPLE_BOOKING
from escapemaster.email.content import Mail
from escapemaster.email.held import DueData, due_content

MAIL = Mail(
    DueData,
    due_content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 0,
        "open_cents": 10000,
        "due_now_cents": 4000,
        "expires_at": "2027-05-10T17:00:00Z",
    },
)
