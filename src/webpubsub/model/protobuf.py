"""Just enough of protobuf's wire format: fields to write, and a look at what is meant to be an Any.

Reading whole messages is the work of google's library, which the bindings do not need.

Source: protobuf.dev, "Encoding"; client spec, section 5.
"""

from __future__ import annotations

from typing import Final

from webpubsub.model.errors import InvalidData

_VARINT: Final = 0
_BYTES: Final = 2
_FIXED_SIZES: Final = {1: 8, 5: 4}
_KINDS: Final = {_VARINT, _BYTES, *_FIXED_SIZES}  # groups are no part of proto3
_LAST_NUMBER: Final = 2**29 - 1
_TYPE_URL: Final = 1


def varint(value: int) -> bytes:
    """Return an unsigned number in as many bytes as it needs, seven bits each, the lowest first.

    Example:
        >>> varint(300)
        b'\\xac\\x02'
    """
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def varint_field(number: int, value: int) -> bytes:
    """Return a field with an unsigned number or a boolean."""
    if number < 16 and value < 0x80:
        return bytes((number << 3 | _VARINT, value))
    return varint(number << 3 | _VARINT) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field with a string, bytes, or a message that is already encoded.

    Example:
        >>> bytes_field(1, b"hi")
        b'\\n\\x02hi'
    """
    return bytes_head(number, len(value)) + value


def bytes_head(number: int, size: int) -> bytes:
    """Return what stands before the ``size`` bytes of such a field."""
    if number < 16 and size < 0x80:  # one byte each, as nearly always
        return bytes((number << 3 | _BYTES, size))
    return varint(number << 3 | _BYTES) + varint(size)


def check_any(body: bytes) -> None:
    """Make sure that bytes are a ``google.protobuf.Any``; which message it holds does not matter.

    Raises:
        InvalidData: They are not.
    """
    try:
        at = 0
        while at < len(body):
            at = _skip_field(body, at)
    except (IndexError, ValueError) as error:  # cut off, or no protobuf at all
        raise InvalidData(f"the protobuf data is not a serialized google.protobuf.Any: {error}") from error


def _skip_field(body: bytes, at: int) -> int:
    """Return where the next field starts."""
    tag, at = _read_varint(body, at)
    number, kind = tag >> 3, tag & 7
    if not 0 < number <= _LAST_NUMBER or kind not in _KINDS:
        raise ValueError(f"there is no field {number} of kind {kind}")
    if kind == _VARINT:
        return _read_varint(body, at)[1]
    size = _FIXED_SIZES.get(kind)
    if size is None:
        size, at = _read_varint(body, at)
    end = at + size
    if end > len(body):
        raise ValueError(f"field {number} is cut off")
    if number == _TYPE_URL and kind == _BYTES:
        body[at:end].decode()
    return end


def _read_varint(body: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number has more than ten bytes")
