"""What of the package is public: the modules that docs show for import, and the names that these list."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any, Final

MODULES: Final = ("webpubsub", "webpubsub.host", "webpubsub.service.protobuf_messages")


def public_names() -> Iterator[tuple[str, str, Any]]:
    """Yield module, name and value of everything that is public."""
    for module in map(importlib.import_module, MODULES):
        yield from ((module.__name__, name, getattr(module, name)) for name in module.__all__)
