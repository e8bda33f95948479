"""Every mistake that is found before the first event, with the exact text."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Optional, Protocol, TypeVar

import azure.functions as func
import pytest

import webpubsub as wps

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]

T = TypeVar("T")


class HasData(Protocol):
    data: str


def user_event(**arguments: Any) -> Callable[[wps.FunctionApp], Callable[..., Any]]:
    return lambda app: app.web_pubsub_trigger(
        **{"hub": "chat", "event_type": "user", "event_name": "message", **arguments}
    )


def system_event(event_name: str, **arguments: Any) -> Callable[[wps.FunctionApp], Callable[..., Any]]:
    return user_event(event_type="system", event_name=event_name, **arguments)


def output(**arguments: Any) -> Callable[[wps.FunctionApp], Callable[..., Any]]:
    return lambda app: app.web_pubsub_output(**arguments)


def connection_input(**arguments: Any) -> Callable[[wps.FunctionApp], Callable[..., Any]]:
    return lambda app: app.web_pubsub_connection_input(**arguments)


def context_input(**arguments: Any) -> Callable[[wps.FunctionApp], Callable[..., Any]]:
    return lambda app: app.web_pubsub_context_input(**arguments)


def nothing() -> None: ...
def request_only(request: wps.UserEventRequest) -> None: ...
def untyped(request): ...  # type: ignore[no-untyped-def]
def misnamed(reqest: wps.UserEventRequest) -> None: ...
def any_arguments(*args: Any) -> None: ...
def any_keywords(request: wps.UserEventRequest, **rest: Any) -> None: ...
def positional(request: wps.UserEventRequest, /) -> None: ...
async def asynchronous_generator(request: wps.UserEventRequest) -> AsyncIterator[str]:
    yield "hi"


def generator(request: wps.UserEventRequest) -> Iterator[str]:
    yield "hi"


def of_disconnected(request: wps.DisconnectedEventRequest) -> None: ...
def of_disconnected_or_none(request: wps.DisconnectedEventRequest | None) -> None: ...
def of_two_others(request: wps.UserEventRequest | wps.DisconnectedEventRequest) -> None: ...
def of_optional_user(request: Optional[wps.UserEventRequest]) -> None: ...  # noqa: UP045
def of_nested_string(request: "Optional[wps.UserEventRequest]") -> None: ...  # noqa: UP037, UP045
def of_json_text(request: str) -> None: ...
def of_list(request: list[wps.UserEventRequest]) -> None: ...
def of_none(request: None) -> None: ...
def takes_claims(request: wps.UserEventRequest, claims: dict[str, list[str]]) -> None: ...
def takes_data(data: str) -> None: ...
def returns_connect(request: wps.UserEventRequest) -> wps.ConnectEventResponse: ...  # type: ignore[empty-body]
def returns_any(connection_context: wps.WebPubSubConnectionContext) -> wps.EventResponse | None: ...
def returns_user(request: wps.ConnectEventRequest) -> wps.UserEventResponse | None: ...
def returns_error(request: wps.ConnectedEventRequest) -> wps.EventErrorResponse | None: ...
def with_actions(request: wps.UserEventRequest, actions: wps.Actions) -> None: ...
def with_action_list(actions: list[wps.Action]) -> None: ...
def with_request(req: func.HttpRequest, request: wps.UserEventRequest) -> None: ...
def with_states(states: wps.Actions) -> None: ...
def with_user_id(user_id: wps.Actions) -> None: ...
def with_double(my__actions: wps.Actions) -> None: ...
def with_private(_actions: wps.Actions) -> None: ...
def with_context(context: wps.WebPubSubContext) -> None: ...
def with_connection(connection: wps.WebPubSubConnection) -> None: ...
def with_connection_text(connection: str) -> None: ...
def with_wps_context(wps_context: wps.WebPubSubConnection) -> None: ...
def with_both(my_actions: wps.Actions, myActions: wps.Actions) -> None: ...
def event_and_request(event: wps.ConnectEventRequest, request: str) -> None: ...


SYSTEM = "expected 'connect', 'connected' or 'disconnected'; any other is a user event"
HUB = (
    "is not a valid hub name: expected a letter, then up to 127 letters, digits, or any of _ ` , . [ ]; or a "
    "setting, such as '%HubName%'"
)
COLLISION = (
    "which is also a member of an answer: the host would copy it there; choose another name, for example "
    "'actions'"
)

AT_DECORATION: list[tuple[Any, Any, str]] = [
    # what the decorator is told
    (request_only, user_event(hub="my hub"), f"hub 'my hub' {HUB}"),
    (request_only, user_event(hub=""), f"hub '' {HUB}"),
    (request_only, user_event(hub="{query.hub}"), f"hub '{{query.hub}}' {HUB}"),
    (with_actions, output(hub="1chat"), f"hub '1chat' {HUB}"),
    (with_connection, connection_input(hub="my hub"), f"hub 'my hub' {HUB}"),
    (
        request_only,
        user_event(event_name="my event"),
        "'my event' is not a valid event name: expected a letter, then up to 127 letters, digits, "
        "or any of _ . -; or a setting, such as '%EventName%'",
    ),
    (
        untyped,
        system_event("conect"),
        f"there is no system event 'conect': {SYSTEM}; did you mean 'connect'?",
    ),
    (untyped, system_event("message"), f"there is no system event 'message': {SYSTEM}"),
    (request_only, user_event(event_type="usr"), "the event type is 'usr': expected 'system' or 'user'"),
    (
        request_only,
        user_event(client_protocols="mqt"),
        "client_protocols is 'mqt': expected one of 'all', 'webPubSub', 'mqtt'; did you mean 'mqtt'?",
    ),
    (
        with_connection,
        connection_input(client_protocol="socketio"),
        "client_protocol is 'socketio': expected one of 'default', 'mqtt'",
    ),
    (request_only, user_event(connections="A"), "connections is 'A': expected a list of strings"),
    (with_wps_context, context_input(connections=[1]), "connections is [1]: expected a list of strings"),
    (with_connection, connection_input(roles="r"), "roles is 'r': expected a list of strings"),
    (with_connection, connection_input(groups=5), "groups is 5: expected a list of strings"),
    (
        with_connection,
        connection_input(expires_after=0),
        "expires_after is 0: expected seconds or a timedelta, above 0",
    ),
    (
        with_connection,
        connection_input(expires_after="60"),
        "expires_after is '60': expected seconds or a timedelta, above 0",
    ),
    # what the function is
    (
        functools.partial(request_only),
        user_event(),
        "expected a function, found partial: the worker runs 'def' and 'async def'",
    ),
    (
        asynchronous_generator,
        user_event(),
        "expected a function that returns, found a generator: replace 'yield' by 'return'",
    ),
    (
        generator,
        user_event(),
        "expected a function that returns, found a generator: replace 'yield' by 'return'",
    ),
    (
        any_arguments,
        user_event(),
        "parameter '*args' has no binding: expected one named parameter a binding",
    ),
    (
        any_keywords,
        user_event(),
        "parameter '**rest' has no binding: expected one named parameter a binding",
    ),
    (
        positional,
        user_event(),
        "parameter 'request' is positional-only, but bindings are passed by name: remove the '/'",
    ),
    # names
    (
        misnamed,
        user_event(arg_name="event"),
        "the webPubSubTrigger binding has no parameter: expected 'event', found 'reqest'; rename one, or set "
        "arg_name",
    ),
    (
        request_only,
        output(arg_name="requests"),
        "the webPubSub binding has no parameter: expected 'requests', found 'request'; rename one, or set "
        "arg_name; did you mean 'request'?",
    ),
    (
        nothing,
        connection_input(),
        "the webPubSubConnection binding has no parameter: expected 'connection', found none; rename one, or "
        "set arg_name",
    ),
    (with_states, output(arg_name="states"), f"the output is called 'states', {COLLISION}"),
    (with_user_id, output(arg_name="user_id"), f"the output is called 'userId', {COLLISION}"),
    (
        with_double,
        output(arg_name="my__actions"),
        "arg_name is 'my__actions': expected a letter, then letters, digits or single underscores, "
        "as the host "
        "refuses other names",
    ),
    (
        with_private,
        output(arg_name="_actions"),
        "arg_name is '_actions': expected a letter, then letters, digits or single underscores, as the host "
        "refuses other names",
    ),
    (
        with_context,
        context_input(arg_name="context"),
        "arg_name is 'context', which is the Functions context: choose another name",
    ),
    (
        with_actions,
        output(arg_name="$return"),
        "arg_name is '$return': actions are not returned, as a trigger's return value answers its "
        "event; name "
        "a parameter and call its methods, for example actions.send_to_all(...)",
    ),
    (
        with_both,
        output(arg_name="my_actions"),
        "parameter 'myActions' clashes with 'my_actions', which the host knows as 'myActions': rename one",
    ),
    (
        event_and_request,
        system_event("connect", arg_name="event"),
        "parameter 'request' clashes with 'event', which the host knows as 'request': rename one",
    ),
    # annotations
    (
        of_disconnected,
        system_event("connect"),
        "parameter 'request' is annotated DisconnectedEventRequest, but the connect event brings "
        "ConnectEventRequest: annotate it ConnectEventRequest, or set event_name='disconnected'",
    ),
    (
        of_disconnected_or_none,
        system_event("connected"),
        "parameter 'request' is annotated DisconnectedEventRequest, but the connected event brings "
        "ConnectedEventRequest: annotate it ConnectedEventRequest, or set event_name='disconnected'",
    ),
    (
        of_two_others,
        system_event("connect"),
        "parameter 'request' is annotated UserEventRequest | DisconnectedEventRequest, but the connect event "
        "brings ConnectEventRequest: annotate it ConnectEventRequest, or set event_name='disconnected'",
    ),
    (
        of_optional_user,
        system_event("disconnected"),
        "parameter 'request' is annotated UserEventRequest, but the disconnected event brings "
        "DisconnectedEventRequest: annotate it DisconnectedEventRequest, or set event_type='user'",
    ),
    (
        of_nested_string,
        system_event("connect"),
        "parameter 'request' is annotated UserEventRequest, but the connect event brings "
        "ConnectEventRequest: "
        "annotate it ConnectEventRequest, or set event_type='user'",
    ),
    (
        of_json_text,
        user_event(),
        "parameter 'request' is annotated str, but the user event brings UserEventRequest: annotate it "
        "UserEventRequest",
    ),
    (
        of_list,
        user_event(),
        "parameter 'request' is annotated list, but the user event brings UserEventRequest: annotate it "
        "UserEventRequest",
    ),
    (
        of_none,
        user_event(),
        "parameter 'request' is annotated None, but the user event brings UserEventRequest: annotate it "
        "UserEventRequest",
    ),
    (
        request_only,
        system_event("%Event%"),
        "parameter 'request' is annotated UserEventRequest, but the webPubSubTrigger binding brings "
        "ConnectEventRequest or ConnectedEventRequest or DisconnectedEventRequest: annotate it "
        "ConnectEventRequest or ConnectedEventRequest or DisconnectedEventRequest, or set event_type='user'",
    ),
    (
        with_action_list,
        output(),
        "parameter 'actions' is annotated list, but the webPubSub binding brings Actions: annotate "
        "it Actions",
    ),
    (
        with_connection_text,
        connection_input(),
        "parameter 'connection' is annotated str, but the webPubSubConnection binding brings "
        "WebPubSubConnection: annotate it WebPubSubConnection",
    ),
    (
        with_wps_context,
        context_input(),
        "parameter 'wps_context' is annotated WebPubSubConnection, but the webPubSubContext binding brings "
        "WebPubSubContext: annotate it WebPubSubContext",
    ),
    (
        takes_claims,
        user_event(),
        "parameter 'claims' has no value in the user event: expected any of 'connection_context', 'data', "
        "'data_type'; 'claims' comes with connect only",
    ),
    (
        takes_data,
        system_event("disconnected"),
        "parameter 'data' has no value in the disconnected event: expected any of 'connection_context', "
        "'reason'; 'data' comes with user only",
    ),
    (
        returns_connect,
        user_event(),
        "it is annotated to return ConnectEventResponse, which cannot answer the user event: expected "
        "UserEventResponse or EventErrorResponse",
    ),
    (
        returns_user,
        system_event("connect"),
        "it is annotated to return UserEventResponse, which cannot answer the connect event: expected "
        "ConnectEventResponse or EventErrorResponse",
    ),
    (
        returns_error,
        system_event("connected"),
        "it is annotated to return EventErrorResponse, which cannot answer the connected event: expected "
        "nothing, as nobody waits for an answer",
    ),
]


@pytest.mark.parametrize(("function", "decorator", "problem"), AT_DECORATION)
def test_a_mistake_is_found_at_decoration(function: Any, decorator: Any, problem: str) -> None:
    with pytest.raises(wps.FunctionError) as raised:
        decorator(wps.FunctionApp())(function)
    if isinstance(function, functools.partial):
        name, where = "partial", "(no file)"
    else:
        name, where = function.__name__, f"{__file__}:{function.__code__.co_firstlineno}"
    assert str(raised.value) == f"{where}: function '{name}': {problem}"


STACKED: list[tuple[Any, list[Any], str]] = [
    (
        request_only,
        [user_event(), user_event(event_name="other")],
        "it has two triggers: expected one; make one function for each event",
    ),
    (
        untyped,
        [lambda app: app.generic_trigger(arg_name="other", type="x"), user_event()],
        "it has two triggers: expected one; make one function for each event",
    ),
    (
        with_actions,
        [output(hub="a"), output(hub="b")],
        "two bindings are called 'actions': give one of them another name",
    ),
    (
        with_actions,
        [lambda app: app.generic_output_binding(arg_name="ACTIONS", type="x"), output()],
        "two bindings are called 'actions': give one of them another name",
    ),
    (
        request_only,
        [lambda app: app.generic_output_binding(arg_name="$return", type="webPubSub"), user_event()],
        "the webPubSub binding takes the return value, which answers the trigger's event: name a parameter "
        "for it",
    ),
    (
        request_only,
        [lambda app: app.generic_output_binding(arg_name="groups", type="queue"), user_event()],
        f"the output is called 'groups', {COLLISION}",
    ),
]


@pytest.mark.parametrize(("function", "decorators", "problem"), STACKED)
def test_decorators_that_do_not_go_together(function: Any, decorators: list[Any], problem: str) -> None:
    app = wps.FunctionApp()
    *fine, last = decorators
    for decorator in fine:
        function = decorator(app)(function)
    with pytest.raises(wps.FunctionError) as raised:
        last(app)(function)
    assert raised.value.problem == problem


@pytest.mark.parametrize("decorator", [user_event(), context_input(arg_name="request")])
@pytest.mark.parametrize("filled", [False, True])
def test_decorators_of_different_apps(decorator: Any, filled: bool) -> None:
    app, blueprint = wps.FunctionApp(), wps.Blueprint()
    if filled:
        user_event()(app)(nothing)

    def handle(request: Any, actions: wps.Actions) -> None: ...

    decorated = blueprint.web_pubsub_output()(handle)
    with pytest.raises(wps.FunctionError) as raised:
        decorator(app)(decorated)
    assert raised.value.problem == (
        "its decorators are of different apps: expected one stack, all of one app or blueprint"
    )


def of_base(request: wps.EventRequest) -> None: ...
def of_union(request: wps.ConnectEventRequest | wps.UserEventRequest) -> None: ...
def of_object(request: object) -> None: ...
def of_any(request: Any) -> None: ...
def of_protocol(request: HasData) -> None: ...
def of_type_variable(request: T) -> T:
    return request


def of_unknown(request: Unknown) -> None: ...
def of_string(request: "wps.UserEventRequest") -> None: ...  # noqa: UP037
def of_out(request: wps.UserEventRequest, actions: func.Out[list[wps.Action]]) -> None: ...


@pytest.mark.parametrize(
    "function",
    [of_base, of_union, of_object, of_any, of_protocol, of_type_variable, of_unknown, of_string, untyped],
)
def test_annotations_that_can_hold_the_event(function: Any) -> None:
    app = wps.FunctionApp()
    user_event()(app)(function)
    assert len(app.get_functions()) == 1


def test_an_output_may_be_annotated_as_the_librarys_own() -> None:
    app = wps.FunctionApp()
    user_event()(app)(output()(app)(of_out))
    assert len(app.get_functions()) == 1


# --- when the app is indexed ------------------------------------------------------------------------------


def timer(app: Any) -> Callable[..., Any]:
    return app.timer_trigger(arg_name="timer", schedule="0 * * * * *")  # type: ignore[no-any-return]


def tick(timr: func.TimerRequest, actions: wps.Actions) -> None: ...
def late(request: wps.UserEventRequest, rows: str) -> None: ...
def spare(request: wps.UserEventRequest, limit: int = 5) -> None: ...
def reversed_names(msg: str, ctx: str) -> None: ...
def data_twice(data: str) -> None: ...
def settling(message: func.ServiceBusMessage, actions: wps.Actions, client: HasData) -> None: ...


AT_INDEXING: list[tuple[Any, list[Any], list[str]]] = [
    (
        tick,
        [output(), timer],
        [
            "parameter 'timr' has no binding: expected one of 'timer', 'context'; rename or remove "
            "it, or add "
            "the binding that fills it; did you mean 'timer'?"
        ],
    ),
    (
        misnamed,
        [user_event()],
        [
            "parameter 'reqest' has no binding: expected one of 'request', 'connection_context', 'data', "
            "'data_type', 'context'; rename or remove it, or add the binding that fills it; did you mean "
            "'request'?"
        ],
    ),
    (
        spare,
        [user_event()],
        [
            "parameter 'limit' has no binding: expected one of 'connection_context', 'data', 'data_type', "
            "'context'; rename or remove it, or add the binding that fills it"
        ],
    ),
    (
        reversed_names,
        [system_event("connected")],
        [
            f"parameter '{name}' has no binding: expected one of 'request', 'connection_context', 'context'; "
            f"rename or remove it, or add the binding that fills it{hint}"
            for name, hint in (("msg", ""), ("ctx", "; did you mean 'context'?"))
        ],
    ),
    (
        request_only,
        [user_event(), lambda app: app.generic_input_binding(arg_name="rows", type="sql")],
        ["the sql binding has no parameter: add a parameter 'rows', or remove the binding"],
    ),
    (
        data_twice,
        [user_event(), lambda app: app.generic_input_binding(arg_name="data", type="sql")],
        [
            "a binding is called 'data', which is what the host calls the message of a user event: give it "
            "another name"
        ],
    ),
    (
        with_actions,
        [
            output(),
            user_event(),
            lambda app: app.generic_output_binding(arg_name="$return", type="webPubSub"),
        ],
        [
            "the webPubSub binding takes the return value, which answers the trigger's event: name "
            "a parameter "
            "for it"
        ],
    ),
]


@pytest.mark.parametrize(("function", "decorators", "problems"), AT_INDEXING)
def test_a_mistake_is_found_at_indexing(function: Any, decorators: list[Any], problems: list[str]) -> None:
    app = wps.FunctionApp()
    decorated = function
    for decorator in decorators:
        decorated = decorator(app)(decorated)
    with pytest.raises(wps.FunctionErrors) as raised:
        app.get_functions()
    assert [error.problem for error in raised.value.errors] == problems


def test_all_functions_are_judged_at_once_by_the_names_they_have_in_the_app() -> None:
    app, blueprint = wps.FunctionApp(), func.Blueprint()  # type: ignore[no-untyped-call]
    user_event()(app)(misnamed)
    app.function_name("Clock")(timer(app)(output()(app)(tick)))
    wps.web_pubsub_trigger(blueprint, event_type="user", event_name="x")(spare)
    user_event(event_name="fine")(app)(request_only)
    app.register_functions(blueprint)
    with pytest.raises(wps.FunctionErrors) as raised:
        app.get_functions()
    assert [error.function for error in raised.value.errors] == ["misnamed", "Clock", "spare"]
    lines = str(raised.value).splitlines()
    assert lines == [str(error) for error in raised.value.errors]
    assert lines[1].startswith(
        f"{__file__}:{tick.__code__.co_firstlineno}: function 'Clock': parameter 'timr'"
    )


@pytest.mark.parametrize("decorator", [user_event(), system_event("connect"), system_event("connected")])
def test_the_union_of_all_answers_promises_nothing(decorator: Any) -> None:
    app = wps.FunctionApp()
    decorator(app)(returns_any)
    assert len(app.get_functions()) == 1


def test_a_parameter_bound_further_up_is_fine() -> None:
    app = wps.FunctionApp()
    decorated = user_event()(app)(late)
    app.generic_input_binding(arg_name="rows", type="sql")(decorated)
    assert len(app.get_functions()) == 1


def test_the_settlement_client_of_a_service_bus_function_is_left_to_the_worker() -> None:
    app = wps.FunctionApp()
    decorated = app.service_bus_queue_trigger(arg_name="message", queue_name="q", connection="C")(
        output()(app)(settling)
    )
    assert len(app.get_functions()) == 1
    assert decorated is not None


def test_untyped_functions_are_left_to_the_worker() -> None:
    app = wps.FunctionApp()

    @app.generic_trigger(arg_name="request", type="webPubSubTrigger", eventType="user", eventName="x")
    def untyped_function(request: str, more: str) -> None: ...

    assert len(app.get_functions()) == 1


def test_what_the_library_refuses_stays_its_own_error() -> None:
    app = wps.FunctionApp()
    output()(app)(with_actions)
    with pytest.raises(ValueError, match="does not have a trigger"):
        app.get_functions()
