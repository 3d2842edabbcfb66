"""A gift voucher as a sheet of paper: the PDF that comes with its mails, to be printed.

It is made from nothing but what the mail says, and is the same file whenever that is the same: a
mail that is sent again under its key may not differ (https://resend.com/docs/dashboard/emails/idempotency-keys).

The fonts are Noto Sans (`fonts/OFL.txt`): Latin, Greek, Cyrillic, Arabic and Hebrew. What they have
no letters for, such as a name in Chinese, is left out of the paper, as a whole, since half a name
is worse than none; it stands in the mail. Of emoji and the like only the character is left out.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

import segno
from fpdf import FPDF
from fpdf.enums import XPos, YPos

from escapemaster.email.colours import colours
from escapemaster.email.message import Attachment

#: Millimetres of an A4 sheet.
_MARGIN: Final = 20.0
_WIDTH: Final = 170.0
_PICTURE: Final = 38.0
#: The terms may be long; what is printed of them fits some pages.
_LONGEST_TERMS: Final = 20_000
#: A file that is made again is the same, whenever that is.
_ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
_BODY: Final = "noto"
_OTHERS: Final = ("arabic", "hebrew")
_GREY: Final = (82, 82, 91)
_INK: Final = (24, 24, 27)

# It tells at length what it leaves out of a font.
logging.getLogger("fontTools").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Paper:
    """What stands on it, in the reader's language.

    Attributes:
        title: What it is.
        venue: Whose it is.
        rows: What is said of it, each with what it is called.
        message: Lines of whoever gives it.
        code_hint: How the code is used.
        terms: What the buyer agreed to, below its title; empty: nothing.
        contact: Where the venue is reached.
    """

    language: str
    file: str
    title: str
    venue: str
    value: str
    code: str
    code_label: str
    code_hint: str
    rows: Sequence[tuple[str, str]]
    message: Sequence[str] = ()
    terms_title: str = ""
    terms: str = ""
    contact: Sequence[str] = ()
    accent: str | None = None


def voucher_paper(paper: Paper, *, compressed: bool = True) -> Attachment:
    """The voucher as a PDF, with a QR code of its code.

    Args:
        paper: What stands on it.
        compressed: Whether its streams are; a reader of its text wants them not to be.
    """
    pdf = FPDF(unit="mm", format="A4")
    pdf.set_compression(compressed)
    pdf.set_creation_date(_ALWAYS)
    pdf.set_title(f"{paper.title} · {paper.venue}")
    pdf.set_lang(paper.language)
    pdf.set_margins(_MARGIN, _MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, margin=_MARGIN)
    add_fonts(pdf)
    pdf.add_page()
    _head(pdf, paper)
    _code(pdf, paper)
    for name, value in paper.rows:
        _row(pdf, name, value)
    _message(pdf, paper)
    _foot(pdf, paper)
    return Attachment(paper.file, "application/pdf", bytes(pdf.output()))


def add_fonts(pdf: FPDF) -> None:
    """Give a paper the letters of the languages that there are fonts for."""
    folder = files("escapemaster.email").joinpath("fonts")
    for family, style, name in (
        (_BODY, "", "NotoSans-Regular"),
        (_BODY, "B", "NotoSans-Bold"),
        ("arabic", "", "NotoSansArabic-Regular"),
        ("hebrew", "", "NotoSansHebrew-Regular"),
    ):
        pdf.add_font(family, style, str(folder.joinpath(f"{name}.ttf")))
    pdf.set_fallback_fonts(list(_OTHERS), exact_match=False)
    # Letters that join, and what is read from right to left.
    pdf.set_text_shaping(True)


def known_letters(pdf: FPDF, text: str) -> str:
    """What of a text is printed: all of it but signs; nothing, where letters are missing."""
    fonts = [pdf.fonts[name] for name in (_BODY, *_OTHERS)]
    kept = []
    # A figure without its minus is another.
    for character in text.replace("\N{MINUS SIGN}", "-"):
        if any(ord(character) in font.cmap for font in fonts):  # type: ignore[union-attr]
            kept.append(character)
        elif unicodedata.category(character)[0] in "LMN" and character not in _OF_EMOJI:
            return ""
    return " ".join("".join(kept).split())


#: Joins and colours emoji, and is no letter.
_OF_EMOJI: Final = frozenset({"\ufe0e", "\ufe0f", "\u20e3"})


def _write(
    pdf: FPDF,
    text: str,
    *,
    size: float,
    bold: bool = False,
    colour: tuple[int, int, int] = _INK,
    width: float = _WIDTH,
    spacing: float = 1.4,
) -> None:
    """Paragraphs, and the cursor below them."""
    pdf.set_font(_BODY, "B" if bold else "", size)
    pdf.set_text_color(*colour)
    known = known_letters(pdf, text)
    if known:
        # Points as millimetres, with the air between lines.
        height = size * spacing * 0.3528
        left = pdf.x
        pdf.multi_cell(width, height, known, align="L", new_x=XPos.LEFT, new_y=YPos.NEXT)
        pdf.x = left


def _head(pdf: FPDF, paper: Paper) -> None:
    shades = colours(paper.accent)
    pdf.set_fill_color(*_rgb(shades.accent))
    pdf.rect(0, 0, pdf.w, 52, style="F")
    pdf.set_xy(_MARGIN, 14)
    letters = _rgb(shades.on_accent)
    _write(pdf, paper.venue, size=14, colour=letters)
    pdf.x = _MARGIN
    _write(pdf, paper.title, size=28, bold=True, colour=letters)
    pdf.set_xy(_MARGIN, 62)


def _code(pdf: FPDF, paper: Paper) -> None:
    """What it is worth, its code, and the code once more for a scanner."""
    top = pdf.y
    room = _WIDTH - _PICTURE - 8
    _write(pdf, paper.value, size=34, bold=True, width=room)
    pdf.set_xy(_MARGIN, pdf.y + 4)
    _write(pdf, paper.code_label, size=10, colour=_GREY, width=room)
    pdf.x = _MARGIN
    _write(pdf, paper.code, size=20, bold=True, width=room)
    pdf.x = _MARGIN
    _write(pdf, paper.code_hint, size=9, colour=_GREY, width=room)
    bottom = pdf.y
    picture = [list(line) for line in segno.make(paper.code, error="m", micro=False).matrix]
    side = _PICTURE / len(picture)
    pdf.set_fill_color(0, 0, 0)
    for row, line in enumerate(picture):
        for column, dark in enumerate(line):
            if dark:
                left = _MARGIN + _WIDTH - _PICTURE + column * side
                # A hair wider: no white shows between two.
                pdf.rect(left, top + row * side, side + 0.02, side + 0.02, style="F")
    pdf.set_xy(_MARGIN, max(bottom, top + _PICTURE) + 8)


def _row(pdf: FPDF, name: str, value: str) -> None:
    if not known_letters(pdf, value):
        return
    top = pdf.y
    pdf.set_draw_color(228, 228, 231)
    pdf.line(_MARGIN, top - 1.5, _MARGIN + _WIDTH, top - 1.5)
    _write(pdf, name, size=10, colour=_GREY, width=45)
    pdf.set_xy(_MARGIN + 50, top)
    _write(pdf, value, size=11, width=_WIDTH - 50)
    pdf.set_xy(_MARGIN, pdf.y + 3)


def _message(pdf: FPDF, paper: Paper) -> None:
    lines = [known_letters(pdf, line) for line in paper.message]
    unknown = (
        _has_letters(line) and not kept for line, kept in zip(paper.message, lines, strict=True)
    )
    # Half a message is worse than none, too.
    if not any(lines) or any(unknown):
        return
    pdf.set_xy(_MARGIN + 6, pdf.y + 4)
    top = pdf.y
    page = pdf.page
    for line in lines:
        if line:
            pdf.x = _MARGIN + 6
            _write(pdf, line, size=13, width=_WIDTH - 6)
        else:
            pdf.y += 3
    if pdf.page == page:
        pdf.set_fill_color(*_rgb(colours(paper.accent).ink))
        pdf.rect(_MARGIN, top, 1, pdf.y - top, style="F")
    pdf.set_xy(_MARGIN, pdf.y + 4)


def _has_letters(text: str) -> bool:
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def _foot(pdf: FPDF, paper: Paper) -> None:
    """Where the venue is, and what was agreed to."""
    pdf.set_xy(_MARGIN, pdf.y + 4)
    _write(pdf, " · ".join(paper.contact), size=9, colour=_GREY)
    if not paper.terms:
        return
    pdf.set_xy(_MARGIN, pdf.y + 6)
    _write(pdf, paper.terms_title, size=9, bold=True)
    for line in paper.terms[:_LONGEST_TERMS].splitlines():
        pdf.x = _MARGIN
        _write(pdf, line, size=8, colour=_GREY)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
