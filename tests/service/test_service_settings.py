"""Settings of the service: service spec, section D.1."""

from __future__ import annotations

from pathlib import Path

import pytest

from service_peers import CHAT
from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.issued_tokens import TokenIssuer
from webpubsub.model.names import HubName
from webpubsub.service.settings import (
    SYSTEM_EVENTS,
    EventHandlerSettings,
    HubSettings,
    ServiceSettings,
    decode_hub_settings,
    encode_hub_settings,
    load_settings,
)

USER, SYSTEM = WebPubSubEventType.USER, WebPubSubEventType.SYSTEM


@pytest.mark.parametrize(
    ("pattern", "name", "taken"),
    [
        ("*", "anything", True),
        ("", "anything", False),
        ("chat", "chat", True),
        ("Chat", "cHAT", True),
        ("chat", "chats", False),
        ("a, b ,c", "b", True),
        ("a,*", "z", True),
        ("cha*", "chat", False),  # only a lone star is a wildcard
        ("connect", "connect", True),  # a user event may be called like a system event
    ],
)
def test_user_events_are_matched_by_name(pattern: str, name: str, taken: bool) -> None:
    assert EventHandlerSettings("http://x", pattern).takes(USER, name) is taken


def test_system_events_are_listed() -> None:
    handler = EventHandlerSettings("http://x", "*", ("connect", "disconnected"))
    assert [handler.takes(SYSTEM, name) for name in SYSTEM_EVENTS] == [True, False, True]


def test_the_first_handler_that_takes_an_event_gets_it() -> None:
    first = EventHandlerSettings("http://first", "a")
    second = EventHandlerSettings("http://second", "*", ("connect",))
    hub = HubSettings(event_handlers=(first, second))
    assert hub.handler(USER, "a") is first
    assert hub.handler(USER, "b") is second
    assert hub.handler(SYSTEM, "connect") is second
    assert hub.handler(SYSTEM, "connected") is None


def test_a_hub_without_settings_has_no_handlers() -> None:
    settings = ServiceSettings(hubs={CHAT: HubSettings((EventHandlerSettings("http://x", "*"),))})
    assert settings.hub(HubName("other")).handler(USER, "a") is None
    assert settings.hub(CHAT).handler(USER, "a") is not None


FILE = """{
  "hubs": {
    "Chat": {
      "eventHandlers": [
        {"urlTemplate": "http://localhost:7071/runtime/webhooks/webpubsub?code=k",
         "userEventPattern": "*", "systemEvents": ["connect", "connected"]},
        {"urlTemplate": "http://localhost/{hub}/{event}"}
      ]
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
        )
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


def test_settings_can_be_written_down_and_read_again() -> None:
    text = encode_hub_settings(READ)
    assert b"\n" not in text
    assert decode_hub_settings(text) == READ


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Input data was truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"hubs": {"1x": {}}}', "'1x' is not a valid hub name"),
        ('{"Hubs": {}}', "unknown field `Hubs`"),
        ('{"hubs": {"chat": {"eventHandler": []}}}', "unknown field `eventHandler`"),
        ('{"hubs": {"chat": {"eventHandlers": [{}]}}}', "missing required field `urlTemplate`"),
        (
            '{"hubs": {"chat": {"eventHandlers": [{"urlTemplate": "x", "systemEvents": ["joined"]}]}}}',
            "Invalid enum value 'joined'",
        ),
        ('{"hubs": "\udcff"}', "cannot be used"),
        ('{"tokenIssuers": [{"issuer": "i"}]}', "missing required field `key` - at `$.tokenIssuers[0]`"),
        ('{"tokenIssuers": [{"issuer": "i", "key": " "}]}', "the key of token issuer 'i' is empty"),
        ('{"hubs": {"Chat": {}, "chat": {}}}', "'Chat' and 'chat' are one hub, as hub names have no case"),
        (
            '{"hubs": {"chat": {"eventHandlers": [{"urlTemplate": "host/?code=secret"}]}}}',
            "'host/' is not a valid urlTemplate: expected a URL such as 'http://localhost:7071/{hub}/{event}'"
            " - at `$.hubs[...].eventHandlers[0]`",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_file(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "service.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    assert str(caught.value).startswith(f"{path}: the service settings cannot be used: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "/path",
        "ftp://host",
        "http://",
        "http://:80",
        "http://host:0",
        "http://host:99999",
        "http://[",
    ],
)
def test_an_event_handler_has_an_http_url(url: str) -> None:
    with pytest.raises(InvalidName, match="is not a valid urlTemplate"):
        EventHandlerSettings(url)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        load_settings(tmp_path / "none.json")
