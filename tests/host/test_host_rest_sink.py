"""Actions over REST, against a server on a free port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import jwt
import pytest
from aiohttp import web

from webpubsub.host.rest_sink import MAX_TOKENS, TOKEN_REUSE, RestActionSink
from webpubsub.model.actions import (
    Action,
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    RemoveUserFromAllGroupsAction,
    SendToAllAction,
    SendToGroupAction,
)
from webpubsub.model.connection_string import ConnectionString
from webpubsub.model.errors import ActionRefused, ConfigurationError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Phase, TraceEvent

HUB = HubName("chat")
KEY = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"
VERSION = "api-version=2024-12-01"


class Service:
    """Remembers requests and answers what it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 202
        self.text = ""
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.method, request.raw_path, headers, await request.read()))
        return web.Response(status=self.status, text=self.text or None)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


Make = Callable[..., RestActionSink]


@pytest.fixture
async def make(service: Service) -> AsyncIterator[Make]:
    sinks: list[RestActionSink] = []

    def make_sink(**given: Any) -> RestActionSink:
        sinks.append(RestActionSink(ConnectionString(service.url, KEY), **given))
        return sinks[-1]

    yield make_sink
    for sink in sinks:
        await sink.close()


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
    service: Service,
    action: Action,
    method: str,
    target: str,
    content_type: str | None,
    body: bytes,
) -> None:
    await make(clock=lambda: 1000.0).perform(HUB, action, request_id="invocation-1")
    ((found_method, found_target, headers, found_body),) = service.requests
    assert (found_method, found_target, found_body) == (method, target, body)
    if content_type is not None:
        assert headers["content-type"] == content_type
    assert headers["x-ms-client-request-id"] == "invocation-1"
    token = headers["authorization"].removeprefix("Bearer ")
    options: Any = {"verify_exp": False, "verify_aud": False, "enforce_minimum_key_length": False}
    claims = jwt.decode(token, KEY.encode(), algorithms=["HS256"], options=options)
    assert claims == {"aud": service.url + target, "iat": 1000, "exp": 4600}


async def test_without_an_id_none_is_sent(make: Make, service: Service) -> None:
    await make().perform(HUB, SendToAllAction("x"))
    assert "x-ms-client-request-id" not in service.requests[0][2]


async def test_a_refusal_says_what_the_service_said(make: Make, service: Service) -> None:
    service.status, service.text = 400, '{"code": "Error.BadRequest", "message": "why"}'
    with pytest.raises(ActionRefused) as caught:
        await make().perform(HUB, SendToAllAction("x"))
    assert caught.value.status == 400
    assert str(caught.value) == (
        "action sendToAll on hub 'chat' was refused: "
        '{"code": "Error.BadRequest", "message": "why"} (status 400)'
    )


@pytest.mark.parametrize(
    ("status", "reason"), [(401, "Unauthorized"), (302, "Found"), (500, "Internal Server Error")]
)
async def test_a_refusal_without_text_has_the_reason(
    make: Make, service: Service, status: int, reason: str
) -> None:
    service.status = status
    with pytest.raises(ActionRefused, match=rf"was refused: .*{reason} \(status {status}\)"):
        await make().perform(HUB, SendToAllAction("x"))


async def test_a_service_that_is_not_there_is_a_refusal(events: list[TraceEvent]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    sink = RestActionSink(ConnectionString(f"http://127.0.0.1:{port}", KEY), trace=events.append)
    with pytest.raises(ActionRefused) as caught:
        await sink.perform(HUB, SendToAllAction("x"), request_id="r")
    await sink.close()
    assert caught.value.status == 503
    assert str(caught.value).startswith(
        f"action sendToAll on hub 'chat' cannot be performed: http://127.0.0.1:{port} is not reached: "
    )
    assert (events[-1].phase, events[-1].error) == (Phase.FAILED, caught.value)


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
    sink = RestActionSink(ConnectionString(f"http://127.0.0.1:{port}", KEY))
    await sink.perform(HUB, CloseAllConnectionsAction(reason="one"))
    await sink.perform(HUB, CloseAllConnectionsAction(reason="two"))
    await sink.close()
    server.close()
    assert [b"reason=one" in served[0], b"reason=two" in served[1], len(served)] == [True, True, 2]


async def test_the_trace_is_told(make: Make, service: Service, events: list[TraceEvent]) -> None:
    await make(trace=events.append).perform(HUB, SendToAllAction("x"), request_id="r")
    await make(trace=events.append).perform(HUB, SendToAllAction("x"))
    started, completed, _, last = events
    assert [event.phase for event in events] == [Phase.STARTED, Phase.COMPLETED] * 2
    assert started.name == completed.name == "action"
    assert (completed.ids, last.ids) == ({"hub": "chat", "request": "r"}, {"hub": "chat"})
    assert completed.detail == {
        "action": "sendToAll",
        "endpoint": service.url,
        "duration": completed.detail["duration"],
    }


async def test_a_token_is_used_again_for_a_while(make: Make, service: Service) -> None:
    now = [0.0]
    sink = make(clock=lambda: now[0])
    for moment in (0.0, TOKEN_REUSE - 1, TOKEN_REUSE):
        now[0] = moment
        await sink.perform(HUB, SendToAllAction("x"))
    first, second, third = (headers["authorization"] for _, _, headers, _ in service.requests)
    assert first == second != third


async def test_no_more_tokens_than_so_many_are_kept(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webpubsub.host.rest_sink.MAX_TOKENS", 2)
    sink = make()
    for user in ("a", "b", "a", "c"):
        await sink.perform(HUB, RemoveUserFromAllGroupsAction(user))
    assert [target.split("/")[5] for target in sink._signed] == ["a", "c"]
    assert MAX_TOKENS == 1024


async def test_a_closed_sink_opens_again(make: Make, service: Service) -> None:
    sink = make()
    await sink.close()
    await sink.perform(HUB, SendToAllAction("x"))
    await sink.close()
    await sink.perform(HUB, SendToAllAction("x"))
    assert len(service.requests) == 2


def test_a_connection_without_key_cannot_sign() -> None:
    with pytest.raises(
        ConfigurationError, match=r"the connection to https://a\.example has no AccessKey to sign with"
    ):
        RestActionSink(ConnectionString("https://a.example"))
