"""The sheet of paper that comes with a gift voucher."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from api.service.test_service_email import SITE, prepared
from escapemaster.email.rendering import render
from escapemaster.email.voucher_paper import Paper, voucher_paper

PAPER = Paper(
    language="en",
    file="gift-voucher.pdf",
    title="Gift voucher",
    venue="Enigma",
    value="€80.00",
    code="ABCD-EFGH-2345",
    code_label="The code",
    code_hint="Whoever has it can use it.",
    rows=[("For", "Marta"), ("Valid until", "Friday, 15 May 2028")],
    message=["Happy birthday!", "", "See you in the dark."],
    terms_title="Terms",
    terms="No cash.",
    contact=("hola@example.test",),
    accent="#7c3aed",
)
#: What ends a backslash in a string of a PDF.
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def text_of(content: bytes) -> str:
    """What is written on it, a line for each piece, by the fonts' own tables of characters."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj\n(.*?)\nendobj", content, re.DOTALL))
    fonts: dict[bytes, dict[bytes, str]] = {}
    for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", content):
        (table,) = re.findall(rb"/ToUnicode (\d+) 0 R", objects[number])
        pairs = re.findall(rb"<([0-9A-F]{4})> <([0-9A-F]+)>\n", objects[table])
        fonts[name] = {
            bytes.fromhex(code.decode()): bytes.fromhex(letters.decode()).decode("utf-16-be")
            for code, letters in pairs
        }
    lines = []
    font = b""
    for block in re.findall(rb"(BT .*?\) Tj ET|/F\d+ [\d.]+ Tf)", content, re.DOTALL):
        line = ""
        for chosen, written in re.findall(
            rb"/(F\d+) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj", block, re.DOTALL
        ):
            if chosen:
                font = chosen
                continue
            codes = re.sub(rb"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), written, flags=re.DOTALL)
            line += "".join(
                fonts[font].get(codes[at : at + 2], "") for at in range(0, len(codes), 2)
            )
        if line:
            lines.append(line)
    return "\n".join(lines)


def written(paper: Paper) -> str:
    return text_of(voucher_paper(paper, compressed=False).content)


def test_all_of_a_voucher_stands_on_its_paper() -> None:
    assert written(PAPER).splitlines() == [
        "Enigma",
        "Gift voucher",
        "€80.00",
        "The code",
        "ABCD-EFGH-2345",
        "Whoever has it can use it.",
        "For",
        "Marta",
        "Valid until",
        "Friday, 15 May 2028",
        "Happy birthday!",
        "See you in the dark.",
        "hola@example.test",
        "Terms",
        "No cash.",
    ]


@pytest.mark.parametrize("name", ["Łukasz Đặng", "Ольга Жанна", "Ελένη", "Núria · l'Òscar"])
def test_names_are_written_in_their_letters(name: str) -> None:
    assert name in written(replace(PAPER, rows=[("For", name)]))


@pytest.mark.parametrize("name", ["مارتا", "שרה"])
def test_names_from_right_to_left_are_written_with_letters_of_their_own(name: str) -> None:
    shown = written(replace(PAPER, rows=[("For", name)]))
    assert set(name) <= set(shown)


@pytest.mark.parametrize("name", ["李雷", "Marta 李", "ปทุม"])
def test_a_name_without_letters_here_is_left_out_as_a_whole(name: str) -> None:
    lines = written(replace(PAPER, rows=[("For", name), ("From", "Joan")])).splitlines()
    assert "For" not in lines
    assert "Marta" not in " ".join(lines)
    assert "Joan" in lines


def test_a_message_is_written_without_its_emoji_or_not_at_all() -> None:
    assert "Happy birthday!" in written(replace(PAPER, message=["🎉 Happy birthday! ❤️"]))
    half = written(replace(PAPER, message=["Happy birthday!", "生日快乐"]))
    assert "Happy birthday!" not in half


def test_the_same_voucher_is_the_same_file() -> None:
    assert voucher_paper(PAPER).content == voucher_paper(PAPER).content
    assert voucher_paper(replace(PAPER, code="OTHER")).content != voucher_paper(PAPER).content


def test_long_terms_go_on_on_further_pages() -> None:
    long = voucher_paper(replace(PAPER, terms="\n".join(["All of it counts."] * 200)))
    assert long.content.count(b"/Type /Page\n") > 1


@pytest.mark.parametrize(
    ("template", "data"),
    [("voucher_bought", {"amount_cents": 8000}), ("voucher_issued", {"initial_cents": 8000})],
)
@pytest.mark.parametrize(
    ("locale", "file"),
    [("es", "vale-regalo.pdf"), ("en", "gift-voucher.pdf"), ("ca", "val-regal.pdf")],
)
def test_the_mails_of_a_voucher_bring_its_paper(
    template: str, data: dict[str, object], locale: str, file: str
) -> None:
    message = render(prepared(template, locale, code="ABCD-EFGH-2345", **data), SITE)
    (paper,) = message.attachments
    assert (paper.filename, paper.content_type) == (file, "application/pdf")
    assert paper.content.startswith(b"%PDF-")
    # A code in a name would be read by whoever lists files.
    assert "ABCD" not in paper.filename
