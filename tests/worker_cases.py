"""Events, and what comes of each: in the worker, and in this package's host."""

from __future__ import annotations

from typing import Any, NamedTuple

from worker_events import (
    COUNTER_1,
    COUNTER_2,
    Event,
    connect_event,
    connected_event,
    disconnected_event,
    user_event,
)

CHAT = "sample_funcchat"


class Case(NamedTuple):
    """An event, and what comes of it: in the worker, and then in the host.

    Attributes:
        app: Which app.
        function: Which of its functions.
        event: As the extension writes it.
        returned: The JSON that the worker returns to the extension, if any.
        outputs: The text on each of the worker's outputs.
        answer: Status, content type and body of the host's answer.
        state: The connection's new state in that answer.
    """

    app: str
    function: str
    event: Event
    returned: str | None = None
    outputs: dict[str, str] = {}  # noqa: RUF012 - never changed
    answer: tuple[int, str | None, bytes] = (200, None, b"")
    state: str | None = None


def answer_case(data: str, returned: str | None, *answer: Any) -> Case:
    """One way to answer, with a connection that has a state and an action beside it."""
    action = f'[{{"actionName":"sendToUser","userId":"alice","data":"{data}","dataType":"text"}}]'
    state = None if answer[0] != 200 else COUNTER_1
    event = user_event("odd", "answer", data, state=COUNTER_1)
    return Case("odd", "answer", event, returned, {"actions": action}, answer, state)


CASES = {
    "simplechat: connect": Case(
        "simplechat",
        "connect",
        connect_event(CHAT),
        '{"userId": "alice"}',
        answer=(
            200,
            "application/json",
            b'{"userId":"alice","groups":null,"subprotocol":null,"roles":null}',
        ),
    ),
    "simplechat: connected": Case(
        "simplechat",
        "connected",
        connected_event(CHAT),
        outputs={
            "actions": '[{"actionName":"sendToAll","data":"[SYSTEM] alice is connected","dataType":"text"},'
            '{"actionName":"addUserToGroup","userId":"alice","group":"group1"},'
            '{"actionName":"sendToGroup","group":"group1",'
            '"data":"[SYSTEM] alice joined group: group1","dataType":"text"}]'
        },
    ),
    "simplechat: message": Case(
        "simplechat",
        "message",
        user_event(CHAT, "message", "hello", state=COUNTER_1),
        '{"data": "[SYSTEM] ack, 2 so far", "dataType": "text", "states": {"counter": 2}}',
        {"actions": '[{"actionName":"sendToAll","data":"[From alice] hello","dataType":"text"}]'},
        (200, "text/plain", b"[SYSTEM] ack, 2 so far"),
        COUNTER_2,
    ),
    "simplechat: disconnected": Case(
        "simplechat",
        "disconnected",
        disconnected_event(CHAT, "bye"),
        outputs={
            "actions": '[{"actionName":"sendToAll","data":"[SYSTEM] alice is disconnected",'
            '"dataType":"text"}]'
        },
    ),
    "str": answer_case(
        "text", '{"data": "h\\u00e9llo", "dataType": "text"}', 200, "text/plain", "héllo".encode()
    ),
    "bytes": answer_case(
        "bytes",
        '{"data": {"type": "Buffer", "data": [0, 255]}, "dataType": "binary"}',
        200,
        "application/octet-stream",
        b"\x00\xff",
    ),
    "dict": answer_case(
        "dict", '{"data": "{\\"answer\\":42}", "dataType": "json"}', 200, "application/json", b'{"answer":42}'
    ),
    "list": answer_case(
        "list", '{"data": "[1,true,null]", "dataType": "json"}', 200, "application/json", b"[1,true,null]"
    ),
    "dict of the extension": answer_case(
        "dict of the extension", '{"data": "hi", "dataType": "text"}', 200, "text/plain", b"hi"
    ),
    "None": answer_case("nothing", None, 200, None, b""),
    "error": answer_case(
        "error",
        '{"code": "userError", "errorMessage": "not like this"}',
        400,
        "text/plain; charset=utf-8",
        b"not like this",
    ),
    "async, parts of the event, two outputs": Case(
        "odd",
        "parts",
        user_event("odd", "parts", '{"a": 1}', "Json"),
        r'{"data": "{\"data\":{\"a\":1},\"type\":\"json\",\"function\":\"odd/parts\"}", "dataType": "json"}',
        {
            "toAll": '[{"actionName":"sendToAll","data":{"type":"Buffer","data":[0,255]},'
            '"dataType":"binary"}]',
            "toGroup": '[{"actionName":"sendToGroup","group":"g","data":"{\\"seen\\":{\\"a\\":1}}",'
            '"dataType":"json","excluded":["c9"]},'
            '{"actionName":"closeClientConnection","connectionId":"0f9c97a2f0bf4706afe87a14e0797b11"}]',
        },
        (200, "application/json", b'{"data":{"a":1},"type":"json","function":"odd/parts"}'),
    ),
    "async connect with everything": Case(
        "odd",
        "connect",
        connect_event("odd", name="bob"),
        '{"userId": "bob", "groups": ["lobby"], "subprotocol": "json.webpubsub.azure.v1", '
        '"states": {"counter": 1}}',
        answer=(
            200,
            "application/json",
            b'{"userId":"bob","groups":["lobby"],"subprotocol":"json.webpubsub.azure.v1","roles":null}',
        ),
        state=COUNTER_1,
    ),
    "a state that changes": Case(
        "odd",
        "states",
        user_event("odd", "states", "count", state=COUNTER_1),
        '{"states": {"counter": 2}}',
        state=COUNTER_2,
    ),
    # The extension can only merge, so on Azure the states become null; here they go.
    "states cleared": Case(
        "odd",
        "states",
        user_event("odd", "states", "clear", state=COUNTER_1),
        '{"states": {"counter": null}, "clearStates": true}',
        state="e30=",
    ),
    "a blueprint": Case(
        "odd",
        "left",
        disconnected_event("odd", "bye"),
        outputs={"actions": '[{"actionName":"sendToAll","data":"somebody left: bye","dataType":"text"}]'},
    ),
    "untyped": Case(
        "odd",
        "untyped",
        user_event("odd", "untyped", "hello"),
        '{"data": "HELLO", "dataType": "text"}',
        {"actions": '[{"actionName": "sendToAll", "data": "str", "dataType": "text"}]'},
        (200, "text/plain", b"HELLO"),
    ),
}
