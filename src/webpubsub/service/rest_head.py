"""What stands before the body of a REST request, however the request came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from webpubsub.model.http import RawHeaders


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
        """Return the head of a request over ASGI."""
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
