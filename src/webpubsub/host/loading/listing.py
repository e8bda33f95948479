"""Functions as a table shows them."""

from __future__ import annotations

import msgspec

from webpubsub.host.bindings.http_trigger import HttpTrigger
from webpubsub.host.bindings.web_pubsub_context import WebPubSubContextInput
from webpubsub.host.bindings.web_pubsub_trigger import WebPubSubTrigger
from webpubsub.host.function import HostFunction
from webpubsub.host.timers.trigger import TimerTrigger


class FunctionListing(msgspec.Struct, frozen=True, kw_only=True):
    """One function, as a table shows it.

    Attributes:
        name: The function's name.
        kind: ``http``, ``timer`` or ``webPubSub``.
        where: ``file:line``.
        methods: Of an HTTP function; empty for any.
        path: Of an HTTP function, as a route template.
        takes_events: Of an HTTP function: whether it reads requests of the service.
        schedule: Of a timer.
        hub: Of a Web PubSub function.
        event_type: Of a Web PubSub function: ``system`` or ``user``.
        event_name: Of a Web PubSub function.
    """

    name: str
    kind: str
    where: str
    methods: tuple[str, ...] = ()
    path: str = ""
    takes_events: bool = False
    schedule: str = ""
    hub: str = ""
    event_type: str = ""
    event_name: str = ""


def listing_of(function: HostFunction) -> FunctionListing:
    """Return how ``function`` is shown."""
    name, where, trigger = function.definition.name, function.definition.where, function.trigger
    match trigger:
        case HttpTrigger():
            path = f"/{trigger.route.text}"
            return FunctionListing(
                name=name,
                kind="http",
                where=where,
                methods=trigger.methods,
                path=path,
                takes_events=any(isinstance(each, WebPubSubContextInput) for each in function.inputs),
            )
        case TimerTrigger():
            return FunctionListing(name=name, kind="timer", where=where, schedule=trigger.expression)
        case WebPubSubTrigger():
            return FunctionListing(
                name=name,
                kind="webPubSub",
                where=where,
                hub=trigger.hub,
                event_type=trigger.event_type,
                event_name=trigger.event_name,
            )
    raise AssertionError(f"no listing for {type(trigger).__name__}")
