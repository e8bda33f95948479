"""What clients of the protobuf subprotocols write and read, as classes of google's protobuf library.

Needs ``pip install "webpubsub[server]"``. Their fields are those of ``webpubsub.proto``.

Example:
    >>> request = UpstreamMessage()
    >>> request.join_group_message.group = "room"
    >>> request.SerializeToString().hex(" ")
    '32 06 0a 04 72 6f 6f 6d'
"""

from __future__ import annotations

from typing import Any, Final

from webpubsub.service.protocols.proto_file import message_class

__all__ = ["DownstreamMessage", "UpstreamMessage"]

UpstreamMessage: Final[Any] = message_class("UpstreamMessage")
"""From a client to the service."""
DownstreamMessage: Final[Any] = message_class("DownstreamMessage")
"""From the service to a client."""
