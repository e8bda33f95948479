"""The connection of the HTTP server, fed with bytes.

However the bytes are cut: the same answers, the same requests seen, the same end; no exception, and nothing
is held afterwards. And no request is seen that is not there: llhttp, fed with all of it at once, finds the
same ones, one behind the other, and h11 too, but for what `KNOWN` lists.
"""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

import h11
import httptools

from fuzz.chunked_bodies import CHUNK_HEADER_WITH_SPACE
from fuzz.mutation import Corpus, cut_anywhere, mutated
from kit.http_wire import Client, Recorder, Seen
from kit.service_peers import turns
from webpubsub.model.http import HttpBounds

_GET: Final = b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"
_POST: Final = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKED: Final = (
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nx: y\r\n\r\n"
)
_H2C: Final = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"
CORPUS: Final = Corpus(
    seeds=(
        _GET,
        _POST,
        _CHUNKED,
        _H2C + b"Content-Length: 2\r\n\r\nhi",
        _H2C + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes",
        b"GET http://o:80/a HTTP/1.1\r\nHost: h\r\nX:  y \r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT o:1 HTTP/1.1\r\nHost: o:1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 29\r\n\r\n" + _GET,
        b"\r\n\r\n" + _GET,
    ),
    words=(
        *(bytes([byte]) for byte in b"\r\n\t\0 :;,/0\x7f\xff"),
        b"\r\n",
        b"\r\n\r\n",
        b"\n\n",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b" HTTP/2.0",
        b"GET ",
        b"POST ",
        b"CONNECT ",
        b"http://o",
        b"Host: h\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 18446744073709551616\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\n",
        b"Upgrade: h2c\r\n",
        b"Upgrade: websocket\r\n",
        b"Expect: 100-continue\r\n",
        b"x: y\r\n z\r\n",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"x" * 1100,
    ),
)
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_BOUNDS: Final = HttpBounds(max_head_bytes=1024)

UPGRADE: Final = "an upgrade"
BEHIND_HEAD: Final = "behind the head: "
TRAILER: Final = "behind a trailer of the connection: "
# Why other parsers find no request where one is served: patterns of their words.
KNOWN: Final = {
    "llhttp": re.compile(
        UPGRADE  # it stops there; an offer that is not taken is a request like any other
        # RFC 9112, section 7.1.1: whitespace may stand around an extension and its parts; they mean nothing.
        + f"|^{BEHIND_HEAD}Invalid character in chunk (extensions|size)"
        # Section 7.1.2: what trailers say of the framing does not count.
        + f"|^{BEHIND_HEAD}.*(Content-Length|Transfer-Encoding)|^{TRAILER}"
    ),
    "h11": re.compile(f"{CHUNK_HEADER_WITH_SPACE}|^{BEHIND_HEAD}.*(Content-Length|Transfer-Encoding)"),
}


class Outcome(NamedTuple):
    """What became of some bytes, for a client and for an application."""

    answers: bytes
    seen: list[Seen]
    is_ended: bool
    upgraded: bytes | None


async def outcome(pieces: list[bytes], *, has_lane: bool, one_by_one: bool) -> Outcome:
    """Return what becomes of bytes that come in pieces."""
    app = Recorder()
    client = Client(app, lane=app if has_lane else None, bounds=_BOUNDS)
    for piece in pieces:
        client.wire.feed(piece)
        await turns(4 if one_by_one else 0)
    size = -1
    while size < len(client.wire.written) + len(app.seen):
        size = len(client.wire.written) + len(app.seen)
        await turns(8)
    answers = client.wire.take()
    is_ended = bool(client.ended)
    await client.finish()
    assert [told.error for told in client.told if told.error is not None] == []
    upgraded = bytes(client.upgraded[0].received) if client.upgraded else None
    return Outcome(answers.replace(_CONTINUE, b""), app.seen, is_ended, upgraded)


class Found(NamedTuple):
    """What another parser found in some bytes.

    Attributes:
        requests: Those that are complete.
        end: Why it found no more, in its words.
    """

    requests: list[Seen]
    end: str


class _Llhttp:
    """Collects what llhttp finds."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self._parser = httptools.HttpRequestParser(self)
        self._body = self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._is_in_head = True
        self._where = ""  # it has come to

    def feed(self, data: bytes) -> Found:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # It counts as complete, and what follows as another protocol's, though a body may follow.
            return Found(self.requests[:-1], UPGRADE)
        except httptools.HttpParserError as error:
            return Found(self.requests, f"{self._where}{error}")
        return Found(self.requests, "")

    def on_message_begin(self) -> None:
        self._body = self._target = b""
        self._headers, self._is_in_head, self._where = [], True, ""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_in_head:
            self._headers.append((name.lower(), value.rstrip(b" \t")))
        elif name.lower() == b"connection":
            self._where = TRAILER

    def on_headers_complete(self) -> None:
        self._is_in_head, self._where = False, BEHIND_HEAD

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        method = self._parser.get_method().decode()
        self.requests.append((method, self._target, self._headers, self._body))


def by_llhttp(data: bytes) -> Found:
    """Return what llhttp finds in all of it."""
    return _Llhttp().feed(data)


def by_h11(data: bytes) -> Found:
    """Return what h11 finds, each request by a connection of its own: so none waits for an answer."""
    requests: list[Seen] = []
    while data := data.lstrip(b"\r\n"):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(data)
        head: h11.Request | None = None
        body = b""
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    return Found(requests, "")
        except h11.RemoteProtocolError as error:
            return Found(requests, f"{'' if head is None else BEHIND_HEAD}{error}")
        assert head is not None
        requests.append((head.method.decode(), head.target, list(head.headers), body))
        data = connection.trailing_data[0]
    return Found(requests, "")


def _comparable(request: Seen) -> Seen:
    """Return a request without what only one side does to it: to URLs, to names of codings."""
    method, target, headers, body = request
    path = re.sub(rb"(?i)^https?://[^/?]*", b"", target)
    path = path if path[:1] == b"/" or path == target else b"/" + path
    target = path[:-1] if path.find(b"?") == len(path) - 1 else path  # ASGI does not tell of an empty query
    shown = [
        (name, value.lower() if name == b"transfer-encoding" else value)
        for name, value in headers
        if name != b"host"
    ]
    return method, target, shown, body


def _compare(name: str, seen: list[Seen], found: Found) -> None:
    for at, request in enumerate(seen):
        if at < len(found.requests):
            ours, theirs = _comparable(request), _comparable(found.requests[at])
            assert ours == theirs, f"{name} finds another request:\n{ours}\n{theirs}"
        else:
            is_known = KNOWN[name].search(found.end)
            assert is_known, f"{name} finds no request like {request}: {found.end!r}"


def make(rng: Random) -> bytes:
    """Return an input."""
    return mutated(rng, CORPUS)


async def check(data: bytes, rng: Random) -> None:
    """Feed one input, cut in two ways.

    Raises:
        AssertionError: Something is wrong.
    """
    has_lane = rng.random() < 0.5
    one, other = [
        await outcome(cut_anywhere(rng, data), has_lane=has_lane, one_by_one=rng.random() < 0.2)
        for _ in range(2)
    ]
    assert one == other, f"cut otherwise, something else happens:\n{one}\n{other}"
    _compare("llhttp", one.seen, by_llhttp(data))
    _compare("h11", one.seen, by_h11(data))
