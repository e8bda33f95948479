"""Events in HTTP functions: with the real command and clients, and the same in Azure's own worker."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from kit.contract_clients import client_url, hear
from kit.functions_worker import Worker, running_worker
from kit.spec_app import CONNECT, DEFAULT, DISCONNECTED, USER, SpecApp, running_app
from webpubsub.functions.host_json import encode_context
from webpubsub.host.bindings.web_pubsub_context import read_upstream
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.access.signature import RequestValidator

pytestmark = pytest.mark.contract

APP = """
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

@app.route(route="{event}")
@app.web_pubsub_context_input()
async def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    request = wps_context.request
    match request:
        case wps.ConnectEventRequest():
            if request.connection_context.user_id == "attacker":
                return wps.http_response(wps_context, request.create_error_response("unauthorized", "no"))
            response = request.create_response(groups=["all"])
            response.set_state("count", 0)
            return wps.http_response(wps_context, response)
        case wps.UserEventRequest():
            count = request.connection_context.states["count"] + 1
            response = request.create_response(f"{count}: {request.data}")
            response.set_state("count", count)
            return wps.http_response(wps_context, response)
    return wps.http_response(wps_context)
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    return folder


Run = Callable[..., AbstractContextManager[Any]]


@pytest.mark.parametrize("more", [[], ["--reload"], ["--in-process"]], ids=" ".join)
async def test_the_embedded_service_sends_events_to_http_functions(
    app: Path, run_command: Run, more: list[str]
) -> None:
    arguments = ["start", str(app), "--port", "0", "--service-port", "0", *more]
    with run_command(*arguments, "--event-handler", "chat=/api/{event}") as command:
        assert "Event handler: chat=/api/{event}\n" in command.output
        connection = command.connection_string
        async with connect(client_url(connection, "chat", "alice")) as alice:
            await alice.send("hello")
            await alice.send("again")
            assert await hear(alice, 2) == ["1: hello", "2: again"]
        with pytest.raises(InvalidStatus) as refused:
            async with connect(client_url(connection, "chat", "attacker")):
                pass
        assert refused.value.response.status_code == 401


def test_without_the_option_it_is_shown(app: Path, run_command: Run) -> None:
    with run_command("start", str(app), "--port", "0", "--service-port", "0") as command:
        assert "Events for upstream are sent with: --event-handler HUB=/api/{event}\n" in command.output, (
            command.output
        )


# --- the same in the worker ---------------------------------------------------------------------------

COUNT_5 = {"ce-connectionState": "eyJjb3VudCI6Ik5RPT0ifQ=="}
REQUESTS: dict[str, tuple[str, dict[str, str], bytes]] = {
    "a question": ("OPTIONS", {"WebHook-Request-Origin": "wps.example"}, b""),
    "a refused question": ("OPTIONS", {"WebHook-Request-Origin": "a.example"}, b""),
    "connect": ("POST", CONNECT, b"{}"),
    "a refused connect": ("POST", CONNECT | {"ce-userId": "attacker"}, b"{}"),
    "a message": ("POST", USER | COUNT_5, "héllo".encode()),
    "disconnected": ("POST", DISCONNECTED | COUNT_5, b'{"reason": "bye"}'),
    "no event": ("GET", {}, b""),
    "a forged event": ("POST", USER | {"ce-signature": "sha256=00"}, b"hello"),
}
SHOWN = ("ce-connectionstate", "webhook-allowed-origin")


@pytest.fixture(scope="module")
def worker(worker_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "function_app.py").write_text(APP)
    with running_worker(worker_python, folder) as running:
        yield running


def in_worker(worker: Worker, method: str, headers: dict[str, str], body: bytes) -> Any:
    """Return status, body and headers of the worker's answer to what the extension hands over."""
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    validator = RequestValidator([ConnectionString.parse(DEFAULT["WebPubSubConnectionString"])])
    context = encode_context(read_upstream(method, raw, body, validator))
    request = {"http": {"method": method, "url": "http://127.0.0.1:7071/api/event"}}
    invoked = worker.invoke("upstream", {"req": request, "wpsContext": {"string": context}})
    assert invoked["result"]["status"] == "Success", invoked
    answer = invoked["returnValue"]["http"]
    sent = {name.lower(): value for name, value in answer["headers"].items()}
    return (
        int(answer["statusCode"]),
        base64.b64decode(answer["body"]["bytes"]),
        {name: sent.get(name) for name in (*SHOWN, "content-type")},
    )


async def in_host(app: SpecApp, method: str, headers: dict[str, str], body: bytes) -> Any:
    answer = await app.request(method, "/api/event", headers, body)
    return answer.status, answer.body, {name: answer.header(name) for name in (*SHOWN, "content-type")}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_the_answer_is_the_same_in_the_worker(
    worker: Worker, tmp_path: Path, request_: tuple[str, dict[str, str], bytes]
) -> None:
    async with running_app(tmp_path, APP) as app:
        assert in_worker(worker, *request_) == await in_host(app, *request_)


async def test_the_answer_is_what_the_service_needs(tmp_path: Path) -> None:
    async with running_app(tmp_path, APP) as app:
        found = {name: (await in_host(app, *request))[:2] for name, request in REQUESTS.items()}
        count_6 = (await in_host(app, *REQUESTS["a message"]))[2]["ce-connectionstate"]
    body = {"userId": None, "groups": ["all"], "subprotocol": None, "roles": None}
    assert found == {
        "a question": (200, b""),
        "a refused question": (400, b""),
        "connect": (200, json.dumps(body, separators=(",", ":")).encode()),
        "a refused connect": (401, b"no"),
        "a message": (200, "6: héllo".encode()),
        "disconnected": (200, b""),
        "no event": (400, b"header ce-type is missing"),
        "a forged event": (401, b"origin 'wps.example' or signature is not that of a configured connection"),
    }
    assert count_6 == "eyJjb3VudCI6Ik5nPT0ifQ=="
