"""What is wrong with a filter, while it is not known yet in which words to say it."""

from __future__ import annotations

from typing import Final

TOO_DEEP: Final = "Recursion depth exceeded allowed limit."


class InvalidFilter(Exception):
    """A filter that cannot be used; leaves this package as `RestError`.

    Attributes:
        detail: What is wrong.
        part: The part of the filter it is wrong with; None for a problem whose part is the nearest
            operator or function around it, or else the whole filter.
    """

    def __init__(self, detail: str, part: str | None = None) -> None:
        super().__init__(detail, part)
        self.detail = detail
        self.part = part


def unsupported(token: str) -> InvalidFilter:
    """Return the problem of something the language does not have."""
    return InvalidFilter(f"Token '{token}' is not supported.")
