"""The real Azure Functions worker in a process of its own, and what its host would ask it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("worker_driver.py")
STOP_SECONDS = 10

# A value on the wire, in protobuf's JSON form: its kind and what it is, such as {"json": "[1]"}.
TypedData = dict[str, Any]


class Worker:
    """A running worker with one app.

    Attributes:
        problem: What it could not index the app for, or None.
        bindings: The raw bindings it reports, by function.
    """

    def __init__(self, process: subprocess.Popen[str], app: Path) -> None:
        self._process = process
        folder = {"functionAppDirectory": str(app)}
        started = self._ask("workerInit", {"hostVersion": "4.1040.0", **folder})
        self.problem: str | None = started["result"].get("exception", {}).get("message")
        indexed = self._ask("functionsMetadata", folder)["functionMetadataResults"]
        self._ids = {function["name"]: function["functionId"] for function in indexed}
        self.bindings = {
            function["name"]: [json.loads(binding) for binding in function["rawBindings"]]
            for function in indexed
        }
        for function in indexed:
            loading = {"functionId": function["functionId"], "metadata": function}
            loaded = self._ask("functionLoad", loading)
            assert loaded["result"]["status"] == "Success", loaded

    def invoke(self, function: str, inputs: Mapping[str, TypedData]) -> Any:
        """Run a function and return the ``InvocationResponse``."""
        request = {
            "invocationId": "5d7c9b5e",
            "functionId": self._ids[function],
            "inputData": [{"name": name, "data": value} for name, value in inputs.items()],
        }
        return self._ask("invocation", request)

    def _ask(self, name: str, request: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"requestId": name, f"{name}Request": request}), file=self._process.stdin, flush=True
        )
        line = self._process.stdout.readline()
        assert line, f"the worker ended, see stderr: it was asked {name} {request}"
        answer = json.loads(line)
        assert answer.pop("requestId") == name
        (response,) = answer.values()
        return response


@contextmanager
def running_worker(python: str, app: Path) -> Iterator[Worker]:
    """Run the app in the worker; what either of them prints is in stderr."""
    command = [python, "-P", "-B", "-W", "error", str(DRIVER), str(app)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
    ) as process:
        try:
            yield Worker(process, app)
            process.stdin.close()  # type: ignore[union-attr]
            assert process.wait(STOP_SECONDS) == 0
        finally:
            process.kill()
