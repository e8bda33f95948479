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
        problems: What it could not load a function for, by function.
        bindings: The raw bindings it reports, or those of function.json, by function.
    """

    def __init__(self, process: subprocess.Popen[str], app: Path) -> None:
        self._process = process
        folder = {"functionAppDirectory": str(app)}
        started = self._ask("workerInit", {"hostVersion": "4.1040.0", **folder})
        self.problem: str | None = started["result"].get("exception", {}).get("message")
        answer = self._ask("functionsMetadata", folder)
        is_left_to_the_host = answer["useDefaultMetadataIndexing"]
        indexed = list(declared_functions(app)) if is_left_to_the_host else answer["functionMetadataResults"]
        self.problems: dict[str, str] = {}
        self._ids = {function["name"]: function["functionId"] for function in indexed}
        self.bindings = {
            function["name"]: [json.loads(binding) for binding in function["rawBindings"]]
            for function in indexed
        }
        for function in indexed:
            loading = {"functionId": function["functionId"], "metadata": function}
            loaded = self._ask("functionLoad", loading)["result"]
            if loaded["status"] != "Success":
                self.problems[function["name"]] = loaded["exception"]["message"]
        # Of functions it indexed itself it must be able to load each.
        assert is_left_to_the_host or not self.problems, self.problems

    def invoke(
        self, function: str, inputs: Mapping[str, TypedData], metadata: Mapping[str, TypedData] | None = None
    ) -> Any:
        """Run a function and return the ``InvocationResponse``; ``metadata`` is that of its trigger."""
        request = {
            "invocationId": "5d7c9b5e",
            "functionId": self._ids[function],
            "inputData": [{"name": name, "data": value} for name, value in inputs.items()],
            "triggerMetadata": metadata or {},
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


def declared_functions(app: Path) -> Iterator[dict[str, Any]]:
    """Yield what the host sends of each function.json, for apps that the worker leaves to it."""
    for path in sorted(app.glob("*/function.json")):
        declared = json.loads(path.read_text(encoding="utf-8"))
        yield {
            "functionId": f"id of {path.parent.name}",
            "name": path.parent.name,
            "directory": str(path.parent),
            "scriptFile": os.path.normpath(path.parent / declared.get("scriptFile", "__init__.py")),
            "entryPoint": declared.get("entryPoint", ""),
            "bindings": {
                binding["name"]: {
                    "type": binding["type"],
                    "direction": binding["direction"].lower(),
                    "dataType": binding.get("dataType", "undefined").lower(),
                }
                for binding in declared["bindings"]
            },
            "rawBindings": [json.dumps(binding) for binding in declared["bindings"]],
        }


@contextmanager
def running_worker(
    python: str, app: Path, runtime: str = "azure_functions_runtime", *, is_native: bool = False
) -> Iterator[Worker]:
    """Run the app in the worker; what either of them prints is in stderr.

    ``runtime`` is the part of the worker that runs the app, ``is_native`` the way into it: see
    ``worker_driver.py``.
    """
    options = ["--runtime", runtime, *(["--native"] if is_native else [])]
    command = [python, "-P", "-B", "-W", "error", str(DRIVER), *options, str(app)]
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
