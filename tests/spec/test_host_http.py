"""Sections 5 and 6 of the Python specification: HTTP functions, row by row, through the running host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit.spec_app import DEFAULT, loaded_app, running_app

PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"


def app_of(*functions: tuple[str, str], name: str = "f") -> str:
    """An app with one HTTP function for each decorator's members and body."""
    source = "\n".join(
        f"@app.route({members})\ndef {name}{number or ''}(req):\n    {body}\n"
        for number, (members, body) in enumerate(functions)
    )
    head = "import azure.functions as func\napp = func.FunctionApp(func.AuthLevel.ANONYMOUS)\nseen = []\n"
    return f"{head}\n{source}"


SHOW = (
    "import json; return json.dumps({'headers': dict(req.headers), 'params': dict(req.params), "
    "'route': dict(req.route_params), 'url': req.url})"
)


# --- route, prefix, method ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "settings", "host_json", "method", "path", "status"),
    [
        # the route is the function's name, below 'api'
        ("", {}, None, "GET", "/api/f", 200),
        ("", {}, None, "GET", "/API/F/", 200),
        ("", {}, None, "GET", "/f", 404),
        ("route='a/b'", {}, None, "GET", "/api/a/b", 200),
        ("route='/a/b/'", {}, None, "GET", "/api/a/b", 200),
        # prefixes
        ("", {}, '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}', "GET", "/f", 200),
        (
            "",
            {},
            '{"version": "2.0", "extensions": {"http": {"routePrefix": "v1/x"}}}',
            "GET",
            "/v1/x/f",
            200,
        ),
        ("", {PREFIX: "v2"}, '{"version": "2.0"}', "GET", "/v2/f", 200),
        (
            "",
            {PREFIX: ""},
            '{"version": "2.0", "extensions": {"http": {"routePrefix": "v1"}}}',
            "GET",
            "/f",
            200,
        ),
        ("", {PREFIX.lower(): "v2"}, None, "GET", "/v2/f", 200),
        # host.json that is missing, or empty
        ("", {}, "", "GET", "/api/f", 200),
        ("", {}, '{"version": "2.0"}', "GET", "/api/f", 200),
        # a method that does not fit is 404, not 405
        ("methods=['POST']", {}, None, "GET", "/api/f", 404),
        ("methods=['POST']", {}, None, "POST", "/api/f", 200),
        ("methods=['GET']", {}, None, "HEAD", "/api/f", 404),
        ("methods=['GET', 'HEAD']", {}, None, "HEAD", "/api/f", 200),
        ("", {}, None, "HEAD", "/api/f", 200),
        ("", {}, None, "OPTIONS", "/api/f", 200),
        ("", {}, None, "PATCH", "/api/f", 200),
        # templates
        ("route='{id:int}'", {}, None, "GET", "/api/7", 200),
        ("route='{id:int}'", {}, None, "GET", "/api/x", 404),
        ("route='a/{x?}'", {}, None, "GET", "/api/a", 200),
        ("route='{*rest}'", {}, None, "GET", "/api/a/b/c", 200),
        ("route='{**rest}'", {}, None, "GET", "/api", 200),
    ],
)
async def test_where_a_function_is(
    tmp_path: Path,
    members: str,
    settings: dict[str, str],
    host_json: str | None,
    method: str,
    path: str,
    status: int,
) -> None:
    source = app_of((members, "return 'ran'"))
    async with running_app(tmp_path, source, DEFAULT | settings, host_json) as app:
        assert (await app.request(method, path)).status == status


@pytest.mark.parametrize(
    ("first", "second", "is_conflict"),
    [
        ("route='x'", "route='x'", True),
        ("route='x'", "route='/X/'", True),
        ("route='x', methods=['GET']", "route='x'", True),
        ("route='x', methods=['GET', 'PUT']", "route='x', methods=['PUT']", True),
        ("route='x', methods=['GET']", "route='x', methods=['POST']", False),
        ("route='x/{a}'", "route='x/{b}'", False),
        ("route='x'", "route='y'", False),
    ],
)
def test_two_functions_of_one_route_conflict(
    tmp_path: Path, first: str, second: str, is_conflict: bool
) -> None:
    with loaded_app(tmp_path, app_of((first, "..."), (second, "..."))) as app:
        texts = [str(problem) for problem in app.host.problems]
    expected = (
        "function_app.py:9: function 'f1': its route 'api/x' is that of function 'f' (function_app.py:5), "
        "with a method in common: change the route or the methods of one of them"
    )
    assert [text.replace("api/X", "api/x") for text in texts] == ([expected] if is_conflict else [])
    assert [listing.name for listing in app.host.functions] == (["f"] if is_conflict else ["f", "f1"])


# --- the request --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "headers", "member", "expected"),
    [
        ("/api/f?a=1&a=2", [], "params", {"a": "1,2"}),
        ("/api/f?a=1&A=2", [], "params", {"a": "1,2"}),
        ("/api/f?a=&b=1&c", [], "params", {"b": "1"}),
        ("/api/f?a=%20%C3%A9+x", [], "params", {"a": " é x"}),
        ("/api/f", [("X-A", "1"), ("X-A", "2")], "headers", {"x-a": "1,2"}),
        ("/api/f", [("X-Empty", "")], "headers", {"x-empty": ""}),
        ("/api/f/7/a%20b", [], "route", {"id": "7", "name": "a b"}),
        ("/api/f/7", [], "route", {"id": "7"}),
        ("/api/f?x=1", [("Host", "app.example")], "url", "http://app.example/api/f?x=1"),
    ],
)
async def test_what_a_function_gets(
    tmp_path: Path, url: str, headers: list[tuple[str, str]], member: str, expected: Any
) -> None:
    async with running_app(tmp_path, app_of(("route='f/{id:int?}/{name?}'", SHOW))) as app:
        answer = await app.request("GET", url, headers)
        assert json.loads(answer.text)[member] == expected


# --- the answer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "status", "content_type", "body"),
    [
        ("'text'", 200, "text/plain; charset=utf-8", b"text"),
        ("'{\"a\": 1}'", 200, "application/json; charset=utf-8", b'{"a": 1}'),
        ("func.HttpResponse()", 200, "text/plain; charset=utf-8", b""),
        ("func.HttpResponse('é')", 200, "text/plain; charset=utf-8", "é".encode()),
        ("func.HttpResponse('é', charset='latin-1')", 200, "text/plain; charset=latin-1", b"\xe9"),
        ("func.HttpResponse('{}', mimetype='application/json')", 200, "application/json", b"{}"),
        ("func.HttpResponse(b'\\x00\\xff', mimetype='image/png')", 200, "image/png", b"\x00\xff"),
        ("func.HttpResponse(status_code=418)", 418, "text/plain; charset=utf-8", b""),
        ("None", 500, "text/plain; charset=utf-8", b"The function failed."),
        ("b'bytes'", 500, "text/plain; charset=utf-8", b"The function failed."),
        ("{'a': 1}", 500, "text/plain; charset=utf-8", b"The function failed."),
        ("[1]", 500, "text/plain; charset=utf-8", b"The function failed."),
        ("5", 500, "text/plain; charset=utf-8", b"The function failed."),
    ],
)
async def test_what_a_function_returns(
    tmp_path: Path, returned: str, status: int, content_type: str, body: bytes
) -> None:
    async with running_app(tmp_path, app_of(("", f"return {returned}"))) as app:
        answer = await app.request("GET", "/api/f")
        assert (answer.status, answer.header("content-type"), answer.body) == (status, content_type, body)


# --- which functions run ------------------------------------------------------------------------------

THREE = app_of(("", "return 'f'"), ("", "return 'f1'"), ("", "return 'f2'"))


@pytest.mark.parametrize(
    ("settings", "host_json", "only", "expected"),
    [
        ({}, None, (), ["f", "f1", "f2"]),
        ({}, None, ("F1",), ["f1"]),
        ({"AzureFunctionsJobHost__functions__0": "f2"}, None, (), ["f2"]),
        (
            {"AzureFunctionsJobHost__functions__0": "f2", "AzureFunctionsJobHost__functions__1": "f"},
            None,
            (),
            ["f", "f2"],
        ),
        ({"AzureFunctionsJobHost__functions__0": "f2"}, None, ("f1",), ["f1"]),
        ({}, '{"version": "2.0", "functions": ["f", "f1"]}', (), ["f", "f1"]),
        ({"AzureWebJobs.f1.Disabled": "true"}, None, (), ["f", "f2"]),
        ({"AzureWebJobs.F1.Disabled": "1"}, None, (), ["f", "f2"]),
        ({"AzureWebJobs_f1_Disabled": "True"}, None, (), ["f", "f2"]),
        ({"AzureWebJobs.f1.Disabled": "false"}, None, (), ["f", "f1", "f2"]),
    ],
)
async def test_which_functions_run(
    tmp_path: Path,
    settings: dict[str, str],
    host_json: str | None,
    only: tuple[str, ...],
    expected: list[str],
) -> None:
    async with running_app(tmp_path, THREE, DEFAULT | settings, host_json, only=only) as app:
        assert [listing.name for listing in app.host.functions] == expected
        answers = {name: (await app.request("GET", f"/api/{name}")).status for name in ("f", "f1", "f2")}
    assert answers == {name: 200 if name in expected else 404 for name in answers}
