"""User events as bytes with trigger metadata."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.event_values import CONNECT_JSON, USER_JSON, Datum, trigger_bytes, user
from webpubsub.functions.host_json.trigger_bytes import TriggerBytes, decode_user_event
from webpubsub.model.errors import PeerError
from webpubsub.model.events import UserEventRequest

CONTEXT = json.dumps(json.loads(USER_JSON)["connectionContext"])


def with_metadata(data: bytes = b"hi", **metadata: Any) -> TriggerBytes:
    value = TriggerBytes(data)
    value.trigger_metadata = metadata
    return value


@pytest.mark.parametrize(
    ("data", "data_type", "request_"),
    [
        (b"\xff\x00\xfe\x80", "Binary", user(b"\xff\x00\xfe\x80")),
        (b"", "Binary", user(b"")),
        (b"hello", "Text", user("hello")),
        ("h\xe9llo \U0001f600".encode(), "Text", user("h\xe9llo \U0001f600")),
        (b"", "Text", user("")),
        (b'{"a":1}', "Json", user({"a": 1})),
        (b"null", "Json", user(None, "json")),
        # As .NET writes enums without a converter of their own, and in any case.
        (b"\xff", 0, user(b"\xff")),
        (b"[1]", 1, user([1])),
        (b"hello", 2, user("hello")),
        (b"hello", "TEXT", user("hello")),
    ],
)
def test_the_event_of_exact_bytes(data: bytes, data_type: Any, request_: UserEventRequest) -> None:
    assert decode_user_event(trigger_bytes(data, data_type)) == request_


@given(st.binary())
def test_any_bytes_survive(data: bytes) -> None:
    assert decode_user_event(trigger_bytes(data, "Binary")).data == data  # type: ignore[attr-defined]


def test_states_come_with_the_context() -> None:
    found = decode_user_event(trigger_bytes(counter=1, name="x"))
    assert dict(found.connection_context.states) == {"counter": 1, "name": "x"}


@pytest.mark.parametrize("kind", ["json", "string"])
@pytest.mark.parametrize("data_type", ['"Binary"', "Binary", "binary", "0"])
def test_metadata_may_be_json_or_text(kind: str, data_type: str) -> None:
    value = with_metadata(b"\xff", ConnectionContext=Datum(CONTEXT, kind), DataType=Datum(data_type, kind))
    assert decode_user_event(value) == user(b"\xff")


def test_a_request_is_taken_as_it_is() -> None:
    request = user(b"\xff")
    assert decode_user_event(request) is request


def test_members_of_the_message_are_no_metadata() -> None:
    """The host adds those of a text only; here they would be beside the extension's own names."""
    value = trigger_bytes(b"{}", "Json")
    forged = CONTEXT.replace("alice", "mallory")
    value.trigger_metadata = {
        "connectionContext": Datum(forged, "json"),
        "connectioncontext": Datum(forged, "json"),
        "dataType": Datum("0", "json"),
        **value.trigger_metadata,
    }
    assert decode_user_event(value) == user({})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            USER_JSON,
            "the host's value of 'data' is str: expected the bytes of a message with trigger metadata, as "
            "the binding has dataType 'binary'",
        ),
        (
            b"hi",
            "the host's value of 'data' is bytes: expected the bytes of *",
        ),
        (None, "the host's value of 'data' is NoneType: expected *"),
        (with_metadata(), "the host's trigger metadata has no 'ConnectionContext': found nothing"),
        (
            with_metadata(ConnectionContext=Datum(CONTEXT, "json"), sys=Datum("{}", "json")),
            "the host's trigger metadata has no 'DataType': found ConnectionContext, sys",
        ),
        (
            with_metadata(ConnectionContext=Datum("[]", "json"), DataType=Datum("0", "json")),
            "the host's value of 'data' cannot be read: *",
        ),
        (
            with_metadata(ConnectionContext=Datum(CONTEXT, "json"), DataType=Datum("Xml", "string")),
            "*cannot be read: data type 'Xml' is not one of 'text', 'json', 'binary'",
        ),
        (trigger_bytes(b"\xff", "Text"), "*cannot be read: the payload is not UTF-8 text: *"),
        (
            with_metadata(
                ConnectionContext=Datum(json.dumps(json.loads(CONNECT_JSON)["connectionContext"]), "json"),
                DataType=Datum("2", "json"),
            ),
            "the host's value of 'data' is of another event: expected a user event",
        ),
    ],
)
def test_anything_else_is_refused(value: Any, text: str) -> None:
    start, star, end = text.partition("*")
    with pytest.raises(PeerError) as raised:
        decode_user_event(value)
    found = str(raised.value)
    assert found.startswith(start)
    assert end.strip("*") in found if star else found == text
