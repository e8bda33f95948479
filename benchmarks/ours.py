"""The real commands, as everybody starts them: an ordinary app, all checks on, default settings."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from benchmarks.servers import Running, Server
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.access.tokens import client_access
from webpubsub.model.names import HubName

__all__ = ["HUB", "KEY", "WEBHOOK", "client_target", "of_service", "service", "service_port", "start"]

HUB: Final = HubName("bench")
KEY: Final = DEFAULT_ACCESS_KEY
WEBHOOK: Final = "/runtime/webhooks/webpubsub"

COMMAND: Final = (sys.executable, "-m", "webpubsub")


def start(app: str, *options: str) -> Server:
    """Return ``webpubsub start`` with an app of one file, and the embedded service."""
    command = (*COMMAND, "start", ".", "--port", "{port}", "--service-port", "0", *options)
    return Server(command, ready="Ready", files={"function_app.py": app, "host.json": '{"version": "2.0"}'})


def service(*options: str) -> Server:
    """Return ``webpubsub service``."""
    return Server((*COMMAND, "service", "--port", "{port}", *options), ready="Ready")


def service_port(running: Running) -> int:
    """Return where the service, embedded or not, listens."""
    return _port(r"Endpoint=(http://[^;]+)", running)


def of_service(running: Running) -> Running:
    """Return a ``webpubsub start`` as the service in it, for load clients that go there."""
    return msgspec.structs.replace(running, port=service_port(running))


def client_target(
    running: Running, *, user_id: str | None = None, roles: Iterable[str] = (), groups: Iterable[str] = ()
) -> str:
    """Return path and query of a client's access URL."""
    connection = ConnectionString(f"http://localhost:{service_port(running)}", KEY)
    access = client_access(
        connection, HUB, now=time.time(), user_id=user_id, roles=tuple(roles), groups=tuple(groups)
    )
    parts = urlsplit(access.url)
    return f"{parts.path}?{parts.query}"


def _port(pattern: str, running: Running) -> int:
    found: Any = re.search(pattern, running.printed)
    if found is None:
        raise RuntimeError(f"expected {pattern} in what the command printed, found:\n{running.printed}")
    return urlsplit(found[1]).port or 80
