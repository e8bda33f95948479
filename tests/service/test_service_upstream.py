"""Webhooks: service spec, D.2 to D.7, against a real HTTP server."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from service_peers import CHAT, KEY, SECOND_KEY
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    UserEventRequest,
    UserEventResponse,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, EventName, HubName, UserId
from webpubsub.model.payload import Payload
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.service.settings import (
    SYSTEM_EVENTS,
    EventHandlerSettings,
    HubSettings,
    ServiceSettings,
)
from webpubsub.service.upstream import WebhookEventHandler

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Received:
    """A request as the app got it."""

    def __init__(self, request: web.Request, body: bytes) -> None:
        self.method, self.target = request.method, request.raw_path
        self.headers, self.body = request.headers, body

    @property
    def told(self) -> dict[str, str]:
        """Headers that matter, but for those that differ each time."""
        usual = {"Host", "Accept", "Accept-Encoding", "User-Agent", "Content-Length"}
        each = {"ce-time", "x-ms-client-request-id"}
        return {name: value for name, value in self.headers.items() if name not in usual | each}


class App:
    """An app with a webhook: allows every origin and answers 204, until told otherwise."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.allowed: list[str] = ["*"]
        self.validation_status = 200

        self.respond: Respond = self._answer
        self.validate: Respond = self._validate
        self.port = 0

    async def start(self) -> web.AppRunner:
        runner = web.ServerRunner(web.Server(self._handle))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return runner  # type: ignore[return-value]

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(Received(request, await request.read()))  # type: ignore[arg-type]
        respond = self.validate if request.method == "OPTIONS" else self.respond
        return await respond(request)  # type: ignore[arg-type]

    async def _answer(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _validate(self, _request: web.Request) -> web.StreamResponse:
        response = web.Response(status=self.validation_status)
        for origin in self.allowed:
            response.headers.add("WebHook-Allowed-Origin", origin)
        return response

    def answers(self, *args: Any, **given: Any) -> None:
        async def respond(_request: web.Request) -> web.StreamResponse:
            return web.Response(*args, **given)

        self.respond = respond

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.requests]


@pytest.fixture
async def app() -> AsyncIterator[App]:
    found = App()
    runner = await found.start()
    yield found
    await runner.cleanup()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


Handlers = Callable[..., WebhookEventHandler]


@pytest.fixture
async def handler_of(clock: Clock) -> AsyncIterator[Handlers]:
    made: list[WebhookEventHandler] = []

    def make(
        url: str, *, keys: tuple[str, ...] = (KEY,), origin: str = "localhost", **given: Any
    ) -> WebhookEventHandler:
        hub = HubSettings((EventHandlerSettings(url, "*", SYSTEM_EVENTS),))
        settings = ServiceSettings(access_keys=keys, hubs={CHAT: hub, HubName("a[b]"): hub}, origin=origin)
        made.append(WebhookEventHandler(settings, monotonic=clock, **given))
        return made[-1]

    yield make
    for handler in made:
        await handler.close()


def context(name: str, event_type: str = "system", **members: Any) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        **{
            "event_type": WebPubSubEventType(event_type),
            "event_name": EventName(name),
            "hub": CHAT,
            "connection_id": ConnectionId("c1"),
            "event_id": 3,
            **members,
        }
    )


def user_event(data: Any = "hi", data_type: str | None = None, **members: Any) -> UserEventRequest:
    return UserEventRequest(context("Echo", "user", **members), Payload.of(data, data_type))


CONNECTED = ConnectedEventRequest(context("connected"))

# HMAC-SHA256 of "c1", made with openssl: printf c1 | openssl dgst -sha256 -hmac KEY
SIGNED = "sha256=49004518459daba259918f451916b389da469e919ef62110bb7a057f58e9a016"
SIGNED_TWICE = SIGNED + ",sha256=8b20ebf634fa4cd02fb4be9f5fad08d3b3ca62ae8650f53c1d2916708dd751ac"


# --- what is sent -------------------------------------------------------------------------------------

USUAL = {
    "WebHook-Request-Origin": "localhost",
    "ce-specversion": "1.0",
    "ce-awpsversion": "1.0",
    "ce-source": "/hubs/chat/client/c1",
    "ce-id": "3",
    "ce-signature": SIGNED,
    "ce-connectionId": "c1",
    "ce-hub": "chat",
}
SYSTEM = USUAL | {"Content-Type": "application/json; charset=utf-8"}

SENT: dict[str, tuple[EventRequest, dict[str, str], bytes]] = {
    "connect": (
        ConnectEventRequest(
            context("connect", user_id=UserId("alice"), event_id=0),
            claims={"sub": ["alice"]},
            query={"q": ["1", "2"]},
            headers={"host": ["h"]},
            subprotocols=["a"],
        ),
        SYSTEM
        | {
            "ce-type": "azure.webpubsub.sys.connect",
            "ce-eventName": "connect",
            "ce-userId": "alice",
            "ce-id": "0",
        },
        b'{"claims":{"sub":["alice"]},"query":{"q":["1","2"]},"headers":{"host":["h"]},'
        b'"subprotocols":["a"],"clientCertificates":[]}',
    ),
    "connected": (
        CONNECTED,
        SYSTEM | {"ce-type": "azure.webpubsub.sys.connected", "ce-eventName": "connected"},
        b"{}",
    ),
    "disconnected": (
        DisconnectedEventRequest(
            context("disconnected", states=ConnectionStates("b25l"), subprotocol="json.webpubsub.azure.v1"),
            "bye",
        ),
        SYSTEM
        | {
            "ce-type": "azure.webpubsub.sys.disconnected",
            "ce-eventName": "disconnected",
            "ce-subprotocol": "json.webpubsub.azure.v1",
            "ce-connectionState": "b25l",
        },
        b'{"reason":"bye"}',
    ),
    "text": (
        user_event("hé", user_id=UserId("Zoë"), states=ConnectionStates("")),
        USUAL
        | {
            "Content-Type": "text/plain",
            "ce-type": "azure.webpubsub.user.Echo",
            "ce-eventName": "Echo",
            "ce-userId": "Zoë",
            "ce-connectionState": "",
        },
        "hé".encode(),
    ),
    "json": (
        user_event({"a": 1}, user_id=UserId("")),
        USUAL
        | {
            "Content-Type": "application/json",
            "ce-type": "azure.webpubsub.user.Echo",
            "ce-eventName": "Echo",
        },
        b'{"a":1}',
    ),
    "binary": (
        user_event(b"\x00\xff"),
        USUAL
        | {
            "Content-Type": "application/octet-stream",
            "ce-type": "azure.webpubsub.user.Echo",
            "ce-eventName": "Echo",
        },
        b"\x00\xff",
    ),
}


@pytest.mark.parametrize(("event", "headers", "body"), SENT.values(), ids=SENT.keys())
async def test_events_on_the_wire(
    app: App, handler_of: Handlers, event: EventRequest, headers: dict[str, str], body: bytes
) -> None:
    assert (await handler_of(app.url()).handle(event)) == EventAnswer()
    [validation, request] = app.requests
    assert (validation.method, validation.target, validation.body) == ("OPTIONS", "/hook", b"")
    assert validation.told == {"WebHook-Request-Origin": "localhost", "ce-awpsversion": "1.0"}
    assert (request.method, request.target) == ("POST", "/hook")
    assert request.told == headers
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", request.headers["ce-time"])
    assert re.fullmatch(r"[0-9a-f-]{36}", request.headers["x-ms-client-request-id"])
    assert request.body == body
    assert request.headers["Content-Length"] == str(len(body))


async def test_each_event_has_its_own_request_id(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    await handler.handle(CONNECTED)
    await handler.handle(CONNECTED)
    ids = [request.headers["x-ms-client-request-id"] for request in app.requests if request.method == "POST"]
    assert len(set(ids)) == 2


async def test_both_keys_sign_the_primary_first(app: App, handler_of: Handlers) -> None:
    await handler_of(app.url(), keys=(KEY, SECOND_KEY)).handle(CONNECTED)
    assert app.requests[1].headers["ce-signature"] == SIGNED_TWICE


@pytest.mark.parametrize(
    ("template", "hub", "validation", "event"),
    [
        ("/x", "chat", "/x", "/x"),
        ("/{hub}/{event}?code=k", "chat", "/chat/validate?code=k", "/chat/Echo?code=k"),
        ("/{Hub}?e={EVENT}", "chat", "/chat?e=validate", "/chat?e=Echo"),
        ("/{hub}/", "a[b]", "/a%5Bb%5D/", "/a%5Bb%5D/"),
        ("/{other}", "chat", "/%7Bother%7D", "/%7Bother%7D"),
    ],
)
async def test_url_templates(
    app: App, handler_of: Handlers, template: str, hub: str, validation: str, event: str
) -> None:
    await handler_of(app.url(template)).handle(user_event(hub=HubName(hub)))
    assert [request.target for request in app.requests] == [validation, event]


async def test_cookies_are_not_kept(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    app.answers(headers={"Set-Cookie": "a=b"})
    await handler.handle(CONNECTED)
    await handler.handle(CONNECTED)
    assert not any("Cookie" in request.headers for request in app.requests)


# --- what comes back ----------------------------------------------------------------------------------

CONNECT = SENT["connect"][0]

ANSWERS: dict[str, tuple[EventRequest, dict[str, Any], EventAnswer]] = {
    "204": (user_event(), {"status": 204}, EventAnswer()),
    "200 and nothing": (user_event(), {"status": 200}, EventAnswer()),
    "text": (
        user_event(),
        {"body": b"h\xc3\xa9", "headers": {"Content-Type": "text/plain; charset=utf-8"}},
        EventAnswer(UserEventResponse("hé")),
    ),
    "json as it is": (
        user_event(),
        {"body": b'{"b": 1.0}', "headers": {"Content-Type": "application/json"}},
        EventAnswer(UserEventResponse(Payload(b'{"b": 1.0}', Payload.of({}).data_type))),
    ),
    "binary": (
        user_event(),
        {"body": b"\xff", "headers": {"Content-Type": "application/octet-stream"}},
        EventAnswer(UserEventResponse(b"\xff")),
    ),
    "a state": (user_event(), {"headers": {"ce-connectionState": "b25l"}}, EventAnswer(None, "b25l")),
    "connect without a word": (CONNECT, {"status": 204}, EventAnswer()),
    "connect with null": (CONNECT, {"body": b"null"}, EventAnswer()),
    "connect with overrides": (
        CONNECT,
        {
            "body": b'{"userId":"","groups":["g"],"roles":[],"subprotocol":"x","more":1}',
            "headers": {"Content-Type": "text/html", "CE-ConnectionState": "b25l"},
        },
        EventAnswer(ConnectEventResponse(user_id="", groups=["g"], roles=[], subprotocol="x"), "b25l"),
    ),
    "connected": (CONNECTED, {"body": b"whatever"}, EventAnswer()),
}


@pytest.mark.parametrize(("event", "response", "answer"), ANSWERS.values(), ids=ANSWERS.keys())
async def test_answers(
    app: App, handler_of: Handlers, event: EventRequest, response: dict[str, Any], answer: EventAnswer
) -> None:
    app.answers(**response)
    found = await handler_of(app.url()).handle(event)
    if isinstance(found.response, UserEventResponse):
        assert isinstance(answer.response, UserEventResponse)
        assert found.response.payload == answer.response.payload
    else:
        assert found.response == answer.response
    assert found.state == answer.state


REFUSED: dict[str, tuple[EventRequest, dict[str, Any], int, str]] = {
    "401": (CONNECT, {"status": 401, "text": "no attackers here"}, 401, "no attackers here"),
    "a redirection": (CONNECT, {"status": 302, "headers": {"Location": "/other"}}, 302, ""),
    "500": (user_event(), {"status": 500}, 500, ""),
    "connect without JSON": (CONNECT, {"body": b"{"}, 500, "cannot be read"),
    "connect with a blank group": (CONNECT, {"body": b'{"groups":[" "]}'}, 500, "cannot be read"),
    "connect with a null role": (CONNECT, {"body": b'{"roles":[null]}'}, 500, "cannot be read"),
    "an unknown type": (
        user_event(),
        {"body": b"x", "headers": {"Content-Type": "text/html"}},
        500,
        "'text/html' is not supported",
    ),
    "text that is none": (
        user_event(),
        {"body": b"\xff", "headers": {"Content-Type": "text/plain"}},
        500,
        "not UTF-8",
    ),
}


@pytest.mark.parametrize(("event", "response", "status", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_refusals(
    app: App,
    handler_of: Handlers,
    event: EventRequest,
    response: dict[str, Any],
    status: int,
    words: str,
) -> None:
    app.answers(**response)
    with pytest.raises(EventRefused) as caught:
        await handler_of(app.url()).handle(event)
    assert caught.value.status == status
    assert words in str(caught.value)
    assert app.methods == ["OPTIONS", "POST"], "asked once, and not where it was redirected to"


@pytest.mark.parametrize(("size", "taken"), [(16 * 1024 * 1024, True), (16 * 1024 * 1024 + 1, False)])
async def test_an_answer_has_at_most_16_mib(app: App, handler_of: Handlers, size: int, taken: bool) -> None:
    app.answers(body=b"x" * size)
    handling = handler_of(app.url()).handle(user_event())
    if taken:
        response = (await handling).response
        assert isinstance(response, UserEventResponse)
        assert response.payload == Payload(b"x" * size, Payload.of(b"").data_type)
    else:
        with pytest.raises(EventRefused, match="at most 16777216 are taken"):
            await handling


async def test_an_answer_without_end_is_not_read_to_its_end(app: App, handler_of: Handlers) -> None:
    written = 0

    async def respond(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(1000):
                await response.write(b"x" * 1024 * 1024)
                written += 1
        except ConnectionError:
            pass
        return response

    app.respond = respond
    with pytest.raises(EventRefused, match="at most"):
        await handler_of(app.url()).handle(user_event())
    assert written < 100


# --- nobody there -------------------------------------------------------------------------------------


async def test_an_event_nobody_takes_is_404(handler_of: Handlers) -> None:
    with pytest.raises(EventRefused, match="no event handler of hub 'empty' takes 'Echo'") as caught:
        await handler_of("http://127.0.0.1:1/").handle(user_event(hub=HubName("empty")))
    assert caught.value.status == 404


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_an_app_that_is_not_there(handler_of: Handlers) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook?code=SECRET"
    with pytest.raises(EventRefused) as caught:
        await handler_of(url).handle(user_event())
    assert caught.value.status == 500
    assert f"{url.partition('?')[0]} cannot be reached" in str(caught.value)
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "http://\u00fc..x/hook?code=SECRET",
        "http://back\\slash/?code=SECRET",
        "http://.../?code=SECRET",
    ],
)
async def test_a_url_that_is_none(handler_of: Handlers, template: str) -> None:
    with pytest.raises(EventRefused) as caught:
        await handler_of(template).handle(user_event())
    assert caught.value.status == 500
    assert "cannot be reached" in str(caught.value)
    assert_no_secret(caught.value)


def assert_no_secret(error: BaseException | None) -> None:
    """Neither in what is said nor in what a traceback would show."""
    while error is not None:
        assert "SECRET" not in str(error)
        assert "SECRET" not in repr(error)
        error = (
            None
            if error.__suppress_context__ and error.__cause__ is None
            else (error.__cause__ or error.__context__)
        )


async def test_an_app_that_hangs_up(app: App, handler_of: Handlers) -> None:
    async def respond(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    app.respond = respond
    with pytest.raises(EventRefused, match="cannot be reached") as caught:
        await handler_of(app.url("/hook?code=SECRET")).handle(user_event())
    assert caught.value.status == 500
    assert_no_secret(caught.value)


async def test_a_user_id_that_cannot_stand_in_a_header(app: App, handler_of: Handlers) -> None:
    with pytest.raises(EventRefused) as caught:
        await handler_of(app.url()).handle(user_event(user_id=UserId("a\r\nce-hub: other")))
    assert caught.value.status == 500
    assert app.methods == ["OPTIONS"]


class Gate:
    """An answer that waits until it is let through."""

    def __init__(self, then: Respond, reached_by: int = 1) -> None:
        self.then = then
        self.missing = reached_by
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.missing -= 1
        if self.missing == 0:
            self.reached.set()
        await self.open.wait()
        return await self.then(request)


async def test_an_app_that_does_not_answer_in_time(app: App, handler_of: Handlers) -> None:
    app.respond = gate = Gate(app.respond)
    with pytest.raises(EventRefused, match="did not answer in time") as caught:
        await handler_of(app.url("/hook?code=SECRET"), event_timeout=0.05).handle(user_event())
    assert caught.value.status == 500
    assert_no_secret(caught.value)
    gate.open.set()


async def test_a_validation_that_is_not_answered_in_time(app: App, handler_of: Handlers) -> None:
    app.validate = gate = Gate(app.validate)
    with pytest.raises(EventRefused, match="did not answer in time"):
        await handler_of(app.url(), validation_timeout=0.05).handle(user_event())
    assert app.methods == ["OPTIONS"]
    gate.open.set()


async def test_a_slow_answer_does_not_hold_up_another(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    await handler.handle(CONNECTED)
    quick = app.respond
    app.respond = gate = Gate(quick, reached_by=120)
    slow = [asyncio.create_task(handler.handle(user_event())) for _ in range(120)]
    await gate.reached.wait()
    app.respond = quick
    await handler.handle(user_event())
    gate.open.set()
    await asyncio.gather(*slow)


# --- abuse protection ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("localhost", ["*"]),
        ("localhost", ["localhost"]),
        ("localhost", ["LocalHost"]),
        ("a.example", ["other", "A.example"]),
    ],
)
async def test_an_app_may_allow_us(app: App, handler_of: Handlers, origin: str, allowed: list[str]) -> None:
    app.allowed = allowed
    await handler_of(app.url(), origin=origin).handle(CONNECTED)
    assert app.methods == ["OPTIONS", "POST"]
    assert app.requests[0].headers["WebHook-Request-Origin"] == origin


@pytest.mark.parametrize("status", [200, 204, 299])
async def test_any_2xx_is_a_yes(app: App, handler_of: Handlers, status: int) -> None:
    app.validation_status = status
    await handler_of(app.url()).handle(CONNECTED)


@pytest.mark.parametrize(
    ("status", "allowed", "words"),
    [
        (401, ["*"], "failed with status 401"),
        (404, ["*"], "failed with status 404"),
        (302, ["*"], "failed with status 302"),
        (200, [], "missed 'localhost' in WebHook-Allowed-Origin"),
        (200, ["other"], "missed 'localhost'"),
        (200, ["localhost:8080"], "missed 'localhost'"),
        (200, ["other, localhost"], "missed 'localhost'"),  # a list in one line is not taken apart
    ],
)
async def test_a_no_lets_every_event_fail_and_is_asked_again(
    app: App, handler_of: Handlers, status: int, allowed: list[str], words: str
) -> None:
    app.validation_status, app.allowed = status, allowed
    handler = handler_of(app.url("/hook?code=SECRET"))
    for _ in range(2):
        with pytest.raises(EventRefused) as caught:
            await handler.handle(user_event())
        assert caught.value.status == 500
        assert words in str(caught.value)
        assert_no_secret(caught.value)
    assert app.methods == ["OPTIONS", "OPTIONS"]
    app.validation_status, app.allowed = 200, ["*"]
    await handler.handle(user_event())
    assert app.methods == ["OPTIONS", "OPTIONS", "OPTIONS", "POST"]


async def test_a_yes_is_good_for_a_minute(app: App, handler_of: Handlers, clock: Clock) -> None:
    handler = handler_of(app.url())
    await handler.handle(CONNECTED)
    clock.now += 59.9
    await handler.handle(user_event())
    assert app.methods == ["OPTIONS", "POST", "POST"]
    clock.now += 0.1
    await handler.handle(user_event())
    assert app.methods[3:] == ["OPTIONS", "POST"]


async def test_each_url_is_asked_for_itself(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url("/{hub}/{event}"))
    await handler.handle(user_event())
    await handler.handle(CONNECTED)
    await handler.handle(user_event(hub=HubName("a[b]")))
    assert [request.target for request in app.requests] == [
        "/chat/validate",
        "/chat/Echo",
        "/chat/connected",
        "/a%5Bb%5D/validate",
        "/a%5Bb%5D/Echo",
    ]


async def test_concurrent_first_events_share_one_validation(app: App, handler_of: Handlers) -> None:
    app.validate = gate = Gate(app.validate)
    handler = handler_of(app.url())
    events = [asyncio.create_task(handler.handle(user_event())) for _ in range(5)]
    await gate.reached.wait()
    assert app.methods == ["OPTIONS"]
    gate.open.set()
    await asyncio.gather(*events)
    assert app.methods == ["OPTIONS", *["POST"] * 5]
    assert handler._validating == {}


async def test_who_goes_while_waiting_does_not_take_the_validation_along(
    app: App, handler_of: Handlers
) -> None:
    app.validate = gate = Gate(app.validate)
    handler = handler_of(app.url())
    first, second = (asyncio.create_task(handler.handle(user_event())) for _ in range(2))
    await gate.reached.wait()
    first.cancel()
    gate.open.set()
    await second
    assert first.cancelled()
    assert app.methods == ["OPTIONS", "POST"]


async def test_a_no_that_nobody_waits_for_any_more_is_no_loose_end(app: App, handler_of: Handlers) -> None:
    loose: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: loose.append(told))
    app.validation_status = 403
    app.validate = gate = Gate(app.validate)
    handler = handler_of(app.url())
    event = asyncio.create_task(handler.handle(user_event()))
    await gate.reached.wait()
    event.cancel()
    [validation] = handler._validating.values()
    gate.open.set()
    await asyncio.wait([validation])
    del validation
    await asyncio.sleep(0)
    assert handler._validating == {}
    assert loose == []


async def test_closing_without_ever_having_been_used(handler_of: Handlers) -> None:
    await handler_of("http://localhost").close()
