"""The attacks, by what they go for. Each is a function that takes the ground and raises `Broken`
when it got what is not its own; its docstring's first line is the promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from siege.ground import Ground


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack.

    Attributes:
        promise: What must hold.
        run: The attempt.
    """

    name: str
    subject: str
    promise: str
    run: Callable[[Ground], None]


def all_attacks() -> list[Attack]:
    """Every attack, in the order of their subjects."""
    from siege.attacks import identity, inputs, mail, money, tenancy

    return [
        Attack(
            name,
            module.__name__.rsplit(".", 1)[1],
            (function.__doc__ or "").strip().splitlines()[0].rstrip("."),
            function,
        )
        for module in (identity, tenancy, money, mail, inputs)
        for name, function in vars(module).items()
        if callable(function)
        and not name.startswith("_")
        and getattr(function, "__module__", "") == module.__name__
    ]
