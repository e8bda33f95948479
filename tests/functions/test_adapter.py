"""One adapter a function: the worker's way in, our host's way in, and a plain call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

import webpubsub as wps
from kit.event_values import CONNECT_JSON, connect, connected, disconnected, trigger_bytes, user
from webpubsub.functions.adapter import Adapter, adapter_of

CONNECTION = wps.WebPubSubConnection("ws://h/c", "ws://h/c?access_token=t", "t")
CONNECTION_JSON = '{"baseUrl":"ws://h/c","url":"ws://h/c?access_token=t","accessToken":"t"}'


class WorkerOut:
    """The worker's own output object: it is no ``azure.functions.Out``."""

    def __init__(self) -> None:
        self.value: Any = None

    def set(self, value: Any) -> None:
        self.value = value

    def get(self) -> Any:
        return self.value


def adapted(function: Callable[..., Any], event_name: str = "message", **arguments: Any) -> Adapter:
    """Return the adapter of ``function`` as a trigger of a user event, or of a system event by its name."""
    event_type = "user" if event_name == "message" else "system"
    app = wps.FunctionApp()
    decorate = app.web_pubsub_trigger(event_type=event_type, event_name=event_name, **arguments)
    return adapter_from(decorate(function))


def adapter_from(decorated: Any) -> Adapter:
    adapter = adapter_of(decorated._function.get_user_function())
    assert adapter is not None
    return adapter


def echo(request: wps.UserEventRequest, actions: wps.Actions) -> wps.UserEventResponse:
    actions.send_to_all(request.data, excluded=[request.connection_context.connection_id])
    return request.create_response(request.data)


@pytest.fixture
def echo_adapter() -> Adapter:
    app = wps.FunctionApp()
    decorate = app.web_pubsub_trigger(event_type="user", event_name="message")
    return adapter_from(decorate(app.web_pubsub_output()(echo)))


# --- the worker's way ---------------------------------------------------------------------------------------


def test_the_worker_hands_over_bytes_and_gets_json(echo_adapter: Adapter) -> None:
    out = WorkerOut()
    assert echo_adapter.wrapper(data=trigger_bytes(), actions=out) == {"data": "hello", "dataType": "text"}
    assert out.value == '[{"actionName":"sendToAll","data":"hello","dataType":"text","excluded":["c1"]}]'


async def test_the_worker_awaits_an_asynchronous_function() -> None:
    async def handle(event: wps.UserEventRequest) -> bytes:
        return event.data.encode()  # type: ignore[no-any-return]

    adapter = adapted(handle, arg_name="event")
    result = await adapter.wrapper(data=trigger_bytes())
    assert result == {"data": {"type": "Buffer", "data": list(b"hello")}, "dataType": "binary"}


def test_the_worker_gets_none_for_none() -> None:
    def handle(request: wps.UserEventRequest) -> None: ...

    assert adapted(handle).wrapper(data=trigger_bytes()) is None


def test_an_output_without_actions_is_not_set() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type="user", event_name="message")
    @app.web_pubsub_output()
    def handle(request: wps.UserEventRequest, actions: wps.Actions) -> None: ...

    out = WorkerOut()
    adapter_from(handle).wrapper(data=trigger_bytes(), actions=out)
    assert out.value is None


def test_a_function_that_raises_performs_nothing() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type="user", event_name="message")
    @app.web_pubsub_output()
    def handle(request: wps.UserEventRequest, actions: wps.Actions) -> None:
        actions.send_to_all("too early")
        raise RuntimeError("boom")

    out = WorkerOut()
    with pytest.raises(RuntimeError, match="boom"):
        adapter_from(handle).wrapper(data=trigger_bytes(), actions=out)
    assert out.value is None


def test_inputs_are_decoded_and_other_values_pass_through() -> None:
    app = wps.FunctionApp()

    @app.route(route="negotiate")
    @app.web_pubsub_connection_input(hub="chat", arg_name="my_connection")
    def negotiate(
        req: func.HttpRequest, my_connection: wps.WebPubSubConnection, context: func.Context
    ) -> Any:
        return req, my_connection, context

    wrapper = adapter_from(negotiate).wrapper
    assert wrapper(req="req", myConnection=CONNECTION_JSON, context="ctx") == ("req", CONNECTION, "ctx")


def test_cleared_states_name_those_of_the_request() -> None:
    def handle(request: wps.UserEventRequest) -> wps.UserEventResponse:
        response = request.create_response()
        response.clear_states()
        return response

    returned = adapted(handle).wrapper(data=trigger_bytes(a=1))
    assert returned == {"states": {"a": None}, "clearStates": True}


def test_data_that_was_spoilt_after_the_response_was_made_is_reported() -> None:
    def handle(request: wps.UserEventRequest) -> wps.UserEventResponse:
        response = request.create_response({"a": 1})
        response.data = object()
        return response

    adapter = adapted(handle)
    with pytest.raises(wps.UsageError, match=r"function 'handle': object has no JSON form"):
        adapter.wrapper(data=trigger_bytes())


# --- our own host's way ----------------------------------------------------------------------------------


def test_our_host_hands_over_model_values(echo_adapter: Adapter) -> None:
    actions = wps.Actions()
    response = echo_adapter.call({"data": user(b"\x00\xff"), "actions": actions})
    assert response == wps.UserEventResponse(b"\x00\xff")
    assert actions.items == (wps.SendToAllAction(b"\x00\xff", excluded=["c1"]),)


async def test_our_host_awaits_an_asynchronous_function() -> None:
    async def handle(data: str) -> str:
        return data.upper()

    adapter = adapted(handle)
    assert adapter.is_async
    assert await adapter.call({"data": user("hi")}) == wps.UserEventResponse("HI")


def test_values_go_by_binding_names() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type="user", event_name="message", arg_name="event")
    @app.web_pubsub_output(arg_name="my_actions")
    @app.generic_input_binding(arg_name="rows", type="sql")
    def handle(my_actions: wps.Actions, rows: str, event: wps.UserEventRequest) -> str:
        my_actions.send_to_all(rows)
        return str(event.data)

    actions = wps.Actions()
    adapter = adapter_from(handle)
    response = adapter.call({"data": user(), "myActions": actions, "rows": "[]"})
    assert response == wps.UserEventResponse("hello")
    assert actions.items == (wps.SendToAllAction("[]"),)


def test_the_result_of_another_trigger_is_untouched() -> None:
    app = wps.FunctionApp()

    @app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
    @app.web_pubsub_output(hub="chat")
    def tick(timer: func.TimerRequest, actions: func.Out[list[wps.Action]]) -> object:
        actions.set([wps.SendToAllAction("tick")])
        return timer

    timer = object()
    actions = wps.Actions()
    assert adapter_from(tick).call({"timer": timer, "actions": actions}) is timer
    assert actions.items == (wps.SendToAllAction("tick"),)


@pytest.mark.parametrize(
    ("request_", "event_name", "parameter", "value"),
    [
        (user("hi"), "message", "data", "hi"),
        (user({"a": 1}), "message", "data", {"a": 1}),
        (user("hi"), "message", "data_type", wps.WebPubSubDataType.TEXT),
        (user("hi"), "message", "connection_context", user("hi").connection_context),
        (connect(), "connect", "claims", {"sub": ["alice"]}),
        (connect(), "connect", "query", {"a": ["1", "2"]}),
        (connect(), "connect", "subprotocols", ["json.webpubsub.azure.v1"]),
        (connect(), "connect", "client_certificates", [wps.ClientCertificate("ABC", "PEM")]),
        (connect(), "connect", "connection_context", connect().connection_context),
        (connected(), "connected", "connection_context", connected().connection_context),
        (disconnected("bye"), "disconnected", "reason", "bye"),
        (disconnected("bye"), "%Event%", "reason", "bye"),
    ],
)
def test_parameters_by_name(request_: wps.EventRequest, event_name: str, parameter: str, value: Any) -> None:
    seen: list[Any] = []
    namespace: dict[str, Any] = {"seen": seen}
    exec(f"def handle({parameter}):\n    seen.append({parameter})", namespace)
    name = "data" if event_name == "message" else "request"
    adapted(namespace["handle"], event_name).call({name: request_})
    assert seen == [value]


def test_a_parameter_without_a_value_when_a_setting_named_the_event() -> None:
    def handle(reason: str) -> None: ...

    with pytest.raises(wps.UsageError) as raised:
        adapted(handle, "%Event%").call({"request": connected()})
    assert str(raised.value) == (
        f"{__file__}:{handle.__code__.co_firstlineno}: function 'handle': parameter 'reason' has no value in "
        "a ConnectedEventRequest"
    )


def test_an_impossible_answer_names_the_function() -> None:
    def handle(request: wps.ConnectEventRequest) -> int:
        return 5

    adapter = adapted(handle, "connect")
    text = (
        f"{__file__}:{handle.__code__.co_firstlineno}: function 'handle': the connect event cannot "
        f"be answered "
        "with 5 (int): expected None, ConnectEventResponse, EventErrorResponse or a dict"
    )
    with pytest.raises(wps.UsageError) as raised:
        adapter.call({"request": connect()})
    assert str(raised.value) == text
    with pytest.raises(wps.UsageError) as raised:
        adapter.wrapper(request=CONNECT_JSON)
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("returned", "response"),
    [
        ("hi", wps.UserEventResponse("hi")),
        (b"hi", wps.UserEventResponse(b"hi")),
        ({"answer": 42}, wps.UserEventResponse({"answer": 42})),
        ({"code": "userError", "errorMessage": "no"}, wps.EventErrorResponse("userError", "no")),
        (None, None),
    ],
)
def test_both_ways_understand_the_same_answers(returned: Any, response: Any) -> None:
    def handle() -> Any:
        return returned

    adapter = adapted(handle)
    encoded = adapted(lambda: response).wrapper(data=trigger_bytes())
    assert adapter.call({"data": user()}) == response
    assert adapter.wrapper(data=trigger_bytes()) == encoded


# --- a plain call -----------------------------------------------------------------------------------------


def test_a_test_calls_the_function_as_it_was_written(echo_adapter: Adapter) -> None:
    for arguments, keywords in (
        ((user(), wps.Actions()), {}),
        ((user(),), {"actions": wps.Actions()}),
        ((), {"request": user(), "actions": wps.Actions()}),
    ):
        response = echo_adapter.wrapper(*arguments, **keywords)
        assert response == wps.UserEventResponse("hello")


async def test_a_test_awaits_an_asynchronous_function() -> None:
    async def handle(event: wps.UserEventRequest) -> str:
        return f"you said {event.data}"

    wrapper = adapted(handle, arg_name="event").wrapper
    assert await wrapper(event=user()) == "you said hello"
    assert await wrapper(user()) == "you said hello"


def test_a_plain_call_with_wrong_arguments_fails_like_the_function(echo_adapter: Adapter) -> None:
    with pytest.raises(TypeError, match="missing 2 required positional arguments: 'request' and 'actions'"):
        echo_adapter.wrapper()
    with pytest.raises(TypeError, match="unexpected keyword argument 'reqest'"):
        echo_adapter.wrapper(reqest=user(), actions=wps.Actions())


def test_a_function_with_parameters_by_name_is_called_with_them() -> None:
    def handle(data: str) -> str:
        return data

    wrapper = adapted(handle).wrapper
    assert wrapper(data="hi") == "hi"
    assert wrapper(data=b"hi") == b"hi"


@pytest.mark.skipif(
    func.FunctionApp().function_name("x")(lambda: 1)() != 1, reason="azure-functions before 1.21"
)
def test_what_the_decorators_leave_behind_is_callable() -> None:
    app = wps.FunctionApp()

    @app.web_pubsub_trigger(event_type="user", event_name="message")
    @app.web_pubsub_output()
    def handle(request: wps.UserEventRequest, actions: wps.Actions) -> str:
        actions.send_to_all("hi")
        return str(request.data)

    actions = wps.Actions()
    assert handle(user(), actions) == "hello"
    assert actions.items == (wps.SendToAllAction("hi"),)


# --- what can be adapted ----------------------------------------------------------------------------------


def test_a_decorated_function_is_called_through_its_decorator() -> None:
    def shouting(function: Callable[..., str]) -> Callable[..., str]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> str:
            return function(*args, **kwargs).upper()

        return wrapped

    def handle(request: wps.UserEventRequest) -> str:
        return str(request.data)

    adapter = adapted(shouting(handle))
    assert adapter.call({"data": user("hi")}) == wps.UserEventResponse("HI")
    assert str(inspect.signature(adapter.wrapper)) == "(data)"


async def test_a_synchronous_decorator_around_an_asynchronous_function() -> None:
    def traced(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapped

    async def handle(data: str) -> str:
        return data

    adapter = adapted(traced(handle))
    assert await adapter.call({"data": user("hi")}) == wps.UserEventResponse("hi")
    assert await adapter.wrapper(data=trigger_bytes()) == {"data": "hello", "dataType": "text"}


async def test_an_asynchronous_decorator_around_a_synchronous_function() -> None:
    def traced(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return wrapped

    def handle(data: str) -> str:
        return data

    assert await adapted(traced(handle)).wrapper(data=trigger_bytes()) == {
        "data": "hello",
        "dataType": "text",
    }


def test_a_bound_method() -> None:
    class Chat:
        def handle(self, data: str) -> str:
            return data

    assert adapted(Chat().handle).call({"data": user("hi")}) == wps.UserEventResponse("hi")


def test_adapter_of_finds_only_our_own_wrappers(echo_adapter: Adapter) -> None:
    @functools.wraps(echo_adapter.wrapper)
    def foreign(*args: Any, **kwargs: Any) -> Any:
        return echo_adapter.wrapper(*args, **kwargs)

    assert adapter_of(echo_adapter.wrapper) is echo_adapter
    assert adapter_of(foreign) is None
    assert adapter_of(echo) is None
