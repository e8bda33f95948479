"""Requests of the REST API that change nothing: questions about a hub, and tokens for its clients.

Source: service spec, sections A.4, A.6 and B.4.
"""

from __future__ import annotations

import msgspec

from webpubsub.model.connection_string import ClientProtocol


class ConnectionExists(msgspec.Struct, frozen=True):
    """Is there such a connection?"""

    connection_id: str


class GroupExists(msgspec.Struct, frozen=True):
    """Does the group have a connection?"""

    group: str


class UserExists(msgspec.Struct, frozen=True):
    """Does the user have a connection?"""

    user_id: str


class PermissionExists(msgspec.Struct, frozen=True):
    """May the connection do this to the group ``target_name``?"""

    connection_id: str
    permission: str
    target_name: str


class ListConnections(msgspec.Struct, frozen=True):
    """Which connections are in the group?

    Attributes:
        group: The group.
        maxpagesize: How many of them one answer has, 1 to 200; None is 200.
        top: How many of them all answers together have; None is all.
        continuation_token: Where the next page begins, as the page before said.
    """

    group: str
    maxpagesize: int | None = None
    top: int | None = None
    continuation_token: str | None = None


class GenerateClientToken(msgspec.Struct, frozen=True):
    """Make a client access token, valid for ``minutes_to_expire`` minutes."""

    user_id: str | None = None
    role: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    minutes_to_expire: int = 60
    client_type: ClientProtocol = ClientProtocol.DEFAULT
