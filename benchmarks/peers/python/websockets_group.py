"""Groups on ``websockets``, with its ``broadcast``, on uvloop::

python websockets_group.py PORT
"""

import json
import sys
from collections import defaultdict

import uvloop
from messages import ack, connected, from_group
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

groups: dict[str, set[ServerConnection]] = defaultdict(set)


async def take(client: ServerConnection) -> None:
    await client.send(connected())
    try:
        async for text in client:
            request = json.loads(text)
            if request["type"] == "joinGroup":
                groups[request["group"]].add(client)
            else:
                broadcast(groups[request["group"]], from_group(request))
            if "ackId" in request:
                await client.send(ack(request["ackId"]))
    except ConnectionClosed:
        pass  # it left without a goodbye
    finally:
        for members in groups.values():
            members.discard(client)


async def main() -> None:
    async with serve(
        take,
        "127.0.0.1",
        int(sys.argv[1]),
        compression=None,
        backlog=4096,
        select_subprotocol=lambda _, offered: offered[0] if offered else None,
    ) as server:
        await server.serve_forever()


uvloop.run(main())
