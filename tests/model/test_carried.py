"""Values that travel in headers: taken where they come in and carried whole, or refused there."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.access.jws import sign
from webpubsub.model.access.tokens import client_token, decode_client_token
from webpubsub.model.carried import MAX_STATE_BYTES, MAX_USER_ID_BYTES, carry_problem
from webpubsub.model.cloudevents import build_headers, check_characters, parse_answer, parse_context
from webpubsub.model.errors import (
    ConfigurationError,
    EventRefused,
    InvalidData,
    InvalidName,
    RestError,
    TokenError,
)
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.metadata import build_metadata_headers, check_metadata, metadata_of
from webpubsub.model.names import ConnectionId, EventName, HubName, UserId
from webpubsub.model.payload import Payload
from webpubsub.model.rest.rest_parameters import parse_in_query
from webpubsub.model.send_actions import SendToAllAction
from webpubsub.model.states import ConnectionStates
from webpubsub.service.protocols.json_requests import parse_json_request
from webpubsub.service.settings import ServiceSettings

BLANK = "it has a blank at its start or end, which HTTP takes away"
CONTROL = "it has a control character"
ASCII = "it has a character that is not ASCII"

# Value, and why it cannot be carried: where any text may be, and where only ASCII may be.
VALUES: dict[str, tuple[str | None, str | None]] = {
    "admin": (None, None),
    "a b": (None, None),
    "a\tb": (None, None),
    "a,b;c=d\"e'": (None, None),
    " admin": (BLANK, BLANK),
    "admin ": (BLANK, BLANK),
    "\tadmin": (BLANK, BLANK),
    "admin\t": (BLANK, BLANK),
    " ": (BLANK, BLANK),
    "a\nb": (CONTROL, CONTROL),
    "a\r\nce-hub: b": (CONTROL, CONTROL),
    "a\0": (CONTROL, CONTROL),
    "\x0ba": (CONTROL, CONTROL),
    "a\x0c": (CONTROL, CONTROL),
    "a\x1bb": (CONTROL, CONTROL),
    "a\x7f": (CONTROL, CONTROL),
    "é": (None, ASCII),
    "日本": (None, ASCII),
    "\U0001f600": (None, ASCII),
    "a\u2028b": (None, ASCII),
    "\x85a\x9b": (None, ASCII),
    "\u3000a\u00a0": (None, ASCII),
    "é ": (BLANK, ASCII),
    "é\n": (CONTROL, ASCII),
    "\ud800": ("it has half of a character, which has no UTF-8 form", ASCII),
}
KEY = "k" * 32


@pytest.mark.parametrize("value", VALUES, ids=map(ascii, VALUES))
def test_the_rule(value: str) -> None:
    assert (carry_problem(value, ascii_only=False), carry_problem(value)) == VALUES[value]


def test_a_value_may_have_so_many_bytes() -> None:
    assert carry_problem("é" * 5, limit=10, ascii_only=False) is None
    assert carry_problem("é" * 5, limit=9, ascii_only=False) == "it has 10 bytes: at most 9 are taken"
    assert carry_problem("") is None


# --- where they come in -------------------------------------------------------------------------------


def context(**members: Any) -> WebPubSubConnectionContext:
    given = {
        "event_type": WebPubSubEventType.USER,
        "event_name": EventName("e"),
        "hub": HubName("chat"),
        **members,
    }
    return WebPubSubConnectionContext(connection_id=ConnectionId("c"), event_id=1, **given)


def by_token(user_id: str) -> str | None:
    claims = json.dumps({"sub": user_id, "aud": "http://h/client/hubs/chat", "exp": 2_000}).encode()
    token = sign(claims, KEY)
    return decode_client_token(token, [KEY], expected=["http://h/client/hubs/chat"], now=1_000).user_id


def by_answer(user_id: str) -> str | None:
    body = json.dumps({"userId": user_id}).encode()
    answer = parse_answer(ConnectEventRequest(context()), 200, "application/json", None, body)
    assert isinstance(answer.response, ConnectEventResponse)
    return answer.response.user_id


def by_a_new_token(user_id: str) -> str | None:
    token = client_token("http://h/client/hubs/chat", KEY, now=1_000, user_id=user_id)
    return decode_client_token(token, [KEY], expected=["http://h/client/hubs/chat"], now=1_000).user_id


def by_rest(user_id: str) -> str:
    found: str = parse_in_query("user_id", "userId", [user_id])
    return found


USER_DOORS: dict[Callable[[str], str | None], type[Exception]] = {
    by_token: TokenError,
    by_answer: EventRefused,
    by_a_new_token: InvalidName,
    by_rest: RestError,
}


@pytest.mark.parametrize("door", USER_DOORS)
@pytest.mark.parametrize("value", [each for each in VALUES if each != "\ud800"], ids=ascii)
def test_a_user_id_is_refused_at_the_door_or_arrives(door: Callable[[str], str | None], value: str) -> None:
    problem = VALUES[value][0]
    if problem is not None:
        with pytest.raises(USER_DOORS[door]) as refused:
            door(value)
        assert problem in str(refused.value)
        return
    user_id = door(value)
    assert user_id == value
    assert arrived(context(user_id=UserId(user_id))).user_id == value


@pytest.mark.parametrize("door", USER_DOORS)
def test_so_is_a_long_one(door: Callable[[str], str | None]) -> None:
    assert door("é" * (MAX_USER_ID_BYTES // 2)) == "é" * (MAX_USER_ID_BYTES // 2)
    with pytest.raises(USER_DOORS[door], match="at most 4096 are taken"):
        door("x" * (MAX_USER_ID_BYTES + 1))


@pytest.mark.parametrize(
    "request_",
    [UserEventRequest(context(), Payload.of("x")), ConnectEventRequest(context())],
    ids=["user", "connect"],
)
@pytest.mark.parametrize("value", VALUES, ids=map(ascii, VALUES))
def test_a_state_is_refused_with_the_answer_or_arrives(request_: Any, value: str) -> None:
    problem = VALUES[value][1]
    if problem is not None:
        with pytest.raises(EventRefused) as refused:
            parse_answer(request_, 200, None, value, b"")
        assert refused.value.status == 500
        assert "ce-connectionState" in str(refused.value)
        assert problem in str(refused.value)
        return
    state = parse_answer(request_, 200, None, value, b"").state
    assert sent(context(states=ConnectionStates(state)))["ce-connectionState"] == value


def test_so_is_a_long_state() -> None:
    request = UserEventRequest(context(), Payload.of("x"))
    assert parse_answer(request, 200, None, "x" * MAX_STATE_BYTES, b"").state == "x" * MAX_STATE_BYTES
    with pytest.raises(EventRefused, match="at most 49152 are taken"):
        parse_answer(request, 200, None, "x" * (MAX_STATE_BYTES + 1), b"")


@pytest.mark.parametrize("value", [each for each in VALUES if each != "\ud800"], ids=ascii)
def test_metadata_is_refused_with_its_message_or_arrives(value: str) -> None:
    message = {"type": "event", "event": "e", "dataType": "text", "data": "x", "metadata": {"a": value}}
    raw = json.dumps(message).encode()
    if VALUES[value][1] is not None:
        for door in (
            lambda: check_metadata({"a": value}),
            lambda: parse_json_request(raw),
            lambda: SendToAllAction("x", metadata={"a": value}),
        ):
            with pytest.raises((InvalidData, InvalidName, RestError, Exception), match="metadata"):
                door()
        return
    found: Any = parse_json_request(raw)
    headers = {name: (text,) for name, text in build_metadata_headers(found.metadata)}
    request = UserEventRequest(context(headers=headers), Payload.of("x"))
    lines = build_headers(request, origin="h", signature="s", time="t", request_id="r")
    check_characters(lines)
    read = {name: [as_http_does(text)] for name, text in lines}
    assert metadata_of(read) == {"a": value}


@pytest.mark.parametrize("value", VALUES, ids=map(ascii, VALUES))
def test_an_origin_is_refused_with_the_settings_or_sent(value: str) -> None:
    if VALUES[value][1] is not None:
        with pytest.raises(ConfigurationError, match="webhookRequestOrigin is"):
            ServiceSettings(origin=value)
        return
    assert as_http_does(ServiceSettings(origin=value).origin) == value


# --- what HTTP makes of them --------------------------------------------------------------------------


def as_http_does(value: str) -> str:
    return value.encode().strip(b" \t").decode()


def sent(found: WebPubSubConnectionContext) -> dict[str, str]:
    lines = build_headers(
        UserEventRequest(found, Payload.of("x")), origin="h", signature="s", time="t", request_id="r"
    )
    check_characters(lines)
    return {name: as_http_does(value) for name, value in lines}


def arrived(found: WebPubSubConnectionContext) -> WebPubSubConnectionContext:
    return parse_context([(name.lower().encode(), value.encode()) for name, value in sent(found).items()])


@given(st.text(min_size=1))
def test_what_is_taken_arrives(value: str) -> None:
    if carry_problem(value, ascii_only=False) is None:
        assert arrived(context(user_id=UserId(value))).user_id == value
    if carry_problem(value) is None:
        assert sent(context(states=ConnectionStates(value)))["ce-connectionState"] == value
