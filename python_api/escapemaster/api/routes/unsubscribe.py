"""The link in mails that ends what is not about their reader's own booking.

A mail program posts to it by itself, on one click (RFC 8058). A person who opens it gets a page
with a button: programs that look at links before a person does must not end anything.
"""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from escapemaster.api.link_pages import Language, Token, page
from escapemaster.api.problems import responses
from escapemaster.api.services import ServicesOf

router = APIRouter(prefix="/v1/unsubscribe", tags=["Mail"])

_ASK: Final = {
    "es": ("¿No recibir más peticiones?", "No recibir más", "Los correos de tus reservas siguen."),
    "en": (
        "Get no more requests?",
        "Get no more",
        "Mails about your own bookings still arrive.",
    ),
    "ca": ("No rebre més peticions?", "No rebre'n més", "Els correus de les reserves continuen."),
}
_DONE: Final = {
    "es": ("Hecho", "{venue} no te escribirá más para pedirte nada."),
    "en": ("Done", "{venue} will not write to you with requests any more."),
    "ca": ("Fet", "{venue} no t'escriurà més per demanar-te res."),
}


@router.get(
    "",
    operation_id="ask_to_unsubscribe",
    summary="Show the page that ends requests",
    response_class=HTMLResponse,
    responses=responses(422),
)
async def ask_to_unsubscribe(token: Token, language: Language = "en") -> HTMLResponse:
    """A page with a button. Nothing is changed, and nothing is said of whose link it is."""
    question, button, rest = _ASK[language]
    action = f"?{urlencode({'token': token, 'lang': language})}"
    return page(
        language,
        question,
        f'<form method="post" action="{escape(action)}"><button>{escape(button)}</button></form>'
        f"<p>{escape(rest)}</p>",
    )


@router.post(
    "",
    operation_id="unsubscribe",
    summary="End requests, by the link in a mail",
    response_class=HTMLResponse,
    responses=responses(404, 422),
)
async def unsubscribe(
    services: ServicesOf, token: Token, language: Language = "en"
) -> HTMLResponse:
    """Take back the consent to be written to, once; asked again it answers the same.

    What the body says is not read: a mail program sends `List-Unsubscribe=One-Click`.

    Codes: `link_invalid` (404).
    """
    ended = await services.database.unsubscribe(token)
    title, done = _DONE[language]
    return page(language, title, f"<p>{escape(done.format(venue=ended.organization_name))}</p>")
