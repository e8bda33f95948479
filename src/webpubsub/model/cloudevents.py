"""The event protocol over HTTP: CloudEvents 1.0 in binary mode, extended for Azure Web PubSub.

The service writes what the host reads and the other way round, so both directions of each part stand
together: context <-> headers, event <-> body, response <-> answer.

Source: extension spec, section 3; service spec, section D.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from webpubsub.model.carried import MAX_STATE_BYTES, carry_problem, user_id_problem
from webpubsub.model.errors import CloudEventError, EventRefused, InvalidData, InvalidName, UsageError
from webpubsub.model.event_json import (
    SYSTEM_EVENTS,
    build_accepted,
    build_error,
    build_system_event,
    parse_accepted,
    parse_error,
)
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    EventErrorResponse,
    EventRequest,
    EventResponse,
    PresenceEventRequest,
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.http import Headers, HttpAnswer, RawHeaders, header_text
from webpubsub.model.logs.text import fact
from webpubsub.model.metadata import NO_METADATA, Metadata, build_metadata_headers
from webpubsub.model.mqtt.mqtt import MqttEventErrorResponse
from webpubsub.model.mqtt_events import MqttConnectEventRequest, MqttConnectionContext, response_for
from webpubsub.model.names import PLAIN_GROUP, parse_group_name
from webpubsub.model.payload import CONTENT_TYPES, MALFORMED_JSON, Payload, WebPubSubDataType
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import NO_STATES, STATE_HEADER, ConnectionStates

REQUEST_ORIGIN: Final = "WebHook-Request-Origin"
ALLOWED_ORIGIN: Final = "WebHook-Allowed-Origin"
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024

_SYSTEM_TYPE: Final = "azure.webpubsub.sys."
_USER_TYPE: Final = "azure.webpubsub.user."
_SYSTEM: Final = WebPubSubEventType.SYSTEM
_USER: Final = WebPubSubEventType.USER
_PRESENCE_TYPE: Final = "azure.webpubsub.gp."  # read as a user event of its name, as the extension does
_JSON: Final = "application/json; charset=utf-8"
_TEXT_ANSWER: Final = ((b"content-type", CONTENT_TYPES[WebPubSubDataType.TEXT].encode()),)
_STATE_KEY: Final = STATE_HEADER.lower().encode()

# As nearly everybody writes them; `Payload.data_type_of` knows all other ways.
_ANSWERS: Final[dict[str | None, WebPubSubDataType]] = {
    spelled: data_type
    for data_type, content_type in CONTENT_TYPES.items()
    for spelled in (content_type, f"{content_type}; charset=utf-8")
}
_EVENTS: Final = {
    spelled: found for spelled, found in _ANSWERS.items() if found is not WebPubSubDataType.PROTOBUF
}
_MAY_HAVE_OTHER_CHARACTERS: Final = "ce-userId"
_SURE_TO_FIT: Final = 32 * 1024  # characters; servers take at least twice as many bytes of headers
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # all but the tab

# Headers that are joined with commas when repeated, and those that must stand alone; any other may be
# repeated, and its first value counts.
_JOINED: Final = {b"ce-signature", b"webhook-request-origin"}
_ALONE: Final = {b"ce-connectionid", b"ce-hub", b"ce-type", b"ce-eventname", b"ce-userid", _STATE_KEY}
_AWAITED: Final = (ConnectEventRequest, UserEventRequest)
_REFUSALS: Final = (EventErrorResponse, MqttEventErrorResponse)


# --- context <-> headers ------------------------------------------------------------------------------


def header_values(raw: RawHeaders) -> dict[bytes, bytes]:
    """Return the headers of an event request by name; of those that are repeated the first counts.

    Raises:
        CloudEventError: One that must stand alone is repeated.
    """
    values = dict(raw)
    return values if len(values) == len(raw) else _without_repetition(raw)


def parse_context(raw: RawHeaders, values: dict[bytes, bytes] | None = None) -> WebPubSubConnectionContext:
    """Read the connection context of an event request from its headers.

    Args:
        raw: The headers.
        values: What `header_values` made of them, if somebody has asked already.

    Raises:
        CloudEventError: A required header is missing, or one that must stand alone is repeated.
    """
    if values is None:
        values = header_values(raw)
    try:
        try:
            # Nearly all are UTF-8, and then need no function that tries what they are.
            return _context(raw, values, bytes.decode)
        except UnicodeDecodeError:
            return _context(raw, values, header_text)
    except KeyError as missing:
        raise CloudEventError(f"header {missing.args[0].decode()} is missing") from None


def _without_repetition(raw: RawHeaders) -> dict[bytes, bytes]:
    values: dict[bytes, list[bytes]] = {}
    for name, value in raw:
        if name in values and name in _ALONE:
            raise CloudEventError(f"header {name.decode()} is given more than once")
        values.setdefault(name, []).append(value)
    return {name: b",".join(found) if name in _JOINED else found[0] for name, found in values.items()}


def _context(
    raw: RawHeaders, values: dict[bytes, bytes], text: Callable[[bytes], Any]
) -> WebPubSubConnectionContext:
    """Read a context; ``text`` makes of a value whatever text it is, a hub's name as well as a user's id."""
    found = values.get
    user_id, signature, subprotocol = found(b"ce-userid"), found(b"ce-signature"), found(b"ce-subprotocol")
    context = WebPubSubConnectionContext(
        connection_id=text(values[b"ce-connectionid"]),
        hub=text(values[b"ce-hub"]),
        event_type=_SYSTEM if values[b"ce-type"].lower().startswith(b"azure.webpubsub.sys.") else _USER,
        event_name=text(values[b"ce-eventname"]),
        user_id=None if user_id is None else text(user_id),
        signature=None if signature is None else text(signature),
        origin=text(values[b"webhook-request-origin"]),
        states=_states(found(_STATE_KEY), text),
        headers=Headers(raw),
        subprotocol=None if subprotocol is None else text(subprotocol),
        event_id=_event_id(found(b"ce-id")),
    )
    physical_id = found(b"ce-physicalconnectionid")
    if physical_id is None or subprotocol != b"mqtt":
        return context
    session_id = found(b"ce-sessionid")
    return MqttConnectionContext.of(
        context, text(physical_id), None if session_id is None else text(session_id)
    )


def _states(value: bytes | None, text: Callable[[bytes], str]) -> ConnectionStates:
    if value is None:
        return NO_STATES
    states = ConnectionStates(text(value))
    if value:
        states.check()
    return states


def _event_id(value: bytes | None) -> int:
    # ce-id is not checked by the extension, so anything but a number reads as 0.
    return int(value) if value is not None and value.isdigit() and len(value) < 20 else 0


def build_headers(
    request: EventRequest, *, origin: str, signature: str, time: str, request_id: str
) -> list[tuple[str, str]]:
    """Return the headers of an event request.

    Args:
        request: The event.
        origin: The service's host, without port.
        signature: See `signature_header`.
        time: UTC, ``yyyy-MM-ddTHH:mm:ssZ``.
        request_id: A GUID, new for each event and the same for its retries.
    """
    context = request.connection_context
    source = f"/hubs/{context.hub}/client/{context.connection_id}"
    if isinstance(context, MqttConnectionContext):
        source += f"/{context.physical_connection_id}"
    headers = [
        ("Content-Type", content_type_of(request)),
        (REQUEST_ORIGIN, origin),
        ("ce-specversion", "1.0"),
        ("ce-awpsversion", "1.0"),
        ("ce-type", f"{_type_of(request)}{context.event_name}"),
        ("ce-source", source),
        ("ce-id", str(context.event_id)),
        ("ce-time", time),
        ("ce-signature", signature),
        ("ce-connectionId", context.connection_id),
        ("ce-hub", context.hub),
        ("ce-eventName", context.event_name),
        ("x-ms-client-request-id", request_id),
    ]
    if context.user_id:
        headers.append(("ce-userId", context.user_id))
    if context.subprotocol:
        headers.append(("ce-subprotocol", context.subprotocol))
    if context.states.header is not None:
        headers.append((STATE_HEADER, context.states.header))
    if isinstance(context, MqttConnectionContext):
        headers.append(("ce-physicalConnectionId", context.physical_connection_id))
        if context.session_id:
            headers.append(("ce-sessionId", context.session_id))
    if context.headers and isinstance(request, UserEventRequest):
        headers += build_metadata_headers(request.metadata)
    return headers


def check_characters(headers: list[tuple[str, str]]) -> None:
    """Make sure that headers can be sent; only user ids may be UTF-8.

    Raises:
        EventRefused: HTTP cannot carry one.
    """
    everything = "".join(map(itemgetter(1), headers))
    if everything.isascii() and everything.isprintable():  # as usual; 2 us less than to look at each
        return
    for name, value in headers:
        if not value.isascii() and name != _MAY_HAVE_OTHER_CHARACTERS:
            raise EventRefused(500, f"the header {name} cannot be sent: {value[:80]!r} is not ASCII")
        if not value.isprintable() and _CONTROL.search(value):
            raise EventRefused(
                500, f"the header {name} cannot be sent: {value[:80]!r} has a control character"
            )


def context_as_read(
    request: EventRequest, *, origin: str, signature: str, headers: RawHeaders
) -> WebPubSubConnectionContext | None:
    """Return what `parse_context` reads from the headers that `build_headers` makes of an event.

    None where its headers might be refused, might be too large, or lose characters on the way. Whether states
    are base64 is not checked.

    Args:
        request: The event.
        origin: See `build_headers`.
        signature: See `build_headers`.
        headers: They, which are not read here, so that they can be made when somebody looks.
    """
    context = request.connection_context
    state, user_id, others = context.states.header, context.user_id or None, context.headers
    values = f"{context.connection_id}{context.hub}{context.event_name}{context.subprotocol}{origin}{state}"
    is_plain = values.isascii() and values.isprintable() and " " not in values
    if is_plain and user_id is not None:
        # Its characters go as UTF-8; blanks are lost at its ends only.
        is_plain = user_id.isprintable() and user_id[0] != " " != user_id[-1]
    is_read = 0 <= context.event_id < 10**19  # see `_event_id`
    if not is_plain or not is_read or others or len(values) + 4 * len(user_id or "") > _SURE_TO_FIT:
        return None
    read = WebPubSubConnectionContext(
        connection_id=context.connection_id,
        hub=context.hub,
        event_type=_SYSTEM if _type_of(request) is _SYSTEM_TYPE else _USER,
        event_name=context.event_name,
        user_id=user_id,
        signature=signature,
        origin=origin,
        states=NO_STATES if state is None else ConnectionStates(state),
        headers=Headers(headers),
        subprotocol=context.subprotocol or None,
        event_id=context.event_id,
    )
    if not isinstance(context, MqttConnectionContext):
        return read
    return _mqtt_as_read(context, read)


def _mqtt_as_read(
    context: MqttConnectionContext, read: WebPubSubConnectionContext
) -> MqttConnectionContext | None:
    physical_id, session_id = context.physical_connection_id, context.session_id or None
    values = f"{physical_id}{session_id}"
    if not values.isascii() or not values.isprintable() or " " in values:
        return None
    return MqttConnectionContext.of(read, physical_id, session_id)


def _type_of(request: EventRequest) -> str:
    if request.connection_context.event_type is WebPubSubEventType.USER:
        return _USER_TYPE
    return _PRESENCE_TYPE if isinstance(request, PresenceEventRequest) else _SYSTEM_TYPE


# --- event <-> body -----------------------------------------------------------------------------------


def parse_event(
    context: WebPubSubConnectionContext, content_type: str | None, body: bytes
) -> EventRequest | None:
    """Read the event itself; None for a system event this version does not know.

    Raises:
        CloudEventError: The content type is not supported, or the body is not what the event needs.
    """
    if context.event_type is WebPubSubEventType.USER:
        data_type: WebPubSubDataType | None = _EVENTS.get(content_type)
        if data_type is None and content_type:
            data_type = Payload.data_type_of(content_type)
        if data_type is None:
            raise CloudEventError(
                f"content type {content_type!r} is not supported: expected text/plain, application/json "
                "or application/octet-stream"
            )
        return UserEventRequest(context, Payload(body, data_type))
    parse = SYSTEM_EVENTS.get(context.event_name.lower())
    if parse is None:
        return None
    try:
        return parse(context, body)
    except MALFORMED_JSON as error:
        raise CloudEventError(
            f"the body of the {context.event_name} event cannot be read: {error}"
        ) from error


def content_type_of(request: EventRequest) -> str:
    """Return the content type of the body of an event request."""
    return CONTENT_TYPES[request.payload.data_type] if isinstance(request, UserEventRequest) else _JSON


def build_body(request: EventRequest) -> bytes:
    """Return the body of an event request."""
    return request.payload.body if isinstance(request, UserEventRequest) else build_system_event(request)


# --- response <-> answer ------------------------------------------------------------------------------


def answer_of(request: EventRequest | None, response: EventResponse | None) -> EventAnswer:
    """Check that a response fits its event and merge its states.

    Returns:
        What the service should do: send or override, and the connection's new state.

    Raises:
        EventRefused: The response refuses a connect or user event; status and message are its own.
        UsageError: The response is of another event's kind, or for MQTT clients only.
        InvalidData: Data or states have no wire form.
    """
    # Nobody waits for the answer to any other event, so whatever it is, it has no effect.
    if not isinstance(request, _AWAITED):
        return EventAnswer()
    if isinstance(response, _REFUSALS):
        raise _refusal(request, response)
    states = request.connection_context.states
    if response is None:
        return EventAnswer(None, states.header or None)
    response = response_for(request, response)
    expected = ConnectEventResponse if isinstance(request, ConnectEventRequest) else UserEventResponse
    if not isinstance(response, expected):
        raise UsageError(
            f"a {request.connection_context.event_name} event is answered with {expected.__name__}, "
            f"not with {type(response).__name__}"
        )
    merged = states.merged(response.states, cleared=response.states_cleared)
    return EventAnswer(response, merged.header or None)


def _refusal(request: EventRequest, response: EventErrorResponse | MqttEventErrorResponse) -> EventRefused:
    error = response_for(request, response)
    text = response.error_message if isinstance(response, EventErrorResponse) else response.reason
    return EventRefused(
        response.status, text or "", error if isinstance(error, MqttEventErrorResponse) else None
    )


def build_answer(answer: EventAnswer) -> HttpAnswer:
    """Return the HTTP answer of an event that was handled."""
    headers: list[tuple[bytes, bytes]] = []
    body = b""
    if isinstance(answer.response, ConnectEventResponse):
        headers.append((b"content-type", b"application/json"))
        body = build_accepted(answer.response)
    elif answer.response is not None and (payload := answer.response.payload) is not None:
        headers.append((b"content-type", payload.content_type.encode()))
        body = payload.body
    if answer.state is not None:
        headers.append((_STATE_KEY, answer.state.encode()))
    return HttpAnswer(200, headers, body)


def build_text_answer(request: UserEventRequest, text: str) -> HttpAnswer | None:
    """Return the answer to a user event that is a mere text; None for a text that has no UTF-8 form.

    It is `build_answer` of `answer_of` a `UserEventResponse`, by a shorter way: no answer is more
    common.
    """
    state = request.connection_context.states.header
    headers = (*_TEXT_ANSWER, (_STATE_KEY, state.encode())) if state else _TEXT_ANSWER
    try:
        return HttpAnswer(200, headers, text.encode())
    except UnicodeEncodeError:
        return None


def build_refusal(refused: EventRefused) -> HttpAnswer:
    """Return the HTTP answer of an event that was refused."""
    if isinstance(refused.mqtt, MqttEventErrorResponse):
        return HttpAnswer(refused.status, [(b"content-type", b"application/json")], build_error(refused.mqtt))
    headers = [(b"content-type", b"text/plain; charset=utf-8")] if refused.message else []
    return HttpAnswer(refused.status, headers, refused.message.encode())


def parse_answer(
    request: EventRequest,
    status: int,
    content_type: str | None,
    state: str | None,
    body: bytes,
    metadata: Metadata = NO_METADATA,
    attempts: int = 1,
) -> EventAnswer:
    """Read the answer of an event handler.

    Args:
        request: The event it answers.
        status: HTTP status.
        content_type: ``Content-Type``, or None.
        state: ``ce-connectionState``, or None.
        body: The body.
        metadata: Of ``X-WebPubSub-Metadata-*``; it counts in the answer to a user event only.
        attempts: How often the event was sent.

    Raises:
        EventRefused: The status is not 2xx (and is kept), or the body cannot be used (500). For an MQTT
            client that wants to connect it has the code to refuse it with, if it was the handler's decision.
    """
    if not 200 <= status < 300:
        error = parse_error(request, status, body) if isinstance(request, MqttConnectEventRequest) else None
        raise EventRefused(status, body[:1024].decode(errors="replace"), error)
    if len(body) > MAX_ANSWER_BYTES:
        raise EventRefused(500, f"the answer has {len(body)} bytes: at most {MAX_ANSWER_BYTES} are taken")
    if state and isinstance(request, _AWAITED):
        _check_state(state)
    if isinstance(request, ConnectEventRequest):
        found = _parse_connect_answer(request, body)
        return EventAnswer(found, state, NO_METADATA, status, attempts)
    if isinstance(request, UserEventRequest):
        return EventAnswer(_parse_user_answer(content_type, body), state, metadata, status, attempts)
    return EventAnswer(None, None, NO_METADATA, status, attempts)


def _check_state(state: str) -> None:
    """Make sure that a state can be sent with the connection's next events."""
    problem = carry_problem(state, limit=MAX_STATE_BYTES)
    if problem is not None:
        raise EventRefused(
            500, f"the answer's {STATE_HEADER} {fact(repr(state[:80]))} cannot be kept: {problem}"
        )


def _parse_connect_answer(request: ConnectEventRequest, body: bytes) -> ConnectEventResponse | None:
    if not body:
        return None
    try:
        found = parse_accepted(request, body)
        for group in (found and found.groups) or ():
            if not PLAIN_GROUP.fullmatch(group):
                parse_group_name(group)
    except (*MALFORMED_JSON, InvalidName) as error:
        raise EventRefused(500, f"the answer to the connect event cannot be read: {error}") from error
    if found is not None and found.user_id and (problem := user_id_problem(found.user_id)) is not None:
        raise EventRefused(500, f"the answer's user id {fact(repr(found.user_id))} cannot be used: {problem}")
    return found


def _parse_user_answer(content_type: str | None, body: bytes) -> UserEventResponse | None:
    if not body:
        return None
    data_type = _ANSWERS.get(content_type) or Payload.data_type_of(
        content_type or "application/octet-stream", with_protobuf=True
    )
    if data_type is None:
        raise EventRefused(500, f"the answer's content type {content_type!r} is not supported")
    payload = Payload(body, data_type)
    if data_type is not WebPubSubDataType.TEXT or not body.isascii():
        try:
            payload.check()
        except InvalidData as error:
            raise EventRefused(500, f"the answer cannot be read: {error}") from error
    return UserEventResponse(payload, data_type)
