"""What a client's request does: permissions, acks, publishing, events.

Requests of one connection are taken in the order in which they arrive, one at a time. A user event
first goes to its handler, so it comes out as a `Raise`; `complete_event` finishes it. Frames for others
are delivered before the ack of the request that caused them, and an event's reply before its ack.

Source: client spec, sections 3.4 to 3.6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.metadata import NO_METADATA, Metadata, build_metadata_headers
from webpubsub.model.names import EventName
from webpubsub.model.payload import EMPTY_TEXT, Payload
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.effects import Close, Deliver, Effects, Fail, Part, Raise
from webpubsub.service.hub.hub import Hub
from webpubsub.service.protocols.frames import pong_frame
from webpubsub.service.protocols.messages import (
    AckError,
    ClientMessage,
    Goodbye,
    JoinGroup,
    LeaveGroup,
    Malformed,
    Message,
    Ping,
    PingFrame,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)

JOIN: Final = WebPubSubPermission.JOIN_LEAVE_GROUP
SEND: Final = WebPubSubPermission.SEND_TO_GROUP
REMEMBERED_ACKS: Final = 1000

_INTERNAL_ERROR: Final = AckError("InternalServerError", "Internal server error")


def take_request(hub: Hub, connection: Connection, request: ClientMessage) -> Effects:
    """Do what a client asks for."""
    return _TAKE[type(request)](hub, connection, request)


def _join(hub: Hub, connection: Connection, request: JoinGroup) -> Effects:
    refusal = _refusal(connection, request.ack_id, JOIN, request.group, "join")
    if refusal is not None:
        return refusal
    hub.join(connection, request.group)
    return _success(connection, request.ack_id)


def _leave(hub: Hub, connection: Connection, request: LeaveGroup) -> Effects:
    refusal = _refusal(connection, request.ack_id, JOIN, request.group, "leave")
    if refusal is not None:
        return refusal
    hub.leave(connection, request.group)
    return _success(connection, request.ack_id)


def _send(hub: Hub, connection: Connection, request: SendToGroup) -> Effects:
    refusal = _refusal(connection, request.ack_id, SEND, request.group, "send to")
    if refusal is not None:
        return refusal
    message = Message(
        request.payload, request.group, connection.user_id, request.ttl_seconds, request.metadata
    )
    effects = hub.publish(hub.groups.get(request.group), message, (connection.id,) if request.no_echo else ())
    return effects + _success(connection, request.ack_id)


def _raise(_hub: Hub, connection: Connection, request: RaiseEvent) -> Effects:
    if request.ack_id is not None and connection.acks is not None and request.ack_id in connection.acks:
        return _ack(connection, request.ack_id, _duplicate(request.ack_id))
    event_id, connection.events = connection.events, connection.events + 1
    context = event_context(connection, WebPubSubEventType.USER, request.event, event_id, request.metadata)
    return [Raise(UserEventRequest(context, request.payload), request)]


def _ping(_hub: Hub, connection: Connection, _request: Ping) -> Effects:
    pong = connection.codec.pong()
    return [] if pong is None else [Deliver(pong, (connection,))]


def _ping_frame(_hub: Hub, connection: Connection, request: PingFrame) -> Effects:
    # By delivery, which cuts off those who send pings and never read the pongs.
    return [Deliver(pong_frame(request.body), (connection,))]


def _goodbye(_hub: Hub, connection: Connection, request: Goodbye) -> Effects:
    return [Part(connection, request)]


def _malformed(_hub: Hub, connection: Connection, request: Malformed) -> Effects:
    return [Fail(connection, request)]


def _sequence_ack(_hub: Hub, connection: Connection, request: SequenceAck) -> Effects:
    if connection.unacked is not None:  # harmless on a subprotocol that does not number messages
        connection.unacked.release(request.sequence_id)
    return []


_TAKE: Final[dict[type[Any], Callable[[Hub, Connection, Any], Effects]]] = {
    JoinGroup: _join,
    LeaveGroup: _leave,
    SendToGroup: _send,
    RaiseEvent: _raise,
    Ping: _ping,
    SequenceAck: _sequence_ack,
    PingFrame: _ping_frame,
    Goodbye: _goodbye,
    Malformed: _malformed,
}


def event_context(
    connection: Connection,
    event_type: WebPubSubEventType,
    name: str,
    event_id: int,
    metadata: Metadata = NO_METADATA,
) -> WebPubSubConnectionContext:
    """Return the context of an event of this connection."""
    return WebPubSubConnectionContext(
        event_type=event_type,
        event_name=EventName(name),
        hub=connection.hub,
        connection_id=connection.id,
        user_id=connection.user_id,
        states=connection.states,
        headers={name: (value,) for name, value in build_metadata_headers(metadata)} if metadata else {},
        subprotocol=connection.subprotocol,
        event_id=event_id,
    )


def complete_event(connection: Connection, message: RaiseEvent, answer: EventAnswer) -> Effects:
    """Finish a user event that its handler took: states, reply, ack."""
    if answer.state is not None:
        connection.states = ConnectionStates(answer.state)
    effects: Effects = []
    payload, ack_id = _reply(answer), message.ack_id
    if ack_id is not None:
        _remember(connection, ack_id)
    if payload is not None:
        reply = Message(payload, metadata=answer.metadata)
        effects.append(Deliver(connection.codec.message(reply), (connection,)))
    ack = None if ack_id is None else connection.codec.ack(ack_id, None)
    if ack is not None:
        effects.append(Deliver(ack, (connection,)))
    return effects


def _reply(answer: EventAnswer) -> Payload | None:
    response, payload = answer.response, None
    if isinstance(response, UserEventResponse):
        payload = response.data if type(response.data) is Payload else response.payload
    return EMPTY_TEXT if payload is None and answer.metadata else payload


def fail_event(
    connection: Connection, message: RaiseEvent, _refused: EventRefused, *, closes: bool = False
) -> Effects:
    """Finish a user event that failed: an ack if asked for, the end of a simple client.

    Why it failed is for the trace; the client learns only that it did.

    Args:
        connection: Whose event it was.
        message: What the client sent.
        closes: Whether it is the end of any client, see `Compatibility.failed_user_event`.
    """
    effects = _ack(connection, message.ack_id, _INTERNAL_ERROR)
    if closes or connection.codec.closes_on_failure:
        effects.append(Close(connection, 1011, _INTERNAL_ERROR.message, _INTERNAL_ERROR.message))
    return effects


def _refusal(
    connection: Connection, ack_id: int | None, permission: WebPubSubPermission, group: Any, verb: str
) -> Effects | None:
    if ack_id is not None and connection.acks is not None and ack_id in connection.acks:
        return _ack(connection, ack_id, _duplicate(ack_id))
    if connection.permissions.allow(permission, group):
        return None
    text = f"The client does not have permission to {verb} group '{group}'."
    if connection.codec.closes_on_failure:
        return [Close(connection, 1008, text, text)]
    return _ack(connection, ack_id, AckError("Forbidden", text))


def _success(connection: Connection, ack_id: int | None) -> Effects:
    if ack_id is None:
        return []
    _remember(connection, ack_id)
    return _ack(connection, ack_id, None)


def _remember(connection: Connection, ack_id: int) -> None:
    """Remember a success, of whatever kind; a request that failed may be tried again under the same id."""
    if connection.acks is None:  # most clients never ask for acks
        connection.acks = (
            OrderedDict()
        )  # in a plain dict the oldest is looked for behind all that were removed
    connection.acks[ack_id] = None
    if len(connection.acks) > REMEMBERED_ACKS:
        connection.acks.popitem(last=False)


def _ack(connection: Connection, ack_id: int | None, error: AckError | None) -> Effects:
    frame = None if ack_id is None else connection.codec.ack(ack_id, error)
    return [] if frame is None else [Deliver(frame, (connection,))]


def _duplicate(ack_id: int) -> AckError:
    return AckError("Duplicate", f"Message with ack-id: {ack_id} has been processed")
