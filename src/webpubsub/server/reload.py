"""``webpubsub start --reload``: a fresh host after each change, while the clients stay connected.

The service runs here; the host runs in a child process that is replaced. Both share the host's
listening socket, so a request that comes between two children waits in its queue and none is refused.
The child tells which events it takes once it is ready.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from webpubsub.host.storage.app_storage import FOLDER
from webpubsub.model.names import HubName
from webpubsub.observe.logs import start_logging
from webpubsub.server.addresses import Addresses
from webpubsub.server.child import Child, Inheritance, check_can_inherit, stopped_or_orphaned
from webpubsub.server.embedded import EmbeddedService
from webpubsub.server.ending import LAST_SECONDS, Grace
from webpubsub.server.options import StartOptions
from webpubsub.server.run import GRACE, described, follow_hubs, load_host, registered_hubs, serving
from webpubsub.server.serving import announce_ready, run_until_stopped
from webpubsub.service.settings import HubSettings
from webpubsub.service.settings_file import decode_hub_settings, encode_hub_settings

if TYPE_CHECKING:
    from watchfiles import PythonFilter

STARTS_AGAIN: Final = "a change of its files starts it again"
WATCHED: Final = (".py", ".json", ".html")


def run_reload(options: StartOptions) -> None:
    """Run the app until it is told to stop, and start it anew when its files change.

    Raises:
        ConfigurationError: The settings are wrong, a port cannot be had, or this is Windows.
    """
    check_can_inherit("--reload")
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    service: EmbeddedService | None = None
    if addresses.service_listener is not None:
        service = EmbeddedService(addresses.service_settings({}), addresses.service_listener, trace)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        if service is not None:
            await service.start()
        ended = asyncio.ensure_future(stopped())
        while not ended.done():
            changed = asyncio.ensure_future(_change(options.app_dir))
            child = await Child.start(addresses)
            started = asyncio.ensure_future(_report(child))
            died = asyncio.ensure_future(child.died())
            # Neither Ctrl-C nor a change has to wait for an app that takes its time to be imported.
            await asyncio.wait({ended, changed, started}, return_when=asyncio.FIRST_COMPLETED)
            hubs = started.result() if started.done() else None
            if hubs is None and started.done():
                sys.stderr.write(f"webpubsub: the app did not start; {STARTS_AGAIN}\n")
            elif hubs is not None:
                following = asyncio.ensure_future(_follow(child, hubs, service))
                await asyncio.wait({ended, changed, died}, return_when=asyncio.FIRST_COMPLETED)
                if died.done():
                    sys.stderr.write(f"webpubsub: the app ended with code {died.result()}; {STARTS_AGAIN}\n")
                following.cancel()
            await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
            for task in (started, changed, died):
                task.cancel()
            grace = Grace(GRACE + LAST_SECONDS)
            if ended.done() and service is not None:
                await service.stop(grace)
            await child.end(grace)

    run_until_stopped(main)


async def _follow(
    child: Child, hubs: dict[HubName, HubSettings] | None, service: EmbeddedService | None
) -> None:
    """Send events as the child says, and as it says later when the key of its webhook has changed."""
    while hubs is not None:
        if service is not None:
            service.use_hubs(hubs)
        hubs = await _report(child)


async def _report(child: Child) -> dict[HubName, HubSettings] | None:
    """Return which events the app takes, once it runs or they changed; None when it has ended."""
    line = await child.channel.receive()
    return None if line is None else decode_hub_settings(line)


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


def run_supervised(options: StartOptions, inheritance: str) -> None:
    """Run the app as the child of `run_reload`.

    Raises:
        ConfigurationError: See `load_host`.
    """
    found = Inheritance.decode(inheritance)
    addresses = found.addresses
    trace = start_logging(options.log_format, verbose=options.verbose)
    host = load_host(options, addresses, trace)

    async def main(stopped: Callable[[], Awaitable[object]]) -> None:
        channel = await found.open()

        def report() -> None:
            channel.send(encode_hub_settings(registered_hubs(options, host, addresses)))

        async with serving(host, addresses.listener, Grace(GRACE), options.tls):
            follow_hubs(report, host)
            announce_ready(described(options, host, addresses, is_embedded=found.is_embedded))
            await stopped_or_orphaned(stopped, channel.closed())
        channel.close()

    run_until_stopped(main)
