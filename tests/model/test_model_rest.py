"""The data-plane REST API: every row of the table, both ways, with literal URLs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model import actions
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.errors import RestError
from webpubsub.model.names import HubName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.rest import (
    API_VERSIONS,
    OPERATIONS,
    ConnectionExists,
    GenerateClientToken,
    GroupExists,
    PermissionExists,
    RestRequest,
    UserExists,
    build_request,
    find_operation,
    parse_api_version,
    parse_parameters,
    parse_query,
    parse_value,
)

CHAT = HubName("chat")
# value, method, target without the api-version, status, content type, body: service spec, section A.4.
ROWS: list[tuple[Any, str, str, int, str | None, bytes]] = [
    (actions.SendToAllAction("hi"), "POST", ":send", 202, "text/plain", b"hi"),
    (
        actions.SendToAllAction({"a": 1}, excluded=["c1", "c 2"]),
        "POST",
        ":send?excluded=c1&excluded=c%202",
        202,
        "application/json",
        b'{"a":1}',
    ),
    (
        actions.SendToGroupAction("a/b c+d%", b"\xff", excluded=["c1"]),
        "POST",
        "groups/a%2Fb%20c%2Bd%25/:send?excluded=c1",
        202,
        "application/octet-stream",
        b"\xff",
    ),
    (
        actions.SendToUserAction("日本", "hi"),
        "POST",
        "users/%E6%97%A5%E6%9C%AC/:send",
        202,
        "text/plain",
        b"hi",
    ),
    (actions.SendToConnectionAction("c1", ""), "POST", "connections/c1/:send", 202, "text/plain", b""),
    (actions.AddUserToGroupAction("u", "g"), "PUT", "users/u/groups/g", 200, None, b""),
    (actions.RemoveUserFromGroupAction("u", "g"), "DELETE", "users/u/groups/g", 204, None, b""),
    (actions.RemoveUserFromAllGroupsAction("u"), "DELETE", "users/u/groups", 204, None, b""),
    (actions.AddConnectionToGroupAction("c", "g"), "PUT", "groups/g/connections/c", 200, None, b""),
    (actions.RemoveConnectionFromGroupAction("c", "g"), "DELETE", "groups/g/connections/c", 204, None, b""),
    (
        actions.CloseAllConnectionsAction(["c1"], "good bye & thanks"),
        "POST",
        ":closeConnections?excluded=c1&reason=good%20bye%20%26%20thanks",
        204,
        None,
        b"",
    ),
    (actions.CloseAllConnectionsAction(), "POST", ":closeConnections", 204, None, b""),
    (actions.CloseClientConnectionAction("c", ""), "DELETE", "connections/c?reason=", 204, None, b""),
    (actions.CloseClientConnectionAction("c"), "DELETE", "connections/c", 204, None, b""),
    (
        actions.CloseGroupConnectionsAction("g", ["c1"], "bye"),
        "POST",
        "groups/g/:closeConnections?excluded=c1&reason=bye",
        204,
        None,
        b"",
    ),
    (
        actions.GrantPermissionAction("c", "sendToGroup", "g h"),
        "PUT",
        "permissions/sendToGroup/connections/c?targetName=g%20h",
        200,
        None,
        b"",
    ),
    (
        actions.RevokePermissionAction("c", "joinLeaveGroup", "g"),
        "DELETE",
        "permissions/joinLeaveGroup/connections/c?targetName=g",
        204,
        None,
        b"",
    ),
    (
        PermissionExists("c", WebPubSubPermission.SEND_TO_GROUP, "g"),
        "HEAD",
        "permissions/sendToGroup/connections/c?targetName=g",
        200,
        None,
        b"",
    ),
    (ConnectionExists("c"), "HEAD", "connections/c", 200, None, b""),
    (GroupExists("g"), "HEAD", "groups/g", 200, None, b""),
    (UserExists("u"), "HEAD", "users/u", 200, None, b""),
    (
        GenerateClientToken("u", ("r1", "r2"), ("g",), 5),
        "POST",
        ":generateToken?userId=u&role=r1&role=r2&group=g&minutesToExpire=5&clientType=Default",
        200,
        None,
        b"",
    ),
    (GenerateClientToken(), "POST", ":generateToken?minutesToExpire=60&clientType=Default", 200, None, b""),
]


def read(request: RestRequest) -> tuple[str, Any]:
    """What the service does with a request."""
    path, _, query = request.target.encode().partition(b"?")
    found = find_operation(request.method, path)
    assert found is not None
    hub, operation, names = found
    parameters = parse_query(query)
    assert parse_api_version(parameters) == "2024-12-01"
    data_type = Payload.data_type_of(request.content_type) if request.content_type else None
    payload = None if data_type is None else Payload(request.body, data_type)
    assert (payload is not None) is operation.has_payload
    assert operation.status == request.status
    return hub, parse_value(operation, {**names, **parse_parameters(operation, parameters)}, payload)


def test_every_row_of_the_table_is_tested() -> None:
    assert {type(row[0]) for row in ROWS} == {operation.value for operation in OPERATIONS}


@pytest.mark.parametrize(("value", "method", "target", "status", "content_type", "body"), ROWS)
def test_a_value_has_one_request(
    value: Any, method: str, target: str, status: int, content_type: str | None, body: bytes
) -> None:
    joiner = "&" if "?" in target else "?"
    assert build_request(CHAT, value) == RestRequest(
        method, f"/api/hubs/chat/{target}{joiner}api-version=2024-12-01", status, content_type, body
    )


@pytest.mark.parametrize("value", [row[0] for row in ROWS], ids=lambda value: type(value).__name__)
def test_a_request_reads_as_its_value(value: Any) -> None:
    assert read(build_request(CHAT, value)) == ("chat", value)


@pytest.mark.parametrize(
    ("method", "path", "names"),
    [
        ("POST", b"/api/hubs/Chat/groups/a%2Fb/:send", {"group": "a/b"}),
        ("POST", b"/api/hubs/chat/users/it's!*(x)@,;=:/:send", {"user_id": "it's!*(x)@,;=:"}),
        ("POST", b"/api/hubs/chat/users/a+b/:send", {"user_id": "a+b"}),
        ("POST", b"/api/hubs/chat/users/%252F/:send", {"user_id": "%2F"}),
        ("POST", b"/api/hubs/chat/users/\xc3\xa9/:send", {"user_id": "é"}),
        ("POST", b"/api/hubs/chat/users/%FF/:send", {"user_id": "\ufffd"}),
        ("POST", b"/api/hubs/chat/%3Asend", {}),
        (
            "PUT",
            b"/api/hubs/chat/permissions/SENDTOGROUP/connections/c",
            {"permission": WebPubSubPermission.SEND_TO_GROUP, "connection_id": "c"},
        ),
        (
            "HEAD",
            b"/api/hubs/chat/permissions/2/connections/c",
            {"permission": WebPubSubPermission.JOIN_LEAVE_GROUP, "connection_id": "c"},
        ),
    ],
)
def test_a_path_is_decoded_segment_by_segment(method: str, path: bytes, names: dict[str, str]) -> None:
    found = find_operation(method, path)
    assert found is not None
    assert (found[0], found[2]) == ("chat", names)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", b"/"),
        ("GET", b""),
        ("POST", b"/api/hubs/chat"),
        ("POST", b"/api/hubs/chat/"),
        ("POST", b"/api/hubs/chat/:send/"),
        ("GET", b"/api/hubs/chat/:send"),
        ("POST", b"/x/api/hubs/chat/:send"),
        ("POST", b"/api/hubs/chat/groups/g/h/:send"),
        ("POST", b"/api/hubs/chat/Groups/g/:send"),
        ("PATCH", b"/api/hubs/chat/groups/g"),
    ],
)
def test_another_path_is_no_operation(method: str, path: bytes) -> None:
    assert find_operation(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("POST", b"/api/hubs/1chat/:send", "hub"),
        ("POST", b"/api/hubs/my%20chat/:send", "hub"),
        ("POST", b"/api/hubs/chat/groups/%20/:send", "group"),
        ("POST", b"/api/hubs/chat/groups/" + b"g" * 1025 + b"/:send", "group"),
        ("POST", b"/api/hubs/chat/users//:send", "user_id"),
        ("POST", b"/api/hubs/chat/connections/%09/:send", "connection_id"),
        ("PUT", b"/api/hubs/chat/permissions/all/connections/c", "permission"),
    ],
)
def test_a_name_outside_its_rules_is_refused(method: str, path: bytes, target: str) -> None:
    with pytest.raises(RestError) as caught:
        find_operation(method, path)
    assert (caught.value.status, caught.value.code) == (400, "Error.BadRequest")
    assert caught.value.target == target


@pytest.mark.parametrize(
    ("text", "query"),
    [
        (b"", {}),
        (b"a=1&a=2&b=", {"a": ["1", "2"], "b": [""]}),
        (b"a=x%20y+z%2B", {"a": ["x y z+"]}),
        (b"a=%E6%97%A5", {"a": ["日"]}),
        (b"a=%FF", {"a": ["\ufffd"]}),
        (b"excluded=a,b", {"excluded": ["a,b"]}),
        (b"&&a", {"a": [""]}),
    ],
)
def test_a_query_has_lists_of_values(text: bytes, query: dict[str, list[str]]) -> None:
    assert parse_query(text) == query


@pytest.mark.parametrize("version", API_VERSIONS)
def test_every_stable_version_is_taken(version: str) -> None:
    assert parse_api_version({"api-version": [version]}) == version


def test_without_a_version_the_newest_is_meant() -> None:
    assert parse_api_version({}) == "2024-12-01"


@pytest.mark.parametrize(
    "found", [["2019-01-01"], [""], ["2024-12-01,2024-12-01"], ["2024-12-01", "2024-12-01"], []]
)
def test_another_version_is_refused_in_the_services_words(found: list[str]) -> None:
    with pytest.raises(RestError) as caught:
        parse_api_version({"api-version": found})
    error = caught.value
    assert (error.status, error.code, error.message, error.target) == (
        400,
        "Error.BadRequest",
        "The specified API version is not supported.",
        "api-version",
    )


OPERATION = {operation.value: operation for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("value", "query", "status", "target"),
    [
        (actions.GrantPermissionAction, {}, 400, "targetName"),
        (actions.GrantPermissionAction, {"targetName": [""]}, 400, "targetName"),
        (actions.GrantPermissionAction, {"targetName": ["g" * 1025]}, 400, "targetName"),
        (actions.GrantPermissionAction, {"targetName": ["g", "h"]}, 400, "targetName"),
        (actions.CloseClientConnectionAction, {"reason": ["a", "b"]}, 400, "reason"),
        (GenerateClientToken, {"group": ["g", " "]}, 400, "group"),
        (GenerateClientToken, {"minutesToExpire": ["0"]}, 400, "minutesToExpire"),
        (GenerateClientToken, {"minutesToExpire": ["-1"]}, 400, "minutesToExpire"),
        (GenerateClientToken, {"minutesToExpire": ["1.5"]}, 400, "minutesToExpire"),
        (GenerateClientToken, {"minutesToExpire": ["٣"]}, 400, "minutesToExpire"),
        (GenerateClientToken, {"minutesToExpire": ["9" * 5000]}, 400, "minutesToExpire"),
        (GenerateClientToken, {"clientType": ["Carrier Pigeon"]}, 400, "clientType"),
        (GenerateClientToken, {"userId": ["a", "b"]}, 400, "userId"),
    ],
)
def test_a_parameter_outside_its_rules_is_refused(
    value: type, query: dict[str, list[str]], status: int, target: str
) -> None:
    with pytest.raises(RestError) as caught:
        parse_parameters(OPERATION[value], query)
    assert (caught.value.status, caught.value.target) == (status, target)


def test_list_parameters_are_neither_trimmed_nor_split() -> None:
    found = parse_parameters(OPERATION[actions.SendToAllAction], {"excluded": [" a ", "b,c", ""]})
    assert found == {"excluded": (" a ", "b,c", "")}


def test_unknown_parameters_are_ignored() -> None:
    assert (
        parse_parameters(OPERATION[actions.SendToAllAction], {"messageTtlSeconds": ["5"], "x": ["y"]}) == {}
    )


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (Payload(b"{", WebPubSubDataType.JSON), "The request body is not a valid JSON."),
        (Payload(b"", WebPubSubDataType.JSON), "The request body is not a valid JSON."),
        (Payload(b"\xff", WebPubSubDataType.TEXT), "The request body is not a valid text."),
    ],
)
def test_a_body_that_is_not_what_it_claims_is_refused(payload: Payload, message: str) -> None:
    with pytest.raises(RestError) as caught:
        parse_value(OPERATION[actions.SendToAllAction], {}, payload)
    assert (caught.value.status, caught.value.message, caught.value.target) == (400, message, "Request")


# --- round trips with any names -----------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8"))
awkward = st.text(st.sampled_from("/%+ ?&=#:;,.é日\U0001f600"), min_size=1)
names = (texts | awkward).filter(lambda text: bool(text.strip()) and len(text) <= 1024)
reasons = st.none() | texts
excluded = st.lists(texts, max_size=3)
data = texts | st.binary() | st.dictionaries(texts, st.integers())
permissions = st.sampled_from(WebPubSubPermission)
values = st.one_of(
    st.builds(actions.SendToAllAction, data, st.none(), excluded),
    st.builds(actions.SendToGroupAction, names, data, st.none(), excluded),
    st.builds(actions.SendToUserAction, names, data),
    st.builds(actions.SendToConnectionAction, names, data),
    st.builds(actions.AddUserToGroupAction, names, names),
    st.builds(actions.RemoveUserFromGroupAction, names, names),
    st.builds(actions.RemoveUserFromAllGroupsAction, names),
    st.builds(actions.AddConnectionToGroupAction, names, names),
    st.builds(actions.RemoveConnectionFromGroupAction, names, names),
    st.builds(actions.CloseAllConnectionsAction, excluded, reasons),
    st.builds(actions.CloseClientConnectionAction, names, reasons),
    st.builds(actions.CloseGroupConnectionsAction, names, excluded, reasons),
    st.builds(actions.GrantPermissionAction, names, permissions, names),
    st.builds(actions.RevokePermissionAction, names, permissions, names),
    st.builds(PermissionExists, names, permissions, names),
    st.builds(ConnectionExists, names),
    st.builds(GroupExists, names),
    st.builds(UserExists, names),
    st.builds(
        GenerateClientToken,
        st.none() | texts,
        st.lists(texts, max_size=3).map(tuple),
        st.lists(names, max_size=3).map(tuple),
        st.integers(1, 10**9 - 1),
    ),
)


@given(values)
def test_any_value_survives_its_request(value: Any) -> None:
    request = build_request(CHAT, value)
    assert request.target.isascii()
    assert read(request) == ("chat", value)


methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
segments = st.sampled_from(
    [b"groups", b"users", b"connections", b"permissions", b":send", b":generateToken", b"sendToGroup", b"g"]
)
paths = st.binary() | st.lists(segments | st.binary(), max_size=5).map(
    lambda parts: b"/".join([b"/api/hubs/chat", *parts])
)


@given(methods, paths)
def test_any_path_is_an_operation_or_not(method: str, path: bytes) -> None:
    try:
        found = find_operation(method, path)
    except RestError:
        return
    assert found is None or found[1] in OPERATIONS


parameters = st.sampled_from(sorted({name for row in OPERATIONS for name in row.query.values()}))


@given(
    st.sampled_from(OPERATIONS),
    st.dictionaries(parameters, st.lists(st.text(), max_size=3)),
    st.binary(),
    st.sampled_from(WebPubSubDataType),
)
def test_any_query_and_body_are_read_or_refused(
    operation: Any, query: dict[str, list[str]], body: bytes, data_type: WebPubSubDataType
) -> None:
    path = {"connection_id": "c", "user_id": "u", "group": "g", "permission": "sendToGroup"}
    in_path = {name: path[name] for name in operation.names}
    try:
        found = parse_parameters(operation, query)
        payload = Payload(body, data_type) if operation.has_payload else None
        value = parse_value(operation, {**in_path, **found}, payload)
    except RestError:
        return
    assert type(value) is operation.value


@given(st.binary())
def test_any_query_string_is_read(text: bytes) -> None:
    assert all(values for values in parse_query(text).values())
