"""Timer functions, with a clock and a sleep that take no time."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from webpubsub.host import FunctionHost
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.errors import StorageError
from webpubsub.model.trace import SILENT, Phase, TraceEvent

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
        for _ in range(50):
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
def storage() -> MemoryStorage:
    """What outlives a host."""
    return MemoryStorage()


@pytest.fixture
async def start(
    load_app: Callable[..., FunctionHost], time: FakeTime, hosts: list[FunctionHost], storage: MemoryStorage
) -> AsyncIterator[Start]:
    async def start_app(
        decorator: str, body: str = "runs.append(timer)", *, is_async: bool = True, **given: Any
    ) -> list[Any]:
        host = load_app(
            f"""
import asyncio
import azure.functions as func
app = func.FunctionApp()
runs = []
go = asyncio.Event()

@app.{decorator}
{"async " * is_async}def tick(timer: func.TimerRequest):
    {body}
""",
            clock=time.clock,
            sleep=time.sleep,
            **{"storage": storage, **given},
        )
        assert [str(problem) for problem in host.problems] == []
        hosts.append(host)
        await host.start()
        await time.settle()
        # A host that starts later in the same test has a module of its own.
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


async def test_a_parameter_annotated_str_gets_the_hosts_json(
    load_app: Callable[..., FunctionHost], time: FakeTime
) -> None:
    host = load_app(
        """
import azure.functions as func
app = func.FunctionApp()
runs = []

@app.timer_trigger("timer", schedule="0 */5 * * * *")
async def kept(timer: str):
    runs.append(timer)

@app.timer_trigger("timer", schedule="0 */6 * * * *", use_monitor=False)
async def forgotten(timer: bytes):
    runs.append(timer)
""",
        clock=time.clock,
        sleep=time.sleep,
        storage=MemoryStorage(),
    )
    assert [str(problem) for problem in host.problems] == []
    await host.start()
    await time.advance(400)
    assert sys.modules["function_app"].runs == [
        '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":{"Last":"0001-01-01T00:00:00+00:00",'
        '"Next":"2026-01-01T12:05:00+00:00","LastUpdated":"0001-01-01T00:00:00+00:00"},"IsPastDue":false}',
        '{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}',
    ]
    await host.stop(1)


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


async def test_an_interval_counts_from_the_start_of_the_last_run(start: Start, time: FakeTime) -> None:
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


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        *["asyncio.CancelledError", "SystemExit", "KeyboardInterrupt", "GeneratorExit", "StopIteration"],
        *[
            "StopAsyncIteration",
            "type('Own', (BaseException,), {})",
            "BaseExceptionGroup('', [SystemExit()])",
        ],
    ],
)
async def test_a_timer_that_gives_up_goes_on(
    start: Start,
    time: FakeTime,
    hosts: list[FunctionHost],
    events: list[TraceEvent],
    error: str,
    is_async: bool,
) -> None:
    decorator = "timer_trigger(arg_name='timer', schedule='0 * * * * *')"
    runs = await start(decorator, f"runs.append(timer); raise {error}", is_async=is_async)
    for _ in range(3):
        await time.advance(60)
        await hosts[0]._invoker._deadlines.idle(5)  # in a thread no clock of ours passes
        await time.settle()
    assert len(runs) == 3
    failed = [event.error for event in events if event.phase is Phase.FAILED]
    assert [type(each) for each in failed] == [RuntimeError] * 3
    assert all(each is not None and each.__cause__ is not None for each in failed)
    assert all("raised" in str(each) for each in failed)


async def test_a_function_never_overlaps_itself(start: Start, time: FakeTime) -> None:
    runs = await start(
        "timer_trigger(arg_name='timer', schedule='0 * * * * *')", "runs.append(timer); await go.wait()"
    )
    await time.advance(600)
    assert len(runs) == 1
    sys.modules["function_app"].go.set()
    await time.settle()
    # The occurrence that came first during the run follows it, those after it are lost.
    assert [run.schedule_status["Next"] for run in runs] == [
        "2026-01-01T12:01:00+00:00",
        "2026-01-01T12:02:00+00:00",
    ]
    await time.advance(60)
    assert len(runs) == 3
    assert runs[2].schedule_status["Next"] == "2026-01-01T12:11:00+00:00"


async def test_long_waits_notice_a_clock_that_was_set(start: Start, time: FakeTime) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 0 0 1 2 *')")
    # One sleep is for the schedule, one for the lease.
    assert sorted(moment - START for moment, _ in time.sleepers) == [30, 60]
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
    runs = await start(schedule, "await go.wait(); runs.append(timer)", trace=SILENT)
    await time.advance(60)
    stopping = asyncio.create_task(hosts[0].stop(10))
    await time.settle()
    assert not stopping.done()
    sys.modules["function_app"].go.set()
    await stopping
    await time.advance(600)
    assert len(runs) == 1


@pytest.mark.parametrize("fails_first", [True, False])
async def test_stopping_waits_for_no_retry(
    start: Start, hosts: list[FunctionHost], time: FakeTime, events: list[TraceEvent], fails_first: bool
) -> None:
    """Neither one that is awaited, nor that of a run which fails while the host stops."""
    policy = "retry(strategy='fixed_delay', max_retry_count='9', delay_interval='01:00:00')"
    schedule = "timer_trigger(arg_name='timer', schedule='0 * * * * *')"
    runs = await start(f"{schedule}\n@app.{policy}", "runs.append(timer); await go.wait(); 1 / 0")
    await time.advance(60)
    if fails_first:
        sys.modules["function_app"].go.set()
        await time.settle()
    stopping = asyncio.create_task(hosts[0].stop(10))
    await time.settle()
    sys.modules["function_app"].go.set()
    await time.settle()
    assert stopping.done()
    assert len(runs) == 1
    assert isinstance(events[-1].error, ZeroDivisionError) is not fails_first


async def test_stopping_ends_a_run_that_takes_too_long(
    start: Start, hosts: list[FunctionHost], time: FakeTime, events: list[TraceEvent]
) -> None:
    await start("timer_trigger(arg_name='timer', schedule='0 * * * * *')", "await go.wait()")
    await time.advance(60)
    await hosts[0].stop(0.01)
    assert isinstance(events[-1].error, asyncio.CancelledError)


FIVE_MINUTES = "timer_trigger(arg_name='timer', schedule='0 */5 * * * *')"
STATUS = "timers/chat/Host.Functions.tick/status"
CHAT = {"AzureFunctionsWebHost__hostid": "chat"}


def kept(storage: MemoryStorage) -> str:
    return storage.blobs["azure-webjobs-hosts", STATUS].decode()


def keep(storage: MemoryStorage, last: str, due: str, updated: str) -> None:
    status = f'{{"Last":"2026-01-01T{last}","Next":"2026-01-01T{due}","LastUpdated":"2026-01-01T{updated}"}}'
    storage.blobs["azure-webjobs-hosts", STATUS] = status.encode()


async def test_what_is_kept_of_a_timer(start: Start, time: FakeTime, storage: MemoryStorage) -> None:
    time.now += 0.5
    await start(FIVE_MINUTES, environ=CHAT)
    assert kept(storage) == (
        '{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-01-01T12:05:00+00:00",'
        '"LastUpdated":"2026-01-01T12:00:00.5+00:00"}'
    )
    await time.advance(300)
    assert kept(storage) == (
        '{"Last":"2026-01-01T12:05:00+00:00","Next":"2026-01-01T12:10:00+00:00",'
        '"LastUpdated":"2026-01-01T12:05:00+00:00"}'
    )


async def test_times_are_kept_in_the_time_zone_of_the_schedule(
    start: Start, time: FakeTime, storage: MemoryStorage
) -> None:
    daily = "timer_trigger(arg_name='timer', schedule='0 30 7 * * *')"
    runs = await start(daily, environ={**CHAT, "WEBSITE_TIME_ZONE": "America/New_York"})
    await time.advance(1800)
    assert runs[0].schedule_status["Next"] == "2026-01-01T07:30:00-05:00"
    assert '"Next":"2026-01-02T07:30:00-05:00"' in kept(storage)


@pytest.mark.parametrize(
    "decorator",
    [
        "timer_trigger(arg_name='timer', schedule='*/10 * * * * *')",
        "timer_trigger(arg_name='timer', schedule='00:00:10')",
        "timer_trigger(arg_name='timer', schedule='0 * * * * *', use_monitor=False)",
    ],
)
async def test_of_timers_that_are_not_monitored_nothing_is_kept(
    start: Start, time: FakeTime, storage: MemoryStorage, decorator: str
) -> None:
    runs = await start(decorator, environ=CHAT)
    await time.advance(60)
    assert runs
    assert storage.blobs == {}


async def test_after_a_restart_no_occurrence_runs_twice(
    start: Start, time: FakeTime, hosts: list[FunctionHost], storage: MemoryStorage
) -> None:
    runs = await start(FIVE_MINUTES, environ=CHAT)
    await time.advance(301)
    assert len(runs) == 1
    await hosts[0].stop(1)
    again = await start(FIVE_MINUTES, environ=CHAT)
    await time.advance(298)
    assert again == []
    await time.advance(1)
    assert [(run.past_due, run.schedule_status["Last"]) for run in again] == [
        (False, "2026-01-01T12:05:00+00:00")
    ]


async def test_what_was_missed_runs_at_once_and_once(
    start: Start, time: FakeTime, hosts: list[FunctionHost]
) -> None:
    await start(FIVE_MINUTES, environ=CHAT)
    await hosts[0].stop(1)
    time.now += 3600  # a dozen occurrences pass
    runs = await start(FIVE_MINUTES, environ=CHAT)
    assert [(run.past_due, run.schedule_status["Next"]) for run in runs] == [
        (True, "2026-01-01T12:05:00+00:00")
    ]
    await hosts[1].stop(1)
    assert await start(FIVE_MINUTES, environ=CHAT) == []
    await time.advance(300)
    assert [run.past_due for run in sys.modules["function_app"].runs] == [False]


async def test_what_is_due_just_now_was_not_missed(
    start: Start, time: FakeTime, storage: MemoryStorage
) -> None:
    keep(storage, "11:55:00Z", "12:00:00Z", "11:55:00Z")
    runs = await start(FIVE_MINUTES, environ=CHAT)
    assert [run.past_due for run in runs] == [False]


async def test_a_missed_interval_runs_at_once(start: Start, time: FakeTime, storage: MemoryStorage) -> None:
    keep(storage, "10:00:00.1234567+00:00", "11:00:00.1234567+00:00", "10:00:00.1234567+00:00")
    runs = await start("timer_trigger(arg_name='timer', schedule='01:00:00')", environ=CHAT)
    assert [run.past_due for run in runs] == [True]


async def test_a_run_that_was_missed_is_the_one_on_startup(
    start: Start, time: FakeTime, storage: MemoryStorage
) -> None:
    keep(storage, "11:50:00Z", "11:55:00Z", "11:50:00Z")
    decorator = FIVE_MINUTES.replace(")", ", run_on_startup=True)")
    runs = await start(decorator, environ=CHAT)
    assert [run.past_due for run in runs] == [True]


async def test_a_run_on_startup_is_remembered(start: Start, time: FakeTime, storage: MemoryStorage) -> None:
    time.now += 30
    await start(FIVE_MINUTES.replace(")", ", run_on_startup=True)"), environ=CHAT)
    assert '"Last":"2026-01-01T12:00:30+00:00","Next":"2026-01-01T12:05:00+00:00"' in kept(storage)


async def test_a_schedule_that_changed_while_no_host_ran_missed_nothing(
    start: Start, time: FakeTime, storage: MemoryStorage
) -> None:
    keep(storage, "10:00:00Z", "11:00:00Z", "10:00:00Z")
    runs = await start(FIVE_MINUTES, environ=CHAT)
    assert runs == []
    assert kept(storage) == (
        '{"Last":"0001-01-01T00:00:00+00:00","Next":"2026-01-01T12:05:00+00:00",'
        '"LastUpdated":"2026-01-01T12:00:00+00:00"}'
    )
    await time.advance(300)
    assert [(run.past_due, run.schedule_status["LastUpdated"]) for run in runs] == [
        (False, "2026-01-01T12:00:00+00:00")
    ]


async def test_a_run_that_was_cut_off_is_missed(
    start: Start, time: FakeTime, hosts: list[FunctionHost]
) -> None:
    await start(FIVE_MINUTES, "await go.wait()", environ=CHAT)
    await time.advance(300)
    await hosts[0].stop(0.01)
    time.now += 1
    runs = await start(FIVE_MINUTES, environ=CHAT)
    assert [run.past_due for run in runs] == [True]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"Next": 7}', b"\xff"])
async def test_a_status_that_cannot_be_read_is_told_and_written_anew(
    start: Start, time: FakeTime, storage: MemoryStorage, events: list[TraceEvent], content: bytes
) -> None:
    storage.blobs["azure-webjobs-hosts", STATUS] = content
    runs = await start(FIVE_MINUTES, environ=CHAT)
    (failed,) = [event for event in events if event.phase is Phase.FAILED]
    assert (failed.name, failed.ids) == ("timer", {"function": "tick"})
    assert str(failed.error).startswith(f"azure-webjobs-hosts/{STATUS} is no status of a timer: ")
    assert '"Next":"2026-01-01T12:05:00+00:00"' in kept(storage)
    await time.advance(300)
    assert len(runs) == 1


class Broken(MemoryStorage):
    async def _fail(self, *arguments: object) -> Any:
        raise StorageError("the disk is gone")

    read = write = lease = _fail  # type: ignore[assignment]  # whatever they are asked


async def test_a_storage_that_cannot_be_used_is_told_and_stops_no_timer(
    start: Start, time: FakeTime, events: list[TraceEvent]
) -> None:
    runs = await start(FIVE_MINUTES, storage=Broken())
    await time.advance(300)
    assert len(runs) == 1
    failed = {str(event.error) for event in events if event.phase is Phase.FAILED}
    assert failed == {"the disk is gone"}


async def test_a_fault_of_a_storage_is_told_with_its_traceback(
    start: Start, events: list[TraceEvent]
) -> None:
    class Faulty(MemoryStorage):
        async def read(self, container: str, name: str) -> bytes | None:
            raise ZeroDivisionError

    await start(FIVE_MINUTES, storage=Faulty())
    (failed,) = [event for event in events if event.phase is Phase.FAILED]
    assert failed.name == "timer"
    assert isinstance(failed.error, ExceptionGroup)
    assert failed.error.split(ZeroDivisionError)[1] is None


async def test_a_storage_without_leases_will_do(start: Start, time: FakeTime, storage: MemoryStorage) -> None:
    class Plain:
        read, write, close = storage.read, storage.write, storage.close

    runs = await start(FIVE_MINUTES, storage=Plain())
    await time.advance(300)
    assert len(runs) == 1


async def test_of_two_hosts_one_runs_a_timer_and_the_other_takes_over(
    start: Start, time: FakeTime, hosts: list[FunctionHost]
) -> None:
    first = await start(FIVE_MINUTES, environ=CHAT)
    second = await start(FIVE_MINUTES, environ=CHAT)
    await time.advance(600)
    assert (len(first), len(second)) == (2, 0)
    await hosts[0].stop(1)
    await time.advance(300)
    assert (len(first), len(second)) == (2, 1)
    assert second[0].schedule_status["Last"] == "2026-01-01T12:10:00+00:00"


async def test_hosts_of_different_apps_share_a_storage(start: Start, time: FakeTime) -> None:
    first = await start(FIVE_MINUTES, environ=CHAT)
    second = await start(FIVE_MINUTES, environ={"AzureFunctionsWebHost__hostid": "other"})
    await time.advance(300)
    assert (len(first), len(second)) == (1, 1)


async def test_a_host_that_lost_its_lease_stops_running_the_timer(
    start: Start, time: FakeTime, storage: MemoryStorage
) -> None:
    runs = await start("timer_trigger(arg_name='timer', schedule='0 * * * * *')", environ=CHAT)
    await time.advance(60)
    assert len(runs) == 1
    name = "locks/chat/Host.Functions.tick.Listener"
    del storage.leases["azure-webjobs-hosts", name]  # as when it could not be renewed in time,
    other = await storage.lease("azure-webjobs-hosts", name)  # and another host got it
    assert other is not None
    await time.advance(600)
    assert len(runs) == 1
    await other.release()
    await time.advance(120)
    assert len(runs) > 1
