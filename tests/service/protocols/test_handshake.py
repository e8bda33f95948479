"""The upgrade: RFC 6455, section 4; client spec, sections 1.1 to 1.6."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.errors import PeerError, TokenError
from webpubsub.model.http import RequestHead
from webpubsub.model.names import GroupName
from webpubsub.service.protocols.handshake import (
    accept_response,
    parse_request,
    refuse_response,
    required_token,
)
from webpubsub.service.protocols.raw import RawPublisher

PATH = "/client/hubs/chat"


def request(
    target: str = PATH, *more: tuple[str, str], method: str = "GET", **changed: str | None
) -> RequestHead:
    """An upgrade request; ``changed`` replaces a header, None leaves it out."""
    headers = {
        "Host": "localhost:8080",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in changed.items()}
    fields = [(name, value) for name, value in headers.items() if value is not None] + [*more]
    return RequestHead(
        method, target.encode(), [(name.lower().encode(), value.encode()) for name, value in fields]
    )


# --- what the client wants ----------------------------------------------------------------------------


def test_a_plain_request() -> None:
    found = parse_request(request("/client/hubs/Chat?access_token=t&a=1&a=2&b=x%20y"))
    assert found.hub == "chat"
    assert found.key == b"dGhlIHNhbXBsZSBub25jZQ=="
    assert found.token == "t"
    assert found.audiences == ("http://localhost:8080/client/hubs/chat",)
    assert found.subprotocols == ()
    assert found.query == {"a": ["1", "2"], "b": ["x y"]}
    assert found.shown_headers() == {
        "host": ["localhost:8080"],
        "upgrade": ["websocket"],
        "connection": ["Upgrade"],
    }


@pytest.mark.parametrize(
    "target",
    [
        "/client/hubs/chat",
        "/client/hubs/chat/",
        "/client/hubs/CHAT",
        "/client/hubs/%63hat",
        "/client/?hub=chat",
        "/client?hub=Chat",
        "http://localhost:8080/client/hubs/chat",
    ],
)
def test_the_hub_is_in_the_path_or_in_the_query(target: str) -> None:
    assert parse_request(request(target)).hub == "chat"


@pytest.mark.parametrize(
    ("target", "more", "token"),
    [
        (PATH, [], None),
        (f"{PATH}?access_token=", [], None),
        (f"{PATH}?ACCESS_TOKEN=q", [], "q"),
        (PATH, ["Bearer h"], "h"),
        (PATH, ["BEARER h"], "h"),
        (PATH, ["Basic h"], None),
        (PATH, ["Bearer "], None),
        (f"{PATH}?access_token=q", ["Bearer h"], "q"),
        (f"{PATH}?access_token=", ["Bearer h"], "h"),
    ],
)
def test_the_token_is_in_the_query_or_in_a_header(target: str, more: list[str], token: str | None) -> None:
    fields = [("Authorization", value) for value in more]
    assert parse_request(request(target, *fields)).token == token


def test_the_token_is_shown_to_nobody() -> None:
    found = parse_request(
        request(
            f"{PATH}?Access_Token=s&x=1&ACCESS_TOKEN=t",
            ("Authorization", "Bearer s"),
            ("X-Y", "1"),
            ("x-y", "é"),
        )
    )
    assert found.query == {"x": ["1"]}
    assert "authorization" not in found.shown_headers()
    assert found.shown_headers()["x-y"] == ["1", "é"]


def test_a_token_may_be_required() -> None:
    assert required_token(parse_request(request(f"{PATH}?access_token=t"))) == "t"
    with pytest.raises(TokenError) as caught:
        required_token(parse_request(request()))
    assert caught.value.status == 401


@pytest.mark.parametrize(
    ("lines", "offered"),
    [
        (["a"], ("a",)),
        (["b, a ,,c"], ("b", "a", "c")),
        (["b", "a"], ("b", "a")),
    ],
)
def test_subprotocols_keep_the_clients_order(lines: list[str], offered: tuple[str, ...]) -> None:
    fields = [("Sec-WebSocket-Protocol", line) for line in lines]
    assert parse_request(request(PATH, *fields)).subprotocols == offered


@pytest.mark.parametrize("mode", ["", "sendEvent", "SENDEVENT"])
def test_the_usual_mode_may_be_named(mode: str) -> None:
    assert parse_request(request(f"{PATH}?webpubsub_mode={mode}")).publisher is None


@pytest.mark.feature("simple publishers")
def test_the_mode_of_simple_clients() -> None:
    found = parse_request(request(f"{PATH}?webpubsub_mode=sendToGroup&group=a%20b&noEcho=true"))
    assert found.publisher == RawPublisher(GroupName("a b"), True)


def test_a_client_that_wants_its_connection_back_keeps_its_mode() -> None:
    found = parse_request(request(f"{PATH}?webpubsub_mode=other&awps_connection_id=c1"))
    assert (found.recovers, found.publisher) == ("c1", None)


# --- what is refused ----------------------------------------------------------------------------------

REFUSED: list[tuple[RequestHead, int, str]] = [
    (request(method="POST"), 400, "not a WebSocket request"),
    (request(Sec_WebSocket_Version=None), 426, "version 13"),
    (request(Sec_WebSocket_Version="8"), 426, "version 13"),
    (request(Sec_WebSocket_Key=None), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Key=""), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Key="AAAA"), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ"), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZ!=="), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Key="é€"), 400, "Sec-WebSocket-Key"),
    (request("/client/hubs/"), 400, "not a valid hub name"),
    (request("/client/hubs/%20"), 400, "not a valid hub name"),
    (request("/client/hubs/1a"), 400, "not a valid hub name"),
    (request("/client/hubs/a%2Fb"), 400, "not a valid hub name"),
    (request("/client/hubs/a/b"), 400, "not a valid hub name"),
    (request("/client/hubs/" + "a" * 129), 400, "not a valid hub name"),
    (request("/client"), 400, "not a valid hub name"),
    (request("/client/?hub="), 400, "not a valid hub name"),
    (request("/"), 404, "expected /client/hubs/HUB"),
    (request("/api/hubs/chat"), 404, "not a client endpoint"),
    (request("/clients/mqtt/hubs/chat"), 501, "MQTT is not served yet: connect to /client/hubs/HUB"),
    (request("/clients/socketio/hubs/chat/?EIO=4&transport=websocket"), 501, "Socket.IO is not served yet"),
    (request("/clients/hubs/chat"), 404, "not a client endpoint"),
    (request("/Client/hubs/chat"), 404, "not a client endpoint"),
    (request(Host=None), 400, "no Host, or more than one"),
    (request(PATH, ("Host", "other")), 400, "no Host, or more than one"),
    (request(PATH, ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")), 400, "Sec-WebSocket-Key"),
    (request(Sec_WebSocket_Version="13, 8"), 426, "version 13"),
    (request(Sec_WebSocket_Version="0"), 426, "version 13"),
    (request(method="OPTIONS"), 400, "not a WebSocket request"),
    (request("*"), 404, "not a client endpoint"),
    (request("http://a:99999/client/hubs/chat"), 400, "not"),
    (request(f"{PATH}?webpubsub_mode=SENDTOGROUP"), 400, "webpubsub_mode is 'sendToGroup', but ''"),
    (request(f"{PATH}?webpubsub_mode=other"), 400, "webpubsub_mode is 'other'"),
    (request(f"{PATH}?webpubsub_mode=sendEvent&webpubsub_mode=x"), 400, "webpubsub_mode is 'x'"),
]


@pytest.mark.feature("protocols that are not served")
@pytest.mark.parametrize(("data", "status", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_refusals(data: RequestHead, status: int, words: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_request(data)
    assert caught.value.status == status
    assert words in str(caught.value)


_header_text = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)


@given(
    target=st.text(st.characters(codec="utf-8", exclude_characters=" \r\n"), max_size=30)
    | st.text("/client?hubs=%&#[]:@", max_size=40).map(lambda text: f"/client/{text}"),
    changed=st.dictionaries(
        st.sampled_from(["Host", "Sec_WebSocket_Key", "Sec_WebSocket_Version", "Authorization"]),
        _header_text,
        max_size=2,
    ),
)
def test_any_request_is_read_or_refused(target: str, changed: dict[str, Any]) -> None:
    status, answer = 101, b"HTTP/1.1 101 "
    try:
        assert parse_request(request(target, **changed)).hub
    except PeerError as error:
        status, answer = error.status, refuse_response(error.status, str(error))
    assert status in (101, 400, 404, 426, 501)
    assert answer.startswith(b"HTTP/1.1 %d " % status)


# --- answers ------------------------------------------------------------------------------------------


def test_the_key_of_rfc_6455_gets_its_answer() -> None:
    assert accept_response(b"dGhlIHNhbXBsZSBub25jZQ==", None) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"\r\n"
    )


def test_the_subprotocol_is_answered_when_there_is_one() -> None:
    response = accept_response(b"dGhlIHNhbXBsZSBub25jZQ==", "JSON.webpubsub.azure.v1")
    assert response.endswith(b"\r\nSec-WebSocket-Protocol: JSON.webpubsub.azure.v1\r\n\r\n")


def test_a_refusal_says_why() -> None:
    assert refuse_response(401, "no tokén") == (
        b"HTTP/1.1 401 Unauthorized\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: 9\r\n"
        b"Connection: close\r\n"
        b"\r\n"
        b"no tok\xc3\xa9n"
    )


def test_another_version_is_told_which_one_is_spoken() -> None:
    assert b"HTTP/1.1 426 Upgrade Required\r\n" in refuse_response(426, "")
    assert b"\r\nSec-WebSocket-Version: 13\r\n" in refuse_response(426, "")


def test_a_status_of_the_handlers_own_is_passed_on() -> None:
    assert refuse_response(499, "").startswith(b"HTTP/1.1 499 Refused\r\n")
