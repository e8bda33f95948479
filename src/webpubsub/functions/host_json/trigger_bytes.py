"""The message of a user event, byte for byte, in the Functions worker.

A trigger called ``request`` gets JSON, in which binary data is damaged. One called ``data`` with ``dataType:
binary`` gets the exact bytes, and everything else about the event is in the *trigger metadata*, which the
worker shows to converters only (`webpubsub.functions.converter`).

Metadata is believed beside bytes only: the host adds the members of a JSON *text* to it, over those of the
extension, so that there a client could pretend to be somebody else.

Source: Functions in Python spec, sections 0 (7), 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from webpubsub.functions.host_json.data_json import HostValue, read
from webpubsub.functions.host_json.request_json import RequestJson, request_of
from webpubsub.model.errors import PeerError
from webpubsub.model.events import EventRequest, UserEventRequest
from webpubsub.model.payload import MALFORMED_JSON


class Datum(Protocol):
    """A value as the worker keeps it."""

    value: Any
    type: str | None


class TriggerBytes(bytes):
    """The bytes of a trigger's value: to everybody else, just bytes.

    Attributes:
        trigger_metadata: What the host says beside them, by the extension's names.
    """

    trigger_metadata: Mapping[str, Datum]


def decode_user_event(value: HostValue) -> EventRequest:
    """Read the event of a trigger called ``data``.

    Raises:
        PeerError: It is no user event, or anything but the bytes of one with their metadata.
    """
    if isinstance(value, EventRequest):
        return value
    if not isinstance(value, TriggerBytes):
        raise PeerError(
            f"the host's value of 'data' is {type(value).__name__}: expected the bytes of a message with "
            "trigger metadata, as the binding has dataType 'binary'"
        )
    members = {
        "connectionContext": _metadata(value, "ConnectionContext"),
        "dataType": _metadata(value, "DataType"),
        "data": bytes(value),
    }
    request = request_of(read("data", members, RequestJson))
    if not isinstance(request, UserEventRequest):
        raise PeerError("the host's value of 'data' is of another event: expected a user event")
    return request


def _metadata(value: TriggerBytes, name: str) -> Any:
    """Return one member of the metadata: JSON in whichever form, or a bare name of an enum."""
    datum = value.trigger_metadata.get(name)
    if datum is None:
        found = ", ".join(sorted(value.trigger_metadata)) or "nothing"
        raise PeerError(f"the host's trigger metadata has no '{name}': found {found}")
    if not isinstance(datum.value, str | bytes):
        return datum.value
    try:
        return msgspec.json.decode(datum.value)
    except MALFORMED_JSON:
        return datum.value
