"""Answers to events: what a trigger function returns, and the JSON the extension takes.

Source: extension spec, sections 5.1 to 5.3; differences on purpose: design, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from webpubsub.functions.did_you_mean import did_you_mean
from webpubsub.functions.event_kinds import EVENT_OF_REQUEST
from webpubsub.functions.host_json.data_json import decode_data, encode_data
from webpubsub.model.actions import Action
from webpubsub.model.errors import InvalidData, UsageError
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    UserEventResponse,
    WebPubSubErrorCode,
)
from webpubsub.model.mqtt.mqtt import MqttConnectEventErrorResponse, MqttEventErrorResponse
from webpubsub.model.mqtt.mqtt_json import AcceptedJson, ErrorJson
from webpubsub.model.mqtt_events import MqttConnectEventResponse, check_client, is_mqtt, response_for
from webpubsub.model.payload import MALFORMED_JSON
from webpubsub.model.states import ConnectionStates

# Members that make a dict an answer: the first are found in any case, the last only as written here.
_USER_MEMBERS: Final = ("data", "dataType")
_CONNECT_MEMBERS: Final = ("userId", "groups", "subprotocol", "roles")
_COMMON_MEMBERS: Final = ("states", "clearStates", "code", "errorMessage")
_MQTT: Final = "mqtt"
RESPONSE_MEMBERS: Final = (*_USER_MEMBERS, *_CONNECT_MEMBERS, *_COMMON_MEMBERS, _MQTT)

_CODES: Final = {
    0: WebPubSubErrorCode.UNAUTHORIZED,
    1: WebPubSubErrorCode.USER_ERROR,
    2: WebPubSubErrorCode.SERVER_ERROR,
}
_SUCCESS: Final = -1

_T = TypeVar("_T")

_TYPED: Final = (ConnectEventResponse, UserEventResponse, EventErrorResponse, MqttEventErrorResponse)


# --- writing --------------------------------------------------------------------------------------------


def encode_response(
    response: EventResponse | None, request: EventRequest | None = None
) -> dict[str, Any] | None:
    """Return the JSON object the extension takes for a response; None when there is nothing to say.

    Args:
        response: What the function answered.
        request: The event. The extension merges states and cannot delete them, so a response that cleared
            them sends the request's states as null; ``"clearStates": true`` is for hosts that can.

    Raises:
        InvalidData: Data that was changed after the response was made has no wire form.
        UsageError: The response is for MQTT clients, and the event is of another.

    Example:
        >>> encode_response(UserEventResponse("hi"))
        {'data': 'hi', 'dataType': 'text'}
    """
    if request is not None:
        response = response_for(request, response)
    match response:
        case None:
            return None
        case MqttEventErrorResponse():
            return {_MQTT: msgspec.to_builtins(ErrorJson.of(response))}
        case EventErrorResponse():
            # Without a message the extension answers 500 whatever the code.
            return {"code": str(response.code), "errorMessage": response.error_message}
        case ConnectEventResponse():
            members = _connect_members(response)
        case UserEventResponse():
            members = _user_members(response)
    return (members | _state_members(response, request)) or None


def _connect_members(response: ConnectEventResponse) -> dict[str, Any]:
    members = {
        "userId": response.user_id,
        "groups": None if response.groups is None else list(response.groups),
        "subprotocol": response.subprotocol,
        "roles": None if response.roles is None else list(response.roles),
    }
    if isinstance(response, MqttConnectEventResponse):
        members[_MQTT] = msgspec.to_builtins(AcceptedJson.of(response.user_properties))
    return {name: value for name, value in members.items() if value is not None}


def _user_members(response: UserEventResponse) -> dict[str, Any]:
    payload = response.payload
    return {} if payload is None else {"data": encode_data(payload), "dataType": str(payload.data_type)}


def _state_members(
    response: ConnectEventResponse | UserEventResponse, request: EventRequest | None
) -> dict[str, Any]:
    states = dict(ConnectionStates.of(response.states))  # values that only msgspec knows become plain JSON
    if not response.states_cleared:
        return {"states": states} if states else {}
    earlier = request.connection_context.states if request is not None else ()
    return {"states": dict.fromkeys(earlier) | states, "clearStates": True}


# --- reading --------------------------------------------------------------------------------------------


def decode_response(request: EventRequest | None, value: Any) -> EventResponse | None:
    """Return the response a trigger function meant by what it returned.

    Args:
        request: The event; None for a system event this version does not know, which has no answer.
        value: A typed response, a dict in the extension's form, or None. For a user event also ``str``
            (sent as text), ``bytes`` (binary) and any other JSON value; for a connect event also the text
            of a JSON object.

    Raises:
        UsageError: The value cannot answer this event.

    Example:
        A dict without any of the extension's members is itself the JSON to send, so
        ``{"answer": 42}`` and ``{"data": "{\"answer\":42}", "dataType": "json"}`` mean the same.
    """
    if request is None:
        return None
    kind = EVENT_OF_REQUEST[type(request)]
    if not kind.responses:
        if isinstance(value, _TYPED):
            raise UsageError(
                f"nobody waits for an answer to the {kind.name} event: expected None, "
                f"found {_shown(value)}; return nothing"
            )
        return None
    if value is None:
        return None
    if isinstance(value, kind.answers):
        if type(value) not in kind.responses:  # which answer any client
            check_client(request, value)
        return value
    read = _read_connect if kind.name == "connect" else _read_user
    try:
        return read(request, value)
    except InvalidData as error:
        raise UsageError(f"the {kind.name} event cannot be answered with {_shown(value)}: {error}") from error


def _read_connect(request: EventRequest, value: Any) -> EventResponse:
    members = _json_object(value)
    if members is None:
        raise _impossible("connect", value, "None, ConnectEventResponse, EventErrorResponse or a dict")
    if members and not _is_answer(members, (*_CONNECT_MEMBERS, _MQTT)):
        expected = (*_CONNECT_MEMBERS, *_COMMON_MEMBERS)
        near = did_you_mean(next(iter(members)), expected)
        raise _impossible("connect", value, f"any of {', '.join(expected)}{near}")
    error = _error_of(members, request)
    if error is not None:
        return error
    found = {str(name).lower(): member for name, member in members.items()}
    read = {
        "user_id": _text("userId", found.get("userid")),
        "groups": _texts("groups", found.get("groups")),
        "subprotocol": _text("subprotocol", found.get("subprotocol")),
        "roles": _texts("roles", found.get("roles")),
        **_states_of(members, request),
    }
    if is_mqtt(request):
        accepted = _mqtt_member(found.get(_MQTT) or {}, AcceptedJson)
        return MqttConnectEventResponse(**read, user_properties=accepted.user_properties or ())
    return ConnectEventResponse(**read)


def _read_user(request: EventRequest, value: Any) -> EventResponse:
    if isinstance(value, str):
        return UserEventResponse(value)
    if isinstance(value, _TYPED):
        raise _impossible("user", value, "UserEventResponse or EventErrorResponse")
    if isinstance(value, Action):
        raise UsageError(
            f"the user event cannot be answered with an action ({type(value).__name__}): "
            "take a parameter 'actions' with web_pubsub_output and call actions.add(...)"
        )
    if not isinstance(value, Mapping) or not _is_answer(value, _USER_MEMBERS):
        return UserEventResponse(value)
    error = _error_of(value, request)
    if error is not None:
        return error
    found = {str(name).lower(): member for name, member in value.items()}
    states = _states_of(value, request)
    data, data_type = found.get("data"), found.get("datatype")
    if "data" not in found or (data is None and data_type is None):
        return UserEventResponse(**states)
    return UserEventResponse(decode_data(data, data_type, text_as_binary=True), **states)


def _error_of(
    members: Mapping[str, Any], request: EventRequest
) -> EventErrorResponse | MqttEventErrorResponse | None:
    if _has_mqtt_code(members):
        return _mqtt_error_of(members, request)
    code: Any = members.get("code")
    message = members.get("errorMessage")
    if code is None and message is not None:
        codes = ", ".join(repr(each.value) for each in WebPubSubErrorCode)
        raise UsageError(f"the answer has an 'errorMessage' but no 'code': expected one of {codes}{_AS_JSON}")
    if code is None or code == _SUCCESS or (isinstance(code, str) and code.lower() == "success"):
        return None
    if isinstance(code, int) and not isinstance(code, bool):
        code = _CODES.get(code, code)
    try:
        return EventErrorResponse(code, _text("errorMessage", message) or "")
    except UsageError as error:
        raise UsageError(f"{error}{_AS_JSON}") from None


def _has_mqtt_code(members: Mapping[Any, Any]) -> bool:
    mqtt = members.get(_MQTT)
    return isinstance(mqtt, Mapping) and "code" in mqtt


def _mqtt_error_of(members: Mapping[str, Any], request: EventRequest) -> MqttEventErrorResponse:
    if not is_mqtt(request):
        raise UsageError(
            f"the answer has a code in 'mqtt', and this client is not one of MQTT: expected 'code' and "
            f"'errorMessage' beside each other{_AS_JSON}"
        )
    found = _mqtt_member(members[_MQTT], ErrorJson)
    make = (
        MqttConnectEventErrorResponse if isinstance(request, ConnectEventRequest) else MqttEventErrorResponse
    )
    return make(found.code, found.reason, found.user_properties or ())


def _mqtt_member(value: Any, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"'mqtt' is {_shown(value)}: {error}") from error


_AS_JSON: Final = "; to send such a dict as JSON, return UserEventResponse(...) of it"


def _states_of(members: Mapping[str, Any], request: EventRequest) -> dict[str, Any]:
    """Return the keyword arguments of a response that are about states."""
    states = members.get("states")
    if states is None:
        states = {}
    if not isinstance(states, Mapping):
        raise UsageError(f"'states' is {_shown(states)}: expected an object of names and JSON values")
    if members.get("clearStates") is not True:
        return {"states": dict(states)}
    # Null stands for "delete" where states can only be merged; here they are deleted.
    earlier = request.connection_context.states
    kept = {name: value for name, value in states.items() if value is not None or name not in earlier}
    return {"states": kept, "states_cleared": True}


def _json_object(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, str | bytes | bytearray):
        try:
            value = msgspec.json.decode(value)
        except MALFORMED_JSON:
            return None
    return value if isinstance(value, Mapping) else None


def _is_answer(members: Mapping[Any, Any], any_case: tuple[str, ...]) -> bool:
    wanted = {name.lower() for name in any_case}
    known = any(name in _COMMON_MEMBERS or str(name).lower() in wanted for name in members)
    return known or _has_mqtt_code(members)


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise UsageError(f"'{name}' is {_shown(value)}: expected a string")


def _texts(name: str, value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return list(value)
    raise UsageError(f"'{name}' is {_shown(value)}: expected a list of strings")


def _impossible(event: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"the {event} event cannot be answered with {_shown(value)}: expected {expected}")


def _shown(value: Any) -> str:
    shown = repr(value)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    return f"{shown} ({type(value).__name__})"
