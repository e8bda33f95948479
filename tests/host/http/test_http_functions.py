"""HTTP functions: requests as the worker builds them, responses as it encodes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webpubsub.host import FunctionHost
from webpubsub.host.bindings.http_trigger import build_request, encode_response, request_data
from webpubsub.model.errors import UsageError
from webpubsub.model.http import HttpAnswer
from webpubsub.model.trace import Phase, TraceEvent

Run = Callable[..., Any]

ECHO = """
import json
import azure.functions as func

app = func.FunctionApp(http_auth_level="FUNCTION")

@app.route(route="echo/{id:int}/{rest?}")
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps({
            "type": type(req).__module__,
            "method": req.method, "url": req.url, "headers": dict(req.headers), "params": dict(req.params),
            "route": dict(req.route_params), "body": req.get_body().decode(),
        }),
        mimetype="application/json",
    )
"""


async def test_a_request_is_built_as_the_worker_builds_it(run_app: Run) -> None:
    client = await run_app(ECHO)
    answer = await client.request(
        "POST",
        "/API/echo/7/a%20b?x=1&X=2&empty=&code=secret&n=%C3%A9",
        [("Host", "app.example:7071"), ("X-Two", "1"), ("X-Two", "2"), ("X-Empty", "")],
        b"body",
    )
    assert answer.status == 200
    assert answer.json == {
        "type": "azure.functions.http",
        "method": "POST",
        "url": "http://app.example:7071/API/echo/7/a%20b?x=1&X=2&empty=&code=secret&n=%C3%A9",
        "headers": {"host": "app.example:7071", "x-two": "1,2", "x-empty": ""},
        "params": {"x": "1,2", "code": "secret", "n": "é"},
        "route": {"id": "7", "rest": "a b"},
        "body": "body",
    }


async def test_an_encoded_slash_stays_encoded_in_a_route_parameter(run_app: Run) -> None:
    client = await run_app(ECHO)
    answer = await client.request("GET", "/api/echo/1/a%2fb%20c")
    assert answer.json["route"] == {"id": "1", "rest": "a%2Fb c"}
    assert answer.json["url"] == "http://127.0.0.1:7071/api/echo/1/a%2fb%20c"


@pytest.mark.parametrize("path", ["/api/echo/x", "/api/echo", "/echo/1", "/api", "/api/echo/1/2/3"])
async def test_a_path_no_route_matches_is_not_found(run_app: Run, path: str) -> None:
    client = await run_app(ECHO)
    assert (await client.request("GET", path)).status == 404


def functions(body: str, head: str = "") -> str:
    return f"""
import azure.functions as func
from http import HTTPStatus
{head}
app = func.FunctionApp()

{body}
"""


async def test_the_default_route_is_the_functions_name_and_a_prefix_may_be_empty(run_app: Run) -> None:
    source = functions("@app.route()\ndef hello(req): return 'hi'\n")
    client = await run_app(source, {"AzureFunctionsJobHost__extensions__http__routePrefix": ""})
    answer = await client.request("GET", "/hello")
    assert (answer.status, answer.text) == (200, "hi")


async def test_the_most_specific_route_wins_and_a_method_is_a_constraint(run_app: Run) -> None:
    client = await run_app(
        functions(
            """
@app.route(route="{*rest}")
def everything(req): return "everything"

@app.route(route="users/{id}")
def user(req): return "user"

@app.route(route="users/me", methods=["GET"])
def me(req): return "me"

@app.route(route="only", methods=["POST"])
def only(req): return "only"
"""
        )
    )
    found = [
        (method, path, (await client.request(method, f"/api/{path}")).text)
        for method, path in [
            ("GET", "users/me"),
            ("PUT", "users/me"),
            ("GET", "users/7"),
            ("GET", "x/y"),
            ("POST", "only"),
        ]
    ]
    assert found == [
        ("GET", "users/me", "me"),
        ("PUT", "users/me", "user"),
        ("GET", "users/7", "user"),
        ("GET", "x/y", "everything"),
        ("POST", "only", "only"),
    ]


async def test_a_method_that_is_not_listed_is_not_found(run_app: Run) -> None:
    client = await run_app(functions("@app.route(route='x', methods=['POST'])\ndef x(req): return ''\n"))
    assert (await client.request("GET", "/api/x")).status == 404
    assert (await client.request("POST", "/api/x")).status == 200


RESPONSES: list[tuple[str, int, list[tuple[bytes, bytes]], bytes]] = [
    ("func.HttpResponse('é')", 200, [(b"content-type", b"text/plain; charset=utf-8")], "é".encode()),
    (
        "func.HttpResponse('é', charset='latin-1', mimetype='text/html')",
        200,
        [(b"content-type", b"text/html; charset=latin-1")],
        b"\xe9",
    ),
    (
        "func.HttpResponse(b'\\x00', mimetype='image/png', status_code=HTTPStatus.CREATED)",
        201,
        [(b"content-type", b"image/png")],
        b"\x00",
    ),
    (
        "func.HttpResponse(status_code=302, headers={'Location': '/x', 'Content-Type': 'x/y'})",
        302,
        [(b"location", b"/x"), (b"content-type", b"x/y")],
        b"",
    ),
    ("'plain'", 200, [(b"content-type", b"text/plain; charset=utf-8")], b"plain"),
    ("''", 200, [(b"content-type", b"text/plain; charset=utf-8")], b""),
    ("'{\"a\": 1}'", 200, [(b"content-type", b"application/json; charset=utf-8")], b'{"a": 1}'),
    (
        '\'{"body": {"a": 1}, "status": 201, "headers": {"X-A": "b"}}\'',
        201,
        [(b"content-type", b"application/json; charset=utf-8"), (b"x-a", b"b")],
        b'{"a":1}',
    ),
    ('\'{"body": "text"}\'', 200, [(b"content-type", b"text/plain; charset=utf-8")], b"text"),
]


@pytest.mark.parametrize(("result", "status", "headers", "body"), RESPONSES)
@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_responses_are_encoded_as_the_worker_encodes_them(
    run_app: Run, kind: str, result: str, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    client = await run_app(functions(f"@app.route(route='x')\n{kind} x(req):\n    return {result}\n"))
    answer = await client.request("GET", "/api/x")
    sent = [header for header in answer.headers if header[0] != b"content-length"]
    assert (answer.status, sent, answer.body) == (status, headers, body)


async def test_cookies_become_headers_of_their_own(run_app: Run) -> None:
    client = await run_app(
        functions(
            """
@app.route(route="x")
def x(req):
    response = func.HttpResponse("")
    response.headers.add("Set-Cookie", "a=1; Path=/; SameSite=Lax")
    response.headers.add("Set-Cookie", "b=2")
    return response
"""
        )
    )
    answer = await client.request("GET", "/api/x")
    cookies = [value for name, value in answer.headers if name == b"set-cookie"]
    assert cookies == [b"a=1; Path=/; SameSite=Lax", b"b=2"]


async def test_a_response_may_be_a_parameter(run_app: Run) -> None:
    client = await run_app(
        functions(
            """
@app.route(route="x", binding_arg_name="res")
def x(req, res: func.Out[func.HttpResponse]):
    res.set(func.HttpResponse("old"))
    res.set(func.HttpResponse("new", status_code=202))
"""
        )
    )
    answer = await client.request("GET", "/api/x")
    assert (answer.status, answer.text) == (202, "new")


async def test_a_function_without_http_output_answers_no_content(run_app: Run) -> None:
    client = await run_app(
        functions("@app.generic_trigger(arg_name='req', type='httpTrigger', route='x')\ndef x(req): ...\n")
    )
    assert (await client.request("GET", "/api/x")).status == 204


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("return None", "the function gave NoneType: expected an HttpResponse or a str"),
        ("return {'a': 1}", "the function gave dict: expected an HttpResponse or a str"),
        ("raise LookupError('secret')", "secret"),
        ("import sys; sys.exit(3)", "the function raised SystemExit(3)"),
        ("raise StopIteration(4)", "the function raised StopIteration(4)"),
        ("raise KeyboardInterrupt", "the function raised KeyboardInterrupt()"),
        ("import asyncio; raise asyncio.CancelledError", "the function raised CancelledError()"),
        (
            "return func.HttpResponse(status_code=99)",
            "the response has the status 99: expected a number from 200 to 599",
        ),
    ],
)
async def test_a_failure_is_500_without_details_and_told_to_the_trace(
    run_app: Run, events: list[TraceEvent], body: str, error: str
) -> None:
    client = await run_app(functions(f"@app.route(route='x')\ndef x(req):\n    {body}\n"))
    answer = await client.request("GET", "/api/x")
    assert (answer.status, answer.text) == (500, "The function failed.")
    failed = events[-1]
    assert (failed.name, failed.phase, str(failed.error)) == ("function", Phase.FAILED, error)
    assert failed.error is not None
    assert failed.error.__traceback__ is not None


async def test_an_asgi_app_runs_behind_the_host(run_app: Run) -> None:
    client = await run_app(
        """
import azure.functions as func

async def web(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"text/x")]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b"|" + body})

class NoShutdown(func.AsgiFunctionApp):
    def __del__(self): ...  # the library's own runs a new event loop when it is collected

app = NoShutdown(app=web)
"""
    )
    answer = await client.request("POST", "/api/some/path", body=b"hello")
    assert (answer.status, answer.header("content-type"), answer.text) == (
        201,
        "text/x",
        "/api/some/path|hello",
    )


async def test_a_wsgi_app_runs_behind_the_host(run_app: Run) -> None:
    client = await run_app(
        """
import azure.functions as func

def web(environ, start_response):
    start_response("202 Accepted", [("Content-Type", "text/x")])
    return [environ["PATH_INFO"].encode()]

app = func.WsgiFunctionApp(app=web)
"""
    )
    answer = await client.request("GET", "/api/some/path")
    assert (answer.status, answer.text) == (202, "/api/some/path")


def scope(**given: Any) -> dict[str, Any]:
    return {"method": "GET", "path": "/x", "query_string": b"", "headers": [], **given}


def test_the_url_is_made_of_what_is_known() -> None:
    assert build_request(scope(), {}, b"").url == "http://localhost/x"
    assert (
        build_request(scope(server=("10.0.0.1", 80), scheme="https"), {}, b"").url == "https://10.0.0.1:80/x"
    )
    assert build_request(scope(server=("/run/app.sock", None)), {}, b"").url == "http://localhost/x"
    assert build_request(scope(path="/é b"), {}, b"").url == "http://localhost/%C3%A9%20b"


@pytest.mark.parametrize(
    ("body", "query", "route", "name", "expected"),
    [
        (b'{"id": "body"}', b"", {}, "id", "body"),
        (b'{"Id": "body"}', b"iD=query", {}, "id", "query"),
        (b'{"id": "body"}', b"id=query", {"ID": "route"}, "id", "route"),
        (b'{"id": "body"}', b"code=query", {}, "code", None),
        (b'{"code": "body"}', b"code=query", {}, "code", "body"),
        (b'["id"]', b"", {}, "id", None),
        (b"{not json", b"", {}, "id", None),
        (b"\xff{", b"", {}, "id", None),
        (b'{"query": {"a": "body"}, "headers": 5}', b"a=query", {}, "query", {"a": "query"}),
        (b'{"headers": {"x-user": "forged"}}', b"", {}, "headers", {"x-user": "real"}),
    ],
)
def test_binding_data_is_body_then_query_then_route(
    body: bytes, query: bytes, route: dict[str, str], name: str, expected: Any
) -> None:
    request = build_request(scope(query_string=query, headers=[(b"x-user", b"real")]), route, body)
    assert request_data(request).get(name) == expected


def test_what_is_no_response_is_told() -> None:
    with pytest.raises(UsageError, match="the function gave int: expected an HttpResponse or a str"):
        encode_response(5)


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (func.HttpResponse("x", status_code=100), "the response has the status 100: expected a number"),
        (func.HttpResponse("x", status_code=1000), "the response has the status 1000: expected a number"),
        (func.HttpResponse("x", headers={"a b": "c"}), "the response has a header 'a b': expected letters"),
        (func.HttpResponse("x", headers={"a\r\nb": "c"}), r"the response has a header 'a\\r\\nb'"),
        (func.HttpResponse("x", headers={"\u2603": "c"}), "the response has a header '\u2603'"),
        (func.HttpResponse("x", headers={"a": "b\0"}), r"header 'a' of the response is 'b\\x00'"),
        ('{"body": "x", "status": "many"}', "the response has the status many: expected a number"),
        ('{"body": "x", "headers": 5}', "'headers' of the response is 5: expected an object"),
        ('{"body": "x", "headers": {"a": "b\\nc"}}', r"header 'a' of the response is 'b\\nc'"),
    ],
)
def test_a_response_no_server_could_send_is_told(response: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        encode_response(response)


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding"])
def test_how_a_body_is_framed_is_left_to_the_server(name: str) -> None:
    answer = encode_response(func.HttpResponse("x", headers={name: "100"}))
    assert [found for found, _ in answer.headers] == [b"content-type"]


@pytest.mark.parametrize("status", [204, 304])
async def test_some_answers_have_no_body_whatever_the_function_says(run_app: Run, status: int) -> None:
    client = await run_app(
        functions(f"@app.route(route='x')\ndef x(req): return func.HttpResponse('x', status_code={status})\n")
    )
    answer = await client.request("GET", "/api/x")
    assert (answer.status, answer.body, answer.header("content-length")) == (status, b"", None)


def test_text_that_is_nested_beyond_all_measure_is_text() -> None:
    assert encode_response("[" * 100_000).headers == [(b"content-type", b"text/plain; charset=utf-8")]


@given(st.text())
def test_any_text_is_a_response(text: str) -> None:
    if "body" not in text:
        assert encode_response(text).status == 200


@given(
    st.lists(st.tuples(st.binary(min_size=1), st.binary())),
    st.binary(),
    st.binary(),
)
def test_any_request_can_be_built(headers: list[tuple[bytes, bytes]], query: bytes, body: bytes) -> None:
    request = build_request(scope(headers=headers, query_string=query, raw_path=b"/\xff"), {}, body)
    request_data(request)
    assert request.get_body() == body


def test_the_methods_and_path_of_http_functions_are_listed(load_app: Callable[..., FunctionHost]) -> None:
    host = load_app(ECHO)
    (listing,) = host.functions
    assert (listing.kind, listing.path, listing.where) == (
        "http",
        "/api/echo/{id:int}/{rest?}",
        "function_app.py:7",
    )
    assert listing.methods == ()
    assert encode_response("x") == HttpAnswer(200, [(b"content-type", b"text/plain; charset=utf-8")], b"x")
