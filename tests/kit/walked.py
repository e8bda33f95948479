"""Run ``webpubsub start`` in the main thread, and write down which of its functions each walk calls.

A thread beside it is the clients. The profile hook is there from the start, but writes only while a walk is
on. What goes to stdout in the end is one JSON object, ``{walk: [[[module, function], ...], ...]}``: for each
walk the calls of its events from the third on.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import runpy
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import jwt
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as open_websocket
from websockets.typing import Subprotocol

import webpubsub

SOURCE: Final = f"{Path(webpubsub.__file__).parent}{os.sep}"
APP: Final = Path(__file__).with_name("walked_app")
WARM_UP: Final = 2  # events before those that count: connections are open then, and tokens known
COUNTED: Final = 5  # keep-alives fall into some of them
QUIET: Final = 0.05  # seconds without a call after which a walk is over
PATIENCE: Final = 10.0

Calls = list[tuple[str, str]]
Frame = dict[str, object]


class Recorder:
    """The profile hook of the main thread."""

    def __init__(self) -> None:
        self.calls: Calls = []
        self._is_on = False

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if self._is_on and event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            path = Path(frame.f_code.co_filename[len(SOURCE) :]).with_suffix("")
            name = ".".join(part for part in path.parts if part != "__init__")
            self.calls.append((name, frame.f_code.co_name))

    @contextmanager
    def walk(self) -> Iterator[Calls]:
        """Write down what is called until the effects are there and nothing more happens."""
        calls: Calls = []
        self.calls = calls
        self._is_on = True
        yield calls
        before = -1
        while len(calls) != before:
            before = len(calls)
            time.sleep(QUIET)
        self._is_on = False


class Output:
    """Stands for stdout: the connection string and the line that says ``Ready`` are read from it."""

    def __init__(self) -> None:
        self.text = ""
        self.is_ready = threading.Event()

    def write(self, text: str) -> int:
        self.text += text
        if re.search("^Ready", self.text, re.MULTILINE):
            self.is_ready.set()
        return len(text)

    def flush(self) -> None: ...

    def isatty(self) -> bool:
        return False


class Clients:
    """Those who send, with tokens signed by the service's own key."""

    def __init__(self, endpoint: str, key: str, until: ExitStack) -> None:
        self._endpoint = endpoint
        self._key = key
        self._ids = itertools.count(1)
        self._rest = http.client.HTTPConnection(endpoint.partition("//")[2])
        self._until = until
        self._tokens: dict[str, str] = {}

    def connect(self, hub: str) -> ClientConnection:
        """Return a connection whose ``connected`` frame has come."""
        path = f"/client/hubs/{hub}"
        token = self._token(path, role=["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"])
        opening = open_websocket(
            f"{self._endpoint.replace('http', 'ws', 1)}{path}?access_token={token}",
            subprotocols=[Subprotocol("json.webpubsub.azure.v1")],
            compression=None,
        )
        client: ClientConnection = self._until.enter_context(opening)
        assert receive(client)["event"] == "connected"
        return client

    def ask(self, client: ClientConnection, **request: object) -> list[Frame]:
        """Send a request, wait for its ack and return the frames before that."""
        number = next(self._ids)
        send(client, ackId=number, **request)
        frames = [receive(client)]
        while frames[-1].get("ackId") != number:
            frames.append(receive(client))
        assert frames[-1]["success"], frames
        return frames[:-1]

    def post(self, path: str, text: str) -> None:
        """Call the REST API with a text."""
        headers = {"Authorization": f"Bearer {self._token(path)}", "Content-Type": "text/plain"}
        self._rest.request("POST", f"{path}?api-version=2024-12-01", text, headers)
        answer = self._rest.getresponse()
        assert (answer.status, answer.read()) == (202, b"")

    def _token(self, path: str, **claims: object) -> str:
        """The one token for a path: the service knows it from the second time on, as it does in use."""
        if path not in self._tokens:
            lasting = {"aud": self._endpoint + path, "exp": int(time.time()) + 3600, **claims}
            self._tokens[path] = jwt.encode(lasting, self._key, algorithm="HS256")
        return self._tokens[path]


def send(client: ClientConnection, **request: object) -> None:
    client.send(json.dumps(request))


def receive(client: ClientConnection) -> Frame:
    frame: Frame = json.loads(client.recv(PATIENCE))
    return frame


def walks(clients: Clients) -> dict[str, Callable[[], None]]:
    """Each walk as what sends one event and returns when its last effect has come."""
    member, sender = clients.connect("quiet"), clients.connect("quiet")
    clients.ask(member, type="joinGroup", group="room")
    caller = clients.connect("walked")  # which its connect function puts into the group "room"

    def to_group(ask: Callable[..., object]) -> None:
        ask(sender, type="sendToGroup", group="room", dataType="text", data="hi")
        assert receive(member)["data"] == "hi"

    def rest() -> None:
        clients.post("/api/hubs/quiet/groups/room/:send", "hi")
        assert receive(member)["data"] == "hi"

    def event() -> None:
        frames = clients.ask(caller, type="event", event="message", dataType="text", data="hi")
        assert [frame["data"] for frame in frames] == ["you said hi"]

    def action() -> None:
        send(caller, type="event", event="tell", dataType="text", data="hi")
        assert receive(caller)["group"] == "room"

    def connect() -> None:
        clients.connect("walked")

    return {
        "send": lambda: to_group(send),
        "acked": lambda: to_group(clients.ask),
        "rest": rest,
        "event": event,
        "action": action,
        "connect": connect,
    }


def drive(output: Output, recorder: Recorder, results: int) -> None:
    """Do every walk, write down the calls and end the product as Ctrl-C would."""
    assert output.is_ready.wait(PATIENCE), output.text
    found = re.search("Endpoint=(.+?);AccessKey=(.+?);", output.text)
    assert found, output.text
    calls: dict[str, list[Calls]] = {}
    with ExitStack() as until:
        for name, walk in walks(Clients(found[1], found[2], until)).items():
            for _ in range(WARM_UP + COUNTED):
                with recorder.walk() as called:
                    walk()
                calls.setdefault(name, []).append(called)
    with open(results, "w", encoding="utf-8") as file:
        json.dump({name: of_events[WARM_UP:] for name, of_events in calls.items()}, file)
    os.kill(os.getpid(), signal.SIGTERM)


def drive_or_die(output: Output, recorder: Recorder, results: int) -> None:
    try:
        drive(output, recorder, results)
    except BaseException:  # noqa: BLE001 - the main thread waits for nobody but us
        traceback.print_exc()
        os._exit(1)


def main() -> None:
    output, recorder, results = Output(), Recorder(), os.dup(1)
    with tempfile.TemporaryDirectory() as folder:
        app = shutil.copytree(APP, Path(folder) / "app")  # the product writes into it
        sys.argv = ["webpubsub", "start", str(app), "--port", "0", "--service-port", "0"]
        sys.stdout = output
        threading.Thread(target=drive_or_die, args=(output, recorder, results), daemon=True).start()
        sys.setprofile(recorder)
        runpy.run_module("webpubsub", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
