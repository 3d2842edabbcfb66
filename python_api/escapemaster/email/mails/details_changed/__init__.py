"""Tells that how to come, or whom to call, has changed since the confirmation."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import (
    SAMPLE_BOOKING,
    arrival_sentences,
    with_event,
)
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.visits import VisitData, coming_content


def _content(visit: VisitData, language: str, site: Site) -> Content:
    return replace(
        with_event(coming_content(visit, language, site), visit, site, "PUBLISH"),
        paragraphs={"directions": lambda _: arrival_sentences(visit)},
    )


MAIL = Mail(VisitData, _content, SAMPLE_BOOKING)
