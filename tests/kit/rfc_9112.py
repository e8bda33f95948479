"""Requests as literal bytes, and what becomes of them: RFC 9112 and 9110, section by section."""

from __future__ import annotations

from typing import NamedTuple

BEHIND = b"GET /behind HTTP/1.1\r\nHost: h\r\n\r\n"


class Row(NamedTuple):
    """What is sent, and what becomes of it.

    Attributes:
        sent: By the client.
        seen: Method, target and body of each request that an application sees.
        refusal: The status of the last answer, when that is no application's.
        goes_on: The request behind is served.
        headers: Those of the first request, where the row is about them.
    """

    sent: bytes
    seen: tuple[tuple[str, bytes, bytes], ...] = ()
    refusal: int | None = None
    goes_on: bool = True
    headers: tuple[tuple[bytes, bytes], ...] | None = None


def get(line: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join((line, *lines, b"", b""))


def served(
    sent: bytes,
    method: str = "GET",
    target: bytes = b"/",
    body: bytes = b"",
    *,
    goes_on: bool = True,
    headers: tuple[tuple[bytes, bytes], ...] | None = None,
) -> Row:
    return Row(sent, ((method, target, body),), None, goes_on, headers)


def refused(sent: bytes, status: int = 400) -> Row:
    return Row(sent, (), status, goes_on=False)


def post(body: bytes, *lines: bytes) -> bytes:
    return get(b"POST / HTTP/1.1", b"Host: h", *lines) + body


def chunked(body: bytes) -> bytes:
    return post(body, b"Transfer-Encoding: chunked")


HOST = (b"host", b"h")
LENGTH = b"Content-Length: "
LINE = b"GET / HTTP/1.1"
CONNECTION = b"Connection: "

MESSAGES = {  # 2.2
    "a request": served(get(LINE, b"Host: h"), headers=(HOST,)),
    "an empty line in front": served(b"\r\n" + get(LINE, b"Host: h")),
    "empty lines in front": served(b"\r\n\r\n\r\n\n\n" + get(LINE, b"Host: h")),
    "a request line that ends with LF": refused(b"GET / HTTP/1.1\nHost: h\r\n\r\n"),
    "a header that ends with LF": refused(b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"),
    "a head that ends with LF": refused(b"GET / HTTP/1.1\r\nHost: h\r\n\n"),
    "a head of LF only": refused(b"GET / HTTP/1.1\nHost: h\n\n"),
    "a request line that ends with CR": refused(b"GET / HTTP/1.1\rHost: h\r\n\r\n"),
    "a header that ends with CR": refused(b"GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n"),
    "a head that ends with CR CR LF": refused(b"GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"),
    "CR in a target": refused(get(b"GET /\r HTTP/1.1", b"Host: h")),
    "whitespace in front of the first header": refused(get(LINE, b" Host: h")),
    "whitespace in front of a request": refused(get(b" " + LINE, b"Host: h")),
    "NUL in front of a request": refused(get(b"\0" + LINE, b"Host: h")),
    "TLS": refused(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "another protocol": refused(b"SSH-2.0-OpenSSH_9.6\r\n"),
}
VERSIONS = {  # 2.3
    "HTTP/0.9": refused(b"GET /\r\n\r\n"),
    "HTTP/0.9 that ends with LF": refused(b"GET /\n" + BEHIND),
    "CONNECT of HTTP/0.9": refused(b"CONNECT o\n\r\n" + BEHIND),
    "HTTP/0.9 with its name": refused(get(b"GET / HTTP/0.9", b"Host: h")),
    "HTTP/1.0": served(get(b"GET / HTTP/1.0", b"Host: h"), goes_on=False),
    "HTTP/1.2": refused(get(b"GET / HTTP/1.2", b"Host: h")),
    "HTTP/2.0": refused(get(b"GET / HTTP/2.0", b"Host: h")),
    "HTTP/2's preface": refused(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/1.10": refused(get(b"GET / HTTP/1.10", b"Host: h")),
    "HTTP/01.1": refused(get(b"GET / HTTP/01.1", b"Host: h")),
    "HTTP/1": refused(get(b"GET / HTTP/1", b"Host: h")),
    "HTTP/11": refused(get(b"GET / HTTP/11", b"Host: h")),
    "http/1.1": refused(get(b"GET / http/1.1", b"Host: h")),
    "RTSP/1.0": refused(get(b"GET / RTSP/1.0", b"Host: h")),
    "RTSP": refused(get(b"DESCRIBE rtsp://h/ RTSP/1.0", b"Host: h")),
    "ICE": refused(get(b"SOURCE / ICE/1.0", b"Host: h")),
    "no version": refused(get(b"GET / ", b"Host: h")),
}
REQUEST_LINES = {  # 3
    "two spaces in front of the target": refused(get(b"GET  / HTTP/1.1", b"Host: h")),
    "two spaces behind the target": refused(get(b"GET /  HTTP/1.1", b"Host: h")),
    "a space at the end": refused(get(b"GET / HTTP/1.1 ", b"Host: h")),
    "a tab": refused(get(b"GET\t/ HTTP/1.1", b"Host: h")),
    "a vertical tab": refused(get(b"GET /\x0b HTTP/1.1", b"Host: h")),
    "a space in the target": refused(get(b"GET /a b HTTP/1.1", b"Host: h")),
    "no target": refused(get(b"GET HTTP/1.1", b"Host: h")),
    "no method": refused(get(b"/ HTTP/1.1", b"Host: h")),
    "a method in lower case": refused(get(b"get / HTTP/1.1", b"Host: h")),
    "a method nobody knows": refused(get(b"FETCH / HTTP/1.1", b"Host: h")),
    "DELETE": served(get(b"DELETE / HTTP/1.1", b"Host: h"), "DELETE"),
    "PATCH": served(get(b"PATCH / HTTP/1.1", b"Host: h"), "PATCH"),
}
TARGETS = {  # 3.2
    "a path and a query": served(get(b"GET /a/b?c=d&e HTTP/1.1", b"Host: h"), target=b"/a/b?c=d&e"),
    "two slashes": served(get(b"GET //a/b HTTP/1.1", b"Host: h"), target=b"//a/b"),
    "dots": served(get(b"GET /../a HTTP/1.1", b"Host: h"), target=b"/../a"),
    "quoted bytes": served(get(b"GET /%2F%00%ff HTTP/1.1", b"Host: h"), target=b"/%2F%00%ff"),
    "bytes of no URL": served(get(b'GET /<>{}|\\^`" HTTP/1.1', b"Host: h"), target=b'/<>{}|\\^`"'),
    "UTF-8": refused(get(b"GET /\xc3\xa4 HTTP/1.1", b"Host: h")),
    "DEL": refused(get(b"GET /\x7f HTTP/1.1", b"Host: h")),
    "a fragment": refused(get(b"GET /a#b HTTP/1.1", b"Host: h")),
    "a whole URL": served(
        get(b"GET http://o:81/a?b HTTP/1.1", b"X: y", b"Host: h"),
        target=b"/a?b",
        headers=((b"host", b"o:81"), (b"x", b"y")),
    ),
    "a whole URL of HTTP/1.0": served(
        get(b"GET http://o/a HTTP/1.0"), target=b"/a", headers=((b"host", b"o"),), goes_on=False
    ),
    "a whole URL without Host": refused(get(b"GET http://o/a HTTP/1.1")),
    "a whole URL without path": served(
        get(b"GET HTTPS://o HTTP/1.1", b"Host: h"), target=b"/", headers=((b"host", b"o"),)
    ),
    "a whole URL of a query": served(get(b"GET http://o?b HTTP/1.1", b"Host: h"), target=b"/?b"),
    "a whole URL with a fragment": refused(get(b"GET http://o/#f HTTP/1.1", b"Host: h")),
    "a whole URL with a user": refused(get(b"GET http://u:p@o/ HTTP/1.1", b"Host: h")),
    "a whole URL without host": refused(get(b"GET http:///a HTTP/1.1", b"Host: h")),
    "a whole URL of no host": refused(get(b"GET http://[o/a HTTP/1.1", b"Host: h")),
    "a URL of another kind": refused(get(b"GET ftp://o/a HTTP/1.1", b"Host: h")),
    "an authority": refused(get(b"GET o:80 HTTP/1.1", b"Host: h")),
    "a relative path": refused(get(b"GET a/b HTTP/1.1", b"Host: h")),
    "a query only": refused(get(b"GET ?a HTTP/1.1", b"Host: h")),
    "CONNECT": refused(get(b"CONNECT o:443 HTTP/1.1", b"Host: o:443"), 501),
    "CONNECT to a path": refused(get(b"CONNECT /a HTTP/1.1", b"Host: h"), 501),
    "CONNECT with a body": refused(get(b"CONNECT o:443 HTTP/1.1", b"Host: h", LENGTH + b"35") + BEHIND, 501),
    "OPTIONS *": served(get(b"OPTIONS * HTTP/1.1", b"Host: h"), "OPTIONS", b"*"),
    "GET *": refused(get(b"GET * HTTP/1.1", b"Host: h")),
}
HOSTS = {  # 3.2, 3.3
    "no Host": refused(get(LINE)),
    "no Host in HTTP/1.0": served(get(b"GET / HTTP/1.0"), goes_on=False),
    "an empty Host": served(get(LINE, b"Host:"), headers=((b"host", b""),)),
    "two Hosts": refused(get(LINE, b"Host: a", b"Host: b")),
    "two equal Hosts": refused(get(LINE, b"Host: h", b"Host: h")),
    "two Hosts in HTTP/1.0": refused(get(b"GET / HTTP/1.0", b"Host: h", b"Host: h")),
    "a name and a port": served(get(LINE, b"HOST:a.b-c_d:8080"), headers=((b"host", b"a.b-c_d:8080"),)),
    "an address and a port": served(get(LINE, b"Host: [::1]:80"), headers=((b"host", b"[::1]:80"),)),
    "an address that does not end": refused(get(LINE, b"Host: [::1")),
    "a port of no digits": refused(get(LINE, b"Host: h:x")),
    "a space in Host": refused(get(LINE, b"Host: a b")),
    "a path in Host": refused(get(LINE, b"Host: a/b")),
    "a user in Host": refused(get(LINE, b"Host: a@b")),
    "a second Host behind a good one": Row(
        get(LINE, b"Host: h") + get(LINE, b"Host: h", b"Host: h"), (("GET", b"/", b""),), 400, goes_on=False
    ),
}
HEADERS = {  # 5
    "whitespace in front of a colon": refused(get(LINE, b"Host: h", b"X : y")),
    "a tab in front of a colon": refused(get(LINE, b"Host: h", b"X\t: y")),
    "whitespace in front of the colon of a length": refused(post(b"x", b"Content-Length : 1")),
    "no colon": refused(get(LINE, b"Host: h", b"X")),
    "no name": refused(get(LINE, b"Host: h", b": y")),
    "a folded value": refused(get(LINE, b"Host: h", b"X: y", b" z")),
    "a value folded by a tab": refused(get(LINE, b"Host: h", b"X: y", b"\tz")),
    "a folded length": refused(post(b"x", LENGTH.rstrip(), b" 1")),
    "whitespace around a value": served(
        get(LINE, b"Host:\t h\t ", b"X:  y z \t"), headers=(HOST, (b"x", b"y z"))
    ),
    "no value": served(get(LINE, b"Host: h", b"X:", b"Y: "), headers=(HOST, (b"x", b""), (b"y", b""))),
    "names in any case": served(get(LINE, b"hOST: h", b"X-Y: Z"), headers=(HOST, (b"x-y", b"Z"))),
    "names twice": served(
        get(LINE, b"Host: h", b"X: 1", b"X: 2"), headers=(HOST, (b"x", b"1"), (b"x", b"2"))
    ),
    "NUL in a value": refused(get(LINE, b"Host: h", b"X: a\0b")),
    "a control byte in a value": refused(get(LINE, b"Host: h", b"X: a\x01b")),
    "DEL in a value": refused(get(LINE, b"Host: h", b"X: a\x7fb")),
    "a tab in a value": served(get(LINE, b"Host: h", b"X: a\tb"), headers=(HOST, (b"x", b"a\tb"))),
    "bytes of no encoding": served(get(LINE, b"Host: h", b"X: \xff"), headers=(HOST, (b"x", b"\xff"))),
    "UTF-8 in a name": refused(get(LINE, b"Host: h", b"\xc3\xa4: y")),
    "a quote in a name": refused(get(LINE, b"Host: h", b'X": y')),
    "NUL in a name": refused(get(LINE, b"Host: h", b"X\0: y")),
    "all bytes of names": served(
        get(LINE, b"Host: h", b"!#$%&'*+-.^_`|~09: y"), headers=(HOST, (b"!#$%&'*+-.^_`|~09", b"y"))
    ),
}
LENGTHS = {  # 6.2, 6.3
    "a body": served(post(b"hello", LENGTH + b"5"), "POST", body=b"hello"),
    "a body like a request": served(post(BEHIND, LENGTH + b"%d" % len(BEHIND)), "POST", body=BEHIND),
    "a body of GET": served(get(LINE, b"Host: h", LENGTH + b"2") + b"hi", body=b"hi"),
    "no length": served(post(b""), "POST"),
    "a length of 0": served(post(b"", LENGTH + b"0"), "POST"),
    "a length with zeros in front": served(post(b"1234567", LENGTH + b"007"), "POST", body=b"1234567"),
    "whitespace around a length": served(post(b"x", b"Content-Length:\t 1 \t"), "POST", body=b"x"),
    "an empty length": refused(post(b"", LENGTH)),
    "a length with a plus": refused(post(b"x", LENGTH + b"+1")),
    "a negative length": refused(post(b"x", LENGTH + b"-1")),
    "a length in hex": refused(post(b"x", LENGTH + b"0x1")),
    "a length with an underscore": refused(post(b"x" * 10, LENGTH + b"1_0")),
    "a length with a point": refused(post(b"x", LENGTH + b"1.0")),
    "a length and a word": refused(post(b"x", LENGTH + b"1 x")),
    "two numbers": refused(post(b"x", LENGTH + b"1 1")),
    "a list of lengths": refused(post(b"x", LENGTH + b"1,1")),
    "a list of lengths with a space": refused(post(b"x", LENGTH + b"1, 1")),
    "a length of other digits": refused(post(b"x", LENGTH + b"\xd9\xa1")),
    "a length that overflows": refused(post(b"x", LENGTH + b"18446744073709551617")),
    "a length of a thousand digits": refused(post(b"x", LENGTH + b"1" * 1000)),
    "two lengths": refused(post(b"xy", LENGTH + b"1", LENGTH + b"2")),
    "two equal lengths": refused(post(b"x", LENGTH + b"1", LENGTH + b"1")),
    "a length in another spelling": refused(post(b"x", LENGTH + b"1", b"content-LENGTH: 2")),
}
CODINGS = {  # 6.1
    "chunks": served(chunked(b"5\r\nhello\r\n0\r\n\r\n"), "POST", body=b"hello"),
    "chunks of GET": served(
        get(LINE, b"Host: h", b"Transfer-Encoding: chunked") + b"2\r\nhi\r\n0\r\n\r\n", body=b"hi"
    ),
    "CHUNKED": served(post(b"1\r\nx\r\n0\r\n\r\n", b"transfer-ENCODING: \tCHUNKED "), "POST", body=b"x"),
    "a length and chunks": refused(post(b"0\r\n\r\n", LENGTH + b"5", b"Transfer-Encoding: chunked")),
    "chunks and a length": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked", LENGTH + b"5")),
    "a length and another coding": refused(post(b"x", LENGTH + b"1", b"Transfer-Encoding: gzip")),
    "another coding": refused(post(b"x", b"Transfer-Encoding: gzip")),
    "another coding in front": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: gzip, chunked"), 501),
    "another coding behind": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, gzip")),
    "identity": refused(post(b"x", b"Transfer-Encoding: identity")),
    "an empty coding": refused(post(b"", b"Transfer-Encoding:")),
    "chunks of chunks": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked, chunked")),
    "chunks twice": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked")),
    "two codings": refused(
        post(b"0\r\n\r\n", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"), 501
    ),
    "a word with chunked in it": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: xchunked")),
    "chunked with parameters": refused(post(b"0\r\n\r\n", b"Transfer-Encoding: chunked;q=1")),
    "a vertical tab in front of a coding": refused(post(b"0\r\n\r\n", b"Transfer-Encoding:\x0bchunked")),
    "chunks in HTTP/1.0": refused(
        get(b"POST / HTTP/1.0", b"Host: h", b"Transfer-Encoding: chunked") + b"0\r\n\r\n"
    ),
}
CHUNKS = {  # 7.1
    "chunks": served(chunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "POST", body=b"abcde"),
    "no chunks": served(chunked(b"0\r\n\r\n"), "POST"),
    "a chunk like a request": served(
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BEHIND), BEHIND)), "POST", body=BEHIND
    ),
    "a chunk like an end": served(chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"), "POST", body=b"0\r\n\r\n"),
    "sizes in both cases": served(
        chunked(b"a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), "POST", body=b"01234567890123456789a"
    ),
    "zeros in front of a size": served(chunked(b"0000000000000001\r\nx\r\n00\r\n\r\n"), "POST", body=b"x"),
    "a size of 17 digits": refused(chunked(b"00000000000000001\r\nx\r\n0\r\n\r\n")),
    "a size that overflows": refused(chunked(b"10000000000000001\r\nx\r\n0\r\n\r\n")),
    "a size of 0x1": refused(chunked(b"0x1\r\nx\r\n0\r\n\r\n")),
    "a size of no hex": refused(chunked(b"g\r\nx\r\n0\r\n\r\n")),
    "an underscore in a size": refused(chunked(b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n")),
    "a plus in front of a size": refused(chunked(b"+1\r\nx\r\n0\r\n\r\n")),
    "a minus in front of a size": refused(chunked(b"-1\r\nx\r\n0\r\n\r\n")),
    "a space in front of a size": refused(chunked(b" 1\r\nx\r\n0\r\n\r\n")),
    "a space behind a size": refused(chunked(b"1 \r\nx\r\n0\r\n\r\n")),
    "no size": refused(chunked(b"\r\nx\r\n0\r\n\r\n")),
    "no size but an extension": refused(chunked(b";a\r\nx\r\n0\r\n\r\n")),
    "a size and a word": refused(chunked(b"1 x\r\nx\r\n0\r\n\r\n")),
    "extensions": served(chunked(b'1;a=b;c="d;e"\r\nx\r\n0;f\r\n\r\n'), "POST", body=b"x"),
    "whitespace in extensions": served(chunked(b"1 \t; a = b\r\nx\r\n0\r\n\r\n"), "POST", body=b"x"),
    "NUL in an extension": refused(chunked(b"1;\0\r\nx\r\n0\r\n\r\n")),
    "CR in an extension": refused(chunked(b"1;a\rb\r\nx\r\n0\r\n\r\n")),
    "LF in an extension": refused(chunked(b"1;a\nx\r\n0\r\n\r\n")),
    "a size that ends with LF": refused(chunked(b"1\nx\r\n0\r\n\r\n")),
    "a size that ends with CR": refused(chunked(b"1\rx\r\n0\r\n\r\n")),
    "data that ends with LF": refused(chunked(b"1\r\nx\n0\r\n\r\n")),
    "data that ends with CR": refused(chunked(b"1\r\nx\r0\r\n\r\n")),
    "data without an end": refused(chunked(b"1\r\nx0\r\n\r\n")),
    "data longer than its size": refused(chunked(b"1\r\nxy\r\n0\r\n\r\n")),
    "a last chunk that ends with LF": refused(chunked(b"0\n\n")),
    "chunks that end with LF": refused(chunked(b"0\r\n\n")),
    "trailers": served(
        chunked(b"1\r\nx\r\n0\r\nX: y\r\nHost: evil\r\nContent-Length: 9\r\n\r\n"),
        "POST",
        body=b"x",
        headers=(HOST, (b"transfer-encoding", b"chunked")),
    ),
    "a trailer that ends with LF": refused(chunked(b"0\r\nX: y\n\r\n")),
    "a trailer without colon": refused(chunked(b"0\r\nX\r\n\r\n")),
    "a trailer without name": refused(chunked(b"0\r\n: y\r\n\r\n")),
    "whitespace in front of the colon of a trailer": refused(chunked(b"0\r\nX : y\r\n\r\n")),
    "a folded trailer": refused(chunked(b"0\r\nX: y\r\n z\r\n\r\n")),
    "NUL in a trailer": refused(chunked(b"0\r\nX: \0\r\n\r\n")),
}
CONNECTIONS = {  # 9
    "close": served(get(LINE, b"Host: h", CONNECTION + b"close"), goes_on=False),
    "CLOSE": served(get(LINE, b"Host: h", CONNECTION + b"CLOSE"), goes_on=False),
    "close among others": served(get(LINE, b"Host: h", CONNECTION + b"te, close"), goes_on=False),
    "close in a second header": served(
        get(LINE, b"Host: h", CONNECTION + b"te", CONNECTION + b"close"), goes_on=False
    ),
    "close with a body": served(
        post(b"hi", CONNECTION + b"close", LENGTH + b"2"), "POST", body=b"hi", goes_on=False
    ),
    "close with chunks": served(
        post(b"1\r\nx\r\n0\r\n\r\n", CONNECTION + b"close", b"Transfer-Encoding: chunked"),
        "POST",
        body=b"x",
        goes_on=False,
    ),
    "a word with close in it": served(get(LINE, b"Host: h", CONNECTION + b"closed")),
    "keep-alive": served(get(LINE, b"Host: h", CONNECTION + b"keep-alive")),
    "keep-alive in HTTP/1.0": served(
        get(b"GET / HTTP/1.0", b"Host: h", CONNECTION + b"keep-alive"), goes_on=False
    ),
    "requests one behind the other": Row(
        post(b"one", LENGTH + b"3") + get(LINE, b"Host: h") + chunked(b"1\r\n2\r\n0\r\n\r\n") + BEHIND,
        (("POST", b"/", b"one"), ("GET", b"/", b""), ("POST", b"/", b"2"), ("GET", b"/behind", b"")),
    ),
    "empty lines between requests": Row(
        get(LINE, b"Host: h") + b"\r\n\r\n" + get(LINE, b"Host: h") + b"\r\n",
        (("GET", b"/", b""), ("GET", b"/", b"")),
    ),
    "a bad request behind a good one": Row(
        get(LINE, b"Host: h") + get(LINE), (("GET", b"/", b""),), 400, goes_on=False
    ),
    "HEAD": served(get(b"HEAD / HTTP/1.1", b"Host: h"), "HEAD"),
    "HEAD with a body": served(
        get(b"HEAD / HTTP/1.1", b"Host: h", LENGTH + b"2") + b"hi", "HEAD", body=b"hi"
    ),
}
EXPECTATIONS = {  # RFC 9110, 10.1.1
    "100-continue": served(post(b"hi", b"Expect: 100-continue", LENGTH + b"2"), "POST", body=b"hi"),
    "100-CONTINUE and chunks": served(
        post(b"1\r\nx\r\n0\r\n\r\n", b"Expect: 100-CONTINUE", b"Transfer-Encoding: chunked"),
        "POST",
        body=b"x",
    ),
    "100-continue without body": served(post(b"", b"Expect: 100-continue"), "POST"),
    "100-continue in HTTP/1.0": served(
        get(b"POST / HTTP/1.0", b"Expect: 100-continue", LENGTH + b"2") + b"hi",
        "POST",
        body=b"hi",
        goes_on=False,
    ),
    "something else": refused(get(LINE, b"Host: h", b"Expect: 200-ok"), 417),
    "something else, too": refused(get(LINE, b"Host: h", b"Expect: 100-continue, x"), 417),
}
H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")
WEB_SOCKET = (b"Connection: Upgrade", b"Upgrade: websocket")
UPGRADES = {  # RFC 9110, 7.8
    "h2c": served(get(LINE, b"Host: h", *H2C)),
    "h2c with a body": served(post(b"hello", *H2C, LENGTH + b"5"), "POST", body=b"hello"),
    "h2c with a body like a request": served(
        post(BEHIND, *H2C, LENGTH + b"%d" % len(BEHIND)), "POST", body=BEHIND
    ),
    "h2c with chunks": served(
        post(b"5\r\nhello\r\n0\r\n\r\n", *H2C, b"Transfer-Encoding: chunked"), "POST", body=b"hello"
    ),
    "h2c and requests behind": Row(
        post(b"one", *H2C, LENGTH + b"3") + BEHIND + post(b"two", *H2C, LENGTH + b"3"),
        (("POST", b"/", b"one"), ("GET", b"/behind", b""), ("POST", b"/", b"two")),
    ),
    "h2c and close": served(
        post(b"hi", b"Connection: close, Upgrade", b"Upgrade: h2c", LENGTH + b"2"),
        "POST",
        body=b"hi",
        goes_on=False,
    ),
    "h2c with an expectation": served(
        post(b"hi", *H2C, b"Expect: 100-continue", LENGTH + b"2"), "POST", body=b"hi"
    ),
    "an offer without Connection": served(post(b"hi", b"Upgrade: h2c", LENGTH + b"2"), "POST", body=b"hi"),
    "a WebSocket without Connection": served(get(LINE, b"Host: h", b"Upgrade: websocket")),
    "a WebSocket by POST": served(post(b"hi", *WEB_SOCKET, LENGTH + b"2"), "POST", body=b"hi"),
    "a WebSocket with a body": refused(get(LINE, b"Host: h", *WEB_SOCKET, LENGTH + b"2") + b"hi"),
    "a WebSocket with chunks": refused(
        get(LINE, b"Host: h", *WEB_SOCKET, b"Transfer-Encoding: chunked") + b"0\r\n\r\n"
    ),
    "a WebSocket of HTTP/1.0": refused(get(b"GET / HTTP/1.0", b"Host: h", *WEB_SOCKET)),
    "a WebSocket without Host": refused(get(LINE, *WEB_SOCKET)),
    "a WebSocket in an offer of another": served(get(LINE, b"Host: h", CONNECTION + b"x", WEB_SOCKET[1])),
}
TABLE = {
    f"{section}: {name}": row
    for section, rows in {
        "2.2": MESSAGES,
        "2.3": VERSIONS,
        "3": REQUEST_LINES,
        "3.2": TARGETS,
        "3.3": HOSTS,
        "5": HEADERS,
        "6.2": LENGTHS,
        "6.1": CODINGS,
        "7.1": CHUNKS,
        "9": CONNECTIONS,
        "expect": EXPECTATIONS,
        "upgrade": UPGRADES,
    }.items()
    for name, row in rows.items()
}
