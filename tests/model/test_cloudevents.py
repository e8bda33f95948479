"""The event protocol over HTTP: literal headers and bodies, both ways."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from webpubsub.model.carried import user_id_problem
from webpubsub.model.cloudevents import (
    MAX_ANSWER_BYTES,
    answer_of,
    build_answer,
    build_body,
    build_headers,
    build_refusal,
    build_text_answer,
    parse_answer,
    parse_context,
    parse_event,
)
from webpubsub.model.errors import CloudEventError, EventRefused, InvalidData, UsageError
from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.http import HttpAnswer
from webpubsub.model.names import ConnectionId, EventName, HubName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates

SYSTEM, USER = WebPubSubEventType.SYSTEM, WebPubSubEventType.USER
RAW = [
    (b"host", b"localhost:7071"),
    (b"content-type", b"text/plain"),
    (b"webhook-request-origin", b"localhost"),
    (b"ce-specversion", b"1.0"),
    (b"ce-awpsversion", b"1.0"),
    (b"ce-type", b"azure.webpubsub.user.message"),
    (b"ce-source", b"/hubs/chat/client/c1"),
    (b"ce-id", b"3"),
    (b"ce-time", b"2026-01-02T03:04:05Z"),
    (b"ce-signature", b"sha256=aa,sha256=bb"),
    (b"ce-connectionid", b"c1"),
    (b"ce-hub", b"chat"),
    (b"ce-eventname", b"message"),
    (b"ce-userid", "日本".encode()),
    (b"ce-subprotocol", b"json.webpubsub.azure.v1"),
    (b"ce-connectionstate", b"eyJjb3VudGVyIjoiTWc9PSJ9"),
]


def without(*names: bytes) -> list[tuple[bytes, bytes]]:
    return [header for header in RAW if header[0] not in names]


def context(
    event_type: WebPubSubEventType = SYSTEM,
    event_name: str = "connect",
    states: ConnectionStates | None = None,
    **more: Any,
) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        event_type=event_type,
        event_name=EventName(event_name),
        hub=HubName("chat"),
        connection_id=ConnectionId("c1"),
        states=states or ConnectionStates(),
        **more,
    )


# --- context <-> headers ------------------------------------------------------------------------------


def test_headers_read_as_the_connection() -> None:
    found = parse_context(RAW)
    assert (found.event_type, found.event_name, found.hub) == (USER, "message", "chat")
    assert (found.connection_id, found.user_id, found.event_id) == ("c1", "日本", 3)
    assert (found.signature, found.origin) == ("sha256=aa,sha256=bb", "localhost")
    assert found.subprotocol == "json.webpubsub.azure.v1"
    assert dict(found.states) == {"counter": 2}
    assert found.headers["ce-userId"] == ["日本"]


def test_only_five_headers_are_needed() -> None:
    found = parse_context(
        [
            (b"webhook-request-origin", b"h"),
            (b"ce-type", b"azure.webpubsub.sys.connect"),
            (b"ce-connectionid", b"c"),
            (b"ce-hub", b"h"),
            (b"ce-eventname", b"connect"),
        ]
    )
    assert (found.user_id, found.signature, found.subprotocol) == (None, None, None)
    assert (found.states.header, found.event_id) == (None, 0)


@pytest.mark.parametrize(
    "name", [b"webhook-request-origin", b"ce-type", b"ce-connectionid", b"ce-hub", b"ce-eventname"]
)
def test_a_missing_header_is_named(name: bytes) -> None:
    with pytest.raises(CloudEventError, match=name.decode()) as caught:
        parse_context(without(name))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "name", [b"ce-type", b"ce-connectionid", b"ce-hub", b"ce-eventname", b"ce-userid", b"ce-connectionstate"]
)
def test_a_repeated_header_is_named(name: bytes) -> None:
    with pytest.raises(CloudEventError, match=name.decode()):
        parse_context([*RAW, (name, b"again")])


@pytest.mark.parametrize("name", [b"ce-id", b"ce-time", b"ce-specversion", b"ce-subprotocol", b"x"])
def test_any_other_header_may_be_repeated_and_its_first_value_counts(name: bytes) -> None:
    found = parse_context([*without(name), (name, b"1"), (name, b"2")])
    assert found.headers[name.decode()] == ["1", "2"]
    assert found.event_id == (1 if name == b"ce-id" else parse_context(RAW).event_id)


def test_origins_and_signatures_may_be_spread_over_lines() -> None:
    found = parse_context(
        [*RAW, (b"webhook-request-origin", b"two"), (b"ce-signature", b"sha256=cc"), (b"accept", b"x")]
    )
    assert found.origin == "localhost,two"
    assert found.signature == "sha256=aa,sha256=bb,sha256=cc"


@pytest.mark.parametrize(
    ("value", "event_type"),
    [
        (b"azure.webpubsub.sys.connect", SYSTEM),
        (b"Azure.WebPubSub.SYS.connect", SYSTEM),
        (b"azure.webpubsub.user.message", USER),
        (b"anything", USER),
    ],
)
def test_the_type_tells_system_from_user(value: bytes, event_type: WebPubSubEventType) -> None:
    assert parse_context([*without(b"ce-type"), (b"ce-type", value)]).event_type is event_type


@pytest.mark.parametrize(
    ("value", "event_id"),
    [(b"0", 0), (b"17", 17), (b"", 0), (b"-1", 0), (b"x", 0), (b"1" * 10_000, 0), ("²".encode(), 0)],
)
def test_an_id_that_is_no_number_reads_as_zero(value: bytes, event_id: int) -> None:
    assert parse_context([*without(b"ce-id"), (b"ce-id", value)]).event_id == event_id


def test_a_state_that_is_not_base64_is_refused() -> None:
    with pytest.raises(CloudEventError, match="ce-connectionState is not base64"):
        parse_context([*without(b"ce-connectionstate"), (b"ce-connectionstate", b"%%%")])


def test_an_empty_state_is_no_state() -> None:
    found = parse_context([*without(b"ce-connectionstate"), (b"ce-connectionstate", b"")])
    assert (found.states.header, dict(found.states)) == ("", {})


def test_an_event_is_written_with_all_its_headers() -> None:
    request = UserEventRequest(
        context(
            USER,
            "message",
            ConnectionStates("eyJjb3VudGVyIjoiTWc9PSJ9"),
            user_id="日本",
            subprotocol="json.webpubsub.azure.v1",
            event_id=3,
        ),
        Payload.of("hi"),
    )
    headers = build_headers(
        request,
        origin="localhost",
        signature="sha256=aa,sha256=bb",
        time="2026-01-02T03:04:05Z",
        request_id="guid",
    )
    assert headers == [
        ("Content-Type", "text/plain"),
        ("WebHook-Request-Origin", "localhost"),
        ("ce-specversion", "1.0"),
        ("ce-awpsversion", "1.0"),
        ("ce-type", "azure.webpubsub.user.message"),
        ("ce-source", "/hubs/chat/client/c1"),
        ("ce-id", "3"),
        ("ce-time", "2026-01-02T03:04:05Z"),
        ("ce-signature", "sha256=aa,sha256=bb"),
        ("ce-connectionId", "c1"),
        ("ce-hub", "chat"),
        ("ce-eventName", "message"),
        ("x-ms-client-request-id", "guid"),
        ("ce-userId", "日本"),
        ("ce-subprotocol", "json.webpubsub.azure.v1"),
        ("ce-connectionState", "eyJjb3VudGVyIjoiTWc9PSJ9"),
    ]


def test_a_system_event_is_json_and_leaves_out_what_is_not_known() -> None:
    headers = dict(
        build_headers(
            ConnectEventRequest(context(user_id="")), origin="h", signature="s", time="t", request_id="r"
        )
    )
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert headers["ce-type"] == "azure.webpubsub.sys.connect"
    assert not {"ce-userId", "ce-subprotocol", "ce-connectionState"} & set(headers)


header_values = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])).map(str.strip)


@given(
    event_type=st.sampled_from(WebPubSubEventType),
    event_name=header_values,
    connection_id=header_values,
    user_id=st.none() | header_values.filter(bool),
    subprotocol=st.none() | header_values.filter(bool),
    event_id=st.integers(0, 2**62),
    states=st.dictionaries(st.text(), st.integers(0, 9)),
)
def test_a_context_survives_its_headers(
    event_type: WebPubSubEventType,
    event_name: str,
    connection_id: str,
    user_id: str | None,
    subprotocol: str | None,
    event_id: int,
    states: dict[str, int],
) -> None:
    before = WebPubSubConnectionContext(
        event_type=event_type,
        event_name=EventName(event_name),
        hub=HubName("chat"),
        connection_id=ConnectionId(connection_id),
        user_id=None if user_id is None else UserId(user_id),
        subprotocol=subprotocol,
        event_id=event_id,
        states=ConnectionStates.of(states),
    )
    request = DisconnectedEventRequest(before, "bye")
    headers = build_headers(request, origin="h", signature="s", time="t", request_id="r")
    after = parse_context([(name.lower().encode(), value.encode()) for name, value in headers])
    for name in ("event_type", "event_name", "connection_id", "user_id", "subprotocol", "event_id"):
        assert getattr(after, name) == getattr(before, name)
    assert dict(after.states) == states


@given(st.lists(st.tuples(st.sampled_from([name for name, _ in RAW]) | st.binary(), st.binary())))
def test_any_headers_are_read_or_refused(extra: list[tuple[bytes, bytes]]) -> None:
    given_names = {name for name, _ in extra}
    for raw in (extra, [*without(*given_names), *extra]):
        try:
            found = parse_context(raw)
        except CloudEventError:
            continue
        assert dict(found.headers) is not None
        assert dict(found.states) is not None


# --- event <-> body -----------------------------------------------------------------------------------

EVENTS: list[tuple[EventRequest, bytes]] = [
    (
        ConnectEventRequest(
            context(),
            claims={"sub": ["alice"]},
            query={"id": ["1", "2"]},
            headers={"host": ["h"]},
            subprotocols=["json.webpubsub.azure.v1"],
            client_certificates=[ClientCertificate("AB", "PEM"), ClientCertificate("CD")],
        ),
        b'{"claims":{"sub":["alice"]},"query":{"id":["1","2"]},"headers":{"host":["h"]},'
        b'"subprotocols":["json.webpubsub.azure.v1"],'
        b'"clientCertificates":[{"thumbprint":"AB","content":"PEM"},{"thumbprint":"CD","content":null}]}',
    ),
    (
        ConnectEventRequest(context(), subprotocols=[], client_certificates=[]),
        b'{"claims":{},"query":{},"headers":{},"subprotocols":[],"clientCertificates":[]}',
    ),
    (ConnectedEventRequest(context(event_name="connected")), b"{}"),
    (DisconnectedEventRequest(context(event_name="disconnected"), "bye"), b'{"reason":"bye"}'),
    (UserEventRequest(context(USER, "message"), Payload.of("hi")), b"hi"),
    (UserEventRequest(context(USER, "message"), Payload.of(b"\xff")), b"\xff"),
    (
        UserEventRequest(context(USER, "message"), Payload(b'{"a": 1.0}', WebPubSubDataType.JSON)),
        b'{"a": 1.0}',
    ),
]


@pytest.mark.parametrize(("request_", "body"), EVENTS)
def test_an_event_has_one_body(request_: EventRequest, body: bytes) -> None:
    assert build_body(request_) == body


@pytest.mark.parametrize(("request_", "body"), EVENTS)
def test_a_body_reads_as_its_event(request_: EventRequest, body: bytes) -> None:
    content_type = (
        request_.payload.content_type if isinstance(request_, UserEventRequest) else "application/json"
    )
    assert parse_event(request_.connection_context, content_type, body) == request_


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        ("connect", b'{"claims":null,"query":null,"new":1}', ConnectEventRequest),
        ("CONNECT", b"{}", ConnectEventRequest),
        ("connected", b"", ConnectedEventRequest),
        ("disconnected", b"{}", DisconnectedEventRequest),
        ("disconnected", b'{"reason":null}', DisconnectedEventRequest),
    ],
)
def test_what_is_left_out_is_empty(name: str, body: bytes, expected: type) -> None:
    found = parse_event(context(event_name=name), "application/json", body)
    assert isinstance(found, expected)
    if isinstance(found, DisconnectedEventRequest):
        assert found.reason == ""


def test_an_unknown_system_event_is_no_event() -> None:
    assert parse_event(context(event_name="joined"), "application/json", b"not even JSON") is None


@pytest.mark.parametrize(
    ("content_type", "data_type"),
    [
        ("text/plain; charset=utf-8", "text"),
        ("Application/JSON", "json"),
        ("application/octet-stream", "binary"),
    ],
)
def test_the_content_type_of_a_user_event_is_its_data_type(content_type: str, data_type: str) -> None:
    found = parse_event(context(USER, "message"), content_type, b"1")
    assert isinstance(found, UserEventRequest)
    assert found.data_type == data_type


@pytest.mark.parametrize("content_type", [None, "", "application/xml", "text/html"])
def test_another_content_type_is_named(content_type: str | None) -> None:
    with pytest.raises(CloudEventError, match=f"{content_type!r} is not supported"):
        parse_event(context(USER, "message"), content_type, b"hi")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("connect", b""),
        ("connect", b"null"),
        ("connect", b"[1"),
        ("connect", b'{"claims":5}'),
        ("connect", b'{"claims":{"a":["\xff"]}}'),
        ("connect", b'{"x":' + b"[" * 100_000),
        ("disconnected", b""),
        ("disconnected", b'{"reason":5}'),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(CloudEventError, match=f"the body of the {name} event") as caught:
        parse_event(context(event_name=name), "application/json", body)
    assert caught.value.status == 400


@given(
    st.sampled_from(WebPubSubEventType),
    st.sampled_from(["connect", "connected", "disconnected", "message"]),
    st.none() | st.text() | st.sampled_from(["text/plain", "application/json"]),
    st.binary() | st.text().map(str.encode) | st.just(b'{"claims":{"a":[1]}}'),
)
def test_any_body_is_read_or_refused(
    event_type: WebPubSubEventType, name: str, content_type: str | None, body: bytes
) -> None:
    try:
        found = parse_event(context(event_type, name), content_type, body)
    except CloudEventError:
        return
    assert found is None or found.connection_context.event_name == name


# --- response <-> answer ------------------------------------------------------------------------------

COUNTER_2 = "eyJjb3VudGVyIjoiTWc9PSJ9"
CONNECT = ConnectEventRequest(context())
MESSAGE = UserEventRequest(context(USER, "message"), Payload.of("hi"))
COUNTED = UserEventRequest(context(USER, "message", ConnectionStates(COUNTER_2)), Payload.of("hi"))


def with_states(response: Any, *, clear: bool = False, **states: Any) -> Any:
    if clear:
        response.clear_states()
    for name, value in states.items():
        response.set_state(name, value)
    return response


ANSWERS: list[tuple[EventRequest, EventResponse | None, HttpAnswer]] = [
    (CONNECT, None, HttpAnswer(200, [], b"")),
    (MESSAGE, None, HttpAnswer(200, [], b"")),
    (
        CONNECT,
        ConnectEventResponse(user_id="aaa"),
        HttpAnswer(
            200,
            [(b"content-type", b"application/json")],
            b'{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}',
        ),
    ),
    (
        CONNECT,
        ConnectEventResponse(groups=("g1",), subprotocol="p", roles=[]),
        HttpAnswer(
            200,
            [(b"content-type", b"application/json")],
            b'{"userId":null,"groups":["g1"],"subprotocol":"p","roles":[]}',
        ),
    ),
    (MESSAGE, UserEventResponse("hi"), HttpAnswer(200, [(b"content-type", b"text/plain")], b"hi")),
    (
        MESSAGE,
        UserEventResponse({"a": 1}),
        HttpAnswer(200, [(b"content-type", b"application/json")], b'{"a":1}'),
    ),
    (
        MESSAGE,
        UserEventResponse(b"\xff"),
        HttpAnswer(200, [(b"content-type", b"application/octet-stream")], b"\xff"),
    ),
    (MESSAGE, UserEventResponse(), HttpAnswer(200, [], b"")),
    (
        MESSAGE,
        with_states(UserEventResponse("hi"), counter=2),
        HttpAnswer(
            200,
            [(b"content-type", b"text/plain"), (b"ce-connectionstate", COUNTER_2.encode())],
            b"hi",
        ),
    ),
    (
        COUNTED,
        with_states(UserEventResponse(), clear=True),
        HttpAnswer(200, [(b"ce-connectionstate", b"e30=")], b""),
    ),
    # States nobody touched are sent again as they are.
    (COUNTED, None, HttpAnswer(200, [(b"ce-connectionstate", COUNTER_2.encode())], b"")),
    (COUNTED, UserEventResponse(), HttpAnswer(200, [(b"ce-connectionstate", COUNTER_2.encode())], b"")),
]


@pytest.mark.parametrize(("request_", "response", "expected"), ANSWERS)
def test_a_response_has_one_http_answer(
    request_: EventRequest, response: EventResponse | None, expected: HttpAnswer
) -> None:
    assert build_answer(answer_of(request_, response)) == expected


@given(text=st.text(st.characters(exclude_categories=())), state=st.sampled_from([None, "", COUNTER_2]))
def test_the_short_way_to_a_text_answer_leads_to_the_same(text: str, state: str | None) -> None:
    states = ConnectionStates(state)
    request = UserEventRequest(replace(MESSAGE.connection_context, states=states), Payload.of("x"))
    found = build_text_answer(request, text)
    if found is None:
        with pytest.raises(InvalidData):
            UserEventResponse(text)
        return
    expected = build_answer(answer_of(request, UserEventResponse(text)))
    assert (found.status, [*found.headers], found.body) == (
        expected.status,
        [*expected.headers],
        expected.body,
    )


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (
            EventErrorResponse("unauthorized", "no"),
            HttpAnswer(401, [(b"content-type", b"text/plain; charset=utf-8")], b"no"),
        ),
        (
            EventErrorResponse("userError", "é"),
            HttpAnswer(400, [(b"content-type", b"text/plain; charset=utf-8")], b"\xc3\xa9"),
        ),
        (EventErrorResponse("serverError"), HttpAnswer(500, [], b"")),
    ],
)
@pytest.mark.parametrize("request_", [CONNECT, COUNTED])
def test_a_refusal_keeps_its_status_and_has_no_states(
    request_: EventRequest, response: EventErrorResponse, expected: HttpAnswer
) -> None:
    with pytest.raises(EventRefused) as caught:
        answer_of(request_, response)
    assert build_refusal(caught.value) == expected


@pytest.mark.parametrize(
    "request_",
    [
        None,
        ConnectedEventRequest(context(event_name="connected")),
        DisconnectedEventRequest(context(event_name="disconnected"), "bye"),
    ],
)
@pytest.mark.parametrize(
    "response",
    [None, UserEventResponse("hi"), ConnectEventResponse(user_id="x"), EventErrorResponse("serverError")],
)
def test_nobody_waits_for_the_answer_to_a_notification(
    request_: EventRequest | None, response: EventResponse | None
) -> None:
    """Extension spec, section 3.8: 200 and empty, whatever the function returned."""
    assert build_answer(answer_of(request_, response)) == HttpAnswer(200, [], b"")


@pytest.mark.parametrize(
    ("request_", "response"), [(CONNECT, UserEventResponse("hi")), (MESSAGE, ConnectEventResponse())]
)
def test_a_response_of_the_other_kind_is_the_functions_mistake(
    request_: EventRequest, response: EventResponse
) -> None:
    with pytest.raises(UsageError, match="is answered with"):
        answer_of(request_, response)


@pytest.mark.parametrize(
    ("status", "content_type", "state", "body", "expected"),
    [
        (204, None, None, b"", EventAnswer()),
        (200, None, None, b"", EventAnswer()),
        (200, "text/plain", None, b"null", EventAnswer()),
        (200, None, "s1", b"", EventAnswer(None, "s1")),
        (
            200,
            "text/whatever",
            None,
            b'{"userId":"","groups":["g"],"roles":[],"subprotocol":"p","more":1}',
            EventAnswer(ConnectEventResponse(user_id="", groups=["g"], roles=[], subprotocol="p")),
        ),
        (299, None, None, b"{}", EventAnswer(ConnectEventResponse())),
    ],
)
def test_an_answer_to_connect_is_read(
    status: int, content_type: str | None, state: str | None, body: bytes, expected: EventAnswer
) -> None:
    found = parse_answer(CONNECT, status, content_type, state, body)
    assert found == msgspec.structs.replace(expected, status=status)


@pytest.mark.parametrize(
    ("content_type", "state", "body", "expected"),
    [
        ("application/octet-stream", None, b"", EventAnswer()),
        ("text/plain; charset=utf-8", "s", b"hi", EventAnswer(UserEventResponse("hi"), "s")),
        (None, None, b"\xff", EventAnswer(UserEventResponse(b"\xff"))),
    ],
)
def test_an_answer_to_a_user_event_is_read(
    content_type: str | None, state: str | None, body: bytes, expected: EventAnswer
) -> None:
    found = parse_answer(MESSAGE, 200, content_type, state, body)
    assert found.state == expected.state
    assert isinstance(found.response, UserEventResponse | None)
    assert isinstance(expected.response, UserEventResponse | None)
    assert (found.response and found.response.payload) == (expected.response and expected.response.payload)


def test_a_json_answer_keeps_its_bytes() -> None:
    found = parse_answer(MESSAGE, 200, "application/json", None, b'{"b": 1.0, "a": 1e999}')
    assert isinstance(found.response, UserEventResponse)
    assert found.response.payload == Payload(b'{"b": 1.0, "a": 1e999}', WebPubSubDataType.JSON)


def test_an_answer_to_a_notification_says_nothing() -> None:
    request = ConnectedEventRequest(context(event_name="connected"))
    assert parse_answer(request, 200, "text/plain", "state", b"hi") == EventAnswer()


@pytest.mark.parametrize(
    ("request_", "status", "content_type", "body", "refused"),
    [
        (CONNECT, 401, "text/plain", b"no attackers", 401),
        (CONNECT, 302, None, b"", 302),
        (MESSAGE, 500, "text/plain", b"\xff", 500),
        (ConnectedEventRequest(context(event_name="connected")), 404, None, b"", 404),
        (CONNECT, 200, None, b"{", 500),
        (CONNECT, 200, None, b'{"groups":[null]}', 500),
        (CONNECT, 200, None, b'{"groups":[" "]}', 500),
        (CONNECT, 200, None, b'{"roles":[null]}', 500),
        (CONNECT, 200, None, b'{"x":' + b"[" * 100_000, 500),
        (MESSAGE, 200, "application/xml", b"<x/>", 500),
        (MESSAGE, 200, "application/json", b"{", 500),
        (MESSAGE, 200, "text/plain", b"\xff", 500),
        (MESSAGE, 200, "text/plain", bytes(MAX_ANSWER_BYTES + 1), 500),
    ],
)
def test_an_answer_that_cannot_be_used_is_a_refusal(
    request_: EventRequest, status: int, content_type: str | None, body: bytes, refused: int
) -> None:
    with pytest.raises(EventRefused) as caught:
        parse_answer(request_, status, content_type, None, body)
    assert caught.value.status == refused


@given(st.integers(200, 600), st.none() | st.text(), st.none() | st.text(), st.binary())
def test_any_answer_is_read_or_refused(
    status: int, content_type: str | None, state: str | None, body: bytes
) -> None:
    for request in (CONNECT, MESSAGE):
        try:
            found = parse_answer(request, status, content_type, state, body)
        except EventRefused:
            continue
        assert status < 300
        assert found.state == state


@given(
    user_id=st.none() | st.text().filter(lambda text: user_id_problem(text) is None),
    groups=st.none() | st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)),
    roles=st.none() | st.lists(st.text()),
    states=st.dictionaries(st.text(), st.text()),
)
def test_a_connect_response_survives_its_answer(
    user_id: str | None, groups: list[str] | None, roles: list[str] | None, states: dict[str, str]
) -> None:
    response = ConnectEventResponse(user_id=user_id, groups=groups, roles=roles)
    for name, value in states.items():
        response.set_state(name, value)
    answer = build_answer(answer_of(CONNECT, response))
    headers = dict(answer.headers)
    state = headers.get(b"ce-connectionstate", b"").decode() or None
    found = parse_answer(CONNECT, answer.status, headers[b"content-type"].decode(), state, answer.body)
    assert found.response == ConnectEventResponse(user_id=user_id, groups=groups, roles=roles)
    assert dict(ConnectionStates(found.state)) == states
    assert json.loads(answer.body)["userId"] == user_id


@given(st.text() | st.binary(min_size=1) | st.dictionaries(st.text(), st.integers(0, 9)))
def test_a_user_response_survives_its_answer(data: Any) -> None:
    answer = build_answer(answer_of(MESSAGE, UserEventResponse(data)))
    found = parse_answer(
        MESSAGE, answer.status, dict(answer.headers)[b"content-type"].decode(), None, answer.body
    )
    if data == "":
        assert found == EventAnswer()
    else:
        assert isinstance(found.response, UserEventResponse)
        assert found.response.payload == Payload.of(data)
