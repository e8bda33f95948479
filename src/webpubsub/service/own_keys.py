"""Whether a request was made by somebody who has a key that not everybody knows.

Such a request has a token: as ``Authorization``, or in the query where clients have it, also the one with
which they come back. What the token opens is another matter, and is looked at by whoever answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY
from webpubsub.model.access.issued_tokens import verify_issued_token
from webpubsub.model.access.tokens import signed_claims
from webpubsub.model.errors import TokenError
from webpubsub.model.http import RequestHead
from webpubsub.model.rest import parse_query
from webpubsub.service.settings import ServiceSettings

_IN_QUERY: Final = ("access_token", "awps_reconnection_token")


def has_own_key(settings: ServiceSettings, head: RequestHead, now: float) -> bool:
    """Whether a request has a token made with a key that is no public one.

    Args:
        settings: Those of the service, with its keys and issuers.
        head: The request's.
        now: Seconds since the epoch.
    """
    keys = [key for key in settings.access_keys if key != DEFAULT_ACCESS_KEY]
    for token in _tokens(head):
        try:
            signed_claims(token, keys)
        except TokenError:
            if not settings.token_issuers or not _is_issued(settings, token, now):
                continue
        return True
    return False


def _is_issued(settings: ServiceSettings, token: str, now: float) -> bool:
    try:
        verify_issued_token(token, settings.token_issuers, now=now)
    except TokenError:
        return False
    return True


def _tokens(head: RequestHead) -> Iterator[str]:
    for name, value in head.headers:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer":
                yield token.strip()
    for parameter, values in parse_query(head.target.partition(b"?")[2]).items():
        if parameter.lower() in _IN_QUERY:
            yield from values
