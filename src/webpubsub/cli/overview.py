"""What ``webpubsub start`` shows before ``Ready``: functions, endpoints, connection string."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from webpubsub.host.asgi import FunctionListing
from webpubsub.host.webhook import WEBHOOK_PATH
from webpubsub.model.connection_string import ConnectionString

__all__ = ["overview"]


def overview(
    functions: Iterable[FunctionListing],
    url: str,
    connection: ConnectionString | None,
    *,
    is_embedded: bool,
) -> str:
    """Return the text, each line ended.

    Args:
        functions: Those that run.
        url: Where HTTP functions are, without path.
        connection: The app's default connection, or None.
        is_embedded: Whether the service runs in this process.
    """
    rows = [(function.name, _STARTED_BY[function.kind](function, url)) for function in functions]
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
        ]
    else:
        lines += [
            f"Service endpoint: {connection.endpoint} (not run here)",
            f"Event handler for its hubs: {url}{WEBHOOK_PATH}",
        ]
    return "\n".join(lines) + "\n"


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
