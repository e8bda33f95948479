"""The time zone schedules are in: the setting ``WEBSITE_TIME_ZONE``, else ``TZ``, else UTC.

Source: Azure Functions, timer trigger, "NCRONTAB time zones"; POSIX, "TZ".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from pathlib import PurePosixPath
from typing import Final

from webpubsub.model.errors import ConfigurationError

_SETTINGS: Final = ("WEBSITE_TIME_ZONE", "TZ")
_WINDOWS_ENDING: Final = " time"


def find_time_zone(environment: Mapping[str, str]) -> tzinfo:
    """Return the zone the settings name.

    Args:
        environment: App settings.

    Raises:
        ConfigurationError: It is no IANA name that this machine knows.

    Example:
        >>> str(find_time_zone({"WEBSITE_TIME_ZONE": "America/New_York"}))
        'America/New_York'
    """
    for setting in _SETTINGS:
        # A shell's TZ may start with a colon.
        if name := environment.get(setting, "").strip().removeprefix(":"):
            return _zone(setting, name)
    return UTC


def _zone(setting: str, name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # only apps with another zone pay for it

    try:
        if PurePosixPath(name).is_absolute():  # a shell's TZ may be a file, too
            with open(name, "rb") as file:
                return ZoneInfo.from_file(file, key=name)
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigurationError(f"'{setting}' is '{name}'{_fault(name)}") from error


def _fault(name: str) -> str:
    expected = "an IANA name, for example 'America/New_York' or 'Europe/Berlin'"
    if name.lower().endswith(_WINDOWS_ENDING):
        return f", a name of Windows: set {expected}, as Azure's hosts on Linux take it, too"
    return (
        f", a time zone this machine does not know: expected {expected} (pip install tzdata brings them all)"
    )
