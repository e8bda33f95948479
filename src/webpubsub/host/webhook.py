"""The webhook: ``/runtime/webhooks/webpubsub``.

Source: extension spec, sections 3.1 to 3.8; where it differs, the design, section 5.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from webpubsub.host.bindings.web_pubsub_trigger import (
    ALL_PROTOCOLS,
    AWAITED,
    DONE,
    EventKey,
    WebPubSubTrigger,
)
from webpubsub.host.bodies import MAX_SMALL_DIGITS, TOO_LARGE, is_too_large
from webpubsub.host.function import HostFunction
from webpubsub.host.running.invoker import Invoker
from webpubsub.model.access.signature import RequestValidator, split_list
from webpubsub.model.cloudevents import (
    ALLOWED_ORIGIN,
    REQUEST_ORIGIN,
    build_refusal,
    header_values,
    parse_context,
    parse_event,
)
from webpubsub.model.errors import CloudEventError, ConfigurationError, EventRefused, PeerError
from webpubsub.model.events import (
    DisconnectedEventRequest,
    EventErrorResponse,
    EventRequest,
    WebPubSubConnectionContext,
    WebPubSubErrorCode,
)
from webpubsub.model.http import HttpAnswer, LaneHandler, RawHeaders, header_text
from webpubsub.model.mqtt_events import MqttConnectEventRequest, MqttConnectionContext, mqtt_error
from webpubsub.model.trace import SILENT, Name, Phase, Trace, event_ids

WEBHOOK_PATH: Final = "/runtime/webhooks/webpubsub"

_TARGET: Final = WEBHOOK_PATH.encode()
_NO_KEY: Final = (
    "the request has no key of the webhook: expected '?code=' with the system key 'webpubsub_extension' in "
    "the URL of the event handler"
)
_ORIGIN: Final = REQUEST_ORIGIN.lower().encode()
_SIGNED: Final = (_ORIGIN, b"ce-signature", b"ce-connectionid")
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_METHODS: Final = {"GET", "PUT", "POST", "DELETE", "OPTIONS"}
_PROBES: Final = {"GET", "OPTIONS"}

_ALLOWED: Final = HttpAnswer(200, ((ALLOWED_ORIGIN.lower().encode(), b"*"),))
_BAD_REQUEST: Final = HttpAnswer(400)
_UNAUTHORIZED: Final = HttpAnswer(401)
_NOT_FOUND: Final = HttpAnswer(404)
# Tells the caller nothing about the app; the traceback is in the trace.
_FAILED: Final = EventErrorResponse(WebPubSubErrorCode.SERVER_ERROR, "The function failed.")


def index_triggers(
    functions: Iterable[HostFunction], problems: list[ConfigurationError]
) -> dict[EventKey, HostFunction]:
    """Return Web PubSub functions by what events find them by.

    A function that would get the events of another is left out and named in ``problems``.
    """
    index: dict[EventKey, HostFunction] = {}
    for function in functions:
        key = _trigger(function).key
        first = index.setdefault(key, function).definition
        if first is not function.definition:
            hub, event_type, event_name, protocol = key
            problems.append(
                function.definition.problem(
                    f"it has the same trigger as function '{first.name}' ({first.where}): hub '{hub}', "
                    f"{event_type} event '{event_name}', client protocol '{protocol}'; change one of them"
                )
            )
    return index


class Webhook:
    """Answers requests of the service."""

    def __init__(
        self,
        functions: Mapping[EventKey, HostFunction],
        invoker: Invoker,
        *,
        is_open: Callable[[RawHeaders, bytes], bool] | None = None,
        trace: Trace = SILENT,
    ) -> None:
        """Answer with ``functions``, see `index_triggers`.

        Args:
            functions: By what events find them by.
            invoker: Runs them.
            is_open: Whether headers and query have a key, also when the service asks whether it may send;
                None: nobody is asked for one.
            trace: Is told what is refused.
        """
        self._invoker = invoker
        self._is_open = is_open
        self._trace = trace
        self._targets = dict(_targets(functions))
        validators = {id(validator): validator for _, validator in self._targets.values()}
        self._validators: tuple[RequestValidator, ...] = tuple(validators.values())

    def open(self, method: str, target: bytes, headers: RawHeaders) -> LaneHandler | HttpAnswer | None:
        """Take events, as the service sends them, into the fast lane; see `FastLane.open`."""
        path, _, query = target.partition(b"?")
        if path != _TARGET or method != "POST" or b"#" in query:
            return None
        return self.decide(method, headers, query)

    def decide(self, method: str, headers: RawHeaders, query: bytes = b"") -> LaneHandler | HttpAnswer:
        """Return who answers a request, given its body, or the answer itself: then nobody wants the body.

        Args:
            method: HTTP method.
            headers: Names in lower case.
            query: As it stands in the URL; a webhook that asks for keys looks there.
        """
        if self._is_open is not None and not self._is_open(headers, query):
            return self._refuse(_UNAUTHORIZED, None, _NO_KEY)
        if method in _PROBES:
            return self._probe(headers)
        if method not in _METHODS:
            return _NOT_FOUND
        found = self._find(method, None, headers)
        if isinstance(found, HttpAnswer):
            return found
        function, context, content_type = found
        return partial(self._run, function, context, content_type, headers)

    def proves_key(self, headers: RawHeaders) -> bool:
        """Whether a request is signed with a key of a configured connection that not everybody knows."""
        values = dict(headers)
        origin, signature, connection_id = (header_text(values.get(name, b"")) for name in _SIGNED)
        return any(each.proves_key(origin, signature, connection_id) for each in self._validators)

    def take(
        self,
        context: WebPubSubConnectionContext,
        content_type: str,
        body: bytes,
        headers: RawHeaders,
        query: bytes = b"",
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        """Answer an event of a service in this process as `decide` has the POST answered that it would be.

        Args:
            context: What `parse_context` would read from ``headers``; only its states are not checked yet.
            content_type: That of ``body``.
            body: The event itself.
            headers: What functions see; nothing is read from them here.
            query: See `decide`.
        """
        if self._is_open is not None and not self._is_open((), query):
            return self._refuse(_UNAUTHORIZED, None, _NO_KEY)
        found = self._find("POST", context, headers)
        if isinstance(found, HttpAnswer):
            return found
        return self._run(found[0], context, content_type, headers, body)

    def _find(
        self, method: str, context: WebPubSubConnectionContext | None, headers: RawHeaders
    ) -> tuple[HostFunction, WebPubSubConnectionContext, str | None] | HttpAnswer:
        """Return the function that takes an event, with context and content type; or what the head answers.

        Args:
            method: HTTP method.
            context: None: it is read from the headers, and so are type and length of the body.
            headers: See `decide`.
        """
        content_type, length = None, b""
        try:
            if context is None:
                values = header_values(headers)
                context = parse_context(headers, values)
                content_type, length = values.get(b"content-type"), values.get(b"content-length", b"")
            else:
                context.states.check()
        except CloudEventError as error:
            return self._refuse(_BAD_REQUEST, None, str(error))
        protocol = "mqtt" if isinstance(context, MqttConnectionContext) else "webpubsub"
        name = context.event_name.lower()
        target = self._targets.get((context.hub.lower(), context.event_type, name, protocol))
        if target is None:
            return self._refuse(_NOT_FOUND, context, f"no function takes {_described(context)}")
        function, validator = target
        if not validator.accepts_signature(context.origin, context.signature, context.connection_id):
            problem = f"origin {context.origin!r} or signature is not that of a configured connection"
            return self._refuse(_UNAUTHORIZED, context, problem)
        if method != "POST":
            return self._refuse(_BAD_REQUEST, context, f"the method is {method}: expected POST")
        if len(length) > MAX_SMALL_DIGITS and is_too_large(length):
            return self._refuse(TOO_LARGE, context, TOO_LARGE.body.decode())
        return function, context, None if content_type is None else content_type.decode("latin-1")

    def _run(
        self,
        function: HostFunction,
        context: WebPubSubConnectionContext,
        content_type: str | None,
        headers: RawHeaders,
        body: bytes,
    ) -> HttpAnswer | Awaitable[HttpAnswer]:
        try:
            request = parse_event(context, content_type, body)
        except CloudEventError as error:
            refusal = HttpAnswer(400, _TEXT, str(error).encode(errors="replace"))
            return self._refuse(refusal, context, str(error))
        if isinstance(request, DisconnectedEventRequest):  # it raises no more
            for each in self._validators:
                each.forget(context.connection_id)
        return self._invoker.invoke(function, request, event=context, headers=headers, failed=_failure)

    def _probe(self, headers: RawHeaders) -> HttpAnswer:
        """Abuse protection: may events of this origin be sent here?"""
        origins = [
            origin for name, value in headers if name == _ORIGIN for origin in split_list(header_text(value))
        ]
        if origins and any(validator.accepts_origin(origins) for validator in self._validators):
            return _ALLOWED
        problem = f"origin {', '.join(origins)} is not that of a configured connection"
        return self._refuse(_BAD_REQUEST, None, problem if origins else f"header {REQUEST_ORIGIN} is missing")

    def _refuse(
        self, answer: HttpAnswer, context: WebPubSubConnectionContext | None, problem: str
    ) -> HttpAnswer:
        ids = {} if context is None else event_ids(context)
        error = PeerError(problem, status=answer.status)
        self._trace.tell(Name.EVENT, Phase.FAILED, ids, {"status": answer.status}, error)
        return answer


def _targets(
    functions: Mapping[EventKey, HostFunction],
) -> Iterator[tuple[EventKey, tuple[HostFunction, RequestValidator]]]:
    """Yield function and validator by event, so that one look finds them: first those of all protocols."""
    for protocols in (ALL_PROTOCOLS,), ("webpubsub", "mqtt"):
        for (hub, event_type, name, protocol), function in functions.items():
            if protocol in protocols:
                for each in ("webpubsub", "mqtt") if protocol == ALL_PROTOCOLS else (protocol,):
                    yield (hub, event_type, name, each), (function, _trigger(function).validator)


def _trigger(function: HostFunction) -> WebPubSubTrigger:
    trigger = function.trigger
    assert isinstance(trigger, WebPubSubTrigger)
    return trigger


def _failure(request: EventRequest | None) -> HttpAnswer:
    """Return the answer to an event whose function failed: an MQTT client that connects needs a code."""
    if not isinstance(request, AWAITED):
        return DONE
    mqtt = mqtt_error(request, _FAILED) if isinstance(request, MqttConnectEventRequest) else None
    return build_refusal(EventRefused(_FAILED.status, _FAILED.error_message, mqtt))


def _described(context: WebPubSubConnectionContext) -> str:
    return f"the {context.event_type} event '{context.event_name}' of hub '{context.hub}'"
