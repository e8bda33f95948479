"""Actions as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.functions.host_json import decode_actions, encode_actions, read_actions
from webpubsub.model.actions import (
    ACTIONS,
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
from webpubsub.model.errors import UsageError

# Read in both directions.
VECTORS: list[tuple[Action, str]] = [
    (SendToAllAction("hi"), '{"actionName":"sendToAll","data":"hi","dataType":"text"}'),
    (
        SendToAllAction(b"hi", excluded=["c1"]),
        '{"actionName":"sendToAll","data":{"type":"Buffer","data":[104,105]},"dataType":"binary","excluded":["c1"]}',
    ),
    (
        SendToGroupAction("g", {"a": 1}),
        '{"actionName":"sendToGroup","group":"g","data":"{\\"a\\":1}","dataType":"json"}',
    ),
    (
        SendToUserAction("u", "", "text"),
        '{"actionName":"sendToUser","userId":"u","data":"","dataType":"text"}',
    ),
    (
        SendToConnectionAction("c", None),
        '{"actionName":"sendToConnection","connectionId":"c","data":"null","dataType":"json"}',
    ),
    (AddUserToGroupAction("u", "g"), '{"actionName":"addUserToGroup","userId":"u","group":"g"}'),
    (RemoveUserFromGroupAction("u", "g"), '{"actionName":"removeUserFromGroup","userId":"u","group":"g"}'),
    (RemoveUserFromAllGroupsAction("u"), '{"actionName":"removeUserFromAllGroups","userId":"u"}'),
    (
        AddConnectionToGroupAction("c", "g"),
        '{"actionName":"addConnectionToGroup","connectionId":"c","group":"g"}',
    ),
    (
        RemoveConnectionFromGroupAction("c", "g"),
        '{"actionName":"removeConnectionFromGroup","connectionId":"c","group":"g"}',
    ),
    (CloseAllConnectionsAction(), '{"actionName":"closeAllConnections"}'),
    (
        CloseAllConnectionsAction(["c"], "r"),
        '{"actionName":"closeAllConnections","excluded":["c"],"reason":"r"}',
    ),
    (
        CloseClientConnectionAction("c", "r"),
        '{"actionName":"closeClientConnection","connectionId":"c","reason":"r"}',
    ),
    (
        CloseGroupConnectionsAction("g", ["c"], "r"),
        '{"actionName":"closeGroupConnections","group":"g","excluded":["c"],"reason":"r"}',
    ),
    (
        GrantPermissionAction("c", "sendToGroup", "g"),
        '{"actionName":"grantPermission","connectionId":"c","permission":"sendToGroup","targetName":"g"}',
    ),
    (
        RevokePermissionAction("c", "joinLeaveGroup", "g"),
        '{"actionName":"revokePermission","connectionId":"c","permission":"joinLeaveGroup","targetName":"g"}',
    ),
    (
        CloseUserConnectionsAction("u", ["c"], "bye"),
        '{"actionName":"closeUserConnections","userId":"u","excluded":["c"],"reason":"bye"}',
    ),
    (
        RemoveConnectionFromAllGroupsAction("c"),
        '{"actionName":"removeConnectionFromAllGroups","connectionId":"c"}',
    ),
    (
        AddConnectionsToGroupsAction(["g", "h"], "userId eq 'u'"),
        """{"actionName":"addConnectionsToGroups","groups":["g","h"],"filter":"userId eq 'u'"}""",
    ),
    (
        RemoveConnectionsFromGroupsAction(["g"]),
        '{"actionName":"removeConnectionsFromGroups","groups":["g"]}',
    ),
    (
        SendToUserAction("u", "hi", filter="userId ne null", message_ttl_seconds=5, metadata={"a": "b"}),
        '{"actionName":"sendToUser","userId":"u","data":"hi","dataType":"text","filter":"userId ne null",'
        '"messageTtlSeconds":5,"metadata":{"a":"b"}}',
    ),
]


def test_every_action_has_a_vector() -> None:
    assert {type(action) for action, _ in VECTORS} == set(ACTIONS.values())


@pytest.mark.parametrize(("action", "text"), VECTORS)
def test_an_action_is_written(action: Action, text: str) -> None:
    assert encode_actions([action]) == f"[{text}]"


@pytest.mark.parametrize(("action", "text"), VECTORS)
@pytest.mark.parametrize("form", [str, str.encode, json.loads, lambda text: [json.loads(text)]])
def test_an_action_is_read(action: Action, text: str, form: Any) -> None:
    assert decode_actions(form(text)) == [action]


@pytest.mark.parametrize("value", [None, [], "[]", ()])
def test_no_action(value: Any) -> None:
    assert decode_actions(value) == []


def test_forms_may_be_mixed_in_one_list() -> None:
    value = [
        SendToAllAction("a"),
        {"actionName": "sendToAll", "data": "b"},
        '[{"actionName":"sendToAll","data":"c"}, {"actionName":"sendToAll","data":"d"}]',
    ]
    assert decode_actions(value) == [SendToAllAction(each) for each in "abcd"]


@pytest.mark.parametrize(
    ("value", "action"),
    [
        ({"ActionName": "SENDTOALL", "Data": "hi", "DATATYPE": "Text"}, SendToAllAction("hi")),
        ({"actionName": "sendToAll", "data": "hi", "unknown": 1}, SendToAllAction("hi")),
        (
            {"actionName": "sendToAll", "data": '{"b":1,"a":2}', "dataType": 1},
            SendToAllAction({"b": 1, "a": 2}),
        ),
        ({"actionName": "sendToAll", "data": {"answer": 42}}, SendToAllAction({"answer": 42})),
        ({"actionName": "sendToAll", "data": b"\x00"}, SendToAllAction(b"\x00")),
        ({"actionName": "sendToAll", "data": "x", "excluded": None}, SendToAllAction("x")),
        (
            {"actionName": "grantPermission", "connectionId": "c", "permission": 2, "targetName": "g"},
            GrantPermissionAction("c", "joinLeaveGroup", "g"),
        ),
        (
            {
                "actionName": "grantPermission",
                "connectionId": "c",
                "permission": "SendToGroup",
                "targetName": "g",
            },
            GrantPermissionAction("c", "sendToGroup", "g"),
        ),
    ],
)
def test_members_are_read_tolerantly(value: Any, action: Action) -> None:
    assert decode_actions(value) == [action]


def test_the_bytes_of_json_data_are_kept() -> None:
    (action,) = decode_actions({"actionName": "sendToAll", "data": '{"n": 1.50}', "dataType": "json"})
    assert isinstance(action, SendToAllAction)
    assert action.payload.body == b'{"n": 1.50}'


NAMES = ", ".join(ACTIONS)
EXPECTED = "expected actions, such as SendToAllAction('hi'), or their JSON objects"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            "hello",
            f"the text set on the output is not JSON: JSON is malformed: invalid character (byte "
            f"0); {EXPECTED}",
        ),
        ("5", f"the text set on the output is the JSON of 5: {EXPECTED}"),
        (5, f"actions[0] is 5 (int): {EXPECTED}"),
        ([{"actionName": "closeAllConnections"}, 5], f"actions[1] is 5 (int): {EXPECTED}"),
        ({"data": "hi"}, f"actions[0] has no 'actionName': expected one of {NAMES}"),
        (
            {"actionName": "sendToGrup"},
            f"actions[0] has the actionName 'sendToGrup': expected one of {NAMES}; did you mean "
            f"'sendToGroup'?",
        ),
        (
            {"actionName": "SendToAllAction"},
            f"actions[0] has the actionName 'SendToAllAction': expected one of {NAMES}; did you mean "
            "'sendToAll'?",
        ),
        ({"actionName": 1}, f"actions[0] has the actionName 1: expected one of {NAMES}"),
        (
            [SendToAllAction("x"), {"actionName": "sendToGroup", "data": "hi"}],
            "actions[1] (sendToGroup): 'group' is missing",
        ),
        (
            {"actionName": "sendToUser", "userId": 5, "data": "hi"},
            "actions[0] (sendToUser): 'userId' is 5: expected a string",
        ),
        (
            {"actionName": "sendToUser", "userId": " ", "data": "hi"},
            "actions[0] (sendToUser): ' ' is not a valid user id: expected at least one character that is "
            "not white space",
        ),
        (
            {"actionName": "closeClientConnection", "connectionId": "c", "reason": 5},
            "actions[0] (closeClientConnection): 'reason' is 5: expected a string",
        ),
        (
            {"actionName": "sendToAll", "data": "x", "excluded": "c1"},
            "actions[0] (sendToAll): 'c1' is not a valid excluded: expected a list of connection ids",
        ),
        (
            {"actionName": "addConnectionsToGroups"},
            "actions[0] (addConnectionsToGroups): 'groups' is missing: expected a list of group names",
        ),
        (
            {"actionName": "addConnectionsToGroups", "groups": "g"},
            "actions[0] (addConnectionsToGroups): 'g' is not a valid groups: expected a list of group names",
        ),
        (
            {"actionName": "sendToAll", "data": "x", "filter": 1},
            "actions[0] (sendToAll): 'filter' is 1: expected a string",
        ),
        (
            {"actionName": "sendToAll", "data": "x", "messageTtlSeconds": "5"},
            "actions[0] (sendToAll): '5' is not a valid messageTtlSeconds: expected a whole number from 0 to "
            "300",
        ),
        (
            {"actionName": "grantPermission", "connectionId": "c", "targetName": "g"},
            "actions[0] (grantPermission): 'permission' is missing: expected 'sendToGroup' or "
            "'joinLeaveGroup'",
        ),
        (
            {"actionName": "grantPermission", "connectionId": "c", "permission": 3, "targetName": "g"},
            "actions[0] (grantPermission): 3 is not a valid permission: expected 'sendToGroup' or "
            "'joinLeaveGroup'",
        ),
        (
            {"actionName": "sendToAll"},
            "actions[0] (sendToAll): 'data' is missing or null: expected a string or a Buffer object",
        ),
        (
            {"actionName": "sendToAll", "data": "aGk=", "dataType": "binary"},
            "actions[0] (sendToAll): 'data' is a string with dataType 'binary': expected bytes or a Buffer "
            'object {"type": "Buffer", "data": [...]}',
        ),
        (
            {"actionName": "sendToAll", "data": {"a": 1}, "dataType": "json"},
            "actions[0] (sendToAll): 'data' is a dict with dataType 'json': expected JSON as a string, so "
            "stringify it with json.dumps(...), or leave dataType out to send the value as its JSON",
        ),
    ],
)
def test_what_is_no_action(value: Any, text: str) -> None:
    with pytest.raises(UsageError) as raised:
        decode_actions(value)
    assert str(raised.value) == text


@given(
    st.lists(
        st.builds(
            SendToGroupAction,
            st.just("g"),
            st.one_of(st.text(st.characters(codec="utf-8")), st.binary(), st.lists(st.booleans())),
            excluded=st.lists(st.text("abc", min_size=1)),
        )
    )
)
def test_what_is_written_is_read_back(actions: list[Action]) -> None:
    assert decode_actions(encode_actions(actions)) == actions


def test_actions_before_a_mistake_are_read() -> None:
    actions = read_actions([{"actionName": "sendToAll", "data": "hi"}, {"actionName": "nope"}])
    assert next(actions) == SendToAllAction("hi")
    with pytest.raises(UsageError, match=r"actions\[1\] has the actionName 'nope'"):
        next(actions)


def test_a_list_in_itself_is_told() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(UsageError, match="nested too deep"):
        decode_actions(endless)


def test_text_with_lone_surrogates_is_no_json() -> None:
    with pytest.raises(UsageError, match="is not JSON"):
        decode_actions('["\ud800"]')
