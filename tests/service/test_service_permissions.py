"""What clients may do to which group: client spec, section 8; service spec, A.7."""

from __future__ import annotations

import pytest

from service_peers import group
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import RestError
from webpubsub.service.permissions import MAX_RULES, Permissions

SEND = WebPubSubPermission.SEND_TO_GROUP
JOIN = WebPubSubPermission.JOIN_LEAVE_GROUP


@pytest.mark.parametrize(
    ("roles", "send_a", "send_b", "join_a"),
    [
        ([], False, False, False),
        (["webpubsub.sendToGroup"], True, True, False),
        (["webpubsub.joinLeaveGroup"], False, False, True),
        (["webpubsub.sendToGroup.a"], True, False, False),
        (["webpubsub.sendToGroup.b", "webpubsub.joinLeaveGroup.a"], False, True, True),
        (["webpubsub.sendToGroup.a", "webpubsub.sendToGroup"], True, True, False),
        (["WebPubSub.SendToGroup"], False, False, False),  # roles are case-sensitive
        (["webpubsub.sendToGroup.*"], False, False, False),  # a star is a name here
        (["webpubsub.sendToGroup.A"], False, False, False),
        (["admin", "", "webpubsub", "webpubsub.sendToGroupX"], False, False, False),
    ],
)
def test_roles_give_permissions(roles: list[str], send_a: bool, send_b: bool, join_a: bool) -> None:
    permissions = Permissions(roles)
    assert permissions.allow(SEND, group("a")) is send_a
    assert permissions.allow(SEND, group("b")) is send_b
    assert permissions.allow(JOIN, group("a")) is join_a


def test_everything_after_the_dot_is_the_groups_name() -> None:
    permissions = Permissions(["webpubsub.sendToGroup.a.b", "webpubsub.joinLeaveGroup.*"])
    assert permissions.allow(SEND, group("a.b"))
    assert not permissions.allow(SEND, group("a"))
    assert permissions.allow(JOIN, group("*"))


def test_a_grant_is_for_one_group_and_one_permission() -> None:
    permissions = Permissions()
    permissions.grant(SEND, group("a"))
    assert permissions.allow(SEND, group("a"))
    assert not permissions.allow(SEND, group("b"))
    assert not permissions.allow(JOIN, group("a"))


@pytest.mark.parametrize("role", ["webpubsub.sendToGroup", "webpubsub.sendToGroup.a"])
def test_a_revocation_wins_over_a_role_until_granted_again(role: str) -> None:
    permissions = Permissions([role])
    permissions.revoke(SEND, group("a"))
    permissions.revoke(SEND, group("a"))
    assert not permissions.allow(SEND, group("a"))
    assert permissions.allow(SEND, group("b")) is (role == "webpubsub.sendToGroup")
    permissions.grant(SEND, group("a"))
    assert permissions.allow(SEND, group("a"))


@pytest.mark.parametrize("roles", [[], ["webpubsub.joinLeaveGroup"]])
def test_more_than_a_thousand_rules_conflict_and_change_nothing(roles: list[str]) -> None:
    permissions = Permissions(roles)
    override = permissions.revoke if roles else permissions.grant
    for number in range(MAX_RULES):
        override(JOIN, group(str(number)))
    with pytest.raises(RestError) as caught:
        override(JOIN, group("one too many"))
    assert (caught.value.status, caught.value.code) == (409, "Error.Connection.Conflict")
    assert permissions.allow(JOIN, group("one too many")) is bool(roles)
    override(JOIN, group("5"))  # no new rule
    permissions.grant(SEND, group("a"))  # the other permission has its own thousand


def test_a_rule_taken_back_makes_room() -> None:
    permissions = Permissions()
    for number in range(MAX_RULES):
        permissions.grant(SEND, group(str(number)))
    permissions.revoke(SEND, group("0"))
    permissions.grant(SEND, group("new"))
    assert permissions.allow(SEND, group("new"))


def test_nothing_is_kept_of_what_changes_nothing() -> None:
    permissions = Permissions(["webpubsub.sendToGroup"])
    for number in range(2 * MAX_RULES):
        permissions.grant(SEND, group(str(number)))
        permissions.revoke(JOIN, group(str(number)))
    permissions.revoke(SEND, group("a"))
    assert not permissions.allow(SEND, group("a"))
