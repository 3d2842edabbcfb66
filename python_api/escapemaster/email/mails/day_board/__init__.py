"""Tells a game master the evening before which sessions they run."""

from __future__ import annotations

from datetime import date, datetime

from escapemaster.email.content import Content, Mail, MailData, Row, Site, Typed
from escapemaster.email.formatting import clock, date_in_words
from escapemaster.email.texts import Texts


class Party(MailData):
    """Who comes; customer_name None for whoever may not see it."""

    reference: str
    party_size: int
    customer_name: Typed | None = None


class Session(MailData):
    """A game that the reader runs."""

    room_name: Typed
    starts_at: datetime
    ends_at: datetime
    players: int
    parties: tuple[Party, ...] = ()


class Data(MailData):
    """What the database hands over."""

    organization_name: Typed
    date: date
    timezone: str
    sessions: tuple[Session, ...]


def _content(board: Data, language: str, _site: Site) -> Content:
    def hours(session: Session) -> str:
        first, last = (
            clock(instant, board.timezone, language)
            for instant in (session.starts_at, session.ends_at)
        )
        return f"{first} – {last}"

    def rows(text: Texts) -> list[Row]:
        return [
            (
                hours(session),
                session.room_name,
                ", ".join(
                    [
                        f"{session.players} {text('players').lower()}",
                        *(
                            " ".join(filter(None, (party.customer_name, party.reference)))
                            for party in session.parties
                        ),
                    ]
                ),
            )
            for session in board.sessions
        ]

    return Content(
        sender=board.organization_name,
        words={
            "organization_name": board.organization_name,
            "day": date_in_words(board.date, language),
            "count": len(board.sessions),
            "clock": clock(board.sessions[0].starts_at, board.timezone, language),
        },
        values={},
        rows=rows,
    )


MAIL = Mail(
    Data,
    _content,
    {
        "organization_name": "Casa Laberinto",
        "date": "2027-05-15",
        "timezone": "Europe/Madrid",
        "sessions": [
            {
                "room_name": "La cripta",
                "starts_at": "2027-05-15T15:00:00Z",
                "ends_at": "2027-05-15T16:00:00Z",
                "players": 4,
                "parties": [{"reference": "ABCD-2345", "party_size": 4}],
            },
            {
                "room_name": "El faro",
                "starts_at": "2027-05-15T17:30:00Z",
                "ends_at": "2027-05-15T18:30:00Z",
                "players": 5,
                "parties": [
                    {"reference": "WXYZ-6789", "party_size": 2, "customer_name": "Marta Soler"},
                    {"reference": "KLMN-1234", "party_size": 3},
                ],
            },
        ],
    },
)
