"""Assertions in the words of the promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from client import Refused


@contextmanager
def refused(status: int, code: str) -> Iterator[pytest.ExceptionInfo[Refused]]:
    """The block's request must be refused with this status and code."""
    with pytest.raises(Refused) as caught:
        yield caught
    assert (caught.value.status, caught.value.code) == (status, code), str(caught.value)
    # A refusal says what to do next.
    if not code[0].isdigit():
        assert caught.value.hint
