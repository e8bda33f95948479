"""The parser of WebSocket frames, against that of ``websockets``.

However the bytes are cut: the same messages and the same refusal. What is taken ``websockets`` takes as well,
and finds the same frames.
"""

from __future__ import annotations

from collections.abc import Generator
from random import Random
from typing import Final, NamedTuple

from websockets import frames as peer_frames
from websockets.exceptions import PayloadTooBig
from websockets.exceptions import ProtocolError as PeerProtocolError
from websockets.streams import StreamReader

from fuzz.mutation import Corpus, cut_anywhere, mutated
from kit.service_peers import BINARY, CLOSE, PING, PONG, TEXT, client_frame
from webpubsub.model.errors import ProtocolError
from webpubsub.service.protocols.frames import FrameParser, Opcode

CORPUS: Final = Corpus(
    seeds=(
        client_frame(TEXT, b"hello"),
        client_frame(TEXT, "zwölf".encode()),
        client_frame(TEXT),
        client_frame(BINARY, b"\0" * 126),
        client_frame(BINARY, bytes(range(256)) * 260),
        client_frame(0x01, "zw\xc3".encode("latin-1")) + client_frame(0x80, b"\xb6lf"),
        client_frame(0x02, b"a")
        + client_frame(PING, b"p")
        + client_frame(0x00, b"b")
        + client_frame(0x80, b"c"),
        client_frame(CLOSE, b"\x03\xe8bye"),
        client_frame(PONG, b"x" * 125),
    ),
    words=(
        *(bytes([byte]) for byte in (0x00, 0x01, 0x02, 0x80, 0x81, 0x88, 0x89, 0xC1, 0xF0, 0xFE, 0xFF)),
        b"\xfe\x00\x7e",
        b"\xfe\x00\x01",
        b"\xff" + b"\0" * 8,
        b"\xff" * 9,
        b"\x11\x22\x33\x44",
        b"\xc3",
        b"\xed\xa0\x80",
    ),
)
_MAX_SIZE: Final = 65_000


class Parsed(NamedTuple):
    """What a parser found.

    Attributes:
        messages: Kind and body of each.
        refusal: The close code with which it ends, or None.
    """

    messages: list[tuple[int, bytes]]
    refusal: int | None


def parse(pieces: list[bytes], *, in_a_hurry: bool) -> Parsed:
    """Return what our parser finds."""
    parser = FrameParser(_MAX_SIZE)
    messages: list[tuple[int, bytes]] = []
    try:
        for piece in pieces:
            text = parser.receive_text(piece) if in_a_hurry else None
            if text is not None:
                messages.append((Opcode.TEXT, text))
                continue
            for opcode, body in parser.receive_data(piece):
                messages.append((int(opcode), body))
    except ProtocolError as error:
        return Parsed(messages, error.close_code)
    return Parsed(messages, None)


def by_websockets(data: bytes) -> Parsed:
    """Return what that of ``websockets`` finds, with fragments put together."""
    reader = StreamReader()
    reader.feed_data(data)
    messages: list[tuple[int, bytes]] = []
    kind, fragments = 0, b""
    while True:
        steps: Generator[None, None, peer_frames.Frame] = peer_frames.Frame.parse(
            reader.read_exact, mask=True, max_size=1 << 20
        )
        try:
            next(steps)
        except StopIteration as end:
            frame: peer_frames.Frame = end.value
        except (PeerProtocolError, PayloadTooBig):
            return Parsed(messages, 1002)
        else:
            return Parsed(messages, None)  # it waits for more
        if frame.opcode >= Opcode.CLOSE:
            messages.append((int(frame.opcode), bytes(frame.data)))
            continue
        kind = int(frame.opcode) or kind
        fragments += bytes(frame.data)
        if frame.fin:
            messages.append((kind, fragments))
            fragments = b""


def make(rng: Random) -> bytes:
    """Return an input."""
    return mutated(rng, CORPUS)


async def check(data: bytes, rng: Random) -> None:
    """Feed one input, cut in two ways.

    Raises:
        AssertionError: Something is wrong.
    """
    one = parse(cut_anywhere(rng, data), in_a_hurry=False)
    other = parse(cut_anywhere(rng, data), in_a_hurry=True)
    assert one == other, f"cut otherwise, something else is found:\n{one}\n{other}"
    for kind, body in one.messages:
        assert len(body) <= _MAX_SIZE
        assert kind != Opcode.TEXT or body.decode() is not None
    found = by_websockets(data).messages[: len(one.messages)]
    assert one.messages == found, f"websockets finds something else:\n{one}\n{found}"
