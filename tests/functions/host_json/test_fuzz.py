"""Whatever a host or a function hands over, reading it gives a value or a documented error."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.event_values import connect, connected, disconnected, user
from kit.hostile_values import json_bytes, json_values
from webpubsub.functions.host_json import (
    decode_actions,
    decode_connection,
    decode_context,
    decode_request,
    decode_response,
    encode_actions,
    encode_context,
    encode_request,
    encode_response,
)
from webpubsub.model.actions import ACTIONS
from webpubsub.model.cloudevents import answer_of, build_answer, build_refusal
from webpubsub.model.errors import EventRefused, PeerError, UsageError
from webpubsub.model.events import EventRequest, PreflightRequest
from webpubsub.model.names import HubName
from webpubsub.model.rest import build_request


@dataclasses.dataclass
class Broken:
    """A value without a JSON form."""

    value: Any = dataclasses.field(default_factory=object)


# What only Python has.
EXTRAS = st.one_of(
    st.binary(max_size=5),
    st.sampled_from(
        [(), ("a",), {1, 2}, decimal.Decimal("NaN"), Broken(), object(), range(3), {1: 2}, {None: 1}]
    ),
    st.datetimes(timezones=st.just(datetime.UTC)),
    st.just(memoryview(b"xy")),
)
REQUESTS = [
    user(),
    user(b"\xff"),
    user({"a": 1}, a=1),
    connect(),
    connect(a=[None]),
    connected(),
    disconnected(),
]

RESULT_MEMBERS = [
    "data",
    "dataType",
    "userId",
    "groups",
    "subprotocol",
    "roles",
    "states",
    "clearStates",
    "code",
    "errorMessage",
    "mqtt",
    "reason",
    "userProperties",
    "type",
    "name",
    "value",
]
ACTION_MEMBERS = [
    "actionName",
    "data",
    "dataType",
    "group",
    "userId",
    "connectionId",
    "excluded",
    "reason",
    "permission",
    "targetName",
    "type",
]
REQUEST_MEMBERS = [
    "connectionContext",
    "eventType",
    "eventName",
    "hub",
    "connectionId",
    "userId",
    "signature",
    "origin",
    "states",
    "headers",
    "claims",
    "query",
    "subprotocols",
    "clientCertificates",
    "data",
    "dataType",
    "reason",
    "isValid",
    "request",
    "response",
    "status",
    "body",
    "errorMessage",
    "hasError",
    "mqtt",
    "protocolVersion",
    "physicalConnectionId",
]


def objects(names: list[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.dictionaries(st.sampled_from(names), values, max_size=6), values)


RESULT_TEXTS = ["text", "json", "binary", "userError", "success", "Buffer"]
results = json_values(RESULT_MEMBERS, *RESULT_TEXTS, extra=EXTRAS)
result_texts = json_bytes(json_values(RESULT_MEMBERS, *RESULT_TEXTS))


@pytest.mark.parametrize("request_", REQUESTS)
@given(value=st.one_of(objects(RESULT_MEMBERS, results), result_texts))
@settings(max_examples=80, deadline=None)
def test_every_result_is_an_answer_or_the_functions_error(request_: EventRequest, value: Any) -> None:
    try:
        response = decode_response(request_, value)
        answer = build_answer(answer_of(request_, response))
    except UsageError:
        return
    except EventRefused as refused:
        answer = build_refusal(refused)
    assert answer.status in {200, 400, 401, 500, 503}
    encode_response(response, request_)


ACTION_TEXTS = [*ACTIONS, "text", "json", "binary", "Buffer", "sendToGroup"]
actions = json_values(ACTION_MEMBERS, *ACTION_TEXTS, extra=EXTRAS)
action_texts = json_bytes(json_values(ACTION_MEMBERS, *ACTION_TEXTS))
action_values = st.one_of(
    st.builds(
        lambda name, members: {"actionName": name, **(members if isinstance(members, dict) else {})},
        st.sampled_from([*ACTIONS, "SENDTOALL", "nope"]),
        objects(ACTION_MEMBERS, actions),
    ),
    objects(ACTION_MEMBERS, actions),
    action_texts,
    action_texts.map(lambda raw: raw.decode(errors="surrogateescape")),
)


@given(value=st.one_of(action_values, st.lists(action_values, max_size=3)))
@settings(max_examples=200, deadline=None)
def test_every_output_is_actions_or_the_functions_error(value: Any) -> None:
    try:
        found = decode_actions(value)
    except UsageError:
        return
    # What is read can be written both ways.
    assert decode_actions(encode_actions(found)) == found
    for action in found:
        build_request(HubName("chat"), action)


requests = json_values(REQUEST_MEMBERS, "system", "user", "connect", "connected", "disconnected", "Text")


def merged(base: dict[str, Any], context: Any, members: Any) -> dict[str, Any]:
    found = {**base, **(members if isinstance(members, dict) else {})}
    if isinstance(context, dict):
        found["connectionContext"] = {**base["connectionContext"], **context}
    return found


EVENT = {
    "data": "x",
    "dataType": "Text",
    "connectionContext": {"eventType": "User", "eventName": "connect", "hub": "chat", "connectionId": "c"},
}
request_values = st.one_of(
    st.builds(merged, st.just(EVENT), objects(REQUEST_MEMBERS, requests), objects(REQUEST_MEMBERS, requests)),
    requests,
    json_bytes(requests),
    EXTRAS,
)


@given(value=request_values)
@settings(max_examples=200, deadline=None)
def test_every_value_of_a_trigger_is_an_event_or_the_hosts_error(value: Any) -> None:
    try:
        request = decode_request(value)
    except PeerError:
        return
    assert isinstance(request, EventRequest)
    encode_request(request)


@given(
    value=st.one_of(
        request_values.map(lambda request: {"request": request, "response": {"status": 200}}),
        request_values,
    )
)
@settings(max_examples=80, deadline=None)
def test_every_value_of_a_context_is_one_or_the_hosts_error(value: Any) -> None:
    try:
        context = decode_context(value)
    except PeerError:
        return
    assert isinstance(context.request, EventRequest | PreflightRequest | None)
    encode_context(context)


@given(value=st.one_of(json_values(["baseUrl", "url", "accessToken"]), json_bytes(requests), EXTRAS))
@settings(max_examples=80, deadline=None)
def test_every_value_of_a_connection_is_one_or_the_hosts_error(value: Any) -> None:
    try:
        found = decode_connection(value)
    except PeerError:
        return
    assert isinstance(found.url, str)
