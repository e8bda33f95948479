"""Text of others costs time that grows as it does: every regular expression and every reader of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from kit.expressions import constants, made_elsewhere
from kit.growth import LINEAR, growth
from webpubsub.host.bindings.http_trigger import build_request, request_data
from webpubsub.host.dotnet.time_span import parse_time_span
from webpubsub.host.expressions import Template, json_members
from webpubsub.host.timers.ncrontab import parse_crontab
from webpubsub.http.urls import parse_url
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.jws import signed_payload, unverified_payload
from webpubsub.model.access.signature import split_list
from webpubsub.model.cloudevents import header_values
from webpubsub.model.errors import WebPubSubError
from webpubsub.model.http import RequestHead
from webpubsub.model.metadata import parse_metadata_headers
from webpubsub.model.protobuf import check_any
from webpubsub.model.rest.rest_parameters import decode_segment, fold_names, parse_query
from webpubsub.model.states import ConnectionStates
from webpubsub.service.hub.permissions import parse_pattern
from webpubsub.service.protocols.handshake import parse_request
from webpubsub.service.protocols.json_requests import parse_json_request
from webpubsub.service.rest.bodies import json_form
from webpubsub.service.settings_file import _split

EXPRESSIONS: Final = constants()

# For each constant: what it is slow at if it is slow at anything, as (start, what is repeated, end).
HOSTILE: Final[dict[str, tuple[str, str, str]]] = {
    "functions.checks:_NAME": ("a", "_a", "-"),
    "host.bindings.http_trigger:_HEADER_NAME": ("", "a", " "),
    "host.bindings.http_trigger:_METHOD": ("", "A", "a"),
    "host.bindings.http_trigger:_NOT_IN_A_HEADER": ("", "\t", ""),
    "host.dotnet.formats:_ESCAPE": ("", "\\\\", "\\"),
    "host.dotnet.formats:_TOKEN": ("'", "\\'", ""),
    "host.dotnet.routes:_CLOCK_TIME": ("", "1:", " 1"),
    "host.dotnet.routes:_END": ("=", "?", "\n"),
    "host.dotnet.routes:_NAME": ("**a", "-", ""),
    "host.dotnet.routes:_RULE": (":a(", "(a)", ""),
    "host.dotnet.time_span:_TIME_SPAN": ("-1", ".1", ":1"),
    "host.expressions:_NAME": ("a", ".-", " "),
    "http.door:_HOST": ("[", "a.", " "),
    "http.door:_ORIGIN": ("a", "+.", "://["),
    "http.door:_PLAIN": ("a", ".-", " "),
    "host.expressions:_PART": ("{", "a", ""),
    "host.expressions:_SETTING": ("", "%a", ""),
    "host.http.http_functions:_SLASH": ("", "%2", ""),
    "host.loading.azure:_OLD_RANGE": ("[", " ", "4"),
    "host.loading.azure:_REQUIREMENT": ("", "\n", "#"),
    "host.loading.indexing:_BINDING_NAME": ("a", "_a", "-"),
    "host.loading.indexing:_FUNCTION_NAME": ("", "a", " "),
    "host.settings.host_id:_VALID": ("a", "-a", "-"),
    "host.settings.host_settings:_NOT_IN_ENVIRONMENT": ("", "a", ""),
    "host.settings.http_options:_NO_NAME": ("", "a", ""),
    "host.settings.http_options:_NO_VALUE": ("", "\t", ""),
    "host.storage.files:_DEVICE": ("con", "1", ""),
    "http.chunked:_SIZE": ("1", "\t", "\0"),
    "http.chunked:_TRAILER": ("a", ":", "\0"),
    "http.exchange:_NO_NAME": ("", "a", ""),
    "http.exchange:_NO_VALUE": ("", "\t", ""),
    "http.heads:_ABSOLUTE": ("http://", "a", "\n#"),
    "http.heads:_HOST": ("[", ":", ""),
    "http.heads:TOKENS": ("", "\t", "a"),
    "http.urls:_IPV6": ("::%", "a", "/"),
    "http.urls:_LONE_PERCENT": ("", "%41", ""),
    "http.urls:_NAME": ("", "a", "/"),
    "model.access.connection_string:_NOT_IN_A_HOST": ("", "a", ""),
    "model.access.signature:_SEPARATORS": ("", ", ", "a"),
    "model.carried:_CONTROL": ("", "\t", ""),
    "model.cloudevents:_CONTROL": ("", "\t", ""),
    "model.metadata:_NAME": ("", "a", " "),
    "model.names:PLAIN_GROUP": ("a", " ", "\0"),
    "model.names:_EVENT": ("", "a", " "),
    "model.names:_HUB": ("", "a", " "),
    "model.names:_LONE_SURROGATE": ("", "\uffff", ""),
    "model.rest.rest_parameters:_ENCODED_SLASH": ("", "%2", ""),
    "model.rest.rest_parameters:_VERSION": ("2024-01-01", "-preview", ""),
    "service.filters.grammar:_SPACE": ("", " ", "a"),
    "service.filters.grammar:_TOKEN": ("'", "''", ""),
    "service.hub.permissions:_PATTERN": ("", "\\*", "\\"),
    "service.hub.permissions:_TOKEN": ("", "*", "\\"),
    "service.protocols:_TOKEN": ("", "a", " "),
    "service.protocols.handshake:_KEY": ("", "A", "="),
    "service.protocols.handshake:_ORIGIN_FORM": ("/", "?", "#"),
    "service.rest.bodies:_END": ("", "; ", "a"),
    "service.rest.bodies:_PARAMETER": (" ;a=", '"', ""),
    "service.rest.bodies:_TYPE": (" ", "a", ""),
    "service.settings:_KEY_VAULT": ("", "{@Microsoft.KeyVault", ""),
    "service.settings:_PLACEHOLDER": ("", "{hub", ""),
    "service.settings_file:_STEP": ("[", "1", ""),
    "service.settings_file:_UNKNOWN": ("Object contains unknown field `", "`", "a"),
}

# What is compiled or called in a function: what reads by it, with its own test of growth or a reason.
ELSEWHERE: Final = {
    "host.dotnet.patterns:_item_test": "looks at one character",
    "host.dotnet.patterns:_position_test": "looks at one position",
    "host.dotnet.patterns:compile_search": "tests/host/dotnet/test_patterns.py",
    "host.dotnet.routes:__init__": "tests/host/dotnet/test_routes.py",
    "host.dotnet.routes:_fits": "tests/host/dotnet/test_routes.py",
    "host.dotnet.routes:_is_whole": "20 characters at most",
    "model.access.connection_string:_not_a_url": "READERS, below",
    "model.rest.operations:_names_in": "our own table of paths",
}

UNITS: Final = [
    *[" ", "\t", "\n", "a", "A", "1", ".", "-", "_", ",", ";", "'", '"', "\\", "(", ")", "[", "{", "}", "%"],
    *["*", "=", ":", "/", "`", "é", "a ", "a.", "a-", "1,", "''", "\\'", "{a", "%2f", " ;", "a=a;", "ab"],
]
ENDS: Final = ["", "\0", "!"]


def _use(name: str, method: str, text: str) -> Callable[[], object]:
    pattern: Any = EXPRESSIONS[name].pattern
    given: Any = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "surrogatepass")
    if method == "finditer":
        return lambda: list(pattern.finditer(given))
    if method == "sub":
        return lambda: pattern.sub(given[:0], given)
    if method == "match" and name.endswith(("_TOKEN", "_PARAMETER", "_RULE")):
        return lambda: _match_on(pattern, given)
    return lambda: getattr(pattern, method)(given)


def _match_on(pattern: re.Pattern[Any], given: Any) -> None:
    """As a lexer does: each match begins where the one before ended."""
    at = 0
    while (found := pattern.match(given, at)) and found.end() > at:
        at = found.end()


def _names(found: dict[str, Any] | set[str]) -> set[str]:
    return {name.removeprefix("webpubsub.") for name in found}


def test_every_expression_is_listed() -> None:
    assert _names(EXPRESSIONS) == set(HOSTILE)
    assert _names(made_elsewhere()) == set(ELSEWHERE)


def test_every_expression_is_used_where_it_stands() -> None:
    assert [name for name, each in EXPRESSIONS.items() if not each.methods] == []


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_expression_takes_longer_than_its_text(name: str) -> None:
    start, unit, end = HOSTILE[name.removeprefix("webpubsub.")]
    samples = [(start, unit, end), *((start, each, end) for each in UNITS)]
    samples += [(begin, each, last) for begin in ("", start) for each in UNITS for last in ENDS]
    slow = [
        (method, sample)
        for method in EXPRESSIONS[name].methods
        for sample in samples
        if growth(lambda n, s=sample, m=method: _use(name, m, _text(s, n)), 1_000, 2_000) > LINEAR  # type: ignore[misc]
    ]
    assert slow == []


def _text(sample: tuple[str, str, str], size: int) -> str:
    start, unit, end = sample
    return f"{start}{unit * (size // len(unit))}{end}"


# --- what reads text with more than an expression -----------------------------------------------------


def _quietly(read: Callable[[Any], object]) -> Callable[[Any], object]:
    def run(given: Any) -> object:
        try:
            return read(given)
        except (WebPubSubError, ValueError) as refused:
            return refused

    return run


def _head(name: bytes) -> Callable[[str], RequestHead]:
    """A client's request with a text in one header, and in its target."""
    fixed = [
        (b"host", b"h"),
        (b"upgrade", b"websocket"),
        (b"connection", b"upgrade"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ]

    def make(text: str) -> RequestHead:
        others = [line for line in fixed if line[0] != name]
        target = b"/client/hubs/chat?" + (text.encode() if name == b"target" else b"")
        return RequestHead("GET", target, [*others, (name, text.encode())])

    return make


def _scope(text: str) -> dict[str, Any]:
    raw = text.encode("latin-1", "replace")
    headers = [(b"a", raw[at : at + 1]) for at in range(0, len(raw), 8)]
    return {"method": "GET", "headers": headers, "query_string": raw, "path": "/", "scheme": "http"}


def _fits(name: str) -> bool:
    matches = parse_pattern("*a*a*?*a?")
    assert not isinstance(matches, str)
    return matches(name)


def _signed(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"ce-signature", text[at : at + 4].encode()) for at in range(0, len(text), 4)]


# Name: what makes the input of a text, and what reads it.
READERS: Final[dict[str, tuple[Callable[[str], Any], Callable[[Any], object]]]] = {
    "a request to an HTTP function": (_scope, lambda scope: build_request(scope, {}, b"")),
    "its binding data": (_scope, lambda scope: request_data(build_request(scope, {}, b""))),
    "a query": (str.encode, lambda query: fold_names(parse_query(query))),
    "a segment of a REST path": (str.encode, decode_segment),
    **{
        f"a client's {name.decode()}": (_head(name), parse_request)
        for name in (
            b"target",
            b"host",
            b"upgrade",
            b"sec-websocket-protocol",
            b"sec-websocket-key",
            b"cookie",
        )
    },
    "repeated headers of an event": (_signed, header_values),
    "a list in a header": (str, split_list),
    "an endpoint": (lambda text: f"Endpoint={text};AccessKey=x", ConnectionString.parse),
    "a connection string": (str, ConnectionString.parse),
    "a URL": (lambda text: f"http://h/{text}", parse_url),
    "the name in a URL": (lambda text: f"http://{text}/", parse_url),
    "a media type": (lambda text: {b"content-type": f"text/plain;{text}".encode()}, json_form),
    "a token": (lambda text: f"e30.{text}.e30", lambda token: signed_payload(token, ["key"])),
    "a token's header": (lambda text: f"{text}.e30.e30", unverified_payload),
    "a request of a client, JSON": (lambda text: json.dumps({"type": text}).encode(), parse_json_request),
    "a request of a client, any text": (str.encode, parse_json_request),
    "states": (lambda text: ConnectionStates(text), ConnectionStates.check),
    "a pattern of groups": (lambda text: f"*{text[:1000]}*", parse_pattern),
    "the name of a group, for a pattern": (str, _fits),
    "the value of metadata": (
        lambda text: [(b"x-webpubsub-metadata-a", text.encode())],
        parse_metadata_headers,
    ),
    "metadata": (
        lambda text: [(b"x-webpubsub-metadata-%d" % at, b"") for at in range(len(text) // 8)],
        parse_metadata_headers,
    ),
    "a binding's text": (lambda text: text, lambda text: Template.parse(text, {})),
    "what is no expression": (lambda text: f"{{{text}", lambda text: Template.parse(text, {})),
    "a JSON body": (lambda text: json.dumps([text]), json_members),
    "a time span": (str, parse_time_span),
    "a schedule": (lambda text: f"0 {text} * * * *", parse_crontab),
    "fields of protobuf": (str.encode, check_any),
    "a problem of settings": (lambda text: f"x - at `$.{text}`", _split),
    "problems of settings": (lambda text: " - at `$" * (len(text) // 8), _split),
}


@pytest.mark.parametrize("name", READERS)
def test_no_reader_takes_longer_than_its_text(name: str) -> None:
    make, read = READERS[name]
    run = _quietly(read)
    samples = [("", unit, end) for unit in UNITS for end in ENDS[:2]]
    slow = [
        (sample, ratio)
        for sample in samples
        if (ratio := growth(lambda n, s=sample: _with(run, make(_text(s, n))), 1_000, 4_000)) > LINEAR  # type: ignore[misc]
    ]
    assert slow == []


def _with(run: Callable[[Any], object], given: Any) -> Callable[[], object]:
    return lambda: run(given)
