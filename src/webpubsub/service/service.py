"""The service: hubs, delivery, event handlers, and the life of a connection between them.

::

    client --bytes--> websocket.py --> connection.py --messages--> here
    here --messages--> requests.py, hub.py --effects--> here
    here --Deliver--> delivery.py    --Close, Part, Fail--> connection.py    --Raise--> event handler
    REST --values--> perform() --> hub.py --effects--> here
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any, Final

from webpubsub.model.errors import EventRefused
from webpubsub.model.events import (
    ConnectedEventRequest,
    DisconnectedEventRequest,
    EventRequest,
    GroupJoinedEventRequest,
    GroupLeftEventRequest,
    WebPubSubEventType,
)
from webpubsub.model.names import GroupName, HubName
from webpubsub.model.ports import EventHandler
from webpubsub.model.trace import SILENT, Ids, Name, Phase, Trace, TracedEvents, event_ids
from webpubsub.service.hub.connection import ClientSocket, Connection, Ending, Stage
from webpubsub.service.hub.delivery import MAX_QUEUED, Delivery
from webpubsub.service.hub.effects import Close, Deliver, Effects, End, Fail, Part, Raise
from webpubsub.service.hub.hub import Hub
from webpubsub.service.hub.recovery import reconnection_token
from webpubsub.service.hub.requests import complete_event, event_context, fail_event, take_request
from webpubsub.service.keep_alive import KeepAlive
from webpubsub.service.limits import Newcomers, metered
from webpubsub.service.notices import MAX_NOTICES, MAX_UNTOLD, Notices
from webpubsub.service.protocols import ClientProtocol
from webpubsub.service.protocols.frames import FramedMessages
from webpubsub.service.protocols.messages import ClientMessage, Goodbye, Malformed, PingFrame
from webpubsub.service.settings import NO_LIMITS, ServiceSettings

SERVICE_RELOAD = "Service reload"
SLOW_CLIENT = "The client does not read its messages{}."
UNACKNOWLEDGED = "The client does not acknowledge its messages{}."
PATIENCE_LIMIT = " (patienceInSeconds)"
_NO_IDS: Final[Ids] = {}

NOT_RECOVERED = "The connection recovery timeout expired."
PING_TIMEOUT = "PingTimeout"
FAULT = "Internal server error"

# What is answered even when the service is stopping: that is WebSocket's own.
_ALWAYS_TAKEN: Final[frozenset[type[Any]]] = frozenset({PingFrame, Goodbye, Malformed})
LEAVES: Final = 1000
"""Groups that who has ended leaves at a time."""
TURN: Final = 100
"""Requests that had to wait are done so many at a time, so that the loop is not held."""

_DECIDING, _OPEN, _BUSY, _CLOSING, _AWAY, _OVER = Stage


class Service:
    """A Web PubSub service.

    Attributes:
        clients: How many there are, in all hubs; those that are away included.
        newcomers: How many come.
        is_stopping: Whether clients and requests are taken no more.

    Args:
        settings: Keys and hub settings.
        handler: Where events go.
        now: Seconds since the epoch.
        trace: Is told what happens, or None.
    """

    def __init__(
        self,
        settings: ServiceSettings,
        handler: EventHandler,
        *,
        now: Callable[[], float],
        trace: Trace = SILENT,
    ) -> None:
        self.settings = settings
        self.handler = TracedEvents(handler, trace)
        self.now = now
        self.trace = trace
        self.hubs: dict[HubName, Hub] = {}
        self.deliveries: dict[HubName, Delivery] = {}  # of each hub
        self._no_delivery = self._new_delivery()  # of hubs that have no clients
        self.clients = 0
        self.newcomers = Newcomers()
        self.keep_alive = KeepAlive(self._ping)
        self._notices: dict[Connection, Notices] = {}
        self._events: set[asyncio.Task[Any]] = set()  # users' events under way
        self.is_stopping = False

    def hub(self, name: HubName) -> Hub:
        """Return a hub; using it creates it."""
        hub = self.hubs.get(name)
        if hub is None:
            hub = self.hubs[name] = Hub(
                name, self._tell_presence, lambda: self.settings.max_groups_per_connection
            )
            self.deliveries[name] = self._new_delivery()
        return hub

    def _new_delivery(self) -> Delivery:
        late = partial(self._cut_off, limit=PATIENCE_LIMIT)
        return Delivery(self._end, self._cut_off, late, lambda: self.settings.patience_in_seconds)

    def delivery(self, connection: Connection) -> Delivery:
        """Return what writes to a connection."""
        return self.deliveries.get(connection.hub, self._no_delivery)

    # --- REST and output actions ----------------------------------------------------------------------

    def perform(self, name: HubName, action: Any, cause: Ids = _NO_IDS) -> None:
        """Perform an action on a hub; ``cause`` are ids for the trace of who asked for it.

        Raises:
            RestError: See `Hub.perform`.
        """
        hub = self.hubs.get(name) or Hub(name)  # an action on an unused hub finds nobody and leaves no trace
        effects = hub.perform(action)
        if Name.DELIVERY in self.trace.heard:
            self._tell_deliveries(effects, {"hub": name, **cause})
        delivery = self.deliveries.get(name, self._no_delivery)
        delivery.apply(effects)
        delivery.outrun.clear()  # nobody waits who publishes by REST

    def ask(self, name: HubName, question: Any) -> Any:
        """Answer a question about a hub: with a value, or with what can be awaited for it.

        Raises:
            RestError: See `Hub.ask`.
        """
        return (self.hubs.get(name) or Hub(name)).ask(question)

    # --- a connection's life --------------------------------------------------------------------------

    def open(
        self, connection: Connection, groups: Iterable[GroupName], socket: ClientSocket, accepted: bytes
    ) -> None:
        """Take an admitted connection in: its upgrade is answered, it is greeted, joins, and is announced.

        Args:
            connection: Which.
            groups: Those it joins.
            socket: Its client's.
            accepted: The answer to the upgrade.
        """
        assert connection.protocol is not None
        hub, ids = self.hub(connection.hub), _ids(connection)
        connection.hub = hub.name  # one text for all that are in it
        connection.open(socket, connection.protocol)
        greeting = (
            connection.codec.connected(connection.id, connection.user_id)
            if connection.unacked is None
            else self._greeting(connection)
        )
        # Not by delivery, which would take another turn of the loop: nothing can come before it.
        socket.transport.write(accepted + (greeting or b""))
        interval = self.settings.hub(hub.name).web_socket_keep_alive_interval_in_seconds
        self.keep_alive.add(connection, interval)
        if Name.CONNECTION in self.trace.heard:
            detail: dict[str, Any] = {"subprotocol": connection.subprotocol}
            ignored = connection.permissions.roles.ignored
            if ignored:  # it goes on without them
                detail["ignored_roles"] = ignored
            self.trace.tell(Name.CONNECTION, Phase.STARTED, ids, detail)
        if self.handler.takes(hub.name, WebPubSubEventType.SYSTEM, "connected"):
            self._tell_later(connection, "connected", ConnectedEventRequest)  # before those of its groups
        self.clients += 1
        hub.add(connection, groups)

    def reopen(self, connection: Connection, socket: ClientSocket, accepted: bytes) -> None:
        """Go on with a connection whose client is back, by another socket; see `open` for the arguments."""
        if connection.transport is not None:  # its end was not noticed here
            connection.transport.abort()
            self.keep_alive.discard(connection)
            self.delivery(connection).detach(connection)
        _stop_timer(connection)
        protocol: ClientProtocol = FramedMessages(connection.codec, self.settings.max_message_bytes)
        if self.settings.limits is not NO_LIMITS:
            protocol = metered(protocol, self.settings.limits, asyncio.get_running_loop().time)
        connection.open(socket, protocol, asyncio.get_running_loop().time())
        interval = self.settings.hub(connection.hub).web_socket_keep_alive_interval_in_seconds
        self.keep_alive.add(connection, interval)
        self.delivery(connection).reattach(connection, accepted + (self._greeting(connection) or b""))
        self._report(Name.RECOVERY, Phase.COMPLETED, connection)

    def _greeting(self, connection: Connection) -> bytes | None:
        """Return the first frame for a reliable client, with a token to come back with."""
        token = reconnection_token(connection.id, self.settings.access_keys[0], now=self.now())
        return connection.codec.connected(connection.id, connection.user_id, token)

    def gone(self, connection: Connection, socket: ClientSocket) -> None:
        """Hear that a socket is gone, which the client or we closed, or which broke.

        A reliable client may come back, and the answer to its event waits for it like its connection.
        """
        if connection.socket is not socket:
            return  # the connection has another, or waits for one
        if connection.is_open:
            last = connection.last  # it counts though it was not its turn yet
            code, reason = (last.code, last.reason) if isinstance(last, Goodbye) else (None, "")
            self._lost(connection, code, reason)
        if connection.stage is not _AWAY:
            connection.forget_socket()
            if connection.work is not None:
                connection.work.cancel()

    def _lost(self, connection: Connection, code: int | None, reason: str) -> None:
        """Let a connection's socket go; a reliable client that did not close with 1000 may come back."""
        self.keep_alive.discard(connection)
        if self.is_stopping or not connection.may_return(code):
            self.closed(connection, code, reason)
            return
        self.delivery(connection).detach(connection)
        loop = asyncio.get_running_loop()
        connection.lose(loop.time() + self.settings.reliable_recovery_window_in_seconds)
        connection.timer = loop.call_at(connection.until, self.closed, connection, None, NOT_RECOVERED)
        self._report(Name.RECOVERY, Phase.STARTED, connection, {"code": code})

    def say_goodbye(self, connection: Connection) -> None:
        """Close a connection, as the service stops."""
        self._close(Close(connection, 1001, SERVICE_RELOAD, SERVICE_RELOAD))

    def _end(self, effect: End) -> None:
        _END[type(effect)](self, effect)

    def _close(self, effect: Close) -> None:
        """Close from our side: what waits, a word why, the close frame; then the client has 5 seconds."""
        connection, transport, socket = (
            effect.connection,
            effect.connection.transport,
            effect.connection.socket,
        )
        if connection.stage is _AWAY:
            self.closed(connection, effect.code, effect.reason)
            return
        if not connection.is_open or transport is None or socket is None:
            return
        goodbye, ending = connection.close(effect.code, effect.reason, effect.text)
        self.delivery(connection).finish(connection)
        transport.write(goodbye)
        self.keep_alive.discard(connection)
        self.closed(connection, effect.code, effect.reason)
        socket.end(ending)

    def _part(self, effect: Part) -> None:
        """Answer the client's goodbye, or hear its answer to ours."""
        connection, goodbye, socket = effect.connection, effect.goodbye, effect.connection.socket
        if connection.is_open and connection.transport is not None:
            transport = connection.transport
            answer = connection.leave(goodbye.code)
            self.delivery(connection).finish(connection)
            transport.write(answer)
            self._lost(connection, goodbye.code, goodbye.reason)
        if socket is not None:
            socket.end(Ending.CLOSE)

    def _fail(self, effect: Fail) -> None:
        """Say what is wrong, and look at nothing that the client still sends (RFC 6455, section 7.1.7)."""
        connection, malformed = effect.connection, effect.malformed
        connection.last = malformed
        if connection.is_open:
            self._close(Close(connection, malformed.code, malformed.reason, malformed.reason))
        elif connection.socket is not None:
            connection.socket.end(Ending.HALF_CLOSE)

    def _cut_off(self, connection: Connection, limit: str = "") -> None:
        self.delivery(connection).drop(connection)
        reason = (SLOW_CLIENT if connection.unacked is None else UNACKNOWLEDGED).format(limit)
        self._close(Close(connection, 1008, reason, reason))

    def _ping(self, connection: Connection) -> None:
        """Ping a client; one that was silent for three pings is gone, and a reliable one may come back."""
        if connection.transport is None:
            return
        ping = connection.ping()
        if ping is not None:
            connection.transport.write(ping)
        elif connection.may_return(None):
            connection.transport.abort()
        else:
            self._close(Close(connection, 1008, PING_TIMEOUT, PING_TIMEOUT))

    def closed(self, connection: Connection, code: int | None, reason: str) -> None:
        """Let a connection go for good."""
        connection.end()
        _stop_timer(connection)
        self.delivery(connection).forget(connection)
        hub = self.hubs.get(connection.hub)
        if hub is None or not hub.remove(connection):
            return
        self.clients -= 1
        self._report(Name.CONNECTION, Phase.COMPLETED, connection, {"code": code, "reason": reason})
        self._leave_groups(hub, connection, reason)

    def _leave_groups(self, hub: Hub, connection: Connection, reason: str) -> None:
        """Leave all groups, some at a time, not to hold the loop; then say that it is disconnected."""
        if hub.leave_some(connection, LEAVES):
            asyncio.get_running_loop().call_soon(self._leave_groups, hub, connection, reason)
            return
        if not hub.connections and not hub.groups and self.hubs.get(hub.name) is hub:
            del self.hubs[hub.name], self.deliveries[hub.name]
        if self.handler.takes(connection.hub, WebPubSubEventType.SYSTEM, "disconnected"):
            request = partial(DisconnectedEventRequest, reason=reason)
            self._tell_later(connection, "disconnected", request)
        if connection not in self._notices:
            self.handler.forget(connection.id)

    # --- requests and events --------------------------------------------------------------------------

    def take_all(self, connection: Connection, messages: Iterable[ClientMessage]) -> None:
        """Do what a client asks for, or let it wait for its turn."""
        delivery = self.deliveries.get(connection.hub, self._no_delivery)
        for message in messages:
            if delivery.queued > MAX_QUEUED and connection.stage is _OPEN:
                connection.wait(asyncio.get_running_loop().create_task(self._work(connection, None)))
            if connection.stage is not _OPEN and not connection.hears(message):
                continue
            event = self.take(connection, message)
            if event is not None or delivery.outrun or (self._notices and self._has_untold(connection)):
                outrun, delivery.outrun = delivery.outrun, []
                if connection.stage is _OPEN:
                    work = self._work(connection, event, outrun)
                    connection.wait(asyncio.get_running_loop().create_task(work))
        if connection.stage is _BUSY and connection.is_full and connection.transport is not None:
            connection.pause_reading()
            connection.transport.pause_reading()

    def take(self, connection: Connection, message: ClientMessage) -> Raise | None:
        """Do what a client's message asks for; an event comes back, to be handed to `raise_event`.

        Once the service is stopping no request is taken any more: no ack says that it was.
        """
        if self.is_stopping and type(message) not in _ALWAYS_TAKEN:
            return None
        # Who is being closed may be in no hub.
        hub = self.hubs.get(connection.hub) or Hub(connection.hub)
        effects = take_request(hub, connection, message)
        if effects and type(effects[0]) is Raise:
            return effects[0]
        if Name.DELIVERY in self.trace.heard:
            self._tell_deliveries(effects, _ids(connection))
        self.deliveries.get(connection.hub, self._no_delivery).apply(effects)
        return None

    async def _work(
        self, connection: Connection, event: Raise | None, outrun: Collection[Connection] = ()
    ) -> None:
        """Take the requests that came meanwhile, in their order.

        First raise one event, if there is one, and let those catch up who were ``outrun``.
        """
        delivery, taken = self.deliveries.get(connection.hub, self._no_delivery), 0
        try:
            while True:
                if event is not None:
                    await self.raise_event(connection, event)
                if outrun or delivery.queued > MAX_QUEUED:
                    await delivery.catch_up(connection, outrun)
                elif self._notices and self._has_untold(connection):
                    await self._notices[connection].catch_up()
                elif taken % TURN == TURN - 1:
                    await asyncio.sleep(0)
                request = connection.next_request()
                if request is None:
                    break
                event = self.take(connection, request)
                outrun, delivery.outrun = delivery.outrun, []
                taken += 1
                if connection.may_resume and connection.transport is not None:
                    connection.resume_reading(asyncio.get_running_loop().time())
                    connection.transport.resume_reading()
        except Exception:
            self._close(Close(connection, 1011, FAULT, FAULT))
            raise  # a fault of ours: asyncio logs it
        finally:
            connection.work = None

    async def raise_event(self, connection: Connection, event: Raise) -> None:
        """Ask the event handler and complete the client's request with its answer."""
        task = asyncio.current_task()
        assert task is not None
        self._events.add(task)
        try:
            try:
                answer = await self.handler.handle(event.request)
            except EventRefused as refused:
                closes = self.settings.failed_user_event == "close"
                effects = fail_event(connection, event.message, refused, closes=closes)
            else:
                effects = complete_event(connection, event.message, answer)
            if Name.DELIVERY in self.trace.heard:
                self._tell_deliveries(effects, event_ids(event.request.connection_context))
            self.deliveries.get(connection.hub, self._no_delivery).apply(effects)
        finally:
            self._events.discard(task)
            if connection.stage is _CLOSING or connection.stage is _OVER:  # it was closed while we waited
                self.handler.forget(connection.id)

    def _has_untold(self, connection: Connection) -> bool:
        """Whether its handler has yet to hear of so much that the client should wait."""
        return connection in self._notices and len(self._notices[connection]) > MAX_UNTOLD

    def _tell_presence(self, connection: Connection, group: GroupName, joined: bool) -> None:
        name = "joined" if joined else "left"
        if self.handler.takes(connection.hub, WebPubSubEventType.SYSTEM, name, group):
            request = GroupJoinedEventRequest if joined else GroupLeftEventRequest
            self._tell_later(connection, name, partial(request, group=group))

    def _tell_later(self, connection: Connection, name: str, build: Callable[[Any], EventRequest]) -> None:
        """Send an event nobody waits for; those of one connection stay in order."""
        notices = self._notices.get(connection)
        if notices is None:
            notices = self._notices[connection] = Notices(partial(self._all_told, connection))
        event_id = connection.next_event_id()
        if len(notices) < MAX_NOTICES:
            notices.put(partial(self._tell, connection, name, event_id, build))
            return
        error = EventRefused(503, f"{MAX_NOTICES} events of the connection wait to be told already")
        self.trace.tell(Name.EVENT, Phase.FAILED, _ids(connection), {"name": name}, error)

    async def _tell(
        self, connection: Connection, name: str, event_id: int, build: Callable[[Any], EventRequest]
    ) -> None:
        context = event_context(connection, WebPubSubEventType.SYSTEM, name, event_id)
        try:
            await self.handler.handle(build(context))
        except EventRefused:
            return  # traced; it has no influence on the connection

    def _all_told(self, connection: Connection) -> None:
        del self._notices[connection]
        if connection.stage is _CLOSING or connection.stage is _OVER:
            self.handler.forget(connection.id)

    async def retire(self, timeout: float) -> None:
        """Take no more clients and requests, complete those under way, say goodbye, tell the event handlers.

        The REST API still answers, so that the functions that hear of it can do their work.

        Args:
            timeout: Seconds for all of it; requests under way have half of them.
        """
        self.is_stopping = True
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        if self._events:
            await asyncio.wait(list(self._events), timeout=timeout / 2)
        for connection in [each for hub in self.hubs.values() for each in hub.everybody]:
            self.say_goodbye(connection)
        while self.hubs and loop.time() < end:  # noqa: ASYNC110 - who is in many groups leaves some each turn
            await asyncio.sleep(0)
        if self._notices:
            left = max(0.0, end - loop.time())
            await asyncio.wait([notices.task for notices in self._notices.values()], timeout=left)

    # --- trace ----------------------------------------------------------------------------------------

    def _report(
        self, name: Name, phase: Phase, connection: Connection, detail: dict[str, Any] | None = None
    ) -> None:
        if name in self.trace.heard:
            self.trace.tell(name, phase, _ids(connection), detail)

    def _tell_deliveries(self, effects: Effects, ids: Ids) -> None:
        for effect in effects:
            if type(effect) is Deliver:
                detail = {"receivers": len(effect.receivers), "ttl": effect.ttl_seconds}
                self.trace.tell(Name.DELIVERY, Phase.COMPLETED, ids, detail)


_END: Final[dict[type[Any], Callable[[Service, Any], None]]] = {
    Close: Service._close,
    Part: Service._part,
    Fail: Service._fail,
}


def _stop_timer(connection: Connection) -> None:
    if connection.timer is not None:
        connection.timer.cancel()
        connection.timer = None


def _ids(connection: Connection) -> Ids:
    ids: dict[str, str] = {"hub": connection.hub, "connection": connection.id}
    if connection.user_id is not None:
        ids["user"] = connection.user_id
    return ids
