"""URLs of calls."""

from __future__ import annotations

import pytest

from webpubsub.http import InvalidCall, parse_url

PARSED: list[tuple[str, tuple[str, str, int], str, str]] = [
    ("http://localhost", ("http", "localhost", 80), "localhost", "/"),
    ("http://localhost:80/a", ("http", "localhost", 80), "localhost", "/a"),
    ("http://LocalHost:7071/A", ("http", "localhost", 7071), "localhost:7071", "/A"),
    ("https://a.example/a?b=c", ("https", "a.example", 443), "a.example", "/a?b=c"),
    ("https://a.example:80/?b", ("https", "a.example", 80), "a.example:80", "/?b"),
    ("http://a.example?b=c", ("http", "a.example", 80), "a.example", "/?b=c"),
    ("http://a.example/a#fragment", ("http", "a.example", 80), "a.example", "/a"),
    ("http://[::1]:8080/", ("http", "::1", 8080), "[::1]:8080", "/"),
    ("https://[FE80::1%eth0]/", ("https", "fe80::1%eth0", 443), "[fe80::1]", "/"),
    ("http://my_app:3000/", ("http", "my_app", 3000), "my_app:3000", "/"),
    ("http://m\u00fcnchen.example/", ("http", "xn--mnchen-3ya.example", 80), "xn--mnchen-3ya.example", "/"),
]


@pytest.mark.parametrize(("text", "origin", "host", "target"), PARSED)
def test_where_to_connect_and_what_to_say(
    text: str, origin: tuple[str, str, int], host: str, target: str
) -> None:
    url = parse_url(text)
    assert (url.origin, url.origin.authority, url.target, url.authorization) == (origin, host, target, None)
    assert url.head == f" {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: webpubsub\r\n"


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/a%2fb%2Fc%7e~", "/a%2fb%2Fc%7e~"),
        ("/a/../b//c;d=e", "/a/../b//c;d=e"),
        ("/:send?a=b:c@d/e?f&g=h+i", "/:send?a=b:c@d/e?f&g=h+i"),
        ('/a b/{x}/[y]|^`"<>\\', "/a%20b/%7Bx%7D/%5By%5D%7C%5E%60%22%3C%3E%5C"),
        ("/\u00e9?q=\u00e9 ", "/%C3%A9?q=%C3%A9%20"),
        ("/100%/%zz?%", "/100%25/%25zz?%25"),
    ],
)
def test_what_is_encoded_stays_and_what_needs_it_becomes_it(written: str, sent: str) -> None:
    assert parse_url(f"http://a.example{written}").target == sent


def test_user_and_password_are_basic_authorization() -> None:
    # printf 'Aladdin:open sesame' | base64
    url = parse_url("http://Aladdin:open%20sesame@localhost/")
    assert url.authorization == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert url.origin == ("http", "localhost", 80)
    assert parse_url("http://user@localhost").authorization == "Basic dXNlcjo="


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/a",
        "a.example",
        "ftp://a.example/",
        "http:///a",
        "http://:80/",
        "http://a.example:0/",
        "http://a.example:x/",
        "http://a.example:65536/",
        "http://[::1/",
        "http://.../",
        "http://a..b/",
        "http://\u00fc..x/",
        "http://back\\slash/",
        "http://a b/",
        "http://[v1.x]/",
        f"http://{'a' * 64}.example/",
        "http://a.example/\ud800",
    ],
)
def test_what_is_no_http_url_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parse_url(f"{text}?code=SECRET")
    assert str(caught.value) == "no HTTP URL"
    assert caught.value.__suppress_context__
