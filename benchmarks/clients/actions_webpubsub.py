"""Actions by the very object that this package's host uses: ``actions_webpubsub.py PORT SECONDS``."""

import sys
import time

import calls
import uvloop

from webpubsub.functions.binding_members import DEFAULT_CONNECTION
from webpubsub.host.azure.connections import Connections
from webpubsub.host.settings.environment import Environment
from webpubsub.model.names import HubName
from webpubsub.model.send_actions import SendToUserAction
from webpubsub.observe.logs import start_logging

HUB = HubName(calls.HUB)


async def main(port: str, seconds: str) -> None:
    settings = Environment({DEFAULT_CONNECTION: calls.connection_string(port)})
    connections = Connections(settings, time.time, start_logging("text", verbose=False))
    sink = connections.sink(DEFAULT_CONNECTION)
    await calls.call_repeatedly(
        lambda user: sink.perform(HUB, SendToUserAction(user, calls.TEXT)), float(seconds)
    )
    await connections.close()


uvloop.run(main(*sys.argv[1:]))
