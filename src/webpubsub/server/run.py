"""``webpubsub start``: four processes, which differ in the parts that live in them.

::

    start            the app, then the service
    start --reload   the app in a child that each change of a file replaces, then the service
    start --workers  the app in several children
    any child        its tie to the parent, then the app

Sockets are bound before all that, so that the real ports are known before user code is imported and a taken
port costs nothing. Parts stop in the reverse order: the service says goodbye to its clients while the host
still runs, so that their ``disconnected`` events find their functions.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from functools import partial
from typing import Final

from webpubsub.model.errors import OptionError, WebPubSubError
from webpubsub.model.names import HubName
from webpubsub.model.trace import Name, Phase, Trace
from webpubsub.observe.logs import start_logging, telling_once
from webpubsub.server.addresses import Addresses
from webpubsub.server.child import SUPERVISED, Channel, Child, Inheritance, Report, check_can_inherit
from webpubsub.server.ending import Grace
from webpubsub.server.in_process import send_events_to
from webpubsub.server.options import StartOptions
from webpubsub.server.process import APP_GRACE, PARENT_GRACE, run_until_stopped
from webpubsub.server.reload import ReplacedApp
from webpubsub.server.served_app import ServedApp, load_host
from webpubsub.server.workers import Workers, spread
from webpubsub.service.settings import HubSettings

_NEEDS_OTHER_SERVICE: Final = (
    "the service would run inside this process, where its clients and groups are, and several workers need "
    "one for all of them: start with --no-service, or set WebPubSubConnectionString to the connection string "
    "of a service elsewhere"
)


def run_start(options: StartOptions) -> None:
    """Run the app until told to stop.

    Raises:
        OptionError: An option does not go with another, or with the service that the app uses.
        ConfigurationError: The app or its settings are wrong, a port cannot be had, a worker cannot be
            started (again), or this is Windows and children are needed.
    """
    inheritance = os.environ.pop(SUPERVISED, None)
    if inheritance is not None:
        _run_child(options, Inheritance.decode(inheritance))
    elif options.reload and (options.in_process or options.workers is not None):
        raise OptionError(
            "--in-process" if options.in_process else "--workers",
            "it cannot be used with --reload, which runs the app in one process, and the service in another",
        )
    elif options.reload:
        _run_replaced(options)
    elif options.workers is not None:
        _run_workers(options, options.workers)
    else:
        _run_app(options)


def _run_app(options: StartOptions) -> None:
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    service = addresses.service(options, trace)
    joined = service if options.in_process else None
    app = ServedApp(options, addresses, load_host(options, addresses, trace, joined))
    if joined is not None:
        send_events_to(app.host.webhook, addresses.app_url, joined)
    if service is not None:
        app.on_hubs = service.use_hubs
    run_until_stopped(app, service, seconds=APP_GRACE, trace=trace, ready=app.overview)


def _run_replaced(options: StartOptions) -> None:
    check_can_inherit("--reload")
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    service = addresses.service(options, trace)
    app = ReplacedApp(options.app_dir, addresses, service)
    run_until_stopped(app, service, seconds=PARENT_GRACE, trace=trace, until=app.replace)


def _run_workers(options: StartOptions, count: int) -> None:
    check_can_inherit("--workers")
    if Addresses.embeds_service(options):
        raise OptionError("--workers", _NEEDS_OTHER_SERVICE)
    trace = start_logging(options.log_format, verbose=options.verbose)
    addresses = Addresses.find(options)
    workers = Workers(partial(Child.start, addresses), spread(addresses.listener, count), trace)
    run_until_stopped(workers, seconds=PARENT_GRACE, trace=trace, ready=workers.overview, until=workers.keep)


def _run_child(options: StartOptions, inherited: Inheritance) -> None:
    trace = start_logging(options.log_format, verbose=options.verbose, worker=inherited.worker)
    addresses = inherited.addresses
    with telling_once(inherited.told) as told:
        app = ServedApp(options, addresses, load_host(options, addresses, trace))
    parent = Parent(inherited.end, app, told, trace)
    run_until_stopped(parent, app, seconds=APP_GRACE, trace=trace, until=parent.gone)


class Parent:
    """The child's hold on its parent, which it reports to."""

    def __init__(self, end: socket.socket, app: ServedApp, told: Sequence[str], trace: Trace) -> None:
        """Use the child's ``end`` of the channel."""
        self._end = end
        self._app = app
        self._told = told
        self._trace = trace
        self._channel: Channel | None = None

    async def start(self) -> None:
        """Report from now on."""
        self._channel = await Channel.open(self._end)
        self._app.on_hubs = partial(self._report, self._channel)

    async def gone(self) -> None:
        """Return when it is gone; until then, use the keys that have changed elsewhere."""
        assert self._channel is not None
        access = self._app.host.access
        while await self._channel.receive() is not None:
            try:
                if access is not None:
                    await access.reload()
            except WebPubSubError as error:
                detail = {"message": "keys cannot be read again"}
                self._trace.tell(Name.STORAGE, Phase.FAILED, {}, detail, error)

    async def stop(self, _grace: Grace) -> None:
        """Tell it that this one is gone."""
        (self._channel or self._end).close()

    def _report(self, channel: Channel, hubs: dict[HubName, HubSettings]) -> None:
        channel.send(Report(self._app.overview(), hubs, tuple(self._told)).encode())
