"""Timer functions, with a clock and a sleep that take no time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from webpubsub.host import FunctionHost
from webpubsub.model.trace import Phase, TraceEvent

START = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC).timestamp()


class FakeTime:
    """A clock that moves only when the test says so."""

    def __init__(self) -> None:
        self.now = START
        self.sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + seconds, done))
        await done

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        await self.settle()
        while due := [sleeper for sleeper in self.sleepers if sleeper[0] <= end]:
            moment, done = min(due, key=lambda sleeper: sleeper[0])
            self.sleepers.remove((moment, done))
            self.now = max(self.now, moment)
            if not done.done():
                done.set_result(None)
            await self.settle()
        self.now = end


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


Start = Callable[..., Any]


@pytest.fixture
def hosts() -> list[FunctionHost]:
    """What `start` has started."""
    return []


@pytest.fixture
async def start(
    load_app: Callable[..., FunctionHost], time: FakeTime, hosts: list[FunctionHost]
) -> AsyncIterator[Start]:
    async def start_app(decorator: str, body: str = "runs.append(timer)", **given: Any) -> list[Any]:
        host = load_app(
            f"""
import asyncio
import azure.functions as func
app = func.FunctionApp()
runs = []
go = asyncio.Event()

@app.{decorator}
async def tick(timer: func.TimerRequest):
    {body}
""",
            clock=time.clock,
            sleep=time.sleep,
            **given,
        )
        assert [str(problem) for problem in host.problems] == []
        hosts.append(host)
        await host.start()
        await time.settle()
        runs: list[Any] = sys.modules["function_app"].runs
        return runs

    yield start_app
    for host in hosts:
        await host.stop(1)


async def test_a_timer_runs_when_it_is_due(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 */5 * * * *')")
    await time.advance(299)
    assert len(runs) == 0
    await time.advance(1)
    assert len(runs) == 1
    await time.advance(900)
    assert len(runs) == 4


async def test_what_a_timer_gets(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 */5 * * * *')")
    await time.advance(600)
    first, second = runs
    assert type(first).__module__ == "azure.functions.timer"
    assert first.past_due is False
    assert first.schedule == {"AdjustForDST": True}
    assert first.schedule_status == {
        "Last": "0001-01-01T00:00:00+00:00",
        "Next": "2026-01-01T12:05:00+00:00",
        "LastUpdated": "0001-01-01T00:00:00+00:00",
    }
    assert second.schedule_status == {
        "Last": "2026-01-01T12:05:00+00:00",
        "Next": "2026-01-01T12:10:00+00:00",
        "LastUpdated": "2026-01-01T12:05:00+00:00",
    }


@pytest.mark.parametrize(
    "decorator",
    [
        "timer_trigger(arg_name='timer', schedule='*/10 * * * * *')",
        "timer_trigger(arg_name='timer', schedule='0 * * * * *', use_monitor=False)",
    ],
)
async def test_timers_that_are_not_monitored_have_no_status(
    start: Start, time: FakeTime, decorator: str
) -> None:
    runs = await start(decorator)
    await time.advance(60)
    assert runs[0].schedule_status == {}


async def test_an_interval_counts_from_the_end_of_the_last_run(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='00:00:30')")
    await time.advance(95)
    assert len(runs) == 3
    assert runs[0].schedule == {"AdjustForDST": False}


async def test_a_timer_may_run_on_startup_too(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 0 * * * *', run_on_startup=True)")
    assert len(runs) == 1
    await time.advance(3600)
    assert len(runs) == 2


async def test_a_schedule_may_be_a_setting_and_is_listed(
    load_app: Callable[..., FunctionHost], time: FakeTime
) -> None:
    host = load_app(
        "import azure.functions as func\napp = func.FunctionApp()\n"
        "@app.timer_trigger(arg_name='timer', schedule='%When%')\ndef tick(timer): ...\n",
        {"When": "0 0 3 * * *"},
        clock=time.clock,
    )
    (listing,) = host.functions
    assert (listing.kind, listing.schedule) == ("timer", "0 0 3 * * *")


async def test_a_timer_that_fails_goes_on(start: Start, time: FakeTime, events: list[TraceEvent]) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 * * * * *')", "runs.append(timer); 1 / 0")
    await time.advance(120)
    assert len(runs) == 2
    failed = [event for event in events if event.phase is Phase.FAILED]
    assert [(event.name, type(event.error)) for event in failed] == [("function", ZeroDivisionError)] * 2


@pytest.mark.parametrize("error", ["asyncio.CancelledError", "SystemExit", "KeyboardInterrupt"])
async def test_a_timer_that_gives_up_goes_on(
    start: Start, time: FakeTime, events: list[TraceEvent], error: str
) -> None:
    runs = await start(
        "timer_trigger(arg_name='timer', schedule='0 * * * * *')", f"runs.append(timer); raise {error}"
    )
    await time.advance(120)
    assert len(runs) == 2
    failed = [str(event.error) for event in events if event.phase is Phase.FAILED]
    assert failed == [f"the function raised {error.removeprefix('asyncio.')}()"] * 2


async def test_a_function_never_overlaps_itself(start: Start, time: FakeTime) -> None:
    runs = await start(
        "timer_trigger(arg_name='timer', schedule='0 * * * * *')", "runs.append(timer); await go.wait()"
    )
    await time.advance(600)
    assert len(runs) == 1
    sys.modules["function_app"].go.set()
    await time.settle()
    assert len(runs) == 1
    await time.advance(60)
    assert len(runs) == 2
    assert runs[1].schedule_status["Next"] == "2026-01-01T12:11:00+00:00"


async def test_long_waits_notice_a_clock_that_was_set(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 0 0 1 2 *')")
    assert [moment - START for moment, _ in time.sleepers] == [60]
    time.now = datetime(2026, 2, 1, tzinfo=UTC).timestamp()
    await time.advance(0)
    assert len(runs) == 1


async def test_the_first_time_is_told(start: Start, events: list[TraceEvent]) -> None:
    await start("timer_trigger(arg_name='timer', schedule='0 * * * * *')")
    (told,) = [event for event in events if event.name == "timer"]
    assert (told.phase, told.ids, told.detail) == (
        Phase.STARTED,
        {"function": "tick"},
        {"next": "2026-01-01T12:01:00+00:00"},
    )


async def test_stopping_waits_for_a_run_and_starts_no_other(
    start: Start, hosts: list[FunctionHost], time: FakeTime
) -> None:
    schedule = "timer_trigger(arg_name='timer', schedule='0 * * * * *')"
    runs = await start(schedule, "await go.wait(); runs.append(timer)", trace=None)
    await time.advance(60)
    stopping = asyncio.create_task(hosts[0].stop(10))
    await time.settle()
    assert not stopping.done()
    sys.modules["function_app"].go.set()
    await stopping
    await time.advance(600)
    assert len(runs) == 1


async def test_stopping_ends_a_run_that_takes_too_long(
    start: Start, hosts: list[FunctionHost], time: FakeTime, events: list[TraceEvent]
) -> None:
    await start("timer_trigger(arg_name='timer', schedule='0 * * * * *')", "await go.wait()")
    await time.advance(60)
    await hosts[0].stop(0.01)
    assert isinstance(events[-1].error, asyncio.CancelledError)
