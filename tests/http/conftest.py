"""Both loops for the tests of sockets: their transports end in different ways."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Callable, Mapping

import pytest

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Loops:
    """Run the tests of the pool on uvloop, too, where there is one."""
    loops = {"asyncio": asyncio.new_event_loop}
    if item.path.stem == "test_pool" and importlib.util.find_spec("uvloop") is not None:
        loops["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return loops
