"""Connections without a key: the real commands, the real azure-identity, and managed identities.

What provides them is what App Service and Container Apps have for their apps: an endpoint of the machine that
gives tokens to whoever knows the secret in the environment. The service takes them, as Azure takes Entra's.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import connect

from kit.contract_clients import get_json, hear
from kit.identity_peers import AUDIENCE, ISSUER, issue, new_key_pair

pytestmark = pytest.mark.contract

INSTALL = 'pip install "webpubsub[identity]"'
HEADER = "the header of the endpoint"
APP = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()

@app.route(route="negotiate")
@app.web_pubsub_connection_input(hub="chat", user_id="{query.user}", connection="Cloud", groups=["room"])
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    return func.HttpResponse('{"url": "%s"}' % connection.url, mimetype="application/json")

@app.route(route="send/{text}")
@app.web_pubsub_output(hub="chat", connection="Cloud")
def send(req: func.HttpRequest, actions: wps.Actions) -> str:
    actions.send_to_group("room", req.route_params["text"])
    return "sent"

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message", connections=["Cloud"])
def message(request: wps.UserEventRequest) -> str:
    return f"{request.connection_context.user_id} said {request.data}"
"""


class Provider:
    """Gives tokens for as long as it has a key."""

    def __init__(self) -> None:
        self.private, self.public = new_key_pair()
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("X-IDENTITY-HEADER") != HEADER:
            return web.json_response({"error": "unauthorized"}, status=401)
        self.asked.append(dict(request.query))
        expires = int(time.time()) + 3600
        token = issue(self.private, "RS256", **{"exp": expires, **self.claims})
        return web.json_response(
            {"access_token": token, "expires_on": str(expires), "resource": AUDIENCE, "token_type": "Bearer"}
        )


@pytest.fixture
async def provider(need_package: Callable[..., None]) -> AsyncIterator[Provider]:
    need_package("azure.identity", install=INSTALL)
    made = Provider()
    app = web.Application()
    app.router.add_get("/msi/token", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token"
    yield made
    await runner.cleanup()


class Deployment:
    """A service that takes the provider's tokens, and an app that knows no key of it."""

    def __init__(self, service_url: str, app_url: str) -> None:
        self.service_url = service_url
        self.app_url = app_url

    async def client_url(self, user: str) -> str:
        url: str = (await get_json(f"{self.app_url}/api/negotiate?user={user}"))["url"]
        return url

    async def send(self, text: str) -> int:
        url = f"{self.app_url}/api/send/{text}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status


@pytest.fixture
def deploy(
    tmp_path: Path, run_command: Callable[..., AbstractContextManager[Any]], provider: Provider
) -> Iterator[Callable[..., Deployment]]:
    with ExitStack() as running:

        def start(**section: str) -> Deployment:
            with run_command("service", "--port", "0") as first:  # a port that is free
                port = first.service_url.rpartition(":")[2]
            app = tmp_path / "app"
            app.mkdir()
            (app / "function_app.py").write_text(APP)
            values = {
                "Cloud__serviceUri": f"http://localhost:{port}",
                "IDENTITY_ENDPOINT": provider.url,
                "IDENTITY_HEADER": HEADER,
                **{f"Cloud__{name}": value for name, value in section.items()},
            }
            (app / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
            host = running.enter_context(run_command("start", str(app), "--no-service", "--port", "0"))
            handler = {
                "urlTemplate": f"{host.host_url}/runtime/webhooks/webpubsub",
                "userEventPattern": "message",
            }
            settings = {
                "hubs": {"chat": {"eventHandlers": [handler]}},
                "tokenIssuers": [{"issuer": ISSUER, "key": provider.public}],
            }
            (tmp_path / "service.json").write_text(json.dumps(settings))
            arguments = ("service", "--port", port, "--settings", str(tmp_path / "service.json"))
            service = running.enter_context(run_command(*arguments))
            return Deployment(service.service_url, host.host_url)

        yield start


async def test_an_app_without_a_key_does_everything(
    deploy: Callable[..., Deployment], provider: Provider
) -> None:
    app = deploy(credential="managedidentity")
    async with connect(await app.client_url("alice")) as alice:
        # The event's signature is of a key that the app does not know; its origin is right.
        await alice.send("hello")
        assert await hear(alice) == ["alice said hello"]
        statuses = await asyncio.gather(*(app.send(f"message-{number}") for number in range(20)))
        assert statuses == [200] * 20
        assert sorted(await hear(alice, 20)) == sorted(f"message-{number}" for number in range(20))
    assert provider.asked == [{"api-version": "2019-08-01", "resource": AUDIENCE}]  # once for all


async def test_a_user_assigned_identity_is_asked_for(
    deploy: Callable[..., Deployment], provider: Provider
) -> None:
    app = deploy(credential="managedidentity", clientId="b1a2")
    assert await app.send("hello") == 200
    assert [asked["client_id"] for asked in provider.asked] == ["b1a2"]


async def test_the_default_credential_finds_the_managed_identity(
    deploy: Callable[..., Deployment], provider: Provider
) -> None:
    assert await deploy().send("hello") == 200
    assert len(provider.asked) == 1


@pytest.mark.feature("token issuers")
async def test_the_service_refuses_what_is_no_token_for_it(
    deploy: Callable[..., Deployment], provider: Provider
) -> None:
    provider.claims = {"aud": "https://management.azure.com"}
    assert await deploy(credential="managedidentity").send("hello") == 500
