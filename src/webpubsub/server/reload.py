"""``webpubsub start --reload``: a fresh host after each change, while the clients stay connected.

The service runs here; the host runs in a child process that is replaced. Both share the host's
listening socket, so a request that comes between two children waits in its queue and none is refused.
The child tells which events it takes once it is ready.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webpubsub.host.storage.app_storage import FOLDER
from webpubsub.server.addresses import Addresses
from webpubsub.server.child import Child, Report
from webpubsub.server.embedded import EmbeddedService
from webpubsub.server.ending import Grace
from webpubsub.server.process import PARENT_GRACE, announce_ready, first

if TYPE_CHECKING:
    from watchfiles import PythonFilter

STARTS_AGAIN: Final = "a change of its files starts it again"
WATCHED: Final = (".py", ".json", ".html")


class ReplacedApp:
    """The app in a child, which another one replaces when a file changes."""

    def __init__(self, folder: Path, addresses: Addresses, service: EmbeddedService | None) -> None:
        """Run the app in ``folder``; its children tell which events ``service`` is to send them."""
        self._folder = folder
        self._addresses = addresses
        self._service = service
        self._child: Child | None = None

    async def start(self) -> None:
        """Start a child, which is ready some time later."""
        self._child = await Child.start(self._addresses)

    async def replace(self) -> None:
        """Start another one after each change; neither a change nor an end waits until a child is ready."""
        while self._child is not None:
            await first(_change(self._folder), self._follow(self._child))
            await self.stop(Grace(PARENT_GRACE))
            await self.start()

    async def stop(self, grace: Grace) -> None:
        """End the child."""
        if self._child is not None:
            await self._child.end(grace)

    async def _follow(self, child: Child) -> None:
        """Send events as the child says, at last say how it ended; only a change starts another one."""
        report = await child.report()
        if report is None:
            sys.stderr.write(f"webpubsub: the app did not start; {STARTS_AGAIN}\n")
        else:
            self._use(report)
            announce_ready(report.overview)
            while (report := await child.report()) is not None:
                self._use(report)
            sys.stderr.write(f"webpubsub: the app ended with code {await child.died()}; {STARTS_AGAIN}\n")
        await asyncio.Event().wait()

    def _use(self, report: Report) -> None:
        if self._service is not None:
            self._service.use_hubs(report.hubs)


async def _change(folder: Path) -> None:
    """Return when a file of the app changed."""
    from watchfiles import awatch

    async for _ in awatch(folder, watch_filter=watch_filter()):
        return


def watch_filter() -> PythonFilter:
    """Return what tells the app's own files from all others; what the host itself keeps is none of them."""
    from watchfiles import PythonFilter

    class AppFilter(PythonFilter):
        ignore_dirs = (*PythonFilter.ignore_dirs, FOLDER)

    return AppFilter(extra_extensions=WATCHED)
