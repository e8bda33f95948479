"""The Azure Functions worker with its host's messages as JSON lines.

``python worker_driver.py [--runtime azure_functions_runtime|azure_functions_runtime_v1] [--native] APP_DIR``

Microsoft's worker is two parts: a process that speaks gRPC with the host, and the package
``azure-functions-runtime`` (``-v1`` for apps of function.json folders), which does everything else. This
script stands in for the first: each line of stdin is one message of the host, each line of stdout its
answer, both ``StreamingMessage`` in protobuf's JSON form. It ends when stdin does. What the app prints goes
to stderr.

With ``--native`` calls of functions go the other way into the runtime, without protobuf: that of the worker
which is written in Rust. Its conversion of values is done by the runtime's own, here.

It runs in Python 3.13, which the runtime needs, with the dependency group ``worker``.

Source: Functions in Python spec, section 1.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import distribution
from types import ModuleType, SimpleNamespace
from typing import Any

from google.protobuf import json_format

RUNTIMES = ("azure_functions_runtime", "azure_functions_runtime_v1")

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


async def invoke_natively(runtime: ModuleType, rpc: SimpleNamespace, request: Any) -> Any:
    """Call a function by the runtime's native path: one that is not asynchronous by the short way."""
    native = importlib.import_module(f"{runtime.__name__}.native_invocation")
    datumdef = importlib.import_module(f"{runtime.__name__}.bindings.datumdef")
    datum_of, data_of = datumdef.Datum.from_typed_data, datumdef.datum_as_proto
    arguments = (
        request.invocation_id,
        request.function_id,
        [(each.name, datum_of(each.data)) for each in request.input_data],
        {name: datum_of(value) for name, value in request.trigger_metadata.items()},
    )
    is_done, *result = native.run_invocation_sync(*arguments)
    is_ok, returned, outputs, problem, _ = (
        result if is_done else await native.invocation_request_native(*arguments)
    )
    failure = None if is_ok else rpc.RpcException(message=problem)
    status = rpc.StatusResult.Success if is_ok else rpc.StatusResult.Failure
    return rpc.InvocationResponse(
        invocation_id=request.invocation_id,
        return_value=None if returned is None else data_of(returned, rpc),
        output_data=[rpc.ParameterBinding(name=name, data=data_of(datum, rpc)) for name, datum in outputs],
        result=rpc.StatusResult(status=status, exception=failure),
    )


async def answer(runtime: ModuleType, rpc: SimpleNamespace, line: str, is_native: bool) -> str:
    """Hand one message to the runtime; both directions pass through their bytes, as on the wire."""
    message = json_format.Parse(line, rpc.StreamingMessage()).SerializeToString()
    request = rpc.StreamingMessage.FromString(message)
    name = request.WhichOneof("content")
    if is_native and name == "invocation_request":
        result = await invoke_natively(runtime, rpc, request.invocation_request)
    else:
        properties = {"protos": rpc, "host": "127.0.0.1"}
        result = await getattr(runtime, name)(WorkerRequest(name, request, properties))
    response = rpc.StreamingMessage(request_id=request.request_id, **{ANSWERS[name]: result})
    response = rpc.StreamingMessage.FromString(response.SerializeToString())
    text: str = json_format.MessageToJson(response, indent=None, always_print_fields_with_no_presence=True)
    return text


def main(runtime: ModuleType, app_dir: str, is_native: bool) -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    sys.path.append(app_dir)
    rpc = rpc_messages()
    runtime.start_threadpool_executor()
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            print(runner.run(answer(runtime, rpc, line, is_native)), file=answers, flush=True)
    runtime.stop_threadpool_executor()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[0])
    parser.add_argument("--native", action="store_true")
    parser.add_argument("app_dir")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    main(importlib.import_module(given.runtime), given.app_dir, given.native)
