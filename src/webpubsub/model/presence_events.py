"""Requests of the presence events (preview): who joins and leaves a group.

The service writes them. Functions receive them as user events of that name with the data
``{"group": "..."}``, as the extension knows no other kind; the header ``ce-type`` tells them from a client's.

Source: service spec, section D.8; extension spec, section 3.9.
"""

from __future__ import annotations

from webpubsub.model.events import EventRequest
from webpubsub.model.names import GroupName


class PresenceEventRequest(EventRequest, frozen=True):
    """A group has gained or lost a connection, a system event of it. Nobody waits for an answer.

    Attributes:
        group: Which.
    """

    group: GroupName


class GroupJoinedEventRequest(PresenceEventRequest, frozen=True):
    """A connection has joined a group."""


class GroupLeftEventRequest(PresenceEventRequest, frozen=True):
    """A connection has left a group, or has ended as a member of it."""
