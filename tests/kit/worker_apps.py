"""The apps that run in the worker and in this package's host, and both of them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

from kit.asgi_client import AsgiClient
from kit.functions_worker import Worker
from kit.worker_events import ACCESS_KEY
from webpubsub.host import FunctionHost, HostSettings

HERE = Path(__file__).parents[1]
ODD = HERE / "contract/worker_app"
# Those of the v2 model; apps of function.json folders have no function_app.py.
EXAMPLES = {path.parent.name: path.parent for path in sorted(HERE.parent.glob("examples/*/function_app.py"))}
APPS = {**EXAMPLES, "odd": ODD, "untyped": ODD}
SETTINGS = {
    "WebPubSubConnectionString": f"Endpoint=https://wps.example;AccessKey={ACCESS_KEY};Version=1.0;",
    "OtherConnection": "Endpoint=https://other.example;AccessKey=key;Version=1.0;",
    "OddHub": "even",
    "OddEvent": "by_setting",
}

# The untyped functions without any typed one beside them.
_UNTYPED_APP = """\
import azure.functions as func
from worker_app_untyped import untyped
app = func.FunctionApp(http_auth_level="ANONYMOUS")
app.register_functions(untyped)
"""

CopyOf = Callable[[str], Path]
WorkerOf = Callable[..., Worker]
Load = Callable[..., FunctionHost]
HostOf = Callable[..., Awaitable[AsgiClient]]


def copies_in(folder: Callable[[], Path]) -> CopyOf:
    """Return what copies an app, so that nothing is left in it."""

    @cache
    def copy_of(name: str) -> Path:
        app = shutil.copytree(APPS[name], folder() / name, ignore=shutil.ignore_patterns("__pycache__"))
        if name == "untyped":
            (app / "function_app.py").write_text(_UNTYPED_APP, encoding="utf-8")
        return app

    return copy_of


def load_into_host(app: Path, **given: Any) -> FunctionHost:
    """Load an app into this package's host."""
    return FunctionHost(HostSettings.load(app, SETTINGS), **given)


def forget_modules(known: set[str]) -> None:
    """Forget the modules of the apps."""
    for name in set(sys.modules) - known:
        if name.startswith(("function_app", "worker_app")):
            del sys.modules[name]
