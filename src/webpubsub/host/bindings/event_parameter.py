"""What an untyped trigger function gets: its parameter's name picks a part of the event.

Source: extension spec, sections 4.1 to 4.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from webpubsub.functions.did_you_mean import did_you_mean, listed
from webpubsub.functions.host_json import encode_request
from webpubsub.functions.request_json import indented, request_members
from webpubsub.host.bindings.members import as_data_type, is_binary
from webpubsub.host.function import Binding
from webpubsub.model.events import DisconnectedEventRequest, EventRequest, UserEventRequest

Make = Callable[[EventRequest], str | None] | Callable[[EventRequest], bytes | None]


def event_parameter(binding: Binding) -> Make:
    """Return what makes the value of a trigger's parameter; a name nobody knows, in any case, gets None."""
    name = binding["name"].lower()
    if name == "data" and is_binary(binding):
        return _message_bytes
    return as_data_type(binding, _MAKERS.get(name, _nothing))


def name_problem(name: str) -> str | None:
    """Return why a parameter called ``name`` never gets a value, or None when it does."""
    if name.lower() in _MAKERS:
        return None
    return (
        f"parameter '{name}' is always None: the extension fills {listed(_NAMES)} only; call it 'request' to "
        f"get the whole event{did_you_mean(name, _NAMES)}"
    )


def _message_bytes(request: EventRequest) -> bytes | None:
    return request.payload.body if isinstance(request, UserEventRequest) else None


def _message_text(request: EventRequest) -> str | None:
    # As in Azure, binary data is damaged here: 'dataType: binary' is what keeps it.
    return request.payload.body.decode(errors="replace") if isinstance(request, UserEventRequest) else None


def _data_type(request: EventRequest) -> str:
    return request.data_type.capitalize() if isinstance(request, UserEventRequest) else "Text"


def _reason(request: EventRequest) -> str | None:
    return request.reason if isinstance(request, DisconnectedEventRequest) else None


def _member(name: str) -> Callable[[EventRequest], str | None]:
    def json_text(request: EventRequest) -> str | None:
        value = request_members(request).get(name)
        return None if value is None else indented(value)

    return json_text


def _nothing(_request: EventRequest) -> None:
    return None


_TEXTS: Final[dict[str, Callable[[EventRequest], str | None]]] = {
    "request": encode_request,
    "connectionContext": _member("connectionContext"),
    "data": _message_text,
    "dataType": _data_type,
    "claims": _member("claims"),
    "query": _member("query"),
    "subprotocols": _member("subprotocols"),
    "clientCertificates": _member("clientCertificates"),
    "reason": _reason,
}
_NAMES: Final = tuple(_TEXTS)
_MAKERS: Final = {name.lower(): make for name, make in _TEXTS.items()}
