"""The REST API of a service with two clients, called as an ASGI server calls it."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote

import msgspec

from kit.service_peers import (
    CHAT,
    KEY,
    SECOND_KEY,
    Handler,
    Socket,
    connection,
    enter,
    raw_connection,
    serve,
    server_frames,
    settings,
    token,
    turns,
)
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.http import HttpAnswer
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.service.hub.connection import Connection
from webpubsub.service.rest.api import RestApi

VERSIONS = "2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, 2024-12-01"
HOST = "localhost:8080"


class Answer:
    """What came back."""

    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start, body = messages
        assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        assert len(self.headers) == len(start["headers"])
        self.body: bytes = body["body"]

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and target."""
        body = json.loads(self.body)
        assert set(body) == {"code", "message", "target"}
        assert self.headers["x-ms-error-code"] == body["code"]
        assert self.headers["content-type"] == "application/json; charset=utf-8"
        return self.status, body["code"], body["target"]


class Api:
    """The API of a service with a JSON and a raw client of alice, both in the group ``room``.

    With ``by_lane`` requests take its fast lane, as far as it takes them.
    """

    by_lane = False

    def __init__(self, *token_issuers: TokenIssuer, **changed: Any) -> None:
        self.traced: list[TraceEvent] = []
        keyed = settings(keys=(KEY, SECOND_KEY))
        found = msgspec.structs.replace(keyed, token_issuers=token_issuers, **changed)
        self.service = serve(found, Handler(), trace=Trace(self.traced.append))
        self.app = RestApi(self.service)
        self.sockets: dict[str, Socket] = {}
        self.alice = self.open(connection("j1", "alice"))
        self.raw = self.open(raw_connection("r1", "alice"))
        self.received = 0

    def open(self, client: Connection, *groups: str) -> Connection:
        self.sockets[client.id] = enter(self.service, client, *(groups or ("room",)))
        return client

    @property
    def closes(self) -> list[tuple[str, int, str]]:
        """Which connections were closed, with code and reason."""
        ends = [event for event in self.traced if event.name == "connection" and event.phase == "completed"]
        return [(end.ids["connection"], end.detail["code"], end.detail["reason"]) for end in ends]

    def groups(self) -> dict[str, set[str]]:
        """Who is in which group."""
        found = self.service.hubs[CHAT].groups
        return {name: {member.id for member in members} for name, members in found.items()}

    async def call(
        self,
        method: str,
        target: str,
        body: bytes | list[bytes] = b"",
        *,
        bearer: str | None = None,
        more: Any = (),
        within: dict[str, Any] | None = None,
        **headers: str | None,
    ) -> Answer:
        """A request to ``/api/hubs/chat`` and ``target``, unless that begins with ``//``.

        ``more`` are further headers, ``within`` other members of the scope.
        """
        path, _, query = (target[1:] if target.startswith("//") else f"/api/hubs/chat{target}").partition("?")
        chunks = body if isinstance(body, list) else [body]
        host = headers.get("host") or HOST
        given = {
            "host": host,
            "authorization": f"Bearer {token(f'http://{host}{path}') if bearer is None else bearer}",
            "content-length": str(sum(map(len, chunks))),
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [
                (name.encode(), value.encode("latin-1")) for name, value in given.items() if value is not None
            ]
            + list(more),
        } | (within or {})
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks[:-1]]
        messages.append({"type": "http.request", "body": chunks[-1]})
        return await self.ask(scope, messages)

    async def ask(self, scope: dict[str, Any], messages: list[dict[str, Any]]) -> Answer:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            self.received += 1
            return messages.pop(0)

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(dict(message))

        whole = await self._by_lane(scope, messages) if self.by_lane else None
        if whole is None:
            await self.app(scope, receive, send)
        else:
            sent += whole
        answer = Answer(sent)
        assert answer.headers["api-supported-versions"] == VERSIONS
        if answer.status == 204:
            assert "content-length" not in answer.headers
        elif scope["method"] != "HEAD":
            assert int(answer.headers["content-length"]) == len(answer.body)
        else:
            assert answer.body == b""
        await turns(2)
        return answer

    async def _by_lane(
        self, scope: dict[str, Any], messages: list[dict[str, Any]]
    ) -> list[dict[str, Any]] | None:
        """What the fast lane answers, as ASGI's messages; None when it leaves the request to ASGI."""
        if "root_path" in scope or any(message["type"] != "http.request" for message in messages):
            return None
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        found = self.app.open(scope["method"], target, scope["headers"])
        if found is None:
            return None
        if not isinstance(found, HttpAnswer):
            answer = found(b"".join(message.get("body", b"") for message in messages))
            found = answer if isinstance(answer, HttpAnswer) else await answer
        length = () if found.status == 204 else ((b"content-length", b"%d" % len(found.body)),)
        start = {"type": "http.response.start", "status": found.status, "headers": [*found.headers, *length]}
        body = b"" if scope["method"] == "HEAD" else found.body
        return [start, {"type": "http.response.body", "body": body}]

    def got(self, client: Connection) -> list[tuple[int, str]]:
        """What a client was sent, without its greeting."""
        frames = server_frames(self.sockets[client.id].take())
        return [(head, body.decode("latin-1")) for head, body in frames if b'"system"' not in body]
