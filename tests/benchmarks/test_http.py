"""Requests and frames, as on the wire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import http
from benchmarks.http import http_load, http_request, text_frame, upgrade_request
from benchmarks.servers import Running


def test_a_request_with_a_body() -> None:
    assert http_request("POST", "/a?b=c", {"ce-id": "1"}, b"hello") == (
        b"POST /a?b=c HTTP/1.1\r\nHost: localhost\r\nce-id: 1\r\nContent-Length: 5\r\n\r\nhello"
    )


def test_a_request_to_another_host() -> None:
    assert http_request("GET", "/", {"Host": "localhost:8080"}) == (
        b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n"
    )


def test_an_upgrade() -> None:
    assert upgrade_request("localhost:8080", "/client/hubs/bench") == (
        b"GET /client/hubs/bench HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )


def test_a_frame() -> None:
    assert text_frame("Hello") == b"\x81\x05Hello"


def test_a_frame_with_a_longer_text() -> None:
    assert text_frame("x" * 2048) == b"\x81\x7e\x08\x00" + b"x" * 2048


@pytest.mark.parametrize(("options", "client"), [({}, "http_load"), ({"trust": Path("c.pem")}, "https_load")])
def test_a_client_that_trusts_a_certificate_speaks_tls(
    options: dict[str, Any], client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_load(client: str, *_: object, requests: Path, **options: object) -> Any:
        return client, requests.read_bytes(), options

    monkeypatch.setattr(http, "run_load", run_load)
    running = Running(port=7071, process=1, printed="")
    found: Any = http_load(running, 1, [b"GET /1", b"GET /2"], **options, status=200)
    assert found == (client, b"GET /1GET /2", {**options, "status": 200})
