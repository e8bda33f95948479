"""What an untyped trigger function gets by its parameter's name; the specification has every event."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.event_values import CONNECT_JSON, USER_JSON, connect, connected, disconnected, user
from webpubsub.host.bindings.web_pubsub_trigger import event_parameter, name_problem
from webpubsub.model.events import EventRequest


@pytest.mark.parametrize(
    ("name", "data_type", "request_", "value"),
    [
        ("request", None, user(), USER_JSON),
        ("REQUEST", "string", user(), USER_JSON),
        ("request", "binary", connect(), CONNECT_JSON.encode()),
        ("data", None, user(b"\x00\xff"), "\x00\ufffd"),
        ("data", "BINARY", user(b"\x00\xff"), b"\x00\xff"),
        ("data", "binary", connected(), None),
        ("dataType", None, user(b""), "Binary"),
        ("dataType", "binary", connected(), b"Text"),
        ("claims", None, connect(), '{\n  "sub": [\n    "alice"\n  ]\n}'),
        ("claims", "binary", user(), None),
        ("reason", None, disconnected("bye"), "bye"),
        ("reason", None, connected(), None),
        ("headers", None, connect(), None),
        ("event", "binary", user(), None),
    ],
)
def test_the_name_picks_a_part(name: str, data_type: str | None, request_: EventRequest, value: Any) -> None:
    assert event_parameter({"name": name, "dataType": data_type})(request_) == value


def test_the_connection_context_is_that_of_the_request() -> None:
    found = event_parameter({"name": "connectionContext"})(connected())
    assert json.loads(str(found))["eventName"] == "connected"


@pytest.mark.parametrize("name", ["request", "DATA", "clientCertificates"])
def test_a_name_that_is_filled_has_no_problem(name: str) -> None:
    assert name_problem(name) is None


def test_a_name_that_is_not_filled_is_told_with_the_nearest() -> None:
    assert name_problem("requst") == (
        "parameter 'requst' is always None: the extension fills 'request', 'connectionContext', 'data', "
        "'dataType', 'claims', 'query', 'subprotocols', 'clientCertificates', 'reason' only; call it "
        "'request' to get the whole event; did you mean 'request'?"
    )
