"""``protobuf.reliable.webpubsub.azure.v1``: the protobuf subprotocol with numbered messages.

Source: client spec, sections 4 and 5.
"""

from __future__ import annotations

from functools import lru_cache

from webpubsub.model.protobuf import bytes_head, varint_field
from webpubsub.service.frames import binary_header
from webpubsub.service.messages import Message
from webpubsub.service.numbered import Numbered
from webpubsub.service.protocols.protobuf_v1 import DATA_MESSAGE, ProtobufCodec, data_members

_SEQUENCE_ID = 4


class ReliableProtobufCodec(ProtobufCodec):
    """The codec of ``protobuf.reliable.webpubsub.azure.v1``."""

    is_reliable = True

    def message(self, message: Message) -> Numbered:
        """Return a message whose last field is ``sequence_id``."""
        members = data_members(message)

        def lead(size: int) -> bytes:
            body = bytes_head(DATA_MESSAGE, len(members) + size) + members
            return binary_header(len(body) + size) + body

        return Numbered(lead, _tail)


@lru_cache(16_384)  # of the connections of a group, many need the same
def _tail(sequence_id: int) -> bytes:
    return varint_field(_SEQUENCE_ID, sequence_id)
