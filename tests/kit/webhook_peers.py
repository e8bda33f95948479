"""The service's event handlers, played by a real HTTP server, and the events they get."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from kit.service_peers import CHAT
from webpubsub.model.events import (
    ConnectedEventRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, EventName
from webpubsub.model.payload import Payload
from webpubsub.service.events.webhooks import WebhookEventHandler

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Received:
    """A request as the app got it."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.method, self.target = request.method, request.raw_path
        self.headers, self.body = request.headers, body

    @property
    def told(self) -> dict[str, str]:
        """Headers that matter, but for those that differ each time."""
        usual = {"Host", "Accept", "Accept-Encoding", "User-Agent", "Content-Length"}
        each = {"ce-time", "x-ms-client-request-id"}
        return {name: value for name, value in self.headers.items() if name not in usual | each}


class App:
    """An app with a webhook: allows every origin and answers 204, until told otherwise."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self._came = asyncio.Event()
        self.allowed: list[str] = ["*"]
        self.validation_status = 200

        self.respond: Respond = self._answer
        self.validate: Respond = self._validate
        self.port = 0

    async def start(self) -> web.AppRunner:
        runner = web.ServerRunner(web.Server(self._handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return runner  # type: ignore[return-value]

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(Received(request, await request.read()))  # type: ignore[arg-type]
        self._came.set()
        respond = self.validate if request.method == "OPTIONS" else self.respond
        return await respond(request)  # type: ignore[arg-type]

    async def _answer(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _validate(self, _request: web.Request) -> web.StreamResponse:
        response = web.Response(status=self.validation_status)
        for origin in self.allowed:
            response.headers.add("WebHook-Allowed-Origin", origin)
        return response

    def answers(self, *args: Any, **given: Any) -> None:
        async def respond(_request: web.Request) -> web.StreamResponse:
            return web.Response(*args, **given)

        self.respond = respond

    async def until(self, count: int, method: str) -> None:
        """Wait for so many requests of a method."""
        while self.methods.count(method) < count:
            self._came.clear()
            await self._came.wait()

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


class Clock:
    """Time that passes only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


Handlers = Callable[..., WebhookEventHandler]


def context(name: str, event_type: str = "system", **members: Any) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        **{
            "event_type": WebPubSubEventType(event_type),
            "event_name": EventName(name),
            "hub": CHAT,
            "connection_id": ConnectionId("c1"),
            "event_id": 3,
            **members,
        }
    )


def user_event(data: Any = "hi", data_type: str | None = None, **members: Any) -> UserEventRequest:
    return UserEventRequest(context("Echo", "user", **members), Payload.of(data, data_type))


CONNECTED = ConnectedEventRequest(context("connected"))


class Gate:
    """An answer that waits until it is let through."""

    def __init__(self, then: Respond, reached_by: int = 1) -> None:
        self.then = then
        self.missing = reached_by
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.missing -= 1
        if self.missing == 0:
            self.reached.set()
        await self.open.wait()
        return await self.then(request)


def assert_no_secret(error: BaseException | None) -> None:
    """Neither in what is said nor in what a traceback would show."""
    while error is not None:
        assert "SECRET" not in str(error)
        assert "SECRET" not in repr(error)
        error = (
            None
            if error.__suppress_context__ and error.__cause__ is None
            else (error.__cause__ or error.__context__)
        )
