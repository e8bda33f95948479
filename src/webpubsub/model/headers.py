"""HTTP headers as functions see them: case-insensitive names, lists of values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from webpubsub.model.http import RawHeaders, header_text

# How the service, and HTTP itself, spell the headers of an event: ASGI keeps lower case only, and functions
# that read the host's JSON look names up as they were sent.
SPELLINGS: Final = {
    name.lower(): name
    for name in (
        "Accept",
        "Accept-Encoding",
        "Connection",
        "Content-Length",
        "Content-Type",
        "Host",
        "Transfer-Encoding",
        "User-Agent",
        "WebHook-Request-Origin",
        "ce-connectionId",
        "ce-connectionState",
        "ce-eventName",
        "ce-physicalConnectionId",
        "ce-sessionId",
        "ce-userId",
    )
}


class Headers(Mapping[str, Sequence[str]]):
    """A read-only view of raw headers; decoding waits until somebody looks.

    Example:
        >>> Headers([(b"ce-hub", b"chat")])["CE-Hub"]
        ['chat']
    """

    __slots__ = ("_raw", "_values")

    def __init__(self, raw: RawHeaders = ()) -> None:
        """Wrap ``raw``; names must be in lower case."""
        self._raw = raw
        self._values: dict[str, list[str]] | None = None

    def _decoded(self) -> dict[str, list[str]]:
        if self._values is None:
            values: dict[str, list[str]] = {}
            for name, value in self._raw:
                values.setdefault(name.decode("latin-1").lower(), []).append(header_text(value))
            self._values = values
        return self._values

    def __getitem__(self, name: str) -> Sequence[str]:
        return self._decoded()[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._decoded()

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    def __repr__(self) -> str:
        return f"Headers({self._decoded()!r})"
