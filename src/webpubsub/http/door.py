"""Who may come in on a listener that only this machine reaches.

Such a listener is for programs and people of this machine; but a browser runs pages of every site on it, and
two ways lead from there to here. A page whose name suddenly leads to a loopback address (DNS rebinding) sends
requests that are of its own origin to the browser, but their ``Host`` is the page's. And any page may open a
WebSocket, and send requests of some kinds, but then the browser says whose it is in ``Origin``. So:

::

    Host      a name of this machine (localhost), any address, or one that is allowed          else 421
    Origin    of this machine (loopback), or one that is allowed; asked for where a page        else 403
              could do harm. Without one the sender is no browser, and "null" is another site

Whoever has a key that not everybody knows is no such page, and is not asked.

Source: RFC 9110, sections 7.2 and 15.5.20; RFC 6454, section 7; RFC 6761, section 6.3.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import RequestHead

ANY: Final = "*"
REMEMBERED: Final = 1024
LONGEST_NAME: Final = 300  # with its port; that of DNS has 253 characters

_LONGEST_SHOWN: Final = 100
_HOST: Final = re.compile(r"(\[[0-9a-f:.%\w-]+\]|[^\s:/?#@\[\]]+)(:[0-9]*)?", re.IGNORECASE)
_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s:/?#@\[\]]+)(:[0-9]{1,5})?")
_USUAL_PORTS: Final = {"http": ":80", "https": ":443"}
_NULL: Final = "null"
# What nobody's shell reads as more than a word: pages choose their names, and people paste what they read.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._:/\[\]-]+")


class Allowed(msgspec.Struct, frozen=True):
    """Whom people let in besides.

    Attributes:
        hosts: Names, as `allowed_host` returns them.
        origins: Origins, as `allowed_origin` returns them.
    """

    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def refusal(self, host: str, origins: Iterable[str]) -> tuple[int, str] | None:
        """Return status and words for who may not come in, or None.

        Args:
            host: The request's ``Host``; empty when it has none, which no browser sends.
            origins: Its ``Origin``, where that is asked for.

        Example:
            >>> Allowed().refusal("localhost:8080", ["https://evil.example"])[0]
            403
        """
        if host and not self.takes_host(host):
            return 421, (
                f"The request is for the host {_shown(host)}, which is no name of this machine: start with "
                f"--allow-host {_pasted(_name(host), 'NAME')} to let such requests in."
            )
        for origin in origins:
            if not self._takes_origin(origin):
                return 403, (
                    f"The request is of a web page of another site, {_shown(origin)}: start with "
                    f"--allow-origin {_pasted(origin, 'ORIGIN')} to let its requests in."
                )
        return None

    def takes_host(self, host: str) -> bool:
        """Whether requests for a host, with its port or without, may come in."""
        found = _HOST.fullmatch(host)
        if found is None:
            return ANY in self.hosts
        name = _name(host)
        return _is_localhost(name) or _address(name) is not None or not self.hosts.isdisjoint((name, ANY))

    def _takes_origin(self, origin: str) -> bool:
        if ANY in self.origins or _usual(origin) in self.origins:
            return True
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None:
            return False
        address = _address(found[2])
        return _is_localhost(found[2]) if address is None else address.is_loopback


class Door:
    """Asks the requests of one server.

    Attributes:
        known: The values of ``Host`` that were let in; for servers, which need not ask about them again.
    """

    def __init__(
        self,
        allowed: Allowed,
        *,
        is_guarded: Callable[[bytes], bool],
        has_key: Callable[[RequestHead], bool],
    ) -> None:
        """Let in whom the rule lets in.

        Args:
            allowed: Who may come in besides.
            is_guarded: Whether a path, as it was sent, is one where ``Origin`` is asked for.
            has_key: Whether a request has a key that not everybody knows.
        """
        self.known: set[bytes | None] = {None}
        self._allowed = allowed
        self._is_guarded = is_guarded
        self._has_key = has_key

    def refusal(self, head: RequestHead) -> tuple[int, str] | None:
        """Return status and words for a request that may not come in, or None."""
        host = next((value for name, value in head.headers if name == b"host"), b"")
        origins: list[str] = []
        if self._is_guarded(head.target.partition(b"?")[0]):
            origins = [value.decode("latin-1") for name, value in head.headers if name == b"origin"]
        text = host.decode("latin-1")
        refused = self._allowed.refusal(text, origins)
        if refused is None:
            self._remember(host)
        elif self._has_key(head):
            return None
        return refused

    def _remember(self, host: bytes) -> None:
        if len(host) > LONGEST_NAME:
            return
        if len(self.known) >= REMEMBERED:  # any address may stand there, with any port
            self.known = {None}
        self.known.add(host)


def allowed_host(text: str) -> str:
    """Return a name that people allow, as it is compared: ``*`` is any.

    Raises:
        ConfigurationError: It is no name of a host; a port does not belong to it.
    """
    found = _HOST.fullmatch(text)
    if text != ANY and (found is None or found[2] is not None or ANY in text):
        raise ConfigurationError(
            f"{text!r} is not the name of a host: expected such as 'dev.example', without port, or '*'"
        )
    return _name(text)


def allowed_origin(text: str) -> str:
    """Return an origin that people allow, as it is compared: ``*`` is any, ``null`` that of local files.

    Raises:
        ConfigurationError: It is no origin.
    """
    origin = _usual(text)
    if origin not in (ANY, _NULL) and (ANY in origin or _ORIGIN.fullmatch(origin) is None):
        raise ConfigurationError(
            f"{text!r} is not an origin: expected such as 'https://app.example', 'null', or '*'"
        )
    return origin


def allowed_cors(origins: Iterable[str]) -> frozenset[str]:
    """Return origins that people allow elsewhere, as they are compared; what is no origin allows nobody."""
    return frozenset(map(_usual, origins))


def _usual(origin: str) -> str:
    """Return an origin as browsers send it: in lower case, and without the port that is usual."""
    origin = origin.strip().lower().removesuffix("/")
    return origin.removesuffix(_USUAL_PORTS.get(origin.partition(":")[0], "/"))


def _name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return host if found is None else found[1].lower().removesuffix(".")


def _is_localhost(name: str) -> bool:
    """Whether a name never leads elsewhere: browsers, and most systems, do not ask for it."""
    name = name.lower().removesuffix(".")
    return name == "localhost" or name.endswith(".localhost")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _pasted(text: str, name: str) -> str:
    """Return foreign text where it can be pasted into a command, else what the option calls its value."""
    return text if len(text) <= _LONGEST_SHOWN and _PLAIN.fullmatch(text) else name


def _shown(text: str) -> str:
    """Return foreign text so that it is one short word in a message."""
    cut = text[:_LONGEST_SHOWN] + ("..." if len(text) > _LONGEST_SHOWN else "")
    return cut if cut.isascii() and cut.isprintable() else ascii(cut)
