"""Events, and what comes of each: in the worker, and in this package's host."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from kit.functions_worker import TypedData
from kit.worker_events import (
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
        returned: What the worker returns to the extension, if anything: JSON as its text.
        outputs: The text on each of the worker's outputs.
        copied: The text the Functions host puts there instead, from members of what was returned.
        answer: Status, content type and body of the host's answer.
        state: The connection's new state in that answer.
    """

    app: str
    function: str
    event: Event
    returned: str | TypedData | None = None
    outputs: dict[str, str] = {}  # noqa: RUF012 - never changed
    copied: dict[str, str] = {}  # noqa: RUF012 - never changed
    answer: tuple[int, str | None, bytes] = (200, None, b"")
    state: str | None = None


def answer_case(data: str, returned: str | None, *answer: Any) -> Case:
    """One way to answer, with a connection that has a state and an action beside it."""
    action = f'[{{"actionName":"sendToUser","userId":"alice","data":"{data}","dataType":"text"}}]'
    state = None if answer[0] != 200 else COUNTER_1
    event = user_event("odd", "answer", data, state=COUNTER_1)
    return Case("odd", "answer", event, returned, {"actions": action}, answer=answer, state=state)


def exact_case(
    data: bytes, data_type: str, returned: str, content_type: str, body: bytes | None = None
) -> Case:
    """A message that a typed function gets, shows in an action, and sends back."""
    action = (
        f'[{{"actionName":"sendToAll","data":"{data.hex()} {data_type.lower()} of alice","dataType":"text"}}]'
    )
    event = user_event("odd", "exact", data, data_type)
    answer = (200, content_type, data if body is None else body)
    return Case("odd", "exact", event, returned, {"actions": action}, answer=answer)


def shown_case(function: str, data: str | bytes, shown: str, data_type: str = "Text") -> Case:
    """A message that an untyped function gets, and answers with what it got."""
    returned = json.dumps({"data": shown, "dataType": "text"})
    answer = (200, "text/plain", shown.encode())
    return Case("untyped", function, user_event("odd", function, data, data_type), returned, answer=answer)


SET = '{"actionName": "sendToAll", "data": "set"}'


def result_case(result: str, returned: str | TypedData | None, *answer: Any, **more: Any) -> Case:
    """What an untyped function returns; beside it, it sets an output."""
    event = user_event("odd", "results", result)
    return Case("untyped", "results", event, returned, {"actions": SET}, answer=answer, **more)


def async_result_case(result: str, returned: str | TypedData | None, *answer: Any) -> Case:
    event = user_event("odd", "async_results", result)
    return Case("untyped", "async_results", event, returned, answer=answer)


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
        answer=(200, "text/plain", b"[SYSTEM] ack, 2 so far"),
        state=COUNTER_2,
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
        answer=(200, "application/json", b'{"data":{"a":1},"type":"json","function":"odd/parts"}'),
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
    "exact: binary": exact_case(
        b"\xff\x00\xfe\x80",
        "Binary",
        '{"data": {"type": "Buffer", "data": [255, 0, 254, 128]}, "dataType": "binary"}',
        "application/octet-stream",
    ),
    "exact: empty binary": exact_case(
        b"",
        "Binary",
        '{"data": {"type": "Buffer", "data": []}, "dataType": "binary"}',
        "application/octet-stream",
    ),
    "exact: text": exact_case(b"hello", "Text", '{"data": "hello", "dataType": "text"}', "text/plain"),
    "exact: empty text": exact_case(b"", "Text", '{"data": "", "dataType": "text"}', "text/plain"),
    "exact: unicode": exact_case(
        "h\xe9llo \U0001f600".encode(),
        "Text",
        '{"data": "h\\u00e9llo \\ud83d\\ude00", "dataType": "text"}',
        "text/plain",
    ),
    "exact: json": exact_case(
        b'{"a": [1.50, null]}',
        "Json",
        '{"data": "{\\"a\\":[1.5,null]}", "dataType": "json"}',
        "application/json",
        b'{"a":[1.5,null]}',
    ),
    # A client cannot pretend to be somebody else: members of a text would replace the extension's metadata.
    "exact: json that looks like metadata": exact_case(
        b'{"ConnectionContext":{"userId":"mallory"},"DataType":"Text","connectionContext":{}}',
        "Json",
        '{"data": "{\\"ConnectionContext\\":{\\"userId\\":\\"mallory\\"},\\"DataType\\":\\"Text\\",'
        '\\"connectionContext\\":{}}", "dataType": "json"}',
        "application/json",
    ),
    "a user event that a setting names": Case(
        "odd",
        "by_setting",
        user_event("odd", "by_setting", b"\xff", "Binary"),
        '{"data": {"type": "Buffer", "data": [255, 98, 121, 95, 115, 101, 116, 116, 105, 110, 103]}, '
        '"dataType": "binary"}',
        answer=(200, "application/octet-stream", b"\xffby_setting"),
    ),
    "every action": Case(
        "odd",
        "every_action",
        user_event("odd", "every_action", "go"),
        outputs={
            "actions": '[{"actionName":"sendToAll","data":"text","dataType":"text","excluded":["c1"]},'
            '{"actionName":"sendToGroup","group":"g","data":{"type":"Buffer","data":[255,0,254,128]},'
            '"dataType":"binary"},'
            '{"actionName":"sendToUser","userId":"u","data":"{\\"a\\":[1,null]}","dataType":"json"},'
            '{"actionName":"sendToConnection","connectionId":"c","data":"\\"5\\"","dataType":"json"},'
            '{"actionName":"addUserToGroup","userId":"u","group":"g"},'
            '{"actionName":"removeUserFromGroup","userId":"u","group":"g"},'
            '{"actionName":"removeUserFromAllGroups","userId":"u"},'
            '{"actionName":"addConnectionToGroup","connectionId":"c","group":"g"},'
            '{"actionName":"removeConnectionFromGroup","connectionId":"c","group":"g"},'
            '{"actionName":"closeAllConnections","excluded":["c1","c2"],"reason":"bye"},'
            '{"actionName":"closeClientConnection","connectionId":"c"},'
            '{"actionName":"closeGroupConnections","group":"g","reason":"h\xe9"},'
            '{"actionName":"grantPermission","connectionId":"c","permission":"sendToGroup","targetName":"g"},'
            '{"actionName":"revokePermission","connectionId":"c","permission":"joinLeaveGroup",'
            '"targetName":"g"}]'
        },
    ),
    "untyped: data as text": shown_case("data_as_text", "h\xe9llo", "str 'h\xe9llo'"),
    "untyped: empty data": shown_case("data_as_text", "", "str ''"),
    "untyped: json data": shown_case(
        "data_as_text", '{"a": 1.5, "sys": {}}', """str '{"a": 1.5, "sys": {}}'""", "Json"
    ),
    "untyped: damaged data": shown_case("data_as_text", b"\xff\x00", "str '\ufffd\\x00'", "Binary"),
    "untyped: data as bytes": shown_case(
        "data_as_bytes", b"\xff\x00\xfe\x80", r"bytes b'\xff\x00\xfe\x80'", "Binary"
    ),
    "untyped: no bytes": shown_case("data_as_bytes", b"", "bytes b''", "Binary"),
    "untyped: json as bytes": shown_case("data_as_bytes", "[1]", "bytes b'[1]'", "Json"),
    "untyped: data type": shown_case("data_type_alone", "[1]", "str 'Json'", "Json"),
    "untyped: request as text": shown_case("request_as_text", "h\xe9llo", "str 'h\xe9llo'"),
    "untyped: request as bytes": shown_case("request_as_bytes", "h\xe9llo", r"bytes b'h\xc3\xa9llo'"),
    "untyped: context": shown_case("context_alone", "hello", "str 'alice'"),
    "untyped: another name": shown_case("another_name", "hello", "NoneType None"),
    "untyped: dict": result_case("dict", '{"data": "hi", "dataType": "text"}', 200, "text/plain", b"hi"),
    "untyped: dict with actions": result_case(
        "dict with actions",
        '{"data": "hi", "dataType": "text", "actions": [{"actionName": "sendToAll", "data": "copied"}]}',
        200,
        "text/plain",
        b"hi",
        copied={"actions": '[{"actionName": "sendToAll", "data": "copied"}]'},
    ),
    # The extension answers a list with 500 and anything that is no object with nothing; here it is sent.
    "untyped: list": result_case(
        "list", '[1, "\\u00e9", null]', 200, "application/json", '[1,"\xe9",null]'.encode()
    ),
    "untyped: str": result_case("str", {"string": "h\xe9"}, 200, "text/plain", "h\xe9".encode()),
    "untyped: bytes": result_case("bytes", {"bytes": "/wA="}, 200, "application/octet-stream", b"\xff\x00"),
    "untyped: int": result_case("int", {"int": "5"}, 200, "application/json", b"5"),
    "untyped: float": result_case("float", {"double": 0.5}, 200, "application/json", b"0.5"),
    "untyped: None": result_case("None", None, 200, None, b""),
    "untyped, async: dict": async_result_case(
        "dict", '{"data": "hi", "dataType": "text"}', 200, "text/plain", b"hi"
    ),
    "untyped, async: str": async_result_case("str", {"string": "h\xe9"}, 200, "text/plain", "h\xe9".encode()),
    "untyped, async: None": async_result_case("None", None, 200, None, b""),
}
