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
from webpubsub.model.protobuf import check_any

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
    PROTOBUF = "protobuf"
    """A serialized ``google.protobuf.Any``. It goes between clients and event handlers only: neither the
    extension nor the REST API has such a type, so functions can neither get nor send it."""

    @classmethod
    def _missing_(cls, value: object) -> WebPubSubDataType | None:
        """Accept any case, as the extension does (``Text``, ``JSON``)."""
        if isinstance(value, str):
            return cls._value2member_map_.get(value.lower())  # type: ignore[return-value]
        return None


TEXT: Final = WebPubSubDataType.TEXT
JSON: Final = WebPubSubDataType.JSON
BINARY: Final = WebPubSubDataType.BINARY
PROTOBUF: Final = WebPubSubDataType.PROTOBUF

CONTENT_TYPES: Final[dict[WebPubSubDataType, str]] = {
    TEXT: "text/plain",
    JSON: "application/json",
    BINARY: "application/octet-stream",
    PROTOBUF: "application/x-protobuf",
}
# Checks JSON without making Python values of it, three to four times as fast; it skips over strings
# without a look at their encoding.
_syntax: Final = msgspec.json.Decoder(msgspec.Raw)
_DATA_TYPES: Final = {content_type: data_type for data_type, content_type in CONTENT_TYPES.items()}
_WITHOUT_PROTOBUF: Final = {name: found for name, found in _DATA_TYPES.items() if found is not PROTOBUF}


class Payload(msgspec.Struct, frozen=True):
    """Exact bytes and their data type.

    Attributes:
        body: UTF-8 for text and JSON, an Any for protobuf, anything for binary.
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
        if isinstance(data, str) and (data_type is None or data_type is TEXT):
            return cls(_encode_text(data), TEXT)
        if isinstance(data, cls):
            if data_type not in (None, data.data_type) and parse_data_type(data_type) is not data.data_type:
                raise InvalidData(f"a {data.data_type} payload cannot be sent as {data_type}")
            return data
        if data_type is None:
            kind = _infer(data)
        else:
            kind = parse_data_type(data_type)
        return cls(_ENCODERS[kind](data), kind)

    @property
    def value(self) -> Data:
        """The Python value: ``str`` for text, the parsed value for JSON, else ``bytes``.

        Raises:
            InvalidData: Text that is not UTF-8, or JSON that does not parse.
        """
        if self.data_type is BINARY or self.data_type is PROTOBUF:
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
            InvalidData: Text that is not UTF-8, JSON that does not parse, or protobuf that is no Any.
        """
        if self.data_type is BINARY:
            return
        if self.data_type is PROTOBUF:
            check_any(self.body)
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
    def data_type_of(content_type: str, *, with_protobuf: bool = False) -> WebPubSubDataType | None:
        """Return the data type of a ``Content-Type`` value (parameters ignored), or None when unknown.

        Args:
            content_type: The header's value.
            with_protobuf: Whether protobuf is known here, as in answers to user events.
        """
        known = _DATA_TYPES if with_protobuf else _WITHOUT_PROTOBUF
        return known.get(content_type.partition(";")[0].strip().lower())


EMPTY_TEXT: Final = Payload(b"", TEXT)
"""The data of a message that has only metadata."""


def parse_data_type(value: WebPubSubDataType | str) -> WebPubSubDataType:
    """Return the data type of any spelling of the name of one that functions can get and send.

    Raises:
        InvalidData: ``value`` names no such data type.
    """
    try:
        found = value if isinstance(value, WebPubSubDataType) else WebPubSubDataType(value)
    except ValueError:
        found = PROTOBUF
    if found is PROTOBUF:
        raise InvalidData(f"data type {value!r} is not one of 'text', 'json', 'binary'")
    return found


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
