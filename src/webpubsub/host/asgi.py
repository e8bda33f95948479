"""The function host: an ASGI application that runs one function app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from webpubsub.host.bindings import build_function
from webpubsub.host.bindings.http import HttpTrigger
from webpubsub.host.bindings.timer import TimerTrigger
from webpubsub.host.bindings.web_pubsub_trigger import WebPubSubTrigger
from webpubsub.host.connections import DEFAULT_CONNECTION, Connections
from webpubsub.host.cors import Cors
from webpubsub.host.function import Facilities, FunctionDefinition, HostFunction
from webpubsub.host.http_functions import HttpFunctions
from webpubsub.host.invoker import Invoker, thread_count
from webpubsub.host.loader import load_functions
from webpubsub.host.settings import HostSettings
from webpubsub.host.timers import Sleep, Timers
from webpubsub.host.webhook import WEBHOOK_PATH, Webhook, index_triggers
from webpubsub.model.cloudevents import HttpAnswer
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.ports import ActionSink
from webpubsub.model.trace import Phase, Trace, TraceEvent

__all__ = ["FunctionHost", "FunctionListing"]

# ASGI messages and scopes have values of many types.
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MAX_BODY_BYTES: Final = 100 * 1024 * 1024  # the Functions host's own limit

# A body or its length would be taken for the next answer on the connection (RFC 9110, section 6.4.1).
_BODILESS: Final = {204, 304}
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_HOME: Final = HttpAnswer(200, _TEXT, b"Your function app is up and running.\n")
_NOT_FOUND: Final = HttpAnswer(404)
_TOO_LARGE: Final = HttpAnswer(413, _TEXT, b"The request body is larger than 100 MiB.")


class _ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class FunctionListing(msgspec.Struct, frozen=True, kw_only=True):
    """One function, as a table shows it.

    Attributes:
        name: The function's name.
        kind: ``http``, ``timer`` or ``webPubSub``.
        where: ``file:line``.
        methods: Of an HTTP function; empty for any.
        path: Of an HTTP function, as a route template.
        schedule: Of a timer.
        hub: Of a Web PubSub function.
        event_type: Of a Web PubSub function: ``system`` or ``user``.
        event_name: Of a Web PubSub function.
    """

    name: str
    kind: str
    where: str
    methods: tuple[str, ...] = ()
    path: str = ""
    schedule: str = ""
    hub: str = ""
    event_type: str = ""
    event_name: str = ""


class FunctionHost:
    """Loads a function app and runs it; mount it in any ASGI server.

    Loading imports the user's code. What is wrong with the app is in ``problems``, all of it; the
    functions without problems run.

    Attributes:
        functions: What can run.
        problems: What is wrong with the app and its settings.
        warnings: What runs, but would better not be left so.

    Example:
        >>> host = FunctionHost(HostSettings.load(Path("app"), os.environ))  # doctest: +SKIP
    """

    def __init__(
        self,
        settings: HostSettings,
        *,
        only: Collection[str] = (),
        sinks: Mapping[str, ActionSink] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        trace: Trace | None = None,
    ) -> None:
        """Load the app.

        Args:
            settings: The app's settings.
            only: Names of the functions to run; empty for all.
            sinks: Where actions go, by connection name, instead of the REST API.
            clock: Seconds since the epoch.
            sleep: Waits for some seconds.
            trace: The listener, or None.
        """
        found: list[ConfigurationError] = []
        self._connections = Connections(settings.environment, clock, trace, sinks)
        facilities = Facilities(settings.environment, self._connections, clock, settings.route_prefix, trace)
        functions = _load(settings, facilities, only, found)
        index = index_triggers(_of(functions, WebPubSubTrigger), found)
        running = [f for f in functions if not isinstance(f.trigger, WebPubSubTrigger) or f in index.values()]
        self.functions = tuple(_listing(function) for function in running)
        self.problems = tuple(found)
        self.warnings = tuple(_warnings(index.values()))
        _report(self.problems, self.warnings, trace)
        self._invoker = Invoker(thread_count(settings.environment), clock=clock, trace=trace)
        self._webhook = Webhook(index, self._invoker, trace=trace)
        self._http = HttpFunctions(_of(running, HttpTrigger), self._invoker)
        self._timers = Timers(
            _of(running, TimerTrigger), self._invoker, clock=clock, sleep=sleep, trace=trace
        )
        origins, credentials = settings.cors_origins, settings.cors_credentials
        self._cors = Cors(origins, credentials=credentials) if origins else None
        self._is_started = False

    async def start(self) -> None:
        """Open the thread pool and start the timers; a second call does nothing."""
        if not self._is_started:
            self._is_started = True
            self._invoker.start()
            self._timers.start()

    async def stop(self, timeout: float = 30.0) -> None:
        """Stop the timers, wait up to ``timeout`` seconds for running functions, close connections."""
        if self._is_started:
            self._is_started = False
            deadline = time.monotonic() + timeout
            await self._timers.stop(timeout)
            await self._invoker.stop(max(0.0, deadline - time.monotonic()))
            await self._connections.close()

    @property
    def webhook(self) -> Webhook:
        """Answers requests of the service; for servers that have a shorter way to it than ASGI."""
        return self._webhook

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's own life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except _ClientGone:
                return
            await _send_answer(answer, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket is served here"})

    async def _answer(self, scope: Message, receive: Receive) -> HttpAnswer:
        path: str = scope["path"]
        is_webhook = _is_below(path, WEBHOOK_PATH)
        cors = None if is_webhook else self._cors
        if cors is not None and (answer := cors.preflight(scope["method"], scope["headers"])):
            return answer
        body = await _receive_body(receive)
        if body is None:
            return _TOO_LARGE
        if is_webhook:
            return await self._webhook.handle(scope["method"], scope["headers"], body)
        answer = await self._http.handle(scope, body)
        if answer is None:
            answer = _HOME if path in {"", "/"} and scope["method"] in {"GET", "HEAD"} else _NOT_FOUND
        if cors is None:
            return answer
        return HttpAnswer(answer.status, [*answer.headers, *cors.headers(scope["headers"])], answer.body)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Follow the server's life; see the ASGI specification, "Lifespan Protocol"."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self.problems and not self.functions:
                    text = "\n".join(str(problem) for problem in self.problems)
                    await send({"type": "lifespan.startup.failed", "message": text})
                    return
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _load(
    settings: HostSettings,
    facilities: Facilities,
    only: Collection[str],
    problems: list[ConfigurationError],
) -> list[HostFunction]:
    try:
        definitions = load_functions(settings.app_dir, settings.script_file, problems)
    except ConfigurationError as error:
        problems.append(error)
        return []
    wanted = _selected(definitions, only, settings, problems)
    built = (build_function(definition, facilities, problems) for definition in wanted)
    return [function for function in built if function is not None]


def _selected(
    definitions: list[FunctionDefinition],
    only: Collection[str],
    settings: HostSettings,
    problems: list[ConfigurationError],
) -> list[FunctionDefinition]:
    """Leave out what is not asked for, and what ``AzureWebJobs.<name>.Disabled`` switches off."""
    names = {definition.name.lower() for definition in definitions}
    unknown = [name for name in only if name.lower() not in names]
    if unknown:
        known = ", ".join(definition.name for definition in definitions) or "none"
        problems.append(
            ConfigurationError(f"there is no function {', '.join(unknown)}: the app's functions are {known}")
        )
    asked = {name.lower() for name in only} or names
    return [
        definition
        for definition in definitions
        if definition.name.lower() in asked and not _is_disabled(definition.name, settings.environment)
    ]


def _is_disabled(name: str, environment: Mapping[str, str]) -> bool:
    return environment.get(f"AzureWebJobs.{name}.Disabled", "").lower() in {"true", "1"}


def _of(functions: list[HostFunction], trigger: type) -> list[HostFunction]:
    return [function for function in functions if isinstance(function.trigger, trigger)]


def _listing(function: HostFunction) -> FunctionListing:
    name, where, trigger = function.definition.name, function.definition.where, function.trigger
    match trigger:
        case HttpTrigger():
            path = f"/{trigger.route.text}"
            return FunctionListing(name=name, kind="http", where=where, methods=trigger.methods, path=path)
        case TimerTrigger():
            return FunctionListing(name=name, kind="timer", where=where, schedule=trigger.expression)
        case WebPubSubTrigger():
            return FunctionListing(
                name=name,
                kind="webPubSub",
                where=where,
                hub=trigger.hub,
                event_type=trigger.event_type,
                event_name=trigger.event_name,
            )
    raise AssertionError(f"no listing for {type(trigger).__name__}")


def _report(problems: Iterable[ConfigurationError], warnings: Iterable[str], trace: Trace | None) -> None:
    if trace is None:
        return
    for problem in problems:
        trace(TraceEvent("setting", Phase.FAILED, {}, {"message": str(problem)}, problem))
    for warning in warnings:
        trace(TraceEvent("setting", Phase.FAILED, {}, {"message": warning}))


def _warnings(triggers: Iterable[HostFunction]) -> Iterator[str]:
    names = [function.definition.name for function in triggers if _is_open(function)]
    if names:
        yield (
            f"no Web PubSub connection is configured, so {', '.join(names)} take events from anybody: set "
            f"'{DEFAULT_CONNECTION}' to have origin and signature checked"
        )


def _is_open(function: HostFunction) -> bool:
    return isinstance(function.trigger, WebPubSubTrigger) and function.trigger.validator.accepts_everything


def _is_below(path: str, root: str) -> bool:
    start = path[: len(root)]
    return (start == root or start.lower() == root) and path[len(root) : len(root) + 1] in {"", "/"}


async def _receive_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None when it is larger than allowed.

    Raises:
        _ClientGone: It never became complete.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def _send_answer(answer: HttpAnswer, send: Send) -> None:
    is_bare = answer.status in _BODILESS
    headers = (
        [*answer.headers] if is_bare else [*answer.headers, (b"content-length", b"%d" % len(answer.body))]
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if is_bare else answer.body})
