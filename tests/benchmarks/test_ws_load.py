"""The WebSocket load client must end with an error when a server does not do what it should."""

from __future__ import annotations

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import Load
from benchmarks.programs import compiled
from kit.needs import Need

UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: %b\r\n\r\n"
)
CONNECTED = {"type": "system", "event": "connected", "userId": None, "connectionId": "c"}

Deliver = Callable[[int, int, dict[str, Any]], bytes]


@pytest.fixture(scope="module")
def ws_load(need: Need) -> str:
    """The client, compiled."""
    need("cc", install="apt-get install gcc libc6-dev")
    return compiled("ws_load")


def frame(text: str, *, first_byte: int = 0x81) -> bytes:
    body = text.encode()
    size = bytes((len(body),)) if len(body) < 126 else struct.pack("!BH", 126, len(body))
    return bytes((first_byte,)) + size + body


def dumped(**members: object) -> str:
    return json.dumps(members, separators=(",", ":"))


def message(request: dict[str, Any], **changes: object) -> str:
    members = {"group": request["group"], "dataType": "text", "data": request["data"]}
    return dumped(**{"type": "message", "from": "group", **members, **changes})


def right(_member: int, _number: int, request: dict[str, Any]) -> bytes:
    return frame(message(request))


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any]:
    """A client's masked frame of less than 64 KiB."""
    head = await reader.readexactly(2)
    assert head[0] == 0x81
    assert head[1] & 0x80
    size = head[1] & 0x7F
    if size == 126:
        size = struct.unpack("!H", await reader.readexactly(2))[0]
    mask = await reader.readexactly(4)
    body = bytes(byte ^ mask[i & 3] for i, byte in enumerate(await reader.readexactly(size)))
    found: dict[str, Any] = json.loads(body)
    return found


class Group:
    """A server with one group; what its members get is up to a test."""

    def __init__(self, deliver: Deliver) -> None:
        self.deliver = deliver
        self.members: list[asyncio.StreamWriter] = []
        self.published = 0
        self.confirmed: list[int] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in request
            subprotocol = request.partition(b"Sec-WebSocket-Protocol: ")[2].partition(b"\r\n")[0]
            writer.write(UPGRADED % subprotocol + frame(dumped(**CONNECTED)))
            while True:
                self.take(writer, await read_frame(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def take(self, writer: asyncio.StreamWriter, request: dict[str, Any]) -> None:
        if request["type"] == "joinGroup":
            self.members.append(writer)
        elif request["type"] == "sequenceAck":
            self.confirmed.append(request["sequenceId"])
        else:
            self.publish(request)
        if "ackId" in request:
            writer.write(frame(self.ack(request["ackId"])))

    def publish(self, request: dict[str, Any]) -> None:
        for number, member in enumerate(self.members):
            bytes_of_it = self.deliver(number, self.published, request)
            if bytes_of_it == CLOSED:
                member.close()
            else:
                member.write(bytes_of_it)
        self.published += 1

    def ack(self, ack_id: int) -> str:
        return dumped(type="ack", ackId=ack_id, success=True)


CLOSED = b"closed"


@asynccontextmanager
async def serving(group: Group) -> AsyncIterator[int]:
    server = await asyncio.start_server(group.serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def run(program: str, port: int, folder: Path, *options: str) -> tuple[int, str, str]:
    """Run the client for a tenth of a second; return its status and what it wrote."""
    targets = folder / "targets"
    targets.write_text("/client/hubs/bench\n")
    times = ("--seconds", "0.1", "--warm-up", "0.02", "--settle", "0.02")
    process = await asyncio.create_subprocess_exec(
        program,
        *("--port", str(port), "--pids", str(os.getpid()), "--targets", str(targets), *times, *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


FANOUT = ("--mode", "fanout", "--clients", "3", "--in-flight", "4")


@pytest.mark.parametrize("options", [(), ("--rate", "500"), ("--size", "1000"), ("--others", "2")])
async def test_a_right_server(ws_load: str, tmp_path: Path, options: tuple[str, ...]) -> None:
    async with serving(Group(right)) as port:
        status, out, err = await run(ws_load, port, tmp_path, *FANOUT, *options)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["operations"] >= 3
    assert found["wrong"] == 0
    assert 0 < found["p50_us"] <= found["p99_us"]
    assert 0.1 <= found["seconds"] < 1
    assert set(Load.__struct_fields__) == set(found)


async def test_messages_at_a_rate(ws_load: str, tmp_path: Path) -> None:
    async with serving(Group(right)) as port:
        _, out, _ = await run(ws_load, port, tmp_path, *FANOUT, "--rate", "200")
    assert 30 <= json.loads(out)["operations"] <= 90  # 200 a second, a tenth of one, three members


def lost(member: int, number: int, request: dict[str, Any]) -> bytes:
    return b"" if (member, number) == (1, 5) else right(member, number, request)


def twice(member: int, number: int, request: dict[str, Any]) -> bytes:
    return right(member, number, request) * (2 if (member, number) == (1, 5) else 1)


def closed(member: int, number: int, request: dict[str, Any]) -> bytes:
    return CLOSED if (member, number) == (1, 5) else right(member, number, request)


def swapped() -> Deliver:
    held: list[bytes] = []

    def deliver(member: int, number: int, request: dict[str, Any]) -> bytes:
        if (member, number) == (1, 5):
            held.append(right(member, number, request))
            return b""
        return right(member, number, request) + (held.pop() if held and member == 1 else b"")

    return deliver


def changed(first_byte: int = 0x81, **changes: object) -> Deliver:
    def deliver(member: int, number: int, request: dict[str, Any]) -> bytes:
        is_it = (member, number) == (1, 5)
        return frame(message(request, **changes), first_byte=first_byte) if is_it else right(0, 0, request)

    return deliver


def masked(member: int, number: int, request: dict[str, Any]) -> bytes:
    found = right(member, number, request)
    return found[:1] + bytes((found[1] | 0x80,)) + found[2:]


def long_form(_member: int, _number: int, request: dict[str, Any]) -> bytes:
    body = message(request).encode()
    assert len(body) < 126
    return b"\x81\x7e" + len(body).to_bytes(2, "big") + body


@pytest.mark.parametrize(
    ("deliver", "says"),
    [
        pytest.param(lost, "connection 1: expected message 5 of g0", id="lost"),
        pytest.param(twice, "connection 1: ", id="twice"),
        pytest.param(swapped(), "connection 1: expected message 5 of g0", id="out of order"),
        pytest.param(changed(data="x" * 40), "connection 1: expected message 5 of g0", id="other data"),
        pytest.param(changed(group="g1"), "connection 1: expected message 5 of g0", id="other group"),
        pytest.param(changed(more=1), "connection 1: ", id="more members"),
        pytest.param(changed(0x82), "found one with opcode 2", id="binary"),
        pytest.param(changed(0xC1), "expected a frame that is whole and without reserved bits", id="RSV1"),
        pytest.param(changed(0x01), "expected a frame that is whole", id="a fragment"),
        pytest.param(masked, "expected a frame without mask", id="masked"),
        pytest.param(long_form, "expected the shortest form of the length", id="longer length"),
        pytest.param(closed, "connection 1: the server closed it", id="closed"),
    ],
)
async def test_a_wrong_server(ws_load: str, tmp_path: Path, deliver: Deliver, says: str) -> None:
    async with serving(Group(deliver)) as port:
        status, out, err = await run(ws_load, port, tmp_path, *FANOUT)
    assert (status, out) == (1, "")
    assert says in err


async def test_the_last_message_is_lost(ws_load: str, tmp_path: Path) -> None:
    async with serving(Group(lost)) as port:
        status, _, err = await run(ws_load, port, tmp_path, *FANOUT, "--in-flight", "1", "--patience", "0.3")
    assert (status, err) == (1, "nothing has come for 0.3 seconds: a message is lost\n")


@pytest.mark.parametrize(("fifth", "status"), [(5, 0), (6, 1), (4, 1)])
async def test_numbered_messages(ws_load: str, tmp_path: Path, fifth: int, status: int) -> None:
    def numbered(member: int, number: int, request: dict[str, Any]) -> bytes:
        is_it = (member, number) == (1, 4)
        return frame(message(request, sequenceId=fifth if is_it else number + 1))

    group = Group(numbered)
    async with serving(group) as port:
        found, _, err = await run(ws_load, port, tmp_path, *FANOUT, "--protocol", "json-reliable")
    assert found == status
    assert group.confirmed
    assert all(0 < number <= group.published for number in group.confirmed)
    assert ("connection 1: expected its message 5, found " in err) is bool(status)


async def test_a_refused_upgrade(ws_load: str, tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        status, _, err = await run(ws_load, server.sockets[0].getsockname()[1], tmp_path, *FANOUT)
    assert status == 1
    assert "expected an upgrade to json.webpubsub.azure.v1, found:\nHTTP/1.1 401 Unauthorized" in err


CALLS = ("--mode", "calls", "--call", "send", "--clients", "3")


async def test_calls(ws_load: str, tmp_path: Path) -> None:
    async with serving(Group(right)) as port:
        status, out, err = await run(ws_load, port, tmp_path, *CALLS)
    assert (status, err) == (0, "")
    assert json.loads(out)["operations"] >= 3


async def test_a_wrong_ack(ws_load: str, tmp_path: Path) -> None:
    class Wrong(Group):
        def ack(self, ack_id: int) -> str:
            return super().ack(ack_id + (ack_id == 5))

    async with serving(Wrong(right)) as port:
        status, _, err = await run(ws_load, port, tmp_path, *CALLS)
    assert status == 1
    assert 'expected {"type":"ack","ackId":5,"success":true}, found {"type":"ack","ackId":6' in err


@pytest.mark.parametrize("mode", ["connects", "idle"])
async def test_clients_that_only_connect(ws_load: str, tmp_path: Path, mode: str) -> None:
    async with serving(Group(right)) as port:
        status, out, err = await run(ws_load, port, tmp_path, "--mode", mode, "--clients", "3")
    assert (status, err) == (0, "")
    assert json.loads(out)["operations"] >= 3


async def test_an_unknown_option(ws_load: str, tmp_path: Path) -> None:
    status, _, err = await run(ws_load, 1, tmp_path, "--colour", "red")
    assert (status, err) == (1, "unknown option '--colour'\n")
