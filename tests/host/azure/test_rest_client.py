"""Requests to the REST API, against a server on a free port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest

from kit.identity_peers import Credential
from kit.rest_service import RestService, running_rest_service
from kit.scripted_server import be_silent, scripted_server, then_close
from webpubsub.host.azure.credentials import BearerTokens
from webpubsub.host.azure.rest_client import MAX_TOKENS, TOKEN_REUSE, RestClient
from webpubsub.model.access.connection_string import ClientProtocol, ConnectionString
from webpubsub.model.actions import (
    Action,
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    RemoveUserFromAllGroupsAction,
    SendToAllAction,
    SendToGroupAction,
)
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.rest import GenerateClientToken

HUB = HubName("chat")
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
VERSION = "api-version=2024-12-01"


@pytest.fixture
async def service() -> AsyncIterator[RestService]:
    async with running_rest_service() as made:
        yield made


Make = Callable[..., RestClient]


@pytest.fixture
async def make(service: RestService) -> AsyncIterator[Make]:
    clients: list[RestClient] = []

    def make_client(**given: Any) -> RestClient:
        key = None if "tokens" in given else KEY
        clients.append(RestClient(ConnectionString(service.url, key), **given))
        return clients[-1]

    yield make_client
    for client in clients:
        await client.close()


REQUESTS: list[tuple[Action, str, str, str | None, bytes]] = [
    (SendToAllAction("hé"), "POST", f"/api/hubs/chat/:send?{VERSION}", "text/plain", "hé".encode()),
    (
        SendToGroupAction("a/b c", b"\x00\xff", excluded=["x&y"]),
        "POST",
        f"/api/hubs/chat/groups/a%2Fb%20c/:send?excluded=x%26y&{VERSION}",
        "application/octet-stream",
        b"\x00\xff",
    ),
    (SendToAllAction({"a": 1}), "POST", f"/api/hubs/chat/:send?{VERSION}", "application/json", b'{"a":1}'),
    (SendToAllAction(""), "POST", f"/api/hubs/chat/:send?{VERSION}", "text/plain", b""),
    (AddUserToGroupAction("é", "g"), "PUT", f"/api/hubs/chat/users/%C3%A9/groups/g?{VERSION}", None, b""),
    (RemoveUserFromAllGroupsAction("u"), "DELETE", f"/api/hubs/chat/users/u/groups?{VERSION}", None, b""),
    (
        CloseAllConnectionsAction(excluded=["a", "b"], reason="so long"),
        "POST",
        f"/api/hubs/chat/:closeConnections?excluded=a&excluded=b&reason=so%20long&{VERSION}",
        None,
        b"",
    ),
]


@pytest.mark.parametrize(("action", "method", "target", "content_type", "body"), REQUESTS)
async def test_an_action_is_one_signed_request(
    make: Make,
    service: RestService,
    action: Action,
    method: str,
    target: str,
    content_type: str | None,
    body: bytes,
) -> None:
    await make(clock=lambda: 1000.0).request(HUB, action, "invocation-1")
    ((found_method, found_target, headers, found_body),) = service.requests
    assert (found_method, found_target, found_body) == (method, target, body)
    if content_type is not None:
        assert headers["content-type"] == content_type
    assert headers["x-ms-client-request-id"] == "invocation-1"
    token = headers["authorization"].removeprefix("Bearer ")
    options: Any = {"verify_exp": False, "verify_aud": False, "enforce_minimum_key_length": False}
    claims = jwt.decode(token, KEY.encode(), algorithms=["HS256"], options=options)
    assert claims == {"aud": service.url + target, "iat": 1000, "exp": 4600}


async def test_without_an_id_none_is_sent(make: Make, service: RestService) -> None:
    await make().request(HUB, SendToAllAction("x"))
    assert "x-ms-client-request-id" not in service.requests[0][2]


async def test_a_refusal_says_what_the_service_said(make: Make, service: RestService) -> None:
    service.status, service.text = 400, '{"code": "Error.BadRequest", "message": "why"}'
    with pytest.raises(ActionRefused) as caught:
        await make().request(HUB, SendToAllAction("x"))
    assert caught.value.status == 400
    assert str(caught.value) == (
        "action sendToAll on hub 'chat' was refused: "
        '{"code": "Error.BadRequest", "message": "why"} (status 400)'
    )


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "Unauthorized"), (302, "Found"), (500, "Internal Server Error")]
)
async def test_a_refusal_without_text_has_the_reason(
    make: Make, service: RestService, status: int, reason: str
) -> None:
    service.status = status
    with pytest.raises(ActionRefused, match=rf"was refused: .*{reason} \(status {status}\)"):
        await make().request(HUB, SendToAllAction("x"))


async def test_a_service_that_is_not_there_is_a_refusal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = RestClient(ConnectionString(f"http://127.0.0.1:{port}", KEY))
    with pytest.raises(ActionRefused) as caught:
        await client.request(HUB, SendToAllAction("x"), "r")
    await client.close()
    assert caught.value.status == 503
    assert str(caught.value).startswith(
        f"action sendToAll on hub 'chat' cannot be performed: http://127.0.0.1:{port} is not reached: "
    )


async def test_a_connection_closed_while_idle_is_opened_again(make: Make) -> None:
    """The service answers once a connection and then closes it without a word."""
    served: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = RestClient(ConnectionString(f"http://127.0.0.1:{port}", KEY))
    await client.request(HUB, CloseAllConnectionsAction(reason="one"))
    await client.request(HUB, CloseAllConnectionsAction(reason="two"))
    await client.close()
    server.close()
    assert [b"reason=one" in served[0], b"reason=two" in served[1], len(served)] == [True, True, 2]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 11, "the answer has over 10 bytes"),
        (then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), "closed the connection"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, words: str
) -> None:
    monkeypatch.setattr("webpubsub.host.azure.rest_client.MAX_ANSWER_BYTES", 10)
    async with scripted_server() as server:
        server.scripts = [[answer]]
        client = RestClient(ConnectionString(server.url(""), KEY))
        with pytest.raises(ActionRefused, match=words) as caught:
            await client.request(HUB, GenerateClientToken())
        await client.close()
    assert (caught.value.status, len(server.requests)) == (503, 1)


async def test_a_service_that_does_not_answer_in_time_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webpubsub.host.azure.rest_client.TIMEOUT", 0.02)
    async with scripted_server() as server:
        server.scripts = [[be_silent]]
        client = RestClient(ConnectionString(server.url(""), KEY))
        with pytest.raises(ActionRefused, match=r"it does not answer within 0\.02 seconds") as caught:
            await client.request(HUB, GenerateClientToken())
        await client.close()
    assert caught.value.status == 503


async def test_a_token_is_used_again_for_a_while(make: Make, service: RestService) -> None:
    now = [0.0]
    client = make(clock=lambda: now[0])
    for moment in (0.0, TOKEN_REUSE - 1, TOKEN_REUSE):
        now[0] = moment
        await client.request(HUB, SendToAllAction("x"))
    first, second, third = service.authorizations
    assert first == second != third


async def test_no_more_tokens_than_so_many_are_kept(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webpubsub.host.azure.rest_client.MAX_TOKENS", 2)
    client = make()
    for user in ("a", "b", "a", "c"):
        await client.request(HUB, RemoveUserFromAllGroupsAction(user))
    assert [target.split("/")[5] for target in client._signed] == ["a", "c"]
    assert MAX_TOKENS == 1024


async def test_a_closed_client_opens_again(make: Make, service: RestService) -> None:
    client = make()
    await client.close()
    await client.request(HUB, SendToAllAction("x"))
    await client.close()
    await client.request(HUB, SendToAllAction("x"))
    assert len(service.requests) == 2


async def test_a_question_has_an_answer(make: Make, service: RestService) -> None:
    service.status, service.text = 200, '{"token": "t"}'
    asked = GenerateClientToken("alice", ("r1", "r2"), ("g",), 59, ClientProtocol.MQTT)
    assert await make().request(HUB, asked) == b'{"token": "t"}'
    ((method, target, _, body),) = service.requests
    query = f"userId=alice&role=r1&role=r2&group=g&minutesToExpire=59&clientType=MQTT&{VERSION}"
    assert (method, target, body) == ("POST", f"/api/hubs/chat/:generateToken?{query}", b"")


async def test_a_refused_question_is_named(make: Make, service: RestService) -> None:
    service.status = 401
    with pytest.raises(
        ActionRefused, match=r"^operation GenerateClientToken on hub 'chat' was refused: .*Unauthorized"
    ):
        await make().request(HUB, GenerateClientToken())


async def test_an_identity_signs_every_request_with_its_one_token(make: Make, service: RestService) -> None:
    credential = Credential(["first"], expires_on=3600)
    client = make(tokens=BearerTokens("C", credential, lambda: 0.0))
    await client.request(HUB, SendToAllAction("x"))
    await client.request(HUB, RemoveUserFromAllGroupsAction("a/b c"), "r")
    assert service.authorizations == ["Bearer first", "Bearer first"]
    assert service.requests[1][1] == f"/api/hubs/chat/users/a%2Fb%20c/groups?{VERSION}"
    assert service.requests[1][2]["x-ms-client-request-id"] == "r"


async def test_without_a_token_nothing_is_sent(make: Make, service: RestService) -> None:
    client = make(tokens=BearerTokens("C", Credential([]), lambda: 0.0))
    with pytest.raises(ActionRefused, match=r"the identity of connection 'C' gets no token: "):
        await client.request(HUB, SendToAllAction("x"))
    assert service.requests == []


def test_a_connection_without_key_cannot_sign() -> None:
    with pytest.raises(
        ConfigurationError, match=r"the connection to https://a\.example has no AccessKey to sign with"
    ):
        RestClient(ConnectionString("https://a.example"))
