"""The four decorators: what they declare to the host, and how they stack."""

from __future__ import annotations

import inspect
import json
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

import webpubsub as wps
from kit.event_values import USER_JSON, user
from webpubsub.functions import decorators
from webpubsub.functions.adapter import adapter_of


def bindings(app: Any, index: int = 0) -> list[dict[str, Any]]:
    """Return a function's bindings as the worker sends them to the host."""
    function = app.get_functions()[index]
    return [json.loads(binding) for binding in function.get_raw_bindings()]


def call_of(decorated: Any) -> Any:
    """Return what the worker would call."""
    return decorated._function.get_user_function()


def test_a_trigger_is_declared() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(
        hub="%HubName%",
        event_type="user",
        event_name="message",
        connections=["A", "B"],
        client_protocols="WEBPUBSUB",
    )
    def message(request: wps.UserEventRequest) -> None: ...

    assert bindings(app) == [
        {
            "direction": "IN",
            "dataType": "BINARY",
            "type": "webPubSubTrigger",
            "name": "data",
            "hub": "%HubName%",
            "eventType": "user",
            "eventName": "message",
            "connections": ["A", "B"],
            "clientProtocols": "webPubSub",
        }
    ]


# Only bytes keep binary messages; system events have none.
SYSTEM = {"name": "request", "eventType": "system"}
USER = {"name": "data", "dataType": "BINARY", "eventType": "user"}


@pytest.mark.parametrize(
    ("event_type", "event_name", "members"),
    [
        ("SYSTEM", "Connected", {**SYSTEM, "eventName": "connected"}),
        (wps.WebPubSubEventType.SYSTEM, "disconnected", {**SYSTEM, "eventName": "disconnected"}),
        (wps.WebPubSubEventType.USER, "Orders.new", {**USER, "eventName": "Orders.new"}),
        ("system", "%Event%", {**SYSTEM, "eventName": "%Event%"}),
        ("user", "%Event%", {**USER, "eventName": "%Event%"}),
    ],
)
def test_events_of_a_trigger(event_type: Any, event_name: str, members: dict[str, str]) -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type=event_type, event_name=event_name)
    def handle(connection_context: wps.WebPubSubConnectionContext) -> None: ...

    (found,) = bindings(app)
    assert found == {"direction": "IN", "type": "webPubSubTrigger", **members}


def test_without_a_converter_a_user_event_arrives_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decorators, "has_converter", lambda: False)
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type="user", event_name="message")
    @app.web_pubsub_output()
    def handle(request: wps.UserEventRequest, data: str, actions: wps.Actions) -> str:
        assert request == user("hello")
        return data

    _, found = bindings(app)
    assert found == {"direction": "IN", "type": "webPubSubTrigger", **USER_AS_JSON}
    assert str(inspect.signature(call_of(handle))) == "(request, actions)"
    returned = {"data": "hello", "dataType": "text"}
    for value in USER_JSON, USER_JSON.encode(), json.loads(USER_JSON):
        assert call_of(handle)(request=value, actions=HostOut()) == returned


class HostOut:
    def set(self, value: object) -> None: ...


USER_AS_JSON = {"name": "request", "eventType": "user", "eventName": "message"}


@pytest.mark.parametrize(
    ("arguments", "members"),
    [
        ({"connection": "A"}, {"connections": ["A"]}),
        ({"connections": ("A", "B")}, {"connections": ["A", "B"]}),
        ({"connection": "A", "connections": ["B"]}, {"connections": ["B"]}),
        ({"connection": "A", "connections": []}, {"connections": ["A"]}),
        ({}, {}),
    ],
)
def test_one_connection_is_declared_as_a_list_which_every_extension_knows(
    arguments: dict[str, Any], members: dict[str, Any]
) -> None:
    app = wps.FunctionApp()

    @app.route(route="up")
    @app.web_pubsub_context_input(**arguments)
    def up(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> str:
        return "ok"

    expected = {"direction": "IN", "type": "webPubSubContext", "name": "wpsContext", **members}
    assert bindings(app)[0] == expected


def test_an_output_is_declared() -> None:
    app = wps.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    @app.web_pubsub_output(hub="{query.hub}", connection="A")
    @app.web_pubsub_output(arg_name="more_actions")
    def tick(timer: func.TimerRequest, actions: wps.Actions, more_actions: wps.Actions) -> None: ...

    assert bindings(app)[:2] == [
        {"direction": "OUT", "type": "webPubSub", "name": "moreActions"},
        {
            "direction": "OUT",
            "type": "webPubSub",
            "name": "actions",
            "hub": "{query.hub}",
            "connection": "A",
        },
    ]


@pytest.mark.parametrize("expires_after", [90, 90.0, timedelta(seconds=90)])
def test_a_connection_input_is_declared(expires_after: Any) -> None:
    app = wps.FunctionApp()

    @app.route(route="negotiate")
    @app.web_pubsub_connection_input(
        hub="chat",
        user_id="{query.userId}",
        connection="A",
        client_protocol="Default",
        roles=("webpubsub.sendToGroup",),
        groups=["lobby"],
        expires_after=expires_after,
    )
    def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
        return func.HttpResponse(connection.url)

    assert bindings(app)[0] == {
        "direction": "IN",
        "type": "webPubSubConnection",
        "name": "connection",
        "hub": "chat",
        "userId": "{query.userId}",
        "connection": "A",
        "clientProtocol": "default",
        "roles": ["webpubsub.sendToGroup"],
        "groups": ["lobby"],
        "expiresAfter": 90,
    }


def test_the_worker_sees_binding_names_and_annotations_of_foreign_bindings_only() -> None:
    app = wps.FunctionApp()

    @app.generic_input_binding(arg_name="rows", type="sql")
    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message", arg_name="event")
    @app.web_pubsub_output(hub="chat", arg_name="my_actions")
    def message(
        event: wps.UserEventRequest | None,
        data: str,
        my_actions: list[wps.Action] | wps.Actions,
        rows: str,
        context: func.Context,
    ) -> str | bytes:
        return data

    wrapper = call_of(message)
    assert str(inspect.signature(wrapper)) == "(data, myActions, rows, context)"
    # Raw, as the module of the function resolves them.
    assert wrapper.__annotations__ == {"rows": "str", "context": "func.Context"}
    assert wrapper.__name__ == "message"
    assert inspect.getfile(wrapper) == __file__


def test_a_trigger_function_may_do_without_its_request() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    def message(data: str) -> str:
        return data

    assert str(inspect.signature(call_of(message))) == "(data)"


async def test_the_flavour_of_the_function_is_kept() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="a")
    async def asynchronous() -> str:
        return "hi"

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="b")
    def synchronous() -> str:
        return "hi"

    assert inspect.iscoroutinefunction(call_of(asynchronous))
    assert not inspect.iscoroutinefunction(call_of(synchronous))


def test_stacked_decorators_share_one_adapter() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    @app.function_name("other")
    @app.web_pubsub_output(hub="chat")
    def message(request: wps.UserEventRequest, actions: wps.Actions) -> None: ...

    adapter = adapter_of(call_of(message))
    assert adapter is not None
    assert set(adapter.bindings) == {"data", "actions"}
    assert app.get_functions()[0].get_function_name() == "other"


@pytest.mark.parametrize("container", [func.FunctionApp, func.Blueprint, wps.FunctionApp, wps.Blueprint])
def test_the_functions_work_on_any_app_or_blueprint(container: type) -> None:
    app = container()

    @wps.web_pubsub_trigger(app, hub="chat", event_type="user", event_name="message")
    @wps.web_pubsub_output(app, hub="chat")
    def message(request: wps.UserEventRequest, actions: wps.Actions) -> None: ...

    if not isinstance(app, func.FunctionRegister):
        blueprint, app = app, func.FunctionApp()
        app.register_functions(blueprint)
    assert [binding["type"] for binding in bindings(app)] == ["webPubSub", "webPubSubTrigger"]


def test_methods_and_functions_mix_with_foreign_decorators_in_any_order() -> None:
    app = wps.FunctionApp()

    @wps.web_pubsub_output(app, hub="chat")
    @app.generic_input_binding(arg_name="rows", type="sql")
    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    @app.queue_output(arg_name="queue", queue_name="q", connection="C")
    def message(
        request: wps.UserEventRequest, queue: func.Out[str], rows: str, actions: wps.Actions
    ) -> None: ...

    assert [binding["name"] for binding in bindings(app)] == ["queue", "data", "rows", "actions"]


def test_a_parameter_of_a_binding_is_no_event_parameter() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
    @app.generic_input_binding(arg_name="claims", type="sql")
    def message(claims: str, data: str) -> None: ...

    adapter = adapter_of(call_of(message))
    assert adapter is not None
    assert adapter.event_parameters == ("data",)
    assert str(inspect.signature(adapter.wrapper)) == "(claims, data)"


def test_methods_are_callable_with_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        wps.FunctionApp().web_pubsub_output("chat")  # type: ignore[call-arg]
