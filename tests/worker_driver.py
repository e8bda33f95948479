"""The Azure Functions worker with its host's messages as JSON lines: ``python worker_driver.py APP_DIR``.

Microsoft's worker is two parts: a process that speaks gRPC with the host, and the package
``azure-functions-runtime``, which does everything else. This script stands in for the first: each line of
stdin is one message of the host, each line of stdout its answer, both ``StreamingMessage`` in protobuf's JSON
form. It ends when stdin does. What the app prints goes to stderr.

It runs in Python 3.13, which the runtime needs, with the dependency group ``worker``.

Source: Functions in Python spec, section 1.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from types import ModuleType, SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime
from google.protobuf import json_format

# What the host may send, and the member of the message that the answer goes to.
ANSWERS = {
    "worker_init_request": "worker_init_response",
    "functions_metadata_request": "function_metadata_response",
    "function_load_request": "function_load_response",
    "invocation_request": "invocation_response",
}


@dataclass
class WorkerRequest:
    """What the runtime's handlers take."""

    name: str
    request: Any
    properties: dict[str, Any]


def rpc_messages() -> SimpleNamespace:
    """Return the message classes, which are published only with the tests of the v1 runtime.

    Their package as it stands would import gRPC too, so its modules are imported into one of another name.
    """
    package = ModuleType("rpc")
    package.__path__ = [str(distribution("azure-functions-runtime-v1").locate_file("tests/protos"))]
    sys.modules["rpc"] = package
    modules = (
        importlib.import_module(f"rpc.{name}") for name in ("shared.NullableTypes_pb2", "FunctionRpc_pb2")
    )
    return SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})


async def answer(rpc: SimpleNamespace, line: str) -> str:
    """Hand one message to the runtime; both directions pass through their bytes, as on the wire."""
    message = json_format.Parse(line, rpc.StreamingMessage()).SerializeToString()
    request = rpc.StreamingMessage.FromString(message)
    name = request.WhichOneof("content")
    properties = {"protos": rpc, "host": "127.0.0.1"}
    result = await getattr(runtime, name)(WorkerRequest(name, request, properties))
    response = rpc.StreamingMessage(request_id=request.request_id, **{ANSWERS[name]: result})
    response = rpc.StreamingMessage.FromString(response.SerializeToString())
    text: str = json_format.MessageToJson(response, indent=None, always_print_fields_with_no_presence=True)
    return text


def main(app_dir: str) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    sys.path.append(app_dir)
    rpc = rpc_messages()
    runtime.start_threadpool_executor()
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(runner.run(answer(rpc, line)), file=answers, flush=True)
    runtime.stop_threadpool_executor()


if __name__ == "__main__":
    main(*sys.argv[1:])
