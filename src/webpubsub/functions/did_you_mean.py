"""Parts of errors about names that are not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "listed"]


def did_you_mean(found: object, names: Iterable[str]) -> str:
    """Return ``"; did you mean '...'?"`` with the nearest of ``names``, or nothing when none is near.

    Example:
        >>> did_you_mean("sendToGrup", ["sendToAll", "sendToGroup"])
        "; did you mean 'sendToGroup'?"
    """
    by_lower_name = {name.lower(): name for name in names}
    near = get_close_matches(str(found).lower(), by_lower_name, n=1)
    return f"; did you mean '{by_lower_name[near[0]]}'?" if near else ""


def listed(names: Iterable[str]) -> str:
    """Return the names in quotes, with commas."""
    return ", ".join(f"'{name}'" for name in names) or "none"
