"""An event handler that answers by the event's name, in a thread, so that it serves all tests of a module."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_OPTIONS(self) -> None:
        self._answer(200, b"", {"WebHook-Allowed-Origin": "*"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = getattr(self, f"_{self.headers['ce-eventName']}", self._accept)
        answer(body)

    def _accept(self, _body: bytes) -> None:
        self._answer(204, b"", {})

    def _echo(self, body: bytes) -> None:
        self._answer(200, body, {"Content-Type": self.headers["Content-Type"]})

    def _count(self, _body: bytes) -> None:
        """Count the events of a connection in its states."""
        found = self.headers.get("ce-connectionState")
        state = json.loads(base64.b64decode(found)) if found else {"count": 0}
        told = json.dumps({"count": state["count"] + 1}).encode()
        headers = {"Content-Type": "application/json", "ce-connectionState": base64.b64encode(told).decode()}
        self._answer(200, told, headers)

    def _fail(self, _body: bytes) -> None:
        self._answer(400, b"", {})  # 5xx would be tried again

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Say nothing; what is wrong shows in the answers."""


@contextmanager
def running_event_handler() -> Iterator[str]:
    """Serve until the end of the block; gives the URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            serving.join()
