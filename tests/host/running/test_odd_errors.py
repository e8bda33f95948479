"""What is no ordinary exception, raised by a function: told and answered like one that is."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from webpubsub.host.running.failure import as_failure
from webpubsub.model.trace import Name, Phase, TraceEvent

Run = Callable[..., Any]

ERRORS = [
    *["GeneratorExit", "GeneratorExit(1)", "StopIteration", "StopIteration(4)", "StopAsyncIteration(5)"],
    *[
        "KeyboardInterrupt",
        "SystemExit",
        "SystemExit(0)",
        "asyncio.CancelledError('no')",
        "BaseException('x')",
    ],
    *["Own('x')", "OwnStop()", "OwnExit()", "Silent()", "BaseExceptionGroup('g', [SystemExit(1)])"],
    "ExceptionGroup('g', [StopIteration()])",
]
APP = """
import asyncio
import azure.functions as func
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

class Own(BaseException): ...
class OwnStop(StopIteration): ...
class OwnExit(GeneratorExit): ...
class Silent(BaseException):
    def __str__(self): raise SystemExit("in __str__")
    __repr__ = __str__

def fail(): raise {error}

@app.route(route="http")
{how}def http(req: func.HttpRequest) -> str:
    fail()

def trigger(kind, name):
    return app.generic_trigger(
        arg_name="request", type="webPubSubTrigger", hub="chat", eventType=kind, eventName=name)

@trigger("user", "message")
{how}def event(request):
    fail()

@trigger("system", "connect")
{how}def connect(request):
    fail()

@app.route(route="fine")
{how}def fine(req: func.HttpRequest) -> str:
    return "fine"
"""
EVENT = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-type": "azure.webpubsub.user.message",
    "ce-connectionId": "c1",
    "ce-hub": "chat",
    "ce-eventName": "message",
}
CONNECT = EVENT | {"ce-type": "azure.webpubsub.sys.connect", "ce-eventName": "connect"}


@pytest.mark.parametrize("how", ["", "async "])
@pytest.mark.parametrize("error", ERRORS)
async def test_it_is_a_failure_like_any_other(
    run_app: Run, events: list[TraceEvent], error: str, how: str
) -> None:
    client = await run_app(APP.replace("{error}", error).replace("{how}", how))
    found = await client.request("GET", "/api/http")
    assert (found.status, found.text) == (500, "The function failed.")
    assert told(events) == 1
    found = await client.request("POST", "/runtime/webhooks/webpubsub", EVENT, b"hi")
    assert (found.status, found.text) == (500, "The function failed.")
    assert told(events) == 2
    found = await client.request("POST", "/runtime/webhooks/webpubsub", CONNECT, b"{}")
    assert (found.status, found.text) == (500, "The function failed.")
    assert told(events) == 3
    assert (await client.request("GET", "/api/fine")).text == "fine"


def told(events: list[TraceEvent]) -> int:
    """How many failures of functions were told, each with the place where it was raised."""
    failed = [event for event in events if (event.name, event.phase) == (Name.FUNCTION, Phase.FAILED)]
    for event in failed:
        assert isinstance(event.error, Exception)
        cause: BaseException = event.error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        places = []
        trace = cause.__traceback__
        while trace is not None:
            places.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert "fail" in places
    return len(failed)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StopIteration(4), "the function raised StopIteration(4)"),
        (GeneratorExit(), "the function raised GeneratorExit()"),
        (SystemExit("\n\x1b"), "the function raised SystemExit('\\n\\x1b')"),
        (SystemExit("x" * 5000), f"the function raised SystemExit('{'x' * 988}... (4014 characters more)"),
    ],
)
def test_its_text_is_short_and_one_line(error: BaseException, text: str) -> None:
    failure = as_failure(error)
    assert (type(failure), str(failure), failure.__cause__) == (RuntimeError, text, error)


def test_an_ordinary_exception_stays_what_it_is() -> None:
    error = LookupError("x")
    assert as_failure(error) is error


async def test_what_is_given_up_by_whoever_waits_stays_given_up(run_app: Run) -> None:
    client = await run_app(
        "import asyncio\nimport azure.functions as func\n"
        "app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route(route='x')\n"
        "async def x(req: func.HttpRequest) -> str:\n    await asyncio.sleep(60)\n"
    )
    task = asyncio.ensure_future(client.request("GET", "/api/x"))
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_call_that_is_closed_while_it_waits_is_closed(
    run_app: Run, recwarn: pytest.WarningsRecorder
) -> None:
    client = await run_app(
        "import asyncio\nimport azure.functions as func\n"
        "app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)\n"
        "@app.route(route='x')\n"
        "async def x(req: func.HttpRequest) -> str:\n    await asyncio.sleep(60)\n"
    )
    call = client.request("GET", "/api/x")
    call.send(None)
    call.close()
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
