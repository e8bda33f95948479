"""The whole HTTP answer of a function that took an upstream context."""

from __future__ import annotations

from typing import Any

import pytest
from azure.functions import HttpResponse

from kit.event_values import connect, connected, user
from webpubsub.functions import http_response
from webpubsub.model.errors import UsageError
from webpubsub.model.events import (
    ConnectEventResponse,
    EventErrorResponse,
    EventRequest,
    PreflightRequest,
    UserEventResponse,
    WebPubSubContext,
    WebPubSubContextResponse,
)
from webpubsub.model.states import ConnectionStates

COUNTER_2 = "eyJjb3VudGVyIjoiTWc9PSJ9"


def context_of(request: EventRequest | None) -> WebPubSubContext:
    return WebPubSubContext(request=request, response=WebPubSubContextResponse(200))


def parts(response: HttpResponse) -> tuple[int, dict[str, str], bytes]:
    return response.status_code, dict(response.headers), response.get_body()


OWN_ANSWERS = {
    "an error": (
        WebPubSubContext(response=WebPubSubContextResponse(401, "no"), error_message="no", has_error=True),
        (401, {}, b"no"),
    ),
    "a question": (
        WebPubSubContext(
            request=PreflightRequest(True),
            response=WebPubSubContextResponse(200, headers={"WebHook-Allowed-Origin": ("*",)}),
            is_preflight=True,
        ),
        (200, {"webhook-allowed-origin": "*"}, b""),
    ),
    "a refused question": (
        WebPubSubContext(
            request=PreflightRequest(False), response=WebPubSubContextResponse(400), is_preflight=True
        ),
        (400, {}, b""),
    ),
    "an unknown event": (context_of(None), (200, {}, b"")),
}


@pytest.mark.parametrize("response", [None, "hi", EventErrorResponse("serverError", "x")])
@pytest.mark.parametrize(("context", "expected"), OWN_ANSWERS.values(), ids=OWN_ANSWERS)
def test_what_is_no_event_is_answered_as_it_must_be(
    context: WebPubSubContext, response: Any, expected: Any
) -> None:
    """Whatever the function would have answered an event."""
    status, headers, body = parts(http_response(context, response))
    assert (status, {name.lower(): value for name, value in headers.items()}, body) == expected


TEXT = {"content-type": "text/plain"}
JSON = {"content-type": "application/json"}
ANSWERS: dict[str, tuple[EventRequest, Any, tuple[int, dict[str, str], bytes]]] = {
    "nothing": (user(), None, (200, {}, b"")),
    "a str": (user(), "héllo", (200, TEXT, "héllo".encode())),
    "bytes": (user(), b"\x00\xff", (200, {"content-type": "application/octet-stream"}, b"\x00\xff")),
    "a JSON value": (user(), {"a": 1}, (200, JSON, b'{"a":1}')),
    "the extension's form": (user(), {"data": "hi", "dataType": "text"}, (200, TEXT, b"hi")),
    "a response": (user(), UserEventResponse([1]), (200, JSON, b"[1]")),
    "an error": (
        user(),
        EventErrorResponse("userError", "not like this"),
        (400, {"content-type": "text/plain; charset=utf-8"}, b"not like this"),
    ),
    "an error's form": (
        connect(),
        {"code": "unauthorized", "errorMessage": "no"},
        (401, {"content-type": "text/plain; charset=utf-8"}, b"no"),
    ),
    "a connect response": (
        connect(),
        ConnectEventResponse(user_id="bob"),
        (200, JSON, b'{"userId":"bob","groups":null,"subprotocol":null,"roles":null}'),
    ),
    "nothing for connected": (connected(), None, (200, {}, b"")),
}


@pytest.mark.parametrize(("request_", "response", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_event_is_answered_as_by_a_trigger(request_: EventRequest, response: Any, expected: Any) -> None:
    status, headers, body = parts(http_response(context_of(request_), response))
    headers.pop("ce-connectionstate", None)
    assert (status, headers, body) == expected


def test_states_are_merged() -> None:
    request = user(counter=2)
    response = UserEventResponse("hi")
    response.set_state("seen", True)
    headers = http_response(context_of(request), response).headers
    states = ConnectionStates(headers["ce-connectionstate"])
    assert dict(states) == {"counter": 2, "seen": True}
    # Without a change they are sent as they came, and an error has none.
    assert http_response(context_of(request)).headers["ce-connectionstate"] == COUNTER_2
    error = http_response(context_of(request), EventErrorResponse("userError", "no"))
    assert "ce-connectionstate" not in error.headers


def test_an_impossible_response_is_told() -> None:
    with pytest.raises(UsageError, match="the user event cannot be answered with ConnectEventResponse"):
        http_response(context_of(user()), ConnectEventResponse())
