"""Where the servers of this process listen, and under which URLs people and programs reach them."""

from __future__ import annotations

import errno
import socket
import sys
from typing import Final

from webpubsub.model.access.connection_string import is_loopback
from webpubsub.model.errors import ConfigurationError
from webpubsub.server.tls import Tls, scheme_of

BACKLOG: Final = 4096

# Addresses that people call localhost: every name of it leads to them.
_LOCALHOST: Final = {"localhost", "127.0.0.1", "0.0.0.0", "::"}
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def bind(host: str, port: int, way_out: str) -> socket.socket:
    """Return a listening socket; whoever connects before it is served waits.

    It listens at once, as two sockets that only hold the same address do not yet exclude each other.

    Raises:
        ConfigurationError: The port cannot be had, and ``way_out`` says what to do then; or ``host`` is no
            address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return listening(family, address)
    except OSError as error:
        is_elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        fix = "give an address of this machine with --host" if is_elsewhere else way_out
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; {fix}"
        ) from error


def listening(
    family: socket.AddressFamily, address: tuple[object, ...], *, is_shared: bool = False
) -> socket.socket:
    """Return a socket that listens; several can share an address where the system has ``SO_REUSEPORT``.

    Raises:
        OSError: The address cannot be had.
    """
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def is_local(listener: socket.socket) -> bool:
    """Whether only this machine reaches a listener."""
    return is_loopback(listener.getsockname()[0])


def shown_url(listener: socket.socket, host: str, tls: Tls | None = None) -> str:
    """Return the URL of a server that was told to listen on ``host``, as people type it."""
    return _url("localhost" if host.lower() in _LOCALHOST else host, listener, tls)


def reachable_url(listener: socket.socket) -> str:
    """Return the URL by which this machine itself reaches a server without TLS for certain."""
    host = listener.getsockname()[0]
    return _url(_LOOPBACK.get(host, host), listener)


def _url(host: str, listener: socket.socket, tls: Tls | None = None) -> str:
    return f"{scheme_of(tls)}://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
