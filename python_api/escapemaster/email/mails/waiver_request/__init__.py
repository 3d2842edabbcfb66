"""Asks a party for the signatures that are still missing."""

from __future__ import annotations

from escapemaster.email.booking import SAMPLE_BOOKING
from escapemaster.email.content import Mail
from escapemaster.email.visits import VisitData, coming_content


class UnsignedData(VisitData):
    """The same, of which somebody has not signed."""

    unsigned_waivers: int
    waiver_token: str


MAIL = Mail(
    UnsignedData,
    coming_content,
    {**SAMPLE_BOOKING, "waiver_token": "sample", "unsigned_waivers": 3},
)
