"""Which events the embedded service sends to the app."""

from __future__ import annotations

from webpubsub.cli.start import hub_settings
from webpubsub.host.asgi import FunctionListing
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import HubName

WEBHOOK = "http://127.0.0.1:7071/runtime/webhooks/webpubsub"


def listing(hub: str, event_type: str, event_name: str) -> FunctionListing:
    return FunctionListing(
        name="f", kind="webPubSub", where="f.py:1", hub=hub, event_type=event_type, event_name=event_name
    )


def test_the_host_is_registered_for_exactly_the_events_that_have_functions() -> None:
    settings = hub_settings(
        [
            listing("chat", "system", "Connect"),
            listing("Chat", "user", "message"),
            listing("chat", "user", "typing"),
            listing("other", "system", "disconnected"),
            FunctionListing(name="index", kind="http", where="f.py:1"),
        ],
        WEBHOOK,
    )
    assert set(settings) == {"chat", "other"}
    (handler,) = settings[HubName("chat")].event_handlers
    assert handler.url_template == WEBHOOK
    assert handler.system_events == ("connect",)
    assert handler.user_event_pattern == "message,typing"
    assert handler.takes(WebPubSubEventType.USER, "TYPING")
    assert not handler.takes(WebPubSubEventType.USER, "else")
    (other,) = settings[HubName("other")].event_handlers
    assert other.system_events == ("disconnected",)
    assert not other.takes(WebPubSubEventType.USER, "message")
