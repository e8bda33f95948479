"""HTTP functions: finds the function of a request and runs it.

Source: Python spec, sections 5 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Final
from urllib.parse import unquote

from webpubsub.host.bindings.http_trigger import HttpTrigger, Scope, build_request
from webpubsub.host.expressions import BodyTooLong
from webpubsub.host.function import HostFunction
from webpubsub.host.http.policies import Throttle
from webpubsub.host.keys.access import HttpGate
from webpubsub.host.running.invoker import Invoker
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import HttpAnswer, LaneHandler

_SLASH: Final = re.compile(r"%2f", re.IGNORECASE)
# Tells the caller nothing about the app; the traceback is in the trace.
_FAILED: Final = HttpAnswer(500, ((b"content-type", b"text/plain; charset=utf-8"),), b"The function failed.")


_BUSY: Final = HttpAnswer(
    429, ((b"content-type", b"text/plain; charset=utf-8"),), b"Too many requests: 'maxOutstandingRequests'."
)


def index_routes(functions: Iterable[HostFunction], problems: list[ConfigurationError]) -> list[HostFunction]:
    """Return the HTTP functions that requests can find.

    A function whose route and methods are those of another is left out and named in ``problems``.
    """
    kept: list[HostFunction] = []
    for function in functions:
        first = next((other for other in kept if _conflict(_trigger(other), _trigger(function))), None)
        if first is None:
            kept.append(function)
        else:
            problems.append(
                function.definition.problem(
                    f"its route '{_trigger(function).route.text}' is that of function "
                    f"'{first.definition.name}' ({first.definition.where}), with a method in common: change "
                    "the route or the methods of one of them"
                )
            )
    return kept


def _conflict(one: HttpTrigger, other: HttpTrigger) -> bool:
    if one.route.text.lower() != other.route.text.lower():
        return False
    return not one.methods or not other.methods or not set(one.methods).isdisjoint(other.methods)


class HttpFunctions:
    """Answers requests with HTTP functions, the most specific route first."""

    def __init__(
        self,
        functions: Iterable[HostFunction],
        invoker: Invoker,
        gate: HttpGate | None = None,
        throttle: Throttle | None = None,
    ) -> None:
        """Answer with ``functions``, which have an `HttpTrigger`, as far as ``gate`` lets requests pass.

        Args:
            functions: The functions.
            invoker: Runs them.
            gate: Asks for keys.
            throttle: Limits how many run at once.
        """
        self._invoker = invoker
        self._gate = gate
        self._throttle = throttle
        self._routes = sorted(
            ((_trigger(function), function) for function in functions),
            key=lambda row: row[0].route.precedence,
        )

    def find(self, method: str, path: str) -> tuple[HostFunction, dict[str, str]] | None:
        """Return the function of a request and its route parameters.

        A method is a constraint like any other: another route may still match.
        """
        for trigger, function in self._routes:
            if not trigger.methods or method in trigger.methods:
                parameters = trigger.route.match(path)
                if parameters is not None:
                    return function, parameters
        return None

    def decide(self, scope: Scope) -> LaneHandler | HttpAnswer | None:
        """Return who answers a request, given its body, or the answer itself: then nobody wants the body.

        None when no function takes it.
        """
        found = self.find(scope["method"], _path(scope))
        if found is None:
            return None
        function, parameters = found
        if self._gate is not None and (refusal := self._gate.refusal(function, scope)) is not None:
            return refusal
        run = partial(self._run, function, parameters, scope)
        if self._throttle is None:
            return run
        return _BUSY if self._throttle.is_full else partial(_run_in_turn, self._throttle, run)

    async def _run(
        self, function: HostFunction, parameters: dict[str, str], scope: Scope, body: bytes
    ) -> HttpAnswer:
        request = build_request(scope, parameters, body)
        try:
            answer: HttpAnswer = await self._invoker.invoke(function, request, headers=scope["headers"])
        except BodyTooLong as refused:
            return HttpAnswer(refused.status, _FAILED.headers, str(refused).encode())
        except Exception:  # noqa: BLE001 - the invoker has told the trace
            return _FAILED
        return answer


async def _run_in_turn(
    throttle: Throttle, run: Callable[[bytes], Awaitable[HttpAnswer]], body: bytes
) -> HttpAnswer:
    if throttle.is_full:  # by others, while the body was coming
        return _BUSY
    async with throttle.turn():
        return await run(body)


def _trigger(function: HostFunction) -> HttpTrigger:
    trigger = function.trigger
    assert isinstance(trigger, HttpTrigger)
    return trigger


def _path(scope: Scope) -> str:
    """Return the decoded path; an encoded slash stays encoded, as in ASP.NET."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None or b"%2" not in raw:
        path: str = scope["path"]
        return path
    return unquote(_SLASH.sub("%252F", raw.decode("latin-1")), errors="replace")
