"""What started a function that is run by hand: its trigger's source, from a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from azure.functions.http import HttpRequest

from webpubsub.functions.host_json import decode_request
from webpubsub.host.bindings.http import HttpTrigger, build_request
from webpubsub.host.bindings.timer import TimerTick, TimerTrigger
from webpubsub.host.bindings.web_pubsub_trigger import WebPubSubTrigger
from webpubsub.host.function import Trigger
from webpubsub.host.timers.status import TimerStatus
from webpubsub.model.errors import PeerError
from webpubsub.model.events import EventRequest


def parse_input(trigger: Trigger, text: str, now: float) -> object:
    """Return the source of ``trigger`` for a run by hand.

    Args:
        trigger: What would start the function.
        text: The body of a request to an HTTP function; for a Web PubSub function the JSON of an event, as
            an untyped function gets it; a timer has none.
        now: Seconds since the epoch.

    Raises:
        PeerError: The text is not what the trigger needs.
    """
    return _SOURCES[type(trigger)](trigger, text, now)


def _http(trigger: HttpTrigger, text: str, _now: float) -> HttpRequest:
    """Return a request with ``text`` as body; parameters of the route are left out."""
    method = "POST" if not trigger.methods or "POST" in trigger.methods else trigger.methods[0]
    scope = {
        "method": method,
        "path": f"/{trigger.route.text}",
        "query_string": b"",
        "headers": [(b"content-type", _content_type(text))],
    }
    return build_request(scope, {}, text.encode("utf-8", "replace"))


def _content_type(text: str) -> bytes:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return b"text/plain; charset=utf-8"
    return b"application/json"


def _timer(trigger: TimerTrigger, _text: str, now: float) -> TimerTick:
    return TimerTick(TimerStatus(next=trigger.schedule.next_after(datetime.fromtimestamp(now, UTC))))


def _event(_trigger: WebPubSubTrigger, text: str, _now: float) -> EventRequest:
    try:
        return decode_request(text)
    except PeerError as error:
        raise PeerError(f"'input' must be the JSON of an event: {error}") from error


_SOURCES: Final[Mapping[type, Callable[[Any, str, float], object]]] = {
    HttpTrigger: _http,
    TimerTrigger: _timer,
    WebPubSubTrigger: _event,
}
