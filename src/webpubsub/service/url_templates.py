"""URL templates of event handlers: ``http://localhost:7071/api/{hub}/{event}?code=...``.

Source: service spec, section D.1.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

from webpubsub.model.errors import InvalidName

_PLACEHOLDER: Final = re.compile(r"{(hub|event)}", re.IGNORECASE)
_KEY_VAULT: Final = re.compile(r"{@Microsoft\.KeyVault\(", re.IGNORECASE)
_TUNNEL: Final = "tunnel:"

_RULE: Final = "a URL such as 'http://localhost:7071/{hub}/{event}'"
_KEY_VAULT_RULE: Final = (
    "the secret itself in place of '{@Microsoft.KeyVault(...)}', which only Azure can read"
)
_TUNNEL_RULE: Final = (
    "the URL of the app itself, such as 'http://localhost:3000/path': this service needs no tunnel to it"
)
_HOST_RULE: Final = "{hub} and {event} in the path or the query only, not in the host"


def check_template(template: str) -> None:
    """Make sure that a template can be resolved to an HTTP URL.

    Raises:
        InvalidName: It cannot; the text says why, without the query, which may hold a key.
    """
    rule = _broken_rule(template)
    if rule is not None:
        raise InvalidName("urlTemplate", shown(template), rule)


def _broken_rule(template: str) -> str | None:
    if _KEY_VAULT.search(template):
        return _KEY_VAULT_RULE
    if template.lower().startswith(_TUNNEL):
        return _TUNNEL_RULE
    try:
        parts = urlsplit(template)
        if _PLACEHOLDER.search(parts.netloc):
            return _HOST_RULE
        is_http = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no port, a bracket without its partner
        return _RULE
    return None if is_http else _RULE


@lru_cache(maxsize=1024)  # 7 us; names of hubs and of most events are few
def resolve(template: str, hub: str, event: str) -> str:
    """Return the URL of an event.

    Example:
        >>> resolve("http://host/{Hub}?e={EVENT}", "a[b]", "chat")
        'http://host/a%5Bb%5D?e=chat'
    """
    names = {"hub": hub, "event": event}
    return _PLACEHOLDER.sub(lambda found: quote(names[found[1].lower()], safe=""), template)


def shown(url: str) -> str:
    """Return a URL, or a template of one, without its query, which may hold a key."""
    return url.partition("?")[0]
