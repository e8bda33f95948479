"""Abuse protection: service spec, D.2."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from kit.service_peers import turns
from kit.webhook_peers import CONNECTED, App, Clock, Gate, Handlers, assert_no_secret, user_event
from webpubsub.model.errors import EventRefused
from webpubsub.model.names import HubName
from webpubsub.model.trace import Phase, Trace, TraceEvent
from webpubsub.service.events.validation import AbuseProtection

# --- what stands how long, without any server ---------------------------------------------------------

URL, ORIGIN = "http://app/hook", "localhost"


class Asked:
    """Answers when it is asked: yes, or no; or later, when the test says so."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.is_yes = True
        self.gate: asyncio.Event | None = None

    async def __call__(self, url: str, origin: str) -> None:
        self.times.append(self.clock.now)
        if self.gate is not None:
            await self.gate.wait()
        if not self.is_yes:
            raise EventRefused(500, "not you")

    clock: Clock


@pytest.fixture
def asked(clock: Clock) -> Asked:
    found = Asked()
    found.clock = clock
    return found


@pytest.fixture
def traced() -> list[TraceEvent]:
    return []


@pytest.fixture
def protection(asked: Asked, clock: Clock, traced: list[TraceEvent]) -> AbuseProtection:
    return AbuseProtection(asked, clock, Trace(traced.append))


async def is_allowed(protection: AbuseProtection, url: str = URL, origin: str = ORIGIN) -> bool:
    try:
        await protection.check(url, origin)
    except EventRefused as refused:
        return refused.message != "not you"
    return True


async def test_a_yes_stands_for_a_minute_then_it_is_asked_in_the_background(
    protection: AbuseProtection, asked: Asked, clock: Clock
) -> None:
    assert await is_allowed(protection)
    clock.now += 59.9
    assert await is_allowed(protection)
    assert asked.times == [1000.0]
    asked.gate = asyncio.Event()
    clock.now += 0.1
    for _ in range(3):  # nobody waits for the answer, and it is asked once
        assert await is_allowed(protection)
    await turns()
    assert asked.times == [1000.0, 1060.0]
    clock.now += 3600
    assert await is_allowed(protection)
    asked.gate.set()
    await turns()
    assert asked.times == [1000.0, 1060.0]
    assert await is_allowed(protection)


async def test_a_no_after_a_yes_stands_longer_and_longer(
    protection: AbuseProtection, asked: Asked, clock: Clock, traced: list[TraceEvent]
) -> None:
    assert await is_allowed(protection)
    asked.is_yes = False
    clock.now += 60
    assert await is_allowed(protection)  # the old answer, for the last time
    await turns()
    for wait in (1, 2, 4, 8, 16, 32, 60, 60):
        before = len(asked.times)
        clock.now += wait - 0.1
        assert not await is_allowed(protection)
        assert len(asked.times) == before, wait
        clock.now += 0.1
        assert not await is_allowed(protection)
        assert len(asked.times) == before + 1, wait
    asked.is_yes = True
    assert not await is_allowed(protection)
    clock.now += 60
    assert await is_allowed(protection)  # who comes now waits for the answer
    assert [event.phase for event in traced] == [Phase.COMPLETED, *[Phase.FAILED] * 9, Phase.COMPLETED]
    clock.now += 60
    asked.is_yes = False
    assert await is_allowed(protection)
    await turns()
    clock.now += 1  # from the start again
    asked.is_yes = True
    assert await is_allowed(protection)


async def test_without_any_yes_every_event_asks(protection: AbuseProtection, asked: Asked) -> None:
    asked.is_yes = False
    assert [await is_allowed(protection) for _ in range(3)] == [False] * 3
    asked.is_yes = True
    assert await is_allowed(protection)
    assert len(asked.times) == 4


async def test_events_that_come_meanwhile_share_the_answer(protection: AbuseProtection, asked: Asked) -> None:
    asked.gate, asked.is_yes = asyncio.Event(), False
    waiting = [asyncio.create_task(is_allowed(protection)) for _ in range(5)]
    await turns()
    waiting[0].cancel()  # who goes does not take the question along
    asked.gate.set()
    assert await asyncio.gather(*waiting[1:]) == [False] * 4
    assert len(asked.times) == 1


async def test_urls_and_origins_are_apart(protection: AbuseProtection, asked: Asked) -> None:
    for url, origin in [
        ("http://a/", "o"),
        ("http://a/?code=1", "o"),
        ("http://a/", "p"),
        ("http://a/", "o"),
    ]:
        assert await is_allowed(protection, url, origin)
    assert len(asked.times) == 3


async def test_a_no_that_nobody_waits_for_is_traced_and_no_loose_end(
    protection: AbuseProtection, asked: Asked, traced: list[TraceEvent]
) -> None:
    loose: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: loose.append(told))
    asked.is_yes = False
    protection.start("http://app/hook?code=SECRET", ORIGIN)
    await turns()
    [event] = traced
    assert event.phase is Phase.FAILED
    assert event.detail == {"url": URL, "origin": ORIGIN}
    assert str(event.error) == "not you (status 500)"
    assert loose == []


async def test_closing_stops_asking(protection: AbuseProtection, asked: Asked) -> None:
    asked.gate = asyncio.Event()
    waiting = asyncio.create_task(is_allowed(protection))
    await turns()
    await protection.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# --- asking, against a real HTTP server ---------------------------------------------------------------


@pytest.mark.feature("validation")
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
        (405, ["*"], "failed with status 405"),
        (400, ["*"], "failed with status 400"),
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


@pytest.mark.feature("validation")
async def test_an_app_that_knows_no_options_is_asked_by_get(app: App, handler_of: Handlers) -> None:
    async def validate(request: web.Request) -> web.StreamResponse:
        return web.Response(status=404)

    async def respond(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"WebHook-Allowed-Origin": "*"})

    app.validate, app.respond = validate, respond
    await handler_of(app.url()).handle(user_event())
    assert app.methods == ["OPTIONS", "GET", "POST"]
    assert app.requests[1].told == {"WebHook-Request-Origin": "localhost", "ce-awpsversion": "1.0"}


async def test_get_has_the_same_rules(app: App, handler_of: Handlers) -> None:
    app.validation_status = 404
    app.answers(status=200)
    with pytest.raises(EventRefused, match="missed 'localhost' in WebHook-Allowed-Origin"):
        await handler_of(app.url()).handle(user_event())
    assert app.methods == ["OPTIONS", "GET"]


async def test_asking_is_tried_again_like_events(app: App, handler_of: Handlers, clock: Clock) -> None:
    statuses = [503, 408]

    async def validate(request: web.Request) -> web.StreamResponse:
        status = statuses.pop(0) if statuses else 200
        return web.Response(status=status, headers={"WebHook-Allowed-Origin": "*"})

    app.validate = validate
    await handler_of(app.url()).handle(user_event())
    assert app.methods == ["OPTIONS", "OPTIONS", "OPTIONS", "POST"]
    assert clock.slept == [1, 3]


async def test_an_origin_may_have_a_port(app: App, handler_of: Handlers) -> None:
    app.allowed = ["other", "localhost:8080"]
    await handler_of(app.url(), origin="localhost:8080").handle(user_event())
    assert app.requests[1].headers["WebHook-Request-Origin"] == "localhost:8080"


@pytest.mark.feature("validation")
@pytest.mark.parametrize(
    ("mode", "targets"), [("onStart", ["/a%5Bb%5D/validate", "/chat/validate"]), ("onFirstEvent", [])]
)
async def test_on_start_every_handler_is_asked(
    app: App, handler_of: Handlers, mode: str, targets: list[str]
) -> None:
    handler = handler_of(app.url("/{hub}/{event}"), settings={"validation_mode": mode})
    handler.validate_configured()
    await app.until(len(targets), "OPTIONS")
    assert sorted(request.target for request in app.requests) == targets
    await handler.handle(CONNECTED)
    assert app.methods.count("OPTIONS") == max(1, len(targets))
