"""The values of events, answers and actions say what they hold."""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

import webpubsub as wps


def connect(request: wps.ConnectEventRequest) -> None:
    assert_type(request.connection_context, wps.WebPubSubConnectionContext)
    assert_type(request.connection_context.event_type, wps.WebPubSubEventType)
    assert_type(request.connection_context.headers, Mapping[str, Sequence[str]])
    assert_type(request.claims, Mapping[str, Sequence[str]])
    assert_type(request.query, Mapping[str, Sequence[str]])
    assert_type(request.subprotocols, Sequence[str])
    assert_type(request.client_certificates, Sequence[wps.ClientCertificate])
    assert_type(request.create_response(user_id="alice", groups=["lobby"]), wps.ConnectEventResponse)
    assert_type(request.create_error_response("unauthorized", "not today"), wps.EventErrorResponse)
    request.create_response(groups=5)  # E: arg-type
    request.create_response(user_name="alice")  # E: call-arg
    request.create_error_response(401)  # E: arg-type
    request.data  # E: attr-defined
    request.subprotocols = ("mine",)  # E: misc


def user(request: wps.UserEventRequest) -> None:
    assert_type(request.data, Any)
    assert_type(request.data_type, wps.WebPubSubDataType)
    assert_type(request.metadata, Mapping[str, str])
    response = request.create_response("hi")
    assert_type(response, wps.UserEventResponse)
    response.set_state("count", 1)
    response.set_state(1, "count")  # E: arg-type
    request.data = "other"  # E: misc


def others(gone: wps.DisconnectedEventRequest, connected: wps.ConnectedEventRequest) -> None:
    assert_type(gone.reason, str)
    connected.reason  # E: attr-defined


def anonymous(request: wps.ConnectedEventRequest, actions: wps.Actions) -> None:
    user_id = request.connection_context.user_id
    actions.add_user_to_group(user_id, "lobby")  # E: arg-type
    if user_id is not None:
        actions.add_user_to_group(user_id, "lobby")


def any_event(request: wps.EventRequest) -> wps.EventResponse:
    if isinstance(request, wps.MqttConnectEventRequest):
        assert_type(request.mqtt, wps.MqttConnectProperties)
    if isinstance(request, wps.UserEventRequest):
        return request.create_response("hi")
    if isinstance(request, wps.ConnectEventRequest):
        return request.create_error_response(wps.WebPubSubErrorCode.UNAUTHORIZED)
    return "hi"  # E: return-value


def context(found: wps.WebPubSubContext) -> None:
    assert_type(found.request, wps.EventRequest | wps.PreflightRequest | None)
    assert_type(found.response, wps.WebPubSubContextResponse)
    assert_type(found.error_message, str | None)


def output(actions: wps.Actions, connection: wps.WebPubSubConnection) -> None:
    assert_type(actions.items, tuple[wps.Action, ...])
    assert_type(connection.url, str)
    actions.send_to_all("hi", excluded=["c1"], filter="userId eq 'a'", message_ttl_seconds=5)
    actions.send_to_group("lobby")  # E: call-arg
    actions.send_to_user("alice", "hi", message_ttl="5")  # E: call-arg
    actions.add(wps.SendToAllAction("hi"), {"actionName": "sendToAll", "data": "hi"})
    actions.add("hi")  # E: arg-type
    actions.shout("hi")  # E: attr-defined
    wps.AddUserToGroupAction("alice")  # E: call-arg
    wps.SendToAllAction("hi", excluded=5)  # E: arg-type
