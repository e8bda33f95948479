"""Event handlers from the command line: ``--event-handler HUB=URL_TEMPLATE``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from webpubsub.model.errors import ConfigurationError, InvalidName
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.service.settings import SYSTEM_EVENTS, EventHandlerSettings, HubSettings


def add_event_handlers(
    hubs: Mapping[HubName, HubSettings], texts: Iterable[str], app_url: str | None = None
) -> dict[HubName, HubSettings]:
    """Return ``hubs`` with more handlers, each for all events that no handler before it takes.

    Args:
        hubs: Settings by hub.
        texts: ``HUB=URL_TEMPLATE`` each.
        app_url: What a template that is a path belongs to, without path; None takes whole URLs only.

    Raises:
        ConfigurationError: One of ``texts`` is not of this form.
    """
    added = dict(hubs)
    for text in texts:
        hub, handler = _event_handler(text, app_url)
        found = added.get(hub, HubSettings())
        added[hub] = msgspec.structs.replace(found, event_handlers=(*found.event_handlers, handler))
    return added


def _event_handler(text: str, app_url: str | None) -> tuple[HubName, EventHandlerSettings]:
    hub, _, url = text.partition("=")
    if app_url is not None and url.startswith("/"):
        url = f"{app_url}{url}"
    try:
        return parse_hub_name(hub), EventHandlerSettings(
            url_template=url, user_event_pattern="*", system_events=SYSTEM_EVENTS
        )
    except InvalidName as error:
        expected = "HUB=http://host/path" if app_url is None else "HUB=/path or HUB=http://host/path"
        raise ConfigurationError(
            f"--event-handler {text.partition('?')[0]!r}: expected {expected}; {error}"
        ) from error
