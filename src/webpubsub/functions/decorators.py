"""The four decorators, for any app or blueprint of ``azure.functions``.

Each is declared with the library's public generic decorators, after the function has been put behind its
adapter. The one private thing touched is ``builder._function``: its function is replaced by the adapter's
wrapper, as the library does for its own adapters.

Source: extension spec, section 1; Functions in Python spec, sections 2 and 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, Protocol, TypeVar

from azure.functions.decorators.function_app import FunctionBuilder

from webpubsub.functions.adapter import Adapter, adapter_of
from webpubsub.functions.binding_members import event_kind, parse_event_type, written_members
from webpubsub.functions.bindings import CONNECTION, CONTEXT, DATA_TRIGGER, OUTPUT, TRIGGER, Binding
from webpubsub.functions.checks import binding_problems, stack_problems
from webpubsub.functions.converter import has_converter
from webpubsub.functions.user_function import is_collected
from webpubsub.model.errors import FunctionError, FunctionErrors, UsageError
from webpubsub.model.events import WebPubSubEventType

F = TypeVar("F", bound=Callable[..., Any])

_Generic = Callable[..., Callable[..., Any]]


class FunctionContainer(Protocol):
    """Any function app or blueprint."""

    def generic_trigger(self, arg_name: str, type: str, **kwargs: Any) -> Callable[..., Any]:
        """Add any trigger."""

    def generic_input_binding(self, arg_name: str, type: str, **kwargs: Any) -> Callable[..., Any]:
        """Add any input."""

    def generic_output_binding(self, arg_name: str, type: str, **kwargs: Any) -> Callable[..., Any]:
        """Add any output."""


def web_pubsub_trigger(
    app: FunctionContainer,
    *,
    event_type: WebPubSubEventType | str,
    event_name: str,
    hub: str | None = None,
    arg_name: str = "request",
    connection: str | None = None,
    connections: Iterable[str] | None = None,
    client_protocols: str | None = None,
) -> Callable[[F], F]:
    """Run the function for one event of a hub; what it returns answers the event.

    Beside the request the function may take, by name, ``connection_context`` and: ``data`` and
    ``data_type`` of a user event; ``claims``, ``query``, ``subprotocols`` and ``client_certificates`` of
    connect; ``reason`` of disconnected. It may also do without the request.

    A connect event is answered with `ConnectEventResponse`, `EventErrorResponse`, a dict in the extension's
    form, or None. A user event also with ``str`` (sent as text), ``bytes`` (binary) or any other JSON value.
    Nobody waits for an answer to connected and disconnected.

    Args:
        app: The app or blueprint of all decorators of the function.
        event_type: ``system`` or ``user``.
        event_name: ``connect``, ``connected``, ``disconnected``, or the name of a user event (``message``
            for what plain clients send); or a ``%setting%``.
        hub: The hub, or a ``%setting%``; None takes the setting ``WebPubSubHub``.
        arg_name: The parameter that gets the request.
        connection: Name of the connection to check events with.
        connections: Names of several; None takes ``WebPubSubConnectionString``.
        client_protocols: ``all``, ``webPubSub`` or ``mqtt``; None is ``all``. With ``mqtt`` the request of a
            system event is of its Mqtt class, such as `MqttConnectEventRequest`. With ``all`` it may be, and
            is also one of the plain class. A function for one protocol comes before one for all.

    Raises:
        FunctionError: From the decoration: function and binding can never work together.

    Example:
        >>> @app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
        ... def message(request: UserEventRequest) -> str:
        ...     return f"you said {request.data}"
    """

    def declare() -> Binding:
        kind = parse_event_type(event_type)
        event = event_kind(kind, event_name)
        members = written_members(
            TRIGGER.type,
            hub=hub,
            event_type=kind.value,
            event_name=event.name if event and kind is WebPubSubEventType.SYSTEM else event_name,
            connections=_connections(connection, connections),
            client_protocols=client_protocols,
        )
        if kind is WebPubSubEventType.USER and has_converter():
            return Binding(DATA_TRIGGER, arg_name, {"data_type": "binary", **members}, event)
        return Binding(TRIGGER, arg_name, members, event)

    return _decorator(app.generic_trigger, declare)


def web_pubsub_output(
    app: FunctionContainer,
    *,
    hub: str | None = None,
    arg_name: str = "actions",
    connection: str | None = None,
) -> Callable[[F], F]:
    """Give the function an `Actions`: what it tells the service to do once it has returned.

    Args:
        app: The app or blueprint of all decorators of the function.
        hub: The hub, a ``%setting%`` or a ``{binding expression}``; None takes the setting ``WebPubSubHub``.
        arg_name: The parameter that gets the actions.
        connection: Name of the connection; None takes ``WebPubSubConnectionString``.

    Raises:
        FunctionError: From the decoration: function and binding can never work together.

    Example:
        >>> @app.timer_trigger(arg_name="timer", schedule="*/10 * * * * *")
        ... @app.web_pubsub_output(hub="chat")
        ... def tick(timer: func.TimerRequest, actions: Actions) -> None:
        ...     actions.send_to_all("tick")
    """

    def declare() -> Binding:
        return Binding(OUTPUT, arg_name, written_members(OUTPUT.type, hub=hub, connection=connection))

    return _decorator(app.generic_output_binding, declare)


def web_pubsub_connection_input(
    app: FunctionContainer,
    *,
    hub: str | None = None,
    arg_name: str = "connection",
    user_id: str | None = None,
    connection: str | None = None,
    client_protocol: str | None = None,
    roles: Iterable[str] | None = None,
    groups: Iterable[str] | None = None,
    expires_after: float | timedelta | None = None,
) -> Callable[[F], F]:
    """Give the function a `WebPubSubConnection`: URL and token for one client.

    The Azure Functions host ignores ``roles``, ``groups`` and ``expires_after``: there a client has no
    roles, no groups and an hour. The host of this package honours them.

    Args:
        app: The app or blueprint of all decorators of the function.
        hub: The hub, a ``%setting%`` or a ``{binding expression}``; None takes the setting ``WebPubSubHub``.
        arg_name: The parameter that gets the connection.
        user_id: Who the client is, most often an expression: ``{query.userId}``. None is anonymous.
        connection: Name of the connection; None takes ``WebPubSubConnectionString``.
        client_protocol: ``default`` or ``mqtt``, which clients of MQTT have a URL of their own for; None is
            ``default``.
        roles: Roles of the client, such as ``webpubsub.joinLeaveGroup.lobby``. Not on Azure.
        groups: Groups it is in from the start. Not on Azure.
        expires_after: How long the token can be used to connect, in seconds or as a timedelta. Not on Azure.

    Raises:
        FunctionError: From the decoration: function and binding can never work together.

    Example:
        >>> @app.route(route="negotiate")
        ... @app.web_pubsub_connection_input(hub="chat", user_id="{query.userId}")
        ... def negotiate(req: func.HttpRequest, connection: WebPubSubConnection) -> func.HttpResponse:
        ...     return func.HttpResponse(connection.url)
    """

    def declare() -> Binding:
        members = written_members(
            CONNECTION.type,
            hub=hub,
            user_id=user_id,
            connection=connection,
            client_protocol=client_protocol,
            roles=roles,
            groups=groups,
            expires_after=expires_after,
        )
        return Binding(CONNECTION, arg_name, members)

    return _decorator(app.generic_input_binding, declare)


def web_pubsub_context_input(
    app: FunctionContainer,
    *,
    arg_name: str = "wps_context",
    connection: str | None = None,
    connections: Iterable[str] | None = None,
) -> Callable[[F], F]:
    """Give a function with an HTTP trigger a `WebPubSubContext`: the service's request, parsed and checked.

    The function builds the whole HTTP answer; `http_response` does that for it.

    Args:
        app: The app or blueprint of all decorators of the function.
        arg_name: The parameter that gets the context.
        connection: Name of the connection to check requests with.
        connections: Names of several; None takes ``WebPubSubConnectionString``.

    Raises:
        FunctionError: From the decoration: function and binding can never work together.

    Example:
        >>> @app.route(route="{event}")
        ... @app.web_pubsub_context_input()
        ... def upstream(req: func.HttpRequest, wps_context: WebPubSubContext) -> func.HttpResponse:
        ...     if isinstance(wps_context.request, UserEventRequest):
        ...         return http_response(wps_context, f"you said {wps_context.request.data}")
        ...     return http_response(wps_context)
    """

    def declare() -> Binding:
        members = written_members(CONTEXT.type, connections=_connections(connection, connections))
        return Binding(CONTEXT, arg_name, members)

    return _decorator(app.generic_input_binding, declare)


def _connections(connection: str | None, connections: Iterable[str] | None) -> Iterable[str] | None:
    """Return the plural member: extensions before 1.10.2 ignore the singular one; with both it loses."""
    return connections or ([connection] if connection else None)


def _decorator(generic: _Generic, declare: Callable[[], Binding]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        try:
            return _decorated(function, generic, declare)  # type: ignore[no-any-return]
        except (FunctionError, FunctionErrors) as refusal:
            if not is_collected(refusal):
                raise
            return function

    return decorate


def _decorated(function: Any, generic: _Generic, declare: Callable[[], Binding]) -> Any:
    builder = function if isinstance(function, FunctionBuilder) else None
    call = function if builder is None else builder._function.get_user_function()
    adapter = adapter_of(call) or Adapter(call)
    try:
        binding = declare()
        _bind(adapter, binding, builder)
        decorated: Any = _attach(generic, binding, builder or adapter.wrapper)
    except UsageError as error:
        raise adapter.function.error(str(error)) from error.__cause__
    _check(adapter, stack_problems(adapter, decorated._function.get_bindings()))
    decorated._function._func = adapter.wrapper
    return decorated


def _bind(adapter: Adapter, binding: Binding, builder: FunctionBuilder | None) -> None:
    stacked = [] if builder is None else builder._function.get_bindings()
    foreign = frozenset(each.name for each in stacked if each.name not in adapter.bindings)
    if binding.is_trigger and builder is not None and builder._function.get_trigger() is not None:
        raise UsageError("it has two triggers: expected one; make one function for each event")
    _check(adapter, binding_problems(adapter, binding, foreign))
    adapter.bind(binding, foreign)


def _attach(generic: _Generic, binding: Binding, function: Callable[..., Any]) -> FunctionBuilder:
    """Declare the binding; the library attaches it to the newest function of the app, whichever that is."""
    decorate = generic(arg_name=binding.name, type=binding.kind.type, **binding.members)
    try:
        decorated = decorate(function)
    except (IndexError, ValueError) as error:  # no newest function, or one that has its trigger
        raise UsageError(_DIFFERENT_APPS) from error
    if isinstance(function, FunctionBuilder) and decorated is not function:
        raise UsageError(_DIFFERENT_APPS)
    return decorated  # type: ignore[no-any-return]


_DIFFERENT_APPS: Final = (
    "its decorators are of different apps: expected one stack, all of one app or blueprint"
)


def _check(adapter: Adapter, problems: Iterable[str]) -> None:
    errors = [adapter.function.error(problem) for problem in problems]
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise FunctionErrors(*errors)
