"""Connection strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.errors import ConnectionStringError


@pytest.mark.parametrize(
    ("text", "endpoint", "access_key"),
    [
        (
            "Endpoint=https://a.webpubsub.azure.com;AccessKey=k1;Version=1.0;",
            "https://a.webpubsub.azure.com",
            "k1",
        ),
        (
            f"Endpoint=http://localhost:8080;AccessKey={DEFAULT_ACCESS_KEY};Version=1.0;",
            "http://localhost:8080",
            DEFAULT_ACCESS_KEY,
        ),
        (" endpoint = https://a.b/ ; ACCESSKEY = k= = ;;", "https://a.b", "k= ="),
        ("Endpoint=https://A.B;", "https://a.b", None),
        ("Endpoint=http://a;AccessKey=k;Port=8080", "http://a:8080", "k"),
        ("Endpoint=http://a:1;Port=65535", "http://a:65535", None),
        ("Endpoint=http://a:80;", "http://a", None),
        ("Endpoint=https://a;Port=443", "https://a", None),
        ("Endpoint=http://[::1]:8080;", "http://[::1]:8080", None),
        ("Endpoint=https://a/proxy/;", "https://a/proxy", None),
        ("Endpoint=https://a;ClientEndpoint=https://b;something", "https://a", None),
    ],
)
def test_a_connection_string_has_an_endpoint_and_a_key(
    text: str, endpoint: str, access_key: str | None
) -> None:
    assert ConnectionString.parse(text) == ConnectionString(endpoint, access_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "AccessKey=k",
        "Endpoint=;AccessKey=k",
        "Endpoint=https://a;endpoint=https://b",
        "Endpoint=a.webpubsub.azure.com;AccessKey=k",
        "Endpoint=ftp://a;AccessKey=k",
        "Endpoint=https://;AccessKey=k",
        "Endpoint=https://a:0;AccessKey=k",
        "Endpoint=https://a:65536;AccessKey=k",
        "Endpoint=https://a:b;AccessKey=k",
        "Endpoint=https://[;AccessKey=k",
        "Endpoint=https://\u2100;AccessKey=k",
        "Endpoint=https://me:pw@a;AccessKey=k",
        "Endpoint=https://a;AccessKey=;",
    ],
)
def test_a_string_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(ConnectionStringError):
        ConnectionString.parse(text)


@pytest.mark.parametrize("port", ["0", "-1", "65536", "70000", "abc", "", "8O8O", "٣", "9" * 5000])
def test_a_port_is_a_number_from_1_to_65535(port: str) -> None:
    with pytest.raises(ConnectionStringError, match="Port"):
        ConnectionString.parse(f"Endpoint=http://a;AccessKey=k;Port={port}")


@pytest.mark.parametrize(
    "text",
    [
        "Endpoint=https://a,AccessKey=hidden",
        "Endpoint=https://a AccessKey=hidden",
        "Endpoint=[AccessKey=hidden",
        "Endpoint=https://a;AccessKey=hidden;AccessKey=hidden",
        "AccessKey=hidden",
        "Endpoint=https://a;AccessKey=hidden;Port=0",
    ],
)
def test_the_access_key_is_never_shown(text: str) -> None:
    with pytest.raises(ConnectionStringError) as caught:
        ConnectionString.parse(text)
    assert "hidden" not in str(caught.value)
    assert "hidden" not in repr(ConnectionString("https://a", "hidden"))


@pytest.mark.parametrize(
    ("endpoint", "host", "audience", "url"),
    [
        ("https://a.b", "a.b", "https://a.b/client/hubs/chat", "wss://a.b/client/hubs/chat"),
        (
            "http://localhost:8080",
            "localhost",
            "http://localhost:8080/client/hubs/chat",
            "ws://localhost:8080/client/hubs/chat",
        ),
        (
            "http://[::1]:8080",
            "::1",
            "http://[::1]:8080/client/hubs/chat",
            "ws://[::1]:8080/client/hubs/chat",
        ),
    ],
)
def test_clients_are_told_where_to_go(endpoint: str, host: str, audience: str, url: str) -> None:
    connection = ConnectionString(endpoint)
    assert connection.host == host
    assert connection.client_audience("chat") == audience
    assert connection.client_url("chat") == url


@pytest.mark.parametrize(
    "connection", [ConnectionString("https://a.b", "k=="), ConnectionString("http://a:8080")]
)
def test_a_connection_string_is_written_as_it_is_read(connection: ConnectionString) -> None:
    assert ConnectionString.parse(str(connection)) == connection


@given(st.text() | st.text().map(lambda text: f"Endpoint={text};AccessKey=k"))
def test_any_text_is_a_connection_string_or_refused(text: str) -> None:
    try:
        connection = ConnectionString.parse(text)
    except ConnectionStringError:
        return
    assert ConnectionString.parse(str(connection)) == connection
