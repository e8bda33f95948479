"""What admin endpoints are made of: pages, their requests and answers; and those of the host's status."""

from __future__ import annotations

import platform
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from webpubsub import __version__
from webpubsub.host.bindings.http_trigger import Scope
from webpubsub.model.errors import PeerError
from webpubsub.model.http import HttpAnswer, header_text
from webpubsub.model.payload import MALFORMED_JSON

# Answers tell keys and states: nobody may keep them.
_NO_STORE: Final = (b"cache-control", b"no-store")
_JSON: Final = ((b"content-type", b"application/json; charset=utf-8"), _NO_STORE)
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"), _NO_STORE)


class AdminRequest(msgspec.Struct, frozen=True):
    """A request to an admin endpoint.

    Attributes:
        scope: Its ASGI scope.
        parameters: Those of the page's path.
        body: The whole body, once it is there.
    """

    scope: Scope
    parameters: Mapping[str, str]
    body: bytes = b""

    @property
    def base(self) -> str:
        """The host's own address, as the caller knows it, without a slash at the end."""
        host = self.header(b"host") or "{}:{}".format(*(self.scope.get("server") or ("localhost", 80)))
        return f"{self.scope.get('scheme', 'http')}://{host}"

    @property
    def url(self) -> str:
        """Its URL without query."""
        raw: bytes = self.scope.get("raw_path") or self.scope["path"].encode()
        return f"{self.base}{raw.decode('latin-1')}"

    @property
    def is_of_other_site(self) -> bool:
        """Whether a browser sent it for a web page of another site."""
        origin = self.header(b"origin")
        return bool(origin) and origin.partition("://")[2].lower() != self.header(b"host").lower()

    def header(self, name: bytes) -> str:
        """Return the header called ``name``; empty when it is missing."""
        return next((header_text(value) for key, value in self.scope["headers"] if key == name), "")

    def members(self) -> dict[str, Any]:
        """Return the body's members, their names in lower case.

        JSON must be declared, as no web page of another site can do that without asking first.

        Raises:
            PeerError: The body is no JSON object, or not declared as JSON.
        """
        if self.header(b"content-type").partition(";")[0].strip().lower() != "application/json":
            raise PeerError("expected a JSON body with 'Content-Type: application/json'", status=415)
        try:
            found = msgspec.json.decode(self.body, type=dict[str, Any])
        except MALFORMED_JSON as error:
            raise PeerError(f"expected a JSON object as body, found: {error}") from error
        return {name.lower(): value for name, value in found.items()}


class Page(msgspec.Struct, frozen=True):
    """One endpoint.

    Attributes:
        method: HTTP method.
        path: A route template.
        answer: Answers a request; a `PeerError` it raises is shown to the caller.
        is_public: Whether it needs no key.
    """

    method: str
    path: str
    answer: Callable[[AdminRequest], Awaitable[HttpAnswer]]
    is_public: bool = False


def json_answer(value: Any, status: int = 200) -> HttpAnswer:
    """Return an answer with a JSON body."""
    return HttpAnswer(status, _JSON, msgspec.json.encode(value))


def text_answer(status: int, text: str) -> HttpAnswer:
    """Return an answer for people."""
    return HttpAnswer(status, _TEXT, text.encode("utf-8", "replace"))


def status_pages(host_id: str, problems: Iterable[str], uptime: Callable[[], float]) -> Iterable[Page]:
    """Return the endpoints.

    There is no extension bundle in the status: this host runs its own bindings and loads none.

    Args:
        host_id: See `find_host_id`.
        problems: What is wrong with the app.
        uptime: Returns for how many seconds the host has been there.
    """
    facts: dict[str, Any] = {
        "id": host_id,
        "state": "Running",
        "version": __version__,
        "versionDetails": f"webpubsub {__version__}, Python {platform.python_version()}",
    }
    errors = list(problems)

    async def status(_request: AdminRequest) -> HttpAnswer:
        shown = facts | {"processUptime": int(uptime() * 1000)}
        return json_answer(shown | {"errors": errors} if errors else shown)

    async def ping(_request: AdminRequest) -> HttpAnswer:
        return text_answer(200, "")

    return (
        Page("GET", "admin/host/status", status),
        Page("GET", "admin/host/ping", ping, is_public=True),
        Page("POST", "admin/host/ping", ping, is_public=True),
    )
