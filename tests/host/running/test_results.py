"""Results that no ``$return`` output takes: members of a dict go to the outputs of their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import webpubsub as wps
from kit.asgi_client import AsgiClient, RecordingSink
from webpubsub.host.function import FunctionDefinition, HostFunction
from webpubsub.host.running.results import run_of
from webpubsub.model.actions import SendToAllAction

Run = Callable[..., Any]

WEBHOOK = "/runtime/webhooks/webpubsub"
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-type": "azure.webpubsub.user.message",
    "ce-id": "1",
    "ce-signature": "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561",
    "ce-connectionId": "0f9c97a2f0bf4706afe87a14e0797b11",
    "ce-hub": "chat",
    "ce-eventName": "message",
}
CONNECT = EVENT | {"ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect"}

HI = {"actionName": "sendToAll", "data": "hi"}
SENT = [("chat", SendToAllAction("hi"))]


@pytest.fixture
def sinks(sink: RecordingSink) -> dict[str, RecordingSink]:
    return {"WebPubSubConnectionString": sink}


@pytest.fixture
def run(run_app: Run, connection_string: str, sinks: Any) -> Run:
    async def start(source: str) -> AsgiClient:
        head = "import azure.functions as func\nimport webpubsub as wps\n"
        environ = {"WebPubSubConnectionString": connection_string}
        client: AsgiClient = await run_app(head + source, environ, sinks=sinks)
        return client

    return start


def untyped(returned: str, *, before: str = "pass", event: str = "user", name: str = "message") -> str:
    return f"""
app = func.FunctionApp()

@app.generic_trigger("request", "webPubSubTrigger", hub="chat", eventType="{event}", eventName="{name}")
@app.generic_output_binding("actions", "webPubSub", hub="chat")
async def f(request, actions):
    {before}
    return {returned}
"""


@pytest.mark.parametrize(
    ("returned", "answer", "performed"),
    [
        ({"actions": HI}, b"", SENT),
        ({"actions": [HI, HI]}, b"", SENT * 2),
        ({"actions": json.dumps([HI])}, b"", SENT),
        ({"actions": [HI], "data": "hello", "dataType": "text"}, b"hello", SENT),
        ({"actions": None, "data": "hello"}, b"hello", []),
        # Names are compared as they are written.
        ({"Actions": [HI]}, b'{"Actions":[{"actionName":"sendToAll","data":"hi"}]}', []),
        ({"data": "hello", "dataType": "text"}, b"hello", []),
        ([{"actions": HI}], b'[{"actions":{"actionName":"sendToAll","data":"hi"}}]', []),
        ("actions", b"actions", []),
        (None, b"", []),
    ],
)
async def test_members_of_an_answer_are_outputs(
    returned: Any, answer: bytes, performed: Any, run: Run, sink: RecordingSink
) -> None:
    client = await run(untyped(repr(returned)))
    found = await client.request("POST", WEBHOOK, EVENT, b"x")
    assert (found.status, found.body) == (200, answer)
    assert sink.performed == performed


async def test_a_member_wins_over_what_was_set(run: Run, sink: RecordingSink) -> None:
    client = await run(untyped(repr({"actions": HI}), before="actions.set('[')"))
    assert (await client.request("POST", WEBHOOK, EVENT)).status == 200
    assert sink.performed == SENT


async def test_no_member_leaves_what_was_set(run: Run, sink: RecordingSink) -> None:
    client = await run(untyped("{'data': 'ok'}", before=f"actions.set({json.dumps(json.dumps(HI))})"))
    assert (await client.request("POST", WEBHOOK, EVENT)).body == b"ok"
    assert sink.performed == SENT


async def test_a_member_that_is_no_json_fails_the_function(run: Run, sink: RecordingSink) -> None:
    client = await run(untyped("{'actions': [wps.SendToAllAction('hi')]}"))
    assert (await client.request("POST", WEBHOOK, EVENT)).status == 500
    assert sink.performed == []


async def test_an_answer_to_connect_may_have_outputs_beside_it(run: Run, sink: RecordingSink) -> None:
    client = await run(untyped(repr({"actions": HI, "userId": "bob"}), event="system", name="connect"))
    answer = await client.request("POST", WEBHOOK, CONNECT, b"{}")
    assert answer.json == {"userId": "bob", "groups": None, "subprotocol": None, "roles": None}
    assert sink.performed == SENT


async def test_an_output_called_like_a_member_of_the_answer_gets_it_too(
    run: Run, sink: RecordingSink
) -> None:
    returned = {"data": json.dumps(HI), "dataType": "text"}
    client = await run(untyped(repr(returned)).replace("actions", "data"))
    assert (await client.request("POST", WEBHOOK, EVENT)).json == HI
    assert sink.performed == SENT


async def test_a_function_in_a_thread(run: Run, sink: RecordingSink) -> None:
    client = await run(untyped(repr({"actions": HI})).replace("async def", "def"))
    assert (await client.request("POST", WEBHOOK, EVENT)).body == b""
    assert sink.performed == SENT


HTTP = """
app = func.FunctionApp()

@app.generic_trigger("req", "httpTrigger", route="f")
@app.generic_output_binding("res", "http")
@app.generic_output_binding("actions", "webPubSub", hub="chat")
def f(req, res, actions):
    return {returned}
"""


@pytest.mark.parametrize(
    ("returned", "status", "body"),
    [
        ({"res": "done", "actions": HI}, 200, b"done"),
        ({"res": {"status": 201, "body": "made"}, "actions": HI}, 201, b"made"),
        ({"res": {"a": 1}, "actions": HI}, 200, b'{"a": 1}'),
    ],
)
async def test_a_response_may_be_a_member(
    returned: Any, status: int, body: bytes, run: Run, sink: RecordingSink
) -> None:
    client = await run(HTTP.replace("{returned}", repr(returned)))
    answer = await client.request("GET", "/api/f")
    assert (answer.status, answer.body) == (status, body)
    assert sink.performed == SENT


async def test_a_return_output_takes_the_whole_result(run: Run, sink: RecordingSink) -> None:
    client = await run("""
app = func.FunctionApp()

@app.route("f")
@app.generic_output_binding("actions", "webPubSub", hub="chat")
def f(req: func.HttpRequest, actions: func.Out[str]) -> str:
    return '{"actions": 1}'
""")
    assert (await client.request("GET", "/api/f")).body == b'{"actions": 1}'
    assert sink.performed == []


async def test_a_typed_output_beside_another_trigger(run: Run, sink: RecordingSink) -> None:
    client = await run("""
app = wps.FunctionApp()

@app.generic_trigger("req", "httpTrigger", route="f")
@app.web_pubsub_output(hub="chat")
async def f(req: func.HttpRequest, actions: wps.Actions):
    actions.send_to_all("not this")
    return {"actions": {"actionName": "sendToAll", "data": "hi"}}
""")
    assert (await client.request("GET", "/api/f")).status == 204
    assert sink.performed == SENT


async def test_a_typed_answer_is_no_output(run: Run, sink: RecordingSink) -> None:
    client = await run("""
app = wps.FunctionApp()

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
@app.web_pubsub_output(hub="chat")
def f(actions: wps.Actions):
    return {"actions": [1]}
""")
    assert (await client.request("POST", WEBHOOK, EVENT)).json == {"actions": [1]}
    assert sink.performed == []


async def test_a_result_that_nothing_takes_fails_the_function(run: Run, events: list[Any]) -> None:
    client = await run("""
app = func.FunctionApp()

@app.generic_trigger("req", "httpTrigger", route="f")
def f(req):
    return req.params.get("give")
""")
    assert (await client.request("GET", "/api/f")).status == 204
    assert (await client.request("GET", "/api/f?give=it")).status == 500
    assert str(events[-1].error) == (
        "the function returned str, which none of its bindings takes: expected None, as the Azure Functions "
        "worker fails such a call"
    )


def typed(data: object, actions: object) -> None: ...
def http(req: object) -> None: ...


def test_functions_that_need_nothing_keep_their_own_run() -> None:
    app = wps.FunctionApp()
    decorate = app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    builder: Any = decorate(app.web_pubsub_output(hub="chat")(typed))
    wrapper = builder._function.get_user_function()
    actions: Any = SimpleNamespace(name="actions")
    for call, trigger, outputs in (
        (wrapper, {"name": "data", "type": "webPubSubTrigger"}, (actions,)),
        (http, {"name": "req", "type": "httpTrigger"}, (SimpleNamespace(name="$return"),)),
        (http, {"name": "request", "type": "webPubSubTrigger"}, ()),
    ):
        definition = FunctionDefinition("f", "f.py:1", ".", (trigger,), call)
        function = HostFunction(definition, SimpleNamespace(name=trigger["name"]), (), outputs)
        assert run_of(function) is function.run
