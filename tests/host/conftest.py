"""Function apps in folders of their own, driven as ASGI applications without sockets."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.asgi_client import AsgiClient, RecordingSink
from webpubsub.host import FunctionHost, HostSettings
from webpubsub.model.trace import Trace, TraceEvent

KEY = "7aab239577fd4f24bc919802fb629f5f"
CONNECTION = f"Endpoint=https://wps.example;AccessKey={KEY};Version=1.0;"


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def events() -> list[TraceEvent]:
    """What the trace was told."""
    return []


@pytest.fixture
def write_app(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Write files of an app; the file name's dot is spelled with two underscores."""
    known = set(sys.modules)

    def write(source: str | None = None, **files: str) -> Path:
        if source is not None:
            files["function_app__py"] = source
        for name, text in files.items():
            path = tmp_path / name.replace("__", ".")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(textwrap.dedent(text))
        return tmp_path

    yield write
    sys.path[:] = [entry for entry in sys.path if entry != str(tmp_path)]
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "") or "").startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def load_app(write_app: Callable[..., Path], events: list[TraceEvent]) -> Callable[..., FunctionHost]:
    """Load an app of this source, not started."""

    def load(
        source: str,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        **given: Any,
    ) -> FunctionHost:
        app_dir = write_app(source, **(files or {}))
        settings = HostSettings.load(app_dir, {} if environ is None else environ)
        given.setdefault("trace", Trace(events.append))
        return FunctionHost(settings, **given)

    return load


@pytest.fixture
async def run_app(load_app: Callable[..., FunctionHost]) -> AsyncIterator[Callable[..., Any]]:
    """Load and start an app without problems, and return a client."""
    hosts: list[FunctionHost] = []

    async def run(source: str, environ: Mapping[str, str] | None = None, **given: Any) -> AsgiClient:
        host = load_app(source, environ, **given)
        assert [str(problem) for problem in host.problems] == []
        hosts.append(host)
        await host.start()
        return AsgiClient(host)

    yield run
    for host in hosts:
        await host.stop(5)


@pytest.fixture
def client_of() -> Callable[..., AsgiClient]:
    return AsgiClient


@pytest.fixture
def connection_string() -> str:
    """The service ``wps.example``, whose key is that of the signature vectors."""
    return CONNECTION
