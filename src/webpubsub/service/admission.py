"""Admission: what becomes of a client that asks for the upgrade to WebSocket.

::

    RequestHead --parse_request--> ClientRequest --authenticate--> Newcomer --ask, admit--> Service.open
                                        |
                                        `--- wants its connection back --> Service.reopen

Where nobody takes the event ``connect`` all of it happens at once; only asking makes a task. Whatever is
raised on the way is the answer to the upgrade.

Source: client spec, sections 1.1 to 1.6 and 4.4.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Final, Protocol, cast

import msgspec

from webpubsub.model.access.tokens import ClientToken, decode_client_token
from webpubsub.model.errors import EventRefused, InvalidName, PeerError
from webpubsub.model.events import ConnectEventRequest, ConnectEventResponse, WebPubSubEventType
from webpubsub.model.http import RequestHead
from webpubsub.model.names import PLAIN_GROUP, ConnectionId, GroupName, HubName, UserId, parse_group_name
from webpubsub.model.ports import NOBODY_ASKED, EventAnswer
from webpubsub.model.trace import Name, Phase
from webpubsub.service.hub.connection import ClientSocket, Connection, Ending
from webpubsub.service.hub.hub import Hub
from webpubsub.service.hub.recovery import RECOVERY_REFUSED, find_recoverable
from webpubsub.service.hub.requests import event_context
from webpubsub.service.limits import check_room, metered
from webpubsub.service.protocols import RAW, Codec, choose_subprotocol
from webpubsub.service.protocols.frames import FramedMessages
from webpubsub.service.protocols.handshake import (
    ClientRequest,
    accept_response,
    client_audiences,
    parse_request,
    refuse_response,
    required_token,
)
from webpubsub.service.service import FAULT, Service
from webpubsub.service.settings import NO_LIMITS

_NO_RESPONSE: Final = ConnectEventResponse()


class Newcomer(msgspec.Struct, eq=False):
    """A client whose token is good.

    Attributes:
        request: What it asks for.
        connection: What becomes its connection, once it is admitted.
        groups: Those its token names.
        event: What the event handler is asked about it, or None when nobody is asked.
    """

    request: ClientRequest
    connection: Connection
    groups: tuple[GroupName, ...]
    event: ConnectEventRequest | None = None


def authenticate(service: Service, request: ClientRequest) -> Newcomer:
    """Say who wants to connect.

    Raises:
        PeerError: Its token or a name in it is not valid, the service is stopping, or a limit is reached;
            ``status`` answers the upgrade.
    """
    _check_stopping(service)
    token = _token(service, request)
    if service.settings.limits is not NO_LIMITS:
        service.newcomers.check(service.settings.limits, asyncio.get_running_loop().time())
        _check_room(service, request.hub, token.user_id)
    groups = _group_names(service, token.groups, PeerError) if token.groups else ()
    connection = Connection(
        ConnectionId(os.urandom(16).hex()),
        request.hub,
        user_id=None if token.user_id is None else UserId(token.user_id),
        roles=token.roles,
    )
    if not service.handler.takes(request.hub, WebPubSubEventType.SYSTEM, "connect"):
        return Newcomer(request, connection, groups)
    event = ConnectEventRequest(
        event_context(connection, WebPubSubEventType.SYSTEM, "connect", 0),
        claims=token.claims,
        query=request.query,
        headers=request.shown_headers(),
        subprotocols=request.subprotocols,
    )
    return Newcomer(request, connection, groups, event)


def _token(service: Service, request: ClientRequest) -> ClientToken:
    settings = service.settings
    if request.token is None and settings.hub(request.hub).anonymous_connect_policy == "allow":
        return ClientToken()
    expected: Sequence[str] = request.audiences
    if settings.public_endpoints or settings.trust_forwarded_headers:
        expected = client_audiences(
            request, settings.public_endpoints, trust_forwarded_headers=settings.trust_forwarded_headers
        )
    token = request.token or required_token(request)
    return decode_client_token(token, settings.access_keys, expected=expected, now=service.now())


def _check_stopping(service: Service) -> None:
    if service.is_stopping:
        raise PeerError("the service is stopping", status=503)


def _check_room(service: Service, hub: HubName, user_id: str | None) -> None:
    users = service.hubs[hub].users if hub in service.hubs else {}
    of_user = 0 if user_id is None else len(users.get(UserId(user_id), ()))
    check_room(service.settings.limits, service.clients, of_user)


async def ask(service: Service, newcomer: Newcomer) -> EventAnswer:
    """Ask the event handler whether a client may connect, if it takes the event.

    Raises:
        EventRefused: No; ``status`` answers the upgrade.
    """
    if newcomer.event is None:
        return NOBODY_ASKED
    try:
        return await service.handler.handle(newcomer.event)
    except BaseException:
        service.handler.forget(newcomer.connection.id)  # no more events come
        raise


def admit(service: Service, newcomer: Newcomer, answer: EventAnswer) -> tuple[GroupName, ...]:
    """Make a newcomer's connection what the event handler's answer says.

    Returns:
        The groups it joins when it opens.

    Raises:
        PeerError: The service is stopping, or has no room for one more.
        EventRefused: The answer cannot be used. ``status`` answers the upgrade in both cases.
    """
    request, connection, response = newcomer.request, newcomer.connection, answer.response
    if not isinstance(response, ConnectEventResponse):
        response = _NO_RESPONSE
    try:
        _check_stopping(service)
        if service.settings.limits is not NO_LIMITS:  # others came while the handler was asked
            user_id = connection.user_id if response.user_id is None else response.user_id
            _check_room(service, request.hub, user_id)
        groups = _group_names(service, response.groups, _unusable) if response.groups else newcomer.groups
        subprotocol, codec = _chosen(request.subprotocols, response.subprotocol)
    except BaseException:
        service.handler.forget(connection.id)
        raise
    connection.admit(codec, subprotocol, user_id=response.user_id, roles=response.roles, state=answer.state)
    reader = request.publisher if request.publisher and codec is RAW else codec
    connection.protocol = FramedMessages(reader, service.settings.max_message_bytes)
    if service.settings.limits is not NO_LIMITS:
        clock = asyncio.get_running_loop().time
        connection.protocol = metered(connection.protocol, service.settings.limits, clock)
    return groups


def _group_names(
    service: Service, names: Sequence[str], problem: Callable[[str], Exception]
) -> tuple[GroupName, ...]:
    limit = service.settings.max_groups_per_connection
    if len(names) > limit and len(set(names)) > limit:
        raise problem(f"a connection may be in {limit} groups (maxGroupsPerConnection)")
    try:
        return tuple(
            [
                cast(GroupName, name) if PLAIN_GROUP.fullmatch(name) else parse_group_name(name)
                for name in names
            ]
        )
    except InvalidName as error:
        raise problem(str(error)) from error


def _chosen(offered: Sequence[str], chosen: str | None) -> tuple[str | None, Codec]:
    try:
        return choose_subprotocol(offered, chosen)
    except InvalidName as error:
        raise _unusable(str(error)) from error


def _unusable(message: str) -> EventRefused:
    return EventRefused(500, f"the answer to the connect event cannot be used: {message}")


class Upgraded(ClientSocket, Protocol):
    """The shell of a socket on which an upgrade is asked for."""

    connection: Connection | None
    """Whose the socket is, once that is decided; set before anything is written to it."""
    admission: Admission | None
    """Who decides that; None then."""


class Admission:
    """The decision on one upgrade."""

    __slots__ = ("_asking", "_is_over", "_service", "_socket")

    def __init__(self, service: Service, socket: Upgraded) -> None:
        self._service = service
        self._socket = socket
        self._asking: asyncio.Task[None] | None = None
        self._is_over = False

    def decide(self, head: RequestHead) -> None:
        """Answer an upgrade, at once if nobody has to be asked."""
        try:
            request = parse_request(head)
            if request.recovers is not None:
                self._recover(request)
                return
            newcomer = authenticate(self._service, request)
            if newcomer.event is None:
                self._admit(newcomer, NOBODY_ASKED)
            else:
                self._asking = asyncio.get_running_loop().create_task(self._ask(newcomer))
        except Exception as error:  # noqa: BLE001 - answered, and told
            self._give_up(error)

    def stop(self, status: int, message: str) -> None:
        """Refuse the upgrade, whatever is being asked."""
        self._refuse(status, message)
        self.drop()

    def drop(self) -> None:
        """Ask no longer: the client is gone."""
        self._is_over = True
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, newcomer: Newcomer) -> None:
        try:
            answer = await ask(self._service, newcomer)
            if self._is_over:  # the handler did not mind being cancelled
                self._service.handler.forget(newcomer.connection.id)
            else:
                self._admit(newcomer, answer)
        except Exception as error:  # noqa: BLE001 - answered, and told
            self._give_up(error)

    def _admit(self, newcomer: Newcomer, answer: EventAnswer) -> None:
        groups = admit(self._service, newcomer, answer)
        accepted = accept_response(newcomer.request.key, newcomer.connection.subprotocol)
        self._is_over = True
        self._socket.connection, self._socket.admission = newcomer.connection, None
        self._service.open(newcomer.connection, groups, self._socket, accepted)

    def _recover(self, request: ClientRequest) -> None:
        service = self._service
        hub = service.hubs.get(request.hub) or Hub(request.hub)
        try:
            connection = find_recoverable(hub, request, service.settings.access_keys, now=service.now())
        except PeerError as error:
            self._decline(request, error)
            return
        self._socket.connection, self._socket.admission = connection, None
        service.reopen(connection, self._socket, accept_response(request.key, connection.subprotocol))

    def _decline(self, request: ClientRequest, error: PeerError) -> None:
        """Refuse a recovery: clients that saw an HTTP error would try again for half a minute."""
        self._report(101, str(error))
        connection = Connection(ConnectionId(""), request.hub)
        connection.open(self._socket, FramedMessages(RAW, self._service.settings.max_message_bytes))
        goodbye, ending = connection.close(1008, RECOVERY_REFUSED, RECOVERY_REFUSED)
        connection.end()
        self._socket.connection, self._socket.admission = connection, None
        subprotocol, _ = choose_subprotocol(request.subprotocols, None)
        self._socket.transport.write(accept_response(request.key, subprotocol) + goodbye)
        self._socket.end(ending)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, PeerError):
            self._refuse(error.status, str(error))
        elif isinstance(error, EventRefused):
            self._refuse(error.status if error.status >= 400 else 500, "", str(error))
        else:
            if self._is_over:
                self._socket.transport.abort()
            self._refuse(500, FAULT)
            told = {"message": "a client could not be admitted", "exception": error}
            asyncio.get_running_loop().call_exception_handler(told)

    def _refuse(self, status: int, message: str, reason: str | None = None) -> None:
        """Refuse the upgrade; ``reason`` is what the trace gets when it is not for the client."""
        if self._is_over:
            return
        self._is_over = True
        self._report(status, message if reason is None else reason)
        self._socket.transport.write(refuse_response(status, message))
        self._socket.end(Ending.CLOSE)

    def _report(self, status: int, reason: str) -> None:
        detail = {"status": status, "reason": reason}
        self._service.trace.tell(Name.CONNECTION, Phase.FAILED, {}, detail)
