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
from typing import Any, Final

from webpubsub.model.access.tokens import ClientToken, decode_client_token
from webpubsub.model.errors import EventRefused, InvalidName, PeerError
from webpubsub.model.events import (
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    GroupJoinedEventRequest,
    GroupLeftEventRequest,
    WebPubSubEventType,
)
from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId, parse_group_name
from webpubsub.model.ports import NOBODY_ASKED, EventAnswer, EventHandler
from webpubsub.model.trace import SILENT, Ids, Name, Phase, Trace, TracedEvents, event_ids
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.delivery import Delivery
from webpubsub.service.hub.effects import Close, Deliver, Effects, Raise
from webpubsub.service.hub.hub import Hub
from webpubsub.service.hub.recovery import AwayConnections, find_recoverable, greeting
from webpubsub.service.hub.requests import complete_event, event_context, fail_event, take_request
from webpubsub.service.protocols import RAW, Codec, choose_subprotocol
from webpubsub.service.protocols.handshake import ClientRequest, client_audiences, required_token
from webpubsub.service.settings import ServiceSettings

SERVICE_RELOAD = "Service reload"
SLOW_CLIENT = "The client does not read its messages."
UNACKNOWLEDGED = "The client does not acknowledge its messages."
_NO_IDS: Final[Ids] = {}

NOT_RECOVERED = "The connection recovery timeout expired."


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
        trace: Trace = SILENT,
    ) -> None:
        self.settings = settings
        self.handler = TracedEvents(handler, trace)
        self.now = now
        self.trace = trace
        self.hubs: dict[HubName, Hub] = {}
        self.delivery = Delivery(self._close, self._cut_off)
        # How the shell closes a socket; set for each connection while it is open.
        self._closers: dict[Connection, Callable[[Close], None]] = {}
        self._notifications: dict[Connection, asyncio.Task[None]] = {}
        self.events_under_way: dict[Connection, asyncio.Task[Any]] = {}  # each connection's user event
        self._away = AwayConnections(lambda connection: self.closed(connection, None, NOT_RECOVERED))
        self._is_stopping = False

    def hub(self, name: HubName) -> Hub:
        """Return a hub; using it creates it."""
        hub = self.hubs.get(name)
        if hub is None:
            hub = self.hubs[name] = Hub(name, self._tell_presence)
        return hub

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
        self.delivery.apply(effects)

    def ask(self, name: HubName, question: Any) -> Any:
        """Answer a question about a hub: with a value, or with what can be awaited for it.

        Raises:
            RestError: See `Hub.ask`.
        """
        return (self.hubs.get(name) or Hub(name)).ask(question)

    def _close(self, effect: Close) -> None:
        closer = self._closers.get(effect.connection)
        if closer is not None:
            closer(effect)
        else:  # its client is away
            self.closed(effect.connection, effect.code, effect.reason)

    def _cut_off(self, connection: Connection) -> None:
        reason = SLOW_CLIENT if connection.unacked is None else UNACKNOWLEDGED
        self._close(Close(connection, 1008, reason, reason))

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
        token = self._token(request)
        connection_id = ConnectionId(uuid.uuid4().hex)
        try:
            return await self._admit(connection_id, request, token)
        except BaseException:
            self.handler.forget(connection_id)  # no more events come
            raise

    def _token(self, request: ClientRequest) -> ClientToken:
        if request.token is None and self.settings.hub(request.hub).anonymous_connect_policy == "allow":
            return ClientToken()
        return decode_client_token(
            required_token(request),
            self.settings.access_keys,
            expected=client_audiences(
                request,
                self.settings.public_endpoints,
                trust_forwarded_headers=self.settings.trust_forwarded_headers,
            ),
            now=self.now(),
        )

    async def _admit(
        self, connection_id: ConnectionId, request: ClientRequest, token: ClientToken
    ) -> tuple[Connection, tuple[GroupName, ...]]:
        groups = _group_names(token.groups, PeerError)
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
            decode=request.publisher.decode if request.publisher and codec is RAW else None,
        )
        return connection, _group_names(response.groups, _unusable_answer) if response.groups else groups

    def _check_stopping(self) -> None:
        if self._is_stopping:
            raise PeerError("the service is stopping", status=503)

    async def _ask_connect(
        self, connection_id: ConnectionId, request: ClientRequest, token: ClientToken
    ) -> EventAnswer:
        if not self.handler.takes(request.hub, WebPubSubEventType.SYSTEM, "connect"):
            return NOBODY_ASKED
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
        return await self.handler.handle(event)

    def open(
        self, connection: Connection, groups: Iterable[GroupName], closer: Callable[[Close], None]
    ) -> None:
        """Take a connection in once its upgrade was answered: it joins, is greeted, and is announced."""
        self._closers[connection] = closer
        detail: dict[str, Any] = {"subprotocol": connection.subprotocol}
        if connection.permissions.ignored:  # it goes on without them
            detail["ignored_roles"] = connection.permissions.ignored
        self._report(Name.CONNECTION, Phase.STARTED, connection, **detail)
        self._notify(connection, "connected", ConnectedEventRequest)  # before those of its groups
        self.hub(connection.hub).add(connection, groups)
        first = self._greeting(connection)
        if first is not None:
            self.delivery.deliver(Deliver(first, (connection,)))

    def _greeting(self, connection: Connection) -> bytes | None:
        return greeting(connection, self.settings.access_keys[0], now=self.now())

    def lost(self, connection: Connection, code: int | None, reason: str) -> None:
        """Let a connection's socket go, which the client closed or which broke.

        A reliable client that did not close with 1000 may come back; until then its connection goes on.
        """
        if connection.unacked is None or code == 1000 or self._is_stopping:
            self.closed(connection, code, reason)
            return
        self._closers.pop(connection, None)
        self.delivery.detach(connection)
        self._away.add(connection, self.settings.reliable_recovery_window_in_seconds)
        self._report(Name.RECOVERY, Phase.STARTED, connection, code=code)

    def goes_on(self, connection: Connection) -> bool:
        """Whether a connection is in its hub, though its client may be away."""
        hub = self.hubs.get(connection.hub)
        return hub is not None and connection.id in hub.connections

    def recover(self, request: ClientRequest) -> Connection:
        """Return the connection a client wants back; it has lost its former socket.

        Raises:
            PeerError: There is no such connection in this hub, it is not reliable, or the client's token is
                not for it; a connection there is stays as it was.
        """
        hub = self.hubs.get(request.hub) or Hub(request.hub)
        connection = find_recoverable(hub, request, self.settings.access_keys, now=self.now())
        self._away.discard(connection)
        if connection.transport is not None:  # its end was not noticed here
            connection.transport.abort()
            self.delivery.detach(connection)
        return connection

    def reopen(self, connection: Connection, closer: Callable[[Close], None]) -> None:
        """Go on with a recovered connection once its upgrade was answered."""
        self._closers[connection] = closer
        self.delivery.reattach(connection, self._greeting(connection) or b"")
        self._report(Name.RECOVERY, Phase.COMPLETED, connection)

    def closed(self, connection: Connection, code: int | None, reason: str) -> None:
        """Let a connection go for good."""
        connection.transport = None
        self.delivery.forget(connection)
        self._away.discard(connection)
        self._closers.pop(connection, None)
        hub = self.hubs.get(connection.hub)
        if hub is None or not hub.remove(connection):
            return
        if not hub.connections:
            del self.hubs[connection.hub]
        self._report(Name.CONNECTION, Phase.COMPLETED, connection, code=code, reason=reason)
        self._notify(
            connection,
            "disconnected",
            lambda context: DisconnectedEventRequest(context, reason),
        )
        last = self._notifications.get(connection)
        if last is None:
            self.handler.forget(connection.id)
        else:
            last.add_done_callback(lambda _: self.handler.forget(connection.id))

    # --- requests and events --------------------------------------------------------------------------

    def take(self, connection: Connection, is_text: bool, body: bytes) -> Raise | None:
        """Do what a client's message asks for; an event comes back, to be handed to `raise_event`.

        Once the service is stopping nothing is taken any more: no ack says that it was.

        Raises:
            ProtocolError: The message is not one of the subprotocol's.
        """
        if self._is_stopping:
            return None
        effects = take_request(self.hub(connection.hub), connection, connection.decode(is_text, body))
        if effects and type(effects[0]) is Raise:
            return effects[0]
        if Name.DELIVERY in self.trace.heard:
            self._tell_deliveries(effects, _ids(connection))
        self.delivery.apply(effects)
        return None

    async def raise_event(self, connection: Connection, event: Raise) -> None:
        """Ask the event handler and complete the client's request with its answer."""
        task = asyncio.current_task()
        assert task is not None
        self.events_under_way[connection] = task
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
            self.delivery.apply(effects)
        finally:
            del self.events_under_way[connection]
            hub = self.hubs.get(connection.hub)
            if hub is None or connection.id not in hub.connections:  # it was closed while we waited
                self.handler.forget(connection.id)

    def _notify(self, connection: Connection, name: str, build: Callable[[Any], EventRequest]) -> None:
        """Send a system event nobody waits for."""
        if self.handler.takes(connection.hub, WebPubSubEventType.SYSTEM, name):
            self._tell_later(connection, name, build)

    def _tell_presence(self, connection: Connection, group: GroupName, joined: bool) -> None:
        name = "joined" if joined else "left"
        if self.handler.takes(connection.hub, WebPubSubEventType.SYSTEM, name, group):
            request = GroupJoinedEventRequest if joined else GroupLeftEventRequest
            self._tell_later(connection, name, lambda context: request(context, group))

    def _tell_later(self, connection: Connection, name: str, build: Callable[[Any], EventRequest]) -> None:
        """Send an event nobody waits for; those of one connection stay in order."""
        context = event_context(connection, WebPubSubEventType.SYSTEM, name, connection.next_event_id())
        before = self._notifications.get(connection)
        task = asyncio.get_running_loop().create_task(self._tell(build(context), before))
        self._notifications[connection] = task
        task.add_done_callback(lambda done: self._notified(connection, done))

    async def _tell(self, event: EventRequest, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        try:
            await self.handler.handle(event)
        except EventRefused:
            return  # traced; it has no influence on the connection

    def _notified(self, connection: Connection, done: asyncio.Task[None]) -> None:
        if self._notifications.get(connection) is done:
            del self._notifications[connection]

    async def retire(self, timeout: float) -> None:
        """Take no more clients and requests, complete those under way, say goodbye, tell the event handlers.

        The REST API still answers, so that the functions that hear of it can do their work.

        Args:
            timeout: Seconds for all of it; requests under way have half of them.
        """
        self._is_stopping = True
        end = asyncio.get_running_loop().time() + timeout
        if self.events_under_way:
            await asyncio.wait(list(self.events_under_way.values()), timeout=timeout / 2)
        for connection in [*self._closers, *self._away]:
            self._close(Close(connection, 1001, SERVICE_RELOAD, SERVICE_RELOAD))
        if self._notifications:
            left = max(0.0, end - asyncio.get_running_loop().time())
            await asyncio.wait(self._notifications.values(), timeout=left)

    # --- trace ----------------------------------------------------------------------------------------

    def _report(self, name: Name, phase: Phase, connection: Connection, **detail: Any) -> None:
        self.trace.tell(name, phase, _ids(connection), detail)

    def _tell_deliveries(self, effects: Effects, ids: Ids) -> None:
        for effect in effects:
            if type(effect) is Deliver:
                detail = {"receivers": len(effect.receivers), "ttl": effect.ttl_seconds}
                self.trace.tell(Name.DELIVERY, Phase.COMPLETED, ids, detail)


def _ids(connection: Connection) -> Ids:
    ids: dict[str, str] = {"hub": connection.hub, "connection": connection.id}
    if connection.user_id is not None:
        ids["user"] = connection.user_id
    return ids


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
