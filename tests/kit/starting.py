"""The options of a start that a test does not care about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from webpubsub.server.options import StartOptions

_PLAIN = StartOptions(
    app_dir=Path(),
    host=None,
    port=0,
    service_port=0,
    with_service=True,
    event_handlers=(),
    functions=(),
    auth=False,
    strict=False,
    insecure_default_key=False,
    log_format="text",
    verbose=False,
)


def start_options(app_dir: Path, **given: Any) -> StartOptions:
    """Return those of an app on free ports, with the service, but for what is given."""
    return msgspec.structs.replace(_PLAIN, app_dir=app_dir, **given)
