"""The values of inputs as the host's JSON: client connections and upstream contexts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.event_values import USER_JSON, user
from webpubsub.functions.host_json import decode_connection, decode_context, encode_connection, encode_context
from webpubsub.model.errors import PeerError
from webpubsub.model.events import (
    PreflightRequest,
    WebPubSubConnection,
    WebPubSubContext,
    WebPubSubContextResponse,
)

CONNECTION = WebPubSubConnection("ws://h/client/hubs/chat", "ws://h/client/hubs/chat?access_token=t", "t")
CONNECTION_JSON = (
    '{"baseUrl":"ws://h/client/hubs/chat","url":"ws://h/client/hubs/chat?access_token=t","accessToken":"t"}'
)
EVENT = WebPubSubContext(request=user(), response=WebPubSubContextResponse(200))
PREFLIGHT = WebPubSubContext(
    request=PreflightRequest(True),
    response=WebPubSubContextResponse(200, None, {"WebHook-Allowed-Origin": ["*"]}),
    is_preflight=True,
)
ERROR = WebPubSubContext(response=WebPubSubContextResponse(401, "bad"), error_message="bad", has_error=True)
UNKNOWN_EVENT = WebPubSubContext(response=WebPubSubContextResponse(200))


def test_a_connection_is_written() -> None:
    assert encode_connection(CONNECTION) == CONNECTION_JSON


@pytest.mark.parametrize(
    "value", [CONNECTION_JSON, CONNECTION_JSON.encode(), json.loads(CONNECTION_JSON), CONNECTION]
)
def test_a_connection_is_read(value: Any) -> None:
    assert decode_connection(value) == CONNECTION


def test_what_is_no_connection() -> None:
    with pytest.raises(PeerError) as raised:
        decode_connection('{"url": "ws://h"}')
    assert str(raised.value) == (
        "the host's value of 'webPubSubConnection' cannot be read: Object missing required field `baseUrl`"
    )


@pytest.mark.parametrize(
    ("context", "members"),
    [
        (
            EVENT,
            {
                "request": json.loads(USER_JSON),
                "response": {"body": None, "status": 200, "headers": {}},
                "errorMessage": None,
                "hasError": False,
                "isPreflight": False,
            },
        ),
        (
            PREFLIGHT,
            {
                "request": {"isValid": True, "connectionContext": None},
                "response": {"body": None, "status": 200, "headers": {"WebHook-Allowed-Origin": ["*"]}},
                "errorMessage": None,
                "hasError": False,
                "isPreflight": True,
            },
        ),
        (
            ERROR,
            {
                "response": {"body": "bad", "status": 401, "headers": {}},
                "errorMessage": "bad",
                "hasError": True,
                "isPreflight": False,
            },
        ),
        (
            UNKNOWN_EVENT,
            {
                "request": None,
                "response": {"body": None, "status": 200, "headers": {}},
                "errorMessage": None,
                "hasError": False,
                "isPreflight": False,
            },
        ),
    ],
)
def test_a_context_is_written_and_read_back(context: WebPubSubContext, members: dict[str, Any]) -> None:
    text = encode_context(context)
    assert json.loads(text) == members
    assert list(json.loads(text)) == list(members)
    assert decode_context(text) == context
    assert decode_context(context) is context


def test_what_is_no_context() -> None:
    with pytest.raises(PeerError) as raised:
        decode_context("[]")
    assert str(raised.value) == (
        "the host's value of 'webPubSubContext' cannot be read: Expected `object`, got `array`"
    )
