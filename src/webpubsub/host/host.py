"""The function host: an ASGI application that runs one function app."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from webpubsub.host.azure.connections import Connections
from webpubsub.host.bindings.http_trigger import HttpTrigger
from webpubsub.host.bodies import TOO_LARGE, completed
from webpubsub.host.function import Facilities
from webpubsub.host.http.http_functions import HttpFunctions
from webpubsub.host.http.policies import AnswerHeaders, Cors, Throttle
from webpubsub.host.keys import KeyStore
from webpubsub.host.keys.access import WEBHOOK_KEY, Access, HttpGate
from webpubsub.host.loading.app import App, functions_of, load_app
from webpubsub.host.loading.listing import listing_of
from webpubsub.host.running.invoker import Invoker, thread_count
from webpubsub.host.settings.host_settings import HostSettings
from webpubsub.host.storage import Storage
from webpubsub.host.storage.app_storage import AppStorage
from webpubsub.host.timers.timer import Sleep, Timers
from webpubsub.host.timers.trigger import TimerTrigger
from webpubsub.host.webhook import WEBHOOK_PATH, Webhook
from webpubsub.http.asgi import ClientGone, Message, Receive, Send, send_answer
from webpubsub.model.errors import WebPubSubError
from webpubsub.model.http import HttpAnswer, RequestHead
from webpubsub.model.ports import ActionSink, TokenCredential
from webpubsub.model.trace import SILENT, Name, Phase, Trace

if TYPE_CHECKING:
    from webpubsub.host.admin import Admin

ADMIN_PATH: Final = "/admin"

_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"),)
_HOME: Final = HttpAnswer(200, _TEXT, b"Your function app is up and running.\n")
_NO_HOME: Final = "AzureWebJobsDisableHomepage"
_NOT_FOUND: Final = HttpAnswer(404)


class FunctionHost:
    """Loads a function app and runs it; mount it in any ASGI server.

    Loading imports the user's code. What is wrong with the app is in ``problems``, all of it; the
    functions without problems run.

    Attributes:
        functions: What can run.
        problems: What is wrong with the app and its settings.
        warnings: What runs, but would better not be left so.
        access: Who may call what, and with which key; None when nobody is asked for one.
        trace: Who is told what happens.
        bounds: What a server should take of requests.
        cors_origins: Origins whose pages may call HTTP functions; ``*`` is any.
        has_door: Whether the server asks who may come in; see `Door`.
        webhook: Answers requests of the service; also a `FastLane`, for servers that have a shorter way to it
            than ASGI.

    Example:
        >>> host = FunctionHost(HostSettings.load(Path("app"), os.environ))  # doctest: +SKIP
    """

    def __init__(
        self,
        settings: HostSettings,
        *,
        only: Collection[str] = (),
        auth: bool = False,
        sinks: Mapping[str, ActionSink] | None = None,
        storage: Storage | None = None,
        credentials: Mapping[str, TokenCredential] | None = None,
        clock: Callable[[], float] = time.time,
        sleep: Sleep = asyncio.sleep,
        trace: Trace = SILENT,
    ) -> None:
        """Load the app.

        Args:
            settings: The app's settings.
            only: Names of the functions to run; empty for all.
            auth: Ask for keys, as Azure does; else everybody may do everything, as with Core Tools.
            sinks: Where actions go, by connection name, instead of the REST API.
            storage: Where keys and timer statuses are kept, instead of what ``AzureWebJobsStorage`` names.
            credentials: Who signs in to services, by connection name, instead of what settings say.
            clock: Seconds since the epoch.
            sleep: Waits for some seconds.
            trace: The listener, or None.
        """
        self._settings = settings
        self.bounds = settings.http.bounds
        self._clock = clock
        self.trace = trace
        self._began = time.monotonic()
        self._connections = Connections(
            settings.environment, clock, trace, sinks, credentials, settings.calls
        )
        facilities = Facilities(
            settings.environment,
            self._connections,
            clock,
            route_prefix=settings.route_prefix,
            max_expression_body_bytes=settings.http.max_expression_body_bytes,
            retry=settings.retry,
            trace=trace,
        )
        self._app = app = load_app(settings, facilities, only or settings.functions)
        self.functions = tuple(listing_of(function) for function in app.running)
        self.problems = app.problems
        self.warnings = app.warnings
        _report(app, trace)
        self._invoker = Invoker(
            thread_count(settings.environment),
            clock=clock,
            trace=trace,
            function_timeout=settings.function_timeout,
        )
        self._storage = (
            AppStorage(settings.environment, settings.app_dir, trace) if storage is None else storage
        )
        self._keys = KeyStore(self._storage, settings.host_id, extensions=[WEBHOOK_KEY])
        http = functions_of((*app.running, *app.disabled), HttpTrigger)
        self.access = Access.of(self._keys, http) if auth else None
        is_open = None if self.access is None else self.access.opens_webhook
        self.webhook = Webhook(app.events, self._invoker, is_open=is_open, trace=trace)
        gate = HttpGate(app.disabled, self.access) if app.disabled or auth else None
        self._http = HttpFunctions(http, self._invoker, gate=gate, throttle=Throttle.of(settings.http))
        self._timers = Timers(
            functions_of(app.running, TimerTrigger),
            self._invoker,
            storage=self._storage,
            host_id=settings.host_id,
            clock=clock,
            sleep=sleep,
            trace=trace,
        )
        self.has_door = False
        self.cors_origins = origins = settings.cors_origins
        self._cors = Cors(origins, credentials=settings.cors_credentials) if origins else None
        self._headers = AnswerHeaders.of(settings.http, self._cors)
        stops = ((each.definition.name, each.definition.on_stop) for each in app.running)
        self._on_stop = [(name, on_stop) for name, on_stop in stops if on_stop is not None]
        is_bare = settings.environment.get(_NO_HOME, "").lower() in {"true", "1"}
        self._home = HttpAnswer(204) if is_bare else _HOME
        self._is_started = False

    async def start(self) -> None:
        """Read keys if they are asked for, open the thread pool, start the timers; at most once.

        Raises:
            ConfigurationError: The keys cannot be used.
            StorageError: The storage cannot be used, and keys are asked for.
        """
        if not self._is_started:
            if self.access is not None:
                await self._open(self.access)
            self._is_started = True
            self._invoker.start()
            self._timers.start()

    async def _open(self, access: Access) -> None:
        try:
            await access.open()
        except (WebPubSubError, asyncio.CancelledError):
            await self._storage.close()  # nobody stops a host that has not started
            raise

    async def stop(self, timeout: float = 30.0) -> None:
        """Stop the timers, wait up to ``timeout`` seconds for running functions, close connections."""
        if self._is_started:
            self._is_started = False
            deadline = time.monotonic() + timeout
            await self._timers.stop(timeout)
            await self._invoker.stop(max(0.0, deadline - time.monotonic()))
            for name, on_stop in self._on_stop:
                await self._end(name, on_stop, max(0.0, deadline - time.monotonic()))
            await self._connections.close()
            await self._storage.close()

    async def _end(self, name: str, on_stop: Callable[[], Awaitable[None]], timeout: float) -> None:
        """Let the app of a function end its life, whatever comes of that."""
        try:
            await asyncio.wait_for(on_stop(), timeout)
        except Exception as error:  # noqa: BLE001 - user code; told, with its traceback
            self.trace.tell(Name.FUNCTION, Phase.FAILED, {"function": name}, {}, error)

    def is_private(self, path: bytes) -> bool:
        """Whether a path, as it was sent, is one that no web page has business with."""
        text = unquote_to_bytes(path).decode("latin-1")
        return _is_below(text, ADMIN_PATH) or _is_below(text, WEBHOOK_PATH)

    def has_key(self, head: RequestHead) -> bool:
        """Whether a request has a key of this host, or is an event signed with one that is no public key."""
        path, _, query = head.target.partition(b"?")
        if self.access is not None and self.access.has_key(head.headers, query):
            return True
        return path == WEBHOOK_PATH.encode() and self.webhook.proves_key(head.headers)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's own life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except ClientGone:
                return
            await send_answer(answer, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket is served here"})

    async def _answer(self, scope: Message, receive: Receive) -> HttpAnswer:
        """Answer by the head where that decides; nobody else makes the host hold a body."""
        path: str = scope["path"]
        method, headers = scope["method"], scope["headers"]
        if _is_below(path, WEBHOOK_PATH):
            return await completed(
                self.webhook.decide(method, headers, scope["query_string"]), headers, receive
            )
        if _is_below(path, ADMIN_PATH):
            return await completed(self._admin.decide(scope), headers, receive)
        # CORS is for functions: no web page may read keys.
        if self._cors is not None and (preflight := self._cors.preflight(method, headers)):
            return preflight
        answer = await completed(self._http.decide(scope) or self._other(scope), headers, receive)
        # No function's answer, nor about one: it stays bare, as at the other two doors.
        return answer if self._headers is None or answer is TOO_LARGE else self._headers.add(answer, scope)

    def _other(self, scope: Message) -> HttpAnswer:
        """Answer a request that no function takes."""
        is_home = scope["path"] in {"", "/"} and scope["method"] in {"GET", "HEAD"}
        return self._home if is_home else _NOT_FOUND

    @cached_property
    def _admin(self) -> Admin:
        """Answers below ``/admin``; most hosts are never asked."""
        from webpubsub.host.admin import Admin

        return Admin(
            self._app,
            self._invoker,
            self._keys,
            self.access,
            host_id=self._settings.host_id,
            asks_origins=not self.has_door,
            clock=self._clock,
            uptime=lambda: time.monotonic() - self._began,
            trace=self.trace,
        )

    async def _live(self, receive: Receive, send: Send) -> None:
        """Follow the server's life; see the ASGI specification, "Lifespan Protocol"."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                if self.problems and not self.functions:
                    text = "\n".join(str(problem) for problem in self.problems)
                    await send({"type": "lifespan.startup.failed", "message": text})
                    return
                try:
                    await self.start()
                except WebPubSubError as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _report(app: App, trace: Trace) -> None:
    for problem in app.problems:
        trace.tell(Name.SETTING, Phase.FAILED, {}, {"message": str(problem)}, problem)
    for warning in app.warnings:
        trace.tell(Name.SETTING, Phase.FAILED, {}, {"message": warning})


def _is_below(path: str, root: str) -> bool:
    start = path[: len(root)]
    return (start == root or start.lower() == root) and path[len(root) : len(root) + 1] in {"", "/"}
