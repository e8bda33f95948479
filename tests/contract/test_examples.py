"""The examples that have no file of their own here, as their README starts them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kit.asgi_client import RecordingSink
from kit.contract_clients import client_url, get_json, hear
from kit.spec_app import running_app

pytestmark = pytest.mark.contract

Start = Callable[..., AbstractContextManager[Any]]
IN_PROCESS = pytest.mark.parametrize("more", [(), ("--in-process",)], ids=["http", "in process"])
EXAMPLES = Path(__file__).parents[2] / "examples"


async def page_title(command: Any) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{command.host_url}/api/index") as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        return (await answer.text()).partition("<title>")[2].partition("</title>")[0]


# --- simplechat-wpscontext ------------------------------------------------------------------------------


@pytest.fixture
def chat_by_http(start_example: Start) -> Iterator[Any]:
    arguments = ("--event-handler", "simplechat=/api/{event}")
    with start_example("simplechat-wpscontext", *arguments) as command:
        yield command


async def test_people_talk_through_http_functions(chat_by_http: Any) -> None:
    assert await page_title(chat_by_http) == "Simple chat by HTTP"
    login = f"{chat_by_http.host_url}/api/login?userId="
    async with connect((await get_json(f"{login}alice"))["url"]) as alice:
        assert await hear(alice, 2) == ["[SYSTEM] alice is connected", "[SYSTEM] alice joined group: group1"]
        async with connect((await get_json(f"{login}bob"))["url"]) as bob:
            arrival = ["[SYSTEM] bob is connected", "[SYSTEM] bob joined group: group1"]
            assert await hear(bob, 2) == await hear(alice, 2) == arrival
            for number, text in enumerate(["hello", "日本"], start=1):
                await alice.send(text)
                # The acknowledgement is the answer, the message an action: their order is not promised.
                heard = await hear(alice, 2)
                assert sorted(heard) == [f"[From alice] {text}", f"[SYSTEM] ack, {number} so far"]
                assert await hear(bob) == [f"[From alice] {text}"]
        assert await hear(alice) == ["[SYSTEM] bob is disconnected"]


async def test_an_attacker_is_refused_by_an_http_function(chat_by_http: Any) -> None:
    attacker = await get_json(f"{chat_by_http.host_url}/api/login?userId=attacker")
    with pytest.raises(InvalidStatus) as refused:
        async with connect(attacker["url"]):
            pass
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "message", 400),
        ("POST", "connect", 400),
        ("OPTIONS", "validate", 400),
        ("GET", "message", 404),
    ],
)
async def test_strangers_get_nowhere(chat_by_http: Any, method: str, path: str, status: int) -> None:
    url = f"{chat_by_http.host_url}/api/{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, data=b"hello") as answer:
        assert answer.status == status


# --- iot-hub-data-visualization -------------------------------------------------------------------------


@IN_PROCESS
async def test_readings_of_devices_reach_the_page(start_example: Start, more: tuple[str, ...]) -> None:
    with start_example("iot-hub-data-visualization", *more) as command:
        assert await page_title(command) == "Temperature &amp; humidity, live"
        negotiated = await get_json(f"{command.host_url}/api/negotiate?id=1")
        assert negotiated["baseUrl"].endswith("/client/hubs/iot")
        async with connect(negotiated["url"]) as page, aiohttp.ClientSession() as devices:
            url = f"{command.host_url}/api/messagehandler"
            first = {"deviceId": "d1", "temperature": 21.5, "date": "2026-01-02T03:04:05Z"}
            second = {"deviceId": "d2", "humidity": 40}
            async with devices.post(url, json=[first, second]) as answer:
                assert answer.status == 202
            heard = [json.loads(message) for message in await hear(page, 2)]
            assert heard[0] == {"IotData": first, "MessageDate": first["date"], "DeviceId": "d1"}
            assert (heard[1]["IotData"], heard[1]["DeviceId"]) == (second, "d2")
            async with devices.post(url, json=[first, {"temperature": 1}]) as answer:
                text = "message 2 is no reading: expected an object with 'deviceId'"
                assert (answer.status, await answer.text()) == (400, text)
            async with devices.post(url, data=b"no json") as answer:
                assert answer.status == 400


# --- aadchat --------------------------------------------------------------------------------------------


@IN_PROCESS
async def test_people_who_are_signed_in_talk(start_example: Start, more: tuple[str, ...]) -> None:
    with start_example("aadchat", *more) as command:
        assert await page_title(command) == "Chat, signed in"
        negotiate = f"{command.host_url}/api/negotiate"
        async with aiohttp.ClientSession() as session:
            async with session.get(negotiate) as answer:
                assert (answer.status, await answer.text()) == (401, "Sign in first.")
            name = {"X-MS-CLIENT-PRINCIPAL-NAME": "alice@example.com"}
            async with session.get(negotiate, headers=name) as answer:
                url = (await answer.json())["url"]
        async with connect(url) as alice, connect(client_url(command.connection_string, "aadchat")) as other:
            await alice.send("hello")
            assert sorted(await hear(alice, 2)) == ["[SYSTEM] ack", "[alice@example.com] hello"]
            assert await hear(other) == ["[alice@example.com] hello"]


SERVICE_EVENT = {
    "WebHook-Request-Origin": "localhost",
    "ce-type": "azure.webpubsub.user.message",
    "ce-hub": "aadchat",
    "ce-eventName": "message",
    "ce-connectionId": "c1",
    "Content-Type": "text/plain",
}


@pytest.mark.parametrize(
    ("callers", "status", "body"),
    [
        ((), 401, b"x-ms-client-principal-id is missing"),
        (("the-service", "another"), 500, b"2 callers: expected one"),
        (("another",), 401, b"object id another is not expected"),
        (("the-service",), 200, b"[SYSTEM] ack"),
    ],
)
async def test_only_the_service_s_identity_sends_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, callers: tuple[str, ...], status: int, body: bytes
) -> None:
    monkeypatch.setenv("WebPubSubIdentityObjectId", "the-service")
    source = (EXAMPLES / "aadchat/function_app.py").read_text(encoding="utf-8")
    settings = {"WebPubSubConnectionString__serviceUri": "http://localhost:8080", "Hub": "aadchat"}
    headers = [*SERVICE_EVENT.items(), *(("X-MS-CLIENT-PRINCIPAL-ID", caller) for caller in callers)]
    sinks = {"WebPubSubConnectionString": RecordingSink()}
    async with running_app(tmp_path, source, settings, sinks=sinks) as app:
        answer = await app.event(headers, b"hello")
    assert (answer.status, answer.body) == (status, body)
