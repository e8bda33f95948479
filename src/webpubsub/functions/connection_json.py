"""Client connections as the host's JSON: the value of a webPubSubConnection input.

Source: extension spec, section 7.
"""

from __future__ import annotations

import msgspec

from webpubsub.functions.host_value import HostValue, read
from webpubsub.model.events import WebPubSubConnection


class _ConnectionJson(msgspec.Struct, rename="camel"):
    base_url: str
    url: str
    access_token: str


def encode_connection(connection: WebPubSubConnection) -> str:
    """Return what an untyped function gets for a webPubSubConnection input."""
    members = {
        "baseUrl": connection.base_url,
        "url": connection.url,
        "accessToken": connection.access_token,
    }
    return msgspec.json.encode(members).decode()


def decode_connection(value: HostValue) -> WebPubSubConnection:
    """Read the value of a webPubSubConnection input.

    Raises:
        PeerError: It is no client connection.
    """
    if isinstance(value, WebPubSubConnection):
        return value
    found = read("webPubSubConnection", value, _ConnectionJson)
    return WebPubSubConnection(found.base_url, found.url, found.access_token)
