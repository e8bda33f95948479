"""The settings file: service spec, sections D.1 and I.3."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from kit.service_peers import CHAT
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import CallBounds, HttpBounds
from webpubsub.model.names import HubName
from webpubsub.service.filters import FilterBounds
from webpubsub.service.settings import (
    EventHandlerSettings,
    HubSettings,
    Limits,
    ManagedIdentity,
    ServiceSettings,
    WebhookAuth,
)
from webpubsub.service.settings_file import load_settings

FILE = """{
  "hubs": {
    "Chat": {
      "eventHandlers": [
        {"urlTemplate": "http://localhost:7071/runtime/webhooks/webpubsub?code=k",
         "userEventPattern": "*", "systemEvents": ["connect", "connected"]},
        {"urlTemplate": "http://localhost/{hub}/{event}"}
      ],
      "anonymousConnectPolicy": "allow",
      "webSocketKeepAliveIntervalInSeconds": 5
    },
    "empty": {}
  }
}"""
READ = {
    CHAT: HubSettings(
        (
            EventHandlerSettings(
                "http://localhost:7071/runtime/webhooks/webpubsub?code=k", "*", ("connect", "connected")
            ),
            EventHandlerSettings("http://localhost/{hub}/{event}", "", ()),
        ),
        "allow",
        5,
    ),
    HubName("empty"): HubSettings(),
}


def test_a_settings_file_has_azures_names(tmp_path: Path) -> None:
    path = tmp_path / "service.json"
    path.write_text(FILE)
    assert load_settings(path) == ServiceSettings(hubs=READ)


def test_a_settings_file_may_name_token_issuers(tmp_path: Path) -> None:
    path = tmp_path / "service.json"
    path.write_text(
        '{"tokenIssuers": [{"issuer": "i", "key": "k"}, {"issuer": "j", "audience": "a", "key": "l"}]}'
    )
    assert load_settings(path) == ServiceSettings(
        token_issuers=(TokenIssuer("i", "k", "https://webpubsub.azure.com"), TokenIssuer("j", "l", "a"))
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "service.json"


def test_where_it_follows_azure_or_the_emulator_is_set_at_the_top(path: Path) -> None:
    path.write_text(
        """{"failedUserEvent": "close", "missingConnectionSend": 404, "decodeSlashInSegments": false,
        "requireContentLength": false, "validationMode": "off", "retryDelaysInSeconds": [0.1, 2],
        "webhookRequestOrigin": "localhost:8080"}"""
    )
    assert load_settings(path) == ServiceSettings(
        failed_user_event="close",
        missing_connection_send=404,
        decode_slash_in_segments=False,
        require_content_length=False,
        validation_mode="off",
        retry_delays_in_seconds=(0.1, 2.0),
        origin="localhost:8080",
    )


def test_what_the_server_takes_of_requests_is_set_below_http(path: Path) -> None:
    path.write_text(
        """{"http": {"maxHeadBytes": 8192, "headTimeout": 5, "bodyTimeout": 2.5, "idleTimeout": 1,
        "maxBodiesBytes": 1048576}}"""
    )
    assert load_settings(path).http == HttpBounds(
        max_head_bytes=8192,
        head_timeout=5.0,
        body_timeout=2.5,
        idle_timeout=1.0,
        max_bodies_bytes=1048576,
    )


@pytest.mark.parametrize("text", ["{}", '{"http": {}}', '{"http": {"headTimeout": 15}}'])
def test_what_is_not_set_below_http_is_as_ever(path: Path, text: str) -> None:
    path.write_text(text)
    assert load_settings(path).http == HttpBounds(
        max_head_bytes=65536,
        head_timeout=15.0,
        body_timeout=75.0,
        idle_timeout=75.0,
        max_bodies_bytes=268435456,
    )


def test_how_long_filters_may_be_is_set_below_filters(path: Path) -> None:
    path.write_text('{"filters": {"maxBytes": 100, "maxClauses": 3}}')
    assert load_settings(path).filters == FilterBounds(max_bytes=100, max_clauses=3)
    path.write_text('{"filters": {"maxClauses": 3}}')
    assert load_settings(path).filters == FilterBounds(max_bytes=65536, max_clauses=3)
    path.write_text("{}")
    assert load_settings(path).filters == FilterBounds(max_bytes=65536, max_clauses=1000)


def test_a_handler_may_get_authorization(path: Path) -> None:
    path.write_text(
        """{"hubs": {"chat": {"eventHandlers": [
            {"urlTemplate": "http://a", "auth": {"type": "None"}},
            {"urlTemplate": "http://b",
             "auth": {"type": "ManagedIdentity", "managedIdentity": {"resource": "api://b"}}},
            {"urlTemplate": "http://c", "auth": {"type": "BearerToken", "bearerToken": "t"}}]}}}"""
    )
    assert [handler.auth for handler in load_settings(path).hub(CHAT).event_handlers] == [
        WebhookAuth(),
        WebhookAuth("ManagedIdentity", ManagedIdentity("api://b")),
        WebhookAuth("BearerToken", bearer_token="t"),
    ]


def test_an_identity_without_its_package_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(
        """{"hubs": {"chat": {"eventHandlers": [{"urlTemplate": "http://b",
 "auth": {"type": "ManagedIdentity", "managedIdentity": {"resource": "api://b"}}}]}}}"""
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'pip install "webpubsub\[identity\]"') as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}:2:10: ")


def hub(inside: str) -> str:
    return '{"hubs": {"chat": {' + inside + "}}}"


def handler(inside: str) -> str:
    return hub('"eventHandlers": [\n  {"urlTemplate": "http://a"},\n  {' + inside + "}]")


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", ":1:1", "expected JSON, found a mistake: Expecting value"),
        ('{\n"hubs": {} "x"}', ":2:12", "expected JSON, found a mistake: Expecting ',' delimiter"),
        ("[]", ":1:1", "Expected `object`, got `array` (at the top)"),
        ('{"hubs": []}', ":1:10", "Expected `object`, got `array` (at hubs)"),
        ('{"hubs": {"1x": {}}}', ":1:17", "'1x' is not a valid hub name"),
        ('{"Hubs": {}}', ":1:10", "Object contains unknown field `Hubs` (at Hubs)"),
        (hub('"eventHandler": []'), ":1:36", "unknown field `eventHandler` (at hubs.chat.eventHandler)"),
        (handler(""), ":3:3", "missing required field `urlTemplate` (at hubs.chat.eventHandlers[1])"),
        (
            handler('"urlTemplate": "http://x",\n "systemEvents": ["connect", "joined"]'),
            ":4:30",
            "Invalid enum value 'joined' (at hubs.chat.eventHandlers[1].systemEvents[1])",
        ),
        (
            handler('"urlTemplate": "host/?code=SECRET"'),
            ":3:3",
            "'host/' is not a valid urlTemplate: expected a URL such as 'http://localhost:7071/{hub}/{event}'",
        ),
        (
            handler('"urlTemplate": "http://x", "auth": {"type": "BearerToken"}'),
            ":3:39",
            "auth is 'BearerToken': expected bearerToken",
        ),
        (
            hub('"webSocketKeepAliveIntervalInSeconds": 121'),
            ":1:59",
            "Expected `int` <= 120 (at hubs.chat.webSocketKeepAliveIntervalInSeconds)",
        ),
        (hub('"anonymousConnectPolicy": "maybe"'), ":1:46", "Invalid enum value 'maybe'"),
        ('{"failedUserEvent": "no"}', ":1:21", "Invalid enum value 'no' (at failedUserEvent)"),
        ('{"missingConnectionSend": 200}', ":1:27", "Invalid enum value 200"),
        ('{"retryDelaysInSeconds": [1, -1]}', ":1:30", "Expected `float` >= 0.0"),
        ('{"filters": {"maxBytes": 0}}', ":1:26", "Expected `int` >= 1 (at filters.maxBytes)"),
        ('{"filters": {"maxClauses": "1"}}', ":1:28", "Expected `int`, got `str` (at filters.maxClauses)"),
        ('{"filters": {"maxDepth": 1}}', ":1:26", "unknown field `maxDepth` (at filters.maxDepth)"),
        ('{"http": []}', ":1:10", "Expected `object`, got `array` (at http)"),
        ('{"http": {\n "headTimeout": 0.5}}', ":2:17", "Expected `float` >= 1.0 (at http.headTimeout)"),
        ('{"http": {"bodyTimeout": NaN}}', ":1:26", "Expected `float` >= 1.0 (at http.bodyTimeout)"),
        ('{"http": {"idleTimeout": "75"}}', ":1:26", "Expected `float`, got `str` (at http.idleTimeout)"),
        ('{"http": {"maxHeadBytes": 1023}}', ":1:27", "Expected `int` >= 1024 (at http.maxHeadBytes)"),
        ('{"http": {"maxBodiesBytes": 1}}', ":1:29", "`int` >= 1048576 (at http.maxBodiesBytes)"),
        ('{"http": {"maxBytes": 1}}', ":1:23", "Object contains unknown field `maxBytes` (at http.maxBytes)"),
        ('{"tokenIssuers": [{"issuer": "i"}]}', ":1:19", "missing required field `key` (at tokenIssuers[0])"),
        ('{"tokenIssuers": [{"issuer": "i", "key": " "}]}', ":1:19", "the key of token issuer 'i' is empty"),
        (
            '{"hubs": {"Chat": {},\n "chat": {}}}',
            ":2:10",
            "'Chat' and 'chat' are one hub, as hub names have no case",
        ),
        ('{"hubs": {"chat": {}, "chat": {}}}', "", "'chat' stands twice in one object"),
        ('{"http": {"headTimeout": 5, "headTimeout": 9}}', "", "'headTimeout' stands twice in one object"),
        ('{"hubs": ' + "[" * 100_000, "", "cannot be used"),
        ('{"\\ud800": 1}', "", "surrogates not allowed"),
        (hub('"\\udc00": 1'), "", "surrogates not allowed"),
        ('{"webhookRequestOrigin": "\\ud800"}', "", "surrogates not allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(path: Path, text: str, place: str, words: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}{place}: the service settings cannot be used: ")
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_file_in_another_encoding(path: Path) -> None:
    path.write_bytes(b'{"hubs": "\xff"}')
    with pytest.raises(ConfigurationError, match="expected UTF-8, found another byte at 10"):
        load_settings(path)


def test_a_byte_order_mark_is_no_mistake(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert load_settings(path) == ServiceSettings()


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        load_settings(path)


def test_keys_calls_limits_and_who_may_come_in(path: Path) -> None:
    path.write_text(
        """{"accessKeys": ["one", "two"], "allowedHosts": ["Dev.example", "*"],
        "allowedOrigins": ["https://App.example:443/", "null"],
        "calls": {"maxConnections": 2, "maxWaiting": 0, "waitTimeout": 0.5},
        "limits": {"clients": 5, "clientsPerUser": 4, "connectsPerSecond": 3, "messagesPerSecondPerClient": 2,
                   "bytesPerSecondPerClient": 1}}"""
    )
    assert load_settings(path) == ServiceSettings(
        access_keys=("one", "two"),
        allowed_hosts=("dev.example", "*"),
        allowed_origins=("https://app.example", "null"),
        calls=CallBounds(max_connections=2, max_waiting=0, wait_timeout=0.5),
        limits=Limits(
            clients=5,
            clients_per_user=4,
            connects_per_second=3,
            messages_per_second_per_client=2,
            bytes_per_second_per_client=1,
        ),
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"accessKeys": [""]}', "accessKeys[0]"),
        ('{"accessKeys": ["a", "b", "c"]}', "accessKeys"),
        ('{"accessKeys": "a"}', "accessKeys"),
        ('{"allowedHosts": ["a", "b:80"]}', "allowedHosts[1]"),
        ('{"allowedOrigins": ["app.example"]}', "allowedOrigins[0]"),
        ('{"limits": {"clients": 0}}', "limits.clients"),
        ('{"limits": {"bytes": 1}}', "limits.bytes"),
        ('{"calls": {"maxConnections": 0}}', "calls.maxConnections"),
        ('{"calls": {"waitTimeout": -1}}', "calls.waitTimeout"),
    ],
)
def test_what_they_cannot_be_is_told_with_its_place(path: Path, text: str, where: str) -> None:
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=re.escape(f"(at {where})")):
        load_settings(path)
