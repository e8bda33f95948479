"""Who may come in to the service and to the host, by each way of a request: the lane, ASGI, an upgrade."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.starting import start_options
from webpubsub.functions.binding_members import DEFAULT_CONNECTION as SETTING
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.access.tokens import client_access, rest_token
from webpubsub.model.trace import SILENT, Trace, TraceEvent
from webpubsub.server.addresses import Addresses
from webpubsub.server.embedded import EmbeddedService
from webpubsub.server.ending import Grace
from webpubsub.server.served_app import ServedApp, load_host
from webpubsub.server.serving import bind
from webpubsub.service.hub.recovery import reconnection_token
from webpubsub.service.settings import HubSettings, ServiceSettings

OWN_KEY = "k" * 40
EVIL = "https://evil.example"
SEND = "/api/hubs/chat/:send?api-version=2024-01-01"
LIST = "/api/hubs/chat/groups/g/connections?api-version=2024-12-01"
KEYS = (DEFAULT_ACCESS_KEY, OWN_KEY)


async def ask(
    port: int, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> tuple[int, str]:
    """Return status and the whole text of an answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"{method} {target} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ")[1])
    length = next((line for line in head.lower().split("\r\n") if line.startswith("content-length:")), ":0")
    text = await reader.readexactly(int(length.partition(":")[2]))
    writer.close()
    return status, text.decode()


async def upgrade(port: int, target: str, headers: Mapping[str, str]) -> tuple[int, str]:
    more = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return await ask(port, "GET", target, {**headers, **more})


# --- the service --------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def service(address: str = "127.0.0.1", **settings: Any) -> AsyncIterator[EmbeddedService]:
    made = ServiceSettings(**{"access_keys": KEYS, **settings})
    listener = bind(address, 0, "")
    running = EmbeddedService(made, listener, SILENT)
    running.port = listener.getsockname()[1]  # type: ignore[attr-defined]
    await running.start()
    try:
        yield running
    finally:
        await running.stop(Grace(2))


def port_of(running: EmbeddedService) -> int:
    found: int = running.port  # type: ignore[attr-defined]
    return found


def rest_headers(host: str, target: str, key: str | None) -> dict[str, str]:
    if key is None:
        return {"Host": host, "Content-Type": "text/plain"}
    token = rest_token(f"http://{host}{target.partition('?')[0]}", key, now=time.time())
    return {"Host": host, "Content-Type": "text/plain", "Authorization": f"Bearer {token}"}


async def test_the_rest_api_by_the_lane_and_by_asgi() -> None:
    async with service() as running:
        port = port_of(running)
        rows = [
            # host, origin, key -> status of a send, of a list
            ("localhost", None, DEFAULT_ACCESS_KEY, 202, 200),
            ("127.0.0.1:8080", "http://localhost:3000", DEFAULT_ACCESS_KEY, 202, 200),
            ("localhost", EVIL, DEFAULT_ACCESS_KEY, 403, 403),
            ("localhost", "null", DEFAULT_ACCESS_KEY, 403, 403),
            ("evil.example", None, DEFAULT_ACCESS_KEY, 421, 421),
            ("evil.example:8080", "http://evil.example:8080", DEFAULT_ACCESS_KEY, 421, 421),
            ("evil.example", None, OWN_KEY, 202, 200),
            ("localhost", EVIL, OWN_KEY, 202, 200),
            ("evil.example", None, "another key that is not the service's", 421, 421),
            ("localhost", None, None, 401, 401),
            ("evil.example", None, None, 421, 421),
        ]
        for host, origin, key, sent, listed in rows:
            for method, target, status in (("POST", SEND, sent), ("GET", LIST, listed)):
                headers = rest_headers(host, target, key)
                if origin is not None:
                    headers["Origin"] = origin
                found, text = await ask(port, method, target, headers, b"hi" if method == "POST" else b"")
                assert (host, origin, key, found) == (host, origin, key, status)
                if found in (421, 403):
                    assert ("--allow-host" if found == 421 else "--allow-origin") in text


async def test_what_needs_no_key_is_behind_the_door_too() -> None:
    async with service() as running:
        port = port_of(running)
        for path in ("/api/health", "/", "/nothing"):
            assert (await ask(port, "GET", path, {"Host": "evil.example"}))[0] == 421
            assert (await ask(port, "GET", path, {"Host": "localhost", "Origin": EVIL}))[0] == 403
        assert (await ask(port, "GET", "/api/health", {"Host": "localhost"}))[0] == 200
        # An absolute target names the host, whatever the header says.
        target = "http://evil.example/api/health"
        assert (await ask(port, "GET", target, {"Host": "localhost"}))[0] == 421


async def test_clients() -> None:
    async with service(hubs={}) as running:
        port = port_of(running)

        async def connect(host: str, origin: str | None, key: str) -> int:
            url = client_access(ConnectionString(f"http://{host}", key), "chat", now=time.time()).url
            headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
            return (await upgrade(port, "/" + url.split("/", 3)[3], headers))[0]

        assert await connect("localhost", None, DEFAULT_ACCESS_KEY) == 101
        assert await connect("localhost", "http://127.0.0.1:5500", DEFAULT_ACCESS_KEY) == 101
        assert await connect("localhost", EVIL, DEFAULT_ACCESS_KEY) == 403
        assert await connect("evil.example", None, DEFAULT_ACCESS_KEY) == 421
        assert await connect("localhost", EVIL, OWN_KEY) == 101
        assert await connect("evil.example", "http://evil.example", OWN_KEY) == 101


async def test_a_client_that_comes_back_has_a_token_as_well() -> None:
    async with service(access_keys=(OWN_KEY,)) as running:
        target = "/client/hubs/chat?awps_connection_id=x&awps_reconnection_token="
        token = reconnection_token("x", OWN_KEY, now=time.time())  # type: ignore[arg-type]
        forged = reconnection_token("x", DEFAULT_ACCESS_KEY, now=time.time())  # type: ignore[arg-type]
        headers = {"Host": "localhost", "Origin": EVIL}
        assert (await upgrade(port_of(running), target + token, headers))[0] == 101
        assert (await upgrade(port_of(running), target + forged, headers))[0] == 403


async def test_anonymous_clients_are_asked_whatever_the_keys() -> None:
    hubs = {"chat": HubSettings(anonymous_connect_policy="allow")}
    async with service(access_keys=(OWN_KEY,), hubs=hubs) as running:
        for origin, status in ((EVIL, 403), ("http://localhost", 101)):
            headers = {"Host": "localhost", "Origin": origin}
            assert (await upgrade(port_of(running), "/client/hubs/chat", headers))[0] == status


async def test_who_is_allowed_comes_in_and_that_can_change_while_it_runs() -> None:
    allowed: dict[str, Any] = {"allowed_hosts": ("dev.example",), "allowed_origins": (EVIL,)}
    async with service(**allowed, public_endpoints=("https://chat.example/path",)) as running:
        port = port_of(running)

        async def statuses() -> list[int]:
            hosts = [{"Host": name} for name in ("dev.example:1", "chat.example", "other.example")]
            every = [*hosts, {"Host": "localhost", "Origin": EVIL}]
            return [(await ask(port, "GET", "/api/health", headers))[0] for headers in every]

        assert await statuses() == [200, 200, 421, 200]
        running.use_settings(ServiceSettings(allowed_hosts=("other.example",)))
        assert await statuses() == [421, 421, 200, 403]


async def test_a_listener_that_other_machines_reach_asks_nobody() -> None:
    async with service("0.0.0.0") as running:
        headers = {"Host": "evil.example", "Origin": EVIL}
        assert (await ask(port_of(running), "GET", "/api/health", headers))[0] == 200


# --- the host -----------------------------------------------------------------------------------------

APP = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp(http_auth_level="ANONYMOUS")

@app.route(route="hello")
def hello(req: func.HttpRequest) -> str:
    return "hello"

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
def message(data):
    return "you said it"
"""
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "localhost",
    "ce-specversion": "1.0",
    "ce-awpsversion": "1.0",
    "ce-type": "azure.webpubsub.user.message",
    "ce-source": "/hubs/chat/client/c1",
    "ce-id": "7",
    "ce-time": "2026-01-01T00:00:00Z",
    "ce-connectionId": "c1",
    "ce-hub": "chat",
    "ce-eventName": "message",
}
WEBHOOK = "/runtime/webhooks/webpubsub"


def signed(key: str) -> dict[str, str]:
    return EVENT | {"ce-signature": "sha256=" + hmac.digest(key.encode(), b"c1", "sha256").hex()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "function_app", raising=False)
    (tmp_path / "function_app.py").write_text(APP)
    return tmp_path


@contextlib.asynccontextmanager
async def app(
    folder: Path, key: str, told: list[TraceEvent] | None = None, address: str = "127.0.0.1", **given: Any
) -> AsyncIterator[tuple[int, ServedApp]]:
    os.environ[SETTING] = f"Endpoint=http://localhost:8080;AccessKey={key};Version=1.0;"
    options = start_options(folder, host=address, with_service=False, **given)
    listener = bind(address, 0, "")
    addresses = Addresses("http://localhost:1", listener)
    trace = SILENT if told is None else Trace(told.append)
    made = ServedApp(options, addresses, load_host(options, addresses, trace))
    await made.start()
    try:
        yield listener.getsockname()[1], made
    finally:
        await made.stop(Grace(2))


async def test_pages_neither_read_keys_nor_set_them(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY) as (port, _app):
        body, declared = b'{"value": "planted"}', {"Content-Type": "application/json"}
        for path in ("/admin/host/keys", "/ADMIN/host/systemkeys/_master", "/%61dmin/host/keys/x"):
            for method in ("GET", "PUT", "POST", "DELETE"):
                for headers, status in (
                    ({"Host": "evil.example:7071", "Origin": "http://evil.example:7071"}, 421),
                    ({"Host": "evil.example"}, 421),
                    ({"Host": "localhost", "Origin": EVIL}, 403),
                    ({"Host": "localhost", "Origin": "null"}, 403),
                ):
                    assert (await ask(port, method, path, headers | declared, body))[0] == status
        assert not (folder / ".webpubsub").exists()  # no key was made or set


async def test_whoever_is_of_this_machine_does(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY) as (port, _app):
        assert (await ask(port, "GET", "/admin/host/keys", {"Host": "localhost:7071"}))[0] == 200
        assert (await ask(port, "POST", "/admin/host/keys/mine", {"Host": "127.0.0.1:7071"}))[0] == 201
        headers = {"Host": "[::1]:7071", "Origin": "http://localhost:7071"}
        assert (await ask(port, "GET", "/admin/host/status", headers))[0] == 200


async def test_functions_are_asked_for_their_host_and_leave_origins_to_cors(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY) as (port, _app):
        assert (await ask(port, "GET", "/api/hello", {"Host": "localhost", "Origin": EVIL}))[0] == 200
        assert (await ask(port, "GET", "/api/hello", {"Host": "evil.example"}))[0] == 421


@pytest.mark.parametrize("key", [DEFAULT_ACCESS_KEY, OWN_KEY])
async def test_events(folder: Path, key: str) -> None:
    is_own = key == OWN_KEY
    async with app(folder, key) as (port, _app):
        for host, origin, status in (
            ("localhost", None, 200),
            ("tunnel.example", None, 200 if is_own else 421),
            ("localhost", EVIL, 200 if is_own else 403),
        ):
            headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
            found = await ask(port, "POST", WEBHOOK, headers | signed(key), b"hi")
            assert (host, origin, found[0]) == (host, origin, status)
        wrong = {"Host": "tunnel.example"} | signed("not the key")
        assert (await ask(port, "POST", WEBHOOK, wrong, b"hi"))[0] == 421
        elsewhere = {"Host": "tunnel.example"} | signed(key)  # an event opens nothing but the webhook
        assert (await ask(port, "GET", "/admin/host/keys", elsewhere))[0] == 421


async def test_who_has_a_key_of_the_host_is_not_asked(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY, auth=True) as (port, served):
        access = served.host.access
        assert access is not None
        foreign = {"Host": "tunnel.example", "Origin": EVIL}
        for path in ("/admin/host/keys", "/api/hello", WEBHOOK):
            assert (await ask(port, "GET", f"{path}?code=wrong", foreign))[0] in (421, 403)
        assert (await ask(port, "GET", f"/admin/host/keys?code={access.master}", foreign))[0] == 200
        assert (await ask(port, "GET", f"/api/hello?code={access.webhook_code}", foreign))[0] == 200
        found = await ask(
            port, "POST", f"{WEBHOOK}?code={access.webhook_code}", foreign | signed(DEFAULT_ACCESS_KEY)
        )
        assert found[0] == 200


async def test_who_is_allowed_by_option_or_by_cors_comes_in(folder: Path) -> None:
    (folder / "local.settings.json").write_text(
        '{"IsEncrypted": false, "Host": {"CORS": "https://cors.example"}}'
    )
    allowed: dict[str, Any] = {"allowed_hosts": ("dev.example",), "allowed_origins": ("https://app.example",)}
    async with app(folder, DEFAULT_ACCESS_KEY, **allowed) as (port, _app):
        rows = [("https://cors.example", 200), ("https://app.example", 200), (EVIL, 403)]
        for origin, status in rows:
            headers = {"Host": "dev.example", "Origin": origin}
            assert (await ask(port, "GET", "/admin/host/status", headers))[0] == status


async def test_whom_the_door_lets_in_may_change_things(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY, allowed_origins=("https://app.example",)) as (port, _app):
        for origin, status in (("https://app.example", 201), ("http://localhost:3000", 201), (EVIL, 403)):
            headers = {"Host": "localhost", "Origin": origin}
            path = f"/admin/host/keys/{origin[-4:]}"
            assert (await ask(port, "POST", path, headers))[0] == status


async def test_a_host_that_other_machines_reach_asks_nobody(folder: Path) -> None:
    async with app(folder, DEFAULT_ACCESS_KEY, address="0.0.0.0") as (port, _app):
        assert (await ask(port, "GET", "/admin/host/status", {"Host": "evil.example", "Origin": EVIL}))[
            0
        ] == 200


async def test_a_refusal_is_told_with_the_option(folder: Path) -> None:
    told: list[TraceEvent] = []
    async with app(folder, DEFAULT_ACCESS_KEY, told) as (port, _app):
        await ask(port, "GET", "/api/hello", {"Host": "dev.example"})
    assert [event.detail["message"] for event in told if event.name == "request"] == [
        "The request is for the host dev.example, which is no name of this machine: start with "
        "--allow-host dev.example to let such requests in. Answered with 421."
    ]


async def test_the_embedded_service_lets_in_whom_the_start_lets_in(folder: Path) -> None:
    options = start_options(folder, allowed_hosts=("dev.example",), allowed_origins=("https://app.example",))
    (folder / "local.settings.json").write_text(
        '{"IsEncrypted": false, "Host": {"CORS": "https://cors.example"}}'
    )
    addresses = Addresses.find(options)
    embedded = addresses.service(options, SILENT)
    assert embedded is not None
    assert addresses.service_listener is not None
    port = addresses.service_listener.getsockname()[1]
    await embedded.start()
    try:
        for host, origin, status in (
            ("dev.example", "https://app.example", 200),
            ("dev.example", "https://cors.example", 200),
            ("dev.example", EVIL, 403),
            ("evil.example", None, 421),
        ):
            headers = {"Host": host} | ({} if origin is None else {"Origin": origin})
            assert (await ask(port, "GET", "/api/health", headers))[0] == status
    finally:
        await embedded.stop(Grace(2))
        addresses.listener.close()
