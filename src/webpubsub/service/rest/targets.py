"""What method and target of a REST request ask for, read once for callers that ask the same again and again.

Source: service spec, sections A.1 to A.4.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, unquote

import msgspec

from webpubsub.model.http import RawHeaders
from webpubsub.model.names import HubName
from webpubsub.model.rest import (
    Operation,
    fold_names,
    parse_api_version,
    parse_parameters,
    parse_path,
    parse_query,
)
from webpubsub.service.filters import FilterBounds, check_filter
from webpubsub.service.settings import ServiceSettings

REMEMBERED: Final = 1024


class Target(msgspec.Struct, frozen=True):
    """What method, path and query of a request ask for.

    Attributes:
        operation: The row of the REST table.
        hub: The hub.
        parameters: What path and query say; nobody may change them, as requests share them.
        version: The api-version.
    """

    operation: Operation
    hub: HubName
    parameters: Mapping[str, Any]
    version: str


class Targets:
    """The targets asked for last, of callers with a token, who mostly ask for few."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, bytes], Target] = {}
        self._settings: ServiceSettings | None = None  # by which they were read

    def find(self, head: Head, settings: ServiceSettings) -> Target | None:
        """Return what a request asks for if the same was asked for before."""
        if settings is not self._settings:
            self._known.clear()
            self._settings = settings
        return self._known.get((head.method, head.path, head.query))

    def read(self, operation: Operation, head: Head, settings: ServiceSettings) -> Target:
        """Return what a request asks for, and remember it.

        Raises:
            RestError: The api-version, a name or a parameter is outside its rules (400).
        """
        version, parameters = _read_query(
            operation, head.query, settings.strict_api_version, settings.filters
        )
        hub, names = parse_path(operation, head.path, decode_slash=settings.decode_slash_in_segments)
        target = Target(operation, hub, {**names, **parameters}, version)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[head.method, head.path, head.query] = target
        return target


# Many paths have the same query.
@functools.lru_cache(maxsize=256)
def _read_query(
    operation: Operation, query_string: bytes, strict: bool, bounds: FilterBounds
) -> tuple[str, Mapping[str, Any]]:
    query = fold_names(parse_query(query_string))
    version = parse_api_version(query, strict=strict)
    parameters = parse_parameters(operation, query)
    if parameters.get("filter"):
        check_filter(parameters["filter"], bounds)
    return version, parameters


class Head(msgspec.Struct, frozen=True):
    """A request without its body.

    Attributes:
        method: HTTP method.
        path: As it was sent, percent-encoded, below where the API is mounted.
        query: As it was sent.
        headers: All of them; names in lower case.
        values: The same by name.
        root: Where the API is mounted; empty mostly.
        scheme: By which it was sent.
    """

    method: str
    path: bytes
    query: bytes
    headers: RawHeaders
    values: Mapping[bytes, bytes]
    root: str = ""
    scheme: str = "http"

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any]) -> Head:
        path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        root: str = scope.get("root_path", "")
        if root:
            path = path.removeprefix(quote(root).encode())
        headers = scope["headers"]
        scheme = scope.get("scheme", "http")
        return cls(scope["method"], path, scope["query_string"], headers, dict(headers), root, scheme)

    @property
    def shown_path(self) -> str:
        """The whole path as people read it."""
        path = self.path.decode("latin-1")
        return self.root + (unquote(path) if "%" in path else path)
