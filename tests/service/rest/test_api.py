"""The REST data plane, request by request: service spec, A.1 to A.4, B.2 and B.4."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.identity_peers import ISSUER, SECRET, issue
from kit.rest_peers import HOST, VERSIONS, Api
from kit.service_peers import CHAT, KEY, NOW, SECOND_KEY, connection, group, token, turns
from webpubsub.model import rest
from webpubsub.model.access.issued_tokens import TokenIssuer
from webpubsub.model.access.tokens import decode_client_token
from webpubsub.model.actions import WebPubSubPermission
from webpubsub.model.names import HubName
from webpubsub.model.trace import Name, Phase, TraceEvent

VERSION = "api-version=2024-12-01"


pytestmark = pytest.mark.usefixtures("way")


@pytest.fixture
async def api() -> Api:
    found = Api()
    await turns()
    found.got(found.alice)
    return found


# --- every operation ----------------------------------------------------------------------------------

OPERATIONS = [
    ("HEAD", "//api/health", 200),
    ("POST", "/:send", 202),
    ("POST", "/groups/room/:send", 202),
    ("POST", "/groups/nobody/:send", 202),
    ("POST", "/users/alice/:send", 202),
    ("POST", "/users/nobody/:send", 202),
    ("POST", "/connections/j1/:send", 202),
    ("POST", "/connections/gone/:send", 202),
    ("PUT", "/users/alice/groups/new", 200),
    ("DELETE", "/users/alice/groups/room", 204),
    ("DELETE", "/users/nobody/groups/room", 204),
    ("DELETE", "/users/alice/groups", 204),
    ("PUT", "/groups/new/connections/j1", 200),
    ("DELETE", "/groups/room/connections/j1", 204),
    ("DELETE", "/groups/room/connections/gone", 204),
    ("DELETE", "/connections/j1/groups", 204),
    ("DELETE", "/connections/gone/groups", 204),
    ("POST", "/users/alice/:closeConnections", 204),
    ("POST", "/users/nobody/:closeConnections", 204),
    ("GET", "/groups/room/connections", 200),
    ("GET", "/groups/nobody/connections", 200),
    ("POST", "/:closeConnections", 204),
    ("POST", "/groups/room/:closeConnections", 204),
    ("DELETE", "/connections/j1", 204),
    ("DELETE", "/connections/gone", 204),
    ("PUT", "/permissions/sendToGroup/connections/j1?targetName=g", 200),
    ("PUT", "/permissions/JoinLeaveGroup/connections/j1?targetName=g", 200),
    ("DELETE", "/permissions/sendToGroup/connections/j1?targetName=g", 204),
    ("DELETE", "/permissions/sendToGroup/connections/gone?targetName=g", 204),
    ("HEAD", "/connections/j1", 200),
    ("HEAD", "/groups/room", 200),
    ("HEAD", "/users/alice", 200),
    ("POST", "/:generateToken", 200),
]


@pytest.mark.parametrize(("method", "target", "status"), OPERATIONS)
async def test_every_operation_has_its_status(api: Api, method: str, target: str, status: int) -> None:
    answer = await api.call(method, f"{target}{'&' if '?' in target else '?'}{VERSION}")
    assert answer.status == status
    assert "x-ms-error-code" not in answer.headers
    assert bool(answer.body) is (":generateToken" in target or method == "GET")


NOT_FOUND = [
    ("HEAD", "/connections/gone", "Warning.Connection.NotExisted"),
    ("HEAD", "/groups/gone", "Warning.Group.NotExisted"),
    ("HEAD", "/groups/ROOM", "Warning.Group.NotExisted"),
    ("HEAD", "/users/gone", "Warning.User.NotExisted"),
    ("HEAD", "/permissions/sendToGroup/connections/j1?targetName=g", "Info.Connection.NotExisted"),
    ("HEAD", "/permissions/sendToGroup/connections/gone?targetName=g", "Info.Connection.NotExisted"),
    ("PUT", "/permissions/sendToGroup/connections/gone?targetName=g", "Info.Connection.NotExisted"),
    ("PUT", "/groups/room/connections/gone", "Error.Connection.NotExisted"),
    ("PUT", "/users/gone/groups/room", "Error.User.NotExisted"),
]


@pytest.mark.feature("errors")
@pytest.mark.parametrize(("method", "target", "code"), NOT_FOUND)
async def test_what_is_not_there_is_404(api: Api, method: str, target: str, code: str) -> None:
    answer = await api.call(method, target)
    assert answer.status == 404
    assert answer.headers["x-ms-error-code"] == code


@pytest.mark.feature("errors")
async def test_an_error_has_code_message_and_target(api: Api) -> None:
    answer = await api.call("PUT", "/groups/room/connections/gone")
    expected = {
        "code": "Error.Connection.NotExisted",
        "message": "Connection `gone` is not found.",
        "target": "Connection",
    }
    assert answer.body == json.dumps(expected, separators=(",", ":")).encode()


async def test_a_grant_can_be_asked_for(api: Api) -> None:
    target = "/permissions/sendToGroup/connections/j1?targetName=g"
    statuses = [
        (await api.call(method, target)).status for method in ("HEAD", "PUT", "HEAD", "DELETE", "HEAD")
    ]
    assert statuses == [404, 200, 200, 204, 404]


async def test_too_many_rules_are_409(api: Api) -> None:
    for number in range(1000):
        api.alice.permissions.grant(WebPubSubPermission.SEND_TO_GROUP, group(str(number)))
    answer = await api.call("PUT", "/permissions/sendToGroup/connections/j1?targetName=g")
    assert answer.error == (409, "Error.Connection.Conflict", "Connection")


# --- sends --------------------------------------------------------------------------------------------

TEXT_HI = '{"type":"message","from":"server","dataType":"text","data":"hi"}'


@pytest.mark.feature("REST bodies")
@pytest.mark.parametrize(
    ("content_type", "body", "json_client", "raw_client"),
    [
        ("text/plain", b"hi", TEXT_HI, (0x81, "hi")),
        ("Text/Plain; charset=UTF-8", b"hi", TEXT_HI, (0x81, "hi")),
        ('text/plain;charset="utf8"', b"hi", TEXT_HI, (0x81, "hi")),
        ("text/plain; charset=utf-16", "hi".encode("utf-16"), TEXT_HI, (0x81, "hi")),
        ("text/plain; format=flowed; charset=latin-1", b"hi", TEXT_HI, (0x81, "hi")),
        ("text/plain; charset=latin-1", b"\xe9", TEXT_HI.replace("hi", "Ã©"), (0x81, "Ã©")),
        ("text/plain", b"", TEXT_HI.replace("hi", ""), (0x81, "")),
        (
            "application/json",
            b'{"b": 1.0, "a": 2}',
            '{"type":"message","from":"server","dataType":"json","data":{"b": 1.0, "a": 2}}',
            (0x81, '{"b": 1.0, "a": 2}'),
        ),
        (
            "application/json; charset=utf-8",
            b'"hi"',
            '{"type":"message","from":"server","dataType":"json","data":"hi"}',
            (0x81, '"hi"'),
        ),
        (
            "application/octet-stream",
            b"\xff",
            '{"type":"message","from":"server","dataType":"binary","data":"/w=="}',
            (0x82, "\xff"),
        ),
        (
            None,
            b"\xff",
            '{"type":"message","from":"server","dataType":"binary","data":"/w=="}',
            (0x82, "\xff"),
        ),
    ],
)
async def test_the_content_type_says_what_is_sent(
    api: Api, content_type: str | None, body: bytes, json_client: str, raw_client: tuple[int, str]
) -> None:
    assert (await api.call("POST", "/:send", body, content_type=content_type)).status == 202
    assert api.got(api.alice) == [(0x81, json_client)]
    assert api.got(api.raw) == [raw_client]


async def test_a_group_send_names_the_group(api: Api) -> None:
    await api.call("POST", "/groups/room/:send", b"hi", content_type="text/plain")
    message = '{"type":"message","from":"group","group":"room","dataType":"text","data":"hi"}'
    assert api.got(api.alice) == [(0x81, message)]


@pytest.mark.parametrize(
    ("query", "j1", "r1"),
    [
        ("", 1, 1),
        ("?excluded=j1", 0, 1),
        ("?excluded=j1&excluded=r1", 0, 0),
        ("?excluded=j1,r1", 1, 1),  # never a comma list
        ("?excluded=%20j1", 1, 1),  # nor trimmed
        ("?excluded=%6A1", 0, 1),
    ],
)
@pytest.mark.parametrize("path", ["/:send", "/groups/room/:send"])
async def test_the_excluded_get_nothing(api: Api, path: str, query: str, j1: int, r1: int) -> None:
    await api.call("POST", f"{path}{query}", b"hi", content_type="text/plain")
    assert (len(api.got(api.alice)), len(api.got(api.raw))) == (j1, r1)


async def test_a_body_may_come_in_pieces(api: Api) -> None:
    await api.call("POST", "/:send", [b"h", b"", b"i"], content_type="text/plain")
    assert api.got(api.alice) == [(0x81, TEXT_HI)]


async def test_a_caller_that_goes_amid_its_body_sends_nothing(api: Api) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/hubs/chat/:send",
        "query_string": b"",
        "headers": [
            (b"host", HOST.encode()),
            (b"authorization", f"Bearer {token(f'http://{HOST}/api/hubs/chat/:send')}".encode()),
            (b"content-type", b"text/plain"),
            (b"content-length", b"10"),
        ],
    }
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert (await api.ask(scope, messages)).error == (400, "Error.BadRequest", "Request")
    assert api.got(api.alice) == []


async def test_names_are_decoded_segment_by_segment(api: Api) -> None:
    user = api.open(connection("u", "a/b c+ü"))
    await turns()
    api.got(user)
    answer = await api.call("POST", "/users/a%2Fb%20c+%C3%BC/:send", b"hi", content_type="text/plain")
    assert answer.status == 202
    assert api.got(user) == [(0x81, TEXT_HI)]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/connections/j1", "Application server closed the connection."),
        ("/connections/j1?reason=so%20long", "Application server closed the connection. Reason: so long"),
        ("/connections/j1?reason=", "Application server closed the connection."),
    ],
)
async def test_a_close_carries_its_reason(api: Api, target: str, reason: str) -> None:
    assert (await api.call("DELETE", target)).status == 204
    assert api.closes == [("j1", 1000, reason)]


async def test_closes_leave_out_the_excluded(api: Api) -> None:
    await api.call("POST", "/:closeConnections?excluded=j1")
    assert [name for name, *_ in api.closes] == ["r1"]
    await api.call("POST", "/groups/room/:closeConnections?excluded=r1&reason=x")
    assert [name for name, *_ in api.closes] == ["r1", "j1"]


# --- the body's limits --------------------------------------------------------------------------------


@pytest.mark.feature("REST bodies")
async def test_exactly_1_mib_is_taken(api: Api) -> None:
    body = b"x" * 1_048_576
    assert (await api.call("POST", "/:send", body, content_type="text/plain")).status == 202


@pytest.mark.parametrize("length", [None, "", "1048577", "99999999999999999999", "-1", "1e3", "x", " 1"])
async def test_without_a_length_within_1_mib_the_body_is_not_read(api: Api, length: str | None) -> None:
    answer = await api.call("POST", "/:send", b"hi", content_type="text/plain", content_length=length)
    assert answer.error == (400, "Error.BadRequest", "Content-Length")
    assert json.loads(answer.body)["message"] == "Invalid Content-Length header."
    assert api.received == 0


@pytest.mark.feature("REST bodies")
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-protobuf", b""),
        ("text/html", b""),
        ("multipart/form-data; boundary=x", b""),
        ("junk", b""),
        ("/", b""),
        ("text/plain; charset=nonsense", b"hi"),
        ("text/plain; charset=", b"hi"),
        ("text/plain; charset=utf-16", b"\xff"),
        ("text/plain; charset=ascii", b"\xff"),
        ("text/plain; charset=hex", b"00"),
        ("text/plain; charset=undefined", b"hi"),
        ("text/plain; charset=utf-7", b"+2AA-"),  # half a surrogate pair
    ],
)
async def test_other_media_types_and_charsets_are_415(api: Api, content_type: str, body: bytes) -> None:
    answer = await api.call("POST", "/:send", body, content_type=content_type)
    assert answer.error == (415, "Error.UnsupportedMediaType", "Request")
    assert api.got(api.alice) == []


@pytest.mark.parametrize(
    ("content_type", "body", "message"),
    [
        ("application/json", b"", "The request body is not a valid JSON."),
        ("application/json", b"{", "The request body is not a valid JSON."),
        ("application/json", b"{}{}", "The request body is not a valid JSON."),
        ("application/json", b'"\xff"', "The request body is not a valid JSON."),
        ("application/json", b"[" * 100_000, "The request body is not a valid JSON."),
        ("text/plain", b"\xff", "The request body is not a valid text."),
    ],
)
async def test_a_body_that_is_not_what_it_says_is_400(
    api: Api, content_type: str, body: bytes, message: str
) -> None:
    answer = await api.call("POST", "/:send", body, content_type=content_type)
    assert answer.error == (400, "Error.BadRequest", "Request")
    assert json.loads(answer.body)["message"] == message
    assert api.got(api.alice) == []


# --- who may ask --------------------------------------------------------------------------------------

URL = f"http://{HOST}/api/hubs/chat/:send"
UNAUTHORISED = {
    "nothing": "",
    "junk": "Bearer junk",
    "another scheme": f"Basic {token(URL)}",
    "no scheme": token(URL),
    "another key": f"Bearer {token(URL, key='x' * 32)}",
    "another path": f"Bearer {token(f'http://{HOST}/api/hubs/chat/:closeConnections')}",
    "the start of a path": f"Bearer {token(f'{URL}x')}",
    "another host": f"Bearer {token('http://elsewhere:8080/api/hubs/chat/:send')}",
    "another port": f"Bearer {token('http://localhost:8081/api/hubs/chat/:send')}",
    "another protocol": f"Bearer {token(URL.replace('http', 'ftp'))}",
    "expired": f"Bearer {token(URL, exp=NOW - 300)}",
    "no expiry": f"Bearer {token(URL, exp=None)}",
    "not yet valid": f"Bearer {token(URL, nbf=NOW + 301)}",
}


@pytest.mark.parametrize("authorization", UNAUTHORISED.values(), ids=UNAUTHORISED.keys())
async def test_without_a_right_token_it_is_401_without_a_word(api: Api, authorization: str) -> None:
    answer = await api.call("POST", "/:send?api-version=bad", b"hi", authorization=authorization)
    assert (answer.status, answer.body) == (401, b"")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-length"] == "0"
    assert api.received == 0
    assert api.got(api.alice) == []


AUTHORISED = {
    "the whole URL": token(f"{URL}?api-version=2024-12-01&excluded=x"),
    "a slash at the end": token(f"{URL}/"),
    "a child": token(f"{URL}/x"),
    "percent-encoded": token(URL.replace(":send", "%3Asend")),
    "another case": token(URL.replace("localhost", "LOCALHOST")),
    "https": token(URL.replace("http", "https")),
    "the second key": token(URL, key=SECOND_KEY),
    "within the skew": token(URL, exp=NOW - 299),
    "nearly valid": token(URL, nbf=NOW + 300),
    "several audiences": token(["http://elsewhere", URL]),  # type: ignore[arg-type]
}


IDENTITY = issue(exp=NOW + 60)


@pytest.mark.feature("token issuers")
@pytest.mark.parametrize(
    ("bearer", "status"),
    [
        (IDENTITY, 202),
        (token(URL), 202),
        (token(URL, key=SECOND_KEY), 202),
        (issue("another secret of 32 or more bytes", exp=NOW + 60), 401),
        (issue(exp=NOW - 300), 401),
        (issue(exp=NOW + 60, aud=URL), 401),
        ("junk", 401),
    ],
)
async def test_an_issuers_token_is_as_good_as_a_keys(bearer: str, status: int) -> None:
    api = Api(TokenIssuer(ISSUER, SECRET))
    answer = await api.call("POST", "/:send", b"hi", bearer=bearer, content_type="text/plain")
    assert (answer.status, answer.body) == (status, b"")
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)


async def test_without_an_issuer_no_identity_is_known(api: Api) -> None:
    assert (await api.call("POST", "/:send", b"hi", bearer=IDENTITY)).status == 401


async def test_whoever_has_an_identity_can_let_clients_in() -> None:
    api = Api(TokenIssuer(ISSUER, SECRET))
    answer = await api.call("POST", "/:generateToken?userId=alice&clientType=mqtt", bearer=IDENTITY)
    expected = [f"http://{HOST}/clients/mqtt/hubs/chat"]
    read = decode_client_token(json.loads(answer.body)["token"], [KEY], expected=expected, now=NOW)
    assert (read.user_id, read.claims["aud"]) == ("alice", expected)


@pytest.mark.feature("audiences")
@pytest.mark.parametrize("bearer", AUTHORISED.values(), ids=AUTHORISED.keys())
async def test_the_audience_names_the_request(api: Api, bearer: str) -> None:
    assert (await api.call("POST", "/:send", b"hi", bearer=bearer)).status == 202
    assert (await api.call("POST", "/:send", b"hi", authorization=f"bEaReR  {bearer} ")).status == 202


@pytest.mark.parametrize(
    ("host", "audience", "status"),
    [
        ("a.example", "http://a.example:80/api/hubs/chat/:send", 202),
        ("a.example", "https://a.example:443/api/hubs/chat/:send", 202),
        ("a.example:80", "http://A.example/api/hubs/chat/:send", 202),
        ("a.example", "http://a.example:8080/api/hubs/chat/:send", 401),
        ("[::1]:8080", "http://[::1]:8080/api/hubs/chat/:send", 202),
        (None, URL, 401),
    ],
)
async def test_default_ports_do_not_matter(api: Api, host: str | None, audience: str, status: int) -> None:
    assert (await api.call("POST", "/:send", b"", bearer=token(audience), host=host)).status == status


@pytest.mark.feature("audiences")
async def test_what_one_client_encodes_another_does_not(api: Api) -> None:
    signed = token(f"http://{HOST}/api/hubs/chat/users/it%27s%21%2A%28x%29%40/:send")
    answer = await api.call("POST", "/users/it's!*(x)@/:send", b"hi", bearer=signed)
    assert answer.status == 202


@pytest.mark.feature("health")
async def test_health_needs_no_token(api: Api) -> None:
    for method in ("HEAD", "GET"):
        answer = await api.call(method, "//api/health", authorization=None)
        assert (answer.status, answer.body) == (200, b"")


# --- the order of checks ------------------------------------------------------------------------------


@pytest.mark.feature("api-versions")
@pytest.mark.parametrize("version", VERSIONS.split(", "))
async def test_every_stable_version_is_served(api: Api, version: str) -> None:
    assert (await api.call("POST", f"/:send?api-version={version}")).status == 202


@pytest.mark.feature("api-versions")
@pytest.mark.parametrize(
    "query",
    [
        "api-version=",
        "api-version=2020-01-01",
        "api-version=2024-12-01,2024-01-01",
        "api-version=2024-12-01-preview",
        "api-version=2025",
        "api-version=next",
        "api-version=2024-12-01&api-version=2024-12-01",
    ],
)
async def test_other_versions_are_not(api: Api, query: str) -> None:
    answer = await api.call("POST", f"/groups/%20/:send?{query}", content_length="junk")
    assert answer.error == (400, "Error.BadRequest", "api-version")
    assert json.loads(answer.body)["message"] == "The specified API version is not supported."


@pytest.mark.parametrize(
    ("method", "target", "name"),
    [
        ("POST", "/groups/%20/:send", "group"),
        ("POST", f"/groups/{'g' * 1025}/:send", "group"),
        ("POST", "/users/%20%09/:send", "user_id"),
        ("POST", "//api/hubs/1x/:send", "hub"),
        ("PUT", "/permissions/other/connections/c?targetName=g", "permission"),
        ("PUT", "/permissions/sendToGroup/connections/c", "targetName"),
        ("PUT", "/permissions/sendToGroup/connections/c?targetName=", "targetName"),
        ("PUT", "/permissions/sendToGroup/connections/c?targetName=%20", "targetName"),
        ("PUT", "/permissions/sendToGroup/connections/c?targetName=a&targetName=b", "targetName"),
        ("DELETE", "/connections/c?reason=a&reason=b", "reason"),
        ("POST", "/:generateToken?minutesToExpire=0", "minutesToExpire"),
        ("POST", "/:generateToken?minutesToExpire=1.5", "minutesToExpire"),
        ("POST", "/:generateToken?userId=a&userId=b", "userId"),
        ("POST", "/:generateToken?group=ok&group=%20", "group"),
        ("POST", "/:generateToken?clientType=other", "clientType"),
    ],
)
async def test_names_are_checked_before_the_body(api: Api, method: str, target: str, name: str) -> None:
    answer = await api.call(method, target, content_length="junk", content_type="junk")
    assert answer.error == (400, "Error.BadRequest", name)


async def test_length_comes_before_media_type(api: Api) -> None:
    answer = await api.call("POST", "/:send", content_length="junk", content_type="junk")
    assert answer.status == 400
    assert (await api.call("POST", "/:send", b"{", content_type="junk")).status == 415


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", ""),
        ("POST", "/"),
        ("POST", "/:nothing"),
        ("POST", "/groups/a/b/:send"),
        ("POST", "/users//:send"),
        ("GET", "//api/hubs"),
        ("GET", "//api/health/x"),
    ],
)
async def test_what_is_no_path_is_404_for_anybody(api: Api, method: str, target: str) -> None:
    answer = await api.call(method, target, authorization=None)
    assert answer.error == (404, "Error.NotFound", "Path")


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("GET", "/:send", "POST"),
        ("PATCH", "/:send?api-version=junk", "POST"),
        ("OPTIONS", "/:send", "POST"),
        ("POST", "/groups/room", "HEAD"),
        ("GET", "/connections/j1", "DELETE, HEAD"),
        ("POST", "/groups/%20/connections/j1", "PUT, DELETE"),
        ("POST", "/permissions/sendToGroup/connections/j1", "PUT, DELETE, HEAD"),
        ("POST", "//api/health", "GET, HEAD"),
    ],
)
async def test_another_method_is_405_for_anybody(api: Api, method: str, target: str, allowed: str) -> None:
    answer = await api.call(method, target, authorization=None)
    assert answer.error == (405, "Error.MethodNotAllowed", "Method")
    assert answer.headers["allow"] == allowed


async def test_pages_of_other_origins_are_not_let_in(api: Api) -> None:
    asked: dict[str, Any] = {"origin": "https://elsewhere", "access-control-request-method": "POST"}
    for method in ("OPTIONS", "POST"):
        answer = await api.call(method, "/:send", b"", **asked)
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("target", ["/:SEND", "/%3Asend", "/:send/", "//API/Hubs/Chat/:send"])
async def test_a_path_may_be_written_in_other_ways(api: Api, target: str) -> None:
    assert (await api.call("POST", target, b"hi", content_type="text/plain")).status == 202
    assert api.got(api.alice) == [(0x81, TEXT_HI)]


@pytest.mark.parametrize(
    "query", ["EXCLUDED=j1", "Excluded=j1", "excluded=x&eXcluded=j1", "API-Version=2024-12-01&excluded=j1"]
)
async def test_parameters_have_no_case(api: Api, query: str) -> None:
    assert (await api.call("POST", f"/:send?{query}", b"hi", content_type="text/plain")).status == 202
    assert (len(api.got(api.alice)), len(api.got(api.raw))) == (0, 1)


async def test_a_version_given_twice_is_refused_in_any_case(api: Api) -> None:
    answer = await api.call("POST", "/:send?api-version=2024-12-01&API-VERSION=2024-12-01")
    assert answer.error == (400, "Error.BadRequest", "api-version")


async def test_health_has_a_version_too(api: Api) -> None:
    assert (await api.call("HEAD", "//api/health?api-version=2021-10-01", authorization=None)).status == 200
    assert (await api.call("HEAD", "//api/health?api-version=1", authorization=None)).status == 400


@pytest.mark.feature("api-versions")
async def test_a_newer_version_is_served_with_one_warning(api: Api) -> None:
    api.traced.clear()
    for target in ("/:send", "/:send", "/users/u/:send"):
        assert (await api.call("POST", f"{target}?api-version=2026-02-01-preview")).status == 202
    [warning] = [event for event in api.traced if event.name == "setting"]
    assert warning == TraceEvent(
        Name.SETTING,
        Phase.FAILED,
        {},
        {
            "message": "api-version 2026-02-01-preview of a REST request is newer than 2024-12-01, the "
            "newest this service knows: the request is served as one of 2024-12-01. --strict-api-version "
            "refuses such requests, as Azure does"
        },
    )


@pytest.mark.feature("api-versions")
async def test_a_newer_version_is_refused_when_told_so() -> None:
    api = Api(strict_api_version=True)
    answer = await api.call("POST", "/:send?api-version=2026-02-01")
    assert answer.error == (400, "Error.BadRequest", "api-version")
    assert (await api.call("POST", "/:send?api-version=2021-10-01")).status == 202


@pytest.mark.parametrize(
    ("target", "status"), [("//", 404), ("//api", 404), ("//other", 404), ("//client/hubs/chat", 400)]
)
async def test_elsewhere_no_token_is_asked_for(api: Api, target: str, status: int) -> None:
    assert (await api.call("GET", target, authorization=None)).error[0] == status


# --- tokens for clients -------------------------------------------------------------------------------


@pytest.mark.feature("generate token")
async def test_a_generated_token_lets_a_client_in(api: Api) -> None:
    answer = await api.call(
        "POST",
        "/:generateToken?userId=al%20ice&role=webpubsub.sendToGroup&role=r&group=a&group=b&minutesToExpire=5",
    )
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    found = json.loads(answer.body)
    assert set(found) == {"token"}
    expected = [f"http://{HOST}/client/hubs/chat"]
    read = decode_client_token(found["token"], [KEY], expected=expected, now=NOW + 5 * 60)
    assert (read.user_id, read.roles, read.groups) == ("al ice", ("webpubsub.sendToGroup", "r"), ("a", "b"))
    assert read.claims["exp"] == [str(int(NOW) + 300)]
    assert read.claims["aud"] == expected


@pytest.mark.feature("generate token")
async def test_a_generated_token_lasts_an_hour_and_names_nobody(api: Api) -> None:
    answer = await api.call("POST", "//api/hubs/CHAT/:generateToken")
    expected = [f"http://{HOST}/client/hubs/chat"]
    read = decode_client_token(json.loads(answer.body)["token"], [KEY], expected=expected, now=NOW)
    assert (read.user_id, read.roles, read.groups) == (None, (), ())
    assert read.claims["exp"] == [str(int(NOW) + 3600)]


# --- around it ----------------------------------------------------------------------------------------


async def test_the_trace_has_the_callers_request_id(api: Api) -> None:
    api.traced.clear()
    await api.call("HEAD", "/users/alice", x_ms_client_request_id="r1")
    await api.call("HEAD", "/users/gone", x_ms_client_request_id="r2")
    await api.call("PUT", "/users/gone/groups/g", x_ms_client_request_id="r3")
    assert [(event.name, event.phase, event.ids, event.detail) for event in api.traced] == [
        (
            "rest",
            "completed",
            {"request": "r1"},
            {"method": "HEAD", "path": "/api/hubs/chat/users/alice", "status": 200},
        ),
        (
            "rest",
            "completed",  # no is an answer
            {"request": "r2"},
            {"method": "HEAD", "path": "/api/hubs/chat/users/gone", "status": 404},
        ),
        (
            "rest",
            "failed",
            {"request": "r3"},
            {"method": "PUT", "path": "/api/hubs/chat/users/gone/groups/g", "status": 404},
        ),
    ]
    assert str(api.traced[1].error) == "User `gone` is not found."


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("HEAD", "/users/alice", 200),
        ("HEAD", "/users/gone", 404),
        ("GET", "/groups/room/connections", 200),
        ("POST", "/connections/j1/:send", 202),
        ("POST", "/connections/gone/:send", 404),
    ],
)
async def test_a_hub_may_answer_later(method: str, target: str, status: int) -> None:
    api = Api(missing_connection_send=404)
    at_once = api.service.ask

    async def later(name: HubName, question: Any) -> Any:
        await turns(2)
        return at_once(name, question)

    answer = await api.call(method, target)
    api.traced.clear()
    api.service.ask = later  # type: ignore[method-assign]
    assert vars(await api.call(method, target)) == vars(answer)
    assert answer.status == status
    assert [event.detail["status"] for event in api.traced if event.name is Name.REST] == [status]


async def test_hubs_are_apart_and_without_case(api: Api) -> None:
    assert (await api.call("HEAD", "//api/hubs/other/users/alice")).status == 404
    assert (await api.call("HEAD", "//api/hubs/CHAT/users/alice")).status == 200
    assert set(api.service.hubs) == {CHAT}


async def test_lifespan(api: Api) -> None:
    asked, said = ["lifespan.startup", "lifespan.shutdown"], []

    async def receive() -> dict[str, Any]:
        return {"type": asked.pop(0)}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message["type"])

    await api.app({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


# --- anything at all ----------------------------------------------------------------------------------

literals = {part for row in rest.OPERATIONS for part in row.path.split("/")[::2]}
segments = st.sampled_from([*sorted(literals), "sendToGroup", "j1", "room", "..", "a+b", "é", "", "\x85"]) | (
    st.sampled_from(["%2F", "%00", "%", "%F0%9F%98%80", "%3Asend", "%FF"])
)
parameters = {name for row in rest.OPERATIONS for name in row.query.values()}
names = st.sampled_from([*sorted(parameters), "api-version"])
values = st.text() | st.sampled_from(["2024-12-01", "1", "0", "userId eq 'a'", "'a' in groups", "MQTT"])
queries = st.lists(st.tuples(names, values), max_size=4).map(urlencode) | st.text("&=%+abc\xff", max_size=20)
media_types = (
    st.none()
    | st.text(st.characters(max_codepoint=255))
    | st.sampled_from(
        ["text/plain", "application/json", "application/octet-stream", "text/plain; charset=utf-16"]
    )
)
HUB = "//api/hubs/chat/"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]),
    st.lists(segments, max_size=5).map(lambda parts: HUB + "/".join(parts)),
    queries,
    media_types,
    st.binary() | st.sampled_from([b'{"groups": ["g"]}', b"{", b"null"]),
)
async def test_any_request_is_answered(
    method: str, target: str, query: str, content_type: str | None, body: bytes
) -> None:
    api = Api()
    answer = await api.call(method, f"{target}?{query}", body, content_type=content_type)
    assert answer.status in {200, 202, 204, 400, 401, 404, 405, 415}
    if answer.status >= 400 and answer.status != 401 and method != "HEAD":
        assert answer.error[0] == answer.status
