"""Bodies of REST requests: length, then media type, then what was sent.

Source: service spec, sections A.3 and A.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from webpubsub.http.asgi import ClientGone, Receive, receive_body
from webpubsub.model.errors import PeerError, RestError
from webpubsub.model.payload import Payload, WebPubSubDataType

Headers = Mapping[bytes, bytes]

MAX_MESSAGE_BYTES: Final = 1024 * 1024
MAX_JSON_BYTES: Final = 30_000_000  # what ASP.NET takes

# What messages may be; the same bytes over a WebSocket may be more.
_MEDIA_TYPES: Final = {
    "": WebPubSubDataType.BINARY,
    "text/plain": WebPubSubDataType.TEXT,
    "application/json": WebPubSubDataType.JSON,
    "application/octet-stream": WebPubSubDataType.BINARY,
}
# The charsets of .NET, with Python's names. Python has many more, of which some are no charsets at all.
_CHARSETS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "utf-32": "utf-32",
    "utf-32le": "utf-32-le",
    "utf-32be": "utf-32-be",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "latin-1": "latin-1",
}
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(rf'\s*;\s*({_TOKEN})=({_TOKEN}|"[^"\\]*")')
_TYPE: Final = re.compile(rf"\s*{_TOKEN}/{_TOKEN}")
_END: Final = re.compile(r"[\s;]*")


class Form(msgspec.Struct, frozen=True):
    """How a body is read.

    Attributes:
        data_type: What it is.
        charset: Of its text: Python's name.
        limit: How many bytes it may have.
    """

    data_type: WebPubSubDataType
    charset: str
    limit: int

    def payload(self, body: bytes) -> Payload:
        """Return what a whole body says.

        Raises:
            RestError: A message over 1 MiB (400), another body over 30 MB (413), or not of its charset (415).
        """
        if len(body) > self.limit:
            raise _too_long(self.limit)
        if self.charset != "utf-8" and self.data_type is not WebPubSubDataType.BINARY:
            body = _transcoded(body, self.charset)
        return Payload(body, self.data_type)


# As nearly all callers write them.
_PLAIN: Final = {
    name.encode(): Form(data_type, "utf-8", MAX_MESSAGE_BYTES) for name, data_type in _MEDIA_TYPES.items()
}


def message_form(headers: Headers, *, require_length: bool = True) -> Form:
    """Return how the body of a send is read.

    Args:
        headers: Of the request.
        require_length: Whether bodies that do not say how long they are are refused.

    Raises:
        RestError: Its length is unknown or over 1 MiB (400), or its media type is not served (415).
    """
    _check_length(headers, require_length=require_length)
    form = _PLAIN.get(headers.get(b"content-type", b""))
    return form or Form(*_media_type(headers, _MEDIA_TYPES), MAX_MESSAGE_BYTES)


def json_form(headers: Headers) -> Form:
    """Return how a body is read that is a JSON object and no message.

    Raises:
        RestError: Its media type is another (415).
    """
    return Form(*_media_type(headers, {"application/json": WebPubSubDataType.JSON}), MAX_JSON_BYTES)


async def read_body(receive: Receive, limit: int) -> bytes:
    """Read a body over ASGI, but not much more than ``limit`` bytes of it.

    Raises:
        PeerError: The client went before it was complete: half a message is not to be sent to anybody.
        RestError: It is longer.
    """
    try:
        body = await receive_body(receive, limit)
    except ClientGone:
        raise PeerError("the request ended before its body was complete") from None
    if body is None:
        raise _too_long(limit)
    return body


def _check_length(headers: Headers, *, require_length: bool) -> None:
    length = headers.get(b"content-length")
    if length is None and not require_length:
        return
    # The bytes of a number too long to be a length are not read as one.
    if length is None or not length.isdigit() or len(length) > 9 or int(length) > MAX_MESSAGE_BYTES:
        raise bad_length()


def bad_length() -> RestError:
    """Return the error of a message that is over 1 MiB, or does not say how long it is."""
    return RestError(400, "Error.BadRequest", "Invalid Content-Length header.", "Content-Length")


def _media_type(headers: Headers, known: Mapping[str, WebPubSubDataType]) -> tuple[WebPubSubDataType, str]:
    """Return the data type, and Python's name of the charset."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    data_type = known.get(content_type)
    if data_type is not None:
        return data_type, "utf-8"
    found = _TYPE.match(content_type)
    data_type = known.get(found.group().strip().lower()) if found else None
    if found is None or data_type is None:
        raise _unsupported(content_type)
    return data_type, _charset(content_type, found.end())


def _charset(content_type: str, at: int) -> str:
    charset = "utf-8"
    while parameter := _PARAMETER.match(content_type, at):
        at = parameter.end()
        if parameter[1].lower() == "charset":
            charset = parameter[2].strip('"').lower()
    if not _END.fullmatch(content_type, at) or charset not in _CHARSETS:
        raise _unsupported(content_type)
    return _CHARSETS[charset]


def _unsupported(content_type: str) -> RestError:
    problem = f"Content-Type '{content_type[:200]}' is not served here."
    return RestError(415, "Error.UnsupportedMediaType", problem)


def _transcoded(body: bytes, charset: str) -> bytes:
    if charset == "utf-8":
        return body
    try:
        return body.decode(charset).encode()
    except ValueError as error:
        problem = f"The body is not {charset}."
        raise RestError(415, "Error.UnsupportedMediaType", problem) from error


def _too_long(limit: int) -> RestError:
    if limit == MAX_MESSAGE_BYTES:
        return bad_length()
    return RestError(413, "Error.RequestEntityTooLarge", f"The body has more than {limit} bytes.")
