"""The colours of a mail: the venue's own, with text that can be read on them.

Contrast is WCAG 2.2's (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). Mail clients compute no
colours, so they are computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: What text needs on their ground (https://www.w3.org/TR/WCAG22/#contrast-minimum).
READABLE: Final = 4.5

#: The ground of mails whose venue has no colour.
HOUSE: Final = "#1f2937"

#: The ground of the text where a mail is shown dark.
DARK: Final = "#1c1c1f"

_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours that differ from venue to venue, as `#rrggbb`.

    Attributes:
        accent: The ground of the head and of buttons.
        on_accent: Text on it.
        ink: The accent as text and lines on white: as dark as that needs.
        ink_on_dark: The accent as letters and lines on the dark ground: as light as that needs.
        dark: That ground, where a mail is shown dark.
    """

    accent: str
    on_accent: str
    ink: str
    ink_on_dark: str
    dark: str = DARK


def colours(accent: str | None) -> Colours:
    """The colours that go with a venue's.

    Args:
        accent: `#rrggbb`; None: the venue has none.
    """
    accent = accent or HOUSE
    return Colours(
        accent=accent,
        # One of the two always suffices: white up to a luminance of .183, black from .175 on.
        on_accent=_WHITE if contrast(_WHITE, accent) >= READABLE else _BLACK,
        ink=_shifted(accent, towards=_BLACK, ground=_WHITE),
        ink_on_dark=_shifted(accent, towards=_WHITE, ground=DARK),
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _shifted(colour: str, *, towards: str, ground: str) -> str:
    """The colour, or the nearest one on the way to another that can be read on a ground."""
    ends = tuple(zip(_parts(colour), _parts(towards), strict=True))
    for percent in range(100, 0, -1):
        shade = "#" + "".join(
            f"{(mine * percent + other * (100 - percent)) // 100:02x}" for mine, other in ends
        )
        if contrast(shade, ground) >= READABLE:
            return shade
    return towards


def _parts(colour: str) -> bytes:
    return bytes.fromhex(colour.removeprefix("#"))


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
