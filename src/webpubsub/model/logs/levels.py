"""``logging.logLevel`` of host.json: from which level on a category is logged.

Categories are those of the Functions host: ``Function.<name>`` for what the host says of a function,
``Function.<name>.User`` for what the function says, ``Host.<what>`` for the rest. The longest beginning of a
category that is set counts, else ``default``.

Source: Functions host, "How to configure monitoring"; .NET, "Logging, category".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

import msgspec

_NOTHING: Final = logging.CRITICAL + 1
LOG_LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": _NOTHING,
}


class LogLevels(msgspec.Struct, frozen=True):
    """The least level of each category, as numbers of Python's logging.

    Attributes:
        levels: By the beginning of a category, in lower case.

    Example:
        >>> LogLevels({"default": logging.WARNING, "function.chat": logging.DEBUG}).of("Function.chat.User")
        10
    """

    levels: Mapping[str, int] = {}

    def of(self, category: str, default: int = logging.INFO) -> int:
        """Return the level of a category; ``default`` when nothing that is set concerns it."""
        wanted = category.lower()
        fitting = [beginning for beginning in self.levels if wanted.startswith(beginning.removesuffix("*"))]
        return self.levels[max(fitting, key=len)] if fitting else self.levels.get("default", default)

    @property
    def of_users(self) -> int:
        """The least level at which any function may log."""
        users = [level for category, level in self.levels.items() if category.partition(".")[0] == "function"]
        return min([self.of("Function.User"), *users])
