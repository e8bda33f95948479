"""Event handlers over HTTP, for the tests of the service's calls to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from kit.rest_peers import Api
from kit.service_peers import CHAT, KEY
from kit.webhook_peers import App, Clock, Handlers
from webpubsub.model.names import HubName
from webpubsub.service.events.webhooks import WebhookEventHandler
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings, ServiceSettings


@pytest.fixture(params=["asgi", "lane"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the REST API over ASGI, then by its fast lane: every answer is the same."""
    monkeypatch.setattr(Api, "by_lane", request.param == "lane")


@pytest.fixture
async def app() -> AsyncIterator[App]:
    found = App()
    runner = await found.start()
    yield found
    await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def handler_of(clock: Clock) -> AsyncIterator[Handlers]:
    """Make event handlers whose webhook takes all events; their waits take no time."""
    made: list[WebhookEventHandler] = []

    def make(
        url: str,
        *,
        keys: tuple[str, ...] = (KEY,),
        origin: str = "localhost",
        auth: Any = None,
        settings: dict[str, Any] | None = None,
        **given: Any,
    ) -> WebhookEventHandler:
        hub = HubSettings((EventHandlerSettings(url, "*", SYSTEM_EVENTS, auth),))
        found = ServiceSettings(access_keys=keys, hubs={CHAT: hub, HubName("a[b]"): hub}, origin=origin)
        found = msgspec.structs.replace(found, **settings or {})
        made.append(WebhookEventHandler(found, monotonic=clock, **{"sleep": clock.sleep, **given}))
        return made[-1]

    yield make
    for handler in made:
        await handler.close()
