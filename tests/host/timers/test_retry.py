"""Retry policies: what they say, and what the host does after a failure."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest

from webpubsub.host import FunctionHost
from webpubsub.host.function import RetryContext
from webpubsub.host.settings.retry import RetryPolicy, parse_retry
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.host.timers.timer import call_again
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.trace import Phase, TraceEvent


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (
            {"strategy": "fixed_delay", "max_retry_count": "3", "delay_interval": "00:00:10"},
            RetryPolicy(3, 10, 10),
        ),
        ({"strategy": "fixedDelay", "maxRetryCount": 5, "delayInterval": "00:01"}, RetryPolicy(5, 60, 60)),
        ({"strategy": "FIXEDDELAY", "maxRetryCount": 0, "delayInterval": "0"}, RetryPolicy(0, 0, 0)),
        (
            {
                "setting_name": "retry_policy",
                "strategy": "exponential_backoff",
                "maxRetryCount": "-1",
                "minimumInterval": "00:00:01",
                "maximumInterval": "00:15:00",
                "delayInterval": None,
            },
            RetryPolicy(-1, 1, 900),
        ),
    ],
)
def test_policies_are_read(members: dict[str, Any], expected: RetryPolicy) -> None:
    assert parse_retry(members) == expected


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({}, "retry strategy is None: expected 'fixed_delay' or 'exponential_backoff'"),
        ({"strategy": "often"}, "retry strategy is 'often': expected 'fixed_delay' or 'exponential_backoff'"),
        (
            {"strategy": "fixed_delay", "max_retry_count": "3"},
            "retry delay_interval is None: expected a time such as '00:00:10'",
        ),
        (
            {"strategy": "fixed_delay", "max_retry_count": "3", "delay_interval": "10 s"},
            "retry delay_interval is '10 s': expected a time such as '00:00:10'",
        ),
        (
            {"strategy": "fixed_delay", "max_retry_count": "3", "delay_interval": "-00:00:10"},
            "retry delay_interval is '-00:00:10': expected a time such as '00:00:10'",
        ),
        (
            {"strategy": "fixed_delay", "delay_interval": "00:00:10"},
            "retry max_retry_count is None: expected how often to call again at most, or -1 for ever",
        ),
        (
            {"strategy": "fixed_delay", "delay_interval": "00:00:10", "max_retry_count": "-2"},
            "retry max_retry_count is '-2': expected how often to call again at most, or -1 for ever",
        ),
        (
            {
                "strategy": "exponential_backoff",
                "max_retry_count": 1,
                "minimum_interval": "00:01:00",
                "maximum_interval": "00:00:10",
            },
            "retry minimum_interval 60 s is longer than maximum_interval 10 s: swap them",
        ),
    ],
)
def test_what_the_host_would_refuse_is_refused(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_retry(members)
    assert str(caught.value) == problem


def test_a_fixed_delay_stays_the_same() -> None:
    assert list(RetryPolicy(3, 10, 10).delays()) == [10, 10, 10]


def test_a_growing_delay_doubles_up_to_its_maximum() -> None:
    policy = RetryPolicy(-1, 1, 20)
    assert list(islice(policy.delays(lambda low, high: 1.0), 8)) == [1, 2, 3, 5, 9, 17, 20, 20]
    assert list(islice(policy.delays(lambda low, high: low), 4)) == [1, 1.8, 2.6, 4.2]
    assert list(islice(policy.delays(lambda low, high: high), 4)) == [1, 2.2, 3.4, 5.8]
    assert next(islice(policy.delays(), 5000, None)) == 20


class Flaky:
    """A call that fails so many times, and remembers what it was told."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.contexts: list[RetryContext] = []
        self.pauses: list[float] = []

    async def call(self, context: RetryContext) -> str:
        self.contexts.append(context)
        if len(self.contexts) <= self.failures:
            raise LookupError(len(self.contexts))
        return "done"

    async def pause(self, seconds: float, _context: RetryContext) -> None:
        self.pauses.append(seconds)


async def test_a_call_is_repeated_until_it_succeeds() -> None:
    flaky = Flaky(2)
    assert await call_again(RetryPolicy(5, 7, 7), flaky.call, flaky.pause) == "done"
    assert [(each.retry_count, each.max_retry_count) for each in flaky.contexts] == [(0, 5), (1, 5), (2, 5)]
    assert [repr(each.exception) for each in flaky.contexts] == ["None", "LookupError(1)", "LookupError(2)"]
    assert flaky.contexts[2].rpc_exception is flaky.contexts[2].exception
    assert flaky.pauses == [7, 7]


async def test_the_last_failure_is_the_calls() -> None:
    flaky = Flaky(9)
    with pytest.raises(LookupError, match="3"):
        await call_again(RetryPolicy(2, 7, 7), flaky.call, flaky.pause)
    assert flaky.pauses == [7, 7]


async def test_no_retry_is_one_call() -> None:
    flaky = Flaky(9)
    with pytest.raises(LookupError, match="1"):
        await call_again(RetryPolicy(0, 7, 7), flaky.call, flaky.pause)
    assert flaky.pauses == []


# --- in the host --------------------------------------------------------------------------------------

APP = """
import azure.functions as func
app = func.FunctionApp()
seen = []

@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *", run_on_startup=True)
{decorator}
async def tick(timer, context):
    retry = context.retry_context
    seen.append((retry.retry_count, retry.max_retry_count, repr(retry.exception)))
    if len(seen) < 3:
        raise LookupError("not yet")
"""
FIXED = "@app.retry(strategy='fixed_delay', max_retry_count='5', delay_interval='00:00:10')"
Load = Callable[..., FunctionHost]


async def settle() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


class Sleeper:
    """A sleep whose naps end when the test says so."""

    def __init__(self) -> None:
        self.naps: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        nap = asyncio.get_running_loop().create_future()
        self.naps.append((seconds, nap))
        await nap

    async def wake(self, seconds: float) -> bool:
        """End the naps of exactly so many seconds; tell whether there were any."""
        await settle()
        due = [nap for length, nap in self.naps if length == seconds and not nap.done()]
        for nap in due:
            nap.set_result(None)
        await settle()
        return bool(due)


@pytest.mark.parametrize(
    ("decorator", "host_json"),
    [
        (FIXED, '{"version": "2.0"}'),
        (
            "",
            '{"version": "2.0", "retry": '
            '{"strategy": "fixedDelay", "maxRetryCount": 5, "delayInterval": "00:00:10"}}',
        ),
        (
            FIXED,
            '{"version": "2.0", "retry": '
            '{"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "01:00:00"}}',
        ),
    ],
)
async def test_a_failed_timer_runs_again(
    load_app: Load, events: list[TraceEvent], decorator: str, host_json: str
) -> None:
    sleeper = Sleeper()
    files = {"host__json": host_json}
    host = load_app(
        APP.format(decorator=decorator), files=files, sleep=sleeper.sleep, storage=MemoryStorage()
    )
    assert (host.problems, host.warnings) == ((), ())
    await host.start()
    seen = sys.modules["function_app"].seen
    assert await sleeper.wake(10)
    assert await sleeper.wake(10)
    assert not await sleeper.wake(10)
    await host.stop(1)
    assert seen == [
        (0, 5, "None"),
        (1, 5, "LookupError('not yet')"),
        (2, 5, "LookupError('not yet')"),
    ]
    told = [(event.name, event.phase) for event in events if event.name in {"function", "retry"}]
    failed = [("function", Phase.STARTED), ("function", Phase.FAILED), ("retry", Phase.STARTED)]
    assert told == [*failed, *failed, ("function", Phase.STARTED), ("function", Phase.COMPLETED)]
    retries = [event for event in events if event.name == "retry"]
    assert [(event.ids, event.detail) for event in retries] == [
        ({"function": "tick"}, {"delay": 10, "attempt": 1, "max": 5}),
        ({"function": "tick"}, {"delay": 10, "attempt": 2, "max": 5}),
    ]


async def test_stopping_ends_the_wait_for_a_retry(load_app: Load) -> None:
    sleeper = Sleeper()
    host = load_app(APP.format(decorator=FIXED), sleep=sleeper.sleep, storage=MemoryStorage())
    await host.start()
    await settle()
    assert 10 in [seconds for seconds, _ in sleeper.naps]
    await asyncio.wait_for(host.stop(60), 5)
    assert len(sys.modules["function_app"].seen) == 1


def test_a_policy_that_azure_ignores_is_warned_of(load_app: Load) -> None:
    host = load_app(
        f"import azure.functions as func\napp = func.FunctionApp()\n@app.route()\n{FIXED}\ndef f(req): ..."
    )
    assert host.problems == ()
    assert host.warnings == (
        "function_app.py:3: function 'f': retries are not supported for its trigger, here as on Azure: "
        "whoever called it is told at once that it failed; remove the retry policy, or try again inside the "
        "function",
    )


def test_an_unusable_policy_is_told(load_app: Load) -> None:
    host = load_app(APP.format(decorator="@app.retry(strategy='fixed_delay', max_retry_count='5')"))
    assert [str(problem) for problem in host.problems] == [
        "function_app.py:6: function 'tick': retry delay_interval is None: expected a time such as '00:00:10'"
    ]
    assert host.functions == ()
