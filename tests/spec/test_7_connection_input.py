"""Section 7 of the extension's specification: what a client needs to connect, row by row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest

from kit.identity_peers import Credential
from kit.rest_service import RestService, running_rest_service
from kit.spec_app import KEY, SpecApp, running_app

NOW = 1_767_225_600.0
NEVER = 4_000_000_000


def app_of(members: str) -> str:
    return f"""
import azure.functions as func
app = func.FunctionApp()

@app.route(route="negotiate")
@app.generic_input_binding(
    arg_name="connection", type="webPubSubConnection", connection="C", {members})
def negotiate(req, connection: str):
    return func.HttpResponse(connection)
"""


TYPED = """
import azure.functions as func
import webpubsub as wps
app = wps.FunctionApp()

@app.route(route="negotiate")
@app.web_pubsub_connection_input(hub="chat", connection="C", user_id="{query.user}", client_protocol="mqtt")
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection) -> func.HttpResponse:
    return func.HttpResponse(f"{type(connection).__name__} {connection.url}")
"""


async def connection_of(app: SpecApp, query: str = "") -> dict[str, Any]:
    answer = await app.request("GET", f"/api/negotiate{query}")
    assert answer.status == 200, app.failure
    found: dict[str, Any] = answer.json
    return found


# --- with a key: signed here --------------------------------------------------------------------------


def claims_of(token: str) -> dict[str, Any]:
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    options: Any = dict.fromkeys(("verify_exp", "verify_aud", "verify_nbf", "verify_iat"), False)
    found: dict[str, Any] = jwt.decode(token, KEY.encode(), algorithms=["HS256"], options=options)
    return found


TIMES = {"nbf": NOW, "iat": NOW, "exp": NOW + 3600}
KEYED = {
    "https": ("https://a.b", "", "", "wss://a.b/client/hubs/chat", {}),
    "http": ("http://a.b", "", "", "ws://a.b/client/hubs/chat", {}),
    "a port": ("http://a.b:8080", "", "", "ws://a.b:8080/client/hubs/chat", {}),
    "a default port": ("https://a.b:443", "", "", "wss://a.b/client/hubs/chat", {}),
    "default": ("https://a.b", ", clientProtocol='DEFAULT'", "", "wss://a.b/client/hubs/chat", {}),
    "mqtt": ("https://a.b", ", clientProtocol='mqtt'", "", "wss://a.b/clients/mqtt/hubs/chat", {}),
    "MQTT": ("http://a.b:1", ", clientProtocol='MQTT'", "", "ws://a.b:1/clients/mqtt/hubs/chat", {}),
    "a user": (
        "https://a.b",
        ", userId='{query.user}'",
        "?user=alice",
        "wss://a.b/client/hubs/chat",
        {"sub": "alice"},
    ),
    # This host's own.
    "roles, groups and a lifetime": (
        "https://a.example",
        ", roles=['webpubsub.sendToGroup'], groups=['a', 'b'], expiresAfter=90",
        "",
        "wss://a.example/client/hubs/chat",
        {"role": ["webpubsub.sendToGroup"], "webpubsub.group": ["a", "b"], "exp": NOW + 90},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("endpoint", "members", "query", "url", "claims"), KEYED.values(), ids=KEYED)
async def test_7_with_a_key_the_token_is_signed_here(
    tmp_path: Path, endpoint: str, members: str, query: str, url: str, claims: dict[str, Any]
) -> None:
    settings = {"C": f"Endpoint={endpoint};AccessKey={KEY};"}
    source = app_of(f"hub='chat'{members}")
    async with running_app(tmp_path, source, settings, clock=lambda: NOW) as app:
        found = await connection_of(app, query)
    token = found["accessToken"]
    assert found == {"baseUrl": url, "url": f"{url}?access_token={token}", "accessToken": token}
    assert list(found) == ["baseUrl", "url", "accessToken"]
    audience = "http" + url.removeprefix("ws")
    assert claims_of(token) == {"aud": audience, **TIMES, **claims}


async def test_7_a_typed_function_gets_a_value(tmp_path: Path) -> None:
    settings = {"C": f"Endpoint=https://a.example;AccessKey={KEY};"}
    async with running_app(tmp_path, TYPED, settings, clock=lambda: NOW) as app:
        answer = await app.request("GET", "/api/negotiate?user=alice")
    url, _, token = answer.text.partition("?access_token=")
    assert url == "WebPubSubConnection wss://a.example/clients/mqtt/hubs/chat"
    assert claims_of(token)["sub"] == "alice"


# --- with an identity: asked of the service -----------------------------------------------------------


VERSION = "api-version=2024-12-01"
ASKED = {
    "nobody": ("", "", f"minutesToExpire=60&clientType=Default&{VERSION}"),
    "a user": (
        ", userId='{query.user}'",
        "?user=al%20ice",
        f"userId=al%20ice&minutesToExpire=60&clientType=Default&{VERSION}",
    ),
    "mqtt": (", clientProtocol='mqtt'", "", f"minutesToExpire=60&clientType=MQTT&{VERSION}"),
    "roles and groups": (
        ", roles=['webpubsub.sendToGroup', 'r'], groups=['{query.room}']",
        "?room=1",
        f"role=webpubsub.sendToGroup&role=r&group=1&minutesToExpire=60&clientType=Default&{VERSION}",
    ),
    "whole minutes": (", expiresAfter=119", "", f"minutesToExpire=1&clientType=Default&{VERSION}"),
    "at least one": (", expiresAfter=5", "", f"minutesToExpire=1&clientType=Default&{VERSION}"),
}


async def identified(folder: Path, source: str, query: str = "", answer: str = '{"token": "t"}') -> Any:
    """Ask an app for a connection whose service is there, and signs its tokens itself."""
    async with running_rest_service() as service:
        service.status, service.text = 200, answer
        given = {"credentials": {"C": Credential(["identity"], NEVER)}}
        async with running_app(folder, source, {"C__serviceUri": service.url}, **given) as app:
            return service, app, await app.request("GET", f"/api/negotiate{query}")


@pytest.mark.parametrize(("members", "query", "asked"), ASKED.values(), ids=ASKED)
async def test_7_with_an_identity_the_service_is_asked(
    tmp_path: Path, members: str, query: str, asked: str
) -> None:
    service: RestService
    service, _, answer = await identified(tmp_path, app_of(f"hub='chat'{members}"), query)
    ((method, target, headers, body),) = service.requests
    assert (method, target, body) == ("POST", f"/api/hubs/chat/:generateToken?{asked}", b"")
    assert headers["authorization"] == "Bearer identity"
    path = "/clients/mqtt/hubs/chat" if "mqtt" in members else "/client/hubs/chat"
    url = f"ws{service.url.removeprefix('http')}{path}"
    assert answer.json == {"baseUrl": url, "url": f"{url}?access_token=t", "accessToken": "t"}


async def test_7_with_an_identity_a_typed_function_gets_a_value(tmp_path: Path) -> None:
    service, _, answer = await identified(tmp_path, TYPED, "?user=alice")
    url = f"ws{service.url.removeprefix('http')}/clients/mqtt/hubs/chat?access_token=t"
    assert answer.text == f"WebPubSubConnection {url}"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"token": 1}'])
async def test_7_what_is_no_token_fails_the_function(tmp_path: Path, text: str) -> None:
    _, app, answer = await identified(tmp_path, app_of("hub='chat'"), answer=text)
    assert answer.status == 500
    assert app.failure.startswith("the service's token for binding 'connection' cannot be read: ")


async def test_7_a_service_that_refuses_fails_the_function(tmp_path: Path) -> None:
    async with running_rest_service() as service:
        service.status = 403
        given = {"credentials": {"C": Credential(["identity"], NEVER)}}
        source = app_of("hub='chat'")
        async with running_app(tmp_path, source, {"C__serviceUri": service.url}, **given) as app:
            assert (await app.request("GET", "/api/negotiate")).status == 500
    assert app.failure.startswith("operation GenerateClientToken on hub 'chat' was refused: ")
    assert app.failure.endswith("(status 403)")


async def test_7_a_service_that_is_away_fails_the_function(tmp_path: Path) -> None:
    async with running_rest_service() as service:
        url = service.url
    given = {"credentials": {"C": Credential(["identity"], NEVER)}}
    async with running_app(tmp_path, app_of("hub='chat'"), {"C__serviceUri": url}, **given) as app:
        assert (await app.request("GET", "/api/negotiate")).status == 500
        assert f"cannot be performed: {url} is not reached: " in app.failure
