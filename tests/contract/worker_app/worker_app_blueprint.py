"""Functions of a plain blueprint, beside bindings that are not ours."""

import json

import azure.functions as func

import webpubsub as wps

rooms = func.Blueprint()


@wps.web_pubsub_trigger(rooms, hub="odd", event_type="system", event_name="disconnected")
@wps.web_pubsub_output(rooms, hub="odd")
def left(reason: str, actions: wps.Actions) -> None:
    actions.send_to_all(f"somebody left: {reason}")


@rooms.generic_input_binding(arg_name="info", type="signalRConnectionInfo", hub_name="odd")
@wps.web_pubsub_trigger(rooms, hub="odd", event_type="user", event_name="foreign")
@rooms.generic_output_binding(arg_name="audit", type="queue", queue_name="audit")
def foreign(info: str, request: wps.UserEventRequest, audit: func.Out[str]) -> dict[str, object]:
    audit.set(f"{request.connection_context.user_id} asked")
    return {"info": json.loads(info)}


@rooms.route(route="upstream", methods=["POST", "OPTIONS"])
@wps.web_pubsub_context_input(rooms, connections=["WebPubSubConnectionString", "OtherConnection"])
def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    assert isinstance(wps_context.request, wps.UserEventRequest)
    text = f"{wps_context.request.data} from {wps_context.request.connection_context.user_id}"
    return func.HttpResponse(text, status_code=wps_context.response.status)
