"""What an inbox answers, whoever the event is from."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter

from escapemaster.database.functions import Row


class Received(Row):
    """Whether an event had been received before."""

    duplicate: bool = False


RECEIVED: Final = TypeAdapter[Received](Received)
