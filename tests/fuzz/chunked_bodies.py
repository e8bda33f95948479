"""The reader of bodies in chunks, against that of h11.

However the bytes are cut: the same body, the same rest, the same refusal. Whatever is taken h11 takes as
well, and finds the same body and the same rest. It takes more: where two could read
differently, it is lenient.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

import h11

from fuzz.mutation import Corpus, cut_anywhere, mutated
from webpubsub.http.chunked import BadChunk, ChunkedBody, TooMuchAround

CORPUS: Final = Corpus(
    seeds=(
        b"0\r\n\r\n",
        b"5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
        b"1;a=b\r\nx\r\nA;c\r\n0123456789\r\n0\r\n\r\n",
        b"1\r\nx\r\n0\r\nname: value\r\nother: \r\n\r\nrest",
        b'0001 ; a = "b;c"\r\nx\r\n00;d\r\n\r\n',
    ),
    words=(
        *(bytes([byte]) for byte in b"\r\n\t\0 :;=0159aFgx_+-\x7f\xff"),
        b"\r\n",
        b"\r\n\r\n",
        b"0\r\n",
        b"0\r\n\r\n",
        b"5\r\n",
        b"ffffffffffffffff\r\n",
        b"0" * 15,
        b";a=b",
        b"x: y\r\n",
        b" z\r\n",
        b"y" * 300,
    ),
)
# RFC 9112, section 7.1.1: whitespace may stand in front of an extension. h11 takes none there.
CHUNK_HEADER_WITH_SPACE: Final = r"""illegal chunk header: bytearray\(b['"][0-9A-Fa-f]{1,16}(?: |\\t)+;"""
_MAX_AROUND: Final = 256
_HEAD: Final = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


class Read(NamedTuple):
    """What a reader found.

    Attributes:
        body: As far as it came.
        rest: What follows it, or None while it is incomplete.
        refusal: Why nothing more is read.
    """

    body: bytes
    rest: bytes | None
    refusal: str


def read(pieces: list[bytes]) -> Read:
    """Return what our reader finds."""
    body: list[bytes] = []
    reader = ChunkedBody(_MAX_AROUND)
    for at, piece in enumerate(pieces):
        try:
            rest = reader.feed(piece, body.append)
        except (BadChunk, TooMuchAround) as error:
            # How much of a line is shown depends on how much of it has come.
            return Read(b"".join(body), None, type(error).__name__)
        if rest is not None:
            return Read(b"".join(body), rest + b"".join(pieces[at + 1 :]), "")
    return Read(b"".join(body), None, "")


def by_h11(data: bytes) -> Read:
    """Return what that of h11 finds."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(_HEAD + data)
    body = b""
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return Read(body, connection.trailing_data[0], "")
    except h11.RemoteProtocolError as error:
        return Read(body, None, str(error))
    return Read(body, None, "")


def make(rng: Random) -> bytes:
    """Return an input."""
    return mutated(rng, CORPUS)


async def check(data: bytes, rng: Random) -> None:
    """Feed one input, cut in two ways.

    Raises:
        AssertionError: Something is wrong.
    """
    one, other = read(cut_anywhere(rng, data)), read(cut_anywhere(rng, data))
    assert one == other, f"cut otherwise, something else is read:\n{one}\n{other}"
    peer = by_h11(data)
    if one.rest is not None and not re.search(CHUNK_HEADER_WITH_SPACE, peer.refusal):
        assert one == peer, f"h11 reads something else:\n{one}\n{peer}"
