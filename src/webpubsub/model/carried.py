"""The one rule for values that travel in a header: what arrives is what was sent, or it is not taken at all.

HTTP takes blanks at the ends of a value away, control characters end a header or are refused on the way, and
servers take only so much of a head. So a value is looked at where it comes in, with a token, an answer, a
message or a setting: there it can be told to whoever gave it, while later it would fail with every event.

Source: RFC 9110, section 5.5; webpubsub's own servers take 64 KiB of headers.
"""

from __future__ import annotations

import re
from typing import Final

MAX_USER_ID_BYTES: Final = 4 * 1024
MAX_STATE_BYTES: Final = 48 * 1024
"""Of a connection's state; with all other headers of an event it fits into the head that a server takes."""

_BLANKS: Final = " \t"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab


def carry_problem(value: str, *, limit: int | None = None, ascii_only: bool = True) -> str | None:
    """Return why a value cannot travel in a header as it is, or None.

    Args:
        value: The value.
        limit: How many bytes it may have.
        ascii_only: Else it may be any text, and travels as UTF-8.

    Example:
        >>> carry_problem(" admin")
        'it has a blank at its start or end, which HTTP takes away'
    """
    if not value.isascii():
        if ascii_only:
            return "it has a character that is not ASCII"
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            return "it has half of a character, which has no UTF-8 form"
    else:
        size = len(value)
    if value and (value[0] in _BLANKS or value[-1] in _BLANKS):
        return "it has a blank at its start or end, which HTTP takes away"
    if not value.isprintable() and _CONTROL.search(value):
        return "it has a control character"
    if limit is not None and size > limit:
        return f"it has {size} bytes: at most {limit} are taken"
    return None


def user_id_problem(user_id: str) -> str | None:
    """Return why events of a user could not say who that is, or None."""
    return carry_problem(user_id, limit=MAX_USER_ID_BYTES, ascii_only=False)
