"""The service: hubs, delivery, event handlers, and the life of a connection between them.

::

    client --frames--> websocket.py --messages--> requests.py, hub.py --effects--> here
    here --Deliver--> delivery.py        --Close--> websocket.py       --Raise--> event handler
    REST --values--> perform() --> hub.py --effects--> here
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from webpubsub.model.errors import EventRefused, InvalidName, PeerError
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId, parse_group_name
from webpubsub.model.ports import EventAnswer, EventHandler
from webpubsub.model.tokens import ClientToken, decode_client_token
from webpubsub.model.trace import Phase, Trace, TraceEvent
from webpubsub.service.connection import Connection
from webpubsub.service.delivery import Delivery
from webpubsub.service.effects import Close, Deliver, Effects, Raise
from webpubsub.service.handshake import ClientRequest, required_token
from webpubsub.service.hub import Hub
from webpubsub.service.protocols import Codec, choose_subprotocol
from webpubsub.service.requests import complete_event, event_context, fail_event, take_request
from webpubsub.service.settings import ServiceSettings

__all__ = ["Service"]

SERVICE_RELOAD = "Service reload"
SLOW_CLIENT = "The client does not read its messages."


class Service:
    """A Web PubSub service.

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
        trace: Trace | None = None,
    ) -> None:
        self.settings = settings
        self.handler = handler
        self.now = now
        self.trace = trace
        self.hubs: dict[HubName, Hub] = {}
        self.delivery = Delivery(
            lambda connection: self._close(Close(connection, 1008, SLOW_CLIENT, SLOW_CLIENT))
        )
        # How the shell closes a socket; set for each connection while it is open.
        self._closers: dict[Connection, Callable[[Close], None]] = {}
        self._notifications: dict[Connection, asyncio.Task[None]] = {}
        self._raising: set[asyncio.Task[Any]] = set()  # user events under way
        self._is_stopping = False

    def hub(self, name: HubName) -> Hub:
        """Return a hub; using it creates it."""
        hub = self.hubs.get(name)
        if hub is None:
            hub = self.hubs[name] = Hub(name)
        return hub

    # --- REST and output actions ----------------------------------------------------------------------

    def perform(self, name: HubName, value: Any) -> None:
        """Perform an action on a hub, or answer a question with silence.

        Raises:
            RestError: See `Hub.perform`.
        """
        hub = self.hubs.get(name) or Hub(name)  # an action on an unused hub finds nobody and leaves no trace
        self.apply(hub.perform(value))

    def apply(self, effects: Effects) -> None:
        """Perform effects other than `Raise`, in their order."""
        for effect in effects:
            if type(effect) is Deliver:
                self.delivery.deliver(effect)
            elif type(effect) is Close:
                self._close(effect)

    def _close(self, effect: Close) -> None:
        closer = self._closers.get(effect.connection)
        if closer is not None:
            closer(effect)

    # --- a connection's life --------------------------------------------------------------------------

    async def admit(self, request: ClientRequest) -> tuple[Connection, tuple[GroupName, ...]]:
        """Decide whether a client may connect, before its upgrade is answered.

        Returns:
            The connection, and the groups it joins when it opens.

        Raises:
            PeerError: Its token or a name in it is not valid, or the service is stopping; ``status``
                answers the upgrade.
            EventRefused: The connect handler refused it; ``status`` answers the upgrade.
        """
        self._check_stopping()
        token = decode_client_token(
            required_token(request),
            self.settings.access_keys,
            expected=request.audiences,
            now=self.now(),
        )
        groups = _group_names(token.groups, PeerError)
        connection_id = ConnectionId(uuid.uuid4().hex)
        answer = await self._ask_connect(connection_id, request, token)
        self._check_stopping()
        response = answer.response
        if not isinstance(response, ConnectEventResponse):
            response = ConnectEventResponse()
        subprotocol, codec = _chosen(request.subprotocols, response.subprotocol)
        user_id = token.user_id if response.user_id is None else response.user_id
        connection = Connection(
            connection_id,
            request.hub,
            codec=codec,
            user_id=None if user_id is None else UserId(user_id),
            subprotocol=subprotocol,
            roles=token.roles if response.roles is None else response.roles,
            state=answer.state,
        )
        return connection, _group_names(response.groups, _unusable_answer) if response.groups else groups

    def _check_stopping(self) -> None:
        if self._is_stopping:
            raise PeerError("the service is stopping", status=503)

    async def _ask_connect(
        self, connection_id: ConnectionId, request: ClientRequest, token: ClientToken
    ) -> EventAnswer:
        if self.settings.hub(request.hub).handler(WebPubSubEventType.SYSTEM, "connect") is None:
            return EventAnswer()
        newcomer = Connection(
            connection_id,
            request.hub,
            codec=choose_subprotocol((), None)[1],
            user_id=None if token.user_id is None else UserId(token.user_id),
        )
        context = event_context(newcomer, WebPubSubEventType.SYSTEM, "connect", 0)
        event = ConnectEventRequest(
            context,
            claims=token.claims,
            query=request.query,
            headers=request.headers,
            subprotocols=request.subprotocols,
        )
        return await self._ask(event)

    def open(
        self, connection: Connection, groups: Iterable[GroupName], closer: Callable[[Close], None]
    ) -> None:
        """Take a connection in once its upgrade was answered: it joins, is greeted, and is announced."""
        self._closers[connection] = closer
        self.hub(connection.hub).add(connection, groups)
        greeting = connection.codec.connected(connection.id, connection.user_id)
        if greeting is not None:
            self.delivery.deliver(Deliver(greeting, (connection,)))
        self._report("connection", Phase.STARTED, connection, subprotocol=connection.subprotocol)
        self._notify(connection, "connected", ConnectedEventRequest)

    def closed(self, connection: Connection, code: int | None, reason: str) -> None:
        """Let a connection go for good."""
        self._closers.pop(connection, None)
        hub = self.hubs.get(connection.hub)
        if hub is None or not hub.remove(connection):
            return
        if not hub.connections:
            del self.hubs[connection.hub]
        self._report("connection", Phase.COMPLETED, connection, code=code, reason=reason)
        self._notify(
            connection,
            "disconnected",
            lambda context: DisconnectedEventRequest(context, reason),
        )

    # --- requests and events --------------------------------------------------------------------------

    def take(self, connection: Connection, is_text: bool, body: bytes) -> Raise | None:
        """Do what a client's message asks for; an event comes back, to be handed to `raise_event`.

        Once the service is stopping nothing is taken any more: no ack says that it was.

        Raises:
            ProtocolError: The message is not one of the subprotocol's.
        """
        if self._is_stopping:
            return None
        effects = take_request(self.hub(connection.hub), connection, connection.codec.decode(is_text, body))
        if effects and type(effects[0]) is Raise:
            return effects[0]
        self.apply(effects)
        return None

    async def raise_event(self, connection: Connection, event: Raise) -> None:
        """Ask the event handler and complete the client's request with its answer."""
        task = asyncio.current_task()
        assert task is not None
        self._raising.add(task)
        try:
            answer = await self._ask(event.request)
        except EventRefused as refused:
            self.apply(fail_event(connection, event.message, refused))
        else:
            self.apply(complete_event(connection, event.message, answer))
        finally:
            self._raising.discard(task)

    def _notify(self, connection: Connection, name: str, build: Callable[[Any], EventRequest]) -> None:
        """Send a system event nobody waits for; those of one connection stay in order."""
        if self.settings.hub(connection.hub).handler(WebPubSubEventType.SYSTEM, name) is None:
            return
        context = event_context(connection, WebPubSubEventType.SYSTEM, name, connection.next_event_id())
        before = self._notifications.get(connection)
        task = asyncio.get_running_loop().create_task(self._tell(build(context), before))
        self._notifications[connection] = task
        task.add_done_callback(lambda done: self._notified(connection, done))

    async def _tell(self, event: EventRequest, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        try:
            await self._ask(event)
        except EventRefused:
            return  # traced; it has no influence on the connection

    def _notified(self, connection: Connection, done: asyncio.Task[None]) -> None:
        if self._notifications.get(connection) is done:
            del self._notifications[connection]

    async def _ask(self, event: EventRequest) -> EventAnswer:
        self._report_event(Phase.STARTED, event)
        try:
            answer = await self.handler.handle(event)
        except (EventRefused, asyncio.CancelledError) as error:
            self._report_event(Phase.FAILED, event, error)
            raise
        except Exception as error:  # no fault of a handler may leave its client waiting
            self._report_event(Phase.FAILED, event, error)  # logged with its traceback
            raise EventRefused(500, f"the event handler raised {type(error).__name__}") from error
        self._report_event(Phase.COMPLETED, event)
        return answer

    async def retire(self, timeout: float) -> None:
        """Take no more clients and requests, complete those under way, say goodbye, tell the event handlers.

        The REST API still answers, so that the functions that hear of it can do their work.

        Args:
            timeout: Seconds to wait for requests under way, and then for the handlers.
        """
        self._is_stopping = True
        if self._raising:
            await asyncio.wait(self._raising.copy(), timeout=timeout)
        for connection in list(self._closers):
            self._close(Close(connection, 1001, SERVICE_RELOAD, SERVICE_RELOAD))
        if self._notifications:
            await asyncio.wait(self._notifications.values(), timeout=timeout)

    # --- trace ----------------------------------------------------------------------------------------

    def _report(self, name: str, phase: Phase, connection: Connection, **detail: Any) -> None:
        if self.trace is not None:
            ids = {"hub": connection.hub, "connection": connection.id}
            if connection.user_id is not None:
                ids["user"] = connection.user_id
            self.trace(TraceEvent(name, phase, ids, detail))

    def _report_event(self, phase: Phase, event: EventRequest, error: BaseException | None = None) -> None:
        if self.trace is None:
            return
        context = event.connection_context
        ids = {
            "hub": context.hub,
            "connection": context.connection_id,
            "event": f"{context.connection_id}/{context.event_id}",
        }
        if context.user_id is not None:
            ids["user"] = context.user_id
        self.trace(TraceEvent("event", phase, ids, {"name": context.event_name}, error))


def _group_names(names: Iterable[str], problem: Callable[[str], Exception]) -> tuple[GroupName, ...]:
    try:
        return tuple(parse_group_name(name) for name in names)
    except InvalidName as error:
        raise problem(str(error)) from error


def _chosen(offered: Sequence[str], chosen: str | None) -> tuple[str | None, Codec]:
    try:
        return choose_subprotocol(offered, chosen)
    except InvalidName as error:
        raise _unusable_answer(str(error)) from error


def _unusable_answer(message: str) -> EventRefused:
    return EventRefused(500, f"the answer to the connect event cannot be used: {message}")
