"""How an upgrade is decided on: at once, by asking, or not at all. Client spec, sections 1.4 to 1.6."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kit.service_peers import CHAT, CLOSE, TEXT, Handler, Held, Shell, Socket, server_frames, turns
from kit.service_sockets import ACCEPTED, Server, upgrade
from webpubsub.model.errors import EventRefused
from webpubsub.model.ports import EventAnswer
from webpubsub.service.admission import Admission
from webpubsub.service.hub.connection import Connection, Ending, Stage

JSON_V1 = "json.webpubsub.azure.v1"


class Writes(Socket):
    """A socket that remembers each write by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))


class Upgrading(Shell):
    """A client's socket on which an upgrade is asked for."""

    def __init__(self) -> None:
        self.socket = Writes()
        super().__init__(self.socket)
        self.connection: Connection | None = None
        self.admission: Admission | None = None


def decide(server: Server, **headers: str) -> Upgrading:
    shell = Upgrading()
    shell.admission = Admission(server.service, shell)
    shell.admission.decide(upgrade(Sec_WebSocket_Protocol=JSON_V1, **headers))
    return shell


async def test_where_nobody_is_asked_all_of_it_happens_at_once_in_one_write() -> None:
    server = Server(Handler(), "disconnected")
    shell = decide(server)
    assert len(asyncio.all_tasks()) == 1, "this one"
    [written] = shell.socket.writes
    head = ACCEPTED + b"Sec-WebSocket-Protocol: json.webpubsub.azure.v1\r\n\r\n"
    assert written.startswith(head)
    [(first, greeting)] = server_frames(written[len(head) :])
    assert (first, greeting[:36]) == (TEXT, b'{"type":"system","event":"connected"')
    assert (shell.connection, shell.admission) == (*server.service.hub(CHAT).connections.values(), None)


async def test_only_asking_makes_a_task() -> None:
    held = Held()
    server = Server(Handler(connect=held), "connect")
    shell = decide(server)
    await turns()
    assert (shell.socket.writes, shell.connection, len(asyncio.all_tasks())) == ([], None, 2)
    held.futures[0].set_result(EventAnswer())
    await turns()
    assert len(shell.socket.writes) == 1
    assert shell.connection is not None
    assert shell.connection.stage is Stage.OPEN


@pytest.mark.parametrize("answer", [EventAnswer(), EventRefused(403, "no")])
@pytest.mark.parametrize(
    ("give_up", "written"),
    [(Admission.drop, b""), (lambda admission: admission.stop(503, "stop"), b"HTTP/1.1 503 ")],
)
async def test_what_is_given_up_is_answered_once_whatever_the_handler_says(
    give_up: Callable[[Admission], None], written: bytes, answer: Any
) -> None:
    async def stubborn(_: Any) -> EventAnswer:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            if isinstance(answer, Exception):
                raise answer from None
        return EventAnswer()

    server = Server(Handler(connect=stubborn), "connect")
    shell = decide(server)
    await turns()
    assert shell.admission is not None
    give_up(shell.admission)
    give_up(shell.admission)
    await turns()
    assert b"".join(shell.socket.writes).startswith(written)
    assert len(shell.socket.writes) == len(shell.endings) == bool(written)
    assert server.handler.forgotten == [server.handler.events[0].connection_context.connection_id]
    assert server.service.hubs == {}


async def test_a_fault_behind_the_answer_drops_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
    server = Server(Handler(), "disconnected")

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(server.service.keep_alive, "add", fail)
    shell = decide(server)
    assert [piece[:13] for piece in shell.socket.writes] == [b"HTTP/1.1 101 "], "and no other answer"
    assert shell.socket.ended == ["abort"]
    assert [str(error) for error in errors] == ["oh"]


async def test_who_cannot_come_back_is_closed_and_what_it_says_then_is_its_goodbye_at_most() -> None:
    server = Server()
    shell = Upgrading()
    Admission(server.service, shell).decide(upgrade(None, target="/client/hubs/chat?awps_connection_id=x"))
    [written] = shell.socket.writes
    assert written.startswith(ACCEPTED)
    assert server_frames(written.partition(b"\r\n\r\n")[2]) == [
        (CLOSE, b"\x03\xf0The connection could not be recovered.")
    ]
    assert shell.connection is not None
    assert (shell.connection.stage, shell.endings) == (Stage.CLOSING, [Ending.AWAIT])
