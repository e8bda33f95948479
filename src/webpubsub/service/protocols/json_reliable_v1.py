"""``json.reliable.webpubsub.azure.v1``: the JSON subprotocol with numbered messages.

Source: client spec, section 4.
"""

from __future__ import annotations

from functools import lru_cache

from webpubsub.service.frames import text_header
from webpubsub.service.messages import Message
from webpubsub.service.numbered import Numbered
from webpubsub.service.protocols.json_v1 import JsonCodec, message_members


class ReliableJsonCodec(JsonCodec):
    """The codec of ``json.reliable.webpubsub.azure.v1``."""

    is_reliable = True

    def message(self, message: Message) -> Numbered:
        """Return a message whose last member is ``sequenceId``."""
        body = message_members(message) + b',"sequenceId":'
        return Numbered(lambda size: text_header(len(body) + size) + body, _tail)


@lru_cache(16_384)  # of the connections of a group, many need the same
def _tail(sequence_id: int) -> bytes:
    return b"%d}" % sequence_id
