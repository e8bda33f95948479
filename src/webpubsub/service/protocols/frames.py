"""WebSocket frames: bytes <-> messages, without I/O.

`FrameParser` finds the frames' messages in the bytes, and `FramedMessages` has each read by a codec.

A parser of our own, because it stands on the hottest path, where the sans-I/O parsers of
``websockets`` and ``wsproto`` would be the dearest part of a request. The masking itself is the C routine of
``websockets`` where that is installed.

Every rule of RFC 6455 for a server without extensions is checked; each check names its section.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from enum import IntEnum
from io import BytesIO
from struct import Struct
from typing import Final, Protocol

from webpubsub.model.errors import ProtocolError
from webpubsub.service.protocols.messages import ClientMessage, Goodbye, Malformed, PingFrame


def unmask_in_python(data: bytes, mask: bytes) -> bytes:
    """XOR ``data`` with the repeated mask of four bytes (RFC 6455, section 5.3)."""
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")


try:  # a name that websockets does not promise: what it has in C, it offers under no other
    from websockets.speedups import apply_mask
except ImportError:
    apply_mask = unmask_in_python  # type: ignore[assignment]

unmask: Final[Callable[[bytes, bytes], bytes]] = apply_mask

MAX_MESSAGE_BYTES: Final = 1024 * 1024
INVALID_FRAME: Final = "The client frame is invalid"
TOO_LARGE: Final = "The client message is too large"
NOT_UTF_8: Final = "The client message is not UTF-8."

# Close codes a peer may send (RFC 6455, section 7.4): the rest is reserved or must not appear on the wire.
_CLOSE_CODES: Final = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}


class Opcode(IntEnum):
    """What a frame is (RFC 6455, section 5.2)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_CONTINUATION: Final = Opcode.CONTINUATION
_TEXT: Final = Opcode.TEXT
_BINARY: Final = Opcode.BINARY
_CLOSE: Final = Opcode.CLOSE
_PING: Final = Opcode.PING
_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}
_FIRST_CONTROL: Final = 8
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_MASKED: Final = 0x80
_WHOLE_TEXT: Final = _FIN | Opcode.TEXT
_LARGER_TEXT: Final = bytes((_WHOLE_TEXT, _MASKED | 126))

_utf8_decoder: Final = codecs.getincrementaldecoder("utf-8")


class FrameParser:
    """Turns the bytes a client sends into messages.

    Fragments are put together; control frames between them come out at once. Text is refused with the
    first fragment that cannot be UTF-8. After an error the connection is over and the parser is not to be
    used again.
    """

    __slots__ = ("_buffer", "_decoder", "_fragments", "_max_size", "_needed", "_opcode", "_size")

    def __init__(self, max_size: int = MAX_MESSAGE_BYTES) -> None:
        """Take messages of at most ``max_size`` bytes."""
        self._buffer: bytes | bytearray = b""  # an unfinished frame
        self._needed = 0  # how many bytes it has at least
        self._max_size = max_size
        self._opcode: Opcode | None = None  # of the message whose fragments are being collected
        self._decoder: codecs.IncrementalDecoder | None = None  # of its text
        # One block, as a client may send a message as a million fragments; None when there are none.
        self._fragments: BytesIO | None = None
        self._size = 0

    def receive_text(self, data: bytes) -> bytes | None:
        """Return the message when ``data`` is one whole text frame in ASCII, as nearly all that comes is.

        Otherwise nothing was taken, and `receive_data`, the longer way, says what it is.
        """
        size, body_at = len(data) - 6, 6
        if size < 126:
            is_whole = size >= 0 and data[0] == _WHOLE_TEXT and data[1] == _MASKED | size
        else:
            size, body_at = size - 2, 8
            is_whole = 126 <= size < 65_536 and data[:4] == _LARGER_TEXT + size.to_bytes(2, "big")
        if not is_whole or size > self._max_size or self._buffer or self._opcode is not None:
            return None
        body = unmask(data[body_at:], data[body_at - 4 : body_at])
        return body if body.isascii() else None

    def receive_data(self, data: bytes) -> Iterator[tuple[Opcode, bytes]]:
        """Yield the messages and control frames that ``data`` completes.

        Raises:
            ProtocolError: The bytes break the protocol; everything before was yielded.
        """
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._needed:
                return  # looked at only when complete: a client may send a large frame byte by byte
            data = bytes(self._buffer)
            self._buffer = b""
            self._needed = 0
        start, end = 0, len(data)
        try:
            while end - start >= 2:
                head = data[start]
                size = data[start + 1]
                if not size & _MASKED:
                    raise _invalid("it is not masked.")  # section 5.1
                size &= 0x7F
                mask_at = start + 2
                if size >= 126:
                    needed = 4 if size == 126 else 10
                    if end - start < needed:
                        self._needed = needed
                        break
                    size, mask_at = _extended_size(data, start, size)
                opcode = self._checked_opcode(head, size)
                body_at = mask_at + 4
                stop = body_at + size
                if end < stop:
                    self._needed = stop - start
                    break
                body = unmask(data[body_at:stop], data[mask_at:body_at])
                start = stop
                if opcode >= _FIRST_CONTROL or (head & _FIN and opcode and self._opcode is None):
                    yield _checked_text(opcode, body) if opcode is _TEXT else (opcode, body)
                elif message := self._assemble(opcode, body, final=bool(head & _FIN)):
                    yield message
        finally:
            if start < end:
                self._buffer = bytearray(data[start:])

    def _checked_opcode(self, head: int, size: int) -> Opcode:
        if head & _RESERVED:
            raise _invalid("a reserved bit is set though no extension was agreed.")  # section 5.2
        opcode = _OPCODES.get(head & 0x0F)
        if opcode is None:
            raise _invalid(f"opcode {head & 0x0F} is reserved.")  # section 5.2
        if opcode >= _FIRST_CONTROL:
            if size > 125 or not head & _FIN:  # section 5.5
                raise _invalid("a control frame is fragmented or longer than 125 bytes.")
            return opcode
        if (opcode is _CONTINUATION) != (self._opcode is not None):  # section 5.4
            raise _invalid("a fragment does not continue the message before it.")
        if self._size + size > self._max_size:
            raise ProtocolError(1009, f"{TOO_LARGE}: it has more than {self._max_size} bytes.")
        return opcode

    def _assemble(self, opcode: Opcode, body: bytes, *, final: bool) -> tuple[Opcode, bytes] | None:
        if opcode is not _CONTINUATION:
            self._opcode = opcode
            self._fragments = BytesIO()
            self._decoder = _utf8_decoder() if opcode is _TEXT else None
        if self._decoder is not None:
            _check_fragment(self._decoder, body, final=final)
        assert self._opcode is not None
        assert self._fragments is not None
        self._size += self._fragments.write(body)
        if not final:
            return None
        found = self._opcode, self._fragments.getvalue()  # the block itself, not a copy of it
        self._opcode, self._decoder, self._fragments, self._size = None, None, None, 0
        return found


class Reader(Protocol):
    """Reads WebSocket messages of one client: a codec does."""

    def decode(self, is_text: bool, body: bytes) -> ClientMessage:
        """Read one WebSocket message.

        Raises:
            ProtocolError: It is not one of the subprotocol's.
        """
        ...


class FramedMessages(FrameParser):
    """What a client says by one socket, where each WebSocket message is one message of its subprotocol.

    A `ClientProtocol`.
    """

    __slots__ = ("_is_over", "_reader")

    def __init__(self, reader: Reader, max_size: int = MAX_MESSAGE_BYTES) -> None:
        """Take messages of at most ``max_size`` bytes, which ``reader`` reads."""
        super().__init__(max_size)
        self._reader: Reader | None = reader
        self._is_over = False

    def receive(self, data: bytes) -> Sequence[ClientMessage]:
        """Return what ``data`` completes, in its order; see `ClientProtocol.receive`."""
        if self._is_over:
            return ()
        reader = self._reader
        try:
            text = self.receive_text(data)
            if text is not None:
                return () if reader is None else (reader.decode(True, text),)
        except ProtocolError as error:
            return self._ended_by(Malformed(error.close_code, str(error)))
        found: list[ClientMessage] = []
        try:
            for opcode, body in self.receive_data(data):
                if opcode <= _BINARY:
                    if reader is not None:
                        found.append(reader.decode(opcode is _TEXT, body))
                elif opcode is _CLOSE:
                    last: Goodbye | Malformed = Goodbye(*parse_close(body))
                    break
                elif opcode is _PING:
                    found.append(PingFrame(body))
            else:
                return found
        except ProtocolError as error:
            last = Malformed(error.close_code, str(error))
        return self._ended_by(last, found)

    def ignore_messages(self) -> None:
        """Say nothing of messages from now on; see `ClientProtocol.ignore_messages`."""
        self._reader = None

    def _ended_by(
        self, last: Goodbye | Malformed, found: Sequence[ClientMessage] = ()
    ) -> Sequence[ClientMessage]:
        self._is_over = True
        self._buffer, self._fragments = b"", None  # what stands behind it
        return (*found, last)


def _invalid(detail: str) -> ProtocolError:
    return ProtocolError(1002, f"{INVALID_FRAME}: {detail}")


def _extended_size(data: bytes, start: int, size: int) -> tuple[int, int]:
    width = 2 if size == 126 else 8
    found = int.from_bytes(data[start + 2 : start + 2 + width], "big")
    if found < (126 if width == 2 else 65_536) or found >> 63:  # section 5.2: the shortest form, 63 bits
        raise _invalid("its length is not in the shortest form.")
    return found, start + 2 + width


def _checked_text(kind: Opcode, message: bytes) -> tuple[Opcode, bytes]:
    if not message.isascii():
        try:
            message.decode()
        except UnicodeDecodeError:
            raise ProtocolError(1007, NOT_UTF_8) from None  # section 8.1
    return kind, message


def _check_fragment(decoder: codecs.IncrementalDecoder, body: bytes, *, final: bool) -> None:
    try:
        decoder.decode(body, final)
    except UnicodeDecodeError:
        raise ProtocolError(1007, NOT_UTF_8) from None  # section 8.1


def parse_close(body: bytes) -> tuple[int | None, str]:
    """Return code and reason of a close frame; the code is None when the client gave none.

    Raises:
        ProtocolError: The code is reserved, or the reason is not UTF-8.
    """
    if not body:
        return None, ""
    code = int.from_bytes(body[:2], "big")
    if len(body) == 1 or not (code in _CLOSE_CODES or 3000 <= code <= 4999):
        raise _invalid("it closes with no valid code.")  # section 7.4
    try:
        return code, body[2:].decode()
    except UnicodeDecodeError:
        raise ProtocolError(1007, NOT_UTF_8) from None


def text_frame(body: bytes) -> bytes:
    """Return an unfragmented text frame; ``body`` is UTF-8."""
    return text_header(len(body)) + body


def text_header(size: int) -> bytes:
    """Return the header of an unfragmented text frame with a body of ``size`` bytes."""
    return SHORT_TEXT[size] if size < 126 else _header(_WHOLE_TEXT, size)


def binary_header(size: int) -> bytes:
    """Return the header of an unfragmented binary frame with a body of ``size`` bytes."""
    return _header(0x82, size)


def binary_frame(body: bytes) -> bytes:
    """Return an unfragmented binary frame."""
    return _header(0x82, len(body)) + body


def ping_frame(body: bytes = b"") -> bytes:
    """Return a ping frame."""
    return _header(0x89, len(body)) + body


def pong_frame(body: bytes) -> bytes:
    """Return the pong of a ping with ``body``."""
    return _header(0x8A, len(body)) + body


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Return a close frame; a reason over the 123 bytes a frame has room for is cut."""
    if code is None:
        return _header(0x88, 0)
    text = reason.encode()[:123].decode(errors="ignore").encode()
    return _header(0x88, 2 + len(text)) + code.to_bytes(2, "big") + text


def _header(head: int, size: int) -> bytes:
    if size < 126:
        return bytes((head, size))
    if size < 65_536:
        return _pack_16_bits(head, 126, size)
    return _pack_64_bits(head, 127, size)


_pack_16_bits: Final = Struct("!BBH").pack
_pack_64_bits: Final = Struct("!BBQ").pack
SHORT_TEXT: Final = [_header(_WHOLE_TEXT, size) for size in range(126)]
