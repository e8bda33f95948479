"""What an app may do with the bindings and still be taken by the worker."""

from __future__ import annotations

from pathlib import Path

import azure.functions as func
from worker_app_blueprint import rooms
from worker_app_mqtt import sessions
from worker_app_untyped import untyped

import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(rooms)
app.register_functions(sessions)
app.register_functions(untyped)

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


@app.web_pubsub_trigger(hub="odd", event_type="user", event_name="exact", arg_name="event")
@app.web_pubsub_output(hub="odd")
def exact(event: wps.UserEventRequest, actions: wps.Actions) -> wps.UserEventResponse:
    user = event.connection_context.user_id
    actions.send_to_all(f"{event.payload.body.hex()} {event.data_type} of {user}")
    return event.create_response(event.data, event.data_type)


@app.web_pubsub_trigger(hub="odd", event_type="user", event_name="%OddEvent%")
async def by_setting(data: bytes, connection_context: wps.WebPubSubConnectionContext) -> bytes:
    return data + connection_context.event_name.encode()


@app.web_pubsub_trigger(hub="odd", event_type="user", event_name="every_action")
@app.web_pubsub_output(hub="odd")
async def every_action(actions: wps.Actions) -> None:
    actions.send_to_all("text", excluded=["c1"])
    actions.send_to_group("g", b"\xff\x00\xfe\x80")
    actions.send_to_user("u", {"a": [1, None]})
    actions.send_to_connection("c", "5", "json")
    actions.add_user_to_group("u", "g")
    actions.remove_user_from_group("u", "g")
    actions.remove_user_from_all_groups("u")
    actions.add_connection_to_group("c", "g")
    actions.remove_connection_from_group("c", "g")
    actions.close_all_connections(excluded=["c1", "c2"], reason="bye")
    actions.close_client_connection("c")
    actions.close_group_connections("g", reason="h\N{LATIN SMALL LETTER E WITH ACUTE}")
    actions.grant_permission("c", "sendToGroup", "g")
    actions.revoke_permission("c", wps.WebPubSubPermission.JOIN_LEAVE_GROUP, "g")


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


@app.timer_trigger("timer", schedule="*/30 * * * * *", use_monitor=False)
@app.web_pubsub_output(hub="odd")
async def tick(timer: func.TimerRequest, actions: wps.Actions) -> None:
    actions.send_to_all(f"past due: {timer.past_due}")


@app.timer_trigger("timer", schedule="*/30 * * * * *", use_monitor=False)
@app.web_pubsub_output(hub="odd")
def failing_tick(timer: str, actions: wps.Actions) -> None:
    actions.send_to_all("too early")
    raise LookupError("no such tick")


@app.route(route="failing_page")
async def failing_page(req: func.HttpRequest) -> str:
    raise LookupError("no such page")
