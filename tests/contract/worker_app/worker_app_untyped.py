"""Functions without typed bindings: what they get for each name, and what becomes of what they return."""

import json
from typing import Any

import azure.functions as func

untyped = func.Blueprint()

RESULTS = {
    "dict": {"data": "hi", "dataType": "text"},
    "dict with actions": {
        "data": "hi",
        "dataType": "text",
        "actions": [{"actionName": "sendToAll", "data": "copied"}],
    },
    "list": [1, "é", None],
    "str": "hé",
    "bytes": b"\xff\x00",
    "int": 5,
    "float": 0.5,
    "None": None,
}


def trigger(event_name: str, arg_name: str, **more: Any) -> Any:
    members = {"hub": "odd", "eventType": "user", "eventName": event_name, **more}
    return untyped.generic_trigger(arg_name=arg_name, type="webPubSubTrigger", **members)


def shown(value: object) -> dict[str, str]:
    """Answer with what was given: its kind, and its text."""
    kind = next(each.__name__ for each in (str, bytes, type(None)) if isinstance(value, each))
    return {"data": f"{kind} {value!r}", "dataType": "text"}


@trigger("data_as_text", "data")
def data_as_text(data: str) -> dict[str, str]:
    return shown(data)


@trigger("data_as_bytes", "data", data_type="binary")
def data_as_bytes(data: bytes) -> dict[str, str]:
    return shown(data)


@trigger("data_type_alone", "dataType")
async def data_type_alone(dataType: str) -> dict[str, str]:
    return shown(dataType)


@trigger("request_as_text", "request")
async def request_as_text(request: str) -> dict[str, str]:
    return shown(json.loads(request)["data"])


@trigger("request_as_bytes", "REQUEST", data_type="binary")
def request_as_bytes(REQUEST: bytes) -> dict[str, str]:
    return shown(json.loads(REQUEST.decode())["data"].encode())


@trigger("context_alone", "connectionContext")
def context_alone(connectionContext: str) -> dict[str, str]:
    return shown(json.loads(connectionContext)["userId"])


@trigger("another_name", "message")
def another_name(message) -> dict[str, str]:  # type: ignore[no-untyped-def]
    return shown(message)


@trigger("results", "data")
@untyped.generic_output_binding(arg_name="actions", type="webPubSub", hub="odd")
def results(data: str, actions: func.Out[str]) -> Any:
    actions.set('{"actionName": "sendToAll", "data": "set"}')
    return RESULTS[data]


@trigger("async_results", "data")
async def async_results(data: str) -> Any:
    return RESULTS[data]


@untyped.route(route="text_negotiate")
@untyped.generic_input_binding(
    arg_name="connection", type="webPubSubConnection", hub="odd", userId="{query.user}"
)
def text_negotiate(req: func.HttpRequest, connection: str) -> func.HttpResponse:
    return func.HttpResponse(json.loads(connection)["url"])


@untyped.timer_trigger("timer", schedule="*/30 * * * * *", use_monitor=False)
def timer_with_result(timer: func.TimerRequest) -> str:
    return "nobody takes this"


@untyped.timer_trigger("timer", schedule="*/30 * * * * *", use_monitor=False)
@untyped.generic_output_binding(arg_name="actions", type="webPubSub", hub="odd")
def timer_text(timer: str, actions: func.Out[str]) -> None:
    told = f"{type(timer).__name__} {json.loads(timer)['IsPastDue']}"
    actions.set(json.dumps({"actionName": "sendToAll", "data": told}))
