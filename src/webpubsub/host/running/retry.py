"""Calling a failed function again, as its retry policy says.

As on Azure policies apply to timers, of all triggers this host runs; whoever sent an HTTP request or an event
is answered at once and may send it again.

Source: WebJobs SDK, FunctionExecutorExtensions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from webpubsub.host.function import RetryContext
from webpubsub.host.settings.retry import RetryPolicy

T = TypeVar("T")


async def call_again(
    policy: RetryPolicy,
    call: Callable[[RetryContext], Awaitable[T]],
    pause: Callable[[float, RetryContext], Awaitable[None]],
) -> T:
    """Call until that succeeds, or the policy is at its end.

    Args:
        policy: How often, and after which delays.
        call: The call; told how often it failed.
        pause: Waits some seconds before the next call, which it is shown.

    Raises:
        Exception: What the last call raised.
    """
    context = RetryContext(max_retry_count=policy.max_retry_count)
    for number, delay in enumerate(policy.delays(), 1):
        try:
            return await call(context)
        except Exception as error:  # noqa: BLE001 - the next call is told of it
            context = RetryContext(number, policy.max_retry_count, error)
        await pause(delay, context)
    return await call(context)
