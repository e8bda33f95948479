"""What an app may do with the bindings and still be taken by the worker."""

from __future__ import annotations

from pathlib import Path

import azure.functions as func
from worker_app_blueprint import rooms

import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(rooms)

# By the data of the event: each kind of value that may be returned.
ANSWERS = {
    "text": "h\N{LATIN SMALL LETTER E WITH ACUTE}llo",
    "bytes": b"\x00\xff",
    "dict": {"answer": 42},
    "dict of the extension": {"data": "hi", "dataType": "text"},
    "list": [1, True, None],
    "nothing": None,
    "error": wps.EventErrorResponse("userError", "not like this"),
    "impossible": {"errorMessage": "but no code"},
}


@app.web_pubsub_trigger(hub="odd", event_type="user", event_name="answer")
@app.web_pubsub_output(hub="odd")
def answer(data: str, actions: wps.Actions) -> object:
    actions.send_to_user("alice", data)
    if data == "raise":
        raise LookupError("no such answer")
    return ANSWERS[data]


@app.web_pubsub_output(hub="odd", arg_name="to_group", connection="OtherConnection")
@app.web_pubsub_trigger(
    hub="odd",
    event_type="user",
    event_name="parts",
    arg_name="evt",
    connections=["WebPubSubConnectionString", "OtherConnection"],
    client_protocols="webPubSub",
)
@app.web_pubsub_output(hub="%OddHub%", arg_name="toAll")
async def parts(
    data: dict[str, int] | str,
    toAll: wps.Actions,
    context: func.Context,
    data_type: wps.WebPubSubDataType,
    connection_context: wps.WebPubSubConnectionContext,
    evt: wps.UserEventRequest | None,
    to_group: wps.Actions,
) -> wps.UserEventResponse | wps.EventErrorResponse | None:
    assert evt is not None
    toAll.send_to_all(b"\x00\xff")
    to_group.set([wps.SendToGroupAction("g", {"seen": data}, excluded=["c9"])])
    to_group.add({"actionName": "closeClientConnection", "connectionId": connection_context.connection_id})
    place = f"{Path(context.function_directory).name}/{context.function_name}"
    return evt.create_response({"data": data, "type": data_type, "function": place})


@app.web_pubsub_trigger(hub="odd", event_type="user", event_name="states")
def states(request: wps.UserEventRequest) -> wps.UserEventResponse:
    response = request.create_response()
    if request.data == "clear":
        response.clear_states()
    else:
        response.set_state("counter", request.connection_context.states["counter"] + 1)
    return response


@app.web_pubsub_trigger(hub="odd", event_type="system", event_name="connect")
async def connect(request: wps.ConnectEventRequest, query: dict[str, list[str]]) -> wps.ConnectEventResponse:
    response = request.create_response(query["name"][0], ["lobby"], request.subprotocols[0])
    response.set_state("counter", 1)
    return response


@app.route(route="negotiate/{name}")
@app.web_pubsub_connection_input(
    hub="odd", arg_name="client_access", user_id="{name}", roles=["webpubsub.sendToGroup"], expires_after=60
)
async def negotiate(req: func.HttpRequest, client_access: wps.WebPubSubConnection) -> str:
    return client_access.url
