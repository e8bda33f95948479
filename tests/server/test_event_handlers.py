"""Event handlers from the command line."""

from __future__ import annotations

import pytest

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.events import WebPubSubEventType
from webpubsub.model.names import HubName
from webpubsub.server.embedded import add_event_handlers
from webpubsub.service.settings import EventHandlerSettings, HubSettings, SystemEvent

CHAT = HubName("chat")
APP = "http://127.0.0.1:7071"
ALL: tuple[SystemEvent, ...] = ("connect", "connected", "disconnected")


def test_a_handler_takes_all_events_of_its_hub() -> None:
    hubs = add_event_handlers({}, ["Chat=http://host/{hub}/{event}?code=a=b"])
    handler = EventHandlerSettings("http://host/{hub}/{event}?code=a=b", "*", ALL)
    assert hubs == {CHAT: HubSettings((handler,))}


def test_a_path_is_one_of_the_app() -> None:
    hubs = add_event_handlers({}, ["chat=/api/{event}", "other=https://elsewhere/"], APP)
    urls = {hub: settings.event_handlers[0].url_template for hub, settings in hubs.items()}
    assert urls == {"chat": f"{APP}/api/{{event}}", "other": "https://elsewhere/"}


def test_handlers_that_were_there_come_first() -> None:
    first = EventHandlerSettings("http://trigger/", "message")
    hubs = {CHAT: HubSettings((first,)), HubName("other"): HubSettings()}
    found = add_event_handlers(hubs, ["chat=/a", "chat=/b"], APP)
    assert found[CHAT].handler(WebPubSubEventType.USER, "message") is first
    second = found[CHAT].handler(WebPubSubEventType.USER, "else")
    assert second is not None
    assert second.url_template == f"{APP}/a"
    assert len(found[CHAT].event_handlers) == 3
    assert hubs[CHAT].event_handlers == (first,)


@pytest.mark.parametrize(
    ("text", "app_url", "problem"),
    [
        ("chat", None, "--event-handler 'chat': expected HUB=http://host/path; "),
        ("chat=/api", None, "--event-handler 'chat=/api': expected HUB=http://host/path; "),
        (
            "=/api",
            APP,
            "--event-handler '=/api': expected HUB=/path or HUB=http://host/path; '' is not a valid",
        ),
        ("chat=api", APP, "--event-handler 'chat=api': expected HUB=/path or HUB=http://host/path; 'api' is"),
        ("chat=x?code=secret", APP, "--event-handler 'chat=x': "),
    ],
)
def test_what_is_no_handler_is_told(text: str, app_url: str | None, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        add_event_handlers({}, [text], app_url)
    assert str(caught.value).startswith(problem)
    assert "secret" not in str(caught.value)
