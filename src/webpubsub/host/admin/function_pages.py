"""Functions through the admin endpoints: what there is, and running one by hand."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from azure.functions.http import HttpRequest

from webpubsub.functions.host_json import decode_request
from webpubsub.host.admin.pages import AdminRequest, Page, json_answer
from webpubsub.host.bindings.http_trigger import HttpTrigger, build_request
from webpubsub.host.bindings.web_pubsub_trigger import WebPubSubTrigger
from webpubsub.host.function import HostFunction, Trigger
from webpubsub.host.loading.app import App
from webpubsub.host.running.invoker import Invoker
from webpubsub.host.timers.status import TimerStatus
from webpubsub.host.timers.trigger import TimerTick, TimerTrigger
from webpubsub.model.errors import FunctionError, PeerError
from webpubsub.model.events import EventRequest
from webpubsub.model.http import HttpAnswer


class FunctionPages:
    """Lists the functions of an app, disabled ones included, and runs them."""

    def __init__(self, app: App, invoker: Invoker, clock: Callable[[], float]) -> None:
        """Show ``app``; ``invoker`` runs its functions, ``clock`` tells seconds since the epoch."""
        self._functions = {f.definition.name.lower(): f for f in (*app.running, *app.disabled)}
        self._disabled = frozenset(app.disabled)
        self._problems = app.problems
        self._invoker = invoker
        self._clock = clock
        self._runs: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly

    @property
    def names(self) -> Collection[str]:
        """The names of all functions, in lower case."""
        return self._functions.keys()

    def pages(self) -> Iterable[Page]:
        yield Page("GET", "admin/functions", self._list)
        yield Page("GET", "admin/functions/{name}", self._show)
        yield Page("POST", "admin/functions/{name}", self._run)
        yield Page("GET", "admin/functions/{name}/status", self._status)

    async def _list(self, request: AdminRequest) -> HttpAnswer:
        return json_answer([self._described(f, request.base) for f in self._functions.values()])

    async def _show(self, request: AdminRequest) -> HttpAnswer:
        return json_answer(self._described(self._named(request), request.base))

    async def _status(self, request: AdminRequest) -> HttpAnswer:
        name = request.parameters["name"].lower()
        found = [error for error in self._problems if isinstance(error, FunctionError)]
        errors = [str(error) for error in found if error.function.lower() == name]
        if errors:
            return json_answer({"errors": errors})
        self._named(request)
        return json_answer({})

    async def _run(self, request: AdminRequest) -> HttpAnswer:
        function = self._named(request)
        text = request.members().get("input")
        if text is not None and not isinstance(text, str):
            raise PeerError(f"'input' must be a string, found {type(text).__name__}: put JSON into quotes")
        source = parse_input(function.trigger, text or "", self._clock())
        run = asyncio.create_task(self._invoke(function, source))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        await asyncio.sleep(0)  # it has begun, so a host that stops now waits for it
        return HttpAnswer(202)

    async def _invoke(self, function: HostFunction, source: Any) -> None:
        with contextlib.suppress(Exception):  # the invoker has told the trace, and nobody else waits
            await self._invoker.invoke(function, source)

    def _named(self, request: AdminRequest) -> HostFunction:
        name = request.parameters["name"]
        function = self._functions.get(name.lower())
        if function is None:
            raise PeerError(f"there is no function '{name}'", status=404)
        return function

    def _described(self, function: HostFunction, base: str) -> dict[str, Any]:
        definition, trigger = function.definition, function.trigger
        route = trigger.route.text if isinstance(trigger, HttpTrigger) else None
        return {
            "name": definition.name,
            # This host serves no files.
            "script_root_path_href": None,
            "script_href": None,
            "config_href": None,
            "test_data_href": None,
            "href": f"{base}/admin/functions/{definition.name}",
            "invoke_url_template": None if route is None else f"{base}/{route}",
            "language": "python",
            "config": {
                "name": definition.name,
                "entryPoint": inspect.unwrap(definition.call).__name__,
                "scriptFile": definition.where.partition(":")[0],
                "language": "python",
                "functionDirectory": definition.directory,
                "bindings": definition.bindings,
            },
            "files": None,
            "test_data": None,
            "isDisabled": function in self._disabled,
            "isDirect": False,
            "isProxy": False,
        }


def parse_input(trigger: Trigger, text: str, now: float) -> object:
    """Return the source of ``trigger`` for a run by hand.

    Args:
        trigger: What would start the function.
        text: The body of a request to an HTTP function; for a Web PubSub function the JSON of an event, as
            an untyped function gets it; a timer has none.
        now: Seconds since the epoch.

    Raises:
        PeerError: The text is not what the trigger needs.
    """
    return _SOURCES[type(trigger)](trigger, text, now)


def _http(trigger: HttpTrigger, text: str, _now: float) -> HttpRequest:
    """Return a request with ``text`` as body; parameters of the route are left out."""
    method = "POST" if not trigger.methods or "POST" in trigger.methods else trigger.methods[0]
    scope = {
        "method": method,
        "path": f"/{trigger.route.text}",
        "query_string": b"",
        "headers": [(b"content-type", _content_type(text))],
    }
    return build_request(scope, {}, text.encode("utf-8", "replace"))


def _content_type(text: str) -> bytes:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return b"text/plain; charset=utf-8"
    return b"application/json"


def _timer(trigger: TimerTrigger, _text: str, now: float) -> TimerTick:
    return TimerTick(TimerStatus(next=trigger.schedule.next_after(datetime.fromtimestamp(now, UTC))))


def _event(_trigger: WebPubSubTrigger, text: str, _now: float) -> EventRequest:
    try:
        return decode_request(text)
    except PeerError as error:
        raise PeerError(f"'input' must be the JSON of an event: {error}") from error


_SOURCES: Final[Mapping[type, Callable[[Any, str, float], object]]] = {
    HttpTrigger: _http,
    TimerTrigger: _timer,
    WebPubSubTrigger: _event,
}
