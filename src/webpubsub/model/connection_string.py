"""Connection strings: ``Endpoint=https://name.webpubsub.azure.com;AccessKey=...;Version=1.0;``.

Source: extension spec, section 2.2.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from webpubsub.model.errors import ConnectionStringError

__all__ = ["DEFAULT_ACCESS_KEY", "ConnectionString"]

# The key of Microsoft's own emulator, so that either service can stand behind the other's users. It is
# public: a service that uses it must listen on loopback only.
DEFAULT_ACCESS_KEY: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


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
            ConnectionStringError: It is empty, has a key twice, or no usable endpoint.
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
        endpoint = _endpoint(fields["endpoint"], fields.get("port"))
        return cls(endpoint, fields.get("accesskey") or None)

    @property
    def host(self) -> str:
        """The endpoint's host without port, as ``WebHook-Request-Origin`` names it."""
        return urlsplit(self.endpoint).hostname or ""

    def client_audience(self, hub: str) -> str:
        """The audience of a client token for ``hub``."""
        return f"{self.endpoint}/client/hubs/{hub}"

    def client_url(self, hub: str) -> str:
        """The WebSocket URL clients of ``hub`` connect to, without token."""
        return "ws" + self.client_audience(hub).removeprefix("http")

    def __str__(self) -> str:
        key = f"AccessKey={self.access_key};" if self.access_key else ""
        return f"Endpoint={self.endpoint};{key}Version=1.0;"

    def __repr__(self) -> str:
        return f"ConnectionString(endpoint={self.endpoint!r}, access_key=...)"


def _endpoint(text: str, port: str | None) -> str:
    parts = urlsplit(text)
    try:
        found = parts.port
    except ValueError:
        raise ConnectionStringError(f"Endpoint {text!r} has no usable port") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ConnectionStringError(
            f"Endpoint {text!r} is not a URL: expected 'http://host' or 'https://host'"
        )
    if port is not None:
        if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
            raise ConnectionStringError(f"Port {port!r} is not a number from 1 to 65535")
        found = int(port)
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    if found is None or found == _DEFAULT_PORTS[parts.scheme]:
        return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
    return f"{parts.scheme}://{host}:{found}{parts.path.rstrip('/')}"
