"""How a value becomes text for a log or a terminal, whoever chose it.

Clients and callers choose names, filters and headers. None of that may begin a line of its own, move a
cursor, turn the text around, fill a disk, or keep a line from being written: unprintable characters are
escaped as Python writes them, what is long is cut and says so, and a value that cannot show itself is named.

Unprintable is what Unicode says of control characters, line and paragraph separators, invisible and
bidirectional format characters, and lone surrogates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

MAX_FACT: Final = 1_000
"""Characters of a name, a header or another value."""
MAX_TEXT: Final = 8_000
"""Characters of a sentence, such as the text of an error."""
MAX_LINES: Final = 32_000
"""Characters of what may have several lines, such as a traceback."""

_MAX_ITEMS: Final = 100
_MAX_DEPTH: Final = 5
_MAX_INT: Final = 2**63
_INDENT: Final = "  "


def text_of(value: object, show: Callable[[Any], str] = str) -> str:
    """Return the text of any value, even of one that cannot make it."""
    try:
        return str.__str__(show(value))
    except BaseException as error:  # noqa: BLE001 - whatever a value of others raises, the line is written
        return f"<{type(value).__name__} without text: {type(error).__name__}>"


def shorten(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of a text, and how many more it has.

    Example:
        >>> shorten("abcdef", 4)
        'abcd... (2 characters more)'
    """
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}... ({left_out} characters more)"


def escape(text: str) -> str:
    r"""Return a text with its unprintable characters escaped.

    Example:
        >>> escape("a\n\x1b[2J\u2028b")
        'a\\n\\x1b[2J\\u2028b'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def fact(value: object) -> str:
    """Return a value of one line; where something had to be escaped, in quotes."""
    text = shorten(text_of(value), MAX_FACT)
    return text if text.isprintable() else repr(text)


def sentence(value: object) -> str:
    """Return a text of one line."""
    return escape(shorten(text_of(value), MAX_TEXT))


def paragraph(value: object) -> str:
    """Return a text that may have several lines, all but the first of them indented, as none is a new one.

    See `cut_lines` for a long one.
    """
    first, *others = cut_lines(text_of(value)).rstrip("\n").split("\n")
    indented = (line if line.startswith(_INDENT) else f"{_INDENT}{line}" for line in others)
    return "\n".join(map(escape, (first, *indented)))


def cut_lines(text: str) -> str:
    """Return at most `MAX_LINES` characters, of a long text its end, too.

    There a traceback says what was raised.
    """
    if len(text) <= MAX_LINES:
        return text
    return f"{shorten(text[:-MAX_TEXT], MAX_LINES - MAX_TEXT)}\n{text[-MAX_TEXT:]}"


def as_json(value: Any, depth: int = 0) -> Any:
    """Return a value that has a JSON form: what is long is cut, and what has no form is text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_MAX_INT <= value < _MAX_INT:
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return encodable(shorten(text_of(value), MAX_TEXT))
    if depth < _MAX_DEPTH:
        try:
            if isinstance(value, Mapping):
                items = list(value.items())[:_MAX_ITEMS]
                return {encodable(fact(name)): as_json(item, depth + 1) for name, item in items}
            if isinstance(value, list | tuple | set | frozenset):
                return [as_json(item, depth + 1) for item in list(value)[:_MAX_ITEMS]]
        except BaseException as error:  # noqa: BLE001 - see `text_of`
            return f"<{type(value).__name__} without members: {type(error).__name__}>"
    return encodable(shorten(text_of(value, repr), MAX_FACT))


def escape_json(text: str) -> str:
    """Return JSON whose unprintable characters, which stand in its strings, are escaped as JSON does."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _json_escape(char) for char in text)


def _json_escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def encodable(text: str) -> str:
    """Return a text that has a UTF-8 form: lone surrogates are escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
