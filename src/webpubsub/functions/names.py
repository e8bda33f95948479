"""Names in Python and names in the host's JSON."""

from __future__ import annotations


def camel_case(name: str) -> str:
    """Return the camelCase of a snake_case name.

    Example:
        >>> camel_case("connection_id")
        'connectionId'
    """
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
