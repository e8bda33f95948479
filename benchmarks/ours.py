"""The real commands, as everybody starts them: an ordinary app, all checks on, default settings.

They are those of a checkout: this one, or another one to compare with.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from benchmarks.servers import Running, Server
from webpubsub.model.access.connection_string import DEFAULT_ACCESS_KEY, ConnectionString
from webpubsub.model.access.tokens import client_access
from webpubsub.model.names import HubName

__all__ = ["HERE", "HUB", "KEY", "WEBHOOK", "Checkout", "client_target", "of_service", "service_port"]

HUB: Final = HubName("bench")
KEY: Final = DEFAULT_ACCESS_KEY
WEBHOOK: Final = "/runtime/webhooks/webpubsub"


class Checkout(msgspec.Struct, frozen=True):
    """Whose commands are measured.

    Attributes:
        folder: Its root.
        python: The interpreter in which it is installed.
    """

    folder: Path
    python: str

    @classmethod
    def at(cls, folder: Path) -> Checkout:
        """Return another checkout, which has a ``.venv`` with an editable install.

        Raises:
            RuntimeError: It has none.
        """
        python = folder.resolve() / ".venv" / "bin" / "python"
        if not python.exists():
            raise RuntimeError(
                f'{python} is not there; in that checkout: make bench, or pip install -e ".[server]"'
            )
        return cls(folder.resolve(), str(python))

    def start(self, app: str, *options: str) -> Server:
        """Return ``webpubsub start`` with an app of one file, and the embedded service."""
        files = {"function_app.py": app, "host.json": '{"version": "2.0"}'}
        return self._command("start", ".", "--port", "{port}", "--service-port", "0", *options, files=files)

    def service(self) -> Server:
        """Return ``webpubsub service``."""
        return self._command("service", "--port", "{port}")

    def client(self, script: str) -> tuple[str, ...]:
        """Return the command that runs a script of ``clients/`` which uses the package."""
        return (self.python, str(self.folder / "benchmarks" / "clients" / script))

    def _command(self, *arguments: str, files: Mapping[str, str] = {}) -> Server:
        return Server((self.python, "-m", "webpubsub", *arguments), ready="Ready", files=files)


HERE: Final = Checkout(Path(__file__).parents[1], sys.executable)


def service_port(running: Running) -> int:
    """Return where the service, embedded or not, listens."""
    return _port(r"Endpoint=(http://[^;]+)", running)


def of_service(running: Running) -> Running:
    """Return a ``webpubsub start`` as the service in it, for load clients that go there."""
    return msgspec.structs.replace(running, port=service_port(running))


def client_target(
    running: Running, *, user_id: str | None = None, roles: Iterable[str] = (), groups: Iterable[str] = ()
) -> str:
    """Return path and query of a client's access URL."""
    connection = ConnectionString(f"http://localhost:{service_port(running)}", KEY)
    access = client_access(
        connection, HUB, now=time.time(), user_id=user_id, roles=tuple(roles), groups=tuple(groups)
    )
    parts = urlsplit(access.url)
    return f"{parts.path}?{parts.query}"


def _port(pattern: str, running: Running) -> int:
    found: Any = re.search(pattern, running.printed)
    if found is None:
        raise RuntimeError(f"expected {pattern} in what the command printed, found:\n{running.printed}")
    return urlsplit(found[1]).port or 80
