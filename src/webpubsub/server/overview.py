"""What ``webpubsub start`` shows before ``Ready``: functions, endpoints, connection string."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import quote

from webpubsub.host.keys.access import Access
from webpubsub.host.loading.listing import FunctionListing
from webpubsub.host.webhook import WEBHOOK_PATH
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.logs.text import escape

HIDDEN: Final = "..."
WHERE_KEYS_ARE: Final = (
    "Keys are in 'azure-webjobs-secrets' of the app's storage (without AzureWebJobsStorage: its folder "
    ".webpubsub), and whoever has the master key sees them at /admin/host/systemkeys and /admin/host/keys."
)


def overview(
    functions: Iterable[FunctionListing],
    url: str,
    connection: ConnectionString | None,
    *,
    is_embedded: bool,
    event_handlers: Sequence[str] = (),
    access: Access | None = None,
) -> str:
    """Return the text, each line ended.

    Args:
        functions: Those that run.
        url: Where HTTP functions are, without path.
        connection: The app's default connection, or None.
        is_embedded: Whether the service runs in this process.
        event_handlers: Where that service sends events beside the app's triggers: ``HUB=URL_TEMPLATE`` each.
        access: Knows the keys, when they are asked for. They are shown where the service's own key is, too:
            when it runs in this process.
    """
    functions = tuple(functions)
    codes = _codes(functions, access, is_shown=is_embedded)
    rows = [
        (function.name, with_code(_STARTED_BY[function.kind](function, url), codes.get(function.name)))
        for function in functions
    ]
    width = max((len(name) for name, _ in rows), default=0)
    lines = ["Functions:", *(f"  {name:<{width}}  {started_by}" for name, started_by in rows), ""]
    if connection is None:
        lines.append(
            "No Web PubSub connection is configured: events are taken from anybody and cannot be answered "
            "with actions. Set WebPubSubConnectionString."
        )
    elif is_embedded:
        lines += [
            f"Service endpoint: {connection.endpoint}",
            f"Connection string: {connection}",
            *(f"Event handler: {text.partition('?')[0]}" for text in event_handlers),
        ]
        if not event_handlers:
            lines += _http_event_takers(functions)
    else:
        webhook = with_code(f"{url}{WEBHOOK_PATH}", None if access is None else HIDDEN)
        lines += [
            f"Service endpoint: {connection.endpoint} (not run here)",
            f"Event handler for its hubs: {webhook}",
        ]
    if access is not None:
        lines.append(f"Master key: {access.master}" if is_embedded else WHERE_KEYS_ARE)
    return "".join(f"{escape(line)}\n" for line in lines)


def with_code(url: str, code: str | None) -> str:
    """Return ``url`` with a key, unless there is none."""
    return url if code is None else f"{url}?code={quote(code, safe='=.')}"


def _codes(functions: Iterable[FunctionListing], access: Access | None, *, is_shown: bool) -> dict[str, str]:
    """Return the keys to show, by function."""
    if access is None:
        return {}
    codes = {function.name: access.code(function.name) for function in functions if function.kind == "http"}
    return {name: code if is_shown else HIDDEN for name, code in codes.items() if code is not None}


def _http_event_takers(functions: Iterable[FunctionListing]) -> list[str]:
    """Tell the option that sends them events: only the app's author knows of which hub."""
    takers = [function for function in functions if function.takes_events]
    if not takers:
        return []
    path = takers[0].path
    if len(takers) > 1:  # one function an event, each with the event's name as the end of its path
        path = f"{path.rpartition('/')[0]}/{{event}}"
    names = ", ".join(function.name for function in takers)
    return [f"Events for {names} are sent with: --event-handler HUB={path}"]


def _http(function: FunctionListing, url: str) -> str:
    methods = ",".join(function.methods) or "any"
    return f"[{methods}] {url}/{function.path.lstrip('/')}"


def _timer(function: FunctionListing, _url: str) -> str:
    return f"timer '{function.schedule}'"


def _web_pubsub(function: FunctionListing, _url: str) -> str:
    return f"hub {function.hub}: {function.event_type} event '{function.event_name}'"


_STARTED_BY: Final[dict[str, Callable[[FunctionListing, str], str]]] = {
    "http": _http,
    "timer": _timer,
    "webPubSub": _web_pubsub,
}
