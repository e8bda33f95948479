"""Functions for clients of MQTT, and for any client."""

from __future__ import annotations

import webpubsub as wps

sessions = wps.Blueprint()


@sessions.web_pubsub_trigger(
    hub="sessions", event_type="system", event_name="connect", client_protocols="mqtt"
)
async def session(
    request: wps.MqttConnectEventRequest,
) -> wps.MqttConnectEventResponse | wps.MqttConnectEventErrorResponse:
    if request.mqtt.protocol_version is wps.MqttProtocolVersion.V311:
        return request.create_v311_error_response(
            wps.MqttV311ConnectReturnCode.UNACCEPTABLE_PROTOCOL_VERSION, "speak 5.0"
        )
    properties = [*request.mqtt.user_properties, ("password", request.mqtt.password or "none")]
    response = request.create_response(request.mqtt.username, ["lobby"], user_properties=properties)
    response.set_state("counter", 1)
    return response


@sessions.web_pubsub_trigger(
    hub="sessions", event_type="user", event_name="publish", client_protocols="mqtt", arg_name="event"
)
def publish(event: wps.UserEventRequest, data: object) -> wps.UserEventResponse | wps.MqttEventErrorResponse:
    if data == "too much":
        return wps.MqttEventErrorResponse(
            wps.MqttV500ConnectReasonCode.QUOTA_EXCEEDED, "enough", {"wait": "1"}
        )
    context = event.connection_context
    assert isinstance(context, wps.MqttConnectionContext)
    (physical_id,) = context.headers["CE-PhysicalConnectionId"]
    assert physical_id == context.physical_connection_id
    return event.create_response(f"{data!r} of {context.session_id} over {physical_id}")


@sessions.web_pubsub_trigger(
    hub="sessions", event_type="system", event_name="disconnected", client_protocols="mqtt"
)
@sessions.web_pubsub_output(hub="sessions")
def ended(request: wps.MqttDisconnectedEventRequest, actions: wps.Actions) -> None:
    packet = request.mqtt.disconnect_packet
    code = None if packet is None else packet.code
    actions.send_to_all([request.reason, request.mqtt.initiated_by_client, code])


# Written for any client; those of MQTT come here, too.
@sessions.web_pubsub_trigger(hub="anybody", event_type="system", event_name="connect")
def anybody(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse | wps.EventErrorResponse:
    if "deny" in request.query:
        return request.create_error_response(request.query["deny"][0], "not like this")
    return request.create_response("bob", None, request.subprotocols[0], [])
