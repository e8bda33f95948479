"""Who may come in where only this machine can connect: the rule alone."""

from __future__ import annotations

import re

import pytest

from webpubsub.http.door import (
    LONGEST_NAME,
    REMEMBERED,
    Allowed,
    Door,
    allowed_cors,
    allowed_host,
    allowed_origin,
)
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import RequestHead

ALLOWED = Allowed(frozenset({"dev.example"}), frozenset({"https://app.example", "null"}))
ANYBODY = Allowed(frozenset({"*"}), frozenset({"*"}))

HERE = [
    "localhost",
    "LocalHost:8080",
    "localhost.",
    "app.localhost:1",
    "127.0.0.1:7071",
    "127.9.9.9",
    "[::1]:80",
]
ADDRESSES = ["192.168.1.5:8080", "8.8.8.8", "[2001:db8::1]", "[fe80::1]:7071"]
ELSEWHERE = [
    *("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.nip.io", "xlocalhost"),
    *("host.docker.internal", "dev.example.evil.example", "2130706433", "127.1", "[::1", "::1", "a b"),
]


@pytest.mark.parametrize("host", ["", *HERE, *ADDRESSES])
def test_names_of_this_machine_and_addresses_come_in(host: str) -> None:
    assert Allowed().refusal(host, []) is None


@pytest.mark.parametrize("host", ELSEWHERE)
def test_other_names_do_not_and_the_option_is_named(host: str) -> None:
    assert ANYBODY.refusal(host, []) is None
    refused = ALLOWED.refusal(host, [])
    assert refused is not None
    assert refused[0] == 421
    assert "--allow-host" in refused[1]


@pytest.mark.parametrize("host", ["dev.example", "DEV.example:9000", "dev.example."])
def test_a_name_that_is_allowed_comes_in_by_any_port(host: str) -> None:
    assert ALLOWED.refusal(host, []) is None
    assert Allowed().refusal(host, []) is not None


def test_a_refusal_says_what_to_do() -> None:
    assert Allowed().refusal("Evil.example:8080", []) == (
        421,
        "The request is for the host Evil.example:8080, which is no name of this machine: start with "
        "--allow-host evil.example to let such requests in.",
    )
    assert Allowed().refusal("localhost", ["https://evil.example"]) == (
        403,
        "The request is of a web page of another site, https://evil.example: start with "
        "--allow-origin https://evil.example to let its requests in.",
    )


@pytest.mark.parametrize(
    "name",
    [
        "$(id).example",
        "a;id;.example",
        "`id`.example",
        "a&id",
        "a|id",
        "a'b",
        'a"b',
        "~",
        "%",
        "a b",
        "",
        "n" * 101,
    ],
)
def test_only_a_plain_name_is_put_into_a_command(name: str) -> None:
    refused = Allowed().refusal("localhost", [f"https://{name}" if name else ""])
    assert refused is not None
    assert refused[1].endswith(": start with --allow-origin ORIGIN to let its requests in.")
    refused = Allowed().refusal(name or ".", [])
    assert refused is not None
    assert refused[1].endswith(": start with --allow-host NAME to let such requests in.")


def test_foreign_text_writes_no_lines_and_no_novels() -> None:
    for text in ("x\r\ny", "\x1b[2J", "\x85", "\u2028", "n" * 60_000):
        status_and_words = Allowed().refusal("localhost", [text])
        assert status_and_words is not None
        assert status_and_words[1].isprintable()
        assert status_and_words[1].isascii()
        assert len(status_and_words[1]) < 400


@pytest.mark.parametrize(
    ("origin", "here", "allowed"),
    [
        ("http://localhost:3000", True, True),
        ("https://LOCALHOST", True, True),
        ("http://app.localhost", True, True),
        ("http://127.0.0.1:5500", True, True),
        ("http://[::1]:5500", True, True),
        ("capacitor://localhost", True, True),
        ("https://app.example", False, True),
        ("HTTPS://APP.example:443", False, True),
        ("null", False, True),
        ("http://app.example", False, False),  # another scheme is another site
        ("https://app.example:8443", False, False),
        ("https://app.example.evil.example", False, False),
        ("https://evil.example", False, False),
        ("http://192.168.1.5", False, False),  # pages of other machines
        ("http://localhost.evil.example", False, False),
        ("http://evil.example#localhost", False, False),
        ("http://localhost@evil.example", False, False),
        ("http://localhost http://evil.example", False, False),
        ("localhost", False, False),
        ("", False, False),
        ("*", False, False),
    ],
)
def test_origins(origin: str, here: bool, allowed: bool) -> None:
    assert (Allowed().refusal("localhost", [origin]) is None) is here
    assert (ALLOWED.refusal("localhost", [origin]) is None) is allowed
    assert ANYBODY.refusal("localhost", [origin]) is None


def test_each_of_several_origins_has_to_be_all_right() -> None:
    origins = ["http://localhost", "https://evil.example"]
    for found in (origins, origins[::-1]):
        assert Allowed().refusal("localhost", found) is not None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Dev.Example", "dev.example"),
        ("dev.example.", "dev.example"),
        ("*", "*"),
        ("[::1]", "[::1]"),
        ("a", "a"),
    ],
)
def test_hosts_that_can_be_allowed(text: str, found: str) -> None:
    assert allowed_host(text) == found


@pytest.mark.parametrize(
    "text", ["", "dev.example:80", "http://dev.example", "*.example", "a b", "a/b", "a,b:1"]
)
def test_hosts_that_cannot(text: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{text!r} is not the name of a host: expected")):
        allowed_host(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://App.example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("https://app.example:80", "https://app.example:80"),
        ("null", "null"),
        ("*", "*"),
        ("vscode-webview://abc", "vscode-webview://abc"),
    ],
)
def test_origins_that_can_be_allowed(text: str, found: str) -> None:
    assert allowed_origin(text) == found


@pytest.mark.parametrize(
    "text", ["", "app.example", "https://", "https://a/b", "https://*.example", "a b://c"]
)
def test_origins_that_cannot(text: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{text!r} is not an origin: expected")):
        allowed_origin(text)


def test_origins_of_cors_are_compared_alike() -> None:
    assert allowed_cors(["https://App.example:443/", "*", "nonsense"]) == {
        "https://app.example",
        "*",
        "nonsense",
    }


# --- requests -----------------------------------------------------------------------------------------


def head(path: str, **headers: str) -> RequestHead:
    return RequestHead(
        "GET", path.encode(), [(name.encode(), text.encode()) for name, text in headers.items()]
    )


def door() -> Door:
    return Door(
        Allowed(),
        is_guarded=lambda path: path == b"/guarded",
        has_key=lambda head: head.target.endswith(b"key"),
    )


@pytest.mark.parametrize("host", ["localhost", "evil.example"])
@pytest.mark.parametrize("origin", [None, "http://localhost", "https://evil.example", "null"])
@pytest.mark.parametrize("path", ["/guarded", "/open"])
@pytest.mark.parametrize("query", ["", "?x", "?key"])
def test_hosts_by_origins_by_routes_by_keys(host: str, origin: str | None, path: str, query: str) -> None:
    headers = {"host": host} | ({} if origin is None else {"origin": origin})
    if query == "?key":
        expected = None
    elif host == "evil.example":
        expected = 421
    elif path == "/guarded" and origin in ("https://evil.example", "null"):
        expected = 403
    else:
        expected = None
    refused = door().refusal(head(path + query, **headers))
    assert (refused and refused[0]) == expected


def test_a_host_is_remembered_once_it_was_let_in_for_its_name_and_not_for_a_key() -> None:
    found = door()
    assert found.known == {None}  # who sends none is no browser
    for host in ("localhost:1", "evil.example"):
        found.refusal(head("/?key", host=host))
    found.refusal(head("/", host="evil.example"))
    found.refusal(head("/guarded", host="localhost:2", origin="null"))
    assert found.known == {None, b"localhost:1"}


def test_a_host_longer_than_any_name_is_let_in_and_not_remembered() -> None:
    found = door()
    for size in (LONGEST_NAME, LONGEST_NAME + 1):
        assert found.refusal(head("/", host=".localhost".rjust(size, "a"))) is None
    assert sorted(len(each or b"") for each in found.known) == [0, LONGEST_NAME]


def test_no_more_hosts_are_remembered_than_there_is_room_for() -> None:
    found = door()
    for number in range(REMEMBERED * 2):
        assert found.refusal(head("/", host=f"localhost:{number}")) is None
        assert len(found.known) <= REMEMBERED
