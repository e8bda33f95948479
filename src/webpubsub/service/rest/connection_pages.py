"""The connections of a group, page by page.

Pages follow the order of connection ids and each begins after the last id of the one before. So nobody who
stays is skipped or shown twice, whoever comes and goes between two pages.

Source: service spec, section A.6.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from webpubsub.model.names import ConnectionId, GroupName, HubName, UserId
from webpubsub.model.rest import ListConnections
from webpubsub.model.rest.rest_parameters import MAX_PAGE_SIZE, bad_request
from webpubsub.service.hub.connection import Connection

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
    """Where lists were left: continuation tokens, each for the same list of the same process only.

    The order of the last list is kept, so that the pages of a large one are not sorted one by one.
    """

    def __init__(self, key: bytes) -> None:
        """Protect the tokens with ``key``, random bytes of this process."""
        self._key = key
        self._members: list[ConnectionId] = []
        self._ordered: list[ConnectionId] = []

    def order(self, members: Iterable[ConnectionId]) -> Sequence[ConnectionId]:
        """Return who is on a list in its order."""
        found = list(members)
        if found != self._members:
            self._members, self._ordered = found, sorted(found, key=_order)
        return self._ordered

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
    by_id = {member.id: member for member in members}
    token = question.continuation_token
    last = None if token is None else bookmarks.read(hub, group, token)
    ordered = bookmarks.order(by_id)
    start = 0 if last is None else bisect_right(ordered, _order(last), key=_order)
    size = min(question.maxpagesize or MAX_PAGE_SIZE, question.top or MAX_PAGE_SIZE)
    found = ordered[start : start + size + 1]
    shown = [by_id[name] for name in found[:size]]
    rest = None if question.top is None else question.top - len(shown)
    following = None
    if len(found) > size and rest != 0:
        token = bookmarks.write(hub, group, shown[-1].id)
        following = ListConnections(question.group, question.maxpagesize, rest, token)
    return Page([Listed(member.id, member.user_id) for member in shown], following)


def _order(connection_id: ConnectionId) -> tuple[str, str]:
    """Order by letter, and the same letter small before capital, as .NET does in no culture: b, d, D, h."""
    return connection_id.casefold(), connection_id.swapcase()
