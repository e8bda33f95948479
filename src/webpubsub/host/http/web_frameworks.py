"""Web frameworks behind functions: ``AsgiFunctionApp``, and what cannot run here.

Both `AsgiFunctionApp` and `WsgiFunctionApp` are one HTTP function for every path, which the library writes;
they run like any other. Only the end of an ASGI app's life needs the host.

Source: Python spec, section 5; azure.functions, ``_http_asgi.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import azure.functions as func

from webpubsub.model.errors import ConfigurationError

_STREAMING: Final = "azurefunctions.extensions.http.fastapi"


def refuse_streaming(script_file: str) -> None:
    """Refuse an app that has imported the library for HTTP streams.

    Raises:
        ConfigurationError: It has.
    """
    if _STREAMING in sys.modules:
        raise ConfigurationError(
            f"{script_file} imports {_STREAMING}, which makes every HTTP function a streaming one, and this "
            "host has none: take func.HttpRequest and func.HttpResponse, or run a whole FastAPI app with "
            "'app = func.AsgiFunctionApp(app=fastapi_app)'"
        )


# The library's `Function`; its stubs differ between versions, hence Any.
def shutdown_of(app: func.FunctionRegister, function: Any) -> Callable[[], Awaitable[None]] | None:
    """Return what ends the life of the ASGI app behind ``function``, or None when there is none.

    The library would do it when its object is collected: in another event loop, where it waits for ever.
    """
    if not isinstance(app, func.AsgiFunctionApp) or function.http_type != "asgi":
        return None

    async def shutdown() -> None:
        if app.startup_task_done:
            app.startup_task_done = False
            await app.middleware.notify_shutdown()  # type: ignore[no-untyped-call]

    return shutdown
