"""The settings file while the service runs: a good edit is used at once, a bad one is told and left aside.

The file is looked at twice a second, which also sees changes in mounted folders and files that are
replaced as a whole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from webpubsub.model.errors import ConfigurationError
from webpubsub.model.trace import Phase, Trace, TraceEvent
from webpubsub.service.settings import ServiceSettings
from webpubsub.service.settings_file import load_settings

INTERVAL: Final = 0.5


class SettingsWatch:
    """Follows a settings file.

    Args:
        path: The file.
        settings: What was read from it last.
        use: Gets the settings of each good edit.
        trace: Is told what changed, or why an edit is not used; or None.
        sleep: Waits some seconds.
    """

    def __init__(
        self,
        path: Path,
        settings: ServiceSettings,
        use: Callable[[ServiceSettings], None],
        *,
        trace: Trace | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._path = path
        self._settings = settings
        self._use = use
        self._trace = trace
        self._sleep = sleep
        self._seen = _NEVER  # it may have changed since it was read

    async def run(self) -> None:
        """Look at the file again and again until cancelled."""
        while True:
            await self._sleep(INTERVAL)
            self.look()

    def look(self) -> None:
        """Use the file if it has changed since the last look."""
        state = _state(self._path)
        if state == self._seen:
            return
        self._seen = state
        try:
            found = load_settings(self._path)
            changed = changes(self._settings, found)
            if changed:
                self._use(found)
        except ConfigurationError as error:
            self._report(Phase.FAILED, f"{error}; the settings before stay in use", error)
            return
        self._settings = found
        if changed:
            self._report(Phase.COMPLETED, f"{self._path}: changed: {', '.join(changed)}")

    def _report(self, phase: Phase, message: str, error: ConfigurationError | None = None) -> None:
        if self._trace is not None:
            told = None if error is None else ConfigurationError(message)
            self._trace(TraceEvent("setting", phase, {}, {"message": message}, told))


_State = tuple[int, int, int] | None
_NEVER: Final[_State] = (0, 0, 0)


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def changes(before: ServiceSettings, after: ServiceSettings) -> list[str]:
    """Return which settings differ, without their values, which may hold keys.

    Example:
        >>> changes(ServiceSettings(), ServiceSettings(failed_user_event="close"))
        ['failedUserEvent']
    """
    names = sorted({*before.hubs, *after.hubs})
    hubs = [f"hub {name}" for name in names if before.hubs.get(name) != after.hubs.get(name)]
    fields = msgspec.structs.fields(ServiceSettings)
    return hubs + [
        field.encode_name
        for field in fields
        if field.name != "hubs" and getattr(before, field.name) != getattr(after, field.name)
    ]
