"""The one trace: what starts, completes and fails, told to whoever listens.

::

    with trace.span(Name.ACTION, {"hub": hub}) as span:     # started
        span.detail["status"] = send()                      # completed, or failed with what was raised

A span measures the time and knows its parent, which is the span it was opened in. What has no length is told
at once, by `Trace.tell`. Every listener says what it hears; where nobody hears anything, nothing is built.
Logs are a listener, and so is everything else that wants to watch: there is no second way.

The ids join a client's frame to its consequences: ``event`` is ``{connection_id}/{event_id}`` of the
event a frame raised, ``invocation`` the function call it led to, ``request`` the REST request of an
output action (the caller's ``x-ms-client-request-id``, which the host sets to its invocation id).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from enum import StrEnum
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import msgspec

from webpubsub.model.actions import Action
from webpubsub.model.errors import EventRefused
from webpubsub.model.events import EventRequest, WebPubSubConnectionContext
from webpubsub.model.names import HubName
from webpubsub.model.ports import ActionSink, EventAnswer, EventHandler


class Name(StrEnum):
    """What is traced."""

    CONNECTION = "connection"
    RECOVERY = "recovery"
    EVENT = "event"
    WEBHOOK = "webhook"
    VALIDATION = "validation"
    FUNCTION = "function"
    ACTION = "action"
    REST = "rest"
    DELIVERY = "delivery"
    REQUEST = "request"
    TIMER = "timer"
    RETRY = "retry"
    STORAGE = "storage"
    SETTING = "setting"
    WORKER = "worker"
    PROCESS = "process"


class Phase(StrEnum):
    """Where in its life a traced thing is."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


class Row(NamedTuple):
    """What listeners and docs need to know of a name.

    Attributes:
        meaning: What it stands for.
        category: Of the Functions host's logs; ``{function}`` is that of the ids.
        started: Level of Python's logging.
        completed: The same.
        failed: The same.
    """

    meaning: str
    category: str
    started: int = logging.DEBUG
    completed: int = logging.DEBUG
    failed: int = logging.WARNING

    def level(self, phase: Phase) -> int:
        """Return the level of a phase."""
        levels = {Phase.STARTED: self.started, Phase.COMPLETED: self.completed, Phase.FAILED: self.failed}
        return levels[phase]


_INFO: Final = logging.INFO
_ERROR: Final = logging.ERROR

NAMES: Final[Mapping[Name, Row]] = {
    Name.CONNECTION: Row("a client's connection", "Host.connection", _INFO, _INFO),
    Name.RECOVERY: Row("a reliable client that is away, and comes back", "Host.recovery"),
    Name.EVENT: Row("an event and its answer", "Host.event"),
    Name.WEBHOOK: Row("an attempt to send an event that is followed by another", "Host.webhook"),
    Name.VALIDATION: Row("abuse protection: whether an event handler takes events", "Host.validation"),
    Name.FUNCTION: Row("a call of a function", "Function.{function}", failed=_ERROR),
    Name.ACTION: Row("an action of a function", "Host.action"),
    Name.REST: Row("a request to the REST API of the service", "Host.rest"),
    Name.DELIVERY: Row("a message to its receivers", "Host.delivery"),
    Name.REQUEST: Row("an HTTP request that no application answered", "Host.request"),
    Name.TIMER: Row("a run of a timer", "Host.timer", failed=_ERROR),
    Name.RETRY: Row("a failed function that is called again", "Host.retry", started=_INFO),
    Name.STORAGE: Row("what the host remembers", "Host.storage"),
    Name.SETTING: Row("a setting that changed, or cannot be used", "Host.setting", completed=_INFO),
    Name.WORKER: Row("one of several processes of an app", "Host.worker", started=_INFO),
    Name.PROCESS: Row("what this process runs short of", "Host.process"),
}

Ids = Mapping[str, str]


class TraceEvent(msgspec.Struct, frozen=True):
    """One thing that started, completed or failed.

    Attributes:
        name: What.
        phase: Where in its life it is.
        ids: What joins it to others: ``hub``, ``connection``, ``user``, ``event``, ``invocation``,
            ``function``, ``request``.
        detail: Facts to show, JSON values; a span that ends has its ``duration`` in seconds.
        error: The exception of a failure.
        span: The number of its span, the same for its start and its end; 0 for what has no length.
        parent: The number of the span it happened in, or 0.
    """

    name: Name
    phase: Phase
    ids: Ids
    detail: Mapping[str, Any] = msgspec.field(default_factory=dict)
    error: BaseException | None = None
    span: int = 0
    parent: int = 0


Listener = Callable[[TraceEvent], None]
"""Is told what it hears: with a method ``hears(name, phase) -> bool`` that, else everything."""


_NO_DETAIL: Final[Mapping[str, Any]] = {}


def _no_clock() -> float:
    return 0.0


class Trace:
    """Tells listeners.

    Attributes:
        heard: The names of which somebody hears more than failures: for hot paths, which then need not make
            what nobody looks at.

    Example:
        >>> told = []
        >>> with Trace(told.append).span(Name.ACTION, {"hub": "chat"}) as span:
        ...     span.detail["status"] = 202
        >>> [(event.phase.value, event.detail) for event in told]
        [('started', {}), ('completed', {'status': 202, 'duration': 0.0})]
    """

    def __init__(self, *listeners: Listener, clock: Callable[[], float] = _no_clock) -> None:
        """Tell ``listeners``; ``clock`` tells seconds for durations."""
        self._listeners = list(listeners)
        self._clock = clock
        self._numbers = count(1)
        self.refresh()

    def listen(self, listener: Listener) -> None:
        """Tell one more."""
        self._listeners.append(listener)
        self.refresh()

    def leave(self, listener: Listener) -> None:
        """Tell one less.

        Raises:
            ValueError: It does not listen.
        """
        self._listeners.remove(listener)
        self.refresh()

    def refresh(self) -> None:
        """Ask all listeners again what they hear."""
        self._hearers = {
            (name, phase): tuple(each for each in self._listeners if _hears(each, name, phase))
            for name in Name
            for phase in Phase
        }
        ends = (Phase.STARTED, Phase.COMPLETED)
        self.heard = frozenset(name for name in Name if any(self._hearers[name, phase] for phase in ends))
        self._failures = frozenset(name for name in Name if self._hearers[name, Phase.FAILED])

    def hears(self, name: Name, phase: Phase) -> bool:
        """Whether anybody hears of it."""
        return bool(self._hearers[name, phase])

    def tell(
        self,
        name: Name,
        phase: Phase,
        ids: Ids,
        detail: Mapping[str, Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Tell of something that has no length."""
        if self._hearers[name, phase]:
            self.forward(TraceEvent(name, phase, ids, detail or {}, error, 0, _number(_within.get())))

    def span(self, name: Name, ids: Ids | Callable[[], Ids], detail: Mapping[str, Any] = _NO_DETAIL) -> Span:
        """Open a span: use it in a ``with`` block.

        Args:
            name: What it is.
            ids: Its ids, or what makes them if somebody hears of it.
            detail: Facts to show from its start on.
        """
        return Span(self, name, ids, detail) if name in self.heard or name in self._failures else UNHEARD

    def forward(self, event: TraceEvent) -> None:
        """Tell of an event as it is, such as one of another process."""
        for listener in self._hearers[event.name, event.phase]:
            listener(event)


class Span:
    """One thing under way.

    Attributes:
        detail: Facts to show when it ends; those that are given at the start are shown there, too.
        error: What to tell as the cause of a failure, instead of what the block raised.
    """

    __slots__ = ("_before", "_began", "_ids", "_name", "_number", "_trace", "detail", "error")

    def __init__(
        self, trace: Trace, name: Name, ids: Ids | Callable[[], Ids], detail: Mapping[str, Any]
    ) -> None:
        self._trace = trace
        self._name = name
        self._ids = ids
        self._number = 0
        self.detail: dict[str, Any] = {**detail}
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        trace = self._trace
        self._began = trace._clock()
        if self._name in trace.heard:
            self._number = next(trace._numbers)
            self._before = _within.get()
            _within.set(self)
            if trace._hearers[self._name, Phase.STARTED]:
                self._tell(Phase.STARTED, dict(self.detail), None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        phase = Phase.COMPLETED if error is None else Phase.FAILED
        if self._number:
            _within.set(self._before)
        if self._number or error is not None:
            self.detail["duration"] = self._trace._clock() - self._began
            self._tell(phase, self.detail, self.error or error)

    def _tell(self, phase: Phase, detail: Mapping[str, Any], error: BaseException | None) -> None:
        trace = self._trace
        if not trace._hearers[self._name, phase]:
            return
        ids = self._ids
        if callable(ids):
            ids = self._ids = ids()
        parent = _number(self._before if self._number else _within.get())
        trace.forward(TraceEvent(self._name, phase, ids, detail, error, self._number, parent))


_within: ContextVar[Span | None] = ContextVar("webpubsub_span", default=None)


def _number(span: Span | None) -> int:
    return 0 if span is None else span._number


def _hears(listener: Listener, name: Name, phase: Phase) -> bool:
    hears: Callable[[Name, Phase], bool] | None = getattr(listener, "hears", None)
    return hears is None or hears(name, phase)


class _Nothing(dict[str, Any]):
    """Facts that nobody hears of."""

    def __setitem__(self, _name: str, _value: Any) -> None:
        pass

    def update(self, *_: Any, **__: Any) -> None:
        """Take none."""


class _Unheard(Span):
    """A span that nobody hears of; one for all."""

    __slots__ = ()

    def __init__(self) -> None:
        self.detail = _Nothing()
        self._number = 0

    @property
    def error(self) -> None:
        """None, as nothing is kept."""

    @error.setter
    def error(self, _error: BaseException | None) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


UNHEARD: Final = _Unheard()
SILENT: Final = Trace()
"""Nobody listens."""


# --- the ports, traced ---------------------------------------------------------------------------------


class TracedEvents:
    """An event handler whose events the trace hears of; no fault of it leaves a client waiting."""

    def __init__(self, handler: EventHandler, trace: Trace) -> None:
        """Hand events on to ``handler``."""
        self._handler = handler
        self._trace = trace
        self.takes = handler.takes
        self.forget = handler.forget

    async def handle(self, request: EventRequest) -> EventAnswer:
        """See `EventHandler.handle`; whatever else the handler raises is refused, and traced as it is."""
        context = request.connection_context
        named = {"name": context.event_name}
        with self._trace.span(Name.EVENT, partial(event_ids, context), named) as span:
            try:
                answer = await self._handler.handle(request)
            except EventRefused as refused:
                span.detail.update(status=refused.status, attempts=refused.attempts)
                raise
            except Exception as error:
                fault = EventRefused(500, f"the event handler raised {type(error).__name__}")
                span.error = error  # told with its traceback
                span.detail.update(status=fault.status, attempts=fault.attempts)
                raise fault from error
            span.detail.update(status=answer.status, attempts=answer.attempts)
            return answer


class TracedActions:
    """A sink whose actions the trace hears of."""

    def __init__(self, sink: ActionSink, trace: Trace, endpoint: str) -> None:
        """Hand actions on to ``sink``, which is shown as ``endpoint``."""
        self._sink = sink
        self._trace = trace
        self._endpoint = endpoint

    async def perform(self, hub: HubName, action: Action, *, request_id: str | None = None) -> None:
        """See `ActionSink.perform`."""
        named = {"action": action.action_name, "endpoint": self._endpoint}
        with self._trace.span(Name.ACTION, partial(_action_ids, hub, request_id), named):
            await self._sink.perform(hub, action, request_id=request_id)


def event_ids(context: WebPubSubConnectionContext) -> Ids:
    """Return the ids of an event, as `webpubsub.model.trace` names them."""
    ids: dict[str, str] = {
        "hub": context.hub,
        "connection": context.connection_id,
        "event": f"{context.connection_id}/{context.event_id}",
    }
    if context.user_id is not None:
        ids["user"] = context.user_id
    return ids


def _action_ids(hub: HubName, request_id: str | None) -> Ids:
    return {"hub": hub} if request_id is None else {"hub": hub, "request": request_id}
