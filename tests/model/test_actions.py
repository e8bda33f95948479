"""Actions: values made by functions."""

from __future__ import annotations

from typing import Any

import pytest

from webpubsub.model import actions
from webpubsub.model.actions import ACTIONS, Action, WebPubSubPermission, parse_permission
from webpubsub.model.errors import InvalidData, InvalidName
from webpubsub.model.payload import Payload, WebPubSubDataType

ONE_OF_EACH = [
    ("sendToAll", actions.SendToAllAction("hi", excluded=["c1"])),
    ("sendToGroup", actions.SendToGroupAction("g", {"a": 1})),
    ("sendToUser", actions.SendToUserAction("u", b"\x00")),
    ("sendToConnection", actions.SendToConnectionAction("c", "hi")),
    ("addUserToGroup", actions.AddUserToGroupAction("u", "g")),
    ("removeUserFromGroup", actions.RemoveUserFromGroupAction("u", "g")),
    ("removeUserFromAllGroups", actions.RemoveUserFromAllGroupsAction("u")),
    ("addConnectionToGroup", actions.AddConnectionToGroupAction("c", "g")),
    ("removeConnectionFromGroup", actions.RemoveConnectionFromGroupAction("c", "g")),
    ("closeAllConnections", actions.CloseAllConnectionsAction(["c1"], "bye")),
    ("closeClientConnection", actions.CloseClientConnectionAction("c", "bye")),
    ("closeGroupConnections", actions.CloseGroupConnectionsAction("g", ["c1"], "bye")),
    ("grantPermission", actions.GrantPermissionAction("c", "sendToGroup", "g")),
    ("revokePermission", actions.RevokePermissionAction("c", "joinLeaveGroup", "g")),
    ("closeUserConnections", actions.CloseUserConnectionsAction("u", ["c1"], "bye")),
    ("removeConnectionFromAllGroups", actions.RemoveConnectionFromAllGroupsAction("c")),
    ("addConnectionsToGroups", actions.AddConnectionsToGroupsAction(["g"], "userId eq 'u'")),
    ("removeConnectionsFromGroups", actions.RemoveConnectionsFromGroupsAction(["g"])),
]


@pytest.mark.parametrize(("name", "action"), ONE_OF_EACH)
def test_an_action_has_the_extensions_name(name: str, action: Action) -> None:
    assert type(action).action_name == name
    assert ACTIONS[name] is type(action)


def test_the_table_has_every_action() -> None:
    assert list(ACTIONS) == [name for name, _ in ONE_OF_EACH]


@pytest.mark.parametrize(
    ("action", "data", "data_type", "body"),
    [
        (actions.SendToAllAction("hi"), "hi", "text", b"hi"),
        (actions.SendToAllAction(b"\xff"), b"\xff", "binary", b"\xff"),
        (actions.SendToAllAction(bytearray(b"a")), b"a", "binary", b"a"),
        (actions.SendToAllAction("hi", "JSON"), Payload.of("hi", "json"), "json", b'"hi"'),
        (actions.SendToAllAction({"a": 1}), Payload.of({"a": 1}), "json", b'{"a":1}'),
        (actions.SendToAllAction(Payload.of("hi")), "hi", "text", b"hi"),
        (actions.SendToAllAction(None), Payload.of(None), "json", b"null"),
    ],
)
def test_data_is_normalised_once(
    action: actions.SendToAllAction, data: Any, data_type: str, body: bytes
) -> None:
    assert (action.data, action.data_type) == (data, data_type)
    assert action.payload == Payload(body, WebPubSubDataType(data_type))


def test_actions_that_mean_the_same_are_equal() -> None:
    assert actions.SendToAllAction("hi", excluded=["a"]) == actions.SendToAllAction(
        Payload(b"hi", WebPubSubDataType.TEXT), excluded=("a",)
    )
    assert len({actions.SendToAllAction({"a": 1}), actions.SendToAllAction({"a": 1})}) == 1


def test_an_action_does_not_change() -> None:
    with pytest.raises(AttributeError):
        actions.SendToAllAction("hi").data = "other"  # type: ignore[misc]


def test_what_is_sent_is_what_was_given() -> None:
    """A value changed afterwards is sent as it was."""
    data = {"a": 1}
    action = actions.SendToAllAction(data)
    data["a"] = 2
    assert action.payload.body == b'{"a":1}'


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (actions.SendToGroupAction, ("", "hi")),
        (actions.SendToUserAction, (None, "hi")),
        (actions.SendToConnectionAction, (" ", "hi")),
        (actions.AddUserToGroupAction, (None, "g")),
        (actions.AddUserToGroupAction, ("u", "")),
        (actions.RemoveUserFromGroupAction, ("", "g")),
        (actions.RemoveUserFromAllGroupsAction, ("",)),
        (actions.AddConnectionToGroupAction, ("", "g")),
        (actions.RemoveConnectionFromGroupAction, ("c", "")),
        (actions.CloseClientConnectionAction, ("",)),
        (actions.CloseGroupConnectionsAction, ("",)),
        (actions.GrantPermissionAction, ("", "sendToGroup", "g")),
        (actions.GrantPermissionAction, ("c", "everything", "g")),
        (actions.RevokePermissionAction, ("c", "sendToGroup", "")),
        (actions.SendToAllAction, ("hi", None, "c1")),
        (actions.SendToAllAction, ("hi", None, None)),
        (actions.SendToAllAction, ("hi", None, [None])),
        (actions.SendToGroupAction, ("g", "hi", None, 5)),
        (actions.CloseAllConnectionsAction, ("c1",)),
        (actions.CloseGroupConnectionsAction, ("g", "c1")),
        (actions.CloseUserConnectionsAction, ("",)),
        (actions.CloseUserConnectionsAction, ("u", "c1")),
        (actions.RemoveConnectionFromAllGroupsAction, (" ",)),
        (actions.AddConnectionsToGroupsAction, ([],)),
        (actions.AddConnectionsToGroupsAction, ("g",)),
        (actions.AddConnectionsToGroupsAction, (None,)),
        (actions.AddConnectionsToGroupsAction, (["g", ""],)),
        (actions.AddConnectionsToGroupsAction, (["g", None],)),
        (actions.RemoveConnectionsFromGroupsAction, (["g"], 5)),
        (actions.SendToAllAction, ("hi", None, (), 5)),
    ],
)
def test_a_name_that_cannot_be_is_refused_where_it_is_written(make: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidName):
        make(*arguments)


@pytest.mark.parametrize("seconds", [-1, 301, 1.5, "5", True])
def test_a_lifetime_is_a_number_of_seconds(seconds: Any) -> None:
    with pytest.raises(InvalidName, match="expected a whole number from 0 to 300"):
        actions.SendToConnectionAction("c", "hi", message_ttl_seconds=seconds)


@pytest.mark.parametrize("metadata", ["a", [("a", "b")], {"a": 1}, {1: "a"}, {"a": None}])
def test_metadata_is_names_with_texts(metadata: Any) -> None:
    with pytest.raises(InvalidName, match="expected names with texts"):
        actions.SendToAllAction("hi", metadata=metadata)


@pytest.mark.parametrize(
    "metadata", [{"a b": ""}, {"": "x"}, {"a": "é"}, {"a": "x" * 1025}, {"a": "1\r\nb: 2"}, {"a": "\x7f"}]
)
def test_metadata_outside_its_rules_is_refused(metadata: Any) -> None:
    with pytest.raises(InvalidData):
        actions.SendToAllAction("hi", metadata=metadata)


def test_options_that_ask_for_nothing_are_none() -> None:
    plain = actions.SendToAllAction("hi")
    assert actions.SendToAllAction("hi", filter="", message_ttl_seconds=None, metadata={}) == plain
    assert repr(plain) == "SendToAllAction(data='hi', data_type=<WebPubSubDataType.TEXT: 'text'>)"


def test_metadata_changed_afterwards_is_sent_as_it_was() -> None:
    metadata = {"a": "1"}
    action = actions.SendToGroupAction("g", "hi", metadata=metadata)
    metadata["a"] = "2"
    assert action.metadata == {"a": "1"}


@pytest.mark.parametrize(
    ("data", "data_type"), [(object(), None), (b"x", "text"), (Payload(b"{", WebPubSubDataType.JSON), None)]
)
def test_data_that_cannot_be_sent_is_refused_where_it_is_written(data: Any, data_type: str | None) -> None:
    with pytest.raises(InvalidData):
        actions.SendToAllAction(data, data_type)


@pytest.mark.parametrize(
    ("value", "permission"),
    [
        ("sendToGroup", WebPubSubPermission.SEND_TO_GROUP),
        ("SENDTOGROUP", WebPubSubPermission.SEND_TO_GROUP),
        ("1", WebPubSubPermission.SEND_TO_GROUP),
        (1, WebPubSubPermission.SEND_TO_GROUP),
        ("joinLeaveGroup", WebPubSubPermission.JOIN_LEAVE_GROUP),
        ("2", WebPubSubPermission.JOIN_LEAVE_GROUP),
        (2, WebPubSubPermission.JOIN_LEAVE_GROUP),
    ],
)
def test_a_permission_has_many_spellings(value: Any, permission: WebPubSubPermission) -> None:
    assert parse_permission(value) is permission


@pytest.mark.parametrize("value", ["", "send", "3", 0, 3, None, 1.5, []])
def test_other_permissions_are_refused(value: Any) -> None:
    with pytest.raises(InvalidName):
        parse_permission(value)
