"""Thanks a party after its visit."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from escapemaster.email.booking import SAMPLE_BOOKING, booking_content
from escapemaster.email.content import Content, Mail, MailData, Site
from escapemaster.email.texts import Texts
from escapemaster.email.visits import VisitData


class Result(MailData):
    """How the party's game ended.

    Attributes:
        escape_seconds: How long it played, without pauses; None: it did not escape.
        hints: How many it was given.
    """

    outcome: Literal["escaped", "failed"]
    escape_seconds: int | None = None
    hints: int = 0


class ThanksData(VisitData):
    """The same, with what came of the game; None: nothing is said of it.

    Attributes:
        photos_url: Where the party finds its pictures. The database keeps none yet.
    """

    result: Result | None = None
    photos_url: Annotated[str, Field(pattern=r"\Ahttps://[!-~]+\z")] | None = None


def _content(visit: ThanksData, language: str, site: Site) -> Content:
    # When it was and what it cost is known; no table.
    content = booking_content(visit, language, site, shows_price=False)
    result = _sentence(visit.result, language) if visit.result else ""
    return replace(
        content,
        words={**content.words, "result": result},
        values={**content.values, "photos_url": visit.photos_url or ""},
        rows=lambda _: [],
    )


def _sentence(result: Result, language: str) -> str:
    """One line, in the reader's language."""
    text = Texts("thanks", language, {"time": _minutes(result.escape_seconds or 0)})
    hints = text(f"hints_{min(result.hints, 2)}", count=str(result.hints))
    return f"{text(f'result_{result.outcome}')} {hints}"


def _minutes(seconds: int) -> str:
    """A time as a game's clock shows it, such as 52:07."""
    return f"{seconds // 60}:{seconds % 60:02d}"


MAIL = Mail(
    ThanksData,
    _content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 10000,
        "open_cents": 0,
        "result": {"outcome": "escaped", "escape_seconds": 3127, "hints": 2},
    },
)
