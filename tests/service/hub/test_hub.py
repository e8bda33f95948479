"""A hub's books, and what actions do to them: service spec, A.4 and A.7."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from kit.service_peers import CHAT, connection, group, raw_connection
from webpubsub.model import actions, rest
from webpubsub.model.errors import RestError
from webpubsub.model.names import UserId
from webpubsub.model.payload import Payload
from webpubsub.service.hub.connection import Connection
from webpubsub.service.hub.effects import Close, Deliver, Effects
from webpubsub.service.hub.hub import _ANSWER, _PERFORM, Hub
from webpubsub.service.protocols.messages import Message


def sent(effects: Effects) -> dict[str, bytes]:
    """Connection id -> the frame it gets."""
    frames: dict[str, bytes] = {}
    for effect in effects:
        assert isinstance(effect, Deliver)
        for receiver in effect.receivers:
            assert receiver.id not in frames
            assert isinstance(effect.frame, bytes)
            frames[receiver.id] = effect.frame
    return frames


def closed(effects: Effects) -> dict[str, tuple[int, str, str]]:
    return {
        effect.connection.id: (effect.code, effect.reason, effect.text)
        for effect in effects
        if isinstance(effect, Close)
    }


def frame(body: str) -> bytes:
    return b"\x81" + bytes([len(body)]) + body.encode()


@pytest.fixture
def hub() -> Hub:
    """A JSON client and a raw one of alice, a JSON client of bob, and somebody anonymous.

    In the group ``room``: alice's JSON client, her raw one, and bob.
    """
    hub = Hub(CHAT)
    hub.add(connection("j-alice", "alice"), [group("room")])
    hub.add(raw_connection("r-alice", "alice"), [group("room")])
    hub.add(connection("j-bob", "bob"), [group("room"), group("other")])
    hub.add(connection("j-nobody"))
    return hub


# --- sends --------------------------------------------------------------------------------------------

SERVER_HI = frame('{"type":"message","from":"server","dataType":"text","data":"hi"}')
GROUP_HI = frame('{"type":"message","from":"group","group":"room","dataType":"text","data":"hi"}')
RAW_HI = b"\x81\x02hi"


def test_send_to_all(hub: Hub) -> None:
    assert sent(hub.perform(actions.SendToAllAction("hi"))) == {
        "j-alice": SERVER_HI,
        "r-alice": RAW_HI,
        "j-bob": SERVER_HI,
        "j-nobody": SERVER_HI,
    }
    excluded = actions.SendToAllAction("hi", excluded=["j-bob", "r-alice", "stranger"])
    assert sent(hub.perform(excluded)) == {"j-alice": SERVER_HI, "j-nobody": SERVER_HI}


def test_send_to_group_names_the_group_and_no_user(hub: Hub) -> None:
    expected = {"j-alice": GROUP_HI, "r-alice": RAW_HI, "j-bob": GROUP_HI}
    assert sent(hub.perform(actions.SendToGroupAction("room", "hi"))) == expected
    excluded = actions.SendToGroupAction("room", "hi", excluded=["j-alice"])
    assert sent(hub.perform(excluded)) == {"r-alice": RAW_HI, "j-bob": GROUP_HI}
    assert sent(hub.perform(actions.SendToGroupAction("ROOM", "hi"))) == {}


def test_send_to_user_reaches_all_her_connections(hub: Hub) -> None:
    found = sent(hub.perform(actions.SendToUserAction("alice", b"\x01")))
    assert found == {
        "j-alice": frame('{"type":"message","from":"server","dataType":"binary","data":"AQ=="}'),
        "r-alice": b"\x82\x01\x01",
    }
    assert sent(hub.perform(actions.SendToUserAction("Alice", "hi"))) == {}


def test_send_to_connection_is_fire_and_forget(hub: Hub) -> None:
    assert sent(hub.perform(actions.SendToConnectionAction("r-alice", {"a": 1}))) == {
        "r-alice": b'\x81\x07{"a":1}'
    }
    assert hub.perform(actions.SendToConnectionAction("gone", "hi")) == []


def test_a_message_is_encoded_once_for_each_codec(hub: Hub) -> None:
    effects = hub.perform(actions.SendToAllAction("hi"))
    assert len(effects) == 2


def test_publish_names_the_user_it_comes_from(hub: Hub) -> None:
    message = Message(Payload.of("hi"), group("other"), UserId("alice"))
    effects = hub.publish(hub.groups[group("other")], message, ("j-alice",))
    body = (
        '{"type":"message","from":"group","group":"other","fromUserId":"alice","dataType":"text","data":"hi"}'
    )
    assert sent(effects) == {"j-bob": frame(body)}


# --- groups -------------------------------------------------------------------------------------------


def groups(hub: Hub) -> dict[str, set[str]]:
    return {name: {member.id for member in members} for name, members in hub.groups.items()}


def test_add_user_to_group(hub: Hub) -> None:
    assert hub.perform(actions.AddUserToGroupAction("alice", "new")) == []
    assert groups(hub)["new"] == {"j-alice", "r-alice"}


def test_remove_user_from_group(hub: Hub) -> None:
    assert hub.perform(actions.RemoveUserFromGroupAction("alice", "room")) == []
    assert groups(hub)["room"] == {"j-bob"}
    assert hub.perform(actions.RemoveUserFromGroupAction("nobody", "room")) == []
    assert hub.perform(actions.RemoveUserFromGroupAction("alice", "nowhere")) == []


def test_remove_user_from_all_groups(hub: Hub) -> None:
    assert hub.perform(actions.RemoveUserFromAllGroupsAction("bob")) == []
    assert groups(hub) == {"room": {"j-alice", "r-alice"}}
    assert hub.perform(actions.RemoveUserFromAllGroupsAction("nobody")) == []


def test_add_connection_to_group(hub: Hub) -> None:
    add = actions.AddConnectionToGroupAction("j-nobody", "new")
    assert hub.perform(add) == hub.perform(add) == []
    assert groups(hub)["new"] == {"j-nobody"}


def test_remove_connection_from_group(hub: Hub) -> None:
    assert hub.perform(actions.RemoveConnectionFromGroupAction("j-bob", "other")) == []
    assert "other" not in groups(hub)
    assert hub.perform(actions.RemoveConnectionFromGroupAction("j-bob", "other")) == []
    assert hub.perform(actions.RemoveConnectionFromGroupAction("gone", "room")) == []


# --- closes -------------------------------------------------------------------------------------------

BYE = (1000, "Application server closed the connection.", "")
LUNCH = (1000, "Application server closed the connection. Reason: lunch", "")


def test_close_all(hub: Hub) -> None:
    assert closed(hub.perform(actions.CloseAllConnectionsAction())) == dict.fromkeys(hub.connections, BYE)
    found = closed(hub.perform(actions.CloseAllConnectionsAction(excluded=["j-bob", "x"], reason="lunch")))
    assert found == {"j-alice": LUNCH, "r-alice": LUNCH, "j-nobody": LUNCH}


def test_close_group(hub: Hub) -> None:
    found = closed(hub.perform(actions.CloseGroupConnectionsAction("room", excluded=["j-bob"])))
    assert found == {"j-alice": BYE, "r-alice": BYE}
    assert hub.perform(actions.CloseGroupConnectionsAction("nowhere")) == []


def test_close_one(hub: Hub) -> None:
    found = hub.perform(actions.CloseClientConnectionAction("j-bob", reason="lunch"))
    assert closed(found) == {"j-bob": LUNCH}
    assert closed(hub.perform(actions.CloseClientConnectionAction("j-bob", reason=""))) == {"j-bob": BYE}
    assert hub.perform(actions.CloseClientConnectionAction("gone")) == []


def test_closing_does_not_change_the_books_by_itself(hub: Hub) -> None:
    hub.perform(actions.CloseAllConnectionsAction())
    assert len(hub.connections) == 4


# --- permissions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", ["sendToGroup", "joinLeaveGroup", "SENDTOGROUP"])
def test_permissions_are_granted_asked_for_and_revoked(hub: Hub, permission: str) -> None:
    question = rest.PermissionExists("j-bob", permission, "vip")
    with pytest.raises(RestError) as caught:
        hub.ask(question)
    assert (caught.value.status, caught.value.code) == (404, "Info.Connection.NotExisted")
    assert hub.perform(actions.GrantPermissionAction("j-bob", permission, "vip")) == []
    assert hub.ask(question) is None
    assert hub.perform(actions.RevokePermissionAction("j-bob", permission, "vip")) == []
    with pytest.raises(RestError):
        hub.ask(question)


def test_a_revocation_does_not_take_out_of_the_group(hub: Hub) -> None:
    hub.perform(actions.RevokePermissionAction("j-bob", "joinLeaveGroup", "room"))
    assert "j-bob" in groups(hub)["room"]


def test_revoking_from_nobody_is_fine(hub: Hub) -> None:
    assert hub.perform(actions.RevokePermissionAction("gone", "sendToGroup", "room")) == []


def test_too_many_rules_conflict(hub: Hub) -> None:
    for number in range(1000):
        hub.perform(actions.GrantPermissionAction("j-bob", "sendToGroup", f"g{number}"))
    with pytest.raises(RestError) as caught:
        hub.perform(actions.GrantPermissionAction("j-bob", "sendToGroup", "more"))
    assert caught.value.status == 409


# --- questions, and what is not found -----------------------------------------------------------------


@pytest.mark.parametrize(
    "question",
    [rest.ConnectionExists("j-bob"), rest.GroupExists("other"), rest.UserExists("bob")],
)
def test_yes_is_silence(hub: Hub, question: Any) -> None:
    assert hub.ask(question) is None


@pytest.mark.parametrize(
    ("value", "code", "message", "target"),
    [
        (
            rest.ConnectionExists("gone"),
            "Warning.Connection.NotExisted",
            "Connection `gone` is not found.",
            "Connection",
        ),
        (rest.GroupExists("gone"), "Warning.Group.NotExisted", "Group `gone` is not found.", "Group"),
        (rest.UserExists("gone"), "Warning.User.NotExisted", "User `gone` is not found.", "User"),
        (
            rest.PermissionExists("gone", "sendToGroup", "g"),
            "Info.Connection.NotExisted",
            "Connection `gone` is not found.",
            "Connection",
        ),
        (
            actions.GrantPermissionAction("gone", "sendToGroup", "g"),
            "Info.Connection.NotExisted",
            "Connection `gone` is not found.",
            "Connection",
        ),
        (
            actions.AddConnectionToGroupAction("gone", "g"),
            "Error.Connection.NotExisted",
            "Connection `gone` is not found.",
            "Connection",
        ),
        (
            actions.AddUserToGroupAction("gone", "g"),
            "Error.User.NotExisted",
            "User `gone` is not found.",
            "User",
        ),
    ],
)
def test_what_is_not_found_is_404(hub: Hub, value: Any, code: str, message: str, target: str) -> None:
    with pytest.raises(RestError) as caught:
        hub.perform(value) if isinstance(value, actions.Action) else hub.ask(value)
    error = caught.value
    assert (error.status, error.code, str(error), error.target) == (404, code, message, target)
    assert "g" not in hub.groups


def test_every_action_and_question_has_its_row() -> None:
    operations = {operation.value for operation in rest.OPERATIONS}
    operations -= {rest.GenerateClientToken}  # no business of a hub
    assert {*_PERFORM, *_ANSWER} == operations
    assert _PERFORM.keys().isdisjoint(_ANSWER)
    assert set(actions.ACTIONS.values()) <= operations


# --- membership ---------------------------------------------------------------------------------------


def test_who_leaves_is_nowhere_any_more(hub: Hub) -> None:
    bob = hub.connections["j-bob"]  # type: ignore[index]
    assert hub.remove(bob)
    assert not hub.remove(bob)
    assert bob.groups == {}
    assert set(hub.users) == {"alice"}
    assert groups(hub) == {"room": {"j-alice", "r-alice"}}


def test_joining_twice_is_joining_once(hub: Hub) -> None:
    bob = hub.connections["j-bob"]  # type: ignore[index]
    hub.join(bob, group("room"))
    assert len(hub.groups[group("room")]) == 3
    hub.leave(bob, group("room"))
    hub.leave(bob, group("room"))
    assert "j-bob" not in groups(hub)["room"]


_group_names = st.sampled_from(["g", "h", "i"])
_users = st.sampled_from([None, "", "alice", "bob"])


class HubMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, all indexes tell the same story."""

    clients = Bundle("clients")

    @initialize()
    def start(self) -> None:
        self.hub = Hub(CHAT)
        self.members: dict[Connection, set[str]] = {}
        self.made = 0

    @rule(target=clients, user=_users, is_raw=st.booleans(), joins=st.lists(_group_names))
    def add(self, user: str | None, is_raw: bool, joins: list[str]) -> Connection:
        make = raw_connection if is_raw else connection
        self.made += 1
        client = make(f"c{self.made}", user)
        self.hub.add(client, [group(name) for name in joins])
        self.members[client] = set(joins)
        return client

    @rule(client=consumes(clients))
    def remove(self, client: Connection) -> None:
        assert self.hub.remove(client)
        assert not self.hub.remove(client)
        del self.members[client]

    @rule(client=clients, name=_group_names)
    def join(self, client: Connection, name: str) -> None:
        self.hub.join(client, group(name))
        self.members[client].add(name)

    @rule(client=clients, name=_group_names)
    def leave(self, client: Connection, name: str) -> None:
        self.hub.leave(client, group(name))
        self.members[client].discard(name)

    @rule(user=st.sampled_from(["alice", "bob", "carol"]), name=_group_names)
    def add_user(self, user: str, name: str) -> None:
        theirs = [client for client in self.members if client.user_id == user]
        action = actions.AddUserToGroupAction(user, name)
        if theirs:
            self.hub.perform(action)
        else:
            with pytest.raises(RestError):
                self.hub.perform(action)
        for client in theirs:
            self.members[client].add(name)

    @rule(user=st.sampled_from(["alice", "bob"]), name=_group_names)
    def remove_user(self, user: str, name: str) -> None:
        self.hub.perform(actions.RemoveUserFromGroupAction(user, name))
        for client in self.members:
            if client.user_id == user:
                self.members[client].discard(name)

    @rule(user=st.sampled_from(["alice", "bob"]))
    def remove_user_from_all(self, user: str) -> None:
        self.hub.perform(actions.RemoveUserFromAllGroupsAction(user))
        for client in self.members:
            if client.user_id == user:
                self.members[client].clear()

    @rule(client=clients, name=_group_names, is_in=st.booleans())
    def move(self, client: Connection, name: str, is_in: bool) -> None:
        if is_in:
            self.hub.perform(actions.AddConnectionToGroupAction(client.id, name))
            self.members[client].add(name)
        else:
            self.hub.perform(actions.RemoveConnectionFromGroupAction(client.id, name))
            self.members[client].discard(name)

    @rule(name=_group_names, left_out=st.lists(clients, max_size=2))
    def send_to_group(self, name: str, left_out: list[Connection]) -> None:
        excluded = [client.id for client in left_out]
        found = sent(self.hub.perform(actions.SendToGroupAction(name, "hi", excluded=excluded)))
        expected = {client.id for client, joined in self.members.items() if name in joined} - set(excluded)
        assert set(found) == expected

    @rule()
    def send_to_all(self) -> None:
        assert set(sent(self.hub.perform(actions.SendToAllAction("hi")))) == {c.id for c in self.members}

    @invariant()
    def the_indexes_agree(self) -> None:
        hub = self.hub
        assert hub.connections == {client.id: client for client in self.members}
        assert set(hub.everybody) == set(self.members)
        for client, joined in self.members.items():
            assert set(client.groups) == joined
        assert {name: set(found) for name, found in hub.groups.items()} == _by(
            (name, client) for client, joined in self.members.items() for name in joined
        )
        assert {name: set(found) for name, found in hub.users.items()} == _by(
            (client.user_id, client) for client in self.members if client.user_id is not None
        )
        for audience in (hub.everybody, *hub.groups.values(), *hub.users.values()):
            assert all(audience.by_codec.values()), "a codec without members stays behind"
            for codec, members in audience.by_codec.items():
                assert all(member.codec is codec for member in members.values())


def _by(pairs: Any) -> dict[Any, set[Connection]]:
    found: dict[Any, set[Connection]] = {}
    for name, client in pairs:
        found.setdefault(name, set()).add(client)
    return found


TestHubMachine = HubMachine.TestCase
