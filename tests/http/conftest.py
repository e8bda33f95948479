"""Both loops for the tests of sockets: their transports end in different ways; and clients of a server."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio

from kit.http_wire import Client, Connect

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Loops:
    """Run the tests of the pool on uvloop, too, where there is one."""
    loops = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in {"test_pool", "test_sockets"} and importlib.util.find_spec("uvloop") is not None:
        loops["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return loops


@pytest_asyncio.fixture
async def connect() -> AsyncIterator[Connect]:
    """Make clients; each test ends with nothing held."""
    clients: list[Client] = []

    def connect(app: Any, **options: Any) -> Client:
        clients.append(Client(app, **options))
        return clients[-1]

    yield connect
    for client in clients:
        await client.finish()
