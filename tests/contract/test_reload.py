"""``webpubsub start --reload`` under load: no event fails, and none runs twice, while the app is replaced."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from kit.contract_clients import client_url

pytestmark = pytest.mark.contract

EDITS = 12
CLIENTS = 40
APP = """
import os
from pathlib import Path
import webpubsub as wps

app = wps.FunctionApp()
ran = os.open(Path(__file__).with_name("ran"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)

@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
async def message(request: wps.UserEventRequest) -> None:
    os.write(ran, f"{request.data}\\n".encode())
"""

Run = Callable[..., AbstractContextManager[Any]]


class Load:
    """Clients that raise one event after the other.

    Attributes:
        sent: The data of each.
        failed: Acks that say that it failed.
    """

    def __init__(self, url: str) -> None:
        self.sent: list[str] = []
        self.failed: list[str] = []
        self.is_over = False
        self._url = url

    async def client(self, number: int) -> None:
        async with connect(self._url, subprotocols=["json.webpubsub.azure.v1"]) as socket:  # type: ignore[list-item]
            await socket.recv()
            ack_id = 0
            while not self.is_over:
                ack_id += 1
                data = f"{number}-{ack_id}"
                event = {
                    "type": "event",
                    "event": "message",
                    "ackId": ack_id,
                    "dataType": "text",
                    "data": data,
                }
                self.sent.append(data)
                await socket.send(json.dumps(event))
                ack = json.loads(await asyncio.wait_for(socket.recv(), 30))
                assert (ack["type"], ack["ackId"]) == ("ack", ack_id)
                if not ack["success"]:
                    self.failed.append(f"{data}: {ack}")


@pytest.mark.feature("hot reload")
async def test_no_event_fails_and_none_runs_twice_while_files_change(
    tmp_path: Path, run_command: Run
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    source = folder / "function_app.py"
    source.write_text(APP)
    with run_command("start", str(folder), "--reload", "--port", "0", "--service-port", "0") as command:
        load = Load(client_url(command.connection_string, "chat"))
        clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
        for edit in range(EDITS):
            await asyncio.sleep(0.4)  # the load that an edit is to meet
            source.write_text(f"{APP}# {edit}\n")
            while command.output.splitlines().count("Ready") < edit + 2:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
        load.is_over = True
        await asyncio.gather(*clients)
    ran = Counter((folder / "ran").read_text().split())
    assert load.failed == []
    assert ran == Counter(load.sent)
    assert len(load.sent) > EDITS * CLIENTS
    print(f"{len(load.sent)} events, {EDITS} edits")  # noqa: T201 - the figure
