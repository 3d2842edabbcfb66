"""Reminds of a visit: when to come and where, what is still open, who has not signed."""

from __future__ import annotations

from dataclasses import replace

from escapemaster.email.booking import SAMPLE_BOOKING, arrival_sentences, with_check_in
from escapemaster.email.content import Content, Mail, Site
from escapemaster.email.visits import VisitData, coming_content


def _content(visit: VisitData, language: str, site: Site) -> Content:
    content = with_check_in(coming_content(visit, language, site), visit, site)
    return replace(
        content,
        values={**content.values, "payable": visit.payable_cents > 0},
        paragraphs={"directions": lambda _: arrival_sentences(visit)},
    )


MAIL = Mail(
    VisitData,
    _content,
    {**SAMPLE_BOOKING, "payable_cents": 0, "unsigned_waivers": 4, "check_in_code": "sample"},
)
