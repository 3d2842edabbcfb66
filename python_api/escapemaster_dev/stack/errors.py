"""The errors of the local stack: each says what to do about it."""

from __future__ import annotations


class StackError(Exception):
    """Something about the stack that a person has to mend; the text is for that person."""


class PortTaken(StackError):
    """A port that a part needs belongs to another program."""

    def __init__(self, taken: dict[str, int]) -> None:
        self.taken = taken
        lines = "\n".join(f"  {port}  ({part})" for part, port in taken.items())
        super().__init__(
            f"these ports are taken by another program:\n{lines}\n"
            "Stop it (if it is another stack: make down), or move this stack to other ports "
            "with ESCAPEMASTER_PORT=<base port>."
        )


def how_it_ended(code: int) -> str:
    """An exit code in words."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


class PartDied(StackError):
    """A part of the stack ended by itself."""

    def __init__(self, part: str, code: int, log_tail: str) -> None:
        self.part = part
        self.code = code
        tail = log_tail.strip() or "(it wrote nothing)"
        super().__init__(f"{part} {how_it_ended(code)}. The end of its log:\n{tail}")


class PartNotReady(StackError):
    """A part is running but never answered."""

    def __init__(self, part: str, seconds: float, log_tail: str) -> None:
        self.part = part
        super().__init__(
            f"{part} did not answer within {seconds:.0f} s. The end of its log:\n{log_tail.strip()}"
        )


class AlreadyRunning(StackError):
    """Another supervisor holds this state directory."""


class NotRunning(StackError):
    """There is no stack where one is needed."""
