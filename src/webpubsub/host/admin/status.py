"""``/admin/host/status`` and ``/admin/host/ping``."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from typing import Any

from webpubsub import __version__
from webpubsub.host.admin.pages import AdminRequest, Page, json_answer, text_answer
from webpubsub.model.cloudevents import HttpAnswer


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
