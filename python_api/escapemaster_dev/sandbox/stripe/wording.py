"""The checkout page's words in its three languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wording:
    """Every text of the page; `{}` is filled in."""

    language: str
    sandbox: str
    sandbox_detail: str
    title: str
    summary: str
    total: str
    time_left: str
    minutes: str
    until: str
    email: str
    email_hint: str
    card: str
    pay: str
    debit: str
    decline: str
    cancel: str
    declined: str
    paid_title: str
    paid_text: str
    waiting_title: str
    waiting_text: str
    bank_pays: str
    bank_refuses: str
    expired_title: str
    expired_text: str
    unknown_title: str
    unknown_text: str
    go_on: str
    go_back: str


_ENGLISH = Wording(
    language="en",
    sandbox="Sandbox",
    sandbox_detail="This is a test. No money moves and no card is needed.",
    title="Payment",
    summary="Your order",
    total="Total",
    time_left="Time left to pay",
    minutes="{} min",
    until="until {} UTC",
    email="E-mail",
    email_hint="optional",
    card="Test card",
    pay="Pay {}",
    debit="Pay by direct debit (takes days)",
    decline="Decline card",
    cancel="Cancel",
    declined="The card was declined. Nothing was charged: try again.",
    paid_title="Payment complete",
    paid_text="This order is paid. There is nothing more to do here.",
    waiting_title="Payment under way",
    waiting_text="Your bank was asked to pay. On Stripe that takes some days; here you decide.",
    bank_pays="The bank pays",
    bank_refuses="The bank refuses",
    expired_title="Time is up",
    expired_text="This payment page has expired and nothing was charged. Go back and start again.",
    unknown_title="Page not found",
    unknown_text="There is no such payment. Check the link that brought you here.",
    go_on="Continue",
    go_back="Go back",
)

_SPANISH = Wording(
    language="es",
    sandbox="Entorno de pruebas",
    sandbox_detail="Esto es una prueba: no se mueve dinero ni hace falta tarjeta.",
    title="Pago",
    summary="Tu pedido",
    total="Total",
    time_left="Tiempo para pagar",
    minutes="{} min",
    until="hasta las {} UTC",
    email="Correo electrónico",
    email_hint="opcional",
    card="Tarjeta de prueba",
    pay="Pagar {}",
    debit="Pagar por domiciliación (tarda días)",
    decline="Rechazar tarjeta",
    cancel="Cancelar",
    declined="La tarjeta ha sido rechazada. No se ha cobrado nada: inténtalo de nuevo.",
    paid_title="Pago completado",
    paid_text="Este pedido está pagado. No tienes que hacer nada más aquí.",
    waiting_title="Pago en curso",
    waiting_text="Se ha pedido el pago a tu banco. En Stripe tarda unos días; aquí lo decides tú.",
    bank_pays="El banco paga",
    bank_refuses="El banco lo rechaza",
    expired_title="Se acabó el tiempo",
    expired_text="Esta página ha caducado y no se ha cobrado nada. Vuelve y empieza de nuevo.",
    unknown_title="Página no encontrada",
    unknown_text="No existe este pago. Comprueba el enlace que te ha traído aquí.",
    go_on="Continuar",
    go_back="Volver",
)

_CATALAN = Wording(
    language="ca",
    sandbox="Entorn de proves",
    sandbox_detail="Això és una prova: no es mouen diners ni cal cap targeta.",
    title="Pagament",
    summary="La teva comanda",
    total="Total",
    time_left="Temps per pagar",
    minutes="{} min",
    until="fins a les {} UTC",
    email="Correu electrònic",
    email_hint="opcional",
    card="Targeta de prova",
    pay="Paga {}",
    debit="Paga per domiciliació (triga dies)",
    decline="Rebutja targeta",
    cancel="Cancel·la",
    declined="La targeta ha estat rebutjada. No s'ha cobrat res: torna-ho a provar.",
    paid_title="Pagament completat",
    paid_text="Aquesta comanda està pagada. No has de fer res més aquí.",
    waiting_title="Pagament en curs",
    waiting_text="S'ha demanat el pagament al teu banc. A Stripe triga dies; aquí decideixes tu.",
    bank_pays="El banc paga",
    bank_refuses="El banc el rebutja",
    expired_title="S'ha acabat el temps",
    expired_text="Aquesta pàgina ha caducat i no s'ha cobrat res. Torna i comença de nou.",
    unknown_title="No s'ha trobat la pàgina",
    unknown_text="Aquest pagament no existeix. Comprova l'enllaç que t'ha portat aquí.",
    go_on="Continua",
    go_back="Torna",
)

_WORDINGS = {wording.language: wording for wording in (_ENGLISH, _SPANISH, _CATALAN)}


def wording_for(locale: str | None, accept_language: str) -> Wording:
    """The named language, English for one that we do not have.

    A locale of `auto`, or none, leaves it to the browser, as on Stripe's page: the first of its
    languages that we have.
    """
    if locale not in (None, "auto"):
        return _WORDINGS.get(locale[:2], _ENGLISH)
    for part in accept_language.split(","):
        known = _WORDINGS.get(part.strip()[:2].lower())
        if known:
            return known
    return _ENGLISH
