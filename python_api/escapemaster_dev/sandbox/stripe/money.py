"""Amounts: what Stripe takes, and how a person reads them."""

from __future__ import annotations

from typing import Final

from escapemaster.currencies import CURRENCIES

_SYMBOLS = {"eur": "€", "gbp": "£", "usd": "$", "jpy": "¥"}

LARGEST_CHARGE: Final = 99_999_999


def is_charged(currency: str) -> bool:
    """Whether Stripe charges in this currency; ours are lower case here, as in its API."""
    known = CURRENCIES.get(currency.upper())
    return known is not None and known.least is not None


def smallest_charge(currency: str) -> int:
    """The least amount that Stripe charges in this currency, in its own minor units.

    https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
    """
    known = CURRENCIES[currency.upper()]
    return (known.least or 0) * known.factor


def charge_step(currency: str) -> int:
    """By how much amounts differ at least.

    The last of three digits is 0, and of currencies that lost their minor unit the last two are:
    https://docs.stripe.com/currencies#three-decimal, #special-cases
    """
    known = CURRENCIES[currency.upper()]
    return known.step * known.factor


def readable(amount: int, currency: str, language: str) -> str:
    """An amount in minor units as written in es, ca or en: ``1234,50 €``, ``£1,234.50``."""
    known = CURRENCIES[currency.upper()]
    decimals = 2 if known.factor == 100 else known.digits
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
