"""Where a service is, and with which key.

``Endpoint=https://name.webpubsub.azure.com;AccessKey=...;Version=1.0;``; the default is that of Microsoft's
emulator, whose key is public, so it is for addresses of this machine that no other machine reaches.

Source: extension spec, section 2.2.
"""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

import msgspec

from webpubsub.model.errors import ConnectionStringError

# The key of Microsoft's own emulator, so that either service can stand behind the other's users. It is
# public: a service that uses it must listen on loopback only.
DEFAULT_ACCESS_KEY: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

# Also keeps out user names and passwords, which have no meaning here and would be dropped silently.
_NOT_IN_A_HOST: Final = re.compile(r"[\s,;@\\\"'<>{}|^`\x00-\x20]")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class ClientProtocol(StrEnum):
    """What a client speaks: each protocol has an endpoint of its own.

    The values are those of the REST API; any case is read.

    Source: service spec, section B.4.
    """

    DEFAULT = "Default"
    MQTT = "MQTT"

    @classmethod
    def _missing_(cls, value: object) -> ClientProtocol | None:
        text = value.lower() if isinstance(value, str) else None
        return next((protocol for protocol in cls if protocol.lower() == text), None)


_CLIENT_PATHS: Final = {
    ClientProtocol.DEFAULT: "/client/hubs/",
    ClientProtocol.MQTT: "/clients/mqtt/hubs/",
}


class ConnectionString(msgspec.Struct, frozen=True):
    """Where a Web PubSub service is, and the key to it.

    Attributes:
        endpoint: ``http(s)://host[:port]``, lower-case, without a trailing slash.
        access_key: The key as written; None when the string carries none.

    Example:
        >>> ConnectionString.parse("Endpoint=http://localhost:8080;AccessKey=k;").endpoint
        'http://localhost:8080'
    """

    endpoint: str
    access_key: str | None = None

    @classmethod
    def parse(cls, text: str) -> ConnectionString:
        """Read a connection string; keys in any case, unknown keys ignored.

        Raises:
            ConnectionStringError: It is empty, has a key twice, an empty AccessKey, or no usable endpoint.
        """
        if not text.strip():
            raise ConnectionStringError(
                "the connection string is empty: expected 'Endpoint=...;AccessKey=...;'"
            )
        fields: dict[str, str] = {}
        for part in text.split(";"):
            name, equals, value = part.partition("=")
            name = name.strip().lower()
            if not equals:
                continue
            if name in fields:
                raise ConnectionStringError(f"the connection string has '{name}' twice")
            fields[name] = value.strip()
        if not fields.get("endpoint"):
            raise ConnectionStringError(
                "the connection string has no 'Endpoint': expected 'Endpoint=https://...'"
            )
        # An absent key means "nothing to check signatures with"; a forgotten one must not mean that too.
        if fields.get("accesskey") == "":
            raise ConnectionStringError(
                "the connection string has an empty 'AccessKey': write the key, or leave it out"
            )
        return cls(_endpoint(fields["endpoint"], fields.get("port")), fields.get("accesskey"))

    @classmethod
    def of_service_uri(cls, service_uri: str) -> ConnectionString:
        """Return the service at ``service_uri``, for callers that have an identity instead of a key.

        Raises:
            ConnectionStringError: It is no URL of a service.
        """
        return cls(_endpoint(service_uri.strip(), None, name="serviceUri"))

    @property
    def host(self) -> str:
        """The endpoint's host without port, as ``WebHook-Request-Origin`` names it."""
        return urlsplit(self.endpoint).hostname or ""

    def client_audience(self, hub: str, protocol: ClientProtocol = ClientProtocol.DEFAULT) -> str:
        """The audience of a client token for ``hub``."""
        return f"{self.endpoint}{_CLIENT_PATHS[protocol]}{hub}"

    def client_url(self, hub: str, protocol: ClientProtocol = ClientProtocol.DEFAULT) -> str:
        """The WebSocket URL clients of ``hub`` connect to, without token."""
        return "ws" + self.client_audience(hub, protocol).removeprefix("http")

    def __str__(self) -> str:
        key = f"AccessKey={self.access_key};" if self.access_key else ""
        return f"Endpoint={self.endpoint};{key}Version=1.0;"

    def __repr__(self) -> str:
        return f"ConnectionString(endpoint={self.endpoint!r}, access_key=...)"


def _endpoint(text: str, port: str | None, *, name: str = "Endpoint") -> str:
    try:
        parts = urlsplit(text)
        host, found = parts.hostname, parts.port
    except ValueError:
        raise _not_a_url(name, text) from None  # its text would show the key
    if parts.scheme not in _DEFAULT_PORTS or found == 0 or not host or _NOT_IN_A_HOST.search(parts.netloc):
        raise _not_a_url(name, text)
    if port is not None:
        found = _port(port)
    if ":" in host:
        host = f"[{host}]"
    if found is not None and found != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{found}"
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ConnectionStringError(f"Port {text!r} is not a number from 1 to 65535")
    return int(text)


def _not_a_url(name: str, text: str) -> ConnectionStringError:
    # A comma or blank typed for the semicolon puts the access key into the endpoint; it is not shown.
    shown = re.split(r"[\s,]|AccessKey", text, maxsplit=1, flags=re.IGNORECASE)[0]
    return ConnectionStringError(
        f"{name} {shown!r} is not a URL: expected 'http://host[:port]' or 'https://host[:port]'"
    )


DEFAULT_CONNECTION: Final = ConnectionString("http://localhost:8080", DEFAULT_ACCESS_KEY)


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("[::1]"), is_loopback("0.0.0.0")
        (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
