"""What clients of the protobuf subprotocols write: bytes -> request.

Source: client spec, sections 5.1 and 5.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from webpubsub.model.errors import InvalidData, InvalidName, ProtocolError
from webpubsub.model.metadata import NO_METADATA, Metadata, check_metadata
from webpubsub.model.names import parse_event_name, parse_group_name
from webpubsub.model.payload import EMPTY_TEXT, Payload, WebPubSubDataType
from webpubsub.model.send_actions import MAX_TTL_SECONDS
from webpubsub.service.protocols.messages import (
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)
from webpubsub.service.protocols.proto_file import message_class


def parse_protobuf_request(body: bytes) -> ClientMessage:
    """Read one message of a client.

    Raises:
        ProtocolError: It is not one of the subprotocol's (1007).

    Example:
        >>> parse_protobuf_request(bytes.fromhex("32 08 0A 04 726F6F6D 10 00"))
        JoinGroup(group='room', ack_id=0)
    """
    upstream, not_valid = _upstream()
    try:
        found = upstream.FromString(body)
        kind = found.WhichOneof("message")
        parse = _PARSERS.get(kind)
        if parse is None:
            raise InvalidData("it is none of the known messages" if kind is None else f"{kind} is not served")
        return parse(getattr(found, kind))
    except not_valid as error:
        raise ProtocolError(
            1007, f"The client message is not a valid protobuf protocol message: {error}"
        ) from error


@cache
def _upstream() -> tuple[Any, tuple[type[Exception], ...]]:
    """The class of what clients write, and what is raised for anything else."""
    from google.protobuf.message import DecodeError

    # The library's own Python parser, used where it has no compiled one, lets UnicodeError through.
    return message_class("UpstreamMessage"), (DecodeError, UnicodeError, InvalidData, InvalidName)


def _join(found: Any) -> ClientMessage:
    return JoinGroup(parse_group_name(found.group), _ack_id(found))


def _leave(found: Any) -> ClientMessage:
    return LeaveGroup(parse_group_name(found.group), _ack_id(found))


def _send(found: Any) -> ClientMessage:
    _refuse_stream(found)
    if found.ttl_seconds > MAX_TTL_SECONDS:
        raise InvalidData(f"ttl_seconds is {found.ttl_seconds}: expected 0 to {MAX_TTL_SECONDS}")
    metadata = _metadata(found)
    return SendToGroup(
        parse_group_name(found.group),
        _payload(found, metadata),
        found.no_echo,
        _ack_id(found),
        found.ttl_seconds,
        metadata,
    )


def _event(found: Any) -> ClientMessage:
    _refuse_stream(found)
    metadata = _metadata(found)
    return RaiseEvent(parse_event_name(found.event), _payload(found, metadata), _ack_id(found), metadata)


_PARSERS: Final[dict[str | None, Callable[[Any], ClientMessage]]] = {
    "send_to_group_message": _send,
    "event_message": _event,
    "join_group_message": _join,
    "leave_group_message": _leave,
    "sequence_ack_message": lambda found: SequenceAck(found.sequence_id),
    "ping_message": lambda _: Ping(),
}


def _ack_id(found: Any) -> int | None:
    return found.ack_id if found.HasField("ack_id") else None


def _refuse_stream(found: Any) -> None:
    if found.HasField("stream"):
        raise InvalidData("'stream' is not served")


def _metadata(found: Any) -> Metadata:
    if not found.metadata:
        return NO_METADATA
    metadata = dict(found.metadata)
    check_metadata(metadata)
    return metadata


def _payload(found: Any, metadata: Metadata) -> Payload:
    kind = found.data.WhichOneof("data")
    if kind is not None:
        return _PAYLOADS[kind](getattr(found.data, kind))
    if metadata:
        return EMPTY_TEXT
    raise InvalidData("it has neither data nor metadata")


def _json(text: str) -> Payload:
    payload = Payload(text.encode(), WebPubSubDataType.JSON)
    payload.check()
    return payload


_PAYLOADS: Final[dict[str, Callable[[Any], Payload]]] = {
    "text_data": lambda text: Payload(text.encode(), WebPubSubDataType.TEXT),
    "binary_data": lambda body: Payload(body, WebPubSubDataType.BINARY),
    "protobuf_data": lambda found: Payload(found.SerializeToString(), WebPubSubDataType.PROTOBUF),
    "json_data": _json,
}
