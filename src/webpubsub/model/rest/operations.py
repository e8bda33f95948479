"""The data-plane REST API: ONE table that builds requests from values and parses requests into values.

A row is a value class (an action, or a question of `actions`), its method, its path, its query and
the status of success. Paths stand below ``/api/hubs/{hub}``. What is in neither path nor query is the body:
the data of a message, or the members of a JSON object.

Source: service spec, sections A.2 to A.8; api-version 2024-12-01.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlencode

import msgspec

from webpubsub.model import actions
from webpubsub.model.actions import (
    SendAction,
)
from webpubsub.model.errors import InvalidData, InvalidName
from webpubsub.model.http import RawHeaders
from webpubsub.model.metadata import build_metadata_headers, parse_metadata_headers
from webpubsub.model.names import HubName, parse_hub_name
from webpubsub.model.payload import CONTENT_TYPES, MALFORMED_JSON, Payload
from webpubsub.model.rest.rest_parameters import (
    API_VERSIONS,
    bad_request,
    decode_segment,
    parse_in_path,
    parse_in_query,
    refused,
)


class Operation(msgspec.Struct, frozen=True, eq=False):
    """One row of the REST table.

    Attributes:
        value: The class of what a request means.
        method: HTTP method.
        path: Template below ``/api/hubs/{hub}``; placeholders are attributes of ``value``.
        names: The placeholders of ``path``, in order.
        query: Attribute of ``value`` to query parameter.
        status: HTTP status of success.
        members: The attributes that are members of a JSON object in the body.
        has_payload: Whether the body is a message.
        attributes: All that stand in path and query.
    """

    value: type[Any]
    method: str
    path: str
    names: Sequence[str]
    query: Mapping[str, str]
    status: int
    members: Sequence[str] = ()
    has_payload: bool = False
    attributes: Sequence[str] = ()


class RestRequest(msgspec.Struct, frozen=True):
    """A request ready to be sent.

    Attributes:
        method: HTTP method.
        target: Path and query, percent-encoded, with the api-version.
        status: HTTP status of success.
        content_type: Of the body, or None without one.
        body: May be empty.
        headers: Further headers.
    """

    method: str
    target: str
    status: int
    content_type: str | None = None
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = ()


_EXCLUDED: Final = {"excluded": "excluded"}
_FILTER: Final = {"filter": "filter"}
_TTL: Final = {"message_ttl_seconds": "messageTtlSeconds"}
_REASON: Final = {"reason": "reason"}
_TARGET: Final = {"target_name": "targetName"}
_TOKEN: Final = {
    "user_id": "userId",
    "role": "role",
    "group": "group",
    "minutes_to_expire": "minutesToExpire",
    "client_type": "clientType",
}
_PAGE: Final = {"maxpagesize": "maxpagesize", "top": "top", "continuation_token": "continuationToken"}
_CONNECTION: Final = "connections/{connection_id}"
_IN_GROUP: Final = "groups/{group}/connections"
_MEMBERSHIP: Final = "groups/{group}/connections/{connection_id}"
_USER_IN_GROUP: Final = "users/{user_id}/groups/{group}"
_PERMISSION: Final = "permissions/{permission}/connections/{connection_id}"
_BULK: Final = ("groups", "filter")

_ROWS: Final[Sequence[tuple[type[Any], str, str, Mapping[str, str], int]]] = (
    (actions.SendToAllAction, "POST", ":send", _EXCLUDED | _FILTER | _TTL, 202),
    (actions.SendToGroupAction, "POST", "groups/{group}/:send", _EXCLUDED | _FILTER | _TTL, 202),
    (actions.SendToUserAction, "POST", "users/{user_id}/:send", _FILTER | _TTL, 202),
    (actions.SendToConnectionAction, "POST", f"{_CONNECTION}/:send", _TTL, 202),
    (actions.AddUserToGroupAction, "PUT", _USER_IN_GROUP, {}, 200),
    (actions.RemoveUserFromGroupAction, "DELETE", _USER_IN_GROUP, {}, 204),
    (actions.RemoveUserFromAllGroupsAction, "DELETE", "users/{user_id}/groups", {}, 204),
    (actions.AddConnectionToGroupAction, "PUT", _MEMBERSHIP, {}, 200),
    (actions.RemoveConnectionFromGroupAction, "DELETE", _MEMBERSHIP, {}, 204),
    (actions.RemoveConnectionFromAllGroupsAction, "DELETE", f"{_CONNECTION}/groups", {}, 204),
    (actions.AddConnectionsToGroupsAction, "POST", ":addToGroups", {}, 200),
    (actions.RemoveConnectionsFromGroupsAction, "POST", ":removeFromGroups", {}, 200),
    (actions.CloseAllConnectionsAction, "POST", ":closeConnections", _EXCLUDED | _REASON, 204),
    (actions.CloseClientConnectionAction, "DELETE", _CONNECTION, _REASON, 204),
    (
        actions.CloseGroupConnectionsAction,
        "POST",
        "groups/{group}/:closeConnections",
        _EXCLUDED | _REASON,
        204,
    ),
    (
        actions.CloseUserConnectionsAction,
        "POST",
        "users/{user_id}/:closeConnections",
        _EXCLUDED | _REASON,
        204,
    ),
    (actions.GrantPermissionAction, "PUT", _PERMISSION, _TARGET, 200),
    (actions.RevokePermissionAction, "DELETE", _PERMISSION, _TARGET, 204),
    (actions.PermissionExists, "HEAD", _PERMISSION, _TARGET, 200),
    (actions.ConnectionExists, "HEAD", _CONNECTION, {}, 200),
    (actions.GroupExists, "HEAD", "groups/{group}", {}, 200),
    (actions.UserExists, "HEAD", "users/{user_id}", {}, 200),
    (actions.ListConnections, "GET", _IN_GROUP, _PAGE, 200),
    (actions.GenerateClientToken, "POST", ":generateToken", _TOKEN, 200),
)
_JSON_BODIES: Final[Mapping[type[Any], Sequence[str]]] = {
    actions.AddConnectionsToGroupsAction: _BULK,
    actions.RemoveConnectionsFromGroupsAction: _BULK,
}


def _names_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


OPERATIONS: Final = tuple(
    Operation(
        value,
        method,
        path,
        _names_in(path),
        query,
        status,
        _JSON_BODIES.get(value, ()),
        issubclass(value, SendAction),
        (*_names_in(path), *query),
    )
    for value, method, path, query, status in _ROWS
)

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
    target = _target(operation, hub, tuple([getattr(value, name) for name in operation.attributes]))
    if isinstance(value, SendAction):
        payload = value.payload
        headers = build_metadata_headers(value.metadata) if value.metadata else ()
        return RestRequest(
            operation.method,
            target,
            operation.status,
            CONTENT_TYPES[payload.data_type],
            payload.body,
            headers,
        )
    if operation.members:
        members = {name: found for name in operation.members if (found := getattr(value, name)) is not None}
        body = Payload.of(members)
        return RestRequest(operation.method, target, operation.status, body.content_type, body.body)
    return RestRequest(operation.method, target, operation.status)


@lru_cache(maxsize=256)  # apps send to few targets
def _target(operation: Operation, hub: HubName, values: tuple[Any, ...]) -> str:
    found = dict(zip(operation.attributes, values, strict=True))
    names = {name: quote(str(found[name]), safe="") for name in operation.names}
    path = f"/api/hubs/{quote(hub, safe='')}/{operation.path.format(**names)}"
    return f"{path}?{urlencode(_query(operation, found), quote_via=quote)}"


def _query(operation: Operation, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    query: list[tuple[str, str]] = []
    for attribute, parameter in operation.query.items():
        found = values[attribute]
        if isinstance(found, tuple):
            query += [(parameter, item) for item in found]
        elif found is not None:
            query.append((parameter, str(found)))
    query.append(("api-version", API_VERSIONS[-1]))
    return query


# --- request -> value ---------------------------------------------------------------------------------


def find_operations(raw_path: bytes) -> Mapping[str, Operation] | None:
    """Return the rows of a path by method; None when no row has this path.

    Args:
        raw_path: The path as sent, percent-encoded. A slash at its end does not matter, nor the case of
            what is no name.
    """
    segments = _segments(raw_path)
    if len(segments) < 5 or not all(segments[1:]):
        return None
    literals = [*segments[:3], *segments[4::2]]
    found = _BY_SHAPE.get((len(segments), *literals))
    if found is None:  # few write a literal in another way
        found = _BY_SHAPE.get((len(segments), *(unquote_to_bytes(literal).lower() for literal in literals)))
    return found


def parse_path(
    operation: Operation, raw_path: bytes, *, decode_slash: bool = True
) -> tuple[HubName, dict[str, Any]]:
    """Return hub and attributes that stand in the path of a request for ``operation``.

    Args:
        operation: One of `find_operations` of the same path.
        raw_path: As sent. Each segment is decoded by itself, so a user ``a/b`` sent as ``a%2Fb`` is the user
            ``a/b``, or ``a%2Fb`` without ``decode_slash``.
        decode_slash: See `decode_segment`.

    Raises:
        RestError: A name is outside its rules (400).
    """
    segments = _segments(raw_path)
    try:
        hub = parse_hub_name(decode_segment(segments[3], decode_slash=decode_slash))
    except InvalidName as error:
        raise refused("hub", error) from error
    return hub, {
        attribute: parse_in_path(attribute, decode_segment(segment, decode_slash=decode_slash))
        for attribute, segment in zip(operation.names, segments[5::2], strict=True)
    }


def _segments(raw_path: bytes) -> list[bytes]:
    segments = raw_path.split(b"/")
    if segments[-1] == b"":
        segments.pop()
    return segments


def parse_parameters(operation: Operation, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the query's attributes of an operation's value.

    Args:
        operation: What is asked for.
        query: With names in lower case, see `fold_names`.

    Raises:
        RestError: A parameter is repeated, missing, or outside its rules (400).
    """
    found: dict[str, Any] = {}
    for attribute, parameter in operation.query.items():
        values = query.get(parameter.lower())
        if values:
            found[attribute] = parse_in_query(attribute, parameter, values)
        elif attribute in _REQUIRED_QUERY:
            raise bad_request(f"'{parameter}' is required.", parameter)
    return found


def parse_headers(operation: Operation, headers: RawHeaders) -> dict[str, Any]:
    """Return the attributes of an operation's value that travel in headers: a message's metadata.

    Raises:
        RestError: The metadata is outside its rules (400).
    """
    if not operation.has_payload:
        return {}
    try:
        metadata = parse_metadata_headers(headers)
    except InvalidData as error:
        raise bad_request(f"{error}.", "metadata") from error
    return {"metadata": metadata} if metadata else {}


def parse_value(operation: Operation, parameters: Mapping[str, Any], body: Payload | None) -> Any:
    """Return the value a request means.

    Args:
        operation: What is asked for.
        parameters: What path, query and headers say.
        body: A message, a JSON object, or None, as the operation has it.

    Raises:
        RestError: The body is not what its content type says, or a member of it is outside its rules (400).
    """
    if body is None:
        return operation.value(**parameters)
    try:
        if operation.members:
            return operation.value(**parameters, **_members(operation, body))
        return operation.value(**parameters, data=body)
    except InvalidData as error:
        kind = "JSON" if body.data_type == "json" else "text"
        raise bad_request(f"The request body is not a valid {kind}.", "Request") from error
    except InvalidName as error:
        target = error.kind if error.kind in operation.members else operation.members[0]
        raise refused(target, error) from error


def _members(operation: Operation, body: Payload) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body.body)
    except MALFORMED_JSON as error:
        raise InvalidData(str(error)) from error
    if not isinstance(found, dict):
        raise bad_request("The request body is not a JSON object.", "Request")
    if not isinstance(found.get("groups"), list):
        raise bad_request("'groups' is not a list of group names.", "groups")
    return {name: found[name] for name in operation.members if name in found}


_BY_VALUE: Final = {operation.value: operation for operation in OPERATIONS}
# In every path, literals and placeholders alternate; so length and literals identify it.
_BY_SHAPE: Final[dict[tuple[Any, ...], dict[str, Operation]]] = {}
for _operation in OPERATIONS:
    _below = _operation.path.encode().lower().split(b"/")
    _shape = (4 + len(_below), b"", b"api", b"hubs", *_below[::2])
    _BY_SHAPE.setdefault(_shape, {})[_operation.method] = _operation
