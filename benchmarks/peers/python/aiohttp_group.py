"""Groups on aiohttp's WebSockets, on uvloop::

python aiohttp_group.py PORT
"""

import json
import sys
from collections import defaultdict

import uvloop
from aiohttp import web
from messages import ack, connected, from_group

groups: dict[str, set[web.WebSocketResponse]] = defaultdict(set)


async def take(http_request: web.Request) -> web.WebSocketResponse:
    client = web.WebSocketResponse(compress=False, protocols=("json.webpubsub.azure.v1",))
    await client.prepare(http_request)
    await client.send_str(connected())
    try:
        async for frame in client:
            request = json.loads(frame.data)
            if request["type"] == "joinGroup":
                groups[request["group"]].add(client)
            else:
                message = from_group(request)
                for member in tuple(groups[request["group"]]):
                    await member.send_str(message)
            if "ackId" in request:
                await client.send_str(ack(request["ackId"]))
    finally:
        for members in groups.values():
            members.discard(client)
    return client


app = web.Application()
app.router.add_get("/", take)
uvloop.install()
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), backlog=4096, access_log=None, print=None)
