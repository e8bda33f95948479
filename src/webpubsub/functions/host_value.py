"""Values as the Functions host hands them over: JSON as text or bytes, or already parsed."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from webpubsub.model.errors import PeerError
from webpubsub.model.payload import MALFORMED_JSON

HostValue = Any

_T = TypeVar("_T")


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
