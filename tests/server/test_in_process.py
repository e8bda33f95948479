"""Without HTTP between app and service everything is as with it: events, actions and what the trace tells."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.service_peers import connection, enter
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.host.azure.rest_client import RestClient
from webpubsub.host.webhook import WEBHOOK_PATH
from webpubsub.http import Deadlines
from webpubsub.http.server import HttpServer
from webpubsub.model.access.connection_string import ConnectionString
from webpubsub.model.actions import (
    Action,
    AddConnectionsToGroupsAction,
    AddConnectionToGroupAction,
    AddUserToGroupAction,
    CloseAllConnectionsAction,
    CloseClientConnectionAction,
    CloseGroupConnectionsAction,
    CloseUserConnectionsAction,
    GrantPermissionAction,
    RemoveConnectionFromAllGroupsAction,
    RemoveConnectionFromGroupAction,
    RemoveConnectionsFromGroupsAction,
    RemoveUserFromAllGroupsAction,
    RemoveUserFromGroupAction,
    RevokePermissionAction,
    SendToAllAction,
    SendToConnectionAction,
    SendToGroupAction,
    SendToUserAction,
)
from webpubsub.model.errors import ActionRefused, EventRefused
from webpubsub.model.events import (
    ClientCertificate,
    ConnectedEventRequest,
    ConnectEventRequest,
    ConnectEventResponse,
    DisconnectedEventRequest,
    EventRequest,
    GroupJoinedEventRequest,
    UserEventRequest,
    WebPubSubConnectionContext,
    WebPubSubEventType,
)
from webpubsub.model.metadata import build_metadata_headers
from webpubsub.model.mqtt_events import MqttConnectionContext
from webpubsub.model.names import ConnectionId, EventName, GroupName, HubName, UserId
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.ports import ActionSink, EventAnswer
from webpubsub.model.states import ConnectionStates
from webpubsub.model.trace import SILENT, Trace, TracedActions, TraceEvent
from webpubsub.server.embedded import EmbeddedService
from webpubsub.server.ending import Grace
from webpubsub.server.in_process import send_events_to, sinks_of
from webpubsub.server.serving import bind, reachable_url
from webpubsub.service.settings import (
    SYSTEM_EVENTS,
    EventHandlerSettings,
    GroupPresenceEvents,
    HubSettings,
    ServiceSettings,
    WebhookAuth,
)

KEY = "0123456789abcdef0123456789abcdef"
CHAT = HubName("chat")

APP = """
import asyncio, json
import azure.functions as func
import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
seen = []
MEMBERS = ["event_type", "event_name", "hub", "connection_id", "user_id", "signature", "origin",
           "subprotocol", "event_id"]

def note(request, context):
    found = request.connection_context
    seen.append({
        "function": context.function_name,
        "trace": [context.trace_context.Traceparent, context.trace_context.Tracestate],
        "context": {name: getattr(found, name) for name in MEMBERS},
        "headers": {name: list(values) for name, values in found.headers.items()},
        "states": dict(found.states),
        "event": {name: getattr(request, name) for name in request.__struct_fields__[1:]},
    })

def user(name):
    return app.web_pubsub_trigger(hub="chat", event_type="user", event_name=name)

def system(name):
    return app.web_pubsub_trigger(hub="chat", event_type="system", event_name=name)

@system("connect")
def connect(request: wps.ConnectEventRequest, context: func.Context):
    note(request, context)
    if request.connection_context.user_id == "attacker":
        return request.create_error_response("unauthorized", "no attackers here")
    response = request.create_response("bob", ["g1", "g2"], "chosen", ["webpubsub.joinLeaveGroup"])
    response.set_state("count", 1)
    return response

@system("connected")
async def connected(request: wps.ConnectedEventRequest, context: func.Context):
    note(request, context)

@system("disconnected")
def disconnected(request: wps.DisconnectedEventRequest, context: func.Context):
    note(request, context)

@user("echo")
async def echo(request: wps.UserEventRequest, context: func.Context):
    note(request, context)
    return request.data

@user("thread")
def thread(request: wps.UserEventRequest, context: func.Context):
    note(request, context)
    response = request.create_response({"heard": 1})
    response.set_state("count", request.connection_context.states.get("count", 0) + 1)
    return response

@user("silent")
async def silent(request: wps.UserEventRequest):
    return None

@user("clears")
async def clears(request: wps.UserEventRequest):
    response = request.create_response(b"\\x00")
    response.clear_states()
    return response

@user("slow")
async def slow(request: wps.UserEventRequest):
    seen.append("began")
    while "go on" not in seen:
        await asyncio.sleep(0.001)
    seen.append("ended")

@user("refuses")
async def refuses(request: wps.UserEventRequest):
    return request.create_error_response("userError", "\u00e9" * 2000)

@user("sets")
async def sets(request: wps.UserEventRequest):
    response = request.create_response("set")
    response.set_state("long", "x" * request.data)
    return response

ODD = {
    "int keys": {1: "one"}, "nan": [float("nan"), float("inf")], "tuple": (1, (2,)), "bytes": {"b": b"\\xff"},
    "set": {1}, "none": {"a": None}, "surrogate": ["\\ud800"], "complex": [1j], "large int": [2 ** 70],
    "str keys of blanks": {" a ": " "},
}

@user("json")
async def as_json(request: wps.UserEventRequest):
    return ODD[request.data]

@user("states")
async def as_state(request: wps.UserEventRequest):
    response = request.create_response("set")
    response.set_state("odd", ODD[request.data])
    return response

@user("raises")
async def raises(request: wps.UserEventRequest):
    raise ValueError("secret")

@user("wrong")
async def wrong(request: wps.UserEventRequest):
    return wps.ConnectEventResponse()

@user("large")
async def large(request: wps.UserEventRequest):
    return b"x" * (16 * 1024 * 1024 + 1)

@user("acts")
@app.web_pubsub_output(hub="chat")
async def acts(request: wps.UserEventRequest, actions: wps.Actions):
    actions.send_to_all("hello")
    actions.add_user_to_group("nobody", "g")
    return "never"

@app.function_name("untyped")
@app.generic_trigger(arg_name="request", type="webPubSubTrigger", hub="chat", eventType="user",
                     eventName="untyped")
@app.generic_input_binding(arg_name="found", type="webPubSubConnection", hub="chat",
                           userId="{connectionContext.headers.ce-userId}-{data}")
def untyped(request, found):
    seen.append(json.loads(request))
    seen.append(found.partition("access_token")[0])
    return json.dumps({"data": "ok", "dataType": "text", "states": {"of": "untyped"}})
"""


class Joined:
    """An app and its service, in one process, with or without HTTP between them.

    Attributes:
        embedded: The service.
        sink: Where the app's actions go.
        seen: What its functions noted.
        events: What the trace was told.
    """

    def __init__(
        self,
        embedded: EmbeddedService,
        sink: ActionSink,
        seen: list[Any],
        events: list[TraceEvent],
    ) -> None:
        self.embedded = embedded
        self.sink = sink
        self.seen = seen
        self.events = events


@asynccontextmanager
async def joined(
    folder: Path,
    *,
    in_process: bool,
    auth: bool = False,
    delays: tuple[float, ...] = (),
    credentials: WebhookAuth | None = None,
) -> AsyncIterator[Joined]:
    (folder / "function_app.py").write_text(APP)
    app_listener, service_listener = bind("127.0.0.1", 0, ""), bind("127.0.0.1", 0, "")
    service = ConnectionString(f"http://localhost:{service_listener.getsockname()[1]}", KEY)
    events: list[TraceEvent] = []
    embedded = EmbeddedService(
        ServiceSettings(access_keys=(KEY,), retry_delays_in_seconds=delays),
        service_listener,
        Trace(events.append),
    )
    settings = HostSettings.load(folder, {"WebPubSubConnectionString": str(service)})
    sinks = (
        sinks_of(settings.environment, service, embedded.service, Trace(events.append)) if in_process else {}
    )
    path = list(sys.path)
    try:
        host = FunctionHost(settings, sinks=sinks, auth=auth, trace=Trace(events.append))
    finally:
        sys.path[:] = path
    assert not host.problems
    module = sys.modules.pop("function_app")
    url = reachable_url(app_listener)
    if in_process:
        send_events_to(host.webhook, url, embedded)
    client = RestClient(service)
    sink = sinks.get(
        "webpubsubconnectionstring", TracedActions(client, Trace(events.append), client.endpoint)
    )
    server = HttpServer(host, lane=host.webhook)
    await host.start()
    await server.start(app_listener)
    code = f"?code={host.access.webhook_code}" if host.access is not None else ""
    handler = EventHandlerSettings(
        f"{url}{WEBHOOK_PATH}{code}", "*", SYSTEM_EVENTS, credentials, GroupPresenceEvents(("joined", "left"))
    )
    embedded.use_hubs({CHAT: HubSettings(event_handlers=(handler,))})
    await embedded.start()
    events.clear()
    try:
        yield Joined(embedded, sink, module.seen, events)
    finally:
        await embedded.stop(Grace(10))
        await server.stop(1)
        await host.stop(1)
        await client.close()


# --- events -------------------------------------------------------------------------------------------


def context(
    name: str, event_type: WebPubSubEventType = WebPubSubEventType.USER, **members: Any
) -> WebPubSubConnectionContext:
    return WebPubSubConnectionContext(
        event_type=event_type,
        event_name=EventName(name),
        hub=CHAT,
        connection_id=ConnectionId("c1"),
        **{"user_id": UserId("alice"), "event_id": 7, **members},
    )


def user(name: str, data: Any = "hello", data_type: Any = None, **members: Any) -> UserEventRequest:
    return UserEventRequest(context(name, **members), Payload.of(data, data_type))


def system(name: str, **members: Any) -> WebPubSubConnectionContext:
    return context(name, WebPubSubEventType.SYSTEM, **members)


PROTOBUF = Payload(b"\x0a\x03a/b", WebPubSubDataType.PROTOBUF)
ODD = (
    "int keys",
    "nan",
    "tuple",
    "bytes",
    "set",
    "none",
    "surrogate",
    "complex",
    "large int",
    "str keys of blanks",
)


def metadata(values: dict[str, str]) -> dict[str, tuple[str]]:
    """The headers of an event's context that carry metadata."""
    return {name: (value,) for name, value in build_metadata_headers(values)}


def states_of(size: int) -> ConnectionStates:
    """States whose header has about so many bytes."""
    return ConnectionStates.of({"x": "x" * (size * 9 // 16)})


def mqtt(name: str, **members: Any) -> MqttConnectionContext:
    ids = {"physical_connection_id": "p1", "session_id": "s1", **members}
    return MqttConnectionContext.of(context(name), ids["physical_connection_id"], ids["session_id"])


METADATA = metadata({"trace": "1", "Who": "me"})
ODD_METADATA = metadata({"a": " 1 , 2 ", "B": "", "c": "\t3"})
COUNTED = ConnectionStates.of({"count": 4, "name": "x"})

EVENTS: dict[str, EventRequest] = {
    "text": user("echo", "h\u00e9llo"),
    "no text": user("echo", ""),
    "json": user("echo", {"a": [1.0, None]}),
    "json text": user("echo", "quoted", "json"),
    "binary": user("echo", b"\x00\xff"),
    "protobuf": UserEventRequest(context("echo"), PROTOBUF),
    "json that is none": UserEventRequest(context("echo"), Payload(b"{", WebPubSubDataType.JSON)),
    "a name in other case": user("eCHO"),
    "metadata": user("echo", headers=METADATA),
    "a subprotocol": user("echo", subprotocol="json.webpubsub.azure.v1"),
    "nobody": user("echo", user_id=None),
    "a name of no ASCII": user("echo", user_id=UserId("\u65e5\u672c")),
    "a name with blanks around": user("echo", user_id=UserId(" alice\t")),
    "a name that would be a header": user("echo", user_id=UserId("a\r\nce-hub: other")),
    "a name with a control character": user("echo", user_id=UserId("a\x01b")),
    "a name with a blank in front": user("echo", user_id=UserId(" alice")),
    "a name with a blank behind": user("echo", user_id=UserId("alice ")),
    "a name with a blank within": user("echo", user_id=UserId("alice b")),
    "a name of blanks": user("echo", user_id=UserId("  ")),
    "a name that is empty": user("echo", user_id=UserId("")),
    "a name in latin-1": user("echo", user_id=UserId("\u00e9\u00ff")),
    "a name beyond the first plane": user("echo", user_id=UserId("\U0001f600")),
    "a name with a wide blank": user("echo", user_id=UserId("\u3000a\u00a0")),
    "a name of half a character": user("echo", user_id=UserId("\ud800")),
    "a name with a line end": user("echo", user_id=UserId("a\u2028b\x85")),
    "a name with a line feed": user("echo", user_id=UserId("a\nb")),
    "a name with a zero byte": user("echo", user_id=UserId("a\0b")),
    "a name with a tab within": user("echo", user_id=UserId("a\tb")),
    "a name with a comma": user("echo", user_id=UserId("a,b")),
    "a name of 40 KiB": user("echo", user_id=UserId("x" * 40_960)),
    "an event with blanks around": user(" echo "),
    "an event with a blank within": user("ec ho"),
    "an event of no ASCII": user("\u00e9cho"),
    "an event with a line feed": user("echo\n"),
    "a subprotocol that is empty": user("echo", subprotocol=""),
    "a subprotocol with blanks around": user("echo", subprotocol=" s "),
    "a subprotocol that is mqtt": user("echo", subprotocol="mqtt"),
    "an id that is no number": user("echo", event_id=-1),
    "an id of 20 digits": user("echo", event_id=10**19),
    "an id of 19 digits": user("echo", event_id=10**19 - 1),
    "metadata with blanks": user("echo", headers=ODD_METADATA),
    "metadata of no ASCII": user("echo", headers=metadata({"a": "\u00e9"})),
    "metadata with a line feed": user("echo", headers=metadata({"a": "1\r\nce-hub: x"})),
    "MQTT": UserEventRequest(mqtt("echo"), Payload.of("hello")),
    "MQTT without session": UserEventRequest(mqtt("echo", session_id=""), Payload.of("hello")),
    "MQTT of a client with blanks": UserEventRequest(
        mqtt("echo", physical_connection_id=" p "), Payload.of("hello")
    ),
    "MQTT of a session of no ASCII": UserEventRequest(mqtt("echo", session_id="\u00e9"), Payload.of("hello")),
    "states of 30 KiB": user("echo", states=states_of(30_000)),
    "states of 48 KiB": user("echo", states=states_of(48_000)),
    "states of 64 KiB": user("echo", states=states_of(65_536)),
    "states of 1 MiB": user("echo", states=states_of(1_048_576)),
    "states that are empty": user("echo", states=ConnectionStates("")),
    "states with a blank": user("echo", states=ConnectionStates("e30= ")),
    "states with a line feed": user("echo", states=ConnectionStates("e30=\n")),
    "sets a state of 30 KiB": user("sets", 16_000, "json"),
    "1 MiB and one byte": user("echo", b"x" * 1_048_577),
    **{f"answers {name}": user("json", name) for name in ODD},
    **{f"sets {name}": user("states", name) for name in ODD},
    "a subprotocol of no ASCII": user("echo", subprotocol="\u65e5"),
    "a thread": user("thread"),
    "states": user("thread", states=COUNTED),
    "states of somebody else": user("thread", states=ConnectionStates("bm8ganNvbg==")),
    "states that are none": user("thread", states=ConnectionStates("***")),
    "nothing": user("silent", states=COUNTED),
    "cleared states": user("clears", states=COUNTED),
    "refused": user("refuses"),
    "a function that fails": user("raises"),
    "an impossible answer": user("wrong"),
    "a large message": user("echo", b"x" * 1_048_576),
    "a large answer": user("large"),
    "an action that is refused": user("acts"),
    "an untyped function": user("untyped", {"a": 1}, states=COUNTED, headers=METADATA),
    "no such function": user("unknown"),
    "another hub": UserEventRequest(
        WebPubSubConnectionContext(
            event_type=WebPubSubEventType.USER,
            event_name=EventName("echo"),
            hub=HubName("other"),
            connection_id=ConnectionId("c1"),
        ),
        Payload.of("hello"),
    ),
    "connect": ConnectEventRequest(
        system("connect", event_id=0),
        claims={"sub": ["alice"], "role": ["a", "b"]},
        query={"q": ["1", "2"]},
        headers={"host": ["h"], "x": ["\u00e9"]},
        subprotocols=("chosen", "other"),
        client_certificates=[ClientCertificate("AB", "pem")],
    ),
    "connect of an attacker": ConnectEventRequest(system("connect", user_id=UserId("attacker"), event_id=0)),
    "connected": ConnectedEventRequest(system("connected")),
    "disconnected": DisconnectedEventRequest(system("disconnected", states=COUNTED), "b\u00fde"),
    "joined, which no function takes": GroupJoinedEventRequest(system("joined"), GroupName("g")),
}
# What an HTTP client adds for the exchange itself, and what differs in each event.
EXCHANGE = ("host", "accept", "accept-encoding", "user-agent", "content-length", "connection")
OWN = ("ce-time", "x-ms-client-request-id")


def comparable(value: Any) -> Any:
    """Leave out what is of the HTTP exchange, and of this very call."""
    if isinstance(value, dict):
        return {
            name: comparable(found)
            for name, found in value.items()
            if str(name).lower() not in (*EXCHANGE, *OWN)
        }
    if isinstance(value, list | tuple):
        return [comparable(found) for found in value]
    return PORT.sub("here", value) if isinstance(value, str) else value


PORT = re.compile(r"(localhost|127\.0\.0\.1):\d+")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def told(events: Iterable[TraceEvent]) -> list[str]:
    """What the trace was told, ids numbered as they come; REST requests and questions are of HTTP."""
    lines = [
        f"{event.name} {event.phase} {event.ids} "
        f"{ {name: found for name, found in event.detail.items() if name != 'duration'} } {event.error!r}"
        for event in events
        if event.name not in ("rest", "validation")
    ]
    numbers: dict[str, str] = {}
    return [
        PORT.sub("here", GUID.sub(lambda found: numbers.setdefault(found[0], f"#{len(numbers)}"), line))
        for line in lines
    ]


async def asked(way: Joined, event: EventRequest) -> Any:
    """What comes back for an event, what its function saw, and what the trace tells."""
    way.seen.clear()
    way.events.clear()
    back: EventAnswer | tuple[int, str, int]
    try:
        back = await way.embedded.service.handler.handle(event)
    except EventRefused as refused:
        back = (refused.status, PORT.sub("here", refused.message), refused.attempts)
    return back, comparable(way.seen), told(way.events)


async def both_ways(folder: Path, ask: Callable[[Joined], Awaitable[Any]], **given: Any) -> list[Any]:
    found = []
    for in_process in False, True:
        async with joined(folder, in_process=in_process, **given) as way:
            found.append(await ask(way))
    return found


STATES_TOO_LARGE = "The request's head is larger than 65536 bytes (maxHeadBytes)."


@pytest.mark.parametrize("auth", [False, True], ids=["open", "with keys"])
async def test_an_event_is_the_same_to_its_function_and_to_who_sent_it(tmp_path: Path, auth: bool) -> None:
    async def ask(way: Joined) -> dict[str, Any]:
        return {name: await asked(way, event) for name, event in EVENTS.items()}

    over_http, in_process = await both_ways(tmp_path, ask, auth=auth)
    for name in EVENTS:
        assert in_process[name] == over_http[name], name
    back = {name: answer for name, (answer, _, _) in in_process.items()}
    assert back["text"].response.payload == Payload.of("h\u00e9llo")
    assert back["refused"] == (400, "\u00e9" * 512, 1)
    assert back["a function that fails"] == (500, "The function failed.", 1)
    assert back["an action that is refused"] == (500, "The function failed.", 1)
    assert back["an impossible answer"] == (500, "The function failed.", 1)
    assert back["no such function"][0] == 404
    assert back["another hub"] == (404, "no event handler of hub 'other' takes 'echo'", 1)
    assert back["a large answer"][0] == 500
    assert back["states that are none"][0] == 400
    assert back["a name that would be a header"][0] == 500
    assert back["a name with a line feed"][1] == (
        "the header ce-userId cannot be sent: 'a\\nb' has a control character"
    )
    assert back["states of 48 KiB"].response is not None
    assert back["states of 1 MiB"] == (431, STATES_TOO_LARGE, 1)
    assert back["answers int keys"].response.payload == Payload(b'{"1":"one"}', WebPubSubDataType.JSON)
    assert back["answers nan"].response.payload == Payload(b"[null,null]", WebPubSubDataType.JSON)
    assert back["answers complex"] == (500, "The function failed.", 1)
    functions = {name: seen for name, (_, seen, _) in in_process.items()}
    assert functions["a name of blanks"][0]["context"]["user_id"] == ""
    assert functions["a name with a blank in front"][0]["context"]["user_id"] == "alice"
    assert functions["an id of 20 digits"][0]["context"]["event_id"] == 0
    assert isinstance(back["connect"].response, ConnectEventResponse)
    assert back["connect of an attacker"] == (401, "no attackers here", 1)


async def test_who_stops_waiting_does_not_stop_the_function(tmp_path: Path) -> None:
    """As over HTTP, where a caller that hangs up is not noticed before the answer is written."""
    for in_process in False, True:
        async with joined(tmp_path, in_process=in_process) as way:
            asking = asyncio.create_task(way.embedded.service.handler.handle(user("slow")))
            async with asyncio.timeout(5):
                while "began" not in way.seen:  # noqa: ASYNC110 - a function of an app tells
                    await asyncio.sleep(0.001)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert way.seen == ["began"]
            way.seen.append("go on")
            async with asyncio.timeout(5):
                while "ended" not in way.seen:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)


async def test_an_event_that_fails_is_tried_again(tmp_path: Path) -> None:
    async def ask(way: Joined) -> Any:
        return await asked(way, EVENTS["a function that fails"]), await asked(way, EVENTS["text"])

    over_http, in_process = await both_ways(tmp_path, ask, delays=(0.0, 0.0))
    assert in_process == over_http
    assert in_process[0][0] == (500, "The function failed.", 3)
    assert in_process[1][0].attempts == 1


async def test_an_event_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    async def ask(way: Joined) -> Any:
        way.embedded.handler.in_time = partial(Deadlines().within, 0.01)
        found = await asked(way, user("slow"))
        way.seen.append("go on")
        return found[0]

    over_http, in_process = await both_ways(tmp_path, ask)
    late = "the event handler here/runtime/webhooks/webpubsub did not answer in time"
    assert in_process == over_http == (500, late.replace("here", "http://here"), 1)


async def test_functions_see_the_credentials_of_an_event(tmp_path: Path) -> None:
    async def ask(way: Joined) -> Any:
        return await asked(way, EVENTS["text"])

    credentials = WebhookAuth("BearerToken", bearer_token="secret")
    over_http, in_process = await both_ways(tmp_path, ask, credentials=credentials)
    assert in_process == over_http
    assert in_process[1][0]["headers"]["authorization"] == ["Bearer secret"]


async def test_only_what_http_would_change_goes_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That, events with metadata, and those of other webhooks."""
    posted: list[str] = []
    asking = ""
    async with joined(tmp_path, in_process=True) as way:
        handler = way.embedded.handler
        post = handler.post

        async def noted(*given: Any) -> EventAnswer:
            posted.append(asking)
            return await post(*given)

        monkeypatch.setattr(handler, "post", noted)
        for name, event in EVENTS.items():
            asking = name
            await asked(way, event)
        asking = "elsewhere"
        [own] = handler.settings.hubs[CHAT].event_handlers
        for url in (
            own.url_template.replace("127.0.0.1", "localhost"),
            own.url_template.replace("//", "//user:password@"),
            f"{own.url_template}/",
        ):
            way.embedded.use_hubs({CHAT: HubSettings((msgspec.structs.replace(own, url_template=url),))})
            await asked(way, EVENTS["text"])
    assert posted == [
        "metadata",
        "a name with blanks around",
        "a name that would be a header",
        "a name with a control character",
        "a name with a blank in front",
        "a name with a blank behind",
        "a name of blanks",
        "a name with a wide blank",
        "a name of half a character",
        "a name with a line end",
        "a name with a line feed",
        "a name with a zero byte",
        "a name with a tab within",
        "a name of 40 KiB",
        "an event with blanks around",
        "an event with a blank within",
        "an event of no ASCII",
        "an event with a line feed",
        "a subprotocol with blanks around",
        "an id that is no number",
        "an id of 20 digits",
        "metadata with blanks",
        "metadata of no ASCII",
        "metadata with a line feed",
        "MQTT of a client with blanks",
        "MQTT of a session of no ASCII",
        "states of 48 KiB",
        "states of 64 KiB",
        "states of 1 MiB",
        "states with a blank",
        "states with a line feed",
        "a subprotocol of no ASCII",
        "an untyped function",
        *["elsewhere"] * 3,
    ]


async def test_events_of_a_connection_stay_in_order(tmp_path: Path) -> None:
    async def ask(way: Joined) -> list[Any]:
        service, alice = way.embedded.service, connection("c1", "alice")
        enter(service, alice, "a", "b")
        service.closed(alice, 1000, "bye")
        async with asyncio.timeout(5):
            while service._notifications:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return [line for line in told(way.events) if line.startswith("event completed")]

    over_http, in_process = await both_ways(tmp_path, ask)
    assert in_process == over_http
    assert len(in_process) == 2


# --- actions ------------------------------------------------------------------------------------------

LONG = "x" * 1_048_577
ACTIONS: dict[str, Action] = {
    "to all": SendToAllAction("h\u00e9llo"),
    "to all but one": SendToAllAction({"a": 1.0}, excluded=["c1"]),
    "to a filter": SendToAllAction(b"\x00", filter="userId eq 'bob'"),
    "to no filter": SendToAllAction("x", filter="userId ="),
    "with metadata and a time to live": SendToAllAction("x", message_ttl_seconds=9, metadata={"A": "1"}),
    "with metadata of several values": SendToAllAction("x", metadata={"A": " 1, 2 ", "a": "3", "B": ""}),
    "1 MiB": SendToAllAction(LONG[1:]),
    "over 1 MiB": SendToAllAction(LONG),
    "a tuple": SendToAllAction((1, (2,))),
    "int keys": SendToAllAction({1: "one"}),
    "NaN": SendToAllAction([float("nan")]),
    "JSON that is a string": SendToAllAction("a\u2028\x00", data_type="json"),
    "no text": SendToAllAction(""),
    "no bytes": SendToAllAction(b""),
    "1 MiB of bytes": SendToAllAction(b"x" * 1_048_576),
    "1 MiB of bytes and one": SendToAllAction(b"x" * 1_048_577),
    "to a group": SendToGroupAction("g/1 \u65e5", "hi", excluded=["c2"]),
    "to a filter in a group": SendToGroupAction("g/1 \u65e5", "hi", filter="connectionId eq 'c2'"),
    "to no filter in no group": SendToGroupAction("nowhere", "hi", filter="no filter"),
    "to a user": SendToUserAction("alice", ["a", None]),
    "to a user that is not there": SendToUserAction("nobody", "x"),
    "to a connection": SendToConnectionAction("c2", "x"),
    "to a connection that is not there": SendToConnectionAction("c9", "x"),
    "a user joins": AddUserToGroupAction("bob", "h"),
    "nobody joins": AddUserToGroupAction("nobody", "h"),
    "a connection joins": AddConnectionToGroupAction("c1", "h"),
    "no connection joins": AddConnectionToGroupAction("c9", "h"),
    "to those who joined": SendToGroupAction("h", "joined"),
    "a user leaves": RemoveUserFromGroupAction("bob", "h"),
    "a connection leaves": RemoveConnectionFromGroupAction("c1", "h"),
    "all join": AddConnectionsToGroupsAction(["i", "j"]),
    "some leave": RemoveConnectionsFromGroupsAction(["i"], filter="userId eq 'bob'"),
    "some leave by no filter": RemoveConnectionsFromGroupsAction(["i"], filter="("),
    "to i": SendToGroupAction("i", "i"),
    "to j": SendToGroupAction("j", "j"),
    "a user leaves all": RemoveUserFromAllGroupsAction("bob"),
    "a connection leaves all": RemoveConnectionFromAllGroupsAction("c1"),
    "to nobody": SendToGroupAction("j", "j"),
    "grant": GrantPermissionAction("c1", "sendToGroup", "g"),
    "grant to nobody": GrantPermissionAction("c9", "sendToGroup", "g"),
    "revoke": RevokePermissionAction("c1", "sendToGroup", "g"),
    "close a connection": CloseClientConnectionAction("c3", "reason \u65e5"),
    "close a user": CloseUserConnectionsAction("alice", excluded=["c1"]),
    "close a group": CloseGroupConnectionsAction("k", reason="group"),
    "close all": CloseAllConnectionsAction(excluded=["c1"], reason="all"),
}


async def performed(way: Joined, action: Action) -> Any:
    """What became of an action, what clients were sent or closed with, and what the trace tells."""
    way.events.clear()
    try:
        await way.sink.perform(CHAT, action, request_id="r1")
        outcome = "done"
    except ActionRefused as refused:
        outcome = f"{refused.status} {refused.message}"
    await asyncio.sleep(0)
    return outcome, told(way.events)


async def test_an_action_has_the_same_outcome_for_the_app_and_the_clients(tmp_path: Path) -> None:
    async def ask(way: Joined) -> list[Any]:
        way.embedded.use_hubs({})
        service, sockets = way.embedded.service, []
        for name, user_id in ("c1", "alice"), ("c2", "bob"), ("c3", None), ("c4", "bob"):
            each = connection(name, user_id)
            socket = enter(service, each, "g/1 \u65e5", *["k"] * (name == "c4"))
            sockets.append(socket)
            socket.take()
        found = []
        for name, action in ACTIONS.items():
            outcome = await performed(way, action)
            found.append((name, outcome, [socket.take() for socket in sockets]))
        return found

    over_http, in_process = await both_ways(tmp_path, ask)
    for theirs, ours in zip(over_http, in_process, strict=True):
        assert ours == theirs
    outcomes = {name: outcome for name, (outcome, _), _ in in_process}
    assert outcomes["over 1 MiB"] == (
        '400 action sendToAll on hub \'chat\' was refused: {"code":"Error.BadRequest",'
        '"message":"Invalid Content-Length header.","target":"Content-Length"}'
    )
    refused = [name for name, outcome in outcomes.items() if outcome != "done"]
    assert refused == [
        "to no filter",
        "over 1 MiB",
        "1 MiB of bytes and one",
        "to no filter in no group",
        "nobody joins",
        "no connection joins",
        "some leave by no filter",
        "grant to nobody",
    ]


async def test_what_one_action_wrote_goes_out_before_the_next(tmp_path: Path) -> None:
    """Else thousands of a single function would pile up, and their client be taken for a slow one."""
    async with joined(tmp_path, in_process=True) as way:
        way.embedded.use_hubs({})
        client = connection("c1")
        socket = enter(way.embedded.service, client)
        await asyncio.sleep(0)
        for _ in range(3):
            socket.take()
            await way.sink.perform(CHAT, SendToAllAction("x"))
            assert len(socket.frames()) == 1


def test_only_connections_of_this_very_service_are_performed_here() -> None:
    service = ConnectionString("http://localhost:8080", KEY)
    environment = {
        "WebPubSubConnectionString": str(service),
        "Other:Name": f"endpoint=http://LOCALHOST:8080/ ; accesskey={KEY}",
        "AnotherPort": f"Endpoint=http://localhost:8081;AccessKey={KEY};",
        "AnotherKey": "Endpoint=http://localhost:8080;AccessKey=other;",
        "AnotherName": f"Endpoint=http://127.0.0.1:8080;AccessKey={KEY};",
        "NoKey": "Endpoint=http://localhost:8080;",
        "Cloud": "Endpoint=https://chat.webpubsub.azure.com;AccessKey=one;",
        "PATH": "/usr/bin",
        "EMPTY": "",
    }
    embedded: Any = object()
    assert sorted(sinks_of(environment, service, embedded, SILENT)) == [
        "Other:Name",
        "WebPubSubConnectionString",
    ]
