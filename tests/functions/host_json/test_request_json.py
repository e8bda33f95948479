"""Events as the host's JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.event_values import CONNECT_JSON, USER_JSON, connect, connected, disconnected, user
from webpubsub.functions.host_json import decode_request, encode_request
from webpubsub.model.errors import PeerError
from webpubsub.model.events import ClientCertificate, ConnectEventRequest, EventRequest, UserEventRequest

CONTEXT = json.loads(USER_JSON)["connectionContext"]


def described(request: EventRequest) -> Any:
    return json.loads(encode_request(request))


def test_a_user_event_is_indented_json_in_the_extensions_member_order() -> None:
    assert encode_request(user()) == USER_JSON


def test_a_connect_event_is_indented_json_in_the_extensions_member_order() -> None:
    assert encode_request(connect()) == CONNECT_JSON


def test_a_connected_event_is_its_context() -> None:
    assert list(described(connected())) == ["connectionContext"]


def test_a_disconnected_event_has_a_reason() -> None:
    found = described(disconnected("bye"))
    assert list(found) == ["reason", "connectionContext"]
    assert found["reason"] == "bye"


@pytest.mark.parametrize(
    ("data", "data_type", "members"),
    [
        ("hi", None, {"data": "hi", "dataType": "Text"}),
        ({"a": 1}, None, {"data": '{"a":1}', "dataType": "Json"}),
        (b"hi", None, {"data": "hi", "dataType": "Binary"}),
        (b"h\xff", None, {"data": "h\ufffd", "dataType": "Binary"}),
    ],
)
def test_data_is_always_a_string_for_untyped_functions(
    data: Any, data_type: str | None, members: dict[str, str]
) -> None:
    found = described(user(data, data_type))
    assert {name: found[name] for name in members} == members


def test_states_are_json_values() -> None:
    assert described(user(a=1, b="x"))["connectionContext"]["states"] == {"a": 1, "b": "x"}


@pytest.mark.parametrize("request_", [user(), user(b=[1]), connect(a=1), connected(), disconnected("")])
@pytest.mark.parametrize("form", [str, str.encode, json.loads])
def test_what_is_written_is_read_back(request_: EventRequest, form: Any) -> None:
    assert decode_request(form(encode_request(request_))) == request_


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_survives(text: str) -> None:
    assert decode_request(encode_request(user(text))) == user(text)


def test_a_request_is_taken_as_it_is() -> None:
    request = user(b"\xff")
    assert decode_request(request) is request


def test_names_are_read_in_any_case_and_as_numbers() -> None:
    found = decode_request(
        {"connectionContext": {**CONTEXT, "eventType": "USER"}, "data": "[1]", "dataType": 1}
    )
    assert isinstance(found, UserEventRequest)
    assert found.data == [1]
    numbered = decode_request({"connectionContext": {**CONTEXT, "eventType": 0, "eventName": "Connect"}})
    assert isinstance(numbered, ConnectEventRequest)


def test_a_buffer_object_is_exact_binary_data() -> None:
    found = decode_request({"connectionContext": CONTEXT, "data": {"type": "Buffer", "data": [255]}})
    assert isinstance(found, UserEventRequest)
    assert found.data == b"\xff"


def test_binary_data_as_text_is_its_utf_8() -> None:
    found = decode_request({"connectionContext": CONTEXT, "data": "hé", "dataType": "Binary"})
    assert isinstance(found, UserEventRequest)
    assert found.data == "hé".encode()


def test_no_data_is_an_empty_text() -> None:
    found = decode_request({"connectionContext": CONTEXT, "data": None})
    assert isinstance(found, UserEventRequest)
    assert found.data == ""


@pytest.mark.parametrize("name", ["Thumbprint", "thumbprint"])
def test_a_certificate_is_read_with_either_spelling(name: str) -> None:
    connect_context = {**CONTEXT, "eventType": "System", "eventName": "connect"}
    found = decode_request({"connectionContext": connect_context, "clientCertificates": [{name: "AB"}]})
    assert isinstance(found, ConnectEventRequest)
    assert found.client_certificates == [ClientCertificate("AB")]


def test_null_collections_are_empty() -> None:
    found = decode_request(
        {
            "connectionContext": {**CONTEXT, "eventType": "System", "eventName": "connect"},
            "claims": None,
            "query": None,
            "headers": None,
            "subprotocols": None,
            "clientCertificates": None,
        }
    )
    assert isinstance(found, ConnectEventRequest)
    assert (found.claims, found.query, found.headers) == ({}, {}, {})
    assert (list(found.subprotocols), list(found.client_certificates)) == ([], [])


def test_what_only_headers_tell_is_read_from_them() -> None:
    headers = {
        "CE-SubProtocol": ["json.webpubsub.azure.v1"],
        "ce-id": ["7"],
        "ce-connectionState": ["eyJjb3VudGVyIjoiTWc9PSJ9"],
    }
    context = decode_request({"connectionContext": {**CONTEXT, "headers": headers}}).connection_context
    assert context.subprotocol == "json.webpubsub.azure.v1"
    assert context.event_id == 7
    assert context.states.header == "eyJjb3VudGVyIjoiTWc9PSJ9"
    assert dict(context.states) == {"counter": 2}
    assert context.headers["CE-ID"] == ["7"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{", "the host's value of 'request' cannot be read: Input data was truncated"),
        (
            None,
            "the host's value of 'request' cannot be read: Expected `object`, got `null`",
        ),
        (
            "{}",
            "the host's value of 'request' is no event: expected connect, connected, disconnected or a user "
            "event",
        ),
        (
            {"isValid": True, "connectionContext": None},
            "the host's value of 'request' is no event: expected connect, connected, disconnected or a user "
            "event",
        ),
        (
            {"connectionContext": {**CONTEXT, "eventType": "Other"}},
            "the host's value of 'request' has the eventType 'Other': expected 'system' or 'user'",
        ),
        (
            {"connectionContext": CONTEXT, "data": "x", "dataType": "xml"},
            "the host's value of 'request' cannot be read: data type 'xml' is not one of 'text', 'json', "
            "'binary'",
        ),
        (
            {"connectionContext": {"eventType": "User"}},
            "the host's value of 'request' cannot be read: Object missing required field `eventName` - at "
            "`$.connectionContext`",
        ),
    ],
)
def test_what_is_no_event(value: Any, text: str) -> None:
    with pytest.raises(PeerError) as raised:
        decode_request(value)
    assert str(raised.value) == text
