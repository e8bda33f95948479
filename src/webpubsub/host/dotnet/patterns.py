"""Regular expressions of route constraints, matched in time that grows with the text and no faster.

Python's matcher tries every way through a pattern: ``^(a+)+$`` takes years for thirty characters, and nobody
else is served meanwhile. So only a pattern that has few ways is left to it. For any other all ways are
followed at once, character by character (Thompson's construction)::

    pattern --re's parser--> tree --_Program--> states: a test of a character, of a position, or a fork

A look at what is around is a test of a position, too: where its own pattern may end, read forwards for what
is before, and backwards for what is behind, is found for the whole text beforehand.

Source: Russ Cox, "Regular Expression Matching Can Be Simple And Fast".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

MAX_STATES: Final = 20_000
_FEW_WAYS: Final = 1_000
_MANY: Final = 10**9

_Nodes = Iterable[tuple[Any, Any]]
_Position = Callable[[str, int], bool]

_UNBOUNDED: Final = (
    "it has back references, atomic groups or possessive repeats, which no matcher can promise to be done "
    "with in time: write it without them"
)


def compile_search(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a pattern is found anywhere in a text, in any case.

    Raises:
        re.error: It is no pattern.
        ValueError: It has what cannot be matched in linear time, or repeats too much.
    """
    compiled = re.compile(pattern, re.IGNORECASE)
    tree = _parser.parse(pattern, re.IGNORECASE)
    if _is_quick(list(tree), compiled.flags):
        return lambda text: compiled.search(text) is not None
    program = _Program(tree, compiled.flags)
    return lambda text: any(program.ends(text))


# --- what may be left to Python -----------------------------------------------------------------------


class _Ways(NamedTuple):
    """In how many ways something can match at one position; repeats without end are counted apart."""

    number: int
    endless: int

    def then(self, other: _Ways) -> _Ways:
        return _Ways(min(self.number * other.number, _MANY), self.endless + other.endless)


_ONE_WAY: Final = _Ways(1, 0)
_NO_END_OF_WAYS: Final = _Ways(_MANY, 2)


def _is_quick(nodes: Sequence[tuple[Any, Any]], flags: int) -> bool:
    """Tell whether there are few ways: one repeat without end at most, and that from the start only."""
    is_anchored = bool(nodes) and nodes[0] in _STARTS and not flags & re.MULTILINE
    ways = _ways(nodes)
    return ways.number <= _FEW_WAYS and ways.endless <= is_anchored


def _ways(nodes: _Nodes) -> _Ways:
    found = _ONE_WAY
    for operation, argument in nodes:
        found = found.then(_ways_of(operation, argument))
    return found


def _ways_of(operation: Any, argument: Any) -> _Ways:
    if operation in _CHARACTERS or operation is sre.AT:
        return _ONE_WAY
    if operation is sre.SUBPATTERN:
        return _ways(argument[3])
    if operation is sre.BRANCH:
        ways = [_ways(branch) for branch in argument[1]]
        return _Ways(min(sum(way.number for way in ways), _MANY), sum(way.endless for way in ways))
    if operation in _LOOKS:
        return _ways(argument[1])
    if operation is sre.GROUPREF:
        return _Ways(1, 1)  # what it repeats may be long
    if operation in _REPEATS:
        least, most, body = argument
        if most is sre.MAXREPEAT or most > _FEW_WAYS:
            return _Ways(1, 1) if _is_character(body) else _NO_END_OF_WAYS
        inner = _ways(body)
        if inner.endless:
            return inner if most <= 1 else _NO_END_OF_WAYS
        return _Ways(min(sum(inner.number**times for times in range(least, most + 1)), _MANY), 0)
    return _NO_END_OF_WAYS


def _is_character(body: Sequence[tuple[Any, Any]]) -> bool:
    return len(body) == 1 and body[0][0] in _CHARACTERS


# --- all ways at once ---------------------------------------------------------------------------------


class _State(NamedTuple):
    """One step; without tests a fork, which goes on at once.

    Attributes:
        takes: Whether it takes a character.
        holds: Whether one may pass at a position.
        next: The states behind it.
    """

    takes: Callable[[str], bool] | None
    holds: _Position | None
    next: tuple[int, ...]


class _Program:
    """A pattern as states; the first one accepts."""

    def __init__(self, tree: _Nodes, flags: int, *, backwards: bool = False) -> None:
        self._backwards = backwards
        self._states = [_State(None, None, ())]
        self._looks: list[_Look] = []
        self._start = self._sequence(tree, flags, 0)

    def ends(self, text: str) -> list[bool]:
        """Return for each position whether a match that began anywhere ends there."""
        for look in self._looks:
            look.prepare(text)
        found = [False] * (len(text) + 1)
        alive: set[int] = set()
        order = range(len(text), -1, -1) if self._backwards else range(len(text) + 1)
        for at in order:
            reached = self._reached(alive, text, at)
            found[at] = 0 in reached
            char = text[at - 1 : at] if self._backwards else text[at : at + 1]
            alive = {
                state.next[0]
                for number in reached
                if (state := self._states[number]).takes is not None and char and state.takes(char)
            }
        return found

    def _reached(self, alive: Iterable[int], text: str, at: int) -> set[int]:
        """Return the states that one is in without another character; a match may begin here, too."""
        reached: set[int] = set()
        waiting = [*alive, self._start]
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._states[number]
            if state.takes is None and (state.holds is None or state.holds(text, at)):
                waiting.extend(state.next)
        return reached

    def _add(self, state: _State) -> int:
        if len(self._states) >= MAX_STATES:
            raise ValueError("it repeats too much")
        self._states.append(state)
        return len(self._states) - 1

    def _sequence(self, nodes: _Nodes, flags: int, then: int) -> int:
        """Add states for the nodes, from the last one read to the first; return the first state."""
        in_order = list(nodes)
        for operation, argument in in_order if self._backwards else reversed(in_order):
            then = self._node(operation, argument, flags, then)
        return then

    def _node(self, operation: Any, argument: Any, flags: int, then: int) -> int:
        if operation in _CHARACTERS:
            return self._add(_State(_character_test(operation, argument, flags), None, (then,)))
        if operation is sre.AT:
            return self._add(_State(None, _position_test(argument, flags), (then,)))
        if operation is sre.SUBPATTERN:
            _, added, removed, body = argument
            return self._sequence(body, (flags | added) & ~removed, then)
        if operation is sre.BRANCH:
            return self._fork(*[self._sequence(branch, flags, then) for branch in argument[1]])
        if operation in _REPEATS:
            least, most, body = argument
            return self._repeat(least, most, body, flags, then)
        if operation in _LOOKS:
            direction, body = argument
            look = _Look(_Program(body, flags, backwards=direction > 0), operation is sre.ASSERT)
            self._looks.append(look)
            return self._add(_State(None, look.holds, (then,)))
        if operation is sre.FAILURE:
            return self._fork()
        raise ValueError(_UNBOUNDED)

    def _fork(self, *following: int) -> int:
        return self._add(_State(None, None, following))

    def _repeat(self, least: int, most: Any, body: _Nodes, flags: int, then: int) -> int:
        if most is sre.MAXREPEAT:
            loop = self._fork()
            self._states[loop] = _State(None, None, (self._sequence(body, flags, loop), then))
            then = loop
        else:
            end = then
            for _ in range(most - least):
                then = self._fork(self._sequence(body, flags, then), end)
        for _ in range(least):
            then = self._sequence(body, flags, then)
        return then


class _Look:
    """What must be before or behind a position, or must not."""

    def __init__(self, program: _Program, wanted: bool) -> None:
        self._program = program
        self._wanted = wanted
        self._found: list[bool] = []

    def prepare(self, text: str) -> None:
        """Find the positions where it is so."""
        self._found = self._program.ends(text)

    def holds(self, _: str, at: int) -> bool:
        return self._found[at] is self._wanted


# --- characters and positions -------------------------------------------------------------------------

_CHARACTERS: Final = {sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN}
_REPEATS: Final = {sre.MAX_REPEAT, sre.MIN_REPEAT}
_LOOKS: Final = {sre.ASSERT, sre.ASSERT_NOT}
_STARTS: Final = {(sre.AT, sre.AT_BEGINNING), (sre.AT, sre.AT_BEGINNING_STRING)}

_CATEGORIES: Final[dict[Any, tuple[str, bool]]] = {
    sre.CATEGORY_DIGIT: (r"\d", True),
    sre.CATEGORY_NOT_DIGIT: (r"\d", False),
    sre.CATEGORY_SPACE: (r"\s", True),
    sre.CATEGORY_NOT_SPACE: (r"\s", False),
    sre.CATEGORY_WORD: (r"\w", True),
    sre.CATEGORY_NOT_WORD: (r"\w", False),
}


def _character_test(operation: Any, argument: Any, flags: int) -> Callable[[str], bool]:
    items: list[tuple[Any, Any]] = {
        sre.LITERAL: [(sre.LITERAL, argument)],
        sre.NOT_LITERAL: [(sre.NEGATE, None), (sre.LITERAL, argument)],
        sre.ANY: [(sre.NEGATE, None)] if flags & re.DOTALL else [(sre.NEGATE, None), (sre.LITERAL, 10)],
        sre.IN: argument,
    }[operation]
    wanted = items[0][0] is not sre.NEGATE
    tests = [_item_test(*item, flags) for item in items if item[0] is not sre.NEGATE]

    @lru_cache(maxsize=256)
    def takes(char: str) -> bool:
        return any(test(char) for test in tests) is wanted

    return takes


def _item_test(operation: Any, argument: Any, flags: int) -> Callable[[str], bool]:
    """Let Python say what a set's item means; of one character there are no ways to try."""
    if operation is sre.CATEGORY:
        shown, wanted = _CATEGORIES[argument]
        compiled = re.compile(shown, flags & re.ASCII)
        return lambda char: (compiled.fullmatch(char) is not None) is wanted
    low, high = (argument, argument) if operation is sre.LITERAL else argument
    compiled = re.compile(f"[\\U{low:08x}-\\U{high:08x}]", flags & (re.IGNORECASE | re.ASCII))
    return lambda char: compiled.fullmatch(char) is not None


def _position_test(code: Any, flags: int) -> _Position:
    shown = {
        sre.AT_BEGINNING: "^",
        sre.AT_BEGINNING_STRING: r"\A",
        sre.AT_END: "$",
        sre.AT_END_STRING: r"\Z",
        sre.AT_BOUNDARY: r"\b",
        sre.AT_NON_BOUNDARY: r"\B",
    }[code]
    compiled = re.compile(shown, flags & (re.MULTILINE | re.ASCII))
    return lambda text, at: compiled.match(text, at) is not None
