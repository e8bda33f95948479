"""The data-plane REST API: ONE table that builds requests from values and parses requests into values.

A row is a value class (an action, or one of the questions below), its method, its path, its query and
the status of success. Paths stand below ``/api/hubs/{hub}``.

Source: service spec, sections A.2 to A.8; api-version 2024-12-01.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

import msgspec

from webpubsub.model import actions
from webpubsub.model.actions import SendAction, parse_permission
from webpubsub.model.connection_string import ClientProtocol
from webpubsub.model.errors import InvalidData, InvalidName, RestError
from webpubsub.model.names import (
    HubName,
    parse_connection_id,
    parse_group_name,
    parse_hub_name,
    parse_user_id,
)
from webpubsub.model.payload import Payload

__all__ = [
    "API_VERSIONS",
    "OPERATIONS",
    "ConnectionExists",
    "GenerateClientToken",
    "GroupExists",
    "Operation",
    "PermissionExists",
    "RestRequest",
    "UserExists",
    "build_request",
    "find_operation",
    "parse_api_version",
    "parse_value",
]

API_VERSIONS: Final = ("2021-10-01", "2022-11-01", "2023-07-01", "2024-01-01", "2024-12-01")
MAX_BODY_BYTES: Final = 1024 * 1024


class ConnectionExists(msgspec.Struct, frozen=True):
    """Is there such a connection?"""

    connection_id: str


class GroupExists(msgspec.Struct, frozen=True):
    """Does the group have a connection?"""

    group: str


class UserExists(msgspec.Struct, frozen=True):
    """Does the user have a connection?"""

    user_id: str


class PermissionExists(msgspec.Struct, frozen=True):
    """May the connection do this to the group ``target_name``?"""

    connection_id: str
    permission: str
    target_name: str


class GenerateClientToken(msgspec.Struct, frozen=True):
    """Make a client access token, valid for ``minutes_to_expire`` minutes."""

    user_id: str | None = None
    role: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    minutes_to_expire: int = 60
    client_type: ClientProtocol = ClientProtocol.DEFAULT


class Operation(msgspec.Struct, frozen=True):
    """One row of the REST table.

    Attributes:
        value: The class of what a request means.
        method: HTTP method.
        path: Template below ``/api/hubs/{hub}``; placeholders are attributes of ``value``.
        names: The placeholders of ``path``, in order.
        query: Attribute of ``value`` to query parameter.
        status: HTTP status of success.
    """

    value: type[Any]
    method: str
    path: str
    names: Sequence[str]
    query: Mapping[str, str]
    status: int

    @property
    def has_payload(self) -> bool:
        """Whether the body is a message."""
        return issubclass(self.value, SendAction)


class RestRequest(msgspec.Struct, frozen=True):
    """A request ready to be sent.

    Attributes:
        method: HTTP method.
        target: Path and query, percent-encoded, with the api-version.
        status: HTTP status of success.
        content_type: Of the body, or None without one.
        body: May be empty.
    """

    method: str
    target: str
    status: int
    content_type: str | None = None
    body: bytes = b""


_EXCLUDED: Final = {"excluded": "excluded"}
_REASON: Final = {"reason": "reason"}
_TARGET: Final = {"target_name": "targetName"}
_TOKEN: Final = {
    "user_id": "userId",
    "role": "role",
    "group": "group",
    "minutes_to_expire": "minutesToExpire",
    "client_type": "clientType",
}
_PERMISSION_PATH: Final = "permissions/{permission}/connections/{connection_id}"

_ROWS: Final[tuple[tuple[type[Any], str, str, Mapping[str, str], int], ...]] = (
    (actions.SendToAllAction, "POST", ":send", _EXCLUDED, 202),
    (actions.SendToGroupAction, "POST", "groups/{group}/:send", _EXCLUDED, 202),
    (actions.SendToUserAction, "POST", "users/{user_id}/:send", {}, 202),
    (actions.SendToConnectionAction, "POST", "connections/{connection_id}/:send", {}, 202),
    (actions.AddUserToGroupAction, "PUT", "users/{user_id}/groups/{group}", {}, 200),
    (actions.RemoveUserFromGroupAction, "DELETE", "users/{user_id}/groups/{group}", {}, 204),
    (actions.RemoveUserFromAllGroupsAction, "DELETE", "users/{user_id}/groups", {}, 204),
    (actions.AddConnectionToGroupAction, "PUT", "groups/{group}/connections/{connection_id}", {}, 200),
    (
        actions.RemoveConnectionFromGroupAction,
        "DELETE",
        "groups/{group}/connections/{connection_id}",
        {},
        204,
    ),
    (actions.CloseAllConnectionsAction, "POST", ":closeConnections", _EXCLUDED | _REASON, 204),
    (actions.CloseClientConnectionAction, "DELETE", "connections/{connection_id}", _REASON, 204),
    (
        actions.CloseGroupConnectionsAction,
        "POST",
        "groups/{group}/:closeConnections",
        _EXCLUDED | _REASON,
        204,
    ),
    (actions.GrantPermissionAction, "PUT", _PERMISSION_PATH, _TARGET, 200),
    (actions.RevokePermissionAction, "DELETE", _PERMISSION_PATH, _TARGET, 204),
    (PermissionExists, "HEAD", _PERMISSION_PATH, _TARGET, 200),
    (ConnectionExists, "HEAD", "connections/{connection_id}", {}, 200),
    (GroupExists, "HEAD", "groups/{group}", {}, 200),
    (UserExists, "HEAD", "users/{user_id}", {}, 200),
    (GenerateClientToken, "POST", ":generateToken", _TOKEN, 200),
)
OPERATIONS: Final = tuple(
    Operation(value, method, path, re.findall(r"{(\w+)}", path), query, status)
    for value, method, path, query, status in _ROWS
)

# How a path or query parameter becomes an attribute.
_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "connection_id": parse_connection_id,
    "group": parse_group_name,
    "user_id": parse_user_id,
    "permission": parse_permission,
    "target_name": parse_group_name,
}
# Query parameters that may be repeated.
_REPEATABLE: Final = {"excluded", "role", "group"}
# Attributes without which a value cannot be made.
_REQUIRED_QUERY: Final = {"target_name"}


# --- value -> request ---------------------------------------------------------------------------------


def build_request(hub: HubName, value: Any) -> RestRequest:
    """Return the REST request of an action or a question.

    Example:
        >>> request = build_request(HubName("chat"), actions.SendToGroupAction("a b", "hi", excluded=["c1"]))
        >>> request.target
        '/api/hubs/chat/groups/a%20b/:send?excluded=c1&api-version=2024-12-01'
    """
    operation = _BY_VALUE[type(value)]
    names = {name: quote(str(getattr(value, name)), safe="") for name in operation.names}
    query: list[tuple[str, str]] = []
    for attribute, parameter in operation.query.items():
        found = getattr(value, attribute)
        if isinstance(found, tuple):
            query += [(parameter, item) for item in found]
        elif found is not None:
            query.append((parameter, str(found)))
    query.append(("api-version", API_VERSIONS[-1]))
    path = f"/api/hubs/{quote(hub, safe='')}/{operation.path.format(**names)}"
    target = f"{path}?{urlencode(query, quote_via=quote)}"
    if isinstance(value, SendAction):
        payload = value.payload
        return RestRequest(operation.method, target, operation.status, payload.content_type, payload.body)
    return RestRequest(operation.method, target, operation.status)


# --- request -> value ---------------------------------------------------------------------------------


def find_operation(method: str, raw_path: bytes) -> tuple[HubName, Operation, dict[str, Any]] | None:
    """Return hub, row and path parameters of a request; None when no row has this method and path.

    Args:
        method: HTTP method.
        raw_path: The path as sent, percent-encoded. Each segment is decoded by itself, so a user ``a/b``
            sent as ``a%2Fb`` is the user ``a/b``.

    Raises:
        RestError: A name in the path is outside its rules (400).
    """
    segments = [_decode(segment) for segment in raw_path.split(b"/")]
    if len(segments) < 5 or segments[:3] != ["", "api", "hubs"]:
        return None
    below = segments[4:]
    operation = _BY_SHAPE.get((method, len(below), tuple(below[::2])))
    if operation is None:
        return None
    hub = _parsed("hub", parse_hub_name, segments[3])
    parameters = {
        name: _parsed(name, _PARSERS[name], text)
        for name, text in zip(operation.names, below[1::2], strict=True)
    }
    return HubName(hub), operation, parameters


def parse_query(text: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query string, name to values in order."""
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(text.decode("latin-1"), keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)
    return query


def parse_api_version(query: Mapping[str, Sequence[str]]) -> str:
    """Return the request's api-version; without one, the newest.

    Raises:
        RestError: It is unknown, or given twice.
    """
    found = query.get("api-version", [API_VERSIONS[-1]])
    if len(found) != 1 or found[0] not in API_VERSIONS:
        raise RestError(400, "Error.BadRequest", "The specified API version is not supported.", "api-version")
    return found[0]


def parse_parameters(operation: Operation, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the query's attributes of an operation's value.

    Raises:
        RestError: A parameter is repeated, missing, or outside its rules (400).
    """
    found: dict[str, Any] = {}
    for attribute, parameter in operation.query.items():
        values = query.get(parameter)
        if not values:
            if attribute in _REQUIRED_QUERY:
                raise RestError(400, "Error.BadRequest", f"'{parameter}' is required.", parameter)
        elif attribute in _REPEATABLE:
            parser = parse_group_name if attribute == "group" else str
            found[attribute] = tuple(_parsed(parameter, parser, value) for value in values)
        elif len(values) > 1:
            raise RestError(400, "Error.BadRequest", f"'{parameter}' is given more than once.", parameter)
        else:
            found[attribute] = _parsed(parameter, _QUERY_PARSERS.get(attribute, str), values[0])
    return found


def parse_value(operation: Operation, parameters: Mapping[str, Any], payload: Payload | None) -> Any:
    """Return the value a request means.

    Raises:
        RestError: The body is not what its content type says (400).
    """
    if payload is None:
        return operation.value(**parameters)
    try:
        return operation.value(**parameters, data=payload)
    except InvalidData as error:
        kind = "JSON" if payload.data_type == "json" else "text"
        raise RestError(400, "Error.BadRequest", f"The request body is not a valid {kind}.") from error


def _minutes(text: str) -> int:
    minutes = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if minutes < 1:
        raise InvalidName("minutesToExpire", text, "a whole number of at least 1")
    return minutes


def _client_type(text: str) -> ClientProtocol:
    try:
        return ClientProtocol(text)
    except ValueError:
        raise InvalidName("clientType", text, "'Default' or 'MQTT'") from None


_QUERY_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "target_name": parse_group_name,
    "minutes_to_expire": _minutes,
    "client_type": _client_type,
}


def _parsed(target: str, parser: Callable[[str], Any], text: str) -> Any:
    try:
        return parser(text)
    except InvalidName as error:
        raise RestError(400, "Error.BadRequest", f"{error}.", target) from error


def _decode(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode(errors="replace")


_BY_VALUE: Final = {operation.value: operation for operation in OPERATIONS}
# In every path, literals and placeholders alternate; so method, length and literals identify a row.
_BY_SHAPE: Final = {
    (operation.method, operation.path.count("/") + 1, tuple(operation.path.split("/")[::2])): operation
    for operation in OPERATIONS
}
