"""``webPubSubContext``: a request of the service to an HTTP function, read and checked.

The webhook has rules of its own; here nothing is refused out of hand, but becomes a `WebPubSubContext`
that says what is wrong and how to answer it.

Source: extension spec, sections 1.4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from azure.functions.http import HttpRequest

from webpubsub.functions.host_json import encode_context
from webpubsub.host.bindings.members import as_data_type, parse_connection_names
from webpubsub.host.function import Binding, Facilities, FunctionDefinition, Invocation
from webpubsub.model.access.signature import RequestValidator, split_list
from webpubsub.model.cloudevents import ALLOWED_ORIGIN, REQUEST_ORIGIN, parse_context, parse_event
from webpubsub.model.errors import CloudEventError, ConfigurationError, PeerError
from webpubsub.model.events import (
    DisconnectedEventRequest,
    PreflightRequest,
    WebPubSubConnectionContext,
    WebPubSubContext,
    WebPubSubContextResponse,
)
from webpubsub.model.http import Headers, RawHeaders, header_text

BAD_REQUEST: Final = 400

_ORIGIN: Final = REQUEST_ORIGIN.lower().encode()
_SYSTEM_TYPE: Final = b"azure.webpubsub.sys."
# What a webhook request must have, and a request here may lack.
_MAY_LACK: Final = {b"ce-connectionid": b"", b"ce-hub": b"", b"ce-eventname": b"", _ORIGIN: b""}

_ACCEPTED: Final = WebPubSubContextResponse(200)
_ALLOWED: Final = WebPubSubContextResponse(200, headers={ALLOWED_ORIGIN: ("*",)})
_FORBIDDEN: Final = WebPubSubContextResponse(400)


class WebPubSubContextInput:
    """Reads the request that started an HTTP function; never fails the function.

    Attributes:
        name: The binding's name.
        validator: Checks origin and signature; None when the binding's connections cannot be used.
        warnings: What runs, but does not do what its author meant.
    """

    def __init__(self, binding: Binding, definition: FunctionDefinition, facilities: Facilities) -> None:
        """Read the binding.

        A connection that cannot be used is no error here, as in Azure: every request is refused for it.

        Raises:
            ConfigurationError: ``connections`` is no list of names.
        """
        self.name: str = binding["name"]
        names = parse_connection_names(binding, facilities.connections)
        self.validator: RequestValidator | None = None
        self._problem = ""
        if not any(str(each["type"]).lower() == "httptrigger" for each in definition.bindings):
            self._problem = "a webPubSubContext needs an httpTrigger: there is no request to read"
        else:
            try:
                self.validator = facilities.connections.validator(names)
            except ConfigurationError as error:
                self._problem = str(error)
        self.warnings = (
            (f"binding '{self.name}' refuses every request: {self._problem}",) if self._problem else ()
        )
        self._as_value: Callable[[WebPubSubContext], object] = (
            _itself if definition.is_typed(self.name) else as_data_type(binding, encode_context)
        )

    def open(self, invocation: Invocation) -> object:
        """Return the context, as JSON for a function that is not typed."""
        return self._as_value(self._read(invocation))

    def _read(self, invocation: Invocation) -> WebPubSubContext:
        if self.validator is None:
            return refused(BAD_REQUEST, self._problem)
        request: HttpRequest = invocation.source
        return read_upstream(request.method, invocation.headers, request.get_body(), self.validator)


def _itself(context: WebPubSubContext) -> WebPubSubContext:
    return context


def read_upstream(
    method: str, headers: RawHeaders, body: bytes, validator: RequestValidator
) -> WebPubSubContext:
    """Return what a request means, whatever it is.

    Only OPTIONS asks for permission to send events; an event may come with any other method.

    Args:
        method: HTTP method.
        headers: Names in lower case.
        body: The whole body.
        validator: Knows the services that may send events here.
    """
    origins = [
        origin for name, value in headers if name == _ORIGIN for origin in split_list(header_text(value))
    ]
    if method == "OPTIONS" and origins:
        return _preflight(is_valid=validator.accepts_origin(origins))
    try:
        return _read_event(headers, body, validator)
    except PeerError as error:
        return refused(error.status, str(error))


def refused(status: int, problem: str) -> WebPubSubContext:
    """Return the context of a request that is no valid event; the sender is told ``problem``."""
    response = WebPubSubContextResponse(status, problem)
    return WebPubSubContext(response=response, error_message=problem, has_error=True)


def _preflight(*, is_valid: bool) -> WebPubSubContext:
    response = _ALLOWED if is_valid else _FORBIDDEN
    return WebPubSubContext(request=PreflightRequest(is_valid), response=response, is_preflight=True)


def _read_event(headers: RawHeaders, body: bytes, validator: RequestValidator) -> WebPubSubContext:
    values = _first_values(headers)
    context = _parse_context(values, headers)
    if not validator.accepts_signature(context.origin, context.signature, context.connection_id):
        raise PeerError(
            f"origin {context.origin!r} or signature is not that of a configured connection", status=401
        )
    content_type = values.get(b"content-type")
    request = parse_event(context, None if content_type is None else header_text(content_type), body)
    if isinstance(request, DisconnectedEventRequest):
        validator.forget(context.connection_id)
    return WebPubSubContext(request=request, response=_ACCEPTED)


def _first_values(headers: RawHeaders) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in headers:
        values.setdefault(name, value)
    return values


def _parse_context(values: dict[bytes, bytes], headers: RawHeaders) -> WebPubSubConnectionContext:
    """Read the context of what is there: the first value of each header, and nothing for a missing one."""
    kind = values.get(b"ce-type")
    if not kind:
        raise CloudEventError("header ce-type is missing")
    if kind.lower().startswith(_SYSTEM_TYPE) and not values.get(b"ce-eventname"):
        raise CloudEventError("header ce-eventname is missing")
    context = parse_context([*(_MAY_LACK | values).items()])
    return msgspec.structs.replace(context, origin=context.origin or None, headers=Headers(headers))
