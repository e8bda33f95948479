"""``extensions.http`` of host.json: headers of every answer, HSTS, and what is taken of requests."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.asgi_client import AsgiClient
from webpubsub.host.http.policies import Throttle
from webpubsub.host.settings.host_settings import HostSettings
from webpubsub.model.errors import ConfigurationError
from webpubsub.model.http import CallBounds, HttpBounds

Run = Callable[..., Any]

VARIABLE = "AzureFunctionsJobHost__extensions__http__"

APP = """
import asyncio
import azure.functions as func
app = func.FunctionApp()
go = asyncio.Event()
running = []

@app.route(route="x")
async def x(req):
    return func.HttpResponse("x", headers={"X-Own": "function"})

@app.route(route="slow")
async def slow(req):
    running.append(req.params["n"])
    await go.wait()
    return req.params["n"]
"""


def host_json(http: str) -> dict[str, str]:
    return {"host__json": f'{{"version": "2.0", "extensions": {{"http": {http}}}}}'}


@pytest.mark.parametrize("path", ["/api/x", "/", "/api/nothing"])
async def test_every_answer_has_the_custom_headers(run_app: Run, path: str) -> None:
    client = await run_app(APP, files=host_json('{"customHeaders": {"X-Frame-Options": "DENY", "x-é": "ü"}}'))
    answer = await client.request("GET", path)
    assert answer.header("x-frame-options") == "DENY"
    assert ("x-é".encode("latin-1"), "ü".encode()) in answer.headers


async def test_a_header_of_the_function_stays(run_app: Run) -> None:
    client = await run_app(APP, files=host_json('{"customHeaders": {"X-Own": "host"}}'))
    answer = await client.request("GET", "/api/x")
    assert [value for name, value in answer.headers if name == b"x-own"] == [b"function"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (r'{"X-A": "a\r\nSet-Cookie: b=1"}', "'extensions.http.customHeaders.X-A' must be text without line"),
        ('{"X A": "a"}', "'extensions.http.customHeaders' must be names of headers"),
        ('{"": "a"}', "'extensions.http.customHeaders' must be names of headers"),
    ],
)
def test_a_custom_header_that_cannot_be_sent_is_refused(tmp_path: Path, header: str, expected: str) -> None:
    """Else no request at all would have an answer."""
    (tmp_path / "host.json").write_text(host_json(f'{{"customHeaders": {header}}}')["host__json"])
    with pytest.raises(ConfigurationError, match=r"host.json:1:\d+: " + re.escape(expected)):
        HostSettings.load(tmp_path, {})


HSTS = '{"hsts": {"isEnabled": true, "maxAge": "10", "includeSubDomains": true, "preload": true}}'
FULL = "max-age=864000; includeSubDomains; preload"


@pytest.mark.parametrize(
    ("hsts", "host", "scheme", "expected"),
    [
        (HSTS, "app.example", "https", FULL),
        (HSTS, "app.example", "http", None),
        (HSTS, "localhost:7071", "https", None),
        (HSTS, "LOCALHOST", "https", None),
        (HSTS, "127.0.0.1:7071", "https", None),
        (HSTS, "[::1]:7071", "https", None),
        (HSTS, "localhost.example", "https", FULL),
        ('{"hsts": {"isEnabled": true}}', "app.example", "https", "max-age=2592000"),
        ('{"hsts": {"isEnabled": true, "maxAge": "01:00:00"}}', "app.example", "https", "max-age=3600"),
        ('{"hsts": {"isEnabled": false, "maxAge": "10"}}', "app.example", "https", None),
        ('{"hsts": {"maxAge": "10"}}', "app.example", "https", None),
    ],
)
async def test_hsts_is_for_https_and_never_for_this_machine(
    run_app: Run, hsts: str, host: str, scheme: str, expected: str | None
) -> None:
    client = await run_app(APP, files=host_json(hsts))
    behind = AsgiClient(lambda scope, *rest: client.app({**scope, "scheme": scheme}, *rest))
    answer = await behind.request("GET", "/api/x", {"Host": host})
    assert answer.header("strict-transport-security") == expected


@pytest.mark.parametrize(
    ("http", "environ", "expected"),
    [
        ("{}", {}, HttpBounds()),
        (
            '{"maxHeadBytes": 8192, "headTimeout": 5, "bodyTimeout": 2.5, "IDLETIMEOUT": "1", '
            '"maxBodiesBytes": 1048576}',
            {},
            HttpBounds(
                max_head_bytes=8192,
                head_timeout=5.0,
                body_timeout=2.5,
                idle_timeout=1.0,
                max_bodies_bytes=1048576,
            ),
        ),
        (
            '{"bodyTimeout": 30, "headTimeout": 7}',
            {f"{VARIABLE}bodyTimeout": "600", f"{VARIABLE}maxHeadBytes": "1024"},
            HttpBounds(max_head_bytes=1024, head_timeout=7.0, body_timeout=600.0),
        ),
    ],
)
def test_what_the_server_takes_is_set_in_the_file_or_the_environment(
    tmp_path: Path, http: str, environ: dict[str, str], expected: HttpBounds
) -> None:
    (tmp_path / "host.json").write_text(host_json(http)["host__json"])
    assert HostSettings.load(tmp_path, environ).http.bounds == expected


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("maxHeadBytes", "1023", "a number of bytes from 1024, found a number (1023)"),
        ("maxHeadBytes", "2048.5", "a whole number, found a number (2048.5)"),
        ("headTimeout", "0.5", "a number of seconds from 1, found a number (0.5)"),
        ("bodyTimeout", "-1", "a number of seconds from 1, found a number (-1.0)"),
        ("bodyTimeout", '"00:01:15"', "a number of seconds, found a string"),
        ("bodyTimeout", "true", "a number of seconds, found a boolean"),
        ("idleTimeout", "NaN", "a number of seconds, found a number (NaN)"),
        ("idleTimeout", "1e999", "a number of seconds, found a number (Infinity)"),
        ("maxExpressionBodyBytes", "-1", "a number of bytes from 0, found a number (-1)"),
        ("maxExpressionBodyBytes", '"1 MB"', "a whole number, found a string"),
        ("maxBodiesBytes", "1048575", "a number of bytes from 1048576, found a number (1048575)"),
    ],
)
def test_a_bound_that_is_none_is_refused_with_its_least_value(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    (tmp_path / "host.json").write_text(host_json(f'{{"{name}": {value}}}')["host__json"])
    column = len(f'{{"version": "2.0", "extensions": {{"http": {{"{name}": ') + 1
    text = re.escape(f"host.json:1:{column}: 'extensions.http.{name}' must be {expected}")
    with pytest.raises(ConfigurationError, match=text):
        HostSettings.load(tmp_path, {})


@pytest.mark.parametrize(
    ("value", "expected"),
    [("0", "is '0.0': expected a number of seconds from 1"), ("1s", "is '1s': expected a number of seconds")],
)
def test_a_bound_of_the_environment_that_is_none_names_its_variable(
    tmp_path: Path, value: str, expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"setting '{VARIABLE}headTimeout' {expected}"):
        HostSettings.load(tmp_path, {f"{VARIABLE}headTimeout": value})


async def test_one_request_too_many_is_429(run_app: Run) -> None:
    client = await run_app(APP, files=host_json('{"maxOutstandingRequests": 2}'))
    app = sys.modules["function_app"]
    first, second = (asyncio.create_task(client.request("GET", f"/api/slow?n={n}")) for n in (1, 2))
    await asyncio.sleep(0)
    third = await client.request("GET", "/api/slow?n=3")
    assert (third.status, third.text) == (429, "Too many requests: 'maxOutstandingRequests'.")
    assert (await client.request("GET", "/")).status == 200
    app.go.set()
    assert [(await each).text for each in (first, second)] == ["1", "2"]
    assert (await client.request("GET", "/api/slow?n=4")).text == "4"


async def test_more_requests_than_may_run_wait_their_turn(run_app: Run) -> None:
    client = await run_app(APP, files=host_json('{"maxConcurrentRequests": 1, "maxOutstandingRequests": 2}'))
    app = sys.modules["function_app"]
    first, second = (asyncio.create_task(client.request("GET", f"/api/slow?n={n}")) for n in (1, 2))
    for _ in range(5):
        await asyncio.sleep(0)
    assert app.running == ["1"]
    assert (await client.request("GET", "/api/slow?n=3")).status == 429
    app.go.set()
    assert [(await each).text for each in (first, second)] == ["1", "2"]
    assert app.running == ["1", "2"]


async def test_a_request_that_is_given_up_leaves_its_place() -> None:
    throttle = Throttle(1, 1)

    async def hold() -> None:
        async with throttle.turn():
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.sleep(0)
    assert throttle.is_full
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not throttle.is_full


def test_how_services_are_called_is_set_beside_the_hub(tmp_path: Path) -> None:
    section = '{"maxConnections": 2, "maxWaiting": 0, "waitTimeout": 0.5}'
    (tmp_path / "host.json").write_text(f'{{"version": "2.0", "extensions": {{"webpubsub": {section}}}}}')
    assert HostSettings.load(tmp_path, {}).calls == CallBounds(
        max_connections=2, max_waiting=0, wait_timeout=0.5
    )
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "extensions": {"webpubsub": {"maxConnections": 0}}}'
    )
    with pytest.raises(
        ConfigurationError, match=r"'extensions.webpubsub.maxConnections' must be a number from 1"
    ):
        HostSettings.load(tmp_path, {})
