r"""Patterns of group names, as roles have them.

``?`` is one character and ``*`` any number of them, but not a dot; two or more ``*`` are any number of any
characters; ``\`` takes ``*``, ``?`` and ``\`` as they are. A pattern is matched with the whole name, and
with its case.

All states of the match are the bits of one integer, so that a name costs its length and no pattern can be
made to take longer: clients choose the names.

Source: service spec, section B.6; client spec, section 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from webpubsub.model.errors import InvalidName
from webpubsub.model.names import MAX_GROUP_LENGTH, GroupName

MAX_ASTERISKS: Final = 5

_TOKEN: Final = re.compile(r"\\[*?\\]|\*+|[^\\]", re.DOTALL)
_PATTERN: Final = re.compile(rf"(?:{_TOKEN.pattern})+", re.DOTALL)


def parse_pattern(text: str) -> GroupName | Callable[[str], bool]:
    r"""Return what tells whether a group's name fits; without wildcards, the only name that does.

    Raises:
        InvalidName: It is empty or longer than 1,024 characters, has more than 5 runs of asterisks, or a
            backslash before anything but ``*``, ``?`` and ``\``.

    Example:
        >>> matches = parse_pattern("room.*")
        >>> matches("room.chess"), matches("room.chess.1"), matches("Room.chess")
        (True, False, False)
        >>> parse_pattern(r"50\*2")
        '50*2'
    """
    if not text.strip() or len(text) > MAX_GROUP_LENGTH or not _PATTERN.fullmatch(text):
        raise InvalidName("pattern", text, r"1 to 1024 characters, and a backslash only before *, ? or \ ")
    tokens = _TOKEN.findall(text)
    if sum(token[0] == "*" for token in tokens) > MAX_ASTERISKS:
        raise InvalidName("pattern", text, f"at most {MAX_ASTERISKS} asterisks")
    if not any(token[0] in "*?" for token in tokens):
        return GroupName("".join(token[-1] for token in tokens))
    return _Matcher(tokens)


class _Matcher:
    """Bit ``n`` of a state: the first ``n`` tokens match what was read so far."""

    __slots__ = ("_accepts", "_accepts_any", "_end", "_loops", "_loops_any", "_stars")

    def __init__(self, tokens: list[str]) -> None:
        self._end = 1 << len(tokens)
        self._accepts: dict[str, int] = {}  # character -> the tokens that are it
        self._accepts_any = 0  # ... that are any character but a dot
        self._loops = self._loops_any = 0  # ... that stay for any character, and for any but a dot
        for at, token in enumerate(tokens):
            if token == "?":
                self._accepts_any |= 1 << at
            elif token[0] == "*":
                self._loops |= (len(token) > 1) << at
                self._loops_any |= 1 << at
            else:
                self._accepts[token[-1]] = self._accepts.get(token[-1], 0) | 1 << at
        self._stars = self._loops_any

    def __call__(self, name: str) -> bool:
        state = 1 | (self._stars & 1) << 1  # a star may stand for nothing
        for character in name:
            accepted, stays = self._accepts.get(character, 0), self._loops
            if character != ".":
                accepted, stays = accepted | self._accepts_any, self._loops_any
            state = (state & accepted) << 1 | state & stays
            state |= (state & self._stars) << 1
        return bool(state & self._end)
