"""Microsoft's Python SDKs as the driver of tests/kit/sdk_steps.py: one step a line in, one answer a line out.

A program of its own, as the SDKs leave sockets and sessions open, which would be warnings in some test.

    python python_driver.py sync|aio
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import RetryMode
from azure.messaging.webpubsubclient import WebPubSubClient
from azure.messaging.webpubsubclient.aio import WebPubSubClient as AioWebPubSubClient
from azure.messaging.webpubsubclient.models import (
    CallbackType,
    OpenClientError,
    SendMessageError,
    WebPubSubDataType,
    WebPubSubProtocolType,
)
from azure.messaging.webpubsubservice import WebPubSubServiceClient
from azure.messaging.webpubsubservice.aio import WebPubSubServiceClient as AioWebPubSubServiceClient

SECONDS: Final = 10.0
PROTOCOLS: Final = {
    "json": WebPubSubProtocolType.JSON,
    "json-reliable": WebPubSubProtocolType.JSON_RELIABLE,
}
CONTENT_TYPES: Final = {
    "text": "text/plain",
    "json": "application/json",
    "binary": "application/octet-stream",
}
OPTIONS: Final[dict[str, Any]] = {
    "message_retry_total": 0,
    # In the default mode the first delay is 0, which the client takes for the end of its attempts.
    "reconnect_retry_mode": RetryMode.Fixed,
    "reconnect_retry_backoff_factor": 0.2,
}
# The sync client misses what happens before it waits for it, and then waits this long for nothing.
SYNC_OPTIONS: Final = {**OPTIONS, "ack_timeout": 1.0, "start_timeout": 1.0}


class Lacking(Exception):
    """The SDK has no such thing."""


class Driver:
    """Performs steps with ``azure-messaging-webpubsubclient`` and ``azure-messaging-webpubsubservice``."""

    def __init__(self, *, is_aio: bool) -> None:
        self._is_aio = is_aio
        self._clients: dict[str, _Client] = {}
        self._service: Any = None
        self._closing: set[asyncio.Task[Any]] = set()

    async def answer(self, line: str) -> dict[str, Any]:
        """Perform a step, and return its result or what went wrong."""
        try:
            async with asyncio.timeout(SECONDS):
                return {"result": await self._perform(**json.loads(line))}
        except OpenClientError as error:
            return {"refused": [None, None, str(error)]}
        except SendMessageError as error:
            return {"refused": [error.error_detail.name if error.error_detail else None, None, str(error)]}
        except HttpResponseError as error:
            response: Any = error.response  # its type has no headers
            code = response.headers.get("x-ms-error-code") if response else None
            return {"refused": [code, error.status_code, str(error)]}
        except Lacking as error:
            return {"lacking": str(error)}
        except Exception:  # noqa: BLE001 - the test that gave the step fails with this text
            return {"failed": traceback.format_exc()}

    async def _perform(self, step: str, **arguments: Any) -> Any:
        if step in ("serve", "reset", "open"):
            return await getattr(self, f"_{step}")(**arguments)
        if "client" in arguments:
            client = self._clients[arguments.pop("client")]
            if not hasattr(client, step):
                raise Lacking(f"WebPubSubClient.{step}")
            return await getattr(client, step)(**arguments)
        return await self._ask(step, **arguments)

    async def _open(self, client: str, url: str, protocol: str, reconnects: bool) -> None:
        kind = AioWebPubSubClient if self._is_aio else WebPubSubClient
        sdk = kind(
            url,
            protocol_type=PROTOCOLS[protocol],
            reconnect_retry_total=20 if reconnects else 0,
            **(OPTIONS if self._is_aio else SYNC_OPTIONS),
        )
        self._clients[client] = opened = _Client(sdk, is_aio=self._is_aio)
        await opened.open()

    async def _serve(self, connection_string: str, hub: str) -> None:
        kind = AioWebPubSubServiceClient if self._is_aio else WebPubSubServiceClient
        self._service = kind.from_connection_string(connection_string, hub=hub)

    async def _ask(self, step: str, payload: Any = None, **arguments: Any) -> Any:
        if not hasattr(self._service, step):
            raise Lacking(f"WebPubSubServiceClient.{step}")
        if payload is not None:
            arguments |= _rest_message(payload)
        if "max_page_size" in arguments:
            arguments["maxpagesize"] = arguments.pop("max_page_size")
        try:
            found = await _call(getattr(self._service, step), is_aio=self._is_aio, **arguments)
        except TypeError as error:
            if "unexpected keyword argument" not in str(error):
                raise
            # It hands options that it does not know on to its transport.
            raise Lacking(str(error)) from error
        return await _members(found) if step == "list_connections" else found

    async def _reset(self) -> None:
        # Not waited for, as the aio client of a reliable protocol takes a second to close.
        self._closing |= {asyncio.create_task(client.call("close")) for client in self._clients.values()}
        self._clients.clear()
        if self._service is not None:
            await _call(self._service.close, is_aio=self._is_aio)
            self._service = None

    async def finish(self) -> None:
        await asyncio.gather(*self._closing)


class _Client:
    """Either client, with what it was told."""

    def __init__(self, sdk: Any, *, is_aio: bool) -> None:
        self._sdk, self._is_aio = sdk, is_aio
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def call(self, method: str, *args: Any, **values: Any) -> Any:
        return await _call(getattr(self._sdk, method), *args, is_aio=self._is_aio, **values)

    async def open(self) -> None:
        for kind, tell in _TOLD.items():
            await self.call("subscribe", kind, self._listener(kind.value, tell))
        await self.call("open")

    def _listener(self, kind: str, tell: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
        loop = asyncio.get_running_loop()

        async def listen(*event: Any) -> None:
            self._told.put_nowait({"told": kind, **tell(*event)})

        def listen_in_thread(*event: Any) -> None:
            loop.call_soon_threadsafe(self._told.put_nowait, {"told": kind, **tell(*event)})

        return listen if self._is_aio else listen_in_thread

    async def next(self) -> dict[str, Any]:
        return await self._told.get()

    async def join_group(self, group: str, **options: Any) -> None:
        await self.call("join_group", group, **options)

    async def leave_group(self, group: str, **options: Any) -> None:
        await self.call("leave_group", group, **options)

    async def send_to_group(self, group: str, payload: Any, **options: Any) -> None:
        await self.call("send_to_group", group, *_content(payload), **options)

    async def send_event(self, event: str, payload: Any, **options: Any) -> None:
        await self.call("send_event", event, *_content(payload), **options)

    async def close(self) -> None:
        await self.call("close")


async def _call(method: Callable[..., Any], *args: Any, is_aio: bool, **values: Any) -> Any:
    if not is_aio:
        return await asyncio.to_thread(method, *args, **values)
    found = method(*args, **values)
    return await found if asyncio.iscoroutine(found) else found  # pages are not awaited


async def _members(pages: Any) -> list[dict[str, Any]]:
    is_aio = isinstance(pages, AsyncIterator)
    members = [member async for member in pages] if is_aio else await asyncio.to_thread(list, pages)
    return [{"connection_id": member.connection_id, "user_id": member.user_id} for member in members]


def _rest_message(payload: dict[str, Any]) -> dict[str, Any]:
    ((kind, data),) = payload.items()
    if kind == "text":
        data = data.encode()  # the aio SDK takes the characters of a str for its length, and cuts off its end
    elif kind == "binary":
        data = base64.b64decode(data)
    return {"message": data, "content_type": CONTENT_TYPES[kind]}


def _content(payload: dict[str, Any]) -> tuple[Any, WebPubSubDataType]:
    ((kind, data),) = payload.items()
    return (memoryview(base64.b64decode(data)) if kind == "binary" else data), WebPubSubDataType(kind)


def _payload(message: Any) -> dict[str, Any]:
    kind = WebPubSubDataType(message.data_type).value
    return {kind: base64.b64encode(message.data).decode() if kind == "binary" else message.data}


_TOLD: Final[dict[CallbackType, Callable[..., dict[str, Any]]]] = {
    CallbackType.CONNECTED: lambda told: {"connection_id": told.connection_id, "user_id": told.user_id},
    CallbackType.DISCONNECTED: lambda told: {"connection_id": told.connection_id, "message": told.message},
    CallbackType.STOPPED: dict,
    CallbackType.GROUP_MESSAGE: lambda told: {
        "group": told.group,
        "from": told.from_user_id,
        **_payload(told),
    },
    CallbackType.SERVER_MESSAGE: _payload,
    CallbackType.REJOIN_GROUP_FAILED: lambda told: {
        "group": told.group,
        "error": told.error.error_detail.name,
    },
}


async def main() -> None:
    driver = Driver(is_aio=sys.argv[1] == "aio")
    while line := await asyncio.to_thread(sys.stdin.readline):
        sys.stdout.write(f"{json.dumps(await driver.answer(line))}\n")
        sys.stdout.flush()
    await driver.finish()


if __name__ == "__main__":
    asyncio.run(main())
