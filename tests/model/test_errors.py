"""Every sentence a person may read, exactly as it is shown."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from webpubsub.model import errors, names
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import RequestValidator
from webpubsub.model.access.tokens import client_access, client_token, decode_client_token
from webpubsub.model.actions import SendToAllAction, parse_permission
from webpubsub.model.cloudevents import answer_of, parse_answer, parse_context, parse_event
from webpubsub.model.errors import (
    ActionRefused,
    EventRefused,
    FunctionError,
    InvalidName,
    PeerError,
    ProtocolError,
    RestError,
    TokenError,
    WebPubSubError,
)
from webpubsub.model.events import (
    ConnectEventRequest,
    EventErrorResponse,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, EventName, HubName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.rest import OPERATIONS, find_operations, parse_parameters, parse_path
from webpubsub.model.states import ConnectionStates

CONTEXT = WebPubSubConnectionContext(
    event_type=WebPubSubEventType.SYSTEM,
    event_name=EventName("connect"),
    hub=HubName("chat"),
    connection_id=ConnectionId("c1"),
)
CONNECT = ConnectEventRequest(CONTEXT)
USER_CONTEXT = WebPubSubConnectionContext(
    event_type=WebPubSubEventType.USER,
    event_name=EventName("message"),
    hub=HubName("chat"),
    connection_id=ConnectionId("c1"),
)
KEY = "0123456789abcdef0123456789abcdef"
AUDIENCE = "http://h/client/hubs/chat"
PERMISSION = next(operation for operation in OPERATIONS if operation.path.startswith("permissions"))
BLANK_USER = b"/api/hubs/chat/users/%20/:send"


def decode(now: float, *, key: str = KEY, audience: str = AUDIENCE) -> None:
    token = client_token(AUDIENCE, KEY, now=1000, expires_after=60)
    decode_client_token(token, [key], expected=[audience], now=now)


SENTENCES: list[tuple[Callable[[], object], str]] = [
    (
        lambda: names.parse_hub_name("1chat"),
        "'1chat' is not a valid hub name: expected a letter, then up to 127 letters, digits, or any of "
        "_ ` , . [ ]",
    ),
    (
        lambda: names.parse_group_name(" "),
        "' ' is not a valid group name: expected 1 to 1024 characters, not only white space",
    ),
    (
        lambda: names.parse_user_id(None),  # type: ignore[arg-type]
        "None is not a valid user id: expected at least one character that is not white space",
    ),
    (
        lambda: names.parse_connection_id(""),
        "'' is not a valid connection id: expected at least one character that is not white space",
    ),
    (
        lambda: names.parse_event_name("a b"),
        "'a b' is not a valid event name: expected a letter, then up to 127 letters, digits, or any of _ . -",
    ),
    (
        lambda: names.parse_hub_name("x" * 200),
        f"'{'x' * 76}... is not a valid hub name: expected a letter, then up to 127 letters, digits, or any "
        "of _ ` , . [ ]",
    ),
    (
        lambda: parse_permission("all"),
        "'all' is not a valid permission: expected 'sendToGroup' or 'joinLeaveGroup'",
    ),
    (
        lambda: SendToAllAction("hi", excluded="c1"),
        "'c1' is not a valid excluded: expected a list of connection ids",
    ),
    (lambda: SendToAllAction("hi", "xml"), "data type 'xml' is not one of 'text', 'json', 'binary'"),
    (lambda: SendToAllAction(b"hi", "text"), "text data must be a str, not bytes"),
    (lambda: SendToAllAction("hi", "binary"), "binary data must be bytes, not str"),
    (
        lambda: SendToAllAction(b"hi", "json"),
        "bytes have no JSON form: send them as binary, or decode them first",
    ),
    (
        lambda: SendToAllAction(object()),
        "object has no JSON form: Encoding objects of type object is unsupported",
    ),
    (
        lambda: Payload.of(Payload.of("hi"), "json"),
        "a text payload cannot be sent as json",
    ),
    (
        lambda: Payload(b"\xff", WebPubSubDataType.TEXT).check(),
        "the payload is not UTF-8 text: 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte",
    ),
    (
        lambda: Payload(b"{", WebPubSubDataType.JSON).check(),
        "the payload is not valid JSON: Input data was truncated",
    ),
    (
        lambda: EventErrorResponse("forbidden"),
        "error code 'forbidden' is not one of 'unauthorized', 'userError', 'serverError'",
    ),
    (
        lambda: ConnectionString.parse(" "),
        "the connection string is empty: expected 'Endpoint=...;AccessKey=...;'",
    ),
    (
        lambda: ConnectionString.parse("AccessKey=k"),
        "the connection string has no 'Endpoint': expected 'Endpoint=https://...'",
    ),
    (
        lambda: ConnectionString.parse("Endpoint=http://a;AccessKey=k;accesskey=k"),
        "the connection string has 'accesskey' twice",
    ),
    (
        lambda: ConnectionString.parse("Endpoint=http://a;AccessKey="),
        "the connection string has an empty 'AccessKey': write the key, or leave it out",
    ),
    (
        lambda: ConnectionString.parse("Endpoint=localhost;AccessKey=k"),
        "Endpoint 'localhost' is not a URL: expected 'http://host[:port]' or 'https://host[:port]'",
    ),
    (
        lambda: ConnectionString.parse("Endpoint=http://a;Port=0"),
        "Port '0' is not a number from 1 to 65535",
    ),
    (
        lambda: RequestValidator([ConnectionString("http://a:1"), ConnectionString("http://a:2")]),
        "two connections have the host 'a': a signature could not be assigned; keep one",
    ),
    (
        lambda: ConnectionStates.of({"a": object()}),
        "state 'a' has no JSON form: Encoding objects of type object is unsupported",
    ),
    (
        lambda: ConnectionStates("%").check(),
        "ce-connectionState is not base64: Only base64 data is allowed",
    ),
    (lambda: parse_context([]), "header ce-connectionid is missing"),
    (
        lambda: parse_context([(b"ce-hub", b"a"), (b"ce-hub", b"b")]),
        "header ce-hub is given more than once",
    ),
    (
        lambda: parse_event(USER_CONTEXT, "text/html", b""),
        "content type 'text/html' is not supported: expected text/plain, application/json or "
        "application/octet-stream",
    ),
    (
        lambda: parse_event(CONTEXT, None, b""),
        "the body of the connect event cannot be read: Input data was truncated",
    ),
    (
        lambda: answer_of(CONNECT, UserEventResponse("hi")),
        "a connect event is answered with ConnectEventResponse, not with UserEventResponse",
    ),
    (lambda: answer_of(CONNECT, EventErrorResponse("unauthorized", "no")), "no (status 401)"),
    (
        lambda: parse_answer(CONNECT, 200, None, None, b"["),
        "the answer to the connect event cannot be read: Expected `object | null`, got `array` (status 500)",
    ),
    (
        lambda: parse_path((find_operations(BLANK_USER) or {})["POST"], BLANK_USER),
        "' ' is not a valid user id: expected at least one character that is not white space.",
    ),
    (lambda: parse_parameters(PERMISSION, {}), "'targetName' is required."),
    (
        lambda: parse_parameters(PERMISSION, {"targetname": ["a", "b"]}),
        "'targetName' is given more than once.",
    ),
    (lambda: decode(1360), "the token expired 300 seconds ago"),
    (lambda: decode(600), "the token is not valid for another 400 seconds"),
    (lambda: decode(1000, key="other"), "the token is signed with another key"),
    (
        lambda: decode(1000, audience="http://h/client/hubs/x"),
        "the token is for ['http://h/client/hubs/chat']: expected ['http://h/client/hubs/x']",
    ),
    (
        lambda: client_access(ConnectionString("https://a.b"), "chat", now=0),
        "the connection to https://a.b has no AccessKey to sign client tokens with",
    ),
]


@pytest.mark.parametrize(("mistake", "sentence"), SENTENCES, ids=[sentence[:60] for _, sentence in SENTENCES])
def test_a_mistake_is_told_in_one_sentence(mistake: Callable[[], object], sentence: str) -> None:
    with pytest.raises(WebPubSubError) as caught:
        mistake()
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("error", "sentence", "status"),
    [
        (
            FunctionError("chat", "function_app.py:3", "no such binding"),
            "function_app.py:3: function 'chat': no such binding",
            None,
        ),
        (
            InvalidName("clientType", "x", "'Default'"),
            "'x' is not a valid clientType: expected 'Default'",
            None,
        ),
        (PeerError("broken"), "broken", 400),
        (TokenError("expired"), "expired", 401),
        (RestError(404, "Warning.User.NotExisted", "no such user", "User"), "no such user", 404),
        (ProtocolError(1007, "not text"), "not text", 400),
        (EventRefused(401, "no"), "no (status 401)", 401),
        (ActionRefused(409, "too many"), "too many (status 409)", 409),
    ],
)
def test_errors_show_their_facts(error: WebPubSubError, sentence: str, status: int | None) -> None:
    assert str(error) == sentence
    assert getattr(error, "status", None) == status


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for name in errors.__all__:
        error = getattr(errors, name)
        assert issubclass(error, WebPubSubError)
        assert inspect.getdoc(error)
        assert f"─ {name} " in drawn or f"─ {name}\n" in drawn or error is WebPubSubError
