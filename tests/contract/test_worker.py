"""The same function_app.py in Azure's own worker and in this package's host: same answers, same actions.

The worker is Microsoft's runtime on Python 3.13. It is asked as the Functions host asks it, with the values
that the Web PubSub extension writes. The host of this package gets the requests those were made of.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kit.asgi_client import AsgiClient, RecordingSink
from kit.functions_worker import TypedData, Worker
from kit.worker_apps import SETTINGS, CopyOf, HostOf, WorkerOf, forget_modules, load_into_host
from kit.worker_cases import CASES, CHAT, Case
from kit.worker_events import Event, request_of, trigger_metadata, trigger_value, user_event
from kit.worker_mqtt import MQTT_CASES
from webpubsub.functions.host_json import decode_actions
from webpubsub.host import FunctionHost
from webpubsub.host.storage.memory import MemoryStorage
from webpubsub.model.actions import SendToAllAction

pytestmark = pytest.mark.contract

EVERY_CASE = CASES | MQTT_CASES

WEBHOOK = "/runtime/webhooks/webpubsub"


@pytest.fixture
def sink() -> RecordingSink:
    """What this package's host told the service."""
    return RecordingSink()


@pytest.fixture
async def host_of(
    copy_of: CopyOf, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[HostOf]:
    """Start this package's host with an app."""
    known = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    hosts: list[FunctionHost] = []
    sinks = {"WebPubSubConnectionString": sink, "OtherConnection": sink}

    async def start(name: str, **given: Any) -> AsgiClient:
        hosts.append(load_into_host(copy_of(name), sinks=sinks, **given))
        await hosts[-1].start()
        return AsgiClient(hosts[-1])

    yield start
    for host in hosts:
        await host.stop(5)
    forget_modules(known)


def invoke(worker: Worker, function: str, event: Event, **inputs: TypedData) -> Any:
    """Run a function for an event, whatever its trigger is called."""
    trigger = next(each for each in worker.bindings[function] if each["type"] == "webPubSubTrigger")
    value = trigger_value(event, trigger["name"], trigger.get("dataType"))
    return worker.invoke(function, {trigger["name"]: value, **inputs}, trigger_metadata(event, value))


# --- events ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", EVERY_CASE.values(), ids=EVERY_CASE)
async def test_an_event_has_the_same_effect(
    case: Case, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    worker = worker_of(case.app)
    invoked = invoke(worker, case.function, case.event)
    assert invoked["result"]["status"] == "Success"
    expected = {"json": case.returned} if isinstance(case.returned, str) else case.returned
    assert invoked.get("returnValue") == expected
    outputs = {output["name"]: output["data"] for output in invoked["outputData"]}
    assert outputs == {name: {"string": text} for name, text in case.outputs.items()}

    client = await host_of(case.app)
    answer = await client.request("POST", WEBHOOK, *request_of(case.event))
    assert (answer.status, answer.header("content-type"), answer.body) == case.answer
    assert answer.header("ce-connectionState") == case.state
    hubs = {binding["name"]: binding.get("hub") for binding in worker.bindings[case.function]}
    assert sink.performed == [
        (SETTINGS.get(hubs[name].strip("%"), hubs[name]), action)
        for name, text in (case.outputs | case.copied).items()
        for action in decode_actions(text)
    ]


@pytest.mark.parametrize("case", EVERY_CASE.values(), ids=EVERY_CASE)
def test_the_way_without_protobuf_is_the_same(case: Case, worker_of: WorkerOf) -> None:
    """The worker written in Rust calls the runtime with values of its own."""
    worker = worker_of(case.app, is_native=True)
    assert invoke(worker, case.function, case.event) == invoke(worker_of(case.app), case.function, case.event)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=name) for name, case in CASES.items() if case.app == "untyped"]
)
@pytest.mark.parametrize("is_native", [False, True])
def test_untyped_functions_do_not_notice_typed_ones(case: Case, is_native: bool, worker_of: WorkerOf) -> None:
    """Those of the app "odd" have a converter beside them, which the app "untyped" does without."""
    alone, beside = (
        invoke(worker_of(app, is_native=is_native), case.function, case.event) for app in ("untyped", "odd")
    )
    assert beside == alone


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("raise", r"LookupError: no such answer"),
        ("impossible", r"UsageError: .*/odd/function_app.py:\d+: function 'answer': the answer has an "
         r"'errorMessage' but no 'code': .*"),
    ],
)  # fmt: skip
async def test_a_function_that_fails_does_nothing_else(
    data: str, problem: str, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    event = user_event("odd", "answer", data)
    invoked = invoke(worker_of("odd"), "answer", event)
    assert invoked["result"]["status"] == "Failure"
    assert re.fullmatch(problem, invoked["result"]["exception"]["message"])
    assert invoked["outputData"] == []
    client = await host_of("odd")
    answer = await client.request("POST", WEBHOOK, *request_of(event))
    assert (answer.status, answer.body) == (500, b"The function failed.")
    assert sink.performed == []


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"string": "hello"}, "the host's value of 'data' is str: expected the bytes of a message"),
        ({}, "the host's value of 'data' is NoneType: expected the bytes of a message"),
        ({"bytes": "aGk="}, "the host's trigger metadata has no 'ConnectionContext': found nothing"),
    ],
)
def test_a_message_that_could_be_forged_is_refused(
    value: TypedData, problem: str, is_native: bool, worker_of: WorkerOf
) -> None:
    """Beside a text the metadata may be the client's own."""
    invoked = worker_of("odd", is_native=is_native).invoke("exact", {"data": value})
    assert invoked["result"]["status"] == "Failure"
    assert problem in invoked["result"]["exception"]["message"]


# --- other triggers -------------------------------------------------------------------------------------


def http_answer(returned: TypedData) -> tuple[int, str, bytes]:
    """Return status, content type and body of what the Functions host makes of the value."""
    if "string" in returned:
        return 200, "text/plain; charset=utf-8", returned["string"].encode()
    answer = returned["http"]
    body = base64.b64decode(answer["body"]["bytes"])
    return int(answer["statusCode"] or 200), answer["headers"]["content-type"], body


def http_input(method: str, path: str) -> TypedData:
    return {"http": {"method": method, "url": f"http://127.0.0.1:7071{path}"}}


@pytest.mark.parametrize("app", ["simplechat", "notifications"])
async def test_a_page_is_the_same(app: str, worker_of: WorkerOf, host_of: HostOf, copy_of: CopyOf) -> None:
    invoked = worker_of(app).invoke("index", {"req": http_input("GET", "/api/index")})
    page = (copy_of(app) / "index.html").read_bytes()
    assert http_answer(invoked["returnValue"]) == (200, "text/html; charset=utf-8", page)
    answer = await (await host_of(app)).request("GET", "/api/index")
    assert http_answer(invoked["returnValue"]) == (answer.status, answer.header("content-type"), answer.body)


async def test_a_page_that_fails(worker_of: WorkerOf, host_of: HostOf) -> None:
    invoked = worker_of("odd").invoke("failing_page", {"req": http_input("GET", "/api/failing_page")})
    assert invoked["result"]["exception"]["message"] == "LookupError: no such page"
    answer = await (await host_of("odd")).request("GET", "/api/failing_page")
    assert (answer.status, answer.body) == (500, b"The function failed.")


@pytest.mark.parametrize(
    ("app", "function", "binding", "path"),
    [
        ("simplechat", "negotiate", "connection", "/api/negotiate?userId=alice"),
        ("notifications", "negotiate", "connection", "/api/negotiate"),
        ("odd", "negotiate", "clientAccess", "/api/negotiate/alice"),
        ("untyped", "text_negotiate", "connection", "/api/text_negotiate?user=alice"),
    ],
)
async def test_a_client_is_told_where_to_connect(
    app: str, function: str, binding: str, path: str, worker_of: WorkerOf, host_of: HostOf
) -> None:
    answer = await (await host_of(app)).request("GET", path)
    (url,) = re.findall(r'wss://[^"]+[?]access_token=[^"]+', answer.text)
    # What the extension hands over, for the very same client.
    base_url, token = url.split("?access_token=")
    connection = {"baseUrl": base_url, "url": url, "accessToken": token}
    inputs = {"req": http_input("GET", path), binding: {"json": json.dumps(connection)}}
    returned = worker_of(app).invoke(function, inputs)["returnValue"]
    assert http_answer(returned) == (answer.status, answer.header("content-type"), answer.body)
    hub = {"simplechat": CHAT, "notifications": "sample_notification"}.get(app, "odd")
    assert base_url == f"wss://wps.example/client/hubs/{hub}"


async def test_an_upstream_request_arrives_as_its_context(worker_of: WorkerOf, host_of: HostOf) -> None:
    event = user_event("odd", "message", "hello")
    context = {
        "request": event,
        "response": {"body": None, "status": 200, "headers": None},
        "errorMessage": None,
        "hasError": False,
        "isPreflight": False,
    }
    inputs = {"req": http_input("POST", "/api/upstream"), "wpsContext": {"string": json.dumps(context)}}
    returned = worker_of("odd").invoke("upstream", inputs)["returnValue"]
    assert http_answer(returned) == (200, "text/plain; charset=utf-8", b"hello from alice")
    answer = await (await host_of("odd")).request("POST", "/api/upstream", *request_of(event))
    assert http_answer(returned) == (answer.status, answer.header("content-type"), answer.body)


@pytest.mark.parametrize(
    ("app", "function", "text"),
    [
        (
            "notifications",
            "notification",
            r"\[DateTime: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\] "
            r"Temperature: 2[2-4]\.\d\N{DEGREE SIGN}C, Humidity: [45]\d\.\d%",
        ),
        ("odd", "tick", "past due: False"),
        ("untyped", "timer_text", "str False"),
    ],
)
async def test_a_timer_tells_everybody(
    app: str, function: str, text: str, worker_of: WorkerOf, host_of: HostOf, sink: RecordingSink
) -> None:
    invoked = worker_of(app).invoke(function, {"timer": {"json": '{"IsPastDue": false}'}})
    assert {output["name"] for output in invoked["outputData"]} == {"actions"}
    (action,) = decode_actions(invoked["outputData"][0]["data"]["string"])
    assert isinstance(action, SendToAllAction)
    assert re.fullmatch(text, str(action.data))

    def is_told() -> bool:
        sent = (action for _, action in sink.performed if isinstance(action, SendToAllAction))
        return any(re.fullmatch(text, str(action.data)) for action in sent)

    now, has_run = 0.0, asyncio.Event()

    async def sleep(seconds: float) -> None:
        nonlocal now
        if is_told():
            has_run.set()
            await asyncio.Event().wait()
        now += seconds
        await asyncio.sleep(0)

    await host_of(app, clock=lambda: now, sleep=sleep, storage=MemoryStorage())
    async with asyncio.timeout(10):
        await has_run.wait()


def test_a_timer_that_fails_tells_nobody(worker_of: WorkerOf) -> None:
    invoked = worker_of("odd").invoke("failing_tick", {"timer": {"json": '{"IsPastDue": true}'}})
    assert invoked["result"]["exception"]["message"] == "LookupError: no such tick"
    assert invoked["outputData"] == []


@pytest.mark.parametrize("is_native", [False, True])
def test_a_result_that_nothing_takes_fails_the_call(is_native: bool, worker_of: WorkerOf) -> None:
    """As it does in the host: see tests/host/running/test_results.py."""
    worker = worker_of("untyped", is_native=is_native)
    invoked = worker.invoke("timer_with_result", {"timer": {"json": "{}"}})
    assert invoked["result"]["status"] == "Failure"
    assert "without a $return binding" in invoked["result"]["exception"]["message"]


# --- what only the worker runs --------------------------------------------------------------------------


def test_bindings_of_others_work_beside_ours(worker_of: WorkerOf) -> None:
    event = user_event("odd", "foreign", "hello")
    invoked = invoke(worker_of("odd"), "foreign", event, info={"json": '{"url": "https://signalr"}'})
    assert invoked["returnValue"] == {
        "json": '{"data": "{\\"info\\":{\\"url\\":\\"https://signalr\\"}}", "dataType": "json"}'
    }
    assert invoked["outputData"] == [{"name": "audit", "data": {"string": "alice asked"}}]
