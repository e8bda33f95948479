"""What parent and child tell each other, and how a child is ended."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from webpubsub.model.names import HubName
from webpubsub.server.child import Child, Report
from webpubsub.server.ending import LAST_SECONDS, Grace
from webpubsub.service.settings import EventHandlerSettings, GroupPresenceEvents, HubSettings, WebhookAuth


def test_a_report_is_one_line() -> None:
    handler = EventHandlerSettings(
        "http://localhost:7071/runtime/webhooks/webpubsub?code=k",
        "message,typing",
        ("connect", "connected"),
        auth=WebhookAuth(),
        group_presence_events=GroupPresenceEvents(("joined", "left"), ("room-*",)),
    )
    hubs = {HubName("chat"): HubSettings((handler,), "allow"), HubName("empty"): HubSettings()}
    report = Report("Functions:\n  é\n", hubs, ("setting failed: a\nb",))
    line = report.encode()
    assert b"\n" not in line
    assert Report.decode(line) == report


class Process:
    """A process that takes its time to end."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.signals: list[int] = []
        self.is_over = asyncio.Event()

    def send_signal(self, number: int) -> None:
        self.signals.append(number)

    def kill(self) -> None:
        self.signals.append(signal.SIGKILL)
        self.ends(-signal.SIGKILL)

    def ends(self, code: int) -> None:
        self.returncode = code
        self.is_over.set()

    async def wait(self) -> int:
        await self.is_over.wait()
        assert self.returncode is not None
        return self.returncode


class Channel:
    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def child_of(process: Any, channel: Any) -> Child:
    return Child(process, channel)


async def test_a_child_is_told_once_though_two_wait_for_its_end() -> None:
    process, channel = Process(), Channel()
    child = child_of(process, channel)
    first = asyncio.create_task(child.end(Grace(30)))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.create_task(child.end(Grace(30)))
    await asyncio.sleep(0)
    assert not channel.is_closed
    process.ends(0)
    await asyncio.wait_for(second, 5)
    assert process.signals == [signal.SIGTERM]
    assert channel.is_closed


async def test_a_child_that_does_not_end_in_time_is_killed() -> None:
    process, channel = Process(), Channel()
    await asyncio.wait_for(child_of(process, channel).end(Grace(LAST_SECONDS)), 5)
    assert process.signals == [signal.SIGTERM, signal.SIGKILL]
    assert channel.is_closed


@pytest.mark.parametrize("code", [0, 1])
async def test_a_child_that_has_ended_is_left_alone(code: int) -> None:
    process, channel = Process(), Channel()
    process.ends(code)
    await child_of(process, channel).end(Grace(30))
    assert process.signals == []
    assert channel.is_closed
