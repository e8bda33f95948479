"""The child's side of what parent and child tell each other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from webpubsub.model.errors import WebPubSubError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Trace, TraceEvent
from webpubsub.server.child import Channel, Report
from webpubsub.server.ending import Grace
from webpubsub.server.run import Parent
from webpubsub.service.settings import HubSettings

HUBS = {HubName("chat"): HubSettings()}


class Access:
    """Keys that can be read again, or cannot."""

    def __init__(self) -> None:
        self.read = 0
        self.error: WebPubSubError | None = None

    async def reload(self) -> None:
        self.read += 1
        if self.error is not None:
            raise self.error


class App:
    """An app that runs."""

    def __init__(self, access: Access | None) -> None:
        self.host = SimpleNamespace(access=access)
        self.on_hubs: Callable[[Any], None] = lambda _: pytest.fail("nobody listens")

    def overview(self) -> str:
        return "an app\n"


class Tie:
    """A child that is tied to its parent, with the parent's end of the channel."""

    def __init__(self, access: Access | None) -> None:
        ours, theirs = socket.socketpair()
        self.ours = ours
        self.events: list[TraceEvent] = []
        self.app = cast(Any, App(access))
        self.parent = Parent(theirs, self.app, ["setting failed: a"], Trace(self.events.append))

    async def open(self) -> Channel:
        await self.parent.start()
        return await Channel.open(self.ours)


@pytest.fixture
def access() -> Access:
    return Access()


async def test_a_child_reports_which_events_its_app_takes() -> None:
    tie = Tie(None)
    channel = await tie.open()
    tie.app.on_hubs(HUBS)
    line = await channel.receive()
    assert line is not None
    assert Report.decode(line) == Report("an app\n", HUBS, ("setting failed: a",))
    await tie.parent.stop(Grace(3))
    assert await channel.receive() is None, "the parent sees the end of the child"
    channel.close()


async def test_a_child_uses_the_keys_that_another_one_has_changed(access: Access) -> None:
    tie = Tie(access)
    channel = await tie.open()
    gone = asyncio.create_task(tie.parent.gone())
    channel.send(b"anything")
    access.error = WebPubSubError("no storage")
    channel.send(b"anything")
    channel.close()
    await asyncio.wait_for(gone, 5)
    await tie.parent.stop(Grace(3))
    assert access.read == 2
    assert [(event.name, event.detail["message"]) for event in tie.events] == [
        ("storage", "keys cannot be read again")
    ] * 2


async def test_a_child_without_keys_waits_for_the_end_of_its_parent() -> None:
    tie = Tie(None)
    channel = await tie.open()
    gone = asyncio.create_task(tie.parent.gone())
    channel.send(b"anything")
    await asyncio.sleep(0)
    assert not gone.done()
    channel.close()
    await asyncio.wait_for(gone, 5)
    await tie.parent.stop(Grace(3))


async def test_a_child_that_did_not_start_lets_its_end_go() -> None:
    tie = Tie(None)
    await tie.parent.stop(Grace(3))
    assert tie.ours.recv(1) == b""
    tie.ours.close()
