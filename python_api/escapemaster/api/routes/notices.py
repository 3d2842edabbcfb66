"""The links in mails that begin and end the notices to an address that a venue's staff typed.

Nothing is sent there before its reader says yes. The link that ends them is opened by mail programs
themselves, on one click (RFC 8058).
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

router = APIRouter(prefix="/v1/notices", tags=["Mail"])

_START: Final = {
    "es": ("¿Avisar a esta dirección de las reservas?", "Sí, avisar aquí"),
    "en": ("Tell this address of bookings?", "Yes, tell me here"),
    "ca": ("Avisar aquesta adreça de les reserves?", "Sí, avisar aquí"),
}
_STOP: Final = {
    "es": ("¿No avisar más a esta dirección?", "No avisar más"),
    "en": ("Tell this address no more?", "Tell me no more"),
    "ca": ("No avisar més aquesta adreça?", "No avisar més"),
}
_TOLD: Final = {
    "es": ("Hecho", "{venue} avisará a esta dirección de sus reservas."),
    "en": ("Done", "{venue} will tell this address of its bookings."),
    "ca": ("Fet", "{venue} avisarà aquesta adreça de les seves reserves."),
}
_NOT_TOLD: Final = {
    "es": ("Hecho", "{venue} no avisa a esta dirección."),
    "en": ("Done", "{venue} does not tell this address."),
    "ca": ("Fet", "{venue} no avisa aquesta adreça."),
}


@router.get(
    "",
    operation_id="ask_about_notices",
    summary="Show the page that begins or ends notices to an address",
    response_class=HTMLResponse,
    responses=responses(422),
)
async def ask_about_notices(token: Token, language: Language = "en") -> HTMLResponse:
    """A page with a button. Nothing is changed, and nothing is said of whose link it is."""
    question, button = (_STOP if token.startswith("stop.") else _START)[language]
    action = f"?{urlencode({'token': token, 'lang': language})}"
    return page(
        language,
        question,
        f'<form method="post" action="{escape(action)}"><button>{escape(button)}</button></form>',
    )


@router.post(
    "",
    operation_id="answer_notice_link",
    summary="Begin or end notices to an address, by the link in a mail",
    response_class=HTMLResponse,
    responses=responses(404, 422),
)
async def answer_notice_link(
    services: ServicesOf, token: Token, language: Language = "en"
) -> HTMLResponse:
    """Say yes or no to being told of a venue's bookings, once; asked again it answers the same.

    What the body says is not read: a mail program sends `List-Unsubscribe=One-Click`.

    Codes: `link_invalid` (404).
    """
    answered = await services.database.answer_notice_link(token)
    title, done = (_TOLD if answered.is_told else _NOT_TOLD)[language]
    return page(language, title, f"<p>{escape(done.format(venue=answered.organization_name))}</p>")
