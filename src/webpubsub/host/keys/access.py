"""Which requests have a key that opens what they want, and what stands before HTTP functions therefore.

Source: Python spec, section 6, "auth levels" and "extension webhooks"; extension spec, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from hmac import compare_digest
from typing import Final
from urllib.parse import unquote_to_bytes

from webpubsub.host.bindings.http_trigger import AuthLevel, HttpTrigger, Scope
from webpubsub.host.function import HostFunction
from webpubsub.host.keys import HOST_FUNCTIONS, SYSTEM, KeyPlace, KeyStore
from webpubsub.model.http import HttpAnswer, RawHeaders

WEBHOOK_KEY: Final = "webpubsub_extension"

_HEADER: Final = b"x-functions-key"
_PARAMETER: Final = b"code"

# Keys as they stand in requests.
_Keys = tuple[bytes, ...]

_UNAUTHORIZED: Final = HttpAnswer(401)
_NOT_FOUND: Final = HttpAnswer(404)


class Access:
    """Compares the keys of requests with those of the host, in constant time.

    What opens what is decided when keys are read or change, not for each request. Before the keys are read
    nothing is open but what needs no key.

    Attributes:
        on_change: Called when keys have been read or changed.
    """

    def __init__(self, keys: KeyStore, levels: Mapping[str, AuthLevel]) -> None:
        """Watch ``keys``; ``levels`` are those of the HTTP functions, by name."""
        self._keys = keys
        self._levels = levels
        self._admin: _Keys = ()
        self._webhook: _Keys = ()
        self._functions: dict[str, _Keys] = {}
        self._all: _Keys = ()
        self.on_change: Callable[[], None] = lambda: None
        keys.on_change = self._use

    @classmethod
    def of(cls, keys: KeyStore, functions: Iterable[HostFunction]) -> Access:
        """Return what guards ``functions``, which have an `HttpTrigger`."""
        return cls(keys, dict(map(_level, functions)))

    async def open(self) -> None:
        """Read the keys.

        Raises:
            ConfigurationError: Keys cannot be used.
            StorageError: The storage cannot be used.
        """
        await self._keys.load(self._with_own_keys())

    async def reload(self) -> None:
        """Read the keys again, which another process has changed; `on_change` is not called.

        Raises:
            ConfigurationError: Keys cannot be used.
            StorageError: The storage cannot be used.
        """
        await self._keys.reload()
        self._take()

    def has_key(self, headers: RawHeaders, query: bytes) -> bool:
        """Whether a request has any key, whatever that opens."""
        return _opens(self._all, headers, query)

    def is_admin(self, headers: RawHeaders, query: bytes) -> bool:
        """Whether a request has the master key."""
        return _opens(self._admin, headers, query)

    def opens_webhook(self, headers: RawHeaders, query: bytes) -> bool:
        """Whether a request has the extension's system key, or the master key."""
        return _opens(self._webhook, headers, query)

    def opens_function(self, name: str, headers: RawHeaders, query: bytes) -> bool:
        """Whether a request has a key for an HTTP function, or it needs none."""
        return self._levels[name] is AuthLevel.ANONYMOUS or _opens(
            self._functions.get(name, ()), headers, query
        )

    def code(self, name: str) -> str | None:
        """Return a key with which to call an HTTP function; None when it needs none."""
        if self._levels[name] is AuthLevel.ANONYMOUS:
            return None
        return self._functions[name][0].decode()

    @property
    def master(self) -> str:
        return self._admin[0].decode()

    @property
    def webhook_code(self) -> str:
        """A key with which to call the webhook."""
        return self._webhook[0].decode()

    def _with_own_keys(self) -> list[str]:
        return [name for name, level in self._levels.items() if level is AuthLevel.FUNCTION]

    def _use(self) -> None:
        self._take()
        self.on_change()

    def _take(self) -> None:
        keys, master = self._keys, self._keys.master
        system = keys.find(KeyPlace(SYSTEM), WEBHOOK_KEY)
        shared = tuple(keys.keys(KeyPlace(HOST_FUNCTIONS)).values())
        self._admin = _encoded([master])
        self._webhook = _encoded([master] if system is None else [system, master])
        self._functions = dict.fromkeys(self._levels, self._admin) | {
            name: _encoded([*keys.keys(KeyPlace.of_function(name)).values(), *shared, master])
            for name in self._with_own_keys()
        }
        every = (
            *self._webhook,
            *_encoded(shared),
            *(key for each in self._functions.values() for key in each),
        )
        self._all = tuple(dict.fromkeys(every))


def _level(function: HostFunction) -> tuple[str, AuthLevel]:
    trigger = function.trigger
    assert isinstance(trigger, HttpTrigger)
    return function.definition.name, trigger.auth_level


def _encoded(keys: Iterable[str]) -> _Keys:
    return tuple(key.encode() for key in keys)


def _opens(accepted: _Keys, headers: RawHeaders, query: bytes) -> bool:
    key = _key(headers, query)
    # All are compared, so that the time tells nothing about which was close.
    matches = [compare_digest(key, each) for each in accepted]
    return bool(key) and True in matches


def _key(headers: RawHeaders, query: bytes) -> bytes:
    """Return the key of a request: its header's, else its parameter's."""
    for name, value in headers:
        if name == _HEADER:
            return value
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name.lower() == _PARAMETER:
            return unquote_to_bytes(value.replace(b"+", b" "))
    return b""


class HttpGate:
    """Tells which HTTP functions a request may not call."""

    def __init__(self, disabled: Collection[HostFunction], access: Access | None) -> None:
        """Hide ``disabled`` functions from all but administrators; ask for keys if there is ``access``."""
        self._disabled = frozenset(disabled)
        self._access = access

    def refusal(self, function: HostFunction, scope: Scope) -> HttpAnswer | None:
        """Return the answer to who may not call ``function``, or None."""
        access, headers, query = self._access, scope["headers"], scope["query_string"]
        if access is not None and not access.opens_function(function.definition.name, headers, query):
            return _UNAUTHORIZED
        if function not in self._disabled or (access is not None and access.is_admin(headers, query)):
            return None
        return _NOT_FOUND
