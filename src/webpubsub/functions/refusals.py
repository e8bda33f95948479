"""Where the refusals of decorators go: raised at once, or collected by a host that names them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from webpubsub.model.errors import FunctionError, FunctionErrors

_collected: ContextVar[list[FunctionError] | None] = ContextVar("_collected", default=None)


@contextmanager
def collecting_refusals() -> Iterator[list[FunctionError]]:
    """Let decorators note what they refuse instead of raising it, so that the app's import goes on.

    Their functions stay as they were; whoever collects leaves them out.
    """
    found: list[FunctionError] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def is_collected(refusal: FunctionError | FunctionErrors) -> bool:
    """Whether somebody collects, and has noted ``refusal``; else it must be raised."""
    collected = _collected.get()
    if collected is None:
        return False
    collected += [refusal] if isinstance(refusal, FunctionError) else refusal.errors
    return True
