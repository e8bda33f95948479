"""What a function raised, as something that can be raised on."""

from __future__ import annotations

from webpubsub.model.logs.text import fact, text_of

_OF_GENERATORS = (StopIteration, StopAsyncIteration)


def as_failure(error: BaseException) -> Exception:
    """Return an exception like any other for what a function raised; mostly it is that itself.

    A coroutine would take a StopIteration for its own end, a task a GeneratorExit or CancelledError for its
    own, and a SystemExit would end the host and every other function with it.
    """
    if isinstance(error, Exception) and not isinstance(error, _OF_GENERATORS):
        return error
    failure = RuntimeError(f"the function raised {fact(text_of(error, repr))}")
    failure.__cause__ = error
    return failure
