"""An organization's own words in a mail: a small part of Jinja, and no way out of it.

A text may name the mail's values (`{{ room_name }}`), ask whether there is one
(`{% if refund %}…{% endif %}`, comparisons, `and`, `or`, `not`) and apply the filters below.
Nothing else parses: no loops, no calls, no attributes, no arithmetic, so a text costs no more than
its length. What it makes is plain text, which the mail's own template escapes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Final

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

#: What a text may be made of.
_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Not,
    nodes.And,
    nodes.Or,
    nodes.Compare,
    nodes.Operand,
    nodes.Filter,
)
FILTERS: Final = frozenset({"upper", "lower", "capitalize", "title", "trim"})
#: Deeper than any sentence, and less deep than what Python's compiler takes.
_MAX_DEPTH: Final = 24
MAX_SUBJECT: Final = 200
MAX_BODY: Final = 5000

#: What nobody sees, spaces and controls aside, as `private.without_invisible` has it: a test holds
#: the two to be the same.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)

Values = Mapping[str, str | int]


class WordsError(Exception):
    """A text that cannot be used.

    Attributes:
        line: Where, counted from 1.
        problem: What is wrong with it, one English sentence.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


def fill(source: str, values: Values) -> str:
    """Fill in a text.

    Args:
        source: What the organization wrote.
        values: All that it may name.

    Raises:
        WordsError: It is not a text of this kind.
    """
    try:
        return _filled(source, values)
    except WordsError:
        raise
    except TemplateSyntaxError as error:
        raise WordsError(error.lineno, _sentence(error.message or "It is not closed")) from None
    except RecursionError:
        raise WordsError(1, "It is nested too deeply.") from None
    except Exception:  # noqa: BLE001 - whatever a tenant's words do, they are words that cannot be used
        # Such as a number compared with a text, or one of more digits than Python reads.
        raise WordsError(1, "Its values cannot be written or compared like this.") from None


def _filled(source: str, values: Values) -> str:
    tree = _environment().parse(source)
    for node, depth in _walk(tree):
        if depth > _MAX_DEPTH:
            raise WordsError(node.lineno, "It is nested too deeply.")
        if not isinstance(node, _ALLOWED):
            raise WordsError(
                node.lineno, "Only values, conditions and simple filters can be used here."
            )
        if isinstance(node, nodes.Filter) and (
            node.name not in FILTERS or node.args or node.kwargs or node.dyn_args or node.dyn_kwargs
        ):
            raise WordsError(
                node.lineno, f"The filters are {', '.join(sorted(FILTERS))}, without arguments."
            )
        if isinstance(node, nodes.Name) and node.name not in values:
            raise WordsError(
                node.lineno, f"There is no {node.name}; there is {', '.join(sorted(values))}."
            )
        if isinstance(node, nodes.Const) and not isinstance(node.value, str | int):
            raise WordsError(node.lineno, "Only texts and whole numbers can be compared with.")
    if not _speaks(tree.body):
        raise WordsError(1, "These words say nothing, whatever the mail is about.")
    return _environment().from_string(source).render(values)


def paragraphs(text: str) -> list[str]:
    """A text as paragraphs: an empty line begins a new one."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def is_visible(text: str) -> bool:
    """Whether a reader sees anything of it."""
    return any(
        unicodedata.category(char) not in ("Cc", "Cs")
        and not char.isspace()
        and not _INVISIBLE.match(char)
        for char in text
    )


def _speaks(parts: Sequence[nodes.Node]) -> bool:
    """Whether the parts of a text can come out as anything that is seen, for some mail."""
    return any(_part_speaks(part) for part in parts)


def _part_speaks(part: nodes.Node) -> bool:
    match part:
        case nodes.Output():
            return _speaks(part.nodes)
        case nodes.TemplateData():
            return is_visible(part.data)
        case nodes.If():
            return _branches_speak([part, *part.elif_], part.else_)
        case nodes.CondExpr():
            other = [part.expr2] if part.expr2 else []
            return (not _always(part.test, False) and _part_speaks(part.expr1)) or (
                not _always(part.test, True) and _speaks(other)
            )
        case nodes.Expr():
            try:
                return is_visible(str(part.as_const()))
            except nodes.Impossible:
                return True  # a value of the mail
    return True


def _branches_speak(branches: Sequence[nodes.If], otherwise: Sequence[nodes.Node]) -> bool:
    for branch in branches:
        if not _always(branch.test, False) and _speaks(branch.body):
            return True
        if _always(branch.test, True):
            return False
    return _speaks(otherwise)


def _always(test: nodes.Node, outcome: bool) -> bool:
    """Whether a condition has this outcome whatever the mail is about."""
    match test:
        case nodes.Not():
            return _always(test.node, not outcome)
        case nodes.And() | nodes.Or():
            sides = [_always(side, outcome) for side in (test.left, test.right)]
            return all(sides) if outcome == isinstance(test, nodes.And) else any(sides)
        case nodes.Expr():
            try:
                return bool(test.as_const()) == outcome
            except nodes.Impossible:
                return False
    return False


def _walk(tree: nodes.Node) -> Iterator[tuple[nodes.Node, int]]:
    waiting: list[tuple[nodes.Node, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting += [(child, depth + 1) for child in node.iter_child_nodes()]


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
