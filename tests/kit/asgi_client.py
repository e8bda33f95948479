"""A function host driven without sockets, and a sink that remembers what it told the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from webpubsub.model.actions import Action
from webpubsub.model.names import HubName


class Answer(msgspec.Struct):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value.decode() for key, value in self.headers if key == name.lower().encode()), None)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class AsgiClient:
    """Sends requests straight into an ASGI application, and counts how often that asks for their bodies."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app
        self.received = 0

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | list[tuple[str, str]] = (),  # type: ignore[assignment]
        body: bytes = b"",
        chunks: list[dict[str, Any]] | None = None,
    ) -> Answer:
        path, _, query = url.partition("?")
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        messages = iter(chunks or [{"type": "http.request", "body": body, "more_body": False}])
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            self.received += 1
            return next(messages)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await self.app(
            {
                "type": "http",
                "method": method,
                "scheme": "http",
                "path": unquote(path),
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "headers": [(name.lower().encode(), value.encode()) for name, value in pairs],
                "server": ("127.0.0.1", 7071),
            },
            receive,
            send,
        )
        if not sent:
            return Answer(0, [], b"")
        start, end = sent
        length = b"%d" % len(end["body"]) if start["status"] not in (204, 304) else None
        assert dict(start["headers"]).get(b"content-length") == length
        return Answer(start["status"], start["headers"], end["body"])


class RecordingSink:
    """An action sink that remembers, and fails when told to."""

    def __init__(self) -> None:
        self.performed: list[tuple[str, Action]] = []
        self.request_ids: list[str | None] = []
        self.fail_at: int | None = None

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        if self.fail_at == len(self.performed):
            raise ConnectionError("the service is away")
        self.performed.append((hub, action))
        self.request_ids.append(request_id)
