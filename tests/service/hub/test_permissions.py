"""What clients may do to which group: client spec, section 8; service spec, A.7."""

from __future__ import annotations

import pytest

from kit.service_peers import group
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import RestError
from webpubsub.service.hub.permissions import MAX_PATTERNS, MAX_RULES, REMEMBERED_GROUPS, Permissions

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


# --- patterns -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "sends_to"),
    [
        (["webpubsub.sendToGroups.room.*"], {"room.a", "room.b"}),
        (["webpubsub.sendToGroups.room.**"], {"room.a", "room.b", "room.a.b"}),
        (["webpubsub.sendToGroups.**"], {"a", "room.a", "room.b", "room.a.b"}),
        (["webpubsub.sendToGroups.?"], {"a"}),
        (["webpubsub.sendToGroups.a"], {"a"}),  # a pattern may be a name
        (["webpubsub.sendToGroups.room.*", "webpubsub.sendToGroups.?"], {"a", "room.a", "room.b"}),
        (["webpubsub.sendToGroups.room.*", "webpubsub.sendToGroup.a"], {"a", "room.a", "room.b"}),
        (["webpubsub.sendToGroups.room.*", "webpubsub.sendToGroup"], {"a", "room.a", "room.b", "room.a.b"}),
        (["webpubsub.joinLeaveGroups.**"], set()),  # the other permission
        (["webpubsub.sendToGroups"], set()),
        (["webpubsub.sendToGroups."], set()),
        (["webpubsub.sendToGroups.\\", "webpubsub.sendToGroups.?"], {"a"}),  # no pattern, so passed over
        (["webpubsub.sendToGroups.*a*a*a*a*a*", "webpubsub.sendToGroups.?"], {"a"}),
    ],
)
def test_roles_give_permissions_by_patterns(roles: list[str], sends_to: set[str]) -> None:
    permissions = Permissions(roles)
    for _ in range(2):  # the second time they are remembered
        found = {
            name for name in ["a", "room.a", "room.b", "room.a.b"] if permissions.allow(SEND, group(name))
        }
        assert found == sends_to


@pytest.mark.parametrize(
    "role",
    [
        "webpubsub.sendToGroups.",
        "webpubsub.sendToGroups.\\a",
        "webpubsub.sendToGroups.*a*a*a*a*a*",
        "webpubsub.joinLeaveGroups.x" + "?" * 1024,
        "webpubsub.joinLeaveGroup. ",
        "webpubsub.sendToGroup.",
    ],
)
def test_what_roles_are_ignored(role: str) -> None:
    permissions = Permissions(["admin", "webpubsub.sendToGroups.?", role])
    assert permissions.roles.ignored == [role]
    assert permissions.allow(SEND, group("a"))


def test_only_the_first_nine_patterns_count() -> None:
    roles = [f"webpubsub.sendToGroups.{letter}*" for letter in "jihgfedcba"]
    permissions = Permissions(roles)
    assert permissions.roles.ignored == ["webpubsub.sendToGroups.j*"]
    allowed = [letter for letter in "abcdefghij" if permissions.allow(SEND, group(letter))]
    assert allowed == list("abcdefghi")
    assert len(allowed) == MAX_PATTERNS


@pytest.mark.parametrize("kind", ["webpubsub.sendToGroup.", "webpubsub.sendToGroups."])
def test_only_the_first_thousand_names_count(kind: str) -> None:
    permissions = Permissions([f"{kind}g{number:04}" for number in range(MAX_RULES + 1)])
    assert permissions.roles.ignored == [f"{kind}g1000"]
    assert permissions.allow(SEND, group("g0999"))
    assert not permissions.allow(SEND, group("g1000"))
    with pytest.raises(RestError, match="1000 rules for sendToGroup"):
        permissions.grant(SEND, group("one more"))
    permissions.revoke(SEND, group("g0000"))
    assert not permissions.allow(SEND, group("g0000"))
    permissions.grant(SEND, group("g0000"))
    assert permissions.allow(SEND, group("g0000"))


def test_a_role_for_every_group_needs_no_names() -> None:
    roles = [f"webpubsub.sendToGroup.g{number}" for number in range(MAX_RULES)]
    permissions = Permissions(["webpubsub.sendToGroup", *roles])
    permissions.revoke(SEND, group("g1"))  # which is the first rule of its own
    assert not permissions.allow(SEND, group("g1"))
    assert permissions.allow(SEND, group("anything"))


def test_a_revocation_wins_over_a_pattern_for_one_group() -> None:
    permissions = Permissions(["webpubsub.joinLeaveGroups.room.*"])
    permissions.revoke(JOIN, group("room.a"))
    assert not permissions.allow(JOIN, group("room.a"))
    assert permissions.allow(JOIN, group("room.b"))
    permissions.grant(JOIN, group("room.a"))
    assert permissions.allow(JOIN, group("room.a"))


@pytest.mark.parametrize("target", ["*", "room.*", "**", "ro?m"])
def test_grants_and_revocations_are_for_the_very_name(target: str) -> None:
    permissions = Permissions()
    permissions.grant(SEND, group(target))
    assert permissions.allow(SEND, group(target))
    assert not permissions.allow(SEND, group("room.a"))
    assert not permissions.allow(SEND, group("room"))
    everywhere = Permissions(["webpubsub.sendToGroup"])
    everywhere.revoke(SEND, group(target))
    assert not everywhere.allow(SEND, group(target))
    assert everywhere.allow(SEND, group("room"))


def test_connections_with_the_same_roles_do_not_share_what_rest_changed() -> None:
    roles = ["webpubsub.sendToGroups.room.*", "webpubsub.joinLeaveGroup.a"]
    one, other = Permissions(roles), Permissions(reversed(roles))
    one.revoke(SEND, group("room.a"))
    one.revoke(JOIN, group("a"))
    one.grant(JOIN, group("b"))
    assert other.allow(SEND, group("room.a"))
    assert other.allow(JOIN, group("a"))
    assert not other.allow(JOIN, group("b"))


def test_any_number_of_groups_may_be_asked_about() -> None:
    permissions = Permissions(["webpubsub.sendToGroups.room.*"])
    for number in range(2 * REMEMBERED_GROUPS + 1):
        assert permissions.allow(SEND, group(f"room.{number}"))
        assert not permissions.allow(SEND, group(f"lobby.{number}"))
    remembered = permissions.roles.rules[SEND]._known
    assert 0 < len(remembered) <= REMEMBERED_GROUPS
