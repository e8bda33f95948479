"""What the trace is told of events and actions that pass the ports."""

from __future__ import annotations

import asyncio

import pytest

from kit.service_peers import Handler, Held, turns
from kit.webhook_peers import CONNECTED, user_event
from webpubsub.model.errors import EventRefused
from webpubsub.model.names import UserId
from webpubsub.model.ports import EventAnswer
from webpubsub.model.trace import SILENT, Name, Phase, Trace, TracedEvents, TraceEvent, event_ids

IDS = {"hub": "chat", "connection": "c1", "event": "c1/3"}


def told(event: TraceEvent) -> tuple[str, Phase, dict[str, object]]:
    detail = dict(event.detail)
    if event.phase is not Phase.STARTED:
        duration = detail.pop("duration")
        assert isinstance(duration, float)
        assert 0 <= duration < 10
    assert event.ids == IDS
    return event.name, event.phase, detail


async def test_an_answer() -> None:
    traced: list[TraceEvent] = []
    answer = EventAnswer(state="b25l", status=204, attempts=3)
    assert await TracedEvents(Handler(connected=answer), Trace(traced.append)).handle(CONNECTED) is answer
    assert [told(event) for event in traced] == [
        ("event", Phase.STARTED, {"name": "connected"}),
        ("event", Phase.COMPLETED, {"name": "connected", "status": 204, "attempts": 3}),
    ]


async def test_a_refusal() -> None:
    traced: list[TraceEvent] = []
    refused = EventRefused(403, "no")
    refused.attempts = 2
    with pytest.raises(EventRefused) as caught:
        await TracedEvents(Handler(connected=refused), Trace(traced.append)).handle(CONNECTED)
    assert caught.value is traced[1].error is refused
    assert told(traced[1]) == (
        "event",
        Phase.FAILED,
        {"name": "connected", "status": 403, "attempts": 2},
    )


@pytest.mark.parametrize("is_traced", [True, False])
async def test_a_fault_refuses_and_is_told_with_its_traceback(is_traced: bool) -> None:
    traced: list[TraceEvent] = []
    fault = ZeroDivisionError("oh")
    with pytest.raises(EventRefused, match="the event handler raised ZeroDivisionError") as caught:
        await TracedEvents(Handler(connected=fault), Trace(traced.append) if is_traced else SILENT).handle(
            CONNECTED
        )
    assert caught.value.status == 500
    assert [event.error for event in traced] == ([None, fault] if is_traced else [])


async def test_a_listener_is_told_only_what_it_hears() -> None:
    class Failures:
        def __init__(self) -> None:
            self.told: list[TraceEvent] = []

        def __call__(self, event: TraceEvent) -> None:
            self.told.append(event)

        def hears(self, _name: Name, phase: Phase) -> bool:
            return phase is Phase.FAILED

    traced = Failures()
    await TracedEvents(Handler(connected=EventAnswer()), Trace(traced)).handle(CONNECTED)
    with pytest.raises(EventRefused):
        await TracedEvents(Handler(connected=EventRefused(403, "no")), Trace(traced)).handle(CONNECTED)
    assert [event.phase for event in traced.told] == [Phase.FAILED]


async def test_a_client_that_goes() -> None:
    traced: list[TraceEvent] = []
    call = asyncio.create_task(
        TracedEvents(Handler(connected=Held()), Trace(traced.append)).handle(CONNECTED)
    )
    await turns()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert told(traced[1]) == ("event", Phase.FAILED, {"name": "connected"})
    assert isinstance(traced[1].error, asyncio.CancelledError)


def test_ids() -> None:
    context = user_event(user_id=UserId("")).connection_context
    assert event_ids(context) == IDS | {"user": ""}
