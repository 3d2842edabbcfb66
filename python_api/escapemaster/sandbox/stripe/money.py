"""Amounts: what Stripe takes, and how a person reads them."""

from __future__ import annotations

# https://docs.stripe.com/currencies#zero-decimal and #three-decimal; every other has two
_DECIMALS = {"clp": 0, "jpy": 0, "krw": 0, "pyg": 0, "vnd": 0, "bhd": 3, "kwd": 3, "tnd": 3}
_SYMBOLS = {"eur": "€", "gbp": "£", "usd": "$", "jpy": "¥"}

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts (those in use here)
_MINIMUM = {"eur": 50, "gbp": 30, "usd": 50, "chf": 50, "aud": 50, "cad": 50}
LARGEST_CHARGE = 99_999_999


def smallest_charge(currency: str) -> int:
    """The least amount in minor units that Stripe charges in this currency."""
    return _MINIMUM.get(currency, 1)


def readable(amount: int, currency: str, language: str) -> str:
    """An amount in minor units as written in es, ca or en: ``1234,50 €``, ``£1,234.50``."""
    decimals = _DECIMALS.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    symbol = _SYMBOLS.get(currency)
    if language == "en":
        number = f"{whole:,}" + (f".{rest:0{decimals}d}" if decimals else "")
        return f"{sign}{symbol}{number}" if symbol else f"{sign}{currency.upper()}\u00a0{number}"
    # Spanish and Catalan leave four digits ungrouped.
    grouped = f"{whole:,}".replace(",", ".") if whole >= 10_000 else str(whole)
    number = grouped + (f",{rest:0{decimals}d}" if decimals else "")
    return f"{sign}{number}\u00a0{symbol or currency.upper()}"
