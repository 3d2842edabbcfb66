"""An organization's own words in a mail: a small part of Jinja, and no way out of it.

A text may name the mail's values (`{{ room_name }}`), ask whether there is one
(`{% if refund %}…{% endif %}`, comparisons, `and`, `or`, `not`) and apply the filters below.
Nothing else parses: no loops, no calls, no attributes, no arithmetic, so a text costs no more than
its length. What it makes is plain text, which the mail's own template escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
    return _environment().from_string(source).render(values)


def paragraphs(text: str) -> list[str]:
    """A text as paragraphs: an empty line begins a new one."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


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
