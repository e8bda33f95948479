"""Names in errors: the nearest of those that are known, lists, and their spelling in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(found: object, names: Iterable[str], nearness: float = 0.6) -> str:
    """Return ``"; did you mean '...'?"`` with the `nearest` of ``names``, or nothing when none is near.

    Example:
        >>> did_you_mean("sendToGrup", ["sendToAll", "sendToGroup"])
        "; did you mean 'sendToGroup'?"
    """
    meant = nearest(found, names, nearness)
    return "" if meant is None else f"; did you mean '{meant}'?"


def nearest(found: object, names: Iterable[str], nearness: float = 0.6) -> str | None:
    """Return the nearest of ``names`` in any case, or None when none is near.

    ``nearness`` is from 0 to 1; more than difflib's own 0.6 is for names that are alike anyway.
    """
    by_lower_name = {name.lower(): name for name in names}
    near = get_close_matches(str(found).lower(), by_lower_name, n=1, cutoff=nearness)
    return by_lower_name[near[0]] if near else None


def listed(names: Iterable[str]) -> str:
    """Return the names in quotes, with commas."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def camel_case(name: str) -> str:
    """Return the camelCase of a snake_case name.

    Example:
        >>> camel_case("connection_id")
        'connectionId'
    """
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest)
