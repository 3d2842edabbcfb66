"""What a request's JSON may hold, whichever route takes it."""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic_core import PydanticCustomError

#: PostgreSQL keeps no NUL in a text, and half a character (a lone surrogate) is in no encoding.
_IN_NO_TEXT: Final = re.compile("[\x00\ud800-\udfff]")


class Body(BaseModel):
    """The body of a request: the described members and no other, and texts that can be kept."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _texts_can_be_kept(cls, value: object) -> object:
        if isinstance(value, str) and _IN_NO_TEXT.search(value):
            raise PydanticCustomError("text_invalid", "Send text without NUL and half characters.")
        return value
