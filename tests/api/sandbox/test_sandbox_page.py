"""What a person sees and does on the sandbox's checkout page."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from escapemaster_dev.sandbox.stripe.money import readable

from .conftest import Bench, line


def test_the_page_says_what_is_bought_and_that_no_money_moves(bench: Bench) -> None:
    session = bench.open(
        branding_settings={"display_name": "Casa Laberinto"},
        custom_text={"submit": {"message": "Sin cambios de última hora."}},
        line_items=[line("El taller", 9000), line("Foto", 500, quantity=2)],
    )

    answer = bench.http.get(f"/c/pay/{session.id}")

    assert answer.status_code == 200
    for part in (
        'lang="es"',
        "Casa Laberinto",
        "El taller",
        "Sábado, 18:30 · 4 personas",
        "Foto</b> × 2",
        "100,00\u00a0€",
        "Entorno de pruebas",
        "no se mueve dinero",
        "ana@example.com",
        "31 min",
        "Sin cambios de última hora.",
        "Pagar 100,00",
        "Rechazar tarjeta",
        "Cancelar",
    ):
        assert part in answer.text, part


def test_the_page_needs_nothing_from_another_server(bench: Bench) -> None:
    answer = bench.http.get(f"/c/pay/{bench.open().id}")

    assert not re.findall(r'(?:src|href|url\()\s*=?\s*["\']?https?://', answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


def test_what_the_merchant_writes_is_text_and_not_markup(bench: Bench) -> None:
    session = bench.open(line_items=[line("<script>alert(1)</script>", 9000)])

    page = bench.http.get(f"/c/pay/{session.id}").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("locale", "browser", "language"),
    [
        ("es", "en", "es"),
        ("en-GB", "es", "en"),
        ("fr", "es", "en"),
        ("auto", "ca-ES,ca;q=0.9,en;q=0.8", "ca"),
        ("auto", "de,es;q=0.5", "es"),
        ("auto", "", "en"),
    ],
)
def test_the_page_speaks_the_sessions_language_or_the_browsers(
    bench: Bench, locale: str, browser: str, language: str
) -> None:
    session = bench.open(locale=locale)

    page = bench.http.get(f"/c/pay/{session.id}", headers={"Accept-Language": browser}).text

    assert f'<html lang="{language}">' in page


@pytest.mark.parametrize(
    ("booked_in", "said"), [("ca", "Paga 90,00"), ("es", "Pagar 90,00"), ("en", "Pay €90.00")]
)
def test_the_page_speaks_the_language_of_the_booking_before_stripe_s_nearest(
    bench: Bench, booked_in: str, said: str
) -> None:
    session = bench.open(locale="es", metadata={"booking_locale": booked_in})

    page = bench.http.get(f"/c/pay/{session.id}", headers={"Accept-Language": "es"}).text

    assert f'<html lang="{booked_in}">' in page
    assert said in page


def test_paying_leads_back_to_the_merchant(bench: Bench) -> None:
    session = bench.open()

    answer = bench.pay(session.id)

    assert answer.status_code == 303
    assert answer.headers["location"] == f"https://venue.example/thanks?session={session.id}"


def test_paying_twice_at_once_charges_once(bench: Bench) -> None:
    session = bench.open()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: bench.pay(session.id), range(16)))

    assert {answer.status_code for answer in answers} == {303}
    assert bench.client.v1.balance.retrieve().available[0].amount == 9000
    told = bench.client.v1.events.list({"type": "checkout.session.completed"}).data
    assert len(told) == 1


def test_a_declined_card_says_so_and_can_be_followed_by_a_payment(bench: Bench) -> None:
    session = bench.open()

    answer = bench.http.post(f"/c/pay/{session.id}/decline")
    page = bench.http.get(answer.headers["location"]).text
    declined = bench.client.v1.checkout.sessions.retrieve(
        session.id, {"expand": ["payment_intent"]}
    )

    assert answer.status_code == 303
    assert 'role="alert"' in page and "La tarjeta ha sido rechazada" in page
    assert declined.status == "open"
    intent = declined.payment_intent
    assert intent is not None and not isinstance(intent, str)
    assert intent.status == "requires_payment_method"
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.code == "card_declined"

    bench.pay(session.id)
    paid = bench.client.v1.checkout.sessions.retrieve(session.id)
    assert (paid.payment_status, paid.payment_intent) == ("paid", intent.id)
    assert bench.http.post(f"/c/pay/{session.id}/decline").status_code == 303
    events = [event.type for event in bench.client.v1.events.list().data]
    assert events.count("payment_intent.payment_failed") == 1


def test_cancelling_goes_back_and_leaves_the_session_open(bench: Bench) -> None:
    session = bench.open()

    answer = bench.http.post(f"/c/pay/{session.id}/cancel")

    assert (answer.status_code, answer.headers["location"]) == (303, "https://venue.example/back")
    assert bench.client.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_an_email_is_asked_for_only_when_the_merchant_has_none(bench: Bench) -> None:
    params = bench.checkout()
    del params["customer_email"]
    session = bench.client.v1.checkout.sessions.create(params)
    assert 'type="email"' in bench.http.get(f"/c/pay/{session.id}").text
    assert 'type="email"' not in bench.http.get(f"/c/pay/{bench.open().id}").text

    bench.pay(session.id, email="eva@example.com")

    details = bench.client.v1.checkout.sessions.retrieve(session.id).customer_details
    assert details is not None and details.email == "eva@example.com"


def test_a_paid_session_shows_that_it_is_paid(bench: Bench) -> None:
    session = bench.paid()

    page = bench.http.get(f"/c/pay/{session.id}")

    assert page.status_code == 200
    assert "Pago completado" in page.text and "<form" not in page.text
    assert f"https://venue.example/thanks?session={session.id}" in page.text


def test_an_expired_session_shows_that_its_time_is_up(bench: Bench) -> None:
    session = bench.open()
    bench.clock.forward(minutes=32)

    page = bench.http.get(f"/c/pay/{session.id}")
    refused = bench.pay(session.id)

    assert "Se acabó el tiempo" in page.text and "<form" not in page.text
    assert "https://venue.example/back" in page.text
    assert refused.status_code == 410 and "Se acabó el tiempo" in refused.text


def test_an_unknown_session_is_a_page_that_says_so(bench: Bench) -> None:
    answer = bench.http.get("/c/pay/cs_test_none", headers={"Accept-Language": "ca"})

    assert answer.status_code == 404
    assert "Aquest pagament no existeix" in answer.text
    assert bench.pay("cs_test_none").status_code == 404


@pytest.mark.parametrize(
    ("amount", "currency", "language", "text"),
    [
        (9000, "eur", "es", "90,00\u00a0€"),
        (123_456, "eur", "ca", "1234,56\u00a0€"),
        (1_234_567, "eur", "es", "12.345,67\u00a0€"),
        (123_456, "gbp", "en", "£1,234.56"),
        (5000, "jpy", "en", "¥5,000"),
        (1500, "kwd", "en", "KWD\u00a01.500"),
        (1500, "chf", "es", "15,00\u00a0CHF"),
        (-5, "eur", "en", "-€0.05"),
    ],
)
def test_amounts_are_written_as_their_readers_write_them(
    amount: int, currency: str, language: str, text: str
) -> None:
    assert readable(amount, currency, language) == text
