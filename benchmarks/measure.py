"""Rough figures of the two hot paths and of idle connections, against the real commands with their defaults.

::

    python benchmarks/measure.py            # the hot paths
    python benchmarks/measure.py idle --connections 10000
    python benchmarks/measure.py fanout --clients 1000 --in-flight 8 --seconds 5
    python benchmarks/measure.py webhook --connections 32 --function "async def"

The memory of an idle connection is how much the service's resident set grows, divided by the connections;
each has a user, a role and one group, and the JSON subprotocol. They come from several of this machine's
addresses, as one has too few ports, and need that many open files (``ulimit -n``).

The server runs on the first core and this client on the second, where the system lets processes be pinned.
The client counts every message and checks every answer; where it is busy all the time (shown as its share
of a core), the figure is its limit and not the server's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.signature import sign
from webpubsub.model.tokens import client_access

HUB = "bench"
GROUP = "g"
MARK = b'"data":"'
APP = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.web_pubsub_trigger(hub="bench", event_type="user", event_name="message")
{definition} message(request: wps.UserEventRequest) -> str:
    return "ack"


@app.route(route="index")
def index(req: func.HttpRequest) -> str:
    return ""
"""


@contextlib.contextmanager
def command(*arguments: str) -> Iterator[tuple[str, int]]:
    """Run ``webpubsub ARGUMENTS`` on the first core; yield what it prints until it is ready, and its id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "webpubsub", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: pin(0),
    )
    assert process.stdout is not None
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "Ready\n":
                break
        yield "".join(lines), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def pin(core: int) -> None:
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


class Subscriber(asyncio.Protocol):
    """Counts messages in the bytes of one client; all of them together make the publisher go on."""

    delivered = 0
    awaited = sys.maxsize
    publish: Callable[[], None]

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.upgraded = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.upgraded.done():
            self.upgraded.set_result(data.startswith(b"HTTP/1.1 101"))
        Subscriber.delivered += data.count(MARK)
        if Subscriber.delivered >= Subscriber.awaited:
            Subscriber.publish()


def upgrade(port: int, **claims: Any) -> bytes:
    connection = ConnectionString.parse(DEFAULT.format(port=port))
    target = client_access(connection, HUB, now=time.time(), **claims).url.partition(f":{port}")[2]
    return (
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: json.webpubsub.azure.v1\r\n\r\n"
    ).encode()


DEFAULT = "Endpoint=http://127.0.0.1:{port};AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;"


def message_frame() -> bytes:
    """Return a masked frame that publishes 40 bytes of text; a mask of zeros leaves the text as it is."""
    text = b'{"type":"sendToGroup","group":"g","dataType":"text","data":"%b"}' % (b"x" * 40)
    return bytes((0x81, 0x80 | len(text))) + bytes(4) + text


async def fan_out(port: int, clients: int, in_flight: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    subscribe, publish = upgrade(port, groups=[GROUP]), upgrade(port, roles=["webpubsub.sendToGroup"])
    for start in range(0, clients, 50):
        batch = [
            await loop.create_connection(lambda: Subscriber(subscribe), "127.0.0.1", port)
            for _ in range(start, min(start + 50, clients))
        ]
        assert all([await protocol.upgraded for _, protocol in batch])
    transport, publisher = await loop.create_connection(lambda: Subscriber(publish), "127.0.0.1", port)
    assert await publisher.upgraded
    await asyncio.sleep(0.5)
    sent, frame = 0, message_frame()

    def publish_more() -> None:
        nonlocal sent
        complete = Subscriber.delivered // clients
        transport.write(frame * (in_flight - (sent - complete)))
        sent = complete + in_flight
        Subscriber.awaited = (complete + 1) * clients

    Subscriber.publish = publish_more
    Subscriber.delivered = 0
    publish_more()
    busy = time.process_time()
    await asyncio.sleep(seconds)
    busy = time.process_time() - busy
    print(
        f"fan-out: {Subscriber.delivered / seconds:,.0f} messages delivered a second to a group of "
        f"{clients}, {in_flight} in flight (client {busy / seconds:.0%} busy)"
    )


class Caller(asyncio.Protocol):
    """Sends one request after the other and checks each answer."""

    answered = 0

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if self.buffer.endswith(b"\r\n\r\nack"):
            assert self.buffer.startswith(b"HTTP/1.1 200"), self.buffer
            self.buffer = b""
            Caller.answered += 1
            self.transport.write(self.request)  # type: ignore[attr-defined]


async def webhooks(port: int, key: str, connections: int, seconds: float, definition: str) -> None:
    connection_id = "0123456789abcdef0123456789abcdef"
    body = b"0123456789" * 10
    head = (
        "POST /runtime/webhooks/webpubsub HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
        "WebHook-Request-Origin: localhost\r\nce-specversion: 1.0\r\nce-awpsversion: 1.0\r\nce-id: 1\r\n"
        f"ce-type: azure.webpubsub.user.message\r\nce-source: /hubs/{HUB}/client/{connection_id}\r\n"
        f"ce-time: 2026-01-01T00:00:00Z\r\nce-signature: {sign(key, connection_id)}\r\nce-userId: alice\r\n"
        f"ce-connectionId: {connection_id}\r\nce-hub: {HUB}\r\nce-eventName: message\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: Caller(head.encode() + body), "127.0.0.1", port)
    await asyncio.sleep(0.5)
    Caller.answered = 0
    busy = time.process_time()
    await asyncio.sleep(seconds)
    busy = time.process_time() - busy
    print(
        f"webhook: {Caller.answered / seconds:,.0f} requests a second to '{definition}', "
        f"{connections} connections (client {busy / seconds:.0%} busy)"
    )


class Idle(asyncio.Protocol):
    """A client that answers pings and says nothing else."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.opened = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if not self.opened.done():
            self.opened.set_result(data.startswith(b"HTTP/1.1 101"))
        elif data.startswith(b"\x89\x00"):
            self.transport.write(b"\x8a\x80\0\0\0\0")  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_result(False)


def resident_bytes(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def idle(port: int, process: int, connections: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()

    async def connect(number: int) -> bool:
        request = upgrade(port, user_id=f"user{number}", roles=["webpubsub.joinLeaveGroup"], groups=[GROUP])
        address = f"127.0.0.{2 + number // 20_000}"
        _, client = await loop.create_connection(
            lambda: Idle(request), "127.0.0.1", port, local_addr=(address, 0)
        )
        return await client.opened

    assert all([await connect(number) for number in range(100)])  # what the first ones cost all share
    await asyncio.sleep(0.5)
    before, started = resident_bytes(process), time.perf_counter()
    for start in range(100, 100 + connections, 50):
        assert all(await asyncio.gather(*map(connect, range(start, min(start + 50, 100 + connections))))), (
            "a client was refused"
        )
    took = time.perf_counter() - started
    await asyncio.sleep(seconds)
    each = (resident_bytes(process) - before) / connections
    print(f"idle: {each:,.0f} bytes a connection, {connections} connections (opened in {took:.1f} s)")


def service_port(printed: str) -> int:
    return int(re.findall(r"Endpoint=http://localhost:(\d+)", printed)[0])


def measure_idle(options: argparse.Namespace) -> None:
    raise_open_files(options.connections + 200)
    with command("service", "--port", "0") as (printed, process):
        uvloop.run(idle(service_port(printed), process, options.connections, options.seconds))


def raise_open_files(needed: int) -> None:
    """Let this process, and those it starts, have as many open files as it needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and needed > hard:
        sys.exit(f"{needed} open files are needed and {hard} are allowed: raise them with ulimit -n")
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def measure_fan_out(options: argparse.Namespace) -> None:
    with command("service", "--port", "0") as (printed, _):
        port = service_port(printed)
        uvloop.run(fan_out(port, options.clients, options.in_flight, options.seconds))


def measure_webhook(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "function_app.py").write_text(APP.format(definition=options.function))
        with command("start", folder, "--port", "0", "--service-port", "0") as (printed, _):
            port = int(re.findall(r"http://localhost:(\d+)/", printed)[0])
            key = re.findall(r"AccessKey=([^;]+)", printed)[0]
            uvloop.run(webhooks(port, key, options.connections, options.seconds, options.function))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["fanout", "webhook", "idle"])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--connections", type=int, help="32 webhooks, 10000 idle")
    parser.add_argument("--function", default="async def", choices=["async def", "def"])
    options = parser.parse_args()
    pin(1)
    if options.what == "idle":
        options.connections = options.connections or 10_000
        measure_idle(options)
        return
    options.connections = options.connections or 32
    if options.what != "webhook":
        measure_fan_out(options)
    if options.what != "fanout":
        measure_webhook(options)


if __name__ == "__main__":
    main()
