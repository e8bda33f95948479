"""The same by the official SDK, its asynchronous client: ``actions_sdk.py PORT SECONDS``."""

import sys

import calls
import uvloop
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient


async def main(port: str, seconds: str) -> None:
    connection = calls.connection_string(port)
    async with WebPubSubServiceClient.from_connection_string(connection, hub=calls.HUB) as client:
        await calls.call_repeatedly(
            lambda user: client.send_to_user(user, calls.TEXT, content_type="text/plain"), float(seconds)
        )


uvloop.run(main(*sys.argv[1:]))
