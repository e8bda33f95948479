"""Who sent an event: signatures and origins.

The service signs every event with HMAC-SHA256 of the *connection id* alone, once with each of its two
keys, and names itself in ``WebHook-Request-Origin``. An app knows one key, so finding its signature in
the list is what makes key rotation work.

Source: extension spec, sections 3.3 and 3.5; CloudEvents extension for Azure Web PubSub.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.errors import ConfigurationError

_SEPARATORS = re.compile(r"[, ]+")


def sign(access_key: str, connection_id: str) -> str:
    """Return ``sha256=`` and the lower-case hex signature of a connection.

    The key is the UTF-8 text as written, not base64-decoded.
    """
    digest = hmac.digest(access_key.encode(), connection_id.encode(), "sha256")
    return f"sha256={digest.hex()}"


def signature_header(access_keys: Iterable[str], connection_id: str) -> str:
    """Return the ``ce-signature`` value: one signature a key, the primary key's first."""
    return ",".join(sign(key, connection_id) for key in access_keys)


def split_list(value: str) -> list[str]:
    """Split a header value at commas and blanks, dropping empty pieces."""
    return [piece for piece in _SEPARATORS.split(value) if piece]


class RequestValidator:
    """Decides whether a request comes from one of the configured services.

    Without any connection everything is accepted, as the extension does; the caller warns.

    Example:
        >>> validator = RequestValidator([ConnectionString("https://a.webpubsub.azure.com", "key")])
        >>> validator.accepts_origin(["A.webpubsub.azure.com"])
        True
    """

    def __init__(self, connections: Iterable[ConnectionString]) -> None:
        """Accept requests of ``connections``.

        Raises:
            ConfigurationError: Two connections share a host name.
        """
        self._keys: Mapping[str, str | None] = _keys_by_host(connections)
        # Origin and signature of a connection never change, so what was right once is right again. Only
        # what was right is remembered; bounded, oldest out first.
        self._verified: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    @property
    def accepts_everything(self) -> bool:
        """Whether no connection is configured."""
        return not self._keys

    def accepts_origin(self, origins: Iterable[str]) -> bool:
        """Whether any of the origins is a configured host (scheme and port ignored, any case)."""
        return self.accepts_everything or any(origin.lower() in self._keys for origin in origins)

    def accepts_signature(self, origin: str | None, signature: str | None, connection_id: str) -> bool:
        """Whether ``signature`` is right for ``connection_id``.

        The first origin that is a configured host decides; a connection without a key has nothing to
        check with and accepts. Comparison takes the same time for every wrong signature.
        """
        if not self._keys:
            return True
        origin, given = origin or "", (signature or "").encode()
        known_origin, known = self._verified.get(connection_id, (None, b""))
        if origin == known_origin and hmac.compare_digest(given, known):
            return True
        host = next((name for name in split_list(origin.lower()) if name in self._keys), None)
        if host is None:
            return False
        key = self._keys[host]
        if key is None:
            return True
        expected = sign(key, connection_id).encode()
        if not _is_among(expected, given.decode()):
            return False
        if len(self._verified) >= _REMEMBERED:
            self._verified.popitem(last=False)  # a plain dict would look for its first behind all before
        self._verified[connection_id] = (origin, given)
        return True

    def proves_key(self, origin: str, signature: str, connection_id: str) -> bool:
        """Whether ``signature`` is right for ``connection_id``, and made with a key that is no public one."""
        keys = (self._keys.get(name) for name in split_list(origin.lower()))
        return any(
            _is_among(sign(key, connection_id).encode(), signature)
            for key in keys
            if key is not None and key != DEFAULT_ACCESS_KEY
        )

    def forget(self, connection_id: str) -> None:
        """Drop what is remembered of a connection that is gone."""
        self._verified.pop(connection_id, None)


_REMEMBERED = 65_536


def _is_among(expected: bytes, signatures: str) -> bool:
    return any(hmac.compare_digest(item.encode(), expected) for item in split_list(signatures.lower()))


def _keys_by_host(connections: Iterable[ConnectionString]) -> dict[str, str | None]:
    keys: dict[str, str | None] = {}
    for connection in connections:
        host = connection.host.lower()
        if host in keys:
            raise ConfigurationError(
                f"two connections have the host '{host}': a signature could not be assigned; keep one"
            )
        keys[host] = connection.access_key
    return keys
