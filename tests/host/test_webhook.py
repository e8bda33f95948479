"""The webhook: literal requests of the service, and what it is answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from webpubsub.host import FunctionHost, bodies
from webpubsub.model.access.signature import RequestValidator
from webpubsub.model.http import HttpAnswer
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]

WEBHOOK = "/runtime/webhooks/webpubsub"
CONNECTION_ID = "0f9c97a2f0bf4706afe87a14e0797b11"
SIGNATURE = "sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561"
OTHER_SIGNATURE = "sha256=5af79c68ab9d1ca0ba30fb07b49043297197c057eac2ceeae544b51fcea112e4"

MESSAGE = {
    "Content-Type": "text/plain",
    "WebHook-Request-Origin": "wps.example",
    "ce-specversion": "1.0",
    "ce-awpsversion": "1.0",
    "ce-type": "azure.webpubsub.user.message",
    "ce-source": f"/hubs/chat/client/{CONNECTION_ID}",
    "ce-id": "7",
    "ce-time": "2026-01-01T00:00:00Z",
    "ce-signature": SIGNATURE,
    "ce-userId": "alice",
    "ce-connectionId": CONNECTION_ID,
    "ce-hub": "chat",
    "ce-eventName": "message",
    "ce-connectionState": "eyJjb3VudGVyIjoiTWc9PSJ9",
}
CONNECT = MESSAGE | {
    "Content-Type": "application/json; charset=utf-8",
    "ce-type": "azure.webpubsub.sys.connect",
    "ce-eventName": "connect",
}
CONNECTED = CONNECT | {"ce-type": "azure.webpubsub.sys.connected", "ce-eventName": "connected"}
DISCONNECTED = CONNECT | {"ce-type": "azure.webpubsub.sys.disconnected", "ce-eventName": "disconnected"}

# Untyped: what a function gets without any library, and may return.
UNTYPED = """
import json
import azure.functions as func

app = func.FunctionApp()
seen = []

def trigger(type, name, **more):
    return app.generic_trigger(
        arg_name="request", type="webPubSubTrigger", hub="Chat", eventType=type, eventName=name, **more)

@trigger("user", "message")
def message(request: str):
    event = json.loads(request)
    seen.append(event)
    command, _, rest = event["data"].partition(":")
    if command == "return":
        return json.loads(rest)
    if command == "text":
        return rest
    if command == "bytes":
        return bytes.fromhex(rest)
    if command == "raise":
        raise LookupError("secret")

@trigger("system", "connect")
async def connect(request: str):
    event = json.loads(request)
    seen.append(event)
    if event["query"].get("deny"):
        return {"code": "unauthorized", "errorMessage": "no attackers here"}
    if event["query"].get("fail"):
        raise LookupError("secret")
    if event["query"].get("none"):
        return None
    return {"userId": "aaa", "unknown": 5}

@trigger("system", "connected")
def connected(request: str):
    seen.append(json.loads(request))
    return {"ignored": True}

@trigger("system", "disconnected")
def disconnected(request: str):
    seen.append(json.loads(request))
    raise LookupError("secret")

@trigger("system", "strange")
def strange(request):
    seen.append(request)
    return {"ignored": True}
"""


@pytest.fixture
def seen() -> Callable[[Any], list[Any]]:
    """What the functions of the app that runs were given."""

    def of(client: Any) -> list[Any]:
        import sys

        found: list[Any] = sys.modules["function_app"].seen
        return found

    return of


@pytest.fixture
async def client(run_app: Run, connection_string: str) -> Any:
    return await run_app(UNTYPED, {"WebPubSubConnectionString": connection_string})


def refusal(events: list[TraceEvent]) -> tuple[str, Phase, str, Any]:
    event = events[-1]
    return event.name, event.phase, str(event.error), event.detail.get("status")


# --- 3.1 route ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [WEBHOOK, f"{WEBHOOK}/", f"{WEBHOOK}/chat/message", "/Runtime/WebHooks/WebPubSub"]
)
async def test_the_webhook_is_found(client: Any, path: str) -> None:
    assert (await client.request("POST", path, MESSAGE, b"hello")).status == 200


@pytest.mark.parametrize("path", [f"{WEBHOOK}s", "/runtime/webhooks", "/webpubsub"])
async def test_other_paths_are_not_the_webhook(client: Any, path: str) -> None:
    assert (await client.request("POST", path, MESSAGE, b"hello")).status == 404


@pytest.mark.parametrize("target", [WEBHOOK, f"{WEBHOOK}?code=1", f"{WEBHOOK}?"])
async def test_events_take_the_fast_lane(client: Any, target: str) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in MESSAGE.items()]
    handler = client.app.webhook.open("POST", target.encode(), headers)
    by_asgi = await client.request("POST", target, MESSAGE, b"hello")
    answer = await handler(b"hello")
    assert (answer.status, [*answer.headers], answer.body) == (200, by_asgi.headers[:-1], by_asgi.body)


REFUSED_BY_HEAD: list[tuple[dict[str, str], int, str]] = [
    ({"ce-signature": OTHER_SIGNATURE}, 401, "origin 'wps.example' or signature is not that of a configured"),
    ({"WebHook-Request-Origin": "other.example"}, 401, "origin 'other.example' or signature is not that of"),
    ({"ce-hub": "other"}, 404, "no function takes the user event 'message' of hub 'other'"),
    ({"ce-eventName": "other"}, 404, "no function takes the user event 'other' of hub 'chat'"),
    ({"ce-connectionState": "!"}, 400, "ce-connectionState is not base64"),
    ({"Content-Length": "104857601"}, 413, "The request body is larger than 100 MiB."),
    ({"Content-Length": "9" * 5000}, 413, "The request body is larger than 100 MiB."),
]


@pytest.mark.parametrize(("changed", "status", "problem"), REFUSED_BY_HEAD)
async def test_events_are_refused_by_their_head_in_the_fast_lane_and_over_asgi(
    client: Any, events: list[TraceEvent], changed: dict[str, str], status: int, problem: str
) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in (MESSAGE | changed).items()]
    events.clear()
    answer = client.app.webhook.open("POST", WEBHOOK.encode(), headers)
    by_asgi = await client.request("POST", WEBHOOK, MESSAGE | changed, b"hello")
    assert client.received == 0
    assert (answer.status, [*answer.headers], answer.body) == (status, by_asgi.headers[:-1], by_asgi.body)
    assert [(told.name, told.phase, told.detail) for told in events] == 2 * [
        ("event", Phase.FAILED, {"status": status})
    ]
    assert str(events[0].error) == str(events[1].error)
    assert problem in str(events[0].error)


async def test_an_event_without_what_its_context_needs_is_refused_by_its_head(client: Any) -> None:
    answer = client.app.webhook.open("POST", WEBHOOK.encode(), [(b"content-length", b"5")])
    assert (answer.status, answer.body) == (400, b"")
    assert (await client.request("POST", WEBHOOK, {"Content-Length": "5"}, b"hello")).status == 400
    assert client.received == 0


@pytest.mark.parametrize("length", ["104857600", "0000000000000000000000005", "many", ""])
async def test_a_length_within_the_limit_or_beyond_understanding_lets_the_body_come(
    client: Any, length: str
) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE | {"Content-Length": length}, b"hello")
    assert (answer.status, client.received) == (200, 1)


async def test_a_content_type_counts_once_the_body_is_there(client: Any) -> None:
    headers = [(n.lower().encode(), v.encode()) for n, v in (MESSAGE | {"Content-Type": "x/y"}).items()]
    answer = client.app.webhook.open("POST", WEBHOOK.encode(), headers)(b"hello")
    by_asgi = await client.request("POST", WEBHOOK, MESSAGE | {"Content-Type": "x/y"}, b"hello")
    assert (answer.status, [*answer.headers], answer.body) == (400, by_asgi.headers[:-1], by_asgi.body)


async def test_the_first_of_two_content_types_counts(client: Any) -> None:
    headers = [*MESSAGE.items(), ("Content-Type", "x/y")]
    assert (await client.request("POST", WEBHOOK, headers, b"hello")).status == 200
    assert (await client.request("POST", WEBHOOK, headers[::-1], b"hello")).status == 400


async def test_an_event_that_turns_out_too_large_is_413(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 4)
    chunks = [
        {"type": "http.request", "body": b"abc", "more_body": True},
        {"type": "http.request", "body": b"de"},
    ]
    assert (await client.request("POST", WEBHOOK, MESSAGE, chunks=chunks)).status == 413
    assert (await client.request("POST", WEBHOOK, MESSAGE, b"abcd")).status == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("OPTIONS", WEBHOOK),
        ("POST", f"{WEBHOOK}/"),
        ("POST", "/Runtime/WebHooks/WebPubSub"),
        ("POST", f"{WEBHOOK}s"),
        ("POST", f"{WEBHOOK}?a#b"),
        ("POST", f"http://localhost{WEBHOOK}"),
        ("POST", "/api/index"),
        ("GET", "/"),
    ],
)
async def test_all_else_goes_by_asgi(client: Any, method: str, target: str) -> None:
    assert client.app.webhook.open(method, target.encode(), []) is None


@pytest.mark.parametrize("method", ["PATCH", "HEAD"])
async def test_the_host_knows_no_other_methods_there(client: Any, method: str) -> None:
    assert (await client.request(method, WEBHOOK, MESSAGE)).status == 404


# --- 3.3 abuse protection -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["OPTIONS", "GET"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("WebHook-Request-Origin", "wps.example")], 200),
        ([("WebHook-Request-Origin", "WPS.example")], 200),
        ([("WebHook-Request-Origin", "other.example, wps.example")], 200),
        ([("WebHook-Request-Origin", "other.example wps.example")], 200),
        ([("WebHook-Request-Origin", "other.example"), ("WebHook-Request-Origin", "wps.example")], 200),
        ([("WebHook-Request-Origin", "other.example")], 400),
        ([("WebHook-Request-Origin", "https://wps.example")], 400),
        ([("WebHook-Request-Origin", " , ")], 400),
        ([], 400),
    ],
)
async def test_only_origins_of_configured_services_are_allowed(
    client: Any, method: str, headers: list[tuple[str, str]], status: int
) -> None:
    answer = await client.request(method, WEBHOOK, headers)
    assert (answer.status, answer.header("WebHook-Allowed-Origin")) == (
        status,
        "*" if status == 200 else None,
    )
    assert answer.body == b""


async def test_a_refused_probe_is_told(client: Any, events: list[TraceEvent]) -> None:
    await client.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": "other.example"})
    assert refusal(events) == (
        "event",
        Phase.FAILED,
        "origin other.example is not that of a configured connection",
        400,
    )


async def test_without_any_trigger_no_origin_is_allowed(run_app: Run) -> None:
    client = await run_app(
        "import azure.functions as func\napp = func.FunctionApp()\n@app.route()\ndef index(req): ...\n"
    )
    answer = await client.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": "wps.example"})
    assert answer.status == 400


async def test_without_any_connection_every_origin_and_signature_is_accepted(
    run_app: Run, events: list[TraceEvent]
) -> None:
    client = await run_app(UNTYPED)
    assert [(event.name, event.phase, event.detail) for event in events if event.name == "setting"] == [
        (
            "setting",
            Phase.FAILED,
            {
                "message": "no Web PubSub connection is configured, so message, connect, connected, "
                "disconnected, strange take events from anybody: set 'WebPubSubConnectionString' to have "
                "origin and signature checked"
            },
        )
    ]
    answer = await client.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": "anybody.example"})
    assert answer.status == 200
    forged = MESSAGE | {"ce-signature": "sha256=00", "WebHook-Request-Origin": "anybody.example"}
    assert (await client.request("POST", WEBHOOK, forged, b"hello")).status == 200


async def test_a_probe_is_accepted_when_any_trigger_accepts_it(run_app: Run, connection_string: str) -> None:
    client = await run_app(
        """
import azure.functions as func
app = func.FunctionApp()

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="a", eventType="user", eventName="x",
                     connections=["One", "Two"])
def first(request): ...

@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="b", eventType="user", eventName="x",
                     connection="Three")
def second(request): ...
""",
        {
            "WebPubSubConnectionString": connection_string,
            "One": "Endpoint=https://one.example;AccessKey=k1;",
            "Two": "Endpoint=https://two.example:8443;AccessKey=k2;",
            "Three__serviceUri": "https://three.example",
        },
    )
    statuses = {
        host: (await client.request("OPTIONS", WEBHOOK, {"WebHook-Request-Origin": host})).status
        for host in ["one.example", "two.example", "three.example", "wps.example"]
    }
    # The default connection is not asked for triggers that name their own.
    assert statuses == {"one.example": 200, "two.example": 200, "three.example": 200, "wps.example": 400}
    # With an identity connection the origin is checked and the signature is not.
    unsigned = MESSAGE | {"ce-hub": "b", "ce-eventName": "x", "WebHook-Request-Origin": "three.example"}
    del unsigned["ce-signature"]
    assert (await client.request("POST", WEBHOOK, unsigned, b"")).status == 200
    assert (await client.request("POST", WEBHOOK, unsigned | {"ce-hub": "a"}, b"")).status == 401


# --- 3.2 order of checks ------------------------------------------------------------------------------


REQUIRED = ["ce-connectionId", "ce-hub", "ce-type", "ce-eventName", "WebHook-Request-Origin"]


@pytest.mark.parametrize("missing", REQUIRED)
async def test_a_missing_header_is_400_without_a_body(
    client: Any, events: list[TraceEvent], missing: str
) -> None:
    headers = {name: value for name, value in MESSAGE.items() if name != missing}
    answer = await client.request("POST", WEBHOOK, headers, b"hello")
    assert (answer.status, answer.body) == (400, b"")
    assert refusal(events) == ("event", Phase.FAILED, f"header {missing.lower()} is missing", 400)


@pytest.mark.parametrize("repeated", REQUIRED[:-1])
async def test_a_repeated_header_is_400(client: Any, repeated: str) -> None:
    headers = [*MESSAGE.items(), (repeated, "again")]
    assert (await client.request("POST", WEBHOOK, headers, b"hello")).status == 400


async def test_states_that_are_not_base64_are_400(client: Any) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE | {"ce-connectionState": "?"}, b"hello")
    assert answer.status == 400


ORDER: list[tuple[str, dict[str, str], bytes, int]] = [
    # an unknown function, even with a bad signature
    ("POST", {"ce-hub": "other", "ce-signature": "sha256=00"}, b"", 404),
    ("POST", {"ce-eventName": "other"}, b"", 404),
    ("POST", {"ce-type": "azure.webpubsub.sys.message"}, b"", 404),
    # names are compared in any case, and the prefix of user events is not looked at
    ("POST", {"ce-hub": "CHAT", "ce-eventName": "MESSAGE", "ce-type": "whatever"}, b"", 200),
    # a bad signature, whatever the method
    ("POST", {"ce-signature": OTHER_SIGNATURE}, b"", 401),
    ("DELETE", {"ce-signature": OTHER_SIGNATURE}, b"", 401),
    ("POST", {"ce-signature": ""}, b"", 401),
    ("POST", {"WebHook-Request-Origin": "other.example"}, b"", 401),
    ("POST", {"WebHook-Request-Origin": ""}, b"", 401),
    ("POST", {"ce-connectionId": "another"}, b"", 401),
    # one of several signatures, in any case
    ("POST", {"ce-signature": f"{OTHER_SIGNATURE},{SIGNATURE.upper()}"}, b"", 200),
    ("POST", {"ce-signature": f"{OTHER_SIGNATURE} {SIGNATURE}"}, b"", 200),
    ("POST", {"WebHook-Request-Origin": "other.example,WPS.example"}, b"", 200),
    # the method
    ("DELETE", {}, b"", 400),
    ("PUT", {}, b"", 400),
    # the body
    ("POST", {"Content-Type": "application/xml"}, b"", 400),
    ("POST", {"Content-Type": "TEXT/PLAIN; charset=utf-16"}, b"", 200),
    ("POST", {"Content-Type": "application/json"}, b"{}", 200),
    ("POST", {"Content-Type": "application/octet-stream"}, b"\xff", 200),
]


@pytest.mark.parametrize(("method", "changed", "body", "status"), ORDER)
async def test_checks_come_in_their_order(
    client: Any, method: str, changed: dict[str, str], body: bytes, status: int
) -> None:
    assert (await client.request(method, WEBHOOK, MESSAGE | changed, body)).status == status


async def test_a_missing_signature_is_401(client: Any, events: list[TraceEvent]) -> None:
    headers = {name: value for name, value in MESSAGE.items() if name != "ce-signature"}
    assert (await client.request("POST", WEBHOOK, headers, b"")).status == 401
    assert refusal(events) == (
        "event",
        Phase.FAILED,
        "origin 'wps.example' or signature is not that of a configured connection",
        401,
    )
    assert events[-1].ids == {
        "hub": "chat",
        "connection": CONNECTION_ID,
        "event": f"{CONNECTION_ID}/7",
        "user": "alice",
    }


async def test_an_unsupported_content_type_is_named(client: Any) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE | {"Content-Type": "application/xml"}, b"")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.text == (
        "content type 'application/xml' is not supported: expected text/plain, application/json or "
        "application/octet-stream"
    )


async def test_a_user_event_without_content_type_is_400(client: Any) -> None:
    headers = {name: value for name, value in MESSAGE.items() if name != "Content-Type"}
    assert (await client.request("POST", WEBHOOK, headers, b"x")).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"claims": 5}', b"\xff"])
async def test_a_connect_body_that_cannot_be_read_is_400(client: Any, body: bytes) -> None:
    answer = await client.request("POST", WEBHOOK, CONNECT, body)
    assert answer.status == 400
    assert answer.text.startswith("the body of the connect event cannot be read: ")


# --- 4 what a function gets ---------------------------------------------------------------------------


async def test_an_untyped_function_gets_the_extensions_json(client: Any, seen: Any) -> None:
    await client.request("POST", WEBHOOK, MESSAGE, b"hello")
    (event,) = seen(client)
    assert event["data"] == "hello"
    assert event["dataType"].lower() == "text"
    context = event["connectionContext"]
    assert {
        name: context[name] for name in ("hub", "eventName", "connectionId", "userId", "signature", "origin")
    } == {
        "hub": "chat",
        "eventName": "message",
        "connectionId": CONNECTION_ID,
        "userId": "alice",
        "signature": SIGNATURE,
        "origin": "wps.example",
    }
    assert context["states"] == {"counter": 2}
    assert context["headers"]["ce-id"] == ["7"]


async def test_a_connect_event_brings_claims_query_and_subprotocols(client: Any, seen: Any) -> None:
    body = {
        "claims": {"sub": ["alice"]},
        "query": {"none": ["1"]},
        "subprotocols": ["p"],
        "clientCertificates": None,
    }
    answer = await client.request("POST", WEBHOOK, CONNECT, json.dumps(body).encode())
    assert (answer.status, answer.body) == (200, b"")
    (event,) = seen(client)
    assert (event["claims"], event["subprotocols"]) == ({"sub": ["alice"]}, ["p"])


# --- 3.8 and 5 answers --------------------------------------------------------------------------------


async def test_connect_is_answered_with_nulls_for_what_is_kept(client: Any) -> None:
    answer = await client.request("POST", WEBHOOK, CONNECT, b"{}")
    assert answer.status == 200
    assert answer.header("content-type") == "application/json"
    assert answer.text == '{"userId":"aaa","groups":null,"subprotocol":null,"roles":null}'


async def test_connect_may_be_refused(client: Any) -> None:
    answer = await client.request("POST", WEBHOOK, CONNECT, b'{"query": {"deny": ["1"]}}')
    assert (answer.status, answer.text) == (401, "no attackers here")
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("ce-connectionState") is None


@pytest.mark.parametrize(
    ("message", "status", "content_type", "body"),
    [
        ("nothing", 200, None, b""),
        ("text:hi", 200, "text/plain", b"hi"),
        ("bytes:00ff", 200, "application/octet-stream", b"\x00\xff"),
        ('return:{"data": "hi", "dataType": "Text"}', 200, "text/plain", b"hi"),
        ('return:{"data": "[1]", "dataType": "json"}', 200, "application/json", b"[1]"),
        (
            'return:{"data": {"type": "Buffer", "data": [0, 255]}, "dataType": "binary"}',
            200,
            "application/octet-stream",
            b"\x00\xff",
        ),
        ('return:{"data": "hi"}', 200, "text/plain", b"hi"),
        ('return:{"code": "userError", "errorMessage": "why"}', 400, "text/plain; charset=utf-8", b"why"),
        ('return:{"code": "serverError", "errorMessage": ""}', 500, None, b""),
        ('return:{"code": "success", "data": "ok", "dataType": "text"}', 200, "text/plain", b"ok"),
    ],
)
async def test_user_events_are_answered(
    client: Any, message: str, status: int, content_type: str | None, body: bytes
) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE, message.encode())
    assert (answer.status, answer.header("content-type"), answer.body) == (status, content_type, body)


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("nothing", "eyJjb3VudGVyIjoiTWc9PSJ9"),
        ('return:{"states": {"counter": 10}}', "eyJjb3VudGVyIjoiTVRBPSJ9"),
        ('return:{"code": "userError", "states": {"counter": 10}}', None),
    ],
)
async def test_states_are_merged_and_sent_back(client: Any, message: str, state: str | None) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE, message.encode())
    assert answer.header("ce-connectionState") == state


@pytest.mark.parametrize(
    "message", ["raise:", 'return:{"data": 5, "dataType": "text"}', 'return:{"data": "x", "dataType": "xml"}']
)
async def test_a_failure_is_500_with_an_opaque_text(
    client: Any, events: list[TraceEvent], message: str
) -> None:
    answer = await client.request("POST", WEBHOOK, MESSAGE, message.encode())
    assert (answer.status, answer.text) == (500, "The function failed.")
    failed = events[-1]
    assert (failed.name, failed.phase) == ("function", Phase.FAILED)
    assert failed.ids["event"] == f"{CONNECTION_ID}/7"
    assert failed.error is not None
    assert failed.error.__traceback__ is not None


async def test_a_connect_function_that_raises_is_500(client: Any) -> None:
    assert (await client.request("POST", WEBHOOK, CONNECT, b'{"query": {"fail": ["1"]}}')).status == 500


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (CONNECTED, b"{}"),
        (DISCONNECTED, b'{"reason": "bye"}'),
        (CONNECT | {"ce-eventName": "strange"}, b"whatever"),
    ],
)
async def test_nobody_waits_for_other_system_events(
    client: Any, seen: Any, headers: dict[str, str], body: bytes
) -> None:
    answer = await client.request("POST", WEBHOOK, headers, body)
    assert (answer.status, answer.headers, answer.body) == (200, [(b"content-length", b"0")], b"")
    assert len(seen(client)) == 1


async def test_the_signature_of_a_connection_that_is_gone_is_forgotten(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten: list[str] = []
    monkeypatch.setattr(
        RequestValidator, "forget", lambda self, connection_id: forgotten.append(connection_id)
    )
    await client.request("POST", WEBHOOK, MESSAGE, b"")
    await client.request("POST", WEBHOOK, DISCONNECTED | {"ce-signature": "sha256=00"}, b"{}")
    assert forgotten == []
    await client.request("POST", WEBHOOK, DISCONNECTED, b"{}")
    assert forgotten == [CONNECTION_ID]


# --- 3.6 lookup ---------------------------------------------------------------------------------------

PROTOCOLS = """
import azure.functions as func
app = func.FunctionApp()

def trigger(protocol):
    return app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user",
                               eventName="message", clientProtocols=protocol)

@trigger("mqtt")
def mqtt(request): return "mqtt"

@trigger("all")
def everything(request): return "all"
"""


async def test_a_protocols_own_function_comes_before_that_of_all(run_app: Run) -> None:
    client = await run_app(PROTOCOLS)
    mqtt = MESSAGE | {"ce-subprotocol": "mqtt", "ce-physicalConnectionId": "p"}
    assert (await client.request("POST", WEBHOOK, mqtt, b"")).text == "mqtt"
    assert (await client.request("POST", WEBHOOK, MESSAGE, b"")).text == "all"
    # Without the physical id it is no MQTT request.
    assert (await client.request("POST", WEBHOOK, MESSAGE | {"ce-subprotocol": "mqtt"}, b"")).text == "all"


def test_two_functions_for_one_event_are_told(load_app: Callable[..., FunctionHost]) -> None:
    host = load_app(PROTOCOLS.replace('"mqtt"', '"ALL"').replace("everything", "again"))
    assert [str(problem) for problem in host.problems] == [
        "function_app.py:12: function 'again': it has the same trigger as function 'mqtt' "
        "(function_app.py:9): hub 'chat', user event 'message', client protocol 'all'; change one of them"
    ]
    assert [(f.name, f.kind, f.hub, f.event_type, f.event_name) for f in host.functions] == [
        ("mqtt", "webPubSub", "chat", "user", "message")
    ]


# --- any request --------------------------------------------------------------------------------------

names = st.sampled_from(
    [*(name.lower() for name in MESSAGE), "ce-subprotocol", "ce-physicalconnectionid", "x"]
)
values = st.one_of(st.binary(max_size=20), st.sampled_from([value.encode() for value in MESSAGE.values()]))


@given(
    method=st.sampled_from(["POST", "GET", "OPTIONS", "PUT", "DELETE"]),
    headers=st.lists(st.tuples(names.map(str.encode), values), max_size=20),
    whole=st.booleans(),
    body=st.binary(max_size=30),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
async def test_no_request_breaks_the_parser(
    client: Any, method: str, headers: list[tuple[bytes, bytes]], whole: bool, body: bytes
) -> None:
    if whole:
        known = {name for name, _ in headers}
        headers += [
            (n.lower().encode(), v.encode()) for n, v in MESSAGE.items() if n.lower().encode() not in known
        ]
    found = client.app.webhook.decide(method, headers)
    answer = found if isinstance(found, HttpAnswer) else found(body)
    answer = answer if isinstance(answer, HttpAnswer) else await answer
    assert answer.status in {200, 400, 401, 404}
