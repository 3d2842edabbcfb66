"""An answer that breaks the promise of its type does not pass a test unnoticed."""

from __future__ import annotations

import pytest

from escapemaster_dev.schema.composites import Answer, Composite, Field
from plugins.answer_promises import broken_promises

_TYPES = {
    "public.paw": Composite(
        "public.paw", "", (Field("side", "text", "", False, ("left", "right"), None),)
    ),
    "public.pet": Composite(
        "public.pet",
        "",
        (
            Field("name", "text", "", True, (), None),
            Field("age", "integer", "", False, (), None),
            Field("paw", "public.paw", "", False, (), "public.paw"),
            Field("paws", "public.paw[]", "", False, (), "public.paw"),
        ),
    ),
}
_ONE = Answer("public.pet", is_list=False, named=False, nullable=False)
_MANY = Answer("public.pet", is_list=True, named=False, nullable=False)
_LEFT = {"side": "left"}
_PET = {"name": None, "age": 3, "paw": _LEFT, "paws": [_LEFT, {"side": "right"}]}


@pytest.mark.parametrize(
    ("promise", "answer", "broken"),
    [
        (_ONE, _PET, []),
        (_ONE, {**_PET, "paws": []}, []),
        (_ONE, {**_PET, "age": None}, ["age is null"]),
        (_ONE, {**_PET, "paw": None}, ["paw is null"]),
        (_ONE, {**_PET, "paws": None}, ["paws is null"]),
        (_ONE, {**_PET, "paws": [_LEFT, None]}, ["paws[1] is None, no public.paw"]),
        (_ONE, {**_PET, "paws": [{"side": "front"}]}, ["paws[0].side is 'front'"]),
        (_ONE, {**_PET, "paw": {"side": None}}, ["paw.side is null"]),
        (_ONE, {**_PET, "tail": 1}, ["public.pet has other fields: tail"]),
        (_ONE, None, ["public.pet is None, no public.pet"]),
        (_MANY, [], []),
        (_MANY, [_PET, {**_PET, "age": None}], ["[1].age is null"]),
        (_MANY, _PET, ["public.pet is no list"]),
    ],
)
def test_what_is_broken_is_named(promise: Answer, answer: object, broken: list[str]) -> None:
    assert list(broken_promises(_TYPES, promise, answer)) == broken
