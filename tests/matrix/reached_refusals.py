"""Which refusals a function can reach: read from the bodies and triggers in the catalogue.

A function refuses with what its body hands to `private.fail` and its kin, with what the functions
refuse that it calls, and with what triggers refuse of the tables that it writes, unless a handler
of its own catches that. This is read from the text, so it sees every way that the text offers, also
one that no data takes: those few are stated by hand (`Exclusion`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

from client import Connection

#: Each code, and a way to it: the functions from the one that raises it to the one that is asked.
Ways = dict[str, tuple[str, ...]]

_COMMENT = re.compile(r"--.*")
_CALL = re.compile(r"\b((?:private|public|service)\.\w+)\s*\(")
_REFUSAL = re.compile(r"\bprivate\.(?:fail|refusal)\(")
_CODE = re.compile(r"'([a-z]+(?:_[a-z]+)*)'")
_STATUS = re.compile(r"\s*(\d{3})\b")
#: private.fail_with_retry raises what PostgREST sends with headers: the body in the message.
_WITH_HEADERS = re.compile(r"'code', 'PT(\d{3})',\s*'message', '(\w+)'")
_WRITE = re.compile(
    r"\b(?:(?P<insert>insert\s+into)|(?P<update>update)|(?P<delete>delete\s+from))"
    r"\s+(?P<table>(?:public|private)\.\w+)(?P<rest>[^;]*)",
    re.IGNORECASE,
)
_UPSERT = "do update"
_WORD = re.compile(r"^\s*(begin|exception|end|end if|end loop|end case)\b\s*;?\s*$", re.MULTILINE)
_AFTER_ASSIGNMENTS = re.compile(r"\b(?:where|from|returning)\b", re.IGNORECASE)
_CAUGHT_STATUS = re.compile(r"sqlstate 'PT(\d{3})'")

_EVENTS = {"insert": 4, "delete": 8, "update": 16}


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What text alone cannot say: refusals of a function that never come through a caller.

    Attributes:
        callee: A helper, or a trigger's function.
        reason: Why they do not come through.
        callers: Who never hears of them; empty: everybody but those of `only`.
        codes: Which of its refusals, as patterns; empty: all.
        only: Who does hear of them, if nobody else does.
    """

    callee: str
    reason: str
    callers: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def keeps(self, caller: str, callee: str, code: str) -> bool:
        """Whether it keeps a code of the callee from the caller."""
        concerned = caller in self.callers if self.callers else caller not in self.only
        return (
            callee == self.callee
            and concerned
            and (not self.codes or any(fnmatchcase(code, pattern) for pattern in self.codes))
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger of a table.

    Attributes:
        table: With its schema.
        events: PostgreSQL's bits (`pg_trigger.tgtype`).
        columns: If it is only for updates of these.
        function: What it runs.
    """

    table: str
    events: int
    columns: frozenset[str]
    function: str

    def hears(self, event: str, table: str, assignments: str) -> bool:
        """Whether a statement fires it; `assignments` is what follows `set` in its text."""
        return (
            table == self.table
            and bool(self.events & _EVENTS[event])
            and (event != "update" or not self.columns or self._is_of(assignments))
        )

    def _is_of(self, assignments: str) -> bool:
        return any(re.search(rf"\b{name}\b\s*[=,)]", assignments) for name in self.columns)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a body and the handlers around it.

    Attributes:
        text: Without comments.
        caught: The statuses that do not leave it; `None` stands for all.
    """

    text: str
    caught: frozenset[str | None]

    def lets_out(self, statuses: frozenset[str]) -> bool:
        """Whether a refusal with one of these statuses leaves it."""
        return None not in self.caught and not (statuses and statuses <= self.caught)


def parts_of(body: str) -> list[Part]:
    """A body in parts, each with what the handlers around it catch without raising again."""
    lines = _COMMENT.sub("", body).split("\n")
    caught: list[frozenset[str | None]] = [frozenset()] * len(lines)
    for first, handler, last in _guarded_blocks(lines):
        statuses = _caught_by("\n".join(lines[handler:last]))
        for number in range(first, handler):
            caught[number] |= statuses
    parts: list[Part] = []
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or caught[number] != caught[start]:
            parts.append(Part("\n".join(lines[start:number]), caught[start]))
            start = number
    return parts


def _guarded_blocks(lines: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Lines where a block begins, its handlers begin, and it ends."""
    open_blocks: list[tuple[int, int | None]] = []
    for number, line in enumerate(lines):
        match _WORD.match(line):
            case None:
                pass
            case word if word[1] == "begin":
                open_blocks.append((number, None))
            case word if word[1] == "exception" and open_blocks:
                open_blocks[-1] = (open_blocks[-1][0], number)
            case word if word[1] == "end" and open_blocks:
                first, handler = open_blocks.pop()
                if handler is not None:
                    yield first, handler, number


def _caught_by(handlers: str) -> frozenset[str | None]:
    """Which refusals handlers end for good."""
    if re.search(r"\braise\s*(;|exception\b)|\bprivate\.(fail|refus)", handlers):
        return frozenset()
    statuses: set[str | None] = set(_CAUGHT_STATUS.findall(handlers))
    return frozenset(statuses | ({None} if re.search(r"\bwhen others\b", handlers) else set()))


@dataclass(frozen=True)
class Catalogue:
    """The product's functions and triggers.

    Attributes:
        bodies: By the function's name.
        triggers: All.
        exclusions: What is known beside the text.
    """

    bodies: Mapping[str, str]
    triggers: Sequence[Trigger]
    exclusions: Sequence[Exclusion] = ()

    @classmethod
    def read(cls, connection: Connection, exclusions: Sequence[Exclusion]) -> Catalogue:
        """That of a database."""
        bodies = connection.execute(
            """
            select n.nspname || '.' || p.proname, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)
            from pg_catalog.pg_proc as p
            join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
            where n.nspname in ('public', 'private', 'service')
            """
        ).fetchall()
        triggers = connection.execute(
            """
            select
              n.nspname || '.' || c.relname, t.tgtype,
              array(
                select a.attname from pg_catalog.pg_attribute as a
                where a.attrelid = c.oid and a.attnum = any (t.tgattr)
              ),
              p.pronamespace::regnamespace || '.' || p.proname
            from pg_catalog.pg_trigger as t
            join pg_catalog.pg_class as c on c.oid = t.tgrelid
            join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
            join pg_catalog.pg_proc as p on p.oid = t.tgfoid
            where n.nspname in ('public', 'private') and not t.tgisinternal
            """
        ).fetchall()
        return cls(
            dict(bodies),
            [Trigger(table, kind, frozenset(of), name) for table, kind, of, name in triggers],
            exclusions,
        )

    @cached_property
    def ways(self) -> Mapping[str, Ways]:
        """What each function can refuse with, and one way on which it does."""
        found: dict[str, Ways] = {
            name: dict.fromkeys(codes, (name,)) for name, codes in self._own.items()
        }
        changed = set(self.bodies)
        while changed:
            changed = {name for name in self.bodies if self._hear(found, name, changed)}
        return found

    def unknown_names(self) -> set[str]:
        """Names in the exclusions that are no functions."""
        named = {
            name
            for exclusion in self.exclusions
            for name in (exclusion.callee, *exclusion.callers, *exclusion.only)
        }
        return named - self.bodies.keys()

    def needless(self) -> list[Exclusion]:
        """Exclusions without which nothing else would be reached."""
        return [
            exclusion
            for exclusion in self.exclusions
            if self._with([e for e in self.exclusions if e is not exclusion]).codes == self.codes
        ]

    def _with(self, exclusions: Sequence[Exclusion]) -> Catalogue:
        """The same with other exclusions; what was read from the texts need not be read again."""
        other = Catalogue(self.bodies, self.triggers, exclusions)
        other.__dict__.update(statuses=self.statuses, _own=self._own, _calls=self._calls)
        return other

    @cached_property
    def codes(self) -> Mapping[str, frozenset[str]]:
        """What each function can refuse with."""
        return {name: frozenset(ways) for name, ways in self.ways.items()}

    def _hear(self, found: dict[str, Ways], name: str, changed: set[str]) -> bool:
        """Add what a function hears from those that changed; whether it is more than before."""
        before = len(found[name])
        for part, callees in self._calls[name]:
            for callee in callees & changed:
                for code, way in list(found[callee].items()):
                    if (
                        code not in found[name]
                        and part.lets_out(self.statuses[code])
                        and not any(e.keeps(name, callee, code) for e in self.exclusions)
                    ):
                        found[name][code] = (*way, name)
        return len(found[name]) > before

    @cached_property
    def _parts(self) -> Mapping[str, list[Part]]:
        return {name: parts_of(body) for name, body in self.bodies.items()}

    @cached_property
    def _own(self) -> Mapping[str, set[str]]:
        """The codes that each body hands out itself."""
        return {
            name: {
                code
                for part in parts
                for code, status in refusals_in(part.text)
                if part.lets_out(frozenset({status} - {""}))
            }
            for name, parts in self._parts.items()
        }

    @cached_property
    def statuses(self) -> Mapping[str, frozenset[str]]:
        """The statuses that each code comes with; none where one is not written out."""
        statuses: dict[str, set[str]] = defaultdict(set)
        for body in self.bodies.values():
            for code, status in refusals_in(_COMMENT.sub("", body)):
                statuses[code].add(status)
        return {code: frozenset(s if "" not in s else ()) for code, s in statuses.items()}

    @cached_property
    def _calls(self) -> Mapping[str, list[tuple[Part, set[str]]]]:
        return {
            name: [(part, set(self._called(part.text)) - {name}) for part in parts]
            for name, parts in self._parts.items()
        }

    def _called(self, text: str) -> Iterator[str]:
        """The functions that a text calls or whose triggers it fires."""
        yield from (name for name in _CALL.findall(text) if name in self.bodies)
        for write in _WRITE.finditer(text):
            event = next(event for event in _EVENTS if write[event])
            yield from self._fired(event, write["table"], write["rest"])
            if event == "insert" and _UPSERT in write["rest"]:
                yield from self._fired("update", write["table"], write["rest"].split(_UPSERT)[1])

    def _fired(self, event: str, table: str, rest: str) -> Iterator[str]:
        set_to = assignments_in(rest)
        yield from (t.function for t in self.triggers if t.hears(event, table, set_to))


def refusals_in(text: str) -> Iterator[tuple[str, str]]:
    """Code and status of each refusal that a text hands out; no status: it is computed."""
    for status, code in _WITH_HEADERS.findall(text):
        yield code, status
    for call in _REFUSAL.finditer(text):
        end = _end_of_argument(text, call.end())
        status = _STATUS.match(text, end + 1)
        for code in _CODE.findall(text[call.end() : end]):
            yield code, status[1] if status else ""


def assignments_in(rest: str) -> str:
    """The assignments of an update, from what follows its table: up to its own `where`."""
    depths = list(_depths(rest))
    ends = (m.start() for m in _AFTER_ASSIGNMENTS.finditer(rest) if depths[m.start()] <= 0)
    return rest[: next(ends, len(rest))]


def _depths(text: str) -> Iterator[int]:
    """In how many brackets each character stands."""
    depth = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        yield depth


def _end_of_argument(text: str, start: int) -> int:
    """Where the argument of a call ends that begins there."""
    depth, quoted = 0, False
    for at in range(start, len(text)):
        character = text[at]
        if character == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([":
            depth += 1
        elif character in ")]" and depth:
            depth -= 1
        elif character in ")," and depth == 0:
            return at
    return len(text)
