"""The connections of a group, page by page.

Pages follow the order of connection ids and each begins after the last id of the one before. So nobody who
stays is skipped or shown twice, whoever comes and goes between two pages.

Source: service spec, section A.6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import heapq
import hmac
from collections.abc import Iterable
from typing import Final

import msgspec

from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.model.rest import ListConnections
from webpubsub.model.rest_parameters import MAX_PAGE_SIZE, bad_request
from webpubsub.service.connection import Connection

__all__ = ["Bookmarks", "Listed", "Page", "list_page"]

_MAC_BYTES: Final = 16


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """One connection of a page."""

    connection_id: ConnectionId
    user_id: UserId | None


class Page(msgspec.Struct, frozen=True):
    """Some connections of a group.

    Attributes:
        value: In the order of their ids.
        next: Asks for the next page, or None on the last one.
    """

    value: list[Listed]
    next: ListConnections | None


class Bookmarks:
    """Continuation tokens: where a list was left, for the same list of the same process only."""

    def __init__(self, key: bytes) -> None:
        """Protect the tokens with ``key``, random bytes of this process."""
        self._key = key

    def write(self, hub: HubName, group: GroupName, last: ConnectionId) -> str:
        """Return the token of a list left after ``last``, in letters that no URL encodes."""
        text = last.encode()
        return base64.urlsafe_b64encode(self._mac(hub, group, text) + text).decode().rstrip("=")

    def read(self, hub: HubName, group: GroupName, token: str) -> ConnectionId:
        """Return the connection that the list was left after.

        Raises:
            RestError: The token was altered, or is of another list or process (400).
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, last = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(hub, group, last)):
            raise bad_request("The continuation token is not one of this list.", "continuationToken")
        return ConnectionId(last.decode())

    def _mac(self, hub: str, group: str, last: bytes) -> bytes:
        parts = (hub.encode(), group.encode(), last)
        text = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._key, text, hashlib.sha256)[:_MAC_BYTES]


def list_page(
    hub: HubName, members: Iterable[Connection], question: ListConnections, bookmarks: Bookmarks
) -> Page:
    """Return the page that ``question`` asks for.

    Raises:
        RestError: Its continuation token is not one of this list (400).
    """
    group = GroupName(question.group)
    if question.continuation_token is not None:
        last = _order(bookmarks.read(hub, group, question.continuation_token))
        members = (member for member in members if _order(member.id) > last)
    size = min(question.maxpagesize or MAX_PAGE_SIZE, question.top or MAX_PAGE_SIZE)
    found = heapq.nsmallest(size + 1, members, key=lambda member: _order(member.id))
    shown = found[:size]
    rest = None if question.top is None else question.top - len(shown)
    following = None
    if len(found) > size and rest != 0:
        token = bookmarks.write(hub, group, shown[-1].id)
        following = ListConnections(question.group, question.maxpagesize, rest, token)
    return Page([Listed(member.id, member.user_id) for member in shown], following)


def _order(connection_id: ConnectionId) -> tuple[str, str]:
    """Order by letter, and the same letter small before capital, as .NET does in no culture: b, d, D, h."""
    return connection_id.casefold(), connection_id.swapcase()
