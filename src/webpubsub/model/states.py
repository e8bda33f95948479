"""Connection states and their header encoding.

The service keeps one opaque string per connection and repeats it in ``ce-connectionState`` of every
event. All .NET packages, and so this one, write into it the base64 of a JSON object whose values are
the base64 of each state's own JSON text. A string in any other format reads as "no states" and is
still passed on untouched.

Source: extension spec, section 3.7.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from webpubsub.model.errors import CloudEventError, InvalidData

__all__ = ["CLEARED", "STATE_HEADER", "ConnectionStates"]

STATE_HEADER = "ce-connectionState"
# What a cleared set of states looks like on the wire: an empty object. An absent header would mean
# "no change", and an empty value may be dropped by proxies.
CLEARED = base64.b64encode(b"{}").decode()


class ConnectionStates(Mapping[str, Any]):
    """The states of one connection: a read-only mapping of names to JSON values.

    Decoding waits until somebody looks; most events pass through without it.

    Example:
        >>> ConnectionStates.of({"counter": 2}).header
        'eyJjb3VudGVyIjoiTWc9PSJ9'
        >>> ConnectionStates("eyJjb3VudGVyIjoiTWc9PSJ9")["counter"]
        2
    """

    __slots__ = ("_values", "header")

    def __init__(self, header: str | None = None) -> None:
        """Wrap a header value; ``None`` means that no state was ever set."""
        self.header = header
        self._values: Mapping[str, Any] | None = None if header else {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ConnectionStates:
        """Encode ``values``.

        Raises:
            InvalidData: A value has no JSON form.
        """
        if not values:
            return cls(None)
        states = cls(encode_states(values))
        states._values = dict(values)
        return states

    def check(self) -> None:
        """Decode now.

        Raises:
            CloudEventError: The header is not base64.
        """
        if self._values is None:
            self._values = decode_states(self.header or "")

    def merged(self, changes: Mapping[str, Any], *, cleared: bool = False) -> ConnectionStates:
        """Return these states overwritten by ``changes``; with ``cleared``, ``changes`` alone."""
        if cleared:
            return ConnectionStates.of(changes) if changes else ConnectionStates(CLEARED)
        return ConnectionStates.of({**self, **changes}) if changes else self

    def _decoded(self) -> Mapping[str, Any]:
        if self._values is None:
            try:
                self.check()
            except CloudEventError:
                self._values = {}
        assert self._values is not None
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return f"ConnectionStates({dict(self)!r})"


def encode_states(values: Mapping[str, Any]) -> str:
    """Return the header value of ``values``.

    Raises:
        InvalidData: A value has no JSON form.
    """
    inner: dict[str, str] = {}
    for name, value in values.items():
        try:
            inner[name] = base64.b64encode(msgspec.json.encode(value)).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidData(f"state {name!r} has no JSON form: {error}") from error
    return base64.b64encode(msgspec.json.encode(inner)).decode()


def decode_states(header: str) -> dict[str, Any]:
    """Return the states of a header value; a foreign format has none.

    A value whose bytes are not JSON is returned as text, as nothing else could have been meant.

    Raises:
        CloudEventError: The header is not base64 at all.
    """
    try:
        outer = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CloudEventError(f"{STATE_HEADER} is not base64: {error}") from error
    try:
        inner = msgspec.json.decode(outer, type=dict[str, str])
        raw = {name: base64.b64decode(value, validate=True) for name, value in inner.items()}
        return {name: _state_value(value) for name, value in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error, ValueError):
        return {}


def _state_value(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return raw.decode()
