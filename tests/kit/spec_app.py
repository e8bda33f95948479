"""A function app in the host, driven without sockets: what the tables of the specification run on.

The service is ``wps.example``; its key, a connection and that connection's signature are the vector that the
extension's own tests share.
"""

from __future__ import annotations

import contextlib
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from kit.asgi_client import Answer, AsgiClient
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.model.trace import Trace, TraceEvent

WEBHOOK = "/runtime/webhooks/webpubsub"
KEY = "7aab239577fd4f24bc919802fb629f5f"
CONNECTION = f"Endpoint=https://wps.example;AccessKey={KEY};Version=1.0;"
CONNECTION_ID = "0f9c97a2f0bf4706afe87a14e0797b11"
SIGNATURE = "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
DEFAULT = {"WebPubSubConnectionString": CONNECTION}

USER = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-specversion": "1.0",
    "ce-awpsversion": "1.0",
    "ce-type": "azure.webpubsub.user.message",
    "ce-source": f"/hubs/chat/client/{CONNECTION_ID}",
    "ce-id": "7",
    "ce-time": "2026-01-01T00:00:00Z",
    "ce-signature": SIGNATURE,
    "ce-userId": "alice",
    "ce-connectionId": CONNECTION_ID,
    "ce-hub": "chat",
    "ce-eventName": "message",
}
CONNECT = USER | {
    "Content-Type": "application/json; charset=utf-8",
    "ce-type": "azure.webpubsub.sys.connect",
    "ce-eventName": "connect",
}
CONNECTED = CONNECT | {"ce-type": "azure.webpubsub.sys.connected", "ce-eventName": "connected"}
DISCONNECTED = CONNECT | {"ce-type": "azure.webpubsub.sys.disconnected", "ce-eventName": "disconnected"}


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


class SpecApp:
    """A running app.

    Attributes:
        seen: What its functions put into their module's list ``seen``.
        events: What the trace was told.
    """

    def __init__(self, host: FunctionHost, seen: list[Any], events: list[TraceEvent]) -> None:
        self.host = host
        self.seen = seen
        self.events = events
        self._client = AsgiClient(host)

    async def request(self, method: str, url: str, headers: Any = (), body: bytes = b"") -> Answer:
        """Send one request; nothing of earlier ones is left in ``seen`` and ``events``."""
        self.seen.clear()
        self.events.clear()
        return await self._client.request(method, url, headers, body)

    async def event(self, headers: Any, body: bytes = b"") -> Answer:
        """Send one event to the webhook."""
        return await self.request("POST", WEBHOOK, headers, body)

    @property
    def failure(self) -> str:
        """The last error the trace was told, or nothing."""
        errors = [event.error for event in self.events if event.error is not None]
        return str(errors[-1]) if errors else ""


@contextlib.contextmanager
def loaded_app(
    folder: Path,
    source: str,
    environ: Mapping[str, str] = DEFAULT,
    host_json: str | None = None,
    **given: Any,
) -> Iterator[SpecApp]:
    """Load an app of this source; it is not started, and may have problems."""
    (folder / "function_app.py").write_text(textwrap.dedent(source))
    if host_json is not None:
        (folder / "host.json").write_text(host_json)
    events: list[TraceEvent] = []
    path = list(sys.path)
    try:
        host = FunctionHost(HostSettings.load(folder, environ), trace=Trace(events.append), **given)
        module = sys.modules.pop("function_app", None)
        yield SpecApp(host, getattr(module, "seen", []), events)
    finally:
        sys.path[:] = path


@contextlib.asynccontextmanager
async def running_app(folder: Path, source: str, *args: Any, **given: Any) -> AsyncIterator[SpecApp]:
    """Load and start an app without problems."""
    with loaded_app(folder, source, *args, **given) as app:
        assert [str(problem) for problem in app.host.problems] == []
        await app.host.start()
        try:
            yield app
        finally:
            await app.host.stop(5)
