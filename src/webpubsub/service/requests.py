"""What a client's request does: permissions, acks, publishing, events.

Requests of one connection are taken in the order in which they arrive, one at a time. A user event
first goes to its handler, so it comes out as a `Raise`; `complete_event` finishes it. Frames for others
are delivered before the ack of the request that caused them, and an event's reply before its ack.

Source: client spec, sections 3.4 to 3.6.
"""

from __future__ import annotations

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
from webpubsub.model.names import EventName
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.service.connection import Connection
from webpubsub.service.effects import Close, Deliver, Effects, Raise
from webpubsub.service.hub import Hub
from webpubsub.service.messages import (
    AckError,
    ClientMessage,
    JoinGroup,
    LeaveGroup,
    Message,
    Ping,
    RaiseEvent,
    SendToGroup,
    SequenceAck,
)

__all__ = ["complete_event", "event_context", "fail_event", "take_request"]

JOIN: Final = WebPubSubPermission.JOIN_LEAVE_GROUP
SEND: Final = WebPubSubPermission.SEND_TO_GROUP

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
    effects = hub.publish(
        request.group,
        request.payload,
        from_user_id=connection.user_id,
        excluded=(connection.id,) if request.no_echo else (),
    )
    return effects + _success(connection, request.ack_id)


def _raise(_hub: Hub, connection: Connection, request: RaiseEvent) -> Effects:
    if request.ack_id is not None and request.ack_id in connection.acks:
        return _ack(connection, request.ack_id, _duplicate(request.ack_id))
    context = event_context(connection, WebPubSubEventType.USER, request.event, connection.next_event_id())
    return [Raise(UserEventRequest(context, request.payload), request)]


def _ping(_hub: Hub, connection: Connection, _request: Ping) -> Effects:
    pong = connection.codec.pong()
    return [] if pong is None else [Deliver(pong, (connection,))]


def _sequence_ack(_hub: Hub, _connection: Connection, _request: SequenceAck) -> Effects:
    return []  # harmless on a subprotocol that does not number messages


_TAKE: Final[dict[type[Any], Callable[[Hub, Connection, Any], Effects]]] = {
    JoinGroup: _join,
    LeaveGroup: _leave,
    SendToGroup: _send,
    RaiseEvent: _raise,
    Ping: _ping,
    SequenceAck: _sequence_ack,
}


def event_context(
    connection: Connection, event_type: WebPubSubEventType, name: str, event_id: int
) -> WebPubSubConnectionContext:
    """Return the context of an event of this connection."""
    return WebPubSubConnectionContext(
        event_type=event_type,
        event_name=EventName(name),
        hub=connection.hub,
        connection_id=connection.id,
        user_id=connection.user_id,
        states=ConnectionStates(connection.state),
        subprotocol=connection.subprotocol,
        event_id=event_id,
    )


def complete_event(connection: Connection, message: RaiseEvent, answer: EventAnswer) -> Effects:
    """Finish a user event that its handler took: states, reply, ack."""
    if answer.state is not None:
        connection.state = answer.state
    effects: Effects = []
    if isinstance(answer.response, UserEventResponse) and (payload := answer.response.payload) is not None:
        effects.append(Deliver(connection.codec.message(Message(payload)), (connection,)))
    return effects + _success(connection, message.ack_id)


def fail_event(connection: Connection, message: RaiseEvent, _refused: EventRefused) -> Effects:
    """Finish a user event that failed: an ack if asked for, the end of a simple client.

    Why it failed is for the trace; the client learns only that it did.
    """
    if connection.codec.closes_on_failed_event:
        return [Close(connection, 1011, _INTERNAL_ERROR.message, _INTERNAL_ERROR.message)]
    return _ack(connection, message.ack_id, _INTERNAL_ERROR)


def _refusal(
    connection: Connection, ack_id: int | None, permission: WebPubSubPermission, group: Any, verb: str
) -> Effects | None:
    if ack_id is not None and ack_id in connection.acks:
        return _ack(connection, ack_id, _duplicate(ack_id))
    if connection.permissions.allow(permission, group):
        return None
    text = f"The client does not have permission to {verb} group '{group}'."
    return _ack(connection, ack_id, AckError("Forbidden", text))


def _success(connection: Connection, ack_id: int | None) -> Effects:
    if ack_id is None:
        return []
    connection.acks.add(ack_id)
    return _ack(connection, ack_id, None)


def _ack(connection: Connection, ack_id: int | None, error: AckError | None) -> Effects:
    frame = None if ack_id is None else connection.codec.ack(ack_id, error)
    return [] if frame is None else [Deliver(frame, (connection,))]


def _duplicate(ack_id: int) -> AckError:
    return AckError("Duplicate", f"Message with ack-id: {ack_id} has been processed")
