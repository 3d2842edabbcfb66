"""What the comments of composite types say reaches the client types."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.rows import TupleRow

from escapemaster_dev.schema.composites import (
    Answer,
    Composite,
    Field,
    answers,
    composites,
    in_python,
    in_typescript,
    without_answer,
)
from escapemaster_dev.schema.project import SchemaError

Catalogue = psycopg.Connection[TupleRow]

_PET = """
create type public.lint_paw as (side text);
comment on type public.lint_paw is 'A paw.';
comment on column public.lint_paw.side is 'one of: left, right';
create type public.lint_pet as (name text, status text, mode text, paws public.lint_paw []);
comment on type public.lint_pet is 'A pet.';
comment on column public.lint_pet.name is 'As it is called; null: it is not.';
comment on column public.lint_pet.status is 'As that of its booking; one of bookings.status';
comment on column public.lint_pet.mode is 'Null and void, as it were: neither is a promise.';
comment on column public.lint_pet.paws is 'From the left.';
"""


def test_a_field_is_null_and_has_values_as_its_comment_says(catalogue: Catalogue) -> None:
    catalogue.execute(_PET.encode())

    name, status, mode, paws = composites(catalogue)["public.lint_pet"].fields

    assert [field.nullable for field in (name, status, mode, paws)] == [True, False, False, False]
    assert (name.values, mode.values) == ((), ())
    assert {"held", "confirmed", "no_show"} < set(status.values)
    assert (paws.composite, paws.is_list) == ("public.lint_paw", True)
    [side] = composites(catalogue)["public.lint_paw"].fields
    assert side.values == ("left", "right")


def test_a_column_that_takes_anything_is_no_list_of_values(catalogue: Catalogue) -> None:
    catalogue.execute(
        "create type public.lint_pet as (name text);"
        " comment on column public.lint_pet.name is 'one of rooms.name'"
    )
    with pytest.raises(SchemaError, match=r"public\.lint_pet\.name: .* rooms\.name"):
        composites(catalogue)


@pytest.mark.parametrize(
    ("returns", "comment", "answer"),
    [
        ("public.lint_pet", "A pet.", Answer("public.lint_pet", False, False, False)),
        ("setof public.lint_pet", "Pets.", Answer("public.lint_pet", True, False, False)),
        ("public.lint_pet[]", "Pets.", Answer("public.lint_pet", True, False, False)),
        (
            "jsonb",
            "A pet. Answers public.lint_pet. Errors: 404 pet_not_found.",
            Answer("public.lint_pet", False, True, False),
        ),
        (
            "jsonb",
            "A pet. Answers public.lint_pet or null.",
            Answer("public.lint_pet", False, True, True),
        ),
        ("jsonb", "Answers anything.", None),
    ],
)
def test_a_function_answers_the_type_that_it_returns_or_names(
    catalogue: Catalogue, returns: str, comment: str, answer: Answer | None
) -> None:
    catalogue.execute(
        f"{_PET} set local check_function_bodies = off;"
        f" create function public.lint() returns {returns} language sql as 'select null';"
        f" comment on function public.lint is '{comment}'".encode()
    )
    assert answers(catalogue).get("public.lint") == answer


def test_the_page_does_not_repeat_the_name_of_the_type() -> None:
    assert without_answer("Joins. Answers public.member. More.") == "Joins. More."


_PAW = Composite("public.paw", "", (Field("side", "text", "", False, ("left", "right"), None),))
_PETS = {
    "public.paw": _PAW,
    "public.pet": Composite(
        "public.pet",
        "",
        (
            Field("name", "text", "", True, (), None),
            Field("sides", "text[]", "", False, ("left", "right"), None),
            Field("paws", "public.paw[]", "", False, (), "public.paw"),
        ),
    ),
}
_TYPESCRIPT = """export type Database = {
  "public": {
          Tables: {
            "pet": {
                  Row: {
                    "name": string | null
                  }
            }
          }
          Functions: {
            "take":
{ Args: { "name": string }; Returns: Json
                           },
"take_it":
{ Args: { "name": string }; Returns: Json
                           }
          }
          CompositeTypes: {
            "paw": {
                        "side": string | null
                      },"pet": {
                        "name": string | null,"sides": (string)[] | null,"paws": (Paw)[] | null
                      }
          }
        },"service": {
          Tables: {
            [_ in never]: never
          }
          CompositeTypes: {
            "paw": {
                        "side": string | null
                      }
          }
        }
}
"""


def test_typescript_says_what_the_comments_say() -> None:
    said = {"public.take": Answer("public.paw", False, named=True, nullable=True)}

    assert in_typescript(_TYPESCRIPT, _PETS, said) == _TYPESCRIPT.replace(
        "Returns: Json", 'Returns: Database["public"]["CompositeTypes"]["paw"] | null', 1
    ).replace('"side": string | null', '"side": "left" | "right"', 1).replace(
        '"sides": (string)[] | null,"paws": (Paw)[] | null',
        '"sides": ("left" | "right")[],"paws": (Paw)[]',
    )


def test_a_function_that_the_generator_leaves_out_is_noticed() -> None:
    said = {"public.leave": Answer("public.paw", False, named=True, nullable=False)}
    with pytest.raises(SchemaError, match="leave"):
        in_typescript(_TYPESCRIPT, _PETS, said)


def test_python_says_what_the_comments_say() -> None:
    generated = (
        "class PublicPet(BaseModel):\n"
        '    name: Optional[str] = Field(alias="name")\n'
        '    sides: Optional[List[str]] = Field(alias="sides")\n'
        '    paws: Optional[List[PublicPaw]] = Field(alias="paws")\n'
        "class PublicPets(BaseModel):\n"
        '    sides: Optional[List[str]] = Field(alias="sides")\n'
    )
    assert in_python(generated, _PETS) == generated.replace(
        "Optional[List[str]]", 'List[Literal["left", "right"]]', 1
    ).replace("Optional[List[PublicPaw]]", "List[PublicPaw]")
