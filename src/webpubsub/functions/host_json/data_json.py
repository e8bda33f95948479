"""Reading the host's JSON (text, bytes or already parsed), and its members ``data`` and ``dataType``.

Text and JSON travel as a string (JSON as its text), binary as ``{"type": "Buffer", "data": [0, 1]}``.

Source: extension spec, sections 5.2 and 8.2; a missing ``dataType`` is inferred (design, section 5.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from webpubsub.model.errors import InvalidData, PeerError
from webpubsub.model.payload import MALFORMED_JSON, Payload, WebPubSubDataType, parse_data_type

Buffer = dict[str, Any]

_NUMBERS: Final = {
    0: WebPubSubDataType.BINARY,
    1: WebPubSubDataType.JSON,
    2: WebPubSubDataType.TEXT,
}

HostValue = Any

_T = TypeVar("_T")


def encode_data(payload: Payload) -> str | Buffer:
    """Return the ``data`` member of a payload.

    Raises:
        InvalidData: A text or JSON payload is not UTF-8.
    """
    if payload.data_type is WebPubSubDataType.BINARY:
        return {"type": "Buffer", "data": list(payload.body)}
    return payload.text


def decode_data_type(value: Any) -> WebPubSubDataType | None:
    """Return the data type of a ``dataType`` member: a name in any case, 0 binary, 1 json, 2 text.

    Raises:
        InvalidData: ``value`` names no data type.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value in _NUMBERS:
        return _NUMBERS[value]
    return parse_data_type(value)


def decode_data(data: Any, data_type: Any = None, *, text_as_binary: bool = False) -> Payload:
    """Return the payload of a pair of members.

    Args:
        data: The ``data`` member; Python ``bytes`` are taken like a Buffer object.
        data_type: The ``dataType`` member; None infers it: a string is text, a Buffer object binary, any
            other value JSON.
        text_as_binary: Take a string as binary data too, as its UTF-8: trigger answers do, actions do not.

    Raises:
        InvalidData: The two do not fit each other.

    Example:
        >>> decode_data({"type": "Buffer", "data": [104, 105]}, "text").value
        'hi'
    """
    kind = decode_data_type(data_type)
    body = _binary(data)
    if body is not None:
        return _checked(Payload(body, kind or WebPubSubDataType.BINARY))
    if isinstance(data, str):
        return _decode_string(data, kind or WebPubSubDataType.TEXT, text_as_binary)
    if data is None:
        raise InvalidData("'data' is missing or null: expected a string or a Buffer object")
    if kind is None:
        return Payload.of(data, WebPubSubDataType.JSON)
    raise InvalidData(
        f"'data' is {_article(data)} with dataType '{kind}': {_EXPECTED[kind]}, "
        "or leave dataType out to send the value as its JSON"
    )


_EXPECTED: Final = {
    WebPubSubDataType.TEXT: "expected a string",
    WebPubSubDataType.JSON: "expected JSON as a string, so stringify it with json.dumps(...)",
    WebPubSubDataType.BINARY: 'expected bytes or a Buffer object {"type": "Buffer", "data": [...]}',
}


def _decode_string(data: str, kind: WebPubSubDataType, text_as_binary: bool) -> Payload:
    if kind is WebPubSubDataType.BINARY and not text_as_binary:
        raise InvalidData(f"'data' is a string with dataType 'binary': {_EXPECTED[kind]}")
    return _checked(Payload(Payload.of(data, WebPubSubDataType.TEXT).body, kind))


def _checked(payload: Payload) -> Payload:
    payload.check()
    return payload


def _binary(data: Any) -> bytes | None:
    """Return the bytes of Python bytes or of a Buffer object, None for anything else."""
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if not isinstance(data, Mapping) or str(data.get("type", "")).lower() != "buffer":
        return None
    octets = data.get("data")
    try:
        if not isinstance(octets, list):
            raise TypeError(f"found {_article(octets)}")
        return bytes(octets)
    except (TypeError, ValueError) as error:
        raise InvalidData(
            f"the Buffer object's 'data' is not a list of numbers from 0 to 255: {error}"
        ) from None


def _article(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"


def read(binding: str, value: HostValue, kind: type[_T]) -> _T:
    """Return ``value`` as ``kind``.

    Raises:
        PeerError: It does not fit; the text names ``binding``.
    """
    try:
        if isinstance(value, str | bytes | bytearray):
            return msgspec.json.decode(value, type=kind)
        msgspec.json.encode(value)  # text with lone surrogates is no JSON either, and converts all the same
        return msgspec.convert(value, kind)
    except (*MALFORMED_JSON, TypeError) as error:
        raise PeerError(f"the host's value of '{binding}' cannot be read: {error}") from error
