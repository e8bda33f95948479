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
from typing import Any, Final

import msgspec

from webpubsub.model.errors import CloudEventError, InvalidData
from webpubsub.model.payload import MALFORMED_JSON

STATE_HEADER: Final = "ce-connectionState"
# What a cleared set of states looks like on the wire: an empty object. An absent header would mean
# "no change", and an empty value may be dropped by proxies.
CLEARED: Final = base64.b64encode(b"{}").decode()

_outer: Final = msgspec.json.Decoder(dict[str, str])


class ConnectionStates(Mapping[str, Any]):
    """The states of one connection: a read-only mapping of names to JSON values.

    Decoding waits until somebody looks; most events pass through without it.

    Example:
        >>> ConnectionStates.of({"counter": 2}).header
        'eyJjb3VudGVyIjoiTWc9PSJ9'
        >>> ConnectionStates("eyJjb3VudGVyIjoiTWc9PSJ9")["counter"]
        2
    """

    __slots__ = ("_encoded", "_values", "header")

    def __init__(self, header: str | None = None) -> None:
        """Wrap a header value; ``None`` means that no state was ever set."""
        self.header = header
        # The inner JSON object: each name with its value still in base64.
        self._encoded: dict[str, str] | None = None if header else {}
        self._values: dict[str, Any] | None = None if header else {}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ConnectionStates:
        """Encode ``values``.

        Raises:
            InvalidData: A value has no JSON form.
        """
        return cls(_encode_outer(_encode_values(values)) if values else None)

    def check(self) -> None:
        """Take the header apart now.

        Raises:
            CloudEventError: The header is not base64.
        """
        if self._encoded is None:
            self._encoded = _decode_outer(self.header or "")

    def merged(self, changes: Mapping[str, Any], *, cleared: bool = False) -> ConnectionStates:
        """Return these states overwritten by ``changes``; with ``cleared``, ``changes`` alone.

        States that do not change keep their exact bytes.

        Raises:
            InvalidData: A value has no JSON form.
        """
        if cleared:
            return ConnectionStates.of(changes) if changes else ConnectionStates(CLEARED)
        if not changes:
            return self
        return ConnectionStates(_encode_outer({**self._inner(), **_encode_values(changes)}))

    @property
    def raw(self) -> dict[str, msgspec.Raw]:
        """The exact JSON text of each state; bytes that are not JSON become a JSON string."""
        return {name: _raw(base64.b64decode(value)) for name, value in self._inner().items()}

    def _inner(self) -> dict[str, str]:
        try:
            self.check()
        except CloudEventError:
            self._encoded = {}
        return self._encoded or {}

    def _decoded(self) -> dict[str, Any]:
        if self._values is None:
            inner = self._inner().items()
            self._values = {name: _decode_value(base64.b64decode(value)) for name, value in inner}
        return self._values

    def __getitem__(self, name: str) -> Any:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return f"ConnectionStates({dict(self)!r})"


NO_STATES: Final = ConnectionStates()
"""Those of a connection that never had any; shared, as nothing changes them."""


def _encode_values(values: Mapping[str, Any]) -> dict[str, str]:
    encoded: dict[str, str] = {}
    for name, value in values.items():
        try:
            encoded[name] = base64.b64encode(msgspec.json.encode(value)).decode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidData(f"state {name!r} has no JSON form: {error}") from error
    return encoded


def _encode_outer(encoded: Mapping[str, str]) -> str:
    try:
        return base64.b64encode(msgspec.json.encode(encoded)).decode()
    except (TypeError, ValueError) as error:
        raise InvalidData(f"the states {list(encoded)!r} have a name without JSON form: {error}") from error


def _decode_outer(header: str) -> dict[str, str]:
    try:
        outer = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CloudEventError(f"{STATE_HEADER} is not base64: {error}") from error
    try:
        encoded = _outer.decode(outer)
        # All or nothing: a part of a foreign format would be more misleading than none of it.
        for value in encoded.values():
            base64.b64decode(value, validate=True)
    except (*MALFORMED_JSON, ValueError):
        return {}
    return encoded


def _decode_value(raw: bytes) -> Any:
    """Return a value; bytes that are not JSON are text, as nothing else could have been meant."""
    try:
        return msgspec.json.decode(raw)
    except MALFORMED_JSON:
        return raw.decode(errors="replace")


def _raw(value: bytes) -> msgspec.Raw:
    try:
        msgspec.json.decode(value)
    except MALFORMED_JSON:
        return msgspec.Raw(msgspec.json.encode(value.decode(errors="replace")))
    return msgspec.Raw(value)
