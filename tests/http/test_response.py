"""Answers, byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.growth import peak_memory
from webpubsub.http import InvalidAnswer, Response
from webpubsub.http.client import MAX_BYTES_WITHOUT_BODY, ResponseReader

MAX_BODY = 1000
Fields = list[tuple[bytes, bytes]]

# Name: method, bytes, answer, whether the connection can be used again.
WHOLE: dict[str, tuple[str, bytes, Response, bool]] = {
    "a length": (
        "POST",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nack",
        Response(200, [(b"content-type", b"text/plain"), (b"content-length", b"3")], b"ack", b"OK"),
        True,
    ),
    "a length of nothing": (
        "POST",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        Response(202, [(b"content-length", b"0")], b"", b"Accepted"),
        True,
    ),
    "chunks, an extension and a trailer": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nset-cookie: no\r\n\r\n",
        Response(200, [(b"transfer-encoding", b"chunked")], b"abcde", b"OK"),
        True,
    ),
    "204": ("POST", b"HTTP/1.1 204 No Content\r\n\r\n", Response(204, [], b"", b"No Content"), True),
    "304": (
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        Response(304, [(b"content-length", b"5")], b"", b"Not Modified"),
        True,
    ),
    "HEAD": (
        "HEAD",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        Response(200, [(b"content-length", b"5")], b"", b"OK"),
        True,
    ),
    "interim answers": (
        "POST",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
        Response(200, [(b"content-length", b"1")], b"x", b"OK"),
        True,
    ),
    "HEAD after an interim answer": (
        "HEAD",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n",
        Response(404, [(b"content-length", b"9")], b"", b"Not Found"),
        True,
    ),
    "no reason": (
        "POST",
        b"HTTP/1.1 599\r\nContent-Length: 0\r\n\r\n",
        Response(599, [(b"content-length", b"0")], b"", b""),
        True,
    ),
    "the connection closes": (
        "POST",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        Response(200, [(b"connection", b"close"), (b"content-length", b"1")], b"x", b"OK"),
        False,
    ),
    "HTTP/1.0": (
        "POST",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        Response(200, [(b"content-length", b"1")], b"x", b"OK"),
        False,
    ),
    "HTTP/1.0 that stays": (
        "POST",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
        Response(200, [(b"connection", b"keep-alive"), (b"content-length", b"1")], b"x", b"OK"),
        True,
    ),
    "coded as it is": (
        "POST",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 1\r\n\r\nx",
        Response(200, [(b"content-encoding", b"Identity"), (b"content-length", b"1")], b"x", b"OK"),
        True,
    ),
    "a failure in a coding, whose status still counts": (
        "POST",
        b"HTTP/1.1 503 No\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
        Response(503, [(b"content-encoding", b"gzip"), (b"content-length", b"1")], b"x", b"No"),
        True,
    ),
}
# What goes on until the connection ends.
UNTIL_END: dict[str, tuple[bytes, Response]] = {
    "a body": (
        b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nand so on",
        Response(200, [(b"a", b"b")], b"and so on", b"OK"),
    ),
    "no body": (b"HTTP/1.1 200 OK\r\n\r\n", Response(200, [], b"", b"OK")),
}


def read(reader: ResponseReader, data: bytes, cuts: list[int]) -> Response | None:
    """Feed pieces; only the last one may complete the answer."""
    found = None
    for start, end in pairwise([0, *cuts, len(data)]):
        assert found is None
        found = reader.feed(data[start:end])
    return found


def cuts_of(data: bytes) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, len(data) - 1), unique=True).map(sorted)


@given(draw=st.data())
@pytest.mark.parametrize(("method", "data", "response", "stays"), WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_is_the_same_however_it_is_cut(
    draw: st.DataObject, method: str, data: bytes, response: Response, stays: bool
) -> None:
    reader = ResponseReader(MAX_BODY)
    for _ in range(2 if stays else 1):  # the next one on the same connection, too
        reader.expect(method)
        assert not reader.has_begun
        assert read(reader, data, draw.draw(cuts_of(data))) == response
        assert reader.is_reusable is stays
        assert not reader.has_begun, "the next one"


@given(draw=st.data())
@pytest.mark.parametrize(("data", "response"), UNTIL_END.values(), ids=UNTIL_END.keys())
def test_an_answer_may_go_on_until_the_connection_ends(
    draw: st.DataObject, data: bytes, response: Response
) -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect("POST")
    assert read(reader, data, draw.draw(cuts_of(data))) is None
    assert reader.end() == response
    assert not reader.is_reusable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nA: b\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_an_answer_that_is_cut_off_is_none(data: bytes) -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect("POST")
    if data:
        assert reader.feed(data) is None
    assert reader.end() is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP: "),
        (b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "is not HTTP: "),
        (b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", "is not HTTP: "),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            "it changes the protocol",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
            "the answer has the content coding 'gzip', which was not asked for",
        ),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * MAX_BYTES_WITHOUT_BODY, "over 65536 bytes in a row without body"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000, "over 65536 bytes in a row without body"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + b"x" * MAX_BYTES_WITHOUT_BODY,
            "over 65536 bytes in a row without body",
        ),
    ],
)
def test_what_is_no_answer_is_refused(data: bytes, problem: str) -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect("POST")
    with pytest.raises(InvalidAnswer, match=problem):
        reader.feed(data)


@pytest.mark.parametrize("framing", [b"Content-Length: 5000", b"Transfer-Encoding: chunked", b"A: b"])
@pytest.mark.parametrize(("size", "taken"), [(MAX_BODY, False), (MAX_BODY + 1, True)])
def test_of_a_body_that_is_too_long_the_rest_is_left(framing: bytes, size: int, taken: bool) -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect("POST")
    start = b"1388\r\n" if b"chunked" in framing else b""  # 5,000
    found = reader.feed(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + start + b"x" * size)
    assert (found is not None) is taken
    if found is not None:
        assert (found.status, found.body, reader.is_reusable) == (200, b"x" * size, False)


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nrubbish"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200"),
    ],
)
def test_after_more_than_was_asked_for_nothing_else_is_asked(method: str, data: bytes) -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect(method)
    found = reader.feed(data)
    assert found is not None
    assert found.body == b""
    assert not reader.is_reusable


def test_values_of_headers() -> None:
    reader = ResponseReader(MAX_BODY)
    reader.expect("GET")
    found = reader.feed(b"HTTP/1.1 204 No\r\nA:  1 \r\na: \xc3\xa9\r\nB: \xe9\r\nC:\r\n\r\n")
    assert found is not None
    assert found.all(b"a") == ["1", "\u00e9"]
    assert (found.last(b"a"), found.last(b"b"), found.last(b"c")) == ("\u00e9", "\u00e9", "")
    assert (found.all(b"d"), found.last(b"d")) == ([], None)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: "
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOUNDS = {
    "a head": (lambda size: OK + b"x" * (size - len(OK) - 4) + b"\r\n\r\n"),
    "interim answers and a head": (
        lambda size: (
            b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + OK + b"x" * (size - 2 * 25 - len(OK) - 4) + b"\r\n\r\n"
        )
    ),
    "a chunk extension": (lambda size: CHUNKS + b"1;" + b"x" * (size - 4) + b"\r\nx\r\n0\r\n\r\n"),
    "trailers": (
        lambda size: (
            CHUNKS + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 3 + b"a:" + b"x" * (size - 25 - 4) + b"\r\n\r\n"
        )
    ),
}


@pytest.mark.parametrize("piece", [1 << 20, 65_536, 4096, 777])
@pytest.mark.parametrize("build", BOUNDS.values(), ids=BOUNDS)
def test_how_much_is_no_body_is_counted_by_bytes(build: Callable[[int], bytes], piece: int) -> None:
    """The same bytes are the same answer, however they are cut."""

    def read_in_pieces(data: bytes) -> Response | None:
        reader, found = ResponseReader(MAX_BODY), None
        for start in range(0, len(data), piece):
            found = reader.feed(data[start : start + piece])
        return found

    answer = read_in_pieces(build(MAX_BYTES_WITHOUT_BODY))
    assert answer is not None
    assert answer.status == 200
    with pytest.raises(InvalidAnswer, match="over 65536 bytes in a row without body"):
        read_in_pieces(build(MAX_BYTES_WITHOUT_BODY + 1))


@pytest.mark.parametrize("each", [1, 2, 3, 1000])
def test_a_body_in_many_pieces_takes_its_size_and_no_more(each: int) -> None:
    reader, count = ResponseReader(2_000_000), 60_000 // each
    piece = b"%x\r\n%b\r\n" % (each, b"x" * each)
    reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")

    def read() -> Response | None:
        for _ in range(count):
            reader.feed(piece)
        return reader.feed(b"0\r\n\r\n")

    found, peak = peak_memory(read)
    assert found is not None
    assert found.body == b"x" * (count * each)
    assert peak < len(found.body) * 5 / 4 + 20_000
