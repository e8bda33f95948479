"""HTTP load: whole requests for the client in C, written once for each turn."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from benchmarks.load import Load, run_load
from benchmarks.servers import Running

__all__ = ["http_load", "http_request", "status_of", "text_frame", "upgrade_request"]


def http_request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return the bytes of a request."""
    fields = {"Host": "localhost", **headers, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def upgrade_request(host: str, target: str) -> bytes:
    """Return the bytes of a request to talk WebSocket from now on (RFC 6455, section 4.1)."""
    headers = {
        "Host": host,
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return http_request("GET", target, headers)


def status_of(running: Running, request: bytes, tls: ssl.SSLContext | None = None) -> int:
    """Return the status with which a server answers one request, sent as it is or by TLS."""
    with contextlib.ExitStack() as opened:
        plain = socket.create_connection(("127.0.0.1", running.port), timeout=10)
        connection = opened.enter_context(plain)
        if tls is not None:
            connection = opened.enter_context(tls.wrap_socket(plain, server_hostname="localhost"))
        connection.sendall(request)
        answer = opened.enter_context(connection.makefile("rb"))
        return int(answer.readline().split()[1])


def text_frame(text: str) -> bytes:
    """Return the one frame in which a server sends a text of less than 64 KiB (RFC 6455, section 5.2)."""
    content = text.encode()
    size = len(content)
    head = bytes((0x81, size)) if size < 126 else bytes((0x81, 126)) + size.to_bytes(2, "big")
    return head + content


def http_load(running: Running, seconds: float, requests: Iterable[bytes], **options: object) -> Load:
    """Send requests, in turn, over connections that stay open; each answer must be as ``options`` say.

    Args:
        running: Gets them.
        seconds: How long.
        requests: Whole requests.
        options: Those of ``clients/http_load.c``; bytes become a file. With ``trust`` they are sent by TLS.

    Raises:
        RuntimeError: An answer was wrong, or a message has not come.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = {"requests": b"".join(requests)}
        files |= {name: value for name, value in options.items() if isinstance(value, bytes)}
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        paths = {name: Path(folder) / name for name in files}
        client = "https_load" if "trust" in options else "http_load"
        return run_load(client, running, seconds, **{**options, **paths})
