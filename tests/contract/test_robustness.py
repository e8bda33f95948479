"""Nothing a peer sends ends the process, and stopping it is orderly."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiohttp.web
import pytest
from azure.core.exceptions import AzureError
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.contract_clients import (
    JSON_PROTOCOL,
    SECONDS,
    client_url,
    get_json,
    hear,
    hear_json,
    json_client,
)
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import sign
from webpubsub.server.standalone import GRACE

pytestmark = pytest.mark.contract


async def speak(url: str, data: bytes) -> bytes:
    """Send bytes to a server and return all it answers before it closes."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(SECONDS):
            writer.write(data)
            await writer.drain()
            writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def raw_websocket(
    url: str, subprotocol: str | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket after its handshake, with nobody who keeps the rules for us."""
    offer = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(
        f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Sec-WebSocket-Version: 13\r\n{offer}\r\n".encode()
    )
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    return reader, writer


def sdk_of(hub: Any) -> WebPubSubServiceClient:
    return WebPubSubServiceClient.from_connection_string(hub.connection_string, hub=hub.name, retry_total=0)


async def assert_serves(hub: Any) -> None:
    """Check that the service still does its work."""
    async with connect(hub.client_url()) as client, sdk_of(hub) as sdk:
        await sdk.send_to_all("alive", content_type="text/plain")
        assert await hear(client) == ["alive"]


GARBAGE = [
    b"",
    b"\r\n\r\n",
    os.urandom(1000),
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET /client/hubs/chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"POST /api/hubs/chat/:send HTTP/1.1\r\nHost: h\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/hubs/chat/:send HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
    b"GET /%00%ff/../..//client/hubs/%2e%2e HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
async def test_the_service_survives_bytes_that_are_not_http(hub: Any, data: bytes) -> None:
    assert not (await speak(hub.service_url, data)).startswith(b"HTTP/1.1 5")
    await assert_serves(hub)


@pytest.mark.feature("wrong keys")
@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/client/hubs/chat", {}, 401),
        ("/client/hubs/chat?access_token=", {}, 401),
        ("/client/hubs/chat?access_token=a.b.c", {}, 401),
        ("/client/hubs/chat?access_token=%ff%00", {}, 401),
        ("/client/hubs/chat", {"Authorization": "Bearer é"}, 401),
        ("/client/hubs/1chat", {}, 400),
    ],
)
async def test_a_client_without_a_good_token_is_refused(
    hub: Any, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"ws{hub.service_url.removeprefix('http')}{path}", additional_headers=headers)
    assert refused.value.response.status_code == status
    await assert_serves(hub)


@pytest.mark.feature("wrong keys")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/api/hubs/chat/:send", 401),
        ("POST", "/api/hubs/chat/:nothing", 404),
        ("GET", "/", 404),
        ("GET", "/api/hubs", 404),
        ("HEAD", "/api/health", 200),
    ],
)
async def test_a_rest_caller_without_a_token_is_refused(
    hub: Any, method: str, path: str, status: int
) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.request(method, f"{hub.service_url}{path}") as answer:
            assert answer.status == status
        headers = {"Authorization": "Bearer not.a.token"}
        async with session.request(
            "POST", f"{hub.service_url}/api/hubs/chat/:send", headers=headers, data=b"x"
        ) as answer:
            assert (answer.status, await answer.read()) == (401, b"")


@pytest.mark.feature("messages outside a subprotocol")
@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02hi", 1002),  # not masked
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # a reserved bit
        (b"\x83\x80\x00\x00\x00\x00", 1002),  # a reserved opcode
        (b"\x09\x80\x00\x00\x00\x00", 1002),  # a ping in pieces
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # the end of a message that never began
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),  # text that is not UTF-8
        (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", 1009),  # 8 EiB
    ],
)
async def test_a_frame_outside_the_protocol_closes_its_connection_only(
    hub: Any, frame: bytes, code: int
) -> None:
    async with connect(hub.client_url()) as bystander:
        reader, writer = await raw_websocket(hub.client_url())
        writer.write(frame)
        async with asyncio.timeout(SECONDS):
            answer = await reader.read()
        writer.close()
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4], "big") == code
        async with sdk_of(hub) as sdk:
            await sdk.send_to_all("you stay", content_type="text/plain")
        assert await hear(bystander) == ["you stay"]


@pytest.mark.feature("messages outside a subprotocol")
@pytest.mark.parametrize(
    "message",
    [
        "",
        "not json",
        "[]",
        "{}",
        '{"type":5}',
        '{"type":"nonsense"}',
        '{"type":"joinGroup"}',
        '{"type":"joinGroup","group":""}',
        '{"type":"sendToGroup","group":"g"}',
        '{"type":"sendToGroup","group":"g","dataType":"binary","data":"%"}',
        '{"type":"event","event":"1","data":1}',
        "[" * 100_000,
        b"\x00\xff",
    ],
    ids=lambda message: repr(message[:30]),
)
async def test_a_message_outside_the_subprotocol_closes_its_connection_only(
    hub: Any, message: str | bytes
) -> None:
    async with json_client(hub.client_url()) as (client, _):
        await client.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            await hear(client, 2)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1003, 1007)
    await assert_serves(hub)


# --- one client's misbehaviour costs nobody else a message --------------------------------------------


def publish_frame(number: int, filler: str = "") -> bytes:
    """A masked frame that publishes a number to the group ``g``; a mask of zeros leaves the text as it is."""
    text = f'{{"type":"sendToGroup","group":"g","noEcho":true,"data":[{number},"{filler}"]}}'.encode()
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + size + bytes(4) + text


async def count_in_order(member: ClientConnection, count: int, *, stalls_at: int | None = None) -> None:
    """Check that a member of the group hears every number, in order, though it is busy once for a while."""
    async with asyncio.timeout(60):
        for expected in range(count):
            if expected == stalls_at:
                await asyncio.sleep(1)
            message = json.loads(await member.recv())
            assert message["data"][0] == expected


async def publisher_of(hub: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = hub.client_url(roles=["webpubsub.sendToGroup", "webpubsub.joinLeaveGroup"])
    return await raw_websocket(url, JSON_PROTOCOL)


@pytest.mark.feature("limits of clients")
async def test_a_flood_reaches_every_member(hub: Any) -> None:
    """Far more than may wait for a client: who floods is slowed down to what the others can read."""
    count, filler = 10_000, "x" * 8000
    async with json_client(hub.client_url(groups=["g"])) as (member, _):
        counting = asyncio.create_task(count_in_order(member, count, stalls_at=count // 10))
        _, writer = await publisher_of(hub)
        for start in range(0, count, 100):
            writer.write(b"".join(publish_frame(n, filler) for n in range(start, start + 100)))
            await writer.drain()
        await counting
        writer.close()
    await assert_serves(hub)


@pytest.mark.feature("limits of clients")
async def test_who_never_reads_loses_its_own_connection_only(hub: Any) -> None:
    count, filler = 3000, "x" * 10_000
    _, never = await raw_websocket(hub.client_url("never", groups=["g"]), JSON_PROTOCOL)
    never.transport.pause_reading()  # type: ignore[attr-defined]
    async with json_client(hub.client_url(groups=["g"])) as (member, _), sdk_of(hub) as sdk:
        assert await sdk.user_exists("never")
        counting = asyncio.create_task(count_in_order(member, count))
        _, writer = await publisher_of(hub)
        for number in range(count):
            writer.write(publish_frame(number, filler))
            await writer.drain()
        await counting
        assert not await sdk.user_exists("never")
        writer.close()
    never.close()
    await assert_serves(hub)


async def test_who_joins_thousands_of_groups_disturbs_nobody(hub: Any) -> None:
    count = 10_000
    async with json_client(hub.client_url(groups=["g"])) as (member, _), sdk_of(hub) as sdk:
        url = hub.client_url("collector", roles=["webpubsub.joinLeaveGroup"])
        async with json_client(url) as (client, _):
            for start in range(0, count, 1000):
                for number in range(start, start + 1000):
                    await client.send(f'{{"type":"joinGroup","group":"g{number}","ackId":{number}}}')
                acks = [json.loads(message) for message in await hear(client, 1000)]
                assert all(ack["success"] for ack in acks)
            await sdk.send_to_group("g9999", "hi", content_type="text/plain")
            assert json.loads((await hear(client))[0])["data"] == "hi"
        await sdk.send_to_group("g", "still here", content_type="text/plain")
        assert json.loads((await hear(member))[0])["data"] == "still here"
        async with asyncio.timeout(SECONDS):
            while await sdk.group_exists("g9999"):  # noqa: ASYNC110 - its end is nobody's event
                await asyncio.sleep(0.01)


async def test_pings_without_end_are_answered_and_disturb_nobody(hub: Any) -> None:
    async with json_client(hub.client_url(groups=["g"])) as (member, _), sdk_of(hub) as sdk:
        reader, writer = await raw_websocket(hub.client_url())
        for _ in range(100):
            writer.write(b"\x89\x80\0\0\0\0" * 1000)
            assert await reader.readexactly(2000) == b"\x8a\x00" * 1000
        await sdk.send_to_group("g", "hi", content_type="text/plain")
        assert json.loads((await hear(member))[0])["data"] == "hi"
        writer.close()


async def test_handshakes_that_never_end_disturb_nobody(hub: Any) -> None:
    """Their sockets are closed after a while; until then they are only sockets."""
    parts = urlsplit(hub.service_url)
    began = (
        b"",
        b"G",
        b"GET /client/hubs/chat HTTP/1.1\r\nHost: h\r\n",
        b"POST /api/hubs/chat/:send HTTP/1.1\r\n",
    )
    sockets = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(200)]
    for number, (_, writer) in enumerate(sockets):
        writer.write(began[number % len(began)])
    await assert_serves(hub)
    for _, writer in sockets:
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /client/hubs/chat?access_token=" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /client/hubs/chat HTTP/1.1\r\nHost: h\r\n" + b"x: y\r\n" * 40_000 + b"\r\n",
    ],
    ids=["target", "headers"],
)
async def test_a_giant_request_head_is_refused(hub: Any, data: bytes) -> None:
    answer = await speak(hub.service_url, data)
    # The answer may be lost with what the client still sends, but nothing else is answered.
    assert answer[:12] in (b"HTTP/1.1 431", b"")
    await assert_serves(hub)


def event_headers(command: Any, **changed: str) -> dict[str, str]:
    key = ConnectionString.parse(command.connection_string).access_key or ""
    return {
        "Content-Type": "text/plain",
        "WebHook-Request-Origin": "localhost",
        "ce-type": "azure.webpubsub.user.message",
        "ce-connectionId": "c1",
        "ce-hub": "sample_funcchat",
        "ce-eventName": "message",
        "ce-userId": "alice",
        "ce-signature": sign(key, "c1"),
    } | {name.replace("_", "-"): value for name, value in changed.items()}


@pytest.mark.parametrize(
    ("method", "changed", "body", "status"),
    [
        ("POST", {}, b"hello", 200),
        ("POST", {"ce_signature": "sha256=00"}, b"hello", 401),
        ("POST", {"ce_signature": ""}, b"hello", 401),
        ("POST", {"WebHook_Request_Origin": "unknown.host"}, b"hello", 401),
        ("POST", {"ce_hub": "nothing"}, b"hello", 404),
        ("POST", {"ce_eventName": "nothing"}, b"hello", 404),
        ("POST", {"ce_connectionState": "%%%"}, b"hello", 400),
        ("POST", {"Content_Type": "image/png"}, b"hello", 400),
        ("DELETE", {}, b"hello", 400),
        ("POST", {"ce_type": "azure.webpubsub.sys.connect", "ce_eventName": "connect"}, b"[" * 9999, 400),
        ("OPTIONS", {}, b"", 200),
        ("OPTIONS", {"WebHook_Request_Origin": "unknown.host"}, b"", 400),
    ],
)
async def test_the_webhook_answers_every_request(
    shared_chat: Any, method: str, changed: dict[str, str], body: bytes, status: int
) -> None:
    url = f"{shared_chat.host_url}/runtime/webhooks/webpubsub"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=event_headers(shared_chat, **changed), data=body) as answer,
    ):
        assert answer.status == status, await answer.text()


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
async def test_the_host_survives_bytes_that_are_not_http(shared_chat: Any, data: bytes) -> None:
    assert not (await speak(shared_chat.host_url, data)).startswith(b"HTTP/1.1 5")
    assert await get_json(f"{shared_chat.host_url}/api/negotiate?userId=alice")
    shared_chat.check_is_alive()


@pytest.mark.feature("the service ends")
async def test_stopping_during_traffic_says_goodbye(run_command: Callable[..., Any]) -> None:
    """Clients get a close frame rather than a reset, and the process ends with 0."""
    with run_command("service", "--port", "0") as command:
        url = client_url(command.connection_string, "chat")
        enough = asyncio.Event()
        heard = 0

        async def listen(client: ClientConnection) -> None:
            nonlocal heard
            async for _ in client:
                heard += 1
                if heard == 500:
                    enough.set()

        async def talk() -> None:
            async with WebPubSubServiceClient.from_connection_string(
                command.connection_string, hub="chat", retry_total=0
            ) as sdk:
                while True:
                    await sdk.send_to_all("x" * 1000, content_type="text/plain")

        clients = [await connect(url) for _ in range(10)]
        listeners = [asyncio.create_task(listen(client)) for client in clients]
        talker = asyncio.create_task(talk())
        async with asyncio.timeout(SECONDS):
            await enough.wait()
        await asyncio.to_thread(command.stop)
        await asyncio.gather(*listeners)
        assert {client.close_code for client in clients} == {1001}
        # It is told too: by an answer, or by a connection nobody takes any more.
        (told,) = await asyncio.gather(talker, return_exceptions=True)
        assert isinstance(told, AzureError)


@pytest.mark.parametrize("chat_arguments", [(), ("--in-process",)], ids=["http", "in process"])
async def test_stopping_the_app_tells_its_clients(chat: Any) -> None:
    negotiated = await get_json(f"{chat.host_url}/api/negotiate?userId=alice")
    client = await connect(negotiated["url"])
    await hear(client, 2)
    await client.send("hello")
    await asyncio.to_thread(chat.stop)
    await client.wait_closed()
    assert (client.close_code, client.close_reason) == (1001, "Service reload")


@pytest.mark.feature("events")
async def test_json_events_reach_an_event_handler_of_anybody(
    run_command: Callable[..., Any],
) -> None:
    """``--event-handler`` sends events to any HTTP server, signed and after it has agreed."""
    received: list[tuple[str, dict[str, str], bytes]] = []
    left = asyncio.Event()

    async def handle(request: aiohttp.web.BaseRequest) -> aiohttp.web.Response:
        if request.method == "OPTIONS":
            return aiohttp.web.Response(headers={"WebHook-Allowed-Origin": "*"})
        received.append((request.path, dict(request.headers), await request.read()))
        if request.path.endswith("/disconnected"):
            left.set()
        if request.path.endswith("/ask"):
            return aiohttp.web.json_response({"answer": 42}, headers={"ce-connectionState": "e30="})
        return aiohttp.web.Response(status=204)

    server = aiohttp.web.ServerRunner(aiohttp.web.Server(handle))
    await server.setup()
    site = aiohttp.web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    port = server.addresses[0][1]
    try:
        handler = f"chat=http://127.0.0.1:{port}/hubs/{{hub}}/{{event}}"
        with run_command("service", "--port", "0", "--event-handler", handler) as command:
            url = client_url(command.connection_string, "chat", "alice")
            async with json_client(url) as (client, connection_id):
                await client.send(
                    '{"type":"event","event":"ask","dataType":"json","data":{"q":1.0},"ackId":7}'
                )
                answer, ack = [json.loads(message) for message in await hear(client, 2)]
            assert answer == {
                "type": "message",
                "from": "server",
                "dataType": "json",
                "data": {"answer": 42},
            }
            assert ack == {"type": "ack", "ackId": 7, "success": True}
            async with asyncio.timeout(SECONDS):
                await left.wait()
    finally:
        await server.cleanup()

    assert [path for path, _, _ in received] == [
        "/hubs/chat/connect",
        "/hubs/chat/connected",
        "/hubs/chat/ask",
        "/hubs/chat/disconnected",
    ]
    key = ConnectionString.parse(command.connection_string).access_key or ""
    for _, headers, _ in received:
        assert headers["ce-signature"] == sign(key, connection_id)
        assert headers["ce-connectionId"] == connection_id
        assert headers["ce-userId"] == "alice"
        assert headers["WebHook-Request-Origin"] == "localhost"
    assert json.loads(received[0][2])["claims"]["sub"] == ["alice"]
    assert received[1][2] == b"{}"
    assert received[2][2] == b'{"q":1.0}'
    assert [headers["ce-id"] for _, headers, _ in received] == ["0", "1", "2", "3"]
    assert "ce-connectionState" not in received[2][1]
    assert received[3][1]["ce-connectionState"] == "e30="


async def test_a_handler_that_never_answers_does_not_hold_the_stop_up(
    run_command: Callable[..., Any],
) -> None:
    """Its client is told all the same, and the event handlers hear of it before the process ends."""
    heard: list[str] = []
    asked, never = asyncio.Event(), asyncio.Event()

    async def handle(request: aiohttp.web.BaseRequest) -> aiohttp.web.Response:
        if request.method == "OPTIONS":
            return aiohttp.web.Response(headers={"WebHook-Allowed-Origin": "*"})
        heard.append(request.path)
        if request.path == "/ask":
            asked.set()
            await never.wait()
        return aiohttp.web.Response(status=204)

    server = aiohttp.web.ServerRunner(aiohttp.web.Server(handle))
    await server.setup()
    await aiohttp.web.TCPSite(server, "127.0.0.1", 0).start()
    try:
        handler = f"chat=http://127.0.0.1:{server.addresses[0][1]}/{{event}}"
        with run_command("service", "--port", "0", "--event-handler", handler) as command:
            async with json_client(client_url(command.connection_string, "chat")) as (client, _):
                await client.send('{"type":"event","event":"ask","data":1}')
                await asked.wait()
                before = time.monotonic()
                stopping = asyncio.create_task(asyncio.to_thread(command.stop))
                assert await hear_json(client) == {
                    "type": "system",
                    "event": "disconnected",
                    "message": "Service reload",
                }
                await client.wait_closed()
                assert client.close_code == 1001
                await stopping
                assert time.monotonic() - before < GRACE
        assert heard == ["/connect", "/connected", "/ask", "/disconnected"]
    finally:
        never.set()
        await server.cleanup()


async def test_an_app_that_ends_its_process_is_told_and_starts_again(
    tmp_path: Path, run_command: Callable[..., Any]
) -> None:
    """With ``--reload`` the service outlives the app, so nothing else would show that it is gone."""
    app = tmp_path / "app"
    app.mkdir()
    source = (
        "import os\nimport azure.functions as func\napp = func.FunctionApp()\n"
        "@app.route(route='end')\ndef end(req): {}\n"
    )
    (app / "function_app.py").write_text(source.format("os._exit(7)"))
    with run_command("start", str(app), "--reload", "--port", "0", "--service-port", "0") as command:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError):
                await session.post(f"{command.host_url}/api/end")
            line = "webpubsub: the app ended with code 7; a change of its files starts it again"
            await asyncio.to_thread(command.wait_for_line, line)
            (app / "function_app.py").write_text(source.format("return 'back'"))
            async with session.get(f"{command.host_url}/api/end") as answer:
                assert await answer.text() == "back"


async def test_an_app_that_is_long_in_starting_keeps_nobody_waiting(
    tmp_path: Path, run_command: Callable[..., Any]
) -> None:
    """With ``--reload`` a change starts it again, and Ctrl-C ends the command at once."""
    app = tmp_path / "app"
    app.mkdir()
    source = (
        "import time\nimport azure.functions as func\napp = func.FunctionApp()\n"
        "@app.route(route='x')\ndef x(req): return '{0}'\nprint('{0}', flush=True)\ntime.sleep({1})\n"
    )
    (app / "function_app.py").write_text(source.format("first", 0))
    with run_command("start", str(app), "--reload", "--port", "0", "--service-port", "0") as command:
        (app / "function_app.py").write_text(source.format("stuck", 600))
        await asyncio.to_thread(command.wait_for_line, "stuck")
        (app / "function_app.py").write_text(source.format("back", 0))
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{command.host_url}/api/x", timeout=aiohttp.ClientTimeout(20)) as answer,
        ):
            assert await answer.text() == "back"
        (app / "function_app.py").write_text(source.format("stuck again", 600))
        await asyncio.to_thread(command.wait_for_line, "stuck again")
        before = time.monotonic()
        await asyncio.to_thread(command.stop)
        assert time.monotonic() - before < 10
