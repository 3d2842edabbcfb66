"""Prices, dates and times as people write them in Spanish, English and Catalan."""

from __future__ import annotations

from copy import copy
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from babel.core import Locale
from babel.dates import (
    format_date,
    format_skeleton,
    format_time,
    format_timedelta,
    get_timezone_location,
)
from babel.numbers import format_percent

from escapemaster.currencies import CURRENCIES

#: The language of a mail, and whose customs it follows. The venues are in Europe, so English
#: readers get the 24-hour clock.
LOCALES: Final = {"es": "es_ES", "en": "en_GB", "ca": "ca_ES"}


def money(cents: int, currency: str, language: str) -> str:
    """An amount in minor units as text, such as `75,00 €`, with the digits that are charged."""
    digits = CURRENCIES[currency].digits
    locale = Locale.parse(LOCALES[language])
    pattern = copy(locale.currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    amount = Decimal(cents).scaleb(-digits)
    written: str = pattern.apply(amount, locale, currency=currency, currency_digits=False)
    return written


def percent(share: int, language: str) -> str:
    """A share of a hundred as text, such as `50 %`."""
    return format_percent(share / 100, locale=LOCALES[language])


def duration(minutes: int, language: str) -> str:
    """A time span in whole hours, or in minutes if it is none, such as `2 hours`."""
    return format_timedelta(
        timedelta(minutes=minutes),
        granularity="minute" if minutes % 60 else "hour",
        threshold=10**6,
        locale=LOCALES[language],
    )


def day(instant: datetime, timezone: str, language: str) -> str:
    """The date of an instant on a venue's calendar, with its weekday."""
    return date_in_words(instant.astimezone(ZoneInfo(timezone)).date(), language)


def date_in_words(value: date, language: str) -> str:
    """A date with its weekday."""
    return format_date(value, format="full", locale=LOCALES[language])


def month_in_words(first: date, language: str) -> str:
    """A month such as `March 2027`, named by its first day."""
    return str(format_skeleton("yMMMM", first, locale=LOCALES[language]))


def clock(instant: datetime, timezone: str, language: str) -> str:
    """The time of an instant on a venue's wall clock, such as `19:30`."""
    return format_time(instant, format="short", tzinfo=ZoneInfo(timezone), locale=LOCALES[language])


def city(timezone: str, language: str) -> str:
    """The place by which people know a time zone, such as `Madrid`."""
    return get_timezone_location(timezone, locale=LOCALES[language], return_city=True)
