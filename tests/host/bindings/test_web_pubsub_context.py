"""``webPubSubContext`` beside other bindings; what it brings is section 6 of the specification's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webpubsub.host import FunctionHost
from webpubsub.model.actions import SendToAllAction
from webpubsub.model.trace import TraceEvent

Run = Callable[..., Any]
Load = Callable[..., FunctionHost]


EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-type": "azure.webpubsub.user.message",
    "ce-signature": "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
    "ce-userId": "alice",
    "ce-connectionId": "0f9c97a2f0bf4706afe87a14e0797b11",
    "ce-hub": "chat",
    "ce-eventName": "message",
    "ce-connectionState": "eyJjb3VudGVyIjoiTWc9PSJ9",
}
APP = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()

@app.route(route="hubs/{hub}/{event}")
@app.web_pubsub_context_input(arg_name="upstream")
@app.web_pubsub_output(hub="{hub}")
def take(req: func.HttpRequest, upstream: wps.WebPubSubContext, actions: wps.Actions) -> func.HttpResponse:
    if not isinstance(upstream.request, wps.UserEventRequest):
        return wps.http_response(upstream)
    actions.send_to_all(upstream.request.data)
    response = wps.UserEventResponse({"heard": req.route_params["event"]})
    response.set_state("seen", True)
    return wps.http_response(upstream, response)

@app.route(route="index")
def index(req: func.HttpRequest) -> str:
    return "hello"
"""


async def test_the_answer_has_response_and_states(run_app: Run, connection_string: str, sink: Any) -> None:
    name = "WebPubSubConnectionString"
    client = await run_app(APP, {name: connection_string}, sinks={name: sink})
    answer = await client.request("POST", "/api/hubs/chat/message", EVENT, b"hello")
    assert (answer.status, answer.json) == (200, {"heard": "message"})
    assert answer.header("content-type") == "application/json"
    # The counter that was there, and what is new.
    assert answer.header("ce-connectionState") == "eyJjb3VudGVyIjoiTWc9PSIsInNlZW4iOiJkSEoxWlE9PSJ9"
    assert sink.performed == [("chat", SendToAllAction("hello"))]


async def test_nothing_is_done_for_strangers(run_app: Run, connection_string: str, sink: Any) -> None:
    name = "WebPubSubConnectionString"
    client = await run_app(APP, {name: connection_string}, sinks={name: sink})
    forged = EVENT | {"ce-signature": "sha256=00"}
    answer = await client.request("POST", "/api/hubs/chat/message", forged, b"hello")
    assert (answer.status, sink.performed) == (401, [])


def test_the_listing_tells_which_http_functions_take_events(load_app: Load, connection_string: str) -> None:
    host = load_app(APP, {"WebPubSubConnectionString": connection_string})
    assert {listing.name: listing.takes_events for listing in host.functions} == {
        "take": True,
        "index": False,
    }
    assert host.warnings == ()


def test_strangers_are_warned_of(load_app: Load, sink: Any, events: list[TraceEvent]) -> None:
    host = load_app(APP, {}, sinks={"WebPubSubConnectionString": sink})
    assert host.warnings == (
        "no Web PubSub connection is configured, so take take events from anybody: set "
        "'WebPubSubConnectionString' to have origin and signature checked",
    )
    assert [event.detail["message"] for event in events if event.name == "setting"] == [*host.warnings]
