"""Steps that Microsoft's SDKs perform, so that one text of a behaviour runs with every one of them.

Each SDK has a driver, a program that reads one step a line and answers with one line:
``{"result": ...}``, ``{"refused": [name, status, message]}``, ``{"lacking": what}`` or ``{"failed":
traceback}``. A step is a name and JSON arguments, its result is JSON, too. Steps with the argument
``client`` are for that client, all others are for the service's client that the step ``serve`` makes.
Payloads are objects of one member: ``{"text": "hi"}``, ``{"json": [1]}``, ``{"binary": "AP8="}`` (base64).

==========================================================  ===========================================
``open`` client, url, protocol, reconnects                  connects; ``protocol`` json or json-reliable
``next`` client                                             the next thing the client was told
``join_group``, ``leave_group`` client, group               ``ack_id``
``send_to_group`` client, group, payload                    ``no_echo``, ``ack``, ``ack_id``
``send_event`` client, event, payload                       ``ack``
``invoke_event`` client, event, payload                     its result is the payload of the answer
``stream_to_group`` client, group, payload                  a stream of one fragment
``close`` client                                            the client leaves
``serve`` connection_string, hub                            makes the service's client
``send_to_all`` payload, ``user_exists`` user_id, ...       as the Python SDK of the service calls them
``reset``                                                   closes everything
==========================================================  ===========================================

What a client was told is ``{"told": "connected", "connection_id", "user_id"}``, ``{"told":
"group-message", "group", "from", payload}``, ``{"told": "server-message", payload}``, ``{"told":
"disconnected", "connection_id", "message"}``, ``{"told": "stopped"}`` or ``{"told":
"rejoin-group-failed", "group", "error"}``.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

SECONDS = 10.0


class Refused(Exception):
    """The service has refused a step.

    Attributes:
        name: The ``error.name`` of an ack, or the ``x-ms-error-code`` of a REST answer.
        status: The status of the REST answer, or None.
    """

    def __init__(self, name: str | None, status: int | None, message: str) -> None:
        super().__init__(f"{name} {status}: {message}")
        self.name, self.status = name, status


class Lacking(Exception):
    """An SDK has no such thing."""


class Driver:
    """The program that drives an SDK."""

    def __init__(self, process: subprocess.Popen[str], printed: Path) -> None:
        self._process, self._printed = process, printed

    async def perform(self, step: str, **arguments: Any) -> Any:
        """Perform one step; the program sees to it that this takes no more than ten seconds.

        Raises:
            Refused: The service has refused it.
            Lacking: The SDK cannot do it.
        """
        answer = await asyncio.to_thread(self._exchange, json.dumps({"step": step, **arguments}))
        if "refused" in answer:
            raise Refused(*answer["refused"])
        if "lacking" in answer:
            raise Lacking(answer["lacking"])
        assert "result" in answer, answer.get("failed")
        return answer["result"]

    def _exchange(self, line: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the driver has ended: {self._printed.read_text()}"
        return json.loads(answer)


@contextmanager
def running_driver(arguments: list[str], folder: Path) -> Iterator[Driver]:
    """Run a driver until the end of the block."""
    printed = folder / "driver"
    with (
        printed.open("wb") as stream,
        subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, encoding="utf-8"
        ) as process,
    ):
        try:
            yield Driver(process, printed)
            process.stdin.close()  # type: ignore[union-attr]
            assert process.wait(SECONDS) == 0, printed.read_text()
        finally:
            process.kill()


class Client:
    """A client of an SDK; its methods are the steps."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self.name = name
        self.connection_id = ""

    async def open(self, url: str, protocol: str, *, reconnects: bool = False) -> dict[str, Any]:
        """Connect, and return what it was told of that."""
        await self._driver.perform(
            "open", client=self.name, url=url, protocol=protocol, reconnects=reconnects
        )
        return await self.connected()

    async def connected(self) -> dict[str, Any]:
        told: dict[str, Any] = await self._driver.perform("next", client=self.name)
        assert told["told"] == "connected", told
        self.connection_id = told["connection_id"]
        return told

    def __getattr__(self, step: str) -> Any:
        return partial(self._driver.perform, step, client=self.name)


class Service:
    """The service's client of an SDK; its methods are the steps."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __getattr__(self, step: str) -> Any:
        return partial(self._driver.perform, step)
