"""What a client of a subprotocol may do to which group.

Roles give a permission for every group, for those that fit a pattern, or for single ones. Grants and
revocations by REST override them for one group each, and one that undoes another leaves the roles as they
were. Connections with the same roles share them; few have overrides.

In a pattern ``?`` is one character and ``*`` any number of them, but not a dot; two or more ``*`` are any
number of any characters; ``\\`` takes ``*``, ``?`` and ``\\`` as they are. A pattern is matched with the
whole name, and with its case. All states of the match are the bits of one integer, so that a name costs its
length and no pattern can be made to take longer: clients choose the names.

Source: client spec, section 8; service spec, sections A.7 and B.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final
from weakref import WeakValueDictionary

from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import InvalidName, RestError
from webpubsub.model.names import MAX_GROUP_LENGTH, GroupName, parse_group_name

MAX_RULES: Final = 1000
MAX_PATTERNS: Final = 9  # Azure's ten less the one for all other groups
REMEMBERED_GROUPS: Final = 256  # clients choose names, so there may be any number

_ROLES: Final = {
    WebPubSubPermission.JOIN_LEAVE_GROUP: "webpubsub.joinLeaveGroup",
    WebPubSubPermission.SEND_TO_GROUP: "webpubsub.sendToGroup",
}

# A group, or what tells whether a group fits.
_Rule = GroupName | Callable[[str], bool] | None

MAX_ASTERISKS: Final = 5

_TOKEN: Final = re.compile(r"\\[*?\\]|\*++|[^\\*]", re.DOTALL)  # a run of asterisks is one, not many
_PATTERN: Final = re.compile(rf"(?:{_TOKEN.pattern})+", re.DOTALL)


class _RoleRules:
    """What roles say about one permission; never changes.

    Attributes:
        everywhere: They give it for every group.
        literals: The groups they name; none when they give it for every group.
        ignored: Roles whose pattern is none, and those over a limit.
    """

    __slots__ = ("_known", "_patterns", "everywhere", "ignored", "literals")

    def __init__(self, role: str, roles: Iterable[str]) -> None:
        self.everywhere = role in roles
        self.literals: set[GroupName] = set()
        self.ignored: list[str] = []
        self._patterns: list[Callable[[str], bool]] = []
        self._known: dict[GroupName, bool] = {}  # what the patterns said
        for given in () if self.everywhere else roles:
            try:
                is_taken = self._take(_rule(role, given))
            except InvalidName:
                is_taken = False
            if not is_taken:
                self.ignored.append(given)

    def _take(self, rule: _Rule) -> bool:
        """Add a rule unless it is over a limit."""
        if rule is None:
            return True
        if not isinstance(rule, str):
            if len(self._patterns) < MAX_PATTERNS:
                self._patterns.append(rule)
            return rule in self._patterns
        if len(self.literals) < MAX_RULES:
            self.literals.add(rule)
        return rule in self.literals

    def allow(self, group: GroupName) -> bool:
        if self.everywhere or group in self.literals:
            return True
        return bool(self._patterns) and self._fits(group)

    def _fits(self, group: GroupName) -> bool:
        known = self._known.get(group)
        if known is None:
            if len(self._known) >= REMEMBERED_GROUPS:
                self._known.clear()
            known = self._known[group] = any(matches(group) for matches in self._patterns)
        return known


def _rule(role: str, given: str) -> _Rule:
    """Return the group a role names, or what tells whether a group fits; None for a role of another kind.

    Raises:
        InvalidName: It is of this kind, but its group or pattern can be none.
    """
    if given.startswith(f"{role}."):
        return parse_group_name(given[len(role) + 1 :])
    if given.startswith(f"{role}s."):
        return parse_pattern(given[len(role) + 2 :])
    return None


class Roles:
    """The rules of a set of roles.

    Attributes:
        rules: By permission.
        ignored: The roles that give nothing: their pattern is none, or there are too many before them.
    """

    __slots__ = ("__weakref__", "ignored", "rules")

    def __init__(self, roles: Iterable[str]) -> None:
        ordered = sorted(roles)  # so that the limits take away the same ones each time
        self.rules = {permission: _RoleRules(role, ordered) for permission, role in _ROLES.items()}
        self.ignored = [role for rules in self.rules.values() for role in rules.ignored]


# Shared for as long as there is a connection that has them.
_shared: Final[WeakValueDictionary[frozenset[str], Roles]] = WeakValueDictionary()


def _shared_roles(roles: frozenset[str]) -> Roles:
    found = _shared.get(roles)
    if found is None:
        found = _shared[roles] = Roles(roles)
    return found


class Permissions:
    """The permissions of one connection.

    Attributes:
        roles: What its roles say.

    Example:
        >>> permissions = Permissions(["webpubsub.sendToGroups.room.*", "webpubsub.joinLeaveGroup.chess"])
        >>> permissions.allow(WebPubSubPermission.SEND_TO_GROUP, GroupName("room.1"))
        True
        >>> permissions.allow(WebPubSubPermission.JOIN_LEAVE_GROUP, GroupName("room.1"))
        False
    """

    __slots__ = ("_overrides", "roles")

    def __init__(self, roles: Iterable[str] = ()) -> None:
        """Start from role names; others than those of the two permissions mean nothing here."""
        self.roles = _shared_roles(frozenset(roles))
        self._overrides: dict[tuple[WebPubSubPermission, GroupName], bool] | None = None

    def allow(self, permission: WebPubSubPermission, group: GroupName) -> bool:
        if self._overrides:
            override = self._overrides.get((permission, group))
            if override is not None:
                return override
        rules = self.roles.rules[permission]
        return rules.everywhere or rules.allow(group)

    def grant(self, permission: WebPubSubPermission, group: GroupName) -> None:
        """Allow for one group.

        Raises:
            RestError: The connection would have more than 1,000 rules for single groups (409).
        """
        self._override(permission, group, allowed=True)

    def revoke(self, permission: WebPubSubPermission, group: GroupName) -> None:
        """Forbid for one group, whatever the roles say.

        Raises:
            RestError: The connection would have more than 1,000 rules for single groups (409).
        """
        self._override(permission, group, allowed=False)

    def _override(self, permission: WebPubSubPermission, group: GroupName, *, allowed: bool) -> None:
        if self.allow(permission, group) == allowed:
            return
        if self._overrides is None:
            self._overrides = {}
        if self._overrides.pop((permission, group), None) is not None:
            return  # it was an override of the opposite, so the roles say what is wanted
        if self._is_full(permission, group):
            raise _too_many(permission)
        self._overrides[permission, group] = allowed

    def _is_full(self, permission: WebPubSubPermission, group: GroupName) -> bool:
        """Whether a new rule for the group would be one too many; an override of a role's rule is none."""
        literals = self.roles.rules[permission].literals
        if group in literals or len(literals) + len(self._overrides or ()) < MAX_RULES:
            return False  # the latter spares most grants a look at all those before
        others = (kind is permission and group not in literals for kind, group in self._overrides or ())
        return len(literals) + sum(others) >= MAX_RULES


def _too_many(permission: WebPubSubPermission) -> RestError:
    return RestError(
        409,
        "Error.Connection.Conflict",
        f"The connection has {MAX_RULES} rules for {permission} already.",
        "Connection",
    )


def parse_pattern(text: str) -> GroupName | Callable[[str], bool]:
    r"""Return what tells whether a group's name fits; without wildcards, the only name that does.

    Raises:
        InvalidName: It is empty or longer than 1,024 characters, has more than 5 runs of asterisks, or a
            backslash before anything but ``*``, ``?`` and ``\``.

    Example:
        >>> matches = parse_pattern("room.*")
        >>> matches("room.chess"), matches("room.chess.1"), matches("Room.chess")
        (True, False, False)
        >>> parse_pattern(r"50\*2")
        '50*2'
    """
    if not text.strip() or len(text) > MAX_GROUP_LENGTH or not _PATTERN.fullmatch(text):
        raise InvalidName("pattern", text, r"1 to 1024 characters, and a backslash only before *, ? or \ ")
    tokens = _TOKEN.findall(text)
    if sum(token[0] == "*" for token in tokens) > MAX_ASTERISKS:
        raise InvalidName("pattern", text, f"at most {MAX_ASTERISKS} asterisks")
    if not any(token[0] in "*?" for token in tokens):
        return GroupName("".join(token[-1] for token in tokens))
    return _Matcher(tokens)


class _Matcher:
    """Bit ``n`` of a state: the first ``n`` tokens match what was read so far."""

    __slots__ = ("_accepts", "_accepts_any", "_end", "_loops", "_loops_any", "_stars")

    def __init__(self, tokens: list[str]) -> None:
        self._end = 1 << len(tokens)
        self._accepts: dict[str, int] = {}  # character -> the tokens that are it
        self._accepts_any = 0  # ... that are any character but a dot
        self._loops = self._loops_any = 0  # ... that stay for any character, and for any but a dot
        for at, token in enumerate(tokens):
            if token == "?":
                self._accepts_any |= 1 << at
            elif token[0] == "*":
                self._loops |= (len(token) > 1) << at
                self._loops_any |= 1 << at
            else:
                self._accepts[token[-1]] = self._accepts.get(token[-1], 0) | 1 << at
        self._stars = self._loops_any

    def __call__(self, name: str) -> bool:
        state = 1 | (self._stars & 1) << 1  # a star may stand for nothing
        for character in name:
            accepted, stays = self._accepts.get(character, 0), self._loops
            if character != ".":
                accepted, stays = accepted | self._accepts_any, self._loops_any
            state = (state & accepted) << 1 | state & stays
            state |= (state & self._stars) << 1
        return bool(state & self._end)
