"""The output object."""

from __future__ import annotations

from collections.abc import Callable

import azure.functions as func
import pytest

from webpubsub.functions import Actions
from webpubsub.functions.did_you_mean import camel_case
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
from webpubsub.model.errors import InvalidData, InvalidName, UsageError

METHODS: list[tuple[Callable[[Actions], None], Action]] = [
    (
        lambda actions: actions.send_to_all("hi", filter="userId eq null", message_ttl_seconds=5),
        SendToAllAction("hi", filter="userId eq null", message_ttl_seconds=5),
    ),
    (
        lambda actions: actions.send_to_group("g", "hi", filter="userId eq null", metadata={"a": "b"}),
        SendToGroupAction("g", "hi", filter="userId eq null", metadata={"a": "b"}),
    ),
    (
        lambda actions: actions.send_to_user("u", "hi", filter="userId eq null", message_ttl_seconds=300),
        SendToUserAction("u", "hi", filter="userId eq null", message_ttl_seconds=300),
    ),
    (
        lambda actions: actions.send_to_connection("c", "hi", message_ttl_seconds=5, metadata={"a": "b"}),
        SendToConnectionAction("c", "hi", message_ttl_seconds=5, metadata={"a": "b"}),
    ),
    (
        lambda actions: actions.close_user_connections("u", excluded=["c"], reason="r"),
        CloseUserConnectionsAction("u", ["c"], "r"),
    ),
    (
        lambda actions: actions.remove_connection_from_all_groups("c"),
        RemoveConnectionFromAllGroupsAction("c"),
    ),
    (
        lambda actions: actions.add_connections_to_groups(["g"], "userId eq null"),
        AddConnectionsToGroupsAction(["g"], "userId eq null"),
    ),
    (
        lambda actions: actions.remove_connections_from_groups(["g", "h"]),
        RemoveConnectionsFromGroupsAction(["g", "h"]),
    ),
    (lambda actions: actions.send_to_all("hi"), SendToAllAction("hi")),
    (
        lambda actions: actions.send_to_all("5", "json", excluded=["c"]),
        SendToAllAction("5", "json", ["c"]),
    ),
    (
        lambda actions: actions.send_to_group("g", b"x", excluded=["c"]),
        SendToGroupAction("g", b"x", excluded=["c"]),
    ),
    (lambda actions: actions.send_to_user("u", {"a": 1}), SendToUserAction("u", {"a": 1})),
    (lambda actions: actions.send_to_connection("c", "hi", "text"), SendToConnectionAction("c", "hi")),
    (lambda actions: actions.add_user_to_group("u", "g"), AddUserToGroupAction("u", "g")),
    (lambda actions: actions.remove_user_from_group("u", "g"), RemoveUserFromGroupAction("u", "g")),
    (lambda actions: actions.remove_user_from_all_groups("u"), RemoveUserFromAllGroupsAction("u")),
    (lambda actions: actions.add_connection_to_group("c", "g"), AddConnectionToGroupAction("c", "g")),
    (
        lambda actions: actions.remove_connection_from_group("c", "g"),
        RemoveConnectionFromGroupAction("c", "g"),
    ),
    (
        lambda actions: actions.close_all_connections(excluded=["c"], reason="r"),
        CloseAllConnectionsAction(["c"], "r"),
    ),
    (lambda actions: actions.close_client_connection("c", "r"), CloseClientConnectionAction("c", "r")),
    (
        lambda actions: actions.close_group_connections("g", excluded=["c"], reason="r"),
        CloseGroupConnectionsAction("g", ["c"], "r"),
    ),
    (
        lambda actions: actions.grant_permission("c", "sendToGroup", "g"),
        GrantPermissionAction("c", "sendToGroup", "g"),
    ),
    (
        lambda actions: actions.revoke_permission("c", "joinLeaveGroup", "g"),
        RevokePermissionAction("c", "joinLeaveGroup", "g"),
    ),
]


@pytest.mark.parametrize(("tell", "action"), METHODS)
def test_a_method_adds_its_action(tell: Callable[[Actions], None], action: Action) -> None:
    actions = Actions()
    tell(actions)
    assert actions.items == (action,)


def test_every_action_has_a_method_and_a_test() -> None:
    assert {type(action) for _, action in METHODS} == set(ACTIONS.values())
    methods = {camel_case(name) for name in vars(Actions) if not name.startswith("_")}
    assert set(ACTIONS) <= methods


def test_actions_keep_their_order() -> None:
    actions = Actions()
    actions.send_to_all("a")
    actions.add(SendToAllAction("b"), {"actionName": "sendToAll", "data": "c"})
    actions.send_to_all("d")
    assert actions.items == tuple(SendToAllAction(each) for each in "abcd")


def test_set_replaces_and_get_returns() -> None:
    actions = Actions()
    actions.send_to_all("a")
    actions.set('[{"actionName": "sendToAll", "data": "b"}]')
    assert actions.get() == (SendToAllAction("b"),)
    actions.set(None)
    assert actions.get() == ()


def test_it_is_an_output_of_azure_functions() -> None:
    assert isinstance(Actions(), func.Out)


def test_what_cannot_be_performed_is_refused_where_it_is_told() -> None:
    actions = Actions()
    with pytest.raises(InvalidName):
        actions.send_to_group("", "hi")
    with pytest.raises(InvalidData):
        actions.send_to_all(object())
    with pytest.raises(UsageError, match=r"actions\[1\] is 5"):
        actions.add(SendToAllAction("hi"), 5)  # type: ignore[arg-type]
    assert actions.items == ()


def test_it_shows_its_actions() -> None:
    actions = Actions()
    actions.remove_user_from_all_groups("u")
    assert repr(actions) == "Actions([RemoveUserFromAllGroupsAction(user_id='u')])"
