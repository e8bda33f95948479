"""The real commands over TLS, with peers that check their certificate."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient
from websockets.asyncio.client import ClientConnection, connect

from kit.certificates import Certificate, make_certificate
from kit.contract_clients import JSON_PROTOCOL, SECONDS, client_url, hear
from kit.sdk_steps import Client, Service, running_driver
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.access.signature import sign

pytestmark = pytest.mark.contract

DRIVER = Path(__file__).parent / "python_driver.py"

APP = """
import os
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="here")
async def here(req: func.HttpRequest) -> str:
    return f"{req.url} {os.environ['WEBSITE_HOSTNAME']}"

@app.web_pubsub_trigger(hub="chat", event_type="system", event_name="connect")
def connect(request: wps.ConnectEventRequest) -> None: ...

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
@app.web_pubsub_output(hub="chat")
async def message(request: wps.UserEventRequest, actions: wps.Actions) -> str:
    actions.send_to_all(f"all hear {request.data}")
    return f"you said {request.data}"

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="other")
async def other(request: wps.UserEventRequest) -> str:
    return f"{len(request.data)} characters"
"""

Run = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certificate]:
    """A certificate that this process and all that it starts trust."""
    made = make_certificate(tmp_path_factory.mktemp("certificate"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(made.certfile))
        patch.setenv("REQUESTS_CA_BUNDLE", str(made.certfile))
        yield made


@pytest.fixture(scope="module")
def service_arguments(certificate: Certificate) -> tuple[str, ...]:
    return certificate.options


@pytest.fixture
def trusting(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate.certfile))


@asynccontextmanager
async def raw(
    url: str, trusting: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection with TLS and nothing more, with nobody who keeps rules for us."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=trusting)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@asynccontextmanager
async def raw_websocket(
    url: str, trusting: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(url)
    async with raw(url, trusting) as (reader, writer):
        writer.write(
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield reader, writer


def sdk_of(hub: Any, certificate: Certificate) -> WebPubSubServiceClient:
    return WebPubSubServiceClient.from_connection_string(
        hub.connection_string, hub=hub.name, retry_total=0, connection_verify=str(certificate.certfile)
    )


def client_of(hub: Any, trusting: ssl.SSLContext, **claims: Any) -> connect:
    return connect(hub.client_url(**claims), ssl=trusting, subprotocols=[JSON_PROTOCOL])  # type: ignore[list-item]


async def said(client: ClientConnection) -> Any:
    return json.loads((await hear(client))[0])


# --- the service --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sync", "aio"])
async def test_official_sdks_use_the_service(hub: Any, mode: str, tmp_path: Path) -> None:
    assert hub.connection_string.startswith("Endpoint=https://localhost:")
    with running_driver([sys.executable, str(DRIVER), mode], tmp_path) as driver:
        await driver.perform("serve", connection_string=hub.connection_string, hub=hub.name)
        service = Service(driver)
        clients = []
        for name in ("alice", "bob"):
            url = (await service.get_client_access_token(user_id=name, groups=["g"]))["url"]
            assert url.startswith("wss://localhost:")
            clients.append(Client(driver, name))
            await clients[-1].open(url, "json")
        await service.send_to_group(group="g", payload={"text": "hi"})
        for client in clients:
            assert await client.next() == {
                "told": "group-message",
                "group": "g",
                "from": None,
                "text": "hi",
            }
        # Pages are linked with the scheme by which they are asked for.
        found = await service.list_connections(group="g", max_page_size=1)
        assert sorted(member["user_id"] for member in found) == ["alice", "bob"]
        await driver.perform("reset")


async def test_who_does_not_trust_the_certificate_does_not_connect(hub: Any) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(hub.client_url(), ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00", b""])
async def test_a_client_without_tls_is_not_answered(hub: Any, data: bytes, trusting: ssl.SSLContext) -> None:
    parts = urlsplit(hub.service_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(SECONDS):
        assert b"HTTP" not in await reader.read()
    writer.close()
    async with connect(hub.client_url(), ssl=trusting):
        pass  # others are served


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x88\x82\0\0\0\0\x03\xe8", 1000),  # a close
        (b"\x81\x02hi", 1002),  # not masked
        (b"\x81\x81\0\0\0\0\xff", 1007),  # text that is not UTF-8
    ],
)
async def test_a_websocket_is_closed_as_without_tls(
    hub: Any, frame: bytes, code: int, trusting: ssl.SSLContext
) -> None:
    async with raw_websocket(hub.client_url(), trusting) as (reader, writer):
        writer.write(frame)
        async with asyncio.timeout(SECONDS):
            answer = await reader.read()
    assert answer[0] == 0x88
    assert int.from_bytes(answer[2:4], "big") == code


async def test_who_never_reads_loses_its_own_connection_only(
    hub: Any, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    """What waits for a client behind TLS is counted and limited, too."""
    text, message = "x" * 100_000, {"type": "sendToGroup", "group": "g", "noEcho": True}
    async with (
        sdk_of(hub, certificate) as sdk,
        client_of(hub, trusting, groups=["g"]) as member,
        client_of(hub, trusting, roles=["webpubsub.sendToGroup"]) as publisher,
        raw_websocket(hub.client_url("never", groups=["g"]), trusting) as (_, never),
    ):
        never.transport.pause_reading()  # type: ignore[attr-defined]
        await said(member), await said(publisher)  # that they are connected
        assert await sdk.user_exists("never")
        for number in range(400):  # 40 MB
            await publisher.send(json.dumps(message | {"data": text, "ackId": number}))
            assert (await said(publisher))["success"]
            assert (await said(member))["data"] == text
        assert not await sdk.user_exists("never")


async def test_the_end_of_the_service_is_told(
    run_command: Run, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    with run_command("service", "--port", "0", *certificate.options) as command:
        async with connect(client_url(command.connection_string, "chat"), ssl=trusting) as client:
            await asyncio.to_thread(command.stop)
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1001, "Service reload")


# --- the app ------------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


def use_service(app: Path, connection_string: str) -> None:
    values = {"WebPubSubConnectionString": connection_string}
    (app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))


@pytest.mark.parametrize("workers", [(), ("--workers", "2")], ids=["one process", "workers"])
async def test_an_app_and_a_service_that_each_speak_tls(
    app: Path,
    run_command: Run,
    certificate: Certificate,
    trusting: ssl.SSLContext,
    workers: tuple[str, ...],
) -> None:
    """A client over wss, its event over https to the app, the app's action over https to the service."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    handler = f"chat=https://localhost:{port}/runtime/webhooks/webpubsub"
    tls = certificate.options
    with run_command("service", "--port", "0", "--event-handler", handler, *tls) as service:
        use_service(app, service.connection_string)
        with run_command("start", str(app), "--port", str(port), "--no-service", *workers, *tls) as host:
            assert host.host_url == f"https://localhost:{port}"
            assert f"Event handler for its hubs: {host.host_url}/runtime/webhooks/webpubsub" in host.output
            url = client_url(service.connection_string, "chat", "alice")
            async with connect(url, ssl=trusting) as client:
                await client.send("hello")
                assert sorted(map(str, await hear(client, 2))) == ["all hear hello", "you said hello"]


async def test_callers_of_an_app_that_speaks_tls(
    app: Path, run_command: Run, certificate: Certificate, trusting: ssl.SSLContext
) -> None:
    use_service(app, f"Endpoint=https://localhost:1;AccessKey={DEFAULT_ACCESS_KEY};")
    headers = {
        "WebHook-Request-Origin": "localhost",
        "Content-Type": "text/plain",
        "ce-specversion": "1.0",
        "ce-type": "azure.webpubsub.user.other",
        "ce-source": "/hubs/chat/client/c1",
        "ce-id": "1",
        "ce-time": "2026-01-01T00:00:00Z",
        "ce-hub": "chat",
        "ce-eventName": "other",
        "ce-connectionId": "c1",
        "ce-signature": sign(DEFAULT_ACCESS_KEY, "c1"),
    }
    with run_command("start", str(app), "--port", "0", "--no-service", *certificate.options) as host:
        webhook = f"{host.host_url}/runtime/webhooks/webpubsub"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting)) as session:
            async with session.get(f"{host.host_url}/api/here") as answer:
                place = host.host_url.removeprefix("https://")
                assert await answer.text() == f"{host.host_url}/api/here {place}"
            for body in ("hello", "x" * 500_000):
                async with session.post(webhook, headers=headers, data=body) as answer:
                    assert (answer.status, await answer.text()) == (200, f"{len(body)} characters")
            async with session.post(webhook, headers=headers | {"ce-signature": "sha256=0"}) as answer:
                assert answer.status == 401
