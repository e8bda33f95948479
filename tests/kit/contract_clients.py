"""Plain WebSocket clients: what anybody's code would be."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.tokens import client_access

JSON_PROTOCOL = "json.webpubsub.azure.v1"
SECONDS = 10.0


async def get_json(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def hear(client: ClientConnection, count: int = 1, *, within: float = SECONDS) -> list[str | bytes]:
    """Return the next ``count`` messages."""
    async with asyncio.timeout(within):
        return [await client.recv() for _ in range(count)]


async def hear_json(client: ClientConnection) -> Any:
    (message,) = await hear(client)
    return json.loads(message)


async def assert_silent(client: ClientConnection, marker: str | bytes) -> None:
    """Check that the next message is ``marker``, which was sent after whatever must not arrive."""
    assert await hear(client) == [marker]


def client_url(connection_string: str, hub: str, user_id: str | None = None, **claims: Any) -> str:
    """A client URL made with the key alone, as an application server makes it."""
    connection = ConnectionString.parse(connection_string)
    return client_access(connection, hub, now=time.time(), user_id=user_id, **claims).url


@asynccontextmanager
async def json_client(url: str) -> AsyncIterator[tuple[ClientConnection, str]]:
    """A client of the JSON subprotocol, and its connection id."""
    async with connect(url, subprotocols=[JSON_PROTOCOL]) as client:  # type: ignore[list-item]
        assert client.subprotocol == JSON_PROTOCOL
        connected = await hear_json(client)
        assert (connected["type"], connected["event"]) == ("system", "connected")
        yield client, connected["connectionId"]
