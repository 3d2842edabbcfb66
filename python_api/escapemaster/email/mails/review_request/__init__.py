"""Asks a party that was there to write a review."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from escapemaster.email.booking import SAMPLE_BOOKING, booking_content
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.links import unsubscribe_url
from escapemaster.email.visits import VisitData


class ReviewedData(VisitData):
    """The same, with the page where the venue's reviews are written."""

    review_url: Annotated[str, Field(pattern=r"\Ahttps://[!-~]+\z")]
    unsubscribe_token: str


def _content(visit: ReviewedData, language: str, site: Site) -> Content:
    content = booking_content(visit, language, site, shows_price=False)
    leave = unsubscribe_url(site.service_url, visit.unsubscribe_token, language)
    return replace(
        content,
        values={
            **content.values,
            "review_url": visit.review_url,
            "unsubscribe_url": leave,
        },
        rows=lambda _: [],
        unsubscribe_url=leave,
    )


MAIL = Mail(
    ReviewedData,
    _content,
    {
        **SAMPLE_BOOKING,
        "paid_cents": 10000,
        "open_cents": 0,
        "review_url": "https://reviews.example.test/casa-laberinto",
        "unsubscribe_token": "sample",
    },
)
