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
        brief: Whether it is over in some seconds.
    """

    name: str
    subject: str
    promise: str
    run: Callable[[Ground], None]
    brief: bool


#: These ask thousands of times, or wait for a worker that has much to do.
_LONG = frozenset(
    {
        "no_input_to_a_public_function_is_a_fault",
        "no_input_of_a_member_is_a_fault",
        "a_burner_burns_only_its_own_limit",
        "a_venue_that_writes_to_thousands_delays_nobody",
        "reading_deep_and_wide_holds_up_nobody",
        "asking_for_the_description_holds_up_nobody",
    }
)


def all_attacks() -> list[Attack]:
    """Every attack, in the order of their subjects."""
    from siege.attacks import identity, inputs, mail, money, tenancy, waiting

    return [
        Attack(
            name,
            module.__name__.rsplit(".", 1)[1],
            (function.__doc__ or "").strip().splitlines()[0].rstrip("."),
            function,
            name not in _LONG,
        )
        for module in (identity, tenancy, money, mail, inputs, waiting)
        for name, function in vars(module).items()
        if callable(function)
        and not name.startswith("_")
        and getattr(function, "__module__", "") == module.__name__
    ]
