"""The data-plane REST API: every row of the table, both ways, with literal URLs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.model import actions
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.carried import user_id_problem
from webpubsub.model.errors import RestError
from webpubsub.model.names import HubName
from webpubsub.model.payload import Payload, WebPubSubDataType
from webpubsub.model.rest import (
    API_VERSIONS,
    OPERATIONS,
    ConnectionExists,
    GenerateClientToken,
    GroupExists,
    ListConnections,
    Operation,
    PermissionExists,
    RestRequest,
    UserExists,
    build_request,
    find_operations,
    fold_names,
    parse_api_version,
    parse_headers,
    parse_parameters,
    parse_path,
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
    (
        actions.SendToAllAction("hi", excluded=["c"], filter="userId eq 'a b'", message_ttl_seconds=5),
        "POST",
        ":send?excluded=c&filter=userId%20eq%20%27a%20b%27&messageTtlSeconds=5",
        202,
        "text/plain",
        b"hi",
    ),
    (
        actions.SendToUserAction("u", "hi", filter="'g' in groups", message_ttl_seconds=0),
        "POST",
        "users/u/:send?filter=%27g%27%20in%20groups&messageTtlSeconds=0",
        202,
        "text/plain",
        b"hi",
    ),
    (
        actions.RemoveConnectionFromAllGroupsAction("c/d"),
        "DELETE",
        "connections/c%2Fd/groups",
        204,
        None,
        b"",
    ),
    (
        actions.AddConnectionsToGroupsAction(["g", "h"], "userId eq 'a'"),
        "POST",
        ":addToGroups",
        200,
        "application/json",
        b"""{"groups":["g","h"],"filter":"userId eq 'a'"}""",
    ),
    (
        actions.RemoveConnectionsFromGroupsAction(["g"]),
        "POST",
        ":removeFromGroups",
        200,
        "application/json",
        b'{"groups":["g"]}',
    ),
    (
        actions.CloseUserConnectionsAction("u", ["c"], "bye"),
        "POST",
        "users/u/:closeConnections?excluded=c&reason=bye",
        204,
        None,
        b"",
    ),
    (ListConnections("g"), "GET", "groups/g/connections", 200, None, b""),
    (
        ListConnections("g", 20, 50, "a-b_c"),
        "GET",
        "groups/g/connections?maxpagesize=20&top=50&continuationToken=a-b_c",
        200,
        None,
        b"",
    ),
]


def find(method: str, path: bytes) -> tuple[str, Operation, dict[str, Any]] | None:
    """Hub, row and names of a request."""
    operation = (find_operations(path) or {}).get(method)
    if operation is None:
        return None
    hub, names = parse_path(operation, path)
    return hub, operation, names


def read(request: RestRequest) -> tuple[str, Any]:
    """What the service does with a request."""
    path, _, query = request.target.encode().partition(b"?")
    found = find(request.method, path)
    assert found is not None
    hub, operation, names = found
    parameters = parse_query(query)
    assert parse_api_version(parameters) == "2024-12-01"
    data_type = Payload.data_type_of(request.content_type) if request.content_type else None
    payload = None if data_type is None else Payload(request.body, data_type)
    assert (payload is not None) is (operation.has_payload or bool(operation.members))
    assert operation.status == request.status
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers]
    given = parse_parameters(operation, fold_names(parameters)) | parse_headers(operation, headers)
    return hub, parse_value(operation, {**names, **given}, payload)


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


def test_metadata_travels_in_headers() -> None:
    action = actions.SendToConnectionAction("c", "hi", metadata={"trace": "1", "k": "a b"})
    request = build_request(CHAT, action)
    assert request.headers == [("X-WebPubSub-Metadata-trace", "1"), ("X-WebPubSub-Metadata-k", "a b")]
    assert read(request) == ("chat", action)


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
        ("POST", b"/api/hubs/chat/:send/", {}),
        ("POST", b"/API/hubs/chat/Groups/G/:SEND", {"group": "G"}),
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
    found = find(method, path)
    assert found is not None
    assert (found[0], found[2]) == ("chat", names)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", b"/"),
        ("GET", b""),
        ("POST", b"/api/hubs/chat"),
        ("POST", b"/api/hubs/chat/"),
        ("POST", b"/api/hubs/chat/:send//"),
        ("POST", b"/api/hubs/chat/users//:send"),
        ("POST", b"/api/hubs/chat//send"),
        ("GET", b"/api/hubs/chat/:send"),
        ("POST", b"/x/api/hubs/chat/:send"),
        ("POST", b"/api/hubs/chat/groups/g/h/:send"),
        ("PATCH", b"/api/hubs/chat/groups/g"),
    ],
)
def test_another_path_is_no_operation(method: str, path: bytes) -> None:
    assert find(method, path) is None


@pytest.mark.parametrize(
    ("method", "path", "target"),
    [
        ("POST", b"/api/hubs/1chat/:send", "hub"),
        ("POST", b"/api/hubs/my%20chat/:send", "hub"),
        ("POST", b"/api/hubs/chat/groups/%20/:send", "group"),
        ("POST", b"/api/hubs/chat/groups/" + b"g" * 1025 + b"/:send", "group"),
        ("POST", b"/api/hubs/chat/connections/%09/:send", "connection_id"),
        ("PUT", b"/api/hubs/chat/permissions/all/connections/c", "permission"),
    ],
)
def test_a_name_outside_its_rules_is_refused(method: str, path: bytes, target: str) -> None:
    with pytest.raises(RestError) as caught:
        find(method, path)
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
    "found",
    [
        ["2019-01-01"],
        [""],
        ["2024-12-01,2024-12-01"],
        ["2024-12-01", "2024-12-01"],
        [],
        ["2024-12-01-preview"],
        ["2025-1-1"],
        ["٢٠٢٥-01-01"],
        ["2025-01-01-beta"],
    ],
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


@pytest.mark.parametrize("version", ["2024-12-02", "2026-02-01-preview", "9999-99-99"])
def test_a_newer_version_is_taken_unless_told_otherwise(version: str) -> None:
    assert parse_api_version({"api-version": [version]}) == version
    with pytest.raises(RestError):
        parse_api_version({"api-version": [version]}, strict=True)


def test_names_of_parameters_have_no_case() -> None:
    assert fold_names({"A": ["1"], "b": ["2"], "a": ["3", "4"]}) == {"a": ["1", "3", "4"], "b": ["2"]}


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
        parse_parameters(OPERATION[value], fold_names(query))
    assert (caught.value.status, caught.value.target) == (status, target)


def test_list_parameters_are_neither_trimmed_nor_split() -> None:
    found = parse_parameters(OPERATION[actions.SendToAllAction], {"excluded": [" a ", "b,c", ""]})
    assert found == {"excluded": (" a ", "b,c", "")}


def test_unknown_parameters_are_ignored() -> None:
    assert parse_parameters(OPERATION[actions.CloseAllConnectionsAction], {"filter": ["x"], "x": ["y"]}) == {}


@pytest.mark.parametrize(
    ("path", "user"),
    [(b"a%2Fb", "a%2Fb"), (b"a%2fb%20c", "a%2fb c"), (b"a%252Fb", "a%2Fb"), (b"a+b", "a+b"), (b"%", "%")],
)
def test_an_encoded_slash_may_stay(path: bytes, user: str) -> None:
    target = b"/api/hubs/chat/users/%b" % path
    assert parse_path(OPERATION[UserExists], target, decode_slash=False) == ("chat", {"user_id": user})


@pytest.mark.parametrize(
    ("body", "message", "target"),
    [
        (b"[]", "The request body is not a JSON object.", "Request"),
        (b"{", "The request body is not a valid JSON.", "Request"),
        (b"{}", "'groups' is not a list of group names.", "groups"),
        (b'{"groups": []}', "[] is not a valid groups: expected at least one group name.", "groups"),
        (b'{"groups": [1]}', "1 is not a valid groups: expected a group name.", "groups"),
        (b'{"groups": ["g"], "filter": 1}', "1 is not a valid filter: expected an OData filter", "filter"),
    ],
)
def test_a_json_object_outside_its_rules_is_refused(body: bytes, message: str, target: str) -> None:
    with pytest.raises(RestError) as caught:
        parse_value(
            OPERATION[actions.AddConnectionsToGroupsAction], {}, Payload(body, WebPubSubDataType.JSON)
        )
    assert (caught.value.status, caught.value.target) == (400, target)
    assert caught.value.message.startswith(message)


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
filters = st.none() | texts.filter(bool)
options = {
    "message_ttl_seconds": st.none() | st.integers(0, 300),
    "metadata": st.dictionaries(
        st.text("abc-_.!#1", min_size=1, max_size=256),
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), max_size=99),
        max_size=3,
    ),
}
values = st.one_of(
    st.builds(actions.SendToAllAction, data, st.none(), excluded, filters, **options),
    st.builds(actions.SendToGroupAction, names, data, st.none(), excluded, filters, **options),
    st.builds(actions.SendToUserAction, names, data, st.none(), filters, **options),
    st.builds(actions.SendToConnectionAction, names, data, **options),
    st.builds(actions.AddConnectionsToGroupsAction, st.lists(names, min_size=1, max_size=3), filters),
    st.builds(actions.RemoveConnectionsFromGroupsAction, st.lists(names, min_size=1, max_size=3), filters),
    st.builds(actions.RemoveConnectionFromAllGroupsAction, names),
    st.builds(actions.CloseUserConnectionsAction, names, excluded, reasons),
    st.builds(
        ListConnections,
        names,
        st.none() | st.integers(1, 200),
        st.none() | st.integers(1, 2**31 - 1),
        st.none() | st.text("abc-_", min_size=1, max_size=2048),
    ),
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
        st.none() | texts.filter(lambda text: user_id_problem(text) is None),
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
        found = find(method, path)
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
        found = parse_parameters(operation, fold_names(query))
        payload = Payload(body, data_type) if operation.has_payload or operation.members else None
        value = parse_value(operation, {**in_path, **found}, payload)
    except RestError:
        return
    assert type(value) is operation.value


@given(st.binary())
def test_any_query_string_is_read(text: bytes) -> None:
    assert all(values for values in parse_query(text).values())
