"""What a trigger function returns, and the JSON the extension takes."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest

from kit.event_values import connect, connected, disconnected, user
from webpubsub.functions.host_json import decode_response, encode_response
from webpubsub.model.actions import SendToAllAction
from webpubsub.model.errors import InvalidData, UsageError
from webpubsub.model.events import (
    ConnectEventResponse,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    UserEventResponse,
)
from webpubsub.model.payload import Payload, WebPubSubDataType


@dataclasses.dataclass
class Point:
    x: int


def cleared(response: Any, **states: Any) -> Any:
    response.clear_states()
    for name, value in states.items():
        response.set_state(name, value)
    return response


TYPED = UserEventResponse("typed")

USER_RETURNS: list[tuple[Any, EventResponse | None]] = [
    (None, None),
    (TYPED, TYPED),
    ("hi", UserEventResponse("hi")),
    ("", UserEventResponse("")),
    ('{"data": "still text"}', UserEventResponse('{"data": "still text"}')),
    (b"\x00\xff", UserEventResponse(b"\x00\xff")),
    ([1, "a"], UserEventResponse([1, "a"])),
    (5, UserEventResponse(5)),
    (1.5, UserEventResponse(1.5)),
    (True, UserEventResponse(True)),
    (Point(1), UserEventResponse({"x": 1})),
    ({}, UserEventResponse({})),
    ({"answer": 42}, UserEventResponse({"answer": 42})),
    ({"data": "hi"}, UserEventResponse("hi")),
    ({"data": "hi", "dataType": "text"}, UserEventResponse("hi")),
    ({"DATA": "hi", "DataType": "TEXT"}, UserEventResponse("hi")),
    ({"data": '{"a":1}', "dataType": "json"}, UserEventResponse({"a": 1})),
    ({"data": '{"a":1}', "dataType": 1}, UserEventResponse({"a": 1})),
    ({"data": {"a": 1}}, UserEventResponse({"a": 1})),
    ({"data": b"\x00"}, UserEventResponse(b"\x00")),
    ({"data": "hi", "dataType": "binary"}, UserEventResponse(b"hi")),
    ({"data": {"type": "Buffer", "data": [1]}, "dataType": "binary"}, UserEventResponse(b"\x01")),
    ({"data": None}, UserEventResponse()),
    ({"dataType": "text"}, UserEventResponse()),
    ({"states": {"a": None}}, UserEventResponse(states={"a": None})),
    ({"data": "hi", "states": {"n": 2}}, UserEventResponse("hi", states={"n": 2})),
    ({"data": "hi", "states": None}, UserEventResponse("hi")),
    ({"code": "success", "data": "hi"}, UserEventResponse("hi")),
    ({"code": -1, "data": "hi"}, UserEventResponse("hi")),
    ({"code": "userError", "errorMessage": "no"}, EventErrorResponse("userError", "no")),
    ({"code": "SERVERERROR"}, EventErrorResponse("serverError")),
    ({"code": 0, "errorMessage": "no"}, EventErrorResponse("unauthorized", "no")),
    (EventErrorResponse("unauthorized", "no"), EventErrorResponse("unauthorized", "no")),
]

CONNECT_RETURNS: list[tuple[Any, EventResponse | None]] = [
    (None, None),
    (ConnectEventResponse(user_id="bob"), ConnectEventResponse(user_id="bob")),
    ({}, ConnectEventResponse()),
    (
        {"userId": "bob", "groups": ["g"], "subprotocol": "p", "roles": [], "other": 1},
        ConnectEventResponse(user_id="bob", groups=["g"], subprotocol="p", roles=[]),
    ),
    ({"USERID": "bob", "groups": ("g",)}, ConnectEventResponse(user_id="bob", groups=["g"])),
    ({"states": {"a": 1}}, ConnectEventResponse(states={"a": 1})),
    ('{"userId": "bob"}', ConnectEventResponse(user_id="bob")),
    (b'{"userId": "bob"}', ConnectEventResponse(user_id="bob")),
    ({"code": "unauthorized", "errorMessage": "no"}, EventErrorResponse("unauthorized", "no")),
    ({"code": 2}, EventErrorResponse("serverError")),
]


def same(found: EventResponse | None, expected: EventResponse | None) -> bool:
    """Whether two responses are the same on the wire."""
    return type(found) is type(expected) and encode_response(found) == encode_response(expected)


@pytest.mark.parametrize(("returned", "response"), USER_RETURNS)
def test_returns_of_a_user_event(returned: Any, response: EventResponse | None) -> None:
    assert same(decode_response(user(), returned), response)


@pytest.mark.parametrize(("returned", "response"), CONNECT_RETURNS)
def test_returns_of_a_connect_event(returned: Any, response: EventResponse | None) -> None:
    assert same(decode_response(connect(), returned), response)


@pytest.mark.parametrize("request_", [connected(), disconnected()])
@pytest.mark.parametrize("returned", [None, "text", {"code": "userError"}, 5, b"", [1]])
def test_returns_nobody_waits_for_are_ignored(request_: EventRequest, returned: Any) -> None:
    assert decode_response(request_, returned) is None


def test_an_event_of_an_unknown_kind_has_no_answer() -> None:
    assert decode_response(None, "anything") is None


def test_a_typed_response_keeps_its_exact_bytes() -> None:
    payload = Payload(b'{"a": 1.50}', WebPubSubDataType.JSON)
    assert decode_response(user(), payload) == UserEventResponse(payload)


CONNECT_EXPECTED = "expected None, ConnectEventResponse, EventErrorResponse or a dict"
AS_JSON = "; to send such a dict as JSON, return UserEventResponse(...) of it"


@pytest.mark.parametrize(
    ("request_", "returned", "text"),
    [
        (
            connected(),
            EventErrorResponse("userError", "no"),
            "nobody waits for an answer to the connected event: expected None, found "
            "EventErrorResponse(code=<WebPubSubErrorCode.USER_ERROR: 'userError'>, error_m... "
            "(EventErrorResponse); return nothing",
        ),
        (connect(), 5, f"the connect event cannot be answered with 5 (int): {CONNECT_EXPECTED}"),
        (connect(), "ok", f"the connect event cannot be answered with 'ok' (str): {CONNECT_EXPECTED}"),
        (connect(), "[]", f"the connect event cannot be answered with '[]' (str): {CONNECT_EXPECTED}"),
        (connect(), [], f"the connect event cannot be answered with [] (list): {CONNECT_EXPECTED}"),
        (
            connect(),
            {"user_id": "bob"},
            "the connect event cannot be answered with {'user_id': 'bob'} (dict): expected any of userId, "
            "groups, subprotocol, roles, states, clearStates, code, errorMessage; did you mean 'userId'?",
        ),
        (connect(), {"userId": 5}, "'userId' is 5 (int): expected a string"),
        (connect(), {"groups": "g"}, "'groups' is 'g' (str): expected a list of strings"),
        (connect(), {"roles": [1]}, "'roles' is [1] (list): expected a list of strings"),
        (
            user(),
            ConnectEventResponse(user_id="bob"),
            "the user event cannot be answered with ConnectEventResponse(user_id='bob', groups=None, "
            "subprotocol=None, roles=None... (ConnectEventResponse): expected UserEventResponse or "
            "EventErrorResponse",
        ),
        (
            user(),
            SendToAllAction("hi"),
            "the user event cannot be answered with an action (SendToAllAction): take a parameter 'actions' "
            "with web_pubsub_output and call actions.add(...)",
        ),
        (user(), {"states": "x"}, "'states' is 'x' (str): expected an object of names and JSON values"),
        (
            user(),
            {"errorMessage": "no"},
            "the answer has an 'errorMessage' but no 'code': expected one of 'unauthorized', 'userError', "
            f"'serverError'{AS_JSON}",
        ),
        (
            user(),
            {"code": 404},
            f"error code 404 is not one of 'unauthorized', 'userError', 'serverError'{AS_JSON}",
        ),
        (
            user(),
            {"code": "userError", "errorMessage": 5},
            f"'errorMessage' is 5 (int): expected a string{AS_JSON}",
        ),
        (
            user(),
            {"data": {"a": 1}, "dataType": "json"},
            "the user event cannot be answered with {'data': {'a': 1}, 'dataType': 'json'} (dict): 'data' is "
            "a dict with dataType 'json': expected JSON as a string, so stringify it with "
            "json.dumps(...), or "
            "leave dataType out to send the value as its JSON",
        ),
    ],
)
def test_impossible_returns(request_: EventRequest, returned: Any, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        decode_response(request_, returned)
    assert str(raised.value) == text


@pytest.mark.parametrize("returned", [object(), func.HttpResponse("hi"), user(), {"data": object()}])
def test_what_has_no_json_form_is_impossible(returned: Any) -> None:
    with pytest.raises(UsageError, match="has no JSON form"):
        decode_response(user(), returned)


@pytest.mark.parametrize(
    ("response", "written"),
    [
        (None, "null"),
        (UserEventResponse(), "null"),
        (UserEventResponse("hi"), '{"data": "hi", "dataType": "text"}'),
        (UserEventResponse({"a": 1}), '{"data": "{\\"a\\":1}", "dataType": "json"}'),
        (UserEventResponse(None, "json"), '{"data": "null", "dataType": "json"}'),
        (UserEventResponse(b"\x01"), '{"data": {"type": "Buffer", "data": [1]}, "dataType": "binary"}'),
        (
            UserEventResponse("hi", states={"n": 1}),
            '{"data": "hi", "dataType": "text", "states": {"n": 1}}',
        ),
        (ConnectEventResponse(), "null"),
        (
            ConnectEventResponse(user_id="bob", groups=["g"], subprotocol="p", roles=[]),
            '{"userId": "bob", "groups": ["g"], "subprotocol": "p", "roles": []}',
        ),
        (ConnectEventResponse(states={"n": None}), '{"states": {"n": null}}'),
        (EventErrorResponse("userError"), '{"code": "userError", "errorMessage": ""}'),
        (EventErrorResponse("unauthorized", "no"), '{"code": "unauthorized", "errorMessage": "no"}'),
    ],
)
def test_responses_are_written(response: EventResponse | None, written: str) -> None:
    # The worker writes the dict with the standard library's json.
    assert json.dumps(encode_response(response)) == written


def test_states_that_only_msgspec_can_write_are_made_plain() -> None:
    response = UserEventResponse(states={"at": datetime(2026, 1, 2, tzinfo=UTC), "p": Point(1)})
    assert encode_response(response) == {"states": {"at": "2026-01-02T00:00:00Z", "p": {"x": 1}}}


def test_states_without_a_json_form_are_refused() -> None:
    with pytest.raises(InvalidData, match="state 'a' has no JSON form"):
        encode_response(UserEventResponse(states={"a": object()}))


def test_cleared_states_are_null_for_the_extension_which_merges() -> None:
    response = cleared(UserEventResponse(), b=3)
    assert encode_response(response, user(a=1, b=2)) == {"states": {"a": None, "b": 3}, "clearStates": True}


def test_cleared_states_without_the_request_are_only_flagged() -> None:
    assert encode_response(cleared(ConnectEventResponse())) == {"states": {}, "clearStates": True}


def test_cleared_states_are_deleted_where_they_can_be() -> None:
    request = user(a=1, b=2)
    written = encode_response(cleared(UserEventResponse("x"), b=3, new=None), request)
    found = decode_response(request, written)
    assert isinstance(found, UserEventResponse)
    assert found.states_cleared is True
    assert found.states == {"b": 3, "new": None}


def test_clear_states_must_be_true() -> None:
    found = decode_response(connect(), {"clearStates": "yes", "states": {"a": None}})
    assert found == ConnectEventResponse(states={"a": None})
