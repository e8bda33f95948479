"""Events that nobody waits for, and who waits when there are too many of them: service spec, section D.8."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from kit.service_peers import CHAT, Handler, group, turns
from kit.service_sockets import Client, Server
from webpubsub.model.events import EventRequest
from webpubsub.model.ports import EventAnswer
from webpubsub.model.trace import Name, Phase
from webpubsub.service import notices, service
from webpubsub.service.notices import MAX_UNTOLD, Notices
from webpubsub.service.settings import GroupPresenceEvents

JOIN = '{"type":"joinGroup","group":"%d","ackId":%d}'


class Slow:
    """An event handler that answers when the test says so."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(0)
        self.told: list[str] = []

    async def __call__(self, request: EventRequest) -> EventAnswer:
        await self.room.acquire()
        self.told.append(getattr(request, "group", request.connection_context.event_name))
        return EventAnswer()

    def answer(self, count: int) -> None:
        for _ in range(count):
            self.room.release()


def served(**answers: Any) -> Server:
    """A service whose event handler hears of joins and leaves."""
    server = Server(Handler(**answers), "disconnected")
    settings = server.service.settings
    hub = settings.hubs[CHAT]
    [handler] = hub.event_handlers
    presence = GroupPresenceEvents(("joined", "left"))
    handler = msgspec.structs.replace(handler, group_presence_events=presence)
    hubs = {CHAT: msgspec.structs.replace(hub, event_handlers=(handler,))}
    server.service.settings = msgspec.structs.replace(settings, hubs=hubs)
    return server


def acks(client: Client) -> int:
    return sum(b'"success":true' in body for _, body in client.socket.frames())


async def test_who_joins_faster_than_its_handler_hears_waits() -> None:
    slow = Slow()
    server = served(joined=slow, left=slow)
    client = await server.open()
    await client.say(*(JOIN % (number, number) for number in range(1, 1001)))
    # One is under way, that of the group it began in; a hundred wait, and the one that was too many.
    assert acks(client) == MAX_UNTOLD + 1
    other = await server.open()
    await other.say('{"type":"ping"}')
    assert other.socket.frames()[-1][1] == b'{"type":"pong"}', "nobody else waits"
    slow.answer(10)
    await turns(30)
    assert acks(client) == 9, "one for each that was told, from the second on"
    slow.answer(2000)
    await turns(6000)
    assert acks(client) == 1000 - 9 - MAX_UNTOLD - 1
    assert [name for name in slow.told if name != "g"] == [str(number) for number in range(1, 1001)]
    assert len(asyncio.all_tasks()) < 5


async def test_they_are_one_task_and_a_stop_ends_it() -> None:
    slow = Slow()
    server = served(joined=slow, left=slow)
    client = await server.open()
    before = len(asyncio.all_tasks())
    for number in range(5000):
        server.service.hubs[CHAT].join(client.connection, group(f"g{number}"))
    await turns()
    assert len(asyncio.all_tasks()) == before
    await server.service.retire(0.01)
    while server.service.hubs:  # it leaves its groups some at a time
        await turns(1)
    [found] = server.service._notices.values()
    found.task.cancel()
    await turns()
    assert server.service._notices == {}


async def test_what_others_do_is_dropped_beyond_a_bound_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_NOTICES", 3)
    slow = Slow()
    server = served(joined=slow, left=slow)
    client = await server.open()
    for number in range(5):
        server.service.hubs[CHAT].join(client.connection, group(f"g{number}"))
    failed = [event for event in server.traced if (event.name, event.phase) == (Name.EVENT, Phase.FAILED)]
    assert [(event.detail["name"], str(event.error)) for event in failed] == [
        ("joined", "3 events of the connection wait to be told already (status 503)")
    ] * len(failed)
    slow.answer(10)
    await turns(60)
    assert slow.told == ["g", "g0", "g1", "g2"][: len(slow.told)]
    assert len(slow.told) + len(failed) == 6


async def test_disconnected_comes_behind_what_waited_and_then_nothing_is_kept() -> None:
    slow = Slow()
    server = served(joined=slow, left=slow, disconnected=slow)
    client = await server.open()
    await client.say(JOIN % (1, 1))
    client.lose()
    await turns()
    assert server.handler.forgotten == []
    slow.answer(10)
    await turns(60)
    assert slow.told == ["g", "1", "g", "1", "disconnected"]
    assert len(server.handler.forgotten) == 1
    server.assert_nothing_is_left()


async def test_a_fault_in_one_leaves_out_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    faults: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context["exception"]))

    def notice(number: int) -> notices.Notice:
        async def tell() -> None:
            if number == 1:
                raise ZeroDivisionError("oh")
            told.append(number)

        return tell

    ended: list[bool] = []
    found = Notices(lambda: ended.append(True))
    for number in range(3):
        found.put(notice(number))
    await found.task
    assert (told, ended, [str(fault) for fault in faults]) == ([0, 2], [True], ["oh"])


async def test_a_stop_waits_for_who_leaves_many_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "LEAVES", 1)
    server = served()
    client = await server.open()
    for number in range(20):
        server.service.hubs[CHAT].join(client.connection, group(f"g{number}"))
    await turns(60)
    await server.service.retire(5)
    assert server.handler.names.count("left") == 21
    assert server.handler.names[-1] == "disconnected"
    client.lose()
    server.assert_nothing_is_left()
