"""The host id: the folder of one app in a storage account that several apps may share.

Source: Functions host, ``ScriptHostIdProvider``; Azure Functions, "Host ID considerations".
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from webpubsub.model.errors import ConfigurationError

_SETTING: Final = "AzureFunctionsWebHost:hostid"
_MAX_LENGTH: Final = 32
_VALID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def find_host_id(environment: Mapping[str, str], app_dir: Path) -> str:
    """Return the host id that Azure's host would use for this app.

    It is what ``AzureFunctionsWebHost__hostid`` says; for a deployed app (``WEBSITE_SITE_NAME``) the names
    of site and slot; else the machine's name and a hash of the app's folder. So an app in a container,
    whose machine has another name each time, needs the setting to find its keys and timers again.

    Args:
        environment: App settings; see `Environment`.
        app_dir: The app's folder, absolute.

    Raises:
        ConfigurationError: The setting is no host id.

    Example:
        >>> find_host_id({"WEBSITE_SITE_NAME": "Chat", "WEBSITE_SLOT_NAME": "staging"}, Path("/app"))
        'chat-staging'
    """
    given = environment.get(_SETTING)
    if given:
        return _checked(given)
    site = environment.get("WEBSITE_SITE_NAME")
    found = _site_and_slot(site, environment) if site else f"{_machine()}-{_stable_hash(str(app_dir))}"
    return found[:_MAX_LENGTH].lower().rstrip("-")


def _checked(given: str) -> str:
    if len(given) > _MAX_LENGTH or not _VALID.fullmatch(given):
        raise ConfigurationError(
            f"'AzureFunctionsWebHost__hostid' is '{given}': expected 1 to {_MAX_LENGTH} lower-case letters, "
            "digits and single dashes inside, for example 'chat-production'"
        )
    return given


def _site_and_slot(site: str, environment: Mapping[str, str]) -> str:
    slot = environment.get("WEBSITE_SLOT_NAME", "")
    return site if slot.lower() in {"", "production"} else f"{site}-{slot}"


def _machine() -> str:
    # .NET's Environment.MachineName ends at the first dot.
    return "".join(letter for letter in platform.node().partition(".")[0] if letter.isalnum())


def _stable_hash(text: str) -> int:
    """Return the Functions host's own hash: 32 bits with sign, of UTF-16 units, made positive."""
    value = 23
    units = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value * 31 + low + (high << 8)) & 0xFFFFFFFF
    return abs(value - (1 << 32) if value >= 1 << 31 else value)
