"""Requests and responses of the event protocol."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from webpubsub.model.errors import InvalidData, UsageError
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    EventErrorResponse,
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubErrorCode,
    WebPubSubEventType,
)
from webpubsub.model.http import Headers
from webpubsub.model.names import ConnectionId, EventName, HubName
from webpubsub.model.payload import Payload, WebPubSubDataType

CONTEXT = WebPubSubConnectionContext(
    event_type=WebPubSubEventType.USER,
    event_name=EventName("message"),
    hub=HubName("chat"),
    connection_id=ConnectionId("c1"),
)


@pytest.mark.parametrize(
    ("code", "status"),
    [("unauthorized", 401), ("userError", 400), ("serverError", 500), ("UNAUTHORIZED", 401)],
)
def test_an_error_code_decides_the_status(code: str, status: int) -> None:
    response = EventErrorResponse(code, "no")
    assert isinstance(response.code, WebPubSubErrorCode)
    assert (response.status, response.code.status) == (status, status)
    assert ConnectEventRequest(CONTEXT).create_error_response(code, "no") == response


@pytest.mark.parametrize("code", ["forbidden", "", None, 401])
def test_another_error_code_is_refused(code: Any) -> None:
    with pytest.raises(UsageError):
        EventErrorResponse(code)


@pytest.mark.parametrize("text", ["system", "System", "SYSTEM"])
def test_event_types_have_no_case(text: str) -> None:
    assert WebPubSubEventType(text) is WebPubSubEventType.SYSTEM


def test_a_connect_request_is_accepted_with_overrides() -> None:
    response = ConnectEventRequest(CONTEXT).create_response("bob", ["g"], "proto", ["r"])
    assert response == ConnectEventResponse(user_id="bob", groups=["g"], subprotocol="proto", roles=["r"])
    assert ConnectEventRequest(CONTEXT).create_response() == ConnectEventResponse()


def test_a_user_request_shows_its_message() -> None:
    request = UserEventRequest(CONTEXT, Payload(b'{"a":1}', WebPubSubDataType.JSON))
    assert (request.data, request.data_type) == ({"a": 1}, "json")
    with pytest.raises(InvalidData):
        _ = UserEventRequest(CONTEXT, Payload(b"\xff", WebPubSubDataType.TEXT)).data


def test_metadata_of_a_user_event_is_among_its_headers() -> None:
    context = msgspec.structs.replace(CONTEXT, headers=Headers([(b"x-webpubsub-metadata-trace", b"1")]))
    assert UserEventRequest(context, Payload.of("hi")).metadata == {"trace": "1"}
    assert UserEventRequest(CONTEXT, Payload.of("hi")).metadata == {}


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        ((), None),
        ((None,), None),
        (("hi",), Payload(b"hi", WebPubSubDataType.TEXT)),
        ((b"hi",), Payload(b"hi", WebPubSubDataType.BINARY)),
        (({"a": 1},), Payload(b'{"a":1}', WebPubSubDataType.JSON)),
        (("hi", "json"), Payload(b'"hi"', WebPubSubDataType.JSON)),
        ((None, "json"), Payload(b"null", WebPubSubDataType.JSON)),
    ],
)
def test_a_user_request_is_answered_with_a_message(
    arguments: tuple[Any, ...], payload: Payload | None
) -> None:
    response = UserEventRequest(CONTEXT, Payload.of("hi")).create_response(*arguments)
    assert response.payload == payload
    assert response.data_type == (None if payload is None else payload.data_type)


@pytest.mark.parametrize("arguments", [(object(),), (b"x", "text"), ("x", "xml")])
def test_an_impossible_message_is_refused_where_it_is_made(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidData):
        UserEventResponse(*arguments)


@pytest.mark.parametrize("response", [UserEventResponse("hi"), ConnectEventResponse()])
def test_states_are_set_and_cleared(response: ConnectEventResponse | UserEventResponse) -> None:
    response.set_state("a", 1)
    assert (response.states, response.states_cleared) == ({"a": 1}, False)
    response.clear_states()
    response.set_state("b", [2])
    assert (response.states, response.states_cleared) == ({"b": [2]}, True)


def test_responses_do_not_share_their_states() -> None:
    first = UserEventResponse()
    first.set_state("a", 1)
    assert UserEventResponse().states == {}
