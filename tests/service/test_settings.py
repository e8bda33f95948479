"""Settings of the service: service spec, section D.1."""

from __future__ import annotations

import msgspec
import pytest

from kit.service_peers import CHAT
from webpubsub.model.errors import InvalidName, UsageError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import HubName
from webpubsub.service.settings import (
    SYSTEM_EVENTS,
    Compatibility,
    EventHandlerSettings,
    HubSettings,
    ManagedIdentity,
    ServiceSettings,
    WebhookAuth,
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
        ("connect", "connect", True),  # a user event may be called like a system event
    ],
)
def test_user_events_are_matched_by_name(pattern: str, name: str, taken: bool) -> None:
    assert EventHandlerSettings("http://x", pattern).takes(USER, name) is taken


def test_system_events_are_listed() -> None:
    handler = EventHandlerSettings("http://x", "*", ("connect", "disconnected"))
    assert [handler.takes(SYSTEM, name) for name in SYSTEM_EVENTS] == [True, False, True]


@pytest.mark.feature("URL templates")
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


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://{hub}.example/x", "{hub} and {event} in the path or the query only, not in the host"),
        ("http://localhost:{EVENT}/", "{hub} and {event} in the path or the query only, not in the host"),
        ("tunnel:///api/{event}?code=SECRET", "this service needs no tunnel to it"),
        (
            "https://app/?code={@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/SECRET)}",
            "the secret itself in place of '{@Microsoft.KeyVault(...)}', which only Azure can read",
        ),
    ],
)
def test_what_only_azure_can_resolve_is_told(url: str, words: str) -> None:
    with pytest.raises(InvalidName) as caught:
        EventHandlerSettings(url)
    assert words in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["room.*", "a,b*", "**"])
def test_wildcards_in_names_are_not_known(pattern: str) -> None:
    with pytest.raises(InvalidName, match="wildcards in names are not known"):
        EventHandlerSettings("http://x", pattern)


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({"type": "ManagedIdentity"}, "expected managedIdentity.resource"),
        (
            {"type": "ManagedIdentity", "managedIdentity": {"resource": ""}},
            "expected managedIdentity.resource",
        ),
        ({"type": "BearerToken"}, "expected bearerToken, one line of ASCII characters"),
        ({"type": "BearerToken", "bearerToken": "a\r\nb: c"}, "expected bearerToken"),
        ({"type": "BearerToken", "bearerToken": "\u00fc"}, "expected bearerToken"),
        ({"type": "Basic"}, "Invalid enum value 'Basic'"),
    ],
)
def test_auth_has_what_its_type_needs(auth: object, words: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(auth, WebhookAuth)


def test_auth_has_azures_names_and_shows_no_token() -> None:
    text = b'{"type":"ManagedIdentity","managedIdentity":{"resource":"api://chat"}}'
    assert msgspec.json.decode(text, type=WebhookAuth) == WebhookAuth(
        "ManagedIdentity", ManagedIdentity("api://chat")
    )
    assert "SECRET" not in repr(WebhookAuth("BearerToken", bearer_token="SECRET"))
    with pytest.raises(UsageError):
        WebhookAuth("BearerToken")


def test_defaults_are_those_of_the_newest_emulator() -> None:
    found = msgspec.to_builtins(Compatibility())
    assert (
        found
        | {
            "failedUserEvent": "ack",
            "missingConnectionSend": 202,
            "decodeSlashInSegments": True,
            "requireContentLength": True,
            "validationMode": "onFirstEvent",
            "retryDelaysInSeconds": (1.0, 3.0, 5.0),
        }
        == found
    )
    assert msgspec.json.encode(HubSettings()) == (
        b'{"eventHandlers":[],"anonymousConnectPolicy":"deny","webSocketKeepAliveIntervalInSeconds":20}'
    )
