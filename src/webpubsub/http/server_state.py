"""What the connections of one HTTP server share: who answers, what is allowed, and the time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from webpubsub.http.door import Door
from webpubsub.http.exchange import Application, AsgiExchange
from webpubsub.model.http import FastLane, HttpBounds, RequestHead
from webpubsub.model.trace import SILENT, Trace

WebSockets = Callable[[RequestHead, "set[Any]"], asyncio.Protocol]
"""Makes the protocol that goes on with an upgraded socket. It is told of the request, and of the set of open
sockets, in which it stands from ``connection_made`` until its end; as the server stops, its ``shutdown`` is
called."""


class Timed(Protocol):
    """A connection, for the clock and for the end of its server."""

    due: float
    """Until when something has to happen, by the server's clock."""

    def on_time(self) -> None:
        """Do what is to be done when `due` has passed."""
        ...

    def shutdown(self) -> None:
        """Close the connection once nothing is under way on it."""
        ...

    def abort(self) -> None:
        """End the connection at once."""
        ...


class ServerState:
    """The state of one server.

    Attributes:
        app: The ASGI application.
        lane: Its short way for hot requests, or None.
        web_sockets: Goes on with upgraded sockets, or None: then nobody may upgrade.
        trace: Is told of requests that no application answers.
        bounds: What is taken of requests.
        door: Says which requests may come in, or None: then all.
        scheme: ``http`` or ``https``.
        state: What the application's lifespan has left for its requests.
        connections: Those that are open, upgraded ones left out.
        open_sockets: The upgraded ones.
        tasks: Answers under way.
        held: Bytes of bodies of the requests under way.
        now: Loop time, as of the last tick.
        date_line: The header of the time.
        host: The last ``Host`` that was found to be all right.
        is_stopping: No further request is taken on a connection.
    """

    def __init__(
        self,
        app: Application,
        *,
        lane: FastLane | None = None,
        web_sockets: WebSockets | None = None,
        trace: Trace = SILENT,
        bounds: HttpBounds | None = None,
        door: Door | None = None,
    ) -> None:
        self.app = app
        self.lane = lane
        self.web_sockets = web_sockets
        self.trace = trace
        self.bounds = HttpBounds() if bounds is None else bounds
        self.door = door
        self.scheme = "http"
        self.state: dict[str, Any] = {}
        self.connections: set[Timed] = set()
        self.open_sockets: set[Any] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.held = 0
        self.now = 0.0
        self.date_line = b""
        self.host = b""
        self.is_stopping = False

    def end_exchange(self, exchange: AsgiExchange, task: asyncio.Task[None]) -> None:
        """Keep nothing of a request whose application has returned."""
        self.tasks.discard(task)
        self.held -= exchange.held
