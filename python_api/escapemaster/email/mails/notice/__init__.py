"""Tells staff of one booking or session: new, changed, cancelled, paid late, not reached."""

from __future__ import annotations

from escapemaster.email.content import Content, Mail, Row, Site, Typed, instant_words
from escapemaster.email.notices import NoticeData, headline, notice_rows, stop_url
from escapemaster.email.texts import Texts

#: The sentences that say what to do, and of what.
_TO_DO = {"answer_dispute": "payment_disputed", "call_customer": "mail_problem"}


class Data(NoticeData):
    """What the database hands over; stop_token None: it goes to a member."""

    organization_name: Typed
    stop_token: str | None = None


def _content(notice: Data, language: str, site: Site) -> Content:
    def rows(text: Texts) -> list[Row]:
        return notice_rows(notice, language, text)

    # Sentences name it before the rows are there.
    what = headline(notice, Texts("notice", language, {}))
    stop = stop_url(site, notice.stop_token, language)
    return Content(
        sender=notice.organization_name,
        words={
            "organization_name": notice.organization_name,
            "what": what,
            "room_name": notice.room_name,
            "reference": notice.reference or "",
            **instant_words(notice.starts_at, notice.timezone, language),
        },
        values={"stop_url": stop or "", "by_address": notice.stop_token is not None},
        rows=rows,
        paragraphs={
            "more": lambda text: [text(what) for what in _TO_DO if _TO_DO[what] == notice.happened]
        },
        unsubscribe_url=stop,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "type": "booking_changed",
        "happened": "booking_changed",
        "room_name": "La cripta",
        "location_name": "Casa Laberinto Centro",
        "timezone": "Europe/Madrid",
        "starts_at": "2027-05-15T17:30:00Z",
        "previous_starts_at": "2027-05-14T17:30:00Z",
        "party_size": 4,
        "reference": "ABCD-2345",
        "customer_name": "Marta Soler",
        "customer_phone": "+34 600 000 000",
        "customer_email": "marta@example.test",
    },
)
