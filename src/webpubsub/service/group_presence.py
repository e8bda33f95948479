"""Which presence events an event handler takes: its ``groupPresenceEvents`` (preview).

Source: service spec, sections D.1 and D.8; an empty list of filters means every group, as in Azure's
management API 2025-08-01-preview.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class GroupPresenceEvents(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Joins and leaves that an event handler wants to hear of.

    Attributes:
        event_names: ``joined``, ``left``, or both; with none it hears nothing.
        group_filters: Names of groups, with their case; one that ends in ``*`` is the start of names.
            Without any it hears of all groups.

    Example:
        >>> rooms = GroupPresenceEvents(("joined",), ("lobby", "room-*"))
        >>> rooms.takes("joined", "room-1"), rooms.takes("joined", "lobby2"), rooms.takes("left", "lobby")
        (True, False, False)
    """

    event_names: tuple[Literal["joined", "left"], ...]
    group_filters: tuple[str, ...] | None = None

    def takes(self, name: str, group: str) -> bool:
        """Whether the handler takes an event of a group."""
        if name not in self.event_names:
            return False
        filters = self.group_filters
        return not filters or any(
            group.startswith(found[:-1]) if found.endswith("*") else group == found for found in filters
        )
