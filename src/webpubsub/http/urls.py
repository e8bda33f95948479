"""URLs of calls: where to connect, what a request says of it, and the way there."""

from __future__ import annotations

import asyncio
import base64
import re
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlsplit

import msgspec

from webpubsub.http.errors import InvalidCall, NotReached

CONNECT_SECONDS: Final = 10.0  # an address; a name may have several

_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"[A-Za-z0-9._~-]+")
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9._~-]+)?")
# RFC 3986: what may stand in a path and in a query as it is.
_IN_PATH: Final = "/%:@!$&'()*+,;=~"
_IN_QUERY: Final = _IN_PATH + "?"
_LONE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Origin(NamedTuple):
    """Where to connect; connections to the same origin are shared.

    Attributes:
        scheme: ``http`` or ``https``.
        host: A name in ASCII, or an address without brackets.
        port: 1 to 65535.
    """

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The ``Host`` header: brackets around IPv6 addresses, and a port only where it is not the usual."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


class Url(msgspec.Struct, frozen=True):
    """The URL of a call.

    Attributes:
        origin: Where to connect.
        target: Path and query, as they are sent.
        authorization: What user and password in the URL mean (RFC 7617), or None.
        head: How each request begins, after its method.
    """

    origin: Origin
    target: str
    authorization: str | None
    head: str


@lru_cache(maxsize=1024)  # calls go to few URLs
def parse_url(text: str) -> Url:
    """Read a URL. What is percent-encoded stays as it is; other characters that need it are encoded.

    Raises:
        InvalidCall: It is no HTTP URL; the text does not show it, as its query may hold a key.

    Example:
        >>> parse_url("http://localhost:7071/a%2fb/{x}?code=k").target
        '/a%2fb/%7Bx%7D?code=k'
        >>> parse_url("https://[::1]:8443").origin.authority
        '[::1]:8443'
    """
    try:
        parts = urlsplit(text)
        origin = _origin(parts)
        authorization = _basic(parts)
        path, query = _quoted(parts.path, _IN_PATH), _quoted(parts.query, _IN_QUERY)
    except ValueError:  # also UnicodeError
        raise InvalidCall("no HTTP URL") from None
    target = f"{path or '/'}?{query}" if query else path or "/"
    head = f" {target} HTTP/1.1\r\nHost: {origin.authority}\r\nUser-Agent: webpubsub\r\n"
    return Url(origin, target, authorization, head)


def _origin(parts: SplitResult) -> Origin:
    host, port = parts.hostname or "", parts.port
    if parts.scheme not in _PORTS or port == 0:
        raise ValueError
    is_bracketed = "[" in parts.netloc
    if not is_bracketed:
        host = host.encode("idna").decode()
    if not (_IPV6 if is_bracketed else _NAME).fullmatch(host):
        raise ValueError
    return Origin(parts.scheme, host, port or _PORTS[parts.scheme])


def _basic(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def _quoted(text: str, safe: str) -> str:
    return _LONE_PERCENT.sub("%25", quote(text, safe))


_Made = TypeVar("_Made", bound=asyncio.BaseProtocol)


class Connector:
    """Opens connections."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        """Trust whom ``tls`` trusts; None: the system's certificate authorities."""
        self._tls = tls

    async def connect(self, origin: Origin, make: Callable[[], _Made]) -> _Made:
        """Connect to the first address of a name that takes the connection.

        uvloop would wait at one that does not answer for as long as the system does.

        Raises:
            NotReached: None does.
        """
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {}
        if origin.scheme == "https":
            options = {"ssl": await self._tls_context(), "server_hostname": origin.host}
        problems: list[str] = []
        try:
            for host, port in await _addresses(origin):
                try:
                    async with asyncio.timeout(CONNECT_SECONDS):
                        _, connection = await loop.create_connection(make, host, port, **options)
                except OSError as error:  # TLS errors and TimeoutError are such, too
                    problems.append(f"{host} port {port}: {str(error) or 'it does not answer'}")
                else:
                    return connection
        except OSError as error:  # there is no such name
            problems.append(f"{origin.host}: {error}")
        raise NotReached("; ".join(problems))

    async def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:  # reading all certificates takes some 20 ms
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls


async def _addresses(origin: Origin) -> list[tuple[str, int]]:
    found = await asyncio.get_running_loop().getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((str(address[0]), int(address[1])) for *_, address in found))
