"""Recovery: reliable connections that outlive their sockets for a while.

A reliable connection whose socket is gone stays in its hub, where messages for it are kept. Its client
comes back with the connection's id and the token it got in its first message; when it does not come back
within the recovery window the connection has ended.

Source: client spec, sections 4.3 and 4.4.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import Any, Final

from webpubsub.model.access.tokens import signed_claims, signed_token
from webpubsub.model.errors import PeerError, TokenError
from webpubsub.model.names import ConnectionId
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.hub import Hub
from webpubsub.service.protocols.handshake import ClientRequest

RECOVERY_REFUSED: Final = "The connection could not be recovered."
_ISSUER: Final = "https://webpubsub.azure.com"
_LIFETIME: Final = 7 * 24 * 3600


def reconnection_token(connection_id: ConnectionId, access_key: str, *, now: float) -> str:
    """Return a token with which the client of a connection can recover it, for seven days.

    Args:
        connection_id: The connection.
        access_key: Signs it.
        now: Seconds since the epoch.
    """
    issued = math.floor(now)
    claims = {
        "iss": _ISSUER,
        "aud": connection_id,
        "jti": uuid.uuid4().hex,
        "iat": issued,
        "exp": issued + _LIFETIME,
    }
    return signed_token(claims, access_key)


def find_recoverable(
    hub: Hub, request: ClientRequest, access_keys: Sequence[str], *, now: float
) -> Connection:
    """Return the connection of a hub that a client wants back.

    Raises:
        PeerError: There is no such connection, it is not reliable, or the client's token is not for it.
    """
    connection = hub.connections.get(ConnectionId(request.recovers or ""))
    if connection is None or connection.unacked is None:
        raise PeerError(f"there is no reliable connection {request.recovers!r} in hub {hub.name!r}")
    token = request.query.get("awps_reconnection_token", [""])[-1]
    check_reconnection_token(token, connection.id, access_keys, now=now)
    return connection


def check_reconnection_token(
    token: str, connection_id: str, access_keys: Sequence[str], *, now: float
) -> None:
    """Check that a token is for a connection.

    Raises:
        TokenError: It is malformed, forged, expired, or for something else.
    """
    claims = signed_claims(token, access_keys)
    if claims.get("iss") != _ISSUER or claims.get("aud") != connection_id:
        raise TokenError("the token does not let recover this connection")
    if not _is_later(claims.get("exp"), now):
        raise TokenError("the reconnection token expired")


def _is_later(value: Any, now: float) -> bool:
    return isinstance(value, int | float) and value > now
