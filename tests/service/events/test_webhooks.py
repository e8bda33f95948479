"""Webhooks: service spec, D.2 to D.7, against a real HTTP server."""

from __future__ import annotations

import asyncio
import re
import socket
from typing import Any

import msgspec
import pytest
from aiohttp import web

from kit.scripted_server import ACCEPTED, hang_up, scripted_server
from kit.service_peers import KEY, SECOND_KEY
from kit.webhook_peers import CONNECTED, App, Clock, Gate, Handlers, assert_no_secret, context, user_event
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    UserEventResponse,
)
from webpubsub.model.http import CallBounds
from webpubsub.model.names import ConnectionId, HubName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.ports import EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.model.trace import Name, Phase, Trace, TraceEvent
from webpubsub.service.settings import ManagedIdentity, WebhookAuth

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


@pytest.mark.feature("system events")
@pytest.mark.parametrize(("event", "headers", "body"), SENT.values(), ids=SENT.keys())
async def test_events_on_the_wire(
    app: App, handler_of: Handlers, event: EventRequest, headers: dict[str, str], body: bytes
) -> None:
    assert (await handler_of(app.url()).handle(event)) == EventAnswer(status=204)
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


@pytest.mark.feature("signatures")
async def test_both_keys_sign_the_primary_first(app: App, handler_of: Handlers) -> None:
    await handler_of(app.url(), keys=(KEY, SECOND_KEY)).handle(CONNECTED)
    assert app.requests[1].headers["ce-signature"] == SIGNED_TWICE


@pytest.mark.feature("URL templates")
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
    "429": (user_event(), {"status": 429}, 429, ""),
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


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
            "the content coding 'gzip'",
        ),
    ],
)
async def test_what_is_no_answer_is_not_asked_for_again(
    handler_of: Handlers, clock: Clock, answer: bytes, words: str
) -> None:
    async with scripted_server() as server:
        server.scripts = [[answer]]
        handler = handler_of(server.url("/?code=SECRET"), settings={"validation_mode": "off"})
        with pytest.raises(EventRefused, match=words) as caught:
            await handler.handle(user_event())
    assert (caught.value.status, len(server.requests), clock.slept) == (500, 1, [])
    assert_no_secret(caught.value)


async def test_an_event_that_met_a_connection_that_ended_is_another_attempt(
    handler_of: Handlers, clock: Clock
) -> None:
    """It may have been handled already, so it is the retries' decision; a question just is asked again."""
    async with scripted_server() as server:
        allowed = b"HTTP/1.1 200 OK\r\nWebHook-Allowed-Origin: *\r\nContent-Length: 0\r\n\r\n"
        server.scripts = [[allowed, hang_up], [ACCEPTED, hang_up], [allowed]]
        handler = handler_of(server.url())
        assert (await handler.handle(CONNECTED)).attempts == 2
        assert clock.slept == [1]
        clock.now += 61
        await handler.handle(CONNECTED)
    assert [request.split()[0] for request in server.requests[:3]] == [b"OPTIONS", b"POST", b"POST"]


async def test_a_user_id_that_cannot_stand_in_a_header(app: App, handler_of: Handlers) -> None:
    with pytest.raises(EventRefused) as caught:
        await handler_of(app.url()).handle(user_event(user_id=UserId("a\r\nce-hub: other")))
    assert caught.value.status == 500
    assert app.methods == ["OPTIONS"]


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


async def test_closing_without_ever_having_been_used(handler_of: Handlers) -> None:
    await handler_of("http://localhost").close()


# --- attempts -----------------------------------------------------------------------------------------


class Flaky:
    """Fails some times with each of the given statuses, then answers; None hangs up."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = list(statuses)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=status or 200, text="done" if status == 200 else "")


@pytest.mark.feature("retries")
@pytest.mark.parametrize(
    ("statuses", "slept"),
    [
        ([], []),
        ([408], [1]),
        ([500, 503], [1, 3]),
        ([599, None, 502], [1, 3, 5]),
    ],
)
async def test_what_may_pass_is_sent_again_as_the_same_event(
    app: App, handler_of: Handlers, clock: Clock, statuses: list[int | None], slept: list[float]
) -> None:
    app.respond = Flaky(*statuses)
    answer = await handler_of(app.url()).handle(user_event("hi"))
    assert clock.slept == slept
    assert (answer.status, answer.attempts) == (200, 1 + len(slept))
    assert isinstance(answer.response, UserEventResponse)
    assert answer.response.payload == Payload.of("done")
    posts = [request for request in app.requests if request.method == "POST"]
    assert len(posts) == 1 + len(slept)
    for name in ("ce-id", "x-ms-client-request-id", "ce-time"):
        assert len({request.headers[name] for request in posts}) == 1
    assert {request.body for request in posts} == {b"hi"}


@pytest.mark.feature("retries")
@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 499, 600])
async def test_what_will_not_pass_is_not_sent_again(
    app: App, handler_of: Handlers, clock: Clock, status: int
) -> None:
    app.respond = Flaky(status)
    with pytest.raises(EventRefused) as caught:
        await handler_of(app.url()).handle(user_event())
    assert (caught.value.status, caught.value.attempts, clock.slept) == (status, 1, [])
    assert app.methods == ["OPTIONS", "POST"]


async def test_the_last_attempt_decides(app: App, handler_of: Handlers, clock: Clock) -> None:
    app.respond = Flaky(500, 501, 502, 503, 200)
    with pytest.raises(EventRefused) as caught:
        await handler_of(app.url()).handle(user_event())
    assert (caught.value.status, caught.value.attempts) == (503, 4)
    assert clock.slept == [1, 3, 5]


async def test_attempts_that_reach_nobody(handler_of: Handlers, clock: Clock) -> None:
    url = f"http://127.0.0.1:{free_port()}/hook"
    handler = handler_of(url, settings={"validation_mode": "off"})
    with pytest.raises(EventRefused, match="cannot be reached") as caught:
        await handler.handle(user_event())
    assert (caught.value.status, caught.value.attempts, clock.slept) == (500, 4, [1, 3, 5])


@pytest.mark.parametrize("delays", [(), (0.5,)])
async def test_waits_are_a_setting(
    app: App, handler_of: Handlers, clock: Clock, delays: tuple[float, ...]
) -> None:
    app.respond = Flaky(500, 500, 500)
    with pytest.raises(EventRefused):
        await handler_of(app.url(), settings={"retry_delays_in_seconds": delays}).handle(user_event())
    assert clock.slept == list(delays)


@pytest.mark.feature("retries")
async def test_the_time_of_an_event_is_that_of_all_its_attempts(app: App, handler_of: Handlers) -> None:
    app.respond = Flaky(500)
    never = asyncio.Event()
    handler = handler_of(app.url(), event_timeout=0.05, sleep=lambda _: never.wait())
    with pytest.raises(EventRefused, match="did not answer in time"):
        await handler.handle(user_event())
    assert app.methods == ["OPTIONS", "POST"]


async def test_attempts_are_traced(app: App, handler_of: Handlers) -> None:
    traced: list[TraceEvent] = []
    app.respond = Flaky(503, None)
    await handler_of(app.url("/hook?code=SECRET"), trace=Trace(traced.append)).handle(user_event())
    ids = {"hub": "chat", "connection": "c1", "event": "c1/3"}
    url = app.url()
    asked, first, second = traced
    assert asked == TraceEvent(Name.VALIDATION, Phase.COMPLETED, {}, {"url": url, "origin": "localhost"})
    assert first == TraceEvent(
        Name.WEBHOOK,
        Phase.FAILED,
        ids,
        {"method": "POST", "url": url, "attempt": 1, "status": 503, "again_in": 1.0},
    )
    assert second.detail == {"method": "POST", "url": url, "attempt": 2, "again_in": 3.0}
    assert "cannot be reached" in str(second.error)
    assert "SECRET" not in str(second.error)


# --- cookies ------------------------------------------------------------------------------------------


def cookies(app: App) -> list[str | None]:
    return [request.headers.get("Cookie") for request in app.requests if request.method == "POST"]


@pytest.mark.feature("cookies")
async def test_each_connection_has_its_own_cookies(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    app.answers(headers={"Set-Cookie": "session=1; Path=/; HttpOnly"})
    await handler.handle(user_event())
    app.answers()
    await handler.handle(user_event())
    await handler.handle(user_event(connection_id=ConnectionId("c2")))
    app.answers(headers={"Set-Cookie": "session=2"})
    await handler.handle(user_event())
    await handler.handle(user_event())
    assert cookies(app) == [None, "session=1", None, "session=1", "session=2"]


async def test_cookies_go_where_they_belong(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url("/{event}"))
    app.answers(headers={"Set-Cookie": "a=b; Path=/Echo"})
    await handler.handle(user_event())
    await handler.handle(CONNECTED)
    await handler.handle(user_event())
    assert cookies(app) == [None, None, "a=b"]


async def test_a_refusal_sets_no_cookies(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    app.answers(status=400, headers={"Set-Cookie": "a=b"})
    with pytest.raises(EventRefused):
        await handler.handle(user_event())
    app.answers()
    await handler.handle(user_event())
    assert cookies(app) == [None, None]


async def test_who_is_gone_has_no_cookies(app: App, handler_of: Handlers) -> None:
    handler = handler_of(app.url())
    app.answers(headers={"Set-Cookie": "a=b"})
    await handler.handle(user_event())
    handler.forget(ConnectionId("c1"))
    handler.forget(ConnectionId("never there"))
    await handler.handle(user_event())
    assert cookies(app) == [None, None]


async def test_the_validation_has_no_cookies_no_signature_and_no_authorization(
    app: App, handler_of: Handlers, clock: Clock
) -> None:
    handler = handler_of(app.url(), auth=WebhookAuth("BearerToken", bearer_token="t"))
    app.answers(headers={"Set-Cookie": "a=b"})
    await handler.handle(user_event())
    clock.now += 61
    await handler.handle(user_event())
    await app.until(2, "OPTIONS")  # in the background
    first, second = (request.told for request in app.requests if request.method == "OPTIONS")
    assert first == second == {"WebHook-Request-Origin": "localhost", "ce-awpsversion": "1.0"}


# --- authorization ------------------------------------------------------------------------------------


@pytest.mark.feature("authorization of events")
async def test_a_bearer_token_is_sent_as_it_is(app: App, handler_of: Handlers) -> None:
    await handler_of(app.url(), auth=WebhookAuth("BearerToken", bearer_token="abc")).handle(CONNECTED)
    assert app.requests[1].headers["Authorization"] == "Bearer abc"


async def test_no_authorization_unless_asked_for(app: App, handler_of: Handlers) -> None:
    await handler_of(app.url(), auth=WebhookAuth()).handle(CONNECTED)
    assert "Authorization" not in app.requests[1].headers


async def test_an_identity_without_a_token_lets_the_event_fail(app: App, handler_of: Handlers) -> None:
    class Nobody:
        async def headers(self, auth: WebhookAuth) -> list[tuple[str, str]]:
            raise EventRefused(500, "no token")

        async def close(self) -> None:
            pass

    auth = WebhookAuth("ManagedIdentity", ManagedIdentity("api://chat"))
    with pytest.raises(EventRefused, match="no token"):
        await handler_of(app.url(), auth=auth, authorization=Nobody()).handle(CONNECTED)
    assert app.methods == ["OPTIONS"]


# --- metadata and odd headers -------------------------------------------------------------------------


async def test_metadata_goes_both_ways(app: App, handler_of: Handlers) -> None:
    headers = {"X-WebPubSub-Metadata-trace": ["1"], "X-WebPubSub-Metadata-b": ["2"], "Host": ["x"]}
    event = user_event("hi", headers=headers)
    app.answers(status=200, headers={"X-WebPubSub-Metadata-Answer": "yes, no"})
    answer = await handler_of(app.url()).handle(event)
    told = app.requests[1].headers
    assert (told["X-WebPubSub-Metadata-trace"], told["X-WebPubSub-Metadata-b"]) == ("1", "2")
    assert answer == EventAnswer(None, None, {"answer": "no"})


async def test_metadata_that_cannot_be_sent_on_lets_the_event_fail(app: App, handler_of: Handlers) -> None:
    app.answers(status=200, headers={"X-WebPubSub-Metadata-A": "x" * 1025})
    with pytest.raises(EventRefused, match="the answer cannot be used: the metadata value of 'a'"):
        await handler_of(app.url()).handle(user_event())


async def test_a_protobuf_answer(app: App, handler_of: Handlers) -> None:
    body = b"\x0a\x03a/b\x12\x01x"  # google.protobuf.Any(type_url="a/b", value=b"x")
    app.answers(body=body, headers={"Content-Type": "application/x-protobuf"})
    response = (await handler_of(app.url()).handle(user_event())).response
    assert isinstance(response, UserEventResponse)
    assert response.payload == Payload(body, WebPubSubDataType.PROTOBUF)


async def test_of_several_states_the_last_counts(app: App, handler_of: Handlers) -> None:
    async def respond(_request: web.Request) -> web.StreamResponse:
        response = web.Response()
        for state in ("b25l", "dHdv"):
            response.headers.add("ce-connectionState", state)
        return response

    app.respond = respond
    assert (await handler_of(app.url()).handle(user_event())).state == "dHdv"


async def test_only_user_ids_may_be_other_than_ascii(app: App, handler_of: Handlers) -> None:
    event = user_event(states=ConnectionStates("\u00fc"), user_id=UserId("Zo\u00eb"))
    with pytest.raises(EventRefused, match="the header ce-connectionState cannot be sent: '\u00fc' is not"):
        await handler_of(app.url()).handle(event)
    assert app.methods == ["OPTIONS"]


@pytest.mark.parametrize("user_id", ["a\r\nce-hub: other", "a\x00b", "a\x01b", "a\x7f"])
async def test_no_header_has_a_control_character(app: App, handler_of: Handlers, user_id: str) -> None:
    with pytest.raises(EventRefused, match=r"header ce-userId cannot be sent: .* has a control character"):
        await handler_of(app.url()).handle(user_event(user_id=UserId(user_id)))
    await handler_of(app.url()).handle(user_event(user_id=UserId("a\tb")))
    assert app.methods.count("POST") == 1


async def test_no_validation_when_it_is_off(app: App, handler_of: Handlers) -> None:
    await handler_of(app.url(), settings={"validation_mode": "off"}).handle(CONNECTED)
    assert app.methods == ["POST"]


# --- more events than connections ---------------------------------------------------------------------


async def test_an_event_that_waits_too_long_is_refused_as_by_a_503_and_not_tried_again(
    app: App, handler_of: Handlers, clock: Clock
) -> None:
    handler = handler_of(app.url("/hook?code=SECRET"))
    await handler.handle(CONNECTED)
    handler.settings = msgspec.structs.replace(
        handler.settings, calls=CallBounds(max_connections=1, wait_timeout=0.01)
    )
    app.respond = gate = Gate(app.respond)
    first = asyncio.create_task(handler.handle(user_event()))
    await gate.reached.wait()
    with pytest.raises(EventRefused) as caught:
        await handler.handle(user_event())
    assert (caught.value.status, caught.value.attempts) == (503, 1)
    assert "became free within 0.01 seconds (waitTimeout)" in str(caught.value)
    assert_no_secret(caught.value)
    assert clock.slept == []
    gate.open.set()
    await first
