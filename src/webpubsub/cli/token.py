"""``webpubsub token``: a client access URL."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from webpubsub.model.access.connection_string import DEFAULT_CONNECTION, ConnectionString
from webpubsub.model.access.tokens import client_access
from webpubsub.model.names import parse_group_name, parse_hub_name


def print_token(
    hub: str,
    *,
    user: str | None,
    roles: Sequence[str],
    groups: Sequence[str],
    minutes: int,
    connection: str | None,
) -> None:
    """Print the URL with which a client of ``hub`` connects.

    Raises:
        WebPubSubError: A name or the connection string is not valid.
    """
    access = client_access(
        ConnectionString.parse(connection) if connection else DEFAULT_CONNECTION,
        parse_hub_name(hub),
        now=time.time(),
        expires_after=60.0 * minutes,
        user_id=user,
        roles=roles,
        groups=[parse_group_name(group) for group in groups],
    )
    sys.stdout.write(f"{access.url}\n")
