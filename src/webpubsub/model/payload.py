"""A message's bytes and what they mean.

A payload is what travels: exact bytes plus a data type. People write and read *values* instead
(``"hi"``, ``b"\\x00"``, ``{"answer": 42}``); `Payload.of` and `Payload.value` go between the two.
The bytes of a JSON payload are never re-encoded on their way through, so numbers and key order survive.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

import msgspec

from webpubsub.model.errors import InvalidData

__all__ = ["CONTENT_TYPES", "MALFORMED_JSON", "Data", "Payload", "WebPubSubDataType"]

# What msgspec raises for bytes, and text with lone surrogates, that are not JSON; also for JSON nested so
# deep that nobody meant it.
MALFORMED_JSON: Final = (msgspec.DecodeError, UnicodeError, RecursionError)

# What a message may carry, as Python values: text, binary, or anything that has a JSON form. The JSON
# part is open (dataclasses, Structs, datetimes, ... all encode), hence Any.
Data = Any


class WebPubSubDataType(StrEnum):
    """How the bytes of a message are to be read.

    Source: extension ``WebPubSubDataType``; wire names of the JSON subprotocol.
    """

    TEXT = "text"
    JSON = "json"
    BINARY = "binary"

    @classmethod
    def _missing_(cls, value: object) -> WebPubSubDataType | None:
        """Accept any case, as the extension does (``Text``, ``JSON``)."""
        if isinstance(value, str):
            return cls._value2member_map_.get(value.lower())  # type: ignore[return-value]
        return None


TEXT: Final = WebPubSubDataType.TEXT
JSON: Final = WebPubSubDataType.JSON
BINARY: Final = WebPubSubDataType.BINARY

CONTENT_TYPES: Final[dict[WebPubSubDataType, str]] = {
    TEXT: "text/plain",
    JSON: "application/json",
    BINARY: "application/octet-stream",
}
# Checks JSON without making Python values of it, three to four times as fast; it skips over strings
# without a look at their encoding.
_syntax: Final = msgspec.json.Decoder(msgspec.Raw)
_DATA_TYPES: Final = {content_type: data_type for data_type, content_type in CONTENT_TYPES.items()}


class Payload(msgspec.Struct, frozen=True):
    """Exact bytes and their data type.

    Attributes:
        body: UTF-8 for text and JSON, anything for binary.
        data_type: How to read ``body``.

    Example:
        >>> Payload.of({"answer": 42})
        Payload(body=b'{"answer":42}', data_type=<WebPubSubDataType.JSON: 'json'>)
        >>> Payload.of("hi").value
        'hi'
    """

    body: bytes
    data_type: WebPubSubDataType

    @classmethod
    def of(cls, data: Data, data_type: WebPubSubDataType | str | None = None) -> Payload:
        """Make a payload of a Python value.

        Args:
            data: ``str`` is text, ``bytes`` is binary, any other value is sent as its JSON. A payload is
                returned as it is.
            data_type: Overrides the inference. ``json`` with a ``str`` sends a JSON string: ``"hi"`` with
                its quotes.

        Raises:
            InvalidData: ``data`` cannot be sent as ``data_type``, or has no JSON form.
        """
        if isinstance(data, cls):
            if data_type is not None and parse_data_type(data_type) is not data.data_type:
                raise InvalidData(f"a {data.data_type} payload cannot be sent as {data_type}")
            return data
        if data_type is None:
            kind = _infer(data)
        else:
            kind = parse_data_type(data_type)
        return cls(_ENCODERS[kind](data), kind)

    @property
    def value(self) -> Data:
        """The Python value: ``str`` for text, ``bytes`` for binary, the parsed value for JSON.

        Raises:
            InvalidData: Text that is not UTF-8, or JSON that does not parse.
        """
        if self.data_type is BINARY:
            return self.body
        if self.data_type is TEXT:
            return self.text
        try:
            return msgspec.json.decode(self.body)
        except MALFORMED_JSON as error:
            raise InvalidData(f"the payload is not valid JSON: {error}") from error

    def check(self) -> None:
        """Make sure that the bytes are what the data type says.

        Raises:
            InvalidData: Text that is not UTF-8, or JSON that does not parse.
        """
        if self.data_type is BINARY:
            return
        _ = self.text
        if self.data_type is JSON:
            try:
                _syntax.decode(self.body)
            except MALFORMED_JSON as error:
                raise InvalidData(f"the payload is not valid JSON: {error}") from error

    @property
    def text(self) -> str:
        """The bytes as text, whatever the data type.

        Raises:
            InvalidData: The bytes are not UTF-8.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError as error:
            raise InvalidData(f"the payload is not UTF-8 text: {error}") from error

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return CONTENT_TYPES[self.data_type]

    @staticmethod
    def data_type_of(content_type: str) -> WebPubSubDataType | None:
        """Return the data type of a ``Content-Type`` value (parameters ignored), or None when unknown."""
        return _DATA_TYPES.get(content_type.partition(";")[0].strip().lower())


def parse_data_type(value: WebPubSubDataType | str) -> WebPubSubDataType:
    """Return the data type of any spelling of its name.

    Raises:
        InvalidData: ``value`` names no data type.
    """
    try:
        return WebPubSubDataType(value)
    except ValueError:
        raise InvalidData(f"data type {value!r} is not one of 'text', 'json', 'binary'") from None


def _infer(data: Data) -> WebPubSubDataType:
    if isinstance(data, str):
        return TEXT
    if isinstance(data, bytes | bytearray | memoryview):
        return BINARY
    return JSON


def _encode_text(data: Data) -> bytes:
    if not isinstance(data, str):
        raise InvalidData(f"text data must be a str, not {type(data).__name__}")
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        raise InvalidData(f"the text has no UTF-8 form: {error}") from error


def _encode_binary(data: Data) -> bytes:
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidData(f"binary data must be bytes, not {type(data).__name__}")
    return bytes(data)


def _encode_json(data: Data) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        raise InvalidData("bytes have no JSON form: send them as binary, or decode them first")
    try:
        return msgspec.json.encode(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidData(f"{type(data).__name__} has no JSON form: {error}") from error


_ENCODERS: Final = {TEXT: _encode_text, BINARY: _encode_binary, JSON: _encode_json}
