"""The one trace hook.

Cores and shells report what starts, completes and fails to one listener that may be absent; then it
costs a test for None. Logs are a listener, and so is everything else that wants to watch.

The ids join a client's frame to its consequences: ``event`` is ``{connection_id}/{event_id}`` of the
event a frame raised, ``invocation`` the function call it led to, ``request`` the REST request of an
output action (the caller's ``x-ms-client-request-id``, which the host sets to its invocation id).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

import msgspec


class Phase(StrEnum):
    """Where in its life a traced thing is."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


class TraceEvent(msgspec.Struct, frozen=True):
    """One thing that started, completed or failed.

    Attributes:
        name: What: ``connection``, ``event``, ``webhook`` (an attempt to send an event that is followed by
            another), ``validation`` (abuse protection), ``function``, ``action``, ``rest``, ``timer``,
            ``retry``, ``storage`` or ``setting``.
        phase: Where in its life it is.
        ids: What joins it to others: ``hub``, ``connection``, ``user``, ``event``, ``invocation``,
            ``function``, ``request``.
        detail: Facts to show, JSON values.
        error: The exception of a failure.
    """

    name: str
    phase: Phase
    ids: Mapping[str, str]
    detail: Mapping[str, Any] = msgspec.field(default_factory=dict)
    error: BaseException | None = None


Trace = Callable[[TraceEvent], None]


def hearing_of(trace: Trace | None) -> Callable[[str, Phase], bool]:
    """Return what tells whether a listener makes anything of events of a name and phase.

    A listener that leaves most of them out, as the log does, has a method ``hears`` for hot paths, which then
    need not make what nobody looks at. Any other hears all.
    """
    if trace is None:
        return _nothing
    hears: Callable[[str, Phase], bool] = getattr(trace, "hears", _everything)
    return hears


def _nothing(_name: str, _phase: Phase) -> bool:
    return False


def _everything(_name: str, _phase: Phase) -> bool:
    return True
