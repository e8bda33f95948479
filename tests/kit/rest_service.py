"""A service's REST API that remembers requests and answers what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web


class RestService:
    """Requests are method, target, headers (names in lower case) and body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 202
        self.text = ""
        self.refused = "refused"  # part of the targets that are always answered with 400
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        status = 400 if self.refused in request.raw_path else self.status
        return web.Response(status=status, text=self.text or None)

    @property
    def authorizations(self) -> list[str]:
        return [headers["authorization"] for _, _, headers, _ in self.requests]


@asynccontextmanager
async def running_rest_service() -> AsyncIterator[RestService]:
    made = RestService()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
