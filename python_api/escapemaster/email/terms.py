"""What was agreed about cancelling a booking, in words."""

from __future__ import annotations

from datetime import timedelta

from escapemaster.email.booking import BookingData, Terms
from escapemaster.email.content import capital, instant_words
from escapemaster.email.formatting import percent
from escapemaster.email.texts import Texts


def terms_sentences(
    booking: BookingData, language: str, text: Texts, *, still_on: bool
) -> list[str]:
    """What was agreed, in one paragraph; of a booking that is on, only what still counts."""
    if booking.terms is None:
        return []
    # Booked a day ahead, nobody is told what could have been done a week before.
    said = _steps(booking, booking.terms, language, text, only_later=still_on)
    first, *later = [f"{step}." for step in said]
    words = [f"{text('terms')}: {first}", *map(capital, later)]
    if still_on:
        fee = booking.terms.no_show_fee_percent
        no_show = {0: "no_show_free", 100: "no_show_all"}.get(fee, "no_show_part")
        words.append(text(no_show, part=percent(fee, language)))
    return [" ".join(words)]


def _steps(
    booking: BookingData, terms: Terms, language: str, text: Texts, *, only_later: bool
) -> list[str]:
    """What goes back until when; `only_later`: after the mail's event."""
    told_at = booking.event_at if only_later else None
    steps: dict[int, str] = {}  # by what goes back: of two steps with the same, the later counts
    nothing_later = bool(terms.tiers)
    for tier in sorted(terms.tiers, key=lambda step: step.hours_before, reverse=True):
        ends_at = booking.starts_at - timedelta(hours=tier.hours_before)
        if told_at is not None and ends_at <= told_at:
            continue
        nothing_later = tier.hours_before > 0
        if not tier.refund_percent:
            nothing_later = True
            continue
        ends = (
            text("until", **instant_words(ends_at, booking.timezone, language))
            if tier.hours_before
            else text("until_start")
        )
        free = tier.refund_percent == 100
        steps[tier.refund_percent] = text(
            "cancel_free" if free else "cancel_part",
            ends=ends,
            part=percent(tier.refund_percent, language),
        )
    said = list(steps.values())
    if not terms.tiers:
        said.append(text("cancel_free", ends=text("until_start")))
    elif nothing_later:
        said.append(text("nothing_later" if said else "nothing_back"))
    return said
